//! The chains over what a healthy cluster says, with one thing changed each: which link is the last, and how it
//! ends.

mod alert;
mod logs;
mod metrics;

use super::chain::{Chain, State};

/// `✘AP08`
fn end(chain: &Chain) -> String {
    let last = chain.links.last().expect("a link");
    let mark = match last.state {
        State::Holds => "✔",
        State::Warns => "!",
        State::Unknown => "?",
        State::Ends => "·",
        State::Broken => "✘",
    };
    format!("{mark}{}", last.id)
}

/// All that a chain says.
fn said(chain: &Chain) -> String {
    let lines = chain.links.iter().flat_map(|link| {
        [link.title.clone()].into_iter().chain(link.evidence.clone()).chain(link.fix.clone())
    });
    lines.collect::<Vec<_>>().join("\n")
}
