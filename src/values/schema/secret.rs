//! Which values are secret: those of nodes with `writeOnly: true`, and everything below them.

use serde_json::Value;

use super::super::{Pointer, pointer};
use super::nodes::Nodes;
use crate::object::MASK;

/// `tree` with every secret replaced by [`MASK`]. Nulls and empty strings stay: they hold nothing,
/// and "not set" is worth knowing.
pub fn mask(schema: &Value, tree: &Value) -> Value {
    mask_at(&secrets(schema, tree), tree)
}

/// `tree` with what is at these pointers replaced by [`MASK`].
pub fn mask_at(secrets: &[Pointer], tree: &Value) -> Value {
    let mut out = tree.clone();
    for secret in secrets {
        if let Some(value) = out.pointer_mut(secret) {
            *value = Value::String(MASK.to_owned());
        }
    }
    out
}

/// Pointers to all secrets in `tree`; nulls and empty strings are none.
pub fn secrets(schema: &Value, tree: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    collect(&Nodes::top(schema), tree, String::new(), &mut |at, value| {
        if !value.is_null() && value != "" {
            found.push(at);
        }
    });
    found
}

/// Pointers to all places for secrets in `tree`, also those where nothing is set.
pub fn places(schema: &Value, tree: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    collect(&Nodes::top(schema), tree, String::new(), &mut |at, _| found.push(at));
    found
}

/// For values whose own schema is not at hand: `tree` with everything replaced by [`MASK`] that is
/// not known to be harmless, and how much that is. `schema` is one of another version of the
/// bundle: what it knows, and does not call secret, is shown. Without one no text and no number is.
pub fn mask_unjudged(schema: Option<&Value>, tree: &Value) -> (Value, usize) {
    let mut out = tree.clone();
    let masked = hide(schema.map(Nodes::top).as_ref(), &mut out);
    (out, masked)
}

fn hide(nodes: Option<&Nodes<'_>>, value: &mut Value) -> usize {
    let nodes = nodes.filter(|nodes| nodes.known());
    let below = |key: &str, in_list| nodes.map(|nodes| nodes.child(key, in_list));
    match value {
        Value::Null => 0,
        Value::String(text) if text.is_empty() => 0,
        secret if nodes.is_some_and(Nodes::write_only) => {
            *secret = Value::String(MASK.to_owned());
            1
        }
        Value::Object(map) => {
            map.iter_mut().map(|(key, value)| hide(below(key, false).as_ref(), value)).sum()
        }
        Value::Array(items) => {
            let items = items.iter_mut().enumerate();
            items.map(|(index, value)| hide(below(&index.to_string(), true).as_ref(), value)).sum()
        }
        Value::String(_) | Value::Number(_) if nodes.is_none() => {
            *value = Value::String(MASK.to_owned());
            1
        }
        Value::Bool(_) | Value::String(_) | Value::Number(_) => 0,
    }
}

fn collect(nodes: &Nodes<'_>, value: &Value, at: Pointer, found: &mut dyn FnMut(Pointer, &Value)) {
    if nodes.write_only() {
        found(at, value);
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
