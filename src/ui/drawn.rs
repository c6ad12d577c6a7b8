//! What a person sees: events drawn on a terminal that can be looked at, resized and written to by
//! others. It breaks lines anew when its width changes, as most terminals do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::progress::Bars;
use super::tty::{Size, Terminal};
use crate::event::{Action, ComponentState, Event, Phase};
use crate::object::ObjectId;

/// A terminal, and a record of what was written to it.
#[derive(Clone)]
struct Emulator {
    screen: Arc<Mutex<avt::Terminal>>,
    writes: Arc<Mutex<Vec<String>>>,
    below: Arc<AtomicUsize>,
}

impl Emulator {
    fn new(columns: usize, rows: usize) -> Self {
        let screen = avt::Terminal::with_scrollback(columns, rows, None).expect("a size");
        Self { screen: Arc::new(Mutex::new(screen)), writes: Arc::default(), below: Arc::default() }
    }

    fn screen(&self) -> MutexGuard<'_, avt::Terminal> {
        self.screen.lock().expect("not poisoned")
    }

    /// Somebody else writes.
    fn other(&self, text: &str) {
        self.screen().feed(text);
    }

    fn resize(&self, columns: usize, rows: usize) {
        self.screen().resize(columns, rows);
    }

    /// The lines on the screen, without empty ones at its end.
    fn seen(&self) -> Vec<String> {
        let screen = self.screen();
        let lines = screen.screen().visible_lines().map(|line| line.text().trim_end().to_owned());
        let mut lines: Vec<String> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// All lines, also those that have left the screen, with broken ones joined again.
    fn all(&self) -> Vec<String> {
        let screen = self.screen();
        let mut lines: Vec<String> =
            screen.screen().text().iter().map(|line| line.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.lock().expect("not poisoned"))
    }

    /// Column and row; None when it is hidden.
    fn cursor(&self) -> Option<(usize, usize)> {
        self.screen().cursor().position()
    }
}

impl Terminal for Emulator {
    fn size(&self) -> Size {
        let (columns, rows) = self.screen().size();
        Size { rows, columns }
    }

    fn write(&mut self, text: &str) {
        self.screen().feed(text);
        self.writes.lock().expect("not poisoned").push(text.to_owned());
    }

    fn below(&self) -> &AtomicUsize {
        &self.below
    }

    fn is_ours(&self) -> bool {
        true
    }
}

/// An operation that is shown on a terminal. Time passes when it is told to.
struct Shown {
    terminal: Emulator,
    bars: Bars,
    now: Instant,
}

impl Shown {
    fn new(columns: usize, rows: usize) -> Self {
        let terminal = Emulator::new(columns, rows);
        let bars = Bars::on(Box::new(terminal.clone()), false);
        Self { terminal, bars, now: Instant::now() }
    }

    /// The install of the tests, up to the wait.
    fn waiting(columns: usize, rows: usize) -> Self {
        let shown = Self::new(columns, rows);
        shown.take(Event::sample_start());
        shown.take(Event::PhaseStarted { phase: Phase::Applied, total: Some(61) });
        shown.done(Phase::Applied, "61 created", 0.9);
        shown.take(Event::PhaseStarted { phase: Phase::Ready, total: None });
        shown
    }

    fn take(&self, event: Event) {
        self.bars.take(&event, self.now);
    }

    fn done(&self, phase: Phase, summary: &str, seconds: f64) {
        self.take(Event::PhaseDone { phase, summary: summary.into(), seconds });
    }

    fn component(&self, name: &str, state: ComponentState, ready: &str, why: &str) {
        let (name, ready, why) = (name.into(), ready.into(), why.into());
        self.take(Event::Component { name, state, ready, why, seconds: 0.0 });
    }

    fn starting(&self, name: &str, why: &str) {
        self.component(name, ComponentState::Starting, "0/1", why);
    }

    fn ready(&self, name: &str) {
        self.component(name, ComponentState::Ready, "1/1", "");
    }

    /// Time passes, in ticks of the clock.
    fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            self.bars.tick(self.now);
        }
    }

    fn end(&self) {
        self.bars.end(self.now);
    }
}

#[test]
fn an_install_at_80_columns_and_24_rows() {
    let mut shown = Shown::waiting(80, 24);
    shown.take(Event::Usual { name: "grafana".into(), seconds: 25.0 });
    shown.starting("prometheus", "container prometheus is being created");
    shown.starting("grafana", "");
    shown.pass(3);
    shown.ready("prometheus");
    shown.starting("grafana", "readiness probe: Get \"http://10.0.0.7:3000/api/health\": connection refused");
    shown.pass(9);
    assert_eq!(
        shown.terminal.seen(),
        [
            "observability stack 1.0.0 → release obs in namespace observability (cluster",
            "kind-dev, Kubernetes 1.34)",
            "",
            "✔ applied     61 created                                                    0.9s",
            "",
            "  prometheus           ready      1/1                                         0s",
            "  grafana              starting   0/1  readiness probe: Get \"http:/…  9s of ~25s",
        ]
    );
    assert_eq!(shown.terminal.cursor(), Some((0, 4)), "it rests above the changing lines, and is visible");

    shown.ready("grafana");
    shown.done(Phase::Ready, "2 components", 12.0);
    shown.end();
    assert_eq!(
        shown.terminal.seen()[3..],
        [
            "✔ applied     61 created                                                    0.9s",
            "  prometheus           ready      1/1                                         0s",
            "  grafana              ready      1/1                                         0s",
            "✔ ready       2 components                                                   12s",
        ]
    );
    assert_eq!(shown.terminal.cursor(), Some((0, 7)), "on the line below");
}

#[test]
fn more_components_than_lines_fold_the_ready_ones() {
    let mut shown = Shown::waiting(80, 24);
    let names: Vec<String> = (0..40).map(|i| format!("component-{i}")).collect();
    names.iter().for_each(|name| shown.starting(name, "image is pulled"));
    shown.pass(1);
    let seen = shown.terminal.seen();
    assert_eq!(seen.len(), 24, "{seen:#?}");
    assert_eq!(seen.last().map(String::as_str), Some("  … 19 more starting"), "{seen:#?}");

    for name in &names[..30] {
        shown.ready(name);
    }
    shown.component("component-35", ComponentState::Failed, "0/1", "cannot pull x:y: not found");
    shown.pass(1);
    let seen = shown.terminal.seen();
    assert_eq!(seen.last().map(String::as_str), Some("  … 19 more ready"), "{seen:#?}");
    let unready = seen.iter().filter(|line| line.contains("starting") || line.contains("failed")).count();
    assert_eq!(unready, 10, "what is not ready has a line: {seen:#?}");

    // at the end each has its line, once
    shown.end();
    let all = shown.terminal.all();
    for name in &names {
        let lines = all.iter().filter(|line| line.split_whitespace().next() == Some(name)).count();
        assert_eq!(lines, 1, "{name}: {all:#?}");
    }
}

#[test]
fn a_small_terminal_shows_what_counts() {
    let mut shown = Shown::waiting(40, 10);
    for name in ["alertmanager", "blackbox-exporter", "grafana", "kube-state-metrics", "node-exporter"] {
        shown.ready(name);
    }
    shown.starting("loki", "監視のためのコンテナを起動しています");
    shown.starting("prometheus", "container prometheus is being created");
    shown.pass(2);
    let seen = shown.terminal.seen();
    assert_eq!(
        seen,
        [
            "",
            "✔ applied     61 created            0.9s",
            "",
            "  alertmanager  ready    1/1          0s",
            "  blackbox-exp… ready    1/1          0s",
            "  grafana       ready    1/1          0s",
            "  kube-state-m… ready    1/1          0s",
            "  node-exporter ready    1/1          0s",
            "  loki          starting 0/1  監視…   2s",
            "  prometheus    starting 0/1  conta…  2s",
        ]
    );
}

#[test]
fn resizing_leaves_nothing_behind() {
    let mut shown = Shown::waiting(80, 24);
    let names: Vec<String> = (0..12).map(|i| format!("component-{i}")).collect();
    names.iter().for_each(|name| shown.starting(name, "a reason that is as long as the line is wide"));
    for (columns, rows) in
        [(40, 24), (120, 24), (80, 10), (80, 24), (33, 9), (200, 50), (20, 24), (80, 3), (80, 24)]
    {
        shown.pass(1);
        shown.terminal.resize(columns, rows);
        shown.pass(1);
        let seen = shown.terminal.seen();
        let lines = |seen: &[String]| seen.iter().filter(|line| line.contains("start")).count();
        let room = if rows > 20 { 12 } else { (rows - 2).min(12) };
        // a folded line stands for the rest
        assert!(lines(&seen) <= room && seen.len() <= rows, "{columns}×{rows}: {seen:#?}");
        if rows > 20 {
            assert_eq!(lines(&seen), 12, "{columns}×{rows}: {seen:#?}");
        }
        assert!(shown.terminal.cursor().is_some());
    }
    shown.end();
    let all = shown.terminal.all();
    let lines = all.iter().filter(|line| line.contains("component-")).count();
    assert_eq!(lines, 12, "each once, also among what has left the screen: {all:#?}");
}

#[test]
fn lines_of_others_survive() {
    let mut shown = Shown::waiting(80, 24);
    shown.starting("prometheus", "");
    shown.starting("grafana", "");
    shown.pass(1);
    shown.terminal.other("I1121 credentials.go:42] the token was renewed\r\n");
    shown.pass(2);
    shown.terminal.other("\r\n");
    shown.pass(2);
    shown.bars.line("a line of our own");
    shown.terminal.other("enter the code: ");
    shown.pass(2);
    let seen = shown.terminal.seen();
    assert_eq!(
        seen[4..],
        [
            "I1121 credentials.go:42] the token was renewed",
            "",
            "a line of our own",
            "enter the code:",
            "  prometheus           starting   0/1                                         7s",
            "  grafana              starting   0/1                                         7s",
        ]
    );
    assert_eq!(shown.terminal.cursor(), Some((16, 7)), "where the answer is typed");
}

#[test]
fn at_the_last_row_lines_of_others_survive_too() {
    let mut shown = Shown::waiting(80, 8);
    shown.starting("prometheus", "");
    shown.starting("grafana", "");
    for i in 0..6 {
        shown.pass(1);
        shown.terminal.other(&format!("other {i}\r\n"));
    }
    shown.pass(2);
    let all = shown.terminal.all();
    for i in 0..6 {
        assert_eq!(all.iter().filter(|line| **line == format!("other {i}")).count(), 1, "{all:#?}");
    }
    assert_eq!(all.iter().filter(|line| line.contains("starting")).count(), 2, "{all:#?}");
}

#[test]
fn a_frame_is_one_write_of_what_changed() {
    let mut shown = Shown::waiting(80, 24);
    shown.ready("prometheus");
    shown.starting("grafana", "");
    shown.pass(1);
    shown.terminal.writes();

    shown.now += Duration::from_millis(100);
    shown.starting("grafana", "connection refused");
    assert!(shown.terminal.writes().is_empty(), "the clock draws");
    shown.bars.tick(shown.now);
    let writes = shown.terminal.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(writes[0].contains("grafana") && !writes[0].contains("prometheus"), "{writes:?}");
    assert!(!writes[0].contains("\x1b[J") && !writes[0].contains("\x1b[2K"), "nothing is erased first");

    shown.bars.tick(shown.now);
    assert!(shown.terminal.writes().is_empty(), "nothing changed");

    // ten components that change a hundred times a second
    for i in 0..1000_u32 {
        shown.starting(&format!("component-{}", i % 10), &format!("try {i}"));
        if i % 10 == 9 {
            shown.now += Duration::from_millis(10);
        }
        if i % 100 == 99 {
            shown.bars.tick(shown.now);
        }
    }
    assert_eq!(shown.terminal.writes().len(), 10, "ten frames a second");
}

#[test]
fn hundreds_of_objects_are_few_frames() {
    let shown = Shown::new(80, 24);
    shown.take(Event::PhaseStarted { phase: Phase::Applied, total: Some(600) });
    shown.terminal.writes();
    for _ in 0..600 {
        let object = ObjectId { group: String::new(), kind: "x".into(), namespace: None, name: "x".into() };
        shown.take(Event::Object { action: Action::Created, object });
    }
    assert!(shown.terminal.writes().is_empty());
    shown.bars.tick(shown.now);
    assert!(shown.terminal.seen()[1].contains("600 of 600 objects"), "{:?}", shown.terminal.seen());
}

#[test]
fn nothing_remains_of_what_changes_when_it_fails() {
    let mut shown = Shown::waiting(80, 24);
    shown.component("grafana", ComponentState::Failed, "0/1", "cannot pull x:y: not found");
    shown.starting("loki", "");
    shown.pass(2);
    // Ctrl-C is echoed
    shown.terminal.other("^C");
    shown.end();
    assert_eq!(
        shown.terminal.seen()[4..],
        [
            "  grafana              failed     0/1  cannot pull x:y: not found             0s",
            "  loki                 starting   0/1                                         2s",
        ]
    );
    shown.pass(1);
    assert_eq!(shown.terminal.cursor(), Some((0, 6)), "nothing is drawn any more");
}

#[test]
fn after_ctrl_z_it_goes_on_below_what_the_shell_wrote() {
    let mut shown = Shown::waiting(80, 24);
    shown.starting("grafana", "");
    shown.pass(1);
    // as `lend_terminal` does
    shown.terminal.below.store(0, Ordering::Relaxed);
    shown.terminal.other("\x1b[1B\r\n[1]+  Stopped\r\n$ fg\r\n");
    shown.pass(1);
    assert_eq!(
        shown.terminal.seen()[4..],
        [
            "",
            "  grafana              starting   0/1                                         1s",
            "[1]+  Stopped",
            "$ fg",
            "",
            "  grafana              starting   0/1                                         2s",
        ]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    /// Whatever the terminal's size does and whatever others write: at the end each line stands there
    /// once, and while it lasts nothing stands below the changing lines.
    #[test]
    fn whatever_happens_every_line_stands_once(
        steps in proptest::collection::vec((0..4_u8, 20..130_usize, 4..40_usize), 1..40),
    ) {
        let mut shown = Shown::new(80, 24);
        let mut others = 0;
        let reasons = ["", "connection refused", "監視のためのコンテナを起動しています", "a reason longer than any line is"];
        for (i, (what, columns, rows)) in steps.into_iter().enumerate() {
            match what {
                0 => shown.terminal.resize(columns, rows),
                1 => {
                    shown.terminal.other(&format!("other {others}.\r\n"));
                    others += 1;
                }
                2 => shown.ready(&format!("c{}.", columns % 8)),
                _ => shown.starting(&format!("c{}.", columns % 8), reasons[rows % reasons.len()]),
            }
            shown.pass(1);
            let (_, cursor) = shown.terminal.cursor().expect("visible");
            let seen = shown.terminal.seen();
            let below = seen.iter().skip(cursor + 1).count();
            proptest::prop_assert!(below <= 9, "step {i}: {seen:#?}");
        }
        shown.end();
        let all = shown.terminal.all();
        for line in (0..others).map(|i| format!("other {i}.")) {
            proptest::prop_assert_eq!(all.iter().filter(|seen| **seen == line).count(), 1, "{} {:#?}", line, all);
        }
        for i in 0..8 {
            let lines = all.iter().filter(|line| line.starts_with(&format!("  c{i}. "))).count();
            proptest::prop_assert!(lines <= 1, "c{}: {:#?}", i, all);
        }
    }
}
