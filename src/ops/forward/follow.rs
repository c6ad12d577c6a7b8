//! The choice of the pod. A lane stays with its pod while that is ready, and goes to the newest
//! ready one otherwise. Pods are watched, so that a new one is known when it becomes ready.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lane::{Lane, Pod, State};
use super::target::ui_port;
use crate::cluster::{Cluster, WatchEvent};
use crate::object::builtin;
use crate::readiness::{Readiness, readiness};

/// How long a new watch may take before a doubt ends it, at first and at most.
const DOUBT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// Keeps a lane on a ready pod, for ever. The watch begins anew after a pause of the whole machine
/// (`woken` changes), for connections to the API server are dead then, and when a pod that should be
/// ready could not be reached: a watch whose connection died silently says nothing, and one that
/// waits between two tries does not know that the API server is back.
pub async fn follow(cluster: Cluster, lane: Arc<Lane>, selector: String, mut woken: watch::Receiver<u64>) {
    let kind = builtin::pods();
    let mut pods = Pods::new(lane.target.port);
    let mut trusted = DOUBT.0;
    loop {
        pods.begin();
        let began = Instant::now();
        let mut events = pin!(cluster.watch(&kind, Some(&lane.target.namespace), &selector));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = woken.changed() => break,
                () = lane.doubted() => {
                    if began.elapsed() < trusted {
                        continue;
                    }
                    // one that was not given the time to begin is given more
                    trusted = if pods.begins() { DOUBT.1.min(trusted * 2) } else { DOUBT.0 };
                    break;
                }
            };
            match event {
                Some(Ok(event)) => {
                    if pods.take(event) {
                        lane.trouble(None);
                        lane.leads_to(pods.choose());
                    }
                }
                Some(Err(error)) => lane.trouble(Some(error.message().to_owned())),
                None => return,
            }
        }
    }
}

/// The pods of a component, as far as they are known.
struct Pods {
    known: HashMap<String, (Value, CancellationToken)>,
    /// What a new watch has reported so far; None when it has reported all.
    reported: Option<HashSet<String>>,
    /// The uid of the present choice.
    chosen: Option<String>,
    /// For pods that do not name their port.
    port: u16,
}

impl Pods {
    fn new(port: u16) -> Self {
        Self { known: HashMap::new(), reported: None, chosen: None, port }
    }

    /// Everything is about to be reported once more.
    fn begin(&mut self) {
        self.reported = Some(HashSet::new());
    }

    /// Is not everything reported yet?
    fn begins(&self) -> bool {
        self.reported.is_some()
    }

    /// Takes a change; says whether it is time to choose.
    fn take(&mut self, event: WatchEvent) -> bool {
        match event {
            WatchEvent::Applied(pod) => {
                let uid = text(&pod, "uid");
                if let Some(reported) = &mut self.reported {
                    reported.insert(uid.clone());
                }
                self.known.entry(uid).or_insert_with(|| (Value::Null, CancellationToken::new())).0 = pod;
            }
            WatchEvent::Deleted(pod) => self.forget(&text(&pod, "uid")),
            WatchEvent::Synced => {
                if let Some(reported) = self.reported.take() {
                    let gone: Vec<String> =
                        self.known.keys().filter(|uid| !reported.contains(*uid)).cloned().collect();
                    gone.iter().for_each(|uid| self.forget(uid));
                }
            }
        }
        !self.begins()
    }

    fn forget(&mut self, uid: &str) {
        if let Some((_, gone)) = self.known.remove(uid) {
            gone.cancel();
        }
    }

    fn choose(&mut self) -> State {
        let mut ready: Vec<&Value> =
            self.known.values().map(|(pod, _)| pod).filter(|pod| serves(pod)).collect();
        // RFC 3339 sorts as text
        ready.sort_by_key(|pod| text(pod, "creationTimestamp"));
        let stays = ready.iter().find(|pod| Some(text(pod, "uid")) == self.chosen);
        let Some(pod) = stays.or(ready.last()) else {
            self.chosen = None;
            return self.why().map_or(State::Empty, State::Waiting);
        };
        let uid = text(pod, "uid");
        self.chosen = Some(uid.clone());
        State::Ready(Pod {
            name: text(pod, "name"),
            port: ui_port(&pod["spec"]).unwrap_or(self.port),
            gone: self.known.get(&uid).map(|(_, gone)| gone.clone()).unwrap_or_default(),
            uid,
        })
    }

    /// Why no pod is ready: what the newest one says. None when there is none.
    fn why(&self) -> Option<String> {
        let newest = self.known.values().map(|(pod, _)| pod).max_by_key(|pod| text(pod, "creationTimestamp"));
        let pod = newest?;
        let name = text(pod, "name");
        Some(match readiness(pod) {
            _ if !pod["metadata"]["deletionTimestamp"].is_null() => format!("pod {name} is being replaced"),
            Readiness::Ready => format!("pod {name} has ended"),
            Readiness::Progressing(why) | Readiness::Failed(why) => format!("pod {name}: {why}"),
        })
    }
}

/// Ready, and there to stay: what has ended well counts as ready elsewhere.
fn serves(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && readiness(pod) == Readiness::Ready
}

fn text(pod: &Value, field: &str) -> String {
    pod["metadata"][field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, ready: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "uid": name, "creationTimestamp": format!("2026-01-0{}T00:00:00Z", &name[1..])},
            "spec": {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 81}]}]},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": if ready { "True" } else { "False" }}]}})
    }

    fn name(state: &State) -> String {
        match state {
            State::Ready(pod) => format!("{}:{}", pod.name, pod.port),
            State::Waiting(why) => why.clone(),
            State::Looking | State::Empty => "nothing".to_owned(),
        }
    }

    #[test]
    fn it_stays_with_a_ready_pod_and_then_takes_the_newest() {
        let mut pods = Pods::new(80);
        pods.begin();
        assert!(!pods.take(WatchEvent::Applied(pod("p1", true))));
        assert!(pods.take(WatchEvent::Synced));
        assert_eq!(name(&pods.choose()), "p1:81");
        for event in [pod("p2", true), pod("p3", true), pod("p4", false)] {
            assert!(pods.take(WatchEvent::Applied(event)));
        }
        assert_eq!(name(&pods.choose()), "p1:81", "it stays");
        let mut leaving = pod("p1", true);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
        pods.take(WatchEvent::Applied(leaving));
        assert_eq!(name(&pods.choose()), "p3:81", "the newest ready one");
    }

    #[test]
    fn what_a_new_watch_does_not_report_is_gone() {
        let mut pods = Pods::new(80);
        pods.take(WatchEvent::Applied(pod("p1", true)));
        let State::Ready(first) = pods.choose() else { panic!("p1 is ready") };
        pods.begin();
        assert!(!pods.take(WatchEvent::Applied(pod("p2", false))));
        assert!(!first.gone.is_cancelled());
        assert!(pods.take(WatchEvent::Synced));
        assert!(first.gone.is_cancelled());
        assert!(name(&pods.choose()).starts_with("pod p2: "), "{}", name(&pods.choose()));
        pods.take(WatchEvent::Deleted(pod("p2", false)));
        assert_eq!(name(&pods.choose()), "nothing");
    }
}
