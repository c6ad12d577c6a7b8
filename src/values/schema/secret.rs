//! Which values are secret: those of nodes with `writeOnly: true`, and everything below them.

use serde_json::Value;

use super::super::{Pointer, pointer};
use super::nodes::Nodes;
use crate::object::MASK;

/// `tree` with every secret replaced by [`MASK`]. Nulls and empty strings stay: they hold nothing,
/// and "not set" is worth knowing.
pub fn mask(schema: &Value, tree: &Value) -> Value {
    let mut out = tree.clone();
    for secret in secrets(schema, tree) {
        if let Some(value) = out.pointer_mut(&secret) {
            *value = Value::String(MASK.to_owned());
        }
    }
    out
}

/// Pointers to all secrets in `tree`; nulls and empty strings are none.
pub fn secrets(schema: &Value, tree: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    collect(&Nodes::top(schema), tree, String::new(), &mut found);
    found
}

fn collect(nodes: &Nodes<'_>, value: &Value, at: Pointer, found: &mut Vec<Pointer>) {
    if nodes.write_only() {
        if !value.is_null() && value != "" {
            found.push(at);
        }
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(&nodes.child(key, false), value, pointer::join(&at, key), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let index = index.to_string();
                collect(&nodes.child(&index, true), value, pointer::join(&at, &index), found);
            }
        }
        _ => {}
    }
}

/// May a message not show the value at `pointer`? Also true above a secret, where a string may be
/// a password in the wrong place.
pub(super) fn sensitive(schema: &Value, at: &str, tree: &Value) -> bool {
    let path = Nodes::at(schema, at, tree);
    path.iter().any(Nodes::write_only) || path.last().is_some_and(Nodes::write_only_below)
}
