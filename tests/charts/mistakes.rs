//! Bad values: each is refused before anything is done, with the path of the value and the way out; and
//! what may be a secret is not repeated.

use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{bundle, everything, folder, merged, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("bad_values_are_refused_with_their_path", bad_values),
        trial("good_values_are_not_refused", good_values),
        trial("what_refers_to_a_secret_holds_none", references_only),
    ]
}

/// What `template` says to values of the stack.
fn said(values: &Value, name: &str) -> (bool, String) {
    let file = folder(&format!("mistakes-{name}")).join("values.yaml");
    std::fs::write(&file, values.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-obs"));
    let output = command.args(["template", "-f"]).arg(&file).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

fn receiver(kind: &str, address: Value) -> Value {
    json!({"alertmanager": {"receivers": [{"name": "a", kind: [address]}]}})
}

fn app(over: Value) -> Value {
    let app = json!({"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": 8000});
    json!({"apps": [merged(&app, &over)]})
}

fn two(over: Value) -> Value {
    let app = json!({"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": 8000});
    json!({"apps": [app, merged(&app, &over)]})
}

/// The word that stands for a secret; no message may repeat it.
const PLANTED: &str = "pl4nted";

fn bad_values() {
    let secret = json!({"name": "alerting", "key": "url"});
    let chat = json!({"name": "chat", "slack": [{"secret": secret}]});
    let pager = json!({"name": "pager", "pagerduty": [{"secret": secret}]});
    let alertmanager =
        |receivers: Value, route: Value| json!({"alertmanager": {"receivers": receivers, "route": route}});
    let at = "alertmanager.receivers[0]";
    let cases: Vec<(Value, String)> = vec![
        // secrets in values, wherever guides put them
        (
            receiver("slack", json!({"api_url": format!("https://hooks.slack.com/services/{PLANTED}")})),
            format!("{at}.slack[0].api_url"),
        ),
        (receiver("slack", json!({"secret": secret, "url": PLANTED})), format!("{at}.slack[0].url")),
        (
            receiver("pagerduty", json!({"secret": secret, "routing_key": PLANTED})),
            format!("{at}.pagerduty[0].routing_key"),
        ),
        (
            receiver("telegram", json!({"secret": secret, "chatId": 1, "bot_token": PLANTED})),
            format!("{at}.telegram[0].bot_token"),
        ),
        (
            receiver(
                "email",
                json!({"to": "a@b.test", "from": "c@b.test", "smarthost": "m.b.test:25", "password": PLANTED}),
            ),
            format!("{at}.email[0].password"),
        ),
        (
            receiver("webhook", json!({"url": format!("https://hooks.slack.com/services/{PLANTED}")})),
            format!("{at}.webhook[0].url"),
        ),
        (
            receiver("webhook", json!({"url": format!("https://discord.com/api/webhooks/1/{PLANTED}")})),
            format!("{at}.webhook[0].url"),
        ),
        (
            receiver("webhook", json!({"url": format!("https://me:{PLANTED}@b.test/")})),
            format!("{at}.webhook[0].url"),
        ),
        (
            receiver("webhook", json!({"url": format!("https://b.test/?token={PLANTED}")})),
            format!("{at}.webhook[0].url"),
        ),
        // placeholders
        (receiver("webhook", json!({"url": "https://YOUR_WEBHOOK_URL"})), format!("{at}.webhook[0].url")),
        (receiver("webhook", json!({"url": "https://alerts.example.com/"})), format!("{at}.webhook[0].url")),
        (
            receiver(
                "email",
                json!({"to": "you@example.com", "from": "c@b.test", "smarthost": "m.b.test:25"}),
            ),
            format!("{at}.email[0].to"),
        ),
        (
            receiver(
                "email",
                json!({"to": "a@b.test", "from": "c@b.test", "smarthost": "smtp.example.com:587"}),
            ),
            format!("{at}.email[0].smarthost"),
        ),
        (
            receiver("slack", json!({"secret": secret, "channel": "#<your-channel>"})),
            format!("{at}.slack[0].channel"),
        ),
        // incomplete
        (receiver("slack", json!({})), format!("{at}.slack[0].secret")),
        (receiver("slack", json!({"secret": {"name": "alerting"}})), format!("{at}.slack[0].secret.key")),
        (receiver("webhook", json!({})), format!("{at}.webhook[0]")),
        (
            receiver("email", json!({"to": "a@b.test", "from": "c@b.test", "smarthost": "m.b.test"})),
            format!("{at}.email[0].smarthost"),
        ),
        (
            receiver(
                "email",
                json!({"to": "a@b.test", "from": "c@b.test", "smarthost": "m.b.test:25", "username": "me"}),
            ),
            format!("{at}.email[0]"),
        ),
        (receiver("telegram", json!({"secret": secret, "chatId": 0})), format!("{at}.telegram[0].chatId")),
        (receiver("carrier-pigeon", json!({})), format!("{at}.carrier-pigeon")),
        // routes
        (
            alertmanager(json!([chat]), json!({"default": "chta"})),
            "alertmanager.route.default: there is no receiver \"chta\"".into(),
        ),
        (
            alertmanager(json!([chat]), json!({"critical": "pager"})),
            "alertmanager.route.critical: there is no receiver".into(),
        ),
        (alertmanager(json!([chat, chat]), json!({})), "alertmanager.receivers[1].name".into()),
        (
            alertmanager(json!([chat]), json!({"default": "chat", "critical": "chat"})),
            "alertmanager.route.critical".into(),
        ),
        (alertmanager(json!([pager]), json!({"default": "pager"})), "alertmanager.route.default".into()),
        (
            alertmanager(json!([chat]), json!({"routes": [{"matchers": ["team=\"a\""], "receiver": "b"}]})),
            "alertmanager.route.routes[0].receiver".into(),
        ),
        (
            alertmanager(json!([chat]), json!({"routes": [{"matchers": ["team=a"], "receiver": "chat"}]})),
            "alertmanager.route.routes[0].matchers[0]".into(),
        ),
        (
            alertmanager(
                json!([chat]),
                json!({"routes": [{"matchers": ["team~\"a\""], "receiver": "chat"}]}),
            ),
            "alertmanager.route.routes[0].matchers[0]".into(),
        ),
        (
            alertmanager(
                json!([chat]),
                json!({"routes": [{"matchers": ["a=\"~\"", "team =~ \"a(|\\\"b\""], "receiver": "chat"}]}),
            ),
            "alertmanager.route.routes[0].matchers[1]: \"a(|\"b\" is no regular expression".into(),
        ),
        (
            alertmanager(
                json!([chat]),
                json!({"routes": [{"matchers": ["team=\"a\""], "receiver": "chat", "muteTimes": ["night"]}]}),
            ),
            "alertmanager.route.routes[0].muteTimes".into(),
        ),
        (
            alertmanager(
                json!([pager]),
                json!({"critical": "pager", "routes": [{"matchers": ["severity=\"critical\"", "team=\"a\""], "receiver": "pager"}]}),
            ),
            "alertmanager.route.routes[0].receiver".into(),
        ),
        (
            json!({"alertmanager": {"replicas": 3, "route": {"groupInterval": "30s"}}}),
            "alertmanager.route.groupInterval".into(),
        ),
        (
            json!({"alertmanager": {"inhibit": {"extra": [{"source_matchers": ["a=\"b\""], "target_matchers": ["c=\"d\""], "equal": []}]}}}),
            "alertmanager.inhibit.extra[0].equal".into(),
        ),
        // apps
        (two(json!({"namespace": "other"})), "apps[1].name: \"orders\" is the name of apps[0]".into()),
        (two(json!({"name": "b"})), "apps[1].selector: takes pods that apps[0] (orders) takes".into()),
        (two(json!({"name": "b", "selector": {"tier": "web"}})), "apps[1].selector".into()),
        (
            merged(&app(json!({})), &json!({"scrape": {"namespaces": ["billing", "web"]}})),
            "apps[0].namespace: shop may not be scraped, as scrape.namespaces names only billing, web; add it there".into(),
        ),
        (
            json!({"scrape": {"namespaces": ["web"]}, "prometheus": {"annotated": {"namespaces": ["web", "shop"]}}}),
            "prometheus.annotated.namespaces: shop may not be scraped".into(),
        ),
        (json!({"scrape": {"namespaces": ["a b"]}}), "scrape.namespaces[0]".into()),
        (app(json!({"selector": {"app": null}})), "apps[0].selector".into()),
        (app(json!({"port": 0})), "apps[0].port".into()),
        (app(json!({"port": 70000})), "apps[0].port".into()),
        (app(json!({"path": "metrics"})), "apps[0].path".into()),
        (app(json!({"preset": "fastpai"})), "apps[0].preset".into()),
        (
            app(json!({"alerts": {"highErrorRate": {"threshold": 10}}})),
            "apps[0].alerts.highErrorRate.threshold".into(),
        ),
        (
            app(json!({"alerts": {"highErrorRate": {"threshold": 0}}})),
            "apps[0].alerts.highErrorRate.threshold".into(),
        ),
        (
            app(json!({"alerts": {"slowResponseTime": {"quantile": 0.42}}})),
            "apps[0].alerts.slowResponseTime.quantile".into(),
        ),
        (app(json!({"alerts": {"highCpuUsage": {}}})), "apps[0].alerts.highCpuUsage".into()),
        (app(json!({"slo": {"availability": 100}})), "apps[0].slo.availability".into()),
        (
            app(json!({"slo": {"latency": {"quantile": 95, "threshold": 1}}})),
            "apps[0].slo.latency.quantile".into(),
        ),
        (app(json!({"slo": {"latency": {"quantile": 0.95}}})), "apps[0].slo.latency.threshold".into()),
        (app(json!({"notify": {"team": "a b"}})), "apps[0].notify.team".into()),
        // exporters
        (
            json!({"postgresExporter": {"databases": [{"name": "a", "host": "h"}]}}),
            "postgresExporter.databases[0].secret".into(),
        ),
        (
            json!({"postgresExporter": {"databases": [{"name": "a", "host": format!("postgres://me:{PLANTED}@h"), "secret": {"name": "x"}}]}}),
            "postgresExporter.databases[0].host".into(),
        ),
        (
            json!({"redisExporter": {"databases": [{"name": "a", "host": "h"}, {"name": "a", "host": "i"}]}}),
            "redisExporter.databases[1].name".into(),
        ),
        (
            json!({"redisExporter": {"databases": [{"name": "a", "host": "h", "password": PLANTED}]}}),
            "redisExporter.databases[0].password".into(),
        ),
        (
            json!({"blackboxExporter": {"probes": [{"name": "a", "url": "h:1", "module": "tcpp"}]}}),
            "blackboxExporter.probes[0].module".into(),
        ),
        (
            json!({"blackboxExporter": {"probes": [{"name": "a", "url": "h"}]}}),
            "blackboxExporter.probes[0].url".into(),
        ),
        // log stores
        (json!({"fluentd": {"enabled": true}}), "fluentd.outputs: logs have nowhere to go".into()),
        (
            json!({"loki": {"enabled": true}, "fluentd": {"enabled": true, "outputs": [{"name": "loki", "type": "loki", "url": "https://loki.shop.test"}]}}),
            "fluentd.outputs[0].name: \"loki\" is the stack's own store, which is on".into(),
        ),
        (
            json!({"loki": {"enabled": true, "replicas": 3}}),
            "loki.replicas: 3 replicas cannot share a file system".into(),
        ),
        (
            json!({"loki": {"enabled": true, "retention": {"time": "36h"}}}),
            "loki.retention.time: 36h must be whole days".into(),
        ),
        (json!({"loki": {"enabled": true, "retention": {"time": "12h"}}}), "loki.retention.time: 12h".into()),
        (
            json!({"loki": {"enabled": true, "storage": {"enabled": false}}}),
            "loki.retention.time: 7d is longer than an emptyDir lives".into(),
        ),
        (
            json!({"loki": {"enabled": true, "storage": {"type": "s3"}}}),
            "loki.storage.s3.bucket: is empty".into(),
        ),
        (
            json!({"loki": {"enabled": true, "storage": {"type": "s3", "s3": {"bucket": "logs"}}}}),
            "loki.storage.s3.region: is empty".into(),
        ),
        (
            json!({"loki": {"enabled": true, "storage": {"type": "s3", "s3": {"bucket": "logs", "region": "eu-central-1"}}}}),
            "loki.schema.periods: is empty, and with storage.type s3 it must be said what is where".into(),
        ),
        (
            json!({"loki": {"enabled": true, "storage": {"s3": {"endpoint": format!("https://me:{PLANTED}@s3.shop.test")}}}}),
            "loki.storage.s3.endpoint".into(),
        ),
        (
            json!({"loki": {"enabled": true, "schema": {"periods": [{"from": "2027-01-01", "store": "filesystem"}, {"from": "2026-01-01", "store": "filesystem"}]}}}),
            "loki.schema.periods[1].from: 2026-01-01 must be later than 2027-01-01".into(),
        ),
        (
            json!({"loki": {"enabled": true, "schema": {"periods": [{"from": "2024-04-01", "store": "s3"}]}}}),
            "loki.schema.periods: the last period writes to s3".into(),
        ),
        (
            json!({"loki": {"enabled": true, "schema": {"periods": [{"from": "2024-04-01", "store": "filesystem", "schema": "v12"}]}}}),
            "loki.schema.periods[0].schema".into(),
        ),
        (
            json!({"loki": {"enabled": true, "limits": {"ingestionBurst": 2}}}),
            "loki.limits.ingestionBurst".into(),
        ),
        (json!({"loki": {"enabled": true, "tenant": "a b"}}), "loki.tenant".into()),
        (
            json!({"opensearch": {"enabled": true, "external": {"url": "https://logs.shop.test:9200/_bulk"}}}),
            "opensearch.external.url: must be empty or the store's address".into(),
        ),
        (
            json!({"opensearch": {"enabled": true, "external": {"url": format!("https://me:{PLANTED}@logs.shop.test")}}}),
            "opensearch.external.url".into(),
        ),
        (
            json!({"elasticsearch": {"enabled": true, "external": {"url": "http://logs.shop.test:9200", "secret": {"name": "es"}}}}),
            "elasticsearch.external.url: begins with http://".into(),
        ),
        (
            json!({"elasticsearch": {"enabled": true, "replicas": 3}}),
            "elasticsearch.tls: 3 nodes with users trust each other by certificate".into(),
        ),
        (json!({"opensearch": {"enabled": true, "replicas": 2}}), "opensearch.replicas".into()),
        (
            json!({"opensearch": {"enabled": true, "dataStream": "logs-obs-default"}}),
            "opensearch.dataStream".into(),
        ),
        (
            json!({"opensearch": {"enabled": true, "retention": {"time": "6h"}}}),
            "opensearch.rollover.age: 1d is longer than retention.time".into(),
        ),
        (
            json!({"opensearch": {"enabled": true, "resources": {"limits": {"memory": "512Mi"}}}}),
            "opensearch.resources.limits.memory".into(),
        ),
        // Prometheus
        (json!({"prometheus": {"image": {"tag": "v3.9.1"}}}), "prometheus.image.tag".into()),
        (
            json!({"prometheus": {"rules": {"disable": ["NodeHighCpu"]}}}),
            "prometheus.rules.disable[0]".into(),
        ),
    ];
    for (i, (values, expected)) in cases.iter().enumerate() {
        let (good, text) = said(values, &i.to_string());
        assert!(!good, "{values} is accepted");
        assert!(text.contains(expected), "{values}: expected {expected}, got {text}");
        // masked, or in a place that is not shown: a host is, since a password has no place in it
        assert!(!text.contains(PLANTED) || expected.ends_with(".host"), "{values}: {text}");
    }
}

fn good_values() {
    let cases = [
        everything(),
        two(json!({"name": "b", "selector": {"app": "b"}})),
        two(json!({"name": "b", "namespace": "other"})),
        app(json!({"port": "http-metrics", "selector": {"app": "1.5"}})),
        merged(&app(json!({})), &json!({"scrape": {"namespaces": ["web", "shop"]}})),
        merged(&app(json!({"namespace": "observability"})), &json!({"scrape": {"namespaces": ["web"]}})),
        json!({"prometheus": {"image": {"tag": "v3.20.1"}}}),
        json!({"prometheus": {"image": {"tag": "v3.12.0-distroless"}}}),
    ];
    for (i, values) in cases.iter().enumerate() {
        let (good, text) = said(values, &format!("good-{i}"));
        assert!(good, "{values}: {text}");
    }
}

/// Every rendered object that names a Secret or its key does so by reference, and none of ours is a
/// Secret with content: there is nothing to read in a ConfigMap, an argument or a plain variable.
fn references_only() {
    let stack = bundle("stack");
    let rendered = rendered(&stack, &merged(stack.effective_defaults(), &everything()));
    let mut references = 0;
    for object in &rendered.objects {
        let holds = ["data", "stringData"].iter().any(|key| object.value().get(key).is_some());
        assert!(object.kind() != "Secret" || !holds, "{} holds values", object.name());
        walk(object.value(), "", &mut |path, text| {
            if text.starts_with("ref-") {
                // where its file is, in a volume or in what reads it
                if path.ends_with("/path") {
                    return;
                }
                references += 1;
                assert!(
                    path.ends_with("/secret/name")
                        || path.ends_with("/secret/secretName")
                        || path.ends_with("/secretKeyRef/name"),
                    "{} {}: {path}: {text}",
                    object.kind(),
                    object.name()
                );
            }
            if text.starts_with("key-") {
                assert!(path.ends_with("/key"), "{} {}: {path}: {text}", object.kind(), object.name());
            }
        });
    }
    assert!(references >= 6, "{references}");
}

fn walk(value: &Value, path: &str, see: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), see)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| walk(value, &format!("{path}/{i}"), see));
        }
        Value::String(text) => see(path, text),
        _ => {}
    }
}
