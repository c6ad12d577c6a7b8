//! Transcripts: what a person sees when they type something, as far as no cluster is needed. Exit
//! code, stdout and stderr are compared whole; CONTRIBUTING.md says how to accept a change.

#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and the support code says what it kept"
)]

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use support::process::{Output, Running};
use support::transcript::transcript;

mod cli {
    use super::*;

    mod bundle;
    mod completion;
    mod help;
    mod interrupts;
    mod mistakes;
    mod passwords;
    mod secrets;
    mod streams;
    mod unreachable;
    mod values;
    mod version;
}
mod support;

/// An empty home to run the plugin in.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("write a file");
    }

    /// Runs a command line; words are separated by spaces.
    #[track_caller]
    fn run(&self, line: &str) -> Output {
        support::plugin::obs(self.path(), line.split_whitespace()).run()
    }

    /// The same as a transcript.
    #[track_caller]
    fn transcript(&self, line: &str) -> String {
        let home = self.path().to_str().expect("a temporary path is UTF-8");
        transcript(&self.run(line), &[(home, "[home]")])
    }
}

/// A command line in an empty home.
#[track_caller]
fn obs(line: &str) -> String {
    Home::new().transcript(line)
}

/// The short help of a verb, without the global options, which are the same everywhere.
#[track_caller]
fn help(verb: &str) -> String {
    let output = Home::new().run(&format!("{verb} -h")).ok();
    assert_eq!(output.stderr, "");
    let own = output.stdout.split("\nGlobal options:\n").next().unwrap_or_default();
    own.trim_end().to_owned()
}
