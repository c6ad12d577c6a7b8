//! What a watch makes of lost connections and forgotten history, against a scripted server.

use futures::StreamExt;

use super::super::fake::{Fake, Step, status};
use super::*;

fn maps() -> Kind {
    Kind::namespaced("", "ConfigMap", "configmaps")
}

fn list(version: &str, items: &[(&str, &str)]) -> Step {
    let items: Vec<_> = items
        .iter()
        .map(|(name, version)| json!({"metadata": {"name": name, "uid": name, "resourceVersion": version}, "data": {}}))
        .collect();
    Step::Json(200, json!({"metadata": {"resourceVersion": version}, "items": items}))
}

async fn first(fake: &Fake, count: usize) -> Vec<String> {
    let events = fake.reached().watch(&maps(), Some("ns"), "");
    let events: Vec<_> = events.take(count).collect().await;
    events
        .into_iter()
        .map(|event| match event {
            Ok(WatchEvent::Applied(object)) => format!(
                "{} {} {}",
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap(),
                object["metadata"]["resourceVersion"].as_str().unwrap()
            ),
            Ok(WatchEvent::Deleted(object)) => {
                format!("{} gone", object["metadata"]["name"].as_str().unwrap())
            }
            Ok(WatchEvent::Synced) => "synced".into(),
            Err(error) => error.message().to_owned(),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fills_memory_is_an_error_and_the_watch_goes_on() {
    let endless = "x".repeat(LONGEST_EVENT + 1).leak();
    let many = format!("{{\"type\":\"ADDED\",\"object\":[{}]}}\n", "0,".repeat(MOST_VALUES + 1)).leak();
    for text in [endless, many] {
        let fake = Fake::new([list("5", &[("a", "3")]), Step::Text(200, text), list("6", &[("b", "6")])]);
        let told = "the answer about ConfigMaps in namespace ns has an object that is too large";
        let events = first(&fake, 6).await;
        assert_eq!(events[..2], ["ConfigMap a 3", "synced"]);
        assert!(events[2].ends_with(told), "{events:?}");
        assert_eq!(events[3..], ["ConfigMap b 6", "a gone", "synced"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_where_it_was() {
    let fake = Fake::new([
        list("5", &[("a", "3")]),
        Step::Cut(
            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",\"uid\":\"b\",\"resourceVersion\":\"6\"}}}\n{\"type\":\"MODI",
        ),
        Step::Text(200, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}\n"),
        Step::Refused,
        Step::Text(
            200,
            "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"b\",\"uid\":\"b\",\"resourceVersion\":\"9\"}}}\n",
        ),
    ]);
    assert_eq!(first(&fake, 4).await, ["ConfigMap a 3", "synced", "ConfigMap b 6", "b gone"]);
    let versions: Vec<_> = fake
        .lines()
        .iter()
        .filter_map(|line| line.split_once("resourceVersion=").map(|(_, version)| version.to_owned()))
        .collect();
    assert_eq!(versions, ["5", "6", "8", "8"]);
}

#[tokio::test(start_paused = true)]
async fn after_forgotten_history_only_differences_are_told() {
    let gone = status(410, "Expired", "too old resource version");
    let fake = Fake::new([
        list("5", &[("a", "1"), ("b", "2"), ("c", "3")]),
        Step::Text(
            200,
            "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n",
        ),
        list("9", &[("a", "1"), ("b", "8")]),
        Step::Json(410, gone),
        list("10", &[("a", "1"), ("b", "8")]),
        Step::Hang,
    ]);
    assert_eq!(
        first(&fake, 8).await,
        [
            "ConfigMap a 1",
            "ConfigMap b 2",
            "ConfigMap c 3",
            "synced",
            "ConfigMap b 8",
            "c gone",
            "synced",
            "synced"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_the_watch_goes_on() {
    let fake = Fake::new([
        Step::Json(
            403,
            status(
                403,
                "Forbidden",
                "configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"ns\"",
            ),
        ),
        list("5", &[]),
        Step::Hang,
    ]);
    assert_eq!(first(&fake, 2).await, ["you may not list ConfigMaps in namespace ns", "synced"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_is_told() {
    let fake = Fake::always(|| Step::Refused);
    let started = Instant::now();
    let told = first(&fake, 2).await;
    assert_eq!(told[1], "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: connection refused");
    assert!(started.elapsed() > Duration::from_secs(100), "once a minute: {:?}", started.elapsed());
}
