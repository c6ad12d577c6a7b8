//! Nothing that comes from outside controls a terminal. A release whose every text is hostile, a record
//! that somebody forged beside it, a server, a log and a credential plugin that talk in escape sequences;
//! and every verb that clap knows, in each of its formats, on pipes and on a terminal.

mod hostile;
mod judge;

use std::path::Path;

use clap::CommandFactory;
use kubectl_obs::cli::Cli;
use libtest_mimic::Trial;

use crate::support::env::Env;
use crate::support::process::Command;
use crate::support::proxy::{Fault, Proxy, Refusal};
use crate::support::{pty, trial};
use hostile::{FORGED, LINE, World};
use judge::{Colours, judge};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("gate::no_verb_lets_anything_through", every_verb),
        trial::api("gate::logs_keep_colours_and_nothing_else", logs),
        trial::api("gate::the_server_and_the_plugin_are_no_exception", server_and_plugin),
    ]
}

/// Command lines of each verb that read what is hostile. A new verb needs a line here.
fn cases(verb: &str, world: &World) -> Vec<Vec<String>> {
    let World { bundle, wrong, odd, archive, .. } = world;
    let forged = ["--release", FORGED];
    let failing = ["--set", "fails=true"];
    let refused = ["--set", "port=11"];
    let dry = ["--dry-run=server", "--wait=none"];
    let quick = ["--lock-timeout=1s", "--timeout=5s"];
    let changing: &[&[&str]] =
        &[&dry, &failing, &refused, &["-f", odd], &["--context", LINE], &["--recreate", LINE]];
    let bundle = bundle.as_str();
    let with = |first: &[&str], more: &[&[&str]]| -> Vec<Vec<String>> {
        more.iter().map(|more| first.iter().chain(*more).map(ToString::to_string).collect()).collect()
    };
    match verb {
        "install" => with(&[bundle, "--release=third"], changing),
        "upgrade" => {
            let mut all = with(
                &[],
                &[&["-y", "--set", "port=2", "--wait=none", "--force-conflicts", quick[0], quick[1]]],
            );
            all.extend(with(&[bundle], changing));
            all
        }
        "rollback" => with(&["--dry-run=server"], &[&["--force-conflicts"], &["--recreate", LINE], &forged]),
        "diff" => with(&["--set", "port=3"], &[&[], &failing, &refused, &forged]),
        "drift" | "status" | "history" | "rollout history" => with(&[], &[&[], &forged]),
        "list" => with(&[], &[&["-A"]]),
        "alerts" | "alerts silences" | "apps" | "apps suggest" | "dashboards" => {
            with(&[], &[&[], &forged, &["--release", LINE]])
        }
        "doctor" => with(
            &[],
            &[
                &[],
                &["-o", "junit"],
                &["-o", "markdown"],
                &["--from", LINE],
                &["--only", LINE],
                &["--suppress", LINE],
                &["--pre"],
                &forged,
            ],
        ),
        "doctor rbac" => with(&[], &[&[], &forged, &["--release", LINE]]),
        "doctor list" => with(&[], &[&[]]),
        "doctor explain" => with(&[], &[&[LINE], &["MX05"]]),
        "support-bundle" => {
            with(&["--file", odd], &[&[], &forged, &["--release", LINE], &["--timeout", LINE]])
        }
        "explain metrics" | "explain logs" | "explain alert" => {
            with(&[LINE], &[&[], &forged, &["--release", LINE]])
        }
        "alerts silence" | "alerts unsilence" | "alerts test" | "dashboards export" | "password get"
        | "password set" => with(&[LINE], &[&[], &forged, &["--release", LINE]]),
        "logs" => with(&[], &[&[], &[LINE], &["--grep", &LINE[..LINE.len() - 1], "--since", LINE], &forged]),
        "search" => with(
            &[],
            &[
                &[],
                &[LINE],
                &["--show-query", "path=\"a\u{202e}b\""],
                &["--logql", LINE],
                &["--since", LINE],
                &["--store", LINE],
                &["--store", "x"],
                &forged,
            ],
        ),
        "port-forward" | "open" => with(&[LINE], &[&[], &forged]),
        "rollout status" | "rollout restart" => {
            with(&[], &[&["--timeout=3s"], &[LINE], &["--timeout", LINE]])
        }
        "rollout undo" => with(&["--dry-run=server"], &[&["evil"], &[LINE], &["evil", forged[0], forged[1]]]),
        "get values" | "get manifest" | "get all" => {
            with(&[], &[&[], &["--show-secrets"], &forged, &["--show-secrets", forged[0], forged[1]]])
        }
        "get notes" | "get inventory" => with(&[], &[&[], &forged]),
        "uninstall" => with(&["--dry-run=server"], &[&[], &forged]),
        "template" => {
            with(&[bundle], &[&[], &["--show-secrets"], &failing, &refused, &["-f", odd], &[wrong]])
        }
        "bundle show" | "bundle values" | "bundle images" | "bundle lint" => {
            with(&[], &[&[bundle], &[wrong], &[LINE], &[archive]])
        }
        "bundle package" => with(&[], &[&[bundle, "-d", "."], &[wrong], &[bundle, "-d", odd]]),
        "completion" => with(&[], &[&["bash"], &["zsh"], &["fish"], &["powershell"], &[LINE]]),
        "version" => with(&[], &[&[], &["--server", LINE], &["--context", LINE], &[LINE]]),
        other => panic!("a case for the verb {other} is missing in {}", file!()),
    }
}

/// Every verb, and the formats that it prints.
fn verbs(command: &clap::Command, path: &str, found: &mut Vec<(String, Vec<String>)>) {
    let below: Vec<&clap::Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
    for verb in &below {
        verbs(verb, format!("{path} {}", verb.get_name()).trim_start(), found);
    }
    // with some, verbs below it are a choice
    if below.is_empty() || !path.is_empty() && !command.is_subcommand_required_set() {
        let values = |id: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            arg.map(clap::Arg::get_possible_values).unwrap_or_default()
        };
        let flag = |flag: &str, id: &str| {
            values(id).iter().map(|value| format!("--{flag}={}", value.get_name())).collect::<Vec<_>>()
        };
        found.push((path.to_owned(), [flag("output", "output"), flag("events", "events")].concat()));
    }
}

fn every_verb(env: &Env) {
    judge::finds_what_it_looks_for();
    let world = World::make(env);
    let mut all = Vec::new();
    verbs(&Cli::command(), "", &mut all);
    assert!(all.len() > 20, "{all:?}");
    for (verb, formats) in &all {
        let mut reached = false;
        for case in cases(verb, &world) {
            let words = || verb.split(' ').map(str::to_owned).chain(case.iter().cloned());
            let command = || env.obs(words()).env("TERM", "xterm");
            let mut outputs = vec![
                shown(command(), Colours::None),
                shown(command().args(["--color=always"]), Colours::Own),
                on_terminal(&command(), verb),
            ];
            outputs.extend(formats.iter().map(|format| shown(command().arg(format), Colours::None)));
            reached |= outputs.iter().any(|output| output.contains("pwned"));
        }
        assert!(
            reached || ["bundle images", "doctor list"].contains(&verb.as_str()),
            "nothing hostile reached {verb}: its cases prove nothing"
        );
    }
}

/// Runs it on pipes.
#[track_caller]
fn shown(command: Command, colours: Colours) -> String {
    let output = command.run();
    judge(&output.stdout, &output.to_string(), colours);
    judge(&output.stderr, &output.to_string(), colours);
    format!("{}{}", output.stdout, output.stderr)
}

/// Runs it on a terminal.
#[track_caller]
fn on_terminal(command: &Command, what: &str) -> String {
    let mut terminal = pty::start(command, 100, 40);
    terminal.end();
    let raw = terminal.raw();
    judge(&raw, what, Colours::Terminal);
    raw
}

fn logs(env: &Env) {
    World::make(env);
    let proxy = Proxy::start(env);
    let lines = format!(
        "2026-01-01T00:00:00Z \x1b[31mlevel=error\x1b[0m {}\r\n2026-01-01T00:00:01Z \x1b[1;35mend\n",
        hostile::TEXT
    );
    proxy.begin(move |asked| match asked.path.ends_with("/log") {
        true => Fault::Text(lines.clone()),
        false => Fault::Pass,
    });
    let command = || proxy.obs(env, ["logs"]).env("TERM", "xterm");
    let plain = shown(command(), Colours::None);
    assert!(
        plain.contains("level=error pwned") && plain.contains("\nend\n"),
        "colours are left out: {plain:?}"
    );
    let coloured = command().arg("--color=always").run();
    judge(&coloured.stdout, "logs --color=always", Colours::Theirs);
    assert!(coloured.stdout.contains("\x1b[31mlevel=error\x1b[0m pwned"), "{:?}", coloured.stdout);
    for line in coloured.stdout.lines() {
        assert!(line.ends_with("\x1b[0m"), "a colour goes beyond its line: {line:?}");
    }
    let mut terminal = pty::start(&command(), 100, 40);
    terminal.end();
    judge(&terminal.raw(), "logs on a terminal", Colours::Theirs);
    assert!(terminal.raw().contains("\x1b[31mlevel=error"), "{:?}", terminal.raw());
}

fn server_and_plugin(env: &Env) {
    World::make(env);
    let proxy = Proxy::start(env);
    proxy.begin(|asked| match asked.method.as_str() {
        "PATCH" => {
            Fault::Answer(Refusal { code: 403, reason: "Forbidden", message: LINE, retry_after: None })
        }
        _ => Fault::Pass,
    });
    let command = || {
        proxy
            .obs(env, ["upgrade", "-y", "--set", "port=4", "--wait=none", "--force-conflicts"])
            .env("TERM", "xterm")
    };
    for output in [shown(command(), Colours::None), on_terminal(&command(), "upgrade that is refused")] {
        assert!(output.contains("pwned"), "{output}");
    }
    for mode in ["Never", "IfAvailable"] {
        let kubeconfig = plugin(env, mode);
        let command = || env.obs_by(Path::new(&kubeconfig), LINE, ["status"]).env("TERM", "xterm");
        for output in [shown(command(), Colours::None), on_terminal(&command(), "status by a plugin")] {
            assert!(output.contains("says pwned"), "{output}");
        }
    }
}

/// A kubeconfig whose names and plugin are hostile.
fn plugin(env: &Env, mode: &str) -> String {
    let server = "https://127.0.0.1:1";
    let exec = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": mode,
        "args": ["-c", "printf 'says %s\\n' \"$TEXT\" >&2; exit 3"], "env": [{"name": "TEXT", "value": hostile::TEXT}],
    });
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": LINE,
        "clusters": [{"name": LINE, "cluster": {"server": server}}],
        "users": [{"name": LINE, "user": {"exec": exec}}],
        "contexts": [{"name": LINE, "context": {"cluster": LINE, "user": LINE}}],
    });
    env.write(&format!("{mode}.kubeconfig"), &kubectl_obs::escape::document(&config.to_string()))
        .display()
        .to_string()
}
