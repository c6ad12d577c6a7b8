//! Asking the server what it would make of each object that may change: a dry-run of its apply. The
//! answer decides (`plan/answer.rs`), not what is known here of kinds, defaults or quantities.
//!
//! ```text
//!  apply, dry-run ─┬─ taken ─────────────► what differs from the live object
//!                  ├─ conflict ──────────► the same with force: what differs, and who stands against it
//!                  └─ refused ─► under a free name, where nothing is yet
//!                                  ├─ refused ► the object is wrong
//!                                  └─ taken ──► its outcome as a patch; else it can only be made anew
//!  where an install would leave something else ─► the outcome of that, as a patch (plan/outcome.rs)
//! ```

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::Context;
use super::apply::{Brought, PARALLEL, free_name, kind_of};
use crate::cluster::{ApplyError, ApplyOptions};
use crate::diff;
use crate::error::{Error, Exit, Result};
use crate::object::{Kind, Object};
use crate::plan::{
    self, Answers, Change, Conflict, Kept, Live, Outcome, Plan, Refusal, Rules, Said, Step, generated, local,
};

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

    /// What the server made of what we applied last, where nothing was yet: with its defaults.
    async fn before(&self, live: &Value) -> Option<Value> {
        let last = plan::applied_last(live).and_then(|last| Object::new(last).ok())?;
        // where that would not be taken, nobody knows where they come from
        self.elsewhere(last).await.ok()
    }

    /// Asks about an outcome. What the server does not let go of is left out, and said; gives why it takes
    /// none, and leaves the step as it was then.
    async fn direct(
        &self,
        step: &mut Step,
        live: &Value,
        fresh: &Value,
        outcome: &mut Outcome,
        found: (Vec<Conflict>, &[Said]),
        rules: &Rules<'_>,
    ) -> Result<Option<ApplyError>> {
        let mut stay = Vec::new();
        loop {
            let patch = outcome.patch(live);
            let answer = match patch.is_empty() {
                true => Ok(live.clone()),
                false => self.ctx.cluster.try_patch(&self.kind, &self.object, &json!(patch)).await,
            };
            match answer {
                Ok(after) => {
                    plan::directly(step, (live, &after), (outcome, patch), fresh, found, rules);
                    let kept = |change: diff::Change| Kept {
                        change: diff::Change { to: None, ..change },
                        owner: None,
                    };
                    step.kept.retain(|known| {
                        stay.iter().all(|change: &diff::Change| change.path != known.change.path)
                    });
                    step.kept.extend(stay.into_iter().map(kept));
                    return Ok(None);
                }
                Err(error) if is_refusal(&error) => {
                    let left_out = outcome.give_in(plan::named_in(&complaints(&error)));
                    if left_out.is_empty() {
                        return Ok(Some(error));
                    }
                    stay.extend(left_out);
                }
                Err(error) if error.error().exit() == Exit::Failed => return Ok(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
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
    if (step.moved || step.takes_over) && is_immutable(&step) {
        // of what is yet to become ours the server cannot be asked in place
        return Ok(step);
    }
    if step.takes_over && matches!(step.change, Change::Update(_) | Change::Adopt(_)) {
        return take_over(step, &question, live, rules).await;
    }
    if step.moved {
        return moved(step, &question, live, rules).await;
    }
    let (answer, said) = question.in_place(&question.object).await;
    match answer {
        Ok(after) => {
            let predicted = step.clone();
            plan::accepted(&mut step, live, &after, &said, rules);
            if is_immutable(&predicted) && step.kept.iter().any(|kept| kept.owner.is_none()) {
                // it takes the object and keeps what it was to lose
                return Ok(predicted);
            }
            tidied(step, &question, (live, &after), &said, rules).await
        }
        // known to be impossible in place, with what to do about it
        Err(error) if is_refusal(&error) && is_immutable(&step) => Ok(step),
        Err(error) if is_refusal(&error) => refused(step, &question, live, (error, said), rules).await,
        Err(error) => unanswered(step, error),
    }
}

/// An update that leaves what an install would leave: with the server's own earlier defaults gone, and maps
/// that become empty still there.
async fn tidied(
    mut step: Step,
    question: &Question<'_>,
    (live, after): (&Value, &Value),
    said: &[Said],
    rules: &Rules<'_>,
) -> Result<Step> {
    let desired = question.object.value();
    // nobody can own a list without items, so that nothing tells whether it is there
    let unseen = step.change == Change::Unchanged && (plan::has_empty(desired) || plan::has_empty(after));
    let is_update = unseen || matches!(step.change, Change::Update(_));
    let no_defaults = local::check(&step.object).is_some() && !plan::empties(desired, live);
    if !is_update || no_defaults || !step.obstacles().is_empty() || !plan::is_applied_at_all(live) {
        return Ok(step);
    }
    // where it would not be taken, nobody knows what the server would put there
    let Ok(fresh) = question.fresh().await else { return Ok(step) };
    step.kept.retain(|kept| kept.owner.is_some() || plan::is_leftover(kept, &fresh));
    let outcome = |before| {
        Outcome::of(&Answers { desired, live, after: Some(after), fresh: &fresh, before, moved: false })
    };
    // were all of it defaults for what was applied before
    if outcome(Some(after)).is_plain() {
        return Ok(step);
    }
    let before = question.before(live).await;
    let mut outcome = outcome(before.as_ref());
    if outcome.is_plain() {
        return Ok(step);
    }
    let found = plan::obstacles(&step, live, after, said);
    match question.direct(&mut step, live, &fresh, &mut outcome, (found, said), rules).await? {
        None => Ok(step),
        Some(error) => {
            plan::refused(&mut step, live, refusal(&question.object, &error.into()), rules);
            Ok(step)
        }
    }
}

/// An update of what was applied last in another API version: what others do not own is as it would be
/// after an install.
async fn moved(mut step: Step, question: &Question<'_>, live: &Value, rules: &Rules<'_>) -> Result<Step> {
    let desired = question.object.value();
    let same_version = live["apiVersion"] == desired["apiVersion"];
    if !same_version || !matches!(step.change, Change::Update(_)) || generated::lacks(&step.object, live) {
        return Ok(step);
    }
    let fresh = match question.fresh().await {
        Ok(fresh) => fresh,
        Err(error) if is_refusal(&error) => {
            step.asked = true;
            step.refusal = Some(refusal(&step.object, &error.into()));
            return Ok(step);
        }
        Err(error) => return unanswered(step, error),
    };
    let answers = Answers { desired, live, after: None, fresh: &fresh, before: None, moved: true };
    let mut outcome = Outcome::of(&answers);
    let found = step.conflicts.clone();
    if let Some(error) = question.direct(&mut step, live, &fresh, &mut outcome, (found, &[]), rules).await? {
        plan::refused(&mut step, live, refusal(&question.object, &error.into()), rules);
    }
    Ok(step)
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

/// What the server does not take in place: as an apply.
async fn refused(
    mut step: Step,
    question: &Question<'_>,
    live: &Value,
    (error, said): (ApplyError, Vec<Said>),
    rules: &Rules<'_>,
) -> Result<Step> {
    let complaints = complaints(&error);
    let mut why = refusal(&step.object, &error.into());
    let Ok(fresh) = question.fresh().await else {
        // it would not be taken anywhere
        step.asked = true;
        step.refusal = Some(why);
        return Ok(step);
    };
    if plan::blocked_by_hand(&mut step, live, &complaints) {
        return Ok(step);
    }
    if plan::is_applied_at_all(live) && !generated::lacks(&step.object, live) {
        let before = question.before(live).await;
        let desired = question.object.value();
        let (after, before) = (None, before.as_ref());
        let mut outcome = Outcome::of(&Answers { desired, live, after, fresh: &fresh, before, moved: false });
        let found = plan::obstacles(&step, live, live, &said);
        match question.direct(&mut step, live, &fresh, &mut outcome, (found, &said), rules).await? {
            None => return Ok(step),
            // an apply takes maps away that become empty, and is refused for that
            Some(error) if plan::empties(desired, live) => why = refusal(&step.object, &error.into()),
            Some(_) => {}
        }
    }
    plan::refused(&mut step, live, why, rules);
    Ok(step)
}

/// The object as it will be once what kubectl and Helm own is ours: they cannot be asked about both at
/// once, so what goes is added to what a forced apply leaves. Where the server does not take one (what
/// goes stands against it), that the object is valid is asked for where nothing is yet.
async fn take_over(mut step: Step, question: &Question<'_>, live: &Value, rules: &Rules<'_>) -> Result<Step> {
    let ours = plan::taken(live);
    step.first =
        plan::without_emptied(question.object.value(), &ours).and_then(|first| Object::new(first).ok());
    let (mut answer, mut said) = question.in_place(step.first.as_ref().unwrap_or(&question.object)).await;
    if step.first.is_some() && answer.as_ref().is_err_and(is_refusal) {
        step.first = None;
        (answer, said) = question.in_place(&question.object).await;
    }
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
        Ok(after) => plan::in_two_steps(&mut step, live, &after, &said, rules),
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
