//! The verbs that change a release, and the flags that they share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::read::{number, revision};
use super::{Output, Values};

/// Flags of every verb that changes a release.
#[derive(Debug, Clone, Args)]
pub struct Operation {
    /// Longest time for the whole operation
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub timeout: String,
    /// How long to wait while somebody else works on the release
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub lock_timeout: String,
    /// Show what would happen: client sends no changing request, server asks the API server too
    #[arg(long, value_name = "HOW")]
    pub dry_run: Option<DryRun>,
    /// With --dry-run: end with 1 when something would change, 6 on errors
    #[arg(long, requires = "dry_run")]
    pub exit_code: bool,
    /// Print the result as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Report progress as one JSON object per line on standard output
    #[arg(long, value_name = "FORMAT")]
    pub events: Option<Events>,
    /// Answer yes to every question
    #[arg(short = 'y', long, overrides_with = "yes")]
    pub yes: bool,
}

/// `install`
#[derive(Debug, Args)]
pub struct Install {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
    /// What every verb takes that makes a revision.
    #[command(flatten)]
    pub change: Change,
    /// Take over objects that exist already and belong to somebody else
    #[arg(long)]
    pub adopt: bool,
    /// Remove what was created when the install fails; volumes stay
    #[arg(long)]
    pub rollback_on_failure: bool,
    /// What every changing verb takes.
    #[command(flatten)]
    pub operation: Operation,
    /// Values.
    #[command(flatten)]
    pub values: Values,
}

/// Flags of every verb that makes a revision.
#[derive(Debug, Clone, Args)]
pub struct Change {
    /// What to wait for before the release counts as deployed
    #[arg(long, value_name = "WHAT", default_value = "healthy")]
    pub wait: Wait,
    /// What the revision is for, shown by history
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How many revisions to keep; 0 keeps all
    #[arg(long, value_name = "N", default_value = "10", value_parser = number)]
    pub history_max: usize,
    /// Take back what people changed or added in the release's objects with kubectl or Helm
    #[arg(long)]
    pub force_conflicts: bool,
    /// Delete this object and make it anew when it cannot change in place; can be repeated
    #[arg(long, value_name = "KIND/NAME")]
    pub recreate: Vec<String>,
    /// Leave volume claims that are larger than wanted at their size
    #[arg(long)]
    pub keep_claim_sizes: bool,
    /// Go on though this component cannot read its data any more; can be repeated
    #[arg(long, value_name = "COMPONENT")]
    pub accept_data_loss: Vec<String>,
}

/// `upgrade`
#[derive(Debug, Args)]
pub struct Upgrade {
    /// The new bundle; the release's own when absent, which for the embedded one is this plugin's
    #[arg(value_name = "BUNDLE")]
    pub bundle: Option<String>,
    /// Install when there is no such release
    #[arg(short = 'i', long)]
    pub install: bool,
    /// What every verb takes that makes a revision.
    #[command(flatten)]
    pub change: Change,
    /// Take over objects that exist already and belong to somebody else
    #[arg(long)]
    pub adopt: bool,
    /// Return to the last deployed revision when the upgrade fails
    #[arg(long)]
    pub rollback_on_failure: bool,
    /// Write the plan to this file and change nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "plan"])]
    pub plan_out: Option<PathBuf>,
    /// Carry out the plan of this file, and nothing else: refused when anything differs
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub plan: Option<PathBuf>,
    /// Which values to begin with.
    #[command(flatten)]
    pub base: Base,
    /// What every changing verb takes.
    #[command(flatten)]
    pub operation: Operation,
    /// Values.
    #[command(flatten)]
    pub values: Values,
}

/// What an upgrade builds on.
#[derive(Debug, Clone, Default, Args)]
pub struct Base {
    /// Forget the values of the release: begin with the bundle's defaults
    #[arg(long, conflicts_with = "reuse_values")]
    pub reset_values: bool,
    /// Keep the values of the release and add the given ones: what happens anyway
    #[arg(long)]
    pub reuse_values: bool,
    /// Allow a bundle of another name than the release's
    #[arg(long)]
    pub switch_bundle: bool,
    /// Allow an older version of the bundle
    #[arg(long)]
    pub allow_downgrade: bool,
}

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// The revision to return to; the last deployed one before the newest when absent
    #[arg(value_name = "REVISION", value_parser = revision)]
    pub revision: Option<u32>,
    /// What every verb takes that makes a revision.
    #[command(flatten)]
    pub change: Change,
    /// What every changing verb takes.
    #[command(flatten)]
    pub operation: Operation,
}

/// `uninstall`
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Remove volumes, generated secrets and namespaces that the plugin made, too: data is lost
    #[arg(long)]
    pub delete_data: bool,
    /// Remove the release's CustomResourceDefinitions, too; refused while others use them
    #[arg(long)]
    pub delete_crds: bool,
    /// Keep the records of the release
    #[arg(long)]
    pub keep_history: bool,
    /// What every changing verb takes.
    #[command(flatten)]
    pub operation: Operation,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// Nothing: the objects are applied, that is all.
    None,
    /// All objects are ready.
    Ready,
    /// All objects are ready and the bundle's health checks pass.
    Healthy,
}

/// Dry runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Read the cluster, send no changing request.
    Client,
    /// Ask the API server to check every object as well.
    Server,
}

/// Event formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Events {
    /// One JSON object per line.
    Json,
}
