//! Bundles: versioned packages of Kubernetes objects with values, schema, profiles and files.
//! [`Bundle::load`] is the only way to make one; it takes [`Files`] from any source and checks
//! everything that can be known without rendering.
//!
//! An umbrella holds its components as bundles of their own, in its files under
//! `components/<name>/`. Components have no components.

pub mod archive;
mod document;
pub mod embedded;
pub mod lint;
mod meta;
mod outline;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use archive::{Digest, Files};
pub use meta::{ComponentRef, Meta, Migration, ReadinessRule};
pub use schema::Mount;
pub(crate) use schema::merge;

use crate::Result;
use crate::error::Error;
use crate::values::did_you_mean;
use document::Document;

/// A checked bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    meta: Meta,
    /// How its files are named in messages: `stack`, or `stack/prometheus` for a component.
    label: String,
    /// Its own files, without those of components.
    files: Files,
    defaults: Value,
    schema: Option<Value>,
    effective_defaults: Value,
    effective_schema: Option<Value>,
    mounts: Vec<Mount>,
    profiles: BTreeMap<String, Value>,
    /// In the order of `bundle.yaml`.
    components: Vec<Bundle>,
}

impl Bundle {
    /// Checks and takes over the files of a bundle. Errors name file, line and what to change.
    pub fn load(files: &Files) -> Result<Self> {
        Self::load_part(files, None)
    }

    /// `within`: the umbrella's label and name of the component's folder.
    fn load_part(all: &Files, within: Option<(&str, &str)>) -> Result<Self> {
        let shown = |path: &str| match within {
            Some((umbrella, name)) => format!("{umbrella}/{name}/{path}"),
            None => path.to_owned(),
        };
        let Some(bytes) = all.get("bundle.yaml") else {
            let hint = match all.contains_key("Chart.yaml") {
                true => {
                    "this looks like a Helm chart; kubectl-obs reads bundles (apiVersion: kubectl-obs.dev/v1)"
                }
                false => "a bundle has a file bundle.yaml at its top",
            };
            return Err(Error::usage(format!("{}: not found", shown("bundle.yaml"))).hint(hint));
        };
        let mut document = Document::yaml(shown("bundle.yaml"), bytes)?;
        if let (None, Some(name)) = (within, document.root["name"].as_str().filter(|name| is_dns_label(name)))
        {
            document.file = format!("{name}/bundle.yaml");
        }
        let meta = Meta::read(&document)?;
        let label = match within {
            Some((umbrella, name)) => format!("{umbrella}/{name}"),
            None => meta.name.clone(),
        };
        let files: Files = all
            .iter()
            .filter(|(path, _)| !path.starts_with("components/"))
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect();
        check_layout(&label, &files)?;
        let components = load_components(&meta, &document, &label, all)?;
        let named: Vec<(&str, &Bundle)> = components.iter().map(|c| (c.name(), c)).collect();

        let read = |path: &str| files.get(path).map(|bytes| (format!("{label}/{path}"), bytes.as_slice()));
        let defaults = match read("values.yaml") {
            Some((file, bytes)) => Document::yaml(file, bytes)?.root,
            None => Value::Object(Map::new()),
        };
        let (schema, effective_schema, mounts) = match read("values.schema.json") {
            Some((file, bytes)) => {
                let document = Document::json(file, bytes)?;
                let (effective, mounts) = schema::resolve(&document, &named)?;
                (Some(document.root), Some(effective), mounts)
            }
            None => (None, None, Vec::new()),
        };
        let mut effective_defaults = Value::Object(Map::new());
        for mount in &mounts {
            let component = named.iter().find(|(name, _)| *name == mount.component);
            let mut below = component.map(|(_, c)| c.defaults.clone()).unwrap_or_default();
            if let Some(below) = below.as_object_mut() {
                below.retain(|key, _| !mount.hidden.contains(key));
            }
            merge(&mut effective_defaults, &schema::nest(&mount.pointer, below));
        }
        merge(&mut effective_defaults, &defaults);

        let mut profiles = BTreeMap::new();
        for (path, bytes) in &files {
            if let Some(name) = path.strip_prefix("profiles/").and_then(|name| name.strip_suffix(".yaml")) {
                profiles.insert(name.to_owned(), Document::yaml(format!("{label}/{path}"), bytes)?.root);
            }
        }
        Ok(Self {
            meta,
            label,
            files,
            defaults,
            schema,
            effective_defaults,
            effective_schema,
            mounts,
            profiles,
            components,
        })
    }

    /// The content of `bundle.yaml`.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// The application's version, or the bundle's own where it names none.
    pub fn app_version(&self) -> String {
        self.meta.app_version.clone().unwrap_or_else(|| self.meta.version.to_string())
    }

    /// How its files are named in messages: `stack`, or `stack/prometheus` for a component.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Has it components?
    pub fn is_umbrella(&self) -> bool {
        !self.meta.components.is_empty()
    }

    /// Its components with what the umbrella says about them, in order.
    pub fn components(&self) -> impl Iterator<Item = (&ComponentRef, &Bundle)> {
        self.meta.components.iter().zip(&self.components)
    }

    /// A component by name.
    pub fn component(&self, name: &str) -> Option<&Bundle> {
        self.components.iter().find(|c| c.name() == name)
    }

    /// `values.yaml` as it stands.
    pub fn defaults(&self) -> &Value {
        &self.defaults
    }

    /// `values.yaml` with its comments; for an umbrella with the components' own below their keys.
    pub fn commented_defaults(&self) -> String {
        let mut text = self.text("values.yaml").unwrap_or_default().to_owned();
        for mount in &self.mounts {
            if let Some(component) = self.component(&mount.component) {
                let below =
                    outline::without(component.text("values.yaml").unwrap_or_default(), &mount.hidden);
                text = outline::lay_under(&text, &outline::nest(&below, &mount.pointer));
            }
        }
        text
    }

    /// `values.schema.json` as it stands.
    pub fn schema(&self) -> Option<&Value> {
        self.schema.as_ref()
    }

    /// The defaults that users see: those of components below the umbrella's own.
    pub fn effective_defaults(&self) -> &Value {
        &self.effective_defaults
    }

    /// The schema of the values that users write: components' schemas are in place of
    /// `"$ref": "bundle:…"`. References inside are relative to the root (`#/$defs/…`).
    pub fn effective_schema(&self) -> Option<&Value> {
        self.effective_schema.as_ref()
    }

    /// Where an umbrella's values hold those of its components.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Names of the profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The values of a profile.
    pub fn profile(&self, name: &str) -> Result<&Value> {
        self.profiles.get(name).ok_or_else(|| {
            Error::usage(format!("bundle {} has no profile {name:?}", self.name()))
                .hint(suggest(name, self.profiles()))
        })
    }

    /// Its own files by path, without those of components.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// A file as text; None when it is absent or not UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }

    /// Files of one folder with an extension, as (path, text).
    pub(crate) fn texts<'a>(
        &'a self,
        folder: &'a str,
        ext: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter_map(move |(path, bytes)| {
            let matches = path.starts_with(folder) && ext.iter().any(|ext| path.ends_with(ext));
            Some((path.as_str(), std::str::from_utf8(bytes).ok().filter(|_| matches)?))
        })
    }
}

/// Loads what `bundle.yaml` lists from `components/<name>/`; what it does not list is an error.
fn load_components(meta: &Meta, document: &Document, label: &str, all: &Files) -> Result<Vec<Bundle>> {
    let mut folders: BTreeMap<&str, Files> = BTreeMap::new();
    for (path, content) in all {
        if let Some((name, rest)) = path.strip_prefix("components/").and_then(|path| path.split_once('/')) {
            folders.entry(name).or_default().insert(rest.to_owned(), content.clone());
        }
    }
    let mut components = Vec::new();
    for (i, wanted) in meta.components.iter().enumerate() {
        let name = wanted.name.as_str();
        let error = |key: &str, message: String| document.error(&format!("/components/{i}/{key}"), message);
        let Some(files) = folders.remove(name) else {
            let err = error("name", format!("component {name} is not there"));
            return Err(err.hint(format!("put its bundle into ../{name}/ or components/{name}/")));
        };
        let bundle = Bundle::load_part(&files, Some((label, name)))?;
        if bundle.name() != name {
            return Err(error("name", format!("the bundle in folder {name} calls itself {}", bundle.name())));
        }
        if bundle.is_umbrella() {
            let err = error("name", format!("component {name} has components of its own"));
            return Err(err.hint("list them in the umbrella directly"));
        }
        if !wanted.version.matches(&bundle.meta.version) {
            let (want, got) = (&wanted.version, &bundle.meta.version);
            let err = error("version", format!("component {name} has version {got}, but {want} is wanted"));
            return Err(err.hint(format!("change the range, or take another version of {name}")));
        }
        components.push(bundle);
    }
    match folders.keys().next() {
        Some(name) => {
            let err = Error::usage(format!(
                "{label}/components/{name}: not listed under components in bundle.yaml"
            ));
            Err(err.hint(suggest(name, meta.components.iter().map(|c| c.name.as_str()))))
        }
        None => Ok(components),
    }
}

/// Files and folders that a bundle may have at its top. `tests` and `docs` are carried along.
const LAYOUT: [&str; 12] = [
    "bundle.yaml",
    "values.yaml",
    "values.schema.json",
    "profiles",
    "templates",
    "files",
    "crds",
    "NOTES.txt",
    "README.md",
    "LICENSE",
    "tests",
    "docs",
];

/// A misspelled folder would be ignored silently, so unknown names at the top are errors; so are
/// templates with an ending that nobody would render, and text that is not UTF-8.
fn check_layout(label: &str, files: &Files) -> Result<()> {
    for (path, content) in files {
        let top = path.split('/').next().unwrap_or_default();
        if !LAYOUT.contains(&top) {
            let err = Error::usage(format!("{label}/{top}: not a part of a bundle"));
            return Err(err.hint(suggest(top, LAYOUT)));
        }
        let folder = path.split_once('/').map(|(folder, _)| folder);
        let endings: &[&str] = match folder {
            Some("templates") => &[".yaml"],
            Some("crds") => &[".yaml", ".yml", ".json"],
            Some("profiles") => &[".yaml"],
            _ => continue,
        };
        if !endings.iter().any(|ending| path.ends_with(ending)) {
            let err = Error::usage(format!(
                "{label}/{path}: expected a file that ends in {}",
                endings.join(" or ")
            ));
            return Err(err.hint("data for templates belongs into files/"));
        }
        if std::str::from_utf8(content).is_err() {
            return Err(Error::usage(format!("{label}/{path}: not UTF-8 text")));
        }
    }
    Ok(())
}

/// A hint that names the nearest of `known`, or all of them.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("possible: {}", known.join(", ")),
    }
}

/// RFC 1123 label: a-z, 0-9 and `-`, starting and ending alphanumeric, at most 63.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| plain(*b) || *b == b'-')
        && plain(bytes[0])
        && plain(bytes[bytes.len() - 1])
}
