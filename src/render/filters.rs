//! Filters and functions for templates, besides those of minijinja. All are pure; none can reach
//! anything outside its arguments.

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::engine::{from_json, to_json};
use crate::bundle::{archive::hex, merge};
use crate::object::base64;
use crate::yaml;

/// A message in the words of a bundle's author or of our filters, shown as it is. The flag says
/// that the author wrote it (`fail`): then the template's line would not help.
#[derive(Debug)]
pub struct Complaint(pub String, pub bool);

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Complaint {}

fn complain(message: impl Into<String>) -> Error {
    Error::from(ErrorKind::InvalidOperation).with_source(Complaint(message.into(), false))
}

/// Adds ours, and takes away what has no place here: `debug` and `pprint` print all variables,
/// `tojson` escapes for HTML.
pub fn install(env: &mut Environment) {
    env.add_filter("merge", merge_maps);
    env.add_filter("omit", omit);
    env.add_filter("b64encode", b64encode);
    env.add_filter("to_yaml", |value: Value| Ok::<_, Error>(yaml::to_string(&to_json(&value)?)));
    env.add_filter("to_json", |value: Value| Ok::<_, Error>(to_json(&value)?.to_string()));
    // minijinja's writes True and None
    env.add_filter("string", |value: Value| match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Ok::<_, Error>(to_json(&value)?.to_string()),
    });
    env.add_filter("quantity", |value: Value| number(&value, "quantity", quantity));
    env.add_filter("duration", |value: Value| number(&value, "duration", duration));
    env.add_filter("sha256", |value: Value| Ok::<_, Error>(hex(&Sha256::digest(bytes(&value)?))));
    env.add_test("regex", |text: &str| is_regex(text));
    env.add_function("fail", |message: String| {
        Err::<Value, _>(Error::from(ErrorKind::InvalidOperation).with_source(Complaint(message, true)))
    });
    for filter in ["pprint", "tojson", "escape", "e", "urlencode"] {
        env.remove_filter(filter);
    }
    env.remove_global("debug");
    // the variable `namespace` hides minijinja's function for state in loops
    let scratch = env.globals().find(|(name, _)| *name == "namespace").map(|(_, function)| function);
    if let Some(function) = scratch {
        env.add_global("scratch", function);
    }
}

/// Is it a regular expression of Go's (RE2), as Prometheus and Alertmanager read them? This one knows the same
/// but for `\Q…\E` and `\C`, of which nothing is said.
fn is_regex(text: &str) -> bool {
    text.contains("\\Q") || text.contains("\\C") || regex::Regex::new(text).is_ok()
}

/// Deep: `{"a": {"x": 1}} | merge({"a": {"y": 2}})`. Lists and null replace.
fn merge_maps(below: Value, over: Value) -> Result<Value, Error> {
    for (value, what) in [(&below, "of"), (&over, "argument of")] {
        if value.kind() != ValueKind::Map {
            return Err(complain(format!(
                "merge: the value {what} merge must be a map, got {}",
                value.kind()
            )));
        }
    }
    let mut out = to_json(&below)?;
    merge(&mut out, &to_json(&over)?);
    Ok(from_json(&out))
}

/// A map without some keys.
fn omit(map: Value, keys: Rest<String>) -> Result<Value, Error> {
    match to_json(&map)? {
        Json::Object(map) => {
            let kept = map.into_iter().filter(|(key, _)| !keys.contains(key)).collect();
            Ok(from_json(&Json::Object(kept)))
        }
        _ => Err(complain(format!("omit: expected a map, got {}", map.kind()))),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, Error> {
    match (value.as_bytes(), value.as_str()) {
        (Some(bytes), _) => Ok(bytes.to_vec()),
        (None, Some(text)) => Ok(text.as_bytes().to_vec()),
        (None, None) => Ok(to_json(value)?.to_string().into_bytes()),
    }
}

fn b64encode(value: Value) -> Result<String, Error> {
    Ok(base64(&bytes(&value)?))
}

fn number(value: &Value, name: &str, parse: fn(&str) -> Option<i64>) -> Result<i64, Error> {
    if let (true, Some(number)) = (value.is_integer(), value.as_i64()) {
        return Ok(number);
    }
    let Some(text) = value.as_str() else {
        return Err(complain(format!("{name}: expected a string, got {}", value.kind())));
    };
    parse(text).ok_or_else(|| {
        let example = if name == "quantity" { "20Gi, 500M or 1.5Ti" } else { "15d, 1h30m or 250ms" };
        complain(format!("{name}: {text:?} is not a {name}, for example {example}"))
    })
}

/// Bytes of a Kubernetes quantity: `20Gi`, `1.5G`, `100m`, `1e3`. Rounded up, as Kubernetes does.
#[expect(clippy::cast_possible_truncation, reason = "both numbers are whole and below 2^63")]
pub fn quantity(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-']).find(|c: char| !c.is_ascii_digit() && c != '.');
    let split = digits.map_or(text.len(), |at| at + text.len() - text.trim_start_matches(['+', '-']).len());
    let (number, suffix) = text.split_at(split);
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024f64,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            if !(-18..=18).contains(&exponent) {
                return None;
            }
            10f64.powi(exponent)
        }
    };
    // whole numbers of whole units stay exact; f64 would not carry 2^53 and more
    if let (Ok(whole), true) = (number.parse::<i64>(), scale >= 1.0) {
        return whole.checked_mul(scale as i64);
    }
    let value = number.parse::<f64>().ok()? * scale;
    (value.is_finite() && value.abs() < 9.2e18).then(|| value.ceil() as i64)
}

/// Seconds of a Prometheus or Go duration: `15d`, `1h30m`, `90s`. Rounded up.
pub fn duration(text: &str) -> Option<i64> {
    let millis = milliseconds(text)?;
    Some(millis / 1000 + i64::from(millis % 1000 > 0))
}

/// Milliseconds of one.
pub fn milliseconds(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut millis: i64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        millis = millis.checked_add(number.parse::<i64>().ok()?.checked_mul(scale)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_reads_is_a_regex() {
        for text in ["a|b", "crit.*", "(?i)x", "", "\\Qa(\\E", r"\pL+"] {
            assert!(is_regex(text), "{text}");
        }
        for text in ["(", "a{2,1}", "*", "(?=x)", "[z-a]", r"\1"] {
            assert!(!is_regex(text), "{text}");
        }
    }

    #[test]
    fn quantities_are_bytes() {
        for (text, bytes) in [
            ("20Gi", Some(20 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("500M", Some(500_000_000)),
            ("128974848000m", Some(128_974_848)),
            ("1e3", Some(1000)),
            ("7Ei", Some(7 << 60)),
            ("8Ei", None),
            ("0", Some(0)),
            ("-1Ki", Some(-1024)),
            ("", None),
            ("20GB", None),
            ("Gi", None),
            ("1 Gi", None),
        ] {
            assert_eq!(quantity(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn durations_are_seconds() {
        for (text, seconds) in [
            ("15d", Some(1_296_000)),
            ("1h30m", Some(5400)),
            ("250ms", Some(1)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("15", None),
            ("d", None),
            ("1x", None),
            ("99999999999999999y", None),
        ] {
            assert_eq!(duration(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn base64_has_padding() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
