//! What stores answered, and what a person is told.

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
        (store("loki", "loki", false), 401, "no org id\n", "loki wants to know the tenant: no org id", false),
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
    // words of a query, or of its fields, are no cause
    let typed = |kind: &str, reason: &str| {
        json!({"error": {"type": "search_phase_execution_exception", "root_cause": [{"type": kind, "reason": reason}]}})
            .to_string()
    };
    let (loki, other) = (store("loki", "loki", false), store("opensearch", "opensearch", true));
    let range = "field [limit] has no range";
    for (store, status, body, words) in [
        (&other, 400, typed("illegal_argument_exception", range), "opensearch answers 400: illegal"),
        (&other, 400, typed("mapper_parsing_exception", "cannot parse"), "opensearch answers 400: mapper"),
        (&other, 500, typed("null_pointer_exception", "field [timeout]"), "opensearch answers 500: null"),
        (&other, 404, typed("resource_not_found_exception", "no index template"), "opensearch answers 404"),
        (&other, 400, typed("too_many_nested_clauses", "maxClauseCount"), "refuses a query that large"),
        (
            &other,
            400,
            typed("too_complex_to_determinize_exception", "10000"),
            "does not understand the query",
        ),
        (&other, 503, typed("es_rejected_execution_exception", "queue"), "opensearch is busy"),
        (&other, 500, typed("task_cancelled_exception", "cancelled"), "opensearch ran out of time"),
        (&loki, 400, "pipeline error: 'x' for series: '{limit=\"range\"}'".into(), "does not understand"),
        (&loki, 400, "invalid start: cannot parse the range".into(), "loki answers 400: invalid start"),
        (&loki, 500, "empty ring of timeouts".into(), "loki answers 500: empty ring"),
        (&loki, 500, "rpc error: code = Unknown desc = context deadline exceeded".into(), "ran out of time"),
        (
            &loki,
            400,
            "the query time range exceeds the limit (query length: 9d, limit: 7d)".into(),
            "that large",
        ),
    ] {
        let text = refused(store, status, &body).error.to_string();
        assert!(text.contains(words), "{text}");
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
