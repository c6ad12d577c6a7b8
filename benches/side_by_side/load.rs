//! Bundles of objects that are quick to apply and cause no pods: the work is the tool's and the API
//! server's alone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Objects of one component: its templates may write 8 MiB.
const PER_COMPONENT: usize = 400;

/// What is in a small ConfigMap.
pub(crate) const SMALL: &str = "key: value\n";
/// What is in one that was changed.
pub(crate) const OTHER: &str = "key: other\n";

/// What a hundred objects weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Eight of 40 KiB, the others what they need.
    Mixed,
    /// Each as many bytes.
    Each(usize),
}

/// `n` objects, a multiple of 25: of each hundred 40 ConfigMaps, 20 Services, 16 ServiceAccounts, 12
/// Roles and 12 Deployments.
pub(crate) fn objects(n: usize, size: Size) -> Vec<Value> {
    assert_eq!(n % 25, 0, "a multiple of 25");
    let part = |of_a_hundred: usize| 0..of_a_hundred * n / 100;
    let large = text(40 * 1024);
    let mut objects = Vec::new();
    objects.extend(part(8).map(|i| config_map(&format!("large-{i}"), &large)));
    objects.extend(part(32).map(|i| config_map(&format!("small-{i}"), SMALL)));
    objects.extend(part(20).map(service));
    objects.extend(part(16).map(account));
    objects.extend(part(12).map(role));
    objects.extend(part(12).map(|i| deployment(i, 0)));
    if let Size::Each(bytes) = size {
        let text = text(bytes);
        for object in &mut objects {
            match object["kind"].as_str() {
                Some("ConfigMap") => object["data"]["file.yaml"] = json!(text),
                _ => object["metadata"]["annotations"] = json!({ "bench/text": text }),
            }
        }
    }
    assert_eq!(objects.len(), n);
    objects
}

/// One workload that is not ready before somebody says so.
pub(crate) fn workload() -> Vec<Value> {
    vec![deployment(0, 1)]
}

/// The same objects, one of them with other content.
pub(crate) fn one_changed(objects: &[Value]) -> Vec<Value> {
    let mut objects = objects.to_vec();
    let small = objects.iter_mut().find(|object| object["data"]["file.yaml"] == SMALL);
    small.expect("a small ConfigMap")["data"]["file.yaml"] = json!(OTHER);
    objects
}

/// The same objects, each with another annotation.
pub(crate) fn all_changed(objects: &[Value]) -> Vec<Value> {
    let mut objects = objects.to_vec();
    for object in &mut objects {
        object["metadata"]["annotations"]["bench/round"] = json!("2");
    }
    objects
}

/// Writes a bundle into `folder`: one component, or an umbrella over several where one is not
/// enough.
pub(crate) fn write(folder: &Path, objects: &[Value]) {
    if objects.len() <= PER_COMPONENT {
        return component(folder, "load", objects);
    }
    let mut components = String::new();
    for (i, part) in objects.chunks(PER_COMPONENT).enumerate() {
        let name = format!("part-{i}");
        component(&folder.with_file_name(&name), &name, part);
        components.push_str(&format!("  - {{name: {name}, version: \"^1.0\"}}\n"));
    }
    component(folder, "load", &[]);
    let file = folder.join("bundle.yaml");
    let text = fs::read_to_string(&file).expect("read the bundle");
    fs::write(file, format!("{text}components:\n{components}")).expect("write the bundle");
}

fn component(folder: &Path, name: &str, objects: &[Value]) {
    let templates = folder.join("templates");
    fs::create_dir_all(&templates).expect("make the bundle's folder");
    let file = |path: &str, text: &str| fs::write(folder.join(path), text).expect("write the bundle");
    file(
        "bundle.yaml",
        &format!(
            "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: {name}\nversion: 1.0.0\n\
             description: Objects for the benchmark\n"
        ),
    );
    file("values.yaml", "{}\n");
    file(
        "values.schema.json",
        r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}, "additionalProperties": false}"#,
    );
    for (i, object) in objects.iter().enumerate() {
        // JSON is YAML; an expression brings its own quotes.
        let text = serde_json::to_string_pretty(object).expect("an object is JSON");
        let text = text.replace("\"${{", "${{").replace("}}\"", "}}");
        file(&format!("templates/{i:04}.yaml"), &(text + "\n"));
    }
}

/// Lines as in a dashboard or a file of rules: Secrets and records compress them by a tenth.
fn text(bytes: usize) -> String {
    let line =
        |i: usize| format!("{i:04} expr: sum by (job, instance) (rate(http_requests_total[{i}m])) > 0\n");
    (0..)
        .map(line)
        .scan(0, |size, line| {
            *size += line.len();
            (*size <= bytes).then_some(line)
        })
        .collect()
}

fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let name = format!("${{{{ name ~ '-{name}' }}}}");
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    let (Value::Object(object_map), Value::Object(rest)) = (&mut object, rest) else {
        panic!("both are maps")
    };
    object_map.extend(rest);
    object
}

fn config_map(name: &str, text: &str) -> Value {
    object("v1", "ConfigMap", name, json!({"data": {"file.yaml": text}}))
}

fn service(i: usize) -> Value {
    let spec = json!({
        "type": "ClusterIP",
        "selector": "${{ selector }}",
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
    });
    object("v1", "Service", &format!("service-{i}"), json!({"spec": spec}))
}

fn account(i: usize) -> Value {
    object("v1", "ServiceAccount", &format!("account-{i}"), json!({"automountServiceAccountToken": false}))
}

fn role(i: usize) -> Value {
    let rules = json!([{"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}]);
    object("rbac.authorization.k8s.io/v1", "Role", &format!("role-{i}"), json!({"rules": rules}))
}

fn deployment(i: usize, replicas: u32) -> Value {
    let container = json!({
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "NUMBER", "value": i.to_string()}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
    });
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": "${{ selector }}"},
        "template": {
            "spec": {
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container],
            },
        },
    });
    object("apps/v1", "Deployment", &format!("deployment-{i}"), json!({"spec": spec}))
}
