//! Conditions over JSON, in the language of templates: what `health` checks say of an answer.

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

/// Most steps of one expression.
const FUEL: u64 = 10_000;

/// Does `expression` hold for `body`? It sees the JSON as `body`. The error says what is wrong
/// with the expression.
pub fn expression_is_true(expression: &str, body: &Value) -> Result<bool, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    let compiled = environment.compile_expression(expression).map_err(|error| sentence(&error))?;
    let context = minijinja::context! { body => minijinja::value::Serde(body) };
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
        assert_eq!(expression_is_true("body.status == 'success'", &body), Ok(true));
        assert_eq!(expression_is_true("body.data.activeTargets | length >= 3", &body), Ok(false));
        assert_eq!(expression_is_true("body.absent.deeper", &body), Ok(false));
    }

    #[test]
    fn a_mistake_in_the_expression_is_told_without_values() {
        let message = expression_is_true("body.status ==", &json!({"status": "hunter2"})).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
