//! Health checks against running pods: what they ask, and what an upgrade does that does not pass
//! them.

use std::time::Duration;

use libtest_mimic::Trial;

use super::components::{CONTAINER, deployment};
use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::process::Output;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("health::an_upgrade_that_does_not_answer_is_rolled_back", rolled_back),
        trial::node("health::a_query_decides", a_query_decides),
        trial::node("health::what_was_seen_before_a_change_proves_nothing", seen_before),
        trial::node("health::a_refused_configuration_ends_it_at_once", refused),
    ]
}

/// A web server that answers `/status.json` with what the values say.
fn page(env: &Env) -> String {
    let server = deployment(&format!(
        "      volumes: [{{name: page, configMap: {{name: ${{{{ name }}}} }} }}]
      containers:{CONTAINER}          command: [httpd, -f, -p, '8080', -h, /page]
          ports: [{{name: web, containerPort: 8080}}]
          readinessProbe: {{tcpSocket: {{port: web}}, periodSeconds: 1}}
          volumeMounts: [{{name: page, mountPath: /page}}]
"
    ));
    let objects = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: ${{{{ name }}}} }}
data: {{status.json: ${{{{ values.answer }}}} }}
---
{server}"
    );
    let health = "health:
  - name: the page answers
    deadline: 5s
    http: {path: /status.json, port: web, status: 200, json: body.ok}
  - name: the page is at its place
    deadline: ${{ values.deadline }}
    http: {path: '${{ values.path }}', port: 8080}";
    let values = "answer: '{\"ok\": true}'\npath: /status.json\ndeadline: 5s\n";
    env.bundle("page", "1.0.0", health, &[("values.yaml", values), ("templates/all.yaml", &objects)])
}

fn rolled_back(env: &Env) {
    let page = page(env);
    env.obs(["install", &page, "--timeout=2m"]).run().ok();
    let answer =
        |env: &Env| env.get("configmap obs-page").expect("it is there")["data"]["status.json"].clone();

    let args = ["upgrade", "-y", "--timeout=2m", "--set-literal", "answer={\"ok\": false}"];
    let failed = env.obs(args).arg("--rollback-on-failure").run().ends(1);
    for part in [
        "the page answers: /status.json answers, but body.ok does not hold",
        "rolled back: revision 3 has the content of revision 1",
    ] {
        assert!(failed.stderr.contains(part), "{part} is missing in {failed}");
    }
    assert_eq!(newest(env), (3, "deployed".into()));
    assert_eq!(answer(env), "{\"ok\": true}");

    // without the flag it stays as it is, and the next command goes on from there
    let failed = env.obs(["upgrade", "-y", "--timeout=2m", "--set", "path=/nowhere"]).run().ends(1);
    assert!(failed.stderr.contains("/nowhere answers 404 instead of 200"), "{failed}");
    assert_eq!(newest(env), (4, "failed".into()));
    env.obs(["upgrade", "-y", "--timeout=2m", "--set", "path=/nowhere", "--wait=ready"]).run().ok();
    // the time of the whole operation is shorter than that of the check
    let late =
        env.obs(["upgrade", "-y", "--timeout=8s", "--set", "path=/elsewhere,deadline=3m"]).run().ends(7);
    assert!(late.took < Duration::from_secs(20), "{late}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn a_query_decides(env: &Env) {
    let config = "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: [localhost:9090]}]}]\n";
    let server = deployment(&format!(
        "      volumes: [{{name: config, configMap: {{name: ${{{{ name }}}} }} }}, {{name: data, emptyDir: {{}} }}]
      containers:{}          args: [--config.file=/config/prometheus.yml, --storage.tsdb.path=/data]
          readinessProbe: {{httpGet: {{path: /-/ready, port: 9090}}, periodSeconds: 1}}
          volumeMounts: [{{name: config, mountPath: /config}}, {{name: data, mountPath: /data}}]
",
        CONTAINER.replace("docker.io/library/busybox:1.36", "quay.io/prometheus/prometheus:v3.15.0")
    ));
    let objects = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: ${{{{ name }}}} }}
data: {{prometheus.yml: ${{{{ files[\"prometheus.yml\"] }}}} }}
---
{server}"
    );
    let health = "health:
  - name: it scrapes itself
    deadline: 20s
    promql: {query: 'up{job=\"self\"}', expect: '== 1'}
  - name: as many as wanted
    deadline: ${{ values.patience }}
    promql: {query: 'count(up)', expect: '${{ values.expect }}'}";
    let files = [
        ("values.yaml", "expect: '>= 1'\npatience: 30s\n"),
        ("files/prometheus.yml", config),
        ("templates/all.yaml", &objects),
    ];
    let bundle = env.bundle("prometheus", "1.0.0", health, &files);
    let installed = env.obs(["install", &bundle, "--timeout=2m", "--progress=plain"]).run().ok();
    assert!(installed.stderr.contains("2 of 2 checks pass"), "{installed}");
    let failed = env.obs(["upgrade", "-y", "--timeout=1m", "--set", "expect=>= 3,patience=2s"]).run().ends(1);
    assert!(failed.stderr.contains("as many as wanted: the query gives 1, expected >= 3"), "{failed}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

/// The stack without what a node has once.
const SHARED: &str = "nodeExporter.enabled=false";

/// Seconds that a phase took, from `--events=json`.
fn seconds(output: &Output, phase: &str) -> f64 {
    let events = output.json_lines();
    let done = events.iter().find(|event| event["type"] == "phase-done" && event["phase"] == phase);
    done.and_then(|event| event["seconds"].as_f64()).unwrap_or_else(|| panic!("no {phase} in {output}"))
}

/// What was awaited for the stack to be healthy.
fn awaited(output: &Output) -> String {
    let events = output.json_lines();
    let awaited = events.iter().filter(|event| event["type"] == "awaiting" && event["phase"] == "healthy");
    awaited.filter_map(|event| event["what"].as_str()).collect::<Vec<_>>().join("\n")
}

fn seen_before(env: &Env) {
    let installed = env
        .obs(["install", "--timeout=4m", "--events=json", "--set", SHARED, "--set", "grafana.enabled=false"])
        .run()
        .ok();
    let healthy = seconds(&installed, "healthy");
    assert!(healthy < 20.0, "healthy {healthy} s after its pods were ready: {installed}");

    // nothing changed, and nothing is waited for
    let unchanged = env.obs(["upgrade"]).run().ok();
    assert!(unchanged.took < Duration::from_secs(5), "{unchanged}");

    // one component changed: its target is scraped once more, and no other has to be
    let upgrade = ["upgrade", "-y", "--timeout=3m", "--events=json"];
    let one = env.obs(upgrade).args(["--set", "kubeStateMetrics.resources.limits.memory=300Mi"]).run().ok();
    assert!(seconds(&one, "healthy") < 20.0, "{one}");
    for other in ["awaited: kubelet", "awaited: prometheus", "awaited: kube-apiserver"] {
        assert!(!awaited(&one).contains(other), "{other}: {one}");
    }
    // a changed configuration that has nothing to do with scrapes: nobody waits for one
    let time = env.obs(upgrade).args(["--set", "prometheus.retention.time=20d"]).run().ok();
    assert!(seconds(&time, "healthy") < 3.0, "{time}");

    // from now on every large scrape fails
    let limited = ["upgrade", "-y", "--timeout=4m", "--set", "prometheus.jobs.limits.samples=10"];
    let failed = env.obs(limited).run().ends(1);
    for part in [
        "the stack is ready but not healthy: 4 of 6 targets went down since the change",
        "kubelet-cadvisor",
        "kube-apiserver",
        "(pod obs-kube-state-metrics-",
        ": sample limit exceeded",
    ] {
        assert!(failed.stderr.contains(part), "{part} is missing in {failed}");
    }
    assert!(failed.took < Duration::from_secs(60), "{failed}");
    let status = env.obs(["status"]).run().ok();
    assert!(status.stdout.contains("\nnot healthy: 2 of 6 targets up; "), "{status}");
    assert!(status.stdout.contains(": sample limit exceeded"), "{status}");
    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    assert_eq!(status["health"]["up"], 2, "{status}");
    assert_eq!(status["health"]["down"][0]["error"], "sample limit exceeded", "{status}");

    let back = env.obs(["rollback", "-y", "--timeout=4m"]).run().ok();
    assert!(back.stderr.contains("6 of 6 targets up"), "{back}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

const WRONG: &str = r#"prometheus.extraScrapeConfigs=[{"job_name":"x","scrape_intervall":"10s"}]"#;
const RIGHT: &str = "prometheus.extraScrapeConfigs=[]";
const WORDS: &str = "field scrape_intervall not found in type config.ScrapeConfig";

fn refused(env: &Env) {
    let install = ["install", "--timeout=4m", "--wait=ready", "--set", SHARED];
    // at its first start
    let crashed = env.obs(install).args(["--set-json", WRONG]).run().ends(1);
    is_refused(&crashed, "does not start with it");
    assert!(crashed.took < Duration::from_secs(45), "{crashed}");
    env.obs(["upgrade", "-y", "--timeout=4m", "--set-json", RIGHT]).run().ok();

    // by one that runs: it goes on with what it has
    let upgrade = ["upgrade", "-y", "--timeout=4m"];
    let failed = env.obs(upgrade).args(["--set-json", WRONG]).run().ends(1);
    is_refused(&failed, "goes on with the configuration before");
    // the same command has nothing to apply, and is not told that all is well
    is_refused(&env.obs(upgrade).args(["--set-json", WRONG]).run().ends(1), WORDS);
    let repaired = env.obs(upgrade).args(["--set-json", RIGHT]).run().ok();
    assert!(repaired.took < Duration::from_secs(60), "{repaired}");

    // undone: what Prometheus has loaded already is loaded again, and it says that all is well
    let undone = env.obs(upgrade).args(["--set-json", WRONG, "--rollback-on-failure"]).run().ends(1);
    is_refused(&undone, "rolled back: revision ");
    assert!(undone.took < Duration::from_secs(60), "{undone}");
    assert_eq!(newest(env).1, "deployed");
    let path = format!("/api/v1/namespaces/{}/pods/obs-prometheus-0:9090/proxy/metrics", env.namespace());
    let metrics = env.kubectl(["get", "--raw", &path]).run().ok();
    assert!(metrics.stdout.contains("\nprometheus_config_last_reload_successful 1\n"), "{undone}");

    // what is asked for is what status shows, also where it cannot run
    env.obs(["upgrade", "-y", "--wait=none", "--set", "prometheus.image.tag=v3.99.0"]).run().ok();
    let status = env.obs(["status"]).run().ok();
    let row = status.stdout.lines().find(|line| line.starts_with("prometheus "));
    assert!(row.is_some_and(|row| row.contains(" v3.99.0 ")), "{status}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn is_refused(output: &Output, more: &str) {
    let value = "it comes from the value prometheus.extraScrapeConfigs[0]";
    for part in ["prometheus refuses its configuration: line ", WORDS, value, more] {
        assert!(output.stderr.contains(part), "{part} is missing in {output}");
    }
}
