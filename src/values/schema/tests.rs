//! Messages to the letter: they are what a person reads when values are wrong.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Layer, SetFlag};
use super::*;
use crate::object::MASK;

fn values(base: Value, file: &str, flags: &[&str]) -> Values {
    let builder = Values::builder()
        .base(&Layer::defaults("prometheus", base).unwrap())
        .user(&Layer::file("values.yaml", file).unwrap());
    let set = |builder: super::super::Builder, text: &&str| {
        let (flag, text) = match text.strip_prefix("json:") {
            Some(text) => (SetFlag::Json, text),
            None => (SetFlag::Set, *text),
        };
        builder.set(flag, text, &|path| Ok(path.to_owned())).unwrap()
    };
    flags.iter().fold(builder, set).build().0
}

fn errors(schema: Value, file: &str) -> Vec<String> {
    match check(&schema, &values(json!({}), file, &[]), "bundle prometheus 1.0.0") {
        Ok(()) => Vec::new(),
        Err(e) => e.details().iter().flat_map(|d| d.lines()).map(str::to_owned).collect(),
    }
}

/// The message for the value of `v`, without path and origin.
fn message(schema: Value, value: &str) -> String {
    let schema = json!({ "properties": { "v": schema } });
    let lines = errors(schema, &format!("v: {value}\n"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = lines[0].strip_prefix("v: ").unwrap_or(&lines[0]);
    line.strip_suffix("     values.yaml:1").unwrap_or(line).to_owned()
}

#[test]
fn all_problems_at_once_with_path_words_and_place() {
    let schema = json!({
        "properties": {"prometheus": {
            "properties": {"retention": {"type": "string"}, "replicas": {"type": "integer", "minimum": 1}},
            "additionalProperties": false,
        }},
    });
    let file = format!("{}prometheus:\n  retension: 15d\n", "# x\n".repeat(12));
    let values = values(json!({}), &file, &["prometheus.replicas=0"]);
    assert_eq!(
        check(&schema, &values, "bundle prometheus 1.0.0").unwrap_err().to_string(),
        "\
values are not valid for bundle prometheus 1.0.0
  prometheus.replicas: 0 is less than 1                          --set prometheus.replicas=0
  prometheus.retension: unknown key, did you mean retention?     values.yaml:14"
    );
}

#[test]
fn every_keyword_has_plain_words() {
    for (schema, value, expected) in [
        (json!({"type": "number"}), "x", "expected a number, got the string \"x\""),
        (json!({"type": "integer"}), "1.5", "expected a whole number, got the number 1.5"),
        (json!({"type": ["string", "null"]}), "1", "expected a string or null, got the number 1"),
        (json!({"type": ["integer", "number", "string"]}), "on", "expected a string or a number, got true"),
        (json!({"type": "boolean"}), "[1]", "expected true or false, got a list"),
        (json!({"type": "array"}), "{a: 1}", "expected a list, got a map"),
        (json!({"type": "object"}), "[~]", "expected a map, got a list"),
        (json!({"minimum": 1}), "0", "0 is less than 1"),
        (json!({"maximum": 5.5}), "6", "6 is more than 5.5"),
        (json!({"exclusiveMinimum": 0}), "0", "0 is not more than 0"),
        (json!({"exclusiveMaximum": 0}), "0", "0 is not less than 0"),
        (json!({"multipleOf": 5}), "7", "7 is not a multiple of 5"),
        (json!({"minLength": 1}), "''", "must not be empty"),
        (json!({"minLength": 3}), "ab", "\"ab\" is shorter than 3 characters"),
        (json!({"maxLength": 1}), "ab", "\"ab\" is longer than 1 character"),
        (json!({"pattern": "^[0-9]+d$"}), "ab", "\"ab\" does not match the pattern ^[0-9]+d$"),
        (
            json!({"pattern": "^[0-9]+d$", "description": "Days, such as 15d.\nMore."}),
            "ab",
            "\"ab\" does not fit: Days, such as 15d",
        ),
        (
            json!({"pattern": "^[0-9]+d$", "description": "Days.", "x-message": "must be a duration such as 15d"}),
            "ab",
            "must be a duration such as 15d, got \"ab\"",
        ),
        (
            json!({"enum": ["debug", "info"]}),
            "inof",
            "\"inof\" is not one of debug, info, did you mean info?",
        ),
        (json!({"enum": ["debug", null, 1]}), "x", "\"x\" is not one of debug, null, 1"),
        (json!({"enum": ["one"]}), "x", "must be one"),
        (
            json!({"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}),
            "x",
            "\"x\" is not one of 1, 2, 3, 4, 5, 6, 7, 8, … (10 in all)",
        ),
        (json!({"const": "a"}), "b", "must be a"),
        (json!({"minItems": 1}), "[]", "must not be empty"),
        (json!({"minItems": 2}), "[1]", "has 1 item, at least 2 are needed"),
        (json!({"maxItems": 1}), "[1, 2]", "has 2 items, at most 1 may be given"),
        (json!({"uniqueItems": true}), "[a, b, a]", "items 0 and 2 are the same"),
        (json!({"contains": {"const": 1}}), "[2]", "no item is as one must be"),
        (
            json!({"contains": {"const": 1}, "x-message": "port 1 must be in the list"}),
            "[2]",
            "port 1 must be in the list",
        ),
        (json!({"minProperties": 1}), "{}", "must not be empty"),
        (json!({"maxProperties": 1}), "{a: 1, b: 2}", "has 2 keys, at most 1 may be given"),
        (json!({"format": "email"}), "x", "\"x\" is not an e-mail address"),
        (json!({"format": "uri"}), "x", "\"x\" is not a URL with a scheme, such as https://example.com"),
        (
            json!({"format": "ipv4", "x-message": "must be the node's address"}),
            "x",
            "must be the node's address, got \"x\"",
        ),
        (json!(false), "1", "not allowed here"),
        (json!({"items": false}), "[1]", "v[0]: not allowed here"),
        (json!({"prefixItems": [{}], "items": false}), "[1, 2]", "v[1]: not allowed here"),
        (json!({"unevaluatedItems": false}), "[1]", "has more items than may be given"),
        (json!({"not": {"const": "latest"}}), "latest", "must not be latest"),
        (json!({"not": {"enum": [1, 2]}}), "2", "must not be one of 1, 2"),
        (json!({"not": {"required": ["a", "b"]}}), "{a: 1, b: 2}", "a and b may not be set together"),
        (json!({"not": {"required": ["a"]}}), "{a: 1}", "a may not be set here"),
        (json!({"not": {"type": "string"}}), "x", "has a form that is not allowed"),
        (
            json!({"not": {"type": "string"}, "x-message": "text was never allowed"}),
            "x",
            "text was never allowed, got \"x\"",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "array"}]}),
            "5",
            "expected a string or a list, got the number 5",
        ),
        (
            json!({"anyOf": [{"const": "auto"}, {"type": "integer"}]}),
            "x",
            "expected auto or a whole number, got the string \"x\"",
        ),
        (
            json!({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}),
            "c",
            "expected a, b or null, got the string \"c\"",
        ),
        (json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}), "{}", "one of a, b is required"),
        (
            json!({"oneOf": [{"required": ["a"]}, {"required": ["b", "c"]}]}),
            "{a: 1, b: 2, c: 3}",
            "only one of a, b and c may be set",
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"minLength": 1}]}),
            "x",
            "fits more than one of the forms of which one must be chosen",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}], "x-message": "must be a port or its name"}),
            "1.5",
            "must be a port or its name, got 1.5",
        ),
        (
            json!({"maxLength": 1}),
            &"x".repeat(50),
            &format!("\"{}…\" is longer than 1 character", "x".repeat(40)),
        ),
        (json!({"maxLength": 1}), r#""a\nb""#, r#""a\nb" is longer than 1 character"#),
    ] {
        assert_eq!(message(schema, value), expected);
    }
}

#[test]
fn a_rule_below_a_condition_says_when() {
    let schema = |rule: Value| json!({"properties": {"mode": {}, "old": {}}, "allOf": [rule]});
    for (rule, file, expected) in [
        (
            json!({"if": {"properties": {"mode": {"const": "operator"}}, "required": ["mode"]}, "then": {"required": ["crds"]}}),
            "mode: operator",
            "crds: required when mode is operator",
        ),
        (
            json!({"if": {"properties": {"mode": {"enum": ["a", "b"]}}}, "then": {"properties": {"old": false}}}),
            "mode: a\nold: 1",
            "old: not allowed here when mode is a or b     values.yaml:2",
        ),
        (
            json!({"if": {"required": ["mode"]}, "else": {"required": ["old"]}}),
            "x: 1",
            "old: required unless mode is set",
        ),
        (
            json!({"if": {"not": {"required": ["mode"]}}, "then": {"required": ["old"]}}),
            "x: 1",
            "old: required, but not set",
        ),
        (json!({"dependentRequired": {"mode": ["old"]}}), "mode: 1", "old: required when mode is set"),
        (
            json!({"dependentSchemas": {"mode": {"properties": {"old": {"minimum": 3}}}}}),
            "mode: 1\nold: 2",
            "old: 2 is less than 3 when mode is set     values.yaml:2",
        ),
    ] {
        assert_eq!(errors(schema(rule), file), [expected]);
    }
}

#[test]
fn of_branches_the_nearest_explains() {
    let storage = json!({"properties": {"storage": {"oneOf": [
        {"title": "emptyDir", "properties": {"kind": {"const": "empty"}}, "required": ["kind"], "additionalProperties": false},
        {"title": "volume", "properties": {"kind": {"const": "volume"}, "size": {"type": "string"}}, "required": ["kind", "size"], "additionalProperties": false},
        {"type": "string"},
    ]}}});
    for (file, expected) in [
        ("storage: {kind: volume}", "storage.size: required, but not set (as volume)     values.yaml:1"),
        (
            "storage: {kind: volume, size: 5}",
            "storage.size: expected a string, got the number 5 (as volume)     values.yaml:1",
        ),
        (
            "storage: {kind: empty, siz: x}",
            "storage.siz: unknown key, did you mean size? (as emptyDir)     values.yaml:1",
        ),
    ] {
        assert_eq!(errors(storage.clone(), file), [expected], "{file}");
    }
}

#[test]
fn unknown_keys_are_compared_with_the_keys_of_their_place() {
    let schema = json!({
        "$defs": {"common": {"properties": {"resources": {}, "replicas": {}}}},
        "properties": {
            "a": {"$ref": "#/$defs/common", "properties": {"image": {}}, "unevaluatedProperties": false},
            "replicaCount": {},
            "gone": false,
        },
        "patternProperties": {"^x-": {}},
        "additionalProperties": false,
    });
    assert_eq!(
        errors(schema, "a: {replica: 1, imgae: 2, zzz: 3}\nx-1: {}\nreplicacount: 1\ngonn: 1\n"),
        [
            "a.imgae: unknown key, did you mean image?               values.yaml:1",
            "a.replica: unknown key, did you mean replicas?          values.yaml:1",
            "a.zzz: unknown key                                      values.yaml:1",
            "gonn: unknown key                                       values.yaml:4",
            "replicacount: unknown key, did you mean replicaCount?     values.yaml:3",
        ]
        .map(ToOwned::to_owned)
        .map(|line| {
            let (problem, place) = line.split_once("     ").unwrap();
            format!("{problem:<53}     {}", place.trim())
        })
    );
}

#[test]
fn keys_of_maps_are_checked_too() {
    let rule = json!({"propertyNames": {"pattern": "^[a-z]+$", "x-message": "must be lower case"}});
    assert_eq!(
        errors(json!({"properties": {"v": rule}}), "v: {A1: 1}"),
        ["v.A1: not allowed as a key: must be lower case     values.yaml:1"]
    );
    let rule = json!({"propertyNames": {"maxLength": 2}});
    assert_eq!(
        errors(json!({"properties": {"v": rule}}), "v: {abc: 1}"),
        ["v.abc: not allowed as a key: \"abc\" is longer than 2 characters     values.yaml:1"]
    );
}

#[test]
fn what_a_null_deleted_is_named() {
    let schema = json!({"required": ["a", "b"]});
    let values = values(json!({"a": 1}), "", &["a=null"]);
    assert_eq!(
        check(&schema, &values, "x").unwrap_err().details(),
        ["a: required, but deleted     --set a=…\nb: required, but not set"]
    );
}

#[test]
fn a_wrong_type_says_how_to_type_it() {
    let schema = json!({"properties": {
        "ratio": {"type": "number"}, "tag": {"type": "string"}, "version": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "secret": {"type": "string", "writeOnly": true}, "n": {"type": "number"},
    }});
    let values = values(json!({}), "version: 1.5\n", &["ratio=0.5,tag=5,secret=12345,n=x"]);
    let error = check(&schema, &values, "x").unwrap_err();
    assert_eq!(
        error.hints(),
        [
            "as a number: --set-json ratio=0.5",
            "--set-string secret=TEXT sets it as text",
            "--set-string tag=5 sets it as text",
            "quotes around the value of version make it text",
        ]
    );
    assert!(!error.to_string().contains("12345"), "{error}");
}

#[test]
fn a_secret_is_in_no_message() {
    let schema = json!({
        "$defs": {"password": {"type": "string", "minLength": 20, "pattern": "^[a-z]+$", "enum": ["y"], "format": "email", "not": {"const": "hunter2"}, "writeOnly": true}},
        "properties": {
            "password": {"$ref": "#/$defs/password"},
            "auth": {
                "type": "object",
                "properties": {"user": {"maxLength": 1}, "key": {"anyOf": [{"const": "a", "writeOnly": true}, {"type": "null"}]}},
                "additionalProperties": false,
            },
            "users": {"additionalProperties": {"properties": {"hash": {"writeOnly": true, "type": "boolean"}}}},
            "list": {"items": {"writeOnly": true, "minimum": 10000}},
            "blob": {"writeOnly": true, "properties": {"in": {"type": "boolean"}}},
        },
    });
    let secret = "hunter2";
    for flags in [
        &["password=hunter2"][..],
        &["json:password=\"hunter2\""],
        &["auth=hunter2"],
        &["auth.key=hunter2"],
        &["auth.kye=hunter2"],
        &["json:auth={\"user\":\"uu\",\"key\":\"hunter2\"}"],
        &["json:{\"auth\":{\"user\":\"uu\",\"key\":\"hunter2\"}}"],
        &["users.bob.hash=hunter2"],
        &["users=hunter2"],
        &["list={1,hunter2}", "password=x"],
        &["blob.in=hunter2"],
    ] {
        for via_file in [false, true] {
            let values = if via_file {
                let user = values(json!({}), "", flags).user;
                values(json!({}), &crate::yaml::to_string(&user), &[])
            } else {
                values(json!({}), "", flags)
            };
            if let Err(error) = check(&schema, &values, "x") {
                assert!(!error.to_string().contains(secret), "{error}");
            } else {
                assert_eq!(flags, ["users=hunter2"], "should not be valid");
            }
            let masked = mask(&schema, &values.tree).to_string();
            let in_place = !matches!(flags, ["auth=hunter2" | "auth.kye=hunter2" | "users=hunter2"]);
            assert_eq!(!masked.contains(secret), in_place, "{masked}");
        }
    }
    let values = values(json!({}), "", &["auth=hunter2"]);
    assert_eq!(
        check(&schema, &values, "x").unwrap_err().details(),
        ["auth: expected a map, got a string     --set auth=…"]
    );
}

#[test]
fn what_no_schema_calls_harmless_is_masked() {
    let tree = json!({"name": "x", "port": 80, "on": true, "none": null, "empty": "",
        "auth": {"user": "u", "pin": 1, "kept": false}, "list": ["a", {"b": 2.5}]});
    assert_eq!(
        mask_unjudged(None, &tree),
        (
            json!({"name": MASK, "port": MASK, "on": true, "none": null, "empty": "",
                "auth": {"user": MASK, "pin": MASK, "kept": false}, "list": [MASK, {"b": MASK}]}),
            6
        )
    );
    // another version's schema: it does not know `port`, and leaves open what is in `list`
    let schema = json!({"properties": {"name": {"type": "string"}, "on": {"type": "boolean"},
        "auth": {"type": "object", "writeOnly": true}, "list": {"type": "array"}}, "additionalProperties": true});
    assert_eq!(
        mask_unjudged(Some(&schema), &tree),
        (
            json!({"name": "x", "port": MASK, "on": true, "none": null, "empty": "", "auth": MASK,
                "list": [MASK, {"b": MASK}]}),
            4
        )
    );
}

#[test]
fn secrets_are_found_through_references_patterns_lists_and_branches() {
    let schema = json!({
        "$defs": {"tree": {"properties": {"pw": {"writeOnly": true}, "child": {"$ref": "#/$defs/tree"}}}},
        "properties": {
            "t": {"$ref": "#/$defs/tree"},
            "p": {"patternProperties": {"^pw-": {"writeOnly": true}}, "additionalProperties": {}},
            "l": {"prefixItems": [{}, {"writeOnly": true}], "items": {"properties": {"pw": {"writeOnly": true}}}},
            "c": {"if": {}, "then": {"properties": {"pw": {"writeOnly": true}}}},
            "o": {"oneOf": [{"type": "string"}, {"allOf": [{"properties": {"pw": {"writeOnly": true}}}]}]},
        },
    });
    let tree = json!({
        "t": {"pw": "s", "child": {"child": {"pw": {"deep": "s"}}}},
        "p": {"pw-1": "s", "other": "o"},
        "l": ["o", "s", {"pw": "s"}, {"pw": null}, {"pw": ""}],
        "c": {"pw": 5},
        "o": {"pw": ["s"]},
    });
    assert_eq!(
        secrets(&schema, &tree),
        ["/t/pw", "/t/child/child/pw", "/p/pw-1", "/l/1", "/l/2/pw", "/c/pw", "/o/pw"]
    );
    assert_eq!(
        mask(&schema, &tree),
        json!({
            "t": {"pw": MASK, "child": {"child": {"pw": MASK}}},
            "p": {"pw-1": MASK, "other": "o"},
            "l": ["o", MASK, {"pw": MASK}, {"pw": null}, {"pw": ""}],
            "c": {"pw": MASK},
            "o": {"pw": MASK},
        })
    );
}

#[test]
fn many_problems_are_cut_and_counted() {
    let schema = json!({"additionalProperties": false});
    let file: String = (10..40).map(|i| format!("k{i}: 1\n")).collect();
    let lines = errors(schema, &file);
    assert_eq!(lines.len(), 21);
    assert_eq!(lines[19], "k29: unknown key     values.yaml:20");
    assert_eq!(lines[20], "and 10 more");
}

#[test]
fn a_long_problem_does_not_push_the_origins_away() {
    let schema = json!({"properties": {"a": {"maxLength": 1}, "b": {"pattern": "z".repeat(90)}}});
    let lines = errors(schema, "a: xx\nb: q\n");
    assert_eq!(lines[0], "a: \"xx\" is longer than 1 character     values.yaml:1");
    assert!(lines[1].ends_with("zzz     values.yaml:2"), "{}", lines[1]);
}

#[test]
fn an_invalid_schema_is_the_authors_fault() {
    let hint = "\n  hint: this is a fault of the bundle, not of your values";
    for (schema, expected) in [
        (
            json!({"properties": {"a": {"required": "x"}}}),
            "the values schema of bundle x is not valid at /properties/a/required: \"x\" is not of type \"array\"",
        ),
        (
            json!({"pattern": "("}),
            "the values schema of bundle x is not valid at /pattern: \"(\" is not a \"regex\"",
        ),
        (
            json!({"$ref": "https://example.com/x"}),
            "the values schema of bundle x is not valid: Resource 'https://example.com/x' is not present in a registry and retrieving it failed: Retrieval is disabled, cannot fetch https://example.com/x",
        ),
    ] {
        assert_eq!(check_schema(&schema, "bundle x").unwrap_err().to_string(), format!("{expected}{hint}"));
    }
}

/// Schemas of a few keywords over a few names.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        proptest::sample::select(vec!["string", "integer", "boolean", "object", "array"])
            .prop_map(|t| json!({"type": t})),
        Just(json!({"enum": ["s", 1]})),
        Just(json!({"minimum": 3, "maxLength": 0, "minItems": 1, "minProperties": 1})),
        Just(json!({"required": ["a"]})),
        Just(json!({"writeOnly": true, "const": 4})),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let names = proptest::sample::select(vec!["a", "b"]);
        prop_oneof![
            (proptest::collection::btree_map(names, inner.clone(), 0..3), inner.clone()).prop_map(
                |(properties, rest)| json!({"properties": properties, "additionalProperties": rest})
            ),
            (
                proptest::sample::select(vec!["anyOf", "oneOf", "allOf"]),
                proptest::collection::vec(inner.clone(), 1..4)
            )
                .prop_map(|(keyword, branches)| json!({keyword: branches})),
            (
                proptest::sample::select(vec![
                    "not",
                    "items",
                    "contains",
                    "propertyNames",
                    "unevaluatedProperties",
                    "unevaluatedItems"
                ]),
                inner.clone()
            )
                .prop_map(|(keyword, schema)| json!({keyword: schema})),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(i, t, e)| json!({"if": i, "then": t, "else": e})),
        ]
    })
}

fn any_tree() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(json!("s")), (0..5i64).prop_map(Value::from), any::<bool>().prop_map(Value::Bool)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map(proptest::sample::select(vec!["a", "b", "c"]), inner, 0..3)
                .prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn check_and_the_validator_agree(schema in any_schema(), tree in any_tree()) {
        let schema = json!({"properties": {"v": schema}});
        let values = values(json!({"v": tree}), "", &[]);
        let valid = jsonschema::draft202012::is_valid(&schema, &values.tree);
        let checked = check(&schema, &values, "x");
        prop_assert_eq!(checked.is_ok(), valid, "{:?}", checked);
    }

    #[test]
    fn masking_hides_all_that_is_secret_and_nothing_else(schema in any_schema(), tree in any_tree()) {
        let masked = mask(&schema, &tree);
        let found = secrets(&schema, &tree);
        let mut expected = tree.clone();
        for pointer in &found {
            *expected.pointer_mut(pointer).unwrap() = json!(MASK);
        }
        prop_assert_eq!(&masked, &expected);
        prop_assert_eq!(secrets(&schema, &masked), found);
    }
}
