//! Conditions of bundles and annotations over what the cluster answers: `EXPRESSION NUL JSON`. Each has
//! an answer after a bounded number of steps.

#![no_main]

use kubectl_obs::render::{check_expression, expression_is_true};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (expression, json) = text.split_once('\0').unwrap_or((text, "{}"));
    let Ok(value) = serde_json::from_str::<Value>(json) else { return };
    let answer = expression_is_true(expression, "object", &value);
    // what is wrong with every object is wrong before there is one
    if check_expression(expression, "object").is_ok() {
        assert_eq!(answer, expression_is_true(expression, "object", &value));
    }
});
