//! From ready to said so: how long after an object's status changed on the server does the plugin,
//! which waits for it, end? On a cluster without a node nothing becomes ready by itself, so the
//! benchmark writes the status.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contest::{Contest, progress, text};
use crate::floor::Request;
use crate::load;

/// Milliseconds from the answer to the write of the status to the end of the process, of each run.
pub(crate) fn run(contest: &Contest, runs: u32) -> Vec<f64> {
    let bundle = contest.path("workload");
    load::write(&bundle, &load::workload());
    let bundle = text(&bundle);
    let mut latencies = Vec::new();
    for n in 1..=runs {
        progress("readiness-latency", n, runs);
        let namespace = contest.namespace(&format!("ready-{n}"));
        let own = format!("--namespace={namespace}");
        let command = contest.ours_there(&[
            "install",
            &bundle,
            "--release=load",
            "--wait=ready",
            "--timeout=60s",
            "--events=json",
            &own,
        ]);
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run the plugin");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let waits = |line: &String| line.contains(r#""type":"component""#);
        assert!(lines.by_ref().map_while(Result::ok).any(|line| waits(&line)), "it does not wait");
        // its watch is opened, and the controllers have had their say
        std::thread::sleep(Duration::from_millis(500));

        let mut object = workload();
        object["metadata"]["namespace"] = json!(namespace);
        contest.send(&Request::status(&object, &ready()));
        let changed = Instant::now();
        let status = child.wait().expect("wait for the plugin");
        latencies.push(changed.elapsed().as_secs_f64() * 1000.0);
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        assert!(status.success(), "$ {}\n{}", command.join(" "), rest.join("\n"));
    }
    latencies
}

/// Enough of the workload to find it.
fn workload() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "load-load-deployment-0"}})
}

/// What the controller would write when all pods are available.
fn ready() -> Value {
    let condition = |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason});
    json!({
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "unavailableReplicas": null,
        "conditions": [
            condition("Available", "MinimumReplicasAvailable"),
            condition("Progressing", "NewReplicaSetAvailable"),
        ],
    })
}
