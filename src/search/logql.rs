//! A query as Loki's LogQL: labels in the selector, then texts of the line, and only then fields, for which
//! every line that is left is parsed.
//!
//! What Loki does with a line that cannot be parsed, or with a field that is no number, is to pass it on with
//! an error on it, past all comparisons of numbers. So errors are dropped behind `| json`, and lines with one
//! behind comparisons.

use std::fmt::Write;

use super::level::Level;
use super::{Pattern, Query, Term, Test, Unsayable};
use crate::escape;

/// Labels of streams that lines of the stack have.
const LABELS: [&str; 6] = ["namespace", "pod", "container", "app", "stream", "cluster"];
/// Fields of an application with these names are called `NAME_extracted`.
const TAKEN: [&str; 10] = [
    "namespace",
    "pod",
    "container",
    "app",
    "stream",
    "cluster",
    "job",
    "node_name",
    "service_name",
    "detected_level",
];
/// Words of LogQL, which cannot be names in a comparison, however they are written (`pkg/logql/syntax/lex.go`).
const WORDS: [&str; 26] = [
    "and",
    "bool",
    "by",
    "decolorize",
    "drop",
    "group_left",
    "group_right",
    "ignoring",
    "ip",
    "json",
    "keep",
    "label_format",
    "label_replace",
    "line_format",
    "logfmt",
    "of",
    "offset",
    "on",
    "or",
    "pattern",
    "regexp",
    "unless",
    "unpack",
    "unwrap",
    "variants",
    "without",
];
/// Beside a line, as structured metadata.
const BESIDE: [&str; 2] = ["node", "cut"];

/// The query.
pub fn query(query: &Query) -> Result<String, Unsayable> {
    let (mut labels, mut texts, mut beside) = (Vec::new(), String::new(), String::new());
    let (mut fields, mut renamed) = (String::new(), String::new());
    let (mut exact, mut numbers) = (false, false);
    for term in &query.terms {
        match term {
            Term::Text { text, wanted } => texts.push_str(&in_line(text, *wanted)),
            Term::Line { regex, wanted } => {
                let sign = if *wanted { "|~" } else { "!~" };
                let _ = write!(texts, " {sign} {}", literal(regex));
            }
            Term::Level { levels, none, wanted } => {
                let _ = write!(beside, " | {}", level(levels, *none, *wanted));
            }
            Term::Field { key, test, wanted } if LABELS.contains(&key.as_str()) => {
                let (sign, value) = matcher(key, test, *wanted)?;
                exact |= sign == "=" && !value.is_empty();
                labels.push(format!("{key}{sign}{}", literal(&value)));
            }
            Term::Field { key, .. } if key.starts_with("labels.") => return Err(no_labels(key)),
            Term::Field { key, test, wanted } if BESIDE.contains(&key.as_str()) => {
                numbers |= matches!(test, Test::Number(..));
                let _ = write!(beside, " | {}", compared(key, test, *wanted));
            }
            Term::Field { key, test, wanted } => {
                numbers |= matches!(test, Test::Number(..));
                let name = name(key);
                if !WORDS.contains(&name.to_lowercase().as_str()) {
                    let _ = write!(fields, " | {}", compared(&name, test, *wanted));
                    continue;
                }
                let other = format!("its_{name}");
                let rename = format!(" | label_format {other}=\"{{{{.{name}}}}}\"");
                if !renamed.contains(&rename) {
                    renamed.push_str(&rename);
                }
                let _ = write!(renamed, " | {}", compared(&other, test, *wanted));
            }
        }
    }
    // behind the others, so that no name of an application is taken from them
    fields.push_str(&renamed);
    if !exact {
        // a selector must demand something that is not empty
        labels.insert(0, "namespace=~\".+\"".to_owned());
    }
    let mut out = format!("{{{}}}{texts}{beside}", labels.join(", "));
    if !fields.is_empty() {
        let _ = write!(out, " | json | drop __error__, __error_details__{fields}");
    }
    if numbers {
        out.push_str(" | __error__=\"\"");
    }
    Ok(out)
}

/// How many lines of a query there are in each step.
pub fn volume(query: &str, step_seconds: i64) -> String {
    format!("sum(count_over_time({query} [{step_seconds}s]))")
}

fn no_labels(key: &str) -> Unsayable {
    Unsayable {
        why: format!("{key}: Loki has no labels of pods"),
        hint: "app is one of app.kubernetes.io/name, k8s-app and app; fluentd.labels.extra adds others"
            .to_owned(),
    }
}

fn in_line(text: &Pattern, wanted: bool) -> String {
    // numbers and signs have no capitals
    if let Some(text) = text.as_exact().filter(|text| !text.chars().any(char::is_alphabetic)) {
        return format!(" {} {}", if wanted { "|=" } else { "!=" }, literal(text));
    }
    let parts: Vec<String> = text.parts().iter().map(|part| quoted(part)).collect();
    let sign = if wanted { "|~" } else { "!~" };
    format!(" {sign} {}", literal(&format!("(?i){}", parts.join("\\w*"))))
}

fn level(levels: &[Level], none: bool, wanted: bool) -> String {
    let mut words: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    // what Loki calls it where it guessed
    if levels.contains(&Level::Fatal) {
        words.push("critical");
    }
    if none {
        words.extend(["", "unknown"]);
    }
    match (words.as_slice(), wanted) {
        // none of them: no line is
        ([], true) => "detected_level=\"\" | detected_level!=\"\"".to_owned(),
        ([], false) => "detected_level=~\".*\"".to_owned(),
        ([word], true) => format!("detected_level=\"{word}\""),
        ([word], false) => format!("detected_level!=\"{word}\""),
        (_, true) => format!("detected_level=~\"{}\"", words.join("|")),
        (_, false) => format!("detected_level!~\"{}\"", words.join("|")),
    }
}

/// As a matcher: operator and value.
fn matcher(key: &str, test: &Test, wanted: bool) -> Result<(&'static str, String), Unsayable> {
    let equal = if wanted { "=" } else { "!=" };
    let fits = if wanted { "=~" } else { "!~" };
    Ok(match test {
        Test::Is(pattern) => match pattern.as_exact() {
            Some(text) => (equal, text.to_owned()),
            None if pattern.is_anything() => (if wanted { "!=" } else { "=" }, String::new()),
            None => (fits, wild(pattern)),
        },
        Test::Fits(regex) => (fits, regex.clone()),
        Test::Number(..) => {
            return Err(Unsayable {
                why: format!("{key} is a name, and no number"),
                hint: format!("{key}=… and {key}=~… compare names"),
            });
        }
    })
}

fn compared(name: &str, test: &Test, wanted: bool) -> String {
    if let Test::Number(relation, number) = test {
        // what is no number is neither above nor below, so the opposite is the opposite relation
        let relation = if wanted { *relation } else { relation.opposite() };
        return format!("{name} {} {number}", relation.sign());
    }
    match matcher(name, test, wanted) {
        Ok((sign, value)) => format!("{name}{sign}{}", literal(&value)),
        // numbers are above
        Err(_) => String::new(),
    }
}

/// A field's name as `| json` makes it: one for the whole path, of letters, digits and underscores.
fn name(key: &str) -> String {
    let own = key.strip_prefix("fields.");
    let mut name: String = own
        .unwrap_or(key)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if own.is_some() && TAKEN.contains(&name.as_str()) {
        name.push_str("_extracted");
    }
    name
}

fn wild(pattern: &Pattern) -> String {
    let parts: Vec<String> = pattern.parts().iter().map(|part| quoted(part)).collect();
    parts.join(".*")
}

/// A text as a regular expression of Go (`regexp.QuoteMeta`).
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A string as LogQL reads it: Go's, in double quotes.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        // writing to a String cannot fail
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if escape::controls(c) || c == '\u{feff}' => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}
