//! Which fields the API server lets nobody change, kind by kind, and whether they differ. From
//! kubernetes/pkg/apis/*/validation (the functions `Validate…Update`), 1.30 to 1.34;
//! `tests/cluster/immutable.rs` holds the table against a real server.

use serde_json::{Map, Value, json};

use super::{group_kind, service};
use crate::diff::{self, Scope};
use crate::object::labels::MANAGER;
use crate::plan::owns_more_than;

/// A field that is fixed once the object exists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// Where, with dots.
    pub path: &'a str,
    /// What the server puts there when it is left out.
    pub default: Option<&'a str>,
    /// Does apply replace it as a whole (`x-kubernetes-map-type: atomic`)? Then what the desired
    /// object leaves out of it is a difference.
    pub whole: bool,
}

pub(super) const fn field(path: &str) -> Field<'_> {
    Field { path, default: None, whole: false }
}

pub(super) const fn whole(path: &str) -> Field<'_> {
    Field { path, default: None, whole: true }
}

pub(super) const fn defaulted<'a>(path: &'a str, default: &'a str) -> Field<'a> {
    Field { path, default: Some(default), whole: false }
}

const SELECTOR: &[Field] = &[whole("spec.selector")];
const ROLE_REF: &[Field] = &[whole("roleRef")];

/// Kinds whose fixed fields are always the same.
const FIXED: [(&str, &str, &[Field]); 15] = [
    ("apps", "Deployment", SELECTOR),
    ("apps", "DaemonSet", SELECTOR),
    ("apps", "ReplicaSet", SELECTOR),
    (
        "batch",
        "Job",
        &[
            whole("spec.selector"),
            field("spec.template"),
            defaulted("spec.completionMode", "NonIndexed"),
            field("spec.podFailurePolicy"),
            field("spec.successPolicy"),
            field("spec.backoffLimitPerIndex"),
            field("spec.managedBy"),
        ],
    ),
    ("rbac.authorization.k8s.io", "RoleBinding", ROLE_REF),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", ROLE_REF),
    (
        "storage.k8s.io",
        "StorageClass",
        &[
            field("provisioner"),
            field("parameters"),
            defaulted("reclaimPolicy", "Delete"),
            defaulted("volumeBindingMode", "Immediate"),
        ],
    ),
    ("storage.k8s.io", "VolumeAttributesClass", &[field("driverName"), field("parameters")]),
    (
        "scheduling.k8s.io",
        "PriorityClass",
        &[field("value"), defaulted("preemptionPolicy", "PreemptLowerPriority")],
    ),
    ("networking.k8s.io", "IngressClass", &[field("spec.controller")]),
    ("node.k8s.io", "RuntimeClass", &[field("handler")]),
    ("discovery.k8s.io", "EndpointSlice", &[field("addressType")]),
    ("", "ResourceQuota", &[field("spec.scopes")]),
    ("", "PersistentVolume", VOLUME),
    // a Secret's type; its data below
    ("", "Secret", &[defaulted("type", "Opaque")]),
];

/// The sources of volumes that people write by hand; a driver's own come from its provisioner.
const VOLUME: &[Field] = &[
    field("spec.csi"),
    field("spec.local"),
    field("spec.nfs"),
    field("spec.hostPath"),
    field("spec.iscsi"),
    field("spec.fc"),
    defaulted("spec.volumeMode", "Filesystem"),
    field("spec.nodeAffinity"),
];

/// The content of a ConfigMap or Secret that says `immutable: true`.
const CONTENT: &[Field] = &[defaulted("immutable", "false"), field("data"), field("binaryData")];

/// Where fixed fields differ, with dots: `spec.selector.matchLabels.app`. StatefulSets, claims and
/// definitions have rules of their own.
pub(super) fn changed(desired: &Value, live: &Value) -> Vec<String> {
    let (group, kind) = group_kind(desired);
    if (group, kind) == ("", "Service") {
        return service::changed(desired, live);
    }
    let known = FIXED.iter().find(|(g, k, _)| (*g, *k) == (group, kind));
    let mut out = differences(desired, live, known.map_or(&[], |(.., fields)| fields));
    match (group, kind) {
        ("", "ConfigMap" | "Secret") if live["immutable"] == true => {
            out.extend(differences(desired, live, CONTENT));
        }
        ("", "PersistentVolume") => out.retain(|path| !is_new_affinity(live, path)),
        ("batch", "Job") if !completions_may_change(desired, live) => {
            out.extend(difference(desired, live, &field("spec.completions")));
        }
        _ => {}
    }
    out
}

/// Where these fields differ.
pub(super) fn differences(desired: &Value, live: &Value, fields: &[Field]) -> Vec<String> {
    fields.iter().flat_map(|field| difference(desired, live, field)).collect()
}

/// Where one field differs after an apply: what is desired, against what is there; and what we
/// applied once, no longer do, and is not the default.
pub(super) fn difference(desired: &Value, live: &Value, field: &Field) -> Vec<String> {
    let (part, live_part) = (only(desired, field.path), only(live, field.path));
    let wanted = at(&part, field.path).is_some();
    if !wanted
        && part.get("stringData").is_none()
        && at(&live_part, field.path).is_none_or(|value| is_default(value, field))
    {
        return Vec::new();
    }
    let scope = if wanted && field.whole { Scope::Exact } else { Scope::Desired };
    let (tidy_live, tidy_part) = (without_empty(&live_part), without_empty(&part));
    // where the maps around the field are new with it, the field is what is meant
    let named = |path: String| if field.path.starts_with(&path) { field.path.to_owned() } else { path };
    let changes = diff::fields(&tidy_live, &tidy_part, scope).into_iter();
    let mut out: Vec<String> = changes.map(|change| named(change.path)).collect();
    if out.is_empty() && gives_up(&part, live, field.path) {
        out.push(field.path.to_owned());
    }
    out
}

/// Without nulls, empty maps and empty lists: to these fields they are the same as nothing.
pub(super) fn without_empty(value: &Value) -> Value {
    let blank = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), without_empty(value)));
            Value::Object(entries.filter(|(_, value)| !blank(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_empty).collect()),
        other => other.clone(),
    }
}

/// A number of completions moves only with the parallelism of an indexed Job (KEP-3715).
fn completions_may_change(desired: &Value, live: &Value) -> bool {
    let wanted = &desired["spec"];
    live["spec"]["completionMode"] == "Indexed"
        && !wanted["completions"].is_null()
        && wanted["completions"] == wanted["parallelism"]
}

/// The nodes of a volume may be told once.
fn is_new_affinity(live: &Value, path: &str) -> bool {
    path.starts_with("spec.nodeAffinity") && live["spec"]["nodeAffinity"].is_null()
}

fn is_default(value: &Value, field: &Field) -> bool {
    match value {
        Value::String(text) => Some(text.as_str()) == field.default,
        other => Some(other.to_string().as_str()) == field.default,
    }
}

/// The object with nothing but one field and the maps around it, so that paths and rules stay those
/// of its kind. A Secret's plain text belongs to its data.
fn only(object: &Value, path: &str) -> Value {
    let mut out = Map::new();
    for field in ["apiVersion", "kind"] {
        out.insert(field.to_owned(), object[field].clone());
    }
    let plain_text = (path == "data").then_some("stringData");
    for path in std::iter::once(path).chain(plain_text) {
        let mut keys = path.rsplit('.');
        let leaf = keys.next().zip(at(object, path)).map(|(key, value)| (key.to_owned(), value.clone()));
        out.extend(keys.fold(Map::from_iter(leaf), |inner, key| {
            Map::from_iter([(key.to_owned(), Value::Object(inner))])
        }));
    }
    Value::Object(out)
}

/// Did our last apply hold something of the field that the desired object does not?
pub(super) fn gives_up(part: &Value, live: &Value, path: &str) -> bool {
    let entries = live["metadata"]["managedFields"].as_array();
    let ours = entries.into_iter().flatten().find(|entry| {
        entry["manager"] == MANAGER && entry["operation"] == "Apply" && entry.get("subresource").is_none()
    });
    let elements = path.split('.').map(|key| format!("f:{key}"));
    let held = elements.clone().try_fold(ours.map(|entry| &entry["fieldsV1"]), |fields, element| {
        fields.map(|fields| fields.get(&element))
    });
    let Some(Some(held)) = held else { return false };
    let held = elements.rev().fold(held.clone(), |inner, element| json!({ element: inner }));
    let alone = json!({"metadata": {"managedFields": [
        {"manager": MANAGER, "operation": "Apply", "fieldsV1": held}
    ]}});
    owns_more_than(&plain_text_as_data(part), &alone, MANAGER)
}

/// `stringData` is stored as `data`: for a question about keys their values do not matter.
fn plain_text_as_data(part: &Value) -> Value {
    let Some(plain) = part["stringData"].as_object() else { return part.clone() };
    let mut out = part.clone();
    let mut data = part["data"].as_object().cloned().unwrap_or_else(Map::new);
    data.extend(plain.clone());
    out["data"] = Value::Object(data);
    out
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, key| value.get(key)).filter(|value| !value.is_null())
}
