//! Colours with fixed meanings: ✔ green, ! yellow, ✘ red, cyan for what can be typed. Output says
//! the same without them. What is painted is a text with marks that [`super::gate`] knows: they become
//! escape sequences when it is written.

use super::gate::{self, Part, mark};

/// Paints or leaves as it is. Text is padded and cut before it is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Are there colours?
    pub colour: bool,
}

impl Paint {
    /// No colour.
    pub const NONE: Self = Self { colour: false };

    fn with(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("{}{text}{}", mark(code), mark("0"))
        } else {
            text.to_owned()
        }
    }

    /// Done, ready, added.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Worth knowing, stops nothing.
    pub fn warning(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Failed, removed.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Can be typed.
    pub fn command(self, text: &str) -> String {
        self.with("36", text)
    }

    /// Of less weight: context, times.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// One of several voices, told apart by colours without a meaning of their own.
    pub fn lane(self, number: usize, text: &str) -> String {
        const CODES: [&str; 6] = ["34", "35", "94", "95", "96", "92"];
        self.with(CODES[number % CODES.len()], text)
    }

    /// A line that somebody else coloured: its colours and nothing else that controls, ended with the line.
    /// Without colour they are left out.
    pub fn theirs(self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut coloured = false;
        gate::sgr(line, |part| match part {
            Part::Text(text) => out.push_str(text),
            Part::Colour(parameters) if self.colour => {
                out.push_str(&mark(parameters));
                coloured = true;
            }
            Part::Colour(_) => {}
        });
        if coloured {
            out.push_str(&mark("0"));
        }
        out
    }

    /// What the line is about.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_colours_stay_where_colours_are_and_end_with_the_line() {
        let line = "\x1b[31mlevel=error\x1b[39m \x1b[2Jmsg=x\x1b]0;t\u{7}";
        let shown = |colour| gate::open(&Paint { colour }.theirs(line));
        assert_eq!(shown(true), "\x1b[31mlevel=error\x1b[39m \\x1b[2Jmsg=x\\x1b]0;t\\x07\x1b[0m");
        assert_eq!(shown(false), "level=error \\x1b[2Jmsg=x\\x1b]0;t\\x07");
        assert_eq!(gate::open(&Paint { colour: true }.theirs("plain")), "plain");
    }
}
