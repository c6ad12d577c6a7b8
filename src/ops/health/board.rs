//! What passes and what does not yet: each change is told to those who watch.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::event::{Event, Phase};
use crate::ops::Context;

/// What passes and what does not yet, for those who watch.
pub struct Board {
    /// How many checks there are.
    pub total: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: usize,
    /// Why, by the check's name.
    failing: BTreeMap<String, String>,
    told: String,
}

impl Board {
    /// Of so many checks, none of which passes yet.
    pub fn new(total: usize) -> Self {
        Self { total, state: Mutex::default() }
    }

    /// A check passes.
    pub fn passed(&self, ctx: &Context<'_>, name: &str) {
        self.change(ctx, |state| {
            state.passed += 1;
            state.failing.remove(name);
        });
    }

    /// A check does not pass yet.
    pub fn fails(&self, ctx: &Context<'_>, name: &str, why: &str) {
        self.change(ctx, |state| {
            state.failing.insert(name.to_owned(), why.to_owned());
        });
    }

    fn change(&self, ctx: &Context<'_>, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        let Some((name, why)) = state.failing.first_key_value() else { return };
        let what = format!("{} of {} checks pass; {name}: {why}", state.passed, self.total);
        if what != state.told {
            ctx.observer.event(Event::Awaiting { phase: Phase::Healthy, what: what.clone() });
            state.told = what;
        }
    }
}
