//! Does Prometheus serve the configuration that was applied? It adds its defaults, fills in its
//! environment, hides secrets and writes durations and sizes its own way. And which jobs differ between
//! two configurations that it served. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::plan::retention::amount;

/// A configuration as a Prometheus serves it, with all defaults filled in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The whole.
    pub config: Value,
    /// Its scrape configurations by job.
    pub jobs: BTreeMap<String, Value>,
}

impl Loaded {
    /// From the text that `/api/v1/status/config` gives.
    pub fn read(yaml: &str) -> Self {
        let config = crate::yaml::parse(yaml).unwrap_or_default();
        let jobs = config["scrape_configs"].as_array().into_iter().flatten();
        let jobs = jobs.filter_map(|job| Some((job["job_name"].as_str()?.to_owned(), job.clone()))).collect();
        Self { config, jobs }
    }

    /// The jobs whose targets are scraped in another way than before, or were not scraped before.
    pub fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        // what a scrape does not depend on
        let global = |loaded: &Self| {
            let mut global = loaded.config["global"].as_object().cloned().unwrap_or_default();
            for key in ["evaluation_interval", "rule_query_offset", "external_labels", "query_log_file"] {
                global.shift_remove(key);
            }
            global
        };
        let all = global(self) != global(before);
        let changed = self.jobs.iter().filter(|(name, job)| all || before.jobs.get(*name) != Some(job));
        changed.map(|(name, _)| name.clone()).collect()
    }
}

/// Is every value of the applied configuration in the served one? Prometheus adds its defaults, fills
/// in its environment, hides secrets and writes durations and sizes its own way.
pub fn serves(applied: &Value, served: &Value) -> bool {
    match (applied, served) {
        (Value::Object(applied), Value::Object(served)) => applied.iter().all(|(key, value)| {
            served.get(key).map_or_else(|| is_blank(value), |served| serves(value, served))
        }),
        (Value::Array(applied), Value::Array(served)) => {
            applied.len() == served.len() && applied.iter().zip(served).all(|(a, s)| serves(a, s))
        }
        (Value::String(applied), Value::String(served)) => {
            applied == served
                || applied.contains("${")
                || served == "<secret>"
                || same_amount(applied, served)
        }
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            // `0` and `0s`, `100` and `100B`: the same in another notation, or not comparable here
            true
        }
        (applied, served) => applied == served || is_blank(applied) && is_blank(served),
    }
}

/// Absent, empty, zero and false are how defaults are left out.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0" || text == "0s",
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_blank),
    }
}

/// `24h` and `1d`, `1024KB` and `1MB`.
fn same_amount(a: &str, b: &str) -> bool {
    amount(a).is_some_and(|a| amount(b).is_some_and(|b| (a - b).abs() <= a.abs() * 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_prometheus_writes_its_own_way_is_the_same() {
        let applied = json!({
            "global": {"scrape_interval": "60s", "body_size_limit": "10240KB", "external_labels": {"replica": "${POD_NAME}"}},
            "storage": {"tsdb": {"retention": {"time": "24h", "size": "858993459B"}}},
            "scrape_configs": [{"job_name": "a", "honor_labels": false, "basic_auth": {"password": "x"}}],
        });
        let served = json!({
            "global": {"scrape_interval": "1m", "scrape_timeout": "10s", "body_size_limit": "10MB", "external_labels": {"replica": "obs-prometheus-0"}},
            "storage": {"tsdb": {"retention": {"time": "1d", "size": "858993459B"}}},
            "scrape_configs": [{"job_name": "a", "basic_auth": {"password": "<secret>"}}],
        });
        assert!(serves(&applied, &served));
    }

    #[test]
    fn what_is_not_served_yet_is_seen() {
        let applied = json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}, "rule_files": ["a"]});
        for served in [
            json!({"storage": {"tsdb": {"retention": {"time": "15d"}}}, "rule_files": ["a"]}),
            json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}}),
            json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}, "rule_files": ["a", "b"]}),
        ] {
            assert!(!serves(&applied, &served), "{served}");
        }
    }

    #[test]
    fn amounts_are_compared_by_value() {
        assert!(same_amount("1h30m", "90m") && same_amount("1GB", "1024MB"));
        assert!(!same_amount("15d", "2w") && !same_amount("abc", "abd") && !same_amount("", ""));
    }

    #[test]
    fn the_jobs_that_differ_are_known() {
        let read = |global: &str, limit: u32| {
            Loaded::read(&format!(
                "global: {{scrape_interval: 30s{global}}}\nscrape_configs:\n- {{job_name: a, sample_limit: {limit}}}\n- {{job_name: b}}\n"
            ))
        };
        let changed =
            |after: &Loaded, before: &Loaded| after.changed_since(before).into_iter().collect::<Vec<_>>();
        assert!(changed(&read("", 5), &read("", 5)).is_empty());
        assert_eq!(changed(&read("", 10), &read("", 5)), ["a"]);
        assert!(changed(&read(", evaluation_interval: 1m", 5), &read("", 5)).is_empty());
        assert_eq!(changed(&read(", label_limit: 3", 5), &read("", 5)), ["a", "b"]);
        assert_eq!(changed(&read("", 5), &Loaded::default()), ["a", "b"]);
    }
}
