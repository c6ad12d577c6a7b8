//! Failures of requests in words: the one place where what the network, the TLS library, kube and
//! the API server say becomes an [`Error`] with message, hint and exit code. Never a `Debug` dump.
//!
//! Exit codes: the cluster cannot be reached, does not answer, or does not accept the credentials:
//! 5. A flag names something that does not exist: 2. The operation's deadline: 7. Anything that
//! the API server refuses for a reason of its own: 1.

mod credentials;
pub(super) mod kubeconfig;
mod status;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

use std::time::Duration;

use kube::core::Status;

use super::call::Subject;
use super::target::Target;
use crate::error::{Error, Exit};

pub(super) use credentials::{Trouble, plugin_failed};
pub use status::{Cause, FieldConflict};
pub(super) use status::{
    causes, field_conflicts, is_immutable, is_invalid, is_uid_mismatch, lacks_rights, webhook_is_away,
};
pub use tls::Tls;
pub(super) use transport::{Transport, client as client_error};

/// Why a request failed, after all attempts.
#[derive(Debug)]
pub(super) struct Failure {
    pub reason: Reason,
    /// How often it was tried.
    pub attempts: u32,
    /// From the first attempt to the last.
    pub elapsed: Duration,
    /// May an earlier attempt have reached the server without our seeing its answer?
    pub uncertain: bool,
}

/// What the last attempt ended in.
#[derive(Debug)]
pub(super) enum Reason {
    /// The API server said no.
    Status(Box<Status>),
    /// Something answered that is not a Kubernetes API server.
    Foreign { code: u16, body: String },
    /// No answer.
    Transport(Transport),
    /// The operation's deadline passed before (or while) asking.
    Deadline,
    /// It was a write, and the release's lock was lost before it could be sent (again).
    LockLost(Box<Error>),
}

impl Failure {
    /// The API server's refusal.
    pub fn status(&self) -> Option<&Status> {
        match &self.reason {
            Reason::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The HTTP status code; 0 without an answer of the API server.
    pub fn code(&self) -> u16 {
        self.status().map_or(0, |status| status.code)
    }

    /// In words.
    pub fn into_error(self, target: &Target, subject: &Subject) -> Error {
        let error = match &self.reason {
            Reason::Status(status) => status::error(target, subject, status),
            Reason::Foreign { code, body } => transport::foreign(target, *code, body),
            Reason::Transport(transport) => transport.error(target),
            Reason::LockLost(error) => return Error::clone(error),
            Reason::Deadline => {
                return Error::deadline(format!(
                    "the time given with --timeout was over before the {} answered ({} {subject})",
                    target.describe(),
                    subject.verb
                ));
            }
        };
        if self.attempts > 2 {
            error.detail(format!("tried {} times in {}s", self.attempts, self.elapsed.as_secs().max(1)))
        } else {
            error
        }
    }
}

/// An answer that should have been JSON of a known shape and is not.
pub(super) fn unexpected(target: &Target, subject: &Subject, what: &str) -> Error {
    Error::new(Exit::Failed, format!("{}: the answer about {subject} {what}", target.describe()))
}

/// Looks through an error and everything below it, also into `io::Error`, whose `source` skips
/// the error that it carries.
pub fn causes_of<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Vec<&'a (dyn std::error::Error + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    // a bound, because `source` is other people's code
    while let (Some(error), true) = (next, chain.len() < 20) {
        chain.push(error);
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    chain
}
