use std::time::{Duration, Instant};

use minijinja::{Environment, UndefinedBehavior};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn holds(expression: &str, value: &Value) -> Result<bool, String> {
    expression_is_true(expression, "body", value)
}

#[test]
fn conditions_hold_or_do_not() {
    let body = json!({
        "data": {"activeTargets": [{"health": "up", "n": 1}, {"health": "down", "n": 2}], "empty": []},
        "status": "success", "version": 3, "share": 0.5, "ready": true, "nothing": null,
    });
    for (expression, expected) in [
        ("body.status == 'success'", true),
        ("body['status'] == \"success\"", true),
        ("body.data.activeTargets | length >= 3", false),
        ("body.data.activeTargets | selectattr('health', 'eq', 'up') | list | length == 1", true),
        (
            "body.data.activeTargets | rejectattr('health', '==', 'up') | map(attribute='n') | first == 2",
            true,
        ),
        ("body.data.activeTargets | map(attribute='n') | sum == 3", true),
        ("body.data.activeTargets[-1].health == 'down'", true),
        ("body.data.activeTargets[7].health == 'down'", false),
        ("'up' in body.data.activeTargets | map(attribute='health')", true),
        ("'succ' in body.status and 'status' in body and 'x' not in body", true),
        ("body.absent.deeper", false),
        ("body.absent > 0 or body.absent < 0 or body.absent == 0", false),
        ("body.absent + 1 > 0", false),
        ("body.absent | default('x') == 'x'", true),
        ("body.absent is undefined and body.nothing is none and body.nothing is defined", true),
        ("body.version * 2 + 1 == 7 and body.version // 2 == 1 and body.version % 2 == 1", true),
        ("body.version / 2 == 1.5 and -body.version < 0 and body.share == 0.5", true),
        ("not body.ready", false),
        ("body.status ~ '-' ~ body.version == 'success-3'", true),
        ("body.status | upper | replace('S', '') == 'UCCE'", true),
        ("body.status is startingwith 'suc' and body.status is not endingwith('x')", true),
        ("(1 if body.ready else 0) == 1", true),
        ("body.data.empty", false),
        ("[1, 'a', [2]] == [1.0, 'a', [2]]", true),
        ("body.status in ['success', 'ok']", true),
        ("body.data.activeTargets | map(attribute='n') | max == 2", true),
        ("['a', 'b'] | join(',') == 'a,b'", true),
        ("'12' | int == 12", true),
    ] {
        assert_eq!(holds(expression, &body), Ok(expected), "{expression}");
    }
}

#[test]
fn a_mistake_in_the_expression_is_told_without_values() {
    for (expression, told) in [
        ("body.status ==", "it ends in the middle"),
        ("", "it ends in the middle"),
        ("body.status == 'a' b", "`b` was not expected"),
        ("(1", "it ends where `)` was expected"),
        ("body.status | shell", "there is no filter `shell`"),
        ("body.status | length(3)", "filter `length` does not take these arguments"),
        ("body.list | map('upper')", "filter `map` does not take these arguments"),
        ("body.status is big", "there is no test `big`"),
        ("body.status + 1", "a text and a number are not calculated with"),
        ("1 // 0", "a division by zero"),
        ("9223372036854775807 + 1", "a number is too large"),
        ("99999999999999999999", "a number in it is too large"),
        ("1e999 > 0", "a number in it is too large"),
        ("range(9)", "`(` was not expected"),
        ("'a", "a text in it has no end"),
        ("body $ 1", "'$' was not expected"),
    ] {
        let message = holds(expression, &json!({"status": "hunter2", "list": []})).unwrap_err();
        assert_eq!(message, told, "{expression}");
    }
}

#[test]
fn a_rule_is_checked_before_there_is_an_object() {
    assert_eq!(check_expression("object.status.phase == 'Running'", "object"), Ok(()));
    assert_eq!(
        check_expression("objet.status.phase == 'Running'", "object").unwrap_err(),
        "`objet` is not known here, only `object` is"
    );
    assert!(check_expression("object.", "object").is_err());
}

#[test]
fn no_step_is_larger_than_it_counts() {
    let long = "x".repeat(1 << 20);
    let many: Vec<u32> = (0..100_000).collect();
    let body = json!({"text": long, "many": many, "nested": {"a": many}});
    let chain = format!("'x'{} == 'y'", " | replace('x', 'xxxxxxxxxx')".repeat(12));
    let concat = format!("{} == 'y'", ["body.text"; 120].join(" ~ "));
    for expression in [
        chain.as_str(),
        concat.as_str(),
        "body.many | select('in', body.many) | length > 0",
        "body.many | map(attribute='a') | join(body.text) == ''",
        "body.text | replace('', body.text) == ''",
        &format!("[{}] | length > 0", ["body.many | list"; 100].join(",")),
        &format!("{} ", ["body.nested == body.nested"; 9].join(" and ")),
    ] {
        let begun = Instant::now();
        assert_eq!(
            holds(expression, &body).unwrap_err(),
            "it takes more than 250000 steps",
            "{expression:.60}"
        );
        assert!(begun.elapsed() < Duration::from_secs(2), "{expression:.60}");
    }
}

#[test]
fn a_text_is_searched_for_the_text_of_anything() {
    let body = json!({});
    for (expression, expected) in [
        ("true in 'True0'", true),
        ("true ~ none == 'TrueNone'", true),
        ("1.0 ~ '' == '1.0'", true),
        ("7 in 'a7'", true),
        ("8 in 'a7'", false),
    ] {
        assert_eq!(holds(expression, &body), Ok(expected), "{expression}");
        assert_eq!(by_minijinja(expression, &body), Some(expected), "{expression}");
    }
}

#[test]
fn no_expression_is_deeper_than_the_stack() {
    let long = "body.a ".repeat(1000);
    let parentheses = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
    let nots = format!("{}1", "not ".repeat(1000));
    let minus = format!("{}1", "-".repeat(4000));
    let row = format!("1{}", "+1".repeat(2000));
    let attributes = format!("body{}", ".a".repeat(2000));
    let filters = format!("1{}", "|abs".repeat(1000));
    let tests = format!("1{}", " is in".repeat(600));
    let conditions = format!("1{}", " if 1 else 1".repeat(300));
    for expression in [long, parentheses, nots, minus, row, attributes, filters, tests, conditions] {
        assert!(holds(&expression, &json!({})).is_err(), "{expression:.30}");
    }
}

/// What minijinja makes of it, in which templates are written.
fn by_minijinja(expression: &str, value: &Value) -> Option<bool> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let compiled = environment.compile_expression(expression).ok()?;
    let context = minijinja::Value::from_pairs([("body", minijinja::value::Serde(value))]);
    compiled.eval(context).map(|value| value.is_true()).ok()
}

const OPERATORS: &[&str] = &["and", "or", "==", "!=", "~", "in", "not in"];
const TESTS: &[&str] = &["string", "number", "defined", "none", "mapping"];

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[0-9]{1,3}",
        "'[ab]{0,2}'",
        Just("body.n".to_owned()),
        Just("body.s".to_owned()),
        Just("body.l".to_owned()),
        Just("body.m.k".to_owned()),
        Just("true".to_owned()),
        Just("none".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(OPERATORS), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
            inner.clone().prop_map(|a| format!("not {a}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), prop::sample::select(TESTS)).prop_map(|(a, test)| format!("({a}) is {test}")),
            ("[0-9]", "[-+*]", "[0-9]", "[<>]=?", "[0-9]")
                .prop_map(|(a, o, b, c, d)| format!("{a} {o} {b} {c} {d}")),
        ]
    })
}

proptest! {
    #[test]
    fn it_means_what_it_means_in_templates(expression in expressions()) {
        let body = json!({"n": 7, "s": "ab", "l": [1, "a"], "m": {"k": null}});
        // lists and what is absent have no text here
        if let (Ok(ours), Some(theirs)) = (holds(&expression, &body), by_minijinja(&expression, &body)) {
            prop_assert_eq!(ours, theirs, "{}", expression);
        }
    }

    #[test]
    fn any_text_is_answered(expression in "[a-z0-9.'\"\\[\\]()|~+*<>=! -]{0,40}") {
        let _ = holds(&expression, &json!({"a": [1, {"b": "c"}]}));
    }
}
