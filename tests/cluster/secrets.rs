//! Where secrets go that values name: to the programs that need them, and nowhere else. Each has a text that
//! is looked for in all that the cluster and the plugin show.

use std::collections::BTreeMap;
use std::time::Duration;

use kubectl_obs::object::unbase64;
use libtest_mimic::Trial;
use serde_json::Value;

use super::records::unzip;
use crate::support::env::{Env, eventually};
use crate::support::receivers::planted;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("secrets::those_that_values_name_are_in_nothing_else", named_by_values),
        trial::node("secrets::receivers_are_told_theirs_and_nobody_else_is", of_receivers),
    ]
}

/// Everything that could show a secret, by where it is; the Secrets that hold them apart.
fn everything(env: &Env, holders: &[String]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let kinds =
        env.kubectl(["api-resources", "--namespaced", "--verbs=list", "-o", "name"]).run().ok().stdout;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.contains("metrics.k8s.io")).collect();
    for namespace in [env.namespace().to_owned(), env.node_namespace()] {
        let list =
            env.kubectl_in(&namespace, ["get", &kinds.join(","), "--show-managed-fields", "-o", "json"]);
        let list = list.run().ok().json();
        for object in list["items"].as_array().expect("items") {
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            let secret = object["kind"] == "Secret";
            if secret && holders.contains(&name) {
                continue;
            }
            let place = format!("{} {namespace}/{name}", object["kind"].as_str().expect("a kind"));
            let mut text = object.to_string();
            for value in object["data"].as_object().into_iter().flatten().map(|(_, value)| value) {
                if let Some(bytes) = value.as_str().filter(|_| secret).and_then(unbase64) {
                    text += &String::from_utf8_lossy(&bytes);
                    // a record, when it is whole
                    if bytes.starts_with(&[0x1f, 0x8b]) {
                        text += &unzip(&bytes).to_string();
                    }
                }
            }
            out.insert(place, text);
        }
        if env.cluster().has_node {
            for pod in env.kubectl_in(&namespace, ["get", "pods", "-o", "name"]).run().ok().stdout.lines() {
                let logs = env.kubectl_in(&namespace, ["logs", "--all-containers", pod]).run();
                out.insert(format!("log of {pod}"), logs.stdout + &logs.stderr);
            }
        }
    }
    out
}

/// What the plugin prints of the release.
fn printed(env: &Env, out: &mut BTreeMap<String, String>, values: &[&str]) {
    for words in [
        "get all",
        "get manifest",
        "get values",
        "get inventory",
        "status -o json",
        "history -o json",
        "drift",
    ] {
        let output = env.obs(words.split(' ')).run();
        out.insert(words.to_owned(), output.stdout + &output.stderr);
    }
    for words in ["diff", "diff -o json", "template stack"] {
        let output = env.obs(words.split(' ').chain(values.iter().copied())).run();
        out.insert(words.to_owned(), output.stdout + &output.stderr);
    }
}

/// Every Secret that `tests/charts/everything.yaml` names, with every key; nothing runs, all is there.
fn named_by_values(env: &Env) {
    let namespace = env.namespace();
    let text = include_str!("../charts/everything.yaml");
    // its other namespaces are those of one cluster's apps
    let text = text.replace("namespaces: [shop, billing]", &format!("namespaces: [{namespace}]"));
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    let names = |start: &str| -> Vec<String> {
        let mut all: Vec<String> = words
            .iter()
            .filter(|word| word.starts_with(start) && word.len() > start.len())
            .map(|word| (*word).to_owned())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    let (holders, mut keys) = (names("ref-"), names("key-"));
    // of a certificate the keys are not a choice
    keys.push("ca.crt".to_owned());
    assert!(holders.len() >= 9 && keys.len() >= 10, "{holders:?} {keys:?}");
    env.make_namespace();
    for holder in &holders {
        let literal = |key: &String| format!("--from-literal={key}=planted-{holder}-{key}");
        env.kubectl(["create", "secret", "generic", holder]).args(keys.iter().map(literal)).run().ok();
    }
    let file = env.write("everything.yaml", &text).display().to_string();
    // its Secrets would have to be in another namespace
    let off = "fluentd.enabled=false";
    env.obs(["install", "--wait=none", "-y", "-f", &file, "--set", off]).run().ok();
    // again with something changed, so that there is a difference to show and a second record
    let changed = ["-f", &file, "--set", off, "--set", "alertmanager.message.maxAlerts=7"];
    let mut all = BTreeMap::new();
    printed(env, &mut all, &changed);
    assert!(all["diff"].contains("obs-alertmanager"), "{}", all["diff"]);
    env.obs(["upgrade", "--wait=none", "-y"]).args(changed).run().ok();
    all.extend(everything(env, &holders));
    let names_them = all.iter().filter(|(_, text)| text.contains("ref-a")).count();
    assert!(names_them > 4, "what names Secrets was not looked at: {:?}", all.keys());
    let leaks: Vec<&String> =
        all.iter().filter(|(_, text)| text.contains("planted-ref-")).map(|(k, _)| k).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    let held = everything(env, &[]);
    assert_eq!(
        held.values().filter(|text| text.contains("planted-ref-")).count(),
        holders.len(),
        "a search that finds"
    );
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

/// One receiver of each kind is told, with its secret, and refuses, and is gone.
fn of_receivers(env: &Env) {
    env.make_namespace();
    let all = planted::everyone(&env.host());
    let literals = all.iter().map(|planted| format!("--from-literal={}={}", planted.kind, planted.content));
    env.kubectl(["create", "secret", "generic", planted::SECRET]).args(literals).run().ok();
    let mut values = planted::values(&all);
    values["log"] = serde_json::json!({"level": "debug"});
    let file = env.write("values.yaml", &values.to_string()).display().to_string();
    let mut places = BTreeMap::new();
    let mut keep = |what: &str, output: crate::support::process::Output| {
        places.insert(what.to_owned(), output.to_string());
    };
    keep("install", env.obs(["install", "alertmanager", "--timeout=3m", "-f", &file]).run().ok());
    let test = env.obs(["alerts", "test", "-o", "json"]).run();
    assert_eq!(test.code, 0, "{test}");
    let answers = test.json()["answers"].as_array().map(Vec::len);
    assert_eq!(answers, Some(8), "{test}");
    keep("alerts test", test);
    let told = || {
        let silent = all.iter().filter(|planted| planted.kind != "switch");
        let silent: Vec<&str> = silent.filter(|p| p.receiver.messages().is_empty()).map(|p| p.kind).collect();
        if silent.is_empty() { Ok(()) } else { Err(silent.join(", ")) }
    };
    eventually(Duration::from_secs(60), told);
    for planted in &all {
        for message in planted.receiver.messages() {
            assert!(message.taken(), "{}: {message:?}", planted.kind);
            assert!(planted.is_in(&message), "{} is not told its secret: {message:?}", planted.kind);
            let others: Vec<&str> = all
                .iter()
                .filter(|other| other.kind != planted.kind && other.is_in(&message))
                .map(|p| p.kind)
                .collect();
            assert!(others.is_empty(), "{} is told the secret of {others:?}", planted.kind);
        }
        planted.receiver.answers(403, "no longer");
    }
    keep("alerts test that fails", env.obs(["alerts", "test"]).run().ends(1));
    keep("logs", env.obs(["logs", "alertmanager"]).run());
    for words in ["get all", "get manifest", "status -o json", "alerts -o json"] {
        keep(words, env.obs(words.split(' ')).run());
    }
    keep("diff", env.obs(["diff", "-f", &file, "--set", "message.maxAlerts=7"]).run());
    places.extend(everything(env, &[planted::SECRET.to_owned()]));
    assert!(places.keys().any(|place| place.starts_with("log of")), "{:?}", places.keys());
    for (place, text) in &places {
        assert_eq!(planted::found(&all, text), Vec::<&str>::new(), "{place}");
    }
    let held: Value = env.get(&format!("secret {}", planted::SECRET)).expect("it is there");
    let slack = unbase64(held["data"]["slack"].as_str().expect("a key")).expect("base64");
    assert_eq!(planted::found(&all, &String::from_utf8_lossy(&slack)), ["slack"], "a search that finds");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}
