//! What goes wrong between the plugin and a cluster, tried out: kills, faults on the way, second
//! operators, other actors, too few rights. `make chaos` runs all of it, `make test` a sample.
//!
//! Each scenario counts its runs and goes on after a failed one ([`report`]); the table is printed
//! at the end and written to `target/chaos/report.json`.

mod actors;
mod intruders;
mod kills;
mod locks;
pub(crate) mod report;
mod rights;
mod state;
mod storms;

use libtest_mimic::Trial;

use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::proxy::{Asked, Proxy};

pub(crate) fn trials() -> Vec<Trial> {
    [
        kills::trials(),
        storms::trials(),
        locks::trials(),
        rights::trials(),
        actors::trials(),
        intruders::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Is every index to be tried (`make chaos`), or a sample?
fn whole() -> bool {
    std::env::var("OBS_SOAK").is_ok_and(|value| value == "1")
}

/// A verb with the bundle of 40 objects.
fn with_bundle<'a>(verb: &'a str, args: &[&'a str]) -> Vec<String> {
    let bundle = fixture("bundles/chaos");
    [verb, &bundle].iter().chain(args).map(|arg| (*arg).to_owned()).collect()
}

/// `install` without waiting, straight to the cluster, so that a test has something to begin with.
#[track_caller]
fn installed(env: &Env, args: &[&str]) {
    env.obs(with_bundle("install", &[&["--wait=none"], args].concat())).run().ok();
}

/// Is this the apply of an object (and no dry-run)? For rules that wait for their moment.
fn real_patch(asked: &Asked, object: &str) -> bool {
    asked.method == "PATCH" && asked.writes() && asked.path.ends_with(object)
}

/// The test, and what went through the proxy when it failed.
fn told<T>(proxy: &Proxy, test: impl FnOnce() -> T) -> T {
    use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(value) => value,
        Err(panic) => {
            let message = report::message(panic.as_ref());
            panic_any(format!("{message}\n{}", proxy.story()));
        }
    }
}
