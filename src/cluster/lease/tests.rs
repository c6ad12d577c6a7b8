//! What a Lease says and keeps; acquiring, renewing and losing are tested on a real API server.

use super::super::fake::{Fake, Step};
use super::*;

fn place() -> Place {
    Place { namespace: "ns".into(), release: "obs".into(), holder: Holder::this_process("upgrade") }
}

#[test]
fn a_lease_tells_who_holds_it() {
    let place = place();
    let lease = place.fresh();
    assert_eq!(lease["metadata"]["name"], "obs.obs");
    assert_eq!(lease["metadata"]["labels"]["kubectl-obs.dev/release"], "obs");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    let renew_time = lease["spec"]["renewTime"].as_str().unwrap();
    assert_eq!(renew_time.len(), "2026-11-21T10:00:00.000000Z".len(), "{renew_time}");
    let info = HolderInfo::read(&lease);
    assert_eq!(info.identity, place.holder.identity());
    assert_eq!(
        info.to_string(),
        format!("upgraded by {} (pid {}) since 0s", place.holder.who(), std::process::id())
    );
    assert!(!info.is_free() && !info.process_is_gone());
}

#[test]
fn the_refusal_names_the_holder_and_the_way_out() {
    let since = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(40)).unwrap();
    let lease = json!({"metadata": {"annotations": {
        "kubectl-obs.dev/operation": "upgrade", "kubectl-obs.dev/who": "alice@build-7",
        "kubectl-obs.dev/pid": "4121", "kubectl-obs.dev/since": since.to_string(),
    }}, "spec": {"holderIdentity": "alice@build-7/4121/0"}});
    assert_eq!(
        held_by("obs", &HolderInfo::read(&lease)).to_string(),
        "release obs is being upgraded by alice@build-7 (pid 4121) since 40s\n  \
         hint: it renews its lock every 5s; wait for it with --lock-timeout 5m"
    );
}

#[test]
fn a_lease_of_another_tool_or_an_emptied_one_is_read_too() {
    let foreign = json!({"metadata": {}, "spec": {"holderIdentity": "somebody"}});
    assert_eq!(HolderInfo::read(&foreign).to_string(), "changed by somebody");
    assert!(HolderInfo::read(&json!({"metadata": {}})).is_free());
}

#[test]
fn taking_over_keeps_the_version_and_counts() {
    let live = json!({"metadata": {"resourceVersion": "7", "uid": "u", "annotations": {"kubectl-obs.dev/who": "bob@x"}},
        "spec": {"holderIdentity": "bob", "leaseTransitions": 2}});
    let place = place();
    let lease = place.taken_over(&live);
    assert_eq!(lease["metadata"]["resourceVersion"], "7");
    assert_eq!(lease["spec"]["leaseTransitions"], 3);
    assert_eq!(HolderInfo::read(&lease).who, place.holder.who());
}

#[tokio::test]
async fn an_old_renewal_is_not_trusted() {
    let fake = Fake::always(|| Step::Hang);
    let place = place();
    let lease = place.fresh();
    let fresh = Lock::held(&fake.reached(), place.clone(), lease.clone(), renewal::now());
    fresh.still_held().unwrap();
    let old =
        Lock::held(&fake.reached(), place, lease, renewal::now().saturating_sub(Duration::from_secs(11)));
    assert_eq!(
        old.still_held().unwrap_err().message(),
        "the lock of release obs is lost: it could not be renewed for 11s"
    );
}

/// A lock whose last renewal was asked for this long ago, and a way to renew it.
fn held(cluster: &Cluster, ago: u64) -> Lock {
    let asked = renewal::now().saturating_sub(Duration::from_secs(ago));
    Lock::held(cluster, place(), place().fresh(), asked)
}

fn renew(lock: &Lock, ago: u64) {
    let asked = renewal::now().saturating_sub(Duration::from_secs(ago));
    lock.renewal.fence().shared.renewals.send_replace(asked);
}

async fn write(cluster: &Cluster) -> Result<(), String> {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let kind = crate::object::Kind::namespaced("", "ConfigMap", "configmaps");
    match cluster.create(&kind, Some("ns"), &map, false).await {
        Ok(_) => Ok(()),
        Err(CreateError::Other(error) | CreateError::AlreadyExists(error)) => Err(error.message().to_owned()),
    }
}

#[tokio::test]
async fn nothing_is_written_while_somebody_else_may_have_the_lock() {
    let fake = Fake::always(|| Step::Json(201, json!({"metadata": {}})));
    let cluster = fake.reached();
    let lock = held(&cluster, 11);
    let impatient = cluster.with_deadline(Instant::now() + Duration::from_millis(200));
    let refused = write(&impatient).await.unwrap_err();
    assert!(refused.starts_with("the time given with --timeout was over"), "{refused}");
    let secrets = builtin::secrets();
    cluster.get(&secrets, Some("ns"), "a").await.expect("reading needs no lock");
    assert_eq!(fake.lines(), ["GET /api/v1/namespaces/ns/secrets/a"]);

    // after an outage it is renewed, and what waited goes on
    let (written, ()) = tokio::join!(write(&cluster), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        renew(&lock, 0);
    });
    written.expect("it is ours again");
    drop(lock);
    write(&cluster).await.expect("no lock, no fence");
}

#[tokio::test]
async fn a_write_that_failed_asks_for_the_lock_before_it_is_sent_again() {
    let fake = Fake::new([Step::Json(503, json!({"kind": "Status", "code": 503, "message": "away"}))]);
    let cluster = fake.reached();
    let lock = held(&cluster, 0);
    let impatient = cluster.with_deadline(Instant::now() + Duration::from_millis(600));
    let (refused, ()) = tokio::join!(write(&impatient), async {
        while fake.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        renew(&lock, 12);
    });
    assert!(refused.unwrap_err().starts_with("the time given with --timeout was over"));
    assert_eq!(fake.lines().len(), 1, "{:?}", fake.lines());
}

#[tokio::test]
async fn what_was_about_to_be_sent_is_dropped_after_a_pause() {
    let fake = Fake::always(|| Step::Hang);
    let lock = held(&fake.reached(), 0);
    let sent = std::cell::Cell::new(false);
    let connects = async {
        // the process was suspended meanwhile
        renew(&lock, 20);
        tokio::task::yield_now().await;
        sent.set(true);
    };
    assert_eq!(lock.renewal.fence().guard(connects).await, None);
    assert!(!sent.get());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_as_what_it_is() {
    let fake = Fake::always(|| Step::Json(503, json!({"kind": "Status", "code": 503, "message": "away"})));
    let cluster = fake.reached();
    let lock = held(&cluster, 0);
    let (refused, ()) = tokio::join!(write(&cluster), async {
        while fake.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        renew(&lock, 12);
    });
    assert!(refused.as_ref().is_err_and(|why| why.contains("away")), "{refused:?}");
    let posts = fake.lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1, "{:?}", fake.lines());
}
