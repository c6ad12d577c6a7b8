//! The walk over two objects. It reports what differs and goes on as long as the caller wants.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::Scope;
use super::keys::{self, Kind, pairing};
use super::path::{Hop, Path};
use crate::object::labels::MANAGER;
use crate::object::{applied_entry, base64, split_api_version};
use crate::readiness::is_builtin;

/// Called for each difference with (where, live, desired).
type Report<'r> = dyn FnMut(&Path, Option<&Value>, Option<&Value>) -> ControlFlow<()> + 'r;

/// Written by the server: no difference.
const SERVER_METADATA: [&str; 8] = [
    "managedFields",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

/// kubectl's copy of the whole object, which says nothing that the fields do not say and would show
/// secrets; and a DaemonSet's generation, which the server counts.
const SERVER_ANNOTATIONS: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deprecated.daemonset.template.generation"];

struct Walk<'r> {
    scope: Scope,
    /// Are lists merged item by item, as the API's schema says?
    merges: bool,
    /// Is the status a part like any other? It is where an apply wrote it: the kind has no subresource
    /// for it.
    status: bool,
    report: &'r mut Report<'r>,
}

/// Compares two objects. Breaks when `report` does.
pub(super) fn compare<'r>(
    live: &Value,
    desired: &Value,
    scope: Scope,
    report: &'r mut Report<'r>,
) -> ControlFlow<()> {
    let (group, _) = split_api_version(desired["apiVersion"].as_str().unwrap_or_default());
    let merges = is_builtin(group) && desired["kind"] != "NetworkPolicy";
    let status = writes_status(live) || writes_status(desired);
    let (live, desired) = (plain_secret(live), plain_secret(desired));
    let mut walk = Walk { scope, merges, status, report };
    match (live.as_object(), desired.as_object()) {
        (Some(live), Some(desired)) => walk.maps(None, live, desired),
        _ => ControlFlow::Continue(()),
    }
}

/// Is this a value of a Secret?
pub(super) fn is_secret(object: &Value, path: &Path) -> bool {
    object["kind"] == "Secret"
        && object["apiVersion"] == "v1"
        && matches!(path.root(), Some("data" | "stringData"))
}

/// A Secret with `stringData` as the server stores it: in `data`, base64.
fn plain_secret(object: &Value) -> Cow<'_, Value> {
    let Some(plain) =
        object.get("stringData").and_then(Value::as_object).filter(|_| object["kind"] == "Secret")
    else {
        return Cow::Borrowed(object);
    };
    let mut out = object.clone();
    let mut data = object["data"].as_object().cloned().unwrap_or_default();
    for (key, value) in plain {
        data.insert(key.clone(), Value::String(base64(value.as_str().unwrap_or_default().as_bytes())));
    }
    if let Some(map) = out.as_object_mut() {
        map.shift_remove("stringData");
        map.insert("data".to_owned(), Value::Object(data));
    }
    Cow::Owned(out)
}

impl Walk<'_> {
    fn ignored(&self, path: &Path) -> bool {
        let Some(key) = path.key() else { return false };
        match path.depth() {
            // apiVersion and kind say which object it is, not how it is.
            1 => matches!(key, "apiVersion" | "kind") || key == "status" && !self.status,
            2 => path.root() == Some("metadata") && SERVER_METADATA.contains(&key),
            3 => path.root() == Some("metadata") && SERVER_ANNOTATIONS.contains(&key),
            _ => false,
        }
    }

    fn maps(
        &mut self,
        path: Option<&Path>,
        live: &Map<String, Value>,
        desired: &Map<String, Value>,
    ) -> ControlFlow<()> {
        for (key, value) in desired {
            let here = Path { parent: path, hop: Hop::Key(key) };
            if !self.ignored(&here) {
                self.values(&here, live.get(key), Some(value))?;
            }
        }
        if self.scope == Scope::Exact {
            for (key, value) in live.iter().filter(|(key, _)| !desired.contains_key(*key)) {
                let here = Path { parent: path, hop: Hop::Key(key) };
                if !self.ignored(&here) {
                    self.values(&here, Some(value), None)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn values(&mut self, path: &Path, live: Option<&Value>, desired: Option<&Value>) -> ControlFlow<()> {
        // null is how a render says absent; what the server stores is taken literally
        let desired = desired.filter(|value| self.scope == Scope::Exact || !value.is_null());
        match (live, desired) {
            (Some(_), None) if self.scope == Scope::Desired => ControlFlow::Continue(()),
            (Some(Value::Object(live)), Some(Value::Object(desired))) => self.maps(Some(path), live, desired),
            // Labels and annotations are reported one by one, as some of them are ignored.
            (None, Some(Value::Object(desired))) if is_metadata(path) => {
                self.maps(Some(path), &Map::new(), desired)
            }
            (Some(Value::Object(live)), None) if is_metadata(path) => {
                self.maps(Some(path), live, &Map::new())
            }
            (Some(Value::Array(live_items)), Some(Value::Array(items))) => {
                self.lists(path, live_items, items, live, desired)
            }
            (live, desired) if live == desired => ControlFlow::Continue(()),
            (live, desired) => (self.report)(path, live, desired),
        }
    }

    fn lists(
        &mut self,
        path: &Path,
        live: &[Value],
        desired: &[Value],
        whole_live: Option<&Value>,
        whole_desired: Option<&Value>,
    ) -> ControlFlow<()> {
        if live == desired {
            return ControlFlow::Continue(());
        }
        let scalar = |items: &[Value]| items.iter().all(|item| !item.is_object() && !item.is_array());
        if scalar(live) && scalar(desired) {
            // Finalizers are a set: others have theirs in it.
            let set = path.key() == Some("finalizers") && self.scope == Scope::Desired;
            return if set && desired.iter().all(|item| live.contains(item)) {
                ControlFlow::Continue(())
            } else {
                (self.report)(path, whole_live, whole_desired)
            };
        }
        let Some(pairing) = pairing(path.key(), live, desired, self.merges) else {
            return self.by_position(path, live, desired);
        };
        for item in desired {
            let here = Path { parent: Some(path), hop: Hop::Item(item, pairing.keys) };
            match live.iter().find(|other| keys::same(pairing.keys, item, other)) {
                Some(other) => self.values(&here, Some(other), Some(item))?,
                None => (self.report)(&here, None, Some(item))?,
            }
        }
        if self.scope == Scope::Exact || pairing.kind == Kind::Atomic {
            for item in live {
                if !desired.iter().any(|other| keys::same(pairing.keys, item, other)) {
                    let here = Path { parent: Some(path), hop: Hop::Item(item, pairing.keys) };
                    (self.report)(&here, Some(item), None)?;
                }
            }
        }
        self.order(path, live, desired, pairing.keys)
    }

    /// The items that both sides have, in another order: shown by their labels.
    fn order(&mut self, path: &Path, live: &[Value], desired: &[Value], by: &[&str]) -> ControlFlow<()> {
        let common = |a: &[Value], b: &[Value]| -> Vec<String> {
            a.iter()
                .filter(|item| b.iter().any(|other| keys::same(by, item, other)))
                .map(|item| super::path::label(item, by))
                .collect()
        };
        let (before, after) = (common(live, desired), common(desired, live));
        if before == after {
            return ControlFlow::Continue(());
        }
        (self.report)(path, Some(&Value::from(before)), Some(&Value::from(after)))
    }

    fn by_position(&mut self, path: &Path, live: &[Value], desired: &[Value]) -> ControlFlow<()> {
        for i in 0..live.len().max(desired.len()) {
            let here = Path { parent: Some(path), hop: Hop::Index(i) };
            match (live.get(i), desired.get(i)) {
                (Some(a), Some(b)) => self.values(&here, Some(a), Some(b))?,
                // The list is replaced as a whole: an item more or less is a difference, even {}.
                (a, b) => (self.report)(&here, a, b)?,
            }
        }
        ControlFlow::Continue(())
    }
}

/// Does an apply of ours own something of the object's status?
pub(super) fn writes_status(object: &Value) -> bool {
    applied_entry(object, MANAGER).is_some_and(|entry| entry["fieldsV1"].get("f:status").is_some())
}

/// The object's own metadata, its labels or its annotations?
fn is_metadata(path: &Path) -> bool {
    path.root() == Some("metadata") && path.depth() <= 2
}
