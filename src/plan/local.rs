//! Checks that need no server: kinds whose content is free text, so that the API server's whole
//! validation fits here. They are the many objects of a stack (dashboards, rules, accounts); asking
//! the server about one of them per namespace tells what admission thinks of the rest.

mod plain;

use serde_json::{Map, Value};

pub use plain::is_plain;

use crate::object::{Object, type_name};

/// Most bytes of all values of a ConfigMap or Secret (core/validation: MaxSecretSize).
const MAX_DATA: usize = 1024 * 1024;
/// Longest key (core/validation: DNS1123SubdomainMaxLength).
const MAX_KEY: usize = 253;

/// What is wrong with an object of a kind that can be checked here; None for other kinds.
pub fn check(object: &Object) -> Option<Result<(), String>> {
    let known: &[&str] = match (object.api_version(), object.kind()) {
        ("v1", "ConfigMap") => &["data", "binaryData", "immutable"],
        ("v1", "Secret") => &["data", "stringData", "immutable", "type"],
        ("v1", "ServiceAccount") => &["automountServiceAccountToken", "imagePullSecrets", "secrets"],
        _ => return None,
    };
    // a typed Secret has rules of its own, references are objects: the server knows those
    let value = object.value();
    let typed = value.get("type").is_some_and(|kind| kind != "Opaque");
    let lists = ["imagePullSecrets", "secrets"].iter().any(|field| value.get(field).is_some());
    if typed || lists || !plain_metadata(&value["metadata"]) {
        return None;
    }
    Some(fields(value.as_object()?, known))
}

/// Metadata of nothing but names, labels and annotations, all strings of ordinary size.
fn plain_metadata(metadata: &Value) -> bool {
    metadata.as_object().is_some_and(|metadata| {
        metadata.iter().all(|(field, value)| match field.as_str() {
            "name" | "namespace" => value.as_str().is_some_and(is_name),
            "labels" => strings(value).is_some_and(|mut all| {
                all.all(|(key, value)| is_label_key(key) && (value.is_empty() || is_label(value)))
            }),
            "annotations" => strings(value)
                .is_some_and(|mut all| all.all(|(key, value)| is_label_key(key) && value.len() < 100_000)),
            _ => false,
        })
    })
}

fn fields(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    let mut size = 0;
    for (field, value) in object {
        match field.as_str() {
            "apiVersion" | "kind" | "metadata" => {}
            "immutable" | "automountServiceAccountToken" if value.is_boolean() => {}
            "type" if value.is_string() => {}
            "data" | "binaryData" | "stringData" if known.contains(&field.as_str()) => {
                let Some(entries) = value.as_object() else {
                    return Err(format!("{field}: expected an object, got {}", type_name(value)));
                };
                for (key, value) in entries {
                    size += entry(field, key, value)?;
                }
            }
            _ if known.contains(&field.as_str()) => {
                return Err(format!("{field}: {} is not allowed here", type_name(value)));
            }
            _ => return Err(format!("{field}: unknown field")),
        }
    }
    if size > MAX_DATA {
        return Err(format!("its values have {size} bytes, at most {MAX_DATA} are allowed"));
    }
    Ok(())
}

/// The size of one entry.
fn entry(field: &str, key: &str, value: &Value) -> Result<usize, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if key.is_empty()
        || key.len() > MAX_KEY
        || !key.chars().all(allowed)
        || key == "."
        || key.starts_with("..")
    {
        return Err(format!("{field}: \"{key}\" is not a valid key (letters, digits, - _ .)"));
    }
    value
        .as_str()
        .map(str::len)
        .ok_or_else(|| format!("{field}.{key}: expected a string, got {}", type_name(value)))
}

fn strings(value: &Value) -> Option<impl Iterator<Item = (&String, &str)>> {
    let map = value.as_object()?;
    map.values().all(Value::is_string).then(|| map.iter().filter_map(|(k, v)| Some((k, v.as_str()?))))
}

/// RFC 1123 subdomain.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_KEY
        && name.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
        })
}

/// A label's value, or the name part of its key.
fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_name(prefix) && is_label(name),
        None => is_label(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(extra: Value) -> Option<Result<(), String>> {
        let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "y", "labels": {"a/b": "c"}}});
        if let (Some(map), Value::Object(extra)) = (value.as_object_mut(), extra) {
            map.extend(extra);
        }
        check(&Object::new(value).unwrap())
    }

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        assert_eq!(checked(json!({})), Some(Ok(())));
        assert_eq!(checked(json!({"data": {"a.yaml": "x", "_b": ""}, "immutable": true})), Some(Ok(())));
    }

    #[test]
    fn what_the_api_server_refuses_is_refused() {
        let cases = [
            (json!({"data": {"a b": "x"}}), "data: \"a b\" is not a valid key (letters, digits, - _ .)"),
            (json!({"data": {"..x": "x"}}), "data: \"..x\" is not a valid key (letters, digits, - _ .)"),
            (json!({"data": {"a": 1}}), "data.a: expected a string, got a number"),
            (json!({"data": []}), "data: expected an object, got a list"),
            (json!({"spec": {}}), "spec: unknown field"),
            (json!({"stringData": {}}), "stringData: unknown field"),
            (json!({"immutable": "yes"}), "immutable: a string is not allowed here"),
            (
                json!({"data": {"a": "x".repeat(MAX_DATA + 1)}}),
                "its values have 1048577 bytes, at most 1048576 are allowed",
            ),
        ];
        for (extra, message) in cases {
            assert_eq!(checked(extra), Some(Err(message.to_owned())));
        }
    }

    #[test]
    fn what_has_rules_of_its_own_is_left_to_the_server() {
        let object = |value| check(&Object::new(value).unwrap());
        assert_eq!(
            object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}})),
            None
        );
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "x"}});
        assert_eq!(object(secret), None);
        assert_eq!(checked(json!({"metadata": {"name": "x", "ownerReferences": []}})), None);
        assert_eq!(checked(json!({"metadata": {"name": "X"}})), None);
    }
}
