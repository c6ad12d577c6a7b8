//! kubectl-obs: puts a production-grade observability stack on a Kubernetes cluster with one
//! command, keeps it there safely, and proves that metrics, logs and alerts really arrive.
//!
//! # Map of the crate
//!
//! ```text
//!  main ─► commands/<verb> ─► ops ─► cluster ─► the API server
//!               │              │
//!               ▼              ▼
//!               ui         the pure core: yaml, values, bundle, render, object, plan,
//!                                         readiness, release, diff, doctor, search
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | [`cli`] | what a person can type: clap types only; their doc comments are the help |
//! | [`commands`] | one file per verb: arguments → operation → print |
//! | [`ops`] | the operations without a terminal: change (install, upgrade, rollback), uninstall, status, … |
//! | [`cluster`] | the only code that talks to the API server |
//! | [`alloc`] | the allocator with the limit of the render child |
//! | [`bundle`] | the versioned packages: metadata, archive format, sources, lint |
//! | [`values`] | layers of values with the origin of every leaf, `--set` grammar, schema check |
//! | [`render`] | (bundle, values, facts) → objects |
//! | [`object`] | a Kubernetes object: identity, labels, redacted form, content hash |
//! | [`plan`] | (desired, live, inventories) → what will happen, in waves |
//! | [`readiness`] | is this object ready, and if not, why |
//! | [`release`] | release records: states, inventory, codec, chunks |
//! | [`diff`] | differences between objects, field by field |
//! | [`doctor`] | (what was seen) → what is wrong, root causes first |
//! | [`search`] | what people look for in logs → LogQL and Lucene; answers → lines |
//! | [`event`] | what operations report; the one stream behind progress bars, plain lines and NDJSON |
//! | [`ui`] | printer, progress, tables, prompts |
//! | [`json`] | how much a JSON text becomes, told before it is read |
//! | [`yaml`] | the only module that names the YAML crate |
//! | [`url`] | addresses as they may be shown |
//! | [`escape`] | text from outside made harmless for a terminal |
//! | [`words`] | counts in a person's words |
//! | [`error`] | one error type with exit code and hints |
//!
//! The pure core has no async, I/O, clock, randomness or kube client; `tests/purity.rs` keeps it so.
//!
//! # What the tool keeps on a cluster
//!
//! | object | name | for |
//! |---|---|---|
//! | Secret `kubectl-obs.dev/release.v1` | `obs.<release>.v<revision>` (chunks: `….c<n>`) | one revision of a release |
//! | Secret `kubectl-obs.dev/key.v1` | `obs.<release>.key` | random key for hashes over Secret content |
//! | Lease | `obs.<release>` | the lock of a running operation |
//! | Namespace | the release's, and `…-node` for node-level components | labelled as ours when we made it |
//!
//! It keeps nothing on the local disk.

pub mod alloc;
pub mod bundle;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod diff;
pub mod doctor;
pub mod error;
pub mod escape;
pub mod event;
pub mod json;
pub mod object;
pub mod ops;
pub mod plan;
pub mod readiness;
pub mod release;
pub mod render;
pub mod search;
pub mod ui;
pub mod url;
pub mod values;
pub mod words;
pub mod yaml;

pub use error::{Error, Exit, Result};
