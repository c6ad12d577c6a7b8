//! The doctor on the real thing: it finds nothing that fails on a healthy stack, and of faults that are planted
//! exactly these; what it saved is judged elsewhere as it was here.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("doctor::it_finds_what_is_planted_and_nothing_else", planted),
        trial::api("doctor::it_says_why_it_cannot_look", cannot_look),
        trial::api("doctor::its_roles_let_a_person_look_at_everything", roles),
        trial::api("doctor::what_changed_and_what_is_known", looks),
        trial::api("doctor::a_support_bundle_holds_nothing_secret", support_bundle),
    ]
}

/// `✘MX05`, in the order of the report; what follows from something else is not among them.
fn found(env: &Env) -> Vec<String> {
    let output = env.obs(["doctor", "-o", "json"]).run();
    let diagnosis = output.json();
    let failed =
        diagnosis["findings"].as_array().expect("findings").iter().any(|one| one["severity"] == "fail");
    assert_eq!(output.code, if failed { 3 } else { 0 }, "{output}");
    let mark = |finding: &Value| match finding["severity"].as_str() {
        Some("fail") => "✘",
        Some("warn") => "!",
        _ => "·",
    };
    let findings = diagnosis["findings"].as_array().into_iter().flatten();
    findings.map(|one| format!("{}{}", mark(one), one["id"].as_str().expect("an id"))).collect()
}

/// Waits until this is found; says at last what was found instead.
fn finds(env: &Env, expected: &[&str]) {
    eventually(Duration::from_secs(90), || {
        let found = found(env);
        if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
    });
}

fn planted(env: &Env) {
    let _node = env.alone_with_the_node();
    let values = json!({
        "scrape": {"interval": "5s", "timeout": "4s"},
        "nodeExporter": {"enabled": false},
        "apps": [{"name": "shop", "namespace": env.namespace(), "selector": {"app": "none"}, "port": 80}],
    });
    let file = env.write("values.yaml", &values.to_string()).display().to_string();
    env.obs(["install", "-y", "--timeout=5m", "-f", &file]).run().ok();
    // nobody is told of alerts, and the app does not exist: both are so
    finds(env, &["!MX06", "!NT04"]);

    // five faults that have nothing to do with each other
    env.kubectl([
        "patch",
        "service",
        "obs-prometheus",
        "--patch",
        r#"{"spec":{"sessionAffinity":"ClientIP"}}"#,
    ])
    .run()
    .ok();
    env.obs(["alerts", "silence", "alertname=~\".+\"", "--for", "1h", "--comment", "a test"]).run().ok();
    let secrets = env.list("secrets");
    let grafana = secrets.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
    let grafana =
        grafana.into_iter().find(|name| name.contains("grafana")).expect("the Secret of Grafana").to_owned();
    let keys = env.kubectl(["get", "secret", &grafana, "-o", "json"]).run().ok().json();
    let key = keys["data"]
        .as_object()
        .expect("data")
        .keys()
        .find(|key| key.contains("password"))
        .expect("a password")
        .clone();
    let patch = json!({"stringData": {key: "another-password-of-sixteen"}}).to_string();
    env.kubectl(["patch", "secret", &grafana, "--patch", &patch]).run().ok();
    env.kubectl(["delete", "service", "obs-kube-state-metrics"]).run().ok();
    let webhook = format!("{}-dead", env.namespace());
    env.apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: {webhook}}}\n\
         webhooks:\n- name: dead.example.org\n  admissionReviewVersions: [v1]\n  sideEffects: None\n  clientConfig: {{service: {{namespace: {ns}, name: none-such}}}}\n  \
         rules: [{{apiGroups: [none.example.org], apiVersions: [v1], operations: [CREATE], resources: [nones]}}]\n",
        ns = env.namespace()
    ));
    let planted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        finds(env, &["✘PF14", "✘RL03", "!RL04", "!MX06", "!NT04", "!NT08", "!GF02"]);
        let saved = env.write("snapshot.json", "");
        let saved = saved.display().to_string();
        let here = env.obs(["doctor", "--save", &saved, "-o", "markdown"]).run();
        let there =
            env.obs(["doctor", "--from", &saved, "-o", "markdown", "--server", "https://127.0.0.1:1"]).run();
        assert_eq!((here.code, &here.stdout), (there.code, &there.stdout), "what was saved is judged alike");
        let text = std::fs::read_to_string(&saved).expect("the snapshot");
        assert!(!text.contains("another-password"), "a password is in the snapshot");
    }));
    env.kubectl(["delete", "validatingwebhookconfiguration", &webhook]).run().ok();
    if let Err(panic) = planted {
        std::panic::resume_unwind(panic);
    }
    // what it advises is done, and helps
    env.obs(["upgrade", "-y", "--force-conflicts", "--timeout=5m"]).run().ok();
    finds(env, &["!MX06", "!NT04", "!NT08", "!GF02"]);
}

fn cannot_look(env: &Env) {
    let none = env.obs(["doctor"]).run();
    assert_eq!(none.code, 1, "{none}");
    assert!(none.stderr.contains("there is no release obs"), "{none}");
    let gone = env.obs(["doctor", "--server", "https://127.0.0.1:1", "--timeout=5s"]).run();
    assert_eq!(gone.code, 5, "{gone}");
    let wrong = env.obs(["doctor", "--only", "MX99"]).run();
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(wrong.stderr.contains("there is no check MX99"), "{wrong}");
}

/// Who has the roles that it prints, and no others, sees everything; who has none is told what is missing.
fn roles(env: &Env) {
    let _node = env.alone_with_the_node();
    env.obs(["install", "-y", "--wait=none"]).run().ok();
    let roles = env.obs(["doctor", "rbac"]).run().ok();
    assert!(roles.stderr.contains("--clusterrole=kubectl-obs"), "{roles}");
    let name = format!("kubectl-obs-{}", env.namespace());
    let text = roles.stdout.replace("name: kubectl-obs\n", &format!("name: {name}\n"));
    let node = format!("{}-node", env.namespace());
    for (place, document) in text.split("---\n").enumerate() {
        let file = env.write(&format!("role-{place}.yaml"), document).display().to_string();
        let namespace = if document.contains("-node\n") { node.as_str() } else { env.namespace() };
        env.kubectl(["apply", "--server-side", "-f", &file, "-n", namespace]).run().ok();
    }
    let account = format!("system:serviceaccount:{}:looker", env.namespace());
    env.kubectl(["create", "serviceaccount", "looker"]).run().ok();
    let user = format!("--user={account}");
    let role = format!("--role={name}");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let seen = |env: &Env| env.obs(["doctor", "-o", "json", "--as", &account]).run();
        let none = seen(env);
        assert_eq!(none.code, 1, "{none}");
        env.kubectl(["create", "clusterrolebinding", &name, &format!("--clusterrole={name}"), &user])
            .run()
            .ok();
        for namespace in [env.namespace(), node.as_str()] {
            env.kubectl(["create", "rolebinding", "looker", "-n", namespace, &role, &user]).run().ok();
        }
        let all = eventually(Duration::from_secs(20), || {
            let all = seen(env);
            if all.code == 1 { Err(all.to_string()) } else { Ok(all) }
        });
        let diagnosis = all.json();
        let ids = |list: &str| -> Vec<String> {
            let items = diagnosis[list].as_array().expect("a list").iter();
            items.filter_map(|one| one.as_str().or(one["id"].as_str()).map(str::to_owned)).collect()
        };
        // other tests may have done something to the cluster
        let looked_at = [ids("passed"), ids("findings")].concat();
        for id in ["PF05", "PF07", "PF09", "PF14", "PF21", "RL03", "RL04", "ST01"] {
            assert!(looked_at.iter().any(|known| known == id), "{id} was not looked at: {all}");
        }
        // one needs what is not given
        let refused = diagnosis["skipped"].as_array().into_iter().flatten();
        let refused: Vec<&Value> =
            refused.filter(|one| one["reason"].to_string().contains("may not")).collect();
        let ids: Vec<&str> = refused.iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!(ids, ["RL11"], "{all}");
    }));
    for kind in ["clusterrolebinding", "clusterrole"] {
        env.kubectl(["delete", kind, &name, "--ignore-not-found"]).run().ok();
    }
    env.obs(["uninstall", "-y", "--delete-data"]).run().ok();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Before an install the cluster alone is looked at; what changed between two looks is said; a list keeps what is
/// known quiet until its day.
fn looks(env: &Env) {
    env.make_namespace();
    let webhook = format!("{}-gone", env.namespace());
    let plant = || {
        env.apply(&format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: {webhook}}}\n\
             webhooks:\n- name: gone.example.org\n  admissionReviewVersions: [v1]\n  sideEffects: None\n  clientConfig: {{service: {{namespace: {ns}, name: none-such}}}}\n  \
             rules: [{{apiGroups: [none.example.org], apiVersions: [v1], operations: [CREATE], resources: [nones]}}]\n",
            ns = env.namespace()
        ));
    };
    let last = env.write("last.json", "").display().to_string();
    std::fs::remove_file(&last).expect("it was there");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let pre = |more: &[&str]| env.obs(["doctor", "--pre", "--since-last", &last]).args(more).run();
        let first = pre(&[]);
        assert!(!first.stdout.contains("last look"), "{first}");
        plant();
        let second = pre(&[]);
        assert_eq!(second.code, 3, "{second}");
        assert!(second.stdout.contains("new   PF14  webhook gone.example.org has no server"), "{second}");
        let list = "suppressions: [{id: PF14, words: gone.example.org, reason: a test, until: 2999-12-31}]";
        let list = env.write("known.yaml", list).display().to_string();
        let known = pre(&["--suppress", &list, "-o", "json"]).json();
        assert_eq!(known["suppressed"][0]["id"], "PF14", "{known}");
        assert!(!known["findings"].to_string().contains("gone.example.org"), "{known}");
        env.kubectl(["delete", "validatingwebhookconfiguration", &webhook]).run().ok();
        let third = pre(&[]);
        assert!(third.stdout.contains("gone  PF14  webhook gone.example.org has no server"), "{third}");
    }));
    env.kubectl(["delete", "validatingwebhookconfiguration", &webhook, "--ignore-not-found"]).run().ok();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    let wrong = env.write("wrong.yaml", "suppressions: [{id: PF14}]").display().to_string();
    let wrong = env.obs(["doctor", "--suppress", &wrong]).run();
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(
        wrong.stderr.contains("suppressions[0]: until is missing")
            || wrong.stderr.contains("suppressions[0]: reason is missing"),
        "{wrong}"
    );
}

/// What is secret in the cluster is not in the archive; what is in it can be judged elsewhere.
fn support_bundle(env: &Env) {
    env.obs(["install", "-y", "--wait=none", "--set=nodeExporter.enabled=false"]).run().ok();
    let secret = "a-token-that-only-a-Secret-knows";
    env.kubectl(["create", "secret", "generic", "planted", &format!("--from-literal=anything={secret}")])
        .run()
        .ok();
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "planted-"}, "type": "Warning",
        "reason": "Planted", "message": format!("login with {secret} failed, then with postgres://app:url-Pa55word@db/x"),
        "involvedObject": {"kind": "Secret", "name": "planted", "namespace": env.namespace()}});
    let file = env.write("event.json", &event.to_string()).display().to_string();
    env.kubectl(["create", "-f", &file]).run().ok();
    let archive = env.write("bundle.tar.gz", "").display().to_string();
    let there = env.obs(["support-bundle", "--file", &archive]).run();
    assert_eq!(there.code, 2, "{there}");
    std::fs::remove_file(&archive).expect("it was there");
    let report = env.obs(["support-bundle", "--file", &archive, "-o", "json"]).run().ok().json();
    let events = format!("events/{}.json", env.namespace());
    assert!(report["files"][&events].as_u64().is_some_and(|size| size > 100), "{report}");
    let packed = std::fs::read(&archive).expect("the archive");
    let files = kubectl_obs::bundle::archive::unpack(&packed).expect("an archive");
    for (path, content) in &files {
        let text = String::from_utf8_lossy(content);
        for secret in [secret, "url-Pa55word"] {
            assert!(!text.contains(secret), "{secret} is in {path}");
        }
    }
    let text = |path: &str| String::from_utf8_lossy(&files[path]).into_owned();
    assert!(text(&events).contains("login with [redacted known "), "{}", text(&events));
    assert!(text("redacted.json").contains(&events) && text("findings.md").contains("# Release obs"));
    // what the doctor saw is judged by whoever gets it
    let snapshot = env.write("snapshot.json", &text("snapshot.json")).display().to_string();
    let judged =
        env.obs(["doctor", "--from", &snapshot, "--server", "https://127.0.0.1:1", "-o", "json"]).run();
    assert!([0, 3].contains(&judged.code) && judged.json()["kind"] == "Diagnosis", "{judged}");
}
