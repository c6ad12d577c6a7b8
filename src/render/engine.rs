//! The template engine: minijinja with `${{ … }}`, values written as JSON (which is YAML), and
//! limits. It has no loader and no access to anything but the values it is given.

use std::collections::BTreeSet;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, syntax::SyntaxConfig};
use serde_json::Value as Json;

use super::{filters, snippet};
use crate::Result;
use crate::bundle::Bundle;
use crate::error::Error;
use crate::escape;
use crate::values::pointer;

/// Steps that the templates of one component may take together.
pub const FUEL: u64 = 1_000_000;
/// Bytes that the templates of one component may write together.
pub const MAX_OUTPUT: usize = 8 << 20;
/// Nesting of macros, imports and blocks; far below what the smallest stack carries.
const RECURSION: usize = 100;

/// What an expression in mixed text is called: its strings are written without quotes.
const TEXT: &str = "<text>";
/// Rendered as text for people, not as YAML.
pub const NOTES: &str = "NOTES.txt";

/// The environment of one component: its templates, compiled.
pub struct Engine<'a> {
    env: Environment<'a>,
    label: &'a str,
    fuel: u64,
    output: usize,
}

impl<'a> Engine<'a> {
    /// Compiles the templates of `bundle`.
    pub fn new(bundle: &'a Bundle) -> Result<Self> {
        let mut engine = Self::bare(bundle.label());
        let notes = bundle.text(NOTES).map(|text| (NOTES, text));
        for (path, text) in bundle.texts("templates/", &[".yaml"]).chain(notes) {
            if let Err(err) = engine.env.add_template(path, text) {
                return Err(engine.error(&err, path, text, None));
            }
        }
        Ok(engine)
    }

    /// An environment without templates, for the expressions of a bundle.yaml.
    pub fn bare(label: &'a str) -> Self {
        let mut env = Environment::new();
        let syntax = SyntaxConfig::builder()
            .variable_delimiters("${{", "}}")
            .block_delimiters("{%", "%}")
            .comment_delimiters("{#", "#}")
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build();
        #[expect(clippy::expect_used, reason = "the delimiters are constants: it fails always or never")]
        env.set_syntax(syntax.expect("the delimiters differ"));
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_recursion_limit(RECURSION);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|name| match name {
            NOTES | TEXT => AutoEscape::None,
            _ => AutoEscape::Json,
        });
        env.set_formatter(write_value);
        // `{% import "_macros.yaml" %}` means the file beside the importing one
        env.set_path_join_callback(|name, parent| match parent.rsplit_once('/') {
            Some((folder, _)) if !name.contains('/') => format!("{folder}/{name}").into(),
            _ => name.into(),
        });
        filters::install(&mut env);
        Self { env, label, fuel: FUEL, output: MAX_OUTPUT }
    }

    /// Renders one template. Fuel and output are shared with those rendered before.
    pub fn render(&mut self, path: &str, context: &Value) -> Result<String> {
        self.env.set_fuel(Some(self.fuel));
        let mut sink = Sink { bytes: Vec::new(), left: self.output };
        let template = self.env.get_template(path).map_err(|err| self.error(&err, path, "", None))?;
        match template.render_captured_to(context.clone(), &mut sink) {
            Ok(captured) => {
                let left = captured.state().fuel_levels().map_or(0, |(_, left)| left);
                drop(captured);
                (self.fuel, self.output) = (left, sink.left);
            }
            Err(err) => return Err(self.error(&err, path, template.source(), Some(context))),
        }
        Ok(String::from_utf8_lossy(&sink.bytes).into_owned())
    }

    /// The names that each template reads, as paths with dots, for lint.
    pub fn used_names(&self) -> Vec<(String, BTreeSet<String>)> {
        let templates = self.env.templates();
        let mut out: Vec<_> = templates
            .map(|(path, template)| {
                (path.to_owned(), template.undeclared_variables(true).into_iter().collect())
            })
            .collect();
        out.sort();
        out
    }

    /// The names that texts with `${{ }}` or bare expressions read, for lint.
    pub fn names_in(&self, texts: &[String]) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for text in texts {
            if let Ok(expression) = self.env.compile_expression(whole_expression(text).unwrap_or(text).trim())
            {
                out.extend(expression.undeclared_variables(true));
            } else if let Ok(template) = self.env.template_from_named_str(TEXT, text) {
                out.extend(template.undeclared_variables(true));
            }
        }
        out
    }

    /// The value of an expression (without `${{ }}`). `place` is `file:line` of where it stands.
    pub fn expression(&self, source: &str, context: &Value, place: &str) -> Result<Json> {
        let source = source.trim();
        let fail = |err| expression_error(&err, source, context, place);
        let value = self.env.compile_expression(source).map_err(fail)?.eval(context.clone()).map_err(fail)?;
        if value.is_undefined() {
            let err = minijinja::Error::new(ErrorKind::UndefinedError, format!("`{source}` is undefined"));
            return Err(expression_error(&err, source, context, place));
        }
        to_json(&value).map_err(fail)
    }

    /// Is the expression true? Undefined is an error, so that a misspelled key is seen.
    pub fn condition(&self, source: &str, context: &Value, place: &str) -> Result<bool> {
        let inner = whole_expression(source).unwrap_or(source);
        let value = self.expression(inner, context, place)?;
        Ok(from_json(&value).is_true())
    }

    /// A tree with its `${{ }}` evaluated. A string that is one expression as a whole becomes that
    /// value; in mixed text each expression becomes text. `place` gives `file:line` for a pointer.
    pub fn tree(
        &self,
        tree: &Json,
        context: &Value,
        at: &str,
        place: &dyn Fn(&str) -> String,
    ) -> Result<Json> {
        Ok(match tree {
            Json::Object(map) => {
                let mut out = serde_json::Map::new();
                for (key, value) in map {
                    let at = pointer::join(at, key);
                    out.insert(key.clone(), self.tree(value, context, &at, place)?);
                }
                Json::Object(out)
            }
            Json::Array(list) => {
                let mut out = Vec::with_capacity(list.len());
                for (i, value) in list.iter().enumerate() {
                    out.push(self.tree(value, context, &format!("{at}/{i}"), place)?);
                }
                Json::Array(out)
            }
            Json::String(text) if text.contains("${{") => match whole_expression(text) {
                Some(inner) if self.env.compile_expression(inner.trim()).is_ok() => {
                    self.expression(inner, context, &place(at))?
                }
                _ => Json::String(self.text(text, context, &place(at))?),
            },
            other => other.clone(),
        })
    }

    fn text(&self, source: &str, context: &Value, place: &str) -> Result<String> {
        let fail = |err| expression_error(&err, source, context, place);
        let template = self.env.template_from_named_str(TEXT, source).map_err(fail)?;
        let mut sink = Sink { bytes: Vec::new(), left: MAX_OUTPUT };
        template.render_captured_to(context.clone(), &mut sink).map_err(fail)?;
        Ok(String::from_utf8_lossy(&sink.bytes).into_owned())
    }

    /// The message for a template's error, with the line it is in.
    fn error(&self, err: &minijinja::Error, path: &str, source: &str, context: Option<&Value>) -> Error {
        let err = snippet::innermost(err);
        // a macro fails in the file that defines it
        let file = err.name().unwrap_or(path);
        let other = self.env.get_template(file).ok();
        let source = other.as_ref().map_or(source, |template| template.source());
        let line = err.line().map(|line| format!(":{line}")).unwrap_or_default();
        snippet::explain(err, &format!("{}/{file}{line}", self.label), source, context, true)
    }
}

fn expression_error(err: &minijinja::Error, source: &str, context: &Value, place: &str) -> Error {
    snippet::explain(snippet::innermost(err), place, source, Some(context), false)
}

/// `${{ inner }}` and nothing beside it.
fn whole_expression(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${{")?.strip_suffix("}}")
}

/// JSON to template values.
pub fn from_json(value: &Json) -> Value {
    Value::from(Serde(value))
}

/// Template values to JSON. Undefined values inside, which would silently become null, are errors.
pub fn to_json(value: &Value) -> Result<Json, minijinja::Error> {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::Undefined => {
            Err(minijinja::Error::new(ErrorKind::UndefinedError, "a part of the value is undefined"))
        }
        ValueKind::Map => {
            let mut out = serde_json::Map::new();
            for key in value.try_iter()? {
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None => key.to_string(),
                };
                out.insert(name, to_json(&value.get_item(&key)?)?);
            }
            Ok(Json::Object(out))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| to_json(&item)).collect::<Result<_, _>>().map(Json::Array)
        }
        ValueKind::Invalid => {
            Err(value.get_attr("").err().unwrap_or_else(|| ErrorKind::BadSerialization.into()))
        }
        ValueKind::Bytes => Err(minijinja::Error::new(
            ErrorKind::BadSerialization,
            "the file is not text; use b64encode (binaryData of a ConfigMap takes it)",
        )),
        ValueKind::Plain => {
            Err(minijinja::Error::new(ErrorKind::BadSerialization, "a macro or function is not a value"))
        }
        _ => serde_json::to_value(value)
            .map_err(|_| minijinja::Error::new(ErrorKind::BadSerialization, "the number has no JSON form")),
    }
}

/// Writes a value into a template's output: as JSON, or in text plainly.
fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    let plain = value.is_safe() || matches!(state.auto_escape(), AutoEscape::None);
    match value.as_str() {
        Some(text) if plain => out.write_str(text)?,
        // YAML refuses some characters that JSON has as they are
        _ => out.write_str(&escape::document(&to_json(value)?.to_string()))?,
    }
    Ok(())
}

/// Collects output up to a limit.
struct Sink {
    bytes: Vec<u8>,
    left: usize,
}

impl std::io::Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        match self.left.checked_sub(buffer.len()) {
            Some(left) => self.left = left,
            None => return Err(std::io::Error::other("too much output")),
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
