//! What becomes of an object when fields differ that the API server lets nobody change: can it be
//! changed all the same, made anew, or must a person decide? The table of the fields (Kubernetes
//! 1.30 to 1.34) is in `fields`; this file is the policy, and `claims` is about the data.
//!
//! Nothing that holds data is ever made anew, and a volume never shrinks. What costs no data and no
//! downtime is made anew without asking; the rest only when a person named it (`--recreate`).
//! Validation that changes with the cluster (custom resources, webhooks) is left to the dry-run.

mod claims;
mod fields;
mod service;
mod statefulset;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::crd;
use crate::object::{ObjectId, labels, split_api_version};

pub use claims::with_live_sizes;

/// What lies around an object and decides with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The live claims of the namespace that carry the release's labels.
    pub claims: &'a [Value],
    /// All StorageClasses; empty when they cannot be read, and then not asked.
    pub classes: &'a [Value],
    /// Did a person name this object with `--recreate`?
    pub recreate_allowed: bool,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Apply changes it, or there is nothing to change.
    InPlace,
    /// A claim of the release itself: apply makes it larger, and that takes its time.
    Grow(Vec<Growth>),
    /// It is deleted and made anew.
    Recreate {
        /// Do its pods stay, for the new one to take over? Else they go with it.
        orphan: bool,
        /// Claims that grow before.
        grow: Vec<Growth>,
        /// Which fields, in words.
        why: String,
    },
    /// It cannot be done like this.
    Refuse {
        /// What, to which object, why.
        why: String,
        /// What to do.
        hint: String,
    },
}

/// A volume claim that becomes larger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Which.
    pub claim: ObjectId,
    /// Its uid.
    pub uid: Option<String>,
    /// Its present size, `10Gi`.
    pub from: String,
    /// The wanted size.
    pub to: String,
}

/// May a kind be deleted and made anew?
enum Replacement {
    /// Without asking: nothing is lost and nothing stands still.
    Free,
    /// When a person names it. What it costs, in words that go on from "makes it anew".
    Asked(&'static str),
    /// Never.
    Never,
}

/// Compares an object as it should be with the one that lives. Fields that the desired object
/// leaves to the server's defaults, or to others, are no difference.
pub fn judge(desired: &Value, live: &Value, around: &Around) -> Outcome {
    match group_kind(desired) {
        ("apps", "StatefulSet") => return statefulset::judge(desired, live, around),
        ("", "PersistentVolumeClaim") => return claims::judge(desired, live, around),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            return crd::change_problem(desired, live)
                .map_or(Outcome::InPlace, |crd::Problem { why, hint }| Outcome::Refuse { why, hint });
        }
        _ => {}
    }
    let changed = fields::changed(desired, live);
    if changed.is_empty() {
        return Outcome::InPlace;
    }
    replace(live, &cannot_change(&changed), around.recreate_allowed)
}

/// May an object be made anew that cannot be changed in place? `why` says what cannot.
pub fn replace(live: &Value, why: &str, recreate_allowed: bool) -> Outcome {
    match replacement(live) {
        Replacement::Never => Outcome::Refuse {
            why: format!("{}: {why}", title(live)),
            hint: "it holds data and is never made anew: leave the field as it is".to_owned(),
        },
        Replacement::Asked(cost) if !recreate_allowed => refuse_unasked(live, why, cost),
        Replacement::Free | Replacement::Asked(_) => {
            Outcome::Recreate { orphan: false, grow: Vec::new(), why: why.to_owned() }
        }
    }
}

fn replacement(live: &Value) -> Replacement {
    let generated = live["metadata"]["annotations"].get(labels::GENERATED).is_some();
    match group_kind(live) {
        ("", "PersistentVolumeClaim" | "PersistentVolume" | "Namespace") => Replacement::Never,
        ("", "Secret") if generated => Replacement::Never,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => Replacement::Free,
        // what a Job did is done; what it is doing, the new one does
        ("batch", "Job") => Replacement::Free,
        ("apps", _) => Replacement::Asked("; its pods go with it and start again"),
        ("", "Service") => Replacement::Asked("; it does not answer meanwhile, and its address changes"),
        _ => Replacement::Asked(""),
    }
}

fn refuse_unasked(live: &Value, why: &str, cost: &str) -> Outcome {
    Outcome::Refuse {
        why: format!("{}: {why}", title(live)),
        hint: format!("--recreate {} deletes it and makes it anew{cost}", argument(live)),
    }
}

/// `spec.selector cannot change in place`, of many fields the first three.
fn cannot_change(changed: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = changed[..changed.len().min(SHOWN)].join(", ");
    match changed.len().saturating_sub(SHOWN) {
        0 => format!("{shown} cannot change in place"),
        more => format!("{shown} and {more} more cannot change in place"),
    }
}

/// `StatefulSet observability/obs-loki`
fn title(object: &Value) -> String {
    ObjectId::of(object).to_string()
}

/// `StatefulSet/obs-loki`, as a flag takes it.
fn argument(object: &Value) -> String {
    let ObjectId { kind, name, .. } = ObjectId::of(object);
    format!("{kind}/{name}")
}

fn group_kind(object: &Value) -> (&str, &str) {
    let (group, _) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
    (group, object["kind"].as_str().unwrap_or_default())
}
