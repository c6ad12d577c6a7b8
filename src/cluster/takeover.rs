//! The one write that is no apply to an object of somebody else: it makes kubectl's and Helm's
//! fields ours (see [`crate::plan::takeover`]), for one exact state of the object.

use http::Method;
use serde_json::Value;

use super::Cluster;
use super::call::{Call, JSON_PATCH, Subject, path, with_query};
use crate::object::Kind;
use crate::object::labels::MANAGER;
use crate::plan::Takeover;
use crate::{Error, Result};

/// Controllers write an object's status now and then, and each write is a lost race.
const ATTEMPTS: u32 = 8;

impl Cluster {
    /// Takes over an object that was read as `live`; gives it as it is afterwards. When it was
    /// changed meanwhile, it is read again and what `again` says of it is done; when it was
    /// deleted or replaced, this fails. An answer that was lost does no harm: the second attempt
    /// finds nothing left to do.
    pub async fn take_over(
        &self,
        kind: &Kind,
        live: &Value,
        takeover: &Takeover,
        again: &(dyn Fn(&Value) -> Option<Takeover> + Sync),
    ) -> Result<Value> {
        let metadata = &live["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let namespace = metadata["namespace"].as_str();
        let url = with_query(&path(kind, namespace, Some(name)), &[("fieldManager", MANAGER)]);
        let subject = Subject::new("patch", kind, namespace, Some(name));
        let mut version = metadata["resourceVersion"].clone();
        let mut patch = takeover.patch.clone();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let call =
                Call::with_body(Method::PATCH, url.clone(), &patch, subject.clone()).content_type(JSON_PATCH);
            let failure = match self.call(&call).await {
                Ok(reply) => return Ok(reply.value),
                Err(failure) => failure,
            };
            // 422: the test of the uid, or what admission says about the object
            if attempt >= ATTEMPTS || !matches!(failure.code(), 404 | 409 | 422) {
                return Err(self.error(failure, &call));
            }
            let now = self.get(kind, namespace, name).await?;
            let Some(now) = now.filter(|now| now["metadata"]["uid"] == metadata["uid"]) else {
                return Err(Error::failed(format!(
                    "{subject} was deleted or replaced by someone else meanwhile"
                ))
                .hint("run the command again"));
            };
            if now["metadata"]["resourceVersion"] == version {
                return Err(self.error(failure, &call));
            }
            match again(&now) {
                Some(next) => patch = next.patch,
                None => return Ok(now),
            }
            version = now["metadata"]["resourceVersion"].clone();
        }
    }
}
