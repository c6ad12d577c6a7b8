//! Puts an assignment into the user's values.

use serde_json::{Map, Value};

use super::super::layer::fill;
use super::super::merge::{Nulls, copy_below, remove_below};
use super::super::{Layer, Origin, Source, pointer, type_word};
use super::{Assignment, Step};
use crate::error::{Error, Result};

/// Sets one value. A list that the path leads into and that only the base has is copied to the
/// user's values first: lists replace each other as a whole.
pub(in crate::values) fn apply(user: &mut Layer, base: &Layer, assignment: &Assignment) -> Result<()> {
    let origin = Origin::of(Source::Flag { text: assignment.text.clone() });
    if assignment.path.is_empty() {
        let mut origins = Default::default();
        fill(&mut origins, "", &assignment.value, &origin);
        user.overlay(&Layer { tree: assignment.value.clone(), origins }, Nulls::Keep);
        return Ok(());
    }

    let mut at = String::new();
    let mut slot = &mut user.tree;
    let mut below = Some(&base.tree);
    for (i, step) in assignment.path.iter().enumerate() {
        user.origins.entry(at.clone()).or_insert_with(|| origin.clone());
        let fresh;
        (slot, fresh) = match (slot, step) {
            (Value::Object(map), Step::Key(key)) => {
                pointer::push(&mut at, key);
                below = below.and_then(|value| value.get(key));
                let fresh = !map.contains_key(key);
                (map.entry(key.clone()).or_insert(Value::Null), fresh)
            }
            (Value::Array(items), Step::Index(index)) => {
                for missing in items.len()..=*index {
                    user.origins.insert(pointer::join(&at, &missing.to_string()), origin.clone());
                    items.push(Value::Null);
                }
                pointer::push(&mut at, &index.to_string());
                below = None;
                // Helm lets a name or an index replace a null in a list, and a name any scalar.
                let item = &items[*index];
                let named = matches!(assignment.path.get(i + 1), Some(Step::Key(_)));
                let fresh = item.is_null() || (named && !item.is_object());
                (&mut items[*index], fresh)
            }
            // The step before made sure of the kind.
            (slot, _) => return Err(conflict(assignment, i, slot, user.origins.get(&at))),
        };
        match assignment.path.get(i + 1) {
            None => *slot = assignment.value.clone(),
            Some(Step::Key(_)) if fresh => {
                remove_below(&mut user.origins, &at);
                *slot = Value::Object(Map::new());
            }
            Some(Step::Index(_)) if fresh => {
                remove_below(&mut user.origins, &at);
                *slot = match below {
                    Some(Value::Array(items)) => {
                        copy_below(&mut user.origins, &base.origins, &at);
                        Value::Array(items.clone())
                    }
                    _ => Value::Array(Vec::new()),
                };
            }
            Some(Step::Key(_)) if slot.is_object() => {}
            Some(Step::Index(_)) if slot.is_array() => {}
            Some(_) => return Err(conflict(assignment, i, slot, user.origins.get(&at))),
        }
    }
    remove_below(&mut user.origins, &at);
    fill(&mut user.origins, &at, &assignment.value, &origin);
    Ok(())
}

fn conflict(assignment: &Assignment, last: usize, found: &Value, origin: Option<&Origin>) -> Error {
    let name = super::masked(&assignment.text);
    let path = dotted(&assignment.path[..=last]);
    let found = type_word(found);
    let place = origin.map(|o| format!(" ({})", o.masked())).unwrap_or_default();
    Error::usage(format!("{name}: {path} is {found}{place}, nothing can be set below it"))
        .hint("remove one of the two settings")
}

fn dotted(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => pointer::push_dotted(&mut out, key),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}
