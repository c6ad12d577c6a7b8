//! API versions that the server stops serving: what was recorded in one is sent in another, or its
//! rollback is refused; forward and away it goes always.

use libtest_mimic::Trial;

use super::definitions::{definition, group, name, widget, widgets};
use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("served::a_rollback_sends_the_version_that_is_served", the_served_version_is_sent),
        trial::api("served::a_rollback_that_does_not_fit_is_refused", what_does_not_fit_is_refused),
        trial::api("served::it_blocks_neither_upgrade_nor_uninstall", nothing_is_blocked),
        trial::api("served::a_kind_that_is_gone_blocks_nothing", a_kind_that_is_gone),
    ]
}

/// A bundle with a definition and a Widget.
fn bundle(env: &Env, version: &str, definition: &str, widget: &str) -> String {
    env.bundle("gear", version, "", &[("crds/widgets.yaml", definition), ("templates/widget.yaml", widget)])
}

/// A revision with a Widget of v1beta1, and a second one whose definition no longer serves that.
fn two_revisions(env: &Env, field: &str) {
    let old = definition(env, &[("v1beta1", true, &["a", "old"]), ("v1", true, &["a", "b"])]);
    let one = bundle(env, "1.0.0", &old, &widget(env, "v1beta1", field));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    let new = definition(env, &[("v1beta1", false, &["a", "old"]), ("v1", true, &["a", "b"])]);
    let two = bundle(env, "2.0.0", &new, &widget(env, "v1", "b"));
    env.obs(["upgrade", &two, "--wait=none"]).run().ok();
}

fn the_served_version_is_sent(env: &Env) {
    two_revisions(env, "a");
    env.obs(["rollback", "-y", "--wait=ready"]).run().ok();
    let found = env.list(&widgets(env));
    assert_eq!(found[0]["apiVersion"], format!("{}/v1", group(env)));
    assert_eq!(found[0]["spec"], serde_json::json!({"a": "x"}));
    env.obs(["drift"]).run().ok();
    env.obs(["status"]).run().ok();
}

fn what_does_not_fit_is_refused(env: &Env) {
    two_revisions(env, "old");
    let refused = env.obs(["rollback", "-y", "--wait=none"]).run().ends(1);
    for part in [format!("Widget {}/obs-gear", env.namespace()), "spec.old".to_owned(), "v1beta1".to_owned()]
    {
        assert!(refused.stderr.contains(&part), "{part} is missing in {refused}");
    }
    assert_eq!(newest(env), (2, "deployed".into()), "nothing was done");
    assert_eq!(env.list(&widgets(env))[0]["spec"], serde_json::json!({"b": "x"}));
}

/// Somebody takes v1beta1 off the definition.
fn stop_serving(env: &Env) {
    let patch = r#"[{"op":"replace","path":"/spec/versions/0/served","value":false}]"#;
    env.kubectl(["patch", "customresourcedefinition", &name(env), "--type=json", "--patch", patch])
        .run()
        .ok();
}

fn nothing_is_blocked(env: &Env) {
    let both = definition(env, &[("v1beta1", true, &["a"]), ("v1", true, &["a"])]);
    let one = bundle(env, "1.0.0", &both, &widget(env, "v1beta1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    stop_serving(env);
    for args in [&["status"][..], &["history"], &["get", "manifest"]] {
        env.obs(args.iter().copied()).run().ok();
    }
    let drift = env.obs(["drift"]).run();
    assert!(drift.code == 0, "the object is as it was, in another version: {drift}");
    let new = definition(env, &[("v1beta1", false, &["a"]), ("v1", true, &["a"])]);
    let two = bundle(env, "2.0.0", &new, &widget(env, "v1", "a"));
    env.obs(["upgrade", &two, "--wait=none", "--force-conflicts"]).run().ok();
    assert_eq!(env.list(&widgets(env)).len(), 1);
    env.obs(["rollback", "1", "-y", "--wait=none"]).run().ok();
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.list(&widgets(env)).is_empty(), "also of a record in the old version");
}

fn a_kind_that_is_gone(env: &Env) {
    let both = definition(env, &[("v1", true, &["a"])]);
    let one = bundle(env, "1.0.0", &both, &widget(env, "v1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\ndata: {a: b}\n";
    let two = env.bundle("gear", "2.0.0", "", &[("templates/map.yaml", map)]);
    env.kubectl(["delete", "customresourcedefinition", &name(env)]).run().ok();
    let upgraded = env.obs(["upgrade", &two, "--wait=none"]).run().ok();
    let gone = format!("Widget {}/obs-gear counts as gone", env.namespace());
    assert!(upgraded.stderr.contains(&gone), "{upgraded}");
    let refused = env.obs(["rollback", "-y", "--wait=none"]).run().ends(1);
    assert!(refused.stderr.contains("which this cluster no longer serves in any version"), "{refused}");
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.get("configmap obs-gear").is_none());
}
