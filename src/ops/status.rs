//! What runs where, and why not: each component of a release with its readiness.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::health::shown::Health;
use super::health::since::PROMETHEUS;
use super::why::{self, Unready};
use super::{Context, get, health, live, revision};
use crate::cluster::Lock;
use crate::error::{Error, Result};
use crate::object::{Image, Object, builtin, labels};
use crate::readiness::{self, Explanation, Readiness};
use crate::release::{Record, Status};

/// How long Prometheus may take to say how its targets are.
const PATIENCE: Duration = Duration::from_millis(300);

/// A release and its components.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The newest revision.
    pub revision: u32,
    /// Its status.
    pub status: String,
    /// What it was for, or why it failed.
    pub description: String,
    /// Who is at it, while an operation has not ended: `upgraded by alice@build-7 (pid 12) since 3s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The operation did not end, and nobody is at it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// `stack 1.0.0`
    pub bundle: String,
    /// When it last changed, RFC 3339.
    pub updated: String,
    /// What Prometheus says of the targets of the stack; absent where it cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The components; none when the record cannot be used.
    pub components: Vec<Component>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// Why the record of the newest revision cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// One component.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its name.
    pub name: String,
    /// The version that runs or is asked for: the tag of the live workload's image, else what the bundle
    /// says.
    pub version: String,
    /// Ready units out of wanted ones.
    pub ready: String,
    /// `ready`, `starting` or `failed`.
    pub state: String,
    /// Since when, RFC 3339; empty where nothing says so.
    pub since: String,
    /// Why it is not ready.
    pub why: String,
    /// The cause with its evidence and one fix; absent when it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// Reads the newest revision and the live objects. Beside the report stands an error when the
/// record cannot be used and the report is what its metadata says.
pub async fn status(ctx: &Context<'_>) -> Result<(Report, Option<Error>)> {
    let (store, history) = revision::history(ctx).await?;
    let latest = revision::choose(ctx, &history, None)?;
    let holder = match latest.status.is_some_and(Status::is_pending) {
        true => Lock::holder(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str()).await.ok(),
        false => None,
    };
    let at_it = holder.map(|holder| holder.filter(|holder| !holder.process_is_gone()));
    let mut report = Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision: latest.revision,
        status: latest.status_word.clone(),
        description: latest.description.clone(),
        interrupted: matches!(at_it, Some(None)),
        holder: at_it.flatten().map(|holder| holder.to_string()),
        bundle: latest.bundle.clone(),
        updated: latest.updated.clone(),
        health: None,
        components: Vec::new(),
        notes: String::new(),
        damage: None,
    };
    match store.try_read(latest.revision).await? {
        Ok(record) => {
            let (components, health) = tokio::join!(components(ctx, &record), health(ctx, &record));
            (report.components, report.health) = (components?, health);
            report.notes = get::traces(&record).text(&record.notes).into_owned();
            Ok((report, None))
        }
        Err(why) => {
            report.damage = Some(why.to_string());
            let error = store.unusable(latest.revision, &why);
            Ok((report, Some(error.hint("kubectl obs history shows the revisions"))))
        }
    }
}

/// What Prometheus says; nothing where there is none or it takes its time.
async fn health(ctx: &Context<'_>, record: &Record) -> Option<Health> {
    let asked = record.components.iter().find(|component| component.name == PROMETHEUS)?;
    let targets = health::targets_of(ctx, asked, &record.namespace);
    let targets = tokio::time::timeout(PATIENCE, targets).await.ok()?.ok()?;
    let jobs = health::jobs(&record.components);
    Some(Health::of(&targets, jobs.as_deref()))
}

/// Each component with what is live of it.
async fn components(ctx: &Context<'_>, record: &Record) -> Result<Vec<Component>> {
    let desired: Vec<Object> =
        record.objects.iter().filter_map(|value| Object::new(value.clone()).ok()).collect();
    let found = live::gather(ctx, &desired, &[], pod_places(record)).await?;
    let mut unready = Vec::new();
    let mut components: Vec<Component> = record
        .components
        .iter()
        .map(|component| {
            let own: Vec<&Object> =
                desired.iter().filter(|o| o.label(labels::OBS_COMPONENT) == Some(&component.name)).collect();
            describe(component, &own, &found, &mut unready)
        })
        .collect();
    let pods = found.into_iter().filter(|(id, _)| id.kind == "Pod" && id.group.is_empty()).collect();
    let mut explained: BTreeMap<String, Vec<Explanation>> = BTreeMap::new();
    for (object, explanation) in unready.iter().zip(why::explanations(ctx, &unready, &pods).await) {
        explained.entry(object.component.clone()).or_default().push(explanation);
    }
    for component in &mut components {
        // one cause a component: what is nearest to the root
        let causes = explained.remove(&component.name).unwrap_or_default();
        component.explanation = causes.into_iter().min_by_key(|found| (!found.hopeless, found.cause));
        if let Some(explanation) = &component.explanation {
            component.why.clone_from(&explanation.short);
        }
    }
    Ok(components)
}

/// Pods, wherever the release has workloads.
fn pod_places(record: &Record) -> std::collections::BTreeSet<live::Place> {
    let node_level = record.components.iter().any(|component| component.node_level);
    [Some(&record.namespace), Some(&record.node_namespace).filter(|_| node_level)]
        .into_iter()
        .flatten()
        .map(|namespace| (builtin::pods(), Some(namespace.clone())))
        .collect()
}

fn describe(
    component: &crate::release::ComponentRef,
    own: &[&Object],
    found: &crate::plan::Live,
    unready: &mut Vec<Unready>,
) -> Component {
    let mut counted = Vec::new();
    let mut state = "ready";
    let mut why = String::new();
    let mut worse = |rank: &'static str, object: &Object, live: Option<&Value>, reason: String| {
        unready.push(Unready {
            id: object.id(),
            component: component.name.clone(),
            live: live.cloned(),
            reason: reason.clone(),
        });
        if (state, rank) == ("ready", "starting") || (state != "failed" && rank == "failed") {
            state = rank;
            why = reason;
        }
    };
    for object in own {
        let Some(live) = found.get(&object.id()) else {
            if readiness::vanishes_when_done(object.value()) {
                continue;
            }
            worse("failed", object, None, format!("{} is missing", object.id()));
            continue;
        };
        if readiness::counts(live).is_some() {
            counted.push(live);
        }
        match readiness::readiness(live) {
            Readiness::Ready => {}
            Readiness::Progressing(reason) => worse("starting", object, Some(live), reason),
            Readiness::Failed(reason) => worse("failed", object, Some(live), reason),
        }
    }
    let pods = found.iter().filter(|(id, pod)| {
        id.kind == "Pod" && pod["metadata"]["labels"][labels::OBS_COMPONENT] == component.name.as_str()
    });
    let since = since(&counted, pods.map(|(_, pod)| pod));
    Component {
        name: component.name.clone(),
        version: counted
            .iter()
            .find_map(|workload| image_tag(workload, &component.name))
            .unwrap_or_else(|| component.app_version.clone()),
        ready: readiness::total(counted),
        state: state.to_owned(),
        since: since.unwrap_or_default(),
        why,
        explanation: None,
    }
}

/// The tag of the image that a workload's pods are to run: of the container that has the component's
/// name, else of the one that is meant when nobody names one. None for an image by digest alone.
fn image_tag(workload: &Value, component: &str) -> Option<String> {
    let template = &workload["spec"]["template"];
    let containers = template["spec"]["containers"].as_array()?;
    let named = |name: &str| containers.iter().find(|container| container["name"] == name);
    let default = template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    let main = named(component).or_else(|| named(default?)).or_else(|| containers.first())?;
    Image::parse(main["image"].as_str()?).tag.map(str::to_owned)
}

/// When workloads last changed their state: the newest condition of theirs or of readiness of their
/// pods (StatefulSets and DaemonSets have none of their own), else the newest creation.
fn since<'v>(workloads: &[&'v Value], pods: impl Iterator<Item = &'v Value>) -> Option<String> {
    let conditions = |object: &'v Value| object["status"]["conditions"].as_array().into_iter().flatten();
    let own = workloads.iter().flat_map(|workload| conditions(workload));
    let ready = pods.flat_map(conditions).filter(|condition| condition["type"] == "Ready");
    let changed = own.chain(ready).filter_map(|condition| condition["lastTransitionTime"].as_str()).max();
    let created = workloads.iter().filter_map(|live| live["metadata"]["creationTimestamp"].as_str());
    changed.or_else(|| created.max()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{image_tag, since};

    #[test]
    fn the_version_is_that_of_the_image() {
        let workload = |image: &str| {
            json!({"spec": {"template": {"spec": {"containers": [
                {"name": "sidecar", "image": "a/b:v9"}, {"name": "prometheus", "image": image}]}}}})
        };
        let tag = |image: &str| image_tag(&workload(image), "prometheus");
        assert_eq!(tag("quay.io/prometheus/prometheus:v3.99.0").as_deref(), Some("v3.99.0"));
        assert_eq!(tag("localhost:5000/prometheus:v1@sha256:ab").as_deref(), Some("v1"));
        assert_eq!(tag("localhost:5000/prometheus@sha256:ab"), None);
        assert_eq!(image_tag(&workload("x:v1"), "another").as_deref(), Some("v9"), "the first one");
        assert_eq!(image_tag(&json!({}), "another"), None);
    }

    #[test]
    fn a_set_has_its_state_since_its_pods_do() {
        let set = json!({"metadata": {"creationTimestamp": "2026-11-21T10:00:00Z"}, "status": {}});
        let at = |kind: &str, time: &str| json!({"type": kind, "lastTransitionTime": time});
        let pod = json!({"status": {"conditions": [
            at("Ready", "2026-11-21T12:00:00Z"), at("Initialized", "2026-11-21T13:00:00Z")]}});
        let of = |pods: &[serde_json::Value]| since(&[&set], pods.iter());
        assert_eq!(of(&[]).as_deref(), Some("2026-11-21T10:00:00Z"));
        assert_eq!(of(&[pod]).as_deref(), Some("2026-11-21T12:00:00Z"));
        assert_eq!(since(&[], [].iter()), None);
    }
}
