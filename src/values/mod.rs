//! Values: layers from defaults, profile, files and flags, merged into one tree in which every
//! leaf knows where it came from.
//!
//! ```text
//!  defaults ─► profile ─┐                        schema::check: what is wrong, and where it was set
//!                       ├─► Builder ─► Values ─┤
//!  previous ─► -f ─► --set…                      schema::mask: what may be shown
//!                                               refuse_masks: and never comes back as a value
//!                                               Traces: nor is shown where it was rendered into
//! ```
//!
//! `tree` is always the base (defaults, profile) overlaid with `user` (previous, files, flags), so
//! that the recorded user values give the same tree again.

mod builder;
mod deleted;
pub mod derived;
mod layer;
mod mask;
mod merge;
mod migrate;
pub mod pointer;
pub mod schema;
pub mod set;
mod suggest;
mod traces;

pub use builder::Builder;
pub use mask::{masks, refuse_masks};
pub use migrate::{Warning, migrate};
pub use set::SetFlag;
pub use suggest::did_you_mean;
pub use traces::Traces;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON pointer (RFC 6901) into a tree of values, for example `/prometheus/retention/time`.
pub type Pointer = String;

/// Which layer a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// `values.yaml` of a bundle.
    Defaults {
        /// The bundle's name.
        bundle: String,
    },
    /// A profile of the bundle.
    Profile {
        /// The profile's name.
        name: String,
    },
    /// The user values of an earlier revision.
    Previous {
        /// Its number.
        revision: u32,
    },
    /// `-f FILE`.
    File {
        /// The path as typed.
        path: String,
    },
    /// `--set…`: the flag with the one assignment that set the value; for `--set-file` the path,
    /// never its content. A list or map appears as `…`.
    Flag {
        /// For example `--set prometheus.replicas=0`.
        text: String,
    },
}

impl Source {
    /// Was it given by the user (and is it therefore recorded with the release)?
    pub fn is_user(&self) -> bool {
        matches!(self, Self::Previous { .. } | Self::File { .. } | Self::Flag { .. })
    }
}

/// Where one value was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The layer.
    pub source: Source,
    /// Line in the file, from 1, where there is one.
    pub line: Option<u32>,
    /// The key as it was typed, where YAML reads it as another one: `y` for `true`.
    pub typed: Option<String>,
}

impl Origin {
    /// All of a layer.
    pub(crate) fn of(source: Source) -> Self {
        Self { source, line: None, typed: None }
    }

    /// The same place, without the value that a flag carries: for messages about values that may
    /// be secret.
    #[must_use]
    pub fn masked(&self) -> Self {
        match &self.source {
            Source::Flag { text } => {
                Self { source: Source::Flag { text: set::masked(text) }, ..self.clone() }
            }
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Defaults { bundle } => write!(f, "defaults of bundle {bundle}")?,
            Source::Profile { name } => write!(f, "profile {name}")?,
            Source::Previous { revision } => write!(f, "values of revision {revision}")?,
            Source::File { path } => f.write_str(path)?,
            Source::Flag { text } => f.write_str(text)?,
        }
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// One layer: a tree and the origin of its leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Always a JSON object. A null deletes the key in the layers below (Helm's rule).
    pub tree: Value,
    /// Origin by pointer, at least for every leaf.
    pub origins: BTreeMap<Pointer, Origin>,
}

/// Merged layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// What templates see as `values`.
    pub tree: Value,
    /// Origin by pointer, at least for every leaf.
    pub origins: BTreeMap<Pointer, Origin>,
    /// The user's own layers merged: what a release records. Nulls (deletions) stay in it.
    pub user: Value,
    /// What the base had where a null of the user's deleted it.
    pub deleted: BTreeMap<Pointer, Value>,
}

impl Values {
    /// Collects layers, lowest first.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where the value at `pointer` was set, or the nearest value above it.
    pub fn origin(&self, pointer: &str) -> Option<&Origin> {
        let mut at = pointer;
        loop {
            if let Some(origin) = self.origins.get(at) {
                return Some(origin);
            }
            at = pointer::parent(at)?;
        }
    }
}

impl Values {
    /// The path as `--set` takes it, with keys as they were typed: for messages.
    pub fn shown_path(&self, at: &str) -> String {
        pointer::dotted_with(at, &self.tree, &|prefix| {
            self.origins.get(prefix).and_then(|origin| origin.typed.as_deref())
        })
    }
}

/// A word for the type of a value, as people who write YAML say it.
pub(crate) fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
