//! Containers that the runtime cannot start: takes its chain of errors apart.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::crash::{fix, spec};
use super::words::{Words, regex};
use super::{Cause, Explanation, Gathered};
use crate::readiness::fields::{list, text};
use crate::readiness::pods::ContainerTrouble;

/// runc: `exec: "/bin/x": stat /bin/x: no such file or directory`
static EXEC: LazyLock<Regex> = LazyLock::new(|| regex(r#"exec: "([^"]+)": (.*)$"#));
/// runc: `error mounting "…" to rootfs at "/etc/x.conf": …: not a directory`
static MOUNT: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"error mounting .* to rootfs at "([^"]+)".*not a directory"#));
/// runc: `mkdir /x: not a directory`, `chdir to cwd ("/x") set in config.json failed: …`
static CWD: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?:mkdir(?: cwd)?|chdir to cwd) \(?"?(/[^\s:"]*)"#));
/// containerd: `cannot load seccomp profile "/var/lib/kubelet/seccomp/x.json"`
static SECCOMP: LazyLock<Regex> = LazyLock::new(|| regex(r#"seccomp profile "([^"]+)""#));

pub(super) fn explain(gathered: &Gathered, pod: &Value, trouble: &ContainerTrouble) -> Explanation {
    let component = gathered.component;
    let message = trouble.message.trim().trim_end_matches(": unknown");
    let found = |pattern: &Regex| pattern.captures(message).map(|found| found[1].to_owned());
    let mounted = found(&MOUNT);
    let (cause, hint) = if let Some(refused) = EXEC.captures(message) {
        let (command, how) = (refused[1].to_owned(), &refused[2]);
        if how.contains("permission denied") {
            let words = Words::NotExecutable(command);
            (words.sentence(), fix(&words, component, pod, trouble))
        } else {
            let missing = how.contains("no such file") || how.contains("not found");
            let cause = match missing {
                true => format!("there is no {command} in its image"),
                false => format!("{command}: {how}"),
            };
            (cause, fix(&Words::NoCommand(command), component, pod, trouble))
        }
    } else if let Some(at) = &mounted {
        (
            format!("a folder would be mounted over the file {at}"),
            format!(
                "a subPath that its volume does not have is made as a folder: correct it, or put the file into the volume of {at}"
            ),
        )
    } else if let Some(profile) = found(&SECCOMP) {
        let name = profile.rsplit('/').next().unwrap_or_default();
        (
            format!("the seccomp profile {name} is not on its node"),
            format!("bring it to {profile} on each node, or use seccompProfile type RuntimeDefault"),
        )
    } else if let Some(folder) = found(&CWD) {
        (format!("it cannot work in {folder}"), format!("correct the workingDir of {component}"))
    } else {
        let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
        (trouble.start_error(), format!("kubectl describe pod -n {namespace} {name}"))
    };
    let mut out =
        Explanation::new(gathered, Cause::Start, format!("{} cannot start: {cause}", trouble.who()))
            .short(format!("cannot start: {cause}"))
            .line(format!("image {}", trouble.image));
    if let Some(at) = mounted {
        let mounts = list(spec(pod, trouble), "/volumeMounts");
        if let Some(mount) = mounts.iter().find(|mount| mount["mountPath"] == at.as_str()) {
            out = out.line(format!(
                "it mounts subPath {} of volume {} there",
                text(mount, "/subPath"),
                text(mount, "/name")
            ));
        }
    } else if cause != trouble.start_error() {
        out = out.line(format!("runtime: {}", trouble.start_error()));
    }
    out.hint(hint).hopeless(trouble.hopeless)
}
