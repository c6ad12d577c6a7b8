//! The result: a table for people, a JSON file for comparisons over time.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::contest::Series;
use crate::measure::Sample;

/// One line of the table.
struct Row {
    name: String,
    ours: f64,
    peer: Option<f64>,
    floor: Option<f64>,
    unit: &'static str,
    target: Option<f64>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.peer.map(|peer| self.ours / peer)
    }
}

/// All lines.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// A row for the time and one for the memory of a series; the targets are the largest ratios
    /// that we want to see.
    pub(crate) fn add(&mut self, name: &str, series: &Series, time: Option<f64>, memory: Option<f64>) {
        let row = |name: String, unit, target, of: fn(&Sample) -> f64| {
            let median = |samples: &[Sample]| median(samples.iter().map(of).collect());
            let ours = median(&series.ours).expect("ours always runs");
            Row { name, ours, peer: median(&series.peer), floor: median(&series.floor), unit, target }
        };
        let rows = [
            row(name.to_owned(), "ms", time, |sample| sample.wall),
            row(format!("{name}-memory"), "MiB", memory, |sample| sample.memory),
        ];
        self.rows.extend(rows);
    }

    /// Writes `target/bench/report.json`; gives its path.
    pub(crate) fn write(&self) -> PathBuf {
        let round = |number: Option<f64>| number.map(|number| (number * 1000.0).round() / 1000.0);
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name, "ours": round(Some(row.ours)), "peer": round(row.peer),
                    "floor": round(row.floor), "unit": row.unit, "ratio": round(row.ratio()),
                })
            })
            .collect();
        // CARGO_TARGET_TMPDIR is `tmp` in the target directory, wherever that is.
        let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = tmp.parent().expect("it is in the target directory").join("bench");
        std::fs::create_dir_all(&folder).expect("make target/bench");
        let path = folder.join("report.json");
        let text = serde_json::to_string_pretty(&rows).expect("a report is JSON");
        std::fs::write(&path, text + "\n").expect("write the report");
        path
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
        writeln!(
            f,
            "{:<20} {:>9} {:>9} {:>9}  {:<4} {:>6}  TARGET",
            "NAME", "OURS", "HELM", "FLOOR", "UNIT", "RATIO"
        )?;
        for row in &self.rows {
            let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let target = row.target.map_or_else(String::new, |target| {
                let met = row.ratio().is_some_and(|ratio| ratio <= target);
                format!("≤ {target:.2} {}", if met { "✔" } else { "✘" })
            });
            let (ours, peer, floor) = (number(Some(row.ours)), number(row.peer), number(row.floor));
            let (name, unit) = (&row.name, row.unit);
            let line = format!("{name:<20} {ours:>9} {peer:>9} {floor:>9}  {unit:<4} {ratio:>6}  {target}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        n if n % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}
