//! What somebody reads who follows: of pages that fail, of more lines than a look gives, of a store that is slow.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::page::Page;
use super::*;
use crate::search::lucene::Order;

/// A store that gives these pages, one after the other.
struct Given(RefCell<VecDeque<Result<Page, &'static str>>>);

impl Pages for Given {
    const SIZES: (usize, usize) = (5_000, 5_000);

    async fn page(&self, _: Span, _: Order, _: usize) -> Result<Page, Trouble> {
        let next = self.0.borrow_mut().pop_front().unwrap_or(Ok(Page::default()));
        next.map_err(|why| Trouble { error: Error::failed(why), again: true })
    }
}

#[derive(Default)]
struct Read {
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Reader for Read {
    fn begins(&mut self, _: &Sent) {}

    fn lines(&mut self, lines: &[New]) {
        self.lines.extend(lines.iter().map(|new| new.line.line.clone()));
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// Lines with these numbers, one each millisecond of the last minutes.
fn page(numbers: std::ops::Range<u32>) -> Page {
    let start = Timestamp::now() - SignedDuration::from_mins(5);
    let line = |number: u32| Line {
        time: start + SignedDuration::from_millis(number.into()),
        line: number.to_string(),
        id: number.into(),
        ..Line::default()
    };
    let lines: Vec<Line> = numbers.map(line).collect();
    Page { given: lines.len(), lines }
}

/// Asks until all is there, or a page fails.
async fn read(pages: Vec<Result<Page, &'static str>>) -> (Read, Follow, Result<(), Trouble>) {
    let start = Timestamp::now() - SignedDuration::from_mins(10);
    let (store, mut follow, mut read) = (
        Given(RefCell::new(pages.into())),
        Follow::after(Span { from: start, until: start }, Vec::new(), 1).0,
        Read::default(),
    );
    let mut said = Said { store: "central", failing: false, behind: false, slow: None };
    loop {
        match look(&store, &mut follow, &mut said, &mut read).await {
            Ok(true) => return (read, follow, Ok(())),
            Ok(false) => follow.answered(false, Timestamp::now()),
            Err(trouble) => return (read, follow, Err(trouble)),
        };
    }
}

#[tokio::test]
async fn what_came_before_a_page_that_fails_is_shown_and_not_asked_for_again() {
    let (read, mut follow, end) = read(vec![Ok(page(0..5_000)), Err("no")]).await;
    assert!(end.is_err());
    assert_eq!(read.lines.len(), 5_000);
    let begins = follow.next(Timestamp::now()).from;
    assert!(Timestamp::now().duration_since(begins) < SignedDuration::from_mins(5), "{begins}");
}

#[tokio::test]
async fn a_look_gives_not_more_lines_than_so_many_and_says_so() {
    let pages = (0..10).map(|at| Ok(page(at * 5_000..(at + 1) * 5_000)));
    let (read, _, end) = read(pages.collect()).await;
    end.unwrap();
    assert_eq!(read.lines.len(), 50_000, "the next look goes on");
    let [note] = read.notes.as_slice() else { panic!("once: {:?}", read.notes) };
    assert!(note.starts_with("central has more than 20000 lines that were not shown yet"), "{note}");
    assert!(note.ends_with("on, the oldest first"), "{note}");
}

#[test]
fn after_an_outage_nothing_is_promised_that_is_not_known() {
    let now = Timestamp::now();
    let span = Span { from: now - SignedDuration::from_hours(2), until: now - SignedDuration::from_hours(1) };
    let (mut follow, _) = Follow::after(span, Vec::new(), 1);
    follow.next(now);
    follow.failed(now);
    follow.next(now);
    let lag = follow.answered(true, now);
    let (mut read, mut said) =
        (Read::default(), Said { store: "central", failing: true, behind: false, slow: None });
    said.answered(&follow, lag, now, &mut read);
    let [note] = read.notes.as_slice() else { panic!("{:?}", read.notes) };
    let back = note.strip_prefix("central answers again; lines that reach it late are looked for back to ");
    let back: Timestamp = back.unwrap_or_else(|| panic!("{note}")).parse().unwrap();
    let before = now.duration_since(back);
    assert!(before > SignedDuration::from_mins(60) && before < SignedDuration::from_mins(65), "{note}");
}

#[tokio::test(start_paused = true)]
async fn lines_do_not_wait_for_a_number_that_does_not_come() {
    let begun = tokio::time::Instant::now();
    assert_eq!(in_time(std::future::pending::<u64>()).await, None);
    assert_eq!(begun.elapsed(), VOLUME);
    assert_eq!(in_time(std::future::ready(7)).await, Some(7));
}
