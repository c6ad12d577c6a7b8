//! What the metadata of a Secret says that is labelled as a record, and what is wrong with it as
//! far as metadata shows. Its name counts, because nobody can change it: a label that says
//! something else is damage.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Revision;
use super::codec::MAX_CHUNKS;
use super::history::{CHUNKS, Header, RECORD, REVISION, STATUS, secret_name};
use crate::object::labels;

/// The metadata of a Secret, as far as records need it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// For writes with a precondition.
    pub resource_version: String,
}

impl Metadata {
    /// A label's value; empty when there is none.
    pub fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }

    /// An annotation's value; empty when there is none.
    pub fn annotation(&self, key: &str) -> &str {
        self.annotations.get(key).map_or("", String::as_str)
    }

    /// The revision that the name of a record says.
    pub fn revision(&self) -> Option<Revision> {
        let release = self.label(labels::RELEASE);
        let rest = self.name.strip_prefix("obs.")?.strip_prefix(release)?.strip_prefix(".v")?;
        let revision = rest.split_once(".c").map_or(rest, |(revision, _)| revision).parse().ok()?;
        let own = secret_name(release, revision);
        (revision > 0 && self.name.starts_with(&own)).then_some(revision)
    }

    /// How many chunks a header says that its record has; 0 when it is in the header itself.
    pub fn chunks(&self) -> Result<usize, String> {
        match self.annotation(CHUNKS).parse() {
            Ok(chunks) if chunks <= MAX_CHUNKS => Ok(chunks),
            Ok(chunks) => Err(format!("it says that it has {chunks} chunks, and {MAX_CHUNKS} is the most")),
            Err(_) => Err("it does not say how many chunks it has".into()),
        }
    }
}

/// A Secret that is labelled as the header of a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Metadata")]
pub struct Found {
    /// The namespace that it is in.
    pub namespace: String,
    /// The release that it is labelled with.
    pub release: String,
    /// Its name.
    pub name: String,
    /// The revision; None when the name is not that of a record of this release.
    pub header: Option<Header>,
    /// How many chunks the record has.
    pub chunks: usize,
    /// What is wrong with it, in words that fit "record x/obs.obs.v1 is damaged: …".
    pub damage: Option<String>,
}

impl From<Metadata> for Found {
    fn from(metadata: Metadata) -> Self {
        let Metadata { namespace, name, .. } = metadata.clone();
        let release = metadata.label(labels::RELEASE).to_owned();
        let home = metadata.label(labels::RELEASE_NAMESPACE);
        if home != namespace {
            let damage = Some(format!("it is labelled as a record of namespace {home:?}"));
            return Self { namespace, release, name, header: None, chunks: 0, damage };
        }
        let header = Header::from_metadata(&metadata);
        let Some(revision) = header.as_ref().map(|header| header.revision) else {
            let damage = Some(format!("its name is not one of a record of release {release}"));
            return Self { namespace, release, name, header: None, chunks: 0, damage };
        };
        let chunks = metadata.chunks();
        let said = metadata.label(REVISION);
        let damage = if said != revision.to_string() {
            Some(format!("its label {REVISION} is {said:?}, not {revision}"))
        } else if metadata.label(STATUS).is_empty() {
            Some(format!("it has no label {STATUS}"))
        } else {
            chunks.clone().err()
        };
        Self { namespace, release, name, header, chunks: chunks.unwrap_or_default(), damage }
    }
}

impl Header {
    /// Reads the metadata of a record's header Secret; None if it is none.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        use super::history::{BUNDLE, BY, CREATED, DESCRIPTION, NODE_LEVEL, READY_AFTER, UPDATED};
        let revision = metadata.revision()?;
        let release = metadata.label(labels::RELEASE).to_owned();
        if metadata.label(RECORD) != "header" || metadata.name != secret_name(&release, revision) {
            return None;
        }
        let annotation = |key: &str| metadata.annotation(key).to_owned();
        let status_word = metadata.label(STATUS).to_owned();
        Some(Self {
            namespace: metadata.namespace.clone(),
            release,
            revision,
            status: status_word.parse().ok(),
            status_word,
            bundle: annotation(BUNDLE),
            created: annotation(CREATED),
            updated: annotation(UPDATED),
            by: annotation(BY),
            description: annotation(DESCRIPTION),
            node_level: metadata
                .annotation(NODE_LEVEL)
                .split(',')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect(),
            // figures for a person's patience: what is not readable is not known
            ready_after: metadata
                .annotation(READY_AFTER)
                .split(',')
                .filter_map(|part| part.split_once('='))
                .filter_map(|(name, after)| Some((name.to_owned(), after.parse().ok()?)))
                .collect(),
            resource_version: metadata.resource_version.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(change: impl FnOnce(&mut Value)) -> Found {
        let mut metadata = json!({"name": "obs.a.v3", "namespace": "x",
            "labels": {RECORD: "header", REVISION: "3", STATUS: "deployed", labels::RELEASE: "a",
                labels::RELEASE_NAMESPACE: "x"},
            "annotations": {CHUNKS: "0"}});
        change(&mut metadata);
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn damage_that_metadata_shows_is_named_and_the_revision_is_still_known() {
        type Change = fn(&mut Value);
        let cases: [(Change, Option<&str>); 6] = [
            (|_| {}, None),
            (|m| m["labels"][STATUS] = json!("hibernating"), None),
            (
                |m| m["labels"][REVISION] = json!("three"),
                Some("its label kubectl-obs.dev/revision is \"three\", not 3"),
            ),
            (|m| m["labels"][STATUS] = json!(""), Some("it has no label kubectl-obs.dev/status")),
            (|m| m["annotations"] = json!({}), Some("it does not say how many chunks it has")),
            (
                |m| m["annotations"][CHUNKS] = json!("4000000000"),
                Some("it says that it has 4000000000 chunks, and 75 is the most"),
            ),
        ];
        for (change, damage) in cases {
            let found = found(change);
            assert_eq!(found.damage.as_deref(), damage);
            assert_eq!(found.header.map(|header| header.revision), Some(3));
        }
    }

    #[test]
    fn a_copy_of_a_record_is_no_revision() {
        for name in ["backup", "obs.a.v3.old", "obs.a.v03", "obs.b.v3", "obs.a.v0", "obs.a.v-1"] {
            let found = found(|m| m["name"] = json!(name));
            assert_eq!(
                found.damage.as_deref(),
                Some("its name is not one of a record of release a"),
                "{name}"
            );
            assert_eq!(found.header, None);
        }
        let elsewhere = found(|m| m["namespace"] = json!("y"));
        assert_eq!(elsewhere.damage.as_deref(), Some("it is labelled as a record of namespace \"x\""));
    }

    #[test]
    fn a_chunk_belongs_to_the_revision_that_its_name_says() {
        let labels = BTreeMap::from([(labels::RELEASE.to_owned(), "a".to_owned())]);
        let chunk =
            |name: &str| Metadata { name: name.into(), labels: labels.clone(), ..Metadata::default() };
        assert_eq!(chunk("obs.a.v12.c3").revision(), Some(12));
        assert_eq!(chunk("obs.a.key").revision(), None);
    }
}
