//! A query in Lucene's syntax, as `query_string` of OpenSearch and Elasticsearch reads it, and the request
//! around it.
//!
//! Values stand in quotes, where only the quote and the backslash mean something; `<` and `>` cannot be
//! escaped outside of them. A text is looked for by its words, since that is what the index knows; one
//! without any would be left out in silence, so it is refused.

use std::fmt::Write;

use serde_json::{Value, json};

use super::span::Span;
use super::{Pattern, Query, Relation, Term, Test, Unsayable, regular};

/// Where the stack's documents have what a line comes from.
const ORIGIN: [(&str, &str); 8] = [
    ("namespace", "kubernetes.namespace_name"),
    ("pod", "kubernetes.pod_name"),
    ("container", "kubernetes.container_name"),
    ("app", "kubernetes.app"),
    ("node", "kubernetes.node_name"),
    ("stream", "stream"),
    ("cluster", "cluster"),
    ("cut", "cut"),
];
/// Fields with a short name of their own.
const SHORT: [&str; 8] =
    ["path", "user_id", "duration", "request_id", "status", "method", "logger", "trace_id"];
/// Fields that are numbers.
const NUMBERS: [&str; 3] = ["duration", "status", "cut"];

/// The query.
pub fn query(query: &Query) -> Result<String, Unsayable> {
    let mut clauses = Vec::with_capacity(query.terms.len());
    for term in &query.terms {
        let (clause, wanted) = match term {
            Term::Text { text, wanted } => (format!("message:{}", words(text)?), *wanted),
            Term::Line { regex, .. } => return Err(no_line(regex)),
            Term::Level { levels, none, wanted } => {
                let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
                match (names.as_slice(), none) {
                    // none of them: no line is
                    ([], false) => ("*:*".to_owned(), !*wanted),
                    ([], true) => ("_exists_:detected_level".to_owned(), !*wanted),
                    ([name], _) => (format!("detected_level:{name}"), *wanted),
                    _ => (format!("detected_level:({})", names.join(" OR ")), *wanted),
                }
            }
            Term::Field { key, test, wanted } => field(key, test, *wanted)?,
        };
        clauses.push(if wanted { clause } else { format!("NOT {clause}") });
    }
    if clauses.is_empty() { Ok("*:*".to_owned()) } else { Ok(clauses.join(" AND ")) }
}

fn no_line(regex: &str) -> Unsayable {
    Unsayable {
        why: format!(
            "\"{regex}\": this store knows the words of a line, and finds no regular expression in it"
        ),
        hint: "look for a word, time* for its beginning, or key=~regex for a field".to_owned(),
    }
}

/// The text behind `message:`.
fn words(text: &Pattern) -> Result<String, Unsayable> {
    let Some(exact) = text.as_exact() else {
        let word = |part: &String| part.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !text.parts().iter().all(word) {
            return Err(Unsayable {
                why: format!("{}: this store finds * within one word only", text.parts().join("*")),
                hint: "put * at the end of a word without signs, or the text into quotes".to_owned(),
            });
        }
        return Ok(text.parts().join("*"));
    };
    if !exact.chars().any(char::is_alphanumeric) {
        return Err(Unsayable {
            why: format!("\"{exact}\" holds no word, and this store knows only the words of a line"),
            hint: "look for a word beside it, or for a field".to_owned(),
        });
    }
    Ok(value(exact))
}

fn field(key: &str, test: &Test, wanted: bool) -> Result<(String, bool), Unsayable> {
    let name = name(key);
    Ok(match test {
        Test::Is(pattern) => match pattern.as_exact() {
            Some("") => (format!("_exists_:{name}"), !wanted),
            Some(text) => (format!("{name}:{}", value(text)), wanted),
            None if pattern.is_anything() => (format!("_exists_:{name}"), wanted),
            None => (format!("{name}:{}", wild(pattern)), wanted),
        },
        Test::Fits(regex) => {
            let regex = regular::of_lucene(regex).map_err(|why| Unsayable {
                why: format!("{key}=~{regex}: {why}"),
                hint: "this store's expressions always fit the whole value, and look at nothing around it"
                    .to_owned(),
            })?;
            (format!("{name}:/{}/", regex.replace('/', "\\/")), wanted)
        }
        Test::Number(relation, number) => {
            if !NUMBERS.contains(&key) {
                return Err(Unsayable {
                    why: format!("{key} is kept as words in this store, and cannot be compared as a number"),
                    hint: format!("these are numbers: {}; {key}=… compares words", NUMBERS.join(", ")),
                });
            }
            // what has no such number is neither above nor below: the opposite is the opposite relation
            let relation = if wanted { *relation } else { relation.opposite() };
            (format!("{name}:{}", range(relation, number)), true)
        }
    })
}

/// A minus cannot stand behind `>`.
fn range(relation: Relation, number: &str) -> String {
    if !number.starts_with('-') {
        return format!("{}{number}", relation.sign());
    }
    match relation {
        Relation::Above => format!("{{{number} TO *}}"),
        Relation::From => format!("[{number} TO *}}"),
        Relation::Below => format!("{{* TO {number}}}"),
        Relation::UpTo => format!("{{* TO {number}]"),
    }
}

/// Where the documents have it.
fn name(key: &str) -> String {
    let known = ORIGIN.iter().find(|(name, _)| *name == key).map(|(_, field)| (*field).to_owned());
    let name = known.unwrap_or_else(|| match key.strip_prefix("labels.") {
        Some(label) => format!("kubernetes.labels.{label}"),
        None if SHORT.contains(&key) || key.starts_with("fields.") || key.starts_with("kubernetes.") => {
            key.to_owned()
        }
        None => format!("fields.{key}"),
    });
    name.replace('/', "\\/")
}

/// A value: one word as it is, everything else in quotes.
fn value(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    // their meaning is only that of whole words in capitals
    if plain && !["AND", "OR", "NOT", "TO"].contains(&text) { text.to_owned() } else { literal(text) }
}

/// In quotes.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A value with something in between.
fn wild(pattern: &Pattern) -> String {
    let parts = pattern.parts();
    if parts.iter().any(|part| part.contains(['<', '>'])) {
        let parts: Vec<String> = parts.iter().map(|part| regular::quoted(part)).collect();
        return format!("/{}/", parts.join(".*").replace('/', "\\/"));
    }
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push('*');
        }
        for c in part.chars() {
            if c.is_whitespace() || "+-=&|!(){}[]^\"~*?:\\/".contains(c) {
                out.push('\\');
            }
            let _ = write!(out, "{c}");
        }
    }
    out
}

/// Newest or oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    Newest,
    /// Oldest first.
    Oldest,
}

/// The body of a request for lines; of their number and of the volume in steps, where one is given.
pub fn request(query: &str, span: Span, order: Order, size: usize, step_seconds: Option<i64>) -> Value {
    let direction = match order {
        Order::Newest => "desc",
        Order::Oldest => "asc",
    };
    let mut body = json!({
        "size": size,
        "track_total_hits": step_seconds.is_some(),
        "query": {"bool": {"filter": [
            {"range": {"@timestamp": {
                "gte": span.from.to_string(), "lt": span.until.to_string(), "format": "strict_date_optional_time_nanos"}}},
            {"query_string": {"query": query, "default_field": "message", "default_operator": "AND"}},
        ]}},
        "sort": [
            {"@timestamp": {"order": direction, "unmapped_type": "date_nanos"}},
            // lines of one moment in their order
            {"seq": {"order": direction, "unmapped_type": "long", "missing": "_last"}},
        ],
    });
    if let Some(step) = step_seconds {
        body["aggs"] = json!({"volume": {"date_histogram": {"field": "@timestamp", "fixed_interval": format!("{step}s"), "min_doc_count": 1}}});
    }
    body
}
