//! What server-side apply without force would refuse: fields of the desired object that another
//! manager owns and that have another value on the server. It is the server's own rule (the fields
//! that an apply modifies or adds, intersected with each other manager's set), so it holds for what
//! a difference passes over, too: `1024Mi` conflicts with an owned `1Gi`.
//!
//! What is not known here is the schema. Whether an owned value is atomic is told by the entries:
//! it is, unless some manager owns fields below it. The entries of other API versions are compared
//! as they are; where a version renames a field, the server's answer in the dry-run counts.

use serde_json::Value;

use super::fields::Element;
use super::owner::{Owner, entries};
use crate::diff::{Step, path_text};
use crate::object::MASK;

/// A field that an apply without force would not be allowed to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// As differences write it: `spec.template.spec.containers[grafana].image`.
    pub path: String,
    /// As the server writes it in its refusal: `.spec.template.spec.containers[name="grafana"].image`.
    pub field: String,
    /// Who owns it. A field with several owners is in the list once for each, as with the server.
    pub owner: Owner,
    /// The desired value, masked in Secrets.
    pub ours: Option<Value>,
    /// The live value, masked in Secrets.
    pub live: Option<Value>,
}

/// The conflicts with other managers, whatever their entry's operation.
pub fn conflicts(desired: &Value, live: &Value) -> Vec<Conflict> {
    find(desired, live, |owner| !owner.is_us())
}

/// The conflicts with what this tool itself wrote by other means than apply: a namespace made by
/// POST, labels set by a patch. They are nobody's decision against ours, so forcing them is right;
/// but the server counts them like any other.
pub fn conflicts_with_ourselves(desired: &Value, live: &Value) -> Vec<Conflict> {
    find(desired, live, Owner::is_us)
}

fn find(desired: &Value, live: &Value, wanted: impl Fn(&Owner) -> bool) -> Vec<Conflict> {
    let trees: Vec<&Value> = entries(live).map(|entry| &entry["fieldsV1"]).collect();
    let mut found = Vec::new();
    for entry in entries(live) {
        let owner = Owner::of(entry);
        if owner.is_our_apply() || !wanted(&owner) {
            continue;
        }
        let mut search = Search { owner, trees: &trees, desired, way: Vec::new(), found: &mut found };
        search.node(&entry["fieldsV1"], desired, Some(live));
    }
    found
}

struct Search<'a> {
    owner: Owner,
    /// The sets of all managers.
    trees: &'a [&'a Value],
    desired: &'a Value,
    /// The elements down to the node.
    way: Vec<&'a str>,
    found: &'a mut Vec<Conflict>,
}

impl<'a> Search<'a> {
    fn node(&mut self, fields: &'a Value, ours: &Value, theirs: Option<&Value>) {
        let Some(tree) = fields.as_object() else { return };
        for (text, below) in tree {
            let Some(element) = Element::parse(text) else { continue };
            // null is how JSON writes absent
            let Some(ours) = element.find(ours).filter(|value| !value.is_null()) else { continue };
            let theirs = theirs.and_then(|live| element.find(live));
            self.way.push(text);
            if below.as_object().is_none_or(serde_json::Map::is_empty) {
                self.leaf(ours, theirs);
            } else {
                self.node(below, ours, theirs);
            }
            self.way.pop();
        }
    }

    fn leaf(&mut self, ours: &Value, theirs: Option<&Value>) {
        if theirs == Some(ours) || theirs.is_some_and(|theirs| self.is_merged(ours, theirs)) {
            return;
        }
        let elements = || self.way.iter().filter_map(|text| Element::parse(text));
        let steps: Option<Vec<Step>> = elements().map(|element| element.step()).collect();
        // a member of a set is there or not: nothing to disagree about
        let Some(steps) = steps else { return };
        let secret = self.desired["kind"] == "Secret"
            && self.desired["apiVersion"] == "v1"
            && matches!(self.way.first(), Some(&("f:data" | "f:stringData")));
        let shown = |value: &Value| if secret { Value::String(MASK.to_owned()) } else { value.clone() };
        self.found.push(Conflict {
            path: path_text(&steps),
            field: elements().map(|element| element.server_text()).collect(),
            owner: self.owner.clone(),
            ours: Some(shown(ours)),
            live: theirs.map(shown),
        });
    }

    /// Are these maps or lists that the server merges, although the owner's entry has nothing below?
    /// It owns the empty value then (kubectl owns a pod's `securityContext: {}`, which is a default),
    /// and what we put into it is ours.
    fn is_merged(&self, ours: &Value, theirs: &Value) -> bool {
        let (Some(ours), Some(theirs)) = (is_empty(ours), is_empty(theirs)) else { return false };
        let name = self.way.last().and_then(|text| text.strip_prefix("f:")).unwrap_or_default();
        // selectors are atomic, and empty ones mean something
        let granular_when_empty = theirs && !ours && !name.to_ascii_lowercase().ends_with("selector");
        granular_when_empty || self.trees.iter().any(|tree| has_below(tree, &self.way))
    }
}

/// Is it an empty map or list? None for scalars.
fn is_empty(value: &Value) -> Option<bool> {
    match value {
        Value::Object(map) => Some(map.is_empty()),
        Value::Array(items) => Some(items.is_empty()),
        _ => None,
    }
}

/// Does the tree have fields below the node at the end of `way`?
fn has_below(tree: &Value, way: &[&str]) -> bool {
    let node = way.iter().try_fold(tree, |node, element| node.get(element));
    node.and_then(Value::as_object).is_some_and(|map| map.keys().any(|element| element != "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec})
    }

    fn owned(mut live: Value, entries: Value) -> Value {
        live["metadata"]["managedFields"] = entries;
        live
    }

    fn by(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": fields}})
    }

    #[test]
    fn what_another_owns_and_has_another_value_conflicts() {
        // (live, desired, what x owns, the fields that conflict)
        let cases = [
            (
                json!({"replicas": 2}),
                json!({"replicas": 3}),
                json!({"f:replicas": {}}),
                vec![".spec.replicas"],
            ),
            (json!({"replicas": 3}), json!({"replicas": 3}), json!({"f:replicas": {}}), vec![]),
            (json!({"replicas": 3}), json!({}), json!({"f:replicas": {}}), vec![]),
            (json!({"replicas": 3}), json!({"replicas": null}), json!({"f:replicas": {}}), vec![]),
            (json!({"replicas": 2}), json!({"replicas": 3}), json!({"f:paused": {}}), vec![]),
            (
                json!({"template": {"spec": {"containers": [{"name": "a", "image": "1", "env": [{"name": "E", "value": "1"}]}]}}}),
                json!({"template": {"spec": {"containers": [{"name": "a", "image": "2", "env": [{"name": "E", "value": "2"}]}]}}}),
                json!({"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:image": {},
                    "f:env": {".": {}, "k:{\"name\":\"E\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}),
                vec![
                    ".spec.template.spec.containers[name=\"a\"].image",
                    ".spec.template.spec.containers[name=\"a\"].env[name=\"E\"].value",
                ],
            ),
            // atomic: nobody owns anything below
            (
                json!({"selector": {"matchLabels": {"a": "1"}}}),
                json!({"selector": {"matchLabels": {"a": "2"}}}),
                json!({"f:selector": {}}),
                vec![".spec.selector"],
            ),
            (
                json!({"podSelector": {}}),
                json!({"podSelector": {"a": "b"}}),
                json!({"f:podSelector": {}}),
                vec![".spec.podSelector"],
            ),
            // an owned empty map is filled, not changed
            (json!({"m": {}}), json!({"m": {"a": 1}}), json!({"f:m": {}}), vec![]),
            (json!({"args": ["a"]}), json!({"args": ["b"]}), json!({"f:args": {}}), vec![".spec.args"]),
            (
                json!({"f": ["a", "b"]}),
                json!({"f": ["a"]}),
                json!({"f:f": {"v:\"a\"": {}, "v:\"b\"": {}}}),
                vec![],
            ),
            // the server compares what is written
            (
                json!({"memory": "1Gi"}),
                json!({"memory": "1024Mi"}),
                json!({"f:memory": {}}),
                vec![".spec.memory"],
            ),
        ];
        for (is, should, fields, expected) in cases {
            for operation in ["Update", "Apply"] {
                let live = owned(object(is.clone()), json!([by("x", operation, fields.clone())]));
                let found = conflicts(&object(should.clone()), &live);
                assert_eq!(found.iter().map(|c| c.field.as_str()).collect::<Vec<_>>(), expected, "{fields}");
                assert!(found.iter().all(|c| c.owner.manager == "x"));
            }
        }
    }

    #[test]
    fn a_map_that_someone_owns_a_field_of_is_not_atomic() {
        let live = owned(
            object(json!({"securityContext": {"runAsUser": 1}})),
            json!([
                by("kubectl-create", "Update", json!({"f:securityContext": {}})),
                by("kubectl-obs", "Apply", json!({"f:securityContext": {"f:runAsUser": {}}})),
            ]),
        );
        assert_eq!(conflicts(&object(json!({"securityContext": {"runAsUser": 2}})), &live), []);
    }

    #[test]
    fn a_conflict_has_the_path_of_the_difference() {
        let pods = |image: &str| object(json!({"containers": [{"name": "a", "image": image}]}));
        let fields = json!({"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}});
        let live = owned(pods("1"), json!([by("kubectl-set", "Update", fields)]));
        let found = conflicts(&pods("2"), &live);
        let [change] = &crate::diff::fields(&live, &pods("2"), crate::diff::Scope::Desired)[..] else {
            panic!()
        };
        assert_eq!(
            (&found[0].path, &found[0].ours, &found[0].live),
            (&change.path, &change.to, &change.from)
        );
    }

    #[test]
    fn what_we_wrote_ourselves_is_told_apart() {
        let replicas = || json!({"f:replicas": {}});
        let entries = json!([
            by("kubectl-obs", "Apply", replicas()),
            by("kubectl-obs", "Update", replicas()),
            by("kubectl-edit", "Update", replicas()),
        ]);
        let live = owned(object(json!({"replicas": 2})), entries);
        let desired = object(json!({"replicas": 3}));
        let managers = |found: Vec<Conflict>| found.into_iter().map(|c| c.owner.manager).collect::<Vec<_>>();
        assert_eq!(managers(conflicts(&desired, &live)), ["kubectl-edit"]);
        assert_eq!(managers(conflicts_with_ourselves(&desired, &live)), ["kubectl-obs"]);
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"password": value}});
        let fields = json!({"f:data": {".": {}, "f:password": {}}});
        let entry = json!({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields});
        let found = conflicts(&secret("aHVudGVyMg=="), &owned(secret("b3RoZXI="), json!([entry])));
        assert_eq!((&found[0].ours, &found[0].live), (&Some(json!(MASK)), &Some(json!(MASK))));
        assert!(!format!("{found:?}").contains("aHVudGVyMg"));
    }
}
