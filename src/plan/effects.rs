//! What a plan means for what runs: which pods will restart. Pure.

use serde_json::Value;

use super::{Change, Live, Plan, Step, retention};
use crate::object::ObjectId;
use crate::release::Entry;

/// Pods that a workload's change restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// The pods where their names are known (`obs-prometheus-0`), else the workload's name.
    pub what: String,
    /// How many pods.
    pub pods: u64,
}

/// The restarts that a plan leads to, in its order.
pub fn restarts(plan: &Plan, live: &Live) -> Vec<Restart> {
    plan.steps.iter().filter_map(|step| restart(step, live.get(&step.object.id())?)).collect()
}

/// What of the data may be lost: claims that go with their StatefulSet, and what is kept no longer.
pub fn data_at_risk(plan: &Plan, live: &Live) -> Vec<String> {
    let gone = plan.first.iter().chain(&plan.prune).map(Entry::id);
    let anew = plan.steps.iter().filter(|step| matches!(step.change, Change::Recreate { orphan: false, .. }));
    let sets = gone.chain(anew.map(|step| step.object.id())).filter(|id| id.kind == "StatefulSet");
    let with_claims = |id: &ObjectId| {
        let policy =
            live.get(id).map(|set| &set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]);
        policy.is_some_and(|policy| policy == "Delete")
    };
    let volumes = sets.filter(with_claims).map(|id| format!("the volumes of {id}"));
    let shortened = plan.steps.iter().filter(|step| step.change.writes()).flat_map(|step| {
        let live = live.get(&step.object.id()).into_iter();
        let told = live.flat_map(|live| retention::shortened(live, step.object.value()));
        told.map(|what| format!("{} data beyond it is deleted: {what}", step.component))
    });
    volumes.chain(shortened).collect()
}

/// The restart that one step leads to.
pub fn restart(step: &Step, live: &Value) -> Option<Restart> {
    if !restarts_pods(&step.change) {
        return None;
    }
    let name = step.object.name();
    // what is desired counts where it says so, else what is live
    let replicas = || {
        let spec = |object: &Value| object["spec"]["replicas"].as_u64();
        spec(live).or_else(|| spec(step.object.value())).unwrap_or(1)
    };
    let (what, pods) = match step.object.kind() {
        "StatefulSet" => match replicas() {
            1 => (format!("{name}-0"), 1),
            n => (format!("{name}-0…{}", n.saturating_sub(1)), n),
        },
        "Deployment" => (name.to_owned(), replicas()),
        "DaemonSet" => {
            (name.to_owned(), live["status"]["desiredNumberScheduled"].as_u64().unwrap_or_default())
        }
        _ => return None,
    };
    (pods > 0).then_some(Restart { what, pods })
}

fn restarts_pods(change: &Change) -> bool {
    if matches!(change, Change::Recreate { orphan: false, .. }) {
        return true;
    }
    change.fields().iter().any(|field| field.path.starts_with("spec.template"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;
    use crate::plan::{Rules, plan};
    use serde_json::json;

    fn workload(kind: &str, image: &str, replicas: u64) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "obs-x", "namespace": "o", "labels": {
                "app.kubernetes.io/managed-by": "kubectl-obs",
                "kubectl-obs.dev/release": "obs",
                "kubectl-obs.dev/release-namespace": "o",
            }},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
            "status": {"desiredNumberScheduled": 3},
        })
    }

    fn predicted(desired: Value, live: Value) -> Vec<Restart> {
        let object = Object::new(desired).unwrap();
        let live: Live = [(object.id(), live)].into();
        restarts(&plan(&[object], &live, &[], &Rules::default()), &live)
    }

    #[test]
    fn a_changed_template_restarts_the_pods() {
        for (kind, what, pods) in
            [("StatefulSet", "obs-x-0…1", 2), ("Deployment", "obs-x", 2), ("DaemonSet", "obs-x", 3)]
        {
            let found = predicted(workload(kind, "a:2", 2), workload(kind, "a:1", 2));
            assert_eq!(found, [Restart { what: what.into(), pods }], "{kind}");
        }
    }

    #[test]
    fn a_changed_number_of_replicas_restarts_none() {
        assert_eq!(predicted(workload("Deployment", "a:1", 3), workload("Deployment", "a:1", 1)), []);
    }

    #[test]
    fn a_workload_without_pods_has_none_to_restart() {
        assert_eq!(predicted(workload("Deployment", "a:2", 0), workload("Deployment", "a:1", 0)), []);
    }
}
