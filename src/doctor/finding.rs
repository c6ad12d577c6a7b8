//! What a check finds, and what becomes of all that was found.

use serde::Serialize;

use super::change::Since;
use super::suppress::Suppressed;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not arrive, or will not when it is needed.
    Fail,
    /// It works, and will not for long, or not for all.
    Warn,
    /// Worth knowing.
    Info,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check's id.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong with what.
    pub title: String,
    /// The components that it is about; none: the whole release.
    pub about: Vec<String>,
    /// How it is known.
    pub evidence: Vec<String>,
    /// What to do: words, or commands.
    pub fix: Vec<String>,
    /// What else was found and follows from it.
    pub follows: Vec<Consequence>,
}

/// What follows from a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Consequence {
    /// The check's id.
    pub id: &'static str,
    /// What it found.
    pub title: String,
    /// The components that it is about; none: the whole release.
    #[serde(skip)]
    pub about: Vec<String>,
}

/// Adds lines that show something; at most eight of them are kept, the others counted, and empty ones left out.
pub fn show(shown: &mut Vec<String>, lines: impl IntoIterator<Item = String>) {
    const MOST: usize = 8;
    let mut lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    shown.extend(lines);
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
}

impl Finding {
    /// Of a severity and about the whole release, until told otherwise. The id comes from the check.
    pub fn new(severity: Severity, title: impl Into<String>) -> Self {
        Self {
            id: "",
            severity,
            title: title.into(),
            about: Vec::new(),
            evidence: Vec::new(),
            fix: Vec::new(),
            follows: Vec::new(),
        }
    }

    /// [`Severity::Fail`]
    pub fn fail(title: impl Into<String>) -> Self {
        Self::new(Severity::Fail, title)
    }

    /// [`Severity::Warn`]
    pub fn warn(title: impl Into<String>) -> Self {
        Self::new(Severity::Warn, title)
    }

    /// [`Severity::Info`]
    pub fn info(title: impl Into<String>) -> Self {
        Self::new(Severity::Info, title)
    }

    /// It is about this component.
    pub fn about(mut self, component: impl Into<String>) -> Self {
        self.about.push(component.into());
        self
    }

    /// Lines that show it ([`show`]).
    pub fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        show(&mut self.evidence, lines);
        self
    }

    /// What to do.
    pub fn fix(mut self, line: impl Into<String>) -> Self {
        self.fix.push(line.into());
        self
    }

    /// In few words.
    pub fn short(self) -> Consequence {
        Consequence { id: self.id, title: self.title, about: self.about }
    }
}

/// A check that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its id.
    pub id: &'static str,
    /// Why.
    pub reason: String,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// When it was looked at, RFC 3339.
    pub taken_at: String,
    /// What is wrong: root causes, the gravest first, each with what follows from it.
    pub findings: Vec<Finding>,
    /// The ids of the checks that found nothing.
    pub passed: Vec<&'static str>,
    /// The checks that were not made.
    pub skipped: Vec<Skipped>,
    /// What was found and is suppressed.
    pub suppressed: Vec<Suppressed>,
    /// Entries of the list of suppressions that are over, though what they are about is not.
    pub expired: Vec<String>,
    /// What changed since an earlier look, where there is one to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

impl Diagnosis {
    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// All that was found, root causes and what follows from them alike.
    pub fn all(&self) -> Vec<Consequence> {
        let each = |finding: &Finding| [vec![finding.clone().short()], finding.follows.clone()].concat();
        self.findings.iter().flat_map(each).collect()
    }

    /// Was the check of this id made, as far as it was chosen?
    pub fn ran(&self, id: &str) -> bool {
        !self.skipped.iter().any(|skipped| skipped.id == id)
    }
}
