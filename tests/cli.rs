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
use std::time::Duration;

use insta::assert_snapshot;
use support::process::{Output, Running};
use support::transcript::transcript;

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

mod help {
    use super::*;

    #[test]
    fn of_the_plugin() {
        assert_snapshot!(obs("-h"), @"
        exit code: 0
        --- stdout
        A production-grade observability stack on your cluster: installed with one command, kept safe,
        proven to work

        Usage: kubectl obs [OPTIONS] <COMMAND>

        Commands:
          install       Install a bundle: the whole stack, or one of its parts
          upgrade       Change a release: another version, other values
          rollback      Return to an earlier revision; volumes and passwords stay
          diff          Show what an upgrade or a rollback would change
          drift         Show what somebody else changed in the objects of a release
          status        Show each component of a release, and why it is not ready
          port-forward  Reach the UIs of a release from this machine, for as long as it runs
          open          Open the UI of a component in a browser
          logs          Print the logs of components, merged; -f survives restarts
          rollout       Wait for components, restart them, show when they changed, undo a change
          list          List releases [alias: ls]
          history       List the revisions of a release, newest first
          get           Print what is recorded of a revision: values, objects, notes
          uninstall     Remove a release; volumes stay unless told otherwise
          template      Print what would be applied, without a cluster
          bundle        Look into bundles and package them
          completion    Print the shell completion script
          version       Print the versions of the plugin and the cluster
          help          Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help (see more with '--help')

        Global options:
          -n, --namespace <NAMESPACE>  Namespace of the release
              --release <NAME>         Name of the release
              --kubeconfig <FILE>      Path of the kubeconfig file
              --context <NAME>         Kubeconfig context to use

        Exit codes: 0 ok, 1 failed, 2 usage, 5 cluster unreachable,
        6 comparison failed (where 1 is: something differs), 7 deadline passed, 130/143 interrupted
        --- stderr
        ");
    }

    #[test]
    fn has_all_global_options_when_asked_for_all() {
        let output = Home::new().run("status --help").ok();
        let global = output.stdout.split("\nGlobal options:\n").nth(1).expect("global options");
        let names: Vec<_> = global.lines().map(str::trim).filter(|line| line.starts_with('-')).collect();
        assert_snapshot!(names.join("\n"), @"
        -n, --namespace <NAMESPACE>
        --release <NAME>
        --kubeconfig <FILE>
        --context <NAME>
        --cluster <NAME>
        --user <NAME>
        -s, --server <URL>
        --token <TOKEN>
        --as <USER>
        --as-group <GROUP>
        --as-uid <UID>
        --certificate-authority <FILE>
        --client-certificate <FILE>
        --client-key <FILE>
        --tls-server-name <NAME>
        --insecure-skip-tls-verify
        --disable-compression
        --request-timeout <DURATION>
        --color <WHEN>
        - auto:   On a terminal, unless NO_COLOR is set
        - always: Always
        - never:  Never
        --progress <HOW>
        - auto:  Redrawn lines on a terminal, the same lines one by one elsewhere
        - plain: Sentences, one per change, for screen readers
        - none:  Nothing but warnings and errors
        ");
    }

    #[test]
    fn of_install() {
        assert_snapshot!(help("install"), @"
        Install a bundle: the whole stack, or one of its parts

        Usage: kubectl obs install [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
              --wait <WHAT>                   What to wait for before the release counts as deployed
                                              [default: healthy] [possible values: none, ready, healthy]
              --description <TEXT>            What the revision is for, shown by history
              --history-max <N>               How many revisions to keep; 0 keeps all [default: 10]
              --force-conflicts               Take fields back that people changed with kubectl or Helm
              --recreate <KIND/NAME>          Delete this object and make it anew when it cannot change in
                                              place; can be repeated
              --keep-claim-sizes              Leave volume claims that are larger than wanted at their size
              --accept-data-loss <COMPONENT>  Go on though this component cannot read its data any more; can
                                              be repeated
              --adopt                         Take over objects that exist already and belong to somebody
                                              else
              --rollback-on-failure           Remove what was created when the install fails; volumes stay
              --timeout <DURATION>            Longest time for the whole operation [default: 10m]
              --lock-timeout <DURATION>       How long to wait while somebody else works on the release
                                              [default: 0s]
              --dry-run <HOW>                 Show what would happen: client sends no changing request,
                                              server asks the API server too [possible values: client,
                                              server]
              --exit-code                     With --dry-run: end with 1 when something would change, 6 on
                                              errors
          -o, --output <FORMAT>               Print the result as json, yaml or names [possible values:
                                              json, yaml, name]
              --events <FORMAT>               Report progress as one JSON object per line on standard output
                                              [possible values: json]
          -y, --yes                           Answer yes to every question
          -h, --help                          Print help (see more with '--help')

        Values:
          -f, --values <FILE>           YAML file with values, - for standard input; can be repeated, the
                                        last one wins
              --set <KEY=VALUE>         Set a value: key=value, a.b=c, list[0]=x, a={x,y}, a=null deletes
              --set-string <KEY=VALUE>  Set a value that is always a string
              --set-file <KEY=PATH>     Set a value from a file's content
              --set-literal <KEY=TEXT>  Set a value to exactly the text after the first =
              --set-json <KEY=JSON>     Set a value from JSON
              --profile <NAME>          Profile of the bundle (see bundle show)
        ");
    }

    #[test]
    fn of_status() {
        assert_snapshot!(help("status"), @"
        Show each component of a release, and why it is not ready

        Usage: kubectl obs status [OPTIONS]

        Options:
          -o, --output <FORMAT>  Print as json or yaml [possible values: json, yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_logs() {
        assert_snapshot!(help("logs"), @"
        Print the logs of components, merged; -f survives restarts

        Usage: kubectl obs logs [OPTIONS] [COMPONENT]...

        Arguments:
          [COMPONENT]...  Components; all of the release when none is named

        Options:
          -f, --follow            Go on with what comes, over restarts and new pods, until Ctrl-C
              --since <DURATION>  Nothing older than this (30s, 2h)
              --tail <N>          The last lines of each container, or all [default: 100; 10 with -f; all
                                  with --since]
          -p, --previous          Print the run before the present one, where there is one
              --grep <REGEX>      Only lines that match this regular expression
              --timestamps        Begin each line with the time at which it was written
          -h, --help              Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_rollout() {
        assert_snapshot!(help("rollout"), @"
        Wait for components, restart them, show when they changed, undo a change

        Usage: kubectl obs rollout [OPTIONS] <COMMAND>

        Commands:
          status   Wait until components are ready, and say why one is not
          restart  Replace the pods of components, and wait until the new ones are ready
          history  List the revisions in which components changed, newest first
          undo     Return components to an earlier revision; the others and the values stay as they are
          help     Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_rollout_status() {
        assert_snapshot!(help("rollout status"), @"
        Wait until components are ready, and say why one is not

        Usage: kubectl obs rollout status [OPTIONS] [COMPONENT]...

        Arguments:
          [COMPONENT]...  Components; all of the release when none is named

        Options:
              --timeout <DURATION>  How long to wait [default: 10m]
          -o, --output <FORMAT>     Print the result as json or yaml [possible values: json, yaml]
          -h, --help                Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_rollout_restart() {
        assert_snapshot!(help("rollout restart"), @"
        Replace the pods of components, and wait until the new ones are ready

        Usage: kubectl obs rollout restart [OPTIONS] [COMPONENT]...

        Arguments:
          [COMPONENT]...  Components; all of the release when none is named

        Options:
              --timeout <DURATION>  How long to wait [default: 10m]
          -o, --output <FORMAT>     Print the result as json or yaml [possible values: json, yaml]
          -h, --help                Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_rollout_history() {
        assert_snapshot!(help("rollout history"), @"
        List the revisions in which components changed, newest first

        Usage: kubectl obs rollout history [OPTIONS] [COMPONENT]...

        Arguments:
          [COMPONENT]...  Components; all of the release when none is named

        Options:
          -o, --output <FORMAT>  Print as json or yaml [possible values: json, yaml]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_list() {
        assert_snapshot!(help("list"), @"
        List releases

        Usage: kubectl obs list [OPTIONS]

        Options:
          -A, --all-namespaces   Releases of all namespaces
          -o, --output <FORMAT>  Print as json, yaml or names [possible values: json, yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_history() {
        assert_snapshot!(help("history"), @"
        List the revisions of a release, newest first

        Usage: kubectl obs history [OPTIONS]

        Options:
              --max <N>          Only the newest revisions; 0 means all [default: 0]
          -o, --output <FORMAT>  Print as json, yaml or names of the records' Secrets [possible values:
                                 json, yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get() {
        assert_snapshot!(help("get"), @"
        Print what is recorded of a revision: values, objects, notes

        Usage: kubectl obs get [OPTIONS] <COMMAND>

        Commands:
          values     Print the values that the user set, as YAML; secret ones are masked
          manifest   Print the objects as they were rendered; values of Secrets are masked
          notes      Print the notes of the bundle
          inventory  List the objects that belong to the revision
          all        Print all of it in one document; what is secret is masked
          help       Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get_values() {
        assert_snapshot!(help("get values"), @"
        Print the values that the user set, as YAML; secret ones are masked

        Usage: kubectl obs get values [OPTIONS]

        Options:
              --revision <N>     Revision to look at; the newest one if it is not given
              --show-secrets     Print secret values, too
          -o, --output <FORMAT>  Print as yaml or json [possible values: json, yaml]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get_manifest() {
        assert_snapshot!(help("get manifest"), @"
        Print the objects as they were rendered; values of Secrets are masked

        Usage: kubectl obs get manifest [OPTIONS]

        Options:
              --revision <N>     Revision to look at; the newest one if it is not given
              --show-secrets     Print the values of Secrets, too
          -o, --output <FORMAT>  Print as yaml, json (one object per line) or names [possible values: json,
                                 yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get_notes() {
        assert_snapshot!(help("get notes"), @"
        Print the notes of the bundle

        Usage: kubectl obs get notes [OPTIONS]

        Options:
              --revision <N>  Revision to look at; the newest one if it is not given
          -h, --help          Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get_inventory() {
        assert_snapshot!(help("get inventory"), @"
        List the objects that belong to the revision

        Usage: kubectl obs get inventory [OPTIONS]

        Options:
              --revision <N>     Revision to look at; the newest one if it is not given
          -o, --output <FORMAT>  Print as json or yaml [possible values: json, yaml]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_get_all() {
        assert_snapshot!(help("get all"), @"
        Print all of it in one document; what is secret is masked

        Usage: kubectl obs get all [OPTIONS]

        Options:
              --revision <N>     Revision to look at; the newest one if it is not given
              --show-secrets     Print secret values and the values of Secrets, too
          -o, --output <FORMAT>  Print as yaml (the default) or json [possible values: json, yaml]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_uninstall() {
        assert_snapshot!(help("uninstall"), @"
        Remove a release; volumes stay unless told otherwise

        Usage: kubectl obs uninstall [OPTIONS]

        Options:
              --delete-data              Remove volumes, generated secrets and namespaces that the plugin
                                         made, too: data is lost
              --delete-crds              Remove the release's CustomResourceDefinitions, too; refused while
                                         others use them
              --keep-history             Keep the records of the release
              --timeout <DURATION>       Longest time for the whole operation [default: 10m]
              --lock-timeout <DURATION>  How long to wait while somebody else works on the release [default:
                                         0s]
              --dry-run <HOW>            Show what would happen: client sends no changing request, server
                                         asks the API server too [possible values: client, server]
              --exit-code                With --dry-run: end with 1 when something would change, 6 on errors
          -o, --output <FORMAT>          Print the result as json, yaml or names [possible values: json,
                                         yaml, name]
              --events <FORMAT>          Report progress as one JSON object per line on standard output
                                         [possible values: json]
          -y, --yes                      Answer yes to every question
          -h, --help                     Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_template() {
        assert_snapshot!(help("template"), @"
        Print what would be applied, without a cluster

        Usage: kubectl obs template [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
              --kube-version <VERSION>  Kubernetes version to render for [default: 1.34.0]
              --show-secrets            Print the values of Secrets, too; masked otherwise
          -o, --output <FORMAT>         Print as yaml, json (one object per line) or names [possible values:
                                        json, yaml, name]
          -h, --help                    Print help (see more with '--help')

        Values:
          -f, --values <FILE>           YAML file with values, - for standard input; can be repeated, the
                                        last one wins
              --set <KEY=VALUE>         Set a value: key=value, a.b=c, list[0]=x, a={x,y}, a=null deletes
              --set-string <KEY=VALUE>  Set a value that is always a string
              --set-file <KEY=PATH>     Set a value from a file's content
              --set-literal <KEY=TEXT>  Set a value to exactly the text after the first =
              --set-json <KEY=JSON>     Set a value from JSON
              --profile <NAME>          Profile of the bundle (see bundle show)
        ");
    }

    #[test]
    fn of_version() {
        assert_snapshot!(help("version"), @"
        Print the versions of the plugin and the cluster

        Usage: kubectl obs version [OPTIONS]

        Options:
              --client           Only the plugin's version; no cluster is asked
          -o, --output <FORMAT>  Print as json or yaml [possible values: json, yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_port_forward() {
        assert_snapshot!(help("port-forward"), @"
        Reach the UIs of a release from this machine, for as long as it runs

        Usage: kubectl obs port-forward [OPTIONS] [COMPONENT]... [-- <COMMAND>...]

        Arguments:
          [COMPONENT]...  Components to reach; all that have a UI when none is named
          [COMMAND]...    Run this with PROMETHEUS_URL, GRAFANA_URL, … set, and end with its exit code

        Options:
              --port <COMPONENT=PORT>  Local port of a component: this one or none; can be repeated
              --address <IP>           Address to listen on; others than 127.0.0.1 let other machines in
                                       [default: 127.0.0.1]
              --print-urls             Print nothing but the URLs, one per line, once they work
          -o, --output <FORMAT>        Print where everything is as json or yaml, once it works [possible
                                       values: json, yaml]
              --open                   Open each UI in a browser
          -h, --help                   Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_open() {
        assert_snapshot!(help("open"), @"
        Open the UI of a component in a browser

        Usage: kubectl obs open [OPTIONS] <COMPONENT>

        Arguments:
          <COMPONENT>  The component

        Options:
              --port <COMPONENT=PORT>  Local port of a component: this one or none; can be repeated
              --address <IP>           Address to listen on; others than 127.0.0.1 let other machines in
                                       [default: 127.0.0.1]
              --print-urls             Print nothing but the URLs, one per line, once they work
          -o, --output <FORMAT>        Print where everything is as json or yaml, once it works [possible
                                       values: json, yaml]
          -h, --help                   Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_completion() {
        assert_snapshot!(help("completion"), @"
        Print the shell completion script

        Usage: kubectl obs completion [OPTIONS] <SHELL>

        Arguments:
          <SHELL>  The shell [possible values: bash, elvish, fish, powershell, zsh]

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle() {
        assert_snapshot!(help("bundle"), @"
        Look into bundles and package them

        Usage: kubectl obs bundle [OPTIONS] <COMMAND>

        Commands:
          show     Print what a bundle is: versions, components, profiles
          values   Print the commented default values
          images   Print the images that a bundle uses
          package  Make a bundle's archive, the same bytes every time
          lint     Check a bundle for mistakes
          help     Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle_show() {
        assert_snapshot!(help("bundle show"), @"
        Print what a bundle is: versions, components, profiles

        Usage: kubectl obs bundle show [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
          -o, --output <FORMAT>  Print as json or yaml [possible values: json, yaml, name]
          -h, --help             Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle_values() {
        assert_snapshot!(help("bundle values"), @"
        Print the commented default values

        Usage: kubectl obs bundle values [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle_images() {
        assert_snapshot!(help("bundle images"), @"
        Print the images that a bundle uses

        Usage: kubectl obs bundle images [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
              --all   Images of components that are off by default, too
          -h, --help  Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle_package() {
        assert_snapshot!(help("bundle package"), @"
        Make a bundle's archive, the same bytes every time

        Usage: kubectl obs bundle package [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
          -d, --destination <DIR>  Folder to write the archive to [default: .]
          -h, --help               Print help (see more with '--help')
        ");
    }

    #[test]
    fn of_bundle_lint() {
        assert_snapshot!(help("bundle lint"), @"
        Check a bundle for mistakes

        Usage: kubectl obs bundle lint [OPTIONS] [BUNDLE]

        Arguments:
          [BUNDLE]  The embedded stack or one of its components, a folder, a .tgz, or https://…#sha256:…
                    [default: stack]

        Options:
          -h, --help  Print help (see more with '--help')
        ");
    }
}

mod version {
    use super::*;

    #[test]
    fn of_the_client_needs_no_cluster() {
        assert_snapshot!(obs("version --client"), @"
        exit code: 0
        --- stdout
        kubectl-obs [version]
        --- stderr
        ");
    }

    #[test]
    fn as_json_is_one_document() {
        assert_snapshot!(obs("version --client -o json"), @r#"
        exit code: 0
        --- stdout
        {
          "apiVersion": "kubectl-obs.dev/v1",
          "kind": "Version",
          "client": "[version]",
          "server": null
        }
        --- stderr
        "#);
    }
}

/// Exit code 2: nothing was done, and the message says what to type instead.
mod mistakes {
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

    /// From a server that takes the connection and says nothing.
    #[test]
    fn a_download_ends_with_ctrl_c() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("an address");
        let url = format!("https://{address}/x.tgz#sha256:{}", "0".repeat(64));
        let home = Home::new();
        for (signal, code) in [(Running::interrupt as fn(&Running), 130), (Running::terminate, 143)] {
            let running = support::plugin::obs(home.path(), ["bundle", "show", &url]).start();
            // it asks: the signal is listened for
            let asked = server.accept().expect("a connection");
            signal(&running);
            let output = running.wait().ends(code);
            assert_eq!(output.stderr, "error: interrupted\n", "{output}");
            assert!(output.took < Duration::from_secs(5), "{output}");
            drop(asked);
        }
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
          hint: a bundle is an embedded bundle (kube-state-metrics, node-exporter, prometheus, stack), a folder with a bundle.yaml, a .tgz file, or https://…#sha256:<digest>
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
        home.write(
            "values.yaml",
            "prometheus:\n  replicas: 0\nscrape:\n  intervall: 30s\nnodeExporters: {}\n",
        );
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
          hint: possible: default, ha, minimal
        "#);
    }
}

/// Exit code 5: there is no cluster to talk to.
mod unreachable {
    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: dev
clusters: [{name: dev, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: dev, user: {token: not-a-real-one}}]
contexts: [{name: dev, context: {cluster: dev, user: dev}}]
";

    #[test]
    fn without_a_kubeconfig() {
        assert_snapshot!(obs("status"), @"
        exit code: 5
        --- stdout
        --- stderr
        error: no kubeconfig found: KUBECONFIG is not set and [home]/.kube/config does not exist
          hint: name one with --kubeconfig FILE; managed clusters write it for you: aws eks update-kubeconfig, gcloud container clusters get-credentials, az aks get-credentials
        ");
    }

    #[test]
    fn the_kubeconfig_that_is_named_is_not_there() {
        assert_snapshot!(obs("status --kubeconfig=config"), @"
        exit code: 2
        --- stdout
        --- stderr
        error: cannot read the kubeconfig config: no such file or directory
        ");
    }

    #[test]
    fn the_server_does_not_answer() {
        let home = Home::new();
        home.write("config", KUBECONFIG);
        assert_snapshot!(home.transcript("status --kubeconfig=config"), @r#"
        exit code: 5
        --- stdout
        --- stderr
        error: cannot reach the cluster "dev" at https://127.0.0.1:1: connection refused
          hint: the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?
        "#);
    }

    #[test]
    fn install_says_the_same() {
        let home = Home::new();
        home.write("config", KUBECONFIG);
        assert_snapshot!(home.transcript("install --yes --kubeconfig=config"), @r#"
        exit code: 5
        --- stdout
        --- stderr
        error: cannot reach the cluster "dev" at https://127.0.0.1:1: connection refused
          hint: the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?
        "#);
    }

    #[test]
    fn the_context_is_not_in_the_kubeconfig() {
        let home = Home::new();
        home.write("config", KUBECONFIG);
        assert_snapshot!(home.transcript("list --kubeconfig=config --context=prod"), @r#"
        exit code: 2
        --- stdout
        --- stderr
        error: the kubeconfig has no context "prod"
          hint: contexts: dev
        "#);
    }
}

mod bundle {
    use super::*;

    #[test]
    fn images_are_one_per_line() {
        assert_snapshot!(obs("bundle images"), @"
        exit code: 0
        --- stdout
        quay.io/prometheus/node-exporter:v1.12.1
        quay.io/prometheus/prometheus:v3.15.0
        registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0
        --- stderr
        ");
    }

    #[test]
    fn show_names_the_components() {
        let output = Home::new().run("bundle show").ok();
        for component in ["prometheus", "kube-state-metrics", "node-exporter"] {
            assert!(output.stdout.contains(component), "{component} is missing\n{output}");
        }
        assert_eq!(output.stderr, "");
    }

    #[test]
    fn the_values_that_are_printed_are_the_defaults() {
        let home = Home::new();
        let values = home.run("bundle values").ok().stdout;
        home.write("values.yaml", &values);
        let with_file = home.run("template -f values.yaml").ok().stdout;
        assert_eq!(with_file, home.run("template").ok().stdout);
    }

    #[test]
    fn a_package_is_the_same_bytes_every_time() {
        let home = Home::new();
        let mut archives = Vec::new();
        for folder in ["one", "two"] {
            fs::create_dir(home.path().join(folder)).expect("make a folder");
            home.run(&format!("bundle package --destination {folder}")).ok();
            archives.push(fs::read(home.path().join(folder).join("stack-1.0.0.tgz")).expect("the archive"));
        }
        assert!(archives[0] == archives[1], "two packages of one bundle differ");
    }

    #[test]
    fn a_packaged_bundle_renders_what_the_embedded_one_renders() {
        let home = Home::new();
        home.run("bundle package").ok();
        let packaged = home.run("template ./stack-1.0.0.tgz").ok();
        assert_eq!(packaged.stdout, home.run("template").ok().stdout);
    }

    #[test]
    fn the_embedded_bundles_have_no_lint() {
        for bundle in ["stack", "prometheus", "kube-state-metrics", "node-exporter"] {
            Home::new().run(&format!("bundle lint {bundle}")).ok();
        }
    }
}

/// What other programs rely on.
mod streams {
    use super::*;

    #[test]
    fn nothing_is_coloured_when_it_is_not_a_terminal() {
        for line in ["-h", "bundle show", "template", "status", "instal"] {
            let output = Home::new().run(line);
            assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), "{output}");
        }
    }

    #[test]
    fn colour_can_be_forced() {
        let output = Home::new().run("status --color=always").ends(5);
        assert!(output.stderr.contains('\u{1b}'), "{output}");
    }

    /// `kubectl obs template | head -1`
    #[test]
    fn a_reader_that_stops_reading_is_no_error() {
        let home = Home::new();
        let script =
            format!("{} template | head -n 1; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_kubectl-obs"));
        let output =
            support::process::Command::new("bash").args(["-c", &script]).env("HOME", home.path()).run().ok();
        assert_eq!((output.stdout.lines().last(), output.stderr.as_str()), (Some("0"), ""), "{output}");
    }

    #[test]
    fn templates_are_the_same_every_time() {
        let home = Home::new();
        assert_eq!(home.run("template").ok().stdout, home.run("template").ok().stdout);
    }
}

mod completion {
    use super::*;

    #[track_caller]
    fn complete(words: &[&str]) -> String {
        let home = Home::new();
        let output = support::plugin::complete(home.path(), words).run().ok();
        assert_eq!(output.stderr, "");
        output.stdout
    }

    #[test]
    fn of_verbs() {
        assert_snapshot!(complete(&["in"]), @"
        install	Install a bundle: the whole stack, or one of its parts
        :4
        ");
        assert_snapshot!(complete(&["bundle", "p"]), @"
        package	Make a bundle's archive, the same bytes every time
        :4
        ");
    }

    #[test]
    fn of_the_values_of_a_flag() {
        assert_snapshot!(complete(&["install", "--wait", ""]), @"
        none	Nothing: the objects are applied, that is all
        ready	All objects are ready
        healthy	All objects are ready and the bundle's health checks pass
        :4
        ");
    }

    #[test]
    fn of_nothing_that_exists() {
        assert_snapshot!(complete(&["zzz"]), @":4");
    }

    #[test]
    fn of_components_without_a_cluster() {
        assert_snapshot!(complete(&["open", "g"]), @":4");
        assert_snapshot!(complete(&["logs", "--context", "none", "-n", "x", ""]), @":4");
    }

    #[test]
    fn the_scripts_are_for_their_shells() {
        for (shell, word) in [
            ("bash", "complete"),
            ("zsh", "#compdef"),
            ("fish", "complete -c"),
            ("powershell", "Register-ArgumentCompleter"),
        ] {
            Home::new().run(&format!("completion {shell}")).ok().prints(word);
        }
    }
}

mod interrupts {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// A server that takes connections and never says a word.
    fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        (listener, address)
    }

    fn interrupted(line: &str) -> Output {
        let (listener, address) = silent();
        let home = Home::new();
        let line = format!("{line} --server http://{address}");
        let running = support::plugin::obs(home.path(), line.split_whitespace()).start();
        // it waits for its first answer as soon as it has connected
        let (connection, _) = listener.accept().expect("it connects");
        std::thread::sleep(Duration::from_millis(100));
        running.interrupt();
        let output = running.wait();
        drop(connection);
        output
    }

    #[test]
    fn ctrl_c_ends_at_once_what_only_reads() {
        for line in ["list", "status", "history", "get all", "version"] {
            let output = interrupted(line);
            assert_eq!((output.code, output.stderr.as_str()), (130, "error: interrupted\n"), "{output}");
            assert!(output.took < Duration::from_secs(10), "{output}");
        }
    }

    #[test]
    fn ctrl_c_ends_at_once_what_has_not_begun_to_change_anything() {
        for line in ["install --dry-run=client", "install", "uninstall -y"] {
            let output = interrupted(line);
            assert_eq!(output.code, 130, "{output}");
            assert!(output.took < Duration::from_secs(10), "{output}");
        }
    }
}
