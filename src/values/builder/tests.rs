//! How layers combine: examples, and the laws that upgrades rely on.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::error::Error;

fn no_files(_: &str) -> Result<String> {
    Err(Error::usage("no files in this test"))
}

fn defaults(tree: Value) -> Layer {
    Layer::defaults("prometheus", tree).unwrap()
}

fn file(path: &str, tree: &Value) -> Layer {
    Layer::file(path, &crate::yaml::to_string(tree)).unwrap()
}

fn with_user(base: Value, user: Value) -> Values {
    Values::builder().base(&defaults(base)).user(&file("v.yaml", &user)).build().0
}

#[test]
fn maps_merge_and_everything_else_replaces() {
    for (base, user, tree) in [
        (
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"c": 3, "d": 4}}),
            json!({"a": {"b": 1, "c": 3, "d": 4}}),
        ),
        (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
        (json!({"a": 1}), json!({"a": "x"}), json!({"a": "x"})),
        (json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {"b": 1}})),
        (json!({"a": {"b": 1}}), json!({"a": 1}), json!({"a": 1})),
        (json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
    ] {
        assert_eq!(with_user(base, user).tree, tree);
    }
}

#[test]
fn null_deletes_from_the_tree_and_stays_in_the_record() {
    for (base, user, tree) in [
        (json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2})),
        (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}}), json!({"a": {"c": 2}})),
        (json!({"a": {"b": 1}}), json!({"a": null}), json!({})),
        (json!({}), json!({"a": null, "b": {"c": null}}), json!({"b": {}})),
        (json!({"a": [1]}), json!({"a": [null, {"b": null}]}), json!({"a": [null, {"b": null}]})),
        (json!({"a": null}), json!({}), json!({"a": null})),
        (json!({"a": null}), json!({"a": 1}), json!({"a": 1})),
    ] {
        let values = with_user(base, user.clone());
        assert_eq!(values.tree, tree);
        assert_eq!(values.user, user);
    }
}

#[test]
fn a_later_file_can_bring_back_what_an_earlier_one_deleted() {
    let (values, _) = Values::builder()
        .base(&defaults(json!({"a": {"x": 1}})))
        .user(&file("1.yaml", &json!({"a": null})))
        .user(&file("2.yaml", &json!({"a": {"y": 2}})))
        .build();
    // As in Helm: files merge among themselves first.
    assert_eq!(values.tree, json!({"a": {"x": 1, "y": 2}}));
}

#[test]
fn a_profile_may_delete_a_default() {
    let profile = Layer::profile("small", "a: null\nb:\n  c: 3\n").unwrap();
    let base = defaults(json!({"a": 1, "b": {"c": 1, "d": null}}));
    let (values, _) = Values::builder().base(&base).base(&profile).build();
    assert_eq!(values.tree, json!({"b": {"c": 3, "d": null}}));
    assert_eq!(values.user, json!({}));
    assert_eq!(values.origin("/b/c").unwrap().to_string(), "profile small:3");
    assert_eq!(values.origin("/b/d").unwrap().to_string(), "defaults of bundle prometheus");
}

#[test]
fn every_value_knows_where_it_was_set() {
    let (values, _) = Values::builder()
        .base(&defaults(json!({"a": {"b": 1, "c": 2}, "list": [{"x": 1}, {"x": 2}], "gone": 1})))
        .user(&Layer::previous(4, json!({"old": 1})).unwrap())
        .user(&Layer::file("v.yaml", "a:\n  c: 3\np: {}\n").unwrap())
        .set(SetFlag::Set, "p.m=1,list[0].x=7,gone=null", &no_files)
        .unwrap()
        .build();
    assert_eq!(values.tree["list"], json!([{"x": 7}, {"x": 2}]));
    for (pointer, origin) in [
        ("/a/b", "defaults of bundle prometheus"),
        ("/a/c", "v.yaml:2"),
        ("/a", "v.yaml:1"),
        ("/a/missing/below", "v.yaml:1"),
        ("/old", "values of revision 4"),
        ("/p", "v.yaml:3"),
        ("/p/m", "--set p.m=1"),
        ("/list/0/x", "--set list[0].x=7"),
        ("/list/1/x", "defaults of bundle prometheus"),
        ("/gone", "--set gone=null"),
    ] {
        assert_eq!(values.origin(pointer).unwrap().to_string(), origin, "{pointer}");
    }
    assert_eq!(
        values.user,
        json!({"old": 1, "a": {"c": 3}, "p": {"m": 1}, "list": [{"x": 7}, {"x": 2}], "gone": null})
    );
}

#[test]
fn an_index_addresses_the_list_below() {
    let base = defaults(json!({"a": {"l": [1, 2, 3]}, "s": "x"}));
    for (user, text, tree) in [
        (json!({}), "a.l[1]=9", json!([1, 9, 3])),
        (json!({"a": {"l": [7]}}), "a.l[1]=9", json!([7, 9])),
        (json!({}), "a.l[4]=9", json!([1, 2, 3, null, 9])),
        (json!({}), "a.l={},a.l[0]=9", json!([9])),
    ] {
        let (values, _) = Values::builder()
            .base(&base)
            .user(&file("v.yaml", &user))
            .set(SetFlag::Set, text, &no_files)
            .unwrap()
            .build();
        assert_eq!(values.tree["a"]["l"], tree, "{text}");
    }
    let (values, _) = Values::builder().base(&base).set(SetFlag::Set, "s[0]=1", &no_files).unwrap().build();
    assert_eq!(values.tree["s"], json!([1]));
}

#[test]
fn flags_count_in_the_order_given() {
    let (values, _) = Values::builder()
        .set(SetFlag::String, "a=1", &no_files)
        .and_then(|b| b.set(SetFlag::Json, "a=2", &no_files))
        .and_then(|b| b.set(SetFlag::Set, "a=3", &no_files))
        .unwrap()
        .build();
    assert_eq!(values.tree, json!({"a": 3}));
}

#[test]
fn a_map_replaced_by_something_else_is_a_warning_without_the_value() {
    let (_, warnings) = Values::builder()
        .base(&defaults(json!({"a": {"b": 1}, "c": {"d": [1]}, "e": 5, "p": null, "m": {}})))
        .user(&Layer::file("v.yaml", "c:\n  d: {x: 1}\np: {}\nm: null\n").unwrap())
        .set(SetFlag::Set, "a=hunter2,e=x", &no_files)
        .unwrap()
        .build();
    assert_eq!(
        warnings,
        [
            "c.d: a list of the bundle is replaced by a map (v.yaml:2)",
            "a: a map of the bundle is replaced by a string (--set a=…)",
        ]
    );
}

/// Trees with few keys, so that they meet.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        3 => (0..5i64).prop_map(Value::from),
        1 => Just(json!("s")),
        1 => proptest::collection::vec((0..3i64).prop_map(Value::from), 0..3).prop_map(Value::Array),
    ];
    let key = proptest::sample::select(vec!["a", "b", "c", "a/b", "~"]);
    let map = move |inner: BoxedStrategy<Value>| {
        proptest::collection::vec((key.clone(), inner), 0..4).prop_map(|entries| {
            Value::Object(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
        })
    };
    let inner = leaf.prop_recursive(3, 24, 4, map.clone());
    map(inner.boxed())
}

/// Trees in which a name is either always a map or never one.
fn steady_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), (0..5i64).prop_map(Value::from), Just(json!([1]))];
    let leaves = proptest::collection::btree_map(proptest::sample::select(vec!["a", "b", "a/b"]), leaf, 0..3);
    let empty = leaves.clone().prop_map(|leaves| json!(leaves));
    empty.prop_recursive(3, 24, 4, move |inner| {
        let maps = proptest::collection::btree_map(proptest::sample::select(vec!["m", "w"]), inner, 0..3);
        (leaves.clone(), maps).prop_map(|(leaves, maps)| {
            let mut all = json!(leaves);
            for (name, map) in maps {
                all[name] = map;
            }
            all
        })
    })
}

fn no_nulls(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().all(no_nulls),
        other => !other.is_null(),
    }
}

fn leaves(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(value, &pointer::join(at, key), out);
            }
        }
        _ => out.push(at.to_owned()),
    }
}

proptest! {
    /// It cannot be where a map becomes a scalar and a map again: which of the three files forget
    /// the first map then depends on who is merged first. Helm's merge has the same exception.
    #[test]
    fn merging_files_is_associative(a in steady_tree(), b in steady_tree(), c in steady_tree()) {
        let merge = |x: &Value, y: &Value| {
            Values::builder().user(&file("x", x)).user(&file("y", y)).build().0.user
        };
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
    }

    #[test]
    fn recorded_user_values_give_the_same_tree_again(base in tree(), files in proptest::collection::vec(tree(), 0..3)) {
        let builder = Values::builder().base(&defaults(base.clone()));
        let (first, _) = files.iter().fold(builder, |b, f| b.user(&file("f", f))).build();
        let (again, _) = Values::builder()
            .base(&defaults(base))
            .user(&Layer::previous(1, first.user.clone()).unwrap())
            .build();
        prop_assert_eq!(&first.tree, &again.tree);
        prop_assert_eq!(&first.user, &again.user);
    }

    #[test]
    fn merging_twice_changes_nothing(base in tree(), user in tree()) {
        let once = with_user(base.clone(), user.clone());
        let (twice, _) = Values::builder()
            .base(&defaults(base)).user(&file("f", &user)).user(&file("f", &user)).build();
        prop_assert_eq!(once.tree, twice.tree);
    }

    #[test]
    fn no_null_of_a_user_reaches_the_tree(base in tree().prop_filter("nulls", no_nulls), user in tree()) {
        prop_assert!(no_nulls(&with_user(base, user).tree));
    }

    #[test]
    fn every_leaf_has_an_origin_and_it_is_the_right_layer(base in tree(), user in tree()) {
        let values = with_user(base.clone(), user.clone());
        let mut all = Vec::new();
        leaves(&values.tree, "", &mut all);
        for leaf in all {
            let origin = values.origins.get(&leaf);
            prop_assert!(origin.is_some(), "{leaf} has no origin of its own");
            let from_user = origin.is_some_and(|o| o.source.is_user());
            let layer = if from_user { &user } else { &base };
            let here = values.tree.pointer(&leaf);
            // A map that a null emptied is in its layer as a map.
            let same = layer.pointer(&leaf) == here
                || (here == Some(&json!({})) && layer.pointer(&leaf).is_some_and(Value::is_object));
            prop_assert!(same, "{leaf} is not as its layer says");
        }
    }

    #[test]
    fn what_set_writes_is_what_was_meant(
        key in "[a-z.=,\\[\\]\\\\ é]{1,6}",
        value in "[a-z0-9.,={}\\[\\]\\\\ é]{0,8}",
    ) {
        let escape = |s: &str| s.chars().flat_map(|c| ['\\', c]).collect::<String>();
        let text = format!("{}={}", escape(&key), escape(&value));
        let (values, _) = Values::builder().set(SetFlag::String, &text, &no_files).unwrap().build();
        prop_assert_eq!(values.tree, json!({key: value}));
    }

    #[test]
    fn a_dotted_path_is_a_name_for_set(keys in proptest::collection::vec("[a-z.=,\\[\\\\/~]{1,4}", 1..4)) {
        let pointer = keys.iter().fold(String::new(), |p, k| pointer::join(&p, k));
        let text = format!("{}=1", pointer::dotted(&pointer, &Value::Null));
        let (values, _) = Values::builder().set(SetFlag::Set, &text, &no_files).unwrap().build();
        prop_assert_eq!(values.tree.pointer(&pointer), Some(&json!(1)));
    }

    #[test]
    fn no_argument_makes_set_panic(text in "[ab0-9.=,{}\\[\\]\\\\\" é]{0,24}", flag in 0..5usize) {
        let flag = [SetFlag::Set, SetFlag::String, SetFlag::File, SetFlag::Json, SetFlag::Literal][flag];
        let read = |path: &str| Ok(path.to_owned());
        let _ = Values::builder().set(flag, &text, &read);
    }
}
