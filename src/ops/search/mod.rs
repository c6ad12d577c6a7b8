//! Looks for lines in the logs, in whichever store a release has or fills: what there is, newest first
//! ([`search`]), or what comes ([`follow`]).

mod failure;
mod page;
mod reach;
mod server;
mod store;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Context, components};
use crate::error::{Error, Result};
use crate::search::answer::Line;
use crate::search::follow::{Follow, New};
use crate::search::histogram::Histogram;
use crate::search::span::Span;
use crate::search::{Language, Query};
use failure::Trouble;
use page::{Pages, Told};
use server::Server;
use store::Store;

/// How long lines wait for their histogram, and for their number.
const VOLUME: Duration = Duration::from_secs(20);
/// About so many lines at most are asked for by one look of somebody who follows.
const LOOK: usize = 20_000;
/// After how long it is told again that lines take long.
const SAID_AGAIN: SignedDuration = SignedDuration::from_mins(30);
/// Time between two looks of somebody who follows.
const LOOK_EVERY: Duration = Duration::from_millis(1_000);
/// The first and the longest pause after a look that failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// In the language of people.
    Query(Query),
    /// In that of a store, as it is.
    Raw(Language, String),
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// The query.
    pub wanted: Wanted,
    /// The store, where there are several.
    pub store: Option<String>,
    /// From when until when.
    pub span: Span,
    /// How many lines at most.
    pub limit: usize,
    /// How many steps the histogram may have; none: no histogram.
    pub steps: usize,
}

/// Where a query goes, and in which words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Name of the store.
    pub store: String,
    /// `loki`, `opensearch` or `elasticsearch`.
    #[serde(rename = "type")]
    pub kind: store::Kind,
    /// Its address.
    pub url: String,
    /// The query in its language.
    pub query: String,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// What was asked.
    #[serde(flatten)]
    pub sent: Sent,
    /// The first moment that was looked at.
    pub from: Timestamp,
    /// The first moment that was not any more.
    pub until: Timestamp,
    /// How many lines there are; absent where the store did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Are there more than are shown?
    pub truncated: bool,
    /// Lines over time; absent where the store did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// What is known to be missing among them, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// The lines, newest first.
    pub lines: Vec<Line>,
}

/// Who reads what comes.
pub trait Reader {
    /// Where it comes from, before anything does.
    fn begins(&mut self, sent: &Sent);
    /// Lines, the oldest first.
    fn lines(&mut self, lines: &[New]);
    /// What a person should know beside them.
    fn note(&mut self, text: &str);
}

/// Where the query would go.
pub async fn sent(ctx: &Context<'_>, options: &Options) -> Result<Sent> {
    Ok(prepare(ctx, options).await?.1)
}

async fn prepare(ctx: &Context<'_>, options: &Options) -> Result<(Store, Sent)> {
    let record = components::latest(ctx).await?;
    let language = match &options.wanted {
        Wanted::Query(_) => None,
        Wanted::Raw(language, _) => Some(*language),
    };
    let store = store::choose(&record, options.store.as_deref(), language)?;
    let query = match &options.wanted {
        Wanted::Raw(_, text) => text.clone(),
        Wanted::Query(query) => query.in_language(store.kind.language()).map_err(|no| {
            Error::usage(format!("{} cannot be asked for this: {}", store.name, no.why)).hint(no.hint)
        })?,
    };
    let sent = Sent {
        release: record.release.clone(),
        namespace: record.namespace.clone(),
        store: store.name.clone(),
        kind: store.kind,
        url: crate::url::shown(&store.url),
        query,
    };
    Ok((store, sent))
}

/// What there is.
pub async fn search(ctx: &Context<'_>, options: &Options) -> Result<Found> {
    let (store, sent) = prepare(ctx, options).await?;
    let server = Server::of(ctx, &store, &sent.query).await?;
    let volume = in_time(server.volume(options.span, options.steps));
    let (page, volume) = tokio::join!(page::newest(&server, options.span, options.limit), volume);
    let page = page.map_err(|trouble: Trouble| trouble.error)?;
    // a part that is missing is no reason to keep the rest
    let (histogram, said) = volume.flatten().unwrap_or_default();
    let mut lines = page.lines;
    let truncated = lines.len() > options.limit;
    lines.truncate(options.limit);
    let total = match truncated {
        false if page.gap.is_none() => u64::try_from(lines.len()).ok(),
        _ => match said {
            Some(said) => Some(said),
            None => in_time(server.count(options.span)).await.and_then(std::result::Result::ok),
        },
    };
    let Span { from, until } = options.span;
    Ok(Found { sent, from, until, total, truncated, histogram, gap: page.gap, lines })
}

/// What is there without being waited for for long. None: it is not.
async fn in_time<T>(question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(VOLUME, question).await.ok()
}

/// What comes, after the last lines that are there. It does not end by itself.
pub async fn follow(ctx: &Context<'_>, options: &Options, reader: &mut dyn Reader) -> Result<()> {
    let (store, sent) = prepare(ctx, options).await?;
    let server = Server::of(ctx, &store, &sent.query).await?;
    let span = Span { until: Timestamp::now(), ..options.span };
    let first = page::newest(&server, span, options.limit).await.map_err(|trouble| trouble.error)?;
    reader.begins(&sent);
    if let Some(gap) = first.gap {
        reader.note(&gap);
    }
    let (mut follow, lines) = Follow::after(span, first.lines, options.limit);
    reader.lines(&lines);
    let mut said = Said { store: &sent.store, failing: false, behind: false, slow: None };
    let mut pause = PAUSES.0;
    loop {
        if said.failing {
            tokio::time::sleep(pause).await;
        } else if !follow.goes_on() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let answer = look(&server, &mut follow, &mut said, reader).await;
        let now = Timestamp::now();
        match answer {
            Ok(whole) => {
                pause = PAUSES.0;
                let lag = follow.answered(whole, now);
                said.answered(&follow, lag, now, reader);
            }
            Err(trouble) if trouble.again => {
                follow.failed(now);
                if said.failing {
                    pause = (pause * 2).min(PAUSES.1);
                } else {
                    reader.note(&format!("{}; it is asked again", trouble.error.message()));
                }
                said.failing = true;
            }
            Err(trouble) => return Err(trouble.error),
        }
    }
}

/// Asks once, for not more than a number of lines: each page is told as it comes. Were they all?
async fn look(
    pages: &impl Pages,
    follow: &mut Follow,
    said: &mut Said<'_>,
    reader: &mut dyn Reader,
) -> Result<bool, Trouble> {
    let now = Timestamp::now();
    let span = follow.next(now);
    let mut edge = None;
    let whole = page::oldest(pages, span, LOOK, |told| match told {
        Told::Lines(lines, end) => {
            reader.lines(&follow.take(lines, end, now));
            edge = end;
        }
        Told::Gap(text) => reader.note(&text),
    })
    .await?;
    said.looked(follow, whole, edge, reader);
    Ok(whole)
}

/// What a person has been told beside the lines.
struct Said<'s> {
    store: &'s str,
    /// The store does not answer.
    failing: bool,
    /// There are more lines than one look gives.
    behind: bool,
    /// When it was told that lines take long.
    slow: Option<Timestamp>,
}

impl Said<'_> {
    fn looked(&mut self, follow: &Follow, whole: bool, edge: Option<Timestamp>, reader: &mut dyn Reader) {
        if follow.looks_back() {
            return;
        }
        if let (false, false, Some(edge)) = (whole, self.behind, edge) {
            reader.note(&format!(
                "{} has more than {LOOK} lines that were not shown yet: they follow from {edge:.0} on, the oldest first",
                self.store
            ));
        }
        self.behind = !whole;
    }

    fn answered(
        &mut self,
        follow: &Follow,
        lag: Option<SignedDuration>,
        now: Timestamp,
        reader: &mut dyn Reader,
    ) {
        if std::mem::take(&mut self.failing) {
            reader.note(&format!(
                "{} answers again; lines that reach it late are looked for back to {:.0}",
                self.store,
                follow.back_to()
            ));
        }
        let again = self.slow.is_none_or(|told| now.duration_since(told) > SAID_AGAIN);
        if let (Some(lag), true) = (lag, again) {
            self.slow = Some(now);
            reader.note(&format!(
                "some lines take {} or more until they are in {}; kubectl logs shows those of one pod at once",
                crate::readiness::spans::rough(lag.as_secs()),
                self.store
            ));
        }
    }
}

#[cfg(test)]
mod tests;
