//! What an operation will do, as a person or a machine reads it before it happens: object by object,
//! field by field, with the pods that restart. Secret values are masked when the plan is made.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Look;
use crate::diff::{self, Mark};
use crate::object::{ObjectId, labels};
use crate::ops::who;
use crate::plan::{Change, Conflict, Kept, Step, effects, reach};
use crate::release::Revision;
use crate::values::Traces;

/// What will happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The release.
    pub release: String,
    /// What is done: `upgrade`.
    pub verb: String,
    /// The present revision; None when there is none.
    pub from: Option<Revision>,
    /// The revision that will be made.
    pub to: Revision,
    /// Of a rollback: whose content it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_of: Option<Revision>,
    /// Of which components alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Objects that something happens to.
    pub changes: Vec<ObjectChange>,
    /// How many objects stay as they are.
    pub stay: usize,
    /// Pods that restart.
    pub restarts: Vec<String>,
    /// Data that may be lost.
    pub data_at_risk: Vec<String>,
    /// Where the bundle is from, with its digest, when a record of the release says so and nobody named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_source: Option<String>,
    /// What the records of the release add or grant beyond its namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<String>,
    /// The namespace of the node-level components, when it was there before and they are new in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_namespace: Option<String>,
    /// How many fields or objects stand in the way.
    pub conflicts: usize,
    /// Of how many objects the changes are predicted here, without the API server's answer.
    #[serde(skip_serializing_if = "is_none")]
    pub predicted: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What happens to one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// `create`, `update`, `recreate`, `adopt`, `delete`, `keep`, `conflict`.
    pub action: &'static str,
    /// Which object.
    pub object: ObjectId,
    /// A few words about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Fields that the release no longer wants and that stay: `spec.clusterIP stays: the server keeps it`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// `spec.template.spec.containers[grafana].image`
    pub path: String,
    /// The live value; masked when secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The wanted value; masked when secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// Is the value secret?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Who set the live value, if not this tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it leads to: `restarts 1 pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Does the server change it by itself, along with the others?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_server: bool,
}

impl Preview {
    /// Of a plan.
    pub fn of(look: &Look) -> Self {
        let plan = &look.plan;
        let mut changes = Vec::new();
        for step in &plan.steps {
            let live = look.around.live.get(&step.object.id());
            let action = match &step.change {
                Change::Create => "create",
                Change::Update(_) => "update",
                Change::Adopt(_) => "adopt",
                Change::Recreate { .. } => "recreate",
                Change::Foreign(_) => "conflict",
                Change::Unchanged | Change::Use => continue,
            };
            let free = step.obstacles().is_empty() && step.refusal.is_none();
            let action = if free { action } else { "conflict" };
            let restart = live.and_then(|live| effects::restart(step, live));
            let mut fields: Vec<Field> = step
                .change
                .fields()
                .iter()
                .map(|change| Field::new(change, step, restart.as_ref()))
                .collect();
            fields.extend(step.follows.iter().map(Field::of_server));
            for conflict in step.obstacles() {
                // of a value that is owned as a whole the parts that differ say more
                if fields.iter().all(|field| !field.path.starts_with(&conflict.path)) {
                    fields.push(Field::in_conflict(conflict));
                }
            }
            if let Some(field) = fields.iter_mut().find(|field| field.path.starts_with("spec.template"))
                && field.note.is_none()
                && let Some(restart) = &restart
            {
                field.note = Some(restart_note(restart.pods));
            }
            let (note, hint) = match &step.change {
                Change::Foreign(managers) if step.refusal.is_none() => (
                    Some(match managers.as_slice() {
                        [] => "exists already, and does not belong to the release".to_owned(),
                        managers => format!("exists already, managed by {}", managers.join(", ")),
                    }),
                    Some("--adopt takes it over; or remove it, or choose another --release".to_owned()),
                ),
                _ if step.refusal.is_some() => step.refusal.as_ref().map_or((None, None), |refusal| {
                    let own = format!("{}: ", step.object.id());
                    let why = refusal.why.trim_start_matches(own.as_str());
                    let lines: Vec<&str> =
                        std::iter::once(why).chain(refusal.details.iter().map(String::as_str)).collect();
                    let hints = (!refusal.hints.is_empty()).then(|| refusal.hints.join("\n"));
                    (Some(lines.join("; ")), hints)
                }),
                Change::Create if step.going.is_some() => {
                    (Some("its namesake is being deleted, and waited for".to_owned()), None)
                }
                Change::Recreate { orphan, why, .. } => (Some(recreated(step, *orphan, why)), None),
                _ if !step.obstacles().is_empty() => (
                    None,
                    Some("--force-conflicts takes back what people set; to keep the live value, set it in the values".to_owned()),
                ),
                Change::Adopt(_) => (step.helm.as_ref().map(|helm| {
                    format!("from Helm release {} in namespace {}", helm.name, helm.namespace)
                }), None),
                Change::Update(fields) if fields.is_empty() => (Some("only who owns its fields".to_owned()), None),
                _ => (None, None),
            };
            let kept = step.kept.iter().map(stays).collect();
            changes.push(ObjectChange { action, object: step.object.id(), note, fields, kept, hint });
        }
        for (action, entries) in [("delete", &plan.first), ("delete", &plan.prune), ("keep", &plan.keep)] {
            changes.extend(entries.iter().map(|entry| ObjectChange {
                action,
                object: entry.id(),
                note: None,
                fields: Vec::new(),
                kept: Vec::new(),
                hint: None,
            }));
        }
        // what was kept before is no news
        let old: Vec<ObjectId> = look
            .around
            .earlier
            .iter()
            .filter(|e| e.state == crate::release::EntryState::Kept)
            .map(crate::release::Entry::id)
            .collect();
        changes.retain(|change| change.action != "keep" || !old.contains(&change.object));
        changes.iter_mut().for_each(|change| change.hide(&look.traces));
        let stays = |change: &Change| matches!(change, Change::Unchanged | Change::Use);
        let stay = plan.steps.iter().filter(|step| stays(&step.change)).count();
        Self {
            release: look.facts.release.clone(),
            verb: look.verb.word().to_owned(),
            from: look.seen.history.latest().map(|header| header.revision),
            to: look.seen.history.next(),
            content_of: match look.verb {
                super::Verb::Rollback(revision) | super::Verb::Undo { to: revision, .. } => Some(revision),
                _ => None,
            },
            only: match &look.verb {
                super::Verb::Undo { components, .. } => components.clone(),
                _ => Vec::new(),
            },
            conflicts: changes.iter().filter(|change| change.action == "conflict").count(),
            stay,
            restarts: effects::restarts(plan, &look.around.live)
                .into_iter()
                .map(|restart| restart.what)
                .collect(),
            data_at_risk: effects::data_at_risk(plan, &look.around.live),
            used_namespace: used_namespace(look),
            recorded_source: look.goal.recorded_source.clone(),
            beyond: if look.goal.recorded && look.seen.history.latest().is_some() {
                reach(plan, &look.facts.namespace)
            } else {
                Vec::new()
            },
            predicted: plan.steps.iter().filter(|step| is_predicted(step)).count(),
            changes,
        }
    }

    /// Does it say the same as another, but for what the server decides anew each time it is asked, and
    /// for the time that has passed?
    pub fn says_the_same(&self, other: &Self) -> bool {
        let ours = |preview: &Self| {
            let mut preview = preview.clone();
            for change in &mut preview.changes {
                change.fields.retain(|field| !field.by_server);
                // with how long ago it was
                change.fields.iter_mut().for_each(|field| field.owner = None);
            }
            preview
        };
        ours(self) == ours(other)
    }

    /// That some changes are predictions.
    pub fn prediction(&self) -> Option<String> {
        (self.predicted > 0).then(|| {
            format!(
                "{} predicted by reading alone: the API server may find that less changes (--dry-run=server asks it)",
                crate::words::count(self.predicted, "object")
            )
        })
    }

    /// Does nothing happen to any object?
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| change.action == "keep")
    }

    /// What of it comes from the release's records: whoever may write those has a say in it.
    pub fn recorded(&self) -> Vec<String> {
        let source = self.recorded_source.iter().map(|source| format!("bundle, as recorded: {source}"));
        let beyond = self.beyond.iter().map(|what| format!("beyond the namespace: {what}"));
        if self.is_empty() { Vec::new() } else { source.chain(beyond).collect() }
    }

    /// That privileged pods go into a namespace that is not the release's.
    pub fn into_used_namespace(&self) -> Option<String> {
        self.used_namespace.as_ref().map(|name| {
            format!(
                "namespace {name} exists already and does not belong to the release: node-level components, which run \
                 with rights over the node, go into it"
            )
        })
    }

    /// Should a person agree first? Where workloads are made anew, objects of others are taken
    /// over or data is at risk; and where records alone lead beyond the namespace.
    pub fn wants_an_answer(&self) -> bool {
        !self.data_at_risk.is_empty()
            || !self.recorded().is_empty()
            || self.changes.iter().any(|change| match change.action {
                "adopt" => true,
                // a Job that is replaced has done its work, a binding has no state
                "recreate" => {
                    !matches!(change.object.kind.as_str(), "Job" | "RoleBinding" | "ClusterRoleBinding")
                }
                _ => false,
            })
    }

    /// For the screen.
    pub fn entries(&self) -> Vec<diff::Entry> {
        self.changes.iter().map(ObjectChange::entry).collect()
    }

    /// `release obs, revision 4 → 5: 2 change, 59 stay`
    pub fn headline(&self) -> String {
        let Self { release, from, to, content_of, .. } = self;
        let what = match (from, content_of) {
            (Some(from), Some(of)) if !self.only.is_empty() => {
                format!("revision {from} → {to} ({} as in revision {of})", self.only.join(", "))
            }
            (Some(from), Some(of)) => format!("revision {from} → {to} (content of revision {of})"),
            (Some(from), None) => format!("revision {from} → {to}"),
            (None, _) => format!("revision {to}"),
        };
        format!("release {release}, {what}: {}", self.counts())
    }

    /// `2 change, 59 stay`
    pub fn counts(&self) -> String {
        let count = |action: &str| self.changes.iter().filter(|change| change.action == action).count();
        let words = [
            (count("create"), "create"),
            (count("update"), "change"),
            (count("recreate"), "recreate"),
            (count("adopt"), "take over"),
            (count("delete"), "go"),
            (count("conflict"), "stand in the way"),
            (self.stay, "stay"),
        ];
        let parts: Vec<String> =
            words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if parts.is_empty() { "nothing changes".to_owned() } else { parts.join(", ") }
    }

    /// Of a change of some components alone: what a person might take for changed, too.
    pub fn what_stays(&self) -> Option<String> {
        (!self.only.is_empty()).then(|| {
            format!(
                "the values of the release stay: its next upgrade makes {} as they say again",
                self.only.join(" and ")
            )
        })
    }

    /// `restarts: obs-prometheus-0 · data at risk: none · conflicts: none`
    pub fn consequences(&self) -> String {
        let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let conflicts = if self.conflicts == 0 { "none".to_owned() } else { self.conflicts.to_string() };
        format!(
            "restarts: {} · data at risk: {} · conflicts: {conflicts}",
            list(&self.restarts),
            list(&self.data_at_risk)
        )
    }
}

impl Field {
    fn new(change: &diff::Change, step: &Step, restart: Option<&effects::Restart>) -> Self {
        let is_hash = change.path.ends_with(&format!("annotations[{}]", labels::CONFIG_HASH));
        Self {
            path: change.path.clone(),
            from: change.from.clone(),
            to: change.to.clone(),
            secret: change.secret,
            owner: step.owners.get(&change.path).map(who::owner),
            note: restart.filter(|_| is_hash).map(|restart| restart_note(restart.pods)),
            by_server: false,
        }
    }

    /// What the server changes along with the others.
    fn of_server(change: &diff::Change) -> Self {
        Self {
            path: change.path.clone(),
            from: change.from.clone(),
            to: change.to.clone(),
            secret: change.secret,
            owner: None,
            note: Some("set by the server when it is applied".to_owned()),
            by_server: true,
        }
    }

    /// A field that stays as somebody else has it.
    fn in_conflict(conflict: &Conflict) -> Self {
        Self {
            path: conflict.path.clone(),
            from: conflict.live.clone(),
            to: conflict.ours.clone(),
            secret: false,
            owner: Some(who::owner(&conflict.owner)),
            note: None,
            by_server: false,
        }
    }
}

/// The namespace of the node-level components, when it is somebody else's and has nothing of the
/// release yet.
fn used_namespace(look: &Look) -> Option<String> {
    let name = &look.goal.node_namespace;
    let used = |step: &Step| step.change == Change::Use && step.object.name() == name;
    let inside = |step: &&Step| step.object.namespace() == Some(name) && step.change.writes();
    let steps = &look.plan.steps;
    let is_new = steps.iter().filter(inside).any(|step| step.change == Change::Create)
        && steps.iter().filter(inside).all(|step| step.change == Change::Create);
    (*name != look.facts.namespace && steps.iter().any(used) && is_new).then(|| name.clone())
}

/// Is what changes a prediction?
fn is_predicted(step: &Step) -> bool {
    matches!(step.change, Change::Update(_) | Change::Adopt(_)) && !step.asked && !step.certain
}

/// `spec.clusterIP stays: the server keeps it`
fn stays(kept: &Kept) -> String {
    let path = &kept.change.path;
    match &kept.owner {
        Some(owner) => format!("{path} stays: it belongs to {}, too", owner.manager),
        None => format!("{path} stays: the server keeps it"),
    }
}

/// What making an object anew means.
fn recreated(step: &Step, orphan: bool, why: &str) -> String {
    let mut text = why.to_owned();
    for growth in &step.grow {
        text.push_str(&format!("; claim {} grows from {} to {}", growth.claim.name, growth.from, growth.to));
    }
    if orphan {
        text.push_str("; its pods and volumes stay");
    }
    text
}

fn restart_note(pods: u64) -> String {
    if pods == 1 { "restarts 1 pod".to_owned() } else { format!("restarts {pods} pods") }
}

impl ObjectChange {
    /// Masks what is secret in the fields, and in what the server says about them.
    fn hide(&mut self, traces: &Traces) {
        for field in &mut self.fields {
            field.secret |= traces.mask_both(&mut field.from, &mut field.to);
        }
        for text in self.note.iter_mut().chain(&mut self.hint) {
            *text = traces.sentence(text);
        }
    }

    fn entry(&self) -> diff::Entry {
        let mark = match self.action {
            "create" => Mark::Create,
            "recreate" => Mark::Recreate,
            "adopt" => Mark::Adopt,
            "delete" => Mark::Delete,
            "conflict" => Mark::Conflict,
            "keep" => Mark::Keep,
            _ => Mark::Update,
        };
        let changes = self
            .fields
            .iter()
            .map(|field| diff::Change {
                path: field.path.clone(),
                steps: Vec::new(),
                // what a dry-run hands out is not what the apply will
                from: field.from.clone().filter(|_| !field.by_server),
                to: field.to.clone().filter(|_| !field.by_server),
                secret: field.secret,
            })
            .collect();
        let by_path = |pick: fn(&Field) -> Option<&String>| -> BTreeMap<String, String> {
            self.fields.iter().filter_map(|f| Some((f.path.clone(), pick(f)?.clone()))).collect()
        };
        let note: Vec<&str> = self.note.iter().chain(&self.kept).map(String::as_str).collect();
        diff::Entry {
            note: (!note.is_empty()).then(|| note.join("; ")),
            notes: by_path(|field| field.note.as_ref()),
            owners: by_path(|field| field.owner.as_ref()),
            hint: self.hint.clone(),
            ..diff::Entry::new(mark, self.object.clone(), changes)
        }
    }
}
