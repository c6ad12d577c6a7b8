//! Empty lists that the release no longer wants. managedFields cannot name a list of items that has none
//! (structured-merge-diff lists the items, not the list), so it belongs to nobody, no apply removes it,
//! and only the live object tells that it is there.

use serde_json::Value;

use super::owner::owners;
use crate::diff;

/// What of the object, beside its metadata and status, is empty lists that are not desired and that
/// nobody owns.
pub(super) fn hollow(desired: &Value, object: &Value) -> Vec<diff::Change> {
    if !has_empty(object) {
        return Vec::new();
    }
    let mut found = diff::fields(object, desired, diff::Scope::Exact);
    found.retain(|change| {
        let goes = change.to.as_ref().is_none_or(Value::is_null);
        let ours = matches!(change.steps.first(), Some(diff::Step::Key(key)) if is_content(key));
        goes && ours && change.from.as_ref().is_some_and(is_hollow) && owners(object, change).is_empty()
    });
    found
}

/// Is this part of an object its content: neither what says which one it is, nor its metadata or status?
pub fn is_content(key: &str) -> bool {
    !matches!(key, "apiVersion" | "kind" | "metadata" | "status")
}

/// Is there an empty list in the object, beside its metadata and status?
pub fn has_empty(object: &Value) -> bool {
    let mut parts = object.as_object().into_iter().flatten().filter(|(key, _)| is_content(key));
    parts.any(|(_, part)| has_empty_list(part))
}

/// Is it an empty list, or a map of nothing else? (An empty map has an owner.)
pub fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty() && map.values().all(is_hollow),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(has_empty_list),
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn empty_lists_that_nobody_wants_or_owns_are_found() {
        let desired =
            json!({"metadata": {"name": "x"}, "spec": {"a": 1, "list": [{"name": "q"}], "kept": []}});
        let object = json!({"metadata": {"name": "x", "finalizers": [], "managedFields": [
                {"manager": "someone", "operation": "Update", "fieldsV1": {"f:spec": {"f:theirs": {}}}}]},
            "spec": {"a": 1, "tags": [], "group": {"tags": []}, "map": {}, "theirs": [], "kept": [],
                "list": [{"name": "q", "tags": []}]},
            "status": {"conditions": []}});
        let paths: Vec<String> = hollow(&desired, &object).into_iter().map(|change| change.path).collect();
        assert_eq!(paths, ["spec.list[q].tags", "spec.tags", "spec.group"]);
    }
}
