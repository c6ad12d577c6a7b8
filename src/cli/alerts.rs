//! The verbs about alerts and the applications that are watched.

use clap::{Args, Subcommand};

use super::{Document, Output};

/// `alerts`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  kubectl obs alerts\n  kubectl obs alerts silence HighErrorRate namespace=shop --for 2h --comment migration\n  kubectl obs alerts unsilence 1b5c2f34\n  kubectl obs alerts test pager"
)]
pub struct Alerts {
    /// Print as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// What to do instead of listing them.
    #[command(subcommand)]
    pub command: Option<AlertsCommand>,
}

/// `alerts …`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Mute alerts for a time; says which it mutes now, and which incidents will stay open
    Silence(AlertsSilence),
    /// End silences
    Unsilence(AlertsUnsilence),
    /// List the silences that are not over
    Silences(AlertsSilences),
    /// Send a test message through the real routing, and say what each receiver answered
    Test(AlertsTest),
}

impl Alerts {
    pub(super) fn output(&self) -> Option<Output> {
        match &self.command {
            None => self.output,
            Some(AlertsCommand::Silences(AlertsSilences { output })) => *output,
            Some(AlertsCommand::Unsilence(AlertsUnsilence { output, .. })) => *output,
            Some(
                AlertsCommand::Silence(AlertsSilence { output, .. })
                | AlertsCommand::Test(AlertsTest { output, .. }),
            ) => output.map(Output::from),
        }
    }
}

/// `alerts silence`
#[derive(Debug, Args)]
#[command(
    after_help = "All matchers must hold. Examples:\n  kubectl obs alerts silence HighErrorRate --for 30m\n  kubectl obs alerts silence namespace=shop 'severity=~\"warning|info\"' --for 8h --comment \"load test\""
)]
pub struct AlertsSilence {
    /// The name of an alert, or label=value, label!=value, label=~"regex", label!~"regex"
    #[arg(value_name = "MATCHER", required = true)]
    pub matchers: Vec<String>,
    /// For how long, from now on
    #[arg(long = "for", value_name = "DURATION", default_value = "2h")]
    pub lasts: String,
    /// Why, for others who wonder
    #[arg(long, value_name = "TEXT", default_value = "silenced with kubectl obs")]
    pub comment: String,
    /// Print the silence as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `alerts unsilence`
#[derive(Debug, Args)]
pub struct AlertsUnsilence {
    /// Ids, or beginnings of them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// End all silences, whoever made them
    #[arg(long)]
    pub all: bool,
    /// Print those that were ended as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `alerts silences`
#[derive(Debug, Args)]
pub struct AlertsSilences {
    /// Print as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `alerts test`
#[derive(Debug, Args)]
pub struct AlertsTest {
    /// The receiver; all that tell somebody when absent
    #[arg(value_name = "RECEIVER")]
    pub receiver: Option<String>,
    /// How long to wait for answers [default: what the routes take, and 20s]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Print the answers as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `apps`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  kubectl obs apps\n  kubectl obs apps suggest > more.yaml\n  kubectl obs upgrade -f more.yaml"
)]
pub struct Apps {
    /// Print as json, yaml or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// What to do instead of listing them.
    #[command(subcommand)]
    pub command: Option<AppsCommand>,
}

/// `apps …`
#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// Print values that watch what serves metrics and is not scraped
    Suggest,
}
