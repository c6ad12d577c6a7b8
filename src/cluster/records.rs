//! Release records on the cluster: one Secret per revision, chunks where one cannot hold it, and
//! the release's random key. Records are written by POST and metadata PATCH only, never applied:
//! a POST that meets an existing one lost a race.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Cluster, CreateError, DeleteOptions, MetadataPatch};
use crate::error::{Error, Result};
use crate::object::{Kind, base64, builtin, labels, unbase64};
use crate::release::codec::{self, Encoded};
use crate::release::history::{self, Header, History};
use crate::release::{Entry, Found, Metadata, Record, Revision, Status, Unusable};

/// Requests at a time.
const PARALLEL: usize = 8;
/// Records that are fetched at a time, and that are decoded at a time: their texts are held meanwhile.
const READ_AHEAD: usize = 4;
static DECODING: Semaphore = Semaphore::const_new(2);
/// Values in all records that are read for one purpose; each has at most [`codec::MAX_VALUES`].
const MAX_VALUES: usize = 4_000_000;
/// Type of the Secret with the release's key.
const KEY_TYPE: &str = "kubectl-obs.dev/key.v1";

/// The records of one release.
#[derive(Clone)]
pub struct Store {
    cluster: Cluster,
    namespace: String,
    release: String,
    kind: Kind,
}

/// What a revision made and used.
pub struct Made {
    /// Its inventory.
    pub inventory: Vec<Entry>,
    /// The CustomResourceDefinitions of its bundle: they belong to the cluster, whoever made them.
    pub definitions: Vec<String>,
}

/// All releases in a namespace, or everywhere, by namespace and name: a metadata-only request.
pub async fn releases(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<History>> {
    let headers = format!("{}=header", history::RECORD);
    let mut releases: BTreeMap<(String, String), Vec<Found>> = BTreeMap::new();
    for found in cluster.list_metadata_as::<Found>(&builtin::secrets(), namespace, &headers).await? {
        releases.entry((found.namespace.clone(), found.release.clone())).or_default().push(found);
    }
    Ok(releases.into_values().map(History::of).collect())
}

impl Store {
    /// The records of `release` in `namespace`.
    pub fn new(cluster: &Cluster, namespace: &str, release: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            release: release.to_owned(),
            kind: builtin::secrets(),
        }
    }

    fn selector(&self, record: &str) -> String {
        format!(
            "{}={record},{}={},{}={}",
            history::RECORD,
            labels::RELEASE,
            self.release,
            labels::RELEASE_NAMESPACE,
            self.namespace
        )
    }

    /// The revisions, from metadata alone.
    pub async fn history(&self) -> Result<History> {
        Ok(History::of(self.found().await?))
    }

    /// The revisions, and whether their chunks are there: a second request, also for metadata,
    /// where one of them has chunks.
    pub async fn history_with_chunks(&self) -> Result<History> {
        let mut found = self.found().await?;
        if found.iter().any(|found| found.chunks > 0) {
            let names: BTreeSet<String> =
                self.metadata("chunk").await?.into_iter().map(|chunk| chunk.name).collect();
            for Found { header, chunks, damage, .. } in &mut found {
                let Some(header) = header else { continue };
                let name = |n: &usize| history::chunk_name(&self.release, header.revision, *n);
                if let Some(n) = (1..=*chunks).find(|n| !names.contains(&name(n))) {
                    damage.get_or_insert(missing(n, *chunks));
                }
            }
        }
        Ok(History::of(found))
    }

    async fn found(&self) -> Result<Vec<Found>> {
        self.cluster.list_metadata_as(&self.kind, Some(&self.namespace), &self.selector("header")).await
    }

    async fn metadata(&self, record: &str) -> Result<Vec<Metadata>> {
        self.cluster.list_metadata_as(&self.kind, Some(&self.namespace), &self.selector(record)).await
    }

    /// Reads a record whole. One that cannot be used is an error that names it.
    pub async fn read(&self, revision: Revision) -> Result<Record> {
        self.try_read(revision).await?.map_err(|why| self.unusable(revision, &why))
    }

    /// The error for a record that cannot be used.
    pub fn unusable(&self, revision: Revision, why: &Unusable) -> Error {
        let (namespace, name) = (&self.namespace, history::secret_name(&self.release, revision));
        let error = Error::failed(format!("record {namespace}/{name} cannot be read: {why}"));
        match why {
            Unusable::Newer(_) => error.hint("a newer version of kubectl-obs wrote it: upgrade the plugin"),
            Unusable::Gone => error.hint("somebody else removed it a moment ago: run the command again"),
            Unusable::Damaged(_) => error.hint(format!(
                "restore it from a backup; or delete it (kubectl delete secret -n {namespace} {name}) and \
                 run kubectl obs install, which takes over what is there"
            )),
        }
    }

    /// Reads a record whole. The inner error: it is there, or was, and cannot be used.
    pub async fn try_read(&self, revision: Revision) -> Result<Result<Record, Unusable>> {
        self.try_read_as(revision).await
    }

    /// Of a record only what its revision made, and the names of the CustomResourceDefinitions that
    /// it used or made: the objects are not kept.
    pub async fn try_read_inventory(&self, revision: Revision) -> Result<Result<Made, Unusable>> {
        #[derive(Deserialize)]
        struct Content {
            inventory: Vec<Entry>,
            objects: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            kind: String,
            metadata: Name,
        }
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        let content: Result<Content, Unusable> = self.try_read_as(revision).await?;
        Ok(content.map(|Content { inventory, objects }| {
            let definitions = objects.into_iter().filter(|object| object.kind == "CustomResourceDefinition");
            Made { inventory, definitions: definitions.map(|object| object.metadata.name).collect() }
        }))
    }

    async fn try_read_as<T: DeserializeOwned + Send + 'static>(
        &self,
        revision: Revision,
    ) -> Result<Result<T, Unusable>> {
        let stored = self.fetch(revision).await?;
        Ok(unpack(stored).await?.map(|(decoded, _)| decoded))
    }

    /// A record as it is stored.
    async fn fetch(&self, revision: Revision) -> Result<Result<Stored, Unusable>> {
        let Some(header) = self.get(&history::secret_name(&self.release, revision)).await? else {
            return Ok(Err(Unusable::Gone));
        };
        let metadata: Metadata = serde_json::from_value(header["metadata"].clone()).unwrap_or_default();
        let mut parts = Vec::new();
        if let Ok(chunks @ 1..) = metadata.chunks() {
            parts =
                try_join_all((1..=chunks).map(|n| async move {
                    self.get(&history::chunk_name(&self.release, revision, n)).await
                }))
                .await?;
        }
        Ok(stored(&header, &metadata, &parts))
    }

    /// Reads several records, in their order. The newest are read first: older ones for which there is
    /// no room any more cannot be used.
    pub async fn read_all(&self, headers: &[Header]) -> Vec<Result<Result<Record, Unusable>>> {
        let mut fetched =
            stream::iter(headers.iter().rev()).map(|header| self.fetch(header.revision)).buffered(READ_AHEAD);
        let mut left = MAX_VALUES;
        let mut records = Vec::new();
        while let Some(fetched) = fetched.next().await {
            let unpacked = match fetched {
                Ok(stored) => unpack(stored).await,
                Err(error) => Err(error),
            };
            records.push(unpacked.map(|unpacked| {
                let (record, values) = unpacked?;
                left = left.checked_sub(values).ok_or_else(|| {
                    Unusable::Damaged(format!(
                        "it and the newer ones have more than {MAX_VALUES} values together"
                    ))
                })?;
                Ok(record)
            }));
        }
        records.reverse();
        records
    }

    /// Writes a record: chunks first, the header last. Fails when the revision exists.
    pub async fn write(&self, encoded: &Encoded, header: &Header) -> Result<Header> {
        let mut data = json!({ "sha256": base64(encoded.sha256.as_bytes()) });
        let mut chunks = 0;
        if let [single] = &encoded.parts[..] {
            data["record"] = json!(base64(single));
        } else {
            chunks = encoded.parts.len();
            for (i, part) in encoded.parts.iter().enumerate() {
                let name = history::chunk_name(&self.release, header.revision, i + 1);
                let metadata = json!({
                    "name": name, "namespace": self.namespace,
                    "labels": self.labels("chunk", header.revision),
                });
                self.create(Self::secret(metadata, json!({ "chunk": base64(part) }))).await?;
            }
        }
        let mut metadata = header.metadata();
        metadata["annotations"][history::CHUNKS] = json!(chunks.to_string());
        let made = self.create(Self::secret(metadata, data)).await?;
        let made = serde_json::from_value(made["metadata"].clone()).unwrap_or_default();
        Header::from_metadata(&made)
            .ok_or_else(|| Error::failed(format!("the API server changed record {}", header.secret_name())))
    }

    /// Changes a revision's status and description in one metadata write, and writes down how long its
    /// components took, where the header says so.
    pub async fn set_status(
        &self,
        header: &Header,
        status: Status,
        description: &str,
        now: &str,
    ) -> Result<()> {
        let set = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let mut patch = MetadataPatch {
            labels: [set(history::STATUS, status.as_str())].into(),
            annotations: [set(history::UPDATED, now), set(history::DESCRIPTION, description)].into(),
        };
        if let Some(times) = header.ready_after_text() {
            patch.annotations.extend([set(history::READY_AFTER, &times)]);
        }
        self.cluster
            .patch_metadata(&self.kind, Some(&self.namespace), &header.secret_name(), &patch, None)
            .await?;
        Ok(())
    }

    /// Removes a revision: the header first, so that what a crash leaves are chunks without a
    /// header, which the next operation sweeps.
    pub async fn remove(&self, revision: Revision) -> Result<()> {
        self.delete(&history::secret_name(&self.release, revision)).await?;
        let selector = format!("{},{}={revision}", self.selector("chunk"), history::REVISION);
        self.delete_all(&selector).await
    }

    /// Is `history`, which was read before the lock was taken, still true? Every operation writes the
    /// next revision or changes the newest one, so that two reads by name tell. The server answers
    /// those from its store; for a list it first waits until its cache has caught up.
    pub async fn is_current(&self, history: &History) -> Result<bool> {
        let metadata = async |revision| {
            let name = history::secret_name(&self.release, revision);
            self.cluster.get_metadata(&self.kind, Some(&self.namespace), &name).await
        };
        if let Some(newest) = history.latest() {
            let found = metadata(newest.revision).await?;
            if found.is_none_or(|now| now["resourceVersion"] != newest.resource_version.as_str()) {
                return Ok(false);
            }
        }
        Ok(history.damage().is_empty() && metadata(history.next()).await?.is_none())
    }

    /// All chunks of the release.
    pub async fn chunks(&self) -> Result<Vec<Metadata>> {
        self.metadata("chunk").await
    }

    /// Deletes those of `chunks` that have no header, left by a writer that was killed. Only under the
    /// lock, and with what was read after the last operation.
    pub async fn sweep(&self, history: &History, chunks: &[Metadata]) -> Result<()> {
        for chunk in chunks {
            let orphan = |revision| history.headers().iter().all(|header| header.revision != revision);
            if chunk.revision().is_some_and(orphan) {
                self.delete(&chunk.name).await?;
            }
        }
        Ok(())
    }

    /// Removes every record, chunk and the key. The newest header goes after the others: until then
    /// it says what is going on.
    pub async fn remove_all(&self, history: &History) -> Result<()> {
        if let Some((newest, older)) = history.headers().split_last() {
            stream::iter(older)
                .map(|header| async { self.delete(&header.secret_name()).await })
                .buffer_unordered(PARALLEL)
                .try_collect::<()>()
                .await?;
            let newest = newest.secret_name();
            let chunks = self.selector("chunk");
            let key = self.key_name();
            tokio::try_join!(self.delete(&newest), self.delete_all(&chunks), self.delete(&key))?;
            return Ok(());
        }
        self.delete_all(&self.selector("chunk")).await?;
        self.delete(&self.key_name()).await
    }

    fn key_name(&self) -> String {
        format!("obs.{}.key", self.release)
    }

    /// The release's random key, if it was made already.
    pub async fn key(&self) -> Result<Option<Vec<u8>>> {
        let Some(secret) = self.get(&self.key_name()).await? else { return Ok(None) };
        Ok(data(&secret, "key").ok().filter(|key| !key.is_empty()))
    }

    /// Stores the release's key.
    pub async fn write_key(&self, key: &[u8]) -> Result<()> {
        let mut secret = Self::secret(
            json!({"name": self.key_name(), "namespace": self.namespace, "labels": self.labels("key", 0)}),
            json!({ "key": base64(key) }),
        );
        secret["type"] = json!(KEY_TYPE);
        self.create(secret).await.map(drop)
    }

    fn labels(&self, record: &str, revision: Revision) -> Value {
        json!({
            labels::MANAGED_BY: labels::MANAGER,
            labels::RELEASE: self.release,
            labels::RELEASE_NAMESPACE: self.namespace,
            history::RECORD: record,
            history::REVISION: revision.to_string(),
        })
    }

    fn secret(metadata: Value, data: Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": history::TYPE, "immutable": true,
            "metadata": metadata, "data": data,
        })
    }

    async fn get(&self, name: &str) -> Result<Option<Value>> {
        self.cluster.get(&self.kind, Some(&self.namespace), name).await
    }

    async fn create(&self, secret: Value) -> Result<Value> {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match self.cluster.create(&self.kind, Some(&self.namespace), &secret, false).await {
            Ok(made) => Ok(made),
            Err(CreateError::AlreadyExists(_)) => Err(Error::failed(format!(
                "record {}/{name} exists already: another operation on release {} was faster",
                self.namespace, self.release
            ))
            .hint("run the command again")),
            Err(CreateError::Other(error)) => Err(error),
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.cluster
            .delete(&self.kind, Some(&self.namespace), name, &DeleteOptions::default())
            .await
            .map(drop)
    }

    async fn delete_all(&self, selector: &str) -> Result<()> {
        let found: Vec<Metadata> =
            self.cluster.list_metadata_as(&self.kind, Some(&self.namespace), selector).await?;
        for Metadata { name, .. } in found {
            self.delete(&name).await?;
        }
        Ok(())
    }
}

/// A record's bytes, and what they are said to be.
struct Stored {
    bytes: Vec<u8>,
    sha256: String,
}

/// The record in its header, or in its chunks.
fn stored(header: &Value, metadata: &Metadata, parts: &[Option<Value>]) -> Result<Stored, Unusable> {
    let damaged = Unusable::Damaged;
    let chunks = metadata.chunks().map_err(damaged)?;
    let sha256 = data(header, "sha256").map_err(damaged)?;
    let mut bytes = Vec::new();
    if chunks == 0 {
        bytes = data(header, "record").map_err(damaged)?;
    }
    for (n, part) in (1..).zip(parts) {
        let part = part.as_ref().ok_or_else(|| damaged(missing(n, chunks)))?;
        bytes.extend(data(part, "chunk").map_err(damaged)?);
    }
    Ok(Stored { bytes, sha256: String::from_utf8_lossy(&sha256).into_owned() })
}

/// Decodes where nobody waits: somebody else may have written the record, and it may take long.
async fn unpack<T: DeserializeOwned + Send + 'static>(
    stored: Result<Stored, Unusable>,
) -> Result<Result<(T, usize), Unusable>> {
    let Stored { bytes, sha256 } = match stored {
        Ok(stored) => stored,
        Err(why) => return Ok(Err(why)),
    };
    // never closed
    let _one_of_few = DECODING.acquire().await;
    tokio::task::spawn_blocking(move || codec::decode_measured(&bytes, &sha256))
        .await
        .map_err(|_| Error::failed("a record could not be decoded"))
}

fn missing(n: usize, chunks: usize) -> String {
    format!("its chunk {n} of {chunks} is missing")
}

/// One key of a Secret's data.
fn data(secret: &Value, key: &str) -> Result<Vec<u8>, String> {
    let text = secret["data"][key].as_str().ok_or_else(|| format!("it has no data \"{key}\""))?;
    unbase64(text).ok_or_else(|| format!("its data \"{key}\" is not base64"))
}
