//! `kubectl obs rollout status`, `restart` and `history`; `undo` is a change like any other.

use std::time::Duration;

use super::{App, Outcome};
use crate::cli::{Rollout, RolloutHistory, RolloutWait};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::rollout::{self, Change, Report};
use crate::ops::{parse_duration, who};
use crate::words::count;

/// Components one by one.
pub async fn run(app: &App<'_>, args: Rollout) -> Result<Outcome> {
    let fine = match args {
        Rollout::Undo(args) => return super::change::undo(app, *args).await,
        Rollout::Status(args) => wait(app, &args, false).await,
        Rollout::Restart(args) => wait(app, &args, true).await,
        Rollout::History(args) => history(app, &args).await,
    };
    fine.map(|()| Outcome::Fine)
}

async fn wait(app: &App<'_>, args: &RolloutWait, restart: bool) -> Result<()> {
    let timeout = parse_duration(&args.timeout)?;
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let observer = app.ui.progress();
    let ctx = app.context(&cluster, &namespace, &release, &observer, timeout);
    let work = async {
        match restart {
            true => rollout::restart(&ctx, &args.components).await,
            false => rollout::wait_ready(&ctx, &args.components).await,
        }
    };
    let result = app.cancel.or(work).await;
    drop(observer);
    let report = result?;
    match args.output {
        Some(format) if restart => app.document("RolloutRestart", &report, format.into()),
        Some(format) => app.document("RolloutStatus", &report, format.into()),
        None => {
            app.ui.note("");
            app.ui.note(&outcome(&report));
            Ok(())
        }
    }
}

fn outcome(report: &Report) -> String {
    let Report { release, revision, restarted, components, .. } = report;
    let ready = match components.as_slice() {
        [one] => format!("{} is ready", one.name),
        all => format!("{} are ready", count(all.len(), "component")),
    };
    match restarted.len() {
        0 => format!("release {release}, revision {revision}: {ready}"),
        n => format!("release {release}, revision {revision}: {} restarted, {ready}", count(n, "workload")),
    }
}

async fn history(app: &App<'_>, args: &RolloutHistory) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let changes = app.cancel.or(rollout::history(&ctx, &args.components)).await?;
    for revision in &changes.unreadable {
        app.ui.warn(&format!(
            "the record of revision {revision} cannot be read: its changes count with the next one's"
        ));
    }
    if let Some(format) = args.output {
        return app.document("RolloutHistory", &changes, format.into());
    }
    let rows: Vec<Vec<String>> = changes
        .items
        .iter()
        .map(|change| {
            let Change { revision, component, status, created, description, .. } = change;
            let description = description.lines().next().unwrap_or_default().to_owned();
            let (created, what) = (who::local(created), what(change));
            vec![revision.to_string(), component.clone(), status.clone(), created, what, description]
        })
        .collect();
    app.ui.outline(&["REVISION", "COMPONENT", "STATUS", "CREATED", "OBJECTS", "DESCRIPTION"], &rows);
    Ok(())
}

/// `1 changed, 2 added`
fn what(change: &Change) -> String {
    let parts = [(&change.changed, "changed"), (&change.added, "added"), (&change.removed, "removed")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(ids, _)| !ids.is_empty())
        .map(|(ids, word)| format!("{} {word}", ids.len()))
        .collect();
    parts.join(", ")
}
