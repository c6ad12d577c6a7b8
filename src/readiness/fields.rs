//! Reading fields of a live object: the few accessors that every readiness rule uses, so that the
//! rules themselves read as the conditions they state.

use serde_json::Value;

/// A number at a JSON pointer.
pub(super) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A number at a JSON pointer; absent counts as zero, as Go's `omitempty` writes it.
pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    int(object, pointer).unwrap_or(0)
}

/// A string at a JSON pointer; absent is empty.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A list at a JSON pointer; absent is empty.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What stands between two pieces of a message.
pub(super) fn between<'a>(message: &'a str, before: &str, after: &str) -> Option<&'a str> {
    message.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// A boolean at a JSON pointer; absent is false.
pub(super) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// One entry of status.conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition<'a> {
    pub status: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
    pub observed_generation: Option<i64>,
}

impl Condition<'_> {
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// `MinimumReplicasUnavailable: deployment does not have minimum availability`, whatever of it
    /// there is; `fallback` when there is nothing.
    pub fn why(&self, fallback: &str) -> String {
        let message = first_line(self.message);
        match (self.reason, message) {
            ("", "") => fallback.to_owned(),
            (reason, "") => reason.to_owned(),
            ("", message) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

/// The condition of a type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    list(object, "/status/conditions").iter().find(|c| c["type"] == kind).map(|c| Condition {
        status: c["status"].as_str().unwrap_or_default(),
        reason: c["reason"].as_str().unwrap_or_default(),
        message: c["message"].as_str().unwrap_or_default(),
        observed_generation: c["observedGeneration"].as_i64(),
    })
}

/// The first line of a text, without a full stop at its end: fit for the middle of a sentence.
pub(super) fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim_end_matches(['.', ' '])
}

/// `1 pod`, `2 pods`.
pub(super) fn plural(n: i64, noun: &str) -> String {
    crate::words::count(usize::try_from(n).unwrap_or(0), noun)
}
