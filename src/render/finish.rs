//! The last step for every object: its namespace, the labels by which the tool finds it again, and
//! checks that would otherwise fail one by one on the cluster. Messages fit "templates/x.yaml: …".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Facts, kinds};
use crate::bundle::ReadinessRule;
use crate::object::base64;
use crate::object::{Object, labels, pods, split_api_version, type_name};
use crate::readiness::is_builtin;

/// Whose object it is.
pub struct Owner {
    /// The bundle: app.kubernetes.io/name.
    pub name: String,
    /// The component: kubectl-obs.dev/component.
    pub component: String,
    /// The application's version as a label value.
    pub version: String,
    /// Does the component work on the node itself?
    pub node_level: bool,
    /// The component's namespace.
    pub namespace: String,
    /// When its custom resources are ready.
    pub readiness: Vec<ReadinessRule>,
}

/// Finishes the objects of one render.
pub struct Finisher<'a> {
    facts: &'a Facts,
    /// `global.labels` and `global.annotations`.
    common: [Map<String, Value>; 2],
    /// Kinds of the render's own CRDs: are they outside namespaces?
    own_kinds: BTreeMap<(String, String), bool>,
}

/// `stringData` is a way to write `data`. The server keeps no such field, so what is applied with it
/// would differ from what lives for ever, and a removed key would stay.
fn plain_to_data(secret: &mut Value) -> Result<(), String> {
    let Some(map) = secret.as_object_mut() else { return Ok(()) };
    let plain = match map.shift_remove("stringData") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(plain)) => plain,
        Some(other) => return Err(format!("stringData must be a map, got {}", type_name(&other))),
    };
    let data = map_at(secret, "data")?;
    for (key, value) in plain {
        let Value::String(text) = value else {
            return Err(format!("stringData.{key} must be a string, got {}", type_name(&value)));
        };
        data.insert(key, json!(base64(text.as_bytes())));
    }
    Ok(())
}

/// In the API's own kinds null is how a template says "not set". Server-side apply would take it for
/// a value: a probe that was there before would keep the server's defaults and lose the rest.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

impl<'a> Finisher<'a> {
    /// `global` is the umbrella's; `crds` are all CustomResourceDefinitions of the render.
    pub fn new<'o>(
        facts: &'a Facts,
        global: &Value,
        crds: impl Iterator<Item = &'o Object>,
    ) -> Result<Self, String> {
        let common = |key: &str| {
            let map = match global.get(key) {
                None | Some(Value::Null) => Map::new(),
                Some(Value::Object(map)) => map.clone(),
                Some(other) => return Err(format!("global.{key} must be a map, got {}", type_name(other))),
            };
            strings(&map, &format!("global.{key}"))?;
            Ok(map.into_iter().filter(|(name, _)| !is_ours(name)).collect())
        };
        let own = crds
            .filter_map(|crd| kinds::of_crd(crd.value()))
            .map(|(group, kind, cluster)| ((group, kind), cluster));
        Ok(Self { facts, common: [common("labels")?, common("annotations")?], own_kinds: own.collect() })
    }

    /// Checks and completes one object.
    pub fn finish(&self, object: &mut Object, owner: &Owner) -> Result<(), String> {
        let (group, _) = split_api_version(object.api_version());
        let (group, kind) = (group.to_owned(), object.kind().to_owned());
        if kind.ends_with("List") && object.value().get("items").is_some() {
            return Err(format!(
                "a {kind} is not an object; write its items as documents separated by `---`"
            ));
        }
        kinds::check_name(&group, &kind, object.name()).map_err(|e| format!("{kind}: {e}"))?;
        let what = format!("{kind} {}", object.name());
        let fits = |e: String| format!("{what}: {e}");
        self.place(object, &group, &kind, owner).map_err(fits)?;

        // a definition's schema and a custom resource may mean null by it
        if is_builtin(&group) && kind != "CustomResourceDefinition" {
            without_nulls(object.value_mut());
        }
        if (group.as_str(), kind.as_str()) == ("", "Secret") {
            plain_to_data(object.value_mut()).map_err(fits)?;
        }
        let role = label_of(object.value()).unwrap_or_else(|| owner.component.clone());
        self.mark(object.value_mut(), owner, &role, true).map_err(fits)?;
        if let Some(rule) = owner.readiness.iter().find(|rule| rule.group == group && rule.kind == kind) {
            let annotations =
                map_in(map_at(object.value_mut(), "metadata").map_err(fits)?, "annotations").map_err(fits)?;
            annotations.insert(labels::READY_WHEN.to_owned(), json!(rule.ready));
            if let Some(failed) = &rule.failed {
                annotations.insert(labels::FAILED_WHEN.to_owned(), json!(failed));
            }
        }
        if let Some(at) = pods::template_at(&group, &kind) {
            self.pod_template(object.value_mut(), at, owner, &role).map_err(fits)?;
        }
        if let Some(claims) =
            object.value_mut().pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut)
        {
            for claim in claims {
                let role = label_of(claim).unwrap_or_else(|| role.clone());
                let metadata = map_at(claim, "metadata").map_err(fits)?;
                // nothing from global.labels: a claim template can never be changed again
                self.own_labels(map_in(metadata, "labels").map_err(fits)?, owner, &role, false)
                    .map_err(fits)?;
            }
        }
        Ok(())
    }

    /// The namespace, where the kind has one.
    fn place(&self, object: &mut Object, group: &str, kind: &str, owner: &Owner) -> Result<(), String> {
        let own = self.own_kinds.get(&(group.to_owned(), kind.to_owned())).copied();
        let cluster_scoped = own.unwrap_or_else(|| kinds::is_cluster_scoped(group, kind));
        let metadata = map_at(object.value_mut(), "metadata")?;
        match metadata.get("namespace") {
            // says "outside namespaces" of a kind that we do not know
            Some(Value::Null) => {
                metadata.shift_remove("namespace");
            }
            Some(Value::String(_)) if cluster_scoped => {
                return Err("has a metadata.namespace, but this kind lives outside namespaces".to_owned());
            }
            Some(Value::String(namespace)) => kinds::check_name("", "Namespace", namespace)
                .map_err(|e| format!("metadata.namespace: {e}"))?,
            Some(other) => {
                return Err(format!("metadata.namespace must be a string, got {}", type_name(other)));
            }
            None if cluster_scoped => {}
            None => {
                metadata.insert("namespace".to_owned(), json!(owner.namespace));
            }
        }
        Ok(())
    }

    fn pod_template(&self, object: &mut Value, at: &str, owner: &Owner, role: &str) -> Result<(), String> {
        let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object).cloned();
        let selected = selector.as_ref().and_then(|s| s.get(labels::COMPONENT)).and_then(Value::as_str);
        let Some(template) = object.pointer_mut(at) else {
            return Err(format!("has no {}", at.trim_start_matches('/').replace('/', ".")));
        };
        let role = label_of(template).or(selected.map(str::to_owned)).unwrap_or_else(|| role.to_owned());
        self.mark(template, owner, &role, false).map_err(|e| format!("pod template: {e}"))?;
        for (key, value) in selector.iter().flatten() {
            if ![labels::NAME, labels::INSTANCE, labels::COMPONENT].contains(&key.as_str()) {
                return Err(format!(
                    "spec.selector has the label {key}; a selector can never be changed, so it must be `${{{{ selector }}}}` only"
                ));
            }
            if template.pointer("/metadata/labels").and_then(|l| l.get(key)) != Some(value) {
                return Err(format!("spec.selector and the pod template have different labels {key}"));
            }
        }
        Ok(())
    }

    /// Labels and annotations of one metadata.
    fn mark(&self, value: &mut Value, owner: &Owner, role: &str, version: bool) -> Result<(), String> {
        let metadata = map_at(value, "metadata")?;
        for (key, common) in ["labels", "annotations"].into_iter().zip(&self.common) {
            let blank = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
            if common.is_empty() && metadata.get(key).is_none_or(blank) {
                metadata.shift_remove(key);
                continue;
            }
            let map = map_in(metadata, key)?;
            for (name, value) in common {
                map.entry(name.clone()).or_insert_with(|| value.clone());
            }
            strings(map, key)?;
        }
        self.own_labels(map_in(metadata, "labels")?, owner, role, version)
    }

    fn own_labels(
        &self,
        map: &mut Map<String, Value>,
        owner: &Owner,
        role: &str,
        version: bool,
    ) -> Result<(), String> {
        if !version && map.contains_key(labels::VERSION) {
            return Err(format!(
                "the label {} would restart its pods with every version; remove it",
                labels::VERSION
            ));
        }
        let mut set = |key: &str, value: &str| match map.get(key) {
            Some(Value::String(old)) if old != value => {
                Err(format!("the label {key} is set to {old:?}; the tool sets it to {value:?}, remove it"))
            }
            Some(_) => Ok(()),
            None => {
                map.insert(key.to_owned(), json!(value));
                Ok(())
            }
        };
        set(labels::NAME, &owner.name)?;
        set(labels::INSTANCE, &self.facts.release)?;
        set(labels::COMPONENT, role)?;
        if version {
            set(labels::VERSION, &owner.version)?;
        }
        set(labels::MANAGED_BY, labels::MANAGER)?;
        set(labels::RELEASE, &self.facts.release)?;
        set(labels::RELEASE_NAMESPACE, &self.facts.namespace)?;
        set(labels::OBS_COMPONENT, &owner.component)?;
        if owner.node_level {
            set(labels::NODE_LEVEL, "true")?;
        }
        Ok(())
    }
}

/// A version as a label value: `v1.0+build` → `v1.0_build`.
pub fn version_label(version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let value: String = version.chars().map(plain).take(63).collect();
    value.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// Labels that global.labels cannot set.
fn is_ours(name: &str) -> bool {
    name.starts_with("kubectl-obs.dev/") || name.starts_with("app.kubernetes.io/")
}

/// The role that a template gave an object.
fn label_of(value: &Value) -> Option<String> {
    Some(value.get("metadata")?.get("labels")?.get(labels::COMPONENT)?.as_str()?.to_owned())
}

fn map_at<'v>(value: &'v mut Value, key: &str) -> Result<&'v mut Map<String, Value>, String> {
    let kind = type_name(value);
    match value.as_object_mut() {
        Some(map) => map_in(map, key),
        None => Err(format!("expected a map, got {kind}")),
    }
}

/// The map under a key, made when it is absent or null.
fn map_in<'v>(map: &'v mut Map<String, Value>, key: &str) -> Result<&'v mut Map<String, Value>, String> {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    let kind = type_name(slot);
    slot.as_object_mut().ok_or_else(|| format!("{key} must be a map, got {kind}"))
}

fn strings(map: &Map<String, Value>, what: &str) -> Result<(), String> {
    match map.iter().find(|(_, value)| !value.is_string()) {
        Some((key, value)) => Err(format!("{what}: {key} must be a string, got {}", type_name(value))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_label_values() {
        for (version, label) in [
            ("v3.15.0", "v3.15.0"),
            ("1.0.0+build.1", "1.0.0_build.1"),
            ("-x-", "x"),
            ("2.0 (beta)", "2.0__beta"),
        ] {
            assert_eq!(version_label(version), label);
        }
        assert_eq!(version_label(&"x".repeat(80)).len(), 63);
    }
}
