//! Values of an earlier version in the words of a later one. A bundle names the keys that it
//! renamed or removed (`migrations`); they are applied to the user values that a release recorded,
//! so that an upgrade does not fail over keys that were right when they were written. What a person
//! types now is not touched: it must be right now.

use std::fmt;

use semver::Version;
use serde_json::{Map, Value};

use crate::bundle::Migration;

/// A key that was carried over, for the person whose key it is. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The old key, with dots.
    pub old: String,
    /// The new key; None when it was removed.
    pub new: Option<String>,
    /// The version of the bundle that changed it.
    pub version: Version,
    /// Is the new key (or, of a map, a part of it) set as well? It counts then.
    pub already_set: bool,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, version, .. } = self;
        match &self.new {
            None => write!(f, "{old}: removed in version {version}; your value was dropped"),
            Some(new) if self.already_set => {
                write!(f, "{old}: called {new} since version {version}; what you set there counts")
            }
            Some(new) => write!(f, "{old}: called {new} since version {version}; your value was moved"),
        }
    }
}

/// Applies the migrations of all versions after `from` and up to `to`, the oldest first. Renames of
/// one version happen at once, so that two keys can change places; then removals. What is set at a
/// new place stays. A way back (`to` before `from`) changes nothing.
pub fn migrate(
    values: &Value,
    migrations: &[Migration],
    from: &Version,
    to: &Version,
) -> (Value, Vec<Warning>) {
    let mut due: Vec<&Migration> =
        migrations.iter().filter(|step| *from < step.version && step.version <= *to).collect();
    due.sort_by(|a, b| a.version.cmp(&b.version));
    let (mut values, mut warnings) = (values.clone(), Vec::new());
    for step in due {
        let warning = |old: &str, new: Option<&String>, already_set| Warning {
            old: old.to_owned(),
            new: new.cloned(),
            version: step.version.clone(),
            already_set,
        };
        let taken: Vec<_> = step
            .rename
            .iter()
            .filter_map(|(old, new)| Some((old, new, take(&mut values, &keys(old))?)))
            .collect();
        for (old, new, value) in taken {
            let complete = put(&mut values, &keys(new), value);
            warnings.push(warning(old, Some(new), !complete));
        }
        for old in &step.remove {
            if take(&mut values, &keys(old)).is_some() {
                warnings.push(warning(old, None, false));
            }
        }
    }
    (values, warnings)
}

/// The keys of a path. A dot that belongs to a key has a backslash before it, as for `--set`.
fn keys(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '.' => {
                keys.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or(c),
            c => c,
        };
        if let Some(key) = keys.last_mut() {
            key.push(c);
        }
    }
    keys
}

/// Takes a value out, and the maps around it that are empty then: their keys may be unknown by now.
fn take(tree: &mut Value, keys: &[String]) -> Option<Value> {
    let map = tree.as_object_mut()?;
    let (key, rest) = keys.split_first()?;
    if rest.is_empty() {
        return map.shift_remove(key);
    }
    let below = map.get_mut(key)?;
    let taken = take(below, rest)?;
    if below.as_object().is_some_and(Map::is_empty) {
        map.shift_remove(key);
    }
    Some(taken)
}

/// Puts a value where nothing is. False if something of it found its place taken.
fn put(tree: &mut Value, keys: &[String], value: Value) -> bool {
    let Some((key, rest)) = keys.split_first() else { return fill(tree, value) };
    match tree.as_object_mut() {
        Some(map) => {
            // a map is made only where something goes into it
            let below = map.entry(key.clone()).or_insert_with(|| match rest {
                [] => value.clone(),
                _ => Value::Object(Map::new()),
            });
            if rest.is_empty() { *below == value || fill(below, value) } else { put(below, rest, value) }
        }
        None => false,
    }
}

/// Adds to a map what it does not have.
fn fill(place: &mut Value, value: Value) -> bool {
    match (place, value) {
        (Value::Object(map), Value::Object(more)) => {
            let mut complete = true;
            for (key, value) in more {
                match map.get_mut(&key) {
                    Some(present) => complete &= fill(present, value),
                    None => {
                        map.insert(key, value);
                    }
                }
            }
            complete
        }
        (present, value) => *present == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(version: &str, rename: &[(&str, &str)], remove: &[&str]) -> Migration {
        Migration {
            version: version.parse().unwrap(),
            rename: rename.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect(),
            remove: remove.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    fn migrated(values: &Value, steps: &[Migration]) -> (Value, Vec<String>) {
        let (values, warnings) = migrate(values, steps, &Version::new(1, 0, 0), &Version::new(2, 0, 0));
        (values, warnings.iter().map(Warning::to_string).collect())
    }

    #[test]
    fn keys_move_with_all_that_is_below() {
        let table = [
            // (values, rename, remove, result, warnings)
            (json!({"a": {"b": 1}}), vec![("a.b", "c.d")], vec![], json!({"c": {"d": 1}}), 1),
            (
                json!({"a": {"b": {"x": [1]}, "k": 2}}),
                vec![("a.b", "b")],
                vec![],
                json!({"a": {"k": 2}, "b": {"x": [1]}}),
                1,
            ),
            (json!({"x": 1}), vec![("a", "b"), ("a.b", "c")], vec!["d", "x.y"], json!({"x": 1}), 0),
            (json!({"a": 1, "b": 2}), vec![("a", "b"), ("b", "a")], vec![], json!({"a": 2, "b": 1}), 2),
            (json!({"a": 1, "b": 2}), vec![("a", "b"), ("b", "c")], vec![], json!({"b": 1, "c": 2}), 2),
            (json!({"a": {"x": 1}}), vec![("a", "a.b")], vec![], json!({"a": {"b": {"x": 1}}}), 1),
            (json!({"a": null}), vec![("a", "b")], vec![], json!({"b": null}), 1),
            (json!({"a": {"b": {"c": 1}}, "k": 1}), vec![], vec!["a.b.c"], json!({"k": 1}), 1),
            (
                json!({"a.b": 1, "a": {"b": 2}}),
                vec![(r"a\.b", "c")],
                vec![],
                json!({"a": {"b": 2}, "c": 1}),
                1,
            ),
        ];
        for (values, rename, remove, result, warnings) in table {
            let (got, said) = migrated(&values, &[step("1.1.0", &rename, &remove)]);
            assert_eq!((got, said.len()), (result, warnings), "{values} {rename:?} {remove:?}");
        }
    }

    #[test]
    fn what_is_set_at_the_new_place_stays() {
        for (values, result) in [
            (
                json!({"old": {"a": 1, "b": {"c": 1}}, "new": {"b": {"d": 2}}}),
                json!({"new": {"b": {"d": 2, "c": 1}, "a": 1}}),
            ),
            (json!({"old": {"a": 1}, "new": {"a": 2}}), json!({"new": {"a": 2}})),
            (json!({"old": 1, "new": null}), json!({"new": null})),
            (json!({"old": {"a": 1}, "new": "text"}), json!({"new": "text"})),
        ] {
            assert_eq!(migrated(&values, &[step("1.1.0", &[("old", "new")], &[])]).0, result, "{values}");
        }
        // a way that is blocked by something that is not a map
        let (values, said) = migrated(&json!({"a": 1, "b": 2}), &[step("1.1.0", &[("a", "b.c")], &[])]);
        assert_eq!(values, json!({"b": 2}));
        assert_eq!(said, ["a: called b.c since version 1.1.0; what you set there counts"]);
    }

    #[test]
    fn only_versions_on_the_way_count_and_the_oldest_first() {
        let steps = [
            step("2.0.0", &[("b", "c")], &[]),
            step("1.0.0", &[("c", "wrong")], &[]),
            step("1.5.0", &[("a", "b")], &[]),
            step("2.0.1", &[("c", "wrong")], &[]),
        ];
        let (values, said) = migrated(&json!({"a": 1}), &steps);
        assert_eq!(values, json!({"c": 1}));
        assert_eq!(
            said,
            [
                "a: called b since version 1.5.0; your value was moved",
                "b: called c since version 2.0.0; your value was moved"
            ]
        );
        let back = migrate(&json!({"c": 1}), &steps, &Version::new(2, 0, 0), &Version::new(1, 0, 0));
        assert_eq!(back, (json!({"c": 1}), vec![]));
    }

    #[test]
    fn a_warning_names_keys_and_never_a_value() {
        let (values, said) = migrated(&json!({"password": "hunter2"}), &[step("1.1.0", &[], &["password"])]);
        assert_eq!(values, json!({}));
        assert_eq!(said, ["password: removed in version 1.1.0; your value was dropped"]);
    }
}
