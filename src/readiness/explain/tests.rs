//! What a person reads when a component is not ready, as transcripts.

mod captured;

use serde_json::{Value, json};

use super::*;

/// Everything that [`Gathered`] borrows.
struct World {
    component: &'static str,
    workload: Value,
    pods: Vec<Value>,
    events: Vec<Value>,
    claims: Vec<Value>,
    classes: Option<Vec<Value>>,
    logs: Logs,
}

impl World {
    fn new(component: &'static str, kind: &str, pods: &[Value]) -> Self {
        Self {
            component,
            workload: json!({
                "apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": format!("obs-{component}"), "namespace": "observability", "generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "replicas": pods.len()},
            }),
            pods: pods.to_vec(),
            events: Vec::new(),
            claims: Vec::new(),
            classes: Some(Vec::new()),
            logs: Logs::new(),
        }
    }

    /// An event, `ago` seconds old.
    fn event(mut self, about: &str, reason: &str, message: &str, ago: i64) -> Self {
        let (kind, name) = about.split_once('/').expect("Kind/name");
        let at = Timestamp::from_second(NOW - ago).expect("a time");
        self.events.push(json!({
            "involvedObject": {"kind": kind, "name": name, "namespace": "observability"},
            "reason": reason, "message": message, "type": "Warning", "lastTimestamp": at.to_string(),
        }));
        self
    }

    fn log(mut self, pod: &str, container: &str, text: &str) -> Self {
        self.logs.insert((pod.into(), container.into()), text.into());
        self
    }

    fn explain(&self) -> Explanation {
        explain(&Gathered {
            component: self.component,
            workload: &self.workload,
            pods: &self.pods,
            events: &self.events,
            claims: &self.claims,
            storage_classes: self.classes.as_deref(),
            nodes: None,
            logs: &self.logs,
            now: Timestamp::from_second(NOW).expect("a time"),
        })
    }

    /// Checks the whole text, the short form and whether waiting helps.
    fn says(&self, expected: &str, short: &str, hopeless: bool) {
        let found = self.explain();
        assert_eq!(found.clone().into_error().to_string(), expected.trim());
        assert_eq!(found.short, short);
        assert_eq!(found.hopeless, hopeless);
    }
}

const NOW: i64 = 1_800_000_000;

fn pod(name: &str, status: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "observability"},
        "spec": {"nodeName": "worker-1", "restartPolicy": "Always", "containers": [{
            "name": "grafana", "image": "grafana/grafana:13.0.9",
            "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "500m", "memory": "64Mi"}},
        }]},
        "status": status,
    })
}

fn container(state: Value, last: Value, restarts: u32) -> Value {
    pod(
        "obs-grafana-0",
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [
            {"name": "grafana", "ready": false, "started": false, "restartCount": restarts, "state": state, "lastState": last},
        ]}),
    )
}

fn waiting_for(reason: &str, message: &str) -> Value {
    container(json!({"waiting": {"reason": reason, "message": message}}), json!({}), 0)
}

fn crashing(reason: &str, code: i64, restarts: u32) -> Value {
    container(
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}),
        json!({"terminated": {"reason": reason, "exitCode": code}}),
        restarts,
    )
}

fn unschedulable(message: &str) -> Value {
    let mut pod = pod(
        "obs-grafana-0",
        json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
    );
    pod["spec"]["nodeName"] = Value::Null;
    pod
}

fn grafana(pod: Value) -> World {
    World::new("grafana", "StatefulSet", &[pod])
}

#[test]
fn an_image_that_does_not_exist() {
    let pulled = "Failed to pull image \"grafana/grafana:13.0.9\": rpc error: code = NotFound desc = failed to pull and \
                  unpack image \"docker.io/grafana/grafana:13.0.9\": docker.io/grafana/grafana:13.0.9: not found";
    // While the kubelet backs off only the event knows the cause.
    grafana(waiting_for("ImagePullBackOff", "Back-off pulling image \"grafana/grafana:13.0.9\""))
        .event("Pod/obs-grafana-0", "Failed", pulled, 12)
        .event("Pod/obs-grafana-0", "BackOff", "Back-off pulling image \"grafana/grafana:13.0.9\"", 2)
        .says(
            &format!(
                "grafana is not ready: container grafana cannot pull image \"grafana/grafana:13.0.9\": not found\n  \
                 Event (12s ago): {pulled}\n  \
                 hint: set grafana.image.tag, or mirror the image and set global.imageRegistry"
            ),
            "cannot pull grafana/grafana:13.0.9: not found",
            true,
        );
}

#[test]
fn images_that_cannot_be_pulled_for_other_reasons() {
    let cases = [
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            "access denied: it does not exist, or needs a pull secret",
            true,
        ),
        (
            "ErrImagePull",
            "failed to do request: Head \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            "the registry's name cannot be resolved",
            false,
        ),
        (
            "ErrImagePull",
            "toomanyrequests: You have reached your pull rate limit",
            "the registry limits the rate of pulls",
            false,
        ),
        ("ErrImagePull", "dial tcp 1.2.3.4:443: i/o timeout", "the registry does not answer", false),
        (
            "ErrImagePull",
            "dial tcp: lookup registry.example on 10.0.0.2:53: read udp 10.0.0.3:41011->10.0.0.2:53: i/o timeout",
            "the node's DNS does not resolve the registry's name",
            false,
        ),
        (
            "ErrImagePull",
            "x509: certificate signed by unknown authority",
            "the registry's certificate is not trusted",
            true,
        ),
        (
            "ErrImagePull",
            "no match for platform in manifest: not found",
            "there is none for this node's platform",
            true,
        ),
        ("ErrImagePull", "rpc error: something: quite new", "quite new", false),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", "the registry did not deliver it", false),
        ("InvalidImageName", "Failed to apply default image tag", "the name is not valid", true),
        (
            "ErrImageNeverPull",
            "Container image is not present",
            "it is not on the node and imagePullPolicy is Never",
            true,
        ),
    ];
    for (reason, message, expected, hopeless) in cases {
        let found = grafana(waiting_for(reason, message)).explain();
        assert_eq!(found.short, format!("cannot pull grafana/grafana:13.0.9: {expected}"));
        assert_eq!((found.cause, found.hopeless), (Cause::Image, hopeless), "{message}");
        assert!(found.hint.is_some(), "{message}");
    }
}

#[test]
fn a_registry_whose_name_does_not_exist_is_given_up_after_a_while() {
    let pulled =
        "Failed to pull image \"grafana/grafana:13.0.9\": dial tcp: lookup registry.example: no such host";
    for (times, hopeless) in [(1, false), (4, false), (5, true)] {
        let mut world = grafana(waiting_for("ImagePullBackOff", "Back-off pulling image")).event(
            "Pod/obs-grafana-0",
            "Failed",
            pulled,
            12,
        );
        world.events[0]["count"] = json!(times);
        let found = world.explain();
        assert_eq!(found.hopeless, hopeless, "{times} times");
        assert!(!found.may_take_time(), "a deadline later would not do");
    }
}

#[test]
fn a_crash_shows_its_last_words() {
    let log: String = (1..=20).map(|i| format!("line {i}\n")).collect();
    let expected: String = (11..=20).map(|i| format!("    line {i}\n")).collect();
    grafana(crashing("Error", 1, 4)).log("obs-grafana-0", "grafana", &log).says(
        &format!(
            "grafana is not ready: container grafana crashes at start (exit code 1, 4 restarts)\n  \
             its last words:\n{expected}  \
             hint: kubectl logs -n observability obs-grafana-0 -c grafana --previous"
        ),
        "crashes (exit code 1, 4 restarts)",
        true,
    );
    // Three times may be waiting for something that comes.
    assert!(!grafana(crashing("Error", 1, 3)).explain().hopeless);
}

#[test]
fn only_the_log_that_tells_something_is_asked_for() {
    let mut other = crashing("Error", 1, 1);
    other["metadata"]["name"] = json!("obs-grafana-1");
    let asked = wanted_log(&[other, crashing("Error", 1, 4)]);
    let expected = LogRequest {
        namespace: "observability".into(),
        pod: "obs-grafana-0".into(),
        container: "grafana".into(),
        previous: true,
    };
    assert_eq!(asked, Some(expected));
    assert_eq!(wanted_log(&[waiting_for("ErrImagePull", "not found")]), None, "nothing ran");
}

#[test]
fn exit_codes_are_explained() {
    for (code, expected) in [
        (127, "crashes (exit code 127: the command does not exist, 1 restart)"),
        (139, "crashes (exit code 139: segmentation fault, 1 restart)"),
        (2, "crashes (exit code 2, 1 restart)"),
    ] {
        assert_eq!(grafana(crashing("Error", code, 1)).explain().short, expected);
    }
}

#[test]
fn out_of_memory() {
    grafana(crashing("OOMKilled", 137, 3)).log("obs-grafana-0", "grafana", "loading\n").says(
        "grafana is not ready: container grafana runs out of memory (limit 128Mi, 3 restarts)\n  \
         kubelet: OOMKilled (exit code 137)\n  \
         its last words:\n    \
         loading\n  \
         hint: raise its memory limit\n        \
         kubectl obs upgrade --set grafana.resources.limits.memory=256Mi",
        "out of memory (3 restarts)",
        false,
    );
}

#[test]
fn a_secret_or_key_that_does_not_exist() {
    let hint = "hint: kubectl obs upgrade makes it again if it belongs to the release; else create it, or correct the value that names it";
    grafana(waiting_for("CreateContainerConfigError", "secret \"obs-grafana-admin\" not found")).says(
        &format!(
            "grafana is not ready: container grafana cannot start: Secret observability/obs-grafana-admin does not exist\n  \
             kubelet: secret \"obs-grafana-admin\" not found\n  {hint}"
        ),
        "Secret observability/obs-grafana-admin does not exist",
        true,
    );
    for (message, expected) in [
        ("configmap \"x\" not found", "ConfigMap observability/x does not exist"),
        (
            "couldn't find key password in Secret observability/admin",
            "Secret observability/admin has no key password",
        ),
        (
            "couldn't find key a.yml in ConfigMap observability/c",
            "ConfigMap observability/c has no key a.yml",
        ),
        (
            "container has runAsNonRoot and image will run as root (pod: \"x\", container: grafana)",
            "its image would run as root",
        ),
    ] {
        let found = grafana(waiting_for("CreateContainerConfigError", message)).explain();
        assert_eq!((found.short.as_str(), found.cause, found.hopeless), (expected, Cause::Config, true));
    }
    let found =
        grafana(waiting_for("CreateContainerConfigError", "failed to sync configmap cache: timed out"))
            .explain();
    assert!(!found.hopeless, "the kubelet tries again");
}

#[test]
fn a_command_that_does_not_exist() {
    let message = "failed to create containerd task: runc create failed: unable to start container process: exec: \
                   \"/bin/x\": stat /bin/x: no such file or directory: unknown";
    let found = grafana(waiting_for("RunContainerError", message)).explain();
    assert_eq!(found.short, "cannot start: there is no /bin/x in its image");
    assert_eq!((found.cause, found.hopeless), (Cause::Start, true));
}

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

fn with_claim(pod: &Value, claim: Value) -> World {
    let mut pod = pod.clone();
    pod["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-obs-prometheus-0"}}]);
    let mut world = World::new("prometheus", "StatefulSet", &[pod]);
    let mut object = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-obs-prometheus-0", "namespace": "observability"},
        "status": {"phase": "Pending"},
    });
    object["spec"] = claim;
    world.claims.push(object);
    world
}

fn class(name: &str, mode: &str) -> Value {
    json!({"metadata": {"name": name}, "volumeBindingMode": mode})
}

const UNBOUND: &str =
    "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1";

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

fn running(restarts: u32, last: Value) -> Value {
    container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}), last, restarts)
}

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

#[test]
fn nothing_wrong_is_said_as_such() {
    World::new("grafana", "Deployment", &[]).says(
        "grafana is not ready: 0 of 1 pods ready",
        "0 of 1 pods ready",
        false,
    );
    let found = World::new("loki", "StatefulSet", &[])
        .event("StatefulSet/obs-loki", "Odd", "something odd.", 90)
        .explain();
    assert_eq!(found.evidence, ["Event (1m ago): something odd"]);
}

#[test]
fn consequences_are_folded_into_one_line() {
    let claim = |component: &'static str| {
        let mut world = with_claim(&unschedulable(UNBOUND), json!({}));
        world.component = component;
        world.classes = Some(vec![class("fast", "Immediate")]);
        world.explain()
    };
    let waits = World::new("grafana", "Deployment", &[]).explain();
    let folded = fold(vec![waits.clone(), claim("prometheus"), claim("loki")]);
    assert_eq!(folded.len(), 1);
    assert!(folded[0].headline.starts_with("prometheus is not ready: its volume claim"));
    assert_eq!(
        folded[0].evidence.last().map(String::as_str),
        Some("2 more wait for this: kubectl obs status")
    );
    // Two that only take their time are two.
    assert_eq!(fold(vec![waits.clone(), waits]).len(), 2);
}

#[test]
fn objects_without_shape_do_not_panic() {
    for value in [json!(null), json!([]), json!({"spec": 1, "status": "x", "metadata": []})] {
        let mut world = World::new("x", "Deployment", std::slice::from_ref(&value));
        world.events.push(value.clone());
        world.claims.push(value.clone());
        world.workload = value;
        world.explain();
    }
}
