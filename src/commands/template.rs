//! `template`: what would be applied, as YAML, without a cluster.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::App;
use super::bundle::written;
use crate::cli;
use crate::object::{Object, labels};
use crate::ops::load::Loaded;
use crate::ops::source::Opened;
use crate::render::Facts;
use crate::{Result, words, yaml};

/// Stands for a value that is made at install time.
pub const PLACEHOLDER: &str = "GENERATED-AT-INSTALL";

/// What to render.
pub struct TemplateOptions<'a> {
    /// The bundle.
    pub bundle: &'a Opened,
    /// Its effective values.
    pub values: &'a Value,
    /// Release, namespaces, Kubernetes version.
    pub facts: &'a Facts,
    /// Write the values of Secrets as they are; masked otherwise.
    pub show_secrets: bool,
}

/// Runs `template`.
pub fn run(app: &App<'_>, args: &cli::Template) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let loaded = Loaded::load(&args.bundle, &args.values)?;
    for warning in loaded.warnings() {
        app.ui.warn(warning);
    }
    let facts = loaded.offline_facts(release.as_str(), namespace.as_str(), &args.kube_version);
    let mut out = Vec::new();
    let mut masked = 0;
    match args.output {
        None | Some(cli::Output::Yaml) => {
            let options = TemplateOptions {
                bundle: loaded.opened(),
                values: loaded.values(),
                facts: &facts,
                show_secrets: args.show_secrets,
            };
            masked = template(&options, &mut out)?;
        }
        Some(format) => {
            for object in loaded.render(&facts)?.objects {
                let value = if args.show_secrets { object.value().clone() } else { object.redacted() };
                let line = match format {
                    cli::Output::Name => format!("{}\n", object.id()),
                    _ => {
                        masked += masks(&object, args.show_secrets);
                        format!("{}\n", with_placeholders(&object, value))
                    }
                };
                written(out.write_all(line.as_bytes()))?;
            }
        }
    }
    if masked > 0 {
        app.ui.warn(&format!(
            "{} of Secrets masked: to apply this output, print it with --show-secrets",
            words::count(masked, "value")
        ));
    }
    app.ui.data(&String::from_utf8_lossy(&out));
    Ok(())
}

/// Writes one YAML document per object, each below a comment that names its source. Gives how
/// many values of Secrets are masked.
pub fn template(options: &TemplateOptions, out: &mut dyn Write) -> Result<usize> {
    let mut masked = 0;
    let rendered = options.bundle.render(options.values, options.facts)?;
    for (object, source) in rendered.objects.into_iter().zip(&rendered.sources) {
        let value = if options.show_secrets { object.value().clone() } else { object.redacted() };
        masked += masks(&object, options.show_secrets);
        let value = with_placeholders(&object, value);
        written(write!(out, "---\n# Source: {source}\n{}", yaml::to_string(&value)))?;
    }
    Ok(masked)
}

/// How many values of an object are masked.
fn masks(object: &Object, show_secrets: bool) -> usize {
    if show_secrets || object.kind() != "Secret" {
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
        assert_eq!(masks(&object("Secret"), false), 3);
        assert_eq!(masks(&object("Secret"), true), 0);
        assert_eq!(masks(&object("ConfigMap"), false), 0);
    }
}
