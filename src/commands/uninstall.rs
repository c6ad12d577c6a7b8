//! `kubectl obs uninstall`

use super::App;
use crate::cli::{Output, Uninstall};
use crate::error::{Error, Result};
use crate::ops::parse_duration;
use crate::ops::uninstall::{self, Options, Removal};
use crate::words::count;

/// Removes a release.
pub async fn run(app: &App<'_>, args: &Uninstall) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let timeout = parse_duration(&args.operation.timeout)?;
    let options = Options {
        delete_data: args.delete_data,
        delete_crds: args.delete_crds,
        keep_history: args.keep_history,
        lock_timeout: parse_duration(&args.operation.lock_timeout)?,
        dry_run: args.operation.dry_run.is_some(),
    };
    let cluster = app.connect().await?;
    let observer = app.ui.progress();
    let confirm = |removal: &Removal| {
        if !args.operation.yes {
            question(release.as_str(), removal).iter().for_each(|line| app.ui.note(line));
        }
        let yes = if args.delete_data {
            app.ui.type_name(&format!("deleting the data of release {release}"), release.as_str())?
        } else {
            app.ui.confirm("uninstall")?
        };
        if yes { Ok(()) } else { Err(Error::failed("not confirmed: nothing was changed")) }
    };
    let ctx = app.context(&cluster, &namespace, &release, &observer, timeout);
    let result = uninstall::uninstall(ctx, &options, &confirm).await;
    drop(observer);
    let report = result?;
    match args.operation.output {
        Some(Output::Name) => {
            app.ui.lines([super::release_name(&report.release)]);
            return Ok(());
        }
        Some(format) => return app.document("UninstallReport", &report, format),
        None if args.operation.events.is_some() => return Ok(()),
        None => {}
    }
    if report.status == "planned" {
        app.ui.lines(report.removed.iter().map(|name| format!("- {name}")));
    } else {
        app.ui.note("");
        app.ui.note(&format!(
            "release {} is uninstalled: {} removed",
            report.release,
            count(report.removed.len(), "object")
        ));
    }
    if !report.kept.is_empty() {
        app.ui.note("these stay:");
        for name in &report.kept {
            app.ui.note(&format!("  {name}"));
        }
    }
    if report.status == "planned" {
        app.ui.note("dry-run: nothing was changed");
    }
    Ok(())
}

fn question(release: &str, removal: &Removal) -> Vec<String> {
    let mut lines = vec![format!("release {release}: {} to remove", count(removal.go.len(), "object"))];
    for namespace in &removal.namespaces {
        lines.push(format!("  namespace {namespace} goes too, if nothing else is in it"));
    }
    if let (Some(last), false) = (lines.last_mut(), removal.stay.is_empty()) {
        last.push_str("; these stay:");
        lines.extend(removal.stay.iter().map(|(id, why)| format!("  {id} ({why})")));
    }
    lines
}
