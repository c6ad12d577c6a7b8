//! Where a field is: a chain of hops that lives on the stack during the walk, and becomes steps that
//! can be kept, and text, only when there is something to report.

use serde_json::Value;

use super::keys;

/// One step down to a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Into a map.
    Key(String),
    /// Into a list, to the item with these values of these fields (`metadata.name` is one field).
    Item(Vec<(String, Value)>),
    /// Into a list, by position.
    Index(usize),
}

impl Step {
    /// What this step leads to.
    pub fn find<'v>(&self, parent: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Key(key) => parent.get(key),
            Self::Item(fields) => parent
                .as_array()?
                .iter()
                .find(|item| fields.iter().all(|(key, value)| keys::value(item, key) == Some(value))),
            Self::Index(i) => parent.get(i),
        }
    }
}

impl Step {
    /// What this step leads to.
    pub fn find_mut<'v>(&self, parent: &'v mut Value) -> Option<&'v mut Value> {
        match (self, parent) {
            (Self::Key(key), parent) => parent.get_mut(key),
            (_, parent) => {
                let found = self.find(parent)?;
                let place = parent.as_array()?.iter().position(|item| std::ptr::eq(item, found))?;
                parent.get_mut(place)
            }
        }
    }
}

/// What stands in `object` where these steps lead.
pub fn at<'v>(object: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(object, |value, step| step.find(value))
}

/// `spec.template.spec.containers[grafana].image`, `metadata.annotations[kubectl-obs.dev/config]`
pub fn path_text(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Key(key) => {
                let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
                match (plain && !key.is_empty(), out.is_empty()) {
                    (true, false) => out.extend([".", key]),
                    (true, true) => out.push_str(key),
                    (false, _) => out.extend(["[", key, "]"]),
                }
            }
            Step::Item(fields) => {
                out.extend(["[", &label_of(fields.iter().map(|(_, value)| value)), "]"]);
            }
            Step::Index(i) => out.extend(["[", &i.to_string(), "]"]),
        }
    }
    out
}

/// One step down, borrowed from the objects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hop<'a> {
    /// Into a map.
    Key(&'a str),
    /// Into a list, to the item with these values of these fields.
    Item(&'a Value, &'static [&'static str]),
    /// Into a list, by position.
    Index(usize),
}

/// A chain of hops; None is the object itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    pub parent: Option<&'a Path<'a>>,
    pub hop: Hop<'a>,
}

impl<'a> Path<'a> {
    /// The map key of this hop; None in lists.
    pub fn key(&self) -> Option<&'a str> {
        match self.hop {
            Hop::Key(key) => Some(key),
            Hop::Item(..) | Hop::Index(_) => None,
        }
    }

    /// The first hop: the field of the object itself.
    pub fn root(&self) -> Option<&'a str> {
        let mut path = self;
        while let Some(parent) = path.parent {
            path = parent;
        }
        path.key()
    }

    /// Number of hops.
    pub fn depth(&self) -> usize {
        1 + self.parent.map_or(0, Path::depth)
    }

    /// The same, to be kept.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = self.parent.map(Path::steps).unwrap_or_default();
        steps.push(match self.hop {
            Hop::Key(key) => Step::Key(key.to_owned()),
            Hop::Item(item, keys) => Step::Item(
                keys.iter()
                    .filter_map(|key| Some(((*key).to_owned(), keys::value(item, key)?.clone())))
                    .collect(),
            ),
            Hop::Index(i) => Step::Index(i),
        });
        steps
    }
}

/// `grafana`, `3000/TCP`: the item's key values.
pub(super) fn label(item: &Value, keys: &[&str]) -> String {
    label_of(keys.iter().filter_map(|key| keys::value(item, key)))
}

fn label_of<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    let values: Vec<String> =
        values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
    values.join("/")
}
