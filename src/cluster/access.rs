//! What the user may do, asked before anything is tried: one SelfSubjectAccessReview per right,
//! because the list of all rights (SelfSubjectRulesReview) misses webhook authorizers.

use futures::stream::{StreamExt, TryStreamExt};
use http::Method;
use serde_json::{Value, json};

use super::Cluster;
use super::call::{Call, Subject};
use crate::Result;

const URL: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const OTHERS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
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

    /// Has somebody else the right, such as `system:serviceaccount:NAMESPACE:NAME`? An error also where the
    /// user may not ask for others.
    pub async fn may(&self, who: &str, right: &Access) -> Result<bool> {
        let spec = json!({"user": who, "resourceAttributes": attributes(right)});
        self.ask("SubjectAccessReview", OTHERS, spec).await
    }

    async fn review(&self, right: &Access) -> Result<bool> {
        let spec = json!({"resourceAttributes": attributes(right)});
        self.ask("SelfSubjectAccessReview", URL, spec).await
    }

    async fn ask(&self, kind: &str, url: &str, spec: Value) -> Result<bool> {
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        // a review stores nothing: repeating one is safe
        let call = Call::with_body(Method::POST, url, &body, Subject::default());
        let reply = self.call(&call).await.map_err(|e| self.error(e, &call))?;
        Ok(reply.value["status"]["allowed"] == true)
    }
}

fn attributes(right: &Access) -> Value {
    json!({
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "namespace": right.namespace.as_deref().unwrap_or_default(),
        "name": right.name.as_deref().unwrap_or_default(),
    })
}
