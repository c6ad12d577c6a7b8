//! Readiness of Jobs: ready means completed (Helm, Flux: Job), not merely started (kstatus).

use serde_json::Value;

use super::Readiness::{self, Failed, Progressing, Ready};
use super::fields::{condition, count, int, plural};
use super::spec_flag;

/// Did it end, well or badly?
pub(super) fn finished(object: &Value) -> bool {
    ["Complete", "Failed"].iter().any(|kind| condition(object, kind).is_some_and(|c| c.is_true()))
}

/// A suspended Job waits for a person or a queue on purpose: not awaited.
pub(super) fn job(object: &Value) -> Readiness {
    if condition(object, "Complete").is_some_and(|c| c.is_true()) {
        return Ready;
    }
    if let Some(failed) = condition(object, "Failed").filter(super::fields::Condition::is_true) {
        return Failed(failed.why("the job failed"));
    }
    // Set before `Failed` while its last pods end (KEP-3998); the outcome is decided.
    if let Some(target) = condition(object, "FailureTarget").filter(super::fields::Condition::is_true) {
        return Failed(target.why("the job failed"));
    }
    if spec_flag(object, "suspend") {
        return Ready;
    }
    let failed = count(object, "/status/failed");
    let mut why = match int(object, "/spec/completions") {
        Some(wanted) => format!("{} of {wanted} completions", count(object, "/status/succeeded")),
        // A work queue: it is done when one pod succeeds and all have ended.
        None => format!("{} active", plural(count(object, "/status/active"), "pod")),
    };
    if failed > 0 {
        let limit = int(object, "/spec/backoffLimit").unwrap_or(6);
        why.push_str(&format!(", {failed} failed (limit {limit})"));
    }
    Progressing(why)
}
