//! Which revision is meant: that of a release which must exist, the newest one or one by its
//! number.

use super::Context;
use crate::cluster::records::Store;
use crate::error::{Error, Result};
use crate::release::{Header, History, Revision};

/// The revisions of a release, from metadata alone; that there are none is an error.
pub async fn history(ctx: &Context<'_>) -> Result<(Store, History)> {
    let store = ctx.store();
    let history = store.history().await?;
    if history.latest().is_none() {
        return Err(no_release(ctx));
    }
    Ok((store, history))
}

/// The error for a release that is not there.
pub fn no_release(ctx: &Context<'_>) -> Error {
    Error::failed(format!("there is no release {} in namespace {}", ctx.release, ctx.namespace))
        .hint("kubectl obs list -A shows all releases; kubectl obs install makes one")
}

/// The newest revision, or the one with this number.
pub fn choose<'h>(ctx: &Context<'_>, history: &'h History, number: Option<Revision>) -> Result<&'h Header> {
    let Some(number) = number else { return history.latest().ok_or_else(|| no_release(ctx)) };
    history.headers().iter().find(|header| header.revision == number).ok_or_else(|| {
        Error::failed(format!("release {} has no revision {number}", ctx.release))
            .hint(format!("there are: {}", numbers(history.headers())))
    })
}

/// `1, 2, 5`
pub fn numbers<'h>(headers: impl IntoIterator<Item = &'h Header>) -> String {
    let numbers: Vec<String> = headers.into_iter().map(|header| header.revision.to_string()).collect();
    numbers.join(", ")
}
