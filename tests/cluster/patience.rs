//! When waiting ends: at once where it cannot help, and not where it can. How long the evidence was
//! there is counted from the time that the cluster gives it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use libtest_mimic::Trial;
use serde_json::Value;

use super::components::deployment;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("patience::ends_at_the_evidence", ends_at_the_evidence),
        trial::soak("patience_ends_within_five_seconds_of_the_evidence", ends_within_five_seconds),
        trial::node("patience::lasts_while_what_is_missing_may_come", comes_late),
    ]
}

/// A Deployment whose pod is as these lines say.
fn broken(env: &Env, pod: &str) -> String {
    env.bundle("broken", "1.0.0", "", &[("templates/all.yaml", &deployment(pod))])
}

/// What mounts the volume `v`.
const MOUNT: &str = "          volumeMounts: [{name: v, mountPath: /v}]\n";

/// A container that runs, with these further lines.
fn container(lines: &str) -> String {
    format!(
        "      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sleep, '3600']
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
{lines}"
    )
}

/// Since when does the cluster say so? The first event with this reason, or the first waiting state.
fn evident_since(env: &Env, release: &str, reason: &str) -> Timestamp {
    let time = |event: &Value| {
        ["firstTimestamp", "eventTime"]
            .iter()
            .find_map(|field| event[field].as_str()?.parse::<Timestamp>().ok())
    };
    let events = env.list("events");
    // events of the release before may still come while it goes
    let ours = |event: &&Value| {
        let name = event["involvedObject"]["name"].as_str().unwrap_or_default();
        event["reason"] == reason && name.starts_with(release)
    };
    let times = events.iter().filter(ours).filter_map(time);
    times.min().unwrap_or_else(|| panic!("no event says {reason}\n{}", env.describe()))
}

/// On a machine that is busy with other trials: far from the three minutes of patience.
fn ends_at_the_evidence(env: &Env) {
    hopeless(env, 60.0);
}

/// What is promised, where nothing else runs. Events carry whole seconds.
fn ends_within_five_seconds(env: &Env) {
    let _node = env.alone_with_the_node();
    hopeless(env, 6.0);
}

fn hopeless(env: &Env, seconds: f64) {
    let rows = [
        (
            "missing-account",
            "      serviceAccountName: nobody\n".to_owned() + &container(""),
            "FailedCreate",
            "ServiceAccount",
        ),
        (
            "missing-class",
            "      priorityClassName: none-such\n".to_owned() + &container(""),
            "FailedCreate",
            "PriorityClass none-such",
        ),
        (
            "missing-volume",
            container(MOUNT) + "      volumes: [{name: v, configMap: {name: none-such}}]\n",
            "FailedMount",
            "none-such does not exist",
        ),
        (
            "missing-env",
            container("          envFrom: [{secretRef: {name: none-such}}]\n"),
            "Failed",
            "none-such does not exist",
        ),
        ("wrong-command", container("").replace("[sleep, '3600']", "[none-such]"), "Failed", "none-such"),
        (
            "wrong-image",
            container("").replace("busybox:1.36", "busybox:none such"),
            "InspectFailed",
            "none such",
        ),
    ];
    for (name, pod, reason, says) in rows {
        let folder = broken(env, &pod);
        let release = name;
        let failed = env.obs(["install", &folder, "--release", release, "--timeout=3m"]).run().ends(1);
        let ended = Timestamp::now();
        assert!(failed.stderr.contains(says), "{name}: {says} is missing in {failed}");
        let evident = evident_since(env, release, reason);
        let lasted = ended.duration_since(evident);
        assert!(lasted.as_secs_f64() < seconds, "{name}: the evidence was there for {lasted:?}\n{failed}");
        env.kubectl(["delete", "events", "--all"]).run().ok();
        env.obs(["uninstall", "--release", release, "-y"]).run().ok();
    }
}

fn comes_late(env: &Env) {
    let pod = container(&format!("          envFrom: [{{secretRef: {{name: late}}}}]\n{MOUNT}"))
        + "      volumes: [{name: v, configMap: {name: late}}]\n";
    let folder = broken(env, &pod);
    let begun = Instant::now();
    let installing = env.obs(["install", &folder, "--timeout=3m"]).start();
    std::thread::sleep(Duration::from_secs(4));
    env.kubectl(["create", "configmap", "late"]).run().ok();
    std::thread::sleep(Duration::from_millis(500));
    env.kubectl(["create", "secret", "generic", "late"]).run().ok();
    let done = installing.wait();
    assert_eq!(done.code, 0, "after {:?}: {done}", begun.elapsed());
}
