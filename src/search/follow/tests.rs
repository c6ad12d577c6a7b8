//! Stores that fail and lines that come late, played: each line has to come, and once.

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(1_795_687_445 * SECOND) + i128::from(nanoseconds)).unwrap()
}

fn line(id: u128, time: Timestamp) -> Line {
    Line { time, line: id.to_string(), id, ..Line::default() }
}

/// When a line was written, and when it was in the store.
type Written = (i64, i64);

/// Somebody who follows a store.
struct Played {
    follow: Follow,
    lines: Vec<Written>,
    /// Lines of one look, and of one page.
    most: usize,
    told: Vec<u128>,
    lag: Option<SignedDuration>,
    longest: SignedDuration,
}

impl Played {
    fn new(lines: Vec<Written>, most: usize) -> Self {
        let (follow, longest) = (Follow::new(at(0), at(0)), SignedDuration::ZERO);
        Self { follow, lines, most, told: Vec::new(), lag: None, longest }
    }

    /// One look; it may fail after its first page.
    fn look(&mut self, now: i64, fails: bool) {
        let span = self.follow.next(at(now));
        self.longest = self.longest.max(at(now).duration_since(span.from));
        let within = |(_, (written, there)): &(usize, &Written)| {
            *there <= now && span.from <= at(*written) && at(*written) < span.until
        };
        let mut found: Vec<(usize, &Written)> = self.lines.iter().enumerate().filter(within).collect();
        found.sort_by_key(|(_, (written, _))| *written);
        let page = if fails { self.most / 2 } else { self.most };
        let more = found.len() > page;
        found.truncate(page);
        if fails && !more {
            return self.follow.failed(at(now));
        }
        let edge = found.last().filter(|_| more).map(|(_, (written, _))| at(*written));
        let lines = found.into_iter().map(|(id, (written, _))| line(id as u128, at(*written))).collect();
        self.told.extend(self.follow.take(lines, edge, at(now)).into_iter().map(|new| new.line.id));
        if fails {
            return self.follow.failed(at(now));
        }
        self.lag = self.lag.max(self.follow.answered(!more, at(now)));
    }

    /// Looks as the operation does, each second and at once where there is more.
    fn run(&mut self, span: std::ops::Range<i64>, mut fails: impl FnMut(i64) -> bool) {
        for second in span {
            self.look(second * SECOND, fails(second));
            for _ in 0..100 {
                if !self.follow.goes_on() || self.follow.failing.is_some() {
                    break;
                }
                self.look(second * SECOND, false);
            }
        }
    }

    fn missing(&self) -> Vec<usize> {
        let known: std::collections::HashSet<u128> = self.told.iter().copied().collect();
        assert_eq!(known.len(), self.told.len(), "a line came twice");
        (0..self.lines.len()).filter(|id| !known.contains(&(*id as u128))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Lines that come up to fifty minutes after they were written, looked for at uneven times, with looks that
    /// fail and looks that are cut.
    #[test]
    fn each_line_comes_once(
        lines in prop::collection::vec((0..1_200 * SECOND, prop_oneof![0..5 * SECOND, 0..3_000 * SECOND]), 0..200),
        failing in prop::collection::vec(prop::bool::weighted(0.2), 1..50),
        most in 4usize..100,
    ) {
        let lines = lines.into_iter().map(|(written, delay)| (written, written + delay)).collect();
        let mut played = Played::new(lines, most);
        let mut failing = failing.into_iter().cycle();
        played.run(1..5_000, |second| failing.next().unwrap() && second < 4_000);
        prop_assert_eq!(played.missing(), Vec::<usize>::new());
    }

    /// An outage of the store, up to ten hours, after which what was written meanwhile comes bit by bit.
    #[test]
    fn what_was_written_in_an_outage_comes_when_it_is_over(
        lasts in 60i64..36_000,
        written in prop::collection::vec(0.0f64..1.0, 1..150),
        drains in 1i64..600,
        most in 10usize..100,
    ) {
        let begins = 300i64;
        let ends = begins + lasts;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a time")]
        let lines = written.iter().map(|share| {
            let written = begins * SECOND + (share * (lasts * SECOND) as f64) as i64;
            (written, ends * SECOND + (share * (drains * SECOND) as f64) as i64)
        });
        let mut played = Played::new(lines.collect(), most);
        played.run(1..begins, |_| false);
        for second in (begins..ends).step_by(15) {
            played.look(second * SECOND, true);
        }
        played.run(ends..ends + 1_300, |_| false);
        prop_assert_eq!(played.missing(), Vec::<usize>::new());
    }

    /// A collector that stands still for so long, while the store and the other nodes are well.
    #[test]
    fn the_backlog_of_one_node_comes(lasts in 10i64..3_000, every in 1i64..20) {
        let mut lines: Vec<Written> = (0..lasts / every).map(|n| (n * every * SECOND, lasts * SECOND)).collect();
        lines.extend((0..lasts / 10).map(|n| (n * 10 * SECOND + 7, n * 10 * SECOND + SECOND)));
        let mut played = Played::new(lines, 10_000);
        played.run(1..lasts + 700, |_| false);
        prop_assert_eq!(played.missing(), Vec::<usize>::new());
        prop_assert!(lasts < 200 || played.lag.is_some_and(|lag| lag.as_secs() > 100), "{:?}", played.lag);
    }
}

/// A laptop that slept: nothing failed, and what was written meanwhile comes in order, in pieces.
#[test]
fn after_a_sleep_all_comes_in_order() {
    let lines = (0..30_000).map(|second| (second * SECOND, second * SECOND)).collect();
    let mut played = Played::new(lines, 1_000);
    played.run(1..100, |_| false);
    played.run(30_000..30_700, |_| false);
    assert_eq!(played.missing(), Vec::<usize>::new());
    assert!(played.told.is_sorted(), "in order");
    assert_eq!(played.lag, None, "they were in the store at once");
}

/// A piece that ends early keeps what came before it, and the next one goes on there.
#[test]
fn a_page_that_fails_does_not_throw_the_others_away() {
    let lines = (0..1_000).map(|number| (number * SECOND, 0)).collect();
    let mut played = Played::new(lines, 100);
    played.look(1_000 * SECOND, true);
    assert_eq!(played.told, (0..50).collect::<Vec<_>>());
    assert_eq!(played.follow.next(at(1_000 * SECOND)).from, at(49 * SECOND));
}

/// Lines that always take a while keep no look from ending.
#[test]
fn a_delay_that_lasts_is_not_looked_back_to_for_ever() {
    let lines = (0..1_440).map(|n| (n * 10 * SECOND, (n * 10 + 90) * SECOND)).collect();
    let mut played = Played::new(lines, 10_000);
    played.run(1..14_000, |_| false);
    assert!(played.follow.trouble.len() < 20, "{:?}", played.follow.trouble);
    assert!(played.longest < seconds(3_601), "{:?}", played.longest);
    let lag = played.lag.map(|lag| lag.as_secs()).unwrap();
    assert!((75..=90).contains(&lag), "{lag}");
}

#[test]
fn late_lines_are_marked_and_old_ones_are_not_wanted() {
    let mut follow = Follow::new(at(0), at(0));
    let now = at(6 * SECOND);
    let first = follow.take(vec![line(1, at(5 * SECOND)), line(2, at(SECOND)), line(3, at(-1))], None, now);
    let told: Vec<(u128, bool)> = first.iter().map(|new| (new.line.id, new.late)).collect();
    assert_eq!(told, [(2, false), (1, false)]);
    let next = follow.take(vec![line(4, at(3 * SECOND)), line(5, at(5 * SECOND - 1))], None, now);
    let told: Vec<(u128, bool)> = next.iter().map(|new| (new.line.id, new.late)).collect();
    assert_eq!(told, [(4, true), (5, false)]);
}

#[test]
fn what_was_cut_off_does_not_come_as_late() {
    let moment = |number: u128| (0..number).map(|id| line(id, at(5 * SECOND))).collect::<Vec<Line>>();
    let span = Span { from: at(0), until: at(6 * SECOND) };
    let (mut follow, first) = Follow::after(span, moment(3), 2);
    assert_eq!(first.len(), 2);
    let mut all = moment(9);
    all.push(line(10, at(5 * SECOND + 1)));
    let told: Vec<u128> = follow.take(all, None, at(7 * SECOND)).iter().map(|new| new.line.id).collect();
    assert_eq!(told, [10]);
    // where nothing was cut, the first moment is wanted
    let (mut follow, first) = Follow::after(span, moment(2), 2);
    assert_eq!((first.len(), follow.take(vec![line(3, at(0))], None, at(7 * SECOND)).len()), (2, 1));
}

#[test]
fn what_cannot_come_again_is_forgotten() {
    let (mut follow, _) = Follow::after(Span { from: at(0), until: at(SECOND) }, vec![line(1, at(0))], 10);
    for second in 1..30_000 {
        follow.next(at(second * SECOND));
        follow.answered(true, at(second * SECOND));
    }
    assert!(follow.seen.is_empty());
    assert!(follow.next(at(30_000 * SECOND)).from > at(0), "it would come again");
}
