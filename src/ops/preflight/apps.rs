//! Do the applications that the values name fit the pods that there are? Only warnings: monitoring is often
//! there first. One request for each of their namespaces, and one more where it has no pod.

use std::collections::BTreeSet;

use futures::future;
use serde_json::Value;

use super::Subject;
use crate::error::Result;
use crate::event::Event;
use crate::object::builtin;
use crate::ops::Context;
use crate::ops::apps::fit::{self, Around};

/// The component that watches them.
const WATCHER: &str = "prometheus";

/// Says what does not fit.
pub(super) async fn warn(ctx: &Context<'_>, subject: &Subject<'_>) {
    let namespaces = namespaces(subject.values);
    if namespaces.is_empty() || !subject.components.iter().any(|component| component.name == WATCHER) {
        return;
    }
    let warn = |message: String| ctx.observer.event(Event::Warning { message });
    match look(ctx, subject, &namespaces).await {
        Ok((pods, around)) => {
            let misfits = fit::misfits(subject.values, &Around { pods: &pods, ..around });
            misfits.into_iter().for_each(|misfit| warn(misfit.text));
        }
        Err(error) => warn(format!("the pods of apps could not be looked at: {}", error.message())),
    }
}

/// The namespaces of the applications.
fn namespaces(values: &Value) -> BTreeSet<&str> {
    let apps = values["apps"].as_array().into_iter().flatten();
    apps.filter_map(|app| app["namespace"].as_str()).collect()
}

/// Their pods, and what is known of the namespaces.
async fn look(
    ctx: &Context<'_>,
    subject: &Subject<'_>,
    namespaces: &BTreeSet<&str>,
) -> Result<(Vec<Value>, Around<'static>)> {
    let one = |namespace: &str| {
        let namespace = namespace.to_owned();
        async move {
            let pods = ctx.cluster.list_first(&builtin::pods(), &namespace, "").await?;
            let empty = pods.as_ref().is_some_and(|(pods, _)| pods.is_empty());
            let absent = empty
                && !subject.has_namespace(&namespace)
                && ctx.cluster.look_up(&builtin::namespaces(), None, &namespace).await? == Some(None);
            Ok::<_, crate::Error>((namespace, pods, absent))
        }
    };
    let mut all = Vec::new();
    let mut around = Around::default();
    for (namespace, pods, absent) in future::try_join_all(namespaces.iter().map(|name| one(name))).await? {
        // who may not list pods learns nothing of them
        let (pods, complete) = pods.unwrap_or_default();
        all.extend(pods);
        if absent {
            around.absent.insert(namespace);
        } else if !complete {
            around.unsure.insert(namespace);
        }
    }
    Ok((all, around))
}
