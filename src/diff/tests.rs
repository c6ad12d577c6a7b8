//! Differences: which fields, how they read, and that both questions have one answer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::object::ObjectId;

fn paths(live: &Value, desired: &Value, scope: Scope) -> Vec<String> {
    fields(live, desired, scope).into_iter().map(|change| change.path).collect()
}

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "obs-grafana", "namespace": "observability"}, "spec": spec})
}

fn pod_spec(spec: Value) -> Value {
    deployment(json!({"template": {"spec": spec}}))
}

#[test]
fn items_of_lists_are_named_by_what_identifies_them() {
    let live = pod_spec(json!({
        "containers": [
            {"name": "sidecar", "image": "s:1"},
            {"name": "grafana", "image": "grafana/grafana:13.0.8",
             "ports": [{"containerPort": 3000, "protocol": "TCP"}],
             "env": [{"name": "A", "value": "1"}],
             "volumeMounts": [{"name": "data", "mountPath": "/var/lib/grafana"}]},
        ],
    }));
    let desired = pod_spec(json!({
        "containers": [
            {"name": "grafana", "image": "grafana/grafana:13.0.9",
             "ports": [{"containerPort": 3000, "name": "http"}],
             "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
             "volumeMounts": [{"name": "data", "mountPath": "/var/lib/grafana", "readOnly": true}]},
        ],
    }));
    let at = "spec.template.spec.containers[grafana]";
    let expected: Vec<String> = [
        ".image",
        ".ports[3000/TCP].name",
        ".env[A].value",
        ".env[B]",
        ".volumeMounts[/var/lib/grafana].readOnly",
    ]
    .iter()
    .map(|rest| format!("{at}{rest}"))
    .collect();
    assert_eq!(paths(&live, &desired, Scope::Desired), expected);

    let mut all = expected;
    all.insert(2, format!("{at}.ports[3000/TCP].protocol"));
    all.push("spec.template.spec.containers[sidecar]".to_owned());
    assert_eq!(paths(&live, &desired, Scope::Exact), all);
}

#[test]
fn the_steps_of_a_change_lead_to_its_value() {
    let live = pod_spec(json!({"volumes": [{"name": "b"}, {"name": "a", "configMap": {"name": "x"}}],
        "containers": [{"name": "c", "ports": [{"containerPort": 1, "name": "old"}]}], "args": [{"x": 1}]}));
    let desired = pod_spec(json!({"volumes": [{"name": "a", "configMap": {"name": "y"}}],
        "containers": [{"name": "c", "ports": [{"containerPort": 1, "name": "new"}]}], "args": [{"x": 2}]}));
    let changes = fields(&live, &desired, Scope::Desired);
    assert_eq!(changes.len(), 3);
    for change in changes {
        let value = |object| at(object, &change.steps);
        assert_eq!(
            (value(&live), value(&desired)),
            (change.from.as_ref(), change.to.as_ref()),
            "{}",
            change.path
        );
    }
}

#[test]
fn keys_that_are_no_words_stand_in_brackets() {
    let live = json!({"metadata": {"annotations": {"kubectl-obs.dev/config": "a"}}, "data": {"prometheus.yml": "a"}});
    let desired = json!({"metadata": {"annotations": {"kubectl-obs.dev/config": "b"}}, "data": {"prometheus.yml": "b"}});
    assert_eq!(
        paths(&live, &desired, Scope::Exact),
        ["metadata.annotations[kubectl-obs.dev/config]", "data[prometheus.yml]"]
    );
}

#[test]
fn what_the_server_writes_is_no_difference() {
    let live = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "x", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "status": {"a": 1},
    });
    let desired = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
    assert_eq!(paths(&live, &desired, Scope::Exact), Vec::<String>::new());
    // A field of that name elsewhere is a field.
    let live = json!({"spec": {"status": "a", "template": {"metadata": {"uid": "a"}}}});
    let desired = json!({"spec": {"status": "b", "template": {"metadata": {"uid": "b"}}}});
    assert_eq!(paths(&live, &desired, Scope::Exact), ["spec.status", "spec.template.metadata.uid"]);
}

#[test]
fn what_the_server_and_others_add_to_a_render_is_no_difference() {
    let live = pod_spec(json!({
        "restartPolicy": "Always",
        "containers": [{"name": "a", "image": "a", "imagePullPolicy": "Always"}, {"name": "injected", "image": "b"}],
    }));
    let desired =
        pod_spec(json!({"affinity": null, "containers": [{"name": "a", "image": "a", "args": null}]}));
    assert_eq!(paths(&live, &desired, Scope::Desired), Vec::<String>::new());
}

/// Without the server nobody knows what is the same in other words: it may change.
#[test]
fn a_value_that_is_written_otherwise_may_be_another() {
    let pod = |memory: &str, selector: Value| {
        pod_spec(
            json!({"nodeSelector": selector, "containers": [{"name": "a", "resources": {"limits": {"memory": memory}}}]}),
        )
    };
    let (live, desired) = (pod("1Gi", Value::Null), pod("1024Mi", json!({})));
    let at = "spec.template.spec";
    let expected = [format!("{at}.nodeSelector"), format!("{at}.containers[a].resources.limits.memory")];
    assert_eq!(paths(&live, &desired, Scope::Desired), expected);
    assert_eq!(paths(&live, &desired, Scope::Exact), expected);
}

#[test]
fn of_two_states_of_an_object_everything_counts() {
    let budget =
        |spec: Value| json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": spec});
    let (none, all) = (budget(json!({})), budget(json!({"selector": {}})));
    assert_eq!(paths(&none, &all, Scope::Exact), ["spec.selector"]);
    assert_eq!(paths(&all, &none, Scope::Exact), ["spec.selector"]);
    let custom = |value: Value| json!({"apiVersion": "example.com/v1", "kind": "X", "spec": {"a": value}});
    assert_eq!(paths(&custom(json!(1)), &custom(json!("1")), Scope::Exact), ["spec.a"]);
    assert_eq!(paths(&custom(json!("1.10")), &custom(json!("1.1")), Scope::Exact), ["spec.a"]);
    assert_eq!(paths(&custom(Value::Null), &custom(json!("")), Scope::Exact), ["spec.a"]);
}

fn differ(desired: &Value, live: &Value) -> bool {
    !fields(live, desired, Scope::Desired).is_empty()
}

#[test]
fn lists_that_are_replaced_as_a_whole_may_not_hold_more() {
    let with = |tolerations: Value| pod_spec(json!({"tolerations": tolerations}));
    let one = json!([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]);
    let two = json!([{"key": "a", "operator": "Exists", "effect": "NoSchedule"},
                     {"key": "b", "operator": "Exists", "effect": "NoSchedule"}]);
    assert_eq!(
        paths(&with(two), &with(one), Scope::Desired),
        ["spec.template.spec.tolerations[b/NoSchedule]"]
    );

    let args = |args: Value| pod_spec(json!({"containers": [{"name": "a", "args": args}]}));
    assert_eq!(
        paths(&args(json!(["--a", "--b"])), &args(json!(["--a"])), Scope::Desired),
        ["spec.template.spec.containers[a].args"]
    );
    // Ports of a NetworkPolicy are not merged, those of a Service are.
    let kind = |api: &str, kind: &str, ports: Value| json!({"apiVersion": api, "kind": kind, "spec": {"ports": ports}});
    let (one, two) = (json!([{"port": 1}]), json!([{"port": 1}, {"port": 2}]));
    assert!(!differ(&kind("v1", "Service", one.clone()), &kind("v1", "Service", two.clone())));
    let api = "networking.k8s.io/v1";
    assert!(differ(&kind(api, "NetworkPolicy", one.clone()), &kind(api, "NetworkPolicy", two.clone())));
    // The schema of a custom resource is not known.
    let api = "monitoring.coreos.com/v1";
    assert!(differ(&kind(api, "Prometheus", one), &kind(api, "Prometheus", two)));
}

#[test]
fn finalizers_of_others_are_theirs() {
    let with = |finalizers: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"finalizers": finalizers}});
    assert!(!differ(&with(json!(["a"])), &with(json!(["b", "a"]))));
    assert!(differ(&with(json!(["a"])), &with(json!(["b"]))));
}

#[test]
fn the_order_of_a_list_counts() {
    let with = |names: [&str; 2]| pod_spec(json!({"env": names.map(|name| json!({"name": name}))}));
    let changes = fields(&with(["a", "b"]), &with(["b", "a"]), Scope::Desired);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path, "spec.template.spec.env");
    assert_eq!(changes[0].to, Some(json!(["b", "a"])));
}

#[test]
fn duplicate_keys_fall_back_to_positions() {
    let with = |value: &str| {
        pod_spec(
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "X", "value": value}]}]}),
        )
    };
    assert_eq!(
        paths(&with("2"), &with("3"), Scope::Desired),
        ["spec.template.spec.containers[a].env[1].value"]
    );
}

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": data})
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let (live, desired) = (
        secret(json!({"a": "aHVudGVyMQ==", "old": "eA=="})),
        secret(json!({"a": "aHVudGVyMg==", "new": "eQ=="})),
    );
    let changes = fields(&live, &desired, Scope::Exact);
    assert_eq!(
        changes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(),
        ["data.a", "data.new", "data.old"]
    );
    assert!(changes.iter().all(|c| c.secret));
    let entry = Entry::new(Mark::Update, id("Secret", "x"), changes.clone());
    let shown = format!("{:?}{:?}", changes, render(&[entry]));
    for value in ["aHVudGVy", "eA==", "eQ=="] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[test]
fn string_data_is_what_the_server_made_of_it() {
    let desired = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"},
                         "stringData": {"a": "hunter2", "b": "", "c": "x", "d": "xy", "e": "xyz"}});
    let live = secret(json!({"a": "aHVudGVyMg==", "b": "", "c": "eA==", "d": "eHk=", "e": "eHl6"}));
    assert_eq!(fields(&live, &desired, Scope::Desired), []);
    assert_eq!(paths(&secret(json!({"a": "eA=="})), &desired, Scope::Desired)[0], "data.a");
}

fn id(kind: &str, name: &str) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: kind.into(),
        namespace: Some("observability".into()),
        name: name.into(),
    }
}

fn shown(entries: &[Entry]) -> String {
    render(entries).into_iter().map(|line| line.text + "\n").collect()
}

#[test]
fn a_diff_reads_as_on_the_screen() {
    let config = |retention: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"prometheus.yml": format!(
            "global:\n  scrape_interval: 30s\nstorage:\n  tsdb:\n    retention.time: {retention}\n    wal: true\n")}})
    };
    let stateful = |hash: &str| json!({"spec": {"template": {"metadata": {"annotations": {"kubectl-obs.dev/config": hash}}}}});
    let mut restarts = Entry::new(
        Mark::Update,
        id("StatefulSet", "obs-prometheus"),
        fields(&stateful("a"), &stateful("b"), Scope::Exact),
    );
    restarts
        .notes
        .insert("spec.template.metadata.annotations[kubectl-obs.dev/config]".into(), "restarts 1 pod".into());
    let scaled = fields(
        &deployment(json!({"replicas": 1})),
        &deployment(json!({"replicas": 2, "strategy": {"type": "Recreate", "list": [{"a": 1, "b": [2]}]}})),
        Scope::Exact,
    );
    let entries = [
        Entry::new(
            Mark::Update,
            id("ConfigMap", "obs-prometheus-config"),
            fields(&config("15d"), &config("30d"), Scope::Exact),
        ),
        restarts,
        Entry::new(Mark::Update, id("Deployment", "obs-grafana"), scaled),
        Entry::new(Mark::Create, id("Service", "obs-loki"), Vec::new()),
        Entry {
            note: Some("its volume stays".into()),
            ..Entry::new(Mark::Delete, id("StatefulSet", "obs-loki"), Vec::new())
        },
    ];
    assert_eq!(
        shown(&entries),
        "\
~ ConfigMap     observability/obs-prometheus-config
    prometheus.yml
        storage:
          tsdb:
      -     retention.time: 15d
      +     retention.time: 30d
            wal: true
~ StatefulSet   observability/obs-prometheus
    spec.template.metadata.annotations[kubectl-obs.dev/config]  (restarts 1 pod)
~ Deployment    observability/obs-grafana
    spec.replicas: 1 → 2
    spec.strategy
      + type: Recreate
      + list:
      +   - a: 1
      +     b:
      +       - 2
+ Service       observability/obs-loki
- StatefulSet   observability/obs-loki  (its volume stays)
"
    );
}

#[test]
fn a_conflict_names_who_set_the_live_value() {
    let with = |image: &str| pod_spec(json!({"containers": [{"name": "grafana", "image": image}]}));
    let changes = fields(&with("grafana/grafana:13.0.8"), &with("grafana/grafana:13.0.9"), Scope::Desired);
    let mut entry = Entry::new(Mark::Conflict, id("Deployment", "obs-grafana"), changes);
    entry
        .owners
        .insert("spec.template.spec.containers[grafana].image".into(), "kubectl-edit 3 days ago".into());
    entry.hint = Some("--force-conflicts takes the field back".into());
    assert_eq!(
        shown(&[entry]),
        "\
! Deployment    observability/obs-grafana
    spec.template.spec.containers[grafana].image
      ours   grafana/grafana:13.0.9
      live   grafana/grafana:13.0.8   set by kubectl-edit 3 days ago
  hint: --force-conflicts takes the field back
"
    );
}

#[test]
fn a_new_file_is_shown_in_part() {
    let file: String = (0..100).map(|i| format!("line {i}\n")).collect();
    let desired = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.json": file}});
    let changes = fields(&json!({"data": {}}), &desired, Scope::Exact);
    let lines = render(&[Entry::new(Mark::Update, id("ConfigMap", "x"), changes)]);
    assert_eq!(lines.len(), 2 + 40 + 1);
    assert_eq!(lines[42].text, "      + … 60 more lines");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        prop_oneof![Just("1"), Just("1000m"), Just("a"), Just("")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop_oneof![
            Just("name"),
            Just("spec"),
            Just("limits"),
            Just("ports"),
            Just("port"),
            Just("env"),
            Just("emptyDir"),
            Just("metadata"),
            Just("data"),
            Just("args"),
            Just("tolerations"),
            Just("key"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| {
                Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn an_object_does_not_differ_from_itself(value in any_value()) {
        let object = json!({"apiVersion": "v1", "kind": "X", "spec": value});
        prop_assert_eq!(fields(&object, &object, Scope::Exact), []);
    }

    #[test]
    fn whatever_differs_is_found(live in any_value(), desired in any_value(), builtin in any::<bool>()) {
        let object = |value: Value| json!({
            "apiVersion": if builtin { "v1" } else { "example.com/v1" }, "kind": "X", "spec": value,
        });
        let same = live == desired;
        prop_assert_eq!(fields(&object(live), &object(desired), Scope::Exact).is_empty(), same);
    }

    #[test]
    fn rendering_never_panics(live in any_value(), desired in any_value()) {
        let object = |value: Value| json!({"apiVersion": "v1", "kind": "X", "spec": value});
        let changes = fields(&object(live), &object(desired), Scope::Exact);
        render(&[Entry::new(Mark::Update, id("ConfigMap", "x"), changes)]);
    }
}
