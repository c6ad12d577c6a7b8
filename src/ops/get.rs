//! What the record of one revision holds, and which of its values may be shown. Which values are
//! secret is for the bundle's schema to say; a record says where they are. Those of older versions
//! do not: there the schema of the recorded source is asked, if it can be opened again.

use std::path::Path;

use serde_json::Value;

use super::source::Opened;
use super::{Context, revision, source};
use crate::bundle::{Bundle, Digest, embedded};
use crate::error::{Error, Result};
use crate::object::Object;
use crate::release::{BundleRef, Header, Record, Revision};
use crate::values::{Pointer, Traces, schema};
use crate::words::count;

/// A revision.
#[derive(Debug, Clone)]
pub struct Got {
    /// What its metadata says.
    pub header: Header,
    /// What it holds.
    pub record: Record,
}

/// Reads the record of the newest revision, or of the one with this number.
pub async fn get(ctx: &Context<'_>, number: Option<Revision>) -> Result<Got> {
    let (store, history) = revision::history(ctx).await?;
    let header = revision::choose(ctx, &history, number)?;
    let record = store.read(header.revision).await.map_err(|error| {
        let others = revision::numbers(history.headers().iter().filter(|other| *other != header));
        if others.is_empty() { error } else { error.hint(format!("--revision reads another one: {others}")) }
    })?;
    Ok(Got { header: header.clone(), record })
}

/// The recorded objects.
pub fn objects(record: &Record) -> Result<Vec<Object>> {
    let object = |value: &Value| Object::new(value.clone());
    record.objects.iter().map(object).collect::<Result<_, _>>().map_err(|why| {
        Error::failed(format!(
            "revision {} of release {} holds something that is no object: {why}",
            record.revision, record.release
        ))
    })
}

/// The user's values as they may be shown, and what a person should know of what is masked.
pub fn values(record: &Record, show_secrets: bool) -> (Value, Option<String>) {
    shown(record, show_secrets, &|known| known.opened.secrets(&known.bundle, &record.values).ok())
}

/// `judge` says where secrets are in the values of a record, by the very bundle that it is of.
fn shown(
    record: &Record,
    show_secrets: bool,
    judge: &dyn Fn(&Known) -> Option<Vec<Pointer>>,
) -> (Value, Option<String>) {
    if show_secrets {
        return (record.values.clone(), None);
    }
    let BundleRef { name, version, .. } = &record.bundle;
    let by_record = record.secret_values.clone();
    let known = if by_record.is_some() { None } else { known(record) };
    let by_schema = || known.as_ref().filter(|known| known.same).and_then(judge);
    if let Some(secrets) = by_record.or_else(by_schema) {
        let note = format!(
            "{} masked: to use this output as values, print it with --show-secrets",
            count(secrets.len(), "value")
        );
        return (schema::mask_at(&secrets, &record.values), (!secrets.is_empty()).then_some(note));
    }
    let (shown, masked, note) = match known {
        // what is not the very same came with this program
        Some(Known { bundle, same: false, .. }) => {
            let (shown, masked) = schema::mask_unjudged(bundle.effective_schema(), &record.values);
            let ours = &bundle.meta().version;
            let note = format!(
                "what bundle {name} {ours} of this plugin does not know counts as secret (the record is of {version}); \
                 --show-secrets prints it"
            );
            (shown, masked, note)
        }
        _ => {
            let (shown, masked) = schema::mask_unjudged(None, &record.values);
            let note = format!(
                "the record does not say which values of bundle {name} {version} are secret; --show-secrets prints them"
            );
            (shown, masked, note)
        }
    };
    (shown, (masked > 0).then(|| format!("{} masked: {note}", count(masked, "value"))))
}

/// The secrets of a record, to be found in its objects. Where neither the record nor its bundle says which
/// values are secret, there are none to look for.
pub fn traces(record: &Record) -> Traces {
    let by_schema = || {
        let known = known(record)?;
        known.opened.secrets(&known.bundle, &record.values).ok()
    };
    let secrets = record.secret_values.clone().or_else(by_schema).unwrap_or_default();
    Traces::of(&record.values, &secrets).and_derived(&record.derived)
}

/// A bundle that a record is of.
struct Known {
    opened: Opened,
    bundle: Bundle,
    /// Is it the very same?
    same: bool,
}

/// The bundle inside this program, or on this machine, that the record is of. Nothing is downloaded.
fn known(record: &Record) -> Option<Known> {
    let BundleRef { name, digest, source, .. } = &record.bundle;
    let load = |opened: Opened| {
        let same = opened.digest.to_string() == *digest;
        Some(Known { bundle: Bundle::load(&opened.files).ok()?, opened, same })
    };
    if let Some(bytes) = embedded::archive(name) {
        let same = Digest::of(bytes).to_string() == *digest;
        if same || *source == format!("embedded {name}") {
            return load(source::open(name).ok()?);
        }
    }
    let path = Path::new(source).is_absolute();
    let opened = path.then(|| source::open(source).ok()).flatten()?;
    load(opened).filter(|known| known.same)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::MASK;
    use crate::ops::sandbox;
    use crate::release::record::FORMAT;

    fn record(source: &str, digest: &str) -> Record {
        Record {
            format: FORMAT,
            release: "obs".into(),
            namespace: "x".into(),
            node_namespace: "x-node".into(),
            revision: 1,
            bundle: BundleRef {
                name: "stack".into(),
                version: "0.9.0".into(),
                digest: digest.into(),
                source: source.into(),
            },
            profile: None,
            values: json!({"prometheus": {"replicas": 2}, "formerly": {"token": "t"}}),
            secret_values: None,
            derived: Vec::new(),
            components: vec![],
            objects: vec![],
            inventory: vec![],
            notes: String::new(),
        }
    }

    #[test]
    fn only_what_the_record_calls_secret_is_masked() {
        let secret_values = Some(vec!["/formerly/token".to_owned()]);
        let record = Record { secret_values, ..record("/nowhere/stack", "sha256:0") };
        let (shown, note) = values(&record, false);
        assert_eq!(shown, json!({"prometheus": {"replicas": 2}, "formerly": {"token": MASK}}));
        let expected = "1 value masked: to use this output as values, print it with --show-secrets";
        assert_eq!(note.as_deref(), Some(expected));
        assert_eq!(values(&record, true), (record.values, None));
    }

    #[test]
    fn an_older_record_of_a_folder_is_judged_by_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bundles/sec");
        let digest = source::open(folder).unwrap().digest.to_string();
        let mut record = record(folder, &digest);
        record.bundle.name = "sec".into();
        record.values = json!({"password": "x", "text": "t"});
        // the program of this test has no child that judges
        let values = |record: &Record| {
            let judge = |known: &Known| Some(sandbox::schema_secrets(&known.bundle, &record.values));
            shown(record, false, &judge).0
        };
        assert_eq!(values(&record), json!({"password": MASK, "text": "t"}));
        record.bundle.digest = "sha256:0".into();
        assert_eq!(values(&record), json!({"password": MASK, "text": MASK}), "it is another one");
    }

    #[test]
    fn values_are_judged_by_the_bundle_that_they_were_set_for() {
        let same = Digest::of(embedded::archive("stack").unwrap()).to_string();
        // the record of the same bundle holds what its schema allows; a file of it is as good
        for source in ["embedded stack", "/tmp/stack-1.0.0.tgz"] {
            let (shown, note) = values(&record(source, &same), false);
            assert_eq!((shown["prometheus"]["replicas"].clone(), note), (json!(2), None));
        }

        let (shown, note) = values(&record("embedded stack", "sha256:0"), false);
        assert_eq!(shown, json!({"prometheus": {"replicas": 2}, "formerly": {"token": MASK}}));
        assert_eq!(
            note.unwrap(),
            "1 value masked: what bundle stack 1.0.0 of this plugin does not know counts as secret (the record is of \
             0.9.0); --show-secrets prints it"
        );

        let (shown, note) = values(&record("https://example.com/stack.tgz", "sha256:0"), false);
        assert_eq!(shown, json!({"prometheus": {"replicas": MASK}, "formerly": {"token": MASK}}));
        assert!(note.unwrap().starts_with("2 values masked: the record does not say which"));

        let (shown, note) = values(&record("https://example.com/stack.tgz", "sha256:0"), true);
        assert_eq!((shown["formerly"]["token"].clone(), note), (json!("t"), None));
    }
}
