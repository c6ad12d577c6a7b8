//! The doctor, pure: from a [`Snapshot`] to a [`Diagnosis`]. Each check is a function that reads the snapshot
//! and says what is wrong; this module runs those that were chosen and can be made, and folds what follows from
//! something else below it.

pub mod change;
mod checks;
mod finding;
pub mod queries;
pub mod redact;
pub mod report;
pub mod snapshot;
pub mod suppress;
#[cfg(test)]
mod tests;

pub use checks::scrape_advice;
pub use finding::{Consequence, Diagnosis, Finding, Severity, Skipped, show};
pub use snapshot::{Asked, Snapshot};
use suppress::{Suppression, Verdict};

/// What a check needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The caller's rights.
    Rights,
    /// The namespaces of the release.
    Namespaces,
    /// The nodes.
    Nodes,
    /// The storage classes.
    StorageClasses,
    /// APIs of other servers.
    ApiServices,
    /// Admission webhooks.
    Webhooks,
    /// The release and its components.
    Status,
    /// Its objects, compared.
    Drift,
    /// Other releases.
    Namesakes,
    /// Its pods.
    Pods,
    /// Its volume claims.
    Claims,
    /// A Prometheus that answers.
    Prometheus,
    /// An Alertmanager that answers.
    Alertmanager,
    /// A Grafana that answers.
    Grafana,
    /// A release that collects logs.
    Fluentd,
    /// A release that stores them in Loki.
    Loki,
    /// A release that stores them as documents.
    Documents,
    /// The Services and Ingresses of the release.
    Services,
    /// Who of the release is an administrator of the cluster.
    Admins,
    /// The version of the API server.
    Version,
    /// Whether the cluster's DNS has somebody who answers.
    Dns,
}

/// A check: a question with its answer's meaning.
pub struct Check {
    /// `MX05`
    pub id: &'static str,
    /// What it asks, as a statement that holds when all is well.
    pub title: &'static str,
    /// What it means when it does not hold.
    pub why: &'static str,
    /// How to see it by hand.
    pub verify: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Without these it is skipped.
    pub needs: &'static [Need],
    /// What it finds follows from what these find, where both are about the same.
    pub follows: &'static [&'static str],
    /// Reads the snapshot.
    pub run: fn(&Snapshot) -> Vec<Finding>,
}

/// All checks, in the order of blame: cluster, release, pods, storage, then what flows through them.
pub fn all() -> impl Iterator<Item = &'static Check> {
    checks::ALL.iter().flat_map(|theme| theme.iter())
}

/// The check of an id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id.eq_ignore_ascii_case(id))
}

/// Is a check meant by one of these: its id, or its theme (`MX`)?
pub fn is_meant(check: &Check, words: &[String]) -> bool {
    let theme = &check.id[..2];
    words.iter().any(|word| word.eq_ignore_ascii_case(check.id) || word.eq_ignore_ascii_case(theme))
}

/// What is to be checked and told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// These checks alone; all where it is empty.
    pub only: &'a [String],
    /// But not these.
    pub skip: &'a [String],
    /// What is known, and not told.
    pub suppressions: &'a [Suppression],
}

/// Makes the checks that are chosen.
pub fn diagnose(snapshot: &Snapshot, choice: &Choice<'_>) -> Diagnosis {
    let mut found: Vec<(&Check, Finding)> = Vec::new();
    let (mut passed, mut skipped) = (Vec::new(), Vec::new());
    let (mut suppressed, mut expired) = (Vec::new(), Vec::new());
    let now = snapshot.taken_at.parse().ok();
    for check in all().filter(|check| choice.only.is_empty() || is_meant(check, choice.only)) {
        if is_meant(check, choice.skip) {
            continue;
        }
        if let Some(reason) = check.needs.iter().find_map(|need| lacking(snapshot, *need)) {
            skipped.push(Skipped { id: check.id, reason });
            continue;
        }
        let findings = (check.run)(snapshot);
        if findings.is_empty() {
            passed.push(check.id);
        }
        for finding in findings {
            match Suppression::judge(choice.suppressions, check.id, &finding, now) {
                Verdict::Suppressed(one) => {
                    suppressed.push(one);
                    continue;
                }
                Verdict::Over(words) if !expired.contains(&words) => expired.push(words),
                Verdict::Over(_) | Verdict::Told => {}
            }
            found.push((check, Finding { id: check.id, ..finding }));
        }
    }
    Diagnosis {
        release: snapshot.release.clone(),
        namespace: snapshot.namespace.clone(),
        taken_at: snapshot.taken_at.clone(),
        findings: fold(found),
        passed,
        skipped,
        suppressed,
        expired,
        since: None,
    }
}

/// Puts what follows from something else below it.
fn fold(found: Vec<(&Check, Finding)>) -> Vec<Finding> {
    let causes: Vec<Option<usize>> = found
        .iter()
        .enumerate()
        .map(|(place, (check, finding))| {
            let explains = |(other, (_, cause)): &(usize, &(&Check, Finding))| {
                *other != place && check.follows.contains(&cause.id) && share(finding, cause)
            };
            found.iter().enumerate().find(explains).map(|(other, _)| other)
        })
        .collect();
    // a chain ends at its root; one that would go round ends where it began
    let root = |place: usize| {
        let mut at = place;
        for _ in 0..found.len() {
            match causes[at] {
                Some(next) if next != place => at = next,
                _ => break,
            }
        }
        at
    };
    let roots: Vec<usize> = (0..found.len()).map(root).collect();
    let mut findings: Vec<Option<Finding>> = found.into_iter().map(|(_, finding)| Some(finding)).collect();
    for place in 0..findings.len() {
        if roots[place] == place {
            continue;
        }
        let Some(finding) = findings[place].take() else { continue };
        if let Some(cause) = &mut findings[roots[place]] {
            cause.follows.push(finding.short());
        }
    }
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Are both about the same? What is about no component is about all.
fn share(finding: &Finding, cause: &Finding) -> bool {
    cause.about.is_empty() || finding.about.iter().any(|about| cause.about.contains(about))
}

/// Why a check cannot be made.
fn lacking(snapshot: &Snapshot, need: Need) -> Option<String> {
    let without = |component: &str, why: Option<&str>| {
        why.map(|why| match snapshot.has(component) {
            true => format!("{component} does not answer: {why}"),
            false => format!("{component} is not part of the release"),
        })
    };
    match need {
        Need::Rights => snapshot.rights.why().map(str::to_owned),
        Need::Namespaces => snapshot.namespaces.why().map(str::to_owned),
        Need::Nodes => snapshot.nodes.why().map(str::to_owned),
        Need::StorageClasses => snapshot.storage_classes.why().map(str::to_owned),
        Need::ApiServices => snapshot.api_services.why().map(str::to_owned),
        Need::Webhooks => snapshot.dead_webhooks.why().map(str::to_owned),
        Need::Status => snapshot.status.why().map(str::to_owned),
        Need::Drift => snapshot.drift.why().map(str::to_owned),
        Need::Namesakes => snapshot.namesakes.why().map(str::to_owned),
        Need::Pods => snapshot.pods.why().map(str::to_owned),
        Need::Claims => snapshot.claims.why().map(str::to_owned),
        Need::Prometheus => {
            let silent = || {
                let replicas = snapshot.prometheus.answer()?;
                match snapshot.first_prometheus() {
                    Some(_) => None,
                    None => replicas.iter().find_map(|one| one.targets.why()).or(Some("it has no ready pod")),
                }
            };
            without("prometheus", snapshot.prometheus.why().or_else(silent))
        }
        Need::Alertmanager => without("alertmanager", snapshot.alertmanager.why()),
        Need::Grafana => without("grafana", snapshot.grafana.why()),
        Need::Fluentd => absent(snapshot, &["fluentd"]),
        Need::Loki => absent(snapshot, &["loki"]),
        Need::Documents => absent(snapshot, &["elasticsearch", "opensearch"]),
        Need::Services => snapshot.services.why().map(str::to_owned),
        Need::Admins => snapshot.admins.why().map(str::to_owned),
        Need::Version => snapshot.version.why().map(str::to_owned),
        Need::Dns => snapshot.dns.why().map(str::to_owned),
    }
}

/// None of these components is there.
fn absent(snapshot: &Snapshot, any: &[&str]) -> Option<String> {
    let there = any.iter().any(|component| snapshot.has(component));
    (!there).then(|| format!("{} is not part of the release", any.join(" or ")))
}
