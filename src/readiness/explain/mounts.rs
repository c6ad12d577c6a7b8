//! Volumes that cannot be mounted, and pods without a network: nothing runs yet, only events tell.

use serde_json::Value;

use super::containers::{MAKE_IT, absent, missing_object};
use super::events::{Seen, newest};
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{between, list, text};

pub(super) fn explain(gathered: &Gathered, pod: &Value, events: &[Seen]) -> Option<Explanation> {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let event = newest(
        events,
        "Pod",
        name,
        &["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"],
    )?;
    let node = text(pod, "/spec/nodeName");
    let new = |what: String| Explanation::new(gathered, Cause::Mount, what).event(Some(event), gathered.now);
    if event.reason == "FailedCreatePodSandBox" {
        // CRI-O, and containerd
        let handler = ["RuntimeHandler \"", "no runtime for \""];
        let handler = handler.iter().find_map(|before| between(event.message, before, "\""));
        let message = event.message.to_lowercase();
        let network = ["network", "cni", "plugin type="].iter().any(|word| message.contains(word));
        return Some(match handler {
            Some(handler) => new(format!("its node has no container runtime \"{handler}\""))
                .short(format!("no runtime {handler} on its node"))
                .hint("install that runtime on the nodes, or do without runtimeClassName"),
            None if network => new(format!("the node's network does not let pod {name} begin"))
                .short("its pod gets no network")
                .hint(format!("kubectl describe node {node}")),
            None => new(format!("node {node} cannot begin pod {name}"))
                .short("its node cannot begin the pod")
                .hint(format!("kubectl describe node {node}")),
        });
    }
    if event.message.contains("Multi-Attach") {
        return Some(
            new("its volume is still attached to another node".to_owned())
                .short("its volume is attached to another node")
                .hint("the old pod must end first; if its node is dead: kubectl get volumeattachments"),
        );
    }
    let volume = between(event.message, "volume \"", "\"").unwrap_or_default();
    let cannot = |what: &str| new(format!("volume {volume} cannot be mounted: {what}")).short(what);
    let missing =
        missing_object(event.message, namespace).or_else(|| missing_key(pod, volume, event.message));
    if let Some(what) = missing {
        return Some(absent(cannot(&what).hint(MAKE_IT).hopeless(true), event.message, namespace));
    }
    if let Some((_, what)) = event.message.split_once("hostPath type check failed: ") {
        let (path, is) = what.trim().split_once(' ').unwrap_or((what, "is not what it should be"));
        return Some(
            cannot(&format!("{path} on node {node} {is}"))
                .hint("correct the path of the hostPath volume, or its type"),
        );
    }
    if let Some(driver) = between(event.message, "driver name ", " not found") {
        return Some(cannot(&format!("node {node} has no CSI driver {driver}")).hint(
            "install the driver on the nodes, or see why its pods do not run: kubectl get csidrivers",
        ));
    }
    let volume = if volume.is_empty() { "a volume".to_owned() } else { format!("volume {volume}") };
    Some(
        new(format!("{volume} cannot be mounted on node {node}"))
            .short(format!("{volume} cannot be mounted"))
            .hint(format!("kubectl describe pod -n {namespace} {name}")),
    )
}

/// kubelet: `references non-existent config key: k`; whose key it is stands in the pod.
fn missing_key(pod: &Value, volume: &str, message: &str) -> Option<String> {
    let (_, key) = message.split_once("references non-existent ")?;
    let key = key.split_once("key: ")?.1.trim();
    let source = list(pod, "/spec/volumes").iter().find(|v| v["name"] == volume)?;
    // A projected volume has several sources: the one that asks for the key.
    let projected = list(source, "/projected/sources").iter();
    std::iter::once(source).chain(projected).find_map(|source| {
        [("configMap", "ConfigMap"), ("secret", "Secret")].iter().find_map(|(field, kind)| {
            let from = source.get(*field)?;
            let name = from["name"].as_str().or_else(|| from["secretName"].as_str())?;
            let asks = list(from, "/items").iter().any(|item| item["key"] == key);
            asks.then(|| format!("{kind} {}/{name} has no key {key}", text(pod, "/metadata/namespace")))
        })
    })
}
