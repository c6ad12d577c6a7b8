//! `kubectl obs dashboards`

use std::time::Duration;

use super::App;
use crate::cli::{self, DashboardsCommand, Output};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::dashboards;
use crate::words::count;

/// Lists the dashboards of a release, or writes them to files.
pub async fn run(app: &App<'_>, args: cli::Dashboards) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let report = dashboards::dashboards(&ctx).await?;
    if let Some(DashboardsCommand::Export(to)) = args.command {
        let files = dashboards::export(&report.dashboards, &to.dir, to.overwrite)?;
        app.ui.lines(files.iter().map(|file| file.display().to_string()));
        app.ui.note(&format!(
            "{} written; dashboards.folders brings changed ones back",
            count(files.len(), "file")
        ));
        return Ok(());
    }
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(report.dashboards.iter().map(|one| format!("dashboard/{}", one.uid)));
        }
        Some(format) => app.document("DashboardList", &report, format)?,
        None if report.dashboards.is_empty() => app.ui.note("this release brings no dashboards"),
        None => {
            let rows: Vec<Vec<String>> = report
                .dashboards
                .iter()
                .map(|one| {
                    vec![
                        one.folder.clone(),
                        one.title.clone(),
                        one.panels.to_string(),
                        one.url.as_ref().unwrap_or(&one.path).clone(),
                    ]
                })
                .collect();
            app.ui.outline(&["FOLDER", "DASHBOARD", "PANELS", "LINK"], &rows);
            if report.address.is_none() {
                app.ui.note("");
                app.ui.note(
                    "links are below the address of Grafana: while kubectl obs open grafana runs, they are whole",
                );
            }
        }
    }
    Ok(())
}
