//! More lines than a store gives at once: page by page, each beginning at the last moment of the one before,
//! since others of that moment may be left. What comes twice is left out.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::failure::Trouble;
use crate::search::answer::Line;
use crate::search::lucene::Order;
use crate::search::span::Span;

/// A moment in the way of stores.
const MOMENT: SignedDuration = SignedDuration::from_nanos(1);

/// Who gives pages.
pub trait Pages {
    /// The usual number of lines of a page, and the most that it gives.
    const SIZES: (usize, usize);

    /// Not more than so many lines of a time, the newest or the oldest.
    async fn page(&self, span: Span, order: Order, size: usize) -> Result<Vec<Line>, Trouble>;
}

/// Lines, and what is missing among them.
#[derive(Debug, Default)]
pub struct Pile {
    /// The lines.
    pub lines: Vec<Line>,
    /// In words.
    pub gap: Option<String>,
}

/// The newest lines of a time, newest first: one more than the limit, where there are more.
pub async fn newest(pages: &impl Pages, span: Span, limit: usize) -> Result<Pile, Trouble> {
    let mut pile = collect(pages, span, Order::Newest, limit + 1).await?;
    // those of one moment in the order in which they were written
    pile.lines.sort_by_key(|line| Reverse(line.order()));
    Ok(pile)
}

/// All lines of a time, the oldest first.
pub async fn oldest(pages: &impl Pages, span: Span) -> Result<Pile, Trouble> {
    collect(pages, span, Order::Oldest, usize::MAX).await
}

async fn collect<P: Pages>(pages: &P, mut span: Span, order: Order, most: usize) -> Result<Pile, Trouble> {
    let (usual, largest) = P::SIZES;
    let mut size = usual;
    let mut seen = HashSet::new();
    let mut pile = Pile::default();
    while span.from < span.until && pile.lines.len() < most {
        let wanted = size.min(most.saturating_sub(pile.lines.len()).saturating_add(seen.len()));
        let page = pages.page(span, order, wanted).await?;
        let full = page.len() >= wanted;
        let edge: Option<Timestamp> = match order {
            Order::Newest => page.iter().map(|line| line.time).min(),
            Order::Oldest => page.iter().map(|line| line.time).max(),
        };
        pile.lines.extend(page.into_iter().filter(|line| seen.insert(line.id)));
        let (Some(edge), true) = (edge, full) else { break };
        let next = match order {
            Order::Newest => Span { until: edge + MOMENT, ..span },
            Order::Oldest => Span { from: edge, ..span },
        };
        if next != span {
            (span, size) = (next, usual);
        } else if size < largest {
            // more lines of one moment than a page has
            size = (size * 2).min(largest);
        } else {
            pile.gap = Some(format!(
                "more than {largest} lines were written at {edge}: the store does not give all of them"
            ));
            span = match order {
                Order::Newest => Span { until: edge, ..span },
                Order::Oldest => Span { from: edge + MOMENT, ..span },
            };
            size = usual;
        }
    }
    pile.lines.truncate(most);
    Ok(pile)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A store with these lines.
    struct Memory(Vec<Line>);

    impl Pages for Memory {
        const SIZES: (usize, usize) = (4, 16);

        async fn page(&self, span: Span, order: Order, size: usize) -> Result<Vec<Line>, Trouble> {
            assert!(size <= 16);
            let mut lines: Vec<Line> = self
                .0
                .iter()
                .filter(|line| span.from <= line.time && line.time < span.until)
                .cloned()
                .collect();
            lines.sort_by_key(|line| line.time);
            if order == Order::Newest {
                lines.reverse();
            }
            lines.truncate(size);
            Ok(lines)
        }
    }

    fn at(nanoseconds: i128) -> Timestamp {
        Timestamp::from_nanosecond(nanoseconds).unwrap()
    }

    fn memory(times: &[i128]) -> Memory {
        let line = |(id, time): (usize, &i128)| Line {
            time: at(*time),
            place: id as u64,
            id: id as u128,
            ..Line::default()
        };
        Memory(times.iter().enumerate().map(line).collect())
    }

    const ALL: (i128, i128) = (0, 1_000);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn pages_give_what_one_page_would(times in prop::collection::vec(0i128..40, 0..120), limit in 1usize..140) {
            let busiest = (0..40).map(|at| times.iter().filter(|time| **time == at).count()).max().unwrap_or(0);
            prop_assume!(busiest < 16);
            let store = memory(&times);
            let span = Span { from: at(ALL.0), until: at(ALL.1) };
            let oldest = run(oldest(&store, span)).unwrap();
            prop_assert!(oldest.gap.is_none());
            let mut ids: Vec<u128> = oldest.lines.iter().map(|line| line.id).collect();
            ids.sort_unstable();
            prop_assert_eq!(ids, (0..times.len() as u128).collect::<Vec<_>>());
            let newest = run(newest(&store, span, limit)).unwrap();
            prop_assert_eq!(newest.lines.len(), times.len().min(limit + 1));
            let mut sorted = times.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(limit + 1);
            let got: Vec<i128> = newest.lines.iter().map(|line| line.time.as_nanosecond()).collect();
            prop_assert_eq!(got, sorted);
        }
    }

    #[test]
    fn more_of_one_moment_than_a_store_gives_is_said() {
        let mut times = vec![5; 40];
        times.extend([1, 9]);
        let store = memory(&times);
        let span = Span { from: at(ALL.0), until: at(ALL.1) };
        for pile in [run(oldest(&store, span)).unwrap(), run(newest(&store, span, 100)).unwrap()] {
            assert!(
                pile.gap
                    .unwrap()
                    .starts_with("more than 16 lines were written at 1970-01-01T00:00:00.000000005Z")
            );
            let times: Vec<i128> = pile.lines.iter().map(|line| line.time.as_nanosecond()).collect();
            assert_eq!(times.len(), 18, "those around it are there: {times:?}");
        }
    }
}
