//! YAML in and out: the only module that names the YAML crate.
//!
//! Text is read as kubectl reads it (sigs.k8s.io/yaml, which is YAML 1.1: `on` is true, `0644` is
//! 420, `1.0` is 1), so that a template or a values file means the same to both. Two things are
//! stricter, because kubectl's reading loses data there: a key given twice and an unknown tag are
//! errors. What is written is read back by kubectl as the same values.

mod compose;
mod scalar;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_yaml::DoubleQuoted;

use crate::escape;
use crate::values::Pointer;
use compose::Composer;

/// Why a text is not YAML that we read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong, without the place. Never quotes a value of the text.
    pub message: String,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for YamlError {}

/// Where a key or a list item stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// The key's text, where it is read as another one: `y` is `true`, `0x10` is `16`.
    pub typed: Option<String>,
}

/// Reads one document. An empty text is null; a second document is an error, unless it is empty.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    Composer::new(text).single()
}

/// Reads all documents; empty ones (and `null`) are skipped.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut composer = Composer::new(text);
    let mut documents = Vec::new();
    while let Some((document, _)) = composer.document()? {
        if !document.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Reads one document, and the place of every key and list item by JSON pointer. What
/// comes from an alias or a merge key has the line of the alias, and nothing below it an entry.
pub fn parse_with_lines(text: &str) -> Result<(Value, BTreeMap<Pointer, Place>), YamlError> {
    let mut composer = Composer::new(text).with_lines();
    let value = composer.single()?;
    Ok((value, composer.into_lines()))
}

/// Writes one document, ending with a newline.
pub fn to_string(value: &Value) -> String {
    // Folding (`>`) is off: a long line stays one line, so that it can be searched and copied.
    let options = serde_yaml::ser_options! { folded_wrap_chars: usize::MAX };
    // serde_json::Value has string keys and no enums: the serialiser has nothing to refuse.
    let written = serde_yaml::to_string_with_options(&Written(value), options).unwrap_or_default();
    escaped(written)
}

/// A value on its way out. goyaml.v2 refuses a block scalar whose first line begins with a tab,
/// which the YAML crate writes; such strings are quoted instead. So are those that hold what would control
/// a terminal, for only double quotes know escapes.
struct Written<'a>(&'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => Text(text).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Written)),
            Value::Object(map) => serializer.collect_map(map.iter().map(|(k, v)| (Text(k), Written(v)))),
            scalar => scalar.serialize(serializer),
        }
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.contains(controls) {
            let mut guarded = String::with_capacity(self.0.len() + 8);
            for c in self.0.chars() {
                guarded.push(c);
                if controls(c) {
                    guarded.push(GUARD);
                }
            }
            return DoubleQuoted(&guarded).serialize(serializer);
        }
        match indented_with_tab(self.0) {
            true => DoubleQuoted(self.0).serialize(serializer),
            false => self.0.serialize(serializer),
        }
    }
}

/// Stands behind a character that the crate would write as it is: for keys it knows no wish to be quoted,
/// but quotes them for this one, which it writes as [`GUARD_WRITTEN`].
const GUARD: char = '\u{ffff}';
const GUARD_WRITTEN: &str = "\\uFFFF";

/// What controls a terminal and is written as it is by the crate: it knows the other controls.
fn controls(c: char) -> bool {
    escape::controls(c) && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// The text with escapes for these, and without the guards behind them.
fn escaped(written: String) -> String {
    let mut out = String::new();
    let mut rest = written.as_str();
    while let Some(at) = rest.find(controls) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut behind = from.chars();
        out.extend(behind.next().map(|c| escape::document(c.encode_utf8(&mut [0; 4])).into_owned()));
        rest = behind.as_str();
        rest = rest.strip_prefix(GUARD_WRITTEN).unwrap_or(rest);
    }
    if out.is_empty() {
        return written;
    }
    out.push_str(rest);
    out
}

fn indented_with_tab(text: &str) -> bool {
    text.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
}

/// Writes documents separated by `---`.
pub fn documents_to_string(documents: &[Value]) -> String {
    documents.iter().map(to_string).collect::<Vec<_>>().join("---\n")
}

#[cfg(test)]
mod tests;
