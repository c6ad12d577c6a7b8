//! What is equal is what the server says. Pairs of objects A and B of many kinds are generated (with
//! `equal/kinds.rs`), and for each must hold: *install A, upgrade to B* leaves what a fresh install of
//! B leaves; the preview named what changed; a second upgrade writes nothing; drift is silent; a
//! rollback leaves what A left.
//!
//! `OBS_EQUAL_SEED=N` tries other pairs, `OBS_EQUAL_BATCH=N` one batch of them alone.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Trial;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::process::Output;
use crate::support::trial;

/// Pairs of one release.
const BATCH: usize = 32;

pub(crate) fn trials() -> Vec<Trial> {
    let short = (0..10).map(|number| {
        trial::api(&format!("equal::upgraded_is_installed_{number}"), move |env| {
            batches(env, number, 1);
        })
    });
    let long = (0..4).map(|part| {
        trial::soak_api(&format!("equal_upgraded_is_installed_{part}"), move |env| {
            batches(env, 1000 + part * 24, 24);
        })
    });
    let found = [trial::api("equal::pairs_that_once_failed", pairs_that_once_failed)];
    short.chain(long).chain(found).collect()
}

/// Pairs that the generator found, each way round.
fn pairs_that_once_failed(env: &Env) {
    kinds::define(env);
    let gadget =
        |spec: Value| json!({"apiVersion": "equal.example.com/v1", "kind": "Gadget", "body": {"spec": spec}});
    let set = |strategy: Value, account: Value| {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "body": {"spec": {
            "replicas": 0, "serviceName": "s", "updateStrategy": strategy,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "objects"}},
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": "objects"}}, "spec": {
                "serviceAccountName": account,
                "containers": [{"name": "main", "image": "registry.example.com/main:1"}]}}}}})
    };
    // an empty list of items that are merged belongs to nobody
    let pairs = [
        (json!({"interval": "1m"}), json!({"interval": "1m", "tags": []})),
        (json!({"interval": "1m"}), json!({"interval": "30s", "endpoints": []})),
        (json!({"tags": ["a"]}), json!({"tags": []})),
    ];
    let both = pairs.into_iter().flat_map(|(a, b)| [(a.clone(), b.clone()), (b, a)]).enumerate();
    let mut pairs: Vec<Pair> = both
        .map(|(i, (before, after))| Pair {
            name: format!("gadget{i}"),
            before: gadget(before),
            after: gadget(after),
        })
        .collect();
    // one default is complained of, another stays without complaint
    let (plain, named) = (set(json!({"type": "OnDelete"}), Value::Null), set(Value::Null, json!("b")));
    pairs.push(Pair { name: "set0".to_owned(), before: plain.clone(), after: named.clone() });
    pairs.push(Pair { name: "set1".to_owned(), before: named, after: plain });
    // the server's default stands in a map that was ours as an empty one
    let (empty, typed) = (set(json!({}), Value::Null), set(json!({"type": "RollingUpdate"}), Value::Null));
    pairs.push(Pair { name: "set2".to_owned(), before: empty.clone(), after: typed.clone() });
    pairs.push(Pair { name: "set3".to_owned(), before: typed, after: empty });
    // a map becomes empty, and the server complains of something else
    let deployment = |strategy: Value, dns: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "body": {"spec": {
            "replicas": 0, "strategy": strategy,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "objects"}},
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": "objects"}}, "spec": {
                "dnsConfig": dns,
                "containers": [{"name": "main", "image": "registry.example.com/main:1"}]}}}}})
    };
    let (full, hollow) = (
        deployment(Value::Null, json!({"options": [{"name": "ndots", "value": "2"}]})),
        deployment(json!({"type": "Recreate"}), json!({})),
    );
    pairs.push(Pair { name: "deployment0".to_owned(), before: full.clone(), after: hollow.clone() });
    pairs.push(Pair { name: "deployment1".to_owned(), before: hollow, after: full });
    pairs.extend(of_versions_and_defaults());
    let place = |suffix: &str| Place { env, namespace: format!("{}-{suffix}", env.namespace()) };
    let (upgraded, fresh) = (place("u"), place("f"));
    let wrong = judge(&upgraded, &fresh, &pairs);
    upgraded.remove();
    fresh.remove();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Pairs that a second generator found.
fn of_versions_and_defaults() -> Vec<Pair> {
    let sprocket = |version: &str, body: Value| json!({"apiVersion": format!("equal.example.com/{version}"), "kind": "Sprocket", "body": body});
    let of = |body: Value| sprocket("v1", body);
    let job = |parallelism: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "body": {"spec": {
            "suspend": true, "parallelism": parallelism, "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "main", "image": "registry.example.com/main:1"}]}}}}})
    };
    let scaler = |version: &str, spec: Value| {
        let mut spec = spec;
        spec["maxReplicas"] = json!(3);
        spec["scaleTargetRef"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"});
        json!({"apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler", "body": {"spec": spec}})
    };
    let service = |policy: Value| {
        json!({"apiVersion": "v1", "kind": "Service", "body": {"spec": {
            "ipFamilyPolicy": policy, "ports": [{"port": 80}]}}})
    };
    let pairs = [
        // a map becomes an empty one in another version
        (sprocket("v1", json!({"spec": {}})), sprocket("v2", json!({"spec": {"a": 1}}))),
        (sprocket("v1", json!({"spec": {"a": 1, "b": "x"}})), sprocket("v2", json!({"spec": {"b": "y"}}))),
        // a status that no subresource has
        (of(json!({"spec": {}, "status": {"x": 1}})), of(json!({"spec": {}, "status": {"x": 2}}))),
        (of(json!({"spec": {}, "status": {"x": 1}})), of(json!({"spec": {}}))),
        // an empty map where the schema has a default for the map
        (of(json!({"spec": {"limits": {"x": 9, "y": "low"}}})), of(json!({"spec": {"limits": {}}}))),
        (of(json!({"spec": {"a": 1}})), of(json!({"spec": {"a": 1, "limits": {}, "bounds": {}}}))),
        (
            of(json!({"spec": {"limits": {"x": 5}}})),
            of(json!({"spec": {"a": 1, "limits": {}, "bounds": {"x": 5}}})),
        ),
        // one kind in two versions at once
        (
            scaler("v1", json!({"targetCPUUtilizationPercentage": 80})),
            scaler("v1", json!({"targetCPUUtilizationPercentage": 80, "minReplicas": 2})),
        ),
        (scaler("v2", json!({})), scaler("v2", json!({"minReplicas": 2}))),
    ];
    let both = pairs
        .into_iter()
        .enumerate()
        .flat_map(|(i, (a, b))| [(format!("new{i}a"), a.clone(), b.clone()), (format!("new{i}b"), b, a)]);
    // an update is one write, whatever becomes empty
    let deployment = |container: Value, affinity: Value| {
        let mut container = container;
        container["name"] = json!("main");
        container["image"] = json!("registry.example.com/main:1");
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "body": {"spec": {
            "replicas": 0, "selector": {"matchLabels": {"app.kubernetes.io/name": "objects"}},
            "template": {"metadata": {"labels": {"app.kubernetes.io/name": "objects"}},
                "spec": {"affinity": affinity, "containers": [container]}}}}})
    };
    let drops = |capabilities: Value| json!({"securityContext": {"capabilities": capabilities}});
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}]}});
    let more = [
        (deployment(drops(json!({"drop": ["ALL"]})), Value::Null), deployment(drops(json!({})), Value::Null)),
        (deployment(json!({}), apart), deployment(json!({}), json!({"podAntiAffinity": {}}))),
        (of(json!({"spec": {"a": 9}})), of(json!({"spec": {}}))),
        (of(json!({"spec": {}})), of(json!({"spec": {"members": []}}))),
        (of(json!({"spec": {}})), of(json!({"spec": {"members": ["z"], "parts": [{"k": "x"}]}}))),
        (of(json!({"spec": {"a": 4}})), of(json!({"spec": {"a": 4, "parts": []}}))),
        (
            of(json!({"spec": {"items": [{"port": 1, "sub": [{"nm": "b"}]}]}})),
            of(json!({"spec": {"items": [{"port": 1, "sub": [{"nm": "b", "o": {}}]}]}})),
        ),
        (
            sprocket("v1", json!({"spec": {"parts": [{"k": "a", "v": 3}]}})),
            sprocket("v2", json!({"spec": {"parts": [{"k": "a"}]}})),
        ),
        (sprocket("v1", json!({"spec": {}})), sprocket("v2", json!({"spec": {}}))),
        (
            scaler("v2", json!({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}})),
            scaler("v1", json!({})),
        ),
    ];
    let more = more
        .into_iter()
        .enumerate()
        .flat_map(|(i, (a, b))| [(format!("more{i}a"), a.clone(), b.clone()), (format!("more{i}b"), b, a)]);
    // a default that is immutable, and a value that the server keeps: the way back says so, too
    let one_way = [
        ("job".to_owned(), job(Value::Null), job(json!(0))),
        ("service".to_owned(), service(json!("PreferDualStack")), service(Value::Null)),
    ];
    both.chain(more).chain(one_way).map(|(name, before, after)| Pair { name, before, after }).collect()
}

fn batches(env: &Env, first: u64, count: u64) {
    let seed: u64 = std::env::var("OBS_EQUAL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let only: Option<u64> = std::env::var("OBS_EQUAL_BATCH").ok().and_then(|text| text.parse().ok());
    kinds::define(env);
    let mut all = Vec::new();
    for number in (first..first + count).filter(|number| only.is_none_or(|only| only == *number)) {
        let pairs = pairs(seed * 100_000 + number);
        let place = |suffix: &str| Place { env, namespace: format!("{}-{number}{suffix}", env.namespace()) };
        let (upgraded, fresh) = (place("u"), place("f"));
        let wrong = judge(&upgraded, &fresh, &pairs);
        upgraded.remove();
        fresh.remove();
        all.extend(wrong.into_iter().map(|text| format!("batch {number}: {text}")));
    }
    assert!(all.is_empty(), "{} of them\n\n{}", all.len(), all.join("\n\n"));
}

/// An object before and after, each as apiVersion, kind and body.
struct Pair {
    name: String,
    before: Value,
    after: Value,
}

/// The same pairs for the same seed.
fn pairs(seed: u64) -> Vec<Pair> {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let kinds = kinds::all();
    (0..BATCH)
        .map(|i| {
            let kind = &kinds[(i + usize::try_from(seed % 97).unwrap()) % kinds.len()];
            let (before, after) = pair(kind).new_tree(&mut runner).expect("a pair").current();
            Pair { name: format!("{}{i}", kind.name), before, after }
        })
        .collect()
}

/// Each field of the kind is one of its values, or absent; of the second object most are the same.
fn pair(kind: &kinds::Kind) -> impl Strategy<Value = (Value, Value)> + use<> {
    let kind = kind.clone();
    let count = kind.fields.len();
    let choice = || prop::collection::vec(0..1000_usize, count);
    let stays = prop::collection::vec(prop::bool::weighted(0.6), count);
    (choice(), choice(), stays).prop_map(move |(first, second, stays)| {
        let after: Vec<usize> = (0..count).map(|i| if stays[i] { first[i] } else { second[i] }).collect();
        (kind.object(&first), kind.object(&after))
    })
}

/// A release in a namespace of its own.
struct Place<'e> {
    env: &'e Env,
    namespace: String,
}

impl Place<'_> {
    fn obs(&self, args: &[&str]) -> Output {
        self.env.obs_in(&self.namespace, args.iter().copied()).run()
    }

    fn values(&self, name: &str, pairs: &[Pair], of: fn(&Pair) -> &Value) -> String {
        let objects: serde_json::Map<String, Value> =
            pairs.iter().map(|pair| (pair.name.clone(), of(pair).clone())).collect();
        let path = format!("{}/{name}.yaml", self.namespace);
        self.env.write(&path, &json!({ "objects": objects }).to_string()).display().to_string()
    }

    /// The live objects by their key in the values.
    fn live(&self) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        let selector =
            format!("kubectl-obs.dev/release=obs,kubectl-obs.dev/release-namespace={}", self.namespace);
        let resources = kinds::RESOURCES.join(",");
        let list = self
            .env
            .kubectl_in(&self.namespace, ["get", &resources, "--selector", &selector])
            .args(["--show-managed-fields", "-o", "json"])
            .run()
            .ok()
            .json();
        for item in list["items"].as_array().into_iter().flatten() {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let key = name.rsplit('-').next().unwrap_or(name).to_owned();
            found.insert(key, item.clone());
        }
        found
    }

    fn remove(&self) {
        if std::env::var_os("OBS_KEEP").is_none() {
            self.obs(&["uninstall", "--yes", "--delete-data"]);
            self.env
                .kubectl(["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"])
                .run();
        }
    }
}

/// What does not hold, a text for each pair and property.
fn judge(upgraded: &Place<'_>, fresh: &Place<'_>, pairs: &[Pair]) -> Vec<String> {
    let bundle = fixture("bundles/objects");
    let mut wrong = Vec::new();
    let a = upgraded.values("a", pairs, |pair| &pair.before);
    let b = upgraded.values("b", pairs, |pair| &pair.after);
    upgraded.obs(&["install", &bundle, "--wait=none", "-f", &a]).ok();
    let installed = upgraded.live();
    let upgrade = ["--yes", "--wait=none", "--reset-values", "-f", &b];
    let preview = upgraded.obs(&[&["diff", "-o", "json", "--reset-values", "-f", &b][..]].concat());
    if preview.code > 1 {
        return vec![format!("diff fails: {preview}")];
    }
    let preview = preview.json();
    let made = upgraded.obs(&[&["upgrade"], &upgrade[..]].concat());
    if made.code != 0 {
        let concerned = |pair: &Pair| made.stderr.contains(&format!("-{}", pair.name));
        return vec![format!("the upgrade is refused: {made}\n{}", told(pairs, concerned))];
    }
    let after = upgraded.live();

    let again = upgraded.obs(&[&["upgrade", "-o", "json"], &upgrade[..]].concat()).ok().json();
    let unsettled = upgraded.live();
    let drift = upgraded.obs(&["drift"]);
    fresh.obs(&["install", &bundle, "--wait=none", "-f", &b]).ok();
    let expected = fresh.live();
    upgraded.obs(&["rollback", "1", "--yes", "--wait=none"]).ok();
    let back = upgraded.live();

    if again["status"] != "unchanged" {
        wrong.push(format!("the second upgrade is not unchanged: updated {}", again["updated"]));
    }
    if drift.code != 0 {
        wrong.push(format!("drift is not silent: {drift}"));
    }
    for pair in pairs {
        let name = &pair.name;
        let mut say = |what: &str, one: &Value, other: &Value| {
            wrong.push(format!(
                "{what}: {name}\n  {}\nbecause of\n  {}",
                differences(one, other).join("\n  "),
                differences(&pair.before, &pair.after).join("\n  "),
            ));
        };
        let of = |live: &BTreeMap<String, Value>| live.get(name).cloned().unwrap_or_default();
        let kept = kept(&preview, name);
        if unordered(&of(&after), &kept) != unordered(&of(&expected), &kept) {
            say(
                "an upgrade leaves something else than an install",
                &unordered(&of(&after), &kept),
                &unordered(&of(&expected), &kept),
            );
        }
        if ours(&of(&after)) != ours(&of(&expected)) {
            say("we own something else after an upgrade", &ours(&of(&after)), &ours(&of(&expected)));
        }
        if unordered(&of(&back), &[]) != unordered(&of(&installed), &[]) {
            say(
                "a rollback does not leave what was before",
                &unordered(&of(&back), &[]),
                &unordered(&of(&installed), &[]),
            );
        }
        let written = |live: &BTreeMap<String, Value>| {
            let entries = of(live)["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
            let by_us = entries.into_iter().filter(|entry| entry["manager"] == "kubectl-obs");
            (of(live)["metadata"]["generation"].clone(), by_us.collect::<Vec<_>>())
        };
        let generation = |live: &BTreeMap<String, Value>| of(live)["metadata"]["generation"].as_i64();
        let recreated = of(&installed)["metadata"]["uid"] != of(&after)["metadata"]["uid"];
        if let (Some(was), Some(is), false) = (generation(&installed), generation(&after), recreated)
            && is > was + 1
        {
            say(&format!("the upgrade writes {} times", is - was), &of(&installed), &of(&after));
        }
        if written(&after) != written(&unsettled) {
            say("the second upgrade writes", &of(&after), &of(&unsettled));
        }
        let (was, is) = (plain(&of(&installed), &[]), plain(&of(&after), &[]));
        let changed: BTreeSet<String> = differences(&was, &is).iter().map(|line| coarse(line)).collect();
        let named: BTreeSet<String> = named(&preview, name);
        // what is a field in one version of an autoscaler is an annotation in the other
        let translated = pair.before["apiVersion"] != pair.after["apiVersion"]
            && pair.after["kind"] == "HorizontalPodAutoscaler";
        if changed != named && !translated {
            say(&format!("the preview names {named:?}, and {changed:?} changed"), &was, &is);
        }
    }
    wrong
}

fn told(pairs: &[Pair], which: impl Fn(&Pair) -> bool) -> String {
    let lines = pairs.iter().filter(|pair| which(pair));
    let text = |pair: &Pair| differences(&pair.before, &pair.after).join("\n  ");
    lines.map(|pair| format!("{}\n  {}\n", pair.name, text(pair))).collect()
}

/// The same with its sets in one order: their order says nothing, and an apply may keep it.
fn unordered(object: &Value, without: &[String]) -> Value {
    let mut out = plain(object, without);
    if let Some(tags) = out.pointer_mut("/spec/tags").and_then(Value::as_array_mut) {
        tags.sort_by_key(ToString::to_string);
    }
    out
}

/// An object without what is each one's own: identity, the status, what managers own, what the server
/// hands out.
fn plain(object: &Value, without: &[String]) -> Value {
    let mut out = object.clone();
    if let Some(map) = out.as_object_mut() {
        if map["kind"] != "Sprocket" {
            map.remove("status");
        }
        map.remove("apiVersion");
    }
    if let Some(metadata) = out["metadata"].as_object_mut() {
        for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace"]
        {
            metadata.remove(key);
        }
    }
    for (at, key) in [
        ("/metadata/labels", "kubectl-obs.dev/release-namespace"),
        ("/metadata/annotations", "deprecated.daemonset.template.generation"),
        ("/metadata/annotations", "deployment.kubernetes.io/revision"),
        ("/spec/template/metadata/labels", "kubectl-obs.dev/release-namespace"),
        ("/spec/jobTemplate/spec/template/metadata/labels", "kubectl-obs.dev/release-namespace"),
        ("/spec/template/metadata/labels", "controller-uid"),
        ("/spec/template/metadata/labels", "batch.kubernetes.io/controller-uid"),
        ("/spec/selector/matchLabels", "batch.kubernetes.io/controller-uid"),
        ("/spec", "clusterIP"),
        ("/spec", "clusterIPs"),
    ] {
        if let Some(map) = out.pointer_mut(at).and_then(Value::as_object_mut) {
            map.remove(key);
        }
    }
    if out["metadata"]["annotations"] == json!({}) {
        out["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    for port in out.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if out_of_the_range_of_ours(port)
            && let Some(map) = port.as_object_mut()
        {
            map.remove("nodePort");
        }
    }
    for path in without {
        let pointer = format!("/{}", path.replace('.', "/"));
        if let Some((parent, key)) = pointer.rsplit_once('/')
            && let Some(map) = out.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            map.remove(key);
        }
    }
    out
}

/// A port that the server chose.
fn out_of_the_range_of_ours(port: &Value) -> bool {
    port["nodePort"].is_number()
}

/// What our apply owns.
fn ours(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let ours = entries.into_iter().filter(|e| e["manager"] == "kubectl-obs" && e["operation"] == "Apply");
    ours.map(|entry| entry["fieldsV1"].clone()).collect()
}

fn change<'p>(preview: &'p Value, name: &str) -> Option<&'p Value> {
    let of =
        |change: &&Value| change["object"]["name"].as_str().is_some_and(|n| n.ends_with(&format!("-{name}")));
    preview["changes"].as_array()?.iter().find(of)
}

/// What the preview says that the server keeps.
fn kept(preview: &Value, name: &str) -> Vec<String> {
    let kept = change(preview, name).map(|change| change["kept"].clone()).unwrap_or_default();
    let lines = kept.as_array().cloned().unwrap_or_default();
    lines.iter().filter_map(|line| Some(line.as_str()?.split_once(' ')?.0.to_owned())).collect()
}

/// What the preview says that changes, in the words of [`coarse`].
fn named(preview: &Value, name: &str) -> BTreeSet<String> {
    let fields = change(preview, name).map(|change| change["fields"].clone()).unwrap_or_default();
    let paths = fields.as_array().into_iter().flatten().filter_map(|field| field["path"].as_str());
    let handed_out = |path: &&str| path.ends_with(".nodePort") || path.starts_with("spec.clusterIP");
    paths.filter(|path| !handed_out(path)).map(|path| coarse(&dotted(path))).collect()
}

/// `data[a.yaml]` → `data/a.yaml`
fn dotted(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => {
                inside = true;
                out.push('/');
            }
            ']' => inside = false,
            '.' if !inside => out.push('/'),
            '/' if inside => out.push('~'),
            c => out.push(c),
        }
    }
    format!("/{out}: ")
}

/// The first steps of a path: `/spec/template/spec/x: 1 → 2` → `spec/template`, `/rules/0` → `rules`.
fn coarse(line: &str) -> String {
    let path = line.split(": ").next().unwrap_or_default();
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let deep = matches!(steps.first(), Some(&("metadata" | "spec" | "data")));
    steps.into_iter().take(if deep { 2 } else { 1 }).collect::<Vec<_>>().join("/")
}

/// Where two values differ, as JSON pointers.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    fn walk(at: &str, one: Option<&Value>, other: Option<&Value>, out: &mut Vec<String>) {
        match (one, other) {
            (one, other) if one == other => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    walk(&format!("{at}/{}", key.replace('/', "~")), a.get(key), b.get(key), out);
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for i in 0..a.len().max(b.len()) {
                    walk(&format!("{at}/{i}"), a.get(i), b.get(i), out);
                }
            }
            (one, other) => {
                let text = |v: Option<&Value>| v.map_or("absent".to_owned(), Value::to_string);
                out.push(format!("{at}: {} → {}", text(one), text(other)));
            }
        }
    }
    let mut out = Vec::new();
    // a map that comes or goes as a whole counts like its fields
    walk("", Some(one), Some(other), &mut out);
    out
}
