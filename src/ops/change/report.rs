//! What came of an operation: for the screen, and as a document (API: fields are only added).

use serde::Serialize;

use super::{Look, PlanFile, Preview, Verb};
use crate::ops::{Context, live};
use crate::plan::Change;

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Kind of the document: `UpgradeReport`.
    #[serde(skip)]
    pub kind: String,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that was made, or the present one when nothing was to do; 0 for a dry-run.
    pub revision: u32,
    /// `deployed`, `unchanged`, or `planned` for a dry-run.
    pub status: String,
    /// `stack 1.0.0`
    pub bundle: String,
    /// Enabled components.
    pub components: Vec<String>,
    /// Objects by what happens to them.
    pub created: Vec<String>,
    /// Objects that change.
    pub updated: Vec<String>,
    /// Objects of others that are taken over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<String>,
    /// Objects that are deleted and made anew.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recreated: Vec<String>,
    /// Objects that were as they should be.
    pub unchanged: Vec<String>,
    /// Objects that go.
    pub pruned: Vec<String>,
    /// Objects that stay though the release no longer wants them.
    pub kept: Vec<String>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// Helm releases that objects were taken from, with what they still have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub helm: Vec<Helm>,
    /// Of a dry-run: what would happen, field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// The plan for a file, when one was asked for.
    #[serde(skip)]
    pub plan_file: Option<PlanFile>,
}

/// A Helm release that objects were taken from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Helm {
    /// Its name.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Objects that it still has.
    pub not_adopted: Vec<String>,
}

/// The Helm releases that a plan takes objects from.
pub async fn helm(ctx: &Context<'_>, look: &Look) -> Vec<Helm> {
    let mut releases: Vec<_> = look.plan.steps.iter().filter_map(|step| step.helm.clone()).collect();
    releases.sort();
    releases.dedup();
    let mut out = Vec::new();
    for release in releases {
        // a closing remark: the operation has succeeded whether it can be made or not
        let left = live::of_helm(ctx, &release).await.unwrap_or_default();
        out.push(Helm {
            release: release.name,
            namespace: release.namespace,
            not_adopted: left.iter().map(ToString::to_string).collect(),
        });
    }
    out
}

/// The report of an operation.
pub fn report(ctx: &Context<'_>, look: &Look, revision: u32, status: &str) -> Report {
    let ids = |wanted: fn(&Change) -> bool| {
        let steps = look.plan.steps.iter().filter(|step| wanted(&step.change));
        steps.map(|step| step.object.id().to_string()).collect::<Vec<_>>()
    };
    Report {
        kind: match &look.verb {
            Verb::Install => "InstallReport",
            Verb::Upgrade => "UpgradeReport",
            Verb::Rollback(_) => "RollbackReport",
            Verb::Undo { .. } => "RolloutUndo",
        }
        .to_owned(),
        release: ctx.release.to_string(),
        namespace: ctx.namespace.to_string(),
        revision,
        status: status.to_owned(),
        bundle: format!("{} {}", look.goal.bundle.name, look.goal.bundle.version),
        components: look.goal.components.iter().map(|c| c.name.clone()).collect(),
        created: ids(|change| *change == Change::Create),
        updated: ids(|change| matches!(change, Change::Update(_))),
        adopted: ids(|change| matches!(change, Change::Adopt(_))),
        recreated: ids(|change| matches!(change, Change::Recreate { .. })),
        unchanged: ids(|change| matches!(change, Change::Unchanged | Change::Use)),
        pruned: look.plan.first.iter().chain(&look.plan.prune).map(|entry| entry.id().to_string()).collect(),
        kept: look.plan.keep.iter().map(|entry| entry.id().to_string()).collect(),
        notes: look.traces.text(&look.goal.notes).into_owned(),
        helm: Vec::new(),
        preview: None,
        plan_file: None,
    }
}

/// Nothing was to do: the present revision stays.
pub fn unchanged(ctx: &Context<'_>, look: &Look) -> Report {
    let revision = look.seen.history.latest().map_or(0, |header| header.revision);
    report(ctx, look, revision, "unchanged")
}
