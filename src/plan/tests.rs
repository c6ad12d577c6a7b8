//! Examples of plans.

use serde_json::json;

use super::*;

fn labelled(kind: &str, name: &str, extra: Value) -> Value {
    let mut value = json!({
        "apiVersion": if kind == "Deployment" { "apps/v1" } else { "v1" },
        "kind": kind,
        "metadata": {
            "name": name, "namespace": "observability",
            "labels": {
                "app.kubernetes.io/managed-by": "kubectl-obs",
                "kubectl-obs.dev/release": "obs",
                "kubectl-obs.dev/release-namespace": "observability",
                "kubectl-obs.dev/component": "prometheus",
            },
        },
    });
    if let (Some(map), Value::Object(extra)) = (value.as_object_mut(), extra) {
        map.extend(extra);
    }
    value
}

fn desired(kind: &str, name: &str, extra: Value) -> Object {
    Object::new(labelled(kind, name, extra)).unwrap()
}

/// The live twin of an object that we applied.
fn applied(kind: &str, name: &str, extra: Value) -> Value {
    let mut value = labelled(kind, name, extra.clone());
    let fields: serde_json::Map<String, Value> = extra
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| {
            let below: serde_json::Map<String, Value> =
                v.as_object().into_iter().flatten().map(|(k, _)| (format!("f:{k}"), json!({}))).collect();
            (format!("f:{k}"), Value::Object(below))
        })
        .collect();
    value["metadata"]["uid"] = json!(format!("uid-{name}"));
    value["metadata"]["managedFields"] =
        json!([{"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": fields}]);
    value
}

fn live(values: Vec<Value>) -> Live {
    values.into_iter().map(|value| (Object::new(value.clone()).unwrap().id(), value)).collect()
}

fn entry(value: &Value) -> Entry {
    Entry::new(Object::new(value.clone()).unwrap().id(), "prometheus", EntryState::Active)
}

fn planned(desired: &[Object], live: &Live, earlier: &[Entry]) -> Plan {
    plan(desired, live, earlier, &Rules::default())
}

#[test]
fn somebody_elses_object_is_taken_over_only_when_asked() {
    let wanted = desired("ConfigMap", "taken", json!({"data": {"a": "1"}}));
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "taken", "namespace": "observability", "managedFields": [{"manager": "helm"}]}});
    let live = live(vec![theirs]);
    let change = |rules| plan(std::slice::from_ref(&wanted), &live, &[], &rules).steps[0].change.clone();
    assert_eq!(change(Rules::default()), Change::Foreign(vec!["helm".into()]));
    let Change::Adopt(fields) = change(Rules { adopt: true, ..Rules::default() }) else {
        panic!("it is adopted")
    };
    assert!(fields.iter().any(|field| field.path == "data"), "{fields:?}");
}

#[test]
fn a_generated_secret_that_holds_its_value_is_unchanged() {
    let annotation = json!({"kubectl-obs.dev/generated": r#"[{"key":"password"}]"#});
    let mut wanted = labelled("Secret", "admin", json!({}));
    wanted["metadata"]["annotations"] = annotation.clone();
    let mut current = applied("Secret", "admin", json!({"data": {"password": "aHVudGVy"}}));
    current["metadata"]["annotations"] = annotation;
    let plan = planned(&[Object::new(wanted).unwrap()], &live(vec![current]), &[]);
    assert_eq!(plan.steps[0].change, Change::Unchanged);
}

#[test]
fn a_generated_secret_that_lost_its_value_gets_another() {
    let annotation = json!({"kubectl-obs.dev/generated": r#"[{"key":"password"}]"#});
    let mut wanted = labelled("Secret", "admin", json!({}));
    wanted["metadata"]["annotations"] = annotation.clone();
    let mut current = applied("Secret", "admin", json!({}));
    current["metadata"]["annotations"] = annotation;
    let plan = planned(&[Object::new(wanted).unwrap()], &live(vec![current]), &[]);
    assert!(plan.steps[0].change.writes());
}

#[test]
fn what_is_missing_is_created_and_what_is_equal_is_left_alone() {
    let same = json!({"data": {"a": "1"}});
    let plan = planned(
        &[desired("ConfigMap", "old", same.clone()), desired("ConfigMap", "new", json!({"data": {}}))],
        &live(vec![applied("ConfigMap", "old", same)]),
        &[],
    );
    let changes: Vec<_> = plan.steps.iter().map(|s| (s.object.name(), s.change.clone())).collect();
    assert_eq!(changes, [("old", Change::Unchanged), ("new", Change::Create)]);
    assert_eq!(plan.counts(), (1, 0, 1));
}

#[test]
fn a_changed_field_makes_an_update_with_the_live_uid() {
    let plan = planned(
        &[desired("ConfigMap", "c", json!({"data": {"a": "2"}}))],
        &live(vec![applied("ConfigMap", "c", json!({"data": {"a": "1"}}))]),
        &[],
    );
    let [step] = &plan.steps[..] else { panic!("one step, got {plan:?}") };
    let Change::Update(changes) = &step.change else { panic!("an update, got {:?}", step.change) };
    assert_eq!(changes[0].path, "data.a");
    assert_eq!(step.uid.as_deref(), Some("uid-c"));
}

#[test]
fn what_the_release_no_longer_wants_goes_but_data_stays() {
    let deployment = applied("Deployment", "gone", json!({}));
    let claim = applied("PersistentVolumeClaim", "data", json!({}));
    let mut kept = applied("ConfigMap", "kept", json!({}));
    kept["metadata"]["annotations"] = json!({"kubectl-obs.dev/keep": "true"});
    let absent = applied("ConfigMap", "absent", json!({}));
    let earlier: Vec<Entry> = [&deployment, &claim, &kept, &absent].map(entry).into();
    let plan = planned(&[], &live(vec![deployment, claim, kept]), &earlier);
    let names = |entries: &[Entry]| entries.iter().map(|e| e.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&plan.prune), ["gone"]);
    assert_eq!(names(&plan.keep), ["data", "kept"]);
    let states: Vec<_> = plan.inventory().iter().map(|e| e.state).collect();
    assert_eq!(states, [EntryState::Kept, EntryState::Kept, EntryState::Leftover]);
}

#[test]
fn a_namespace_that_was_there_before_is_used_as_it_is() {
    let mut namespace = labelled("Namespace", "shared", json!({}));
    namespace["metadata"].as_object_mut().unwrap().remove("namespace");
    let wanted = Object::new(namespace.clone()).unwrap();
    namespace["metadata"].as_object_mut().unwrap().remove("labels");
    let plan = planned(&[wanted], &live(vec![namespace]), &[]);
    assert_eq!(plan.steps[0].change, Change::Use);
    assert!(plan.inventory().is_empty(), "it is not ours to delete");
}
