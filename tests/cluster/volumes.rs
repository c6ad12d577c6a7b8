//! What holds data, and what cannot change in place: volumes that grow and never shrink, formats of
//! data, keys of values that moved, objects that are made anew when a person says so.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::components::set;
use super::upgrade::newest;
use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("volumes::a_claim_grows_and_keeps_the_data", a_claim_grows),
        trial::api("volumes::what_cannot_change_is_made_anew_when_named", made_anew_when_named),
        trial::api("volumes::an_older_data_format_is_refused", an_older_data_format),
        trial::api("volumes::a_component_that_comes_back_reads_its_data", data_of_one_that_was_off),
        trial::api("volumes::periods_of_loki_are_added_and_nothing_else", periods_are_added),
        trial::api("volumes::values_move_with_their_bundle", values_move),
    ]
}

fn store(env: &Env) -> String {
    let template = set("${{ values.size }}");
    let values = "size: 32Mi\ntext: one\n";
    env.bundle("store", "1.0.0", "", &[("values.yaml", values), ("templates/set.yaml", &template)])
}

fn a_claim_grows(env: &Env) {
    let store = store(env);
    env.obs(["install", &store, "--wait=ready", "--timeout=2m"]).run().ok();
    let exec = |script: &str| {
        env.kubectl(["exec", "obs-store-0", "--", "sh", "-c", script]).run().ok().stdout.trim().to_owned()
    };
    exec("echo precious > /data/file; sync");
    let pod = || env.get("pod obs-store-0").map(|pod| pod["metadata"]["uid"].clone());
    let first = pod();
    let size = || {
        let claim = env.get("persistentvolumeclaim data-obs-store-0").expect("the claim is there");
        claim["status"]["capacity"]["storage"].as_str().unwrap_or_default().to_owned()
    };
    let wanted = || {
        let set = env.get("statefulset obs-store").expect("the set is there");
        let template = &set["spec"]["volumeClaimTemplates"][0];
        template["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default().to_owned()
    };

    let grow = ["upgrade", "--wait=ready", "--timeout=2m", "--set", "size=64Mi"];
    let asked = env.obs(grow).run().ends(2);
    for part in ["claim data-obs-store-0 grows from 32Mi to 64Mi", "its pods and volumes stay", "pass -y"] {
        assert!(asked.stderr.contains(part), "{part} is missing in {asked}");
    }
    assert_eq!((size(), wanted()), ("32Mi".into(), "32Mi".into()), "nothing was done");
    env.obs(grow).arg("-y").run().ok();
    assert_eq!((size(), wanted()), ("64Mi".into(), "64Mi".into()));
    assert_eq!(exec("cat /data/file"), "precious");
    assert_eq!(pod(), first, "the pod runs on");
    let again = env.obs(["upgrade", "-y", "--wait=ready", "-o", "json"]).run().ok().json();
    assert_eq!(again["status"], "unchanged", "{again}");

    env.obs(["upgrade", "-y", "--wait=ready", "--timeout=2m", "--set", "text=two"]).run().ok();
    let refused = env.obs(["rollback", "1", "-y", "--wait=ready"]).run().ends(1);
    for part in ["has 64Mi and cannot shrink to 32Mi", "--keep-claim-sizes"] {
        assert!(refused.stderr.contains(part), "{part} is missing in {refused}");
    }
    let refused = env.obs(["upgrade", "--set", "size=16Mi", "-y"]).run().ends(1);
    assert!(refused.stderr.contains("cannot shrink to 16Mi"), "{refused}");
    assert_eq!(newest(env), (3, "deployed".into()));
    env.obs(["rollback", "1", "-y", "--keep-claim-sizes", "--wait=ready", "--timeout=2m"]).run().ok();
    let text = env.get("statefulset obs-store").expect("the set is there")["spec"]["template"]["metadata"]
        ["annotations"]["text"]
        .clone();
    assert_eq!((text, size(), wanted()), (json!("one"), "64Mi".into(), "64Mi".into()), "the rest goes back");
    assert_eq!(exec("cat /data/file"), "precious");
    env.obs(["drift"]).run().ok();

    // kept data is found again, whatever its size
    env.obs(["uninstall", "-y"]).run().ok();
    env.obs(["install", &store, "--wait=ready", "--timeout=2m"]).run().ok();
    assert_eq!((exec("cat /data/file"), size()), ("precious".into(), "64Mi".into()));
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    eventually(Duration::from_secs(60), || match env.get("persistentvolumeclaim data-obs-store-0") {
        None => Ok(()),
        Some(_) => Err("the claim is still there".into()),
    });
}

fn made_anew_when_named(env: &Env) {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: ${{ name }} }\nspec:\n  \
                   {% if values.headless %}\n  clusterIP: None\n  {% endif %}\n  selector: ${{ selector }}\n  \
                   ports: [{port: 80}]\n";
    let values = "headless: false\n";
    let bundle =
        env.bundle("face", "1.0.0", "", &[("values.yaml", values), ("templates/service.yaml", service)]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let uid = || env.get("service obs-face").expect("it is there")["metadata"]["uid"].clone();
    let first = uid();
    let upgrade = |extra: &[&str]| {
        env.obs(["upgrade", "--wait=none", "--set", "headless=true"]).args(extra.iter().copied()).run()
    };
    let refused = upgrade(&[]).ends(1);
    for part in ["clusterIP", "hint: --recreate Service/obs-face deletes it and makes it anew"] {
        assert!(refused.stderr.contains(part), "{part} is missing in {refused}");
    }
    for (wrong, why) in
        [("obs-face", "this is no KIND/NAME"), ("Service/nope", "names no object of the release")]
    {
        let refused = upgrade(&["--recreate", wrong]).ends(2);
        assert!(refused.stderr.contains(why), "{refused}");
    }
    let asked = upgrade(&["--recreate", "service/obs-face"]).ends(2);
    assert!(asked.stderr.contains("pass -y") && asked.stderr.contains("Service"), "{asked}");
    assert_eq!((uid(), newest(env).0), (first.clone(), 1), "nothing was done");
    let report = upgrade(&["--recreate", "service/obs-face", "-y", "-o", "json"]).ok().json();
    assert_eq!(report["recreated"], json!([format!("Service {}/obs-face", env.namespace())]), "{report}");
    assert_ne!(uid(), first);
    // the server would accept this, and leave it headless
    let refused = env.obs(["rollback", "-y", "--wait=none"]).run().ends(1);
    assert!(refused.stderr.contains("--recreate Service/obs-face"), "{refused}");
    env.obs(["rollback", "-y", "--wait=none", "--recreate=Service/obs-face"]).run().ok();
    assert_ne!(env.get("service obs-face").expect("it is there")["spec"]["clusterIP"], "None");
}

const MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\ndata: {a: ${{ values | string }} }\n";

fn an_older_data_format(env: &Env) {
    let bundle =
        |version: &str, format: &str| env.bundle("fmt", version, format, &[("templates/map.yaml", MAP)]);
    let one = bundle("1.0.0", "dataFormat: 1");
    let two = bundle("2.0.0", "dataFormat: 2");
    let three = bundle("3.0.0", "dataFormat: 3\ndowngradeTo: [2]");
    let up = |bundle: &str, extra: &[&str]| {
        env.obs(["upgrade", bundle, "--wait=none"]).args(extra.iter().copied()).run()
    };
    env.obs(["install", &one, "--wait=none"]).run().ok();
    up(&two, &[]).ok();
    let why = "fmt cannot go back: its data is in format 2, this version reads format 1";
    let back = env.obs(["rollback", "-y", "--wait=none"]).run().ends(1);
    assert!(back.stderr.contains(why) && back.stderr.contains("--accept-data-loss fmt"), "{back}");
    let down = up(&one, &["--allow-downgrade"]).ends(1);
    assert!(down.stderr.contains(why), "{down}");
    assert_eq!(newest(env), (2, "deployed".into()), "nothing was done");
    let unknown = env.obs(["rollback", "-y", "--accept-data-loss=fm"]).run().ends(2);
    assert!(unknown.stderr.contains("--accept-data-loss fm names no component"), "{unknown}");
    up(&three, &[]).ok();
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    assert_eq!(newest(env), (4, "deployed".into()), "3 can go back to 2");
    env.obs(["rollback", "1", "-y", "--wait=none"]).run().ends(1);
    env.obs(["rollback", "1", "-y", "--wait=none", "--accept-data-loss=fmt"]).run().ok();
}

/// While a component is off, its volume stays in the format that it had.
fn data_of_one_that_was_off(env: &Env) {
    let umbrella = |version: &str, format: u32| {
        env.bundle_in("db", "db", version, &format!("dataFormat: {format}"), &[("templates/map.yaml", MAP)]);
        let components = "components:\n  - {name: db, version: '*', when: values.db, with: '${{ {} }}'}";
        env.bundle_in("all", "all", version, components, &[("values.yaml", "db: true\n")])
    };
    let all = umbrella("2.0.0", 2);
    env.obs(["install", &all, "--wait=none"]).run().ok();
    env.obs(["upgrade", "-y", "--wait=none", "--set", "db=false"]).run().ok();
    umbrella("1.0.0", 1);
    let back = ["upgrade", "-y", "--allow-downgrade", "--wait=none", "--set", "db=true"];
    let refused = env.obs(back).run().ends(1);
    assert!(refused.stderr.contains("db cannot go back: its data is in format 2"), "{refused}");
    env.obs(back).arg("--accept-data-loss=db").run().ok();
}

/// What a period has stored is looked up by it: it may neither change nor go, in an upgrade or a rollback.
fn periods_are_added(env: &Env) {
    let set = |periods: &str| format!("schema.periods=[{periods}]");
    let up = |periods: &str| env.obs(["upgrade", "-y", "--wait=none", "--set-json", &set(periods)]).run();
    let first = r#"{"from":"2024-04-01","store":"filesystem"}"#;
    let second = r#"{"from":"2027-06-01","store":"filesystem"}"#;
    env.obs(["install", "loki", "--wait=none"]).run().ok();
    // the default, said aloud, and one more
    up(&format!("{first},{second}")).ok();
    let periods = format!("ConfigMap {}/obs-loki-config: loki.schema.periods", env.namespace());
    let back = env.obs(["rollback", "-y", "--wait=none"]).run().ends(1);
    assert!(back.stderr.contains(&format!("{periods}[1] goes, which was {second}")), "{back}");
    assert!(back.stderr.contains("--accept-data-loss loki"), "{back}");
    let moved = up(&format!("{},{second}", first.replace("04", "05"))).ends(1);
    assert!(moved.stderr.contains(&format!("{periods}[0] goes from {first} to ")), "{moved}");
    assert_eq!(newest(env), (2, "deployed".into()), "nothing was done");
    env.obs(["rollback", "-y", "--wait=none", "--accept-data-loss=loki"]).run().ok();
    assert_eq!(newest(env), (3, "deployed".into()));
}

fn values_move(env: &Env) {
    let old = [("values.yaml", "storage: {size: 1Gi}\nlegacy: false\n"), ("templates/map.yaml", MAP)];
    let new = [("values.yaml", "persistence: {size: 1Gi}\n"), ("templates/map.yaml", MAP)];
    let one = env.bundle("move", "1.0.0", "", &old);
    let migrations = "migrations:\n  - {version: 2.0.0, rename: {storage: persistence}, remove: [legacy]}";
    let two = env.bundle("move", "2.0.0", migrations, &new);
    env.obs(["install", &one, "--wait=none", "--set", "storage.size=5Gi,legacy=true"]).run().ok();
    let upgraded = env.obs(["upgrade", &two, "--wait=none"]).run().ok();
    for part in ["storage", "persistence", "legacy"] {
        assert!(upgraded.stderr.contains(part), "{part} is missing in {upgraded}");
    }
    assert!(!upgraded.stderr.contains("5Gi"), "names, no values: {upgraded}");
    let values = |env: &Env| env.obs(["get", "values", "--show-secrets", "-o", "json"]).run().ok().json();
    assert_eq!(values(env), json!({"persistence": {"size": "5Gi"}}));
    let again = env.obs(["upgrade", "-y", "--wait=none", "-o", "json"]).run().ok();
    assert_eq!(again.json()["status"], "unchanged", "{again}");
    assert!(!again.stderr.contains("legacy"), "told once: {again}");
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    let before: Value = json!({"storage": {"size": "5Gi"}, "legacy": true});
    assert_eq!(values(env), before, "the values of then");
    env.obs(["upgrade", &two, "--wait=none"]).run().ok();
    assert_eq!(values(env), json!({"persistence": {"size": "5Gi"}}));
}
