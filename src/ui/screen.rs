//! The bottom of a terminal, drawn by indicatif: lines that change in place, with lasting lines
//! above them. One bar holds them all as its message, so that a frame is one write and half a
//! frame is never seen.
//!
//! Below the lines indicatif draws an empty one, where the cursor rests and is never hidden:
//! whatever ends the process, the shell's prompt appears where it belongs, and an echoed `^C` does
//! not move the lines.

use std::io::Write as _;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A region at the bottom of the terminal behind stderr.
pub(super) struct Screen {
    bar: ProgressBar,
    /// The message that the bar has: each line with its line break.
    region: String,
    /// The terminal's width when it was drawn.
    columns: usize,
}

impl Default for Screen {
    fn default() -> Self {
        // indicatif fills every line with spaces. This one it finds full; the carriage return comes
        // after its spaces, so that the cursor stands at its start.
        let rest = |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:1$}\r", "", size().1);
        };
        let style = ProgressStyle::with_template("{msg}{rest}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("rest", rest);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
        Self { bar, region: String::new(), columns: size().1 }
    }
}

impl Screen {
    /// Replaces the changing lines.
    pub fn show(&mut self, lines: &[String]) {
        self.notice_resize();
        let region: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        if region != self.region {
            self.region.clone_from(&region);
            self.bar.set_message(region);
        }
    }

    /// Prints lines above the changing ones; they stay. Not by `ProgressBar::println`: that fills
    /// lines with spaces instead of ending them, and copied text would be one long line.
    pub fn print(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.suspend(|| write(&(lines.join("\n") + "\n")));
        }
    }

    /// Runs `f` with the changing lines taken off the screen.
    pub fn suspend<T>(&mut self, f: impl FnOnce() -> T) -> T {
        self.notice_resize();
        let out = self.bar.suspend(f);
        self.columns = size().1;
        out
    }

    /// Takes the changing lines off the screen for good.
    pub fn close(&mut self) {
        self.notice_resize();
        self.bar.finish_and_clear();
    }

    /// indicatif counts the rows that it drew, and terminals break lines anew when their width
    /// changes: take the old frame off, and let indicatif begin again.
    fn notice_resize(&mut self) {
        let columns = size().1;
        if columns == self.columns {
            return;
        }
        let term = Term::buffered_stderr();
        let _ = term
            .move_cursor_up(rows_above(self.region.lines().count(), self.columns, columns))
            .and_then(|()| term.clear_to_end_of_screen())
            .and_then(|()| term.flush());
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.region.clear();
        self.columns = columns;
    }
}

/// Rows between the first line and the cursor, after a terminal went from `old` to `new` columns.
/// Lines that fill their row have no line break: to the terminal all are one long line.
fn rows_above(lines: usize, old: usize, new: usize) -> usize {
    lines * old / new.max(1)
}

/// Rows and columns of the terminal behind stderr.
pub(super) fn size() -> (usize, usize) {
    let (rows, columns) = Term::stderr().size();
    (usize::from(rows), usize::from(columns))
}

/// In one piece. A terminal that is gone must not end an operation that is under way.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::rows_above;

    #[test]
    fn full_lines_flow_into_the_new_width() {
        assert_eq!(rows_above(3, 80, 40), 6);
        assert_eq!(rows_above(3, 80, 120), 2);
        // The cursor stands within the third row.
        assert_eq!(rows_above(2, 80, 70), 2);
        assert_eq!(rows_above(0, 80, 40), 0);
    }
}
