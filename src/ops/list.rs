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
}

/// The releases of a namespace, or of all, by namespace and name.
pub async fn list(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Listed>> {
    let mut headers = records::headers(cluster, namespace).await?;
    headers.sort_by(|a, b| (&a.namespace, &a.release).cmp(&(&b.namespace, &b.release)));
    let releases = headers.chunk_by(|a, b| a.namespace == b.namespace && a.release == b.release);
    Ok(releases.filter_map(|group| History::new(group.to_vec()).latest().map(listed)).collect())
}

fn listed(header: &Header) -> Listed {
    Listed {
        namespace: header.namespace.clone(),
        release: header.release.clone(),
        revision: header.revision,
        status: header.status_word.clone(),
        bundle: header.bundle.clone(),
        updated: header.updated.clone(),
        description: header.description.clone(),
    }
}
