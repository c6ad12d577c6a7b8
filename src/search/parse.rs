//! The language in which people say what they look for:
//!
//! | typed | means |
//! |---|---|
//! | `timeout` | the word stands in the line; capitals do not count, `*` stands for anything within a word |
//! | `"connection reset"` | the text stands in the line; `\"` and `\\` are a quote and a backslash |
//! | `-text`, `-"two words"` | it does not |
//! | `key=value`, `key!=value` | the field is this, is not this; `*` stands for anything, unless it is quoted |
//! | `key=`, `key=*` | the field is not there, is there |
//! | `key=~regex`, `key!~regex` | a regular expression fits the whole field |
//! | `key>5`, `>=`, `<`, `<=` | the field is a number, and so |
//! | `level>=warn` | levels have an order, and one spelling |
//! | `message=~regex` | a regular expression finds something in the line |

use std::iter::Peekable;
use std::str::CharIndices;

use regex::Regex;

use super::level::Level;
use super::{Pattern, Query, Relation, Term, Test};

/// Names of the whole line.
const LINE: [&str; 3] = ["message", "msg", "line"];
/// The operators, longer ones first.
const OPERATORS: [&str; 9] = ["=~", "!~", "!=", ">=", "<=", "==", "=", ">", "<"];

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuery {
    /// Why, as a sentence.
    pub why: String,
    /// What to do.
    pub hint: String,
}

impl BadQuery {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

/// Reads what was typed.
pub fn parse(text: &str) -> Result<Query, BadQuery> {
    let mut reader = Reader { text, chars: text.char_indices().peekable() };
    let mut terms = Vec::new();
    loop {
        reader.spaces();
        if reader.at_end() {
            return Ok(Query { terms });
        }
        terms.push(reader.term()?);
    }
}

/// A value, and whether it was quoted.
struct Value {
    text: String,
    quoted: bool,
}

impl Value {
    fn pattern(&self) -> Pattern {
        if self.quoted { Pattern::exact(self.text.as_str()) } else { Pattern::wild(&self.text) }
    }
}

struct Reader<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl<'t> Reader<'t> {
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn at_end(&mut self) -> bool {
        self.chars.peek().is_none()
    }

    fn rest(&mut self) -> &'t str {
        let at = self.at();
        &self.text[at..]
    }

    fn skip(&mut self, bytes: usize) {
        let to = self.at() + bytes;
        while self.chars.next_if(|(at, _)| *at < to).is_some() {}
    }

    fn spaces(&mut self) {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
    }

    fn term(&mut self) -> Result<Term, BadQuery> {
        let rest = self.rest();
        let negated = rest.len() > 1
            && rest.starts_with('-')
            && !rest[1..].starts_with(|c: char| c == '-' || c.is_whitespace());
        if negated {
            self.skip(1);
        }
        let rest = self.rest();
        if let Some((key, operator)) = field(rest) {
            self.skip(key.len() + operator.len());
            let value = self.value()?;
            return term_of(key, operator, &value, !negated);
        }
        let value = self.value()?;
        if !value.quoted && ["AND", "OR", "NOT"].contains(&value.text.as_str()) {
            return Err(BadQuery::new(
                format!("{} is no part of this language: all conditions must hold", value.text),
                format!(
                    "-word looks for lines without it, key=~\"a|b\" for one of two; \"{}\" in quotes is the word itself; --logql and --lucene take a query of the store's own",
                    value.text
                ),
            ));
        }
        Ok(Term::Text { text: some(value.pattern())?, wanted: !negated })
    }

    /// Up to the next space, or in quotes.
    fn value(&mut self) -> Result<Value, BadQuery> {
        if self.chars.next_if(|(_, c)| *c == '"').is_none() {
            let from = self.at();
            while self.chars.next_if(|(_, c)| !c.is_whitespace()).is_some() {}
            let text = self.text[from..self.at()].to_owned();
            return Ok(Value { text, quoted: false });
        }
        let mut text = String::new();
        while let Some((_, c)) = self.chars.next() {
            match c {
                '"' => {
                    if self.chars.peek().is_some_and(|(_, c)| !c.is_whitespace()) {
                        return Err(BadQuery::new(
                            format!("behind \"{text}\" stands no space"),
                            "put \\\" for a quote within quotes",
                        ));
                    }
                    return Ok(Value { text, quoted: true });
                }
                // everything else that a backslash stands before is as it is typed
                '\\' => match self.chars.next_if(|(_, c)| matches!(c, '"' | '\\')) {
                    Some((_, escaped)) => text.push(escaped),
                    None => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        Err(BadQuery::new(
            format!("the quote before {} is not closed", shortened(&text)),
            "put \\\" for a quote within quotes, and the whole query into '…' for the shell",
        ))
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(30) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The key and the operator at the beginning of a text, where there are such.
fn field(text: &str) -> Option<(&str, &str)> {
    let name = |c: char| c.is_ascii_alphanumeric() || "_.@/-".contains(c);
    let key = &text[..text.find(|c| !name(c)).unwrap_or(text.len())];
    let operator = OPERATORS.into_iter().find(|operator| text[key.len()..].starts_with(operator))?;
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || "_@".contains(c));
    let ends = key.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (begins && ends).then_some((key, operator))
}

fn some(text: Pattern) -> Result<Pattern, BadQuery> {
    if text.parts().iter().all(String::is_empty) {
        return Err(BadQuery::new("an empty text is in every line", "leave it out"));
    }
    Ok(text)
}

fn expression(text: &str, anchored: bool) -> Result<Regex, BadQuery> {
    let whole = if anchored { format!("^(?s:{text})$") } else { text.to_owned() };
    // as it is first, so that no bracket closes what stands around it
    let read = Regex::new(text).and_then(|_| Regex::new(&whole));
    read.map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        BadQuery::new(
            format!("\"{text}\" is not a regular expression: {why}"),
            "a backslash before . * + ? ( ) [ ] { } | makes it an ordinary character",
        )
    })
}

fn term_of(key: &str, operator: &str, value: &Value, positive: bool) -> Result<Term, BadQuery> {
    // `-a!=b` is `a=b`
    let wanted = positive != operator.starts_with('!');
    let relation = match operator {
        ">" => Some(Relation::Above),
        ">=" => Some(Relation::From),
        "<" => Some(Relation::Below),
        "<=" => Some(Relation::UpTo),
        _ => None,
    };
    let regex = matches!(operator, "=~" | "!~");
    if LINE.contains(&key) {
        return match (relation, regex) {
            (Some(_), _) => Err(BadQuery::new(
                format!("{key} is the line, and no number"),
                "put it into quotes to look for the text",
            )),
            (None, true) => {
                expression(&value.text, false)?;
                Ok(Term::Line { regex: value.text.clone(), wanted })
            }
            (None, false) => Ok(Term::Text { text: some(value.pattern())?, wanted }),
        };
    }
    if ["level", "detected_level"].contains(&key) {
        return level(value, relation, regex, wanted);
    }
    let key = key.to_owned();
    let test = if let Some(relation) = relation {
        if !is_number(&value.text) {
            return Err(BadQuery::new(
                format!("{key}{}{}: \"{}\" is no number", relation.sign(), value.text, value.text),
                format!(
                    "numbers are written as 1000 or 0.5; \"{key}{}{}\" in quotes looks for the text",
                    relation.sign(),
                    value.text
                ),
            ));
        }
        Test::Number(relation, value.text.clone())
    } else if regex {
        expression(&value.text, true)?;
        Test::Fits(value.text.clone())
    } else {
        Test::Is(value.pattern())
    };
    Ok(Term::Field { key, test, wanted })
}

/// Digits, a sign before and a fraction behind them.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

fn level(value: &Value, relation: Option<Relation>, regex: bool, wanted: bool) -> Result<Term, BadQuery> {
    let text = value.text.as_str();
    let unknown = || {
        let names: Vec<&str> = Level::ALL.into_iter().map(Level::name).collect();
        BadQuery::new(
            format!("\"{text}\" is no level"),
            format!("levels are {}; fields.level=… asks for the application's own word", names.join(", ")),
        )
    };
    let known = |levels: Vec<Level>| if levels.is_empty() { Err(unknown()) } else { Ok(levels) };
    let of_all = |levels| Ok(Term::Level { levels, none: false, wanted });
    if let Some(relation) = relation {
        let levels = Level::of(text).ok_or_else(unknown)?.related(relation);
        if levels.is_empty() {
            let side = if relation == Relation::Above { "above" } else { "below" };
            return Err(BadQuery::new(
                format!("level{}{text}: there is no level {side} {text}", relation.sign()),
                format!(
                    "level{}={text} is {text} itself, level= finds lines without a level",
                    relation.sign()
                ),
            ));
        }
        return of_all(levels);
    }
    if regex {
        let regex = expression(text, true)?;
        return of_all(known(Level::that_fit(|word| {
            regex.is_match(word) || regex.is_match(&word.to_uppercase())
        }))?);
    }
    let pattern = value.pattern();
    match pattern.as_exact() {
        Some("") => Ok(Term::Level { levels: Vec::new(), none: true, wanted }),
        Some(word) => of_all(vec![Level::of(word).ok_or_else(unknown)?]),
        None => {
            let escaped: Vec<String> =
                pattern.parts().iter().map(|part| regex::escape(&part.to_lowercase())).collect();
            let regex = expression(&escaped.join(".*"), true)?;
            of_all(known(Level::that_fit(|word| regex.is_match(word)))?)
        }
    }
}
