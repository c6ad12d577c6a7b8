//! Credential plugins: what they deliver is what the API server gets, and a new one when it ends.

use libtest_mimic::Trial;
use serde_json::json;

use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("plugin::a_token_is_used_and_renewed", a_token),
        trial::api("plugin::a_certificate_is_used", a_certificate),
    ]
}

/// The cluster's kubeconfig with a user whose credentials come from a shell script.
fn kubeconfig(env: &Env, script: &str) -> std::path::PathBuf {
    let view = ["config", "view", "--raw", "--minify", "--output=json"];
    let mut config = env.kubectl(view).run().ok().json();
    config["users"] = json!([{"name": "plugged", "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script],
        "interactiveMode": "Never",
    }}}]);
    config["contexts"][0]["context"]["user"] = json!("plugged");
    env.write("plugged", &config.to_string())
}

fn answer(status: &serde_json::Value) -> String {
    json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})
        .to_string()
}

fn a_token(env: &Env) {
    env.make_namespace();
    env.kubectl(["create", "serviceaccount", "robot"]).run().ok();
    let account = format!("--serviceaccount={}:robot", env.namespace());
    env.kubectl(["create", "rolebinding", "robot", "--clusterrole=view", &account]).run().ok();
    let token = env.kubectl(["create", "token", "robot"]).run().ok().stdout;
    let ends = |when: &str| answer(&json!({"token": token.trim(), "expirationTimestamp": when}));
    for (when, runs) in [("2099-01-01T00:00:00Z", 1..=1), ("2020-01-01T00:00:00Z", 2..=50)] {
        let count = env.home().join(&when[..4]);
        let answer = env.write("answer", &ends(when));
        let script = format!("echo x >> {}; cat {}", count.display(), answer.display());
        let plugged = kubeconfig(env, &script);
        let refused = env.obs_by(&plugged, &env.cluster().context, ["list"]).run().ends(1);
        let robot = format!("user \"system:serviceaccount:{}:robot\"", env.namespace());
        assert!(
            refused.stderr.contains(&robot),
            "it is known by its token, and may not read Secrets: {refused}"
        );
        let ran = std::fs::read_to_string(count).expect("it ran").lines().count();
        assert!(runs.contains(&ran), "{ran} times for a token that ends in {when}");
    }
    let plugged = kubeconfig(env, "echo log in first >&2; exit 3");
    let failed = env.obs_by(&plugged, &env.cluster().context, ["list"]).run().ends(5);
    assert!(
        failed
            .stderr
            .contains("the credential plugin \"/bin/sh\" of user \"plugged\" failed (exit status 3)"),
        "{failed}"
    );
    assert!(failed.stderr.contains("log in first"), "{failed}");
}

fn a_certificate(env: &Env) {
    env.make_namespace();
    let view = ["config", "view", "--raw", "--minify", "--flatten", "--output=json"];
    let user = env.kubectl(view).run().ok().json()["users"][0]["user"].clone();
    let pem = |field: &str| {
        let text = user[field].as_str().expect("the cluster's user has a certificate").to_owned();
        crate::support::process::Command::new("/usr/bin/base64").arg("-d").stdin(text).run().ok().stdout
    };
    let status = json!({
        "clientCertificateData": pem("client-certificate-data"), "clientKeyData": pem("client-key-data"),
    });
    let answer = env.write("answer", &answer(&status));
    let plugged = kubeconfig(env, &format!("cat {}", answer.display()));
    env.obs_by(&plugged, &env.cluster().context, ["list"]).run().ok();
}
