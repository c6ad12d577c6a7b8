//! Differences as a person reads them: one line per object, its fields below, config files as line
//! differences. Secrets show only that they change.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Change;
use super::lines::{Edit, edit, hunks};
use crate::object::{ObjectId, labels};

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `+`
    Create,
    /// `~`
    Update,
    /// `±`: deleted and made again.
    Recreate,
    /// `→`: taken over from another manager.
    Adopt,
    /// `-`
    Delete,
    /// `·`: no longer wanted, but it stays.
    Keep,
    /// `!`: another manager has set a field that we set.
    Conflict,
}

impl Mark {
    fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Recreate => '±',
            Self::Adopt => '→',
            Self::Delete => '-',
            Self::Keep => '·',
            Self::Conflict => '!',
        }
    }

    fn kind(self) -> LineKind {
        match self {
            Self::Create => LineKind::Added,
            Self::Delete => LineKind::Removed,
            Self::Conflict => LineKind::Conflict,
            Self::Keep => LineKind::Context,
            Self::Update | Self::Recreate | Self::Adopt => LineKind::Object,
        }
    }
}

/// What a line of a rendered difference is, for colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// The line that names an object.
    Object,
    /// A field, a file name, a note.
    Plain,
    /// Unchanged text around a change.
    Context,
    /// Was added.
    Added,
    /// Was removed.
    Removed,
    /// A conflict with another manager.
    Conflict,
}

/// One line of a rendered difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// The text, without colour and line break.
    pub text: String,
}

/// An object and what happens to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What happens.
    pub mark: Mark,
    /// To which object.
    pub id: ObjectId,
    /// A few words after its name: `ours since revision 2`, `keeps its volume`.
    pub note: Option<String>,
    /// Which fields differ, from [`super::fields`].
    pub changes: Vec<Change>,
    /// Words after a field, by its path: `restarts 1 pod`.
    pub notes: BTreeMap<String, String>,
    /// Who set the live value, by path: `kubectl-edit 3 days ago`. Shown with conflicts and updates.
    pub owners: BTreeMap<String, String>,
    /// What to do about it; lines after the first are commands.
    pub hint: Option<String>,
}

impl Entry {
    /// An entry without notes.
    pub fn new(mark: Mark, id: ObjectId, changes: Vec<Change>) -> Self {
        Self { mark, id, note: None, changes, notes: BTreeMap::new(), owners: BTreeMap::new(), hint: None }
    }
}

/// Unchanged lines around a change of a text.
const CONTEXT: usize = 2;
/// Lines of a text or structure that is new or gone: more says nothing more.
const BLOCK: usize = 40;
/// A change of a short value takes one line when it fits.
const ONE_LINE: usize = 76;

/// Renders objects in the given order.
pub fn render(entries: &[Entry]) -> Vec<Line> {
    let kinds = entries.iter().map(|e| e.id.kind.chars().count()).max().unwrap_or(0).max(12);
    let mut out = Out::default();
    for entry in entries {
        let name = match &entry.id.namespace {
            Some(namespace) => format!("{namespace}/{}", entry.id.name),
            None => entry.id.name.clone(),
        };
        let note = entry.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
        let head = format!("{} {:<kinds$}  {name}{note}", entry.mark.symbol(), entry.id.kind);
        out.line(entry.mark.kind(), head);
        for change in &entry.changes {
            field(&mut out, entry, change);
        }
        for (i, line) in entry.hint.iter().flat_map(|hint| hint.lines()).enumerate() {
            out.line(LineKind::Plain, format!("  {}{line}", if i == 0 { "hint: " } else { "      " }));
        }
    }
    out.lines
}

/// The lines in which two texts differ, with `-` and `+` in front and a little of what surrounds
/// them.
pub fn text_difference(old: &[String], new: &[String]) -> Vec<String> {
    let old: Vec<&str> = old.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    let shown = |edit: Option<Edit>| match edit {
        None => "  …".to_owned(),
        Some(Edit::Same(line)) => format!("  {line}"),
        Some(Edit::Removed(line)) => format!("- {line}"),
        Some(Edit::Added(line)) => format!("+ {line}"),
    };
    if old == new {
        return Vec::new();
    }
    hunks(&edit(&old, &new), CONTEXT).into_iter().map(shown).collect()
}

#[derive(Default)]
struct Out {
    lines: Vec<Line>,
}

impl Out {
    fn line(&mut self, kind: LineKind, text: String) {
        self.lines.push(Line { kind, text: text.trim_end().to_owned() });
    }

    /// A field's values stand below its name.
    fn value(&mut self, kind: LineKind, sign: char, text: &str) {
        self.line(kind, format!("      {sign} {text}"));
    }

    fn block(&mut self, kind: LineKind, sign: char, lines: &[String]) {
        for line in lines.iter().take(BLOCK) {
            self.value(kind, sign, line);
        }
        if lines.len() > BLOCK {
            self.value(LineKind::Context, sign, &format!("… {} more lines", lines.len() - BLOCK));
        }
    }
}

fn field(out: &mut Out, entry: &Entry, change: &Change) {
    let note = entry.notes.get(&change.path).map(|note| format!("  ({note})")).unwrap_or_default();
    let owner = entry.owners.get(&change.path);
    let name = shown_path(&entry.id, &change.path);
    if entry.mark == Mark::Conflict {
        out.line(LineKind::Plain, format!("    {name}{note}"));
        let set_by = owner.map(|owner| format!("   set by {owner}")).unwrap_or_default();
        out.line(LineKind::Added, format!("      ours   {}", one_line(change.to.as_ref())));
        out.line(LineKind::Removed, format!("      live   {}{set_by}", one_line(change.from.as_ref())));
        return;
    }
    let note = match owner {
        Some(owner) => format!("{note}  (live value set by {owner})"),
        None => note,
    };
    if change.secret {
        let what = match (&change.from, &change.to) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        out.line(LineKind::Plain, format!("    {name}  ({what}){note}"));
        return;
    }
    // A hash says nothing: that it changed is what counts.
    if change.path.ends_with(&format!("annotations[{}]", labels::CONFIG_HASH)) {
        out.line(LineKind::Plain, format!("    {name}{note}"));
        return;
    }
    if let (Some(from), Some(to)) = (&change.from, &change.to) {
        let text = format!("    {name}: {} → {}{note}", one_line(Some(from)), one_line(Some(to)));
        if is_short(from) && is_short(to) && text.chars().count() <= ONE_LINE {
            out.line(LineKind::Plain, text);
            return;
        }
    }
    out.line(LineKind::Plain, format!("    {name}{note}"));
    let (from, to) = (value_lines(change.from.as_ref()), value_lines(change.to.as_ref()));
    if from.is_empty() || to.is_empty() {
        out.block(LineKind::Removed, '-', &from);
        out.block(LineKind::Added, '+', &to);
        return;
    }
    let old: Vec<&str> = from.iter().map(String::as_str).collect();
    let new: Vec<&str> = to.iter().map(String::as_str).collect();
    for edit in hunks(&edit(&old, &new), CONTEXT) {
        match edit {
            None => out.value(LineKind::Context, ' ', "…"),
            Some(Edit::Same(line)) => out.value(LineKind::Context, ' ', line),
            Some(Edit::Removed(line)) => out.value(LineKind::Removed, '-', line),
            Some(Edit::Added(line)) => out.value(LineKind::Added, '+', line),
        }
    }
}

/// A ConfigMap's or Secret's entry is known by its file name.
fn shown_path<'a>(id: &ObjectId, path: &'a str) -> &'a str {
    if !matches!(id.kind.as_str(), "ConfigMap" | "Secret") {
        return path;
    }
    let entry = ["data", "binaryData"].iter().find_map(|field| path.strip_prefix(field));
    match entry {
        Some(rest) if rest.starts_with('.') => &rest[1..],
        Some(rest) if rest.starts_with('[') && rest.ends_with(']') => &rest[1..rest.len() - 1],
        _ => path,
    }
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\n'),
        Value::Object(_) | Value::Array(_) => false,
        _ => true,
    }
}

/// A value within a line.
fn one_line(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(absent)".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) if !text.contains('\n') => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A value as lines: texts as they are, structures as YAML.
fn value_lines(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::String(text)) if text.contains('\n') => text.lines().map(str::to_owned).collect(),
        Some(Value::Array(items)) if items.iter().all(is_short) => {
            items.iter().map(|item| one_line(Some(item))).collect()
        }
        Some(value @ (Value::Object(_) | Value::Array(_))) => {
            let mut out = Vec::new();
            yaml(value, "", &mut out);
            out
        }
        Some(value) => vec![one_line(Some(value))],
    }
}

/// For eyes only: block style, texts unquoted.
fn yaml(value: &Value, indent: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                entry(&format!("{indent}{key}:"), value, &format!("{indent}  "), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut lines = Vec::new();
                yaml(item, "", &mut lines);
                for (i, line) in lines.iter().enumerate() {
                    out.push(format!("{indent}{}{line}", if i == 0 { "- " } else { "  " }));
                }
            }
        }
        Value::String(text) if text.contains('\n') => {
            out.extend(text.lines().map(|line| format!("{indent}{line}")));
        }
        scalar => out.push(format!("{indent}{}", one_line(Some(scalar)))),
    }
}

fn entry(head: &str, value: &Value, indent: &str, out: &mut Vec<String>) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => text.contains('\n'),
        _ => false,
    };
    if nested {
        out.push(if value.is_string() { format!("{head} |") } else { head.to_owned() });
        yaml(value, indent, out);
    } else {
        out.push(format!("{head} {}", one_line(Some(value))));
    }
}
