//! What stores understand of a query: lines are put into a store, and each query has to find exactly those that
//! it means. The same cases run against the server that plays Loki, always; against a real Loki where LOKI
//! names an executable; and against a real OpenSearch where OPENSEARCH is the address of one without users, for
//! tests only.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use jiff::Timestamp;
use kubectl_obs::bundle::{Bundle, archive, embedded};
use kubectl_obs::render::{Facts, render};
use kubectl_obs::search::answer::{self, Line};
use kubectl_obs::search::lucene::{self, Order};
use kubectl_obs::search::span::Span;
use kubectl_obs::search::{Language, logql, parse};
use libtest_mimic::{Arguments, Completion, Trial};
use serde_json::{Value, json};

#[path = "support/loki.rs"]
#[allow(dead_code, unreachable_pub, reason = "the faults are for others")]
mod loki;

fn main() -> ExitCode {
    let cases = |real: fn() -> Option<Box<dyn Store>>, why: &'static str| {
        move || match real() {
            Some(store) => {
                store.put(&corpus());
                meanings(&*store);
                words(&*store);
                hostile(&*store);
                Ok(Completion::Completed)
            }
            None => Ok(Completion::ignored_with(why)),
        }
    };
    let trials = vec![
        Trial::ignorable_test("queries_mean_what_they_say::what_plays_loki", cases(Loki::played, "")),
        Trial::ignorable_test(
            "queries_mean_what_they_say::loki",
            cases(Loki::real, "LOKI is not set: the executable of a real one"),
        ),
        Trial::ignorable_test(
            "queries_mean_what_they_say::opensearch",
            cases(OpenSearch::real, "OPENSEARCH is not set: the address of a real one"),
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A line of the corpus.
struct Written {
    name: String,
    pod: &'static str,
    app: &'static str,
    stream: &'static str,
    level: &'static str,
    text: String,
}

/// Pods, apps, levels, JSON and text, and values that look like syntax.
fn corpus() -> Vec<Written> {
    let json = |name: &str, level, fields: Value| Written {
        name: name.to_owned(),
        pod: "shop-1",
        app: "shop",
        stream: "stdout",
        level,
        text: fields.to_string(),
    };
    let text = |name: &str, text: &str| Written {
        name: name.to_owned(),
        pod: "legacy-1",
        app: "legacy",
        stream: "stderr",
        level: "",
        text: text.to_owned(),
    };
    let mut all = vec![
        json(
            "checkout",
            "error",
            json!({"level": "ERROR", "message": "database timeout after 5s", "path": "/checkout", "status": 502, "duration": 5012.5, "user_id": "12345", "request_id": "8f1c-77", "order": {"id": 7}}),
        ),
        json(
            "ping",
            "info",
            json!({"level": "info", "message": "ok", "path": "/ping", "status": 200, "duration": 3, "user_id": 88}),
        ),
        json(
            "api",
            "warn",
            json!({"message": "Connection RESET by peer", "path": "/api/stats", "status": 499, "duration": 1000}),
        ),
        json(
            "negative",
            "fatal",
            json!({"message": "clock jumped", "duration": -12.5, "status": -1, "path": "/api/users"}),
        ),
        json(
            "teapot",
            "debug",
            json!({"message": "odd", "status": "teapot", "duration": "slow", "path": "/API/stats"}),
        ),
        json("clash", "info", json!({"message": "who", "pod": "mine", "app": "forged", "method": "OR"})),
        text("plain", "plain words without fields, a timeout among them"),
        text("json-like", "{broken json: timeout"),
        text("list", "[1, 2, 3] list"),
        text("signs", "100% (sure) a+b=c {x} \"quoted\" back\\slash a|b ~tilde ^caret <tag> don't"),
    ];
    // names that are words of the stores' languages
    let mut words = serde_json::Map::new();
    for (number, word) in WORDS.iter().enumerate() {
        words.insert((*word).to_owned(), json!(format!("value-{number}")));
    }
    words.insert("message".to_owned(), json!("words"));
    words.insert("of".to_owned(), json!(7));
    all.push(json("words", "info", Value::Object(words)));
    for (number, value) in HOSTILE.iter().enumerate() {
        all.push(json(
            &format!("hostile-{number}"),
            "info",
            json!({"message": format!("hostile {number}"), "logger": value, "note": value}),
        ));
    }
    all
}

/// Names of fields.
const WORDS: [&str; 42] = [
    "and",
    "AND",
    "bool",
    "by",
    "decolorize",
    "drop",
    "group_left",
    "group-right",
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
    "Offset",
    "on",
    "or",
    "pattern",
    "regexp",
    "unless",
    "unpack",
    "unwrap",
    "variants",
    "without",
    "rate",
    "sum",
    "count",
    "bytes",
    "sort",
    "vector",
    "not",
    "to",
    "topk",
    "inf",
    "nan",
    "rate_counter",
    "true",
    "by_on",
];

/// Each is the field of one line.
const HOSTILE: [&str; 36] = [
    "a\"b",
    "a\\b",
    "a\\\"b",
    "\\",
    "\"",
    "*",
    "a*b",
    "?",
    "a?b",
    "a b",
    " a",
    "a:b",
    "a/b",
    "/a/",
    "(a",
    "a)",
    "[a]",
    "{a}",
    "a|b",
    "a||b",
    "a&&b",
    "!a",
    "-a",
    "+a",
    "~a",
    "a~2",
    "a^2",
    "<a>",
    "a>b",
    ">5",
    "AND",
    "OR NOT",
    "[1 TO 5]",
    "{{.x}}",
    "ü監🙂",
    "${x} $(x) `x`",
];

/// What is typed, what it finds in Loki, and in the others where that differs.
type Meaning = (&'static str, &'static [&'static str], Option<&'static [&'static str]>);

const MEANINGS: [Meaning; 60] = [
    ("timeout", &["checkout", "json-like", "plain"], None),
    ("TimeOut", &["checkout", "json-like", "plain"], None),
    ("-timeout app=legacy", &["list", "signs"], None),
    ("\"connection reset\"", &["api"], None),
    ("-\"connection reset\" level=warn", &[], None),
    ("time*", &["checkout", "json-like", "plain"], None),
    ("502", &["checkout"], None),
    ("\"database timeout\" plain", &[], None),
    ("\"100% (sure)\"", &["signs"], None),
    ("\"a+b=c {x}\"", &["signs"], None),
    (r#""back\\slash""#, &["signs"], None),
    (r#""{x} \"quoted\"""#, &["signs"], None),
    ("don't", &["signs"], None),
    ("level=error", &["checkout"], None),
    ("level=ERROR", &["checkout"], None),
    ("level>=warn", &["api", "checkout", "negative"], None),
    ("level>warn", &["checkout", "negative"], None),
    ("level=~err|warn", &["api", "checkout"], None),
    ("level= app=legacy", &["json-like", "list", "plain", "signs"], None),
    (
        "level=* status=*",
        &["api", "checkout", "negative", "ping", "teapot"],
        Some(&["api", "checkout", "negative", "ping"]),
    ),
    ("path=/checkout", &["checkout"], None),
    ("path=\"/checkout\"", &["checkout"], None),
    ("path!=/checkout status=*", &["api", "negative", "ping", "teapot"], Some(&["api", "negative", "ping"])),
    ("-path=/checkout status=*", &["api", "negative", "ping", "teapot"], Some(&["api", "negative", "ping"])),
    ("path=/api/*", &["api", "negative"], None),
    ("path=*stats", &["api", "teapot"], None),
    ("path=\"/api/*\"", &[], None),
    ("path=~/api/(stats|users)", &["api", "negative"], None),
    ("path=~(?i)/api/stats", &["api", "teapot"], None),
    ("path=~/api", &[], None),
    (r"path=~/\w+", &["checkout", "ping"], None),
    (r"path=~^/\w+$", &["checkout", "ping"], None),
    (r"path=~/[^/]+/[a-z]{5}", &["api", "negative", "teapot"], None),
    ("path!~/api/.* status=*", &["checkout", "ping", "teapot"], Some(&["checkout", "ping"])),
    ("path= app=legacy", &["json-like", "list", "plain", "signs"], None),
    ("user_id=12345", &["checkout"], None),
    ("user_id=88", &["ping"], None),
    ("request_id=8f1c-77", &["checkout"], None),
    ("request_id=8f1c-*", &["checkout"], None),
    ("order.id=7", &["checkout"], None),
    ("fields.order.id=7", &["checkout"], None),
    ("duration>1000", &["checkout"], None),
    ("duration>=1000", &["api", "checkout"], None),
    ("duration<5", &["negative", "ping"], None),
    ("duration<-12", &["negative"], None),
    ("duration<=-12.5", &["negative"], None),
    ("-duration>5", &["negative", "ping"], None),
    ("status=502", &["checkout"], None),
    ("status>=499 status<=502", &["api", "checkout"], None),
    ("status<0", &["negative"], None),
    ("fields.pod=mine", &["clash"], None),
    ("pod=mine", &[], None),
    ("app=forged", &[], None),
    ("pod=legacy-* stream=stderr timeout", &["json-like", "plain"], None),
    ("namespace=shop namespace!=other pod!=shop-* timeout", &["json-like", "plain"], None),
    ("method=OR", &["clash"], None),
    ("method=*", &["clash"], None),
    (r#"logger=~"\\\\" note="/a/""#, &[], None),
    ("offset=* on=* json!=x", &["words"], None),
    ("offset= on= unwrap=\"\" app=legacy", &["json-like", "list", "plain", "signs"], None),
];

fn meanings(store: &dyn Store) {
    let mut wrong = Vec::new();
    for (typed, in_loki, others) in MEANINGS {
        let expected = if store.language() == Language::LogQl { in_loki } else { others.unwrap_or(in_loki) };
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        let found = found(store, typed);
        if found != expected {
            let query = parse(typed).unwrap().in_language(store.language()).unwrap();
            wrong.push(format!("{typed}\n  as {query}\n  finds {found:?}\n  not   {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A field is found by its name, whatever that means in the language of a store.
fn words(store: &dyn Store) {
    let own: BTreeSet<String> = ["words".to_owned()].into();
    let mut wrong = Vec::new();
    for (number, word) in WORDS.iter().enumerate().filter(|(_, word)| **word != "of") {
        for typed in [
            format!("{word}=value-{number}"),
            format!("{word}=~\"value-{number}|other\""),
            format!("{word}=value-{number} offset=* {word}!=other"),
        ] {
            let found = found(store, &typed);
            if found != own {
                wrong.push(format!("{typed} finds {found:?}"));
            }
        }
    }
    let numbers =
        if store.language() == Language::LogQl { ["of>6", "-of>7"] } else { ["of=7", "of!=8 of=*"] };
    for typed in numbers {
        let found = found(store, typed);
        if found != own {
            wrong.push(format!("{typed} finds {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever is in a value, it is found by it, and nothing else is.
fn hostile(store: &dyn Store) {
    let mut wrong = Vec::new();
    for (number, value) in HOSTILE.iter().enumerate() {
        let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        let name = format!("hostile-{number}");
        let found_by = |typed: String| (found(store, &typed), typed);
        let own: BTreeSet<String> = [name.clone()].into();
        // as a value, as a part of one, in a regular expression, and negated
        let escaped = |c: char| if r"\.+*?()|[]{}^$".contains(c) { format!("\\{c}") } else { c.to_string() };
        let regex: String = value.chars().map(escaped).collect();
        for (found, typed) in [
            found_by(format!("logger={quoted}")),
            // one without a name of its own in the stores
            found_by(format!("note={quoted}")),
            found_by(format!("\"hostile {number}\" logger=~{}", quoted_regex(&regex))),
        ] {
            if found != own {
                wrong.push(format!("{typed} finds {found:?}, not {name}"));
            }
        }
        let (others, typed) = found_by(format!("logger=* logger!={quoted}"));
        if others.contains(&name) || others.len() != HOSTILE.len() - 1 {
            wrong.push(format!("{typed} finds {} lines", others.len()));
        }
        let bare = !value.contains(|c: char| c.is_whitespace() || c == '*') && !value.starts_with(['"', '~']);
        if bare {
            let (found, typed) = found_by(format!("logger={value}"));
            if found != own {
                wrong.push(format!("{typed} finds {found:?}, not {name}"));
            }
            let (found, typed) = found_by(format!("logger={value}*"));
            if !found.contains(&name) {
                wrong.push(format!("{typed} finds {found:?}, and not {name}"));
            }
        }
        if store.language() == Language::LogQl {
            let (found, typed) = found_by(format!("-level=debug {quoted}"));
            // in the line it is written as JSON
            if !value.contains(['"', '\\']) && !found.contains(&name) {
                wrong.push(format!("{typed} finds {found:?}, and not {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn quoted_regex(regex: &str) -> String {
    format!("\"{}\"", regex.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The names of the lines that are found.
fn found(store: &dyn Store, typed: &str) -> BTreeSet<String> {
    let query = parse(typed).unwrap_or_else(|bad| panic!("{typed}: {bad:?}"));
    let query = query.in_language(store.language()).unwrap_or_else(|no| panic!("{typed}: {no:?}"));
    let lines = store.ask(&query).unwrap_or_else(|why| panic!("{typed} as {query}: {why}"));
    let corpus = corpus();
    let names = lines.iter().map(|line| {
        let written = corpus.iter().find(|written| written.text == line.line);
        let written = written.unwrap_or_else(|| panic!("what is this: {line:?}"));
        assert_eq!(
            (line.pod.as_str(), line.app.as_str(), line.level.as_str()),
            (written.pod, written.app, written.level)
        );
        written.name.clone()
    });
    let names: Vec<String> = names.collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "{typed}: a line comes twice: {names:?}");
    assert_eq!(store.count(&query), names.len(), "{typed} as {query}: the histogram counts other lines");
    set
}

/// A store that can be asked.
trait Store {
    fn language(&self) -> Language;
    fn put(&self, lines: &[Written]);
    fn ask(&self, query: &str) -> Result<Vec<Line>, String>;
    /// The sum of the histogram.
    fn count(&self, query: &str) -> usize;
}

struct Loki {
    url: String,
    span: Span,
    _played: Option<loki::Loki>,
    _real: Option<Process>,
}

/// Ends with the test.
struct Process {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn span() -> Span {
    let now = Timestamp::now();
    Span { from: now - Duration::from_secs(1_800), until: now + Duration::from_secs(60) }
}

impl Loki {
    fn played() -> Option<Box<dyn Store>> {
        let played = loki::Loki::start();
        Some(Box::new(Self { url: played.url(), span: span(), _played: Some(played), _real: None }))
    }

    fn real() -> Option<Box<dyn Store>> {
        let program = env::var("LOKI").ok().filter(|program| !program.is_empty())?;
        let folder = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, grpc) = (free(), free());
        let at = folder.path().display();
        let config = format!(
            "auth_enabled: false
analytics: {{reporting_enabled: false}}
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: warn}}
common: {{path_prefix: {at}, replication_factor: 1, instance_addr: 127.0.0.1, ring: {{kvstore: {{store: inmemory}}}}, storage: {{filesystem: {{chunks_directory: {at}/chunks, rules_directory: {at}/rules}}}}}}
schema_config: {{configs: [{{from: \"2024-04-01\", store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]}}
limits_config: {{allow_structured_metadata: true, discover_log_levels: true}}
"
        );
        let file = folder.path().join("loki.yaml");
        fs::write(&file, config).unwrap();
        let child = Command::new(program)
            .arg(format!("-config.file={}", file.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process { child, _folder: folder };
        let store = Self {
            url: format!("http://127.0.0.1:{port}"),
            span: span(),
            _played: None,
            _real: Some(process),
        };
        let until = Instant::now() + Duration::from_secs(90);
        while !http(&store.url, "GET", "/ready", None).is_ok_and(|(status, _)| status == 200) {
            assert!(Instant::now() < until, "Loki is not ready");
            thread::sleep(Duration::from_millis(300));
        }
        Some(Box::new(store))
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        match http(&self.url, "GET", path, None)? {
            (200, body) => serde_json::from_str(&body).map_err(|error| error.to_string()),
            (status, body) => Err(format!("{status} {body}")),
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Store for Loki {
    fn language(&self) -> Language {
        Language::LogQl
    }

    fn put(&self, lines: &[Written]) {
        let start = Timestamp::now().as_nanosecond() - 60_000_000_000;
        let streams: Vec<Value> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                let beside = if line.level.is_empty() { json!({"node": "n1"}) } else { json!({"node": "n1", "detected_level": line.level}) };
                let time = start + i128::try_from(number).unwrap() * 1_000_000;
                json!({"stream": {"namespace": "shop", "pod": line.pod, "container": "main", "app": line.app, "stream": line.stream},
                    "values": [[time.to_string(), line.text, beside]]})
            })
            .collect();
        let (status, said) =
            http(&self.url, "POST", "/loki/api/v1/push", Some(&json!({"streams": streams}).to_string()))
                .unwrap();
        assert_eq!(status, 204, "{said}");
    }

    fn ask(&self, query: &str) -> Result<Vec<Line>, String> {
        let Span { from, until } = self.span;
        let path = format!(
            "/loki/api/v1/query_range?query={}&start={}&end={}&limit=1000&direction=backward",
            encoded(query),
            from.as_nanosecond(),
            until.as_nanosecond()
        );
        let answer = self.get(&path)?;
        answer::of_loki(&answer["data"])
    }

    fn count(&self, query: &str) -> usize {
        let step = 60;
        let (first, number) = self.span.steps(step);
        let query = encoded(&logql::volume(query, step));
        let (start, end) = (first + step, first + step * i64::try_from(number).unwrap());
        let path = format!("/loki/api/v1/query_range?query={query}&start={start}&end={end}&step={step}s");
        let answer = self.get(&path).unwrap();
        let counts = answer::counts_of_loki(&answer["data"]);
        usize::try_from(counts.iter().map(|(_, count)| count).sum::<u64>()).unwrap()
    }
}

/// A data stream of its own, which goes with it.
struct OpenSearch {
    url: String,
    span: Span,
    name: String,
}

impl OpenSearch {
    fn real() -> Option<Box<dyn Store>> {
        let url = env::var("OPENSEARCH").ok().filter(|url| !url.is_empty())?;
        let store = Self { url, span: span(), name: format!("obs-search-{}", std::process::id()) };
        let bundle =
            Bundle::load(&archive::unpack(embedded::archive("opensearch").unwrap()).unwrap()).unwrap();
        let mut values = bundle.effective_defaults().clone();
        values["dataStream"] = json!(store.name);
        let rendered = render(
            &bundle,
            &values,
            &Facts {
                release: "obs".to_owned(),
                namespace: "observability".to_owned(),
                node_namespace: "observability-node".to_owned(),
                kubernetes: "1.34.4".to_owned(),
                hmac_key: vec![1; 32],
            },
        )
        .unwrap();
        let setup = rendered
            .objects
            .iter()
            .find(|object| object.name() == "obs-opensearch-setup" && object.kind() == "ConfigMap");
        let data = &setup.expect("the setup").value()["data"];
        for (path, file) in [("_ingest/pipeline", "pipeline.json"), ("_index_template", "template.json")] {
            store.must("PUT", &format!("/{path}/{}", store.name), data[file].as_str());
        }
        store.must("PUT", &format!("/_data_stream/{}", store.name), None);
        Some(Box::new(store))
    }

    fn must(&self, method: &str, path: &str, body: Option<&str>) -> Value {
        let (status, said) = http(&self.url, method, path, body).unwrap();
        assert!(status < 300, "{method} {path}: {status} {said}");
        serde_json::from_str(&said).unwrap()
    }
}

impl Drop for OpenSearch {
    fn drop(&mut self) {
        for path in ["_data_stream", "_index_template", "_ingest/pipeline"] {
            let _ = http(&self.url, "DELETE", &format!("/{path}/{}", self.name), None);
        }
    }
}

impl Store for OpenSearch {
    fn language(&self) -> Language {
        Language::Lucene
    }

    fn put(&self, lines: &[Written]) {
        let mut bulk = String::new();
        let start = Timestamp::now() - Duration::from_secs(60);
        for (number, line) in lines.iter().enumerate() {
            let time = start + Duration::from_millis(number as u64);
            let mut document = json!({"@timestamp": time.to_string(), "message": line.text, "stream": line.stream, "seq": number,
                "kubernetes": {"namespace_name": "shop", "pod_name": line.pod, "container_name": "main", "app": line.app, "node_name": "n1"}});
            if !line.level.is_empty() {
                document["detected_level"] = json!(line.level);
            }
            if let Ok(Value::Object(fields)) = serde_json::from_str(&line.text) {
                document["fields"] = Value::Object(fields);
            }
            bulk.push_str(&format!("{{\"create\":{{\"_id\":\"{number}\"}}}}\n{document}\n"));
        }
        let said = self.must("POST", &format!("/{}/_bulk?refresh=true", self.name), Some(&bulk));
        assert_eq!(said["errors"], false, "{said}");
    }

    fn ask(&self, query: &str) -> Result<Vec<Line>, String> {
        let body = lucene::request(query, self.span, Order::Newest, 1_000, None).to_string();
        match http(&self.url, "POST", &format!("/{}/_search", self.name), Some(&body))? {
            (200, said) => Ok(answer::of_documents(&serde_json::from_str(&said).unwrap())),
            (status, said) => Err(format!("{status} {said}")),
        }
    }

    fn count(&self, query: &str) -> usize {
        let body = lucene::request(query, self.span, Order::Newest, 0, Some(60)).to_string();
        let said = self.must("POST", &format!("/{}/_search", self.name), Some(&body));
        let sum: u64 = answer::counts_of_documents(&said).iter().map(|(_, count)| count).sum();
        assert_eq!(answer::total_of_documents(&said), Some(sum));
        usize::try_from(sum).unwrap()
    }
}

/// Status and body. By HTTP/1.0, whose answers come in one piece.
fn http(url: &str, method: &str, path: &str, body: Option<&str>) -> Result<(u16, String), String> {
    let host = url.trim_end_matches('/').strip_prefix("http://").expect("http://");
    let mut stream = TcpStream::connect(host).map_err(|error| error.to_string())?;
    let body = body.unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok((status, body.to_owned()))
}
