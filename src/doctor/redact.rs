//! What is secret in texts that leave the cluster, replaced by tokens: the same secret gets the same token in
//! every file, so that what belongs together can still be seen, and the key of the tokens is thrown away. Secrets
//! are found by their value where it is known, by their form where it has one, and by the name beside them.

mod known;
mod named;
mod names;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

pub use known::values;
use names::{is_about, is_named, is_plural};

use crate::values::Traces;

/// Numbers of fewer digits beside a name are figures, and known ones ports.
const DIGITS: [usize; 2] = [4, 6];
/// What a token begins with.
const BEGIN: &str = "[redacted ";

/// Forms of secrets: what they are called, and where in the form the secret is (`s`).
const FORMS: [(&str, &str); 29] = [
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?P<s>[\s\S]*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    // one whose beginning is above what was read
    ("private-key", r"\A(?P<s>[A-Za-z0-9+/=\s]{16,})-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"),
    (
        "webhook",
        r#"(?i)https://(?:hooks\.slack\.com|discord(?:app)?\.com/api/webhooks|[\w.-]*webhook\.office\.com|outlook\.office\.com/webhook|[\w.-]*logic\.azure\.com(?::\d+)?|chat\.googleapis\.com|open\.feishu\.cn|oapi\.dingtalk\.com|qyapi\.weixin\.qq\.com)(?P<s>/[^\s"'<>\\]+)"#,
    ),
    ("url-login", r#"\b[a-zA-Z][a-zA-Z0-9+.-]*://(?P<s>[^\s"'<>/]*:[^\s"'<>]*)@[\w.\[\]:-]+"#),
    ("url-login", r#"\b[a-zA-Z][a-zA-Z0-9+.-]*://(?P<s>[^\s"'<>/@:]{6,})@[\w.\[\]:-]+"#),
    (
        "url-token",
        r#"(?i)[?&;][\w-]*(?:token|key|sig|signature|secret|password|passwd|auth|credential)[\w-]*=(?P<s>[^&\s"'<>#\\]{4,})"#,
    ),
    ("jwt", r"\b(?P<s>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    ("bearer-token", r"(?i)\bbearer[ \t]+(?P<s>[A-Za-z0-9._~+/=-]{8,})"),
    ("basic-login", r"(?i)\bbasic[ \t]+(?P<s>[A-Za-z0-9+/]{8,}={0,2})"),
    ("api-key", r"(?i)\b(?:apikey|genie-?key|api-token)[ \t]+(?P<s>[A-Za-z0-9._~+/=-]{8,})"),
    ("cookie", r#"(?i)\b(?:set-)?cookie"?[ \t]*[:=][ \t]*"?(?P<s>[^\r\n"]{4,})"#),
    ("slack", r"\b(?P<s>xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,})"),
    ("aws", r"\b(?P<s>(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16})\b"),
    ("azure", r#"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=(?P<s>[^;\s"'\\]{8,})"#),
    ("github", r"\b(?P<s>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("gitlab", r"\b(?P<s>gl(?:pat|rt|dt|soat|cbt|ptt)-[A-Za-z0-9_-]{16,})"),
    ("google", r"\b(?P<s>AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,})"),
    ("stripe", r"\b(?P<s>(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,})"),
    ("sendgrid", r"\b(?P<s>SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
    ("twilio", r"\b(?P<s>(?:SK|AC)[0-9a-f]{32})\b"),
    ("npm", r"\b(?P<s>npm_[A-Za-z0-9]{30,})"),
    ("pypi", r"\b(?P<s>pypi-[A-Za-z0-9_-]{16,})"),
    ("telegram", r"(?P<s>\d{8,10}:[A-Za-z0-9_-]{35})"),
    ("grafana", r"\b(?P<s>gl(?:sa|c)_[A-Za-z0-9_=+/]{20,})"),
    ("openai", r"\b(?P<s>sk-[A-Za-z0-9_-]{20,})"),
    ("vault", r"\b(?P<s>hv[sbr]\.[A-Za-z0-9_-]{20,})"),
    ("digitalocean", r"\b(?P<s>do[opr]_v1_[a-f0-9]{32,})"),
    ("age", r"(?P<s>AGE-SECRET-KEY-1[A-Z0-9]{40,})"),
    ("hash", r"(?P<s>\$(?:2[abxy]|apr1|5|6|y|argon2id?)\$[./A-Za-z0-9$=,+]{20,})"),
];

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    // each is a constant, and tried by a test
    FORMS.into_iter().filter_map(|(kind, pattern)| Some((kind, Regex::new(pattern).ok()?))).collect()
});

/// Replaces what is secret, and counts it. It has no `Debug`: it holds secrets.
#[derive(Default)]
pub struct Redactor {
    key: Vec<u8>,
    known: Traces,
    counts: BTreeMap<String, BTreeMap<String, usize>>,
}

/// What was replaced in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redacted {
    /// The file.
    pub file: String,
    /// How often, by kind.
    pub replaced: BTreeMap<String, usize>,
}

impl Redactor {
    /// With a key that nobody keeps.
    pub fn new(key: &[u8]) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// A value that is known to be secret, under a name: it is found in whatever form, and so is what is secret
    /// within it.
    pub fn know(&mut self, name: &str, secret: &[u8]) {
        known::learn(&mut self.known, name, secret);
    }

    /// The same for all of these.
    pub fn know_all(&mut self, traces: Traces) {
        self.known = std::mem::take(&mut self.known).and(traces);
    }

    /// What was replaced, file by file.
    pub fn report(&self) -> Vec<Redacted> {
        let redacted = |(file, replaced): (&String, &BTreeMap<String, usize>)| Redacted {
            file: file.clone(),
            replaced: replaced.clone(),
        };
        self.counts.iter().map(redacted).collect()
    }

    /// A text without what is secret in it. Lines that are JSON are read as that: nothing of their quoting is
    /// left to be guessed.
    pub fn text(&mut self, file: &str, text: &str) -> String {
        if let Some(redacted) = self.document(file, text) {
            return redacted;
        }
        if !text.contains('\n') {
            return self.plain(file, text);
        }
        let mut out = String::with_capacity(text.len());
        // what is between lines of JSON stays together, for a secret may have several lines
        let mut plain = String::new();
        for line in text.split_inclusive('\n') {
            let end = line.len() - line.trim_end().len();
            match self.document(file, &line[..line.len() - end]) {
                Some(redacted) => {
                    out.push_str(&self.plain(file, &std::mem::take(&mut plain)));
                    out.push_str(&redacted);
                    out.push_str(&line[line.len() - end..]);
                }
                None => plain.push_str(line),
            }
        }
        out + &self.plain(file, &plain)
    }

    /// A text that is a document: as it was, if nothing in it is secret.
    fn document(&mut self, file: &str, text: &str) -> Option<String> {
        let bare = text.trim();
        if !(bare.starts_with('{') && bare.ends_with('}') || bare.starts_with('[') && bare.ends_with(']')) {
            return None;
        }
        let mut document: Value = serde_json::from_str(bare).ok()?;
        let before = self.total();
        self.json(file, &mut document);
        let written = if self.total() == before {
            text.to_owned()
        } else if bare.contains('\n') {
            serde_json::to_string_pretty(&document).ok()?
        } else {
            serde_json::to_string(&document).ok()?
        };
        // what is known may be more than one of its strings
        Some(if self.known.hold(&written) { self.plain(file, &written) } else { written })
    }

    fn total(&self) -> usize {
        self.counts.values().flat_map(BTreeMap::values).sum()
    }

    fn plain(&mut self, file: &str, text: &str) -> String {
        let (mut out, times) = self.known.replace(text, |secret| token(&self.key, "known", secret));
        count(&mut self.counts, file, "known", times);
        for (kind, pattern) in PATTERNS.iter() {
            let found = forms(pattern, &out);
            if !found.is_empty() {
                let replaced = replaced(&out, &found, |secret| token(&self.key, kind, secret));
                out = Cow::Owned(replaced);
                count(&mut self.counts, file, kind, found.len());
            }
        }
        let found = named::find(&out);
        if !found.is_empty() {
            out = Cow::Owned(replaced(&out, &found, |secret| self.token("named", secret)));
            count(&mut self.counts, file, "named", found.len());
        }
        out.into_owned()
    }

    /// A document without what is secret in it: also values by the names of their fields, environment variables
    /// by theirs, what follows a flag, and the content of Secrets.
    pub fn json(&mut self, file: &str, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(file, text),
            Value::Array(items) => {
                let mut flag = false;
                for item in items {
                    let named = item
                        .as_str()
                        .is_some_and(|text| text.starts_with('-') && !text.contains('=') && is_named(text));
                    match item {
                        Value::String(text) if flag && !text.starts_with('-') => {
                            self.whole(file, "named", text);
                        }
                        item => self.json(file, item),
                    }
                    flag = named;
                }
            }
            Value::Object(fields) => {
                let of_secret = fields.get("kind").is_some_and(|kind| kind == "Secret");
                let named = ["name", "key"].iter().filter_map(|key| fields.get(*key)?.as_str()).any(is_named);
                for (key, value) in fields.iter_mut() {
                    match value {
                        Value::Object(data)
                            if of_secret && ["data", "stringData"].contains(&key.as_str()) =>
                        {
                            for value in data.values_mut() {
                                match value {
                                    Value::String(text) => self.whole(file, "secret", text),
                                    value => self.json(file, value),
                                }
                            }
                        }
                        value if (named && key == "value") || is_named(key) => {
                            self.below(file, value, is_plural(key) || key == "value");
                        }
                        Value::String(text) if key == "auth" => self.whole(file, "named", text),
                        value => self.json(file, value),
                    }
                }
                self.keys(file, fields);
            }
            Value::Number(number) => {
                let text = number.to_string();
                if text.len() >= DIGITS[1] && self.known.secret_of(&text).is_some() {
                    self.number(file, value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// What stands beside a name, or in a list there; `all`: in a map, too.
    fn below(&mut self, file: &str, value: &mut Value, all: bool) {
        match value {
            Value::String(text) => self.whole(file, "named", text),
            Value::Number(number) if number.to_string().len() >= DIGITS[0] => self.number(file, value),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(_) => self.json(file, item),
                        item => self.below(file, item, all),
                    }
                }
            }
            Value::Object(fields) if all => {
                for (_, value) in fields.iter_mut().filter(|(key, _)| !is_about(key)) {
                    self.below(file, value, all);
                }
                self.json(file, value);
            }
            value => self.json(file, value),
        }
    }

    fn number(&mut self, file: &str, value: &mut Value) {
        let mut text = value.to_string();
        self.whole(file, "named", &mut text);
        *value = Value::from(text);
    }

    /// Names of fields that hold what is known, such as the name of a file after a token.
    fn keys(&mut self, file: &str, fields: &mut serde_json::Map<String, Value>) {
        let is_held = |key: &String| key.contains(|c: char| !c.is_ascii_alphabetic()) && self.known.hold(key);
        if !fields.keys().any(is_held) {
            return;
        }
        for (key, value) in std::mem::take(fields) {
            let (mut name, times) = self.known.replace(&key, |secret| token(&self.key, "known", secret));
            if times > 0 && key.contains(|c: char| !c.is_ascii_alphabetic()) {
                count(&mut self.counts, file, "known", times);
                // none takes the place of another
                while fields.contains_key(name.as_ref()) {
                    name.to_mut().push('+');
                }
                fields.insert(name.into_owned(), value);
            } else {
                fields.insert(key, value);
            }
        }
    }

    fn whole(&mut self, file: &str, kind: &str, text: &mut String) {
        if !text.is_empty() && !text.starts_with(BEGIN) {
            *text = self.token(kind, text.trim());
            count(&mut self.counts, file, kind, 1);
        }
    }

    /// What is known keeps its token.
    fn token(&self, kind: &str, secret: &str) -> String {
        match self.known.secret_of(secret) {
            Some(known) => token(&self.key, "known", known),
            None => token(&self.key, kind, secret),
        }
    }
}

/// What a text has that is secret by its form or by the name beside it.
fn found(text: &str) -> Vec<String> {
    let forms = PATTERNS.iter().flat_map(|(_, pattern)| forms(pattern, text));
    forms.chain(named::find(text)).map(|at| text[at].trim().to_owned()).collect()
}

/// Where a text has secrets of a form.
fn forms(pattern: &Regex, text: &str) -> Vec<Range<usize>> {
    let all = pattern.captures_iter(text).filter_map(|found| found.name("s"));
    all.filter(|secret| !is_harmless(secret.as_str())).map(|secret| secret.range()).collect()
}

fn replaced(text: &str, found: &[Range<usize>], by: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for at in found {
        out.push_str(&text[shown..at.start]);
        out.push_str(&by(&text[at.clone()]));
        shown = at.end;
    }
    out + &text[shown..]
}

fn is_harmless(secret: &str) -> bool {
    const WORDS: [&str; 9] =
        ["true", "false", "null", "none", "********", "basic", "bearer", "apikey", "geniekey"];
    secret.contains(BEGIN.trim_end()) || WORDS.contains(&secret.trim().to_lowercase().as_str())
}

fn count(counts: &mut BTreeMap<String, BTreeMap<String, usize>>, file: &str, kind: &str, times: usize) {
    if times > 0 {
        *counts.entry(file.to_owned()).or_default().entry(kind.to_owned()).or_default() += times;
    }
}

/// `[redacted jwt 1a2b3c4d]`
fn token(key: &[u8], kind: &str, secret: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("every key fits");
    mac.update(secret.as_bytes());
    let hash: String = mac.finalize().into_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{BEGIN}{kind} {hash}]")
}

#[cfg(test)]
mod tests;
