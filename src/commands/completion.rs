//! `kubectl obs completion`, and what kubectl runs to complete a plugin's arguments:
//! `kubectl_complete-obs WORD…`, which is this binary under another name.

use std::ffi::OsString;

use clap::CommandFactory;

use super::App;
use crate::cli::{Cli, Completion};
use crate::error::{Error, Result};

/// kubectl's directive: do not complete file names.
const NO_FILES: &str = ":4";

/// Prints the completion script of a shell.
pub fn script(app: &App<'_>, args: &Completion) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command().bin_name("kubectl-obs");
    clap_complete::generate(args.shell, &mut command, "kubectl-obs", &mut script);
    app.ui.data(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Candidates for the last of `words`, in kubectl's form: `value<TAB>description` lines and a
/// directive.
pub fn candidates(words: Vec<OsString>) -> Result<String> {
    let mut command = Cli::command();
    let mut args = vec![OsString::from("kubectl-obs")];
    args.extend(words);
    let index = args.len().saturating_sub(1);
    let found = clap_complete::engine::complete(&mut command, args, index, None)
        .map_err(|error| Error::failed(format!("no completion: {error}")))?;
    let mut out = String::new();
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        out.push_str(&candidate.get_value().to_string_lossy());
        if let Some(help) = candidate.get_help() {
            out.push('\t');
            out.push_str(help.to_string().lines().next().unwrap_or_default());
        }
        out.push('\n');
    }
    out.push_str(NO_FILES);
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_flags_are_completed_as_kubectl_expects() {
        let words = |words: &[&str]| candidates(words.iter().map(OsString::from).collect()).unwrap();
        assert!(words(&["inst"]).starts_with("install\tInstall a bundle"), "{}", words(&["inst"]));
        assert!(words(&["install", "--prof"]).contains("--profile\t"));
        assert!(words(&["install", ""]).ends_with(":4\n"));
        assert!(!words(&[""]).contains("__render"));
    }
}
