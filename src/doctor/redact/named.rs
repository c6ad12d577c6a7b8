//! Secrets beside a name in a text, whatever the text is: YAML, JSON in any depth of quoting, settings, command
//! lines, headers, dumps of Go. A value is taken whole: one in quotes to the closing one, one of a YAML line to its
//! end with the lines that continue it, any other to the next space. What is nested is looked into, not taken.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::BEGIN;
use super::names::is_named;

/// Shorter values without quotes are words or figures.
const SHORTEST: usize = 3;
/// So far a closing quote, a bracket or the beginning of a line is looked for.
const FAR: usize = 16 << 10;
/// And so far the beginning of a line, which has little but its indentation before a name.
const NEAR: usize = 256;

/// A name, how it is quoted, and what separates it from its value.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?P<n>[A-Za-z_][\w.-]*)(?:\[[^\]\s]{0,64}\])?(?P<q>\\*["'`]?)(?P<b>[ \t]*)(?P<s>:=|=>|==|[?+]?=|:)(?P<a>[ \t]*)"#).ok()
});
/// A flag, and what separates it from its value: a space, or that it is the next one of a list.
static FLAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)(?:^|[\s"'`(\[=,:])--?(?P<n>[A-Za-z][\w.-]*)(?:\\*["'][ \t]*,\s*|[ \t]+|["']?\r?\n[ \t]*-[ \t]+)"#,
    )
    .ok()
});
/// An environment variable in a list: its name, then its value.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)\b(?:name|key)\\*["']?[ \t]*[:=][ \t]*\\*["']?(?P<n>[\w.-]+)\\*["']?[ \t]*,?(?:\\[nrt]|\s)*\\*["']?value\\*["']?[ \t]*[:=][ \t]*"#,
    )
    .ok()
});
/// The other way round.
static REVERSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)\bvalue\\*["']?[ \t]*[:=][ \t]*(?P<s>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,]+)[ \t]*,?\s*\\*["']?name\\*["']?[ \t]*[:=][ \t]*\\*["']?(?P<n>[\w.-]+)"#,
    )
    .ok()
});
/// An element of XML.
static ELEMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<(?P<n>[A-Za-z][\w.-]*)>(?P<s>[^<]+)</").ok());
/// What SQL sets.
static SQL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(?P<n>password)[ \t]+'(?P<s>(?:[^'\n]|'')+)'").ok());
/// A key of YAML, or a document in one line.
static NESTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:["']?[\w./-]+["']?[ \t]*:(?:\s|$)|\{|\[|---)"#).ok());
/// A map in one line.
static FLOW: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^\{\s*(?:\\*["']?[\w./-]+\\*["']?\s*[:=]|\}|$)"#).ok());

/// Are all of them patterns?
#[cfg(test)]
pub fn all_there() -> bool {
    [&FIELD, &FLAG, &PAIR, &REVERSED, &ELEMENT, &SQL, &NESTED, &FLOW].iter().all(|one| one.is_some())
}

/// Where secrets are, in their order.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = fields(text);
    found.extend(flags(text));
    found.extend(pairs(text));
    for pattern in [&REVERSED, &ELEMENT, &SQL].into_iter().filter_map(|pattern| pattern.as_ref()) {
        let all = pattern.captures_iter(text);
        let named =
            all.filter_map(|at| is_named(&at["n"]).then(|| at.name("s").map(|secret| secret.range())));
        found.extend(named.flatten().filter_map(|at| checked(text, at, 1)));
    }
    found.sort_by_key(|at| (at.start, at.end));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for at in found {
        match apart.last_mut() {
            Some(before) if at.start < before.end => before.end = before.end.max(at.end),
            _ => apart.push(at),
        }
    }
    apart
}

fn fields(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(pattern) = FIELD.as_ref() else { return found };
    let mut from = 0;
    while let Some(at) = pattern.captures_at(text, from) {
        let (Some(whole), Some(name)) = (at.get(0), at.name("n")) else { break };
        // only what was looked at is passed: what follows a harmless name may be a name itself
        from = whole.end();
        let named = |name: &str| is_named(name) || name.eq_ignore_ascii_case("auth");
        // in a text that JSON or Go quoted the end of the line before is two characters
        let escaped = text[..name.start()].ends_with('\\') && name.as_str().starts_with(['n', 'r', 't']);
        let name_is = if escaped && named(&name.as_str()[1..]) { &name.as_str()[1..] } else { name.as_str() };
        if !named(name_is) {
            continue;
        }
        let value = Value {
            text,
            at: whole.end(),
            column: column(text, name.start()),
            quoted: !at["q"].is_empty(),
            colon: &at["s"] == ":",
            spaced: !at["a"].is_empty() && (&at["s"] == ":" || !at["b"].is_empty()),
            only_quoted: !is_named(name_is),
        };
        for secret in value.secrets() {
            from = from.max(secret.end);
            found.push(secret);
        }
    }
    found
}

fn flags(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(pattern) = FLAG.as_ref() else { return found };
    let mut from = 0;
    while let Some(at) = pattern.captures_at(text, from) {
        let (Some(whole), Some(name)) = (at.get(0), at.name("n")) else { break };
        from = name.end();
        if is_named(name.as_str())
            && !text[whole.end()..].trim_start_matches(['"', '\'', '\\']).starts_with('-')
        {
            found.extend(Value::alone(text, whole.end()).secrets());
        }
    }
    found
}

fn pairs(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(pattern) = PAIR.as_ref() else { return found };
    let mut from = 0;
    while let Some(at) = pattern.captures_at(text, from) {
        let (Some(whole), Some(name)) = (at.get(0), at.name("n")) else { break };
        from = name.end();
        if is_named(name.as_str()) {
            let value = text[..whole.end()].rfind(['v', 'V']).unwrap_or(whole.end());
            let column = column(text, value);
            let spaced = column.is_some() && whole.as_str().ends_with([' ', '\t']);
            let value = Value { column, spaced, colon: true, ..Value::alone(text, whole.end()) };
            found.extend(value.secrets());
        }
    }
    found
}

/// What stands behind a name.
#[derive(Clone, Copy)]
struct Value<'t> {
    text: &'t str,
    at: usize,
    /// The column of its name, where that is the first in its line.
    column: Option<usize>,
    /// Is the name in quotes?
    quoted: bool,
    /// Is it separated by a colon?
    colon: bool,
    /// And by a space?
    spaced: bool,
    /// Does it count in quotes alone?
    only_quoted: bool,
}

impl<'t> Value<'t> {
    fn alone(text: &'t str, at: usize) -> Self {
        Self { text, at, column: None, quoted: false, colon: false, spaced: false, only_quoted: false }
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end)
    }

    fn secrets(mut self) -> Vec<Range<usize>> {
        let line_end = self.line_end(self.at);
        let rest = &self.text[self.at..line_end];
        let node = rest.split_whitespace().find(|word| !word.starts_with("!!") && !is_anchor(rest, word));
        match node {
            None if self.colon => return self.nothing_in_line(line_end),
            Some(comment) if self.colon && comment.starts_with('#') => return self.nothing_in_line(line_end),
            Some(word) if self.colon && is_block(word) => {
                let lines = self.deeper(line_end, self.column.unwrap_or(0));
                return lines.and_then(|lines| checked(self.text, lines, 1)).into_iter().collect();
            }
            // the same in a text that was quoted: its lines are in this one
            Some(word)
                if word.starts_with(['|', '>'])
                    && word[1..].trim_start_matches(['+', '-']).starts_with("\\n") =>
            {
                return checked(self.text, self.at..line_end, 1).into_iter().collect();
            }
            _ => {}
        }
        while self.text[self.at..line_end].starts_with("!!") {
            let Some(tag) = self.text[self.at..line_end].find([' ', '\t']) else { break };
            self.at += tag;
            self.at = self.behind_spaces(line_end);
        }
        self.at = self.behind_scheme(line_end);
        self.scalar(line_end).into_iter().collect()
    }

    fn behind_spaces(&self, line_end: usize) -> usize {
        let rest = &self.text[self.at..line_end];
        self.at + rest.len() - rest.trim_start_matches([' ', '\t']).len()
    }

    /// `Bearer` says how to log in, and what follows is the secret.
    fn behind_scheme(&self, line_end: usize) -> usize {
        const SCHEMES: [&str; 7] = ["bearer", "basic", "apikey", "geniekey", "digest", "token", "negotiate"];
        let rest = &self.text[self.at..line_end];
        let word = rest.find([' ', '\t']).map(|end| &rest[..end]);
        match word.filter(|word| SCHEMES.contains(&word.to_ascii_lowercase().as_str())) {
            Some(word) if !rest[word.len()..].trim().is_empty() => {
                Value { at: self.at + word.len(), ..*self }.behind_spaces(line_end)
            }
            _ => self.at,
        }
    }

    fn scalar(&self, line_end: usize) -> Option<Range<usize>> {
        let rest = &self.text[self.at..line_end];
        // b"…" and the like
        let prefix =
            usize::from(rest.starts_with(['b', 'u', 'r', 'f', '@']) && rest[1..].starts_with(['"', '\'']));
        let escapes = rest[prefix..].len() - rest[prefix..].trim_start_matches('\\').len();
        let open = self.at + prefix + escapes;
        if let Some(quote) = self.text[open..line_end].bytes().next().filter(|byte| b"\"'`".contains(byte)) {
            return checked(self.text, self.in_quotes(open, escapes, quote, line_end), 1);
        }
        if self.only_quoted || FLOW.as_ref().is_some_and(|flow| flow.is_match(rest)) {
            return None;
        }
        if rest.starts_with('[') && !rest.starts_with(BEGIN) {
            match self.in_brackets(line_end) {
                Brackets::Values(at) => return checked(self.text, at, 1),
                Brackets::Nested => return None,
                Brackets::None => {}
            }
        }
        if self.quoted && self.colon {
            let end = rest.find([',', '}', ']', ' ', '\t', '\r']).unwrap_or(rest.len());
            let literal = rest[..end].trim_end_matches(['"', '\'', '\\']);
            if serde_json::from_str::<serde_json::Value>(literal).is_ok() {
                return checked(self.text, self.at..self.at + literal.len(), SHORTEST);
            }
        }
        let at = match self.column {
            Some(column) if self.spaced => {
                // a YAML scalar goes on in lines that are indented deeper
                let more = self.deeper(line_end, column).filter(|_| self.colon);
                self.at..more.map_or(line_end, |more| more.end)
            }
            _ => self.at..self.word_end(line_end),
        };
        checked(self.text, at, SHORTEST)
    }

    /// Up to the next space.
    fn word_end(&self, line_end: usize) -> usize {
        behind_tokens(&self.text[..line_end], self.at, char::is_whitespace).unwrap_or(line_end)
    }

    /// What is between quotes, of which each has so many backslashes before it.
    fn in_quotes(&self, open: usize, escapes: usize, quote: u8, line_end: usize) -> Range<usize> {
        let start = open + 1;
        let three = [char::from(quote); 3].iter().collect::<String>();
        if self.text[open..].starts_with(&three)
            && let Some(end) = self.text[open + 3..].find(&three)
        {
            return open + 3..open + 3 + end;
        }
        let bytes = self.text.as_bytes();
        let end = closing(&bytes[..line_end], start, escapes, quote).or_else(|| {
            let far = bytes.len().min(start + FAR);
            self.column.and_then(|_| closing(&bytes[..far], start, escapes, quote))
        });
        start..end.unwrap_or(line_end)
    }

    fn in_brackets(&self, line_end: usize) -> Brackets {
        let open = &self.text[self.at..line_end];
        let alone = open.trim_end() == "[";
        let far = if alone { floor(self.text, self.at + FAR) } else { line_end };
        let Some(end) = behind_tokens(&self.text[..far], self.at + 1, |c| c == ']') else {
            return Brackets::None;
        };
        let inside = &self.text[self.at + 1..end];
        if inside.contains('{') || inside.trim().is_empty() {
            return Brackets::Nested;
        }
        let behind = self.text[end + 1..].chars().next();
        if behind.is_some_and(|next| !next.is_whitespace() && !",;}])\"'\\".contains(next)) {
            return Brackets::None;
        }
        Brackets::Values(self.at + 1..end)
    }

    /// Nothing of YAML is in the line, at most what is said of the lines below; it may be a value for all that.
    fn nothing_in_line(&self, line_end: usize) -> Vec<Range<usize>> {
        let mut found = self.column.map_or_else(Vec::new, |column| self.below(line_end, column));
        if !self.text[self.at..line_end].starts_with("!!") {
            found.extend(Value { column: None, ..*self }.scalar(line_end));
        }
        // in JSON it may stand in any line
        let next = line_end + self.text[line_end..].len() - self.text[line_end..].trim_start().len();
        if self.quoted && self.text[next..].starts_with(|c: char| "\"'-".contains(c) || c.is_ascii_digit()) {
            found.extend(Value { at: next, column: None, ..*self }.scalar(self.line_end(next)));
        }
        found
    }

    /// What a YAML key without a value in its line has below it, as far as it is no map: the items of a list, or
    /// a scalar.
    fn below(&self, line_end: usize, column: usize) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut end = line_end;
        while end < self.text.len() {
            let start = end + 1;
            end = self.line_end(start);
            let line = &self.text[start..end];
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let indent = indent(line);
            let is_nested = |content: &str| NESTED.as_ref().is_some_and(|nested| nested.is_match(content));
            match content.strip_prefix("- ").map(str::trim_start) {
                Some(item) if indent >= column && !is_nested(item) => {
                    let item = Value {
                        spaced: true,
                        column: Some(indent),
                        ..Self::alone(self.text, start + line.trim_end().len() - item.len())
                    };
                    found.extend(item.scalar(end));
                }
                None if found.is_empty() && indent > column && content != "-" && !is_nested(content) => {
                    let lines = self.deeper(line_end, column);
                    found.extend(lines.and_then(|lines| checked(self.text, lines, 1)));
                    break;
                }
                _ => break,
            }
        }
        found
    }

    /// The lines behind this one that are indented deeper than `column`, as one text.
    fn deeper(&self, line_end: usize, column: usize) -> Option<Range<usize>> {
        let mut found: Option<Range<usize>> = None;
        let mut end = line_end;
        while end < self.text.len() {
            let start = end + 1;
            end = self.line_end(start);
            let line = &self.text[start..end];
            if line.trim().is_empty() {
                continue;
            }
            if indent(line) <= column {
                break;
            }
            let content = start + line.len() - line.trim_start().len()..start + line.trim_end().len();
            found = Some(found.map_or(content.start, |found| found.start)..content.end);
        }
        found
    }
}

/// What brackets hold.
enum Brackets {
    Values(Range<usize>),
    Nested,
    None,
}

/// The first place that is not in a token, which have spaces and brackets.
fn behind_tokens(text: &str, mut at: usize, is_it: impl Fn(char) -> bool) -> Option<usize> {
    loop {
        let rest = &text[at..];
        let found = rest.find(&is_it)?;
        match rest
            .find(BEGIN)
            .filter(|token| *token <= found)
            .and_then(|token| Some(token + rest[token..].find(']')?))
        {
            Some(end) => at += end + 1,
            None => return Some(at + found),
        }
    }
}

/// Where the closing quote begins. In a text that was quoted `n` times over, 2ⁿ-1 backslashes are before its quotes,
/// and more before those within.
fn closing(bytes: &[u8], start: usize, escapes: usize, quote: u8) -> Option<usize> {
    let mut at = start;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
        at += run;
        if bytes.get(at) != Some(&quote) {
            at += usize::from(run == 0);
            continue;
        }
        let twice = quote == b'\'' && escapes == 0 && run == 0 && bytes.get(at + 1) == Some(&quote);
        let closes = match (escapes, run) {
            (0, run) => run % 2 == 0 || (quote == b'\'' && !bytes[at + 1..].contains(&quote)),
            // what it is quoted in ends
            (escapes, run) if run < escapes => true,
            (escapes, run) => run % (2 * (escapes + 1)) == escapes,
        };
        if closes && !twice {
            return Some(at - run.min(escapes));
        }
        at += if twice { 2 } else { 1 };
    }
    None
}

/// A secret without the space around it, if it is one: no word that says nothing, and not replaced already.
fn checked(text: &str, at: Range<usize>, shortest: usize) -> Option<Range<usize>> {
    const WORDS: [&str; 12] = [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "********",
        "basic",
        "bearer",
        "apikey",
        "geniekey",
        "~",
        "undefined",
    ];
    let whole = &text[at.clone()];
    let start = at.start + whole.len() - whole.trim_start().len();
    // the quote that closes what it stands in
    let secret = whole.trim();
    let secret = if shortest > 1 { secret.trim_end_matches(['"', '\'', '\\', '`']) } else { secret };
    let word = secret.trim_matches(['"', '\'', ',', ';', ')', '}', ']', '.']).to_lowercase();
    let is_short = secret.chars().count() < shortest;
    let stays = is_short || WORDS.contains(&word.as_str()) || is_reference(secret) || is_replaced(secret);
    (!stays).then(|| start..start + secret.len())
}

/// `${NAME}` and `<secret>` stand for a value that is elsewhere.
fn is_reference(secret: &str) -> bool {
    let inside = |open: &str, close| secret.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let variable = inside("${", "}").or_else(|| inside("$(", ")"));
    variable
        .is_some_and(|name| name.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit()))
        || ["<secret>", "<nil>", "<redacted>", "<hidden>"].contains(&secret)
}

/// Was it replaced already, the whole of it?
fn is_replaced(secret: &str) -> bool {
    let Some(rest) = secret.strip_prefix(BEGIN) else { return false };
    let Some((inside, rest)) = rest.split_once(']') else { return false };
    // another secret's value may be the beginning of this one
    let ends = if inside.starts_with("known ") { " \t\n\"')}]\\<" } else { " \t\n\"')}]\\<,;&" };
    rest.chars().next().is_none_or(|next| ends.contains(next))
}

/// `|`, `>-`, `|2+`: the lines below are the value.
fn is_block(word: &str) -> bool {
    word.len() <= 3
        && word.starts_with(['|', '>'])
        && word[1..].chars().all(|sign| sign == '+' || sign == '-' || sign.is_ascii_digit())
}

/// Is it the anchor of a YAML node, or its tag? A value may begin so, too: then nothing follows.
fn is_anchor(rest: &str, word: &str) -> bool {
    word.starts_with(['&', '!'])
        && rest.trim_start().starts_with(word)
        && rest
            .trim()
            .strip_prefix(word)
            .is_some_and(|behind| behind.trim().is_empty() || is_block(behind.trim()))
}

/// The column of a name that has nothing before it in its line but its indentation, and what lists, comments and
/// shells put there.
fn column(text: &str, at: usize) -> Option<usize> {
    let near = (0..=at.saturating_sub(NEAR)).rev().find(|near| text.is_char_boundary(*near)).unwrap_or(0);
    let before = &text[near..at];
    let line = match before.rfind('\n') {
        Some(end) => &before[end + 1..],
        None if near == 0 => before,
        None => return None,
    };
    let line = line.trim_end_matches(['"', '\'']);
    let bare = line.trim_matches([' ', '\t', '-', '#', '/', ';']);
    (bare.is_empty() || bare == "export").then_some(line.chars().count())
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The last place at or before `at` that a character begins at.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
