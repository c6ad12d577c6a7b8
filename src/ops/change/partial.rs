//! `rollout undo`: which revision the components go back to, and what the release is then. It is a
//! rollback that is limited to the objects of some components: values, bundle and definitions stay,
//! so the next upgrade brings back what was undone, unless the values are changed.

use std::sync::Arc;

use super::aim::refuse_masks;
use super::{Seen, Target, Verb};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ops::revision::{choose, no_release};
use crate::ops::{Context, components};
use crate::release::partial::{Missing, differs, with_components_of};
use crate::release::{Record, Revision};

/// Decides. `wanted`: None for the last deployed revision in which the components were different.
pub async fn target(
    ctx: &Context<'_>,
    seen: &Seen,
    names: &[String],
    wanted: Option<Revision>,
) -> Result<(Verb, Target)> {
    let Some(latest) = seen.history.latest() else { return Err(no_release(ctx)) };
    let newest = seen.record(ctx, latest.revision).await?;
    components::check(&newest, names)?;
    let earlier = match wanted {
        Some(_) => seen.record(ctx, choose(ctx, &seen.history, wanted)?.revision).await?,
        None => last_different(ctx, seen, &newest, names).await?,
    };
    refuse_masks(&earlier)?;
    let to = earlier.revision;
    let absent = |name: &&String| earlier.components.iter().all(|component| component.name != **name);
    if let Some(name) = names.iter().find(absent) {
        return Err(Error::failed(format!("revision {to} had no component {name}"))
            .hint(format!("kubectl obs rollout history {name} lists the revisions in which it changed")));
    }
    let mixed =
        with_components_of(&newest, &earlier, names).map_err(|missing| incomplete(&missing, names, to))?;
    Ok((Verb::Undo { to, components: names.to_vec() }, Target::Record(Arc::new(mixed))))
}

/// The highest revision before the newest one that was deployed and in which the components were
/// different. Records that cannot be read are passed over.
async fn last_different(ctx: &Context<'_>, seen: &Seen, newest: &Record, names: &[String]) -> Result<Record> {
    let store = ctx.store();
    let earlier = seen.history.headers().iter().rev().skip(1);
    for header in earlier.filter(|header| header.was_deployed()) {
        match store.try_read(header.revision).await? {
            Ok(record) if differs(newest, &record, names) => return Ok(record),
            Ok(_) => {}
            Err(why) => {
                let message = store.unusable(header.revision, &why).message().to_owned();
                ctx.observer.event(Event::Warning { message });
            }
        }
    }
    Err(Error::failed(format!(
        "release {} has no earlier deployed revision in which {} {} different",
        ctx.release,
        names.join(", "),
        if names.len() == 1 { "was" } else { "were" }
    ))
    .hint("kubectl obs rollout history lists when components changed"))
}

fn incomplete(missing: &[Missing], names: &[String], to: Revision) -> Error {
    let first = &missing[0];
    let owner = match first.component.as_str() {
        "" => "the release".to_owned(),
        name => name.to_owned(),
    };
    let mut error = Error::failed(format!(
        "{} of revision {to} uses {} of {owner}, which the release no longer has",
        first.user, first.used
    ));
    for other in &missing[1..] {
        error = error.detail(format!("{} uses {}", other.user, other.used));
    }
    let mut together: Vec<&str> = names.iter().map(String::as_str).collect();
    for Missing { component, .. } in missing {
        if !component.is_empty() && !together.contains(&component.as_str()) {
            together.push(component);
        }
    }
    if together.len() > names.len() {
        error = error.hint(format!("kubectl obs rollout undo {} --to-revision {to}", together.join(" ")));
    }
    error.hint(format!("kubectl obs rollback {to} returns to the whole revision"))
}
