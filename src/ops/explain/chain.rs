//! A chain: the links that something passes on its way, in order, up to the first that is broken. What lies
//! behind that one is not looked at, since it would only say the same.

use serde::Serialize;

use crate::doctor::show;

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Holds,
    /// It holds, and something about it is worth a look.
    Warns,
    /// It could not be looked at.
    Unknown,
    /// The way ends here, and nothing is wrong: there is nothing to send on.
    Ends,
    /// It is broken.
    Broken,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// `AP08`
    pub id: &'static str,
    /// What became of it.
    pub state: State,
    /// What holds, or what is wrong.
    pub title: String,
    /// How that is known.
    pub evidence: Vec<String>,
    /// What to do.
    pub fix: Vec<String>,
}

impl Link {
    /// With nothing to show yet.
    pub fn new(id: &'static str, state: State, title: impl Into<String>) -> Self {
        Self { id, state, title: title.into(), evidence: Vec::new(), fix: Vec::new() }
    }

    /// [`State::Holds`]
    pub fn holds(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(id, State::Holds, title)
    }

    /// [`State::Warns`]
    pub fn warns(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(id, State::Warns, title)
    }

    /// [`State::Unknown`]
    pub fn unknown(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(id, State::Unknown, title)
    }

    /// [`State::Ends`]
    pub fn ends(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(id, State::Ends, title)
    }

    /// [`State::Broken`]
    pub fn broken(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(id, State::Broken, title)
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
}

/// The links that were looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// What it is about: `deployment shop/checkout`.
    pub about: String,
    /// The links, the first first. Where one is broken, or the way ends, it is the last.
    pub links: Vec<Link>,
}

impl Chain {
    /// Without a link yet.
    pub fn new(about: impl Into<String>) -> Self {
        Self { about: about.into(), links: Vec::new() }
    }

    /// Does the way go on? Behind a link that is broken nothing is added.
    pub fn goes_on(&self) -> bool {
        !self.links.iter().any(|link| matches!(link.state, State::Broken | State::Ends))
    }

    /// Adds a link, if the way goes on; says whether it still does.
    pub fn add(&mut self, link: Link) -> bool {
        if self.goes_on() {
            self.links.push(link);
        }
        self.goes_on()
    }

    /// The link that is broken.
    pub fn broken(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.state == State::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_what_is_broken_nothing_is_added() {
        let mut chain = Chain::new("deployment shop/web");
        assert!(chain.add(Link::holds("AP01", "it runs")));
        assert!(chain.add(Link::unknown("AP07", "nobody may say")));
        assert!(!chain.add(Link::broken("AP08", "a rule drops it")));
        assert!(!chain.add(Link::holds("AP11", "it is scraped")));
        let ids: Vec<&str> = chain.links.iter().map(|link| link.id).collect();
        assert_eq!(ids, ["AP01", "AP07", "AP08"]);
        assert_eq!(chain.broken().map(|link| link.id), Some("AP08"));
    }
}
