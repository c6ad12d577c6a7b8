//! Pods that their node evicted or refused: the pod is Failed as a whole, and its controller makes
//! another one that meets the same.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{between, first_line, list, text};

/// How long an eviction explains anything: what came later may be fine for another reason.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// The newest pod that its node did not keep.
pub(super) fn explain(gathered: &Gathered) -> Option<Explanation> {
    let (pod, at) = gathered
        .pods
        .iter()
        .filter(|pod| text(pod, "/status/phase") == "Failed" && !text(pod, "/status/reason").is_empty())
        .map(|pod| (pod, when(pod)))
        .max_by_key(|(_, at)| *at)?;
    if at.is_some_and(|at| gathered.now.duration_since(at) > RECENT) {
        return None;
    }
    let name = text(pod, "/metadata/name");
    let reason = text(pod, "/status/reason");
    let message = first_line(text(pod, "/status/message"));
    let component = gathered.component;
    let new = |what: String| Explanation::new(gathered, Cause::Node, what).line(message);
    if reason != "Evicted" {
        return Some(
            new(format!("its node refuses pod {name} ({reason})"))
                .short(format!("its node refuses it: {reason}"))
                .hint(match reason {
                    "SysctlForbidden" => format!(
                        "do without the sysctls of {component}, or allow them in the kubelet's configuration"
                    ),
                    "Shutdown" | "Terminated" | "NodeShutdown" => {
                        "wait until the node is back, or add another one".to_owned()
                    }
                    _ => format!("kubectl describe pod -n {} {name}", text(pod, "/metadata/namespace")),
                }),
        );
    }
    let hint = if let Some(volume) = between(message, "EmptyDir volume \"", "\"") {
        let limit = list(pod, "/spec/volumes")
            .iter()
            .find(|v| v["name"] == volume)
            .and_then(|v| v.pointer("/emptyDir/sizeLimit")?.as_str())
            .map(|limit| format!(" above {limit}"))
            .unwrap_or_default();
        format!("raise the sizeLimit of volume {volume}{limit}, or let {component} write less")
    } else if message.contains("ephemeral") {
        format!("raise {component}.resources.limits.ephemeral-storage, or let it write less")
    } else {
        format!("free space or memory on the node, or raise {component}.resources.requests")
    };
    Some(new(format!("its node evicted pod {name}")).short("evicted by its node").hint(hint))
}

/// When the node gave it up.
fn when(pod: &Value) -> Option<Timestamp> {
    let disrupted = list(pod, "/status/conditions").iter().find(|c| c["type"] == "DisruptionTarget");
    let at = disrupted.map(|c| text(c, "/lastTransitionTime")).filter(|at| !at.is_empty());
    at.unwrap_or(text(pod, "/status/startTime")).parse().ok()
}
