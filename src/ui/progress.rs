//! Progress on a terminal: lines that redraw in place, above them what is done.

use std::sync::Mutex;
use std::time::Instant;

use super::board::Board;
use super::lines::{self, Layout};
use super::paint::Paint;
use super::screen::{self, Screen};
use super::text::wrap;
use crate::event::{Event, Observer, Phase};

/// Frames of the spinner; one step per tick.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Draws on stderr. [`Bars::tick`] wants to be called several times a second.
pub struct Bars {
    state: Mutex<State>,
    paint: Paint,
}

#[derive(Default)]
struct State {
    board: Board,
    screen: Screen,
    step: usize,
}

impl Bars {
    /// Draws on stderr, which must be a terminal.
    pub fn new(colour: bool) -> Self {
        Self { state: Mutex::default(), paint: Paint { colour } }
    }

    /// Moves spinner and clocks on.
    pub fn tick(&self, now: Instant) {
        let mut state = self.lock();
        state.step += 1;
        self.draw(&mut state, &[], now);
    }

    /// A line above the changing region; it stays.
    pub(super) fn line(&self, line: &str) {
        self.draw(&mut self.lock(), &[line.to_owned()], Instant::now());
    }

    /// Runs `f` with the changing region taken off the screen.
    pub(super) fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        // Held all the while: the ticker must not draw into a question.
        self.lock().screen.suspend(f)
    }

    /// Leaves the components on the screen as they are and ends drawing.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        let last = state.board.component_lines(Instant::now(), &self.layout());
        state.board = Board::default();
        if !super::crash::broken() {
            state.screen.close();
            state.screen.print(&last);
        }
    }

    fn take(&self, event: &Event, now: Instant) {
        let mut state = self.lock();
        state.board.take(event, now);
        let layout = self.layout();
        let mut above = Vec::new();
        match event {
            Event::Started { operation, release, namespace, bundle, cluster, kubernetes } => {
                let line =
                    lines::header(operation, bundle.as_deref(), release, namespace, cluster, kubernetes);
                above.extend(wrap(&line, layout.columns));
                above.push(String::new());
            }
            Event::Warning { message } => {
                above.push(lines::warning(message, Some(layout.columns), self.paint));
            }
            Event::PhaseDone { phase, summary, seconds } => {
                if *phase == Phase::Ready {
                    above = state.board.component_lines(now, &layout);
                    state.board.components.clear();
                }
                above.push(lines::phase_done(*phase, summary, *seconds, &layout));
            }
            Event::PhaseStarted { .. }
            | Event::Object { .. }
            | Event::Usual { .. }
            | Event::Component { .. }
            | Event::Release { .. }
            | Event::Awaiting { .. }
            | Event::Failed { .. } => {}
        }
        // The ticker draws what only changes the region; hundreds of objects are one frame.
        if !above.is_empty() || matches!(event, Event::PhaseStarted { .. }) {
            self.draw(&mut state, &above, now);
        }
    }

    fn draw(&self, state: &mut State, above: &[String], now: Instant) {
        if super::crash::broken() {
            return;
        }
        let spinner = SPINNER[state.step % SPINNER.len()];
        let region = state.board.frame(now, screen::size().0, spinner, &self.layout());
        // First the region: what is told above is not in it any more.
        state.screen.show(&region);
        state.screen.print(above);
    }

    fn layout(&self) -> Layout {
        Layout { columns: screen::size().1, cut: true, paint: self.paint }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Observer for Bars {
    fn event(&self, event: Event) {
        self.take(&event, Instant::now());
    }
}
