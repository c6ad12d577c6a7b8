//! Probes, mounts and rollouts of pods that are there.

use super::*;

#[test]
fn a_readiness_probe_that_fails() {
    let refused = "Readiness probe failed: Get \"http://10.0.0.7:3000/api/health\": dial tcp 10.0.0.7:3000: connect: connection refused";
    grafana(running(0, json!({})))
        .event("Pod/obs-grafana-0", "Unhealthy", refused, 4)
        .log("obs-grafana-0", "grafana", "migrating database\n")
        .says(
            &format!(
                "grafana is not ready: container grafana runs and does not answer its readiness probe: connection refused\n  \
                 Event (4s ago): {refused}\n  \
                 its log ends:\n    \
                 migrating database\n  \
                 hint: kubectl logs -n observability obs-grafana-0 -c grafana"
            ),
            "readiness probe: connection refused",
            false,
        );
    for (message, short) in [
        ("Readiness probe failed: HTTP probe failed with statuscode: 503", "readiness probe: HTTP 503"),
        (
            "Readiness probe failed: Get \"http://x\": context deadline exceeded (Client.Timeout exceeded)",
            "readiness probe: no answer in time",
        ),
        ("Startup probe failed: HTTP probe failed with statuscode: 500", "startup probe: HTTP 500"),
        (
            "Readiness probe failed: cat: can't open '/ready': No such file or directory",
            "readiness probe: No such file or directory",
        ),
        ("Readiness probe failed:", "readiness probe: it fails"),
    ] {
        let found =
            grafana(running(0, json!({}))).event("Pod/obs-grafana-0", "Unhealthy", message, 4).explain();
        assert_eq!(found.short, short);
    }
    assert_eq!(grafana(running(0, json!({}))).explain().short, "readiness probe: no answer yet");
}

#[test]
fn a_liveness_probe_looks_like_a_crash_and_is_told_apart() {
    let world = |code: i64| {
        grafana(crashing("Error", code, 2))
            .event(
                "Pod/obs-grafana-0",
                "Killing",
                "Container grafana failed liveness probe, will be restarted",
                9,
            )
            .event(
                "Pod/obs-grafana-0",
                "Unhealthy",
                "Liveness probe failed: HTTP probe failed with statuscode: 500",
                11,
            )
    };
    let found = world(137).explain();
    assert_eq!(found.cause, Cause::Liveness);
    assert_eq!(
        found.headline,
        "grafana is not ready: container grafana is restarted because its liveness probe fails: HTTP 500 (2 restarts)"
    );
    assert_eq!(world(1).explain().cause, Cause::Crash, "it ended by itself");
}

#[test]
fn volumes_that_cannot_be_mounted() {
    let mount = |reason: &str, message: &str| {
        grafana(waiting_for("ContainerCreating", "")).event("Pod/obs-grafana-0", reason, message, 7).explain()
    };
    let found = mount(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"obs-x\" not found",
    );
    assert_eq!(found.short, "ConfigMap observability/obs-x does not exist");
    assert!(found.hopeless);
    let found =
        mount("FailedMount", "MountVolume.SetUp failed for volume \"nfs\" : mount failed: exit status 32");
    assert_eq!(found.short, "volume nfs cannot be mounted");
    assert!(!found.hopeless);
    let found = mount(
        "FailedAttachVolume",
        "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached",
    );
    assert_eq!(found.short, "its volume is attached to another node");
    for (why, short) in [
        ("plugin type=\"calico\" failed", "its pod gets no network"),
        ("failed to setup network for sandbox \"a1\": unauthorized", "its pod gets no network"),
        (
            "failed to get sandbox runtime: no runtime for \"gvisor\" is configured",
            "no runtime gvisor on its node",
        ),
        ("RuntimeHandler \"gvisor\" not supported", "no runtime gvisor on its node"),
        ("failed to start sandbox \"a1\": no space left on device", "its node cannot begin the pod"),
    ] {
        let found = mount("FailedCreatePodSandBox", &format!("Failed to create pod sandbox: {why}"));
        assert_eq!(found.short, short, "{why}");
    }
}

#[test]
fn an_init_container_that_crashes_stands_before_the_containers_that_wait() {
    let mut pod = waiting_for("PodInitializing", "");
    pod["spec"]["initContainers"] = json!([{"name": "prepare", "image": "busybox"}]);
    pod["status"]["initContainerStatuses"] = json!([{
        "name": "prepare", "restartCount": 5, "ready": false,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 3}},
    }]);
    let found = grafana(pod).explain();
    assert_eq!(
        found.headline,
        "grafana is not ready: init container prepare crashes at start (exit code 3, 5 restarts)"
    );
}

#[test]
fn a_stateful_set_that_waits_for_its_broken_old_pod_says_which_to_delete() {
    let mut pod = crashing("Error", 1, 9);
    pod["metadata"]["labels"] = json!({"controller-revision-hash": "old"});
    let mut world = grafana(pod);
    world.workload["status"]["updateRevision"] = json!("new");
    assert_eq!(
        world.explain().hint.as_deref(),
        Some(
            "a StatefulSet does not replace a pod that never became ready; delete it once:\n\
             kubectl delete pod -n observability obs-grafana-0"
        )
    );
}

#[test]
fn rollouts_that_stand_still() {
    let mut world = World::new("grafana", "Deployment", &[]);
    world.workload["spec"]["paused"] = json!(true);
    let found = world.explain();
    assert_eq!((found.short.as_str(), found.hopeless), ("its rollout is paused", true));

    let mut lost = running(0, json!({}));
    lost["status"]["containerStatuses"][0]["ready"] = json!(true);
    let found = grafana(lost).explain();
    assert_eq!((found.short.as_str(), found.cause), ("its node worker-1 does not answer", Cause::Node));

    let mut old = running(0, json!({}));
    old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(grafana(old).explain().short, "old pod is being deleted");
}
