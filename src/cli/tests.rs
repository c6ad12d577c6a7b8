//! The command line is consistent, and what the program tells people to type is in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// String literals of the program's own source, without those of tests.
fn literals() -> Vec<(String, String)> {
    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                files(&entry, found);
            } else if entry.extension().is_some_and(|ext| ext == "rs") && !entry.ends_with("tests.rs") {
                found.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&root, &mut all);
    let mut found = Vec::new();
    for path in all.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "tests")) {
        let text = fs::read_to_string(path).unwrap();
        let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let file = path.strip_prefix(&root).unwrap().display().to_string();
        let code = own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>();
        let code = code.join("\n").replace("\\\"", "'");
        for (i, part) in code.split('"').enumerate() {
            if i % 2 == 1 {
                let joined = part.replace("\\\n", "\u{0}");
                let mut words = joined.split('\u{0}').map(str::trim_start);
                let first = joined.split('\u{0}').next().unwrap_or_default().to_owned();
                let rest: String = words.by_ref().skip(1).collect();
                found.push((file.clone(), first + &rest));
            }
        }
    }
    found
}

/// `kubectl obs …` up to where the sentence goes on.
fn commands(text: &str) -> Vec<String> {
    let begins = text.match_indices("kubectl obs ").map(|(at, found)| &text[at + found.len()..]);
    let end = |c: char| matches!(c, ';' | ':' | ',' | '(' | ')' | '|' | '`' | '\n' | '\\');
    begins.map(|rest| rest.split(end).next().unwrap_or_default().trim().to_owned()).collect()
}

/// What stands for something else, as something that fits there.
fn filled(word: &str) -> String {
    let word = word.trim_end_matches('.');
    let number = ["{revision}", "{to}", "REVISION", "N"].contains(&word);
    match word {
        _ if number => "1".to_owned(),
        "{verb}" => "upgrade".to_owned(),
        _ if word.starts_with('{') => "x".to_owned(),
        _ => word.replace(['{', '}'], "x"),
    }
}

#[test]
fn commands_in_messages_can_be_typed() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (file, text) in literals() {
        for command in commands(&text).into_iter().filter(|command| !command.is_empty()) {
            let words: Vec<String> = command.split_whitespace().map(filled).collect();
            let flags = words.iter().rposition(|word| word.starts_with('-')).map_or(1, |last| last + 1);
            // prose may follow: the longest beginning that holds all flags
            let parses = (flags..=words.len()).rev().any(|end| {
                let typed = ["kubectl-obs".to_owned()].into_iter().chain(words[..end].iter().cloned());
                match Cli::try_parse_from(typed) {
                    Ok(_) => true,
                    // what stands for a value is not always one
                    Err(error) => matches!(
                        error.kind(),
                        ErrorKind::DisplayHelp
                            | ErrorKind::ValueValidation
                            | ErrorKind::InvalidValue
                            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    ),
                }
            });
            if !parses {
                wrong.push(format!("{file}: kubectl obs {command}"));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 20, "only {seen} were found: does this test still look?");
}

#[test]
fn flags_in_messages_exist() {
    let mut known = BTreeSet::new();
    fn collect(command: &clap::Command, known: &mut BTreeSet<String>) {
        known
            .extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")));
        command.get_subcommands().for_each(|below| collect(below, known));
    }
    collect(&Cli::command(), &mut known);
    for (file, text) in literals() {
        // those of other programs stand behind their names
        let theirs =
            ["kubectl ", "helm ", "go "].iter().any(|name| text.replace("kubectl obs", "").contains(name));
        let flags = text.match_indices("--").filter(|(at, _)| !text[..*at].ends_with(['-', '|', '<', '!']));
        for (at, _) in flags {
            let flag: String =
                text[at..].chars().take_while(|c| *c == '-' || c.is_ascii_lowercase()).collect();
            let word = flag.trim_end_matches('-');
            assert!(
                theirs || word.is_empty() || known.contains(word) || *word == *"--help",
                "{file}: {word} in \"{text}\""
            );
        }
    }
}
