//! Rollbacks, drift and differences against a real API server, and what `--rollback-on-failure`
//! undoes.

use libtest_mimic::Trial;

use super::upgrade::{install, newest, upgrade, versions};
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("rollback::it_goes_to_the_last_deployed_revision", it_goes_to_the_last_deployed),
        trial::api("rollback::it_asks_and_says_what_will_change", it_asks),
        trial::api("rollback::a_revision_that_is_not_there_is_named", a_missing_revision_is_named),
        trial::api("rollback::a_failed_upgrade_is_undone", a_failed_upgrade_is_undone),
        trial::api("rollback::a_failed_first_install_is_undone", a_failed_install_is_undone),
        trial::api("rollback::passwords_stay", passwords_stay),
        trial::api("drift::what_others_changed_is_shown_with_its_manager", drift_is_shown),
        trial::api("diff::it_shows_what_an_upgrade_would_do", diff_shows_the_upgrade),
    ]
}

fn maps(env: &Env) -> usize {
    env.list("configmaps --selector=kubectl-obs.dev/release=obs").len()
}

fn it_goes_to_the_last_deployed(env: &Env) {
    install(env, &["--set", "maps=1"]);
    upgrade(env, &["--set", "maps=3"]).run().ok();
    env.obs(["upgrade", "-y", "--wait=ready", "--timeout=2s", "--set", "replicas=1,maps=5"]).run();
    assert_eq!((newest(env), maps(env)), ((3, "failed".into()), 5));
    env.obs(["rollback", "-y", "--wait=ready"]).run().ok();
    assert_eq!((newest(env), maps(env)), ((4, "deployed".into()), 3), "revision 2 was the last deployed one");
    env.obs(["rollback", "1", "-y", "--wait=none"]).run().ok();
    assert_eq!((newest(env), maps(env)), ((5, "deployed".into()), 1));
    let record = env.get("secret obs.obs.v5").expect("the record is there");
    assert_eq!(record["metadata"]["annotations"]["kubectl-obs.dev/description"], "rollback to 1");
    upgrade(env, &[]).run().ok();
    assert_eq!((newest(env).0, maps(env)), (5, 1), "an upgrade builds on the values that came back");
    let again = env.obs(["rollback", "1", "-y"]).run().ok();
    assert!(again.stderr.contains("is unchanged (revision 5"), "{again}");
}

fn it_asks(env: &Env) {
    install(env, &["--set", "maps=1"]);
    upgrade(env, &["--set", "maps=2,replicas=3"]).run().ok();
    let before = versions(env);
    let asked = env.obs(["rollback"]).run();
    assert_eq!(asked.code, 2, "{asked}");
    for part in ["revision 2 → 3 (content of revision 1)", "- ConfigMap", "spec.replicas: 3 → 0", "pass -y"]
    {
        assert!(asked.stderr.contains(part), "{part} is missing in {asked}");
    }
    assert_eq!(versions(env), before, "nothing is written");
}

fn a_missing_revision_is_named(env: &Env) {
    let none = env.obs(["rollback", "-y"]).run();
    assert!(none.code == 1 && none.stderr.contains("there is no release obs"), "{none}");
    install(env, &[]);
    let first = env.obs(["rollback", "-y"]).run();
    assert!(first.code == 1 && first.stderr.contains("has no earlier revision that was deployed"), "{first}");
    let missing = env.obs(["rollback", "7", "-y"]).run();
    assert!(missing.code == 1 && missing.stderr.contains("release obs has no revision 7"), "{missing}");
}

fn a_failed_upgrade_is_undone(env: &Env) {
    install(env, &["--set", "maps=2"]);
    let args = [
        "upgrade",
        "-y",
        "--wait=ready",
        "--timeout=8s",
        "--rollback-on-failure",
        "--set",
        "replicas=1,maps=4",
    ];
    let failed = env.obs(args).run();
    assert_eq!(failed.code, 7, "the first error stays the one that is reported: {failed}");
    assert!(failed.stderr.contains("rolled back: revision 3 has the content of revision 1"), "{failed}");
    assert_eq!((newest(env), maps(env)), ((3, "deployed".into()), 2));
    assert_eq!(env.get("deployment obs-small").expect("it is there")["spec"]["replicas"], 0);
}

fn a_failed_install_is_undone(env: &Env) {
    let small = crate::support::plugin::fixture("bundles/small");
    let args =
        ["install", &small, "--wait=ready", "--timeout=8s", "--rollback-on-failure", "--set", "replicas=1"];
    let failed = env.obs(args).run();
    assert_eq!(failed.code, 7, "{failed}");
    assert!(failed.stderr.contains("removed again"), "{failed}");
    assert_eq!(maps(env), 0);
    assert!(env.get("secret obs.obs.v1").is_none() && env.get("deployment obs-small").is_none());
}

fn passwords_stay(env: &Env) {
    let password =
        |env: &Env| env.get("secret obs-small-admin").map(|secret| secret["data"]["password"].to_string());
    install(env, &["--set", "maps=1"]);
    let first = password(env);
    assert!(first.is_some());
    upgrade(env, &["--set", "maps=2"]).run().ok();
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    assert_eq!(password(env), first, "over upgrade and rollback");
    // a lost one is made anew, and nothing else
    env.kubectl(["delete", "secret", "obs-small-admin"]).run().ok();
    let output = upgrade(env, &["-o", "json"]).run().ok();
    assert_eq!(output.json()["created"].as_array().map(Vec::len), Some(1), "{output}");
    assert!(password(env).is_some_and(|new| Some(new) != first));
}

fn drift_is_shown(env: &Env) {
    install(env, &["--set", "maps=2"]);
    env.obs(["drift"]).run().ok();
    env.kubectl(["scale", "deployment", "obs-small", "--replicas=4"]).run().ok();
    env.kubectl(["patch", "configmap", "obs-small-0", "--patch", r#"{"data":{"flag":"no"}}"#]).run().ok();
    env.kubectl(["delete", "configmap", "obs-small-1"]).run().ok();
    env.kubectl(["patch", "secret", "obs-small-admin", "--patch", r#"{"data":{"password":"aHVudGVyMg=="}}"#])
        .run()
        .ok();
    let output = env.obs(["drift"]).run();
    assert_eq!(output.code, 1, "{output}");
    for part in [
        "spec.replicas: 0 → 4  (by kubectl",
        "flag: yes → no  (by kubectl-patch",
        "obs-small-1  (is missing)",
    ] {
        assert!(output.stdout.contains(part), "{part} is missing in {output}");
    }
    assert!(!output.stdout.contains("hunter2") && !output.stdout.contains("aHVudGVyMg"), "{output}");
    let refused = upgrade(env, &[]).run();
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("data.flag: ours yes, live no, set by kubectl-patch"), "{refused}");
    assert!(refused.stderr.contains("--force-conflicts"), "{refused}");
    upgrade(env, &["--force-conflicts"]).run().ok();
    env.obs(["drift"]).run().ok();
    let unknown = env.obs(["drift", "--release", "other"]).run();
    assert_eq!(unknown.code, 6, "{unknown}");
}

fn diff_shows_the_upgrade(env: &Env) {
    let none = env.obs(["diff", "--release", "other"]).run();
    assert_eq!(none.code, 1, "of a release that is not there yet everything is new: {none}");
    install(env, &["--set", "maps=2"]);
    env.obs(["diff"]).run().ok();
    let before = versions(env);
    let output = env.obs(["diff", "--set", "maps=1,replicas=2"]).run();
    assert_eq!(output.code, 1, "{output}");
    for part in
        ["revision 1 → 2: 1 change, 1 go", "spec.replicas: 0 → 2", "- ConfigMap", "data at risk: none"]
    {
        assert!(output.stdout.contains(part), "{part} is missing in {output}");
    }
    let json = env.obs(["diff", "--set", "maps=1", "-o", "json"]).run().json();
    assert_eq!(json["changes"][0]["action"], "delete", "{json}");
    assert_eq!(versions(env), before, "nothing is written");
    let bad = env.obs(["diff", "--set", "maps=x"]).run();
    assert_eq!(bad.code, 6, "{bad}");
    let dry = upgrade(env, &["--dry-run=client", "--exit-code", "--set", "maps=1"]).run();
    assert_eq!(dry.code, 1, "{dry}");
}
