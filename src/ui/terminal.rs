//! What kind of terminal is this, and what follows from it: decided once, from flags, environment
//! and streams. The decisions are pure; [`Environment::detect`] is the only reader of the world.

use std::io::IsTerminal;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// On a terminal that can, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also into pipes.
    Always,
    /// Not at all.
    Never,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressStyle {
    /// Lines that redraw on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Sentences.
    Plain,
    /// None.
    None,
}

/// What the person asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `--color`
    pub colour: Colour,
    /// `--progress`
    pub progress: ProgressStyle,
    /// `--events=json`: NDJSON on stdout instead of progress.
    pub events_json: bool,
    /// `-o json|yaml|name`: stdout is for a machine, and stderr keeps to warnings and errors.
    pub machine_output: bool,
    /// `-y`
    pub yes: bool,
}

/// What the process finds around itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Can questions be answered?
    pub stdin_tty: bool,
    /// Is stdout a terminal?
    pub stdout_tty: bool,
    /// Is stderr a terminal?
    pub stderr_tty: bool,
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not 0 (bixense.com/clicolors).
    pub force_color: bool,
    /// `TERM=dumb`, no TERM at all, or a Windows console that knows no escape sequences.
    pub dumb: bool,
    /// `CI` is set: nobody looks, nobody answers.
    pub ci: bool,
}

impl Environment {
    /// Looks at streams and variables.
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is = |name: &str, word: &str| std::env::var_os(name).is_some_and(|value| value == word);
        Self {
            stdin_tty: std::io::stdin().is_terminal(),
            stdout_tty: std::io::stdout().is_terminal(),
            stderr_tty: std::io::stderr().is_terminal(),
            no_color: set("NO_COLOR"),
            force_color: set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0"),
            dumb: is("TERM", "dumb")
                || cfg!(unix) && !set("TERM")
                // Asking also turns them on.
                || cfg!(windows) && !console::Term::stderr().features().colors_supported(),
            ci: set("CI") && !is("CI", "false"),
        }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lines that redraw.
    Bars,
    /// The same lines, each once.
    Plain,
    /// Sentences, for those who listen: no columns, no marks, nothing twice.
    Sentences,
    /// One JSON object per line on stdout.
    Ndjson,
    /// Nothing.
    Quiet,
}

/// How progress is shown.
pub fn mode(options: &Options, env: &Environment) -> Mode {
    if options.events_json {
        return Mode::Ndjson;
    }
    if options.machine_output || options.progress == ProgressStyle::None {
        return Mode::Quiet;
    }
    if options.progress == ProgressStyle::Plain {
        return Mode::Sentences;
    }
    if !env.stderr_tty || env.dumb || env.ci {
        return Mode::Plain;
    }
    Mode::Bars
}

/// Is colour written to a stream? The flag wins, then `NO_COLOR`, then `CLICOLOR_FORCE`.
pub fn colour(options: &Options, env: &Environment, stream_tty: bool) -> bool {
    match options.colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if env.no_color => false,
        Colour::Auto => env.force_color || stream_tty && !env.dumb,
    }
}

/// Can a question be asked and answered?
pub fn can_ask(env: &Environment) -> bool {
    env.stdin_tty && env.stderr_tty && !env.dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTY: Environment = Environment {
        stdin_tty: true,
        stdout_tty: true,
        stderr_tty: true,
        no_color: false,
        force_color: false,
        dumb: false,
        ci: false,
    };

    #[test]
    fn progress_redraws_only_where_a_person_looks() {
        let auto = Options::default();
        assert_eq!(mode(&auto, &TTY), Mode::Bars);
        assert_eq!(mode(&auto, &Environment { stderr_tty: false, ..TTY }), Mode::Plain);
        assert_eq!(mode(&auto, &Environment { dumb: true, ..TTY }), Mode::Plain);
        assert_eq!(mode(&auto, &Environment { ci: true, ..TTY }), Mode::Plain);
        // `kubectl obs install | tee log` still has a person before stderr.
        assert_eq!(mode(&auto, &Environment { stdout_tty: false, ..TTY }), Mode::Bars);
        let plain = Options { progress: ProgressStyle::Plain, ..auto };
        assert_eq!(mode(&plain, &TTY), Mode::Sentences);
        assert_eq!(mode(&plain, &Environment { ci: true, ..TTY }), Mode::Sentences);
        assert_eq!(mode(&Options { machine_output: true, ..auto }, &TTY), Mode::Quiet);
        assert_eq!(mode(&Options { events_json: true, machine_output: true, ..auto }, &TTY), Mode::Ndjson);
    }

    #[test]
    fn colour_follows_flag_then_no_color_then_force_then_terminal() {
        let auto = Options::default();
        let pipe = Environment { stdout_tty: false, ..TTY };
        assert!(colour(&auto, &TTY, true));
        assert!(!colour(&auto, &pipe, false));
        assert!(!colour(&auto, &Environment { no_color: true, force_color: true, ..TTY }, true));
        assert!(colour(&auto, &Environment { force_color: true, ..pipe.clone() }, false));
        assert!(!colour(&auto, &Environment { dumb: true, ..TTY }, true));
        assert!(colour(
            &Options { colour: Colour::Always, ..auto },
            &Environment { no_color: true, ..pipe },
            false
        ));
        assert!(!colour(&Options { colour: Colour::Never, ..auto }, &TTY, true));
    }

    #[test]
    fn questions_need_someone_who_reads_and_types() {
        assert!(can_ask(&TTY));
        assert!(!can_ask(&Environment { stdin_tty: false, ..TTY.clone() }));
        assert!(!can_ask(&Environment { stderr_tty: false, ..TTY }));
    }
}
