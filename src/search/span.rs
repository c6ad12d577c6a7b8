//! From when until when: what was typed as a time, and steps for a histogram.

use jiff::{SignedDuration, Timestamp};

/// A span of time, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
}

/// Whole seconds that a step may have.
const STEPS: [i64; 16] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];

impl Span {
    /// The smallest round step of which not more than so many cover it.
    pub fn step(&self, most: usize) -> i64 {
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let fits = |step: &i64| self.number(*step) <= most;
        STEPS.into_iter().find(fits).unwrap_or_else(|| {
            let day = 86_400;
            // whole days, as many as it takes
            (1..).map(|days| days * day).find(|step| self.number(*step) <= most).unwrap_or(day)
        })
    }

    /// The steps that cover it, each beginning at a multiple of itself: the first one's beginning, and how many.
    pub fn steps(&self, step: i64) -> (i64, usize) {
        let first = self.from.as_second().div_euclid(step) * step;
        (first, usize::try_from(self.number(step)).unwrap_or(1).max(1))
    }

    fn number(&self, step: i64) -> i64 {
        let last = self.until - SignedDuration::from_nanos(1);
        last.as_second().div_euclid(step) - self.from.as_second().div_euclid(step) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_cover_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hour = Span { from: at("2026-11-21T17:05:30Z"), until: at("2026-11-21T18:05:30Z") };
        assert_eq!(hour.step(60), 120);
        assert_eq!(hour.step(61), 60);
        assert_eq!(hour.step(1), 43_200);
        let (first, number) = hour.steps(600);
        assert_eq!((first % 600, number), (0, 7));
        let years = Span { from: at("2020-01-01T00:00:00Z"), until: at("2026-01-01T00:00:00Z") };
        let step = years.step(40);
        assert!(step % 86_400 == 0 && years.steps(step).1 <= 40, "{step}");
        let moment = Span { from: at("2026-01-01T00:00:00Z"), until: at("2026-01-01T00:00:00.000000001Z") };
        assert_eq!((moment.step(40), moment.steps(1).1), (1, 1));
    }
}
