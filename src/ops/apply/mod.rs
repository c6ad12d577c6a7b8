//! Applying a plan: the server's dry-run first, then server-side apply, wave by wave, 8 at a time.

mod definitions;
mod dry_run;
mod step;

pub(super) use dry_run::free_name;
pub use dry_run::{Brought, Verdict, dry_run, taken, unknown_kind};
pub use step::{Generated, Random, apply_step};

use std::collections::BTreeMap;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::error::Result;
use crate::object::{Kind, Object, ObjectId};
use crate::ops::Context;
use crate::ops::run::Run;
use crate::plan::{Change, Plan, Step, WAVES};
use definitions::{check_later, established};

/// Requests at a time.
pub const PARALLEL: usize = 8;

/// The kind of an object, from discovery.
pub async fn kind_of(ctx: &Context<'_>, object: &Object) -> Result<Option<Kind>> {
    let (group, version) = crate::object::split_api_version(object.api_version());
    Ok(ctx.cluster.kinds().await?.resolve(group, version, object.kind()))
}

/// Applies all waves. Objects that could not be checked before are checked at the start of their
/// wave, so that a wave that would be refused is not begun.
pub async fn apply(run: &Run<'_>, plan: &Plan, generated: &dyn Generated) -> Result<Applied> {
    let ctx = &run.ctx;
    let brought = Brought::by(plan, None, false);
    names_are_free(run, plan).await?;
    let mut applied = Applied::new();
    for wave in 0..WAVES {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.wave == wave).collect();
        let steps = spread(steps, |step| step.change == Change::Create && step.object.kind() == "Service");
        let (exclusive, others) = steps.into_iter().partition(|step| step::is_exclusive(step));
        for steps in [exclusive, others] {
            applied.extend(all_or_first_error(steps, |step| apply_step(run, step, generated)).await?);
        }
        if wave == 0 {
            established(ctx, plan).await?;
            check_later(ctx, plan, &brought).await?;
        }
    }
    Ok(applied)
}

/// A second look before anything is written, for who comes too late should leave nothing behind.
async fn names_are_free(run: &Run<'_>, plan: &Plan) -> Result<()> {
    let created = plan.steps.iter().filter(|step| step::is_exclusive(step));
    let free = |step| async move { step::name_is_free(run, step).await.map(Some) };
    all_or_first_error(created.collect(), free).await.map(drop)
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

/// The uids of the objects that belong to the revision.
pub type Applied = BTreeMap<ObjectId, String>;

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
