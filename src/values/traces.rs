//! Where secret values went: found in what was rendered from them, by looking for them, so that it works
//! for a render, for a record and for what is live. Pure.
//!
//! A secret is found as it is, as JSON writes it in a string, and in base64, also as a part of a longer
//! text. How short may it be? As a part of a word only from [`ANYWHERE`] characters on, which no text has by
//! chance; from [`AS_WORD`] where it stands between what is neither letter nor digit, or is the whole text.
//! Below that it is on every page of every manifest, and is guessed as fast as it is read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::Pointer;
use crate::object::MASK;

/// From so many characters on a secret is looked for within words.
const ANYWHERE: usize = 8;
/// From so many on it is looked for at all.
const AS_WORD: usize = 4;
/// What says which object it is stays: without it nothing could be said of the object.
const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

/// What to look for. It has no `Debug`: it holds secrets.
#[derive(Clone, Default)]
pub struct Traces {
    words: BTreeSet<String>,
    parts: BTreeSet<String>,
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
        texts.iter().for_each(|text| self.secret(text));
        self.finder = OnceLock::new();
        self
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
            Value::String(text) => self.secret(text),
            Value::Number(number) => self.secret(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(map) => map.values().for_each(|item| self.value(item)),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn secret(&mut self, text: &str) {
        let text = text.trim();
        if text == MASK || text.chars().count() < AS_WORD {
            return;
        }
        self.word(text);
        let escaped = Value::from(text).to_string();
        self.word(&escaped[1..escaped.len() - 1]);
        for shift in 0..3 {
            self.parts.extend(base64_core(text.as_bytes(), shift));
        }
        // a text of several lines is indented where it is rendered
        let lines = text.lines().map(str::trim).filter(|line| line.chars().count() >= ANYWHERE);
        if text.contains('\n') {
            self.parts.extend(lines.filter(|line| !line.starts_with("-----")).map(str::to_owned));
        }
    }

    fn word(&mut self, text: &str) {
        let kind = if text.chars().count() < ANYWHERE { &mut self.words } else { &mut self.parts };
        kind.insert(text.to_owned());
    }

    /// Does a text hold a secret?
    pub fn hold(&self, text: &str) -> bool {
        self.found(text).next().is_some()
    }

    /// Where secrets are in a text, by their ends.
    fn found<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
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
        let mut hidden: Vec<Range<usize>> = Vec::new();
        for mut found in self.found(text) {
            while let Some(before) = hidden.pop_if(|before| before.end > found.start) {
                found.start = found.start.min(before.start);
            }
            hidden.push(found);
        }
        let mut out = String::new();
        let mut shown = 0;
        for secret in hidden {
            out.push_str(&text[shown..secret.start]);
            out.push_str(MASK);
            shown = secret.end;
        }
        out + &text[shown..]
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
    fn of(words: &BTreeSet<String>, parts: &BTreeSet<String>) -> Self {
        let patterns: Vec<&str> = words.iter().chain(parts).map(String::as_str).collect();
        if patterns.is_empty() {
            return Self::Nothing;
        }
        // the only kind that gives matches that overlap
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns);
        automaton.map_or(Self::TooMany, |automaton| Self::Patterns { automaton, words: words.len() })
    }

    fn find<'t>(&'t self, text: &'t str) -> Box<dyn Iterator<Item = Range<usize>> + 't> {
        match self {
            Self::Nothing => Box::new(iter::empty()),
            Self::TooMany => Box::new(iter::once(0..text.len())),
            Self::Patterns { automaton, words } => {
                let found = automaton.find_overlapping_iter(text);
                let counts =
                    found.filter(|at| at.pattern().as_usize() >= *words || is_word(text, at.range()));
                Box::new(counts.map(|at| at.range()))
            }
        }
    }
}

/// Does it stand there with neither letter nor digit beside it?
fn is_word(text: &str, at: Range<usize>) -> bool {
    let before = text[..at.start].chars().next_back();
    let behind = text[at.end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
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
