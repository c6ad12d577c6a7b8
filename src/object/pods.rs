//! The pods that a workload makes: where their template stands in it, and what they name. Pure JSON,
//! so that what is configured, what restarts and what would be missing is read in one way.

use serde_json::Value;

/// Where the pod template of a workload stands; None for kinds without one.
pub fn template_at(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            Some("/spec/template")
        }
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        ("", "ReplicationController") => Some("/spec/template"),
        _ => None,
    }
}

/// An object that a pod names; it is in the pod's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'v> {
    /// `ConfigMap`, `Secret`, `PersistentVolumeClaim` or `ServiceAccount`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'v str,
    /// The keys that the pod needs in it.
    pub keys: Vec<&'v str>,
    /// Does the pod start without it?
    pub optional: bool,
}

/// What a pod with this spec names, in the order of the spec; what is named twice comes twice.
pub fn references(spec: &Value) -> Vec<Reference<'_>> {
    let mut found = Found(Vec::new());
    found.add("ServiceAccount", spec, "serviceAccountName");
    for volume in items(&spec["volumes"]) {
        found.add("PersistentVolumeClaim", &volume["persistentVolumeClaim"], "claimName");
        found.add("ConfigMap", &volume["configMap"], "name");
        found.add("Secret", &volume["secret"], "secretName");
        for source in items(&volume["projected"]["sources"]) {
            found.add("ConfigMap", &source["configMap"], "name");
            found.add("Secret", &source["secret"], "name");
        }
    }
    for container in items(&spec["initContainers"]).chain(items(&spec["containers"])) {
        for variable in items(&container["env"]) {
            found.add("ConfigMap", &variable["valueFrom"]["configMapKeyRef"], "name");
            found.add("Secret", &variable["valueFrom"]["secretKeyRef"], "name");
        }
        for source in items(&container["envFrom"]) {
            found.add("ConfigMap", &source["configMapRef"], "name");
            found.add("Secret", &source["secretRef"], "name");
        }
    }
    found.0
}

struct Found<'v>(Vec<Reference<'v>>);

impl<'v> Found<'v> {
    fn add(&mut self, kind: &'static str, source: &'v Value, field: &str) {
        let optional = source["optional"] == true;
        // of a variable one, of a volume those that it mounts by name
        let keys = items(&source["items"]).map(|item| &item["key"]).chain([&source["key"]]);
        let keys: Vec<&str> = keys.filter_map(Value::as_str).collect();
        self.0.extend(source[field].as_str().map(|name| Reference { kind, name, keys, optional }));
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_that_a_pod_names() {
        let spec = json!({
            "serviceAccountName": "account",
            "volumes": [
                {"persistentVolumeClaim": {"claimName": "claim"}},
                {"secret": {"secretName": "mounted", "optional": true, "items": [{"key": "a"}, {"key": "b"}]}},
                {"projected": {"sources": [{"configMap": {"name": "projected"}}, {"serviceAccountToken": {}}]}},
            ],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "all"}}]}],
            "containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "one", "key": "k"}}}, {"value": "x"}]}],
        });
        let found: Vec<_> = references(&spec).iter().map(|r| (r.kind, r.name, r.optional)).collect();
        let expected = [
            ("ServiceAccount", "account", false),
            ("PersistentVolumeClaim", "claim", false),
            ("Secret", "mounted", true),
            ("ConfigMap", "projected", false),
            ("Secret", "all", false),
            ("ConfigMap", "one", false),
        ];
        assert_eq!(found, expected);
        let keys: Vec<_> =
            references(&spec).into_iter().map(|r| r.keys).filter(|keys| !keys.is_empty()).collect();
        assert_eq!(keys, [vec!["a", "b"], vec!["k"]]);
        assert_eq!(references(&Value::Null), []);
    }
}
