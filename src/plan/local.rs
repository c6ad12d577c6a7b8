//! Checks that need no server: kinds whose content is free text, so that the API server's whole
//! validation fits here. They are the many objects of a stack (dashboards, rules, accounts); asking
//! the server about one of them per namespace tells what admission thinks of the rest.

mod plain;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use plain::is_plain;

use crate::object::{Object, type_name};

/// Most bytes of all values of a ConfigMap or Secret, decoded (core/validation: MaxSecretSize).
const MAX_DATA: usize = 1024 * 1024;
/// Longest key (core/validation: DNS1123SubdomainMaxLength).
const MAX_KEY: usize = 253;
/// Most bytes of all annotations, keys included (apimachinery: TotalAnnotationSizeLimitB).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// How a field of its kind is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `true` or `false`.
    Flag,
    /// Text by key.
    Texts,
    /// Base64 by key.
    Bytes,
    /// What [`check`] has looked at.
    Known,
}

/// What is wrong with an object of a kind that can be checked here; None for other kinds.
/// `tests/cluster/local.rs` holds it against a real server.
pub fn check(object: &Object) -> Option<Result<(), String>> {
    use Field::{Bytes, Flag, Known, Texts};
    let known: &[(&str, Field)] = match (object.api_version(), object.kind()) {
        ("v1", "ConfigMap") => &[("data", Texts), ("binaryData", Bytes), ("immutable", Flag)],
        ("v1", "Secret") => &[("data", Bytes), ("stringData", Texts), ("immutable", Flag), ("type", Known)],
        ("v1", "ServiceAccount") => &[("automountServiceAccountToken", Flag)],
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

/// Has the object metadata of nothing but names, labels and annotations, as the server takes them?
pub fn has_plain_metadata(object: &Object) -> bool {
    plain_metadata(&object.value()["metadata"])
}

/// Metadata of nothing but names, labels and annotations, all strings of ordinary size.
fn plain_metadata(metadata: &Value) -> bool {
    metadata.as_object().is_some_and(|metadata| {
        metadata.iter().all(|(field, value)| match field.as_str() {
            "name" | "namespace" => value.as_str().is_some_and(is_name),
            "labels" => strings(value).is_some_and(|mut all| {
                all.all(|(key, value)| is_label_key(key) && (value.is_empty() || is_label(value)))
            }),
            "annotations" => strings(value).is_some_and(|all| {
                let all: Vec<(&String, &str)> = all.collect();
                let size: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
                size <= MAX_ANNOTATIONS && all.iter().all(|(key, _)| is_label_key(key))
            }),
            _ => false,
        })
    })
}

fn fields(object: &Map<String, Value>, known: &[(&str, Field)]) -> Result<(), String> {
    // of a Secret's two maps stringData wins; a ConfigMap's may not share a key
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in object.iter().filter(|(name, _)| !is_common(name)) {
        let Some((_, field)) = known.iter().find(|(known, _)| known == name) else {
            return Err(format!("{name}: unknown field"));
        };
        match (field, value) {
            // as if it were not there
            (_, Value::Null) | (Field::Known, _) | (Field::Flag, Value::Bool(_)) => {}
            (Field::Flag, _) => return Err(format!("{name}: {} is not allowed here", type_name(value))),
            (Field::Texts | Field::Bytes, Value::Object(entries)) => {
                for (key, value) in entries {
                    let size = entry(name, *field, key, value)?;
                    let both = sizes.contains_key(key.as_str());
                    if both && known.iter().any(|(known, _)| *known == "binaryData") {
                        return Err(format!("\"{key}\" is in data and in binaryData"));
                    }
                    if !both || name == "stringData" {
                        sizes.insert(key, size);
                    }
                }
            }
            (Field::Texts | Field::Bytes, _) => {
                return Err(format!("{name}: expected an object, got {}", type_name(value)));
            }
        }
    }
    let size: usize = sizes.values().sum();
    if size > MAX_DATA {
        return Err(format!("its values have {size} bytes, at most {MAX_DATA} are allowed"));
    }
    Ok(())
}

fn is_common(field: &str) -> bool {
    matches!(field, "apiVersion" | "kind" | "metadata")
}

/// The size of one entry. One that is null is stored as an empty text.
fn entry(name: &str, field: Field, key: &str, value: &Value) -> Result<usize, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if key.is_empty()
        || key.len() > MAX_KEY
        || !key.chars().all(allowed)
        || key == "."
        || key.starts_with("..")
    {
        return Err(format!("{name}: \"{key}\" is not a valid key (letters, digits, - _ .)"));
    }
    match value {
        Value::Null => Ok(0),
        Value::String(text) if field == Field::Bytes => {
            decoded(text).ok_or_else(|| format!("{name}.{key}: expected base64, got other text"))
        }
        Value::String(text) => Ok(text.len()),
        other => Err(format!("{name}.{key}: expected a string, got {}", type_name(other))),
    }
}

/// How many bytes a text stands for that Go's base64.StdEncoding reads: ends of lines do not count,
/// padding does, and the bits that are too many in the last letter may be set.
fn decoded(text: &str) -> Option<usize> {
    let letters: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = letters.iter().rev().take_while(|byte| **byte == b'=').count();
    let data = &letters[..letters.len() - padding];
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let whole = letters.len().is_multiple_of(4) && padding <= 2 && data.iter().all(is_letter);
    whole.then(|| letters.len() / 4 * 3 - padding)
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
        assert_eq!(
            checked(json!({"data": null, "binaryData": {"a": null}, "immutable": null})),
            Some(Ok(()))
        );
        let million = "AAAA".repeat(MAX_DATA / 3) + "AA==";
        assert_eq!(
            checked(json!({"binaryData": {"a": million}})),
            Some(Ok(())),
            "decoded it is small enough"
        );
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
            (json!({"automountServiceAccountToken": true}), "automountServiceAccountToken: unknown field"),
            (json!({"binaryData": {"a": "x"}}), "binaryData.a: expected base64, got other text"),
            (json!({"data": {"a": "x"}, "binaryData": {"a": ""}}), "\"a\" is in data and in binaryData"),
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
    fn base64_is_read_as_go_reads_it() {
        for (text, size) in [
            ("", Some(0)),
            ("eA==", Some(1)),
            ("eB==", Some(1)),
            ("eHg=", Some(2)),
            ("e\nHh\r\n4", Some(3)),
            ("eA=", None),
            ("eA", None),
            ("e A=", None),
            ("eA==eA==", None),
            ("====", None),
            ("-_-_", None),
        ] {
            assert_eq!(decoded(text), size, "{text}");
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
