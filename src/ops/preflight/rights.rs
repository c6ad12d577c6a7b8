//! May the caller do what the plan needs? All that is missing is said at once, as the roles that
//! would give it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Access, ApplyError, ApplyOptions};
use crate::error::{Error, Result};
use crate::object::{Kind, Object};
use crate::ops::Context;
use crate::ops::apply::{self};

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
        if object.kind() == "Namespace" && crate::ops::namespace::live(ctx, object.name()).await?.is_some() {
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
    // who may not even apply them hears so already
    let unable = |object: &Object| {
        kinds.of(&object.id()).is_some_and(|kind| {
            missing.iter().any(|a| a.verb == "patch" && a.group == kind.group && a.resource == kind.plural)
        })
    };
    let escalations = escalations(ctx, objects.iter().filter(|object| !unable(object))).await?;
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
async fn escalations<'o>(
    ctx: &Context<'_>,
    objects: impl Iterator<Item = &'o Object>,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for object in objects.filter(|o| matches!(o.kind(), "ClusterRole" | "ClusterRoleBinding")) {
        let Some(kind) = apply::kind_of(ctx, object).await? else { continue };
        let options = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
        if let Err(ApplyError::Forbidden(error)) = ctx.cluster.apply(&kind, object, &options).await {
            found.push(format!("{}: {}", object.id(), error.message()));
        }
    }
    Ok(found)
}

pub(super) fn access(verb: &str, kind: &Kind, namespace: Option<&str>) -> Access {
    Access {
        verb: verb.to_owned(),
        group: kind.group.clone(),
        resource: kind.plural.clone(),
        namespace: namespace.map(str::to_owned),
        ..Access::default()
    }
}

/// The verbs that are missing, by group and resource.
type Verbs<'a> = BTreeMap<(&'a str, String), Vec<&'a str>>;

/// The missing rights as YAML: one Role per namespace, and a ClusterRole. As short as people write
/// them: resources that need the same verbs stand together, lists on one line.
pub fn missing_rules(missing: &[&Access]) -> String {
    let mut namespaces: BTreeMap<Option<&str>, Verbs<'_>> = BTreeMap::new();
    for access in missing {
        let resource = match access.subresource.as_str() {
            "" => access.resource.clone(),
            sub => format!("{}/{sub}", access.resource),
        };
        let rules = namespaces.entry(access.namespace.as_deref()).or_default();
        rules.entry((&access.group, resource)).or_default().push(&access.verb);
    }
    let documents = namespaces.into_iter().map(|(namespace, rules)| {
        let mut together: BTreeMap<(&str, Vec<&str>), Vec<String>> = BTreeMap::new();
        for ((group, resource), verbs) in rules {
            together.entry((group, verbs)).or_default().push(resource);
        }
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut text = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n");
        text.push_str("  name: kubectl-obs\n");
        if let Some(namespace) = namespace {
            text.push_str(&format!("  namespace: {}\n", quoted(namespace)));
        }
        text.push_str("rules:\n");
        for ((group, verbs), resources) in together {
            let (groups, resources) = (list([group]), list(resources.iter().map(String::as_str)));
            text.push_str(&format!("- apiGroups: {groups}\n  resources: {resources}\n"));
            text.push_str(&format!("  verbs: {}\n", list(verbs)));
        }
        text
    });
    documents.collect::<Vec<_>>().join("---\n").trim_end().to_owned()
}

fn list<'t>(items: impl IntoIterator<Item = &'t str>) -> String {
    format!("[{}]", items.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    crate::yaml::to_string(&text.into()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        assert!(
            yaml.contains("- apiGroups: [apps]\n  resources: [deployments]\n  verbs: [create, patch]"),
            "{yaml}"
        );
    }
}
