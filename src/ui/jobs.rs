//! Job control as a shell does it: who has the terminal, and whether a stop can ever end. In a
//! container the session or the process group may have been begun outside of its PID namespace; its id
//! is 0 then, which rustix takes for impossible.

use std::os::fd::AsRawFd as _;

#[expect(unsafe_code, reason = "rustix breaks on ids from outside the PID namespace")]
mod ids {
    /// The session of a process (0: of this one), negative when it is gone.
    pub(super) fn session(process: i32) -> i32 {
        // SAFETY: it takes and gives numbers
        unsafe { libc::getsid(process) }
    }

    /// The process group of this process.
    pub(super) fn group() -> i32 {
        // SAFETY: it gives a number
        unsafe { libc::getpgrp() }
    }

    /// The process group that has a terminal, negative when nothing controls jobs there.
    pub(super) fn foreground(terminal: i32) -> i32 {
        // SAFETY: it takes and gives numbers; what is no terminal is an error
        unsafe { libc::tcgetpgrp(terminal) }
    }
}

/// May the process stop as Ctrl-Z asks? One whose parent is in another session would never be
/// continued; the kernel does not stop it either.
pub fn may_stop() -> bool {
    rustix::process::getppid().is_some_and(|parent| ids::session(parent.as_raw_pid()) == ids::session(0))
}

/// Is this process in front on the terminal behind stderr? One that does not control jobs is nobody
/// else's, and one that was begun with outside of the PID namespace may be ours.
pub(super) fn is_in_front() -> bool {
    let front = ids::foreground(std::io::stderr().as_raw_fd());
    front <= 0 || front == ids::group()
}
