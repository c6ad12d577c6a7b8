//! The verb that packs what somebody else needs to help.

use std::path::PathBuf;

use clap::Args;

use super::{Document, Output};

/// `support-bundle`
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing leaves this machine: it is a file, which you can read before you pass it on. Passwords,\ntokens and keys are replaced; redacted.json in it says how often and where.\n\nExamples:\n  kubectl obs support-bundle\n  kubectl obs support-bundle --file case-4711.tar.gz --no-logs"
)]
pub struct SupportBundle {
    /// The file to write; named after the release and the time where it is not given
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The last lines of each container's log
    #[arg(long, value_name = "NUMBER", default_value_t = 2000)]
    pub lines: u32,
    /// Leave the logs out
    #[arg(long)]
    pub no_logs: bool,
    /// Longest time for all of it
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub timeout: String,
    /// Print what is in it as json or yaml
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub output: Option<Document>,
}

impl SupportBundle {
    pub(super) fn output(&self) -> Option<Output> {
        self.output.map(Output::from)
    }
}
