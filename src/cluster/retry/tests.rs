//! The retry policy against a scripted server, on paused time.

use serde_json::json;

use super::super::fake::{Fake, Step, status};
use super::super::{CreateError, DeleteOptions, Deleted, MetadataPatch, ReplaceError};
use super::*;
use crate::Exit;
use crate::object::Kind;

fn maps() -> Kind {
    Kind::namespaced("", "ConfigMap", "configmaps")
}

fn map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "ns", "resourceVersion": "1"}})
}

fn unavailable() -> Step {
    Step::Json(503, status(503, "ServiceUnavailable", "apiserver is shutting down"))
}

fn exists() -> Step {
    Step::Json(409, status(409, "AlreadyExists", "configmaps \"x\" already exists"))
}

fn modified() -> Step {
    Step::Json(409, status(409, "Conflict", "the object has been modified"))
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_sat_out() {
    let fake = Fake::new([
        unavailable(),
        Step::Reset,
        Step::Refused,
        Step::Cut("{\"kind\": \"ConfigMap\""),
        Step::Json(500, status(500, "InternalError", "etcdserver: leader changed")),
        Step::Text(502, "<html>Bad Gateway</html>"),
        Step::Text(200, "{\"kind\": \"Config"),
        Step::RetryAfter(429, 7),
        Step::Json(200, map()),
    ]);
    let started = Instant::now();
    let found = fake.reached().get(&maps(), Some("ns"), "x").await.unwrap();
    assert_eq!(found.unwrap()["metadata"]["name"], "x");
    assert_eq!(fake.asked().len(), 9);
    assert!(started.elapsed() >= Duration::from_secs(7), "Retry-After is honoured");
}

#[tokio::test(start_paused = true)]
async fn trouble_that_does_not_pass_ends_after_a_minute() {
    let fake = Fake::always(unavailable);
    let started = Instant::now();
    let error = fake.reached().get(&maps(), Some("ns"), "x").await.unwrap_err();
    assert!(started.elapsed() > Duration::from_secs(50) && started.elapsed() <= Duration::from_secs(60));
    assert_eq!(
        error.message(),
        "the cluster \"prod\" at https://10.0.0.1:6443 is not able to answer: apiserver is shutting down"
    );
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.details()[0].starts_with("tried "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_for_ever_is_a_timeout() {
    let fake = Fake::always(|| Step::Hang);
    let started = Instant::now();
    let error = fake.reached().get(&maps(), Some("ns"), "x").await.unwrap_err();
    assert!(started.elapsed() <= Duration::from_secs(61), "{:?}", started.elapsed());
    assert_eq!(
        error.to_string(),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: no answer within 30s\n  \
         hint: is a VPN or proxy needed?"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_operation_comes_first() {
    let fake = Fake::always(|| Step::Hang);
    let started = Instant::now();
    let cluster = fake.reached().with_deadline(Instant::now() + Duration::from_secs(5));
    let error = cluster.get(&maps(), Some("ns"), "x").await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(error.exit(), Exit::Deadline);
    assert_eq!(
        error.message(),
        "the time given with --timeout was over before the cluster \"prod\" at https://10.0.0.1:6443 answered \
         (get ConfigMap ns/x)"
    );
    let asked = fake.asked().len();
    assert_eq!(cluster.get(&maps(), Some("ns"), "x").await.unwrap_err().exit(), Exit::Deadline);
    assert_eq!(fake.asked().len(), asked, "after the deadline nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn first_contact_fails_at_once() {
    for step in [|| Step::Refused, || Step::Hang, || Step::Text(503, "no backend")] {
        let fake = Fake::always(step);
        let started = Instant::now();
        let error = fake.cluster().version().await.unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable);
        assert!(fake.asked().len() <= 2, "{error}");
        assert!(started.elapsed() <= Duration::from_secs(31));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clear_no_is_not_asked_again() {
    for (code, reason, message) in [
        (400, "BadRequest", "strict decoding error"),
        (401, "Unauthorized", "Unauthorized"),
        (403, "Forbidden", "no"),
        (409, "Conflict", "conflict"),
        (422, "Invalid", "no"),
        (
            500,
            "",
            "failed to create typed patch object (x/y; /v1, Kind=Service): .spec.portz: field not declared in schema",
        ),
        (500, "InternalError", "failed calling webhook \"x\": x509: certificate signed by unknown authority"),
    ] {
        let fake = Fake::new([Step::Json(code, status(code, reason, message))]);
        fake.reached().get(&maps(), Some("ns"), "x").await.unwrap_err();
        assert_eq!(fake.asked().len(), 1, "{code} {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_without_an_explanation_is_believed_after_some_attempts() {
    let fault = || Step::Json(500, status(500, "InternalError", "Internal error occurred: unexpected EOF"));
    let fake = Fake::new([fault(), fault(), Step::Json(200, map())]);
    fake.reached().get(&maps(), Some("ns"), "x").await.unwrap();

    let fake = Fake::always(fault);
    let started = Instant::now();
    let error = fake.reached().get(&maps(), Some("ns"), "x").await.unwrap_err();
    assert_eq!(fake.asked().len(), 5, "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn webhooks_that_restart_are_waited_for() {
    for message in [
        "failed calling webhook \"x\": failed to call webhook: Post \"https://w.ns.svc:443/\": dial tcp 10.0.0.7:443: connect: connection refused",
        "failed calling webhook \"x\": failed to call webhook: no endpoints available for service \"w\"",
        "failed calling webhook \"x\": failed to call webhook: Post \"https://w.ns.svc:443/\": context deadline exceeded",
    ] {
        let refusal = format!("Internal error occurred: {message}");
        let fake =
            Fake::new([Step::Json(500, status(500, "InternalError", &refusal)), Step::Json(200, map())]);
        fake.reached().get(&maps(), Some("ns"), "x").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_whose_answer_was_lost_recognises_its_object() {
    let fake = Fake::new([Step::Reset, exists(), Step::LastWrite]);
    let made = fake.reached().create(&maps(), Some("ns"), &map(), false).await.unwrap();
    assert_eq!(made["metadata"]["name"], "x");
    let nonces: Vec<_> =
        fake.asked().iter().take(2).map(|a| a.body["metadata"]["annotations"].clone()).collect();
    assert_eq!(nonces[0], nonces[1], "both attempts are the same request");

    let fake = Fake::new([Step::Hang, exists(), Step::Json(200, map())]);
    let foreign = fake.reached().create(&maps(), Some("ns"), &map(), false).await;
    assert!(matches!(foreign, Err(CreateError::AlreadyExists(_))), "{foreign:?}");
}

#[tokio::test(start_paused = true)]
async fn a_put_whose_answer_was_lost_recognises_its_change() {
    let fake = Fake::new([Step::Reset, modified(), Step::LastWrite]);
    fake.reached().replace(&maps(), Some("ns"), &map()).await.unwrap();

    let fake = Fake::new([Step::Reset, modified(), Step::Json(200, map())]);
    let lost = fake.reached().replace(&maps(), Some("ns"), &map()).await;
    assert!(matches!(lost, Err(ReplaceError::Conflict(_))), "{lost:?}");

    let gone = Step::Json(404, status(404, "NotFound", "configmaps \"x\" not found"));
    let fake = Fake::new([modified(), gone]);
    let lost = fake.reached().replace(&maps(), Some("ns"), &map()).await;
    assert!(matches!(lost, Err(ReplaceError::Gone(_))), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn a_metadata_patch_whose_answer_was_lost_recognises_its_change() {
    let fake = Fake::new([Step::Reset, modified(), Step::LastWrite]);
    let patch = MetadataPatch::default();
    fake.reached().patch_metadata(&maps(), Some("ns"), "x", &patch, Some("1")).await.unwrap();
    let fake = Fake::new([Step::Json(200, map())]);
    fake.reached().patch_metadata(&maps(), Some("ns"), "x", &patch, None).await.unwrap();
    assert_eq!(fake.asked()[0].body, json!({"metadata": {"labels": {}, "annotations": {}}}));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_was_lost_is_done() {
    let gone = || Step::Json(404, status(404, "NotFound", "configmaps \"x\" not found"));
    let options = DeleteOptions::default();
    let fake = Fake::new([Step::Reset, gone()]);
    assert_eq!(fake.reached().delete(&maps(), Some("ns"), "x", &options).await.unwrap(), Deleted::Done);
    let fake = Fake::new([gone()]);
    assert_eq!(
        fake.reached().delete(&maps(), Some("ns"), "x", &options).await.unwrap(),
        Deleted::AlreadyGone
    );
    let fake = Fake::new([Step::Refused, gone()]);
    assert_eq!(
        fake.reached().delete(&maps(), Some("ns"), "x", &options).await.unwrap(),
        Deleted::AlreadyGone
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_outlives_its_snapshot_begins_anew() {
    let page = |name: &str, next: &str| {
        Step::Json(
            200,
            json!({"kind": "ConfigMapList", "metadata": {"continue": next, "resourceVersion": "9"},
            "items": [{"metadata": {"name": name}}]}),
        )
    };
    let expired = Step::Json(410, status(410, "Expired", "the provided continue parameter is too old"));
    let fake = Fake::new([page("a", "t1"), expired, page("a", "t2"), page("b", "")]);
    let items = fake.reached().list(&maps(), Some("ns"), "a=b").await.unwrap();
    let names: Vec<_> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((&items[0]["apiVersion"], &items[0]["kind"]), (&json!("v1"), &json!("ConfigMap")));
    let list = "GET /api/v1/namespaces/ns/configmaps?labelSelector=a%3Db&limit=500";
    assert_eq!(
        fake.lines(),
        [list.to_owned(), format!("{list}&continue=t1"), list.to_owned(), format!("{list}&continue=t2")]
    );
}

#[test]
fn delays_grow_to_five_seconds_and_have_jitter() {
    for (attempts, longest) in [(1, 100), (2, 200), (3, 400), (6, 3200), (7, 5000), (40, 5000)] {
        for _ in 0..20 {
            let delay = delay(attempts, None).as_millis();
            assert!(delay <= longest && delay >= longest / 2, "{attempts}: {delay}");
        }
    }
    assert_eq!(delay(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
    assert_eq!(delay(1, Some(Duration::from_secs(3600))), Duration::from_secs(30));
}
