//! What an update leaves that first takes out the server's own earlier defaults: no apply can be asked
//! about it, since they become ours only on the way. So the outcome is put together here and asked about
//! as a JSON patch, before anything is written: a field that is immutable cannot be taken out (a Job's
//! `completions`).

use serde_json::{Value, json};

use super::ownership::is_applied;
use crate::diff::{self, Step};
use crate::values::pointer;

/// The live object without `gone`, as a JSON patch. `after` is the server's answer to an apply: to one in
/// place, which says all (`elsewhere` is false), or to one under another name, where nothing is yet.
pub fn outcome(
    live: &Value,
    after: &Value,
    desired: &Value,
    elsewhere: bool,
    gone: &[diff::Change],
) -> Value {
    let mut wanted =
        if elsewhere { merged(live, live, after, desired, &mut Vec::new()) } else { after.clone() };
    for change in gone {
        remove(&mut wanted, &change.steps);
    }
    let part = |key: &&String| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status");
    let (Some(before), Some(wanted)) = (live.as_object(), wanted.as_object()) else { return json!([]) };
    let put = wanted.iter().filter(|(key, value)| part(key) && before.get(*key) != Some(value));
    let put = put.map(|(key, value)| json!({"op": "add", "path": pointer::join("", key), "value": value}));
    let dropped = before.keys().filter(|key| part(key) && !wanted.contains_key(*key));
    let dropped = dropped.map(|key| json!({"op": "remove", "path": pointer::join("", key)}));
    put.chain(dropped).collect()
}

/// The live value with what is desired as the server would have it (`fresh`), and without what we had
/// and want no more.
fn merged(object: &Value, live: &Value, fresh: &Value, desired: &Value, steps: &mut Vec<Step>) -> Value {
    let (Value::Object(there), Value::Object(new)) = (live, fresh) else {
        // the server's own choice for the object stays
        return if desired.is_null() { live.clone() } else { fresh.clone() };
    };
    let mut out = serde_json::Map::new();
    for (key, value) in there {
        steps.push(Step::Key(key.clone()));
        match new.get(key) {
            Some(fresh) if fresh != value => {
                out.insert(key.clone(), merged(object, value, fresh, &desired[key], steps));
            }
            None if is_applied(object, steps) => {}
            _ => drop(out.insert(key.clone(), value.clone())),
        }
        steps.pop();
    }
    for (key, value) in new.iter().filter(|(key, _)| !there.contains_key(*key)) {
        out.insert(key.clone(), value.clone());
    }
    Value::Object(out)
}

fn remove(object: &mut Value, steps: &[Step]) {
    let Some((last, way)) = steps.split_last() else { return };
    let mut place = object;
    for step in way {
        let Some(next) = step.find_mut(place) else { return };
        place = next;
    }
    match (last, place) {
        (Step::Key(key), Value::Object(map)) => drop(map.shift_remove(key)),
        (step, list @ Value::Array(_)) => {
            let found = step.find(list).map(std::ptr::from_ref);
            if let (Some(found), Some(items)) = (found, list.as_array_mut()) {
                items.retain(|item| !std::ptr::eq(item, found));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(path: &[&str]) -> diff::Change {
        let steps: Vec<Step> = path.iter().map(|key| Step::Key((*key).to_owned())).collect();
        diff::Change { path: diff::path_text(&steps), steps, from: None, to: None, secret: false }
    }

    #[test]
    fn an_answer_in_place_says_all_but_what_goes() {
        let live = json!({"kind": "Job", "metadata": {}, "spec": {"completions": 1, "parallelism": 1}});
        let after = json!({"kind": "Job", "metadata": {}, "spec": {"completions": 1, "parallelism": 0}});
        assert_eq!(
            outcome(&live, &after, &after, false, &[gone(&["spec", "completions"])]),
            json!([{"op": "add", "path": "/spec", "value": {"parallelism": 0}}])
        );
        assert_eq!(outcome(&live, &live, &live, false, &[]), json!([]));
    }

    #[test]
    fn an_answer_from_elsewhere_says_what_is_desired() {
        let live = json!({"kind": "X", "metadata": {"managedFields": [{"manager": "kubectl-obs",
                "operation": "Apply", "fieldsV1": {"f:spec": {"f:ours": {}, "f:kept": {}}}}]},
            "spec": {"ours": 1, "kept": {"a": 1}, "address": "10.0.0.1", "theirs": true, "old": "default"},
            "more": {}});
        let fresh =
            json!({"kind": "X", "metadata": {}, "spec": {"kept": {"a": 2}, "address": "10.0.0.9", "new": 3}});
        let desired = json!({"kind": "X", "metadata": {}, "spec": {"kept": {"a": 2}}});
        assert_eq!(
            outcome(&live, &fresh, &desired, true, &[gone(&["spec", "old"])]),
            json!([{"op": "add", "path": "/spec", "value":
                {"kept": {"a": 2}, "address": "10.0.0.1", "theirs": true, "new": 3}}])
        );
    }

    #[test]
    fn items_of_lists_go_by_what_they_are_found_by() {
        let mut object = json!({"spec": {"list": [{"name": "a"}, {"name": "b", "x": 1}]}});
        let item = |name: &str| Step::Item(vec![("name".to_owned(), json!(name))]);
        let key = |key: &str| Step::Key(key.to_owned());
        remove(&mut object, &[key("spec"), key("list"), item("b"), key("x")]);
        remove(&mut object, &[key("spec"), key("list"), item("a")]);
        remove(&mut object, &[key("spec"), key("absent"), key("x")]);
        assert_eq!(object, json!({"spec": {"list": [{"name": "b"}]}}));
    }
}
