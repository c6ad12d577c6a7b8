//! Where a field is: a chain of steps that lives on the stack during the walk and becomes text only
//! when there is something to report.

use std::fmt;

use serde_json::Value;

/// One step down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    /// Into a map.
    Key(&'a str),
    /// Into a list, to the item with these values of these fields.
    Item(&'a Value, &'static [&'static str]),
    /// Into a list, by position.
    Index(usize),
}

/// A chain of steps; None is the object itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    pub parent: Option<&'a Path<'a>>,
    pub step: Step<'a>,
}

impl<'a> Path<'a> {
    /// The map key of this step; None in lists.
    pub fn key(&self) -> Option<&'a str> {
        match self.step {
            Step::Key(key) => Some(key),
            Step::Item(..) | Step::Index(_) => None,
        }
    }

    /// The key of the step above.
    pub fn parent_key(&self) -> Option<&'a str> {
        self.parent.and_then(Path::key)
    }

    /// The first step: the field of the object itself.
    pub fn root(&self) -> Option<&'a str> {
        let mut path = self;
        while let Some(parent) = path.parent {
            path = parent;
        }
        path.key()
    }

    /// Number of steps.
    pub fn depth(&self) -> usize {
        1 + self.parent.map_or(0, Path::depth)
    }
}

impl fmt::Display for Path<'_> {
    /// `spec.template.spec.containers[grafana].image`, `metadata.annotations[kubectl-obs.dev/config]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Key(key) => {
                let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
                match (plain && !key.is_empty(), self.parent.is_some()) {
                    (true, true) => write!(f, ".{key}"),
                    (true, false) => f.write_str(key),
                    (false, _) => write!(f, "[{key}]"),
                }
            }
            Step::Item(item, keys) => write!(f, "[{}]", label(item, keys)),
            Step::Index(i) => write!(f, "[{i}]"),
        }
    }
}

/// `grafana`, `3000/TCP`: the item's key values.
pub(super) fn label(item: &Value, keys: &[&str]) -> String {
    let values: Vec<String> = keys
        .iter()
        .filter_map(|key| super::keys::value(item, key))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    values.join("/")
}
