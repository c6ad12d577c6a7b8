//! The readings below were taken from sigs.k8s.io/yaml 1.4.0, which is what kubectl 1.32 uses.

use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn what_controls_a_terminal_is_written_as_an_escape() {
    for text in [
        "\x1b[31mred",
        "a\rb",
        "\u{7f}",
        "\u{85}",
        "\u{9b}2J",
        "x\u{202e}y",
        "\u{2028}\u{2029}",
        "\u{200e}",
        "first\n\x1b[2J\n",
        "\0",
        "a \u{2066}\"q\" \\ b",
        "\u{feff}",
        "\u{fffe}\u{ffff}",
        "\u{fdd0}",
        "\u{202e}\u{ffff}\\uFFFF",
        "\u{200f}\n\ttab\n",
    ] {
        let value = json!({ text: [text, { "k": text }], "list": [[text]] });
        let written = to_string(&value);
        assert!(!written.contains(|c| escape::controls(c) && c != '\n'), "{written:?}");
        assert_eq!(parse(&written).unwrap(), value, "{written}");
    }
    assert_eq!(to_string(&json!({"a": "x\u{202e}y"})), "a: \"x\\u202ey\"\n");
    let script = json!({"a": "all:\n\techo\n"});
    assert_eq!(to_string(&script), "a: |\n  all:\n  \techo\n");
}

#[test]
fn plain_scalars_mean_what_kubectl_reads() {
    let table: &[(&str, Value)] = &[
        ("on yes y Y On ON Yes YES true True TRUE", json!(true)),
        ("No NO n N no off Off OFF false False FALSE", json!(false)),
        ("~ null Null NULL", json!(null)),
        ("0644 420 0x1A4 0b110100100 0o644 4_2_0", json!(420)),
        ("017 0o17 0O17 0xF 0XF 15 +15 0x_F 15.0 1.5e1 1_5 15_", json!(15)),
        ("1_000 1e3 1E3 1e+3 1000.0", json!(1000)),
        ("0b11 0B11 +0b11 3.", json!(3)),
        ("-0b11 0b-11 -3", json!(-3)),
        ("-017", json!(-15)),
        ("08 8.", json!(8)),
        ("-0 -0.0 0 00 0.0", json!(0)),
        ("010.5", json!(10.5)),
        (".5 0.5 +.5", json!(0.5)),
        ("1e-7", json!(1e-7)),
        ("1e21", json!(1e21)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!(18_446_744_073_709_552_000.0)),
    ];
    for (texts, value) in table {
        for text in texts.split(' ') {
            assert_eq!(parse(&format!("a: {text}")), Ok(json!({"a": value})), "{text}");
        }
    }
    assert_eq!(parse("a:"), Ok(json!({"a": null})));
}

#[test]
fn everything_else_is_a_string() {
    for text in [
        "yEs",
        "oFF",
        "tRUE",
        "nULL",
        "0o8",
        "_1",
        ".",
        "1e999",
        "12:30:45",
        "2001-01-01",
        "=",
        "0x",
        "1.2.3",
        "+",
        "1e",
        "e1",
        "._5",
        "0x+1",
        "1Gi",
        "v1",
        "2001-12-14T21:59:43Z",
        "Infinity",
        "nan",
    ] {
        assert_eq!(parse(&format!("- {text}")), Ok(json!([text])), "{text}");
    }
    for text in ["'on'", "\"0644\"", "!!str 1e3", "! 5"] {
        assert!(matches!(&parse(text), Ok(Value::String(_))), "{text}");
    }
}

#[test]
fn structures_mean_what_kubectl_reads() {
    for (text, value) in [
        ("", json!(null)),
        ("# only a comment\n", json!(null)),
        ("---\n", json!(null)),
        ("a: 1\n---\n", json!({"a": 1})),
        ("a: 1\n---\n# the end\n...\n---\n", json!({"a": 1})),
        ("# licence\n---\n---\na: 1\n", json!({"a": 1})),
        ("a: {x: 1, <<: {x: 2, z: 3}}", json!({"a": {"x": 2, "z": 3}})),
        ("a: {<<: {x: 2, z: 3}, x: 1}", json!({"a": {"x": 1, "z": 3}})),
        ("a: {<<: [{x: 2, w: 3}, {x: 5, z: 6}]}", json!({"a": {"x": 2, "w": 3, "z": 6}})),
        ("a: {\"<<\": {x: 2}}", json!({"a": {"<<": {"x": 2}}})),
        ("b: &b {c: [1]}\na: *b\n", json!({"b": {"c": [1]}, "a": {"c": [1]}})),
        ("&k key: 1\nb: {*k : 2}\n", json!({"key": 1, "b": {"key": 2}})),
        (
            "a: !!int \"5\"\nb: !!str 5\nc: !!float 1\nd: !!bool yes\nf: !!null ''",
            json!({"a": 5, "b": "5", "c": 1, "d": true, "f": null}),
        ),
        ("a: |\n  x\n   y\n\nb: >-\n  x\n  y\n", json!({"a": "x\n y\n", "b": "x y"})),
        ("\u{feff}a: 1", json!({"a": 1})),
        ("{a: [1, {b: c}], }", json!({"a": [1, {"b": "c"}]})),
        ("a:\n- 1\n- b: 2\n  c: 3\n", json!({"a": [1, {"b": 2, "c": 3}]})),
    ] {
        assert_eq!(parse(text), Ok(value), "{text}");
    }
}

#[test]
fn keys_become_strings_as_in_kubectl() {
    for (text, key) in [
        ("1", "1"),
        ("0x10", "16"),
        ("true", "true"),
        ("on", "true"),
        ("n", "false"),
        ("1.5", "1.5"),
        ("1.10", "1.1"),
        ("1e3", "1000"),
        ("1234567.5", "1.2345675e+06"),
        ("16777217.0", "1.6777216e+07"),
        ("0.00001", "1e-05"),
        ("1e10", "1e+10"),
        ("'1'", "1"),
        ("2001-01-01", "2001-01-01"),
    ] {
        assert_eq!(parse(&format!("{text}: v")), Ok(json!({key: "v"})), "{text}");
    }
}

#[test]
fn errors_have_a_line_and_no_value() {
    for (text, message) in [
        ("a: 1\nb: 2\na: hunter2\n", "line 3: key a is already set on line 1"),
        ("x:\n  1: a\n  '1': b\n", "line 3: key 1 is already set on line 2"),
        ("a: 1\n~: b\n", "line 2: a key must be a string"),
        ("? [a]\n: b", "line 1: a key must be a string"),
        ("18446744073709551615: a", "line 1: a key must be a string"),
        ("a: .inf", "line 1: infinity and NaN have no place in Kubernetes' JSON"),
        ("a: !Foo bar", "line 1: tag !Foo is not supported"),
        ("a: !!binary aGk=", "line 1: tag !!binary is not supported"),
        ("a: !!set {x: 1}", "line 1: tag !!set is not supported"),
        ("a: !!bool 1", "line 1: the value does not fit its tag !!bool"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document begins here, expected only one"),
        ("---\na: 1\n---\n---\nb: 2\n---\n", "line 4: a second document begins here, expected only one"),
        ("y: 1\non: 2\n", "line 2: key on is already set on line 1 as y"),
        ("a: &a [*a]", "line 1: an alias stands inside the value that it names"),
        ("a: *b", "line 1: while parsing node, found unknown anchor"),
        ("<<: 1", "line 1: << needs a map or a list of maps"),
        ("a: [1", "line 1: unclosed bracket '['"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(100_000);
    assert!(parse(&deep).is_err());
    assert!(parse(&format!("{}{}", "[".repeat(90), "]".repeat(90))).is_ok());
    assert_eq!(
        parse(&format!("{}1{}", "[".repeat(101), "]".repeat(101))).unwrap_err().message,
        "more than 100 levels of nesting"
    );

    let mut laughs = String::from("a0: &a0 [lol]\n");
    for i in 1..12 {
        let uses = vec![format!("*a{}", i - 1); 9].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{uses}]\n"));
    }
    assert_eq!(parse(&laughs).unwrap_err().message, "more than 1000000 values");

    let mut heavy = format!("a: &a \"{}\"\nb:\n", "x".repeat(1 << 20));
    heavy.push_str(&"- *a\n".repeat(20));
    assert_eq!(parse(&heavy).unwrap_err().message, "aliases make this text too large");

    let mut nested = String::from("a0: &a0 [1]\n");
    for i in 1..120 {
        nested.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert_eq!(parse(&nested).unwrap_err().message, "more than 100 levels of nesting");
}

#[test]
fn documents_are_separated_and_empty_ones_skipped() {
    assert_eq!(
        parse_documents("---\n---\na: 1\n---\n# nothing\n---\nnull\n---\nb: 2\n...\n"),
        Ok(vec![json!({"a": 1}), json!({"b": 2})])
    );
    assert_eq!(parse_documents("a: &x 1\n---\nb: *x\n").unwrap_err().line, Some(3));
}

#[test]
fn every_key_and_item_has_its_line() {
    let text = "a:\n  b: 1\n  c:\n  - x\n  - x: 2\n    z/z: |\n      text\nd: {e: 3,\n  f: 4}\nm:\n  <<: {p: {q: 1}}\n";
    let (_, lines) = parse_with_lines(text).unwrap();
    let expected = [
        ("/a", 1),
        ("/a/b", 2),
        ("/a/c", 3),
        ("/a/c/0", 4),
        ("/a/c/1", 5),
        ("/a/c/1/x", 5),
        ("/a/c/1/z~1z", 6),
        ("/d", 8),
        ("/d/e", 8),
        ("/d/f", 9),
        ("/m", 10),
        ("/m/p", 11),
    ];
    assert_eq!(lines, expected.map(|(p, l)| (p.to_owned(), Place { line: l, typed: None })).into());
}

#[test]
fn a_key_that_replaces_a_merged_one_leaves_no_stale_lines() {
    let (value, lines) = parse_with_lines("k:\n  a: {b: 1}\n  <<: {a: 2}\n").unwrap();
    assert_eq!(value, json!({"k": {"a": 2}}));
    assert_eq!(
        lines,
        [("/k", 1), ("/k/a", 3)].map(|(p, l)| (p.to_owned(), Place { line: l, typed: None })).into()
    );
}

#[test]
fn output_is_for_people() {
    let value = json!({
        "kind": "ConfigMap",
        "data": {"rules.yml": "groups:\n- name: x\n", "on": "off", "version": "1.10"},
        "items": [{"a": 1, "b": [true, null]}, {}, []],
        "long": "word ".repeat(30),
    });
    let text = to_string(&value);
    assert!(
        text.starts_with("kind: ConfigMap\ndata:\n  rules.yml: |\n    groups:\n    - name: x\n"),
        "{text}"
    );
    assert_eq!(parse(&text), Ok(value));
}

/// Strings that some YAML reader takes for something else.
fn tricky_string() -> impl Strategy<Value = String> {
    let words = [
        "",
        " ",
        "on",
        "yes",
        "y",
        "N",
        "off",
        "1_000",
        "0644",
        "1e3",
        "~",
        "null",
        "Null",
        "-",
        "- x",
        "#",
        " #",
        "a #b",
        "a: b",
        ": ",
        "a:",
        ":a",
        "2001-01-01",
        "12:30:45",
        "0x1F",
        ".inf",
        ".5",
        "+1",
        "-1",
        "'",
        "\"",
        "'a'",
        "\\",
        "\\n",
        "\t",
        "a\tb",
        "\n",
        "a\n",
        "a\n\n",
        "\na",
        " a\nb",
        "a\n b\n",
        "a \nb",
        "\ta\nb",
        "a\r\nb",
        "\r",
        "👍",
        "é",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "\u{7f}",
        "\u{a0}",
        "\u{fffe}",
        "*a",
        "&a",
        "!a",
        "!!str a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "{",
        "}",
        "[",
        "]",
        ",",
        "{a}",
        "[a",
        "?",
        "? a",
        "?a",
        "---",
        "--- a",
        "...",
        "<<",
        "=",
        "\u{1f600}",
        "a\n---\nb",
        "a\n...\n",
        "#a\nb",
        "- a\n- b",
        "true",
        "1.0",
        "0o17",
        "08",
        "{{ $labels.x }}",
        "${{ y }}",
        "a\u{2029}b\n",
        "a\n\tb",
        "  \n  ",
    ];
    prop_oneof![
        3 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        2 => proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..4).prop_map(|w| w.concat()),
        1 => any::<String>(),
        1 => "[-+0-9._xobeE:TZ ]{0,12}",
    ]
}

/// Any JSON value as Kubernetes can hold it.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("whole doubles are read as integers", |f| {
            (f.is_finite() && f.fract() != 0.0).then(|| Value::from(f))
        }),
        tricky_string().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((tricky_string(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = to_string(&value);
        prop_assert_eq!(parse(&text), Ok(value), "{}", text);
    }

    #[test]
    fn documents_are_read_back(values in proptest::collection::vec(any_value().prop_filter("empty", |v| !v.is_null()), 0..4)) {
        prop_assert_eq!(parse_documents(&documents_to_string(&values)), Ok(values));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a-c0-9:\\[\\]{}&*!|>'\"%@#,? \n\t]{0,60}") {
        let _ = parse_with_lines(&text);
    }
}

/// goyaml.v2: "found a tab character where an indentation space is expected".
#[test]
fn a_text_that_begins_with_a_tab_is_quoted() {
    assert_eq!(to_string(&json!({"a": "\tx\ny\n"})), "a: \"\\tx\\ny\\n\"\n");
    assert_eq!(to_string(&json!(["\n \tx\ny"])), "- \"\\n \\tx\\ny\"\n");
    assert_eq!(to_string(&json!({"a": "x\n\ty\n"})), "a: |\n  x\n  \ty\n");
}
