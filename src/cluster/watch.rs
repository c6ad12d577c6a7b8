//! Follows the objects of a kind: a list, then a watch from there on, for ever. Broken and idle
//! connections are opened again from where they were; after 410 (that point in history is gone)
//! everything is listed anew and what vanished meanwhile is reported as deleted.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Cluster;
use super::call::{Call, Subject, path, with_query};
use super::errors::{Failure, Reason, Transport};
use super::read::{list_call, with_type};
use super::retry;
use crate::json::Size;
use crate::object::Kind;
use crate::{Error, Result};

/// The server ends each watch after this; short, because a connection that died silently is
/// noticed only by its silence.
const WATCH_SECONDS: u64 = 40;
/// Silence beyond the server's own end means that the connection is dead.
const IDLE_LIMIT: Duration = Duration::from_secs(WATCH_SECONDS + 10);
/// A watch that ends before this led nowhere.
const SHORT_LIVED: Duration = Duration::from_secs(5);

/// Most bytes and values of one event: an object has at most 3 MiB, which etcd takes as JSON or smaller.
const LONGEST_EVENT: usize = if cfg!(test) { 1 << 20 } else { 32 << 20 };
const MOST_VALUES: usize = 2_000_000;

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchEvent {
    /// The object as it is now; also for each object that was there at the beginning.
    Applied(Value),
    /// The object as it last was. After a relist only apiVersion, kind, name, namespace, uid and
    /// labels.
    Deleted(Value),
    /// Everything that was there has been reported. Once at the beginning, and after each relist.
    Synced,
}

impl Cluster {
    /// Follows all objects of a kind, in one namespace or (None) in all, that match the label
    /// selector. The stream never ends by itself: an error says that the cluster refuses or has
    /// not answered for a minute; what comes after it is as right as before.
    pub fn watch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> impl Stream<Item = Result<WatchEvent>> + Send + use<> {
        let watcher = Watcher {
            cluster: self.clone(),
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            labels: labels.to_owned(),
            phase: Phase::List,
            known: HashMap::new(),
            queue: VecDeque::new(),
            failures: 0,
            opened: Instant::now(),
        };
        futures::stream::unfold(watcher, |mut watcher| async move {
            let item = watcher.next().await;
            Some((item, watcher))
        })
    }
}

struct Watcher {
    cluster: Cluster,
    kind: Kind,
    namespace: Option<String>,
    labels: String,
    phase: Phase,
    /// What was reported, by uid: its resourceVersion and the little that a late "deleted" tells.
    known: HashMap<String, (String, Value)>,
    queue: VecDeque<Result<WatchEvent>>,
    /// Rounds in a row that led nowhere, for the pauses between them.
    failures: u32,
    /// When the present watch began.
    opened: Instant,
}

enum Phase {
    List,
    Open { from: String },
    Reading { from: String, body: Box<Body>, buffer: Vec<u8> },
}

impl Watcher {
    async fn next(&mut self) -> Result<WatchEvent> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return item;
            }
            self.phase = match std::mem::replace(&mut self.phase, Phase::List) {
                Phase::List => self.list().await,
                Phase::Open { from } => self.open(from).await,
                Phase::Reading { from, body, buffer } => self.read(from, body, buffer).await,
            };
        }
    }

    async fn list(&mut self) -> Phase {
        self.pause().await;
        let call = list_call(&self.kind, self.namespace.as_deref(), &self.labels);
        let listed = match self.cluster.list_pages(&self.kind, &call).await {
            Ok(listed) => listed,
            Err(failure) => return self.failed(self.cluster.error(failure, &call)),
        };
        let mut before = std::mem::take(&mut self.known);
        for item in listed.items {
            let (uid, version) = (text(&item, "uid"), text(&item, "resourceVersion"));
            let unchanged = before.remove(&uid).is_some_and(|(known, _)| known == version);
            self.known.insert(uid, (version, stub(&item)));
            if !unchanged {
                self.queue.push_back(Ok(WatchEvent::Applied(item)));
            }
        }
        self.queue.extend(before.into_values().map(|(_, stub)| Ok(WatchEvent::Deleted(stub))));
        self.queue.push_back(Ok(WatchEvent::Synced));
        Phase::Open { from: listed.resource_version }
    }

    async fn open(&mut self, from: String) -> Phase {
        self.pause().await;
        let seconds = WATCH_SECONDS.to_string();
        let url = with_query(
            &path(&self.kind, self.namespace.as_deref(), None),
            &[
                ("watch", "true"),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", &seconds),
                ("labelSelector", &self.labels),
                ("resourceVersion", &from),
            ],
        );
        let call = Call::get(url, Subject::new("watch", &self.kind, self.namespace.as_deref(), None));
        match retry::open(&self.cluster, &call).await {
            Ok(body) => {
                self.opened = Instant::now();
                Phase::Reading { from, body: Box::new(body), buffer: Vec::new() }
            }
            Err(failure) if failure.code() == 410 => Phase::List,
            Err(failure) => self.failed(self.cluster.error(failure, &call)),
        }
    }

    /// Reads until at least one event is there or the connection ends.
    async fn read(&mut self, mut from: String, mut body: Box<Body>, mut buffer: Vec<u8>) -> Phase {
        // the server's regular end, a lost connection, silence: go on from where it was
        let next = tokio::time::timeout(IDLE_LIMIT, body.frame()).await;
        if next.is_err() {
            self.cluster.forget_connections();
        }
        let Ok(Some(Ok(frame))) = next else {
            // a server that ends watches as soon as they begin is not to be hammered
            self.failures += u32::from(self.opened.elapsed() < SHORT_LIVED);
            return Phase::Open { from };
        };
        let looked = buffer.len();
        buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        let Some(end) = buffer[looked..].iter().rposition(|byte| *byte == b'\n') else {
            if buffer.len() > LONGEST_EVENT {
                return self.too_much();
            }
            return Phase::Reading { from, body, buffer };
        };
        let rest = buffer.split_off(looked + end + 1);
        for line in buffer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if Size::of(line).values > MOST_VALUES {
                return self.too_much();
            }
            let Ok(mut event) = serde_json::from_slice::<Value>(line) else {
                self.failures += 1;
                return Phase::List;
            };
            self.failures = 0;
            let object = event["object"].take();
            if event["type"] == "ERROR" {
                return self.refused(object);
            }
            let version = text(&object, "resourceVersion");
            if !version.is_empty() {
                from = version.clone();
            }
            let object = with_type(object, &self.kind);
            match event["type"].as_str() {
                Some("ADDED" | "MODIFIED") => {
                    self.known.insert(text(&object, "uid"), (version, stub(&object)));
                    self.queue.push_back(Ok(WatchEvent::Applied(object)));
                }
                Some("DELETED") => {
                    self.known.remove(&text(&object, "uid"));
                    self.queue.push_back(Ok(WatchEvent::Deleted(object)));
                }
                // BOOKMARK: only the point in history moves
                _ => {}
            }
        }
        Phase::Reading { from, body, buffer: rest }
    }

    /// An event that is larger than any object can be.
    fn too_much(&mut self) -> Phase {
        let subject = Subject::new("watch", &self.kind, self.namespace.as_deref(), None);
        let transport = Transport::unusable("has an object that is too large".to_owned());
        let reason = Reason::Transport(transport);
        let failure = Failure { reason, attempts: 1, elapsed: Duration::ZERO, uncertain: false };
        self.failed(failure.into_error(&self.cluster.inner.target, &subject))
    }

    /// The watch itself reports an error; mostly that its history was compacted.
    fn refused(&mut self, object: Value) -> Phase {
        let status: Status = serde_json::from_value(object).unwrap_or_default();
        if !matches!(status.code, 410 | 429 | 500..=599) {
            let subject = Subject::new("watch", &self.kind, self.namespace.as_deref(), None);
            let reason = Reason::Status(Box::new(status));
            let failure = Failure { reason, attempts: 1, elapsed: Duration::ZERO, uncertain: false };
            return self.failed(failure.into_error(&self.cluster.inner.target, &subject));
        }
        self.failures += u32::from(status.code != 410);
        Phase::List
    }

    fn failed(&mut self, error: Error) -> Phase {
        self.failures += 1;
        self.queue.push_back(Err(error));
        Phase::List
    }

    async fn pause(&mut self) {
        if self.failures > 0 {
            tokio::time::sleep(retry::delay(self.failures, None)).await;
        }
    }
}

fn text(object: &Value, field: &str) -> String {
    object["metadata"][field].as_str().unwrap_or_default().to_owned()
}

/// Enough to recognise a deleted object.
fn stub(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut kept = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "labels"] {
        if !metadata[field].is_null() {
            kept.insert(field.into(), metadata[field].clone());
        }
    }
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": kept})
}
