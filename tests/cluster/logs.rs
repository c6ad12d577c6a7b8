//! Logs of pods that count: each run of the container has a name of its own and numbers its lines,
//! so that a lost or doubled line shows.

mod containers;
mod weather;

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::env::{Env, eventually};
use crate::support::process::Running;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("logs::what_is_there_is_merged_cut_and_filtered", what_is_there),
        trial::node("logs::a_restart_loses_and_doubles_no_line", over_restarts),
        trial::node("logs::a_new_pod_is_picked_up", over_pods),
        trial::node("logs::every_container_is_heard", containers::every_container_is_heard),
        trial::node("logs::a_broken_connection_loses_and_doubles_no_line", weather::over_connections),
        trial::node("logs::a_sleep_loses_and_doubles_no_line", weather::over_a_sleep),
        trial::api("logs::what_is_not_there_is_explained", what_is_not_there),
        trial::node("logs::missing_rights_are_named", missing_rights),
    ]
}

/// Counts twenty times a second; SIGTERM ends a run, whose last line says how far it came.
const SCRIPT: &str = "read run < /proc/sys/kernel/random/uuid; i=0; \
    trap 'echo run $run ended after $i; exit 3' TERM; \
    while [ $i -lt ${LIMIT:-1000000} ]; do i=$((i+1)); echo run $run line $i; [ $((i % 7)) = 0 ] && sleep 0.3; done; \
    while true; do sleep 0.2; done";

/// Installs a bundle with one Deployment whose pods count up to `limit`.
pub(super) fn install(env: &Env, replicas: u32, limit: u32) -> String {
    env.write(
        "lines/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: lines, version: 1.0.0, description: counts}",
    );
    env.write("lines/values.yaml", "replicas: 1\nlimit: 1\ntext: a\n");
    let template = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${{ name }}}
spec:
  replicas: ${{ values.replicas }}
  selector: {matchLabels: ${{ selector }}}
  template:
    metadata: {labels: ${{ selector }}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 2
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "SCRIPT"]
          env: [{name: LIMIT, value: "${{ values.limit }}"}, {name: TEXT, value: ${{ values.text }}}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {memory: 16Mi}}
"#;
    let file = env.write("lines/templates/deployment.yaml", &template.replace("SCRIPT", SCRIPT));
    let folder = file.parent().and_then(std::path::Path::parent).expect("a folder").display().to_string();
    let set = format!("replicas={replicas},limit={limit}");
    let wait = if env.cluster().has_node { "--wait=ready" } else { "--wait=none" };
    env.obs(["install", &folder, wait, "--timeout=2m", "--set", &set]).run().ok();
    folder
}

/// Checks that each run's lines are there once and in order, from its first one that was printed;
/// runs after the first from their first line; runs that ended up to their last one. How many runs?
fn complete(stdout: &str) -> usize {
    let mut runs: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut first = None;
    for line in stdout.lines() {
        let words: Vec<&str> = line.split(' ').skip_while(|word| *word != "run").collect();
        match words.as_slice() {
            ["run", run, "line", number] => {
                first.get_or_insert(*run);
                runs.entry(run).or_default().push(number.parse().expect("a number"));
            }
            ["run", run, "ended", "after", number] => {
                assert!(ends.insert(run, number.parse().expect("a number")).is_none(), "the end comes twice");
            }
            _ => panic!("what is this: {line:?}"),
        }
    }
    for (run, numbers) in &runs {
        let from = if Some(*run) == first { numbers[0] } else { 1 };
        let wanted: Vec<u64> = (from..).take(numbers.len()).collect();
        assert_eq!(*numbers, wanted, "the lines of run {run}");
        if let Some(end) = ends.get(run) {
            assert_eq!(numbers.last(), Some(end), "the last line of run {run}");
        }
    }
    assert!(ends.len() + 1 >= runs.len(), "every run but the last one ended: {ends:?}");
    runs.len()
}

/// Waits until so many lines have been printed, from now on.
fn more(running: &Running, lines: usize) {
    let before = running.printed().lines().count();
    eventually(Duration::from_secs(60), || match running.printed().lines().count() - before {
        now if now >= lines => Ok(()),
        now => Err(format!("{now} lines more")),
    });
}

fn pod(env: &Env) -> String {
    let pods = env.list("pods");
    pods[0]["metadata"]["name"].as_str().expect("a name").to_owned()
}

fn what_is_there(env: &Env) {
    install(env, 2, 130);
    eventually(Duration::from_secs(60), || {
        let output = env.obs(["logs", "--grep", " line 130$"]).run().ok();
        if output.stdout.lines().count() == 2 { Ok(()) } else { Err(output.to_string()) }
    });
    let all = env.obs(["logs", "--tail=all"]).run().ok();
    assert_eq!(all.stdout.lines().count(), 260, "{all}");
    assert_eq!(all.stdout.lines().filter(|line| line.starts_with("lines/")).count(), 260, "{all}");
    assert!(all.stdout.contains(" │ run "), "{all}");
    let times = env.obs(["logs", "lines", "--timestamps", "--tail=all"]).run().ok();
    let times: Vec<&str> = times.stdout.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert!(times.len() == 260 && times.is_sorted(), "by time: {times:?}");
    let usual = env.obs(["logs", "lines"]).run().ok();
    assert_eq!(usual.stdout.lines().count(), 200, "{usual}");
    let tail = env.obs(["logs", "--tail=3", "--grep", "line 1(28|30)$"]).run().ok();
    assert_eq!(tail.stdout.lines().count(), 4, "{tail}");
    let since = env.obs(["logs", "--since=1h"]).run().ok();
    assert_eq!(since.stdout.lines().count(), 260, "{since}");
    let painted = env.obs(["logs", "--tail=1", "--color=always"]).run().ok();
    assert!(
        painted.stdout.contains("\u{1b}[34mlines/") && painted.stdout.contains("\u{1b}[35mlines/"),
        "{painted}"
    );
    let none = env.obs(["logs", "--previous"]).run().ends(1);
    assert!(none.stderr.contains("no container has a run before the present one"), "{none}");

    // one pod: no prefix
    env.kubectl(["scale", "deployment", "obs-lines", "--replicas=1"]).run().ok();
    eventually(
        Duration::from_secs(30),
        || if env.list("pods").len() == 1 { Ok(()) } else { Err("2".into()) },
    );
    let one = env.obs(["logs"]).run().ok();
    assert!(one.stdout.starts_with("run "), "{one}");
    let name = pod(env);
    env.kubectl(["exec", &name, "--", "kill", "1"]).run().ok();
    eventually(Duration::from_secs(60), || {
        let output = env.obs(["logs", "--previous", "--tail=1"]).run();
        if output.stdout.contains("ended after 130") { Ok(()) } else { Err(output.to_string()) }
    });
}

fn over_restarts(env: &Env) {
    install(env, 1, 1_000_000);
    let name = pod(env);
    let running = env.obs(["logs", "-f"]).start();
    more(&running, 20);
    for _ in 0..2 {
        env.kubectl(["exec", &name, "--", "kill", "1"]).run().ok();
        let runs = |text: &str| text.matches(" line 1\n").count();
        let before = runs(&running.printed());
        eventually(Duration::from_secs(60), || match runs(&running.printed()) {
            now if now > before => Ok(()),
            _ => Err("no new run".into()),
        });
        more(&running, 20);
    }
    running.interrupt();
    let output = running.wait().ends(130);
    assert!(output.stderr.contains("container main was restarted (2 restarts)"), "{output}");
    assert!(!output.stderr.contains("error"), "{output}");
    assert_eq!(complete(&output.stdout), 3, "{output}");
}

fn over_pods(env: &Env) {
    install(env, 1, 1_000_000);
    let name = pod(env);
    let mut running = env.obs(["logs", "lines", "--follow", "--tail=0"]).start();
    more(&running, 10);
    env.kubectl(["delete", "pod", &name, "--wait=false"]).run().ok();
    running.says("+ pod");
    running.says("- pod");
    more(&running, 20);
    running.terminate();
    let output = running.wait().ends(143);
    assert_eq!(complete(&output.stdout), 2, "{output}");
}

fn what_is_not_there(env: &Env) {
    env.obs(["logs"]).run().ends(1).says("there is no release obs in namespace");
    install(env, 0, 1);
    let unknown = env.obs(["logs", "line"]).run().ends(2).says("release obs has no component line");
    assert!(unknown.stderr.contains("hint: did you mean lines?"), "{unknown}");
    assert!(unknown.stderr.contains("hint: there are: lines"), "{unknown}");
    let none = env.obs(["logs", "lines"]).run().ends(1).says("lines has no pods: ");
    assert!(none.stderr.contains("is scaled to 0"), "{none}");
    let mut waiting = env.obs(["logs", "lines", "-f"]).start();
    waiting.says("lines has no pods yet: ");
    waiting.interrupt();
    waiting.wait().ends(130);
}

fn missing_rights(env: &Env) {
    install(env, 1, 1);
    let rights = ["--verb=get,list,watch", "--resource=pods,secrets,deployments.apps"];
    env.kubectl(["create", "role", "viewer"]).args(rights).run().ok();
    env.kubectl(["create", "rolebinding", "viewer", "--role=viewer", "--user=viewer"]).run().ok();
    for follow in ["--since=1h", "-f"] {
        let refused = env.obs(["logs", "--as=viewer", follow]).run().ends(1);
        assert!(refused.stderr.contains("you may not get pods/log in namespace"), "{refused}");
        assert!(refused.stderr.contains("\"get\" on pods/log"), "{refused}");
        assert!(refused.stderr.contains("kubectl create role read-logs"), "{refused}");
    }
}
