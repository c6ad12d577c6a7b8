//! Jobs that go by themselves when they are done.

use std::time::Duration;

use libtest_mimic::Trial;

use super::components::{CONTAINER, POD};
use super::upgrade::newest;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::node("vanishing::a_job_that_failed_is_not_ready_when_it_is_gone", a_failed_job)]
}

/// A Job that runs a script and is deleted as soon as it is done.
fn job(env: &Env, version: &str, script: &str) -> String {
    let template = format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: ${{{{ name }}}} }}
spec:
  ttlSecondsAfterFinished: 0
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never{POD}      containers:{CONTAINER}          command: [sh, -c, \"{script}\"]
"
    );
    env.bundle("once", version, "", &[("templates/job.yaml", &template)])
}

fn a_failed_job(env: &Env) {
    let bad = job(env, "1.0.0", "sleep 1; echo no licence; exit 3");
    let failed = env.obs(["install", &bad, "--wait=ready", "--timeout=90s"]).run().ends(1);
    for part in [
        "once is not ready: container main crashes at start (exit code 3)",
        "Job obs-once: Job has reached the specified backoff limit",
        "hint: its pod is gone, and the log with it: a longer ttlSecondsAfterFinished keeps both",
    ] {
        assert!(failed.stderr.contains(part), "{part} is missing\n{failed}");
    }
    assert!(!failed.stderr.contains("deployed (revision"), "{failed}");
    assert!(failed.took < Duration::from_secs(45), "{failed}");
    assert_eq!(newest(env), (1, "failed".into()));
    // it runs once more with the next command, and one that completes is done
    let again = env.obs(["install", &bad, "--wait=ready", "--timeout=90s"]).run().ends(1);
    assert_eq!(newest(env), (2, "failed".into()), "{again}");
    let good = job(env, "1.0.1", "sleep 1");
    env.obs(["upgrade", &good, "--wait=ready", "--timeout=90s"]).run().ok();
    assert_eq!(newest(env), (3, "deployed".into()));
}
