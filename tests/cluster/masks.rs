//! What is printed of secrets is a mask, and a mask never becomes a value again.

use libtest_mimic::Trial;

use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("masks::they_never_become_values", they_never_become_values),
        trial::api("masks::a_secret_is_masked_wherever_it_was_rendered", wherever_it_was_rendered),
    ]
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

/// A bundle that puts its password wherever a template can.
const EVERYWHERE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: ${{ name }}, annotations: {p: ${{ values.password }}}}
data:
  url: ${{ "https://bob:" ~ values.password ~ "@host/" }}
  auth: ${{ ("bob:" ~ values.password) | b64encode }}
  config.yaml: ${{ "port: 1\npassword: " ~ values.password ~ "\nlevel: " ~ values.level ~ "\n" }}
  json: ${{ {"p": [values.password]} | to_json }}
  upper: ${{ values.password | upper }}
  back: ${{ "key=" ~ (values.password | reverse) ~ ";" }}
  part: ${{ values.password[1:6] }}
"#;

fn wherever_it_was_rendered(env: &Env) {
    let folder = env.bundle("leaky", "1.0.0", "", &[
        ("values.yaml", "password: ''\nlevel: low\n"),
        (
            "values.schema.json",
            r#"{"type":"object","additionalProperties":false,"properties":{"level":{"type":"string","description":"l"},
               "password":{"type":"string","writeOnly":true,"description":"p"}}}"#,
        ),
        ("templates/all.yaml", EVERYWHERE),
        ("NOTES.txt", "log in as bob\nwith ${{ values.password }}\n"),
    ]);
    let (old, new) = ("hunter2", "correct-horse");
    // in base64, behind `bob:`, and what templates make of it
    let traces = [
        old,
        new,
        "aHVudGVyM",
        "odW50ZXIy",
        "ZYm9iOmh1bnRlcjI",
        "Y29ycmVjdC1ob3JzZ",
        "jb3JyZWN0LWhvcnN",
        "HUNTER2",
        "2retnuh",
        "unter",
        "CORRECT-HORSE",
        "esroh-tcerroc",
        "orrec",
    ];
    let silent = |args: &[&str], codes: &[i32]| {
        let output = env.obs(args.iter().copied()).run();
        assert!(codes.contains(&output.code), "{output}");
        let said = format!("{}{}", output.stdout, output.stderr);
        let found: Vec<&&str> = traces.iter().filter(|trace| said.contains(**trace)).collect();
        assert!(found.is_empty(), "{found:?} in {output}");
        output
    };
    let (password, other) = (format!("password={old}"), format!("password={new}"));
    silent(&["install", &folder, "--wait=none", "--set", &password], &[0]).says("log in as bob");
    for verb in ["manifest", "all", "notes", "values"] {
        for format in ["yaml", "json"] {
            let args: &[&str] = match verb {
                "notes" => &["get", "notes"],
                _ => &["get", verb, "-o", format],
            };
            silent(args, &[0]).prints("********");
        }
    }
    env.obs(["get", "manifest", "--show-secrets"]).run().ok().prints(old);
    silent(&["template", &folder, "--set", &password], &[0]).prints("  port: 1\n").prints("  ********\n");
    for format in [&[][..], &["-o", "json"], &["-o", "yaml"]] {
        silent(&[&["diff", "--set", &other][..], format].concat(), &[1]);
        silent(&[&["upgrade", "--dry-run=server", "--set", &other][..], format].concat(), &[0]);
        silent(
            &[&["upgrade", "--dry-run=client", "--set", &other, "--set=level=high"][..], format].concat(),
            &[0],
        );
    }
    let both = ["upgrade", "--plan-out=plan", "--set", &other, "--set=level=high"];
    silent(&both, &[0]).prints("level: high");
    let plan = std::fs::read_to_string(env.home().join("plan")).expect("a plan");
    assert!(traces.iter().all(|trace| !plan.contains(trace)), "{plan}");
    // somebody puts it where it was not, and takes it away where it was
    let patch = format!("{{\"data\": {{\"more\": \"x {old}\", \"url\": \"none\"}}}}");
    env.kubectl([
        "patch",
        "configmap",
        "obs-leaky",
        "--type=merge",
        "--field-manager=kubectl-edit",
        "--patch",
        &patch,
    ])
    .run()
    .ok();
    for format in [&[][..], &["-o", "json"]] {
        silent(&[&["drift"][..], format].concat(), &[1]);
        silent(&[&["diff", "--set", &other, "--force-conflicts"][..], format].concat(), &[1]);
    }
    silent(&["upgrade", "-y", "--wait=none", "--force-conflicts", "--events=json", "--set", &other], &[0]);
    silent(&["rollback", "--dry-run=server"], &[0]);
    silent(&["status"], &[0, 1]);
    // what was printed without it is no value again
    let masked = env.obs(["get", "manifest", "-o", "json"]).run().ok().stdout;
    let objects: Vec<serde_json::Value> =
        masked.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let config = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("the ConfigMap");
    env.write("config.txt", config["data"]["config.yaml"].as_str().expect("a text"));
    env.obs(["upgrade", "--set-file", "level=config.txt"]).run().ends(2).says("level holds ********");
}
