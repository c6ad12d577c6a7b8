//! Upgrades against a real API server: what they change and what they leave alone, which values they
//! build on, which bundles they take, and plans in files.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::process::{Command, Output};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("upgrade::nothing_to_do_writes_nothing", nothing_to_do_writes_nothing),
        trial::api("upgrade::only_what_differs_is_touched", only_what_differs_is_touched),
        trial::api("upgrade::values_are_kept_until_they_are_reset", values_are_kept),
        trial::api("upgrade::without_a_release_it_installs_only_when_told", it_installs_only_when_told),
        trial::api("upgrade::another_bundle_and_an_older_version_need_a_word", another_bundle_needs_a_word),
        trial::api("upgrade::a_failed_one_is_continued", a_failed_one_is_continued),
        trial::api("upgrade::old_revisions_go", old_revisions_go),
        trial::api("upgrade::a_plan_is_carried_out_or_refused", a_plan_is_carried_out_or_refused),
        trial::api("upgrade::two_at_once_come_one_after_the_other", two_at_once),
        trial::api("upgrade::who_has_rights_in_one_namespace_can_do_it_all", rights_in_one_namespace),
    ]
}

pub(crate) fn install(env: &Env, extra: &[&str]) -> Output {
    env.obs(["install", &fixture("bundles/small"), "--wait=none"]).args(extra.iter().copied()).run().ok()
}

pub(crate) fn upgrade(env: &Env, extra: &[&str]) -> Command {
    env.obs(["upgrade", "-y", "--wait=none"]).args(extra.iter().copied())
}

/// The newest revision as `list` says it.
pub(crate) fn newest(env: &Env) -> (u64, String) {
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    let item = &list["items"][0];
    (item["revision"].as_u64().unwrap_or_default(), item["status"].as_str().unwrap_or_default().to_owned())
}

/// Which state of each object stands on the server: it changes with every write.
pub(crate) fn versions(env: &Env) -> BTreeMap<String, String> {
    ["configmaps", "secrets", "leases", "services", "serviceaccounts", "deployments"]
        .into_iter()
        .flat_map(|kind| env.list(kind))
        .map(|object| {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            (
                format!("{}/{}", object["kind"].as_str().unwrap_or_default(), text("name")),
                text("resourceVersion"),
            )
        })
        .collect()
}

fn nothing_to_do_writes_nothing(env: &Env) {
    install(env, &[]);
    let before = versions(env);
    let output = upgrade(env, &["-o", "json"]).run().ok();
    assert_eq!(output.json()["status"], "unchanged", "{output}");
    let told = upgrade(env, &[]).run().ok();
    assert!(told.stderr.contains("release obs is unchanged (revision 1, small 1.0.0)"), "{told}");
    assert_eq!(versions(env), before, "no object, no record, no lock is written");
}

fn only_what_differs_is_touched(env: &Env) {
    install(env, &["--set", "maps=4"]);
    let before = versions(env);
    let report = upgrade(env, &["--set", "maps=3", "--set", "replicas=2", "-o", "json"]).run().ok().json();
    assert_eq!(report["updated"], serde_json::json!([format!("Deployment {}/obs-small", env.namespace())]));
    assert_eq!(report["pruned"], serde_json::json!([format!("ConfigMap {}/obs-small-3", env.namespace())]));
    assert_eq!((report["revision"].as_u64(), report["status"].as_str()), (Some(2), Some("deployed")));
    let after = versions(env);
    let changed: Vec<&String> = before
        .iter()
        .filter(|(name, version)| after.get(*name) != Some(version))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, ["ConfigMap/obs-small-3", "Deployment/obs-small", "Secret/obs.obs.v1"]);
    let status = |revision: u32| {
        let record = env.get(&format!("secret obs.obs.v{revision}")).expect("the record is there");
        record["metadata"]["labels"]["kubectl-obs.dev/status"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((status(1), status(2)), ("superseded".into(), "deployed".into()));
    let record = env.get("secret obs.obs.v2").expect("the record is there");
    let description = &record["metadata"]["annotations"]["kubectl-obs.dev/description"];
    assert_eq!(description, "upgrade: maps, replicas", "it says what was changed");
}

fn values_are_kept(env: &Env) {
    let replicas =
        |env: &Env| env.get("deployment obs-small").expect("it is there")["spec"]["replicas"].clone();
    install(env, &["--set", "maps=2", "--set", "replicas=3"]);
    upgrade(env, &["--set", "maps=1"]).run().ok();
    assert_eq!(replicas(env), 3, "what was set before still holds");
    let bad = upgrade(env, &["--set", "replicas=null", "--set", "maps=x"]).run();
    assert_eq!(bad.code, 2, "{bad}");
    upgrade(env, &["--reuse-values", "--set", "replicas=1"]).run().ok();
    assert_eq!(env.list("configmaps --selector=kubectl-obs.dev/release=obs").len(), 1);
    upgrade(env, &["--reset-values"]).run().ok();
    assert_eq!(env.list("configmaps --selector=kubectl-obs.dev/release=obs").len(), 6, "all defaults again");
    assert_eq!(replicas(env), 0);
}

fn it_installs_only_when_told(env: &Env) {
    let small = fixture("bundles/small");
    let output = upgrade(env, &[&small]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("there is no release obs"), "{output}");
    assert!(output.stderr.contains("upgrade --install"), "{output}");
    upgrade(env, &[&small, "--install"]).run().ok();
    assert_eq!(newest(env), (1, "deployed".into()));
    upgrade(env, &[&small, "--install", "--set", "maps=1"]).run().ok();
    assert_eq!(newest(env), (2, "deployed".into()));
}

fn bundle(env: &Env, name: &str, version: &str) -> String {
    let folder = format!("{name}-{version}");
    let meta = format!(
        "{{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: {name}, version: {version}, description: x}}"
    );
    env.write(&format!("{folder}/bundle.yaml"), &meta);
    env.write(&format!("{folder}/values.yaml"), "{}\n");
    env.write(
        &format!("{folder}/templates/map.yaml"),
        &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ${{{{ name }}}} }}\ndata: {{version: \"{version}\"}}\n"),
    );
    env.home().join(folder).display().to_string()
}

fn another_bundle_needs_a_word(env: &Env) {
    let (old, new) = (bundle(env, "one", "1.0.0"), bundle(env, "one", "1.2.0"));
    let other = bundle(env, "two", "1.0.0");
    env.obs(["install", &new, "--wait=none"]).run().ok();
    let unknown = upgrade(env, &["--recreate", "ConfigMap/obs-onee"]).run();
    assert_eq!(unknown.code, 2, "{unknown}");
    assert!(unknown.stderr.contains("did you mean ConfigMap/obs-one?"), "{unknown}");
    for (reference, flag, why) in [
        (&old, "--allow-downgrade", "the release runs one 1.2.0, which is newer than one 1.0.0"),
        (&other, "--switch-bundle", "the release runs one 1.0.0, not two 1.0.0"),
    ] {
        let refused = upgrade(env, &[reference]).run();
        assert_eq!(refused.code, 2, "{refused}");
        assert!(refused.stderr.contains(why) && refused.stderr.contains(flag), "{refused}");
        upgrade(env, &[reference, flag]).run().ok();
    }
    assert!(env.get("configmap obs-two").is_some() && env.get("configmap obs-one").is_none());
    // the recorded source is where the next upgrade looks
    std::fs::remove_dir_all(&other).expect("the folder goes");
    let gone = upgrade(env, &[]).run();
    assert_eq!(gone.code, 2, "{gone}");
    assert!(gone.stderr.contains("revision 3 came from"), "{gone}");
}

fn a_failed_one_is_continued(env: &Env) {
    install(env, &["--set", "maps=2"]);
    // no node: a pod that is wanted never comes
    let failed =
        env.obs(["upgrade", "-y", "--wait=ready", "--timeout=3s", "--set", "replicas=1,maps=3"]).run();
    assert_eq!(failed.code, 7, "{failed}");
    assert_eq!(newest(env), (2, "failed".into()));
    upgrade(env, &["--set", "replicas=0"]).run().ok();
    assert_eq!(newest(env), (3, "deployed".into()));
    assert!(env.get("configmap obs-small-2").is_some(), "it builds on what was asked for before");
}

fn old_revisions_go(env: &Env) {
    install(env, &["--set", "maps=1"]);
    for maps in ["2", "1", "2", "1"] {
        upgrade(env, &["--history-max=3", "--set", &format!("maps={maps}")]).run().ok();
    }
    let revisions: Vec<Value> = env
        .list("secrets --selector=kubectl-obs.dev/record=header")
        .iter()
        .map(|secret| secret["metadata"]["name"].clone())
        .collect();
    assert_eq!(revisions, ["obs.obs.v3", "obs.obs.v4", "obs.obs.v5"]);
}

fn a_plan_is_carried_out_or_refused(env: &Env) {
    install(env, &["--set", "maps=1"]);
    let before = versions(env);
    let file = env.home().join("plan.json");
    let path = file.display().to_string();
    let planned = upgrade(env, &["--set", "maps=2", "--plan-out", &path]).run().ok();
    assert!(planned.stdout.contains("+ ConfigMap"), "{planned}");
    assert_eq!(versions(env), before, "nothing is written");
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner's eyes");

    let refused = upgrade(env, &["--set", "maps=3", "--plan", &path]).run();
    assert!(refused.code == 1 && refused.stderr.contains("it was made with other values"), "{refused}");

    // a field of ours that somebody changes; then it is put back, and a status changes
    let set = |flag: &str| {
        let patch = format!(r#"{{"data":{{"flag":"{flag}"}}}}"#);
        env.kubectl(["patch", "configmap", "obs-small-0", "--patch", &patch, "--field-manager=kubectl-obs"])
            .run()
            .ok();
    };
    set("no");
    let refused = upgrade(env, &["--set", "maps=2", "--plan", &path]).run();
    assert!(refused.code == 1 && refused.stderr.contains("the cluster has changed"), "{refused}");
    assert!(refused.stderr.contains("flag: no → yes"), "the difference is shown: {refused}");
    assert_eq!(newest(env).0, 1, "nothing was done");
    upgrade(env, &["--force-conflicts"]).run().ok();
    let refused = upgrade(env, &["--set", "maps=2", "--plan", &path]).run();
    assert!(refused.stderr.contains("it builds on revision 1, and the newest is 2"), "{refused}");

    upgrade(env, &["--set", "maps=2", "--plan-out", &path]).run().ok();
    let status = r#"{"status":{"conditions":[{"type":"Test","status":"True"}]}}"#;
    let patch =
        ["patch", "deployment", "obs-small", "--subresource=status", "--type=merge", "--patch", status];
    env.kubectl(patch).run().ok();
    upgrade(env, &["--set", "maps=2", "--plan", &path]).run().ok();
    assert!(env.get("configmap obs-small-1").is_some());
    let broken = env.write("broken.json", "{}").display().to_string();
    let refused = upgrade(env, &["--plan", &broken]).run();
    assert!(refused.code == 2 && refused.stderr.contains("it is no plan of kubectl obs"), "{refused}");
}

fn two_at_once(env: &Env) {
    install(env, &["--set", "maps=1"]);
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let start = |set: &'static str| {
            scope.spawn(move || upgrade(env, &["--lock-timeout=60s", "--set", set]).run().ok().code)
        };
        let running = [start("maps=3"), start("replicas=2")];
        running.map(|thread| thread.join().expect("it ends")).into()
    });
    assert_eq!(codes, [0, 0]);
    assert_eq!(newest(env), (3, "deployed".into()));
    assert!(env.get("configmap obs-small-2").is_some(), "the first one's values are not lost");
    assert_eq!(env.get("deployment obs-small").expect("it is there")["spec"]["replicas"], 2);
}

fn rights_in_one_namespace(env: &Env) {
    env.make_namespace();
    env.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: all}, \
         rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}",
    );
    env.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: all}, \
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}, \
         subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]}",
    );
    let mine = bundle(env, "mine", "1.0.0");
    let jane = |args: &[&str]| env.obs(args.iter().copied()).args(["--as", "jane"]).run().ok();
    jane(&["install", &mine, "--wait=ready"]);
    let newer = bundle(env, "mine", "1.1.0");
    jane(&["upgrade", &newer, "--wait=ready"]);
    jane(&["rollback", "-y", "--wait=ready"]);
    assert_eq!(env.get("configmap obs-mine").expect("it is there")["data"]["version"], "1.0.0");
    for args in [&["status"][..], &["drift"], &["diff"], &["history"], &["list"]] {
        jane(args);
    }
    jane(&["uninstall", "-y"]);
    assert!(env.get("configmap obs-mine").is_none());
}
