//! The long tests of `make soak`: what a promise is worth when it is tried many times.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::install::traces;
use crate::support::env::{Env, eventually};
use crate::support::process::Command;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::soak("the_stack_comes_and_goes_without_a_trace", comes_and_goes),
        trial::soak("a_killed_install_of_the_stack_is_continued", killed_and_continued),
        trial::soak("an_interrupted_install_of_the_stack_is_continued", interrupted_and_continued),
    ]
}

fn install(env: &Env, wait: &str) -> Command {
    let fast = "scrape.interval=5s,scrape.timeout=4s";
    env.obs(["install", "--timeout=5m", "--set", fast, "--wait", wait])
}

fn clear(env: &Env) {
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    eventually(Duration::from_secs(120), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn comes_and_goes(env: &Env) {
    let _node = env.alone_with_the_node();
    for _ in 0..6 {
        install(env, "healthy").run().ok();
        clear(env);
    }
}

/// Disturbs an install at instants that are spread over all of it, and expects the next one to end
/// well. Half of the time what is there stays, so that a revision builds on disturbed ones.
fn disturb(env: &Env, times: u32, disturb: fn(Command, Duration)) {
    let _node = env.alone_with_the_node();
    let begun = Instant::now();
    install(env, "ready").run().ok();
    let usual = begun.elapsed();
    clear(env);
    for i in 0..times {
        // A stride that has no factor in common with `times` meets every instant once.
        let instant = usual * ((i * 7) % times + 1) / times;
        disturb(install(env, "ready"), instant);
        if i % 2 == 0 {
            disturb(install(env, "ready"), instant / 2);
        }
        let again = install(env, "ready").run();
        let done = again.code == 0 || again.stderr.contains("is already deployed");
        assert!(done, "disturbed after {instant:?} of {usual:?}\n{again}");
        clear(env);
    }
}

fn killed_and_continued(env: &Env) {
    disturb(env, 20, Command::kill_after);
}

fn interrupted_and_continued(env: &Env) {
    disturb(env, 12, |command, time| {
        let running = command.start();
        std::thread::sleep(time);
        running.interrupt();
        let output = running.wait();
        assert!([0, 1, 130].contains(&output.code), "{output}");
    });
}
