//! A regular expression as Lucene reads it. Its syntax has no classes such as `\d`, no flags and no anchors,
//! and gives a meaning to more signs, so what was read is written anew.

use std::fmt::Write;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Longest result that a store takes (`index.max_regex_length`): classes of Unicode are longer.
const LONGEST: usize = 1_000;

/// The same expression for Lucene, which fits it to whole values.
pub fn of_lucene(text: &str) -> Result<String, String> {
    let hir = regex_syntax::ParserBuilder::new().dot_matches_new_line(true).build().parse(&plain(text));
    let hir = hir.map_err(|_| "it is not a regular expression".to_owned())?;
    let mut out = String::new();
    write(&hir, &mut out, Place { first: true, last: true })?;
    if out.chars().count() > LONGEST {
        return Err("it becomes too long for this store; without (?i) and \\p it is shorter".to_owned());
    }
    Ok(out)
}

/// `\w`, `\d` and `\s` as Loki and most others have them: of ASCII.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
            other => {
                out.push(c);
                out.extend(other);
            }
        }
    }
    out
}

/// A text that stands for itself.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // at the end of an expression it would take the `/` behind it with it, and all up to the next one
            '\\' => out.push_str("[\\\\]"),
            c => sign(c, &mut out),
        }
    }
    out
}

/// A character that stands for itself, also in a class.
fn sign(c: char, out: &mut String) {
    if r##".?+*|{}[]()"\#@&<>~^$-"##.contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// Does what is written stand at the beginning, at the end of the whole?
#[derive(Clone, Copy)]
struct Place {
    first: bool,
    last: bool,
}

fn write(hir: &Hir, out: &mut String, place: Place) -> Result<(), String> {
    let inner = Place { first: false, last: false };
    match hir.kind() {
        // nothing at all: an empty group
        HirKind::Empty => out.push_str("()"),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| "it is about single bytes".to_owned())?;
            out.push_str(&quoted(text));
        }
        HirKind::Class(class) => self::class(class, out)?,
        HirKind::Look(Look::Start) if place.first => {}
        HirKind::Look(Look::End) if place.last => {}
        HirKind::Look(_) => {
            return Err("^ and $ can only stand at its ends here, and \\b nowhere".to_owned());
        }
        HirKind::Repetition(repetition) => {
            out.push('(');
            write(&repetition.sub, out, inner)?;
            out.push(')');
            // writing to a String cannot fail
            let _ = match (repetition.min, repetition.max) {
                (0, None) => write!(out, "*"),
                (1, None) => write!(out, "+"),
                (0, Some(1)) => write!(out, "?"),
                (min, None) => write!(out, "{{{min},}}"),
                (min, Some(max)) => write!(out, "{{{min},{max}}}"),
            };
        }
        HirKind::Capture(capture) => {
            out.push('(');
            write(&capture.sub, out, place)?;
            out.push(')');
        }
        HirKind::Concat(parts) => {
            for (at, part) in parts.iter().enumerate() {
                let at_end = at + 1 == parts.len();
                write(part, out, Place { first: place.first && at == 0, last: place.last && at_end })?;
            }
        }
        HirKind::Alternation(parts) => {
            out.push('(');
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    out.push('|');
                }
                write(part, out, place)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

fn class(class: &Class, out: &mut String) -> Result<(), String> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => {
            let ranges = class.ranges().iter().map(|range| (range.start(), range.end()));
            if ranges.clone().any(|(_, end)| !end.is_ascii()) {
                return Err("it is about single bytes".to_owned());
            }
            ranges.map(|(start, end)| (char::from(start), char::from(end))).collect()
        }
    };
    match ranges.as_slice() {
        [] => return Err("it fits nothing".to_owned()),
        [('\0', char::MAX)] => {
            out.push('.');
            return Ok(());
        }
        _ => {}
    }
    out.push('[');
    for (start, end) in ranges {
        sign(start, out);
        if end > start {
            out.push('-');
            sign(end, out);
        }
    }
    out.push(']');
    Ok(())
}
