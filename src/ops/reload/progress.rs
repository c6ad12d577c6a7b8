//! How far is a pod with its changed configuration? What it says of the one before must not be taken for
//! what it says of this one.

use tokio::time::{Duration, Instant};

use super::refused::{self, Refusal};
use super::served::serves;
use super::{Reload, Reloaded, Source, metrics, served_by};
use crate::error::{Error, Result};
use crate::ops::{Context, live};

/// For so long after a nudge a refusal in the words of the one before may be that of what was there
/// before: Prometheus tries again and again, and a kubelet takes some seconds to bring the files.
const SAME_WORDS: Duration = Duration::from_secs(25);
/// The same where the kubelet was not nudged.
const SAME_WORDS_LATER: Duration = Duration::from_secs(120);
/// A pod that serves what was applied and has complained of nothing for so long did not have to reload:
/// what an operation undoes may never have reached it. Longer than Prometheus' usual interval of 30 s.
const QUIET: Duration = Duration::from_secs(75);
/// How far a pod is.
pub enum State {
    /// It is gone, or not ready: somebody else's business.
    Gone,
    /// It took it over.
    Reloaded(Reloaded),
    /// It does not take it.
    Refused(Error),
    /// What is awaited.
    Awaited(String),
}

/// What was seen of a pod while it was awaited.
pub struct Seen {
    begun: Instant,
    /// Its last refusal.
    last: Option<Refusal>,
    /// Since when there was no other.
    quiet_since: Instant,
}

impl Seen {
    /// From now on.
    pub fn new(begun: Instant) -> Self {
        Self { begun, last: None, quiet_since: begun }
    }

    /// Is this refusal about what was applied, and not about what was there before?
    fn is_new(&mut self, reload: &Reload, line: &Refusal) -> bool {
        if self.last.as_ref() != Some(line) {
            self.last = Some(line.clone());
            self.quiet_since = Instant::now();
        }
        let Some(before) = &reload.refused else { return true };
        if reload.before.is_none() {
            // nothing was applied: what it said holds
            return true;
        }
        let patience = if reload.nudged { SAME_WORDS } else { SAME_WORDS_LATER };
        // who repeats himself even then speaks of what is there now
        before.reasons != line.reasons || self.quiet_since >= self.begun + patience
    }
}

/// Looks at one pod.
pub async fn state(ctx: &Context<'_>, reload: &Reload, source: Source<'_>, seen: &mut Seen) -> Result<State> {
    let Reload { namespace, pod, component, before, config, .. } = reload;
    if !live::ready_pods(ctx, namespace, component).await?.contains(pod) {
        return Ok(State::Gone);
    }
    let awaited = |why: &str| Ok(State::Awaited(why.to_owned()));
    let (at, successful) = match metrics(ctx, namespace, pod).await {
        Ok(Some(found)) => found,
        Ok(None) => return awaited("it shows no reload metrics"),
        Err(why) => return awaited(&why),
    };
    if !successful
        && let Some(line) = refused::last(ctx, namespace, pod).await
        && seen.is_new(reload, &line)
    {
        return Ok(State::Refused(refused::error(reload, &line, source)));
    }
    let loaded = match served_by(ctx, namespace, pod).await {
        Ok(loaded) => loaded,
        Err(why) => return awaited(&why),
    };
    let right = config.as_ref().is_none_or(|config| serves(config, &loaded.config));
    let settled = config.is_some() && right && seen.quiet_since.elapsed() >= QUIET;
    if !successful && !settled {
        return awaited("its last reload failed, the old configuration still holds");
    }
    if before.is_some_and(|before| at <= before) && !settled {
        return awaited("it has not reloaded yet");
    }
    if !right {
        return awaited("it serves another configuration than the applied one");
    }
    let jobs = loaded.changed_since(&reload.loaded);
    let (namespace, pod) = (namespace.clone(), pod.clone());
    Ok(State::Reloaded(Reloaded { namespace, pod, at, jobs, rules: reload.rules }))
}

#[cfg(test)]
mod tests {
    use super::super::Loaded;
    use super::*;

    fn refusal(time: &str, reason: &str) -> Refusal {
        Refusal { text: format!("{time} {reason}"), reasons: vec![reason.to_owned()] }
    }

    fn reload(refused: Option<Refusal>, changes: bool) -> Reload {
        Reload {
            namespace: "obs".into(),
            pod: "obs-prometheus-0".into(),
            component: "prometheus".into(),
            before: changes.then_some(1.0),
            at: 1.0,
            refused,
            loaded: Loaded::default(),
            config: None,
            rules: false,
            nudged: true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_refusal_of_what_was_there_before_is_not_that_of_what_is_applied() {
        let begun = Instant::now();
        let mut seen = Seen { begun, last: None, quiet_since: begun };
        assert!(seen.is_new(&reload(None, true), &refusal("1", "field a")), "there was none before");
        let again = reload(Some(refusal("1", "field a")), true);
        assert!(!seen.is_new(&again, &refusal("2", "field a")), "Prometheus tries every few seconds");
        assert!(seen.is_new(&again, &refusal("3", "field b")), "other words");
        assert!(
            seen.is_new(&reload(Some(refusal("1", "field a")), false), &refusal("2", "field a")),
            "nothing was applied"
        );
        tokio::time::advance(Duration::from_secs(30)).await;
        let mut seen = Seen { begun, last: Some(refusal("3", "field a")), quiet_since: begun };
        assert!(!seen.is_new(&again, &refusal("3", "field a")), "it said no more");
        assert!(seen.is_new(&again, &refusal("9", "field a")), "it still says so");
    }
}
