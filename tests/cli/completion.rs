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
