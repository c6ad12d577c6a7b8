//! What the services behind alerts take and what they answer: the shapes and limits of their public APIs,
//! as far as messages of alerts meet them. What a service would refuse is refused with its status.

use serde_json::{Value, json};

use super::Message;

/// Status and body of an answer.
pub type Answer = (u16, String);

/// What is wrong with a message, or what the service says when it takes it.
type Taken = Result<Answer, Answer>;

fn ok(status: u16, body: &str) -> Taken {
    Ok((status, body.to_owned()))
}

fn no<T>(status: u16, body: impl ToString) -> Result<T, Answer> {
    Err((status, body.to_string()))
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Characters, as most services count them.
fn length(value: &Value, path: &str) -> usize {
    text(value, path).chars().count()
}

fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Alertmanager's own webhooks: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>
pub fn webhook(_: &Message, body: &Value) -> Taken {
    if body["version"] != "4" || list(body, "/alerts").is_empty() {
        no(400, "no alerts")
    } else {
        ok(200, "")
    }
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
pub fn slack(_: &Message, body: &Value) -> Taken {
    let attachments = list(body, "/attachments");
    let keys = ["/title", "/text", "/fallback", "/pretext"];
    let length: usize = attachments.iter().flat_map(|a| keys.map(|key| length(a, key))).sum();
    match (attachments.len(), length) {
        (0, _) if text(body, "/text").is_empty() => no(400, "no_text"),
        (101.., _) => no(400, "too_many_attachments"),
        (_, 40_001..) => no(400, "msg_too_long"),
        _ => ok(200, "ok"),
    }
}

/// Events API v2: <https://developer.pagerduty.com/docs/events-api-v2-overview>
pub fn pagerduty(message: &Message, body: &Value) -> Taken {
    let mut errors = Vec::new();
    if text(body, "/routing_key").len() != 32 {
        errors.push("length of 'routing_key' is incorrect (should be 32 characters)");
    }
    if !["trigger", "acknowledge", "resolve"].contains(&text(body, "/event_action")) {
        errors.push("'event_action' is invalid");
    }
    if length(body, "/dedup_key") > 255 {
        errors.push("'dedup_key' is too long");
    }
    if body["event_action"] == "trigger" {
        if !(1..=1024).contains(&length(body, "/payload/summary")) {
            errors.push("'payload.summary' is missing or too long");
        }
        if text(body, "/payload/source").is_empty() {
            errors.push("'payload.source' is missing");
        }
        if !["critical", "error", "warning", "info"].contains(&text(body, "/payload/severity")) {
            errors.push("'payload.severity' is invalid");
        }
    }
    if message.body.len() > 512 * 1024 {
        return no(413, "");
    }
    if errors.is_empty() {
        return ok(202, r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#);
    }
    no(400, json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors}))
}

/// A workflow "when a Teams webhook request is received" with a card of 28 KB at most. The body is turned
/// into UTF-16 on its way, where each character has two bytes or more.
pub fn teams(message: &Message, body: &Value) -> Taken {
    let cards = list(body, "/attachments");
    let card = |card: &Value| {
        card["contentType"] == "application/vnd.microsoft.card.adaptive"
            && card["content"]["type"] == "AdaptiveCard"
            && !list(card, "/content/body").is_empty()
            && list(card, "/content/body").iter().all(|block| {
                block["type"] == "TextBlock" && block["text"].as_str().is_some_and(|text| !text.is_empty())
            })
    };
    if body["type"] != "message" || cards.is_empty() || !cards.iter().all(card) {
        return no(400, json!({"error": {"code": "TriggerInputSchemaMismatch", "message": "no card"}}));
    }
    if message.body.encode_utf16().count() * 2 > 28 * 1024 {
        return no(413, json!({"error": {"code": "RequestEntityTooLarge"}}));
    }
    ok(202, "")
}

/// Alert API: <https://docs.opsgenie.com/docs/alert-api>
pub fn opsgenie(message: &Message, body: &Value) -> Taken {
    if !message.head.lines().any(|line| line.starts_with("Authorization: GenieKey ")) {
        return no(401, json!({"message": "Could not authenticate"}));
    }
    let accepted = json!({"result": "Request will be processed", "took": 0.01, "requestId": "r"}).to_string();
    if message.to.contains("/close?identifierType=alias") {
        return Ok((202, accepted));
    }
    if message.to != "/v2/alerts" {
        return no(404, json!({"message": "no such resource"}));
    }
    let limits = [("/alias", 512), ("/description", 15_000), ("/source", 100), ("/note", 25_000)];
    let long = limits.iter().find(|(path, limit)| length(body, path) > *limit).map(|(path, _)| *path);
    let details = body["details"].as_object().into_iter().flatten();
    let details: usize = details.map(|(k, v)| k.len() + v.as_str().unwrap_or_default().chars().count()).sum();
    let wrong = if !(1..=130).contains(&length(body, "/message")) {
        Some("/message")
    } else if details > 8000 {
        Some("/details")
    } else if list(body, "/tags").len() > 20 {
        Some("/tags")
    } else {
        long
    };
    match wrong {
        Some(path) => {
            no(422, json!({"message": "Request body is not processable", "errors": {path: "too long"}}))
        }
        None => Ok((202, accepted)),
    }
}

/// Execute Webhook: <https://discord.com/developers/docs/resources/webhook#execute-webhook>
pub fn discord(_: &Message, body: &Value) -> Taken {
    let embeds = list(body, "/embeds");
    if embeds.is_empty() && text(body, "/content").is_empty() {
        return no(400, json!({"message": "Cannot send an empty message", "code": 50006}));
    }
    let all: usize = embeds.iter().map(|e| length(e, "/title") + length(e, "/description")).sum();
    let long = |e: &Value| length(e, "/title") > 256 || length(e, "/description") > 4096;
    if embeds.len() > 10 || embeds.iter().any(long) || all > 6000 || length(body, "/content") > 2000 {
        return no(400, json!({"message": "Invalid Form Body", "code": 50035}));
    }
    ok(204, "")
}

/// sendMessage: <https://core.telegram.org/bots/api#sendmessage>. Characters are those of UTF-16.
pub fn telegram(message: &Message, body: &Value) -> Taken {
    let refused =
        |code: u16, why: &str| no(code, json!({"ok": false, "error_code": code, "description": why}));
    let token = message.to.strip_prefix("/bot").and_then(|rest| rest.strip_suffix("/sendMessage"));
    let well = token
        .and_then(|token| token.split_once(':'))
        .is_some_and(|(bot, secret)| bot.parse::<u64>().is_ok() && !secret.is_empty());
    if !well {
        return refused(404, "Not Found");
    }
    let chat =
        body["chat_id"].as_str().and_then(|chat| chat.parse::<i64>().ok()).or(body["chat_id"].as_i64());
    let Some(chat) = chat else { return refused(400, "Bad Request: chat_id is empty") };
    match text(body, "/text").encode_utf16().count() {
        0 => refused(400, "Bad Request: message text is empty"),
        4097.. => refused(400, "Bad Request: message is too long"),
        _ => {
            let chat = json!({"id": chat, "type": "supergroup", "title": "Shop"});
            let sent = json!({"message_id": 1, "date": 1, "chat": chat, "text": body["text"]});
            Ok((200, json!({"ok": true, "result": sent}).to_string()))
        }
    }
}
