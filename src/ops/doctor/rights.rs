//! The rights that the doctor uses: what it asks the API server for, as roles, and whether the caller has them.

use crate::cluster::Access;
use crate::ops::preflight::missing_rules;

/// Kinds of which a release has objects, which are compared: group and resources.
const OBJECTS: [(&str, &[&str]); 8] = [
    ("", &["configmaps", "persistentvolumeclaims", "pods", "secrets", "serviceaccounts", "services"]),
    ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["jobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ("coordination.k8s.io", &["leases"]),
];
/// What belongs to no namespace, or is looked at in all.
const CLUSTER: [(&str, &[&str]); 8] = [
    ("", &["namespaces", "nodes"]),
    ("admissionregistration.k8s.io", &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("storage.k8s.io", &["storageclasses"]),
];

/// All that it uses: in the namespaces of the release, and in the cluster.
pub fn wanted(namespaces: &[String]) -> Vec<Access> {
    let right = |verb: &str, group: &str, resource: &str, namespace: Option<&str>| {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Access {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.map(str::to_owned),
            ..Access::default()
        }
    };
    let mut all = Vec::new();
    for namespace in namespaces {
        let here = Some(namespace.as_str());
        for (group, resources) in OBJECTS {
            all.extend(
                resources.iter().flat_map(|one| ["get", "list"].map(|verb| right(verb, group, one, here))),
            );
        }
        all.push(right("list", "", "events", here));
        all.push(right("get", "", "pods/log", here));
        // a forward is a GET that older servers take for a get, and newer ones for a create
        all.extend(["create", "get"].map(|verb| right(verb, "", "pods/portforward", here)));
    }
    for (group, resources) in CLUSTER {
        all.extend(
            resources.iter().flat_map(|one| ["get", "list"].map(|verb| right(verb, group, one, None))),
        );
    }
    all
}

/// As YAML: a Role for each namespace, and a ClusterRole.
pub fn roles(namespaces: &[String]) -> String {
    missing_rules(&wanted(namespaces).iter().collect::<Vec<_>>())
}

/// `create pods/portforward in observability`
pub fn in_words(right: &Access) -> String {
    let what = match right.subresource.as_str() {
        "" => right.resource.clone(),
        sub => format!("{}/{sub}", right.resource),
    };
    match &right.namespace {
        Some(namespace) => format!("{} {what} in {namespace}", right.verb),
        None => format!("{} {what}", right.verb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_allow_to_look_and_to_forward_and_nothing_else() {
        let text = roles(&["o".to_owned(), "o-node".to_owned()]);
        let documents = crate::yaml::parse_documents(&text).unwrap();
        let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(kinds, ["ClusterRole", "Role", "Role"]);
        for right in wanted(&["o".to_owned()]) {
            let forwards = right.subresource == "portforward";
            assert!(["get", "list"].contains(&right.verb.as_str()) || forwards, "{}", in_words(&right));
            // what is secret is read in the namespaces of the release alone
            assert!(right.resource != "secrets" || right.namespace.is_some());
        }
    }
}
