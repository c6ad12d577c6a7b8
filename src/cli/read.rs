//! The verbs that only read: differences, status, lists, records.

use clap::{Args, Subcommand};

use super::{Base, Document, DryRun, Output, Values};

/// `diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// The new bundle; the release's own when absent
    #[arg(value_name = "BUNDLE")]
    pub bundle: Option<String>,
    /// Show what a rollback to this revision would change
    #[arg(long, value_name = "N", value_parser = revision, conflicts_with_all = ["bundle", "reset_values", "reuse_values", "switch_bundle", "allow_downgrade"])]
    pub revision: Option<u32>,
    /// Take over objects that exist already and belong to somebody else
    #[arg(long)]
    pub adopt: bool,
    /// Take back what people changed or added in the release's objects with kubectl or Helm
    #[arg(long)]
    pub force_conflicts: bool,
    /// Delete this object and make it anew when it cannot change in place; can be repeated
    #[arg(long, value_name = "KIND/NAME")]
    pub recreate: Vec<String>,
    /// How to find out: client reads only, server makes all checks of an upgrade; the default asks the
    /// API server what would change
    #[arg(long, value_name = "HOW")]
    pub dry_run: Option<DryRun>,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Which values to begin with.
    #[command(flatten)]
    pub base: Base,
    /// Values.
    #[command(flatten)]
    pub values: Values,
}

/// `drift`
#[derive(Debug, Args)]
pub struct Drift {
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// Releases of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Print as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `history`
#[derive(Debug, Args)]
pub struct History {
    /// Only the newest revisions; 0 means all
    #[arg(long, value_name = "N", default_value = "0", value_parser = number)]
    pub max: usize,
    /// Print as json, yaml or names of the records' Secrets
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `get …`
#[derive(Debug, Subcommand)]
pub enum Get {
    /// Print the values that the user set, as YAML; secret ones are masked
    Values(GetValues),
    /// Print the objects as they were rendered; values of Secrets are masked
    Manifest(GetManifest),
    /// Print the notes of the bundle
    Notes(GetNotes),
    /// List the objects that belong to the revision
    Inventory(GetInventory),
    /// Print all of it in one document; what is secret is masked
    All(GetAll),
}

impl Get {
    pub(super) fn output(&self) -> Option<Output> {
        match self {
            Self::Manifest(args) => args.output,
            Self::Values(GetValues { output, .. })
            | Self::Inventory(GetInventory { output, .. })
            | Self::All(GetAll { output, .. }) => output.map(Output::from),
            Self::Notes(_) => None,
        }
    }
}

/// A revision.
#[derive(Debug, Clone, Copy, Args)]
pub struct WhichRevision {
    /// Revision to look at; the newest one if it is not given
    #[arg(long, value_name = "N", value_parser = revision)]
    pub revision: Option<u32>,
}

/// `get values`
#[derive(Debug, Args)]
pub struct GetValues {
    /// The revision.
    #[command(flatten)]
    pub which: WhichRevision,
    /// Print secret values, too
    #[arg(long)]
    pub show_secrets: bool,
    /// Print as yaml or json
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `get manifest`
#[derive(Debug, Args)]
pub struct GetManifest {
    /// The revision.
    #[command(flatten)]
    pub which: WhichRevision,
    /// Print the values of Secrets, too
    #[arg(long)]
    pub show_secrets: bool,
    /// Print as yaml, json (one object per line) or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `get notes`
#[derive(Debug, Args)]
pub struct GetNotes {
    /// The revision.
    #[command(flatten)]
    pub which: WhichRevision,
}

/// `get inventory`
#[derive(Debug, Args)]
pub struct GetInventory {
    /// The revision.
    #[command(flatten)]
    pub which: WhichRevision,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `get all`
#[derive(Debug, Args)]
pub struct GetAll {
    /// The revision.
    #[command(flatten)]
    pub which: WhichRevision,
    /// Print secret values and the values of Secrets, too
    #[arg(long)]
    pub show_secrets: bool,
    /// Print as yaml (the default) or json
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

pub(super) fn revision(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|revision| *revision > 0).ok_or("a revision is a number from 1")
}

pub(super) fn number(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "it is not a number from 0")
}
