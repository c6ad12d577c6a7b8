//! Which releases are there? Metadata only: no record is read.

use serde::Serialize;

use crate::cluster::{Cluster, records};
use crate::error::Result;
use crate::release::{Header, History};

/// One release, as its newest revision says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub release: String,
    /// The newest revision.
    pub revision: u32,
    /// Its status.
    pub status: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// When it last changed, RFC 3339.
    pub updated: String,
    /// What it was for.
    pub description: String,
    /// What metadata shows to be wrong with the newest revision's record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// The releases, and what is wrong with records of theirs: one line each.
#[derive(Debug, Clone)]
pub struct List {
    /// By namespace and name.
    pub releases: Vec<Listed>,
    /// Damaged records, old revisions among them.
    pub damage: Vec<String>,
}

/// The releases of a namespace, or of all. Whether their chunks are there and what they hold is
/// not looked at: that is for `history` and `get`.
pub async fn list(cluster: &Cluster, namespace: Option<&str>) -> Result<List> {
    let histories = records::releases(cluster, namespace).await?;
    let damage = histories.iter().flat_map(History::damage).map(ToString::to_string).collect();
    let newest = histories.iter().filter_map(|history| Some((history, history.latest()?)));
    Ok(List { releases: newest.map(|(history, header)| listed(history, header)).collect(), damage })
}

fn listed(history: &History, header: &Header) -> Listed {
    Listed {
        namespace: header.namespace.clone(),
        release: header.release.clone(),
        revision: header.revision,
        status: header.status_word.clone(),
        bundle: header.bundle.clone(),
        updated: header.updated.clone(),
        description: header.description.clone(),
        damage: history.damage_of(header.revision).map(|damage| damage.why.clone()),
    }
}
