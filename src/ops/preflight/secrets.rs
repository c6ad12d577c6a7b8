//! Secrets that the values name and that are not there, or lack a key: their pods would wait for them, and
//! what was typed is known better now than when it is looked for in the kubelet's events. A Secret that a
//! bundle names by itself is waited for: whoever makes it may come later.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use serde_json::Value;

use super::{Problem, Subject};
use crate::error::Result;
use crate::object::{Object, ObjectId, builtin, pods};
use crate::ops::Context;
use crate::values::pointer;

/// A Secret that is needed: by whom, and which of its keys.
#[derive(Debug, Default, PartialEq)]
struct Need {
    keys: BTreeSet<String>,
    users: BTreeSet<ObjectId>,
}

/// Namespace and name of a Secret.
type Place = (String, String);

/// Asks for those that something which is written now needs.
pub(super) async fn secrets(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Problem>> {
    let objects: Vec<&Object> = subject.plan.steps.iter().map(|step| &step.object).collect();
    if objects.iter().any(|object| may_make_secrets(object)) {
        return Ok(Vec::new());
    }
    let written = subject.plan.steps.iter().filter(|step| step.change.writes()).map(|step| &step.object);
    let needs = needs(written, subject.values);
    let found = future::try_join_all(needs.into_iter().map(|(place, need)| async move {
        let (namespace, name) = &place;
        let live = ctx.cluster.look_up(&builtin::secrets(), Some(namespace), name).await?;
        // who may not read Secrets is told by the pods
        Ok::<_, crate::Error>(live.and_then(|live| problem(&place, &need, live.as_ref(), subject)))
    }));
    Ok(found.await?.into_iter().flatten().collect())
}

/// A controller that watches custom resources may make a Secret from one (`k8s.io` is reserved for
/// Kubernetes' own API groups, as are those without a dot).
fn may_make_secrets(object: &Object) -> bool {
    let group = object.id().group;
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// The Secrets that pods of `written` cannot start without, that the values name and the release does not
/// make itself.
fn needs<'o>(written: impl Iterator<Item = &'o Object> + Clone, values: &Value) -> BTreeMap<Place, Need> {
    let made: BTreeSet<ObjectId> = written.clone().filter(|o| o.kind() == "Secret").map(Object::id).collect();
    let mut needs: BTreeMap<Place, Need> = BTreeMap::new();
    for object in written {
        let user = object.id();
        let template = pods::template_at(&user.group, &user.kind).and_then(|at| object.value().pointer(at));
        let Some((template, namespace)) = template.zip(user.namespace.clone()) else { continue };
        for named in pods::references(&template["spec"]) {
            let id = ObjectId {
                group: String::new(),
                kind: "Secret".into(),
                namespace: Some(namespace.clone()),
                name: named.name.to_owned(),
            };
            if named.kind == "Secret"
                && !named.optional
                && !made.contains(&id)
                && pointer::to_text(values, named.name).is_some()
            {
                let need = needs.entry((namespace.clone(), named.name.to_owned())).or_default();
                need.keys.extend(named.keys.into_iter().map(str::to_owned));
                need.users.insert(user.clone());
            }
        }
    }
    needs
}

/// What is wrong with it; None when it has all that is needed.
fn problem(place: &Place, need: &Need, live: Option<&Value>, subject: &Subject<'_>) -> Option<Problem> {
    let (namespace, name) = place;
    let has: BTreeSet<String> = live
        .and_then(|live| live["data"].as_object())
        .map(|data| data.keys().cloned().collect())
        .unwrap_or_default();
    let lacks: Vec<&str> = need.keys.difference(&has).map(String::as_str).collect();
    let listed = |keys: &[&str]| keys.join(", ");
    let mut problem = match live {
        None => {
            // the file of each key is named as the key
            let key = lacks.first().unwrap_or(&"KEY");
            let create = format!("kubectl create secret generic {name} -n {namespace} --from-file={key}");
            let create = match lacks.get(1..) {
                Some(more) if !more.is_empty() => format!("{create}, and the same for {}", listed(more)),
                _ => create,
            };
            // it was made by this operation, and goes again
            let absent = subject.namespace.is_none_or(|state| state.made_now);
            let before =
                if absent { format!("kubectl create namespace {namespace}, then ") } else { String::new() };
            Problem::new(format!("secret {namespace}/{name} does not exist"))
                .hint(format!("{before}{create}"))
        }
        Some(_) if lacks.is_empty() => return None,
        Some(_) => {
            let has: Vec<&str> = has.iter().map(String::as_str).collect();
            let has =
                if has.is_empty() { "it is empty".to_owned() } else { format!("it has: {}", listed(&has)) };
            let word = if lacks.len() == 1 { "key" } else { "keys" };
            Problem::new(format!("secret {namespace}/{name} has no {word} {}", listed(&lacks)))
                .hint(format!("add what is missing, or name another; {has}"))
        }
    };
    let users: Vec<String> = need.users.iter().map(ToString::to_string).collect();
    problem.details.push(format!("needed by {}", users.join(", ")));
    if let Some(at) = pointer::to_text(subject.values, name) {
        problem.details.push(format!("named by {}", pointer::dotted(&at, subject.values)));
    }
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_values_name_and_pods_need_is_asked_for() {
        let pods = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"},
            "spec": {"template": {"spec": {"volumes": [
                {"projected": {"sources": [{"secret": {"name": "chat", "items": [{"key": "url"}]}}]}},
                {"secret": {"secretName": "ours"}}, {"secret": {"secretName": "of-the-bundle"}},
                {"secret": {"secretName": "maybe", "optional": true}}],
                "containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "chat", "key": "token"}}}]}]}}}});
        let ours =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ours", "namespace": "n"}});
        let objects = [Object::new(pods).unwrap(), Object::new(ours).unwrap()];
        let values = json!({"receivers": [{"secret": "chat"}], "also": ["ours", "maybe"]});
        let found = needs(objects.iter(), &values);
        let keys = ["token", "url"].map(str::to_owned).into();
        let expected = Need { keys, users: [objects[0].id()].into() };
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(("n".into(), "chat".into()), expected)]);
    }
}
