//! Health checks against running pods: what they ask, and what an upgrade does that does not pass
//! them.

use std::time::Duration;

use libtest_mimic::Trial;

use super::components::{CONTAINER, deployment};
use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("health::an_upgrade_that_does_not_answer_is_rolled_back", rolled_back),
        trial::node("health::a_query_decides", a_query_decides),
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

    let args = ["upgrade", "--timeout=2m", "--set-literal", "answer={\"ok\": false}"];
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
    let failed = env.obs(["upgrade", "--timeout=2m", "--set", "path=/nowhere"]).run().ends(1);
    assert!(failed.stderr.contains("/nowhere answers 404 instead of 200"), "{failed}");
    assert_eq!(newest(env), (4, "failed".into()));
    env.obs(["upgrade", "--timeout=2m", "--set", "path=/nowhere", "--wait=ready"]).run().ok();
    // the time of the whole operation is shorter than that of the check
    let late = env.obs(["upgrade", "--timeout=8s", "--set", "path=/elsewhere,deadline=3m"]).run().ends(7);
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
    let failed = env.obs(["upgrade", "--timeout=1m", "--set", "expect=>= 3,patience=2s"]).run().ends(1);
    assert!(failed.stderr.contains("as many as wanted: the query gives 1, expected >= 3"), "{failed}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}
