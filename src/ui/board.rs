//! What an operation looks like at this moment: the state that bars and plain output keep while
//! events come in. Pure: the time is an argument.

use std::time::Instant;

use super::lines::{self, Layout, Row};
use super::text::one_line;
use crate::event::{ComponentState, Event, Phase};

/// The phase that is running.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub phase: Phase,
    pub total: Option<usize>,
    pub handled: usize,
    pub since: Instant,
}

/// A component, and when its state was told: between two events its seconds go on.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub row: Row,
    pub told: Instant,
}

impl Entry {
    /// The row as it is now. A component that is ready or failed has stopped its clock.
    pub fn at(&self, now: Instant) -> Row {
        let mut row = self.row.clone();
        if row.state == ComponentState::Starting {
            row.seconds += now.saturating_duration_since(self.told).as_secs_f64();
        }
        row
    }
}

/// The state of one operation.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub running: Option<Running>,
    /// What the running phase waits for; empty when nothing is known.
    pub awaiting: String,
    pub components: Vec<Entry>,
    usual: Vec<(String, f64)>,
}

impl Board {
    /// Takes an event in.
    pub fn take(&mut self, event: &Event, now: Instant) {
        match event {
            Event::PhaseStarted { phase, total } => {
                self.running = Some(Running { phase: *phase, total: *total, handled: 0, since: now });
                self.awaiting.clear();
            }
            Event::Object { .. } => {
                if let Some(running) = &mut self.running {
                    running.handled += 1;
                }
            }
            Event::PhaseDone { phase, .. } => {
                if self.running.is_some_and(|running| running.phase == *phase) {
                    self.running = None;
                    self.awaiting.clear();
                }
            }
            Event::Awaiting { what, .. } => self.awaiting = one_line(what),
            Event::Usual { name, seconds } => {
                self.usual.push((name.clone(), *seconds));
                if let Some(entry) = self.components.iter_mut().find(|e| e.row.name == *name) {
                    entry.row.usual = Some(*seconds);
                }
            }
            Event::Component { name, state, ready, why, seconds } => {
                let row = Row {
                    name: name.clone(),
                    state: *state,
                    ready: ready.clone(),
                    why: one_line(why),
                    seconds: *seconds,
                    usual: self.usual.iter().find(|(n, _)| n == name).map(|(_, seconds)| *seconds),
                };
                match self.components.iter_mut().find(|e| e.row.name == *name) {
                    Some(entry) => *entry = Entry { row, told: now },
                    None => self.components.push(Entry { row, told: now }),
                }
            }
            Event::Started(_) | Event::Warning { .. } | Event::Release { .. } | Event::Failed { .. } => {}
        }
    }

    /// The widest component name.
    pub fn names(&self) -> usize {
        self.components.iter().map(|e| super::text::width(&e.row.name)).max().unwrap_or(0)
    }

    /// All component lines, as they end.
    pub fn component_lines(&self, now: Instant, layout: &Layout) -> Vec<String> {
        let names = self.names();
        self.components.iter().map(|e| lines::component(&e.at(now), names, layout)).collect()
    }

    /// What a screen with `rows` lines shows: the components, or the running phase. When there is
    /// no room for all components, those that are ready are folded first.
    pub fn frame(&self, now: Instant, rows: usize, spinner: char, layout: &Layout) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(running) = self.running
            && (self.components.is_empty() || running.phase != Phase::Ready || !self.awaiting.is_empty())
        {
            let seconds = now.saturating_duration_since(running.since).as_secs_f64();
            out.push(lines::phase_running(
                running.phase,
                running.handled,
                running.total,
                &self.awaiting,
                seconds,
                spinner,
                layout,
            ));
        }
        // One line stays free for the cursor, one for what was printed last.
        let room = rows.saturating_sub(out.len() + 2).max(1);
        let names = self.names();
        let (shown, folded) = self.fold(room);
        let mut components: Vec<String> =
            shown.iter().map(|e| lines::component(&e.at(now), names, layout)).collect();
        if !folded.is_empty() {
            components.push(lines::folded(&folded, layout));
        }
        components.append(&mut out);
        components
    }

    /// The components for `room` lines, and those that the last line stands for.
    fn fold(&self, room: usize) -> (Vec<&Entry>, Vec<&Entry>) {
        if self.components.len() <= room {
            return (self.components.iter().collect(), Vec::new());
        }
        let mut order: Vec<usize> = (0..self.components.len()).collect();
        order.sort_by_key(|&i| match self.components[i].row.state {
            ComponentState::Failed => 0,
            ComponentState::Starting => 1,
            ComponentState::Ready => 2,
        });
        let mut kept = order[..room - 1].to_vec();
        kept.sort_unstable();
        let (mut shown, mut folded) = (Vec::new(), Vec::new());
        for (i, entry) in self.components.iter().enumerate() {
            if kept.contains(&i) { shown.push(entry) } else { folded.push(entry) }
        }
        (shown, folded)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ui::paint::Paint;

    const LAYOUT: Layout = Layout { columns: 80, cut: true, paint: Paint::NONE };

    fn component(name: &str, state: ComponentState) -> Event {
        Event::Component { name: name.into(), state, ready: "0/1".into(), why: String::new(), seconds: 1.0 }
    }

    #[test]
    fn a_starting_component_counts_on_and_a_ready_one_has_stopped() {
        let start = Instant::now();
        let mut board = Board::default();
        board.take(&component("grafana", ComponentState::Starting), start);
        board.take(&component("loki", ComponentState::Ready), start);
        let frame = board.frame(start + Duration::from_secs(4), 24, '⠙', &LAYOUT);
        assert!(frame[0].ends_with(" 5s"), "{frame:?}");
        assert!(frame[1].ends_with(" 1s"), "{frame:?}");
    }

    #[test]
    fn a_small_screen_shows_what_is_awaited() {
        let start = Instant::now();
        let mut board = Board::default();
        for i in 0..6 {
            board.take(&component(&format!("ready-{i}"), ComponentState::Ready), start);
        }
        board.take(&component("grafana", ComponentState::Starting), start);
        board.take(&component("loki", ComponentState::Failed), start);
        let frame = board.frame(start, 6, '⠙', &LAYOUT);
        assert_eq!(frame.len(), 4);
        let first: Vec<&str> =
            frame.iter().map(|l| l.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(first, ["ready-0", "grafana", "loki", "…"]);
        assert_eq!(frame[3], "  … 5 more ready");
    }

    #[test]
    fn what_has_no_room_is_counted_by_state() {
        let start = Instant::now();
        let mut board = Board::default();
        for i in 0..30 {
            let state = if i % 3 == 0 { ComponentState::Ready } else { ComponentState::Starting };
            board.take(&component(&format!("c{i}"), state), start);
        }
        let frame = board.frame(start, 12, '⠙', &LAYOUT);
        assert_eq!(frame.len(), 10);
        assert_eq!(frame[9], "  … 11 more starting, 10 more ready");
        assert!(frame[0].starts_with("  c1 "), "{frame:?}");
    }

    #[test]
    fn what_is_awaited_beside_the_components_is_shown_below_them() {
        let start = Instant::now();
        let mut board = Board::default();
        let what = "prometheus reloads its configuration: it has not reloaded yet";
        board.take(&Event::PhaseStarted { phase: Phase::Ready, total: None }, start);
        board.take(&component("prometheus", ComponentState::Ready), start);
        assert_eq!(board.frame(start, 24, '⠙', &LAYOUT).len(), 1);
        board.take(&Event::Awaiting { phase: Phase::Ready, what: what.into() }, start);
        let frame = board.frame(start + Duration::from_secs(7), 24, '⠙', &LAYOUT);
        assert_eq!(
            frame[1],
            "⠙ waiting     prometheus reloads its configuration: it has not reloaded yet   7s"
        );
    }

    #[test]
    fn a_reason_is_one_line_whatever_a_container_says() {
        let start = Instant::now();
        let mut board = Board::default();
        let why = "cannot start:\n\t\x1b[31mno such file\x1b[0m\r\n".to_owned();
        let name = "grafana".to_owned();
        let (state, ready) = (ComponentState::Failed, "0/1".to_owned());
        board.take(&Event::Component { name, state, ready, why, seconds: 1.0 }, start);
        let frame = board.frame(start, 24, '⠙', &LAYOUT);
        assert!(frame[0].contains("  cannot start: no such file  "), "{frame:?}");
    }

    #[test]
    fn objects_count_towards_the_running_phase() {
        let start = Instant::now();
        let mut board = Board::default();
        board.take(&Event::PhaseStarted { phase: Phase::Applied, total: Some(2) }, start);
        assert!(board.frame(start, 24, '⠙', &LAYOUT)[0].contains("0 of 2 objects"));
        board.take(&Event::PhaseDone { phase: Phase::Applied, summary: String::new(), seconds: 0.1 }, start);
        assert!(board.frame(start, 24, '⠙', &LAYOUT).is_empty());
    }
}
