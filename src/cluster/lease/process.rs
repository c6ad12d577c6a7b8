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
            started: match look("self") {
                Seen::Since(started) => started,
                Seen::Dead | Seen::Hidden => String::new(),
            },
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
        known
            && same_machine
            && match look(&self.pid.to_string()) {
                Seen::Dead => true,
                Seen::Since(started) => started != self.started,
                // of another user, where /proc hides those (hidepid, ProtectProc)
                Seen::Hidden => !exists(self.pid),
            }
    }
}

/// What /proc shows of a process.
enum Seen {
    /// It began then.
    Since(String),
    /// It has ended, and nobody has asked for its exit code yet.
    Dead,
    /// Nothing.
    Hidden,
}

/// proc_pid_stat(5), field 22. The second field, the program's name, may hold spaces and brackets.
fn look(pid: &str) -> Seen {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return Seen::Hidden };
    let Some((_, fields)) = stat.rsplit_once(") ") else { return Seen::Hidden };
    // a zombie (state Z) or dead (X) process does nothing any more
    if fields.starts_with(['Z', 'X']) {
        return Seen::Dead;
    }
    let started = fields.split_ascii_whitespace().nth(19);
    started.map_or(Seen::Hidden, |started| Seen::Since(started.to_owned()))
}

/// kill(2) with signal 0: the kernel tells of every process, also of those that /proc hides. Only
/// "no such process" is a no; whoever may not signal it hears that it exists.
fn exists(pid: u32) -> bool {
    #[cfg(unix)]
    {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_none_or(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }
    #[cfg(not(unix))]
    {
        let _ = pid;
        true
    }
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
        let Seen::Since(started) = look(&child.id().to_string()) else { panic!("it lives") };
        let mut other = Process { pid: child.id(), started, ..this.clone() };
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

    #[test]
    fn what_proc_hides_is_not_gone() {
        // the kernel knows of both, whatever /proc shows
        assert!(exists(std::process::id()) && exists(1));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!exists(pid));
    }
}
