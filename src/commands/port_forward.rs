//! `kubectl obs port-forward`

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use indicatif::DecimalBytes;
use serde::Serialize;

use super::{App, Outcome};
use crate::cli::{Forward, Output, PortForward};
use crate::error::Result;
use crate::event::Silent;
use crate::ops::forward::{self, Forwards, Options, Row, child};
use crate::ui::LiveRow;

/// How often numbers are drawn anew.
const REDRAW: Duration = Duration::from_millis(500);

/// What is wanted of a forward.
pub struct What {
    /// Components by name; all when empty.
    pub components: Vec<String>,
    /// Open a browser.
    pub browser: bool,
    /// Run this and end with it.
    pub command: Vec<OsString>,
    /// Ports, address, output.
    pub flags: Forward,
}

/// Forwards until somebody ends it, or the command has ended.
pub async fn run(app: &App<'_>, args: PortForward) -> Result<Outcome> {
    let PortForward { components, forward: flags, open, command } = args;
    forward(app, What { components, browser: open, command, flags }).await
}

/// The same for `open`.
pub async fn forward(app: &App<'_>, what: What) -> Result<Outcome> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let Forward { ports, address, print_urls, output } = what.flags;
    if !address.is_loopback() {
        app.ui.warn(&format!(
            "listening on {address}: whoever reaches this machine reaches the UIs, with your rights in the cluster"
        ));
    }
    let options = Options { components: what.components, ports, address };
    let forwards = ctx.or(forward::start(&ctx, &options)).await?;
    let rows = rows(&forwards);
    for lane in &forwards.lanes {
        for command in &lane.target.credentials {
            app.ui.note(&format!("{} {command}", lane.target.component));
        }
    }
    if what.browser {
        rows.iter().filter(|row| row.pod.is_some()).for_each(|row| browse(app, &row.url));
    }
    if print_urls {
        app.ui.lines(rows.iter().map(|row| &row.url));
    }
    if let Some(format) = output {
        let report =
            Report { release: release.to_string(), namespace: namespace.to_string(), forwards: rows };
        app.document("PortForwards", &report, Output::from(format))?;
    }
    if !what.command.is_empty() {
        let lanes = forwards.lanes.iter().map(|lane| &**lane);
        return child::run(&what.command, lanes, &app.cancel).await.map(Outcome::As);
    }
    show(app, &forwards).await
}

/// The document of `-o`.
#[derive(Serialize)]
struct Report {
    release: String,
    namespace: String,
    forwards: Vec<Row>,
}

fn rows(forwards: &Forwards) -> Vec<Row> {
    forwards.lanes.iter().map(|lane| lane.row()).collect()
}

/// Shows what goes on until a signal comes, which is the regular end and nothing to tell.
async fn show(app: &App<'_>, forwards: &Forwards) -> Result<Outcome> {
    let mut live = app.ui.live();
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        live.show(&lines(&rows(forwards)));
        tokio::select! {
            _ = redraw.tick() => {}
            () = forwards.changed.notified() => {}
            end = app.cancel.cancelled() => return Ok(Outcome::As(end.exit().code())),
        }
    }
}

/// `prometheus  http://127.0.0.1:9090  obs-prometheus-0  (9090 was taken)`
fn lines(rows: &[Row]) -> Vec<LiveRow> {
    let longest =
        |part: fn(&Row) -> &String| rows.iter().map(|row| part(row).len()).max().unwrap_or_default();
    let (names, urls) = (longest(|row| &row.component), longest(|row| &row.url));
    rows.iter()
        .map(|row| {
            let mut steady = format!("{:names$}  {:urls$}  ", row.component, row.url);
            match (&row.pod, &row.why) {
                (Some(pod), None) => steady.push_str(pod),
                (Some(pod), Some(why)) => steady.push_str(&format!("{pod}: {why}")),
                (None, why) => steady.push_str(&format!("waiting: {}", why.as_deref().unwrap_or("no pod"))),
            }
            if let Some(port) = row.instead_of {
                steady.push_str(&format!("  ({port} was taken)"));
            }
            let moving = match (row.connections, row.up, row.down) {
                (0, 0, 0) => String::new(),
                (_, up, down) => format!("↑ {} ↓ {}", DecimalBytes(up), DecimalBytes(down)),
            };
            LiveRow { key: row.component.clone(), steady, moving }
        })
        .collect()
}

/// Starts the person's browser; where there is none, the URL is on the screen.
fn browse(app: &App<'_>, url: &str) {
    let chosen = std::env::var_os("BROWSER").filter(|name| !name.is_empty());
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let program = chosen.unwrap_or_else(|| usual.into());
    let started = tokio::process::Command::new(&program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = started {
        let program = program.to_string_lossy();
        app.ui.warn(&format!("{program} cannot open {url}: {error}; open it by hand, or set BROWSER"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(component: &str, pod: Option<&str>, why: Option<&str>) -> Row {
        Row {
            component: component.into(),
            url: "http://127.0.0.1:9090".into(),
            pod: pod.map(str::to_owned),
            pod_port: 9090,
            instead_of: None,
            why: why.map(str::to_owned),
            up: 0,
            down: 0,
            connections: 0,
        }
    }

    #[test]
    fn a_row_says_where_to_which_pod_and_what_is_wrong() {
        let mut moved = row("alertmanager", Some("obs-alertmanager-0"), None);
        (moved.instead_of, moved.up, moved.down) = (Some(9093), 512, 8_430_000);
        let lines = lines(&[
            row("loki", None, Some("pod obs-loki-0 is being replaced")),
            row("grafana", Some("obs-grafana-0"), Some("connection refused")),
            moved,
        ]);
        let steady: Vec<&str> = lines.iter().map(|line| line.steady.as_str()).collect();
        assert_eq!(
            steady,
            [
                "loki          http://127.0.0.1:9090  waiting: pod obs-loki-0 is being replaced",
                "grafana       http://127.0.0.1:9090  obs-grafana-0: connection refused",
                "alertmanager  http://127.0.0.1:9090  obs-alertmanager-0  (9093 was taken)",
            ]
        );
        assert_eq!(lines[2].moving, "↑ 512 B ↓ 8.43 MB");
    }
}
