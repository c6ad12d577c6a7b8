//! Levels in the one form that the stack gives them (`detected_level`), and the words of applications for
//! them, as `charts/fluentd/files/plugins/filter_obs_record.rb` knows them.

use super::Relation;

/// A level, from the least to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `trace`
    Trace,
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `warn`
    Warn,
    /// `error`
    Error,
    /// `fatal`
    Fatal,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.words()[0]
    }

    /// Its name, and what applications call it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Trace => &["trace", "finest", "finer", "trc", "silly"],
            Self::Debug => &["debug", "dbg", "fine", "verbose", "d"],
            Self::Info => &["info", "information", "informational", "inf", "notice", "i", "log", "http"],
            Self::Warn => &["warn", "warning", "wrn", "w"],
            Self::Error => &["error", "err", "eror", "severe", "e", "failure"],
            Self::Fatal => {
                &["fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "f", "ftl", "dpanic"]
            }
        }
    }

    /// What somebody calls it; capitals do not count.
    pub fn of(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        Self::ALL.into_iter().find(|level| level.words().contains(&word.as_str()))
    }

    /// Those for which one of their words fits.
    pub fn that_fit(fits: impl Fn(&str) -> bool) -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.words().iter().any(|word| fits(word))).collect()
    }

    /// Those in this relation to it.
    pub fn related(self, relation: Relation) -> Vec<Self> {
        let holds = |other: &Self| match relation {
            Relation::Above => *other > self,
            Relation::From => *other >= self,
            Relation::Below => *other < self,
            Relation::UpTo => *other <= self,
        };
        Self::ALL.into_iter().filter(holds).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_known_once() {
        let mut words: Vec<&str> = Level::ALL.iter().flat_map(|level| level.words()).copied().collect();
        for word in &words {
            assert!(Level::of(&word.to_uppercase()).is_some(), "{word}");
        }
        words.sort_unstable();
        let number = words.len();
        words.dedup();
        assert_eq!(words.len(), number);
        assert_eq!(Level::of("WARNING"), Some(Level::Warn));
        assert_eq!(Level::of("loud"), None);
        assert_eq!(Level::Warn.related(Relation::From), [Level::Warn, Level::Error, Level::Fatal]);
    }

    #[test]
    fn the_collector_knows_the_same_words() {
        let plugin = include_str!("../../charts/fluentd/files/plugins/filter_obs_record.rb");
        let table = plugin.split("LEVELS = {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
        let mut known = 0;
        for pair in table.split(',') {
            let mut words = pair.split('"').skip(1).step_by(2);
            let (Some(word), Some(level)) = (words.next(), words.next()) else { continue };
            assert_eq!(Level::of(word).map(Level::name), Some(level), "{word}");
            known += 1;
        }
        assert_eq!(known, Level::ALL.iter().map(|level| level.words().len()).sum::<usize>());
    }
}
