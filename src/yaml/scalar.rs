//! What a plain scalar means: the rules of sigs.k8s.io/yaml (goyaml.v2 `resolve`), followed by its
//! conversion to JSON, which writes the float 1.0 as `1`.

use serde_json::{Number, Value};

/// The value of an untagged plain scalar; None for infinity and NaN, which JSON does not have.
pub(super) fn plain(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return None,
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    })
}

/// An integer or float as goyaml.v2 recognises them; None if the text is a string.
fn number(text: &str) -> Option<Value> {
    match text.as_bytes().first()? {
        // No underscores here: Go's ParseFloat refuses them.
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain))
        }
        _ => None,
    }
}

/// Go's `ParseInt(s, 0, 64)`, then `ParseUint`: base by prefix, a leading zero is octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // from_str_radix would take a second sign. goyaml.v2 does take one, after a lower-case 0b.
    let (negative, digits) = match digits.as_bytes().first()? {
        b'-' if text.starts_with("0b") => (true, &digits[1..]),
        b'+' if text.starts_with("0b") => (false, &digits[1..]),
        b'+' | b'-' => return None,
        _ => (negative, digits),
    };
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        let value = 0i64.checked_sub_unsigned(magnitude)?;
        Some(Value::from(value))
    } else if magnitude > i64::MAX as u64 && text.starts_with('+') {
        None // ParseUint takes no sign; float takes over
    } else {
        Some(Value::from(magnitude))
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and only if it fits a double.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    if !mantissa_ok || exponent.is_some_and(|e| e.is_empty() || !digits(e)) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| json_number(value))
}

/// A double as Go writes it into JSON and Kubernetes reads it back: without a fraction it is an
/// integer, of its shortest digits filled up with zeros.
fn json_number(value: f64) -> Value {
    if value == 0.0 {
        return Value::from(0); // not -0
    }
    if value.fract() == 0.0 {
        let digits = value.to_string();
        if let Ok(integer) = digits.parse::<i64>() {
            return Value::from(integer);
        }
        if let Ok(integer) = digits.parse::<u64>() {
            return Value::from(integer);
        }
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The value of a scalar with a core tag; None if the text is not of that type.
pub(super) fn tagged(tag: &str, text: &str) -> Option<Value> {
    if tag == "str" {
        return Some(Value::String(text.to_owned()));
    }
    let value = plain(text)?;
    let fits = match (tag, &value) {
        ("null", Value::Null) | ("bool", Value::Bool(_)) | ("float", Value::Number(_)) => true,
        ("int", Value::Number(n)) => !n.is_f64(),
        _ => false,
    };
    fits.then_some(value)
}

/// A key as sigs.k8s.io/yaml turns it into a string; None where it refuses (null, a list, a map,
/// a number out of range).
pub(super) fn key(value: &Value, text: &str) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(_) => {
            let plain = text.replace('_', "");
            match integer(&plain) {
                Some(Value::Number(n)) => n.as_i64().map(|n| n.to_string()),
                _ => float_key(plain.parse().ok()?),
            }
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Go's `FormatFloat(v, 'g', -1, 32)`: the shortest digits of a float32, with an exponent when that
/// is below -4 or at least 6.
#[expect(clippy::cast_possible_truncation, reason = "what Go formats is the rounded float32")]
fn float_key(value: f64) -> Option<String> {
    let value = value as f32;
    if value.is_infinite() {
        return None;
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return Some(value.to_string());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{mantissa}e{sign}{:02}", exponent.abs()))
}
