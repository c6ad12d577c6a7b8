//! Which kinds the server serves, in which versions, under which URLs. Aggregated discovery (KEP
//! 3352, stable since 1.30) takes two requests; servers without it are asked group by group.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Cluster;
use super::call::{Call, Subject};
use crate::Result;
use crate::object::{Kind, ObjectId};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What the server serves.
#[derive(Debug, Default)]
pub struct Kinds {
    served: Vec<Served>,
    /// By group and kind, in the server's order of preference.
    by_kind: HashMap<(String, String), Vec<usize>>,
}

/// A kind and what can be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The kind.
    pub kind: Kind,
    /// `get`, `list`, `create`, …
    pub verbs: Vec<String>,
    /// `status`, `scale`, …
    pub subresources: Vec<String>,
}

impl Kinds {
    fn new(served: Vec<Served>) -> Self {
        let mut by_kind: HashMap<_, Vec<usize>> = HashMap::new();
        for (i, s) in served.iter().enumerate() {
            by_kind.entry((s.kind.group.clone(), s.kind.kind.clone())).or_default().push(i);
        }
        Self { served, by_kind }
    }

    /// The kind in exactly this version; None when it is not served.
    pub fn resolve(&self, group: &str, version: &str, kind: &str) -> Option<Kind> {
        self.find(group, kind).find(|s| s.kind.version == version).map(|s| s.kind.clone())
    }

    /// The kind in the version that the server prefers.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<Kind> {
        self.find(group, kind).next().map(|s| s.kind.clone())
    }

    /// The kind of an inventory entry, which names no version.
    pub fn of(&self, id: &ObjectId) -> Option<Kind> {
        self.preferred(&id.group, &id.kind)
    }

    /// Does the kind allow this verb?
    pub fn allows(&self, kind: &Kind, verb: &str) -> bool {
        self.find(&kind.group, &kind.kind)
            .any(|s| s.kind.version == kind.version && s.verbs.iter().any(|v| v == verb))
    }

    /// Everything that is served; several versions of a group and kind follow the server's order
    /// of preference.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }

    /// Each group and kind once, in the preferred version, that allows this verb.
    pub fn preferred_with<'a>(&'a self, verb: &'a str) -> impl Iterator<Item = &'a Kind> {
        self.by_kind
            .values()
            .filter_map(|indices| indices.first().and_then(|i| self.served.get(*i)))
            .filter(move |s| s.verbs.iter().any(|v| v == verb))
            .map(|s| &s.kind)
    }

    fn find(&self, group: &str, kind: &str) -> impl Iterator<Item = &Served> {
        self.by_kind
            .get(&(group.to_owned(), kind.to_owned()))
            .into_iter()
            .flatten()
            .filter_map(|i| self.served.get(*i))
    }
}

impl Cluster {
    /// What the server serves. Asked once per run; see [`Cluster::refresh_kinds`].
    pub async fn kinds(&self) -> Result<Arc<Kinds>> {
        let mut cached = self.inner.kinds.lock().await;
        if let Some(kinds) = &*cached {
            return Ok(Arc::clone(kinds));
        }
        let kinds = Arc::new(self.discover().await?);
        *cached = Some(Arc::clone(&kinds));
        Ok(kinds)
    }

    /// Asks again: after CRDs were applied, whose kinds appear a moment later.
    pub async fn refresh_kinds(&self) -> Result<Arc<Kinds>> {
        let kinds = Arc::new(self.discover().await?);
        *self.inner.kinds.lock().await = Some(Arc::clone(&kinds));
        Ok(kinds)
    }

    async fn discover(&self) -> Result<Kinds> {
        let (core, groups) = futures::try_join!(self.discovery("/api"), self.discovery("/apis"))?;
        let mut served = Vec::new();
        for (document, root) in [(core, "/api"), (groups, "/apis")] {
            if document["kind"] == "APIGroupDiscoveryList" {
                for (group, version) in aggregated(&document, &mut served) {
                    // an aggregated API server that was away when the document was made
                    served.extend(self.one_version(&group, &version).await.unwrap_or_default());
                }
            } else {
                served.extend(self.one_by_one(&document, root).await?);
            }
        }
        Ok(Kinds::new(served))
    }

    async fn discovery(&self, url: &str) -> Result<Value> {
        let call = Call::get(url, Subject { verb: "get", ..Subject::default() }).accept(AGGREGATED);
        Ok(self.call(&call).await.map_err(|e| self.error(e, &call))?.value)
    }

    /// Servers before 1.26: a list of groups, and a request for each of their versions. A group
    /// whose server is away is left out.
    async fn one_by_one(&self, document: &Value, root: &str) -> Result<Vec<Served>> {
        let mut versions: Vec<(String, String)> = Vec::new();
        if root == "/api" {
            let names = document["versions"].as_array().into_iter().flatten().filter_map(Value::as_str);
            versions.extend(names.map(|version| (String::new(), version.to_owned())));
        }
        for group in document["groups"].as_array().into_iter().flatten() {
            let name = group["name"].as_str().unwrap_or_default();
            let preferred = group["preferredVersion"]["version"].as_str();
            let mut of_group: Vec<_> = group["versions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|version| version["version"].as_str())
                .collect();
            of_group.sort_by_key(|version| Some(*version) != preferred);
            versions.extend(of_group.into_iter().map(|version| (name.to_owned(), version.to_owned())));
        }
        let mut served = Vec::new();
        for (group, version) in versions {
            served.extend(self.one_version(&group, &version).await.unwrap_or_default());
        }
        Ok(served)
    }

    async fn one_version(&self, group: &str, version: &str) -> Result<Vec<Served>> {
        let url =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let call = Call::get(url, Subject { verb: "get", ..Subject::default() });
        let limit = self.inner.attempt_limit.min(std::time::Duration::from_secs(10));
        let reply = super::retry::once(self, &call, limit).await.map_err(|e| self.error(e, &call))?;
        Ok(plain(&reply.value, group, version))
    }
}

/// Reads an aggregated document; returns the versions whose content the server did not have.
fn aggregated(document: &Value, served: &mut Vec<Served>) -> Vec<(String, String)> {
    let mut stale = Vec::new();
    for group in document["items"].as_array().into_iter().flatten() {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            let version_name = version["version"].as_str().unwrap_or_default();
            if version["freshness"] == "Stale" {
                stale.push((name.to_owned(), version_name.to_owned()));
                continue;
            }
            for resource in version["resources"].as_array().into_iter().flatten() {
                let kind = Kind {
                    group: name.to_owned(),
                    version: version_name.to_owned(),
                    kind: resource["responseKind"]["kind"].as_str().unwrap_or_default().to_owned(),
                    plural: resource["resource"].as_str().unwrap_or_default().to_owned(),
                    namespaced: resource["scope"] == "Namespaced",
                };
                let subresources = resource["subresources"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|s| s["subresource"].as_str().map(str::to_owned))
                    .collect();
                served.push(Served { kind, verbs: strings(&resource["verbs"]), subresources });
            }
        }
    }
    stale
}

/// Reads an `APIResourceList`, where subresources stand beside resources as `pods/log`.
fn plain(document: &Value, group: &str, version: &str) -> Vec<Served> {
    let resources = || document["resources"].as_array().into_iter().flatten();
    let name_of = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
    resources()
        .filter(|resource| !name_of(resource).contains('/'))
        .map(|resource| {
            let plural = name_of(resource);
            let prefix = format!("{plural}/");
            let subresources =
                resources().filter_map(|r| name_of(r).strip_prefix(&prefix).map(str::to_owned)).collect();
            let kind = Kind {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: resource["kind"].as_str().unwrap_or_default().to_owned(),
                plural,
                namespaced: resource["namespaced"] == true,
            };
            Served { kind, verbs: strings(&resource["verbs"]), subresources }
        })
        .collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_discovery_say_the_same() {
        let mut served = Vec::new();
        let document = json!({"kind": "APIGroupDiscoveryList", "items": [{
            "metadata": {"name": "apps"},
            "versions": [
                {"version": "v1", "freshness": "Current", "resources": [{
                    "resource": "deployments", "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                    "scope": "Namespaced", "verbs": ["get", "list"],
                    "subresources": [{"subresource": "scale", "verbs": ["get"]}]
                }]},
                {"version": "v2", "freshness": "Stale", "resources": []}
            ]
        }]});
        assert_eq!(aggregated(&document, &mut served), [("apps".to_owned(), "v2".to_owned())]);
        let list = json!({"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": ["get", "list"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"]}
        ]});
        assert_eq!(plain(&list, "apps", "v1"), served);
        let kinds = Kinds::new(served);
        assert_eq!(kinds.preferred("apps", "Deployment").map(|k| k.plural).as_deref(), Some("deployments"));
        assert_eq!(kinds.resolve("apps", "v1beta1", "Deployment"), None);
        let kind = kinds.resolve("apps", "v1", "Deployment").unwrap();
        assert!(kinds.allows(&kind, "list") && !kinds.allows(&kind, "delete"));
        assert_eq!(kinds.preferred_with("list").count(), 1);
    }
}
