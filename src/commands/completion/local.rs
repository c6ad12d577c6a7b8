//! What is completed without a cluster: paths, bundles and their profiles, the names in a kubeconfig.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgMatches, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use crate::bundle::{Bundle, embedded};
use crate::cli::Cli;
use crate::cluster::{ConnectOptions, Named, names_in_kubeconfig};
use crate::ops::source;

/// Gives an argument its completer, if it is one of these. `before` are the words typed so far,
/// without the one that is completed.
pub(super) fn complete(arg: Arg, before: &[OsString]) -> Arg {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let named = match arg.get_id().as_str() {
        "context" => Some(Named::Contexts),
        "cluster" => Some(Named::Clusters),
        "user" => Some(Named::Users),
        _ => None,
    };
    let before = before.to_vec();
    match value.as_deref() {
        Some("FILE") => arg.add(ArgValueCompleter::new(PathCompleter::file())),
        Some("DIR") => arg.add(ArgValueCompleter::new(PathCompleter::dir())),
        Some("KEY=PATH") => arg.add(ArgValueCompleter::new(behind_equals)),
        Some("BUNDLE") => arg.add(ArgValueCompleter::new(bundles)),
        Some("NAME") if arg.get_id() == "profile" => {
            let names = move |begin: &OsStr| beginning(begin, profiles(&before).unwrap_or_default());
            arg.add(ArgValueCompleter::new(names))
        }
        _ => match named {
            Some(what) => {
                let names = move |begin: &OsStr| beginning(begin, names(&before, what).unwrap_or_default());
                arg.add(ArgValueCompleter::new(names))
            }
            None => arg,
        },
    }
}

fn beginning(begin: &OsStr, names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*begin)).map(CompletionCandidate::new).collect()
}

/// The embedded ones, folders and archives.
fn bundles(begin: &OsStr) -> Vec<CompletionCandidate> {
    let archive = |path: &std::path::Path| {
        path.is_dir() || path.extension().is_some_and(|extension| extension == "tgz")
    };
    let mut found = beginning(begin, embedded::names().map(str::to_owned));
    found.extend(PathCompleter::any().filter(archive).complete(begin));
    found
}

/// `key=./pa` → `key=./path`
fn behind_equals(word: &OsStr) -> Vec<CompletionCandidate> {
    let Some((key, begin)) = word.to_str().and_then(|word| word.split_once('=')) else {
        return Vec::new();
    };
    let paths = PathCompleter::file().complete(OsStr::new(begin));
    let with_key = |path: CompletionCandidate| {
        let mut value = OsString::from(format!("{key}="));
        value.push(path.get_value());
        CompletionCandidate::new(value)
    };
    paths.into_iter().map(with_key).collect()
}

/// Of the bundle that the words name, else of the embedded stack. Nothing is downloaded.
fn profiles(before: &[OsString]) -> Option<Vec<String>> {
    let matches = parsed(before)?;
    let mut deepest = &matches;
    while let Some((_, below)) = deepest.subcommand() {
        deepest = below;
    }
    let bundle = deepest.try_get_one::<String>("bundle").ok().flatten().map_or("stack", String::as_str);
    if bundle.contains("://") {
        return None;
    }
    let bundle = Bundle::load(&source::open(bundle).ok()?.files).ok()?;
    Some(bundle.profiles().map(str::to_owned).collect())
}

fn names(before: &[OsString], what: Named) -> Option<Vec<String>> {
    let kubeconfig = parsed(before)?.get_one::<std::path::PathBuf>("kubeconfig").cloned();
    names_in_kubeconfig(&ConnectOptions { kubeconfig, ..ConnectOptions::default() }, what).ok()
}

/// What was typed so far; the flag whose value is completed has none yet.
fn parsed(before: &[OsString]) -> Option<ArgMatches> {
    let command: Command = Cli::command().ignore_errors(true);
    let last = before.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let words = if last { &before[..before.len() - 1] } else { before };
    command.try_get_matches_from(words).ok()
}
