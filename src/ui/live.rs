//! Rows about what goes on until somebody ends it, such as forwarded ports: redrawn in place on a
//! terminal, elsewhere one line for each change.

use std::collections::HashMap;
use std::time::Instant;

use super::gate;
use super::screen::Screen;
use super::terminal::Mode;
use super::text::{justify, truncate, width};
use super::tty::{Stderr, left};
use crate::escape;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRow {
    /// Which row it is.
    pub key: String,
    /// What it says; a change is told.
    pub steady: String,
    /// What moves all the time, such as numbers: only where it can be redrawn.
    pub moving: String,
}

/// The place where rows are shown, on stderr. Dropping it takes changing lines off the screen.
pub struct Live {
    mode: Mode,
    screen: Option<Screen>,
    said: HashMap<String, String>,
}

impl Live {
    pub(super) fn new(mode: Mode) -> Self {
        let screen = (mode == Mode::Bars).then(|| Screen::new(Box::new(Stderr)));
        Self { mode, screen, said: HashMap::new() }
    }

    /// Shows the rows as they are now.
    pub fn show(&mut self, rows: &[LiveRow]) {
        match (&mut self.screen, self.mode) {
            (Some(screen), _) => {
                let columns = screen.size().columns;
                let mut lines: Vec<String> = rows.iter().map(|row| line(row, columns)).collect();
                if !screen.is_ours() {
                    lines.clear();
                }
                screen.draw(&[], &lines, Instant::now());
            }
            (None, Mode::Plain | Mode::Sentences) => {
                for line in self.news(rows) {
                    gate::stderr(&format!("{line}\n"));
                }
            }
            (None, _) => {}
        }
    }

    /// What was not said yet.
    fn news(&mut self, rows: &[LiveRow]) -> Vec<String> {
        rows.iter()
            .filter(|row| self.said.insert(row.key.clone(), row.steady.clone()).as_ref() != Some(&row.steady))
            .map(|row| escape::line(&row.steady).into_owned())
            .collect()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(screen) = self.screen.as_mut().filter(|_| !left()) {
            screen.clear();
        }
    }
}

/// A row on a screen: what moves stands at the right, and gives way first.
fn line(row: &LiveRow, columns: usize) -> String {
    let steady = format!("  {}", escape::cell(&row.steady));
    if row.moving.is_empty() || width(&steady) + 2 + width(&row.moving) > columns {
        return truncate(&steady, columns);
    }
    justify(&steady, &row.moving, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(steady: &str, moving: &str) -> LiveRow {
        LiveRow { key: "x".into(), steady: steady.into(), moving: moving.into() }
    }

    #[test]
    fn only_changes_are_said_and_numbers_are_none() {
        let mut live = Live::new(Mode::Plain);
        assert_eq!(live.news(&[row("a", "1 B")]), ["a"]);
        assert!(live.news(&[row("a", "2 B")]).is_empty());
        assert_eq!(live.news(&[row("b", "2 B")]), ["b"]);
    }

    #[test]
    fn a_narrow_screen_keeps_what_counts() {
        assert_eq!(line(&row("grafana", "1 B"), 20), "  grafana        1 B");
        assert_eq!(line(&row("grafana", "1 B"), 12), "  grafana");
        assert_eq!(line(&row("grafana", "1 B"), 6), "  gra…");
    }
}
