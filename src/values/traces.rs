//! Where secret values went: found in what was rendered from them, by looking for them, so that it works
//! for a render, for a record and for what is live. Pure.
//!
//! A secret is found as it is, as JSON writes it in a string, and in base64, also as a part of a longer
//! text. How short may it be? As a part of a word only from [`ANYWHERE`] characters on, which no text has by
//! chance; from [`AS_WORD`] where it stands between what is neither letter nor digit, or is the whole text.
//! Below that it is on every page of every manifest, and is guessed as fast as it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;

use super::Pointer;
use crate::object::{MASK, base64};

/// From so many characters on a secret is looked for within words.
const ANYWHERE: usize = 8;
/// From so many on it is looked for at all.
const AS_WORD: usize = 4;
/// What is longer is found by its beginning, and is secret up to the next space or quote.
const LONGEST: usize = 16 << 10;
/// From so many bytes on patterns get an automaton that is small rather than fast.
const MANY: usize = 64 << 10;
/// What says which object it is stays: without it nothing could be said of the object.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

/// What to look for. It has no `Debug`: it holds secrets.
#[derive(Clone, Default)]
pub struct Traces {
    /// Each with the secret that it is a form of.
    words: BTreeMap<String, Arc<str>>,
    parts: BTreeMap<String, Arc<str>>,
    finder: OnceLock<Finder>,
}

/// Finds all of them in one pass over a text, however many they are: a record may name very many.
#[derive(Clone)]
enum Finder {
    Nothing,
    Patterns {
        automaton: AhoCorasick,
        /// So many of its patterns are words, the others parts.
        words: usize,
        /// What each of them is a form of.
        secrets: Vec<Arc<str>>,
    },
    /// They are too many for an automaton, which takes two thousand million states: every text is secret.
    TooMany,
}

impl Traces {
    /// The secrets in `tree`.
    pub fn of(tree: &Value, secrets: &[Pointer]) -> Self {
        let mut traces = Self::default();
        secrets.iter().filter_map(|at| tree.pointer(at)).for_each(|secret| traces.value(secret));
        traces
    }

    /// And these texts, which were made of secrets.
    #[must_use]
    pub fn and_derived(mut self, texts: &[String]) -> Self {
        texts.iter().for_each(|text| self.secret(text, true));
        self.finder = OnceLock::new();
        self
    }

    /// Adds a text; with `lines` each of its lines as well, which the lines of a configuration should not be.
    pub fn know(&mut self, text: &str, lines: bool) {
        self.secret(text, lines);
        self.finder = OnceLock::new();
    }

    /// Adds what is no text: it is found in base64.
    pub fn know_bytes(&mut self, bytes: &[u8]) {
        let beginning = &bytes[..bytes.len().min(LONGEST)];
        let secret: Arc<str> = base64(beginning).into();
        for core in (0..3).flat_map(|shift| base64_core(beginning, shift)) {
            if core.len() >= ANYWHERE {
                self.parts.entry(core).or_insert_with(|| Arc::clone(&secret));
            }
        }
        self.part(&secret, &secret);
        self.finder = OnceLock::new();
    }

    /// The secret that all of `text` is a form of.
    pub fn secret_of(&self, text: &str) -> Option<&str> {
        self.words.get(text).or_else(|| self.parts.get(text)).map(AsRef::as_ref)
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (mut words, mut parts) = (self.words, self.parts);
        words.extend(other.words);
        parts.extend(other.parts);
        Self { words, parts, finder: OnceLock::new() }
    }

    fn value(&mut self, secret: &Value) {
        match secret {
            Value::String(text) => self.secret(text, true),
            Value::Number(number) => self.secret(&number.to_string(), true),
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(map) => map.values().for_each(|item| self.value(item)),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn secret(&mut self, text: &str, lines: bool) {
        let text = text.trim();
        if text == MASK || text.chars().count() < AS_WORD {
            return;
        }
        let secret: Arc<str> = text.into();
        let beginning = beginning(text);
        self.word(beginning, &secret);
        let escaped = Value::from(beginning).to_string();
        self.word(&escaped[1..escaped.len() - 1], &secret);
        for core in (0..3).flat_map(|shift| base64_core(beginning.as_bytes(), shift)) {
            self.part(&core, &secret);
        }
        if beginning.len() == text.len() {
            // with what the end of it depends on
            self.part(&base64(text.as_bytes()), &secret);
        }
        // a text of several lines is indented where it is rendered
        if lines && text.contains('\n') {
            let lines = text.lines().map(str::trim).filter(|line| line.chars().count() >= ANYWHERE);
            for line in lines.filter(|line| !line.starts_with("-----")) {
                self.part(line, &secret);
            }
        }
    }

    fn word(&mut self, text: &str, secret: &Arc<str>) {
        if text.chars().count() < ANYWHERE {
            self.words.entry(text.to_owned()).or_insert_with(|| Arc::clone(secret));
        } else {
            self.part(text, secret);
        }
    }

    fn part(&mut self, text: &str, secret: &Arc<str>) {
        self.parts.entry(text.to_owned()).or_insert_with(|| Arc::clone(secret));
    }

    /// Does a text hold a secret?
    pub fn hold(&self, text: &str) -> bool {
        self.found(text).next().is_some()
    }

    /// Where secrets are in a text, by their ends, and which.
    fn found<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (Range<usize>, &'t str)> + 't {
        self.finder.get_or_init(|| Finder::of(&self.words, &self.parts)).find(text)
    }

    /// A text to be shown: lines that hold a secret are masks, whole ones, for a mask within a line could
    /// become a value again ([`super::refuse_masks`]).
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.hold(text) {
            return Cow::Borrowed(text);
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let masked: Vec<Cow<'_, str>> = lines
            .iter()
            .map(|line| match self.hold(line) {
                true => {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    Cow::Owned(format!("{indent}{MASK}"))
                }
                false => Cow::Borrowed(*line),
            })
            .collect();
        let masked = masked.join("\n");
        // one that reaches over lines, and is in none of them
        Cow::Owned(if self.hold(&masked) { MASK.to_owned() } else { masked })
    }

    /// A sentence to be shown, such as an error's: the secret alone gives way, for a sentence is no value.
    pub fn sentence(&self, text: &str) -> String {
        self.replace(text, |_| MASK.to_owned()).0.into_owned()
    }

    /// A text in which something else stands for each secret, and how often that is. Of those that overlap the
    /// longest counts.
    pub fn replace<'t>(&self, text: &'t str, by: impl Fn(&str) -> String) -> (Cow<'t, str>, usize) {
        let mut hidden: Vec<(Range<usize>, usize, &str)> = Vec::new();
        for (mut found, mut secret) in self.found(text) {
            let mut length = found.len();
            while let Some((before, long, other)) = hidden.pop_if(|(before, ..)| before.end > found.start) {
                found = found.start.min(before.start)..found.end.max(before.end);
                if long > length {
                    (length, secret) = (long, other);
                }
            }
            hidden.push((found, length, secret));
        }
        if hidden.is_empty() {
            return (Cow::Borrowed(text), 0);
        }
        let mut out = String::new();
        let mut shown = 0;
        for (at, _, secret) in &hidden {
            out.push_str(&text[shown..at.start]);
            out.push_str(&by(secret));
            shown = at.end;
        }
        (Cow::Owned(out + &text[shown..]), hidden.len())
    }

    /// Masks what a value holds, and gives how much that is.
    pub fn mask(&self, value: &mut Value) -> usize {
        match value {
            Value::String(text) => match self.text(text) {
                Cow::Borrowed(_) => 0,
                Cow::Owned(masked) => {
                    *text = masked;
                    1
                }
            },
            Value::Number(number) if self.hold(&number.to_string()) => {
                *value = Value::from(MASK);
                1
            }
            Value::Array(items) => items.iter_mut().map(|item| self.mask(item)).sum(),
            Value::Object(map) => {
                let below: usize = map.values_mut().map(|item| self.mask(item)).sum();
                let keys: Vec<String> = map.keys().filter(|key| self.hold(key)).cloned().collect();
                for key in &keys {
                    let value = map.shift_remove(key).unwrap_or_default();
                    // none takes the place of another
                    let names = (1..).map(|n| if n == 1 { MASK.to_owned() } else { format!("{MASK} {n}") });
                    if let Some(name) = names.into_iter().find(|name| !map.contains_key(name)) {
                        map.insert(name, value);
                    }
                }
                below + keys.len()
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => 0,
        }
    }

    /// Masks both sides of a difference; says whether nothing but a secret differs.
    pub fn mask_both(&self, from: &mut Option<Value>, to: &mut Option<Value>) -> bool {
        let masked: usize = [&mut *from, &mut *to].into_iter().flatten().map(|value| self.mask(value)).sum();
        masked > 0 && from == to
    }

    /// Masks what an object holds, but for what says which one it is.
    pub fn mask_object(&self, object: &mut Value) -> usize {
        if self.words.is_empty() && self.parts.is_empty() {
            return 0;
        }
        let identity = IDENTITY.map(|at| object.pointer(at).cloned());
        let masked = self.mask(object);
        let mut kept = 0;
        for (at, before) in IDENTITY.iter().zip(identity) {
            if let (Some(now), Some(before)) = (object.pointer_mut(at), before)
                && *now != before
            {
                *now = before;
                kept += 1;
            }
        }
        masked.saturating_sub(kept)
    }

    /// Where an object holds a secret: pointers, for lint.
    pub fn places(&self, object: &Value) -> Vec<Pointer> {
        let mut found = Vec::new();
        self.collect(object, String::new(), &mut found);
        found
    }

    fn collect(&self, value: &Value, at: Pointer, found: &mut Vec<Pointer>) {
        match value {
            Value::String(text) if self.hold(text) => found.push(at),
            Value::Number(number) if self.hold(&number.to_string()) => found.push(at),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(item, super::pointer::join(&at, &index.to_string()), found);
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    let at = super::pointer::join(&at, key);
                    if self.hold(key) {
                        found.push(at.clone());
                    }
                    self.collect(item, at, found);
                }
            }
            _ => {}
        }
    }
}

impl Finder {
    fn of(words: &BTreeMap<String, Arc<str>>, parts: &BTreeMap<String, Arc<str>>) -> Self {
        let patterns: Vec<&str> = words.keys().chain(parts.keys()).map(String::as_str).collect();
        if patterns.is_empty() {
            return Self::Nothing;
        }
        let many = patterns.iter().map(|pattern| pattern.len()).sum::<usize>() > MANY;
        // the only kind that gives matches that overlap
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(many.then_some(AhoCorasickKind::ContiguousNFA))
            .build(&patterns);
        let secrets = words.values().chain(parts.values()).map(Arc::clone).collect();
        automaton.map_or(Self::TooMany, |automaton| Self::Patterns { automaton, words: words.len(), secrets })
    }

    fn find<'t>(&'t self, text: &'t str) -> Box<dyn Iterator<Item = (Range<usize>, &'t str)> + 't> {
        match self {
            Self::Nothing => Box::new(iter::empty()),
            Self::TooMany => Box::new(iter::once((0..text.len(), text))),
            Self::Patterns { automaton, words, secrets } => {
                let found = automaton.find_overlapping_iter(text);
                let counts =
                    found.filter(|at| at.pattern().as_usize() >= *words || is_word(text, at.range()));
                Box::new(counts.map(|at| {
                    let secret: &str = &secrets[at.pattern().as_usize()];
                    (whole(text, at.range()), secret)
                }))
            }
        }
    }
}

/// As much of a text as is looked for.
fn beginning(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// What was found by its beginning alone goes on.
fn whole(text: &str, at: Range<usize>) -> Range<usize> {
    if at.len() < LONGEST {
        return at;
    }
    let end = text[at.end..].find(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    at.start..end.map_or(text.len(), |end| at.end + end)
}

/// Does it stand there with neither letter nor digit beside it?
fn is_word(text: &str, at: Range<usize>) -> bool {
    let before = &text[..at.start];
    // in a text that JSON quoted the end of a line is two characters
    let begins = ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape))
        || !before.chars().next_back().is_some_and(char::is_alphanumeric);
    begins && !text[at.end..].chars().next().is_some_and(char::is_alphanumeric)
}

/// What base64 makes of `bytes` in every text in which so many bytes (modulo 3) stand before them: without
/// the characters at both ends that depend on what is beside. In both alphabets.
fn base64_core(bytes: &[u8], shift: usize) -> Vec<String> {
    const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // the bits that belong to whole characters of these bytes alone
    let bits = bytes.len() * 8;
    let skip = [0, 4, 2][shift % 3];
    let core: String = (0..bits.saturating_sub(skip) / 6)
        .map(|i| {
            let sextet = (0..6).fold(0usize, |value, bit| {
                let at = skip + i * 6 + bit;
                value << 1 | usize::from(bytes[at / 8] >> (7 - at % 8) & 1)
            });
            char::from(PLAIN[sextet])
        })
        .collect();
    if core.len() < AS_WORD {
        return Vec::new();
    }
    let url = core.replace('+', "-").replace('/', "_");
    if url == core { vec![core] } else { vec![core, url] }
}

#[cfg(test)]
mod tests {
    use super::super::masks;
    use super::*;
    use crate::object::base64;
    use serde_json::json;

    fn traces(secret: impl Into<Value>) -> Traces {
        Traces::of(&json!({"a": {"b": secret.into()}}), &["/a/b".to_owned()])
    }

    #[test]
    fn a_secret_is_found_in_whatever_holds_it() {
        for secret in ["hunter2", "correct horse \"battery\"", "p\u{e4}ssw\u{f6}rd+/?\\", "1234567"] {
            let traces = traces(secret);
            let json = json!({"x": secret}).to_string();
            let mut texts = vec![
                secret.to_owned(),
                format!("password={secret};"),
                format!("a: 1\n  p: {secret}\n"),
                json,
            ];
            for before in ["", "u", "us", "user:"] {
                for behind in ["", "x", "xy"] {
                    texts.push(base64(format!("{before}{secret}{behind}").as_bytes()));
                }
            }
            for text in texts {
                assert!(traces.hold(&text), "{text}");
                let shown = traces.text(&text);
                assert!(!traces.hold(&shown) && !masks(&json!(shown)).is_empty(), "{shown}");
            }
            assert_eq!(traces.sentence(&format!("\"{secret}\" is no number")), "\"********\" is no number");
        }
    }

    #[test]
    fn what_is_short_is_found_as_a_word_and_what_is_shorter_not() {
        assert!(traces("abcd").hold("x=abcd") && !traces("abcd").hold("xabcdx"));
        assert!(!traces("abc").hold("abc") && !traces("").hold("") && !traces(true).hold("true"));
        assert!(traces("abcdefgh").hold("xabcdefghx"));
    }

    #[test]
    fn in_a_sentence_secrets_that_overlap_are_one() {
        let both = traces("hunter-two-is").and(traces("two-is-secret")).and(traces("abcd"));
        assert_eq!(both.sentence("x hunter-two-is-secret, abcd, xabcd y"), "x ********, ********, xabcd y");
        assert_eq!(Traces::default().sentence("as it is"), "as it is");
    }

    #[test]
    fn very_many_secrets_cost_one_pass() {
        let secrets: Vec<String> = (0..100_000).map(|i| format!("secret-{i:06}-{}", i * 7919)).collect();
        let all = Traces::of(&json!({"s": secrets}), &["/s".to_owned()]);
        let text = "what is no secret at all, line after line\n".repeat(100);
        assert!((0..1_000).all(|_| !all.hold(&text)) && all.hold(&secrets[99_999]));
    }

    #[test]
    fn something_else_stands_for_each_secret() {
        let mut both = traces("hunter-two-is").and(traces("abcd"));
        both.know_bytes(&[0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9]);
        let by = |secret: &str| format!("<{secret}>");
        let text = format!("a\\nabcd x {} y", base64(b"hunter-two-is"));
        assert_eq!(both.replace(&text, by), (Cow::Owned("a\\n<abcd> x <hunter-two-is> y".to_owned()), 2));
        let binary = base64(&[0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9]);
        assert_eq!(both.replace(&binary, by).0, format!("<{binary}>"));
        assert!(matches!(both.replace("nothing", by), (Cow::Borrowed("nothing"), 0)));
        assert_eq!((both.secret_of("abcd"), both.secret_of("abc")), (Some("abcd"), None));
    }

    #[test]
    fn what_is_very_long_is_found_by_its_beginning_and_hidden_to_its_end() {
        let long: String = (0..8_000).map(|n| format!("{n:07}k")).collect();
        let shown = traces(long.as_str()).sentence(&format!("x {long} y {}", base64(long.as_bytes())));
        assert_eq!(shown, "x ******** y ********");
    }

    #[test]
    fn a_text_of_lines_loses_those_that_are_secret() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n";
        let indented = "key: |\n  -----BEGIN KEY-----\n  MIIEvQIBADAN\n  -----END KEY-----\nport: 1\n";
        let shown = traces(key).text(indented).into_owned();
        assert_eq!(shown, "key: |\n  -----BEGIN KEY-----\n  ********\n  -----END KEY-----\nport: 1\n");
    }

    #[test]
    fn an_object_keeps_its_identity() {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x-hunter2"},
            "data": {"a": "hunter2", "hunter2": "b", "n": 5}, "spec": {"port": 1_234_567}});
        let both = traces("hunter2").and(traces(1_234_567));
        assert_eq!(both.places(&object), ["/metadata/name", "/data/a", "/data/hunter2", "/spec/port"]);
        assert_eq!(both.mask_object(&mut object), 3);
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x-hunter2"},
                "data": {"a": MASK, "n": 5, MASK: "b"}, "spec": {"port": MASK}})
        );
    }
}
