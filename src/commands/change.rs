//! `kubectl obs install`, `upgrade` and `rollback`: one operation with three aims.

use std::sync::Arc;

use super::{App, Outcome};
use crate::cli::{self, DryRun, Output, Wait};
use crate::error::{Error, Result};
use crate::ops::change::{self, Aim, Options, Preview, Report, Upgrade, WaitFor};
use crate::ops::load::Loaded;
use crate::ops::parse_duration;

/// Installs a bundle.
pub async fn install(app: &App<'_>, args: cli::Install) -> Result<Outcome> {
    let options = Options {
        adopt: args.adopt,
        rollback_on_failure: args.rollback_on_failure,
        ..options(&args.change, &args.operation)?
    };
    // what is wrong with the bundle or the values is said before the cluster is asked
    let loaded = Loaded::load(&args.bundle, &args.values)?;
    for warning in loaded.warnings() {
        app.ui.warn(warning);
    }
    run(app, &Aim::Install(Arc::new(loaded)), options, &args.operation).await
}

/// Changes a release.
pub async fn upgrade(app: &App<'_>, args: cli::Upgrade) -> Result<Outcome> {
    let options = Options {
        adopt: args.adopt,
        rollback_on_failure: args.rollback_on_failure,
        ..options(&args.change, &args.operation)?
    };
    let upgrade = upgrade_of(args.bundle.as_deref(), &args.values, &args.base, args.install);
    run(app, &Aim::Upgrade(upgrade), options, &args.operation).await
}

/// Returns to an earlier revision.
pub async fn rollback(app: &App<'_>, args: cli::Rollback) -> Result<Outcome> {
    let options = Options { always_ask: true, ..options(&args.change, &args.operation)? };
    run(app, &Aim::Rollback(args.revision), options, &args.operation).await
}

/// An upgrade as it was typed.
pub fn upgrade_of<'a>(
    bundle: Option<&'a str>,
    values: &'a cli::Values,
    base: &cli::Base,
    install: bool,
) -> Upgrade<'a> {
    Upgrade {
        bundle,
        values,
        install,
        reset_values: base.reset_values,
        switch_bundle: base.switch_bundle,
        allow_downgrade: base.allow_downgrade,
    }
}

fn options(change: &cli::Change, operation: &cli::Operation) -> Result<Options> {
    Ok(Options {
        wait: match change.wait {
            Wait::None => WaitFor::Nothing,
            Wait::Ready => WaitFor::Ready,
            Wait::Healthy => WaitFor::Healthy,
        },
        lock_timeout: parse_duration(&operation.lock_timeout)?,
        dry_run: operation.dry_run.map(|how| how == DryRun::Server),
        description: change.description.clone(),
        history_max: change.history_max,
        force_conflicts: change.force_conflicts,
        ..Options::default()
    })
}

async fn run(app: &App<'_>, aim: &Aim<'_>, options: Options, operation: &cli::Operation) -> Result<Outcome> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let timeout = parse_duration(&operation.timeout)?;
    let cluster = app.connect().await?;
    let observer = app.ui.progress();
    let ctx = app.context(&cluster, &namespace, &release, &observer, timeout);
    let confirm = |preview: &Preview| {
        if !operation.yes {
            app.ui.note("");
            super::diff::show(app, preview, super::diff::Sink::Talk);
        }
        match app.ui.confirm(&preview.verb)? {
            true => Ok(()),
            false => Err(Error::failed("not confirmed: nothing was changed")),
        }
    };
    let result = change::run(ctx, aim, &options, &confirm).await;
    drop(observer);
    let comparing = operation.exit_code;
    let printed = result.and_then(|report| print(app, operation, &report).map(|()| report));
    if comparing {
        let differs = printed.map(|report| report.preview.is_some_and(|preview| !preview.is_empty()));
        return Outcome::of_comparison(differs);
    }
    printed.map(|_| Outcome::Fine)
}

fn print(app: &App<'_>, operation: &cli::Operation, report: &Report) -> Result<()> {
    match operation.output {
        Some(Output::Name) => {
            app.ui.data(&super::release_name(&report.release));
            return Ok(());
        }
        Some(format) => return app.document(&report.kind, report, format),
        None if operation.events.is_some() => return Ok(()),
        None => {}
    }
    if let Some(preview) = &report.preview {
        super::diff::show(app, preview, super::diff::Sink::Data);
        app.ui.note("dry-run: nothing was changed");
        return Ok(());
    }
    app.ui.note("");
    if report.status == "unchanged" {
        app.ui.note(&format!(
            "release {} is unchanged (revision {}, {}): {} objects compared, none differs",
            report.release,
            report.revision,
            report.bundle,
            report.unchanged.len()
        ));
        return Ok(());
    }
    app.ui.note(&format!("release {} is {} (revision {})", report.release, report.status, report.revision));
    if !report.notes.trim().is_empty() {
        app.ui.note("");
        for line in report.notes.trim_end().lines() {
            app.ui.note(line);
        }
    }
    Ok(())
}
