//! What changed between two diagnoses. A finding is the same when check, components and words are, whatever the
//! numbers in them.

use serde::Serialize;

use super::{Consequence, Diagnosis, Finding};

/// What changed since an earlier look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// When that was, RFC 3339.
    pub taken_at: String,
    /// What is wrong now and was not then.
    pub new: Vec<Consequence>,
    /// What was wrong then and is not now.
    pub gone: Vec<Consequence>,
}

impl Since {
    /// Is it one of those that are new?
    pub fn is_new(&self, finding: &Finding) -> bool {
        self.new.iter().any(|new| new.id == finding.id && new.title == finding.title)
    }

    /// Did nothing change?
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }
}

/// Compares two diagnoses.
pub fn since(before: &Diagnosis, now: &Diagnosis) -> Since {
    let missing = |from: &Diagnosis, there: &Diagnosis| {
        let known = |finding: &&Finding| !there.findings.iter().any(|other| same(finding, other));
        let short = |finding: &Finding| Consequence { id: finding.id, title: finding.title.clone() };
        from.findings.iter().filter(known).map(short).collect()
    };
    Since { taken_at: before.taken_at.clone(), new: missing(now, before), gone: missing(before, now) }
}

fn same(one: &Finding, other: &Finding) -> bool {
    one.id == other.id && one.about == other.about && words(&one.title) == words(&other.title)
}

/// A text without its numbers, and without the s of a plural.
fn words(text: &str) -> Vec<String> {
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| c.is_ascii_digit() || "%.,".contains(c)));
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| if word == "is" { "are" } else { word }.trim_end_matches('s').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_new_finding() {
        let same = |a: &str, b: &str| words(a) == words(b);
        assert!(same("1 of 3 targets of job a down", "2 of 4 targets of job a down"));
        assert!(same("claim a is 81% full", "claim a is 93% full"));
        assert!(same("1 object is missing", "2 objects are missing"));
        assert!(!same("claim a is full", "claim b is full"));
    }
}
