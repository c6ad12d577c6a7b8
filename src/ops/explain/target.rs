//! Which pods a person means: `shop/deploy/checkout`, `deploy/checkout`, `shop/checkout`, or the name of an
//! application, a component, a workload, a Service or a pod. Pure over what there is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::labels;
use crate::ops::apps::pods::{is_over, is_part, list, text, workload};
use crate::ops::apps::unwatched::Seen;
use crate::values::did_you_mean;

/// What is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// `deployment`, `app`, …
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its pods, without those that are over.
    pub pods: Vec<Value>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The kinds that can be typed, and what they are called.
const KINDS: [(&[&str], &str); 7] = [
    (&["app", "apps"], "app"),
    (&["component", "components"], "component"),
    (&["deploy", "deployment", "deployments"], "deployment"),
    (&["sts", "statefulset", "statefulsets"], "statefulset"),
    (&["ds", "daemonset", "daemonsets"], "daemonset"),
    (&["svc", "service", "services"], "service"),
    (&["po", "pod", "pods"], "pod"),
];

/// What was typed.
struct Typed<'t> {
    namespace: Option<&'t str>,
    kind: Option<&'static str>,
    name: &'t str,
}

fn parse(text: &str) -> Result<Typed<'_>> {
    let kind_of = |word: &str| KINDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, kind)| *kind);
    let bad = || {
        Error::usage(format!("\"{text}\" names no target"))
            .hint("write it as NAME, KIND/NAME, NAMESPACE/NAME or NAMESPACE/KIND/NAME, such as shop/deploy/checkout")
    };
    let parts: Vec<&str> = text.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(bad());
    }
    match parts.as_slice() {
        [name] => Ok(Typed { namespace: None, kind: None, name }),
        [first, name] => match kind_of(first) {
            Some(kind) => Ok(Typed { namespace: None, kind: Some(kind), name }),
            None => Ok(Typed { namespace: Some(first), kind: None, name }),
        },
        [namespace, kind, name] => {
            Ok(Typed { namespace: Some(namespace), kind: Some(kind_of(kind).ok_or_else(bad)?), name })
        }
        _ => Err(bad()),
    }
}

/// Finds it. An error when it is not there, or in more than one namespace.
pub fn find(typed: &str, seen: &Seen) -> Result<Target> {
    let wanted = parse(typed)?;
    let all = everything(seen);
    let fits = |target: &&Target| {
        target.name == wanted.name
            && wanted.namespace.is_none_or(|namespace| namespace == target.namespace)
            && wanted.kind.is_none_or(|kind| kind == target.kind)
    };
    let mut found: Vec<&Target> = all.iter().filter(fits).collect();
    // the kind that comes first is meant: an app, then what runs it, then what leads to it
    if let Some(first) = found.first().map(|target| target.kind.clone()) {
        found.retain(|target| target.kind == first);
    }
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let error = Error::failed(format!("there is nothing called {typed} that has pods"));
            let names: BTreeSet<&str> = all.iter().map(|target| target.name.as_str()).collect();
            let error = match did_you_mean(wanted.name, names) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error,
            };
            Err(error.hint("kubectl get deployments,statefulsets,daemonsets,pods -A shows what there is"))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|target| format!("{}/{}/{}", target.namespace, target.kind, target.name))
                .collect();
            Err(Error::usage(format!("{typed} is in {} namespaces", several.len()))
                .hint(format!("say which: {}", names.join(", "))))
        }
    }
}

/// All that can be meant, in the order in which it is.
fn everything(seen: &Seen) -> Vec<Target> {
    let pods: Vec<&Value> = seen.pods.iter().filter(|pod| !is_over(pod)).collect();
    let own = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        pods.iter().filter(|pod| wanted(pod)).map(|pod| (*pod).clone()).collect()
    };
    let mut all: Vec<Target> = Vec::new();
    for app in list(&seen.values["apps"]) {
        let pods = own(&|pod| {
            pod["metadata"]["namespace"] == app["namespace"]
                && is_part(&app["selector"], &pod["metadata"]["labels"])
        });
        all.push(Target {
            kind: "app".into(),
            namespace: text(&app["namespace"]),
            name: text(&app["name"]),
            pods,
        });
    }
    let components: BTreeSet<(String, String)> = pods
        .iter()
        .filter_map(|pod| {
            let name = pod["metadata"]["labels"][labels::OBS_COMPONENT].as_str()?;
            Some((text(&pod["metadata"]["namespace"]), name.to_owned()))
        })
        .collect();
    for (namespace, name) in components {
        let pods = own(&|pod| {
            pod["metadata"]["namespace"] == namespace.as_str()
                && pod["metadata"]["labels"][labels::OBS_COMPONENT] == name.as_str()
        });
        all.push(Target { kind: "component".into(), namespace, name, pods });
    }
    for object in &seen.workloads {
        let meta = &object["metadata"];
        let (namespace, name) = (text(&meta["namespace"]), text(&meta["name"]));
        let pods = own(&|pod| {
            pod["metadata"]["namespace"] == meta["namespace"]
                && workload(pod).as_deref() == Some(name.as_str())
        });
        let kind = text(&object["kind"]).to_lowercase();
        all.push(Target { kind, namespace, name, pods });
    }
    for service in &seen.services {
        let selector = &service["spec"]["selector"];
        let meta = &service["metadata"];
        let pods = own(&|pod| {
            selector.as_object().is_some_and(|labels| !labels.is_empty())
                && pod["metadata"]["namespace"] == meta["namespace"]
                && is_part(selector, &pod["metadata"]["labels"])
        });
        all.push(Target {
            kind: "service".into(),
            namespace: text(&meta["namespace"]),
            name: text(&meta["name"]),
            pods,
        });
    }
    for pod in &pods {
        let meta = &pod["metadata"];
        all.push(Target {
            kind: "pod".into(),
            namespace: text(&meta["namespace"]),
            name: text(&meta["name"]),
            pods: vec![(*pod).clone()],
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, name: &str, app: &str) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name, "labels": {"app": app},
                "ownerReferences": [{"controller": true, "kind": "StatefulSet", "name": app}]},
            "status": {"phase": "Running"}})
    }

    fn seen() -> Seen {
        let meta = |namespace: &str, name: &str| json!({"kind": "StatefulSet", "metadata": {"namespace": namespace, "name": name}});
        Seen {
            pods: vec![
                pod("shop", "web-0", "web"),
                pod("shop", "web-1", "web"),
                pod("test", "web-0", "web"),
                pod("shop", "db-0", "db"),
            ],
            workloads: vec![
                meta("shop", "web"),
                meta("test", "web"),
                meta("shop", "db"),
                meta("shop", "idle"),
            ],
            services: vec![
                json!({"metadata": {"namespace": "shop", "name": "front"}, "spec": {"selector": {"app": "web"}}}),
            ],
            values: json!({"apps": [{"name": "db", "namespace": "shop", "selector": {"app": "db"}}]}),
            ..Seen::default()
        }
    }

    #[test]
    fn targets_are_found_however_they_are_named() {
        let seen = seen();
        let rows = [
            ("shop/web", "statefulset shop/web", 2),
            ("shop/sts/web", "statefulset shop/web", 2),
            // an app of the values comes before what runs it
            ("db", "app shop/db", 1),
            ("sts/db", "statefulset shop/db", 1),
            ("front", "service shop/front", 2),
            ("pod/web-1", "pod shop/web-1", 1),
            ("idle", "statefulset shop/idle", 0),
        ];
        for (typed, about, pods) in rows {
            let target = find(typed, &seen).unwrap_or_else(|error| panic!("{typed}: {}", error.message()));
            assert_eq!((target.to_string().as_str(), target.pods.len()), (about, pods), "{typed}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_clear_is_said() {
        let message = |typed: &str| find(typed, &seen()).unwrap_err().message().to_owned();
        assert_eq!(message("wbe"), "there is nothing called wbe that has pods");
        assert_eq!(message("web"), "web is in 2 namespaces");
        for typed in ["a/b/c", "a//b", "/", "a/b/c/d"] {
            assert_eq!(message(typed), format!("\"{typed}\" names no target"));
        }
    }
}
