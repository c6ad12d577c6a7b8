//! Why a store gave no lines, in a person's words; and whether it may do so when it is asked again. Pure.

use serde_json::Value;

use super::store::{Kind, Store};
use crate::error::Error;
use crate::json;
use crate::url;

/// Longest part of a store's own words.
const LONGEST: usize = 400;

/// A request that failed.
#[derive(Debug)]
pub struct Trouble {
    /// For a person.
    pub error: Error,
    /// May it succeed when it is tried again?
    pub again: bool,
}

/// It could not be asked at all, or did not answer.
pub fn unreached(store: &Store, why: &str) -> Trouble {
    let error = Error::failed(format!("{} cannot be asked: {why}", store.name));
    let error = match store.component.is_empty() {
        false => error.hint("kubectl obs status says what is wrong with it"),
        true => error.hint(format!(
            "is {} the address from where you are? a VPN or proxy may be needed",
            url::shown(&store.url)
        )),
    };
    Trouble { error, again: true }
}

/// It took too long.
pub fn overdue(store: &Store, seconds: u64) -> Trouble {
    let error = Error::failed(format!("{} has not answered for {seconds}s", store.name));
    Trouble { error: error.hint(LESS), again: true }
}

const LESS: &str =
    "ask for less: a shorter --since, or --app, --in and --pod, which leave fewer streams to read";

/// It answered something else than lines.
pub fn refused(store: &Store, status: u16, body: &str) -> Trouble {
    let said = words(body);
    let name = &store.name;
    let again = matches!(status, 408 | 429 | 500 | 502..=504);
    let lower = said.to_lowercase();
    let error = match status {
        401 if lower.contains("no org id") => Error::failed(format!(
            "{name} wants to know the tenant: {said}"
        ))
        .hint(match store.component.is_empty() {
            false => "loki.tenant says which; it is empty for a Loki without tenants",
            true => "fluentd.outputs: the tenant of this store is missing",
        }),
        401 | 403 => denied(store, status, &said),
        400 if lower.contains("parse") || lower.contains("query_shard_exception") => {
            Error::usage(format!("{name} does not understand the query: {said}"))
                .hint("--show-query shows it")
        }
        400 | 422 if lower.contains("max entries limit") => {
            Error::failed(format!("{name} gives fewer lines than were asked for: {said}"))
                .hint("loki.limits.maxEntries raises it; a smaller --limit needs less")
        }
        400 | 422
            if lower.contains("limit") || lower.contains("too many bytes") || lower.contains("range") =>
        {
            Error::failed(format!("{name} refuses a query that large: {said}")).hint(LESS)
        }
        404 if store.kind != Kind::Loki && lower.contains("index") => {
            Error::failed(format!("{name} has no data stream {}: no line has been stored yet", store.index))
                .hint("kubectl obs status shows whether the setup is done, and whether fluentd delivers")
        }
        404 => Error::failed(format!(
            "{name} answers 404: {} is not {}",
            url::shown(&store.url),
            what(store.kind)
        ))
        .hint("the address is the base, without /loki/api/v1/push or /_bulk behind it"),
        429 => Error::failed(format!("{name} is busy with other queries: {said}"))
            .hint("try again in a moment, or ask for less: a shorter --since, --app, --in"),
        500 | 502..=504
            if lower.contains("deadline exceeded")
                || lower.contains("timeout")
                || lower.contains("timed out") =>
        {
            Error::failed(format!("{name} ran out of time: {said}")).hint(LESS)
        }
        502..=504 => Error::failed(format!("{name} is not ready: {status} {said}"))
            .hint("kubectl obs status says what is wrong with it"),
        _ => Error::failed(format!("{name} answers {status}: {said}")),
    };
    Trouble { error, again }
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Loki => "the address of a Loki",
        Kind::OpenSearch => "the address of an OpenSearch",
        Kind::Elasticsearch => "the address of an Elasticsearch",
    }
}

fn denied(store: &Store, status: u16, said: &str) -> Error {
    let name = &store.name;
    let secret = store.keys.get("password").or_else(|| store.keys.get("token"));
    let error = match (status, secret) {
        (_, None) => Error::failed(format!("{name} wants a login, and the release knows none: {said}")),
        (401, Some(key)) => Error::failed(format!(
            "{name} does not take the login of secret {}/{}: {said}",
            store.namespace, key.name
        )),
        (_, Some(key)) => Error::failed(format!(
            "{name} does not let the login of secret {}/{} ask: {said}",
            store.namespace, key.name
        )),
    };
    match (store.component.is_empty(), secret) {
        (true, _) => error.hint("the login that fluentd sends with must be allowed to read here; its values: fluentd.outputs"),
        (false, _) => error.hint("the setup gives the store its users again: kubectl obs upgrade, and kubectl obs status shows how it went"),
    }
}

/// The words of an answer, on one line: of JSON those that say most.
fn words(body: &str) -> String {
    let read = json::read(body.as_bytes(), 100_000);
    let of_json = read.as_ref().and_then(|body| {
        let cause = &body["error"]["root_cause"][0];
        let typed = |cause: &Value| {
            let reason = cause["reason"].as_str()?;
            Some(match cause["type"].as_str() {
                Some(kind) => format!("{kind}: {reason}"),
                None => reason.to_owned(),
            })
        };
        // what a shard says is below it
        let deepest = body["error"]["failed_shards"][0]["reason"]["caused_by"].clone();
        let said = typed(cause).or_else(|| typed(&body["error"]));
        let said = said.or_else(|| body["error"].as_str().map(str::to_owned));
        let said = said.or_else(|| body["message"].as_str().map(str::to_owned))?;
        Some(match deepest["reason"].as_str() {
            Some(why) if !said.contains(why) => format!("{said}: {why}"),
            _ => said,
        })
    });
    let text = of_json.unwrap_or_else(|| body.to_owned());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        _ if text.is_empty() => "it gives no reason".to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store(kind: &str, component: &str, secret: bool) -> Store {
        let keys = if secret { json!({"password": {"name": "s", "key": "k"}}) } else { json!({}) };
        serde_json::from_value(
            json!({"name": kind, "type": kind, "url": "http://u:p@h:1", "component": component,
            "index": "obs-logs", "namespace": "o", "keys": keys}),
        )
        .unwrap()
    }

    #[test]
    fn each_answer_has_its_words_and_a_way_on() {
        let parse = r#"{"error":{"root_cause":[{"type":"query_shard_exception","reason":"Failed to parse query [a:(]"}],"failed_shards":[{"reason":{"caused_by":{"reason":"Cannot parse 'a:('"}}}]},"status":400}"#;
        let missing = r#"{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [obs-logs]"}]},"status":404}"#;
        for (store, status, body, words, again) in [
            (
                store("loki", "loki", false),
                400,
                "parse error at line 1, col 3: syntax error",
                "loki does not understand the query: parse error at line 1, col 3: syntax error",
                false,
            ),
            (
                store("loki", "loki", false),
                401,
                "no org id\n",
                "loki wants to know the tenant: no org id",
                false,
            ),
            (
                store("loki", "loki", false),
                429,
                "too many outstanding requests",
                "loki is busy with other queries: too many outstanding requests",
                true,
            ),
            (
                store("loki", "loki", false),
                400,
                "max entries limit per query exceeded, limit > max_entries_limit_per_query (9000 > 5000)",
                "loki gives fewer lines than were asked for",
                false,
            ),
            (
                store("loki", "loki", false),
                400,
                "the query would read too many bytes (query: 5GB, limit: 1GB)",
                "loki refuses a query that large",
                false,
            ),
            (store("loki", "loki", false), 504, "context deadline exceeded", "loki ran out of time", true),
            (
                store("loki", "", false),
                404,
                "page not found",
                "loki answers 404: http://h:1 is not the address of a Loki",
                false,
            ),
            (
                store("opensearch", "opensearch", true),
                401,
                "Unauthorized",
                "opensearch does not take the login of secret o/s: Unauthorized",
                false,
            ),
            (
                store("opensearch", "", false),
                401,
                "",
                "opensearch wants a login, and the release knows none: it gives no reason",
                false,
            ),
            (
                store("opensearch", "opensearch", true),
                403,
                r#"{"error":{"root_cause":[{"type":"security_exception","reason":"no permissions"}]}}"#,
                "opensearch does not let the login of secret o/s ask: security_exception: no permissions",
                false,
            ),
            (
                store("opensearch", "opensearch", true),
                400,
                parse,
                "does not understand the query: query_shard_exception: Failed to parse query [a:(]: Cannot parse 'a:('",
                false,
            ),
            (
                store("opensearch", "opensearch", true),
                404,
                missing,
                "opensearch has no data stream obs-logs: no line has been stored yet",
                false,
            ),
            (store("opensearch", "opensearch", true), 503, "", "opensearch is not ready: 503", true),
            (store("opensearch", "opensearch", true), 418, "<html>", "opensearch answers 418: <html>", false),
        ] {
            let trouble = refused(&store, status, body);
            let text = trouble.error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(status == 418 || text.contains("hint: "), "{text}");
            assert!(!text.contains("u:p@"), "{text}");
            assert_eq!(trouble.again, again, "{text}");
        }
        let long = refused(&store("loki", "loki", false), 500, &"x".repeat(5_000)).error.to_string();
        assert!(long.len() < 600, "{long}");
        assert!(
            unreached(&store("loki", "", false), "connection refused")
                .error
                .to_string()
                .contains("is http://h:1 the address")
        );
    }
}
