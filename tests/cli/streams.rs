//! What other programs rely on.

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
