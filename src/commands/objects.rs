//! Objects on stdout, as `template` and `get manifest` print them: YAML documents, JSON lines or
//! names; values of Secrets are masked unless somebody asks for them, and what is generated at
//! install is a fixed text.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::App;
use super::bundle::written;
use crate::cli::Output;
use crate::object::{Object, labels};
use crate::values::Traces;
use crate::{Result, escape, words, yaml};

/// Stands for a value that is made at install time.
const PLACEHOLDER: &str = "GENERATED-AT-INSTALL";

/// Writes the objects, in YAML each below a comment that names its source, where that is known.
/// Gives how many values are masked.
pub(super) fn write<'o>(
    objects: impl Iterator<Item = (&'o Object, Option<&'o str>)>,
    format: Output,
    hide: Option<&Traces>,
    out: &mut dyn Write,
) -> Result<usize> {
    let mut masked = 0;
    for (object, source) in objects {
        let text = match format {
            Output::Name => format!("{}\n", escape::line(&object.id().to_string())),
            Output::Json => {
                let value = shown(object, hide, &mut masked).to_string();
                format!("{}\n", escape::document(&value))
            }
            Output::Yaml => {
                let source = source.map(escape::line);
                let source = source.map(|source| format!("# Source: {source}\n")).unwrap_or_default();
                format!("---\n{source}{}", yaml::to_string(&shown(object, hide, &mut masked)))
            }
        };
        written(out.write_all(text.as_bytes()))?;
    }
    Ok(masked)
}

/// An object as it may be displayed; adds to `masked` how many of its values are masked. `hide`: what is
/// secret besides the values of Secrets; None: nothing is.
pub(super) fn shown(object: &Object, hide: Option<&Traces>, masked: &mut usize) -> Value {
    let Some(traces) = hide else { return with_placeholders(object, object.value().clone()) };
    let mut value = object.redacted();
    *masked += masks(object) + traces.mask_object(&mut value);
    with_placeholders(object, value)
}

/// Says on stderr how many values are masked, if any.
pub(super) fn tell_masked(app: &App<'_>, masked: usize) {
    if masked > 0 {
        app.ui.warn(&format!(
            "{} masked: to apply this output, print it with --show-secrets",
            words::count(masked, "secret value")
        ));
    }
}

/// How many values of a Secret are masked.
fn masks(object: &Object) -> usize {
    if object.kind() != "Secret" {
        return 0;
    }
    let entries = |field: &str| object.value()[field].as_object().map_or(0, Map::len);
    entries("data") + entries("stringData")
}

/// Fills the keys that are generated at install with a fixed text.
fn with_placeholders(object: &Object, mut value: Value) -> Value {
    let keys = object.annotation(labels::GENERATED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    for key in keys.as_ref().and_then(Value::as_array).into_iter().flatten() {
        if let Some(key) = key["key"].as_str() {
            value["stringData"][key] = json!(PLACEHOLDER);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_masked_values_of_secrets_are_counted() {
        let object = |kind: &str| {
            let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"},
                "data": {"a": "b"}, "stringData": {"c": "d", "e": "f"}});
            Object::new(value).unwrap()
        };
        let masked = |kind: &str, hide: Option<&Traces>| {
            let mut masked = 0;
            shown(&object(kind), hide, &mut masked);
            masked
        };
        let none = Traces::default();
        assert_eq!((masked("Secret", Some(&none)), masked("Secret", None)), (3, 0));
        assert_eq!(masked("ConfigMap", Some(&none)), 0);
        let traces = Traces::of(&json!({"p": "hunter2"}), &["/p".to_owned()]);
        let mut map = object("ConfigMap");
        map.value_mut()["data"]["a"] = json!("p: hunter2");
        let mut masked = 0;
        assert_eq!(shown(&map, Some(&traces), &mut masked)["data"]["a"], "********");
        assert_eq!(masked, 1);
    }
}
