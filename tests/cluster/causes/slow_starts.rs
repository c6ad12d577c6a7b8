//! Starts that look bad for a while and end well: none of them may end the wait early.

use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use super::table::{Row, bundle, row};
use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::node("causes::a_slow_start_is_no_false_alarm", slow_starts)]
}

fn slow_starts(env: &Env) {
    env.make_namespace();
    env.apply(&before());
    eventually(Duration::from_secs(60), || {
        let holder = env.get("pod holder").expect("it was applied");
        if holder["status"]["phase"] == "Running" { Ok(()) } else { Err(holder["status"].to_string()) }
    });
    let rows: Vec<Row> = [slow(), failing_at_first(), waiting_for_others()].into_iter().flatten().collect();
    assert!(rows.len() >= 20, "{} slow starts", rows.len());
    let table = bundle(env, &rows);
    let mut install =
        env.obs(["install", &table, "--wait=ready", "--timeout=3m", "--progress=plain"]).start();
    install.says("applied");
    somebody_else(env);
    install.wait().ok();

    // an old pod that takes its time keeps its successor waiting
    let changed = slow_stop("{env: [{name: CHANGED, value: 'yes'}]");
    env.bundle_in("slow-stop", "slow-stop", "1.0.0", "", &[("templates/all.yaml", &changed.template())]);
    env.obs(["upgrade", &table, "--wait=ready", "--timeout=2m", "--progress=plain"]).run().ok();
}

/// A port of the node that no other run of the tests uses.
fn port() -> u32 {
    30_000 + std::process::id() % 10_000
}

/// Holds the port for a while; and a quota that lets one pod of its kind run at a time.
fn before() -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: holder}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: docker.io/library/busybox:1.36
      command: [sleep, '25']
      ports: [{{containerPort: 80, hostPort: {}}}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {{name: one-by-one}}
spec: {{scopes: [Terminating], hard: {{pods: '1'}} }}
",
        port()
    )
}

/// Brings what pods wait for, when they have begun to miss it.
fn somebody_else(env: &Env) {
    thread::sleep(Duration::from_secs(1));
    env.apply(
        "apiVersion: v1
kind: ConfigMap
metadata: {name: late}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: late}
stringData: {a: b}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: late}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: late}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi}}}
",
    );
    let gated = eventually(Duration::from_secs(60), || {
        let pods = env.list("pods --selector=kubectl-obs.dev/component=gated");
        let name = pods.first().and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned));
        name.ok_or_else(|| "no pod yet".to_owned())
    });
    let open = r#"[{"op": "remove", "path": "/spec/schedulingGates"}]"#;
    env.kubectl(["patch", "pod", &gated, "--type=json", "--patch", open]).run().ok();
}

fn sh(script: &str) -> String {
    format!("command: [sh, -c, '{script}']")
}

/// Fails so often before it does what it should, over restarts of the container or the pod.
fn at_last(failures: u32, fails: &str, then: &str) -> String {
    let script = format!(
        "n=$(cat /tries/n || echo 0); echo $((n+1)) > /tries/n; if [ $n -lt {failures} ]; then {fails}; fi; {then}"
    );
    format!("{}, volumeMounts: [{{name: tries, mountPath: /tries}}]", sh(&script))
}

const TRIES: &str = "volumes: [{name: tries, emptyDir: {}}]";
const PREPARE: &str = "name: prepare, image: 'docker.io/library/busybox:1.36'";

fn slow() -> Vec<Row> {
    let ready = "readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 2}";
    let late = |seconds: u32| {
        format!("{{{}, {ready}}}", sh(&format!("sleep {seconds}; touch /tmp/ready; exec sleep 3600")))
    };
    let up = "startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 120}";
    let serves = |seconds: u32| sh(&format!("sleep {seconds}; exec httpd -f -p 8080"));
    vec![
        row("slow-init", "{}").pod(format!("{{initContainers: [{{{PREPARE}, command: [sleep, '15']}}]}}")),
        row("slow-startup", format!("{{{}, {up}}}", serves(20))),
        row("slow-ready", late(20)),
        row("slow-daemon", late(8)).of("DaemonSet", ""),
        row("slow-order", late(4)).of("StatefulSet", "{replicas: 3}"),
        row("slow-minimum", "{}").of("Deployment", "{minReadySeconds: 8}"),
        row("slow-sidecar", "{}").pod(format!(
            "{{initContainers: [{{{PREPARE}, restartPolicy: Always, {}, {up}}}]}}",
            serves(10)
        )),
        row("slow-hook", "{lifecycle: {postStart: {exec: {command: [sleep, '10']}}}}"),
        row("slow-job", "{command: [sleep, '12']}").of("Job", "{template: {spec: {restartPolicy: Never}}}"),
        row("slow-volume", "{volumeMounts: [{name: data, mountPath: /data}]}").of(
            "StatefulSet",
            "{volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi}}}}]}",
        ),
        slow_stop("{"),
    ]
}

/// Takes ten seconds to end, and its successor comes after it.
fn slow_stop(main: &str) -> Row {
    let comma = if main.len() > 1 { ", " } else { "" };
    row(
        "slow-stop",
        format!("{main}{comma}lifecycle: {{preStop: {{exec: {{command: [sleep, '10']}} }} }} }}"),
    )
    .of("Deployment", "{strategy: {type: Recreate}}")
    .pod("{terminationGracePeriodSeconds: 20}")
}

fn failing_at_first() -> Vec<Row> {
    let runs = "exec sleep 3600";
    let tries = format!("{{{TRIES}}}");
    let alive = "livenessProbe: {exec: {command: [cat, /tmp/alive]}, periodSeconds: 2, initialDelaySeconds: 2, failureThreshold: 2}";
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: obs-fails-pods}, \
                 spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi}}}}";
    vec![
        row("fails-twice", format!("{{{}}}", at_last(2, "echo not yet; exit 1", runs))).pod(tries.clone()),
        row("fails-init", "{}").pod(format!(
            "{{{TRIES}, initContainers: [{{{PREPARE}, {}}}]}}",
            at_last(2, "echo no schema yet; exit 1", "echo done")
        )),
        row(
            "fails-alive",
            format!("{{{}, {alive}}}", at_last(1, "sleep 3600", "touch /tmp/alive; exec sleep 3600")),
        )
        .pod(tries.clone()),
        row(
            "fails-memory",
            format!(
                "{{{}, resources: {{limits: {{memory: 16Mi}} }} }}",
                at_last(1, "exec tail /dev/zero", runs)
            ),
        )
        .pod(tries.clone()),
        row("fails-job", format!("{{{}}}", at_last(2, "echo not yet; exit 1", "echo done")))
            .of("Job", "{template: {spec: {restartPolicy: OnFailure}}}")
            .pod(tries),
        // each try is another pod
        row("fails-pods", format!("{{{}}}", at_last(1, "echo not yet; exit 1", "echo done")))
            .of("Job", "{template: {spec: {restartPolicy: Never}}}")
            .pod("{volumes: [{name: tries, persistentVolumeClaim: {claimName: obs-fails-pods}}]}")
            .beside(claim),
    ]
}

fn waiting_for_others() -> Vec<Row> {
    let mounted = "{volumeMounts: [{name: late, mountPath: /late}]}";
    let service = "{apiVersion: v1, kind: Service, metadata: {name: obs-serves}, \
                   spec: {selector: {app.kubernetes.io/name: serves}, ports: [{port: 8080}]}}";
    let one_by_one = "{template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 600}}}";
    vec![
        row(
            "serves",
            format!(
                "{{{}, readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}} }}",
                sh("sleep 8; exec httpd -f -p 8080 -h /etc")
            ),
        )
        .beside(service),
        row(
            "asks",
            format!(
                "{{{}}}",
                sh("wget -q -O /dev/null http://obs-serves:8080/passwd || exit 1; exec sleep 3600")
            ),
        ),
        row("late-map", "{env: [{name: X, valueFrom: {configMapKeyRef: {name: late, key: a}}}]}"),
        row("late-secret", mounted).pod("{volumes: [{name: late, secret: {secretName: late}}]}"),
        row("late-account", "{}").pod("{serviceAccountName: late}"),
        row("late-claim", mounted).pod("{volumes: [{name: late, persistentVolumeClaim: {claimName: late}}]}"),
        row("late-port", format!("{{ports: [{{containerPort: 80, hostPort: {}}}]}}", port())),
        row("gated", "{}").pod("{schedulingGates: [{name: example.com/wait}]}"),
        row("first", "{command: [sleep, '6']}").of("Job", one_by_one),
        row("second", "{command: [sleep, '6']}").of("Job", one_by_one),
    ]
}
