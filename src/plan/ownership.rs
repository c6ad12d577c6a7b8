//! Whose object is it, and which fields of it do we own? Read from labels and managedFields.

use serde_json::Value;

use crate::object::{Object, labels};

/// Does the live object carry the labels of the desired one's release?
pub fn is_ours(live: &Value, desired: &Object) -> bool {
    [labels::RELEASE, labels::RELEASE_NAMESPACE].iter().all(|key| {
        let ours = desired.label(key);
        ours.is_some() && live["metadata"]["labels"][key].as_str() == ours
    }) && live["metadata"]["labels"][labels::MANAGED_BY] == labels::MANAGER
}

/// Does `manager` own a field by server-side apply that the desired object no longer has? Such a
/// field must be given up by another apply, even when everything desired is live already. True
/// also when the manager has no entry at all: its fields are not ours yet.
pub fn owns_more_than(desired: &Value, live: &Value, manager: &str) -> bool {
    let Some(entries) = live["metadata"]["managedFields"].as_array() else { return true };
    let ours = entries.iter().find(|entry| {
        entry["manager"] == manager && entry["operation"] == "Apply" && entry.get("subresource").is_none()
    });
    match ours {
        Some(entry) => beyond(&entry["fieldsV1"], desired),
        None => true,
    }
}

/// Walks a fieldsV1 tree beside the desired value (structured-merge-diff's path elements: `f:`
/// field, `k:` list item by keys, `v:` set item, `i:` index, `.` the node itself).
fn beyond(fields: &Value, desired: &Value) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(element, below)| match element.split_once(':') {
        None => false,
        Some(("f", name)) => desired.get(name).is_none_or(|value| beyond(below, value)),
        Some(("k", keys)) => {
            let Ok(Value::Object(keys)) = serde_json::from_str::<Value>(keys) else { return true };
            let item = desired.as_array().and_then(|items| {
                // a key that the desired item leaves to its default (protocol: TCP) matches
                items.iter().find(|item| keys.iter().all(|(k, v)| item.get(k).is_none_or(|own| own == v)))
            });
            item.is_none_or(|item| beyond_item(below, item, &keys))
        }
        Some(("v", value)) => {
            let Ok(value) = serde_json::from_str::<Value>(value) else { return true };
            !desired.as_array().is_some_and(|items| items.contains(&value))
        }
        Some(("i", index)) => {
            let item = index.parse::<usize>().ok().and_then(|i| desired.get(i));
            item.is_none_or(|item| beyond(below, item))
        }
        Some(_) => true,
    })
}

/// As [`beyond`], but a list item's key fields may be left to their default.
fn beyond_item(fields: &Value, item: &Value, keys: &serde_json::Map<String, Value>) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(element, below)| {
        let is_key = element.strip_prefix("f:").is_some_and(|name| keys.contains_key(name));
        !is_key && beyond(&serde_json::json!({ element: below }), item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(fields: Value) -> Value {
        json!({"metadata": {"managedFields": [{"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": fields}]}})
    }

    #[test]
    fn a_field_that_is_owned_but_no_longer_wanted_is_seen() {
        let owned = live(json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert!(!owns_more_than(&json!({"data": {"a": "1", "b": "2"}}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"data": {"a": "1"}}), &owned, "kubectl-obs"));
    }

    #[test]
    fn list_items_are_found_by_their_keys_with_defaults_left_out() {
        let owned =
            live(json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}));
        assert!(!owns_more_than(&json!({"ports": [{"port": 80}]}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"ports": [{"port": 81}]}), &owned, "kubectl-obs"));
    }

    #[test]
    fn set_items_are_compared_by_value() {
        let owned = live(json!({"f:finalizers": {"v:\"a\"": {}}}));
        assert!(!owns_more_than(&json!({"finalizers": ["a"]}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"finalizers": []}), &owned, "kubectl-obs"));
    }

    #[test]
    fn without_an_entry_of_ours_an_apply_is_needed() {
        assert!(owns_more_than(&json!({}), &json!({"metadata": {}}), "kubectl-obs"));
    }
}
