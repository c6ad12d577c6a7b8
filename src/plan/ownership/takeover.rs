//! How an object that kubectl or Helm made becomes ours. Server-side apply removes a field that is
//! no longer desired only when our own entry had it, so adoption moves what kubectl and Helm own
//! into that entry; otherwise their fields would stay for ever and conflict at every change.
//!
//! client-go does the same when kubectl goes over to server-side apply (`util/csaupgrade`). It
//! unites entries of one API version only and drops the rest, which leaves fields without owner.
//! Here the entry gets the version that the object was read in, and of entries in other versions
//! those fields go over that this version has at the same place; no field is claimed that a
//! version renamed or moved.
//!
//! What is known of Helm (4.3, pkg/action and pkg/kube; held by `tests/cluster/takeover.rs`): an
//! upgrade that no longer has the object in its chart spares it when the *live* object says
//! `helm.sh/resource-policy: keep`. An uninstall reads that annotation from the *stored manifest*;
//! it spares the object because the `meta.helm.sh` annotations are gone, which Helm before 4.3 does
//! not look at: there, only removing the release's Secrets instead of uninstalling it is safe.

use serde_json::{Map, Value, json};

use super::additions::RESTARTED_AT;
use super::fields::FieldSet;
use super::owner::{Owner, entries};
use crate::object::labels::MANAGER;
use crate::values::pointer;

/// kubectl's copy of the object as it was last applied from the client.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const HELM_NAME: &str = "meta.helm.sh/release-name";
const HELM_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Helm deletes no object with this annotation when it leaves the chart.
const HELM_POLICY: &str = "helm.sh/resource-policy";

/// A release of Helm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelmRelease {
    /// For example `prometheus`.
    pub name: String,
    /// The namespace of its records; empty when the object does not say.
    pub namespace: String,
}

/// What makes an object ours, short of its desired state: that is the next apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// A JSON patch (RFC 6902) for exactly this state of the object: it fails with 409 when the
    /// object was changed since, and with 422 when another one has its name.
    pub patch: Value,
    /// The field managers whose fields go over, without repetition.
    pub managers: Vec<String>,
    /// The Helm release that it is taken from. Its records still list it.
    pub helm: Option<HelmRelease>,
}

/// The takeover of a live object from kubectl and Helm; None when there is nothing of theirs.
///
/// All they own by any write but to a subresource goes over, labels that a person added with
/// kubectl included: the next apply removes what is not desired. So this is for adoption, not for
/// objects that are ours. Controllers keep their fields.
pub fn takeover(live: &Value) -> Option<Takeover> {
    let managed = managed_fields(live, Owner::is_hand_tool);
    let metadata = &live["metadata"];
    let annotation = |key: &str| metadata["annotations"].get(key).and_then(Value::as_str);
    let helm = annotation(HELM_NAME).map(|name| HelmRelease {
        name: name.to_owned(),
        namespace: annotation(HELM_NAMESPACE).unwrap_or_default().to_owned(),
    });

    let mut changes = Vec::new();
    if let Some((entries, _)) = &managed {
        changes.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    for key in [LAST_APPLIED, HELM_NAME, HELM_NAMESPACE] {
        if annotation(key).is_some() {
            changes.push(json!({"op": "remove", "path": annotation_pointer(key)}));
        }
    }
    if changes.is_empty() {
        return None;
    }
    let managers = managed.map(|(_, managers)| managers).unwrap_or_default();
    // Set by this patch and not by an apply, it belongs to our entry for updates: no later apply
    // drops it.
    if helm.is_some() && annotation(HELM_POLICY) != Some("keep") {
        changes.push(json!({"op": "add", "path": annotation_pointer(HELM_POLICY), "value": "keep"}));
    }
    Some(Takeover { patch: exactly(live, changes), managers, helm })
}

/// The live object as it is once a takeover is done: with other managedFields.
pub fn taken(live: &Value) -> Value {
    let mut out = live.clone();
    let patch = takeover(live).map(|takeover| takeover.patch).unwrap_or_default();
    let entries = patch.as_array().into_iter().flatten().find(|op| op["path"] == "/metadata/managedFields");
    if let Some(op) = entries {
        out["metadata"]["managedFields"] = op["value"].clone();
    }
    out
}

/// What makes our own entry one of the version that `live` was read in, and of what we made the object by;
/// None when it is, or when we have none. The server compares an apply with the one before in the version of
/// that one: where a field came with the new version, it cannot, and where the old one is gone, nothing is
/// removed.
pub fn carry_over(live: &Value) -> Option<Takeover> {
    let (entries, managers) = managed_fields(live, Owner::is_our_creation)?;
    let changes = vec![json!({"op": "replace", "path": "/metadata/managedFields", "value": entries})];
    Some(Takeover { patch: exactly(live, changes), managers, helm: None })
}

/// What makes our entry this one: the object is as it describes it. What was written at once under a name of
/// its own ([`CREATOR`](crate::object::labels::CREATOR)) goes into it. None when nothing changes.
pub fn own(live: &Value, entry: &Value) -> Option<Takeover> {
    let others = entries(live).filter(|entry| {
        let owner = Owner::of(entry);
        !owner.is_our_apply() && !owner.is_our_creation()
    });
    let all: Vec<&Value> = std::iter::once(entry).chain(others).collect();
    if entries(live).eq(all.iter().copied()) {
        return None;
    }
    let changes = vec![json!({"op": "replace", "path": "/metadata/managedFields", "value": all})];
    Some(Takeover { patch: exactly(live, changes), managers: Vec::new(), helm: None })
}

/// The operations of a JSON patch, for exactly this state of the object.
pub fn at_once(live: &Value, operations: &[Value]) -> Value {
    exactly(live, operations.to_vec())
}

/// Is our last apply in another version than the one that is wanted, or still that of the creation?
pub fn must_carry_over(live: &Value, wanted: &str) -> bool {
    entries(live).any(|entry| {
        let owner = Owner::of(entry);
        owner.is_our_creation() || owner.is_our_apply() && entry["apiVersion"] != wanted
    })
}

/// The changes, for exactly this state of the object.
fn exactly(live: &Value, mut changes: Vec<Value>) -> Value {
    let metadata = &live["metadata"];
    let mut patch = Vec::new();
    if let Some(uid) = metadata.get("uid") {
        patch.push(json!({"op": "test", "path": "/metadata/uid", "value": uid}));
    }
    // Written instead of tested, as client-go does: a test that fails is a 422 without a reason, a
    // write of an old version is a 409.
    if let Some(version) = metadata.get("resourceVersion") {
        patch.push(json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}));
    }
    patch.append(&mut changes);
    Value::Array(patch)
}

/// The entries as they should be, and whose went over; None when nothing changes.
fn managed_fields(live: &Value, goes_over: impl Fn(&Owner) -> bool) -> Option<(Vec<Value>, Vec<String>)> {
    let theirs = |owner: &Owner| goes_over(owner) && owner.subresource.is_none();
    let (mut fields, mut managers, mut time) = (FieldSet::default(), Vec::new(), None::<&str>);
    let (mut others, mut moved) = (Vec::new(), false);
    for entry in entries(live) {
        let owner = Owner::of(entry);
        if !theirs(&owner) && !owner.is_our_apply() {
            others.push(entry.clone());
            continue;
        }
        let mut set = FieldSet::parse(&entry["fieldsV1"]);
        if entry["apiVersion"] != live["apiVersion"] {
            moved = true;
            set.keep_in(live);
        }
        // a restart stays whose it is: taken over, it would go with the next apply, which is another one
        let restart = match theirs(&owner) {
            true => set.take(&format!("f:{RESTARTED_AT}")),
            false => FieldSet::default(),
        };
        if !restart.is_empty() {
            let mut entry = entry.clone();
            entry["fieldsV1"] = restart.to_value();
            others.push(entry);
        }
        let moves = theirs(&owner) && !set.is_empty();
        fields.unite(set);
        // one format, one zone: the later time is the greater text
        time = time.max(entry["time"].as_str());
        if moves && !managers.contains(&owner.manager) {
            managers.push(owner.manager);
        }
    }
    if managers.is_empty() && !moved {
        return None;
    }
    // what this patch removes, and what must outlive our applies
    for key in [LAST_APPLIED, HELM_NAME, HELM_NAMESPACE, HELM_POLICY] {
        fields.remove(&["f:metadata", "f:annotations", &format!("f:{key}")]);
    }
    if !fields.is_empty() {
        let mut entry = Map::new();
        entry.insert("manager".to_owned(), json!(MANAGER));
        entry.insert("operation".to_owned(), json!("Apply"));
        entry.insert("apiVersion".to_owned(), live["apiVersion"].clone());
        if let Some(time) = time {
            entry.insert("time".to_owned(), json!(time));
        }
        entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
        entry.insert("fieldsV1".to_owned(), fields.to_value());
        others.insert(0, Value::Object(entry));
    }
    Some((others, managers))
}

fn annotation_pointer(key: &str) -> String {
    pointer::join("/metadata/annotations", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "time": "2026-11-21T10:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn live(annotations: Value, entries: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "2"}, "metadata": {"name": "x",
            "uid": "u", "resourceVersion": "7", "annotations": annotations, "managedFields": entries}})
    }

    fn data(keys: &[&str]) -> Value {
        let keys: Map<String, Value> = keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
        json!({ "f:data": keys })
    }

    /// The entries after the takeover: manager, operation, fields.
    fn after(takeover: &Takeover) -> Vec<(String, String, Value)> {
        let patch = takeover.patch.as_array().unwrap();
        let replace = patch.iter().find(|op| op["path"] == "/metadata/managedFields").unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = replace["value"].as_array().unwrap().iter();
        entries.map(|e| (text(&e["manager"]), text(&e["operation"]), e["fieldsV1"].clone())).collect()
    }

    #[test]
    fn what_kubectl_and_helm_own_becomes_ours() {
        let ours = |fields: Value| ("kubectl-obs".to_owned(), "Apply".to_owned(), fields);
        // (entries, all our fields afterwards, whose they were)
        let cases = [
            (
                json!([entry("kubectl-client-side-apply", "Update", data(&["a"]))]),
                data(&["a"]),
                vec!["kubectl-client-side-apply"],
            ),
            (json!([entry("kubectl", "Apply", data(&["a"]))]), data(&["a"]), vec!["kubectl"]),
            (
                json!([entry("helm", "Apply", data(&["a"])), entry("helm", "Update", data(&["b"]))]),
                data(&["a", "b"]),
                vec!["helm"],
            ),
            (
                json!([
                    entry("kubectl-create", "Update", data(&["a"])),
                    entry("kubectl-edit", "Update", data(&["b"]))
                ]),
                data(&["a", "b"]),
                vec!["kubectl-create", "kubectl-edit"],
            ),
            (
                json!([
                    entry("kubectl-obs", "Apply", data(&["a"])),
                    entry("kubectl-edit", "Update", data(&["b"]))
                ]),
                data(&["a", "b"]),
                vec!["kubectl-edit"],
            ),
        ];
        for (entries, fields, managers) in cases {
            let takeover = takeover(&live(json!({}), entries)).unwrap();
            assert_eq!(after(&takeover), [ours(fields)]);
            assert_eq!(
                (takeover.managers, takeover.helm),
                (managers.into_iter().map(str::to_owned).collect(), None)
            );
        }
    }

    #[test]
    fn others_keep_what_they_have() {
        let mut scale = entry("kubectl", "Update", json!({"f:spec": {"f:replicas": {}}}));
        scale["subresource"] = json!("scale");
        let controller = entry("argocd-controller", "Apply", data(&["a"]));
        let patched = entry("kubectl-obs", "Update", json!({"f:metadata": {"f:labels": {"f:l": {}}}}));
        for only_others in [json!([scale]), json!([controller]), json!([patched]), json!([]), Value::Null] {
            assert_eq!(takeover(&live(json!({}), only_others)), None);
        }
        let all = json!([scale, controller, patched, entry("kubectl-edit", "Update", data(&["b"]))]);
        let takeover = takeover(&live(json!({}), all)).unwrap();
        let managers: Vec<_> =
            after(&takeover).into_iter().map(|(manager, operation, _)| (manager, operation)).collect();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            managers,
            [
                pair("kubectl-obs", "Apply"),
                pair("kubectl", "Update"),
                pair("argocd-controller", "Apply"),
                pair("kubectl-obs", "Update")
            ]
        );
    }

    #[test]
    fn helm_lets_go_and_is_told_to_keep_the_object() {
        let annotations = json!({HELM_NAME: "prom", HELM_NAMESPACE: "monitoring", "other": "x"});
        let owned = json!({"f:metadata": {"f:annotations": {".": {}, "f:meta.helm.sh/release-name": {},
            "f:meta.helm.sh/release-namespace": {}, "f:helm.sh/resource-policy": {}, "f:other": {}}}});
        let takeover = takeover(&live(annotations, json!([entry("helm", "Update", owned)]))).unwrap();
        assert_eq!(takeover.helm, Some(HelmRelease { name: "prom".into(), namespace: "monitoring".into() }));
        let ours = json!({"f:metadata": {"f:annotations": {".": {}, "f:other": {}}}});
        assert_eq!(after(&takeover)[0].2, ours, "the policy must not be in our set");
        let patch = takeover.patch.as_array().unwrap();
        assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/uid", "value": "u"}));
        assert_eq!(patch[1], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}));
        assert_eq!(
            patch[3..],
            [
                json!({"op": "remove", "path": "/metadata/annotations/meta.helm.sh~1release-name"}),
                json!({"op": "remove", "path": "/metadata/annotations/meta.helm.sh~1release-namespace"}),
                json!({"op": "add", "path": "/metadata/annotations/helm.sh~1resource-policy", "value": "keep"}),
            ]
        );
    }

    #[test]
    fn fields_of_another_version_go_over_where_they_are_still_at_their_place() {
        let mut old =
            entry("kubectl-edit", "Update", json!({"f:data": {"f:a": {}}, "f:renamed": {"f:x": {}}}));
        old["apiVersion"] = json!("v1beta1");
        let takeover = takeover(&live(json!({}), json!([old]))).unwrap();
        assert_eq!(after(&takeover)[0].2, data(&["a"]));
        assert_eq!(takeover.patch[2]["value"][0]["apiVersion"], "v1");
    }

    #[test]
    fn an_annotation_alone_goes_too() {
        let takeover = takeover(&live(json!({LAST_APPLIED: "{}"}), json!([]))).unwrap();
        let path = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        assert_eq!(takeover.patch[2], json!({"op": "remove", "path": path}));
        assert_eq!(takeover.patch.as_array().unwrap().len(), 3);
    }

    #[test]
    fn our_entry_follows_the_version() {
        let ours = |version: &str| {
            let mut entry = entry("kubectl-obs", "Apply", json!({"f:data": {"f:a": {}, "f:renamed": {}}}));
            entry["apiVersion"] = json!(version);
            live(json!({}), json!([entry]))
        };
        let carried = carry_over(&ours("v1beta1")).unwrap();
        assert_eq!(after(&carried)[0].2, data(&["a"]));
        assert_eq!(carried.patch[2]["value"][0]["apiVersion"], "v1");
        assert_eq!(carry_over(&ours("v1")), None);
        assert!(must_carry_over(&ours("v1beta1"), "v1"));
        // made by a manager of its own: its fields go over
        let made = json!([entry("kubectl-obs-create-1a2b", "Apply", data(&["a"]))]);
        let made = live(json!({}), made);
        assert!(must_carry_over(&made, "v1"));
        let carried = after(&carry_over(&made).unwrap());
        assert_eq!((carried.len(), &carried[0].2), (1, &data(&["a"])));
        assert!(!must_carry_over(&ours("v1"), "v1"));
        assert!(!must_carry_over(&live(json!({}), json!([])), "v1"));
    }

    #[test]
    fn our_entry_becomes_the_one_of_an_install() {
        let fresh = entry(MANAGER, "Apply", data(&["a"]));
        let live = live(
            json!({}),
            json!([
                entry(MANAGER, "Apply", data(&["a", "b"])),
                entry("kubectl-obs-create-1a2b", "Update", data(&["b"])),
                entry("someone", "Update", data(&["c"])),
                entry(MANAGER, "Update", data(&["d"]))
            ]),
        );
        let owned = after(&own(&live, &fresh).expect("a patch"));
        let expected = [(MANAGER, "Apply", "a"), ("someone", "Update", "c"), (MANAGER, "Update", "d")];
        let expected = expected.map(|(who, how, key)| (who.to_owned(), how.to_owned(), data(&[key])));
        assert_eq!(owned, expected);
        let mut done = live.clone();
        done["metadata"]["managedFields"] = json!([fresh.clone(), entry("someone", "Update", data(&["c"]))]);
        assert_eq!(own(&done, &fresh), None);
    }
}
