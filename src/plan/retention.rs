//! How long data is kept: less of it is deleted when the release keeps it for a shorter time, or in
//! less space. What an object says of it stands in its annotation `kubectl-obs.dev/retention`. Pure.

use serde_json::{Map, Value};

use crate::object::labels;

/// What is kept no longer, in words: `retention.time goes from 15d to 7d`.
pub fn shortened(live: &Value, desired: &Value) -> Vec<String> {
    let (before, after) = (limits(live), limits(desired));
    let text = |limits: &Map<String, Value>, key: &str| limits.get(key)?.as_str().map(str::to_owned);
    let keys = after.keys().filter(|key| {
        let wanted = text(&after, key).as_deref().and_then(amount).filter(|wanted| *wanted > 0.0);
        let present = text(&before, key).as_deref().and_then(amount).filter(|present| *present > 0.0);
        // no limit, or none that is known, is more than any
        wanted.is_some_and(|wanted| present.is_some_and(|present| wanted < present))
    });
    keys.map(|key| {
        let (from, to) = (text(&before, key).unwrap_or_default(), text(&after, key).unwrap_or_default());
        format!("retention.{key} goes from {from} to {to}")
    })
    .collect()
}

fn limits(object: &Value) -> Map<String, Value> {
    let text = object["metadata"]["annotations"][labels::RETENTION].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// A duration in seconds or a size in bytes, as Prometheus reads them.
pub fn amount(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 17] = [
        ("ms", 0.001),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86_400.0),
        ("w", 604_800.0),
        ("y", 31_536_000.0),
        ("B", 1.0),
        ("KB", 1024.0),
        ("KiB", 1024.0),
        ("MB", 1_048_576.0),
        ("MiB", 1_048_576.0),
        ("GB", 1_073_741_824.0),
        ("GiB", 1_073_741_824.0),
        ("TB", 1_099_511_627_776.0),
        ("TiB", 1_099_511_627_776.0),
        ("PB", 1_125_899_906_842_624.0),
    ];
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = rest.get(..end)?;
        total += number * UNITS.iter().find(|(name, _)| *name == unit)?.1;
        rest = rest.get(end..)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn less_time_and_less_space_are_told() {
        let object = |text: &str| json!({"metadata": {"annotations": {labels::RETENTION: text}}});
        let keeps = |time: &str, size: &str| object(&json!({"time": time, "size": size}).to_string());
        let cases = [
            (keeps("15d", "8GB"), keeps("15d", "8GB"), vec![]),
            (keeps("15d", "8GB"), keeps("30d", "9GB"), vec![]),
            (keeps("15d", "8GB"), keeps("2w", "8192MB"), vec!["retention.time goes from 15d to 2w"]),
            (keeps("15d", "8GB"), keeps("1y", "7GB"), vec!["retention.size goes from 8GB to 7GB"]),
            (keeps("15d", "8GB"), keeps("15d", "0"), vec![]),
            (object("no json"), keeps("1d", "1GB"), vec![]),
            (json!({}), keeps("1d", "1GB"), vec![]),
        ];
        for (live, desired, told) in cases {
            assert_eq!(shortened(&live, &desired), told, "{live} {desired}");
        }
    }
}
