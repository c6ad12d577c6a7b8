//! The cluster around the release: what the caller may do, namespaces, nodes, classes, webhooks, other APIs,
//! other releases, pods and claims.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{in_time, rights, said};
use crate::cluster::records::releases;
use crate::doctor::snapshot::DeadWebhook;
use crate::doctor::{Asked, Snapshot};
use crate::object::{Kind, builtin};
use crate::ops::{Context, live};
use crate::release::Record;

/// What was found.
pub struct Around {
    rights: Asked<Vec<String>>,
    namespaces: Asked<Vec<Value>>,
    nodes: Asked<Vec<Value>>,
    storage_classes: Asked<Vec<Value>>,
    api_services: Asked<Vec<Value>>,
    dead_webhooks: Asked<Vec<DeadWebhook>>,
    namesakes: Asked<Vec<String>>,
    pods: Asked<Vec<Value>>,
    claims: Asked<Vec<Value>>,
    services: Asked<Vec<Value>>,
    admins: Asked<Vec<String>>,
    version: Asked<String>,
    dns: Asked<bool>,
}

impl Around {
    /// Into the snapshot.
    pub fn put_into(self, snapshot: &mut Snapshot) {
        snapshot.rights = self.rights;
        snapshot.namespaces = self.namespaces;
        snapshot.nodes = self.nodes;
        snapshot.storage_classes = self.storage_classes;
        snapshot.api_services = self.api_services;
        snapshot.dead_webhooks = self.dead_webhooks;
        snapshot.namesakes = self.namesakes;
        snapshot.pods = self.pods;
        snapshot.claims = self.claims;
        snapshot.services = self.services;
        snapshot.admins = self.admins;
        snapshot.version = self.version;
        snapshot.dns = self.dns;
    }
}

/// Asks all of it at once.
pub async fn look(ctx: &Context<'_>, record: Option<&Record>) -> Around {
    let places = places(ctx, record);
    let selector = live::selector(ctx);
    let beside = async {
        tokio::join!(
            in_time(services(ctx, &places)),
            in_time(admins(ctx, &places)),
            in_time(async { Ok(ctx.cluster.version().await.map_err(said)?.full) }),
            in_time(dns(ctx)),
        )
    };
    let (
        rights,
        namespaces,
        nodes,
        storage_classes,
        api_services,
        dead_webhooks,
        namesakes,
        pods,
        claims,
        beside,
    ) = tokio::join!(
        in_time(rights(ctx, &places)),
        in_time(namespaces(ctx, &places)),
        in_time(list(ctx, builtin::nodes(), None, "")),
        in_time(of_kind(ctx, "storage.k8s.io", "StorageClass")),
        in_time(of_kind(ctx, "apiregistration.k8s.io", "APIService")),
        in_time(webhooks(ctx)),
        in_time(namesakes(ctx, record)),
        in_time(pods(ctx, &places)),
        in_time(list(ctx, builtin::claims(), Some(ctx.namespace.as_str()), &selector)),
        Box::pin(beside),
    );
    let (services, admins, version, dns) = beside;
    let dns = match dns {
        Asked::Answer(None) => Asked::Off("the cluster's DNS is not called kube-dns".to_owned()),
        Asked::Answer(Some(answers)) => Asked::Answer(answers),
        Asked::Unknown(why) | Asked::Off(why) => Asked::Unknown(why),
    };
    Around {
        rights,
        namespaces,
        nodes,
        storage_classes,
        api_services,
        dead_webhooks,
        namesakes,
        pods,
        claims,
        services,
        admins,
        version,
        dns,
    }
}

/// The namespaces in which the release has pods.
fn places(ctx: &Context<'_>, record: Option<&Record>) -> BTreeSet<String> {
    let node_level = record.filter(|record| record.components.iter().any(|component| component.node_level));
    let node = node_level.map(|record| record.node_namespace.clone());
    node.into_iter().chain([ctx.namespace.to_string()]).collect()
}

/// What the doctor would do and the caller may not.
async fn rights(ctx: &Context<'_>, places: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let places: Vec<String> = places.iter().cloned().collect();
    let mut wanted = rights::wanted(&places);
    // who may list may get, in every role that people write: half as many questions
    wanted.retain(|right| right.verb != "get" || !right.subresource.is_empty());
    let allowed = ctx.cluster.can_i(&wanted).await.map_err(said)?;
    Ok(wanted.iter().zip(allowed).filter(|(_, may)| !may).map(|(right, _)| rights::in_words(right)).collect())
}

async fn namespaces(ctx: &Context<'_>, places: &BTreeSet<String>) -> Result<Vec<Value>, String> {
    let kind = builtin::namespaces();
    let all = places.iter().map(|name| ctx.cluster.get(&kind, None, name));
    let all = futures::future::try_join_all(all).await.map_err(said)?;
    Ok(all.into_iter().flatten().map(|namespace| without(namespace, &[])).collect())
}

async fn list(
    ctx: &Context<'_>,
    kind: Kind,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Vec<Value>, String> {
    let found = ctx.cluster.list(&kind, namespace, selector).await.map_err(said)?;
    // the images that a node has are most of it, and nobody asks
    Ok(found.into_iter().map(|object| without(object, &["images"])).collect())
}

async fn of_kind(ctx: &Context<'_>, group: &str, kind: &str) -> Result<Vec<Value>, String> {
    let kinds = ctx.cluster.kinds().await.map_err(said)?;
    match kinds.preferred(group, kind) {
        Some(kind) => list(ctx, kind, None, "").await,
        None => Ok(Vec::new()),
    }
}

/// The pods with their states; of what they run only what the checks read.
async fn pods(ctx: &Context<'_>, places: &BTreeSet<String>) -> Result<Vec<Value>, String> {
    let selector = live::selector(ctx);
    let lists = places.iter().map(|namespace| list(ctx, builtin::pods(), Some(namespace), &selector));
    let lists = futures::future::try_join_all(lists).await?;
    // environments may hold what is secret
    let slim = |pod: Value| json!({"metadata": pod["metadata"], "status": pod["status"]});
    Ok(lists.into_iter().flatten().map(slim).collect())
}

/// The Services and Ingresses of the release: what reaches it from outside.
async fn services(ctx: &Context<'_>, places: &BTreeSet<String>) -> Result<Vec<Value>, String> {
    let selector = live::selector(ctx);
    let kinds = ctx.cluster.kinds().await.map_err(said)?;
    let ingresses = kinds.preferred("networking.k8s.io", "Ingress");
    let mut all = Vec::new();
    for kind in std::iter::once(builtin::services()).chain(ingresses) {
        for namespace in places {
            all.extend(list(ctx, kind.clone(), Some(namespace), &selector).await?);
        }
    }
    Ok(all)
}

/// Who of these namespaces is an administrator of the cluster, and by which binding.
async fn admins(ctx: &Context<'_>, places: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let bindings = of_kind(ctx, "rbac.authorization.k8s.io", "ClusterRoleBinding").await?;
    let mut found = Vec::new();
    for binding in bindings.iter().filter(|binding| binding["roleRef"]["name"] == "cluster-admin") {
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            let namespace = subject["namespace"].as_str().unwrap_or_default();
            if subject["kind"] == "ServiceAccount" && places.contains(namespace) {
                let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push(format!(
                    "{namespace}/{} by clusterrolebinding {}",
                    name(&subject["name"]),
                    name(&binding["metadata"]["name"])
                ));
            }
        }
    }
    Ok(found)
}

/// Does somebody answer for the cluster's DNS? None where it has another name than the usual one.
async fn dns(ctx: &Context<'_>) -> Result<Option<bool>, String> {
    let slices = Kind::namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices");
    let slices = list(ctx, slices, Some("kube-system"), "kubernetes.io/service-name=kube-dns").await?;
    let mut endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let ready = endpoints.any(|endpoint| endpoint["conditions"]["ready"] != false);
    Ok((!slices.is_empty()).then_some(ready))
}

fn without(mut object: Value, status: &[&str]) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if let Some(fields) = object["status"].as_object_mut() {
        for field in status {
            fields.remove(*field);
        }
    }
    object
}

/// The webhooks that must answer, behind Services without a ready endpoint.
async fn webhooks(ctx: &Context<'_>) -> Result<Vec<DeadWebhook>, String> {
    let mut dead = Vec::new();
    for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
        for configuration in of_kind(ctx, "admissionregistration.k8s.io", kind).await? {
            for webhook in configuration["webhooks"].as_array().into_iter().flatten() {
                let service = &webhook["clientConfig"]["service"];
                let (Some(namespace), Some(name)) = (service["namespace"].as_str(), service["name"].as_str())
                else {
                    continue;
                };
                if webhook["failurePolicy"] == "Ignore" || answers(ctx, namespace, name).await? {
                    continue;
                }
                dead.push(DeadWebhook {
                    configuration: format!(
                        "{}/{}",
                        kind.to_lowercase(),
                        configuration["metadata"]["name"].as_str().unwrap_or_default()
                    ),
                    webhook: webhook["name"].as_str().unwrap_or_default().to_owned(),
                    service: format!("{namespace}/{name}"),
                });
            }
        }
    }
    Ok(dead)
}

/// What is not known is not told as a fault.
async fn answers(ctx: &Context<'_>, namespace: &str, service: &str) -> Result<bool, String> {
    Ok(live::answered(ctx, namespace, service).await.map_err(said)?.unwrap_or(true))
}

/// Other releases whose bundle has the same name.
async fn namesakes(ctx: &Context<'_>, record: Option<&Record>) -> Result<Vec<String>, String> {
    let Some(record) = record else { return Ok(Vec::new()) };
    let all = releases(ctx.cluster, None).await.map_err(said)?;
    let own = (ctx.namespace.as_str(), ctx.release.as_str());
    let same = all.iter().filter_map(|history| {
        let latest = history.latest()?;
        let there = (latest.namespace.as_str(), latest.release.as_str());
        let bundle = latest.bundle.split(' ').next() == Some(record.bundle.name.as_str());
        let gone = latest.status == Some(crate::release::Status::Uninstalled);
        (bundle && !gone && there != own).then(|| format!("release {} in namespace {}", there.1, there.0))
    });
    Ok(same.collect())
}
