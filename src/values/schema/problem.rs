//! From an error of the validator to problems in plain words.

mod branches;
mod condition;
mod hint;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::super::{Pointer, Values, did_you_mean, pointer};
use super::nodes::{self, Nodes};
use super::{secret, words};

/// Longer origins are cut.
const MAX_ORIGIN: usize = 80;

/// What is wrong with one value. Ordered by path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    /// Dotted.
    pub(super) path: String,
    /// Without path and place.
    pub(super) message: String,
    /// Where it was set.
    pub(super) origin: Option<String>,
    /// Where the value is.
    pub(super) at: Pointer,
    /// May the value be shown?
    pub(super) show: bool,
}

/// Knows the schema and the values that errors are about.
pub(super) struct Explainer<'a> {
    schema: &'a Value,
    values: &'a Values,
    validator: &'a Validator,
}

impl<'a> Explainer<'a> {
    pub(super) fn new(schema: &'a Value, values: &'a Values, validator: &'a Validator) -> Self {
        Self { schema, values, validator }
    }

    /// The problems behind one error: one for each unknown key, those of the best branch of an
    /// `anyOf`, and so on.
    pub(super) fn explain(&self, error: &ValidationError<'_>) -> Vec<Problem> {
        let problems = self.explain_kind(error);
        if problems.is_empty() {
            // Whatever the validator refuses must not pass because we found no words for it.
            let message = format!("does not fit the schema ({})", error.kind().keyword());
            return vec![self.problem(error.instance_path().as_str(), message, false)];
        }
        problems
    }

    fn explain_kind(&self, error: &ValidationError<'_>) -> Vec<Problem> {
        let at = error.instance_path().as_str();
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|key| self.unknown_key(at, key)).collect()
            }
            // The validator's short form of `additionalProperties: false` without `properties`.
            Kind::FalseSchema if last_token(error).ends_with("Properties") => {
                // Its instance is the first value below, not the map that its path names.
                let map = self.values.tree.pointer(at).and_then(Value::as_object);
                let keys = map.into_iter().flat_map(|map| map.keys());
                keys.map(|key| self.unknown_key(at, key)).collect()
            }
            Kind::Required { property } => vec![self.required(error, property.as_str().unwrap_or_default())],
            Kind::PropertyNames { error: inner } => vec![self.bad_key(error, inner)],
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.no_branch(error, context),
            _ => {
                let show = !secret::sensitive(self.schema, at, &self.values.tree);
                vec![self.problem(at, self.message(error, show) + &self.condition(error), show)]
            }
        }
    }

    /// A problem at `at`; with `show` false the origin does not show the value of its flag.
    fn problem(&self, at: &str, message: String, show: bool) -> Problem {
        let origin = self.values.origin(at).map(|origin| {
            let text = if show { origin.to_string() } else { origin.masked().to_string() };
            shorten(&text)
        });
        Problem { path: self.values.shown_path(at), message, origin, at: at.to_owned(), show }
    }

    fn unknown_key(&self, at: &str, key: &str) -> Problem {
        let known: Vec<&str> = Nodes::at(self.schema, at, &self.values.tree)
            .last()
            .map(|nodes| nodes.properties().collect())
            .unwrap_or_default();
        let message = match did_you_mean(key, known) {
            Some(near) => format!("unknown key, did you mean {near}?"),
            None => "unknown key".to_owned(),
        };
        // A slip in the name of a secret is still a secret.
        self.problem(&pointer::join(at, key), message, false)
    }

    fn required(&self, error: &ValidationError<'_>, key: &str) -> Problem {
        let at = pointer::join(error.instance_path().as_str(), key);
        let deleted = self.values.origins.contains_key(&at);
        let condition = self.condition(error) + &self.dependent(error, key);
        let message = match (deleted, condition.as_str()) {
            (true, condition) => format!("required{condition}, but deleted"),
            (false, "") => "required, but not set".to_owned(),
            (false, condition) => format!("required{condition}"),
        };
        // Worth pointing to: the map of the user's in which it is missing.
        let user = self.values.origin(&at).is_some_and(|origin| origin.source.is_user());
        let somewhere = deleted || !error.instance_path().as_str().is_empty();
        let problem = self.problem(&at, message, false);
        Problem { origin: problem.origin.filter(|_| user && somewhere), ..problem }
    }

    fn bad_key(&self, error: &ValidationError<'_>, inner: &ValidationError<'_>) -> Problem {
        let key = inner.instance().as_str().unwrap_or_default().to_owned();
        let own = self.custom_message(error);
        let message = match own {
            Some(own) => format!("not allowed as a key: {own}"),
            None => format!("not allowed as a key: {}", self.message(inner, true)),
        };
        self.problem(&pointer::join(error.instance_path().as_str(), &key), message, false)
    }

    /// What is wrong, for errors about one value.
    fn message(&self, error: &ValidationError<'_>, show: bool) -> String {
        let value: &Value = error.instance();
        let shown = if show { words::value(value) } else { "the value".to_owned() };
        match error.kind() {
            Kind::Type { kind } => {
                let types = words::types(kind);
                // where a Secret is to be named, people put what should be in it
                let show = show && !(value.is_string() && types.contains(&words::MAP));
                format!("expected {}, got {}", words::either(&types), words::found(value, show))
            }
            Kind::Minimum { limit } => format!("{shown} is less than {limit}"),
            Kind::Maximum { limit } => format!("{shown} is more than {limit}"),
            Kind::ExclusiveMinimum { limit } => format!("{shown} is not more than {limit}"),
            Kind::ExclusiveMaximum { limit } => format!("{shown} is not less than {limit}"),
            Kind::MultipleOf { multiple_of } => format!("{shown} is not a multiple of {multiple_of}"),
            Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => {
                "must not be empty".to_owned()
            }
            Kind::MinLength { limit } => {
                format!("{shown} is shorter than {}", words::count(*limit, "character"))
            }
            Kind::MaxLength { limit } => {
                format!("{shown} is longer than {}", words::count(*limit, "character"))
            }
            Kind::MinItems { limit } => {
                format!("has {}, at least {limit} are needed", words::count(length(value), "item"))
            }
            Kind::MaxItems { limit } => {
                format!("has {}, at most {limit} may be given", words::count(length(value), "item"))
            }
            Kind::AdditionalItems { limit } => {
                format!("has {}, at most {limit} may be given", words::count(length(value), "item"))
            }
            Kind::UnevaluatedItems { .. } => "has more items than may be given".to_owned(),
            Kind::MinProperties { limit } => {
                format!("has {}, at least {limit} are needed", words::count(length(value), "key"))
            }
            Kind::MaxProperties { limit } => {
                format!("has {}, at most {limit} may be given", words::count(length(value), "key"))
            }
            Kind::UniqueItems => repeated(value),
            Kind::FalseSchema => "not allowed here".to_owned(),
            Kind::Enum { options } => Self::not_one_of(value, options, &shown, show),
            _ => match self.custom_message(error) {
                Some(own) if show && !value.is_object() && !value.is_array() => format!("{own}, got {shown}"),
                Some(own) => own,
                None => self.value_message(error, &shown, show),
            },
        }
    }

    /// The keywords for which an author's own words are better than ours.
    fn value_message(&self, error: &ValidationError<'_>, shown: &str, show: bool) -> String {
        match error.kind() {
            Kind::Constant { expected_value } => format!("must be {}", words::choice(expected_value)),
            Kind::Pattern { pattern } => match self.text_beside(error, "description") {
                Some(description) => format!("{shown} does not fit: {description}"),
                None => format!("{shown} does not match the pattern {pattern}"),
            },
            Kind::Format { format } => format!("{shown} is not {}", words::format(format)),
            Kind::Not { schema } if show => condition::forbidden(schema),
            Kind::Not { .. } => "has a form that is not allowed".to_owned(),
            Kind::Contains => "no item is as one must be".to_owned(),
            Kind::OneOfMultipleValid { .. } => self.several_branches(error),
            Kind::ContentEncoding { content_encoding } => format!("{shown} is not {content_encoding}"),
            Kind::ContentMediaType { content_media_type } => format!("{shown} is not {content_media_type}"),
            Kind::Custom { message, .. } => message.clone(),
            _ => format!("does not fit the schema ({})", error.kind().keyword()),
        }
    }

    fn not_one_of(value: &Value, options: &Value, shown: &str, show: bool) -> String {
        let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
        let near = value
            .as_str()
            .filter(|_| show)
            .and_then(|word| did_you_mean(word, options.iter().filter_map(Value::as_str)));
        let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
        match options {
            [only] => format!("must be {}{near}", words::choice(only)),
            _ => format!("{shown} is not one of {}{near}", words::choices(options)),
        }
    }

    /// `x-message` beside the keyword that failed.
    fn custom_message(&self, error: &ValidationError<'_>) -> Option<String> {
        self.text_beside(error, "x-message")
    }

    /// The first line of a text beside the keyword that failed, without a full stop.
    fn text_beside(&self, error: &ValidationError<'_>, keyword: &str) -> Option<String> {
        let path: Vec<_> = pointer::tokens(error.evaluation_path().as_str()).collect();
        let (_, node) = path.split_last()?;
        // propertyNames reports the place of the keyword inside it
        let node = match error.kind() {
            Kind::PropertyNames { .. } => nodes::resolve(self.schema, node)
                .filter(|node| node.get(keyword).is_some())
                .or_else(|| nodes::resolve(self.schema, &node[..node.len().checked_sub(1)?])),
            _ => nodes::resolve(self.schema, node),
        };
        let text = node?.get(keyword)?.as_str()?.lines().next()?;
        Some(text.trim().trim_end_matches('.').to_owned())
    }
}

fn last_token(error: &ValidationError<'_>) -> String {
    let path = error.evaluation_path();
    pointer::tokens(path.as_str()).last().unwrap_or_default().into_owned()
}

fn length(value: &Value) -> u64 {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    length as u64
}

fn repeated(value: &Value) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    for (second, item) in items.iter().enumerate() {
        if let Some(first) = items[..second].iter().position(|other| other == item) {
            return format!("items {first} and {second} are the same");
        }
    }
    "has an item twice".to_owned()
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_ORIGIN {
        return text.to_owned();
    }
    text.chars().take(MAX_ORIGIN).chain(['…']).collect()
}
