//! What is told when a component does not become ready: each cause made for real, and what
//! `kubectl obs status` says of it. And the other way round: starts that are slow and end well.
//!
//! A table is one bundle with one broken component a row, so that they fail side by side.

mod containers;
mod crashes;
mod places;
mod refusals;
mod running;
mod slow_starts;
mod table;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [containers::trials(), places::trials(), refusals::trials(), slow_starts::trials()]
        .into_iter()
        .flatten()
        .collect()
}
