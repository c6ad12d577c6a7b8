//! Tests on a real cluster. Each module of `tests/cluster/` has a function `trials()`; how a trial
//! gets its cluster, and what becomes of it where there is none, is in `support`.
//!
//! `make test` runs them; `scripts/test --test cluster -- FILTER` runs some of them.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says on stderr what it kept"
)]

use std::process::ExitCode;

use libtest_mimic::Arguments;

mod cluster {
    pub(crate) mod admission;
    pub(crate) mod adoption;
    pub(crate) mod alerts;
    pub(crate) mod apps;
    pub(crate) mod cases;
    pub(crate) mod causes;
    pub(crate) mod chaos;
    pub(crate) mod client;
    pub(crate) mod components;
    pub(crate) mod dashboards;
    pub(crate) mod definitions;
    pub(crate) mod doctor;
    pub(crate) mod equal;
    pub(crate) mod explain;
    pub(crate) mod forward;
    pub(crate) mod gate;
    pub(crate) mod grafana;
    pub(crate) mod harness;
    pub(crate) mod health;
    pub(crate) mod immutable;
    pub(crate) mod install;
    pub(crate) mod kill;
    pub(crate) mod leftovers;
    pub(crate) mod local;
    pub(crate) mod logs;
    pub(crate) mod masks;
    pub(crate) mod patience;
    pub(crate) mod plugin;
    pub(crate) mod preflight;
    pub(crate) mod records;
    pub(crate) mod rollback;
    pub(crate) mod rollout;
    pub(crate) mod search;
    pub(crate) mod secrets;
    pub(crate) mod served;
    pub(crate) mod shop;
    pub(crate) mod soak;
    pub(crate) mod stack;
    pub(crate) mod takeover;
    pub(crate) mod template;
    pub(crate) mod terminal;
    pub(crate) mod trust;
    pub(crate) mod undo;
    pub(crate) mod upgrade;
    pub(crate) mod vanishing;
    pub(crate) mod volumes;
}
mod support;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of a trial is waiting for the cluster.
    arguments.test_threads.get_or_insert(4);
    support::trial::collect_panics();

    let trials = [
        cluster::admission::trials(),
        cluster::adoption::trials(),
        cluster::alerts::trials(),
        cluster::apps::trials(),
        cluster::cases::trials(),
        cluster::causes::trials(),
        cluster::chaos::trials(),
        cluster::client::trials(),
        cluster::components::trials(),
        cluster::dashboards::trials(),
        cluster::doctor::trials(),
        cluster::definitions::trials(),
        cluster::equal::trials(),
        cluster::explain::trials(),
        cluster::forward::trials(),
        cluster::gate::trials(),
        cluster::grafana::trials(),
        cluster::harness::trials(),
        cluster::health::trials(),
        cluster::immutable::trials(),
        cluster::install::trials(),
        cluster::kill::trials(),
        cluster::leftovers::trials(),
        cluster::local::trials(),
        cluster::logs::trials(),
        cluster::masks::trials(),
        cluster::patience::trials(),
        cluster::plugin::trials(),
        cluster::preflight::trials(),
        cluster::records::trials(),
        cluster::rollback::trials(),
        cluster::secrets::trials(),
        cluster::served::trials(),
        cluster::rollout::trials(),
        cluster::search::trials(),
        cluster::soak::trials(),
        cluster::stack::trials(),
        cluster::takeover::trials(),
        cluster::template::trials(),
        cluster::terminal::trials(),
        cluster::trust::trials(),
        cluster::undo::trials(),
        cluster::upgrade::trials(),
        cluster::vanishing::trials(),
        cluster::volumes::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::cluster::stop();
    cluster::chaos::report::print();
    conclusion.exit_code()
}
