//! Conditions over JSON, in the language of templates: what `health` checks say of an answer, and
//! `readiness` rules of an object.

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

/// Most steps of one expression.
const FUEL: u64 = 10_000;

/// Does `expression` hold for `value`, which it sees under `name`? The error says what is wrong with
/// the expression.
pub fn expression_is_true(expression: &str, name: &str, value: &Value) -> Result<bool, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    let compiled = environment.compile_expression(expression).map_err(|error| sentence(&error))?;
    let context = minijinja::Value::from_pairs([(name, minijinja::value::Serde(value))]);
    compiled.eval(context).map(|value| value.is_true()).map_err(|error| sentence(&error))
}

/// The kind of an error and its detail, without the values that its Debug form shows.
fn sentence(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_or_do_not() {
        let body =
            json!({"data": {"activeTargets": [{"health": "up"}, {"health": "up"}]}, "status": "success"});
        assert_eq!(expression_is_true("body.status == 'success'", "body", &body), Ok(true));
        assert_eq!(expression_is_true("body.data.activeTargets | length >= 3", "body", &body), Ok(false));
        assert_eq!(expression_is_true("body.absent.deeper", "body", &body), Ok(false));
    }

    #[test]
    fn a_mistake_in_the_expression_is_told_without_values() {
        let message =
            expression_is_true("body.status ==", "body", &json!({"status": "hunter2"})).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
