//! A small server that plays Loki, as far as looking for lines goes: it takes pushes, reads LogQL on its own
//! and answers `query_range` and `query`. What it does with errors of parsers, with limits and with times is
//! what a real one was seen to do; `tests/search.rs` asks both the same where there is a real one.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

type Labels = BTreeMap<String, String>;

/// A line that it keeps.
#[derive(Debug, Clone)]
struct Entry {
    labels: Labels,
    beside: Labels,
    time: i128,
    line: String,
}

/// What is done to a request instead of answering it.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Status and body.
    Says(u16, String),
    /// The connection ends without an answer.
    Hangs,
}

/// The server. It listens until the test process ends.
pub struct Loki {
    port: u16,
    /// The authority of its certificate, where it has one.
    authority: Option<String>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    entries: Vec<Entry>,
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    /// The header that has to come, and its value.
    demanded: Option<(String, String)>,
    asked: Vec<String>,
}

impl Loki {
    /// One without lines.
    pub fn start() -> Self {
        Self::serving(None, serve)
    }

    /// The same with TLS, under these names.
    pub fn start_with_tls(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a certificate and its key");
        let config = Arc::new(config);
        Self::serving(Some(own.cert.pem()), move |stream, shared| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            serve(rustls::StreamOwned::new(connection, stream), shared);
        })
    }

    fn serving(
        authority: Option<String>,
        serve: impl Fn(TcpStream, &Mutex<Shared>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (ours, serve) = (Arc::clone(&shared), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (shared, serve) = (Arc::clone(&ours), Arc::clone(&serve));
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                    serve(stream, &shared);
                });
            }
        });
        Self { port, authority, shared }
    }

    /// The port on which it listens, on all addresses.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority of its certificate, PEM.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().expect("it has TLS")
    }

    /// Its address on this machine.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests end like this.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// All requests do, or none.
    pub fn always(&self, fault: Option<Fault>) {
        self.lock().always = fault;
    }

    /// Requests without this header are refused with 401.
    pub fn demand(&self, header: &str, value: &str) {
        self.lock().demanded = Some((header.to_lowercase(), value.to_owned()));
    }

    /// The targets of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.lock().asked.clone()
    }

    /// Stores a line of a pod.
    pub fn push(&self, pod: &str, time: i128, line: &str) {
        self.lock().keep(Entry::of(pod, time, line.to_owned()));
    }

    /// Stores lines of a pod, all of which are new.
    pub fn push_many(&self, pod: &str, lines: impl IntoIterator<Item = (i128, String)>) {
        let entries = lines.into_iter().map(|(time, line)| Entry::of(pod, time, line));
        self.lock().entries.extend(entries);
    }
}

impl Entry {
    fn of(pod: &str, time: i128, line: String) -> Self {
        let labels = [
            ("namespace", "shop"),
            ("pod", pod),
            ("container", "main"),
            ("app", "shop"),
            ("stream", "stdout"),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { labels, beside: Labels::new(), time, line }
    }
}

impl Shared {
    /// The same line at the same time is one.
    fn keep(&mut self, entry: Entry) {
        let same = |known: &Entry| {
            known.time == entry.time && known.line == entry.line && known.labels == entry.labels
        };
        if !self.entries.iter().any(same) {
            self.entries.push(entry);
        }
    }

    fn answer(&mut self, target: &str, headers: &Labels, body: &str) -> Option<(u16, String)> {
        self.asked.push(target.to_owned());
        match self.faults.pop_front().or_else(|| self.always.clone()) {
            Some(Fault::Hangs) => return None,
            Some(Fault::Says(status, text)) => return Some((status, text)),
            None => {}
        }
        if self.demanded.as_ref().is_some_and(|(name, value)| headers.get(name) != Some(value)) {
            return Some((401, "no org id\n".to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked: Labels = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        Some(match path {
            "/ready" => (200, "ready".to_owned()),
            "/loki/api/v1/push" => self.push(body),
            "/loki/api/v1/query_range" | "/loki/api/v1/query" => {
                match self.query(path.ends_with("range"), &asked) {
                    Ok(data) => (200, json!({"status": "success", "data": data}).to_string()),
                    Err(why) => (400, format!("parse error at line 1, col 1: {why}")),
                }
            }
            _ => (404, "404 page not found\n".to_owned()),
        })
    }

    fn push(&mut self, body: &str) -> (u16, String) {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return (400, "no JSON".to_owned()) };
        for stream in body["streams"].as_array().into_iter().flatten() {
            for value in stream["values"].as_array().into_iter().flatten() {
                let time = value[0].as_str().and_then(|time| time.parse().ok()).unwrap_or_default();
                let line = value[1].as_str().unwrap_or_default().to_owned();
                self.keep(Entry {
                    labels: labels_of(&stream["stream"]),
                    beside: labels_of(&value[2]),
                    time,
                    line,
                });
            }
        }
        (204, String::new())
    }

    fn query(&self, range: bool, asked: &Labels) -> Result<Value, String> {
        let text = asked.get("query").ok_or("no query")?;
        let number =
            |name: &str| asked.get(name).and_then(|text| text.trim_end_matches('s').parse::<i128>().ok());
        // seconds, or nanoseconds where it is large
        let moment = |name: &str| {
            number(name)
                .map(|at| if at < 1 << 40 { at * SECOND } else { at })
                .ok_or_else(|| format!("no {name}"))
        };
        let mut parser = Parser { rest: text };
        if let Some((inner, seconds)) = counted(text) {
            let query = Parser { rest: inner }.query()?;
            let count = |at: i128| -> Result<usize, String> {
                let mut found = 0;
                for entry in &self.entries {
                    if entry.time <= at - seconds * SECOND || entry.time > at {
                        continue;
                    }
                    match query.labels(entry) {
                        Some(labels) if labels.get(ERROR).is_some_and(|error| !error.is_empty()) => {
                            return Err(format!("pipeline error: '{}'", labels[ERROR]));
                        }
                        Some(_) => found += 1,
                        None => {}
                    }
                }
                Ok(found)
            };
            if !range {
                let at = moment("time")?;
                let found = count(at)?;
                let result = if found == 0 {
                    json!([])
                } else {
                    json!([{"metric": {}, "value": [at / SECOND, found.to_string()]}])
                };
                return Ok(json!({"resultType": "vector", "result": result}));
            }
            let (start, end, step) =
                (moment("start")?, moment("end")?, number("step").unwrap_or(60) * SECOND);
            let mut values = Vec::new();
            let mut at = start;
            while at <= end {
                match count(at)? {
                    0 => {}
                    found => values.push(json!([at / SECOND, found.to_string()])),
                }
                at += step;
            }
            return Ok(json!({"resultType": "matrix", "result": [{"metric": {}, "values": values}]}));
        }
        let query = parser.query()?;
        let (start, end) = (moment("start")?, moment("end")?);
        let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap_or(100);
        if limit > 5_000 {
            return Err(format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > 5000)"
            ));
        }
        let mut found: Vec<(&Entry, Labels)> = self
            .entries
            .iter()
            .filter(|entry| start <= entry.time && entry.time < end)
            .filter_map(|entry| Some((entry, query.labels(entry)?)))
            .collect();
        found.sort_by_key(|(entry, _)| entry.time);
        if asked.get("direction").is_none_or(|direction| direction == "backward") {
            found.reverse();
        }
        found.truncate(limit);
        let mut streams: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
        for (entry, labels) in found {
            streams.entry(labels).or_default().push(json!([entry.time.to_string(), entry.line]));
        }
        let streams = streams.into_iter().map(|(labels, values)| json!({"stream": labels, "values": values}));
        Ok(json!({"resultType": "streams", "result": streams.collect::<Vec<_>>()}))
    }
}

const SECOND: i128 = 1_000_000_000;
const ERROR: &str = "__error__";

/// Words that are no names.
const RESERVED: [&str; 26] = [
    "and",
    "bool",
    "by",
    "decolorize",
    "drop",
    "group_left",
    "group_right",
    "ignoring",
    "ip",
    "json",
    "keep",
    "label_format",
    "label_replace",
    "line_format",
    "logfmt",
    "of",
    "offset",
    "on",
    "or",
    "pattern",
    "regexp",
    "unless",
    "unpack",
    "unwrap",
    "variants",
    "without",
];

/// What is counted, and over how many seconds.
fn counted(text: &str) -> Option<(&str, i128)> {
    let inner = text.strip_prefix("sum(count_over_time(")?.strip_suffix("]))")?;
    let (query, seconds) = inner.rsplit_once(" [")?;
    Some((query, seconds.strip_suffix('s')?.parse().ok()?))
}

fn labels_of(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8(digits).unwrap_or_default();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn serve(stream: impl Read + Write, shared: &Mutex<Shared>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or_default() == 0 {
            return;
        }
        let mut headers = Labels::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.trim().split_once(": ") {
                headers.insert(name.to_lowercase(), value.to_owned());
            }
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = shared.lock().unwrap_or_else(PoisonError::into_inner).answer(
            &target,
            &headers,
            &String::from_utf8_lossy(&body),
        );
        let Some((status, text)) = answer else { return };
        let close = first.contains("HTTP/1.0");
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{}\r\n",
            text.len(),
            if close { "Connection: close\r\n" } else { "" }
        );
        if reader.get_mut().write_all(format!("{head}{text}").as_bytes()).is_err() || close {
            return;
        }
    }
}

/// LogQL, as far as the plugin writes it.
struct Parser<'t> {
    rest: &'t str,
}

#[derive(Debug)]
enum Stage {
    /// A filter of lines.
    Line(Condition),
    Json,
    Drop(Vec<String>),
    /// A label as another one.
    Format(String, String),
    /// A filter of labels.
    Label(String, Condition),
}

#[derive(Debug)]
enum Condition {
    Contains(String, bool),
    Equal(String, bool),
    Fits(Regex, bool),
    Number(String, f64),
}

#[derive(Debug)]
struct Query {
    selector: Vec<(String, Condition)>,
    stages: Vec<Stage>,
}

impl Parser<'_> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, text: &str) -> bool {
        self.spaces();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn name(&mut self) -> Result<String, String> {
        self.spaces();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("syntax error: unexpected {:?}, expecting IDENTIFIER", self.rest));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    /// A string of Go, in double quotes (`strconv.Unquote`).
    fn string(&mut self) -> Result<String, String> {
        if !self.takes("\"") {
            return Err(format!("syntax error: unexpected {:?}, expecting STRING", self.rest));
        }
        let mut out = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next().ok_or("literal not terminated")? {
                '"' => break,
                '\n' => return Err("literal not terminated".to_owned()),
                '\\' => {
                    let escaped = chars.next().ok_or("literal not terminated")?;
                    let digits = match escaped {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let plain = match escaped {
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'v' => '\u{b}',
                        '\\' => '\\',
                        '"' => '"',
                        _ if digits > 0 => {
                            let code: String = chars.by_ref().take(digits).collect();
                            let code = u32::from_str_radix(&code, 16).map_err(|_| "invalid char escape")?;
                            char::from_u32(code).ok_or("invalid char escape")?
                        }
                        other => return Err(format!("invalid char escape {other:?}")),
                    };
                    out.push(plain);
                }
                c => out.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(out)
    }

    fn matching(&mut self, sign: &str) -> Result<Condition, String> {
        let text = self.string()?;
        let anchored = || Regex::new(&format!("^(?s:{text})$")).map_err(|error| error.to_string());
        Ok(match sign {
            "=" => Condition::Equal(text, true),
            "!=" => Condition::Equal(text, false),
            "=~" => Condition::Fits(anchored()?, true),
            _ => Condition::Fits(anchored()?, false),
        })
    }

    fn query(&mut self) -> Result<Query, String> {
        if !self.takes("{") {
            return Err(format!("syntax error: unexpected {:?}", self.rest));
        }
        let mut selector = Vec::new();
        while !self.takes("}") {
            if !selector.is_empty() && !self.takes(",") {
                return Err("syntax error: expecting , or }".to_owned());
            }
            let name = self.name()?;
            let sign = ["=~", "!~", "!=", "="]
                .into_iter()
                .find(|sign| self.takes(sign))
                .ok_or("syntax error: no operator")?;
            selector.push((name, self.matching(sign)?));
        }
        let demands = |(_, condition): &(String, Condition)| !condition.holds("");
        if !selector.iter().any(|one| {
            demands(one) && !matches!(one.1, Condition::Equal(_, false) | Condition::Fits(_, false))
        }) {
            return Err("queries require at least one regexp or equality matcher that does not have an empty-compatible value".to_owned());
        }
        let mut stages = Vec::new();
        loop {
            self.spaces();
            if self.rest.is_empty() {
                return Ok(Query { selector, stages });
            }
            stages.push(self.stage()?);
        }
    }

    fn stage(&mut self) -> Result<Stage, String> {
        for (sign, contains, wanted) in
            [("|=", true, true), ("!=", true, false), ("|~", false, true), ("!~", false, false)]
        {
            if self.takes(sign) {
                let text = self.string()?;
                return Ok(Stage::Line(match contains {
                    true => Condition::Contains(text, wanted),
                    false => Condition::Fits(Regex::new(&text).map_err(|error| error.to_string())?, wanted),
                }));
            }
        }
        if !self.takes("|") {
            return Err(format!("syntax error: unexpected {:?}", self.rest));
        }
        let name = self.name()?;
        match name.as_str() {
            "json" => return Ok(Stage::Json),
            "label_format" => {
                let name = self.name()?;
                if !self.takes("=") {
                    return Err("syntax error: expecting =".to_owned());
                }
                let template = self.string()?;
                let other = template.strip_prefix("{{.").and_then(|rest| rest.strip_suffix("}}"));
                return Ok(Stage::Format(name, other.ok_or("a template of another kind")?.to_owned()));
            }
            "drop" => {
                let mut names = vec![self.name()?];
                while self.takes(",") {
                    names.push(self.name()?);
                }
                return Ok(Stage::Drop(names));
            }
            word if RESERVED.contains(&word.to_lowercase().as_str()) => {
                return Err(format!("syntax error: unexpected {word}"));
            }
            _ => {}
        }
        let signs = ["=~", "!~", "!=", ">=", "<=", "=", ">", "<"];
        let sign = signs.into_iter().find(|sign| self.takes(sign)).ok_or("syntax error: no operator")?;
        if sign.starts_with(['>', '<']) {
            self.spaces();
            let end = self.rest.find([' ', '|']).unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(Stage::Label(
                name,
                Condition::Number(sign.to_owned(), number.parse().map_err(|_| "syntax error: no number")?),
            ));
        }
        Ok(Stage::Label(name, self.matching(sign)?))
    }
}

impl Condition {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Contains(wanted, so) => text.contains(wanted.as_str()) == *so,
            Self::Equal(wanted, so) => (text == wanted) == *so,
            Self::Fits(regex, so) => regex.is_match(text) == *so,
            Self::Number(..) => false,
        }
    }
}

impl Query {
    /// The labels of a line that is found; None when it is not.
    fn labels(&self, entry: &Entry) -> Option<Labels> {
        let empty = String::new();
        if !self
            .selector
            .iter()
            .all(|(name, condition)| condition.holds(entry.labels.get(name).unwrap_or(&empty)))
        {
            return None;
        }
        let mut labels = entry.labels.clone();
        labels.extend(entry.beside.clone());
        for stage in &self.stages {
            match stage {
                Stage::Line(condition) if !condition.holds(&entry.line) => return None,
                Stage::Line(_) => {}
                Stage::Json => match serde_json::from_str(&entry.line) {
                    Ok(Value::Object(fields)) => {
                        flatten("", &Value::Object(fields), &entry.labels, &mut labels);
                    }
                    _ => {
                        labels.insert(ERROR.to_owned(), "JSONParserErr".to_owned());
                    }
                },
                Stage::Format(name, other) => {
                    let value = labels.get(other).cloned().unwrap_or_default();
                    labels.insert(name.clone(), value);
                }
                Stage::Drop(names) => names.iter().for_each(|name| drop(labels.remove(name))),
                Stage::Label(name, Condition::Number(sign, number)) => {
                    // past every comparison of numbers
                    if labels.contains_key(ERROR) {
                        continue;
                    }
                    let value = labels.get(name)?;
                    let Ok(value) = value.parse::<f64>() else {
                        labels.insert(ERROR.to_owned(), "LabelFilterErr".to_owned());
                        continue;
                    };
                    let holds = match sign.as_str() {
                        ">" => value > *number,
                        ">=" => value >= *number,
                        "<" => value < *number,
                        _ => value <= *number,
                    };
                    if !holds {
                        return None;
                    }
                }
                Stage::Label(name, condition) => {
                    if !condition.holds(labels.get(name).unwrap_or(&empty)) {
                        return None;
                    }
                }
            }
        }
        Some(labels)
    }
}

fn flatten(before: &str, value: &Value, base: &Labels, out: &mut Labels) {
    let text = match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key: String = key
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
                    .collect();
                let name = if before.is_empty() { key } else { format!("{before}_{key}") };
                flatten(&name, value, base, out);
            }
            return;
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Array(_) | Value::Null => return,
    };
    let mut name = before.to_owned();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if base.contains_key(&name) {
        name.push_str("_extracted");
    }
    out.insert(name, text);
}
