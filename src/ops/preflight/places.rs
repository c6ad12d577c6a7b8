//! Where the objects are to live: namespaces that others make, storage classes, other releases on the
//! nodes, the PodSecurity level of namespaces that were there before.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use serde_json::Value;

use super::{Problem, Subject};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{Object, builtin, labels};
use crate::ops::namespace::State;
use crate::ops::{Context, live};
use crate::plan::Change;
use crate::release::ComponentRef;
use crate::values::pointer;

/// A namespace that values name is somebody else's: an object for one that does not exist would fail when half
/// of the others are there.
pub(super) async fn namespaces(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Problem>> {
    let mut wanted: BTreeMap<&str, &Object> = BTreeMap::new();
    for step in subject.plan.steps.iter().filter(|step| step.change == Change::Create) {
        let namespace = step.object.namespace().filter(|name| *name != ctx.namespace.as_str());
        if let Some(name) = namespace.filter(|name| !subject.has_namespace(name)) {
            wanted.entry(name).or_insert(&step.object);
        }
    }
    // for the namespace of an app alone nothing is made
    let mut values = subject.values.clone();
    if let Some(fields) = values.as_object_mut() {
        fields.remove("apps");
    }
    let values = &values;
    let asked = wanted.into_iter().map(|(name, object)| async move {
        let absent = ctx.cluster.look_up(&builtin::namespaces(), None, name).await? == Some(None);
        Ok::<_, Error>(absent.then(|| {
            let mut problem =
                Problem::new(format!("namespace {name} does not exist, and {} belongs there", object.id()))
                    .hint(format!("kubectl create namespace {name}, or name another"));
            if let Some(at) = pointer::to_text(values, name) {
                problem.details.push(format!("named by {}", pointer::dotted(&at, values)));
            }
            problem
        }))
    });
    Ok(future::try_join_all(asked).await?.into_iter().flatten().collect())
}

/// Claims without a class need a default one.
pub(super) async fn storage(ctx: &Context<'_>, objects: &[&Object]) -> Result<Vec<Problem>> {
    let claims: Vec<(String, Option<String>)> = objects.iter().flat_map(|object| claims_of(object)).collect();
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let classes = match live::all_storage_classes(ctx.cluster).await? {
        None => return Ok(Vec::new()),
        Some(Ok(classes)) => classes,
        Some(Err(error)) => {
            ctx.observer.event(Event::Warning {
                message: format!("storage classes could not be checked: {}", error.message()),
            });
            return Ok(Vec::new());
        }
    };
    let name = |class: &Value| class["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = classes.iter().map(name).collect();
    let default = classes.iter().any(|class| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    });
    let mut problems = Vec::new();
    let listed = if names.is_empty() { "the cluster has none".to_owned() } else { names.join(", ") };
    for (claim, class) in claims {
        match class {
            None if !default => problems.push(
                Problem::new(format!(
                    "the claim of {claim} names no storage class and no class is the default one"
                ))
                .hint(format!("set global.storageClass to one of: {listed}")),
            ),
            Some(class) if !class.is_empty() && !names.contains(&class) => problems.push(
                Problem::new(format!(
                    "the claim of {claim} names the storage class \"{class}\", which does not exist"
                ))
                .hint(format!("set global.storageClass to one of: {listed}")),
            ),
            _ => {}
        }
    }
    problems.dedup_by(|a, b| a.message == b.message);
    Ok(problems)
}

/// Claims that an object asks for: who, and which class.
pub(super) fn claims_of(object: &Object) -> Vec<(String, Option<String>)> {
    let value = object.value();
    let class = |claim: &Value| claim["spec"]["storageClassName"].as_str().map(str::to_owned);
    match object.kind() {
        "PersistentVolumeClaim" => vec![(object.id().to_string(), class(value))],
        "StatefulSet" => value["spec"]["volumeClaimTemplates"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|claim| (object.id().to_string(), class(claim)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Two collectors on one node would fight for ports and files.
pub(super) async fn second_release(ctx: &Context<'_>, components: &[ComponentRef]) -> Result<Vec<Problem>> {
    let ours: Vec<&str> = components.iter().filter(|c| c.node_level).map(|c| c.name.as_str()).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = ctx.cluster.kinds().await?;
    let Some(kind) = kinds.preferred("apps", "DaemonSet") else { return Ok(Vec::new()) };
    let found = match ctx.cluster.list_metadata(&kind, None, &format!("{}=true", labels::NODE_LEVEL)).await {
        Ok(found) => found,
        Err(error) => {
            ctx.observer.event(Event::Warning {
                message: format!("other releases on the nodes could not be looked for: {}", error.message()),
            });
            return Ok(Vec::new());
        }
    };
    let mut seen = BTreeSet::new();
    for set in found {
        let label = |key: &str| set["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
        let (release, namespace) = (label(labels::RELEASE), label(labels::RELEASE_NAMESPACE));
        let component = label(labels::OBS_COMPONENT);
        let same = release == ctx.release.as_str() && namespace == ctx.namespace.as_str();
        if !same && ours.contains(&component.as_str()) {
            seen.insert((release, namespace, component));
        }
    }
    Ok(seen
        .into_iter()
        .map(|(release, namespace, component)| {
            Problem::new(format!(
                "release {release} in namespace {namespace} already runs {component} on the nodes"
            ))
            .hint(format!("one release per cluster works on the nodes: switch it off here ({}), or uninstall that release", switch_off(&component)))
        })
        .collect())
}

/// `node-exporter` → `--set nodeExporter.enabled=false`
pub(super) fn switch_off(component: &str) -> String {
    let mut key = String::new();
    let mut upper = false;
    for c in component.chars() {
        if c == '-' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            key.extend(c.to_uppercase());
        } else {
            key.push(c);
        }
    }
    format!("--set {key}.enabled=false")
}

/// A namespace that was there before must let our pods in.
pub(super) fn pod_security(
    ctx: &Context<'_>,
    subject: &Subject<'_>,
    node_namespace: Option<&State>,
) -> Vec<Problem> {
    let node_level: Vec<&str> =
        subject.components.iter().filter(|c| c.node_level).map(|c| c.name.as_str()).collect();
    if node_level.is_empty() {
        return Vec::new();
    }
    let state =
        if subject.node_namespace == ctx.namespace.as_str() { subject.namespace } else { node_namespace };
    match state {
        // ours gets the level that we render
        Some(state) if !state.ours && state.enforce != "privileged" => vec![
            Problem::new(format!(
                "namespace {} enforces PodSecurity level {}, but {} needs privileged",
                subject.node_namespace,
                state.enforce,
                node_level.join(", ")
            ))
            .hint(format!(
                "kubectl label namespace {} pod-security.kubernetes.io/enforce=privileged --overwrite, or set global.nodeNamespace to another one",
                subject.node_namespace
            )),
        ],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_of_a_component_is_spelt_as_in_values() {
        assert_eq!(switch_off("node-exporter"), "--set nodeExporter.enabled=false");
        assert_eq!(switch_off("fluentd"), "--set fluentd.enabled=false");
    }
}
