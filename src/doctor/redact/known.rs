//! What is known to be secret: the values of Secrets and of records, and what is within those that are configurations.
//! Values that are words of every text are not looked for, unless they stand under the name of a secret: a text in
//! which `grafana` is hidden says nothing any more.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::names::{is_about, is_named};
use crate::release::history::TYPE;
use crate::values::Traces;
use crate::{object, yaml};

/// Names of keys in Secrets whose values are not secret.
const PLAIN: [&str; 6] = ["ca.crt", "tls.crt", "namespace", "user", "username", "admin-user"];
/// Shorter values are words, unless their name says otherwise.
const LONG_ENOUGH: usize = 8;
/// The shortest that is looked for.
const SHORTEST: usize = 4;
/// A configuration holds another one, and that a third.
const DEPTH: usize = 4;
/// Words that are on every page, and those beside which secrets stand.
const COMMON: [&str; 40] = [
    "true",
    "false",
    "none",
    "null",
    "admin",
    "root",
    "user",
    "users",
    "default",
    "enabled",
    "disabled",
    "info",
    "debug",
    "warn",
    "error",
    "http",
    "https",
    "json",
    "yaml",
    "text",
    "name",
    "value",
    "file",
    "data",
    "password",
    "passwords",
    "passwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "authorization",
    "bearer",
    "basic",
    "login",
    "value:",
    "metadata",
    "namespace",
];

/// Words, a path, or an address that has no login and nothing random in it.
static WORDY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            (?:[A-Z]?[a-z]+|[A-Z]+)(?:[\ ._,;:/()'-]+(?:[A-Z]?[a-z]+|[A-Z]+|v?\d{1,2}))*[.!?:]?   # words
            | \.{0,2}(?:/[A-Za-z._-]+[0-9]{0,2})+/?                                            # a path
            | (?:https?://)?[a-z-]+\d{0,2}(?:\.[a-z-]+\d{0,2})*(?::\d{1,5})?(?:/[A-Za-z._-]+\d{0,2})*/?  # an address
        )$",
    )
    .ok()
});
/// A setting in a line.
static SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)^[ \t]*(?:export[ \t]+)?(?P<n>[\w.-]+)[ \t]*[=:][ \t]*["']?(?P<v>[^\r\n]+?)["']?[ \t]*\r?$"#,
    )
    .ok()
});

/// Are all of them patterns?
#[cfg(test)]
pub fn all_there() -> bool {
    WORDY.is_some() && SETTING.is_some()
}

/// The values of a Secret by their keys. Those of releases are no texts: ours hold references alone, and Helm's
/// whole charts.
pub fn values(secret: &Value) -> Vec<(String, Vec<u8>)> {
    let kind = secret["type"].as_str().unwrap_or_default();
    let ours = TYPE.rsplit_once('.').map_or(TYPE, |(kind, _)| kind);
    if kind == "helm.sh/release.v1" || kind.starts_with(ours) {
        return Vec::new();
    }
    let data = secret["data"].as_object().into_iter().flatten();
    let data = data.filter(|(name, _)| !PLAIN.contains(&name.as_str()));
    data.filter_map(|(name, value)| Some((name.clone(), object::unbase64(value.as_str()?)?))).collect()
}

/// Adds a value to what is looked for, and what is secret within it.
pub fn learn(traces: &mut Traces, name: &str, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) => text_of(traces, name, text, 0),
        Err(_) => traces.know_bytes(value),
    }
}

fn text_of(traces: &mut Traces, name: &str, text: &str, depth: usize) {
    let text = text.trim();
    if is_too_common(name, text) || depth > DEPTH {
        return;
    }
    let document = serde_json::from_str(text).ok().or_else(|| yaml::parse(text).ok());
    let document: Option<Value> = document.filter(|value: &Value| value.is_object() || value.is_array());
    traces.know(text, document.is_none());
    match document {
        Some(document) => leaves(traces, &document, false, depth),
        None => {
            for setting in SETTING.iter().flat_map(|pattern| pattern.captures_iter(text)) {
                leaf(traces, &setting["n"], &setting["v"], is_named(&setting["n"]), depth);
            }
        }
    }
    // whatever else would be hidden in it: the password in an address, in a command line
    for found in super::found(text) {
        let parts =
            found.split([':', ',', ';']).map(str::trim).filter(|_| !found.contains(char::is_whitespace));
        for part in parts.chain([found.as_str()]).filter(|part| part.len() >= SHORTEST) {
            if !COMMON.contains(&part) {
                traces.know(part, false);
            }
        }
    }
}

/// The scalars of a configuration.
fn leaves(traces: &mut Traces, value: &Value, named: bool, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let named = is_named(name) || (named && !is_about(name));
                match value {
                    Value::String(text) => leaf(traces, name, text, named, depth),
                    value => leaves(traces, value, named, depth),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(traces, item, named, depth)),
        Value::String(text) => leaf(traces, "", text, named, depth),
        Value::Number(number) => leaf(traces, "", &number.to_string(), named, depth),
        Value::Bool(_) | Value::Null => {}
    }
}

fn leaf(traces: &mut Traces, name: &str, text: &str, named: bool, depth: usize) {
    let text = text.trim();
    if text.contains('\n') {
        return text_of(traces, name, text, depth + 1);
    }
    let is_secret = if named {
        !is_too_common("password", text)
    } else {
        text.chars().count() >= LONG_ENOUGH && !WORDY.as_ref().is_some_and(|wordy| wordy.is_match(text))
    };
    if is_secret {
        traces.know(text, false);
    }
}

/// Is it on every page? Under the name of a secret it is looked for in spite of that, as far as it can be.
fn is_too_common(name: &str, text: &str) -> bool {
    let length = text.chars().count();
    if length < SHORTEST || COMMON.contains(&text.to_lowercase().as_str()) {
        return true;
    }
    let is_short = length < LONG_ENOUGH;
    let is_word = text.chars().all(|c| c.is_ascii_lowercase());
    let is_port = length <= 5 && text.chars().all(|c| c.is_ascii_digit());
    !is_named(name) && is_short && (is_word || is_port)
}
