//! What a plan takes beyond the release's namespace: objects that it makes elsewhere, rights over the
//! cluster that change, images from elsewhere that run there. Whoever may write the release's records
//! could have put it there, so a person agrees to it first.

use serde_json::Value;

use super::{Change, Plan, Step};
use crate::diff;
use crate::object::Image;

/// Each in a few words: `ClusterRole obs-reader is made`.
pub fn reach(plan: &Plan, namespace: &str) -> Vec<String> {
    plan.steps.iter().filter_map(|step| beyond(step, namespace)).collect()
}

fn beyond(step: &Step, namespace: &str) -> Option<String> {
    let (object, id) = (&step.object, step.object.id());
    // what is in the namespace is for whoever rules there
    if object.namespace() == Some(namespace) || object.kind() == "Namespace" {
        return None;
    }
    match &step.change {
        Change::Create => Some(format!("{id} is made")),
        Change::Adopt(_) => Some(format!("{id} is taken over")),
        Change::Update(fields) | Change::Recreate { fields, .. } => {
            let rights = object.api_version().starts_with("rbac.authorization.k8s.io/");
            if rights && fields.iter().any(grants) {
                return Some(format!("{id} grants other rights"));
            }
            let image = fields.iter().find(|field| runs_another_program(field))?;
            let word = |value: &Option<Value>| match value {
                Some(Value::String(text)) => text.clone(),
                _ => "none".to_owned(),
            };
            Some(format!("{id} runs {} instead of {}", word(&image.to), word(&image.from)))
        }
        Change::Unchanged | Change::Use | Change::Foreign(_) => None,
    }
}

fn grants(field: &diff::Change) -> bool {
    let parts = ["rules", "aggregationRule", "subjects", "roleRef"];
    matches!(field.steps.first(), Some(diff::Step::Key(key)) if parts.contains(&key.as_str()))
}

/// Another version of the same image is an upgrade; another image is another program.
fn runs_another_program(field: &diff::Change) -> bool {
    let is_image = matches!(field.steps.last(), Some(diff::Step::Key(key)) if key == "image");
    fn repository(value: Option<&Value>) -> Option<&str> {
        Some(Image::parse(value?.as_str()?).repository)
    }
    is_image && field.to.is_some() && repository(field.from.as_ref()) != repository(field.to.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn image(from: &str, to: &str) -> diff::Change {
        diff::Change {
            path: "spec.template.spec.containers[x].image".to_owned(),
            steps: vec![diff::Step::Key("spec".to_owned()), diff::Step::Key("image".to_owned())],
            from: Some(json!(from)),
            to: Some(json!(to)),
            secret: false,
        }
    }

    #[test]
    fn another_tag_is_an_upgrade_and_another_repository_is_not() {
        assert!(!runs_another_program(&image("quay.io/p/node:v1", "quay.io/p/node:v2@sha256:aa")));
        assert!(!runs_another_program(&image("localhost:5000/node:v1", "localhost:5000/node:v2")));
        assert!(runs_another_program(&image("quay.io/p/node:v1", "evil.example.com/p/node:v1")));
        assert!(runs_another_program(&image("quay.io/p/node:v1", "quay.io/p/other:v1")));
    }
}
