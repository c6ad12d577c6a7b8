//! What the chain of logs is made of: the last lines of the containers, what Loki has of them, and the collectors
//! of their nodes.

use std::collections::BTreeMap;

use futures::future::join_all;
use http::Request;
use jiff::Timestamp;
use serde_json::Value;

use super::super::Report;
use super::super::logs::{self, Line, Written};
use super::super::target::{self, Target};
use super::{first_prometheus, quoted};
use crate::cluster::{Cluster, LogQuery, Since};
use crate::doctor::queries::QUERIES;
use crate::error::{Error, Result};
use crate::object::{builtin, labels};
use crate::ops::apps::pods::{self, list, text};
use crate::ops::get::values as shown_values;
use crate::ops::pod::{self, Place, TRY};
use crate::ops::{Context, apps, why};
use crate::release::Record;

/// The components that collect and store logs.
const FLUENTD: &str = "fluentd";
const LOKI: &str = "loki";
/// Pods whose logs are followed, and lines of each container.
const PODS: usize = 3;
const LINES: u32 = 40;
/// Most lines that Loki is asked for at once; the values may let it give fewer (`limits.maxEntries`).
const ENTRIES: usize = 5_000;
/// How much around the lines that are looked for Loki is asked for, in nanoseconds: less where that is too much. A
/// line may be a part of a record that begins before it.
const MARGINS: [i128; 3] = [1_000_000_000, 50_000_000, 1_000_000];

/// From what a pod writes to the line in Loki.
pub async fn logs(ctx: &Context<'_>, typed: &str) -> Result<Report> {
    let record = apps::deployed(ctx).await?;
    let (mut seen, warnings) = apps::around(ctx, &record).await?;
    seen.values = shown_values(&record, false).0;
    let target = target::find(typed, &seen)?;
    let has = |name: &str| record.components.iter().any(|component| component.name == name);
    let collector = |pod: &&Value| {
        pod["metadata"]["labels"][labels::OBS_COMPONENT] == FLUENTD && why::pod_reason(pod).is_none()
    };
    let collectors = seen.pods.iter().filter(collector).filter_map(|pod| pod["spec"]["nodeName"].as_str());
    let collectors = collectors.map(str::to_owned).collect();
    let namespaces = builtin::namespaces();
    let now = Timestamp::now();
    let (written, troubles, namespace) = tokio::join!(
        written(ctx, &record, &target, &seen.values, now),
        troubles(ctx, &record),
        ctx.cluster.get(&namespaces, None, &target.namespace),
    );
    // the bundle alone has no level of that name
    let exclude = match &seen.values[FLUENTD]["exclude"] {
        Value::Null => seen.values["exclude"].clone(),
        exclude => exclude.clone(),
    };
    let facts = logs::Facts {
        collects: has(FLUENTD),
        stores: has(LOKI),
        exclude,
        annotations: namespace.ok().flatten().unwrap_or_default()["metadata"]["annotations"].clone(),
        written,
        collectors,
        troubles,
        now,
        target,
    };
    Ok(Report::of(&record, "logs", logs::chain(&facts), Vec::new(), warnings))
}

/// What the containers of its first pods wrote, and what Loki has of it.
async fn written(
    ctx: &Context<'_>,
    record: &Record,
    target: &Target,
    values: &Value,
    now: Timestamp,
) -> Vec<Written> {
    let running = target.pods.iter().filter(|pod| pod["status"]["phase"] == "Running").take(PODS);
    let containers = running.flat_map(|pod| pods::containers(pod).map(move |container| (pod, container)));
    let asked = containers.map(|(pod, container)| async move {
        let (pod_name, name) = (text(&pod["metadata"]["name"]), text(&container["name"]));
        let lines = lines(ctx.cluster, &target.namespace, &pod_name, &name, now).await;
        let due = lines.as_ref().map(|lines| logs::due(lines, now)).unwrap_or_default();
        let times = (due.first().and_then(|line| line.time), due.last().and_then(|line| line.time));
        let stored = match times {
            (Some(first), Some(last)) => {
                let labels = [("namespace", &target.namespace), ("pod", &pod_name), ("container", &name)];
                let labels = labels.map(|(label, value)| format!("{label}={}", quoted(value)));
                stored(ctx, record, values, &format!("{{{}}}", labels.join(",")), (first, last)).await
            }
            _ => Ok(Vec::new()),
        };
        Written { node: text(&pod["spec"]["nodeName"]), pod: pod_name, container: name, lines, stored }
    });
    join_all(asked).await
}

/// The last lines of a container. Where it writes so much that all of them may be on their way, those before
/// that are due: as many, read from two minutes ago on.
async fn lines(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: &str,
    now: Timestamp,
) -> Result<Vec<Line>, String> {
    let query = LogQuery { tail: Some(LINES), ..LogQuery::default() };
    let last = read(cluster, (namespace, pod, container), query, |_| true).await?;
    if last.len() < LINES as usize || !logs::due(&last, now).is_empty() {
        return Ok(last);
    }
    let since = Some(Since::Ago(logs::LATELY.unsigned_abs()));
    let query = LogQuery { since, ..LogQuery::default() };
    let is_due = |line: &Line| !logs::due(std::slice::from_ref(line), now).is_empty();
    let young =
        |line: &Line| line.time.is_some_and(|time| now.as_second() - time.as_second() <= logs::ON_ITS_WAY);
    let mut wanted = LINES;
    let mut before = read(cluster, (namespace, pod, container), query, |line| {
        wanted -= u32::from(is_due(line));
        wanted > 0 && !young(line)
    })
    .await?;
    before.retain(is_due);
    before.extend(last);
    Ok(before)
}

/// The lines of a log, to the one after which nobody wants more.
async fn read(
    cluster: &Cluster,
    (namespace, pod, container): (&str, &str, &str),
    query: LogQuery,
    mut more: impl FnMut(&Line) -> bool,
) -> Result<Vec<Line>, String> {
    let log = cluster.log_lines(namespace, pod, container, query).await;
    let mut log = log.map_err(|error| Error::from(error).message().to_owned())?;
    let mut all = Vec::new();
    while let Some(line) = log.next().await.map_err(|error| error.message().to_owned())? {
        let line = Line { time: line.time, text: line.text };
        let goes_on = more(&line);
        all.push(line);
        if !goes_on {
            break;
        }
    }
    Ok(all)
}

/// The lines of a stream that Loki has of a time.
async fn stored(
    ctx: &Context<'_>,
    record: &Record,
    values: &Value,
    selector: &str,
    times: (Timestamp, Timestamp),
) -> Result<Vec<String>, String> {
    let places = pod::places(ctx, record, LOKI).await.ok_or("the release has no loki")??;
    let place = places.into_iter().next().ok_or("loki has no ready pod")?;
    let tenant = values[LOKI]["tenant"].as_str().or(values["tenant"].as_str()).unwrap_or_default();
    let limit = values[LOKI]["limits"]["maxEntries"].as_u64().or(values["limits"]["maxEntries"].as_u64());
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(ENTRIES).min(ENTRIES);
    for margin in MARGINS {
        let found = entries(ctx, &place, tenant, &window(selector, times, margin, limit)).await?;
        if found.len() < limit {
            return Ok(found);
        }
    }
    Err("it has more lines of that time than it gives at once".to_owned())
}

/// The path that asks for a time with something around it.
fn window(selector: &str, (first, last): (Timestamp, Timestamp), margin: i128, limit: usize) -> String {
    format!(
        "/loki/api/v1/query_range?query={}&start={}&end={}&limit={limit}&direction=forward",
        pod::percent_encode(selector),
        first.as_nanosecond() - margin,
        last.as_nanosecond() + margin
    )
}

async fn entries(ctx: &Context<'_>, place: &Place, tenant: &str, path: &str) -> Result<Vec<String>, String> {
    let Place { namespace, pod, port } = place;
    let mut request = Request::get(path);
    if !tenant.is_empty() {
        request = request.header("X-Scope-OrgID", tenant);
    }
    let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
    let answer = ctx.cluster.pod_http(namespace, pod, *port, request, TRY).await;
    let answer = answer.map_err(|error| error.message().to_owned())?;
    if answer.status != 200 {
        return Err(format!("it answers {}", answer.status));
    }
    let data = crate::json::read(&answer.body, pod::MAX_VALUES).ok_or("it does not answer JSON")?;
    let streams = list(&data["data"]["result"]);
    Ok(streams.flat_map(|stream| list(&stream["values"])).map(|entry| text(&entry[1])).collect())
}

/// What Prometheus says is wrong with the Fluentd of each node.
async fn troubles(ctx: &Context<'_>, record: &Record) -> BTreeMap<String, Vec<String>> {
    const WORDS: [(&str, &str); 4] = [
        ("retried", "it cannot deliver"),
        ("paused", "a buffer is full, and nothing more is read"),
        ("unreadable", "it may not read some files"),
        ("behind", "it lies behind what is written"),
    ];
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Ok(place) = first_prometheus(ctx, record).await else { return all };
    let place = &place;
    let asked = WORDS.map(|(name, words)| async move {
        let query = QUERIES.iter().find(|query| query.name == name)?;
        let data = pod::query(ctx, place, query.text, None).await.ok()?;
        Some((words, data))
    });
    for (words, data) in join_all(asked).await.into_iter().flatten() {
        for series in list(&data["result"]) {
            let label = |name: &str| text(&series["metric"][name]);
            let more = [label("store"), label("reason")];
            let more: Vec<String> = more.into_iter().filter(|value| !value.is_empty()).collect();
            let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
            all.entry(label("node")).or_default().push(format!("node {}: {words}{more}", label("node")));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::{Fake, Step};

    const NOW: &str = "2026-11-28T10:02:00Z";

    /// As many lines, a tenth of a second apart, as the kubelet writes them.
    fn log(first: &str, number: i64) -> &'static str {
        let first: Timestamp = first.parse().unwrap();
        let line = |n: i64| {
            let time = first + jiff::SignedDuration::from_millis(100 * n);
            format!("{time} at {time}\n")
        };
        (0..number).map(line).collect::<String>().leak()
    }

    async fn asked(steps: impl IntoIterator<Item = Step>) -> (Vec<String>, Vec<String>) {
        let fake = Fake::new(steps);
        let now = NOW.parse().unwrap();
        let lines = lines(&fake.reached(), "shop", "web-1", "web", now).await.unwrap();
        let due = logs::due(&lines, now).into_iter().map(|line| line.text.clone());
        let queries = fake.lines().into_iter();
        (
            due.collect(),
            queries.map(|line| line.split_once("timestamps=true").unwrap().1.to_owned()).collect(),
        )
    }

    #[tokio::test]
    async fn a_busy_container_is_read_by_time() {
        let last = Step::Text(200, log("2026-11-28T10:01:56Z", 40));
        let before = Step::Text(200, log("2026-11-28T10:00:00Z", 1200));
        let (due, queries) = asked([last, before]).await;
        assert_eq!(queries, ["&tailLines=40", "&sinceSeconds=120"]);
        assert_eq!(due.len(), 40);
        assert_eq!(
            (due[0].as_str(), due[39].as_str()),
            ("at 2026-11-28T10:00:00Z", "at 2026-11-28T10:00:03.9Z")
        );
    }

    #[tokio::test]
    async fn what_began_lately_is_read_to_where_its_lines_may_be_on_their_way() {
        let last = Step::Text(200, log("2026-11-28T10:01:56Z", 40));
        let before = Step::Text(200, log("2026-11-28T10:01:43Z", 170));
        let (due, _) = asked([last, before]).await;
        // whole seconds count
        assert_eq!(due.last().map(String::as_str), Some("at 2026-11-28T10:01:44.9Z"));
        assert_eq!(due.len(), 20);
    }

    #[tokio::test]
    async fn of_a_quiet_one_the_last_lines_are_enough() {
        let (due, queries) = asked([Step::Text(200, log("2026-11-28T08:00:00Z", 40))]).await;
        assert_eq!((due.len(), queries.len()), (40, 1));
        let (due, queries) = asked([Step::Text(200, log("2026-11-28T10:01:59Z", 3))]).await;
        assert_eq!((due.len(), queries.len()), (0, 1), "all there is is on its way");
    }

    #[test]
    fn loki_is_asked_for_the_time_of_the_lines() {
        let times = ("2026-11-28T10:00:00Z".parse().unwrap(), "2026-11-28T10:00:04Z".parse().unwrap());
        assert_eq!(
            window("{a=\"b\"}", times, MARGINS[0], 5000),
            "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=1795859999000000000&end=1795860005000000000&limit=5000&direction=forward"
        );
    }
}
