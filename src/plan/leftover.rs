//! What an upgrade would leave behind: the server's own defaults for what was desired before. Nobody
//! owns them, so no apply removes them, and they differ from what an install would give. A
//! NetworkPolicy that loses its `egress` would keep `policyTypes: [Ingress, Egress]` and deny all; a
//! pod template that loses its `serviceAccountName` would keep the account by its old name; a
//! Deployment could not become `type: Recreate` because of its `rollingUpdate`.

use serde_json::Value;

use super::ownership::{is_applied, owners};
use crate::diff;

/// What nobody owns in the object and the server would not put there today: its own defaults for what
/// was desired before. They go when they become ours and an apply gives them up. `object` is the live
/// one, or what an apply would leave of it; `fresh` what the server makes of the desired one where
/// nothing is yet.
///
/// `below_ours`: also what stands in a map that our entry names as a whole. It may be an empty one that
/// the server filled (`updateStrategy: {}`); where the server complains, it is.
pub fn leftovers(desired: &Value, object: &Value, fresh: &Value, below_ours: bool) -> Vec<diff::Change> {
    let mut search = Search { object, below_ours, found: Vec::new() };
    let fields = desired.as_object().into_iter().flatten();
    let own = |key: &str| !matches!(key, "apiVersion" | "kind" | "metadata" | "status");
    for (key, wanted) in fields.filter(|(key, _)| own(key)) {
        let steps = [diff::Step::Key(key.clone())];
        if let (Some(present), Some(fresh)) = (object.get(key), fresh.get(key)) {
            search.below(wanted, present, fresh, &steps);
        }
    }
    search.found
}

/// Does a field stand beside one that the server complains of (`spec.strategy.rollingUpdate`,
/// `spec.volumes[0].configMap`)? Any does when it names none.
pub fn complained_of(complaints: &[String]) -> impl Fn(&diff::Change) -> bool + use<> {
    let complaints: Vec<String> = complaints.iter().map(|field| without_items(field)).collect();
    move |change| {
        let beside = change.steps.split_last().map(|(_, parent)| without_items(&diff::path_text(parent)));
        let beside = beside.unwrap_or_default();
        complaints.is_empty() || complaints.iter().any(|field| field.starts_with(&beside))
    }
}

/// Does the server name just this field among those that it complains of?
pub fn named_in(complaints: &[String]) -> impl Fn(&diff::Change) -> bool + use<> {
    let complaints: Vec<String> = complaints.iter().map(|field| without_items(field)).collect();
    move |change| complaints.contains(&without_items(&change.path))
}

/// The leftovers that are defaults for what was applied before, and the others: `before` is what the
/// server makes of that where nothing is yet. Addresses and ports that were handed out are none.
pub fn defaults_of(leftovers: Vec<diff::Change>, before: &Value) -> (Vec<diff::Change>, Vec<diff::Change>) {
    leftovers.into_iter().partition(|change| diff::at(before, &change.steps) == change.from.as_ref())
}

struct Search<'a> {
    object: &'a Value,
    below_ours: bool,
    found: Vec<diff::Change>,
}

impl Search<'_> {
    fn below(&mut self, wanted: &Value, present: &Value, fresh: &Value, steps: &[diff::Step]) {
        let to = |step: diff::Step| steps.iter().cloned().chain([step]).collect::<Vec<_>>();
        match (wanted, present, fresh) {
            (Value::Object(wanted), Value::Object(present), Value::Object(fresh)) => {
                for (key, value) in present {
                    let steps = to(diff::Step::Key(key.clone()));
                    match (wanted.get(key), fresh.get(key)) {
                        (Some(wanted), Some(fresh)) => self.below(wanted, value, fresh, &steps),
                        (None, fresh) if fresh != Some(value) => self.found(steps, value, fresh),
                        _ => {}
                    }
                }
            }
            (Value::Array(items), Value::Array(present), Value::Array(fresh)) => {
                for item in items {
                    let Some(name) = item.get("name").filter(|name| name.is_string()) else { continue };
                    let step = diff::Step::Item(vec![("name".to_owned(), name.clone())]);
                    let named =
                        |list: &[Value]| list.iter().find(|other| other.get("name") == Some(name)).cloned();
                    if let (Some(present), Some(fresh)) = (named(present), named(fresh)) {
                        self.below(item, &present, &fresh, &to(step));
                    }
                }
            }
            _ => {}
        }
    }

    fn found(&mut self, steps: Vec<diff::Step>, value: &Value, fresh: Option<&Value>) {
        let path = diff::path_text(&steps);
        let change =
            diff::Change { path, steps, from: Some(value.clone()), to: fresh.cloned(), secret: false };
        if owners(self.object, &change).is_empty()
            && (self.below_ours || !is_applied(self.object, &change.steps))
        {
            self.found.push(change);
        }
    }
}

/// `spec.volumes[data].emptyDir` → `spec.volumes[].emptyDir`: the server counts the items of a list.
fn without_items(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|c| {
            let shown = !inside || *c == ']';
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_defaults_that_nobody_owns_are_left_over() {
        let desired = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
            "spec": {"strategy": {"type": "Recreate"}, "list": [{"name": "a", "x": 1}]}});
        let mut live = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
            "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, "paused": false,
                "list": [{"name": "a", "x": 1, "old": {"y": 1}}]}});
        let fresh = json!({"spec": {"strategy": {"type": "Recreate"}, "paused": false, "list": [{"name": "a", "x": 1}]}});
        let paths = |live: &Value| -> Vec<String> {
            leftovers(&desired, live, &fresh, false).into_iter().map(|change| change.path).collect()
        };
        assert_eq!(paths(&live), ["spec.strategy.rollingUpdate", "spec.list[a].old"]);
        for (complaint, meant) in
            [("spec.strategy.rollingUpdate", 1), ("spec.list[0].x", 1), ("spec.other", 0), ("metadata.x", 0)]
        {
            let mut found = leftovers(&desired, &live, &fresh, false);
            found.retain(complained_of(&[complaint.to_owned()]));
            assert_eq!(found.len(), meant, "{complaint}");
        }
        live["metadata"]["managedFields"] = json!([{"manager": "someone", "operation": "Update", "fieldsV1":
            {"f:spec": {"f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}}}}}]);
        assert_eq!(paths(&live), ["spec.list[a].old"]);
    }

    #[test]
    fn what_the_server_would_choose_otherwise_today_is_left_over_and_what_it_hands_out_is_not() {
        let desired = json!({"spec": {"podSelector": {}}});
        let live = json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "clusterIP": "10.0.0.1"}});
        let fresh =
            |ip: &str| json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "clusterIP": ip}});
        let mut found = leftovers(&desired, &live, &fresh("10.0.0.2"), false);
        assert_eq!(found.len(), 2);
        let before = json!({"spec": {"policyTypes": ["Ingress", "Egress"], "clusterIP": "10.0.0.2"}});
        (found, _) = defaults_of(found, &before);
        assert_eq!(
            (found.len(), found[0].path.as_str(), &found[0].to),
            (1, "spec.policyTypes", &Some(json!(["Ingress"])))
        );
    }
}
