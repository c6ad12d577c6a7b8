//! The shop of examples/fastapi with its PostgreSQL and Redis, who visits it, and what Prometheus says.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::env::Env;

/// The shop in the test's namespace, which is made. The stack may come afterwards.
pub(crate) fn deploy(env: &Env) {
    env.make_namespace();
    let credentials = ["postgres", "postgres-exporter", "redis"]
        .map(|key| format!("--from-literal={key}=t{}", std::process::id()));
    let mut create = vec!["create", "secret", "generic", "shop-credentials"];
    create.extend(credentials.iter().map(String::as_str));
    env.kubectl(create).run().ok();
    apply(env, "shop");
    for what in ["statefulset/postgres", "deployment/shop"] {
        ready(env, what);
    }
}

/// Objects of one of the folders in `manifests`.
fn apply(env: &Env, folder: &str) {
    let folder = format!("{}/examples/fastapi/manifests/{folder}", env!("CARGO_MANIFEST_DIR"));
    let all = env.kubectl(["kustomize", &folder]).run().ok().stdout;
    for manifest in all.split("\n---\n").filter(|text| !text.contains("kind: Namespace\n")) {
        env.apply(&manifest.replace("namespace: shop", &format!("namespace: {}", env.namespace())));
    }
}

fn ready(env: &Env, what: &str) {
    env.kubectl(["rollout", "status", what, "--timeout=180s"]).deadline(Duration::from_secs(200)).run().ok();
}

/// Values of the stack that look at it and its databases, twice each, and at a second app.
pub(crate) fn values(env: &Env) -> Value {
    let here = env.namespace();
    let database = |name: &str| {
        json!({"name": name, "host": format!("postgres.{here}.svc"), "username": "exporter", "database": "shop", "sslmode": "disable",
            "secret": {"name": "shop-credentials", "passwordKey": "postgres-exporter"}, "statStatements": true})
    };
    let cache = |name: &str| json!({"name": name, "host": format!("redis.{here}.svc"), "secret": {"name": "shop-credentials", "passwordKey": "redis"}});
    json!({
        "scrape": {"interval": "5s", "timeout": "4s", "evaluationInterval": "5s"},
        "apps": [
            {"name": "shop", "namespace": here, "selector": {"app.kubernetes.io/name": "shop"}, "port": 8000, "preset": "fastapi",
                "slo": {"availability": 99.9, "latency": {"quantile": 0.95, "threshold": 0.5}}},
            {"name": "metrics", "namespace": here, "selector": {"app.kubernetes.io/name": "prometheus"}, "port": 9090, "workload": "obs-prometheus",
                "metrics": {"requests": "prometheus_http_requests_total", "duration": "prometheus_http_request_duration_seconds",
                    "labels": {"path": "handler", "status": "code"}}},
        ],
        "postgresExporter": {"databases": [database("orders"), database("reports")]},
        "redisExporter": {"databases": [cache("cache"), cache("sessions")]},
        "blackboxExporter": {"probes": [
            {"name": "shop", "url": format!("http://shop.{here}.svc/healthz")},
            {"name": "metrics", "url": format!("http://obs-prometheus.{here}.svc:9090/-/healthy")},
        ]},
    })
}

/// A text as part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// `data` of an answer of Prometheus' API; null when it refuses.
pub(crate) fn api(env: &Env, path: &str) -> Value {
    let path =
        format!("/api/v1/namespaces/{}/services/obs-prometheus:9090/proxy/api/v1/{path}", env.namespace());
    let output = env.kubectl(["get", "--raw", &path]).run();
    if output.code == 0 { output.json()["data"].clone() } else { json!({"refused": output.stderr}) }
}

/// The one value of a query now.
pub(crate) fn number(env: &Env, query: &str) -> f64 {
    let answer = api(env, &format!("query?query={}", encoded(query)));
    answer["result"][0]["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1.0)
}
