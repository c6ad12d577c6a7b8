//! Identities: which object, whatever API version it is written in.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::split_api_version;
use crate::escape;

/// A kind as discovery knows it: enough to build a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Empty for the core group.
    pub group: String,
    /// For example `v1`.
    pub version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// For example `deployments`.
    pub plural: String,
    /// Does it live in namespaces?
    pub namespaced: bool,
}

impl Kind {
    /// A kind of version v1 whose objects live in namespaces.
    pub fn namespaced(group: &str, kind: &str, plural: &str) -> Self {
        let (group, kind, plural) = (group.to_owned(), kind.to_owned(), plural.to_owned());
        Self { group, version: "v1".to_owned(), kind, plural, namespaced: true }
    }

    /// A kind of version v1 whose objects the cluster has once.
    pub fn cluster_scoped(group: &str, kind: &str, plural: &str) -> Self {
        Self { namespaced: false, ..Self::namespaced(group, kind, plural) }
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as RBAC and kubectl write it.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// Group, kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// Empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// For example `Deployment`.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// metadata.name
    pub name: String,
}

impl ObjectId {
    /// The identity of an object as JSON; what it does not say is empty.
    pub fn of(object: &Value) -> Self {
        let (group, _) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        Self {
            group: group.to_owned(),
            kind: object["kind"].as_str().unwrap_or_default().to_owned(),
            namespace: text("namespace"),
            name: text("name").unwrap_or_default(),
        }
    }
}

impl fmt::Display for ObjectId {
    /// `Deployment observability/obs-grafana`, `ClusterRole observability-obs-prometheus`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a record that somebody forged names what no cluster would
        let (kind, name) = (escape::line(&self.kind), escape::line(&self.name));
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {}/{name}", escape::line(namespace)),
            None => write!(f, "{kind} {name}"),
        }
    }
}
