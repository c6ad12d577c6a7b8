//! What stands in the way is said before anything is written.

use std::time::Duration;

use libtest_mimic::Trial;

use super::install::traces;
use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("preflight::an_unknown_storage_class_is_named", unknown_storage_class),
        trial::api("preflight::a_namespace_that_forbids_node_level_pods_is_named", forbidding_namespace),
        trial::api("preflight::a_bundle_for_another_kubernetes_is_refused", another_kubernetes),
        trial::api("preflight::objects_that_the_server_would_refuse_are_named", refused_objects),
        trial::api("preflight::a_namespace_that_is_going_away_is_named", going_away),
        trial::api("preflight::a_secret_that_values_name_is_there_with_its_keys", named_secrets),
    ]
}

/// Writes a bundle with one template and gives its folder.
fn bundle(env: &Env, meta: &str, template: &str) -> String {
    let path = env.write(
        "b/bundle.yaml",
        &format!("{{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: b, version: 1.0.0, description: a test{meta}}}\n"),
    );
    env.write("b/values.yaml", "{}\n");
    env.write("b/templates/objects.yaml", template);
    path.parent().expect("a folder").display().to_string()
}

/// Nothing is left: a namespace that was made for the checks goes again.
fn nothing_left(env: &Env) {
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn unknown_storage_class(env: &Env) {
    let output = env.obs(["install", "--set", "global.storageClass=nope", "--wait=none"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("storage class \"nope\", which does not exist"), "{output}");
    assert!(output.stderr.contains("hint: set global.storageClass to one of:"), "{output}");
    nothing_left(env);
}

fn forbidding_namespace(env: &Env) {
    env.apply(&format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}}}",
        env.node_namespace()
    ));
    let output = env.obs(["install", "--wait=none"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("enforces PodSecurity level restricted, but node-exporter needs privileged"),
        "{output}"
    );
    assert!(output.stderr.contains("kubectl label namespace"), "{output}");
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left == [format!("namespace/{}", env.node_namespace())] => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn another_kubernetes(env: &Env) {
    let folder = bundle(env, ", kubeVersion: '>=9.0'", "");
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains(">=9.0") && output.stderr.contains("1."), "{output}");
    assert_eq!(traces(env), [""; 0]);
}

fn refused_objects(env: &Env) {
    let folder = bundle(
        env,
        "",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'not a key': x}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 99999}]}\n---\n\
         apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: c}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n",
    );
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("3 things stand in the way; nothing was changed"), "{output}");
    for message in
        ["\"not a key\" is not a valid key", "99999", "the cluster does not know example.com/v1 Gadget"]
    {
        assert!(output.stderr.contains(message), "{message} is missing in {output}");
    }
    nothing_left(env);
}

fn going_away(env: &Env) {
    env.apply(&format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {}}}, spec: {{finalizers: [kubernetes]}}}}",
        env.namespace()
    ));
    // somebody's finalizer holds an object, and that the namespace
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/hold]}}");
    env.kubectl(["delete", "namespace", env.namespace(), "--wait=false"]).run().ok();
    let folder = bundle(env, "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("held waits for its finalizer example.com/hold"), "{output}");
    assert!(output.stderr.contains("wait until it is gone: kubectl wait"), "{output}");
    env.kubectl([
        "patch",
        "configmap",
        "held",
        "--type=merge",
        "--patch",
        r#"{"metadata":{"finalizers":null}}"#,
    ])
    .run()
    .ok();
}

fn named_secrets(env: &Env) {
    let namespace = env.namespace();
    let values = env.write(
        "values.yaml",
        "alertmanager: {receivers: [{name: chat, slack: [{secret: {name: alerting, key: slack-url}}]}]}\n",
    );
    let values = values.display().to_string();
    let install = |more: &'static [&'static str]| {
        env.obs(["install", "--wait=none", "-f", &values].into_iter().chain(more.iter().copied())).run()
    };
    let absent = install(&[]);
    assert_eq!(absent.code, 1, "{absent}");
    for part in [
        format!("✘ secret {namespace}/alerting does not exist"),
        format!("needed by StatefulSet {namespace}/"),
        "named by alertmanager.receivers[0].slack[0].secret.name".to_owned(),
        format!(
            "hint: kubectl create namespace {namespace}, then kubectl create secret generic alerting -n {namespace} --from-file=slack-url"
        ),
    ] {
        assert!(absent.stderr.contains(&part), "{part}: {absent}");
    }
    nothing_left(env);
    env.kubectl(["create", "namespace", namespace]).run().ok();
    env.kubectl(["create", "secret", "generic", "alerting", "--from-literal=slack=x"]).run().ok();
    let other = install(&[]);
    assert_eq!(other.code, 1, "{other}");
    assert!(other.stderr.contains(&format!("secret {namespace}/alerting has no key slack-url")), "{other}");
    assert!(other.stderr.contains("hint: add what is missing, or name another; it has: slack"), "{other}");
    env.kubectl(["patch", "secret", "alerting", "-p", r#"{"stringData":{"slack-url":"https://x.example"}}"#])
        .run()
        .ok();
    install(&["--dry-run=server"]).ok();
}
