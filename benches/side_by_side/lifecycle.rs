//! One release of 100 objects from its install to its uninstall, three times side by side: ours,
//! Helm's and the bare client's, stage by stage in turns. Nothing is waited for, and everything is
//! server-side apply.

use serde_json::Value;

use crate::contest::{Contest, OURS, Rows, Series, collections, progress, rest, text};
use crate::floor::{self, Request};
use crate::load::{OTHER, SMALL, Size};
use crate::measure::{self, Sample};
use crate::{chart, load};

/// How many objects.
const OBJECTS: usize = 100;
/// What ours and Helm's have in common.
const RELEASE: &str = "--release=load";

/// What warms the API server up.
const WARM_UP: [Option<&str>; 2] = [Some("install-100"), Some("uninstall")];

/// The requests of the bare client in a namespace, for objects before and after.
type Bare = fn(&str, &[Value], &[Value]) -> Vec<Vec<Request>>;

/// One command of a release's life.
struct Stage {
    /// The row; None: only for what comes after.
    row: Option<&'static str>,
    ours: &'static [&'static str],
    /// None where Helm has no such command.
    peer: Option<&'static [&'static str]>,
    bare: Bare,
    /// Which of the loads is there afterwards; None: nothing is.
    leaves: Option<usize>,
}

/// The words `BUNDLE0`, `CHART1` and so on stand for the loads: as made, one object changed, all
/// changed.
const STAGES: [Stage; 7] = [
    Stage {
        row: Some("install-100"),
        ours: &["install", "BUNDLE0", "--wait=none", "--yes"],
        peer: Some(&["install", "load", "CHART0", "--create-namespace", "--server-side=true"]),
        bare: |name, _, after| vec![vec![Request::apply(&floor::namespace(name))], apply(after)],
        leaves: Some(0),
    },
    Stage {
        row: Some("upgrade-one"),
        ours: &["upgrade", "BUNDLE1", "--wait=none", "--yes"],
        peer: Some(&["upgrade", "load", "CHART1", "--server-side=true"]),
        bare: |_, before, after| {
            let changed = after.iter().zip(before).filter(|(after, before)| after != before);
            vec![changed.map(|(after, _)| Request::apply(after)).collect()]
        },
        leaves: Some(1),
    },
    Stage {
        row: Some("upgrade-noop"),
        ours: &["upgrade", "BUNDLE1", "--wait=none", "--yes"],
        peer: Some(&["upgrade", "load", "CHART1", "--server-side=true"]),
        bare: |name, before, _| vec![lists(name, before)],
        leaves: Some(1),
    },
    Stage {
        row: Some("diff"),
        ours: &["diff", "BUNDLE1"],
        peer: None,
        bare: |name, before, _| vec![lists(name, before)],
        leaves: Some(1),
    },
    Stage {
        row: None,
        ours: &["upgrade", "BUNDLE2", "--wait=none", "--yes"],
        peer: Some(&["upgrade", "load", "CHART2", "--server-side=true"]),
        bare: |_, _, after| vec![apply(after)],
        leaves: Some(2),
    },
    // all objects change back
    Stage {
        row: Some("rollback"),
        ours: &["rollback", "1", "--wait=none", "--yes"],
        peer: Some(&["rollback", "load", "1", "--server-side=true"]),
        bare: |_, _, after| vec![apply(after)],
        leaves: Some(0),
    },
    Stage {
        row: Some("uninstall"),
        ours: &["uninstall", "--yes"],
        peer: Some(&["uninstall", "load"]),
        bare: |_, before, _| vec![before.iter().map(Request::delete).collect()],
        leaves: None,
    },
];

/// All stages, `pairs` times after some to warm the API server up.
pub(crate) fn run(contest: &Contest, pairs: u32) -> Rows {
    let objects = load::objects(OBJECTS, Size::Mixed);
    let loads = [objects.clone(), load::one_changed(&objects), load::all_changed(&objects)];
    let rendered: Vec<Vec<Value>> = (0..)
        .zip(&loads)
        .map(|(i, objects)| {
            let bundle = contest.path(&format!("bundle-{i}"));
            load::write(&bundle, objects);
            let rendered = contest.rendered(&[&text(&bundle), RELEASE]);
            chart::write(&contest.path(&format!("chart-{i}")), &rendered);
            rendered
        })
        .collect();
    let mut rows: Vec<Series> = STAGES.iter().map(|_| Series::default()).collect();
    for pair in 0..=pairs {
        progress("install-100 … uninstall", pair, pairs);
        let [ours, peer, bare] =
            ["ours", "peer", "floor"].map(|who| contest.namespace(&format!("{pair}-{who}")));
        let mut before: &[Value] = &[];
        for (stage, series) in STAGES.iter().zip(&mut rows) {
            if pair == 0 && !WARM_UP.contains(&stage.row) {
                continue;
            }
            let after = stage.leaves.map_or(&[][..], |i| &rendered[i]);
            let measured = |samples: &mut Vec<Sample>, sample| {
                if pair > 0 {
                    samples.push(sample);
                }
            };
            let words = contest.ours_there(&contest.words(stage.ours, &[RELEASE], &ours));
            measured(&mut series.ours, contest.timed(&words, &ours, stage, &objects));
            if let Some(words) = stage.peer {
                let words = contest.helm_there(&contest.words(words, &[], &peer));
                measured(&mut series.peer, contest.timed(&words, &peer, stage, &objects));
            }
            let here = |objects| floor::in_namespace(objects, &bare);
            let words = contest.bare(&(stage.bare)(&bare, &here(before), &here(after)));
            measured(&mut series.floor, contest.timed(&words, &bare, stage, &objects));
            before = after;
        }
    }
    STAGES.iter().zip(rows).filter_map(|(stage, series)| Some((stage.row?, series))).collect()
}

impl Contest {
    /// The words of a stage, with paths for the names of bundles and charts.
    fn words(&self, words: &[&str], more: &[&str], namespace: &str) -> Vec<String> {
        let path = |word: &str| {
            let (kind, i) = word.split_at_checked(word.len().checked_sub(1)?)?;
            let folder = match kind {
                "BUNDLE" => "bundle",
                "CHART" => "chart",
                _ => return None,
            };
            Some(text(&self.path(&format!("{folder}-{i}"))))
        };
        let words = words.iter().map(|word| path(word).unwrap_or_else(|| (*word).to_owned()));
        let more = more.iter().map(|word| (*word).to_owned());
        words.chain(more).chain([format!("--namespace={namespace}")]).collect()
    }

    /// Measures the command and checks that it did the work.
    fn timed(&self, command: &[String], namespace: &str, stage: &Stage, load: &[Value]) -> Sample {
        let sample = measure::run(command);
        let expected = if stage.leaves.is_some() { OBJECTS } else { 0 };
        let found = self.count(namespace, load);
        assert_eq!(found, expected, "$ {}\nleft another number of objects", command.join(" "));
        if let Some(stage) = stage.leaves {
            let path = format!("/api/v1/namespaces/{namespace}/configmaps/load-load-small-0");
            let object = self.send(&Request::get(path));
            let state = [&object["data"]["file.yaml"], &object["metadata"]["annotations"]["bench/round"]];
            let expected = [[Some(SMALL), None], [Some(OTHER), None], [Some(SMALL), Some("2")]][stage];
            assert_eq!(state.map(Value::as_str), expected, "$ {}\ndid something else", command.join(" "));
        }
        rest();
        sample
    }
}

fn apply(objects: &[Value]) -> Vec<Request> {
    objects.iter().map(Request::apply).collect()
}

/// What it takes to see that nothing changed: a list for each kind.
fn lists(namespace: &str, objects: &[Value]) -> Vec<Request> {
    let paths = collections(objects, namespace);
    paths.into_iter().map(|path| Request::get(format!("{path}?{OURS}"))).collect()
}
