//! Readiness of the remaining kinds of Kubernetes that have something to wait for: Service,
//! Namespace, Node, CustomResourceDefinition, APIService, HorizontalPodAutoscaler.

use serde_json::Value;

use super::Readiness::{self, Failed, Progressing, Ready};
use super::fields::{condition, first_line, list, text};

/// Helm: Service. A load balancer is ready when it has an address; kstatus accepts it without.
pub(super) fn service(object: &Value) -> Readiness {
    let kind = text(object, "/spec/type");
    if kind == "ExternalName" {
        return Ready;
    }
    if text(object, "/spec/clusterIP").is_empty() {
        return Progressing("waits for a cluster IP".to_owned());
    }
    let has_address = !list(object, "/status/loadBalancer/ingress").is_empty()
        || !list(object, "/spec/externalIPs").is_empty();
    if kind == "LoadBalancer" && !has_address {
        return Progressing("waits for the load balancer's address".to_owned());
    }
    Ready
}

/// An absent phase is a Namespace that the server has not defaulted: never on the wire.
pub(super) fn namespace(object: &Value) -> Readiness {
    if text(object, "/status/phase") == "Terminating" {
        return Progressing(match namespace_remains(object) {
            Some(why) => format!("being deleted: {why}"),
            None => "being deleted".to_owned(),
        });
    }
    Ready
}

/// What keeps a Namespace from going, in the words of its controller.
pub(super) fn namespace_remains(object: &Value) -> Option<String> {
    ["NamespaceFinalizersRemaining", "NamespaceContentRemaining", "NamespaceDeletionDiscoveryFailure"]
        .iter()
        .filter_map(|kind| condition(object, kind))
        .find(super::fields::Condition::is_true)
        .map(|c| first_line(c.message).to_owned())
}

/// kstatus has no rule for nodes; the condition Ready is the node controller's own.
pub(super) fn node(object: &Value) -> Readiness {
    match condition(object, "Ready") {
        Some(ready) if ready.is_true() => Ready,
        Some(ready) => Progressing(ready.why("the node is not ready")),
        None => Progressing("the node has not reported yet".to_owned()),
    }
}

/// kstatus: CustomResourceDefinition. Names that are taken do not become free by waiting.
pub(super) fn crd(object: &Value) -> Readiness {
    if let Some(names) = condition(object, "NamesAccepted").filter(super::fields::Condition::is_false) {
        return Failed(format!("its names are taken: {}", first_line(names.message)));
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => Ready,
        Some(established) if established.is_false() && established.reason != "Installing" => {
            Failed(established.why("not established"))
        }
        _ => Progressing("not established".to_owned()),
    }
}

/// kstatus: APIService (condition Available).
pub(super) fn api_service(object: &Value) -> Readiness {
    match condition(object, "Available") {
        Some(available) if available.is_true() => Ready,
        Some(available) => Progressing(available.why("not available")),
        None => Progressing("not available yet".to_owned()),
    }
}

/// An autoscaler without metrics still leaves its workload running: that is doctor's concern. One
/// that cannot find its target is not in place.
pub(super) fn autoscaler(object: &Value) -> Readiness {
    match condition(object, "AbleToScale") {
        Some(able) if able.is_false() && able.reason == "FailedGetScale" => Progressing(able.why("")),
        _ => Ready,
    }
}
