//! Lines in the stored logs: found, cut, shown and followed. The store is outside of the cluster and plays
//! Loki; what queries mean is tried on real ones in `tests/search.rs`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::env::{Env, eventually};
use crate::support::loki::{Fault, Loki};
use crate::support::process::Output;
use crate::support::{pty, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("search::lines_are_found_cut_and_counted", found),
        trial::api("search::what_a_store_refuses_is_told_with_a_way_on", refused),
        trial::api("search::a_follow_loses_and_doubles_no_line", followed),
        trial::api("search::a_follow_shows_what_a_collector_held_back", backlog),
        trial::api("search::a_follow_takes_what_is_too_much_for_one_look_bit_by_bit", flood),
        trial::api("search::a_store_with_tls_needs_its_authority", authority),
        trial::node("search::a_store_in_the_cluster_is_reached_by_a_port_forward", inside),
        trial::api("search::without_a_store_it_says_how_to_get_one", off),
    ]
}

const TOKEN: &str = "planted-token-of-the-store";

/// Fluentd alone, which sends to this Loki; nothing of it runs.
fn install(env: &Env, loki: &Loki) {
    let values = format!(
        "outputs: [{{name: central, type: loki, url: {}/loki/api/v1/push, tenant: shop, secret: {{name: central, tokenKey: token}}}}]\n",
        loki.url()
    );
    let file = env.write("values.yaml", &values);
    let bundle = format!("{}/charts/fluentd", env!("CARGO_MANIFEST_DIR"));
    env.kubectl(["create", "namespace", &env.node_namespace()]).run().ok();
    login(env, loki, &env.node_namespace());
    env.obs(["install", &bundle, "--wait=none"]).arg("-f").arg(file).run().ok();
}

/// The store wants to see a token, which is in a Secret.
fn login(env: &Env, loki: &Loki, namespace: &str) {
    env.kubectl_in(namespace, ["create", "secret", "generic", "central"])
        .arg(format!("--from-literal=token={TOKEN}"))
        .run()
        .ok();
    loki.demand("authorization", &format!("Bearer {TOKEN}"));
}

/// A release of one object, which says that it has these stores.
fn release(env: &Env, stores: &Value) {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "obs-small", "annotations": {"kubectl-obs.dev/log-stores": stores.to_string()}}, "data": {}});
    let bundle = env.bundle("small", "1.0.0", "", &[("templates/all.yaml", &object.to_string())]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
}

/// A release that says where this Loki is. Of what works on nodes there can be one in a cluster.
fn small(env: &Env, loki: &Loki) {
    let stores = json!([{"name": "central", "type": "loki", "url": loki.url(), "namespace": env.namespace(),
        "keys": {"token": {"name": "central", "key": "token"}}}]);
    release(env, &stores);
    login(env, loki, env.namespace());
}

fn search(env: &Env, words: &[&str]) -> Output {
    let output = env.obs(["search"].iter().chain(words)).run();
    assert!(!output.to_string().contains(TOKEN), "{output}");
    output
}

fn now() -> i128 {
    Timestamp::now().as_nanosecond()
}

const SECOND: i128 = 1_000_000_000;

fn found(env: &Env) {
    let loki = Loki::start();
    small(env, &loki);
    let start = now() - 60 * SECOND;
    for number in 0..30 {
        let line = format!(
            r#"{{"message":"order {number} failed","path":"/checkout","status":502,"number":{number}}}"#
        );
        loki.push(&format!("shop-{}", number % 3), start + number * SECOND, &line);
    }
    loki.push("shop-0", start - 3 * 3_600 * SECOND, "an old line");

    let all = search(env, &[]).ok().says("30 lines in central, newest first");
    let lines: Vec<&str> = all.stdout.lines().collect();
    assert_eq!(lines.len(), 30, "{all}");
    assert!(
        lines[0].contains(" shop/shop-2/main {\"message\":\"order 29 failed\""),
        "the line as it is: {all}"
    );
    assert!(lines.iter().map(|line| &line[..30]).rev().is_sorted(), "by time: {all}");

    let one =
        search(env, &["number=7 status>=500", "order", "--app", "shop", "--pod=shop-*", "--in=shop"]).ok();
    assert_eq!(one.stdout.lines().count(), 1, "{one}");
    assert!(one.stdout.contains("order 7 failed"), "{one}");
    let none = search(env, &["level=error"]).ok().says("0 lines in central");
    assert_eq!(none.stdout, "", "{none}");
    let old = search(env, &["old", "--since=4h", "--until=2h"]).ok();
    assert_eq!(old.stdout.lines().count(), 1, "{old}");

    let cut = search(env, &["--limit=12"]).ok();
    assert_eq!(cut.stdout.lines().count(), 12, "{cut}");
    assert!(cut.stderr.contains("cut at 12 of 30 lines, oldest shown "), "{cut}");
    assert!(cut.stderr.contains("; --limit 50 shows them all"), "{cut}");

    let json = search(env, &["order", "--limit=12", "-o", "json"]).ok().json();
    assert_eq!(
        (&json["kind"], &json["total"], &json["truncated"]),
        (&"LogLines".into(), &30.into(), &true.into()),
        "{json}"
    );
    assert_eq!(json["lines"].as_array().map(Vec::len), Some(12), "{json}");
    assert_eq!(json["lines"][0]["pod"], "shop-2", "{json}");
    let counts = json["histogram"]["counts"].as_array().expect("a histogram");
    assert_eq!(counts.iter().filter_map(Value::as_u64).sum::<u64>(), 30, "{json}");
    let mut terminal = pty::start(&env.obs(["search", "--limit=12"]).env("TERM", "xterm-256color"), 120, 40);
    terminal.ends(0);
    let text = terminal.text();
    let line =
        |words: &str| text.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{text:#?}"));
    let head = line("30 lines in central, newest first");
    assert!(head.contains('█') && head.contains('·'), "bars: {head}");
    let first = line("order 29 failed");
    assert!(
        first.contains("  shop-2  ") && first.ends_with("order 29 failed   path=/checkout status=502"),
        "{first}"
    );
    assert!(text.join(" ").contains("cut at 12 of 30 lines, oldest shown "), "{text:#?}");
    // more than a page
    for number in 0..2_500 {
        loki.push("shop-9", start + 100 * number, &format!("burst {number}"));
    }
    let many = search(env, &["burst", "--limit=2500"]).ok().says("2500 lines in central");
    let mut lines: Vec<&str> =
        many.stdout.lines().map(|line| line.rsplit(' ').next().unwrap_or_default()).collect();
    assert!(!many.stderr.contains("cut at"), "{}", many.stderr);
    lines.reverse();
    assert!(lines.iter().enumerate().all(|(at, line)| *line == at.to_string()), "{lines:?}");

    let asked = loki.asked().len();
    let shown = search(env, &["\"a b\" path=/x", "--in=shop", "--show-query"]).ok();
    assert_eq!(
        shown.stdout,
        "{namespace=\"shop\"} |~ \"(?i)a b\" | json | drop __error__, __error_details__ | path=\"/x\"\n",
        "{shown}"
    );
    assert!(shown.stderr.contains(&format!("for central at {}", loki.url())), "{shown}");
    assert_eq!(loki.asked().len(), asked, "nobody is asked");
    let raw = search(env, &["--logql", r#"{pod="shop-1"} |= "order 1 ""#]).ok();
    assert_eq!(raw.stdout.lines().count(), 1, "{raw}");
}

fn refused(env: &Env) {
    let loki = Loki::start();
    install(env, &loki);
    let says = |status: u16, text: &str| Some(Fault::Says(status, text.to_owned()));
    for (fault, code, words) in [
        (
            says(429, "too many outstanding requests"),
            1,
            "error: central is busy with other queries: too many outstanding requests",
        ),
        (
            says(400, "the query would read too many bytes (query: 5GB, limit: 1GB)"),
            1,
            "error: central refuses a query that large",
        ),
        (says(504, "context deadline exceeded"), 1, "error: central ran out of time"),
        (says(404, "404 page not found"), 1, "error: central answers 404"),
        (says(200, "<html>"), 1, "error: central cannot be asked: it does not answer in JSON"),
        (Some(Fault::Hangs), 1, "error: central cannot be asked: "),
    ] {
        loki.always(fault);
        let output = search(env, &["x"]).ends(code).says(words);
        assert!(output.stderr.contains("hint: "), "{output}");
    }
    loki.always(None);
    let parse = search(env, &["--logql", "{a="])
        .ends(2)
        .says("error: central does not understand the query: parse error at line 1");
    assert!(parse.stderr.contains("hint: --show-query"), "{parse}");
    search(env, &["--logql", r#"sum(count_over_time({a="b"} [5s]))"#])
        .ends(2)
        .says("asks central for numbers");
    search(env, &["--lucene", "a:b"])
        .ends(2)
        .says("no store of release obs understands this language: central");
    search(env, &["--store=other"]).ends(2).says("hint: there are: central");
    search(env, &["labels.tier=web"]).ends(2).says("Loki has no labels of pods");

    // who may not log in
    loki.demand("authorization", "Bearer another");
    loki.demand("x-scope-orgid", "another");
    search(env, &[]).ends(1).says("central wants to know the tenant: no org id");
    loki.demand("x-scope-orgid", "shop");
    search(env, &[]).ok();
    env.kubectl_in(&env.node_namespace(), ["delete", "secret", "central"]).run().ok();
    let gone = search(env, &[]).ends(1);
    assert!(
        gone.stderr.contains(&format!("secret {}/central does not exist", env.node_namespace())),
        "{gone}"
    );
}

fn followed(env: &Env) {
    let loki = Arc::new(Loki::start());
    small(env, &loki);
    let before = now();
    for number in 0..20 {
        loki.push("shop-0", before - (20 - number) * SECOND, &format!("before {number} end"));
    }
    let running = env.obs(["search", "-f", "end"]).start();
    let lines = |text: &str, word: &str| text.lines().filter(|line| line.contains(word)).count();
    eventually(Duration::from_secs(20), || match lines(&running.printed(), "before") {
        10 => Ok(()),
        other => Err(format!("{other} lines")),
    });
    // two pods, one of which is three seconds late, while the store has its moods
    let writer = {
        let loki = Arc::clone(&loki);
        thread::spawn(move || {
            for number in 0..400 {
                loki.push("shop-1", now(), &format!("quick {number} end"));
                loki.push("shop-2", now() - 3 * SECOND, &format!("slow {number} end"));
                match number {
                    100 => loki.next([Fault::Says(500, "no".into()), Fault::Hangs]),
                    200 => loki.next([Fault::Says(429, "too many outstanding requests".into())]),
                    _ => {}
                }
                thread::sleep(Duration::from_millis(25));
            }
        })
    };
    writer.join().expect("the writer");
    eventually(Duration::from_secs(30), || match lines(&running.printed(), "399 end") {
        2 => Ok(()),
        _ => Err(running.said()),
    });
    running.interrupt();
    let output = running.wait().ends(130);
    for pod in ["quick", "slow"] {
        let mut numbers: Vec<usize> = output
            .stdout
            .lines()
            .filter_map(|line| line.split_once(&format!(" {pod} "))?.1.strip_suffix(" end")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..400).collect::<Vec<_>>(), "{pod}: {}", output.stderr);
    }
    assert_eq!(lines(&output.stdout, "before"), 10, "the last ten: {output}");
    assert!(output.stderr.contains("; it is asked again"), "{}", output.stderr);
    let again = "central answers again; lines that reach it late are looked for back to ";
    assert!(output.stderr.contains(again), "{}", output.stderr);
    assert!(!output.stderr.contains("left out"), "{}", output.stderr);

    // for programs
    let running = env.obs(["search", "-f", "before", "-o", "json"]).start();
    eventually(Duration::from_secs(20), || match running.printed().lines().count() {
        10 => Ok(()),
        other => Err(format!("{other} lines")),
    });
    running.terminate();
    let output = running.wait().ends(143);
    for line in output.json_lines() {
        assert_eq!((&line["kind"], &line["pod"]), (&"LogLine".into(), &"shop-0".into()), "{line}");
    }
    // a store that refuses for good
    loki.always(Some(Fault::Says(400, "parse error at line 1, col 1".into())));
    search(env, &["-f"]).ends(2).says("central does not understand the query");
}

/// What a collector held back in an outage of the store comes with times of long ago.
fn backlog(env: &Env) {
    let loki = Loki::start();
    small(env, &loki);
    let running = env.obs(["search", "-f", "end", "--since=1h", "--limit=5"]).start();
    let lines = |text: &str, word: &str| text.lines().filter(|line| line.contains(word)).count();
    eventually(Duration::from_secs(20), || match running.said().contains("following central") {
        true => Ok(()),
        false => Err(running.said()),
    });
    loki.always(Some(Fault::Says(503, "no".into())));
    eventually(Duration::from_secs(20), || match running.said().contains("; it is asked again") {
        true => Ok(()),
        false => Err(running.said()),
    });
    loki.always(None);
    // the newest of them within three minutes
    let start = now() - 20 * 60 * SECOND;
    for number in 0..200 {
        loki.push("shop-0", start + number * 6 * SECOND, &format!("held {number} end"));
    }
    eventually(Duration::from_secs(60), || match lines(&running.printed(), "held") {
        200 => Ok(()),
        other => Err(format!("{other} lines: {}", running.said())),
    });
    running.interrupt();
    let output = running.wait().ends(130);
    assert!(output.stderr.contains("or more until they are in central"), "{}", output.stderr);
}

/// More than one look gives: all of it comes, and it is said.
fn flood(env: &Env) {
    let loki = Loki::start();
    small(env, &loki);
    let running = env.obs(["search", "-f", "end", "-o", "json"]).start();
    eventually(Duration::from_secs(20), || match loki.asked().len() {
        0..3 => Err("not yet".to_owned()),
        _ => Ok(()),
    });
    let start = now();
    loki.push_many("shop-0", (0..25_000).map(|number| (start + number, format!("{number} end"))));
    eventually(Duration::from_secs(120), || match running.printed().lines().count() {
        25_000 => Ok(()),
        other => Err(format!("{other} lines")),
    });
    running.interrupt();
    let output = running.wait().ends(130);
    assert!(output.stderr.contains("central has more than 20000 lines"), "{}", output.stderr);
}

fn authority(env: &Env) {
    let loki = Loki::start_with_tls(&["127.0.0.1"]);
    loki.push("shop-0", now() - SECOND, "over TLS");
    let store = |name: &str, keys: Value, insecure: bool| json!({"name": name, "type": "loki", "url": loki.url(), "namespace": env.namespace(), "keys": keys, "insecure": insecure});
    let ca = |key: &str| json!({"ca": {"name": "ca", "key": key}});
    let stores = [
        store("known", ca("ca.crt"), false),
        store("unknown", json!({}), false),
        store("any", json!({}), true),
        store("broken", ca("broken"), false),
    ];
    release(env, &json!(stores));
    let file = env.write("ca.crt", loki.authority());
    env.kubectl(["create", "secret", "generic", "ca", "--from-literal=broken=none"])
        .arg(format!("--from-file=ca.crt={}", file.display()))
        .run()
        .ok();
    search(env, &["--store=known"]).ok().prints("over TLS");
    search(env, &["--store=any"]).ok().prints("over TLS");
    let unknown =
        search(env, &["--store=unknown"]).ends(1).says("error: unknown cannot be asked: its certificate is ");
    assert!(unknown.stderr.contains("hint: "), "{unknown}");
    search(env, &["--store=broken"])
        .ends(1)
        .says("error: broken cannot be asked: its authority is no certificate in PEM");
}

/// The pods hand on to this machine, where what plays Loki is: one as it is, one with TLS.
fn inside(env: &Env) {
    let plain = Loki::start();
    let name = format!("obs-tls.{}.svc", env.namespace());
    let tls = Loki::start_with_tls(&[&name]);
    plain.push("shop-0", now() - SECOND, "without TLS");
    tls.push("shop-0", now() - SECOND, "over TLS");
    env.make_namespace();
    let file = env.write("ca.crt", tls.authority());
    env.kubectl(["create", "secret", "generic", "ca"])
        .arg(format!("--from-file=ca.crt={}", file.display()))
        .run()
        .ok();
    let host = env.host();
    let pod = |name: &str, port: u16| {
        let labels = json!({"kubectl-obs.dev/release": "obs", "kubectl-obs.dev/release-namespace": env.namespace(),
            "kubectl-obs.dev/component": name});
        let command = format!("exec nc -ll -p 3100 -e nc {host} {port}");
        let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("obs-{name}"), "labels": labels}, "spec": {
            "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "main", "image": "docker.io/library/busybox:1.36", "command": ["sh", "-c", command],
                "ports": [{"name": "http", "containerPort": 3100}], "securityContext": security,
                "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"memory": "16Mi"}}}],
        }})
    };
    env.apply(&format!("{}\n---\n{}\n", pod("plain", plain.port()), pod("tls", tls.port())));
    env.kubectl(["wait", "--for=condition=Ready", "pod/obs-plain", "pod/obs-tls", "--timeout=60s"])
        .run()
        .ok();
    let store = |name: &str, component: &str, url: String, keys: Value| json!({"name": name, "type": "loki", "component": component, "url": url, "namespace": env.namespace(), "keys": keys});
    let ca = json!({"ca": {"name": "ca", "key": "ca.crt"}});
    let stores = json!([
        store("plain", "plain", format!("http://obs-plain.{}.svc:3100", env.namespace()), json!({})),
        store("tls", "tls", format!("https://{name}:3100"), ca.clone()),
        store("other-name", "tls", "https://other.svc:3100".to_owned(), ca),
        store("no-pods", "nothing", "http://nothing.svc:3100".to_owned(), json!({})),
    ]);
    release(env, &stores);
    search(env, &[]).ok().prints("without TLS").says("1 line in plain");
    search(env, &["--store=tls"]).ok().prints("over TLS");
    let other = search(env, &["--store=other-name"])
        .ends(1)
        .says("error: other-name cannot be asked: cannot reach port 3100 of Pod ");
    assert!(other.stderr.contains("its certificate is for "), "{other}");
    search(env, &["--store=no-pods"])
        .ends(1)
        .says("error: no-pods cannot be asked: nothing has no ready pod");
}

fn off(env: &Env) {
    env.obs(["search"]).run().ends(1).says("there is no release obs in namespace");
    let bundle = env.bundle("plain", "1.0.0", "", &[]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let off = env.obs(["search", "x"]).run().ends(1).says("release obs stores no logs: no store is on");
    assert!(off.stderr.contains("hint: kubectl obs upgrade --set loki.enabled=true"), "{off}");
}
