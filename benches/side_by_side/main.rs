//! Side by side with Helm, and with kubectl where ports are forwarded: the same work, in turns, on the
//! same API server (`make bench`).
//!
//! Each row compares medians of runs that alternate (ours, the peer's, ours, …), so that whatever slows
//! the machine down meets both. Wall time is from start to end of the process, memory its largest
//! resident set. The floor is what the API server itself takes: the requests that the work needs at
//! least, from a client that does nothing else.
//!
//! - [`load`]: bundles of many objects; [`chart`]: our rendered objects as a Helm chart.
//! - [`offline`]: what needs no cluster; [`lifecycle`]: from install to uninstall; [`scale`]: larger
//!   loads; [`latency`]: from ready to said so; [`fleet`]: many releases; [`forward`]: ports of a pod,
//!   the only group that needs a node.
//! - [`contest`]: the commands; [`measure`]: one run; [`floor`]: the bare client.
//! - [`targets`]: what we want to see; [`report`]: the table and `target/bench/report.json`.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and ends at the first surprise"
)]

use std::process::ExitCode;
use std::time::Instant;

mod chart;
mod contest;
mod fleet;
mod floor;
mod forward;
mod latency;
mod lifecycle;
mod load;
mod measure;
mod offline;
mod report;
mod scale;
mod targets;

use contest::Contest;
use report::Report;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        // This very program serves as the measuring process and as the bare client.
        ["measure", command @ ..] => measure::child(command),
        ["floor", kubeconfig, context, requests] => floor::run(kubeconfig, context, requests),
        [] => run(&FULL, &GROUPS),
        ["--quick"] => run(&QUICK, &GROUPS),
        ["--quick", groups @ ..] if are_groups(groups) => run(&QUICK, groups),
        groups if are_groups(groups) => run(&FULL, groups),
        _ => {
            eprintln!("usage: side_by_side [--quick] [{}|{ON_A_NODE}]", GROUPS.join("|"));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Groups of rows, which can be measured alone. All of them are measured where none is named.
const GROUPS: [&str; 5] = ["offline", "lifecycle", "scale", "latency", "fleet"];

/// The group that has to be named, as it needs another cluster. Its rows are added to the report.
const ON_A_NODE: &str = "forward";

fn are_groups(words: &[&str]) -> bool {
    words.iter().all(|word| GROUPS.contains(word)) || words == [ON_A_NODE]
}

/// How often each group of rows is measured.
struct Runs {
    offline: u32,
    lifecycle: u32,
    scale: u32,
    latency: u32,
    fleet: u32,
    forward: u32,
}

const FULL: Runs = Runs { offline: 30, lifecycle: 9, scale: 3, latency: 15, fleet: 9, forward: 9 };
const QUICK: Runs = Runs { offline: 3, lifecycle: 3, scale: 1, latency: 5, fleet: 3, forward: 3 };

/// The rows of these groups, in the order of the table. The fleet comes last: its Secrets stay until
/// the cluster ends.
fn run(runs: &Runs, groups: &[&str]) {
    let contest = Contest::prepare();
    let mut report = Report::default();
    for group in GROUPS.into_iter().chain([ON_A_NODE]).filter(|group| groups.contains(group)) {
        let started = Instant::now();
        match group {
            "offline" => report.add_all(offline::run(&contest, runs.offline)),
            "lifecycle" => report.add_all(lifecycle::run(&contest, runs.lifecycle)),
            "scale" => report.add_all(scale::run(&contest, runs.scale)),
            "latency" => report.add_times("readiness-latency", latency::run(&contest, runs.latency)),
            ON_A_NODE => forward::run(&contest, runs.forward, &mut report),
            _ => report.add_all(fleet::run(&contest, runs.fleet)),
        }
        eprintln!("{group}: {:.0} s", started.elapsed().as_secs_f64());
    }
    contest.clean_up();
    println!("\n{report}");
    let path = report.write(groups == [ON_A_NODE]);
    println!("written to {}", path.display());
}
