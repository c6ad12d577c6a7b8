//! Install and uninstall against a real API server: what they make, what they refuse, what they
//! leave.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::env::{Env, eventually};
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("install::a_release_comes_and_goes_without_a_trace", a_release_comes_and_goes),
        trial::api("install::a_second_install_is_refused", a_second_install_is_refused),
        trial::api("install::bad_values_write_nothing", bad_values_write_nothing),
        trial::api("install::foreign_objects_are_refused_before_any_write", foreign_objects_are_refused),
        trial::api("install::too_few_rights_are_listed_before_any_write", too_few_rights_are_listed),
        trial::api("install::dry_runs_write_nothing", dry_runs_write_nothing),
        trial::api("install::a_large_record_is_chunked", a_large_record_is_chunked),
        trial::api("install::generated_secrets_stay_and_come_back", generated_secrets_stay),
        trial::api("install::a_namespace_of_others_stays", a_namespace_of_others_stays),
        trial::api("install::a_second_operator_is_told_who_holds_the_lock", a_second_operator_is_told),
        trial::api("install::a_lost_lock_ends_the_operation", a_lost_lock_ends_the_operation),
        trial::api("install::a_claim_that_binds_at_first_use_is_not_awaited", an_unused_claim_is_not_awaited),
    ]
}

/// Every object with the labels of the test's release, records included, of any listable kind.
pub(crate) fn traces(env: &Env) -> Vec<String> {
    let kinds = env.kubectl(["api-resources", "--verbs=list,delete", "--output=name"]).run().ok().stdout;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let selector = format!("--selector=kubectl-obs.dev/release-namespace={}", env.namespace());
    let args =
        ["get", &kinds.join(","), &selector, "--all-namespaces", "--ignore-not-found", "--output=name"];
    let found = env.kubectl(args).run().ok().stdout;
    let lease = env.kubectl(["get", "leases", "--ignore-not-found", "--output=name"]).run().ok().stdout;
    let namespaces =
        ["get", "namespaces", env.namespace(), &env.node_namespace(), "--ignore-not-found", "--output=name"];
    let namespaces = env.kubectl(namespaces).run().ok().stdout;
    [found, lease, namespaces].concat().lines().map(str::to_owned).collect()
}

fn install(env: &Env, extra: &[&str]) -> crate::support::process::Command {
    let small = fixture("bundles/small");
    env.obs(["install", &small, "--wait=none"]).args(extra.iter().copied())
}

fn a_release_comes_and_goes(env: &Env) {
    let output = install(env, &["--set", "maps=3", "-o", "json"]).run().ok();
    let report = output.json();
    assert_eq!(report["status"], "deployed", "{output}");
    assert_eq!(report["revision"], 1);

    let map = env.get("configmap obs-small-0").expect("the ConfigMap is there");
    let label = |key: &str| map["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(label("app.kubernetes.io/managed-by"), "kubectl-obs");
    assert_eq!(label("app.kubernetes.io/instance"), "obs");
    assert_eq!(label("kubectl-obs.dev/release-namespace"), env.namespace());
    assert_eq!(map["data"]["flag"], "yes", "strings stay strings");
    let managers = map["metadata"]["managedFields"].as_array().expect("managedFields");
    assert!(managers.iter().all(|m| m["manager"] == "kubectl-obs" && m["operation"] == "Apply"), "{map}");

    let record = env.get("secret obs.obs.v1").expect("the record is there");
    assert_eq!(record["type"], "kubectl-obs.dev/release.v1");
    assert_eq!(record["immutable"], true);
    assert_eq!(record["metadata"]["labels"]["kubectl-obs.dev/status"], "deployed");
    assert!(env.get("lease obs.obs").is_none(), "the lock is free");

    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    assert_eq!(list["items"][0]["bundle"], "small 1.0.0");
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    assert_eq!(status["components"][0]["state"], "ready", "{status}");

    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
    let again = env.obs(["uninstall", "-y"]).run();
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stderr.contains("there is no release obs in namespace"), "{again}");
}

fn a_second_install_is_refused(env: &Env) {
    install(env, &[]).run().ok();
    let again = install(env, &[]).run();
    assert_eq!(again.code, 1, "{again}");
    assert!(again.stderr.contains("release obs is already deployed in namespace"), "{again}");
    assert!(again.stderr.contains("hint:"), "{again}");
    assert!(env.get("secret obs.obs.v2").is_none(), "no revision is made");
}

fn bad_values_write_nothing(env: &Env) {
    let values = env.write("values.yaml", "replicas: 1\nreplicaz: 2\n");
    let output = install(env, &["-f", &values.display().to_string(), "--set", "maps=-1"]).run();
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains("replicaz: unknown key, did you mean replicas?"), "{output}");
    assert!(output.stderr.contains("values.yaml:2"), "{output}");
    assert!(output.stderr.contains("--set maps=-1"), "{output}");
    assert_eq!(traces(env), [""; 0]);
}

fn foreign_objects_are_refused(env: &Env) {
    env.make_namespace();
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: obs-small-1}, data: {mine: keep}}");
    let output = install(env, &[]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("obs-small-1 exists already and does not belong to this release"),
        "{output}"
    );
    assert!(env.get("configmap obs-small-0").is_none(), "nothing else was made");
    assert!(env.get("secret obs.obs.v1").is_none(), "no record was made");
    assert!(env.get("lease obs.obs").is_none(), "the lock is free");
    let map = env.get("configmap obs-small-1").expect("it is still there");
    assert_eq!(map["data"]["mine"], "keep");
    assert_eq!(map["metadata"]["labels"], Value::Null, "{map}");
}

fn too_few_rights_are_listed(env: &Env) {
    let output = install(env, &["--as", "jane"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("you may not do everything that is needed"), "{output}");
    for needed in ["kind: ClusterRole", "configmaps", "deployments", "leases", "secrets", "patch"] {
        assert!(output.stderr.contains(needed), "{needed} is missing in {output}");
    }
    assert_eq!(traces(env), [""; 0]);
}

fn dry_runs_write_nothing(env: &Env) {
    for how in ["client", "server"] {
        let output = install(env, &["--dry-run", how, "-o", "json"]).run().ok();
        let report = output.json();
        assert_eq!(report["status"], "planned");
        let created = report["created"].as_array().expect("a list");
        assert!(
            created
                .iter()
                .any(|name| name.as_str() == Some(&format!("ConfigMap {}/obs-small-0", env.namespace()))),
            "{output}"
        );
        assert_eq!(traces(env), [""; 0]);
    }
}

fn a_large_record_is_chunked(env: &Env) {
    // digests do not compress: 300 maps of 10 KB make a record of several chunks
    let bundle = env.write(
        "noise/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: noise, version: 1.0.0, description: large}",
    );
    env.write("noise/values.yaml", "{}\n");
    env.write(
        "noise/templates/maps.yaml",
        "{% for i in range(120) %}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name ~ \"-\" ~ i }}}\n\
         data:\n{% for k in range(300) %}\n  k${{ k }}: ${{ (i ~ \"-\" ~ k) | sha256 }}\n{% endfor %}\n{% endfor %}\n",
    );
    let folder = bundle.parent().expect("a folder").display().to_string();
    env.obs(["install", &folder, "--wait=none"]).run().ok();
    let chunks = env.list("secrets --selector=kubectl-obs.dev/record=chunk");
    assert!(chunks.len() > 1, "{} chunks", chunks.len());
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    assert_eq!(status["components"][0]["name"], "noise");

    // a record that somebody damaged is named, and uninstall still works by labels
    let name = chunks[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    env.kubectl(["delete", "secret", &name]).run().ok();
    let status = env.obs(["status"]).run();
    assert_eq!(status.code, 1, "{status}");
    assert!(status.stderr.contains("record") && status.stderr.contains("is missing"), "{status}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn generated_secrets_stay(env: &Env) {
    let password = |env: &Env| {
        env.get("secret obs-small-admin")
            .map(|s| s["data"]["password"].as_str().unwrap_or_default().to_owned())
    };
    install(env, &[]).run().ok();
    let first = password(env).expect("the secret is there");
    assert!(first.len() >= 24, "a value was made");
    let record = env.get("secret obs.obs.v1").expect("the record is there");
    assert!(!record.to_string().contains(&first), "a generated value is in no record");

    let output = env.obs(["uninstall", "-y"]).run().ok();
    assert!(output.stderr.contains("obs-small-admin"), "what stays is named: {output}");
    assert_eq!(password(env).as_ref(), Some(&first), "it lives as long as its volume");
    install(env, &[]).run().ok();
    assert_eq!(password(env).as_ref(), Some(&first), "the next install takes it over");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    assert_eq!(password(env), None);
}

fn a_namespace_of_others_stays(env: &Env) {
    env.make_namespace();
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}}");
    install(env, &[]).run().ok();
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    assert!(env.get("configmap theirs").is_some());
    assert!(env.get("configmap obs-small-0").is_none());
    assert_eq!(traces(env), [format!("namespace/{}", env.namespace())]);
}

/// Does something while somebody else works on the release; afterwards their Lease is there and expires.
pub(crate) fn while_alice_works<T>(env: &Env, operation: &str, work: impl FnOnce() -> T) -> T {
    env.apply(&format!(
        "{{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {{name: obs.obs, annotations: {{\
         kubectl-obs.dev/operation: {operation}, kubectl-obs.dev/holder: alice@build-7}}}}, \
         spec: {{holderIdentity: 'alice@build-7/4121', leaseDurationSeconds: 15}}}}",
    ));
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let renewed = |i: u32| format!(r#"{{"spec":{{"leaseTransitions":{i}}}}}"#);
            for i in 0.. {
                env.kubectl(["patch", "lease", "obs.obs", "--type=merge", "--patch", &renewed(i)]).run().ok();
                if stopped.recv_timeout(Duration::from_secs(2)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let done = work();
        drop(stop);
        done
    })
}

fn a_second_operator_is_told(env: &Env) {
    env.make_namespace();
    let output = while_alice_works(env, "install", || install(env, &[]).run()).ends(1);
    assert!(output.stderr.contains("release obs is being installed by alice@build-7"), "{output}");
    assert!(output.stderr.contains("--lock-timeout"), "{output}");
    assert!(env.get("configmap obs-small-0").is_none(), "nothing was made");
    // its holder renews it no more: after 15 s it is taken over
    install(env, &["--lock-timeout", "40s"]).run().ok();
    assert!(env.get("configmap obs-small-0").is_some());
}

fn a_lost_lock_ends_the_operation(env: &Env) {
    let small = fixture("bundles/small");
    // a pod that no node takes: the operation waits, holding the lock
    let mut running = env.obs(["install", &small, "--set", "replicas=1", "--timeout=2m"]).start();
    running.says("applied");
    let status = env.obs(["status"]).run().ok();
    assert!(status.stdout.contains("\n  installed by "), "who is at it\n{status}");
    env.kubectl(["delete", "lease", "obs.obs"]).run().ok();
    let output = running.wait();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("the lock of release obs is lost"), "{output}");
    assert!(output.took < Duration::from_secs(60), "{output}");
    let status = env.obs(["status"]).run().ok();
    let goes_on =
        "\n  the install was interrupted: the same command (kubectl obs install) goes on from there\n";
    assert!(status.stdout.contains(goes_on), "{status}");
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    assert_eq!((&status["interrupted"], &status["holder"]), (&true.into(), &Value::Null));
    // it could not write down its end any more: the next operation does
    let again = env.obs(["install", &small, "--wait=none"]).run().ok();
    assert!(again.stderr.contains("was interrupted"), "{again}");
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    assert_eq!(list["items"][0]["status"], "deployed", "{list}");
}

fn an_unused_claim_is_not_awaited(env: &Env) {
    env.write(
        "claim/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: claim, version: 1.0.0, description: a volume}",
    );
    env.write("claim/values.yaml", "{}\n");
    env.write(
        "claim/templates/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec:\n  accessModes: [ReadWriteOnce]\n  \
         resources: {requests: {storage: 1Mi}}\n",
    );
    let folder = env.home().join("claim").display().to_string();
    env.obs(["install", &folder, "--wait=ready", "--timeout=20s"]).run().ok();
    let claim = env.get("persistentvolumeclaim data").expect("the claim is there");
    assert_eq!(claim["status"]["phase"], "Pending", "nobody uses it");
}
