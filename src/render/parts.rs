//! Which components of a bundle are on, with which values, and what they export: everything that
//! is decided before a template is rendered.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Value, json};

use super::Facts;
use super::context::Scope;
use super::declared::place;
use super::engine::Engine;
use crate::Result;
use crate::bundle::{Bundle, ComponentRef, Mount, merge};
use crate::error::Error;

/// A bundle whose templates are rendered: an enabled component, or the bundle itself.
pub struct Part<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Its values.
    pub values: Value,
    /// Enabled components that must be ready before it.
    pub needs: Vec<String>,
    /// Its exports, evaluated.
    pub exports: Value,
}

/// The parts of a bundle, and all components by name with their exports (None: off).
pub struct Parts<'a> {
    /// In the order of the bundle; an umbrella's own templates come last.
    pub parts: Vec<Part<'a>>,
    /// None when the bundle has no components.
    pub peers: Option<BTreeMap<String, Option<Value>>>,
    /// `values.global`.
    pub global: Value,
}

/// Evaluates `when`, `with` and `exports`.
pub fn decide<'a>(bundle: &'a Bundle, values: &Value, facts: &Facts) -> Result<Parts<'a>> {
    check_kubernetes(bundle, facts)?;
    let global = values.get("global").cloned().unwrap_or_else(|| json!({}));
    let part = |bundle: &'a Bundle, values: Value, needs: Vec<String>| {
        let scope = Scope { bundle, values: &values, global: &global, facts };
        let exports = Value::Object(bundle.meta().exports.clone());
        let at = |pointer: &str| place(bundle, pointer);
        let exports = Engine::bare(bundle.label()).tree(&exports, &scope.expressions(), "/exports", &at)?;
        Ok::<_, Error>(Part { bundle, values, needs, exports })
    };
    if !bundle.is_umbrella() {
        let parts = vec![part(bundle, values.clone(), Vec::new())?];
        return Ok(Parts { parts, peers: None, global });
    }
    let engine = Engine::bare(bundle.label());
    let context = Scope { bundle, values, global: &global, facts }.expressions();
    let mut enabled = Vec::new();
    for (i, (reference, component)) in bundle.components().enumerate() {
        let on = match &reference.when {
            Some(when) => {
                engine.condition(when, &context, &place(bundle, &format!("/components/{i}/when")))?
            }
            None => true,
        };
        enabled.push((reference, component, on));
    }
    let is_on = |name: &str| enabled.iter().any(|(_, component, on)| *on && component.name() == name);
    let mut parts = Vec::new();
    let mut peers = BTreeMap::new();
    for (reference, component, on) in &enabled {
        let exports = if *on {
            check_kubernetes(component, facts)?;
            let needs = reference.needs.iter().filter(|need| is_on(need)).cloned().collect();
            let part = part(component, bundle.component_values(component.name(), values, facts)?, needs)?;
            let exports = part.exports.clone();
            parts.push(part);
            Some(exports)
        } else {
            None
        };
        peers.insert(component.name().to_owned(), exports);
    }
    if has_own_objects(bundle) {
        parts.push(part(bundle, values.clone(), Vec::new())?);
    }
    Ok(Parts { parts, peers: Some(peers), global })
}

/// An umbrella is a component too if it brings objects.
fn has_own_objects(umbrella: &Bundle) -> bool {
    let folders = ["templates/", "crds/"];
    umbrella.files().keys().any(|path| folders.iter().any(|folder| path.starts_with(folder)))
        || !umbrella.meta().generated_secrets.is_empty()
}

impl Bundle {
    /// The values of one component of an umbrella: its defaults, and over them its `with`,
    /// evaluated over the umbrella's effective `values`. Without `with`, the umbrella's values at
    /// the place of `"$ref": "bundle:<component>"`.
    pub fn component_values(&self, name: &str, values: &Value, facts: &Facts) -> Result<Value> {
        let found = self.components().enumerate().find(|(_, (_, component))| component.name() == name);
        let Some((i, (ComponentRef { with, .. }, component))) = found else {
            return Err(Error::usage(format!("bundle {} has no component {name}", self.name())));
        };
        let mount = self.mounts().iter().find(|mount| mount.component == name);
        let mut out = component.defaults().clone();
        if let Some(Mount { pointer, .. }) = mount
            && let (Some(before), Some(now)) =
                (self.effective_defaults().pointer(pointer), values.pointer(pointer))
        {
            remove_deleted(&mut out, before, now);
        }
        let over = match (with, mount) {
            (Some(with), _) => {
                let global = values.get("global").cloned().unwrap_or_else(|| json!({}));
                let context = Scope { bundle: self, values, global: &global, facts }.expressions();
                let (root, at) = (format!("/components/{i}/with"), |pointer: &str| place(self, pointer));
                let over = Engine::bare(self.label()).tree(with, &context, &root, &at)?;
                if !over.is_object() {
                    let what = crate::object::type_name(&over);
                    return Err(Error::usage(format!("{}: `with` must give a map, got {what}", at(&root))));
                }
                over
            }
            (None, Some(Mount { pointer, extra, .. })) => {
                let mut over = values.pointer(pointer).cloned().unwrap_or_else(|| json!({}));
                if let Some(map) = over.as_object_mut() {
                    map.retain(|key, _| !extra.contains(key));
                }
                over
            }
            (None, None) => json!({}),
        };
        merge(&mut out, &over);
        Ok(out)
    }
}

/// Takes out of `defaults` what a user deleted with null: it was among the umbrella's effective
/// defaults and is not among its values any more. Otherwise the default would come back.
fn remove_deleted(defaults: &mut Value, before: &Value, now: &Value) {
    let (Value::Object(defaults), Value::Object(before), Value::Object(now)) = (defaults, before, now) else {
        return;
    };
    defaults.retain(|key, _| now.contains_key(key) || !before.contains_key(key));
    for (key, value) in defaults {
        if let (Some(before), Some(now)) = (before.get(key), now.get(key)) {
            remove_deleted(value, before, now);
        }
    }
}

/// Does the bundle work with the cluster's version? Pre-release and build parts of providers
/// (`1.34.4-gke.100`) do not count.
fn check_kubernetes(bundle: &Bundle, facts: &Facts) -> Result<()> {
    let Some(range) = &bundle.meta().kube_version else { return Ok(()) };
    let plain = facts.kubernetes.trim_start_matches('v');
    let plain = &plain[..plain.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(plain.len())];
    let mut numbers = plain.split('.').map(|n| n.parse().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let version = Version::new(next(), next(), next());
    if range.matches(&version) {
        return Ok(());
    }
    let err = format!(
        "bundle {} works with Kubernetes {range}, the cluster has {}",
        bundle.name(),
        facts.kubernetes
    );
    Err(Error::usage(err).hint("upgrade the cluster, or take a version of the bundle that works with it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_that_was_deleted_does_not_come_back() {
        let mut defaults = json!({"limits": {"cpu": 1, "memory": 2}, "own": 1});
        let before = json!({"limits": {"cpu": 1, "memory": 2}, "enabled": true});
        remove_deleted(&mut defaults, &before, &json!({"limits": {"memory": 2}, "enabled": true}));
        assert_eq!(defaults, json!({"limits": {"memory": 2}, "own": 1}));
    }
}
