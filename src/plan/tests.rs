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
    managed(labelled(kind, name, extra))
}

/// With the entry of managedFields that our apply leaves.
fn managed(mut value: Value) -> Value {
    let mut fields = fields_of(&value);
    for key in ["f:apiVersion", "f:kind"] {
        fields.as_object_mut().unwrap().remove(key);
    }
    let metadata = fields["f:metadata"].as_object_mut().unwrap();
    metadata.remove("f:name");
    metadata.remove("f:namespace");
    let name = value["metadata"]["name"].as_str().unwrap().to_owned();
    value["metadata"]["uid"] = json!(format!("uid-{name}"));
    value["metadata"]["managedFields"] = json!([{"manager": "kubectl-obs", "operation": "Apply",
        "apiVersion": value["apiVersion"], "fieldsV1": fields}]);
    value
}

fn fields_of(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(key, value)| (format!("f:{key}"), fields_of(value))).collect())
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
    let mut current = labelled("Secret", "admin", json!({"data": {"password": "aHVudGVy"}}));
    current["metadata"]["annotations"] = annotation;
    let current = managed(current);
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

/// What is said of an update by the server's answer.
fn asked(wanted: Object, current: Value, after: &Value, said: &[Said], rules: &Rules<'_>) -> Step {
    let live = live(vec![current.clone()]);
    let mut step = plan(&[wanted], &live, &[], rules).steps.remove(0);
    accepted(&mut step, &current, after, said, rules);
    step
}

#[test]
fn the_servers_answer_decides_whether_an_object_changes() {
    let limits = |memory: &str| json!({"spec": {"memory": memory}});
    let current = applied("Deployment", "web", limits("1Gi"));
    let step = |wanted: &str, answer: &str| {
        let mut after = applied("Deployment", "web", limits(answer));
        after["metadata"]["generation"] = json!(2);
        asked(desired("Deployment", "web", limits(wanted)), current.clone(), &after, &[], &Rules::default())
    };
    assert_eq!(step("1024Mi", "1Gi").change, Change::Unchanged, "the same in other words");
    let step = step("2048Mi", "2Gi");
    let Change::Update(fields) = &step.change else { panic!("{step:?}") };
    assert_eq!((fields[0].path.as_str(), &fields[0].to), ("spec.memory", &Some(json!("2Gi"))));
    assert!(step.asked);
}

#[test]
fn what_the_server_changes_by_itself_is_told_apart_and_changes_nothing_alone() {
    let current = applied("Deployment", "web", json!({"spec": {"a": 1}}));
    let mut after = current.clone();
    after["spec"]["touched"] = json!("now");
    let same = asked(
        desired("Deployment", "web", json!({"spec": {"a": 1}})),
        current.clone(),
        &after,
        &[],
        &Rules::default(),
    );
    assert_eq!(same.change, Change::Unchanged);
    after["spec"]["a"] = json!(2);
    let step = asked(
        desired("Deployment", "web", json!({"spec": {"a": 2}})),
        current,
        &after,
        &[],
        &Rules::default(),
    );
    let paths = |fields: &[diff::Change]| fields.iter().map(|f| f.path.clone()).collect::<Vec<_>>();
    assert_eq!(
        (paths(step.change.fields()), paths(&step.follows)),
        (vec!["spec.a".to_owned()], vec!["spec.touched".to_owned()])
    );
}

#[test]
fn what_we_give_up_and_another_keeps_is_said() {
    let mut current = applied("ConfigMap", "c", json!({"data": {"a": "1", "b": "2"}}));
    let theirs = |manager: &str| json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}});
    let wanted = || desired("ConfigMap", "c", json!({"data": {"a": "1"}}));
    let after = |manager: &str| {
        let mut after = applied("ConfigMap", "c", json!({"data": {"a": "1"}}));
        after["data"]["b"] = json!("2");
        after["metadata"]["managedFields"].as_array_mut().unwrap().push(theirs(manager));
        after
    };
    current["metadata"]["managedFields"].as_array_mut().unwrap().push(theirs("operator"));
    let step = asked(wanted(), current.clone(), &after("operator"), &[], &Rules::default());
    assert_eq!(step.change, Change::Update(vec![]), "it is ours no longer");
    assert_eq!(step.kept[0].owner.as_ref().unwrap().manager, "operator");
    assert!(step.conflicts.is_empty());
    // a person's tool: as much a decision against ours as another value
    current["metadata"]["managedFields"][1] = theirs("kubectl");
    let step = asked(wanted(), current.clone(), &after("kubectl"), &[], &Rules::default());
    assert_eq!(step.obstacles()[0].path, "data.b");
    let rules = Rules { force_conflicts: true, ..Rules::default() };
    let live = live(vec![current.clone()]);
    let mut step = plan(&[wanted()], &live, &[], &rules).steps.remove(0);
    assert!(step.takes_over);
    in_two_steps(&mut step, &current, &after("kubectl"), &[], &rules);
    assert_eq!(step.change.fields()[0].path, "data.b", "it goes");
    assert!(step.obstacles().is_empty());
}

#[test]
fn what_is_being_deleted_is_made_again() {
    let same = json!({"data": {"a": "1"}});
    let mut going = applied("ConfigMap", "c", same.clone());
    going["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    let plan = planned(&[desired("ConfigMap", "c", same)], &live(vec![going]), &[]);
    let step = &plan.steps[0];
    assert_eq!((&step.change, &step.uid), (&Change::Create, &None));
    assert_eq!(step.going.as_ref().unwrap().uid.as_deref(), Some("uid-c"));
}

#[test]
fn what_belongs_to_another_release_is_never_taken() {
    let mut theirs = applied("ConfigMap", "c", json!({"data": {"a": "1"}}));
    theirs["metadata"]["labels"]["kubectl-obs.dev/release"] = json!("other");
    let wanted = desired("ConfigMap", "c", json!({"data": {"a": "1"}}));
    for adopt in [false, true] {
        let rules = Rules { adopt, ..Rules::default() };
        let plan = plan(std::slice::from_ref(&wanted), &live(vec![theirs.clone()]), &[], &rules);
        assert!(matches!(plan.steps[0].change, Change::Foreign(_)));
        let why = &plan.steps[0].refusal.as_ref().unwrap().why;
        assert!(why.ends_with("belongs to release other in namespace observability"), "{why}");
    }
}

#[test]
fn only_texts_that_the_server_stores_as_they_are_are_certain() {
    let step = |kind: &str, before: Value, after: Value, applied_last: bool| {
        let wanted = desired(kind, "x", after);
        let known: BTreeSet<ObjectId> = if applied_last { [wanted.id()].into() } else { [].into() };
        let rules = Rules { applied: Applied(Some(&known)), ..Rules::default() };
        plan(&[wanted], &live(vec![applied(kind, "x", before)]), &[], &rules).steps.remove(0)
    };
    let data = |text: &str| json!({"data": {"a": text}});
    assert!(step("ConfigMap", data("1"), data("2"), false).certain);
    assert!(!step("ConfigMap", data("1"), data("2"), true).certain, "something else has a say");
    assert!(!step("Deployment", json!({"spec": {"a": "1"}}), json!({"spec": {"a": "2"}}), false).certain);
    let mut before = labelled("Deployment", "x", json!({"spec": {"a": "1"}}));
    before["metadata"]["annotations"] = json!({"b": "1"});
    let mut after = before.clone();
    after["metadata"]["annotations"]["b"] = json!("2");
    let live = live(vec![managed(before)]);
    let steps = plan(&[Object::new(after).unwrap()], &live, &[], &Rules::default()).steps;
    assert!(steps[0].certain, "{steps:?}");
    // a selector is replaced as a whole: that one goes from it is not in its text
    let policy = |selector: Value, text: &str| {
        let mut policy = labelled("NetworkPolicy", "x", json!({"spec": {"podSelector": selector}}));
        policy["metadata"]["annotations"] = json!({"b": text});
        policy
    };
    let mut before = managed(policy(json!({"matchLabels": {"a": "1"}}), "1"));
    before["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] = json!({"f:podSelector": {}});
    let live = [(Object::new(before.clone()).unwrap().id(), before)].into();
    let steps = plan(&[Object::new(policy(json!({}), "2")).unwrap()], &live, &[], &Rules::default()).steps;
    assert!(!steps[0].certain, "{steps:?}");
}
