//! `kubectl obs apps`

use std::time::Duration;

use super::App;
use crate::cli::{self, AppsCommand, Output};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::alerts::shown::State;
use crate::ops::apps::{self, figures, paste};
use crate::ops::who;
use crate::readiness::spans;

/// What is not known.
const NONE: &str = "-";

/// Shows the applications, or values for what is not watched.
pub async fn run(app: &App<'_>, args: &cli::Apps) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let report = apps::apps(&ctx).await?;
    for warning in &report.warnings {
        app.ui.warn(warning);
    }
    if let Some(AppsCommand::Suggest) = args.command {
        match paste::values(&report.values, &report.unwatched) {
            Some(text) => app.ui.data(&text),
            None => app.ui.note("every pod that is known to serve metrics is scraped"),
        }
        return Ok(());
    }
    match args.output {
        Some(Output::Name) => {
            app.ui.lines(report.apps.iter().map(|one| format!("app/{}", one.name)));
        }
        Some(format) => app.document("AppList", &report, format)?,
        None => table(app, &report),
    }
    Ok(())
}

fn table(app: &App<'_>, report: &apps::Report) {
    if report.apps.is_empty() {
        app.ui.note("no application is named in the values; kubectl obs bundle values shows how (apps)");
    } else {
        let rows: Vec<Vec<String>> = report.apps.iter().map(row).collect();
        let headers = ["APP", "NAMESPACE", "TARGETS", "REQ/S", "ERRORS", "P95", "BUDGET", "ALERTS"];
        app.ui.outline(&headers, &rows);
        for one in &report.apps {
            for down in &one.down {
                app.ui.warn(&format!("{} is down: {down}", one.name));
            }
        }
    }
    if report.unwatched.is_empty() {
        return;
    }
    app.ui.lines(["", "not scraped, though they serve metrics:"]);
    for one in &report.unwatched {
        let change = match (one.list, &one.entry, &one.advice) {
            (Some(list), Some(entry), _) => {
                let secret = one.needs_secret.as_ref().map(|name| format!(", once there is a Secret {name}"));
                format!("{list}: {}{}", paste::flow(entry), secret.unwrap_or_default())
            }
            (_, _, Some(advice)) => advice.clone(),
            _ => continue,
        };
        app.ui.lines([format!("  {}", paste::title(one)), format!("    {change}")]);
    }
    app.ui.note("");
    app.ui.note("kubectl obs apps suggest prints values that watch them");
}

fn row(one: &figures::App) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    let left = one.slo_budget_left.values().copied().reduce(f64::min);
    let budget = match left {
        Some(left) if left <= 0.0 => Some("exhausted".to_owned()),
        Some(left) => Some(format!("{}% left", number(left * 100.0))),
        None => one.has_slo.then(|| "not known".to_owned()),
    };
    vec![
        one.name.clone(),
        one.namespace.clone(),
        format!("{}/{} up", one.up, one.targets),
        or_none(one.requests_per_second.map(number)),
        or_none(one.error_ratio.map(|ratio| format!("{}%", number(ratio * 100.0)))),
        or_none(one.p95_seconds.map(span)),
        or_none(budget),
        or_none(Some(alerts(&one.alerts)).filter(|text| !text.is_empty())),
    ]
}

/// What fires and then what is pending; those of one name are one.
fn alerts(all: &[figures::Firing]) -> String {
    let mut shown: Vec<(&figures::Firing, usize)> = Vec::new();
    for alert in all {
        let same = |known: &&mut (&figures::Firing, usize)| {
            (&known.0.name, &known.0.severity, known.0.state) == (&alert.name, &alert.severity, alert.state)
        };
        match shown.iter_mut().find(same) {
            Some((_, number)) => *number += 1,
            None => shown.push((alert, 1)),
        }
    }
    shown.sort_by_key(|(alert, _)| alert.state);
    let text = |(alert, number): (&figures::Firing, usize)| {
        let since = who::ago(&alert.since);
        let since = since.trim_end_matches(" ago");
        let state = if alert.state == State::Pending { "pending " } else { "" };
        let times = if number > 1 { format!(" ×{number}") } else { String::new() };
        format!("{}{times} ({}, {state}{since})", alert.name, alert.severity)
    };
    shown.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// `180ms`, `1.9s`
fn span(seconds: f64) -> String {
    if seconds < 1.0 { format!("{}ms", (seconds * 1000.0).round()) } else { spans::duration(seconds) }
}

/// Three digits are enough: `0.25`, `4.1`, `72`.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (value, expected) in [(0.0, "0"), (0.254, "0.25"), (4.12, "4.1"), (1234.5, "1234")] {
            assert_eq!(number(value), expected);
        }
        assert_eq!((span(0.1804).as_str(), span(1.92).as_str()), ("180ms", "1.9s"));
    }
}
