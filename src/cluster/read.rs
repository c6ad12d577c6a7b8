//! Reads objects: one, or all of a kind. Lists are consistent and come in pages of 500.

use serde_json::Value;

use super::Cluster;
use super::call::{Call, Subject, path, with_query};
use super::errors::Failure;
use crate::Result;
use crate::object::Kind;

const PAGE: &str = "500";
/// Only metadata; servers of custom APIs that cannot do it send whole objects.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// A list that outlives its snapshot on the server is begun anew, but not for ever.
const RESTARTS: u32 = 3;

/// A list and the point in the cluster's history that it shows.
pub(super) struct Listed {
    pub items: Vec<Value>,
    pub resource_version: String,
}

impl Cluster {
    /// One object; None when it does not exist (or its kind is no longer served).
    pub async fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        let subject = Subject::new("get", kind, namespace, Some(name));
        let call = Call::get(path(kind, namespace, Some(name)), subject);
        match self.call(&call).await {
            Ok(reply) => Ok(Some(reply.value)),
            Err(failure) if failure.code() == 404 => Ok(None),
            Err(failure) => Err(self.error(failure, &call)),
        }
    }

    /// The same for who may not be allowed to look: None for "you may not know".
    pub async fn look_up(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Option<Value>>> {
        let subject = Subject::new("get", kind, namespace, Some(name));
        let call = Call::get(path(kind, namespace, Some(name)), subject);
        match self.call(&call).await {
            Ok(reply) => Ok(Some(Some(reply.value))),
            Err(failure) if failure.code() == 404 => Ok(Some(None)),
            Err(failure) if failure.code() == 403 => Ok(None),
            Err(failure) => Err(self.error(failure, &call)),
        }
    }

    /// All objects of a kind, in one namespace or (None) in all, that match the label selector
    /// (empty: all). Each has apiVersion and kind, which the server leaves out in lists.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>, labels: &str) -> Result<Vec<Value>> {
        let call = list_call(kind, namespace, labels);
        Ok(self.list_pages(kind, &call).await.map_err(|e| self.error(e, &call))?.items)
    }

    /// The same, but only apiVersion, kind and metadata of each object: cheap even for Secrets
    /// with megabytes of data.
    pub async fn list_metadata(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>> {
        let call = list_call(kind, namespace, labels).accept(METADATA);
        let mut items = self.list_pages(kind, &call).await.map_err(|e| self.error(e, &call))?.items;
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
        }
        Ok(items)
    }

    pub(super) async fn list_pages(&self, kind: &Kind, call: &Call) -> Result<Listed, Failure> {
        let mut restarts = 0;
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let page = Call { url: with_query(&call.url, &[("continue", &token)]), ..call.clone() };
            let mut reply = match self.call(&page).await {
                Ok(reply) => reply,
                // the snapshot that the pages come from was compacted
                Err(failure) if failure.code() == 410 && restarts < RESTARTS => {
                    restarts += 1;
                    items.clear();
                    token.clear();
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if let Value::Array(page) = reply.value["items"].take() {
                items.extend(page.into_iter().map(|item| with_type(item, kind)));
            }
            let metadata = &reply.value["metadata"];
            token = metadata["continue"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                let resource_version = metadata["resourceVersion"].as_str().unwrap_or_default().to_owned();
                return Ok(Listed { items, resource_version });
            }
        }
    }
}

pub(super) fn list_call(kind: &Kind, namespace: Option<&str>, labels: &str) -> Call {
    let url = with_query(&path(kind, namespace, None), &[("labelSelector", labels), ("limit", PAGE)]);
    Call::get(url, Subject::new("list", kind, namespace, None))
}

/// Puts apiVersion and kind in front.
pub(super) fn with_type(item: Value, kind: &Kind) -> Value {
    let Value::Object(mut fields) = item else { return item };
    let mut out = serde_json::Map::new();
    out.insert("apiVersion".into(), kind.api_version().into());
    out.insert("kind".into(), kind.kind.clone().into());
    fields.retain(|field, _| field != "apiVersion" && field != "kind");
    out.extend(fields);
    Value::Object(out)
}
