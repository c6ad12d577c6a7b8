//! Text from outside made harmless for a terminal: what would move a cursor, colour, ring, begin a line
//! or change the order in which a line is read is shown as an escape (`\x1b`, `\u{202e}`). What comes
//! from a cluster, a bundle, a file or another program may hold anything. Pure.

use std::borrow::Cow;
use std::fmt::Write;

/// Does a character control a terminal, or the order in which others are read? The controls of ASCII and
/// ISO 6429 (C1), the separators of lines and paragraphs, and what Unicode calls `Bidi_Control`.
pub fn controls(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of lines: line breaks and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    replace(text, |c| controls(c) && !matches!(c, '\n' | '\t'), visible)
}

/// A text that stands in one line: what would break it is shown, too.
pub fn line(text: &str) -> Cow<'_, str> {
    replace(text, |c| controls(c) && c != '\t', visible)
}

/// A text in a table, where a tab has no place either.
pub fn cell(text: &str) -> Cow<'_, str> {
    replace(text, controls, visible)
}

/// A document as a serialiser wrote it: JSON, which holds such characters in strings only, or YAML as
/// [`crate::yaml`] writes it, in double-quoted ones. There this is the same value. Tabs stay, for YAML
/// has them in blocks; JSON has none.
pub fn document(text: &str) -> Cow<'_, str> {
    replace(
        text,
        |c| controls(c) && !matches!(c, '\n' | '\t'),
        |c, out| {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        },
    )
}

/// One character as [`text()`] and [`line()`] show it.
pub fn visible(c: char, out: &mut String) {
    // writing to a String cannot fail
    let _ = match c {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

fn replace(text: &str, harms: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let Some(first) = text.find(&harms) else { return Cow::Borrowed(text) };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for c in rest.chars() {
        if harms(c) {
            write(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_is_shown() {
        for (given, as_text, as_line, as_document) in [
            ("plain, ü, 監視, 🙂", "plain, ü, 監視, 🙂", "plain, ü, 監視, 🙂", "plain, ü, 監視, 🙂"),
            ("a\tb\nc", "a\tb\nc", "a\tb\\nc", "a\tb\nc"),
            (
                "a\r\u{7}\x1b[2J\x7f",
                "a\\r\\x07\\x1b[2J\\x7f",
                "a\\r\\x07\\x1b[2J\\x7f",
                "a\\u000d\\u0007\\u001b[2J\\u007f",
            ),
            ("\u{85}\u{9b}31m", "\\u{85}\\u{9b}31m", "\\u{85}\\u{9b}31m", "\\u0085\\u009b31m"),
            ("x\u{202e}y\u{2069}", "x\\u{202e}y\\u{2069}", "x\\u{202e}y\\u{2069}", "x\\u202ey\\u2069"),
        ] {
            assert_eq!(text(given), as_text);
            assert_eq!(line(given), as_line);
            assert_eq!(cell(given), as_line.replace('\t', "\\t"));
            assert_eq!(document(given), as_document);
        }
    }

    #[test]
    fn a_document_is_the_same_value() {
        let all: String = ('\0'..='\u{2fff}').filter(|c| controls(*c)).collect();
        assert_eq!(all.chars().count(), 32 + 1 + 32 + 3 + 2 + 5 + 4);
        let value = serde_json::json!({ all.clone(): [all] });
        for written in [value.to_string(), format!("{value:#}")] {
            let written = document(&written);
            assert!(!written.chars().any(|c| controls(c) && c != '\n'), "{written:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
        }
    }
}
