//! Server-side apply: how objects of a release are made and changed. JSON in, JSON out, strict
//! field validation, one field manager.

use http::Method;
use kube::core::Status;
use serde_json::{Value, json};

use super::Cluster;
use super::call::{APPLY_PATCH, Call, JSON_PATCH, Subject, path, with_query};
use super::errors::{
    Cause, Failure, FieldConflict, causes, field_conflicts, is_immutable, is_invalid, is_uid_mismatch,
    lacks_rights,
};
use super::retry::Reply;
use crate::Error;
use crate::object::labels::MANAGER;
use crate::object::{Kind, Object};

/// How to apply.
#[derive(Debug, Clone, Default)]
pub struct ApplyOptions {
    /// Ask the server for the outcome without changing anything.
    pub dry_run: bool,
    /// Another field manager than [`MANAGER`].
    pub manager: Option<String>,
    /// Take fields back from other managers.
    pub force: bool,
    /// The uid of the object that is to be changed: if it is gone or another one, fail instead of
    /// making a new one.
    pub uid: Option<String>,
}

/// What apply did.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The object as it is now (or would be, in a dry run).
    pub object: Value,
    /// Was it made, and not there before? Also right when the answer to the first attempt was
    /// lost and the second one met our own object.
    pub created: bool,
}

/// Why apply was refused. Each converts into the [`Error`] that a person reads.
#[derive(Debug)]
pub enum ApplyError {
    /// Others manage these fields.
    Conflict(Vec<FieldConflict>, Error),
    /// Another object has the name: not the one with the given uid.
    Replaced(Error),
    /// The object with the given uid is gone.
    Gone(Error),
    /// Fields that cannot change once the object exists.
    Immutable(Vec<Cause>, Error),
    /// The server's validation refuses the object.
    Invalid(Vec<Cause>, Error),
    /// Its namespace does not exist, or its kind is not served.
    NotFound(Error),
    /// The caller lacks a right, or would grant one.
    Forbidden(Error),
    /// A quota, PodSecurity, a policy or a webhook refuses it, whoever asks.
    Denied(Error),
    /// Anything else.
    Other(Error),
}

impl ApplyError {
    /// What a person reads.
    pub fn error(&self) -> &Error {
        match self {
            Self::Conflict(_, error)
            | Self::Immutable(_, error)
            | Self::Invalid(_, error)
            | Self::Replaced(error)
            | Self::Gone(error)
            | Self::NotFound(error)
            | Self::Forbidden(error)
            | Self::Denied(error)
            | Self::Other(error) => error,
        }
    }
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Conflict(_, error)
            | ApplyError::Immutable(_, error)
            | ApplyError::Invalid(_, error)
            | ApplyError::Replaced(error)
            | ApplyError::Gone(error)
            | ApplyError::NotFound(error)
            | ApplyError::Forbidden(error)
            | ApplyError::Denied(error)
            | ApplyError::Other(error) => error,
        }
    }
}

impl Cluster {
    /// Applies `object`. `kind` must be its kind in the version that the object is written in.
    pub async fn apply(
        &self,
        kind: &Kind,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Applied, ApplyError> {
        let mut body = object.value().clone();
        if let (Some(uid), Some(metadata)) =
            (&options.uid, body.get_mut("metadata").and_then(Value::as_object_mut))
        {
            metadata.insert("uid".into(), json!(uid));
        }
        let url = with_query(
            &path(kind, object.namespace(), Some(object.name())),
            &[
                ("fieldManager", options.manager.as_deref().unwrap_or(MANAGER)),
                ("fieldValidation", "Strict"),
                ("force", if options.force { "true" } else { "" }),
                ("dryRun", if options.dry_run { "All" } else { "" }),
            ],
        );
        let subject = Subject::new("patch", kind, object.namespace(), Some(object.name()));
        let call = Call::with_body(Method::PATCH, url, &body, subject).content_type(APPLY_PATCH);
        match self.call(&call).await {
            Ok(reply) => Ok(Applied { created: created(&reply), object: reply.value }),
            Err(failure) => Err(self.apply_error(failure, &call)),
        }
    }

    /// What a JSON patch would leave of an object: a dry-run.
    pub async fn try_patch(&self, kind: &Kind, object: &Object, patch: &Value) -> Result<Value, ApplyError> {
        self.patch(kind, object, patch, [("fieldManager", MANAGER), ("dryRun", "All")]).await
    }

    /// Changes an object by a JSON patch. What it changes is this manager's then.
    pub async fn patch_at_once(
        &self,
        kind: &Kind,
        object: &Object,
        patch: &Value,
        manager: &str,
    ) -> Result<Value, ApplyError> {
        self.patch(kind, object, patch, [("fieldManager", manager), ("dryRun", "")]).await
    }

    async fn patch(
        &self,
        kind: &Kind,
        object: &Object,
        patch: &Value,
        query: [(&str, &str); 2],
    ) -> Result<Value, ApplyError> {
        let (namespace, name) = (object.namespace(), Some(object.name()));
        let query = [query[0], query[1], ("fieldValidation", "Strict")];
        let url = with_query(&path(kind, namespace, name), &query);
        let subject = Subject::new("patch", kind, namespace, name);
        let call = Call::with_body(Method::PATCH, url, patch, subject).content_type(JSON_PATCH);
        match self.call(&call).await {
            Ok(reply) => Ok(reply.value),
            Err(failure) => Err(self.apply_error(failure, &call)),
        }
    }

    fn apply_error(&self, failure: Failure, call: &Call) -> ApplyError {
        let sort: fn(&Status, Error) -> ApplyError = match failure.code() {
            409 => |status, error| match field_conflicts(status) {
                conflicts if !conflicts.is_empty() => ApplyError::Conflict(conflicts, error),
                _ if status.message.contains("no existing object was found") => ApplyError::Gone(error),
                _ if is_uid_mismatch(status) => ApplyError::Replaced(error),
                _ => ApplyError::Other(error),
            },
            422 if failure.status().is_some_and(is_uid_mismatch) => |_, error| ApplyError::Replaced(error),
            422 if failure.status().is_some_and(is_immutable) => {
                |status, error| ApplyError::Immutable(causes(status), error)
            }
            _ if failure.status().is_some_and(is_invalid) => {
                |status, error| ApplyError::Invalid(causes(status), error)
            }
            404 => |_, error| ApplyError::NotFound(error),
            403 if failure.status().is_some_and(lacks_rights) => |_, error| ApplyError::Forbidden(error),
            403 => |_, error| ApplyError::Denied(error),
            _ => |_, error| ApplyError::Other(error),
        };
        let status = failure.status().cloned().unwrap_or_default();
        sort(&status, self.error(failure, call))
    }
}

/// 201 says so. A 200 after an attempt whose answer was lost can be our own object: it is, when
/// the server made it after our first attempt began and our field manager's entry is as old as the
/// object. Both times are the server's, so clocks are not compared.
fn created(reply: &Reply) -> bool {
    if reply.status == 201 {
        return true;
    }
    if !reply.uncertain {
        return false;
    }
    let metadata = &reply.value["metadata"];
    let seconds = |value: &Value| {
        value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_second)
    };
    let ours = metadata["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply")
        .and_then(|entry| seconds(&entry["time"]));
    let (Some(made), Some(ours), Some(now)) = (seconds(&metadata["creationTimestamp"]), ours, reply.date)
    else {
        return false;
    };
    let began = now - i64::try_from(reply.elapsed.as_secs()).unwrap_or(i64::MAX) - 1;
    made >= began && ours - made <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reply(status: u16, uncertain: bool, made: &str, applied: &str) -> Reply {
        Reply {
            status,
            uncertain,
            date: Some("2026-11-21T10:00:10Z".parse::<jiff::Timestamp>().unwrap().as_second()),
            value: json!({"metadata": {"creationTimestamp": made, "managedFields": [
                {"manager": "kubectl-obs", "operation": "Apply", "time": applied}
            ]}}),
            text: Vec::new(),
            size: crate::json::Size::default(),
            elapsed: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_second_attempt_recognises_the_object_that_the_first_one_made() {
        let at = "2026-11-21T10:00:06Z";
        assert!(created(&reply(201, false, at, at)));
        assert!(!created(&reply(200, false, at, at)), "without a lost answer 200 is an update");
        assert!(created(&reply(200, true, at, at)));
        assert!(!created(&reply(200, true, "2026-11-21T09:00:00Z", at)), "it was there before");
        assert!(!created(&reply(200, true, "2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z")));
    }
}
