//! What a bundle.yaml declares besides templates: generated Secrets and health checks, with their
//! expressions evaluated and their shapes checked.

use serde_json::{Map, Value, json};

use super::context::Scope;
use super::engine::Engine;
use crate::Result;
use crate::bundle::Bundle;
use crate::error::Error;
use crate::object::labels;

/// Characters of a generated value when the bundle names no length.
const DEFAULT_LENGTH: u64 = 32;

/// Evaluates the entries of `generatedSecrets` or `health` whose `when` is true, as (place, entry).
fn entries(
    engine: &Engine,
    scope: &Scope,
    key: &str,
    list: &[Value],
) -> Result<Vec<(String, Map<String, Value>)>> {
    let context = scope.expressions();
    let mut out = Vec::new();
    for (i, entry) in list.iter().enumerate() {
        let at = format!("/{key}/{i}");
        let place = |pointer: &str| place(scope.bundle, pointer);
        let mut entry = entry.as_object().cloned().unwrap_or_default();
        let on = match entry.shift_remove("when") {
            None | Some(Value::Bool(true)) => true,
            Some(Value::String(when)) => engine.condition(&when, &context, &place(&format!("{at}/when")))?,
            Some(_) => false,
        };
        if !on {
            continue;
        }
        if let Value::Object(entry) = engine.tree(&entry.into(), &context, &at, &place)? {
            out.push((format!("{} {key}[{i}]", place(&at)), entry));
        }
    }
    Ok(out)
}

/// `file:line` of a pointer into a bundle's bundle.yaml.
pub fn place(bundle: &Bundle, pointer: &str) -> String {
    bundle.meta().place(pointer)
}

/// The Secrets of `generatedSecrets`, one per name. They hold no value: it is filled at apply.
pub fn secrets(engine: &Engine, scope: &Scope) -> Result<Vec<Value>> {
    let mut secrets: Vec<(String, Vec<Value>)> = Vec::new();
    for (place, entry) in entries(engine, scope, "generatedSecrets", &scope.bundle.meta().generated_secrets)?
    {
        let text = |key: &str| match entry.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            _ => Err(Error::usage(format!("{place}: {key} must be a string that is not empty"))),
        };
        let length = match entry.get("length") {
            None | Some(Value::Null) => DEFAULT_LENGTH,
            Some(length) => match length.as_u64() {
                Some(length @ 8..=256) => length,
                _ => {
                    return Err(Error::usage(format!(
                        "{place}: length must be a whole number from 8 to 256"
                    )));
                }
            },
        };
        let mut generated = json!({"key": text("key")?, "length": length});
        if !matches!(entry.get("keepWith"), None | Some(Value::Null)) {
            generated["keepWith"] = json!(text("keepWith")?);
        }
        let name = format!("{}-{}", scope.name(), text("name")?);
        match secrets.iter_mut().find(|(other, _)| *other == name) {
            Some((_, keys)) if keys.iter().any(|other| other["key"] == generated["key"]) => {
                return Err(Error::usage(format!(
                    "{place}: key {} of Secret {name} is there twice",
                    generated["key"]
                )));
            }
            Some((_, keys)) => keys.push(generated),
            None => secrets.push((name, vec![generated])),
        }
    }
    let object = |(name, keys): (String, Vec<Value>)| {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "annotations": {labels::GENERATED: Value::Array(keys).to_string()}},
            "type": "Opaque",
        })
    };
    Ok(secrets.into_iter().map(object).collect())
}

/// The health checks. `component` is filled in; `enabled` says which of an umbrella's are on.
pub fn health(engine: &Engine, scope: &Scope, enabled: &dyn Fn(&str) -> Option<bool>) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    for (place, mut entry) in entries(engine, scope, "health", &scope.bundle.meta().health)? {
        let component = entry.entry("component").or_insert_with(|| json!(scope.bundle.name()));
        match component.as_str().and_then(enabled) {
            Some(true) => {}
            Some(false) => continue,
            None => return Err(Error::usage(format!("{place}: {component} is not a component"))),
        }
        check_health(&entry).map_err(|why| Error::usage(format!("{place}: {why}")))?;
        out.push(Value::Object(entry));
    }
    Ok(out)
}

fn check_health(entry: &Map<String, Value>) -> Result<(), String> {
    if let Some(deadline) = entry.get("deadline")
        && deadline.as_str().and_then(super::filters::duration).is_none_or(|seconds| seconds <= 0)
    {
        return Err(format!("deadline must be a duration such as 2m, got {deadline}"));
    }
    if let Some(http) = entry.get("http") {
        if !http["path"].as_str().is_some_and(|path| path.starts_with('/')) {
            return Err("http.path must begin with `/`".to_owned());
        }
        let port = &http["port"];
        if !(port.as_str().is_some_and(|name| !name.is_empty())
            || port.as_u64().is_some_and(|n| (1..65536).contains(&n)))
        {
            return Err(format!("http.port must be a port's number or name, got {port}"));
        }
        if let Some(status) = http.get("status")
            && !status.as_u64().is_some_and(|n| (100..600).contains(&n))
        {
            return Err(format!("http.status must be an HTTP status, got {status}"));
        }
    }
    if let Some(targets) = entry.get("targets") {
        let jobs = targets["jobs"].as_array();
        if !jobs.is_some_and(|jobs| !jobs.is_empty() && jobs.iter().all(Value::is_string)) {
            return Err(format!("targets.jobs must be a list of jobs, got {}", targets["jobs"]));
        }
    }
    if let Some(promql) = entry.get("promql") {
        for key in ["query", "expect"] {
            let text = promql.get(key);
            if (key == "query" || text.is_some())
                && text.and_then(Value::as_str).is_none_or(|t| t.trim().is_empty())
            {
                return Err(format!("promql.{key} must be a string that is not empty"));
            }
        }
    }
    Ok(())
}
