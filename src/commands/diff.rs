//! `kubectl obs diff`, and the text of a plan wherever one is shown.

use std::time::Duration;

use super::App;
use crate::cli::{self, Output};
use crate::diff::{Line, LineKind, render};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::change::{self, Aim, Options, Preview};

/// How long a comparison may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Shows what an upgrade or a rollback would change; says whether it would change anything.
pub async fn run(app: &App<'_>, args: cli::Diff) -> Result<bool> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let aim = match args.revision {
        Some(revision) => Aim::Rollback(Some(revision)),
        None => {
            Aim::Upgrade(super::change::upgrade_of(args.bundle.as_deref(), &args.values, &args.base, true))
        }
    };
    let options = Options {
        dry_run: Some(match args.dry_run {
            None => change::DryRun::Diff,
            Some(cli::DryRun::Client) => change::DryRun::Client,
            Some(cli::DryRun::Server) => change::DryRun::Server,
        }),
        adopt: args.adopt,
        force_conflicts: args.force_conflicts,
        recreate: args.recreate,
        ..Options::default()
    };
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, TIMEOUT);
    let report = change::run(ctx, &aim, &options, &|_| Ok(())).await?;
    let Some(preview) = report.preview else { return Ok(false) };
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(preview.changes.iter().map(|change| change.object.to_string()));
        }
        Some(format) => app.document("ReleaseDiff", &preview, format)?,
        None => show(app, &preview, Sink::Data),
    }
    Ok(!preview.is_empty())
}

/// Where a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// It is what was asked for: stdout.
    Data,
    /// It goes before a question: stderr.
    Talk,
}

/// Shows a plan.
pub fn show(app: &App<'_>, preview: &Preview, sink: Sink) {
    let mut lines = vec![Line { kind: LineKind::Plain, text: preview.headline() }];
    let entries = preview.entries();
    if !entries.is_empty() {
        lines.push(Line { kind: LineKind::Plain, text: String::new() });
        lines.extend(render(&entries));
        lines.push(Line { kind: LineKind::Plain, text: String::new() });
        lines.push(Line { kind: LineKind::Plain, text: preview.consequences() });
        lines.extend(preview.prediction().map(|text| Line { kind: LineKind::Plain, text }));
        lines.extend(preview.recorded().into_iter().map(|text| Line { kind: LineKind::Plain, text }));
        lines.extend(preview.into_used_namespace().map(|text| Line { kind: LineKind::Plain, text }));
        lines.extend(preview.what_stays().map(|text| Line { kind: LineKind::Plain, text }));
    }
    match sink {
        Sink::Data => app.ui.diff(&lines),
        Sink::Talk => app.ui.diff_note(&lines),
    }
}
