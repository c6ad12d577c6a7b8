//! One run of a program: what it is given, how long it may take, and everything that a person needs
//! to see when it did not do what the test expects.

use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A command with nothing of the caller's environment but PATH.
#[derive(Clone)]
pub struct Command {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    stdin: Option<String>,
    deadline: Duration,
}

impl Command {
    /// The program at `path`, or found on PATH.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let mut command = Self {
            program: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: None,
            stdin: None,
            deadline: Duration::from_secs(120),
        };
        for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env.push((name.into(), value));
            }
        }
        command
    }

    /// The program at `path` with the caller's whole environment, for tools that are not under test.
    pub fn tool(path: impl Into<PathBuf>) -> Self {
        Self { env: std::env::vars_os().collect(), ..Self::new(path) }
    }

    /// One argument more.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Several arguments more.
    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment; the last one given counts.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same, started by another program: `OUTER ARGS PROGRAM…`.
    pub fn within<S: Into<OsString>>(
        mut self,
        outer: impl Into<PathBuf>,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        let inner = std::mem::replace(&mut self.program, outer.into());
        let before = args.into_iter().map(Into::into).chain([inner.into_os_string()]);
        self.args.splice(0..0, before);
        self
    }

    /// Where it runs.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// What it reads; without this, stdin is empty. It is never a terminal.
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// How long it may take (two minutes, if nothing is said); then it is killed and the test fails.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub fn run(self) -> Output {
        self.start().wait()
    }

    /// Starts it and sends SIGKILL after a time, if it has not ended by then.
    #[track_caller]
    pub fn kill_after(self, time: Duration) {
        let running = self.start();
        thread::sleep(time);
        running.kill();
        drop(running);
    }

    /// Starts it, for tests that interrupt it or look at it while it runs.
    #[track_caller]
    pub fn start(self) -> Running {
        let line = self.to_string();
        let mut command = self.to_std();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot run {line}: {e}"));
        if let (Some(text), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // Beside reading what it writes, which may wait for that. The program may end without reading:
            // that is for the test to judge.
            thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        }
        let stdout = Stream::follow(child.stdout.take().expect("piped"));
        let stderr = Stream::follow(child.stderr.take().expect("piped"));
        Running { line, child, started, deadline: self.deadline, stdout, stderr }
    }
}

impl Command {
    /// Program, arguments, environment and directory.
    pub(super) fn to_std(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().cloned());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

impl fmt::Display for Command {
    /// As a person would type it: the program's file name and the arguments, quoted where needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        f.write_str(&name.to_string_lossy())?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains([' ', '\n', '\'', '"', '$', '*']) {
                write!(f, " '{}'", arg.replace('\'', r"'\''"))?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

/// A program that runs. Dropping it kills it.
pub struct Running {
    line: String,
    child: Child,
    started: Instant,
    deadline: Duration,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Waits until it ends.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child") {
                break Some(status);
            }
            if self.started.elapsed() > self.deadline {
                self.child.kill().expect("kill a child");
                self.child.wait().expect("wait for a child");
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let output = Output {
            line: self.line.clone(),
            code: status.map_or(-1, code),
            took: self.started.elapsed(),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        };
        assert!(status.is_some(), "not done after {}s, killed\n{output}", self.deadline.as_secs());
        output
    }

    /// Waits until it has written `text` to stderr.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ended = self.child.try_wait().expect("wait for a child").is_some();
            let said = self.stderr.text();
            if said.contains(text) {
                return;
            }
            assert!(
                !ended && Instant::now() < deadline,
                "{} did not say {text:?} ({})\n--- stderr\n{said}",
                self.line,
                if ended { "and ended" } else { "within a minute" },
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has written to stdout so far.
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to stderr so far.
    pub fn said(&self) -> String {
        self.stderr.text()
    }

    /// Is it still at work?
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("wait for a child").is_none()
    }

    /// Sends Ctrl-C (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL: no code of the program runs after this.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends SIGSTOP: it stays, and does nothing.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT: it goes on where it was.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // It was not waited for, so the id is still its own, even when it has ended.
        kill_process(Pid::from_child(&self.child), signal).expect("signal a child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The exit code; for a process that a signal ended 128 + its number, as a shell reports it.
pub(super) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// What a program wrote so far.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn follow(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(n @ 1..) = pipe.read(&mut chunk) {
                sink.lock().expect("a reader never panics").extend_from_slice(&chunk[..n]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("a reader never panics")).into_owned()
    }

    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader never panics");
        }
        self.text()
    }
}

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, as typed.
    pub line: String,
    /// The exit code, or 128 + the signal's number.
    pub code: i32,
    /// From start to end.
    pub took: Duration,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Output {
    /// It succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.ends(0)
    }

    /// It ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert!(self.code == code, "exit code {}, not {code}\n{self}", self.code);
        self
    }

    /// stdout has this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text:?} is not on stdout\n{self}");
        self
    }

    /// stderr has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not on stderr\n{self}");
        self
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not JSON: {e}\n{self}"))
    }

    /// Each line of stdout as a JSON document.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON: {e}: {line:?}\n{self}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        writeln!(f, "exit code {} after {:.1}s", self.code, self.took.as_secs_f64())?;
        writeln!(f, "--- stdout\n{}", ends_of(self.stdout.trim_end()))?;
        write!(f, "--- stderr\n{}", ends_of(self.stderr.trim_end()))
    }
}

/// The first and the last lines of a long text: a person looks there first.
fn ends_of(text: &str) -> String {
    const KEPT: usize = 40;
    let lines: Vec<&str> = text.lines().collect();
    match lines.len().checked_sub(2 * KEPT) {
        None | Some(0) => text.to_owned(),
        Some(left_out) => {
            let (first, last) = (lines[..KEPT].join("\n"), lines[KEPT + left_out..].join("\n"));
            format!("{first}\n  ({left_out} lines)\n{last}")
        }
    }
}
