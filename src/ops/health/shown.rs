//! Health as `status` shows it, in one line beside readiness.

use serde::Serialize;

use super::targets::{Down, Target};
use crate::words::count;

/// What Prometheus says of its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How many are up.
    pub up: usize,
    /// Of how many.
    pub targets: usize,
    /// How many were not scraped yet.
    pub unknown: usize,
    /// Which are down, and what the scrape says.
    pub down: Vec<Down>,
}

impl Health {
    /// Of the targets of these jobs; of all where nobody names any.
    pub fn of(targets: &[Target], jobs: Option<&[&str]>) -> Self {
        let ours = |target: &&Target| jobs.is_none_or(|jobs| jobs.contains(&target.job.as_str()));
        let ours: Vec<&Target> = targets.iter().filter(ours).collect();
        let down = |target: &&&Target| !target.up && target.scraped.is_some();
        let mut down: Vec<Down> = ours.iter().filter(down).map(|target| target.down()).collect();
        down.sort_by_key(Down::to_string);
        let unknown = ours.iter().filter(|target| target.scraped.is_none()).count();
        Self { up: ours.len() - down.len() - unknown, targets: ours.len(), unknown, down }
    }
}

impl std::fmt::Display for Health {
    /// `13 of 14 targets up; kubelet worker-2: connection refused`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} up", self.up, count(self.targets, "target"))?;
        if self.unknown > 0 {
            write!(f, "; {} not scraped yet", self.unknown)?;
        }
        match self.down.as_slice() {
            [] => Ok(()),
            [only] => write!(f, "; {only}"),
            [first, others @ ..] => write!(f, "; {first}; {} more down", others.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_one_line() {
        let target = |job: &str, scraped: Option<f64>, error: &str| Target {
            job: job.into(),
            instance: "worker-1".into(),
            pod: None,
            node: None,
            component: None,
            scraped,
            up: error.is_empty() && scraped.is_some(),
            error: error.into(),
            interval: "10s".into(),
        };
        let mut targets = vec![target("a", Some(1.0), ""), target("users", Some(1.0), "gone")];
        assert_eq!(Health::of(&targets, Some(&["a"])).to_string(), "1 of 1 target up");
        targets.push(target("a", None, ""));
        targets.push(target("a", Some(1.0), "sample limit exceeded"));
        let health = Health::of(&targets, Some(&["a"]));
        let text = "1 of 3 targets up; 1 not scraped yet; a worker-1: sample limit exceeded";
        assert_eq!(health.to_string(), text);
        let down = Down {
            job: "a".into(),
            instance: "worker-1".into(),
            pod: None,
            error: "sample limit exceeded".into(),
        };
        assert_eq!(health.down, [down]);
        let all = Health::of(&targets, None).to_string();
        assert!(all.ends_with("a worker-1: sample limit exceeded; 1 more down"), "{all}");
    }
}
