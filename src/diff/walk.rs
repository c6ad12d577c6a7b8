//! The walk over two objects. It reports what differs and goes on as long as the caller wants.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::Scope;
use super::keys::{self, Kind, pairing};
use super::path::{Hop, Path};
use super::quantity;
use crate::object::split_api_version;
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

/// kubectl's copy of the whole object: says nothing that the fields do not say, and would show secrets.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Empty maps that mean something: "a volume of this type", "everything".
const MEANS_SOMETHING_EMPTY: [&str; 3] = ["emptyDir", "podSelector", "namespaceSelector"];

struct Walk<'r> {
    scope: Scope,
    /// Are lists merged item by item, as the API's schema says?
    merges: bool,
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
    let (live, desired) = (plain_secret(live), plain_secret(desired));
    let mut walk = Walk { scope, merges, report };
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

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

impl Walk<'_> {
    fn maps(
        &mut self,
        path: Option<&Path>,
        live: &Map<String, Value>,
        desired: &Map<String, Value>,
    ) -> ControlFlow<()> {
        for (key, value) in desired {
            let here = Path { parent: path, hop: Hop::Key(key) };
            if !ignored(&here) {
                self.values(&here, live.get(key), Some(value))?;
            }
        }
        if self.scope == Scope::All {
            for (key, value) in live.iter().filter(|(key, _)| !desired.contains_key(*key)) {
                let here = Path { parent: path, hop: Hop::Key(key) };
                if !ignored(&here) {
                    self.values(&here, Some(value), None)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn values(&mut self, path: &Path, live: Option<&Value>, desired: Option<&Value>) -> ControlFlow<()> {
        // null is how JSON writes absent.
        let (live, desired) = (live.filter(|v| !v.is_null()), desired.filter(|v| !v.is_null()));
        match (live, desired) {
            (None, None) => ControlFlow::Continue(()),
            (Some(value), None) if self.scope == Scope::Desired || means_nothing(path, value) => {
                ControlFlow::Continue(())
            }
            (None, Some(value)) if means_nothing(path, value) => ControlFlow::Continue(()),
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
            (Some(a), Some(b)) if scalars_equal(path, a, b) => ControlFlow::Continue(()),
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
            let same = if set {
                desired.iter().all(|item| live.contains(item))
            } else {
                live.len() == desired.len()
                    && live.iter().zip(desired).all(|(a, b)| scalars_equal(path, a, b))
            };
            return if same {
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
        if self.scope == Scope::All || pairing.kind == Kind::Atomic {
            for item in live {
                if !desired.iter().any(|other| keys::same(pairing.keys, item, other)) {
                    let here = Path { parent: Some(path), hop: Hop::Item(item, pairing.keys) };
                    (self.report)(&here, Some(item), None)?;
                }
            }
        }
        if pairing.ordered {
            self.order(path, live, desired, pairing.keys)?;
        }
        ControlFlow::Continue(())
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

fn ignored(path: &Path) -> bool {
    let Some(key) = path.key() else { return false };
    match path.depth() {
        // apiVersion and kind say which object it is, not how it is.
        1 => matches!(key, "status" | "apiVersion" | "kind"),
        2 => path.root() == Some("metadata") && SERVER_METADATA.contains(&key),
        3 => path.root() == Some("metadata") && key == LAST_APPLIED,
        _ => false,
    }
}

/// The object's own metadata, its labels or its annotations?
fn is_metadata(path: &Path) -> bool {
    path.root() == Some("metadata") && path.depth() <= 2
}

/// Is a value here the same as none?
fn means_nothing(path: &Path, value: &Value) -> bool {
    !path.key().is_some_and(|key| MEANS_SOMETHING_EMPTY.contains(&key)) && is_empty(value)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => {
            map.iter().all(|(key, value)| !MEANS_SOMETHING_EMPTY.contains(&key.as_str()) && is_empty(value))
        }
        _ => false,
    }
}

fn scalars_equal(path: &Path, a: &Value, b: &Value) -> bool {
    a == b
        || match (a, b) {
            // 1 and 1.0 are one number in JSON.
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()),
            _ => quantity::is_quantity(path) && quantity::equal(a, b),
        }
}
