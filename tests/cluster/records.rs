//! Records on a real API server: what `history` and `get` show of them, what becomes of a release
//! whose records somebody damaged, and records of other versions of the plugin.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kubectl_obs::object::{base64, unbase64};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::install::traces;
use crate::support::env::{Env, eventually};
use crate::support::plugin::fixture;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("records::history_is_newest_first", history_is_newest_first),
        trial::api("records::get_shows_what_is_recorded", get_shows_what_is_recorded),
        trial::api("records::a_manifest_is_what_was_rendered_and_kubectl_reads_it", a_manifest_is_read_back),
        trial::api("records::a_bad_checksum_is_named", a_bad_checksum_is_named),
        trial::api("records::a_missing_checksum_is_named", a_missing_checksum_is_named),
        trial::api("records::what_is_not_gzip_is_named", what_is_not_gzip_is_named),
        trial::api("records::a_missing_chunk_is_named", a_missing_chunk_is_named),
        trial::api("records::a_wrong_revision_label_does_no_harm", a_wrong_revision_label_does_no_harm),
        trial::api("records::an_unknown_status_is_shown_as_it_is", an_unknown_status_is_shown),
        trial::api("records::a_copy_of_a_record_is_left_alone", a_copy_of_a_record_is_left_alone),
        trial::api("records::a_deleted_record_is_made_anew_by_install", a_deleted_record_is_made_anew),
        trial::api("records::kinds_of_a_damaged_revision_go_too", kinds_of_a_damaged_revision_go_too),
        trial::api("records::format_1_is_read", format_1_is_read),
        trial::api("records::a_newer_format_is_refused_and_nothing_written", a_newer_format_is_refused),
    ]
}

/// Revision 1 is uninstalled with its history kept, revision 2 deployed; beside it another release.
fn two_revisions(env: &Env) {
    let small = fixture("bundles/small");
    let install = |release: &str| {
        env.obs(["install", &small, "--wait=none", "--set", "maps=1", "--release", release]).run().ok();
    };
    install("obs");
    env.obs(["uninstall", "--keep-history", "-y"]).run().ok();
    install("obs");
    install("other");
}

/// Deletes a Secret and makes it again, changed: records are immutable.
pub(super) fn change(env: &Env, name: &str, change: impl FnOnce(&mut Value)) {
    let mut secret = env.get(&format!("secret {name}")).expect("the Secret is there");
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        secret["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    change(&mut secret);
    env.kubectl(["delete", "secret", name]).run().ok();
    create(env, &secret);
}

fn create(env: &Env, object: &Value) {
    env.kubectl(["create", "--filename=-"]).stdin(object.to_string()).run().ok();
}

/// Puts other bytes in place of a record, with the checksum that they have.
pub(super) fn put(secret: &mut Value, bytes: &[u8]) {
    let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    secret["data"] = json!({"sha256": base64(sha256.as_bytes()), "record": base64(bytes)});
}

pub(super) fn payload(secret: &Value) -> Vec<u8> {
    unbase64(secret["data"]["record"].as_str().expect("a record")).expect("base64")
}

pub(super) fn unzip(bytes: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

pub(super) fn zip(value: &Value) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(value.to_string().as_bytes()).expect("memory");
    out.finish().expect("memory")
}

fn gone(env: &Env) {
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

/// What still works when the newest record cannot be read: the lists, the older revision, the
/// other release, and the end of it all.
fn the_rest_goes_on(env: &Env, why: &str) {
    let record = format!("record {}/obs.obs.v2 cannot be read: {why}", env.namespace());
    let delete = format!("kubectl delete secret -n {} obs.obs.v2", env.namespace());
    env.obs(["list"]).run().ok().prints("small 1.0.0").prints("other");
    let history = env.obs(["history", "-o", "json"]).run().ok().json();
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2), "{history}");

    env.obs(["status"]).run().ends(1).says(&record).says(&delete).prints("revision 2 · deployed");
    let status = env.obs(["status", "-o", "json"]).run().ends(1).says(&record).json();
    assert_eq!((&status["revision"], &status["components"]), (&json!(2), &json!([])), "{status}");
    assert!(status["damage"].as_str().is_some_and(|damage| damage.starts_with(why)), "{status}");

    let one = "--revision reads another one: 1";
    env.obs(["get", "values"]).run().ends(1).says(&record).says(&delete).says(one);
    env.obs(["get", "inventory", "--revision", "1"]).run().ok().prints("obs-small-0");
    env.obs(["get", "all", "--release", "other"]).run().ok().prints("other-small-0");
    env.obs(["status", "--release", "other"]).run().ok();

    env.obs(["uninstall", "-y", "--delete-data", "--release", "other"]).run().ok();
    env.obs(["uninstall", "-y", "--delete-data"]).run().ok().says(&record);
    gone(env);
}

fn history_is_newest_first(env: &Env) {
    two_revisions(env);
    let output = env.obs(["history"]).run().ok();
    let lines: Vec<Vec<&str>> = output
        .stdout
        .lines()
        .map(|line| line.split("   ").map(str::trim).filter(|s| !s.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["REVISION", "STATUS", "BUNDLE", "UPDATED", "BY", "DESCRIPTION"], "{output}");
    assert_eq!((lines[1][0], lines[1][1], lines[1][2]), ("2", "deployed", "small 1.0.0"), "{output}");
    assert_eq!((lines[2][0], lines[2][1], lines[2][5]), ("1", "uninstalled", "install"), "{output}");
    assert_eq!(lines.len(), 3, "{output}");

    let newest = env.obs(["history", "--max", "1", "-o", "yaml"]).run().ok();
    assert!(newest.stdout.contains("revision: 2") && !newest.stdout.contains("revision: 1"), "{newest}");
    let names = env.obs(["history", "-o", "name"]).run().ok().stdout;
    assert_eq!(names, "secret/obs.obs.v2\nsecret/obs.obs.v1\n");
    let names: Vec<&str> = names.lines().collect();
    env.kubectl(["get"]).args(names).run().ok();

    let unknown = env.obs(["history", "--release", "nope"]).run().ends(1);
    unknown.says("there is no release nope in namespace").says("hint: kubectl obs list -A");
}

fn get_shows_what_is_recorded(env: &Env) {
    two_revisions(env);
    // no value of this bundle is secret (what is masked: tests/cluster/masks.rs)
    assert_eq!(env.obs(["get", "values"]).run().ok().stdout, "maps: 1\n");
    let shown = env.obs(["get", "values", "--show-secrets"]).run().ok();
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("maps: 1\n", ""));
    assert_eq!(
        env.obs(["get", "values", "--show-secrets", "-o", "json"]).run().ok().json(),
        json!({"maps": 1})
    );

    assert_eq!(env.obs(["get", "notes"]).run().ok().stdout, "release obs is here\n");
    let inventory = env.obs(["get", "inventory"]).run().ok();
    assert!(inventory.stdout.starts_with("KIND "), "{inventory}");
    assert!(
        inventory.stdout.lines().any(|line| line.split_whitespace().collect::<Vec<_>>()
            == ["ConfigMap", env.namespace(), "obs-small-0", "small", "active"]),
        "{inventory}"
    );
    let inventory = env.obs(["get", "inventory", "-o", "json"]).run().ok().json();
    assert_eq!((&inventory["kind"], &inventory["revision"]), (&json!("ReleaseInventory"), &json!(2)));

    let all = env.obs(["get", "all", "--revision", "1", "-o", "json"]).run().ok().json();
    assert_eq!((&all["kind"], &all["status"]), (&json!("ReleaseRecord"), &json!("uninstalled")), "{all}");
    assert_eq!((&all["values"]["maps"], &all["bundle"]["name"]), (&json!(1), &json!("small")));
    let yaml = env.obs(["get", "all", "--revision", "1"]).run().ok().stdout;
    assert!(yaml.starts_with("apiVersion: kubectl-obs.dev/v1\nkind: ReleaseRecord\n"), "{yaml}");

    let missing = env.obs(["get", "values", "--revision", "7"]).run().ends(1);
    missing.says("release obs has no revision 7").says("hint: there are: 1, 2");
    env.obs(["get", "notes", "--release", "nope"]).run().ends(1).says("there is no release nope");
}

fn a_manifest_is_read_back(env: &Env) {
    env.write(
        "secret/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: secret, version: 1.0.0, description: a password}",
    );
    env.write("secret/values.yaml", "{}\n");
    env.write(
        "secret/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: ${{ name }}}\nstringData: {password: hunter2, word: \"on\"}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }}}\ndata: {a: \"0644\", b: \"line\\n\\ttab\\n\"}\n",
    );
    let folder = env.home().join("secret").display().to_string();
    env.obs(["install", &folder, "--wait=none"]).run().ok();

    let masked = env.obs(["get", "manifest"]).run().ok().says("2 secret values masked");
    assert!(!masked.stdout.contains("hunter2") && masked.stdout.contains("********"), "{masked}");
    let all = env.obs(["get", "all"]).run().ok().says("2 secret values masked");
    assert!(!all.stdout.contains("hunter2"), "{all}");
    let names = env.obs(["get", "manifest", "-o", "name"]).run().ok();
    names.prints("obs-secret");

    let shown = env.obs(["get", "manifest", "--show-secrets"]).run().ok();
    assert_eq!(shown.stderr, "");
    let template = env.obs(["template", &folder, "--show-secrets"]).run().ok().stdout;
    let template: String = template
        .lines()
        .filter(|line| !line.starts_with("# Source: "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(shown.stdout, template);
    // what kubectl reads is what is there: nothing to change
    let ours = ["diff", "--server-side", "--field-manager=kubectl-obs", "--filename=-"];
    env.kubectl(ours).stdin(shown.stdout).run().ok();
}

fn a_bad_checksum_is_named(env: &Env) {
    two_revisions(env);
    change(env, "obs.obs.v2", |secret| {
        let mut bytes = payload(secret);
        bytes.truncate(bytes.len() / 2);
        secret["data"]["record"] = json!(base64(&bytes));
    });
    // it cannot be seen from outside
    assert_eq!(env.obs(["history"]).run().ok().stderr, "");
    the_rest_goes_on(env, "its checksum does not match its content");
}

fn a_missing_checksum_is_named(env: &Env) {
    two_revisions(env);
    change(env, "obs.obs.v2", |secret| {
        secret["data"].as_object_mut().expect("data").remove("sha256");
    });
    the_rest_goes_on(env, "it has no data \"sha256\"");
}

fn what_is_not_gzip_is_named(env: &Env) {
    two_revisions(env);
    change(env, "obs.obs.v2", |secret| put(secret, b"something else"));
    the_rest_goes_on(env, "it is not gzip data");
}

fn a_missing_chunk_is_named(env: &Env) {
    two_revisions(env);
    let mut bytes = Vec::new();
    let mut chunk = Value::Null;
    change(env, "obs.obs.v2", |secret| {
        bytes = payload(secret);
        chunk = secret.clone();
        secret["metadata"]["annotations"]["kubectl-obs.dev/chunks"] = json!("2");
        secret["data"].as_object_mut().expect("data").remove("record");
    });
    for (n, part) in (1..).zip(bytes.chunks(bytes.len() / 2 + 1)) {
        chunk["metadata"] =
            json!({"name": format!("obs.obs.v2.c{n}"), "labels": chunk["metadata"]["labels"]});
        chunk["metadata"]["labels"]["kubectl-obs.dev/record"] = json!("chunk");
        chunk["data"] = json!({ "chunk": base64(part) });
        create(env, &chunk);
    }
    assert_eq!(env.obs(["history"]).run().ok().stderr, "");
    env.obs(["get", "values"]).run().ok();

    env.kubectl(["delete", "secret", "obs.obs.v2.c2"]).run().ok();
    let damaged = format!("record {}/obs.obs.v2 is damaged: its chunk 2 of 2 is missing", env.namespace());
    env.obs(["history"]).run().ok().says(&damaged).prints("deployed");
    let history = env.obs(["history", "-o", "json"]).run().ok().json();
    assert_eq!(history["items"][0]["damage"], "its chunk 2 of 2 is missing");
    assert_eq!(env.obs(["list"]).run().ok().stderr, "", "a list is one request");
    the_rest_goes_on(env, "its chunk 2 of 2 is missing");
}

fn a_wrong_revision_label_does_no_harm(env: &Env) {
    two_revisions(env);
    env.kubectl(["label", "--overwrite", "secret", "obs.obs.v2", "kubectl-obs.dev/revision=two"]).run().ok();
    let why = "its label kubectl-obs.dev/revision is \"two\", not 2";
    let damaged = format!("record {}/obs.obs.v2 is damaged: {why}", env.namespace());
    env.obs(["list"]).run().ok().says(&damaged).prints("other");
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    assert_eq!((&list["items"][0]["revision"], &list["items"][0]["damage"]), (&json!(2), &json!(why)));
    env.obs(["history"]).run().ok().says(&damaged).prints("uninstalled");
    env.obs(["status"]).run().ok().prints("revision 2");
    env.obs(["get", "values", "--show-secrets"]).run().ok().prints("maps: 1");
    // the revision counts: another install is refused, and its record goes with the release
    let small = fixture("bundles/small");
    env.obs(["install", &small, "--wait=none"]).run().ends(1).says("is already deployed");
    env.obs(["uninstall", "-y", "--delete-data", "--release", "other"]).run().ok();
    env.obs(["uninstall", "-y", "--delete-data"]).run().ok();
    gone(env);
}

fn an_unknown_status_is_shown(env: &Env) {
    two_revisions(env);
    let label = "kubectl-obs.dev/status=hibernating";
    env.kubectl(["label", "--overwrite", "secret", "obs.obs.v2", label]).run().ok();
    for verb in ["list", "history", "status"] {
        let output = env.obs([verb]).run().ok().prints("hibernating");
        assert_eq!(output.stderr, "");
    }
    assert_eq!(env.obs(["get", "all", "-o", "json"]).run().ok().json()["status"], "hibernating");
    env.obs(["uninstall", "-y", "--delete-data", "--release", "other"]).run().ok();
    env.obs(["uninstall", "-y", "--delete-data"]).run().ok();
    gone(env);
}

fn a_copy_of_a_record_is_left_alone(env: &Env) {
    two_revisions(env);
    let mut copy = env.get("secret obs.obs.v2").expect("the record is there");
    let labels = copy["metadata"]["labels"].take();
    copy["metadata"] = json!({"name": "backup", "labels": labels});
    create(env, &copy);
    let left_out = format!(
        "Secret {}/backup is left out: its name is not one of a record of release obs",
        env.namespace()
    );
    env.obs(["list"]).run().ok().says(&left_out);
    env.obs(["history"]).run().ok().says(&left_out);
    env.obs(["get", "notes"]).run().ok();
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.get("secret backup").is_some(), "it is somebody's");
    env.obs(["history"]).run().ends(1).says("there is no release obs");
}

/// What the hint about a damaged record promises.
fn a_deleted_record_is_made_anew(env: &Env) {
    two_revisions(env);
    change(env, "obs.obs.v2", |secret| put(secret, b"something else"));
    env.kubectl(["delete", "secret", "obs.obs.v2"]).run().ok();
    let uid = |env: &Env| env.get("configmap obs-small-0").map(|map| map["metadata"]["uid"].clone());
    let before = uid(env);
    env.obs(["install", &fixture("bundles/small"), "--wait=none", "--set", "maps=1"]).run().ok();
    assert_eq!(uid(env), before, "it takes over what is there");
    env.obs(["status"]).run().ok().prints("revision 2 · deployed");
}

fn kinds_of_a_damaged_revision_go_too(env: &Env) {
    env.write(
        "budget/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: budget, version: 1.0.0, description: a budget}",
    );
    env.write("budget/values.yaml", "{}\n");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }}}\n";
    env.write("budget/templates/map.yaml", map);
    let folder = env.home().join("budget").display().to_string();
    env.obs(["install", &folder, "--wait=none"]).run().ok();
    env.obs(["uninstall", "--keep-history", "-y"]).run().ok();
    env.write(
        "budget/templates/budget.yaml",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: ${{ name }}}\nspec: {maxUnavailable: 1}\n",
    );
    env.obs(["install", &folder, "--wait=none"]).run().ok();
    assert!(env.get("poddisruptionbudget obs-budget").is_some());
    change(env, "obs.obs.v2", |secret| put(secret, b"something else"));
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    gone(env);
}

/// A Secret of `tests/fixtures/records/` in the test's namespace; its payload is as it was.
fn recorded(env: &Env, file: &str) -> Value {
    let text = std::fs::read_to_string(fixture(&format!("records/{file}"))).expect("the fixture is there");
    let mut secret: Value = serde_json::from_str(&text).expect("JSON");
    secret["metadata"]["namespace"] = json!(env.namespace());
    secret["metadata"]["labels"]["kubectl-obs.dev/release-namespace"] = json!(env.namespace());
    secret
}

fn format_1_is_read(env: &Env) {
    env.make_namespace();
    create(env, &recorded(env, "format-1.json"));
    env.obs(["list"]).run().ok().prints("deployed").prints("small 1.0.0");
    env.obs(["history"]).run().ok().prints("2026-11-20 09:30").prints("alice@build-7").prints("first try");
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    let component = &status["components"][0];
    assert_eq!((&component["name"], &component["version"]), (&json!("small"), &json!("v1.0.0")), "{status}");
    assert!(component["why"].as_str().is_some_and(|why| why.ends_with("is missing")), "{status}");
    env.obs(["get", "values", "--show-secrets"]).run().ok().prints("maps: 1");
    env.obs(["get", "manifest"]).run().ok().prints("kind: Deployment");
    env.obs(["get", "inventory"]).run().ok().prints("obs-small-0");
    assert_eq!(env.obs(["get", "notes"]).run().ok().stdout, "release obs is here\n");
    let all = env.obs(["get", "all", "-o", "json"]).run().ok().json();
    assert_eq!((&all["format"], &all["bundle"]["source"]), (&json!(1), &json!("/tmp/small-1.0.0.tgz")));
    env.obs(["uninstall", "-y"]).run().ok();
    assert_eq!(env.list("secrets"), [""; 0]);
}

fn a_newer_format_is_refused(env: &Env) {
    env.make_namespace();
    let mut newer = recorded(env, "format-99.json");
    for status in ["deployed", "failed"] {
        newer["metadata"]["labels"]["kubectl-obs.dev/status"] = json!(status);
        create(env, &newer);
        let before = state(env);
        let name = format!("record {}/obs.obs.v1", env.namespace());
        let message =
            format!("{name} cannot be read: it has format 99, this version of kubectl-obs reads up to 1");
        let hint = "hint: a newer version of kubectl-obs wrote it: upgrade the plugin";
        env.obs(["list"]).run().ok().prints(status).prints("stack 9.0.0");
        env.obs(["history"]).run().ok().prints(status);
        env.obs(["status"]).run().ends(1).says(&message).says(hint).prints(status);
        for what in ["values", "manifest", "notes", "inventory", "all"] {
            let output = env.obs(["get", what]).run().ends(1).says(&message).says(hint);
            assert_eq!(output.stdout, "");
        }
        env.obs(["uninstall", "-y", "--delete-data"]).run().ends(1).says(&message).says(hint);
        env.obs(["uninstall", "--dry-run=client"]).run().ends(1).says(&message);
        for verb in [["install", "--wait=none"], ["upgrade", "--wait=none"]] {
            env.obs(verb).args([fixture("bundles/small")]).run().ends(1).says(&message).says(hint);
        }
        env.obs(["rollback", "-y"]).run().ends(1).says(&message).says(hint);
        assert_eq!(state(env), before, "nothing was written");
        env.kubectl(["delete", "secret", "obs.obs.v1"]).run().ok();
    }
    // the fixture is what it says: only its format is new
    let record = unzip(&payload(&newer));
    assert_eq!(record["format"], 99);
    put(&mut newer, &zip(&json!({"format": 99})));
    create(env, &newer);
    env.obs(["get", "notes"]).run().ends(1).says("it has format 99");
}

/// Everything in the namespace, and itself, with its version.
fn state(env: &Env) -> Vec<String> {
    let mut objects = env.list("secrets,configmaps,leases,serviceaccounts,services,deployments.apps");
    objects.extend(env.get(&format!("namespace {}", env.namespace())));
    objects.retain(|object| {
        object["metadata"]["name"] != "kube-root-ca.crt" && object["metadata"]["name"] != "default"
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    objects
        .iter()
        .map(|object| {
            let metadata = &object["metadata"];
            format!(
                "{} {} {}",
                text(&object["kind"]),
                text(&metadata["name"]),
                text(&metadata["resourceVersion"])
            )
        })
        .collect()
}
