//! The verbs about Grafana: its password, its dashboards.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

/// `password …`
#[derive(Debug, Subcommand)]
pub enum Password {
    /// Print the password of a UI
    Get(PasswordGet),
    /// Change the password of a UI: typed at a prompt, or read from stdin
    Set(PasswordSet),
}

/// `password get`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kubectl obs password get grafana\n  kubectl obs password get grafana | pbcopy"
)]
pub struct PasswordGet {
    /// Whose: a component with a login
    #[arg(value_name = "COMPONENT", default_value = "grafana")]
    pub component: String,
}

/// `password set`
#[derive(Debug, Args)]
#[command(
    after_help = "The password is never an argument: others could read it there.\nExamples:\n  kubectl obs password set grafana\n  openssl rand -base64 24 | kubectl obs password set grafana"
)]
pub struct PasswordSet {
    /// Whose: a component with a login
    #[arg(value_name = "COMPONENT", default_value = "grafana")]
    pub component: String,
}

/// `dashboards`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  kubectl obs dashboards\n  kubectl obs dashboards export ./dashboards"
)]
pub struct Dashboards {
    /// Print as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// What to do instead of listing them.
    #[command(subcommand)]
    pub command: Option<DashboardsCommand>,
}

/// `dashboards …`
#[derive(Debug, Subcommand)]
pub enum DashboardsCommand {
    /// Write the dashboards as JSON files, one directory for each folder
    Export(DashboardsExport),
}

/// `dashboards export`
#[derive(Debug, Args)]
pub struct DashboardsExport {
    /// Where to write them; made if it does not exist
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Replace files that are there with other content
    #[arg(long)]
    pub overwrite: bool,
}
