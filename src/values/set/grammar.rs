//! From the argument of a flag to assignments.

use serde_json::Value;

use super::{Assignment, SetFlag, Step};
use crate::error::{Error, Result};

/// Helm's limit for list indexes.
const MAX_INDEX: usize = 65_536;
/// Helm's limit for dots in a name.
const MAX_DOTS: usize = 30;
/// Our own, because Helm does not count indexes: deeper trees cannot be read back.
const MAX_STEPS: usize = 64;

/// Reads the argument of one flag. `read` returns the content of a file that `--set-file` names.
pub fn parse(flag: SetFlag, text: &str, read: &dyn Fn(&str) -> Result<String>) -> Result<Vec<Assignment>> {
    if flag == SetFlag::Json && text.trim_start().starts_with('{') {
        return whole_object(text);
    }
    let mut parser = Parser { flag, text, at: 0, begin: 0, read };
    let mut assignments = Vec::new();
    while parser.at < text.len() {
        assignments.push(parser.assignment()?);
    }
    Ok(assignments)
}

/// The first `=` that ends a name, in a flag with its argument.
pub(super) fn find_equals(text: &str) -> Option<usize> {
    let escapes = !text.starts_with(SetFlag::Literal.name());
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let found = c == '=' && !escaped;
        escaped = escapes && c == '\\' && !escaped;
        found.then_some(at)
    })
}

/// `--set-json '{"a": 1}'`
fn whole_object(text: &str) -> Result<Vec<Assignment>> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| Error::usage(format!("--set-json {{…}}: the object is not JSON: {}", reason(&e))))?;
    Ok(vec![Assignment { path: Vec::new(), value, text: "--set-json {…}".to_owned() }])
}

struct Parser<'t> {
    flag: SetFlag,
    text: &'t str,
    /// Byte offset of what comes next.
    at: usize,
    /// Byte offset where the current assignment begins.
    begin: usize,
    read: &'t dyn Fn(&str) -> Result<String>,
}

impl Parser<'_> {
    fn assignment(&mut self) -> Result<Assignment> {
        self.begin = self.at;
        let path = self.path()?;
        let name_end = self.at;
        let value = self.value()?;
        // The comma that ends the assignment is not part of it.
        let taken = &self.text[name_end..self.at];
        let own_comma = self.flag == SetFlag::Literal || taken.ends_with(r"\,");
        let end = if taken.ends_with(',') && !own_comma { self.at - 1 } else { self.at };
        let shown = match (&value, self.flag) {
            (Value::Array(_) | Value::Object(_), _) => {
                format!("{}…", &self.text[self.begin..name_end])
            }
            _ => self.text[self.begin..end].to_owned(),
        };
        let text = format!("{} {}", self.flag.name(), visible(&shown));
        Ok(Assignment { path, value, text })
    }

    /// Names and indexes up to and with the `=`.
    fn path(&mut self) -> Result<Vec<Step>> {
        let literal = self.flag == SetFlag::Literal;
        let mut path = Vec::new();
        let mut dots = 0;
        loop {
            let here = self.at;
            let stops: &[char] = if literal { &['=', '[', '.'] } else { &['=', '[', '.', ','] };
            let (name, stop) = self.until(stops);
            let stop = match stop {
                None | Some(',') => return Err(self.no_value()),
                Some(stop) => stop,
            };
            if name.is_empty() {
                return Err(self.error(&format!("the name at character {} is empty", self.character(here))));
            }
            path.push(Step::Key(name));
            match stop {
                '=' => return Ok(path),
                '.' => {
                    dots += 1;
                    if dots > MAX_DOTS {
                        return Err(self.error(&format!("more than {MAX_DOTS} dots in a name")));
                    }
                }
                _ => {
                    if self.indexes(&mut path)? {
                        return Ok(path);
                    }
                }
            }
            if path.len() > MAX_STEPS {
                return Err(self.error(&format!("more than {MAX_STEPS} levels in a name")));
            }
        }
    }

    /// `0]`, `0][1]`, …, after a `[`. True at the `=`, false at a dot.
    fn indexes(&mut self, path: &mut Vec<Step>) -> Result<bool> {
        loop {
            let here = self.at;
            let (index, stop) = self.until(&[']']);
            if stop.is_none() {
                let at = self.character(here);
                return Err(self.error(&format!("the index at character {at} has no closing ]")));
            }
            match index.parse::<usize>() {
                Ok(index) if index <= MAX_INDEX => path.push(Step::Index(index)),
                _ => {
                    let at = self.character(here);
                    return Err(self.error(&format!(
                        "the index at character {at} is not a number from 0 to {MAX_INDEX}"
                    )));
                }
            }
            if path.len() > MAX_STEPS {
                return Err(self.error(&format!("more than {MAX_STEPS} levels in a name")));
            }
            let here = self.at;
            match self.until(&['[', '.', '=']) {
                (rest, Some(stop)) if rest.is_empty() => match stop {
                    '=' => return Ok(true),
                    '.' => return Ok(false),
                    _ => {}
                },
                (rest, None) if rest.is_empty() => return Err(self.no_value()),
                _ => {
                    let at = self.character(here);
                    return Err(self.error(&format!("expected =, . or [ after the index, at character {at}")));
                }
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        match self.flag {
            SetFlag::Literal => {
                let rest = self.text[self.at..].to_owned();
                self.at = self.text.len();
                Ok(Value::String(rest))
            }
            SetFlag::Json => self.json(),
            _ if self.at == self.text.len() => Ok(Value::String(String::new())),
            _ if self.text[self.at..].starts_with('{') => self.list(),
            _ if self.at_empty_list() => {
                self.at += 2;
                self.skip(',');
                Ok(Value::Array(Vec::new()))
            }
            _ => {
                let (text, _) = self.until(&[',']);
                self.scalar(text)
            }
        }
    }

    fn list(&mut self) -> Result<Value> {
        let here = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            let (item, stop) = self.until(&[',', '}']);
            let Some(stop) = stop else {
                let at = self.character(here);
                return Err(self.error(&format!("the list at character {at} has no closing }}")));
            };
            // Helm makes {} a list of one empty text, which nobody means
            if stop == ',' || !items.is_empty() || !item.is_empty() {
                items.push(self.scalar(item)?);
            }
            if stop == '}' {
                self.skip(',');
                return Ok(Value::Array(items));
            }
        }
    }

    /// Is `[]` all that is set? It is how YAML and JSON write an empty list.
    fn at_empty_list(&self) -> bool {
        let rest = self.text[self.at..].strip_prefix("[]");
        self.flag == SetFlag::Set && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
    }

    /// One JSON value; nothing at all is null. Space and one comma after it belong to it.
    fn json(&mut self) -> Result<Value> {
        if self.end_of_json() {
            return Ok(Value::Null);
        }
        let here = self.at;
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                self.end_of_json();
                Ok(value)
            }
            Some(Err(e)) => {
                let at = self.character(here);
                Err(self.error(&format!("the value at character {at} is not JSON: {}", reason(&e))))
            }
            None => Ok(Value::Null),
        }
    }

    /// Skips space, and a comma after it. True if there was a comma or nothing else.
    fn end_of_json(&mut self) -> bool {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
        self.at == self.text.len() || self.skip(',')
    }

    fn scalar(&self, text: String) -> Result<Value> {
        Ok(match self.flag {
            SetFlag::Set => typed(text),
            SetFlag::File => Value::String((self.read)(&text).map_err(|e| e.context(self.shown()))?),
            _ => Value::String(text),
        })
    }

    fn skip(&mut self, c: char) -> bool {
        let found = self.text[self.at..].starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Text up to a stop character, which is consumed. A backslash takes the next character as it
    /// is, except in `--set-literal`.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        let mut chars = self.text[self.at..].chars();
        let mut stop = None;
        while let Some(c) = chars.next() {
            if stops.contains(&c) {
                stop = Some(c);
                break;
            }
            if c == '\\' && self.flag != SetFlag::Literal {
                out.extend(chars.next());
            } else {
                out.push(c);
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        (out, stop)
    }

    /// Characters from 1, for a person who counts.
    fn character(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn no_value(&self) -> Error {
        if self.begin == 0 {
            let name = self.flag.name();
            return self.error("there is no =").hint(format!("write {name} NAME=VALUE"));
        }
        let at = self.character(self.begin);
        let error = self.error(&format!("what follows at character {at} is no NAME=VALUE"));
        if self.flag != SetFlag::Json && self.text[..self.begin].contains("=[") {
            return error.hint(format!("a list is written with braces: {} 'NAME={{a,b}}'", self.flag.name()));
        }
        error.hint(format!("write \\, for a comma inside a value: {} 'NAME=a\\,b'", self.flag.name()))
    }

    fn error(&self, what: &str) -> Error {
        Error::usage(format!("{}: {what}", self.shown()))
    }

    fn shown(&self) -> String {
        visible(&super::masked(&format!("{} {}", self.flag.name(), self.text)))
    }
}

/// What serde_json says, without the line and column, which are those of a part of the argument.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Control characters would break the line of a message.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// What `--set` makes of a text. Numbers with a fraction stay strings, and so do numbers that
/// begin with a zero: they are more often versions and modes.
pub(super) fn typed(text: String) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        "null" => return Value::Null,
        "0" => return Value::from(0),
        _ => {}
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::from(number);
    }
    Value::String(text)
}
