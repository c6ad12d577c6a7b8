//! What is known from elsewhere, beside what the panels' own queries answer: what was sent and what came back
//! as the load script counts it, PostgreSQL as psql sees it, Redis as redis-cli does, bytes as the kernel of
//! a pod counts them. Within 2 %, or it says why not.
//!
//! What grows is looked at when nothing moves, before the load, and again five minutes later: a query over
//! five minutes sees just that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Sent, api, boards, encoded, number, queries, with};
use crate::support::env::Env;

/// How far an answer may be off. `rate` reaches from the first sample to the edge of its window, which is at
/// most one scrape of 5 s in 300 s: 1.7 %.
const NEAR: f64 = 0.02;
/// Seconds that the queries look back.
const WINDOW: f64 = 300.0;
/// Bounds of the histogram's buckets from which the recorded quantiles are made: between two of them it
/// knows nothing (`prometheus_fastapi_instrumentator`, `highr`).
const BOUNDS: [f64; 12] = [0.0, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0];

/// What has been counted elsewhere at one moment.
pub(super) struct Known {
    /// When, by Prometheus' clock.
    at: f64,
    postgres: BTreeMap<String, f64>,
    redis: BTreeMap<String, f64>,
    /// Bytes that the pod of PostgreSQL received and sent.
    bytes: [f64; 2],
}

impl Known {
    pub(super) fn now(env: &Env) -> Self {
        Self {
            at: number(env, "vector(time())"),
            postgres: postgres(env),
            redis: redis(env),
            bytes: bytes(env),
        }
    }
}

/// Keys that do not fit into Redis, so that some have to go.
pub(super) fn overfill(env: &Env) {
    in_redis(
        env,
        "redis-cli config set maxmemory 3mb; x=$(printf %0400d 0); i=0; \
         while [ $i -lt 8000 ]; do echo \"set fill:$i $x\"; i=$((i + 1)); done | redis-cli; \
         redis-cli config set maxmemory 64mb",
    );
}

fn in_redis(env: &Env, script: &str) -> String {
    let script = format!("export REDISCLI_AUTH=\"$(cat /run/secrets/redis/password)\"; {script}");
    env.kubectl(["exec", "deployment/redis", "--", "sh", "-c", &script]).run().ok().stdout
}

/// All numbers of INFO; of `cmdstat_get:calls=1,usec=2` and `db0:keys=3` each by name and part.
fn redis(env: &Env) -> BTreeMap<String, f64> {
    let text = in_redis(env, "redis-cli info all");
    let mut out = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
        if let Ok(number) = value.parse() {
            out.insert(name.to_owned(), number);
        }
        for (part, value) in value.split(',').filter_map(|pair| pair.split_once('=')) {
            if let Ok(number) = value.parse() {
                out.insert(format!("{name}.{part}"), number);
            }
        }
    }
    out
}

/// What PostgreSQL counts of the database `shop`.
fn postgres(env: &Env) -> BTreeMap<String, f64> {
    let query = "SELECT row_to_json(s) FROM (SELECT xact_commit + xact_rollback AS transactions, tup_fetched, \
                 tup_inserted, blks_hit, blks_read, pg_database_size('shop') AS size FROM pg_stat_database WHERE datname = 'shop') s";
    let psql = ["exec", "postgres-0", "--", "psql", "-U", "shop", "-d", "shop", "-Atc", query];
    let row = env.kubectl(psql).run().ok().json();
    let numbers = row.as_object().expect("a row").iter();
    numbers.map(|(name, value)| (name.clone(), value.as_f64().expect("a number"))).collect()
}

fn bytes(env: &Env) -> [f64; 2] {
    let text = env.kubectl(["exec", "postgres-0", "--", "cat", "/proc/net/dev"]).run().ok().stdout;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:")).expect("a network");
    let columns: Vec<f64> = line.split_whitespace().filter_map(|text| text.parse().ok()).collect();
    [columns[0], columns[8]]
}

/// The panels' queries, asked for the shop.
struct Panels<'e> {
    env: &'e Env,
    /// At that time: the window begins just before the load.
    at: f64,
    boards: BTreeMap<String, Value>,
}

impl Panels<'_> {
    fn query(&self, board: &str, panel: &str, part: &str) -> String {
        let database = if board == "redis" { "cache" } else { "orders" };
        let chosen = BTreeMap::from([
            ("namespace", self.env.namespace().to_owned()),
            ("app", "shop".to_owned()),
            ("database", database.to_owned()),
            ("datname", "shop".to_owned()),
            ("pod", "postgres-0".to_owned()),
        ]);
        let all = queries(&self.boards[board]);
        let found = all.iter().find(|query| query.panel == panel && query.text.contains(part));
        let query = found.unwrap_or_else(|| panic!("{board} has no panel {panel} that asks for {part}"));
        with(&query.text.replace("$__rate_interval", "5m"), &chosen)
    }

    fn series(&self, board: &str, panel: &str, part: &str) -> Vec<Value> {
        let query = encoded(&self.query(board, panel, part));
        let data = api(self.env, &format!("query?query={query}&time={}", self.at));
        data["result"].as_array().cloned().unwrap_or_default()
    }

    /// The one answer; -1 when there is none.
    fn one(&self, board: &str, panel: &str, part: &str) -> f64 {
        self.series(board, panel, part).first().map_or(-1.0, value)
    }

    /// The answer with this label; -1 when there is none.
    fn of(&self, board: &str, panel: &str, part: &str, (label, wanted): (&str, &str)) -> f64 {
        let series = self.series(board, panel, part);
        series.iter().find(|series| series["metric"][label] == wanted).map_or(-1.0, value)
    }

    /// How much it was in the five minutes.
    fn sum(&self, board: &str, panel: &str, part: &str) -> f64 {
        self.one(board, panel, part) * WINDOW
    }
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1.0)
}

/// Writes down what is not true.
pub(super) fn compare(env: &Env, before: &Known, sent: &Sent, failures: &mut String) {
    let now = Known::now(env);
    let panels = Panels { env, at: before.at + WINDOW - 1.0, boards: boards() };
    let mut table = requests(&panels, sent);
    table.extend(of_postgres(&panels, before, &now));
    table.extend(of_redis(&panels, before, &now));
    for (what, got, truth, within) in table {
        // a truth of nothing would prove nothing
        if truth <= 0.0 || (got - truth).abs() > truth * within + f64::EPSILON {
            let _ = writeln!(failures, "{what}: {got} is not {truth}");
        }
    }
    quantiles(&panels, &sent.report, failures);
}

type Row = (String, f64, f64, f64);

fn row(what: &str, got: f64, truth: f64, within: f64) -> Row {
    (what.to_owned(), got, truth, within)
}

fn requests(panels: &Panels, sent: &Sent) -> Vec<Row> {
    let mut table = vec![
        row("requests of the last five minutes", panels.sum("app", "Requests", ""), sent.total, NEAR),
        row("share of errors", panels.one("app", "Errors", ""), sent.failed / sent.total, NEAR),
        row("pods of the shop", panels.one("app", "Pods", "sum(up"), 2.0, 0.0),
    ];
    let counted = |key: &str| sent.report[key].as_object().expect("counts").clone();
    // the library groups 200 and 201 as 2xx
    let mut classes: BTreeMap<String, f64> = BTreeMap::new();
    for (status, count) in counted("status") {
        *classes.entry(format!("{}xx", &status[..1])).or_default() += count.as_f64().expect("a number");
    }
    assert_eq!(classes.len(), 2, "answers and errors: {classes:?}");
    for (class, count) in classes {
        let got = panels.of("app", "Requests by status", "", ("status", &class)) * WINDOW;
        table.push(row(&format!("requests answered with {class}"), got, count, NEAR));
    }
    let paths = counted("paths");
    assert_eq!(paths.len(), 3, "{paths:?}");
    for (path, count) in paths {
        let got = panels.of("app", "Requests by path", "", ("path", &path)) * WINDOW;
        table.push(row(&format!("requests to {path}"), got, count.as_f64().expect("a number"), NEAR));
    }
    table
}

/// A quantile lies in the bucket in which the truth is. What was slow on purpose is as slow for the shop as
/// for who asks; of the rest the shop does not see the way there, and may be faster by some buckets.
fn quantiles(panels: &Panels, report: &Value, failures: &mut String) {
    for name in ["p50", "p90", "p99"] {
        let truth = report["seconds"][name].as_f64().expect("a duration");
        let got = panels.one("app", "Duration", &format!("{name}_5m"));
        let above = BOUNDS.into_iter().find(|bound| *bound >= truth).unwrap_or(f64::MAX);
        let below = BOUNDS.into_iter().rfind(|bound| *bound < truth).unwrap_or_default();
        let least = if truth >= 0.7 { below } else { 0.0 };
        if got <= 0.0 || got < least || got > above {
            let _ = writeln!(failures, "{name}: {got} is not between {least} and {above}, as {truth} is");
        }
    }
}

fn of_postgres(panels: &Panels, before: &Known, now: &Known) -> Vec<Row> {
    let grown = |name: &str| now.postgres[name] - before.postgres[name];
    let hits = grown("blks_hit") / (grown("blks_hit") + grown("blks_read"));
    vec![
        row("PostgreSQL is up, once", panels.one("postgres", "Server", ""), 1.0, 0.0),
        row("size of the database", panels.one("postgres", "Size", ""), now.postgres["size"], NEAR),
        row("transactions", panels.sum("postgres", "Transactions", ""), grown("transactions"), NEAR),
        row("rows fetched", panels.sum("postgres", "Rows", "tup_fetched"), grown("tup_fetched"), NEAR),
        row("rows inserted", panels.sum("postgres", "Rows", "tup_inserted"), grown("tup_inserted"), NEAR),
        row("blocks found in the cache", panels.one("postgres", "Found in the cache", ""), hits, NEAR),
        // the kubelet looks at a pod's network each 10 to 20 s only, and meanwhile probes and scrapes go on
        row("bytes received", bytes_of(panels, "receive"), now.bytes[0] - before.bytes[0], 0.06),
        row("bytes sent", bytes_of(panels, "transmit"), now.bytes[1] - before.bytes[1], 0.06),
    ]
}

fn bytes_of(panels: &Panels, direction: &str) -> f64 {
    panels.of("pods", "Network", direction, ("pod", "postgres-0")) * WINDOW
}

fn of_redis(panels: &Panels, before: &Known, now: &Known) -> Vec<Row> {
    let grown = |name: &str| now.redis[name] - before.redis.get(name).copied().unwrap_or_default();
    let sum = |panel: &str, part: &str| panels.sum("redis", panel, part);
    let get = grown("cmdstat_get.usec") / grown("cmdstat_get.calls") / 1e6;
    let found = grown("keyspace_hits") / (grown("keyspace_hits") + grown("keyspace_misses"));
    vec![
        row("Redis is up, once", panels.one("redis", "Server", ""), 1.0, 0.0),
        row("commands", sum("Commands", "processed"), grown("total_commands_processed"), NEAR),
        row("keys found", panels.one("redis", "Found", ""), found, NEAR),
        row("keys evicted", sum("Evicted", ""), grown("evicted_keys"), NEAR),
        row("keys", panels.of("redis", "Keys", "", ("db", "db0")), now.redis["db0.keys"], NEAR),
        // who asks is a client with buffers, which are in the server's memory as well
        row("memory", panels.one("redis", "Memory", "used_bytes"), now.redis["used_memory"], 0.03),
        row("time of GET", panels.of("redis", "Duration", "", ("cmd", "get")), get, NEAR),
        row("bytes to Redis", sum("Network", "input"), grown("total_net_input_bytes"), NEAR),
        row("bytes from Redis", sum("Network", "output"), grown("total_net_output_bytes"), NEAR),
    ]
}
