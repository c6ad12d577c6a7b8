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
    async fn page(&self, span: Span, order: Order, size: usize) -> Result<Page, Trouble>;
}

/// What a store gave at once.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Page {
    /// The lines that can be read.
    pub lines: Vec<Line>,
    /// How many it gave, with those that cannot.
    pub given: usize,
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
    let mut pile = Pile::default();
    let mut walk = Walk::new(pages, span, Order::Newest);
    while pile.lines.len() <= limit {
        let Some(lines) = walk.next(limit + 1 - pile.lines.len()).await? else { break };
        pile.lines.extend(lines);
    }
    pile.lines.truncate(limit + 1);
    pile.gap = walk.gap;
    // those of one moment in the order in which they were written
    pile.lines.sort_by_key(|line| Reverse(line.order()));
    Ok(pile)
}

/// What somebody gets who reads the lines of a time from the oldest on.
pub enum Told {
    /// Lines; and where they end, if there are more behind them.
    Lines(Vec<Line>, Option<Timestamp>),
    /// What is missing, in words.
    Gap(String),
}

/// Lines of a time, the oldest first, each page as it comes: all, or about so many. Were it all?
pub async fn oldest(
    pages: &impl Pages,
    span: Span,
    most: usize,
    mut tell: impl FnMut(Told),
) -> Result<bool, Trouble> {
    let mut walk = Walk::new(pages, span, Order::Oldest);
    let mut number = 0;
    while let Some(lines) = walk.next(usize::MAX).await? {
        number += lines.len();
        tell(Told::Lines(lines, walk.edge()));
        if let Some(gap) = walk.gap.take() {
            tell(Told::Gap(gap));
        }
        if number >= most && walk.edge().is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Page after page.
struct Walk<'a, P> {
    pages: &'a P,
    /// What is left of the time.
    left: Option<Span>,
    order: Order,
    size: usize,
    seen: HashSet<u128>,
    gap: Option<String>,
}

impl<'a, P: Pages> Walk<'a, P> {
    fn new(pages: &'a P, span: Span, order: Order) -> Self {
        let left = (span.from < span.until).then_some(span);
        Self { pages, left, order, size: P::SIZES.0, seen: HashSet::new(), gap: None }
    }

    /// Where the next page begins.
    fn edge(&self) -> Option<Timestamp> {
        self.left.map(|span| if self.order == Order::Newest { span.until } else { span.from })
    }

    /// Lines that were not in a page before; not more are needed. None: there is none left.
    async fn next(&mut self, most: usize) -> Result<Option<Vec<Line>>, Trouble> {
        let Some(span) = self.left else { return Ok(None) };
        let (usual, largest) = P::SIZES;
        // of the moment at which it begins some are known already
        let wanted = self.size.min(most.saturating_add(self.seen.len()));
        let page = self.pages.page(span, self.order, wanted).await?;
        let times = page.lines.iter().map(|line| line.time);
        let edge: Option<Timestamp> = match self.order {
            Order::Newest => times.min(),
            Order::Oldest => times.max(),
        };
        let lines: Vec<Line> = page.lines.into_iter().filter(|line| self.seen.insert(line.id)).collect();
        self.left = None;
        if page.given < wanted {
            return Ok(Some(lines));
        }
        let next = edge.map(|edge| match self.order {
            Order::Newest => Span { until: (edge + MOMENT).min(span.until), ..span },
            Order::Oldest => Span { from: edge.max(span.from), ..span },
        });
        let next = next.unwrap_or(span);
        if next != span {
            (self.left, self.size) = (Some(next), usual);
            return Ok(Some(lines));
        }
        if self.size < largest {
            // more lines of one moment than a page has
            (self.left, self.size) = (Some(span), (self.size * 2).min(largest));
            return Ok(Some(lines));
        }
        let Some(edge) = edge else {
            self.gap = Some(format!(
                "more than {largest} lines one after the other have no time that can be read: what is behind them is missing"
            ));
            return Ok(Some(lines));
        };
        self.gap = Some(format!(
            "more than {largest} lines were written at {edge}: the store does not give all of them"
        ));
        let next = match self.order {
            Order::Newest => Span { until: edge, ..span },
            Order::Oldest => Span { from: edge + MOMENT, ..span },
        };
        (self.left, self.size) = ((next.from < next.until).then_some(next), usual);
        Ok(Some(lines))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// A store with these lines, of which a page fails.
    struct Memory {
        lines: Vec<Line>,
        asked: Cell<usize>,
        fails_at: usize,
    }

    /// A line that is given and cannot be read.
    const UNREADABLE: &str = "no time";

    impl Pages for Memory {
        const SIZES: (usize, usize) = (4, 16);

        async fn page(&self, span: Span, order: Order, size: usize) -> Result<Page, Trouble> {
            assert!(size <= 16);
            if self.asked.replace(self.asked.get() + 1) == self.fails_at {
                let error = crate::error::Error::failed("no");
                return Err(Trouble { error, again: true });
            }
            let mut lines: Vec<Line> = self
                .lines
                .iter()
                .filter(|line| span.from <= line.time && line.time < span.until)
                .cloned()
                .collect();
            lines.sort_by_key(|line| line.time);
            if order == Order::Newest {
                lines.reverse();
            }
            lines.truncate(size);
            let given = lines.len();
            lines.retain(|line| line.line != UNREADABLE);
            Ok(Page { lines, given })
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
        let lines = times.iter().enumerate().map(line).collect();
        Memory { lines, asked: Cell::new(0), fails_at: usize::MAX }
    }

    const ALL: (i128, i128) = (0, 1_000);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// The lines, where each page ended, and what was missing.
    type Read = (Vec<Line>, Vec<Option<Timestamp>>, Option<String>);

    fn read(store: &Memory, most: usize) -> (Result<bool, Trouble>, Read) {
        let (mut lines, mut edges, mut gap) = (Vec::new(), Vec::new(), None);
        let span = Span { from: at(ALL.0), until: at(ALL.1) };
        let whole = run(oldest(store, span, most, |told| match told {
            Told::Lines(more, edge) => {
                lines.extend(more);
                edges.push(edge);
            }
            Told::Gap(text) => gap = Some(text),
        }));
        (whole, (lines, edges, gap))
    }

    proptest! {
        #[test]
        fn pages_give_what_one_page_would(times in prop::collection::vec(0i128..40, 0..120), limit in 1usize..140) {
            let busiest = (0..40).map(|at| times.iter().filter(|time| **time == at).count()).max().unwrap_or(0);
            prop_assume!(busiest < 16);
            let store = memory(&times);
            let span = Span { from: at(ALL.0), until: at(ALL.1) };
            let (whole, (lines, _, gap)) = read(&store, usize::MAX);
            prop_assert!(whole.unwrap() && gap.is_none());
            let mut ids: Vec<u128> = lines.iter().map(|line| line.id).collect();
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
        let (_, (lines, _, gap)) = read(&store, usize::MAX);
        for pile in [Pile { lines, gap }, run(newest(&store, span, 100)).unwrap()] {
            assert!(
                pile.gap
                    .unwrap()
                    .starts_with("more than 16 lines were written at 1970-01-01T00:00:00.000000005Z")
            );
            let times: Vec<i128> = pile.lines.iter().map(|line| line.time.as_nanosecond()).collect();
            assert_eq!(times.len(), 18, "those around it are there: {times:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_ends_no_paging() {
        let mut store = memory(&(0..40).collect::<Vec<_>>());
        store.lines[2].line = UNREADABLE.to_owned();
        store.lines[37].line = UNREADABLE.to_owned();
        let span = Span { from: at(ALL.0), until: at(ALL.1) };
        assert_eq!(run(newest(&store, span, 100)).unwrap().lines.len(), 38);
        assert_eq!(read(&store, usize::MAX).1.0.len(), 38);
        store.lines.iter_mut().for_each(|line| line.line = UNREADABLE.to_owned());
        let gap = read(&store, usize::MAX).1.2.unwrap();
        assert!(gap.starts_with("more than 16 lines one after the other have no time"), "{gap}");
    }

    #[test]
    fn a_page_that_fails_leaves_those_before_it() {
        let mut store = memory(&(0..40).collect::<Vec<_>>());
        store.fails_at = 5;
        let (whole, (lines, edges, _)) = read(&store, usize::MAX);
        assert!(whole.is_err());
        assert_eq!(lines.len(), 16, "of five pages, each of which begins where the one before it ended");
        assert_eq!(edges.last(), Some(&Some(at(15))));
    }

    #[test]
    fn not_more_is_read_than_is_wanted_and_it_is_said() {
        let store = memory(&(0..40).collect::<Vec<_>>());
        let (whole, (lines, edges, _)) = read(&store, 10);
        assert!(!whole.unwrap());
        assert_eq!((lines.len(), edges.last()), (10, Some(&Some(at(9)))));
        let (whole, (lines, edges, _)) = read(&store, 1_000);
        assert!(whole.unwrap());
        assert_eq!((lines.len(), edges.last()), (40, Some(&None)));
    }
}
