//! A driver to look at progress in a real terminal, as no assertion can:
//! `cargo test --lib ui::demo -- --ignored --nocapture`. `OBS_DEMO=panic` ends in the middle,
//! `OBS_DEMO=ask` and `OBS_DEMO=name` ask in between, `OBS_DEMO=many` has more components than a
//! screen has lines, `OBS_DEMO=others` has somebody else who writes in between.

use std::time::Duration;

use super::{Options, Ui};
use crate::event::{Action, ComponentState, Event, Observer, Phase};
use crate::object::ObjectId;
use crate::readiness::explain::{Cause, Explanation};

#[test]
#[ignore = "for a person's eyes"]
fn demo() {
    super::install_panic_hook();
    // As in main: without a handler the signal that dialoguer raises would end the process.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let _interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    let ui = Ui::new(Options::default());
    let progress = ui.progress();
    let wait = |tenths: u64| std::thread::sleep(Duration::from_millis(tenths * 100));
    progress.event(Event::sample_start());
    progress.event(Event::PhaseStarted { phase: Phase::Checked, total: None });
    wait(8);
    progress.event(Event::PhaseDone {
        phase: Phase::Checked,
        summary: "61 objects, rights, storage, PodSecurity".into(),
        seconds: 0.8,
    });
    let mode = std::env::var("OBS_DEMO").unwrap_or_default();
    if mode == "ask" || mode == "name" {
        progress.event(Event::PhaseStarted { phase: Phase::Applied, total: None });
        wait(3);
        let answer = match mode.as_str() {
            "ask" => ui.confirm("install"),
            _ => ui.type_name("deleting the data of release obs", "obs"),
        };
        match answer {
            Ok(answer) => ui.note(&format!("answer: {answer}")),
            Err(error) => {
                drop(progress);
                ui.error(&error);
                #[expect(clippy::disallowed_methods, reason = "a test has no exit code of its own")]
                std::process::exit(error.exit().code().into());
            }
        }
    }
    progress.event(Event::PhaseStarted { phase: Phase::Applied, total: Some(61) });
    for _ in 0..61 {
        let object =
            ObjectId { group: String::new(), kind: "ConfigMap".into(), namespace: None, name: "x".into() };
        progress.event(Event::Object { action: Action::Created, object });
        std::thread::sleep(Duration::from_millis(15));
    }
    progress.event(Event::Warning { message: "the namespace was there before and is not labelled".into() });
    progress.event(Event::PhaseDone { phase: Phase::Applied, summary: "61 created".into(), seconds: 0.9 });
    progress.event(Event::PhaseStarted { phase: Phase::Ready, total: None });
    let names = ["prometheus", "alertmanager", "grafana", "loki", "kube-state-metrics", "node-exporter"];
    let more: Vec<String> = (1..=40).map(|i| format!("component-{i}")).collect();
    let component = |name: &str, state, ready: &str, why: &str, seconds| {
        progress.event(Event::Component {
            name: name.into(),
            state,
            ready: ready.into(),
            why: why.into(),
            seconds,
        });
    };
    progress.event(Event::Usual { name: "grafana".into(), seconds: 25.0 });
    for name in names {
        component(name, ComponentState::Starting, "0/1", "", 0.0);
    }
    if mode == "many" {
        for name in &more {
            component(name, ComponentState::Starting, "0/1", "image is pulled", 0.0);
        }
        for name in &more {
            wait(4);
            component(name, ComponentState::Ready, "1/1", "", 1.0);
        }
    }
    if mode == "others" {
        for i in 0..8 {
            wait(7);
            eprintln!("I1121 15:04:05 somebody else says {i}");
        }
    }
    wait(15);
    component("node-exporter", ComponentState::Ready, "3/3 nodes", "", 1.5);
    component("prometheus", ComponentState::Starting, "0/1", "container prometheus is being created", 1.5);
    component("grafana", ComponentState::Starting, "0/1", "readiness probe: connection refused", 1.5);
    wait(15);
    component("kube-state-metrics", ComponentState::Ready, "1/1", "", 3.0);
    ui.note("a line of talk while the bars are on the screen");
    assert!(mode != "panic", "the demo was asked to panic");
    wait(15);
    let why = "cannot pull grafana/grafana:99: access denied: it does not exist, or needs a pull secret";
    component("grafana", ComponentState::Failed, "0/1", why, 4.5);
    wait(15);
    for name in ["prometheus", "alertmanager", "loki"] {
        component(name, ComponentState::Ready, "1/1", "", 6.0);
    }
    wait(10);
    drop(progress);
    let explanation = Explanation {
        cause: Cause::Image,
        headline: "grafana is not ready: container grafana cannot pull image \"grafana/grafana:99\": not found".into(),
        short: String::new(),
        evidence: vec!["Event (12s ago): Failed to pull image \"grafana/grafana:99\": rpc error: code = NotFound desc = not found".into()],
        hint: Some("set grafana.image.tag\nkubectl obs upgrade --set grafana.image.tag=13.0.9".into()),
        hopeless: true,
        missing: None,
    };
    ui.note("");
    ui.error(&explanation.into_error());
}
