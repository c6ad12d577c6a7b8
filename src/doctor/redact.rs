//! What is secret in texts that leave the cluster, replaced by tokens: the same secret gets the same token in
//! every file, so that what belongs together can still be seen, and the key of the tokens is thrown away. Secrets
//! are found by their value where it is known, by their form where it has one, and by the name beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use regex::{Captures, Regex};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

use crate::object::base64;

/// Shorter values are not looked for everywhere: they are words, too.
const LONG_ENOUGH: usize = 8;
/// What a token begins with.
const BEGIN: &str = "[redacted ";

/// Forms of secrets: what they are called, and where in the form the secret is (`s`).
const FORMS: [(&str, &str); 28] = [
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?P<s>[\s\S]*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
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
    ("bearer-token", r"(?i)\bbearer\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})"),
    ("basic-login", r"(?i)\bbasic\s+(?P<s>[A-Za-z0-9+/]{8,}={0,2})"),
    ("api-key", r"(?i)\b(?:apikey|genie-?key|api-token)\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})"),
    ("cookie", r#"(?i)\b(?:set-)?cookie"?\s*[:=]\s*"?(?P<s>[^\r\n"]{4,})"#),
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

/// Parts of names beside which a secret stands.
const NAMES: &str = r"password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|routing[_-]?key|service[_-]?key|integration[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|credential|connection[_-]?string|dsn|webhook[_-]?url|authorization|session[_-]?id";
/// Ends of names beside which the name of a secret stands, or a figure about it.
const NO_NAMES: &str = r"(?:name|names|ref|refs|file|files|path|key|keys|count|total|seconds|bytes|version|namespace|class|type|mode|enabled|hash|provider|info|request|requests|limit|expiry|ttl)";

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let forms = FORMS.iter().map(|(kind, pattern)| (*kind, (*pattern).to_owned()));
    let quoted = ["\"", "'"].map(|quote| {
        format!(
            r#"(?i)(?P<n>[\w.-]*(?:{NAMES})[\w-]*)\\?["']?\s*[:=]\s*\\?{quote}(?P<s>[^{quote}\\\n]{{3,}})"#
        )
    });
    let plain = format!(
        r#"(?i)(?P<n>[\w.-]*(?:{NAMES})[\w-]*)\\?["']?\s*[:=]\s*(?:bearer |basic |apikey )?(?P<s>[^\s"'\\,;&}}<>\[\]{{]{{4,}})"#
    );
    let flag = format!(r#"(?i)--?(?P<n>[\w-]*(?:{NAMES})[\w-]*)[\s=]+["']?(?P<s>[^\s"'-][^\s"']{{3,}})"#);
    let docker = r#""auth"\s*:\s*"(?P<s>[^"]{4,})""#.to_owned();
    let named = quoted.into_iter().chain([plain, flag, docker]).map(|pattern| ("named", pattern));
    // each is a constant, and tried by a test
    forms.chain(named).filter_map(|(kind, pattern)| Some((kind, Regex::new(&pattern).ok()?))).collect()
});
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i){NAMES}")).ok());
static NO_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)(?:^|[a-z0-9_.-]){NO_NAMES}$|^existing")).ok());

/// Replaces what is secret, and counts it.
#[derive(Debug, Default)]
pub struct Redactor {
    key: Vec<u8>,
    /// What is looked for everywhere, the longest first, with the secret that it is a form of.
    known: Vec<(String, String)>,
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

    /// A value that is known to be secret: it is found as it is, in base64 and as JSON writes it, and each of its
    /// lines where it has several.
    pub fn know(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < LONG_ENOUGH {
            return;
        }
        let json = Value::from(secret).to_string();
        let forms = [secret.to_owned(), json[1..json.len() - 1].to_owned(), base64(secret.as_bytes())];
        let lines = secret
            .lines()
            .map(str::trim)
            .filter(|line| secret.contains('\n') && line.len() >= 2 * LONG_ENOUGH);
        for form in forms.into_iter().chain(lines.map(str::to_owned)) {
            if !form.starts_with("-----") && !self.known.iter().any(|(known, _)| *known == form) {
                self.known.push((form, secret.to_owned()));
            }
        }
        self.known.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// What was replaced, file by file.
    pub fn report(&self) -> Vec<Redacted> {
        let redacted = |(file, replaced): (&String, &BTreeMap<String, usize>)| Redacted {
            file: file.clone(),
            replaced: replaced.clone(),
        };
        self.counts.iter().map(redacted).collect()
    }

    /// A text without what is secret in it.
    pub fn text(&mut self, file: &str, text: &str) -> String {
        let mut out = Cow::Borrowed(text);
        for (form, secret) in &self.known {
            let times = out.matches(form.as_str()).count();
            if times > 0 {
                out = Cow::Owned(out.replace(form.as_str(), &token(&self.key, "known", secret)));
                count(&mut self.counts, file, "known", times);
            }
        }
        for (kind, pattern) in PATTERNS.iter() {
            if !pattern.is_match(&out) {
                continue;
            }
            let mut times = 0;
            let replaced = pattern.replace_all(&out, |found: &Captures<'_>| {
                let whole = found.get(0).map(|whole| (whole.start(), whole.as_str())).unwrap_or_default();
                let Some(secret) = found.name("s").filter(|secret| {
                    let name = found.name("n").map(|name| name.as_str()).unwrap_or_default();
                    !is_harmless(name, secret.as_str())
                }) else {
                    return whole.1.to_owned();
                };
                times += 1;
                let (begin, end) = (secret.start() - whole.0, secret.end() - whole.0);
                format!("{}{}{}", &whole.1[..begin], token(&self.key, kind, secret.as_str()), &whole.1[end..])
            });
            if times > 0 {
                out = Cow::Owned(replaced.into_owned());
                count(&mut self.counts, file, kind, times);
            }
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
                let named = fields.get("name").and_then(Value::as_str).is_some_and(is_named);
                for (key, value) in fields {
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
                        Value::String(text)
                            if (named && key == "value") || is_named(key) || key == "auth" =>
                        {
                            self.whole(file, "named", text);
                        }
                        Value::Array(items) if is_named(key) => {
                            for item in items {
                                match item {
                                    Value::String(text) => self.whole(file, "named", text),
                                    item => self.json(file, item),
                                }
                            }
                        }
                        value => self.json(file, value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn whole(&mut self, file: &str, kind: &str, text: &mut String) {
        if !text.is_empty() && !text.starts_with(BEGIN) {
            // what is known keeps its token
            let known =
                self.known.iter().find(|(form, _)| form == text.trim()).map(|(_, secret)| secret.clone());
            *text = token(
                &self.key,
                if known.is_some() { "known" } else { kind },
                known.as_deref().unwrap_or(text.trim()),
            );
            count(&mut self.counts, file, kind, 1);
        }
    }
}

/// Is it a name beside which a secret stands?
fn is_named(name: &str) -> bool {
    NAME.as_ref().is_some_and(|pattern| pattern.is_match(name))
        && !NO_NAME.as_ref().is_some_and(|pattern| pattern.is_match(name))
        || KEYS.iter().any(|key| name.to_ascii_lowercase().replace('-', "_").ends_with(key))
}

/// Names that end like that of a key in a map, and are secrets.
const KEYS: [&str; 11] = [
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "account_key",
    "routing_key",
    "service_key",
    "integration_key",
    "signing_key",
    "encryption_key",
    "auth_key",
];

fn is_harmless(name: &str, secret: &str) -> bool {
    const WORDS: [&str; 9] =
        ["true", "false", "null", "none", "********", "basic", "bearer", "apikey", "geniekey"];
    secret.contains(BEGIN.trim_end())
        || WORDS.contains(&secret.trim().to_lowercase().as_str())
        || (!name.is_empty() && !is_named(name))
}

fn count(counts: &mut BTreeMap<String, BTreeMap<String, usize>>, file: &str, kind: &str, times: usize) {
    *counts.entry(file.to_owned()).or_default().entry(kind.to_owned()).or_default() += times;
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
