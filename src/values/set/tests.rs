//! The expected results were taken from helm.sh/helm/v4/pkg/strvals (commit e9b85e4), with which
//! 200,000 random arguments were compared as well. Where Helm silently drops an assignment, the
//! table has what we give instead.

use serde_json::{Value, json};

use super::super::{Layer, Values};
use super::*;
use crate::error::{Error, Result};

fn read(path: &str) -> Result<String> {
    match path {
        "missing" => Err(Error::usage("cannot read missing: no such file")),
        _ => Ok(format!("content of {path}")),
    }
}

/// The user's values after one flag over `user`.
fn set_over(user: Value, flag: SetFlag, text: &str) -> Result<Value> {
    let layer = Layer::previous(1, user)?;
    Ok(Values::builder().user(&layer).set(flag, text, &read)?.build().0.user)
}

fn assert_set(flag: SetFlag, table: &[(&str, Value)]) {
    for (text, expected) in table {
        match set_over(json!({}), flag, text) {
            Ok(user) => assert_eq!(&user, expected, "{} {text}", flag.name()),
            Err(e) => panic!("{} {text}: {e}", flag.name()),
        }
    }
}

#[test]
fn set() {
    assert_set(
        SetFlag::Set,
        &[
            ("", json!({})),
            ("a=b", json!({"a": "b"})),
            ("a=b,c=d", json!({"a": "b", "c": "d"})),
            ("a=b,", json!({"a": "b"})),
            ("a=", json!({"a": ""})),
            ("a=,b=1", json!({"a": "", "b": 1})),
            ("a=1, b=2", json!({"a": 1, " b": 2})),
            ("a= x ,b=y", json!({"a": " x ", "b": "y"})),
            ("a=b=c", json!({"a": "b=c"})),
            (r"a=b\,c", json!({"a": "b,c"})),
            (r"a\.b=c", json!({"a.b": "c"})),
            (r"a\=b=c", json!({"a=b": "c"})),
            (r"a\,b=c", json!({"a,b": "c"})),
            (r"a\[0\]=c", json!({"a[0]": "c"})),
            (r"a\\=c", json!({r"a\": "c"})),
            (r"a=b\\c", json!({"a": r"b\c"})),
            (r"a=b\", json!({"a": "b"})),
            (r"a.kubernetes\.io/x=y", json!({"a": {"kubernetes.io/x": "y"}})),
            ("a]=1", json!({"a]": 1})),
            ("a{=1", json!({"a{": 1})),
            ("a=x{y", json!({"a": "x{y"})),
            // types
            ("a=true,b=FALSE,c=True", json!({"a": true, "b": false, "c": true})),
            ("a=null,b=NULL,c.d=null", json!({"a": null, "b": null, "c": {"d": null}})),
            ("a=1,b=-1,c=+5,d=-05,e=-0", json!({"a": 1, "b": -1, "c": 5, "d": -5, "e": 0})),
            ("a=0,b=007,c=0x1f,d=0.5", json!({"a": 0, "b": "007", "c": "0x1f", "d": "0.5"})),
            ("a=1.5,b=1e3,c=1_000,d=1Gi", json!({"a": "1.5", "b": "1e3", "c": "1_000", "d": "1Gi"})),
            ("a=9223372036854775807", json!({"a": i64::MAX})),
            ("a=9223372036854775808", json!({"a": "9223372036854775808"})),
            ("a=yes,b=on,c=~", json!({"a": "yes", "b": "on", "c": "~"})),
            // lists
            ("a={x,y}", json!({"a": ["x", "y"]})),
            ("a={x,y},b=1", json!({"a": ["x", "y"], "b": 1})),
            ("a={x}b=1", json!({"a": ["x"], "b": 1})),
            ("a={}", json!({"a": []})),
            ("a=[],b={},c[0]=[]", json!({"a": [], "b": [], "c": [[]]})),
            ("a={,}", json!({"a": ["", ""]})),
            ("a=[]x,b=[ ]", json!({"a": "[]x", "b": "[ ]"})),
            (r"a={1,true,null,x\,y,1.5}", json!({"a": [1, true, null, "x,y", "1.5"]})),
            ("a={ x, y}", json!({"a": [" x", " y"]})),
            (r"a={x\}}", json!({"a": ["x}"]})),
            // names
            ("a.b.c=1,a.b.d=2", json!({"a": {"b": {"c": 1, "d": 2}}})),
            ("a=1,a=2", json!({"a": 2})),
            ("a.b=1,a={x}", json!({"a": ["x"]})),
            ("a[0]=x", json!({"a": ["x"]})),
            ("a[0]=", json!({"a": [""]})),
            ("a[1]=x", json!({"a": [null, "x"]})),
            ("a[+1]=x", json!({"a": [null, "x"]})),
            ("a[0].b=1,a[0].c=2,a[2]=x", json!({"a": [{"b": 1, "c": 2}, null, "x"]})),
            ("a[1].b=1,a[0].b=2", json!({"a": [{"b": 2}, {"b": 1}]})),
            ("a[0].b[1].c=x", json!({"a": [{"b": [null, {"c": "x"}]}]})),
            ("a[0][1]=2,a[0][0]=null", json!({"a": [[null, 2]]})),
            ("a[0]={x,y}", json!({"a": [["x", "y"]]})),
            ("a[0]=1,a[0].b=2", json!({"a": [{"b": 2}]})),
            ("a[1]=x,a[0][0]=y", json!({"a": [["y"], "x"]})),
            ("a[0]=null,a[0].b=1", json!({"a": [{"b": 1}]})),
            // Helm loses the empty string, but only at the end of the argument: {"a": []}
            ("a[0].b=", json!({"a": [{"b": ""}]})),
        ],
    );
    let deep = "a.".repeat(30) + "a=1";
    assert!(set_over(json!({}), SetFlag::Set, &deep).is_ok());
    let list = set_over(json!({}), SetFlag::Set, "a[65536]=x").unwrap();
    assert_eq!(list["a"].as_array().map(Vec::len), Some(65_537));
}

#[test]
fn set_string() {
    assert_set(
        SetFlag::String,
        &[
            ("a=1,b=true,c=null,d=", json!({"a": "1", "b": "true", "c": "null", "d": ""})),
            ("a={1,null}", json!({"a": ["1", "null"]})),
            ("a[0].b=1", json!({"a": [{"b": "1"}]})),
            (r"a=1\,2", json!({"a": "1,2"})),
        ],
    );
}

#[test]
fn set_file() {
    assert_set(
        SetFlag::File,
        &[
            ("a=x", json!({"a": "content of x"})),
            (
                "a=x,b={p,q},c[0]=r,d=",
                json!({"a": "content of x", "b": ["content of p", "content of q"], "c": ["content of r"], "d": ""}),
            ),
            (r"a=x\,y", json!({"a": "content of x,y"})),
        ],
    );
}

#[test]
fn set_json() {
    assert_set(
        SetFlag::Json,
        &[
            ("a=1,b=\"x\"", json!({"a": 1, "b": "x"})),
            ("a=", json!({"a": null})),
            ("a=,b= ,c=null", json!({"a": null, "b": null, "c": null})),
            ("a={\"b\":1},c=[1,\"x,y\"]", json!({"a": {"b": 1}, "c": [1, "x,y"]})),
            ("a=1 , b=2", json!({"a": 1, " b": 2})),
            ("a=1 b=2", json!({"a": 1, "b": 2})),
            ("a[0]={\"b\":1},a[1].c=\"x\"", json!({"a": [{"b": 1}, {"c": "x"}]})),
            ("a.b=[{\"c\":[]}]", json!({"a": {"b": [{"c": []}]}})),
            ("a=0.5", json!({"a": 0.5})),
            ("{\"a\":{\"b\":1},\"c\":null}", json!({"a": {"b": 1}, "c": null})),
            (" {\"a\":1} ", json!({"a": 1})),
        ],
    );
    let merged = set_over(json!({"a": {"x": 1}, "b": 2}), SetFlag::Json, "{\"a\":{\"y\":2}}").unwrap();
    assert_eq!(merged, json!({"a": {"x": 1, "y": 2}, "b": 2}));
    let replaced = set_over(json!({"a": {"x": 1}}), SetFlag::Json, "a={\"y\":2}").unwrap();
    assert_eq!(replaced, json!({"a": {"y": 2}}));
}

#[test]
fn set_literal() {
    assert_set(
        SetFlag::Literal,
        &[
            ("a=b,c=d", json!({"a": "b,c=d"})),
            (r"a.b[0].c=x=y\,{z}", json!({"a": {"b": [{"c": r"x=y\,{z}"}]}})),
            (r"a\.b=c", json!({r"a\": {"b": "c"}})),
            ("a=", json!({"a": ""})),
            ("a,b=c", json!({"a,b": "c"})),
            ("a=null", json!({"a": "null"})),
        ],
    );
}

#[test]
fn errors_say_where_and_never_quote_a_value() {
    use SetFlag::{File, Json, Literal, Set, String};
    let comma_hint = r"hint: write \, for a comma inside a value: --set 'NAME=a\,b'";
    let deep = "a.".repeat(31) + "a=1";
    let nested = format!("a{}=1", "[0]".repeat(100));
    let table: &[(SetFlag, &str, std::string::String)] = &[
        (Set, "a", "--set a: there is no =\n  hint: write --set NAME=VALUE".into()),
        (Set, "a.b", "--set a.b: there is no =\n  hint: write --set NAME=VALUE".into()),
        (String, "a", "--set-string a: there is no =\n  hint: write --set-string NAME=VALUE".into()),
        (Literal, "a", "--set-literal a: there is no =\n  hint: write --set-literal NAME=VALUE".into()),
        (Set, "a,b=1", "--set a,b=…: there is no =\n  hint: write --set NAME=VALUE".into()),
        (
            Set,
            "p=hunter,2",
            format!("--set p=…: what follows at character 10 is no NAME=VALUE\n  {comma_hint}"),
        ),
        (Set, "a=1,,b=2", format!("--set a=…: what follows at character 5 is no NAME=VALUE\n  {comma_hint}")),
        (Set, "a={x}y", format!("--set a=…: what follows at character 6 is no NAME=VALUE\n  {comma_hint}")),
        (Json, "a=1x", "--set-json a=…: the value at character 3 is not JSON: trailing characters".into()),
        (Json, "a=x", "--set-json a=…: the value at character 3 is not JSON: expected value".into()),
        (Json, "{\"a\":", "--set-json {…}: the object is not JSON: EOF while parsing a value".into()),
        (Set, "a={x", "--set a=…: the list at character 3 has no closing }".into()),
        (Set, "a[x]=1", "--set a[x]=…: the index at character 3 is not a number from 0 to 65536".into()),
        (Set, "a[-1]=1", "--set a[-1]=…: the index at character 3 is not a number from 0 to 65536".into()),
        (Set, "a[]=1", "--set a[]=…: the index at character 3 is not a number from 0 to 65536".into()),
        (
            Set,
            "a[65537]=1",
            "--set a[65537]=…: the index at character 3 is not a number from 0 to 65536".into(),
        ),
        (Set, "a[0]b=1", "--set a[0]b=…: expected =, . or [ after the index, at character 5".into()),
        (Set, &deep, format!("--set {}a=…: more than 30 dots in a name", "a.".repeat(31))),
        (Set, &nested, format!("--set a{}=…: more than 64 levels in a name", "[0]".repeat(100))),
        (File, "a=missing", "--set-file a=…: cannot read missing: no such file".into()),
        // Helm sets or drops something here without a word.
        (Set, "=1", "--set =…: the name at character 1 is empty".into()),
        (Set, ".a=1", "--set .a=…: the name at character 1 is empty".into()),
        (Set, "a..b=1", "--set a..b=…: the name at character 3 is empty".into()),
        (Set, "a.=1", "--set a.=…: the name at character 3 is empty".into()),
        (Set, "[0]=1", "--set [0]=…: the name at character 1 is empty".into()),
        (Set, "a.[0]=1", "--set a.[0]=…: the name at character 3 is empty".into()),
        (Set, "a.", "--set a.: there is no =\n  hint: write --set NAME=VALUE".into()),
        (Set, "a[0]", "--set a[0]: there is no =\n  hint: write --set NAME=VALUE".into()),
        (Set, "a[", "--set a[: the index at character 3 has no closing ]".into()),
        (Set, "a[0][=1", "--set a[0][=…: the index at character 6 has no closing ]".into()),
        (Set, "a\nb", "--set a\\nb: there is no =\n  hint: write --set NAME=VALUE".into()),
    ];
    for (flag, text, expected) in table {
        let error = set_over(json!({}), *flag, text).unwrap_err();
        assert_eq!(&error.to_string(), expected, "{} {text}", flag.name());
        assert_eq!(error.exit().code(), 2);
    }
}

#[test]
fn a_name_does_not_lead_through_a_scalar() {
    let hint = "nothing can be set below it\n  hint: remove one of the two settings";
    for (user, text, expected) in [
        (json!({"a": 1}), "a.b=2", format!("--set a.b=…: a is a number (values of revision 1), {hint}")),
        (json!({"a": null}), "a.b=2", format!("--set a.b=…: a is null (values of revision 1), {hint}")),
        (json!({"a": "x"}), "a[0]=2", format!("--set a[0]=…: a is a string (values of revision 1), {hint}")),
        (json!({"a": {}}), "a[0]=2", format!("--set a[0]=…: a is a map (values of revision 1), {hint}")),
        (json!({"a": []}), "a.b=2", format!("--set a.b=…: a is a list (values of revision 1), {hint}")),
        (
            json!({"a": [1]}),
            "a[0][1]=2",
            format!("--set a[0][1]=…: a[0] is a number (values of revision 1), {hint}"),
        ),
        (json!({}), "a=hunter2,a.b=3", format!("--set a.b=…: a is a string (--set a=…), {hint}")),
    ] {
        assert_eq!(set_over(user, SetFlag::Set, text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_text_of_an_assignment_shows_no_list_and_no_content() {
    let texts = |flag, text| -> Vec<String> {
        parse(flag, text, &read).unwrap().into_iter().map(|a| a.text).collect()
    };
    assert_eq!(
        texts(SetFlag::Set, r"a=1,b.c=x\,y,d={p,q},e="),
        ["--set a=1", r"--set b.c=x\,y", "--set d=…", "--set e="]
    );
    assert_eq!(texts(SetFlag::Set, r"a=x\,"), [r"--set a=x\,"]);
    assert_eq!(texts(SetFlag::File, "a=key.pem,b=x"), ["--set-file a=key.pem", "--set-file b=x"]);
    assert_eq!(texts(SetFlag::Json, "a=\"x\" , b={\"c\":1}"), ["--set-json a=\"x\" ", "--set-json  b=…"]);
    assert_eq!(texts(SetFlag::Json, "{\"a\":1}"), ["--set-json {…}"]);
    assert_eq!(texts(SetFlag::Literal, "a=x,"), ["--set-literal a=x,"]);
    assert_eq!(masked(r"--set a\=b=c"), r"--set a\=b=…");
    assert_eq!(masked(r"--set-literal a\=b=c"), r"--set-literal a\=…");
    assert_eq!(masked("--set a="), "--set a=");
}
