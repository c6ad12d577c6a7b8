//! Progress where nothing can be redrawn. For CI, pipes and dumb terminals: the lines of the bars,
//! each printed once, when something changed. For those who listen: sentences, and none twice.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::board::Board;
use super::gate;
use super::lines::{self, COLUMNS, Layout, Row};
use super::paint::Paint;
use super::sentences;
use crate::event::{ComponentState, Event, Observer, Phase};

/// A component whose reason changes is told of at most this often; becoming ready or failing is
/// told at once.
const EVERY: Duration = Duration::from_secs(5);
/// After this long without a line a sign of life is printed: CI systems end silent jobs. To those who
/// listen it is given less and less often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Prints lines to a stream. [`Plain::tick`] wants to be called about once a second.
pub struct Plain {
    state: Mutex<State>,
    voice: Voice,
}

/// How it is said.
#[derive(Debug, Clone, Copy)]
enum Voice {
    Lines(Layout),
    Sentences,
}

struct State {
    out: Box<dyn Write + Send>,
    board: Board,
    /// What was last said of each component.
    said: Vec<Said>,
    /// Reasons that were given, with their components.
    given: HashSet<(String, String)>,
    last_line: Instant,
    /// How long it may be silent.
    silence: Duration,
}

struct Said {
    name: String,
    at: Instant,
    row: Option<Row>,
}

impl Plain {
    /// Prints to `out`.
    pub fn new(out: Box<dyn Write + Send>, colour: bool) -> Self {
        let layout = Layout { columns: COLUMNS, cut: false, paint: Paint { colour } };
        Self::started(out, Voice::Lines(layout), Instant::now())
    }

    /// Prints sentences to `out`.
    pub fn sentences(out: Box<dyn Write + Send>) -> Self {
        Self::started(out, Voice::Sentences, Instant::now())
    }

    fn started(out: Box<dyn Write + Send>, voice: Voice, now: Instant) -> Self {
        let state = State {
            out,
            board: Board::default(),
            said: Vec::new(),
            given: HashSet::new(),
            last_line: now,
            silence: HEARTBEAT,
        };
        Self { state: Mutex::new(state), voice }
    }

    /// Prints what became due: held-back changes, a sign of life.
    pub fn tick(&self, now: Instant) {
        let mut state = self.lock();
        state.components(now, self.voice);
        if now.saturating_duration_since(state.last_line) >= state.silence {
            let rows: Vec<Row> = state.board.components.iter().map(|e| e.at(now)).collect();
            let waiting: Vec<&Row> =
                rows.iter().filter(|row| row.state == ComponentState::Starting).collect();
            let running = state.board.running;
            let seconds = waiting.iter().map(|row| row.seconds).fold(
                running.map_or(0.0, |r| now.saturating_duration_since(r.since).as_secs_f64()),
                f64::max,
            );
            if running.is_some() || !waiting.is_empty() {
                let (phase, awaiting) = (running.map(|r| r.phase), &state.board.awaiting);
                let (line, silence) = match self.voice {
                    Voice::Lines(_) => (lines::heartbeat(&waiting, phase, awaiting, seconds), HEARTBEAT),
                    Voice::Sentences => {
                        (sentences::heartbeat(&waiting, phase, awaiting, seconds), state.silence * 2)
                    }
                };
                state.print(&line, now);
                state.silence = silence;
            }
        }
    }

    /// A line of its own, between those of the operation.
    pub(super) fn line(&self, line: &str) {
        self.lock().print(line, Instant::now());
    }

    fn take(&self, event: &Event, now: Instant) {
        let mut state = self.lock();
        state.board.take(event, now);
        match event {
            Event::Started(start) => match self.voice {
                Voice::Lines(_) => {
                    state.print(&lines::header(start), now);
                    state.print("", now);
                }
                Voice::Sentences => state.print(&sentences::started(start), now),
            },
            Event::Warning { message } => {
                let line = match self.voice {
                    Voice::Lines(layout) => lines::warning(message, None, layout.paint),
                    Voice::Sentences => sentences::warning(message),
                };
                state.print(&line, now);
            }
            Event::PhaseDone { phase, summary, seconds } => {
                if *phase == Phase::Ready {
                    state.finish(now, self.voice);
                }
                let line = match self.voice {
                    Voice::Lines(layout) => lines::phase_done(*phase, summary, *seconds, &layout),
                    Voice::Sentences => sentences::phase_done(*phase, summary, *seconds),
                };
                state.print(&line, now);
            }
            Event::Component { .. } => state.components(now, self.voice),
            Event::PhaseStarted { .. }
            | Event::Object { .. }
            | Event::Awaiting { .. }
            | Event::Usual { .. }
            | Event::Release { .. }
            | Event::Failed { .. } => {}
        }
    }

    /// Prints the last state of every component that was held back.
    pub(super) fn finish(&self) {
        self.lock().finish(Instant::now(), self.voice);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Observer for Plain {
    fn event(&self, event: Event) {
        self.take(&event, Instant::now());
    }
}

impl State {
    /// Prints the components whose state changed, and those whose reason changed and is due.
    fn components(&mut self, now: Instant, voice: Voice) {
        let names = self.board.names();
        let mut due = Vec::new();
        for entry in &self.board.components {
            let row = &entry.row;
            let i = match self.said.iter().position(|said| said.name == row.name) {
                Some(i) => i,
                None => {
                    self.said.push(Said { name: row.name.clone(), at: now, row: None });
                    self.said.len() - 1
                }
            };
            let said = &mut self.said[i];
            let before = said.row.as_ref();
            let same =
                before.is_some_and(|b| (b.state, &b.ready, &b.why) == (row.state, &row.ready, &row.why));
            let settled =
                row.state != ComponentState::Starting && before.is_none_or(|b| b.state != row.state);
            if same || !settled && now.saturating_duration_since(said.at) < EVERY {
                continue;
            }
            let fresh = row.why.is_empty() || self.given.insert((row.name.clone(), row.why.clone()));
            let counts = before.is_none_or(|b| b.ready != row.ready);
            match voice {
                Voice::Lines(layout) => due.push(lines::component(&entry.at(now), names, &layout)),
                // a reason that comes and goes is told once
                Voice::Sentences if settled || counts || fresh => {
                    due.push(sentences::component(&entry.at(now)));
                }
                Voice::Sentences => {}
            }
            *said = Said { name: row.name.clone(), at: now, row: Some(row.clone()) };
        }
        for line in due {
            self.print(&line, now);
        }
    }

    fn finish(&mut self, now: Instant, voice: Voice) {
        for said in &mut self.said {
            // Long enough ago that every change is due.
            said.at = now.checked_sub(EVERY).unwrap_or(now);
        }
        self.components(now, voice);
        self.board.components.clear();
        self.said.clear();
        self.given.clear();
    }

    fn print(&mut self, line: &str, now: Instant) {
        self.last_line = now;
        self.silence = HEARTBEAT;
        // A closed stderr must not end an operation that is under way.
        let _ = writeln!(self.out, "{}", gate::open(line.trim_end()));
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn taken(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().expect("not poisoned"))).expect("text")
        }
    }

    fn component(name: &str, state: ComponentState, ready: &str, why: &str, seconds: f64) -> Event {
        Event::Component { name: name.into(), state, ready: ready.into(), why: why.into(), seconds }
    }

    fn plain() -> (Plain, Shared, Instant) {
        let (out, now) = (Shared::default(), Instant::now());
        let layout = Layout { columns: COLUMNS, cut: false, paint: Paint::NONE };
        (Plain::started(Box::new(out.clone()), Voice::Lines(layout), now), out, now)
    }

    fn sentences() -> (Plain, Shared, Instant) {
        let (out, now) = (Shared::default(), Instant::now());
        (Plain::started(Box::new(out.clone()), Voice::Sentences, now), out, now)
    }

    /// A short install, told to `plain`.
    fn install(plain: &Plain, start: Instant) {
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        plain.take(&Event::sample_start(), at(0));
        plain.take(&Event::PhaseStarted { phase: Phase::Applied, total: Some(61) }, at(0));
        plain.take(
            &Event::PhaseDone { phase: Phase::Applied, summary: "61 created".into(), seconds: 0.9 },
            at(1),
        );
        plain.take(&component("prometheus", ComponentState::Starting, "0/1", "", 0.0), at(1));
        plain.take(&component("grafana", ComponentState::Starting, "0/1", "", 0.0), at(1));
        plain.take(&component("prometheus", ComponentState::Ready, "1/1", "", 3.0), at(4));
        plain.take(
            &component(
                "grafana",
                ComponentState::Starting,
                "0/1",
                "readiness probe: connection refused",
                6.0,
            ),
            at(7),
        );
        plain.take(&component("grafana", ComponentState::Ready, "1/1", "", 20.0), at(21));
        plain.take(
            &Event::PhaseDone { phase: Phase::Ready, summary: "2 components".into(), seconds: 20.0 },
            at(21),
        );
    }

    #[test]
    fn an_install_reads_as_a_transcript() {
        let (plain, out, start) = plain();
        install(&plain, start);
        assert_eq!(
            out.taken(),
            "observability stack 1.0.0 → release obs in namespace observability (cluster kind-dev, Kubernetes 1.34)\n\
             \n\
             ✔ applied     61 created                                                    0.9s\n\
             \x20 prometheus           ready      1/1                                         3s\n\
             \x20 grafana              starting   0/1  readiness probe: connection refused    6s\n\
             \x20 grafana              ready      1/1                                        20s\n\
             ✔ ready       2 components                                                   20s\n"
        );
    }

    #[test]
    fn an_install_can_be_listened_to() {
        let (plain, out, start) = sentences();
        plain.take(&Event::Usual { name: "grafana".into(), seconds: 25.0 }, start);
        install(&plain, start);
        let said = out.taken();
        assert_eq!(
            said,
            "install of release obs in namespace observability begins: stack 1.0.0, on cluster kind-dev with \
             Kubernetes 1.34\n\
             the objects were applied within 0.9 seconds: 61 created\n\
             prometheus is ready after 3 seconds, 1 of 1\n\
             grafana is starting, 0 of 1 ready after 6 seconds, usually ready after 25 seconds: readiness probe: \
             connection refused\n\
             grafana is ready after 20 seconds, 1 of 1\n\
             everything became ready within 20 seconds: 2 components\n"
        );
        assert!(
            said.is_ascii() && !said.contains("  ") && !said.contains(|c: char| c.is_control() && c != '\n')
        );
    }

    #[test]
    fn who_listens_hears_a_reason_once_and_signs_of_life_less_and_less_often() {
        let (plain, out, start) = sentences();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        plain.take(&Event::PhaseStarted { phase: Phase::Ready, total: None }, at(0));
        plain.take(&component("grafana", ComponentState::Starting, "0/1", "", 0.0), at(0));
        for second in 1..300_u32 {
            let why = if second / 10 % 2 == 0 { "image is pulled" } else { "connection refused" };
            let event = component("grafana", ComponentState::Starting, "0/1", why, f64::from(second));
            plain.take(&event, at(second.into()));
            plain.tick(at(second.into()));
        }
        assert_eq!(
            out.taken(),
            "grafana is starting, 0 of 1 ready after 5 seconds: image is pulled\n\
             grafana is starting, 0 of 1 ready after 10 seconds: connection refused\n\
             still waiting for grafana after 40 seconds\n\
             still waiting for grafana after 1 minute 40 seconds\n\
             still waiting for grafana after 3 minutes 40 seconds\n"
        );
    }

    #[test]
    fn a_reason_that_flickers_is_told_every_few_seconds_only() {
        let (plain, out, start) = plain();
        for i in 0..100_u32 {
            let why = format!("try {i}");
            plain.take(
                &component("grafana", ComponentState::Starting, "0/1", &why, f64::from(i) / 10.0),
                start + Duration::from_millis(u64::from(i) * 100),
            );
        }
        assert_eq!(out.taken().lines().count(), 1);
        plain.tick(start + Duration::from_secs(11));
        let held_back = out.taken();
        assert!(held_back.contains("try 99"), "{held_back}");
        plain.tick(start + Duration::from_secs(17));
        assert_eq!(out.taken(), "", "nothing changed");
    }

    #[test]
    fn silence_is_broken_every_half_minute_while_something_is_awaited() {
        let (plain, out, start) = plain();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        plain.tick(at(31));
        assert_eq!(out.taken(), "", "nothing is awaited yet");
        plain.take(&Event::PhaseStarted { phase: Phase::Ready, total: None }, at(31));
        plain.take(
            &component("grafana", ComponentState::Starting, "0/1", "readiness probe: HTTP 503", 0.0),
            at(31),
        );
        plain.tick(at(37));
        assert!(out.taken().contains("HTTP 503"));
        plain.tick(at(66));
        assert_eq!(out.taken(), "", "29 seconds");
        plain.tick(at(67));
        assert_eq!(out.taken(), "  still waiting for grafana (36s): readiness probe: HTTP 503\n");
        plain.tick(at(68));
        assert_eq!(out.taken(), "");
    }
}
