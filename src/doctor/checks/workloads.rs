//! WK: the pods of the release. Why a component is not ready is what the explainer of `status` found; here its
//! causes get their ids.

use super::{component, items, name, of_causes, text};
use crate::doctor::snapshot::{label, value};
use crate::doctor::{Check, Finding, Need, Snapshot};

pub const CHECKS: &[Check] = &[
    Check {
        id: "WK08",
        title: "the API server lets the pods be made",
        why: "a quota, a PodSecurity level or a webhook refuses them",
        verify: "kubectl describe replicaset, statefulset or daemonset: its events",
        fix: "do what the refusal says",
        needs: &[Need::Status],
        follows: &["PF06", "PF14"],
        run: |snapshot| of_causes(snapshot, &["Creation"]),
    },
    Check {
        id: "WK02",
        title: "every pod has a node",
        why: "no node has room for it, or its tolerations and selectors leave none",
        verify: "kubectl describe pod: the event of the scheduler",
        fix: "add a node, or ask for less: kubectl obs upgrade --set COMPONENT.resources.requests.memory=…",
        needs: &[Need::Status],
        follows: &["PF07"],
        run: |snapshot| of_causes(snapshot, &["Scheduling"]),
    },
    Check {
        id: "WK03",
        title: "every image can be pulled",
        why: "a wrong tag, a missing login, a registry that is not reached",
        verify: "kubectl describe pod: the events of the kubelet",
        fix: "kubectl obs upgrade --set COMPONENT.image.tag=…, or global.imageRegistry for a mirror",
        needs: &[Need::Status],
        follows: &[],
        run: |snapshot| of_causes(snapshot, &["Image"]),
    },
    Check {
        id: "WK09",
        title: "everything that the pods refer to exists",
        why: "a Secret, a ConfigMap, a key or a volume is missing",
        verify: "kubectl describe pod: the events of the kubelet",
        fix: "make it, or name another in the values",
        needs: &[Need::Status],
        follows: &["RL03"],
        run: |snapshot| of_causes(snapshot, &["Config", "Mount"]),
    },
    Check {
        id: "WK05",
        title: "no container is killed at its memory limit, or near it",
        why: "a container that is killed loses what it had in memory, and starts anew",
        verify: "kubectl describe pod: Last State; kubectl top pod --containers",
        fix: "kubectl obs upgrade --set COMPONENT.resources.limits.memory=…",
        needs: &[Need::Status],
        follows: &[],
        run: memory,
    },
    Check {
        id: "WK04",
        title: "no container crashes",
        why: "it ends by itself again and again: a configuration that it refuses, a file that it may not read",
        verify: "kubectl obs logs COMPONENT --previous",
        fix: "see its last lines",
        needs: &[Need::Status],
        follows: &["WK05", "WK09"],
        run: |snapshot| of_causes(snapshot, &["Start", "Crash"]),
    },
    Check {
        id: "WK07",
        title: "the probes of every container pass",
        why: "it runs but does not answer: it gets no requests, or is started anew",
        verify: "kubectl describe pod: the events of the kubelet",
        fix: "see why it does not answer: kubectl obs logs COMPONENT",
        needs: &[Need::Status],
        follows: &["WK05"],
        run: |snapshot| of_causes(snapshot, &["Liveness", "Probe"]),
    },
    Check {
        id: "WK13",
        title: "no pod is lost with its node, evicted or held while it ends",
        why: "its node does not answer, or a finalizer holds it; a StatefulSet makes no other in its place",
        verify: "kubectl get pods -o wide; kubectl get nodes",
        fix: "bring the node back; if it is gone for good: kubectl delete node NODE",
        needs: &[Need::Status],
        follows: &["PF07"],
        run: lost,
    },
    Check {
        id: "WK10",
        title: "every Service that waits for an address has one",
        why: "no controller for load balancers gives one",
        verify: "kubectl describe service: its events",
        fix: "use another type of Service, or install such a controller",
        needs: &[Need::Status],
        follows: &[],
        run: |snapshot| of_causes(snapshot, &["Address"]),
    },
    Check {
        id: "WK01",
        title: "every component is rolled out",
        why: "its new pods are not there yet, or the rollout stands still",
        verify: "kubectl obs status",
        fix: "kubectl obs rollout status COMPONENT waits for it and says what it waits for",
        needs: &[Need::Status],
        follows: &["RL03", "RL02"],
        run: |snapshot| of_causes(snapshot, &["Rollout", "Waiting"]),
    },
    Check {
        id: "WK06",
        title: "no container restarts often",
        why: "what restarts three times in an hour loses data each time, and will stop one day",
        verify: "kubectl get pods; kubectl obs logs COMPONENT --previous",
        fix: "see its last lines before it ended",
        needs: &[Need::Pods],
        follows: &["WK04", "WK05", "WK07"],
        run: restarts,
    },
];

fn memory(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = of_causes(snapshot, &["Memory"]);
    let day = 24.0 * 3600.0;
    for pod in snapshot.pods.answer().into_iter().flatten() {
        let component = component(pod);
        if found.iter().any(|finding| finding.about.iter().any(|about| about == component)) {
            continue;
        }
        for container in items(&pod["status"]["containerStatuses"]) {
            let last = &container["lastState"]["terminated"];
            let lately = || snapshot.age(&last["finishedAt"]).is_some_and(|age| age < day);
            if last["reason"] == "OOMKilled" && lately() {
                found.push(
                    Finding::warn(format!(
                        "container {} of pod {} was killed at its memory limit",
                        text(&container["name"]),
                        name(pod)
                    ))
                    .about(component)
                    .evidence([format!("at {}", text(&last["finishedAt"]))])
                    .fix("give it more: kubectl obs upgrade --set COMPONENT.resources.limits.memory=…"),
                );
            }
        }
    }
    for series in snapshot.series("memory").into_iter().flatten() {
        let share = value(series).unwrap_or_default() * 100.0;
        found.push(
            Finding::warn(format!(
                "container {} of pod {} uses {share:.0} % of its memory limit",
                label(series, "container"),
                label(series, "pod")
            ))
            .about(label(series, "container"))
            .fix("give it more: kubectl obs upgrade --set COMPONENT.resources.limits.memory=…"),
        );
    }
    found
}

fn lost(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = of_causes(snapshot, &["Node"]);
    for pod in snapshot.pods.answer().into_iter().flatten() {
        let component = component(pod);
        if found.iter().any(|finding| finding.about.iter().any(|about| about == component)) {
            continue;
        }
        // the time by which it should be gone, and a minute
        let overdue = snapshot.age(&pod["metadata"]["deletionTimestamp"]).is_some_and(|age| age > 60.0);
        let what = if overdue {
            "is being deleted, and does not go"
        } else if pod["status"]["reason"] == "Evicted" {
            "was evicted"
        } else {
            continue;
        };
        let held =
            items(&pod["metadata"]["finalizers"]).map(|held| format!("held by finalizer {}", text(held)));
        let why = Some(text(&pod["status"]["message"]).to_owned()).filter(|why| !why.is_empty());
        found.push(
            Finding::warn(format!("pod {} {what}", name(pod)))
                .about(component)
                .evidence(held.chain(why))
                .fix(format!("kubectl -n {} delete pod {}", text(&pod["metadata"]["namespace"]), name(pod))),
        );
    }
    found
}

fn restarts(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    for pod in snapshot.pods.answer().into_iter().flatten() {
        for container in items(&pod["status"]["containerStatuses"]) {
            let times = container["restartCount"].as_u64().unwrap_or_default();
            let last = &container["lastState"]["terminated"];
            let lately = snapshot.age(&last["finishedAt"]).is_some_and(|age| age < 3600.0);
            if times < 3 || !lately {
                continue;
            }
            let component = component(pod);
            found.push(
                Finding::warn(format!(
                    "container {} of pod {} restarted {times} times, within the last hour too",
                    text(&container["name"]),
                    name(pod)
                ))
                .about(component)
                .evidence([format!(
                    "the last time with exit code {}: {}",
                    last["exitCode"],
                    text(&last["reason"])
                )])
                .fix(format!("kubectl obs logs {component} --previous")),
            );
        }
    }
    found
}
