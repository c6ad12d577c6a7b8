//! Asks the cluster, Prometheus, Alertmanager and Loki what the chains are made of: one file for each.

mod alert;
mod logs;
mod metrics;

pub use alert::alert;
pub use logs::logs;
pub use metrics::metrics;

use crate::error::{Error, Result};
use crate::ops::Context;
use crate::ops::alerts::server;
use crate::ops::pod::Place;
use crate::release::Record;

async fn first_prometheus(ctx: &Context<'_>, record: &Record) -> Result<Place> {
    let places = server::prometheus(ctx, record).await?;
    places.into_iter().next().ok_or_else(|| Error::failed("prometheus has no ready pod"))
}

fn silent(why: &str) -> Error {
    Error::failed(format!("prometheus does not answer: {why}"))
        .hint("kubectl obs doctor says what is wrong with it")
}

/// A text in PromQL.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
