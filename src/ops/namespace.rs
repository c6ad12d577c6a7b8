//! The release's namespace: made when absent (the one write before the checks), used as it is when
//! it was there before, removed again when we made it and nothing came of it.

mod content;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Context;
use crate::cluster::{CreateError, DeleteOptions, Deleted};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{ObjectId, builtin, labels};
use content::{Holders, holders, strangers};

/// The identity of a namespace.
pub fn id(name: &str) -> ObjectId {
    ObjectId { group: String::new(), kind: "Namespace".into(), namespace: None, name: name.to_owned() }
}

/// What is known of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Made by this very operation.
    pub made_now: bool,
    /// Carries this release's labels.
    pub ours: bool,
    /// PodSecurity level that is enforced; `privileged` where none is set.
    pub enforce: String,
}

/// Reads a namespace. One that may not be read counts as one that is there and is not ours: who
/// has rights in it alone works in it all the same.
pub async fn live(ctx: &Context<'_>, name: &str) -> Result<Option<Value>> {
    let unknown = || json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    Ok(ctx.cluster.look_up(&builtin::namespaces(), None, name).await?.unwrap_or_else(|| Some(unknown())))
}

/// Reads a namespace's state. None when it does not exist; an error when it is being deleted.
pub async fn read(ctx: &Context<'_>, name: &str) -> Result<Option<State>> {
    let Some(live) = live(ctx, name).await? else { return Ok(None) };
    if is_leaving(&live) {
        return Err(holders(ctx, &live).await?.error(name));
    }
    Ok(Some(state(ctx, &live)))
}

fn is_leaving(live: &Value) -> bool {
    live["metadata"]["deletionTimestamp"].is_string()
}

fn state(ctx: &Context<'_>, live: &Value) -> State {
    let label = |key: &str| live["metadata"]["labels"][key].as_str();
    State {
        made_now: false,
        ours: label(labels::RELEASE) == Some(ctx.release.as_str())
            && label(labels::RELEASE_NAMESPACE) == Some(ctx.namespace.as_str()),
        enforce: label("pod-security.kubernetes.io/enforce").unwrap_or("privileged").to_owned(),
    }
}

/// Makes the release's namespace when it is absent: `object` is its rendered form. `absent`: it was
/// not there a moment ago. Gives its state, and what was made.
pub async fn ensure(ctx: &Context<'_>, object: &Value, absent: bool) -> Result<(State, Option<Value>)> {
    let name = ctx.namespace.as_str();
    if !absent && let Some(state) = read_patiently(ctx).await? {
        return Ok((state, None));
    }
    match ctx.cluster.create(&builtin::namespaces(), None, object, false).await {
        Ok(made) => {
            let state = State {
                made_now: true,
                ours: true,
                enforce: object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
                    .as_str()
                    .unwrap_or("privileged")
                    .to_owned(),
            };
            Ok((state, Some(made)))
        }
        // somebody made it in between
        Err(CreateError::AlreadyExists(_)) => {
            let state = read(ctx, name).await?.ok_or_else(|| {
                Error::failed(format!(
                    "namespace {name} appears and disappears: another operation is at work"
                ))
            })?;
            Ok((state, None))
        }
        Err(CreateError::Other(error)) => Err(error),
    }
}

/// How long the end of a namespace is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing but finalizers may hold it: a controller that is there takes them off at once.
const HELD: Duration = Duration::from_secs(3);

/// Reads the release's namespace. One of ours that an earlier, failed operation is just removing
/// comes back: its end is waited for, which is said together with what holds it. What finalizers alone
/// hold is not waited for: nobody may ever take them off.
async fn read_patiently(ctx: &Context<'_>) -> Result<Option<State>> {
    let name = ctx.namespace.as_str();
    let patience = ctx.deadline.min(Instant::now() + PATIENCE);
    let mut held: Option<(Holders, Instant)> = None;
    let mut told = String::new();
    loop {
        let Some(live) = live(ctx, name).await? else { return Ok(None) };
        if !is_leaving(&live) {
            return Ok(Some(state(ctx, &live)));
        }
        let now = holders(ctx, &live).await?;
        let since = match &held {
            Some((before, since)) if *before == now => *since,
            _ => Instant::now(),
        };
        let what = format!("namespace {name} is being deleted{}: waiting until it is gone", now.briefly());
        if what != told {
            ctx.observer.event(Event::Warning { message: what.clone() });
            told = what;
        }
        if Instant::now() >= patience || (now.are_finalizers_alone() && since.elapsed() >= HELD) {
            return Err(now.error(name));
        }
        held = Some((now, since));
        // each look is a list of every kind
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Removes a namespace that we made if nothing but ours-by-default is in it: the `default`
/// ServiceAccount, kube-root-ca.crt, Events and what hangs on other objects. Returns what is
/// still in it otherwise.
pub async fn remove_if_empty(ctx: &Context<'_>, name: &str) -> Result<Vec<String>> {
    let Some(live) = ctx.cluster.get(&builtin::namespaces(), None, name).await? else {
        return Ok(Vec::new());
    };
    let strangers = strangers(ctx, name).await?;
    if strangers.is_empty() {
        let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
        let options = DeleteOptions { uid, ..DeleteOptions::default() };
        if let Deleted::Replaced = ctx.cluster.delete(&builtin::namespaces(), None, name, &options).await? {
            return Err(Error::failed(format!("namespace {name} was replaced by another one meanwhile")));
        }
    }
    Ok(strangers)
}

/// Waits until a namespace is gone.
pub async fn gone(ctx: &Context<'_>, name: &str) -> Result<()> {
    loop {
        let Some(live) = ctx.cluster.get(&builtin::namespaces(), None, name).await? else { return Ok(()) };
        if Instant::now() >= ctx.deadline {
            // the deadline has passed, but a person must know why
            let cluster = ctx.cluster.without_deadline();
            let patient = Context { cluster: &cluster, ..*ctx };
            let why = holders(&patient, &live).await?.briefly();
            return Err(Error::deadline(format!("namespace {name} is not gone{why}"))
                .hint("it goes on being deleted; look again with kubectl get namespace"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
