//! Counts runs and failures. A scenario goes on after a failed run, so that one look at the report
//! says how often it fails and where; it gives up when it fails again and again.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;

/// Failures after which a scenario is given up.
const ENOUGH: usize = 4;

#[derive(Clone, Copy, Default)]
struct Row {
    runs: usize,
    failed: usize,
    seconds: f64,
}

static ROWS: Mutex<BTreeMap<&'static str, Row>> = Mutex::new(BTreeMap::new());

/// The runs of one scenario.
pub(crate) struct Tally {
    runs: usize,
    failures: Vec<String>,
}

/// Runs a scenario and enters it in the report. Several trials can add to one scenario.
#[track_caller]
pub(crate) fn scenario(name: &'static str, body: impl FnOnce(&mut Tally)) {
    let begun = Instant::now();
    let mut tally = Tally { runs: 0, failures: Vec::new() };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(&mut tally))) {
        tally.runs += 1;
        tally.failures.push(format!("between the runs: {}", message(panic.as_ref())));
    }
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let row = rows.entry(name).or_default();
    row.runs += tally.runs;
    row.failed += tally.failures.len();
    row.seconds += begun.elapsed().as_secs_f64();
    write(&rows);
    drop(rows);
    let Tally { runs, failures } = tally;
    assert!(failures.is_empty(), "{name}: {} of {runs} failed\n\n{}", failures.len(), failures.join("\n\n"));
}

impl Tally {
    /// One run; a panic in it is a failure. `what` says how to do it again.
    pub(crate) fn run(&mut self, what: impl Display, test: impl FnOnce()) {
        self.runs += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(test)) {
            self.failures.push(format!("{what}: {}", message(panic.as_ref())));
        }
    }

    /// Did it fail so often that more runs tell nothing new?
    pub(crate) fn gives_up(&self) -> bool {
        self.failures.len() >= ENOUGH
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    crate::support::trial::story(panic)
}

fn write(rows: &BTreeMap<&'static str, Row>) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, row)| json!({"scenario": name, "runs": row.runs, "failed": row.failed}))
        .collect();
    let path = path();
    std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("make a folder");
    let text = serde_json::to_string_pretty(&rows).expect("plain data");
    std::fs::write(path, text + "\n").expect("write the report");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/chaos/report.json")
}

/// The table, if any scenario was run.
pub(crate) fn print() {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if rows.is_empty() {
        return;
    }
    let width = rows.keys().map(|name| name.len()).max().unwrap_or_default();
    eprintln!("{:width$}  {:>5}  {:>6}  {:>7}", "scenario", "runs", "failed", "took");
    for (name, row) in &*rows {
        eprintln!("{name:width$}  {:>5}  {:>6}  {:>6.0}s", row.runs, row.failed, row.seconds);
    }
    eprintln!("\n{}", path().display());
}
