//! What operations report. One stream of [`Event`]s feeds progress bars, plain lines, NDJSON
//! (`--events=json`) and tests; operations never print. The JSON form is API: fields are only
//! added.

use serde::Serialize;

use crate::object::ObjectId;

/// Which operation begins, where.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// `install`, `uninstall`, …
    pub operation: String,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// `stack 1.0.0`; None where no bundle is involved.
    pub bundle: Option<String>,
    /// The cluster as the kubeconfig names it.
    pub cluster: String,
    /// The server's version, `1.34`.
    pub kubernetes: String,
}

/// One thing that happened during an operation. Serialised with a `type` tag in kebab-case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// An operation begins.
    Started(Start),
    /// Something that a person should know but that stops nothing.
    Warning {
        /// One line.
        message: String,
    },
    /// Work on a phase begins (`checked`, `applied`, `pruned`, `ready`, `healthy`, `deleted`).
    PhaseStarted {
        /// The phase.
        phase: Phase,
        /// How many objects it is about, where that is known.
        total: Option<usize>,
    },
    /// One object was handled.
    Object {
        /// What was done.
        action: Action,
        /// To which object.
        object: ObjectId,
    },
    /// A phase ended well.
    PhaseDone {
        /// The phase.
        phase: Phase,
        /// What was done, `61 created`.
        summary: String,
        /// Seconds since the phase began.
        seconds: f64,
    },
    /// What the running phase waits for; sent whenever it changes.
    Awaiting {
        /// The phase.
        phase: Phase,
        /// One line: `7 of 10 checks pass; every target is up: the query gives 2, expected 0`.
        what: String,
    },
    /// A component's state while waiting for it; sent whenever it changes.
    Component {
        /// The component.
        name: String,
        /// Its state.
        state: ComponentState,
        /// Ready units out of wanted ones, `1/1`, `3/3 nodes`.
        ready: String,
        /// What is awaited and why; empty when ready.
        why: String,
        /// Seconds since the wait began.
        seconds: f64,
    },
    /// How long a component usually takes to become ready; sent once, before it is waited for.
    Usual {
        /// The component.
        name: String,
        /// Seconds from the beginning of the wait to ready.
        seconds: f64,
    },
    /// The release changed its state. Not shown to people: the command says the outcome at its end.
    Release {
        /// Its revision.
        revision: u32,
        /// `deployed`, `failed`, …
        status: String,
    },
    /// The operation ended with an error; the last event. Sent by [`crate::ui::Ui::error`].
    Failed {
        /// What happened, to which object, why.
        message: String,
        /// Evidence.
        details: Vec<String>,
        /// What to do.
        hints: Vec<String>,
        /// The exit code that the process ends with.
        exit_code: u8,
    },
}

impl Event {
    /// The event with its texts replaced, for those who show it.
    #[must_use]
    pub fn with_texts(mut self, replace: impl Fn(&str) -> String) -> Self {
        let texts: Vec<&mut String> = match &mut self {
            Self::Started(Start { operation, release, namespace, bundle, cluster, kubernetes }) => {
                let mut texts = vec![operation, release, namespace, cluster, kubernetes];
                texts.extend(bundle);
                texts
            }
            Self::Warning { message } => vec![message],
            Self::PhaseDone { summary: text, .. } | Self::Awaiting { what: text, .. } => vec![text],
            Self::Component { name, ready, why, .. } => vec![name, ready, why],
            Self::Usual { name, .. } => vec![name],
            Self::Object { object, .. } => {
                let ObjectId { group, kind, namespace, name } = object;
                let mut texts = vec![group, kind, name];
                texts.extend(namespace);
                texts
            }
            Self::Release { status, .. } => vec![status],
            Self::Failed { message, details, hints, .. } => {
                std::iter::once(message).chain(details).chain(hints).collect()
            }
            Self::PhaseStarted { .. } => Vec::new(),
        };
        for text in texts {
            *text = replace(text);
        }
        self
    }
}

/// Phases of an operation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Preflight, render, plan, dry-run.
    Checked,
    /// Server-side apply, wave by wave.
    Applied,
    /// Objects of earlier revisions removed.
    Pruned,
    /// Everything is ready.
    Ready,
    /// The stack answers.
    Healthy,
    /// Uninstall removed the objects.
    Deleted,
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted and made anew.
    Recreated,
    /// It was somebody else's and is ours now.
    Adopted,
    /// It was as it should be.
    Unchanged,
    /// It was deleted.
    Deleted,
    /// It was left in place.
    Kept,
}

/// How a component is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentState {
    /// Nothing to see yet, or on its way.
    Starting,
    /// All its objects are ready.
    Ready,
    /// It cannot become ready without a change.
    Failed,
}

/// Receives the events of an operation. Implementations must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Collects nothing: for operations whose course nobody watches.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
}

#[cfg(test)]
impl Event {
    /// The beginning of an install as the tests tell it.
    pub(crate) fn sample_start() -> Self {
        Self::Started(Start {
            operation: "install".into(),
            release: "obs".into(),
            namespace: "observability".into(),
            bundle: Some("stack 1.0.0".into()),
            cluster: "kind-dev".into(),
            kubernetes: "1.34".into(),
        })
    }
}
