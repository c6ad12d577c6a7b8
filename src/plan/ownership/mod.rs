//! Whose object is it, and who owns which of its fields? Read from labels and managedFields.
//!
//! | file | what it is for |
//! |---|---|
//! | `fields` | the trees of managedFields |
//! | `owner` | who owns the field that a difference is about; kubectl and Helm among them |
//! | `conflicts` | what the server would refuse |
//! | `scale` | replicas that an autoscaler decides |
//! | `takeover` | how an object that kubectl or Helm made becomes ours |

mod conflicts;
mod fields;
mod owner;
mod scale;
mod takeover;

use serde_json::Value;

use fields::Element;

pub use conflicts::{Conflict, conflicts, conflicts_with_ourselves};
pub use owner::{Owner, is_hand_tool, owners};
pub use scale::scaled_elsewhere;
pub use takeover::{HelmRelease, Takeover, takeover};

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

/// Walks a fieldsV1 tree beside the desired value.
fn beyond(fields: &Value, desired: &Value) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(element, below)| match Element::parse(element) {
        // the node itself; what cannot be read may be anything
        None => element.contains(':'),
        Some(element) => element.find(desired).is_none_or(|found| match &element {
            Element::Item(keys) => beyond_item(below, found, keys),
            _ => beyond(below, found),
        }),
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
