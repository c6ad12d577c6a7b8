//! The applications of the values on a real Prometheus, and what it could watch besides.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::node("apps::what_is_suggested_is_watched", suggested)]
}

/// An app that gets ten requests a second, which fail while there is a file `fails`; its metrics are
/// gone while there is a file `down`.
const ORDERS: &str = r#"
n=0; e=0
while true; do
  n=$((n+10)); [ -f /page/fails ] && e=$((e+10))
  if [ -f /page/down ]; then rm -f /page/metrics; else
    { echo "http_requests_total{path=\"/\",status=\"200\"} $((n-e))"
      echo "http_requests_total{path=\"/\",status=\"500\"} $e"
      for le in 0.1 0.5 +Inf; do echo "http_request_duration_seconds_bucket{path=\"/\",le=\"$le\"} $n"; done
      echo "http_request_duration_seconds_sum{path=\"/\"} $n"
      echo "http_request_duration_seconds_count{path=\"/\"} $n"; } > /page/new
    mv /page/new /page/metrics
  fi
  sleep 1
done & exec httpd -f -p 8080 -h /page"#;

/// A Deployment of one pod that runs a script; its port 8080 has this name.
pub(crate) fn deployment(name: &str, port: &str, annotations: &str, script: &str) -> String {
    let script = serde_json::to_string(script).expect("a text");
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}, annotations: {annotations}}}
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: {{runAsNonRoot: true, runAsUser: 65534, seccompProfile: {{type: RuntimeDefault}}}}
      volumes: [{{name: page, emptyDir: {{}}}}]
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sh, -c, {script}]
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
          ports: [{{name: {port}, containerPort: 8080}}]
          volumeMounts: [{{name: page, mountPath: /page}}]
"
    )
}

/// The values that watch the app `orders`, and one that is not there yet.
pub(crate) fn values(env: &Env) -> String {
    let namespace = env.namespace();
    format!(
        "apps:
  - name: orders
    namespace: {namespace}
    selector: {{app: orders}}
    port: http
    notify: {{team: shop}}
    slo: {{availability: 99}}
    alerts: {{highErrorRate: {{for: 1s}}, metricsAbsent: {{for: 1s}}, targetDown: {{enabled: false}}, errorBudget: {{enabled: false}}}}
  - {{name: later, namespace: {namespace}, selector: {{app: later}}, port: 80}}
"
    )
}

/// The app begins to run.
pub(crate) fn orders(env: &Env) {
    env.apply(&deployment("orders", "http", "{}", ORDERS));
    env.kubectl(["rollout", "status", "deployment/orders", "--timeout=60s"]).run().ok();
}

fn flag(env: &Env, name: &str, set: bool) {
    let command = if set { "touch" } else { "rm" };
    let file = format!("/page/{name}");
    env.kubectl(["exec", "deployment/orders", "--", command, file.as_str()]).run().ok();
}

/// All requests fail from now on, or none.
pub(crate) fn fails(env: &Env, fails: bool) {
    flag(env, "fails", fails);
}

/// It has no metrics from now on.
pub(crate) fn ends(env: &Env) {
    flag(env, "down", true);
}

/// It has metrics again.
pub(crate) fn begins(env: &Env) {
    flag(env, "down", false);
}

/// What of the test's own namespace is not scraped, by workload.
fn unwatched(env: &Env, list: &Value) -> Vec<(String, Value)> {
    let all = list["unwatched"].as_array().expect("a list").iter();
    let own = all.filter(|one| one["namespace"] == env.namespace());
    own.map(|one| (one["workload"].as_str().unwrap_or_default().to_owned(), one.clone())).collect()
}

fn suggested(env: &Env) {
    env.make_namespace();
    let page = "echo up_and_well 1 > /page/metrics; exec httpd -f -p 8080 -h /page";
    env.apply(&deployment("billing", "http-metrics", "{}", page));
    env.apply(&deployment(
        "wrong",
        "web",
        "{prometheus.io/scrape: \"True\", prometheus.io/port: \"8080\"}",
        page,
    ));
    env.apply(&deployment(
        "right",
        "web",
        "{prometheus.io/scrape: \"true\", prometheus.io/port: \"8080\"}",
        page,
    ));
    env.apply(&deployment("plain", "web", "{}", page));
    let parts = "kubeStateMetrics.enabled=false,nodeExporter.enabled=false,alertmanager.enabled=false";
    let fast =
        "scrape.interval=2s,scrape.timeout=1s,scrape.evaluationInterval=2s,prometheus.storage.enabled=false";
    env.obs(["install", "--timeout=4m", "--set", parts, "--set", fast]).run().ok();

    let names = |list: &Value| unwatched(env, list).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let list = eventually(Duration::from_secs(60), || {
        let list = env.obs(["apps", "-o", "json"]).run().ok().json();
        if names(&list) == ["billing", "wrong"] { Ok(list) } else { Err(list.to_string()) }
    });
    let wrong = &unwatched(env, &list)[1].1;
    assert_eq!(wrong["signs"][0], "annotation prometheus.io/scrape is \"True\"; only \"true\" counts");
    let shown = env.obs(["apps"]).run().ok();
    assert!(shown.stderr.contains("no application is named in the values"), "{shown}");
    let entry = format!(
        "apps: {{name: billing, namespace: {}, selector: {{app: billing}}, port: http-metrics}}",
        env.namespace()
    );
    assert!(shown.stdout.contains(&entry), "{shown}");

    // pasted as it is, it watches them
    let suggestion = env.obs(["apps", "suggest"]).run().ok();
    let file = env.write("more.yaml", &suggestion.stdout);
    env.obs(["upgrade", "--timeout=2m"]).arg("-f").arg(file).run().ok();
    eventually(Duration::from_secs(90), || {
        let list = env.obs(["apps", "-o", "json"]).run().ok().json();
        let up = |name: &str| {
            let mut apps = list["apps"].as_array().expect("apps").iter();
            apps.any(|app| app["name"] == name && app["namespace"] == env.namespace() && app["up"] == 1)
        };
        let well = up("billing") && up("wrong") && names(&list).is_empty();
        if well { Ok(()) } else { Err(list.to_string()) }
    });

    // without an Alertmanager Prometheus speaks alone
    eventually(Duration::from_secs(60), || {
        let alone = env.obs(["alerts"]).run().ok();
        let said = alone.stderr.contains("release obs has no alertmanager, so nobody is told");
        let fires = alone.stdout.lines().any(|line| line.starts_with("Watchdog") && line.contains("firing"));
        if said && fires && !alone.stdout.contains(" TO ") { Ok(()) } else { Err(alone.to_string()) }
    });
    let refused = env.obs(["alerts", "test"]).run().ends(1);
    assert!(refused.stderr.contains("release obs has no alertmanager"), "{refused}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}
