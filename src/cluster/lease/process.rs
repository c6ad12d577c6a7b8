//! Is a process of this machine still alive? Only Linux tells enough to be sure: the boot, the
//! process namespace, and when a process began, so that a reused pid is not mistaken for it.

use crate::cluster::who;

/// A process, so that no other one is ever mistaken for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub host: String,
    pub pid: u32,
    /// Which boot of the machine; empty where it cannot be known.
    pub boot_id: String,
    /// Which process namespace: a container's pid 7 is not the host's.
    pub pid_namespace: String,
    /// When it began, in clock ticks since the boot.
    pub started: String,
}

impl Process {
    /// The process that we are.
    pub fn this() -> Self {
        Self {
            host: who::host(),
            pid: std::process::id(),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: pid_namespace(),
            started: started("self").unwrap_or_default(),
        }
    }

    /// Certainly gone: it was a process of this boot of this machine, and is no more. False
    /// whenever that cannot be known from here.
    pub fn is_gone(&self) -> bool {
        let here = Self::this();
        let known = !self.boot_id.is_empty() && !self.started.is_empty() && !self.pid_namespace.is_empty();
        let same_machine = self.host == here.host
            && self.boot_id == here.boot_id
            && self.pid_namespace == here.pid_namespace;
        known && same_machine && started(&self.pid.to_string()).as_ref() != Some(&self.started)
    }
}

/// proc_pid_stat(5), field 22. The second field, the program's name, may hold spaces and brackets.
fn started(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    // a zombie (state Z) or dead (X) process does nothing any more
    if fields.starts_with(['Z', 'X']) {
        return None;
    }
    fields.split_ascii_whitespace().nth(19).map(str::to_owned)
}

fn pid_namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_boot_that_is_no_more_is_gone() {
        let this = Process::this();
        assert!(!this.is_gone());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut other =
            Process { pid: child.id(), started: started(&child.id().to_string()).unwrap(), ..this.clone() };
        assert!(!other.is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(other.is_gone());
        other.boot_id = "another boot".into();
        assert!(!other.is_gone(), "nothing is known about another boot");
        let reused = Process { started: "1".into(), ..this.clone() };
        assert!(reused.is_gone(), "the pid belongs to another process now");
        let unknown = Process { started: String::new(), ..this };
        assert!(!unknown.is_gone());
    }
}
