//! `kubectl obs alerts`

use std::time::Duration;

use super::App;
use crate::cli::{self, AlertsCommand, Output};
use crate::error::{Error, Result};
use crate::event::Silent;
use crate::ops::alerts::notified::{Answer, Outcome};
use crate::ops::alerts::shown::{Alert, Silence, State, abouts};
use crate::ops::alerts::{self, silences, trial};
use crate::ops::{Context, parse_duration, who};
use crate::readiness::spans;
use crate::words::count;

/// How long a question to the servers may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The beginning of an id that a table shows; `unsilence` takes it.
const SHORT_ID: usize = 8;

/// Lists alerts, or does what the subcommand says.
pub async fn run(app: &App<'_>, args: cli::Alerts) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let patience = match &args.command {
        // it bounds itself, and ends what it began
        Some(AlertsCommand::Test(_)) => Duration::from_secs(86_400),
        _ => PATIENCE,
    };
    // what was typed is judged before anybody is asked
    let typed = match &args.command {
        Some(AlertsCommand::Silence(args)) => {
            Some((silences::matchers(&args.matchers)?, parse_duration(&args.lasts)?))
        }
        _ => None,
    };
    let cluster = app.connect().await?;
    let by =
        app.global.as_user.clone().or_else(|| cluster.user().map(str::to_owned)).unwrap_or_else(who::who);
    let ctx = app.context(&cluster, &namespace, &release, &Silent, patience);
    match args.command {
        None => app.cancel.or(list(app, &ctx, args.output)).await,
        Some(AlertsCommand::Silence(args)) => {
            let (matchers, lasts) = typed.unwrap_or_default();
            let made = app.cancel.or(silences::silence(&ctx, &matchers, lasts, &args.comment, &by)).await?;
            match args.output {
                Some(format) => app.document("Silence", &made, format.into()),
                None => {
                    silenced(app, &made);
                    Ok(())
                }
            }
        }
        Some(AlertsCommand::Unsilence(args)) => {
            let report = app.cancel.or(silences::unsilence(&ctx, &args.ids, args.all)).await?;
            ended(app, &report, args.output)
        }
        Some(AlertsCommand::Silences(args)) => {
            let report = app.cancel.or(silences::silences(&ctx)).await?;
            standing(app, &report, args.output)
        }
        Some(AlertsCommand::Test(args)) => test(app, &ctx, &args, &by).await,
    }
}

async fn list(app: &App<'_>, ctx: &Context<'_>, output: Option<Output>) -> Result<()> {
    let report = alerts::alerts(ctx).await?;
    for missing in report.untold.iter().chain(&report.unseen) {
        app.ui.warn(missing);
    }
    match output {
        Some(Output::Name) => {
            let mut names: Vec<&str> = report.alerts.iter().map(|alert| alert.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            app.ui.lines(names.iter().map(|name| format!("alert/{name}")));
            Ok(())
        }
        Some(format) => app.document("AlertList", &report, format),
        None => {
            if report.alerts.is_empty() {
                app.ui.note(&format!("no alert of release {} fires or is pending", report.release));
                return Ok(());
            }
            let told = report.untold.is_none();
            let mut headers = vec!["ALERT", "SEVERITY", "STATE", "SINCE", "TO", "ABOUT"];
            headers.retain(|header| told || *header != "TO");
            let abouts = abouts(&report.alerts);
            let rows = report.alerts.iter().zip(abouts).map(|(alert, about)| row(alert, about, told));
            let rows: Vec<Vec<String>> = rows.collect();
            app.ui.outline(&headers, &rows);
            app.ui.lines(quiet(&report.alerts));
            Ok(())
        }
    }
}

fn row(alert: &Alert, about: String, told: bool) -> Vec<String> {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let state = match alert.state {
        State::Pending => "pending",
        State::Firing if !alert.silenced_by.is_empty() => "silenced",
        State::Firing if !alert.inhibited_by.is_empty() => "inhibited",
        State::Firing if !alert.muted_by.is_empty() => "muted",
        State::Firing => "firing",
    };
    let since = age(&alert.since);
    let since = match alert.pending_for_seconds {
        Some(lasts) => format!("{since} of {}", spans::rough(i64::try_from(lasts).unwrap_or(i64::MAX))),
        None => since,
    };
    let mut cells = vec![alert.name.clone(), or_none(&alert.severity), state.to_owned(), since];
    if told {
        let to = alert.receivers.as_deref().unwrap_or_default().join(", ");
        cells.push(if alert.missing_in_alertmanager {
            "not in alertmanager".to_owned()
        } else {
            or_none(&to)
        });
    }
    cells.push(about);
    cells
}

/// `3m`
fn age(time: &str) -> String {
    who::ago(time).trim_end_matches(" ago").to_owned()
}

/// Why some are told to nobody: one line for each reason.
fn quiet(alerts: &[Alert]) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    let mut add = |line: String| match lines.iter_mut().find(|(known, _)| *known == line) {
        Some((_, number)) => *number += 1,
        None => lines.push((line, 1)),
    };
    for alert in alerts {
        for silence in &alert.silenced_by {
            add(format!(
                "silenced until {} by {}: {} ({})",
                who::local(&silence.ends_at),
                silence.created_by,
                silence.comment,
                short(silence)
            ));
        }
        for by in &alert.inhibited_by {
            add(format!("inhibited by {by}, which fires"));
        }
        for time in &alert.muted_by {
            add(format!("muted at this time ({time})"));
        }
    }
    let lines = lines.into_iter().map(|(line, number)| format!("  {}: {line}", count(number, "alert")));
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { lines } else { std::iter::once(String::new()).chain(lines).collect() }
}

fn short(silence: &Silence) -> &str {
    silence.id.get(..SHORT_ID).unwrap_or(&silence.id)
}

fn silenced(app: &App<'_>, made: &silences::Made) {
    let ends = who::local(&made.silence.ends_at);
    let matchers = made.silence.matchers.join(" ");
    let mut lines = vec![format!("silence {} until {ends}: {matchers}", short(&made.silence))];
    lines.push(match made.mutes.len() {
        0 => "no alert that fires now matches it".to_owned(),
        1 => "1 alert that fires now:".to_owned(),
        many => format!("{} that fire now:", count(many, "alert")),
    });
    lines.extend(made.mutes.iter().map(|muted| match muted.about.as_str() {
        "" => format!("  {}", muted.alert),
        about => format!("  {}   {about}", muted.alert),
    }));
    app.ui.lines(lines);
    for muted in &made.mutes {
        for incident in &muted.open_incidents {
            app.ui.warn(&format!(
                "the incident of {} at receiver {} ({}) stays open if the alert ends before the silence: close it there",
                muted.alert, incident.receiver, incident.with
            ));
        }
    }
    app.ui.note(&format!("kubectl obs alerts unsilence {} ends it", short(&made.silence)));
}

fn ended(app: &App<'_>, report: &silences::Report, output: Option<Output>) -> Result<()> {
    if output.is_some() {
        return standing(app, report, output);
    }
    let line =
        |silence: &Silence| format!("silence {} ended: {}", short(silence), silence.matchers.join(" "));
    app.ui.lines(report.silences.iter().map(line));
    if report.silences.is_empty() {
        app.ui.note("there is no silence");
    }
    Ok(())
}

fn standing(app: &App<'_>, report: &silences::Report, output: Option<Output>) -> Result<()> {
    match output {
        Some(Output::Name) => {
            app.ui.lines(report.silences.iter().map(|silence| format!("silence/{}", silence.id)));
        }
        Some(format) => app.document("SilenceList", report, format)?,
        None if report.silences.is_empty() => app.ui.note("there is no silence"),
        None => {
            let row = |silence: &Silence| {
                vec![
                    short(silence).to_owned(),
                    silence.state.clone(),
                    who::local(&silence.ends_at),
                    silence.created_by.clone(),
                    silence.matchers.join(" "),
                    silence.comment.clone(),
                ]
            };
            let rows: Vec<Vec<String>> = report.silences.iter().map(row).collect();
            app.ui.outline(&["ID", "STATE", "ENDS", "BY", "MATCHERS", "COMMENT"], &rows);
        }
    }
    Ok(())
}

async fn test(app: &App<'_>, ctx: &Context<'_>, args: &cli::AlertsTest, by: &str) -> Result<()> {
    let timeout = args.timeout.as_deref().map(parse_duration).transpose()?;
    let plan = app.cancel.or(trial::plan(ctx, args.receiver.as_deref())).await?;
    let patience = timeout.unwrap_or(Duration::from_secs(plan.wait));
    let receivers = plan.receivers();
    app.ui.note(&format!(
        "a test message goes to {}; answers are awaited for {} ({})",
        receivers.join(", "),
        spans::whole(patience.as_secs_f64()),
        plan.because
    ));
    let report = plan.carry_out(by, patience).await?;
    match args.output {
        Some(format) => app.document("AlertTest", &report, format.into())?,
        None => {
            let rows: Vec<Vec<String>> = report.answers.iter().map(answer).collect();
            app.ui.outline(&["RECEIVER", "BY", "ANSWER", "SAID"], &rows);
        }
    }
    for one in &report.unreachable {
        app.ui.warn(&format!("receiver {} was not told: {}", one.receiver, one.why));
    }
    for line in &report.quiet {
        app.ui.warn(line);
    }
    app.ui.note(&format!(
        "the alert {} is over; receivers that are told so are within {}",
        trial::ALERT,
        spans::rough(i64::try_from(report.resolved_within_seconds).unwrap_or(i64::MAX))
    ));
    if report.is_fine() {
        return Ok(());
    }
    let missed = report.answers.iter().filter(|answer| answer.outcome != Outcome::Accepted).count();
    let all = count(report.answers.len(), "integration");
    let mut error = Error::failed(format!("{missed} of {all} did not take the test message"));
    if report.quiet.is_empty() && report.answers.iter().any(|answer| answer.outcome == Outcome::Silent) {
        error = error.hint("kubectl obs logs alertmanager --since 5m shows what it does");
    }
    Err(error)
}

fn answer(answer: &Answer) -> Vec<String> {
    let word = match answer.outcome {
        Outcome::Accepted => "accepted",
        Outcome::Refused => "refused",
        Outcome::Failing => "fails, is tried again",
        Outcome::Silent => "no answer",
    };
    let said = answer.said.clone().unwrap_or_default();
    vec![answer.receiver.clone(), answer.integration.clone(), word.to_owned(), said]
}
