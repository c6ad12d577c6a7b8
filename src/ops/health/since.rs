//! Since when does an observation count? What a change touched (from the plan, and from what Prometheus
//! loaded) against Prometheus' own clock: this machine's clock is never compared with another.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::ops::Context;
use crate::ops::pod::{self, Place};
use crate::ops::reload::{Loaded, Reloaded};
use crate::plan::{Change, Plan, Step};

/// The component that scrapes and answers queries.
pub const PROMETHEUS: &str = "prometheus";

/// What a change touched, apart from what Prometheus reloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Components of which something was written that was there before: what was seen of them proves
    /// nothing now.
    pub components: BTreeSet<String>,
    /// Everything that is scraped: the rights of Prometheus changed, or an operation before this one
    /// did not come to its end.
    pub all: bool,
}

impl Touched {
    /// From a plan. `unfinished`: the revision before was not deployed, so that what it changed was not
    /// seen to work.
    pub fn of(plan: &Plan, unfinished: bool) -> Self {
        let mut touched = Self { all: unfinished, ..Self::default() };
        for step in plan.steps.iter().filter(|step| touches(step)) {
            touched.add(&step.component, step.object.kind(), plan);
        }
        for entry in plan.first.iter().chain(&plan.prune) {
            touched.add(&entry.component, &entry.kind, plan);
        }
        touched
    }

    fn add(&mut self, component: &str, kind: &str, plan: &Plan) {
        // of what is new nothing was seen before
        let new = plan.steps.iter().filter(|step| step.component == component);
        if new.clone().all(|step| step.change == Change::Create) && new.count() > 0 {
            return;
        }
        match (component, kind) {
            // who is restarted begins to look anew by itself, and pods are scraped, not Services
            (PROMETHEUS, "StatefulSet" | "Deployment" | "DaemonSet" | "Service") => {}
            (PROMETHEUS, _) => self.all = true,
            _ => {
                self.components.insert(component.to_owned());
            }
        }
    }
}

/// Is something written that can make a difference to what is scraped? What Prometheus reloads is
/// compared where it is loaded.
fn touches(step: &Step) -> bool {
    let only_ownership = matches!(&step.change, Change::Update(fields) if fields.is_empty());
    let reloaded =
        crate::ops::reload::is_reloadable(&step.object) && matches!(step.change, Change::Update(_));
    step.change.writes() && !only_ownership && !reloaded && step.object.kind() != "PodDisruptionBudget"
}

/// A Prometheus as it is after the change. Times are seconds since 1970 on its own clock.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When its process began.
    pub started: f64,
    /// When it was asked, after everything was ready.
    pub asked: f64,
    at: Instant,
    /// Its jobs.
    pub jobs: BTreeSet<String>,
    touched: Touched,
    reloaded: Option<Reloaded>,
}

impl Moment {
    /// Asks a Prometheus.
    pub async fn ask(
        ctx: &Context<'_>,
        place: &Place,
        touched: &Touched,
        reloads: &[Reloaded],
    ) -> Result<Self, String> {
        let now = pod::query(ctx, place, "time()", None).await?;
        let asked = now["result"][1].as_str().and_then(|text| text.parse().ok());
        let asked: f64 = asked.ok_or("it does not say what time it is")?;
        let at = Instant::now();
        let info = pod::api(ctx, place, "/api/v1/status/runtimeinfo").await?;
        let config = pod::api(ctx, place, "/api/v1/status/config").await?;
        let loaded = Loaded::read(config["yaml"].as_str().unwrap_or_default());
        let own = |reload: &&Reloaded| reload.namespace == place.namespace && reload.pod == place.pod;
        Ok(Self {
            started: info["startTime"].as_str().and_then(seconds).unwrap_or_default(),
            asked,
            at,
            jobs: loaded.jobs.into_keys().collect(),
            touched: touched.clone(),
            reloaded: reloads.iter().find(own).cloned(),
        })
    }

    /// Its clock now, rather too early than too late.
    fn now(&self) -> f64 {
        self.asked + self.at.elapsed().as_secs_f64()
    }

    /// Did the change touch this job's configuration?
    pub fn changed(&self, job: &str) -> bool {
        self.reloaded.as_ref().is_some_and(|reloaded| reloaded.jobs.contains(job))
    }

    /// A scrape of a target counts after this; of what was not touched any does.
    pub fn of_target(&self, job: &str, component: Option<&str>) -> f64 {
        let reloaded = self.reloaded.as_ref().filter(|reloaded| reloaded.jobs.contains(job));
        let own = component.is_some_and(|component| self.touched.components.contains(component));
        let written = if self.touched.all || own { self.asked } else { 0.0 };
        reloaded.map_or(0.0, |reloaded| reloaded.at).max(written)
    }

    /// A sample counts for a check after this. What the process before this one left proves nothing.
    fn of_query(&self, component: &str, query: &str) -> f64 {
        let own = self.touched.components.contains(component);
        let written = if self.touched.all || own { self.asked } else { 0.0 };
        let reloaded = self.reloaded.as_ref().filter(|reloaded| self.concerns(reloaded, query));
        self.started.max(written).max(reloaded.map_or(0.0, |reloaded| reloaded.at))
    }

    /// Can what was reloaded change the result of this query? One that names jobs is about these, one
    /// that names none may be about anything.
    fn concerns(&self, reloaded: &Reloaded, query: &str) -> bool {
        let names = |job: &String| query.contains(job.as_str());
        let about_rules = query.contains("ALERTS");
        match self.jobs.iter().any(names) && !about_rules {
            true => reloaded.jobs.iter().any(names),
            false => reloaded.rules || !about_rules && !reloaded.jobs.is_empty(),
        }
    }

    /// How many seconds a query may look back; None while there is nothing that counts.
    pub fn window(&self, component: &str, query: &str) -> Option<f64> {
        // as long as Prometheus looks back by itself
        const USUAL: f64 = 300.0;
        let window = self.now() - self.of_query(component, query);
        (window >= 0.01).then_some(window.min(USUAL))
    }
}

/// An RFC 3339 time in seconds since 1970; None for the zero time of Go, which means never.
pub fn seconds(text: &str) -> Option<f64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds are enough")]
    let seconds = time.as_microsecond() as f64 / 1e6;
    (seconds > 0.0).then_some(seconds)
}

#[cfg(test)]
impl Moment {
    /// Asked at 100, of a process that began at 10.
    pub(super) fn sample(touched: Touched, reloaded: Option<Reloaded>) -> Self {
        let jobs = ["kubelet", "node-exporter", "prometheus"].map(str::to_owned).into();
        Self { started: 10.0, asked: 100.0, at: Instant::now(), jobs, touched, reloaded }
    }
}

#[cfg(test)]
impl Reloaded {
    /// Of these jobs, at 90.
    pub(super) fn sample(jobs: &[&str], rules: bool) -> Self {
        Self {
            namespace: "obs".into(),
            pod: "obs-prometheus-0".into(),
            at: 90.0,
            jobs: jobs.iter().map(|job| (*job).to_owned()).collect(),
            rules,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{Object, labels};
    use crate::plan::{Live, Rules, plan};

    fn object(kind: &str, component: &str, more: serde_json::Value) -> Object {
        let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": format!("{component}-{kind}").to_lowercase(),
            "namespace": "obs", "labels": {labels::OBS_COMPONENT: component}}, "data": {"a": "old"}});
        if let (Some(value), Some(more)) = (value.as_object_mut(), more.as_object()) {
            value.extend(more.clone());
        }
        Object::new(value).expect("an object")
    }

    /// What a change of these touches, of a release that has all of them.
    fn touched(changed: &[(&str, &str)], new: &[(&str, &str)]) -> Touched {
        let all = [
            ("ConfigMap", PROMETHEUS),
            ("ClusterRole", PROMETHEUS),
            ("Service", PROMETHEUS),
            ("ConfigMap", "node-exporter"),
            ("PodDisruptionBudget", "node-exporter"),
            ("ConfigMap", "ksm"),
        ];
        let steps = all.iter().map(|(kind, component)| {
            let change = if changed.contains(&(*kind, *component)) {
                Change::Update(crate::diff::fields(
                    &json!({"a": 1}),
                    &json!({"a": 2}),
                    crate::diff::Scope::Exact,
                ))
            } else if new.contains(&(*kind, *component)) {
                Change::Create
            } else {
                Change::Unchanged
            };
            let mut made = plan(&[object(kind, component, json!({}))], &Live::new(), &[], &Rules::default());
            let mut step = made.steps.remove(0);
            step.change = change;
            step.component = (*component).to_owned();
            step
        });
        Touched::of(&Plan { steps: steps.collect(), ..Plan::default() }, false)
    }

    #[test]
    fn only_what_was_written_is_looked_at_anew() {
        let none = Touched::default();
        assert_eq!(touched(&[], &[]), none);
        assert_eq!(touched(&[("Service", PROMETHEUS), ("PodDisruptionBudget", "node-exporter")], &[]), none);
        let one = |name: &str| Touched { components: [name.to_owned()].into(), all: false };
        assert_eq!(touched(&[("ConfigMap", "node-exporter")], &[]), one("node-exporter"));
        assert_eq!(touched(&[("ClusterRole", PROMETHEUS)], &[]), Touched { all: true, ..none.clone() });
        // a component that was not there before was not seen before
        assert_eq!(touched(&[], &[("ConfigMap", "ksm")]), none);
        assert_eq!(
            touched(&[], &[("PodDisruptionBudget", "node-exporter"), ("ConfigMap", "node-exporter")]),
            none
        );
        assert_eq!(touched(&[], &[("ConfigMap", "node-exporter")]), one("node-exporter"));
        assert!(Touched::of(&Plan::default(), true).all);
    }

    #[test]
    fn a_target_is_scraped_anew_where_its_job_or_its_component_changed() {
        let nothing = Moment::sample(Touched::default(), None);
        assert_eq!(nothing.of_target("kubelet", None), 0.0);
        let config = Moment::sample(Touched::default(), Some(Reloaded::sample(&["kubelet"], false)));
        assert_eq!(config.of_target("kubelet", None), 90.0);
        assert_eq!(config.of_target("node-exporter", Some("node-exporter")), 0.0);
        let component = Touched { components: ["node-exporter".to_owned()].into(), all: false };
        let component = Moment::sample(component, None);
        assert_eq!(component.of_target("node-exporter", Some("node-exporter")), 100.0);
        assert_eq!(component.of_target("kubelet", None), 0.0);
    }

    #[test]
    fn a_query_sees_what_came_after_the_change_of_what_it_asks() {
        let alerts = "count(ALERTS{alertname=\"Watchdog\"})";
        let config = Moment::sample(Touched::default(), Some(Reloaded::sample(&["kubelet"], false)));
        assert_eq!(config.of_query(PROMETHEUS, "up{job=\"kubelet\"}"), 90.0);
        assert_eq!(config.of_query(PROMETHEUS, "up{job=\"node-exporter\"}"), 10.0);
        assert_eq!(config.of_query(PROMETHEUS, "count(up)"), 90.0);
        assert_eq!(config.of_query(PROMETHEUS, alerts), 10.0);
        let rules = Moment::sample(Touched::default(), Some(Reloaded::sample(&[], true)));
        assert_eq!(rules.of_query(PROMETHEUS, alerts), 90.0);
        assert_eq!(rules.of_query(PROMETHEUS, "up{job=\"kubelet\"}"), 10.0);
        let all = Moment::sample(Touched { all: true, ..Touched::default() }, None);
        assert_eq!(all.of_query(PROMETHEUS, alerts), 100.0);
        assert!(all.window(PROMETHEUS, alerts).is_none(), "nothing came since");
        assert!(config.window(PROMETHEUS, "count(up)").is_some_and(|window| (10.0..11.0).contains(&window)));
    }

    #[test]
    fn go_says_never_with_a_year() {
        assert_eq!(seconds("0001-01-01T00:00:00Z"), None);
        assert_eq!(seconds("1970-01-01T00:00:01.5+00:00"), Some(1.5));
    }
}
