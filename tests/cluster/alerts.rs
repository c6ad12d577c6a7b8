//! From a fault to who is told, on a real Prometheus and a real Alertmanager; and day 2 of alerts.
//! Receivers are played on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use super::apps::{self, orders};
use crate::support::env::{Env, eventually};
use crate::support::receivers::{Message, Receiver};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("alerting::a_fault_is_told_once_and_its_end_too", told_once),
        trial::node("alerts::a_test_says_what_receivers_answer", a_test),
        trial::node("alerts::silences_are_made_listed_and_ended", silences),
    ]
}

const MINUTE: Duration = Duration::from_secs(60);

/// Who is told here.
pub(crate) struct Receivers {
    pub(crate) slack: Receiver,
    pub(crate) mail: Receiver,
    pub(crate) pager: Receiver,
    pub(crate) hook: Receiver,
}

impl Receivers {
    /// They and the Secret with their addresses, in the namespace that is there.
    pub(crate) fn start(env: &Env) -> Self {
        let host = env.host();
        let all = Self {
            slack: Receiver::slack(&host),
            mail: Receiver::smtp(&host),
            pager: Receiver::pagerduty(&host),
            hook: Receiver::webhook(&host),
        };
        let (slack, hook) = (all.slack.url("/services/T0/B0/slack-secret"), all.hook.url("/hook-secret"));
        env.kubectl(["create", "secret", "generic", "alerting"])
            .args([format!("--from-literal=slack={slack}"), format!("--from-literal=hook={hook}")])
            .arg("--from-literal=pagerduty=pagerduty-secret-0123456789abcde")
            .run()
            .ok();
        all
    }

    /// Values of Alertmanager.
    pub(crate) fn values(&self) -> String {
        format!(
            "receivers:
  - name: chat
    slack: [{{secret: {{name: alerting, key: slack}}}}]
    email: [{{to: team@shop.test, from: obs@shop.test, smarthost: \"{mail}\", requireTls: false}}]
  - name: pager
    pagerduty: [{{secret: {{name: alerting, key: pagerduty}}, url: \"{pager}\"}}]
  - name: hook
    webhook: [{{secret: {{name: alerting, key: hook}}}}]
  - name: unrouted
    webhook: [{{secret: {{name: alerting, key: hook}}}}]
route:
  default: chat
  critical: pager
  routes: [{{matchers: ['team=\"shop\"'], receiver: hook, continue: true}}]
  groupWait: 1s
  groupInterval: 2s
storage: {{enabled: false}}
",
            mail = self.mail.address(),
            pager = self.pager.url("/v2/enqueue"),
        )
    }
}

/// A text one level deeper in YAML.
pub(crate) fn below(key: &str, text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{key}:\n{lines}")
}

/// Slack's messages have a title, which says what they are.
pub(crate) fn titles(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .map(|m| m.json()["attachments"][0]["title"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn alert<'v>(list: &'v Value, name: &str) -> Option<&'v Value> {
    list["alerts"].as_array()?.iter().find(|alert| alert["name"] == name)
}

fn told_once(env: &Env) {
    env.make_namespace();
    let receivers = Receivers::start(env);
    let values = format!(
        "scrape: {{interval: 2s, timeout: 1s, evaluationInterval: 2s}}
prometheus: {{jobs: {{interval: 2s}}, storage: {{enabled: false}}}}
nodeExporter: {{enabled: false}}
{}{}",
        below("alertmanager", &receivers.values()),
        apps::values(env)
    );
    let file = env.write("values.yaml", &values);
    orders(env);
    env.obs(["install", "--timeout=5m"]).arg("-f").arg(file).run().ok();

    // the app does well
    eventually(2 * MINUTE, || {
        let list = env.obs(["apps", "-o", "json"]).run().ok().json();
        let app = &list["apps"][0];
        let rate = app["requestsPerSecond"].as_f64().unwrap_or_default();
        let well = app["up"] == 1 && app["targets"] == 1 && rate > 1.0 && app["errorRatio"] == 0.0;
        if well && app["p95Seconds"].is_f64() { Ok(()) } else { Err(list.to_string()) }
    });
    let shown = env.obs(["apps"]).run().ok();
    assert!(shown.stdout.contains("1/1 up"), "{shown}");
    assert!(shown.stderr.contains("apps[1].selector: no pod in namespace"), "it is installed later: {shown}");

    // its requests fail
    apps::fails(env, true);
    eventually(2 * MINUTE, || {
        match (receivers.slack.with("HighErrorRate").len(), receivers.pager.with("HighErrorRate").len()) {
            (1.., 1..) => Ok(()),
            counts => Err(format!("{counts:?}")),
        }
    });
    let list = env.obs(["alerts", "-o", "json"]).run().ok().json();
    let errors = alert(&list, "HighErrorRate").expect("it fires");
    assert_eq!((&errors["state"], &errors["severity"]), (&"firing".into(), &"critical".into()), "{errors}");
    assert_eq!(errors["receivers"], serde_json::json!(["pager", "hook", "chat"]), "{errors}");
    let table = env.obs(["alerts"]).run().ok().stdout;
    let line = table.lines().find(|line| line.starts_with("HighErrorRate")).expect("a row");
    assert!(
        line.contains("critical") && line.contains("firing") && line.contains("pager, hook, chat"),
        "{table}"
    );
    assert_eq!(table.lines().last().map(|line| line.starts_with("Watchdog")), Some(true), "{table}");
    let app = env.obs(["apps"]).run().ok();
    assert!(app.stdout.contains("HighErrorRate (critical"), "{app}");

    // it is gone: told once everywhere, and its end as well
    apps::ends(env);
    let name = "AppMetricsAbsent";
    eventually(2 * MINUTE, || match receivers.pager.with(name).len() {
        0 => Err("nobody is paged".to_owned()),
        _ => Ok(()),
    });
    apps::begins(env);
    eventually(2 * MINUTE, || {
        let over =
            receivers.pager.with(name).iter().filter(|m| m.json()["event_action"] == "resolve").count();
        if over == 0 { Err("the incident is open".to_owned()) } else { Ok(()) }
    });
    eventually(MINUTE, || {
        let counts =
            [&receivers.slack, &receivers.mail, &receivers.hook].map(|receiver| receiver.with(name).len());
        if counts == [2, 2, 2] { Ok(()) } else { Err(format!("slack, mail and webhook got {counts:?}")) }
    });
    // and nobody is told again
    std::thread::sleep(Duration::from_secs(8));
    let actions: Vec<Value> =
        receivers.pager.with(name).iter().map(|m| m.json()["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    let titles = titles(&receivers.slack.with(name));
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles[0].starts_with("[CRITICAL] ") && titles[1].starts_with("[RESOLVED] "), "{titles:?}");
    let states: Vec<Value> = receivers.hook.with(name).iter().map(|m| m.json()["status"].clone()).collect();
    assert_eq!(states, ["firing", "resolved"]);
    assert_eq!(receivers.mail.with(name).len(), 2);
    assert_eq!(receivers.pager.with("HighErrorRate").len(), 1, "once");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn installed(env: &Env) -> Receivers {
    env.make_namespace();
    let receivers = Receivers::start(env);
    let file = env.write("values.yaml", &receivers.values());
    env.obs(["install", "alertmanager", "--timeout=3m"]).arg("-f").arg(file).run().ok();
    receivers
}

fn answers(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let answers = report["answers"].as_array().expect("answers").iter();
    answers.map(|a| (text(&a["receiver"]), text(&a["integration"]), text(&a["outcome"]))).collect()
}

fn a_test(env: &Env) {
    let receivers = installed(env);
    let unknown = env.obs(["alerts", "test", "pagr"]).run().ends(2);
    assert!(unknown.stderr.contains("hint: did you mean pager?"), "{unknown}");

    // all that can be reached, with as few alerts as it takes
    let report = env.obs(["alerts", "test", "-o", "json"]).run();
    assert_eq!(report.code, 0, "{report}");
    let said = report.json();
    let mut seen = answers(&said);
    seen.sort();
    let expected =
        [("chat", "email[0]"), ("chat", "slack[0]"), ("hook", "webhook[0]"), ("pager", "pagerduty[0]")];
    let expected = expected.map(|(to, by)| (to.to_owned(), by.to_owned(), "accepted".to_owned()));
    assert_eq!(seen, expected, "{report}");
    assert_eq!(said["alerts"].as_array().map(Vec::len), Some(1), "one alert reaches them all: {said}");
    assert_eq!(said["unreachable"][0]["receiver"], "unrouted", "{said}");
    let counts = || {
        [&receivers.slack, &receivers.mail, &receivers.pager, &receivers.hook]
            .map(|to| to.with("KubectlObsTest").len())
    };
    // and then its end
    eventually(MINUTE, || if counts() == [2, 2, 2, 2] { Ok(()) } else { Err(format!("{:?}", counts())) });
    let first = &receivers.hook.with("KubectlObsTest")[0].json()["alerts"][0];
    assert!(
        first["annotations"]["summary"].as_str().is_some_and(|text| text.contains("nothing is wrong")),
        "{first}"
    );

    // a refusal is told in the receiver's own words, and what is secret in none
    receivers.hook.answers(403, "this key was revoked");
    let refused = env.obs(["alerts", "test", "hook"]).run().ends(1);
    let row = refused.stdout.lines().find(|line| line.starts_with("hook ")).expect("a row").to_owned();
    assert!(row.contains("refused") && row.contains("403: this key was revoked"), "{refused}");
    assert!(
        refused.stdout.lines().any(|line| line.starts_with("chat ") && line.contains("accepted")),
        "{refused}"
    );
    // what can be tried again is
    receivers.hook.answers(503, "later");
    let failing = env.obs(["alerts", "test", "hook"]).run().ends(1);
    assert!(
        failing.stdout.contains("fails, is tried again") && failing.stdout.contains("503: later"),
        "{failing}"
    );
    for output in [&refused, &failing] {
        assert!(!output.to_string().contains("hook-secret"), "{output}");
    }
    receivers.hook.answers(200, "");

    // nobody is listening there
    let unrouted = env.obs(["alerts", "test", "unrouted"]).run().ends(1);
    assert!(unrouted.stderr.contains("no labels lead an alert called KubectlObsTest there"), "{unrouted}");

    // what is silenced is not told, and that is said
    env.obs(["alerts", "silence", "KubectlObsTest", "--for", "10m"]).run().ok();
    let quiet = env.obs(["alerts", "test", "chat", "--timeout", "20s"]).run().ends(1);
    assert!(quiet.stderr.contains("a silence keeps the message to chat back"), "{quiet}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

/// Somebody else's alert.
fn fire(env: &Env, labels: &str) {
    let pod = env.get("pod obs-alertmanager-0").expect("it is there");
    let address = format!("{}:9093", pod["status"]["podIP"].as_str().expect("an address"));
    let body = format!("[{{\"labels\": {labels}}}]");
    let mut stream = TcpStream::connect(&address).expect("this machine reaches pods");
    write!(
        stream,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn silences(env: &Env) {
    let receivers = installed(env);
    fire(
        env,
        r#"{"alertname": "HighErrorRate", "severity": "critical", "namespace": "shop", "app": "orders"}"#,
    );
    eventually(MINUTE, || {
        if receivers.pager.messages().is_empty() { Err("not paged".to_owned()) } else { Ok(()) }
    });

    // what is wrong is said before anything is made
    let wrong = env.obs(["alerts", "silence", "a b"]).run().ends(2);
    assert!(wrong.stderr.contains("\"a b\" is no matcher: after a stands none of = != =~ !~"), "{wrong}");
    let all = env.obs(["alerts", "silence", "alertname=~\".*\""]).run().ends(1);
    assert!(all.stderr.contains("at least one matcher must not match the empty string"), "{all}");
    assert!(env.obs(["alerts", "silences"]).run().ok().stderr.contains("there is no silence"));

    let args =
        ["alerts", "silence", "HighErrorRate", "namespace=shop", "--for", "30m", "--comment", "migration"];
    let made = env.obs(args).run().ok();
    assert!(made.stdout.contains("1 alert that fires now:\n  HighErrorRate   shop/orders"), "{made}");
    assert!(
        made.stderr.contains("the incident of HighErrorRate at receiver pager (pagerduty) stays open"),
        "{made}"
    );
    let list = env.obs(["alerts", "silences", "-o", "json"]).run().ok().json();
    let silence = &list["silences"][0];
    assert_eq!(silence["comment"], "migration");
    assert!(silence["createdBy"].as_str().is_some_and(|by| !by.is_empty()), "{silence}");
    eventually(MINUTE, || {
        let table = env.obs(["alerts"]).run().ok();
        let quiet = table.stdout.contains("silenced") && table.stdout.contains("migration");
        let alone = table.stderr.contains("release obs has no prometheus");
        if quiet && alone { Ok(()) } else { Err(table.to_string()) }
    });

    let id = silence["id"].as_str().expect("an id");
    env.obs(["alerts", "unsilence", "nosuch"]).run().ends(2);
    let ended = env.obs(["alerts", "unsilence", &id[..8]]).run().ok();
    assert!(ended.stdout.contains("ended: alertname=\"HighErrorRate\" namespace=\"shop\""), "{ended}");
    eventually(MINUTE, || {
        let list = env.obs(["alerts", "-o", "json"]).run().ok().json();
        let quiet = alert(&list, "HighErrorRate").map(|alert| alert["silencedBy"].clone());
        if quiet == Some(serde_json::json!([])) { Ok(()) } else { Err(list.to_string()) }
    });
    for _ in 0..2 {
        env.obs(["alerts", "silence", "team=shop"]).run().ok();
    }
    let ended = env.obs(["alerts", "unsilence", "--all", "-o", "name"]).run().ok();
    assert_eq!(ended.stdout.lines().count(), 2, "{ended}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}
