//! The observer that commands hand to operations: bars, lines, NDJSON or nothing, with the clock
//! that moves spinners and prints signs of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::json::Ndjson;
use super::plain::Plain;
use super::progress::Bars;
use super::terminal::Mode;
use super::text::one_line;
use crate::event::{Event, Observer};

/// The ways of showing progress.
pub(super) enum Sink {
    Bars(Bars),
    Plain(Plain),
    Ndjson(Ndjson),
    Quiet,
}

impl Sink {
    pub fn new(mode: Mode, colour: bool) -> Self {
        match mode {
            Mode::Bars => Self::Bars(Bars::new(colour)),
            Mode::Plain => Self::Plain(Plain::new(Box::new(std::io::stderr()), colour)),
            Mode::Sentences => Self::Plain(Plain::sentences(Box::new(std::io::stderr()))),
            Mode::Ndjson => Self::Ndjson(Ndjson::stdout()),
            Mode::Quiet => Self::Quiet,
        }
    }

    fn tick(&self, now: Instant) {
        match self {
            Self::Bars(bars) => bars.tick(now),
            Self::Plain(plain) => plain.tick(now),
            Self::Ndjson(_) | Self::Quiet => {}
        }
    }

    fn interval(&self) -> Option<Duration> {
        match self {
            Self::Bars(_) => Some(Duration::from_millis(100)),
            Self::Plain(_) => Some(Duration::from_secs(1)),
            Self::Ndjson(_) | Self::Quiet => None,
        }
    }
}

/// Shows the events of one operation. Dropping it takes the changing lines off the screen and
/// leaves the last state of every component; do that before printing the outcome.
pub struct Progress {
    sink: Arc<Sink>,
    began: Arc<AtomicBool>,
    clock: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn new(sink: Arc<Sink>, began: Arc<AtomicBool>) -> Self {
        let clock = sink.interval().map(|interval| {
            let (stop, stopped) = channel();
            let ticking = Arc::clone(&sink);
            let thread = std::thread::spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    ticking.tick(Instant::now());
                }
            });
            (stop, thread)
        });
        Self { sink, began, clock }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        // `rollout status` only waits: it begins with a component
        if matches!(event, Event::Started(_) | Event::Component { .. }) {
            self.began.store(true, Ordering::Relaxed);
        }
        match &*self.sink {
            // each of them stands within a line
            Sink::Bars(bars) => bars.event(event.with_texts(one_line)),
            Sink::Plain(plain) => plain.event(event.with_texts(one_line)),
            Sink::Ndjson(ndjson) => ndjson.event(event),
            Sink::Quiet => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.clock.take() {
            drop(stop);
            // A ticker that panicked has already said so.
            let _ = thread.join();
        }
        match &*self.sink {
            Sink::Bars(bars) => bars.finish(),
            Sink::Plain(plain) => plain.finish(),
            Sink::Ndjson(_) | Sink::Quiet => {}
        }
    }
}
