//! PF: the cluster that the release runs on.

use super::{condition, items, name, text};
use crate::doctor::{Asked, Check, Finding, Need, Snapshot};
use crate::words::count;

/// The oldest Kubernetes that the bundles take.
pub(in crate::doctor) const OLDEST: (u64, u64) = (1, 30);

pub const CHECKS: &[Check] = &[
    Check {
        id: "PF02",
        title: "Kubernetes is new enough",
        why: "the bundles use what older versions do not have",
        verify: "kubectl version",
        fix: "upgrade the cluster",
        needs: &[Need::Version],
        follows: &[],
        run: version,
    },
    Check {
        id: "PF05",
        title: "you may look at everything that the doctor looks at",
        why: "what may not be read is skipped, so that a fault there stays unseen",
        verify: "kubectl auth can-i create pods/portforward -n NAMESPACE",
        fix: "use credentials that have the rights which are named",
        needs: &[Need::Rights],
        follows: &[],
        run: rights,
    },
    Check {
        id: "PF06",
        title: "no namespace of the release is being deleted",
        why: "nothing can be made in a namespace that is being deleted, and what is there goes",
        verify: "kubectl get namespace NAMESPACE -o yaml",
        fix: "wait for the deletion to end, then install again; what holds it is in its status",
        needs: &[Need::Namespaces],
        follows: &[],
        run: namespaces,
    },
    Check {
        id: "PF07",
        title: "the nodes are ready and not under pressure",
        why: "pods on a node that is not ready are not reached; under pressure it evicts them",
        verify: "kubectl describe node NODE: its conditions",
        fix: "see what the condition says; free disk or memory, or replace the node",
        needs: &[Need::Nodes],
        follows: &[],
        run: nodes,
    },
    Check {
        id: "PF09",
        title: "not more than one storage class is the default",
        why: "a claim that names no class gets the newest of several defaults, which may not be the one you mean",
        verify: "kubectl get storageclass",
        fix: "kubectl annotate storageclass CLASS storageclass.kubernetes.io/is-default-class=false --overwrite",
        needs: &[Need::StorageClasses],
        follows: &[],
        run: default_classes,
    },
    Check {
        id: "PF14",
        title: "every webhook that must answer has a server",
        why: "with failurePolicy: Fail every request that such a webhook is asked about is refused: pods cannot be made, upgrades fail",
        verify: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml; kubectl get endpointslices -n NAMESPACE",
        fix: "bring its server back, or delete the configuration if nothing runs it any more",
        needs: &[Need::Webhooks],
        follows: &[],
        run: webhooks,
    },
    Check {
        id: "PF16",
        title: "the cluster's DNS answers",
        why: "without it no part of the stack finds another by its name",
        verify: "kubectl get endpointslices -n kube-system -l kubernetes.io/service-name=kube-dns",
        fix: "kubectl describe pods -n kube-system -l k8s-app=kube-dns",
        needs: &[Need::Dns],
        follows: &["PF07"],
        run: dns,
    },
    Check {
        id: "PF21",
        title: "every API that another server adds is available",
        why: "while one is not, deleting namespaces hangs, and tools that ask for all kinds are slow or fail",
        verify: "kubectl get apiservices",
        fix: "bring the server behind it back, or delete the APIService if nothing serves it any more",
        needs: &[Need::ApiServices],
        follows: &[],
        run: api_services,
    },
];

fn version(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(full) = snapshot.version.answer() else { return Vec::new() };
    let mut numbers = full
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < OLDEST => vec![
            Finding::fail(format!("Kubernetes {full} is older than {}.{}", OLDEST.0, OLDEST.1))
                .fix("upgrade the cluster"),
        ],
        _ => Vec::new(),
    }
}

fn dns(snapshot: &Snapshot) -> Vec<Finding> {
    match snapshot.dns.answer() {
        Some(false) => vec![
            Finding::fail("the cluster's DNS has nobody who answers")
                .evidence(["Service kube-system/kube-dns has no ready endpoint".to_owned()])
                .fix("kubectl describe pods -n kube-system -l k8s-app=kube-dns"),
        ],
        Some(true) | None => Vec::new(),
    }
}

fn rights(snapshot: &Snapshot) -> Vec<Finding> {
    let missing = snapshot.rights.answer().into_iter().flatten();
    let lines: Vec<String> = missing.map(|right| format!("you may not {right}")).collect();
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("you may not look at everything that the doctor looks at")
                .evidence(lines)
                .fix("use credentials that may; kubectl obs doctor rbac prints the roles"),
        ],
    }
}

fn namespaces(snapshot: &Snapshot) -> Vec<Finding> {
    let all = snapshot.namespaces.answer().into_iter().flatten();
    let going = all.filter(|namespace| namespace["status"]["phase"] == "Terminating");
    going
        .map(|namespace| {
            let why = items(&namespace["status"]["conditions"])
                .filter(|condition| condition["status"] == "True")
                .map(|condition| text(&condition["message"]).to_owned());
            Finding::fail(format!("namespace {} is being deleted", name(namespace)))
                .evidence(why)
                .fix("wait for the deletion to end, then install again")
        })
        .collect()
}

fn nodes(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(nodes) = snapshot.nodes.answer() else { return Vec::new() };
    let is = |node: &serde_json::Value, kind: &str, status: &str| {
        condition(node, kind).is_some_and(|condition| condition["status"] == status)
    };
    let ready = nodes.iter().filter(|node| is(node, "Ready", "True"));
    let usable = ready.filter(|node| node["spec"]["unschedulable"] != true).count();
    let mut lines = Vec::new();
    for node in nodes {
        match condition(node, "Ready") {
            Some(ready) if ready["status"] == "True" => {}
            Some(ready) => {
                lines.push(format!("{} is not ready: {}", name(node), text(&ready["message"])));
            }
            None => lines.push(format!("{} has not said yet that it is ready", name(node))),
        }
        let pressed = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
        for kind in pressed.iter().filter(|kind| is(node, kind, "True")) {
            lines.push(format!("{} has {kind}", name(node)));
        }
    }
    let finding = match usable {
        0 if !nodes.is_empty() => Finding::fail("no node is ready and takes pods"),
        _ if lines.is_empty() => return Vec::new(),
        _ => {
            let ill = lines.iter().filter_map(|line| line.split(' ').next());
            let ill = ill.collect::<std::collections::BTreeSet<_>>().len();
            Finding::warn(format!("{} of {} not well", ill, count(nodes.len(), "node")))
        }
    };
    vec![finding.evidence(lines).fix("kubectl describe node NODE shows its conditions and events")]
}

fn default_classes(snapshot: &Snapshot) -> Vec<Finding> {
    let is_default = |class: &&serde_json::Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    let classes = snapshot.storage_classes.answer().into_iter().flatten();
    let defaults: Vec<&str> = classes.filter(is_default).map(name).collect();
    match defaults.as_slice() {
        [] | [_] => Vec::new(),
        several => vec![
            Finding::warn(format!("{} storage classes are the default: {}", several.len(), several.join(", ")))
                .fix("kubectl annotate storageclass CLASS storageclass.kubernetes.io/is-default-class=false --overwrite"),
        ],
    }
}

fn webhooks(snapshot: &Snapshot) -> Vec<Finding> {
    let dead = snapshot.dead_webhooks.answer().into_iter().flatten();
    dead.map(|dead| {
        Finding::fail(format!(
            "webhook {} has no server, and what it is asked about is refused",
            dead.webhook
        ))
        .evidence([format!("{}: service {} has no ready endpoint", dead.configuration, dead.service)])
        .fix("bring its server back; if nothing runs it any more:")
        .fix(format!("kubectl delete {}", dead.configuration))
    })
    .collect()
}

fn api_services(snapshot: &Snapshot) -> Vec<Finding> {
    let Asked::Answer(services) = &snapshot.api_services else { return Vec::new() };
    let down = services.iter().filter_map(|service| {
        let available = condition(service, "Available").filter(|c| c["status"] != "True")?;
        Some(
            Finding::warn(format!("API {} is not available", name(service)))
                .evidence([text(&available["message"]).to_owned()])
                .fix("bring the server behind it back; if nothing serves it any more:")
                .fix(format!("kubectl delete apiservice {}", name(service))),
        )
    });
    down.collect()
}
