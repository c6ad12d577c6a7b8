//! Planning: (desired objects, live objects, earlier inventories) → what will happen to each
//! object, in waves, and what goes. Pure.
//!
//! An object is known to be unchanged when our managedFields entry owns exactly what is desired, and
//! every value is live as it is written (`ownership/exact.rs`). Everything else is a prediction until the
//! server was asked: `ops::ask` sends the dry-run, and `answer.rs` makes of it what happens. Where an
//! apply would leave something else than an install, `outcome.rs` says what is written in its place.

mod admission;
mod answer;
pub mod append_only;
mod complaint;
pub mod crd;
pub mod data_format;
mod decide;
pub mod effects;
pub mod generated;
pub mod immutable;
pub mod local;
mod order;
mod outcome;
mod ownership;
mod reach;
pub mod retention;
mod successor;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use admission::Admission;
pub use answer::{
    Kept, Said, accepted, blocked_by_hand, changes, directly, in_two_steps, is_leftover, obstacles, refused,
};
pub use complaint::named_in;
pub use decide::belongs_elsewhere;
use immutable::Growth;
pub use order::{WAVES, removal_rank, wave};
pub use outcome::{Answers, Outcome, has_written, suits};
pub use ownership::{
    Addition, Conflict, HelmRelease, Owner, Takeover, additions, applied_last, at_once, carry_over,
    conflicts, conflicts_with_ourselves, empties, given_up, has_empty, is_applied, is_applied_at_all,
    is_hand_tool, is_ours, is_settled, must_carry_over, own, owners, owns_more_than, scaled_elsewhere, taken,
    takeover, without_emptied,
};
pub use reach::reach;
pub use successor::must_go_first;

use crate::diff;
use crate::error::Error;
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
    /// Somebody else's object of that name is taken over: the fields that change.
    Adopt(Vec<diff::Change>),
    /// It is deleted and made anew.
    Recreate {
        /// The fields that change.
        fields: Vec<diff::Change>,
        /// Do its pods stay, for the new one to take over?
        orphan: bool,
        /// Which fields cannot change in place.
        why: String,
    },
    /// Somebody else's object has the name; who manages it.
    Foreign(Vec<String>),
    /// It is as it should be: nothing is sent.
    Unchanged,
    /// A Namespace or CustomResourceDefinition of others that serves: used as it is.
    Use,
}

impl Change {
    /// Is anything sent for it?
    pub fn writes(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_) | Self::Adopt(_) | Self::Recreate { .. })
    }

    /// The fields that change.
    pub fn fields(&self) -> &[diff::Change] {
        match self {
            Self::Update(fields) | Self::Adopt(fields) | Self::Recreate { fields, .. } => fields,
            _ => &[],
        }
    }
}

/// What a plan may do beyond what is safe without asking, and what it should know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Take over objects that are not ours.
    pub adopt: bool,
    /// Take back fields that people set with kubectl or Helm.
    pub force_conflicts: bool,
    /// Objects that may be deleted and made anew, as `KIND/NAME`.
    pub recreate: &'a [String],
    /// Live StorageClasses; empty when they may not be read.
    pub classes: &'a [Value],
    /// Objects as the deployed revision recorded them: a Job of them that is gone has done its work.
    pub deployed: &'a [Value],
    /// Live HorizontalPodAutoscalers and ScaledObjects of the release's namespaces.
    pub autoscalers: &'a [Value],
    /// Objects that are desired just as they were applied last, by a revision that came to its end.
    pub applied: Applied<'a>,
}

/// Identities of objects; none where nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Applied<'a>(pub Option<&'a BTreeSet<ObjectId>>);

impl Applied<'_> {
    fn contains(&self, id: &ObjectId) -> bool {
        self.0.is_some_and(|known| known.contains(id))
    }
}

impl Rules<'_> {
    /// Did a person name this object with `--recreate`?
    pub fn may_recreate(&self, object: &Object) -> bool {
        let named = format!("{}/{}", object.kind(), object.name());
        self.recreate.iter().any(|name| name.eq_ignore_ascii_case(&named))
    }
}

/// Why something cannot be done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What, to which object, why.
    pub why: String,
    /// What else there is to say, a line each.
    pub details: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Refusal {
    /// With one hint.
    pub fn new(why: String, hint: String) -> Self {
        Self { why, details: Vec::new(), hints: vec![hint] }
    }
}

impl From<Refusal> for Error {
    fn from(Refusal { why, details, hints }: Refusal) -> Self {
        let error = details.into_iter().fold(Self::failed(why), Self::detail);
        hints.into_iter().fold(error, Self::hint)
    }
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
    /// Fields that others own and that would have to be taken from them.
    pub conflicts: Vec<Conflict>,
    /// Take them: all of their owners are people's tools, or this tool by other means than apply.
    pub force: bool,
    /// Who owns the live value of a field that changes, by its path.
    pub owners: BTreeMap<String, Owner>,
    /// Why it cannot be done, and what to do about it.
    pub refusal: Option<Refusal>,
    /// Do the fields that kubectl and Helm own become ours before it is applied?
    pub takes_over: bool,
    /// Is this the server's answer to a dry-run? Else what changes is a prediction.
    pub asked: bool,
    /// Do nothing but texts change that the server stores as they are (labels, annotations, the content
    /// of a ConfigMap)? Then the prediction is what it would say.
    pub certain: bool,
    /// May an admission webhook or policy have a say in it? Then nothing about it is certain here.
    pub admitted: bool,
    /// What is written in place of an apply, where that would leave something else than an install does.
    pub direct: Option<Direct>,
    /// Is applied before the object itself where it is taken over: without the maps of ours that become
    /// empty ones.
    pub first: Option<Object>,
    /// What we no longer want and stays all the same.
    pub kept: Vec<Kept>,
    /// What the server changes along with it.
    pub follows: Vec<diff::Change>,
    /// Its namesake that is being deleted: waited for before it is made again.
    pub going: Option<Entry>,
    /// Claims that become larger: before a StatefulSet is made anew, or by the step itself.
    pub grow: Vec<Growth>,
    /// Was it applied last in another API version than now?
    pub moved: bool,
    /// Of an object that is taken over: the Helm release that it belonged to.
    pub helm: Option<HelmRelease>,
}

/// A change that no apply makes: its outcome, see [`Outcome`], which the server was asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Direct {
    /// The object that it changes.
    pub live: Value,
    /// What makes the outcome of it: operations of a JSON patch.
    pub patch: Vec<Value>,
    /// Our entry of managedFields afterwards: what an install would own.
    pub own: Value,
}

impl Step {
    /// Fields that stand in the way: they are not to be taken, or not without being told to.
    pub fn obstacles(&self) -> &[Conflict] {
        if self.force { &[] } else { &self.conflicts }
    }
}

/// What an operation will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Desired objects in the order of their waves.
    pub steps: Vec<Step>,
    /// Live objects that go before anything is applied: their successors want the same volume or
    /// the same port of the node.
    pub first: Vec<Entry>,
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
            Change::Update(_) | Change::Adopt(_) | Change::Recreate { .. } => (c, u + 1, n),
            Change::Unchanged | Change::Use | Change::Foreign(_) => (c, u, n + 1),
        })
    }

    /// Does it write nothing at all?
    pub fn is_empty(&self) -> bool {
        self.prune.is_empty()
            && self.first.is_empty()
            && self.steps.iter().all(|step| matches!(step.change, Change::Unchanged | Change::Use))
    }

    /// The inventory of the new revision: all desired objects but used namespaces, what is kept,
    /// and what is yet to be pruned.
    pub fn inventory(&self) -> Vec<Entry> {
        let active = self.steps.iter().filter(|step| step.change != Change::Use).map(|step| Entry {
            uid: step.uid.clone(),
            ..Entry::new(step.object.id(), &step.component, EntryState::Active)
        });
        let kept = self.keep.iter().map(|entry| Entry { state: EntryState::Kept, ..entry.clone() });
        let leftover = self
            .first
            .iter()
            .chain(&self.prune)
            .map(|entry| Entry { state: EntryState::Leftover, ..entry.clone() });
        active.chain(kept).chain(leftover).collect()
    }
}

/// Makes the plan. `live` holds every live object that carries the release's labels, and every
/// live object that has the identity of a desired one. `earlier` are the entries of the prune
/// baseline.
pub fn plan(desired: &[Object], live: &Live, earlier: &[Entry], rules: &Rules<'_>) -> Plan {
    let mut claims: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (id, value) in live.iter().filter(|(id, _)| id.kind == "PersistentVolumeClaim") {
        claims.entry(id.namespace.as_deref().unwrap_or_default()).or_default().push(value.clone());
    }
    let all = decide::All { desired, claims, rules };
    let mut steps: Vec<Step> =
        desired.iter().map(|object| decide::step(object, live.get(&object.id()), &all)).collect();
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
        let made_anew =
            |step: &Step| step.change == Change::Create && must_go_first(current, step.object.value());
        if entry.state == EntryState::Kept || stays(current) {
            plan.keep.push(entry);
        } else if plan.steps.iter().any(made_anew) {
            plan.first.push(entry);
        } else {
            plan.prune.push(entry);
        }
    }
    let left =
        plan.first.iter().chain(&plan.prune).flat_map(|entry| claims_of(entry, live)).collect::<Vec<_>>();
    for entry in left {
        if !plan.keep.iter().any(|kept| kept.id() == entry.id()) {
            plan.keep.push(entry);
        }
    }
    plan.prune.sort_by_key(|entry| removal_rank(&entry.kind));
    plan
}

/// The claims that a StatefulSet leaves behind when it goes.
fn claims_of(entry: &Entry, live: &Live) -> Vec<Entry> {
    let templates = live.get(&entry.id()).map(|set| &set["spec"]["volumeClaimTemplates"]);
    let prefixes: Vec<String> = templates
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|template| Some(format!("{}-{}-", template["metadata"]["name"].as_str()?, entry.name)))
        .collect();
    let of_set = |id: &ObjectId| {
        let number = prefixes.iter().find_map(|prefix| id.name.strip_prefix(prefix.as_str()));
        id.kind == "PersistentVolumeClaim"
            && id.namespace == entry.namespace
            && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let claims = live.iter().filter(|(id, _)| of_set(id));
    claims
        .map(|(id, claim)| Entry {
            uid: claim["metadata"]["uid"].as_str().map(str::to_owned),
            ..Entry::new(id.clone(), &entry.component, EntryState::Kept)
        })
        .collect()
}

/// Is it being deleted? It is there no more, only its name is not free yet.
pub fn is_going(live: &Value) -> bool {
    live["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// Is this an object that only `--delete-data` removes (or nothing at all)?
pub fn stays(live: &Value) -> bool {
    let annotated = |key: &str| live["metadata"]["annotations"].get(key).is_some();
    let kinds = ["PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"];
    kinds.iter().any(|kind| live["kind"] == *kind)
        || live["metadata"]["annotations"][labels::KEEP] == "true"
        || (live["kind"] == "Secret" && annotated(labels::GENERATED))
}

/// Who manages an object, other than this tool: from its managedFields.
pub fn managers(live: &Value) -> Vec<String> {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let names: BTreeSet<&str> = entries
        .filter_map(|entry| entry["manager"].as_str())
        .filter(|manager| *manager != labels::MANAGER && !manager.starts_with(labels::CREATOR))
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
