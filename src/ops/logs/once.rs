//! What is in the logs now: each container's part, merged by time. What was seen of each container
//! is remembered, so that following it can begin there.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::choose::{Phase, phase, sources, text};
use super::{Line, Options, Reader, Source, Window, refused};
use crate::cluster::{Cluster, LogError, LogLine, LogQuery};
use crate::error::{Error, Result};
use crate::ops::Context;

/// How many logs are read at the same time.
const PARALLEL: usize = 8;

/// One container and what was read of it.
pub struct Part {
    /// The container.
    pub source: Arc<Source>,
    /// Its pod's uid.
    pub uid: String,
    /// What is known of its log.
    pub window: Window,
    /// How often it was restarted before.
    pub restarts: u64,
    lines: Vec<LogLine>,
    /// Why there is no log.
    missing: Option<Error>,
}

/// Reads and prints what is there.
pub async fn read(
    ctx: &Context<'_>,
    options: &Options,
    pods: &[Value],
    reader: &mut dyn Reader,
) -> Result<Vec<Part>> {
    let containers = pods.iter().flat_map(|pod| sources(ctx, pod).into_iter().map(move |s| (pod, s)));
    let containers: Vec<(&Value, Source)> = containers.collect();
    for (_, source) in &containers {
        reader.joins(source);
    }
    let mut parts: Vec<Part> = stream::iter(containers)
        .map(|(pod, source)| part(ctx.cluster, options, pod, source))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    if let Some(error) = nothing(options, &mut parts, reader) {
        return Err(error);
    }
    reader.lines(&merge(&mut parts));
    Ok(parts)
}

/// Says who has no log; that nobody has one is an error, unless more may come.
fn nothing(options: &Options, parts: &mut [Part], reader: &mut dyn Reader) -> Option<Error> {
    let missing = parts.iter().filter(|part| part.missing.is_some()).count();
    let all = missing == parts.len() && missing > 0 && !options.follow;
    if all && options.previous {
        let error = Error::failed("no container has a run before the present one");
        return Some(error.hint("without --previous the present run is shown"));
    }
    for part in parts.iter_mut().filter(|_| !options.previous) {
        match part.missing.take() {
            Some(error) if all => return Some(error),
            Some(error) => reader.note(error.message()),
            None => {}
        }
    }
    None
}

async fn part(cluster: &Cluster, options: &Options, pod: &Value, source: Source) -> Result<Part> {
    let (phase, restarts) = phase(pod, &source.container);
    let source = Arc::new(source);
    let uid = text(pod, "uid");
    let mut part =
        Part { source, uid, window: Window::default(), restarts, lines: Vec::new(), missing: None };
    if let Phase::NotStarted(why) = phase {
        part.missing = Some(not_started(&part.source, &why));
        return Ok(part);
    }
    // what came before the first line that is wanted must not come later
    let behind = LogQuery { tail: Some(1), ..LogQuery::default() };
    let seed = match options.follow && (options.tail == Some(0) || options.since.is_some()) {
        true => snapshot(cluster, &part.source, behind).await?.unwrap_or_default(),
        false => Vec::new(),
    };
    let query =
        LogQuery { previous: options.previous, tail: options.tail, since: options.since(), follow: false };
    if options.tail != Some(0) {
        match snapshot(cluster, &part.source, query).await? {
            Ok(lines) => part.lines = lines,
            Err(error) => part.missing = Some(error),
        }
    }
    let known = if part.lines.is_empty() { &seed } else { &part.lines };
    for line in known {
        if let Some(time) = line.time {
            part.window.is_new(time, &line.text);
        }
    }
    part.window.cut();
    Ok(part)
}

fn not_started(source: &Source, why: &str) -> Error {
    let Source { namespace, pod, container, .. } = source;
    Error::failed(format!("pod {namespace}/{pod}: container {container} has no log: {why}"))
        .hint("kubectl obs status shows why; -f waits for it")
}

/// All lines of a query; the inner error says that there is no such log.
async fn snapshot(
    cluster: &Cluster,
    source: &Source,
    query: LogQuery,
) -> Result<Result<Vec<LogLine>, Error>> {
    let Source { namespace, pod, container, .. } = source;
    let mut log = match cluster.log_lines(namespace, pod, container, query).await {
        Ok(log) => log,
        Err(LogError::NotThere(error)) => return Ok(Err(error)),
        Err(LogError::Refused(error)) => return Err(refused(error, namespace)),
        Err(LogError::Other(error)) => return Err(error),
    };
    let mut lines = Vec::new();
    let about = |error: Error| error.context(format!("pod {namespace}/{pod}"));
    while let Some(line) = log.next().await.map_err(about)? {
        lines.push(line);
    }
    Ok(Ok(lines))
}

/// By time, without changing the order of any container's own lines.
fn merge(parts: &mut [Part]) -> Vec<Line> {
    let mut all: Vec<(Timestamp, Line)> = Vec::new();
    for part in parts {
        let mut newest = Timestamp::MIN;
        for LogLine { time, text, .. } in std::mem::take(&mut part.lines) {
            newest = time.map_or(newest, |time| time.max(newest));
            all.push((newest, Line { source: Arc::clone(&part.source), time, text }));
        }
    }
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_merged_by_time_and_each_containers_own_order_stays() {
        let part = |pod: &str, lines: &[(i64, &str)]| Part {
            source: Arc::new(Source {
                component: "c".into(),
                namespace: "x".into(),
                pod: pod.into(),
                short: pod.into(),
                container: "main".into(),
                single: true,
            }),
            uid: String::new(),
            window: Window::default(),
            restarts: 0,
            lines: lines
                .iter()
                .map(|(time, text)| LogLine {
                    time: Timestamp::from_second(*time).ok(),
                    text: (*text).into(),
                    whole: true,
                })
                .collect(),
            missing: None,
        };
        let mut parts = [
            part("a", &[(1, "a1"), (5, "a5"), (4, "a4, late"), (6, "a6")]),
            part("b", &[(2, "b2"), (5, "b5")]),
        ];
        let texts: Vec<String> = merge(&mut parts).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["a1", "b2", "a5", "a4, late", "b5", "a6"]);
    }
}
