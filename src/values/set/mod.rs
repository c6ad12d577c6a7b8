//! `--set`, `--set-string`, `--set-file`, `--set-json` and `--set-literal`, with Helm's grammar
//! (helm.sh/helm/v4/pkg/strvals): what Helm accepts means the same here. What it silently drops
//! (`a.=1`, `=1`, `a[`, `a[0]`) is an error, and `{}` and `[]` are the empty list that a person means
//! by them (in Helm they are `[""]` and a text).
//!
//! No error quotes the right-hand side of an assignment: it may be a secret.

mod apply;
mod grammar;
mod write;

use serde_json::Value;

pub(super) use apply::apply;
pub use grammar::parse;
pub use write::{flag, quoted};

/// How the right-hand side of an assignment is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetFlag {
    /// `--set`: true, false, null and integers are recognised; `{a,b}` is a list, `{}` and `[]` an
    /// empty one.
    Set,
    /// `--set-string`: always a string; `{a,b}` is a list of strings.
    String,
    /// `--set-file`: a path, whose content is the value; `{a,b}` is a list of contents.
    File,
    /// `--set-json`: JSON; or the whole argument is a JSON object.
    Json,
    /// `--set-literal`: everything after the `=`, commas and backslashes included.
    Literal,
}

impl SetFlag {
    /// The flag as typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "--set",
            Self::String => "--set-string",
            Self::File => "--set-file",
            Self::Json => "--set-json",
            Self::Literal => "--set-literal",
        }
    }
}

/// One step from a value to one below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// A place in a list.
    Index(usize),
}

/// One `name=value` of a flag's argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Where. Empty for a whole JSON object, which is merged.
    pub path: Vec<Step>,
    /// What.
    pub value: Value,
    /// The flag with this assignment alone, for the value's origin: `--set a.b=c`. A list, a map
    /// and the content of a file do not appear in it.
    pub text: String,
}

/// A flag's text without its right-hand side: `--set a.b=…`.
pub(super) fn masked(text: &str) -> String {
    match grammar::find_equals(text) {
        Some(at) if at + 1 < text.len() => format!("{}=…", &text[..at]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
