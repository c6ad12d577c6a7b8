//! What is wrong with a pod: scheduling, init containers, waiting and terminated containers. Only
//! from the pod itself; [`mod@super::explain`] adds events, claims and logs.

use serde_json::Value;

use super::Readiness::{self, Failed, Progressing, Ready};
use super::fields::{Condition, condition, count, first_line, flag, list, text};
use super::image;

/// `true` in a pod that is known only as it last was: it can tell why, and be asked nothing more.
pub const GONE: &str = "kubectl-obs.dev/gone";

/// What kind of trouble a container has, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Its image cannot be had.
    Image,
    /// It refers to something that does not exist, or its security settings contradict the image.
    Config,
    /// The runtime cannot make or start it: command, mount, device.
    Start,
    /// The kernel killed it at its memory limit.
    OutOfMemory,
    /// It ends although it should run.
    Crash,
    /// It runs and does not answer its probes.
    NotReady,
    /// It is being made, or waits for an init container.
    Waiting,
}

/// A container that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerTrouble {
    /// Its name.
    pub container: String,
    /// The image that its pod asks for.
    pub image: String,
    /// Is it an init container?
    pub init: bool,
    /// The class of the trouble.
    pub trouble: Trouble,
    /// The kubelet's word: `ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`, …
    pub reason: String,
    /// The kubelet's sentence; may be empty.
    pub message: String,
    /// Exit code of the last run that ended.
    pub exit_code: Option<i64>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Whose log tells why: `Some(true)` the previous run's, `Some(false)` the present one's.
    pub wants_logs: Option<bool>,
    /// Waiting does not help, as far as the pod itself tells. What was just applied may still
    /// arrive at the kubelet: give it some seconds before giving up.
    pub hopeless: bool,
}

impl ContainerTrouble {
    /// `container grafana`, `init container prepare`.
    pub fn who(&self) -> String {
        format!("{} {}", if self.init { "init container" } else { "container" }, self.container)
    }

    /// `container grafana crashes (exit code 1, 4 restarts)`: the predicate of a headline.
    pub fn sentence(&self) -> String {
        let who = self.who();
        match self.trouble {
            Trouble::Image => {
                format!(
                    "{who} cannot pull image \"{}\": {}",
                    self.image,
                    image::reason(&self.message, &self.reason)
                )
            }
            Trouble::Config => format!("{who} cannot start: {}", self.message_or_reason()),
            Trouble::Start => format!("{who} cannot start: {}", self.start_error()),
            Trouble::OutOfMemory => format!("{who} runs out of memory ({})", self.restarted()),
            Trouble::Crash => match self.exit_code {
                Some(code) => format!("{who} crashes (exit code {code}, {})", self.restarted()),
                None => format!("{who} crashes ({})", self.restarted()),
            },
            Trouble::NotReady => format!("{who} is not ready"),
            Trouble::Waiting if self.init && self.wants_logs.is_some() => format!("{who} is running"),
            Trouble::Waiting if self.init => format!("{who} is being created"),
            Trouble::Waiting => format!("{who} is being created"),
        }
    }

    /// `4 restarts`, `no restart yet`.
    pub fn restarted(&self) -> String {
        match self.restarts {
            0 => "no restart yet".to_owned(),
            1 => "1 restart".to_owned(),
            n => format!("{n} restarts"),
        }
    }

    /// The end of the runtime's chain of errors, `stat /bin/x: no such file or directory`. The chain
    /// begins with who called whom, and names ids that are others at each try.
    pub fn start_error(&self) -> String {
        let message = self.message_or_reason().trim_end_matches(": unknown");
        let inner = message.rmatch_indices(": ").nth(1).map_or(message, |(at, _)| &message[at + 2..]);
        without_ids(inner)
    }

    fn message_or_reason(&self) -> &str {
        let message = first_line(&self.message);
        if message.is_empty() { &self.reason } else { message }
    }
}

/// kstatus: Pod, with the causes of pending pods told apart.
pub(super) fn pod(object: &Value) -> Readiness {
    match text(object, "/status/phase") {
        "Succeeded" => return Ready,
        "Failed" => {
            let why = match (text(object, "/status/reason"), first_line(text(object, "/status/message"))) {
                ("", _) => worst_container(object).map_or("pod failed".to_owned(), |t| t.sentence()),
                (reason, "") => reason.to_owned(),
                (reason, message) => format!("{reason}: {message}"),
            };
            return Failed(why);
        }
        "Unknown" => return Progressing("its node does not answer".to_owned()),
        _ => {}
    }
    if condition(object, "Ready").is_some_and(|c| c.is_true()) {
        return Ready;
    }
    if let Some(why) = unscheduled(object) {
        return Progressing(why);
    }
    match worst_container(object) {
        Some(trouble) if trouble.hopeless => Failed(trouble.sentence()),
        Some(trouble) => Progressing(trouble.sentence()),
        None => Progressing(not_ready_as_a_whole(object)),
    }
}

/// Why the pod has no node; None when it has one.
fn unscheduled(pod: &Value) -> Option<String> {
    let scheduled = condition(pod, "PodScheduled").filter(Condition::is_false)?;
    Some(match scheduled.reason {
        "SchedulingGated" => "its scheduling is held back by a gate".to_owned(),
        _ => format!("no node takes it: {}", first_line(scheduled.message)),
    })
}

/// The scheduler's sentence about a pod that fits on no node.
pub fn unschedulable(pod: &Value) -> Option<&str> {
    condition(pod, "PodScheduled").filter(|c| c.is_false() && c.reason == "Unschedulable").map(|c| c.message)
}

/// All containers are fine and still the pod is not ready.
pub(super) fn not_ready_as_a_whole(pod: &Value) -> String {
    let statuses = list(pod, "/status/containerStatuses");
    let all_ready = !statuses.is_empty() && statuses.iter().all(|s| s["ready"] == true);
    match condition(pod, "Ready") {
        Some(ready) if ready.reason == "ReadinessGatesNotReady" => ready.why(""),
        // The node controller sets Ready to False when a node stops reporting; the kubelet's last
        // word on the containers stays.
        Some(ready) if all_ready && !ready.is_true() => {
            format!("its node {} does not answer", text(pod, "/spec/nodeName"))
        }
        _ if text(pod, "/spec/nodeName").is_empty() => "waits for a node".to_owned(),
        _ => "its containers are being created".to_owned(),
    }
}

/// The container that explains best why the pod is not ready; None when every container is well.
/// Init containers come first, because nothing else starts before they end.
pub fn worst_container(pod: &Value) -> Option<ContainerTrouble> {
    let troubles = |field: &str, init: bool| {
        list(pod, field)
            .iter()
            .filter_map(|status| container_trouble(pod, status, init))
            .min_by_key(|t| (t.trouble, std::cmp::Reverse(t.restarts)))
    };
    let init = troubles("/status/initContainerStatuses", true);
    let main = troubles("/status/containerStatuses", false);
    match (init, main) {
        // An init container that merely runs is what the others wait for.
        (Some(init), Some(main)) if main.trouble < Trouble::Waiting && init.trouble > main.trouble => {
            Some(main)
        }
        (Some(init), _) => Some(init),
        (None, main) => main,
    }
}

fn container_trouble(pod: &Value, status: &Value, init: bool) -> Option<ContainerTrouble> {
    let name = text(status, "/name");
    let spec = list(pod, if init { "/spec/initContainers" } else { "/spec/containers" })
        .iter()
        .find(|c| c["name"] == name)
        .unwrap_or(&Value::Null);
    let sidecar = init && spec["restartPolicy"] == "Always";
    let restarts = u32::try_from(count(status, "/restartCount")).unwrap_or(0);
    let last = status.pointer("/lastState/terminated");
    let mut found = ContainerTrouble {
        container: name.to_owned(),
        image: [text(spec, "/image"), text(status, "/image")]
            .into_iter()
            .find(|image| !image.is_empty())
            .unwrap_or_default()
            .to_owned(),
        init,
        trouble: Trouble::Waiting,
        reason: String::new(),
        message: String::new(),
        exit_code: last.and_then(|t| t["exitCode"].as_i64()),
        restarts,
        wants_logs: None,
        hopeless: false,
    };
    if let Some(waiting) = status.pointer("/state/waiting") {
        waiting_trouble(&mut found, waiting, last);
    } else if let Some(ended) = status.pointer("/state/terminated") {
        let code = ended["exitCode"].as_i64().unwrap_or(0);
        // Done: an init container, or a container of a pod that does not restart it.
        if code == 0 && (init && !sidecar || text(pod, "/spec/restartPolicy") != "Always") {
            return None;
        }
        ended_trouble(&mut found, ended);
        found.wants_logs = Some(false);
        // Without a restart this was the last word, unless a Job tries again with another pod.
        found.hopeless |= text(pod, "/spec/restartPolicy") == "Never" && !is_of_job(pod);
    } else if status.pointer("/state/running").is_some() {
        let started = flag(status, "/started");
        let fine = if init { sidecar && started } else { flag(status, "/ready") };
        if fine {
            return None;
        }
        found.trouble = if init && !sidecar { Trouble::Waiting } else { Trouble::NotReady };
        found.reason = if started || init { "NotReady" } else { "NotStarted" }.to_owned();
        // One that was restarted and is not up again: the run before tells why. An init container that
        // runs tells what it waits for.
        found.wants_logs = Some(restarts > 0 && last.is_some() && !started && (sidecar || !init));
    } else {
        found.reason = "Waiting".to_owned();
    }
    Some(found)
}

/// Does a Job decide what becomes of the pod's failure?
fn is_of_job(pod: &Value) -> bool {
    list(pod, "/metadata/ownerReferences").iter().any(|owner| owner["kind"] == "Job")
}

/// kubelet: `pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go`.
fn waiting_trouble(found: &mut ContainerTrouble, waiting: &Value, last: Option<&Value>) {
    found.reason = text(waiting, "/reason").to_owned();
    found.message = text(waiting, "/message").to_owned();
    match found.reason.as_str() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => {
            found.trouble = Trouble::Image;
            found.hopeless = image::is_hopeless(&found.message, &found.reason);
        }
        "CreateContainerConfigError" => {
            found.trouble = Trouble::Config;
            found.hopeless = found.message.contains("not found")
                || found.message.contains("couldn't find key")
                || found.message.contains("runAsNonRoot")
                || found.message.contains("invalid");
        }
        "CreateContainerError" | "RunContainerError" | "PreStartHookError" | "PreCreateHookError" => {
            found.trouble = Trouble::Start;
            found.hopeless = never_starts(&found.message);
        }
        "CrashLoopBackOff" | "PostStartHookError" => {
            found.wants_logs = Some(last.is_some());
            match last {
                Some(ended) => ended_trouble(found, ended),
                None => found.trouble = Trouble::Crash,
            }
        }
        _ => {}
    }
}

/// How many restarts make a crash hopeless. The kubelet waits 10s, 20s, 40s, 80s between them: at
/// four it has tried for two and a half minutes, longer than our components wait for each other.
const HOPELESS_RESTARTS: u32 = 4;

fn ended_trouble(found: &mut ContainerTrouble, ended: &Value) {
    let reason = text(ended, "/reason");
    let message = text(ended, "/message");
    found.exit_code = ended["exitCode"].as_i64();
    found.message = message.to_owned();
    reason.clone_into(&mut found.reason);
    found.trouble = match reason {
        "OOMKilled" => Trouble::OutOfMemory,
        "StartError" | "ContainerCannotRun" => Trouble::Start,
        _ => Trouble::Crash,
    };
    found.hopeless = match found.trouble {
        Trouble::Start => never_starts(message),
        _ => found.restarts >= HOPELESS_RESTARTS,
    };
    if found.trouble == Trouble::Start {
        // Nothing ran, so nothing was logged.
        found.wants_logs = None;
    }
}

/// The text with `…` for the ids of containers and sandboxes: words of 64 hexadecimal digits.
fn without_ids(text: &str) -> String {
    let separates = |c: char| !c.is_ascii_alphanumeric();
    let is_id = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_inclusive(separates)
        .map(|piece| {
            let word = piece.trim_end_matches(separates);
            if is_id(word) { piece.replace(word, "…") } else { piece.to_owned() }
        })
        .collect()
}

/// Does the runtime's message name a reason that does not go away?
fn never_starts(message: &str) -> bool {
    [
        "executable file not found",
        "no such file or directory",
        "permission denied",
        "not a directory",
        "exec format error",
    ]
    .iter()
    .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(container: Value) -> Value {
        let mut container = container;
        container["name"] = json!("a");
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
            "spec": {"nodeName": "w", "restartPolicy": "Always", "containers": [{"name": "a", "image": "i:1"}]},
            "status": {"phase": "Running", "containerStatuses": [container]},
        })
    }

    fn waiting(reason: &str, message: &str) -> Value {
        status(json!({"state": {"waiting": {"reason": reason, "message": message}}}))
    }

    fn backing_off(reason: &str, code: i64, restarts: u32) -> Value {
        status(json!({
            "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": reason, "exitCode": code}},
        }))
    }

    #[test]
    fn containers_are_classified_by_the_kubelets_reasons() {
        use Trouble::*;
        // object, class, logs of the previous run?, hopeless
        let cases = [
            (waiting("ErrImagePull", "not found"), Image, None, true),
            (waiting("ImagePullBackOff", "Back-off pulling image"), Image, None, false),
            (waiting("InvalidImageName", ""), Image, None, true),
            (waiting("ErrImageNeverPull", ""), Image, None, true),
            (waiting("CreateContainerConfigError", "secret \"x\" not found"), Config, None, true),
            (waiting("CreateContainerError", "context deadline exceeded"), Start, None, false),
            (
                waiting("RunContainerError", "exec: \"x\": executable file not found in $PATH"),
                Start,
                None,
                true,
            ),
            (waiting("ContainerCreating", ""), Waiting, None, false),
            (backing_off("Error", 1, 1), Crash, Some(true), false),
            (backing_off("Error", 1, 4), Crash, Some(true), true),
            (backing_off("Completed", 0, 4), Crash, Some(true), true),
            (backing_off("OOMKilled", 137, 1), OutOfMemory, Some(true), false),
            (backing_off("StartError", 128, 1), Start, None, false),
            (
                status(json!({"state": {"terminated": {"reason": "Error", "exitCode": 1}}})),
                Crash,
                Some(false),
                false,
            ),
            (status(json!({"state": {"running": {}}, "started": true})), NotReady, Some(false), false),
            (status(json!({})), Waiting, None, false),
        ];
        for (pod, trouble, logs, hopeless) in cases {
            let found = worst_container(&pod).expect("a trouble");
            assert_eq!(
                (found.trouble, found.wants_logs, found.hopeless),
                (trouble, logs, hopeless),
                "{found:?}"
            );
        }
        assert_eq!(worst_container(&status(json!({"state": {"running": {}}, "ready": true}))), None);
    }

    #[test]
    fn a_pod_is_ready_when_its_condition_says_so() {
        let with = |patch: Value| {
            let mut pod = waiting("ContainerCreating", "");
            for (key, value) in patch.as_object().expect("a map") {
                pod["status"][key] = value.clone();
            }
            super::pod(&pod)
        };
        let cases = [
            (json!({"conditions": [{"type": "Ready", "status": "True"}]}), Ready),
            (json!({"phase": "Succeeded"}), Ready),
            (json!({}), Progressing("container a is being created".into())),
            (json!({"phase": "Unknown"}), Progressing("its node does not answer".into())),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}),
                Failed("Evicted: The node was low on memory".into()),
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
                Progressing("its scheduling is held back by a gate".into()),
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                       "message": "0/1 nodes are available"}]}),
                Progressing("no node takes it: 0/1 nodes are available".into()),
            ),
        ];
        for (patch, expected) in cases {
            assert_eq!(with(patch), expected);
        }
        assert_eq!(
            pod(&waiting("ErrImagePull", "manifest unknown")),
            Failed("container a cannot pull image \"i:1\": not found".into())
        );
    }

    #[test]
    fn what_the_runtime_says_is_the_same_at_each_try() {
        let id = "08c6cc4d".repeat(8);
        let cases = [
            (
                format!(
                    "failed to generate container \"{id}\" spec: failed to generate spec: path \"/\" is mounted on \"/\" but it is not a shared or slave mount"
                ),
                "failed to generate spec: path \"/\" is mounted on \"/\" but it is not a shared or slave mount",
            ),
            (
                format!(
                    "failed to reserve container name \"a_p_n_1_0\": name \"a_p_n_1_0\" is reserved for \"{id}\""
                ),
                "failed to reserve container name \"a_p_n_1_0\": name \"a_p_n_1_0\" is reserved for \"…\"",
            ),
            (
                "runc create failed: exec: \"/bin/x\": stat /bin/x: no such file or directory: unknown"
                    .into(),
                "stat /bin/x: no such file or directory",
            ),
            ("context deadline exceeded".into(), "context deadline exceeded"),
            (String::new(), "CreateContainerError"),
        ];
        for (message, expected) in cases {
            let why = pod(&waiting("CreateContainerError", &message));
            let (Progressing(why) | Failed(why)) = why else { panic!("{message}: ready") };
            assert_eq!(why, format!("container a cannot start: {expected}"));
        }
    }

    #[test]
    fn an_init_container_that_ended_well_or_a_sidecar_that_runs_is_no_trouble() {
        let mut pod = status(json!({"state": {"running": {}}, "ready": true}));
        pod["spec"]["initContainers"] = json!([{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]);
        pod["status"]["initContainerStatuses"] = json!([
            {"name": "i", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            {"name": "s", "state": {"running": {}}, "started": true},
        ]);
        assert_eq!(worst_container(&pod), None);
        pod["status"]["initContainerStatuses"][1]["started"] = json!(false);
        assert_eq!(
            worst_container(&pod).map(|t| (t.container, t.trouble)),
            Some(("s".into(), Trouble::NotReady))
        );
        // A sidecar whose trouble is mild does not hide a crash.
        pod["status"]["containerStatuses"] =
            json!([{"name": "a", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]);
        assert_eq!(worst_container(&pod).map(|t| t.container), Some("a".into()));
    }
}
