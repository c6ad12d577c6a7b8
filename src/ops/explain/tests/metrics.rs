//! From a pod to its series.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::metrics::{Facts, Probe, chain, port_of};
use super::super::target;
use super::{end, said};
use crate::ops::apps::scraped;
use crate::ops::apps::unwatched::Seen;

const URL: &str = "http://10.0.0.1:9102/metrics";

/// What is known of a pod that is annotated, scraped and well.
struct World {
    pod: Value,
    service: Value,
    values: Value,
    config: Result<Value, String>,
    targets: Value,
    policies: Option<Vec<Value>>,
    may_discover: Option<bool>,
    probe: Option<Probe>,
    samples: Option<f64>,
    renamed: Option<&'static str>,
    monitors: Vec<Value>,
    annotated: Value,
}

fn world() -> World {
    let keep = |label: &str, regex: &str| json!({"source_labels": [label], "action": "keep", "regex": regex});
    World {
        pod: json!({"metadata": {"namespace": "shop", "name": "web-1", "labels": {"app": "web", "pod-template-hash": "5d"},
                "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9102"},
                "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": "web-5d"}]},
            "spec": {"nodeName": "n", "containers": [{"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "startTime": "2026-11-28T09:00:00Z", "conditions": [
                {"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "web", "ready": true, "state": {"running": {}}}]}}),
        service: json!({"metadata": {"namespace": "shop", "name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}),
        values: json!({}),
        config: Ok(json!({"scrape_configs": [
            {"job_name": "kubernetes-pods", "kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": [
                keep("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
                keep("__meta_kubernetes_pod_annotation_prometheus_io_port", "\\d+")]},
            {"job_name": "grafana", "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["obs"]}}]}]})),
        targets: json!({"activeTargets": [{
            "discoveredLabels": {"__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_name": "web-1"},
            "labels": {"job": "kubernetes-pods", "instance": "10.0.0.1:9102"}, "scrapePool": "kubernetes-pods",
            "scrapeUrl": URL, "health": "up", "lastError": ""}]}),
        policies: Some(Vec::new()),
        may_discover: Some(true),
        probe: Some(Probe::Answered(200, "# HELP a b".into())),
        samples: Some(12.0),
        renamed: None,
        monitors: Vec::new(),
        annotated: json!({}),
    }
}

impl World {
    fn facts(self) -> Facts {
        let seen = Seen {
            pods: vec![self.pod],
            services: vec![self.service],
            workloads: vec![
                json!({"kind": "Deployment", "metadata": {"namespace": "shop", "name": "web", "annotations": self.annotated}}),
            ],
            monitors: self.monitors,
            scraped: scraped(&self.targets),
            values: self.values,
            ..Seen::default()
        };
        let one = |number| ((String::from("kubernetes-pods"), String::from("10.0.0.1:9102")), number);
        Facts {
            target: target::find("shop/deploy/web", &seen).unwrap(),
            seen,
            config: self.config,
            targets: self.targets,
            policies: self.policies,
            namespaces: BTreeMap::from(
                ["obs", "shop"].map(|name| (name.to_owned(), json!({"kubernetes.io/metadata.name": name}))),
            ),
            prometheus: json!({"metadata": {"namespace": "obs", "name": "prometheus-0", "labels": {"app": "prometheus"}}, "status": {"podIP": "10.0.0.9"}}),
            may_discover: self.may_discover,
            probes: self.probe.into_iter().map(|probe| (URL.to_owned(), probe)).collect(),
            samples: self.samples.into_iter().map(one).collect(),
            renamed: self
                .renamed
                .into_iter()
                .map(|what| ("kubernetes-pods".to_owned(), what.to_owned()))
                .collect(),
            now: "2026-11-28T10:00:00Z".parse().unwrap(),
        }
    }
}

fn down(world: &mut World, error: &str) {
    world.targets["activeTargets"][0]["health"] = json!("down");
    world.targets["activeTargets"][0]["lastError"] = json!(error);
}

fn config(world: &mut World) -> &mut Value {
    world.config.as_mut().unwrap()
}

fn undiscovered(world: &mut World) {
    world.targets = json!({"activeTargets": []});
}

fn annotate(world: &mut World, annotations: Value) {
    undiscovered(world);
    world.pod["metadata"]["annotations"] = annotations;
}

const TIMEOUT: &str = "Get \"http://10.0.0.1:9102/metrics\": context deadline exceeded";
const REFUSED: &str =
    "Get \"http://10.0.0.1:9102/metrics\": dial tcp 10.0.0.1:9102: connect: connection refused";

/// A change, how the chain ends, and words that it says.
type Row = (&'static str, fn(&mut World), &'static str, &'static str);

const ROWS: &[Row] = &[
    (
        "nothing",
        |_| {},
        "✔AP14",
        "12 series of pod web-1: {job=\"kubernetes-pods\",instance=\"10.0.0.1:9102\"}",
    ),
    (
        "it has no pod",
        |w| w.pod["metadata"]["ownerReferences"][0]["name"] = json!("other"),
        "✘AP01",
        "deployment shop/web has no pod",
    ),
    ("no pod runs", |w| w.pod["status"] = json!({"phase": "Pending"}), "✘AP01", "none of its 1 pod runs"),
    (
        "nothing asks for it",
        |w| annotate(w, json!({})),
        "✘AP03",
        "prometheus.io/scrape: \"true\", prometheus.io/port: \"8080\"",
    ),
    (
        "it has a port of metrics and nobody asks",
        |w| {
            annotate(w, json!({}));
            w.pod["spec"]["containers"][0]["ports"][0]["name"] = json!("metrics");
        },
        "✘AP03",
        "add to the values: apps: {name: web, namespace: shop, selector: {app: web}, port: metrics}",
    ),
    (
        "a monitor that nobody reads",
        |w| {
            annotate(w, json!({}));
            w.monitors = vec![json!({"kind": "PodMonitor", "metadata": {"namespace": "shop", "name": "m"},
                "spec": {"selector": {"matchLabels": {"app": "web"}}, "podMetricsEndpoints": [{"port": "http"}]}})];
        },
        "✘AP03",
        "PodMonitor m, which nobody reads",
    ),
    (
        "it is excluded",
        |w| annotate(w, json!({"prometheus.io/scrape": "false"})),
        "✘AP03",
        "says that it is not to be scraped",
    ),
    (
        "it is not the text true",
        |w| annotate(w, json!({"prometheus.io/scrape": "True", "prometheus.io/port": "9102"})),
        "✘AP04",
        "annotation prometheus.io/scrape is \"True\"; only \"true\" counts",
    ),
    (
        "a port that is none",
        |w| annotate(w, json!({"prometheus.io/scrape": "true", "prometheus.io/port": "http"})),
        "✘AP04",
        "annotation prometheus.io/port is \"http\"; it takes numbers",
    ),
    (
        "on the Deployment",
        |w| {
            annotate(w, json!({}));
            w.annotated = json!({"prometheus.io/scrape": "true"});
        },
        "✘AP04",
        "is on the Deployment; it belongs in its pod template",
    ),
    (
        "a Service that leads nowhere",
        |w| {
            annotate(w, json!({}));
            w.service["metadata"]["annotations"] = json!({"prometheus.io/scrape": "true"});
            w.service["spec"]["ports"][0]["targetPort"] = json!("metrics");
        },
        "✘AP05",
        "port 80 leads to \"metrics\", which no container declares",
    ),
    (
        "an app whose port is not there",
        |w| {
            annotate(w, json!({}));
            w.values = json!({"apps": [{"name": "web", "namespace": "shop", "selector": {"app": "web"}, "port": "metrics"}]});
        },
        "✘AP05",
        "no container of its 1 pod has a port named metrics",
    ),
    (
        "Prometheus may not look",
        |w| {
            undiscovered(w);
            w.may_discover = Some(false);
        },
        "✘AP07",
        "Prometheus may not list pods in shop",
    ),
    (
        "a rule drops it",
        |w| {
            annotate(w, json!({"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}));
            config(w)["scrape_configs"][0]["relabel_configs"][1]["regex"] = json!("80");
        },
        "✘AP08",
        "keep where __meta_kubernetes_pod_annotation_prometheus_io_port matches \"80\" (pod web-1)\nit saw \"9102\"",
    ),
    (
        "no job looks there",
        |w| {
            undiscovered(w);
            config(w)["scrape_configs"][0]["kubernetes_sd_configs"][0]["namespaces"] =
                json!({"names": ["other"]});
        },
        "✘AP08",
        "no job of Prometheus looks for such pods in shop",
    ),
    (
        "no target of it, and nobody says why",
        |w| {
            undiscovered(w);
            w.config = Err("/api/v1/status/config answers 503".into());
        },
        "✘AP08",
        "which rule drops it is not known: /api/v1/status/config answers 503",
    ),
    (
        "no target of it, no annotation, and nobody says why",
        |w| {
            annotate(w, json!({}));
            w.config = Err("/api/v1/status/config answers 503".into());
        },
        "✘AP08",
        "Prometheus has no target of pod web-1",
    ),
    ("it is scraped, whatever the rules are", |w| w.config = Err("no answer".into()), "✔AP14", "1 target is"),
    (
        "no address, and nobody says more",
        |w| {
            undiscovered(w);
            w.pod["status"]["podIP"] = json!("");
            w.config = Err("no answer".into());
        },
        "✘AP08",
        "pod web-1 has no address yet",
    ),
    ("it is kept, and not there", undiscovered, "✘AP08", "the rules of job kubernetes-pods keep it"),
    (
        "a policy",
        |w| {
            down(w, TIMEOUT);
            w.policies = Some(vec![
                json!({"metadata": {"namespace": "shop", "name": "deny"}, "spec": {"podSelector": {}}}),
            ]);
        },
        "✘AP09",
        "shop/deny is about it, and does not allow it",
    ),
    (
        "a policy that does not matter",
        |w| {
            down(w, "server returned HTTP status 404 Not Found");
            w.probe = Some(Probe::Answered(404, "no".into()));
            w.policies = Some(vec![
                json!({"metadata": {"namespace": "shop", "name": "deny"}, "spec": {"podSelector": {}}}),
            ]);
        },
        "✘AP12",
        "there are no metrics at this path",
    ),
    (
        "a policy, and a pod on the network of its node",
        |w| {
            down(w, TIMEOUT);
            w.pod["spec"]["hostNetwork"] = json!(true);
            w.policies = Some(vec![
                json!({"metadata": {"namespace": "shop", "name": "deny"}, "spec": {"podSelector": {}}}),
            ]);
        },
        "✘AP11",
        "no NetworkPolicy is about it",
    ),
    (
        "nothing listens",
        |w| {
            down(w, REFUSED);
            w.probe = Some(Probe::Refused);
        },
        "✘AP12",
        "nothing listens on port 9102 of pod web-1",
    ),
    (
        "a page for people",
        |w| {
            down(w, "expected a valid start token, got \"<\"");
            w.probe = Some(Probe::Answered(200, "<html>".into()));
        },
        "✘AP12",
        "it begins with: <html>",
    ),
    ("it listens at the loopback", |w| down(w, REFUSED), "✘AP13", "let the process listen on 0.0.0.0"),
    (
        "a mesh",
        |w| {
            down(w, "Get \"http://10.0.0.1:9102/metrics\": EOF");
            let proxy = json!({"name": "istio-proxy", "image": "p:1"});
            w.pod["spec"]["containers"].as_array_mut().unwrap().push(proxy);
        },
        "✘AP10",
        "istio-proxy runs in pod web-1",
    ),
    ("slow", |w| down(w, TIMEOUT), "✘AP11", "no answer in time"),
    (
        "not scraped yet",
        |w| w.targets["activeTargets"][0]["health"] = json!("unknown"),
        "·AP11",
        "1 of 1 target is not scraped yet",
    ),
    ("nothing is stored", |w| w.samples = Some(0.0), "✘AP14", "it exposes nothing yet"),
    ("renamed", |w| w.renamed = Some("pod is exported_pod"), "!AP15", "pod is exported_pod"),
];

#[test]
fn the_chain_ends_where_something_is_wrong() {
    for (what, change, expected, words) in ROWS {
        let mut world = world();
        change(&mut world);
        let (chain, _) = chain(&world.facts());
        assert_eq!(end(&chain), *expected, "{what}: {}", said(&chain));
        assert!(said(&chain).contains(words), "{what}: {}", said(&chain));
    }
}

#[test]
fn a_policy_is_blamed_only_where_nobody_answered() {
    let at = "Get \"http://10.0.0.1:9102/metrics\": ";
    let rows = [
        (format!("{at}EOF"), false),
        (format!("{at}read tcp 10.0.0.9:4->10.0.0.1:9102: read: connection reset by peer"), false),
        ("expected a valid start token, got \"<\"".to_owned(), false),
        ("text format parsing error in line 1".to_owned(), false),
        ("label_limit exceeded".to_owned(), false),
        (format!("{at}net/http: HTTP/1.x transport connection broken: malformed HTTP response"), false),
        (
            format!(
                "{at}context deadline exceeded (Client.Timeout or context cancellation while reading body)"
            ),
            false,
        ),
        (format!("{at}dial tcp 10.0.0.1:9102: i/o timeout"), true),
        (format!("{at}dial tcp 10.0.0.1:9102: connect: no route to host"), true),
        (TIMEOUT.to_owned(), true),
    ];
    for (error, blamed) in rows {
        let mut world = world();
        down(&mut world, &error);
        world.policies = Some(vec![
            json!({"metadata": {"namespace": "shop", "name": "deny"}, "spec": {"podSelector": {}}}),
        ]);
        let (chain, _) = chain(&world.facts());
        assert_eq!(end(&chain) == "✘AP09", blamed, "{error}: {}", said(&chain));
    }
}

#[test]
fn the_port_of_a_target_is_read() {
    let rows = [
        (URL, Some(9102)),
        ("https://[fd00::1]/m", Some(443)),
        ("http://[fd00::1]:80/", Some(80)),
        ("none", None),
    ];
    for (url, port) in rows {
        assert_eq!(port_of(url), port, "{url}");
    }
}
