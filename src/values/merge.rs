//! Laying one tree over another: maps merge, everything else replaces, null deletes; the origins
//! follow.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Layer, Origin, Pointer, pointer, type_word};

/// What a null in the upper tree does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// It stays, for a tree below that is not there yet.
    Keep,
    /// It deletes what is below and vanishes.
    Delete,
    /// It deletes what is below, and stays where there is nothing to delete: a bundle may say
    /// `storageClass: null` in its own defaults.
    DeleteOrKeep,
}

type Origins = BTreeMap<Pointer, Origin>;

impl Layer {
    /// A layer without values.
    pub(super) fn empty() -> Self {
        Self { tree: Value::Object(Map::new()), origins: Origins::new() }
    }

    /// Lays `upper` over this. Returns where a map met something that is not a map.
    pub(super) fn overlay(&mut self, upper: &Layer, nulls: Nulls) -> Vec<Conflict> {
        let mut merge =
            Merge { lower: &mut self.origins, upper: &upper.origins, nulls, conflicts: Vec::new() };
        if let (Value::Object(lower), Value::Object(upper)) = (&mut self.tree, &upper.tree) {
            merge.take_origin("");
            merge.maps(lower, upper, "");
        }
        merge.conflicts
    }
}

/// A map replaced by something else, or the reverse: more often a slip than an intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) pointer: Pointer,
    pub(super) lower: &'static str,
    pub(super) upper: &'static str,
}

struct Merge<'a> {
    lower: &'a mut Origins,
    upper: &'a Origins,
    nulls: Nulls,
    conflicts: Vec<Conflict>,
}

impl Merge<'_> {
    fn maps(&mut self, lower: &mut Map<String, Value>, upper: &Map<String, Value>, at: &str) {
        for (key, value) in upper {
            let at = pointer::join(at, key);
            match (lower.get_mut(key), value) {
                (Some(Value::Object(lower)), Value::Object(upper)) => {
                    self.take_origin(&at);
                    self.maps(lower, upper, &at);
                }
                (below, Value::Null)
                    if self.nulls == Nulls::Delete
                        || (self.nulls == Nulls::DeleteOrKeep && below.is_some()) =>
                {
                    lower.shift_remove(key);
                    remove_below(self.lower, &at);
                    // Who deleted a value can be asked for, like who set it.
                    self.take_origin(&at);
                }
                (below, value) => {
                    if let Some(below) = below
                        && below.is_object() != value.is_object()
                        && !below.is_null()
                        && !value.is_null()
                    {
                        self.conflicts.push(Conflict {
                            pointer: at.clone(),
                            lower: type_word(below),
                            upper: type_word(value),
                        });
                    }
                    remove_below(self.lower, &at);
                    copy_below(self.lower, self.upper, &at);
                    let mut value = value.clone();
                    if self.nulls == Nulls::Delete {
                        drop_nulls(&mut value);
                    }
                    lower.insert(key.clone(), value);
                }
            }
        }
    }

    fn take_origin(&mut self, at: &str) {
        if let Some(origin) = self.upper.get(at) {
            self.lower.insert(at.to_owned(), origin.clone());
        }
    }
}

/// Nulls in maps, not those in lists, which stand for an item.
fn drop_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(drop_nulls);
    }
}

/// The entries for `at` and everything below it. `/a` has `/a/…` below it, and not `/ab`: in byte
/// order the former lie between `/a/` and `/a0`.
fn range<'o>(origins: &'o Origins, at: &str) -> impl Iterator<Item = (&'o Pointer, &'o Origin)> {
    let below = format!("{at}/")..format!("{at}0");
    origins.get_key_value(at).into_iter().chain(origins.range(below))
}

/// Forgets the origins of `at` and below.
pub(super) fn remove_below(origins: &mut Origins, at: &str) {
    let gone: Vec<Pointer> = range(origins, at).map(|(pointer, _)| pointer.clone()).collect();
    for pointer in gone {
        origins.remove(&pointer);
    }
}

/// Copies the origins of `at` and below.
pub(super) fn copy_below(to: &mut Origins, from: &Origins, at: &str) {
    to.extend(range(from, at).map(|(pointer, origin)| (pointer.clone(), origin.clone())));
}
