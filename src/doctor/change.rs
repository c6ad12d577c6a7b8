//! What changed between two diagnoses. A finding is the same when check, components and words are, whatever the
//! numbers in them, and whether it was told by itself or below its cause.

use serde::Serialize;

use super::suppress::Suppressed;
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
    /// Is it one of those that are new, or does one of them follow from it?
    pub fn is_new(&self, finding: &Finding) -> bool {
        let new = |id: &str, title: &str| self.new.iter().any(|new| new.id == id && new.title == title);
        new(finding.id, &finding.title) || finding.follows.iter().any(|one| new(one.id, &one.title))
    }

    /// Did nothing change?
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }
}

/// Compares two diagnoses. What a check found that was not made this time is not known to be gone, and what was
/// suppressed was there.
pub fn since(before: &Diagnosis, now: &Diagnosis) -> Since {
    let missing = |from: &Diagnosis, there: &Diagnosis| -> Vec<Consequence> {
        let known = [there.all(), suppressed(there)].concat();
        from.all().into_iter().filter(|one| !known.iter().any(|other| same(one, other))).collect()
    };
    let mut gone = missing(before, now);
    gone.retain(|one| now.ran(one.id));
    Since { taken_at: before.taken_at.clone(), new: missing(now, before), gone }
}

fn suppressed(diagnosis: &Diagnosis) -> Vec<Consequence> {
    let short =
        |one: &Suppressed| Consequence { id: one.id, title: one.title.clone(), about: one.about.clone() };
    diagnosis.suppressed.iter().map(short).collect()
}

fn same(one: &Consequence, other: &Consequence) -> bool {
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
