//! Applying a plan: the server's dry-run first, then server-side apply, wave by wave, 8 at a time.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::Context;
use super::run::Run;
use crate::cluster::records::base64;
use crate::cluster::{ApplyError, ApplyOptions, DeleteOptions, Propagation};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Phase};
use crate::object::{Kind, Object, ObjectId, labels};
use crate::plan::{self, Change, Plan, Step, Takeover, WAVES, local};
use crate::readiness::{self, Readiness};
use crate::release::{Entry, EntryState};

/// Requests at a time.
pub const PARALLEL: usize = 8;

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

/// The kind of an object, from discovery.
pub async fn kind_of(ctx: &Context<'_>, object: &Object) -> Result<Option<Kind>> {
    let (group, version) = crate::object::split_api_version(object.api_version());
    Ok(ctx.cluster.kinds().await?.resolve(group, version, object.kind()))
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
    fn concerns(&self, object: &Object) -> bool {
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
        // free text and plain objects are checked here; the first of a kind in a namespace asks for
        // the others
        let local = match step.change {
            Change::Create if brought.all_rights && local::is_plain(object) => Some(Ok(())),
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
            Some(Ok(())) if !spokesman => verdicts.push((place, step, Verdict::Accepted)),
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

async fn verdict(ctx: &Context<'_>, step: &Step, brought: &Brought) -> Result<Verdict> {
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
    let options = ApplyOptions { dry_run: true, force, uid: step.uid.clone() };
    if step.moved || matches!(step.change, Change::Recreate { .. }) {
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
        Err(ApplyError::Conflict(..) | ApplyError::Immutable(..) | ApplyError::Forbidden(_)) if elsewhere => {
            Verdict::Later
        }
        Err(ApplyError::Forbidden(error)) => Verdict::Forbidden(error),
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
fn free_name(name: &str) -> String {
    let kept: String = name.chars().take(name.len().saturating_sub(5)).collect();
    format!("{kept}x{:04x}", rand::random::<u16>())
}

fn unknown_kind(object: &Object) -> Error {
    Error::failed(format!(
        "the cluster does not know {} {}, the kind of {}",
        object.api_version(),
        object.kind(),
        object.id()
    ))
    .hint("install the CustomResourceDefinition for it, or correct apiVersion and kind in the bundle")
}

/// Somebody else's object has the name.
pub fn foreign(step: &Step, live: &Value) -> Error {
    taken(&step.object.id(), &plan::managers(live))
}

/// Somebody else's object has the name.
pub fn taken(id: &ObjectId, managers: &[String]) -> Error {
    Error::failed(format!(
        "{id} exists already and does not belong to this release (managed by {})",
        managers.join(", ")
    ))
    .hint(
        "pass --adopt to take it over; or choose another --release or namespace, or remove that object first",
    )
}

/// Applies all waves. Objects that could not be checked before are checked at the start of their
/// wave, so that a wave that would be refused is not begun.
pub async fn apply(run: &Run<'_>, plan: &Plan, generated: &dyn Generated) -> Result<Applied> {
    let ctx = &run.ctx;
    let brought = Brought::by(plan, None, false);
    let mut applied = Applied::new();
    for wave in 0..WAVES {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.wave == wave).collect();
        let steps = spread(steps, |step| step.change == Change::Create && step.object.kind() == "Service");
        applied.extend(all_or_first_error(steps, |step| apply_step(run, step, generated)).await?);
        if wave == 0 {
            established(ctx, plan).await?;
            check_later(ctx, plan, &brought).await?;
        }
    }
    Ok(applied)
}

/// The same items, the slow ones evenly among the others. The server gives Services their addresses
/// one after the other: a row of them would keep all requests waiting for it.
fn spread<T>(items: Vec<T>, slow: impl Fn(&T) -> bool) -> Vec<T> {
    let all = items.len();
    let (slow, others): (Vec<T>, Vec<T>) = items.into_iter().partition(slow);
    let (among, mut others) = (slow.len(), others.into_iter());
    let mut out = Vec::with_capacity(all);
    for (i, item) in slow.into_iter().enumerate() {
        out.push(item);
        let until = (i + 1) * all / among;
        out.extend(others.by_ref().take(until.saturating_sub(out.len())));
    }
    out.extend(others);
    out
}

/// How long a server may take until a changed definition counts.
const SETTLING: Duration = Duration::from_secs(5);

/// Asks about what could not be asked about before the first wave.
async fn check_later(ctx: &Context<'_>, plan: &Plan, brought: &Brought) -> Result<()> {
    let settled = ctx.deadline.min(Instant::now() + SETTLING);
    loop {
        let later = plan.steps.iter().filter(|step| step.wave > 0 && brought.concerns(&step.object));
        let refused =
            dry_run(ctx, later, &Brought::default()).await?.into_iter().find_map(|(step, verdict)| {
                match verdict {
                    Verdict::Refused(error) => Some((error, brought.kinds.contains(step.object.kind()))),
                    Verdict::Forbidden(error) => Some((error, false)),
                    Verdict::Accepted | Verdict::Later => None,
                }
            });
        match refused {
            None => return Ok(()),
            // the server may still judge by the definition as it was
            Some((_, true)) if Instant::now() < settled => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Some((error, _)) => return Err(error),
        }
    }
}

/// The uids of the objects that belong to the revision.
pub type Applied = BTreeMap<ObjectId, String>;

/// Waits until the CRDs of the plan are served: also when nothing else is waited for, because the
/// next wave needs them.
async fn established(ctx: &Context<'_>, plan: &Plan) -> Result<()> {
    let changed = |step: &&Step| step.change.writes();
    let crds: Vec<&Object> = plan
        .steps
        .iter()
        .filter(|step| step.object.kind() == "CustomResourceDefinition")
        .filter(changed)
        .map(|step| &step.object)
        .collect();
    for crd in &crds {
        let Some(kind) = kind_of(ctx, crd).await? else { continue };
        loop {
            let live = ctx.cluster.get(&kind, None, crd.name()).await?.unwrap_or_default();
            match readiness::readiness(&live) {
                Readiness::Ready => break,
                Readiness::Failed(why) => {
                    return Err(Error::failed(format!("{} is refused: {why}", crd.id())));
                }
                Readiness::Progressing(why) if Instant::now() >= ctx.deadline => {
                    return Err(Error::deadline(format!("{} is not established: {why}", crd.id())));
                }
                Readiness::Progressing(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
    if crds.is_empty() {
        return Ok(());
    }
    // established does not mean that discovery knows it already
    loop {
        let kinds = ctx.cluster.refresh_kinds().await?;
        let missing = crds.iter().find(|crd| {
            let spec = &crd.value()["spec"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
            plan::crd::served(crd.value()).any(|version| kinds.resolve(&group, version, &kind).is_none())
        });
        match missing {
            None => return Ok(()),
            Some(crd) if Instant::now() >= ctx.deadline => {
                return Err(Error::deadline(format!("{} is established but not served", crd.id())));
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Values that are made once and live on the cluster only.
pub trait Generated: Sync {
    /// A new random value of `length` characters.
    fn make(&self, length: usize) -> String;
}

/// Does `work` for all items, 8 at a time. After an error nothing new is begun, but what is under way
/// is waited for: a request that was let go could still be carried out under the next one's lock.
pub async fn all_or_first_error<I, T, F>(items: Vec<I>, work: impl Fn(I) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<Option<T>>>,
{
    let mut done = Vec::new();
    let mut failed = None;
    let mut items = items.into_iter();
    let mut running: FuturesUnordered<F> = items.by_ref().take(PARALLEL).map(&work).collect();
    while let Some(result) = running.next().await {
        match result {
            Ok(value) => done.extend(value),
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
        if failed.is_none() {
            running.extend(items.next().map(&work));
        }
    }
    failed.map_or(Ok(done), Err)
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
    match step.change {
        Change::Adopt(_) => take_over(run, step, &kind, plan::takeover).await?,
        Change::Update(_) if step.moved => take_over(run, step, &kind, plan::carry_over).await?,
        _ => {}
    }
    let mut options = ApplyOptions { dry_run: false, force: step.force, uid: step.uid.clone() };
    if let Change::Recreate { orphan, .. } = step.change {
        make_way(run, step, &kind, orphan).await?;
        options.uid = None;
    }
    let filled = fill_generated(ctx, &kind, &step.object, generated).await?;
    run.lock.still_held()?;
    let object = filled.as_ref().unwrap_or(&step.object);
    let applied = match ctx.cluster.apply(&kind, object, &options).await {
        Ok(applied) => applied,
        Err(error) => return Err(error.into()),
    };
    if matches!(step.change, Change::Create | Change::Recreate { .. }) && !applied.created {
        return Err(foreign(step, &applied.object));
    }
    ctx.observer.event(Event::Object { action, object: id.clone() });
    let uid = applied.object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Some((id, uid)))
}

/// Deletes an object that is made anew, after its claims have been asked to grow. A kill in between
/// is harmless: what has grown has grown, and what is missing is created.
async fn make_way(run: &Run<'_>, step: &Step, kind: &Kind, orphan: bool) -> Result<()> {
    let ctx = &run.ctx;
    for growth in &step.grow {
        run.lock.still_held()?;
        super::claims::grow(ctx, growth).await?;
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
    super::prune::gone(ctx, &[&entry], Phase::Applied).await
}

/// Makes fields ours before the apply, so that what the release does not want goes: those that
/// kubectl and Helm own, or our own of another API version.
async fn take_over(
    run: &Run<'_>,
    step: &Step,
    kind: &Kind,
    what: fn(&Value) -> Option<Takeover>,
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
async fn fill_generated(
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

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn the_slow_ones_are_spread_and_none_is_lost() {
        let upper = |text: &str| -> String {
            spread(text.chars().collect(), char::is_ascii_uppercase).iter().collect()
        };
        assert_eq!(upper("abcdefXY"), "XabcYdef");
        assert_eq!(upper("aXYZ"), "XYZa");
        assert_eq!(upper("ab"), "ab");
        assert_eq!(upper("XY"), "XY");
    }
}
