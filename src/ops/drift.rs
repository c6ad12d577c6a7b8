//! Drift: what somebody else changed in the objects of a release since it was deployed. Live
//! objects against the record, field by field, with the field's manager.

use serde::Serialize;
use serde_json::Value;

use super::{Context, live, revision};
use crate::diff;
use crate::error::Result;
use crate::object::{Object, ObjectId};
use crate::plan::{generated, is_ours, owners};
use crate::readiness::vanishes_when_done;
use crate::release::{Revision, Status};

/// What was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that the cluster was compared with.
    pub revision: Revision,
    /// Its status.
    pub status: String,
    /// How many objects were compared.
    pub compared: usize,
    /// Those that differ.
    pub objects: Vec<Drifted>,
}

/// An object that is not as the release wants it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// Which object.
    pub object: ObjectId,
    /// It does not exist any more.
    pub missing: bool,
    /// It exists without the release's labels: somebody else made it.
    pub foreign: bool,
    /// Fields that differ.
    pub fields: Vec<Field>,
}

/// A field that is not as the release wants it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// `spec.replicas`
    pub path: String,
    /// As the release wants it; masked when secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
    /// As it is; None when it was removed, which leaves no trace of who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// Is the value secret?
    pub secret: bool,
    /// Who set the live value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// When that manager last changed anything in the object, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// Compares the cluster with the deployed revision (the newest one when none is deployed).
pub async fn drift(ctx: &Context<'_>) -> Result<Report> {
    let store = ctx.store();
    let history = store.history().await?;
    let Some(header) = history
        .deployed()
        .or_else(|| history.latest())
        .filter(|header| header.status != Some(Status::Uninstalled))
    else {
        return Err(revision::no_release(ctx));
    };
    let record = store.read(header.revision).await?;
    let desired: Vec<Object> = record
        .objects
        .iter()
        // of a CRD the record holds the digest alone, and others may use it
        .filter(|value| value["kind"] != "CustomResourceDefinition")
        .filter_map(|value| Object::new(value.clone()).ok())
        .collect();
    let found = live::gather_with_namesakes(ctx, &desired, &[], Default::default(), None).await?;
    let objects = desired.iter().filter_map(|object| drifted(object, found.get(&object.id()))).collect();
    Ok(Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision: record.revision,
        status: header.status_word.clone(),
        compared: desired.len(),
        objects,
    })
}

fn drifted(object: &Object, live: Option<&Value>) -> Option<Drifted> {
    let blank = |missing, foreign, fields| Drifted { object: object.id(), missing, foreign, fields };
    let Some(live) = live else {
        // of a Job that was removed when it was done there is no trace
        let done = vanishes_when_done(object.value());
        return (!done).then(|| blank(true, false, Vec::new()));
    };
    let ours = is_ours(live, object);
    if object.kind() == "Namespace" && !ours {
        // it was there before and is used as it is
        return None;
    }
    if !ours {
        return Some(blank(false, true, Vec::new()));
    }
    let filled = generated::with_live_values(object, live);
    let desired = filled.as_ref().unwrap_or(object).value();
    let fields: Vec<Field> = diff::fields(live, desired, diff::Scope::Desired)
        .into_iter()
        .map(|change| {
            let owner = owners(live, &change).into_iter().find(|owner| !owner.is_us());
            Field {
                path: change.path,
                wanted: change.to,
                live: change.from,
                secret: change.secret,
                manager: owner.as_ref().map(|owner| owner.manager.clone()),
                since: owner.and_then(|owner| owner.time),
            }
        })
        .collect();
    (!fields.is_empty()).then(|| blank(false, false, fields))
}
