//! Which running pods expose metrics and are not scraped, and the values that would change it. Pure:
//! over pods, Services, monitors of the Prometheus operator, and the targets that there are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::images::{self, How};
use super::monitors;
use super::pods::{annotation, annotation_faults, containers, is_part, list, named_port, text, workload};
use crate::object::labels;

/// A pod that is younger may not have been found yet.
const YOUNG_SECONDS: i64 = 15;
/// Labels that differ between the pods of a workload, or between its versions.
const PASSING: [&str; 8] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
];

/// What is looked at.
#[derive(Debug, Default)]
pub struct Seen {
    /// Pods.
    pub pods: Vec<Value>,
    /// Services.
    pub services: Vec<Value>,
    /// Metadata of Deployments, StatefulSets and DaemonSets.
    pub workloads: Vec<Value>,
    /// ServiceMonitors and PodMonitors.
    pub monitors: Vec<Value>,
    /// The Prometheus objects of an operator, which read them.
    pub readers: Vec<Value>,
    /// Namespace and name of the pods that are scraped.
    pub scraped: BTreeSet<(String, String)>,
    /// The Secrets in the release's namespace.
    pub secrets: BTreeSet<String>,
    /// The release's values.
    pub values: Value,
    /// Does the release take values of the stack's exporters?
    pub exporters: bool,
}

/// Pods of one workload that expose metrics and are not scraped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unwatched {
    /// Their namespace.
    pub namespace: String,
    /// What runs them.
    pub workload: String,
    /// How many there are.
    pub pods: usize,
    /// How that is known, and what is wrong.
    pub signs: Vec<String>,
    /// The list in the values that an entry would go to; absent where no value helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<&'static str>,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Value>,
    /// The Secret that has to be made before the entry works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_secret: Option<String>,
    /// What else has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The lists of values that entries go to.
pub const APPS: &str = "apps";
/// PostgreSQL servers.
pub const POSTGRES: &str = "postgresExporter.databases";
/// Redis servers.
pub const REDIS: &str = "redisExporter.databases";

/// All of them, by namespace and workload.
pub fn unwatched(seen: &Seen, now: Timestamp) -> Vec<Unwatched> {
    let mut groups: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    for pod in seen.pods.iter().filter(|pod| seen.is_meant(pod, now)) {
        if let Some(workload) = workload(pod) {
            groups.entry((text(&pod["metadata"]["namespace"]), workload)).or_default().push(pod);
        }
    }
    let mut names: BTreeSet<String> = list(&seen.values["apps"]).map(|app| text(&app["name"])).collect();
    let monitored = monitors::unread(seen);
    let found = groups.iter().filter_map(|((namespace, workload), pods)| {
        let pod = pods.first()?;
        let endpoint =
            monitored.iter().find(|monitored| monitored.takes(pod)).map(|monitored| &monitored.endpoint);
        let sign = seen.sign(pod, endpoint)?;
        let mut found = Unwatched {
            namespace: namespace.clone(),
            workload: workload.clone(),
            pods: pods.len(),
            signs: sign.words,
            list: None,
            entry: None,
            needs_secret: None,
            advice: sign.advice,
        };
        match sign.how {
            Some(Way::App(endpoint)) => {
                let selector = seen.selector(pod, workload);
                let name = free_name(workload, namespace, &names);
                names.insert(name.clone());
                found.list = Some(APPS);
                found.entry = Some(endpoint.entry(&name, namespace, &selector));
            }
            Some(Way::Database(kind, host)) => {
                found.list = Some(kind);
                let entry = database(kind, workload, namespace, &host);
                let secret = text(&entry["secret"]["name"]);
                found.needs_secret = Some(secret).filter(|name| !seen.secrets.contains(name));
                found.entry = Some(entry);
            }
            None => {}
        }
        Some(found)
    });
    found.collect()
}

/// Where metrics are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// A number, or the name of a container's port.
    pub port: Value,
    /// The path; `/metrics` where it is not said.
    pub path: Option<String>,
    /// The scheme; http where it is not said.
    pub scheme: Option<String>,
    /// How that is known.
    pub sign: String,
}

impl Endpoint {
    fn entry(&self, name: &str, namespace: &str, selector: &Map<String, Value>) -> Value {
        let mut entry =
            json!({"name": name, "namespace": namespace, "selector": selector, "port": self.port});
        // what is no path in the values is none in an annotation either
        let is_path = |path: &&str| path.starts_with('/') && !path.contains([' ', '?']);
        if let Some(path) = self.path.as_deref().filter(is_path).filter(|path| *path != "/metrics") {
            entry["path"] = path.into();
        }
        if let Some(scheme) = self.scheme.as_deref().filter(|scheme| *scheme == "https") {
            entry["scheme"] = scheme.into();
        }
        entry
    }
}

enum Way {
    App(Endpoint),
    Database(&'static str, String),
}

/// What shows that a pod can be watched.
struct Sign {
    words: Vec<String>,
    how: Option<Way>,
    advice: Option<String>,
}

impl Seen {
    /// Runs long enough, is not scraped, not ours, not an app's, and not excluded by its owner.
    fn is_meant(&self, pod: &Value, now: Timestamp) -> bool {
        let meta = &pod["metadata"];
        let key = (text(&meta["namespace"]), text(&meta["name"]));
        let started = pod["status"]["startTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        let young = started.is_none_or(|time| now.as_second() - time.as_second() < YOUNG_SECONDS);
        let claimed = || {
            list(&self.values["apps"]).any(|app| {
                app["namespace"] == meta["namespace"] && is_part(&app["selector"], &meta["labels"])
            })
        };
        pod["status"]["phase"] == "Running"
            && meta["deletionTimestamp"].is_null()
            && meta["labels"][labels::RELEASE].is_null()
            && annotation(pod, "scrape") != Some("false")
            && !young
            && !self.scraped.contains(&key)
            && !claimed()
    }

    /// The best sign that there is, with what others add.
    fn sign(&self, pod: &Value, monitored: Option<&Endpoint>) -> Option<Sign> {
        let mut faults = annotation_faults(pod);
        faults.extend(self.faults_around(pod));
        let named = named_port(pod);
        let declared = || containers(pod).flat_map(|container| list(&container["ports"])).next();
        let known = containers(pod).find_map(|container| images::known(container["image"].as_str()?));
        let exporter =
            containers(pod).filter_map(|c| c["image"].as_str()).find(|image| images::is_exporter(image));
        let by_annotation = || {
            let port: u16 = annotation(pod, "port")?.trim().parse().ok()?;
            let path = annotation(pod, "path").map(str::to_owned);
            let scheme = annotation(pod, "scheme").map(str::to_owned);
            Some(Endpoint { port: port.into(), path, scheme, sign: String::new() })
        };
        let with = |endpoint: Endpoint, mut words: Vec<String>| {
            if !endpoint.sign.is_empty() {
                words.push(endpoint.sign.clone());
            }
            Some(Sign { words, how: Some(Way::App(endpoint)), advice: None })
        };
        if let Some(endpoint) = monitored {
            return with(endpoint.clone(), faults);
        }
        if !faults.is_empty() {
            let only =
                || Some(Endpoint { port: declared()?["containerPort"].clone(), ..Endpoint::default() });
            return match by_annotation().or_else(|| named.clone()).or_else(only) {
                Some(endpoint) => with(Endpoint { sign: String::new(), ..endpoint }, faults),
                None => Some(Sign {
                    words: faults,
                    how: None,
                    advice: Some("say at which port its metrics are: annotation prometheus.io/port".into()),
                }),
            };
        }
        if let Some(endpoint) = named {
            return with(endpoint, Vec::new());
        }
        if let Some(image) = exporter {
            let port = declared()?["containerPort"].clone();
            return with(
                Endpoint { port, sign: format!("image {image}"), ..Endpoint::default() },
                Vec::new(),
            );
        }
        let (program, how) = known?;
        let words = vec![format!("image {program}")];
        match how {
            How::Itself { port, path, note } => {
                let note = if note.is_empty() { String::new() } else { format!(", {note}") };
                let sign = format!("image {program}{note}");
                with(Endpoint { port: port.into(), path: Some(path.into()), scheme: None, sign }, Vec::new())
            }
            How::Beside(exporter) => Some(Sign {
                words,
                how: None,
                advice: Some(format!("run {exporter} beside it in the pod, at a port named metrics")),
            }),
            How::Postgres => self.database(pod, POSTGRES, words),
            How::Redis => self.database(pod, REDIS, words),
        }
    }

    /// Annotations that ask for scraping where nobody looks for them.
    pub fn faults_around(&self, pod: &Value) -> Vec<String> {
        let namespace = &pod["metadata"]["namespace"];
        let own = workload(pod);
        let misplaced = self.workloads.iter().filter(|workload| {
            let meta = &workload["metadata"];
            meta["namespace"] == *namespace
                && meta["name"].as_str() == own.as_deref()
                && annotation(workload, "scrape").is_some_and(|scrape| scrape != "false")
                && annotation(pod, "scrape").is_none()
        });
        let misplaced = misplaced.map(|workload| {
            let kind = workload["kind"].as_str().unwrap_or_default();
            format!("annotation prometheus.io/scrape is on the {kind}; it belongs in its pod template")
        });
        let services = self.services.iter().filter(|service| is_service_of(service, pod));
        let unread = services.filter_map(|service| {
            let scrape =
                annotation(service, "scrape").filter(|scrape| !matches!(*scrape, "true" | "false"))?;
            let name = service["metadata"]["name"].as_str().unwrap_or_default();
            Some(format!(
                "annotation prometheus.io/scrape of Service {name} is \"{scrape}\"; only \"true\" counts"
            ))
        });
        misplaced.chain(unread).collect()
    }

    /// A database behind a Service that no exporter asks yet.
    fn database(&self, pod: &Value, kind: &'static str, words: Vec<String>) -> Option<Sign> {
        let namespace = text(&pod["metadata"]["namespace"]);
        let services = self.services.iter().filter(|service| is_service_of(service, pod));
        let services: Vec<String> = services.map(|service| text(&service["metadata"]["name"])).collect();
        let component = kind.split('.').next().unwrap_or_default();
        let asked = list(&self.values[component]["databases"]).map(|database| text(&database["host"]));
        let is_asked = |host: String| {
            let mut parts = host.split('.');
            let name = parts.next().unwrap_or_default();
            services.iter().any(|service| service == name) && parts.next().is_none_or(|of| of == namespace)
        };
        if asked.into_iter().any(is_asked) {
            return None;
        }
        // one that gives each pod a name of its own is for the servers among themselves
        let service = services.iter().find(|name| !name.ends_with("-headless")).or(services.first());
        match service {
            _ if !self.exporters => Some(Sign {
                words,
                how: None,
                advice: Some("the bundle stack has an exporter for it; this release has not".into()),
            }),
            Some(service) => {
                let how = Some(Way::Database(kind, format!("{service}.{namespace}.svc")));
                Some(Sign { words, how, advice: None })
            }
            None => Some(Sign {
                words,
                how: None,
                advice: Some("make a Service for it: the exporter needs a name to ask".into()),
            }),
        }
    }

    /// Labels that select the pods of a workload and no others: the usual ones, if they do.
    fn selector(&self, pod: &Value, of: &str) -> Map<String, Value> {
        let all = pod["metadata"]["labels"].as_object().cloned().unwrap_or_default();
        let all: Map<String, Value> =
            all.into_iter().filter(|(name, _)| !PASSING.contains(&name.as_str())).collect();
        let usual: [&[&str]; 4] = [
            &["app.kubernetes.io/name"],
            &["app"],
            &["k8s-app"],
            &["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"],
        ];
        let pick = |names: &[&str]| -> Map<String, Value> {
            names.iter().filter_map(|name| Some(((*name).to_owned(), all.get(*name)?.clone()))).collect()
        };
        let namespace = &pod["metadata"]["namespace"];
        let alone = |selector: &Map<String, Value>| {
            let selector = Value::Object(selector.clone());
            let same = |other: &&Value| {
                other["metadata"]["namespace"] == *namespace
                    && is_part(&selector, &other["metadata"]["labels"])
            };
            self.pods.iter().filter(same).all(|other| workload(other).as_deref() == Some(of))
        };
        usual.into_iter().map(pick).find(|labels| !labels.is_empty() && alone(labels)).unwrap_or(all)
    }
}

/// Does a Service lead to a pod?
pub fn is_service_of(service: &Value, pod: &Value) -> bool {
    let selector = &service["spec"]["selector"];
    service["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selector.as_object().is_some_and(|labels| !labels.is_empty())
        && is_part(selector, &pod["metadata"]["labels"])
}

fn database(kind: &str, workload: &str, namespace: &str, host: &str) -> Value {
    let secret = format!("{namespace}-{workload}-obs");
    match kind {
        POSTGRES => json!({"name": format!("{namespace}-{workload}"), "host": host,
            "secret": {"name": secret, "usernameKey": "username", "passwordKey": "password"}}),
        _ => json!({"name": format!("{namespace}-{workload}"), "host": host,
            "secret": {"name": secret, "passwordKey": "password"}}),
    }
}

/// A name that no other app has, of letters that the schema takes.
fn free_name(workload: &str, namespace: &str, taken: &BTreeSet<String>) -> String {
    let plain = |name: &str| {
        let name: String = name.to_ascii_lowercase().replace(['.', '_'], "-").chars().take(50).collect();
        name.trim_matches('-').to_owned()
    };
    let candidates = [plain(workload), plain(&format!("{namespace}-{workload}"))];
    let numbered =
        (2..).map(|number| format!("{}-{number}", plain(&workload.chars().take(40).collect::<String>())));
    let mut all = candidates.into_iter().chain(numbered);
    all.find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-27T12:00:00Z".parse().unwrap()
    }

    fn pod(name: &str, annotations: &Value, image: &str, ports: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": format!("{name}-5d-x"), "annotations": annotations,
                "labels": {"app": name, "pod-template-hash": "5d"},
                "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": format!("{name}-5d")}]},
            "spec": {"containers": [{"image": image, "ports": ports}]},
            "status": {"phase": "Running", "startTime": "2026-11-27T11:00:00Z"}})
    }

    fn service(name: &str, app: &str) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name}, "spec": {"selector": {"app": app}}})
    }

    fn found(seen: &Seen) -> Vec<(String, Vec<String>, Option<Value>)> {
        unwatched(seen, now()).into_iter().map(|one| (one.workload, one.signs, one.entry)).collect()
    }

    #[test]
    fn what_serves_metrics_gets_an_entry() {
        let web = json!([{"name": "http", "containerPort": 80}]);
        let metrics =
            json!([{"name": "http", "containerPort": 80}, {"name": "http-metrics", "containerPort": 81}]);
        let seen = Seen {
            pods: vec![
                pod("billing", &Value::Null, "billing:1", &metrics),
                pod(
                    "wrong",
                    &json!({"prometheus.io/scrape": "True", "prometheus.io/port": "9000", "prometheus.io/path": "/m"}),
                    "w:1",
                    &web,
                ),
                pod(
                    "named",
                    &json!({"prometheus.io/scrape": "true", "prometheus.io/port": "http"}),
                    "w:1",
                    &web,
                ),
                pod("unknown", &json!({"prometheus.io/scrape": "true"}), "w:1", &json!([])),
                pod("queue", &Value::Null, "rabbitmq:4", &web),
                pod("plain", &Value::Null, "plain:1", &web),
                pod("off", &json!({"prometheus.io/scrape": "false"}), "w:1", &metrics),
            ],
            ..Seen::default()
        };
        let app = |name: &str, port: Value| json!({"name": name, "namespace": "shop", "selector": {"app": name}, "port": port});
        let mut wrong = app("wrong", 9000.into());
        wrong["path"] = "/m".into();
        let said = |text: &str| vec![text.to_owned()];
        assert_eq!(
            found(&seen),
            [
                (
                    "billing".into(),
                    said("port \"http-metrics\""),
                    Some(app("billing", "http-metrics".into()))
                ),
                (
                    "named".into(),
                    said("annotation prometheus.io/port is \"http\"; it takes numbers"),
                    Some(app("named", 80.into()))
                ),
                (
                    "queue".into(),
                    said("image rabbitmq, with the plugin rabbitmq_prometheus"),
                    Some(app("queue", 15692.into()))
                ),
                (
                    "unknown".into(),
                    said("annotation prometheus.io/port is missing, and no port of it is named metrics"),
                    None
                ),
                (
                    "wrong".into(),
                    said("annotation prometheus.io/scrape is \"True\"; only \"true\" counts"),
                    Some(wrong)
                ),
            ]
        );
    }

    #[test]
    fn annotations_that_nobody_reads_are_named() {
        let web = json!([{"name": "http", "containerPort": 80}]);
        let annotated = |kind: &str, name: &str, scrape: &str| json!({"kind": kind, "metadata": {"namespace": "shop", "name": name, "annotations": {"prometheus.io/scrape": scrape}}});
        let mut service = service("web", "web");
        service["metadata"]["annotations"] = json!({"prometheus.io/scrape": "yes"});
        let seen = Seen {
            pods: ["api", "web", "other"].iter().map(|name| pod(name, &Value::Null, "x:1", &web)).collect(),
            services: vec![service],
            workloads: vec![
                annotated("Deployment", "api", "true"),
                annotated("Deployment", "other", "false"),
            ],
            ..Seen::default()
        };
        let all = found(&seen);
        let signs: Vec<(&str, &str)> =
            all.iter().map(|(name, signs, _)| (name.as_str(), signs[0].as_str())).collect();
        assert_eq!(
            signs,
            [
                (
                    "api",
                    "annotation prometheus.io/scrape is on the Deployment; it belongs in its pod template"
                ),
                ("web", "annotation prometheus.io/scrape of Service web is \"yes\"; only \"true\" counts"),
            ]
        );
        assert_eq!(all[0].2.as_ref().unwrap()["port"], 80);
    }

    #[test]
    fn what_is_scraped_ours_young_or_an_apps_is_left_out() {
        let metrics = json!([{"name": "metrics", "containerPort": 81}]);
        let mut pods: Vec<Value> = ["scraped", "ours", "young", "app", "gone"]
            .iter()
            .map(|name| pod(name, &Value::Null, "x:1", &metrics))
            .collect();
        pods[1]["metadata"]["labels"][labels::RELEASE] = "obs".into();
        pods[2]["status"]["startTime"] = "2026-11-27T11:59:50Z".into();
        pods[4]["status"]["phase"] = "Succeeded".into();
        let seen = Seen {
            pods,
            scraped: [("shop".to_owned(), "scraped-5d-x".to_owned())].into(),
            values: json!({"apps": [{"name": "a", "namespace": "shop", "selector": {"app": "app"}}]}),
            ..Seen::default()
        };
        assert_eq!(found(&seen), []);
    }

    #[test]
    fn databases_are_asked_by_the_stacks_exporters() {
        let mut seen = Seen {
            pods: vec![
                pod("db", &Value::Null, "postgres:16", &Value::Null),
                pod("cache", &Value::Null, "redis:7", &Value::Null),
                pod("web", &Value::Null, "nginx:1", &Value::Null),
                pod("lone", &Value::Null, "valkey/valkey:8", &Value::Null),
            ],
            services: vec![service("db-headless", "db"), service("db", "db"), service("cache", "cache")],
            exporters: true,
            secrets: ["shop-cache-obs".to_owned()].into(),
            ..Seen::default()
        };
        let all = unwatched(&seen, now());
        let lists: Vec<_> = all.iter().map(|one| (one.workload.as_str(), one.list)).collect();
        assert_eq!(lists, [("cache", Some(REDIS)), ("db", Some(POSTGRES)), ("lone", None), ("web", None)]);
        assert_eq!(all[1].entry.as_ref().unwrap()["host"], "db.shop.svc");
        assert_eq!(all[1].needs_secret.as_deref(), Some("shop-db-obs"));
        assert_eq!(all[0].needs_secret, None, "it is there");
        assert_eq!(all[2].advice.as_deref(), Some("make a Service for it: the exporter needs a name to ask"));
        assert!(all[3].advice.as_deref().unwrap().starts_with("run nginx-prometheus-exporter"));
        seen.values = json!({"postgresExporter": {"databases": [{"host": "db.shop.svc.cluster.local"}]},
            "redisExporter": {"databases": [{"host": "cache.other.svc"}]}});
        let left: Vec<String> = unwatched(&seen, now()).into_iter().map(|one| one.workload).collect();
        assert_eq!(left, ["cache", "lone", "web"]);
    }

    #[test]
    fn a_selector_takes_no_others_and_a_name_is_free() {
        let metrics = json!([{"name": "metrics", "containerPort": 81}]);
        let mut api = pod("api", &Value::Null, "x:1", &metrics);
        let mut worker = pod("worker", &Value::Null, "x:1", &json!([]));
        for (pod, component) in [(&mut api, "api"), (&mut worker, "worker")] {
            pod["metadata"]["labels"] = json!({"app": "shop", "role": component, "pod-template-hash": "5d"});
        }
        let values = json!({"apps": [{"name": "api", "namespace": "elsewhere", "selector": {"app": "x"}}]});
        let seen = Seen { pods: vec![api, worker], values, ..Seen::default() };
        let entry = unwatched(&seen, now())[0].entry.clone().unwrap();
        assert_eq!(entry["selector"], json!({"app": "shop", "role": "api"}));
        assert_eq!(entry["name"], "shop-api");
    }
}
