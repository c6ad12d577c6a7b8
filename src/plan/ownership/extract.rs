//! What we applied last, read back from the live object by our entry of managedFields; and what to apply
//! first where a map of ours becomes an empty one.

use serde_json::{Map, Value};

use super::applied_by;
use super::fields::Element;
use crate::object::labels::MANAGER;

/// The object as our last apply describes it, with the live values; None when we applied nothing.
pub fn applied_last(live: &Value) -> Option<Value> {
    let mut object = extract(applied_by(live, MANAGER)?, live);
    for key in ["apiVersion", "kind"] {
        object[key] = live[key].clone();
    }
    for key in ["name", "namespace"] {
        if let Some(value) = live["metadata"].get(key) {
            object["metadata"][key] = value.clone();
        }
    }
    Some(object)
}

/// The fields of a fieldsV1 tree with their values in `live`.
fn extract(fields: &Value, live: &Value) -> Value {
    let below: Vec<(Element<'_>, &Value)> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(text, below)| Some((Element::parse(text)?, below)))
        .collect();
    if below.is_empty() {
        return live.clone();
    }
    match live {
        Value::Object(map) => {
            let mut out = Map::new();
            for (element, below) in below {
                if let Element::Field(name) = element
                    && let Some(value) = map.get(name)
                {
                    out.insert(name.to_owned(), extract(below, value));
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            // in the live order
            let of = |item: &Value| {
                let named = below
                    .iter()
                    .find(|(element, _)| element.find(live).is_some_and(|found| std::ptr::eq(found, item)));
                named.map(|(element, below)| with_keys(extract(below, item), element))
            };
            Value::Array(items.iter().filter_map(of).collect())
        }
        other => other.clone(),
    }
}

/// A list item has its keys, whoever owns them.
fn with_keys(mut item: Value, element: &Element<'_>) -> Value {
    if let (Element::Item(keys), Some(map)) = (element, item.as_object_mut()) {
        for (key, value) in keys {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    item
}

/// Does a map or list of ours become an empty one?
pub fn empties(desired: &Value, live: &Value) -> bool {
    without_emptied(desired, live).is_some()
}

/// The desired object without the empty maps and lists that we had fields in; None when there are
/// none. The server takes such a map away together with its fields and leaves null or nothing behind
/// (structured-merge-diff removes what only led to removed fields, after the merge): it must go by one
/// apply and come back, empty, by the next.
pub fn without_emptied(desired: &Value, live: &Value) -> Option<Value> {
    let mut out = desired.clone();
    let emptied = prune(&mut out, applied_by(live, MANAGER)?, live);
    emptied.then_some(out)
}

fn prune(desired: &mut Value, fields: &Value, live: &Value) -> bool {
    let mut any = false;
    for (text, below) in fields.as_object().into_iter().flatten() {
        let Some(element) = Element::parse(text) else { continue };
        let has_fields = below.as_object().is_some_and(|map| map.keys().any(|key| key != "."));
        let Some(there) = element.find(live).filter(|_| has_fields) else { continue };
        match (&element, &mut *desired) {
            (Element::Field(name), Value::Object(map)) => {
                let blank = |value: &Value| match value {
                    Value::Object(map) => map.is_empty(),
                    Value::Array(items) => items.is_empty(),
                    other => other.is_null(),
                };
                let emptied = match map.get_mut(*name) {
                    None => continue,
                    Some(value) if blank(value) => true,
                    // what has nothing else in it goes with it
                    Some(value) => {
                        let below = prune(value, below, there);
                        any |= below;
                        below && blank(value)
                    }
                };
                if emptied {
                    map.shift_remove(*name);
                    any = true;
                }
            }
            (Element::Item(keys), Value::Array(items)) => {
                if let Some(item) = items.iter_mut().find(|item| super::fields::has_keys(item, keys)) {
                    any |= prune(item, below, there);
                }
            }
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(spec: Value, fields: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "managedFields": [
            {"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": {"f:spec": fields}}]}, "spec": spec})
    }

    #[test]
    fn what_we_applied_is_read_back() {
        let live = live(
            json!({"a": 1, "b": 2, "map": {"x": 1, "y": 2}, "list": [{"name": "z"}, {"name": "q", "v": 1, "w": 2}], "atomic": {"k": [1]}}),
            json!({"f:a": {}, "f:map": {"f:x": {}}, "f:atomic": {}, "f:list": {"k:{\"name\":\"q\"}": {".": {}, "f:v": {}}}}),
        );
        let spec = json!({"a": 1, "map": {"x": 1}, "atomic": {"k": [1]}, "list": [{"v": 1, "name": "q"}]});
        assert_eq!(applied_last(&live).unwrap()["spec"], spec);
    }

    #[test]
    fn a_map_that_becomes_empty_goes_first() {
        let live = live(
            json!({"m": {"a": 1}, "n": {"b": 1}, "list": [{"name": "q", "s": {"c": 1}}], "atomic": {"k": 1}}),
            json!({"f:m": {"f:a": {}}, "f:n": {"f:b": {}}, "f:atomic": {}, "f:list": {"k:{\"name\":\"q\"}": {".": {}, "f:name": {}, "f:s": {"f:c": {}}}}}),
        );
        let object =
            |spec: Value| json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec});
        let desired = object(json!({"m": {}, "n": {"b": 2}, "list": [{"name": "q", "s": {}}], "atomic": {}}));
        let first = object(json!({"n": {"b": 2}, "list": [{"name": "q"}], "atomic": {}}));
        assert_eq!(without_emptied(&desired, &live), Some(first));
        let mut all = object(json!({"m": {}}));
        let first = without_emptied(&all, &live).unwrap();
        all.as_object_mut().unwrap().remove("spec");
        assert_eq!(first, all, "what has nothing else in it goes with it");
        assert_eq!(without_emptied(&object(json!({"m": {"a": 2}, "n": {"c": 1}})), &live), None);
    }
}
