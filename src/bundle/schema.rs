//! An umbrella's schema names its components' schemas with `{"$ref": "bundle:<component>"}`. This
//! puts the component's schema in that place, and its defaults below the umbrella's, so that users
//! see one tree of values with one schema.

use serde_json::{Map, Value, json};

use super::{Bundle, suggest};
use crate::Result;
use crate::bundle::document::Document;
use crate::values::pointer;

/// A place of an umbrella's values that belongs to a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// RFC 6901 pointer into the values.
    pub pointer: String,
    /// The component.
    pub component: String,
    /// Keys that the umbrella adds there (`enabled`): not the component's own values.
    pub extra: Vec<String>,
    /// Keys of the component that the umbrella forbids there (`"scrape": false`) because it sets
    /// them itself in `with`.
    pub hidden: Vec<String>,
}

/// The schema with the components' schemas in place, and where they went.
pub fn resolve(document: &Document, components: &[(&str, &Bundle)]) -> Result<(Value, Vec<Mount>)> {
    let mut schema = document.root.clone();
    let mut resolver = Resolver { document, components, mounts: Vec::new(), definitions: Map::new() };
    resolver.walk(&mut schema, String::new(), Some(String::new()))?;
    if let Some(root) = schema.as_object_mut()
        && !resolver.definitions.is_empty()
    {
        let defs = root.entry("$defs").or_insert_with(|| json!({}));
        if let Some(defs) = defs.as_object_mut() {
            defs.extend(resolver.definitions);
        }
    }
    Ok((schema, resolver.mounts))
}

struct Resolver<'a> {
    document: &'a Document<'a>,
    components: &'a [(&'a str, &'a Bundle)],
    mounts: Vec<Mount>,
    /// Schemas of components that have references into themselves.
    definitions: Map<String, Value>,
}

impl Resolver<'_> {
    /// `at` is the pointer into the schema; `path` the one into the values, known as long as only
    /// `properties` were walked through.
    fn walk(&mut self, schema: &mut Value, at: String, path: Option<String>) -> Result<()> {
        match schema {
            Value::Array(list) => {
                for (i, item) in list.iter_mut().enumerate() {
                    self.walk(item, format!("{at}/{i}"), None)?;
                }
            }
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref")
                    && let Some(component) = target.strip_prefix("bundle:")
                {
                    let component = component.to_owned();
                    return self.mount(map, &at, path, &component);
                }
                for (key, child) in map.iter_mut() {
                    let at = pointer::join(&at, key);
                    match (key.as_str(), child, &path) {
                        ("properties", Value::Object(properties), Some(path)) => {
                            for (name, property) in properties.iter_mut() {
                                self.walk(
                                    property,
                                    pointer::join(&at, name),
                                    Some(pointer::join(path, name)),
                                )?;
                            }
                        }
                        // data, not schemas
                        ("default" | "const" | "enum" | "examples", _, _) => {}
                        (_, child, _) => self.walk(child, at, None)?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn mount(
        &mut self,
        map: &mut Map<String, Value>,
        at: &str,
        path: Option<String>,
        name: &str,
    ) -> Result<()> {
        let error = |message: String| self.document.error(&format!("{at}/$ref"), message);
        let Some((_, bundle)) = self.components.iter().find(|(other, _)| *other == name) else {
            let err = error(format!("\"bundle:{name}\" is not a component of this bundle"));
            return Err(err.hint(suggest(name, self.components.iter().map(|(name, _)| *name))));
        };
        let Some(pointer) = path else {
            return Err(error(format!("\"bundle:{name}\" can only stand at a property of the values")));
        };
        if self.mounts.iter().any(|mount| mount.component == name) {
            return Err(error(format!("\"bundle:{name}\" is there twice")));
        }
        let mut target = bundle.schema().cloned().unwrap_or_else(|| json!({"type": "object"}));
        if move_references(&mut target, &format!("#/$defs/{name}")) {
            self.definitions.insert(name.to_owned(), without(&target, &["$schema", "$id"]).into());
        }
        let target = without(&target, &["$schema", "$id", "$defs"]);
        map.shift_remove("$ref");
        let properties = map.get("properties").and_then(Value::as_object);
        let named = |hidden: bool| {
            let named = properties.into_iter().flatten().filter(|(_, schema)| (**schema == false) == hidden);
            named.map(|(key, _)| key.clone()).collect()
        };
        let (extra, hidden) = (named(false), named(true));
        *map = lay_over(target, std::mem::take(map));
        self.mounts.push(Mount { pointer, component: name.to_owned(), extra, hidden });
        Ok(())
    }
}

/// The component's schema with what the umbrella says beside `$ref`: properties are joined,
/// `required` is extended, any other key replaces the component's.
fn lay_over(mut below: Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) if key == "properties" => old.extend(new),
            (Some(Value::Array(old)), Value::Array(new)) if key == "required" => old.extend(new),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
    below
}

/// Makes references into the schema itself (`#…`) references into `base`. Were there any?
fn move_references(schema: &mut Value, base: &str) -> bool {
    match schema {
        Value::Array(list) => list.iter_mut().fold(false, |any, item| move_references(item, base) | any),
        Value::Object(map) => {
            let mut any = false;
            for (key, child) in map.iter_mut() {
                match child {
                    Value::String(target) if key == "$ref" && target.starts_with('#') => {
                        *target = format!("{base}{}", &target[1..]);
                        any = true;
                    }
                    Value::String(_) => {}
                    child => any |= move_references(child, base),
                }
            }
            any
        }
        _ => false,
    }
}

fn without(schema: &Value, keys: &[&str]) -> Map<String, Value> {
    let map = schema.as_object().cloned().unwrap_or_default();
    map.into_iter().filter(|(key, _)| !keys.contains(&key.as_str())).collect()
}

/// `over` laid over `below`: maps are merged, everything else (null too) replaces.
pub fn merge(below: &mut Value, over: &Value) {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            for (key, value) in over {
                match below.get_mut(key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        below.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (below, over) => *below = over.clone(),
    }
}

/// `value` under the keys of `pointer`.
pub fn nest(pointer: &str, value: Value) -> Value {
    let keys: Vec<_> = pointer::tokens(pointer).collect();
    keys.into_iter().rev().fold(value, |value, key| json!({ key: value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_is_not_named_and_null_replaces() {
        let mut below = json!({"a": {"x": 1, "y": 2}, "b": [1, 2]});
        merge(&mut below, &json!({"a": {"x": null}, "b": [3], "c": {}}));
        assert_eq!(below, json!({"a": {"x": null, "y": 2}, "b": [3], "c": {}}));
    }

    #[test]
    fn nesting_follows_the_pointer() {
        assert_eq!(nest("/a/b~1c", json!(1)), json!({"a": {"b/c": 1}}));
        assert_eq!(nest("", json!(1)), json!(1));
    }
}
