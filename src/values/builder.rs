//! Collects layers in their order and merges them into [`Values`].

use std::collections::BTreeMap;

use super::deleted::deletions;
use super::merge::Nulls;
use super::set::{self, SetFlag};
use super::{Layer, Pointer, Values, pointer};
use crate::error::Result;

/// Values in the making. The base (defaults, then profile) and the user's layers (previous, then
/// files, then flags) are kept apart: flags change the user's values, and what is recorded with a
/// release are the user's values alone.
#[derive(Debug, Clone)]
pub struct Builder {
    base: Layer,
    user: Layer,
}

impl Default for Builder {
    fn default() -> Self {
        Self { base: Layer::empty(), user: Layer::empty() }
    }
}

impl Builder {
    /// Defaults of a bundle, or a profile, over those given before. Nulls delete what is below.
    #[must_use]
    pub fn base(mut self, layer: &Layer) -> Self {
        self.base.overlay(layer, Nulls::DeleteOrKeep);
        self
    }

    /// Previous values or a file, over those given before. Nulls stay until [`Builder::build`]
    /// lays the result over the base.
    #[must_use]
    pub fn user(mut self, layer: &Layer) -> Self {
        self.user.overlay(layer, Nulls::Keep);
        self
    }

    /// One flag, over everything given before. `read` returns the content of a file that
    /// `--set-file` names.
    ///
    /// Helm sorts its flags by kind; here the order of the command line counts: call this in that
    /// order. An index (`a[0].b=c`) addresses the list that is visible below, the bundle's
    /// default included; Helm sees only lists from files and earlier flags.
    pub fn set(mut self, flag: SetFlag, text: &str, read: &dyn Fn(&str) -> Result<String>) -> Result<Self> {
        for assignment in set::parse(flag, text, read)? {
            set::apply(&mut self.user, &self.base, &assignment)?;
        }
        Ok(self)
    }

    /// The merged values, and warnings about maps that were replaced by something else or the
    /// reverse (without any value in the text).
    pub fn build(self) -> (Values, Vec<String>) {
        let Self { mut base, user } = self;
        let mut deleted = BTreeMap::new();
        deletions(&base.tree, &user.tree, Pointer::new(), &mut deleted);
        let conflicts = base.overlay(&user, Nulls::Delete);
        let warnings = conflicts
            .iter()
            .map(|conflict| {
                let path = pointer::dotted(&conflict.pointer, &user.tree);
                let place = user.origins.get(&conflict.pointer).map(|o| format!(" ({})", o.masked()));
                format!(
                    "{path}: {} of the bundle is replaced by {}{}",
                    conflict.lower,
                    conflict.upper,
                    place.unwrap_or_default()
                )
            })
            .collect();
        (Values { tree: base.tree, origins: base.origins, user: user.tree, deleted }, warnings)
    }
}

#[cfg(test)]
mod tests;
