//! What a step becomes once the server was asked: its answer to the dry-run, compared with the live
//! object as values. Pure; `ops::ask` sends the requests.

use serde_json::Value;

use super::complaint::complained_of;
use super::decide::{add_removals, held_by_hand, meet_conflicts};
use super::immutable;
use super::ownership::{additions, given_up_with_empty, is_applied, owns_the_same};
use super::{
    Addition, Change, Conflict, Direct, Outcome, Owner, Refusal, Rules, Step, conflicts, generated, owners,
};
use crate::diff::{self, Scope};
use crate::object::{MASK, applied_entry, labels};

/// A field that we applied, do not want any more, and that stays.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The field, with its value.
    pub change: diff::Change,
    /// Who else owns it; None: the server keeps it.
    pub owner: Option<Owner>,
}

/// A conflict in the server's words: which field, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// For example `.spec.replicas`.
    pub field: String,
    /// For example `kubectl-edit`.
    pub manager: String,
}

/// The server would make `after` of the live object. `said`: it would have to be forced to, against
/// these managers.
pub fn accepted(step: &mut Step, live: &Value, after: &Value, said: &[Said], rules: &Rules<'_>) {
    step.asked = true;
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value();
    let (fields, follows) = changes(desired, live, after);
    step.refusal = None;
    let nothing = fields.is_empty()
        && owns_the_same(live, after)
        && !generated::lacks(&step.object, live)
        && !matches!(step.change, Change::Adopt(_));
    if nothing {
        step.change = Change::Unchanged;
        step.conflicts.clear();
        return;
    }
    step.kept = kept(desired, live, after);
    let found = obstacles(step, live, after, said);
    answer(step, live, (fields, follows), found, said, rules);
}

/// Writes down what changes, what follows, and who stands against it.
fn answer(
    step: &mut Step,
    live: &Value,
    (fields, follows): (Vec<diff::Change>, Vec<diff::Change>),
    found: Vec<Conflict>,
    said: &[Said],
    rules: &Rules<'_>,
) {
    step.owners = foreign_owners(&fields, live);
    step.follows = follows;
    step.change = match step.change {
        Change::Adopt(_) => Change::Adopt(fields),
        _ => Change::Update(fields),
    };
    let own = said.iter().any(|one| one.manager == labels::MANAGER);
    meet_conflicts(step, found, own, rules);
}

/// The server would make `after` of the live object by the outcome's patch.
pub fn directly(
    step: &mut Step,
    (live, after): (&Value, &Value),
    (outcome, patch): (&Outcome, Vec<Value>),
    fresh: &Value,
    found: (Vec<Conflict>, &[Said]),
    rules: &Rules<'_>,
) {
    step.asked = true;
    step.refusal = None;
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value().clone();
    let (mut fields, follows) = changes(&desired, live, after);
    let within =
        |a: &diff::Change, b: &diff::Change| a.steps.starts_with(&b.steps) || b.steps.starts_with(&a.steps);
    // what nobody owned and the outcome changes is no choice of the server
    let (edited, follows): (Vec<_>, Vec<_>) =
        follows.into_iter().partition(|change| outcome.edits().any(|edit| within(edit, change)));
    fields.extend(edited);
    let own = applied_entry(fresh, labels::MANAGER).cloned().unwrap_or_default();
    let same_owner = applied_entry(live, labels::MANAGER).is_some_and(|entry| {
        entry["fieldsV1"] == own["fieldsV1"] && entry["apiVersion"] == own["apiVersion"]
    });
    if fields.is_empty() && same_owner && !matches!(step.change, Change::Adopt(_)) {
        step.change = Change::Unchanged;
        step.conflicts.clear();
        return;
    }
    step.kept = kept(&desired, live, after);
    step.kept.retain(|kept| kept.owner.is_some() || is_leftover(kept, fresh));
    answer(step, live, (fields, follows), found.0, found.1, rules);
    step.direct = Some(Direct { live: live.clone(), patch, own });
}

/// Writes down what changes of an object that is taken over from kubectl and Helm: their fields become ours
/// first, and go with the apply, so that the server cannot be asked. `after` is what an apply alone would
/// leave; where the server takes none, what it makes of the object under another name, where nothing is yet.
pub fn in_two_steps(step: &mut Step, live: &Value, after: &Value, said: &[Said], rules: &Rules<'_>) {
    step.asked = true;
    step.refusal = None;
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value().clone();
    let elsewhere = after["metadata"]["name"] != live["metadata"]["name"];
    let mut after = after.clone();
    after["metadata"]["name"] = live["metadata"]["name"].clone();
    let (mut fields, mut follows) = changes(&desired, live, &after);
    if elsewhere {
        // of the rest nobody knows whether it is the server's choice for this object alone
        follows.retain(|change| change.from.is_none());
    }
    let mut found = told(said, &desired, live);
    if step.takes_over {
        add_removals(&mut fields, &desired, live);
        found.retain(|conflict| !conflict.owner.goes_over());
    }
    answer(step, live, (fields, follows), found, said, rules);
}

/// Who stands against an update: in the server's words, and people who hold what we give up.
pub fn obstacles(step: &Step, live: &Value, after: &Value, said: &[Said]) -> Vec<Conflict> {
    let filled = generated::with_live_values(&step.object, live);
    let desired = filled.as_ref().unwrap_or(&step.object).value();
    let mut found = told(said, desired, live);
    found.extend(held_by_hand(desired, live, after));
    found
}

/// Does the server refuse the object because of what people added to it with kubectl or Helm, beside a
/// field that it complains of? Then that stands in the way, and goes when they are told to lose it.
pub fn blocked_by_hand(step: &mut Step, live: &Value, complaints: &[String]) -> bool {
    let mut found = additions(step.object.value(), live);
    let beside = complained_of(complaints);
    found.retain(|addition| beside(&addition.change));
    if found.is_empty() {
        return false;
    }
    step.asked = true;
    step.refusal = None;
    let conflicts = found.into_iter().map(|Addition { change, owner }| Conflict {
        field: format!(".{}", change.path),
        path: change.path,
        owner,
        ours: None,
        live: change.from,
    });
    step.conflicts = conflicts.collect();
    step.force = false;
    true
}

/// The server refuses to change the object in place, and takes it where nothing is yet: it can only be
/// made anew.
pub fn refused(step: &mut Step, live: &Value, why: Refusal, rules: &Rules<'_>) {
    step.asked = true;
    step.refusal = None;
    match immutable::replace(live, &why.why, rules.may_recreate(&step.object)) {
        immutable::Outcome::Recreate { orphan, grow, why } => {
            step.grow = grow;
            let fields = step.change.fields().to_vec();
            step.change = Change::Recreate { fields, orphan, why };
            step.conflicts.clear();
        }
        immutable::Outcome::Refuse { hint, .. } => {
            step.refusal = Some(Refusal { hints: [vec![hint], why.hints].concat(), ..why });
        }
        immutable::Outcome::InPlace | immutable::Outcome::Grow(_) => step.refusal = Some(why),
    }
}

/// What changes because of us, and what the server changes along with it: fields that we neither want
/// nor had.
pub fn changes(desired: &Value, live: &Value, after: &Value) -> (Vec<diff::Change>, Vec<diff::Change>) {
    diff::fields(live, after, Scope::Exact).into_iter().partition(|change| {
        let wanted = diff::at(desired, &change.steps).is_some();
        wanted || is_applied(live, &change.steps) || is_applied(after, &change.steps)
    })
}

/// The first owner of each field that is not us.
fn foreign_owners(fields: &[diff::Change], live: &Value) -> std::collections::BTreeMap<String, Owner> {
    let of = |change: &diff::Change| owners(live, change).into_iter().find(|owner| !owner.is_us());
    fields.iter().filter_map(|change| Some((change.path.clone(), of(change)?))).collect()
}

/// What we give up and stays with its value, other than by a person's hand.
fn kept(desired: &Value, live: &Value, after: &Value) -> Vec<Kept> {
    let stays = |change: &diff::Change| {
        let value = |object| diff::at(object, &change.steps);
        value(after).is_some() && value(after) == value(live)
    };
    let given_up = given_up_with_empty(desired, live, labels::MANAGER).into_iter().filter(stays);
    given_up
        .filter_map(|change| {
            let owner = owners(after, &change).into_iter().find(|owner| !owner.is_us());
            let by_hand = owner.as_ref().is_some_and(Owner::is_hand_tool);
            (!by_hand).then_some(Kept { change, owner })
        })
        .collect()
}

/// Is it not what the server would have put there by itself? `fresh` is the desired object where
/// nothing was before.
pub fn is_leftover(kept: &Kept, fresh: &Value) -> bool {
    let there = diff::at(fresh, &kept.change.steps);
    there != kept.change.from.as_ref() || kept.change.secret
}

/// A conflict that managedFields do not explain: with what stands at the field that the server names.
fn unknown(said: &Said, desired: &Value, live: &Value) -> Conflict {
    let steps = server_steps(&said.field);
    let value = |object| diff::at(object, &steps).cloned();
    let secret = live["kind"] == "Secret";
    let shown = |value: Option<Value>| value.map(|value| if secret { Value::from(MASK) } else { value });
    Conflict {
        path: diff::path_text(&steps),
        field: said.field.clone(),
        owner: Owner { manager: said.manager.clone(), by_apply: false, time: None, subresource: None },
        ours: shown(value(desired)),
        live: shown(value(live)),
    }
}

/// `.spec.containers[name="main"].image` as steps (structured-merge-diff, fieldpath: PathElement).
fn server_steps(field: &str) -> Vec<diff::Step> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let Some((keys, after)) = inside.split_once(']') else { break };
            let pairs = keys.split(',').filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((key.to_owned(), serde_json::from_str(value).ok()?))
            });
            steps.push(match keys.parse() {
                Ok(index) => diff::Step::Index(index),
                Err(_) => diff::Step::Item(pairs.collect()),
            });
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len()).max(1).min(name.len());
            steps.push(diff::Step::Key(name[..end].to_owned()));
            rest = &name[end..];
        }
    }
    steps
}

/// The server's conflicts with what is known of their owners and values.
fn told(said: &[Said], desired: &Value, live: &Value) -> Vec<Conflict> {
    let known = conflicts(desired, live);
    said.iter()
        .filter(|one| one.manager != labels::MANAGER)
        .map(|one| {
            let found = known.iter().find(|c| c.field == one.field && c.owner.manager == one.manager);
            found.cloned().unwrap_or_else(|| unknown(one, desired, live))
        })
        .collect()
}
