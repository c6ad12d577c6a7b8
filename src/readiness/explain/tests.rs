//! What a person reads when a component is not ready, as transcripts. Here: what the tests build their
//! cases from, and what holds for all causes. `captured`: messages of real clusters.

mod captured;
mod containers;
mod places;
mod refusals;
mod running;

use serde_json::{Value, json};

use super::*;

/// Everything that [`Gathered`] borrows.
struct World {
    component: &'static str,
    workload: Value,
    pods: Vec<Value>,
    events: Vec<Value>,
    claims: Vec<Value>,
    classes: Option<Vec<Value>>,
    logs: Logs,
}

impl World {
    fn new(component: &'static str, kind: &str, pods: &[Value]) -> Self {
        Self {
            component,
            workload: json!({
                "apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": format!("obs-{component}"), "namespace": "observability", "generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "replicas": pods.len()},
            }),
            pods: pods.to_vec(),
            events: Vec::new(),
            claims: Vec::new(),
            classes: Some(Vec::new()),
            logs: Logs::new(),
        }
    }

    /// An event, `ago` seconds old.
    fn event(mut self, about: &str, reason: &str, message: &str, ago: i64) -> Self {
        let (kind, name) = about.split_once('/').expect("Kind/name");
        let at = Timestamp::from_second(NOW - ago).expect("a time");
        self.events.push(json!({
            "involvedObject": {"kind": kind, "name": name, "namespace": "observability"},
            "reason": reason, "message": message, "type": "Warning", "lastTimestamp": at.to_string(),
        }));
        self
    }

    fn log(mut self, pod: &str, container: &str, text: &str) -> Self {
        self.logs.insert((pod.into(), container.into()), text.into());
        self
    }

    fn explain(&self) -> Explanation {
        explain(&Gathered {
            component: self.component,
            workload: &self.workload,
            pods: &self.pods,
            events: &self.events,
            claims: &self.claims,
            storage_classes: self.classes.as_deref(),
            nodes: None,
            logs: &self.logs,
            now: Timestamp::from_second(NOW).expect("a time"),
        })
    }

    /// Checks the whole text, the short form and whether waiting helps.
    fn says(&self, expected: &str, short: &str, hopeless: bool) {
        let found = self.explain();
        assert_eq!(found.clone().into_error().to_string(), expected.trim());
        assert_eq!(found.short, short);
        assert_eq!(found.hopeless, hopeless);
    }
}

const NOW: i64 = 1_800_000_000;

fn pod(name: &str, status: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "observability"},
        "spec": {"nodeName": "worker-1", "restartPolicy": "Always", "containers": [{
            "name": "grafana", "image": "grafana/grafana:13.0.9",
            "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "500m", "memory": "64Mi"}},
        }]},
        "status": status,
    })
}

fn container(state: Value, last: Value, restarts: u32) -> Value {
    pod(
        "obs-grafana-0",
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [
            {"name": "grafana", "ready": false, "started": false, "restartCount": restarts, "state": state, "lastState": last},
        ]}),
    )
}

fn waiting_for(reason: &str, message: &str) -> Value {
    container(json!({"waiting": {"reason": reason, "message": message}}), json!({}), 0)
}

fn crashing(reason: &str, code: i64, restarts: u32) -> Value {
    container(
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}),
        json!({"terminated": {"reason": reason, "exitCode": code}}),
        restarts,
    )
}

fn running(restarts: u32, last: Value) -> Value {
    container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}), last, restarts)
}

fn unschedulable(message: &str) -> Value {
    let mut pod = pod(
        "obs-grafana-0",
        json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
    );
    pod["spec"]["nodeName"] = Value::Null;
    pod
}

fn with_claim(pod: &Value, claim: Value) -> World {
    let mut pod = pod.clone();
    pod["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-obs-prometheus-0"}}]);
    let mut world = World::new("prometheus", "StatefulSet", &[pod]);
    let mut object = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-obs-prometheus-0", "namespace": "observability"},
        "status": {"phase": "Pending"},
    });
    object["spec"] = claim;
    world.claims.push(object);
    world
}

fn class(name: &str, mode: &str) -> Value {
    json!({"metadata": {"name": name}, "volumeBindingMode": mode})
}

const UNBOUND: &str =
    "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1";

fn grafana(pod: Value) -> World {
    World::new("grafana", "StatefulSet", &[pod])
}

#[test]
fn nothing_wrong_is_said_as_such() {
    World::new("grafana", "Deployment", &[]).says(
        "grafana is not ready: 0 of 1 pods ready",
        "0 of 1 pods ready",
        false,
    );
    let found = World::new("loki", "StatefulSet", &[])
        .event("StatefulSet/obs-loki", "Odd", "something odd.", 90)
        .explain();
    assert_eq!(found.evidence, ["Event (1m ago): something odd"]);
}

#[test]
fn consequences_are_folded_into_one_line() {
    let claim = |component: &'static str| {
        let mut world = with_claim(&unschedulable(UNBOUND), json!({}));
        world.component = component;
        world.classes = Some(vec![class("fast", "Immediate")]);
        world.explain()
    };
    let waits = World::new("grafana", "Deployment", &[]).explain();
    let folded = fold(vec![waits.clone(), claim("prometheus"), claim("loki")]);
    assert_eq!(folded.len(), 1);
    assert!(folded[0].headline.starts_with("prometheus is not ready: its volume claim"));
    assert_eq!(
        folded[0].evidence.last().map(String::as_str),
        Some("2 more wait for this: kubectl obs status")
    );
    // Two that only take their time are two.
    assert_eq!(fold(vec![waits.clone(), waits]).len(), 2);
}

#[test]
fn objects_without_shape_do_not_panic() {
    for value in [json!(null), json!([]), json!({"spec": 1, "status": "x", "metadata": []})] {
        let mut world = World::new("x", "Deployment", std::slice::from_ref(&value));
        world.events.push(value.clone());
        world.claims.push(value.clone());
        world.workload = value;
        world.explain();
    }
}
