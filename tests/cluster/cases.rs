//! Ordinary changes on which a release tool can misreport what it did: keys that go from a selector,
//! texts that look like quantities, empty values that mean something, what people added by hand. Each
//! trial is one that went wrong once.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::process::Output;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("cases::a_key_that_goes_from_a_node_selector_goes", key_of_a_node_selector),
        trial::api("cases::a_rollback_undoes_a_node_selector", rollback_of_a_node_selector),
        trial::api("cases::a_selector_that_somebody_widened_is_restored", widened_selector),
        trial::api("cases::a_text_that_looks_like_a_quantity_is_a_text", text_like_a_quantity),
        trial::api("cases::an_empty_selector_arrives_and_stays", empty_selector),
        trial::api("cases::values_that_the_server_drops_settle", dropped_values),
        trial::api("cases::a_deployment_becomes_recreate_and_back", recreate_strategy),
        trial::api("cases::replicas_of_an_autoscaler_are_no_drift", autoscaled_replicas),
        trial::api("cases::what_people_added_is_named_and_goes_when_told", additions),
        trial::api("cases::what_kubectl_applied_from_template_is_ours", applied_from_template),
        trial::api("cases::a_key_that_kubectl_owns_too_is_named", key_owned_by_kubectl),
        trial::api("cases::an_env_variable_of_kubectl_set_is_taken_back", env_of_kubectl_set),
        trial::api("cases::env_variables_that_change_places_change", env_in_another_order),
        trial::api("cases::a_policy_that_loses_its_egress_denies_no_egress", policy_without_egress),
        trial::api("cases::who_may_only_read_can_compare", who_may_only_read),
        trial::api("cases::what_is_being_deleted_is_made_again", being_deleted),
        trial::api("cases::what_a_lost_record_made_is_found_and_removed", lost_record),
        trial::api("cases::an_install_that_was_killed_at_its_end_is_done", killed_at_its_end),
        trial::api("cases::endpoint_slices_of_a_bundle_are_removed", slices_of_a_bundle),
        trial::api("cases::drift_sees_what_a_failed_upgrade_changed", drift_after_a_failure),
        trial::api("cases::what_is_written_under_our_name_is_seen", written_under_our_name),
        trial::api("cases::an_object_without_managed_fields_is_taken_back", without_managed_fields),
        trial::api("cases::a_service_with_a_node_port_is_taken_back", a_node_port_that_people_changed),
        trial::api("cases::an_empty_map_that_people_filled_is_empty_again", a_filled_empty_map),
        trial::api("cases::an_immutable_map_is_made_anew_when_named", an_immutable_map),
    ]
}

/// Installs or upgrades a release of the objects.
fn release(env: &Env, verb: &str, objects: &Value, extra: &[&str]) -> Output {
    let file = env.write("objects.yaml", &json!({ "objects": objects }).to_string()).display().to_string();
    let bundle = fixture("bundles/objects");
    let mut args: Vec<&str> = vec![verb, &bundle];
    if verb != "install" {
        args.push("--reset-values");
    }
    if verb != "diff" {
        args.push("--wait=none");
    }
    args.extend(["-f", &file]);
    args.extend(extra);
    env.obs(args).run()
}

fn web(pod: Value, spec: Value) -> Value {
    let mut container = json!({"name": "main", "image": "registry.example.com/web:1"});
    let mut pod_spec = json!({});
    for (key, value) in pod.as_object().into_iter().flatten() {
        match key.as_str() {
            "env" => container["env"] = value.clone(),
            _ => pod_spec[key] = value.clone(),
        }
    }
    pod_spec["containers"] = json!([container]);
    let labels = json!({"app.kubernetes.io/name": "objects"});
    let mut body = json!({"spec": {"replicas": 0, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        body["spec"][key] = value.clone();
    }
    json!({"web": {"apiVersion": "apps/v1", "kind": "Deployment", "body": body}})
}

const WEB: &str = "deployment obs-objects-web";

#[track_caller]
fn at(env: &Env, what: &str, pointer: &str) -> Value {
    env.get(what)
        .unwrap_or_else(|| panic!("there is no {what}"))
        .pointer(pointer)
        .cloned()
        .unwrap_or_default()
}

/// Nothing is left to do, and nobody finds a difference.
#[track_caller]
fn settled(env: &Env, objects: &Value) {
    let revision = newest(env);
    let again = release(env, "upgrade", objects, &["-o", "json"]).ok().json();
    assert_eq!(again["status"], "unchanged", "{again}");
    assert_eq!(newest(env), revision);
    env.obs(["drift"]).run().ends(0).says("none differs");
    release(env, "diff", objects, &[]).ends(0);
}

fn key_of_a_node_selector(env: &Env) {
    let (both, one) = (
        web(json!({"nodeSelector": {"a": "x", "b": "x"}}), json!({})),
        web(json!({"nodeSelector": {"a": "x"}}), json!({})),
    );
    release(env, "install", &both, &[]).ok();
    let diff = release(env, "diff", &one, &[]).ends(1);
    assert!(diff.stdout.contains("spec.template.spec.nodeSelector.b"), "{diff}");
    release(env, "upgrade", &one, &[]).ok();
    assert_eq!(at(env, WEB, "/spec/template/spec/nodeSelector"), json!({"a": "x"}));
    settled(env, &one);
    // rendered as null, it goes, too
    let none = web(json!({"nodeSelector": null}), json!({}));
    release(env, "upgrade", &none, &[]).ok();
    assert_eq!(at(env, WEB, "/spec/template/spec/nodeSelector"), Value::Null);
    settled(env, &none);
}

fn rollback_of_a_node_selector(env: &Env) {
    let (before, after) =
        (web(json!({}), json!({})), web(json!({"nodeSelector": {"disk": "ssd"}}), json!({})));
    let selector = |env: &Env| at(env, WEB, "/spec/template/spec/nodeSelector");
    release(env, "install", &before, &[]).ok();
    release(env, "upgrade", &after, &[]).ok();
    let told = env.obs(["rollback", "--yes", "--wait=none"]).run().ok();
    assert!(told.stderr.contains("1 updated"), "{told}");
    assert_eq!(selector(env), Value::Null);
    settled(env, &before);
    release(env, "upgrade", &after, &[]).ok();
    let told = env.obs(["rollout", "undo", "objects", "--yes", "--wait=none"]).run().ok();
    assert!(told.stderr.contains("1 updated"), "{told}");
    assert_eq!(selector(env), Value::Null);
    // an upgrade that fails is undone: nothing can pull this image, and there is no node
    let mut failing =
        web(json!({"nodeSelector": {"disk": "ssd"}}), json!({"replicas": 1, "progressDeadlineSeconds": 1}));
    failing["web"]["body"]["spec"]["minReadySeconds"] = json!(0);
    let file = env.write("failing.yaml", &json!({ "objects": failing }).to_string()).display().to_string();
    let failed = env
        .obs([
            "upgrade",
            "-y",
            "--reset-values",
            "-f",
            &file,
            "--wait=ready",
            "--timeout=5s",
            "--rollback-on-failure",
        ])
        .run();
    assert_ne!(failed.code, 0, "{failed}");
    assert!(failed.stderr.contains("rolled back"), "{failed}");
    assert_eq!(selector(env), Value::Null);
}

fn service(spec: Value) -> Value {
    let mut body = json!({"spec": {"ports": [{"port": 80, "name": "http"}], "selector": {"app.kubernetes.io/name": "objects"}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        body["spec"][key] = value.clone();
    }
    json!({"web": {"apiVersion": "v1", "kind": "Service", "body": body}})
}

const SERVICE: &str = "service obs-objects-web";

fn patch(env: &Env, what: &str, patch: &Value) {
    env.kubectl(["patch"])
        .args(what.split(' '))
        .args(["--type=merge", "--patch", &patch.to_string()])
        .run()
        .ok();
}

fn widened_selector(env: &Env) {
    let objects = service(json!({}));
    release(env, "install", &objects, &[]).ok();
    patch(env, SERVICE, &json!({"spec": {"selector": {"extra": "x"}}}));
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(
        drift.stdout.contains("spec.selector.extra") && drift.stdout.contains("kubectl-patch"),
        "{drift}"
    );
    let refused = release(env, "upgrade", &objects, &[]).ends(1);
    assert!(
        refused.stderr.contains("kubectl-patch") && refused.stderr.contains("--force-conflicts"),
        "{refused}"
    );
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, SERVICE, "/spec/selector"), json!({"app.kubernetes.io/name": "objects"}));
    settled(env, &objects);
}

fn text_like_a_quantity(env: &Env) {
    let map = |text: &str| json!({"map": {"apiVersion": "v1", "kind": "ConfigMap", "body": {"data": {"sizeLimit": text}}}});
    release(env, "install", &map("1Gi"), &[]).ok();
    let told = release(env, "upgrade", &map("1024Mi"), &[]).ok();
    assert!(told.stderr.contains("1 updated"), "{told}");
    assert_eq!(at(env, "configmap obs-objects-map", "/data/sizeLimit"), "1024Mi");
    settled(env, &map("1024Mi"));
}

fn empty_selector(env: &Env) {
    let budget = |spec: Value| json!({"pdb": {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "body": {"spec": spec}}});
    let name = "poddisruptionbudget obs-objects-pdb";
    release(env, "install", &budget(json!({"minAvailable": 1})), &[]).ok();
    let all = budget(json!({"minAvailable": 1, "selector": {}}));
    release(env, "upgrade", &all, &[]).ok();
    assert_eq!(at(env, name, "/spec/selector"), json!({}));
    settled(env, &all);
    env.kubectl(["patch"])
        .args(name.split(' '))
        .args(["--type=json", "--patch", r#"[{"op":"remove","path":"/spec/selector"}]"#])
        .run()
        .ok();
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(drift.stdout.contains("spec.selector"), "{drift}");
    release(env, "upgrade", &all, &[]).ok();
    assert_eq!(at(env, name, "/spec/selector"), json!({}));
}

fn dropped_values(env: &Env) {
    let objects = web(json!({"hostNetwork": false, "env": [{"name": "A", "value": ""}]}), json!({}));
    release(env, "install", &objects, &[]).ok();
    settled(env, &objects);
}

fn recreate_strategy(env: &Env) {
    let (rolling, recreate) =
        (web(json!({}), json!({})), web(json!({}), json!({"strategy": {"type": "Recreate"}})));
    release(env, "install", &rolling, &[]).ok();
    let diff = release(env, "diff", &recreate, &[]).ends(1);
    assert!(diff.stdout.contains("spec.strategy.rollingUpdate"), "{diff}");
    release(env, "upgrade", &recreate, &[]).ok();
    assert_eq!(at(env, WEB, "/spec/strategy"), json!({"type": "Recreate"}));
    settled(env, &recreate);
    env.obs(["rollback", "--yes", "--wait=none"]).run().ok();
    assert_eq!(at(env, WEB, "/spec/strategy/type"), "RollingUpdate");
    settled(env, &rolling);
}

fn autoscaled_replicas(env: &Env) {
    let objects = web(json!({}), json!({"replicas": 2}));
    release(env, "install", &objects, &[]).ok();
    env.kubectl(["autoscale", "deployment", "obs-objects-web", "--min=3", "--max=5"]).run().ok();
    // what the autoscaler does, without pods and metrics to make it
    env.kubectl(["patch", "deployment", "obs-objects-web", "--subresource=scale", "--type=merge"])
        .args(["--field-manager=kube-controller-manager", "--patch", r#"{"spec":{"replicas":3}}"#])
        .run()
        .ok();
    env.obs(["drift"]).run().ends(0).says("none differs");
    release(env, "upgrade", &objects, &[]).ok();
    assert_eq!(at(env, WEB, "/spec/replicas"), 3);
}

fn additions(env: &Env) {
    let mut objects = service(json!({}));
    objects["app"] = web(json!({"env": [{"name": "A", "value": "1"}]}), json!({}))["web"].clone();
    objects["map"] = json!({"apiVersion": "v1", "kind": "ConfigMap", "body": {"data": {"a": "1"}}});
    release(env, "install", &objects, &[]).ok();
    let port = json!([{"op": "add", "path": "/spec/ports/-", "value": {"name": "more", "port": 81}}]);
    env.kubectl(["patch", "service", "obs-objects-web", "--type=json", "--patch", &port.to_string()])
        .run()
        .ok();
    patch(env, "configmap obs-objects-map", &json!({"data": {"extra": "x"}}));
    env.kubectl(["set", "env", "deployment/obs-objects-app", "MORE=x"]).run().ok();
    env.kubectl(["label", "service", "obs-objects-web", "team=shop"]).run().ok();
    // a restart wants nothing to be otherwise
    env.kubectl(["rollout", "restart", "deployment/obs-objects-app"]).run().ok();

    let drift = env.obs(["drift"]).run().ends(1);
    for (field, manager) in [
        ("spec.ports[81/TCP]", "kubectl-patch"),
        ("metadata.labels.team", "kubectl-label"),
        ("spec.template.spec.containers[main].env[MORE]", "kubectl-set"),
        ("extra", "kubectl-patch"),
    ] {
        assert!(
            drift.stdout.contains(field) && drift.stdout.contains(manager),
            "{field} by {manager}\n{drift}"
        );
    }
    assert!(!drift.stdout.contains("restartedAt"), "{drift}");
    // they stay until a person says so
    release(env, "upgrade", &objects, &[]).ok().says("unchanged");
    let diff = release(env, "diff", &objects, &["--force-conflicts"]).ends(1);
    assert!(diff.stdout.contains("env[MORE]"), "{diff}");
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, SERVICE, "/spec/ports/1"), Value::Null);
    assert_eq!(at(env, SERVICE, "/metadata/labels/team"), Value::Null);
    assert_eq!(at(env, "configmap obs-objects-map", "/data"), json!({"a": "1"}));
    let app = "deployment obs-objects-app";
    assert_eq!(at(env, app, "/spec/template/spec/containers/0/env"), json!([{"name": "A", "value": "1"}]));
    let restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert!(at(env, app, restarted).is_string(), "the pods are not restarted once more");
    settled(env, &objects);
}

fn map(data: Value) -> Value {
    json!({"map": {"apiVersion": "v1", "kind": "ConfigMap", "body": {"data": data}}})
}

const MAP: &str = "configmap obs-objects-map";

fn applied_from_template(env: &Env) {
    let (both, one) = (map(json!({"a": "1", "b": "2"})), map(json!({"a": "1"})));
    let file = env.write("t.yaml", &json!({ "objects": both }).to_string()).display().to_string();
    let objects = env.obs(["template", &fixture("bundles/objects"), "-f", &file]).run().ok().stdout;
    env.kubectl(["apply", "--filename=-"]).stdin(objects).run().ok();
    release(env, "install", &both, &[]).ok();
    release(env, "upgrade", &one, &[]).ok();
    assert_eq!(at(env, MAP, "/data"), json!({"a": "1"}), "kubectl's claim was taken over");
    settled(env, &one);
}

fn key_owned_by_kubectl(env: &Env) {
    let (both, one) = (map(json!({"a": "1", "b": "2"})), map(json!({"a": "1"})));
    release(env, "install", &both, &[]).ok();
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "obs-objects-map"}, "data": {"b": "2"}});
    env.apply(&theirs.to_string());
    env.obs(["drift"]).run().ends(0);
    let refused = release(env, "upgrade", &one, &[]).ends(1);
    assert!(refused.stderr.contains("data.b") && refused.stderr.contains("set by kubectl"), "{refused}");
    release(env, "upgrade", &one, &["--force-conflicts"]).ok();
    assert_eq!(at(env, MAP, "/data"), json!({"a": "1"}));
    settled(env, &one);
}

fn env_of_kubectl_set(env: &Env) {
    let with = |variable: Value| web(json!({"env": [variable]}), json!({}));
    release(env, "install", &with(json!({"name": "A", "value": "1"})), &[]).ok();
    env.kubectl(["set", "env", "deployment/obs-objects-web", "A=9"]).run().ok();
    let from = with(json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}));
    let refused = release(env, "upgrade", &from, &[]).ends(1);
    assert!(refused.stderr.contains("kubectl-set"), "{refused}");
    release(env, "upgrade", &from, &["--force-conflicts"]).ok();
    let variable = at(env, WEB, "/spec/template/spec/containers/0/env/0");
    assert!(variable.get("value").is_none() && variable["valueFrom"].is_object(), "{variable}");
    settled(env, &from);
}

fn env_in_another_order(env: &Env) {
    let (first, second) = (json!({"name": "A", "value": "1"}), json!({"name": "B", "value": "$(A)"}));
    release(env, "install", &web(json!({"env": [second, first]}), json!({})), &[]).ok();
    let turned = web(json!({"env": [first, second]}), json!({}));
    let told = release(env, "upgrade", &turned, &[]).ok();
    assert!(told.stderr.contains("1 updated"), "{told}");
    assert_eq!(at(env, WEB, "/spec/template/spec/containers/0/env/0/name"), "A");
    settled(env, &turned);
}

fn policy_without_egress(env: &Env) {
    let policy = |spec: Value| json!({"net": {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "body": {"spec": spec}}});
    let with = policy(json!({"podSelector": {}, "ingress": [{}], "egress": [{}]}));
    release(env, "install", &with, &[]).ok();
    let without = policy(json!({"podSelector": {}, "ingress": [{}]}));
    let diff = release(env, "diff", &without, &[]).ends(1);
    assert!(diff.stdout.contains("spec.policyTypes"), "{diff}");
    release(env, "upgrade", &without, &[]).ok();
    assert_eq!(at(env, "networkpolicy obs-objects-net", "/spec/policyTypes"), json!(["Ingress"]));
    settled(env, &without);
}

/// `diff`, `drift` and `--dry-run=client` need the right to read and no other.
fn who_may_only_read(env: &Env) {
    let objects = map(json!({"a": "1"}));
    release(env, "install", &objects, &[]).ok();
    let account = format!("system:serviceaccount:{}:reader", env.namespace());
    env.kubectl(["create", "serviceaccount", "reader"]).run().ok();
    env.kubectl(["create", "role", "reader", "--verb=get,list,watch"])
        .arg("--resource=configmaps,secrets,services,deployments.apps,horizontalpodautoscalers.autoscaling,leases.coordination.k8s.io")
        .run()
        .ok();
    env.kubectl(["create", "rolebinding", "reader", "--role=reader"])
        .arg(format!("--serviceaccount={}:reader", env.namespace()))
        .run()
        .ok();
    let name = format!("{}-reader", env.namespace());
    env.kubectl(["create", "clusterrole", &name, "--verb=get", "--resource=namespaces"]).run().ok();
    env.kubectl(["create", "clusterrolebinding", &name, &format!("--clusterrole={name}")])
        .arg(format!("--serviceaccount={}:reader", env.namespace()))
        .run()
        .ok();
    let label = format!("kubectl-obs.dev/release-namespace={}", env.namespace());
    env.kubectl(["label", "clusterrole,clusterrolebinding", &name, &label]).run().ok();

    let reads = |args: &[&str]| env.obs(args.iter().copied()).args(["--as", &account]).run();
    reads(&["drift"]).ends(0);
    patch(env, MAP, &json!({"data": {"a": "2"}}));
    let drift = reads(&["drift"]).ends(1);
    assert!(drift.stdout.contains("kubectl-patch"), "{drift}");
    let file = env
        .write("new.yaml", &json!({ "objects": map(json!({"a": "3"})) }).to_string())
        .display()
        .to_string();
    let diff = reads(&["diff", "-f", &file]).ends(1);
    assert!(diff.stdout.contains("predicted"), "{diff}");
    reads(&["upgrade", "-f", &file, "--dry-run=client"]).ends(0);
}

fn being_deleted(env: &Env) {
    let objects = map(json!({"a": "1"}));
    release(env, "install", &objects, &[]).ok();
    let uid = at(env, MAP, "/metadata/uid");
    patch(env, MAP, &json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    env.kubectl(["delete", "configmap", "obs-objects-map", "--wait=false"]).run().ok();
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(drift.stdout.contains("is being deleted"), "{drift}");
    // who holds it is named, and nothing is deployed with it
    let held = release(env, "upgrade", &objects, &["--timeout=4s"]);
    assert_eq!(held.code, 7, "{held}");
    assert!(held.stderr.contains("it waits for its finalizer example.com/hold"), "{held}");
    let file = env.home().join("objects.yaml").display().to_string();
    let mut upgrade = env.obs(["upgrade", "-y", "--reset-values", "--wait=none", "-f", &file]).start();
    upgrade.says("example.com/hold");
    patch(env, MAP, &json!({"metadata": {"finalizers": null}}));
    upgrade.wait().ok();
    let now = env.get(MAP).expect("it is made again");
    assert!(now["metadata"]["uid"] != uid && now["metadata"].get("deletionTimestamp").is_none(), "{now:#}");
    settled(env, &objects);
}

fn lost_record(env: &Env) {
    let one = map(json!({"a": "1"}));
    let mut two = one.clone();
    two["extra"] = json!({"apiVersion": "v1", "kind": "ConfigMap", "body": {"data": {"b": "2"}}});
    release(env, "install", &one, &[]).ok();
    release(env, "upgrade", &two, &[]).ok();
    env.kubectl(["delete", "secret", "obs.obs.v2"]).run().ok();
    let upgraded = release(env, "upgrade", &one, &[]).ok();
    assert!(upgraded.stderr.contains("the record of revision 2 of release obs is gone"), "{upgraded}");
    assert!(upgraded.stderr.contains("obs-objects-extra"), "it is named\n{upgraded}");
    assert_eq!(env.get("configmap obs-objects-extra"), None);
    settled(env, &one);
    // also where nothing tells that a record is missing
    let mut orphan = env.get(MAP).expect("it is there");
    for key in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        orphan["metadata"].as_object_mut().expect("a map").remove(key);
    }
    orphan["metadata"]["name"] = json!("obs-objects-orphan");
    env.apply(&orphan.to_string());
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(
        drift.stdout.contains("obs-objects-orphan") && drift.stdout.contains("in no revision"),
        "{drift}"
    );
    release(env, "upgrade", &one, &[]).ok();
    assert_eq!(env.get("configmap obs-objects-orphan"), None);
}

fn killed_at_its_end(env: &Env) {
    let objects = map(json!({"a": "1"}));
    release(env, "install", &objects, &[]).ok();
    let refused = release(env, "install", &objects, &[]).ends(1);
    assert!(refused.stderr.contains("is already deployed"), "{refused}");
    // what a process of this machine leaves that is gone
    let read = |path: &str| std::fs::read_to_string(path).expect("it can be read").trim().to_owned();
    let namespace = std::fs::read_link("/proc/self/ns/pid").expect("it can be read");
    let annotations = json!({
        "kubectl-obs.dev/operation": "install", "kubectl-obs.dev/who": "someone", "kubectl-obs.dev/pid": "1",
        "kubectl-obs.dev/host": read("/proc/sys/kernel/hostname"), "kubectl-obs.dev/process-start": "no time",
        "kubectl-obs.dev/boot-id": read("/proc/sys/kernel/random/boot_id"),
        "kubectl-obs.dev/pid-namespace": namespace.display().to_string(),
    });
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "obs.obs", "annotations": annotations},
        "spec": {"holderIdentity": "someone/1/0", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z"}});
    env.apply(&lease.to_string());
    let other = release(env, "install", &map(json!({"a": "2"})), &[]).ends(1);
    assert!(other.stderr.contains("is already deployed"), "{other}");
    let done = release(env, "install", &objects, &[]).ok();
    assert!(done.stderr.contains("unchanged"), "{done}");
    assert_eq!(env.get("lease obs.obs"), None, "what was left is removed");
    assert_eq!(newest(env), (1, "deployed".to_owned()));
}

fn slices_of_a_bundle(env: &Env) {
    let objects = json!({
        "eps": {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "body": {"addressType": "IPv4", "ports": [{"port": 1}], "endpoints": [{"addresses": ["10.2.3.4"]}]}},
        "map": {"apiVersion": "v1", "kind": "ConfigMap", "body": {"data": {"a": "1"}}},
    });
    release(env, "install", &objects, &[]).ok();
    env.obs(["uninstall", "--yes"]).run().ok();
    assert_eq!(env.get("endpointslice obs-objects-eps"), None);
}

/// The deployed revision is what drift is about; a later one that failed half-way has changed things.
fn drift_after_a_failure(env: &Env) {
    let objects = |replicas: u32, text: &str| {
        let mut objects = web(json!({}), json!({"replicas": replicas}));
        objects["map"] = map(json!({"a": text}))["map"].clone();
        objects
    };
    release(env, "install", &objects(0, "1"), &[]).ok();
    let file = env.write("b.yaml", &json!({ "objects": objects(1, "2") }).to_string()).display().to_string();
    let failed =
        env.obs(["upgrade", "-y", "--reset-values", "-f", &file, "--wait=ready", "--timeout=4s"]).run();
    assert_ne!(failed.code, 0, "{failed}");
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(drift.stdout.contains("obs-objects-map"), "{drift}");
    assert!(drift.stderr.contains("revision 2 (failed)") && drift.stderr.contains("rollback 1"), "{drift}");
}

/// Who writes under our manager's name leaves the field in our entry.
fn written_under_our_name(env: &Env) {
    let objects = map(json!({"a": "1"}));
    release(env, "install", &objects, &[]).ok();
    let mut other = env.get(MAP).expect("it is there");
    for key in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        other["metadata"].as_object_mut().expect("a map").remove(key);
    }
    other["data"]["a"] = json!("2");
    env.kubectl([
        "apply",
        "--server-side",
        "--field-manager=kubectl-obs",
        "--force-conflicts",
        "--filename=-",
    ])
    .stdin(other.to_string())
    .run()
    .ok();
    let drift = env.obs(["drift"]).run().ends(1);
    assert!(drift.stdout.contains("obs-objects-map"), "{drift}");
    release(env, "upgrade", &objects, &[]).ok();
    assert_eq!(at(env, MAP, "/data"), json!({"a": "1"}));
    settled(env, &objects);
}

fn without_managed_fields(env: &Env) {
    let objects = web(json!({"env": [{"name": "A", "value": "1"}]}), json!({}));
    release(env, "install", &objects, &[]).ok();
    let wipe = r#"[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#;
    env.kubectl(["patch", "deployment", "obs-objects-web", "--type=json", "--patch", wipe]).run().ok();
    env.kubectl(["set", "image", "deployment/obs-objects-web", "main=registry.example.com/web:2"]).run().ok();
    let refused = release(env, "upgrade", &objects, &[]).ends(1);
    assert!(
        refused.stderr.contains(
            "containers[main].image: ours registry.example.com/web:1, live registry.example.com/web:2"
        ),
        "{refused}"
    );
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, WEB, "/spec/template/spec/containers/0/image"), "registry.example.com/web:1");
    settled(env, &objects);
}

/// Names and ports that are unique keep the server from saying what it would make of a copy.
fn a_node_port_that_people_changed(env: &Env) {
    let objects =
        service(json!({"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 31877}]}));
    release(env, "install", &objects, &[]).ok();
    let port = json!([{"op": "add", "path": "/spec/ports/-", "value": {"name": "more", "port": 81}}]);
    env.kubectl(["patch", "service", "obs-objects-web", "--type=json", "--patch", &port.to_string()])
        .run()
        .ok();
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, SERVICE, "/spec/ports/1"), Value::Null);
    let moved = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]);
    env.kubectl(["patch", "service", "obs-objects-web", "--type=json", "--patch", &moved.to_string()])
        .run()
        .ok();
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, SERVICE, "/spec/ports/0/port"), 80);
    settled(env, &objects);
}

/// A map that we want empty and people filled goes first, then comes back.
fn a_filled_empty_map(env: &Env) {
    let objects = web(json!({"affinity": {}}), json!({}));
    release(env, "install", &objects, &[]).ok();
    patch(
        env,
        WEB,
        &json!({"spec": {"template": {"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}}}}}}),
    );
    release(env, "upgrade", &objects, &["--force-conflicts"]).ok();
    assert_eq!(at(env, WEB, "/spec/template/spec/affinity"), json!({}));
    settled(env, &objects);
}

fn an_immutable_map(env: &Env) {
    let objects = map(json!({"a": "1"}));
    release(env, "install", &objects, &[]).ok();
    patch(env, MAP, &json!({"immutable": true}));
    let refused = release(env, "upgrade", &objects, &["--force-conflicts"]).ends(1);
    assert!(refused.stderr.contains("--recreate ConfigMap/obs-objects-map"), "{refused}");
    release(
        env,
        "upgrade",
        &objects,
        &["--force-conflicts", "--recreate=ConfigMap/obs-objects-map", "--yes"],
    )
    .ok();
    assert_eq!(at(env, MAP, "/immutable"), Value::Null);
    settled(env, &objects);
}
