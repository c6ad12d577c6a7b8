//! One run of a command: wall time and peak memory.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Seconds that untrusted templates may take: a thousand templates on a busy machine need more than
/// the usual one.
pub(crate) const RENDER_TIMEOUT: &str = "30";

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Wall time in milliseconds.
    pub(crate) wall: f64,
    /// The largest resident set in MiB.
    pub(crate) memory: f64,
}

/// Runs the command in a small process in between: on Linux a child's largest resident set counts
/// its parent's pages up to exec(2), and the benchmark itself is larger than what it measures. The
/// command finds an empty home and nothing else of the caller's environment.
pub(crate) fn run(command: &[String]) -> Sample {
    let own = std::env::current_exe().expect("own path");
    let output = Command::new(own)
        .arg("measure")
        .args(command)
        .env_clear()
        .envs([("HOME", "/nonexistent"), ("PATH", "/usr/bin:/bin")])
        .env("KUBECTL_OBS_RENDER_TIMEOUT", RENDER_TIMEOUT)
        .output()
        .expect("run the measuring process");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers.as_slice() {
        [wall, memory] if output.status.success() => Sample { wall: *wall, memory: *memory },
        _ => panic!("$ {}\n{text}{}", command.join(" "), String::from_utf8_lossy(&output.stderr)),
    }
}

/// The process in between: prints milliseconds and MiB.
#[expect(unsafe_code, reason = "the standard library does not give a child's resource usage")]
pub(crate) fn child(command: &[&str]) {
    let [program, args @ ..] = command else { panic!("nothing to measure") };
    // A file instead of a pipe: nobody has to read while the clock runs.
    let path = std::env::temp_dir().join(format!("side-by-side-{}", std::process::id()));
    let errors = File::create(&path).expect("a file for stderr");
    let started = Instant::now();
    #[expect(clippy::zombie_processes, reason = "wait4 below is the wait")]
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let pid = libc::pid_t::try_from(child.id()).expect("a process id");
    let mut status = 0;
    // SAFETY: a rusage is plain numbers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type, and the child is ours to reap.
    let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    let wall = started.elapsed();
    assert_eq!(reaped, pid, "wait for the child");

    let said = std::fs::read_to_string(&path).expect("read stderr");
    drop(std::fs::remove_file(&path));
    assert!(status == 0, "wait status {status}\n{said}");
    // ru_maxrss is in KiB on Linux and in bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let memory = usage.ru_maxrss as f64 / unit;
    println!("{:.3} {memory:.3}", wall.as_secs_f64() * 1000.0);
}
