//! The trees of managedFields (`fieldsV1`): how their elements name fields of an object, and sets
//! of fields that can be united.
//!
//! An element is `f:<name>` (field of a map), `k:{…}` (list item by its keys), `v:…` (member of a
//! set), `i:<n>` (list item by position) or `.` (the node itself, where it also has something
//! below). A node without anything below is owned itself: a scalar, something empty, or what the
//! API's schema calls atomic. (structured-merge-diff, fieldpath/serialize.go.)

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diff::Step;

/// The node itself.
const ITSELF: &str = ".";

/// What an element names.
pub enum Element<'a> {
    Field(&'a str),
    Item(Map<String, Value>),
    Member(Value),
    Index(usize),
}

impl<'a> Element<'a> {
    /// None for `.` and for what no server writes.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest)),
            "k" => match serde_json::from_str(rest).ok()? {
                Value::Object(keys) => Some(Self::Item(keys)),
                _ => None,
            },
            "v" => Some(Self::Member(serde_json::from_str(rest).ok()?)),
            "i" => Some(Self::Index(rest.parse().ok()?)),
            _ => None,
        }
    }

    /// What it names in `parent`.
    pub fn find<'v>(&self, parent: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Field(name) => parent.get(name),
            Self::Item(keys) => parent.as_array()?.iter().find(|item| has_keys(item, keys)),
            Self::Member(value) => parent.as_array()?.iter().find(|item| *item == value),
            Self::Index(i) => parent.get(i),
        }
    }

    /// Is this a list item, or a member of a set, that it names? A key that it does not have is left to
    /// its default.
    pub fn fits(&self, item: &Value) -> bool {
        match self {
            Self::Item(keys) => keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value)),
            Self::Member(value) => item == value,
            Self::Field(_) | Self::Index(_) => false,
        }
    }

    /// The step that it takes, as differences write it; None for members of sets, which are not
    /// stepped into.
    pub fn step(&self) -> Option<Step> {
        Some(match self {
            Self::Field(name) => Step::Key((*name).to_owned()),
            Self::Item(keys) => Step::Item(keys.iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
            Self::Index(i) => Step::Index(*i),
            Self::Member(_) => return None,
        })
    }

    /// As the server writes it in conflicts: `.spec`, `[name="grafana"]`, `[="a"]`, `[0]`.
    pub fn server_text(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Item(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Self::Member(value) => format!("[={value}]"),
            Self::Index(i) => format!("[{i}]"),
        }
    }
}

/// Is this the list item with these keys? A key that the item leaves to its default matches; the
/// one default that tells items apart is known.
pub(super) fn has_keys(item: &Value, keys: &Map<String, Value>) -> bool {
    keys.iter().all(|(key, value)| match item.get(key) {
        Some(own) => own == value,
        None => key != "protocol" || value == "TCP",
    })
}

/// A set of fields: a fieldsV1 tree in a form that can be changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FieldSet {
    itself: bool,
    below: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// Reads the `fieldsV1` of an entry.
    pub fn parse(fields: &Value) -> Self {
        Self { itself: false, ..Self::node(fields) }
    }

    fn node(fields: &Value) -> Self {
        let Some(map) = fields.as_object() else { return Self::default() };
        let below = map.iter().filter(|(element, _)| *element != ITSELF);
        Self {
            itself: map.is_empty() || map.contains_key(ITSELF),
            below: below.map(|(element, fields)| (element.clone(), Self::node(fields))).collect(),
        }
    }

    /// Adds the other set.
    pub fn unite(&mut self, other: Self) {
        self.itself |= other.itself;
        for (element, set) in other.below {
            self.below.entry(element).or_default().unite(set);
        }
    }

    /// Takes a field out, with all below it.
    pub fn remove(&mut self, elements: &[&str]) {
        match elements {
            [] => {}
            [last] => {
                self.below.remove(*last);
            }
            [first, rest @ ..] => {
                if let Some(set) = self.below.get_mut(*first) {
                    set.remove(rest);
                    if set.is_empty() {
                        self.below.remove(*first);
                    }
                }
            }
        }
    }

    /// Takes out every field of this name, wherever it is, and gives what was taken out.
    pub fn take(&mut self, element: &str) -> Self {
        let mut taken = Self::default();
        if let Some(set) = self.below.remove(element) {
            taken.below.insert(element.to_owned(), set);
        }
        for (key, set) in &mut self.below {
            let below = set.take(element);
            if !below.is_empty() {
                taken.below.insert(key.clone(), below);
            }
        }
        self.below.retain(|_, set| !set.is_empty());
        taken
    }

    /// Keeps only fields that the object has.
    pub fn keep_in(&mut self, object: &Value) {
        self.below.retain(|element, set| {
            let Some(child) = Element::parse(element).and_then(|element| element.find(object)) else {
                return false;
            };
            set.keep_in(child);
            !set.is_empty()
        });
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        !self.itself && self.below.is_empty()
    }

    /// As `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        if self.itself && !self.below.is_empty() {
            map.insert(ITSELF.to_owned(), Value::Object(Map::new()));
        }
        map.extend(self.below.iter().map(|(element, set)| (element.clone(), set.to_value())));
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(fields: &Value) -> FieldSet {
        FieldSet::parse(fields)
    }

    #[test]
    fn sets_are_read_and_written_without_change() {
        for fields in [
            json!({}),
            json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}),
            json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}),
        ] {
            assert_eq!(set(&fields).to_value(), fields);
        }
    }

    #[test]
    fn a_union_has_what_either_has() {
        let cases = [
            (json!({"f:a": {}}), json!({"f:b": {}}), json!({"f:a": {}, "f:b": {}})),
            // one owns the empty map, the other a field in it: both facts stay
            (json!({"f:a": {}}), json!({"f:a": {"f:b": {}}}), json!({"f:a": {".": {}, "f:b": {}}})),
            (
                json!({"f:a": {"f:x": {"f:y": {}}}}),
                json!({"f:a": {"f:x": {"f:z": {}}}}),
                json!({"f:a": {"f:x": {"f:y": {}, "f:z": {}}}}),
            ),
            (json!({}), json!({"v:\"a\"": {}}), json!({"v:\"a\"": {}})),
        ];
        for (a, b, expected) in cases {
            for (a, b) in [(&a, &b), (&b, &a)] {
                let mut union = set(a);
                union.unite(set(b));
                assert_eq!(union.to_value(), expected, "{a} and {b}");
            }
        }
    }

    #[test]
    fn a_field_goes_with_the_maps_that_were_only_its_way() {
        let mut fields = set(&json!({"f:metadata": {"f:annotations": {"f:a": {}}}, "f:data": {"f:x": {}}}));
        fields.remove(&["f:metadata", "f:annotations", "f:a"]);
        assert_eq!(fields.to_value(), json!({"f:data": {"f:x": {}}}));
        let mut fields = set(&json!({"f:metadata": {"f:annotations": {".": {}, "f:a": {}}}}));
        fields.remove(&["f:metadata", "f:annotations", "f:a"]);
        assert_eq!(fields.to_value(), json!({"f:metadata": {"f:annotations": {}}}));
    }

    #[test]
    fn a_field_is_taken_out_wherever_it_is() {
        let mut fields =
            set(&json!({"f:spec": {"f:meta": {".": {}, "f:a": {}, "f:x": {}}}, "f:only": {"f:x": {}}}));
        let taken = fields.take("f:x");
        assert_eq!(taken.to_value(), json!({"f:spec": {"f:meta": {"f:x": {}}}, "f:only": {"f:x": {}}}));
        assert_eq!(fields.to_value(), json!({"f:spec": {"f:meta": {".": {}, "f:a": {}}}}));
    }

    #[test]
    fn only_fields_that_are_there_are_kept() {
        let mut fields = set(&json!({"f:spec": {"f:old": {"f:x": {}}, "f:ports": {
            "k:{\"port\":53,\"protocol\":\"UDP\"}": {".": {}, "f:port": {}},
            "k:{\"port\":54,\"protocol\":\"UDP\"}": {".": {}}}}}));
        fields.keep_in(&json!({"spec": {"ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}]}}));
        let kept =
            json!({"f:spec": {"f:ports": {"k:{\"port\":53,\"protocol\":\"UDP\"}": {".": {}, "f:port": {}}}}});
        assert_eq!(fields.to_value(), kept);
    }
}
