//! Looks for lines in the logs, in whichever store a release has or fills: what there is, newest first
//! ([`search`]), or what comes ([`follow`]).

mod failure;
mod page;
mod reach;
mod server;
mod store;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, components};
use crate::error::{Error, Result};
use crate::search::answer::Line;
use crate::search::follow::{Follow, New};
use crate::search::histogram::Histogram;
use crate::search::span::Span;
use crate::search::{Language, Query};
use failure::Trouble;
use server::Server;
use store::Store;

/// Most lines that are asked for.
pub const MOST: usize = 100_000;
/// How long lines wait for their histogram.
const VOLUME: Duration = Duration::from_secs(20);
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
    let volume = tokio::time::timeout(VOLUME, server.volume(options.span, options.steps));
    let (page, volume) = tokio::join!(page::newest(&server, options.span, options.limit), volume);
    let page = page.map_err(|trouble: Trouble| trouble.error)?;
    // a part that is missing is no reason to keep the rest
    let (histogram, said) = volume.ok().flatten().unwrap_or_default();
    let mut lines = page.lines;
    let truncated = lines.len() > options.limit;
    lines.truncate(options.limit);
    let total = match truncated {
        false if page.gap.is_none() => u64::try_from(lines.len()).ok(),
        _ => match said {
            Some(said) => Some(said),
            None => server.count(options.span).await.ok(),
        },
    };
    let Span { from, until } = options.span;
    Ok(Found { sent, from, until, total, truncated, histogram, gap: page.gap, lines })
}

/// What comes, after the last lines that are there. It does not end by itself.
pub async fn follow(ctx: &Context<'_>, options: &Options, reader: &mut dyn Reader) -> Result<()> {
    let (store, sent) = prepare(ctx, options).await?;
    let server = Server::of(ctx, &store, &sent.query).await?;
    let begun = Timestamp::now();
    let span = Span { until: begun, ..options.span };
    let first = page::newest(&server, span, options.limit).await.map_err(|trouble| trouble.error)?;
    reader.begins(&sent);
    let mut lines = first.lines;
    let cut = lines.len() > options.limit;
    lines.truncate(options.limit);
    // what was cut off is older than what is wanted
    let begin = match lines.last() {
        Some(oldest) if cut => oldest.time,
        _ => span.from,
    };
    let mut follow = Follow::new(begin);
    let shown = follow.take(lines, begun);
    reader.lines(&shown);
    let (mut pause, mut troubled, mut lagging) = (PAUSES.0, false, false);
    loop {
        tokio::time::sleep(if troubled { pause } else { LOOK_EVERY }).await;
        let now = Timestamp::now();
        match page::oldest(&server, follow.next(now)).await {
            Ok(page) => {
                if troubled {
                    reader.note(&format!("{} answers again; nothing was left out", sent.store));
                }
                (pause, troubled) = (PAUSES.0, false);
                if let Some(gap) = page.gap {
                    reader.note(&gap);
                }
                let new = follow.take(page.lines, now);
                let lag = Follow::lag(&new, now);
                if let (Some(lag), false) = (lag, lagging) {
                    reader.note(&format!(
                        "lines are in {} {} after they were written; kubectl logs shows those of one pod at once",
                        sent.store,
                        crate::readiness::spans::rough(lag.as_secs())
                    ));
                }
                if !new.is_empty() {
                    lagging = lag.is_some();
                }
                reader.lines(&new);
            }
            Err(trouble) if trouble.again => {
                if troubled {
                    pause = (pause * 2).min(PAUSES.1);
                } else {
                    reader.note(&format!("{}; it is asked again", trouble.error.message()));
                }
                troubled = true;
            }
            Err(trouble) => return Err(trouble.error),
        }
    }
}
