//! What the release is to become: the render of a bundle, or what an earlier revision recorded.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Options, Seen};
use crate::cluster::Kinds;
use crate::cluster::records::Store;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectId, labels, split_api_version};
use crate::ops::Context;
use crate::ops::load::Loaded;
use crate::plan::data_format::{self, Formats};
use crate::plan::{Live, immutable};
use crate::release::codec::hex;
use crate::release::record::FORMAT;
use crate::release::{BundleRef, ComponentRef, Entry, Record, Revision};
use crate::render::Facts;
use crate::values::{Pointer, did_you_mean};

/// Where the goal comes from.
#[derive(Clone)]
pub enum Target {
    /// A bundle with values.
    Bundle(Arc<Loaded>),
    /// An earlier revision.
    Record(Arc<Record>),
}

impl Target {
    /// `stack 1.0.0`
    pub fn title(&self) -> String {
        match self {
            Self::Bundle(loaded) => loaded.title(),
            Self::Record(record) => format!("{} {}", record.bundle.name, record.bundle.version),
        }
    }
}

/// What the release is to become.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Which bundle.
    pub bundle: BundleRef,
    /// The chosen profile.
    pub profile: Option<String>,
    /// The user's own values.
    pub values: Value,
    /// Where in them secrets are; None where an older record does not say.
    pub secret_values: Option<Vec<Pointer>>,
    /// The enabled components.
    pub components: Vec<ComponentRef>,
    /// The objects to apply.
    pub objects: Vec<Object>,
    /// CRDs as an earlier revision recorded them, which a rollback leaves alone.
    pub crds: Vec<Value>,
    /// Recorded objects whose API version is no longer served, and that are sent in another one:
    /// which, recorded as, sent as.
    pub translated: Vec<(ObjectId, String, String)>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// Texts in all this that templates made of secrets.
    pub derived: Vec<String>,
    /// Namespace of node-level components.
    pub node_namespace: String,
    /// Is some of it what a record says, and not the command line?
    pub recorded: bool,
    /// Where the bundle is from, when a record alone says so.
    pub recorded_source: Option<String>,
}

/// A render knows built-in kinds and those of its own definitions; of all others the server knows which live
/// outside namespaces.
fn place(object: &mut Object, kinds: &Kinds) {
    let (group, version) = split_api_version(object.api_version());
    let kind = kinds.resolve(group, version, object.kind());
    if object.namespace().is_some()
        && kind.is_some_and(|kind| !kind.namespaced)
        && let Some(metadata) = object.value_mut()["metadata"].as_object_mut()
    {
        metadata.shift_remove("namespace");
    }
}

impl Goal {
    /// Renders the target. `facts` hold the release's key.
    pub fn new(target: &Target, facts: &Facts, kinds: &Kinds) -> Result<Self> {
        let mut goal = match target {
            Target::Bundle(loaded) => Self::of_bundle(loaded, facts)?,
            Target::Record(record) => Self::of_record(record, kinds)?,
        };
        goal.objects.iter_mut().for_each(|object| place(object, kinds));
        Ok(goal)
    }

    fn of_bundle(loaded: &Loaded, facts: &Facts) -> Result<Self> {
        let rendered = loaded.render(facts)?;
        Ok(Self {
            bundle: BundleRef {
                name: loaded.name(),
                version: loaded.version(),
                digest: loaded.digest(),
                source: loaded.source(),
            },
            profile: loaded.profile(),
            values: loaded.user_values(),
            secret_values: Some(loaded.secret_values()),
            components: rendered
                .components
                .into_iter()
                .map(|c| ComponentRef {
                    name: c.name,
                    version: c.version,
                    app_version: c.app_version,
                    node_level: c.node_level,
                    data_format: c.data_format,
                    downgrade_to: c.downgrade_to,
                    health: c.health,
                })
                .collect(),
            objects: rendered.objects,
            crds: Vec::new(),
            translated: Vec::new(),
            notes: rendered.notes,
            derived: rendered.derived,
            node_namespace: facts.node_namespace.clone(),
            recorded: loaded.builds_on_record(),
            recorded_source: loaded.recorded_source(),
        })
    }

    /// CRDs belong to the cluster: an older one is not brought back.
    fn of_record(record: &Record, kinds: &Kinds) -> Result<Self> {
        let mut objects = Vec::new();
        let mut crds = Vec::new();
        let mut translated = Vec::new();
        for value in &record.objects {
            if value["kind"] == "CustomResourceDefinition" {
                crds.push(value.clone());
                continue;
            }
            let object = Object::new(value.clone()).map_err(|why| {
                Error::failed(format!(
                    "revision {} holds something that is no object: {why}",
                    record.revision
                ))
            })?;
            let recorded = object.api_version().to_owned();
            let object = served(object, kinds, record.revision)?;
            if object.api_version() != recorded {
                translated.push((object.id(), recorded, object.api_version().to_owned()));
            }
            objects.push(object);
        }
        Ok(Self {
            bundle: record.bundle.clone(),
            profile: record.profile.clone(),
            values: record.values.clone(),
            secret_values: record.secret_values.clone(),
            components: record.components.clone(),
            objects,
            crds,
            translated,
            notes: record.notes.clone(),
            derived: record.derived.clone(),
            node_namespace: record.node_namespace.clone(),
            recorded: true,
            recorded_source: None,
        })
    }

    /// Refuses a version that cannot read the data on the volumes any more.
    /// `running` are the components that run or whose volumes were kept ([`Self::with_data`]).
    pub fn refuse_old_data_formats(&self, running: &[ComponentRef], options: &Options) -> Result<()> {
        let formats = |components: &[ComponentRef]| components.iter().map(Formats::from).collect::<Vec<_>>();
        let (running, target) = (formats(running), formats(&self.components));
        match data_format::refusal(&running, &target, &options.accept_data_loss).first() {
            Some(refused) => Err(Error::from(refused)),
            None => Ok(()),
        }
    }

    /// The components of the newest revision, and as they last were those that come back now: their
    /// volumes may have stayed. Only then older records are read.
    pub async fn with_data(&self, seen: &Seen, store: &Store) -> Result<Vec<ComponentRef>> {
        let mut known = seen.latest().map(|record| record.components.clone()).unwrap_or_default();
        let comes_back = |known: &[ComponentRef], one: &ComponentRef| {
            one.data_format.is_some() && known.iter().all(|other| other.name != one.name)
        };
        for header in seen.history.headers().iter().rev().skip(1) {
            if !self.components.iter().any(|one| comes_back(&known, one)) {
                break;
            }
            // one that cannot be read says nothing, and was reported where it matters
            let Ok(record) = store.try_read(header.revision).await? else { continue };
            let back =
                record.components.into_iter().filter(|one| comes_back(&known, one)).collect::<Vec<_>>();
            known.extend(back);
        }
        Ok(known)
    }

    /// Refuses names of flags that nothing has: an object to be made anew, a component whose data may
    /// be lost.
    pub fn check_names(&self, options: &Options) -> Result<()> {
        let components: Vec<&str> = self.components.iter().map(|component| component.name.as_str()).collect();
        if let Some(unknown) =
            options.accept_data_loss.iter().find(|name| !components.contains(&name.as_str()))
        {
            return Err(Error::usage(format!(
                "--accept-data-loss {unknown} names no component of the release"
            ))
            .hint(format!("its components are {}", components.join(", "))));
        }
        let recreate = &options.recreate;
        let names: Vec<String> =
            self.objects.iter().map(|object| format!("{}/{}", object.kind(), object.name())).collect();
        let unknown = |name: &&String| !names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let Some(unknown) = recreate.iter().find(unknown) else { return Ok(()) };
        let error = Error::usage(format!("--recreate {unknown} names no object of the release"));
        Err(match did_you_mean(unknown, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("write it as KIND/NAME, for example StatefulSet/obs-prometheus; kubectl obs get inventory lists them"),
        })
    }

    /// An error of the checks, with what was sent in another version than it was recorded in.
    pub fn explain_translations(&self, error: Error) -> Error {
        if self.translated.is_empty() {
            return error;
        }
        let error = self.translated.iter().fold(error, |error, (id, from, to)| {
            error.detail(format!(
                "{id} was recorded in {from}, which this cluster no longer serves, and is sent in {to}"
            ))
        });
        error.hint("choose another revision (kubectl obs history), or upgrade instead")
    }

    /// Leaves claims that are larger than wanted at their size, so that the rest can be done.
    pub fn keep_claim_sizes(&mut self, live: &Live) {
        for object in &mut self.objects {
            if let Some(live) = live.get(&object.id()) {
                *object.value_mut() = immutable::with_live_sizes(object.value(), live);
            }
        }
    }

    /// The Namespace of the release as it is to be.
    pub fn namespace_object(&self, ctx: &Context<'_>) -> Result<&Object> {
        self.objects
            .iter()
            .find(|o| o.kind() == "Namespace" && o.name() == ctx.namespace.as_str())
            .ok_or_else(|| Error::failed("the bundle renders no namespace for the release"))
    }

    /// The record of the revision that has this goal.
    pub fn record(&self, ctx: &Context<'_>, revision: Revision, inventory: Vec<Entry>) -> Record {
        Record {
            format: FORMAT,
            release: ctx.release.to_string(),
            namespace: ctx.namespace.to_string(),
            node_namespace: self.node_namespace.clone(),
            revision,
            bundle: self.bundle.clone(),
            profile: self.profile.clone(),
            values: self.values.clone(),
            secret_values: self.secret_values.clone(),
            components: self.components.clone(),
            objects: self.recorded_objects(),
            inventory,
            notes: self.notes.clone(),
            derived: self.derived.clone(),
        }
    }

    /// The objects as records hold them.
    pub fn recorded_objects(&self) -> Vec<Value> {
        let own = self.objects.iter().map(|object| recorded(object).into_owned());
        own.chain(self.crds.iter().cloned()).collect()
    }

    /// The objects that the record holds just as they are desired now.
    pub fn same_as_in(&self, record: &Record) -> BTreeSet<ObjectId> {
        let known: BTreeMap<ObjectId, &Value> =
            record.objects.iter().map(|value| (ObjectId::of(value), value)).collect();
        let same =
            |object: &&Object| known.get(&object.id()).is_some_and(|value| **value == *recorded(object));
        self.objects.iter().filter(same).map(Object::id).collect()
    }

    /// Is this what the revision already holds?
    pub fn equals(&self, record: &Record) -> bool {
        self.bundle == record.bundle
            && self.profile == record.profile
            && self.values == record.values
            && self.components == record.components
            && self.notes == record.notes
            && self.recorded_objects() == record.objects
    }
}

/// An object as records hold it.
fn recorded(object: &Object) -> Cow<'_, Value> {
    match object.kind() {
        "CustomResourceDefinition" => Cow::Owned(crd_stub(object)),
        _ => Cow::Borrowed(object.value()),
    }
}

/// Name and digest: enough to say which CRD it was.
fn crd_stub(object: &Object) -> Value {
    let digest = hex(&Sha256::digest(object.value().to_string()));
    json!({
        "apiVersion": object.api_version(),
        "kind": object.kind(),
        "metadata": {
            "name": object.name(),
            "labels": object.value()["metadata"]["labels"],
            "annotations": { labels::DIGEST: format!("sha256:{digest}") },
        },
    })
}

/// The object in a version that the server serves: the recorded one, else the one it prefers.
fn served(mut object: Object, kinds: &Kinds, revision: Revision) -> Result<Object> {
    let (group, version) = split_api_version(object.api_version());
    if kinds.resolve(group, version, object.kind()).is_some() {
        return Ok(object);
    }
    let Some(kind) = kinds.preferred(group, object.kind()) else {
        return Err(Error::failed(format!(
            "revision {revision} holds {} in {}, which this cluster no longer serves in any version",
            object.id(),
            object.api_version()
        ))
        .hint("choose another revision (kubectl obs history), or upgrade instead"));
    };
    object.value_mut()["apiVersion"] = json!(kind.api_version());
    Ok(object)
}
