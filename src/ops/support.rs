//! A support bundle: what somebody else needs to see what is wrong, in one archive, without anything secret. What
//! could not be had is named in it; what was replaced, too.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};

use super::apply::PARALLEL;
use super::{Context, doctor, get, history, live};
use crate::bundle::archive::{self, Files};
use crate::doctor::redact::{Redacted, Redactor};
use crate::doctor::{Choice, diagnose, report};
use crate::error::{Error, Result};
use crate::object::{builtin, unbase64};

/// What the reader finds first.
const README: &str = "What kubectl obs support-bundle saw. Secrets were replaced by tokens ([redacted KIND HASH]): the\n\
same secret has the same token in every file of this archive, and no other archive has it.\n\n\
findings.md, findings.json  what the doctor found\n\
snapshot.json               what it looked at: kubectl obs doctor --from snapshot.json\n\
release/                    revisions, values and rendered objects\n\
pods/, events/, logs/       by namespace; NAME.previous.log is the run before\n\
missing.json                what could not be had, and why\n\
redacted.json               how often something was replaced, by file and kind\n";
/// Names of keys in Secrets whose values are not secret.
const PLAIN: [&str; 6] = ["ca.crt", "tls.crt", "namespace", "user", "username", "admin-user"];

/// What to put into it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The last lines of each container's log; none: no logs.
    pub lines: Option<u32>,
}

/// What is in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The files, with their sizes in bytes.
    pub files: BTreeMap<String, usize>,
    /// What was replaced.
    pub redacted: Vec<Redacted>,
    /// What could not be had, and why.
    pub missing: BTreeMap<String, String>,
}

/// What was gathered, as it is: nothing of it may be written before it was redacted.
#[derive(Debug, Default)]
pub struct Gathered {
    documents: BTreeMap<String, Value>,
    texts: BTreeMap<String, String>,
    missing: BTreeMap<String, String>,
    secrets: BTreeSet<Vec<u8>>,
}

/// Gathers everything and packs it.
pub async fn bundle(ctx: &Context<'_>, options: Options, key: &[u8]) -> Result<(Vec<u8>, Report)> {
    let gathered = gather(ctx, options).await?;
    let (files, redacted, missing) = redact(gathered, key)?;
    let packed = archive::pack(&files)
        .map_err(|error| Error::failed(format!("the archive cannot be packed: {error}")))?;
    let report = Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        files: files.iter().map(|(path, content)| (path.clone(), content.len())).collect(),
        redacted,
        missing,
    };
    Ok((packed, report))
}

async fn gather(ctx: &Context<'_>, options: Options) -> Result<Gathered> {
    let mut all = Gathered::default();
    let places = doctor::places(ctx).await;
    let snapshot = Box::pin(doctor::look(ctx)).await?;
    let diagnosis = diagnose(&snapshot, &Choice::default());
    all.texts.insert("findings.md".into(), report::markdown(&diagnosis));
    all.document("findings.json", serde_json::to_value(&diagnosis).map_err(|error| error.to_string()));
    all.document("snapshot.json", serde_json::to_value(&snapshot).map_err(|error| error.to_string()));
    let versions = async {
        let server = ctx.cluster.version().await.map(|version| version.full);
        Ok(json!({"client": env!("CARGO_PKG_VERSION"), "server": server.map_err(said)?}))
    };
    all.document("version.json", versions.await);
    all.document("release/history.json", revisions(ctx).await);
    match Box::pin(get::get(ctx, None)).await {
        Ok(got) => {
            // texts that templates made of secrets may be in no Secret as they are
            all.secrets.extend(got.record.derived.iter().map(|text| text.clone().into_bytes()));
            all.document("release/values.json", Ok(get::values(&got.record, false).0));
            let traces = get::traces(&got.record);
            let objects = get::objects(&got.record).map_err(said).map(|objects| {
                let shown = objects.iter().map(|object| {
                    let mut shown = object.redacted();
                    traces.mask_object(&mut shown);
                    shown
                });
                shown.collect::<Value>()
            });
            all.document("release/objects.json", objects);
        }
        Err(error) => drop(all.missing.insert("release/objects.json".into(), said(error))),
    }
    for place in &places {
        Box::pin(namespace(ctx, place, options, &mut all)).await;
    }
    Ok(all)
}

async fn revisions(ctx: &Context<'_>) -> Result<Value, String> {
    let report = history::history(ctx, 0).await.map_err(said)?;
    serde_json::to_value(report).map_err(|error| error.to_string())
}

/// Pods, events and logs of a namespace, and the secrets that must not be among them.
async fn namespace(ctx: &Context<'_>, place: &str, options: Options, all: &mut Gathered) {
    let secrets = ctx.cluster.list(&builtin::secrets(), Some(place), "").await;
    match secrets {
        Ok(secrets) => all.secrets.extend(secrets.iter().flat_map(values)),
        Err(error) => drop(all.missing.insert(
            format!("the values of Secrets in {place}"),
            format!("{}; those in logs are found by their form alone", said(error)),
        )),
    }
    let events = ctx.cluster.list(&builtin::events(), Some(place), "").await;
    all.document(&format!("events/{place}.json"), events.map(Value::from).map_err(said));
    let pods = match ctx.cluster.list(&builtin::pods(), Some(place), &live::selector(ctx)).await {
        Ok(pods) => pods,
        Err(error) => return drop(all.missing.insert(format!("pods/{place}"), said(error))),
    };
    let Some(lines) = options.lines else { return all.pods(place, pods) };
    let containers = pods.iter().flat_map(|pod| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let all =
            ["containers", "initContainers"].into_iter().filter_map(|list| pod["spec"][list].as_array());
        all.flatten().filter_map(|container| container["name"].as_str()).flat_map(move |container| {
            [false, true].map(|previous| (name.clone(), container.to_owned(), previous))
        })
    });
    let logs: Vec<_> = stream::iter(containers.collect::<Vec<_>>())
        .map(|(pod, container, previous)| async move {
            let log = ctx.cluster.logs(place, &pod, &container, previous, lines).await;
            (pod, container, previous, log)
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    for (pod, container, previous, log) in logs {
        let path = format!("logs/{place}/{pod}/{container}{}.log", if previous { ".previous" } else { "" });
        match log {
            Ok(text) if !text.is_empty() => drop(all.texts.insert(path, text)),
            Ok(_) => {}
            // most containers have no run before
            Err(_) if previous => {}
            Err(error) => drop(all.missing.insert(path, said(error))),
        }
    }
    all.pods(place, pods);
}

/// The values of a Secret that are secret. The records of releases are not texts, and hold references alone.
fn values(secret: &Value) -> Vec<Vec<u8>> {
    if secret["type"].as_str().is_some_and(|kind| kind.starts_with("kubectl-obs.dev/release")) {
        return Vec::new();
    }
    let data = secret["data"].as_object().into_iter().flatten();
    let data = data.filter(|(name, _)| !PLAIN.contains(&name.as_str()));
    data.filter_map(|(_, value)| unbase64(value.as_str()?)).collect()
}

impl Gathered {
    fn document(&mut self, path: &str, content: Result<Value, String>) {
        match content {
            Ok(value) => drop(self.documents.insert(path.to_owned(), value)),
            Err(why) => drop(self.missing.insert(path.to_owned(), why)),
        }
    }

    fn pods(&mut self, place: &str, pods: Vec<Value>) {
        for mut pod in pods {
            if let Some(metadata) = pod["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.documents.insert(format!("pods/{place}/{name}.json"), pod);
        }
    }
}

/// The files without what is secret; those that are too large are left out, and named.
fn redact(gathered: Gathered, key: &[u8]) -> Result<(Files, Vec<Redacted>, BTreeMap<String, String>)> {
    let Gathered { documents, texts, mut missing, secrets } = gathered;
    let mut redactor = Redactor::new(key);
    for secret in secrets {
        if let Ok(text) = std::str::from_utf8(&secret) {
            redactor.know(text);
        }
    }
    let mut contents: BTreeMap<String, String> = BTreeMap::new();
    for (path, mut document) in documents {
        redactor.json(&path, &mut document);
        let text = serde_json::to_string_pretty(&document);
        contents.insert(
            path,
            text.map_err(|error| Error::failed(format!("a document cannot be written: {error}")))?,
        );
    }
    for (path, text) in texts {
        let text = redactor.text(&path, &text);
        contents.insert(path, text);
    }
    contents.retain(|path, text| {
        let fits = text.len() as u64 <= archive::MAX_FILE;
        if !fits {
            missing.insert(path.clone(), "it is larger than the archive takes".to_owned());
        }
        fits
    });
    let missing: BTreeMap<String, String> =
        missing.into_iter().map(|(path, why)| (path, redactor.text("missing.json", &why))).collect();
    let redacted = redactor.report();
    contents.insert("README.txt".into(), README.to_owned());
    contents.insert("missing.json".into(), json!(missing).to_string());
    contents.insert("redacted.json".into(), json!(redacted).to_string());
    let files = contents.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    Ok((files, redacted, missing))
}

fn said(error: Error) -> String {
    error.message().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::base64;

    /// Secrets in every place that a bundle has; none is in the archive.
    #[test]
    fn nothing_secret_is_in_the_archive() {
        let known = "only-a-Secret-knows-it";
        let mut gathered = Gathered::default();
        gathered.secrets.insert(known.as_bytes().to_vec());
        let forms = [
            ("YAML", format!("password: {known}\n")),
            ("a log", format!("login of admin with {known} failed")),
            ("base64", format!("data: {}", base64(known.as_bytes()))),
        ];
        for (place, text) in forms {
            gathered.texts.insert(format!("logs/o/{place}.log"), text.clone());
            gathered.documents.insert(format!("events/{place}.json"), json!({"items": [{"message": text}]}));
            gathered.missing.insert(format!("logs/{place}"), text);
        }
        gathered.documents.insert(
            "pods/o/p.json".into(),
            json!({"spec": {"containers": [{"env": [{"name": "GF_PASSWORD", "value": "env-only"}]}]}}),
        );
        let (files, redacted, _) = redact(gathered, b"key").unwrap();
        let unpacked = archive::unpack(&archive::pack(&files).unwrap()).unwrap();
        for (path, content) in &unpacked {
            let text = String::from_utf8_lossy(content);
            for secret in [known, &base64(known.as_bytes()), "env-only"] {
                assert!(!text.contains(secret), "{secret} is in {path}: {text}");
            }
        }
        assert!(redacted.iter().any(|one| one.file == "pods/o/p.json"), "{redacted:?}");
        assert!(unpacked.contains_key("README.txt") && unpacked.contains_key("redacted.json"));
    }

    #[test]
    fn a_file_that_is_too_large_is_named_and_left_out() {
        let mut gathered = Gathered::default();
        let large = "a line of a log\n".repeat(500_000);
        gathered.texts.insert("logs/o/p/c.log".into(), large);
        let (files, _, missing) = redact(gathered, b"key").unwrap();
        assert!(!files.contains_key("logs/o/p/c.log"));
        assert_eq!(missing["logs/o/p/c.log"], "it is larger than the archive takes");
    }

    #[test]
    fn records_and_what_is_public_are_no_secrets() {
        let secret = json!({"type": "Opaque", "data": {"username": "YWRtaW4=", "password": "aHVudGVyMg=="}});
        assert_eq!(values(&secret), [b"hunter2".to_vec()]);
        let record = json!({"type": "kubectl-obs.dev/release.v1", "data": {"release": "aHVudGVyMg=="}});
        assert!(values(&record).is_empty());
    }
}
