//! Rendering: (bundle, values, facts) → objects. Pure: no I/O, clock or randomness; what a
//! template may know of the world comes in as [`Facts`].
//!
//! ```text
//!  parts: which components, which values ─► engine: templates → text ─► objects
//!         ─► finish: namespace, labels, checks ─► config_hash
//! ```

mod config_hash;
mod context;
mod declared;
mod engine;
mod expression;
mod filters;
mod finish;
pub(crate) mod kinds;
mod namespaces;
mod parts;
mod snippet;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Value as TemplateValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Bundle;
use crate::error::Error;
use crate::object::{Object, ObjectId, labels};
use crate::values::derived;
use crate::{Result, yaml};
pub(crate) use engine::Engine;
use engine::NOTES;
pub use expression::{check_expression, expression_is_true};
pub use filters::{duration, milliseconds};
use finish::{Finisher, Owner, version_label};
use parts::{Part, Parts};

/// What templates may know besides values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The release's name.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Namespace of node-level components; equal to `namespace` when there is only one.
    pub node_namespace: String,
    /// The API server's version, `1.34.4`.
    pub kubernetes: String,
    /// Key for hashes over Secret content; a fixed one where no cluster is involved.
    pub hmac_key: Vec<u8>,
}

impl Facts {
    /// For rendering without a cluster: nothing in them is secret, and the same every time.
    pub fn offline(release: &str, namespace: &str, node_namespace: &str) -> Self {
        Self {
            release: release.to_owned(),
            namespace: namespace.to_owned(),
            node_namespace: node_namespace.to_owned(),
            kubernetes: "1.34.0".to_owned(),
            hmac_key: b"kubectl-obs offline".to_vec(),
        }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// All objects, with labels and namespaces, sorted by component and then as in the templates.
    pub objects: Vec<Object>,
    /// Where each object comes from, in the same order: `stack/prometheus/templates/service.yaml`.
    pub sources: Vec<String>,
    /// Names of the enabled components, in the order of the bundle.
    pub components: Vec<Component>,
    /// The values that each enabled component was rendered with, by its name.
    pub component_values: BTreeMap<String, Value>,
    /// NOTES.txt of the bundle, rendered.
    pub notes: String,
    /// Texts in all this that templates made of secret values; filled in by who knows which are.
    pub derived: Vec<String>,
}

impl Rendered {
    /// Notes down what stands otherwise in the rendering with stand-ins for the secrets, but for what
    /// `known` says of.
    pub fn derive(&mut self, other: &Self, known: &dyn Fn(&str) -> bool) {
        let mut found = BTreeSet::new();
        // the content of Secrets is never shown, and a keyed hash says nothing of it
        let shown = |objects: &[Object]| -> Vec<Value> {
            let one = |object: &Object| {
                let mut value = object.value().clone();
                if let (true, Some(map)) = (object.kind() == "Secret", value.as_object_mut()) {
                    map.shift_remove("data");
                }
                value
            };
            objects.iter().map(one).collect()
        };
        let (one, two) = (shown(&self.objects), shown(&other.objects));
        for (real, other) in one.iter().zip(&two) {
            derived::collect(real, other, &[labels::CONFIG_HASH], &mut found);
        }
        for (real, other) in self.components.iter().zip(&other.components) {
            let parts =
                |c: &Component| Value::Array([&c.health[..], std::slice::from_ref(&c.exports)].concat());
            derived::collect(&parts(real), &parts(other), &[], &mut found);
        }
        derived::text(&self.notes, &other.notes, &mut found);
        found.retain(|text| !known(text));
        self.derived = found.into_iter().collect();
    }
}

/// An enabled component.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its bundle's version.
    pub version: String,
    /// The version of the application in it.
    pub app_version: String,
    /// Does it work on the node itself?
    pub node_level: bool,
    /// Format of the data on its volumes; None when its bundle does not say.
    pub data_format: Option<u32>,
    /// Formats that it can go back to.
    pub downgrade_to: Vec<u32>,
    /// Components that must be ready before it is applied (operators, webhooks).
    pub needs: Vec<String>,
    /// Its `exports`, evaluated (service, port, url, …).
    pub exports: Value,
    /// Its `health` entries, evaluated.
    pub health: Vec<Value>,
}

/// An object and the file that it comes from.
type Sourced = (String, Object);

/// Renders a bundle with its effective values (defaults and user values merged).
pub fn render(bundle: &Bundle, values: &Value, facts: &Facts) -> Result<Rendered> {
    let Parts { parts, peers, global } = parts::decide(bundle, values, facts)?;
    let peer_values = match &peers {
        Some(peers) => context::peers(peers),
        None => TemplateValue::from_object(context::NoPeers),
    };
    let is_on = |name: &str| match &peers {
        _ if name == bundle.name() => Some(true),
        Some(peers) => peers.get(name).map(Option::is_some),
        None => None,
    };

    let mut components = Vec::new();
    let mut rendered: Vec<(Owner, Vec<Sourced>)> = Vec::new();
    for part in &parts {
        let scope = context::Scope { bundle: part.bundle, values: &part.values, global: &global, facts };
        let mut engine = Engine::new(part.bundle)?;
        let objects = objects(&mut engine, part, &scope, &peer_values)?;
        // an umbrella's checks go to the components that they are about, below
        let own = !(bundle.is_umbrella() && part.bundle.name() == bundle.name());
        let health = if own { declared::health(&engine, &scope, &is_on)? } else { Vec::new() };
        components.push(component(part, health));
        rendered.push((owner(part.bundle, part.bundle.name(), scope.namespace()), objects));
    }
    if bundle.is_umbrella() {
        let scope = context::Scope { bundle, values, global: &global, facts };
        for check in declared::health(&Engine::bare(bundle.label()), &scope, &is_on)? {
            let owner = components.iter().position(|c| check["component"] == c.name.as_str());
            // a check of the whole stack belongs to the first component
            if let Some(component) = components.get_mut(owner.unwrap_or(0)) {
                component.health.push(check);
            }
        }
    }

    let node_level = parts.iter().any(|part| part.bundle.meta().node_level);
    let namespaces = namespaces::objects(facts, node_level)
        .into_iter()
        .map(|value| Ok(("namespace".to_owned(), Object::new(value).map_err(Error::usage)?)));
    rendered.insert(
        0,
        (owner(bundle, namespaces::COMPONENT, &facts.namespace), namespaces.collect::<Result<_>>()?),
    );

    let notes = notes(bundle, values, &global, facts, peer_values)?;
    let (sources, mut objects) = finish_all(rendered, facts, &global)?;
    config_hash::annotate(&mut objects, &facts.hmac_key);
    let component_values =
        parts.into_iter().map(|part| (part.bundle.name().to_owned(), part.values)).collect();
    Ok(Rendered { objects, sources, components, component_values, notes, derived: Vec::new() })
}

fn component(part: &Part, health: Vec<Value>) -> Component {
    let meta = part.bundle.meta();
    Component {
        name: meta.name.clone(),
        version: meta.version.to_string(),
        app_version: part.bundle.app_version(),
        node_level: meta.node_level,
        data_format: meta.data_format,
        downgrade_to: meta.downgrade_to.clone(),
        needs: part.needs.clone(),
        exports: part.exports.clone(),
        health,
    }
}

fn owner(bundle: &Bundle, component: &str, namespace: &str) -> Owner {
    Owner {
        name: bundle.name().to_owned(),
        component: component.to_owned(),
        version: version_label(&bundle.app_version()),
        node_level: bundle.meta().node_level && component == bundle.name(),
        namespace: namespace.to_owned(),
        readiness: bundle.meta().readiness.clone(),
    }
}

/// CRDs, generated Secrets and templates of one part.
fn objects(
    engine: &mut Engine,
    part: &Part,
    scope: &context::Scope,
    peers: &TemplateValue,
) -> Result<Vec<Sourced>> {
    let bundle = part.bundle;
    let mut out = Vec::new();
    for (path, text) in bundle.texts("crds/", &[".yaml", ".yml", ".json"]) {
        for (source, object) in parse(bundle, path, text, false)? {
            if object.kind() != "CustomResourceDefinition" {
                let err = format!(
                    "{source}: a {} in crds/; only CustomResourceDefinitions belong there",
                    object.kind()
                );
                return Err(Error::usage(err).hint("move it to templates/"));
            }
            out.push((source, object));
        }
    }
    for secret in declared::secrets(engine, scope)? {
        out.push((format!("{}/bundle.yaml", bundle.label()), Object::new(secret).map_err(Error::usage)?));
    }
    let context = scope.templates(peers.clone());
    for (path, _) in bundle.texts("templates/", &[".yaml"]) {
        // `_macros.yaml` is for import only
        if !path.rsplit('/').next().unwrap_or(path).starts_with('_') {
            let text = engine.render(path, &context)?;
            out.extend(parse(bundle, path, &text, true)?);
        }
    }
    Ok(out)
}

/// The objects in a template's output. No part of the output is shown: it may hold secrets.
fn parse(bundle: &Bundle, path: &str, text: &str, rendered: bool) -> Result<Vec<Sourced>> {
    let source = format!("{}/{path}", bundle.label());
    let documents = yaml::parse_documents(text).map_err(|err| {
        let message = err.message.lines().next().unwrap_or_default().to_owned();
        let line = err.line.unwrap_or(1);
        if !rendered {
            return Error::usage(format!("{source}:{line}: invalid YAML: {message}"));
        }
        let before = text.lines().take(line.saturating_sub(1) as usize);
        let mut content = false;
        let mut document = 1;
        for line in before {
            match line.starts_with("---") {
                true if content => (document, content) = (document + 1, false),
                true => {}
                false => content |= !line.trim().is_empty() && !line.starts_with('#'),
            }
        }
        Error::usage(format!("{source}: document {document} of its output is not valid YAML: {message} (line {line} of the output)"))
            .hint("values are written as JSON: join text with `~` inside one ${{ … }}, as in ${{ name ~ \"-config\" }}")
    })?;
    let mut out = Vec::new();
    for (i, document) in documents.into_iter().enumerate() {
        let object = Object::new(document)
            .map_err(|why| Error::usage(format!("{source}: document {} of its output: {why}", i + 1)))?;
        out.push((source.clone(), object));
    }
    Ok(out)
}

/// Labels, namespaces and checks for everything; two objects with one identity are an error.
fn finish_all(
    rendered: Vec<(Owner, Vec<Sourced>)>,
    facts: &Facts,
    global: &Value,
) -> Result<(Vec<String>, Vec<Object>)> {
    let crds = rendered.iter().flat_map(|(_, objects)| objects).map(|(_, object)| object);
    let crds = crds.filter(|object| object.kind() == "CustomResourceDefinition");
    let finisher = Finisher::new(facts, global, crds).map_err(Error::usage)?;
    let mut seen: BTreeMap<ObjectId, String> = BTreeMap::new();
    let (mut sources, mut out) = (Vec::new(), Vec::new());
    for (owner, objects) in rendered {
        for (source, mut object) in objects {
            finisher.finish(&mut object, &owner).map_err(|why| Error::usage(format!("{source}: {why}")))?;
            if let Some(other) = seen.insert(object.id(), source.clone()) {
                let id = object.id();
                let both =
                    if other == source { format!("{source} twice") } else { format!("{other} and {source}") };
                return Err(
                    Error::usage(format!("{id} comes from {both}")).hint("give one of them another name")
                );
            }
            sources.push(source);
            out.push(object);
        }
    }
    Ok((sources, out))
}

fn notes(
    bundle: &Bundle,
    values: &Value,
    global: &Value,
    facts: &Facts,
    peers: TemplateValue,
) -> Result<String> {
    if bundle.text(NOTES).is_none() {
        return Ok(String::new());
    }
    let scope = context::Scope { bundle, values, global, facts };
    Engine::new(bundle)?.render(NOTES, &scope.templates(peers))
}
