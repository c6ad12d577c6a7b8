//! A grid: what is changed in the snapshot of a healthy release → what is found, with what follows from it. The
//! healthy one itself finds nothing. Each check that there is has a line.

use serde_json::{Value, json};

/// A component that is not ready, for this cause.
fn ill(value: &mut Value, component: &str, cause: &str) {
    let components = value["status"]["answer"]["components"].as_array_mut().expect("components");
    let one = components.iter_mut().find(|one| one["name"] == component).expect("the component");
    one["state"] = json!("failed");
    one["explanation"] = json!({"cause": cause, "headline": format!("{component} is not ready: {cause}"),
        "short": cause, "evidence": ["the event"], "hint": "do this", "hopeless": true});
}

/// The answer of a query of the first Prometheus.
fn answers(value: &mut Value, query: &str, series: Value) {
    value["prometheus"]["answer"][0]["queries"][query] = json!({"answer": {"result": series}});
}

/// One series.
fn series(labels: Value, number: &str) -> Value {
    json!({"metric": labels, "value": [0, number]})
}

/// The target of a job.
fn target<'v>(value: &'v mut Value, job: &str) -> &'v mut Value {
    let targets = value["prometheus"]["answer"][0]["targets"]["answer"]["activeTargets"].as_array_mut();
    targets.expect("targets").iter_mut().find(|one| one["scrapePool"] == job).expect("the target")
}

fn rule<'v>(value: &'v mut Value, name: &str) -> &'v mut Value {
    let groups = &mut value["prometheus"]["answer"][0]["rules"]["answer"]["groups"];
    let rules = groups[0]["rules"].as_array_mut().expect("rules");
    rules.iter_mut().find(|rule| rule["name"] == name).expect("the rule")
}

/// A node that Prometheus knows nothing of.
fn second_node(value: &mut Value, created: &str) {
    let nodes = value["nodes"]["answer"].as_array_mut().expect("nodes");
    let mut node = nodes[0].clone();
    node["metadata"]["name"] = json!("node-2");
    node["metadata"]["creationTimestamp"] = json!(created);
    nodes.push(node);
}

/// The DaemonSet of a component is meant for so many nodes.
fn meant_for(value: &mut Value, component: &str, nodes: usize) {
    let components = value["status"]["answer"]["components"].as_array_mut().expect("components");
    let one = components.iter_mut().find(|one| one["name"] == component).expect("the component");
    one["ready"] = json!(format!("1/{nodes} nodes"));
}

fn drifted(value: &mut Value, object: Value) {
    value["drift"]["answer"]["objects"] = json!([object]);
}

/// A change of the snapshot.
pub(super) type Change = fn(&mut Value);

/// What is changed, and what is found.
pub(super) const GRID: &[(&str, Change, &str)] = &[
    ("nothing", |_| {}, ""),
    ("no right to forward", |v| v["rights"]["answer"] = json!(["create pods/portforward in o"]), "!PF05"),
    (
        "the namespace goes",
        |v| v["namespaces"]["answer"][0]["status"]["phase"] = json!("Terminating"),
        "✘PF06",
    ),
    (
        "the only node is not ready",
        |v| v["nodes"]["answer"][0]["status"]["conditions"][0]["status"] = json!("Unknown"),
        "✘PF07",
    ),
    (
        "the disk of the node is full",
        |v| {
            let conditions =
                v["nodes"]["answer"][0]["status"]["conditions"].as_array_mut().expect("conditions");
            conditions.push(json!({"type": "DiskPressure", "status": "True"}));
        },
        "!PF07",
    ),
    (
        "two default classes",
        |v| {
            let class = v["storageClasses"]["answer"][0].clone();
            v["storageClasses"]["answer"].as_array_mut().expect("classes").push(class);
        },
        "!PF09",
    ),
    (
        "a webhook without a server",
        |v| v["deadWebhooks"]["answer"] = json!([{"configuration": "validatingwebhookconfiguration/w", "webhook": "w.x", "service": "a/b"}]),
        "✘PF14",
    ),
    (
        "an API that is not available",
        |v| v["apiServices"]["answer"][0]["status"]["conditions"][0]["status"] = json!("False"),
        "!PF21",
    ),
    ("the newest revision failed", |v| v["status"]["answer"]["status"] = json!("failed"), "✘RL01"),
    ("the record is damaged", |v| v["status"]["answer"]["damage"] = json!("it is cut"), "✘RL01"),
    (
        "it failed, for a pod",
        |v| {
            v["status"]["answer"]["status"] = json!("failed");
            ill(v, "alertmanager", "Crash");
        },
        "✘WK04(RL01)",
    ),
    (
        "an interrupted upgrade",
        |v| {
            v["status"]["answer"]["status"] = json!("pending-upgrade");
            v["status"]["answer"]["interrupted"] = json!(true);
        },
        "✘RL02",
    ),
    (
        "an upgrade under way",
        |v| v["status"]["answer"]["holder"] = json!("upgraded by a@b (pid 1) since 3s"),
        "·RL02",
    ),
    (
        "an object is gone",
        |v| {
            drifted(
                v,
                json!({"object": {"kind": "Service", "namespace": "o", "name": "s"}, "missing": true, "foreign": false, "fields": []}),
            );
        },
        "✘RL03",
    ),
    (
        "a field was changed",
        |v| {
            drifted(
                v,
                json!({"object": {"kind": "Service", "namespace": "o", "name": "s"}, "missing": false, "foreign": false, "fields": [{"path": "spec.type", "manager": "kubectl-edit"}]}),
            );
        },
        "!RL04",
    ),
    (
        "an orphan",
        |v| {
            drifted(
                v,
                json!({"object": {"kind": "Service", "namespace": "o", "name": "s"}, "missing": false, "orphan": true, "foreign": false, "fields": []}),
            );
        },
        "!RL05",
    ),
    (
        "a webhook rewrites",
        |v| v["drift"]["answer"]["rewritten"] = json!([{"object": {"kind": "Service", "name": "s"}, "by": ["w"], "fields": [{"path": "metadata.labels"}]}]),
        "·RL06",
    ),
    ("two stacks", |v| v["namesakes"]["answer"] = json!(["release obs in namespace other"]), "!RL11"),
    ("pods may not be made", |v| ill(v, "grafana", "Creation"), "✘WK08"),
    ("no node has room", |v| ill(v, "grafana", "Scheduling"), "✘WK02"),
    (
        "no room, since the node is gone",
        |v| {
            v["nodes"]["answer"][0]["status"]["conditions"][0]["status"] = json!("Unknown");
            ill(v, "grafana", "Scheduling");
            ill(v, "prometheus", "Node");
        },
        "✘PF07(WK02 WK13)",
    ),
    ("an image cannot be pulled", |v| ill(v, "grafana", "Image"), "✘WK03"),
    ("a Secret is missing", |v| ill(v, "grafana", "Config"), "✘WK09"),
    ("killed at the limit", |v| ill(v, "grafana", "Memory"), "✘WK05"),
    (
        "killed yesterday",
        |v| v["pods"]["answer"][0]["status"]["containerStatuses"][0]["lastState"] = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-28T02:00:00Z"}}),
        "!WK05",
    ),
    (
        "killed last week",
        |v| v["pods"]["answer"][0]["status"]["containerStatuses"][0]["lastState"] = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-20T02:00:00Z"}}),
        "",
    ),
    (
        "near its limit",
        |v| answers(v, "memory", json!([series(json!({"pod": "p", "container": "grafana"}), "0.95")])),
        "!WK05",
    ),
    ("a crash", |v| ill(v, "grafana", "Crash"), "✘WK04"),
    ("a probe fails", |v| ill(v, "grafana", "Probe"), "✘WK07"),
    ("evicted", |v| v["pods"]["answer"][0]["status"]["reason"] = json!("Evicted"), "!WK13"),
    (
        "held by a finalizer",
        |v| v["pods"]["answer"][0]["metadata"]["deletionTimestamp"] = json!("2026-11-28T05:00:00Z"),
        "!WK13",
    ),
    ("no load balancer", |v| ill(v, "grafana", "Address"), "✘WK10"),
    ("a rollout that stands still", |v| ill(v, "grafana", "Rollout"), "✘WK01"),
    (
        "many restarts",
        |v| {
            let container = &mut v["pods"]["answer"][0]["status"]["containerStatuses"][0];
            container["restartCount"] = json!(7);
            container["lastState"] = json!({"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": "2026-11-28T05:29:00Z"}});
        },
        "!WK06",
    ),
    (
        "many restarts, of last year",
        |v| v["pods"]["answer"][0]["status"]["containerStatuses"][0]["restartCount"] = json!(7),
        "",
    ),
    ("a claim is not bound", |v| ill(v, "prometheus", "Claim"), "✘ST01"),
    ("a lost volume", |v| v["claims"]["answer"][0]["status"]["phase"] = json!("Lost"), "✘ST01"),
    (
        "a volume at 85 %",
        |v| answers(v, "volumes", json!([series(json!({"persistentvolumeclaim": "data-0"}), "0.85")])),
        "!ST02",
    ),
    (
        "a full volume, so that no sample is stored",
        |v| {
            answers(v, "volumes", json!([series(json!({"persistentvolumeclaim": "data-0"}), "0.99")]));
            answers(v, "appended", json!([series(json!({}), "0")]));
        },
        "✘ST02(MX10)",
    ),
    (
        "no inodes left",
        |v| answers(v, "inodes", json!([series(json!({"persistentvolumeclaim": "data-0"}), "0.97")])),
        "✘ST02",
    ),
    (
        "a volume that fills",
        |v| answers(v, "filling", json!([series(json!({"persistentvolumeclaim": "data-0"}), "-1")])),
        "!ST03",
    ),
    (
        "kept by time alone",
        |v| v["prometheus"]["answer"][0]["runtime"]["answer"]["storageRetention"] = json!("15d"),
        "!ST04",
    ),
    (
        "a volume that did not grow",
        |v| {
            v["claims"]["answer"][0]["status"]["conditions"] =
                json!([{"type": "FileSystemResizePending", "status": "True"}]);
        },
        "!ST06",
    ),
    (
        "Prometheus crashes",
        |v| {
            ill(v, "prometheus", "Crash");
            v["prometheus"] = json!({"unknown": "prometheus has no ready pod"});
        },
        "✘WK04(MX01)",
    ),
    (
        "Prometheus is silent",
        |v| v["prometheus"]["answer"][0]["targets"] = json!({"unknown": "no answer within 10s"}),
        "✘MX01",
    ),
    (
        "a refused configuration",
        |v| v["prometheus"]["answer"][0]["runtime"]["answer"]["reloadConfigSuccess"] = json!(false),
        "✘MX02",
    ),
    (
        "a corrupt log",
        |v| v["prometheus"]["answer"][0]["runtime"]["answer"]["corruptionCount"] = json!(2),
        "!MX03",
    ),
    (
        "a job without a target",
        |v| {
            let targets = v["prometheus"]["answer"][0]["targets"]["answer"]["activeTargets"].as_array_mut();
            targets.expect("targets").retain(|one| one["scrapePool"] != "grafana");
        },
        "✘MX04",
    ),
    (
        "a target of the stack is down",
        |v| {
            let down = target(v, "grafana");
            down["health"] = json!("down");
            down["lastError"] = json!(
                "Get \"http://10.0.0.1:3000/metrics\": dial tcp 10.0.0.1:3000: connect: connection refused"
            );
        },
        "✘MX05",
    ),
    (
        "a target of a user is down",
        |v| {
            let down = target(v, "app-shop");
            down["health"] = json!("down");
            down["lastError"] = json!("server returned HTTP status 404 Not Found");
        },
        "!MX05",
    ),
    (
        "down, since its pod crashes",
        |v| {
            ill(v, "grafana", "Crash");
            v["grafana"] = json!({"unknown": "grafana has no ready pod"});
            target(v, "grafana")["health"] = json!("down");
        },
        "✘WK04(MX05 GF01)",
    ),
    (
        "an app that matches nothing",
        |v| {
            let targets = v["prometheus"]["answer"][0]["targets"]["answer"]["activeTargets"].as_array_mut();
            targets.expect("targets").retain(|one| one["scrapePool"] != "app-shop");
        },
        "!MX06",
    ),
    ("a slow scrape", |v| target(v, "grafana")["lastScrapeDuration"] = json!(9.1), "!MX08"),
    ("no sample", |v| answers(v, "appended", json!([series(json!({}), "0")])), "✘MX10"),
    ("no rate yet", |v| answers(v, "appended", json!([])), ""),
    (
        "scraped twice",
        |v| {
            let url = target(v, "grafana")["scrapeUrl"].clone();
            target(v, "app-shop")["scrapeUrl"] = url;
        },
        "!MX12",
    ),
    ("no state of objects", |v| answers(v, "nodes", json!([])), "✘MX13"),
    (
        "kube-state-metrics may not list",
        |v| answers(v, "unseenObjects", json!([series(json!({"resource": "*v1.Pod"}), "3")])),
        "!MX13",
    ),
    ("a node without exporter", |v| answers(v, "nodeExporters", json!([])), "!MX14"),
    ("no containers", |v| answers(v, "containers", json!([])), "✘MX15"),
    (
        "a database refuses",
        |v| {
            answers(
                v,
                "databasesDown",
                json!([series(json!({"job": "postgres", "database": "orders"}), "0")]),
            );
        },
        "✘MX16",
    ),
    ("clocks apart", |v| v["prometheus"]["answer"][0]["clockAhead"] = json!(-300.0), "!MX21"),
    ("no rules", |v| v["prometheus"]["answer"][0]["rules"]["answer"]["groups"] = json!([]), "✘RA01"),
    (
        "a rule that fails",
        |v| {
            let broken = rule(v, "record");
            broken["health"] = json!("err");
            broken["lastError"] = json!("many-to-many matching not allowed");
        },
        "✘RA02",
    ),
    (
        "missed evaluations",
        |v| answers(v, "missed", json!([series(json!({"rule_group": "g"}), "3")])),
        "!RA03",
    ),
    (
        "Watchdog is quiet",
        |v| {
            let watchdog = rule(v, "Watchdog");
            watchdog["state"] = json!("inactive");
            watchdog["alerts"] = json!([]);
        },
        "✘RA06",
    ),
    (
        "Watchdog was not evaluated yet",
        |v| {
            let watchdog = rule(v, "Watchdog");
            watchdog["state"] = json!("inactive");
            watchdog["health"] = json!("unknown");
            watchdog["alerts"] = json!([]);
        },
        "",
    ),
    (
        "a critical alert",
        |v| rule(v, "Watchdog")["alerts"][0]["labels"]["severity"] = json!("critical"),
        "·RA07",
    ),
    (
        "Alertmanager is silent",
        |v| {
            v["alertmanager"]["answer"]["replicas"]["obs-alertmanager-0"] =
                json!({"unknown": "no answer within 10s"});
        },
        "✘NT01",
    ),
    (
        "Alertmanager has no room",
        |v| {
            ill(v, "alertmanager", "Scheduling");
            v["alertmanager"] = json!({"unknown": "alertmanager has no ready pod"});
        },
        "✘WK02(NT01)",
    ),
    (
        "islands",
        |v| {
            let one = v["alertmanager"]["answer"]["replicas"]["obs-alertmanager-0"].clone();
            v["alertmanager"]["answer"]["replicas"]["obs-alertmanager-1"] = one;
            let known = &mut v["prometheus"]["answer"][0]["alertmanagers"]["answer"]["activeAlertmanagers"];
            *known = json!([{"url": "a"}, {"url": "b"}]);
        },
        "✘NT11",
    ),
    (
        "no Alertmanager is known",
        |v| v["prometheus"]["answer"][0]["alertmanagers"]["answer"]["activeAlertmanagers"] = json!([]),
        "✘NT02",
    ),
    ("alerts are lost", |v| answers(v, "dropped", json!([series(json!({}), "3")])), "!NT02"),
    (
        "Alertmanager refuses its configuration",
        |v| answers(v, "alertmanagerConfig", json!([series(json!({"instance": "a"}), "0")])),
        "✘NT03",
    ),
    ("two configurations", |v| answers(v, "alertmanagerConfigs", json!([series(json!({}), "2")])), "!NT03"),
    ("nobody is told", |v| v["alertmanager"]["answer"]["receivers"]["answer"] = json!([]), "!NT04"),
    (
        "a receiver refuses",
        |v| {
            answers(
                v,
                "messagesFailed",
                json!([series(json!({"integration": "slack", "reason": "authError"}), "2")]),
            );
        },
        "✘NT06",
    ),
    (
        "a silence over everything",
        |v| v["alertmanager"]["answer"]["silences"]["answer"] = json!([{"id": "1", "status": {"state": "active"}, "endsAt": "2026-11-28T06:00:00Z", "matchers": [{"name": "alertname", "value": ".+", "isRegex": true, "isEqual": true}]}]),
        "!NT08",
    ),
    (
        "a silence that is over",
        |v| {
            v["alertmanager"]["answer"]["silences"]["answer"] =
                json!([{"id": "1", "status": {"state": "expired"}, "matchers": []}]);
        },
        "",
    ),
    ("alerts do not arrive", |v| v["alertmanager"]["answer"]["alerts"]["answer"] = json!([]), "✘NT10"),
    (
        "the database of Grafana is locked",
        |v| v["grafana"]["answer"]["health"]["answer"]["database"] = json!("failing"),
        "✘GF01",
    ),
    ("another password", |v| v["grafana"]["answer"]["login"] = json!({"answer": 401}), "!GF02"),
    (
        "a missing datasource",
        |v| {
            v["grafana"]["answer"]["datasources"]["answer"] =
                json!([{"uid": "p", "name": "Prometheus", "type": "prometheus"}]);
        },
        "✘GF03",
    ),
    (
        "a datasource that fails",
        |v| {
            v["grafana"]["answer"]["datasourceHealth"]["p"] =
                json!({"answer": {"status": "ERROR", "message": "refused"}});
        },
        "✘GF04",
    ),
    ("a missing dashboard", |v| v["grafana"]["answer"]["expectedDashboards"] = json!(["a", "b"]), "!GF06"),
    ("an old Kubernetes", |v| v["version"]["answer"] = json!("v1.29.14-eks-1"), "✘PF02"),
    ("no DNS", |v| v["dns"]["answer"] = json!(false), "✘PF16"),
    (
        "Prometheus may not discover",
        |v| answers(v, "undiscovered", json!([series(json!({}), "12")])),
        "✘MX07",
    ),
    ("over a limit", |v| answers(v, "limited", json!([series(json!({"limit": "samples"}), "3")])), "!MX09"),
    ("doubles", |v| answers(v, "doubled", json!([series(json!({"kind": "the same time"}), "0.5")])), "!MX11"),
    (
        "doubles, since it is scraped twice",
        |v| {
            let url = target(v, "grafana")["scrapeUrl"].clone();
            target(v, "app-shop")["scrapeUrl"] = url;
            answers(v, "doubled", json!([series(json!({"kind": "the same time"}), "0.5")]));
        },
        "!MX12(MX11)",
    ),
    (
        "a half-asked database",
        |v| answers(v, "halfAsked", json!([series(json!({"job": "postgres", "database": "orders"}), "1")])),
        "!MX17",
    ),
    (
        "a remote store that refuses",
        |v| {
            answers(
                v,
                "unsent",
                json!([series(
                    json!({"remote_name": "r", "url": "https://x/y", "kind": "samples are refused"}),
                    "4"
                )]),
            );
        },
        "✘MX19",
    ),
    ("many questions", |v| answers(v, "busy", json!([series(json!({}), "0.95")])), "·MX20"),
    ("an alert without severity", |v| rule(v, "Watchdog")["labels"] = json!({}), "!RA08"),
    (
        "critical alerts to nobody",
        |v| v["alertmanager"]["answer"]["routes"]["answer"]["critical"] = json!(["null"]),
        "!NT05",
    ),
    ("nodes without fluentd", |v| answers(v, "logNodes", json!([])), "✘LG01"),
    (
        "a node that fluentd and node-exporter are not meant for",
        |v| {
            second_node(v, "2026-11-28T05:00:00Z");
            answers(v, "nodes", json!([series(json!({}), "2")]));
        },
        "",
    ),
    (
        "a second node that is not scraped",
        |v| {
            second_node(v, "2026-11-28T05:00:00Z");
            meant_for(v, "fluentd", 2);
            meant_for(v, "node-exporter", 2);
        },
        "✘LG01 !MX13 !MX14",
    ),
    (
        "a node since a minute",
        |v| {
            second_node(v, "2026-11-28T05:29:00Z");
            meant_for(v, "fluentd", 2);
            meant_for(v, "node-exporter", 2);
        },
        "",
    ),
    (
        "the pod of fluentd is replaced",
        |v| {
            let pod = json!({"metadata": {"name": "f", "namespace": "o", "creationTimestamp": "2026-11-28T05:29:30Z",
                "labels": {"kubectl-obs.dev/component": "fluentd"}}, "status": {"phase": "Running"}});
            v["pods"]["answer"].as_array_mut().expect("pods").push(pod);
            answers(v, "logNodes", json!([]));
        },
        "",
    ),
    (
        "Prometheus started a minute ago, and its memory is empty",
        |v| {
            v["prometheus"]["answer"][0]["runtime"]["answer"]["startTime"] = json!("2026-11-28T05:29:00Z");
            for query in ["logNodes", "nodeExporters", "nodes"] {
                answers(v, query, json!([]));
            }
        },
        "",
    ),
    (
        "files that may not be read",
        |v| answers(v, "unreadable", json!([series(json!({"node": "node-1"}), "3")])),
        "✘LG03",
    ),
    (
        "a store that does not take lines",
        |v| {
            answers(
                v,
                "retried",
                json!([series(json!({"node": "node-1", "store": "loki", "reason": "429"}), "3")]),
            );
        },
        "✘LG08",
    ),
    (
        "a full buffer, since a store does not take lines",
        |v| {
            answers(
                v,
                "retried",
                json!([series(json!({"node": "node-1", "store": "loki", "reason": "refused"}), "3")]),
            );
            answers(v, "paused", json!([series(json!({"node": "node-1", "store": "loki"}), "1")]));
            answers(v, "lost", json!([series(json!({"node": "node-1"}), "1")]));
        },
        "✘LG08(LG07 LG09)",
    ),
    (
        "a buffer that fills",
        |v| answers(v, "fillingBuffers", json!([series(json!({"node": "node-1", "store": "loki"}), "0.9")])),
        "!LG07",
    ),
    ("lost lines", |v| answers(v, "lost", json!([series(json!({"node": "node-1"}), "2")])), "✘LG09"),
    (
        "refused records",
        |v| {
            answers(
                v,
                "refused",
                json!([series(
                    json!({"node": "node-1", "store": "elasticsearch", "reason": "mapping"}),
                    "2"
                )]),
            );
        },
        "✘LG10",
    ),
    (
        "pods that are not known",
        |v| answers(v, "strangers", json!([series(json!({"node": "node-1"}), "0")])),
        "!LG13",
    ),
    ("behind", |v| answers(v, "behind", json!([series(json!({"node": "node-1"}), "9e7")])), "!LG14"),
    ("Loki gets nothing", |v| answers(v, "received", json!([series(json!({}), "0")])), "✘LG18"),
    ("Loki has no rate yet", |v| answers(v, "received", json!([])), ""),
    (
        "Loki discards",
        |v| answers(v, "discarded", json!([series(json!({"reason": "rate_limited"}), "20")])),
        "✘LG19",
    ),
    (
        "Loki cannot write",
        |v| answers(v, "unwritten", json!([series(json!({"instance": "obs-loki-0"}), "1")])),
        "✘LG22",
    ),
    (
        "red",
        |v| {
            answers(
                v,
                "documentsHealth",
                json!([series(json!({"job": "elasticsearch", "color": "red"}), "1")]),
            );
        },
        "✘LG23",
    ),
    (
        "yellow",
        |v| {
            answers(
                v,
                "documentsHealth",
                json!([series(json!({"job": "elasticsearch", "color": "yellow"}), "1")]),
            );
        },
        "!LG23",
    ),
    (
        "read-only, since its disk is full",
        |v| {
            answers(v, "readOnly", json!([series(json!({"job": "elasticsearch"}), "2")]));
            answers(
                v,
                "documentsDisk",
                json!([series(json!({"job": "elasticsearch", "name": "n"}), "0.04")]),
            );
        },
        "✘LG24(LG25)",
    ),
    (
        "little disk",
        |v| {
            answers(
                v,
                "documentsDisk",
                json!([series(json!({"job": "elasticsearch", "name": "n"}), "0.12")]),
            );
        },
        "!LG25",
    ),
    (
        "overrun",
        |v| answers(v, "overrun", json!([series(json!({"job": "elasticsearch", "name": "n"}), "8")])),
        "!LG29",
    ),
    (
        "a namespace that fell silent",
        |v| answers(v, "quiet", json!([series(json!({"source_namespace": "shop"}), "0.4")])),
        "!LG34",
    ),
    (
        "no logs are collected, and nothing is said of them",
        |v| {
            v["components"] =
                json!(["alertmanager", "grafana", "kube-state-metrics", "node-exporter", "prometheus"]);
            answers(v, "logNodes", json!([]));
            answers(v, "received", json!([series(json!({}), "0")]));
        },
        "",
    ),
    ("a weak password", |v| v["grafana"]["answer"]["weakPassword"]["answer"] = json!(true), "✘SC01"),
    ("a port on every node", |v| v["services"]["answer"][0]["spec"]["type"] = json!("NodePort"), "!SC02"),
    ("an Ingress in the open", |v| v["services"]["answer"][1]["spec"]["tls"] = json!([]), "!SC02"),
    (
        "the admin API",
        |v| v["prometheus"]["answer"][0]["flags"]["answer"]["web.enable-admin-api"] = json!("true"),
        "!SC03",
    ),
    (
        "an administrator",
        |v| v["admins"]["answer"] = json!(["o/obs-prometheus by clusterrolebinding x"]),
        "!SC06",
    ),
    ("anybody is administrator", |v| v["grafana"]["answer"]["anonymous"]["answer"] = json!("admin"), "✘SC08"),
    ("anybody may look", |v| v["grafana"]["answer"]["anonymous"]["answer"] = json!("viewer"), "·SC08"),
    (
        "an image without a version",
        |v| {
            v["pods"]["answer"][0]["status"]["containerStatuses"][0]["image"] =
                json!("registry:5000/prometheus");
        },
        "!SC09",
    ),
];
