//! From text or a tree to a [`Layer`]: every key with the place where it was set.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Layer, Origin, Pointer, Source, pointer, type_word};
use crate::error::{Error, Result};
use crate::yaml;

impl Layer {
    /// `values.yaml` of a bundle. The error is its author's fault.
    pub fn defaults(bundle: &str, tree: Value) -> Result<Self> {
        let source = Source::Defaults { bundle: bundle.to_owned() };
        Self::without_lines(source, tree)
            .map_err(|e| e.hint("this is a fault of the bundle, not of your values"))
    }

    /// A profile of the bundle, as YAML.
    pub fn profile(name: &str, text: &str) -> Result<Self> {
        Self::from_text(Source::Profile { name: name.to_owned() }, text)
    }

    /// The user values that an earlier revision recorded.
    pub fn previous(revision: u32, tree: Value) -> Result<Self> {
        Self::without_lines(Source::Previous { revision }, tree)
    }

    /// `-f FILE`: the path as typed and the file's content.
    pub fn file(path: &str, text: &str) -> Result<Self> {
        Self::from_text(Source::File { path: path.to_owned() }, text)
    }

    fn from_text(source: Source, text: &str) -> Result<Self> {
        let (tree, lines) = yaml::parse_with_lines(text).map_err(|e| {
            let place = Origin { line: e.line, ..Origin::of(source.clone()) };
            Error::usage(format!("{place}: {}", e.message))
        })?;
        let tree = object(&source, tree)?;
        let mut origins = BTreeMap::new();
        fill(&mut origins, "", &tree, &Origin::of(source.clone()));
        for (pointer, yaml::Place { line, typed }) in lines {
            origins.insert(pointer, Origin { source: source.clone(), line: Some(line), typed });
        }
        inherit_lines(&mut origins);
        Ok(Self { tree, origins })
    }

    fn without_lines(source: Source, tree: Value) -> Result<Self> {
        let tree = object(&source, tree)?;
        let mut origins = BTreeMap::new();
        fill(&mut origins, "", &tree, &Origin::of(source));
        Ok(Self { tree, origins })
    }
}

fn object(source: &Source, tree: Value) -> Result<Value> {
    match tree {
        Value::Object(_) if !pointer::fit(&tree) => {
            let place = Origin::of(source.clone());
            Err(Error::usage(format!("{place}: keys this long stand above too many values")))
        }
        Value::Object(_) => Ok(tree),
        Value::Null => Ok(Value::Object(Map::new())),
        other => {
            let place = Origin::of(source.clone());
            Err(Error::usage(format!("{place}: expected a map of values, got {}", type_word(&other))))
        }
    }
}

/// Gives `value` and everything below it one origin.
pub(super) fn fill(origins: &mut BTreeMap<Pointer, Origin>, at: &str, value: &Value, origin: &Origin) {
    origins.insert(at.to_owned(), origin.clone());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                fill(origins, &pointer::join(at, &index.to_string()), item, origin);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                fill(origins, &pointer::join(at, key), value, origin);
            }
        }
        _ => {}
    }
}

/// What an alias brought in has no line of its own: it gets the alias's.
fn inherit_lines(origins: &mut BTreeMap<Pointer, Origin>) {
    let without: Vec<Pointer> = origins
        .iter()
        .filter(|(pointer, origin)| origin.line.is_none() && !pointer.is_empty())
        .map(|(pointer, _)| pointer.clone())
        .collect();
    // In order, so that a parent has its line before its children look for it.
    for pointer in without {
        let line = pointer::parent(&pointer).and_then(|parent| origins.get(parent)?.line);
        if let Some(origin) = origins.get_mut(&pointer) {
            origin.line = line;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_of_a_file_has_its_line() {
        let layer = Layer::file("v.yaml", "a: &a\n  b: [1]\nc: *a\n").unwrap();
        assert_eq!(layer.tree, json!({"a": {"b": [1]}, "c": {"b": [1]}}));
        let origin = |p: &str| layer.origins[p].to_string();
        assert_eq!(origin("/a/b/0"), "v.yaml:2");
        assert_eq!(origin("/c"), "v.yaml:3");
        assert_eq!(origin("/c/b/0"), "v.yaml:3");
        assert_eq!(origin(""), "v.yaml");
    }

    #[test]
    fn a_long_key_is_not_copied_for_every_value_below_it() {
        let (key, items) = ("k".repeat(1 << 20), vec![1; 10_000]);
        let told = "keys this long stand above too many values";
        let file = format!("? {key}\n: {items:?}\n");
        assert_eq!(Layer::file("v.yaml", &file).unwrap_err().message(), format!("v.yaml:2: {told}"));
        let error = Layer::previous(3, json!({ key: items })).unwrap_err();
        assert_eq!(error.message(), format!("values of revision 3: {told}"));
    }

    #[test]
    fn a_key_that_replaces_merged_ones_costs_what_stands_below_it() {
        let many: String = (0..30_000).map(|i| format!("k{i}: {{x: 1}}, ")).collect();
        let file = format!("a: &a {{{many}}}\nb: {{<<: *a, {many}}}\n");
        let begun = std::time::Instant::now();
        assert_eq!(Layer::file("v.yaml", &file).unwrap().tree["b"]["k7"]["x"], 1);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_empty_file_is_an_empty_layer() {
        assert_eq!(Layer::file("v.yaml", "# nothing\n").unwrap().tree, json!({}));
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, message) in [
            ("a: 1\nb: [\n", "v.yaml:2: unclosed bracket '['"),
            ("a: 1\na: 2\n", "v.yaml:2: key a is already set on line 1"),
            ("- a\n", "v.yaml: expected a map of values, got a list"),
            ("just text", "v.yaml: expected a map of values, got a string"),
        ] {
            assert_eq!(Layer::file("v.yaml", text).unwrap_err().to_string(), message);
        }
        assert_eq!(
            Layer::profile("small", "a: *x").unwrap_err().to_string(),
            "profile small:1: while parsing node, found unknown anchor"
        );
        assert_eq!(
            Layer::defaults("loki", json!([])).unwrap_err().to_string(),
            "defaults of bundle loki: expected a map of values, got a list\n  hint: this is a fault of the bundle, not of your values"
        );
    }
}
