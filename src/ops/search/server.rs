//! The questions to a store: lines of a time, how many there are, and how many in each step.

use super::failure::Trouble;
use super::page::{Page, Pages};
use super::reach::Reach;
use super::store::{Kind, Store};
use crate::error::Result;
use crate::ops::Context;
use crate::ops::pod::percent_encode;
use crate::search::answer;
use crate::search::histogram::Histogram;
use crate::search::lucene::{self, Order};
use crate::search::span::Span;
use crate::{Error, search::logql};

/// A store, and the query for it.
pub struct Server<'a, 'c> {
    reach: Reach<'a, 'c>,
    store: &'a Store,
    query: &'a str,
}

impl<'a, 'c> Server<'a, 'c> {
    /// With what its Secrets hold.
    pub async fn of(ctx: &'a Context<'c>, store: &'a Store, query: &'a str) -> Result<Self> {
        Ok(Self { reach: Reach::of(ctx, store).await?, store, query })
    }

    /// Lines in steps, and how many there are together where that comes with it. None: the store does not say.
    pub async fn volume(&self, span: Span, most: usize) -> Option<(Option<Histogram>, Option<u64>)> {
        if most == 0 {
            return None;
        }
        let step = span.step(most);
        match self.store.kind {
            Kind::Loki => {
                let (first, number) = span.steps(step);
                // a point counts what lies before it
                let from = first + step;
                let until = first + step * i64::try_from(number).ok()?;
                let query = percent_encode(&logql::volume(self.query, step));
                let path =
                    format!("/loki/api/v1/query_range?query={query}&start={from}&end={until}&step={step}s");
                let answer = self.reach.ask(&path, None).await.ok()?;
                let counts = answer::counts_of_loki(&answer["data"]);
                let counts = counts.into_iter().map(|(at, count)| (at - step, count));
                Some((Some(Histogram::of(span, step, counts)), None))
            }
            Kind::OpenSearch | Kind::Elasticsearch => {
                let body = lucene::request(self.query, span, Order::Newest, 0, Some(step));
                let answer = self.documents(&body).await.ok()?;
                let histogram = Histogram::of(span, step, answer::counts_of_documents(&answer));
                Some((Some(histogram), answer::total_of_documents(&answer)))
            }
        }
    }

    /// How many lines there are.
    pub async fn count(&self, span: Span) -> Result<u64, Trouble> {
        match self.store.kind {
            Kind::Loki => {
                let seconds = span.until.duration_since(span.from).as_secs().max(1);
                let query = percent_encode(&logql::volume(self.query, seconds));
                let time = span.until.as_nanosecond();
                let answer =
                    self.reach.ask(&format!("/loki/api/v1/query?query={query}&time={time}"), None).await?;
                Ok(answer::count_of_loki(&answer["data"]))
            }
            Kind::OpenSearch | Kind::Elasticsearch => {
                let body = lucene::request(self.query, span, Order::Newest, 0, Some(span.step(1)));
                Ok(answer::total_of_documents(&self.documents(&body).await?).unwrap_or_default())
            }
        }
    }

    async fn documents(&self, body: &serde_json::Value) -> Result<serde_json::Value, Trouble> {
        self.reach.ask(&format!("/{}/_search", percent_encode(&self.store.index)), Some(body)).await
    }
}

impl Pages for Server<'_, '_> {
    const SIZES: (usize, usize) = (1_000, 5_000);

    async fn page(&self, span: Span, order: Order, size: usize) -> Result<Page, Trouble> {
        if self.store.kind != Kind::Loki {
            let body = lucene::request(self.query, span, order, size, None);
            let answer = self.documents(&body).await?;
            let given = answer["hits"]["hits"].as_array().map_or(0, Vec::len);
            return Ok(Page { lines: answer::of_documents(&answer), given });
        }
        let direction = match order {
            Order::Newest => "backward",
            Order::Oldest => "forward",
        };
        let path = format!(
            "/loki/api/v1/query_range?query={}&start={}&end={}&limit={size}&direction={direction}",
            percent_encode(self.query),
            span.from.as_nanosecond(),
            span.until.as_nanosecond()
        );
        let answer = self.reach.ask(&path, None).await?;
        let streams = answer["data"]["result"].as_array().into_iter().flatten();
        let given = streams.map(|stream| stream["values"].as_array().map_or(0, Vec::len)).sum();
        let lines = answer::of_loki(&answer["data"]).map_err(|kind| Trouble {
            error: Error::usage(format!(
                "the query asks {} for numbers ({kind}), and not for lines",
                self.store.name
            ))
            .hint("Grafana draws numbers: kubectl obs open grafana"),
            again: false,
        })?;
        Ok(Page { lines, given })
    }
}
