//! What a person can type: clap types only. The doc comments are the help text.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 5 cluster unreachable,\n6 comparison failed (where 1 is: something differs), 7 deadline passed, 130/143 interrupted"
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
            Command::PortForward(args) => (args.forward.machine_output(), None, false),
            Command::Open(args) => (args.forward.machine_output(), None, false),
            Command::Rollout(args) => (args.output(), None, false),
            Command::List(args) => (args.output, None, false),
            Command::History(args) => (args.output, None, false),
            Command::Get(args) => (args.output(), None, false),
            Command::Version(args) => (args.output, None, false),
            Command::Template(args) => (args.output, None, false),
            Command::Bundle(_) | Command::Completion(_) | Command::Logs(_) | Command::Render => {
                (None, None, false)
            }
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

/// Flags that every verb takes; kubectl's names.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Namespace of the release
    #[arg(
        short = 'n',
        long,
        global = true,
        env = "KUBECTL_OBS_NAMESPACE",
        hide_env = true,
        value_name = "NAMESPACE"
    )]
    pub namespace: Option<String>,
    /// Name of the release
    #[arg(long, global = true, value_name = "NAME")]
    pub release: Option<String>,
    /// Path of the kubeconfig file
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub cluster: Option<String>,
    /// Kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short = 's', long, global = true, value_name = "URL", hide_short_help = true)]
    pub server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    pub token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    pub as_user: Option<String>,
    /// Group to impersonate; can be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", hide_short_help = true)]
    pub as_groups: Vec<String>,
    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID", hide_short_help = true)]
    pub as_uid: Option<String>,
    /// File with the certificate authority of the API server
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub certificate_authority: Option<PathBuf>,
    /// File with the client certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_certificate: Option<PathBuf>,
    /// File with the client key
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<PathBuf>,
    /// Name to check the API server's certificate against
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// Do not check the API server's certificate: insecure
    #[arg(long, global = true, hide_short_help = true)]
    pub insecure_skip_tls_verify: bool,
    /// Do not ask the API server for compressed answers
    #[arg(long, global = true, hide_short_help = true)]
    pub disable_compression: bool,
    /// Longest time for one request (1s, 2m); 0 means no limit of your own
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    pub request_timeout: Option<String>,
    /// Colour: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_short_help = true)]
    pub color: Color,
    /// How progress is shown; plain writes one line per change
    #[arg(long, global = true, value_name = "HOW", default_value = "auto", hide_short_help = true)]
    pub progress: Progress,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Redrawn lines on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// One line per change.
    Plain,
    /// Nothing but warnings and errors.
    None,
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
    /// Reach the UIs of a release from this machine, for as long as it runs
    PortForward(PortForward),
    /// Open the UI of a component in a browser
    Open(Open),
    /// Print the logs of components, merged; -f survives restarts
    Logs(Logs),
    /// Wait for components, restart them, show when they changed
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

/// Which values to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values")]
pub struct Values {
    /// YAML file with values, - for standard input; can be repeated, the last one wins
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<String>,
    /// Set a value
    #[arg(
        long,
        value_name = "KEY=VALUE",
        help = "Set a value: key=value, a.b=c, list[0]=x, a={x,y}, a=null deletes"
    )]
    pub set: Vec<String>,
    /// Set a value that is always a string
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_string: Vec<String>,
    /// Set a value from a file's content
    #[arg(long, value_name = "KEY=PATH")]
    pub set_file: Vec<String>,
    /// Set a value to exactly the text after the first =
    #[arg(long, value_name = "KEY=TEXT")]
    pub set_literal: Vec<String>,
    /// Set a value from JSON
    #[arg(long, value_name = "KEY=JSON")]
    pub set_json: Vec<String>,
    /// Profile of the bundle (see bundle show)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

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
    #[arg(short = 'y', long)]
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
    /// Take fields back that people changed with kubectl or Helm
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
    /// How to find out: client sends no changing request, server asks the API server too
    #[arg(long, value_name = "HOW", default_value = "client")]
    pub dry_run: DryRun,
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

/// `port-forward`
#[derive(Debug, Args)]
pub struct PortForward {
    /// Components to reach; all that have a UI when none is named
    #[arg(value_name = "COMPONENT")]
    pub components: Vec<String>,
    /// Where and how.
    #[command(flatten)]
    pub forward: Forward,
    /// Open each UI in a browser
    #[arg(long, conflicts_with = "command")]
    pub open: bool,
    /// Run this with PROMETHEUS_URL, GRAFANA_URL, … set, and end with its exit code
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["print_urls", "output"])]
    pub command: Vec<OsString>,
}

/// `open`
#[derive(Debug, Args)]
pub struct Open {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub component: String,
    /// Where and how.
    #[command(flatten)]
    pub forward: Forward,
}

/// Flags of what forwards ports.
#[derive(Debug, Clone, Args)]
pub struct Forward {
    /// Local port of a component: this one or none; can be repeated
    #[arg(long = "port", value_name = "COMPONENT=PORT", value_parser = component_port)]
    pub ports: Vec<(String, u16)>,
    /// Address to listen on; others than 127.0.0.1 let other machines in
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub address: std::net::IpAddr,
    /// Print nothing but the URLs, one per line, once they work
    #[arg(long)]
    pub print_urls: bool,
    /// Print where everything is as json or yaml, once it works
    #[arg(short = 'o', long, value_name = "FORMAT", conflicts_with = "print_urls")]
    pub output: Option<Document>,
}

impl Forward {
    fn machine_output(&self) -> Option<Output> {
        self.output.map(Output::from).or(self.print_urls.then_some(Output::Name))
    }
}

/// `logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// Components; all of the release when none is named
    #[arg(value_name = "COMPONENT")]
    pub components: Vec<String>,
    /// Go on with what comes, over restarts and new pods, until Ctrl-C
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Nothing older than this (30s, 2h)
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// The last lines of each container, or all [default: 100; 10 with -f; all with --since]
    #[arg(long, value_name = "N", value_parser = tail)]
    pub tail: Option<Tail>,
    /// Print the run before the present one, where there is one
    #[arg(short = 'p', long, conflicts_with = "follow")]
    pub previous: bool,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Begin each line with the time at which it was written
    #[arg(long)]
    pub timestamps: bool,
}

/// `rollout …`
#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Wait until components are ready, and say why one is not
    Status(RolloutWait),
    /// Replace the pods of components, and wait until the new ones are ready
    Restart(RolloutWait),
    /// List the revisions in which components changed, newest first
    History(RolloutHistory),
}

impl Rollout {
    fn output(&self) -> Option<Output> {
        match self {
            Self::Status(RolloutWait { output, .. })
            | Self::Restart(RolloutWait { output, .. })
            | Self::History(RolloutHistory { output, .. }) => output.map(Output::from),
        }
    }
}

/// `rollout status` and `rollout restart`
#[derive(Debug, Args)]
pub struct RolloutWait {
    /// Components; all of the release when none is named
    #[arg(value_name = "COMPONENT")]
    pub components: Vec<String>,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub timeout: String,
    /// Print the result as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// `rollout history`
#[derive(Debug, Args)]
pub struct RolloutHistory {
    /// Components; all of the release when none is named
    #[arg(value_name = "COMPONENT")]
    pub components: Vec<String>,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

/// How many lines of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Every line that there is.
    All,
    /// The last ones.
    Lines(u32),
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
    fn output(&self) -> Option<Output> {
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

/// `template`
#[derive(Debug, Args)]
pub struct Template {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
    /// Kubernetes version to render for
    #[arg(long, value_name = "VERSION", default_value = "1.34.0")]
    pub kube_version: String,
    /// Print the values of Secrets, too; masked otherwise
    #[arg(long)]
    pub show_secrets: bool,
    /// Print as yaml, json (one object per line) or names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Values.
    #[command(flatten)]
    pub values: Values,
}

/// `bundle …`
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Print what a bundle is: versions, components, profiles
    Show(BundleShow),
    /// Print the commented default values
    Values(BundleRef),
    /// Print the images that a bundle uses
    Images(BundleImages),
    /// Make a bundle's archive, the same bytes every time
    Package(BundlePackage),
    /// Check a bundle for mistakes
    Lint(BundleRef),
}

/// A bundle.
#[derive(Debug, Args)]
pub struct BundleRef {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
}

/// `bundle show`
#[derive(Debug, Args)]
pub struct BundleShow {
    /// The bundle.
    #[command(flatten)]
    pub bundle: BundleRef,
    /// Print as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// `bundle images`
#[derive(Debug, Args)]
pub struct BundleImages {
    /// The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
    #[arg(value_name = "BUNDLE", default_value = "stack")]
    pub bundle: String,
    /// Images of components that are off by default, too
    #[arg(long)]
    pub all: bool,
}

/// `bundle package`
#[derive(Debug, Args)]
pub struct BundlePackage {
    /// The bundle.
    #[command(flatten)]
    pub bundle: BundleRef,
    /// Folder to write the archive to
    #[arg(short = 'd', long, value_name = "DIR", default_value = ".")]
    pub destination: PathBuf,
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

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Names only.
    Name,
}

/// Output formats of what has no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

impl From<Document> for Output {
    fn from(format: Document) -> Self {
        match format {
            Document::Json => Self::Json,
            Document::Yaml => Self::Yaml,
        }
    }
}

/// Event formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Events {
    /// One JSON object per line.
    Json,
}

fn revision(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|revision| *revision > 0).ok_or("a revision is a number from 1")
}

fn component_port(text: &str) -> Result<(String, u16), &'static str> {
    let (component, port) = text.split_once('=').ok_or("write it as grafana=3000")?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("a port is a number from 1 to 65535")?;
    Ok((component.to_owned(), port))
}

fn tail(text: &str) -> Result<Tail, &'static str> {
    match text {
        "all" => Ok(Tail::All),
        number => number.parse().map(Tail::Lines).map_err(|_| "it is neither a number from 0 nor all"),
    }
}

fn number(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "it is not a number from 0")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
