//! Templates that fill memory, hang or crash the renderer: a child process takes the damage.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kubectl_obs::bundle::Files;
use kubectl_obs::ops::sandbox::Sandbox;
use serde_json::json;

use super::{assert_table, component, facts, rendered, umbrella};

fn sandbox() -> Sandbox {
    Sandbox { program: PathBuf::from(env!("CARGO_BIN_EXE_kubectl-obs")), timeout: Duration::from_secs(1) }
}

fn with_template(text: &str) -> Files {
    let mut files = component();
    files.insert("templates/x.yaml".to_owned(), text.as_bytes().to_vec());
    files
}

#[test]
fn the_child_renders_what_this_process_renders() {
    for files in [component(), umbrella()] {
        let here = rendered(&files).unwrap();
        let values = kubectl_obs::bundle::Bundle::load(&files).unwrap().effective_defaults().clone();
        let slow = Sandbox { timeout: Duration::from_secs(30), ..sandbox() };
        assert_eq!(slow.render(&files, &values, &facts()).unwrap(), here);
    }
}

#[test]
fn an_error_in_the_child_reads_as_in_this_process() {
    let files = with_template("a: ${{ values.replica }}");
    let slow = Sandbox { timeout: Duration::from_secs(30), ..sandbox() };
    let values = json!({"replicas": 1});
    let bundle = kubectl_obs::bundle::Bundle::load(&files).unwrap();
    let here = kubectl_obs::render::render(&bundle, &values, &facts()).unwrap_err();
    assert_eq!(slow.render(&files, &values, &facts()).unwrap_err().to_string(), here.to_string());
}

/// Thirty-two steps to 4 GiB.
fn doubling() -> String {
    format!("{{% set x = 'x' %}}{}", "{% set x = x ~ x %}".repeat(32))
}

const SORTING: &str = "{% set a = range(9999) | list %}{% for i in range(9999) %}{% set b = a | sort(reverse=true) | map('string') | sort | length %}{% endfor %}";
const LOOPS: &str = "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}";

#[test]
fn hostile_templates_are_stopped_in_time() {
    let cases = [
        ("text doubled 32 times", doubling()),
        ("90 MB of one letter, twice", "{% set a = 'x' * 90000000 %}{% set b = a ~ a %}".to_owned()),
        ("list doubled 32 times", format!("{{% set x = [1] %}}{}", "{% set x = (x + x) | list %}".repeat(32))),
        (
            "replacing in long texts",
            "{% set a = 'x' * 9999999 %}{% for i in range(9999) %}{% set b = a | replace('x', 'yy') | length %}{% endfor %}"
                .to_owned(),
        ),
        ("sorting for ever", SORTING.to_owned()),
        (
            "nested lists",
            "{% set s = scratch(x=[]) %}{% for i in range(9999) %}{% for j in range(50) %}{% set s.x = [s.x] %}{% endfor %}{% endfor %}a: ${{ s.x }}"
                .to_owned(),
        ),
        ("loops in loops", LOOPS.to_owned()),
    ];
    // which limit is met first depends on the machine
    let known = [
        "used more than 96 MB",
        "did not end within 1 s",
        "too much work",
        "ended unexpectedly",
        "too large",
    ];
    for (case, template) in cases {
        let start = Instant::now();
        let err =
            sandbox().render(&with_template(&template), &json!({}), &facts()).expect_err(case).to_string();
        // the limit is 1 s; the rest is for a machine with other work
        assert!(start.elapsed() < Duration::from_secs(5), "{case} took {:?}", start.elapsed());
        assert!(known.iter().any(|text| err.contains(text)), "{case}: {err}");
    }
}

#[test]
fn each_limit_is_named() {
    let message = |seconds: f32, template: &str| {
        let sandbox = Sandbox { timeout: Duration::from_secs_f32(seconds), ..sandbox() };
        sandbox.render(&with_template(template), &json!({}), &facts()).unwrap_err().to_string()
    };
    assert_table(
        "hostile",
        &[
            ("memory", message(60.0, &doubling())),
            ("steps", message(60.0, LOOPS)),
            ("time", message(0.25, SORTING)),
        ],
    );
}

#[test]
fn a_program_that_does_not_answer_is_named() {
    let wrong = Sandbox { program: PathBuf::from("/bin/false"), ..sandbox() };
    let err = wrong.render(&component(), &json!({}), &facts()).unwrap_err();
    assert!(err.message().starts_with("the process that renders bundle web ended unexpectedly"), "{err}");
}
