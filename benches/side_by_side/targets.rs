//! What we want to see, row by row.

/// What a row is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// Ours is at most this part of the peer's.
    OfPeer(f64),
    /// Ours is at most this, in the row's unit.
    AtMost(f64),
    /// Ours is at most so many times that of another row, unless the floor grows faster.
    Times(f64, &'static str),
}

use Target::{AtMost, OfPeer, Times};

const TARGETS: [(&str, Target); 22] = [
    ("version", OfPeer(0.4)),
    ("version-memory", OfPeer(0.5)),
    ("install-100", OfPeer(0.45)),
    ("install-100-memory", OfPeer(0.5)),
    ("upgrade-one", OfPeer(0.15)),
    ("upgrade-one-memory", OfPeer(0.5)),
    ("upgrade-noop", OfPeer(0.08)),
    ("upgrade-noop-memory", OfPeer(0.5)),
    ("rollback", OfPeer(0.3)),
    ("rollback-memory", OfPeer(0.5)),
    ("uninstall", OfPeer(0.45)),
    ("uninstall-memory", OfPeer(0.5)),
    // four times the objects
    ("install-400", Times(4.0, "install-100-10k")),
    ("install-400-memory", Times(4.0, "install-100-10k-memory")),
    ("install-1600", Times(4.0, "install-400")),
    // 150 MB
    ("install-1600-memory", AtMost(143.0)),
    ("readiness-latency", AtMost(300.0)),
    ("list-500x10", OfPeer(0.1)),
    ("list-500x10-memory", OfPeer(0.15)),
    // nine tenths of kubectl's rate
    ("port-forward-200mb", OfPeer(1.0 / 0.9)),
    ("port-forward-200-parallel", AtMost(0.0)),
    // 40 MB
    ("port-forward-memory", AtMost(38.0)),
];

/// The target of a row, if it has one.
pub(crate) fn of(row: &str) -> Option<Target> {
    TARGETS.iter().find(|(name, _)| *name == row).map(|(_, target)| *target)
}
