//! Several components are not ready: often for one reason, and some only because others are not.

use super::{Cause, Explanation};

/// Orders explanations from the root outwards and folds what follows into one line,
/// `3 more wait for this: kubectl obs status`. Two components with the same cause, evidence and
/// fix are one; those without a cause of their own wait for the others.
pub fn fold(explanations: Vec<Explanation>) -> Vec<Explanation> {
    let mut all = explanations;
    // Stable: components keep the order of the bundle within a class.
    all.sort_by_key(|e| (!e.hopeless, e.cause));
    let mut roots: Vec<(Explanation, usize)> = Vec::new();
    for next in all {
        let same = roots.iter_mut().find(|(root, _)| {
            // A fix that does not name the component helps both.
            let one_fix = root.cause == next.cause && root.hint.is_some() && root.hint == next.hint;
            let only_waits = next.cause == Cause::Waiting && !next.hopeless && root.cause != Cause::Waiting;
            one_fix || only_waits
        });
        match same {
            Some((_, followers)) => *followers += 1,
            None => roots.push((next, 0)),
        }
    }
    roots
        .into_iter()
        .map(|(mut root, followers)| {
            match followers {
                0 => {}
                1 => root.evidence.push("1 more waits for this: kubectl obs status".to_owned()),
                n => root.evidence.push(format!("{n} more wait for this: kubectl obs status")),
            }
            root
        })
        .collect()
}
