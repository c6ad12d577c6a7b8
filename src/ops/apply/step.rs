//! One step of a plan: takes over what was somebody else's, fills in generated values, makes way for
//! what cannot change in place, and applies.

use serde_json::{Value, json};

use super::dry_run::{foreign, taken_meanwhile, unknown_kind};
use super::kind_of;
use crate::cluster::{Applied, ApplyError, ApplyOptions, DeleteOptions, Propagation};
use crate::diff;
use crate::error::{Error, Exit, Result};
use crate::event::{Action, Event, Phase};
use crate::object::base64;
use crate::object::{Kind, Object, ObjectId, labels};
use crate::ops::Context;
use crate::ops::run::Run;
use crate::plan::{self, Change, Step, Takeover};
use crate::release::{Entry, EntryState};

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
        Change::Update(_) if step.moved => take_over(run, step, &kind, &plan::carry_over).await?,
        Change::Update(_) => clear(run, step, &kind).await?,
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
        go_first(run, step, &kind, object, &options).await?;
    }
    run.lock.still_held()?;
    let applied = match is_exclusive(step) {
        true => create_exclusively(run, step, &kind, object).await?,
        false => ctx.cluster.apply(&kind, object, &options).await?,
    };
    if matches!(step.change, Change::Create | Change::Recreate { .. }) && !applied.created {
        return Err(foreign(step, &applied.object));
    }
    let object = take_out(run, step, &kind, applied.object).await?;
    for field in kept_all_the_same(step, &object) {
        let message = format!("{id}: {} stays as it was: the server keeps it", field.path);
        ctx.observer.event(Event::Warning { message });
    }
    ctx.observer.event(Event::Object { action, object: id.clone() });
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Some((id, uid)))
}

/// Makes the server's earlier defaults ours, so that an apply gives them up.
async fn clear(run: &Run<'_>, step: &Step, kind: &Kind) -> Result<()> {
    match step.clears.is_empty() {
        true => Ok(()),
        false => take_over(run, step, kind, &|live| plan::claim(live, &step.clears)).await,
    }
}

/// Applies what goes first, if anything does: the object without the maps of ours that become empty ones.
async fn go_first(
    run: &Run<'_>,
    step: &Step,
    kind: &Kind,
    object: &Object,
    options: &ApplyOptions,
) -> Result<()> {
    let cluster = &run.ctx.cluster;
    if let Some(first) = &step.first {
        run.lock.still_held()?;
        cluster.apply(kind, first, options).await?;
        // the server may have put its defaults in their place
        return clear(run, step, kind).await;
    }
    if !step.moved {
        return Ok(());
    }
    // the server could not be asked before our entry was one of this version
    let live = cluster.get(kind, object.namespace(), object.name()).await?.unwrap_or_default();
    let first = plan::without_emptied(object.value(), &live).and_then(|first| Object::new(first).ok());
    let Some(first) = first else { return Ok(()) };
    run.lock.still_held()?;
    match cluster.apply(kind, &first, options).await {
        // without them it is none: then they become empty at once
        Err(ApplyError::Invalid(..) | ApplyError::Immutable(..)) => Ok(()),
        answer => Ok(answer.map(drop)?),
    }
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

/// The earlier defaults that were to go and did not.
fn kept_all_the_same<'s>(step: &'s Step, after: &Value) -> Vec<&'s diff::Change> {
    let fields = step.change.fields().iter().filter(|field| step.clears.contains(&field.steps));
    fields.filter(|field| diff::at(after, &field.steps) == field.from.as_ref()).collect()
}

/// Takes out what the apply did not take along: of a map that is desired empty, an apply gives up all or
/// nothing.
async fn take_out(run: &Run<'_>, step: &Step, kind: &Kind, after: Value) -> Result<Value> {
    if kept_all_the_same(step, &after).is_empty() {
        return Ok(after);
    }
    let removal = |live: &Value| {
        let fields = kept_all_the_same(step, live).into_iter().map(|field| &field.steps[..]);
        plan::removal(live, fields)
    };
    let Some(first) = removal(&after) else { return Ok(after) };
    run.lock.still_held()?;
    match run.ctx.cluster.take_over(kind, &after, &first, &removal).await {
        // it was asked before; where it is refused all the same, it stays and that is said
        Err(error) if error.exit() == Exit::Failed => Ok(after),
        answer => answer,
    }
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
