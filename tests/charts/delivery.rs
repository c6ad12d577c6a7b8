//! A real Alertmanager with the bundle's configuration, and services with the limits of the real ones:
//! one message arrives at each however much is wrong, and their secrets go nowhere else.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::alertmanager::written;
use crate::receivers::Receiver;
use crate::receivers::planted::{self, Planted};
use crate::support::{Tool, bundle, merged, tool_trial, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        tool_trial("alertmanager", "two_hundred_long_alerts_are_one_message", long_messages),
        tool_trial("alertmanager", "secrets_go_to_their_receivers_alone", secrets),
        tool_trial("alertmanager", "what_fails_is_logged_without_secrets", failures),
        tool_trial("alertmanager", "what_is_worse_mutes_its_own_alone", inhibition),
        trial("services_refuse_what_is_too_long", too_long),
    ]
}

/// An Alertmanager on this machine; it ends with the test.
struct Server {
    process: Child,
    address: String,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Runs with these values, and the secrets in the files that the pod would have.
    fn start(program: &Tool, name: &str, values: &Value, secrets: &[Planted]) -> Self {
        let defaults = bundle("alertmanager").effective_defaults().clone();
        let config = written(&merged(&defaults, values), name);
        let folder = config.parent().unwrap();
        let text = fs::read_to_string(&config).unwrap();
        let text = text.replace("/etc/alertmanager/secrets", &folder.join("secrets").display().to_string());
        fs::write(&config, text).unwrap();
        let below = folder.join("secrets").join(planted::SECRET);
        fs::create_dir_all(&below).unwrap();
        for planted in secrets {
            fs::write(below.join(planted.kind), &planted.content).unwrap();
        }
        // a port that was free a moment ago
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = folder.join("log");
        let out = File::create(&log).unwrap();
        let process = program
            .command()
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--cluster.listen-address=", "--log.level=debug", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let server = Self { process, address, log };
        eventually("Alertmanager is not ready", || {
            server.call("GET", "/-/ready", "").is_ok_and(|t| t.contains(" 200 "))
        });
        server
    }

    fn call(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn alerts(&self, alerts: &[Value]) {
        let answer = self.call("POST", "/api/v2/alerts", &json!(alerts).to_string()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// Waits for it; after 30 seconds the test fails.
fn eventually(why: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{why}");
        sleep(Duration::from_millis(100));
    }
}

/// Alerts of one group, each with more to say than any chat takes. They begin now: of what began long ago, the
/// first few would be told before the others are known.
fn long(count: usize, end: Option<&str>) -> Vec<Value> {
    let text = "is <b>bad</b> & \"worse\" 🔥 *ünd* ".repeat(60);
    (0..count)
        .map(|i| {
            let mut alert = json!({
                "labels": {"alertname": "Long", "namespace": "shop", "severity": "critical", "pod": format!("p{i}")},
                "annotations": {"summary": format!("pod {i} {text}"), "description": format!("{text} of pod {i}"),
                    "runbook_url": "https://kubectl-obs.dev/docs/runbooks/Long.md"},
            });
            if let Some(end) = end {
                alert["endsAt"] = end.into();
            }
            alert
        })
        .collect()
}

fn counts(all: &[Planted]) -> Vec<(&'static str, usize, usize)> {
    let count = |planted: &Planted| {
        let messages = planted.receiver.messages();
        let taken = messages.iter().filter(|message| message.taken()).count();
        (planted.kind, taken, messages.len() - taken)
    };
    all.iter().filter(|planted| planted.kind != "switch").map(count).collect()
}

/// Each has taken so many, and refused none.
fn all_have(all: &[Planted], many: usize) {
    let well = || counts(all).iter().all(|(_, taken, refused)| (*taken, *refused) == (many, 0));
    let begun = Instant::now();
    while !well() {
        let counts = counts(all);
        let refused: Vec<_> =
            all.iter().flat_map(|p| p.receiver.messages()).filter(|message| !message.taken()).collect();
        assert!(begun.elapsed() < Duration::from_secs(30), "not {many} each: {counts:?}\n{refused:#?}");
        sleep(Duration::from_millis(100));
    }
}

/// Row 21 of the cases: a chat refuses what is too long, and Alertmanager does not send it again.
fn long_messages(program: &Tool) {
    let all = planted::everyone("127.0.0.1");
    for (i, web) in ["", "https://alerts.shop.test"].into_iter().enumerate() {
        let values = merged(&planted::values(&all), &json!({"externalUrl": web}));
        let server = Server::start(program, &format!("long-{i}"), &values, &all);
        server.alerts(&long(200, None));
        all_have(&all, 2 * i + 1);
        // nothing changes, so nobody hears of it again
        sleep(Duration::from_secs(5));
        all_have(&all, 2 * i + 1);
        server.alerts(&long(200, Some("2020-01-02T00:00:00Z")));
        all_have(&all, 2 * i + 2);
    }
}

/// What of the log, the API and the metrics has a secret in it.
fn leaks(server: &Server, all: &[Planted]) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut out = vec![("log", planted::found(all, &server.log()))];
    for path in ["/api/v2/status", "/api/v2/receivers", "/api/v2/alerts", "/metrics"] {
        out.push((path, planted::found(all, &server.call("GET", path, "").unwrap())));
    }
    out.retain(|(_, kinds)| !kinds.is_empty());
    out
}

fn secrets(program: &Tool) {
    let all = planted::everyone("127.0.0.1");
    let server = Server::start(program, "secrets", &planted::values(&all), &all);
    let watchdog = json!({"labels": {"alertname": "Watchdog"}});
    server.alerts(&[long(1, None), vec![watchdog]].concat());
    all_have(&all, 1);
    let switch = planted::receiver(&all, "switch");
    eventually("the switch is not told", || !switch.messages().is_empty());
    for planted in &all {
        for message in planted.receiver.messages() {
            assert!(planted.is_in(&message), "{} is not told its secret: {message:?}", planted.kind);
            for other in all.iter().filter(|other| other.kind != planted.kind) {
                assert!(!other.is_in(&message), "{} is told the secret of {}", planted.kind, other.kind);
            }
        }
    }
    assert_eq!(leaks(&server, &all), []);
}

/// Refused, with what was sent in the answer's words; and nobody there.
fn failures(program: &Tool) {
    let all = planted::everyone("127.0.0.1");
    for planted in &all {
        planted.receiver.answers(503, "later");
    }
    let server = Server::start(program, "refused", &planted::values(&all), &all);
    server.alerts(&long(1, None));
    let kinds = || all.iter().filter(|p| !["switch", "email"].contains(&p.kind));
    eventually("not all were asked", || kinds().all(|planted| !planted.receiver.messages().is_empty()));
    sleep(Duration::from_secs(2));
    assert_eq!(leaks(&server, &all), []);
    drop(server);

    // nobody listens at their addresses
    let mut all = all;
    let values = gone(&mut all);
    let server = Server::start(program, "unreachable", &values, &all);
    server.alerts(&long(1, None));
    eventually("not all were tried", || kinds_in_log(&server.log()) == 8);
    // Alertmanager writes the address of Telegram, which has the token in it; SECURITY.md says so
    let leaks = leaks(&server, &all);
    assert!(leaks.iter().all(|(place, kinds)| *place == "log" && *kinds == ["telegram"]), "{leaks:?}");
}

/// Addresses at which nobody listens take the place of the receivers' own.
fn gone(all: &mut [Planted]) -> Value {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let addresses: Vec<String> = all.iter().map(|planted| planted.receiver.address().to_owned()).collect();
    let mut values = planted::values(all).to_string();
    for address in addresses {
        values = values.replace(&address, &nobody);
        for planted in &mut *all {
            planted.content = planted.content.replace(&address, &nobody);
        }
    }
    serde_json::from_str(&values).unwrap()
}

/// How many integrations have failed at least once.
fn kinds_in_log(log: &str) -> usize {
    let names = ["slack", "email", "pagerduty", "webhook", "msteamsv2", "opsgenie", "discord", "telegram"];
    let failed = |name: &&str| {
        let field = format!("\"integration\":\"{name}[0]\"");
        log.lines().any(|line| line.contains("attempt failed") && line.contains(&field))
    };
    names.iter().filter(|name| failed(name)).count()
}

/// Rows 15 and 16 of the cases: a label that both sides lack mutes no stranger, and an info alert is told
/// beside graver ones of its namespace alone.
fn inhibition(program: &Tool) {
    let hook = Receiver::webhook("127.0.0.1");
    let values = json!({
        "receivers": [{"name": "hook", "webhook": [{"url": hook.url("/")}]}],
        "route": {"default": "hook", "groupWait": "1s", "groupInterval": "1s"},
        "storage": {"enabled": false},
    });
    let server = Server::start(program, "inhibition", &values, &[]);
    let told = [
        json!({"alertname": "A", "severity": "critical", "node": "one"}),
        json!({"alertname": "A", "severity": "warning", "node": "two", "n": "told"}),
        json!({"alertname": "B", "severity": "critical", "namespace": "shop", "app": "orders"}),
        json!({"alertname": "B", "severity": "warning", "namespace": "shop", "app": "users", "n": "told"}),
        json!({"alertname": "B", "severity": "warning", "namespace": "other", "app": "orders", "n": "told"}),
        json!({"alertname": "NodeDown", "severity": "critical", "node": "three"}),
        json!({"alertname": "NodeHighCPU", "severity": "warning", "node": "two", "n": "told"}),
        json!({"alertname": "C", "severity": "info", "namespace": "other", "n": "told"}),
    ];
    let muted = [
        json!({"alertname": "A", "severity": "warning", "node": "one", "n": "muted"}),
        json!({"alertname": "B", "severity": "warning", "namespace": "shop", "app": "orders", "n": "muted"}),
        json!({"alertname": "NodeHighCPU", "severity": "warning", "node": "three", "n": "muted"}),
        json!({"alertname": "C", "severity": "info", "namespace": "quiet", "n": "muted"}),
        json!({"alertname": "InfoInhibitor", "severity": "none", "namespace": "quiet", "n": "muted"}),
        json!({"alertname": "Watchdog", "severity": "none", "n": "muted"}),
    ];
    let all: Vec<Value> = muted.iter().chain(&told).map(|labels| json!({"labels": labels})).collect();
    server.alerts(&all);
    let came = || -> Vec<Value> {
        let messages = hook.messages();
        let alerts =
            messages.iter().flat_map(|message| message.json()["alerts"].as_array().cloned().unwrap());
        alerts.map(|alert| alert["labels"].clone()).collect()
    };
    eventually("not all were told", || told.iter().all(|labels| came().contains(labels)));
    sleep(Duration::from_secs(4));
    assert_eq!(came().len(), told.len(), "{:#?}", came());
}

/// What plays the services is as strict as they are.
fn too_long() {
    let long = |count: usize| "x".repeat(count);
    let key = long(32);
    let event = |summary: usize| {
        json!({"routing_key": key, "event_action": "trigger", "dedup_key": "k",
            "payload": {"summary": long(summary), "source": "s", "severity": "error"}})
    };
    let card = |text: usize| {
        json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive",
            "content": {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": long(text)}]}}]})
    };
    let embed = |text: usize| json!({"embeds": [{"title": "t", "description": long(text)}]});
    let chat = |text: usize| json!({"chat_id": "-1", "text": long(text)});
    let slack = |text: usize| json!({"attachments": [{"title": "t", "text": long(text)}]});
    let alert = |message: usize| json!({"message": long(message)});
    let table: [(Receiver, &str, Value, Value, u16); 6] = [
        (Receiver::slack("127.0.0.1"), "/services/x", slack(39_999), slack(40_000), 400),
        (Receiver::pagerduty("127.0.0.1"), "/v2/enqueue", event(1024), event(1025), 400),
        (Receiver::teams("127.0.0.1"), "/w", card(14_000), card(14_400), 413),
        (Receiver::opsgenie("127.0.0.1"), "/v2/alerts", alert(130), alert(131), 422),
        (Receiver::discord("127.0.0.1"), "/api/webhooks/1/x", embed(4096), embed(4097), 400),
        (Receiver::telegram("127.0.0.1"), "/bot1:x/sendMessage", chat(4096), chat(4097), 400),
    ];
    for (receiver, path, fits, refused, status) in table {
        for (body, due) in [(&fits, 200..300), (&refused, status..status + 1)] {
            let mut stream = TcpStream::connect(receiver.address()).unwrap();
            let body = body.to_string();
            let length = body.len();
            write!(
                stream,
                "POST {path} HTTP/1.1\r\nAuthorization: GenieKey k\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let message = receiver.messages().pop().unwrap();
            assert!(due.contains(&message.status), "{path}: {}: {answer}", message.status);
        }
        let wrong = receiver.messages();
        assert_eq!(wrong.iter().filter(|message| message.taken()).count(), 1, "{path}");
    }
}
