//! Puts a hash of the configuration that a pod uses on its template, so that a change of a
//! ConfigMap or Secret restarts exactly the pods that use it. Only objects of the same render
//! count. Contents of Secrets go in by HMAC with the release's key: the annotation is readable by
//! more people than the Secret, and a plain hash of a weak password could be guessed.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bundle::archive::hex;
use crate::object::{Object, labels, pods};

/// Annotates the pod templates of `objects`.
pub fn annotate(objects: &mut [Object], key: &[u8]) {
    let mut hashes = BTreeMap::new();
    for object in
        objects.iter().filter(|o| o.api_version() == "v1" && matches!(o.kind(), "ConfigMap" | "Secret"))
    {
        if !matches!(object.annotation(labels::LIVE_RELOAD), Some("true" | labels::RELOAD_PROMETHEUS)) {
            let id =
                (object.kind().to_owned(), object.namespace().map(str::to_owned), object.name().to_owned());
            hashes.insert(id, content_hash(object, key));
        }
    }
    for object in objects {
        let (group, kind) = (object.id().group, object.kind().to_owned());
        let Some(at) = pods::template_at(&group, &kind) else { continue };
        let namespace = object.namespace().map(str::to_owned);
        let Some(spec) = object.value().pointer(&format!("{at}/spec")) else { continue };
        let named: BTreeSet<_> = pods::references(spec).iter().map(|r| (r.kind, r.name)).collect();
        let used: Vec<String> = named
            .into_iter()
            .filter_map(|(kind, name)| {
                let hash = hashes.get(&(kind.to_owned(), namespace.clone(), name.to_owned()))?;
                Some(format!("{kind}/{name}:{hash}\n"))
            })
            .collect();
        let Some(metadata) =
            object.value_mut().pointer_mut(&format!("{at}/metadata")).and_then(Value::as_object_mut)
        else {
            continue;
        };
        if !used.is_empty() {
            let hash = hex(&Sha256::digest(used.concat()));
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.insert(labels::CONFIG_HASH.to_owned(), json!(hash));
            }
        }
    }
}

/// Over the content alone: labels change with every version.
fn content_hash(object: &Object, key: &[u8]) -> String {
    let mut text = String::new();
    for field in ["data", "binaryData", "stringData"] {
        if let Some(data) = object.value().get(field).and_then(Value::as_object) {
            let sorted: BTreeMap<_, _> = data.iter().collect();
            text.push_str(&json!([field, sorted]).to_string());
        }
    }
    if object.kind() == "ConfigMap" {
        return hex(&Sha256::digest(text));
    }
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("every key fits");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(config: &str, secret: &str, live: bool, pod: Value) -> Option<String> {
        let object = |value| Object::new(value).unwrap();
        let mut objects = [
            object(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": config},
                "metadata": {"name": "c", "namespace": "n", "annotations": {labels::LIVE_RELOAD: live.to_string()}}})),
            object(json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": secret},
                "metadata": {"name": "s", "namespace": "n"}})),
            object(
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "w", "namespace": "n"},
                "spec": {"jobTemplate": {"spec": {"template": {"metadata": {}, "spec": pod}}}}}),
            ),
        ];
        annotate(&mut objects, b"key");
        let at = "/spec/jobTemplate/spec/template/metadata/annotations";
        Some(objects[2].value().pointer(at)?[labels::CONFIG_HASH].as_str()?.to_owned())
    }

    #[test]
    fn every_way_of_use_counts_and_nothing_else() {
        let uses = [
            (json!({"volumes": [{"configMap": {"name": "c"}}]}), true, false),
            (json!({"volumes": [{"secret": {"secretName": "s"}}]}), false, true),
            (
                json!({"volumes": [{"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}}]}),
                true,
                true,
            ),
            (
                json!({"containers": [{"env": [{"name": "x", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]}]}),
                true,
                false,
            ),
            (
                json!({"initContainers": [{"env": [{"name": "x", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}]}),
                false,
                true,
            ),
            (
                json!({"containers": [{"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]}]}),
                true,
                true,
            ),
        ];
        for (pod, config, secret) in uses {
            let before = render("1", "1", false, pod.clone());
            assert!(before.is_some());
            assert_eq!(render("2", "1", false, pod.clone()) != before, config, "{pod}");
            assert_eq!(render("1", "2", false, pod.clone()) != before, secret, "{pod}");
        }
        assert_eq!(render("1", "1", false, json!({"volumes": [{"configMap": {"name": "foreign"}}]})), None);
    }

    #[test]
    fn what_reloads_by_itself_does_not_restart_pods() {
        assert_eq!(render("1", "1", true, json!({"volumes": [{"configMap": {"name": "c"}}]})), None);
    }
}
