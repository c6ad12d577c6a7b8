//! `kubectl obs search`

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{App, Outcome, document};
use crate::cli::{Output, Search};
use crate::error::{Error, Exit, Result};
use crate::escape;
use crate::event::Silent;
use crate::ops::parse_duration;
use crate::ops::search::{self, Found, Options, Reader, Sent, Wanted};
use crate::search::answer::Line;
use crate::search::follow::New;
use crate::search::span::Span;
use crate::search::{Language, MOST, Pattern, Query, Term, Test, parse, shown};
use crate::ui::{Paint, Ui};
use crate::words::count;

/// Longer than anybody follows, and longer than anybody waits.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(365 * 86_400), Duration::from_secs(600));
/// How many lines where nothing is said, without and with -f.
const LINES: (usize, usize) = (200, 10);
/// From when on where nothing is said.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Bars of a histogram: never more than so many, and a document has the most.
const BARS: (usize, usize) = (40, 60);
/// Columns that stand around the bars.
const AROUND: usize = 60;

/// Finds lines.
pub async fn run(app: &App<'_>, args: Search) -> Result<Outcome> {
    let wanted = wanted(&args)?;
    let now = Timestamp::now();
    let until = args.until.as_deref().map(|text| moment(text, now)).transpose()?.unwrap_or(now);
    let from = match args.since.as_deref() {
        Some(text) => moment(text, now)?,
        None => until - HOUR,
    };
    if from >= until {
        return Err(Error::usage("--since is not before --until")
            .hint("--since 2h --until 1h is the hour in between"));
    }
    let steps = match (args.output, app.ui.columns()) {
        (Some(_), _) => BARS.1,
        (None, Some(columns)) => columns.saturating_sub(AROUND).clamp(10, BARS.0),
        (None, None) => 0,
    };
    let options = Options {
        wanted,
        store: args.store.clone(),
        span: Span { from, until },
        limit: args.limit.unwrap_or(if args.follow && args.since.is_none() { LINES.1 } else { LINES.0 }),
        steps,
    };
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let patience = if args.follow { PATIENCE.0 } else { PATIENCE.1 };
    let ctx = app.context(&cluster, &namespace, &release, &Silent, patience);
    if args.show_query {
        let sent = app.cancel.or(search::sent(&ctx, &options)).await?;
        match args.output {
            Some(_) => app.document("LogQuery", &sent, Output::Json)?,
            None => {
                app.ui.note(&format!("for {} at {}", sent.store, sent.url));
                app.ui.lines([&sent.query]);
            }
        }
        return Ok(Outcome::Fine);
    }
    let json = args.output.is_some();
    let mut printer = Printer { ui: app.ui, paint: app.ui.paint(), json, day: day(now) };
    if !args.follow {
        let found = app.cancel.or(search::search(&ctx, &options)).await?;
        printer.found(&found)?;
        return Ok(Outcome::Fine);
    }
    match app.cancel.or(search::follow(&ctx, &options, &mut printer)).await {
        Ok(()) => Ok(Outcome::Fine),
        // how a person ends it: no news to them
        Err(error) if matches!(error.exit(), Exit::Interrupted | Exit::Terminated) => {
            Ok(Outcome::As(error.exit().code()))
        }
        Err(error) => Err(error),
    }
}

fn wanted(args: &Search) -> Result<Wanted> {
    if let Some(query) = &args.logql {
        return Ok(Wanted::Raw(Language::LogQl, query.clone()));
    }
    if let Some(query) = &args.lucene {
        return Ok(Wanted::Raw(Language::Lucene, query.clone()));
    }
    let typed = parse(&args.query.join(" ")).map_err(|bad| Error::usage(bad.why).hint(bad.hint))?;
    let flags =
        [("namespace", &args.within), ("pod", &args.pod), ("container", &args.container), ("app", &args.app)];
    let flags = flags.into_iter().filter_map(|(key, value)| {
        let test = Test::Is(Pattern::wild(value.as_deref()?));
        Some(Term::Field { key: key.to_owned(), test, wanted: true })
    });
    Ok(Wanted::Query(Query { terms: flags.chain(typed.terms).collect() }))
}

/// `2h` ago, `3d` ago, or a time.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago = match text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        Some(days) if days <= 3_650 => SignedDuration::from_hours(i64::from(days) * 24),
        _ => {
            let ago = parse_duration(text).map_err(|_| {
                Error::usage(format!("\"{text}\" is not a time"))
                    .hint("write it as 30m, 2h, 3d or 2026-11-21T17:00:00Z")
            })?;
            SignedDuration::try_from(ago).unwrap_or(HOUR)
        }
    };
    Ok(now - ago)
}

fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

struct Printer<'a> {
    ui: &'a Ui,
    paint: Paint,
    json: bool,
    /// Today: times of other days are shown with theirs.
    day: String,
}

impl Printer<'_> {
    fn found(&self, found: &Found) -> Result<()> {
        if self.json {
            self.ui.json(&document("LogLines", found)?);
        } else {
            self.ui.note(&self.head(found));
            if self.ui.columns().is_some() {
                self.ui.note("");
            }
            let text: String = found.lines.iter().map(|line| self.line(line, false)).collect();
            if !text.is_empty() {
                self.ui.data(&text);
            }
        }
        if let Some(gap) = &found.gap {
            self.ui.warn(gap);
        }
        if found.truncated {
            self.ui.warn(&self.cut(found));
        }
        Ok(())
    }

    /// `17:05  ▂▁▁▃█▅  18:05   214 lines in loki, newest first`
    fn head(&self, found: &Found) -> String {
        let number = found.total.map_or_else(
            || format!("{} or more", count(found.lines.len(), "line")),
            |total| count(usize::try_from(total).unwrap_or(usize::MAX), "line"),
        );
        let order = if found.lines.len() > 1 { ", newest first" } else { "" };
        let said = format!("{number} in {}{order}", found.sent.store);
        match (&found.histogram, self.ui.columns()) {
            (Some(histogram), Some(_)) => format!(
                "{}  {}  {}   {said}",
                self.clock(found.from, "%H:%M"),
                histogram.bars(),
                self.clock(found.until, "%H:%M")
            ),
            _ => said,
        }
    }

    fn cut(&self, found: &Found) -> String {
        let shown = found.lines.len();
        let oldest = found.lines.last().map(|line| line.time);
        let when = oldest.map(|time| self.clock(time, "%H:%M:%S")).unwrap_or_default();
        let all = match found.total {
            Some(total) => {
                format!("{shown} of {}", count(usize::try_from(total).unwrap_or(usize::MAX), "line"))
            }
            None => count(shown, "line"),
        };
        let total = found.total.and_then(|total| usize::try_from(total).ok());
        let rest = match (total, oldest) {
            (Some(total), _) if total <= MOST => format!("--limit {} shows them all", round(total)),
            (_, Some(oldest)) => format!("--until {oldest} shows older ones, more conditions fewer"),
            _ => "more conditions leave fewer".to_owned(),
        };
        format!("cut at {all}, oldest shown {when}; {rest}")
    }

    /// A time here, with the day where that is another one.
    fn clock(&self, time: Timestamp, form: &str) -> String {
        let time = time.to_zoned(TimeZone::system());
        let clock = time.strftime(form).to_string();
        let day = time.strftime("%Y-%m-%d").to_string();
        if day == self.day { clock } else { format!("{} {clock}", time.strftime("%m-%d")) }
    }

    fn line(&self, line: &Line, late: bool) -> String {
        let from = if line.pod.is_empty() { &line.app } else { &line.pod };
        if self.ui.columns().is_none() {
            // for programs: when, where, and the line as it is
            let place = format!("{}/{from}/{}", line.namespace, line.container);
            return format!("{:.9} {} {}\n", line.time, escape::cell(&place), escape::line(&line.line));
        }
        let (words, fields) = shown::words(line);
        let mut lines = words.lines();
        let first = lines.next().unwrap_or_default();
        let level = match line.level.as_str() {
            "error" | "fatal" | "critical" => self.paint.bad(&format!("{:5}", line.level)),
            "warn" => self.paint.warning("warn "),
            other => self.paint.dim(&format!("{:5}", escape::cell(other))),
        };
        let mut out = format!(
            "{}  {}  {level}  {}",
            self.paint.dim(&self.clock(line.time, "%H:%M:%S.%3f")),
            escape::cell(from),
            escape::line(&Paint::NONE.theirs(first.trim_end_matches('\r')))
        );
        if !fields.is_empty() {
            out.push_str(&format!("   {}", self.paint.dim(&escape::line(&fields.join(" ")))));
        }
        if late {
            out.push_str(&self.paint.dim("   (late)"));
        }
        out.push('\n');
        for more in lines {
            out.push_str(&format!(
                "    {}\n",
                escape::line(&Paint::NONE.theirs(more.trim_end_matches('\r')))
            ));
        }
        out
    }
}

/// The next number that is easy to type.
fn round(number: usize) -> usize {
    let mut unit = 1;
    loop {
        if let Some(found) = [1, 2, 5].into_iter().map(|step| step * unit).find(|round| *round >= number) {
            return found.min(MOST);
        }
        unit *= 10;
    }
}

impl Reader for Printer<'_> {
    fn begins(&mut self, sent: &Sent) {
        if !self.json {
            self.ui.note(&format!("following {}, Ctrl-C ends it", sent.store));
        }
    }

    fn lines(&mut self, lines: &[New]) {
        let mut out = String::new();
        for New { line, late } in lines {
            if !self.json {
                out.push_str(&self.line(line, *late));
                continue;
            }
            if let Ok(mut document) = document("LogLine", line) {
                if *late {
                    document["late"] = true.into();
                }
                out.push_str(&escape::document(&document.to_string()));
                out.push('\n');
            }
        }
        if !out.is_empty() {
            self.ui.data(&out);
        }
    }

    fn note(&mut self, text: &str) {
        self.ui.warn(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_ago_or_said() {
        let now: Timestamp = "2026-11-21T18:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("1h30m", "2026-11-21T16:30:00Z"),
            ("2d", "2026-11-19T18:00:00Z"),
            ("0", "2026-11-21T18:00:00Z"),
            ("2026-11-20T00:00:00+01:00", "2026-11-19T23:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for text in ["", "yesterday", "5", "9999999d", "-1h"] {
            let error = moment(text, now).unwrap_err();
            assert_eq!(error.message(), format!("\"{text}\" is not a time"));
        }
    }

    #[test]
    fn limits_are_easy_to_type() {
        for (number, expected) in
            [(1, 1), (214, 500), (500, 500), (501, 1_000), (99_999, 100_000), (1 << 40, MOST)]
        {
            assert_eq!(round(number), expected);
        }
    }
}
