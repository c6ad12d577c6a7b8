//! Whose object is it, and who owns which of its fields? Read from labels and managedFields.
//!
//! | file | what it is for |
//! |---|---|
//! | `fields` | the trees of managedFields |
//! | `owner` | who owns the field that a difference is about; kubectl and Helm among them |
//! | `exact` | does our last apply own just what is desired? Then another one changes nothing |
//! | `extract` | what we applied last, read back |
//! | `conflicts` | what the server would refuse |
//! | `additions` | what people added with kubectl or Helm |
//! | `scale` | replicas that an autoscaler decides |
//! | `hollow` | empty lists, which nobody owns |
//! | `takeover` | how an object that kubectl or Helm made becomes ours |

mod additions;
mod conflicts;
mod exact;
mod extract;
mod fields;
mod hollow;
mod owner;
mod scale;
mod takeover;

use serde_json::Value;

pub(super) use fields::Element;
use fields::FieldSet;

pub use additions::{Addition, additions, made_by_hand};
pub use conflicts::{Conflict, conflicts, conflicts_with_ourselves};
pub use exact::is_settled;
pub use extract::{applied_last, empties, without_emptied};
pub use hollow::{has_empty, is_content, is_hollow};
pub use owner::{Owner, is_hand_tool, owners, owners_at};
pub use scale::scaled_elsewhere;
pub use takeover::{HelmRelease, Takeover, at_once, carry_over, must_carry_over, own, taken, takeover};

use crate::diff::{self, Step};
use crate::object::{MASK, Object, applied_entry, labels};

/// Does the live object carry the labels of the desired one's release?
pub fn is_ours(live: &Value, desired: &Object) -> bool {
    [labels::RELEASE, labels::RELEASE_NAMESPACE].iter().all(|key| {
        let ours = desired.label(key);
        ours.is_some() && live["metadata"]["labels"][key].as_str() == ours
    }) && live["metadata"]["labels"][labels::MANAGED_BY] == labels::MANAGER
}

/// Does `manager` own a field by server-side apply that the desired object no longer has? Such a
/// field must be given up by another apply, even when everything desired is live already. True
/// also when the manager has no entry at all: its fields are not ours yet.
pub fn owns_more_than(desired: &Value, live: &Value, manager: &str) -> bool {
    match applied_by(live, manager) {
        Some(fields) => {
            let mut any = false;
            beyond(fields, desired, &mut Vec::new(), &mut |_| any = true);
            any
        }
        None => true,
    }
}

/// The fields that `manager` owns by server-side apply and the desired object no longer has: they
/// go with the next apply, unless somebody else owns them, too.
pub fn given_up(desired: &Value, live: &Value, manager: &str) -> Vec<diff::Change> {
    let mut found = given_up_with_empty(desired, live, manager);
    found.retain(|change| !change.from.as_ref().is_some_and(is_empty));
    found
}

/// The same, and maps and lists that are empty.
pub fn given_up_with_empty(desired: &Value, live: &Value, manager: &str) -> Vec<diff::Change> {
    let mut found = Vec::new();
    let Some(fields) = applied_by(live, manager) else { return found };
    beyond(fields, desired, &mut Vec::new(), &mut |way| {
        let elements: Vec<Element> = way.iter().filter_map(|text| Element::parse(text)).collect();
        let value = elements.iter().try_fold(live, |value, element| element.find(value));
        let steps: Vec<Step> = elements.iter().filter_map(Element::step).collect();
        let Some(value) = value.filter(|value| !value.is_null()) else { return };
        let of_secret = live["kind"] == "Secret" && way.first() == Some(&"f:data");
        found.push(diff::Change {
            path: diff::path_text(&steps),
            steps,
            from: Some(if of_secret { MASK.into() } else { value.clone() }),
            to: None,
            secret: of_secret,
        });
    });
    found
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The fields that our last apply owns.
pub fn elements(object: &Value) -> Option<&Value> {
    applied_by(object, labels::MANAGER)
}

fn applied_by<'v>(live: &'v Value, manager: &str) -> Option<&'v Value> {
    applied_entry(live, manager).map(|entry| &entry["fieldsV1"])
}

/// Does our last apply own the same in both states of an object?
pub fn owns_the_same(before: &Value, after: &Value) -> bool {
    let ours = |object| applied_by(object, labels::MANAGER).map(FieldSet::parse);
    ours(before) == ours(after)
}

/// Have we an apply of ours in the object?
pub fn is_applied_at_all(live: &Value) -> bool {
    applied_by(live, labels::MANAGER).is_some()
}

/// Is this field ours in the live object, by our last apply, or part of something that is?
pub fn is_applied(live: &Value, steps: &[Step]) -> bool {
    applied_by(live, labels::MANAGER).is_some_and(|fields| owner::owns(fields, live, steps))
}

/// Did our last apply state this very field? (A map that it stated as an empty one may have been filled.)
pub fn is_stated(live: &Value, steps: &[Step]) -> bool {
    applied_by(live, labels::MANAGER).is_some_and(|fields| owner::names(fields, live, steps))
}

/// Walks a fieldsV1 tree beside the desired value; `found` is told the way to each topmost element
/// that the value has not.
fn beyond<'f>(fields: &'f Value, desired: &Value, way: &mut Vec<&'f str>, found: &mut dyn FnMut(&[&'f str])) {
    for (text, below) in fields.as_object().into_iter().flatten() {
        way.push(text);
        match Element::parse(text) {
            // the node itself
            None if !text.contains(':') => {}
            // what cannot be read may be anything
            None => found(way),
            // null is how a render says absent
            Some(element) => match (element.find(desired).filter(|value| !value.is_null()), &element) {
                (None, Element::Field(name)) if is_key(way, name) => {}
                // labels and annotations are named one by one
                (None, Element::Field("labels" | "annotations"))
                    if below.as_object().is_some_and(|b| !b.is_empty()) =>
                {
                    beyond(below, &Value::Null, way, found);
                }
                (None, _) => found(way),
                (Some(value), _) => beyond(below, value, way, found),
            },
        }
        way.pop();
    }
}

/// A list item's key field may be left to its default.
fn is_key(way: &[&str], name: &str) -> bool {
    let parent = way.len().checked_sub(2).and_then(|i| way.get(i)).and_then(|text| Element::parse(text));
    matches!(parent, Some(Element::Item(keys)) if keys.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(fields: Value) -> Value {
        json!({"metadata": {"managedFields": [{"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": fields}]}})
    }

    #[test]
    fn a_field_that_is_owned_but_no_longer_wanted_is_seen() {
        let owned = live(json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert!(!owns_more_than(&json!({"data": {"a": "1", "b": "2"}}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"data": {"a": "1"}}), &owned, "kubectl-obs"));
    }

    #[test]
    fn what_is_given_up_is_named_with_its_value() {
        let mut owned = live(
            json!({"f:data": {"f:a.yaml": {}, "f:b": {}}, "f:spec": {"f:list": {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:v": {}}}}}),
        );
        owned["data"] = json!({"a.yaml": "text", "b": "1"});
        owned["spec"] = json!({"list": [{"name": "x", "v": 1}]});
        let found =
            given_up(&json!({"data": {"b": "1"}, "spec": {"list": [{"name": "x"}]}}), &owned, "kubectl-obs");
        let seen: Vec<_> = found.iter().map(|c| (c.path.as_str(), c.from.clone().unwrap())).collect();
        assert_eq!(seen, [("data[a.yaml]", json!("text")), ("spec.list[x].v", json!(1))]);
        owned["kind"] = json!("Secret");
        let found = given_up(&json!({"data": {}}), &owned, "kubectl-obs");
        assert!(found[0].secret && found[0].from == Some(json!(MASK)), "{found:?}");
    }

    #[test]
    fn annotations_are_given_up_one_by_one() {
        let mut owned = live(json!({"f:metadata": {"f:annotations": {"f:a": {}, "f:b": {}}}}));
        owned["metadata"]["annotations"] = json!({"a": "1", "b": "2"});
        let found = given_up(&json!({"metadata": {"name": "x"}}), &owned, "kubectl-obs");
        let paths: Vec<&str> = found.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["metadata.annotations.a", "metadata.annotations.b"]);
        assert!(owns_more_than(&json!({}), &owned, "kubectl-obs"));
    }

    #[test]
    fn list_items_are_found_by_their_keys_with_defaults_left_out() {
        let owned =
            live(json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}));
        assert!(!owns_more_than(&json!({"ports": [{"port": 80}]}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"ports": [{"port": 81}]}), &owned, "kubectl-obs"));
    }

    #[test]
    fn set_items_are_compared_by_value() {
        let owned = live(json!({"f:finalizers": {"v:\"a\"": {}}}));
        assert!(!owns_more_than(&json!({"finalizers": ["a"]}), &owned, "kubectl-obs"));
        assert!(owns_more_than(&json!({"finalizers": []}), &owned, "kubectl-obs"));
    }

    #[test]
    fn without_an_entry_of_ours_an_apply_is_needed() {
        assert!(owns_more_than(&json!({}), &json!({"metadata": {}}), "kubectl-obs"));
    }
}
