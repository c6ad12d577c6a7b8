//! Is the live object what another apply would leave? Yes where our entry of managedFields names just
//! what is desired, and every value is live as it is written: then an apply changes nothing, and the
//! server need not be asked. The entry alone would not do: admission may have rewritten a value, and
//! whoever writes under our name leaves it in our entry.
//!
//! Nothing here knows a schema, a default or a kind: what cannot be told for certain counts as no, and
//! then the server is asked.

use serde_json::{Map, Value};

use super::applied_by;
use super::fields::Element;
use super::hollow::hollow;
use super::owner::{Owner, entries};
use crate::object::labels::MANAGER;

/// What managedFields never name: the object's identity, and what the server writes.
const UNNAMED: [&str; 9] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "generateName",
];

/// Is the live object certainly what another apply of `desired` would leave?
pub fn is_settled(desired: &Value, live: &Value) -> bool {
    let same_version = entries(live)
        .any(|entry| Owner::of(entry).is_our_apply() && entry["apiVersion"] == desired["apiVersion"]);
    let (Some(fields), true) = (applied_by(live, MANAGER).and_then(Value::as_object), same_version) else {
        return false;
    };
    Walk.map(fields, desired, live, Level::Object) && hollow(desired, live).is_empty()
}

/// How deep a map is: at the top, some fields are not named.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Object,
    Metadata,
    Below,
}

struct Walk;

impl Walk {
    /// Do the fields below a node name all of `desired`, and nothing else?
    fn node(&self, fields: &Value, desired: &Value, live: &Value, level: Level) -> bool {
        let Some(fields) = fields.as_object() else { return false };
        match desired {
            Value::Null => false,
            // owned as a whole
            _ if fields.is_empty() => desired == live,
            Value::Object(_) => self.map(fields, desired, live, level),
            Value::Array(items) => self.list(fields, items, desired, live),
            _ => false,
        }
    }

    fn map(&self, fields: &Map<String, Value>, desired: &Value, live: &Value, level: Level) -> bool {
        let Some(map) = desired.as_object() else { return false };
        let unnamed = |key: &str| match level {
            Level::Object => matches!(key, "apiVersion" | "kind"),
            Level::Metadata => UNNAMED.contains(&key),
            Level::Below => false,
        };
        let all_named = map.iter().all(|(key, _)| {
            // a list of no items has no name, and is no change where it is there
            let hollow = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            let empty = hollow(&map[key]) && live.get(key).is_some_and(hollow);
            unnamed(key) || empty || fields.contains_key(&format!("f:{key}")) || {
                // metadata of nothing but a name
                level == Level::Object && key == "metadata" && only_unnamed(&map[key])
            }
        });
        all_named
            && fields.iter().filter(|(text, _)| *text != ".").all(|(text, below)| {
                let Some(Element::Field(key)) = Element::parse(text) else { return false };
                let next = match (level, key) {
                    (Level::Object, "metadata") => Level::Metadata,
                    _ => Level::Below,
                };
                match (map.get(key), live.get(key)) {
                    (Some(desired), Some(live)) => self.node(below, desired, live, next),
                    _ => false,
                }
            })
    }

    /// A list whose items are owned one by one: as many as are desired, and live in the same order.
    fn list(&self, fields: &Map<String, Value>, items: &[Value], desired: &Value, live: &Value) -> bool {
        let named: Vec<(Element<'_>, &Value)> = fields
            .iter()
            .filter(|(text, _)| *text != ".")
            .filter_map(|(text, below)| Some((Element::parse(text)?, below)))
            .collect();
        let live_items = live.as_array().map_or(&[][..], Vec::as_slice);
        if named.len() != items.len() || fields.len() - usize::from(fields.contains_key(".")) != named.len() {
            return false;
        }
        let place = |list: &[Value], item: &Value| list.iter().position(|other| std::ptr::eq(other, item));
        let mut places = Vec::with_capacity(items.len());
        for (element, below) in &named {
            let (Some(wanted), Some(there)) = (element.find(desired), element.find(live)) else {
                return false;
            };
            let (Some(from), Some(to)) = (place(items, wanted), place(live_items, there)) else {
                return false;
            };
            // the members of a set have no order of their own
            match element {
                Element::Member(_) => {}
                Element::Item(keys) if !self.item(below, keys, wanted, there) => return false,
                Element::Index(_) | Element::Field(_) => return false,
                Element::Item(_) => places.push((from, to)),
            }
        }
        places.sort_unstable();
        // each desired item is named once, and the live ones follow each other in the same order
        places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1)
    }

    /// A list item: a field that it is found by may be left to its default.
    fn item(&self, below: &Value, keys: &Map<String, Value>, desired: &Value, live: &Value) -> bool {
        let Some(fields) = below.as_object() else { return false };
        let left_out = |text: &str| {
            text.strip_prefix("f:").is_some_and(|key| keys.contains_key(key) && desired.get(key).is_none())
        };
        if fields.keys().any(|text| left_out(text)) {
            let stated: Map<String, Value> = fields
                .iter()
                .filter(|(text, _)| !left_out(text))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            return self.map(&stated, desired, live, Level::Below);
        }
        self.node(below, desired, live, Level::Below)
    }
}

/// Has this metadata nothing that managedFields would name?
fn only_unnamed(metadata: &Value) -> bool {
    metadata.as_object().is_some_and(|map| map.keys().all(|key| UNNAMED.contains(&key.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(mut object: Value, fields: Value) -> Value {
        object["metadata"]["managedFields"] =
            json!([{"manager": "kubectl-obs", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}]);
        object
    }

    fn object(rest: Value) -> Value {
        let mut object =
            json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "namespace": "n"}});
        if let (Some(map), Value::Object(rest)) = (object.as_object_mut(), rest) {
            map.extend(rest);
        }
        object
    }

    /// (what, live, our fields, desired, is it settled?)
    #[test]
    fn only_what_is_owned_exactly_is_settled() {
        let cases = [
            (
                "the same",
                json!({"data": {"a": "1"}}),
                json!({"f:data": {"f:a": {}}}),
                json!({"data": {"a": "1"}}),
                true,
            ),
            (
                "written otherwise",
                json!({"data": {"a": "1Gi"}}),
                json!({"f:data": {"f:a": {}}}),
                json!({"data": {"a": "1024Mi"}}),
                false,
            ),
            (
                "more is owned",
                json!({"data": {"a": "1", "b": "2"}}),
                json!({"f:data": {"f:a": {}, "f:b": {}}}),
                json!({"data": {"a": "1"}}),
                false,
            ),
            (
                "less is owned",
                json!({"data": {"a": "1", "b": "2"}}),
                json!({"f:data": {"f:a": {}}}),
                json!({"data": {"a": "1", "b": "2"}}),
                false,
            ),
            (
                "an atomic map",
                json!({"spec": {"selector": {"a": "1"}}}),
                json!({"f:spec": {"f:selector": {}}}),
                json!({"spec": {"selector": {"a": "1"}}}),
                true,
            ),
            (
                "an atomic map with more in it",
                json!({"spec": {"selector": {"a": "1", "b": "2"}}}),
                json!({"f:spec": {"f:selector": {}}}),
                json!({"spec": {"selector": {"a": "1"}}}),
                false,
            ),
            (
                "somebody took the atomic map",
                json!({"spec": {"selector": {"a": "1", "b": "2"}}}),
                json!({}),
                json!({"spec": {"selector": {"a": "1"}}}),
                false,
            ),
            (
                "null",
                json!({"spec": {"a": {"b": "1"}}}),
                json!({"f:spec": {"f:a": {}}}),
                json!({"spec": {"a": null}}),
                false,
            ),
            (
                "an empty map that is not owned",
                json!({"spec": {"a": 1}}),
                json!({"f:spec": {"f:a": {}}}),
                json!({"spec": {"a": 1, "selector": {}}}),
                false,
            ),
            (
                "a value of the server's own",
                json!({"spec": {"a": 1, "b": 2}}),
                json!({"f:spec": {"f:a": {}}}),
                json!({"spec": {"a": 1}}),
                true,
            ),
            (
                "a list owned item by item",
                json!({"env": [{"name": "A"}, {"name": "B"}]}),
                json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"B\"}": {".": {}, "f:name": {}}}}),
                json!({"env": [{"name": "A"}, {"name": "B"}]}),
                true,
            ),
            (
                "in another order",
                json!({"env": [{"name": "B"}, {"name": "A"}]}),
                json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"B\"}": {".": {}, "f:name": {}}}}),
                json!({"env": [{"name": "A"}, {"name": "B"}]}),
                false,
            ),
            (
                "with one of somebody else between",
                json!({"env": [{"name": "A"}, {"name": "Z"}, {"name": "B"}]}),
                json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"B\"}": {".": {}, "f:name": {}}}}),
                json!({"env": [{"name": "A"}, {"name": "B"}]}),
                true,
            ),
            (
                "a port without its protocol",
                json!({"ports": [{"port": 80, "protocol": "TCP"}]}),
                json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}),
                json!({"ports": [{"port": 80}]}),
                true,
            ),
            (
                "a set",
                json!({"metadata": {"name": "x", "namespace": "n", "finalizers": ["b", "a"]}}),
                json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}}}}),
                json!({"metadata": {"name": "x", "namespace": "n", "finalizers": ["a", "b"]}}),
                true,
            ),
            (
                "a set with one more of ours",
                json!({"metadata": {"name": "x", "namespace": "n", "finalizers": ["a", "b"]}}),
                json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}}}}),
                json!({"metadata": {"name": "x", "namespace": "n", "finalizers": ["a"]}}),
                false,
            ),
        ];
        for (what, is, fields, desired, settled) in cases {
            let live = live(object(is), fields);
            let desired = object(desired);
            assert_eq!(is_settled(&desired, &live), settled, "{what}");
        }
    }

    #[test]
    fn an_entry_of_another_version_settles_nothing() {
        let mut live = live(object(json!({"data": {"a": "1"}})), json!({"f:data": {"f:a": {}}}));
        let desired = object(json!({"data": {"a": "1"}}));
        assert!(is_settled(&desired, &live));
        live["metadata"]["managedFields"][0]["apiVersion"] = json!("v1beta1");
        assert!(!is_settled(&desired, &live));
        assert!(!is_settled(&desired, &object(json!({"data": {"a": "1"}}))), "no entry at all");
    }
}
