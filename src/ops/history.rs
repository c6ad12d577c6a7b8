//! The revisions of a release. Metadata only: no record is read.

use serde::Serialize;

use super::{Context, revision};
use crate::error::Result;
use crate::release::{Header, History};

/// The revisions of a release.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Newest first.
    pub items: Vec<Item>,
    /// What is wrong with records, one line each.
    #[serde(skip)]
    pub damage: Vec<String>,
}

/// One revision.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its number.
    pub revision: u32,
    /// Its status, as the record says it.
    pub status: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// When it was begun, RFC 3339.
    pub created: String,
    /// When it last changed, RFC 3339.
    pub updated: String,
    /// Who began it.
    pub by: String,
    /// What it was for, or why it failed.
    pub description: String,
    /// The name of its record's Secret.
    pub secret: String,
    /// What metadata shows to be wrong with its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// The revisions, newest first; at most `max` of them, 0 for all.
pub async fn history(ctx: &Context<'_>, max: usize) -> Result<Report> {
    let store = ctx.store();
    let history = store.history_with_chunks().await?;
    if history.latest().is_none() {
        return Err(revision::no_release(ctx));
    }
    let max = if max == 0 { usize::MAX } else { max };
    Ok(Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        items: history.headers().iter().rev().take(max).map(|header| item(&history, header)).collect(),
        damage: history.damage().iter().map(ToString::to_string).collect(),
    })
}

fn item(history: &History, header: &Header) -> Item {
    Item {
        revision: header.revision,
        status: header.status_word.clone(),
        bundle: header.bundle.clone(),
        created: header.created.clone(),
        updated: header.updated.clone(),
        by: header.by.clone(),
        description: header.description.clone(),
        secret: header.secret_name(),
        damage: history.damage_of(header.revision).map(|damage| damage.why.clone()),
    }
}
