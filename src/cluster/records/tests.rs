//! What is wrong with a record and how it is told, against a scripted server; `tests/cluster/records.rs`
//! does the same to real ones.

use super::*;
use crate::cluster::fake::{Fake, Step};

async fn read(header: Value, rest: impl IntoIterator<Item = Step>) -> String {
    let fake = Fake::new([Step::Json(200, header)].into_iter().chain(rest));
    Store::new(&fake.reached(), "x", "a").read(1).await.unwrap_err().to_string()
}

fn header(chunks: &str, data: Value) -> Value {
    json!({"metadata": {"annotations": {history::CHUNKS: chunks}}, "data": data})
}

/// Damage that the API server lets nobody do, and some that it does.
#[tokio::test]
async fn damage_is_told_with_the_way_out() {
    let sha256 = base64(b"0");
    for (header, why) in [
        (header("0", json!({"sha256": "%%%"})), "its data \"sha256\" is not base64"),
        (header("0", json!({"sha256": sha256, "record": "%%%"})), "its data \"record\" is not base64"),
        (header("0", json!({"sha256": sha256})), "it has no data \"record\""),
        (header("many", json!({"sha256": sha256})), "it does not say how many chunks it has"),
        (
            header("4000000000", json!({"sha256": sha256})),
            "it says that it has 4000000000 chunks, and 75 is the most",
        ),
    ] {
        assert_eq!(
            read(header, []).await,
            format!(
                "record x/obs.a.v1 cannot be read: {why}\n  hint: restore it from a backup; or delete it \
                 (kubectl delete secret -n x obs.a.v1) and run kubectl obs install, which takes over what is there"
            )
        );
    }
    let chunk = Step::Json(200, json!({"data": {"chunk": ""}}));
    let gone = Step::Json(404, crate::cluster::fake::status(404, "NotFound", "no"));
    let error = read(header("2", json!({"sha256": sha256})), [chunk, gone]).await;
    assert!(error.contains("its chunk 2 of 2 is missing"), "{error}");
}

/// A record of which the values are a list of so many.
fn large(revision: Revision, values: usize) -> Value {
    let record = Record { values: json!(vec![0; values]), ..Record::sample(revision) };
    let encoded = codec::encode(&record).unwrap();
    let data = json!({"sha256": base64(encoded.sha256.as_bytes()), "record": base64(&encoded.parts[0])});
    header("0", data)
}

#[tokio::test]
async fn records_are_not_larger_together_than_a_command_can_hold() {
    let third = MAX_VALUES / 3 - 1_000;
    let headers: Vec<Header> = (1..=4)
        .map(|revision| {
            let name = history::secret_name("a", revision);
            let metadata = json!({"name": name, "namespace": "x",
                "labels": {labels::RELEASE: "a", history::RECORD: "header"}});
            Header::from_metadata(&serde_json::from_value(metadata).unwrap()).unwrap()
        })
        .collect();
    let answers = (1..=4).rev().map(|revision| Step::Json(200, large(revision, third)));
    let fake = Fake::new(answers);
    let read = Store::new(&fake.reached(), "x", "a").read_all(&headers).await;
    let read: Vec<_> = read.into_iter().map(|record| record.unwrap().map(|record| record.revision)).collect();
    let why = "it and the newer ones have more than 4000000 values together".to_owned();
    assert_eq!(read, [Err(Unusable::Damaged(why)), Ok(2), Ok(3), Ok(4)]);
}

#[tokio::test]
async fn a_record_that_is_gone_is_not_damaged() {
    let fake = Fake::new([Step::Json(404, crate::cluster::fake::status(404, "NotFound", "no"))]);
    let store = Store::new(&fake.reached(), "x", "a");
    assert_eq!(store.try_read(1).await.unwrap(), Err(Unusable::Gone));
}

#[tokio::test]
async fn chunks_are_looked_for_only_where_there_are_some() {
    let header = |revision: u32, chunks: &str| {
        json!({"metadata": {"name": history::secret_name("a", revision), "namespace": "x",
            "labels": {history::RECORD: "header", history::REVISION: revision.to_string(),
                history::STATUS: "deployed", labels::RELEASE: "a", labels::RELEASE_NAMESPACE: "x"},
            "annotations": {history::CHUNKS: chunks}}})
    };
    let list = |items: Value| Step::Json(200, json!({"metadata": {}, "items": items}));
    let one = Fake::new([list(json!([header(1, "0")]))]);
    let store = Store::new(&one.reached(), "x", "a");
    assert_eq!(store.history_with_chunks().await.unwrap().damage(), []);

    let chunk = json!({"metadata": {"name": "obs.a.v2.c1"}});
    let two = Fake::new([list(json!([header(1, "0"), header(2, "2")])), list(json!([chunk]))]);
    let history = Store::new(&two.reached(), "x", "a").history_with_chunks().await.unwrap();
    assert_eq!(history.damage_of(2).unwrap().why, "its chunk 2 of 2 is missing");
    assert_eq!(history.headers().len(), 2);
}

/// What a killed writer left goes; a chunk whose label somebody changed, or a copy, does not.
#[tokio::test]
async fn only_chunks_of_no_revision_are_swept() {
    let chunk = |name: &str, revision: &str| {
        json!({"metadata": {"name": name,
            "labels": {labels::RELEASE: "a", history::REVISION: revision}}})
    };
    let chunks = json!([chunk("obs.a.v1.c1", "one"), chunk("obs.a.v2.c1", "2"), chunk("copy", "2")]);
    let fake = Fake::new([
        Step::Json(200, json!({"metadata": {}, "items": chunks})),
        Step::Json(200, json!({"kind": "Status", "status": "Success"})),
    ]);
    let header = json!({"name": "obs.a.v1", "labels": {history::RECORD: "header", labels::RELEASE: "a"}});
    let header = Header::from_metadata(&serde_json::from_value(header).unwrap()).unwrap();
    let store = Store::new(&fake.reached(), "x", "a");
    let chunks = store.chunks().await.unwrap();
    store.sweep(&History::new(vec![header]), &chunks).await.unwrap();
    assert_eq!(fake.lines()[1..], ["DELETE /api/v1/namespaces/x/secrets/obs.a.v2.c1"]);
}

/// What was read before the lock holds as long as the newest revision is the same and none follows.
#[tokio::test]
async fn two_reads_by_name_tell_whether_a_history_is_current() {
    let header = json!({"name": "obs.a.v1", "resourceVersion": "7",
        "labels": {history::RECORD: "header", labels::RELEASE: "a"}});
    let history =
        History::new(vec![Header::from_metadata(&serde_json::from_value(header).unwrap()).unwrap()]);
    let found = |version: &str| Step::Json(200, json!({"metadata": {"resourceVersion": version}}));
    let absent =
        || Step::Json(404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}));
    for (answers, current) in [
        (vec![found("7"), absent()], true),
        (vec![found("8")], false),
        (vec![found("7"), found("9")], false),
        (vec![absent()], false),
    ] {
        let fake = Fake::new(answers);
        let store = Store::new(&fake.reached(), "x", "a");
        assert_eq!(store.is_current(&history).await.unwrap(), current, "{:?}", fake.lines());
    }
    let fake = Fake::new([absent()]);
    assert!(Store::new(&fake.reached(), "x", "a").is_current(&History::new(vec![])).await.unwrap());
}
