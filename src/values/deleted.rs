//! What a null of the user's deleted: which of the bundle's values that was, and how it comes back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Pointer, Source, Values, pointer, set};

/// What nulls of `upper` delete in `lower`.
pub(super) fn deletions(lower: &Value, upper: &Value, at: Pointer, found: &mut BTreeMap<Pointer, Value>) {
    match (lower, upper) {
        (_, Value::Null) => {
            found.insert(at, lower.clone());
        }
        (Value::Object(lower), Value::Object(upper)) => {
            for (key, upper) in upper {
                if let Some(lower) = lower.get(key) {
                    deletions(lower, upper, pointer::join(&at, key), found);
                }
            }
        }
        _ => {}
    }
}

impl Values {
    /// The merged values as they would be if the bundle's values at `pointers` had not been deleted.
    pub fn with_defaults_at<'p>(&self, pointers: impl Iterator<Item = &'p Pointer>) -> Value {
        let mut tree = self.tree.clone();
        for at in pointers {
            let Some((above, default)) = pointer::parent(at).zip(self.deleted.get(at)) else { continue };
            let key = pointer::tokens(at).last().unwrap_or_default().into_owned();
            if let Some(Value::Object(map)) = tree.pointer_mut(above) {
                map.insert(key, default.clone());
            }
        }
        tree
    }

    /// What to type to have the bundle's value at `at` back.
    pub fn undelete_hint(&self, at: &str) -> Option<String> {
        let path = pointer::dotted(at, &self.tree);
        let again = match self.deleted.get(at)? {
            // no flag sets a null
            Value::Null => return Some(format!("leave {path} out: the bundle's own is null")),
            default => set::flag(&path, default),
        };
        Some(match self.origin(at).map(|origin| &origin.source) {
            Some(Source::Flag { .. } | Source::File { .. }) => {
                format!("leave {path} out to have the bundle's own: {again}")
            }
            _ => format!("the bundle's own again: {again}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, SetFlag};
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_deleted_can_be_had_back() {
        let base = Layer::defaults("b", json!({"a": {"b": "15d", "c": null}, "d": [1]})).unwrap();
        let builder = Values::builder().base(&base);
        let builder = builder.set(SetFlag::Set, "a.b=null,a.c=null,d=null,e=null", &|_| unreachable!());
        let values = builder.unwrap().build().0;
        let deleted: Vec<&str> = values.deleted.keys().map(String::as_str).collect();
        assert_eq!(deleted, ["/a/b", "/a/c", "/d"], "not what was absent");
        assert_eq!(values.tree, json!({"a": {}}));
        let back = values.with_defaults_at(values.deleted.keys());
        assert_eq!(back, json!({"a": {"b": "15d", "c": null}, "d": [1]}));
        let hint = values.undelete_hint("/a/b").unwrap();
        assert_eq!(hint, "leave a.b out to have the bundle's own: --set a.b=15d");
        let previous = Values::builder().base(&base).user(&Layer::previous(1, json!({"d": null})).unwrap());
        let hint = previous.build().0.undelete_hint("/d").unwrap();
        assert_eq!(hint, "the bundle's own again: --set-json 'd=[1]'");
    }
}
