//! Chains on the real thing: each of a row of workloads is broken at another link, and that is the one which is
//! told; of alerts, why nobody hears of them.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use super::apps::deployment;
use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("explain::a_chain_ends_at_the_link_that_is_broken", broken_links),
        trial::api("explain::it_says_why_it_cannot_follow", cannot_follow),
    ]
}

/// The last link, as `✘AP04`, once it is what is expected.
fn ends(env: &Env, of: &str, what: &str, expected: &str, words: &str) {
    eventually(Duration::from_secs(90), || {
        let output = env.obs(["explain", of, what, "-o", "json"]).run();
        let document = output.json();
        let links = document["links"].as_array().cloned().unwrap_or_default();
        let last = links.last().cloned().unwrap_or_default();
        let mark = match last["state"].as_str() {
            Some("holds") => "✔",
            Some("warns") => "!",
            Some("unknown") => "?",
            Some("ends") => "·",
            _ => "✘",
        };
        let found = format!("{mark}{}", last["id"].as_str().unwrap_or_default());
        let code = if expected.starts_with('✘') { 3 } else { 0 };
        match found == expected && output.code == code && last.to_string().contains(words) {
            true => Ok(()),
            false => Err(format!("{of} {what}: {found} instead of {expected} with \"{words}\": {output}")),
        }
    });
}

fn broken_links(env: &Env) {
    env.make_namespace();
    let page = "echo up_and_well 1 > /page/metrics; exec httpd -f -p 8080 -h /page";
    let annotated = "{prometheus.io/scrape: \"true\", prometheus.io/port: \"8080\"}";
    let loopback = page.replace("-p 8080", "-p 127.0.0.1:8080");
    for (name, annotations, script) in [
        ("right", annotated, page),
        ("plain", "{}", page),
        ("wrong", "{prometheus.io/scrape: \"True\", prometheus.io/port: \"8080\"}", page),
        ("closed", "{prometheus.io/scrape: \"true\", prometheus.io/port: \"8081\"}", page),
        (
            "lost",
            "{prometheus.io/scrape: \"true\", prometheus.io/port: \"8080\", prometheus.io/path: /none}",
            page,
        ),
        ("inward", annotated, &loopback),
    ] {
        env.apply(&deployment(name, "web", annotations, script));
    }
    let parts = "kubeStateMetrics.enabled=false,nodeExporter.enabled=false,grafana.enabled=false";
    let fast =
        "scrape.interval=2s,scrape.timeout=1s,scrape.evaluationInterval=2s,prometheus.storage.enabled=false";
    env.obs(["install", "--timeout=4m", "--set", parts, "--set", fast]).run().ok();

    let target = |name: &str| format!("{}/deploy/{name}", env.namespace());
    ends(env, "metrics", &target("right"), "✔AP14", "series of pod right-");
    ends(env, "metrics", &target("plain"), "✘AP03", "prometheus.io/port: \\\"8080\\\"");
    ends(env, "metrics", &target("wrong"), "✘AP04", "only \\\"true\\\" counts");
    ends(env, "metrics", &target("closed"), "✘AP12", "nothing listens on port 8081");
    ends(env, "metrics", &target("lost"), "✘AP12", "it answers 404");
    ends(env, "metrics", &target("inward"), "✘AP13", "0.0.0.0");
    ends(env, "metrics", "prometheus", "✔AP14", "series of pod obs-prometheus-0");

    // what is written is seen, and that nobody collects it
    ends(env, "logs", &target("right"), "✘AP17", "let it log to stdout");
    ends(env, "logs", "prometheus", "✘AP20", "the release collects no logs");

    // the very rules that Prometheus works with drop the one whose annotation is not read
    let wrong = env.obs(["explain", "metrics", &target("wrong"), "-o", "json"]).run().json();
    let jobs = wrong["jobs"].as_array().expect("jobs");
    let annotated =
        jobs.iter().find(|job| job["job"] == "kubernetes-pods").expect("the job of annotated pods");
    let last = annotated["steps"].as_array().and_then(|steps| steps.last()).cloned().unwrap_or_default();
    assert_eq!((&last["dropped"], &last["saw"]), (&Value::Bool(true), &Value::from("True")), "{annotated}");

    // nobody is told, since no receiver is named
    ends(env, "alert", "Watchdog", "✘NT05", "drops what it gets");
    ends(env, "alert", "Watchdgo", "✘RA01", "did you mean Watchdog?");
    let shown = env.obs(["explain", "alert", "Watchdog"]).run();
    assert!(shown.stdout.contains("✔ RA02  it was evaluated"), "{shown}");
}

fn cannot_follow(env: &Env) {
    for (of, what) in [("metrics", "shop/deploy/web"), ("logs", "shop/deploy/web"), ("alert", "Watchdog")] {
        let none = env.obs(["explain", of, what]).run();
        assert_eq!(none.code, 1, "{none}");
        assert!(none.stderr.contains("there is no release obs"), "{none}");
        let gone = env.obs(["explain", of, what, "--server", "https://127.0.0.1:1"]).run();
        assert_eq!(gone.code, 5, "{gone}");
    }
    assert_eq!(env.obs(["explain", "metrics"]).run().code, 2);
}
