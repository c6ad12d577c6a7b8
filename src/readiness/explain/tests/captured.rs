//! Messages as Kubernetes 1.34, containerd and runc write them, and what is made of each.

use super::*;

fn says(world: &World, headline: &str, hint: &str) -> Explanation {
    let found = world.explain();
    assert!(found.headline.contains(headline), "{headline} is not in {found:#?}");
    assert!(found.hint.as_deref().unwrap_or_default().contains(hint), "{hint} is not in {found:#?}");
    found
}

#[test]
fn the_runtimes_chain_of_errors_ends_in_one_sentence() {
    let runc = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
                unable to start container process: ";
    for (message, headline, hint) in [
        (
            "exec: \"/bin/nothing\": stat /bin/nothing: no such file or directory: unknown",
            "container grafana cannot start: there is no /bin/nothing in its image",
            "use an image that has it: grafana.image",
        ),
        (
            "exec: \"nothing\": executable file not found in $PATH: unknown",
            "there is no nothing in its image",
            "correct its command",
        ),
        (
            "exec: \"/etc/passwd\": permission denied: unknown",
            "/etc/passwd may not be executed",
            "defaultMode",
        ),
        (
            "error during container init: mkdir /etc/passwd: not a directory: unknown",
            "it cannot work in /etc/passwd",
            "workingDir of grafana",
        ),
        (
            "error during container init: error mounting \"/var/lib/kubelet/pods/u/volume-subpaths/files/main/0\" to rootfs at \
             \"/etc/grafana.ini\": mount dst=/etc/grafana.ini, dstFd=/proc/thread-self/fd/11, flags=0x5000: not a directory: unknown",
            "a folder would be mounted over the file /etc/grafana.ini",
            "a subPath that its volume does not have",
        ),
        (
            "cannot load seccomp profile \"/var/lib/kubelet/seccomp/x.json\": open /var/lib/kubelet/seccomp/x.json: no such file or directory",
            "the seccomp profile x.json is not on its node",
            "RuntimeDefault",
        ),
        ("something quite new", "cannot start: ", "kubectl describe pod -n observability obs-grafana-0"),
    ] {
        let world = grafana(waiting_for("RunContainerError", &format!("{runc}{message}")));
        assert_eq!(says(&world, headline, hint).cause, Cause::Start);
    }
}

#[test]
fn last_words_sharpen_a_crash_and_end_the_wait_at_the_second_time() {
    let mut pod = crashing("Error", 1, 1);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/var/lib/grafana"}]);
    let denied = |path: &str| {
        grafana(pod.clone()).log(
            "obs-grafana-0",
            "grafana",
            &format!("mkdir: can't create {path}: Permission denied"),
        )
    };
    let found = says(
        &denied("/var/lib/grafana/x"),
        "container grafana crashes at start: it may not use /var/lib/grafana/x (permission denied) (exit code 1, 1 restart)",
        "volume data belongs to another user: set fsGroup in grafana's securityContext",
    );
    assert!(found.hopeless, "it says the same at each start");
    says(&denied("/var/libel"), "it may not use /var/libel", "mount a volume at /var");
    let refused =
        grafana(crashing("Error", 1, 1)).log("obs-grafana-0", "grafana", "connect ECONNREFUSED 10.0.0.5:1");
    assert!(!says(&refused, "10.0.0.5:1 refuses connections", "see whether").hopeless, "it may come");
    let once = grafana(crashing("Error", 1, 0)).log("obs-grafana-0", "grafana", "Error: unknown flag: --x");
    assert!(!once.explain().hopeless, "once is not enough");
}

#[test]
fn what_ends_well_or_is_killed_by_its_hook_is_no_crash() {
    says(
        &grafana(crashing("Completed", 0, 2)),
        "ends by itself, though it should run",
        "stay in the foreground",
    );
    let hook = grafana(crashing("Error", 137, 2)).event(
        "Pod/obs-grafana-0",
        "FailedPostStartHook",
        "PostStartHook failed",
        9,
    );
    says(&hook, "is killed because its postStart hook fails (2 restarts)", "lifecycle.postStart");
}

#[test]
fn a_container_that_runs_again_after_a_crash_is_told_by_its_crash() {
    let ended = json!({"terminated": {"reason": "Error", "exitCode": 3}});
    says(
        &grafana(running(2, ended)),
        "container grafana crashes at start (exit code 3, 2 restarts)",
        "--previous",
    );
}

#[test]
fn volumes_that_the_node_cannot_bring() {
    let mount = |message: &str| {
        let mut pod = waiting_for("ContainerCreating", "");
        pod["spec"]["volumes"] = json!([
            {"name": "files", "configMap": {"name": "obs-grafana", "items": [{"key": "nokey", "path": "x"}]}},
            {"name": "all", "projected": {"sources": [{"secret": {"name": "admin", "items": [{"key": "user", "path": "u"}]}}]}},
        ]);
        grafana(pod).event("Pod/obs-grafana-0", "FailedMount", message, 7)
    };
    for (message, headline, hint) in [
        (
            "MountVolume.SetUp failed for volume \"files\" : configmap references non-existent config key: nokey",
            "volume files cannot be mounted: ConfigMap observability/obs-grafana has no key nokey",
            "kubectl obs upgrade makes it again",
        ),
        (
            "MountVolume.SetUp failed for volume \"all\" : references non-existent secret key: user",
            "volume all cannot be mounted: Secret observability/admin has no key user",
            "kubectl obs upgrade makes it again",
        ),
        (
            "MountVolume.SetUp failed for volume \"files\" : hostPath type check failed: /etc/hostname is not a directory",
            "/etc/hostname on node worker-1 is not a directory",
            "correct the path of the hostPath volume",
        ),
        (
            "MountVolume.SetUp failed for volume \"files\" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: \
             driver name x.example.com not found in the list of registered CSI drivers",
            "node worker-1 has no CSI driver x.example.com",
            "install the driver",
        ),
    ] {
        assert_eq!(says(&mount(message), headline, hint).cause, Cause::Mount);
    }
}

#[test]
fn refusals_say_what_they_refuse() {
    for (message, headline, hint, hopeless) in [
        (
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'owners' with binding 'all' denied request: pods need an owner",
            "ValidatingAdmissionPolicy owners refuses its pods",
            "kubectl get validatingadmissionpolicy owners -o yaml",
            true,
        ),
        (
            "pods \"x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
            "RuntimeClass gvisor does not exist",
            "runtimeClassName",
            true,
        ),
        (
            "pods \"x\" is forbidden: exceeded quota: q, requested: a=2,b=1, used: a=0,b=0, limited: a=1,b=1",
            "its pods ask for more than ResourceQuota observability/q allows at all",
            "raise the quota",
            true,
        ),
        (
            "persistentvolumeclaims \"data-0\" is forbidden: maximum storage usage per PersistentVolumeClaim is 16Mi, but request is 32Mi",
            "a LimitRange of namespace observability refuses its volume claims",
            "grafana.storage.size",
            true,
        ),
        (
            "pods \"x\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
            "a LimitRange of namespace observability refuses its pods",
            "grafana.resources",
            true,
        ),
        (
            "pods \"x\" is forbidden: unable to create new content in namespace o because it is being terminated",
            "namespace observability is being deleted",
            "kubectl wait --for=delete",
            true,
        ),
        (
            "Pod \"x\" is invalid: spec.containers[0].resources.requests: Invalid value: \"64Mi\": must be less than or equal to memory limit of 32Mi",
            "its pods are not valid: spec.containers[0].resources.requests",
            "such as a LimitRange",
            true,
        ),
    ] {
        let world = World::new("grafana", "StatefulSet", &[]).event(
            "StatefulSet/obs-grafana",
            "FailedCreate",
            &format!("create Pod obs-grafana-0 in StatefulSet obs-grafana failed error: {message}"),
            5,
        );
        assert_eq!(says(&world, headline, hint).hopeless, hopeless, "{message}");
    }
}

#[test]
fn a_refusal_that_was_overcome_explains_nothing() {
    let refused = "create Pod obs-grafana-0 in StatefulSet obs-grafana failed error: pods \"x\" is forbidden: error looking up \
                   service account o/x: serviceaccount \"x\" not found";
    let made = "create Pod obs-grafana-0 in StatefulSet obs-grafana successful";
    let mut world = grafana(running(0, json!({})))
        .event("StatefulSet/obs-grafana", "FailedCreate", refused, 30)
        .event("StatefulSet/obs-grafana", "SuccessfulCreate", made, 20);
    // in order: the other two are not made before the first is ready
    world.workload["spec"]["replicas"] = json!(3);
    assert_eq!(world.explain().cause, Cause::Probe);
    // while its pods of the old revision live, the new ones may be refused
    let mut world = World::new("grafana", "Deployment", &[running(0, json!({}))]);
    world.workload["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "message": "pods \"x\" is forbidden: exceeded quota: q, requested: a=1, used: a=1, limited: a=1"}]);
    assert_eq!(world.explain().short, "quota q is used up");
}

#[test]
fn with_the_nodes_at_hand_a_taint_has_a_name() {
    let node = |name: &str, taint: Value, cordoned: bool| json!({"metadata": {"name": name, "labels": {"disk": name}}, "spec": {"taints": [taint], "unschedulable": cordoned}});
    let gpu = json!({"key": "dedicated", "value": "gpu", "effect": "NoSchedule"});
    let nodes = [
        node("ssd", gpu, false),
        node("nvme", json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}), true),
    ];
    let explain = |disk: &str, tolerations: Value| {
        let mut pod = unschedulable(
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), \
             1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/3 nodes are available",
        );
        pod["spec"]["nodeSelector"] = json!({"disk": disk});
        pod["spec"]["tolerations"] = tolerations;
        let world = grafana(pod);
        let logs = Logs::new();
        explain(&Gathered {
            component: "grafana",
            workload: &world.workload,
            pods: &world.pods,
            events: &[],
            claims: &[],
            storage_classes: None,
            nodes: Some(&nodes),
            logs: &logs,
            now: Timestamp::from_second(NOW).expect("a time"),
        })
        .short
    };
    assert_eq!(explain("ssd", json!([])), "no node takes it: taint dedicated=gpu is not tolerated");
    assert_eq!(explain("nvme", json!([])), "no node takes it: cordoned");
    assert_eq!(explain("none", json!([])), "no node takes it: its nodeSelector disk=none does not match");
    let tolerates = json!([{"key": "dedicated", "operator": "Equal", "value": "gpu"}]);
    assert_eq!(explain("ssd", tolerates), "no node takes it: a taint is not tolerated");
}

#[test]
fn a_gate_is_named() {
    let mut pod = unschedulable("");
    pod["status"]["conditions"][0]["reason"] = json!("SchedulingGated");
    pod["spec"]["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    says(&grafana(pod), "held back by the scheduling gate example.com/wait", "does not lift it");
}

fn evicted(message: &str, ago: i64) -> Value {
    let at = Timestamp::from_second(NOW - ago).expect("a time").to_string();
    pod(
        "obs-grafana-0",
        json!({"phase": "Failed", "reason": "Evicted", "message": message, "startTime": at,
               "containerStatuses": [{"name": "grafana", "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}]}),
    )
}

#[test]
fn evictions_count_while_they_are_fresh() {
    let message = "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\". ";
    let mut pod = evicted(message, 60);
    pod["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}]);
    let mut next = running(0, json!({}));
    next["metadata"]["name"] = json!("obs-grafana-1");
    let world = World::new("grafana", "Deployment", &[pod, next.clone()]);
    says(&world, "its node evicted pod obs-grafana-0", "raise the sizeLimit of volume data above 1Mi");
    let world = World::new("grafana", "Deployment", &[evicted(message, 3600), next]);
    assert_eq!(world.explain().cause, Cause::Probe, "that was long ago");
    let memory = grafana(evicted("The node was low on resource: memory.", 5));
    says(&memory, "its node evicted pod", "free space or memory on the node");
    let mut refused = evicted("Pod was rejected: forbidden sysctl: \"kernel.msgmax\" not allowlisted", 5);
    refused["status"]["reason"] = json!("SysctlForbidden");
    says(
        &grafana(refused),
        "its node refuses pod obs-grafana-0 (SysctlForbidden)",
        "allow them in the kubelet's configuration",
    );
}

#[test]
fn jobs_and_rollouts_that_gave_up() {
    let job = |reason: &str, message: &str, pods: &[Value]| {
        let mut world = World::new("grafana", "Job", pods);
        world.workload["apiVersion"] = json!("batch/v1");
        world.workload["spec"] = json!({"activeDeadlineSeconds": 2});
        world.workload["status"] = json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": message}]});
        world
    };
    let late = job("DeadlineExceeded", "Job was active longer than specified deadline", &[]);
    assert!(
        says(&late, "Job obs-grafana was not done within its 2s", "raise its activeDeadlineSeconds").hopeless
    );
    let mut pod = container(json!({"terminated": {"reason": "Error", "exitCode": 4}}), json!({}), 0);
    pod["spec"]["restartPolicy"] = json!("Never");
    pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "obs-grafana"}]);
    let failed = job(
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
        std::slice::from_ref(&pod),
    );
    let found = says(&failed, "container grafana crashes at start (exit code 4)", "kubectl logs");
    assert!(found.hopeless && found.evidence.iter().any(|line| line.contains("backoff limit")), "{found:#?}");
    let mut tries_again = job("", "", &[pod]);
    tries_again.workload["status"] = json!({"failed": 1});
    assert!(!tries_again.explain().hopeless, "another pod comes");

    let mut world = World::new("grafana", "Deployment", &[running(0, json!({}))]);
    world.workload["spec"]["progressDeadlineSeconds"] = json!(5);
    world.workload["status"]["conditions"] =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let found = world.explain();
    assert!(
        found.hopeless && found.evidence.contains(&"no progress for 5s (progressDeadlineSeconds)".to_owned())
    );
}

#[test]
fn an_old_pod_that_does_not_go_is_told_when_its_time_is_over() {
    let going = |ago: i64, finalizers: Value| {
        let mut pod = running(0, json!({}));
        pod["metadata"]["deletionTimestamp"] =
            json!(Timestamp::from_second(NOW - ago).expect("a time").to_string());
        pod["metadata"]["finalizers"] = finalizers;
        grafana(pod)
    };
    assert_eq!(going(-10, json!([])).explain().cause, Cause::Waiting, "it still has time");
    says(&going(10, json!([])), "its node has not ended it", "kubectl describe node worker-1");
    let held = going(10, json!(["example.com/hold"]));
    assert_eq!(
        says(&held, "it waits for its finalizer example.com/hold", "kubectl patch pod").cause,
        Cause::Rollout
    );
}

#[test]
fn probes_are_told_with_what_they_ask() {
    let world = |probe: Value, message: &str| {
        let mut pod = running(0, json!({}));
        pod["spec"]["containers"][0]["readinessProbe"] = probe;
        pod["spec"]["containers"][0]["ports"] = json!([{"name": "web", "containerPort": 3000}]);
        grafana(pod).event("Pod/obs-grafana-0", "Unhealthy", &format!("Readiness probe failed: {message}"), 4)
    };
    let refused = "dial tcp 10.0.0.7:3000: connect: connection refused";
    for (probe, message, hint) in [
        (
            json!({"httpGet": {"path": "/x", "port": 3000}}),
            "HTTP probe failed with statuscode: 404",
            "it has no /x: correct the probe's path",
        ),
        (
            json!({"httpGet": {"path": "/x", "port": 3000}}),
            "HTTP probe failed with statuscode: 401",
            "/x wants credentials",
        ),
        (json!({"tcpSocket": {"port": "web"}}), refused, "nothing listens on port web yet"),
        (
            json!({"tcpSocket": {"port": 3001}}),
            refused,
            "nothing listens on port 3001, and the container names no such port",
        ),
        (
            json!({"exec": {}, "timeoutSeconds": 3}),
            "command timed out: \"x\" timed out after 3s",
            "it has 3s to answer",
        ),
    ] {
        says(&world(probe, message), "readiness probe: ", hint);
    }
}

#[test]
fn an_init_container_that_runs_is_what_the_others_wait_for() {
    let mut pod = waiting_for("PodInitializing", "");
    pod["spec"]["initContainers"] = json!([{"name": "wait", "image": "busybox"}]);
    pod["status"]["initContainerStatuses"] =
        json!([{"name": "wait", "restartCount": 1, "state": {"running": {}}}]);
    let world = grafana(pod).log("obs-grafana-0", "wait", "waiting for the database");
    let found = says(
        &world,
        "init container wait is still running (1 restart), and the others wait for it",
        "-c wait",
    );
    assert_eq!((found.cause, found.hopeless), (Cause::Waiting, false));
    assert_eq!(found.evidence, ["its log ends:", "  waiting for the database"]);
}

#[test]
fn a_service_without_a_load_balancer_and_a_claim_by_itself() {
    let mut world = World::new("grafana", "Service", &[]);
    world.workload["apiVersion"] = json!("v1");
    world.workload["spec"] = json!({"type": "LoadBalancer"});
    says(
        &world,
        "Service obs-grafana has no address from a load balancer",
        "install a load balancer controller",
    );
    let mut world = World::new("grafana", "PersistentVolumeClaim", &[]);
    world.workload["apiVersion"] = json!("v1");
    world.workload["spec"] = json!({"storageClassName": "nobody"});
    says(&world, "its volume claim cannot be bound", "storage");
}

#[test]
fn a_pull_secret_that_is_missing_is_named() {
    let mut pod = waiting_for("ErrImagePull", "failed with status code [manifests 1]: 401 Unauthorized");
    pod["spec"]["imagePullSecrets"] = json!([{"name": "registry"}]);
    let message = "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed.";
    let world = grafana(pod).event("Pod/obs-grafana-0", "FailedToRetrieveImagePullSecret", message, 3);
    let found = says(&world, "access denied", "create the pull secret");
    assert_eq!(found.missing.map(|id| id.name), Some("registry".to_owned()));
}

#[test]
fn a_class_that_came_late_is_not_told_as_missing() {
    let message = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.";
    let mut world = with_claim(&unschedulable(message), json!({"storageClassName": "byhand"})).event(
        "PersistentVolumeClaim/data-obs-prometheus-0",
        "ProvisioningFailed",
        "storageclass.storage.k8s.io \"byhand\" not found",
        30,
    );
    world.classes = Some(vec![class("byhand", "WaitForFirstConsumer")]);
    says(&world, "no volume there fits its claim", "make a volume for the claim");
}
