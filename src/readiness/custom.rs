//! Readiness of custom resources: the conventions (kstatus: generic) and the Prometheus operator's
//! own conditions.

use serde_json::Value;

use super::Readiness::{self, Progressing, Ready};
use super::fields::{Condition, condition, int};
use super::{abnormal, spec_flag};

/// Stalled, Reconciling, Ready, in this order; a resource without any of them is ready (kstatus).
pub(super) fn resource(object: &Value) -> Readiness {
    if let Some(result) = abnormal(object) {
        return result;
    }
    condition(object, "Ready").map_or(Ready, |ready| holds(object, &ready, "not ready"))
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
