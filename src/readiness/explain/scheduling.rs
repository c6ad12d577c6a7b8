//! Pods that fit on no node: takes the scheduler's sentence apart, node by node.

use serde_json::Value;

use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{list, plural, text};
use crate::readiness::pods::unschedulable;

/// Never hopeless: an autoscaler may be making a node, a pod may end.
pub(super) fn explain(gathered: &Gathered) -> Option<Explanation> {
    let (pod, message) = gathered.pods.iter().find_map(|pod| Some((pod, unschedulable(pod)?)))?;
    let name = text(pod, "/metadata/name");
    let reasons = split(message);
    let mut out = Explanation::new(gathered, Cause::Scheduling, format!("no node takes pod {name}"));
    for (nodes, reason) in &reasons {
        out = out.line(format!("{}: {}", plural(*nodes, "node"), words(reason, pod)));
    }
    if reasons.is_empty() {
        out = out.line(message.trim());
    }
    let main = main_reason(&reasons);
    out.short = match main {
        Some(reason) => format!("no node takes it: {}", words(reason, pod)),
        None => "no node takes it".to_owned(),
    };
    Some(match main.and_then(|reason| fix(gathered.component, reason, pod)) {
        Some(hint) => out.hint(hint),
        None => out,
    })
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: …`
/// → [(1, "Insufficient cpu"), (2, "node(s) had untolerated taint {a: b}")]
fn split(message: &str) -> Vec<(i64, &str)> {
    let body = message.split_once("nodes are available: ").map_or("", |(_, rest)| rest);
    let body = body.split(" preemption: ").next().unwrap_or_default();
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

/// What a person can change comes first: a control plane's taint is as it should be when the other
/// nodes are full.
fn main_reason<'a>(reasons: &[(i64, &'a str)]) -> Option<&'a str> {
    const ORDER: [&str; 7] = [
        "Insufficient",
        "free ports",
        "volume node affinity",
        "unbound immediate",
        "Too many pods",
        "selector",
        "taint",
    ];
    ORDER
        .iter()
        .find_map(|word| reasons.iter().find(|(_, reason)| reason.contains(word)))
        .or(reasons.first())
        .map(|(_, reason)| *reason)
}

fn words(reason: &str, pod: &Value) -> String {
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        return match request(pod, resource) {
            Some(request) => format!("too little {resource} is free (the pod requests {request})"),
            None => format!("too little {resource} is free"),
        };
    }
    if let Some((_, taint)) = reason.split_once("untolerated taint ") {
        return format!("taint {} is not tolerated", taint_name(taint));
    }
    if reason.contains("free ports") {
        return match host_port(pod) {
            Some(port) => format!("host port {port} is in use"),
            None => "a host port is in use".to_owned(),
        };
    }
    if reason.contains("volume node affinity conflict") {
        return "its volume lies on another node or in another zone".to_owned();
    }
    if reason.contains("Too many pods") {
        return "the node has as many pods as it may".to_owned();
    }
    if reason.contains("node affinity/selector") {
        return "its nodeSelector or affinity does not match".to_owned();
    }
    if reason.contains("anti-affinity") {
        return "another pod there keeps it away (anti-affinity)".to_owned();
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
            "another exporter uses the port: remove it, or set another one for {component}\nkubectl get pods -A -o wide"
        ));
    }
    if reason.contains("volume node affinity conflict") {
        return Some("bring a node back where the volume lies: kubectl get pv -o wide".to_owned());
    }
    if reason.contains("affinity/selector") {
        return Some(format!(
            "set {component}.nodeSelector to labels that a node has: kubectl get nodes --show-labels"
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
    }
}
