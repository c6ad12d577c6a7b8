//! Exit code 2: nothing was done, and the message says what to type instead.

use super::*;

#[test]
fn a_local_port_is_a_number_of_a_component() {
    assert_snapshot!(obs("port-forward --port grafana=70000"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value 'grafana=70000' for '--port <COMPONENT=PORT>': a port is a number from 1 to 65535

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("port-forward --port 3000"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value '3000' for '--port <COMPONENT=PORT>': write it as grafana=3000

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("open grafana --address localhost"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value 'localhost' for '--address <IP>': invalid IP address syntax

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("port-forward --print-urls -- true"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the argument '--print-urls' cannot be used with '[COMMAND]...'

    Usage: kubectl obs port-forward --print-urls [COMPONENT]... [-- <COMMAND>...]

    For more information, try '--help'.
    ");
}

#[test]
fn nothing_at_all_shows_the_help() {
    let output = Home::new().run("").ends(2);
    assert_eq!(output.stdout, "", "help that nobody asked for is not data");
    assert!(output.stderr.contains("Usage: kubectl obs [OPTIONS] <COMMAND>"), "{output}");
}

#[test]
fn an_unknown_verb() {
    assert_snapshot!(obs("instal"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'instal'

      tip: some similar subcommands exist: 'list', 'uninstall', 'install'

    Usage: kubectl obs [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_flag() {
    assert_snapshot!(obs("install --waait=none"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: unexpected argument '--waait' found

      tip: a similar argument exists: '--wait'

    Usage: kubectl obs install --wait <WHAT> [BUNDLE]

    For more information, try '--help'.
    ");
}

#[test]
fn a_value_that_a_flag_does_not_know() {
    assert_snapshot!(obs("install --wait=maybe"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value 'maybe' for '--wait <WHAT>'
      [possible values: none, ready, healthy]

    For more information, try '--help'.
    ");
}

#[test]
fn a_duration_without_a_unit() {
    assert_snapshot!(obs("install --timeout=10 --kubeconfig=none"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: "10" is not a duration
      hint: write it as 30s, 2m or 1h30m
    "#);
}

#[test]
fn a_namespace_that_cannot_be() {
    assert_snapshot!(obs("status -n Bad_NS --kubeconfig=none"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: namespace "Bad_NS" is not valid: it contains 'B'
      hint: use lower-case letters, digits and dashes, for example -n observability
    "#);
}

#[test]
fn a_release_name_that_is_too_long() {
    assert_snapshot!(obs("status --release this-is-much-too-long-for-a-release"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: release name "this-is-much-too-long-for-a-release" is not valid: it has 35 characters, at most 25 are allowed
      hint: use lower-case letters, digits and dashes, for example --release obs
    "#);
}

#[test]
fn a_revision_that_cannot_be() {
    assert_snapshot!(obs("get values --revision 0"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value '0' for '--revision <N>': a revision is a number from 1

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("get manifest --revision v3"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value 'v3' for '--revision <N>': a revision is a number from 1

    For more information, try '--help'.
    ");
}

#[test]
fn numbers_that_are_none() {
    for line in ["rollback 0", "rollback x", "diff --revision 0", "upgrade --history-max x"] {
        let output = Home::new().run(line);
        assert_eq!(output.code, 2, "{output}");
        assert!(output.stderr.contains("number from "), "{output}");
    }
}

#[test]
fn an_object_to_recreate_without_its_kind() {
    assert_snapshot!(obs("install --recreate obs-grafana"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: --recreate obs-grafana: this is no KIND/NAME
      hint: write it as Service/obs-grafana, without the namespace
    ");
}

#[test]
fn a_plan_that_is_not_there() {
    assert_snapshot!(obs("upgrade --plan nowhere.json"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: plan nowhere.json cannot be read: No such file or directory (os error 2)
      hint: make one with kubectl obs upgrade --plan-out FILE
    ");
}

#[test]
fn get_without_saying_what() {
    let output = Home::new().run("get").ends(2);
    assert_eq!(output.stdout, "", "help that nobody asked for is not data");
    assert!(output.stderr.contains("Usage: kubectl obs get [OPTIONS] <COMMAND>"), "{output}");
    assert_snapshot!(obs("get value"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: unrecognized subcommand 'value'

      tip: a similar subcommand exists: 'values'

    Usage: kubectl obs get [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn names_of_what_has_no_names() {
    assert_snapshot!(obs("get values -o name"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value 'name' for '--output <FORMAT>'
      [possible values: json, yaml]

    For more information, try '--help'.
    ");
}

#[test]
fn a_negative_number_of_revisions() {
    assert_snapshot!(obs("history --max=-1"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value '-1' for '--max <N>': it is not a number from 0

    For more information, try '--help'.
    ");
}

#[test]
fn a_pattern_that_cannot_be() {
    assert_snapshot!(obs("logs --grep a(b"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: --grep "a(b" is not a regular expression: unclosed group
      hint: a backslash before . * + ? ( ) [ ] { } | makes it an ordinary character
    "#);
}

#[test]
fn a_number_of_log_lines_that_cannot_be() {
    assert_snapshot!(obs("logs --tail=-1"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: invalid value '-1' for '--tail <N>': it is neither a number from 0 nor all

    For more information, try '--help'.
    ");
}

#[test]
fn the_previous_run_cannot_be_followed() {
    assert_snapshot!(obs("logs -f --previous"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the argument '--follow' cannot be used with '--previous'

    Usage: kubectl obs logs --follow [COMPONENT]...

    For more information, try '--help'.
    ");
}

#[test]
fn a_bundle_that_is_not_there() {
    assert_snapshot!(obs("template ./nowhere"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: ./nowhere: no such bundle
      hint: a bundle is an embedded bundle (alertmanager, blackbox-exporter, elasticsearch, fluentd, grafana, kube-state-metrics, loki, node-exporter, opensearch, postgres-exporter, prometheus, redis-exporter, stack), a folder with a bundle.yaml, a .tgz file, or https://…#sha256:<digest>
    ");
}

#[test]
fn a_misspelled_value_on_the_command_line() {
    assert_snapshot!(obs("template --set prometheus.retension.time=3d"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: values are not valid for bundle stack 1.0.0
      prometheus.retension: unknown key, did you mean retention?     --set prometheus.retension.time=…
    ");
}

#[test]
fn wrong_values_in_a_file_are_all_told_with_their_lines() {
    let home = Home::new();
    home.write("values.yaml", "prometheus:\n  replicas: 0\nscrape:\n  intervall: 30s\nnodeExporters: {}\n");
    assert_snapshot!(home.transcript("template -f values.yaml"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: values are not valid for bundle stack 1.0.0
      nodeExporters: unknown key, did you mean nodeExporter?     values.yaml:5
      prometheus.replicas: 0 is less than 1                      values.yaml:2
      scrape.intervall: unknown key, did you mean interval?      values.yaml:4
    ");
}

#[test]
fn a_file_that_is_no_yaml() {
    let home = Home::new();
    home.write("values.yaml", "prometheus:\n  replicas: 1\n bad: [\n");
    assert_snapshot!(home.transcript("template -f values.yaml"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: values.yaml:3: while parsing a block mapping, did not find expected key
    ");
}

#[test]
fn a_file_that_is_not_there() {
    assert_snapshot!(obs("template -f values.yaml"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: values file values.yaml cannot be read: it does not exist
      hint: check the path given with -f
    ");
}

#[test]
fn a_profile_that_is_not_there() {
    assert_snapshot!(obs("template --profile hugh"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: bundle stack has no profile "hugh"
      hint: possible: default, ha, logs, minimal
    "#);
}

#[test]
fn a_silence_is_judged_before_anybody_is_asked() {
    assert_snapshot!(obs("alerts silence"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      <MATCHER>...

    Usage: kubectl obs alerts silence <MATCHER>...

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("alerts silence severity="), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: "severity=" is no matcher: a value is missing at the end
      hint: write it as severity=warning, 'team=~"shop|orders"' or alertname!=Watchdog
    "#);
    assert_snapshot!(obs("alerts silence HighErrorRate --for 2days"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: "2days" is not a duration
      hint: write it as 30s, 2m or 1h30m
    "#);
    assert_snapshot!(obs("alerts unsilence"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the following required arguments were not provided:
      <ID>...

    Usage: kubectl obs alerts unsilence <ID>...

    For more information, try '--help'.
    ");
    assert_snapshot!(obs("alerts unsilence 1b5c --all"), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the argument '[ID]...' cannot be used with '--all'

    Usage: kubectl obs alerts unsilence <ID>...

    For more information, try '--help'.
    ");
}

#[test]
fn of_a_search_are_told_before_anybody_is_asked() {
    for words in [
        "search \"open",
        "search a OR b",
        "search duration>fast",
        "search level=loud",
        "search path=~a(b",
        "search --since yesterday",
        "search --since 1h --until 2h",
        "search --limit 0",
        "search x --logql {}",
        "search --logql {} --lucene a:b",
        "search -f --until 1h",
    ] {
        let output = Home::new().run(words).ends(2);
        assert_eq!(output.stdout, "", "{output}");
    }
    assert_snapshot!(obs("search a OR b"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: OR is no part of this language: all conditions must hold
      hint: -word looks for lines without it, key=~"a|b" for one of two; "OR" in quotes is the word itself; --logql and --lucene take a query of the store's own
    "#);
    assert_snapshot!(obs("search duration>fast"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: duration>fast: "fast" is no number
      hint: numbers are written as 1000 or 0.5; "duration>fast" in quotes looks for the text
    "#);
    assert_snapshot!(obs("search --since yesterday"), @r#"
    exit code: 2
    --- stdout
    --- stderr
    error: "yesterday" is not a time
      hint: write it as 30m, 2h, 3d or 2026-11-21T17:00:00Z
    "#);
}
