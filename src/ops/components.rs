//! The components of a release, by the names that a person types.

use super::{Context, revision};
use crate::error::{Error, Result};
use crate::release::Record;
use crate::values::did_you_mean;

/// The newest revision, which knows them.
pub async fn latest(ctx: &Context<'_>) -> Result<Record> {
    let (store, history) = revision::history(ctx).await?;
    store.read(revision::choose(ctx, &history, None)?.revision).await
}

/// Does the revision have all of these?
pub fn check(record: &Record, names: &[String]) -> Result<()> {
    known(&record.release, record.components.iter().map(|component| component.name.as_str()), names)
}

/// Are all of these among the components that there are?
pub fn known<'a>(release: &str, components: impl Iterator<Item = &'a str>, names: &[String]) -> Result<()> {
    let components: Vec<&str> = components.collect();
    let Some(unknown) = names.iter().find(|name| !components.contains(&name.as_str())) else {
        return Ok(());
    };
    let mut error = Error::usage(format!("release {release} has no component {unknown}"));
    if let Some(near) = did_you_mean(unknown, components.iter().copied()) {
        error = error.hint(format!("did you mean {near}?"));
    }
    Err(error.hint(format!("there are: {}", components.join(", "))))
}
