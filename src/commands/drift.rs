//! `kubectl obs drift`

use std::time::Duration;

use super::App;
use crate::cli::{self, Output};
use crate::diff::{self, Mark};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::drift::{self, Drifted, Field};
use crate::ops::who;
use crate::plan;
use crate::words::count;

/// Shows what somebody else changed; says whether there is anything.
pub async fn run(app: &App<'_>, args: cli::Drift) -> Result<bool> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(120));
    let report = app.cancel.or(drift::drift(&ctx)).await?;
    let found = !report.objects.is_empty();
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(report.objects.iter().map(|o| o.object.to_string()));
            return Ok(found);
        }
        Some(format) => return app.document("ReleaseDrift", &report, format).map(|()| found),
        None => {}
    }
    let all = count(report.compared, "object");
    for one in &report.rewritten {
        let paths: Vec<&str> = one.fields.iter().map(|field| field.path.as_str()).collect();
        app.ui.note(&format!(
            "{}: {} stays otherwise after each apply: {} may change it",
            one.object,
            paths.join(", "),
            one.by.join(" or ")
        ));
    }
    if !found {
        app.ui.note(&format!(
            "release {} is as revision {} wants it: {all} compared, none differs",
            report.release, report.revision
        ));
        return Ok(false);
    }
    let differ = report.objects.len();
    app.ui.lines([
        format!("release {}, revision {}: {differ} of {all} differ", report.release, report.revision),
        String::new(),
    ]);
    let entries: Vec<diff::Entry> = report.objects.iter().map(entry).collect();
    app.ui.diff(&diff::render(&entries));
    app.ui.note("");
    app.ui.note("- as the release wants it, + as it is");
    if report.predicted > 0 {
        app.ui.note(&format!(
            "{} compared as written, without the API server's answer to an apply: less may differ",
            count(report.predicted, "object")
        ));
    }
    if let Some(later) = &report.later {
        app.ui.note(&format!(
            "revision {} ({}) came after it, and may have changed this: kubectl obs rollback {} takes it back, kubectl \
             obs upgrade goes on with it",
            later.revision, later.status, report.revision
        ));
        return Ok(true);
    }
    for line in ways_back(&report.objects) {
        app.ui.note(&line);
    }
    Ok(true)
}

/// What restores the release, by who stands against it.
fn ways_back(objects: &[Drifted]) -> Vec<String> {
    let managers = || objects.iter().flat_map(|one| &one.fields).filter_map(|field| field.manager.as_deref());
    let mut command = "kubectl obs upgrade".to_owned();
    if objects.iter().any(|one| one.foreign) {
        command.push_str(" --adopt");
    }
    if managers().any(plan::is_hand_tool) {
        command.push_str(" --force-conflicts");
    }
    let mut lines = vec![format!("{command} restores it")];
    let mut others: Vec<&str> = managers().filter(|manager| !plan::is_hand_tool(manager)).collect();
    others.sort_unstable();
    others.dedup();
    if !others.is_empty() {
        lines.push(format!(
            "but for what {} set: change it there, or set the value in the release",
            others.join(", ")
        ));
    }
    lines
}

fn entry(drifted: &Drifted) -> diff::Entry {
    let (mark, note) = match drifted {
        Drifted { orphan: true, .. } => {
            (Mark::Create, Some("is in no revision of the release: an upgrade removes it".to_owned()))
        }
        Drifted { going: true, .. } => (Mark::Delete, Some("is being deleted".to_owned())),
        Drifted { missing: true, .. } => (Mark::Delete, Some("is missing".to_owned())),
        Drifted { foreign: true, .. } => {
            (Mark::Conflict, Some("does not belong to the release any more".to_owned()))
        }
        _ => (Mark::Update, None),
    };
    let changes = drifted
        .fields
        .iter()
        .map(|field| diff::Change {
            path: field.path.clone(),
            steps: Vec::new(),
            from: field.wanted.clone(),
            to: field.live.clone(),
            secret: field.secret,
        })
        .collect();
    let notes = drifted.fields.iter().map(|field| (field.path.clone(), by(field))).collect();
    diff::Entry { note, notes, ..diff::Entry::new(mark, drifted.object.clone(), changes) }
}

/// A manager's entry has a time, a single field has not; a removal leaves no owner.
fn by(field: &Field) -> String {
    match (&field.manager, &field.since) {
        (Some(manager), Some(since)) => format!("by {manager}, which last wrote {}", who::ago(since)),
        (Some(manager), None) => format!("by {manager}"),
        (None, _) if field.live.is_none() => "removed; nobody can say by whom".to_owned(),
        (None, _) => "nobody claims it".to_owned(),
    }
}
