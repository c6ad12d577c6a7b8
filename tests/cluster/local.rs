//! What is checked here without asking, and what the API server makes of the same objects: they agree,
//! in both directions.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use kubectl_obs::object::Object;
use kubectl_obs::plan::local;

use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("local::checks_agree_with_the_server", agreement),
        trial::api("local::an_empty_configmap_is_installed", an_empty_one),
    ]
}

const MIB: usize = 1024 * 1024;

/// `bytes` zeros in base64.
fn zeros(bytes: usize) -> String {
    let rest = ["", "AA==", "AAA="][bytes % 3];
    "AAAA".repeat(bytes / 3) + rest
}

/// Each: the kind, and what the object has besides apiVersion, kind and metadata.
fn table() -> Vec<(&'static str, Value)> {
    let text = |bytes: usize| "x".repeat(bytes);
    let mut all = Vec::new();
    for kind in ["ConfigMap", "Secret", "ServiceAccount"] {
        for field in ["data", "binaryData", "stringData", "immutable", "type", "automountServiceAccountToken"]
        {
            for value in [json!(null), json!({}), json!([]), json!(true), json!("x"), json!(""), json!(1)] {
                all.push((kind, json!({ field: value })));
            }
        }
    }
    for kind in ["ConfigMap", "Secret"] {
        for field in ["data", "binaryData", "stringData"] {
            for value in [
                "eA==",
                "",
                "eA=",
                "eA",
                "e A=",
                "eA==\n",
                "e\nA=\r\n=",
                "eB==",
                "eA==eA==",
                "====",
                "-_-_",
                "é",
                "x",
            ] {
                all.push((kind, json!({ field: {"a": value} })));
            }
            for value in [json!(null), json!(1), json!(true), json!({}), json!([]), json!(1.5)] {
                all.push((kind, json!({ field: {"a": value} })));
            }
            for key in ["", ".", "..", "..a", "...", ".a", "a..b", "a b", "a/b", "A_b-c.d", "é"] {
                all.push((kind, json!({ field: {key: "eA=="} })));
            }
            for length in [253, 254] {
                all.push((kind, json!({ field: {text(length): "eA=="} })));
            }
            for bytes in [MIB, MIB + 1] {
                all.push((kind, json!({ field: {"a": zeros(bytes)} })));
                all.push((kind, json!({ field: {"a": zeros(bytes - 10), "b": zeros(10)} })));
            }
        }
        all.push((kind, json!({"data": {"a": text(MIB)}})));
        all.push((kind, json!({"data": {"a": text(MIB + 1)}})));
        all.push((kind, json!({"stringData": {"a": text(MIB)}})));
        all.push((kind, json!({"stringData": {"a": text(MIB + 1)}})));
        all.push((kind, json!({"stringData": {"a": "é".repeat(MIB / 2 + 1)}})));
        all.push((kind, json!({"data": {"a": "é".repeat(MIB / 2 + 1)}})));
        for other in ["binaryData", "stringData"] {
            all.push((kind, json!({"data": {"a": "eA=="}, other: {"a": "eA=="}})));
            all.push((kind, json!({"data": {"a": "eA=="}, other: {"b": "eA=="}})));
            all.push((kind, json!({"data": {"a": zeros(MIB)}, other: {"a": "eA=="}})));
            all.push((kind, json!({"data": {"a": zeros(MIB)}, other: {"b": "eA=="}})));
            all.push((kind, json!({"data": {"a": "eA"}, other: {"a": "eA=="}})));
        }
        all.push((kind, json!({"spec": {}})));
        all.push((kind, json!({"status": null})));
        all.push((kind, json!({"type": "Opaque", "data": {"a": "eA=="}})));
        all.push((kind, json!({"immutable": false, "data": {"a": "eA=="}})));
    }
    all
}

/// The metadata that objects of the table have, and more of it.
fn metadata() -> Vec<Value> {
    let many: serde_json::Map<String, Value> =
        (0..3).map(|i| (format!("a{i}"), json!("x".repeat(90_000)))).collect();
    vec![
        json!({"labels": null}),
        json!({"labels": {"a": "b", "example.com/a": "", "A.b_c": "D"}}),
        json!({"labels": {"a": null}}),
        json!({"labels": {"a": "b c"}}),
        json!({"labels": {"a b": "c"}}),
        json!({"annotations": null}),
        json!({"annotations": {"a": "b\nc"}}),
        json!({"annotations": many}),
        json!({"annotations": {"a": "x".repeat(99_000)}}),
        json!({"name": "x.y-z"}),
        json!({"name": "x..y"}),
        json!({"name": "-x"}),
        json!({"name": "x".repeat(253)}),
        json!({"name": "x".repeat(254)}),
    ]
}

/// What the server says to a server-side apply with strict validation; None: it accepts.
fn server(env: &Env, object: &Value) -> Option<String> {
    let flags = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"];
    let output = env.kubectl(flags).stdin(object.to_string()).run();
    (output.code != 0).then_some(output.stderr)
}

fn agreement(env: &Env) {
    env.make_namespace();
    let object = |kind: &str, metadata: &Value, extra: &Value| {
        let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": env.namespace()}});
        for (key, value) in metadata.as_object().into_iter().flatten() {
            object["metadata"][key] = value.clone();
        }
        for (key, value) in extra.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    };
    let bodies = table().into_iter().map(|(kind, extra)| object(kind, &json!({}), &extra));
    let named =
        metadata().into_iter().map(|metadata| object("ConfigMap", &metadata, &json!({"data": {"a": "b"}})));
    let objects: Vec<Value> = bodies.chain(named).collect();
    // kubectl takes longer to start than the server to answer
    let part = objects.len().div_ceil(8);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = objects
            .chunks(part)
            .map(|objects| {
                scope.spawn(move || objects.iter().filter_map(|object| differ(env, object)).collect())
            })
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|_| vec!["a thread panicked".into()]))
            .collect()
    });
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), objects.len(), wrong.join("\n"));
}

/// A line when server and local check say different things.
fn differ(env: &Env, object: &Value) -> Option<String> {
    let checked = local::check(&Object::new(object.clone()).ok()?)?;
    let said = server(env, object);
    let short = |text: String| text.chars().take(200).collect::<String>();
    match (&checked, &said) {
        (Ok(()), None) | (Err(_), Some(_)) => None,
        _ => Some(format!("{}\n  here: {checked:?}\n  server: {said:?}", short(object.to_string()))),
    }
}

fn an_empty_one(env: &Env) {
    env.obs(["bundle", "lint", &fixture("bundles/datanull")]).run().ok();
    env.obs(["install", &fixture("bundles/datanull"), "--wait=none"]).run().ok();
    assert!(env.get("configmap obs-datanull-c").is_some());
}
