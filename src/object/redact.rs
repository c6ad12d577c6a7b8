//! Keeps secrets off the screen: the one place that knows which parts of an object are secret.

use serde_json::Value;

/// What stands in place of a secret value.
pub const MASK: &str = "********";

/// The object with the values of a Secret's `data` and `stringData` masked; other kinds unchanged.
pub fn redact(object: &Value) -> Value {
    let mut out = object.clone();
    if object["kind"] == "Secret" && object["apiVersion"] == "v1" {
        for field in ["data", "stringData"] {
            if let Some(map) = out.get_mut(field).and_then(Value::as_object_mut) {
                for value in map.values_mut() {
                    *value = Value::String(MASK.to_owned());
                }
            }
        }
        // kubectl's copy of the whole object, and the field values inside managedFields keys
        if let Some(annotations) = out.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
            && annotations.contains_key("kubectl.kubernetes.io/last-applied-configuration")
        {
            annotations.insert(
                "kubectl.kubernetes.io/last-applied-configuration".into(),
                Value::String(MASK.to_owned()),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_a_secret_are_masked_and_keys_stay() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"password": "aHVudGVyMg=="}});
        assert_eq!(redact(&secret)["data"], json!({"password": MASK}));
    }

    #[test]
    fn other_kinds_stay_as_they_are() {
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}});
        assert_eq!(redact(&map), map);
    }
}
