//! From what was typed to what is installed: opens the bundle, reads value files and flags,
//! merges and checks the values.

use serde_json::Value;

use super::Context;
use super::sandbox::Secrets;
use super::source::{self, Opened};
use crate::bundle::Bundle;
use crate::cli;
use crate::error::{Error, Result};
use crate::release::Record;
use crate::render::{Facts, Rendered};
use crate::values::set::SetFlag;
use crate::values::{self, Layer, Pointer, Traces, Values, derived};

/// A bundle with the values for it, checked against its schema.
pub struct Loaded {
    opened: Opened,
    bundle: Bundle,
    values: Values,
    /// Where secrets are in them.
    secrets: Secrets,
    warnings: Vec<String>,
    profile: Option<String>,
    over_record: bool,
    from_record: bool,
}

/// Most values that were deleted for which it is tried whether the bundle needs them.
const MAX_TRIALS: usize = 8;
/// Most bytes of a values file.
const MAX_FILE: u64 = 16 * 1024 * 1024;

impl Loaded {
    /// Opens `reference` and merges the values for it.
    pub fn load(reference: &str, flags: &cli::Values) -> Result<Self> {
        Self::of(source::open(reference)?, flags, None)
    }

    /// The same of a bundle that was fetched, over the values and the profile that an earlier revision
    /// recorded.
    pub fn of(opened: Opened, flags: &cli::Values, previous: Option<&Record>) -> Result<Self> {
        let bundle = Bundle::load(&opened.files)?;
        let profile = flags.profile.clone().or_else(|| previous?.profile.clone());
        let over_record = previous.is_some();
        let (previous, moved) = match previous {
            Some(record) => {
                let (values, moved) = migrated(&bundle, record);
                (Some(Layer::previous(record.revision, values)?), moved)
            }
            None => (None, Vec::new()),
        };
        let (values, mut warnings) = merge(&bundle, flags, profile.as_deref(), previous.as_ref())?;
        warnings.extend(moved);
        values::refuse_masks(&values)?;
        let secrets = opened.check(&bundle, &values)?;
        let from_record = false;
        Ok(Self { opened, bundle, values, secrets, warnings, profile, over_record, from_record })
    }

    /// The same, when nobody named the bundle: a record did.
    #[must_use]
    pub fn named_by_record(self) -> Self {
        Self { from_record: true, ..self }
    }

    /// Are some of its values what a record says?
    pub fn builds_on_record(&self) -> bool {
        self.over_record || self.from_record
    }

    /// Where it is from, when a record alone says so: what came with the binary is known without.
    pub fn recorded_source(&self) -> Option<String> {
        (self.from_record && !self.opened.trusted).then(|| format!("{} ({})", self.source(), self.digest()))
    }

    /// What a person should know of the values though they are valid.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// `stack 1.0.0`
    pub fn title(&self) -> String {
        title(&self.bundle)
    }

    /// The bundle's name.
    pub fn name(&self) -> String {
        self.bundle.name().to_owned()
    }

    /// The bundle's version.
    pub fn version(&self) -> String {
        self.bundle.meta().version.to_string()
    }

    /// `sha256:…`
    pub fn digest(&self) -> String {
        self.opened.digest.to_string()
    }

    /// Where it came from.
    pub fn source(&self) -> String {
        self.opened.origin.clone()
    }

    /// The chosen profile.
    pub fn profile(&self) -> Option<String> {
        self.profile.clone()
    }

    /// What the user set: recorded with the release.
    pub fn user_values(&self) -> Value {
        self.values.user.clone()
    }

    /// Where in them secrets are, as the bundle's schema says: recorded beside them, since a record
    /// has no schema. A bundle without one calls nothing secret.
    pub fn secret_values(&self) -> Vec<Pointer> {
        self.secrets.user.clone()
    }

    /// The facts for rendering, with a new random key.
    pub fn facts(&self, ctx: &Context<'_>, kubernetes: &str) -> Facts {
        let namespace = ctx.namespace.as_str();
        Facts {
            release: ctx.release.to_string(),
            namespace: namespace.to_owned(),
            node_namespace: self.node_namespace(namespace),
            kubernetes: kubernetes.to_owned(),
            hmac_key: rand::random::<[u8; 32]>().to_vec(),
        }
    }

    /// The facts for rendering without a cluster: the key is a fixed one.
    pub fn offline_facts(&self, release: &str, namespace: &str, kubernetes: &str) -> Facts {
        Facts {
            node_namespace: self.node_namespace(namespace),
            kubernetes: kubernetes.to_owned(),
            ..Facts::offline(release, namespace, "")
        }
    }

    /// `global.nodeNamespace`, else the release's namespace with `-node`.
    fn node_namespace(&self, namespace: &str) -> String {
        match self.values.tree["global"]["nodeNamespace"].as_str() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => format!("{namespace}-node"),
        }
    }

    /// Renders: in this process what is embedded, in a child with limits what is not.
    pub fn render(&self, facts: &Facts) -> Result<Rendered> {
        let traces = self.traces();
        match self.opened.render_tracing(&self.values.tree, &self.secrets.tree, facts) {
            Ok(mut rendered) => {
                // a record has the user's values alone
                let own = self.secrets.tree.iter().filter(|at| !self.secrets.user.contains(at));
                rendered.derived.extend(derived::texts(&self.values.tree, own));
                let traces = traces.and_derived(&rendered.derived);
                Ok(Rendered { notes: traces.text(&rendered.notes).into_owned(), ..rendered })
            }
            Err(error) => {
                let error = self.for_want_of_what_was_deleted(&error, facts).unwrap_or(error);
                // a filter quotes what it cannot read
                Err(error.with_texts(|text| traces.sentence(text)))
            }
        }
    }

    /// Its secrets, to be found where they were rendered into.
    pub fn traces(&self) -> Traces {
        Traces::of(&self.values.tree, &self.secrets.tree)
    }

    /// Does it fail for want of values that a null deleted? Found out by rendering with them.
    fn for_want_of_what_was_deleted(&self, error: &Error, facts: &Facts) -> Option<Error> {
        let values = &self.values;
        let deleted: Vec<&Pointer> = values.deleted.keys().collect();
        if deleted.is_empty() || deleted.len() > MAX_TRIALS {
            return None;
        }
        let renders = |without: Option<&Pointer>| {
            let back = deleted.iter().copied().filter(|at| Some(*at) != without);
            self.opened.render(&values.with_defaults_at(back), facts).is_ok()
        };
        if !renders(None) {
            return None;
        }
        let mut needed: Vec<&Pointer> = deleted.iter().copied().filter(|at| !renders(Some(*at))).collect();
        if needed.is_empty() {
            needed.clone_from(&deleted); // one of them is enough
        }
        let place = |at: &&Pointer| {
            let origin = values.origin(at).map(|origin| format!(" ({origin})")).unwrap_or_default();
            format!("{}{origin}", values::pointer::dotted(at, &values.tree))
        };
        let names = needed.iter().map(place).collect::<Vec<_>>().join(", ");
        let told =
            Error::usage(format!("the bundle needs what was deleted: {names}")).detail(error.message());
        let secret =
            self.opened.secrets(&self.bundle, &values.with_defaults_at(needed.iter().copied())).ok()?;
        let shown = needed.iter().filter(|at| !secret.iter().any(|s| s.starts_with(at.as_str())));
        Some(shown.filter_map(|at| values.undelete_hint(at)).fold(told, Error::hint))
    }

    /// The opened bundle.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The merged values.
    pub fn values(&self) -> &Value {
        &self.values.tree
    }
}

/// The recorded values under the keys of the new version, and what was done to them.
fn migrated(bundle: &Bundle, record: &Record) -> (Value, Vec<String>) {
    let meta = bundle.meta();
    let same = record.bundle.name == meta.name;
    let Some(from) = semver::Version::parse(&record.bundle.version).ok().filter(|_| same) else {
        return (record.values.clone(), Vec::new());
    };
    let (values, warnings) = values::migrate(&record.values, &meta.migrations, &from, &meta.version);
    (values, warnings.iter().map(ToString::to_string).collect())
}

fn title(bundle: &Bundle) -> String {
    format!("{} {}", bundle.name(), bundle.meta().version)
}

/// Lays profile, recorded values, files and flags over the bundle's defaults.
fn merge(
    bundle: &Bundle,
    flags: &cli::Values,
    profile: Option<&str>,
    previous: Option<&Layer>,
) -> Result<(Values, Vec<String>)> {
    let mut builder =
        Values::builder().base(&Layer::defaults(bundle.name(), bundle.effective_defaults().clone())?);
    if let Some(name) = profile {
        // checked first: its error lists the profiles that there are
        bundle.profile(name)?;
        let text = bundle.text(&format!("profiles/{name}.yaml")).unwrap_or_default();
        builder = builder.base(&Layer::profile(name, text)?);
    }
    if let Some(layer) = previous {
        builder = builder.user(layer);
    }
    for path in &flags.files {
        builder = builder.user(&Layer::file(path, &read(path, "-f")?)?);
    }
    let groups = [
        (SetFlag::Json, &flags.set_json),
        (SetFlag::Set, &flags.set),
        (SetFlag::String, &flags.set_string),
        (SetFlag::File, &flags.set_file),
        (SetFlag::Literal, &flags.set_literal),
    ];
    for (flag, texts) in groups {
        for text in texts {
            builder = builder.set(flag, text, &|path| read(path, "--set-file"))?;
        }
    }
    Ok(builder.build())
}

/// Reads a file, or standard input for `-`.
fn read(path: &str, flag: &str) -> Result<String> {
    let failed = |why: String| {
        Error::usage(format!("values file {path} cannot be read: {why}"))
            .hint(format!("check the path given with {flag}"))
    };
    let bytes = super::read_input(path.as_ref(), MAX_FILE + 1)?.map_err(|e| failed(reason(&e)))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(failed("it is larger than 16 MiB".into()));
    }
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8 text".into()))
}

/// An I/O error in our words, without the operating system's number.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => error.to_string(),
    }
}
