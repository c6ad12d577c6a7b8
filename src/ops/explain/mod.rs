//! Why something does not arrive: the chain that it passes, link by link, to the first that is broken
//! ([`chain`]). [`ask`] gathers for the pure parts: for metrics and logs of a target, and for who is told of an alert.

pub mod alert;
pub mod ask;
pub mod chain;
pub mod discovery;
pub mod logs;
pub mod metrics;
pub mod policy;
pub mod promql;
pub mod relabel;
pub mod target;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

use self::chain::{Chain, Link};
use crate::release::Record;

/// A chain, with all that led to it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// `metrics`, `logs` or `alert`.
    pub of: &'static str,
    /// What it is about.
    pub about: String,
    /// The links, the first first; where one is broken it is the last.
    pub links: Vec<Link>,
    /// The jobs that a pod which is not scraped was followed through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Value>,
    /// What could not be looked at.
    pub warnings: Vec<String>,
    /// Is a link broken?
    pub broken: bool,
}

impl Report {
    fn of(record: &Record, of: &'static str, chain: Chain, jobs: Vec<Value>, warnings: Vec<String>) -> Self {
        Self {
            release: record.release.clone(),
            namespace: record.namespace.clone(),
            of,
            broken: chain.broken().is_some(),
            about: chain.about,
            links: chain.links,
            jobs,
            warnings,
        }
    }
}
