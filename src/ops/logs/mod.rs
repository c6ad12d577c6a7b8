//! The logs of a release's components, merged: what is there, by time (`once`), or what comes,
//! over restarts and new pods (`follow`).

mod choose;
mod follow;
mod once;
mod stream;
mod window;

use std::sync::Arc;

use jiff::Timestamp;

use super::Context;
use crate::cluster::Since;
use crate::error::{Error, Result};
use window::Window;

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Components; all where none is named.
    pub components: Vec<String>,
    /// Go on with what comes, until a signal.
    pub follow: bool,
    /// Of the runs before the present ones.
    pub previous: bool,
    /// The last lines of each container; None: all.
    pub tail: Option<u32>,
    /// Nothing older than so many seconds.
    pub since: Option<u64>,
}

impl Options {
    fn since(&self) -> Option<Since> {
        self.since.map(Since::Ago)
    }
}

/// A container that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its component.
    pub component: String,
    /// Its pod's namespace.
    pub namespace: String,
    /// Its pod.
    pub pod: String,
    /// Its pod without release and component.
    pub short: String,
    /// Its name.
    pub container: String,
    /// Is it the only one in its pod?
    pub single: bool,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Who wrote it.
    pub source: Arc<Source>,
    /// When.
    pub time: Option<Timestamp>,
    /// What.
    pub text: String,
}

/// Who reads.
pub trait Reader {
    /// A container whose lines will come.
    fn joins(&mut self, source: &Source);
    /// Lines.
    fn lines(&mut self, lines: &[Line]);
    /// What a person should know beside the lines.
    fn note(&mut self, text: &str);
}

/// Reads logs. With `follow` it does not end by itself.
pub async fn logs(ctx: &Context<'_>, options: &Options, reader: &mut dyn Reader) -> Result<()> {
    let choice = choose::choose(ctx, &options.components).await?;
    let pods = choice.pods(ctx.cluster).await?;
    if pods.is_empty() {
        let why = choice.why_no_pods(ctx).await?;
        let whose = match options.components.as_slice() {
            [] => format!("release {}", ctx.release),
            names => names.join(", "),
        };
        if !options.follow {
            return Err(Error::failed(format!("{whose} has no pods: {why}"))
                .hint("kubectl obs status shows what runs; -f waits for pods"));
        }
        reader.note(&format!("{whose} has no pods yet: {why}"));
    }
    let parts = once::read(ctx, options, &pods, reader).await?;
    if options.follow { follow::follow(ctx, &choice, &pods, parts, reader).await } else { Ok(()) }
}

/// A right that is missing, with the Role that gives it.
fn refused(error: Error, namespace: &str) -> Error {
    error.hint(format!(
        "a Role with this right: kubectl create role read-logs -n {namespace} --verb=get,list,watch --resource=pods,pods/log"
    ))
}
