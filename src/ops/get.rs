//! What the record of one revision holds, and which of its values may be shown. Which values are
//! secret is for the bundle's schema to say, and a record has no schema; the bundles inside this
//! program have.

use serde_json::Value;

use super::{Context, revision};
use crate::bundle::{Bundle, Digest, archive, embedded};
use crate::error::{Error, Result};
use crate::object::Object;
use crate::release::{BundleRef, Header, Record, Revision};
use crate::values::schema;
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
    if show_secrets {
        return (record.values.clone(), None);
    }
    let BundleRef { name, version, .. } = &record.bundle;
    let (shown, masked, note) = match known(record) {
        Some((known, true)) => {
            let silent = Value::Bool(true);
            let schema = known.effective_schema().unwrap_or(&silent);
            let masked = schema::secrets(schema, &record.values).len();
            let note = "to use this output as values, print it with --show-secrets".to_owned();
            (schema::mask(schema, &record.values), masked, note)
        }
        Some((known, false)) => {
            let (shown, masked) = schema::mask_unjudged(known.effective_schema(), &record.values);
            let ours = &known.meta().version;
            let note = format!(
                "what bundle {name} {ours} of this plugin does not know counts as secret (the record is of {version}); \
                 --show-secrets prints it"
            );
            (shown, masked, note)
        }
        None => {
            let (shown, masked) = schema::mask_unjudged(None, &record.values);
            let note = format!(
                "the record does not say which values of bundle {name} {version} are secret; --show-secrets prints them"
            );
            (shown, masked, note)
        }
    };
    (shown, (masked > 0).then(|| format!("{} masked: {note}", count(masked, "value"))))
}

/// The bundle inside this program that the record is of, and whether it is the very same.
fn known(record: &Record) -> Option<(Bundle, bool)> {
    let name = &record.bundle.name;
    let bytes = embedded::archive(name)?;
    let same = Digest::of(bytes).to_string() == record.bundle.digest;
    if !same && record.bundle.source != format!("embedded {name}") {
        return None;
    }
    Some((Bundle::load(&archive::unpack(bytes).ok()?).ok()?, same))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::MASK;
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
            components: vec![],
            objects: vec![],
            inventory: vec![],
            notes: String::new(),
        }
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
