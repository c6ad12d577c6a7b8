//! Who holds a lock: what the holder writes about itself, and what others read of it.

use std::fmt;

use serde_json::{Value, json};

use super::process::Process;
use crate::cluster::who;

const OPERATION: &str = "kubectl-obs.dev/operation";
const WHO: &str = "kubectl-obs.dev/who";
const HOST: &str = "kubectl-obs.dev/host";
const PID: &str = "kubectl-obs.dev/pid";
const BOOT_ID: &str = "kubectl-obs.dev/boot-id";
const PID_NAMESPACE: &str = "kubectl-obs.dev/pid-namespace";
const STARTED: &str = "kubectl-obs.dev/process-start";
const SINCE: &str = "kubectl-obs.dev/since";

/// The process that takes a lock, and for what.
#[derive(Debug, Clone)]
pub struct Holder {
    operation: String,
    who: String,
    process: Process,
    /// Distinguishes two locks of the same process.
    nonce: u64,
}

impl Holder {
    /// This process. `operation` is the verb: `install`, `upgrade`, `rollback`, `uninstall`.
    pub fn this_process(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            who: who::who(),
            process: Process::this(),
            nonce: rand::random(),
        }
    }

    /// `alice@build-7`
    pub fn who(&self) -> &str {
        &self.who
    }

    /// What stands in the Lease's holderIdentity.
    pub(super) fn identity(&self) -> String {
        format!("{}/{}/{:08x}", self.who, self.process.pid, self.nonce)
    }

    pub(super) fn annotations(&self) -> Value {
        json!({
            OPERATION: self.operation,
            WHO: self.who,
            HOST: self.process.host,
            PID: self.process.pid.to_string(),
            BOOT_ID: self.process.boot_id,
            PID_NAMESPACE: self.process.pid_namespace,
            STARTED: self.process.started,
            SINCE: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }
}

/// The holder of a lock, as its Lease tells. Displayed as `upgraded by alice@build-7 (pid 4121)
/// since 40s`, to follow "is being".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderInfo {
    /// `upgrade`
    pub operation: String,
    /// `alice@build-7`
    pub who: String,
    /// Its process id on that machine.
    pub pid: u32,
    /// Since when, by its own clock; for people.
    pub since: Option<jiff::Timestamp>,
    pub(super) identity: String,
    process: Process,
}

impl HolderInfo {
    pub(super) fn read(lease: &Value) -> Self {
        let annotation =
            |key: &str| lease["metadata"]["annotations"][key].as_str().unwrap_or_default().to_owned();
        let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
        let pid = annotation(PID).parse().unwrap_or_default();
        let who = match annotation(WHO) {
            who if who.is_empty() => identity.clone(),
            who => who,
        };
        Self {
            operation: annotation(OPERATION),
            who,
            pid,
            since: annotation(SINCE).parse().ok(),
            identity,
            process: Process {
                host: annotation(HOST),
                pid,
                boot_id: annotation(BOOT_ID),
                pid_namespace: annotation(PID_NAMESPACE),
                started: annotation(STARTED),
            },
        }
    }

    /// Was the lock given back by emptying the Lease?
    pub(super) fn is_free(&self) -> bool {
        self.identity.is_empty()
    }

    /// Is it known that nobody will go on? Only on the machine on which the holder ran.
    pub fn process_is_gone(&self) -> bool {
        self.process.is_gone()
    }
}

impl fmt::Display for HolderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match self.operation.as_str() {
            "install" => "installed",
            "upgrade" => "upgraded",
            "rollback" => "rolled back",
            "uninstall" => "uninstalled",
            "restart" => "restarted",
            _ => "changed",
        };
        write!(f, "{done} by {}", self.who)?;
        if self.pid > 0 {
            write!(f, " (pid {})", self.pid)?;
        }
        if let Some(since) = self.since {
            let seconds = jiff::Timestamp::now().duration_since(since).as_secs().max(0);
            match seconds {
                0..120 => write!(f, " since {seconds}s")?,
                120..7200 => write!(f, " since {}m", seconds / 60)?,
                _ => write!(f, " since {}h", seconds / 3600)?,
            }
        }
        Ok(())
    }
}
