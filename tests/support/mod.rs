//! What the test binaries share.
//!
//! - [`process`]: run a program, look at what it left.
//! - [`pty`]: the same on a terminal that can be looked at.
//! - [`plugin`]: run `kubectl-obs` with an environment of its own.
//! - [`transcript`]: a run as the text of a snapshot.
//! - [`cluster`]: the clusters that tests may use.
//! - [`loki`]: what plays Loki.
//! - [`receivers`]: who is told about alerts.
//! - [`readme`]: transcripts in README.md.
//! - [`proxy`]: what networks and servers do to requests; [`relay`]: what becomes of connections.
//! - [`env`]: a namespace on one of them, and everything a cluster test needs.
//! - [`webhook`]: an admission webhook.
//! - [`trial`]: a function becomes a test that is run, ignored with a reason, or failed with evidence.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::allow_attributes,
    reason = "each test binary compiles this and uses its part"
)]

pub mod cluster;
pub mod env;
pub mod loki;
pub mod plugin;
pub mod process;
pub mod proxy;
pub mod pty;
pub mod readme;
pub mod receivers;
pub mod relay;
pub mod transcript;
pub mod trial;
pub mod webhook;
