//! Progress on a terminal: lines that redraw in place, above them what is done.

use std::sync::Mutex;
use std::time::Instant;

use super::board::Board;
use super::lines::{self, Layout};
use super::paint::Paint;
use super::screen::Screen;
use super::text::wrap;
use super::tty::{Stderr, Terminal, left};
use crate::event::{Event, Observer, Phase};

/// Frames of the spinner; one step per tick.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Draws on stderr. [`Bars::tick`] wants to be called several times a second.
pub struct Bars {
    state: Mutex<State>,
    paint: Paint,
}

struct State {
    board: Board,
    screen: Screen,
    step: usize,
}

impl Bars {
    /// Draws on stderr, which must be a terminal.
    pub fn new(colour: bool) -> Self {
        Self::on(Box::new(Stderr), colour)
    }

    pub(super) fn on(terminal: Box<dyn Terminal>, colour: bool) -> Self {
        let state = State { board: Board::default(), screen: Screen::new(terminal), step: 0 };
        Self { state: Mutex::new(state), paint: Paint { colour } }
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
        let mut state = self.lock();
        state.screen.clear();
        f()
    }

    /// Leaves the components on the screen as they are and ends drawing.
    pub(super) fn finish(&self) {
        self.end(Instant::now());
    }

    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        let last = state.board.component_lines(now, &self.layout(&state));
        state.board = Board::default();
        self.draw(&mut state, &last, now);
    }

    pub(super) fn take(&self, event: &Event, now: Instant) {
        let mut state = self.lock();
        state.board.take(event, now);
        let layout = self.layout(&state);
        let mut above = Vec::new();
        match event {
            Event::Started(start) => {
                above.extend(wrap(&lines::header(start), layout.columns));
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
        if left() {
            return;
        }
        let spinner = SPINNER[state.step % SPINNER.len()];
        // in the background only what stays is told
        let region = if state.screen.is_ours() {
            state.board.frame(now, state.screen.size().rows, spinner, &self.layout(state))
        } else {
            Vec::new()
        };
        state.screen.draw(above, &region, now);
    }

    fn layout(&self, state: &State) -> Layout {
        Layout { columns: state.screen.size().columns, cut: true, paint: self.paint }
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
