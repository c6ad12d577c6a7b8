//! Taking over what kubectl and Helm made, and leaving to controllers what is theirs, with the
//! binary from end to end.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::upgrade::{newest, upgrade};
use crate::support::cluster::has_helm;
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("adoption::what_kubectl_applied_becomes_ours", what_kubectl_applied),
        trial::api("adoption::an_upgrade_adopts_too", an_upgrade_adopts_too),
        trial::api("adoption::a_helm_release_gives_its_objects", a_helm_release)
            .with_ignored_flag(!has_helm()),
        trial::api("adoption::what_a_controller_owns_is_not_taken", a_controller_owns),
        trial::api("adoption::replicas_of_an_autoscaler_are_left_alone", replicas_are_left_alone),
    ]
}

/// A bundle with the ConfigMap `shared` and the Deployment `web`.
fn bundle(env: &Env) -> String {
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {ours: ${{ values.text }} }\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n";
    env.bundle("take", "1.0.0", "", &[("values.yaml", "text: x\n"), ("templates/all.yaml", objects)])
}

fn apply_by_kubectl(env: &Env, name: &str, server_side: bool) {
    let map = format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, labels: {{theirs: yes!}}}}, data: {{ours: theirs, old: theirs}}}}"
    )
    .replace("yes!", "\"1\"");
    let side: &[&str] = if server_side { &["--server-side"] } else { &[] };
    env.kubectl(["apply", "--filename=-"]).args(side.iter().copied()).stdin(map).run().ok();
}

fn what_kubectl_applied(env: &Env) {
    env.make_namespace();
    apply_by_kubectl(env, "shared", false);
    apply_by_kubectl(env, "plain", true);
    let bundle = bundle(env);
    let refused = env.obs(["install", &bundle, "--wait=none"]).run().ends(1);
    assert!(refused.stderr.contains("--adopt"), "{refused}");
    let asked = env.obs(["install", &bundle, "--wait=none", "--adopt"]).run().ends(2);
    assert!(asked.stderr.contains("pass -y") && asked.stderr.contains("shared"), "{asked}");
    let report =
        env.obs(["install", &bundle, "--wait=none", "--adopt", "-y", "-o", "json"]).run().ok().json();
    assert_eq!(report["adopted"].as_array().map(Vec::len), Some(2), "{report}");
    let shared = env.get("configmap shared").expect("it is there");
    assert_eq!(shared["data"], json!({"ours": "x"}), "what the bundle does not want is gone");
    assert!(shared["metadata"]["labels"].get("theirs").is_none(), "{shared:#}");
    assert!(
        shared["metadata"]
            .get("annotations")
            .is_none_or(|all| all.get("kubectl.kubernetes.io/last-applied-configuration").is_none())
    );
    assert_eq!(env.get("configmap plain").expect("it is there")["data"], json!({"a": "b"}));
    let unchanged = upgrade(env, &["-o", "json"]).run().ok().json();
    assert_eq!(unchanged["status"], "unchanged", "{unchanged}");
    env.obs(["drift"]).run().ok();
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.get("configmap shared").is_none(), "it is the release's, with all that means");
}

fn an_upgrade_adopts_too(env: &Env) {
    let first = env.bundle(
        "take",
        "0.9.0",
        "",
        &[("templates/one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n")],
    );
    env.obs(["install", &first, "--wait=none"]).run().ok();
    apply_by_kubectl(env, "shared", false);
    let bundle = bundle(env);
    let refused = upgrade(env, &[&bundle]).run().ends(1);
    assert!(refused.stderr.contains("shared") && refused.stderr.contains("--adopt"), "{refused}");
    upgrade(env, &[&bundle, "--adopt", "-y"]).run().ok();
    assert_eq!(env.get("configmap shared").expect("it is there")["data"], json!({"ours": "x"}));
    // a revision from before it was ours removes it again
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    assert!(env.get("configmap shared").is_none());
}

const CHART: &str = "{{- range $name := .Values.names }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $name }}}
data: {ours: helm, theirs: x}
{{- end }}
";

fn a_helm_release(env: &Env) {
    env.make_namespace();
    env.write("chart/templates/maps.yaml", CHART);
    env.write("chart/values.yaml", "{names: [shared, plain, other]}");
    let file = env.write("chart/Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}");
    let chart = file.parent().expect("a folder").display().to_string();
    env.helm(["install", "monitoring", &chart]).run().ok();
    let bundle = bundle(env);
    let refused = env.obs(["install", &bundle, "--wait=none"]).run().ends(1);
    assert!(refused.stderr.contains("helm") && refused.stderr.contains("--adopt"), "{refused}");
    let said = env.obs(["install", &bundle, "--wait=none", "--adopt", "-y"]).run().ok();
    let ns = env.namespace();
    for part in [
        format!("Helm release monitoring in namespace {ns}"),
        format!("ConfigMap {ns}/other"),
        format!("kubectl delete secrets -n {ns} -l owner=helm,name=monitoring"),
    ] {
        assert!(said.stderr.contains(&part), "{part} is missing in {said}");
    }
    assert_eq!(env.get("configmap shared").expect("it is there")["data"], json!({"ours": "x"}));
    // the safe way that the text names leaves everything where it is, so check the unsafe one
    let removed = env.helm(["uninstall", "monitoring"]).run().ok();
    for name in ["shared", "plain"] {
        assert!(env.get(&format!("configmap {name}")).is_some(), "helm uninstall took {name}: {removed}");
    }
    assert!(env.get("configmap other").is_none(), "what stayed Helm's went with it: {removed}");
    let unchanged = upgrade(env, &["-o", "json"]).run().ok().json();
    assert_eq!(unchanged["status"], "unchanged", "{unchanged}");
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.get("configmap shared").is_none());
}

fn a_controller_owns(env: &Env) {
    let bundle = bundle(env);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let theirs = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shared}, data: {ours: argo}}";
    env.kubectl(["apply", "--server-side", "--field-manager=argocd", "--force-conflicts", "--filename=-"])
        .stdin(theirs)
        .run()
        .ok();
    for extra in [&[][..], &["--force-conflicts"], &["--force-conflicts", "--adopt", "-y"]] {
        let refused = upgrade(env, extra).run().ends(1);
        for part in ["data.ours: ours x, live argo, set by argocd", "change the controller"] {
            assert!(refused.stderr.contains(part), "{part} is missing in {refused}");
        }
    }
    assert_eq!(newest(env), (1, "deployed".into()));
    assert_eq!(env.get("configmap shared").expect("it is there")["data"]["ours"], "argo");
    // the other way: the values say what the controller wants
    upgrade(env, &["--set", "text=argo"]).run().ok();
}

fn replicas_are_left_alone(env: &Env) {
    let small = fixture("bundles/small");
    env.obs(["install", &small, "--wait=none", "--set", "maps=1,replicas=1"]).run().ok();
    let target = r#"{"apiVersion":"apps/v1","kind":"Deployment","name":"obs-small"}"#;
    env.apply(&format!(
        "{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h}}, \
         spec: {{minReplicas: 2, maxReplicas: 9, scaleTargetRef: {target}}}}}"
    ));
    let replicas = || env.get("deployment obs-small").expect("it is there")["spec"]["replicas"].clone();
    // what an autoscaler does
    let scale = |n: u32| {
        let patch = json!({"spec": {"replicas": n}}).to_string();
        env.kubectl([
            "patch",
            "deployment",
            "obs-small",
            "--subresource=scale",
            "--type=merge",
            "--field-manager=kube-controller-manager",
        ])
        .args(["--patch", &patch])
        .run()
        .ok();
    };
    scale(5);
    let report: Value = upgrade(env, &["--set", "maps=2", "-o", "json"]).run().ok().json();
    assert_eq!(report["created"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(replicas(), 5);
    upgrade(env, &["--set", "replicas=3,image=docker.io/library/busybox:1.37"]).run().ok();
    assert_eq!(replicas(), 5, "also when the Deployment itself changes");
    scale(4);
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    assert_eq!(replicas(), 4);
}
