//! SIGKILL at 20 instants of an install: `install` must continue to a clean end, and `uninstall
//! --delete-data` must clear everything, also when the kill came before the first record. Each is tried
//! at every other instant, and in the long run at all.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::install::traces;
use crate::support::env::{Env, eventually};
use crate::support::plugin::fixture;
use crate::support::trial;

/// Instants of a kill, spread over the whole install.
const KILLS: u32 = 20;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("kill::a_killed_install_is_continued_by_the_next_one", |env| continued(env, 0, 2)),
        trial::api("kill::a_killed_install_is_cleared_by_uninstall", |env| cleared(env, 1, 2)),
        trial::soak("a_killed_install_is_continued_at_every_instant", |env| continued(env, 0, 1)),
        trial::soak("a_killed_install_is_cleared_at_every_instant", |env| cleared(env, 0, 1)),
    ]
}

fn install(env: &Env) -> crate::support::process::Command {
    let small = fixture("bundles/small");
    env.obs(["install", &small, "--wait=none", "--set", "maps=20"])
}

fn clear(env: &Env) {
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

/// How long an undisturbed install takes.
fn usual(env: &Env) -> Duration {
    let begun = Instant::now();
    install(env).run().ok();
    let took = begun.elapsed();
    clear(env);
    took
}

/// Kills install number `i` of [`KILLS`]; instants are spread by a fixed stride, so that a failure
/// can be run again.
fn killed(env: &Env, usual: Duration, i: u32) -> Duration {
    let instant = usual * ((i * 7) % KILLS + 1) / KILLS;
    install(env).kill_after(instant);
    instant
}

fn continued(env: &Env, first: u32, step: usize) {
    let usual = usual(env);
    for i in (first..KILLS).step_by(step) {
        let instant = killed(env, usual, i);
        let again = install(env).run();
        let done = again.code == 0 || again.stderr.contains("is already deployed");
        assert!(done, "killed after {instant:?} of {usual:?}: {again}");
        let maps = env.list("configmaps --selector=kubectl-obs.dev/release=obs");
        assert_eq!(maps.len(), 20, "killed after {instant:?} of {usual:?}");
        assert!(env.get("lease obs.obs").is_none(), "killed after {instant:?}: the lock is stuck");
        let list = env.obs(["list", "-o", "json"]).run().ok().json();
        assert_eq!(list["items"][0]["status"], "deployed", "killed after {instant:?} of {usual:?}: {list}");
        clear(env);
    }
}

fn cleared(env: &Env, first: u32, step: usize) {
    let usual = usual(env);
    for i in (first..KILLS).step_by(step) {
        let instant = killed(env, usual, i);
        let uninstall = env.obs(["uninstall", "--delete-data", "-y"]).run();
        let nothing = uninstall.stderr.contains("there is no release");
        assert!(uninstall.code == 0 || nothing, "killed after {instant:?} of {usual:?}: {uninstall}");
        eventually(Duration::from_secs(30), || match traces(env) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("killed after {instant:?} of {usual:?}: {}", left.join(", "))),
        });
    }
}
