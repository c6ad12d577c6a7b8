//! Values that templates use but nobody declares, and defaults that nobody uses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Severity};
use crate::render::Engine;
use crate::values::pointer;
use crate::yaml;

/// Compares `values.…` in templates and expressions with values.yaml and the schema.
pub fn check(findings: &mut Findings, engine: &Engine) {
    let bundle = findings.bundle;
    let mut used: BTreeSet<Vec<String>> = BTreeSet::new();
    for (path, names) in engine.used_names() {
        for name in names.iter().filter_map(|name| split(name)) {
            if let Some(missing) = undeclared(&name, bundle.effective_defaults(), bundle.effective_schema()) {
                let text = bundle.text(&path).unwrap_or_default();
                let shown = format!("values.{}", name.join("."));
                let line =
                    text.lines().zip(1..).find(|(line, _)| line.contains(&shown)).map(|(_, number)| number);
                let message = format!("{shown} is used, but values.yaml and the schema have no {missing}");
                findings.add(Severity::Error, &path, line, message);
            }
            used.insert(name);
        }
    }
    for name in engine.names_in(&bundle.meta().expressions()).iter().filter_map(|name| split(name)) {
        used.insert(name);
    }
    // `values` as a whole: everything is used
    if used.iter().any(Vec::is_empty) {
        return;
    }
    let lines = yaml::parse_with_lines(bundle.text("values.yaml").unwrap_or_default());
    let lines = lines.map(|(_, lines)| lines).unwrap_or_default();
    unused(bundle.defaults(), &mut Vec::new(), &used, &mut |path| {
        let mounted = bundle.mounts().iter().any(|mount| {
            let mount: Vec<&str> = mount.pointer.split('/').skip(1).collect();
            mount.iter().zip(path).all(|(a, b)| a == b)
        });
        if !mounted && path[0] != "global" {
            let at = path.iter().fold(String::new(), |at, key| pointer::join(&at, key));
            let line = lines.get(&at).map(|place| place.line);
            let message = format!("{} is not used by any template", path.join("."));
            findings.add(Severity::Warning, "values.yaml", line, message);
        }
    });
}

/// `values.a.b` → [a, b]; other variables → None.
fn split(name: &str) -> Option<Vec<String>> {
    let mut parts = name.split('.');
    (parts.next()? == "values").then(|| parts.map(str::to_owned).collect())
}

/// The first part of a name that neither the defaults nor the schema know.
fn undeclared(name: &[String], defaults: &Value, schema: Option<&Value>) -> Option<String> {
    let (mut value, mut shape) = (Some(defaults), schema);
    for (i, part) in name.iter().enumerate() {
        value = value.and_then(|v| v.get(part));
        let named = shape.and_then(|s| s.get("properties")).and_then(|p| p.get(part));
        // what the schema leaves open, or says in another way, may have any key
        let open = shape.is_some_and(|s| {
            let other = ["$ref", "patternProperties", "anyOf", "oneOf", "allOf", "if"]
                .iter()
                .any(|key| s.get(key).is_some());
            let rest = s.get("additionalProperties");
            other
                || rest.is_some_and(Value::is_object)
                || (named.is_none() && rest.is_none_or(|r| *r == true))
        });
        if named.is_none() && open {
            return None;
        }
        // a method (`.items()`) or an item of a list
        if value.is_none() && named.is_none() {
            return Some(name[..=i].join("."));
        }
        shape = named;
        if value.is_some_and(|v| !v.is_object()) && named.is_none_or(|s| s.get("properties").is_none()) {
            return None;
        }
        if value.is_some_and(|v| v.as_object().is_some_and(serde_json::Map::is_empty)) && schema.is_none() {
            return None;
        }
    }
    None
}

/// Reports the topmost defaults that are neither used nor part of something used.
fn unused(
    value: &Value,
    path: &mut Vec<String>,
    used: &BTreeSet<Vec<String>>,
    report: &mut dyn FnMut(&[String]),
) {
    let Value::Object(map) = value else { return };
    for (key, child) in map {
        path.push(key.clone());
        let whole = used.iter().any(|name| path.starts_with(name));
        let inside = used.iter().any(|name| name.starts_with(path));
        if !whole {
            if inside { unused(child, path, used, report) } else { report(path) }
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn undeclared_names() {
        let defaults = json!({"a": {"b": 1, "empty": {}}, "list": []});
        let schema = json!({"additionalProperties": false, "properties": {
            "a": {"additionalProperties": false, "properties": {"b": {}, "c": {"type": "string"}, "empty": {"type": "object"}}},
            "list": {},
        }});
        for (name, missing) in [
            ("a.b", None),
            ("a.c", None),
            ("a.d", Some("a.d")),
            ("x", Some("x")),
            ("a.empty.any", None),
            ("list.length", None),
        ] {
            let name = split(&format!("values.{name}")).unwrap();
            assert_eq!(undeclared(&name, &defaults, Some(&schema)).as_deref(), missing, "{name:?}");
        }
        assert_eq!(undeclared(&["x".into()], &defaults, None).as_deref(), Some("x"));
    }

    #[test]
    fn unused_defaults_are_reported_at_the_top() {
        let used = ["a.b", "list"].iter().map(|n| n.split('.').map(str::to_owned).collect()).collect();
        let mut found = Vec::new();
        let defaults = json!({"a": {"b": {"x": 1}, "c": 1}, "list": [], "z": {"deep": 1}});
        unused(&defaults, &mut Vec::new(), &used, &mut |path| found.push(path.join(".")));
        assert_eq!(found, ["a.c", "z"]);
    }
}
