//! The targets of a Prometheus: which are up, which have not been scraped since the change, which went
//! down with it, and what the scrape itself says. Pure over what `/api/v1/targets` answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::since::{Moment, seconds};
use crate::object::labels;
use crate::words::count;

/// Where to ask.
pub const PATH: &str = "/api/v1/targets?state=active";
/// So many are named, the others counted.
const NAMED: usize = 8;

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The job as the configuration names it.
    pub job: String,
    /// Its label `instance`.
    pub instance: String,
    /// The pod behind it.
    pub pod: Option<String>,
    /// The node that it belongs to.
    pub node: Option<String>,
    /// The component of a release whose pod it is.
    pub component: Option<String>,
    /// When it was scraped last, in seconds since 1970; None before the first time.
    pub scraped: Option<f64>,
    /// Did that succeed?
    pub up: bool,
    /// Why not, in Prometheus' own words.
    pub error: String,
    /// How often it is scraped, as Prometheus writes it.
    pub interval: String,
}

/// A target that is down, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Down {
    /// The job.
    pub job: String,
    /// Its label `instance`.
    pub instance: String,
    /// The pod behind it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What the scrape says.
    pub error: String,
}

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { job, instance, pod, error } = self;
        write!(f, "{job} {instance}")?;
        if let Some(pod) = pod.as_ref().filter(|pod| *pod != instance) {
            write!(f, " (pod {pod})")?;
        }
        write!(f, ": {}", if error.is_empty() { "no reason given" } else { error })
    }
}

impl Target {
    /// Job and instance: the same before and after a change.
    pub fn key(&self) -> (String, String) {
        (self.job.clone(), self.instance.clone())
    }

    /// For people.
    pub fn down(&self) -> Down {
        let Self { job, instance, pod, error, .. } = self;
        Down { job: job.clone(), instance: instance.clone(), pod: pod.clone(), error: error.clone() }
    }
}

/// The targets in an answer.
pub fn read(data: &Value) -> Vec<Target> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let component = discovered_label(labels::OBS_COMPONENT);
    let targets = data["activeTargets"].as_array().into_iter().flatten();
    targets
        .map(|target| Target {
            job: text(&target["scrapePool"]).or_else(|| text(&target["labels"]["job"])).unwrap_or_default(),
            instance: text(&target["labels"]["instance"]).unwrap_or_default(),
            pod: text(&target["labels"]["pod"])
                .or_else(|| text(&target["discoveredLabels"]["__meta_kubernetes_pod_name"])),
            node: text(&target["labels"]["node"]),
            component: text(&target["discoveredLabels"][&component]),
            scraped: target["lastScrape"].as_str().and_then(seconds),
            up: target["health"] == "up",
            error: text(&target["lastError"]).unwrap_or_default(),
            interval: text(&target["scrapeInterval"]).unwrap_or_default(),
        })
        .collect()
}

/// How Prometheus' discovery names a label of a pod.
fn discovered_label(label: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("__meta_kubernetes_pod_label_{}", label.chars().map(safe).collect::<String>())
}

/// What the targets say about the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All are up: how many, and how many more are on nodes that are not ready.
    Up(usize, usize),
    /// Not all were scraped since: what is awaited.
    Awaited(String),
    /// Some are down.
    Down {
        /// `4 of 6 targets went down since the change`
        what: String,
        /// Which, and why.
        which: Vec<String>,
        /// Does waiting not help?
        hopeless: bool,
    },
}

/// What else is known.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The targets that were up before.
    pub up: BTreeSet<(String, String)>,
    /// The nodes that are not ready.
    pub dead: BTreeSet<String>,
    /// The ready pods of the components that the change touched: Prometheus learns of pods that come and
    /// go a few seconds later.
    pub pods: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Is it a target of a pod that is gone, though Prometheus does not know yet?
    fn is_gone(&self, target: &Target) -> bool {
        let pods = target.component.as_ref().and_then(|component| self.pods.get(component));
        pods.zip(target.pod.as_ref()).is_some_and(|(pods, pod)| !pods.contains(pod))
    }

    /// The pods that Prometheus does not know yet, of components of which it still knows pods that are
    /// gone. Not all pods of a component need be scraped.
    fn missing(&self, gone: &[&Target], ours: &[&Target]) -> Vec<&str> {
        let stale =
            |component: &String| gone.iter().any(|target| target.component.as_ref() == Some(component));
        let pods = self.pods.iter().filter(|(component, _)| stale(component)).flat_map(|(_, pods)| pods);
        let known = |pod: &&String| ours.iter().any(|target| target.pod.as_ref() == Some(*pod));
        pods.filter(|pod| !known(pod)).map(String::as_str).collect()
    }
}

/// Judges the targets of `jobs`, and others that were up before and whose job was changed.
pub fn judge(targets: &[Target], jobs: &[&str], moment: &Moment, known: &Known) -> Verdict {
    let Known { up, dead, .. } = known;
    let ours = |target: &&Target| {
        jobs.contains(&target.job.as_str()) || moment.changed(&target.job) && up.contains(&target.key())
    };
    let (gone, ours): (Vec<&Target>, Vec<&Target>) =
        targets.iter().filter(ours).partition(|target| known.is_gone(target));
    let all: Vec<&Target> = gone.iter().chain(&ours).copied().collect();
    let seen = |target: &&&Target| {
        let since = moment.of_target(&target.job, target.component.as_deref());
        target.scraped.is_some_and(|scraped| scraped > since)
    };
    let (seen, unseen): (Vec<&Target>, Vec<&Target>) = ours.iter().partition(|target| seen(target));
    let on_dead_node = |target: &Target| target.node.as_ref().is_some_and(|node| dead.contains(node));
    let (excused, down): (Vec<&Target>, Vec<&Target>) =
        seen.iter().filter(|target| !target.up).partition(|target| on_dead_node(target));
    if !down.is_empty() {
        // those that are yet to be scraped may have to be named too
        let hopeless = unseen.is_empty()
            && down.iter().any(|target| {
                stays(&target.error) && target.scraped.is_some_and(|scraped| scraped > moment.asked)
            });
        return Verdict::Down { what: headline(&down, ours.len(), up), which: named(&down), hopeless };
    }
    let missing = jobs.iter().filter(|job| moment.jobs.contains(**job));
    let mut missing: Vec<&str> =
        missing.filter(|job| !all.iter().any(|target| target.job == **job)).copied().collect();
    missing.extend(known.missing(&gone, &ours));
    if !missing.is_empty() {
        return Verdict::Awaited(format!("no target is known yet of {}", missing.join(", ")));
    }
    if unseen.is_empty() {
        return Verdict::Up(seen.len() - excused.len(), excused.len());
    }
    let jobs: BTreeSet<&str> = unseen.iter().map(|target| target.job.as_str()).collect();
    let intervals: BTreeSet<&str> = unseen.iter().map(|target| target.interval.as_str()).collect();
    let every = intervals.into_iter().collect::<Vec<_>>().join(" or ");
    let jobs = jobs.into_iter().collect::<Vec<_>>().join(", ");
    Verdict::Awaited(format!(
        "{} of {} scraped since the change; awaited: {jobs} (every {every})",
        ours.len() - unseen.len(),
        count(ours.len(), "target")
    ))
}

fn headline(down: &[&Target], total: usize, up: &BTreeSet<(String, String)>) -> String {
    let fell = down.iter().filter(|target| up.contains(&target.key())).count();
    let of = format!("of {}", count(total, "target"));
    match fell {
        0 => format!("{} {of} {} down", down.len(), if down.len() == 1 { "is" } else { "are" }),
        fell if fell == down.len() => format!("{fell} {of} went down since the change"),
        fell => format!("{} {of} are down, {fell} of them since the change", down.len()),
    }
}

fn named(down: &[&Target]) -> Vec<String> {
    let mut lines: Vec<String> = down.iter().map(|target| target.down().to_string()).collect();
    lines.sort();
    if lines.len() > NAMED + 1 {
        let more = lines.len() - NAMED;
        lines.truncate(NAMED);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Errors that the next scrape repeats: limits and certificates.
fn stays(error: &str) -> bool {
    ["limit exceeded", "x509:", "unsupported Content-Type"].iter().any(|sign| error.contains(sign))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::since::Touched;
    use super::*;
    use crate::ops::reload::Reloaded;

    fn target(job: &str, scraped: Option<f64>, error: &str) -> Target {
        Target {
            job: job.into(),
            instance: "worker-1".into(),
            pod: None,
            node: Some("worker-1".into()),
            component: None,
            scraped,
            up: error.is_empty() && scraped.is_some(),
            error: error.into(),
            interval: "10s".into(),
        }
    }

    fn keys(targets: &[Target]) -> BTreeSet<(String, String)> {
        targets.iter().map(Target::key).collect()
    }

    const JOBS: [&str; 2] = ["kubelet", "node-exporter"];

    #[test]
    fn a_scrape_from_before_proves_nothing_of_what_changed() {
        let moment = Moment::sample(Touched::default(), Some(Reloaded::sample(&["kubelet"], false)));
        let old = [target("kubelet", Some(80.0), ""), target("node-exporter", Some(80.0), "")];
        let awaited = "1 of 2 targets scraped since the change; awaited: kubelet (every 10s)";
        assert_eq!(judge(&old, &JOBS, &moment, &Known::default()), Verdict::Awaited(awaited.into()));
        let new = [target("kubelet", Some(95.0), ""), target("node-exporter", Some(80.0), "")];
        assert_eq!(judge(&new, &JOBS, &moment, &Known::default()), Verdict::Up(2, 0));
        let unchanged = Moment::sample(Touched::default(), None);
        assert_eq!(judge(&old, &JOBS, &unchanged, &Known::default()), Verdict::Up(2, 0));
        let never = [target("kubelet", None, ""), target("node-exporter", Some(80.0), "")];
        assert!(matches!(judge(&never, &JOBS, &unchanged, &Known::default()), Verdict::Awaited(_)));
        let missing = Verdict::Awaited("no target is known yet of kubelet".into());
        assert_eq!(judge(&old[1..], &JOBS, &unchanged, &Known::default()), missing);
    }

    #[test]
    fn what_went_down_is_named_with_the_words_of_the_scrape() {
        let moment = Moment::sample(Touched::default(), Some(Reloaded::sample(&["kubelet", "app"], false)));
        let before = [target("kubelet", Some(80.0), ""), target("app", Some(80.0), "")];
        let known = Known { up: keys(&before), ..Known::default() };
        let after = [
            target("kubelet", Some(101.0), "sample limit exceeded"),
            target("node-exporter", Some(99.0), ""),
            target("app", Some(99.0), "connection refused"),
            target("other", Some(99.0), "connection refused"),
        ];
        let verdict = judge(&after, &JOBS, &moment, &known);
        let Verdict::Down { what, which, hopeless } = verdict else { panic!("{verdict:?}") };
        assert_eq!(what, "2 of 3 targets went down since the change");
        assert_eq!(which, ["app worker-1: connection refused", "kubelet worker-1: sample limit exceeded"]);
        assert!(hopeless);
        // the node is known to be gone
        let known = Known { dead: ["worker-1".to_owned()].into(), ..known };
        assert!(matches!(judge(&after[..2], &JOBS, &moment, &known), Verdict::Up(1, 1)));
    }

    #[test]
    fn a_pod_that_was_replaced_is_not_what_is_asked_for() {
        let touched = Touched { components: ["node-exporter".to_owned()].into(), all: false };
        let moment = Moment::sample(touched, None);
        let of_pod = |pod: &str| Target {
            component: Some("node-exporter".into()),
            pod: Some(pod.into()),
            ..target("node-exporter", Some(105.0), "")
        };
        let pods = [("node-exporter".to_owned(), ["new".to_owned()].into())].into();
        let known = Known { pods, ..Known::default() };
        let kubelet = target("kubelet", Some(1.0), "");
        let judge = |targets: &[Target]| judge(targets, &JOBS, &moment, &known);
        let awaited = Verdict::Awaited("no target is known yet of new".into());
        assert_eq!(judge(&[kubelet.clone(), of_pod("old")]), awaited);
        assert_eq!(judge(&[kubelet.clone(), of_pod("old"), of_pod("new")]), Verdict::Up(2, 0));
        assert_eq!(judge(&[kubelet, of_pod("new")]), Verdict::Up(2, 0));
    }

    #[test]
    fn targets_are_read_as_prometheus_tells_them() {
        let data = json!({"activeTargets": [{
            "discoveredLabels": {"__meta_kubernetes_pod_label_kubectl_obs_dev_component": "node-exporter", "__meta_kubernetes_pod_name": "obs-node-exporter-x"},
            "labels": {"instance": "worker-1", "job": "node-exporter", "node": "worker-1"},
            "scrapePool": "node-exporter", "lastError": "connection refused", "lastScrape": "1970-01-01T00:01:30Z",
            "health": "down", "scrapeInterval": "10s"}]});
        let read = read(&data);
        assert_eq!(
            read[0].down().to_string(),
            "node-exporter worker-1 (pod obs-node-exporter-x): connection refused"
        );
        assert_eq!((read[0].scraped, read[0].component.as_deref()), (Some(90.0), Some("node-exporter")));
    }
}
