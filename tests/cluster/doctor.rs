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
