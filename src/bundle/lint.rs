//! Lint: what is wrong or unwise in a bundle although it loads. [`lint`] looks at the files,
//! [`rendered`] at the objects of the default rendering. Both are pure.

mod objects;
mod scalars;
mod secrets;
mod usage;

use std::fmt;

pub use objects::{images, rendered};
pub use secrets::{Probe, probes};

use super::Bundle;
use crate::render::Engine;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not work, or not as written.
    Error,
    /// It works, but will surprise someone.
    Warning,
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// As shown in messages, for example `stack/prometheus/values.yaml`.
    pub file: String,
    /// From 1, where there is one.
    pub line: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, ": {severity}: {}", self.message)
    }
}

/// Collects findings about one bundle.
struct Findings<'a> {
    bundle: &'a Bundle,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, severity: Severity, path: &str, line: Option<u32>, message: impl Into<String>) {
        let file = format!("{}/{path}", self.bundle.label());
        self.list.push(Finding { file, line, severity, message: message.into() });
    }
}

/// Findings about the files of a bundle and its components, sorted.
pub fn lint(bundle: &Bundle) -> Vec<Finding> {
    let mut out: Vec<Finding> = std::iter::once(bundle)
        .chain(bundle.components().map(|(_, component)| component))
        .flat_map(files)
        .collect();
    out.sort();
    out.dedup();
    out
}

fn files(bundle: &Bundle) -> Vec<Finding> {
    let mut findings = Findings { bundle, list: Vec::new() };
    metadata(&mut findings);
    scalars::check(&mut findings);
    match Engine::new(bundle) {
        Ok(engine) => usage::check(&mut findings, &engine),
        Err(err) => {
            // the message begins with file and line already
            let (place, message) = err.message().split_once(": ").unwrap_or(("", err.message()));
            let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
            let (file, line, message) = (file.to_owned(), line.parse().ok(), message.to_owned());
            findings.list.push(Finding { file, line, severity: Severity::Error, message });
        }
    }
    findings.list
}

fn metadata(findings: &mut Findings) {
    let bundle = findings.bundle;
    let meta = bundle.meta();
    if meta.description.is_empty() {
        findings.add(Severity::Warning, "bundle.yaml", None, "there is no description");
    }
    if meta.kube_version.is_none() {
        findings.add(
            Severity::Warning,
            "bundle.yaml",
            None,
            "there is no kubeVersion: say with which versions of Kubernetes it works",
        );
    }
    if bundle.schema().is_none() && bundle.defaults().as_object().is_some_and(|map| !map.is_empty()) {
        let message = "is missing: misspelled values are not noticed without it";
        findings.add(Severity::Warning, "values.schema.json", None, message);
    }
    if !bundle.label().contains('/') && bundle.text("NOTES.txt").is_none() {
        findings.add(
            Severity::Warning,
            "NOTES.txt",
            None,
            "is missing: it tells people what to do after the install",
        );
    }
    for (reference, component) in bundle.components() {
        let mounted = bundle.mounts().iter().any(|mount| mount.component == component.name());
        if reference.with.is_none()
            && !mounted
            && !component.defaults().as_object().is_some_and(serde_json::Map::is_empty)
        {
            let message = format!(
                "component {} has neither `with` nor a \"bundle:{0}\" in the schema: nobody can set its values",
                component.name()
            );
            findings.add(Severity::Warning, "bundle.yaml", None, message);
        }
    }
}
