//! Values against their JSON schema (draft 2020-12): every problem with its path, what is wrong in
//! plain words, and where the value was set. Values of `writeOnly` nodes are never shown.
//!
//! A schema may say `x-message` beside a keyword: "must be a duration such as 15d".

mod nodes;
mod problem;
mod secret;
mod words;

use jsonschema::{Draft, Validator};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::Values;
use crate::error::{Error, Result};
use problem::{Explainer, Problem};

pub use secret::{mask, mask_at, mask_unjudged, places, secrets};

/// Problems in one error; the rest is counted.
const MAX_PROBLEMS: usize = 20;
/// Space between a problem and its origin.
const GAP: usize = 5;
/// Problems longer than this do not push the origins of the others to the right.
const MAX_COLUMN: usize = 72;

/// Checks `values`. The error lists all problems; `title` is what they are values for, such as
/// `bundle prometheus 1.0.0`. A schema that is itself invalid is an error too, which says so.
pub fn check(schema: &Value, values: &Values, title: &str) -> Result<()> {
    let validator = compile(schema, title)?;
    let explainer = Explainer::new(schema, values, &validator);
    let mut problems: Vec<Problem> =
        validator.iter_errors(&values.tree).flat_map(|error| explainer.explain(&error)).collect();
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    problems.dedup_by(|a, b| a.path == b.path && a.message == b.message);

    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    let mut details = table(&problems);
    if more > 0 {
        details.push_str(&format!("\nand {more} more"));
    }
    let mut hints: Vec<String> = problems.iter().filter_map(|problem| explainer.hint(problem)).collect();
    hints.dedup();
    let error = Error::usage(format!("values are not valid for {title}")).detail(details);
    Err(hints.into_iter().fold(error, Error::hint))
}

/// Is the schema one that values can be checked against? For `bundle lint`.
pub fn check_schema(schema: &Value, title: &str) -> Result<()> {
    compile(schema, title).map(drop)
}

/// Nothing is fetched: a reference out of the schema is an error.
fn compile(schema: &Value, title: &str) -> Result<Validator> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .offline()
        .build(schema)
        .map_err(|e| {
            let place = match e.instance_path().as_str() {
                "" => String::new(),
                path => format!(" at {path}"),
            };
            Error::usage(format!("the values schema of {title} is not valid{place}: {e}"))
                .hint("this is a fault of the bundle, not of your values")
        })
}

/// `path: message     origin`, the origins in one column.
fn table(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
    let column = lines.iter().map(|line| line.width()).filter(|width| *width <= MAX_COLUMN).max();
    let column = column.unwrap_or_default();
    let rows = lines.iter().zip(problems).map(|(line, problem)| match &problem.origin {
        Some(origin) => {
            let space = column.saturating_sub(line.width()) + GAP;
            format!("{line}{}{origin}", " ".repeat(space))
        }
        None => line.clone(),
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
