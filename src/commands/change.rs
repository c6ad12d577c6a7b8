//! `kubectl obs install`, `upgrade`, `rollback` and `rollout undo`: one operation with four aims.

use std::path::Path;
use std::sync::Arc;

use super::{App, Outcome};
use crate::cli::{self, DryRun, Output, Wait};
use crate::error::{Error, Result};
use crate::ops::change::{self, Aim, Helm, Options, PlanFile, Preview, Report, Upgrade, WaitFor};
use crate::ops::load::Loaded;
use crate::ops::{parse_duration, read_input};

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
    let options = match (&args.plan_out, &args.plan) {
        (Some(_), _) => Options { dry_run: Some(change::DryRun::Server), plan_out: true, ..options },
        (None, Some(path)) => Options { expected: Some(read_plan(path)?), ..options },
        (None, None) => options,
    };
    let upgrade = upgrade_of(args.bundle.as_deref(), &args.values, &args.base, args.install);
    let out = args.plan_out.as_deref();
    run_with(app, &Aim::Upgrade(upgrade), options, &args.operation, out).await
}

/// Returns to an earlier revision.
pub async fn rollback(app: &App<'_>, args: cli::Rollback) -> Result<Outcome> {
    let options = Options { always_ask: true, ..options(&args.change, &args.operation)? };
    run(app, &Aim::Rollback(args.revision), options, &args.operation).await
}

/// Returns components to an earlier revision.
pub async fn undo(app: &App<'_>, args: cli::RolloutUndo) -> Result<Outcome> {
    let options = Options { always_ask: true, ..options(&args.change, &args.operation)? };
    run(app, &Aim::Undo(&args.components, args.to_revision), options, &args.operation).await
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
    let is_object = |name: &str| {
        name.split_once('/')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty() && !name.contains('/'))
    };
    if let Some(wrong) = change.recreate.iter().find(|name| !is_object(name)) {
        return Err(Error::usage(format!("--recreate {wrong}: this is no KIND/NAME"))
            .hint("write it as Service/obs-grafana, without the namespace"));
    }
    Ok(Options {
        wait: match change.wait {
            Wait::None => WaitFor::Nothing,
            Wait::Ready => WaitFor::Ready,
            Wait::Healthy => WaitFor::Healthy,
        },
        timeout: parse_duration(&operation.timeout)?,
        lock_timeout: parse_duration(&operation.lock_timeout)?,
        dry_run: operation.dry_run.map(|how| match how {
            DryRun::Client => change::DryRun::Client,
            DryRun::Server => change::DryRun::Server,
        }),
        description: change.description.clone(),
        history_max: change.history_max,
        force_conflicts: change.force_conflicts,
        recreate: change.recreate.clone(),
        keep_claim_sizes: change.keep_claim_sizes,
        accept_data_loss: change.accept_data_loss.clone(),
        ..Options::default()
    })
}

async fn run(app: &App<'_>, aim: &Aim<'_>, options: Options, operation: &cli::Operation) -> Result<Outcome> {
    run_with(app, aim, options, operation, None).await
}

async fn run_with(
    app: &App<'_>,
    aim: &Aim<'_>,
    options: Options,
    operation: &cli::Operation,
    plan_out: Option<&Path>,
) -> Result<Outcome> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let observer = app.ui.progress();
    let ctx = app.context(&cluster, &namespace, &release, &observer, options.timeout);
    let confirm = |preview: &Preview| {
        super::diff::show(app, preview, super::diff::Sink::Talk);
        match app.ui.confirm(&preview.verb)? {
            true => Ok(()),
            false => Err(Error::failed("not confirmed: nothing was changed")),
        }
    };
    let result = change::run(ctx, aim, &options, &confirm).await;
    drop(observer);
    if let (Ok(Report { plan_file: Some(plan), .. }), Some(path)) = (&result, plan_out) {
        write_plan(path, plan)?;
        app.ui.note(&format!(
            "plan written to {}; carry it out with the same flags and --plan",
            path.display()
        ));
    }
    let comparing = operation.exit_code;
    let printed = result.and_then(|report| print(app, operation, &report).map(|()| report));
    if comparing {
        let differs = printed.map(|report| report.preview.is_some_and(|preview| !preview.is_empty()));
        return Outcome::of_comparison(differs);
    }
    printed.map(|_| Outcome::Fine)
}

/// What to do with a Helm release whose objects are ours now: `helm upgrade` would take them back.
fn helm_left(helm: &Helm) -> Vec<String> {
    let Helm { release, namespace, not_adopted } = helm;
    let mut lines = vec![
        format!(
            "Helm release {release} in namespace {namespace} lost objects to this release. Remove it now, a helm \
             upgrade would take them back:"
        ),
        format!("  kubectl delete secrets -n {namespace} -l owner=helm,name={release}"),
    ];
    if not_adopted.is_empty() {
        lines.push("Nothing else belongs to it".to_owned());
    } else {
        lines.push("These still belong to it and stay:".to_owned());
        lines.extend(not_adopted.iter().map(|object| format!("  {object}")));
    }
    lines
}

/// Most bytes of a plan file: its text has a line for each field that changes.
const MAX_PLAN: u64 = 16 << 20;

fn read_plan(path: &Path) -> Result<PlanFile> {
    let failed = |why: String| {
        Error::usage(format!("plan {} cannot be read: {why}", path.display()))
            .hint("make one with kubectl obs upgrade --plan-out FILE")
    };
    let bytes = read_input(path, MAX_PLAN + 1)?.map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_PLAN {
        return Err(failed(format!("it is larger than {} MiB", MAX_PLAN >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8 text".to_owned()))?;
    PlanFile::parse(&text).map_err(failed)
}

/// For its owner's eyes: it names every object of the release.
fn write_plan(path: &Path, plan: &PlanFile) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::failed(format!("plan {} cannot be written: {error}", path.display()))
            .hint("nothing was changed on the cluster")
    };
    let text = serde_json::to_string_pretty(plan)
        .map_err(|error| Error::failed(format!("the plan cannot be written: {error}")))?;
    super::write_for_owner(path, format!("{text}\n").as_bytes()).map_err(failed)
}

fn print(app: &App<'_>, operation: &cli::Operation, report: &Report) -> Result<()> {
    match operation.output {
        Some(Output::Name) => {
            app.ui.lines([super::release_name(&report.release)]);
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
    for helm in &report.helm {
        app.ui.note("");
        helm_left(helm).iter().for_each(|line| app.ui.note(line));
    }
    if !report.notes.trim().is_empty() {
        app.ui.note("");
        for line in report.notes.trim_end().lines() {
            app.ui.note(line);
        }
    }
    Ok(())
}
