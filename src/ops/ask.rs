//! Asking the server what it would make of each object that may change: a dry-run of its apply. The
//! answer decides (`plan/answer.rs`), not what is known here of kinds, defaults or quantities.
//!
//! ```text
//!  apply, dry-run ─┬─ taken ─────────────► what differs from the live object
//!                  ├─ conflict ──────────► the same with force: what differs, and who stands against it
//!                  └─ refused ─► under a free name, where nothing is yet
//!                                  ├─ refused ► the object is wrong
//!                                  └─ taken ──► the server's own earlier defaults stand against it, and
//!                                               go first; else it can only be made anew
//! ```

use std::borrow::Cow;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::Context;
use super::apply::{Brought, PARALLEL, free_name, kind_of};
use crate::cluster::{ApplyError, ApplyOptions};
use crate::diff;
use crate::error::{Error, Exit, Result};
use crate::object::{Kind, Object};
use crate::plan::{self, Change, Kept, Live, Plan, Refusal, Rules, Said, Step, generated, local};

/// Asks about all steps that may change a live object. What cannot be asked about yet (a custom
/// resource whose definition changes with the plan), or not by this user, stays a prediction.
pub async fn ask(ctx: &Context<'_>, plan: &mut Plan, live: &Live, rules: &Rules<'_>) -> Result<()> {
    let brought = Brought::by(plan, None, false);
    let open = plan.steps.iter().enumerate().filter(|(_, step)| can_be_asked(step, &brought));
    let open: Vec<(usize, &Step, &Value)> =
        open.filter_map(|(place, step)| Some((place, step, live.get(&step.object.id())?))).collect();
    let answers: Vec<(usize, Step)> = stream::iter(open)
        .map(|(place, step, live)| async move {
            Ok::<_, Error>((place, answered(ctx, step.clone(), live, rules).await?))
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    for (place, step) in answers {
        plan.steps[place] = step;
    }
    Ok(())
}

/// What the live object would be after another apply of `object`, whoever owns what. None where the
/// user may not ask, or the server would not take it.
pub async fn restored(ctx: &Context<'_>, object: &Object, live: &Value) -> Result<Option<Value>> {
    let Some(kind) = kind_of(ctx, object).await? else { return Ok(None) };
    let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
    let question = Question { ctx, kind, object: object.clone(), uid };
    match question.ask(object, true).await {
        Ok(after) => Ok(Some(after)),
        Err(error) if error.error().exit() == Exit::Failed => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn can_be_asked(step: &Step, brought: &Brought) -> bool {
    // what becomes of a definition is a matter of policy, which the server does not know
    let settled = step.refusal.is_some() && step.object.kind() == "CustomResourceDefinition";
    step.change.writes()
        && step.change != Change::Create
        && !step.moved
        && !step.certain
        && !settled
        && !brought.concerns(&step.object)
}

/// What an object is when applied, and how that was told.
type Answer = std::result::Result<Value, ApplyError>;

struct Question<'a> {
    ctx: &'a Context<'a>,
    kind: Kind,
    object: Object,
    uid: Option<String>,
}

impl Question<'_> {
    async fn ask(&self, object: &Object, force: bool) -> Answer {
        let options = ApplyOptions { dry_run: true, force, uid: self.uid.clone(), ..ApplyOptions::default() };
        Ok(self.ctx.cluster.apply(&self.kind, object, &options).await?.object)
    }

    /// What the server would make of it where nothing is yet.
    async fn fresh(&self) -> Answer {
        self.elsewhere(self.object.clone()).await
    }

    /// Under a name that is free.
    async fn elsewhere(&self, mut object: Object) -> Answer {
        object.value_mut()["metadata"]["name"] = json!(free_name(self.object.name()));
        let options = ApplyOptions { dry_run: true, force: true, ..ApplyOptions::default() };
        Ok(self.ctx.cluster.apply(&self.kind, &object, &options).await?.object)
    }

    /// Takes out of `gone` what the server does not let go of, when the rest of the update is made: those,
    /// or all where it does not say which.
    async fn cannot_go(
        &self,
        live: &Value,
        after: &Value,
        elsewhere: bool,
        gone: &mut Vec<diff::Change>,
    ) -> Vec<diff::Change> {
        let mut stay = Vec::new();
        while !gone.is_empty() {
            let patch = plan::outcome(live, after, self.object.value(), elsewhere, gone);
            let said = self.ctx.cluster.try_patch(&self.kind, &self.object, &patch).await;
            let Some(refusal) = said.err().filter(is_refusal) else { break };
            let named = plan::named_in(&complaints(&refusal));
            let (held, free): (Vec<_>, Vec<_>) = gone.drain(..).partition(named);
            match held.is_empty() {
                true => stay.extend(free),
                false => {
                    stay.extend(held);
                    *gone = free;
                }
            }
        }
        stay
    }

    /// Asked without force; where others stand against it, with force and who they are.
    async fn in_place(&self, object: &Object) -> (Answer, Vec<Said>) {
        match self.ask(object, false).await {
            Err(ApplyError::Conflict(fields, _)) => {
                let said = fields.into_iter().map(|f| Said { field: f.field, manager: f.manager });
                let said = said.collect();
                (self.ask(object, true).await, said)
            }
            answer => (answer, Vec::new()),
        }
    }
}

async fn answered(ctx: &Context<'_>, mut step: Step, live: &Value, rules: &Rules<'_>) -> Result<Step> {
    let Some(kind) = kind_of(ctx, &step.object).await? else { return Ok(step) };
    let object = generated::with_live_values(&step.object, live).unwrap_or_else(|| step.object.clone());
    let question = Question { ctx, kind, object, uid: step.uid.clone() };
    if step.takes_over && is_immutable(&step) {
        // of what is yet to become ours the server cannot be asked in place
        return Ok(step);
    }
    let ours = if step.takes_over { Cow::Owned(plan::taken(live)) } else { Cow::Borrowed(live) };
    step.first =
        plan::without_emptied(question.object.value(), &ours).and_then(|first| Object::new(first).ok());
    let (mut answer, mut said) = question.in_place(step.first.as_ref().unwrap_or(&question.object)).await;
    let mut first = None;
    if step.first.is_some() && answer.as_ref().is_err_and(is_refusal) {
        first = step.first.take();
        (answer, said) = question.in_place(&question.object).await;
    }
    if step.takes_over && matches!(step.change, Change::Update(_) | Change::Adopt(_)) {
        return take_over(step, &question, live, answer, &said, rules).await;
    }
    match answer {
        Ok(after) => {
            let predicted = step.clone();
            plan::accepted(&mut step, live, &after, &said, rules);
            if is_immutable(&predicted) && step.kept.iter().any(|kept| kept.owner.is_none()) {
                // it takes the object and keeps what it was to lose
                return Ok(predicted);
            }
            tidied(step, &question, live, &after, &said, rules).await
        }
        // known to be impossible in place, with what to do about it
        Err(error) if is_refusal(&error) && is_immutable(&step) => Ok(step),
        Err(error) if is_refusal(&error) => {
            let why = (error, said);
            refused(step, &question, live, first, why, rules).await
        }
        Err(error) => unanswered(step, error),
    }
}

/// An update that leaves what an install would leave: with the server's own earlier defaults gone.
async fn tidied(
    mut step: Step,
    question: &Question<'_>,
    live: &Value,
    after: &Value,
    said: &[Said],
    rules: &Rules<'_>,
) -> Result<Step> {
    let no_defaults = local::check(&step.object).is_some() && step.first.is_none();
    let mut hollow = plan::hollow(question.object.value(), after);
    let is_update = matches!(step.change, Change::Update(_)) || !hollow.is_empty();
    if !is_update || no_defaults || !step.obstacles().is_empty() || !plan::is_applied_at_all(live) {
        return Ok(step);
    }
    // where it would not be taken, nobody knows what the server would put there
    let Ok(fresh) = question.fresh().await else { return Ok(step) };
    step.kept.retain(|kept| kept.owner.is_some() || plan::is_leftover(kept, &fresh));
    hollow.retain(|change| diff::at(&fresh, &change.steps).is_none());
    if hollow.is_empty() && step.change == Change::Unchanged {
        return Ok(step);
    }
    // nobody owns them, they would stay, and would not be there after an install
    let mut leftovers = plan::leftovers(question.object.value(), after, &fresh, true);
    leftovers = earlier_defaults(question, live, &step, leftovers).await;
    leftovers.extend(hollow);
    // what goes first is not yet back in the answer
    let elsewhere = step.first.is_some();
    let after = if elsewhere { &fresh } else { after };
    let stay = question.cannot_go(live, after, elsewhere, &mut leftovers).await;
    // what was kept may go with them; the apply tells
    step.kept.retain(|kept| kept.owner.is_some() || leftovers.is_empty());
    if !leftovers.is_empty() || elsewhere {
        plan::in_two_steps(&mut step, live, after, leftovers, said, rules);
    }
    for change in stay {
        if !step.kept.iter().any(|kept| kept.change.path == change.path) {
            step.kept.push(Kept { change: diff::Change { to: None, ..change }, owner: None });
        }
    }
    Ok(step)
}

/// Of what nobody owns in the object those that are the server's own defaults for what we applied last,
/// or for what goes first.
async fn earlier_defaults(
    question: &Question<'_>,
    live: &Value,
    step: &Step,
    mut leftovers: Vec<diff::Change>,
) -> Vec<diff::Change> {
    let mut found = Vec::new();
    if let Some(first) = step.first.clone().filter(|_| !leftovers.is_empty())
        && let Ok(before) = question.elsewhere(first).await
    {
        (found, leftovers) = plan::defaults_of(leftovers, &before);
    }
    // what we said ourselves is no default: where it stays although we gave it up, it would again
    leftovers.retain(|change| !plan::is_stated(live, &change.steps));
    let last = plan::applied_last(live).unwrap_or_default();
    // where that would not be taken, nobody knows where they come from
    if let Some(last) = Object::new(last).ok().filter(|_| !leftovers.is_empty())
        && let Ok(before) = question.elsewhere(last).await
    {
        found.extend(plan::defaults_of(leftovers, &before).0);
    }
    found
}

/// The fields that a refusal names.
fn complaints(error: &ApplyError) -> Vec<String> {
    match error {
        ApplyError::Immutable(causes, _) | ApplyError::Invalid(causes, _) => {
            causes.iter().map(|cause| cause.field.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// Was it predicted that the object cannot be changed in place?
fn is_immutable(step: &Step) -> bool {
    step.refusal.is_some() || matches!(step.change, Change::Recreate { .. })
}

/// Is it the object that the server does not take, and not who sends it?
fn is_refusal(error: &ApplyError) -> bool {
    matches!(error, ApplyError::Immutable(..) | ApplyError::Invalid(..))
        || matches!(error, ApplyError::Other(error) if error.exit() == Exit::Failed)
}

/// No opinion on the object: the prediction stays, and the checks before the first write ask again.
fn unanswered(step: Step, error: ApplyError) -> Result<Step> {
    let gone = error.error().exit() != Exit::Failed;
    if gone { Err(error.into()) } else { Ok(step) }
}

/// What the server does not take in place. `first` is what would have to go before it, if anything.
async fn refused(
    mut step: Step,
    question: &Question<'_>,
    live: &Value,
    first: Option<Object>,
    (error, said): (ApplyError, Vec<Said>),
    rules: &Rules<'_>,
) -> Result<Step> {
    let complaints = complaints(&error);
    let why = refusal(&step.object, &error.into());
    let Ok(fresh) = question.fresh().await else {
        // it would not be taken anywhere
        step.asked = true;
        step.refusal = Some(why);
        return Ok(step);
    };
    if plan::blocked_by_hand(&mut step, live, &complaints) {
        return Ok(step);
    }
    let beside = plan::complained_of(&complaints);
    let mut found = plan::leftovers(question.object.value(), live, &fresh, true);
    found.retain(&beside);
    if !found.is_empty() {
        // those that it would have kept without complaint go, too
        let mut strays = plan::leftovers(question.object.value(), live, &fresh, false);
        // what we applied goes with the apply
        strays.retain(|change| !plan::is_applied(live, &change.steps));
        for stray in strays {
            if !found.iter().any(|known| known.path == stray.path) {
                found.push(stray);
            }
        }
    }
    let mut leftovers = earlier_defaults(question, live, &step, found).await;
    if leftovers.iter().any(beside) {
        let mut hollow = plan::hollow(question.object.value(), live);
        hollow.retain(|change| diff::at(&fresh, &change.steps).is_none());
        leftovers.append(&mut hollow);
        question.cannot_go(live, &fresh, true, &mut leftovers).await;
    }
    if leftovers.iter().any(plan::complained_of(&complaints)) {
        if let Some(first) = first
            && question.elsewhere(first.clone()).await.is_ok()
        {
            step.first = Some(first);
        }
        plan::in_two_steps(&mut step, live, &fresh, leftovers, &said, rules);
        return Ok(step);
    }
    plan::refused(&mut step, live, why, rules);
    Ok(step)
}

/// The object as it will be once what kubectl and Helm own is ours: they cannot be asked about both at
/// once, so what goes is added to what a forced apply leaves. Where the server does not take one (what
/// goes stands against it), that the object is valid is asked for where nothing is yet.
async fn take_over(
    mut step: Step,
    question: &Question<'_>,
    live: &Value,
    answer: Answer,
    said: &[Said],
    rules: &Rules<'_>,
) -> Result<Step> {
    let after = match answer {
        Ok(after) => Ok(after),
        // what stands against it may be what goes: is it taken where nothing is yet?
        Err(error) if is_refusal(&error) => match question.fresh().await {
            // there, too, but not for the same reason: the other name collides with something
            Err(elsewhere) if complaints(&elsewhere) != complaints(&error) => {
                step.asked = true;
                return Ok(step);
            }
            answer => answer,
        },
        Err(error) => return unanswered(step, error),
    };
    match after {
        Ok(after) => plan::in_two_steps(&mut step, live, &after, Vec::new(), said, rules),
        Err(error) if is_refusal(&error) => {
            step.asked = true;
            step.refusal = Some(refusal(&step.object, &error.into()));
        }
        Err(error) => return unanswered(step, error),
    }
    Ok(step)
}

/// The server's words as those of a plan.
fn refusal(object: &Object, error: &Error) -> Refusal {
    let (message, id) = (error.message(), object.id().to_string());
    let why = if message.contains(&id) { message.to_owned() } else { format!("{id}: {message}") };
    Refusal { why, details: error.details().to_vec(), hints: error.hints().to_vec() }
}
