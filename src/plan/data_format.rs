//! May a component go from the version that runs to another one, given the data on its volumes?
//! Each bundle says which format its application writes (`dataFormat`) and which older ones that
//! version can still go back to (`downgradeTo`). Going forward is the application's business; going
//! back over a format that it does not name would leave volumes that nobody can read.

use crate::error::Error;
use crate::release::ComponentRef;
use crate::render::Component;

/// What a component says about the format of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formats {
    /// Its name.
    pub component: String,
    /// The format that it writes; None when its bundle does not say.
    pub data_format: Option<u32>,
    /// Formats that it can go back to.
    pub downgrade_to: Vec<u32>,
}

impl From<&ComponentRef> for Formats {
    fn from(component: &ComponentRef) -> Self {
        Self {
            component: component.name.clone(),
            data_format: component.data_format,
            downgrade_to: component.downgrade_to.clone(),
        }
    }
}

impl From<&Component> for Formats {
    fn from(component: &Component) -> Self {
        Self {
            component: component.name.clone(),
            data_format: component.data_format,
            downgrade_to: component.downgrade_to.clone(),
        }
    }
}

/// A component that cannot go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub component: String,
    /// The format on its volumes.
    pub running: u32,
    /// The format that the other version reads.
    pub target: u32,
}

impl Refused {
    /// What happened and why.
    pub fn message(&self) -> String {
        let Self { component, running, target } = self;
        format!(
            "{component} cannot go back: its data is in format {running}, this version reads format {target}"
        )
    }

    /// What to do.
    pub fn hint(&self) -> String {
        format!(
            "restore a backup from before the upgrade; or, to go on without the data: --accept-data-loss {}",
            self.component
        )
    }
}

impl From<&Refused> for Error {
    fn from(refused: &Refused) -> Self {
        Self::failed(refused.message()).hint(refused.hint())
    }
}

/// The components that cannot go from `running` to `target`, but for those named in
/// `accept_data_loss`. A component that only one side has or that names no format is no problem:
/// there is nothing to compare.
pub fn refusal(running: &[Formats], target: &[Formats], accept_data_loss: &[String]) -> Vec<Refused> {
    let refused = |now: &Formats| {
        let then = target.iter().find(|formats| formats.component == now.component)?;
        let (from, to) = (now.data_format?, then.data_format?);
        let possible = to >= from || now.downgrade_to.contains(&to);
        (!possible).then(|| Refused { component: now.component.clone(), running: from, target: to })
    };
    running
        .iter()
        .filter(|formats| !accept_data_loss.contains(&formats.component))
        .filter_map(refused)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loki(data_format: Option<u32>, downgrade_to: &[u32]) -> Formats {
        Formats { component: "loki".into(), data_format, downgrade_to: downgrade_to.into() }
    }

    #[test]
    fn only_a_way_back_that_nobody_named_is_refused() {
        for (running, target, refused) in [
            (loki(Some(2), &[]), loki(Some(2), &[]), false),
            (loki(Some(2), &[]), loki(Some(3), &[]), false),
            (loki(Some(3), &[]), loki(Some(2), &[]), true),
            (loki(Some(3), &[2]), loki(Some(2), &[]), false),
            (loki(Some(3), &[2]), loki(Some(1), &[]), true),
            // what the older version says of itself does not count: it does not know the newer one
            (loki(Some(3), &[]), loki(Some(2), &[3, 2, 1]), true),
            (loki(None, &[]), loki(Some(2), &[]), false),
            (loki(Some(3), &[]), loki(None, &[]), false),
        ] {
            let found = refusal(std::slice::from_ref(&running), std::slice::from_ref(&target), &[]);
            assert_eq!(!found.is_empty(), refused, "{running:?} {target:?}");
            assert_eq!(refusal(&[running], &[target], &["loki".into()]), []);
        }
        assert_eq!(refusal(&[loki(Some(3), &[])], &[], &[]), [], "switched off");
        assert_eq!(refusal(&[], &[loki(Some(1), &[])], &[]), [], "new");
    }

    #[test]
    fn the_refusal_says_which_formats_and_what_to_do() {
        let found = refusal(&[loki(Some(3), &[2])], &[loki(Some(1), &[])], &["grafana".into()]);
        assert_eq!(
            Error::from(&found[0]).to_string(),
            "loki cannot go back: its data is in format 3, this version reads format 1\n  hint: restore a backup \
             from before the upgrade; or, to go on without the data: --accept-data-loss loki"
        );
    }
}
