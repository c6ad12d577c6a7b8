//! What admission does to a release: policies and quotas that refuse an object, webhooks that rewrite
//! one or do not answer.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::env::{Env, eventually};
use crate::support::trial;
use crate::support::webhook;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("admission::a_policy_that_denies_one_of_twelve_leaves_nothing", one_of_twelve),
        trial::api("admission::a_webhook_that_rewrites_a_field_settles_and_is_named", rewritten),
        trial::api("admission::a_quota_is_told_as_a_quota", quota),
        trial::api("admission::a_webhook_that_does_not_answer_is_named_at_the_deadline", hangs),
    ]
}

/// A bundle of twelve ConfigMaps, whose text is a value.
fn twelve(env: &Env) -> String {
    let map = |i| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${{{{ name ~ \"-{i}\" }}}}\ndata:\n  mode: ${{{{ \
             values.mode }}}}\n"
        )
    };
    let maps: String = (0..12).map(map).collect();
    env.bundle("maps", "1.0.0", "", &[("values.yaml", "mode: plain\n"), ("templates/maps.yaml", &maps)])
}

fn maps(env: &Env) -> Vec<Value> {
    env.list("configmaps --selector=kubectl-obs.dev/release=obs")
}

/// Waits until the API server goes by a policy or webhook: until it refuses what is asked of it.
fn in_force(env: &Env, object: &str) {
    let create = ["create", "--dry-run=server", "--filename=-", "--namespace", env.namespace()];
    eventually(Duration::from_secs(30), || match env.kubectl(create).stdin(object.to_owned()).run().code {
        0 => Err("it is not refused yet".to_owned()),
        _ => Ok(()),
    });
}

fn one_of_twelve(env: &Env) {
    let bundle = twelve(env);
    env.make_namespace();
    env.apply(
        &"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAMESPACE}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
  validations:
    - expression: \"!object.metadata.name.endsWith('-7') || object.data.mode == 'plain'\"
      message: seven stays plain
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAMESPACE}
spec: {policyName: NAMESPACE, validationActions: [Deny]}
"
        .replace("NAMESPACE", env.namespace()),
    );
    in_force(env, "{apiVersion: v1, kind: ConfigMap, metadata: {name: x-7}, data: {mode: other}}");
    let refused = |args: &[&str]| {
        env.obs(args.iter().copied())
            .run()
            .ends(1)
            .says("-7 is refused by ValidatingAdmissionPolicy")
            .says(": seven stays plain");
    };
    refused(&["install", &bundle, "--wait=none", "--set", "mode=loud"]);
    assert_eq!(maps(env), [Value::Null; 0], "a plan that is refused leaves nothing behind");
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    refused(&["upgrade", "-y", "--wait=none", "--set", "mode=loud"]);
    let modes: Vec<Value> = maps(env).iter().map(|map| map["data"]["mode"].clone()).collect();
    assert_eq!(modes, vec![json!("plain"); 12], "a plan that is refused changes nothing");
    env.kubectl(["delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", env.namespace()])
        .run()
        .ok();
}

/// Makes a webhook for the ConfigMaps of the namespace.
fn hook(env: &Env, kind: &str, client: &str, seconds: u32) {
    env.apply(&format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}WebhookConfiguration
metadata: {{name: {0}}}
webhooks:
  - name: maps.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: {seconds}
    clientConfig: {client}
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {0}}}}}
    rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
",
        env.namespace()
    ));
}

fn rewritten(env: &Env) {
    let bundle = twelve(env);
    env.make_namespace();
    let webhook = webhook::patches(|object| {
        let rewrites = object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with("-7"));
        let quiet = json!([{"op": "replace", "path": "/data/mode", "value": "quiet"}]);
        if rewrites && object["data"]["mode"].is_string() { quiet } else { json!([]) }
    });
    hook(env, "Mutating", &webhook.client_config(), 5);
    eventually(Duration::from_secs(30), || {
        env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: x-7}, data: {mode: loud}}");
        match &env.get("configmap x-7").expect("it was applied")["data"]["mode"] {
            mode if mode == "quiet" => Ok(()),
            mode => Err(mode.to_string()),
        }
    });
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let modes = || {
        let mut modes: Vec<String> =
            maps(env).iter().map(|map| map["data"]["mode"].as_str().unwrap_or_default().to_owned()).collect();
        modes.sort();
        modes.dedup();
        modes
    };
    assert_eq!(modes(), ["plain", "quiet"]);
    let again = env.obs(["upgrade", "-y", "--wait=none", "-o", "json"]).run().ok().json();
    assert_eq!(again["status"], "unchanged", "{again}");
    env.obs(["upgrade", "-y", "--wait=none", "--set", "mode=loud"]).run().ok();
    assert_eq!(modes(), ["loud", "quiet"]);
    let again = env.obs(["upgrade", "-y", "--wait=none", "-o", "json"]).run().ok().json();
    assert_eq!(again["status"], "unchanged", "{again}");
    let drift = env.obs(["drift"]).run().ok();
    let said = "-maps-7: data.mode stays otherwise after each apply: webhook maps.example.com may change it";
    assert!(drift.stderr.contains(said), "{drift}");
    let found = env.obs(["drift", "-o", "json"]).run().ok().json();
    assert_eq!(found["rewritten"][0]["fields"][0]["live"], "quiet", "{found}");
    assert_eq!(found["objects"], json!([]), "{found}");
    env.kubectl(["delete", "mutatingwebhookconfiguration", env.namespace()]).run().ok();
    // nothing rewrites it any more
    eventually(Duration::from_secs(30), || {
        env.obs(["upgrade", "-y", "--wait=none"]).run().ok();
        match modes() {
            modes if modes == ["loud"] => Ok(()),
            modes => Err(format!("{modes:?}")),
        }
    });
}

fn quota(env: &Env) {
    let bundle = twelve(env);
    env.make_namespace();
    // there is one ConfigMap in each namespace: the CA of the API server
    env.apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {count/configmaps: '1'}}}",
    );
    in_force(env, "{apiVersion: v1, kind: ConfigMap, metadata: {name: one-more}}");
    let refused = env.obs(["install", &bundle, "--wait=none"]).run().ends(1).says("exceeds the quota few");
    refused.says(&format!(
        "hint: ask for a larger quota, or make room in it; what it allows: kubectl describe quota few -n {}",
        env.namespace()
    ));
    let refused = env.obs(["install", &bundle, "--wait=none"]).run();
    assert!(!refused.stderr.contains("rights"), "{refused}");
}

fn hangs(env: &Env) {
    let bundle = twelve(env);
    env.make_namespace();
    // it takes the connection and says nothing
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = format!("{{url: 'https://{}/'}}", silent.local_addr().expect("it is bound"));
    hook(env, "Validating", &client, 30);
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}";
    let create = ["create", "--dry-run=server", "--request-timeout=3s", "--filename=-", "--namespace"];
    eventually(Duration::from_secs(30), || {
        match env.kubectl(create).arg(env.namespace()).stdin(object.to_owned()).run().code {
            0 => Err("it is not asked yet".to_owned()),
            _ => Ok(()),
        }
    });
    let late = env.obs(["install", &bundle, "--wait=none", "--timeout=8s"]).run();
    let late = late
        .ends(7)
        .says("the API server has not answered for")
        .says("hint: it may wait for webhook maps.example.com");
    assert!(late.took < Duration::from_secs(20), "{late}");
    env.kubectl(["delete", "validatingwebhookconfiguration", env.namespace()]).run().ok();
}
