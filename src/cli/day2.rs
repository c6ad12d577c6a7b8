//! The verbs for every day: ports, logs, rollouts.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::read::revision;
use super::{Change, Document, Operation, Output};

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
    pub(super) fn machine_output(&self) -> Option<Output> {
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
    /// Return components to an earlier revision; the others and the values stay as they are
    Undo(Box<RolloutUndo>),
}

impl Rollout {
    pub(super) fn output(&self) -> Option<Output> {
        match self {
            Self::Status(RolloutWait { output, .. })
            | Self::Restart(RolloutWait { output, .. })
            | Self::History(RolloutHistory { output, .. }) => output.map(Output::from),
            Self::Undo(args) => args.operation.output,
        }
    }

    /// Of a verb that changes the release.
    pub(super) fn operation(&self) -> Option<&Operation> {
        match self {
            Self::Undo(args) => Some(&args.operation),
            _ => None,
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

/// `rollout undo`
#[derive(Debug, Args)]
pub struct RolloutUndo {
    /// Components
    #[arg(value_name = "COMPONENT", required = true)]
    pub components: Vec<String>,
    /// The revision; the last deployed one in which they were different when absent
    #[arg(long, value_name = "REVISION", value_parser = revision)]
    pub to_revision: Option<u32>,
    /// What every verb takes that makes a revision.
    #[command(flatten)]
    pub change: Change,
    /// What every changing verb takes.
    #[command(flatten)]
    pub operation: Operation,
}

/// How many lines of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Every line that there is.
    All,
    /// The last ones.
    Lines(u32),
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
