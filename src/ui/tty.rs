//! The terminal that progress is drawn on: its size, what is written to it, and whether it is ours
//! to draw on now. A trait, so that tests draw on one that they can look at.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use console::Term;

/// Lines that stand below the cursor of the terminal behind stderr.
static BELOW: AtomicUsize = AtomicUsize::new(0);
/// Set when nothing may be drawn any more: the tool broke, or is told to leave at once.
static LEFT: AtomicBool = AtomicBool::new(false);
/// Set while the process is stopped by Ctrl-Z.
static PAUSED: AtomicBool = AtomicBool::new(false);

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
}

/// What a [`super::screen::Screen`] draws on.
pub(super) trait Terminal: Send {
    /// Its size now.
    fn size(&self) -> Size;
    /// Writes in one piece. A terminal that is gone must not end an operation that is under way.
    fn write(&mut self, text: &str);
    /// How many lines of the screen stand below the cursor. Whoever else moves the cursor below them
    /// sets it to 0.
    fn below(&self) -> &AtomicUsize;
    /// May it be drawn on now?
    fn is_ours(&self) -> bool;
}

/// The terminal behind stderr.
pub(super) struct Stderr;

impl Terminal for Stderr {
    fn size(&self) -> Size {
        let (rows, columns) = Term::stderr().size();
        Size { rows: usize::from(rows), columns: usize::from(columns) }
    }

    fn write(&mut self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    fn below(&self) -> &AtomicUsize {
        &BELOW
    }

    fn is_ours(&self) -> bool {
        super::jobs::is_in_front() && !LEFT.load(Ordering::Relaxed) && !PAUSED.load(Ordering::Relaxed)
    }
}

/// Was the terminal left for good?
pub(super) fn left() -> bool {
    LEFT.load(Ordering::Relaxed)
}

/// Puts the terminal in order at any moment: the cursor stands below what was drawn and is visible,
/// colours end. What was drawn stays.
pub fn restore_terminal() {
    let mut stderr = Stderr;
    if Term::stderr().is_term() {
        stderr.write(&order(BELOW.swap(0, Ordering::Relaxed)));
    }
}

/// The same, and nothing is drawn any more: before leaving at once, as on a second Ctrl-C. Otherwise
/// dropping [`super::Progress`] is enough.
pub fn leave_terminal() {
    LEFT.store(true, Ordering::Relaxed);
    restore_terminal();
}

/// Ctrl-Z: the shell gets an orderly terminal; what it writes meanwhile stays when `stop`, which ends
/// when the process goes on, has ended.
pub fn lend_terminal(stop: impl FnOnce()) {
    PAUSED.store(true, Ordering::Relaxed);
    restore_terminal();
    stop();
    PAUSED.store(false, Ordering::Relaxed);
}

fn order(below: usize) -> String {
    let down = if below > 0 { format!("\x1b[{below}B\r\n") } else { String::new() };
    format!("{down}\x1b[?25h\x1b[?2026l\x1b[0m")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_cursor_goes_below_what_stays() {
        assert_eq!(super::order(0), "\x1b[?25h\x1b[?2026l\x1b[0m");
        assert_eq!(super::order(3), "\x1b[3B\r\n\x1b[?25h\x1b[?2026l\x1b[0m");
    }
}
