//! One receiver of each kind, each with a secret of its own: so that it can be seen where secrets go.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::{Message, Receiver};

/// Name of the Secret that holds all of theirs.
pub const SECRET: &str = "planted";

/// A secret, and who is to get it.
pub struct Planted {
    /// The receiver's kind, and the key in the Secret.
    pub kind: &'static str,
    /// What nobody else may see.
    pub secret: String,
    /// What the key holds: often a URL with the secret in it.
    pub content: String,
    pub receiver: Receiver,
}

impl Planted {
    /// Whether a message has the secret in it.
    pub fn is_in(&self, message: &Message) -> bool {
        [&message.to, &message.head, &message.body].iter().any(|text| text.contains(&self.secret))
    }
}

const KINDS: [&str; 9] =
    ["slack", "email", "pagerduty", "webhook", "msteams", "opsgenie", "discord", "telegram", "switch"];

/// One of each kind at this machine's address.
pub fn everyone(host: &str) -> Vec<Planted> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_nanos();
    KINDS
        .into_iter()
        .enumerate()
        .map(|(i, kind)| {
            // 32 characters, as PagerDuty wants it
            let secret = format!("planted{:025x}", now + i as u128);
            let receiver = match kind {
                "slack" => Receiver::slack(host),
                "email" => Receiver::smtp(host),
                "pagerduty" => Receiver::pagerduty(host),
                "msteams" => Receiver::teams(host),
                "opsgenie" => Receiver::opsgenie(host),
                "discord" => Receiver::discord(host),
                "telegram" => Receiver::telegram(host),
                _ => Receiver::webhook(host),
            };
            let content = match kind {
                "slack" => receiver.url(&format!("/services/T0/B0/{secret}")),
                "msteams" => receiver.url(&format!("/workflows/1/triggers/manual/paths/invoke?sig={secret}")),
                "discord" => receiver.url(&format!("/api/webhooks/1/{secret}")),
                "switch" => receiver.url(&format!("/ping/{secret}")),
                "telegram" => format!("123456:{secret}"),
                _ => secret.clone(),
            };
            Planted { kind, secret, content, receiver }
        })
        .collect()
}

/// Values of Alertmanager by which all of them are told what is critical; the switch hears of the Watchdog.
pub fn values(all: &[Planted]) -> Value {
    let url = |kind: &str, path: &str| receiver(all, kind).url(path);
    let named = |key: &str| json!({"name": SECRET, "key": key});
    let chat = json!({
        "name": "chat",
        "slack": [{"secret": named("slack")}],
        "email": [{"to": "team@shop.test", "from": "obs@shop.test", "smarthost": receiver(all, "email").address(),
            "requireTls": false, "username": "obs", "secret": named("email")}],
        "webhook": [{"url": url("webhook", "/hook"), "tokenSecret": named("webhook")}],
        "msteams": [{"secret": named("msteams")}],
        "discord": [{"secret": named("discord")}],
        "telegram": [{"secret": named("telegram"), "chatId": -1001, "url": url("telegram", "")}],
    });
    let pager = json!({
        "name": "pager",
        "pagerduty": [{"secret": named("pagerduty"), "url": url("pagerduty", "/v2/enqueue")}],
        "opsgenie": [{"secret": named("opsgenie"), "url": url("opsgenie", "/")}],
    });
    json!({
        "receivers": [chat, pager],
        "route": {"default": "chat", "critical": "pager", "groupWait": "1s", "groupInterval": "2s"},
        "deadMansSwitch": {"secret": named("switch"), "interval": "10s"},
        "storage": {"enabled": false},
    })
}

/// Who plays a kind.
pub fn receiver<'a>(all: &'a [Planted], kind: &str) -> &'a Receiver {
    &all.iter().find(|planted| planted.kind == kind).expect("a kind").receiver
}

/// The kinds whose secret is in this text.
pub fn found(all: &[Planted], text: &str) -> Vec<&'static str> {
    let here = |planted: &&Planted| text.contains(&planted.secret);
    all.iter().filter(here).map(|planted| planted.kind).collect()
}
