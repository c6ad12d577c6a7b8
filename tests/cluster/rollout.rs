//! Components one by one: waited for, restarted, and when they changed.

use libtest_mimic::Trial;
use serde_json::Value;

use super::install::while_alice_works;
use super::logs::install;
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("rollout::a_restart_is_no_difference", a_restart),
        trial::node("rollout::what_is_not_ready_is_explained", not_ready),
        trial::api("rollout::a_restart_does_not_come_between", not_between),
        trial::api("rollout::history_is_where_a_component_changed", history),
    ]
}

/// The uid of the pod that is not about to go.
fn pod(env: &Env) -> Value {
    let mut pods = env.list("pods");
    pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    pods[0]["metadata"]["uid"].clone()
}

fn a_restart(env: &Env) {
    let folder = install(env, 1, 10);
    let before = pod(env);
    let status = env.obs(["rollout", "status", "lines", "-o", "json"]).run().ok().json();
    assert_eq!(status["kind"], "RolloutStatus");
    assert_eq!(status["components"][0]["ready"], "1/1", "{status}");
    let output = env.obs(["rollout", "restart", "lines", "--timeout=2m"]).run().ok();
    assert!(output.stderr.contains("1 workload restarted, lines is ready"), "{output}");
    assert_ne!(pod(env), before, "it is another pod");
    // neither drift nor an upgrade sees it, or takes it back
    let deployment = || env.get("deployment obs-lines").expect("it is there")["spec"]["template"].clone();
    let template = deployment();
    env.obs(["drift"]).run().ok();
    env.obs(["upgrade", &folder]).run().ok().says("is unchanged (revision 1");
    env.obs(["upgrade", &folder, "--set", "limit=11", "--timeout=2m"]).run().ok();
    let at = "/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert!(template.pointer(at).is_some());
    assert_eq!(deployment().pointer(at), template.pointer(at));
}

/// Of what somebody else does with the release.
fn not_between(env: &Env) {
    env.obs(["install", &fixture("bundles/small"), "--set", "replicas=1", "--wait=none"]).run().ok();
    let refused =
        while_alice_works(env, "upgrade", || env.obs(["rollout", "restart", "--timeout=60s"]).run());
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("release obs is being upgraded by alice@build-7"), "{refused}");
    let workloads = env.list("deployments,statefulsets,daemonsets");
    assert!(!workloads.is_empty());
    let restarted = workloads.iter().filter(|workload| workload.to_string().contains("restartedAt")).count();
    assert_eq!(restarted, 0, "nothing was restarted");
}

fn not_ready(env: &Env) {
    install(env, 1, 10);
    let image =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"busybox:no such tag"}]}}}}"#;
    env.kubectl(["patch", "deployment", "obs-lines", "--patch", image]).run().ok();
    let failed = env.obs(["rollout", "status", "--timeout=2m"]).run().ends(1);
    assert!(
        failed.stderr.contains("lines is not ready: ") && failed.stderr.contains("no such tag"),
        "{failed}"
    );
    env.obs(["rollout", "status", "line"]).run().ends(2).says("did you mean lines?");
    env.kubectl(["delete", "deployment", "obs-lines"]).run().ok();
    env.obs(["rollout", "status", "--timeout=2s"]).run().ends(7);
    env.obs(["rollout", "restart"]).run().ends(1).says("cannot be restarted: it is missing");
}

fn history(env: &Env) {
    env.obs(["rollout", "history"]).run().ends(1).says("there is no release obs");
    let folder = install(env, 0, 1);
    let upgrade = |set: &str| env.obs(["upgrade", &folder, "--wait=none", "--set", set]).run().ok();
    upgrade("limit=2");
    upgrade("text=b");
    let output = env.obs(["rollout", "history", "lines", "-o", "json"]).run().ok().json();
    let items = output["items"].as_array().expect("items");
    let revisions: Vec<_> = items.iter().filter_map(|item| item["revision"].as_u64()).collect();
    assert_eq!(revisions, [3, 2, 1], "{output}");
    assert_eq!(items[0]["changed"][0]["name"], "obs-lines", "{output}");
    let table = env.obs(["rollout", "history"]).run().ok();
    assert!(table.stdout.starts_with("REVISION") && table.stdout.contains("1 changed"), "{table}");
    env.obs(["rollout", "history", "other"]).run().ends(2).says("there are: lines");
}
