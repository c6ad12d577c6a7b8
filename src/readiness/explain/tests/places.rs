//! Nodes and volumes that a pod does not get.

use super::*;

#[test]
fn no_node_has_room() {
    let message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint \
                   {node-role.kubernetes.io/control-plane: }. preemption: 0/3 nodes are available: 1 No preemption victims";
    grafana(unschedulable(message)).says(
        "grafana is not ready: no node takes pod obs-grafana-0: too little cpu is free (the pod requests 500m)\n  \
         1 node: too little cpu is free (the pod requests 500m)\n  \
         2 nodes: taint node-role.kubernetes.io/control-plane is not tolerated\n  \
         hint: add a node, or set grafana.resources.requests.cpu below 500m",
        "no node takes it: too little cpu is free (the pod requests 500m)",
        false,
    );
}

#[test]
fn other_reasons_of_the_scheduler() {
    for (reason, short, hint) in [
        (
            "3 Insufficient memory",
            "too little memory is free (the pod requests 64Mi)",
            "resources.requests.memory below 64Mi",
        ),
        (
            "3 node(s) had untolerated taint {dedicated: gpu}",
            "taint dedicated=gpu is not tolerated",
            "grafana.tolerations",
        ),
        (
            "3 node(s) didn't match Pod's node affinity/selector",
            "its nodeSelector or affinity does not match",
            "grafana.nodeSelector",
        ),
        (
            "3 node(s) didn't have free ports for the requested pod ports",
            "a host port is in use",
            "another pod there uses the port",
        ),
        (
            "3 node(s) had volume node affinity conflict",
            "its volume lies on another node or in another zone",
            "kubectl get pv",
        ),
        ("3 Too many pods", "the node has as many pods as it may", "add a node"),
        ("3 node(s) were unschedulable", "cordoned", "uncordon"),
    ] {
        let found = grafana(unschedulable(&format!("0/3 nodes are available: {reason}."))).explain();
        assert_eq!(found.short, format!("no node takes it: {short}"));
        assert!(found.hint.as_deref().is_some_and(|text| text.contains(hint)), "{reason}: {:?}", found.hint);
        assert!(!found.hopeless, "an autoscaler may be at work");
    }
}

#[test]
fn no_default_storage_class() {
    let mut world = with_claim(&unschedulable(UNBOUND), json!({})).event(
        "PersistentVolumeClaim/data-obs-prometheus-0",
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
        12,
    );
    world.classes = Some(vec![class("fast", "Immediate"), class("slow", "Immediate")]);
    world.says(
        "prometheus is not ready: its volume claim cannot be bound\n  \
         PersistentVolumeClaim observability/data-obs-prometheus-0 waits for a volume:\n  \
         no StorageClass is marked as default, and the claim names none\n  \
         Event (12s ago): no persistent volumes available for this claim and no storage class is set\n  \
         hint: set global.storageClass to one of: fast, slow\n        \
         kubectl obs upgrade --set global.storageClass=fast",
        "its volume claim is not bound",
        true,
    );
    world.classes = Some(Vec::new());
    assert!(world.explain().hint.expect("a hint").contains("--set prometheus.persistence.enabled=false"));
    // Who may not read StorageClasses still gets the event.
    world.classes = None;
    assert_eq!(world.explain().cause, Cause::Claim);
}

#[test]
fn a_storage_class_that_does_not_exist() {
    let mut world = with_claim(&unschedulable(UNBOUND), json!({"storageClassName": "fsat"})).event(
        "PersistentVolumeClaim/data-obs-prometheus-0",
        "ProvisioningFailed",
        "storageclass.storage.k8s.io \"fsat\" not found",
        3,
    );
    world.classes = Some(vec![class("fast", "Immediate")]);
    let found = world.explain();
    assert_eq!(found.evidence[1], "its StorageClass \"fsat\" does not exist");
    assert!(found.hopeless);
}

#[test]
fn a_provisioner_that_fails_or_is_slow() {
    let world = |reason: &str, message: &str| {
        let mut world = with_claim(&unschedulable(UNBOUND), json!({"storageClassName": "fast"})).event(
            "PersistentVolumeClaim/data-obs-prometheus-0",
            reason,
            message,
            3,
        );
        world.classes = Some(vec![class("fast", "Immediate")]);
        world.explain()
    };
    let failed = world("ProvisioningFailed", "rpc error: quota exceeded");
    assert_eq!(failed.evidence[1], "the provisioner of its StorageClass (fast) failed");
    let slow = world(
        "ExternalProvisioning",
        "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually",
    );
    assert_eq!(slow.evidence[1], "the provisioner ebs.csi.aws.com has not made it yet");
    assert!(!failed.hopeless && !slow.hopeless);
}

#[test]
fn a_claim_that_waits_for_the_scheduler_is_not_the_cause() {
    let mut world = with_claim(
        &unschedulable("0/1 nodes are available: 1 Insufficient memory."),
        json!({"storageClassName": "local"}),
    )
    .event(
        "PersistentVolumeClaim/data-obs-prometheus-0",
        "WaitForFirstConsumer",
        "waiting for first consumer",
        3,
    );
    world.classes = Some(vec![class("local", "WaitForFirstConsumer")]);
    assert_eq!(world.explain().cause, Cause::Scheduling);
}

#[test]
fn claims_that_are_lost_or_missing() {
    let mut world = with_claim(&waiting_for("ContainerCreating", ""), json!({"volumeName": "pv-1"}));
    world.claims[0]["status"]["phase"] = json!("Lost");
    let found = world.explain();
    assert_eq!((found.short.as_str(), found.hopeless), ("its volume is gone", true));

    let message = "0/1 nodes are available: persistentvolumeclaim \"data-obs-prometheus-0\" not found.";
    let mut world = with_claim(&unschedulable(message), json!({}));
    world.claims.clear();
    assert_eq!(world.explain().short, "claim data-obs-prometheus-0 does not exist");
}
