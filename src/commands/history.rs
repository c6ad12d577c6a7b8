//! `kubectl obs history`

use std::time::Duration;

use super::App;
use crate::cli::{History, Output};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::{history, who};

/// Lists the revisions of a release.
pub async fn run(app: &App<'_>, args: &History) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let report = history::history(&ctx, args.max).await?;
    for line in &report.damage {
        app.ui.warn(line);
    }
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(report.items.iter().map(|item| format!("secret/{}", item.secret)));
        }
        Some(format) => app.document("ReleaseHistory", &report, format)?,
        None => {
            let row = |item: history::Item| {
                let description = item.description.lines().next().unwrap_or_default().to_owned();
                let updated = who::local(&item.updated);
                vec![item.revision.to_string(), item.status, item.bundle, updated, item.by, description]
            };
            let rows: Vec<Vec<String>> = report.items.into_iter().map(row).collect();
            app.ui.outline(&["REVISION", "STATUS", "BUNDLE", "UPDATED", "BY", "DESCRIPTION"], &rows);
        }
    }
    Ok(())
}
