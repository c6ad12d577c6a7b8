//! Whose entry of managedFields is whose.

use serde_json::Value;

/// What this manager's last server-side apply to the object itself owns: its entry of managedFields.
pub fn applied_entry<'v>(object: &'v Value, manager: &str) -> Option<&'v Value> {
    let mut entries = object["metadata"]["managedFields"].as_array()?.iter();
    entries.find(|entry| {
        entry["manager"] == manager && entry["operation"] == "Apply" && entry.get("subresource").is_none()
    })
}
