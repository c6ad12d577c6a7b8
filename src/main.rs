//! The binary: kubectl's plugin `obs`, and under the name `kubectl_complete-obs` its completer.
//! Parses, runs, and turns an error into text on stderr and an exit code.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use kubectl_obs::cli::{Cli, Command};
use kubectl_obs::ops::{Cancel, signalled};
use kubectl_obs::{Error, commands, escape, ui, url};

#[global_allocator]
static ALLOCATOR: kubectl_obs::alloc::Allocator = kubectl_obs::alloc::Allocator;

fn main() -> ExitCode {
    ui::install_panic_hook();
    let args: Vec<OsString> = std::env::args_os().collect();
    let own = args.first().cloned().unwrap_or_default();
    if Path::new(&own).file_name().is_some_and(|name| name.to_string_lossy().starts_with("kubectl_complete-"))
    {
        return complete(args.into_iter().skip(1).collect());
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // help goes to stdout with 0, mistakes to stderr with 2
            let shown =
                args.iter().map(|arg| escape::line(&url::argument(&arg.to_string_lossy())).into_owned());
            match Cli::try_parse_from(shown) {
                Err(again) => ui::usage(&again, true),
                Ok(_) => ui::usage(&error, false),
            }
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    if matches!(cli.command, Command::Render) {
        return kubectl_obs::ops::sandbox::serve().into();
    }
    let ui = ui::Ui::new(cli.ui_options());
    match run(cli, &ui) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(cli: Cli, ui: &ui::Ui) -> Result<commands::Outcome, Error> {
    // two providers can be linked in; name ours before the first connection
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("the runtime cannot be started: {error}")))?;
    let result = runtime.block_on(async {
        let cancel = Cancel::default();
        listen(&cancel)?;
        stop_in_good_order()?;
        commands::run(cli, ui, cancel).await
    });
    // requests that hang must not keep the process
    runtime.shutdown_background();
    result
}

/// The first Ctrl-C or SIGTERM ends the operation in good order, a second one at once.
fn listen(cancel: &Cancel) -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Error::failed(format!("signals cannot be received: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let cancel = cancel.clone();
    tokio::spawn(async move {
        let mut seen = false;
        loop {
            let terminated = tokio::select! {
                _ = interrupt.recv() => false,
                _ = terminate.recv() => true,
            };
            if seen {
                ui::leave_terminal();
                #[expect(clippy::disallowed_methods, reason = "main waits for what does not end")]
                std::process::exit(if terminated { 143 } else { 130 });
            }
            seen = true;
            signalled(terminated);
            cancel.cancel(terminated);
        }
    });
    Ok(())
}

/// Ctrl-Z: the terminal is in order before the process stops.
fn stop_in_good_order() -> Result<(), Error> {
    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::{SignalKind, signal};
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))
        .map_err(|error| Error::failed(format!("signals cannot be received: {error}")))?;
    tokio::spawn(async move {
        while stop.recv().await.is_some() {
            if ui::may_stop() {
                ui::lend_terminal(|| {
                    let _ = kill_process(getpid(), Signal::STOP);
                });
            }
        }
    });
    Ok(())
}

/// Completion never disturbs the shell: an error is kubectl's error directive.
fn complete(words: Vec<OsString>) -> ExitCode {
    let answer = commands::completion::candidates(words).unwrap_or_else(|_| ":1\n".to_owned());
    ui::answer(&answer);
    ExitCode::SUCCESS
}
