//! What a person can type: clap types only. The doc comments are the help text.

mod alerts;
mod bundle;
mod change;
mod day2;
mod doctor;
mod explain;
mod global;
mod grafana;
mod output;
mod read;
mod search;
mod support;
mod values;

pub use alerts::{
    Alerts, AlertsCommand, AlertsSilence, AlertsSilences, AlertsTest, AlertsUnsilence, Apps, AppsCommand,
};
pub use bundle::{Bundle, BundleImages, BundlePackage, BundleRef, BundleShow, Template};
pub use change::{Base, Change, DryRun, Events, Install, Operation, Rollback, Uninstall, Upgrade, Wait};
pub use day2::{Forward, Logs, Open, PortForward, Rollout, RolloutHistory, RolloutUndo, RolloutWait, Tail};
pub use doctor::{Doctor, DoctorCommand, DoctorExplain, DoctorOutput, FailOn};
pub use explain::{Explain, ExplainAlert, ExplainLogs, ExplainMetrics};
pub use global::{Color, Global, Progress};
pub use grafana::{Dashboards, DashboardsCommand, DashboardsExport, Password, PasswordGet, PasswordSet};
pub use output::{Document, Output};
pub use read::{
    Diff, Drift, Get, GetAll, GetInventory, GetManifest, GetNotes, GetValues, History, List, Status,
    WhichRevision,
};
pub use search::{Search, SearchOutput};
pub use support::SupportBundle;
pub use values::Values;

use clap::{Args, Parser, Subcommand};

use crate::ui;

/// A production-grade observability stack on your cluster: installed with one command, kept safe,
/// proven to work
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-obs",
    bin_name = "kubectl obs",
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3/4 doctor found something, 5 cluster unreachable,\n6 comparison failed (where 1 is: something differs), 7 deadline passed, 130/143 interrupted"
)]
pub struct Cli {
    /// Global flags.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the flags say about output.
    pub fn ui_options(&self) -> ui::Options {
        let (output, events, yes) = match &self.command {
            Command::Install(args) => (args.operation.output, args.operation.events, args.operation.yes),
            Command::Upgrade(args) => (args.operation.output, args.operation.events, args.operation.yes),
            Command::Rollback(args) => (args.operation.output, args.operation.events, args.operation.yes),
            Command::Uninstall(args) => (args.operation.output, args.operation.events, args.operation.yes),
            Command::Diff(args) => (args.output, None, false),
            Command::Drift(args) => (args.output, None, false),
            Command::Status(args) => (args.output, None, false),
            Command::Alerts(args) => (args.output(), None, false),
            Command::Apps(args) => (args.output, None, false),
            Command::Explain(args) => (args.output(), None, false),
            Command::SupportBundle(args) => (args.output(), None, false),
            Command::PortForward(args) => (args.forward.machine_output(), None, false),
            Command::Open(args) => (args.forward.machine_output(), None, false),
            Command::Rollout(args) => {
                let operation = args.operation();
                let (events, yes) = operation.map_or((None, false), |o| (o.events, o.yes));
                (args.output(), events, yes)
            }
            Command::List(args) => (args.output, None, false),
            Command::History(args) => (args.output, None, false),
            Command::Get(args) => (args.output(), None, false),
            Command::Version(args) => (args.output, None, false),
            Command::Template(args) => (args.output, None, false),
            Command::Dashboards(args) => (args.output, None, false),
            // whichever it is, a machine reads it
            Command::Doctor(args) => (args.output.map(|_| Output::Json), None, false),
            Command::Search(args) => (args.output.map(|_| Output::Json), None, false),
            Command::Password(_)
            | Command::Bundle(_)
            | Command::Completion(_)
            | Command::Logs(_)
            | Command::Render => (None, None, false),
        };
        ui::Options {
            colour: match self.global.color {
                Color::Auto => ui::Colour::Auto,
                Color::Always => ui::Colour::Always,
                Color::Never => ui::Colour::Never,
            },
            progress: match self.global.progress {
                Progress::Auto => ui::ProgressStyle::Auto,
                Progress::Plain => ui::ProgressStyle::Plain,
                Progress::None => ui::ProgressStyle::None,
            },
            events_json: events.is_some(),
            machine_output: output.is_some(),
            yes,
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install a bundle: the whole stack, or one of its parts
    Install(Install),
    /// Change a release: another version, other values
    Upgrade(Upgrade),
    /// Return to an earlier revision; volumes and passwords stay
    Rollback(Rollback),
    /// Show what an upgrade or a rollback would change
    Diff(Diff),
    /// Show what somebody else changed in the objects of a release
    Drift(Drift),
    /// Show each component of a release, and why it is not ready
    Status(Status),
    /// Find what keeps metrics and alerts from arriving, and say what to do
    Doctor(Doctor),
    /// Follow metrics, logs or an alert link by link to where the way ends, and say why
    #[command(subcommand)]
    Explain(Explain),
    /// Pack what somebody else needs to see what is wrong, without anything secret
    SupportBundle(SupportBundle),
    /// Show which alerts fire, since when, and who was told; silence them, test receivers
    Alerts(Alerts),
    /// Show how the watched applications do, and what serves metrics and is not watched
    Apps(Apps),
    /// Reach the UIs of a release from this machine, for as long as it runs
    PortForward(PortForward),
    /// Open the UI of a component in a browser
    Open(Open),
    /// List the dashboards that come with a release; write them to files
    Dashboards(Dashboards),
    /// Print or change the password of a UI
    #[command(subcommand)]
    Password(Password),
    /// Print the logs of components, merged; -f survives restarts
    Logs(Logs),
    /// Find lines in the stored logs of all pods; -f goes on with what comes
    Search(Search),
    /// Wait for components, restart them, show when they changed, undo a change
    #[command(subcommand)]
    Rollout(Rollout),
    /// List releases
    #[command(visible_alias = "ls")]
    List(List),
    /// List the revisions of a release, newest first
    History(History),
    /// Print what is recorded of a revision: values, objects, notes
    #[command(subcommand)]
    Get(Get),
    /// Remove a release; volumes stay unless told otherwise
    Uninstall(Uninstall),
    /// Print what would be applied, without a cluster
    Template(Template),
    /// Look into bundles and package them
    #[command(subcommand)]
    Bundle(Bundle),
    /// Print the shell completion script
    Completion(Completion),
    /// Print the versions of the plugin and the cluster
    Version(Version),
    /// Renders a bundle that is not embedded; used by the plugin itself.
    #[command(name = "__render", hide = true)]
    Render,
}

/// `completion`
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `version`
#[derive(Debug, Args)]
pub struct Version {
    /// Only the plugin's version; no cluster is asked
    #[arg(long)]
    pub client: bool,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

#[cfg(test)]
mod tests;
