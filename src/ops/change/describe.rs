//! One line that says what a revision is for, when nobody says it: `upgrade: prometheus.retention.time`.

use serde_json::Value;

use super::{Look, Verb};

/// Names of changed values in a description; more say nothing more.
const MOST: usize = 3;

/// What the revision of this operation is for.
pub fn describe(look: &Look) -> String {
    match &look.verb {
        Verb::Install => "install".to_owned(),
        Verb::Rollback(to) => format!("rollback to {to}"),
        Verb::Undo { to, components } => format!("{} as in revision {to}", components.join(", ")),
        Verb::Upgrade => {
            let Some(old) = look.seen.latest() else { return "upgrade".to_owned() };
            let mut parts = Vec::new();
            if (&old.bundle.name, &old.bundle.version) != (&look.goal.bundle.name, &look.goal.bundle.version)
            {
                parts.push(format!("{} {}", look.goal.bundle.name, look.goal.bundle.version));
            }
            if old.profile != look.goal.profile {
                parts
                    .push(look.goal.profile.as_ref().map_or("no profile".into(), |p| format!("profile {p}")));
            }
            let mut keys = Vec::new();
            changed(&old.values, &look.goal.values, "", &mut keys);
            let more = keys.len().saturating_sub(MOST);
            parts.extend(keys.into_iter().take(MOST));
            if more > 0 {
                parts.push(format!("{more} more"));
            }
            if parts.is_empty() { "upgrade".to_owned() } else { format!("upgrade: {}", parts.join(", ")) }
        }
    }
}

/// The keys whose values differ, never the values.
fn changed(old: &Value, new: &Value, at: &str, out: &mut Vec<String>) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if !at.is_empty() {
            out.push(at.to_owned());
        }
        return;
    };
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) => changed(old, new, &at, out),
            // a whole branch that is new is known by its leaves
            (Some(Value::Object(map)), None) | (None, Some(Value::Object(map))) if !map.is_empty() => {
                changed(&Value::Object(serde_json::Map::new()), &Value::Object(map.clone()), &at, out);
            }
            _ => out.push(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changed_values_are_named_by_their_keys() {
        let keys = |old: Value, new: Value| {
            let mut out = Vec::new();
            changed(&old, &new, "", &mut out);
            out
        };
        assert_eq!(keys(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 9, "c": 2}})), ["a.b"]);
        assert_eq!(keys(json!({}), json!({"a": {"b": 1}, "d": []})), ["a.b", "d"]);
        assert_eq!(keys(json!({"a": {"b": 1}}), json!({"a": 1})), ["a"]);
        assert_eq!(keys(json!({"a": 1}), json!({"a": 1})), [""; 0]);
    }
}
