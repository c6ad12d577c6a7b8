//! How the items of two lists are paired: by the fields that identify them, else by position.

use serde_json::Value;

/// What happens to items that only one side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Items are owned one by one (`x-kubernetes-list-type: map`): others may add their own.
    Map,
    /// The list is replaced as a whole: what one side lacks is a difference.
    Atomic,
}

/// How to pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    pub keys: &'static [&'static str],
    pub kind: Kind,
}

/// Kubernetes OpenAPI: `x-kubernetes-list-map-keys`. Lists that the API replaces as a whole are
/// paired as well, so that a difference names the item.
const KNOWN: [(&str, &[&str], Kind); 23] = [
    ("containers", &["name"], Kind::Map),
    ("initContainers", &["name"], Kind::Map),
    ("ephemeralContainers", &["name"], Kind::Map),
    ("volumes", &["name"], Kind::Map),
    ("env", &["name"], Kind::Map),
    ("imagePullSecrets", &["name"], Kind::Map),
    ("secrets", &["name"], Kind::Map),
    ("webhooks", &["name"], Kind::Map),
    ("volumeMounts", &["mountPath"], Kind::Map),
    ("volumeDevices", &["devicePath"], Kind::Map),
    ("hostAliases", &["ip"], Kind::Map),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"], Kind::Map),
    ("conditions", &["type"], Kind::Map),
    ("ownerReferences", &["uid"], Kind::Map),
    ("ports", &["containerPort", "protocol"], Kind::Map),
    ("ports", &["port", "protocol"], Kind::Map),
    ("volumeClaimTemplates", &["metadata.name"], Kind::Atomic),
    ("tolerations", &["key", "effect"], Kind::Atomic),
    ("subjects", &["kind", "name"], Kind::Atomic),
    ("rules", &["alert"], Kind::Atomic),
    ("rules", &["record"], Kind::Atomic),
    ("items", &["key"], Kind::Atomic),
    ("versions", &["name"], Kind::Atomic),
];

/// Fields that identify items of lists that are not known.
const USUAL: [&[&str]; 5] = [&["name"], &["key"], &["type"], &["mountPath"], &["id"]];

/// How the items of the list `name` are paired; None: by position. `merges` is false for kinds
/// whose schema is not known (custom resources, and NetworkPolicy, whose lists are all atomic).
pub(super) fn pairing(
    name: Option<&str>,
    live: &[Value],
    desired: &[Value],
    merges: bool,
) -> Option<Pairing> {
    let known = KNOWN.iter().filter(|(list, ..)| Some(*list) == name).map(|(_, keys, kind)| (*keys, *kind));
    let usual = USUAL.iter().map(|keys| (*keys, Kind::Atomic));
    known.chain(usual).find(|(keys, _)| identifies(keys, live) && identifies(keys, desired)).map(
        |(keys, kind)| {
            let kind = if merges { kind } else { Kind::Atomic };
            Pairing { keys, kind }
        },
    )
}

/// Has every item the first key, and is the combination unique? Quadratic, on purpose: the lists
/// are short and nothing is allocated.
fn identifies(keys: &[&str], items: &[Value]) -> bool {
    items.iter().enumerate().all(|(i, item)| {
        keys.first().is_some_and(|key| value(item, key).is_some())
            && !items[..i].iter().any(|other| same(keys, item, other))
    })
}

/// Have two items the same key values?
pub(super) fn same(keys: &[&str], a: &Value, b: &Value) -> bool {
    keys.iter().all(|key| value(a, key) == value(b, key))
}

/// The value of a key field, `metadata.name` included. A port without protocol is TCP.
pub(super) fn value<'a>(item: &'a Value, key: &str) -> Option<&'a Value> {
    static TCP: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::String("TCP".to_owned()));
    let found = key.split('.').try_fold(item, |value, step| value.get(step));
    match found {
        None if key == "protocol" => Some(&TCP),
        found => found.filter(|value| value.is_string() || value.is_number()),
    }
}
