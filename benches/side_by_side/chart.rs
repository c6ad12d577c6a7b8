//! Our rendered objects as a Helm chart: the same objects, one template each, with nothing for
//! Helm's engine to compute.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Writes a chart of `objects` into `folder`. Helm puts them into the namespace of the release and
/// makes that namespace itself, so theirs goes, and so do Namespaces.
pub(crate) fn write(folder: &Path, objects: &[Value]) {
    let templates = folder.join("templates");
    fs::create_dir_all(&templates).expect("make the chart's folder");
    let meta = "apiVersion: v2\nname: peer\nversion: 1.0.0\n";
    fs::write(folder.join("Chart.yaml"), meta).expect("write the chart");
    for (i, object) in objects.iter().filter(|object| object["kind"] != "Namespace").enumerate() {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        let text = serde_yaml::to_string(&object).expect("an object is YAML");
        fs::write(templates.join(format!("{i:03}.yaml")), escape(&text)).expect("write the chart");
    }
}

/// Helm's engine takes `{{` for its own.
fn escape(text: &str) -> String {
    text.replace("{{", r#"{{ "{{" }}"#)
}
