//! What happens to one object, and what stands in the way of it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::immutable::{self, Outcome};
use super::ownership::{
    additions, applied_last, conflicts, conflicts_with_ourselves, given_up, is_applied_at_all, is_ours,
    is_settled, made_by_hand, must_carry_over, owners, scaled_elsewhere, taken, takeover, without_emptied,
};
use super::{Change, Refusal, Rules, Step, crd, generated, is_going, local, managers, wave};
use super::{Conflict, Owner};
use crate::diff;
use crate::object::{Object, labels};
use crate::readiness::vanishes_when_done;
use crate::release::{Entry, EntryState};

/// What decides besides the object itself.
pub struct All<'a> {
    /// All desired objects.
    pub desired: &'a [Object],
    /// Live volume claims by namespace.
    pub claims: BTreeMap<&'a str, Vec<Value>>,
    /// What is allowed.
    pub rules: &'a Rules<'a>,
}

/// Decides about `object`, whose live counterpart is `live`.
pub fn step(object: &Object, live: Option<&Value>, all: &All<'_>) -> Step {
    // replicas that an autoscaler decides are not ours to set
    let object = scaled_elsewhere(object, all.desired, all.rules.autoscalers, live).into_owned();
    // what is being deleted counts as gone; a namespace takes all in it along, and is waited for elsewhere
    let going = live.filter(|live| is_going(live) && object.kind() != "Namespace");
    let component = object.label(labels::OBS_COMPONENT).unwrap_or_default().to_owned();
    let entry = |live: &Value| Entry {
        uid: live["metadata"]["uid"].as_str().map(str::to_owned),
        ..Entry::new(object.id(), &component, EntryState::Active)
    };
    let (going, live) = (going.map(entry), live.filter(|_| going.is_none()));
    let mut step = Step {
        wave: wave(object.kind()),
        component,
        going,
        uid: live.and_then(|v| v["metadata"]["uid"].as_str()).map(str::to_owned),
        change: change(&object, live, all.rules),
        takes_over: false,
        asked: false,
        certain: false,
        admitted: false,
        direct: None,
        first: None,
        kept: Vec::new(),
        follows: Vec::new(),
        moved: live.is_some_and(|live| must_carry_over(live, object.api_version())),
        object,
        conflicts: Vec::new(),
        force: false,
        owners: BTreeMap::new(),
        refusal: None,
        grow: Vec::new(),
        helm: None,
    };
    match live {
        Some(live) if step.change.writes() => {
            step.takes_over = takes_over(&step.change, live, all.rules);
            if step.takes_over
                && let Change::Update(fields) | Change::Adopt(fields) = &mut step.change
            {
                let filled = generated::with_live_values(&step.object, live);
                add_removals(fields, filled.as_ref().unwrap_or(&step.object).value(), live);
            }
            match step.takes_over {
                // what was theirs and is not desired goes, too
                true => meet_immutable_fields(&mut step, &taken(live), all),
                false => meet_immutable_fields(&mut step, live, all),
            }
            meet_others(&mut step, live, all.rules);
            step.certain = is_certain(&step, live, all.rules);
        }
        Some(live) if matches!(step.change, Change::Foreign(_)) => {
            step.refusal = belongs_elsewhere(live, &step.object);
            if step.object.kind() == "CustomResourceDefinition"
                && let Some(crd::Problem { why, hint }) = crd::unusable(step.object.value(), live)
            {
                step.refusal = Some(Refusal::new(why, hint));
            }
        }
        _ => {}
    }
    step
}

fn change(object: &Object, live: Option<&Value>, rules: &Rules<'_>) -> Change {
    let Some(live) = live else {
        let done = vanishes_when_done(object.value()) && rules.deployed.contains(object.value());
        return if done { Change::Unchanged } else { Change::Create };
    };
    let mut ours = is_ours(live, object);
    if object.kind() == "Namespace" && !ours {
        return Change::Use;
    }
    if object.kind() == "CustomResourceDefinition" {
        match definition(object, live, ours, rules) {
            Definition::Used => return Change::Use,
            Definition::Ours => ours = true,
            Definition::Foreign => ours = false,
            Definition::TooNew => return Change::Foreign(managers(live)),
        }
    }
    if !ours && (!rules.adopt || other_release(live, object).is_some()) {
        return Change::Foreign(managers(live));
    }
    let filled = generated::with_live_values(object, live);
    let desired = filled.as_ref().unwrap_or(object).value();
    let complete = !generated::lacks(object, live);
    let restored = !rules.force_conflicts || additions(desired, live).is_empty();
    if ours && complete && restored && is_settled(desired, live) {
        return Change::Unchanged;
    }
    let mut fields = diff::fields(live, desired, diff::Scope::Desired);
    let known: Vec<String> = fields.iter().map(|field| field.path.clone()).collect();
    fields.extend(given_up(desired, live, labels::MANAGER).into_iter().filter(|f| !known.contains(&f.path)));
    if ours { Change::Update(fields) } else { Change::Adopt(fields) }
}

/// Is the prediction what the server would say? Where it was applied just so before and differs all the
/// same, something else has a say: then no.
fn is_certain(step: &Step, live: &Value, rules: &Rules<'_>) -> bool {
    let Change::Update(fields) = &step.change else { return false };
    let content = local::check(&step.object).is_some();
    let text = |field: &diff::Change| {
        let values = [&field.from, &field.to].into_iter().flatten();
        match &field.steps[..] {
            [diff::Step::Key(metadata), diff::Step::Key(kind), diff::Step::Key(_)]
                if metadata == "metadata" =>
            {
                matches!(kind.as_str(), "labels" | "annotations") && values.into_iter().all(Value::is_string)
            }
            [diff::Step::Key(data), diff::Step::Key(_)] => {
                content
                    && matches!(data.as_str(), "data" | "binaryData")
                    && values.into_iter().all(Value::is_string)
            }
            _ => false,
        }
    };
    !fields.is_empty()
        && fields.iter().all(text)
        && local::has_plain_metadata(&step.object)
        && !rules.applied.contains(&step.object.id())
        && !step.takes_over
        && !step.moved
        && step.refusal.is_none()
        && step.conflicts.is_empty()
        && step.owners.is_empty()
        && without_emptied(step.object.value(), live).is_none()
        && is_settled_but_for_texts(step.object.value(), live)
}

/// Is all but labels, annotations and content as another apply would leave it?
fn is_settled_but_for_texts(desired: &Value, live: &Value) -> bool {
    let Some(last) = applied_last(live) else { return false };
    let mut rest = desired.clone();
    for (at, key) in [("/metadata", "labels"), ("/metadata", "annotations"), ("", "data"), ("", "binaryData")]
    {
        let Some(map) = rest.pointer_mut(at).and_then(Value::as_object_mut) else { return false };
        match last.pointer(at).and_then(|map| map.get(key)) {
            Some(value) => drop(map.insert(key.to_owned(), value.clone())),
            None => drop(map.shift_remove(key)),
        }
    }
    is_settled(&rest, live)
}

/// Why an object's name is not to be had, when another release has it.
pub fn belongs_elsewhere(live: &Value, object: &Object) -> Option<Refusal> {
    let (release, namespace) = other_release(live, object)?;
    Some(Refusal::new(
        format!("{} belongs to release {release} in namespace {namespace}", object.id()),
        format!(
            "choose another --release or namespace, or remove that one: kubectl obs uninstall --release {release} \
             -n {namespace}"
        ),
    ))
}

/// The release and its namespace, when the live object belongs to another one of ours: names of
/// cluster-scoped objects join both, and `a-b` with `c` is `a` with `b-c`. A definition is the cluster's.
fn other_release(live: &Value, object: &Object) -> Option<(String, String)> {
    let label = |key: &str| live["metadata"]["labels"][key].as_str().map(str::to_owned);
    let by_us = label(labels::MANAGED_BY).as_deref() == Some(labels::MANAGER);
    let found = label(labels::RELEASE).zip(label(labels::RELEASE_NAMESPACE));
    found.filter(|_| by_us && !is_ours(live, object) && object.kind() != "CustomResourceDefinition")
}

/// Do the fields that kubectl and Helm own become ours first? Those of an object of others that is
/// adopted; of one with our labels that we never applied (`kubectl obs template | kubectl apply`); and
/// what people changed, when they are told to lose it.
fn takes_over(change: &Change, live: &Value, rules: &Rules<'_>) -> bool {
    match change {
        Change::Adopt(_) => true,
        Change::Update(_) => made_by_hand(live) && (rules.force_conflicts || !is_applied_at_all(live)),
        _ => false,
    }
}

/// Adds what goes when the fields of kubectl and Helm are taken over.
pub(super) fn add_removals(fields: &mut Vec<diff::Change>, desired: &Value, live: &Value) {
    for addition in additions(desired, live) {
        if !fields.iter().any(|field| field.path == addition.change.path) {
            fields.push(addition.change);
        }
    }
}

/// A CustomResourceDefinition belongs to the cluster, not to a release.
enum Definition {
    /// It serves what is needed and stays as it is.
    Used,
    /// It is changed: it is this release's, or another one's that is older.
    Ours,
    /// It is another tool's, and not enough or to be taken over.
    Foreign,
    /// It is too new for what is needed, and never goes back.
    TooNew,
}

/// Whose definition is it? One that another tool manages is used if it serves what is needed. One
/// that any release manages goes forward with whoever brings a newer version, and never back.
fn definition(object: &Object, live: &Value, ours: bool, rules: &Rules<'_>) -> Definition {
    let serves = crd::serves(live, object.value());
    if crd::is_foreign(live) {
        return if serves && !rules.adopt { Definition::Used } else { Definition::Foreign };
    }
    let version = |text: Option<&str>| Version::parse(text?.trim_start_matches('v')).ok();
    let wanted = version(object.label(labels::VERSION));
    let running = version(live["metadata"]["labels"][labels::VERSION].as_str());
    match wanted.zip(running).map(|(wanted, running)| wanted.cmp(&running)) {
        Some(Ordering::Less) if serves => Definition::Used,
        Some(Ordering::Less) => Definition::TooNew,
        Some(Ordering::Greater) => Definition::Ours,
        _ if ours || !serves => Definition::Ours,
        _ => Definition::Used,
    }
}

/// Fields that cannot change in place.
fn meet_immutable_fields(step: &mut Step, live: &Value, all: &All<'_>) {
    let namespace = step.object.namespace().unwrap_or_default();
    let around = immutable::Around {
        claims: all.claims.get(namespace).map_or(&[], Vec::as_slice),
        classes: all.rules.classes,
        recreate_allowed: all.rules.may_recreate(&step.object),
    };
    match immutable::judge(step.object.value(), live, &around) {
        Outcome::InPlace => {}
        Outcome::Grow(grow) => step.grow = grow,
        Outcome::Recreate { orphan, grow, why } => {
            step.grow = grow;
            let fields = step.change.fields().to_vec();
            step.change = Change::Recreate { fields, orphan, why };
        }
        Outcome::Refuse { why, hint } => step.refusal = Some(Refusal::new(why, hint)),
    }
}

/// Who else has a say in the fields that change?
fn meet_others(step: &mut Step, live: &Value, rules: &Rules<'_>) {
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value();
    for change in step.change.fields() {
        if let Some(owner) = owners(live, change).into_iter().find(|owner| !owner.is_us()) {
            step.owners.insert(change.path.clone(), owner);
        }
    }
    // what is made anew has no owners yet
    if matches!(step.change, Change::Recreate { .. }) {
        return;
    }
    let mut found = conflicts(desired, live);
    if step.takes_over {
        found.retain(|conflict| !conflict.owner.goes_over());
    } else {
        found.extend(held_by_hand(desired, live, live));
    }
    if matches!(step.change, Change::Adopt(_)) {
        step.helm = takeover(live).and_then(|takeover| takeover.helm);
    }
    // what we wrote by other means than apply is nobody's decision against ours
    let own = !conflicts_with_ourselves(desired, live).is_empty();
    meet_conflicts(step, found, own, rules);
}

/// May the fields in conflict be taken? `own`: is any of them ours, by another write than an apply?
pub(super) fn meet_conflicts(step: &mut Step, found: Vec<Conflict>, own: bool, rules: &Rules<'_>) {
    let by_people = found.iter().all(|conflict| conflict.owner.gives_way());
    step.force = if found.is_empty() { own } else { rules.force_conflicts && by_people };
    step.conflicts = found;
}

/// What we applied and no longer want, and stays because a person's tool owns it, too: as much a
/// decision against ours as another value. `after` is the object once we have given it up.
pub(super) fn held_by_hand(desired: &Value, live: &Value, after: &Value) -> Vec<Conflict> {
    let held = given_up(desired, live, labels::MANAGER).into_iter().filter_map(|change| {
        let owner = owners(after, &change).into_iter().find(Owner::is_hand_tool)?;
        let field = format!(".{}", change.path);
        Some(Conflict { path: change.path, field, owner, ours: None, live: change.from })
    });
    held.collect()
}
