//! What an operation aims at, decided from the release's history: which bundle with which values,
//! or which revision. Decided again under the lock when somebody else changed the release.

use std::sync::Arc;

use semver::Version;

use super::{Seen, Target, Verb, partial};
use crate::cli;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::MASK;
use crate::ops::load::Loaded;
use crate::ops::revision::{choose, no_release};
use crate::ops::{Context, source};
use crate::release::{History, Record, Revision, Status};
use crate::values::{masks, pointer};

/// What is wanted.
pub enum Aim<'a> {
    /// A first revision.
    Install(Arc<Loaded>),
    /// A bundle with values on top of the release's own.
    Upgrade(Upgrade<'a>),
    /// The content of a revision; None: the last one that was deployed.
    Rollback(Option<Revision>),
    /// Components as a revision had them; None: the last deployed one in which they were different.
    Undo(&'a [String], Option<Revision>),
}

/// An upgrade as it was asked for.
pub struct Upgrade<'a> {
    /// The bundle; None: the recorded one.
    pub bundle: Option<&'a str>,
    /// Values.
    pub values: &'a cli::Values,
    /// Install when there is no release.
    pub install: bool,
    /// Forget the release's own values.
    pub reset_values: bool,
    /// Allow a bundle of another name.
    pub switch_bundle: bool,
    /// Allow an older version.
    pub allow_downgrade: bool,
}

impl Aim<'_> {
    /// Decides.
    pub async fn target(&self, ctx: &Context<'_>, seen: &Seen) -> Result<(Verb, Target)> {
        match self {
            Self::Install(loaded) => {
                // a lock that is left may be that of an install that was killed at its very end
                if !seen.killed {
                    refuse_deployed(ctx, &seen.history)?;
                }
                Ok((Verb::Install, Target::Bundle(Arc::clone(loaded))))
            }
            Self::Upgrade(upgrade) => upgrade.target(ctx, seen),
            Self::Rollback(revision) => rollback(ctx, seen, *revision).await,
            Self::Undo(components, revision) => partial::target(ctx, seen, components, *revision).await,
        }
    }
}

impl Aim<'_> {
    /// The bundle that it is probably about, when the release cannot be read.
    pub fn likely_bundle(&self) -> Option<Arc<Loaded>> {
        match self {
            Self::Install(loaded) => Some(Arc::clone(loaded)),
            Self::Upgrade(upgrade) => {
                Loaded::load(upgrade.bundle.unwrap_or("stack"), upgrade.values).ok().map(Arc::new)
            }
            Self::Rollback(_) | Self::Undo(..) => None,
        }
    }
}

/// An install over a deployed revision would be an upgrade.
pub fn refuse_deployed(ctx: &Context<'_>, history: &History) -> Result<()> {
    match history.deployed() {
        None => Ok(()),
        Some(header) => Err(Error::failed(format!(
            "release {} is already deployed in namespace {} (revision {}, {})",
            ctx.release, ctx.namespace, header.revision, header.bundle
        ))
        .hint("kubectl obs upgrade changes it; kubectl obs uninstall removes it; --release NAME installs another one")),
    }
}

impl Upgrade<'_> {
    fn target(&self, ctx: &Context<'_>, seen: &Seen) -> Result<(Verb, Target)> {
        let latest = seen.history.latest().filter(|h| h.status != Some(Status::Uninstalled));
        let Some(latest) = latest else {
            if !self.install {
                return Err(no_release(ctx).hint("kubectl obs upgrade --install makes one, too"));
            }
            let loaded = Loaded::load(self.bundle.unwrap_or("stack"), self.values)?;
            return Ok((Verb::Install, Target::Bundle(warned(ctx, loaded))));
        };
        let Some(record) = seen.latest() else {
            if let (Some(reference), true) = (self.bundle, self.reset_values) {
                let loaded = Loaded::load(reference, self.values)?;
                return Ok((Verb::Upgrade, Target::Bundle(warned(ctx, loaded))));
            }
            return Err(Error::failed(format!(
                "the values of revision {} cannot be read, and an upgrade builds on them",
                latest.revision
            ))
            .hint("kubectl obs rollback REVISION goes back to one that can be read (kubectl obs history)")
            .hint("or give everything anew: kubectl obs upgrade BUNDLE --reset-values -f VALUES"));
        };
        let reference = match self.bundle {
            Some(reference) => reference.to_owned(),
            None => recorded_source(record),
        };
        let previous = (!self.reset_values).then_some(record);
        let opened = source::open(&reference).map_err(|error| match self.bundle {
            Some(_) => error,
            None => error.hint(format!(
                "revision {} came from {}; name the bundle if it is somewhere else by now",
                record.revision, record.bundle.source
            )),
        })?;
        let loaded = Loaded::of(opened, self.values, previous)?;
        self.fits(&loaded, record)?;
        let loaded = if self.bundle.is_none() { loaded.named_by_record() } else { loaded };
        Ok((Verb::Upgrade, Target::Bundle(warned(ctx, loaded))))
    }

    /// Another bundle, or an older version, is taken only when asked for.
    fn fits(&self, loaded: &Loaded, record: &Record) -> Result<()> {
        let (old, new) = (&record.bundle, loaded.title());
        if old.name != loaded.name() && !self.switch_bundle {
            return Err(Error::usage(format!("the release runs {} {}, not {new}", old.name, old.version))
                .hint("pass --switch-bundle to replace one bundle by another"));
        }
        let versions = (Version::parse(&old.version), Version::parse(&loaded.version()));
        if let (Ok(running), Ok(wanted)) = versions
            && old.name == loaded.name()
            && wanted < running
            && !self.allow_downgrade
        {
            return Err(Error::usage(format!(
                "the release runs {} {running}, which is newer than {new}",
                old.name
            ))
            .hint("pass --allow-downgrade to go back; kubectl obs rollback returns to an earlier revision"));
        }
        Ok(())
    }
}

/// What opens the recorded bundle again: the embedded one means this plugin's.
fn recorded_source(record: &Record) -> String {
    let source = &record.bundle.source;
    match source.strip_prefix("embedded ") {
        Some(name) => name.to_owned(),
        None if source.starts_with("https://") => format!("{source}#{}", record.bundle.digest),
        None => source.clone(),
    }
}

fn warned(ctx: &Context<'_>, loaded: Loaded) -> Arc<Loaded> {
    for warning in loaded.warnings() {
        ctx.observer.event(Event::Warning { message: warning.clone() });
    }
    Arc::new(loaded)
}

/// A revision of an older version may hold a mask where a secret should be: nobody wants it back.
pub(super) fn refuse_masks(record: &Record) -> Result<()> {
    let found = masks(&record.values);
    let Some(first) = found.first() else { return Ok(()) };
    let path = pointer::dotted(first, &record.values);
    Err(Error::failed(format!(
        "revision {} holds {MASK} in place of {path}: it was made from values that were printed without their secrets",
        record.revision
    ))
    .hint("choose another revision: kubectl obs history")
    .hint("or go forward, with the secret in a file: kubectl obs upgrade -f FILE"))
}

async fn rollback(ctx: &Context<'_>, seen: &Seen, wanted: Option<Revision>) -> Result<(Verb, Target)> {
    let Some(latest) = seen.history.latest() else { return Err(no_release(ctx)) };
    let revision = match wanted {
        Some(_) => choose(ctx, &seen.history, wanted)?.revision,
        None => seen.history.last_good().map(|header| header.revision).ok_or_else(|| {
            Error::failed(format!(
                "release {} has no earlier revision that was deployed (the newest is {})",
                ctx.release, latest.revision
            ))
            .hint("kubectl obs history lists the revisions; kubectl obs upgrade goes forward")
        })?,
    };
    let record = seen.record(ctx, revision).await?;
    refuse_masks(&record)?;
    Ok((Verb::Rollback(revision), Target::Record(Arc::new(record))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_with_a_mask_is_not_returned_to() {
        let mut record = Record::sample(4);
        refuse_masks(&record).unwrap();
        record.values = serde_json::json!({"db": {"password": MASK}});
        let error = refuse_masks(&record).unwrap_err();
        assert!(error.message().starts_with("revision 4 holds ******** in place of db.password:"), "{error}");
    }
}
