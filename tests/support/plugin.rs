//! The binary under test, in an environment without anything of the person who runs the tests: an
//! empty home, no kubeconfig, no terminal, no colour, UTC.

use std::path::Path;

use super::process::Command;

/// `kubectl-obs ARGS`, at home in `home`.
pub fn obs<S: AsRef<str>>(home: &Path, args: impl IntoIterator<Item = S>) -> Command {
    Command::new(env!("CARGO_BIN_EXE_kubectl-obs"))
        .args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
        .env("HOME", home)
        .env("USER", "tester")
        .env("TZ", "UTC")
        // a debug build is many times slower than what people run
        .env("KUBECTL_OBS_RENDER_TIMEOUT", "30")
        .env("LC_ALL", "C.UTF-8")
        .directory(home)
}

/// What kubectl runs to complete a command line: the same binary by another name, with the words
/// typed after `obs`, the last of which is being completed.
pub fn complete<S: AsRef<str>>(home: &Path, words: impl IntoIterator<Item = S>) -> Command {
    let link = home.join("kubectl_complete-obs");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-obs"), &link).expect("make a link");
    }
    Command::new(link).args(words.into_iter().map(|word| word.as_ref().to_owned())).env("HOME", home)
}

/// The path of a file or folder in `tests/fixtures/`.
pub fn fixture(path: &str) -> String {
    format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))
}
