//! `kubectl obs install`

use super::App;
use crate::cli::{DryRun, Install, Output, Wait};
use crate::error::Result;
use crate::ops::install::{self, Options, Report, WaitFor};
use crate::ops::load::Loaded;
use crate::ops::parse_duration;

/// Revisions to keep.
const HISTORY_MAX: usize = 10;

/// Installs a bundle.
pub async fn run(app: &App<'_>, args: Install) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let timeout = parse_duration(&args.operation.timeout)?;
    let options = Options {
        wait: match args.wait {
            Wait::None => WaitFor::Nothing,
            Wait::Ready => WaitFor::Ready,
            Wait::Healthy => WaitFor::Healthy,
        },
        lock_timeout: parse_duration(&args.operation.lock_timeout)?,
        dry_run: args.operation.dry_run.map(|how| how == DryRun::Server),
        description: args.description.clone(),
        history_max: HISTORY_MAX,
    };
    let loaded = Loaded::load(&args.bundle, &args.values)?;
    for warning in loaded.warnings() {
        app.ui.warn(warning);
    }
    let cluster = app.connect().await?;
    let observer = app.ui.progress();
    let ctx = app.context(&cluster, &namespace, &release, &observer, timeout);
    let result = install::install(ctx, &loaded, &options).await;
    drop(observer);
    print(app, &args, &result?)
}

fn print(app: &App<'_>, args: &Install, report: &Report) -> Result<()> {
    match args.operation.output {
        Some(Output::Name) => {
            app.ui.data(&super::release_name(&report.release));
            return Ok(());
        }
        Some(format) => return app.document("InstallReport", report, format),
        None => {}
    }
    if args.operation.events.is_some() {
        return Ok(());
    }
    if report.status == "planned" {
        let lines = [("+", &report.created), ("~", &report.updated), ("-", &report.pruned)];
        for (mark, names) in lines {
            for name in names {
                app.ui.data(&format!("{mark} {name}\n"));
            }
        }
        app.ui.note(&format!(
            "release {}: {} create, {} change, {} stay, {} go; nothing was changed",
            report.release,
            report.created.len(),
            report.updated.len(),
            report.unchanged.len(),
            report.pruned.len()
        ));
        return Ok(());
    }
    app.ui.note("");
    app.ui.note(&format!("release {} is {} (revision {})", report.release, report.status, report.revision));
    if !report.notes.trim().is_empty() {
        app.ui.note("");
        for line in report.notes.trim_end().lines() {
            app.ui.note(line);
        }
    }
    Ok(())
}
