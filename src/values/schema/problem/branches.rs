//! `anyOf` and `oneOf`: what to say when no branch fits.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::super::super::pointer;
use super::super::{nodes, secret, words};
use super::condition::{only_required, wrong_kind};
use super::{Explainer, Problem};

type Branches = [Vec<ValidationError<'static>>];

impl Explainer<'_> {
    /// In this order: the author's words; "one of a, b is required"; "expected a string or a
    /// list"; the problems of the branch that comes nearest.
    pub(super) fn no_branch(&self, error: &ValidationError<'_>, branches: &Branches) -> Vec<Problem> {
        let at = error.instance_path().as_str();
        let show = !secret::sensitive(self.schema, at, &self.values.tree);
        if let Some(own) = self.custom_message(error) {
            let got = match error.instance().as_ref() {
                scalar if show && !scalar.is_object() && !scalar.is_array() => {
                    format!(", got {}", words::value(scalar))
                }
                _ => String::new(),
            };
            return vec![self.problem(at, own + &got + &self.condition(error), show)];
        }

        let path: Vec<_> = pointer::tokens(error.evaluation_path().as_str()).collect();
        let schemas = nodes::resolve(self.schema, &path).and_then(Value::as_array);
        let schemas = schemas.map(Vec::as_slice).unwrap_or_default();
        if let Some(names) = schemas.iter().map(only_required).collect::<Option<Vec<_>>>() {
            let message = format!("one of {} is required{}", names.join(", "), self.condition(error));
            return vec![self.problem(at, message, show)];
        }
        if branches.iter().all(|errors| errors.iter().any(|e| wrong_kind(e, at))) {
            let expected = words::either(&words::few(expected(branches, at)));
            let message = format!("expected {expected}, got {}", words::found(error.instance(), show));
            return vec![self.problem(at, message + &self.condition(error), show)];
        }

        let Some(best) = nearest(branches, at) else { return Vec::new() };
        let title = schemas.get(best).and_then(|schema| schema.get("title")?.as_str());
        branches[best]
            .iter()
            .flat_map(|error| self.explain(error))
            .map(|mut problem| {
                if let Some(title) = title {
                    problem.message.push_str(&format!(" (as {title})"));
                }
                problem
            })
            .collect()
    }
}

/// What the value itself could be.
fn expected(branches: &Branches, at: &str) -> Vec<String> {
    let mut words = Vec::new();
    let errors = branches.iter().filter_map(|errors| errors.iter().find(|e| wrong_kind(e, at)));
    for error in errors {
        let more: Vec<String> = match error.kind() {
            Kind::Type { kind } => words::types(kind).into_iter().map(str::to_owned).collect(),
            Kind::Constant { expected_value } => vec![words::choice(expected_value)],
            Kind::Enum { options } => options.as_array().into_iter().flatten().map(words::choice).collect(),
            _ => Vec::new(),
        };
        for word in more {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words
}

/// The branch that the author of the values most likely meant: one for this type of value, in
/// which fields that tell branches apart (`const`, `enum`) fit, with the fewest errors.
fn nearest(branches: &Branches, at: &str) -> Option<usize> {
    (0..branches.len()).min_by_key(|i| {
        let errors = &branches[*i];
        let told_apart =
            |e: &&ValidationError<'_>| matches!(e.kind(), Kind::Constant { .. } | Kind::Enum { .. });
        (errors.iter().any(|e| wrong_kind(e, at)), errors.iter().filter(told_apart).count(), errors.len())
    })
}
