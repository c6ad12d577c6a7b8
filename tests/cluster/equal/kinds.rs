//! The kinds that pairs are made of, each as a valid object and fields that may be absent or have one
//! of a few values: maps and lists that the API merges and ones that it replaces as a whole, orders,
//! quantities in other words, empty values that mean something, texts that look like numbers.

use serde_json::{Value, json};

use crate::support::env::Env;

/// A kind with what may vary.
#[derive(Clone)]
pub(super) struct Kind {
    /// For the names of its objects.
    pub name: &'static str,
    base: Value,
    /// Where, and the values that it may have; absent is one more.
    pub fields: Vec<(&'static str, Vec<Value>)>,
}

impl Kind {
    fn new(name: &'static str, api_version: &str, kind: &str, body: Value) -> Self {
        let base = json!({"apiVersion": api_version, "kind": kind, "metadata": {}, "body": body});
        Self { name, base, fields: Vec::new() }
    }

    fn with(mut self, at: &'static str, values: Value) -> Self {
        self.fields.push((at, values.as_array().expect("a list of values").clone()));
        self
    }

    /// The object with the chosen values.
    pub(super) fn object(&self, choices: &[usize]) -> Value {
        let mut object = self.base.clone();
        for ((at, values), choice) in self.fields.iter().zip(choices) {
            if let Some(value) = values.get(choice % (values.len() + 1)) {
                set(&mut object, at, value.clone());
            }
        }
        object
    }
}

fn set(object: &mut Value, at: &str, value: Value) {
    let mut place = object;
    for key in at.split('/').filter(|key| !key.is_empty()) {
        place = match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[key],
        };
    }
    *place = value;
}

/// What is listed to find them again.
pub(super) const RESOURCES: [&str; 19] = [
    "configmaps",
    "secrets",
    "services",
    "serviceaccounts",
    "deployments",
    "statefulsets",
    "daemonsets",
    "cronjobs",
    "jobs",
    "poddisruptionbudgets",
    "networkpolicies",
    "horizontalpodautoscalers",
    "ingresses",
    "roles",
    "resourcequotas",
    "limitranges",
    "gizmos.equal.example.com",
    "gadgets.equal.example.com",
    "sprockets.equal.example.com",
];

/// Three kinds of custom resources: one whose content nobody knows; one with a schema that merges lists,
/// has defaults and an atomic map; one of two versions, with defaults for maps and a status that is a part
/// like any other. They stay, as other trials may use them.
pub(super) fn define(env: &Env) {
    let definition = |plural: &str, singular: &str, kind: &str, spec: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.equal.example.com")},
            "spec": {"group": "equal.example.com", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": singular},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}})
    };
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let known = json!({"type": "object", "properties": {
        "interval": {"type": "string", "default": "30s"},
        "version": {"type": "string"},
        "size": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
        "limit": {"type": "integer", "nullable": true},
        "selector": {"type": "object", "x-kubernetes-map-type": "atomic",
            "properties": {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}}}},
        "endpoints": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"],
            "items": {"type": "object", "required": ["port"], "properties": {
                "port": {"type": "string"}, "path": {"type": "string", "default": "/metrics"}, "scheme": {"type": "string"}}}},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "rules": {"type": "array", "items": {"type": "object", "properties": {
            "alert": {"type": "string"}, "for": {"type": "string"}, "expr": {"type": "string"}}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let of_version = |number: u8| {
        let mut spec = json!({"type": "object", "properties": {
            "a": {"type": "integer", "default": number}, "b": {"type": "string"},
            "limits": {"type": "object", "default": {"x": 5}, "properties": {
                "x": {"type": "integer"}, "y": {"type": "string", "default": "high"}}},
            "bounds": {"type": "object", "default": {"x": 5}, "properties": {"x": {"type": "integer"}}},
            "members": {"type": "array", "default": ["q"], "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "parts": {"type": "array", "default": [{"k": "d0"}], "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "required": ["k"],
                    "properties": {"k": {"type": "string"}, "v": {"type": "integer", "default": number}}}},
            "items": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "proto"], "items": {"type": "object", "required": ["port"],
                    "properties": {"port": {"type": "integer"}, "proto": {"type": "string", "default": "TCP"},
                        "w": {"type": "integer", "default": 10},
                        "sub": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["nm"],
                            "items": {"type": "object", "required": ["nm"], "properties": {
                                "nm": {"type": "string"}, "o": {"type": "object", "default": {"z": 1}, "properties": {
                                    "z": {"type": "integer"}, "r": {"type": "integer", "default": 4}}}}}}}}},
            "atoms": {"type": "array", "default": [{"a": 1}], "items": {"type": "object", "properties": {
                "a": {"type": "integer"}, "d": {"type": "integer", "default": 9}}}}}});
        if number == 2 {
            spec["properties"]["b"]["default"] = json!("bee");
        }
        json!({"name": format!("v{number}"), "served": true, "storage": number == 2,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": free}}}})
    };
    let mut versions = definition("sprockets", "sprocket", "Sprocket", json!({}));
    versions["spec"]["versions"] = json!([of_version(1), of_version(2)]);
    for definition in [
        definition("gizmos", "gizmo", "Gizmo", free),
        definition("gadgets", "gadget", "Gadget", known),
        versions,
    ] {
        env.kubectl(["apply", "--server-side", "--force-conflicts", "--filename=-"])
            .stdin(definition.to_string())
            .run()
            .ok();
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        env.kubectl(["wait", "--for=condition=Established", "--timeout=30s", &format!("crd/{name}")])
            .run()
            .ok();
    }
}

fn pod() -> Value {
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "objects"}},
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/main:1"}]},
    })
}

/// What any pod template may have, below `/body/spec/…`.
macro_rules! pod_fields {
    ($kind:expr, $at:literal) => {
        $kind
            .with(concat!($at, "/spec/nodeSelector"), json!([{"disk": "ssd"}, {"disk": "ssd", "zone": "a"}, {"zone": "b"}, {}, null]))
            .with(concat!($at, "/spec/tolerations"), json!([
                [{"key": "a", "operator": "Exists"}],
                [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}, {"key": "b", "operator": "Equal", "value": "x"}],
                [{"key": "b", "operator": "Equal", "value": "x"}, {"key": "a", "operator": "Exists", "effect": "NoSchedule"}], []]))
            .with(concat!($at, "/spec/hostNetwork"), json!([false]))
            .with(concat!($at, "/spec/securityContext"), json!([{}, {"runAsUser": 1}, {"runAsUser": 0, "fsGroup": 2}, {"seccompProfile": {"type": "RuntimeDefault"}}]))
            .with(concat!($at, "/spec/affinity"), json!([{}, {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}}]}},
                {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}}]))
            .with(concat!($at, "/spec/topologySpreadConstraints"), json!([
                [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
                [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}]]))
            .with(concat!($at, "/spec/terminationGracePeriodSeconds"), json!([0, 30, 60]))
            .with(concat!($at, "/spec/automountServiceAccountToken"), json!([true, false]))
            .with(concat!($at, "/spec/serviceAccountName"), json!(["a", "b", ""]))
            .with(concat!($at, "/spec/priorityClassName"), json!(["system-node-critical"]))
            .with(concat!($at, "/spec/imagePullSecrets"), json!([[{"name": "a"}], [{"name": "b"}, {"name": "a"}], []]))
            .with(concat!($at, "/spec/volumes"), json!([
                [{"name": "a"}], [{"name": "a", "emptyDir": {}}], [{"name": "a", "emptyDir": {"sizeLimit": "1024Mi"}}], [{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}],
                [{"name": "a", "configMap": {"name": "x"}}], [{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "p"}], "defaultMode": 256}}],
                [{"name": "a", "secret": {"secretName": "x", "optional": true}}, {"name": "b", "emptyDir": {"medium": "Memory"}}],
                [{"name": "b", "emptyDir": {}}, {"name": "a", "persistentVolumeClaim": {"claimName": "x"}}]]))
            .with(concat!($at, "/spec/containers/0/env"), json!([
                [{"name": "A", "value": "1"}], [{"name": "A", "value": ""}], [{"name": "A"}],
                [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}], [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}],
                [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}], []]))
            .with(concat!($at, "/spec/containers/0/ports"), json!([
                [{"containerPort": 80}], [{"containerPort": 80, "name": "http"}, {"containerPort": 81}],
                [{"containerPort": 81}, {"containerPort": 80, "protocol": "UDP"}], []]))
            .with(concat!($at, "/spec/containers/0/resources"), json!([
                {}, {"requests": {"cpu": "100m", "memory": "128Mi"}}, {"requests": {"cpu": "0.1", "memory": "128Mi"}},
                {"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1Gi", "cpu": 1}}, {"limits": {"cpu": "1000m"}, "requests": {}}]))
            .with(concat!($at, "/spec/containers/0/livenessProbe"), json!([
                {"httpGet": {"path": "/", "port": 80}}, {"httpGet": {"path": "/x", "port": "http", "scheme": "HTTPS"}, "periodSeconds": 5},
                {"tcpSocket": {"port": 80}}, {"exec": {"command": ["true"]}, "failureThreshold": 3}, null]))
            .with(concat!($at, "/spec/containers/0/securityContext"), json!([
                {}, {"capabilities": {"drop": ["ALL"]}}, {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}, {"readOnlyRootFilesystem": true, "privileged": false}]))
            .with(concat!($at, "/spec/containers/0/args"), json!([["--a=1"], ["--a=1", "--b"], ["--b", "--a=1"], [""], []]))
            .with(concat!($at, "/spec/containers/0/command"), json!([["run"], null]))
            .with(concat!($at, "/spec/containers/0/imagePullPolicy"), json!(["Always", "IfNotPresent"]))
            .with(concat!($at, "/spec/initContainers"), json!([
                [{"name": "i", "image": "i:1"}, {"name": "j", "image": "j:1"}], [{"name": "j", "image": "j:1"}, {"name": "i", "image": "i:1"}], []]))
            .with(concat!($at, "/spec/hostAliases"), json!([[{"ip": "1.2.3.4", "hostnames": ["a"]}], [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]]))
            .with(concat!($at, "/spec/dnsConfig"), json!([{}, {"options": [{"name": "ndots", "value": "2"}]}, {"searches": ["a"]}]))
            .with(concat!($at, "/metadata/annotations"), json!([{"a": "1"}, {"a": "2", "b": ""}, {}, null]))
    };
}

fn metadata(kind: Kind) -> Kind {
    kind.with("/metadata/labels", json!([{"a": "1"}, {"a": "2", "b": ""}, {"b": "1.10"}, {}, null]))
        .with("/metadata/annotations", json!([{"a": "1"}, {"a": "1.0", "b": "true"}, {"b": ""}, {}, null]))
}

/// All of them.
pub(super) fn all() -> Vec<Kind> {
    let selector = || json!({"matchLabels": {"app.kubernetes.io/name": "objects"}});
    let workload = || json!({"spec": {"replicas": 0, "selector": selector(), "template": pod()}});
    let mut out = Vec::new();

    let text = json!(["1Gi", "1024Mi", "", "1", "1000m", "line\nline\n", "true"]);
    let map = Kind::new("map", "v1", "ConfigMap", json!({}))
        .with("/body/data/a", text.clone())
        .with("/body/data/sizeLimit", text.clone())
        .with("/body/data/b.yaml", json!(["limits: 1\n", "limits: 1.0\n"]))
        .with("/body/binaryData/c", json!(["AAEC", "AAED"]));
    out.push(metadata(map));
    let secret = Kind::new("secret", "v1", "Secret", json!({}))
        .with("/body/data/a", json!(["YQ==", "Yg==", ""]))
        .with("/body/stringData/b", json!(["a", "b", ""]))
        .with("/body/stringData/c", json!(["a"]))
        .with("/body/type", json!(["Opaque"]));
    out.push(metadata(secret));

    let service = Kind::new("service", "v1", "Service", json!({"spec": {"ports": [{"port": 80}]}}))
        .with("/body/spec/selector", json!([{"a": "1"}, {"a": "1", "b": "2"}, {"b": "2"}, {}, null]))
        .with("/body/spec/ports", json!([
            [{"port": 80, "name": "a"}], [{"port": 80, "name": "a", "targetPort": "http"}, {"port": 81, "name": "b"}],
            [{"port": 81, "name": "b"}, {"port": 80, "name": "a"}], [{"port": 80, "protocol": "UDP"}], [{"port": 80, "targetPort": 8080}],
            [{"port": 80, "name": "a", "appProtocol": "http"}]]))
        .with("/body/spec/type", json!(["ClusterIP", "NodePort"]))
        .with("/body/spec/sessionAffinity", json!(["None"]))
        .with("/body/spec/internalTrafficPolicy", json!(["Local", "Cluster"]))
        .with("/body/spec/publishNotReadyAddresses", json!([true, false]))
        .with("/body/spec/externalIPs", json!([["10.9.9.9"], ["10.9.9.9", "10.9.9.8"], []]));
    out.push(metadata(service));
    let affine = Kind::new("affine", "v1", "Service", json!({"spec": {"ports": [{"port": 80}]}}))
        .with("/body/spec/sessionAffinity", json!(["ClientIP", "None"]));
    out.push(affine);

    let deployment = pod_fields!(Kind::new("deployment", "apps/v1", "Deployment", workload()), "/body/spec/template")
        .with("/body/spec/strategy", json!([
            {"type": "Recreate"}, {"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            {"rollingUpdate": {"maxUnavailable": "10%", "maxSurge": "25%"}}, {}, null]))
        .with("/body/spec/minReadySeconds", json!([0, 5]))
        .with("/body/spec/paused", json!([false]))
        .with("/body/spec/revisionHistoryLimit", json!([0, 10, 3]))
        .with("/body/spec/progressDeadlineSeconds", json!([600, 60]));
    out.push(metadata(deployment));
    let mut set = workload();
    set["spec"]["serviceName"] = json!("s");
    let set = pod_fields!(Kind::new("set", "apps/v1", "StatefulSet", set), "/body/spec/template")
        .with("/body/spec/updateStrategy", json!([
            {"type": "OnDelete"}, {"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, {}, null]))
        .with("/body/spec/minReadySeconds", json!([0, 5]))
        .with("/body/spec/persistentVolumeClaimRetentionPolicy", json!([
            {"whenDeleted": "Retain", "whenScaled": "Retain"}, {"whenDeleted": "Delete"}]));
    out.push(metadata(set));
    let daemon = json!({"spec": {"selector": selector(), "template": pod()}});
    let daemon = pod_fields!(Kind::new("daemon", "apps/v1", "DaemonSet", daemon), "/body/spec/template")
        .with("/body/spec/updateStrategy", json!([
            {"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}, {"rollingUpdate": {"maxUnavailable": "50%"}}]))
        .with("/body/spec/template/spec/nodeSelector/never", json!(["here", "there"]));
    out.push(metadata(daemon));
    let mut cron = json!({"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": pod()}}}});
    cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    let cron =
        pod_fields!(Kind::new("cron", "batch/v1", "CronJob", cron), "/body/spec/jobTemplate/spec/template")
            .with("/body/spec/schedule", json!(["0 0 1 1 *", "1 0 1 1 *"]))
            .with("/body/spec/suspend", json!([true, false]))
            .with("/body/spec/concurrencyPolicy", json!(["Forbid", "Allow"]))
            .with("/body/spec/jobTemplate/spec/backoffLimit", json!([0, 6]))
            .with("/body/spec/jobTemplate/metadata/labels", json!([{"a": "1"}, {}]));
    out.push(metadata(cron));

    let budget = Kind::new("budget", "policy/v1", "PodDisruptionBudget", json!({"spec": {}}))
        .with("/body/spec/selector", json!([
            {}, {"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "1", "b": "2"}}, {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]},
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["2", "1"]}], "matchLabels": {}}, null]))
        .with("/body/spec/minAvailable", json!([1, "50%", 0]))
        .with("/body/spec/unhealthyPodEvictionPolicy", json!(["AlwaysAllow", "IfHealthyBudget"]));
    out.push(metadata(budget));
    let policy = Kind::new("policy", "networking.k8s.io/v1", "NetworkPolicy", json!({"spec": {"podSelector": {}}}))
        .with("/body/spec/podSelector", json!([{}, {"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "1", "b": "2"}}]))
        .with("/body/spec/policyTypes", json!([["Ingress"], ["Egress", "Ingress"], ["Ingress", "Egress"]]))
        .with("/body/spec/ingress", json!([
            [], [{}], [{"from": []}], [{"from": [{"podSelector": {}}]}], [{"from": [{"namespaceSelector": {}}]}], [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"x": "y"}}}]}],
            [{"ports": [{"port": 80}]}], [{"ports": [{"port": 80, "protocol": "UDP"}, {"port": "http"}]}], [{"ports": [{"port": 80, "endPort": 90}], "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]]))
        .with("/body/spec/egress", json!([[{}], [{"to": [{"podSelector": {}}]}], []]));
    out.push(metadata(policy));
    let cpu = |target: Value| json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    let scaler = json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}});
    let scaler = Kind::new("scaler", "autoscaling/v2", "HorizontalPodAutoscaler", scaler)
        .with("/body/spec/minReplicas", json!([1, 2]))
        .with("/body/spec/maxReplicas", json!([4, 3]))
        .with("/body/spec/metrics", json!([
            [cpu(json!({"type": "Utilization", "averageUtilization": 50}))], [cpu(json!({"type": "AverageValue", "averageValue": "500m"}))],
            [cpu(json!({"type": "AverageValue", "averageValue": "0.5"}))]]))
        .with("/body/spec/behavior", json!([{}, {"scaleDown": {"stabilizationWindowSeconds": 0}}, {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}}]));
    out.push(metadata(scaler));
    let path = |name: &str| json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}});
    let ingress = json!({"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}});
    let ingress = Kind::new("ingress", "networking.k8s.io/v1", "Ingress", ingress)
        .with("/body/spec/ingressClassName", json!(["a", "b"]))
        .with("/body/spec/rules", json!([[{"host": "a.example.com", "http": {"paths": [path("a")]}}], [{"host": "a.example.com", "http": {"paths": [path("b"), path("a")]}}], [{"host": "b.example.com"}], []]))
        .with("/body/spec/tls", json!([[{"hosts": ["a.example.com"], "secretName": "t"}], [{"hosts": []}], []]))
        .with("/body/spec/defaultBackend/service/port", json!([{"name": "http"}, {"number": 81}]));
    out.push(metadata(ingress));
    let rule = |verbs: Value| json!({"apiGroups": [""], "resources": ["pods"], "verbs": verbs});
    let role = Kind::new("role", "rbac.authorization.k8s.io/v1", "Role", json!({})).with(
        "/body/rules",
        json!([
            [rule(json!(["get"]))],
            [rule(json!(["get", "list"]))],
            [rule(json!(["list", "get"])), rule(json!(["watch"]))],
            []
        ]),
    );
    out.push(metadata(role));
    let account = Kind::new("account", "v1", "ServiceAccount", json!({}))
        .with("/body/automountServiceAccountToken", json!([true, false]))
        .with("/body/imagePullSecrets", json!([[{"name": "a"}], [{"name": "b"}, {"name": "a"}], []]));
    out.push(metadata(account));
    let quota = Kind::new("quota", "v1", "ResourceQuota", json!({}))
        .with("/body/spec/hard/limits.cpu", json!(["1000", "1000000m", 1000, "2k"]))
        .with("/body/spec/hard/services", json!(["1000", "2000"]));
    out.push(quota);
    let range = Kind::new(
        "range",
        "v1",
        "LimitRange",
        json!({"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1000Gi"}}]}}),
    )
    .with("/body/spec/limits/0/max/storage", json!(["1000Gi", "1024000Mi", "1Ti"]))
    .with("/body/spec/limits/0/min", json!([{"storage": "1"}, {"storage": "1k"}, {}]));
    out.push(range);

    let anything = json!([1, 1.5, 1.0, "1", "1.10", "1.1", "", true, null, [], {}, [1, 2], [2, 1], [null], {"x": null}, {"x": {}}, {"x": [{"name": "a"}, {"name": "b"}]}, {"x": [{"name": "b"}, {"name": "a"}]},
        {"limits": {"cpu": "1"}}, {"limits": {"cpu": "1000m"}}, [{"name": "a", "v": 1}], [{"name": "a", "v": 2}, {"name": "a", "v": 3}]]);
    let gizmo = Kind::new("gizmo", "equal.example.com/v1", "Gizmo", json!({"spec": {}}))
        .with("/body/spec/a", anything.clone())
        .with("/body/spec/b", anything.clone())
        .with("/body/spec/sizeLimit", anything.clone())
        .with("/body/spec/emptyDir", anything)
        .with("/body/spec/version", json!(["1.10", "1.1", "01"]));
    out.push(metadata(gizmo.clone()));
    out.push(gizmo);
    let gadget = Kind::new("gadget", "equal.example.com/v1", "Gadget", json!({"spec": {}}))
        .with("/body/spec/interval", json!(["30s", "1m", ""]))
        .with("/body/spec/version", json!(["1.10", "1.1"]))
        .with("/body/spec/size", json!([1, "1", "1Gi", "1024Mi"]))
        .with("/body/spec/limit", json!([0, 1, null]))
        .with("/body/spec/selector", json!([{}, {"matchLabels": {"a": "1"}}, {"matchLabels": {"a": "1", "b": "2"}}, {"matchLabels": {}}]))
        .with("/body/spec/endpoints", json!([
            [{"port": "a"}], [{"port": "a", "path": "/x"}, {"port": "b"}], [{"port": "b"}, {"port": "a", "path": "/metrics"}], [{"port": "a", "scheme": ""}], []]))
        .with("/body/spec/tags", json!([["a"], ["a", "b"], ["b", "a"], []]))
        .with("/body/spec/rules", json!([
            [{"alert": "A", "for": "5m", "expr": "up"}], [{"alert": "A", "expr": "up"}], [{"alert": "A", "for": "5m", "expr": "up == 0"}, {"alert": "B"}],
            [{"alert": "B"}, {"alert": "A", "for": "5m", "expr": "up == 0"}], [{"alert": "A", "for": "1m"}, {"alert": "A", "for": "5m"}]]))
        .with("/body/spec/free", json!([{"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": null}, {"a": []}]));
    out.push(metadata(gadget.clone()));
    out.push(gadget);
    let sprocket = Kind::new("sprocket", "equal.example.com/v1", "Sprocket", json!({"spec": {}}))
        .with("/apiVersion", json!(["equal.example.com/v2"]))
        .with("/body/spec/a", json!([1, 2, 3]))
        .with("/body/spec/b", json!(["x", "bee"]))
        .with("/body/spec/limits", json!([{}, {"x": 5}, {"x": 9, "y": "low"}, {"y": "high"}]))
        .with("/body/spec/bounds", json!([{}, {"x": 5}, {"x": 1}]))
        .with("/body/spec/members", json!([[], ["q"], ["z"], ["z", "q"]]))
        .with(
            "/body/spec/parts",
            json!([[], [{"k": "d0"}], [{"k": "x"}], [{"k": "x", "v": 2}, {"k": "d0", "v": 1}]]),
        )
        .with(
            "/body/spec/items",
            json!([
            [], [{"port": 1}], [{"port": 1, "w": 4}], [{"port": 1, "proto": "UDP"}, {"port": 1}],
            [{"port": 1, "sub": [{"nm": "b"}]}], [{"port": 1, "sub": [{"nm": "b", "o": {}}]}],
            [{"port": 1, "sub": [{"nm": "b", "o": {"z": 2}}, {"nm": "c"}]}], [{"port": 1, "sub": []}]]),
        )
        .with("/body/spec/atoms", json!([[], [{"a": 1}], [{"d": 9}, {}]]))
        .with("/body/status", json!([{"phase": "new"}, {}, {"list": []}]));
    out.push(sprocket.clone());
    out.push(sprocket);
    out
}
