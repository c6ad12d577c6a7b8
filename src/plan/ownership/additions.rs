//! What people added to an object with kubectl or Helm and the release does not want: a port of a
//! Service, a key, a label. Server-side apply leaves it alone, because we never owned it; so it is
//! named, and goes when a person says so.

use serde_json::Value;

use super::fields::Element;
use super::owner::{Owner, entries};
use super::{is_empty, is_key};
use crate::diff::{self, Step};
use crate::object::MASK;

/// A field that a person added.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// The field: its live value, and nothing wanted. Masked in Secrets.
    pub change: diff::Change,
    /// Who added it.
    pub owner: Owner,
}

/// The time of a `kubectl rollout restart`, which wants nothing of the object to be otherwise, and would
/// be another restart if it went.
pub(super) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What kubectl writes by itself: that, and its copy of the object.
const BY_THE_WAY: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", RESTARTED_AT];

/// The fields that kubectl and Helm own in the live object and the desired one has not, the topmost
/// of each.
pub fn additions(desired: &Value, live: &Value) -> Vec<Addition> {
    let mut found: Vec<Addition> = Vec::new();
    for entry in entries(live) {
        let owner = Owner::of(entry);
        if !owner.goes_over() {
            continue;
        }
        walk(&entry["fieldsV1"], desired, live, &mut Vec::new(), &mut |way, value| {
            let elements: Vec<Element> = way.iter().filter_map(|text| Element::parse(text)).collect();
            let steps: Vec<Step> = elements.iter().filter_map(Element::step).collect();
            let by_the_way =
                |step: &Step| matches!(step, Step::Key(key) if BY_THE_WAY.contains(&key.as_str()));
            if steps.iter().any(by_the_way) {
                return;
            }
            let path = diff::path_text(&steps);
            if found.iter().any(|known| known.change.path == path) {
                return;
            }
            let secret = live["kind"] == "Secret" && matches!(way.first(), Some(&"f:data"));
            let from = Some(if secret { MASK.into() } else { value.clone() });
            let change = diff::Change { path, steps, from, to: None, secret };
            found.push(Addition { change, owner: owner.clone() });
        });
    }
    found
}

/// Do kubectl or Helm own anything of the object, other than by a subresource?
pub fn made_by_hand(live: &Value) -> bool {
    entries(live).any(|entry| Owner::of(entry).goes_over())
}

/// Walks their fields beside the desired and the live object; `found` is told the way to what is live
/// and not desired.
fn walk<'f>(
    fields: &'f Value,
    desired: &Value,
    live: &Value,
    way: &mut Vec<&'f str>,
    found: &mut dyn FnMut(&[&'f str], &Value),
) {
    for (text, below) in fields.as_object().into_iter().flatten() {
        let Some(element) = Element::parse(text) else { continue };
        let Some(there) = element.find(live).filter(|value| !value.is_null()) else { continue };
        way.push(text);
        match (element.find(desired).filter(|value| !value.is_null()), &element) {
            (Some(wanted), _) => walk(below, wanted, there, way, found),
            (None, Element::Field(name)) if is_key(way, name) => {}
            (None, _) if is_empty(there) => {}
            // the members of a set are added to it one by one
            (None, Element::Member(_)) => {}
            // labels and annotations are named one by one
            (None, Element::Field("labels" | "annotations")) => walk(below, &Value::Null, there, way, found),
            (None, _) => found(way, there),
        }
        way.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(desired: Value, live: Value) -> Vec<(String, String)> {
        additions(&desired, &live).into_iter().map(|a| (a.change.path, a.owner.manager)).collect()
    }

    fn by(manager: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "fieldsV1": fields})
    }

    #[test]
    fn what_a_person_added_is_named_with_the_tool() {
        let live = |entries: Value| {
            json!({"metadata": {"managedFields": entries}, "data": {"a": "1", "b": "2"},
            "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "more"}]}})
        };
        let desired = json!({"data": {"a": "1"}, "spec": {"ports": [{"port": 80, "name": "http"}]}});
        let port = json!({"f:spec": {"f:ports": {"k:{\"port\":81,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}});
        assert_eq!(
            found(
                desired.clone(),
                live(json!([
                    by("kubectl-patch", port),
                    by("kubectl-edit", json!({"f:data": {"f:a": {}, "f:b": {}}}))
                ]))
            ),
            [("spec.ports[81/TCP]".into(), "kubectl-patch".into()), ("data.b".into(), "kubectl-edit".into())]
        );
        let controller = by("kube-controller-manager", json!({"f:data": {"f:b": {}}}));
        assert_eq!(found(desired.clone(), live(json!([controller]))), []);
        let gone = by("kubectl-edit", json!({"f:data": {"f:c": {}}}));
        assert_eq!(found(desired, live(json!([gone]))), []);
    }

    #[test]
    fn a_restart_is_no_addition_and_secrets_are_masked() {
        let live = json!({"kind": "Secret", "data": {"p": "aHVudGVy"}, "metadata": {
            "annotations": {"kubectl.kubernetes.io/restartedAt": "now"}, "labels": {"team": "x"},
            "managedFields": [by("kubectl-rollout", json!({"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}})),
                by("kubectl-edit", json!({"f:data": {".": {}, "f:p": {}}, "f:metadata": {"f:labels": {".": {}, "f:team": {}}}}))]}});
        let found = additions(&json!({"kind": "Secret", "data": {"q": "x"}, "metadata": {}}), &live);
        let paths: Vec<&str> = found.iter().map(|one| one.change.path.as_str()).collect();
        assert_eq!(paths, ["data.p", "metadata.labels.team"]);
        assert!(found[0].change.secret && found[0].change.from == Some(json!(MASK)));
    }
}
