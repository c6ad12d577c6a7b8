//! The line to the API server fails, and the forwards come back by themselves.

use std::thread;
use std::time::{Duration, Instant};

use super::{get, half_answered, install, is_reset, pod, start};
use crate::support::env::{Env, eventually};
use crate::support::relay::Relay;

/// Replaces the pod and waits until the new one is ready; its name.
fn replace(env: &Env) -> String {
    let before = pod(env);
    env.kubectl(["delete", "pod", &before, "--wait=false"]).run().ok();
    eventually(Duration::from_secs(60), || {
        let ready = env.list("pods").into_iter().find(|pod| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_ready = |c: &serde_json::Value| c["type"] == "Ready" && c["status"] == "True";
            pod["metadata"]["name"] != before.as_str() && conditions.iter().any(is_ready)
        });
        ready.map(|pod| pod["metadata"]["name"].as_str().expect("a name").to_owned()).ok_or("not yet".into())
    })
}

/// Asks once, and not for longer than `limit`.
fn soon(port: u16, limit: Duration) -> Result<String, String> {
    let started = Instant::now();
    let answer = get(port, "/")?;
    let took = started.elapsed();
    if took < limit { Ok(answer) } else { Err(format!("{answer} after {took:?}")) }
}

pub(super) fn the_api_server_may_restart(env: &Env) {
    install(env);
    let relay = Relay::start(env);
    let (port, running) = start(env, &relay.flags());
    let first = pod(env);
    assert_eq!(get(port, "/"), Ok(first.clone()));
    let mut begun = half_answered(port);

    relay.down();
    // what was connected is told so
    is_reset(&mut begun);
    // a request waits
    let client = thread::spawn(move || get(port, "/"));
    thread::sleep(Duration::from_secs(4));
    assert!(!client.is_finished());
    relay.up();
    let began = Instant::now();
    assert_eq!(client.join().expect("a client"), Ok(first));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} after the API server was back");

    // and finds a pod that came meanwhile
    relay.down();
    let client = thread::spawn(move || get(port, "/"));
    let second = replace(env);
    relay.up();
    let began = Instant::now();
    assert_eq!(client.join().expect("a client"), Ok(second));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?} after the API server was back");
    running.interrupt();
    running.wait().ends(130);
}

/// A stopped process is what a program on a suspended laptop is; meanwhile its connections die.
pub(super) fn the_machine_may_sleep(env: &Env) {
    install(env);
    let relay = Relay::start(env);
    let (port, running) = start(env, &relay.flags());
    let mut begun = half_answered(port);
    running.suspend();
    relay.forget();
    let slept = Instant::now();
    let new = replace(env);
    thread::sleep(Duration::from_secs(17).saturating_sub(slept.elapsed()));
    running.resume();
    assert_eq!(soon(port, Duration::from_secs(4)), Ok(new));
    let began = Instant::now();
    is_reset(&mut begun);
    assert!(began.elapsed() < Duration::from_secs(3), "what was connected is told so");
    running.interrupt();
    running.wait().ends(130);
}

pub(super) fn a_dead_line_is_noticed(env: &Env) {
    install(env);
    let relay = Relay::start(env);
    let (port, running) = start(env, &relay.flags());
    let mut begun = half_answered(port);
    relay.forget();
    let forgotten = Instant::now();
    // the watch is dead, too, and does not tell of the new pod: the first request finds out
    let new = replace(env);
    assert_eq!(soon(port, Duration::from_secs(10)), Ok(new.clone()));
    assert_eq!(soon(port, Duration::from_secs(1)), Ok(new));
    is_reset(&mut begun);
    let noticed = forgotten.elapsed();
    assert!(noticed < Duration::from_secs(35), "noticed after {noticed:?}");
    running.interrupt();
    running.wait().ends(130);
}
