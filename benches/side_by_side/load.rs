//! A bundle of 100 objects that are quick to apply and cause no pods: the work is the tool's and the
//! API server's alone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Writes the bundle into `folder`.
pub(crate) fn write(folder: &Path) {
    let templates = folder.join("templates");
    fs::create_dir_all(&templates).expect("make the bundle's folder");
    let file = |path: &str, text: &str| fs::write(folder.join(path), text).expect("write the bundle");
    file(
        "bundle.yaml",
        "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: load\nversion: 1.0.0\n\
         description: A hundred objects for the benchmark\n",
    );
    file("values.yaml", "{}\n");
    file(
        "values.schema.json",
        r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}, "additionalProperties": false}"#,
    );
    let objects = objects();
    assert_eq!(objects.len(), 100);
    for (i, object) in objects.iter().enumerate() {
        // JSON is YAML; an expression brings its own quotes.
        let text = serde_json::to_string_pretty(object).expect("an object is JSON");
        let text = text.replace("\"${{", "${{").replace("}}\"", "}}");
        file(&format!("templates/{i:03}.yaml"), &(text + "\n"));
    }
}

fn objects() -> Vec<Value> {
    // Lines as in a dashboard or a file of rules: Secrets and records compress them by a tenth.
    let line =
        |i: usize| format!("{i:04} expr: sum by (job, instance) (rate(http_requests_total[{i}m])) > 0\n");
    let large: String = (0..)
        .map(line)
        .scan(0, |size, line| {
            *size += line.len();
            (*size <= 40 * 1024).then_some(line)
        })
        .collect();
    let mut objects = Vec::new();
    objects.extend((0..8).map(|i| config_map(&format!("large-{i}"), &large)));
    objects.extend((0..32).map(|i| config_map(&format!("small-{i}"), "key: value\n")));
    objects.extend((0..20).map(service));
    objects.extend((0..16).map(|i| {
        object(
            "v1",
            "ServiceAccount",
            &format!("account-{i}"),
            json!({"automountServiceAccountToken": false}),
        )
    }));
    objects.extend((0..12).map(role));
    objects.extend((0..12).map(deployment));
    objects
}

fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let name = format!("${{{{ release.name ~ '-load-{name}' }}}}");
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

fn role(i: usize) -> Value {
    let rules = json!([{"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}]);
    object("rbac.authorization.k8s.io/v1", "Role", &format!("role-{i}"), json!({"rules": rules}))
}

fn deployment(i: usize) -> Value {
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
        "replicas": 0,
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
