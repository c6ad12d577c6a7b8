//! Replicas that somebody else decides. A HorizontalPodAutoscaler or a KEDA ScaledObject writes
//! `spec.replicas` by the scale subresource; an apply that states a number would undo its work, and
//! one that stops stating it before the autoscaler owns the field would reset it to the default, 1.

use std::borrow::Cow;

use serde_json::Value;

use super::is_ours;
use super::owner::{Owner, entries, owns};
use crate::diff::Step;
use crate::object::{Object, split_api_version};

/// The desired object as it is to be sent. It is another one only when an autoscaler, desired or
/// live, targets the workload:
///
/// - another manager owns `spec.replicas`: the object does not state it;
/// - not yet: it states the live number, so that ours stays until the autoscaler's first decision.
///
/// `autoscalers` are live HPAs and ScaledObjects, at least those of the workload's namespace. One
/// that belongs to the same release and is no longer desired is on its way out and does not count.
pub fn scaled_elsewhere<'a>(
    desired: &'a Object,
    all_desired: &[Object],
    autoscalers: &[Value],
    live: Option<&Value>,
) -> Cow<'a, Object> {
    let unchanged = Cow::Borrowed(desired);
    let Some(live) = live else { return unchanged };
    let stated = desired.value()["spec"].get("replicas").is_some();
    let (by_us, by_others) = replica_owners(live);
    // checked first, because it spares most objects the search for autoscalers
    if (!stated && (!by_us || by_others)) || !is_target(desired, all_desired, autoscalers) {
        return unchanged;
    }
    let mut object = desired.clone();
    let Some(spec) = object.value_mut().get_mut("spec").and_then(Value::as_object_mut) else {
        return unchanged;
    };
    if by_others {
        spec.shift_remove("replicas");
    } else if let Some(number) = live["spec"].get("replicas") {
        spec.insert("replicas".to_owned(), number.clone());
    }
    Cow::Owned(object)
}

/// Do we own `spec.replicas` by apply, and does anyone else own it?
fn replica_owners(live: &Value) -> (bool, bool) {
    let way = [Step::Key("spec".to_owned()), Step::Key("replicas".to_owned())];
    let owners: Vec<Owner> =
        entries(live).filter(|entry| owns(&entry["fieldsV1"], live, &way)).map(Owner::of).collect();
    (owners.iter().any(Owner::is_our_apply), owners.iter().any(|owner| !owner.is_us()))
}

fn is_target(workload: &Object, all_desired: &[Object], autoscalers: &[Value]) -> bool {
    let stays = |live: &Value| {
        let Ok(live) = Object::new(live.clone()) else { return false };
        live.value()["metadata"].get("deletionTimestamp").is_none()
            && (!is_ours(live.value(), workload) || all_desired.iter().any(|other| other.id() == live.id()))
    };
    all_desired.iter().any(|other| targets(other.value(), workload))
        || autoscalers.iter().any(|live| targets(live, workload) && stays(live))
}

/// Is it an autoscaler, and of this workload?
fn targets(autoscaler: &Value, workload: &Object) -> bool {
    let (group, _) = split_api_version(autoscaler["apiVersion"].as_str().unwrap_or_default());
    let default_kind = match (group, autoscaler["kind"].as_str()) {
        ("autoscaling", Some("HorizontalPodAutoscaler")) => "",
        // KEDA: scaleTargetRef.kind and .apiVersion are those of a Deployment unless given
        ("keda.sh", Some("ScaledObject")) => "Deployment",
        _ => return false,
    };
    let target = &autoscaler["spec"]["scaleTargetRef"];
    let group_of = |api_version: &str| split_api_version(api_version).0.to_owned();
    let same_group = target["apiVersion"]
        .as_str()
        .filter(|version| !version.is_empty())
        .is_none_or(|version| group_of(version) == group_of(workload.api_version()));
    same_group
        && autoscaler["metadata"]["namespace"].as_str() == workload.namespace()
        && target["name"].as_str() == Some(workload.name())
        && target["kind"].as_str().unwrap_or(default_kind) == workload.kind()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::labels;
    use serde_json::json;

    fn labelled(mut value: Value) -> Value {
        value["metadata"]["labels"] = json!({labels::MANAGED_BY: labels::MANAGER, labels::RELEASE: "obs",
            labels::RELEASE_NAMESPACE: "n"});
        value
    }

    fn workload(replicas: Option<u32>) -> Object {
        let mut value = labelled(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "n"}, "spec": {"paused": false}}));
        if let Some(replicas) = replicas {
            value["spec"]["replicas"] = json!(replicas);
        }
        Object::new(value).unwrap()
    }

    fn live(replicas: u32, owners: &[(&str, &str)]) -> Value {
        let mut value = workload(Some(replicas)).into_value();
        value["metadata"]["managedFields"] = owners
            .iter()
            .map(|(manager, operation)| {
                let mut entry = json!({"manager": manager, "operation": operation,
                    "fieldsV1": {"f:spec": {"f:replicas": {}}}});
                if *operation == "Update" {
                    entry["subresource"] = json!("scale");
                }
                entry
            })
            .collect();
        value
    }

    fn hpa(name: &str, target: Value) -> Value {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": "n"}, "spec": {"scaleTargetRef": target}})
    }

    fn of_web() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    }

    /// A field manager and its operation.
    type Manager = (&'static str, &'static str);

    const US: Manager = ("kubectl-obs", "Apply");
    const HPA: Manager = ("kube-controller-manager", "Update");

    fn sent(stated: Option<u32>, autoscalers: &[Value], live: Option<&Value>) -> Option<u64> {
        let desired = workload(stated);
        scaled_elsewhere(&desired, &[], autoscalers, live).value()["spec"]["replicas"].as_u64()
    }

    #[test]
    fn the_number_is_the_autoscalers_once_it_has_decided() {
        let scaler = [hpa("h", of_web())];
        // (stated, live owners, sent)
        let cases: [(Option<u32>, &[Manager], Option<u64>); 7] = [
            (Some(2), &[US], Some(5)),
            (Some(2), &[], Some(5)),
            (Some(2), &[US, HPA], None),
            (Some(2), &[HPA], None),
            // not stated any more, but only we own it: it would fall to 1
            (None, &[US], Some(5)),
            (None, &[US, HPA], None),
            (None, &[], None),
        ];
        for (stated, owners, expected) in cases {
            assert_eq!(sent(stated, &scaler, Some(&live(5, owners))), expected, "{stated:?} {owners:?}");
        }
        assert_eq!(sent(Some(2), &scaler, None), Some(2), "a new workload starts with our number");
    }

    #[test]
    fn without_an_autoscaler_the_number_is_ours() {
        let scaled = live(5, &[US, ("kubectl", "Update")]);
        assert_eq!(sent(Some(2), &[], Some(&scaled)), Some(2));
        let elsewhere = |field: &str, value: &str| {
            let mut hpa = hpa("h", of_web());
            if field == "namespace" {
                hpa["metadata"]["namespace"] = json!(value);
            } else {
                hpa["spec"]["scaleTargetRef"][field] = json!(value);
            }
            hpa
        };
        for (field, value) in
            [("namespace", "other"), ("name", "api"), ("kind", "StatefulSet"), ("apiVersion", "x.io/v1")]
        {
            assert_eq!(sent(Some(2), &[elsewhere(field, value)], Some(&scaled)), Some(2), "{field}");
        }
        let other_kind = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "h", "namespace": "n"},
            "spec": {"scaleTargetRef": of_web()}});
        assert_eq!(sent(Some(2), &[other_kind], Some(&scaled)), Some(2));
    }

    #[test]
    fn keda_targets_a_deployment_unless_it_says_otherwise() {
        let keda = |target: Value| {
            json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": "s", "namespace": "n"}, "spec": {"scaleTargetRef": target}})
        };
        let scaled = live(5, &[US, ("keda", "Update")]);
        assert_eq!(sent(Some(2), &[keda(json!({"name": "web"}))], Some(&scaled)), None);
        assert_eq!(
            sent(Some(2), &[keda(json!({"name": "web", "kind": "StatefulSet"}))], Some(&scaled)),
            Some(2)
        );
    }

    #[test]
    fn an_autoscaler_counts_when_it_is_desired_and_not_when_it_goes() {
        let (desired, live) = (workload(Some(2)), live(5, &[US, HPA]));
        let ours = labelled(hpa("h", of_web()));
        let planned = Object::new(ours.clone()).unwrap();
        let sent = |all: &[Object], live_ones: &[Value]| {
            scaled_elsewhere(&desired, all, live_ones, Some(&live)).value()["spec"]["replicas"].as_u64()
        };
        assert_eq!(sent(std::slice::from_ref(&planned), &[]), None);
        assert_eq!(sent(std::slice::from_ref(&planned), std::slice::from_ref(&ours)), None);
        assert_eq!(sent(&[], std::slice::from_ref(&ours)), Some(2), "it is pruned by this very plan");
        let mut going = hpa("h", of_web());
        going["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
        assert_eq!(sent(&[], &[going]), Some(2));
    }
}
