//! A cluster with 500 releases of 10 revisions, of each of the two tools: what `list` and `history`
//! cost there. One release is made by each tool; the others are copies of its last record under
//! other names, as 5,000 upgrades would have left them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kubectl_obs::object::{base64, unbase64};
use serde_json::{Map, Value, json};

use crate::contest::{Contest, Rows, Series, alternate, output, text};
use crate::floor::{self, Request};
use crate::load::{self, Size};
use crate::{chart, measure};

const RELEASES: usize = 500;
const REVISIONS: usize = 10;
const NAMESPACES: usize = 5;
/// Objects in each release; of 1 KiB, so that a record has a few: small for Helm, and of no
/// importance for a list of metadata.
const OBJECTS: usize = 25;

/// Fills the cluster, then asks it.
pub(crate) fn run(contest: &Contest, pairs: u32) -> Rows {
    eprintln!("list-500x10: making {RELEASES} releases of {REVISIONS} revisions, twice");
    let [ours, peer] = samples(contest);
    let spaces: Vec<String> = (0..NAMESPACES).map(|i| contest.namespace(&format!("fleet-{i}"))).collect();
    contest.send_all(spaces.iter().map(|name| Request::apply(&floor::namespace(name))));
    let releases = || (0..RELEASES).map(|i| (&spaces[i % NAMESPACES], format!("fleet-{i:03}")));
    let revisions = releases().flat_map(|at| (1..=REVISIONS).map(move |n| (at.clone(), n)));
    contest.send_all(revisions.flat_map(|((space, release), revision)| {
        let copies = [ours_as(&ours, space, &release, revision), peer_as(&peer, space, &release, revision)];
        let collection = format!("/api/v1/namespaces/{space}/secrets");
        copies.map(|copy| Request::create(&collection, copy))
    }));

    let own = contest.ours_there(&["list", "--all-namespaces", "--output=json"]);
    let other = contest.helm_there(&["list", "--all-namespaces", "--max=0", "--output=json"]);
    for command in [&own, &other] {
        let listed = output(command);
        let found: usize = spaces.iter().map(|name| listed.matches(&format!("\"{name}\"")).count()).sum();
        assert_eq!(found, RELEASES, "$ {}\nlists another number", command.join(" "));
    }
    let headers = "labelSelector=kubectl-obs.dev/record%3Dheader";
    let mut list = alternate("list-500x10", pairs, &own, &other);
    bare(contest, &mut list, format!("/api/v1/secrets?{headers}"), pairs);

    let (space, release) = releases().next().expect("there are releases");
    let (release, space_flag) = (release.as_str(), format!("--namespace={space}"));
    let own = contest.ours_there(&["history", &format!("--release={release}"), &space_flag]);
    let other = contest.helm_there(&["history", release, &space_flag]);
    let of_release = format!("{headers},kubectl-obs.dev/release%3D{release}");
    let mut history = alternate("history", pairs, &own, &other);
    bare(contest, &mut history, format!("/api/v1/namespaces/{space}/secrets?{of_release}"), pairs);
    vec![("list-500x10", list), ("history", history)]
}

fn bare(contest: &Contest, series: &mut Series, path: String, times: u32) {
    let command = contest.bare(&[vec![Request::list_metadata(path)]]);
    series.floor.extend((0..times).map(|_| measure::run(&command)));
}

/// The record of a release that each of the tools made.
fn samples(contest: &Contest) -> [Value; 2] {
    let (bundle, helm_chart) = (contest.path("fleet"), contest.path("fleet-chart"));
    load::write(&bundle, &load::objects(OBJECTS, Size::Each(1024)));
    chart::write(&helm_chart, &contest.rendered(&[&text(&bundle), "--release=load"]));
    let spaces = ["ours", "peer"].map(|who| contest.namespace(&format!("seed-{who}")));
    let [own, other] = spaces.each_ref().map(|space| format!("--namespace={space}"));
    let bundle = text(&bundle);
    output(&contest.ours_there(&["install", &bundle, "--release=load", "--wait=none", "--yes", &own]));
    let words = ["install", "load", &text(&helm_chart), "--create-namespace", "--server-side=true", &other];
    output(&contest.helm_there(&words));
    let records = [
        contest.kubectl(&["get", "secret", "obs.load.v1", &own, "--output=json"]),
        contest.kubectl(&["get", "secret", "sh.helm.release.v1.load.v1", &other, "--output=json"]),
    ];
    records.map(|record| serde_json::from_str(&record).expect("a Secret is JSON"))
}

/// Our record as that of another release and revision.
fn ours_as(record: &Value, namespace: &str, release: &str, revision: usize) -> Value {
    let mut labels = map(&record["metadata"]["labels"]);
    labels.insert("kubectl-obs.dev/release".into(), json!(release));
    labels.insert("kubectl-obs.dev/release-namespace".into(), json!(namespace));
    labels.insert("kubectl-obs.dev/revision".into(), json!(revision.to_string()));
    labels.insert("kubectl-obs.dev/status".into(), json!(status(revision)));
    let metadata = json!({
        "name": format!("obs.{release}.v{revision}"), "namespace": namespace,
        "labels": labels, "annotations": record["metadata"]["annotations"],
    });
    secret(record, metadata, record["data"].clone())
}

/// Helm's record as that of another release and revision; what `helm list` shows is in its payload.
fn peer_as(record: &Value, namespace: &str, release: &str, revision: usize) -> Value {
    let mut payload = unpack(record["data"]["release"].as_str().expect("Helm's payload"));
    payload["name"] = json!(release);
    payload["namespace"] = json!(namespace);
    payload["version"] = json!(revision);
    payload["info"]["status"] = json!(status(revision));
    let mut labels = map(&record["metadata"]["labels"]);
    labels.insert("name".into(), json!(release));
    labels.insert("version".into(), json!(revision.to_string()));
    labels.insert("status".into(), json!(status(revision)));
    let metadata = json!({
        "name": format!("sh.helm.release.v1.{release}.v{revision}"), "namespace": namespace, "labels": labels,
    });
    secret(record, metadata, json!({ "release": pack(&payload) }))
}

fn secret(record: &Value, metadata: Value, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": record["type"], "metadata": metadata, "data": data,
    })
}

fn status(revision: usize) -> &'static str {
    if revision == REVISIONS { "deployed" } else { "superseded" }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Helm's payload is JSON, gzip and base64; the Secret adds another base64.
fn unpack(data: &str) -> Value {
    let inner = unbase64(data).expect("base64");
    let packed = unbase64(std::str::from_utf8(&inner).expect("text")).expect("base64 in base64");
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut json).expect("gzip");
    serde_json::from_slice(&json).expect("JSON")
}

fn pack(payload: &Value) -> String {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(&serde_json::to_vec(payload).expect("JSON")).expect("gzip");
    base64(base64(&gz.finish().expect("gzip")).as_bytes())
}
