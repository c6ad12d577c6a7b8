//! The result: a table for people, a JSON file for comparisons over time.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::contest::{Rows, Series};
use crate::measure::Sample;
use crate::targets::{self, Target};

/// One line of the table.
struct Row {
    name: String,
    ours: f64,
    peer: Option<f64>,
    floor: Option<f64>,
    unit: &'static str,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.peer.filter(|peer| *peer > 0.0).map(|peer| self.ours / peer)
    }
}

/// All lines.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// For each series a row for its time and one for its memory.
    pub(crate) fn add_all(&mut self, rows: Rows) {
        for (name, series) in &rows {
            let row = |name: String, unit, of: fn(&Sample) -> f64| {
                let median = |samples: &[Sample]| median(samples.iter().map(of).collect());
                let Series { ours, peer, floor } = series;
                let ours = median(ours).expect("ours always runs");
                Row { name, ours, peer: median(peer), floor: median(floor), unit }
            };
            self.rows.push(row((*name).to_owned(), "ms", |sample| sample.wall));
            self.rows.push(row(format!("{name}-memory"), "MiB", |sample| sample.memory));
        }
    }

    /// A row for times of ours alone, in milliseconds.
    pub(crate) fn add_times(&mut self, name: &str, times: Vec<f64>) {
        let ours = median(times).expect("there are times");
        self.rows.push(Row { name: name.to_owned(), ours, peer: None, floor: None, unit: "ms" });
    }

    /// A row for numbers of ours and of the peer.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, [ours, peer]: [Vec<f64>; 2]) {
        let ours = median(ours).expect("ours always runs");
        self.rows.push(Row { name: name.to_owned(), ours, peer: median(peer), floor: None, unit });
    }

    /// Writes `target/bench/report.json`, or adds to what is in it; gives its path.
    pub(crate) fn write(&self, add: bool) -> PathBuf {
        let round = |number: Option<f64>| number.map(|number| (number * 1000.0).round() / 1000.0);
        let rows = self.rows.iter().map(|row| {
            json!({
                "name": row.name, "ours": round(Some(row.ours)), "peer": round(row.peer),
                "floor": round(row.floor), "unit": row.unit, "ratio": round(row.ratio()),
            })
        });
        // CARGO_TARGET_TMPDIR is `tmp` in the target directory, wherever that is.
        let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = tmp.parent().expect("it is in the target directory").join("bench");
        std::fs::create_dir_all(&folder).expect("make target/bench");
        let path = folder.join("report.json");
        let before = std::fs::read(&path).ok().filter(|_| add);
        let mut all: Vec<Value> =
            before.map(|text| serde_json::from_slice(&text).expect("a report is JSON")).unwrap_or_default();
        all.retain(|row| !self.rows.iter().any(|own| row["name"] == own.name.as_str()));
        all.extend(rows);
        let text = serde_json::to_string_pretty(&all).expect("a report is JSON");
        std::fs::write(&path, text + "\n").expect("write the report");
        path
    }

    /// The row's target in words, with whether it is met.
    fn verdict(&self, row: &Row) -> Option<String> {
        let (words, met) = match targets::of(&row.name)? {
            Target::OfPeer(most) => (format!("≤ {most:.2}"), row.ratio()? <= most),
            Target::AtMost(most) => (format!("≤ {most:.0} {}", row.unit), row.ours <= most),
            Target::Times(most, other) => {
                let smaller = self.rows.iter().find(|row| row.name == other)?;
                let (times, floor) = (row.ours / smaller.ours, row.floor? / smaller.floor?);
                // where the server itself takes longer for each of many, so may we
                let words = format!("≤ {most:.0} × {other} ({times:.2}, floor {floor:.2})");
                (words, times <= most.max(floor))
            }
        };
        Some(format!("{words} {}", if met { "✔" } else { "✘" }))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
        writeln!(
            f,
            "{:<30} {:>9} {:>9} {:>9}  {:<4} {:>6}  TARGET",
            "NAME", "OURS", "PEER", "FLOOR", "UNIT", "RATIO"
        )?;
        for row in &self.rows {
            let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let verdict = self.verdict(row).unwrap_or_default();
            let (ours, peer, floor) = (number(Some(row.ours)), number(row.peer), number(row.floor));
            let (name, unit) = (&row.name, row.unit);
            let line = format!("{name:<30} {ours:>9} {peer:>9} {floor:>9}  {unit:<4} {ratio:>6}  {verdict}");
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
