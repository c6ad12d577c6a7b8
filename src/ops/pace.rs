//! How long components take to become ready. A wait is timed from its own events, a deployed revision
//! keeps the times, and the next wait tells what is usual.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Context;
use crate::event::{ComponentState, Event, Observer};
use crate::plan::Plan;
use crate::release::{History, ReadyAfter};

/// Tells how long the components usually take, for the wait that begins.
pub fn tell(ctx: &Context<'_>, history: &History) {
    for (name, seconds) in history.usually_ready_after() {
        ctx.observer.event(Event::Usual { name, seconds: f64::from(seconds) });
    }
}

/// Passes events on and notes when each component became ready.
pub struct Stopwatch<'a> {
    observer: &'a dyn Observer,
    ready: Mutex<BTreeMap<String, f64>>,
}

impl<'a> Stopwatch<'a> {
    /// In front of an observer.
    pub fn new(observer: &'a dyn Observer) -> Self {
        Self { observer, ready: Mutex::default() }
    }

    /// The times of the components that the plan changed, in whole seconds. One that was ready within
    /// the first second was not restarted: that says nothing about the next time.
    pub fn times(&self, plan: &Plan) -> ReadyAfter {
        let writes = plan.steps.iter().filter(|step| step.change.writes());
        let changed: BTreeSet<&str> = writes.map(|step| step.component.as_str()).collect();
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = ready.iter().filter(|(name, after)| changed.contains(name.as_str()) && **after >= 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; saturates"
        )]
        counted.map(|(name, after)| (name.clone(), after.round() as u32)).collect()
    }
}

impl Observer for Stopwatch<'_> {
    fn event(&self, event: Event) {
        if let Event::Component { name, state, seconds, .. } = &event {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            match state {
                ComponentState::Ready => {
                    ready.entry(name.clone()).or_insert(*seconds);
                }
                // it was ready too early: what counts is when it stays so
                ComponentState::Starting | ComponentState::Failed => {
                    ready.remove(name);
                }
            }
        }
        self.observer.event(event);
    }
}
