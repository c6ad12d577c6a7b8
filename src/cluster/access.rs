//! What the user may do, asked before anything is tried: one SelfSubjectAccessReview per right,
//! because the list of all rights (SelfSubjectRulesReview) misses webhook authorizers.

use futures::stream::{StreamExt, TryStreamExt};
use http::Method;
use serde_json::json;

use super::Cluster;
use super::call::{Call, Subject};
use crate::Result;

const URL: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// Reviews in flight.
const AT_ONCE: usize = 8;

/// A right to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// `create`, `patch`, `escalate`, …
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// The plural, `deployments`.
    pub resource: String,
    /// For example `portforward`; empty for the resource itself.
    pub subresource: String,
    /// None: cluster-wide.
    pub namespace: Option<String>,
    /// One object only.
    pub name: Option<String>,
}

impl Cluster {
    /// For each of the rights, in their order: does the user have it?
    pub async fn can_i(&self, rights: &[Access]) -> Result<Vec<bool>> {
        futures::stream::iter(rights.to_vec())
            .map(|right| async move { self.review(&right).await })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn review(&self, right: &Access) -> Result<bool> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                "subresource": right.subresource,
                "namespace": right.namespace.as_deref().unwrap_or_default(),
                "name": right.name.as_deref().unwrap_or_default(),
            }},
        });
        // a review stores nothing: repeating one is safe
        let call = Call::with_body(Method::POST, URL, &body, Subject::default());
        let reply = self.call(&call).await.map_err(|e| self.error(e, &call))?;
        Ok(reply.value["status"]["allowed"] == true)
    }
}
