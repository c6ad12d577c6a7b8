//! `kubectl obs status`

use std::time::Duration;

use super::App;
use crate::cli::{Output, Status};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::status::{self, Report};
use crate::ops::who;
use crate::readiness::Explanation;

/// Shows each component of a release.
pub async fn run(app: &App<'_>, args: &Status) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let (report, problem) = status::status(&ctx).await?;
    match args.output {
        Some(Output::Name) => app.ui.lines([super::release_name(&report.release)]),
        Some(format) => app.document("ReleaseStatus", &report, format)?,
        None => print(app, report),
    }
    problem.map_or(Ok(()), Err)
}

fn print(app: &App<'_>, report: Report) {
    // `3m`: the column says since when
    let age = |time: &str| who::ago(time).trim_end_matches(" ago").to_owned();
    app.ui.lines([format!(
        "release {} · revision {} · {} {} · {}",
        report.release,
        report.revision,
        report.status,
        who::ago(&report.updated),
        report.bundle
    )]);
    if let Some(health) = &report.health {
        let word = if health.down.is_empty() { "healthy" } else { "not healthy" };
        app.ui.lines([format!("{word}: {health}")]);
    }
    if let Some(holder) = &report.holder {
        app.ui.lines([format!("  {holder}")]);
    }
    if report.interrupted {
        app.ui.lines([format!("  {}", how_to_go_on(&report.status))]);
    }
    // what stands below as a cause need not be said twice
    let told = |cause: &Explanation| report.description.contains(&cause.headline);
    let told = report.components.iter().filter_map(|component| component.explanation.as_ref()).any(told);
    if report.status == "failed" && !told {
        app.ui.lines([format!("  {}", report.description)]);
    }
    if report.damage.is_some() {
        return;
    }
    let causes: Vec<Explanation> =
        report.components.iter().filter_map(|component| component.explanation.clone()).collect();
    let rows: Vec<Vec<String>> = report
        .components
        .into_iter()
        .map(|c| {
            let since = age(&c.since);
            vec![c.name, c.ready, c.state, since, c.version, c.why]
        })
        .collect();
    app.ui.outline(&["COMPONENT", "READY", "STATE", "SINCE", "VERSION", "WHY"], &rows);
    // what only takes its time has said so in the table
    for cause in causes.into_iter().filter(|cause| cause.hint.is_some()) {
        let stays = cause.hopeless;
        app.ui.cause(&cause.into_error(), stays);
    }
}

/// What to do about an operation that did not end.
fn how_to_go_on(status: &str) -> String {
    let verb = match status {
        "uninstalling" => "uninstall",
        pending => pending.trim_start_matches("pending-"),
    };
    format!("the {verb} was interrupted: the same command (kubectl obs {verb}) goes on from there")
}
