//! `bundle.yaml`: what a bundle is, which components it has, what they export. Read strictly: an
//! unknown key or a wrong type is an error with its line.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde_json::{Map, Value};

use super::document::{Document, Fields, name};
use crate::Result;
use crate::values::pointer;

/// The apiVersion of `bundle.yaml`.
pub const API_VERSION: &str = "kubectl-obs.dev/v1";

/// The content of `bundle.yaml`.
#[derive(Debug, Clone)]
pub struct Meta {
    /// A DNS label.
    pub name: String,
    /// The bundle's own version.
    pub version: Version,
    /// The version of the application in it, as upstream writes it.
    pub app_version: Option<String>,
    /// One line; may be empty.
    pub description: String,
    /// Versions of Kubernetes that it works with.
    pub kube_version: Option<VersionReq>,
    /// Do its objects work on the node itself (hostPath, hostNetwork, hostPort)?
    pub node_level: bool,
    /// Of an umbrella, in order; empty for a component.
    pub components: Vec<ComponentRef>,
    /// What other components may know of it; leaves may be expressions.
    pub exports: Map<String, Value>,
    /// `{name, key, length, keepWith, when}`; leaves may be expressions.
    pub generated_secrets: Vec<Value>,
    /// `{name, http | promql | targets, deadline, component, when}`; leaves may be expressions.
    pub health: Vec<Value>,
    /// When custom resources are ready that do not say it the usual way.
    pub readiness: Vec<ReadinessRule>,
    /// Value keys that were renamed or removed, per version.
    pub migrations: Vec<Migration>,
    /// Format of the data that it writes to its volumes.
    pub data_format: Option<u32>,
    /// Formats that this version can still go back to.
    pub downgrade_to: Vec<u32>,
    /// How the file is named in messages.
    file: String,
    /// `file:line` of expressions, by pointer: for messages about them.
    places: BTreeMap<String, String>,
}

/// A component as an umbrella names it.
#[derive(Debug, Clone)]
pub struct ComponentRef {
    /// Name of its bundle.
    pub name: String,
    /// Versions that the umbrella works with.
    pub version: VersionReq,
    /// Expression over umbrella values that says whether it is on; always on when absent.
    pub when: Option<String>,
    /// Components that must be ready before it is applied.
    pub needs: Vec<String>,
    /// Its values, laid over its defaults; leaves may be expressions.
    pub with: Option<Value>,
}

/// Value keys that changed with a version: see [`crate::values::migrate()`].
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// The first version with the new keys.
    pub version: Version,
    /// Old path to new path, with dots.
    pub rename: Vec<(String, String)>,
    /// Paths that are gone, with dots.
    pub remove: Vec<String>,
}

impl Meta {
    /// Reads `bundle.yaml`.
    pub fn read(document: &Document) -> Result<Self> {
        let known = [
            "apiVersion",
            "kind",
            "name",
            "version",
            "appVersion",
            "description",
            "kubeVersion",
            "nodeLevel",
            "components",
            "exports",
            "generatedSecrets",
            "health",
            "readiness",
            "migrations",
            "dataFormat",
            "downgradeTo",
        ];
        let fields = Fields::new(document, String::new(), &known)?;
        for (key, expected) in [("apiVersion", API_VERSION), ("kind", "Bundle")] {
            let got = fields.required(key)?;
            if got != expected {
                let err = fields.error(key, format!("is {got:?}, expected {expected:?}"));
                return Err(err.hint("a newer bundle format needs a newer kubectl-obs"));
            }
        }
        let name = fields.required("name")?;
        if !super::is_dns_label(&name) {
            return Err(
                fields.error("name", format!("is {name:?}: not a DNS label (a-z, 0-9 and `-`, at most 63)"))
            );
        }
        let description = fields.string("description")?.unwrap_or_default();
        if description.trim().contains('\n') {
            return Err(fields.error("description", "must be one line"));
        }
        let meta = Self {
            version: version(&fields, "version")?,
            app_version: fields.string("appVersion")?,
            description: description.trim().to_owned(),
            kube_version: range(&fields, "kubeVersion")?,
            node_level: fields.flag("nodeLevel")?,
            components: indexed(document, &fields, "components", component)?,
            exports: fields.map("exports")?,
            generated_secrets: indexed(document, &fields, "generatedSecrets", generated_secret)?,
            health: indexed(document, &fields, "health", health)?,
            readiness: indexed(document, &fields, "readiness", readiness)?,
            migrations: indexed(document, &fields, "migrations", migration)?,
            data_format: fields.number("dataFormat")?,
            downgrade_to: formats(&fields)?,
            places: places(document),
            file: document.file.clone(),
            name,
        };
        meta.check_components(document)?;
        Ok(meta)
    }

    /// `file:line` of the value at `pointer` of `bundle.yaml`, for messages.
    pub fn place(&self, pointer: &str) -> String {
        let mut at = pointer;
        loop {
            if let Some(place) = self.places.get(at) {
                return place.clone();
            }
            match pointer::parent(at) {
                Some(parent) => at = parent,
                None => return self.file.clone(),
            }
        }
    }

    /// All texts with expressions, for lint.
    pub(crate) fn expressions(&self) -> Vec<String> {
        fn walk(value: &Value, out: &mut Vec<String>) {
            match value {
                Value::Object(map) => map.values().for_each(|v| walk(v, out)),
                Value::Array(list) => list.iter().for_each(|v| walk(v, out)),
                Value::String(text) => out.push(text.clone()),
                _ => {}
            }
        }
        let mut out = Vec::new();
        self.exports
            .values()
            .chain(&self.generated_secrets)
            .chain(&self.health)
            .for_each(|v| walk(v, &mut out));
        for component in &self.components {
            out.extend(component.when.clone());
            component.with.iter().for_each(|with| walk(with, &mut out));
        }
        out.retain(|text| text.contains("values"));
        out
    }

    fn check_components(&self, document: &Document) -> Result<()> {
        for (i, component) in self.components.iter().enumerate() {
            let at = format!("/components/{i}");
            let error = |key: &str, message: String| document.error(&format!("{at}/{key}"), message);
            if component.name == self.name {
                return Err(error("name", format!("bundle {} contains itself", self.name)));
            }
            if self.components[..i].iter().any(|other| other.name == component.name) {
                return Err(error("name", format!("component {} is listed twice", component.name)));
            }
            for need in &component.needs {
                if !self.components.iter().any(|other| other.name == *need) {
                    let err = error(
                        "needs",
                        format!("component {} needs {need}, which is not a component", component.name),
                    );
                    return Err(
                        err.hint(super::suggest(need, self.components.iter().map(|c| c.name.as_str())))
                    );
                }
            }
        }
        if let Some(circle) = self.circle() {
            let at = self.components.iter().position(|c| c.name == circle[0]).unwrap_or_default();
            let message = format!("components need each other in a circle: {}", circle.join(" → "));
            return Err(document.error(&format!("/components/{at}/needs"), message));
        }
        Ok(())
    }

    /// A circle of `needs`, for example a → b → a.
    fn circle(&self) -> Option<Vec<&str>> {
        // take away what needs nothing that is left; what stays leads into a circle
        let mut left: Vec<&ComponentRef> = self.components.iter().collect();
        loop {
            let needed = |c: &ComponentRef| c.needs.iter().any(|n| left.iter().any(|other| other.name == *n));
            let stay: Vec<&ComponentRef> = left.iter().filter(|c| needed(c)).copied().collect();
            if stay.len() == left.len() {
                break;
            }
            left = stay;
        }
        let mut way = vec![*left.first()?];
        loop {
            let next = *left.iter().find(|c| way.last().is_some_and(|last| last.needs.contains(&c.name)))?;
            let seen = way.iter().position(|c| c.name == next.name);
            way.push(next);
            if let Some(start) = seen {
                return Some(way[start..].iter().map(|c| c.name.as_str()).collect());
            }
        }
    }
}

/// When objects of a kind are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessRule {
    /// Group of the kind; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// Expression over `object` that holds when it is ready.
    pub ready: String,
    /// Expression that holds when waiting cannot help.
    pub failed: Option<String>,
}

/// Reads each entry of a list of maps.
fn indexed<'a, T>(
    document: &'a Document<'a>,
    fields: &Fields<'a>,
    key: &str,
    read: fn(&'a Document<'a>, String) -> Result<T>,
) -> Result<Vec<T>> {
    (0..fields.list(key)?.len()).map(|i| read(document, format!("/{key}/{i}"))).collect()
}

fn component<'a>(document: &'a Document<'a>, at: String) -> Result<ComponentRef> {
    let fields = Fields::new(document, at, &["name", "version", "when", "needs", "with"])?;
    let when = match fields.get("when") {
        Some(Value::Bool(on)) => Some(on.to_string()),
        _ => fields.string("when")?,
    };
    let with = fields.get("with").cloned();
    if !matches!(with, None | Some(Value::Object(_) | Value::String(_))) {
        return Err(fields.error("with", "must be a map or one ${{ … }}"));
    }
    Ok(ComponentRef {
        name: fields.required("name")?,
        version: range(&fields, "version")?.unwrap_or(VersionReq::STAR),
        when,
        needs: fields.strings("needs")?,
        with,
    })
}

fn generated_secret<'a>(document: &'a Document<'a>, at: String) -> Result<Value> {
    let fields = Fields::new(document, at.clone(), &["name", "key", "length", "keepWith", "when"])?;
    fields.required("name")?;
    fields.required("key")?;
    Ok(document.root.pointer(&at).cloned().unwrap_or_default())
}

fn health<'a>(document: &'a Document<'a>, at: String) -> Result<Value> {
    let keys = ["name", "http", "promql", "targets", "deadline", "component", "when"];
    let fields = Fields::new(document, at.clone(), &keys)?;
    fields.required("name")?;
    match (fields.get("http"), fields.get("promql"), fields.get("targets")) {
        (Some(_), None, None) => {
            let http = Fields::new(document, fields.at("http"), &["path", "port", "status", "json"])?;
            http.required("path")?;
            if http.get("port").is_none() {
                return Err(fields.error("http", "has no port"));
            }
        }
        (None, Some(_), None) => {
            Fields::new(document, fields.at("promql"), &["query", "expect"])?.required("query")?;
        }
        (None, None, Some(_)) => {
            let targets = Fields::new(document, fields.at("targets"), &["jobs"])?;
            if targets.get("jobs").is_none() {
                return Err(fields.error("targets", "has no jobs"));
            }
        }
        _ => {
            let message = format!("{} needs exactly one of `http`, `promql` and `targets`", name(&at));
            return Err(document.error(&at, message));
        }
    }
    Ok(document.root.pointer(&at).cloned().unwrap_or_default())
}

fn readiness<'a>(document: &'a Document<'a>, at: String) -> Result<ReadinessRule> {
    let fields = Fields::new(document, at, &["group", "kind", "ready", "failed"])?;
    let expression = |key: &str, text: &str| {
        crate::render::check_expression(text, "object")
            .map_err(|why| fields.error(key, format!("is no expression: {why}")))
    };
    let rule = ReadinessRule {
        group: fields.string("group")?.unwrap_or_default(),
        kind: fields.required("kind")?,
        ready: fields.required("ready")?,
        failed: fields.string("failed")?,
    };
    expression("ready", &rule.ready)?;
    rule.failed.iter().try_for_each(|text| expression("failed", text))?;
    Ok(rule)
}

fn migration<'a>(document: &'a Document<'a>, at: String) -> Result<Migration> {
    let fields = Fields::new(document, at, &["version", "rename", "remove"])?;
    let mut rename = Vec::new();
    for (old, new) in fields.map("rename")? {
        match new {
            Value::String(new) => rename.push((old, new)),
            _ => return Err(fields.error("rename", format!("gives `{old}` a new key that is not a string"))),
        }
    }
    Ok(Migration { version: version(&fields, "version")?, rename, remove: fields.strings("remove")? })
}

fn version(fields: &Fields, key: &str) -> Result<Version> {
    let text = fields.required(key)?;
    Version::parse(&text).map_err(|err| {
        fields
            .error(key, format!("{text:?} is not a semantic version: {err}"))
            .hint("write MAJOR.MINOR.PATCH, for example 1.0.0")
    })
}

fn range(fields: &Fields, key: &str) -> Result<Option<VersionReq>> {
    let Some(text) = fields.string(key)? else { return Ok(None) };
    VersionReq::parse(&text).map(Some).map_err(|err| {
        fields
            .error(key, format!("{text:?} is not a range of versions: {err}"))
            .hint("for example \">=1.30, <2\" or \"^1.0\"")
    })
}

fn formats(fields: &Fields) -> Result<Vec<u32>> {
    let list = fields.list("downgradeTo")?.iter().map(|v| v.as_u64().and_then(|n| u32::try_from(n).ok()));
    list.collect::<Option<_>>().ok_or_else(|| fields.error("downgradeTo", "must be a list of whole numbers"))
}

/// The places of all expressions, and of the items of lists that have some.
fn places(document: &Document) -> BTreeMap<String, String> {
    fn walk(value: &Value, at: String, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| walk(value, pointer::join(&at, key), out));
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, value)| walk(value, format!("{at}/{i}"), out));
            }
            Value::String(text) if text.contains("${{") || at.ends_with("/when") => out.push(at),
            _ => {}
        }
    }
    let mut pointers = Vec::new();
    walk(&document.root, String::new(), &mut pointers);
    for key in ["components", "generatedSecrets", "health"] {
        let count = document.root.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        pointers.extend((0..count).map(|i| format!("/{key}/{i}")));
    }
    let places = document.places(&pointers.iter().map(String::as_str).collect::<Vec<_>>());
    pointers.into_iter().zip(places).collect()
}
