//! From which value does a refused piece of configuration come? A template can do anything with a
//! value, but what Prometheus may refuse is mostly a user's own piece of configuration that was handed
//! on as it is: it is found again by being the same. Pure.

use serde_json::Value;

use crate::yaml;

/// The file that a reason names, without its folder (`/etc/prometheus/rules/x.yaml: 4:13: …`).
pub fn file(reason: &str) -> Option<&str> {
    let words = reason.split(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | ',' | '(' | ')'));
    let mut paths = words.filter(|word| word.starts_with('/'));
    let path = paths.find(|word| word.ends_with(".yaml") || word.ends_with(".yml"))?;
    path.rsplit('/').next()
}

/// The path of the value (`prometheus.extraScrapeConfigs[0]`) that a file's text has at the place that
/// a reason names: a line, or a job's name.
pub fn value(values: &Value, file: &str, text: &str, reason: &str) -> Option<String> {
    let (config, lines) = yaml::parse_with_lines(text).ok()?;
    if let Some(line) = line(reason) {
        // of all that stand on it the outermost; what begins before it and goes on is around it
        let mut at: Vec<&str> =
            lines.iter().filter(|(_, at)| at.line <= line).map(|(pointer, _)| pointer.as_str()).collect();
        let nearest = lines.values().map(|at| at.line).filter(|at| *at <= line).max()?;
        at.retain(|pointer| lines.get(*pointer).is_some_and(|at| at.line == nearest));
        let mut pointer = at.into_iter().max_by_key(|pointer| pointer.len())?;
        loop {
            if let Some(path) = config.pointer(pointer).and_then(|part| find(values, part, String::new())) {
                return Some(path);
            }
            pointer =
                pointer.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())?;
        }
    }
    let jobs = config["scrape_configs"].as_array().into_iter().flatten();
    let named =
        |job: &&Value| job["job_name"].as_str().is_some_and(|name| reason.contains(&format!("\"{name}\"")));
    let job = jobs.filter(named).find_map(|job| find(values, job, String::new()));
    // a whole file
    job.or_else(|| find(values, &config, String::new()).filter(|_| file != super::CONFIG))
}

/// `line 237: …`
fn line(reason: &str) -> Option<u32> {
    let after = reason.split("line ").nth(1)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The path of the first list or map in `values` that is the same as `part`.
fn find(values: &Value, part: &Value, at: String) -> Option<String> {
    let worth = part.as_object().is_some_and(|map| !map.is_empty())
        || part.as_array().is_some_and(|list| !list.is_empty());
    if !worth {
        return None;
    }
    if values == part && !at.is_empty() {
        return Some(at);
    }
    match values {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            find(value, part, if at.is_empty() { key.clone() } else { format!("{at}.{key}") })
        }),
        Value::Array(list) => {
            list.iter().enumerate().find_map(|(i, value)| find(value, part, format!("{at}[{i}]")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "global: {scrape_interval: 30s}\nscrape_configs:\n  - job_name: prometheus\n    scheme: http\n\n  - {\"job_name\": \"x\", \"scrape_intervall\": \"10s\"}\n  - job_name: other\n    scrape_timeout: 5m\n";

    #[test]
    fn a_piece_of_configuration_leads_to_its_value() {
        let values = json!({"prometheus": {"retention": {"time": "1d"}, "extraScrapeConfigs": [
            {"job_name": "x", "scrape_intervall": "10s"}, {"job_name": "other", "scrape_timeout": "5m"}]}});
        let path = |reason: &str| value(&values, "prometheus.yml", TEXT, reason);
        let first = Some("prometheus.extraScrapeConfigs[0]".to_owned());
        assert_eq!(path("line 6: field scrape_intervall not found in type config.ScrapeConfig"), first);
        let second = Some("prometheus.extraScrapeConfigs[1]".to_owned());
        assert_eq!(path("line 8: field bla not found in type config.ScrapeConfig"), second);
        assert_eq!(
            path("scrape timeout greater than scrape interval for scrape config with job name \"other\""),
            second
        );
        assert_eq!(path("line 4: what the chart wrote"), None);
        assert_eq!(path("no place at all"), None);
    }

    #[test]
    fn a_file_of_rules_leads_to_its_value() {
        let values = json!({"extraRules": {"mine": {"groups": [{"name": "a", "rules": [{"expr": "((" , "record": "b"}]}]}}});
        let text = "groups: [{name: a, rules: [{expr: '((', record: b}]}]\n";
        let reason = "/etc/prometheus/rules/extra-mine.yaml: 1:1: group \"a\", rule 0";
        assert_eq!(file(reason), Some("extra-mine.yaml"));
        assert_eq!(value(&values, "extra-mine.yaml", text, reason).as_deref(), Some("extraRules.mine"));
        assert_eq!(file("field x not found"), None);
    }
}
