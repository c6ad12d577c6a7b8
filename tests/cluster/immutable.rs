//! The table of fields that cannot change, against the API server that decides: each kind is made,
//! each field changed, and a dry-run must be refused exactly where `plan::immutable` says that the
//! object cannot be changed in place.

use std::collections::BTreeMap;

use kubectl_obs::cluster::{ApplyError, ApplyOptions, Cluster, ConnectOptions, DeleteOptions};
use kubectl_obs::event::{Event, Observer};
use kubectl_obs::object::{Kind, Object, ObjectId};
use kubectl_obs::ops::{Cancel, Context, claims};
use kubectl_obs::plan::crd;
use kubectl_obs::plan::immutable::{Around, Growth, Outcome, judge};
use kubectl_obs::release::{Namespace, ReleaseName};
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("immutable::the_server_refuses_what_the_table_says", |env| on(env, the_table)),
        trial::api("immutable::claims_that_are_bound", |env| on(env, claims_that_are_bound)),
        trial::api("immutable::a_running_pod_takes_no_further_claim", |env| on(env, no_further_claim)),
    ]
}

/// A cluster, a namespace on it, and what to clean up.
struct Place<'e> {
    env: &'e Env,
    cluster: Cluster,
    ns: String,
}

fn on(env: &Env, test: impl AsyncFn(&Place<'_>)) {
    env.make_namespace();
    let options = ConnectOptions {
        kubeconfig: Some(env.cluster().kubeconfig.clone()),
        context: Some(env.cluster().context.clone()),
        ..ConnectOptions::default()
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::connect(&options).await.unwrap();
        test(&Place { env, cluster, ns: env.namespace().to_owned() }).await;
    });
}

impl Place<'_> {
    async fn kind(&self, object: &Value) -> Option<Kind> {
        let (group, version) = kubectl_obs::object::split_api_version(object["apiVersion"].as_str().unwrap());
        let kinds = self.cluster.kinds().await.unwrap();
        kinds.resolve(group, version, object["kind"].as_str().unwrap())
    }

    async fn apply(&self, object: &Value, dry_run: bool) -> Result<Value, ApplyError> {
        let kind = self.kind(object).await.unwrap();
        let options = ApplyOptions { dry_run, force: true, ..ApplyOptions::default() };
        let object = Object::new(object.clone()).unwrap();
        Ok(self.cluster.apply(&kind, &object, &options).await?.object)
    }

    async fn live(&self, object: &Value) -> Value {
        let kind = self.kind(object).await.unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        self.cluster.get(&kind, Some(&self.ns), name).await.unwrap().unwrap()
    }

    async fn remove(&self, object: &Value) {
        let kind = self.kind(object).await.unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        self.cluster.delete(&kind, Some(&self.ns), name, &DeleteOptions::default()).await.unwrap();
    }

    /// Where the server and the table differ about changes of one object.
    async fn compare(&self, base: &Value, live: &Value, changes: &[Value]) -> Vec<String> {
        let list = async |group, kind, plural: &str| {
            let kind = Kind::namespaced(group, kind, plural);
            self.cluster.list(&kind, Some(&self.ns), "").await.unwrap()
        };
        let claims = list("", "PersistentVolumeClaim", "persistentvolumeclaims").await;
        let classes = Kind::cluster_scoped("storage.k8s.io", "StorageClass", "storageclasses");
        let classes = self.cluster.list(&classes, None, "").await.unwrap();
        let around = Around { claims: &claims, classes: &classes, recreate_allowed: false };
        let mut out = Vec::new();
        for change in changes {
            let desired = merged(base, change);
            let says = self.apply(&desired, true).await;
            let judged = judge(&desired, live, &around);
            let refused = matches!(judged, Outcome::Refuse { .. } | Outcome::Recreate { .. });
            if says.is_err() != refused {
                let server = says.map_or_else(|error| error.error().to_string(), |_| "accepted".into());
                out.push(format!("{} {change}\n    server: {server}\n    judge: {judged:?}", base["kind"]));
            }
        }
        out
    }
}

/// RFC 7386, with the one liberty that a null may also stand for an empty name: `""` stays.
fn merged(base: &Value, patch: &Value) -> Value {
    let (Value::Object(base), Value::Object(patch)) = (base, patch) else { return patch.clone() };
    let mut out: Map<String, Value> = base.clone();
    for (key, value) in patch {
        if value.is_null() {
            out.remove(key);
        } else {
            let merged = merged(base.get(key).unwrap_or(&json!({})), value);
            out.insert(key.clone(), merged);
        }
    }
    Value::Object(out)
}

fn object(api_version: &str, kind: &str, name: &str, ns: &str, rest: Value) -> Value {
    let base = json!({"apiVersion": api_version, "kind": kind, "metadata": {
        "name": name, "namespace": ns,
        "labels": {"kubectl-obs.dev/release-namespace": ns, "app.kubernetes.io/managed-by": "kubectl-obs"}}});
    merged(&base, &rest)
}

fn pods(labels: Value, restart: &str) -> Value {
    json!({"metadata": {"labels": labels}, "spec": {"restartPolicy": restart, "containers": [
        {"name": "c", "image": "example.com/none:1", "env": [{"name": "A", "value": "1"}]}]}})
}

fn image(image: &str) -> Value {
    json!([{"name": "c", "image": image, "env": [{"name": "A", "value": "1"}]}])
}

fn selector(app: &str) -> Value {
    json!({"matchLabels": {"app": app}})
}

/// Objects, each with the changes to try.
fn table(ns: &str) -> Vec<(Value, Vec<Value>)> {
    let ours = |kind: &str| format!("{ns}-{}", kind.to_lowercase());
    let cluster = |api_version: &str, kind: &str, rest: Value| {
        let mut value = object(api_version, kind, &ours(kind), ns, rest);
        value["metadata"].as_object_mut().unwrap().remove("namespace");
        value
    };
    let labels = json!({"metadata": {"labels": {"x": "y"}}});
    let two = json!({"app": "a", "b": "b"});
    let workload = |kind: &str| {
        let spec =
            json!({"spec": {"selector": {"matchLabels": two}, "template": pods(two.clone(), "Always")}});
        let changes = vec![
            labels.clone(),
            json!({"spec": {"template": {"spec": {"containers": image("example.com/none:2")}}}}),
            json!({"spec": {"minReadySeconds": 3}}),
            json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}}),
            json!({"spec": {"selector": {"matchLabels": {"b": null}}}}),
            json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}}),
        ];
        (object("apps/v1", kind, &kind.to_lowercase(), ns, spec), changes)
    };
    let job = |name: &str, rest: Value| {
        let spec = json!({"spec": {"backoffLimit": 1, "template": pods(json!({"app": "a"}), "Never")}});
        merged(&object("batch/v1", "Job", name, ns, spec), &rest)
    };
    let claim = |name: &str, rest: Value| {
        let spec = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                                   "storageClassName": "nobodys", "volumeMode": "Filesystem"}});
        merged(&object("v1", "PersistentVolumeClaim", name, ns, spec), &rest)
    };
    let service = |name: &str, rest: Value| {
        let spec = json!({"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}});
        merged(&object("v1", "Service", name, ns, spec), &rest)
    };
    let role = json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": ns}]});
    let role_changes = vec![
        labels.clone(),
        json!({"subjects": [{"kind": "ServiceAccount", "name": "b", "namespace": ns}]}),
        json!({"roleRef": {"name": "edit"}}),
        json!({"roleRef": {"kind": "Role"}}),
    ];
    vec![
        workload("Deployment"),
        workload("DaemonSet"),
        workload("ReplicaSet"),
        (
            object(
                "apps/v1",
                "StatefulSet",
                "set",
                ns,
                json!({"spec": {
                    "serviceName": "a", "podManagementPolicy": "Parallel", "selector": selector("a"), "replicas": 0,
                    "revisionHistoryLimit": 5, "template": pods(json!({"app": "a"}), "Always"),
                    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
                }}),
            ),
            vec![
                labels.clone(),
                json!({"spec": {"replicas": 1}}),
                json!({"spec": {"minReadySeconds": 3}}),
                json!({"spec": {"ordinals": {"start": 1}}}),
                json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}),
                json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}}),
                json!({"spec": {"template": {"spec": {"containers": image("example.com/none:2")}}}}),
                json!({"spec": {"serviceName": "b"}}),
                json!({"spec": {"podManagementPolicy": "OrderedReady"}}),
                json!({"spec": {"podManagementPolicy": null}}),
                json!({"spec": {"serviceName": null}}),
                json!({"spec": {"selector": selector("b"), "template": {"metadata": {"labels": {"app": "b"}}}}}),
                json!({"spec": {"volumeClaimTemplates": null}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Gi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "x", "resources": {"requests": {"storage": "1Gi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {"x": "y"}}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
                json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "other"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
            ],
        ),
        (
            job("job", json!({})),
            vec![
                labels.clone(),
                json!({"spec": {"parallelism": 2}}),
                json!({"spec": {"backoffLimit": 3}}),
                json!({"spec": {"ttlSecondsAfterFinished": 600}}),
                json!({"spec": {"suspend": true}}),
                json!({"spec": {"completions": 2}}),
                json!({"spec": {"completionMode": "NonIndexed"}}),
                json!({"spec": {"completionMode": "Indexed", "completions": 1}}),
                json!({"spec": {"template": {"spec": {"containers": image("example.com/none:2")}}}}),
                json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example.com/none:1"}]}}}}),
                json!({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]}}}),
            ],
        ),
        (
            job(
                "indexed",
                json!({"spec": {"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1}}),
            ),
            vec![
                json!({"spec": {"completions": 3, "parallelism": 3}}),
                json!({"spec": {"completions": 3}}),
                json!({"spec": {"completionMode": null}}),
                json!({"spec": {"backoffLimitPerIndex": 2}}),
                json!({"spec": {"maxFailedIndexes": 2}}),
                json!({"spec": {"successPolicy": {"rules": [{"succeededCount": 1}]}}}),
            ],
        ),
        (
            object(
                "batch/v1",
                "CronJob",
                "cron",
                ns,
                json!({"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {
                "template": pods(json!({"app": "a"}), "Never")}}}}),
            ),
            vec![
                json!({"spec": {"schedule": "0 0 2 1 *"}}),
                json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": image("example.com/none:2")}}}}}}),
            ],
        ),
        (
            service("service", json!({})),
            vec![
                labels.clone(),
                json!({"spec": {"ports": [{"port": 81}]}}),
                json!({"spec": {"selector": {"app": "b"}}}),
                json!({"spec": {"type": "NodePort"}}),
                json!({"spec": {"clusterIP": "None"}}),
                json!({"spec": {"clusterIP": "", "sessionAffinity": "ClientIP"}}),
                json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}),
                json!({"spec": {"ipFamilies": ["IPv6"]}}),
                json!({"spec": {"ipFamilies": ["IPv4"]}}),
                json!({"spec": {"ipFamilyPolicy": "PreferDualStack"}}),
            ],
        ),
        (
            service("headless", json!({"spec": {"clusterIP": "None"}})),
            vec![
                // clusterIP: null is accepted and changes nothing: see volumes.rs
                json!({"spec": {"clusterIPs": ["None"]}}),
                json!({"spec": {"clusterIP": null, "type": "ExternalName", "externalName": "example.com"}}),
                json!({"spec": {"publishNotReadyAddresses": true}}),
            ],
        ),
        (
            service(
                "balancer",
                json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/a"}}),
            ),
            vec![
                json!({"spec": {"loadBalancerClass": "example.com/b"}}),
                json!({"spec": {"type": "ClusterIP", "loadBalancerClass": null}}),
                json!({"spec": {"externalTrafficPolicy": "Local"}}),
            ],
        ),
        (
            service("plain-balancer", json!({"spec": {"type": "LoadBalancer"}})),
            vec![json!({"spec": {"loadBalancerClass": "example.com/b"}})],
        ),
        (
            object("v1", "ConfigMap", "fixed", ns, json!({"immutable": true, "data": {"a": "1", "b": "1"}})),
            vec![
                labels.clone(),
                json!({"data": {"a": "2"}}),
                json!({"data": {"b": null}}),
                json!({"data": {"c": "1"}}),
                json!({"binaryData": {"c": "MQ=="}}),
                json!({"immutable": false}),
                json!({"immutable": null}),
            ],
        ),
        (
            object("v1", "ConfigMap", "free", ns, json!({"data": {"a": "1"}})),
            vec![
                json!({"data": {"a": "2"}}),
                json!({"immutable": true, "data": {"a": "2"}}),
                json!({"data": null}),
            ],
        ),
        (
            object(
                "v1",
                "Secret",
                "fixed",
                ns,
                json!({"immutable": true, "data": {"a": "MQ==", "b": "MQ=="}}),
            ),
            vec![
                labels.clone(),
                json!({"data": {"a": "Mg=="}}),
                json!({"data": {"b": null}}),
                json!({"data": null, "stringData": {"a": "1", "b": "1"}}),
                json!({"data": null, "stringData": {"a": "1", "b": "2"}}),
                json!({"type": "example.com/other"}),
                json!({"type": "Opaque"}),
                json!({"immutable": null}),
            ],
        ),
        (
            object("v1", "Secret", "typed", ns, json!({"type": "example.com/one", "data": {"a": "MQ=="}})),
            vec![
                json!({"data": {"a": "Mg=="}}),
                json!({"type": "example.com/two"}),
                json!({"type": null}),
                json!({"type": "Opaque"}),
            ],
        ),
        (
            claim("waiting", json!({})),
            vec![
                labels.clone(),
                json!({"spec": {"resources": {"requests": {"storage": "1024Mi"}}}}),
                json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
                json!({"spec": {"resources": {"requests": {"storage": "500Mi"}}}}),
                json!({"spec": {"resources": {"limits": {"storage": "2Gi"}}}}),
                json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
                json!({"spec": {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}}),
                json!({"spec": {"storageClassName": "other"}}),
                json!({"spec": {"volumeMode": "Block"}}),
                json!({"spec": {"volumeMode": null}}),
                json!({"spec": {"volumeName": "one"}}),
                json!({"spec": {"selector": selector("a")}}),
                json!({"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "x"}}}),
            ],
        ),
        (
            object("rbac.authorization.k8s.io/v1", "RoleBinding", "binding", ns, role.clone()),
            role_changes.clone(),
        ),
        (
            cluster("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", role),
            role_changes.into_iter().take(3).collect(),
        ),
        (
            object(
                "rbac.authorization.k8s.io/v1",
                "Role",
                "role",
                ns,
                json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
            ),
            vec![json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]})],
        ),
        (
            cluster("scheduling.k8s.io/v1", "PriorityClass", json!({"value": 7})),
            vec![
                labels.clone(),
                json!({"description": "x"}),
                json!({"value": 8}),
                json!({"preemptionPolicy": "Never"}),
                json!({"preemptionPolicy": "PreemptLowerPriority"}),
            ],
        ),
        (
            cluster(
                "storage.k8s.io/v1",
                "StorageClass",
                json!({"provisioner": "example.com/a", "parameters": {"a": "1", "b": "1"}}),
            ),
            vec![
                labels.clone(),
                json!({"allowVolumeExpansion": true}),
                json!({"mountOptions": ["ro"]}),
                json!({"provisioner": "example.com/b"}),
                json!({"parameters": {"a": "2"}}),
                json!({"parameters": {"b": null}}),
                json!({"reclaimPolicy": "Retain"}),
                json!({"reclaimPolicy": "Delete"}),
                json!({"volumeBindingMode": "WaitForFirstConsumer"}),
                json!({"volumeBindingMode": "Immediate"}),
            ],
        ),
        (
            cluster(
                "storage.k8s.io/v1",
                "VolumeAttributesClass",
                json!({"driverName": "example.com", "parameters": {"a": "1"}}),
            ),
            vec![labels.clone(), json!({"driverName": "example.org"}), json!({"parameters": {"a": "2"}})],
        ),
        (
            cluster("networking.k8s.io/v1", "IngressClass", json!({"spec": {"controller": "example.com/a"}})),
            vec![labels.clone(), json!({"spec": {"controller": "example.com/b"}})],
        ),
        (
            cluster("node.k8s.io/v1", "RuntimeClass", json!({"handler": "a"})),
            vec![labels.clone(), json!({"handler": "b"})],
        ),
        (
            object(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                "slice",
                ns,
                json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}]}),
            ),
            vec![
                json!({"endpoints": [{"addresses": ["10.1.2.4"]}]}),
                json!({"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}]}),
            ],
        ),
        (
            object(
                "v1",
                "ResourceQuota",
                "quota",
                ns,
                json!({"spec": {"hard": {"pods": "100"}, "scopes": ["BestEffort"]}}),
            ),
            vec![json!({"spec": {"hard": {"pods": "101"}}}), json!({"spec": {"scopes": ["NotBestEffort"]}})],
        ),
        (
            object(
                "policy/v1",
                "PodDisruptionBudget",
                "budget",
                ns,
                json!({"spec": {"maxUnavailable": 1, "selector": selector("a")}}),
            ),
            vec![json!({"spec": {"maxUnavailable": 2}}), json!({"spec": {"selector": selector("b")}})],
        ),
        (
            object(
                "networking.k8s.io/v1",
                "Ingress",
                "ingress",
                ns,
                json!({"spec": {"ingressClassName": "a", "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}}),
            ),
            vec![
                json!({"spec": {"ingressClassName": "b"}}),
                json!({"spec": {"defaultBackend": {"service": {"name": "b"}}}}),
            ],
        ),
        (
            object(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "policy",
                ns,
                json!({"spec": {"podSelector": selector("a"), "policyTypes": ["Ingress"]}}),
            ),
            vec![json!({"spec": {"podSelector": selector("b")}})],
        ),
        (
            object(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "scaler",
                ns,
                json!({"spec": {"maxReplicas": 2,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}),
            ),
            vec![json!({"spec": {"scaleTargetRef": {"name": "b"}}})],
        ),
        (
            object("v1", "ServiceAccount", "account", ns, json!({"automountServiceAccountToken": false})),
            vec![json!({"automountServiceAccountToken": true})],
        ),
        (
            cluster(
                "v1",
                "PersistentVolume",
                json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "storageClassName": "nobodys-own", "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "10.0.0.1", "path": "/a"}}}),
            ),
            vec![
                labels.clone(),
                json!({"spec": {"capacity": {"storage": "2Gi"}}}),
                json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}),
                json!({"spec": {"nfs": {"path": "/b"}}}),
                json!({"spec": {"volumeMode": "Block"}}),
                json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}]}}}}),
            ],
        ),
    ]
}

async fn the_table(place: &Place<'_>) {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (base, changes) in table(&place.ns) {
        // an older server lacks a kind: that is no disagreement
        if place.kind(&base).await.is_none() {
            continue;
        }
        place.apply(&base, false).await.unwrap_or_else(|error| panic!("{base}: {error:?}"));
        let live = place.live(&base).await;
        tried += changes.len();
        wrong.extend(place.compare(&base, &live, &[json!({})]).await);
        wrong.extend(place.compare(&base, &live, &changes).await);
        place.remove(&base).await;
    }
    wrong.extend(definitions(place).await);
    assert!(wrong.is_empty(), "of {tried} changes, {} are told wrongly:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 120, "{tried}");
}

/// A CustomResourceDefinition, whose rules are in `plan::crd`.
async fn definitions(place: &Place<'_>) -> Vec<String> {
    let group = format!("{}.example.com", place.ns);
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object"}}});
    let base = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}"), "labels": {"app.kubernetes.io/managed-by": "kubectl-obs"}},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
                 "versions": [version("v1", true)]}});
    place.apply(&base, false).await.unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let live = loop {
        let live = place.live(&base).await;
        let conditions = live["status"]["conditions"].as_array().cloned().unwrap_or_default();
        if conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True") {
            break live;
        }
        assert!(Instant::now() < end, "{live}");
        sleep(Duration::from_millis(100)).await;
    };
    let changes = [
        json!({}),
        json!({"spec": {"versions": [version("v1", false), version("v2", true)]}}),
        json!({"spec": {"versions": [version("v2", true)]}}),
        json!({"spec": {"scope": "Cluster"}}),
        json!({"spec": {"names": {"kind": "Other"}}}),
        json!({"spec": {"names": {"plural": "others"}}}),
    ];
    let wrong = place.compare(&base, &live, &changes).await;
    assert!(crd::serves(&live, &base) && !crd::serves(&live, &merged(&base, &changes[2])));
    place.remove(&base).await;
    wrong
}

/// What only a claim with a volume can do: grow, and refuse to shrink.
async fn claims_that_are_bound(place: &Place<'_>) {
    let ns = &place.ns;
    let class = |name: &str, grows: bool| {
        let rest = json!({"provisioner": "example.com/nothing", "allowVolumeExpansion": grows});
        let mut class = object("storage.k8s.io/v1", "StorageClass", &format!("{ns}-{name}"), ns, rest);
        class["metadata"].as_object_mut().unwrap().remove("namespace");
        class
    };
    let claim = |name: &str, class: &str| {
        object(
            "v1",
            "PersistentVolumeClaim",
            name,
            ns,
            json!({"spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": {"requests": {"storage": "1Gi"}}}}),
        )
    };
    // a volume that waits for its claim; nothing of it is ever mounted
    let volume = |claim: &str, class: &str| {
        let mut volume = object(
            "v1",
            "PersistentVolume",
            &format!("{ns}-{claim}"),
            ns,
            json!({"spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": ns, "name": claim}}}),
        );
        volume["metadata"].as_object_mut().unwrap().remove("namespace");
        volume
    };
    let (grows, fixed) = (format!("{ns}-grows"), format!("{ns}-fixed"));
    let set = object(
        "apps/v1",
        "StatefulSet",
        "set",
        ns,
        json!({"spec": {
        "serviceName": "a", "selector": selector("a"), "replicas": 1, "template": pods(json!({"app": "a"}), "Always"),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "storageClassName": grows, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
    );
    let volumes = [volume("grows", &grows), volume("fixed", &fixed), volume("data-set-0", &grows)];
    let objects = [
        class("grows", true),
        class("fixed", false),
        claim("grows", &grows),
        claim("fixed", &fixed),
        set.clone(),
    ];
    for value in objects.iter().chain(&volumes) {
        place.apply(value, false).await.unwrap();
    }
    let mut bound = BTreeMap::new();
    for name in ["grows", "fixed", "data-set-0"] {
        bound.insert(name, until(place, &claim(name, ""), |claim| claim["status"]["phase"] == "Bound").await);
    }

    let size = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
    let changes = [
        json!({}),
        size("2Gi"),
        size("1024Mi"),
        size("500Mi"),
        json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
        json!({"spec": {"storageClassName": "other"}}),
        json!({"spec": {"volumeName": "other"}}),
    ];
    let mut wrong = place.compare(&claim("grows", &grows), &bound["grows"], &changes).await;
    wrong.extend(place.compare(&claim("fixed", &fixed), &bound["fixed"], &changes).await);

    // a set's claims are found by name, grow, and are waited for
    let live = place.live(&set).await;
    let mut larger = set.clone();
    larger["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
    let (all, classes) = ([bound["data-set-0"].clone()], [class("grows", true)]);
    let around = Around { claims: &all, classes: &classes, recreate_allowed: false };
    let Outcome::Recreate { orphan: true, grow, why } = judge(&larger, &live, &around) else {
        panic!("{:?}", judge(&larger, &live, &around));
    };
    assert_eq!(why, "volumes grow: data from 1Gi to 2Gi");
    growing(place, &grow).await;

    for value in &volumes {
        let patch = r#"--patch={"metadata":{"finalizers":null}}"#;
        place.remove(value).await;
        let name = value["metadata"]["name"].as_str().unwrap();
        // held by its claim, which goes with the namespace
        place.env.kubectl(["patch", "persistentvolume", name, "--type=merge", patch]).run();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Deaf;

impl Observer for Deaf {
    fn event(&self, _: Event) {}
}

async fn growing(place: &Place<'_>, grow: &[Growth]) {
    let namespace: Namespace = Namespace::new(&place.ns).unwrap();
    let release: ReleaseName = ReleaseName::new("obs").unwrap();
    let (observer, cancel) = (Deaf, Cancel::default());
    let ctx = Context {
        cluster: &place.cluster,
        namespace: &namespace,
        release: &release,
        observer: &observer,
        cancel: &cancel,
        deadline: Instant::now() + Duration::from_secs(60),
    };
    let [growth] = grow else { panic!("{grow:?}") };
    assert_eq!(growth.claim.name, "data-set-0");

    let other = Growth { uid: Some("another".into()), ..growth.clone() };
    let error = claims::grow(&ctx, &other).await.unwrap_err();
    assert!(error.message().contains("was deleted or replaced by someone else"), "{error}");
    let id = ObjectId { name: "absent".into(), ..growth.claim.clone() };
    let error = claims::grow(&ctx, &Growth { claim: id, ..growth.clone() }).await.unwrap_err();
    assert!(error.message().contains("absent"), "{error}");

    claims::grow(&ctx, growth).await.unwrap();
    claims::grow(&ctx, growth).await.unwrap();
    let claim = object("v1", "PersistentVolumeClaim", "data-set-0", &place.ns, json!({}));
    assert_eq!(place.live(&claim).await["spec"]["resources"]["requests"]["storage"], "2Gi");
    let less = Growth { to: "1Gi".into(), ..growth.clone() };
    claims::grow(&ctx, &less).await.unwrap();
    assert_eq!(
        place.live(&claim).await["spec"]["resources"]["requests"]["storage"],
        "2Gi",
        "it never shrinks"
    );

    let soon = Instant::now() + Duration::from_secs(3);
    let error = claims::wait_grown(&ctx, grow, soon).await.unwrap_err();
    let start = format!("PersistentVolumeClaim {}/data-set-0 did not grow to 2Gi in time", place.ns);
    assert!(error.message().starts_with(&start), "{error}");

    // what a driver writes when it is done
    let patch = r#"--patch={"status":{"capacity":{"storage":"2Gi"}}}"#;
    let args = ["patch", "pvc", "data-set-0", "--subresource=status", "--type=merge", patch];
    place.env.kubectl(args).run().ok();
    claims::wait_grown(&ctx, grow, Instant::now() + Duration::from_secs(20)).await.unwrap();
}

/// Reads an object until it is as it should be.
async fn until(place: &Place<'_>, object: &Value, is: impl Fn(&Value) -> bool) -> Value {
    let kind = place.kind(object).await.unwrap();
    let name = object["metadata"]["name"].as_str().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let live = place.cluster.get(&kind, Some(&place.ns), name).await.unwrap().unwrap_or_default();
        if is(&live) {
            return live;
        }
        assert!(Instant::now() < end, "still not so: {live}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Why an added claim template takes the pods with it: the controller does not replace a pod that
/// lacks the claim, it tries to change it and is refused for ever.
async fn no_further_claim(place: &Place<'_>) {
    let ns = &place.ns;
    let template = |name: &str| json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let set = |templates: Value| {
        object(
            "apps/v1",
            "StatefulSet",
            "set",
            ns,
            json!({"spec": {
            "serviceName": "a", "selector": selector("a"), "template": pods(json!({"app": "a"}), "Always"),
            "volumeClaimTemplates": templates}}),
        )
    };
    let (before, after) = (set(json!([template("data")])), set(json!([template("data"), template("more")])));
    place.apply(&before, false).await.unwrap();
    let pod = object("v1", "Pod", "set-0", ns, json!({}));
    until(place, &pod, |pod| !pod["metadata"]["uid"].is_null()).await;
    let ready = r#"--patch={"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#;
    place.env.kubectl(["patch", "pod", "set-0", "--subresource=status", "--type=merge", ready]).run().ok();

    let around = Around { recreate_allowed: true, ..Around::default() };
    let judged = judge(&after, &place.live(&before).await, &around);
    assert!(matches!(judged, Outcome::Recreate { orphan: false, .. }), "{judged:?}");

    place.env.kubectl(["delete", "statefulset", "set", "--cascade=orphan"]).run().ok();
    place.apply(&after, false).await.unwrap();
    let stuck = async || {
        let events = Kind::namespaced("", "Event", "events");
        let events = place.cluster.list(&events, Some(ns), "").await.unwrap();
        events
            .iter()
            .any(|event| event["reason"] == "FailedUpdate" && event["involvedObject"]["name"] == "set")
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !stuck().await {
        assert!(Instant::now() < end, "the controller made peace with the pod");
        sleep(Duration::from_millis(200)).await;
    }
}
