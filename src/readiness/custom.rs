//! Readiness of custom resources: the conventions (kstatus: generic) and the Prometheus operator's
//! own conditions.

use serde_json::Value;

use super::Readiness::{self, Progressing, Ready};
use super::fields::{Condition, condition, int};
use super::{abnormal, spec_flag};
use crate::object::labels;
use crate::render::expression_is_true;

/// Stalled, Reconciling, Ready, in this order; a resource without any of them is ready (kstatus).
pub(super) fn resource(object: &Value) -> Readiness {
    if let Some(result) = abnormal(object) {
        return result;
    }
    condition(object, "Ready").map_or(Ready, |ready| holds(object, &ready, "not ready"))
}

/// Does the bundle say when objects of this kind are ready?
pub(super) fn has_own_rule(object: &Value) -> bool {
    object["metadata"]["annotations"][labels::READY_WHEN].is_string()
}

/// The bundle's own rule: expressions over the object, which stand in its annotations.
pub(super) fn own_rule(object: &Value) -> Readiness {
    let expression = |key: &str| object["metadata"]["annotations"][key].as_str();
    let holds = |expression: &str| {
        expression_is_true(expression, "object", object)
            .map_err(|why| Readiness::Failed(format!("its readiness rule is wrong: {why}")))
    };
    if let Some(failed) = expression(labels::FAILED_WHEN) {
        match holds(failed) {
            Ok(true) => return Readiness::Failed(format!("{failed} holds")),
            Ok(false) => {}
            Err(wrong) => return wrong,
        }
    }
    let ready = expression(labels::READY_WHEN).unwrap_or_default();
    match holds(ready) {
        Ok(true) => Ready,
        Ok(false) => Progressing(format!("waits for {ready}")),
        Err(wrong) => wrong,
    }
}

/// Prometheus operator (monitoring.coreos.com): `Reconciled` says that the operator applied this
/// generation, `Available` that enough pods run. ServiceMonitor, PodMonitor, Probe, PrometheusRule
/// and AlertmanagerConfig are only read by it: they are ready when stored.
pub(super) fn prometheus_operator(object: &Value, kind: &str) -> Readiness {
    if !matches!(kind, "Prometheus" | "PrometheusAgent" | "Alertmanager" | "ThanosRuler") {
        return Ready;
    }
    if spec_flag(object, "paused") {
        // The operator leaves a paused resource alone, on purpose of whoever paused it.
        return Ready;
    }
    for (kind, fallback) in [("Reconciled", "not reconciled"), ("Available", "not available")] {
        match condition(object, kind) {
            None => return Progressing("waits for the operator".to_owned()),
            Some(found) => match holds(object, &found, fallback) {
                Ready => {}
                waiting => return waiting,
            },
        }
    }
    Ready
}

/// Is the condition true for the present generation?
fn holds(object: &Value, found: &Condition, fallback: &str) -> Readiness {
    if let (Some(seen), Some(generation)) = (found.observed_generation, int(object, "/metadata/generation"))
        && seen < generation
    {
        return Progressing(format!("waits for its controller (generation {generation}, seen {seen})"));
    }
    if found.is_true() { Ready } else { Progressing(found.why(fallback)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::readiness;
    use serde_json::json;

    fn widget(ready: &str, failed: Option<&str>, phase: &str) -> Value {
        let mut annotations = json!({ labels::READY_WHEN: ready });
        if let Some(failed) = failed {
            annotations[labels::FAILED_WHEN] = json!(failed);
        }
        json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "w", "generation": 1, "annotations": annotations},
            "status": {"phase": phase, "observedGeneration": 1},
        })
    }

    #[test]
    fn a_bundle_says_when_its_kinds_are_ready() {
        let (ready, failed) = ("object.status.phase == 'Running'", Some("object.status.phase == 'Broken'"));
        assert_eq!(readiness(&widget(ready, failed, "Running")), Ready);
        assert_eq!(readiness(&widget(ready, failed, "Starting")), Progressing(format!("waits for {ready}")));
        assert!(matches!(readiness(&widget(ready, failed, "Broken")), Readiness::Failed(_)));
        assert!(matches!(readiness(&widget("object.", None, "Running")), Readiness::Failed(_)));
    }

    #[test]
    fn the_rule_waits_for_the_present_generation() {
        let mut stale = widget("object.status.phase == 'Running'", None, "Running");
        stale["metadata"]["generation"] = json!(2);
        assert!(matches!(readiness(&stale), Progressing(why) if why.contains("generation 2")));
    }
}
