//! Which of the lines that a store gives again and again are new. A store is asked for the last seconds each
//! time, and now and then for longer, since lines arrive late and in any order: from nodes with a full buffer,
//! after an outage, from a store that shows them after a while.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::answer::Line;
use super::span::Span;

/// How far each look goes back.
const SHORT: SignedDuration = SignedDuration::from_secs(10);
/// How far one in so many looks goes back.
const LONG: SignedDuration = SignedDuration::from_secs(180);
const LONG_EVERY: u32 = 10;
/// Clocks of nodes that are ahead.
const AHEAD: SignedDuration = SignedDuration::from_secs(600);
/// Behind newer lines by so much a line is called late.
const LATE: SignedDuration = SignedDuration::from_secs(1);

/// What has been seen.
#[derive(Debug)]
pub struct Follow {
    /// Nothing before it is wanted.
    begin: Timestamp,
    /// When each line that may come again was written.
    seen: HashMap<u128, Timestamp>,
    newest: Option<Timestamp>,
    looks: u32,
    /// The end of the last look that succeeded.
    looked: Timestamp,
}

/// A line that was not seen before.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// The line.
    pub line: Line,
    /// Were newer lines told before it?
    pub late: bool,
}

impl Follow {
    /// From `begin` on.
    pub fn new(begin: Timestamp) -> Self {
        Self { begin, seen: HashMap::new(), newest: None, looks: 0, looked: begin }
    }

    /// What to ask for next.
    pub fn next(&self, now: Timestamp) -> Span {
        // an outage is looked over as a whole
        let back = if self.looks.is_multiple_of(LONG_EVERY) { LONG } else { SHORT };
        let from = self.looked.min(now) - back;
        Span { from: from.max(self.begin), until: now + AHEAD }
    }

    /// What of an answer is new, the oldest first. `now` is the time at which it was asked for.
    pub fn take(&mut self, mut lines: Vec<Line>, now: Timestamp) -> Vec<New> {
        lines.sort_by_key(Line::order);
        let before = self.newest;
        let mut new = Vec::new();
        for line in lines {
            if line.time < self.begin || self.seen.insert(line.id, line.time).is_some() {
                continue;
            }
            self.newest = self.newest.max(Some(line.time));
            let late = before.is_some_and(|before| line.time < before - LATE);
            new.push(New { line, late });
        }
        self.looks = self.looks.wrapping_add(1);
        self.looked = now;
        let old = now - LONG - LONG;
        self.seen.retain(|_, time| *time >= old);
        new
    }

    /// How far the newest line was behind when it came, where that is worth a word.
    pub fn lag(new: &[New], now: Timestamp) -> Option<SignedDuration> {
        let newest = new.iter().map(|new| new.line.time).max()?;
        let lag = now.duration_since(newest);
        (lag > SignedDuration::from_secs(30)).then_some(lag)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(nanoseconds: i64) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(1_795_687_445 * SECOND) + i128::from(nanoseconds)).unwrap()
    }

    fn line(id: u128, time: Timestamp) -> Line {
        Line { time, line: id.to_string(), id, ..Line::default() }
    }

    proptest! {
        /// Lines that arrive up to a minute after they were written, looked for at uneven times, with looks
        /// that fail: each of them comes once.
        #[test]
        fn each_line_comes_once(
            lines in prop::collection::vec((0..120 * SECOND, 0..60 * SECOND), 0..200),
            looks in prop::collection::vec((SECOND / 10..3 * SECOND, prop::bool::weighted(0.2)), 200),
        ) {
            let mut follow = Follow::new(at(0));
            let mut told = Vec::new();
            let mut now = 0;
            for (pause, fails) in looks {
                now += pause;
                let span = follow.next(at(now));
                if fails && now < 150 * SECOND {
                    continue;
                }
                let there = lines.iter().enumerate().filter(|(_, (written, delay))| written + delay <= now);
                let answer = there.filter(|(_, (written, _))| span.from <= at(*written) && at(*written) < span.until);
                let answer = answer.map(|(id, (written, _))| line(id as u128, at(*written))).collect();
                told.extend(follow.take(answer, at(now)).into_iter().map(|new| new.line.id));
            }
            prop_assume!(now > 220 * SECOND);
            told.sort_unstable();
            let all: Vec<u128> = (0..lines.len() as u128).collect();
            prop_assert_eq!(told, all);
        }
    }

    #[test]
    fn late_lines_are_marked_and_old_ones_are_not_wanted() {
        let mut follow = Follow::new(at(0));
        let first =
            follow.take(vec![line(1, at(5 * SECOND)), line(2, at(SECOND)), line(3, at(-1))], at(6 * SECOND));
        let told: Vec<(u128, bool)> = first.iter().map(|new| (new.line.id, new.late)).collect();
        assert_eq!(told, [(2, false), (1, false)]);
        let next = follow.take(vec![line(4, at(3 * SECOND)), line(5, at(5 * SECOND - 1))], at(7 * SECOND));
        let told: Vec<(u128, bool)> = next.iter().map(|new| (new.line.id, new.late)).collect();
        assert_eq!(told, [(4, true), (5, false)]);
        assert_eq!(Follow::lag(&next, at(7 * SECOND)), None);
        assert_eq!(Follow::lag(&next, at(45 * SECOND)).unwrap().as_secs(), 40);
    }

    #[test]
    fn what_cannot_come_again_is_forgotten() {
        let mut follow = Follow::new(at(0));
        follow.take(vec![line(1, at(0))], at(0));
        follow.take(Vec::new(), at(1_000 * SECOND));
        assert!(follow.seen.is_empty());
    }
}
