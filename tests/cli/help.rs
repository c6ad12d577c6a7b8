//! What `--help` says, verb by verb.

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
      install         Install a bundle: the whole stack, or one of its parts
      upgrade         Change a release: another version, other values
      rollback        Return to an earlier revision; volumes and passwords stay
      diff            Show what an upgrade or a rollback would change
      drift           Show what somebody else changed in the objects of a release
      status          Show each component of a release, and why it is not ready
      doctor          Find what keeps metrics and alerts from arriving, and say what to do
      explain         Follow metrics, logs or an alert link by link to where the way ends, and say why
      support-bundle  Pack what somebody else needs to see what is wrong, without anything secret
      alerts          Show which alerts fire, since when, and who was told; silence them, test receivers
      apps            Show how the watched applications do, and what serves metrics and is not watched
      port-forward    Reach the UIs of a release from this machine, for as long as it runs
      open            Open the UI of a component in a browser
      dashboards      List the dashboards that come with a release; write them to files
      password        Print or change the password of a UI
      logs            Print the logs of components, merged; -f survives restarts
      search          Find lines in the stored logs of all pods; -f goes on with what comes
      rollout         Wait for components, restart them, show when they changed, undo a change
      list            List releases [alias: ls]
      history         List the revisions of a release, newest first
      get             Print what is recorded of a revision: values, objects, notes
      uninstall       Remove a release; volumes stay unless told otherwise
      template        Print what would be applied, without a cluster
      bundle          Look into bundles and package them
      completion      Print the shell completion script
      version         Print the versions of the plugin and the cluster
      help            Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help (see more with '--help')

    Global options:
      -n, --namespace <NAMESPACE>  Namespace of the release
          --release <NAME>         Name of the release
          --kubeconfig <FILE>      Path of the kubeconfig file
          --context <NAME>         Kubeconfig context to use

    Exit codes: 0 ok, 1 failed, 2 usage, 3/4 doctor found something, 5 cluster unreachable,
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
          --force-conflicts               Take back what people changed or added in the release's
                                          objects with kubectl or Helm
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
fn of_search() {
    assert_snapshot!(help("search"), @"
    Find lines in the stored logs of all pods; -f goes on with what comes

    Usage: kubectl obs search [OPTIONS] [QUERY]...

    Arguments:
      [QUERY]...  What to look for; all lines when absent. Several arguments are one query

    Options:
          --in <NAMESPACE>         Lines of pods in this namespace; * stands for anything
          --pod <POD>              Lines of this pod; * stands for anything
          --container <CONTAINER>  Lines of this container; * stands for anything
          --app <APP>              Lines of this application; * stands for anything
          --since <TIME>           From when on: 30m, 3d, or 2026-11-21T17:00:00Z; 1h when absent
          --until <TIME>           Until when, written the same way; now when absent
          --limit <N>              How many lines at most, the newest; 200 when absent, 10 with -f
      -f, --follow                 Go on with what comes, until Ctrl-C; the oldest line is then the
                                   first
          --store <STORE>          The store to ask, where there are several
          --logql <QUERY>          A query in Loki's own language
          --lucene <QUERY>         A query in Lucene's syntax, for OpenSearch and Elasticsearch
          --show-query             Print the query in the store's language and where it would go; the
                                   store is not asked
      -o, --output <FORMAT>        Print as json: one document, or with -f one for each line [possible
                                   values: json]
      -h, --help                   Print help (see more with '--help')
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

#[test]
fn of_alerts() {
    assert_snapshot!(help("alerts"), @"
    Show which alerts fire, since when, and who was told; silence them, test receivers

    Usage: kubectl obs alerts [OPTIONS]
           kubectl obs alerts <COMMAND>

    Commands:
      silence    Mute alerts for a time; says which it mutes now, and which incidents will stay open
      unsilence  End silences
      silences   List the silences that are not over
      test       Send a test message through the real routing, and say what each receiver answered
      help       Print this message or the help of the given subcommand(s)

    Options:
      -o, --output <FORMAT>  Print as json, yaml or names [possible values: json, yaml, name]
      -h, --help             Print help (see more with '--help')
    ");
    assert_snapshot!(help("alerts silence"), @r#"
    Mute alerts for a time; says which it mutes now, and which incidents will stay open

    Usage: kubectl obs alerts silence [OPTIONS] <MATCHER>...

    Arguments:
      <MATCHER>...  The name of an alert, or label=value, label!=value, label=~"regex", label!~"regex"

    Options:
          --for <DURATION>   For how long, from now on [default: 2h]
          --comment <TEXT>   Why, for others who wonder [default: "silenced with kubectl obs"]
      -o, --output <FORMAT>  Print the silence as json or yaml [possible values: json, yaml]
      -h, --help             Print help (see more with '--help')
    "#);
    assert_snapshot!(help("alerts unsilence"), @"
    End silences

    Usage: kubectl obs alerts unsilence [OPTIONS] [ID]...

    Arguments:
      [ID]...  Ids, or beginnings of them

    Options:
          --all              End all silences, whoever made them
      -o, --output <FORMAT>  Print those that were ended as json, yaml or names [possible values: json,
                             yaml, name]
      -h, --help             Print help (see more with '--help')
    ");
    assert_snapshot!(help("alerts test"), @"
    Send a test message through the real routing, and say what each receiver answered

    Usage: kubectl obs alerts test [OPTIONS] [RECEIVER]

    Arguments:
      [RECEIVER]  The receiver; all that tell somebody when absent

    Options:
          --timeout <DURATION>  How long to wait for answers [default: what the routes take, and 20s]
      -o, --output <FORMAT>     Print the answers as json or yaml [possible values: json, yaml]
      -h, --help                Print help (see more with '--help')
    ");
}

#[test]
fn of_apps() {
    assert_snapshot!(help("apps"), @"
    Show how the watched applications do, and what serves metrics and is not watched

    Usage: kubectl obs apps [OPTIONS]
           kubectl obs apps <COMMAND>

    Commands:
      suggest  Print values that watch what serves metrics and is not scraped
      help     Print this message or the help of the given subcommand(s)

    Options:
      -o, --output <FORMAT>  Print as json, yaml or names [possible values: json, yaml, name]
      -h, --help             Print help (see more with '--help')
    ");
}
