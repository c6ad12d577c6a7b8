//! Finding one's way in a schema: which subschemas apply to a place in the values.

use serde_json::Value;

use super::super::pointer;

/// Keywords whose subschemas apply to the same place.
const IN_PLACE: [&str; 6] = ["allOf", "anyOf", "oneOf", "if", "then", "else"];
/// Keywords that hold values or definitions, not something that applies here.
const NOT_APPLIED: [&str; 7] = ["$defs", "definitions", "examples", "default", "const", "enum", "not"];

/// All subschemas that may apply to one place. Branches (`anyOf`, `then`, …) count whether or not
/// they are taken: for hiding secrets too many is the safe side.
#[derive(Clone)]
pub(super) struct Nodes<'s> {
    root: &'s Value,
    nodes: Vec<&'s Value>,
}

impl<'s> Nodes<'s> {
    /// Those for the top of the values.
    pub(super) fn top(root: &'s Value) -> Self {
        let mut here = Self { root, nodes: Vec::new() };
        here.add(root);
        here
    }

    /// Those for `key` in a map, or, if `in_list`, for an index in a list.
    pub(super) fn child(&self, key: &str, in_list: bool) -> Self {
        let mut below = Self { root: self.root, nodes: Vec::new() };
        for node in &self.nodes {
            if in_list { below.add_item(node, key) } else { below.add_property(node, key) }
        }
        below
    }

    /// Those for a pointer into `tree`.
    pub(super) fn at(root: &'s Value, pointer: &str, tree: &Value) -> Vec<Self> {
        let mut path = vec![Self::top(root)];
        let mut value = Some(tree);
        for token in pointer::tokens(pointer) {
            let in_list = value.is_some_and(Value::is_array);
            let next = path[path.len() - 1].child(&token, in_list);
            path.push(next);
            value = value.and_then(|value| match value {
                Value::Array(items) => token.parse::<usize>().ok().and_then(|i| items.get(i)),
                other => other.get(&*token),
            });
        }
        path
    }

    /// Does the schema say anything about this place? `true` and `false` do not.
    pub(super) fn known(&self) -> bool {
        self.nodes.iter().any(|node| node.is_object())
    }

    /// Does one of them say `writeOnly: true`?
    pub(super) fn write_only(&self) -> bool {
        self.nodes.iter().any(|node| node["writeOnly"] == true)
    }

    /// Does one of them, or a subschema for something below?
    pub(super) fn write_only_below(&self) -> bool {
        let mut seen = Vec::new();
        self.nodes.iter().any(|node| holds_write_only(self.root, node, &mut seen))
    }

    /// The names of properties that they know.
    pub(super) fn properties(&self) -> impl Iterator<Item = &'s str> {
        self.nodes
            .iter()
            .filter_map(|node| node.get("properties")?.as_object())
            .flat_map(|map| map.iter().filter(|(_, v)| **v != false).map(|(name, _)| name.as_str()))
    }

    /// Does one of them ask for this type? `number` includes `integer`.
    pub(super) fn takes(&self, json_type: &str) -> bool {
        let is = |value: &Value| value == json_type || (json_type == "number" && value == "integer");
        self.nodes.iter().any(|node| match node.get("type") {
            Some(Value::Array(types)) => types.iter().any(is),
            Some(one) => is(one),
            None => false,
        })
    }

    fn add(&mut self, node: &'s Value) {
        if self.nodes.iter().any(|known| std::ptr::eq(*known, node)) {
            return; // a reference back to where we came from
        }
        self.nodes.push(node);
        if let Some(target) = node.get("$ref").and_then(|r| follow(self.root, r)) {
            self.add(target);
        }
        for keyword in IN_PLACE {
            match node.get(keyword) {
                Some(Value::Array(branches)) => branches.iter().for_each(|branch| self.add(branch)),
                Some(branch) => self.add(branch),
                None => {}
            }
        }
        if let Some(branches) = node.get("dependentSchemas").and_then(Value::as_object) {
            branches.values().for_each(|branch| self.add(branch));
        }
    }

    fn add_property(&mut self, node: &'s Value, key: &str) {
        let mut known = false;
        if let Some(property) = node.get("properties").and_then(|map| map.get(key)) {
            known = true;
            self.add(property);
        }
        for (pattern, property) in
            node.get("patternProperties").and_then(Value::as_object).into_iter().flatten()
        {
            if matches(pattern, key) {
                known = true;
                self.add(property);
            }
        }
        if !known {
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                if let Some(property) = node.get(keyword) {
                    self.add(property);
                }
            }
        }
    }

    fn add_item(&mut self, node: &'s Value, index: &str) {
        let prefix = node.get("prefixItems").and_then(Value::as_array);
        match index.parse::<usize>().ok().and_then(|i| prefix?.get(i)) {
            Some(item) => self.add(item),
            None => {
                for keyword in ["items", "contains", "unevaluatedItems"] {
                    if let Some(item) = node.get(keyword) {
                        self.add(item);
                    }
                }
            }
        }
    }
}

/// The subschema at an evaluation path, in which `$ref` stands for the jump.
pub(super) fn resolve<'s>(root: &'s Value, path: &[impl AsRef<str>]) -> Option<&'s Value> {
    path.iter().try_fold(root, |node, token| {
        let token = token.as_ref();
        match node {
            Value::Object(map) if token == "$ref" => follow(root, map.get("$ref")?),
            Value::Object(map) => map.get(token),
            Value::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        }
    })
}

/// `#/$defs/x`
fn follow<'s>(root: &'s Value, reference: &Value) -> Option<&'s Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

/// Does the pattern of a `patternProperties` match? Asked of the same engine that validates.
fn matches(pattern: &str, key: &str) -> bool {
    let schema = serde_json::json!({ "pattern": pattern });
    jsonschema::options().offline().build(&schema).is_ok_and(|validator| validator.is_valid(&key.into()))
}

fn holds_write_only<'s>(root: &'s Value, node: &'s Value, seen: &mut Vec<&'s Value>) -> bool {
    if seen.iter().any(|known| std::ptr::eq(*known, node)) {
        return false;
    }
    match node {
        Value::Object(map) => {
            seen.push(node);
            map.get("writeOnly").is_some_and(|v| *v == true)
                || map
                    .get("$ref")
                    .and_then(|r| follow(root, r))
                    .is_some_and(|n| holds_write_only(root, n, seen))
                || map
                    .iter()
                    .filter(|(keyword, _)| !NOT_APPLIED.contains(&keyword.as_str()))
                    .any(|(_, below)| holds_write_only(root, below, seen))
        }
        Value::Array(items) => items.iter().any(|item| holds_write_only(root, item, seen)),
        _ => false,
    }
}
