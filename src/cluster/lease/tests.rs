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
