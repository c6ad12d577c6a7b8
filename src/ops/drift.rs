//! Drift: what somebody else changed in the objects of a release since it was deployed, field by
//! field, with the field's manager; what people added with kubectl or Helm included. Where our
//! managedFields entry does not settle it, the server says what another apply would restore.

use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::apply::{PARALLEL, kind_of};
use super::{Context, ask, get, live, revision};
use crate::diff;
use crate::error::Result;
use crate::object::{Object, ObjectId};
use crate::plan::{
    self, Admission, Owner, additions, generated, is_going, is_ours, is_settled, owners, scaled_elsewhere,
};
use crate::readiness::vanishes_when_done;
use crate::release::{Entry, Revision, Status};

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
    /// The newest revision, when it is a later one that was not deployed: what differs may be its doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<Later>,
    /// How many objects were compared.
    pub compared: usize,
    /// Of how many the API server was not asked (no right to apply): fields are compared as written.
    #[serde(skip)]
    pub predicted: usize,
    /// Those that differ.
    pub objects: Vec<Drifted>,
    /// Fields that an apply does not make as the release wants them: admission has a say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewritten: Vec<Rewritten>,
}

/// Fields of an object that are stored otherwise than they are applied, where admission may do that.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewritten {
    /// Which object.
    pub object: ObjectId,
    /// The webhooks and policies that change objects of its kind.
    pub by: Vec<String>,
    /// The fields, as wanted and as they are.
    pub fields: Vec<Field>,
}

/// A revision that came after the deployed one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Later {
    /// Its number.
    pub revision: Revision,
    /// `failed`
    pub status: String,
}

/// An object that is not as the release wants it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// Which object.
    pub object: ObjectId,
    /// It does not exist any more.
    pub missing: bool,
    /// It carries the release's labels and is in none of its revisions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orphan: bool,
    /// It is being deleted: what holds it yet does not matter.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub going: bool,
    /// It exists without the release's labels: somebody else made it.
    pub foreign: bool,
    /// The API server was not asked (no right to apply): fields are compared as they are written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub predicted: bool,
    /// Fields that differ, and those that people added with kubectl or Helm.
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
    let (found, autoscalers) = tokio::try_join!(
        live::gather_with_namesakes(ctx, &desired, &[], Default::default(), None),
        live::autoscalers(ctx, &desired, None),
    )?;
    let pairs = desired.iter().map(|object| (object, found.get(&object.id())));
    let around = &Around { desired: &desired, autoscalers: &autoscalers, admission: OnceCell::new() };
    let compared: Vec<(Option<Drifted>, Option<Rewritten>)> = stream::iter(pairs)
        .map(|(object, live)| async move { compare(ctx, object, live, around).await })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let (drifted, rewritten): (Vec<_>, Vec<_>) = compared.into_iter().unzip();
    let orphans = live::orphans(ctx, &desired, &record.inventory, &found);
    let mut drifted: Vec<Drifted> = drifted.into_iter().flatten().chain(orphans.iter().map(orphan)).collect();
    let mut rewritten: Vec<Rewritten> = rewritten.into_iter().flatten().collect();
    let traces = get::traces(&record);
    let fields = drifted.iter_mut().flat_map(|one| &mut one.fields);
    for field in fields.chain(rewritten.iter_mut().flat_map(|one| &mut one.fields)) {
        field.secret |= traces.mask_both(&mut field.wanted, &mut field.live);
    }
    Ok(Report {
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision: record.revision,
        status: header.status_word.clone(),
        later: history
            .latest()
            .filter(|latest| latest.revision > record.revision)
            .map(|latest| Later { revision: latest.revision, status: latest.status_word.clone() }),
        compared: desired.len(),
        predicted: drifted.iter().filter(|one| one.predicted).count(),
        objects: drifted,
        rewritten,
    })
}

/// What decides besides an object itself.
struct Around<'a> {
    desired: &'a [Object],
    autoscalers: &'a [Value],
    /// Asked for once, by the first object that is not as it is desired.
    admission: OnceCell<Admission>,
}

async fn compare(
    ctx: &Context<'_>,
    object: &Object,
    live: Option<&Value>,
    around: &Around<'_>,
) -> Result<(Option<Drifted>, Option<Rewritten>)> {
    let blank = |missing, foreign| Drifted {
        object: object.id(),
        missing,
        foreign,
        going: false,
        orphan: false,
        predicted: false,
        fields: Vec::new(),
    };
    let Some(live) = live else {
        // of a Job that was removed when it was done there is no trace
        let done = vanishes_when_done(object.value());
        return Ok(((!done).then(|| blank(true, false)), None));
    };
    if is_going(live) && object.kind() != "Namespace" {
        return Ok((Some(Drifted { going: true, ..blank(true, false) }), None));
    }
    let ours = is_ours(live, object);
    if object.kind() == "Namespace" && !ours {
        // it was there before and is used as it is
        return Ok((None, None));
    }
    if !ours {
        return Ok((Some(blank(false, true)), None));
    }
    // replicas that an autoscaler decides are not ours
    let object = scaled_elsewhere(object, around.desired, around.autoscalers, Some(live));
    let object = generated::with_live_values(&object, live).unwrap_or_else(|| object.into_owned());
    let desired = object.value();
    let mut rewritten = None;
    let (changes, predicted) = match is_settled(desired, live) {
        true => (Vec::new(), false),
        false => match ask::restored(ctx, &object, live).await? {
            Some(after) => {
                rewritten = self::rewritten(ctx, &object, &after, around).await?;
                (plan::changes(desired, live, &after).0, false)
            }
            // who may only read is told what can be told
            None => (diff::fields(live, desired, diff::Scope::Desired), true),
        },
    };
    let own = changes.into_iter().map(|change| {
        let owner = owners(live, &change).into_iter().find(|owner| !owner.is_us());
        field(change, owner)
    });
    let mut fields: Vec<Field> = own.collect();
    for addition in additions(desired, live) {
        // part of a value that differs as a whole
        if fields.iter().all(|field| !addition.change.path.starts_with(&field.path)) {
            fields.push(field(addition.change, Some(addition.owner)));
        }
    }
    let drifted = (!fields.is_empty()).then(|| Drifted { predicted, fields, ..blank(false, false) });
    Ok((drifted, rewritten))
}

/// What an apply leaves otherwise than it is desired, where something may change objects of the kind.
async fn rewritten(
    ctx: &Context<'_>,
    object: &Object,
    after: &Value,
    around: &Around<'_>,
) -> Result<Option<Rewritten>> {
    let changes = diff::fields(after, object.value(), diff::Scope::Desired);
    let fields: Vec<Field> = changes.into_iter().map(|change| field(change, None)).collect();
    let kind = kind_of(ctx, object).await?;
    let Some(kind) = kind.filter(|_| !fields.is_empty()) else { return Ok(None) };
    let admission = around.admission.get_or_try_init(|| live::admission(ctx)).await?;
    let by: Vec<String> = admission.mutating(&kind).into_iter().map(str::to_owned).collect();
    Ok((!by.is_empty()).then(|| Rewritten { object: object.id(), by, fields }))
}

/// Made by a revision whose record is gone, or by somebody with the release's labels.
fn orphan(entry: &Entry) -> Drifted {
    Drifted {
        object: entry.id(),
        missing: false,
        foreign: false,
        going: false,
        orphan: true,
        predicted: false,
        fields: Vec::new(),
    }
}

fn field(change: diff::Change, owner: Option<Owner>) -> Field {
    Field {
        path: change.path,
        wanted: change.to,
        live: change.from,
        secret: change.secret,
        manager: owner.as_ref().map(|owner| owner.manager.clone()),
        since: owner.and_then(|owner| owner.time),
    }
}
