//! Planning: (desired objects, live objects, earlier inventories) → what will happen to each
//! object, in waves, and what goes. Pure; the server's own opinion (dry-run) is added later by
//! `ops`.

pub mod crd;
pub mod data_format;
pub mod immutable;
pub mod local;
mod order;
mod ownership;
mod successor;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use order::{WAVES, removal_rank, wave};
pub use ownership::{is_ours, owns_more_than};
pub use successor::must_go_first;

use crate::diff;
use crate::object::{Object, ObjectId, labels};
use crate::release::{Entry, EntryState};

/// Live objects by identity.
pub type Live = BTreeMap<ObjectId, Value>;

/// What will happen to one desired object.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is not there yet.
    Create,
    /// It differs: the fields that change (empty when only ownership changes).
    Update(Vec<diff::Change>),
    /// It is as it should be: nothing is sent.
    Unchanged,
    /// A namespace that was there before and is not ours: used as it is.
    Use,
}

/// One desired object and what happens to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// As it should be.
    pub object: Object,
    /// What happens.
    pub change: Change,
    /// When: see [`wave`].
    pub wave: usize,
    /// The component that it belongs to.
    pub component: String,
    /// The live object's uid, for updates.
    pub uid: Option<String>,
}

/// What an operation will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Desired objects in the order of their waves.
    pub steps: Vec<Step>,
    /// Live objects that no longer belong to the release and go, in the order of their removal.
    pub prune: Vec<Entry>,
    /// Live objects that no longer belong to it and stay: volumes, their secrets, kept objects.
    pub keep: Vec<Entry>,
}

impl Plan {
    /// How many objects are created, updated, unchanged.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.steps.iter().fold((0, 0, 0), |(c, u, n), step| match step.change {
            Change::Create => (c + 1, u, n),
            Change::Update(_) => (c, u + 1, n),
            Change::Unchanged | Change::Use => (c, u, n + 1),
        })
    }

    /// The inventory of the new revision: all desired objects but used namespaces, what is kept,
    /// and what is yet to be pruned.
    pub fn inventory(&self) -> Vec<Entry> {
        let active = self.steps.iter().filter(|step| step.change != Change::Use).map(|step| Entry {
            uid: step.uid.clone(),
            ..Entry::new(step.object.id(), &step.component, EntryState::Active)
        });
        let kept = self.keep.iter().map(|entry| Entry { state: EntryState::Kept, ..entry.clone() });
        let leftover = self.prune.iter().map(|entry| Entry { state: EntryState::Leftover, ..entry.clone() });
        active.chain(kept).chain(leftover).collect()
    }
}

/// Makes the plan. `live` holds every live object that carries the release's labels, and every
/// live object that has the identity of a desired one where it is known. `earlier` are the
/// entries of the prune baseline.
pub fn plan(desired: &[Object], live: &Live, earlier: &[Entry]) -> Plan {
    let mut steps: Vec<Step> = desired
        .iter()
        .map(|object| {
            let current = live.get(&object.id());
            Step {
                object: object.clone(),
                change: change(object, current),
                wave: wave(object.kind()),
                component: object.label(labels::OBS_COMPONENT).unwrap_or_default().to_owned(),
                uid: current.and_then(|v| v["metadata"]["uid"].as_str()).map(str::to_owned),
            }
        })
        .collect();
    steps.sort_by_key(|step| step.wave);

    let wanted: BTreeSet<ObjectId> = desired.iter().map(Object::id).collect();
    let mut plan = Plan { steps, ..Plan::default() };
    for entry in earlier {
        let id = entry.id();
        if wanted.contains(&id) {
            continue;
        }
        // gone already, or somebody else's by now: nothing to prune
        let Some(current) = live.get(&id) else { continue };
        let entry = Entry { uid: current["metadata"]["uid"].as_str().map(str::to_owned), ..entry.clone() };
        if entry.state == EntryState::Kept || stays(current) {
            plan.keep.push(entry);
        } else {
            plan.prune.push(entry);
        }
    }
    plan.prune.sort_by_key(|entry| removal_rank(&entry.kind));
    plan
}

/// Is this an object that only `--delete-data` removes (or nothing at all)?
pub fn stays(live: &Value) -> bool {
    let annotated = |key: &str| live["metadata"]["annotations"].get(key).is_some();
    matches!(live["kind"].as_str(), Some("PersistentVolumeClaim" | "CustomResourceDefinition" | "Namespace"))
        || live["metadata"]["annotations"][labels::KEEP] == "true"
        || (live["kind"] == "Secret" && annotated(labels::GENERATED))
}

fn change(object: &Object, live: Option<&Value>) -> Change {
    let Some(live) = live else { return Change::Create };
    if object.kind() == "Namespace" && !is_ours(live, object) {
        return Change::Use;
    }
    if is_ours(live, object)
        && diff::equal_subset(object.value(), live)
        && !owns_more_than(object.value(), live, labels::MANAGER)
    {
        return Change::Unchanged;
    }
    Change::Update(diff::fields(live, object.value(), diff::Scope::Desired))
}

#[cfg(test)]
mod tests;
