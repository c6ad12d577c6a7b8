//! Secrets with generated values: the desired object holds none of them, the live one holds all.
//! Before both are compared, and before it is applied, the desired one gets the live values.

use serde_json::{Value, json};

use crate::object::{Object, labels};

/// A value that is made once and then lives on the cluster only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Key in the Secret's data.
    pub key: String,
    /// Characters.
    pub length: usize,
}

/// The values that are generated for an object. The error fits "… has a damaged annotation".
pub fn wanted(object: &Object) -> Result<Vec<Generated>, serde_json::Error> {
    let Some(text) = object.annotation(labels::GENERATED) else { return Ok(Vec::new()) };
    let entries: Vec<Value> = serde_json::from_str(text)?;
    Ok(entries
        .iter()
        .map(|entry| Generated {
            key: entry["key"].as_str().unwrap_or_default().to_owned(),
            length: usize::try_from(entry["length"].as_u64().unwrap_or(32)).unwrap_or(32),
        })
        .collect())
}

/// Does the live object lack a value that is generated for it? Then it must be applied, though
/// nothing else differs.
pub fn lacks(object: &Object, live: &Value) -> bool {
    wanted(object).unwrap_or_default().iter().any(|value| !live["data"][&value.key].is_string())
}

/// The object with those generated values that the live one has; None when nothing is generated
/// for it.
pub fn with_live_values(object: &Object, live: &Value) -> Option<Object> {
    let wanted = wanted(object).unwrap_or_default();
    if wanted.is_empty() {
        return None;
    }
    let mut filled = object.clone();
    for Generated { key, .. } in wanted {
        if let Some(value) = live["data"][&key].as_str() {
            filled.value_mut()["data"][&key] = json!(value);
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_value_is_taken_and_nothing_else() {
        let object = Object::new(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "admin", "annotations": {labels::GENERATED: r#"[{"key":"password","length":20},{"key":"token"}]"#}},
        }))
        .unwrap();
        let live = json!({"data": {"password": "aHVudGVy", "other": "eA=="}});
        let filled = with_live_values(&object, &live).unwrap();
        assert_eq!(filled.value()["data"], json!({"password": "aHVudGVy"}));
        assert!(lacks(&object, &live), "the token is missing");
        assert_eq!(wanted(&object).unwrap()[1], Generated { key: "token".into(), length: 32 });
    }

    #[test]
    fn an_ordinary_object_is_left_alone() {
        let map =
            Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})).unwrap();
        assert_eq!(with_live_values(&map, &json!({})), None);
    }
}
