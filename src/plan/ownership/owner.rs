//! Who owns a field: the entries of managedFields, and which of them are the traces of a person's
//! hand rather than of a controller.

use serde_json::Value;

use super::fields::Element;
use crate::diff::{self, Step};
use crate::object::labels::{CREATOR, MANAGER};

/// A field manager, as one entry of managedFields names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// For example `kubectl-edit`.
    pub manager: String,
    /// Does it own by server-side apply (true) or by any other write?
    pub by_apply: bool,
    /// When it last changed what it owns: RFC 3339, as the server wrote it.
    pub time: Option<String>,
    /// The subresource that it wrote to, for example `scale`.
    pub subresource: Option<String>,
}

impl Owner {
    pub(super) fn of(entry: &Value) -> Self {
        let text = |field: &str| entry[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            manager: text("manager").unwrap_or_default(),
            by_apply: entry["operation"] == "Apply",
            time: text("time"),
            subresource: text("subresource"),
        }
    }

    /// Is this our own server-side apply, the one entry that never conflicts with an apply?
    pub(super) fn is_our_apply(&self) -> bool {
        self.manager == MANAGER && self.by_apply && self.subresource.is_none()
    }

    /// Is it the write by which we made the object, or changed it at once, before its fields went over to
    /// [`MANAGER`]?
    pub(super) fn is_our_creation(&self) -> bool {
        self.manager.starts_with(CREATOR)
    }

    /// Is it this tool, by apply or by another write (a namespace made by POST, a metadata patch)?
    pub fn is_us(&self) -> bool {
        self.manager == MANAGER || self.is_our_creation()
    }

    /// Is it a tool that a person used, see [`is_hand_tool`]?
    pub fn is_hand_tool(&self) -> bool {
        is_hand_tool(&self.manager)
    }

    /// Is it one whose fields a takeover makes ours? What was written by a subresource is not.
    pub fn goes_over(&self) -> bool {
        self.is_hand_tool() && self.subresource.is_none()
    }

    /// Does nobody come back to defend its value? A person's tool, or the server's name for fields of
    /// which it does not know who wrote them, because managedFields were taken away.
    pub fn gives_way(&self) -> bool {
        self.is_hand_tool() || self.manager == UNKNOWN
    }
}

/// The entries of managedFields.
pub(super) fn entries(live: &Value) -> impl Iterator<Item = &Value> {
    live["metadata"]["managedFields"].as_array().into_iter().flatten()
}

/// kubectl's names for itself, by command (k8s.io/kubectl: `AddFieldManagerFlagVar`; commands
/// without that flag, such as scale, and server-side apply are `kubectl`), and Helm's. A name that
/// merely begins with `kubectl-` may be a plugin with its own idea of ownership; dashboards are
/// known to the server as their HTTP library (`node-fetch`, `Mozilla`), which says nothing.
const HAND_TOOLS: [&str; 21] = [
    "kubectl",
    "kubectl-annotate",
    "kubectl-autoscale",
    "kubectl-client-side-apply",
    "kubectl-cordon",
    "kubectl-create",
    "kubectl-debug",
    "kubectl-drain",
    "kubectl-edit",
    "kubectl-expose",
    "kubectl-label",
    "kubectl-last-applied",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-rollout",
    "kubectl-run",
    "kubectl-scale",
    "kubectl-set",
    "kubectl-taint",
    "helm",
    "Helm",
];

/// apiserver, managedfields: what was there before the first apply that tracks owners.
const UNKNOWN: &str = "before-first-apply";

/// Is this field manager kubectl or Helm: somebody's single command, which does not come back to
/// defend its value, as a controller would?
pub fn is_hand_tool(manager: &str) -> bool {
    HAND_TOOLS.contains(&manager)
}

/// Who, other than our own apply, owns the live field that a change is about, something below it,
/// or the atomic value that it is part of. Nobody owns what is not live yet. In the order of the
/// entries; this tool's other writes are in it (see [`Owner::is_us`]).
pub fn owners(live: &Value, change: &diff::Change) -> Vec<Owner> {
    owners_at(live, &change.steps).collect()
}

/// The same of the field at these steps.
pub fn owners_at(live: &Value, steps: &[Step]) -> impl Iterator<Item = Owner> {
    let owned = entries(live).filter(move |entry| owns(&entry["fieldsV1"], live, steps));
    owned.map(Owner::of).filter(|owner| !owner.is_our_apply())
}

/// Does this entry own the field at `steps`, by the rule of [`owners`]?
pub(super) fn owns(fields: &Value, live: &Value, steps: &[Step]) -> bool {
    let Some(tree) = fields.as_object() else { return false };
    let Some((step, rest)) = steps.split_first() else { return true };
    let child = step.find(live);
    tree.iter().any(|(element, below)| {
        let Some(child) = child.filter(|child| leads_to(element, live, child)) else { return false };
        let atomic = below.as_object().is_some_and(serde_json::Map::is_empty);
        atomic || owns(below, child, rest)
    })
}

/// Does this entry name the field at `steps` itself, and not only something that it is part of?
pub(super) fn names(fields: &Value, live: &Value, steps: &[Step]) -> bool {
    let Some(tree) = fields.as_object() else { return false };
    let Some((step, rest)) = steps.split_first() else { return true };
    let Some(child) = step.find(live) else { return false };
    tree.iter().any(|(element, below)| leads_to(element, live, child) && names(below, child, rest))
}

/// Does the element name this very child of `live`?
fn leads_to(element: &str, live: &Value, child: &Value) -> bool {
    Element::parse(element)
        .and_then(|element| element.find(live))
        .is_some_and(|found| std::ptr::eq(found, child))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn managers(live: &Value, desired: &Value) -> Vec<(String, Vec<String>)> {
        diff::fields(live, desired, diff::Scope::Desired)
            .iter()
            .map(|change| {
                (change.path.clone(), owners(live, change).into_iter().map(|owner| owner.manager).collect())
            })
            .collect()
    }

    fn live(spec: Value, entries: &[(&str, &str, Value)]) -> Value {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(manager, operation, fields)| {
                json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": fields}})
            })
            .collect();
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"managedFields": entries}, "spec": spec})
    }

    #[test]
    fn the_owner_of_a_changed_field_is_named() {
        let update = "Update";
        // (live spec, desired spec, what x owns, what changes, is it x's?)
        let cases = [
            (
                json!({"replicas": 2}),
                json!({"replicas": 3}),
                json!({"f:replicas": {}}),
                "spec.replicas",
                true,
            ),
            (json!({"replicas": 2}), json!({"replicas": 3}), json!({"f:paused": {}}), "spec.replicas", false),
            // an atomic ancestor
            (
                json!({"selector": {"matchLabels": {"a": "1"}}}),
                json!({"selector": {"matchLabels": {"a": "2"}}}),
                json!({"f:selector": {}}),
                "spec.selector.matchLabels.a",
                true,
            ),
            // the map itself, but not this field of it
            (
                json!({"m": {"a": "1"}}),
                json!({"m": {"a": "2"}}),
                json!({"f:m": {".": {}, "f:b": {}}}),
                "spec.m.a",
                false,
            ),
            // something below what is replaced
            (json!({"m": {"a": "1"}}), json!({"m": "x"}), json!({"f:m": {"f:a": {}}}), "spec.m", true),
            // list items by name, and not another one
            (
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
                json!({"containers": [{"name": "a", "image": "2"}, {"name": "b", "image": "1"}]}),
                json!({"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}}),
                "spec.containers[a].image",
                true,
            ),
            (
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
                json!({"containers": [{"name": "a", "image": "2"}, {"name": "b", "image": "1"}]}),
                json!({"f:containers": {"k:{\"name\":\"b\"}": {"f:image": {}}}}),
                "spec.containers[a].image",
                false,
            ),
            // keys with the default protocol
            (
                json!({"ports": [{"containerPort": 80, "protocol": "UDP", "name": "u"}, {"containerPort": 80, "protocol": "TCP", "name": "t"}]}),
                json!({"ports": [{"containerPort": 80, "protocol": "UDP", "name": "u"}, {"containerPort": 80, "name": "new"}]}),
                json!({"f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:name": {}}}}),
                "spec.ports[80/TCP].name",
                true,
            ),
            // a set's members; the list is reported as a whole
            (
                json!({"args": ["a"]}),
                json!({"args": ["b"]}),
                json!({"f:args": {"v:\"a\"": {}}}),
                "spec.args",
                true,
            ),
            // by position
            (
                json!({"rows": [{"x": 1}, {"x": 1}]}),
                json!({"rows": [{"x": 1}, {"x": 2}]}),
                json!({"f:rows": {"i:1": {"f:x": {}}}}),
                "spec.rows[1].x",
                true,
            ),
            // a new item is nobody's
            (
                json!({"containers": [{"name": "a"}]}),
                json!({"containers": [{"name": "a"}, {"name": "b"}]}),
                json!({"f:containers": {"k:{\"name\":\"a\"}": {".": {}}}}),
                "spec.containers[b]",
                false,
            ),
            // a label that is not there yet, though others have labels
            (
                json!({"m": {"b": "1"}}),
                json!({"m": {"a": "2"}}),
                json!({"f:m": {".": {}}}),
                "spec.m.a",
                false,
            ),
        ];
        for (is, should, fields, path, theirs) in cases {
            let live = live(is, &[("x", update, fields)]);
            let expected = if theirs { vec!["x".to_owned()] } else { vec![] };
            let desired = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": should});
            assert_eq!(managers(&live, &desired), [(path.to_owned(), expected)]);
        }
    }

    #[test]
    fn our_own_apply_is_no_owner_and_our_other_writes_are() {
        let replicas = || json!({"f:replicas": {}});
        let live = live(
            json!({"replicas": 2}),
            &[
                ("kubectl-obs", "Apply", replicas()),
                ("kubectl-obs", "Update", replicas()),
                ("x", "Apply", replicas()),
            ],
        );
        let desired = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}});
        let [change] = &diff::fields(&live, &desired, diff::Scope::Desired)[..] else { panic!() };
        let found = owners(&live, change);
        assert_eq!(
            found.iter().map(|o| (o.is_us(), o.by_apply)).collect::<Vec<_>>(),
            [(true, false), (false, true)]
        );
    }

    #[test]
    fn an_entry_says_when_and_through_what() {
        let entry = json!({"manager": "kubectl", "operation": "Update", "time": "2026-11-21T10:00:00Z", "subresource": "scale"});
        let owner = Owner::of(&entry);
        assert_eq!(owner.time.as_deref(), Some("2026-11-21T10:00:00Z"));
        assert_eq!(owner.subresource.as_deref(), Some("scale"));
        assert!(owner.is_hand_tool() && !owner.is_us());
    }

    #[test]
    fn kubectl_and_helm_are_hand_tools_and_controllers_are_not() {
        for manager in ["kubectl", "kubectl-edit", "kubectl-client-side-apply", "kubectl-set", "helm", "Helm"]
        {
            assert!(is_hand_tool(manager), "{manager}");
        }
        for manager in [
            "kubectl-obs",
            "kubectl-rabbitmq",
            "kube-controller-manager",
            "keda",
            "vpa-recommender",
            "argocd-controller",
            "argocd-application-controller",
            "kustomize-controller",
            "helm-controller",
            "before-first-apply",
            "node-fetch",
            "",
        ] {
            assert!(!is_hand_tool(manager), "{manager}");
        }
    }
}
