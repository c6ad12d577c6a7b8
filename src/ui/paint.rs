//! Colours with fixed meanings: ✔ green, ! yellow, ✘ red, cyan for what can be typed. Output says
//! the same without them.

/// Paints or leaves as it is. Text is padded and cut before it is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Are escape sequences written?
    pub colour: bool,
}

impl Paint {
    /// No colour.
    pub const NONE: Self = Self { colour: false };

    fn with(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
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

    /// What the line is about.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}
