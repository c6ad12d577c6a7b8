//! What is known while waiting: the awaited objects, their pods, and what events and claims tell of
//! them. Judges whether waiting still helps. No requests are sent from here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::Evidence;
use crate::cluster::WatchEvent;
use crate::event::{ComponentState, Event, Observer};
use crate::object::{Kind, Object, ObjectId, builtin, labels};
use crate::ops::{live, why};
use crate::readiness::explain::{Cause, Explanation, Gathered, Logs, explain};
use crate::readiness::pods::GONE;
use crate::readiness::{self, Readiness};

/// How long a hopeless state must last before it is believed: what was just applied may still arrive.
const GRACE: Duration = Duration::from_secs(4);
/// Changes that come within this are reported together.
const TOGETHER: Duration = Duration::from_millis(100);
/// Far away, but within what a timer can hold.
const NEVER: Duration = Duration::from_secs(86_400);

/// What is known while waiting.
pub(super) struct Board {
    targets: BTreeMap<ObjectId, Target>,
    pods: BTreeMap<ObjectId, Value>,
    claims: BTreeMap<ObjectId, Value>,
    events: BTreeMap<ObjectId, Value>,
    /// Events that tell of the present attempt.
    telling: BTreeSet<ObjectId>,
    evidence: Evidence,
    /// Namespaces whose events of before have all been seen.
    synced: BTreeSet<Option<String>>,
    shown: BTreeMap<String, (ComponentState, String, String)>,
    start: Instant,
    /// When something changed that was not looked at yet.
    changed: Option<Instant>,
    /// What waiting cannot help, as of the last report.
    hopeless: Vec<Explanation>,
    hopeless_since: Option<Instant>,
    /// What was missing and is there by now.
    pardoned: BTreeSet<ObjectId>,
    /// StorageClasses: a claim whose class binds at first use, and that nobody uses, is no reason to
    /// wait. None where they cannot be read or do not matter.
    pub classes: Option<Vec<Value>>,
    /// What watches complained about, each once.
    pub trouble: BTreeSet<String>,
}

struct Target {
    component: String,
    live: Option<Value>,
    readiness: Readiness,
    /// Does it go by itself when it is done?
    goes_by_itself: bool,
    /// It is gone, and whether it did its work was not seen: its uid, if that was.
    end_unseen: Option<Option<String>>,
}

impl Target {
    /// It is not there any more. One that goes by itself ended as it was last seen, and keeps the
    /// live state that explains a failure; what a relist says of it is too little for that.
    fn gone(&mut self, last: &Value) {
        if !self.goes_by_itself {
            self.readiness = Readiness::Progressing("it was deleted".into());
            self.live = None;
            return;
        }
        let now = readiness::readiness(last);
        if !matches!(now, Readiness::Progressing(_)) {
            self.readiness = now;
            self.live = Some(last.clone());
        }
        match self.readiness {
            Readiness::Ready => self.live = None,
            Readiness::Failed(_) => {}
            Readiness::Progressing(_) => {
                self.end_unseen = Some(last["metadata"]["uid"].as_str().map(str::to_owned));
            }
        }
    }
}

impl Board {
    pub fn new<'a>(awaited: impl Iterator<Item = &'a Object>, evidence: Evidence) -> Self {
        let target = |object: &Object| Target {
            component: object.label(labels::OBS_COMPONENT).unwrap_or_default().to_owned(),
            live: None,
            readiness: Readiness::Progressing("not seen yet".into()),
            goes_by_itself: readiness::vanishes_when_done(object.value()),
            end_unseen: None,
        };
        Self {
            targets: awaited.map(|object| (object.id(), target(object))).collect(),
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            events: BTreeMap::new(),
            telling: BTreeSet::new(),
            evidence,
            synced: BTreeSet::new(),
            shown: BTreeMap::new(),
            start: Instant::now(),
            changed: None,
            hopeless: Vec::new(),
            hopeless_since: None,
            pardoned: BTreeSet::new(),
            classes: None,
            trouble: BTreeSet::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub fn has(&self, id: &ObjectId) -> bool {
        self.targets.contains_key(id)
    }

    pub fn waits_for(&self, kind: &str) -> bool {
        self.targets.keys().any(|id| id.kind == kind)
    }

    pub fn all_ready(&self) -> bool {
        self.targets.values().all(|target| target.readiness == Readiness::Ready)
    }

    pub fn pods(&self) -> &BTreeMap<ObjectId, Value> {
        &self.pods
    }

    /// Takes in what the watch of a kind in a namespace says.
    pub fn take(&mut self, kind: &Kind, namespace: Option<&str>, event: WatchEvent) {
        let (mut value, gone) = match event {
            WatchEvent::Applied(value) => (value, false),
            WatchEvent::Deleted(value) => (value, true),
            WatchEvent::Synced => {
                if *kind == builtin::events() {
                    self.synced.insert(namespace.map(str::to_owned));
                }
                self.missed(kind, namespace);
                return;
            }
        };
        self.changed.get_or_insert_with(Instant::now);
        let id = live::id_of(kind, &value);
        if let Some(target) = self.targets.get_mut(&id) {
            if gone {
                target.gone(&value);
            } else {
                let classes = self.classes.as_deref().unwrap_or_default();
                let around = readiness::Context { storage_classes: classes, pods: &[] };
                target.readiness = readiness::readiness_in(&value, &around);
                target.live = Some(value.clone());
                target.end_unseen = None;
            }
        }
        // the pods of what goes by itself go with it, and one that failed tells why: by how it ended,
        // not by its going
        let kept = *kind == builtin::pods() && self.tells_of_a_failure(&id, &value);
        if kept && let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("deletionTimestamp");
            value[GONE] = Value::Bool(gone);
        }
        let gone = gone && !kept;
        let new = self.evidence == Evidence::All || self.synced.contains(&id.namespace);
        let map = match () {
            () if *kind == builtin::pods() => &mut self.pods,
            () if *kind == builtin::claims() => &mut self.claims,
            () if *kind == builtin::events() => {
                if new && !gone {
                    self.telling.insert(id.clone());
                }
                &mut self.events
            }
            () => return,
        };
        if gone {
            map.remove(&id)
        } else {
            map.insert(id, value)
        };
    }

    /// All of a kind was reported: what goes by itself and was not among it came and went unseen.
    fn missed(&mut self, kind: &Kind, namespace: Option<&str>) {
        for (id, target) in &mut self.targets {
            let here = id.kind == kind.kind && id.group == kind.group && id.namespace.as_deref() == namespace;
            if here && target.goes_by_itself && target.live.is_none() && !target.readiness.is_ready() {
                target.end_unseen.get_or_insert(None);
            }
        }
    }

    fn tells_of_a_failure(&self, id: &ObjectId, pod: &Value) -> bool {
        let owner = &pod["metadata"]["ownerReferences"][0];
        let failed = pod["status"]["phase"] == "Failed";
        failed
            && self.targets.iter().any(|(target, how)| {
                how.goes_by_itself
                    && target.namespace == id.namespace
                    && owner["kind"] == target.kind.as_str()
                    && owner["name"] == target.name.as_str()
            })
    }

    /// What is gone without anybody having seen how it ended, each once; with its uid, if known.
    pub fn ends_unseen(&mut self) -> Vec<(ObjectId, Option<String>)> {
        let ends = self.targets.iter_mut();
        ends.filter_map(|(id, target)| Some((id.clone(), target.end_unseen.take()?))).collect()
    }

    /// What was found out about one of them.
    pub fn ended(&mut self, id: &ObjectId, readiness: Readiness) {
        if let Some(target) = self.targets.get_mut(id) {
            target.readiness = readiness;
            self.changed.get_or_insert_with(Instant::now);
        }
    }

    pub fn components(&self) -> BTreeSet<&str> {
        self.targets.values().map(|target| target.component.as_str()).collect()
    }

    /// Did something change that was not looked at yet?
    pub fn has_news(&self) -> bool {
        self.changed.is_some()
    }

    /// When what changed is looked at.
    pub fn next_report(&self) -> Instant {
        self.changed.map_or_else(|| Instant::now() + NEVER, |changed| changed + TOGETHER)
    }

    /// Looks at what changed: sends an event for each component whose state did, and judges whether
    /// waiting still helps.
    pub fn report(&mut self, observer: &dyn Observer) {
        self.changed = None;
        let known = self.explanations(Evidence::All);
        let components: Vec<String> = self.components().into_iter().map(str::to_owned).collect();
        for name in components {
            let now = self.component(&name, &known);
            if self.shown.get(&name) == Some(&now) {
                continue;
            }
            let (state, ready, why) = now.clone();
            self.shown.insert(name.clone(), now);
            let seconds = self.start.elapsed().as_secs_f64();
            observer.event(Event::Component { name, state, ready, why, seconds });
        }
        self.hopeless = match self.evidence {
            Evidence::All => known,
            Evidence::New => self.explanations(Evidence::New),
        }
        .into_values()
        .filter(|explanation| explanation.hopeless)
        .filter(|explanation| explanation.missing.as_ref().is_none_or(|id| !self.pardoned.contains(id)))
        .collect();
        let hopeless = !self.hopeless.is_empty()
            || self.targets.values().any(|target| matches!(target.readiness, Readiness::Failed(_)));
        self.hopeless_since =
            if hopeless { self.hopeless_since.or_else(|| Some(Instant::now())) } else { None };
    }

    fn component(
        &self,
        name: &str,
        known: &BTreeMap<ObjectId, Explanation>,
    ) -> (ComponentState, String, String) {
        let targets: Vec<&Target> = self.targets.values().filter(|t| t.component == name).collect();
        let counts = readiness::total(targets.iter().filter_map(|target| target.live.as_ref()));
        let mut state = ComponentState::Ready;
        let mut why = String::new();
        for target in targets {
            match &target.readiness {
                Readiness::Ready => {}
                Readiness::Progressing(reason) => {
                    if state == ComponentState::Ready {
                        state = ComponentState::Starting;
                        why.clone_from(reason);
                    }
                }
                Readiness::Failed(reason) => {
                    state = ComponentState::Failed;
                    why.clone_from(reason);
                }
            }
        }
        if state == ComponentState::Starting {
            let own = self.targets.iter().filter(|(_, target)| target.component == name);
            let mut explained = own.filter_map(|(id, _)| known.get(id));
            if let Some(explanation) = explained.find(|explanation| explanation.cause != Cause::Waiting) {
                why.clone_from(&explanation.short);
            } else if let Some(reason) = self.pods_of(name).find_map(why::pod_reason) {
                why = reason;
            }
        }
        (state, counts, why)
    }

    fn pods_of(&self, component: &str) -> impl Iterator<Item = &Value> {
        let component = component.to_owned();
        self.pods
            .values()
            .filter(move |pod| pod["metadata"]["labels"][labels::OBS_COMPONENT] == component.as_str())
    }

    /// Why each object that is there is not ready.
    fn explanations(&self, evidence: Evidence) -> BTreeMap<ObjectId, Explanation> {
        let explained =
            |(id, target): (&ObjectId, &Target)| Some((id.clone(), self.explanation(id, target, evidence)?));
        self.targets.iter().filter_map(explained).collect()
    }

    /// Why one object is not ready; None for one that is, or is not there.
    fn explanation(&self, id: &ObjectId, target: &Target, evidence: Evidence) -> Option<Explanation> {
        let live = target.live.as_ref().filter(|_| target.readiness != Readiness::Ready)?;
        let here = |other: &ObjectId| other.namespace == id.namespace;
        // pods, ReplicaSets and claims carry their workload's name, or a volume's before it
        let about = |event: &Value| {
            ["involvedObject", "regarding"].iter().filter_map(|field| event[field]["name"].as_str()).any(
                |name| {
                    name.contains(id.name.as_str())
                        || event["involvedObject"]["kind"] == "PersistentVolumeClaim"
                },
            )
        };
        let counts = |event: &ObjectId| evidence == Evidence::All || self.telling.contains(event);
        let events = self.events.iter().filter(|(event, value)| here(event) && counts(event) && about(value));
        let events: Vec<Value> = events.map(|(_, value)| value.clone()).collect();
        let claims = self.claims.iter().filter(|(claim, _)| here(claim));
        let claims: Vec<Value> = claims.map(|(_, value)| value.clone()).collect();
        let pods = self.pods.values().filter(|pod| why::belongs(pod, id, &target.component));
        let pods: Vec<Value> = pods.cloned().collect();
        Some(explain(&Gathered {
            component: &target.component,
            workload: live,
            pods: &pods,
            events: &events,
            claims: &claims,
            storage_classes: self.classes.as_deref(),
            nodes: None,
            logs: &Logs::new(),
            now: jiff::Timestamp::now(),
        }))
    }

    /// What all hopeless objects wait for, when it is nothing but things that are missing.
    pub fn missing(&self) -> BTreeSet<ObjectId> {
        if self.targets.values().any(|target| matches!(target.readiness, Readiness::Failed(_))) {
            return BTreeSet::new();
        }
        let all: Option<BTreeSet<ObjectId>> =
            self.hopeless.iter().map(|explanation| explanation.missing.clone()).collect();
        all.unwrap_or_default()
    }

    /// What was missing is there: nothing is hopeless for its sake.
    pub fn pardon(&mut self, id: ObjectId) {
        self.pardoned.insert(id);
        self.hopeless_since = None;
        self.changed.get_or_insert_with(Instant::now);
    }

    /// When to give up for a reason that stays.
    pub fn patience_ends(&self) -> Instant {
        self.hopeless_since.map_or_else(|| Instant::now() + NEVER, |since| since + GRACE)
    }

    /// The objects that are not ready, with their live state and reason.
    pub fn unready(&self) -> Vec<why::Unready> {
        self.targets
            .iter()
            .filter_map(|(id, target)| match &target.readiness {
                Readiness::Ready => None,
                Readiness::Progressing(reason) | Readiness::Failed(reason) => Some(why::Unready {
                    id: id.clone(),
                    component: target.component.clone(),
                    live: target.live.clone(),
                    reason: reason.clone(),
                }),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Silent;
    use serde_json::json;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "obs-x", "namespace": "o", "generation": 1, "labels": {labels::OBS_COMPONENT: "x"}},
            "spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "replicas": 0},
        })
    }

    fn refusal() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "FailedCreate",
            "metadata": {"name": "e", "namespace": "o"},
            "involvedObject": {"kind": "ReplicaSet", "name": "obs-x-5d4", "namespace": "o"},
            "message": "Error creating: pods \"obs-x-5d4-\" is forbidden: error looking up service account o/x: \
                        serviceaccount \"x\" not found",
        })
    }

    fn board(evidence: Evidence) -> Board {
        let object = Object::new(deployment()).unwrap();
        let mut board = Board::new([&object].into_iter(), evidence);
        board.take(
            &Kind::namespaced("apps", "Deployment", "deployments"),
            Some("o"),
            WatchEvent::Applied(deployment()),
        );
        board
    }

    fn event(board: &mut Board, event: WatchEvent) -> bool {
        board.take(&builtin::events(), Some("o"), event);
        board.report(&Silent);
        board.hopeless_since.is_some()
    }

    #[test]
    fn what_was_refused_before_is_no_evidence_after_a_change() {
        let mut changed = board(Evidence::New);
        assert!(!event(&mut changed, WatchEvent::Applied(refusal())));
        assert!(!event(&mut changed, WatchEvent::Synced));
        assert!(event(&mut changed, WatchEvent::Applied(refusal())), "refused again");
        assert!(event(&mut board(Evidence::All), WatchEvent::Applied(refusal())), "nothing was changed");
    }

    #[test]
    fn a_job_that_failed_and_went_by_itself_has_not_succeeded() {
        let kind = Kind::namespaced("batch", "Job", "jobs");
        let job = |conditions: Value| {
            json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "obs-j", "namespace": "o", "uid": "u", "labels": {labels::OBS_COMPONENT: "j"}},
                "spec": {"ttlSecondsAfterFinished": 0},
                "status": {"conditions": conditions},
            })
        };
        let is = |kind: &str| json!([{"type": kind, "status": "True", "message": "too many failures"}]);
        let object = Object::new(job(json!([]))).unwrap();
        let board = || Board::new([&object].into_iter(), Evidence::All);
        let readiness = |board: &Board| board.targets.values().next().unwrap().readiness.clone();
        let stub = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "obs-j", "namespace": "o", "uid": "u"}});
        let failed = Readiness::Failed("too many failures".into());
        for (seen, last, expected) in [
            (Some(is("Failed")), job(is("Failed")), Some(failed.clone())),
            (None, job(is("Failed")), Some(failed.clone())),
            (Some(is("Failed")), stub.clone(), Some(failed)),
            (Some(json!([])), job(is("Complete")), Some(Readiness::Ready)),
            (Some(is("Complete")), stub.clone(), Some(Readiness::Ready)),
            (Some(json!([])), stub.clone(), None),
        ] {
            let mut board = board();
            if let Some(conditions) = seen {
                board.take(&kind, Some("o"), WatchEvent::Applied(job(conditions)));
            }
            board.take(&kind, Some("o"), WatchEvent::Deleted(last));
            let unseen = board.ends_unseen();
            match expected {
                Some(expected) => assert_eq!((readiness(&board), unseen), (expected, vec![])),
                None => assert_eq!(unseen, [(object.id(), Some("u".into()))], "somebody has to find out"),
            }
        }
        let mut board = board();
        board.take(&kind, Some("o"), WatchEvent::Synced);
        assert_eq!(board.ends_unseen(), [(object.id(), None)], "it came and went before the watch");
    }

    #[test]
    fn what_came_late_is_pardoned() {
        let mut board = board(Evidence::All);
        assert!(event(&mut board, WatchEvent::Applied(refusal())));
        let missing = board.missing();
        assert_eq!(missing.iter().map(ObjectId::to_string).collect::<Vec<_>>(), ["ServiceAccount o/x"]);
        for id in missing {
            board.pardon(id);
        }
        board.report(&Silent);
        assert!(board.hopeless_since.is_none());
    }
}
