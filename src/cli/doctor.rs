//! The verb that says what is wrong.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `doctor`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 nothing failed, 3 something failed, 4 something is to be warned of\n(with --fail-on=warn), 5 the cluster cannot be reached.\n\nExamples:\n  kubectl obs doctor\n  kubectl obs doctor --only MX,RA\n  kubectl obs doctor explain MX05\n  kubectl obs doctor --save snapshot.json\n  kubectl obs doctor -o markdown > ticket.md\n  kubectl obs doctor --since-last last.json\n  kubectl obs doctor --pre\n  kubectl obs doctor rbac | kubectl apply -f -\n\nA list for --suppress:\n  suppressions:\n  - {id: NT04, reason: nobody is on call here, until: 2026-12-31}\n  - {id: ST02, words: data-obs-loki-0, reason: it grows next week, until: 2026-12-05}"
)]
pub struct Doctor {
    /// Make these checks alone: ids (MX05) or themes (MX), separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave these checks out: ids or themes, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// What makes the command fail
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "fail")]
    pub fail_on: FailOn,
    /// Print as json, yaml, junit or markdown
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    pub output: Option<DoctorOutput>,
    /// Write what was seen to a file, for --from
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Judge what --save wrote, without a cluster
    #[arg(long, value_name = "FILE", conflicts_with = "save")]
    pub from: Option<PathBuf>,
    /// Look at the cluster alone, before an install
    #[arg(long, conflicts_with_all = ["from", "only"])]
    pub pre: bool,
    /// Do not tell what this list knows: entries with id, reason and until
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Say what is new and what is gone since the look that this file holds, and keep this one in it
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub since_last: Option<PathBuf>,
    /// Look again and again, and tell what changes
    #[arg(long, conflicts_with_all = ["from", "save", "since_last", "output"])]
    pub watch: bool,
    /// How often --watch looks
    #[arg(long, value_name = "DURATION", default_value = "30s", requires = "watch")]
    pub every: String,
    /// Longest time for all of it, or for each look of --watch
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub timeout: String,
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
}

/// `doctor …`
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// List the checks
    List,
    /// Say what a check means, how to see it by hand and what to do
    Explain(DoctorExplain),
    /// Print the roles that let a person run every check
    Rbac,
}

/// `doctor explain`
#[derive(Debug, Args)]
pub struct DoctorExplain {
    /// The check's id
    pub id: String,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A failure.
    Fail,
    /// A warning, too.
    Warn,
}

/// Output formats of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorOutput {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// A test case for each check, for pipelines.
    Junit,
    /// For a ticket.
    Markdown,
}
