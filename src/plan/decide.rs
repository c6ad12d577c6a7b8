//! What happens to one object, and what stands in the way of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ownership::{
    Conflict, conflicts, conflicts_with_ourselves, is_ours, owners, owns_more_than, scaled_elsewhere, takeover,
};
use super::{Change, Rules, Step, generated, managers, wave};
use crate::diff;
use crate::object::{Object, labels};

/// Decides about `object`, one of `all`, whose live counterpart is `live`.
pub fn step(object: &Object, all: &[Object], live: Option<&Value>, rules: &Rules<'_>) -> Step {
    // replicas that an autoscaler decides are not ours to set
    let object = scaled_elsewhere(object, all, rules.autoscalers, live).into_owned();
    let change = change(&object, live, rules);
    let mut step = Step {
        wave: wave(object.kind()),
        component: object.label(labels::OBS_COMPONENT).unwrap_or_default().to_owned(),
        uid: live.and_then(|v| v["metadata"]["uid"].as_str()).map(str::to_owned),
        conflicts: Vec::new(),
        force: false,
        owners: BTreeMap::new(),
        helm: None,
        change,
        object,
    };
    if let (Some(live), true) = (live, step.change.writes()) {
        meet_others(&mut step, live, rules);
    }
    step
}

fn change(object: &Object, live: Option<&Value>, rules: &Rules<'_>) -> Change {
    let Some(live) = live else { return Change::Create };
    let ours = is_ours(live, object);
    if object.kind() == "Namespace" && !ours {
        return Change::Use;
    }
    if !ours && !rules.adopt {
        return Change::Foreign(managers(live));
    }
    let filled = generated::with_live_values(object, live);
    let desired = filled.as_ref().unwrap_or(object).value();
    if ours && diff::equal_subset(desired, live) && !owns_more_than(desired, live, labels::MANAGER) {
        return Change::Unchanged;
    }
    let fields = diff::fields(live, desired, diff::Scope::Desired);
    if ours { Change::Update(fields) } else { Change::Adopt(fields) }
}

/// Who else has a say in the fields that change?
fn meet_others(step: &mut Step, live: &Value, rules: &Rules<'_>) {
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value();
    let mut found = conflicts(desired, live);
    let adopting = matches!(step.change, Change::Adopt(_));
    if adopting {
        // what kubectl and Helm own comes with the object
        found.retain(|conflict| !(conflict.owner.is_hand_tool() && conflict.owner.subresource.is_none()));
        step.helm = takeover(live).and_then(|takeover| takeover.helm);
    }
    let by_people = |conflict: &Conflict| conflict.owner.is_hand_tool();
    // what we wrote by other means than apply is nobody's decision against ours
    let own = !conflicts_with_ourselves(desired, live).is_empty();
    step.force = if found.is_empty() { own } else { rules.force_conflicts && found.iter().all(by_people) };
    step.conflicts = found;
    for change in step.change.fields() {
        if let Some(owner) = owners(live, change).into_iter().find(|owner| !owner.is_us()) {
            step.owners.insert(change.path.clone(), owner);
        }
    }
}
