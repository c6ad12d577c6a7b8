//! From parser events to JSON values: keys become strings, aliases and merge keys are expanded
//! within a budget, duplicate keys and unknown tags are refused with their line.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use serde_yaml::granit_parser::{
    Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options,
};

use super::{Place, YamlError, scalar};
use crate::values::pointer::MAX_BYTES as MAX_PATH_BYTES;
use crate::values::{Pointer, pointer};

/// Nesting of lists and maps. JSON readers stop at 128.
const MAX_DEPTH: usize = 100;
/// Nodes in one text, aliases expanded. All CRDs of the Prometheus operator have a fifth of that.
const MAX_NODES: usize = 1_000_000;
/// Bytes of scalars that aliases, and the copies that anchors keep for them, may add to a text.
const MAX_ALIAS_BYTES: usize = 16 << 20;

const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// An anchored node and what each use of it costs.
struct Anchor {
    value: Value,
    /// The text of a scalar, which a key needs.
    text: Option<String>,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

/// A node, and for scalars its text.
struct Node {
    value: Value,
    text: Option<String>,
}

/// Reads one text, document by document.
pub(super) struct Composer<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
    alias_bytes: usize,
    /// Only when lines are wanted: the lines so far and the pointer to the current node.
    lines: Option<BTreeMap<Pointer, Place>>,
    path: String,
    /// Of all pointers in `lines`.
    path_bytes: usize,
}

impl<'t> Composer<'t> {
    /// A reader for `text`.
    pub(super) fn new(text: &'t str) -> Self {
        // One level more than we allow, so that our own message appears instead of the parser's.
        let options: Options = options! {
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
            emit_comments: false,
        };
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            nodes: 0,
            alias_bytes: 0,
            lines: None,
            path: String::new(),
            path_bytes: 0,
        }
    }

    /// Collects lines as well.
    pub(super) fn with_lines(mut self) -> Self {
        self.lines = Some(BTreeMap::new());
        self
    }

    /// The collected lines.
    pub(super) fn into_lines(self) -> BTreeMap<Pointer, Place> {
        self.lines.unwrap_or_default()
    }

    /// The only document; null if there is none. Empty ones do not count: a file may end in `---`.
    pub(super) fn single(&mut self) -> Result<Value, YamlError> {
        let mut only = Value::Null;
        while let Some((value, line)) = self.document()? {
            if value.is_null() {
                continue;
            }
            if !only.is_null() {
                return Err(YamlError {
                    message: "a second document begins here, expected only one".into(),
                    line: Some(line),
                    column: None,
                });
            }
            only = value;
        }
        Ok(only)
    }

    /// The next document and the line where it begins.
    pub(super) fn document(&mut self) -> Result<Option<(Value, u32)>, YamlError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => {
                    self.anchors.clear();
                    let (event, content) = self.next()?;
                    if matches!(event, Event::DocumentEnd) {
                        return Ok(Some((Value::Null, line(span))));
                    }
                    return Ok(Some((self.node(event, content, 0)?.value, line(span))));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(from_scan(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.count(1, span)?;
        if depth > MAX_DEPTH {
            return Err(error_at(span, format!("more than {MAX_DEPTH} levels of nesting")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = resolve(&text, style, tag.as_deref(), span)?;
                let text = text.into_owned();
                self.remember(anchor, &value, Some(&text), span)?;
                Ok(Node { value, text: Some(text) })
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_collection_tag(tag.as_deref(), "seq", span)?;
                let value = self.sequence(depth)?;
                self.remember(anchor, &value, None, span)?;
                Ok(Node { value, text: None })
            }
            Event::MappingStart(_, anchor, tag) => {
                check_collection_tag(tag.as_deref(), "map", span)?;
                let value = self.mapping(depth)?;
                self.remember(anchor, &value, None, span)?;
                Ok(Node { value, text: None })
            }
            Event::Alias(id) => self.alias(id, span, depth),
            _ => Err(error_at(span, "expected a value".into())),
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::Array(items));
            }
            let index = items.len().to_string();
            items.push(self.child((&index, None), span, event, span, depth)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut map = Map::new();
        // The line of each key that stands in the text; merged keys may be given again.
        let mut own: HashMap<String, (u32, String)> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::Object(map));
            }
            let merge = is_merge(&event);
            let node = self.node(event, span, depth + 1)?;
            if merge {
                let (event, value_span) = self.next()?;
                let lines = self.lines.take(); // what is merged has the line of its merge key
                let merged = self.node(event, value_span, depth + 1);
                self.lines = lines;
                self.merge(&mut map, merged?.value, value_span, span)?;
                continue;
            }
            let typed = node.text.unwrap_or_default();
            let key = scalar::key(&node.value, &typed)
                .ok_or_else(|| error_at(span, "a key must be a string".into()))?;
            if let Some((first, other)) = own.insert(key.clone(), (line(span), typed.clone())) {
                let same =
                    if other == typed { String::new() } else { format!(" as {}", other.escape_debug()) };
                return Err(error_at(
                    span,
                    format!("key {} is already set on line {first}{same}", typed.escape_debug()),
                ));
            }
            let (event, value_span) = self.next()?;
            if map.contains_key(&key) {
                self.forget_lines_below(&key);
            }
            let typed = (typed != key).then_some(typed);
            let value = self.child((&key, typed), span, event, value_span, depth)?;
            map.insert(key, value);
        }
    }

    /// A value below the current one, with its key and how that was typed where it was otherwise;
    /// `at` is the place that an editor should go to.
    fn child(
        &mut self,
        (key, typed): (&str, Option<String>),
        at: Span,
        event: Event<'t>,
        span: Span,
        depth: usize,
    ) -> Result<Value, YamlError> {
        let length = self.path.len();
        if self.lines.is_some() {
            pointer::push(&mut self.path, key);
            self.path_bytes += self.path.len();
            if self.path_bytes > MAX_PATH_BYTES {
                return Err(error_at(at, "keys this long stand above too many values".into()));
            }
            if let Some(lines) = &mut self.lines {
                lines.insert(self.path.clone(), Place { line: line(at), typed });
            }
        }
        let node = self.node(event, span, depth + 1);
        self.path.truncate(length);
        Ok(node?.value)
    }

    /// `<<: *a` or `<<: [*a, *b]`, of which the first wins. As in goyaml.v2 the keys take effect at
    /// the place of the `<<`: a key above it is replaced, a key below it replaces.
    fn merge(
        &mut self,
        map: &mut Map<String, Value>,
        value: Value,
        span: Span,
        at: Span,
    ) -> Result<(), YamlError> {
        let sources = match value {
            Value::Object(source) => vec![source],
            Value::Array(items) => items
                .into_iter()
                .rev()
                .map(|item| match item {
                    Value::Object(source) => Ok(source),
                    _ => Err(error_at(span, "<< needs a map or a list of maps".into())),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(error_at(span, "<< needs a map or a list of maps".into())),
        };
        for (key, value) in sources.into_iter().flatten() {
            if map.contains_key(&key) {
                self.forget_lines_below(&key);
            }
            if let Some(lines) = &mut self.lines {
                lines.insert(pointer::join(&self.path, &key), Place { line: line(at), typed: None });
            }
            map.insert(key, value);
        }
        Ok(())
    }

    /// A key that replaces a merged one, or the reverse, leaves no lines of the former value.
    fn forget_lines_below(&mut self, key: &str) {
        if let Some(lines) = &mut self.lines {
            let below = pointer::join(&self.path, key) + "/";
            let gone: Vec<Pointer> = lines
                .range(below.clone()..)
                .map(|(pointer, _)| pointer)
                .take_while(|pointer| pointer.starts_with(&below))
                .cloned()
                .collect();
            gone.iter().for_each(|pointer| drop(lines.remove(pointer)));
        }
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, YamlError> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(error_at(span, "an alias stands inside the value that it names".into()));
        };
        let size = anchor.size;
        // Costs are checked before the copy is made: this is where a billion laughs stop.
        self.count_alias_bytes(size.bytes, span)?;
        if depth + size.depth > MAX_DEPTH {
            return Err(error_at(span, format!("more than {MAX_DEPTH} levels of nesting")));
        }
        self.count(size.nodes, span)?;
        let anchor = &self.anchors[&id];
        Ok(Node { value: anchor.value.clone(), text: anchor.text.clone() })
    }

    fn remember(
        &mut self,
        anchor: usize,
        value: &Value,
        text: Option<&str>,
        span: Span,
    ) -> Result<(), YamlError> {
        if anchor == 0 {
            return Ok(());
        }
        let size = measure(value);
        // the copy that is kept
        self.count(size.nodes, span)?;
        self.count_alias_bytes(size.bytes, span)?;
        let anchored = Anchor { value: value.clone(), text: text.map(str::to_owned), size };
        self.anchors.insert(anchor, anchored);
        Ok(())
    }

    fn count_alias_bytes(&mut self, bytes: usize, span: Span) -> Result<(), YamlError> {
        self.alias_bytes += bytes;
        if self.alias_bytes > MAX_ALIAS_BYTES {
            return Err(error_at(span, "aliases make this text too large".into()));
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(error_at(span, format!("more than {MAX_NODES} values")));
        }
        Ok(())
    }
}

fn is_merge(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, tag) if text == "<<" => match tag {
            None => true,
            Some(tag) => tag.suffix_in_namespace(CORE_TAGS).as_deref() == Some("merge"),
        },
        _ => false,
    }
}

fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, YamlError> {
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => scalar::plain(text)
                .ok_or_else(|| error_at(span, "infinity and NaN have no place in Kubernetes' JSON".into())),
            _ => Ok(Value::String(text.to_owned())),
        };
    };
    if tag.original() == "!" {
        return Ok(Value::String(text.to_owned()));
    }
    match tag.core_suffix() {
        Some(core) if core != "seq" && core != "map" => scalar::tagged(core, text)
            .ok_or_else(|| error_at(span, format!("the value does not fit its tag !!{core}"))),
        // goyaml.v2 knows the tag on the key << alone
        _ if text == "<<" && tag.suffix_in_namespace(CORE_TAGS).as_deref() == Some("merge") => {
            Ok(Value::String(text.to_owned()))
        }
        _ => Err(unknown_tag(tag, span)),
    }
}

fn check_collection_tag(tag: Option<&Tag>, expected: &str, span: Span) -> Result<(), YamlError> {
    match tag {
        Some(tag) if tag.original() != "!" && tag.core_suffix() != Some(expected) => {
            Err(unknown_tag(tag, span))
        }
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, span: Span) -> YamlError {
    let at = span.tag_start().unwrap_or(span.start);
    YamlError {
        message: format!("tag {} is not supported", tag.original()),
        line: u32::try_from(at.line()).ok(),
        column: u32::try_from(at.col() + 1).ok(),
    }
}

fn measure(value: &Value) -> Size {
    match value {
        Value::String(s) => Size { nodes: 1, bytes: s.len(), depth: 0 },
        Value::Array(items) => sum(items.iter().map(measure)),
        Value::Object(map) => sum(map.iter().map(|(k, v)| {
            let size = measure(v);
            Size { bytes: size.bytes + k.len(), ..size }
        })),
        _ => Size { nodes: 1, ..Size::default() },
    }
}

fn sum(sizes: impl Iterator<Item = Size>) -> Size {
    let total = Size { nodes: 1, bytes: 0, depth: 0 };
    sizes.fold(total, |a, b| Size {
        nodes: a.nodes + b.nodes,
        bytes: a.bytes + b.bytes,
        depth: a.depth.max(b.depth + 1),
    })
}

fn line(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

fn error_at(span: Span, message: String) -> YamlError {
    YamlError {
        message,
        line: u32::try_from(span.start.line()).ok(),
        column: u32::try_from(span.start.col() + 1).ok(),
    }
}

fn from_scan(error: &ScanError) -> YamlError {
    let mark = error.marker();
    YamlError {
        message: error.info(),
        line: u32::try_from(mark.line()).ok(),
        column: u32::try_from(mark.col() + 1).ok(),
    }
}
