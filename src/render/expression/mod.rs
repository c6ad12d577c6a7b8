//! Conditions over JSON, in the language of templates: what `health` checks say of an answer, and
//! `readiness` rules of an object.
//!
//! Both may come from somebody else, and so may the JSON, and they are evaluated in the process that
//! installs. So they have an interpreter of their own, of which every step and every byte that a step
//! makes or looks at counts: the engine of templates counts its instructions only, and one of them
//! (`replace`, `~`, `*`) can make gigabytes. What cannot change the JSON and has no name for what it
//! made needs no more than operators, tests and the few filters in [`filters`].

mod eval;
mod filters;
mod names;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use serde_json::Value;

use eval::Evaluator;

/// Longest text of a condition.
const MAX_TEXT: usize = 4096;
/// Steps of one evaluation: a step is an operation, an item that it looks at, or 64 bytes.
const STEPS: usize = 250_000;

/// Does `expression` hold for `value`, which it sees under `name`? The error says what is wrong with
/// the expression.
pub fn expression_is_true(expression: &str, name: &str, value: &Value) -> Result<bool, String> {
    let parsed = parse::parse(expression)?;
    Evaluator::new(name, value, STEPS).holds(&parsed)
}

/// Is it an expression, of which `name` is the one variable? The error says what is wrong with it.
pub fn check_expression(expression: &str, name: &str) -> Result<(), String> {
    let parsed = parse::parse(expression)?;
    match eval::unknown_name(&parsed, name) {
        Some(other) => Err(format!("`{other}` is not known here, only `{name}` is")),
        // what does not depend on the value is wrong here already
        None => Evaluator::new(name, &Value::Null, STEPS).holds(&parsed).map(drop),
    }
}
