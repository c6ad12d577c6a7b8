//! A Kubernetes object as the tool sees it: JSON that is never round-tripped through types, with
//! its identity, labels, redacted form and content hash.

mod base64;
pub mod builtin;
mod id;
mod image;
pub mod labels;
mod managed;
pub mod pods;
mod redact;

pub use base64::{base64, unbase64};
pub use id::{Kind, ObjectId};
pub use image::Image;
pub use managed::applied_entry;
pub use redact::{MASK, redact};

use serde_json::Value;

/// A Kubernetes object with apiVersion, kind and metadata.name checked once, when it was made.
/// It has no `Display` and no `Serialize`: what reaches a screen goes through [`Object::redacted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    value: Value,
}

impl Object {
    /// Checks that `value` is a Kubernetes object. The error says what is missing, in words that
    /// fit "templates/x.yaml: …".
    pub fn new(value: Value) -> Result<Self, String> {
        let Some(map) = value.as_object() else {
            return Err(format!("expected an object, got {}", type_name(&value)));
        };
        for field in ["apiVersion", "kind"] {
            match map.get(field) {
                Some(Value::String(s)) if !s.is_empty() => {}
                _ => return Err(format!("the object has no {field}")),
            }
        }
        match value.pointer("/metadata/name") {
            Some(Value::String(s)) if !s.is_empty() => Ok(Self { value }),
            _ => Err(format!("the {} has no metadata.name", map["kind"].as_str().unwrap_or("object"))),
        }
    }

    /// The object itself, secrets included. For the wire and for records only.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Changes the object. The caller keeps apiVersion, kind and name in place.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// The object itself.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// For example `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// For example `Deployment`.
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// metadata.name
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// metadata.namespace; None for cluster-scoped objects.
    pub fn namespace(&self) -> Option<&str> {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// Group, kind, namespace and name: what the object is, whatever version it is written in.
    pub fn id(&self) -> ObjectId {
        let (group, _) = split_api_version(self.api_version());
        ObjectId {
            group: group.to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.value.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.value.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// The form that may be displayed or serialised for output: values of Secrets are masked.
    pub fn redacted(&self) -> Value {
        redact(&self.value)
    }
}

/// `apps/v1` → (`apps`, `v1`); `v1` → (``, `v1`).
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// A word for a JSON type, for messages.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
