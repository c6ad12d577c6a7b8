//! CustomResourceDefinitions: they come first, belong to the cluster, and only go forward.

use libtest_mimic::Trial;
use serde_json::Value;

use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("definitions::they_come_first_and_stay", they_come_first_and_stay),
        trial::api("definitions::a_new_version_is_served_before_it_is_used", served_before_used),
        trial::api("definitions::a_stored_version_never_disappears", stored_versions_stay),
        trial::api("definitions::one_of_somebody_else_is_used", one_of_somebody_else),
        trial::api("definitions::the_server_knows_which_kinds_live_outside_namespaces", outside_namespaces),
        trial::api("definitions::two_releases_share_them", two_releases_share_them),
        trial::api("definitions::they_go_when_asked_and_unused", they_go_when_asked),
        trial::api("definitions::the_last_release_takes_them_whoever_made_them", the_last_release),
    ]
}

/// The group of the test's kind: no other test has it.
pub(crate) fn group(env: &Env) -> String {
    format!("{}.example.com", env.namespace())
}

/// The definition's name.
pub(crate) fn name(env: &Env) -> String {
    format!("widgets.{}", group(env))
}

/// A definition of Widgets with these versions: name, whether it is served, the fields of its spec.
/// The last one is stored.
pub(crate) fn definition(env: &Env, versions: &[(&str, bool, &[&str])]) -> String {
    let last = versions.len() - 1;
    let versions: Vec<Value> = versions
        .iter()
        .enumerate()
        .map(|(i, (name, served, fields))| {
            let fields: serde_json::Map<String, Value> = fields
                .iter()
                .map(|field| ((*field).to_owned(), serde_json::json!({"type": "string"})))
                .collect();
            serde_json::json!({"name": name, "served": served, "storage": i == last, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}}})
        })
        .collect();
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name(env), "labels": {"obs-test": env.namespace()}},
        "spec": {"group": group(env), "scope": "Namespaced", "versions": versions,
                 "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}},
    })
    .to_string()
}

/// A template of one Widget.
pub(crate) fn widget(env: &Env, version: &str, field: &str) -> String {
    format!(
        "apiVersion: {}/{version}\nkind: Widget\nmetadata: {{name: ${{{{ name }}}} }}\nspec: {{ {field}: x }}\n",
        group(env)
    )
}

/// A bundle with a definition and a Widget.
fn bundle(env: &Env, version: &str, definition: &str, widget: &str) -> String {
    env.bundle("gear", version, "", &[("crds/widgets.yaml", definition), ("templates/widget.yaml", widget)])
}

fn live(env: &Env) -> Option<Value> {
    env.get(&format!("customresourcedefinition {}", name(env)))
}

/// The fields of a version's spec, as the server knows them.
fn fields(env: &Env, version: &str) -> Vec<String> {
    let live = live(env).expect("the definition is there");
    let versions = live["spec"]["versions"].as_array().cloned().unwrap_or_default();
    let found = versions.iter().find(|v| v["name"] == version).cloned().unwrap_or_default();
    let fields = found["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].as_object().cloned();
    fields.unwrap_or_default().keys().cloned().collect()
}

pub(crate) fn widgets(env: &Env) -> String {
    format!("widgets.{}", group(env))
}

fn they_come_first_and_stay(env: &Env) {
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a"])]), &widget(env, "v1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    assert_eq!(env.list(&widgets(env)).len(), 1, "its objects come after it, also without --wait");
    let recorded = env.obs(["get", "manifest", "-o", "json"]).run().ok();
    let recorded = recorded.json_lines().into_iter().find(|o| o["kind"] == "CustomResourceDefinition");
    let recorded = recorded.expect("it is in the record");
    assert!(recorded.get("spec").is_none(), "by name and digest: {recorded}");
    let digest = recorded["metadata"]["annotations"]["kubectl-obs.dev/digest"].as_str().unwrap_or_default();
    assert!(digest.starts_with("sha256:"), "{recorded}");
    let unchanged = env.obs(["upgrade", "-y", "--wait=none", "-o", "json"]).run().ok().json();
    assert_eq!(unchanged["status"], "unchanged", "{unchanged}");
    env.obs(["drift"]).run().ok();

    let two = bundle(env, "1.1.0", &definition(env, &[("v1", true, &["a", "b"])]), &widget(env, "v1", "b"));
    env.obs(["upgrade", &two, "--wait=ready"]).run().ok();
    assert_eq!(fields(env, "v1"), ["a", "b"], "an upgrade takes it forward");
    let rolled_back = env.obs(["rollback", "-y", "--wait=none", "-o", "json"]).run().ok().json();
    assert_eq!(fields(env, "v1"), ["a", "b"], "a rollback leaves it alone");
    assert_eq!(rolled_back["pruned"], serde_json::json!([]), "{rolled_back}");
    assert_eq!(env.list(&widgets(env))[0]["spec"]["a"], "x");

    let none = env.bundle("gear", "1.2.0", "", &[("templates/map.yaml", MAP)]);
    env.obs(["upgrade", &none, "--wait=none"]).run().ok();
    assert!(env.list(&widgets(env)).is_empty(), "its objects are pruned");
    assert!(live(env).is_some(), "it is not");
    let gone = env.obs(["uninstall", "-y", "--delete-data", "-o", "json"]).run().ok().json();
    assert!(live(env).is_some(), "nor does it go with the release");
    let kept = gone["kept"].to_string();
    assert!(kept.contains(&name(env)) && kept.contains("belongs to the cluster"), "{gone}");
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\ndata: {a: b}\n";

fn served_before_used(env: &Env) {
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a"])]), &widget(env, "v1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    // a field that the live definition does not know, in the version that it does
    let two = bundle(env, "1.1.0", &definition(env, &[("v1", true, &["a", "b"])]), &widget(env, "v1", "b"));
    env.obs(["upgrade", &two, "--wait=none"]).run().ok();
    assert_eq!(env.list(&widgets(env))[0]["spec"], serde_json::json!({"b": "x"}));
    // a version that it does not serve
    let both = definition(env, &[("v1", true, &["a", "b"]), ("v2", true, &["a", "b", "c"])]);
    let three = bundle(env, "1.2.0", &both, &widget(env, "v2", "c"));
    env.obs(["upgrade", &three, "--wait=none"]).run().ok();
    let what = format!("widgets.v2.{}", group(env));
    assert_eq!(env.list(&what)[0]["spec"], serde_json::json!({"c": "x"}));
    // what the new definition does not know either is refused, and named
    let four = bundle(env, "1.3.0", &both.replace("\"c\"", "\"d\""), &widget(env, "v2", "nonsense"));
    let refused = env.obs(["upgrade", &four, "--wait=none"]).run().ends(1);
    assert!(refused.stderr.contains("nonsense"), "{refused}");
}

fn stored_versions_stay(env: &Env) {
    let old = definition(env, &[("v1alpha1", true, &["a"])]);
    let one = bundle(env, "1.0.0", &old, &widget(env, "v1alpha1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    let new = definition(env, &[("v1", true, &["a"])]);
    let two = bundle(env, "2.0.0", &new, &widget(env, "v1", "a"));
    let refused = env.obs(["upgrade", &two, "--wait=none"]).run().ends(1);
    for part in ["objects may be stored as v1alpha1", "hint: write them anew (kubectl get widgets."] {
        assert!(refused.stderr.contains(part), "{part} is missing in {refused}");
    }
    assert_eq!(newest(env), (1, "deployed".into()), "nothing was done");
    // beside it, the new version may come
    let both = definition(env, &[("v1alpha1", true, &["a"]), ("v1", true, &["a"])]);
    let two = bundle(env, "2.0.0", &both, &widget(env, "v1", "a"));
    env.obs(["upgrade", &two, "--wait=none"]).run().ok();
}

fn one_of_somebody_else(env: &Env) {
    let theirs = definition(env, &[("v1", true, &["a"])]);
    env.make_namespace();
    env.apply(&theirs);
    // until then the server itself writes it
    let own = format!("customresourcedefinition/{}", name(env));
    env.kubectl(["wait", "--for=condition=Established", "--timeout=30s", &own]).run().ok();
    let before = live(env).expect("it is there")["metadata"]["resourceVersion"].clone();
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a", "b"])]), &widget(env, "v1", "a"));
    env.obs(["install", &one, "--wait=ready"]).run().ok();
    assert_eq!(live(env).expect("it is there")["metadata"]["resourceVersion"], before, "it is used as it is");

    let newer = definition(env, &[("v1", true, &["a"]), ("v2", true, &["a"])]);
    let two = bundle(env, "2.0.0", &newer, &widget(env, "v2", "a"));
    let refused = env.obs(["upgrade", &two, "--wait=none"]).run().ends(1);
    let why = format!("is managed by somebody else and does not serve Widget in {}/v2", group(env));
    assert!(refused.stderr.contains(&why) && refused.stderr.contains("--adopt"), "{refused}");
    let asked = env.obs(["upgrade", &two, "--wait=none", "--adopt"]).run().ends(2);
    assert!(asked.stderr.contains("pass -y"), "{asked}");
    env.obs(["upgrade", &two, "--wait=none", "--adopt", "-y"]).run().ok();
    let labels = live(env).expect("it is there")["metadata"]["labels"].clone();
    assert_eq!(labels["app.kubernetes.io/managed-by"], "kubectl-obs", "{labels}");
}

/// A cluster-scoped kind whose definition is not in the bundle: the render cannot know it.
fn outside_namespaces(env: &Env) {
    let theirs = definition(env, &[("v1", true, &["a", "b"])]).replace("\"Namespaced\"", "\"Cluster\"");
    env.make_namespace();
    env.apply(&theirs);
    let own = format!("customresourcedefinition/{}", name(env));
    env.kubectl(["wait", "--for=condition=Established", "--timeout=30s", &own]).run().ok();
    let of = |field: &str| {
        let widget = widget(env, "v1", field).replace("${{ name }}", "${{ clusterName }}");
        env.bundle("gear", "1.0.0", "", &[("templates/widget.yaml", &widget)])
    };
    let one = of("a");
    env.obs(["install", &one, "--wait=none"]).run().ok();
    env.obs(["drift"]).run().ok();
    env.obs(["upgrade", &one, "--wait=none", "-y"]).run().ok();
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    assert_eq!(status["revision"], 1, "nothing differs: {status}");
    env.obs(["upgrade", &of("b"), "--wait=none", "-y"]).run().ok();
    env.obs(["rollback", "1", "--wait=none", "-y"]).run().ok();
    env.obs(["uninstall", "-y"]).run().ok();
    let left = env.kubectl(["get", &format!("widgets.{}", group(env)), "--no-headers"]).run();
    assert_eq!(left.stdout, "", "{left}");
    env.kubectl(["delete", &own]).run().ok();
}

fn two_releases_share_them(env: &Env) {
    let a = ["--release=a", "--wait=none"];
    let b = ["--release=b", "--wait=none"];
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a"])]), &widget(env, "v1", "a"));
    let two = bundle(env, "1.1.0", &definition(env, &[("v1", true, &["a", "b"])]), &widget(env, "v1", "b"));
    env.obs(["install", &one]).args(a).run().ok();
    env.obs(["install", &one]).args(b).run().ok();
    env.obs(["upgrade", &two]).args(b).run().ok();
    assert_eq!(fields(env, "v1"), ["a", "b"], "the newer one takes it forward, whoever made it");
    let unchanged = env.obs(["upgrade", "-o", "json"]).args(a).run().ok().json();
    assert_eq!(unchanged["status"], "unchanged", "the older one does not take it back: {unchanged}");
    env.obs(["uninstall", "-y", "--release=b"]).run().ok();
    let left = env.list(&widgets(env));
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["metadata"]["name"], "a-gear");
    env.obs(["upgrade", &two]).args(a).run().ok();
    env.obs(["uninstall", "-y", "--release=a"]).run().ok();
    assert!(live(env).is_some());
}

fn they_go_when_asked(env: &Env) {
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a"])]), &widget(env, "v1", "a"));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    let theirs = format!("{{apiVersion: {}/v1, kind: Widget, metadata: {{name: theirs}}}}", group(env));
    env.apply(&theirs);
    let refused = env.obs(["uninstall", "-y", "--delete-crds"]).run().ends(1);
    let why = format!("would take Widget {}/theirs along", env.namespace());
    assert!(refused.stderr.contains(&why), "{refused}");
    assert_eq!(env.list(&widgets(env)).len(), 2, "nothing was done");
    env.kubectl(["delete", &widgets(env), "theirs"]).run().ok();
    env.obs(["uninstall", "-y", "--delete-crds"]).run().ok();
    assert!(live(env).is_none());
}

fn the_last_release(env: &Env) {
    let one = bundle(env, "1.0.0", &definition(env, &[("v1", true, &["a"])]), &widget(env, "v1", "a"));
    for release in ["a", "b"] {
        env.obs(["install", &one, "--wait=none", "--release", release]).run().ok();
    }
    // b only uses it, and says so
    let kept = env
        .obs(["uninstall", "--release=b", "--dry-run=client", "--delete-crds", "-o", "json"])
        .run()
        .ok()
        .json();
    let why = format!("{} (belongs to release a in namespace {} too)", name(env), env.namespace());
    assert!(kept["kept"].to_string().contains(&why), "{kept}");
    env.obs(["uninstall", "-y", "--release=a"]).run().ok();
    let kept = env.obs(["uninstall", "--release=b", "--dry-run=client", "-o", "json"]).run().ok().json();
    let why = format!("{} (belongs to the cluster; goes with --delete-crds)", name(env));
    assert!(kept["kept"].to_string().contains(&why), "{kept}");
    env.obs(["uninstall", "-y", "--release=b", "--delete-crds"]).run().ok();
    assert!(live(env).is_none(), "the release that made it is gone");

    env.apply(&definition(env, &[("v1", true, &["a"])]));
    env.obs(["install", &one, "--wait=none"]).run().ok();
    let gone = env.obs(["uninstall", "-y", "--delete-crds", "-o", "json"]).run().ok().json();
    assert!(gone["kept"].to_string().contains("made by somebody else"), "{gone}");
    assert!(live(env).is_some(), "it is not the release's to remove");
}
