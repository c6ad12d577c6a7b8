//! Some components as an earlier revision had them, the others as they are: what `rollout undo`
//! aims at. Pure. What is shared stays as it is: values, bundle, definitions (CRDs), and every
//! object without a component.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Record;
use crate::object::{Object, ObjectId, labels, pods};

/// Something that the components used then and that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What needs it.
    pub user: ObjectId,
    /// What it was.
    pub used: ObjectId,
    /// The component that it belonged to.
    pub component: String,
}

/// The component that an object belongs to; empty when it is the release's own.
pub fn component(value: &Value) -> &str {
    value["metadata"]["labels"][labels::OBS_COMPONENT].as_str().unwrap_or_default()
}

/// Is it an object that goes back with one of these components? Definitions belong to the cluster.
fn moves(value: &Value, names: &[String]) -> bool {
    value["kind"] != "CustomResourceDefinition" && names.iter().any(|name| name == component(value))
}

/// Do the objects of these components differ between the two revisions?
pub fn differs(newest: &Record, earlier: &Record, names: &[String]) -> bool {
    let of = |record: &Record| -> Vec<Value> {
        let own = record.objects.iter().filter(|value| moves(value, names));
        let mut own: Vec<Value> = own.cloned().collect();
        own.sort_by_cached_key(Value::to_string);
        own
    };
    of(newest) != of(earlier)
}

/// The content of `newest` with these components as in `earlier`. What they need of others and is
/// gone is an error: the revision would not run.
pub fn with_components_of(
    newest: &Record,
    earlier: &Record,
    names: &[String],
) -> Result<Record, Vec<Missing>> {
    let mut mixed = newest.clone();
    mixed.objects.retain(|value| !moves(value, names));
    mixed.objects.extend(earlier.objects.iter().filter(|value| moves(value, names)).cloned());
    for component in &mut mixed.components {
        let before = earlier.components.iter().find(|c| c.name == component.name);
        if let Some(before) = before.filter(|_| names.contains(&component.name)) {
            component.clone_from(before);
        }
    }
    let missing = missing(&mixed, earlier, names);
    if missing.is_empty() { Ok(mixed) } else { Err(missing) }
}

/// What the pods of the components refer to, existed in `earlier`, and does not in `mixed`.
fn missing(mixed: &Record, earlier: &Record, names: &[String]) -> Vec<Missing> {
    let there: BTreeSet<ObjectId> = mixed.objects.iter().filter_map(id).collect();
    let mut missing = Vec::new();
    for value in mixed.objects.iter().filter(|value| moves(value, names)) {
        let Some(user) = id(value) else { continue };
        let uses = used(&user, value);
        for old in &earlier.objects {
            let Some(used) = id(old).filter(|used| used.namespace == user.namespace) else { continue };
            if uses.contains(&(used.kind.as_str(), used.name.as_str())) && !there.contains(&used) {
                missing.push(Missing { user: user.clone(), used, component: component(old).to_owned() });
            }
        }
    }
    missing
}

fn id(value: &Value) -> Option<ObjectId> {
    Object::new(value.clone()).ok().map(|object| object.id())
}

/// What the pods of a workload refer to by name, and cannot do without: kind and name.
fn used<'v>(user: &ObjectId, workload: &'v Value) -> BTreeSet<(&'static str, &'v str)> {
    let template = pods::template_at(&user.group, &user.kind).and_then(|at| workload.pointer(at));
    let named = template.map(|template| pods::references(&template["spec"])).unwrap_or_default();
    named.iter().filter(|named| !named.optional).map(|named| (named.kind, named.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::ComponentRef;
    use serde_json::json;

    fn object(component: &str, kind: &str, name: &str, spec: Value) -> Value {
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        json!({"apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "x", "labels": {labels::OBS_COMPONENT: component}}})
    }

    fn uses(map: &str) -> Value {
        json!({"template": {"spec": {"volumes": [{"configMap": {"name": map}}]}}})
    }

    fn record(revision: u32, objects: &[Value]) -> Record {
        let component = |name: &str| ComponentRef {
            name: name.into(),
            version: format!("{revision}.0.0"),
            app_version: String::new(),
            node_level: false,
            data_format: None,
            downgrade_to: Vec::new(),
            health: Vec::new(),
        };
        Record {
            values: json!({ "revision": revision }),
            components: vec![component("a"), component("b")],
            objects: objects.to_vec(),
            ..Record::sample(revision)
        }
    }

    #[test]
    fn one_component_goes_back_and_all_else_stays() {
        let first = [object("a", "ConfigMap", "a", json!(1)), object("b", "ConfigMap", "b", json!(1))];
        let second = [object("a", "ConfigMap", "a", json!(2)), object("b", "ConfigMap", "b", json!(2))];
        let (first, second) = (record(1, &first), record(2, &second));
        let names = ["a".to_owned()];
        assert!(differs(&second, &first, &names) && !differs(&second, &second, &names));
        let mixed = with_components_of(&second, &first, &names).unwrap();
        let specs: Vec<(&str, &Value)> = mixed.objects.iter().map(|o| (component(o), &o["spec"])).collect();
        assert_eq!(specs, [("b", &json!(2)), ("a", &json!(1))]);
        let versions: Vec<&str> = mixed.components.iter().map(|c| c.version.as_str()).collect();
        assert_eq!(versions, ["1.0.0", "2.0.0"]);
        assert_eq!(mixed.values, second.values);
    }

    #[test]
    fn what_a_component_would_miss_is_named() {
        let user = object("a", "Deployment", "a", uses("shared"));
        let shared = object("b", "ConfigMap", "shared", Value::Null);
        let first = record(1, &[user, shared]);
        let second = record(2, &[object("a", "Deployment", "a", uses("other"))]);
        let missing = with_components_of(&second, &first, &["a".to_owned()]).unwrap_err();
        assert_eq!((missing[0].used.name.as_str(), missing[0].component.as_str()), ("shared", "b"));
        // both together are whole again
        assert!(with_components_of(&second, &first, &["a".to_owned(), "b".to_owned()]).is_ok());
    }
}
