//! `kubectl obs get values|manifest|notes|inventory|all`: what is recorded of a revision.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{App, objects};
use crate::cli::{Document, Get, Output};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::get::{self, Got};
use crate::release::{Entry, EntryState, Record};

/// Prints what is recorded of a revision.
pub async fn run(app: &App<'_>, args: &Get) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let which = match args {
        Get::Values(args) => args.which,
        Get::Manifest(args) => args.which,
        Get::Notes(args) => args.which,
        Get::Inventory(args) => args.which,
        Get::All(args) => args.which,
    };
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let got = get::get(&ctx, which.revision).await?;
    match args {
        Get::Values(args) => values(app, &got.record, args.show_secrets, args.output),
        Get::Manifest(args) => {
            manifest(app, &got.record, args.show_secrets, args.output.unwrap_or(Output::Yaml))?;
        }
        Get::Notes(_) if got.record.notes.is_empty() => app.ui.note("the bundle has no notes"),
        Get::Notes(_) => app.ui.data(&get::traces(&got.record).text(&got.record.notes)),
        Get::Inventory(args) => inventory(app, &got.record, args.output)?,
        Get::All(args) => all(app, got, args.show_secrets, args.output.unwrap_or(Document::Yaml))?,
    }
    Ok(())
}

/// As a values file: what is printed can be given with `-f` again.
fn values(app: &App<'_>, record: &Record, show_secrets: bool, format: Option<Document>) {
    let values = shown_values(app, record, show_secrets);
    match format {
        Some(Document::Json) => app.ui.json(&values),
        Some(Document::Yaml) | None => app.ui.yaml(&values),
    }
}

fn shown_values(app: &App<'_>, record: &Record, show_secrets: bool) -> Value {
    let (values, note) = get::values(record, show_secrets);
    if let Some(note) = note {
        app.ui.warn(&note);
    }
    values
}

fn manifest(app: &App<'_>, record: &Record, show_secrets: bool, format: Output) -> Result<()> {
    let recorded = get::objects(record)?;
    let mut out = Vec::new();
    let masked = {
        let traces = get::traces(record);
        let hide = (!show_secrets).then_some(&traces);
        objects::write(recorded.iter().map(|o| (o, None)), format, hide, &mut out)?
    };
    objects::tell_masked(app, masked);
    app.ui.data(&String::from_utf8_lossy(&out));
    Ok(())
}

fn inventory(app: &App<'_>, record: &Record, format: Option<Document>) -> Result<()> {
    if let Some(format) = format {
        let report = json!({
            "release": record.release, "namespace": record.namespace, "revision": record.revision,
            "items": record.inventory,
        });
        return app.document("ReleaseInventory", &report, format.into());
    }
    let row = |entry: &Entry| {
        let state = match entry.state {
            EntryState::Active => "active",
            EntryState::Kept => "kept",
            EntryState::Leftover => "leftover",
        };
        let namespace = entry.namespace.clone().unwrap_or_default();
        vec![entry.kind.clone(), namespace, entry.name.clone(), entry.component.clone(), state.to_owned()]
    };
    let rows: Vec<Vec<String>> = record.inventory.iter().map(row).collect();
    app.ui.table(&["KIND", "NAMESPACE", "NAME", "COMPONENT", "STATE"], &rows);
    Ok(())
}

/// Record and metadata in one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct All {
    status: String,
    description: String,
    created: String,
    updated: String,
    by: String,
    #[serde(flatten)]
    record: Record,
}

fn all(app: &App<'_>, got: Got, show_secrets: bool, format: Document) -> Result<()> {
    let Got { header, mut record } = got;
    let traces = get::traces(&record);
    let hide = (!show_secrets).then_some(&traces);
    record.values = shown_values(app, &record, show_secrets);
    if let Some(traces) = hide {
        record.notes = traces.text(&record.notes).into_owned();
        record.derived.clear();
        for health in record.components.iter_mut().flat_map(|component| &mut component.health) {
            traces.mask(health);
        }
    }
    let mut masked = 0;
    record.objects =
        get::objects(&record)?.iter().map(|object| objects::shown(object, hide, &mut masked)).collect();
    objects::tell_masked(app, masked);
    let all = All {
        status: header.status_word,
        description: header.description,
        created: header.created,
        updated: header.updated,
        by: header.by,
        record,
    };
    app.document("ReleaseRecord", &all, format.into())
}
