//! Whose logs: the pods of the components that were named, or of all; and why there are none.

use serde_json::Value;

use super::Source;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::{Object, builtin, labels};
use crate::ops::{Context, components, live, why};
use crate::readiness::{Readiness, readiness};
use crate::release::Record;

/// Components of a release.
pub struct Choice {
    /// Where their pods can be.
    pub namespaces: Vec<String>,
    /// Selects their pods.
    pub selector: String,
    record: Record,
    /// Those that were named.
    named: Vec<String>,
}

/// The components `names` of the newest revision, all where none is named.
pub async fn choose(ctx: &Context<'_>, names: &[String]) -> Result<Choice> {
    let record = components::latest(ctx).await?;
    components::check(&record, names)?;
    let wanted = |name: &String| names.is_empty() || names.contains(name);
    let chosen = record.components.iter().filter(|component| wanted(&component.name));
    let (on_nodes, others): (Vec<_>, Vec<_>) = chosen.partition(|component| component.node_level);
    let mut namespaces = Vec::new();
    if !others.is_empty() {
        namespaces.push(record.namespace.clone());
    }
    if !on_nodes.is_empty() && !namespaces.contains(&record.node_namespace) {
        namespaces.push(record.node_namespace.clone());
    }
    let mut selector = live::selector(ctx);
    if !names.is_empty() {
        selector = format!("{selector},{} in ({})", labels::OBS_COMPONENT, names.join(","));
    }
    Ok(Choice { namespaces, selector, record, named: names.to_vec() })
}

impl Choice {
    /// The pods as they are, by component and name.
    pub async fn pods(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        let kind = builtin::pods();
        let mut pods = Vec::new();
        for namespace in &self.namespaces {
            pods.extend(cluster.list(&kind, Some(namespace), &self.selector).await?);
        }
        pods.sort_by_cached_key(|pod| (component(pod), text(pod, "name")));
        Ok(pods)
    }

    /// Why there is no pod: `deployment x/obs-small has no pods: it is scaled to 0`.
    pub async fn why_no_pods(&self, ctx: &Context<'_>) -> Result<String> {
        let ours = |object: &Object| {
            let component = object.label(labels::OBS_COMPONENT).unwrap_or_default();
            self.named.is_empty() || self.named.iter().any(|name| name == component)
        };
        let workloads: Vec<Object> = self
            .record
            .objects
            .iter()
            .filter(|value| {
                matches!(value["kind"].as_str(), Some("Deployment" | "StatefulSet" | "DaemonSet"))
            })
            .filter_map(|value| Object::new(value.clone()).ok())
            .filter(ours)
            .collect();
        let found = live::gather(ctx, &workloads, &[], Default::default()).await?;
        let Some(workload) = workloads.first() else {
            return Ok("nothing in it runs all the time".to_owned());
        };
        let id = workload.id();
        let Some(live) = found.get(&id) else { return Ok(format!("{id} is missing")) };
        if live["spec"]["replicas"] == 0 {
            return Ok(format!("{id} is scaled to 0"));
        }
        Ok(match readiness(live) {
            Readiness::Ready => format!("{id} wants none"),
            Readiness::Progressing(reason) | Readiness::Failed(reason) => format!("{id}: {reason}"),
        })
    }
}

/// The containers of a pod: those that prepare it, its own, and those that people debug it with.
pub fn sources(ctx: &Context<'_>, pod: &Value) -> Vec<Source> {
    let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
    let containers = [list("initContainers"), list("containers"), list("ephemeralContainers")].concat();
    let (component, name) = (component(pod), text(pod, "name"));
    let base = format!("{}-{component}-", ctx.release);
    let short = name.strip_prefix(&base).unwrap_or(&name).to_owned();
    containers
        .iter()
        .filter_map(|container| container["name"].as_str())
        .map(|container| Source {
            component: component.clone(),
            namespace: text(pod, "namespace"),
            pod: name.clone(),
            short: short.clone(),
            container: container.to_owned(),
            single: containers.len() == 1,
        })
        .collect()
}

/// How far a container has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// There is no log yet, and why.
    NotStarted(String),
    /// It writes.
    Runs,
    /// It has ended, or waits for its next run.
    Ended,
}

/// How far a container has come, and how often it was restarted.
pub fn phase(pod: &Value, container: &str) -> (Phase, u64) {
    let statuses = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let status = statuses
        .iter()
        .filter_map(|list| pod["status"][list].as_array())
        .flatten()
        .find(|status| status["name"] == container);
    let Some(status) = status else {
        return (Phase::NotStarted(reason(pod)), 0);
    };
    let state = &status["state"];
    let phase = if state["running"].is_object() {
        Phase::Runs
    } else if state["terminated"].is_object() || status["lastState"]["terminated"].is_object() {
        Phase::Ended
    } else {
        Phase::NotStarted(reason(pod))
    };
    (phase, status["restartCount"].as_u64().unwrap_or_default())
}

fn reason(pod: &Value) -> String {
    why::pod_reason(pod).unwrap_or_else(|| "it has not started".to_owned())
}

/// The pod's component.
pub fn component(pod: &Value) -> String {
    pod["metadata"]["labels"][labels::OBS_COMPONENT].as_str().unwrap_or_default().to_owned()
}

/// A field of its metadata.
pub fn text(pod: &Value, field: &str) -> String {
    pod["metadata"][field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_between_two_runs_has_ended() {
        let pod = |state: Value, last: Value| {
            json!({"status": {"containerStatuses": [
                {"name": "main", "restartCount": 2, "state": state, "lastState": last}
            ]}})
        };
        let over = json!({"terminated": {"exitCode": 1}});
        let waits = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(phase(&pod(json!({"running": {}}), over.clone()), "main"), (Phase::Runs, 2));
        assert_eq!(phase(&pod(waits.clone(), over.clone()), "main"), (Phase::Ended, 2));
        assert_eq!(phase(&pod(over, json!({})), "main"), (Phase::Ended, 2));
        assert!(matches!(phase(&pod(waits, json!({})), "main"), (Phase::NotStarted(_), 2)));
        assert!(matches!(phase(&json!({}), "main"), (Phase::NotStarted(_), 0)));
    }
}
