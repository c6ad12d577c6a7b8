//! How many lines there were over time, as a row of bars.

use serde::Serialize;

use super::span::Span;

/// The bars, from little to most.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where there was nothing.
const NOTHING: char = '·';

/// Lines in steps of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// Where the first step begins, in seconds since 1970.
    #[serde(rename = "startSeconds")]
    pub start: i64,
    /// Length of a step in seconds.
    #[serde(rename = "stepSeconds")]
    pub step: i64,
    /// Lines in each step.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Of what a store said: beginnings of steps in seconds, and lines. What lies elsewhere is not counted.
    pub fn of(span: Span, step: i64, said: impl IntoIterator<Item = (i64, u64)>) -> Self {
        let (start, number) = span.steps(step);
        let mut counts = vec![0; number];
        for (at, count) in said {
            let place = usize::try_from((at - start).div_euclid(step)).ok();
            if let Some(known) = place.and_then(|place| counts.get_mut(place)) {
                *known += count;
            }
        }
        Self { start, step, counts }
    }

    /// A bar for each step; what was not empty is never shown as empty.
    pub fn bars(&self) -> String {
        let most = self.counts.iter().copied().max().unwrap_or_default().max(1);
        let bar = |count: &u64| match usize::try_from((u128::from(*count) * 8).div_ceil(u128::from(most))) {
            Ok(0) | Err(_) => NOTHING,
            Ok(height) => BARS[height.min(BARS.len()) - 1],
        };
        self.counts.iter().map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_the_most_and_the_least() {
        let of = |counts: &[u64]| Histogram { start: 0, step: 60, counts: counts.to_vec() }.bars();
        assert_eq!(of(&[0, 1, 50, 100, 0]), "·▁▄█·");
        assert_eq!(of(&[0, 0]), "··");
        assert_eq!(of(&[7, 7]), "██");
        assert_eq!(of(&[u64::MAX, 1]), "█▁");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn counts_stand_where_their_step_begins() {
        let span = Span {
            from: "1970-01-01T00:01:30Z".parse().unwrap(),
            until: "1970-01-01T00:04:00Z".parse().unwrap(),
        };
        let histogram = Histogram::of(span, 60, [(60, 2), (180, 5), (181, 1), (0, 9), (240, 9), (-60, 9)]);
        assert_eq!(histogram, Histogram { start: 60, step: 60, counts: vec![2, 0, 6] });
    }
}
