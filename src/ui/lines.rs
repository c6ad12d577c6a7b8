//! Event → line: what bars and plain output both show. Pure; every line is held by a test as an
//! exact string.

use super::board::Entry;
use super::paint::Paint;
use super::text::{justify, pad, truncate, width, wrap};
use crate::event::{ComponentState, Phase, Start};
use crate::readiness::spans::{duration, whole};

/// Lines are aligned as if the terminal had at most this many columns: a time at the far right of a
/// wide screen is not seen together with its line.
pub(super) const COLUMNS: usize = 80;

/// The usual time does not take so much room that less than this is left for the reason.
const REASON: usize = 24;

/// How lines are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Columns of the terminal.
    pub columns: usize,
    /// Cut what does not fit. Plain output keeps everything: a log has no right edge.
    pub cut: bool,
    pub paint: Paint,
}

impl Layout {
    fn edge(&self) -> usize {
        self.columns.min(COLUMNS)
    }

    fn fit(&self, text: String) -> String {
        if self.cut { truncate(&text, self.columns) } else { text }
    }
}

/// What is shown of a component.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub name: String,
    pub state: ComponentState,
    pub ready: String,
    pub why: String,
    pub seconds: f64,
    pub usual: Option<f64>,
}

/// `observability stack 1.0.0 → release obs in namespace observability (cluster kind-dev, Kubernetes 1.34)`,
/// and the other way round where it leaves.
pub(super) fn header(start: &Start) -> String {
    let Start { operation, release, namespace, bundle, cluster, kubernetes } = start;
    let bundle = match bundle.as_deref() {
        // The embedded bundle's name alone says too little.
        Some(bundle) if bundle.starts_with("stack ") => format!("observability {bundle}"),
        Some(bundle) => bundle.to_owned(),
        None => String::new(),
    };
    let what = match (operation.as_str(), bundle.is_empty()) {
        (operation, true) => format!("{operation} release {release} in"),
        ("uninstall", false) => format!("release {release} ({bundle}) leaves"),
        (_, false) => format!("{bundle} → release {release} in"),
    };
    format!("{what} namespace {namespace} (cluster {cluster}, Kubernetes {kubernetes})")
}

/// `! the warning`, wrapped to a screen's columns.
pub(super) fn warning(message: &str, columns: Option<usize>, paint: Paint) -> String {
    let lines = match columns {
        Some(columns) if columns > 20 => wrap(message, columns - 2),
        _ => vec![message.to_owned()],
    };
    format!("{} {}", paint.warning("!"), lines.join("\n  "))
}

/// `✔ applied     61 created                              0.9s`
pub(super) fn phase_done(phase: Phase, summary: &str, seconds: f64, layout: &Layout) -> String {
    let left = format!("{} {}", pad(done(phase), 11), summary);
    let right = duration(seconds);
    let room = layout.edge().saturating_sub(2 + 2 + width(&right));
    let left = if layout.cut { truncate(&left, room) } else { left };
    let line = justify(&left, &right, layout.edge().saturating_sub(2));
    format!("{} {line}", layout.paint.good("✔"))
}

/// `⠙ applying    12 of 61 objects                        0.9s`, while it lasts.
pub(super) fn phase_running(
    phase: Phase,
    handled: usize,
    total: Option<usize>,
    awaiting: &str,
    seconds: f64,
    spinner: char,
    layout: &Layout,
) -> String {
    let mut progress = match (handled, total) {
        (0, None) => String::new(),
        (handled, None) => format!("{handled} objects"),
        (handled, Some(total)) => format!("{handled} of {total} objects"),
    };
    if !awaiting.is_empty() {
        let comma = if progress.is_empty() { "" } else { ", " };
        progress = format!("{progress}{comma}{awaiting}");
    }
    let left = format!("{spinner} {} {progress}", pad(doing(phase), 11));
    let right = whole(seconds);
    let left = truncate(left.trim_end(), layout.edge().saturating_sub(width(&right) + 2));
    layout.fit(justify(&left, &right, layout.edge()))
}

/// `  grafana              starting   0/1  readiness probe: connection refused  21s   usually 25s`, or
/// with `21s of ~25s` at the edge where the screen ends there and the reason keeps enough room.
pub(super) fn component(row: &Row, names: usize, layout: &Layout) -> String {
    let state = word(row.state);
    let edge = layout.edge();
    let narrow = edge < 60;
    // Names get what they need, but no more than a third of a narrow screen.
    let column = if narrow { names.min(edge / 3) } else { names.max(19) };
    let name = if layout.cut { truncate(&row.name, column) } else { row.name.clone() };
    let (gap, states) = if narrow { (1, 8) } else { (2, 9) };
    let space = " ".repeat(gap);
    let left = format!("  {}{space}", pad(&name, column));
    let mut middle = format!("{space}{}", row.ready);
    let taken = width(&left) + states + width(&middle) + 2;
    let usual = row.usual.filter(|_| row.state == ComponentState::Starting).map(whole);
    let behind = usual.as_ref().map(|usual| format!("   usually {usual}")).unwrap_or_default();
    let outside = !layout.cut || edge + width(&behind) <= layout.columns;
    let mut right = whole(row.seconds);
    if let Some(usual) = usual.filter(|_| !outside) {
        let both = format!("{right} of ~{usual}");
        let room = edge.saturating_sub(taken + 2 + width(&both));
        if room >= REASON || room >= width(&row.why) {
            right = both;
        }
    }

    let taken = taken + width(&right);
    if !row.why.is_empty() {
        let room = edge.saturating_sub(taken + 2);
        if !layout.cut {
            middle.push_str(&format!("  {}", row.why));
        } else if room >= 6 {
            middle.push_str(&format!("  {}", truncate(&row.why, room)));
        }
    }
    let painted = match row.state {
        ComponentState::Starting => pad(state, states),
        ComponentState::Ready => layout.paint.good(&pad(state, states)),
        ComponentState::Failed => layout.paint.bad(&pad(state, states)),
    };
    let used = width(&left) + states + width(&middle);
    let space = edge.saturating_sub(used + width(&right)).max(2);
    let mut line = format!("{left}{painted}{middle}{}{right}", " ".repeat(space));
    if outside {
        line.push_str(&layout.paint.dim(&behind));
    }
    line
}

/// `  … 2 more starting, 9 more ready`: components that the screen has no room for.
pub(super) fn folded(entries: &[&Entry], layout: &Layout) -> String {
    let states = [ComponentState::Failed, ComponentState::Starting, ComponentState::Ready];
    let counts = states.map(|state| (entries.iter().filter(|e| e.row.state == state).count(), word(state)));
    let parts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} more {word}")).collect();
    layout.paint.dim(&layout.fit(format!("  … {}", parts.join(", "))))
}

/// A component's state in a word.
pub(super) fn word(state: ComponentState) -> &'static str {
    match state {
        ComponentState::Starting => "starting",
        ComponentState::Ready => "ready",
        ComponentState::Failed => "failed",
    }
}

/// `  still waiting for grafana, loki (1m30s): readiness probe: connection refused`
pub(super) fn heartbeat(waiting: &[&Row], phase: Option<Phase>, awaiting: &str, seconds: f64) -> String {
    let span = whole(seconds);
    match waiting {
        [] if awaiting.is_empty() => format!("  still {} ({span})", phase.map_or("working", doing)),
        [] => format!("  still {} ({span}): {awaiting}", phase.map_or("working", doing)),
        [one] if !one.why.is_empty() => {
            format!("  still waiting for {} ({span}): {}", one.name, one.why)
        }
        rows => {
            let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            format!("  still waiting for {} ({span})", names.join(", "))
        }
    }
}

fn done(phase: Phase) -> &'static str {
    match phase {
        Phase::Checked => "checked",
        Phase::Applied => "applied",
        Phase::Pruned => "pruned",
        Phase::Ready => "ready",
        Phase::Healthy => "healthy",
        Phase::Deleted => "deleted",
    }
}

pub(super) fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Checked => "checking",
        Phase::Applied => "applying",
        Phase::Pruned => "pruning",
        Phase::Ready => "waiting",
        Phase::Healthy => "testing",
        Phase::Deleted => "deleting",
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate;
    use super::*;
    use crate::event::Event;

    const WIDE: Layout = Layout { columns: 80, cut: true, paint: Paint::NONE };
    const NARROW: Layout = Layout { columns: 40, cut: true, paint: Paint::NONE };
    const LOG: Layout = Layout { columns: 80, cut: false, paint: Paint::NONE };

    fn row(name: &str, state: ComponentState, ready: &str, why: &str, seconds: f64) -> Row {
        Row { name: name.into(), state, ready: ready.into(), why: why.into(), seconds, usual: None }
    }

    #[test]
    fn the_header_names_what_goes_where() {
        let Event::Started(start) = Event::sample_start() else { panic!("it begins") };
        let at = "namespace observability (cluster kind-dev, Kubernetes 1.34)";
        assert_eq!(header(&start), format!("observability stack 1.0.0 → release obs in {at}"));
        let leaves = Start { operation: "uninstall".into(), ..start };
        assert_eq!(header(&leaves), format!("release obs (observability stack 1.0.0) leaves {at}"));
        let unknown = Start { bundle: None, ..leaves };
        assert_eq!(header(&unknown), format!("uninstall release obs in {at}"));
    }

    #[test]
    fn warnings_are_wrapped_on_a_screen_only() {
        let message = "the namespace was there before and is not labelled";
        assert_eq!(
            warning(message, Some(40), Paint::NONE),
            "! the namespace was there before and is\n  not labelled"
        );
        assert_eq!(warning(message, None, Paint::NONE), format!("! {message}"));
    }

    #[test]
    fn phases_at_80_columns_end_with_their_time() {
        assert_eq!(
            phase_done(Phase::Checked, "61 objects, rights, storage, PodSecurity", 0.41, &WIDE),
            "✔ checked     61 objects, rights, storage, PodSecurity                      0.4s"
        );
        assert_eq!(
            phase_done(Phase::Ready, "5 components", 27.0, &WIDE),
            "✔ ready       5 components                                                   27s"
        );
        assert_eq!(
            phase_running(Phase::Applied, 12, Some(61), "", 1.2, '⠙', &WIDE),
            "⠙ applying    12 of 61 objects                                                1s"
        );
        assert_eq!(
            phase_running(Phase::Deleted, 3, Some(19), "Service x is not gone", 65.0, '⠙', &WIDE),
            "⠙ deleting    3 of 19 objects, Service x is not gone                       1m05s"
        );
        assert_eq!(
            phase_running(Phase::Healthy, 0, None, "", 3.0, '⠙', &WIDE),
            "⠙ testing                                                                     3s"
        );
    }

    #[test]
    fn phases_at_40_columns_are_cut_before_their_time() {
        assert_eq!(
            phase_done(Phase::Checked, "61 objects, rights, storage, PodSecurity", 0.41, &NARROW),
            "✔ checked     61 objects, rights,…  0.4s"
        );
    }

    #[test]
    fn components_at_80_columns() {
        assert_eq!(
            component(&row("prometheus", ComponentState::Ready, "1/1", "", 14.0), 18, &WIDE),
            "  prometheus           ready      1/1                                        14s"
        );
        assert_eq!(
            component(
                &row("grafana", ComponentState::Starting, "0/1", "readiness probe: connection refused", 21.0),
                18,
                &WIDE
            ),
            "  grafana              starting   0/1  readiness probe: connection refused   21s"
        );
        assert_eq!(
            component(&row("node-exporter", ComponentState::Ready, "3/3 nodes", "", 5.0), 18, &WIDE),
            "  node-exporter        ready      3/3 nodes                                   5s"
        );
    }

    #[test]
    fn a_long_reason_is_cut_on_a_screen_and_kept_in_a_log() {
        let long = row(
            "grafana",
            ComponentState::Failed,
            "0/1",
            "cannot pull grafana/grafana:99: access denied: it does not exist, or needs a pull secret",
            71.0,
        );
        assert_eq!(
            component(&long, 18, &WIDE),
            "  grafana              failed     0/1  cannot pull grafana/grafana:99: a…  1m11s"
        );
        assert_eq!(
            component(&long, 18, &LOG),
            "  grafana              failed     0/1  cannot pull grafana/grafana:99: access denied: it does \
             not exist, or needs a pull secret  1m11s"
        );
    }

    #[test]
    fn components_at_40_columns() {
        let line = component(
            &row("kube-state-metrics", ComponentState::Starting, "0/1", "image is pulled", 21.0),
            18,
            &NARROW,
        );
        assert_eq!(line, "  kube-state-m… starting 0/1         21s");
        assert!(width(&line) <= 40);
    }

    #[test]
    fn the_usual_time_is_shown_where_there_is_room() {
        let mut grafana = row("grafana", ComponentState::Starting, "0/1", "", 21.0);
        grafana.usual = Some(25.0);
        let wide = Layout { columns: 100, ..WIDE };
        assert_eq!(
            component(&grafana, 18, &wide),
            "  grafana              starting   0/1                                        21s   usually 25s"
        );
        grafana.why = "readiness probe: connection refused".into();
        assert_eq!(
            component(&grafana, 18, &WIDE),
            "  grafana              starting   0/1  readiness probe: connection…  21s of ~25s"
        );
        assert_eq!(component(&grafana, 18, &NARROW), "  grafana       starting 0/1         21s");
        grafana.state = ComponentState::Ready;
        for layout in [&wide, &WIDE] {
            let line = component(&grafana, 18, layout);
            assert!(line.ends_with(" 21s"), "{line}");
        }
    }

    #[test]
    fn colour_adds_and_never_carries() {
        let painted = Layout { paint: Paint { colour: true }, ..WIDE };
        let ready = row("grafana", ComponentState::Ready, "1/1", "", 21.0);
        let line = component(&ready, 18, &painted);
        assert_ne!(line, component(&ready, 18, &WIDE));
        assert_eq!(console::strip_ansi_codes(&gate::open(&line)), component(&ready, 18, &WIDE));
    }

    #[test]
    fn a_heartbeat_names_what_is_awaited() {
        let grafana = row("grafana", ComponentState::Starting, "0/1", "readiness probe: HTTP 503", 90.0);
        let loki = row("loki", ComponentState::Starting, "0/1", "", 90.0);
        assert_eq!(
            heartbeat(&[&grafana], Some(Phase::Ready), "", 90.0),
            "  still waiting for grafana (1m30s): readiness probe: HTTP 503"
        );
        assert_eq!(
            heartbeat(&[&grafana, &loki], None, "", 90.0),
            "  still waiting for grafana, loki (1m30s)"
        );
        assert_eq!(heartbeat(&[], Some(Phase::Applied), "", 30.0), "  still applying (30s)");
        assert_eq!(
            heartbeat(&[], Some(Phase::Healthy), "7 of 10 checks pass; targets are up: 2 are down", 30.0),
            "  still testing (30s): 7 of 10 checks pass; targets are up: 2 are down"
        );
    }
}
