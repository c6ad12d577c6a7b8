//! All that reaches a person or a pipe. stdout is data, stderr is talk. One [`Ui`] is made at the
//! start of the process; it decides once, from flags, environment and streams, about colour,
//! progress and questions.
//!
//! Operations know only the [`Progress`] that they report to.

mod board;
mod commands;
mod crash;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod drawn;
mod failure;
mod gate;
mod jobs;
mod json;
mod lines;
mod live;
mod paint;
mod plain;
mod progress;
mod prompt;
mod screen;
mod sentences;
mod terminal;
pub mod text;
mod tty;
mod watch;

pub use crash::install_panic_hook;
pub use jobs::may_stop;
pub use json::Ndjson;
pub use live::{Live, LiveRow};
pub use paint::Paint;
pub use plain::Plain;
pub use progress::Bars;
pub use terminal::{Colour, Environment, Mode, Options, ProgressStyle};
pub use tty::{leave_terminal, lend_terminal, restore_terminal};
pub use watch::Progress;

pub use crate::readiness::spans::{age, duration, rough};

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::diff::{Line, LineKind};
use crate::event::{Event, Observer};
use crate::{Error, escape};
use watch::Sink;

/// The printer: what reaches stdout and stderr, and how.
pub struct Ui {
    options: Options,
    env: Environment,
    mode: Mode,
    stdout: Paint,
    stderr: Paint,
    /// Did an operation say that it began? Then its error is the end of a story.
    began: Arc<AtomicBool>,
    /// The progress on the screen: lines printed meanwhile go above it.
    shown: Mutex<Weak<Sink>>,
}

impl Ui {
    /// Decides from what the person asked for and what the process finds around itself.
    pub fn new(options: Options) -> Self {
        Self::with(options, Environment::detect())
    }

    /// The same with a known environment, for tests.
    pub fn with(options: Options, env: Environment) -> Self {
        let colour = |tty: bool| Paint { colour: terminal::colour(&options, &env, tty) };
        Self {
            mode: terminal::mode(&options, &env),
            // A document for a machine is never painted.
            stdout: if options.machine_output { Paint::NONE } else { colour(env.stdout_tty) },
            stderr: colour(env.stderr_tty),
            options,
            env,
            began: Arc::default(),
            shown: Mutex::default(),
        }
    }

    /// How progress is shown.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Colours for text that goes to [`Ui::data`].
    pub fn paint(&self) -> Paint {
        self.stdout
    }

    /// Columns of the terminal behind stdout; None where there is none.
    pub fn columns(&self) -> Option<usize> {
        self.env.stdout_tty.then(|| usize::from(console::Term::stdout().size().1))
    }

    /// The observer for one operation. Drop it before printing the outcome.
    pub fn progress(&self) -> Progress {
        let sink = Arc::new(Sink::new(self.mode, self.stderr.colour));
        *self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::downgrade(&sink);
        Progress::new(sink, Arc::clone(&self.began))
    }

    /// Rows that change for as long as the process runs. Print nothing else meanwhile.
    pub fn live(&self) -> Live {
        Live::new(self.mode)
    }

    /// Data, to stdout; a line break is added where there is none. When the reader has gone
    /// (`| head`) the process ends with 0, as the reader has all it wanted: call it when the
    /// operation is over.
    pub fn data(&self, text: &str) {
        let whole = match text.ends_with('\n') || text.is_empty() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(format!("{text}\n")),
        };
        if gate::stdout(&whole).is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            restore_terminal();
            #[expect(clippy::disallowed_methods, reason = "nothing is under way, and nobody reads")]
            std::process::exit(0);
        }
    }

    /// Lines of data, each of which is one whatever it says.
    pub fn lines<L: AsRef<str>>(&self, lines: impl IntoIterator<Item = L>) {
        let mut out = String::new();
        for line in lines {
            out.push_str(&escape::line(line.as_ref()));
            out.push('\n');
        }
        self.data(&out);
    }

    /// A JSON document, to stdout.
    pub fn json(&self, document: &serde_json::Value) {
        self.data(&escape::document(&format!("{document:#}")));
    }

    /// A YAML document, to stdout.
    pub fn yaml(&self, document: &serde_json::Value) {
        self.data(&crate::yaml::to_string(document));
    }

    /// Why something is not as it should be, to stdout, after an empty line. `stays`: it does not go
    /// away by itself.
    pub fn cause(&self, error: &Error, stays: bool) {
        let lead = if stays { failure::Lead::Mark } else { failure::Lead::Warning };
        self.data(&format!("\n{}", failure::render(error, lead, self.columns(), self.stdout)));
    }

    /// A table, to stdout, cut at the edge of a terminal: its last column stands in full below it, or in
    /// `-o json`.
    pub fn outline(&self, headers: &[&str], rows: &[Vec<String>]) {
        self.data(&text::outline(&text::table(headers, rows), self.columns()));
    }

    /// A table, to stdout: kubectl's columns.
    pub fn table(&self, headers: &[&str], rows: &[Vec<String>]) {
        self.data(&text::table(headers, rows));
    }

    /// Differences, to stdout, with added and removed lines in colour.
    pub fn diff(&self, lines: &[Line]) {
        self.data(&painted(lines, self.stdout));
    }

    /// The same as talk, before a question: to stderr.
    pub fn diff_note(&self, lines: &[Line]) {
        self.say(painted(lines, self.stderr).trim_end());
    }

    /// A line of talk, to stderr. Nothing where stdout is a document for a machine.
    pub fn note(&self, line: &str) {
        self.say(&escape::line(line));
    }

    /// The same for text of several lines.
    fn say(&self, text: &str) {
        if matches!(self.mode, Mode::Bars | Mode::Plain | Mode::Sentences)
            || !self.options.machine_output && !self.options.events_json
        {
            self.talk(text);
        }
    }

    /// `! …`, to stderr, also where stdout is for a machine. As sentences: `warning: …`.
    pub fn warn(&self, text: &str) {
        if self.mode == Mode::Ndjson {
            Ndjson::stdout().event(Event::Warning { message: text.to_owned() });
        }
        let text = &escape::line(text);
        self.talk(&match self.mode {
            Mode::Sentences => sentences::warning(text),
            _ => lines::warning(text, self.stderr_columns(), self.stderr),
        });
    }

    /// The error that the process ends with: `✘ …` after an operation that was seen to begin,
    /// `error: …` otherwise and as a sentence, to stderr. With `--events=json` also as the last event.
    pub fn error(&self, error: &Error) {
        if self.mode == Mode::Ndjson {
            Ndjson::stdout().event(Event::Failed {
                message: error.message().to_owned(),
                details: error.details().to_vec(),
                hints: error.hints().to_vec(),
                exit_code: error.exit().code(),
            });
        }
        let marked = self.began.load(Ordering::Relaxed) && self.mode != Mode::Sentences;
        let lead = if marked { failure::Lead::Mark } else { failure::Lead::Word };
        self.talk(failure::render(error, lead, self.stderr_columns(), self.stderr).trim_end());
    }

    fn stderr_columns(&self) -> Option<usize> {
        self.env.stderr_tty.then(|| usize::from(console::Term::stderr().size().1))
    }

    /// A line to stderr, above the progress if there is one.
    fn talk(&self, text: &str) {
        let shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).upgrade();
        match shown.as_deref() {
            Some(Sink::Bars(bars)) => bars.line(text),
            Some(Sink::Plain(plain)) => plain.line(text),
            _ => {
                gate::stderr(&format!("{text}\n"));
            }
        }
    }
}

/// What clap says: help to stdout, mistakes to stderr. `coloured`: it quotes no argument but in a form
/// that can be shown, so that all colours in it are its own.
pub fn usage(error: &clap::Error, coloured: bool) {
    let env = Environment::detect();
    let tty = if error.use_stderr() { env.stderr_tty } else { env.stdout_tty };
    let text = error.render();
    let text = match coloured && terminal::colour(&Options::default(), &env, tty) {
        true => Paint { colour: true }.theirs(&text.ansi().to_string()),
        false => text.to_string(),
    };
    if error.use_stderr() {
        gate::stderr(&text);
    } else {
        answer(&text);
    }
}

/// What another program says while it runs for us, piece by piece, to stderr.
pub fn relay(text: &str) {
    gate::stderr(text);
}

/// What is answered before there is a [`Ui`], to stdout. A reader that has gone is no error.
pub fn answer(text: &str) {
    let _ = gate::stdout(text);
}

fn painted(lines: &[Line], paint: Paint) -> String {
    let mut out = String::new();
    for Line { kind, text } in lines {
        let text = escape::line(text);
        out.push_str(&match kind {
            LineKind::Added => paint.good(&text),
            LineKind::Removed => paint.bad(&text),
            LineKind::Conflict => paint.warning(&text),
            LineKind::Object => paint.bold(&text),
            LineKind::Context => paint.dim(&text),
            LineKind::Plain => text.into_owned(),
        });
        out.push('\n');
    }
    out
}
