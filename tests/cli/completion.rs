//! Completion of verbs, flags and values.

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

/// A home with files, bundles and a kubeconfig; completes there.
fn at_home(words: &[&str]) -> String {
    let home = Home::new();
    for folder in ["charts/mine/profiles", "values"] {
        fs::create_dir_all(home.path().join(folder)).expect("make a folder");
    }
    home.write("charts/mine/bundle.yaml", "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: mine\nversion: 1.0.0\nappVersion: 1.0.0\ndescription: x\n");
    home.write("charts/mine/values.yaml", "a: 1\n");
    home.write("charts/mine/profiles/tiny.yaml", "a: 2\n");
    home.write("charts/mine-1.0.0.tgz", "");
    home.write("values/dev.yaml", "");
    home.write("values.yaml", "");
    home.write(
        "config",
        "{apiVersion: v1, kind: Config, contexts: [{name: dev}, {name: prod}], clusters: [{name: c1}], users: [{name: bob}]}",
    );
    let output = support::plugin::complete(home.path(), words).directory(home.path()).run().ok();
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn of_files_and_folders() {
    assert_eq!(at_home(&["install", "-f", "va"]), "values.yaml\nvalues/\n:6\n");
    assert_eq!(at_home(&["install", "-f", "values/"]), "values/dev.yaml\n:4\n");
    assert_eq!(at_home(&["upgrade", "--values", "values.y"]), "values.yaml\n:4\n");
    assert_eq!(at_home(&["status", "--kubeconfig", "conf"]), "config\n:4\n");
    assert_eq!(at_home(&["install", "--set-file", "a.b=values.y"]), "a.b=values.yaml\n:4\n");
    assert!(at_home(&["install", "-f", ""]).contains("charts/\n"));
}

#[test]
fn of_bundles() {
    let all = at_home(&["install", ""]);
    for name in ["stack\n", "prometheus\n", "charts/\n"] {
        assert!(all.contains(name), "{name} is missing in {all}");
    }
    assert!(!all.contains("values.yaml"), "no bundle: {all}");
    assert_eq!(at_home(&["template", "sta"]), "stack\n:4\n");
    assert_eq!(at_home(&["bundle", "lint", "charts/m"]), "charts/mine-1.0.0.tgz\ncharts/mine/\n:6\n");
}

#[test]
fn of_contexts_and_other_names_of_the_kubeconfig() {
    assert_eq!(at_home(&["status", "--kubeconfig", "config", "--context", ""]), "dev\nprod\n:4\n");
    assert_eq!(at_home(&["status", "--kubeconfig=config", "--context", "p"]), "prod\n:4\n");
    assert_eq!(at_home(&["--kubeconfig=config", "list", "--user", ""]), "bob\n:4\n");
    assert_eq!(at_home(&["status", "--kubeconfig=config", "--cluster", "c"]), "c1\n:4\n");
    assert_eq!(at_home(&["status", "--context", ""]), ":4\n", "there is no kubeconfig");
}

#[test]
fn of_profiles() {
    assert_eq!(at_home(&["install", "charts/mine", "--profile", ""]), "tiny\n:4\n");
    let ours = at_home(&["install", "--profile", ""]);
    assert!(ours.lines().count() > 1, "the embedded stack has profiles: {ours}");
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
