//! Template errors for people: what is wrong, the line of the template with a caret below the
//! expression, and the nearest key that exists. Never the value of anything: minijinja's own
//! debug output prints the variables around an error, secrets included, and is not used.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error as Cause, ErrorKind};

use super::engine::{FUEL, MAX_OUTPUT};
use super::filters::Complaint;
use crate::error::Error;
use crate::values::did_you_mean;

/// The error at the bottom of a chain of includes and blocks: the one that names the line.
pub fn innermost(err: &Cause) -> &Cause {
    let mut current = err;
    while let Some(next) = std::error::Error::source(current).and_then(|e| e.downcast_ref::<Cause>()) {
        current = next;
    }
    current
}

/// `place` is `file:line`, `source` the template's text, with lines that are `numbered`, or that of
/// an expression somewhere in a bundle.yaml.
pub fn explain(err: &Cause, place: &str, source: &str, context: Option<&Value>, numbered: bool) -> Error {
    let snippet = snippet(err, source, numbered);
    let with_snippet = |out: Error| match &snippet {
        Some(text) => out.detail(text),
        None => out,
    };
    // fail() and our own filters speak for themselves
    if let Some(complaint) = std::error::Error::source(err).and_then(|e| e.downcast_ref::<Complaint>()) {
        let out = Error::usage(format!("{place}: {}", complaint.0));
        return if complaint.1 { out } else { with_snippet(out) };
    }
    let undefined = match (err.kind(), context) {
        (ErrorKind::UndefinedError, Some(context)) => {
            let line = err.line().and_then(|number| source.lines().nth(number - 1)).unwrap_or_default();
            undefined_name(err.detail().unwrap_or_default(), line, context)
        }
        _ => None,
    };
    let (message, hint) = match undefined {
        Some((name, near)) => (format!("`{name}` is undefined"), near.or_else(|| undefined_hint(&name))),
        None => (message(err), hint(err)),
    };
    let out = with_snippet(Error::usage(format!("{place}: {message}")));
    match hint {
        Some(hint) => out.hint(hint),
        None => out,
    }
}

fn message(err: &Cause) -> String {
    let detail = err.detail().unwrap_or_default();
    match err.kind() {
        ErrorKind::OutOfFuel => format!("the templates do too much work (more than {FUEL} steps)"),
        ErrorKind::WriteFailure => format!("the templates write more than {} MiB", MAX_OUTPUT >> 20),
        ErrorKind::UndefinedError if detail.is_empty() => "an undefined value is used".to_owned(),
        ErrorKind::UndefinedError | ErrorKind::SyntaxError => detail.to_owned(),
        ErrorKind::TemplateNotFound => format!("{detail} (only files in templates/ can be imported)"),
        // minijinja puts the operands into this one
        _ if detail.starts_with("unable to calculate") => "the calculation has no result".to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        _ => detail.to_owned(),
    }
}

/// The line with a caret below the expression, as rustc shows it.
fn snippet(err: &Cause, source: &str, numbered: bool) -> Option<String> {
    let number = err.line()?;
    let line = source.lines().nth(number - 1)?;
    let gutter = if numbered { number.to_string() } else { String::new() };
    let start = source.split_inclusive('\n').take(number - 1).map(str::len).sum::<usize>();
    // the range may reach over several lines, or be unknown
    let marked = err.range().and_then(|range| {
        let from = range.start.checked_sub(start)?;
        let to = (range.end.checked_sub(start)?).min(line.len());
        (from < to).then_some((line.get(..from)?, line.get(from..to)?))
    });
    let (before, marked) = marked.unwrap_or_else(|| line.split_at(line.len() - line.trim_start().len()));
    let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let caret = format!("{indent}{}", "^".repeat(marked.chars().count().max(1)));
    let pad = " ".repeat(gutter.len());
    let rows = [format!("{pad} |"), format!("{gutter} | {line}"), format!("{pad} | {caret}")];
    Some(rows.join("\n"))
}

/// The name that is undefined, and the nearest one that exists. minijinja names it in `detail`
/// when the template uses it directly; when a filter got it, it is looked for in the line.
fn undefined_name(detail: &str, line: &str, context: &Value) -> Option<(String, Option<String>)> {
    if let Some(name) = detail.split('`').nth(1) {
        return Some((name.to_owned(), walk(name, context).and_then(|near| near)));
    }
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let names = words
        .filter(|word| ["values.", "global.", "peers.", "facts."].iter().any(|root| word.starts_with(root)));
    names
        .map(|name| name.trim_end_matches('.'))
        .find_map(|name| Some((name.to_owned(), walk(name, context)?)))
}

/// None when `name` exists; else a hint with the nearest name, if there is one.
fn walk(name: &str, context: &Value) -> Option<Option<String>> {
    let mut at = context.clone();
    let mut walked = String::new();
    for part in name.split('.') {
        match at.get_attr(part).ok().filter(|value| !value.is_undefined()) {
            Some(next) => at = next,
            None if at.kind() != ValueKind::Map => return Some(None),
            None => {
                let keys: Vec<String> =
                    at.try_iter().ok()?.filter_map(|k| k.as_str().map(str::to_owned)).collect();
                let near = did_you_mean(part, keys.iter().map(String::as_str));
                return Some(near.map(|near| format!("did you mean `{walked}{near}`?")));
            }
        }
        walked.push_str(part);
        walked.push('.');
    }
    None
}

fn undefined_hint(name: &str) -> Option<String> {
    let hint = format!("declare it in values.yaml, or test it first: {{% if {name} is defined %}}");
    name.starts_with("values.").then_some(hint)
}

fn hint(err: &Cause) -> Option<String> {
    let detail = err.detail().unwrap_or_default();
    let helm = ["quote", "squote", "toYaml", "nindent", "tpl", "required"];
    match err.kind() {
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => {
            Some("a loop in the template is too large; bundles that need more are not supported".to_owned())
        }
        ErrorKind::UnknownFilter if helm.iter().any(|name| detail.split(' ').any(|word| word == *name)) => {
            Some("values are written as JSON: quotes and indentation come by themselves, as in args: ${{ values.args }}".to_owned())
        }
        _ => None,
    }
}
