//! `kubectl obs open`

use super::port_forward::{self, What};
use super::{App, Outcome};
use crate::cli::Open;
use crate::error::Result;

/// Opens one UI in a browser and forwards to it for as long as it runs.
pub async fn run(app: &App<'_>, args: Open) -> Result<Outcome> {
    let components = vec![args.component];
    port_forward::forward(app, What { components, browser: true, command: Vec::new(), flags: args.forward })
        .await
}
