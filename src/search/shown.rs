//! A line as a person reads it on a terminal: its words first, then the fields that help to go on.

use serde_json::{Map, Value};

use super::answer::Line;

/// What applications call their words.
const WORDS: [&str; 3] = ["message", "msg", "event"];
/// Fields that are shown behind them, in this order.
const FIELDS: [&str; 12] = [
    "method",
    "path",
    "status",
    "duration",
    "duration_ms",
    "error",
    "request_id",
    "requestId",
    "user_id",
    "userId",
    "trace_id",
    "traceId",
];
/// Longest value of a field.
const LONGEST: usize = 80;

/// Its words, and `name=value` of its fields. A line that is no JSON, or has no words, is shown as it is.
pub fn words(line: &Line) -> (String, Vec<String>) {
    let Some(fields) = line.fields() else { return (line.line.clone(), Vec::new()) };
    let said = WORDS.iter().find_map(|name| fields.get(*name).and_then(Value::as_str));
    let Some(said) = said.filter(|said| !said.trim().is_empty()) else {
        return (line.line.clone(), Vec::new());
    };
    (said.to_owned(), FIELDS.iter().filter_map(|name| pair(&fields, name)).collect())
}

fn pair(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let value = match fields.get(name)? {
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => return None,
    };
    let value = match value.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value,
    };
    Some(match value.contains(char::is_whitespace) {
        true => format!("{name}={value:?}"),
        false => format!("{name}={value}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (String, String) {
        let line = Line { line: text.to_owned(), ..Line::default() };
        let (words, fields) = words(&line);
        (words, fields.join(" "))
    }

    #[test]
    fn words_come_first_and_nothing_is_hidden_of_what_is_no_record() {
        let json = r#"{"msg":"timeout","user_id":12345,"request_id":"8f1c","error":"a b","x":1,"path":""}"#;
        assert_eq!(shown(json), ("timeout".into(), "error=\"a b\" request_id=8f1c user_id=12345".into()));
        for text in
            ["plain", r#"{"user_id":1}"#, r#"{"message":" "}"#, r#"{"message":{"a":1}}"#, "{broken", "[1]"]
        {
            assert_eq!(shown(text), (text.to_owned(), String::new()));
        }
    }
}
