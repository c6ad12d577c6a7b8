//! The lock of a running operation: one Lease per release, so that two people, or a person and a
//! pipeline, cannot change a release at the same time.
//!
//! It is made by POST and changed by PUT with resourceVersion only, so that of two takers one
//! wins. It is held for 15 s at a time and renewed every 5 s in the background. Clocks of
//! different machines are never compared: a holder counts as gone when its Lease did not change
//! for 15 s while we watched, or at once when it was a process of this machine that is no more.
//! Kubernetes has no fencing; that every attempt at a write asks for the lock first (`fence`) is what
//! keeps a holder that was suspended or cut off from writing on.

mod fence;
mod holder;
mod process;
mod renewal;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

pub(super) use fence::Fence;
pub use holder::{Holder, HolderInfo};
use renewal::Renewal;
pub use renewal::now as uptime;

use super::pulse::Watched;
use super::{Cluster, CreateError, DeleteOptions, Deleted, ReplaceError};
use crate::object::builtin;
use crate::object::labels::{MANAGED_BY, MANAGER, RELEASE, RELEASE_NAMESPACE};
use crate::{Error, Result};

/// A Lease that nobody renewed for this long is free.
const EXPIRES: Duration = Duration::from_secs(15);
/// How often the holder renews it.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// A holder whose last renewal is as old as this must not write any more: it leaves a third of the
/// Lease's time for the write itself.
const TRUST: Duration = Duration::from_secs(10);
/// How often someone who waits looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The lock of a release, held. Dropping it stops the renewal but leaves the Lease to expire; end
/// with [`Lock::release`].
pub struct Lock {
    cluster: Cluster,
    place: Place,
    renewal: Renewal,
    _watched: Watched,
}

/// Which lock, and for whom.
#[derive(Clone)]
struct Place {
    namespace: String,
    release: String,
    holder: Holder,
}

impl Lock {
    /// Takes the lock of `release`, whose records live in `namespace`. While someone holds it,
    /// `on_wait` is told who, once for each holder. Gives up after `timeout`, but not before it
    /// knows whether the holder is alive, which takes 5 to 15 s.
    pub async fn acquire(
        cluster: &Cluster,
        namespace: &str,
        release: &str,
        holder: Holder,
        timeout: Duration,
        mut on_wait: impl FnMut(&HolderInfo),
    ) -> Result<Self> {
        let place = Place { namespace: namespace.into(), release: release.into(), holder };
        let started = Instant::now();
        let mut seen: Option<Seen> = None;
        let mut told: Option<String> = None;
        // most often nobody holds it: whoever makes it knows
        let mut absent = true;
        loop {
            let asked = renewal::now();
            if std::mem::take(&mut absent) {
                match cluster.create(&builtin::leases(), Some(namespace), &place.fresh(), false).await {
                    Ok(lease) => return Ok(Self::held(cluster, place, lease, asked)),
                    Err(CreateError::AlreadyExists(_)) => continue,
                    Err(CreateError::Other(error)) => return Err(error),
                }
            }
            let Some(live) = cluster.get(&builtin::leases(), Some(namespace), &place.name()).await? else {
                absent = true;
                continue;
            };
            let info = HolderInfo::read(&live);
            let observed = Seen::update(&mut seen, &live);
            if info.is_free() || observed.unchanged_for() >= EXPIRES || info.process_is_gone() {
                match cluster.replace(&builtin::leases(), Some(namespace), &place.taken_over(&live)).await {
                    Ok(lease) => return Ok(Self::held(cluster, place, lease, asked)),
                    // someone else was faster, or the holder lives after all
                    Err(ReplaceError::Conflict(_) | ReplaceError::Gone(_)) => continue,
                    Err(ReplaceError::Other(error)) => return Err(error),
                }
            }
            if observed.renewed && started.elapsed() >= timeout {
                return Err(held_by(release, &info));
            }
            if told.as_deref() != Some(&info.identity) {
                told = Some(info.identity.clone());
                on_wait(&info);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn held(cluster: &Cluster, place: Place, lease: Value, asked: Duration) -> Self {
        let renewal = Renewal::start(cluster.without_deadline(), place.clone(), lease, asked);
        cluster.fence_in(renewal.fence());
        Self { cluster: cluster.clone(), place, renewal, _watched: Watched::begin() }
    }

    /// May we still write? An error when someone else took the lock, or when the last renewal is
    /// 10 s old or more, counting the time in which this machine slept.
    pub fn still_held(&self) -> Result<()> {
        self.renewal.fence().check()
    }

    /// Resolves when the lock is lost to someone else; pending for ever otherwise. For stopping
    /// work that is not a write.
    pub async fn lost(&self) -> Error {
        self.renewal.lost().await
    }

    /// Gives the lock back: deletes the Lease if it is still ours. Works past the operation's
    /// deadline.
    pub async fn release(self) -> Result<()> {
        let Some(mut lease) = self.renewal.stop().await else { return Ok(()) };
        let cluster = self.cluster.without_deadline();
        let name = self.place.name();
        for _ in 0..2 {
            let metadata = &lease["metadata"];
            let only_ours = DeleteOptions {
                uid: metadata["uid"].as_str().map(str::to_owned),
                resource_version: metadata["resourceVersion"].as_str().map(str::to_owned),
                ..DeleteOptions::default()
            };
            let deleted =
                cluster.delete(&builtin::leases(), Some(&self.place.namespace), &name, &only_ours).await?;
            if deleted != Deleted::Replaced {
                return Ok(());
            }
            // a renewal whose answer we did not see, or another holder
            match cluster.get(&builtin::leases(), Some(&self.place.namespace), &name).await? {
                Some(live) if HolderInfo::read(&live).identity == self.place.holder.identity() => {
                    lease = live;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Who holds the lock of a release, if anyone: for `status`. The holder may be dead.
    pub async fn holder(cluster: &Cluster, namespace: &str, release: &str) -> Result<Option<HolderInfo>> {
        let live = cluster.get(&builtin::leases(), Some(namespace), &name(release)).await?;
        Ok(live.map(|lease| HolderInfo::read(&lease)).filter(|info| !info.is_free()))
    }
}

impl Place {
    fn name(&self) -> String {
        name(&self.release)
    }

    /// The Lease as it is made.
    fn fresh(&self) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name(),
                "namespace": self.namespace,
                "labels": {
                    MANAGED_BY: MANAGER,
                    RELEASE: self.release,
                    RELEASE_NAMESPACE: self.namespace,
                },
                "annotations": self.holder.annotations(),
            },
            "spec": self.spec(0),
        })
    }

    /// Someone else's Lease, made ours. Its resourceVersion stays: the PUT fails if it changed.
    fn taken_over(&self, live: &Value) -> Value {
        let transitions = live["spec"]["leaseTransitions"].as_u64().unwrap_or_default();
        let mut lease = self.fresh();
        lease["metadata"]["uid"] = live["metadata"]["uid"].clone();
        lease["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        lease["spec"] = self.spec(transitions + 1);
        lease
    }

    fn spec(&self, transitions: u64) -> Value {
        let now = micro_time();
        json!({
            "holderIdentity": self.holder.identity(),
            "leaseDurationSeconds": EXPIRES.as_secs(),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        })
    }
}

/// What the waiter saw of a Lease, on its own clock.
struct Seen {
    resource_version: String,
    since: Instant,
    /// Did it change while we watched? Then its holder is alive.
    renewed: bool,
}

impl Seen {
    fn update<'a>(seen: &'a mut Option<Self>, live: &Value) -> &'a Self {
        let resource_version = live["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let unchanged = seen.as_ref().is_some_and(|seen| seen.resource_version == resource_version);
        if unchanged && let Some(seen) = seen {
            return seen;
        }
        let renewed = seen.is_some();
        seen.insert(Self { resource_version, since: Instant::now(), renewed })
    }

    fn unchanged_for(&self) -> Duration {
        self.since.elapsed()
    }
}

fn held_by(release: &str, info: &HolderInfo) -> Error {
    Error::failed(format!("release {release} is being {info}")).hint(format!(
        "it renews its lock every {}s; wait for it with --lock-timeout 5m",
        RENEW_EVERY.as_secs()
    ))
}

fn name(release: &str) -> String {
    format!("obs.{release}")
}

/// Now as a `MicroTime`, which wants exactly six digits. For people; nothing is decided by it.
fn micro_time() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Changes what the holder says about itself only: everything else in the Lease stays.
fn renewed(lease: &Value) -> Value {
    let mut lease = lease.clone();
    if let Some(metadata) = lease.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let spec = lease.as_object_mut().map(|lease| lease.entry("spec").or_insert(Value::Object(Map::new())));
    if let Some(spec) = spec {
        spec["renewTime"] = json!(micro_time());
    }
    lease
}
