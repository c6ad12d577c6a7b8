//! The one error type. An [`Error`] knows what a person must read (message, details, hints) and
//! the exit code that scripts rely on; it is rendered once, at the edge, by `main`.
//!
//! Messages are lower case, without a full stop: what happened, to which object, why. Addresses in them,
//! also those that a library quotes, lose what is secret in them.

use std::fmt;

use crate::url::scrubbed;

/// The exit codes, documented API (design: "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The operation failed.
    Failed = 1,
    /// The command line, values or bundle are wrong; nothing was done.
    Usage = 2,
    /// The cluster cannot be reached or refuses the credentials.
    Unreachable = 5,
    /// A comparison failed; there 1 means that it found differences.
    Incomparable = 6,
    /// A deadline passed.
    Deadline = 7,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// What went wrong, for a person.
#[derive(Debug, Clone)]
pub struct Error {
    exit: Exit,
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with the given exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: scrubbed(&message.into()), details: Vec::new(), hints: Vec::new() }
    }

    /// The operation failed (exit 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Bad input; nothing was done (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The cluster cannot be reached (exit 5).
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, message)
    }

    /// A deadline passed (exit 7).
    pub fn deadline(message: impl Into<String>) -> Self {
        Self::new(Exit::Deadline, message)
    }

    /// Adds what the person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(scrubbed(&hint.into()));
        self
    }

    /// Adds a line (or several, separated by `\n`) of evidence below the message.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(scrubbed(&detail.into()));
        self
    }

    /// Puts `what` before the message: `what: message`.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = scrubbed(&format!("{what}: {}", self.message));
        self
    }

    /// The error with its texts replaced, for example without what is secret.
    #[must_use]
    pub fn with_texts(mut self, replace: impl Fn(&str) -> String) -> Self {
        for text in std::iter::once(&mut self.message).chain(&mut self.details).chain(&mut self.hints) {
            *text = replace(text);
        }
        self
    }

    /// The same error with another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The first line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Evidence below the message.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// What to do.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for detail in &self.details {
            for line in detail.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        for hint in &self.hints {
            for (i, line) in hint.lines().enumerate() {
                write!(f, "\n  {}{line}", if i == 0 { "hint: " } else { "      " })?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
