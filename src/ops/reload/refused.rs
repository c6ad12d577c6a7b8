//! A configuration that Prometheus does not take: what it says of it in its log, and the error that
//! names the value behind it.

use serde_json::Value;

use super::{CONFIG, Reload, Source, origin};
use crate::error::Error;
use crate::object::builtin;
use crate::ops::Context;

/// Lines of the log that are looked at.
const TAIL: u32 = 200;

/// What Prometheus says of a configuration that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The line of the log, with its time: two refusals are never the same.
    pub text: String,
    /// Its reasons, the first one first.
    pub reasons: Vec<String>,
}

/// The last refusal in the log of a pod; None where there is none, or it may not be read.
pub async fn last(ctx: &Context<'_>, namespace: &str, pod: &str) -> Option<Refusal> {
    let live = ctx.cluster.get(&builtin::pods(), Some(namespace), pod).await.ok()??;
    let container = container(&live)?;
    read(&ctx.cluster.logs(namespace, pod, container, false, TAIL).await.ok()?)
}

/// The container that is meant when nobody names one.
pub fn container(pod: &Value) -> Option<&str> {
    let default = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    default.or_else(|| pod["spec"]["containers"][0]["name"].as_str())
}

/// The last refusal in a log, JSON or logfmt.
pub fn read(log: &str) -> Option<Refusal> {
    let mut last = None;
    let mut reasons: Vec<String> = Vec::new();
    for line in log.lines() {
        let Some(entry) = Entry::read(line) else { continue };
        if entry.message == "Loading configuration file" {
            reasons.clear();
        }
        if !entry.level.eq_ignore_ascii_case("error") {
            continue;
        }
        let reason = stripped(&entry.error);
        // that there was an error says none of them
        if !reason.is_empty() && !reason.contains("one or more errors occurred") && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
        let ends = ["Error reloading config", "Error loading "].iter().any(|e| entry.message.starts_with(e))
            || entry.error.contains("error loading config");
        if ends && !reasons.is_empty() {
            last = Some(Refusal { text: line.to_owned(), reasons: reasons.clone() });
        }
    }
    last
}

/// What matters of one line of the log.
#[derive(Debug, Default)]
struct Entry {
    level: String,
    message: String,
    error: String,
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with('{') {
            let value: Value = serde_json::from_str(line).ok()?;
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            return Some(Self { level: text("level"), message: text("msg"), error: text("err") });
        }
        let mut entry = Self::default();
        for (key, value) in logfmt(line) {
            match key {
                "level" => entry.level = value,
                "msg" => entry.message = value,
                "err" => entry.error = value,
                _ => {}
            }
        }
        (!entry.level.is_empty()).then_some(entry)
    }
}

/// `key=value key="quoted \"value\""`
fn logfmt(line: &str) -> Vec<(&str, String)> {
    let mut fields = Vec::new();
    let mut rest = line.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => after.split_once(' ').map_or((after.to_owned(), ""), |(v, left)| (v.to_owned(), left)),
        };
        fields.push((key, value));
        rest = left.trim_start();
    }
    fields
}

/// A text up to its closing quote, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return (out, text.get(i + 1..).unwrap_or_default()),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, other)) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    (out, "")
}

/// Without what says only which file it was.
fn stripped(error: &str) -> String {
    let mut rest = error.trim();
    for prefix in ["error loading config from ", "couldn't load configuration ", "parsing YAML file "] {
        if let Some(at) = rest.find(prefix) {
            let after = &rest[at + prefix.len()..];
            rest = after.split_once(": ").map_or(after, |(_, after)| after);
        }
    }
    let rest = rest.trim_start_matches("yaml: unmarshal errors:").trim_start_matches("yaml: ");
    rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The error for a pod that goes on with its old configuration.
pub fn error(reload: &Reload, refusal: &Refusal, source: Source<'_>) -> Error {
    let Reload { namespace, pod, component, .. } = reload;
    told(component, refusal, source)
        .detail(format!("pod {namespace}/{pod} goes on with the configuration before"))
}

/// What is refused, why, and where it comes from.
pub fn told(component: &str, refusal: &Refusal, source: Source<'_>) -> Error {
    let mut reasons = refusal.reasons.iter();
    let first = reasons.next().cloned().unwrap_or_default();
    let file = origin::file(&first).unwrap_or(CONFIG);
    let value = source.text(file).and_then(|text| origin::value(source.values, file, text, &first));
    let mut error = Error::failed(format!("{component} refuses its configuration: {first}"));
    for other in reasons {
        error = error.detail(other.clone());
    }
    let what = value.as_deref().unwrap_or("the values");
    if let Some(path) = &value {
        error = error.detail(format!("it comes from the value {path}"));
    }
    let back = if source.way_back { "; kubectl obs rollback returns to what ran before" } else { "" };
    error.hint(format!("correct {what} and run the command again{back}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str = "couldn't load configuration (--config.file=\\\"/etc/prometheus/config/prometheus.yml\\\"): parsing YAML file /etc/prometheus/config/prometheus.yml: yaml: unmarshal errors:\\n  line 237: field scrape_intervall not found in type config.ScrapeConfig";
    const REASON: &str = "line 237: field scrape_intervall not found in type config.ScrapeConfig";

    #[test]
    fn the_words_are_found_in_both_forms_of_the_log() {
        let json = format!(
            "{{\"time\":\"1\",\"level\":\"INFO\",\"msg\":\"Loading configuration file\"}}\n{{\"time\":\"2\",\"level\":\"ERROR\",\"msg\":\"Error reloading config\",\"err\":\"{ERROR}\"}}"
        );
        assert_eq!(read(&json).unwrap().reasons, [REASON]);
        let logfmt =
            format!("time=1 level=ERROR source=main.go:1 msg=\"Error reloading config\" err=\"{ERROR}\"");
        assert_eq!(read(&logfmt).unwrap().reasons, [REASON]);
        assert_eq!(read("time=1 level=INFO msg=\"Server is ready to receive web requests.\""), None);
    }

    #[test]
    fn the_reason_stands_before_the_line_that_there_was_one() {
        let log = concat!(
            "{\"level\":\"INFO\",\"msg\":\"Loading configuration file\"}\n",
            "{\"level\":\"ERROR\",\"msg\":\"loading groups failed\",\"err\":\"/etc/prometheus/rules/extra-x.yaml: 4:13: group \\\"x\\\", rule 0: could not parse expression\"}\n",
            "{\"level\":\"ERROR\",\"msg\":\"Failed to apply configuration\",\"err\":\"error loading rules, previous rule set restored\"}\n",
            "{\"level\":\"ERROR\",\"msg\":\"Error reloading config\",\"err\":\"one or more errors occurred while applying the new configuration\"}\n",
        );
        let refusal = read(log).unwrap();
        assert_eq!(refusal.reasons.len(), 2, "{refusal:?}");
        assert!(refusal.reasons[0].starts_with("/etc/prometheus/rules/extra-x.yaml"), "{refusal:?}");
    }
}
