//! Pods that fit on no node: takes the scheduler's sentence apart, node by node.

use serde_json::Value;

use super::nodes::{is_selected, untolerated};
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{condition, list, plural, text};
use crate::readiness::pods::unschedulable;

/// Never hopeless: an autoscaler may be making a node, a pod may end, a gate may be lifted.
pub(super) fn explain(gathered: &Gathered) -> Option<Explanation> {
    let mut pods = gathered.pods.iter().filter(|pod| text(pod, "/metadata/deletionTimestamp").is_empty());
    if let Some(gated) = pods.clone().find_map(|pod| gate(gathered, pod)) {
        return Some(gated);
    }
    let (pod, message) = pods.find_map(|pod| Some((pod, unschedulable(pod)?)))?;
    let name = text(pod, "/metadata/name");
    let reasons = split(message);
    let mut out = Explanation::new(gathered, Cause::Scheduling, format!("no node takes pod {name}"));
    for (nodes, reason) in &reasons {
        out = out.line(format!("{}: {}", plural(*nodes, "node"), words(reason, pod, gathered.nodes)));
    }
    if reasons.is_empty() {
        out = out.line(message.trim());
    }
    let main = main_reason(&reasons, pod, gathered.nodes);
    out.short = match main {
        Some(reason) => format!("no node takes it: {}", words(reason, pod, gathered.nodes)),
        None => "no node takes it".to_owned(),
    };
    if let Some(reason) = main {
        out.headline = format!("{}: {}", out.headline, words(reason, pod, gathered.nodes));
    }
    Some(match main.and_then(|reason| fix(gathered.component, reason, pod)) {
        Some(hint) => out.hint(hint),
        None if message.contains("no nodes available") => {
            out.hint("the cluster has no node: add one\nkubectl get nodes")
        }
        None => out,
    })
}

/// Somebody holds the pod back on purpose (KEP-3521).
fn gate(gathered: &Gathered, pod: &Value) -> Option<Explanation> {
    condition(pod, "PodScheduled").filter(|c| c.is_false() && c.reason == "SchedulingGated")?;
    let gates: Vec<&str> =
        list(pod, "/spec/schedulingGates").iter().filter_map(|gate| gate["name"].as_str()).collect();
    let word = if gates.len() == 1 { "gate" } else { "gates" };
    let what = format!(
        "pod {} is held back by the scheduling {word} {}",
        text(pod, "/metadata/name"),
        gates.join(", ")
    );
    Some(
        Explanation::new(gathered, Cause::Scheduling, what)
            .short(format!("held back by the scheduling {word} {}", gates.join(", ")))
            .line("no node is chosen before its spec.schedulingGates is empty")
            .hint("see why the controller that set it does not lift it"),
    )
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: …`
/// → [(1, "Insufficient cpu"), (2, "node(s) had untolerated taint {a: b}")]
fn split(message: &str) -> Vec<(i64, &str)> {
    let body = message.split_once("nodes are available: ").map_or("", |(_, rest)| rest);
    // What follows is about preemption, and since Kubernetes 1.34 about resource claims.
    let body = body.split(" preemption: ").next().unwrap_or_default();
    let body = body.split(". ").next().unwrap_or_default();
    let mut out: Vec<(i64, &str)> = Vec::new();
    for part in body.trim().trim_end_matches('.').split(", ") {
        if let Some((number, reason)) = part.split_once(' ')
            && let Ok(number) = number.parse()
        {
            out.push((number, reason));
        }
    }
    out
}

/// The reason of the node that came nearest to taking the pod: the scheduler asks for taints and
/// labels before room. A selector that no node fits is the cause even where a taint was met first.
fn main_reason<'a>(reasons: &[(i64, &'a str)], pod: &Value, nodes: Option<&[Value]>) -> Option<&'a str> {
    const ORDER: [&str; 14] = [
        "Insufficient",
        "free ports",
        "anti-affinity",
        "pod affinity",
        "topology spread",
        "ReadWriteOncePod",
        "volume node affinity",
        "PersistentVolume's node affinity",
        "volumes to bind",
        "unbound immediate",
        "Too many pods",
        "selector",
        "taint",
        "unschedulable",
    ];
    // With the nodes at hand: where the selector fits a node, it is not what keeps the pod away.
    let selected: Vec<&Value> =
        nodes.unwrap_or_default().iter().filter(|node| is_selected(pod, node)).collect();
    let about = |word: &str| reasons.iter().find(|(_, reason)| reason.contains(word));
    if !selected.is_empty()
        && selected.iter().all(|node| node["spec"]["unschedulable"] == true)
        && let Some((_, cordoned)) = about("were unschedulable")
    {
        return Some(cordoned);
    }
    ORDER
        .iter()
        .filter(|word| selected.is_empty() || **word != "selector")
        .find_map(|word| about(word))
        .or(reasons.first())
        .map(|(_, reason)| *reason)
}

fn words(reason: &str, pod: &Value, nodes: Option<&[Value]>) -> String {
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        return match request(pod, resource) {
            Some(request) => format!("too little {resource} is free (the pod requests {request})"),
            None => format!("too little {resource} is free"),
        };
    }
    if let Some((_, taint)) = reason.split_once("untolerated taint ") {
        return format!("taint {} is not tolerated", taint_name(taint));
    }
    // Since Kubernetes 1.34 the scheduler does not say which.
    if reason.contains("untolerated taint") {
        let taints = untolerated(pod, nodes.unwrap_or_default());
        return match taints.as_slice() {
            [] => "a taint is not tolerated".to_owned(),
            [one] => format!("taint {one} is not tolerated"),
            several => format!("taints {} are not tolerated", several.join(", ")),
        };
    }
    if reason.contains("free ports") {
        return match host_port(pod) {
            Some(port) => format!("host port {port} is in use"),
            None => "a host port is in use".to_owned(),
        };
    }
    if is_elsewhere(reason) {
        return "its volume lies on another node or in another zone".to_owned();
    }
    if reason.contains("volumes to bind") {
        return "no volume there fits its claim".to_owned();
    }
    if reason.contains("ReadWriteOncePod") {
        return "another pod uses its claim, which allows one (ReadWriteOncePod)".to_owned();
    }
    if reason.contains("Too many pods") {
        return "the node has as many pods as it may".to_owned();
    }
    if reason.contains("node affinity/selector") {
        return format!("its {} does not match", selector(pod));
    }
    if reason.contains("anti-affinity") {
        return "another pod there keeps it away (anti-affinity)".to_owned();
    }
    if reason.contains("pod affinity") {
        return "no pod there that it wants to be near (affinity)".to_owned();
    }
    if reason.contains("topology spread") {
        return match reason.contains("missing required label") {
            true => "the node lacks the label over which its pods are spread".to_owned(),
            false => "its pods would be spread unevenly (topologySpreadConstraints)".to_owned(),
        };
    }
    if reason.contains("were unschedulable") {
        return "cordoned".to_owned();
    }
    reason.trim_start_matches("node(s) ").to_owned()
}

fn fix(component: &str, reason: &str, pod: &Value) -> Option<String> {
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        let below = request(pod, resource).map(|request| format!(" below {request}")).unwrap_or_default();
        return Some(format!("add a node, or set {component}.resources.requests.{resource}{below}"));
    }
    if reason.contains("untolerated taint") {
        return Some(format!("add a toleration to {component}.tolerations, or a node without that taint"));
    }
    if reason.contains("free ports") {
        return Some(format!(
            "another pod there uses the port: remove it, or set another one for {component}\nkubectl get pods -A -o wide"
        ));
    }
    if is_elsewhere(reason) {
        return Some("bring a node back where the volume lies: kubectl get pv -o wide".to_owned());
    }
    if reason.contains("volumes to bind") {
        return Some(
            "make a volume for the claim, or use a class that makes them: kubectl get pv,storageclass"
                .to_owned(),
        );
    }
    if reason.contains("ReadWriteOncePod") {
        return Some(
            "end the other pod, or run one replica: kubectl describe pvc names who uses it".to_owned(),
        );
    }
    if reason.contains("affinity/selector") {
        return Some(format!(
            "set {component}.nodeSelector to labels that a node has: kubectl get nodes --show-labels"
        ));
    }
    if reason.contains("anti-affinity") {
        return Some(format!("add a node, or run fewer replicas, or make {component}.affinity a preference"));
    }
    if reason.contains("pod affinity") {
        return Some(format!("run the pods that {component}.affinity names, or correct it"));
    }
    if reason.contains("topology spread") {
        return Some(format!(
            "label the nodes with its topologyKey, or set whenUnsatisfiable of {component} to ScheduleAnyway"
        ));
    }
    if reason.contains("Too many pods") {
        return Some("add a node, or remove pods".to_owned());
    }
    if reason.contains("were unschedulable") {
        return Some("kubectl uncordon the node".to_owned());
    }
    None
}

/// Kubernetes 1.33 names it by the volume, earlier ones by the conflict.
fn is_elsewhere(reason: &str) -> bool {
    reason.contains("volume node affinity conflict") || reason.contains("PersistentVolume's node affinity")
}

/// `nodeSelector disk=ssd`, as far as the pod has one.
fn selector(pod: &Value) -> String {
    let labels = pod.pointer("/spec/nodeSelector").and_then(Value::as_object);
    let labels: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let affinity = pod.pointer("/spec/affinity/nodeAffinity").is_some();
    match (labels.is_empty(), affinity) {
        (true, true) => "node affinity".to_owned(),
        (true, false) => "nodeSelector or affinity".to_owned(),
        (false, false) => format!("nodeSelector {}", labels.join(",")),
        (false, true) => format!("nodeSelector {} or node affinity", labels.join(",")),
    }
}

/// What the pod requests of a resource, if only one of its containers asks for it; else a list.
fn request(pod: &Value, resource: &str) -> Option<String> {
    let all: Vec<&str> = list(pod, "/spec/containers")
        .iter()
        .filter_map(|c| c["resources"]["requests"][resource].as_str())
        .collect();
    (!all.is_empty()).then(|| all.join(" + "))
}

fn host_port(pod: &Value) -> Option<String> {
    let ports: Vec<String> = list(pod, "/spec/containers")
        .iter()
        .flat_map(|c| list(c, "/ports"))
        .filter_map(|port| port["hostPort"].as_i64())
        .map(|port| port.to_string())
        .collect();
    (!ports.is_empty()).then(|| ports.join(", "))
}

/// `{node-role.kubernetes.io/control-plane: }` → `node-role.kubernetes.io/control-plane`
fn taint_name(taint: &str) -> String {
    let taint = taint.trim_matches(['{', '}', ' ']);
    match taint.split_once(": ") {
        Some((key, value)) if !value.is_empty() => format!("{key}={value}"),
        _ => taint.trim_end_matches([':', ' ']).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedulers_sentence_is_taken_apart() {
        let message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint \
                       {node-role.kubernetes.io/control-plane: }. preemption: 0/3 nodes are available: 3 No \
                       preemption victims found for incoming pod.";
        assert_eq!(
            split(message),
            [
                (1, "Insufficient cpu"),
                (2, "node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }")
            ]
        );
        assert_eq!(split("no nodes available to schedule pods"), []);
        let of_1_34 = "0/5 nodes are available: 1 Too many pods, 2 Insufficient example.com/gpu. no new claims to \
                       deallocate, preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling.";
        assert_eq!(split(of_1_34), [(1, "Too many pods"), (2, "Insufficient example.com/gpu")]);
    }
}
