//! One step of a plan: takes over what was somebody else's, fills in generated values, makes way for
//! what cannot change in place, and applies.

use serde_json::{Value, json};

use super::dry_run::{foreign, taken_meanwhile, unknown_kind};
use super::kind_of;
use crate::cluster::{Applied, ApplyError, ApplyOptions, DeleteOptions, Propagation};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Phase};
use crate::object::base64;
use crate::object::{Kind, Object, ObjectId, labels};
use crate::ops::Context;
use crate::ops::run::Run;
use crate::plan::{self, Change, Direct, Step, Takeover};
use crate::release::{Entry, EntryState};

/// Times that an outcome is written when somebody else writes the object meanwhile.
const ATTEMPTS: u32 = 8;

/// Values that are made once and live on the cluster only.
pub trait Generated: Sync {
    /// A new random value of `length` characters.
    fn make(&self, length: usize) -> String;
}

/// Carries out one step; gives the object's uid.
pub async fn apply_step(
    run: &Run<'_>,
    step: &Step,
    generated: &dyn Generated,
) -> Result<Option<(ObjectId, String)>> {
    let ctx = &run.ctx;
    let id = step.object.id();
    let action = match step.change {
        Change::Create => Action::Created,
        Change::Update(_) => Action::Updated,
        Change::Adopt(_) => Action::Adopted,
        Change::Recreate { .. } => Action::Recreated,
        Change::Unchanged | Change::Use | Change::Foreign(_) => {
            ctx.observer.event(Event::Object { action: Action::Unchanged, object: id.clone() });
            return Ok(step.uid.clone().map(|uid| (id, uid)));
        }
    };
    let kind = kind_of(ctx, &step.object).await?.ok_or_else(|| unknown_kind(&step.object))?;
    if let Some(going) = &step.going {
        crate::ops::prune::gone(ctx, &[going], Phase::Applied).await?;
    }
    match step.change {
        Change::Update(_) | Change::Adopt(_) if step.takes_over => {
            take_over(run, step, &kind, &plan::takeover).await?;
        }
        Change::Update(_) if step.moved && step.direct.is_none() => {
            take_over(run, step, &kind, &plan::carry_over).await?;
        }
        _ => {}
    }
    let mut options = ApplyOptions { force: step.force, uid: step.uid.clone(), ..ApplyOptions::default() };
    if let Change::Recreate { orphan, .. } = step.change {
        make_way(run, step, &kind, orphan).await?;
        options.uid = None;
    }
    let filled = fill_generated(ctx, &kind, &step.object, generated).await?;
    let object = filled.as_ref().unwrap_or(&step.object);
    if let Change::Update(_) | Change::Adopt(_) = &step.change {
        go_first(run, step, &kind, &options).await?;
    }
    run.lock.still_held()?;
    let applied = match (&step.direct, &step.change) {
        (Some(direct), Change::Update(_)) => write_at_once(run, step, &kind, direct).await?,
        _ if is_exclusive(step) => create_exclusively(run, step, &kind, object).await?,
        _ => ctx.cluster.apply(&kind, object, &options).await?,
    };
    if matches!(step.change, Change::Create | Change::Recreate { .. }) && !applied.created {
        return Err(foreign(step, &applied.object));
    }
    ctx.observer.event(Event::Object { action, object: id.clone() });
    let uid = applied.object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Some((id, uid)))
}

/// Applies what goes first, if anything does: the object without the maps of ours that become empty ones.
async fn go_first(run: &Run<'_>, step: &Step, kind: &Kind, options: &ApplyOptions) -> Result<()> {
    let Some(first) = &step.first else { return Ok(()) };
    run.lock.still_held()?;
    run.ctx.cluster.apply(kind, first, options).await?;
    Ok(())
}

/// Writes an outcome in place of an apply: the content by one patch under a name of its own, then whose it
/// is. Where this is cut off in between, the next change does the second part.
async fn write_at_once(run: &Run<'_>, step: &Step, kind: &Kind, direct: &Direct) -> Result<Applied> {
    let (ctx, object) = (&run.ctx, &step.object);
    let gone = || {
        Error::failed(format!("{} was changed or replaced by someone else meanwhile", object.id()))
            .hint("run the command again")
    };
    let mut live = direct.live.clone();
    if !direct.patch.is_empty() {
        let manager = format!("{}{:08x}", labels::CREATOR, rand::random::<u32>());
        for attempt in 1.. {
            run.lock.still_held()?;
            match ctx
                .cluster
                .patch_at_once(kind, object, &plan::at_once(&live, &direct.patch), &manager)
                .await
            {
                Ok(after) => {
                    live = after;
                    break;
                }
                // controllers write its status now and then
                Err(ApplyError::Other(_) | ApplyError::Conflict(..) | ApplyError::Replaced(_))
                    if attempt < ATTEMPTS =>
                {
                    let now = ctx.cluster.get(kind, object.namespace(), object.name()).await?;
                    let now = now.filter(|now| now["metadata"]["uid"] == live["metadata"]["uid"]);
                    live = now.ok_or_else(gone)?;
                    // carried out, and the answer was lost
                    if plan::has_written(&manager, &direct.patch, &live) {
                        break;
                    }
                    if !plan::suits(&direct.patch, &direct.live, &live) {
                        return Err(gone());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let own = |live: &Value| plan::own(live, &direct.own);
    if let Some(takeover) = own(&live) {
        run.lock.still_held()?;
        live = ctx.cluster.take_over(kind, &live, &takeover, &own).await?;
    }
    Ok(Applied { object: live, created: false })
}

/// Names of cluster-scoped objects join a release's name and namespace, so that two releases can want the
/// same one, and may have been planned at the same time.
pub(super) fn is_exclusive(step: &Step) -> bool {
    step.change == Change::Create && step.object.namespace().is_none()
}

/// Makes an object and never changes one that another release made meanwhile: an apply cannot be told to
/// create only, but one by another manager conflicts with that release's labels. Then the fields go over to
/// our usual manager; where this is cut off, the next change does it.
async fn create_exclusively(run: &Run<'_>, step: &Step, kind: &Kind, object: &Object) -> Result<Applied> {
    let cluster = &run.ctx.cluster;
    let manager = Some(format!("{}{:08x}", labels::CREATOR, rand::random::<u32>()));
    let applied =
        match cluster.apply(kind, object, &ApplyOptions { manager, ..ApplyOptions::default() }).await {
            Ok(applied) => applied,
            Err(ApplyError::Conflict(_, error)) => {
                name_is_free(run, step).await?;
                return Err(error);
            }
            Err(error) => return Err(error.into()),
        };
    if !applied.created {
        return Ok(applied);
    }
    run.lock.still_held()?;
    match plan::carry_over(&applied.object) {
        Some(over) => {
            let object = cluster.take_over(kind, &applied.object, &over, &plan::carry_over).await?;
            Ok(Applied { object, ..applied })
        }
        None => Ok(applied),
    }
}

/// Fails when there is an object of somebody else by now; who may not look learns it from the apply.
pub(super) async fn name_is_free(run: &Run<'_>, step: &Step) -> Result<()> {
    let Some(kind) = kind_of(&run.ctx, &step.object).await? else { return Ok(()) };
    taken_meanwhile(&run.ctx, step, &kind).await?.map_or(Ok(()), Err)
}

/// Deletes an object that is made anew, after its claims have been asked to grow. A kill in between
/// is harmless: what has grown has grown, and what is missing is created.
pub(super) async fn make_way(run: &Run<'_>, step: &Step, kind: &Kind, orphan: bool) -> Result<()> {
    let ctx = &run.ctx;
    for growth in &step.grow {
        run.lock.still_held()?;
        crate::ops::claims::grow(ctx, growth).await?;
    }
    let propagation = match step.object.kind() {
        _ if orphan => Propagation::Orphan,
        "Job" => Propagation::Background,
        // its pods are gone before the new ones come
        _ => Propagation::Foreground,
    };
    run.lock.still_held()?;
    let options = DeleteOptions { uid: step.uid.clone(), propagation, ..DeleteOptions::default() };
    let (namespace, name) = (step.object.namespace(), step.object.name());
    ctx.cluster.delete(kind, namespace, name, &options).await?;
    let entry = Entry { uid: step.uid.clone(), ..Entry::new(step.object.id(), "", EntryState::Active) };
    crate::ops::prune::gone(ctx, &[&entry], Phase::Applied).await
}

/// Makes fields ours before the apply, so that what the release does not want goes: those that
/// kubectl and Helm own, or our own of another API version.
pub(super) async fn take_over(
    run: &Run<'_>,
    step: &Step,
    kind: &Kind,
    what: &(dyn Fn(&Value) -> Option<Takeover> + Sync),
) -> Result<()> {
    let ctx = &run.ctx;
    let Some(live) = ctx.cluster.get(kind, step.object.namespace(), step.object.name()).await? else {
        return Ok(());
    };
    let Some(takeover) = what(&live) else { return Ok(()) };
    run.lock.still_held()?;
    ctx.cluster.take_over(kind, &live, &takeover, what).await.map(drop)
}

/// Fills the generated values of a Secret: from the live one, or new ones.
pub(super) async fn fill_generated(
    ctx: &Context<'_>,
    kind: &Kind,
    object: &Object,
    generated: &dyn Generated,
) -> Result<Option<Object>> {
    let wanted = plan::generated::wanted(object).map_err(|_| {
        Error::failed(format!("{} has a damaged annotation {}", object.id(), labels::GENERATED))
    })?;
    if wanted.is_empty() {
        return Ok(None);
    }
    // asked again: what was planned may be old, and a value must never be made twice
    let live = ctx.cluster.get(kind, object.namespace(), object.name()).await?.unwrap_or_default();
    let mut filled = plan::generated::with_live_values(object, &live).unwrap_or_else(|| object.clone());
    for value in wanted {
        let slot = &mut filled.value_mut()["data"][&value.key];
        if slot.is_null() {
            *slot = json!(base64(generated.make(value.length).as_bytes()));
        }
    }
    Ok(Some(filled))
}

/// Random letters and digits from the operating system.
pub struct Random;

impl Generated for Random {
    fn make(&self, length: usize) -> String {
        use rand::RngExt;
        const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        let mut rng = rand::rng();
        (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
    }
}
