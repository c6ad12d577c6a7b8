//! `kubectl obs explain`

use std::time::Duration;

use super::doctor::below;
use super::{App, Outcome};
use crate::cli::Explain;
use crate::error::Result;
use crate::event::Silent;
use crate::ops::explain::chain::{Link, State};
use crate::ops::explain::{Report, ask};

/// Something is broken, as the doctor says it.
const BROKEN: u8 = 3;
/// How long everything together may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Follows the chain and prints it; says by its exit code whether a link is broken.
pub async fn run(app: &App<'_>, args: &Explain) -> Result<Outcome> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, PATIENCE);
    let (report, output) = match args {
        Explain::Metrics(args) => (ctx.or(Box::pin(ask::metrics(&ctx, &args.target))).await?, args.output),
        Explain::Logs(args) => (ctx.or(Box::pin(ask::logs(&ctx, &args.target))).await?, args.output),
        Explain::Alert(args) => (ctx.or(Box::pin(ask::alert(&ctx, &args.name))).await?, args.output),
    };
    for warning in &report.warnings {
        app.ui.warn(warning);
    }
    match output {
        Some(format) => app.document("Explanation", &report, format.into())?,
        None => print(app, &report),
    }
    Ok(if report.broken { Outcome::As(BROKEN) } else { Outcome::Fine })
}

fn print(app: &App<'_>, report: &Report) {
    let head = match report.of {
        "metrics" | "logs" => format!("{} of {}", report.of, report.about),
        _ => report.about.clone(),
    };
    app.ui.lines([head, String::new()]);
    for link in &report.links {
        app.ui.lines(lines(app, link));
    }
}

fn lines(app: &App<'_>, link: &Link) -> Vec<String> {
    let paint = app.ui.paint();
    let head = |mark: &str| format!("{mark} {}  {}", link.id, link.title);
    let mut out = vec![match link.state {
        State::Holds => paint.good(&head("✔")),
        State::Warns => paint.warning(&head("!")),
        State::Broken => paint.bad(&head("✘")),
        State::Unknown => paint.dim(&head("?")),
        State::Ends => head("·"),
    }];
    out.extend(below(paint, &link.evidence, &link.fix));
    out
}
