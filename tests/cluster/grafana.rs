//! Grafana as the stack installs it: it is ready soon, lets in whoever has the password that was made,
//! has the data sources and dashboards, takes a changed dashboard without a restart and a changed data
//! source with one.
//!
//! Where there is no image of Grafana, one of the repository's own plays it (devcluster/grafana). With an
//! image of the real one in `OBS_DEV_IMAGES` these are trials of Grafana itself.

use std::net::TcpListener;
use std::time::Duration;

use jiff::Timestamp;
use kubectl_obs::object::{base64, unbase64};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use ureq::Agent;

use crate::support::env::{Env, eventually};
use crate::support::process::Running;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("grafana::it_shows_what_files_say", it_shows_what_files_say),
        trial::node("grafana::its_password_changes_in_both_places", password),
    ]
}

const POD: &str = "pod obs-grafana-0";

fn it_shows_what_files_say(env: &Env) {
    let _node = env.alone_with_the_node();
    let install = |title: &str, sources: Value| {
        let values = json!({
            "scrape": {"interval": "5s", "timeout": "4s"},
            "nodeExporter": {"enabled": false},
            "grafana": {
                "dashboards": {"folders": {"Shop": {"orders": {"uid": "shop-orders", "title": title, "panels": []}}}},
                "datasources": {"extra": sources},
            },
        });
        let file = env.write("values.yaml", &values.to_string()).display().to_string();
        env.obs(["upgrade", "--install", "-y", "--timeout=5m", "-f", &file]).run().ok()
    };
    install("Orders", json!([]));
    let first = pod(env);
    let grafana = Grafana::reach(env);
    grafana.is_ready_soon_and_small(&first);
    grafana.has_what_the_stack_provisions();
    listed_and_written(env);
    linked(env);
    shown_in_prometheus(env);

    // the kubelet brings the file, and Grafana looks for it
    install("Orders and returns", json!([]));
    eventually(Duration::from_secs(120), || {
        let title = grafana.get("/api/dashboards/uid/shop-orders")["dashboard"]["title"].clone();
        if title == "Orders and returns" { Ok(()) } else { Err(format!("its title is {title}")) }
    });
    assert_eq!(pod(env), first, "a dashboard restarts nothing");

    let costs =
        json!([{"name": "Costs", "uid": "costs", "type": "prometheus", "url": "http://costs.example:9090"}]);
    let upgraded = install("Orders and returns", costs);
    let second = pod(env);
    assert_ne!(second.uid, first.uid, "data sources are read at start: {upgraded}");
    let revisions = env.list("controllerrevisions --selector=app.kubernetes.io/name=grafana");
    assert_eq!(revisions.len(), 2, "one restart is one revision: {revisions:?}");
    drop(grafana);
    // the same password: it was kept with the volume
    let grafana = Grafana::reach(env);
    assert_eq!(grafana.get("/api/datasources/uid/costs")["name"], "Costs");
    assert_eq!(grafana.get("/api/dashboards/uid/shop-orders")["dashboard"]["title"], "Orders and returns");
    assert_eq!(pod(env), second, "and no second time");
    drop(grafana);
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

/// What `kubectl obs dashboards` knows is what Grafana was given.
fn listed_and_written(env: &Env) {
    let named = env.obs(["dashboards", "-o", "name"]).run().ok();
    for uid in ["obs-app", "obs-stack", "shop-orders"] {
        assert!(named.stdout.lines().any(|line| line == format!("dashboard/{uid}")), "{uid}: {named}");
    }
    let directory = env.home().join("dashboards").display().to_string();
    let written = env.obs(["dashboards", "export", &directory]).run().ok();
    assert_eq!(written.stdout.lines().count(), named.stdout.lines().count(), "{written}");
    let orders =
        std::fs::read_to_string(env.home().join("dashboards/shop/orders.json")).expect("it is written");
    let orders: Value = serde_json::from_str(&orders).expect("JSON");
    assert_eq!(orders["uid"], "shop-orders");
    // what was written is a value again, and changes nothing
    let back = format!("grafana.dashboards.folders.Shop.orders={orders}");
    let again = env.obs(["upgrade", "-y", "--set-json", &back]).run().ok();
    assert!(again.stderr.contains("unchanged"), "{again}");
}

/// Links are whole while somebody forwards, wherever that is.
fn linked(env: &Env) {
    let list = || env.obs(["dashboards", "-o", "json"]).run().ok().json();
    let none = list();
    // another port than the usual ones is not looked at
    assert!(none["address"].is_null() && none["dashboards"][0]["url"].is_null(), "{none}");
    let mut forward = env.obs(["port-forward", "grafana"]).start();
    forward.says("http://127.0.0.1:");
    let found = list();
    assert_eq!(found["address"]["by"], "forward", "{found}");
    let url = found["dashboards"][0]["url"].as_str().expect("a link").to_owned();
    let agent: Agent =
        Agent::config_builder().proxy(None).http_status_as_error(false).max_redirects(0).build().into();
    let answer = agent.get(&url).call().unwrap_or_else(|error| panic!("{url}: {error}"));
    assert!([200, 302].contains(&answer.status().as_u16()), "{url}: {answer:?}");
    let table = env.obs(["dashboards"]).run().ok();
    assert!(table.stdout.contains(&url) && !table.stderr.contains("below the address"), "{table}");
}

const SECRET: &str = "secret obs-grafana-admin";

fn password(env: &Env) {
    let _node = env.alone_with_the_node();
    env.obs(["install", "grafana", "--timeout=5m"]).run().ok();
    let get = || env.obs(["password", "get", "grafana"]).run().ok();
    let set = |password: &str| env.obs(["password", "set", "grafana"]).stdin(format!("{password}\n")).run();
    let stored = || {
        let data = env.get(SECRET).expect("the Secret")["data"].clone();
        assert_eq!(data.as_object().map(serde_json::Map::len), Some(1), "one password is left");
        String::from_utf8(unbase64(data["password"].as_str().expect("a password")).expect("base64"))
            .expect("text")
    };
    let works = |password: &str| Grafana::reach_with(env, password).ask("/api/user", true).0 == 200;
    let made = stored();
    assert_eq!(get().stdout.trim_end(), made);

    let changed = set("correct horse b\u{e4}ttery").ok();
    assert!(!changed.to_string().contains("horse"), "{changed}");
    assert_eq!(
        (stored().as_str(), get().stdout.trim_end()),
        ("correct horse b\u{e4}ttery", "correct horse b\u{e4}ttery")
    );
    assert!(works("correct horse b\u{e4}ttery") && !works(&made));
    assert!(set("correct horse b\u{e4}ttery").ok().stderr.contains("already"));
    // it is no drift, and an upgrade has nothing to do
    env.obs(["drift"]).run().ok();
    assert!(env.obs(["upgrade"]).run().ok().stderr.contains("unchanged"));

    // what Grafana refuses changes nothing
    let refused = set("abc");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("grafana refuses the password"), "{refused}");
    assert_eq!(stored(), "correct horse b\u{e4}ttery");
    assert!(works("correct horse b\u{e4}ttery"));

    // cut off after the Secret, before Grafana
    let half =
        json!({"stringData": {"password": "half-way", "password.previous": "correct horse b\u{e4}ttery"}});
    env.kubectl(["patch", "secret", "obs-grafana-admin", "-p", &half.to_string()]).run().ok();
    assert!(get().stderr.contains("interrupted"));
    set("half-way").ok();
    assert_eq!(stored(), "half-way");
    assert!(works("half-way"));

    // changed in Grafana behind the Secret's back
    let other = json!({"stringData": {"password": "what nobody set"}});
    env.kubectl(["patch", "secret", "obs-grafana-admin", "-p", &other.to_string()]).run().ok();
    let unknown = set("something-else");
    assert_eq!(unknown.code, 1, "{unknown}");
    assert!(unknown.stderr.contains("it was changed in Grafana"), "{unknown}");
    assert!(unknown.stderr.contains("reset-admin-password"), "{unknown}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

/// Which pod it is, and how often its container was started.
#[derive(Debug, PartialEq, Eq)]
struct Pod {
    uid: String,
    restarts: u64,
    /// From the start of the container to the last time that it became ready.
    ready_after: i64,
}

fn pod(env: &Env) -> Pod {
    let pod = env.get(POD).expect("the pod is there");
    let container = &pod["status"]["containerStatuses"][0];
    let time = |value: &Value| -> Timestamp {
        value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no time in {pod}"))
    };
    let conditions = pod["status"]["conditions"].as_array().expect("conditions");
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").expect("a condition");
    assert_eq!(ready["status"], "True", "{pod}");
    let took =
        time(&ready["lastTransitionTime"]).duration_since(time(&container["state"]["running"]["startedAt"]));
    Pod {
        uid: pod["metadata"]["uid"].as_str().expect("a uid").to_owned(),
        restarts: container["restartCount"].as_u64().unwrap_or_default(),
        ready_after: took.as_secs(),
    }
}

/// Prometheus finds it and asks it for its metrics.
fn shown_in_prometheus(env: &Env) {
    let path = format!(
        "/api/v1/namespaces/{}/services/obs-prometheus:9090/proxy/api/v1/query?query=grafana_build_info%20and%20on(pod)%20up%20%3D%3D%201",
        env.namespace()
    );
    eventually(Duration::from_secs(60), || {
        let output = env.kubectl(["get", "--raw", &path]).run();
        if output.code == 0 && output.json()["data"]["result"][0]["metric"]["job"] == "grafana" {
            return Ok(());
        }
        Err(output.to_string())
    });
}

/// Grafana by way of `kubectl obs port-forward`.
struct Grafana {
    url: String,
    credentials: String,
    agent: Agent,
    _forward: Running,
}

impl Grafana {
    fn reach(env: &Env) -> Self {
        let secret = env.get("secret obs-grafana-admin").expect("the password was made");
        let password = unbase64(secret["data"]["password"].as_str().expect("a password")).expect("base64");
        assert!(password.len() >= 20, "{} characters are not enough", password.len());
        Self::reach_with(env, &String::from_utf8(password).expect("text"))
    }

    fn reach_with(env: &Env, password: &str) -> Self {
        let credentials = format!("admin:{password}").into_bytes();
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut forward = env.obs(["port-forward", "--port", &format!("grafana={port}")]).start();
        let url = format!("http://127.0.0.1:{port}");
        forward.says(&url);
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self {
            url,
            credentials: format!("Basic {}", base64(&credentials)),
            agent: agent.into(),
            _forward: forward,
        }
    }

    fn ask(&self, path: &str, signed_in: bool) -> (u16, String) {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if signed_in {
            request = request.header("Authorization", &self.credentials);
        }
        let mut answer = request.call().unwrap_or_else(|error| panic!("{path}: {error}"));
        let body = answer.body_mut().read_to_string().unwrap_or_else(|error| panic!("{path}: {error}"));
        (answer.status().as_u16(), body)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path, true);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error} in {body}"))
    }

    /// Does this play Grafana?
    fn is_played(&self) -> bool {
        self.get("/api/health")["commit"] == "plays-grafana"
    }

    fn is_ready_soon_and_small(&self, pod: &Pod) {
        let (_, metrics) = self.ask("/metrics", false);
        let resident = metrics
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes ")?.parse::<f64>().ok())
            .expect("it says how much memory it uses");
        // a probe each three seconds until it runs, then one each five
        let (seconds, bytes) = if self.is_played() { (10, 64e6) } else { (120, 512e6) };
        assert!(pod.ready_after <= seconds, "ready {} s after its start", pod.ready_after);
        assert!(resident <= bytes, "it uses {resident} bytes");
        assert_eq!(pod.restarts, 0);
    }

    fn has_what_the_stack_provisions(&self) {
        assert_eq!(self.ask("/api/org", false).0, 401, "nobody looks without a password");
        let user = self.get("/api/user");
        assert_eq!((&user["login"], &user["isGrafanaAdmin"]), (&json!("admin"), &json!(true)));

        let sources = self.get("/api/datasources");
        let uids: Vec<&Value> =
            sources.as_array().into_iter().flatten().map(|source| &source["uid"]).collect();
        assert_eq!(uids, ["obs-alertmanager", "obs-prometheus"], "{sources}");
        let health = self.get("/api/datasources/uid/obs-prometheus/health");
        assert_eq!(health["status"], "OK", "{health}");
        let up = self.get("/api/datasources/proxy/uid/obs-prometheus/api/v1/query?query=up");
        assert_eq!(up["status"], "success", "{up}");
        let status = self.get("/api/datasources/proxy/uid/obs-alertmanager/api/v2/status");
        assert!(status["cluster"].is_object(), "{status}");

        let folders = self.get("/api/folders");
        let titles: Vec<&Value> =
            folders.as_array().into_iter().flatten().map(|folder| &folder["title"]).collect();
        for title in ["Applications", "Cluster", "Observability", "Shop"] {
            assert!(titles.iter().any(|found| *found == title), "{title} is missing in {folders}");
        }
        let found = self.get("/api/search?type=dash-db&tag=obs");
        let found: Vec<&str> =
            found.as_array().into_iter().flatten().filter_map(|hit| hit["uid"].as_str()).collect();
        for uid in ["obs-app", "obs-cluster", "obs-workloads", "obs-pods", "obs-alerts", "obs-stack"] {
            assert!(found.contains(&uid), "{uid} is missing in {found:?}");
            assert_eq!(self.get(&format!("/api/dashboards/uid/{uid}"))["meta"]["provisioned"], true, "{uid}");
        }
        assert!(!found.contains(&"obs-nodes"), "its component is off: {found:?}");
        assert_eq!(self.get("/api/dashboards/uid/shop-orders")["meta"]["folderTitle"], "Shop");
    }
}
