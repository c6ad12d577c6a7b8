//! People who may do something in one namespace and nothing elsewhere.

use libtest_mimic::Trial;

use super::report::scenario;
use super::state::{consistent, nothing_left, password};
use super::{told, with_bundle};
use crate::support::env::Env;
use crate::support::proxy::{Asked, Fault, Proxy};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::rights_in_one_namespace_are_enough", enough),
        trial::api("chaos::rights_that_are_missing_are_all_named", too_few),
    ]
}

/// Makes the namespace, and jane may do `rules` in it.
fn with_rules(env: &Env, rules: &str) {
    env.make_namespace();
    env.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: jane}}\nrules:\n{rules}---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: jane}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: jane}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}}]\n"
    ));
}

fn enough(env: &Env) {
    with_rules(env, "  - {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n");
    scenario("rights in one namespace", |tally| {
        tally.run("every verb", || {
            let jane = ["--as", "jane"];
            env.obs(with_bundle("install", &["--wait=ready"])).args(jane).run().ok();
            consistent(env, None);
            let before = password(env);
            let set = ["--wait=ready", "-y", "--set", "set=b,text=two"];
            env.obs(with_bundle("upgrade", &set)).args(jane).run().ok();
            consistent(env, before.as_deref());
            env.obs(["rollback", "--wait=ready", "-y"]).args(jane).run().ok();
            consistent(env, before.as_deref());
            env.obs(["list"]).args(jane).run().ok().prints("deployed");
            env.obs(["status"]).args(jane).run().ok();
            env.obs(["uninstall", "-y"]).args(jane).run().ok();
            nothing_left(env, before.as_deref());
            env.obs(with_bundle("install", &["--wait=none"])).args(jane).run().ok();
            env.obs(["uninstall", "--delete-data", "-y"]).args(jane).run().ok();
            nothing_left(env, None);
        });
    });
}

fn too_few(env: &Env) {
    let rules = "  - {apiGroups: [''], resources: [configmaps, services, secrets], verbs: ['*']}\n  \
                 - {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch]}\n";
    with_rules(env, rules);
    let proxy = Proxy::start(env);
    scenario("too few rights", |tally| {
        tally.run("install", || {
            told(&proxy, || {
                proxy.begin(|_| Fault::Pass);
                let command = proxy.obs(env, with_bundle("install", &["--wait=none"])).args(["--as", "jane"]);
                let mut output = command.run().ends(1).says("you may not do everything that is needed");
                for missing in [
                    "deployments",
                    "serviceaccounts",
                    "networkpolicies",
                    "poddisruptionbudgets",
                    "cronjobs",
                    "leases",
                    "roles",
                    "rolebindings",
                ] {
                    output = output.says(missing);
                }
                let asked = output.stderr.lines().filter_map(|line| line.trim().strip_prefix("resources: ["));
                let asked: Vec<&str> =
                    asked.flat_map(|list| list.trim_end_matches(']').split(", ")).collect();
                assert!(asked.contains(&"deployments"), "{output}");
                for fine in ["configmaps", "secrets", "services"] {
                    assert!(!asked.contains(&fine), "{fine} is not missing\n{output}");
                }
                let writes: Vec<String> =
                    proxy.asked().iter().filter(|asked| asked.writes()).map(Asked::line).collect();
                assert!(writes.is_empty(), "it wrote before it said so: {}", writes.join(", "));
                nothing_left(env, None);
            });
        });
    });
}
