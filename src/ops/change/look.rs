//! Reading what there is, and planning: before the lock, so that a plan can be shown and an upgrade
//! that changes nothing writes nothing; and once more under it, when anything moved meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::aim::Aim;
use super::{DryRun, Goal, Options, Target, Verb};
use crate::cluster::records::Store;
use crate::cluster::{HolderInfo, Kinds, Lock, ServerVersion};
use crate::error::{Error, Exit, Result};
use crate::event::Event;
use crate::object::{Object, ObjectId, builtin, split_api_version};
use crate::ops::apply::unknown_kind;
use crate::ops::run::Run;
use crate::ops::{Context, ask, get, live, namespace, preflight, who};
use crate::plan::{Applied, Change, Live, Plan, Refusal, Rules, append_only, plan};
use crate::release::record::merge_inventory;
use crate::release::{Entry, Header, History, Metadata, Record, Revision, Status, Unusable};
use crate::render::Facts;
use crate::values::Traces;

/// What was read at the beginning.
pub struct Seen {
    /// The server's version.
    pub version: ServerVersion,
    /// All revisions.
    pub history: History,
    /// The records of the prune baseline that can be read, oldest first.
    pub records: Vec<Record>,
    /// Could one of them not be read? Then what it made is looked for by label.
    pub blind: bool,
    /// The chunks of all records.
    pub chunks: Vec<Metadata>,
    /// The release's key, if it was made already.
    pub key: Option<Vec<u8>>,
    /// Is there a lock: is somebody at work, or was killed?
    pub locked: bool,
    /// Is it known that who holds it was killed?
    pub killed: bool,
    /// Is there no namespace yet? Then nothing can be in it.
    pub absent: bool,
    /// May the caller do everything? Then no single right is asked for.
    pub all_rights: bool,
    /// What the server serves.
    pub kinds: Arc<Kinds>,
}

impl Seen {
    /// The newest revision's record.
    pub fn latest(&self) -> Option<&Record> {
        self.known(self.history.latest()?.revision)
    }

    /// The record of this revision, if it was read already.
    fn known(&self, revision: Revision) -> Option<&Record> {
        self.records.iter().find(|record| record.revision == revision)
    }

    /// The record of a revision; read now when it was not read before.
    pub async fn record(&self, ctx: &Context<'_>, revision: Revision) -> Result<Record> {
        match self.known(revision) {
            Some(record) => Ok(record.clone()),
            None => ctx.store().read(revision).await,
        }
    }

    /// The revisions that came before the newest one and do not say so yet.
    pub fn unsettled(&self) -> impl Iterator<Item = &Header> {
        let older = self.history.headers().split_last().map_or(&[][..], |(_, older)| older);
        older.iter().filter(|header| header.status.and_then(Status::once_followed).is_some())
    }

    /// Did every earlier operation come to its end?
    pub fn is_tidy(&self) -> bool {
        !self.locked && self.unsettled().next().is_none()
    }
}

/// Reads the release's records and what else every operation wants to know, at once.
pub async fn read(ctx: &Context<'_>) -> Result<Seen> {
    let store = ctx.store();
    let all = async {
        tokio::try_join!(
            ctx.cluster.version(),
            history(ctx, &store),
            store.chunks(),
            store.key(),
            preflight::may_everything(ctx),
            ctx.cluster.kinds(),
            holder(ctx),
            absent(ctx),
        )
    };
    let (version, (history, records, blind), chunks, key, all_rights, kinds, holder, absent) =
        ctx.or(all).await?;
    let (locked, killed) = (holder.is_some(), holder.is_some_and(|holder| holder.process_is_gone()));
    Ok(Seen { version, history, records, blind, chunks, key, locked, killed, absent, all_rights, kinds })
}

/// Why the release could not be read: who lacks rights should hear of all that are missing at once,
/// not of the first.
pub async fn unreadable(ctx: &Context<'_>, aim: &Aim<'_>, error: Error) -> Error {
    if error.exit() != Exit::Failed || !matches!(preflight::may_everything(ctx).await, Ok(false)) {
        return error;
    }
    let objects = match (aim.likely_bundle(), ctx.cluster.version().await) {
        (Some(loaded), Ok(version)) => loaded
            .render(&loaded.facts(ctx, &version.text))
            .map(|rendered| rendered.objects)
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    preflight::rights(ctx, &objects, false).await.err().unwrap_or(error)
}

/// Whoever may not look at Leases sees none: `diff` needs no more than the right to read.
async fn holder(ctx: &Context<'_>) -> Result<Option<HolderInfo>> {
    Ok(Lock::holder(ctx.cluster, ctx.namespace.as_str(), ctx.release.as_str()).await.ok().flatten())
}

/// Whoever may not look at it has one.
async fn absent(ctx: &Context<'_>) -> Result<bool> {
    let found = ctx.cluster.look_up(&builtin::namespaces(), None, ctx.namespace.as_str()).await?;
    Ok(found.is_some_and(|found| found.is_none()))
}

async fn history(ctx: &Context<'_>, store: &Store) -> Result<(History, Vec<Record>, bool)> {
    let history = store.history().await?;
    let (records, blind) = baseline(ctx, store, &history).await?;
    Ok((history, records, blind))
}

/// The records of the prune baseline. A damaged one is reported and left out.
async fn baseline(ctx: &Context<'_>, store: &Store, history: &History) -> Result<(Vec<Record>, bool)> {
    let mut records = Vec::new();
    // what is superseded was followed by something
    let mut blind = false;
    if let Some(latest) = history.latest().filter(|latest| latest.status == Some(Status::Superseded)) {
        blind = true;
        ctx.observer.event(Event::Warning {
            message: format!(
                "the record of revision {} of release {} is gone: what it made is found by its labels",
                latest.revision + 1,
                ctx.release
            ),
        });
    }
    if let Some(unknown) = history.headers().iter().find(|header| header.status.is_none()) {
        return Err(Error::failed(format!(
            "revision {} of release {} has the status \"{}\", which this version of kubectl-obs does not know",
            unknown.revision, ctx.release, unknown.status_word
        ))
        .hint("a newer version of kubectl-obs wrote it: upgrade the plugin"));
    }
    for (header, result) in history.baseline().iter().zip(store.read_all(history.baseline()).await) {
        match result? {
            Ok(record) => records.push(record),
            // what it keeps, and how, is for the version that wrote it to say
            Err(newer @ Unusable::Newer(_)) => return Err(store.unusable(header.revision, &newer)),
            Err(why) => {
                blind = true;
                let message = store.unusable(header.revision, &why).message().to_owned();
                ctx.observer.event(Event::Warning { message });
            }
        }
    }
    Ok((records, blind))
}

/// The state of the release and of the cluster, and what is to be done about it.
pub struct Look {
    /// What was read at the beginning.
    pub seen: Seen,
    /// What is done.
    pub verb: Verb,
    /// What the release is to become.
    pub goal: Goal,
    /// What it was rendered with.
    pub facts: Facts,
    /// What is there.
    pub around: Around,
    /// What will be done.
    pub plan: Plan,
    /// The secrets of what is and of what is to be, to be found in what is shown of it.
    pub traces: Traces,
}

fn traces(records: &[Record], target: &Target) -> Traces {
    let next = match target {
        Target::Bundle(loaded) => loaded.traces(),
        Target::Record(record) => get::traces(record),
    };
    records.iter().map(get::traces).fold(next, Traces::and)
}

impl Look {
    /// Is everything as it should be, in the records too?
    pub fn nothing_to_do(&self) -> bool {
        let deployed = self.seen.history.latest().is_some_and(|h| h.status == Some(Status::Deployed));
        deployed
            && self.plan.is_empty()
            && !self.seen.blind
            && self.seen.latest().is_some_and(|record| self.goal.equals(record))
    }

    /// For the checks before the first write.
    pub fn subject<'a>(
        &'a self,
        namespace: Option<&'a namespace::State>,
        dry_run: bool,
    ) -> preflight::Subject<'a> {
        preflight::Subject {
            plan: &self.plan,
            components: &self.goal.components,
            values: &self.goal.values,
            node_namespace: &self.goal.node_namespace,
            namespace,
            dry_run,
            all_rights: self.seen.all_rights,
            advise: matches!(self.verb, Verb::Install | Verb::Upgrade),
        }
    }

    /// Decides about one object again, which came to be after the plan was made.
    fn decide_again(&mut self, id: &ObjectId, options: &Options) {
        let rules = rules(options, &self.around);
        let again = plan(&self.goal.objects, &self.around.live, &self.around.earlier, &rules);
        let place = |plan: &Plan| plan.steps.iter().position(|step| step.object.id() == *id);
        if let (Some(old), Some(new)) = (place(&self.plan), place(&again)) {
            self.plan.steps[old] = again.steps[new].clone();
        }
    }
}

/// What a plan is made from besides the goal.
pub struct Around {
    /// The live objects.
    pub live: Live,
    /// The entries of the prune baseline.
    pub earlier: Vec<Entry>,
    /// HorizontalPodAutoscalers and ScaledObjects in the namespaces of the workloads.
    autoscalers: Vec<Value>,
    /// StorageClasses; empty when no volume is wanted, or they may not be read.
    classes: Vec<Value>,
    /// The objects of the deployed revision.
    deployed: Vec<Value>,
    /// The objects that the newest revision applied, to its end, just as they are desired now.
    applied: BTreeSet<ObjectId>,
}

fn rules<'a>(options: &'a Options, around: &'a Around) -> Rules<'a> {
    Rules {
        adopt: options.adopt,
        recreate: &options.recreate,
        classes: &around.classes,
        deployed: &around.deployed,
        force_conflicts: options.force_conflicts,
        autoscalers: &around.autoscalers,
        applied: Applied(Some(&around.applied)),
    }
}

/// Renders, gathers the live objects, plans, and asks the server about what may change.
pub async fn look(
    ctx: &Context<'_>,
    seen: Seen,
    (verb, target): (Verb, Target),
    options: &Options,
) -> Result<Look> {
    let mut facts = match &target {
        Target::Bundle(loaded) => loaded.facts(ctx, &seen.version.text),
        Target::Record(record) => {
            Facts::offline(ctx.release.as_str(), ctx.namespace.as_str(), &record.node_namespace)
        }
    };
    if let Some(key) = &seen.key {
        facts.hmac_key.clone_from(key);
    }
    let goal = Goal::new(&target, &facts, &seen.kinds)?;
    let traces = traces(&seen.records, &target).and_derived(&goal.derived);
    let look = looked(ctx, seen, (verb, goal, facts), options, traces.clone()).await;
    // what the server says may quote what it refuses
    look.map_err(|error| error.with_texts(|text| traces.sentence(text)))
}

async fn looked(
    ctx: &Context<'_>,
    seen: Seen,
    (verb, mut goal, facts): (Verb, Goal, Facts),
    options: &Options,
    traces: Traces,
) -> Result<Look> {
    let rights = preflight::rights(ctx, &goal.objects, seen.all_rights).await;
    let predicted = match options.dry_run {
        Some(DryRun::Client) => true,
        // who may only read is told what can be told
        Some(DryRun::Diff) => rights.is_err(),
        None | Some(DryRun::Server) => {
            rights?;
            false
        }
    };
    goal.check_names(options)?;
    let store = ctx.store();
    goal.refuse_old_data_formats(&goal.with_data(&seen, &store).await?, options)?;
    let around = around(ctx, &seen, &goal).await?;
    if options.keep_claim_sizes {
        goal.keep_claim_sizes(&around.live);
    }
    let rules = rules(options, &around);
    let mut plan = plan(&goal.objects, &around.live, &around.earlier, &rules);
    refuse_unknown_kinds(&mut plan, &seen.kinds);
    if let Some(refusal) = append_only::refusal(&plan.steps, &around.live, &options.accept_data_loss) {
        return Err(refusal.into());
    }
    // where nothing is written, nobody has a say in it
    if plan.steps.iter().any(|step| step.change.writes()) {
        let admission = live::admission(ctx).await?;
        for step in &mut plan.steps {
            let (group, version) = split_api_version(step.object.api_version());
            let kind = seen.kinds.resolve(group, version, step.object.kind());
            step.admitted = kind.is_some_and(|kind| admission.concerns(&kind));
            step.certain &= !step.admitted;
        }
    }
    if !predicted {
        ask::ask(ctx, &mut plan, &around.live, &rules).await?;
    }
    Ok(Look { seen, verb, goal, facts, around, plan, traces })
}

/// What is to be made of a kind that neither the server knows nor the plan brings.
fn refuse_unknown_kinds(plan: &mut Plan, kinds: &Kinds) {
    let definitions = plan.steps.iter().filter(|step| step.object.kind() == "CustomResourceDefinition");
    let brought: BTreeSet<String> = definitions
        .filter_map(|step| step.object.value()["spec"]["names"]["kind"].as_str())
        .map(str::to_owned)
        .collect();
    for step in plan.steps.iter_mut().filter(|step| step.change == Change::Create) {
        let (group, version) = split_api_version(step.object.api_version());
        let known = kinds.resolve(group, version, step.object.kind()).is_some();
        if !known && !brought.contains(step.object.kind()) {
            let error = unknown_kind(&step.object);
            let why = error.message().to_owned();
            step.refusal = Some(Refusal { why, details: Vec::new(), hints: error.hints().to_vec() });
        }
    }
}

async fn around(ctx: &Context<'_>, seen: &Seen, goal: &Goal) -> Result<Around> {
    let records: Vec<&Record> = seen.records.iter().collect();
    let mut earlier = merge_inventory(Vec::new(), &records);
    let mut lost = Vec::new();
    if seen.blind {
        let known: BTreeSet<_> = earlier.iter().map(Entry::id).collect();
        let found = live::scan(ctx).await?.into_iter().map(|(entry, _)| entry);
        let found: Vec<Entry> = found.filter(|entry| !known.contains(&entry.id())).collect();
        let desired: BTreeSet<ObjectId> = goal.objects.iter().map(Object::id).collect();
        let apart = |entry: &&Entry| !matches!(entry.kind.as_str(), "Namespace" | "PersistentVolumeClaim");
        lost.extend(found.iter().filter(apart).map(Entry::id).filter(|id| !desired.contains(id)));
        earlier.extend(found);
    }
    let claims = live::claim_places(&goal.objects, &earlier);
    let absent = seen.absent.then(|| ctx.namespace.as_str());
    let (live, autoscalers, classes) = tokio::try_join!(
        live::gather_with_namesakes(ctx, &goal.objects, &earlier, claims, absent),
        live::autoscalers(ctx, &goal.objects, absent),
        live::storage_classes(ctx, &goal.objects),
    )?;
    let orphans = live::orphans(ctx, &goal.objects, &earlier, &live);
    lost.extend(orphans.iter().map(Entry::id));
    if !lost.is_empty() && !seen.history.headers().is_empty() {
        let names: Vec<String> = lost.iter().map(ToString::to_string).collect();
        ctx.observer.event(Event::Warning {
            message: format!(
                "in no revision of the release, by whose labels they are found: {}",
                names.join(", ")
            ),
        });
    }
    earlier.extend(orphans);
    let revision = seen.history.deployed().map(|header| header.revision);
    let record = seen.records.iter().find(|record| Some(record.revision) == revision);
    let deployed = record.map(|record| record.objects.clone()).unwrap_or_default();
    let applied = seen.latest().filter(|record| Some(record.revision) == revision);
    let applied = applied.map(|record| goal.same_as_in(record)).unwrap_or_default();
    Ok(Around { live, earlier, autoscalers, classes, deployed, applied })
}

/// Under the lock: the same look when nothing can have moved since, a new one otherwise.
pub async fn again(
    run: &Run<'_>,
    look: Look,
    aim: &Aim<'_>,
    options: &Options,
    asked: bool,
    namespace_made: Option<Value>,
) -> Result<Look> {
    let ctx = &run.ctx;
    let (current, key) = tokio::try_join!(run.store.is_current(&look.seen.history), run.store.key())?;
    // a namespace that somebody else made meanwhile may have anything in it
    let raced = look.seen.absent && namespace_made.is_none();
    let same = current && key == look.seen.key && !run.waited && !asked && !raced;
    let mut look = if same {
        look
    } else {
        let (history, chunks) = tokio::try_join!(run.store.history(), run.store.chunks())?;
        let (records, blind) = baseline(ctx, &run.store, &history).await?;
        let seen = Seen { history, chunks, key, records, blind, absent: false, ..look.seen };
        // values and bundle of an upgrade build on the newest revision, whoever made it
        let target = aim.target(ctx, &seen).await?;
        self::look(ctx, seen, target, options).await?
    };
    if let Some(value) = namespace_made {
        // planned as absent, made since
        let id = namespace::id(ctx.namespace.as_str());
        look.around.live.insert(id.clone(), value);
        look.decide_again(&id, options);
    }
    tell_what_is_continued(ctx, &look.seen.history);
    Ok(look)
}

/// Says so when an operation is continued that was interrupted.
fn tell_what_is_continued(ctx: &Context<'_>, history: &History) {
    if let Some(latest) = history.latest()
        && latest.status.is_some_and(Status::is_pending)
    {
        let (what, now) = match latest.status {
            Some(Status::Uninstalling) => ("uninstall", "what it removed is made again"),
            _ => (latest.status_word.trim_start_matches("pending-"), "continuing from there"),
        };
        ctx.observer.event(Event::Warning {
            message: format!(
                "the last {what} (revision {}, {}) was interrupted {}: {now}",
                latest.revision,
                latest.by,
                who::ago(&latest.created)
            ),
        });
    }
}
