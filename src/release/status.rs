//! The states of a revision.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a revision. The words are API: they are label values on records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// An install has begun.
    PendingInstall,
    /// An upgrade has begun.
    PendingUpgrade,
    /// A rollback has begun.
    PendingRollback,
    /// This revision is what runs.
    Deployed,
    /// A later revision took over.
    Superseded,
    /// The operation failed or was interrupted.
    Failed,
    /// An uninstall has begun.
    Uninstalling,
    /// Uninstalled with `--keep-history`.
    Uninstalled,
}

impl Status {
    /// All states with their words.
    const WORDS: [(Self, &'static str); 8] = [
        (Self::PendingInstall, "pending-install"),
        (Self::PendingUpgrade, "pending-upgrade"),
        (Self::PendingRollback, "pending-rollback"),
        (Self::Deployed, "deployed"),
        (Self::Superseded, "superseded"),
        (Self::Failed, "failed"),
        (Self::Uninstalling, "uninstalling"),
        (Self::Uninstalled, "uninstalled"),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(status, _)| *status == self).map_or("unknown", |(_, word)| word)
    }

    /// Does an operation stand behind it that has not ended?
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback | Self::Uninstalling
        )
    }

    /// Was its revision deployed at some time?
    pub fn was_deployed(self) -> bool {
        matches!(self, Self::Deployed | Self::Superseded)
    }

    /// What it becomes when a later revision is deployed; None when it stays what it is.
    pub fn once_followed(self) -> Option<Self> {
        match self {
            Self::Deployed => Some(Self::Superseded),
            pending if pending.is_pending() => Some(Self::Failed),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::WORDS.iter().find(|(_, w)| *w == word).map(|(status, _)| *status).ok_or(())
    }
}
