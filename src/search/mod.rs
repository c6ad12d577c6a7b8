//! What people look for in the logs: one small language, and what it becomes in those of the stores.
//!
//! ```text
//!  what was typed ─► parse ─► Query ─┬─► logql  ─► Loki
//!                                    └─► lucene ─► OpenSearch, Elasticsearch
//!  what they answer ─► answer ─► Line ─► histogram, shown
//! ```
//!
//! A query is a list of conditions that must all hold. What a person typed is what the query means, whatever
//! characters are in it: nothing typed is ever syntax of a store's language. Pure.

pub mod answer;
pub mod follow;
pub mod histogram;
pub mod level;
pub mod logql;
pub mod lucene;
mod parse;
mod regular;
pub mod shown;
pub mod span;

pub use parse::{BadQuery, parse};

/// Most lines that are asked for.
pub const MOST: usize = 100_000;

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The conditions.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// A text stands in the line, or does not; capitals do not count.
    Text {
        /// The text.
        text: Pattern,
        /// Must it stand there?
        wanted: bool,
    },
    /// A regular expression finds something in the line, or does not.
    Line {
        /// The expression.
        regex: String,
        /// Must it find something?
        wanted: bool,
    },
    /// The level, in the one form that all levels have, is one of these, or none of these.
    Level {
        /// The levels.
        levels: Vec<level::Level>,
        /// Is a line without a level meant as well?
        none: bool,
        /// Must it be one of them?
        wanted: bool,
    },
    /// A field has a value.
    Field {
        /// Its name as it was typed.
        key: String,
        /// What must hold.
        test: Test,
        /// Must it hold, or must it not?
        wanted: bool,
    },
}

/// What must hold for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is this. Empty: it is not there.
    Is(Pattern),
    /// A regular expression fits the whole of it.
    Fits(String),
    /// It is a number in this relation to the other.
    Number(Relation, String),
}

/// A relation between numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `>`
    Above,
    /// `>=`
    From,
    /// `<`
    Below,
    /// `<=`
    UpTo,
}

impl Relation {
    /// As both languages write it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::From => ">=",
            Self::Below => "<",
            Self::UpTo => "<=",
        }
    }

    /// The one that holds of a number when this does not.
    pub fn opposite(self) -> Self {
        match self {
            Self::Above => Self::UpTo,
            Self::From => Self::Below,
            Self::Below => Self::From,
            Self::UpTo => Self::Above,
        }
    }
}

/// A text, or its parts where something may stand in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// At least one; what stands before the first and after the last counts as well.
    parts: Vec<String>,
}

impl Pattern {
    /// Exactly this text.
    pub fn exact(text: impl Into<String>) -> Self {
        Self { parts: vec![text.into()] }
    }

    /// A text in which `*` stands for anything.
    pub fn wild(text: &str) -> Self {
        let mut parts: Vec<String> = Vec::new();
        let all: Vec<&str> = text.split('*').collect();
        for (at, part) in all.iter().enumerate() {
            // several in a row are one
            if part.is_empty() && at > 0 && at + 1 < all.len() {
                continue;
            }
            parts.push((*part).to_owned());
        }
        Self { parts }
    }

    /// The text, where nothing may stand in between.
    pub fn as_exact(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// The parts.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Anything at all, as long as it is there.
    pub fn is_anything(&self) -> bool {
        self.parts.len() > 1 && self.parts.iter().all(String::is_empty)
    }
}

/// The language of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Loki's.
    LogQl,
    /// The one of OpenSearch and Elasticsearch.
    Lucene,
}

/// What a store's language cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsayable {
    /// Why, as a sentence.
    pub why: String,
    /// What to do.
    pub hint: String,
}

impl Query {
    /// The query in a store's language.
    pub fn in_language(&self, language: Language) -> Result<String, Unsayable> {
        match language {
            Language::LogQl => logql::query(self),
            Language::Lucene => lucene::query(self),
        }
    }
}

#[cfg(test)]
mod tests;
