//! Reads objects: one, or all of a kind. Lists are consistent and come in pages of 500.
//!
//! A list of metadata is mostly managedFields, which nobody who lists wants: they are skipped
//! while the answer is read, so that thousands of objects cost little more than their labels.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Cluster;
use super::call::{Call, Subject, path, with_query};
use super::errors::{Failure, Reason, Transport};
use crate::Result;
use crate::object::Kind;

const PAGE: &str = "500";
/// Only metadata; servers of custom APIs that cannot do it send whole objects.
const METADATA_OF_ONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// Most bytes and values of a list, all pages together: ten thousand pods have a fifth of that.
const MAX_LIST: usize = 512 << 20;
const MAX_VALUES: usize = 10_000_000;
/// A list that outlives its snapshot on the server is begun anew, but not for ever.
const RESTARTS: u32 = 3;

/// A list and the point in the cluster's history that it shows.
pub(super) struct Listed<T = Value> {
    pub items: Vec<T>,
    pub resource_version: String,
}

/// One answer to a list request.
#[derive(Deserialize)]
struct Page<T> {
    // an empty list can be null
    items: Option<Vec<T>>,
    #[serde(default)]
    metadata: PageMetadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    r#continue: String,
    resource_version: String,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: None, metadata: PageMetadata::default() }
    }
}

/// An object of which only the metadata is read.
#[derive(Deserialize)]
struct Partial<T> {
    metadata: T,
}

/// Metadata without managedFields.
struct Slim(Map<String, Value>);

impl<'de> Deserialize<'de> for Slim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Slim;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the metadata of an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Slim, A::Error> {
                let mut out = Map::new();
                while let Some(field) = fields.next_key::<String>()? {
                    if field == "managedFields" {
                        fields.next_value::<IgnoredAny>()?;
                    } else {
                        out.insert(field, fields.next_value()?);
                    }
                }
                Ok(Slim(out))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl Cluster {
    /// One object; None when it does not exist (or its kind is no longer served).
    pub async fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        let call = get_call(kind, namespace, name);
        self.get_if_there(&call).await.map_err(|failure| self.error(failure, &call))
    }

    /// Only the metadata of one object; None when it does not exist.
    pub async fn get_metadata(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let call = get_call(kind, namespace, name).accept(METADATA_OF_ONE);
        let found = self.get_if_there(&call).await.map_err(|failure| self.error(failure, &call))?;
        Ok(found.map(|mut value| value["metadata"].take()))
    }

    /// The same for who may not be allowed to look: None for "you may not know".
    pub async fn look_up(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Option<Value>>> {
        let call = get_call(kind, namespace, name);
        match self.get_if_there(&call).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.code() == 403 => Ok(None),
            Err(failure) => Err(self.error(failure, &call)),
        }
    }

    async fn get_if_there(&self, call: &Call) -> Result<Option<Value>, Failure> {
        match self.call(call).await {
            Ok(reply) => Ok(Some(reply.value)),
            Err(failure) if failure.code() == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All objects of a kind, in one namespace or (None) in all, that match the label selector
    /// (empty: all). Each has apiVersion and kind, which the server leaves out in lists.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>, labels: &str) -> Result<Vec<Value>> {
        let call = list_call(kind, namespace, labels);
        Ok(self.list_pages(kind, &call).await.map_err(|e| self.error(e, &call))?.items)
    }

    /// The same for kinds that may be gone or out of reach: nothing of a kind that is no longer served
    /// (its definition was deleted a moment ago), None where the caller may not look.
    pub async fn list_metadata_if_possible(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Option<Vec<Value>>> {
        self.list_where_allowed(kind, &list_call(kind, namespace, labels).accept(METADATA)).await
    }

    /// All objects of a kind, in one namespace or (None) in the whole cluster; None where the caller may
    /// not look.
    pub async fn list_if_possible(&self, kind: &Kind, namespace: Option<&str>) -> Result<Option<Vec<Value>>> {
        self.list_where_allowed(kind, &list_call(kind, namespace, "")).await
    }

    async fn list_where_allowed(&self, kind: &Kind, call: &Call) -> Result<Option<Vec<Value>>> {
        match self.list_pages(kind, call).await {
            Ok(listed) => Ok(Some(listed.items)),
            Err(failure) if failure.code() == 404 => Ok(Some(Vec::new())),
            Err(failure) if failure.code() == 403 => Ok(None),
            Err(failure) => Err(self.error(failure, call)),
        }
    }

    /// Only apiVersion, kind and metadata without managedFields of each object: cheap
    /// even for Secrets with megabytes of data.
    pub async fn list_metadata(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>> {
        let found: Vec<Slim> = self.list_metadata_as(kind, namespace, labels).await?;
        Ok(found
            .into_iter()
            .map(|Slim(metadata)| with_type(serde_json::json!({ "metadata": metadata }), kind))
            .collect())
    }

    /// The metadata of all objects of a kind that match the label selector, as a type that takes
    /// of it what it needs.
    pub async fn list_metadata_as<T: DeserializeOwned>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<T>> {
        let call = list_call(kind, namespace, labels).accept(METADATA);
        let listed: Listed<Partial<T>> = self.all_pages(&call).await.map_err(|e| self.error(e, &call))?;
        Ok(listed.items.into_iter().map(|item| item.metadata).collect())
    }

    pub(super) async fn list_pages(&self, kind: &Kind, call: &Call) -> Result<Listed, Failure> {
        let mut listed: Listed = self.all_pages(call).await?;
        for item in &mut listed.items {
            *item = with_type(item.take(), kind);
        }
        Ok(listed)
    }

    async fn all_pages<T: DeserializeOwned>(&self, call: &Call) -> Result<Listed<T>, Failure> {
        let mut restarts = 0;
        let (mut bytes, mut values) = (0, 0);
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let page = Call { url: with_query(&call.url, &[("continue", &token)]), ..call.clone() };
            let page: Page<T> = match self.call_as(&page).await {
                Ok(reply) => {
                    bytes += reply.size.bytes;
                    values += reply.size.values;
                    if bytes > MAX_LIST || values > MAX_VALUES {
                        let what = format!(
                            "is larger than {} MiB or has more than {MAX_VALUES} values",
                            MAX_LIST >> 20
                        );
                        let reason = Reason::Transport(Transport::unusable(what));
                        return Err(Failure {
                            reason,
                            attempts: 1,
                            elapsed: Duration::ZERO,
                            uncertain: false,
                        });
                    }
                    reply.value
                }
                // the snapshot that the pages come from was compacted
                Err(failure) if failure.code() == 410 && restarts < RESTARTS => {
                    restarts += 1;
                    (bytes, values) = (0, 0);
                    items.clear();
                    token.clear();
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            items.extend(page.items.unwrap_or_default());
            token = page.metadata.r#continue;
            if token.is_empty() {
                return Ok(Listed { items, resource_version: page.metadata.resource_version });
            }
        }
    }
}

fn get_call(kind: &Kind, namespace: Option<&str>, name: &str) -> Call {
    Call::get(path(kind, namespace, Some(name)), Subject::new("get", kind, namespace, Some(name)))
}

pub(super) fn list_call(kind: &Kind, namespace: Option<&str>, labels: &str) -> Call {
    let url = with_query(&path(kind, namespace, None), &[("labelSelector", labels), ("limit", PAGE)]);
    Call::get(url, Subject::new("list", kind, namespace, None))
}

/// Puts apiVersion and kind in front.
pub(super) fn with_type(item: Value, kind: &Kind) -> Value {
    let Value::Object(mut fields) = item else { return item };
    let mut out = Map::new();
    out.insert("apiVersion".into(), kind.api_version().into());
    out.insert("kind".into(), kind.kind.clone().into());
    fields.retain(|field, _| field != "apiVersion" && field != "kind");
    out.extend(fields);
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::fake::{Fake, Step};

    #[tokio::test]
    async fn metadata_comes_without_managed_fields_and_page_by_page() {
        let item = |name: &str| {
            json!({"metadata": {"name": name, "managedFields": [{"manager": "kubectl"}], "uid": "1"},
                "data": {"large": "x"}})
        };
        let fake = Fake::new([
            Step::Json(200, json!({"metadata": {"continue": "t"}, "items": [item("a")]})),
            Step::Json(200, json!({"metadata": {"resourceVersion": "7"}, "items": [item("b")]})),
            Step::Json(200, json!({"metadata": {}, "items": null})),
        ]);
        let (cluster, maps) = (fake.reached(), Kind::namespaced("", "ConfigMap", "configmaps"));
        let listed = cluster.list_metadata(&maps, Some("x"), "a=b").await.unwrap();
        let expected = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "uid": "1"}});
        assert_eq!(listed, [expected("a"), expected("b")]);
        assert!(cluster.list_metadata(&maps, Some("x"), "a=c").await.unwrap().is_empty());
        let path = "GET /api/v1/namespaces/x/configmaps?labelSelector=a%3Db&limit=500";
        assert_eq!(fake.lines()[..2], [path.to_owned(), format!("{path}&continue=t")]);
    }

    async fn refused(text: String) -> String {
        let fake = Fake::new([Step::Text(200, text.leak())]);
        let pods = Kind::namespaced("", "Pod", "pods");
        fake.reached().list(&pods, Some("x"), "").await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn an_answer_that_fills_memory_is_an_error_that_names_it() {
        let hint = "hint: somebody put an object there that is larger or deeper than any of Kubernetes' own";
        let list = |item: &str| format!("{{\"metadata\": {{}}, \"items\": [{item}]}}");
        let deep = list(&format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)));
        let many = list(&"[],".repeat(5_000_001));
        let large = list(&format!("\"{}\"", " ".repeat(20 << 20)));
        for (text, why) in [
            (deep, "is nested more than 128 levels deep"),
            (many, "has more than 5000000 values"),
            (large, "is larger than 20 MiB"),
        ] {
            let told = refused(text).await;
            assert!(told.contains(&format!("the answer about Pods in namespace x {why}")), "{told}");
            assert!(told.ends_with(hint), "{told}");
        }
    }

    #[tokio::test]
    async fn what_nobody_asked_for_may_be_as_deep_as_it_likes() {
        let fields = format!("{}1{}", "{\"f:a\":".repeat(10_000), "}".repeat(10_000));
        let item =
            format!("{{\"metadata\":{{\"name\":\"a\",\"managedFields\":[{{\"fieldsV1\":{fields}}}]}}}}");
        let text = format!("{{\"metadata\":{{}},\"items\":[{item}]}}");
        let fake = Fake::new([Step::Text(200, text.leak())]);
        let pods = Kind::namespaced("", "Pod", "pods");
        let listed = fake.reached().list_metadata(&pods, Some("x"), "").await.unwrap();
        assert_eq!(listed[0]["metadata"], json!({"name": "a"}));
    }
}
