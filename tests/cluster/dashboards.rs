//! Every query of every panel of the dashboards, with every variable at two values, on a real Prometheus:
//! it returns data, or is a listed exception; and what it returns is true.
//!
//! The shop of examples/fastapi with its databases is what they look at, and Prometheus' own requests are a
//! second app. What plays Grafana is there, too: its own metrics are looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shop::{self, api, encoded, number};
use crate::support::env::{Env, eventually};
use crate::support::trial;

mod truths;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::soak("dashboards_every_query_returns_data_that_is_true", every_query)]
}

/// Panels that may be empty here, and why. A query is meant by its panel and a part of it.
const EXCEPTIONS: [(&str, &str, &str, &str); 25] = [
    ("app", "How durations are spread", "", "the second app's histogram has a name that no preset knows"),
    ("app", "p95 by path", "", "the same"),
    ("app", "Requests in progress", "", "the second app does not count them"),
    ("app", "Database queries", "", "the second app has no database"),
    ("app", "Connections to the database", "", "the second app has no database"),
    ("app", "Disk", "", "a runtime need not measure it"),
    ("app", "Error budget left", "", "the second app promises nothing"),
    ("app", "Budget left", "", "the second app promises nothing"),
    ("app", "Requests that break the promise", "", "the second app promises nothing"),
    ("app", "Errors by path", "", "the second app makes no errors"),
    ("workloads", "DaemonSets", "", "kube-system may have none"),
    ("workloads", "StatefulSets", "", "kube-system has none"),
    ("workloads", "Held back", "", "nothing in kube-system has a CPU limit"),
    ("pods", "Held back", "", "nothing in kube-system has a CPU limit"),
    ("pods", "CPU", "resource_limits", "nothing in kube-system has a CPU limit"),
    ("pods", "Disk", "", "a runtime need not measure it"),
    ("stack", "Grafana's queries", "", "nobody looks at a dashboard here"),
    ("stack", "Alertmanager's peers", "", "one that is alone knows none"),
    ("cluster", "Volumes", "", "a driver need not measure them"),
    ("nodes", "Tables of the kernel", "node_nf_conntrack", "the kernel need not track connections"),
    ("postgres", "Behind the primary", "", "a primary"),
    ("redis", "Replicas", "redis_master_link_up", "a primary"),
    ("postgres", "Oldest transaction", "", "there may be none"),
    ("alerts", "Messages", "alertmanager_notification", "nobody is told here"),
    ("alerts", "How long messages take", "", "nobody is told here"),
];

/// Panels of what should not be: they are empty as long as all is well.
const EMPTY_IS_WELL: [(&str, &str); 8] = [
    ("alerts", "Now"),
    ("alerts", "By severity"),
    ("alerts", "By name"),
    ("alerts", "Messages that failed"),
    ("stack", "Targets down"),
    ("workloads", "Restarts"),
    ("postgres", "Locks"),
    ("probes", "Certificates"),
];

fn excused(board: &str, panel: &str, query: &str) -> bool {
    let listed = EXCEPTIONS
        .iter()
        .any(|(b, p, part, _)| *b == board && (p.is_empty() || *p == panel) && query.contains(part));
    listed || EMPTY_IS_WELL.contains(&(board, panel)) || (board == "probes" && query.contains("ssl"))
}

fn every_query(env: &Env) {
    let _node = env.alone_with_the_node();
    shop::deploy(env);
    let values = env.write("values.yaml", &shop::values(env).to_string());
    let values = values.display().to_string();
    let shared = env.list("daemonsets --all-namespaces --selector=kubectl-obs.dev/node-level=true");
    let mut install = vec!["install", "--timeout=5m", "-y", "-f", &values];
    if !shared.is_empty() {
        install.extend(["--set", "nodeExporter.enabled=false"]);
    }
    env.obs(install).run().ok();
    let before = calm(env);
    let (still, known) = (Instant::now(), truths::Known::now(env));
    let sent = load(env, 240, 0.2);
    truths::overfill(env);
    eventually(Duration::from_secs(60), || {
        let now = number(env, REQUESTS);
        if (now - before - sent.total).abs() < 0.5 {
            Ok(())
        } else {
            Err(format!("{before} + {} is not {now}", sent.total))
        }
    });
    // Queries look back five minutes: until what warmed up is out of their sight, and the rules have seen it.
    sleep((still + Duration::from_secs(298)).saturating_duration_since(Instant::now()));
    let boards = boards();
    let mut failures = String::new();
    truths::compare(env, &known, &sent, &mut failures);
    for (file, board) in &boards {
        // logs are Loki's, which is not here
        if file == "nodes" && !shared.is_empty() || file == "logs" {
            continue;
        }
        for turn in 0..2 {
            let chosen = variables(env, board, turn, &mut failures);
            let now = number(env, "vector(time())");
            let mut answers = serde_json::Map::new();
            for query in queries(board) {
                let asked = with(&query.text, &chosen);
                let answer = ask(env, &asked, query.instant, now);
                if let Err(why) = drawn(&answer)
                    && !excused(file, &query.panel, &query.text)
                {
                    let _ = writeln!(failures, "{file}: {}: {why}\n    {asked}", query.panel);
                }
                answers.insert(query.id, answer["result"].clone());
            }
            save(env, file, turn, &json!({"board": board, "answers": answers, "chosen": chosen}));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

const REQUESTS: &str = "sum(http_requests_total{job=\"app-shop\"})";

/// Warms up, so that each counter is there; gives the requests when nothing moves any more.
fn calm(env: &Env) -> f64 {
    // of each answer to each path by each pod: a counter that is born later begins with what it missed
    load(env, 160, 0.5);
    let mut last = -1.0;
    eventually(Duration::from_secs(90), || {
        let now = number(env, REQUESTS);
        let still = now > 0.0 && (now - last).abs() < 0.5;
        last = now;
        sleep(Duration::from_secs(6));
        if still { Ok(()) } else { Err(format!("{now} requests")) }
    });
    last
}

struct Sent {
    total: f64,
    failed: f64,
    /// All that the load script says.
    report: Value,
}

/// Sends requests, some of which fail or are slow on purpose.
fn load(env: &Env, count: u32, errors: f64) -> Sent {
    let duration = format!("--duration={}", count / 4);
    let errors = format!("--errors={errors}");
    let args = [
        "exec",
        "deployment/shop",
        "--",
        "python3",
        "load.py",
        "http://shop",
        "--rate=4",
        &duration,
        &errors,
        "--slow=0.2",
        "--slow-seconds=0.7",
        "--json",
    ];
    let report = env.kubectl(args).deadline(Duration::from_secs(200)).run().ok().json();
    // what is skipped was not sent; what got no answer may have been counted
    assert_eq!(report["failed"], 0, "{report}");
    Sent {
        total: report["sent"].as_f64().expect("sent"),
        failed: report["status"]["500"].as_f64().unwrap_or_default(),
        report,
    }
}

fn boards() -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/grafana/files/dashboards");
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("dashboards") {
        let path = entry.expect("a file").path();
        let board = serde_json::from_str(&fs::read_to_string(&path).expect("a dashboard")).expect("JSON");
        out.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), board);
    }
    out
}

/// A query of a panel.
struct Query {
    panel: String,
    /// Number of the panel and letter of the query.
    id: String,
    text: String,
    /// For the present only.
    instant: bool,
}

fn queries(board: &Value) -> Vec<Query> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let panels = board["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row");
    panels
        .flat_map(|panel| {
            let targets = panel["targets"].as_array().expect("targets").iter();
            targets.map(|target| Query {
                panel: text(&panel["title"]),
                id: format!("{}/{}", panel["id"], text(&target["refId"])),
                text: text(&target["expr"]),
                instant: target["instant"] == true,
            })
        })
        .collect()
}

/// The dashboard's variables as a person sets them: at first the first values and all, then the last ones.
fn variables<'b>(
    env: &Env,
    board: &'b Value,
    turn: usize,
    failures: &mut String,
) -> BTreeMap<&'b str, String> {
    let mut chosen = BTreeMap::new();
    for variable in board["templating"]["list"].as_array().expect("variables") {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let name = variable["name"].as_str().expect("a name");
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .expect("label_values");
        let (series, label) = inner.rsplit_once(", ").expect("a label");
        let begun = Instant::now();
        let asked = with(series, &chosen);
        let path = format!("label/{label}/values?match[]={}", encoded(&asked));
        let mut values: Vec<String> = api(env, &path)
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect();
        values.sort();
        // a busy machine; what is meant is seconds
        if begun.elapsed() > Duration::from_secs(5) {
            let _ = writeln!(failures, "{}: ${name} takes {:?}", board["title"], begun.elapsed());
        }
        // of an app whose histogram has another name there is none
        if values.is_empty() && name != "histogram" && name != "pod" {
            let _ = writeln!(failures, "{}: ${name} has no value: {asked}", board["title"]);
        }
        // two that have something to show
        let liked = match name {
            "namespace" => [env.namespace(), "kube-system"][turn],
            "app" => ["shop", "metrics"][turn],
            _ => "",
        };
        let value = match (variable["includeAll"] == true, turn) {
            (true, 0) => Some(".+".to_owned()),
            _ if values.iter().any(|value| value == liked) => Some(liked.to_owned()),
            (_, 0) => values.first().cloned(),
            _ => values.last().cloned(),
        };
        chosen.insert(name, value.unwrap_or_else(|| "none".to_owned()));
    }
    chosen
}

/// The query as Prometheus gets it.
fn with(query: &str, chosen: &BTreeMap<&str, String>) -> String {
    let mut query = query.replace("$__rate_interval", "1m");
    // longer names first: $database before $datname is the same, $pods would not be $pod
    let mut names: Vec<_> = chosen.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        query = query.replace(&format!("${name}"), value);
    }
    query
}

/// What a panel's query gives over the last minutes.
fn ask(env: &Env, query: &str, instant: bool, now: f64) -> Value {
    let query = encoded(query);
    if instant {
        return api(env, &format!("query?query={query}"));
    }
    api(env, &format!("query_range?query={query}&start={}&end={now}&step=10", now - 300.0))
}

/// Whether there is something to draw.
fn drawn(data: &Value) -> Result<(), String> {
    let Some(series) = data["result"].as_array() else { return Err(format!("refused: {data}")) };
    let finite = |point: &Value| {
        point[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
    };
    let points = |series: &Value| {
        finite(&series["value"]) || series["values"].as_array().into_iter().flatten().any(finite)
    };
    if series.iter().any(points) { Ok(()) } else { Err("no data".to_owned()) }
}

/// For the preview of dashboards/preview: with OBS_PREVIEW=FOLDER what each dashboard got is kept there, the
/// trial's namespace under the name that an example would have.
fn save(env: &Env, file: &str, turn: usize, what: &Value) {
    if let Some(folder) = std::env::var_os("OBS_PREVIEW").filter(|_| turn == 0) {
        let path = std::path::Path::new(&folder).join(format!("{file}.json"));
        fs::write(path, what.to_string().replace(env.namespace(), "shop"))
            .expect("write what the preview draws");
    }
}
