//! The other way round: the flag that sets a value, as it can be typed into a shell. For hints.

use serde_json::Value;

use super::{SetFlag, grammar};

/// The flag that sets what is at `path` (dotted, see [`crate::values::pointer::dotted`]) to `value`.
///
/// ```
/// use kubectl_obs::values::set::flag;
/// use serde_json::json;
/// assert_eq!(flag("a.b", &json!(5)), "--set a.b=5");
/// assert_eq!(flag("a.b", &json!("5")), "--set-string a.b=5");
/// assert_eq!(flag("a", &json!({"b": 1.5})), r#"--set-json 'a={"b":1.5}'"#);
/// ```
pub fn flag(path: &str, value: &Value) -> String {
    let (flag, text) = match value {
        Value::String(text) => {
            let flag = match grammar::typed(text.clone()) == *value && text != "[]" {
                true => SetFlag::Set,
                false => SetFlag::String,
            };
            (flag, escaped(text))
        }
        Value::Array(items) if items.is_empty() => (SetFlag::Set, "{}".to_owned()),
        Value::Bool(_) | Value::Null => (SetFlag::Set, value.to_string()),
        Value::Number(number) if number.is_i64() => (SetFlag::Set, number.to_string()),
        other => (SetFlag::Json, other.to_string()),
    };
    format!("{} {}", flag.name(), quoted(&format!("{path}={text}")))
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if matches!(c, ',' | '\\') || (i == 0 && c == '{') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A word of a command line: in quotes where a shell would make something else of it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
