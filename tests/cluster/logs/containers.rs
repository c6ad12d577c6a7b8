//! A pod with more than one container: one that prepares it, two of its own, one that somebody debugs
//! it with.

use std::time::Duration;

use crate::cluster::components::deployment;
use crate::support::env::{Env, eventually};

const CONTAINERS: &str = r#"      initContainers:
        - name: prepare
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "echo it is prepared"]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "echo main begins; trap 'exit 0' TERM; sleep 3600 & wait"]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        - name: reloader
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "echo reloader begins; trap 'exit 0' TERM; sleep 3600 & wait"]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

pub(super) fn every_container_is_heard(env: &Env) {
    let bundle = env.bundle("lines", "1.0.0", "", &[("templates/deployment.yaml", &deployment(CONTAINERS))]);
    env.obs(["install", &bundle, "--wait=ready", "--timeout=2m"]).run().ok();
    let pod = super::pod(env);
    let short = pod.replacen("obs-lines-", "lines/", 1);
    let said = |container: &str, text: &str| format!("{short} {container} │ {text}");
    let all =
        [said("main", "main begins"), said("prepare", "it is prepared"), said("reloader", "reloader begins")];

    let output = env.obs(["logs", "lines"]).run().ok();
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], all[1], "what prepares the pod wrote first: {output}");
    lines.sort_unstable();
    assert_eq!(lines, all, "{output}");
    let one = env.obs(["logs", "--grep", "^reloader"]).run().ok();
    assert_eq!(one.stdout.lines().collect::<Vec<_>>(), [all[2].as_str()], "{one}");

    let running = env.obs(["logs", "-f"]).start();
    let printed = |wanted: &[String]| {
        eventually(Duration::from_secs(60), || {
            let printed = running.printed();
            let mut lines: Vec<&str> = printed.lines().collect();
            lines.sort_unstable();
            if lines == wanted { Ok(()) } else { Err(printed) }
        });
    };
    printed(&all);
    let words = ["--profile=restricted", "--image=docker.io/library/busybox:1.36", "--container=debugger"];
    let debug = env.kubectl(["debug", &pod]).args(words).args(["--", "sh", "-c", "echo debugger begins"]);
    debug.run().ok();
    let mut with_debugger = all.to_vec();
    with_debugger.insert(0, said("debugger", "debugger begins"));
    printed(&with_debugger);
    running.interrupt();
    let output = running.wait().ends(130);
    assert!(!output.stderr.contains("error"), "{output}");
}
