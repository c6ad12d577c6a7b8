//! Whoever may write Secrets in the release's namespace may write its records. What records lead to
//! beyond the namespace is shown, and asked about.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::records::{change, payload, put, unzip, zip};
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("trust::a_forged_bundle_source_is_asked_about", forged_source),
        trial::api("trust::forged_values_do_not_lead_beyond_the_namespace_unasked", forged_values),
        trial::api("trust::a_forged_revision_is_shown_before_it_is_returned_to", forged_revision),
        trial::api("trust::a_namespace_of_others_is_named_before_node_level_pods_go_into_it", used_namespace),
    ]
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n";

/// The rights of a cluster administrator, for who writes records.
fn grant(env: &Env) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {0}}}\nroleRef: {{apiGroup: \
         rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}\nsubjects: [{{kind: ServiceAccount, name: \
         mallory, namespace: {0}}}]\n",
        env.namespace()
    )
}

fn forge(env: &Env, forge: impl FnOnce(&mut Value)) {
    change(env, "obs.obs.v1", |secret| {
        let mut record = unzip(&payload(secret));
        forge(&mut record);
        put(secret, &zip(&record));
    });
}

fn nothing_is_granted(env: &Env) {
    assert!(env.get(&format!("clusterrolebinding {}", env.namespace())).is_none());
}

fn forged_source(env: &Env) {
    let good = env.bundle("maps", "1.0.0", "", &[("templates/map.yaml", MAP)]);
    let evil = env.bundle_in(
        "evil",
        "maps",
        "1.0.0",
        "",
        &[("templates/grant.yaml", &grant(env)), ("templates/map.yaml", MAP)],
    );
    env.obs(["install", &good, "--wait=none"]).run().ok();
    // as it was installed there is nothing to ask about
    env.obs(["upgrade", "--wait=none"]).run().ok();
    forge(env, |record| record["bundle"]["source"] = json!(evil));
    let refused = env.obs(["upgrade", "--wait=none"]).run().ends(2).says("needs confirmation");
    refused
        .says(&format!("bundle, as recorded: {evil} (sha256:"))
        .says(&format!("beyond the namespace: ClusterRoleBinding {} is made", env.namespace()));
    nothing_is_granted(env);
    let planned = env.obs(["diff"]).run().ends(1);
    assert!(planned.stdout.contains("beyond the namespace: ClusterRoleBinding"), "{planned}");
    // the bundle that a person names is theirs to trust
    env.obs(["upgrade", &good, "--wait=none"]).run().ok();
    nothing_is_granted(env);
}

fn forged_values(env: &Env) {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: ${{ release.namespace }}\nrules:\n- \
                apiGroups: ['']\n  resources:\n  - ${{ values.reads }}\n  verbs: [get]\n";
    let files =
        [("values.yaml", "reads: pods\n"), ("templates/role.yaml", role), ("templates/map.yaml", MAP)];
    let bundle = env.bundle("maps", "1.0.0", "", &files);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    forge(env, |record| record["values"] = json!({"reads": "*"}));
    let beyond = format!("beyond the namespace: ClusterRole {} grants other rights", env.namespace());
    env.obs(["upgrade", &bundle, "--wait=none"]).run().ends(2).says(&beyond);
    let reads = || {
        env.get(&format!("clusterrole {}", env.namespace())).expect("it is there")["rules"][0]["resources"][0]
            .clone()
    };
    assert_eq!(reads(), "pods");
    // what the command line says alone is not asked about
    env.obs(["upgrade", &bundle, "--reset-values", "--set", "reads=nodes", "--wait=none"]).run().ok();
    assert_eq!(reads(), "nodes");
}

fn forged_revision(env: &Env) {
    let good = env.bundle("maps", "1.0.0", "", &[("templates/map.yaml", MAP)]);
    env.obs(["install", &good, "--wait=none"]).run().ok();
    env.obs(["upgrade", &good, "--wait=none", "--set", "global.labels.a=b"]).run();
    let binding = kubectl_obs::yaml::parse_documents(&grant(env)).expect("YAML").remove(0);
    forge(env, |record| record["objects"].as_array_mut().expect("objects").push(binding));
    let beyond = format!("beyond the namespace: ClusterRoleBinding {} is made", env.namespace());
    env.obs(["rollback", "1", "--wait=none"]).run().ends(2).says(&beyond);
    nothing_is_granted(env);
}

fn used_namespace(env: &Env) {
    let _alone = env.alone_with_the_node();
    env.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {}}}}}", env.node_namespace()));
    let said =
        format!("namespace {} exists already and does not belong to the release", env.node_namespace());
    let planned = env.obs(["install", "--wait=none", "--dry-run=client"]).run().ok();
    assert!(planned.stdout.contains(&said), "{planned}");
    env.obs(["install", "--wait=none"]).run().ok().says(&said);
    // they are there by now
    let again = env.obs(["upgrade", "--wait=none", "--set", "clusterName=x"]).run().ok();
    assert!(!again.stderr.contains(&said), "{again}");
    env.obs(["uninstall", "-y"]).run().ok();
    env.kubectl(["delete", "namespace", &env.node_namespace(), "--wait=false"]).run().ok();
}
