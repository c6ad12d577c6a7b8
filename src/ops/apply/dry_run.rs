//! What the server would say: every object that changes is sent as a dry-run before anything is
//! written, but for those whose kind can be checked here.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::{PARALLEL, kind_of};
use crate::cluster::{ApplyError, ApplyOptions};
use crate::error::{Error, Result};
use crate::object::{Kind, Object, ObjectId};
use crate::ops::Context;
use crate::plan::{self, Change, Plan, Step, local};

/// What the dry-run says of one object.
#[derive(Debug)]
pub enum Verdict {
    /// The server would accept it.
    Accepted,
    /// It cannot be asked before its namespace or CRD exists: asked again at its wave.
    Later,
    /// It would be refused.
    Refused(Error),
    /// The caller may not, or may not grant what the object grants.
    Forbidden(Error),
}

/// What the plan itself brings, so that it cannot be asked of the server yet.
#[derive(Debug, Default)]
pub struct Brought {
    /// Namespaces that do not exist yet.
    pub namespaces: BTreeSet<String>,
    /// Kinds whose CRDs come with the plan, or change with it.
    pub kinds: BTreeSet<String>,
    /// May the caller grant every right? Then the server would not refuse a Role for what it grants.
    pub all_rights: bool,
    /// A namespace that exists, to check objects in whose own does not: everything but what
    /// depends on the namespace itself.
    pub fallback: Option<String>,
}

impl Brought {
    /// By a plan.
    pub fn by(plan: &Plan, fallback: Option<&str>, all_rights: bool) -> Self {
        let written = |kind: &str| {
            let kind = kind.to_owned();
            plan.steps.iter().filter(move |s| s.object.kind() == kind && s.change.writes())
        };
        let new = written("Namespace").filter(|step| step.change == Change::Create);
        Self {
            namespaces: new.map(|step| step.object.name().to_owned()).collect(),
            kinds: written("CustomResourceDefinition")
                .filter_map(|step| step.object.value()["spec"]["names"]["kind"].as_str())
                .map(str::to_owned)
                .collect(),
            fallback: fallback.map(str::to_owned),
            all_rights,
        }
    }

    /// Does the object need something that only the plan brings?
    pub fn concerns(&self, object: &Object) -> bool {
        object.namespace().is_some_and(|namespace| self.namespaces.contains(namespace))
            || self.kinds.contains(object.kind())
    }
}

/// Asks the server what it would say to each step that changes something.
pub async fn dry_run<'s>(
    ctx: &Context<'_>,
    steps: impl Iterator<Item = &'s Step>,
    brought: &Brought,
) -> Result<Vec<(&'s Step, Verdict)>> {
    let mut asked = BTreeSet::new();
    let (mut verdicts, mut open) = (Vec::new(), Vec::new());
    for (place, step) in steps.filter(|step| step.change.writes()).enumerate() {
        let object = &step.object;
        if step.direct.is_some() {
            // the server was asked about just what will be written; nothing is known by it of others
            verdicts.push((place, step, Verdict::Accepted));
            continue;
        }
        // free text and plain objects are checked here, unless admission has a say in them; the first of
        // a kind in a namespace asks for the others
        let local = match step.change {
            Change::Create if brought.all_rights && local::is_plain(object) => Some(Ok(())),
            Change::Update(_) if step.certain => Some(local::check(object).unwrap_or(Ok(()))),
            Change::Create | Change::Update(_) => local::check(object),
            _ => None,
        };
        let spokesman = asked.insert((object.kind(), object.namespace())) && !brought.concerns(object);
        match local {
            Some(Err(why)) => {
                let error = Error::failed(format!("{} is not valid: {why}", object.id()))
                    .hint("correct the template that renders it");
                verdicts.push((place, step, Verdict::Refused(error)));
            }
            Some(Ok(())) if !spokesman && !step.admitted => verdicts.push((place, step, Verdict::Accepted)),
            _ => open.push((place, step)),
        }
    }
    let ask =
        |(place, step)| async move { verdict(ctx, step, brought).await.map(|said| (place, step, said)) };
    let answers: Vec<_> = stream::iter(open).map(ask).buffer_unordered(PARALLEL).try_collect().await?;
    verdicts.extend(answers);
    // reported in the order of the plan
    verdicts.sort_by_key(|(place, ..)| *place);
    Ok(verdicts.into_iter().map(|(_, step, verdict)| (step, verdict)).collect())
}

pub(super) async fn verdict(ctx: &Context<'_>, step: &Step, brought: &Brought) -> Result<Verdict> {
    let Some(kind) = kind_of(ctx, &step.object).await? else {
        let comes = brought.kinds.contains(step.object.kind());
        return Ok(if comes { Verdict::Later } else { Verdict::Refused(unknown_kind(&step.object)) });
    };
    let mut object = step.object.clone();
    let elsewhere = object.namespace().is_some_and(|namespace| brought.namespaces.contains(namespace));
    if elsewhere {
        let Some(fallback) = &brought.fallback else { return Ok(Verdict::Later) };
        object.value_mut()["metadata"]["namespace"] = json!(fallback);
    }
    // an object that is taken over is no longer anybody else's then
    let force = step.force || matches!(step.change, Change::Adopt(_));
    let options = ApplyOptions { dry_run: true, force, uid: step.uid.clone(), ..ApplyOptions::default() };
    if step.moved || step.going.is_some() || matches!(step.change, Change::Recreate { .. }) {
        // asked under a name that is free: under its own the old one stands in the way
        object.value_mut()["metadata"]["name"] = json!(free_name(step.object.name()));
        return Ok(match ctx.cluster.apply(&kind, &object, &ApplyOptions { uid: None, ..options }).await {
            Ok(_) | Err(ApplyError::NotFound(_)) => Verdict::Accepted,
            Err(ApplyError::Forbidden(error)) => Verdict::Forbidden(error),
            Err(_) if brought.kinds.contains(step.object.kind()) => Verdict::Later,
            Err(error) => Verdict::Refused(error.into()),
        });
    }
    Ok(match ctx.cluster.apply(&kind, &object, &options).await {
        Ok(_) if elsewhere => Verdict::Accepted,
        Ok(applied) if step.change == Change::Create && !applied.created => {
            Verdict::Refused(foreign(step, &applied.object))
        }
        Ok(_) => Verdict::Accepted,
        Err(ApplyError::NotFound(_)) => Verdict::Later,
        // what is there and what is allowed there says nothing of the namespace to come
        Err(
            ApplyError::Conflict(..)
            | ApplyError::Immutable(..)
            | ApplyError::Forbidden(_)
            | ApplyError::Denied(_),
        ) if elsewhere => Verdict::Later,
        Err(ApplyError::Forbidden(error)) => Verdict::Forbidden(error),
        // planned as new: somebody made it meanwhile
        Err(ApplyError::Conflict(_, error)) if step.change == Change::Create => {
            Verdict::Refused(taken_meanwhile(ctx, step, &kind).await?.unwrap_or(error))
        }
        Err(error) => {
            let error = Error::from(error);
            // a cluster that is gone is not an opinion on the object
            if error.exit() != crate::Exit::Failed {
                return Err(error);
            }
            // the definition that comes with the plan may have another opinion
            let changes = brought.kinds.contains(step.object.kind());
            if changes { Verdict::Later } else { Verdict::Refused(error) }
        }
    })
}

/// A name of the same length that nobody has.
pub(crate) fn free_name(name: &str) -> String {
    let kept: String = name.chars().take(name.len().saturating_sub(5)).collect();
    format!("{kept}x{:04x}", rand::random::<u16>())
}

/// Its kind is not served.
pub fn unknown_kind(object: &Object) -> Error {
    Error::failed(format!(
        "the cluster does not know {} {}, the kind of {}",
        object.api_version(),
        object.kind(),
        object.id()
    ))
    .hint("install the CustomResourceDefinition for it, or correct apiVersion and kind in the bundle")
}

/// Whose the object is, when somebody else made it since the plan; None for who may not look.
pub(super) async fn taken_meanwhile(ctx: &Context<'_>, step: &Step, kind: &Kind) -> Result<Option<Error>> {
    let live = ctx.cluster.look_up(kind, step.object.namespace(), step.object.name()).await?;
    let other = live.flatten().filter(|live| !plan::is_ours(live, &step.object));
    Ok(other.map(|live| foreign(step, &live)))
}

/// Somebody else's object has the name.
pub fn foreign(step: &Step, live: &Value) -> Error {
    if let Some(refusal) = plan::belongs_elsewhere(live, &step.object) {
        return refusal.into();
    }
    taken(&step.object.id(), &plan::managers(live))
}

/// Somebody else's object has the name.
pub fn taken(id: &ObjectId, managers: &[String]) -> Error {
    let by = match managers {
        [] => String::new(),
        managers => format!(" (managed by {})", managers.join(", ")),
    };
    Error::failed(format!("{id} exists already and does not belong to this release{by}")).hint(
        "install and upgrade take it over with --adopt; or choose another --release or namespace, or remove that \
         object first",
    )
}
