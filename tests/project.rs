//! Checks of the files around the program: what they promise must be so.

#![allow(clippy::allow_attributes, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rules are those of krew's `internal/index/validation/validate.go` and of its
/// `cmd/validate-krew-manifest`.
mod krew {
    use super::*;

    /// krew's list of (os, arch).
    const SUPPORTED: [(&str, &str); 10] = [
        ("linux", "386"),
        ("linux", "amd64"),
        ("linux", "arm"),
        ("linux", "arm64"),
        ("linux", "ppc64le"),
        ("darwin", "amd64"),
        ("darwin", "arm64"),
        ("windows", "386"),
        ("windows", "amd64"),
        ("windows", "arm64"),
    ];

    fn manifest() -> Value {
        serde_yaml::from_str(&read("plugin.yaml")).expect("plugin.yaml is YAML")
    }

    #[track_caller]
    fn text<'a>(value: &'a Value, key: &str) -> &'a str {
        value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}"))
    }

    /// The supported pairs that a platform's selector matches.
    fn matched(platform: &Value) -> BTreeSet<(&'static str, &'static str)> {
        let labels = platform["selector"]["matchLabels"].as_object().expect("matchLabels is a map");
        assert!(platform["selector"].get("matchExpressions").is_none(), "not needed here");
        assert!(!labels.is_empty(), "a selector must not be empty");
        for key in labels.keys() {
            assert!(key == "os" || key == "arch", "a selector knows os and arch, not {key}");
        }
        let fits = |key: &str, value: &str| labels.get(key).is_none_or(|wanted| wanted == value);
        SUPPORTED.into_iter().filter(|(os, arch)| fits("os", os) && fits("arch", arch)).collect()
    }

    #[test]
    fn the_head_is_valid() {
        let manifest = manifest();
        assert_eq!(text(&manifest, "apiVersion"), "krew.googlecontainertools.github.com/v1alpha2");
        assert_eq!(text(&manifest, "kind"), "Plugin");

        let name = text(&manifest["metadata"], "name");
        assert_eq!(name, "obs", "kubectl-obs is found as the plugin obs");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));

        let spec = &manifest["spec"];
        let version = text(spec, "version").strip_prefix('v').expect("the version begins with v");
        semver::Version::parse(version).expect("the version is a semantic version");
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "plugin.yaml and Cargo.toml agree");

        let short = text(spec, "shortDescription");
        assert!(!short.is_empty() && !short.contains(['\n', '\r']), "one line");
        assert!(short.len() <= 60, "a few words");
        assert!(!text(spec, "description").contains(" --"), "a description lists no flags");
        assert!(text(spec, "homepage").starts_with("https://"));

        let known = ["version", "homepage", "shortDescription", "description", "caveats", "platforms"];
        for key in spec.as_object().expect("spec is a map").keys() {
            assert!(known.contains(&key.as_str()), "krew does not know spec.{key}");
        }
    }

    #[test]
    fn the_platforms_are_valid_and_do_not_overlap() {
        let manifest = manifest();
        let platforms = manifest["spec"]["platforms"].as_array().expect("platforms is a list");
        assert!(!platforms.is_empty());

        let mut taken = BTreeSet::new();
        for platform in platforms {
            let pairs = matched(platform);
            assert!(!pairs.is_empty(), "matches nothing that krew supports: {platform}");
            for pair in pairs {
                assert!(taken.insert(pair), "{pair:?} is matched twice");
            }
            let uri = text(platform, "uri");
            assert!(uri.starts_with("https://"), "{uri}");
            assert!(uri.ends_with(".tar.gz") || uri.ends_with(".zip"), "{uri}");
            let sha = text(platform, "sha256");
            assert!(sha.len() == 64 && sha.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{sha}");
            assert!(!text(platform, "bin").is_empty());
            if let Some(files) = platform.get("files") {
                assert!(files.as_array().is_some_and(|files| !files.is_empty()), "absent, or not empty");
            }
        }
    }

    #[test]
    fn the_license_is_there_to_be_packed() {
        assert!(read("LICENSE").contains("Apache License"));
    }
}

/// The targets of the Makefile are what the documents name.
mod makefile {
    use super::*;

    const TARGETS: [&str; 10] = [
        "demo",
        "test",
        "soak",
        "lint",
        "bench",
        "cluster-up",
        "cluster-down",
        "cluster-status",
        "install",
        "clean",
    ];

    #[test]
    fn each_target_has_its_line_in_help() {
        let makefile = read("Makefile");
        for target in TARGETS {
            let documented =
                makefile.lines().any(|line| line.starts_with(&format!("{target}:")) && line.contains("## "));
            assert!(documented, "{target} is missing, or has no ## line");
        }
    }

    #[test]
    fn the_documents_name_targets_that_exist() {
        let makefile = read("Makefile");
        for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
            for line in read(document).lines() {
                for rest in line.match_indices("`make ").map(|(at, found)| &line[at + found.len()..]) {
                    let targets = rest.split('`').next().unwrap_or_default();
                    for target in targets.split(' ').filter(|word| !word.contains('=')) {
                        assert!(
                            makefile.contains(&format!("\n{target}:")),
                            "{document}: make {target} does not exist"
                        );
                    }
                }
            }
        }
    }
}

/// README.md is what people try first.
mod readme {
    use super::*;
    use std::process::{Command, Output};

    fn obs(words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_kubectl-obs")).args(words).output().expect("run kubectl-obs")
    }

    /// The words after `kubectl obs` in the document, up to what is no name of a verb.
    fn commands() -> BTreeSet<Vec<String>> {
        let readme = read("README.md");
        let is_verb = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        let after = readme.match_indices("kubectl obs ").map(|(at, found)| &readme[at + found.len()..]);
        after
            .map(|rest| rest.split(['`', '\n', '#']).next().unwrap_or_default())
            .map(|line| line.split(' ').take_while(is_verb).map(str::to_owned).collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
            .collect()
    }

    #[test]
    fn the_commands_that_it_names_exist() {
        let commands = commands();
        assert!(commands.len() > 8, "{commands:?}");
        for words in commands {
            // Only `bundle` has verbs of its own; what follows another verb is an argument or prose.
            let depth = if words[0] == "bundle" { 2 } else { 1 };
            let mut words: Vec<&str> = words.iter().take(depth).map(String::as_str).collect();
            words.push("--help");
            assert!(obs(&words).status.success(), "kubectl obs {} does not exist", words.join(" "));
        }
    }

    #[test]
    fn every_verb_is_in_it() {
        let readme = read("README.md");
        let help = String::from_utf8(obs(&["-h"]).stdout).expect("help is UTF-8");
        let verbs = help.split("\nCommands:\n").nth(1).expect("a list of commands");
        for line in verbs.lines().take_while(|line| !line.is_empty()) {
            let verb = line.split_whitespace().next().expect("a verb");
            assert!(verb == "help" || readme.contains(verb), "{verb} is missing in README.md");
        }
    }

    #[test]
    fn the_exit_codes_are_those_of_the_help() {
        let readme = read("README.md");
        let help = String::from_utf8(obs(&["-h"]).stdout).expect("help is UTF-8");
        let codes = help.split("Exit codes: ").nth(1).expect("exit codes");
        let codes: BTreeSet<&str> =
            codes.split(',').filter_map(|code| code.trim().split(' ').next()).collect();
        let rows = readme.lines().skip_while(|line| !line.starts_with("| exit code")).skip(2);
        let table: BTreeSet<String> = rows
            .map_while(|row| row.strip_prefix("| "))
            .filter_map(|row| row.split(" |").next())
            .map(|code| code.replace(", ", "/"))
            .collect();
        assert_eq!(table.iter().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    }
}

/// What reaches a terminal passes the gate of `src/ui/gate.rs`: nothing else may write to the streams.
mod streams {
    use super::*;

    /// Besides the gate: the lines that move the cursor, questions by dialoguer, a pipe to the parent; and
    /// plain lines and NDJSON, which open and escape what they write for any stream.
    const WRITERS: [&str; 6] = [
        "src/ui/gate.rs",
        "src/ui/tty.rs",
        "src/ui/prompt.rs",
        "src/ui/watch.rs",
        "src/ui/json.rs",
        "src/ops/sandbox.rs",
    ];
    /// What is asked of a stream without writing to it.
    const QUESTIONS: [&str; 5] = [".is_terminal()", ".as_raw_fd()", ".is_term()", ".size()", ".features()"];

    /// The lines of a source file that may write to a stream.
    fn writes(text: &str) -> Vec<String> {
        let uses = |line: &&str| {
            ["stdout()", "stderr()"].iter().any(|stream| {
                let mut behind = line.split(stream).skip(1);
                behind.any(|behind| !QUESTIONS.iter().any(|question| behind.starts_with(question)))
            })
        };
        text.lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .filter(|line| !line.trim_start().starts_with("//"))
            .filter(uses)
            .map(str::to_owned)
            .collect()
    }

    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below").display().to_string();
            if path.is_dir() {
                walk(&path, found);
            } else if !WRITERS.contains(&name.as_str()) {
                found.extend(writes(&read(&name)).iter().map(|line| format!("{name}: {}", line.trim())));
            }
        }
    }

    #[test]
    fn they_have_one_gate() {
        assert!(!writes(&read("src/ui/gate.rs")).is_empty(), "the gate is somewhere else now");
        let mut found = Vec::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        found.retain(|line| !line.contains("Ndjson::stdout()") && !line.contains(".use_stderr()"));
        assert_eq!(found, [""; 0], "write by way of src/ui/gate.rs");
    }
}
