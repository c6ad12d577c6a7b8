//! A support bundle: what somebody else needs to see what is wrong, in one archive, without anything secret. What
//! could not be had is named in it; what was replaced, too.

mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};

use super::apply::PARALLEL;
use super::{Context, doctor, get, history, live, revision};
use crate::bundle::archive::{self, Files};
use crate::doctor::redact::{Redacted, Redactor, values};
use crate::doctor::{Choice, diagnose, report};
use crate::error::{Error, Result};
use crate::object::builtin;
use crate::release::Record;
use crate::values::Traces;

/// What the reader finds first.
const README: &str = "What kubectl obs support-bundle saw. Secrets were replaced by tokens ([redacted KIND HASH]): the\n\
same secret has the same token in every file of this archive, and no other archive has it.\n\n\
findings.md, findings.json  what the doctor found\n\
snapshot.json               what it looked at: kubectl obs doctor --from snapshot.json\n\
release/                    revisions, values and rendered objects\n\
pods/, events/, logs/       by namespace; NAME.previous.log is the run before\n\
missing.json                what could not be had or had no room, and why\n\
redacted.json               how often something was replaced, by file and kind\n";
/// The API server gives no more of a log (see [`crate::cluster::Cluster::logs`]): what is cut are its newest lines.
const LOG: usize = 1 << 20;
/// What logs of the run before end in.
const PREVIOUS: &str = ".previous";
/// The newest revisions whose secrets are looked for: older ones are in no log.
const REVISIONS: usize = 10;

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

/// What was gathered, as it is: nothing of it may be written before it was redacted. It has no `Debug`.
#[derive(Default)]
struct Gathered {
    documents: BTreeMap<String, Value>,
    texts: BTreeMap<String, String>,
    missing: BTreeMap<String, String>,
    /// Values that are secret, with the names that they have in their Secrets.
    secrets: BTreeSet<(String, Vec<u8>)>,
    /// What records say is secret.
    traces: Traces,
}

/// Gathers everything and packs it.
pub async fn bundle(ctx: &Context<'_>, options: Options, key: &[u8]) -> Result<(Vec<u8>, Report)> {
    let gathered = gather(ctx, options).await?;
    let key = key.to_owned();
    // it takes seconds: whoever waits may leave meanwhile
    let work = tokio::task::spawn_blocking(move || {
        let (files, redacted, missing) = redact(gathered, &key)?;
        let packed = archive::pack(&files)
            .map_err(|error| Error::failed(format!("the archive cannot be packed: {error}")))?;
        Ok::<_, Error>((packed, files, redacted, missing))
    });
    let (packed, files, redacted, missing) =
        work.await.map_err(|error| Error::failed(format!("the bundle could not be made: {error}")))??;
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
            all.know(&got.record);
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
    before(ctx, &mut all).await;
    for place in &places {
        Box::pin(namespace(ctx, place, options, &mut all)).await;
    }
    Ok(all)
}

/// The secrets of revisions before the newest: what runs may still log them.
async fn before(ctx: &Context<'_>, all: &mut Gathered) {
    let Ok((store, history)) = revision::history(ctx).await else { return };
    for header in history.headers().iter().rev().skip(1).take(REVISIONS) {
        match store.read(header.revision).await {
            Ok(record) => all.know(&record),
            Err(error) => {
                let what = format!("the secrets of revision {}", header.revision);
                all.missing.insert(what, format!("{}; they are found by their form alone", said(error)));
            }
        }
    }
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
    let mut logs = stream::iter(containers.collect::<Vec<_>>())
        .map(|(pod, container, previous)| async move {
            let (pod_name, name) = (pod.clone(), container.clone());
            let log = newest(lines, |lines| {
                let (pod, container) = (pod_name.clone(), name.clone());
                async move { ctx.cluster.logs(place, &pod, &container, previous, lines).await }
            });
            (pod, container, previous, log.await)
        })
        .buffer_unordered(PARALLEL);
    while let Some((pod, container, previous, log)) = logs.next().await {
        let path = format!("logs/{place}/{pod}/{container}{}.log", if previous { PREVIOUS } else { "" });
        match log {
            Ok((text, is_whole)) => {
                if !is_whole {
                    all.shortened(&path, "it is larger than what is read of a log, which is 1 MiB");
                }
                if !text.is_empty() {
                    all.texts.insert(path, text);
                }
            }
            Err(error) if previous && is_first_run(&error) => {}
            Err(error) => drop(all.missing.insert(path, said(error))),
        }
        // what will have no place in the archive is not kept until then
        if room::is_over(&all.texts, 2) {
            let (mut texts, mut missing) = (mem::take(&mut all.texts), mem::take(&mut all.missing));
            room::fit(&mut texts, &mut missing, 0);
            (all.texts, all.missing) = (texts, missing);
        }
    }
    all.pods(place, pods);
}

/// The newest lines of a log, and whether those are as many as asked for: the server cuts the end of what is too
/// large, so that it is asked for fewer until there is nothing to cut.
async fn newest<F>(lines: u32, read: impl Fn(u32) -> F) -> Result<(String, bool)>
where
    F: Future<Output = Result<String>>,
{
    let mut wanted = lines;
    loop {
        let text = read(wanted).await?;
        if text.len() < LOG || wanted <= 1 {
            let is_whole = wanted == lines && text.len() < LOG;
            return Ok((text, is_whole));
        }
        // so many lines fit of those that were seen; the ones behind them may be longer
        let seen = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        wanted = (seen / 4 * 3).min(wanted / 2).max(1);
    }
}

/// Most containers have no run before.
fn is_first_run(error: &Error) -> bool {
    let message = error.message();
    message.contains("previous terminated container") && message.contains("not found")
}

impl Gathered {
    /// What a record says is secret.
    fn know(&mut self, record: &Record) {
        self.traces = mem::take(&mut self.traces).and(get::traces(record));
        let secrets = record.secret_values.iter().flatten().filter_map(|at| record.values.pointer(at));
        let texts = secrets.map(|secret| match secret {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        // a text may be a configuration, with secrets within
        self.secrets.extend(texts.map(|text| ("secret".to_owned(), text.into_bytes())));
    }

    fn shortened(&mut self, path: &str, why: &str) {
        self.missing.insert(format!("the beginning of {path}"), why.to_owned());
    }

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

/// The files without what is secret; those that are too large are shortened or left out, and named.
fn redact(gathered: Gathered, key: &[u8]) -> Result<(Files, Vec<Redacted>, BTreeMap<String, String>)> {
    let Gathered { documents, mut texts, mut missing, secrets, traces } = gathered;
    let mut redactor = Redactor::new(key);
    redactor.know_all(traces);
    for (name, secret) in secrets {
        redactor.know(&name, &secret);
    }
    // what has no place is not read either; tokens may be longer than what they stand for, so that it is done again
    room::fit(&mut texts, &mut missing, room::OWN.0 + documents.len());
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
    room::fit(&mut contents, &mut missing, room::OWN.0);
    let missing: BTreeMap<String, String> =
        missing.into_iter().map(|(path, why)| (path, redactor.text("missing.json", &why))).collect();
    let missing = room::listed(missing);
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
        gathered.secrets.insert(("anything".into(), known.as_bytes().to_vec()));
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
    fn what_is_known_is_found_in_every_form() {
        let binary = [0xff, 0xfe, 0x00, 0x9c, 0x41, 0x42, 0x43, 0x44, 0x45, 0x80, 0x81];
        let config = "smtp:\n  auth_password: abcd\n  host: mail\nurl: postgres://app:pa55-in-url@db/x\nseed: Zx81-ab-77\n";
        let record = json!({"db": {"login": "of-a-record", "more": "{\"token\": \"in-a-record\"}"}});
        let mut gathered =
            Gathered { traces: Traces::of(&record, &["/db/login".to_owned()]), ..Gathered::default() };
        for (name, value) in
            [("tls.p12", binary.as_slice()), ("config.yaml", config.as_bytes()), ("pin", b"zx81")]
        {
            gathered.secrets.insert((name.into(), value.to_vec()));
        }
        let secrets = ["of-a-record", "abcd", "pa55-in-url", "Zx81-ab-77", "zx81"];
        let mut log: String =
            secrets.iter().map(|secret| format!("got {secret}, which is wrong\n")).collect();
        let logins: Vec<String> =
            ["", "u", "us"].map(|before| base64(format!("{before}:{}", secrets[0]).as_bytes())).into();
        log += &format!("{}\n{}\n", base64(&binary), logins.join("\n"));
        gathered.texts.insert("logs/o/p/c.log".into(), log.clone());
        gathered
            .documents
            .insert("events/o.json".into(), json!({"items": [{"message": log, secrets[0]: 1}]}));
        let (files, ..) = redact(gathered, b"key").unwrap();
        for path in ["logs/o/p/c.log", "events/o.json"] {
            let text = String::from_utf8_lossy(&files[path]);
            for secret in secrets.iter().map(|secret| (*secret).to_owned()).chain([base64(&binary)]) {
                assert!(!text.contains(&secret), "{secret} is in {path}: {text}");
            }
            assert!(text.contains("which is wrong") && !text.contains("b2YtYS1yZWNvcm"), "{text}");
        }
    }

    #[test]
    fn a_document_that_is_too_large_is_named_and_left_out_and_a_log_keeps_its_newest_lines() {
        let mut gathered = Gathered::default();
        let large = "a line of a log\n".repeat(350_000);
        gathered.texts.insert("logs/o/p/c.log".into(), large.clone() + "the newest line\n");
        gathered.documents.insert("events/o.json".into(), json!([large]));
        let (files, _, missing) = redact(gathered, b"key").unwrap();
        assert!(!files.contains_key("events/o.json"));
        assert_eq!(missing["events/o.json"], "it is larger than the archive takes");
        let log = String::from_utf8_lossy(&files["logs/o/p/c.log"]);
        assert!(log.starts_with("a line") && log.ends_with("the newest line\n") && log.len() > 5_000_000);
        assert_eq!(missing["the beginning of logs/o/p/c.log"], "the archive has no room for it");
    }

    #[tokio::test]
    async fn the_newest_lines_of_a_log_are_read() {
        // as the API server does it: the last lines, then cut at the end
        let all: Vec<String> = (0..20_000).map(|n| format!("{n:06} {}", "y".repeat(192))).collect();
        let read = |lines: u32| {
            let mut text = all[all.len().saturating_sub(lines as usize)..].join("\n") + "\n";
            text.truncate(LOG);
            async move { Ok::<_, Error>(text) }
        };
        let (text, is_whole) = newest(20_000, read).await.unwrap();
        assert!(text.contains("019999 ") && text.len() > LOG / 4 && !is_whole, "{}", text.len());
        let (text, is_whole) = newest(100, read).await.unwrap();
        assert!(text.starts_with("019900 ") && is_whole);
        let (text, is_whole) = newest(100, |_| async { Ok("z".repeat(LOG)) }).await.unwrap();
        assert!(text.len() == LOG && !is_whole, "one line without end");
    }

    #[test]
    fn that_there_was_no_run_before_is_not_worth_a_word() {
        let none = "previous terminated container \"c\" in pod \"p\" not found";
        assert!(is_first_run(&Error::failed(none)));
        assert!(!is_first_run(&Error::failed("cannot get pod p: forbidden")));
        assert!(!is_first_run(&Error::failed("pods \"p\" not found")));
    }

    #[test]
    fn records_and_what_is_public_are_no_secrets() {
        let secret = json!({"type": "Opaque", "data": {"username": "YWRtaW4=", "password": "aHVudGVyMg=="}});
        assert_eq!(values(&secret), [("password".to_owned(), b"hunter2".to_vec())]);
        for kind in ["kubectl-obs.dev/release.v1", "helm.sh/release.v1"] {
            let record = json!({"type": kind, "data": {"release": "aHVudGVyMg=="}});
            assert!(values(&record).is_empty(), "{kind}");
        }
    }
}
