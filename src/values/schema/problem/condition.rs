//! "when mode is operator": in which case a rule holds.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::super::super::pointer;
use super::super::{nodes, words};
use super::Explainer;

impl Explainer<'_> {
    /// ` when …` for a rule under `then`, `else` or `dependentSchemas`; empty otherwise, or when
    /// the condition is too complex to say.
    pub(super) fn condition(&self, error: &ValidationError<'_>) -> String {
        let path: Vec<_> = pointer::tokens(error.evaluation_path().as_str()).collect();
        for (i, token) in path.iter().enumerate().rev() {
            let Some(node) = nodes::resolve(self.schema, &path[..i]) else { continue };
            let text = match token.as_ref() {
                "then" => node.get("if").and_then(describe).map(|text| format!(" when {text}")),
                "else" => node.get("if").and_then(describe).map(|text| format!(" unless {text}")),
                "dependentSchemas" => path.get(i + 1).map(|key| format!(" when {key} is set")),
                _ => continue,
            };
            if let Some(text) = text {
                return text;
            }
        }
        String::new()
    }

    /// ` when x is set`, for `dependentRequired`.
    pub(super) fn dependent(&self, error: &ValidationError<'_>, missing: &str) -> String {
        let path: Vec<_> = pointer::tokens(error.evaluation_path().as_str()).collect();
        if path.last().is_none_or(|token| token != "dependentRequired") {
            return String::new();
        }
        let rules = nodes::resolve(self.schema, &path).and_then(Value::as_object);
        let reason = rules.into_iter().flatten().find(|(key, needed)| {
            let needs = needed.as_array().is_some_and(|names| names.iter().any(|name| name == missing));
            needs && error.instance().get(key.as_str()).is_some()
        });
        reason.map(|(key, _)| format!(" when {key} is set")).unwrap_or_default()
    }

    /// For `oneOf` with more than one branch that fits.
    pub(super) fn several_branches(&self, error: &ValidationError<'_>) -> String {
        let path: Vec<_> = pointer::tokens(error.evaluation_path().as_str()).collect();
        let branches = nodes::resolve(self.schema, &path).and_then(Value::as_array);
        let names: Option<Vec<String>> =
            branches.map(Vec::as_slice).unwrap_or_default().iter().map(only_required).collect();
        match names {
            Some(names) if !names.is_empty() => format!("only one of {} may be set", names.join(", ")),
            _ => "fits more than one of the forms of which one must be chosen".to_owned(),
        }
    }
}

/// What an `if` asks, if that can be said in a few words.
fn describe(condition: &Value) -> Option<String> {
    let map = condition.as_object()?;
    if map
        .keys()
        .any(|keyword| !matches!(keyword.as_str(), "properties" | "required" | "type" | "description"))
    {
        return None;
    }
    let mut parts = Vec::new();
    for (name, rule) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(expected) = rule.get("const") {
            parts.push(format!("{name} is {}", words::choice(expected)));
        } else if let Some(options) = rule.get("enum").and_then(Value::as_array) {
            let options: Vec<String> = options.iter().map(words::choice).collect();
            parts.push(format!("{name} is {}", words::either(&options)));
        } else {
            let inner = describe(rule)?;
            parts.push(format!("{name}.{inner}"));
        }
    }
    if parts.is_empty() {
        let required = map.get("required")?.as_array()?;
        parts.extend(required.iter().filter_map(Value::as_str).map(|name| format!("{name} is set")));
    }
    (!parts.is_empty()).then(|| words::all(&parts))
}

/// The message for `not`.
pub(super) fn forbidden(schema: &Value) -> String {
    if let Some(value) = schema.get("const") {
        return format!("must not be {}", words::choice(value));
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return format!("must not be one of {}", words::choices(options));
    }
    if let Some(required) = schema.get("required").and_then(Value::as_array) {
        let names: Vec<&str> = required.iter().filter_map(Value::as_str).collect();
        return match names.as_slice() {
            [name] => format!("{name} may not be set here"),
            _ => format!("{} may not be set together", words::all(&names)),
        };
    }
    "has a form that is not allowed".to_owned()
}

/// `a`, or `a and b`, for a branch that does nothing but require keys.
pub(super) fn only_required(branch: &Value) -> Option<String> {
    let map = branch.as_object().filter(|map| map.len() == 1)?;
    let names: Vec<&str> = map.get("required")?.as_array()?.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| words::all(&names))
}

/// Is the error about the type or identity of the value itself, not of something below it?
pub(super) fn wrong_kind(error: &ValidationError<'_>, at: &str) -> bool {
    error.instance_path().as_str() == at
        && matches!(
            error.kind(),
            Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. } | Kind::FalseSchema
        )
}
