//! What needs no cluster.

use crate::chart;
use crate::contest::{Contest, Rows, Series, alternate, text};

pub(crate) fn run(contest: &Contest, pairs: u32) -> Rows {
    vec![("version", version(contest, pairs)), ("template", template(contest, pairs))]
}

/// Client versions: what it costs to start.
fn version(contest: &Contest, pairs: u32) -> Series {
    let (ours, peer) = (contest.ours(&["version", "--client"]), contest.helm(&["version"]));
    alternate("version", pairs, &ours, &peer)
}

/// Rendering the stack; Helm has nothing to compute.
fn template(contest: &Contest, pairs: u32) -> Series {
    let folder = contest.path("stack-chart");
    chart::write(&folder, &contest.rendered(&[]));
    let (ours, peer) = (contest.ours(&["template"]), contest.helm(&["template", "obs", &text(&folder)]));
    alternate("template", pairs, &ours, &peer)
}
