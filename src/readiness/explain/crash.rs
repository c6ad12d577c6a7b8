//! Containers that end although they should run: out of memory, by themselves, or with last words
//! that tell why.

use serde_json::Value;

use super::events::{Seen, newest};
use super::words::{Words, understand};
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{list, text};
use crate::readiness::pods::{ContainerTrouble, GONE, Trouble};

/// How many lines of a crashed container's log are shown.
const LAST_WORDS: usize = 10;

/// The container's entry in the pod's spec.
pub(super) fn spec<'a>(pod: &'a Value, trouble: &ContainerTrouble) -> &'a Value {
    list(pod, if trouble.init { "/spec/initContainers" } else { "/spec/containers" })
        .iter()
        .find(|c| c["name"] == trouble.container.as_str())
        .unwrap_or(&Value::Null)
}

pub(super) fn memory(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let component = gathered.component;
    let code = trouble.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let limit = spec(pod, trouble)["resources"]["limits"]["memory"].as_str();
    let (what, hint) = match limit {
        Some(limit) => (
            format!(
                "container {} runs out of memory (limit {limit}, {})",
                trouble.container,
                trouble.restarted()
            ),
            match doubled(limit) {
                Some(more) => format!(
                    "raise its memory limit\nkubectl obs upgrade --set {component}.resources.limits.memory={more}"
                ),
                None => format!("raise {component}.resources.limits.memory above {limit}"),
            },
        ),
        // Without a limit of its own it was the node that had no memory left.
        None => (
            format!("container {} was killed because its node has no memory left", trouble.container),
            format!("add memory or a node, or set {component}.resources.requests.memory to what it needs"),
        ),
    };
    last_words(
        Explanation::new(gathered, Cause::Memory, what)
            .short(format!("out of memory ({})", trouble.restarted()))
            .line(format!("kubelet: OOMKilled{code}"))
            .hint(hint)
            .hopeless(trouble.hopeless),
        gathered,
        pod,
        trouble,
    )
}

/// `128Mi` → `256Mi`; None when the number is not a plain one.
fn doubled(quantity: &str) -> Option<String> {
    let digits = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(digits);
    Some(format!("{}{unit}", number.parse::<u64>().ok()?.checked_mul(2)?))
}

pub(super) fn crash(
    gathered: &Gathered,
    pod: &Value,
    trouble: &ContainerTrouble,
    events: &[Seen],
) -> Explanation {
    let name = text(pod, "/metadata/name");
    if let Some(event) = newest(events, "Pod", name, &["FailedPostStartHook"])
        && event.message.contains("PostStartHook")
    {
        return hook(gathered, pod, trouble, event);
    }
    let component = gathered.component;
    let who = trouble.who();
    let logs = logs_command(pod, trouble);
    let mut words = said(gathered, pod, trouble).and_then(understand);
    // What the shell may not use when it ends so, it may not execute.
    if let (Some(Words::Denied(Some(path))), Some(126)) = (&words, trouble.exit_code) {
        words = Some(Words::NotExecutable(path.clone()));
    }
    let count = how(pod, trouble, words.is_none());
    let out = match (&words, trouble.exit_code) {
        (Some(words), _) => {
            let sentence = words.sentence();
            Explanation::new(gathered, Cause::Crash, format!("{who} crashes at start: {sentence} {count}"))
                .short(format!("crashes: {sentence}"))
                .hint(format!("{}\n{logs}", fix(words, component, pod, trouble)))
        }
        (None, Some(0)) => Explanation::new(
            gathered,
            Cause::Crash,
            format!("{who} ends by itself, though it should run {count}"),
        )
        .short(format!("ends by itself {count}"))
        .hint(format!(
            "its command must stay in the foreground: correct the command and args of {component}\n{logs}"
        )),
        (None, Some(126 | 127)) => {
            Explanation::new(gathered, Cause::Crash, format!("{who} crashes at start {count}"))
                .short(format!("crashes {count}"))
                .hint(format!(
                    "correct its command, or use an image that has what it calls: {component}.image\n{logs}"
                ))
        }
        (None, _) => Explanation::new(gathered, Cause::Crash, format!("{who} crashes at start {count}"))
            .short(format!("crashes {count}"))
            .hint(logs),
    };
    // The same a second time, and nothing around it can change it.
    let lasting = words.as_ref().map_or(matches!(trouble.exit_code, Some(126 | 127)), Words::lasts);
    last_words(out.hopeless(trouble.hopeless || lasting && trouble.restarts >= 1), gathered, pod, trouble)
}

/// `(exit code 127: the command does not exist, 3 restarts)`; whoever is never restarted has no count.
fn how(pod: &Value, trouble: &ContainerTrouble, explained: bool) -> String {
    let code = trouble.exit_code.map(|code| {
        let meaning = if explained { meaning(code) } else { "" };
        format!("exit code {code}{meaning}")
    });
    let times = (text(pod, "/spec/restartPolicy") != "Never").then(|| trouble.restarted());
    let parts: Vec<String> = code.into_iter().chain(times).collect();
    format!("({})", parts.join(", "))
}

/// The kubelet kills a container whose hook fails: its exit code says nothing.
fn hook(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble, event: &Seen) -> Explanation {
    let what =
        format!("{} is killed because its postStart hook fails ({})", trouble.who(), trouble.restarted());
    let out = Explanation::new(gathered, Cause::Crash, what)
        .short("its postStart hook fails")
        .event(Some(event), gathered.now)
        .hint(format!(
            "correct the lifecycle.postStart command of {}\n{}",
            gathered.component,
            logs_command(pod, trouble)
        ))
        .hopeless(trouble.hopeless);
    match said(gathered, pod, trouble) {
        Some(_) => last_words(out, gathered, pod, trouble),
        None => out,
    }
}

/// One thing to do about what the program met.
pub(super) fn fix(words: &Words, component: &str, pod: &Value, trouble: &ContainerTrouble) -> String {
    let mounted = |path: &Option<String>| path.as_deref().and_then(|path| mount(pod, trouble, path));
    let folder = |path: &Option<String>| match path.as_deref().and_then(|path| path.rsplit_once('/')) {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "where it writes".to_owned(),
    };
    match words {
        Words::PortInUse(_) => {
            format!("another container of its pod listens there, or another pod on the node's network: set another port for {component}")
        }
        Words::Denied(path) => match mounted(path) {
            Some(volume) => format!(
                "volume {volume} belongs to another user: set fsGroup in {component}'s securityContext to its group"
            ),
            None => format!(
                "let {component} run as a user who may, or mount a volume at {}",
                folder(path)
            ),
        },
        Words::ReadOnly(path) => match mounted(path) {
            Some(volume) => format!("volume {volume} can only be read: let {component} write to another place"),
            None => format!("mount an emptyDir at {}: its root is read-only (readOnlyRootFilesystem)", folder(path)),
        },
        Words::DiskFull(path) => match mounted(path) {
            Some(volume) => format!("make volume {volume} larger, or keep less in it"),
            None => "free space on the node, or give the component a volume".to_owned(),
        },
        Words::NoFile(path) => match mount(pod, trouble, path) {
            Some(volume) => format!("put it into volume {volume}, or correct the path in {component}'s arguments"),
            None => format!("correct the path in {component}'s arguments, or mount a volume that has it"),
        },
        Words::OpenFiles => "raise the limit of open files (ulimit -n) of the node's container runtime".to_owned(),
        Words::OutOfMemory => format!("raise {component}.resources.limits.memory"),
        Words::NoCommand(_) => format!("correct its command, or use an image that has it: {component}.image"),
        Words::NotExecutable(_) => {
            "correct its command; a script in a ConfigMap or Secret needs defaultMode: 0555".to_owned()
        }
        Words::NoProgram => format!(
            "use an image for the node's architecture ({component}.image); a script must begin with #!"
        ),
        Words::UnknownFlag(_) => format!("remove it from {component}.extraArgs, or use a version that knows it"),
        Words::BadConfig(_) => format!("correct {component}'s configuration, then: kubectl obs upgrade"),
        Words::UnknownHost(_) => "correct the name, or install what it names: kubectl get services -A".to_owned(),
        Words::Refused(_) | Words::Unreachable(_) => {
            "see whether what it connects to runs, and is allowed to be reached: kubectl get pods,networkpolicies -A".to_owned()
        }
        Words::Certificate => "give it the authority that signed the certificate, or renew the certificate".to_owned(),
        Words::Credentials => "correct the Secret that holds its user and password".to_owned(),
        Words::Rights(_) => format!(
            "grant it the right: kubectl obs upgrade makes {component}'s roles again if they belong to the release"
        ),
        Words::Locked(_) => format!("end the other process first: {component} may run once on its volume"),
        Words::Panic(_) => format!("use another version: {component}.image.tag; its last words are what its authors want to see"),
    }
}

/// The volume that is mounted at a path, or above it.
fn mount<'a>(pod: &'a Value, trouble: &ContainerTrouble, path: &str) -> Option<&'a str> {
    list(spec(pod, trouble), "/volumeMounts")
        .iter()
        .filter_map(|mount| {
            Some((mount["mountPath"].as_str()?.trim_end_matches('/'), mount["name"].as_str()?))
        })
        .filter(|(at, _)| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        .max_by_key(|(at, _)| at.len())
        .map(|(_, name)| name)
}

/// What the shell and the runtime mean by an exit code.
fn meaning(code: i64) -> &'static str {
    match code {
        126 => ": the command is not executable",
        127 => ": the command does not exist",
        134 => ": aborted",
        137 => ": killed",
        139 => ": segmentation fault",
        143 => ": terminated",
        _ => "",
    }
}

pub(super) fn logs_command(pod: &Value, trouble: &ContainerTrouble) -> String {
    if pod[GONE] == true {
        return "its pod is gone, and the log with it: a longer ttlSecondsAfterFinished keeps both"
            .to_owned();
    }
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let previous = if trouble.wants_logs == Some(true) { " --previous" } else { "" };
    format!("kubectl logs -n {namespace} {name} -c {}{previous}", trouble.container)
}

/// The log's tail; without a log, the termination message.
fn said<'a>(gathered: &Gathered<'a>, pod: &Value, trouble: &'a ContainerTrouble) -> Option<&'a str> {
    let key = (text(pod, "/metadata/name").to_owned(), trouble.container.clone());
    let log = gathered.logs.get(&key).map(String::as_str).filter(|log| !log.trim().is_empty());
    log.or(Some(trouble.message.as_str())).filter(|words| !words.trim().is_empty())
}

/// Quotes what it said; where it said nothing, the kubelet's event.
pub(super) fn last_words(
    mut out: Explanation,
    gathered: &Gathered,
    pod: &Value,
    trouble: &ContainerTrouble,
) -> Explanation {
    let words = said(gathered, pod, trouble).unwrap_or_default();
    let lines: Vec<&str> = words.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if !lines.is_empty() {
        let runs = matches!(trouble.trouble, Trouble::NotReady | Trouble::Waiting);
        out = out.line(if runs { "its log ends:" } else { "its last words:" });
        for line in &lines[lines.len().saturating_sub(LAST_WORDS)..] {
            out = out.line(format!("  {line}"));
        }
    } else if let Some(event) =
        newest(&super::seen(gathered.events), "Pod", text(pod, "/metadata/name"), &["Failed"])
    {
        out = out.event(Some(event), gathered.now);
    }
    out
}
