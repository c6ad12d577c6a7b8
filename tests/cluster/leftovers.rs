//! What a namespace leaves behind when somebody deletes it, and what keeps it from going.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("leftovers::what_holds_a_namespace_is_named_at_once", what_holds_a_namespace),
        trial::api("leftovers::a_deleted_namespace_leaves_nothing_elsewhere", a_deleted_namespace),
        trial::api("leftovers::a_killed_uninstall_of_them_is_continued", a_killed_uninstall),
    ]
}

fn what_holds_a_namespace(env: &Env) {
    env.make_namespace();
    let held = "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/hold]}}";
    env.apply(held);
    env.kubectl(["delete", "namespace", env.namespace(), "--wait=false"]).run().ok();
    let said = format!(
        "namespace {0} is being deleted (ConfigMap {0}/held waits for its finalizer example.com/hold)",
        env.namespace()
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\n";
    let bundle = env.bundle("map", "1.0.0", "", &[("templates/map.yaml", map)]);
    let install = ["install", &bundle, "--wait=none"];
    let refused = env.obs(install).run().ends(1).says(&said);
    assert!(refused.took < Duration::from_secs(15), "{refused}");
    env.obs(install).arg("--dry-run=client").run().ends(1).says(&said);
    env.obs(["uninstall", "-y"]).run().ends(1).says(&said);
    let patch = json!({"metadata": {"finalizers": null}}).to_string();
    env.kubectl(["patch", "configmap", "held", "--type=merge", "--patch", &patch]).run().ok();
    // one that goes by itself is waited for
    env.obs(install).run().ok();
}

/// Deletes the release's namespace, as somebody would by mistake.
fn lose_the_namespace(env: &Env) {
    env.obs(["install", "--wait=none"]).run().ok();
    assert!(!ours(env, "clusterroles").is_empty() && env.get(&node_namespace(env)).is_some());
    env.kubectl(["delete", "namespace", env.namespace()]).run().ok();
}

fn ours(env: &Env, kind: &str) -> Vec<serde_json::Value> {
    env.list(&format!("{kind} --selector=kubectl-obs.dev/release-namespace={}", env.namespace()))
}

fn node_namespace(env: &Env) -> String {
    format!("namespace {}", env.node_namespace())
}

fn nothing_is_left(env: &Env) {
    for kind in ["clusterroles", "clusterrolebindings", "namespaces"] {
        assert!(ours(env, kind).is_empty(), "{:?}", ours(env, kind));
    }
    assert!(env.get(&node_namespace(env)).is_none());
    assert!(env.get(&format!("namespace {}", env.namespace())).is_none());
    env.obs(["uninstall", "-y"]).run().ends(1).says("there is no release obs in namespace");
}

fn a_deleted_namespace(env: &Env) {
    let _alone = env.alone_with_the_node();
    lose_the_namespace(env);
    let planned = env.obs(["uninstall", "--dry-run=client"]).run().ok();
    assert!(planned.stdout.contains(&format!("- Namespace {}\n", env.node_namespace())), "{planned}");
    assert!(env.get(&format!("namespace {}", env.namespace())).is_none(), "a dry-run makes none");
    let gone = env.obs(["uninstall", "-y"]).run().ok();
    for part in [
        format!("namespace {} is gone, and the release's records with it", env.namespace()),
        "release obs is uninstalled".to_owned(),
    ] {
        assert!(gone.stderr.contains(&part), "{part} is missing\n{gone}");
    }
    assert!(!gone.stderr.contains("these stay"), "{gone}");
    nothing_is_left(env);
}

fn a_killed_uninstall(env: &Env) {
    let _alone = env.alone_with_the_node();
    lose_the_namespace(env);
    let finalizer = json!({"metadata": {"finalizers": ["example.com/hold"]}}).to_string();
    let role = ours(env, "clusterroles")[0]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    env.kubectl(["patch", "clusterrole", &role, "--type=merge", "--patch", &finalizer]).run().ok();
    env.obs(["uninstall", "-y"]).kill_after(Duration::from_secs(4));
    assert!(env.get(&format!("namespace {}", env.namespace())).is_some(), "the place of the lock is there");
    let free = json!({"metadata": {"finalizers": null}}).to_string();
    env.kubectl(["patch", "clusterrole", &role, "--type=merge", "--patch", &free]).run().ok();
    env.obs(["uninstall", "-y"]).run().ok();
    eventually(Duration::from_secs(30), || match env.get(&format!("namespace {}", env.namespace())) {
        None => Ok(()),
        Some(_) => Err("the namespace is still there".into()),
    });
    nothing_is_left(env);
}
