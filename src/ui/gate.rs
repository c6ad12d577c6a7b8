//! The gate: what goes to stdout and stderr passes here, and nowhere else. It lets through the colours
//! that [`super::Paint`] made, and nothing else that controls a terminal: the rest is shown as an escape.
//!
//! Paint does not write escape sequences, but marks that hold a key of this process. So somebody else's
//! text cannot hold one, wherever it ends up: a tenant's `ESC[31m` stays a text.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::OnceLock;

use crate::escape;

/// Begins a mark; no character, and in no text that somebody writes.
const MARK: char = '\u{fdd0}';
/// Longer than the parameters of any colour.
const PARAMETERS: usize = 32;

/// The key of this process: the standard library's hash keys are random.
fn key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let random = RandomState::new();
        format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2))
    })
}

/// The mark that becomes `ESC[<parameters>m`.
pub(super) fn mark(parameters: &str) -> String {
    format!("{MARK}{}{parameters}m", key())
}

/// A text as it may be written: marks become colours, all else that controls is shown.
pub(super) fn open(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, marked) = rest.split_at(at);
        out.push_str(&escape::text(before));
        let behind = &marked[MARK.len_utf8()..];
        match behind.strip_prefix(key()).and_then(parameters) {
            Some((parameters, behind)) => {
                out.push_str(&format!("\x1b[{parameters}m"));
                rest = behind;
            }
            None => {
                escape::visible(MARK, &mut out);
                rest = behind;
            }
        }
    }
    out.push_str(&escape::text(rest));
    out
}

/// The parameters of an SGR sequence at the start of `text`, and what follows it.
fn parameters(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|b| !matches!(b, b'0'..=b'9' | b';' | b':'))?;
    (end <= PARAMETERS && text.as_bytes()[end] == b'm').then(|| (&text[..end], &text[end + 1..]))
}

/// Calls `text` and `colour` for the parts of a text of somebody else: what lies between SGR sequences
/// (ECMA-48 8.3.117), and their parameters.
pub(super) fn sgr<'t>(text: &'t str, mut part: impl FnMut(Part<'t>)) {
    let mut rest = text;
    let mut begin = 0;
    while let Some(at) = rest[begin..].find("\x1b[").map(|at| at + begin) {
        match parameters(&rest[at + 2..]) {
            Some((parameters, behind)) => {
                part(Part::Text(&rest[..at]));
                part(Part::Colour(parameters));
                rest = behind;
                begin = 0;
            }
            None => begin = at + 2,
        }
    }
    part(Part::Text(rest));
}

/// A part of a text.
pub(super) enum Part<'t> {
    Text(&'t str),
    /// Parameters.
    Colour(&'t str),
}

/// Writes to stdout in one piece.
pub(super) fn stdout(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(open(text).as_bytes())?;
    stdout.flush()
}

/// Writes to stderr in one piece. Where it is closed there is nobody to tell.
pub(super) fn stderr(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(open(text).as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_colours_pass() {
        let painted = format!("{}ready{} {}x", mark("32"), mark("0"), mark("1;38:5:9"));
        assert_eq!(open(&painted), "\x1b[32mready\x1b[0m \x1b[1;38:5:9mx");
        for (given, expected) in [
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("\u{fdd0}0000000000000000000000000000000031m", "\\u{fdd0}0000000000000000000000000000000031m"),
            ("\u{fdd0}", "\\u{fdd0}"),
            ("a\n\tb", "a\n\tb"),
            ("\u{9b}2J", "\\u{9b}2J"),
        ] {
            assert_eq!(open(given), expected);
        }
        // cut in two it is no mark any more, and no other sequence can be made of it
        let cut = &mark("32")[..mark("32").len() - 1];
        assert!(!open(cut).contains('\x1b') && !open(&format!("{cut}A")).contains('\x1b'));
        assert!(!open(&mark("?25l")).contains('\x1b') && !open(&mark(&"1;".repeat(40))).contains('\x1b'));
    }

    #[test]
    fn somebody_elses_colours_are_told_from_other_sequences() {
        let parts = |text| {
            let mut out = String::new();
            sgr(text, |part| match part {
                Part::Text(text) => out.push_str(text),
                Part::Colour(parameters) => out.push_str(&format!("<{parameters}>")),
            });
            out
        };
        assert_eq!(parts("a\x1b[1;31mb\x1b[mc\x1b[2J\x1b[0m"), "a<1;31>b<>c\x1b[2J<0>");
        assert_eq!(parts("\x1b[\x1b[31m\x1b["), "\x1b[<31>\x1b[");
        assert_eq!(parts("\x1b[31"), "\x1b[31");
    }
}
