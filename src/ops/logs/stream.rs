//! One container, followed over its restarts. A log that ended or broke off is opened again where
//! it was: first the rest of the run before, if there is one, then the present run; what comes
//! twice is dropped.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, timeout};

use super::choose::{Phase, phase};
use super::{Line, Source, Window, refused};
use crate::cluster::{Cluster, LogError, LogQuery, Since};
use crate::error::Error;

/// A connection that is silent for so long may be dead: it is opened anew.
const IDLE: Duration = Duration::from_secs(120);
/// The first and the longest pause before a log is opened again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What streams tell.
pub enum Told {
    /// A line.
    Line(Line),
    /// What a person should know.
    Note(String),
    /// Nothing will come of this.
    Failed(Error),
}

/// A container that is followed.
pub struct Stream {
    /// The cluster.
    pub cluster: Cluster,
    /// Who writes.
    pub source: Arc<Source>,
    /// What is known of its log.
    pub window: Window,
    /// How often it had been restarted when it was first seen; what came before is not wanted.
    pub restarts: u64,
    /// The pod as it is; closed when it is gone.
    pub pod: watch::Receiver<Arc<Value>>,
    /// Where lines go.
    pub told: mpsc::Sender<Told>,
    /// Changes when the machine slept, which the connection did not survive.
    pub woken: watch::Receiver<u64>,
}

/// How reading a log ended.
#[derive(PartialEq)]
enum End {
    /// As it should. Were there new lines?
    Read { news: bool },
    /// It broke off, or could not be opened.
    Broken { news: bool },
    /// Nobody listens, or nobody may.
    Over,
}

impl Stream {
    /// Follows until the pod is gone.
    pub async fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let gone = self.pod.has_changed().is_err();
            let (now, restarts) = phase(&self.pod.borrow_and_update(), &self.source.container);
            let started = !matches!(now, Phase::NotStarted(_));
            let end = if started { self.round(restarts).await } else { End::Read { news: false } };
            let news = match end {
                End::Over => return,
                End::Read { news } | End::Broken { news } => news,
            };
            if gone {
                return;
            }
            pause = if news { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            // what has ended and told all says nothing more until its pod changes
            let wait = now == Phase::Runs || news || matches!(end, End::Broken { .. });
            tokio::select! {
                _ = self.pod.changed() => {}
                () = tokio::time::sleep(pause), if wait => {}
            }
        }
    }

    /// The rest of the run before, then the present one.
    async fn round(&mut self, restarts: u64) -> End {
        let mut before = false;
        if restarts > self.restarts || restarts > 0 && self.window.newest().is_some() {
            match self.read(true).await {
                End::Read { news } => before = news,
                other => return other,
            }
        }
        match self.read(false).await {
            End::Read { news } => End::Read { news: news || before },
            End::Broken { news } => End::Broken { news: news || before },
            End::Over => End::Over,
        }
    }

    async fn read(&mut self, previous: bool) -> End {
        let query = LogQuery {
            previous,
            follow: !previous,
            tail: None,
            since: self.window.newest().map(Since::Time),
        };
        let Source { namespace, pod, container, .. } = &*self.source;
        let mut log = match self.cluster.log_lines(namespace, pod, container, query).await {
            Ok(log) => log,
            Err(LogError::NotThere(_)) => return End::Read { news: false },
            Err(LogError::Refused(error)) => {
                let _ = self.told.send(Told::Failed(refused(error, namespace))).await;
                return End::Over;
            }
            Err(LogError::Other(error)) => {
                let note = format!("the log of pod {namespace}/{pod} cannot be read: {}", error.message());
                return match self.told.send(Told::Note(note)).await {
                    Ok(()) => End::Broken { news: false },
                    Err(_) => End::Over,
                };
            }
        };
        self.window.replay();
        self.woken.mark_unchanged();
        let mut news = false;
        loop {
            let next = tokio::select! {
                next = timeout(IDLE, log.next()) => next,
                _ = self.woken.changed() => return End::Broken { news },
            };
            let line = match next {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return End::Read { news },
                Ok(Err(_)) => return End::Broken { news },
                Err(_) => {
                    self.cluster.forget_connections();
                    return End::Broken { news };
                }
            };
            // without a time it is the kubelet's own; half a line comes once more, whole
            let Some(time) = line.time else { continue };
            if !line.whole && !previous || !self.window.is_new(time, &line.text) {
                continue;
            }
            news = true;
            let line = Line { source: Arc::clone(&self.source), time: Some(time), text: line.text };
            if self.told.send(Told::Line(line)).await.is_err() {
                return End::Over;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::fake::{Fake, Step};

    /// The texts that come of a container whose log the server answers so.
    async fn followed(steps: impl IntoIterator<Item = Step>, wanted: usize) -> Vec<String> {
        let fake = Fake::new(steps);
        let (told, mut lines) = mpsc::channel(100);
        let running = json!({"name": "main", "restartCount": 0, "state": {"running": {}}});
        let (_pod, pod) = watch::channel(Arc::new(json!({"status": {"containerStatuses": [running]}})));
        let (_wake, woken) = watch::channel(0);
        let source = Source {
            component: "c".into(),
            namespace: "x".into(),
            pod: "p".into(),
            short: "p".into(),
            container: "main".into(),
            single: true,
        };
        let (cluster, source) = (fake.reached(), Arc::new(source));
        let stream = Stream { cluster, source, window: Window::default(), restarts: 0, pod, told, woken };
        let task = tokio::spawn(stream.run());
        let mut texts = Vec::new();
        while texts.len() < wanted {
            match lines.recv().await {
                Some(Told::Line(line)) => texts.push(line.text),
                Some(Told::Note(note)) => panic!("{note}"),
                _ => panic!("it ended"),
            }
        }
        task.abort();
        texts
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_log_is_opened_anew_and_nothing_is_lost_or_doubled() {
        let began = tokio::time::Instant::now();
        let texts = followed(
            [
                Step::Silent("2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n"),
                Step::Silent(
                    "2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n2026-01-01T00:00:01.2Z b\n2026-01-01T00:00:09Z c\n",
                ),
            ],
            4,
        )
        .await;
        assert_eq!(texts, ["a", "b", "b", "c"]);
        assert!(began.elapsed() >= IDLE && began.elapsed() < IDLE * 2, "{:?}", began.elapsed());
    }
}
