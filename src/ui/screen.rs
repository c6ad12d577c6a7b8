//! Lines that change in place at the bottom of a terminal, with lasting lines above them.
//!
//! They stand below the cursor, which rests on an empty line above them and is never hidden for
//! longer than it takes to draw. Whatever somebody else writes meanwhile (a key that is echoed, a
//! plugin for credentials that asks something) begins on that empty line and pushes the changing ones
//! down. When the terminal is resized and breaks lines anew, all that has to go is still below the
//! cursor: it is erased without counting.
//!
//! A frame is one write of the lines that changed. Three times a second all are written, so that those
//! which somebody else wrote over stand again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::gate;
use super::tty::{Size, Terminal};

/// After this long all lines are written again.
const WHOLE: Duration = Duration::from_millis(300);
/// Around a frame: terminals that know how show it at once; others do not show the cursor jump.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?2026l";
/// Erases what is drawn: the cursor's line, and from the next one on. In one, at the top of the
/// screen, tmux takes it for a screen that is cleared, and keeps a copy.
const ERASE: &str = "\r\x1b[K\x1bD\x1b[J\x1b[A";

/// Changing lines on a terminal.
pub(super) struct Screen {
    terminal: Box<dyn Terminal>,
    /// The lines as they were drawn.
    shown: Vec<String>,
    /// The terminal's size then.
    size: Size,
    /// When all of them were drawn.
    whole: Option<Instant>,
}

impl Screen {
    /// Draws on `terminal`, where the cursor must be at the start of a line.
    pub fn new(terminal: Box<dyn Terminal>) -> Self {
        let size = terminal.size();
        Self { terminal, shown: Vec::new(), size, whole: None }
    }

    /// The terminal's size now.
    pub fn size(&self) -> Size {
        self.terminal.size()
    }

    /// May it be drawn on now?
    pub fn is_ours(&self) -> bool {
        self.terminal.is_ours()
    }

    /// Replaces the changing lines with `lines`, and prints `above` above them, to stay.
    pub fn draw(&mut self, above: &[String], lines: &[String], now: Instant) {
        let frame = self.frame(above, lines, now);
        if !frame.is_empty() {
            self.terminal.write(&frame);
        }
        self.terminal.below().store(self.shown.len(), Ordering::Relaxed);
    }

    /// Takes the changing lines off the screen.
    pub fn clear(&mut self) {
        if self.is_drawn() {
            self.terminal.write(ERASE);
            self.terminal.below().store(0, Ordering::Relaxed);
        }
        self.shown.clear();
    }

    /// Does something of ours stand below the cursor? Not after somebody moved the cursor below it.
    fn is_drawn(&self) -> bool {
        !self.shown.is_empty() && self.terminal.below().load(Ordering::Relaxed) > 0
    }

    fn frame(&mut self, above: &[String], lines: &[String], now: Instant) -> String {
        let size = self.terminal.size();
        // what does not fit would scroll the cursor away
        let lines: Vec<String> = lines
            .iter()
            .take(size.rows.saturating_sub(1))
            .map(|line| console::truncate_str(&gate::open(line), size.columns, "…").into_owned())
            .collect();
        let mut out = String::new();
        if !self.is_drawn() {
            self.shown.clear();
        } else if size != self.size || !above.is_empty() {
            out.push_str(ERASE);
            self.shown.clear();
        }
        self.size = size;
        for line in above {
            out.push_str(&gate::open(line));
            out.push_str("\r\n");
        }
        let late = self.whole.is_none_or(|whole| now.saturating_duration_since(whole) >= WHOLE);
        let whole = self.shown.is_empty() || late;
        if whole || lines != self.shown {
            self.lines(&lines, whole, &mut out);
        }
        if whole {
            self.whole = Some(now);
        }
        self.shown = lines;
        if out.is_empty() { out } else { format!("{BEGIN}{out}{END}") }
    }

    /// Writes what differs, or all of it, and returns to where the cursor was.
    fn lines(&self, lines: &[String], whole: bool, out: &mut String) {
        let rows = lines.len().max(self.shown.len());
        if rows == 0 {
            return;
        }
        // The rest of the cursor's line may be of an earlier frame. Then room is made in a way that
        // keeps the column: somebody may have asked something and wait for the answer there.
        out.push_str(&format!("\x1b[K{}\x1b[{rows}A\x1b7", "\x1bD".repeat(rows)));
        for i in 0..rows {
            out.push_str("\r\n");
            let line = lines.get(i).map_or("", String::as_str);
            if whole || self.shown.get(i).map(String::as_str) != Some(line) {
                out.push_str(line);
                // behind a full line the cursor still stands on its last column
                if console::measure_text_width(line) < self.size.columns {
                    out.push_str("\x1b[K");
                }
            }
        }
        out.push_str("\x1b8");
    }
}
