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

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The tenant is missing.
    Tenant,
    /// The login is missing, wrong, or not allowed.
    Login,
    /// The query is not understood.
    Query,
    /// More lines were asked for at once than it gives.
    Entries,
    /// The query is too large for its limits.
    Large,
    /// There is no such data stream.
    NoStream,
    /// The address is that of something else.
    Elsewhere,
    /// It has others to answer.
    Busy,
    /// It had too little time.
    Time,
    /// It is starting, or broken.
    NotReady,
    /// Anything else.
    Other,
}

impl Cause {
    /// By the status and what the store's kind says beside it.
    fn of(kind: Kind, status: u16, body: &str) -> Self {
        let own = match kind {
            Kind::Loki => Self::of_loki(status, body),
            Kind::OpenSearch | Kind::Elasticsearch => Self::of_types(&types(body)),
        };
        own.unwrap_or(match status {
            401 | 403 => Self::Login,
            404 => Self::Elsewhere,
            429 => Self::Busy,
            408 | 504 => Self::Time,
            502 | 503 => Self::NotReady,
            _ => Self::Other,
        })
    }

    /// Loki says a sentence and no more (`pkg/util/server/error.go`): those that it begins with.
    fn of_loki(status: u16, body: &str) -> Option<Self> {
        let said = body.trim();
        // handed on between its parts
        let said = said
            .strip_prefix("rpc error: ")
            .and_then(|rest| rest.split_once("desc = "))
            .map_or(said, |(_, said)| said);
        let begins = |sentences: &[&str]| sentences.iter().any(|sentence| said.starts_with(sentence));
        Some(match status {
            400 | 401 if said == "no org id" => Self::Tenant,
            400 if begins(&["parse error", "pipeline error"]) => Self::Query,
            400 | 422 if begins(&["max entries limit"]) => Self::Entries,
            400 | 422 if begins(&TOO_LARGE) => Self::Large,
            500..=504 if begins(&["context deadline exceeded", "request timed out"]) => Self::Time,
            _ => return None,
        })
    }

    /// The others say the type of each error.
    fn of_types(types: &[String]) -> Option<Self> {
        let one_of = |known: &[&str]| types.iter().any(|kind| known.contains(&kind.as_str()));
        let all: [(&[&str], Self); 6] = [
            (&["index_not_found_exception"], Self::NoStream),
            (&["security_exception"], Self::Login),
            // what is within says more than what is around it
            (
                &[
                    "too_many_clauses",
                    "too_many_nested_clauses",
                    "too_many_buckets_exception",
                    "circuit_breaking_exception",
                ],
                Self::Large,
            ),
            (
                &[
                    "query_shard_exception",
                    "parse_exception",
                    "parsing_exception",
                    "x_content_parse_exception",
                    "token_mgr_error",
                    "too_complex_to_determinize_exception",
                ],
                Self::Query,
            ),
            (
                &[
                    "timeout_exception",
                    "receive_timeout_transport_exception",
                    "task_cancelled_exception",
                    "search_timeout_exception",
                ],
                Self::Time,
            ),
            (&["es_rejected_execution_exception", "rejected_execution_exception"], Self::Busy),
        ];
        all.into_iter().find(|(known, _)| one_of(known)).map(|(_, cause)| cause)
    }
}

/// How Loki says that a query is too large (`pkg/querier/queryrange/limits.go`, `pkg/logqlmodel/error.go`).
const TOO_LARGE: [&str; 9] = [
    "the query would read too many bytes",
    "query too large to execute on a single querier",
    "un-shardable query too large",
    "shard query is too large",
    "the query time range exceeds the limit",
    "maximum number of series",
    "maximum of series",
    "[interval] value exceeds limit",
    "limit reached while evaluating the query",
];

/// The types of all errors in an answer of OpenSearch or Elasticsearch.
fn types(body: &str) -> Vec<String> {
    let Some(body) = json::read(body.as_bytes(), 100_000) else { return Vec::new() };
    let error = &body["error"];
    let roots = error["root_cause"].as_array().into_iter().flatten();
    let shards = error["failed_shards"].as_array().into_iter().flatten().map(|shard| &shard["reason"]);
    let mut left: Vec<&Value> = roots.chain(shards).chain([error]).collect();
    let mut types = Vec::new();
    while let Some(error) = left.pop() {
        types.extend(error["type"].as_str().map(str::to_owned));
        left.extend(error.get("caused_by"));
    }
    types
}

/// It answered something else than lines.
pub fn refused(store: &Store, status: u16, body: &str) -> Trouble {
    let said = words(body);
    let name = &store.name;
    let again = matches!(status, 408 | 429 | 500 | 502..=504);
    let error = match Cause::of(store.kind, status, body) {
        Cause::Tenant => Error::failed(format!("{name} wants to know the tenant: {said}")).hint(match store
            .component
            .is_empty()
        {
            false => "loki.tenant says which; it is empty for a Loki without tenants",
            true => "fluentd.outputs: the tenant of this store is missing",
        }),
        Cause::Login => denied(store, status, &said),
        Cause::Query => Error::usage(format!("{name} does not understand the query: {said}"))
            .hint("--show-query shows it"),
        Cause::Entries => Error::failed(format!("{name} gives fewer lines than were asked for: {said}"))
            .hint("loki.limits.maxEntries raises it; a smaller --limit needs less"),
        Cause::Large => Error::failed(format!("{name} refuses a query that large: {said}")).hint(LESS),
        Cause::NoStream => {
            Error::failed(format!("{name} has no data stream {}: no line has been stored yet", store.index))
                .hint("kubectl obs status shows whether the setup is done, and whether fluentd delivers")
        }
        Cause::Elsewhere => Error::failed(format!(
            "{name} answers 404: {} is not {}",
            url::shown(&store.url),
            what(store.kind)
        ))
        .hint("the address is the base, without /loki/api/v1/push or /_bulk behind it"),
        Cause::Busy => Error::failed(format!("{name} is busy with other queries: {said}"))
            .hint("try again in a moment, or ask for less: a shorter --since, --app, --in"),
        Cause::Time => Error::failed(format!("{name} ran out of time: {said}")).hint(LESS),
        Cause::NotReady => Error::failed(format!("{name} is not ready: {status} {said}"))
            .hint("kubectl obs status says what is wrong with it"),
        Cause::Other => Error::failed(format!("{name} answers {status}: {said}")),
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
mod tests;
