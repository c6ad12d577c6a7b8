//! Findings about rendered objects: images, resources, security contexts, text that a template
//! wrote in Python's words, what no server would accept.

use serde_json::Value;

use super::{Finding, Severity};
use crate::object::{Image, pods};
use crate::plan::local;
use crate::render::Rendered;

/// Findings about a rendering, sorted.
pub fn rendered(rendered: &Rendered) -> Vec<Finding> {
    let mut out = Vec::new();
    for (object, source) in rendered.objects.iter().zip(&rendered.sources) {
        let mut add = |severity, message: String| {
            out.push(Finding { file: source.clone(), line: None, severity, message });
        };
        let id = format!("{} {}", object.kind(), object.name());
        for container in containers(object.value()) {
            let name = container["name"].as_str().unwrap_or("?");
            let at = format!("{id}: container {name}");
            if let Some(why) = container["image"].as_str().and_then(image_problem) {
                add(
                    Severity::Error,
                    format!("{at}: image {}: {why}", container["image"].as_str().unwrap_or_default()),
                );
            }
            for kind in ["requests", "limits"] {
                if container.pointer(&format!("/resources/{kind}/memory")).is_none() {
                    add(Severity::Warning, format!("{at} has no resources.{kind}.memory"));
                }
            }
            if container
                .get("securityContext")
                .is_none_or(|s| s.as_object().is_none_or(serde_json::Map::is_empty))
            {
                add(Severity::Warning, format!("{at} has no securityContext"));
            }
        }
        if let Some(Err(why)) = local::check(object) {
            add(Severity::Error, format!("{id} is not valid: {why}"));
        }
        if object.kind() != "Secret" {
            python_words(object.value(), &mut |path, word| {
                add(
                    Severity::Error,
                    format!("{id}: {path} ends in `{word}`: `~` writes it so; use `| string` before `~`"),
                );
            });
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The images of an object's containers.
pub fn images(object: &Value) -> Vec<&str> {
    containers(object).into_iter().filter_map(|c| c["image"].as_str()).collect()
}

fn containers(object: &Value) -> Vec<&Value> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (group, _) = crate::object::split_api_version(object["apiVersion"].as_str().unwrap_or_default());
    let spec = match (kind, pods::template_at(group, kind)) {
        ("Pod", _) => object.get("spec"),
        (_, Some(at)) => object.pointer(&format!("{at}/spec")),
        _ => None,
    };
    let list = |key: &str| spec.and_then(|s| s.get(key)).and_then(Value::as_array).into_iter().flatten();
    list("initContainers").chain(list("containers")).collect()
}

/// What is wrong with an image reference (`[registry/]name:tag[@sha256:…]`).
fn image_problem(image: &str) -> Option<&'static str> {
    let Image { tag, digest, .. } = Image::parse(image);
    let is_digest = |d: &str| {
        d.strip_prefix("sha256:").is_some_and(|d| {
            let varied = d.bytes().any(|b| Some(b) != d.bytes().next());
            d.len() == 64 && varied && d.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    match (tag, digest) {
        (_, Some(digest)) if !is_digest(digest) => {
            Some("this is not a digest that a registry gave (sha256: and 64 hexadecimal digits)")
        }
        (None | Some(""), _) => Some("it has no tag"),
        (Some("latest"), _) => Some("latest is another image tomorrow; name a version"),
        (Some(tag), _)
            if tag.len() > 128 || !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) =>
        {
            Some("the tag has characters that a tag cannot have")
        }
        _ if image.contains("//") || image.starts_with('/') || image.contains(char::is_whitespace) => {
            Some("it is not an image reference")
        }
        _ => None,
    }
}

/// Strings like `--flag=True`: minijinja's `~` writes booleans and none as Python does.
fn python_words(value: &Value, report: &mut dyn FnMut(String, &str)) {
    fn walk(value: &Value, at: String, report: &mut dyn FnMut(String, &str)) {
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| walk(v, format!("{at}.{k}"), report)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, v)| walk(v, format!("{at}[{i}]"), report));
            }
            Value::String(text) => {
                for word in ["True", "False", "None"] {
                    if text
                        .strip_suffix(word)
                        .is_some_and(|rest| rest.ends_with(['=', ':']) || rest.ends_with(": "))
                    {
                        report(at.trim_start_matches('.').to_owned(), word);
                    }
                }
            }
            _ => {}
        }
    }
    walk(value, String::new(), report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references() {
        let digest = "0123456789abcdef".repeat(4);
        for (image, good) in [
            ("quay.io/prometheus/prometheus:v3.15.0".to_owned(), true),
            ("localhost:5000/a:1".to_owned(), true),
            (format!("a:1@sha256:{digest}"), true),
            (format!("a@sha256:{digest}"), false),
            (format!("a:1@sha256:{}", "0".repeat(64)), false),
            ("a:1@sha256:abc".to_owned(), false),
            ("localhost:5000/a".to_owned(), false),
            ("a:latest".to_owned(), false),
            ("a:".to_owned(), false),
            ("/a:1".to_owned(), false),
            ("a:v1+build".to_owned(), false),
        ] {
            assert_eq!(image_problem(&image).is_none(), good, "{image}");
        }
    }
}
