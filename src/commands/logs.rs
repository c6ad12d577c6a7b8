//! `kubectl obs logs`

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::{App, Outcome};
use crate::cli::{Logs, Tail};
use crate::error::{Error, Exit, Result};
use crate::escape;
use crate::event::Silent;
use crate::ops::logs::{self, Line, Options, Reader, Source};
use crate::ops::parse_duration;
use crate::ui::{Paint, Ui};

/// Longer than anybody looks at a log.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);
/// Lines of each container where nothing is said, without and with -f.
const LINES: (u32, u32) = (100, 10);

/// Prints the merged logs of components.
pub async fn run(app: &App<'_>, args: Logs) -> Result<Outcome> {
    let since = args.since.as_deref().map(parse_duration).transpose()?;
    let grep = args.grep.as_deref().map(pattern).transpose()?;
    let options = Options {
        tail: match args.tail {
            Some(Tail::All) => None,
            Some(Tail::Lines(lines)) => Some(lines),
            None if since.is_some() => None,
            None => Some(if args.follow { LINES.1 } else { LINES.0 }),
        },
        components: args.components,
        follow: args.follow,
        previous: args.previous,
        since: since.map(|since| since.as_secs()),
    };
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, FOR_EVER);
    let mut printer = Printer {
        ui: app.ui,
        paint: app.ui.paint(),
        grep,
        timestamps: args.timestamps,
        prefixes: BTreeMap::new(),
    };
    match app.cancel.or(logs::logs(&ctx, &options, &mut printer)).await {
        Ok(()) => Ok(Outcome::Fine),
        // how a person ends it: no news to them
        Err(error) if matches!(error.exit(), Exit::Interrupted | Exit::Terminated) => {
            Ok(Outcome::As(error.exit().code()))
        }
        Err(error) => Err(error),
    }
}

fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::usage(format!("--grep \"{text}\" is not a regular expression: {why}"))
            .hint("a backslash before . * + ? ( ) [ ] { } | makes it an ordinary character")
    })
}

struct Printer<'a> {
    ui: &'a Ui,
    paint: Paint,
    grep: Option<Regex>,
    timestamps: bool,
    /// Of each pod and container: its number, for the colour, and its prefix.
    prefixes: BTreeMap<(String, String), (usize, String)>,
}

impl Printer<'_> {
    /// `prometheus/0 reloader │ `; nothing as long as there is one container.
    fn prefix(&self, source: &Source, width: usize) -> String {
        if self.prefixes.len() < 2 {
            return String::new();
        }
        let Some((number, name)) = self.prefixes.get(&key(source)) else { return String::new() };
        self.paint.lane(*number, &format!("{name:width$} │ "))
    }
}

fn key(source: &Source) -> (String, String) {
    (format!("{}/{}", source.namespace, source.pod), source.container.clone())
}

impl Reader for Printer<'_> {
    fn joins(&mut self, source: &Source) {
        let number = self.prefixes.len();
        let Source { component, short, container, single, .. } = source;
        let name =
            if *single { format!("{component}/{short}") } else { format!("{component}/{short} {container}") };
        self.prefixes.entry(key(source)).or_insert((number, name));
    }

    fn lines(&mut self, lines: &[Line]) {
        // in a pipe, what follows the prefix is what counts
        let width = match self.ui.columns() {
            Some(_) => self.prefixes.values().map(|(_, name)| name.len()).max().unwrap_or_default(),
            None => 0,
        };
        let mut out = String::new();
        for line in lines {
            if self.grep.as_ref().is_some_and(|grep| !grep.is_match(&line.text)) {
                continue;
            }
            out.push_str(&self.prefix(&line.source, width));
            if let (true, Some(time)) = (self.timestamps, line.time) {
                out.push_str(&format!("{time:.9} "));
            }
            // \r: the end of a line as Windows knows it
            out.push_str(&escape::line(&self.paint.theirs(line.text.trim_end_matches('\r'))));
            out.push('\n');
        }
        if !out.is_empty() {
            self.ui.data(&out);
        }
    }

    fn note(&mut self, text: &str) {
        self.ui.note(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_pattern_is_explained() {
        let error = pattern("a(b").unwrap_err();
        assert_eq!(error.message(), "--grep \"a(b\" is not a regular expression: unclosed group");
        assert!(pattern("a(b)?").unwrap().is_match("xa"));
    }
}
