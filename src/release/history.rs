//! The revisions of a release, known from the metadata of their records alone.

use serde_json::{Value, json};

use std::collections::BTreeMap;

use super::{Found, Revision, Status};
use crate::object::labels;

/// Label on records: `header` or `chunk`.
pub const RECORD: &str = "kubectl-obs.dev/record";
/// Label on a header: the [`Status`].
pub const STATUS: &str = "kubectl-obs.dev/status";
/// Label on headers and chunks: the revision.
pub const REVISION: &str = "kubectl-obs.dev/revision";
/// Annotation: `stack 1.0.0`.
pub const BUNDLE: &str = "kubectl-obs.dev/bundle";
/// Annotation: when the revision was begun, RFC 3339.
pub const CREATED: &str = "kubectl-obs.dev/created";
/// Annotation: when its status last changed, RFC 3339.
pub const UPDATED: &str = "kubectl-obs.dev/updated";
/// Annotation: who began it, `alice@build-7`.
pub const BY: &str = "kubectl-obs.dev/by";
/// Annotation: what it was for, or why it failed.
pub const DESCRIPTION: &str = "kubectl-obs.dev/description";
/// Annotation on a header: how many chunks hold the record; 0 when it is in the header itself.
pub const CHUNKS: &str = "kubectl-obs.dev/chunks";
/// Annotation: names of the node-level components in it, so that another release can see them.
pub const NODE_LEVEL: &str = "kubectl-obs.dev/node-level-components";

/// Annotation: after how many seconds each component became ready, `grafana=25,prometheus=14`. Absent
/// where nothing was waited for, and on what versions before this one wrote.
pub const READY_AFTER: &str = "kubectl-obs.dev/ready-after";

/// Seconds from the beginning of the wait until a component was ready, by its name.
pub type ReadyAfter = BTreeMap<String, u32>;

/// What is usual comes from this many revisions.
const RECENT: usize = 5;

/// Type of a record's Secret.
pub const TYPE: &str = "kubectl-obs.dev/release.v1";

/// What a record's metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The release's namespace.
    pub namespace: String,
    /// The release.
    pub release: String,
    /// The revision.
    pub revision: Revision,
    /// Its state; None for a word that this version does not know.
    pub status: Option<Status>,
    /// The status as it stands on the record.
    pub status_word: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// RFC 3339
    pub created: String,
    /// RFC 3339
    pub updated: String,
    /// `alice@build-7`
    pub by: String,
    /// What it was for.
    pub description: String,
    /// Node-level components.
    pub node_level: Vec<String>,
    /// How long its components took to become ready.
    pub ready_after: ReadyAfter,
    /// For writes with a precondition.
    pub resource_version: String,
}

impl Header {
    /// The name of the Secret.
    pub fn secret_name(&self) -> String {
        secret_name(&self.release, self.revision)
    }

    /// Was the revision deployed at some time?
    pub fn was_deployed(&self) -> bool {
        self.status.is_some_and(Status::was_deployed)
    }

    /// The annotation for [`Header::ready_after`]; None when nothing is known.
    pub fn ready_after_text(&self) -> Option<String> {
        let parts: Vec<String> =
            self.ready_after.iter().map(|(name, after)| format!("{name}={after}")).collect();
        (!parts.is_empty()).then(|| parts.join(","))
    }

    /// Labels and annotations of the Secret.
    pub fn metadata(&self) -> Value {
        let mut metadata = json!({
            "name": self.secret_name(),
            "namespace": self.namespace,
            "labels": {
                labels::MANAGED_BY: labels::MANAGER,
                labels::RELEASE: self.release,
                labels::RELEASE_NAMESPACE: self.namespace,
                RECORD: "header",
                REVISION: self.revision.to_string(),
                STATUS: self.status_word,
            },
            "annotations": {
                BUNDLE: self.bundle,
                CREATED: self.created,
                UPDATED: self.updated,
                BY: self.by,
                DESCRIPTION: self.description,
                NODE_LEVEL: self.node_level.join(","),
            },
        });
        if let Some(text) = self.ready_after_text() {
            metadata["annotations"][READY_AFTER] = json!(text);
        }
        metadata
    }
}

/// `obs.<release>.v<revision>`
pub fn secret_name(release: &str, revision: Revision) -> String {
    format!("obs.{release}.v{revision}")
}

/// `obs.<release>.v<revision>.c<n>`, n from 1.
pub fn chunk_name(release: &str, revision: Revision, n: usize) -> String {
    format!("obs.{release}.v{revision}.c{n}")
}

/// The revisions of one release, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    headers: Vec<Header>,
    damage: Vec<Damage>,
}

/// What metadata shows to be wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// `namespace/name` of its Secret.
    pub secret: String,
    /// None for a Secret that is labelled as a record and is none.
    pub revision: Option<Revision>,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.revision {
            Some(_) => write!(f, "record {} is damaged: {}", self.secret, self.why),
            None => write!(f, "Secret {} is left out: {}", self.secret, self.why),
        }
    }
}

impl History {
    /// Sorts the headers of one release.
    pub fn new(mut headers: Vec<Header>) -> Self {
        headers.sort_by_key(|header| header.revision);
        Self { headers, damage: Vec::new() }
    }

    /// What was found of one release, damaged records among it.
    pub fn of(found: impl IntoIterator<Item = Found>) -> Self {
        let mut headers = Vec::new();
        let mut damage = Vec::new();
        for Found { namespace, name, header, damage: why, .. } in found {
            let revision = header.as_ref().map(|header| header.revision);
            damage.extend(why.map(|why| Damage { secret: format!("{namespace}/{name}"), revision, why }));
            headers.extend(header);
        }
        damage.sort_by_key(|damage| damage.revision);
        Self { damage, ..Self::new(headers) }
    }

    /// What metadata shows to be wrong, oldest revision first.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// What metadata shows to be wrong with one revision.
    pub fn damage_of(&self, revision: Revision) -> Option<&Damage> {
        self.damage.iter().find(|damage| damage.revision == Some(revision))
    }

    /// Oldest first.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The newest revision.
    pub fn latest(&self) -> Option<&Header> {
        self.headers.last()
    }

    /// The highest deployed revision counts, whatever a lower one says.
    pub fn deployed(&self) -> Option<&Header> {
        self.headers.iter().rev().find(|header| header.status == Some(Status::Deployed))
    }

    /// How long each component usually takes to become ready: the median over the newest revisions
    /// that know. The longer one of two.
    pub fn usually_ready_after(&self) -> ReadyAfter {
        let mut known: BTreeMap<&String, Vec<u32>> = BTreeMap::new();
        for (name, after) in self.headers.iter().rev().flat_map(|header| &header.ready_after) {
            let times = known.entry(name).or_default();
            if times.len() < RECENT {
                times.push(*after);
            }
        }
        let median = |mut times: Vec<u32>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        known.into_iter().map(|(name, times)| (name.clone(), median(times))).collect()
    }

    /// The number of the next revision.
    pub fn next(&self) -> Revision {
        self.latest().map_or(1, |header| header.revision + 1)
    }

    /// The prune baseline: the last deployed revision and every later one; all of them when none
    /// is deployed.
    pub fn baseline(&self) -> &[Header] {
        let from = self
            .deployed()
            .and_then(|deployed| self.headers.iter().position(|h| h.revision == deployed.revision))
            .unwrap_or(0);
        &self.headers[from..]
    }

    /// Where a rollback without a number goes: the highest revision before the newest one that was
    /// deployed.
    pub fn last_good(&self) -> Option<&Header> {
        let (_, earlier) = self.headers.split_last()?;
        earlier.iter().rev().find(|header| header.was_deployed())
    }

    /// Revisions that may go once one more is written, so that at most `limit` remain: the oldest
    /// first, never the deployed one. What failed revisions after it made is in the inventory of
    /// the new one.
    pub fn surplus(&self, limit: usize) -> Vec<&Header> {
        if limit == 0 {
            return Vec::new();
        }
        let deployed = self.deployed().map(|header| header.revision);
        let excess = (self.headers.len() + 1).saturating_sub(limit);
        self.headers.iter().filter(|header| Some(header.revision) != deployed).take(excess).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(states: &[(u32, Status)]) -> History {
        History::new(
            states
                .iter()
                .map(|(revision, status)| Header {
                    namespace: "observability".into(),
                    release: "obs".into(),
                    revision: *revision,
                    status: Some(*status),
                    status_word: status.to_string(),
                    bundle: "stack 1.0.0".into(),
                    created: "2026-01-01T00:00:00Z".into(),
                    updated: "2026-01-01T00:00:00Z".into(),
                    by: "alice@build-7".into(),
                    description: String::new(),
                    node_level: vec!["node-exporter".into()],
                    ready_after: ReadyAfter::new(),
                    resource_version: String::new(),
                })
                .collect(),
        )
    }

    #[test]
    fn a_header_survives_its_metadata() {
        let mut header = history(&[(3, Status::Deployed)]).headers()[0].clone();
        for times in [vec![], vec![("grafana", 25), ("prometheus", 14)]] {
            header.ready_after = times.into_iter().map(|(name, after)| (name.to_owned(), after)).collect();
            let metadata = serde_json::from_value(header.metadata()).unwrap();
            assert_eq!(Header::from_metadata(&metadata).as_ref(), Some(&header));
        }
        assert_eq!(header.metadata()["annotations"][READY_AFTER], "grafana=25,prometheus=14");
    }

    #[test]
    fn what_is_usual_is_the_median_of_the_newest_revisions_that_know() {
        let mut history = history(&[1, 2, 3, 4, 5, 6, 7, 8].map(|revision| (revision, Status::Superseded)));
        assert!(history.usually_ready_after().is_empty());
        for (header, after) in history.headers.iter_mut().zip([900, 20, 30, 0, 300, 25, 24, 0]) {
            if after > 0 {
                header.ready_after.insert("grafana".into(), after);
            }
        }
        history.headers[6].ready_after.insert("loki".into(), 8);
        let usual: Vec<(String, u32)> = history.usually_ready_after().into_iter().collect();
        assert_eq!(usual, [("grafana".to_owned(), 25), ("loki".to_owned(), 8)]);
    }

    #[test]
    fn the_baseline_is_the_last_deployed_revision_and_every_later_one() {
        use Status::*;
        let revisions = |states: &[(u32, Status)]| -> Vec<u32> {
            history(states).baseline().iter().map(|h| h.revision).collect()
        };
        assert_eq!(revisions(&[(1, Superseded), (2, Deployed), (3, Failed), (4, Failed)]), [2, 3, 4]);
        assert_eq!(revisions(&[(1, Failed), (2, PendingInstall)]), [1, 2]);
        // two deployed ones can stand after a crash: the higher one counts
        assert_eq!(revisions(&[(1, Deployed), (2, Deployed)]), [2]);
        assert!(revisions(&[]).is_empty());
    }

    #[test]
    fn retention_never_touches_the_deployed_revision() {
        use Status::*;
        let surplus = |states: &[(u32, Status)], limit| -> Vec<u32> {
            history(states).surplus(limit).iter().map(|h| h.revision).collect()
        };
        let many: Vec<_> = (1..=10).map(|r| (r, if r == 10 { Deployed } else { Superseded })).collect();
        assert_eq!(surplus(&many, 10), [1]);
        assert_eq!(surplus(&many, 0), [0u32; 0]);
        let failing: Vec<_> = (1..=10).map(|r| (r, if r == 1 { Deployed } else { Failed })).collect();
        assert_eq!(surplus(&failing, 10), [2]);
    }

    #[test]
    fn a_rollback_goes_to_the_last_revision_that_was_deployed() {
        use Status::*;
        let last_good = |states: &[(u32, Status)]| history(states).last_good().map(|header| header.revision);
        assert_eq!(last_good(&[(1, Superseded), (2, Deployed), (3, Failed)]), Some(2));
        assert_eq!(last_good(&[(1, Superseded), (2, Failed), (3, Deployed)]), Some(1));
        assert_eq!(last_good(&[(1, Failed), (2, Deployed)]), None);
        assert_eq!(last_good(&[]), None);
    }
}
