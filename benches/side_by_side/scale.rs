//! Larger loads: 100, 400 and 1,600 objects of 10 KiB each. There is no peer; the cost may grow with
//! the number of objects, and no faster.

use crate::contest::{Contest, Rows, Series, progress, rest, text};
use crate::floor::{self, Request};
use crate::load::{self, Size};
use crate::measure;

const SIZES: [(&str, usize); 3] = [("install-100-10k", 100), ("install-400", 400), ("install-1600", 1600)];

/// The first installations of all sizes, in turns.
pub(crate) fn run(contest: &Contest, rounds: u32) -> Rows {
    let mut rows: Rows = SIZES.iter().map(|(row, _)| (*row, Series::default())).collect();
    for round in 1..=rounds {
        for (&(name, n), (_, series)) in SIZES.iter().zip(&mut rows) {
            progress(name, round, rounds);
            // the components of an umbrella lie beside it
            let bundle = contest.path(&format!("scale-{n}/load"));
            let objects = load::objects(n, Size::Each(10 * 1024));
            load::write(&bundle, &objects);
            let bundle = text(&bundle);

            let [ours, bare] = ["ours", "floor"].map(|who| contest.namespace(&format!("{n}-{round}-{who}")));
            let own = format!("--namespace={ours}");
            let command =
                contest.ours_there(&["install", &bundle, "--release=load", "--wait=none", "--yes", &own]);
            series.ours.push(measure::run(&command));
            assert_eq!(contest.count(&ours, &objects), n, "{name} did not make all objects");
            rest();

            let objects = floor::in_namespace(&contest.rendered(&[&bundle, "--release=load"]), &bare);
            let waves = [
                vec![Request::apply(&floor::namespace(&bare))],
                objects.iter().map(Request::apply).collect(),
            ];
            series.floor.push(measure::run(&contest.bare(&waves)));
            rest();
        }
    }
    rows
}
