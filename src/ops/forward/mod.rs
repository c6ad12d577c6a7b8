//! Local ports to the UIs of a release. Each component is a [`lane::Lane`]: a listener, a watch that
//! keeps it on a ready pod, and a websocket for each connection.
//!
//! | file | what it is for |
//! |---|---|
//! | `target` | which components have a UI, and where (pure) |
//! | `listen` | local ports and their alternatives |
//! | `lane` | the state of one component's way |
//! | `follow` | the choice of the pod |
//! | `open`, `carry`, `said` | one connection: to a pod, to its end, and what can be said once more |
//! | `child` | a command that runs meanwhile |

mod carry;
pub mod child;
mod follow;
mod lane;
mod listen;
mod open;
mod said;
mod target;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use lane::{Lane, Row};
pub use target::{Options, local_ports, recorded_port, with_ui};

use super::{Context, live, preflight, revision, wake};
use crate::cluster::{Access, Cluster};
use crate::error::{Error, Result};
use crate::object::{labels, split_api_version};
use crate::readiness::readiness;
use crate::release::Status;
use lane::State;
use target::Target;

/// How long the start waits for pods that are not ready.
const SETTLE: Duration = Duration::from_secs(5);
/// Open files that are enough for any browser.
const FILES: u64 = 4096;

/// Forwards at work; dropping it ends them and their connections.
pub struct Forwards {
    /// One for each component.
    pub lanes: Vec<Arc<Lane>>,
    /// Told when a row changed otherwise than in its numbers.
    pub changed: Arc<Notify>,
    _tasks: JoinSet<()>,
}

/// Listens for what is asked for and finds the pods. It is an error when none of them is ready.
pub async fn start(ctx: &Context<'_>, options: &Options) -> Result<Forwards> {
    let (store, history) = revision::history(ctx).await?;
    let latest = revision::choose(ctx, &history, None)?;
    if latest.status == Some(Status::Uninstalled) {
        return Err(revision::no_release(ctx));
    }
    let record = store.read(latest.revision).await?;
    let targets = target::choose(&record, options)?;
    rights(ctx, &targets).await?;

    open_files();
    let changed = Arc::new(Notify::new());
    let (wake, woken) = watch::channel(0);
    let mut tasks = JoinSet::new();
    let mut lanes = Vec::new();
    for target in targets {
        let (listener, instead_of) = listen::bind(&target, options.address).await?;
        let address = listener.local_addr().map_err(|error| {
            Error::failed(format!("the local port of {} is lost: {error}", target.component))
        })?;
        let selector = format!("{},{}={}", live::selector(ctx), labels::OBS_COMPONENT, target.component);
        let lane = Arc::new(Lane::new(target, address, instead_of, Arc::clone(&changed)));
        tasks.spawn(follow::follow(ctx.cluster.clone(), Arc::clone(&lane), selector, woken.clone()));
        tasks.spawn(serve(listener, ctx.cluster.clone(), Arc::clone(&lane), woken.clone()));
        lanes.push(lane);
    }
    tasks.spawn(wake::notice(ctx.cluster.clone(), wake));
    settle(ctx, &lanes).await?;
    Ok(Forwards { lanes, changed, _tasks: tasks })
}

/// Each connection needs two files, and macOS gives a process 256 unless it asks for more.
fn open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_some_and(|current| current < enough) {
        // where that is refused, connections wait for each other
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), ..limit });
    }
}

/// Takes connections, for ever.
async fn serve(listener: TcpListener, cluster: Cluster, lane: Arc<Lane>, woken: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(carry::carry(cluster.clone(), Arc::clone(&lane), client, woken.clone()));
                }
                // no file descriptor is left, or the client has gone: the next one may do better
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Waits until each lane has a pod, but not for long. That none has one is an error with the reasons.
async fn settle(ctx: &Context<'_>, lanes: &[Arc<Lane>]) -> Result<()> {
    let known = async {
        for lane in lanes {
            // what is known counts; the cluster's own deadline ends a look that finds nothing
            let _ = lane.state().wait_for(|state| !matches!(state, State::Looking)).await;
        }
    };
    let first_look = async {
        tokio::select! {
            () = known => Ok(()),
            trouble = trouble(lanes) => Err(Error::failed(trouble)),
        }
    };
    ctx.or(first_look).await?;
    let end = Instant::now() + SETTLE;
    for lane in lanes {
        let _ = tokio::time::timeout_at(end, lane.pod()).await;
    }
    if lanes.iter().any(|lane| lane.row().pod.is_some()) {
        return Ok(());
    }
    let mut reasons = Vec::new();
    for lane in lanes {
        reasons.push((lane.target.component.as_str(), why(ctx, lane).await));
    }
    let mut error = match reasons.as_slice() {
        [(component, why)] => Error::failed(format!("{component} has no ready pod: {why}")),
        _ => Error::failed("no component has a ready pod"),
    };
    if reasons.len() > 1 {
        for (component, why) in reasons {
            error = error.detail(format!("{component}: {why}"));
        }
    }
    Err(error.hint("kubectl obs status says more"))
}

/// What the first look at the pods failed with.
async fn trouble(lanes: &[Arc<Lane>]) -> String {
    loop {
        for lane in lanes {
            if let Some(why) = lane.failed_look() {
                return why;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Why a lane has no pod; where there is none at all its workload knows.
async fn why(ctx: &Context<'_>, lane: &Lane) -> String {
    let why = lane.row().why.unwrap_or_default();
    if lane.has_pods() {
        return why;
    }
    let [api_version, kind, name] = &lane.target.workload;
    let (group, version) = split_api_version(api_version);
    let Ok(kinds) = ctx.cluster.kinds().await else { return why };
    let Some(found) = kinds.resolve(group, version, kind) else { return why };
    match ctx.cluster.get(&found, Some(&lane.target.namespace), name).await {
        Ok(None) => format!("{kind} {name} does not exist"),
        Ok(Some(live)) if live["spec"]["replicas"] == 0 => format!("{kind} {name} is scaled to 0"),
        Ok(Some(live)) => readiness(&live).why().map_or(why, str::to_owned),
        Err(_) => why,
    }
}

/// May the caller do it? Since Kubernetes 1.35 a websocket needs `create` beside `get`.
async fn rights(ctx: &Context<'_>, targets: &[Target]) -> Result<()> {
    let version = ctx.cluster.version().await?;
    let both = (version.major, version.minor) >= (1, 35);
    let right = |verb: &str, subresource: &str, namespace: &str| Access {
        verb: verb.into(),
        resource: "pods".into(),
        subresource: subresource.into(),
        namespace: Some(namespace.to_owned()),
        ..Access::default()
    };
    let mut wanted = Vec::new();
    for namespace in targets.iter().map(|target| target.namespace.as_str()).collect::<BTreeSet<_>>() {
        wanted.extend([right("list", "", namespace), right("watch", "", namespace)]);
        wanted.push(right("get", "portforward", namespace));
        if both {
            wanted.push(right("create", "portforward", namespace));
        }
    }
    let allowed = ctx.cluster.can_i(&wanted).await?;
    let missing: Vec<&Access> = wanted.iter().zip(allowed).filter(|(_, yes)| !yes).map(|(a, _)| a).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let verbs: Vec<String> = missing
        .iter()
        .map(|a| match a.subresource.as_str() {
            "" => format!("{} pods", a.verb),
            sub => format!("{} pods/{sub}", a.verb),
        })
        .collect();
    Err(Error::failed(format!(
        "you may not forward ports to pods in namespace {}: you may not {}",
        first.namespace.as_deref().unwrap_or_default(),
        verbs.join(", ")
    ))
    .detail(preflight::missing_rules(&missing))
    .hint("ask for the rules above, or use credentials that have them"))
}
