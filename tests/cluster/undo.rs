//! `rollout undo`: one component goes back, the others stay; and what it refuses.

use libtest_mimic::Trial;
use serde_json::Value;

use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("undo::one_component_goes_back_and_the_others_stay", one_goes_back),
        trial::api("undo::what_would_not_run_is_refused", incomplete),
    ]
}

/// Two components, `left` and `right`, each with a ConfigMap that holds its text.
fn two(env: &Env) -> String {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\ndata: {text: ${{ values.text }} }\n";
    for name in ["left", "right"] {
        env.bundle_in(
            name,
            name,
            "1.0.0",
            "",
            &[("values.yaml", "text: one\n"), ("templates/map.yaml", map)],
        );
    }
    let components = "components:\n  - {name: left, version: ^1.0, with: '${{ {\"text\": values.left} }}'}\n  \
                      - {name: right, version: ^1.0, with: '${{ {\"text\": values.right} }}'}";
    env.bundle_in("two", "two", "1.0.0", components, &[("values.yaml", "left: one\nright: one\n")])
}

fn texts(env: &Env) -> [Value; 2] {
    ["left", "right"]
        .map(|name| env.get(&format!("configmap obs-{name}")).expect("it is there")["data"]["text"].clone())
}

fn one_goes_back(env: &Env) {
    let two = two(env);
    env.obs(["rollout", "undo", "left", "-y"]).run().ends(1).says("there is no release obs");
    env.obs(["install", &two, "--wait=none"]).run().ok();
    env.obs(["rollout", "undo", "left", "-y"])
        .run()
        .ends(1)
        .says("no earlier deployed revision in which left was different");
    env.obs(["upgrade", "-y", "--wait=none", "--set", "left=two"]).run().ok();
    env.obs(["upgrade", "-y", "--wait=none", "--set", "right=two"]).run().ok();

    // left changed two revisions ago: the last one with another left is the first
    let dry = env.obs(["rollout", "undo", "left", "--dry-run=client"]).run().ok();
    assert!(dry.stdout.contains("revision 3 → 4 (left as in revision 1)"), "{dry}");
    assert_eq!(texts(env), ["two", "two"]);
    let undone = env.obs(["rollout", "undo", "left", "-y", "--wait=none"]).run().ok();
    assert!(
        undone
            .stderr
            .contains("the values of the release stay: its next upgrade makes left as they say again"),
        "{undone}"
    );
    assert_eq!(texts(env), ["one", "two"]);
    assert_eq!(newest(env), (4, "deployed".into()));
    let history = env.obs(["history"]).run().ok();
    assert!(history.stdout.contains("left as in revision 1"), "{history}");
    env.obs(["drift"]).run().ok();

    // the values stayed: an upgrade brings them back, as was said
    env.obs(["upgrade", "-y", "--wait=none"]).run().ok();
    assert_eq!(texts(env), ["two", "two"]);
    env.obs(["rollout", "undo", "left", "right", "--to-revision=1", "-y", "--wait=none"]).run().ok();
    assert_eq!(texts(env), ["one", "one"]);
}

fn incomplete(env: &Env) {
    let two = two(env);
    // in the first revision left uses a map of right, which the second one no longer has
    let user = "apiVersion: apps/v1
kind: Deployment
metadata: {name: ${{ name }} }
spec:
  replicas: 0
  selector: {matchLabels: ${{ selector }} }
  template:
    metadata: {labels: ${{ selector }} }
    spec:
      containers: [{name: main, image: 'docker.io/library/busybox:1.36'}]
      volumes: [{name: shared, configMap: {name: ${{ values.text }} }}]
";
    env.write("left/templates/user.yaml", user);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ values.text }} }\n";
    env.write("right/templates/map.yaml", map);
    env.obs(["install", &two, "--wait=none"]).run().ok();
    env.obs(["upgrade", "-y", "--wait=none", "--set", "left=two,right=two"]).run().ok();

    let refused = env.obs(["rollout", "undo", "left", "-y", "--wait=none"]).run().ends(1);
    for part in [
        "obs-left of revision 1 uses ConfigMap",
        "of right, which the release no longer has",
        "hint: kubectl obs rollout undo left right --to-revision 1",
        "hint: kubectl obs rollback 1 returns to the whole revision",
    ] {
        assert!(refused.stderr.contains(part), "{part} is missing in {refused}");
    }
    assert_eq!(newest(env), (2, "deployed".into()), "nothing was written");
    env.obs(["rollout", "undo", "lefft", "-y"]).run().ends(2).says("did you mean left?");
    env.obs(["rollout", "undo", "left", "--to-revision=7", "-y"]).run().ends(1).says("there are: 1, 2");
    env.obs(["rollout", "undo", "-y"]).run().ends(2);
    env.obs(["rollout", "undo", "left", "right", "-y", "--wait=none"]).run().ok();
    assert!(env.get("configmap one").is_some() && env.get("configmap two").is_none());
}
