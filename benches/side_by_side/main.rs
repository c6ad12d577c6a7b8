//! Side by side with Helm: the same work, in turns, on the same API server (`make bench`).
//!
//! Each row compares medians of runs that alternate (ours, Helm, ours, …), so that whatever slows
//! the machine down meets both. Wall time is from start to end of the process, memory its largest
//! resident set. The floor is what the API server itself takes: the same requests from a client
//! that does nothing else.
//!
//! - [`load`]: the bundle of 100 objects; [`chart`]: our rendered objects as a Helm chart.
//! - [`contest`]: the commands and what surrounds a run; [`measure`]: one run; [`floor`]: the bare client.
//! - [`report`]: the table and `target/bench/report.json`.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and ends at the first surprise"
)]

use std::process::ExitCode;

mod chart;
mod contest;
mod floor;
mod load;
mod measure;
mod report;

use contest::Contest;
use report::Report;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        // This very program serves as the measuring process and as the bare client.
        ["measure", command @ ..] => measure::child(command),
        ["floor", kubeconfig, context, objects] => floor::run(kubeconfig, context, objects),
        [] => run(1.0),
        ["--quick"] => run(0.1),
        _ => {
            eprintln!("usage: side_by_side [--quick]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The rows, in the order of the table. `scale` shortens the series for a quick look.
fn run(scale: f64) {
    let contest = Contest::prepare();
    let mut report = Report::default();

    let series = contest.version(pairs(30, scale));
    report.add("version", &series, Some(0.4), Some(0.5));

    let series = contest.template(pairs(30, scale));
    report.add("template", &series, None, None);

    let series = contest.install(pairs(9, scale));
    report.add("install-100", &series, Some(0.6), Some(0.5));

    println!("\n{report}");
    let path = report.write();
    println!("written to {}", path.display());
}

/// How many pairs of a series of `n`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
fn pairs(n: u32, scale: f64) -> u32 {
    (f64::from(n) * scale).ceil().max(2.0) as u32
}
