//! What happens when the tool itself is broken: the terminal is put right and one line asks to
//! report it.

use std::panic::PanicHookInfo;

use super::gate;
use super::tty::leave_terminal;
use crate::escape;

/// Replaces Rust's panic message. The usual trace is kept for `RUST_BACKTRACE`.
/// Release builds abort after it (exit by SIGABRT), so nothing else gets a chance to tidy up.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        leave_terminal();
        gate::stderr(&format!("{}\n", report(info)));
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            gate::stderr(&format!("{}\n", std::backtrace::Backtrace::force_capture()));
        }
    }));
}

fn report(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
    line(what, &place)
}

fn line(what: &str, place: &str) -> String {
    format!(
        "error: kubectl-obs {} has a defect at {place}: {}; please report this line and the command (RUST_BACKTRACE=1 tells more)",
        env!("CARGO_PKG_VERSION"),
        escape::line(what.lines().next().unwrap_or_default())
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_report_is_one_line() {
        let line = super::line("index out of bounds\nleft: 1", "src/x.rs:12");
        assert_eq!(
            line,
            format!(
                "error: kubectl-obs {} has a defect at src/x.rs:12: index out of bounds; please report this line and the command (RUST_BACKTRACE=1 tells more)",
                env!("CARGO_PKG_VERSION")
            )
        );
    }
}
