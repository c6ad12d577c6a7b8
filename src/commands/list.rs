//! `kubectl obs list`

use super::App;
use crate::cli::{List, Output};
use crate::error::Result;
use crate::ops::{list, who};

/// Lists releases.
pub async fn run(app: &App<'_>, args: &List) -> Result<()> {
    let namespace = app.namespace()?;
    let cluster = app.connect().await?;
    let scope = (!args.all_namespaces).then_some(namespace.as_str());
    let list::List { releases, damage } = list::list(&cluster, scope).await?;
    for line in &damage {
        app.ui.warn(line);
    }
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(releases.iter().map(|listed| super::release_name(&listed.release)));
            Ok(())
        }
        Some(format) => app.document("ReleaseList", &serde_json::json!({ "items": releases }), format),
        None if releases.is_empty() => {
            let place = scope.map_or("on this cluster".to_owned(), |ns| format!("in namespace {ns}"));
            app.ui.note(&format!("no releases {place}; kubectl obs install makes one"));
            Ok(())
        }
        None => {
            let rows: Vec<Vec<String>> = releases
                .into_iter()
                .map(|listed| {
                    let age = who::ago(&listed.updated);
                    vec![
                        listed.namespace,
                        listed.release,
                        listed.revision.to_string(),
                        listed.status,
                        listed.bundle,
                        age,
                    ]
                })
                .collect();
            app.ui.table(&["NAMESPACE", "RELEASE", "REVISION", "STATUS", "BUNDLE", "UPDATED"], &rows);
            Ok(())
        }
    }
}
