//! What is printed of secrets is a mask, and a mask never becomes a value again.

use libtest_mimic::Trial;

use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::api("masks::they_never_become_values", they_never_become_values)]
}

/// The password that is on the cluster, in base64.
fn password(env: &Env) -> String {
    env.get("secret obs-sec").expect("it is there")["data"]["p"].as_str().unwrap_or_default().to_owned()
}

fn they_never_become_values(env: &Env) {
    let sec = fixture("bundles/sec");
    let before = ["install", &sec, "--wait=none", "--set", "password=hunter2", "--set", "text=hello"];
    env.obs(before).run().ok();
    let own = password(env);
    let got = env.obs(["get", "values"]).run().ok();
    assert_eq!(got.stdout, "password: \"********\"\ntext: hello\n", "only what is secret is masked");
    assert!(
        got.stderr.contains("1 value masked: to use this output as values, print it with --show-secrets")
    );
    env.write("masked.yaml", &got.stdout);
    env.write("mask.txt", "********\n");

    let why = "password holds ********, which stands for a secret that was not printed";
    let flags = [
        ["-f", "masked.yaml"],
        ["--set", "password=********"],
        ["--set-string", "password=********"],
        ["--set-literal", "password=********"],
        ["--set-json", "password=\"********\""],
        ["--set-file", "password=mask.txt"],
    ];
    for flag in flags {
        for verb in [&["upgrade", "-y", "--wait=none"][..], &["upgrade", "--plan-out=p"], &["diff"]] {
            let code = if verb[0] == "diff" { 6 } else { 2 };
            env.obs(verb).args(flag).run().ends(code).says(why);
        }
        env.obs(["install", &sec, "--release=other"]).args(flag).run().ends(2).says(why);
    }
    env.obs(["upgrade", "-y", "--plan-out=p", "--set", "text=there"]).run().ok();
    env.obs(["upgrade", "-y", "--plan=p", "--wait=none", "-f", "masked.yaml"]).run().ends(2).says(why);
    assert_eq!((newest(env), password(env)), ((1, "deployed".into()), own.clone()), "nothing was done");

    // without the mask, and with the secret, it is a values file like any other
    env.write("rest.yaml", "text: there\n");
    env.obs(["upgrade", "-y", "--wait=none", "-f", "rest.yaml"]).run().ok();
    assert_eq!(password(env), own);
    let whole = env.obs(["get", "values", "--show-secrets"]).run().ok();
    env.write("whole.yaml", &whole.stdout);
    let same = env.obs(["upgrade", "-y", "--wait=none", "-f", "whole.yaml", "-o", "json"]).run().ok().json();
    assert_eq!(same["status"], "unchanged", "{same}");
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    assert_eq!((password(env), newest(env).0), (own, 3));
}
