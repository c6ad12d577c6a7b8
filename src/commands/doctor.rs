//! `kubectl obs doctor`

use std::path::Path;
use std::time::{Duration, Instant};

use super::{App, Outcome};
use crate::cli::{self, DoctorCommand, DoctorOutput, FailOn, Output};
use crate::doctor::change::{Since, since};
use crate::doctor::suppress::{self, Suppression};
use crate::doctor::{self, Check, Choice, Diagnosis, Finding, Severity, Skipped, Snapshot, report};
use crate::error::{Error, Result};
use crate::event::Silent;
use crate::ops;
use crate::ui::Paint;
use crate::values::did_you_mean;
use crate::words::count;

/// Something failed.
const FAILED: u8 = 3;
/// Nothing failed, and a warning was to count.
const WARNED: u8 = 4;

/// Looks, judges and prints; says by its exit code whether something is wrong.
pub async fn run(app: &App<'_>, args: cli::Doctor) -> Result<Outcome> {
    match args.command {
        Some(DoctorCommand::List) => {
            let rows: Vec<Vec<String>> =
                doctor::all().map(|check| vec![check.id.to_owned(), check.title.to_owned()]).collect();
            app.ui.table(&["ID", "HOLDS WHEN ALL IS WELL"], &rows);
            return Ok(Outcome::Fine);
        }
        Some(DoctorCommand::Explain(wanted)) => {
            app.ui.lines(report::explained(check(&wanted.id)?));
            return Ok(Outcome::Fine);
        }
        Some(DoctorCommand::Rbac) => return Box::pin(rbac(app)).await,
        None => {}
    }
    for word in args.only.iter().chain(&args.skip) {
        if !doctor::all().any(|check| doctor::is_meant(check, std::slice::from_ref(word))) {
            return Err(unknown(word));
        }
    }
    let (timeout, every) = (ops::parse_duration(&args.timeout)?, ops::parse_duration(&args.every)?);
    let suppressions = args.suppress.as_deref().map(suppressions).transpose()?.unwrap_or_default();
    let before = ["PF".to_owned()];
    let only: &[String] = if args.pre { &before } else { &args.only };
    let choice = Choice { only, skip: &args.skip, suppressions: &suppressions };
    if args.watch {
        return Box::pin(watch(app, args.pre, &choice, timeout, every)).await;
    }
    let begun = Instant::now();
    let last = args.since_last.as_deref().filter(|file| file.exists()).map(read).transpose()?;
    let snapshot = match &args.from {
        Some(file) => read(file)?,
        None => Box::pin(look(app, args.pre, timeout)).await?,
    };
    for file in args.save.iter().chain(&args.since_last) {
        save(file, &snapshot)?;
    }
    let mut diagnosis = doctor::diagnose(&snapshot, &choice);
    diagnosis.since = last.map(|last| since(&doctor::diagnose(&last, &choice), &diagnosis));
    match args.output {
        Some(DoctorOutput::Json) => app.document("Diagnosis", &diagnosis, Output::Json)?,
        Some(DoctorOutput::Yaml) => app.document("Diagnosis", &diagnosis, Output::Yaml)?,
        Some(DoctorOutput::Junit) => app.ui.data(&report::junit(&diagnosis)),
        Some(DoctorOutput::Markdown) => app.ui.data(&report::markdown(&diagnosis)),
        None => print(app, &diagnosis, begun.elapsed()),
    }
    Ok(if diagnosis.count(Severity::Fail) > 0 {
        Outcome::As(FAILED)
    } else if diagnosis.count(Severity::Warn) > 0 && args.fail_on == FailOn::Warn {
        Outcome::As(WARNED)
    } else {
        Outcome::Fine
    })
}

/// Looks until a signal comes; tells everything once, then what changes. What cannot be reached for a while is
/// said, and looked at again.
async fn watch(
    app: &App<'_>,
    pre: bool,
    choice: &Choice<'_>,
    timeout: Duration,
    every: Duration,
) -> Result<Outcome> {
    let begun = Instant::now();
    let mut known = doctor::diagnose(&Box::pin(look(app, pre, timeout)).await?, choice);
    print(app, &known, begun.elapsed());
    loop {
        tokio::time::sleep(every).await;
        let now = match Box::pin(look(app, pre, timeout)).await {
            Ok(snapshot) => doctor::diagnose(&snapshot, choice),
            Err(error) => {
                app.ui.warn(error.message());
                continue;
            }
        };
        let changes = since(&known, &now);
        if !changes.is_empty() {
            app.ui.lines([String::new(), ops::who::local(&now.taken_at)]);
            gone(app, &changes);
            for finding in now.findings.iter().filter(|finding| changes.is_new(finding)) {
                app.ui.lines(lines(app, finding));
            }
            app.ui.lines([report::sum(&now)]);
        }
        known = now;
    }
}

async fn look(app: &App<'_>, pre: bool, timeout: Duration) -> Result<Snapshot> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, timeout);
    match pre {
        true => ctx.or(Box::pin(ops::doctor::before(&ctx))).await,
        false => ctx.or(Box::pin(ops::doctor::look(&ctx))).await,
    }
}

/// The roles that it takes, for whoever grants them.
async fn rbac(app: &App<'_>) -> Result<Outcome> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(30));
    let places = ctx.or(async { Ok(ops::doctor::places(&ctx).await) }).await?;
    app.ui.data(&format!("{}\n", ops::doctor::rights::roles(&places)));
    app.ui.note("give them to a person:");
    app.ui.note("kubectl create clusterrolebinding kubectl-obs --clusterrole=kubectl-obs --user=NAME");
    for place in places {
        app.ui.note(&format!(
            "kubectl create rolebinding kubectl-obs -n {place} --role=kubectl-obs --user=NAME"
        ));
    }
    app.ui.note("RL11 is skipped without the right to list the Secrets of all namespaces, which is left out");
    Ok(Outcome::Fine)
}

/// Most bytes of a list that somebody wrote.
const MOST_OF_A_LIST: u64 = 1 << 20;

fn suppressions(file: &Path) -> Result<Vec<Suppression>> {
    let shown = file.display();
    let bytes = ops::read_input(file, MOST_OF_A_LIST)?
        .map_err(|error| Error::usage(format!("cannot read {shown}: {error}")))?;
    suppress::read(&String::from_utf8_lossy(&bytes)).map_err(|why| {
        Error::usage(format!("{shown} is no list of suppressions: {why}"))
            .hint("kubectl obs doctor --help shows one")
    })
}

/// Most bytes of a snapshot: the targets of a large cluster with all their labels.
const MOST: u64 = 1 << 30;

fn read(file: &Path) -> Result<Snapshot> {
    let shown = file.display();
    let bytes = ops::read_input(file, MOST)?
        .map_err(|error| Error::usage(format!("cannot read {shown}: {error}")))?;
    Snapshot::read(&String::from_utf8_lossy(&bytes)).map_err(|why| {
        Error::usage(format!("{shown} is not what the doctor saw: {why}"))
            .hint("make one with kubectl obs doctor --save FILE")
    })
}

/// For its owner's eyes: it holds lines of logs.
fn save(file: &Path, snapshot: &Snapshot) -> Result<()> {
    let failed = |error: std::io::Error| Error::failed(format!("cannot write {}: {error}", file.display()));
    let text = serde_json::to_vec_pretty(snapshot).map_err(|error| failed(error.into()))?;
    super::write_for_owner(file, &text).map_err(failed)
}

fn check(id: &str) -> Result<&'static Check> {
    doctor::find(id).ok_or_else(|| unknown(id))
}

fn unknown(word: &str) -> Error {
    let upper = word.to_uppercase();
    let error = Error::usage(format!("there is no check {word}"));
    let error = match did_you_mean(&upper, doctor::all().map(|check| check.id)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error,
    };
    error.hint("kubectl obs doctor list shows them")
}

fn print(app: &App<'_>, diagnosis: &Diagnosis, took: Duration) {
    let paint = app.ui.paint();
    for finding in &diagnosis.findings {
        app.ui.lines(lines(app, finding));
    }
    if let Some(since) = &diagnosis.since {
        compared(app, since);
    }
    for words in &diagnosis.expired {
        app.ui.warn(words);
    }
    let mut parts = vec![paint.good(&format!("✔ {} ok", diagnosis.passed.len()))];
    let warnings = diagnosis.count(Severity::Warn);
    let failures = diagnosis.count(Severity::Fail);
    if warnings > 0 {
        parts.push(paint.warning(&format!("! {}", count(warnings, "warning"))));
    }
    if failures > 0 {
        parts.push(paint.bad(&format!("✘ {}", count(failures, "failure"))));
    }
    if !diagnosis.skipped.is_empty() {
        parts.push(format!("{} skipped ({})", diagnosis.skipped.len(), reasons(&diagnosis.skipped)));
    }
    if !diagnosis.suppressed.is_empty() {
        let known: Vec<String> =
            diagnosis.suppressed.iter().map(|one| format!("{} until {}", one.id, one.until)).collect();
        parts.push(format!("{} suppressed ({})", known.len(), known.join(", ")));
    }
    app.ui.lines([format!("{}   {}", parts.join(" · "), paint.dim(&format!("{:.1}s", took.as_secs_f64())))]);
}

/// What is new and what is gone.
fn compared(app: &App<'_>, since: &Since) {
    let paint = app.ui.paint();
    let when = ops::who::ago(&since.taken_at);
    if since.is_empty() {
        app.ui.lines([format!("nothing changed since the last look, {when}"), String::new()]);
        return;
    }
    app.ui.lines([format!("since the last look, {when}:")]);
    app.ui.lines(since.new.iter().map(|one| paint.bad(&format!("new   {}  {}", one.id, one.title))));
    gone(app, since);
    app.ui.lines([""]);
}

fn gone(app: &App<'_>, since: &Since) {
    let paint = app.ui.paint();
    app.ui.lines(since.gone.iter().map(|one| paint.good(&format!("gone  {}  {}", one.id, one.title))));
}

/// What stands below a title begins here.
const INDENT: &str = "        ";

/// What stands below the title of what was found: how it is known, and what to do.
pub(super) fn below(paint: Paint, evidence: &[String], fix: &[String]) -> Vec<String> {
    let mut out: Vec<String> = evidence.iter().map(|line| format!("{INDENT}{line}")).collect();
    for (place, line) in fix.iter().enumerate() {
        let lead = if place == 0 { "fix: " } else { "     " };
        out.push(format!("{INDENT}{lead}{}", paint.command(line)));
    }
    out
}

fn lines(app: &App<'_>, finding: &Finding) -> Vec<String> {
    let paint = app.ui.paint();
    let head = |mark: &str| format!("{mark} {}  {}", finding.id, finding.title);
    let mut out = vec![match finding.severity {
        Severity::Fail => paint.bad(&head("✘")),
        Severity::Warn => paint.warning(&head("!")),
        Severity::Info => head("·"),
    }];
    out.extend(below(paint, &finding.evidence, &finding.fix));
    for (place, consequence) in finding.follows.iter().enumerate() {
        let lead = if place == 0 { "follows: " } else { "         " };
        out.push(paint.dim(&format!("{INDENT}{lead}{} {}", consequence.id, consequence.title)));
    }
    out.push(String::new());
    out
}

/// Why checks were skipped, the most frequent reason first.
fn reasons(skipped: &[Skipped]) -> String {
    let mut reasons: Vec<(usize, &str)> = Vec::new();
    for one in skipped {
        match reasons.iter_mut().find(|(_, reason)| *reason == one.reason) {
            Some((number, _)) => *number += 1,
            None => reasons.push((1, &one.reason)),
        }
    }
    reasons.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    reasons.into_iter().map(|(_, reason)| reason).collect::<Vec<_>>().join("; ")
}
