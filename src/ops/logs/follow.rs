//! What comes: a watch over the pods, and a stream for each container in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::select_all;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::choose::{Choice, phase, sources, text};
use super::once::Part;
use super::stream::{Stream, Told};
use super::{Line, Reader, Source, Window};
use crate::cluster::WatchEvent;
use crate::error::{Error, Result};
use crate::object::builtin;
use crate::ops::{Context, wake};

/// Lines that wait to be printed; streams pause when there are more.
const WAITING: usize = 1024;

struct Follow<'a, 'c> {
    ctx: &'a Context<'c>,
    reader: &'a mut dyn Reader,
    pods: HashMap<String, watch::Sender<Arc<Value>>>,
    streams: JoinSet<()>,
    told: mpsc::Sender<Told>,
    woken: watch::Receiver<u64>,
    /// Complaints, each once.
    trouble: BTreeSet<String>,
}

/// Follows the containers in `parts`, and those that come. Ends with an error only.
pub async fn follow(
    ctx: &Context<'_>,
    choice: &Choice,
    pods: &[Value],
    mut parts: Vec<Part>,
    reader: &mut dyn Reader,
) -> Result<()> {
    let (told, mut lines) = mpsc::channel(WAITING);
    let (wake, woken) = watch::channel(0);
    let (pods_by_uid, mut streams) = (HashMap::new(), JoinSet::new());
    streams.spawn(wake::notice(ctx.cluster.clone(), wake));
    let mut follow =
        Follow { ctx, reader, pods: pods_by_uid, streams, told, woken, trouble: BTreeSet::new() };
    for pod in pods {
        let uid = text(pod, "uid");
        let (own, rest) = parts.into_iter().partition(|part: &Part| part.uid == uid);
        parts = rest;
        let own: Vec<Part> = own;
        let known = own.into_iter().map(|part| (part.source, part.window, part.restarts)).collect();
        follow.add(pod.clone(), known);
    }
    let kind = builtin::pods();
    let watches = choice
        .namespaces
        .iter()
        .map(|namespace| ctx.cluster.watch(&kind, Some(namespace), &choice.selector).boxed());
    let mut events = select_all(watches);
    loop {
        tokio::select! {
            Some(first) = lines.recv() => {
                let mut batch = vec![first];
                while let (Ok(next), true) = (lines.try_recv(), batch.len() < WAITING) {
                    batch.push(next);
                }
                follow.print(batch)?;
            }
            Some(event) = events.next() => match event {
                Ok(event) => follow.changed(event),
                Err(error) => follow.complain(error.message()),
            },
            else => return Err(Error::failed("the API server ended all watches")),
        }
    }
}

impl Follow<'_, '_> {
    fn print(&mut self, batch: Vec<Told>) -> Result<()> {
        let mut lines: Vec<Line> = Vec::new();
        let mut failed = None;
        for told in batch {
            match told {
                Told::Line(line) => lines.push(line),
                Told::Note(note) => self.complain(&note),
                Told::Failed(error) => failed = failed.or(Some(error)),
            }
        }
        self.reader.lines(&lines);
        failed.map_or(Ok(()), Err)
    }

    fn complain(&mut self, what: &str) {
        if self.trouble.insert(what.to_owned()) {
            self.reader.note(what);
        }
    }

    fn changed(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Applied(pod) => match self.pods.get(&text(&pod, "uid")) {
                Some(known) => {
                    let before = known.send_replace(Arc::new(pod.clone()));
                    let pod_as_it_is = known.subscribe();
                    for note in restarts(self.ctx, &before, &pod) {
                        self.reader.note(&note);
                    }
                    // somebody debugs it
                    let there = sources(self.ctx, &before);
                    let is_new = |new: &Source| there.iter().all(|known| known.container != new.container);
                    for source in sources(self.ctx, &pod).into_iter().filter(is_new) {
                        self.reader.joins(&source);
                        self.follow(&pod_as_it_is, Arc::new(source), Window::default(), 0);
                    }
                }
                None => {
                    self.reader.note(&format!("+ pod {}/{}", text(&pod, "namespace"), text(&pod, "name")));
                    let new = sources(self.ctx, &pod);
                    for source in &new {
                        self.reader.joins(source);
                    }
                    let fresh = |source| (Arc::new(source), Window::default(), 0);
                    self.add(pod, new.into_iter().map(fresh).collect());
                }
            },
            WatchEvent::Deleted(pod) => {
                if self.pods.remove(&text(&pod, "uid")).is_some() {
                    self.reader.note(&format!("- pod {}/{}", text(&pod, "namespace"), text(&pod, "name")));
                }
            }
            WatchEvent::Synced => {}
        }
    }

    fn add(&mut self, pod: Value, containers: Vec<(Arc<Source>, Window, u64)>) {
        let uid = text(&pod, "uid");
        let (sender, receiver) = watch::channel(Arc::new(pod));
        self.pods.insert(uid, sender);
        for (source, window, restarts) in containers {
            self.follow(&receiver, source, window, restarts);
        }
    }

    fn follow(
        &mut self,
        pod: &watch::Receiver<Arc<Value>>,
        source: Arc<Source>,
        window: Window,
        restarts: u64,
    ) {
        let (cluster, told, pod) = (self.ctx.cluster.clone(), self.told.clone(), pod.clone());
        let woken = self.woken.clone();
        self.streams.spawn(Stream { cluster, source, window, restarts, pod, told, woken }.run());
    }
}

/// Which containers were restarted between two states of a pod.
fn restarts(ctx: &Context<'_>, before: &Value, now: &Value) -> Vec<String> {
    let (namespace, pod) = (text(now, "namespace"), text(now, "name"));
    sources(ctx, now)
        .into_iter()
        .filter_map(|source| {
            let count = phase(now, &source.container).1;
            (count > phase(before, &source.container).1).then(|| {
                let times = crate::words::count(usize::try_from(count).unwrap_or(usize::MAX), "restart");
                format!("! pod {namespace}/{pod}: container {} was restarted ({times})", source.container)
            })
        })
        .collect()
}
