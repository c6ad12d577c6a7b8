//! MX: metrics, from the target to the sample that is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{NO_PODS, are, begins, is_young, items, lacking_nodes, number, silent, text};
use crate::doctor::snapshot::{Prometheus, label, value};
use crate::doctor::{Check, Finding, Need, Severity, Snapshot};
use crate::render::milliseconds;
use crate::words::count;

/// What makes Prometheus itself silent or wrong.
pub(super) const PROMETHEUS: &[&str] = &["MX01", "MX02", "MX03", "MX10"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "MX01",
        title: "every Prometheus answers",
        why: "without it nothing is scraped, and no rule is evaluated",
        verify: "kubectl obs logs prometheus",
        fix: "see why it does not answer: kubectl obs status, kubectl obs logs prometheus",
        needs: &[Need::Status],
        follows: NO_PODS,
        run: answers,
    },
    Check {
        id: "MX02",
        title: "Prometheus works with the configuration that it was given",
        why: "it refused the newest one and goes on with the one before",
        verify: "kubectl obs logs prometheus: Error loading config",
        fix: "repair the value that it names, then kubectl obs upgrade",
        needs: &[Need::Prometheus],
        follows: &[],
        run: configuration,
    },
    Check {
        id: "MX03",
        title: "the database of Prometheus is whole",
        why: "a part of its write-ahead log could not be read: samples before a crash are lost",
        verify: "prometheus_tsdb_wal_corruptions_total",
        fix: "see the log; when it repeats, the volume is faulty",
        needs: &[Need::Prometheus],
        follows: &[],
        run: corruption,
    },
    Check {
        id: "MX04",
        title: "every job of the stack has targets",
        why: "a part of the stack is scraped by nobody: its dashboards are empty, its alerts silent",
        verify: "/api/v1/targets of Prometheus",
        fix: "kubectl obs status: are its pods there?",
        needs: &[Need::Prometheus],
        follows: &["WK01", "WK02", "WK03", "WK04", "WK07", "WK08", "WK09", "RL03"],
        run: without_targets,
    },
    Check {
        id: "MX05",
        title: "every target is up",
        why: "its metrics are missing since then, and alerts on them cannot fire",
        verify: "up == 0",
        fix: "see what the scrape says",
        needs: &[Need::Prometheus],
        follows: &["WK01", "WK04", "WK05", "WK07", "WK13", "PF07"],
        run: down,
    },
    Check {
        id: "MX06",
        title: "every application of apps: has a pod",
        why: "its selector matches nothing, so that nothing of it is watched",
        verify: "kubectl obs apps",
        fix: "correct its namespace, selector or port in apps:",
        needs: &[Need::Prometheus],
        follows: &[],
        run: empty_apps,
    },
    Check {
        id: "MX08",
        title: "no scrape takes nearly as long as it may",
        why: "the next slow one is cut off, and the target counts as down",
        verify: "scrape_duration_seconds",
        fix: "give it longer (scrape.timeout), or let the target expose less",
        needs: &[Need::Prometheus],
        follows: &[],
        run: slow,
    },
    Check {
        id: "MX10",
        title: "samples arrive",
        why: "Prometheus runs and stores nothing",
        verify: "rate(prometheus_tsdb_head_samples_appended_total[2m])",
        fix: "kubectl obs logs prometheus: is its volume full?",
        needs: &[Need::Prometheus],
        follows: &["ST02"],
        run: appended,
    },
    Check {
        id: "MX12",
        title: "nothing is scraped twice",
        why: "sums over it count double: annotations and apps: both name it, or two apps do",
        verify: "/api/v1/targets of Prometheus: the same address in two pools",
        fix: "remove the annotation, or the entry of apps:",
        needs: &[Need::Prometheus],
        follows: &[],
        run: twice,
    },
    Check {
        id: "MX13",
        title: "kube-state-metrics sees the cluster",
        why: "rules and dashboards of pods, workloads and nodes rest on it",
        verify: "count(kube_node_info); kube_state_metrics_list_total{result=\"error\"}",
        fix: "kubectl obs logs kube-state-metrics: forbidden means that its ClusterRole was changed",
        needs: &[Need::Prometheus, Need::Nodes],
        follows: &["MX05", "MX04", "WK01", "RL03"],
        run: state_of_objects,
    },
    Check {
        id: "MX14",
        title: "every node that is meant to has a node-exporter that is scraped",
        why: "CPU, memory and disks of the other nodes are not seen",
        verify: "count(up{job=\"node-exporter\"} == 1); kubectl get pods -o wide",
        fix: "kubectl obs status node-exporter shows its pods",
        needs: &[Need::Prometheus, Need::Status],
        follows: &["MX05", "MX04", "WK01", "WK03", "WK04", "WK08", "PF07"],
        run: node_exporters,
    },
    Check {
        id: "MX15",
        title: "the containers' metrics arrive from the kubelets",
        why: "without them the CPU and memory of pods are not known",
        verify: "container_cpu_usage_seconds_total",
        fix: "kubectl obs drift: the ClusterRole of Prometheus needs nodes/metrics",
        needs: &[Need::Prometheus],
        follows: &["MX05", "MX04"],
        run: containers,
    },
    Check {
        id: "MX16",
        title: "every database that is watched lets its exporter in",
        why: "the exporter is up, but its password, address or rights are wrong",
        verify: "pg_up == 0 or redis_up == 0",
        fix: "kubectl obs logs postgres-exporter (redis-exporter): its words name the cause",
        needs: &[Need::Prometheus],
        follows: &["MX05"],
        run: databases,
    },
    Check {
        id: "MX21",
        title: "the clock of Prometheus is that of this machine",
        why: "dashboards look at the wrong time, samples are refused as too old or too new",
        verify: "kubectl obs port-forward prometheus, then /api/v1/status/runtimeinfo: serverTime",
        fix: "set the clock by NTP, here or on its node",
        needs: &[Need::Prometheus],
        follows: &[],
        run: clock,
    },
];

fn replicas(snapshot: &Snapshot) -> impl Iterator<Item = &Prometheus> {
    snapshot.prometheus.answer().into_iter().flatten()
}

fn targets(snapshot: &Snapshot) -> impl Iterator<Item = &Value> {
    let targets = snapshot.first_prometheus().and_then(|one| one.targets.answer());
    targets.into_iter().flat_map(|targets| items(&targets["activeTargets"]))
}

fn pool(target: &Value) -> &str {
    text(&target["scrapePool"])
}

fn answers(snapshot: &Snapshot) -> Vec<Finding> {
    if !snapshot.has("prometheus") {
        return Vec::new();
    }
    if let Some(why) = snapshot.prometheus.why() {
        return vec![silent("prometheus", "Prometheus does not answer".to_owned(), why)];
    }
    let silent = replicas(snapshot).filter_map(|one| {
        Some(silent("prometheus", format!("pod {} does not answer", one.pod), one.targets.why()?))
    });
    silent.collect()
}

fn configuration(snapshot: &Snapshot) -> Vec<Finding> {
    let refused = replicas(snapshot)
        .filter(|one| one.runtime.answer().is_some_and(|runtime| runtime["reloadConfigSuccess"] == false));
    refused
        .map(|one| {
            let since = one.runtime.answer().map(|runtime| text(&runtime["lastConfigTime"]).to_owned());
            Finding::fail(format!("pod {} refused its newest configuration", one.pod))
                .about("prometheus")
                .evidence(since.map(|since| format!("it works with that of {since}")))
                .fix("kubectl obs logs prometheus")
                .fix("kubectl obs rollback goes back to the configuration before")
        })
        .collect()
}

fn corruption(snapshot: &Snapshot) -> Vec<Finding> {
    let corrupt = replicas(snapshot).filter_map(|one| {
        let times = one.runtime.answer()?["corruptionCount"].as_u64().filter(|times| *times > 0)?;
        Some(
            Finding::warn(format!("pod {} could not read a part of its write-ahead log", one.pod))
                .about("prometheus")
                .evidence([format!("{times} since it started")])
                .fix("kubectl obs logs prometheus"),
        )
    });
    corrupt.collect()
}

/// The jobs of the configuration; none where Prometheus does not say.
fn pools(snapshot: &Snapshot) -> BTreeSet<&str> {
    let pools = snapshot.first_prometheus().and_then(|one| one.pools.answer());
    pools.into_iter().flat_map(|pools| items(&pools["scrapePools"])).map(text).collect()
}

fn without_targets(snapshot: &Snapshot) -> Vec<Finding> {
    let pools = pools(snapshot);
    let active: BTreeSet<&str> = targets(snapshot).map(pool).collect();
    let ours = snapshot.jobs.iter().map(String::as_str);
    ours.filter(|job| pools.contains(job) && !active.contains(job))
        .map(|job| {
            Finding::fail(format!("job {job} has no target"))
                .about(job)
                .fix("kubectl obs status shows whether its pods are there")
        })
        .collect()
}

fn down(snapshot: &Snapshot) -> Vec<Finding> {
    // what is down for one reason in one job is one finding
    let mut groups: BTreeMap<(&str, String), Vec<&Value>> = BTreeMap::new();
    for target in targets(snapshot).filter(|target| target["health"] == "down") {
        let error = text(&target["lastError"]);
        let instance = text(&target["labels"]["instance"]);
        let class = error.replace(text(&target["scrapeUrl"]), "URL").replace(instance, "ADDRESS");
        groups.entry((pool(target), class)).or_default().push(target);
    }
    let found = groups.into_iter().map(|((job, _), down)| {
        let ours = snapshot.jobs.iter().any(|known| known == job);
        let severity = if ours { Severity::Fail } else { Severity::Warn };
        let all = targets(snapshot).filter(|target| pool(target) == job).count();
        let error = down.first().map(|target| text(&target["lastError"])).unwrap_or_default();
        let lines = down.iter().map(|target| match target["labels"]["pod"].as_str() {
            Some(pod) => format!("{} (pod {pod})", text(&target["labels"]["instance"])),
            None => text(&target["labels"]["instance"]).to_owned(),
        });
        let mut finding = Finding::new(
            severity,
            format!("{} of {} of job {job} down: {error}", down.len(), count(all, "target")),
        );
        finding.about = vec![component_of_job(job).to_owned()];
        finding.evidence(lines).fix(scrape_advice(error))
    });
    found.collect()
}

/// The component that a job of the stack scrapes.
fn component_of_job(job: &str) -> &str {
    match job {
        "postgres" => "postgres-exporter",
        "redis" => "redis-exporter",
        job => job,
    }
}

/// What to do about the error of a scrape. The words are those of Prometheus and of Go's net/http.
pub fn scrape_advice(error: &str) -> &'static str {
    const KNOWN: [(&str, &str); 12] = [
        (
            "connection refused",
            "nothing listens on the port: is it right, and does the process listen on 0.0.0.0?",
        ),
        (
            "context deadline exceeded",
            "no answer in time: a NetworkPolicy, or a slow target (scrape.timeout)",
        ),
        ("i/o timeout", "packets are dropped on the way: a NetworkPolicy or a firewall"),
        ("no route to host", "the address cannot be reached: is the node of the pod there?"),
        ("no such host", "the name is not known to the cluster's DNS"),
        ("HTTP status 401", "it wants credentials"),
        (
            "HTTP status 403",
            "it refuses Prometheus: kubectl obs drift shows whether its ClusterRole was changed",
        ),
        ("HTTP status 404", "there are no metrics at this path: correct it (path:)"),
        ("x509", "its certificate is not trusted: give its CA, or let it be scraped by http"),
        ("http: server gave HTTP response to HTTPS client", "it speaks http: set scheme: http"),
        ("sample limit exceeded", "it exposes more than it may: raise the limit, or drop what nobody needs"),
        ("received unsupported Content-Type", "what it answers are no metrics: is the path right?"),
    ];
    let known = KNOWN.iter().find(|(words, _)| error.contains(words));
    known.map_or("ask it as Prometheus does: kubectl obs port-forward, then curl", |(_, advice)| advice)
}

fn empty_apps(snapshot: &Snapshot) -> Vec<Finding> {
    let active: BTreeSet<&str> = targets(snapshot).map(pool).collect();
    let pools = pools(snapshot);
    let apps = pools.into_iter().filter_map(|pool| Some((pool, pool.strip_prefix("app-")?)));
    apps.filter(|(pool, _)| !active.contains(pool))
        .map(|(pool, app)| {
            Finding::warn(format!("app {app} has no pod that is scraped"))
                .evidence([format!("job {pool} finds nothing that its selector and port match")])
                .fix("kubectl obs apps says what is wrong with the entry")
        })
        .collect()
}

fn slow(snapshot: &Snapshot) -> Vec<Finding> {
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for target in targets(snapshot).filter(|target| target["health"] == "up") {
        let took = target["lastScrapeDuration"].as_f64().unwrap_or_default();
        let Some(limit) = milliseconds(text(&target["scrapeTimeout"])) else { continue };
        let limit = Duration::from_millis(limit.unsigned_abs()).as_secs_f64();
        if took > 0.8 * limit {
            let instance = text(&target["labels"]["instance"]);
            lines.entry(pool(target)).or_default().push(format!("{instance}: {took:.1}s of {limit:.0}s"));
        }
    }
    lines
        .into_iter()
        .map(|(job, lines)| {
            Finding::warn(format!("scrapes of job {job} take nearly as long as they may"))
                .about(job)
                .evidence(lines)
                .fix("kubectl obs upgrade --set scrape.timeout=…, scrape.interval=…")
        })
        .collect()
}

fn appended(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(series) = snapshot.series("appended") else { return Vec::new() };
    let rate = series.first().and_then(value);
    match rate {
        // in its first minutes there is no rate
        None => Vec::new(),
        Some(rate) if rate > 0.0 => Vec::new(),
        Some(_) => vec![
            Finding::fail("Prometheus stores no samples")
                .about("prometheus")
                .evidence(["nothing was appended within two minutes".to_owned()])
                .fix("kubectl obs logs prometheus"),
        ],
    }
}

fn twice(snapshot: &Snapshot) -> Vec<Finding> {
    let mut pools: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for target in targets(snapshot) {
        pools.entry(text(&target["scrapeUrl"])).or_default().insert(pool(target));
    }
    let double: Vec<String> = pools
        .into_iter()
        .filter(|(url, pools)| pools.len() > 1 && !url.is_empty())
        .map(|(url, pools)| format!("{url}: jobs {}", pools.into_iter().collect::<Vec<_>>().join(", ")))
        .collect();
    match double.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn(format!("{} scraped by more than one job", are(double.len(), "scrape URL")))
                .evidence(double)
                .fix("remove the annotation prometheus.io/scrape, or the entry of apps:"),
        ],
    }
}

fn state_of_objects(snapshot: &Snapshot) -> Vec<Finding> {
    let (Some(seen), Some(nodes)) = (number(snapshot, "nodes"), snapshot.nodes.answer()) else {
        return Vec::new();
    };
    if !snapshot.has("kube-state-metrics") || begins(snapshot) {
        return Vec::new();
    }
    let all = nodes.iter().filter(|node| !is_young(snapshot, node)).count();
    let unseen = snapshot.series("unseenObjects").into_iter().flatten();
    let unseen: Vec<String> = unseen.map(|series| text(&series["metric"]["resource"]).to_owned()).collect();
    let finding = match seen {
        0 if all > 0 => Finding::fail("kube-state-metrics tells of no node"),
        seen if seen < all => {
            Finding::warn(format!("kube-state-metrics tells of {seen} of {}", count(nodes.len(), "node")))
        }
        _ if !unseen.is_empty() => Finding::warn("kube-state-metrics may not list everything"),
        _ => return Vec::new(),
    };
    let unseen = unseen.into_iter().map(|resource| format!("it cannot list {resource}"));
    vec![finding.about("kube-state-metrics").evidence(unseen).fix("kubectl obs logs kube-state-metrics")]
}

fn node_exporters(snapshot: &Snapshot) -> Vec<Finding> {
    let lacking = lacking_nodes(snapshot, "node-exporter", "nodeExporters");
    let finding = lacking.map(|(up, wanted)| {
        Finding::warn(format!("node-exporter is scraped on {up} of {}", count(wanted, "node")))
            .about("node-exporter")
            .fix("kubectl obs status node-exporter shows its pods")
    });
    finding.into_iter().collect()
}

fn containers(snapshot: &Snapshot) -> Vec<Finding> {
    let scraped =
        targets(snapshot).any(|target| pool(target) == "kubelet-cadvisor" && target["health"] == "up");
    match number(snapshot, "containers") {
        Some(0) if scraped => vec![
            Finding::fail("the kubelets tell of no container")
                .about("kubelet-cadvisor")
                .evidence(["container_cpu_usage_seconds_total has no series".to_owned()])
                .fix("kubectl obs drift shows whether the ClusterRole of Prometheus was changed"),
        ],
        _ => Vec::new(),
    }
}

fn databases(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("databasesDown").into_iter().flatten();
    series
        .map(|series| {
            let component = component_of_job(label(series, "job"));
            let which = match label(series, "database") {
                "" => label(series, "instance"),
                database => database,
            };
            Finding::fail(format!("{component} cannot ask database {which}"))
                .about(component)
                .fix(format!("kubectl obs logs {component}"))
        })
        .collect()
}

fn clock(snapshot: &Snapshot) -> Vec<Finding> {
    let apart =
        replicas(snapshot).filter_map(|one| Some((one, one.clock_ahead.filter(|by| by.abs() > 30.0)?)));
    apart
        .map(|(one, by)| {
            let way = if by > 0.0 { "ahead of" } else { "behind" };
            Finding::warn(format!(
                "the clock of pod {} is {:.0}s {way} that of this machine",
                one.pod,
                by.abs()
            ))
            .about("prometheus")
            .fix("set the clock by NTP, here or on its node")
        })
        .collect()
}
