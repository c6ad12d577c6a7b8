//! Definitions (CRDs) that come with the plan: the next wave waits until they are served, and what
//! depends on them is checked then.

use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::dry_run::{Brought, Verdict, dry_run};
use super::kind_of;
use crate::error::{Error, Result};
use crate::object::Object;
use crate::ops::Context;
use crate::plan::{self, Plan, Step};
use crate::readiness::{self, Readiness};

/// How long a server may take until a changed definition counts.
pub(super) const SETTLING: Duration = Duration::from_secs(5);

/// Asks about what could not be asked about before the first wave.
pub(super) async fn check_later(ctx: &Context<'_>, plan: &Plan, brought: &Brought) -> Result<()> {
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

/// Waits until the CRDs of the plan are served: also when nothing else is waited for, because the
/// next wave needs them.
pub(super) async fn established(ctx: &Context<'_>, plan: &Plan) -> Result<()> {
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
