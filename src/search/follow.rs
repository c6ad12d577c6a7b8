//! Which of the lines that a store gives again and again are new, and from when on it is asked again. Lines
//! arrive late and in any order: from nodes with a full buffer, after an outage, from a store that shows them
//! after a while. So beside the newest seconds it is looked back, at times of the clock:
//!
//! | look | from when on | how often |
//! |---|---|---|
//! | newest | 10 s before the last one that ended | each time |
//! | back | 3 minutes, an hour | every 10 s, every 5 minutes |
//! | trouble | where an outage or a delay began | while lines come late, and for a while afterwards |
//!
//! A look that has more lines than are given at once goes on where it ended. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::answer::Line;
use super::span::Span;

const fn seconds(number: i64) -> SignedDuration {
    SignedDuration::from_secs(number)
}

/// How far a look for the newest lines goes back.
const SHORT: SignedDuration = seconds(10);
/// How far other looks go back, and how often.
const BACK: [(SignedDuration, SignedDuration); 2] =
    [(seconds(180), seconds(10)), (seconds(3_600), seconds(300))];
/// Clocks of nodes that are ahead.
const AHEAD: SignedDuration = seconds(600);
/// In the way of stores.
const MOMENT: SignedDuration = SignedDuration::from_nanos(1);
/// Behind newer lines by so much a line is called late.
const LATE: SignedDuration = seconds(1);
/// Lines that come so long after they were written are worth a word.
const SLOW: SignedDuration = seconds(30);
/// Lines that come so long after they were written are not the only ones.
const BEHIND: SignedDuration = seconds(60);
/// For how long after trouble it is looked back to its beginning: as long as it took, within these.
const CALM: (SignedDuration, SignedDuration) = (seconds(600), seconds(3_600));
/// How often it is looked back to the beginning of trouble: a twelfth of the time since then, within these.
const TROUBLE: (SignedDuration, SignedDuration) = (seconds(10), seconds(300));
/// Trouble that began longer ago is not looked back to.
const DEEPEST: SignedDuration = seconds(86_400);
/// For how long lines are remembered, unless trouble began earlier; and how many.
const KEPT: SignedDuration = seconds(6 * 3_600);
const MOST_KEPT: usize = 500_000;

/// What has been seen.
#[derive(Debug)]
pub struct Follow {
    /// Nothing before it is wanted, or known any more.
    begin: Timestamp,
    /// When each line that may come again was written.
    seen: HashMap<u128, Timestamp>,
    newest: Option<Timestamp>,
    /// What the last look of each kind that ended has seen; its end is when it began.
    known: [Span; KINDS],
    /// Looks that are under way.
    looks: [Option<Look>; 2],
    /// Which of them is asked for.
    place: usize,
    /// Is it looked back next?
    turn: bool,
    /// From when on lines may still come, and until when that is believed: in whole minutes.
    trouble: Vec<(Timestamp, Timestamp)>,
    /// When the last look before one that failed began.
    failing: Option<Timestamp>,
}

/// The kinds of looks.
const KINDS: usize = 4;
const NEWEST: usize = 0;
const SINCE_TROUBLE: usize = 3;

#[derive(Debug)]
struct Look {
    kind: usize,
    /// Where it began, and where it goes on.
    from: Timestamp,
    at: Timestamp,
    begun: Timestamp,
    /// The longest time that a new line took.
    lag: SignedDuration,
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
    /// After a look that gave all lines from `begin` until `now`.
    fn new(begin: Timestamp, now: Timestamp) -> Self {
        Self {
            begin,
            seen: HashMap::new(),
            newest: None,
            known: [Span { from: begin, until: now }; KINDS],
            looks: [None, None],
            place: 0,
            turn: false,
            trouble: Vec::new(),
            failing: None,
        }
    }

    /// After a look at a time that gave these lines, newest first; more than so many are not wanted. With those
    /// that are, the oldest first.
    pub fn after(span: Span, mut lines: Vec<Line>, limit: usize) -> (Self, Vec<New>) {
        let cut = lines.len() > limit;
        lines.truncate(limit);
        // what was cut off is not wanted later either, also what of it was written in the same moment
        let begin = match lines.last() {
            Some(oldest) if cut => oldest.time + MOMENT,
            _ => span.from,
        };
        let mut follow = Self::new(begin, span.until);
        lines.sort_by_key(Line::order);
        follow.newest = lines.iter().map(|line| line.time).max();
        follow.seen.extend(lines.iter().map(|line| (line.id, line.time)));
        (follow, lines.into_iter().map(|line| New { line, late: false }).collect())
    }

    /// What to ask for next.
    pub fn next(&mut self, now: Timestamp) -> Span {
        if self.failing.is_none() {
            self.trouble.retain(|(_, until)| *until >= now);
        }
        self.place = usize::from(std::mem::take(&mut self.turn));
        if self.place == 1 {
            let look = self.looks[1].take().unwrap_or_else(|| self.look_back(now));
            let span = Span { from: look.at.max(self.begin), until: look.begun };
            self.looks[1] = Some(look);
            return span;
        }
        let from = (self.known[NEWEST].until.min(now) - SHORT).max(self.begin);
        let new = Look { kind: NEWEST, from, at: from, begun: now, lag: SignedDuration::ZERO };
        let look = self.looks[0].get_or_insert(new);
        Span { from: look.at.max(self.begin), until: now + AHEAD }
    }

    /// Is it looked back, and not for the newest lines?
    pub fn looks_back(&self) -> bool {
        self.place == 1
    }

    /// Is there something to ask for at once?
    pub fn goes_on(&self) -> bool {
        self.turn || self.looks[0].is_some()
    }

    /// The look back whose time has come, the longest one first.
    fn due(&self, now: Timestamp) -> Option<(usize, Timestamp)> {
        let since = |kind: usize| now.duration_since(self.known[kind].until);
        if let Some(from) = self.earliest() {
            let every = now.duration_since(from) / 12;
            if since(SINCE_TROUBLE) >= every.clamp(TROUBLE.0, TROUBLE.1) {
                return Some((SINCE_TROUBLE, from));
            }
        }
        let back = BACK.iter().enumerate().rev().map(|(at, (back, every))| (at + 1, *back, *every));
        let mut due = back.filter(|(kind, _, every)| since(*kind) >= *every);
        due.next().map(|(kind, back, _)| (kind, now - back))
    }

    fn look_back(&mut self, now: Timestamp) -> Look {
        self.forget(now);
        let (kind, from) = self.due(now).unwrap_or((1, now - BACK[0].0));
        let from = from.max(self.begin);
        Look { kind, from, at: from, begun: now, lag: SignedDuration::ZERO }
    }

    /// What of an answer is new, the oldest first. `edge` is where the answer ends, if there is more behind it.
    pub fn take(&mut self, mut lines: Vec<Line>, edge: Option<Timestamp>, now: Timestamp) -> Vec<New> {
        lines.sort_by_key(Line::order);
        let before = self.newest;
        let mut new = Vec::new();
        for line in lines {
            if line.time < self.begin || self.seen.insert(line.id, line.time).is_some() {
                continue;
            }
            self.newest = self.newest.max(Some(line.time));
            self.came(line.time, now);
            let late = before.is_some_and(|before| line.time < before - LATE);
            new.push(New { line, late });
        }
        if let (Some(look), Some(edge)) = (&mut self.looks[self.place], edge) {
            look.at = look.at.max(edge);
        }
        if self.seen.len() > MOST_KEPT + MOST_KEPT / 4 {
            self.forget(now);
        }
        new
    }

    /// A line is new, though looks over that time may have ended before.
    fn came(&mut self, time: Timestamp, now: Timestamp) {
        let over = self.known.iter().filter(|span| span.from <= time && time < span.until);
        let Some(lag) = over.map(|span| span.until.duration_since(time)).max() else { return };
        if let Some(look) = &mut self.looks[self.place] {
            look.lag = look.lag.max(lag);
        }
        if lag > BEHIND {
            // those before it may be on their way as well: for each that comes, twice as far
            self.doubt(time - lag, now, lag);
        }
    }

    /// Lines from then on may still come.
    fn doubt(&mut self, from: Timestamp, now: Timestamp, took: SignedDuration) {
        let minute = |time: Timestamp| time - SignedDuration::from_secs(time.as_second().rem_euclid(60));
        let from = minute(from.max(now - DEEPEST));
        let until = minute(now + took.clamp(CALM.0, CALM.1) + seconds(60));
        if self.earliest().is_none_or(|earliest| from < earliest) {
            // at once
            self.known[SINCE_TROUBLE] = Span { from: now - DEEPEST, until: now - DEEPEST };
        }
        if !self.trouble.iter().any(|known| known.0 <= from && known.1 >= until) {
            self.trouble.retain(|known| known.0 < from || known.1 > until);
            self.trouble.push((from, until));
        }
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.trouble.iter().map(|(from, _)| *from).min()
    }

    /// A look failed; what it gave before has been taken.
    pub fn failed(&mut self, now: Timestamp) {
        let since = *self.failing.get_or_insert(self.known[NEWEST].until);
        self.doubt(since - BACK[0].0, now, now.duration_since(since));
    }

    /// From when on late lines are looked for.
    pub fn back_to(&self) -> Timestamp {
        self.earliest().unwrap_or(self.known[NEWEST].until - BACK[1].0).max(self.begin)
    }

    /// A look has an answer: a whole one, or one that ends at its edge. Gives how long lines took at least,
    /// where that is worth a word.
    pub fn answered(&mut self, whole: bool, now: Timestamp) -> Option<SignedDuration> {
        if let Some(since) = self.failing.take() {
            self.doubt(since - BACK[0].0, now, now.duration_since(since));
        }
        let look = if whole { self.looks[self.place].take()? } else { return None };
        let span = Span { from: look.from, until: look.begun };
        self.known[look.kind] = span;
        if look.kind == SINCE_TROUBLE && self.earliest().is_some_and(|from| from.max(self.begin) < look.from)
        {
            // what it found lies further back than it looked: again at once
            self.known[SINCE_TROUBLE] = Span { from: now - DEEPEST, until: now - DEEPEST };
        }
        if look.kind != NEWEST {
            // a longer one was a shorter one as well
            for (at, (back, _)) in BACK.iter().enumerate() {
                if look.from <= (look.begun - *back).max(self.begin) {
                    self.known[at + 1] = span;
                }
            }
        }
        // the newest are never kept waiting by more than one look back
        self.turn = look.kind == NEWEST && (self.looks[1].is_some() || self.due(now).is_some());
        (look.lag > SLOW).then_some(look.lag)
    }

    /// Forgets lines; and nothing is asked for any more that could be one of them.
    fn forget(&mut self, now: Timestamp) {
        let mut old = (now - KEPT).min(self.known[NEWEST].until - SHORT);
        if let Some(from) = self.earliest() {
            old = old.min(from);
        }
        if self.seen.len() > MOST_KEPT {
            let mut times: Vec<Timestamp> = self.seen.values().copied().collect();
            let place = times.len() - MOST_KEPT;
            old = old.max(*times.select_nth_unstable(place).1);
        }
        self.seen.retain(|_, time| *time >= old);
        self.begin = self.begin.max(old);
    }
}

#[cfg(test)]
mod tests;
