//! Which lines of a container's log are known already. A log that is opened again begins at a
//! whole second, so that its first lines come twice: they are told apart by time and text, counted,
//! as several lines can share both.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

/// Two streams of a container (stdout, stderr) can be a moment out of order.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

type Counted = BTreeMap<(Timestamp, u64), u32>;

/// The last lines of one container.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// What was seen in the last second and a little more.
    seen: Counted,
    /// What the log that was opened again is going to repeat.
    repeated: Counted,
    newest: Option<Timestamp>,
    /// Nothing before this is wanted.
    cut: Option<Timestamp>,
}

impl Window {
    /// From where on the log is to be opened again; None before its first line.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The log is opened again: what was seen comes once more.
    pub fn replay(&mut self) {
        self.repeated = self.seen.clone();
    }

    /// From now on, what lies before the oldest line that was seen is not wanted.
    pub fn cut(&mut self) {
        self.cut = self.seen.keys().next().map(|(time, _)| *time);
    }

    /// Is the line new? It counts as seen from then on.
    pub fn is_new(&mut self, time: Timestamp, text: &str) -> bool {
        let key = (time, hash(text));
        if let Some(left) = self.repeated.get_mut(&key) {
            *left -= 1;
            if *left == 0 {
                self.repeated.remove(&key);
            }
            return false;
        }
        if self.cut.is_some_and(|cut| time < cut) {
            return false;
        }
        *self.seen.entry(key).or_default() += 1;
        if self.newest.is_none_or(|newest| time > newest) {
            self.newest = Some(time);
            self.forget(time);
        }
        true
    }

    /// What a log that begins in the second of `newest` cannot repeat.
    fn forget(&mut self, newest: Timestamp) {
        let second = Timestamp::from_second(newest.as_second()).unwrap_or(newest);
        let Ok(limit) = second.checked_sub(SLACK) else { return };
        if self.seen.first_key_value().is_some_and(|((time, _), _)| *time < limit) {
            self.seen = self.seen.split_off(&(limit, 0));
        }
        if newest.duration_since(limit) > SLACK && !self.repeated.is_empty() {
            self.repeated = self.repeated.split_off(&(limit, 0));
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + millis).unwrap()
    }

    /// Which of the lines are new.
    fn new<'a>(window: &mut Window, lines: &[(i64, &'a str)]) -> Vec<&'a str> {
        lines.iter().filter(|(time, text)| window.is_new(at(*time), text)).map(|(_, text)| *text).collect()
    }

    #[test]
    fn what_comes_again_is_dropped_and_what_is_new_is_not() {
        let mut window = Window::default();
        assert_eq!(new(&mut window, &[(0, "a"), (10, "b"), (10, "b"), (10, "c")]), ["a", "b", "b", "c"]);
        window.replay();
        let again = [(0, "a"), (10, "b"), (10, "b"), (10, "c"), (10, "b"), (20, "d")];
        assert_eq!(new(&mut window, &again), ["b", "d"], "a third b of the same moment is another line");
    }

    #[test]
    fn lines_out_of_order_are_known_too() {
        let mut window = Window::default();
        assert_eq!(new(&mut window, &[(1001, "a"), (999, "b"), (1000, "c")]), ["a", "b", "c"]);
        window.replay();
        assert_eq!(new(&mut window, &[(1001, "a"), (999, "b"), (1000, "c"), (998, "late")]), ["late"]);
    }

    #[test]
    fn without_a_replay_nothing_is_dropped() {
        let mut window = Window::default();
        assert_eq!(new(&mut window, &[(5, "a"), (5, "a"), (4, "a"), (5, "a")]).len(), 4);
    }

    #[test]
    fn what_the_tail_left_out_stays_out() {
        let mut window = Window::default();
        new(&mut window, &[(50, "x"), (60, "y")]);
        window.cut();
        window.replay();
        assert_eq!(new(&mut window, &[(30, "v"), (40, "w"), (50, "x"), (60, "y"), (70, "z")]), ["z"]);
    }

    #[test]
    fn little_is_kept() {
        let mut window = Window::default();
        for n in 0..100_000 {
            window.is_new(at(n), "line");
        }
        assert!(window.seen.len() <= 2_000, "{}", window.seen.len());
        assert_eq!(window.newest(), Some(at(99_999)));
    }
}
