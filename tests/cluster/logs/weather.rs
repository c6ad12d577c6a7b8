//! The line to the API server fails, and no line of a log is lost or comes twice.

use std::thread;
use std::time::{Duration, Instant};

use super::{complete, install, more};
use crate::support::env::{Env, eventually};
use crate::support::process::{Output, Running};
use crate::support::relay::Relay;

pub(super) fn over_connections(env: &Env) {
    install(env, 2, 1_000_000);
    let relay = Relay::start(env);
    let running = env.obs(["logs", "-f", "--tail=5"]).args(relay.flags()).start();
    for _ in 0..4 {
        more(&running, 40);
        relay.cut();
    }
    more(&running, 40);
    running.interrupt();
    let output = running.wait().ends(130);
    complete_by_pod(env, &output);
}

/// A stopped process is what a program on a suspended laptop is; meanwhile its connections die.
pub(super) fn over_a_sleep(env: &Env) {
    install(env, 2, 1_000_000);
    let relay = Relay::start(env);
    let running = env.obs(["logs", "-f", "--tail=5"]).args(relay.flags()).start();
    more(&running, 20);
    running.suspend();
    relay.forget();
    thread::sleep(Duration::from_secs(17));
    let before = running.printed().lines().count();
    running.resume();
    // what was written meanwhile comes soon
    let began = Instant::now();
    more_than(&running, before + 200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    running.interrupt();
    complete_by_pod(env, &running.wait().ends(130));
}

/// Each pod by itself: both ran before.
fn complete_by_pod(env: &Env, output: &Output) {
    for pod in env.list("pods") {
        let name = pod["metadata"]["name"].as_str().expect("a name").trim_start_matches("obs-");
        let prefix = name.replacen('-', "/", 1);
        let own = output.stdout.lines().filter(|line| line.starts_with(&prefix));
        let own: String = own.map(|line| format!("{line}\n")).collect();
        assert_eq!(complete(&own), 1, "{output}");
    }
}

fn more_than(running: &Running, lines: usize) {
    eventually(Duration::from_secs(60), || match running.printed().lines().count() {
        now if now >= lines => Ok(()),
        now => Err(format!("{now} lines")),
    });
}
