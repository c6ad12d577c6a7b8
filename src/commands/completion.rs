//! `kubectl obs completion`, and what kubectl runs to complete a plugin's arguments:
//! `kubectl_complete-obs WORD…`, which is this binary under another name.

mod local;

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::App;
use crate::cli::{Cli, Completion, Global};
use crate::error::{Error, Result};
use crate::escape;
use crate::event::Silent;
use crate::ops::{Cancel, components, forward};
use crate::ui::{self, Ui};

/// kubectl's directives (cobra: ShellCompDirective): do not complete file names; no space behind it.
const NO_FILES: u8 = 4;
const NO_SPACE: u8 = 2;
/// Arguments with this name are completed with what the cluster says.
const COMPONENT: &str = "COMPONENT";
/// Nobody waits for a completion longer than this.
const PATIENCE: Duration = Duration::from_secs(3);

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
    let mut args = vec![OsString::from("kubectl-obs")];
    args.extend(words);
    let wants_flag = args.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let mut command = with_completers(Cli::command(), &args);
    let index = args.len().saturating_sub(1);
    let found = clap_complete::engine::complete(&mut command, args, index, None)
        .map_err(|error| Error::failed(format!("no completion: {error}")))?;
    let mut out = String::new();
    // as in kubectl, flags are candidates once a dash was typed
    let is_flag =
        |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().starts_with(b"-");
    // a name that controls the terminal would do so when it is completed, and in another form it is none
    let harmless =
        |candidate: &CompletionCandidate| !candidate.get_value().to_string_lossy().contains(escape::controls);
    let wanted = |candidate: &&CompletionCandidate| {
        !candidate.is_hide_set() && is_flag(candidate) == wants_flag && harmless(candidate)
    };
    for candidate in found.iter().filter(wanted) {
        out.push_str(&candidate.get_value().to_string_lossy());
        if let Some(help) = candidate.get_help() {
            out.push('\t');
            out.push_str(&escape::cell(help.to_string().lines().next().unwrap_or_default()));
        }
        out.push('\n');
    }
    // a folder is not the end of a path
    let folder = |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().ends_with(b"/");
    let space = if found.iter().filter(wanted).any(folder) { NO_SPACE } else { 0 };
    out.push_str(&format!(":{}\n", NO_FILES | space));
    Ok(out)
}

/// The same command line with completers: components are asked of the cluster that `args` name.
fn with_completers(command: clap::Command, args: &[OsString]) -> clap::Command {
    let with_ui = matches!(command.get_name(), "port-forward" | "open");
    let command = command.mut_args(|arg| {
        if arg.get_value_names().is_none_or(|names| names != [COMPONENT]) {
            return local::complete(arg, args.split_last().map_or(&[][..], |(_, before)| before));
        }
        let args = args.to_vec();
        arg.add(ArgValueCompleter::new(move |current: &OsStr| completed(&args, current, with_ui)))
    });
    command.mut_subcommands(|subcommand| with_completers(subcommand, args))
}

/// The components that begin so and were not named before. Whatever goes wrong, there are none.
fn completed(args: &[OsString], current: &OsStr, with_ui: bool) -> Vec<CompletionCandidate> {
    let Some((_, before)) = args.split_last() else { return Vec::new() };
    let begin = current.to_string_lossy();
    let fits = |name: &String| name.starts_with(&*begin) && !before.iter().any(|word| word == name.as_str());
    let found = ask(before, with_ui).unwrap_or_default();
    found.into_iter().filter(fits).map(CompletionCandidate::new).collect()
}

fn ask(before: &[OsString], with_ui: bool) -> Option<Vec<String>> {
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(before).ok()?;
    let global = Global::from_arg_matches(&matches).ok()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let ui = Ui::new(ui::Options { machine_output: true, ..ui::Options::default() });
    let app = App { global, ui: &ui, cancel: Cancel::default() };
    let names = async {
        let (namespace, release) = (app.namespace()?, app.release()?);
        let cluster = app.connect().await?;
        let ctx = app.context(&cluster, &namespace, &release, &Silent, PATIENCE);
        let record = components::latest(&ctx).await?;
        Ok::<_, Error>(match with_ui {
            true => forward::with_ui(&record),
            false => record.components.into_iter().map(|component| component.name).collect(),
        })
    };
    // the clock of the timeout is the runtime's
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, names).await });
    runtime.shutdown_background();
    names.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_flags_are_completed_as_kubectl_expects() {
        let words = |words: &[&str]| candidates(words.iter().map(OsString::from).collect()).unwrap();
        assert!(words(&["inst"]).starts_with("install\tInstall a bundle"), "{}", words(&["inst"]));
        assert!(words(&["install", "--prof"]).contains("--profile\t"));
        assert!(words(&["install", "--wait", ""]).ends_with(":4\n"));
        assert!(!words(&[""]).contains("__render"));
    }
}
