//! Differences between objects, field by field, and their text. Pure.
//!
//! What decides whether an object changes is the server's answer to a dry-run, compared with the live
//! object value by value ([`Scope::Exact`]). Where that is not to be had, a render is compared with
//! the live object ([`Scope::Desired`]), which errs on the side of a difference: it knows neither the
//! server's defaults nor how it writes values. What is secret is compared and then masked.

mod keys;
mod lines;
mod path;
mod quantity;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use path::{Step, at, path_text};
pub(crate) use quantity::compare as compare_quantities;
pub use text::{Entry, Line, LineKind, Mark, render, text_difference};

use std::ops::ControlFlow;

use serde_json::Value;

use crate::object::MASK;

/// Which fields are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Two states of an object as the server has them: all fields of both, apart from the status and
    /// what the server writes itself.
    Exact,
    /// A render with a live object: only what is desired, every leaf of it as it is written. What
    /// others added stays unmentioned, except in lists that are replaced as a whole.
    Desired,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `spec.template.spec.containers[grafana].image`
    pub path: String,
    /// The same way, step by step.
    pub steps: Vec<Step>,
    /// The live value; None when absent. Of a Secret always the mask.
    pub from: Option<Value>,
    /// The desired value; None when absent. Of a Secret always the mask.
    pub to: Option<Value>,
    /// The value is secret and was masked after the comparison.
    pub secret: bool,
}

/// Does an apply of ours own something of the object's status? Then it is a part like any other.
pub fn writes_status(object: &Value) -> bool {
    walk::writes_status(object)
}

/// The fields in which two objects differ, in the order of the desired one. The order of a list
/// counts. A Secret's `stringData` is compared with `data`.
pub fn fields(live: &Value, desired: &Value, scope: Scope) -> Vec<Change> {
    let mut changes = Vec::new();
    let _ = walk::compare(live, desired, scope, &mut |path, from, to| {
        let secret = walk::is_secret(desired, path) || walk::is_secret(live, path);
        let shown = |value: Option<&Value>| match value {
            Some(_) if secret => Some(Value::String(MASK.to_owned())),
            other => other.cloned(),
        };
        let steps = path.steps();
        changes.push(Change { path: path_text(&steps), steps, from: shown(from), to: shown(to), secret });
        ControlFlow::Continue(())
    });
    changes
}
