//! Matchers of labels in Alertmanager's own syntax (`severity="critical"`, `{team=~"a|b", x!=y}`). Pure.
//! What is parsed here is sent to Alertmanager, whose word is the last: its rules are stricter.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Serialize;
use serde_json::{Value, json};

/// Labels of an alert.
pub type Labels = BTreeMap<String, String>;

/// One condition on one label; a label that is absent is an empty text.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// Does it demand that the value is so, or that it is not?
    pub is_equal: bool,
    /// The value as written.
    pub value: String,
    /// The value as a regular expression, where it is one.
    regex: Option<Regex>,
}

impl Matcher {
    /// `name="value"`
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), is_equal: true, value: value.to_owned(), regex: None }
    }

    /// With one of the operators `=`, `!=`, `=~` and `!~`.
    pub fn new(name: &str, operator: &str, value: &str) -> Result<Self, String> {
        let regex = match operator {
            "=~" | "!~" => Some(anchored(value)?),
            _ => None,
        };
        Ok(Self {
            name: name.to_owned(),
            is_equal: operator.starts_with('='),
            value: value.to_owned(),
            regex,
        })
    }

    /// As Alertmanager's API writes and reads it.
    pub fn from_json(value: &Value) -> Option<Self> {
        let is_regex = value["isRegex"] == true;
        let operator = match (value["isEqual"] != false, is_regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        Self::new(value["name"].as_str()?, operator, value["value"].as_str()?).ok()
    }

    /// For Alertmanager's API.
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "value": self.value, "isRegex": self.regex.is_some(), "isEqual": self.is_equal})
    }

    /// Does it demand that the label is exactly its value?
    pub fn is_exact(&self) -> bool {
        self.is_equal && self.regex.is_none()
    }

    /// Is the value a regular expression?
    pub fn is_regex(&self) -> bool {
        self.regex.is_some()
    }

    /// Does it hold for a value of its label?
    pub fn holds(&self, value: &str) -> bool {
        let found = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.value == value,
        };
        found == self.is_equal
    }

    /// Does it hold for these labels?
    pub fn matches(&self, labels: &Labels) -> bool {
        self.holds(labels.get(&self.name).map_or("", String::as_str))
    }
}

/// Do all of them hold?
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operator = match (self.is_equal, self.regex.is_some()) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        match self.name.chars().all(plain) && !self.name.is_empty() {
            true => f.write_str(&self.name)?,
            false => write!(f, "{}", quoted(&self.name))?,
        }
        write!(f, "{operator}{}", quoted(&self.value))
    }
}

impl Serialize for Matcher {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// As in Prometheus: a regular expression holds for the whole value.
fn anchored(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?s:{pattern})$")).map_err(|_| format!("\"{pattern}\" is no regular expression"))
}

/// Reads one text with one or more matchers. With `bare`, a single word is the name of an alert, as for
/// amtool.
pub fn parse(text: &str, bare: bool) -> Result<Vec<Matcher>, String> {
    let mut reader = Reader { rest: text.trim() };
    let braced = reader.rest.starts_with('{');
    if braced {
        let Some(inner) = reader.rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return Err("a brace is not closed".to_owned());
        };
        reader.rest = inner.trim();
    }
    let mut found = Vec::new();
    while !reader.rest.is_empty() {
        let name = reader.word("the name of a label")?;
        if bare && !braced && found.is_empty() && reader.rest.is_empty() {
            return Ok(vec![Matcher::equal("alertname", &name)]);
        }
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| reader.rest.starts_with(operator));
        let Some(operator) = operator else {
            return Err(format!("after {name} stands none of = != =~ !~"));
        };
        reader.skip(operator.len());
        let value = reader.word("a value")?;
        found.push(Matcher::new(&name, operator, &value)?);
        if reader.rest.is_empty() {
            break;
        }
        if !reader.rest.starts_with(',') {
            return Err(format!("after the matcher of {name} stands no comma"));
        }
        reader.skip(1);
    }
    if found.is_empty() { Err("there is no matcher in it".to_owned()) } else { Ok(found) }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }

    /// A word in double quotes, or up to a character that means something.
    fn word(&mut self, what: &str) -> Result<String, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
            let end = self.rest.find(reserved).unwrap_or(self.rest.len());
            if end == 0 {
                return Err(match self.rest.chars().next() {
                    Some(c) => format!("{c} stands where {what} is expected; put it in double quotes"),
                    None => format!("{what} is missing at the end"),
                });
            }
            let word = self.rest[..end].to_owned();
            self.skip(end);
            return Ok(word);
        };
        let mut out = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.skip(at + 2);
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, escaped @ ('"' | '\\'))) => out.push(escaped),
                    _ => return Err("\\ stands before none of \" \\ n t; write \\\\ for itself".to_owned()),
                },
                c => out.push(c),
            }
        }
        Err("a double quote is not closed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let matchers = parse(text, true)?;
        Ok(matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn matchers_are_read_as_alertmanager_reads_them() {
        for (text, expected) in [
            ("severity=critical", "severity=\"critical\""),
            ("{team=~\"a|b\", \"x y\" != \"z\"}", "team=~\"a|b\" \"x y\"!=\"z\""),
            ("a !~ \"b.*\",", "a!~\"b.*\""),
            ("a=\"b\\\"c\\\\d\"", "a=\"b\\\"c\\\\d\""),
            ("HighErrorRate", "alertname=\"HighErrorRate\""),
            ("a=\"\"", "a=\"\""),
            ("Ärger=ü", "\"Ärger\"=\"ü\""),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("", "there is no matcher in it"),
            ("a=", "a value is missing at the end"),
            ("a b", "after a stands none of = != =~ !~"),
            ("a=\"b", "a double quote is not closed"),
            ("{a=b", "a brace is not closed"),
            ("a=b c=d", "after the matcher of a stands no comma"),
            ("a=~\"(\"", "\"(\" is no regular expression"),
            ("=b", "= stands where the name of a label is expected; put it in double quotes"),
            ("a=\"\\d\"", "\\ stands before none of \" \\ n t; write \\\\ for itself"),
        ] {
            assert_eq!(shown(text), Err(expected.to_owned()), "{text}");
        }
        assert!(parse("HighErrorRate", false).is_err());
    }

    #[test]
    fn an_absent_label_is_empty_and_patterns_hold_for_the_whole_value() {
        let labels = Labels::from([("team".to_owned(), "shop".to_owned())]);
        for (text, expected) in [
            ("team=shop", true),
            ("team=~\"sh\"", false),
            ("team=~\"sh.*\"", true),
            ("other=\"\"", true),
            ("other=~\".*\"", true),
            ("other!=\"\"", false),
            ("team!~\"a|b\"", true),
            ("team!=shop", false),
        ] {
            assert_eq!(all_match(&parse(text, false).unwrap(), &labels), expected, "{text}");
        }
    }

    #[test]
    fn the_api_has_a_form_of_its_own() {
        for text in ["a=\"b\"", "a!=\"b\"", "a=~\"b\"", "a!~\"b\""] {
            let matcher = parse(text, false).unwrap().remove(0);
            assert_eq!(Matcher::from_json(&matcher.to_json()).unwrap().to_string(), text);
        }
        assert!(Matcher::from_json(&json!({"name": "a", "value": "b"})).unwrap().is_exact(), "older servers");
    }
}
