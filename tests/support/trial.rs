//! A function becomes a test of the cluster binary. Without a cluster it is ignored, with the
//! reason, or fails when `OBS_REQUIRE_CLUSTER=1`; when it panics, the message goes together with
//! where it was and the state of the test's objects. `OBS_TIMES=FILE` writes down what each took, in
//! seconds.

use std::any::Any;
use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use libtest_mimic::{Completion, Failed, Trial};

use super::cluster::{self, Cluster, Reason};
use super::env::Env;

/// A test that needs pods to run. `name` is `<module>::<what is true>`.
pub fn node(name: &str, test: impl FnOnce(&Env) + Send + 'static) -> Trial {
    trial(name, cluster::node, test)
}

/// A test that needs an API server only.
pub fn api(name: &str, test: impl FnOnce(&Env) + Send + 'static) -> Trial {
    trial(name, cluster::api, test)
}

/// A test that changes what a cluster has once: it gets one of its own, without a node.
pub fn own(name: &str, cluster: &'static str, test: impl FnOnce(&Env) + Send + 'static) -> Trial {
    trial(name, move || cluster::own(cluster), test)
}

/// A long test on a cluster with a node: ignored unless `OBS_SOAK=1` (make soak).
pub fn soak(name: &str, test: impl FnOnce(&Env) + Send + 'static) -> Trial {
    let asked = std::env::var("OBS_SOAK").is_ok_and(|value| value == "1");
    trial(&format!("soak::{name}"), cluster::node, test).with_ignored_flag(!asked)
}

/// A long test that needs an API server only.
pub fn soak_api(name: &str, test: impl FnOnce(&Env) + Send + 'static) -> Trial {
    let asked = std::env::var("OBS_SOAK").is_ok_and(|value| value == "1");
    trial(&format!("soak::{name}"), cluster::api, test).with_ignored_flag(!asked)
}

fn trial(
    name: &str,
    cluster: impl FnOnce() -> Result<&'static Cluster, Reason> + Send + 'static,
    test: impl FnOnce(&Env) + Send + 'static,
) -> Trial {
    let title = name.to_owned();
    Trial::ignorable_test(name, move || {
        let cluster = match cluster() {
            Ok(cluster) => cluster,
            Err(reason) if std::env::var("OBS_REQUIRE_CLUSTER").is_ok_and(|value| value == "1") => {
                return Err(Failed::from(format!("OBS_REQUIRE_CLUSTER=1, but: {reason}")));
            }
            Err(reason) => return Ok(Completion::ignored_with(reason)),
        };
        let begun = Instant::now();
        let env = Env::new(cluster, &title);
        PANIC.set(Some(String::new()));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| test(&env)));
        let failure = outcome.err().map(|panic| format!("{}\n\n{}", story(panic.as_ref()), env.describe()));
        // Cleaning up is part of the test: what cannot be removed is a fault.
        let cleaning = panic::catch_unwind(AssertUnwindSafe(|| drop(env)));
        let left = cleaning.err().map(|panic| story(panic.as_ref()));
        PANIC.set(None);
        if let Some(file) = std::env::var_os("OBS_TIMES") {
            let mut file = File::options().append(true).create(true).open(file).expect("open OBS_TIMES");
            // in one write: others append, too
            file.write_all(format!("{:6.1} {title}\n", begun.elapsed().as_secs_f64()).as_bytes())
                .expect("write a time");
        }
        match failure.or(left) {
            Some(story) => Err(Failed::from(story)),
            None => Ok(Completion::Completed),
        }
    })
}

thread_local! {
    /// Where this thread's trial panicked; None outside of a trial.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics of trials off the terminal, where they would mix: they are told with the result.
pub fn collect_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let ours = PANIC.with_borrow_mut(|place| match (place, info.location()) {
            (Some(place), Some(location)) => {
                *place = format!("{}:{}", location.file(), location.line());
                true
            }
            _ => false,
        });
        if !ours {
            usual(info);
        }
    }));
}

/// What a panic said, and where.
pub fn story(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panicked without a message");
    let place = PANIC.with_borrow(|place| place.clone().unwrap_or_default());
    format!("{place}: {message}")
}
