//! A parsed file that still knows its text, so that every complaint about it names file and line;
//! and [`Fields`], which reads one of its maps and refuses keys that nobody asked for.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::Size;
use crate::object::type_name;
use crate::values::pointer;
use crate::{Result, yaml};

/// Most values in a JSON file. The largest schemas that people write have a tenth of that.
const MAX_VALUES: usize = 500_000;

/// A YAML or JSON file of a bundle.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// As shown in messages, for example `stack/bundle.yaml`.
    pub file: String,
    text: &'a str,
    /// The parsed content.
    pub root: Value,
}

impl<'a> Document<'a> {
    /// Parses one YAML document. An empty file is an empty map.
    pub fn yaml(file: String, bytes: &'a [u8]) -> Result<Self> {
        let text = text(&file, bytes)?;
        let root = match yaml::parse(text) {
            Ok(Value::Null) => Value::Object(Map::new()),
            Ok(root) => root,
            Err(err) => {
                let line = err.line.map(|line| format!(":{line}")).unwrap_or_default();
                return Err(Error::usage(format!("{file}{line}: invalid YAML: {}", err.message)));
            }
        };
        Self { file, text, root }.checked()
    }

    /// Parses one JSON document.
    pub fn json(file: String, bytes: &'a [u8]) -> Result<Self> {
        let text = text(&file, bytes)?;
        if Size::of(bytes).values > MAX_VALUES {
            return Err(Error::usage(format!("{file}: more than {MAX_VALUES} values")));
        }
        let root = serde_json::from_str(text).map_err(|err| {
            // the position is named already; serde_json's own text repeats it
            let message = err.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            Error::usage(format!("{file}:{}: invalid JSON: {message}", err.line()))
        })?;
        Self { file, text, root }.checked()
    }

    fn checked(self) -> Result<Self> {
        if !pointer::fit(&self.root) {
            return Err(Error::usage(format!("{}: keys this long stand above too many values", self.file)));
        }
        if self.root.is_object() {
            return Ok(self);
        }
        Err(Error::usage(format!("{}: expected a map, got {}", self.file, type_name(&self.root))))
    }

    /// An error about the value at `pointer`: `file:line: message`.
    pub fn error(&self, pointer: &str, message: impl std::fmt::Display) -> Error {
        Error::usage(format!("{}: {message}", self.place(pointer)))
    }

    /// `file:line` of the value at `pointer`, or of the nearest thing around it.
    pub fn place(&self, pointer: &str) -> String {
        self.places(&[pointer]).pop().unwrap_or_default()
    }

    /// Places of several pointers. JSON is YAML, so this serves both.
    pub fn places(&self, pointers: &[&str]) -> Vec<String> {
        let lines = yaml::parse_with_lines(self.text).map(|(_, lines)| lines).unwrap_or_default();
        let line = |pointer: &str| {
            let mut around = std::iter::successors(Some(pointer), |at| pointer::parent(at));
            around.find_map(|at| Some(lines.get(at)?.line))
        };
        let place = |pointer: &&str| match line(pointer) {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        };
        pointers.iter().map(place).collect()
    }
}

fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| Error::usage(format!("{file}: not UTF-8 text")))
}

/// One map of a document, with the keys that it may have.
pub struct Fields<'a> {
    document: &'a Document<'a>,
    pointer: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The map at `pointer`. An unknown key is an error with the nearest known one as a hint.
    pub fn new(document: &'a Document<'a>, pointer: String, known: &[&str]) -> Result<Self> {
        let value = document.root.pointer(&pointer).unwrap_or(&Value::Null);
        let Value::Object(map) = value else {
            let message = format!("expected a map, got {}", type_name(value));
            return Err(document.error(&pointer, message));
        };
        for key in map.keys() {
            if !known.contains(&key.as_str()) {
                let place =
                    if pointer.is_empty() { String::new() } else { format!(" in {}", name(&pointer)) };
                let err = document.error(&format!("{pointer}/{key}"), format!("unknown key `{key}`{place}"));
                return Err(err.hint(super::suggest(key, known.iter().copied())));
            }
        }
        Ok(Self { document, pointer, map })
    }

    /// An error about one key.
    pub fn error(&self, key: &str, message: impl std::fmt::Display) -> Error {
        let at = self.at(key);
        self.document.error(&at, format!("{} {message}", name(&at)))
    }

    /// The pointer of a key.
    pub fn at(&self, key: &str) -> String {
        format!("{}/{key}", self.pointer)
    }

    /// A value that may be absent or null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// A string that may be absent.
    pub fn string(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(Value::Number(n)) => Err(self
                .error(key, format!("must be a string, got {n}"))
                .hint(format!("write it in quotes: {key}: \"…\""))),
            Some(other) => Err(self.error(key, format!("must be a string, got {}", type_name(other)))),
        }
    }

    /// A string that must be there.
    pub fn required(&self, key: &str) -> Result<String> {
        self.string(key)?
            .ok_or_else(|| self.document.error(&self.pointer, format!("{} is missing", name(&self.at(key)))))
    }

    /// A boolean; false when absent.
    pub fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.error(key, format!("must be true or false, got {}", type_name(other)))),
        }
    }

    /// A whole number from 0 to 2³²-1.
    pub fn number(&self, key: &str) -> Result<Option<u32>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(n) => Ok(Some(n)),
                None => Err(self.error(key, "must be a whole number")),
            },
        }
    }

    /// A list; empty when absent.
    pub fn list(&self, key: &str) -> Result<&'a [Value]> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(self.error(key, format!("must be a list, got {}", type_name(other)))),
        }
    }

    /// A list of strings; empty when absent.
    pub fn strings(&self, key: &str) -> Result<Vec<String>> {
        let list = self.list(key)?.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>();
        list.ok_or_else(|| self.error(key, "must be a list of strings"))
    }

    /// A map; empty when absent.
    pub fn map(&self, key: &str) -> Result<Map<String, Value>> {
        match self.get(key) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(other) => Err(self.error(key, format!("must be a map, got {}", type_name(other)))),
        }
    }
}

/// `/components/0/name` → `components[0].name`.
pub fn name(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        if part.parse::<usize>().is_ok() {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(part);
        }
    }
    out
}
