//! A program on a terminal of its own: what it draws can be looked at as a person sees it, the
//! terminal can be resized, and keys that send signals can be pressed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::process::{Command, code};

/// How long a screen may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs on a terminal. Dropping it kills it.
pub struct OnTerminal {
    line: String,
    child: Child,
    /// Who gets the signals: the child, or what runs in it.
    target: Pid,
    terminal: OwnedFd,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

struct Seen {
    screen: avt::Terminal,
    /// All that was written, escape sequences included.
    raw: String,
}

/// Starts it on a terminal of this size, which is its stdin, stdout and stderr.
#[track_caller]
pub fn start(command: &Command, columns: u16, rows: u16) -> OnTerminal {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("open a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("unlock a terminal");
    resize(&terminal, columns, rows);
    let name = ptsname(&terminal, Vec::new()).expect("a name");
    let path = name.to_str().expect("a path");
    let side =
        || Stdio::from(File::options().read(true).write(true).open(path).expect("open its other side"));
    let mut program = command.to_std();
    program.stdin(side()).stdout(side()).stderr(side());
    let line = command.to_string();
    let child = program.spawn().unwrap_or_else(|e| panic!("cannot run {line}: {e}"));
    // only the child holds the other side now: reading ends with it
    drop(program);
    let screen = avt::Terminal::with_scrollback(columns.into(), rows.into(), None).expect("a size");
    let seen = Arc::new(Mutex::new(Seen { screen, raw: String::new() }));
    let (sink, from) = (Arc::clone(&seen), terminal.try_clone().expect("one handle more"));
    let reader = thread::spawn(move || follow(File::from(from), &sink));
    let target = Pid::from_child(&child);
    OnTerminal { line, child, target, terminal, seen, reader: Some(reader) }
}

/// The only child of a process, while it has one.
fn only_child(of: Pid) -> Option<Pid> {
    let id = of.as_raw_pid();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    Pid::from_raw(children.trim().parse().ok()?)
}

fn follow(mut from: File, sink: &Mutex<Seen>) {
    let (mut chunk, mut bytes) = ([0; 8192], Vec::new());
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..n]);
        // a character may come in two pieces
        let whole = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        bytes.drain(..whole);
        let mut seen = sink.lock().expect("nothing panics here");
        seen.screen.feed(text.as_str());
        seen.raw.push_str(&text);
    }
}

fn resize(terminal: impl AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("resize a terminal");
}

fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

impl OnTerminal {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics here")
    }

    /// The lines on the screen, without empty ones at its end.
    pub fn screen(&self) -> Vec<String> {
        let seen = self.seen();
        let lines: Vec<String> = seen.screen.screen().visible_lines().map(avt::Line::text).collect();
        trimmed(lines.iter().map(String::as_str))
    }

    /// All lines since the start, those that the terminal broke joined again.
    pub fn text(&self) -> Vec<String> {
        let lines = self.seen().screen.screen().text();
        trimmed(lines.iter().map(AsRef::as_ref))
    }

    /// All that was written, escape sequences included.
    pub fn raw(&self) -> String {
        self.seen().raw.clone()
    }

    /// Column and row of the cursor; None when it is hidden.
    pub fn cursor(&self) -> Option<(usize, usize)> {
        self.seen().screen.cursor().position()
    }

    /// Changes the terminal's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        // together: nothing is drawn in between
        let mut seen = self.seen();
        seen.screen.resize(columns.into(), rows.into());
        resize(&self.terminal, columns, rows);
    }

    /// Somebody types.
    pub fn types(&self, text: &str) {
        let mut keyboard = File::from(self.terminal.try_clone().expect("one handle more"));
        keyboard.write_all(text.as_bytes()).expect("type");
    }

    /// Waits until what is typed is not shown.
    #[track_caller]
    pub fn hides(&self) {
        let end = Instant::now() + PATIENCE;
        while tcgetattr(&self.terminal).expect("its modes").local_modes.contains(LocalModes::ECHO) {
            assert!(
                Instant::now() < end,
                "{}: what is typed is shown\n{}",
                self.line,
                self.screen().join("\n")
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Somebody else writes to the terminal.
    pub fn other(&self, text: &str) {
        self.seen().screen.feed(text);
    }

    /// Waits until the screen is as it should be. `what` is said when it never is.
    #[track_caller]
    pub fn shows(&mut self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return;
            }
            let ended = self.child.try_wait().expect("wait for a child").is_some();
            assert!(
                !ended && Instant::now() < end,
                "{}: {what}: not so ({})\n{}",
                self.line,
                if ended { "and it ended" } else { "within a minute" },
                screen.join("\n")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a key on the terminal, or somebody else, sends.
    pub fn signal(&self, signal: Signal) {
        // It was not waited for, so the id is still its own, even when it has ended.
        kill_process(self.target, signal).expect("signal a child");
    }

    /// From now on signals go to the innermost program that the child runs.
    pub fn aim_at_innermost(&mut self) {
        while let Some(inner) = only_child(self.target) {
            self.target = inner;
        }
    }

    /// Waits until it ends with this code.
    #[track_caller]
    pub fn ends(&mut self, expected: i32) {
        let code = self.end();
        assert!(
            code == expected,
            "{}: exit code {code}, not {expected}\n{}",
            self.line,
            self.text().join("\n")
        );
    }

    /// Waits until it ends, and gives its exit code; all that it wrote is then on the screen.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        let end = Instant::now() + 4 * PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait for a child") {
                break status;
            }
            assert!(Instant::now() < end, "{} does not end\n{}", self.line, self.screen().join("\n"));
            thread::sleep(Duration::from_millis(5));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader never panics");
        }
        code(status)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
