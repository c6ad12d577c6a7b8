//! `kubectl obs version`

use serde_json::json;

use super::App;
use crate::cli::{Output, Version};
use crate::error::Result;

/// Prints versions.
pub async fn run(app: &App<'_>, args: &Version) -> Result<()> {
    let client = env!("CARGO_PKG_VERSION");
    let server = if args.client { None } else { Some(app.connect().await?.version().await?.text) };
    match args.output {
        Some(Output::Name) => app.ui.data(&format!("kubectl-obs/{client}\n")),
        Some(format) => {
            return app.document("Version", &json!({"client": client, "server": server}), format);
        }
        None => {
            let server = server.map(|server| format!("Kubernetes  {server}\n")).unwrap_or_default();
            app.ui.data(&format!("kubectl-obs {client}\n{server}"));
        }
    }
    Ok(())
}
