//! Pods that the API server does not take.

use super::*;

#[test]
fn pods_that_are_refused() {
    let cases = [
        (
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces (hostNetwork=true)",
            "PodSecurity \"restricted:latest\" refuses its pods",
            true,
        ),
        (
            "pods \"x\" is forbidden: exceeded quota: compute, requested: limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4",
            "quota compute is used up",
            false,
        ),
        (
            "pods \"x\" is forbidden: failed quota: compute: must specify limits.cpu for: grafana; limits.memory for: grafana",
            "quota compute wants limits.cpu",
            true,
        ),
        (
            "pods \"x\" is forbidden: error looking up service account observability/obs-grafana: serviceaccount \"obs-grafana\" not found",
            "no ServiceAccount obs-grafana",
            true,
        ),
        (
            "admission webhook \"validate.kyverno.svc-fail\" denied the request: no latest tag",
            "webhook validate.kyverno.svc-fail refuses its pods",
            true,
        ),
        (
            "Internal error occurred: failed calling webhook \"inject.istio.io\": failed to call webhook: connection refused",
            "webhook inject.istio.io does not answer",
            false,
        ),
        (
            "pods \"x\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi",
            "a LimitRange refuses its pods",
            true,
        ),
        (
            "pods \"x\" is forbidden: no PriorityClass with name high was found",
            "PriorityClass high does not exist",
            true,
        ),
        ("pods \"x\" is forbidden: something else", "its pods cannot be created", false),
    ];
    for (message, short, hopeless) in cases {
        let world = World::new("grafana", "Deployment", &[]).event(
            "ReplicaSet/obs-grafana-5d4f8",
            "FailedCreate",
            &format!("Error creating: {message}"),
            5,
        );
        let found = world.explain();
        assert_eq!((found.short.as_str(), found.hopeless, found.cause), (short, hopeless, Cause::Creation));
        assert!(found.evidence.iter().any(|line| line.starts_with("Event (5s ago): Error creating: ")));
    }
}

#[test]
fn a_refusal_of_another_workload_or_of_the_past_is_no_cause() {
    let refusal = "Error creating: pods \"x\" is forbidden: exceeded quota: q, requested: a";
    let other = World::new("grafana", "Deployment", &[]).event(
        "ReplicaSet/obs-grafana-image-5d4f8",
        "FailedCreate",
        refusal,
        5,
    );
    assert_eq!(other.explain().cause, Cause::Waiting);
    let past =
        grafana(crashing("Error", 1, 1)).event("StatefulSet/obs-grafana", "FailedCreate", refusal, 500);
    assert_eq!(past.explain().cause, Cause::Crash);
}
