//! `--events=json`: one JSON object per line. API: fields are only added.

use std::io::Write;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::Serialize;

use crate::escape;
use crate::event::{Event, Observer};

/// Writes events as NDJSON. When nobody reads any more it goes silent: the operation goes on.
pub struct Ndjson {
    out: Mutex<Option<Box<dyn Write + Send>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// RFC 3339, UTC, microseconds.
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Ndjson {
    /// Writes to `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Mutex::new(Some(out)) }
    }

    /// Writes to stdout.
    pub fn stdout() -> Self {
        Self::new(Box::new(std::io::stdout()))
    }

    fn write(&self, event: &Event, time: Timestamp) {
        let mut line = line(event, time);
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(stream) = out.as_mut()
            && stream.write_all(line.as_bytes()).and_then(|()| stream.flush()).is_err()
        {
            *out = None;
        }
    }
}

impl Observer for Ndjson {
    fn event(&self, event: Event) {
        self.write(&event, Timestamp::now());
    }
}

fn line(event: &Event, time: Timestamp) -> String {
    let envelope =
        Envelope { api_version: "kubectl-obs.dev/v1", kind: "Event", time: format!("{time:.6}"), event };
    // Strings, numbers and maps with string keys only: this cannot fail.
    escape::document(&serde_json::to_string(&envelope).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Action, ComponentState, Phase};
    use crate::object::ObjectId;

    #[test]
    fn the_form_of_every_event_is_kept() {
        let time: Timestamp = "2026-11-21T10:02:03.5Z".parse().expect("a time");
        let id = ObjectId {
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: Some("observability".into()),
            name: "obs-grafana".into(),
        };
        let head =
            r#"{"apiVersion":"kubectl-obs.dev/v1","kind":"Event","time":"2026-11-21T10:02:03.500000Z","#;
        let cases = [
            (
                Event::sample_start(),
                r#""type":"started","operation":"install","release":"obs","namespace":"observability","bundle":"stack 1.0.0","cluster":"kind-dev","kubernetes":"1.34"}"#,
            ),
            (Event::Warning { message: "a \"b\"\nc".into() }, r#""type":"warning","message":"a \"b\"\nc"}"#),
            (
                Event::Warning { message: "\x1b[2J\x7f\u{9b}\u{202e}".into() },
                r#""type":"warning","message":"\u001b[2J\u007f\u009b\u202e"}"#,
            ),
            (
                Event::PhaseStarted { phase: Phase::Applied, total: Some(61) },
                r#""type":"phase-started","phase":"applied","total":61}"#,
            ),
            (
                Event::Object { action: Action::Created, object: id },
                r#""type":"object","action":"created","object":{"group":"apps","kind":"Deployment","namespace":"observability","name":"obs-grafana"}}"#,
            ),
            (
                Event::PhaseDone { phase: Phase::Applied, summary: "61 created".into(), seconds: 0.9 },
                r#""type":"phase-done","phase":"applied","summary":"61 created","seconds":0.9}"#,
            ),
            (
                Event::Component {
                    name: "grafana".into(),
                    state: ComponentState::Starting,
                    ready: "0/1".into(),
                    why: "0 of 1 pods ready".into(),
                    seconds: 1.5,
                },
                r#""type":"component","name":"grafana","state":"starting","ready":"0/1","why":"0 of 1 pods ready","seconds":1.5}"#,
            ),
            (
                Event::Usual { name: "grafana".into(), seconds: 25.0 },
                r#""type":"usual","name":"grafana","seconds":25.0}"#,
            ),
            (
                Event::Release { revision: 1, status: "deployed".into() },
                r#""type":"release","revision":1,"status":"deployed"}"#,
            ),
            (
                Event::Failed { message: "m".into(), details: vec!["d".into()], hints: vec![], exit_code: 7 },
                r#""type":"failed","message":"m","details":["d"],"hints":[],"exitCode":7}"#,
            ),
        ];
        for (event, tail) in cases {
            assert_eq!(line(&event, time), format!("{head}{tail}"));
        }
    }

    #[test]
    fn a_reader_that_goes_away_does_not_stop_the_operation() {
        struct Closed(Arc<Mutex<u32>>);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                *self.0.lock().expect("not poisoned") += 1;
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let writes = Arc::new(Mutex::new(0));
        let ndjson = Ndjson::new(Box::new(Closed(Arc::clone(&writes))));
        ndjson.event(Event::Warning { message: "a".into() });
        ndjson.event(Event::Warning { message: "b".into() });
        assert_eq!(*writes.lock().expect("not poisoned"), 1);
    }
}
