//! A command that runs while ports are forwarded: it finds the URLs in its environment and decides
//! how all ends.

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::Lane;
use crate::error::{Error, Exit, Result};
use crate::ops::Cancel;

/// Runs the command to its end; gives its exit code, 128 + the signal where one ended it.
pub async fn run<'l>(
    command: &[OsString],
    lanes: impl Iterator<Item = &'l Lane>,
    cancel: &Cancel,
) -> Result<u8> {
    let Some((program, args)) = command.split_first() else { return Ok(0) };
    let shown = program.to_string_lossy();
    let mut child = Command::new(program)
        .args(args)
        .envs(lanes.map(|lane| (variable(&lane.target.component), lane.url())))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::usage(format!("there is no command {shown}"))
                .hint("for shell syntax, write -- sh -c '…'"),
            _ => Error::usage(format!("command {shown} cannot be run: {error}")),
        })?;
    let ended = tokio::select! {
        status = child.wait() => status,
        interrupted = cancel.cancelled() => {
            // a terminal sends Ctrl-C to all of its programs: this one has it already
            let signal = match interrupted.exit() {
                Exit::Terminated => Some(Signal::TERM),
                _ => (!std::io::stdin().is_terminal()).then_some(Signal::INT),
            };
            let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            if let (Some(id), Some(signal)) = (id, signal) {
                let _ = kill_process(id, signal);
            }
            child.wait().await
        }
    };
    let status = ended.map_err(|error| Error::failed(format!("command {shown} is lost: {error}")))?;
    Ok(code(status))
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// `kube-state-metrics` → `KUBE_STATE_METRICS_URL`
fn variable(component: &str) -> String {
    let name: String = component
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    format!("{name}_URL")
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn variables_are_named_after_components() {
        assert_eq!(variable("prometheus"), "PROMETHEUS_URL");
        assert_eq!(variable("kube-state-metrics"), "KUBE_STATE_METRICS_URL");
    }
}
