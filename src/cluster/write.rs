//! Writes that are not apply: records and the lock are made by POST and changed by PUT, so that
//! two writers cannot both win; objects are deleted with their uid, so that a namesake survives.
//!
//! An answer can be lost after the server has done its work. POST, PUT and patches with a
//! resourceVersion therefore carry a random value in an annotation ([`NONCE`]): when the repeated
//! request meets a conflict, the object that is there tells whether it was our own first attempt.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::Cluster;
use super::call::{Call, MERGE_PATCH, Subject, path, with_query};
use super::errors::is_uid_mismatch;
use crate::object::Kind;
use crate::object::labels::{MANAGER, NONCE};
use crate::{Error, Result};

/// Why an object was not made.
#[derive(Debug)]
pub enum CreateError {
    /// Someone else's object has the name.
    AlreadyExists(Error),
    /// Anything else.
    Other(Error),
}

/// Why an object was not changed.
#[derive(Debug)]
pub enum ReplaceError {
    /// Someone else changed it since it was read.
    Conflict(Error),
    /// It does not exist any more.
    Gone(Error),
    /// Anything else.
    Other(Error),
}

impl From<CreateError> for Error {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::AlreadyExists(error) | CreateError::Other(error) => error,
        }
    }
}

impl From<ReplaceError> for Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Conflict(error) | ReplaceError::Gone(error) | ReplaceError::Other(error) => error,
        }
    }
}

/// Labels and annotations to set (Some) or remove (None).
#[derive(Debug, Clone, Default)]
pub struct MetadataPatch {
    /// metadata.labels
    pub labels: BTreeMap<String, Option<String>>,
    /// metadata.annotations
    pub annotations: BTreeMap<String, Option<String>>,
}

/// What becomes of the objects that a deleted one owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Delete only the object with this uid.
    pub uid: Option<String>,
    /// Delete only this state of the object.
    pub resource_version: Option<String>,
    /// What becomes of the objects that it owns.
    pub propagation: Propagation,
    /// How long a pod may take to end; None: what its spec says.
    pub grace_period_seconds: Option<u32>,
    /// Only ask whether it could be deleted.
    pub dry_run: bool,
}

/// What a deletion led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Done,
    /// It goes when its finalizers, its pods or its content are done.
    Pending,
    /// It was not there.
    AlreadyGone,
    /// Another object has its name now, or (with a resourceVersion) it was changed; it was left
    /// alone.
    Replaced,
}

impl Cluster {
    /// Makes an object by POST. Its metadata gets a nonce annotation.
    pub async fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Value,
        dry_run: bool,
    ) -> Result<Value, CreateError> {
        let (body, nonce) = with_nonce(object);
        let name = name_of(object);
        let url = with_query(
            &path(kind, namespace, None),
            &[("fieldManager", MANAGER), ("dryRun", if dry_run { "All" } else { "" })],
        );
        let subject = Subject::new("create", kind, namespace, Some(&name));
        let call = Call::with_body(Method::POST, url, &body, subject);
        let failure = match self.call(&call).await {
            Ok(reply) => return Ok(reply.value),
            Err(failure) => failure,
        };
        if failure.status().is_none_or(|status| status.reason != "AlreadyExists") {
            return Err(CreateError::Other(self.error(failure, &call)));
        }
        match self.ours(kind, namespace, &name, &nonce).await {
            Ok(Found::Ours(object)) => Ok(object),
            Ok(_) => Err(CreateError::AlreadyExists(self.error(failure, &call))),
            Err(error) => Err(CreateError::Other(error)),
        }
    }

    /// Replaces an object by PUT. Its metadata.resourceVersion says which state was read; it gets
    /// a new nonce annotation.
    pub async fn replace(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<Value, ReplaceError> {
        let (body, nonce) = with_nonce(object);
        let name = name_of(object);
        let url = with_query(&path(kind, namespace, Some(&name)), &[("fieldManager", MANAGER)]);
        let subject = Subject::new("update", kind, namespace, Some(&name));
        let call = Call::with_body(Method::PUT, url, &body, subject);
        self.guarded(kind, namespace, &name, &nonce, &call).await
    }

    /// Changes labels and annotations, and nothing else. With a resourceVersion it fails when the
    /// object was changed since; without, the last writer wins.
    pub async fn patch_metadata(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &MetadataPatch,
        resource_version: Option<&str>,
    ) -> Result<Value, ReplaceError> {
        let mut annotations = patch.annotations.clone();
        let nonce = nonce();
        let mut metadata = Map::new();
        if let Some(version) = resource_version {
            annotations.insert(NONCE.into(), Some(nonce.clone()));
            metadata.insert("resourceVersion".into(), json!(version));
        }
        metadata.insert("labels".into(), json!(patch.labels));
        metadata.insert("annotations".into(), json!(annotations));
        let url = with_query(&path(kind, namespace, Some(name)), &[("fieldManager", MANAGER)]);
        let subject = Subject::new("patch", kind, namespace, Some(name));
        let body = json!({ "metadata": metadata });
        let call = Call::with_body(Method::PATCH, url, &body, subject).content_type(MERGE_PATCH);
        self.guarded(kind, namespace, name, &nonce, &call).await
    }

    /// Changes fields by a JSON merge patch, of the object with this uid alone. Doing it twice is
    /// doing it once.
    pub async fn merge_patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
        patch: &Value,
    ) -> Result<Value, ReplaceError> {
        self.merge_patch_as(MANAGER, kind, namespace, name, uid, patch).await
    }

    /// The same, by another field manager.
    pub async fn merge_patch_as(
        &self,
        manager: &str,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
        patch: &Value,
    ) -> Result<Value, ReplaceError> {
        let mut body = patch.clone();
        if let (Some(uid), Some(body)) = (uid, body.as_object_mut()) {
            let metadata = body.entry("metadata").or_insert_with(|| json!({}));
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.insert("uid".into(), json!(uid));
            }
        }
        let url = with_query(&path(kind, namespace, Some(name)), &[("fieldManager", manager)]);
        let subject = Subject::new("patch", kind, namespace, Some(name));
        let call = Call::with_body(Method::PATCH, url, &body, subject).content_type(MERGE_PATCH);
        match self.call(&call).await {
            Ok(reply) => Ok(reply.value),
            Err(failure) if failure.code() == 404 => Err(ReplaceError::Gone(self.error(failure, &call))),
            Err(failure) if failure.status().is_some_and(is_uid_mismatch) => {
                Err(ReplaceError::Conflict(self.error(failure, &call)))
            }
            Err(failure) => Err(ReplaceError::Other(self.error(failure, &call))),
        }
    }

    /// Deletes an object. 404 after a lost answer means that our own request did it.
    pub async fn delete(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted> {
        let propagation = match options.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        if let Some(uid) = &options.uid {
            body["preconditions"]["uid"] = json!(uid);
        }
        if let Some(version) = &options.resource_version {
            body["preconditions"]["resourceVersion"] = json!(version);
        }
        if let Some(seconds) = options.grace_period_seconds {
            body["gracePeriodSeconds"] = json!(seconds);
        }
        if options.dry_run {
            body["dryRun"] = json!(["All"]);
        }
        let subject = Subject::new("delete", kind, namespace, Some(name));
        let call = Call::with_body(Method::DELETE, path(kind, namespace, Some(name)), &body, subject);
        match self.call(&call).await {
            // the object itself comes back while something still holds it
            Ok(reply) if reply.value["kind"] == "Status" => Ok(Deleted::Done),
            Ok(reply) if is_held(&reply.value) => Ok(Deleted::Pending),
            Ok(_) => Ok(Deleted::Done),
            Err(failure) if failure.code() == 404 && failure.uncertain => Ok(Deleted::Done),
            Err(failure) if failure.code() == 404 => Ok(Deleted::AlreadyGone),
            Err(failure) if failure.code() == 409 => {
                let status = failure.status();
                if status.is_some_and(is_uid_mismatch) || options.resource_version.is_some() {
                    Ok(Deleted::Replaced)
                } else if status
                    .is_some_and(|s| s.message.contains("The system is ensuring all content is removed"))
                {
                    Ok(Deleted::Pending)
                } else {
                    Err(self.error(failure, &call))
                }
            }
            Err(failure) => Err(self.error(failure, &call)),
        }
    }

    /// A PUT or PATCH that must not overwrite what someone else wrote.
    async fn guarded(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        nonce: &str,
        call: &Call,
    ) -> Result<Value, ReplaceError> {
        let failure = match self.call(call).await {
            Ok(reply) => return Ok(reply.value),
            Err(failure) => failure,
        };
        match failure.code() {
            404 => Err(ReplaceError::Gone(self.error(failure, call))),
            409 => match self.ours(kind, namespace, name, nonce).await {
                Ok(Found::Ours(object)) => Ok(object),
                Ok(Found::Nothing) => Err(ReplaceError::Gone(self.error(failure, call))),
                Ok(Found::Foreign) => Err(ReplaceError::Conflict(self.error(failure, call))),
                Err(error) => Err(ReplaceError::Other(error)),
            },
            _ => Err(ReplaceError::Other(self.error(failure, call))),
        }
    }

    /// Is what is there the outcome of our request?
    async fn ours(&self, kind: &Kind, namespace: Option<&str>, name: &str, nonce: &str) -> Result<Found> {
        Ok(match self.get(kind, namespace, name).await? {
            Some(object) if object["metadata"]["annotations"][NONCE] == nonce => Found::Ours(object),
            Some(_) => Found::Foreign,
            None => Found::Nothing,
        })
    }
}

/// What stands where we wanted to write.
enum Found {
    Ours(Value),
    Foreign,
    Nothing,
}

/// Does something keep a deleted object alive? The answer to an immediate deletion is the object
/// as it last was, for some kinds.
fn is_held(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let finalizers = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    let grace = metadata["deletionGracePeriodSeconds"].as_u64().is_some_and(|seconds| seconds > 0);
    let content = object["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    !metadata["deletionTimestamp"].is_null() && (finalizers || grace || content)
}

fn with_nonce(object: &Value) -> (Value, String) {
    let nonce = nonce();
    let mut body = object.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if annotations.is_null() {
            *annotations = json!({});
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(NONCE.into(), json!(nonce));
        }
    }
    (body, nonce)
}

fn nonce() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
