//! Templates and schemas that fill memory, hang or crash what works on them: a child process takes the
//! damage.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kubectl_obs::bundle::{Bundle, Files};
use kubectl_obs::ops::sandbox::{self, Sandbox};
use kubectl_obs::values::{Layer, Values};
use serde_json::{Value, json};

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
        let values = Bundle::load(&files).unwrap().effective_defaults().clone();
        let slow = Sandbox { timeout: Duration::from_secs(30), ..sandbox() };
        assert_eq!(slow.render(&files, &values, &facts()).unwrap(), here);
    }
}

#[test]
fn an_error_in_the_child_reads_as_in_this_process() {
    let files = with_template("a: ${{ values.replica }}");
    let slow = Sandbox { timeout: Duration::from_secs(30), ..sandbox() };
    let values = json!({"replicas": 1});
    let bundle = Bundle::load(&files).unwrap();
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
        // the limit is 1 s of computing; the rest is for a machine with other work
        assert!(start.elapsed() < Duration::from_secs(60), "{case} took {:?}", start.elapsed());
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
    assert!(err.message().starts_with("the process that works on bundle web ended unexpectedly"), "{err}");
}

fn with_schema(schema: &Value) -> Files {
    let mut files = component();
    files.insert("values.schema.json".to_owned(), schema.to_string().into_bytes());
    files
}

fn values(yaml: &str) -> Values {
    Values::builder().user(&Layer::file("values.yaml", yaml).unwrap()).build().0
}

/// Branches that each have the same two branches below: 2^levels ways to be wrong.
fn multiplying(levels: usize) -> Value {
    let mut definitions = json!({ format!("n{levels}"): {"type": "number"} });
    for level in 0..levels {
        let below = json!({"$ref": format!("#/$defs/n{}", level + 1)});
        definitions[format!("n{level}")] = json!({"anyOf": [below.clone(), below]});
    }
    json!({"properties": {"a": {"$ref": "#/$defs/n0"}}, "$defs": definitions})
}

#[test]
fn the_child_checks_what_this_process_checks() {
    let schema = json!({"additionalProperties": false, "properties": {
        "password": {"type": "string", "writeOnly": true}, "port": {"type": "integer"}}});
    let files = with_schema(&schema);
    let slow = Sandbox { timeout: Duration::from_secs(30), ..sandbox() };
    let bundle = Bundle::load(&files).unwrap();
    let good = values("password: correct-horse\nport: 80\n");
    let secrets = slow.check(&files, &good).unwrap();
    assert_eq!(
        (secrets.user.as_slice(), &secrets.user),
        (["/password".to_owned()].as_slice(), &secrets.tree)
    );
    assert_eq!(slow.secrets(&files, &good.tree).unwrap(), ["/password"]);
    let wrong = values("password: 5\nport: x\nprot: 80\n");
    let here = sandbox::check(&bundle, &wrong).unwrap_err().to_string();
    assert!(here.contains("values.yaml:2"), "{here}");
    assert_eq!(slow.check(&files, &wrong).unwrap_err().to_string(), here);
}

#[test]
fn hostile_schemas_are_stopped_in_time() {
    let objects: String = (0..30_000).map(|i| format!("{{k: {i}}},")).collect();
    let patterns: serde_json::Map<String, Value> =
        (0..3000).map(|i| (format!("^({i}x{{1,200}}){{1,20}}$"), json!({}))).collect();
    let in_place: Vec<Value> = (0..20_000).map(|i| json!({"minLength": i})).collect();
    let cases = [
        ("branches that multiply", multiplying(30), "a: x".to_owned()),
        (
            "a long list without repetitions",
            json!({"properties": {"a": {"uniqueItems": true}}}),
            format!("a: [{objects}]"),
        ),
        ("patterns that are large", json!({"patternProperties": patterns}), "a: x".to_owned()),
        ("one value, many rules", json!({"properties": {"a": {"allOf": in_place}}}), "a: ''".to_owned()),
        (
            "a choice of very many",
            json!({"properties": {"a": {"items": {"enum": (0..100_000).map(|i| format!("o{i}")).collect::<Vec<_>>()}}}}),
            format!("a: [{}]", "oo,".repeat(3000)),
        ),
    ];
    let known = ["used more than 96 MB", "did not end within 1 s", "ended unexpectedly"];
    for (case, schema, yaml) in cases {
        let (files, values) = (with_schema(&schema), values(&yaml));
        let start = Instant::now();
        let answer = sandbox().check(&files, &values);
        assert!(start.elapsed() < Duration::from_secs(60), "{case} took {:?}", start.elapsed());
        // a fast machine may have the answer in time
        if let Err(error) = answer {
            let error = error.to_string();
            let said = known.iter().any(|text| error.contains(text)) || error.contains("are not valid");
            assert!(said && error.len() < 10_000, "{case}: {error:.300}");
        } else {
            assert_ne!(case, "branches that multiply");
        }
    }
}

#[test]
fn the_limit_that_a_schema_meets_is_named() {
    let error = sandbox().check(&with_schema(&multiplying(30)), &values("a: x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the values or the schema of bundle web did not end within 1 s of computing\n  \
         hint: branches of the schema multiply, or the values are very large; on a slow machine set \
         KUBECTL_OBS_RENDER_TIMEOUT to more seconds"
    );
}

#[test]
fn a_choice_is_told_in_a_few_words() {
    let options: Vec<String> = (0..3).map(|i| format!("{i}{}", "x".repeat(100_000))).collect();
    let branches = [json!({"enum": options}), json!({"const": options[0]})];
    for schema in [branches[0].clone(), branches[1].clone(), json!({ "anyOf": branches })] {
        let bundle = Bundle::load(&with_schema(&json!({"properties": {"a": schema}}))).unwrap();
        let error = sandbox::check(&bundle, &values("a: x")).unwrap_err().to_string();
        assert!(error.len() < 1000, "{} bytes", error.len());
    }
}

#[test]
fn a_readiness_rule_that_makes_gigabytes_is_refused_with_the_bundle() {
    let mut files = component();
    let rule = format!("('x'{}) | length > 0", " | replace('x', 'xxxxxxxxxx')".repeat(12));
    let text = String::from_utf8(files["bundle.yaml"].clone()).unwrap();
    let text = format!("{text}\nreadiness:\n- kind: Widget\n  ready: {}\n", json!(rule));
    files.insert("bundle.yaml".to_owned(), text.into_bytes());
    let error = Bundle::load(&files).unwrap_err();
    assert!(error.message().ends_with("is no expression: it takes more than 250000 steps"), "{error}");
}
