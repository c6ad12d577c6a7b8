//! What the chain of logs is made of: the last lines of the containers, what Loki has of them, and the collectors
//! of their nodes.

use std::collections::BTreeMap;

use futures::future::join_all;
use http::Request;
use serde_json::Value;

use super::super::Report;
use super::super::logs::{self, Line, Written};
use super::super::target::{self, Target};
use super::{first_prometheus, quoted};
use crate::cluster::LogQuery;
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
    let (written, troubles, namespace) = tokio::join!(
        written(ctx, &record, &target, &seen.values),
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
        now: jiff::Timestamp::now(),
        target,
    };
    Ok(Report::of(&record, "logs", logs::chain(&facts), Vec::new(), warnings))
}

/// What the containers of its first pods wrote, and what Loki has of it.
async fn written(ctx: &Context<'_>, record: &Record, target: &Target, values: &Value) -> Vec<Written> {
    let running = target.pods.iter().filter(|pod| pod["status"]["phase"] == "Running").take(PODS);
    let containers = running.flat_map(|pod| pods::containers(pod).map(move |container| (pod, container)));
    let asked = containers.map(|(pod, container)| async move {
        let (pod_name, name) = (text(&pod["metadata"]["name"]), text(&container["name"]));
        let lines = lines(ctx, &target.namespace, &pod_name, &name).await;
        let first = lines.as_ref().ok().and_then(|lines| lines.iter().find_map(|line| line.time));
        let stored = match first {
            Some(first) => {
                let labels = [("namespace", &target.namespace), ("pod", &pod_name), ("container", &name)];
                let labels = labels.map(|(label, value)| format!("{label}={}", quoted(value)));
                stored(ctx, record, values, &format!("{{{}}}", labels.join(",")), first).await
            }
            None => Ok(Vec::new()),
        };
        Written { node: text(&pod["spec"]["nodeName"]), pod: pod_name, container: name, lines, stored }
    });
    join_all(asked).await
}

/// The last lines of a container.
async fn lines(ctx: &Context<'_>, namespace: &str, pod: &str, container: &str) -> Result<Vec<Line>, String> {
    let query = LogQuery { tail: Some(LINES), ..LogQuery::default() };
    let log = ctx.cluster.log_lines(namespace, pod, container, query).await;
    let mut log = log.map_err(|error| Error::from(error).message().to_owned())?;
    let mut all = Vec::new();
    while let Some(line) = log.next().await.map_err(|error| error.message().to_owned())? {
        all.push(Line { time: line.time, text: line.text });
    }
    Ok(all)
}

/// The lines of a stream that Loki has since a time.
async fn stored(
    ctx: &Context<'_>,
    record: &Record,
    values: &Value,
    selector: &str,
    since: jiff::Timestamp,
) -> Result<Vec<String>, String> {
    let places = pod::places(ctx, record, LOKI).await.ok_or("the release has no loki")??;
    let Place { namespace, pod, port } = places.into_iter().next().ok_or("loki has no ready pod")?;
    let until = jiff::Timestamp::now().as_nanosecond() + 60_000_000_000;
    let path = format!(
        "/loki/api/v1/query_range?query={}&start={}&end={until}&limit=1000&direction=backward",
        pod::percent_encode(selector),
        since.as_nanosecond() - 1_000_000_000
    );
    let mut request = Request::get(path);
    let tenant = values[LOKI]["tenant"].as_str().or(values["tenant"].as_str()).unwrap_or_default();
    if !tenant.is_empty() {
        request = request.header("X-Scope-OrgID", tenant);
    }
    let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
    let answer = ctx.cluster.pod_http(&namespace, &pod, port, request, TRY).await;
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
