//! The embedded stack on a real node: it arrives, and what it promises is there.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use super::install::traces;
use super::terminal::on_terminal;
use crate::support::env::{Env, eventually};
use crate::support::{readme, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("stack::it_arrives_and_goes", it_arrives_and_goes),
        trial::node("stack::a_component_installs_alone", a_component_alone),
        trial::node("stack::a_crash_is_explained", a_crash_is_explained),
        trial::node("stack::a_wrong_image_fails_fast", a_wrong_image_fails_fast),
        trial::node("stack::ctrl_c_ends_in_good_order", ctrl_c_ends_in_good_order),
    ]
}

/// The release of somebody else on this cluster that works on the nodes, if there is one: then the
/// test's own stack must leave the nodes alone, and be told so first.
fn other_on_the_nodes(env: &Env) -> bool {
    let sets = env.list("daemonsets --all-namespaces --selector=kubectl-obs.dev/node-level=true");
    sets.iter().any(|set| set["metadata"]["labels"]["kubectl-obs.dev/release-namespace"] != env.namespace())
}

fn query(env: &Env, promql: &str) -> Vec<Value> {
    let encoded: String = promql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!(
        "/api/v1/namespaces/{}/services/obs-prometheus:9090/proxy/api/v1/query?query={encoded}",
        env.namespace()
    );
    let output = env.kubectl(["get", "--raw", &path]).run();
    if output.code != 0 {
        return Vec::new();
    }
    output.json()["data"]["result"].as_array().cloned().unwrap_or_default()
}

fn it_arrives_and_goes(env: &Env) {
    let _node = env.alone_with_the_node();
    let fast = ["--set", "scrape.interval=5s,scrape.timeout=4s"];
    let mut install = vec!["install", "--timeout=5m"];
    if !readme::is_updated() {
        install.extend(fast);
    }
    let shared = other_on_the_nodes(env);
    if shared {
        let refused = env.obs(install.clone()).run();
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stderr.contains("already runs node-exporter on the nodes"), "{refused}");
        gone(env);
        install.extend(["--set", "nodeExporter.enabled=false"]);
    }
    let installed = on_screen(env, &install, 0);
    assert!(installed.contains("release obs is deployed (revision 1)"), "{installed}");
    if !shared {
        let status = on_screen(env, &["status"], 0);
        let text = format!("$ kubectl obs install\n{installed}\n\n$ kubectl obs status\n{status}");
        readme::shows("install", &text);
    }

    let status = env.obs(["status", "-o", "json"]).run().ok().json();
    let components = status["components"].as_array().expect("components");
    assert_eq!(components.len(), if shared { 4 } else { 5 }, "{status}");
    assert!(components.iter().all(|c| c["state"] == "ready"), "{status}");

    eventually(Duration::from_secs(120), || {
        let down = query(env, "up == 0");
        let up = query(env, "up == 1");
        if up.len() >= 5 && down.is_empty() {
            Ok(())
        } else {
            Err(format!("{} up, down: {down:?}", up.len()))
        }
    });
    for promql in [
        "container_cpu_usage_seconds_total{container!=\"\"}",
        "kube_pod_info",
        "kubelet_volume_stats_used_bytes",
    ] {
        eventually(Duration::from_secs(150), || {
            if query(env, promql).is_empty() { Err(format!("no data: {promql}")) } else { Ok(()) }
        });
    }

    a_changed_configuration_is_reloaded(env);

    // data stays unless told otherwise, and the next install takes it over
    env.obs(["uninstall", "-y"]).run().ok();
    let claims = env.list("persistentvolumeclaims");
    assert_eq!(claims.len(), 3, "prometheus, alertmanager and grafana keep theirs: {claims:?}");
    assert!(env.list("pods").is_empty(), "pods are gone when uninstall ends");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    gone(env);
}

/// What a person sees at the end who has a wide terminal, as if it were their namespace.
fn on_screen(env: &Env, args: &[&str], code: i32) -> String {
    let mut run = on_terminal(env, args, 160, 50);
    run.ends(code);
    run.text().join("\n").replace(env.namespace(), "observability")
}

/// No restart, and at the end of the upgrade the new configuration is what Prometheus serves.
fn a_changed_configuration_is_reloaded(env: &Env) {
    let pod = |env: &Env| env.get("pod obs-prometheus-0").expect("it is there")["metadata"]["uid"].clone();
    let before = pod(env);
    let args = ["upgrade", "-y", "--wait=ready", "--timeout=4m", "--set", "prometheus.retention.time=20d"];
    let output = env.obs(args).run().ok();
    let path = format!(
        "/api/v1/namespaces/{}/services/obs-prometheus:9090/proxy/api/v1/status/config",
        env.namespace()
    );
    let served = env.kubectl(["get", "--raw", &path]).run().ok();
    assert!(served.stdout.contains("time: 20d"), "{output}\n{served}");
    assert_eq!(pod(env), before, "nothing is restarted");
}

/// Waits until nothing of the test's release is left.
fn gone(env: &Env) {
    eventually(Duration::from_secs(60), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn a_component_alone(env: &Env) {
    let output = env.obs(["install", "kube-state-metrics", "--timeout=3m", "--events=json"]).run().ok();
    let events: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("one event a line")).collect();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"started"), "{output}");
    assert!(types.contains(&"component"), "{output}");
    assert!(!types.contains(&"usual"), "nobody knows yet: {output}");
    assert!(output.stderr.is_empty(), "{output}");
    // what it took is what is usual the next time
    let again = ["upgrade", "-y", "--timeout=3m", "--events=json", "--set", "resources.limits.memory=300Mi"];
    let output = env.obs(again).run().ok();
    let usual =
        output.stdout.lines().position(|line| line.contains(r#""type":"usual","name":"kube-state-metrics""#));
    let first = output.stdout.lines().position(|line| line.contains(r#""type":"component""#));
    assert!(usual.is_some() && usual < first, "{output}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn crashing(env: &Env, container: &str) -> String {
    let bundle = env.write(
        "crash/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: crash, version: 1.0.0, description: fails}",
    );
    env.write("crash/values.yaml", "{}\n");
    env.write(
        "crash/templates/deployment.yaml",
        &format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: '${{{{name}}}}'}}\nspec:\n  \
             selector: {{matchLabels: '${{{{selector}}}}'}}\n  template:\n    metadata: {{labels: '${{{{selector}}}}'}}\n    \
             spec:\n      terminationGracePeriodSeconds: 1\n      securityContext: {{runAsNonRoot: true, runAsUser: 65534, seccompProfile: {{type: RuntimeDefault}}}}\n      \
             containers:\n        - name: main\n          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}\n          {container}\n"
        )
        .replace("'${{", "${{")
        .replace("}}'", "}}"),
    );
    bundle.parent().expect("a folder").display().to_string()
}

fn a_crash_is_explained(env: &Env) {
    let folder = crashing(
        env,
        "image: docker.io/library/busybox:1.36\n          command: [sh, -c, 'echo cannot open the config; exit 3']\n          \
         readinessProbe: {exec: {command: ['false']}, periodSeconds: 1}",
    );
    let seen = on_screen(env, &["install", &folder, "--timeout=25s"], 7);
    assert!(seen.contains("crash is not ready: container main crashes"), "{seen}");
    assert!(seen.contains("exit code 3"), "{seen}");
    assert!(seen.contains("cannot open the config"), "its last words: {seen}");
    let end: Vec<&str> = seen.lines().skip_while(|line| !line.starts_with('✘')).collect();
    readme::shows("crash", &end.join("\n"));
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    assert_eq!(list["items"][0]["status"], "failed", "{list}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn a_wrong_image_fails_fast(env: &Env) {
    let folder = crashing(env, "image: 'docker.io/library/busybox:no such tag'");
    let output = env.obs(["install", &folder, "--timeout=2m", "--progress=plain"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.took < Duration::from_secs(40), "{output}");
    assert!(output.stderr.contains("busybox:no such tag"), "{output}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn ctrl_c_ends_in_good_order(env: &Env) {
    let folder = crashing(
        env,
        "image: docker.io/library/busybox:1.36\n          command: [sleep, '3600']\n          \
         readinessProbe: {exec: {command: ['false']}, periodSeconds: 1}",
    );
    let mut running = env.obs(["install", &folder, "--timeout=2m", "--progress=plain"]).start();
    running.says("applied");
    running.interrupt();
    let output = running.wait();
    assert_eq!(output.code, 130, "{output}");
    assert!(output.took < Duration::from_secs(60), "{output}");
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    assert_eq!(list["items"][0]["status"], "failed", "{list}");
    assert_eq!(list["items"][0]["description"], "interrupted", "{list}");
    assert!(env.get("lease obs.obs").is_none(), "the lock is free");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}
