//! Names that are checked once, at the edge: releases and namespaces.

use std::fmt;

use crate::error::{Error, Result};

/// The name of a release when none is given.
pub const DEFAULT_RELEASE: &str = "obs";

/// A release's name: a DNS-1123 label of at most 25 characters, so that
/// `<release>-<component>-…` fits Kubernetes' limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseName(String);

/// Longest release name.
pub const MAX_RELEASE: usize = 25;

impl ReleaseName {
    /// Checks the name.
    pub fn new(name: &str) -> Result<Self> {
        match label_problem(name, MAX_RELEASE) {
            None => Ok(Self(name.to_owned())),
            Some(problem) => Err(Error::usage(format!("release name \"{name}\" is not valid: {problem}"))
                .hint("use lower-case letters, digits and dashes, for example --release obs")),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A namespace's name: a DNS-1123 label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace(String);

impl Namespace {
    /// Checks the name.
    pub fn new(name: &str) -> Result<Self> {
        match label_problem(name, 63) {
            None => Ok(Self(name.to_owned())),
            Some(problem) => Err(Error::usage(format!("namespace \"{name}\" is not valid: {problem}"))
                .hint("use lower-case letters, digits and dashes, for example -n observability")),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1123 label with a length limit; None when the name is one.
fn label_problem(name: &str, max: usize) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".into());
    }
    if name.len() > max {
        return Some(format!("it has {} characters, at most {max} are allowed", name.len()));
    }
    if let Some(c) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!("it contains {c:?}"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Some("it starts or ends with a dash".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kubernetes_would_refuse_are_refused_with_the_reason() {
        for (name, problem) in [
            ("", "it is empty"),
            ("Obs", "it contains 'O'"),
            ("my_obs", "it contains '_'"),
            ("a.b", "it contains '.'"),
            ("-obs", "it starts or ends with a dash"),
            ("abcdefghijklmnopqrstuvwxyz", "it has 26 characters, at most 25 are allowed"),
        ] {
            let error = ReleaseName::new(name).unwrap_err();
            assert_eq!(error.message(), format!("release name \"{name}\" is not valid: {problem}"));
        }
        assert_eq!(ReleaseName::new("obs-2").unwrap().as_str(), "obs-2");
    }
}
