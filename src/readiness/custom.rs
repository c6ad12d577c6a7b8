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
    rule(object, labels::READY_WHEN).is_some()
}

/// An expression that stands in an annotation, if the release put it there: what anybody else says of
/// an object, or of one of theirs, is not evaluated.
fn rule<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    let metadata = &object["metadata"];
    let label = |key: &str| metadata["labels"][key].as_str().unwrap_or_default();
    let ours = label(labels::MANAGED_BY) == labels::MANAGER && !label(labels::RELEASE).is_empty();
    let by_us = match metadata["managedFields"].as_array() {
        Some(entries) => entries.iter().any(|entry| {
            let annotations = &entry["fieldsV1"]["f:metadata"]["f:annotations"];
            entry["manager"] == labels::MANAGER && annotations.get(format!("f:{key}")).is_some()
        }),
        // what was rendered, and not yet applied
        None => true,
    };
    metadata["annotations"][key].as_str().filter(|_| ours && by_us)
}

/// The bundle's own rule: expressions over the object, which stand in its annotations.
pub(super) fn own_rule(object: &Value) -> Readiness {
    let expression = |key: &str| rule(object, key);
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
            "metadata": {"name": "w", "generation": 1, "annotations": annotations,
                "labels": {labels::MANAGED_BY: labels::MANAGER, labels::RELEASE: "obs"}},
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
    fn a_rule_that_the_release_did_not_write_is_not_evaluated() {
        let ours = widget("object.", None, "Running");
        assert!(matches!(readiness(&ours), Readiness::Failed(_)), "it was evaluated");
        for change in [
            |object: &mut Value| object["metadata"]["labels"][labels::MANAGED_BY] = json!("Helm"),
            |object: &mut Value| drop(object["metadata"]["labels"].take()),
            |object: &mut Value| {
                let fields =
                    json!({"f:metadata": {"f:annotations": {format!("f:{}", labels::READY_WHEN): {}}}});
                object["metadata"]["managedFields"] = json!([
                    {"manager": "kubectl-annotate", "fieldsV1": fields},
                    {"manager": labels::MANAGER, "fieldsV1": {"f:metadata": {"f:labels": {}}}},
                ]);
            },
        ] {
            let mut foreign = ours.clone();
            change(&mut foreign);
            assert_eq!(readiness(&foreign), Ready, "{foreign}");
        }
    }

    #[test]
    fn a_rule_that_makes_gigabytes_is_a_wrong_rule() {
        let rule = format!("('x'{}) | length > 0", " | replace('x', 'xxxxxxxxxx')".repeat(12));
        let Readiness::Failed(why) = readiness(&widget(&rule, None, "Running")) else { panic!() };
        assert_eq!(why, "its readiness rule is wrong: it takes more than 250000 steps");
    }

    #[test]
    fn the_rule_waits_for_the_present_generation() {
        let mut stale = widget("object.status.phase == 'Running'", None, "Running");
        stale["metadata"]["generation"] = json!(2);
        assert!(matches!(readiness(&stale), Progressing(why) if why.contains("generation 2")));
    }
}
