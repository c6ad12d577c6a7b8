//! How values, types and formats are called in messages.

use jsonschema::error::TypeKind;
use jsonschema::{JsonType, JsonTypeSet};
use serde_json::Value;

use super::super::type_word;

/// Longer texts are cut.
const MAX_TEXT: usize = 40;
/// Longer choices are cut: what is to be typed should still be whole.
const MAX_CHOICE: usize = 200;
/// Longer lists of choices are cut.
const MAX_CHOICES: usize = 8;

/// A scalar as it stands in YAML, strings in quotes; for lists and maps the type.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(s) => {
            let mut short: String = s.chars().take(MAX_TEXT).collect();
            if short.len() < s.len() {
                short.push('…');
            }
            Value::String(short).to_string()
        }
        Value::Array(_) | Value::Object(_) => type_word(value).to_owned(),
        scalar => scalar.to_string(),
    }
}

/// `the string "x"`, or only the type if it may not be shown.
pub(super) fn found(found: &Value, show: bool) -> String {
    match found {
        Value::String(_) if show => format!("the string {}", value(found)),
        Value::Number(_) if show => format!("the number {found}"),
        Value::Bool(_) if show => found.to_string(),
        _ => type_word(found).to_owned(),
    }
}

/// A map, among the types.
pub(super) const MAP: &str = "a map";

/// `a string or null`
pub(super) fn types(kind: &TypeKind) -> Vec<&'static str> {
    let set = match kind {
        TypeKind::Single(single) => JsonTypeSet::empty().insert(*single),
        TypeKind::Multiple(set) => *set,
    };
    let order = [
        (JsonType::String, "a string"),
        (JsonType::Integer, "a whole number"),
        (JsonType::Number, "a number"),
        (JsonType::Boolean, "true or false"),
        (JsonType::Array, "a list"),
        (JsonType::Object, MAP),
        (JsonType::Null, "null"),
    ];
    order
        .into_iter()
        .filter(|(json, _)| set.contains(*json))
        .filter(|(json, _)| *json != JsonType::Integer || !set.contains(JsonType::Number))
        .map(|(_, word)| word)
        .collect()
}

/// Choices as a person types them: strings without quotes.
pub(super) fn choices(options: &[Value]) -> String {
    few(options.iter().map(choice).collect()).join(", ")
}

/// As many words as a list of choices has at most.
pub(super) fn few(mut words: Vec<String>) -> Vec<String> {
    if words.len() > MAX_CHOICES {
        let all = words.len();
        words.truncate(MAX_CHOICES);
        words.push(format!("… ({all} in all)"));
    }
    words
}

/// One choice.
pub(super) fn choice(option: &Value) -> String {
    let mut text = match option {
        Value::String(s) if !s.is_empty() => s.clone(),
        other => other.to_string(),
    };
    if let Some((end, _)) = text.char_indices().nth(MAX_CHOICE) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// `a, b or c`
pub(super) fn either(words: &[impl AsRef<str>]) -> String {
    join(words, "or")
}

/// `a, b and c`
pub(super) fn all(words: &[impl AsRef<str>]) -> String {
    join(words, "and")
}

fn join(words: &[impl AsRef<str>], last: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((end, [])) => (*end).to_owned(),
        Some((end, start)) => format!("{} {last} {end}", start.join(", ")),
        None => String::new(),
    }
}

/// A format in plain words.
pub(super) fn format(name: &str) -> String {
    let words = match name {
        "email" | "idn-email" => "an e-mail address",
        "uri" | "iri" => "a URL with a scheme, such as https://example.com",
        "uri-reference" | "iri-reference" => "a URL",
        "hostname" | "idn-hostname" => "a host name",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "date-time" => "a time such as 2026-11-21T10:02:00Z",
        "date" => "a date such as 2026-11-21",
        "time" => "a time of day such as 10:02:00Z",
        "duration" => "an ISO 8601 duration such as PT15M",
        "regex" => "a regular expression",
        "uuid" => "a UUID",
        other => return format!("of the format {other}"),
    };
    words.to_owned()
}

/// `1 item`, `2 items`
pub(super) fn count(n: u64, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}
