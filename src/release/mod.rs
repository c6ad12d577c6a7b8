//! Releases: names, states, the record of a revision and its inventory. Pure; reading and writing
//! records on a cluster is `cluster::records`.
//!
//! What is here is **lasting**: users' clusters hold it. A change of the record's shape raises
//! [`record::FORMAT`] and needs a compatibility test.

pub mod codec;
pub mod found;
pub mod history;
pub mod name;
pub mod partial;
pub mod record;
mod status;

pub use codec::{Encoded, Unusable, decode, encode};
pub use found::{Found, Metadata};
pub use history::{Damage, Header, History, ReadyAfter};
pub use name::{DEFAULT_RELEASE, Namespace, ReleaseName};
pub use record::{BundleRef, ComponentRef, Entry, EntryState, Record};
pub use status::Status;

/// A revision's number, from 1.
pub type Revision = u32;
