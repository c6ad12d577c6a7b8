//! What is in a namespace: what a person put there and an uninstall leaves alone, and what holds a
//! namespace that is being deleted.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::{Kind, ObjectId};
use crate::ops::{Context, live};

/// Objects that are named; more say nothing more.
const MAX_NAMED: usize = 5;

/// Every kind that a namespace can hold, with its objects (metadata only). None: they cannot be listed.
async fn listed(ctx: &Context<'_>, name: &str) -> Result<Vec<(Kind, Option<Vec<Value>>)>> {
    let kinds = ctx.cluster.kinds().await?;
    let listable: Vec<Kind> = kinds
        .preferred_with("list")
        .filter(|kind| {
            kind.namespaced
                // events say what happened, slices and endpoints go with their Service
                && !matches!(kind.kind.as_str(), "Event" | "EndpointSlice" | "Endpoints")
                && (kind.group != "metrics.k8s.io")
        })
        .cloned()
        .collect();
    Ok(futures::future::join_all(listable.into_iter().map(|kind| async move {
        let list = ctx.cluster.list_metadata_if_possible(&kind, Some(name), "").await;
        (kind, list.ok().flatten())
    }))
    .await)
}

/// Objects in a namespace that nobody but a person can have put there.
pub(super) async fn strangers(ctx: &Context<'_>, name: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (kind, list) in listed(ctx, name).await? {
        // where nobody may look, there may be something
        let Some(list) = list else {
            found.push(format!("{} in {name} (they cannot be listed)", kind.resource()));
            continue;
        };
        for object in list {
            let metadata = &object["metadata"];
            let object_name = metadata["name"].as_str().unwrap_or_default();
            let default = matches!(
                (kind.kind.as_str(), object_name),
                ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt")
            );
            let dependent = metadata["ownerReferences"].as_array().is_some_and(|refs| !refs.is_empty());
            let leaving = metadata["deletionTimestamp"].is_string();
            let lock = kind.kind == "Lease" && object_name == format!("obs.{}", ctx.release);
            if !(default || dependent || leaving || lock) {
                found.push(format!("{} {name}/{object_name}", kind.kind));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What keeps a namespace that is being deleted from its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holders {
    /// Objects with their finalizers, and at last the namespace's own.
    held: Vec<(ObjectId, Vec<String>)>,
    /// What the namespace's conditions say (NamespaceDeletionDiscoveryFailure, …).
    said: Vec<String>,
    /// Is something left that no finalizer holds, such as a pod that still ends?
    moving: bool,
}

/// Looks for what holds a namespace.
pub(super) async fn holders(ctx: &Context<'_>, namespace: &Value) -> Result<Holders> {
    let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
    let said: Vec<String> = namespace["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| condition["status"] == "True")
        .filter_map(|condition| condition["message"].as_str().map(str::to_owned))
        .collect();
    let mut holders = Holders { said, ..Holders::default() };
    let own = finalizers(&namespace["metadata"]["finalizers"]);
    if !own.is_empty() {
        holders.held.push((super::id(name), own));
    }
    for (kind, list) in listed(ctx, name).await? {
        for object in list.unwrap_or_default() {
            // the namespace's controller begins after some seconds
            let leaving = object["metadata"]["deletionTimestamp"].is_string();
            let held = finalizers(&object["metadata"]["finalizers"]);
            holders.moving |= !leaving || held.is_empty();
            if !held.is_empty() {
                holders.held.push((live::id_of(&kind, &object), held));
            }
        }
    }
    holders.held.sort();
    Ok(holders)
}

fn finalizers(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

impl Holders {
    /// Is there nothing but objects whose finalizers are not taken off?
    pub(super) fn are_finalizers_alone(&self) -> bool {
        !self.held.is_empty() && !self.moving
    }

    /// ` (ConfigMap x/c waits for its finalizer a/b)`; empty when nothing is known.
    pub(super) fn briefly(&self) -> String {
        match (self.lines().first(), self.held.len().saturating_sub(1)) {
            (None, _) => String::new(),
            (Some(first), 0) => format!(" ({first})"),
            (Some(first), more) => format!(" ({first}, and {more} more)"),
        }
    }

    /// The error that names what holds it.
    pub(super) fn error(&self, name: &str) -> Error {
        let mut error = Error::failed(format!("namespace {name} is being deleted{}", self.briefly()));
        let lines = self.lines();
        let more = lines.len().saturating_sub(MAX_NAMED);
        for line in lines.into_iter().skip(1).take(MAX_NAMED - 1) {
            error = error.detail(line);
        }
        if more > 0 {
            error = error.detail(format!("and {more} more"));
        }
        if self.held.is_empty() {
            return error.hint(format!(
                "wait until it is gone: kubectl wait --for=delete namespace/{name} --timeout=2m"
            ));
        }
        error.hint("a finalizer is removed by its controller; look whether that is running").hint(format!(
            "then wait until it is gone: kubectl wait --for=delete namespace/{name} --timeout=2m"
        ))
    }

    /// One line each; without objects what the namespace says itself.
    fn lines(&self) -> Vec<String> {
        if self.held.is_empty() {
            return self.said.clone();
        }
        let line = |(id, held): &(ObjectId, Vec<String>)| match held.as_slice() {
            [one] => format!("{id} waits for its finalizer {one}"),
            many => format!("{id} waits for its finalizers {}", many.join(", ")),
        };
        self.held.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, finalizers: &[&str]) -> (ObjectId, Vec<String>) {
        let id = ObjectId {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("x".into()),
            name: name.into(),
        };
        (id, finalizers.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn the_object_and_the_finalizer_are_named() {
        let two = Holders {
            held: vec![held("c", &["a/b"]), held("d", &["a/b", "c/d"])],
            said: vec!["Some content in the namespace has finalizers remaining".into()],
            moving: false,
        };
        assert!(two.are_finalizers_alone());
        assert_eq!(
            two.error("x").to_string(),
            "namespace x is being deleted (ConfigMap x/c waits for its finalizer a/b, and 1 more)\n  \
             ConfigMap x/d waits for its finalizers a/b, c/d\n  \
             hint: a finalizer is removed by its controller; look whether that is running\n  \
             hint: then wait until it is gone: kubectl wait --for=delete namespace/x --timeout=2m"
        );
        let many = Holders { held: (0..9).map(|i| held(&i.to_string(), &["f"])).collect(), ..two };
        assert_eq!(many.error("x").details().len(), 5);
        assert_eq!(many.error("x").details()[4], "and 4 more");
    }

    #[test]
    fn what_still_moves_is_waited_for() {
        let nothing = Holders { moving: true, ..Holders::default() };
        assert!(!nothing.are_finalizers_alone());
        assert_eq!(nothing.error("x").message(), "namespace x is being deleted");
        let pod = Holders { held: vec![held("c", &["a/b"])], moving: true, said: Vec::new() };
        assert!(!pod.are_finalizers_alone());
        let discovery = Holders { said: vec!["Discovery failed".into()], ..Holders::default() };
        assert_eq!(discovery.error("x").message(), "namespace x is being deleted (Discovery failed)");
        assert!(!discovery.are_finalizers_alone());
    }
}
