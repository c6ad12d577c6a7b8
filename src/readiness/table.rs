//! The table of readiness: `name | apiVersion Kind path=value …`, then ` = ` and the result, `…` for
//! progressing and `✘` for failed. Short forms of paths: see [`object`].

use serde_json::{Value, json};

use super::{Context, Readiness, counts, readiness, readiness_in, vanishes_when_done};

/// Builds an object from a line. Values are JSON where they parse, else strings.
///
/// - `gen=2 seen=1 wanted=3`: metadata.generation, status.observedGeneration, spec.replicas;
///   `pods`, `updated`, `ready`, `available`, `nodes` …: the counts of the status
/// - `Ready?=False/Reason/some_words`: a condition; `_` stands for a space
/// - `a.b.c=1`: any other path
fn object(line: &str) -> Value {
    let mut words = line.split_whitespace();
    let mut out = json!({
        "apiVersion": words.next().expect("an apiVersion"),
        "kind": words.next().expect("a kind"),
        "metadata": {"name": "x", "namespace": "ns"},
    });
    for word in words {
        let (key, value) = word.split_once('=').expect("path=value");
        if let Some(kind) = key.strip_suffix('?') {
            let mut parts = value.splitn(4, '/');
            let mut condition = json!({"type": kind, "status": parts.next()});
            condition["reason"] = json!(parts.next().unwrap_or_default());
            condition["message"] = json!(parts.next().unwrap_or_default().replace('_', " "));
            if let Some(seen) = parts.next() {
                condition["observedGeneration"] = json!(seen.parse::<i64>().expect("a number"));
            }
            let conditions = &mut out["status"]["conditions"];
            match conditions.as_array_mut() {
                Some(list) => list.push(condition),
                None => *conditions = json!([condition]),
            }
            continue;
        }
        let path = match key {
            "gen" => "metadata.generation",
            "seen" => "status.observedGeneration",
            "deleted" => "metadata.deletionTimestamp",
            "wanted" => "spec.replicas",
            "pods" => "status.replicas",
            "updated" => "status.updatedReplicas",
            "ready" => "status.readyReplicas",
            "available" => "status.availableReplicas",
            "nodes" => "status.desiredNumberScheduled",
            "scheduled" => "status.currentNumberScheduled",
            "updatedNodes" => "status.updatedNumberScheduled",
            "readyNodes" => "status.numberReady",
            "availableNodes" => "status.numberAvailable",
            path => path,
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        let mut place = &mut out;
        for step in path.split('.') {
            place = &mut place[step];
        }
        *place = value;
    }
    out
}

fn said(readiness: &Readiness) -> String {
    match readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::Progressing(why) => format!("… {why}"),
        Readiness::Failed(why) => format!("✘ {why}"),
    }
}

/// Runs a table of `name | object` lines, each followed by ` = expected`, and reports every case that
/// differs, not only the first.
fn check(table: &str) {
    let lines: Vec<&str> = table.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut wrong = Vec::new();
    for case in lines.chunks(2) {
        let [first, second] = case else { panic!("a case without result: {case:?}") };
        let (name, line) = first.split_once(" | ").expect("name | object");
        let (_, expected) = second.split_once(" = ").expect("= expected");
        let found = said(&readiness(&object(line)));
        if found != expected {
            let name = name.trim();
            wrong.push(format!("{name}\n  object   {line}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n\n{}",
        wrong.len(),
        lines.len() / 2,
        wrong.join("\n\n")
    );
}

#[test]
fn deployments() {
    check(
        r#"
rolled out                                        | apps/v1 Deployment gen=1 seen=1 wanted=1 pods=1 updated=1 ready=1 available=1 Available?=True Progressing?=True/NewReplicaSetAvailable
                                                  = ready
replicas default to one                           | apps/v1 Deployment gen=1 seen=1 pods=1 updated=1 ready=1 available=1
                                                  = ready
no status yet                                     | apps/v1 Deployment gen=1 wanted=1
                                                  = … waits for the rollout to begin (generation 1, seen 0)
change not seen, old status complete              | apps/v1 Deployment gen=3 seen=2 wanted=1 pods=1 updated=1 ready=1 available=1
                                                  = … waits for the rollout to begin (generation 3, seen 2)
a newer generation was seen                       | apps/v1 Deployment gen=2 seen=3 wanted=1 pods=1 updated=1 ready=1 available=1
                                                  = ready
no pod yet                                        | apps/v1 Deployment gen=1 seen=1 wanted=1
                                                  = … 0 of 1 pods ready
pod starts                                        | apps/v1 Deployment gen=1 seen=1 wanted=1 pods=1 updated=1 status.unavailableReplicas=1
                                                  = … 0 of 1 pods ready
some ready                                        | apps/v1 Deployment gen=1 seen=1 wanted=3 pods=3 updated=3 ready=2 available=2
                                                  = … 2 of 3 pods ready
old pods serve, new ones are missing              | apps/v1 Deployment gen=2 seen=2 wanted=3 pods=4 updated=1 ready=3 available=3
                                                  = … 1 of 3 pods updated
new pod made, none updated before                 | apps/v1 Deployment gen=2 seen=2 wanted=1 pods=1 ready=1 available=1
                                                  = … 0 of 1 pods updated
old pod still there                               | apps/v1 Deployment gen=2 seen=2 wanted=1 pods=2 updated=1 ready=2 available=2
                                                  = … 1 pod of the old revision left
old pods still there                              | apps/v1 Deployment gen=2 seen=2 wanted=3 pods=5 updated=3 ready=5 available=5
                                                  = … 2 pods of the old revision left
scaling down                                      | apps/v1 Deployment gen=2 seen=2 wanted=1 pods=3 updated=3 ready=3 available=3
                                                  = … 2 pods too many
scaled to zero                                    | apps/v1 Deployment gen=2 seen=2 wanted=0
                                                  = ready
scaled to zero, one still there                   | apps/v1 Deployment gen=2 seen=2 wanted=0 pods=1 updated=1 ready=1
                                                  = … 1 pod too many
scaled to zero without a controller having looked | apps/v1 Deployment gen=1 wanted=0
                                                  = … waits for the rollout to begin (generation 1, seen 0)
ready but younger than minReadySeconds            | apps/v1 Deployment gen=1 seen=1 wanted=1 spec.minReadySeconds=30 pods=1 updated=1 ready=1
                                                  = … 0 of 1 pods ready for 30s (minReadySeconds)
ready and not available                           | apps/v1 Deployment gen=1 seen=1 wanted=2 pods=2 updated=2 ready=2 available=1
                                                  = … 1 of 2 pods available
deadline passed                                   | apps/v1 Deployment gen=1 seen=1 wanted=1 spec.progressDeadlineSeconds=120 pods=1 updated=1 Progressing?=False/ProgressDeadlineExceeded
                                                  = ✘ 0 of 1 pods ready, no progress for 120s
deadline passed, default                          | apps/v1 Deployment gen=1 seen=1 wanted=1 pods=2 updated=1 ready=1 Progressing?=False/ProgressDeadlineExceeded
                                                  = ✘ 1 pod of the old revision left, no progress for 600s
deadline passed for an older generation           | apps/v1 Deployment gen=4 seen=3 wanted=1 Progressing?=False/ProgressDeadlineExceeded
                                                  = … waits for the rollout to begin (generation 4, seen 3)
deadline passed, then all became ready            | apps/v1 Deployment gen=1 seen=1 wanted=1 pods=1 updated=1 ready=1 available=1 Progressing?=False/ProgressDeadlineExceeded
                                                  = ready
quota                                             | apps/v1 Deployment gen=1 seen=1 wanted=1 ReplicaFailure?=True/FailedCreate/exceeded_quota:_q
                                                  = … pods cannot be created: exceeded quota: q
quota until the deadline                          | apps/v1 Deployment gen=1 seen=1 wanted=1 ReplicaFailure?=True/FailedCreate/exceeded_quota:_q Progressing?=False/ProgressDeadlineExceeded
                                                  = ✘ pods cannot be created: exceeded quota: q, no progress for 600s
PodSecurity                                       | apps/v1 Deployment gen=1 seen=1 wanted=1 ReplicaFailure?=True/FailedCreate/violates_PodSecurity_restricted
                                                  = ✘ pods cannot be created: violates PodSecurity restricted
a surge pod is refused, all wanted ones run       | apps/v1 Deployment gen=1 seen=1 wanted=1 pods=1 updated=1 ready=1 available=1 ReplicaFailure?=True/FailedCreate/exceeded_quota
                                                  = ready
paused and complete                               | apps/v1 Deployment gen=1 seen=1 spec.paused=true wanted=1 pods=1 updated=1 ready=1 available=1
                                                  = ready
paused with a change in hand                      | apps/v1 Deployment gen=2 seen=2 spec.paused=true wanted=1 pods=1 ready=1 available=1
                                                  = ✘ the rollout is paused: 0 of 1 pods updated
paused while a pod starts                         | apps/v1 Deployment gen=2 seen=2 spec.paused=true wanted=1 pods=1 updated=1
                                                  = … 0 of 1 pods ready
being deleted                                     | apps/v1 Deployment gen=2 seen=2 deleted=2026-01-01T00:00:00Z metadata.finalizers=["foregroundDeletion"]
                                                  = … being deleted (finalizer foregroundDeletion)
being deleted with two finalizers                 | apps/v1 Deployment deleted=2026-01-01T00:00:00Z metadata.finalizers=["a","b"]
                                                  = … being deleted (finalizers a, b)
a Deployment of another group                     | example.com/v1 Deployment gen=2 wanted=1
                                                  = ready
"#,
    );
}

#[test]
fn stateful_sets() {
    check(
        r#"
rolled out                                     | apps/v1 StatefulSet gen=1 seen=1 wanted=1 pods=1 ready=1 updated=1 status.currentRevision=a status.updateRevision=a
                                               = ready
no status yet                                  | apps/v1 StatefulSet gen=1 wanted=1
                                               = … waits for the rollout to begin (generation 1, seen 0)
old generation                                 | apps/v1 StatefulSet gen=2 seen=1 wanted=1 pods=1 ready=1 updated=1
                                               = … waits for the rollout to begin (generation 2, seen 1)
none ready                                     | apps/v1 StatefulSet gen=1 seen=1 wanted=1 pods=1
                                               = … 0 of 1 pods ready
one after the other                            | apps/v1 StatefulSet gen=1 seen=1 wanted=3 pods=2 ready=1
                                               = … 1 of 3 pods ready
update under way                               | apps/v1 StatefulSet gen=2 seen=2 wanted=3 pods=3 ready=3 updated=1 status.currentRevision=a status.updateRevision=b
                                               = … 1 of 3 pods updated
update under way, partition defaulted          | apps/v1 StatefulSet gen=2 seen=2 wanted=3 spec.updateStrategy.type=RollingUpdate spec.updateStrategy.rollingUpdate.partition=0 pods=3 ready=3 updated=3 status.currentRevision=a status.updateRevision=b
                                               = … the update is being completed
partition: only the upper ordinals are updated | apps/v1 StatefulSet gen=2 seen=2 wanted=3 spec.updateStrategy.rollingUpdate.partition=2 pods=3 ready=3 updated=1 status.currentRevision=a status.updateRevision=b
                                               = ready
partition not reached                          | apps/v1 StatefulSet gen=2 seen=2 wanted=3 spec.updateStrategy.rollingUpdate.partition=1 pods=3 ready=3 updated=1 status.currentRevision=a status.updateRevision=b
                                               = … 1 of 2 pods updated
partition above all replicas                   | apps/v1 StatefulSet gen=2 seen=2 wanted=1 spec.updateStrategy.rollingUpdate.partition=5 pods=1 ready=1 status.currentRevision=a status.updateRevision=b
                                               = ready
OnDelete updates by hand                       | apps/v1 StatefulSet gen=2 seen=2 wanted=1 spec.updateStrategy.type=OnDelete pods=1 ready=1 status.currentRevision=a status.updateRevision=b
                                               = ready
OnDelete still wants its pods                  | apps/v1 StatefulSet gen=2 seen=2 wanted=2 spec.updateStrategy.type=OnDelete pods=2 ready=1
                                               = … 1 of 2 pods ready
scaling down                                   | apps/v1 StatefulSet gen=2 seen=2 wanted=1 pods=2 ready=2 updated=2
                                               = … 1 pod too many
scaled to zero                                 | apps/v1 StatefulSet gen=2 seen=2 wanted=0 pods=0 status.currentRevision=a status.updateRevision=b
                                               = ready
minReadySeconds                                | apps/v1 StatefulSet gen=1 seen=1 wanted=1 spec.minReadySeconds=10 pods=1 ready=1 updated=1
                                               = … 0 of 1 pods ready for 10s (minReadySeconds)
minReadySeconds over                           | apps/v1 StatefulSet gen=1 seen=1 wanted=1 spec.minReadySeconds=10 pods=1 ready=1 updated=1 available=1
                                               = ready
server without availableReplicas               | apps/v1 StatefulSet gen=1 seen=1 wanted=1 pods=1 ready=1 updated=1
                                               = ready
orphan delete                                  | apps/v1 StatefulSet gen=1 seen=1 deleted=2026-01-01T00:00:00Z metadata.finalizers=["orphan"]
                                               = … being deleted (finalizer orphan)
"#,
    );
}

#[test]
fn daemon_sets_and_replica_sets() {
    check(
        r#"
on every node                 | apps/v1 DaemonSet gen=1 seen=1 nodes=3 scheduled=3 updatedNodes=3 readyNodes=3 availableNodes=3
                              = ready
no status                     | apps/v1 DaemonSet gen=1
                              = … waits for the rollout to begin (generation 1, seen 0)
no status, no generation      | apps/v1 DaemonSet
                              = … waits for the rollout to begin
no node fits                  | apps/v1 DaemonSet gen=1 seen=1 nodes=0 scheduled=0
                              = ready
a node without pod            | apps/v1 DaemonSet gen=1 seen=1 nodes=3 scheduled=2 updatedNodes=2 readyNodes=2 availableNodes=2
                              = … runs on 2 of 3 nodes
update under way              | apps/v1 DaemonSet gen=2 seen=2 spec.updateStrategy.type=RollingUpdate nodes=3 scheduled=3 updatedNodes=1 readyNodes=3 availableNodes=3
                              = … 1 of 3 nodes updated
OnDelete                      | apps/v1 DaemonSet gen=2 seen=2 spec.updateStrategy.type=OnDelete nodes=3 scheduled=3 updatedNodes=0 readyNodes=3 availableNodes=3
                              = ready
one not ready                 | apps/v1 DaemonSet gen=1 seen=1 nodes=3 scheduled=3 updatedNodes=3 readyNodes=2 availableNodes=2
                              = … 2 of 3 nodes ready
minReadySeconds               | apps/v1 DaemonSet gen=1 seen=1 spec.minReadySeconds=5 nodes=1 scheduled=1 updatedNodes=1 readyNodes=1
                              = … 0 of 1 pods ready for 5s (minReadySeconds)
old generation                | apps/v1 DaemonSet gen=2 seen=1 nodes=1 scheduled=1 updatedNodes=1 readyNodes=1 availableNodes=1
                              = … waits for the rollout to begin (generation 2, seen 1)
ReplicaSet complete           | apps/v1 ReplicaSet gen=1 seen=1 wanted=2 pods=2 ready=2 available=2
                              = ready
ReplicaSet of an old revision | apps/v1 ReplicaSet gen=3 seen=3 wanted=0 pods=0
                              = ready
ReplicaSet starts             | apps/v1 ReplicaSet gen=1 seen=1 wanted=2 pods=2 ready=1 available=1
                              = … 1 of 2 pods ready
ReplicaSet too large          | apps/v1 ReplicaSet gen=1 seen=1 wanted=1 pods=3 ready=3 available=3
                              = … 2 pods too many
ReplicaSet refused            | apps/v1 ReplicaSet gen=1 seen=1 wanted=1 ReplicaFailure?=True/FailedCreate/forbidden:_exceeded_quota
                              = … pods cannot be created: forbidden: exceeded quota
ReplicaSet available later    | apps/v1 ReplicaSet gen=1 seen=1 wanted=1 spec.minReadySeconds=9 pods=1 ready=1
                              = … 0 of 1 pods ready for 9s (minReadySeconds)
ReplicationController         | v1 ReplicationController gen=1 seen=1 wanted=1 pods=1 ready=1 available=1
                              = ready
ReplicationController unseen  | v1 ReplicationController gen=1 wanted=1
                              = … waits for its controller (generation 1, seen 0)
"#,
    );
}

#[test]
fn jobs() {
    check(
        r#"
done                                | batch/v1 Job status.succeeded=1 Complete?=True
                                    = ready
done and being deleted by its TTL   | batch/v1 Job spec.ttlSecondsAfterFinished=0 deleted=2026-01-01T00:00:00Z Complete?=True
                                    = ready
failed and being deleted by its TTL | batch/v1 Job spec.ttlSecondsAfterFinished=0 deleted=2026-01-01T00:00:00Z Failed?=True/BackoffLimitExceeded/too_many
                                    = ✘ BackoffLimitExceeded: too many
deleted before its end              | batch/v1 Job deleted=2026-01-01T00:00:00Z
                                    = … being deleted
no status                           | batch/v1 Job spec.completions=1
                                    = … 0 of 1 completions
runs                                | batch/v1 Job spec.completions=1 status.active=1 status.ready=1
                                    = … 0 of 1 completions
some done                           | batch/v1 Job spec.completions=3 status.succeeded=2 status.active=1
                                    = … 2 of 3 completions
retries                             | batch/v1 Job spec.completions=1 spec.backoffLimit=4 status.failed=2 status.active=1
                                    = … 0 of 1 completions, 2 failed (limit 4)
work queue                          | batch/v1 Job spec.parallelism=2 status.active=2
                                    = … 2 pods active
all pods succeeded, not yet judged  | batch/v1 Job spec.completions=1 status.succeeded=1 SuccessCriteriaMet?=True
                                    = … 1 of 1 completions
too many failures                   | batch/v1 Job Failed?=True/BackoffLimitExceeded/Job_has_reached_the_specified_backoff_limit
                                    = ✘ BackoffLimitExceeded: Job has reached the specified backoff limit
too long                            | batch/v1 Job Failed?=True/DeadlineExceeded
                                    = ✘ DeadlineExceeded
about to fail                       | batch/v1 Job spec.completions=1 FailureTarget?=True/PodFailurePolicy
                                    = ✘ PodFailurePolicy
suspended                           | batch/v1 Job spec.suspend=true Suspended?=True
                                    = ready
suspended after it failed           | batch/v1 Job spec.suspend=true Failed?=True/DeadlineExceeded
                                    = ✘ DeadlineExceeded
CronJob                             | batch/v1 CronJob spec.schedule=@daily
                                    = ready
CronJob suspended                   | batch/v1 CronJob spec.suspend=true
                                    = ready
"#,
    );
    assert!(vanishes_when_done(&object("batch/v1 Job spec.ttlSecondsAfterFinished=60")));
    assert!(!vanishes_when_done(&object("batch/v1 Job")));
}

#[test]
fn storage() {
    check(
        r#"
bound               | v1 PersistentVolumeClaim status.phase=Bound
                    = ready
pending             | v1 PersistentVolumeClaim status.phase=Pending
                    = … claim is not bound
no phase            | v1 PersistentVolumeClaim
                    = … claim is not bound
lost                | v1 PersistentVolumeClaim status.phase=Lost spec.volumeName=pv-1
                    = ✘ claim lost its volume pv-1
grows while it runs | v1 PersistentVolumeClaim status.phase=Bound FileSystemResizePending?=True
                    = ready
protected           | v1 PersistentVolumeClaim status.phase=Bound deleted=2026-01-01T00:00:00Z metadata.finalizers=["kubernetes.io/pvc-protection"]
                    = … being deleted (finalizer kubernetes.io/pvc-protection)
volume bound        | v1 PersistentVolume status.phase=Bound
                    = ready
volume available    | v1 PersistentVolume status.phase=Available
                    = ready
volume released     | v1 PersistentVolume status.phase=Released
                    = ready
volume pending      | v1 PersistentVolume status.phase=Pending
                    = … volume is not available yet
volume failed       | v1 PersistentVolume status.phase=Failed status.message="recycler"
                    = ✘ volume failed: recycler
"#,
    );
}

#[test]
fn a_claim_that_binds_at_first_use_is_awaited_only_when_a_pod_uses_it() {
    let lazy =
        object("storage.k8s.io/v1 StorageClass metadata.name=local volumeBindingMode=WaitForFirstConsumer");
    let eager = object("storage.k8s.io/v1 StorageClass metadata.name=nfs volumeBindingMode=Immediate");
    let mut default = lazy.clone();
    default["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    let user = object("v1 Pod spec.volumes=[{\"persistentVolumeClaim\":{\"claimName\":\"x\"}}]");
    let mut ended = user.clone();
    ended["status"]["phase"] = json!("Succeeded");
    let mut elsewhere = user.clone();
    elsewhere["metadata"]["namespace"] = json!("other");

    let named = "v1 PersistentVolumeClaim status.phase=Pending spec.storageClassName=local";
    let unnamed = "v1 PersistentVolumeClaim status.phase=Pending";
    type Case<'a> = (&'a str, &'a str, &'a [Value], &'a [Value], &'a str);
    let cases: [Case; 9] = [
        ("lazy, unused", named, std::slice::from_ref(&lazy), &[], "ready"),
        (
            "lazy, used",
            named,
            std::slice::from_ref(&lazy),
            std::slice::from_ref(&user),
            "… claim is not bound",
        ),
        ("lazy, user ended", named, std::slice::from_ref(&lazy), &[ended], "ready"),
        ("lazy, user elsewhere", named, std::slice::from_ref(&lazy), &[elsewhere], "ready"),
        ("class unknown", named, std::slice::from_ref(&eager), &[], "… claim is not bound"),
        (
            "immediate",
            "v1 PersistentVolumeClaim status.phase=Pending spec.storageClassName=nfs",
            std::slice::from_ref(&eager),
            &[],
            "… claim is not bound",
        ),
        ("by default", unnamed, &[default.clone()], &[], "ready"),
        ("no default", unnamed, std::slice::from_ref(&lazy), &[], "… claim is not bound"),
        (
            "without class",
            "v1 PersistentVolumeClaim status.phase=Pending spec.storageClassName=\"\"",
            &[default],
            &[],
            "… claim is not bound",
        ),
    ];
    for (name, claim, storage_classes, pods, expected) in cases {
        assert_eq!(
            said(&readiness_in(&object(claim), &Context { storage_classes, pods })),
            expected,
            "{name}"
        );
    }
}

#[test]
fn cluster_kinds() {
    check(
        r#"
ClusterIP                        | v1 Service spec.type=ClusterIP spec.clusterIP=10.0.0.1
                                 = ready
headless                         | v1 Service spec.type=ClusterIP spec.clusterIP=None
                                 = ready
NodePort                         | v1 Service spec.type=NodePort spec.clusterIP=10.0.0.1
                                 = ready
no address yet                   | v1 Service spec.type=ClusterIP
                                 = … waits for a cluster IP
ExternalName                     | v1 Service spec.type=ExternalName spec.externalName=x.example
                                 = ready
load balancer pending            | v1 Service spec.type=LoadBalancer spec.clusterIP=10.0.0.1
                                 = … waits for the load balancer's address
load balancer with address       | v1 Service spec.type=LoadBalancer spec.clusterIP=10.0.0.1 status.loadBalancer.ingress=[{"ip":"1.2.3.4"}]
                                 = ready
load balancer with external IPs  | v1 Service spec.type=LoadBalancer spec.clusterIP=10.0.0.1 spec.externalIPs=["1.2.3.4"]
                                 = ready
load balancer being removed      | v1 Service spec.type=LoadBalancer deleted=2026-01-01T00:00:00Z metadata.finalizers=["service.kubernetes.io/load-balancer-cleanup"]
                                 = … being deleted (finalizer service.kubernetes.io/load-balancer-cleanup)
Ingress without address          | networking.k8s.io/v1 Ingress gen=1
                                 = ready
Namespace                        | v1 Namespace status.phase=Active
                                 = ready
Namespace going                  | v1 Namespace status.phase=Terminating
                                 = … being deleted
Namespace held                   | v1 Namespace deleted=2026-01-01T00:00:00Z status.phase=Terminating NamespaceContentRemaining?=True/SomeResourcesRemain/Some_resources_are_remaining:_pods._has_1_resource_instances
                                 = … being deleted: Some resources are remaining: pods. has 1 resource instances
Namespace held, discovery broken | v1 Namespace status.phase=Terminating NamespaceDeletionDiscoveryFailure?=True/DiscoveryFailed/Discovery_failed NamespaceContentRemaining?=False
                                 = … being deleted: Discovery failed
CRD                              | apiextensions.k8s.io/v1 CustomResourceDefinition gen=1 NamesAccepted?=True Established?=True
                                 = ready
CRD new                          | apiextensions.k8s.io/v1 CustomResourceDefinition gen=1
                                 = … not established
CRD installing                   | apiextensions.k8s.io/v1 CustomResourceDefinition NamesAccepted?=True Established?=False/Installing
                                 = … not established
CRD names taken                  | apiextensions.k8s.io/v1 CustomResourceDefinition NamesAccepted?=False/Conflict/prometheuses_is_already_in_use Established?=False/NotAccepted
                                 = ✘ its names are taken: prometheuses is already in use
CRD refused                      | apiextensions.k8s.io/v1 CustomResourceDefinition Established?=False/Broken/no
                                 = ✘ Broken: no
CRD being cleaned up             | apiextensions.k8s.io/v1 CustomResourceDefinition Established?=True deleted=2026-01-01T00:00:00Z metadata.finalizers=["customresourcecleanup.apiextensions.k8s.io"]
                                 = … being deleted (finalizer customresourcecleanup.apiextensions.k8s.io)
APIService                       | apiregistration.k8s.io/v1 APIService Available?=True/Local
                                 = ready
APIService down                  | apiregistration.k8s.io/v1 APIService Available?=False/MissingEndpoints/no_endpoints
                                 = … MissingEndpoints: no endpoints
APIService new                   | apiregistration.k8s.io/v1 APIService
                                 = … not available yet
Node                             | v1 Node Ready?=True
                                 = ready
Node lost                        | v1 Node Ready?=Unknown/NodeStatusUnknown/Kubelet_stopped_posting_node_status.
                                 = … NodeStatusUnknown: Kubelet stopped posting node status
Node new                         | v1 Node
                                 = … the node has not reported yet
HPA                              | autoscaling/v2 HorizontalPodAutoscaler AbleToScale?=True ScalingActive?=True
                                 = ready
HPA without metrics              | autoscaling/v2 HorizontalPodAutoscaler AbleToScale?=True ScalingActive?=False/FailedGetResourceMetric
                                 = ready
HPA without target               | autoscaling/v2 HorizontalPodAutoscaler AbleToScale?=False/FailedGetScale/not_found
                                 = … FailedGetScale: not found
HPA new                          | autoscaling/v2 HorizontalPodAutoscaler
                                 = ready
PDB                              | policy/v1 PodDisruptionBudget gen=1 seen=1 status.disruptionsAllowed=0
                                 = ready
PDB unseen                       | policy/v1 PodDisruptionBudget gen=2 seen=1
                                 = … waits for its controller (generation 2, seen 1)
PDB new                          | policy/v1 PodDisruptionBudget gen=1
                                 = … waits for its controller (generation 1, seen 0)
ConfigMap                        | v1 ConfigMap
                                 = ready
Secret                           | v1 Secret
                                 = ready
ServiceAccount                   | v1 ServiceAccount
                                 = ready
ClusterRole                      | rbac.authorization.k8s.io/v1 ClusterRole
                                 = ready
webhook configuration            | admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration gen=2
                                 = ready
NetworkPolicy                    | networking.k8s.io/v1 NetworkPolicy gen=1
                                 = ready
StorageClass                     | storage.k8s.io/v1 StorageClass
                                 = ready
PriorityClass                    | scheduling.k8s.io/v1 PriorityClass gen=1
                                 = ready
ResourceQuota                    | v1 ResourceQuota
                                 = ready
ConfigMap being deleted          | v1 ConfigMap deleted=2026-01-01T00:00:00Z
                                 = … being deleted
"#,
    );
}

#[test]
fn custom_resources() {
    check(
        r#"
no status at all                 | example.com/v1 Widget gen=1
                                 = ready
ready                            | example.com/v1 Widget gen=1 seen=1 Ready?=True
                                 = ready
not ready                        | example.com/v1 Widget gen=1 seen=1 Ready?=False/Installing/pulling
                                 = … Installing: pulling
unknown                          | example.com/v1 Widget Ready?=Unknown
                                 = … not ready
old generation                   | example.com/v1 Widget gen=2 seen=1 Ready?=True
                                 = … waits for its controller (generation 2, seen 1)
old generation in the condition  | example.com/v1 Widget gen=2 Ready?=True/Done/fine/1
                                 = … waits for its controller (generation 2, seen 1)
condition of this generation     | example.com/v1 Widget gen=2 Ready?=True/Done/fine/2
                                 = ready
stalled                          | example.com/v1 Widget gen=1 seen=1 Ready?=False Stalled?=True/BadSpec/no_such_thing
                                 = ✘ BadSpec: no such thing
reconciling                      | example.com/v1 Widget Ready?=True Reconciling?=True/Progressing/step_2
                                 = … Progressing: step 2
not stalled                      | example.com/v1 Widget Ready?=True Stalled?=False
                                 = ready
other conditions                 | example.com/v1 Widget Synced?=False
                                 = ready
a Service of another group       | serving.knative.dev/v1 Service Ready?=False/RevisionMissing
                                 = … RevisionMissing
gateway API is a custom resource | gateway.networking.k8s.io/v1 Gateway gen=2 seen=1
                                 = … waits for its controller (generation 2, seen 1)
Prometheus CR new                | monitoring.coreos.com/v1 Prometheus gen=1
                                 = … waits for the operator
Prometheus CR ready              | monitoring.coreos.com/v1 Prometheus gen=1 Available?=True///1 Reconciled?=True///1
                                 = ready
Prometheus CR old generation     | monitoring.coreos.com/v1 Prometheus gen=2 Available?=True///1 Reconciled?=True///1
                                 = … waits for its controller (generation 2, seen 1)
Prometheus CR without pods       | monitoring.coreos.com/v1 Prometheus gen=1 Available?=False/NoPodReady/shard_0:_pod_x-0:_pending Reconciled?=True
                                 = … NoPodReady: shard 0: pod x-0: pending
Prometheus CR degraded           | monitoring.coreos.com/v1 Prometheus gen=1 Available?=Degraded/SomePodsNotReady Reconciled?=True
                                 = … SomePodsNotReady
Alertmanager CR not reconciled   | monitoring.coreos.com/v1 Alertmanager gen=1 Available?=True Reconciled?=False/ReconciliationFailed/bad_config
                                 = … ReconciliationFailed: bad config
Alertmanager CR paused           | monitoring.coreos.com/v1 Alertmanager gen=1 spec.paused=true
                                 = ready
ServiceMonitor                   | monitoring.coreos.com/v1 ServiceMonitor gen=1
                                 = ready
PrometheusRule                   | monitoring.coreos.com/v1 PrometheusRule gen=7
                                 = ready
"#,
    );
}

#[test]
fn what_is_not_an_object_is_not_awaited_and_does_not_panic() {
    for value in
        [json!(null), json!(1), json!([]), json!({}), json!({"kind": 1, "status": 2, "metadata": []})]
    {
        assert_eq!(readiness(&value), Readiness::Ready);
        assert_eq!(counts(&value), None);
    }
    // Fields of the wrong type count as absent.
    assert_eq!(said(&readiness(&object("apps/v1 Deployment spec=\"x\" status=[1]"))), "… 0 of 1 pods ready");
}

#[test]
fn counts_are_what_a_person_would_count() {
    let cases = [
        (
            "apps/v1 Deployment spec.replicas=1 status.replicas=1 status.updatedReplicas=1 status.readyReplicas=1",
            Some((1, 1, "")),
        ),
        ("apps/v1 Deployment spec.replicas=1", Some((0, 1, ""))),
        // the old pod is ready, the new one is not
        (
            "apps/v1 Deployment spec.replicas=1 status.replicas=2 status.updatedReplicas=1 status.readyReplicas=1",
            Some((0, 1, "")),
        ),
        (
            "apps/v1 Deployment spec.replicas=3 status.replicas=4 status.updatedReplicas=2 status.readyReplicas=3",
            Some((1, 3, "")),
        ),
        ("apps/v1 Deployment spec.replicas=0", Some((0, 0, ""))),
        ("apps/v1 StatefulSet spec.replicas=3 status.readyReplicas=2", Some((2, 3, ""))),
        // scaling down: never more than wanted
        ("apps/v1 StatefulSet spec.replicas=1 status.readyReplicas=3", Some((1, 1, ""))),
        ("apps/v1 DaemonSet status.desiredNumberScheduled=3 status.numberReady=3", Some((3, 3, "nodes"))),
        ("batch/v1 Job spec.completions=2 status.succeeded=1", Some((1, 2, "completions"))),
        ("v1 Pod Ready?=True", Some((1, 1, ""))),
        ("v1 Pod", Some((0, 1, ""))),
        ("monitoring.coreos.com/v1 Prometheus spec.replicas=2 status.availableReplicas=1", Some((1, 2, ""))),
        ("v1 ConfigMap", None),
        ("v1 PersistentVolumeClaim", None),
    ];
    for (line, expected) in cases {
        assert_eq!(counts(&object(line)), expected, "{line}");
    }
}
