//! The scripts that tell OpenSearch and Elasticsearch of users, fields and retention, run by bash against
//! a small server that plays the store: they may be repeated, and they wait for what is not there yet. With
//! `OPENSEARCH=http://…` (a real one without users, for tests only) lines are put into it and looked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{env, thread};

use kubectl_obs::yaml;
use libtest_mimic::{Completion, Trial};
use serde_json::{Value, json};

use crate::support::{bundle, data, folder, read, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("the_setup_may_be_repeated", repeated),
        trial("the_setup_waits_for_the_store_and_says_what_is_wrong", waits),
        Trial::ignorable_test("opensearch::lines_are_taken_and_found", || {
            match env::var("OPENSEARCH").ok().filter(|url| !url.is_empty()) {
                Some(url) => real(url.trim_end_matches('/')),
                None => {
                    return Ok(Completion::ignored_with("OPENSEARCH is not set: the address of a real one"));
                }
            }
            Ok(Completion::Completed)
        }),
    ]
}

/// Quotes and backslashes, since it goes through a file of curl and through JSON.
const PASSWORD: &str = r#"p"w\d"#;

#[derive(Default)]
struct Store {
    /// The `distribution` or `tagline` that it has.
    kind: String,
    /// What was put, by path without a query.
    put: BTreeMap<String, String>,
    /// `METHOD /path` of all requests.
    seen: Vec<String>,
    /// So many of the next requests are answered with 503.
    busy: usize,
}

impl Store {
    fn answer(&mut self, method: &str, path: &str, authorised: bool, body: &str) -> (u16, Value) {
        self.seen.push(format!("{method} {path}"));
        if !authorised {
            return (401, json!({"error": "unauthorized"}));
        }
        if self.busy > 0 {
            self.busy -= 1;
            return (503, json!({"error": "not yet"}));
        }
        let (bare, query) = path.split_once('?').unwrap_or((path, ""));
        let version = |puts: usize| json!({"_seq_no": puts, "_primary_term": 1});
        match (method, bare) {
            ("GET", "/") if self.kind == "opensearch" => {
                (200, json!({"version": {"distribution": "opensearch"}}))
            }
            ("GET", "/") => (200, json!({"tagline": "You Know, for Search"})),
            ("GET", "/_cluster/health") => (200, json!({"status": "green"})),
            ("PUT", path) if path.starts_with("/_plugins/_ism/policies/") => {
                let puts = self.puts(path);
                // as the real one: a policy that is there is replaced by its version only
                if puts > 0 && query != format!("if_seq_no={puts}&if_primary_term=1") {
                    return (409, json!({"error": "version conflict"}));
                }
                self.put.insert(path.to_owned(), body.to_owned());
                (200, json!({}))
            }
            ("PUT", path) => {
                self.put.insert(path.to_owned(), body.to_owned());
                (200, json!({}))
            }
            ("GET", path) => match self.put.get(path) {
                Some(_) if path.starts_with("/_plugins/") => (200, version(self.puts(path))),
                Some(text) => (200, json!({"is": serde_json::from_str::<Value>(text).unwrap_or_default()})),
                None => (404, json!({})),
            },
            _ => (200, json!({})),
        }
    }

    fn puts(&self, path: &str) -> usize {
        let put = format!("PUT {path}");
        let mut puts = self.seen.iter().filter(|seen| seen.split('?').next() == Some(&put)).count();
        // the one that is being answered is not in yet
        if self.seen.last().is_some_and(|seen| seen.split('?').next() == Some(&put)) {
            puts -= 1;
        }
        puts
    }
}

/// Answers requests for as long as the test runs; gives the address.
fn serve(store: &Arc<Mutex<Store>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let store = Arc::clone(store);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = one(stream.unwrap(), &store);
        }
    });
    url
}

fn one(mut stream: TcpStream, store: &Mutex<Store>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut authorised) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().unwrap();
        }
        // base64 of me:PASSWORD, in small letters like the whole line
        authorised |= line == "authorization: basic bwu6ccj3xgq=";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (code, answer) =
        store.lock().unwrap().answer(method, path, authorised, &String::from_utf8(body).unwrap());
    let answer = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

struct Setup {
    folder: PathBuf,
    hash: String,
    url: String,
}

impl Setup {
    /// The files that the bundle hands to its setup.
    fn of(kind: &str, name: &str, url: String) -> Self {
        let bundle = bundle(kind);
        let rendered = rendered(&bundle, bundle.effective_defaults());
        let folder = folder(&format!("setup-{kind}-{name}"));
        for (file, text) in data(&rendered, &format!("obs-{kind}-setup")).unwrap() {
            fs::write(folder.join(file), text.as_str().unwrap()).unwrap();
        }
        let job = rendered.objects.iter().find(|object| object.kind() == "Job").unwrap().value();
        let env = job.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
        let hash = env.iter().find(|variable| variable["name"] == "TEMPLATE_HASH").unwrap();
        Self { folder, hash: hash["value"].as_str().unwrap().to_owned(), url }
    }

    fn run(&self, over: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new("bash");
        command.arg(self.folder.join("setup.sh")).env_clear();
        command.env("PATH", env::var_os("PATH").unwrap());
        for (name, value) in [
            ("SETUP_FILES", self.folder.to_str().unwrap()),
            ("STORE_URL", &self.url),
            ("DATA_STREAM", "obs-logs"),
            ("TEMPLATE_HASH", &self.hash),
            ("WAIT_SECONDS", "30"),
            ("STORE_USER", "me"),
            ("STORE_PASSWORD", PASSWORD),
            ("OWN_USERS", "yes"),
            ("READER_PASSWORD", "planted-reader"),
            ("MONITOR_PASSWORD", "planted-monitor"),
            ("REPLICAS", "0"),
        ] {
            command.env(name, value);
        }
        let output = command.envs(over.iter().copied()).output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        write!(text, "{}", String::from_utf8(output.stderr).unwrap()).unwrap();
        for secret in [PASSWORD, "planted-reader", "planted-monitor"] {
            assert!(!text.contains(secret), "the setup says a password: {text}");
        }
        (output.status.success(), text)
    }
}

fn repeated() {
    for kind in ["opensearch", "elasticsearch"] {
        let store = Arc::new(Mutex::new(Store { kind: kind.to_owned(), ..Store::default() }));
        let mut setup = Setup::of(kind, "repeated", serve(&store));
        let (good, text) = setup.run(&[]);
        assert!(good, "{kind}: {text}");
        let policy = if kind == "opensearch" { "/_plugins/_ism/policies" } else { "/_ilm/policy" };
        for path in ["/_ingest/pipeline", "/_index_template", "/_data_stream", policy] {
            let path = format!("{path}/obs-logs");
            assert!(store.lock().unwrap().put.contains_key(&path), "{kind}: {path}");
        }
        let users =
            if kind == "opensearch" { "/_plugins/_security/api/internalusers" } else { "/_security/user" };
        let reader = store.lock().unwrap().put[&format!("{users}/obs-reader")].clone();
        assert!(reader.contains("planted-reader"), "{kind}: {reader}");

        // nothing is made twice, and no new index is begun
        store.lock().unwrap().seen.retain(|seen| seen.starts_with("PUT /_plugins/_ism"));
        let (good, text) = setup.run(&[]);
        assert!(good, "{kind}: {text}");
        let rolled = |store: &Mutex<Store>| {
            store.lock().unwrap().seen.iter().any(|seen| seen == "POST /obs-logs/_rollover")
        };
        assert!(!rolled(&store), "{kind}: {text}");
        assert!(!store.lock().unwrap().seen.contains(&"PUT /_data_stream/obs-logs".to_owned()), "{kind}");

        // another template counts at once
        setup.hash = "another".to_owned();
        let (good, text) = setup.run(&[]);
        assert!(good && rolled(&store), "{kind}: {text}");

        // without a retention, what was there is left alone from now on
        let (good, text) = setup.run(&[("RETENTION", "off")]);
        assert!(good, "{kind}: {text}");
        let seen = store.lock().unwrap().seen.join("\n");
        let gone = if kind == "opensearch" {
            "DELETE /_plugins/_ism/policies/obs-logs"
        } else {
            "PUT /obs-logs/_settings"
        };
        assert!(seen.contains(gone), "{kind}: {seen}");
    }
}

fn waits() {
    for (kind, other) in [("opensearch", "elasticsearch"), ("elasticsearch", "opensearch")] {
        let store = Arc::new(Mutex::new(Store { kind: kind.to_owned(), busy: 2, ..Store::default() }));
        let setup = Setup::of(kind, "waits", serve(&store));
        let (good, text) = setup.run(&[]);
        assert!(good && text.contains("it is not ready: 503"), "{kind}: {text}");

        let (good, text) = setup.run(&[("STORE_PASSWORD", "wrong"), ("WAIT_SECONDS", "1")]);
        assert!(!good && text.contains("error: ") && text.contains("refuses the user me"), "{kind}: {text}");

        other.clone_into(&mut store.lock().unwrap().kind);
        let (good, text) = setup.run(&[]);
        assert!(!good && text.contains(&format!("switch {other} on instead")), "{kind}: {text}");

        // nobody listens there
        let setup = Setup { url: "http://127.0.0.1:1".to_owned(), ..setup };
        let (good, text) = setup.run(&[("WAIT_SECONDS", "1")]);
        assert!(!good && text.contains("no answer"), "{kind}: {text}");
    }
}

/// Lines that no YAML should hold.
fn monsters() -> Vec<(String, Value)> {
    let deep = (0..60).fold(json!(1), |inner, _| json!({"d": inner}));
    let many: Value =
        (0..2000).map(|i| (format!("k{i}"), json!(i))).collect::<serde_json::Map<_, _>>().into();
    let line = |fields: Value| json!({"message": "x", "namespace": "default", "fields": fields});
    vec![
        ("long".into(), line(json!({"big": "x".repeat(40_000), "level": "info"}))),
        ("long-words".into(), line(json!({"level": "L".repeat(50_000), "path": "/p".repeat(25_000)}))),
        ("long-name".into(), line(json!({"n".repeat(40_000): 1}))),
        ("deep".into(), line(deep)),
        ("many".into(), line(many)),
    ]
}

/// A real OpenSearch takes each line, gives each back, and finds what the guides ask for.
fn real(url: &str) {
    let store = Store { kind: "opensearch".to_owned(), ..Store::default() };
    let folder = Setup::of(&store.kind, "real", url.to_owned()).folder;
    let curl = |method: &str, path: &str, body: &str| -> Value {
        let file = folder.join("request");
        fs::write(&file, body).unwrap();
        let mut command = Command::new("curl");
        command.args(["-sS", "-X", method, "-H", "Content-Type: application/x-ndjson", "--data-binary"]);
        command.arg(format!("@{}", file.display())).arg(format!("{url}{path}"));
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|err| panic!("{method} {path}: {err}: {output:?}"))
    };
    curl("DELETE", "/_data_stream/obs-logs", "");
    let setup = Setup::of(&store.kind, "real", url.to_owned());
    // who has no plugins deletes nothing, and has no users
    let plugins = curl("GET", "/_cat/plugins?format=json", "{}").to_string();
    let mut over = vec![("OWN_USERS", ""), ("STORE_PASSWORD", "")];
    if !plugins.contains("index-management") {
        over.push(("RETENTION", "off"));
    }
    for _ in 0..2 {
        let (good, text) = setup.run(&over);
        assert!(good, "{text}");
    }

    let table = yaml::parse(&read("charts/opensearch/tests/lines.yaml")).unwrap();
    let lines = table["lines"].as_object().unwrap().clone();
    let lines: Vec<(String, Value)> = lines.into_iter().chain(monsters()).collect();
    let mut bulk = String::new();
    for (i, (id, line)) in lines.iter().enumerate() {
        let mut line = line.clone();
        // two lines of one millisecond stay in order
        line["@timestamp"] = json!(format!("2027-03-01T10:00:00.1234567{i:02}Z"));
        writeln!(bulk, "{}\n{line}", json!({"create": {"_index": "obs-logs", "_id": id}})).unwrap();
    }
    let taken = curl("POST", "/_bulk", &bulk);
    let refused: Vec<&Value> = taken["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["create"]["error"].is_object())
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    // the same again is the same lines
    let again = curl("POST", "/_bulk", &bulk);
    assert!(again["items"].as_array().unwrap().iter().all(|item| item["create"]["status"] == 409));
    curl("POST", "/obs-logs/_refresh", "");

    let found = |query: &str| -> Vec<String> {
        let body = json!({"size": 100, "sort": ["@timestamp"], "query": {"query_string": {"query": query}}});
        let answer = curl("POST", "/obs-logs/_search", &body.to_string());
        let hits = answer["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
        hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in table["queries"].as_object().unwrap() {
        let mut ids = found(query);
        ids.sort();
        assert_eq!(json!(ids), *expected, "{query}");
    }
    let all: Vec<&String> = lines.iter().map(|(id, _)| id).collect();
    assert_eq!(found("*").iter().collect::<Vec<_>>(), all, "all of them, in their order");
}
