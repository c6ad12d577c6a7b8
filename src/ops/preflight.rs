//! What stands in the way? Checks before the first write: rights, namespaces and their PodSecurity
//! level, storage, a second release on the nodes, and the server's opinion on every object. All
//! problems are gathered and reported in one list.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Context;
use super::apply::{self, Verdict};
use super::namespace::State;
use crate::cluster::{Access, ApplyError, ApplyOptions};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::object::{Kind, Object, labels};
use crate::plan::{Change, Plan, Step};
use crate::release::ComponentRef;
use crate::words::count;

/// One thing that stands in the way.
#[derive(Debug)]
struct Problem {
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self {
            message: error.message().to_owned(),
            details: error.details().to_vec(),
            hints: error.hints().to_vec(),
        }
    }
}

/// What to check.
pub struct Subject<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The enabled components.
    pub components: &'a [ComponentRef],
    /// Namespace of node-level components.
    pub node_namespace: &'a str,
    /// The release's namespace; None when it does not exist and is not made (dry-run).
    pub namespace: Option<&'a State>,
    /// Ask the server about every object?
    pub dry_run: bool,
    /// The answer of [`may_everything`].
    pub all_rights: bool,
}

/// Runs all checks; one error lists everything that stands in the way.
pub async fn check(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<()> {
    let objects: Vec<&Object> = subject.plan.steps.iter().map(|step| &step.object).collect();
    let refusals = async {
        match subject.dry_run {
            true => dry_run(ctx, subject).await,
            false => Ok(Vec::new()),
        }
    };
    let (storage, nodes, node_namespace, refusals) = tokio::join!(
        storage(ctx, &objects),
        second_release(ctx, subject.components),
        super::namespace::read(ctx, subject.node_namespace),
        refusals,
    );
    let mut problems: Vec<Problem> = obstacles(subject.plan).map(Problem::from).collect();
    problems.extend(storage?);
    problems.extend(nodes?);
    problems.extend(pod_security(ctx, subject, node_namespace?.as_ref()));
    problems.extend(refusals?);
    into_result(problems)
}

fn into_result(mut problems: Vec<Problem>) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut error = if problems.len() == 1 {
        let only = problems.remove(0);
        let mut error = Error::failed(only.message);
        for detail in only.details {
            error = error.detail(detail);
        }
        for hint in only.hints {
            error = error.hint(hint);
        }
        error
    } else {
        let mut error =
            Error::failed(format!("{} things stand in the way; nothing was changed", problems.len()));
        for problem in problems {
            error = error.detail(problem.message);
            for detail in problem.details {
                error = error.detail(format!("  {}", detail.replace('\n', "\n  ")));
            }
            for hint in problem.hints {
                // the same advice once
                if !error.hints().contains(&hint) {
                    error = error.hint(hint);
                }
            }
        }
        error
    };
    error = error.with_exit(crate::Exit::Failed);
    Err(error)
}

/// What the plan itself cannot get past, each as an error: objects of others that have the names
/// of ours, and fields that others own.
pub fn obstacles(plan: &Plan) -> impl Iterator<Item = Error> {
    plan.steps.iter().filter_map(|step| match (&step.refusal, &step.change) {
        (Some((why, hint)), _) => Some(Error::failed(why.clone()).hint(hint.clone())),
        (None, Change::Foreign(managers)) => Some(apply::taken(&step.object.id(), managers)),
        (None, _) if step.obstacles().is_empty() => None,
        (None, _) => Some(conflict(step)),
    })
}

fn conflict(step: &Step) -> Error {
    let mut error =
        Error::failed(format!("{}: somebody else set what the release wants otherwise", step.object.id()));
    for conflict in step.obstacles() {
        let word = |value: &Option<Value>| match value {
            None => "(absent)".to_owned(),
            Some(Value::String(text)) if text.contains('\n') => "…".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(_) | Value::Array(_)) => "…".to_owned(),
            Some(other) => other.to_string(),
        };
        error = error.detail(format!(
            "{}: ours {}, live {}, set by {}",
            conflict.path,
            word(&conflict.ours),
            word(&conflict.live),
            super::who::owner(&conflict.owner)
        ));
    }
    if step.obstacles().iter().all(|conflict| conflict.owner.is_hand_tool()) {
        error.hint(
            "--force-conflicts takes these fields back; to keep a live value, set it in the release's values",
        )
    } else {
        error.hint("a controller owns fields that the release sets: change the controller, or the values of the release")
    }
}

/// May the caller do everything? Then no single right need be asked for.
pub async fn may_everything(ctx: &Context<'_>) -> Result<bool> {
    let everything =
        Access { verb: "*".into(), group: "*".into(), resource: "*".into(), ..Access::default() };
    Ok(ctx.cluster.can_i(std::slice::from_ref(&everything)).await?.first() == Some(&true))
}

/// May the caller do all that is needed? One access review per distinct verb, resource and
/// namespace, and the server's opinion on roles that would grant more than the caller has. Asked
/// before anything is written; `all` is the answer of [`may_everything`].
pub async fn rights(ctx: &Context<'_>, objects: &[Object], all: bool) -> Result<()> {
    if all {
        return Ok(());
    }
    let mut wanted = BTreeSet::new();
    let kinds = ctx.cluster.kinds().await?;
    for object in objects {
        // a namespace that is there is used as it is
        if object.kind() == "Namespace" && super::namespace::live(ctx, object.name()).await?.is_some() {
            continue;
        }
        let (group, version) = crate::object::split_api_version(object.api_version());
        let Some(kind) = kinds.resolve(group, version, object.kind()) else { continue };
        for verb in ["create", "patch", "get", "list", "watch", "delete"] {
            wanted.insert(access(verb, &kind, object.namespace()));
        }
    }
    let own = ctx.namespace.as_str();
    let core = |resource: &str| (String::new(), resource.to_owned());
    for (group, resource) in [core("secrets"), ("coordination.k8s.io".to_owned(), "leases".to_owned())] {
        for verb in ["create", "get", "list", "patch", "update", "delete"] {
            wanted.insert(Access {
                verb: verb.into(),
                group: group.clone(),
                resource: resource.clone(),
                namespace: Some(own.to_owned()),
                ..Access::default()
            });
        }
    }
    let wanted: Vec<Access> = wanted.into_iter().collect();
    let allowed = ctx.cluster.can_i(&wanted).await?;
    let missing: Vec<&Access> = wanted.iter().zip(allowed).filter(|(_, yes)| !yes).map(|(a, _)| a).collect();
    let escalations = escalations(ctx, objects).await?;
    if missing.is_empty() && escalations.is_empty() {
        return Ok(());
    }
    let resources: BTreeSet<String> = missing.iter().map(|a| a.resource.clone()).collect();
    let resources: Vec<String> = resources.into_iter().collect();
    let mut error = if missing.is_empty() {
        Error::failed("you may not grant what these roles grant").hint(
            "only who has rights may grant them: ask a cluster administrator to install, or for these rights",
        )
    } else {
        Error::failed(format!("you may not do everything that is needed with {}", resources.join(", ")))
            .detail(missing_rules(&missing))
            .hint("ask for the rules above, or use credentials that have them")
    };
    for escalation in escalations {
        error = error.detail(escalation);
    }
    Err(error)
}

/// What the server says of cluster-wide roles that would grant more than the caller has.
async fn escalations(ctx: &Context<'_>, objects: &[Object]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for object in objects.iter().filter(|o| matches!(o.kind(), "ClusterRole" | "ClusterRoleBinding")) {
        let Some(kind) = apply::kind_of(ctx, object).await? else { continue };
        let options = ApplyOptions { dry_run: true, force: false, uid: None };
        if let Err(ApplyError::Forbidden(error)) = ctx.cluster.apply(&kind, object, &options).await {
            found.push(format!("{}: {}", object.id(), error.message()));
        }
    }
    Ok(found)
}

fn access(verb: &str, kind: &Kind, namespace: Option<&str>) -> Access {
    Access {
        verb: verb.to_owned(),
        group: kind.group.clone(),
        resource: kind.plural.clone(),
        namespace: namespace.map(str::to_owned),
        ..Access::default()
    }
}

/// The missing rights as YAML: one Role per namespace, and a ClusterRole.
pub(super) fn missing_rules(missing: &[&Access]) -> String {
    let resource = |access: &Access| match access.subresource.as_str() {
        "" => access.resource.clone(),
        sub => format!("{}/{sub}", access.resource),
    };
    let mut documents = Vec::new();
    let namespaces: BTreeSet<Option<&String>> = missing.iter().map(|a| a.namespace.as_ref()).collect();
    for namespace in namespaces {
        let mut rules: Vec<Value> = Vec::new();
        let here: Vec<&&Access> = missing.iter().filter(|a| a.namespace.as_ref() == namespace).collect();
        let resources: BTreeSet<(&str, String)> =
            here.iter().map(|a| (a.group.as_str(), resource(a))).collect();
        for (group, name) in resources {
            let verbs: Vec<&str> = here
                .iter()
                .filter(|a| a.group == group && resource(a) == name)
                .map(|a| a.verb.as_str())
                .collect();
            rules.push(json!({"apiGroups": [group], "resources": [name], "verbs": verbs}));
        }
        let mut document = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": if namespace.is_some() { "Role" } else { "ClusterRole" },
            "metadata": {"name": "kubectl-obs"},
            "rules": rules,
        });
        if let Some(namespace) = namespace {
            document["metadata"]["namespace"] = json!(namespace);
        }
        documents.push(document);
    }
    crate::yaml::documents_to_string(&documents).trim_end().to_owned()
}

/// Claims without a class need a default one.
async fn storage(ctx: &Context<'_>, objects: &[&Object]) -> Result<Vec<Problem>> {
    let claims: Vec<(String, Option<String>)> = objects.iter().flat_map(|object| claims_of(object)).collect();
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = ctx.cluster.kinds().await?;
    let Some(kind) = kinds.preferred("storage.k8s.io", "StorageClass") else { return Ok(Vec::new()) };
    let classes = match ctx.cluster.list(&kind, None, "").await {
        Ok(classes) => classes,
        Err(error) => {
            ctx.observer.event(Event::Warning {
                message: format!("storage classes could not be checked: {}", error.message()),
            });
            return Ok(Vec::new());
        }
    };
    let name = |class: &Value| class["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = classes.iter().map(name).collect();
    let default = classes.iter().any(|class| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    });
    let mut problems = Vec::new();
    let listed = if names.is_empty() { "the cluster has none".to_owned() } else { names.join(", ") };
    for (claim, class) in claims {
        match class {
            None if !default => problems.push(
                Problem::new(format!(
                    "the claim of {claim} names no storage class and no class is the default one"
                ))
                .hint(format!("set global.storageClass to one of: {listed}")),
            ),
            Some(class) if !class.is_empty() && !names.contains(&class) => problems.push(
                Problem::new(format!(
                    "the claim of {claim} names the storage class \"{class}\", which does not exist"
                ))
                .hint(format!("set global.storageClass to one of: {listed}")),
            ),
            _ => {}
        }
    }
    problems.dedup_by(|a, b| a.message == b.message);
    Ok(problems)
}

/// Claims that an object asks for: who, and which class.
fn claims_of(object: &Object) -> Vec<(String, Option<String>)> {
    let value = object.value();
    let class = |claim: &Value| claim["spec"]["storageClassName"].as_str().map(str::to_owned);
    match object.kind() {
        "PersistentVolumeClaim" => vec![(object.id().to_string(), class(value))],
        "StatefulSet" => value["spec"]["volumeClaimTemplates"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|claim| (object.id().to_string(), class(claim)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Two collectors on one node would fight for ports and files.
async fn second_release(ctx: &Context<'_>, components: &[ComponentRef]) -> Result<Vec<Problem>> {
    let ours: Vec<&str> = components.iter().filter(|c| c.node_level).map(|c| c.name.as_str()).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = ctx.cluster.kinds().await?;
    let Some(kind) = kinds.preferred("apps", "DaemonSet") else { return Ok(Vec::new()) };
    let found = match ctx.cluster.list_metadata(&kind, None, &format!("{}=true", labels::NODE_LEVEL)).await {
        Ok(found) => found,
        Err(error) => {
            ctx.observer.event(Event::Warning {
                message: format!("other releases on the nodes could not be looked for: {}", error.message()),
            });
            return Ok(Vec::new());
        }
    };
    let mut seen = BTreeSet::new();
    for set in found {
        let label = |key: &str| set["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
        let (release, namespace) = (label(labels::RELEASE), label(labels::RELEASE_NAMESPACE));
        let component = label(labels::OBS_COMPONENT);
        let same = release == ctx.release.as_str() && namespace == ctx.namespace.as_str();
        if !same && ours.contains(&component.as_str()) {
            seen.insert((release, namespace, component));
        }
    }
    Ok(seen
        .into_iter()
        .map(|(release, namespace, component)| {
            Problem::new(format!(
                "release {release} in namespace {namespace} already runs {component} on the nodes"
            ))
            .hint(format!("one release per cluster works on the nodes: switch it off here ({}), or uninstall that release", switch_off(&component)))
        })
        .collect())
}

/// `node-exporter` → `--set nodeExporter.enabled=false`
fn switch_off(component: &str) -> String {
    let mut key = String::new();
    let mut upper = false;
    for c in component.chars() {
        if c == '-' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            key.extend(c.to_uppercase());
        } else {
            key.push(c);
        }
    }
    format!("--set {key}.enabled=false")
}

/// A namespace that was there before must let our pods in.
fn pod_security(ctx: &Context<'_>, subject: &Subject<'_>, node_namespace: Option<&State>) -> Vec<Problem> {
    let node_level: Vec<&str> =
        subject.components.iter().filter(|c| c.node_level).map(|c| c.name.as_str()).collect();
    if node_level.is_empty() {
        return Vec::new();
    }
    let state =
        if subject.node_namespace == ctx.namespace.as_str() { subject.namespace } else { node_namespace };
    match state {
        // ours gets the level that we render
        Some(state) if !state.ours && state.enforce != "privileged" => vec![
            Problem::new(format!(
                "namespace {} enforces PodSecurity level {}, but {} needs privileged",
                subject.node_namespace,
                state.enforce,
                node_level.join(", ")
            ))
            .hint(format!(
                "kubectl label namespace {} pod-security.kubernetes.io/enforce=privileged --overwrite, or set global.nodeNamespace to another one",
                subject.node_namespace
            )),
        ],
        _ => Vec::new(),
    }
}

/// The server's opinion on every object.
async fn dry_run(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Problem>> {
    // where the release's own namespace is not there (a dry-run), any other serves for the check
    let fallback = if subject.namespace.is_some() { ctx.namespace.as_str() } else { "default" };
    let brought = apply::Brought::by(subject.plan, Some(fallback), subject.all_rights);
    // what is known to stand in the way need not be asked about
    let steps =
        subject.plan.steps.iter().filter(|step| step.obstacles().is_empty() && step.refusal.is_none());
    let verdicts = apply::dry_run(ctx, steps, &brought).await?;
    let mut problems = Vec::new();
    let mut forbidden = Problem::new("");
    for (step, verdict) in verdicts {
        match verdict {
            Verdict::Accepted | Verdict::Later => {}
            Verdict::Refused(error) => problems.push(error.into()),
            Verdict::Forbidden(error) => {
                forbidden.details.push(format!("{}: {}", step.object.id(), error.message()));
            }
        }
    }
    if !forbidden.details.is_empty() {
        forbidden.message =
            format!("the API server refuses {} for want of rights", count(forbidden.details.len(), "object"));
        problems.push(forbidden.hint("you can only grant rights that you have: ask a cluster administrator to install, or for these rights"));
    }
    Ok(problems)
}

/// How a plan reads in one line: `61 objects, rights, storage, PodSecurity`.
pub fn summary(plan: &Plan) -> String {
    let creating = plan.steps.iter().filter(|step| step.change != Change::Use).count();
    format!("{}, rights, storage, PodSecurity", count(creating, "object"))
}

/// What a plan found, in one line: `61 objects compared, none differs`.
pub fn compared(plan: &Plan) -> String {
    let all = count(plan.steps.len(), "object");
    match plan.steps.iter().filter(|step| step.change.writes()).count() + plan.first.len() + plan.prune.len()
    {
        0 => format!("{all} compared, none differs"),
        1 => format!("{all} compared, 1 differs"),
        n => format!("{all} compared, {n} differ"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_of_a_component_is_spelt_as_in_values() {
        assert_eq!(switch_off("node-exporter"), "--set nodeExporter.enabled=false");
        assert_eq!(switch_off("fluentd"), "--set fluentd.enabled=false");
    }

    #[test]
    fn missing_rights_are_given_as_roles() {
        let need = |verb: &str, namespace: Option<&str>| Access {
            verb: verb.into(),
            group: "apps".into(),
            resource: "deployments".into(),
            namespace: namespace.map(str::to_owned),
            ..Access::default()
        };
        let (a, b, c) = (need("create", Some("x")), need("patch", Some("x")), need("list", None));
        let yaml = missing_rules(&[&a, &b, &c]);
        let documents = crate::yaml::parse_documents(&yaml).unwrap();
        assert_eq!(documents[0]["kind"], "ClusterRole");
        assert_eq!(documents[1]["metadata"]["namespace"], "x");
        assert_eq!(documents[1]["rules"][0]["verbs"], json!(["create", "patch"]));
    }
}
