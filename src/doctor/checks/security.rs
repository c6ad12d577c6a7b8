//! SC: what is open that should not be.

use std::collections::BTreeSet;

use super::{component, items, name, text};
use crate::doctor::snapshot::Prometheus;
use crate::doctor::{Check, Finding, Need, Snapshot};

pub const CHECKS: &[Check] = &[
    Check {
        id: "SC01",
        title: "Grafana's password is not one that everybody knows",
        why: "who reaches Grafana is its administrator",
        verify: "kubectl obs password get grafana",
        fix: "kubectl obs password set grafana",
        needs: &[Need::Grafana],
        follows: &[],
        run: password,
    },
    Check {
        id: "SC02",
        title: "no UI is reachable from outside without TLS",
        why: "passwords and what the dashboards show cross networks in the open",
        verify: "kubectl get services,ingresses -n NAMESPACE",
        fix: "an Ingress with tls, or kubectl obs open instead of a Service of type LoadBalancer or NodePort",
        needs: &[Need::Services],
        follows: &[],
        run: exposed,
    },
    Check {
        id: "SC03",
        title: "nobody can delete data of Prometheus or stop it by its API",
        why: "with web.enable-admin-api or web.enable-lifecycle everybody who reaches it can",
        verify: "/api/v1/status/flags of Prometheus",
        fix: "take the flag out of its arguments",
        needs: &[Need::Prometheus],
        follows: &[],
        run: admin_api,
    },
    Check {
        id: "SC06",
        title: "no account of the release is an administrator of the cluster",
        why: "who gets into its pod has the cluster",
        verify: "kubectl get clusterrolebindings -o wide | grep cluster-admin",
        fix: "delete the binding: what the stack needs is in its own roles",
        needs: &[Need::Admins],
        follows: &[],
        run: admins,
    },
    Check {
        id: "SC08",
        title: "Grafana wants a login",
        why: "without one everybody who reaches it sees what it shows, or changes it",
        verify: "/api/search and /api/datasources of Grafana without a login",
        fix: "take auth.anonymous out of the values of Grafana",
        needs: &[Need::Grafana],
        follows: &[],
        run: anonymous,
    },
    Check {
        id: "SC09",
        title: "every image has a version",
        why: "latest, or none, is another program tomorrow",
        verify: "kubectl get pods -n NAMESPACE -o wide",
        fix: "set the tag or the digest of the image in the values",
        needs: &[Need::Pods],
        follows: &[],
        run: images,
    },
];

fn password(snapshot: &Snapshot) -> Vec<Finding> {
    match snapshot.grafana.answer().and_then(|grafana| grafana.weak_password.answer()) {
        Some(true) => vec![
            Finding::fail("Grafana's password is short, or one that everybody knows")
                .about("grafana")
                .fix("kubectl obs password set grafana"),
        ],
        Some(false) | None => Vec::new(),
    }
}

fn exposed(snapshot: &Snapshot) -> Vec<Finding> {
    let mut lines = Vec::new();
    for object in snapshot.services.answer().into_iter().flatten() {
        match object["kind"].as_str() {
            Some("Ingress") if items(&object["spec"]["tls"]).next().is_none() => {
                let hosts =
                    items(&object["spec"]["rules"]).map(|rule| text(&rule["host"])).collect::<Vec<_>>();
                lines.push(format!("Ingress {} ({}) has no tls", name(object), hosts.join(", ")));
            }
            _ => {
                let kind = text(&object["spec"]["type"]);
                if ["LoadBalancer", "NodePort"].contains(&kind) {
                    lines.push(format!("Service {} is of type {kind}", name(object)));
                }
            }
        }
    }
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("UIs are reachable from outside without TLS")
                .evidence(lines)
                .fix("put an Ingress with tls before them, or reach them with kubectl obs port-forward"),
        ],
    }
}

fn admin_api(snapshot: &Snapshot) -> Vec<Finding> {
    let open = |one: &Prometheus| {
        let flags = one.flags.answer()?;
        let on: Vec<&str> = ["web.enable-admin-api", "web.enable-lifecycle"]
            .into_iter()
            .filter(|flag| flags[*flag] == "true")
            .collect();
        (!on.is_empty()).then(|| format!("pod {}: {}", one.pod, on.join(", ")))
    };
    let lines: Vec<String> = snapshot.prometheus.answer().into_iter().flatten().filter_map(open).collect();
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("who reaches Prometheus can delete its data or stop it")
                .about("prometheus")
                .evidence(lines)
                .fix("take the flag out of prometheus.extraArgs"),
        ],
    }
}

fn admins(snapshot: &Snapshot) -> Vec<Finding> {
    let found = snapshot.admins.answer().into_iter().flatten();
    let lines: Vec<String> = found.cloned().collect();
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("accounts of the release are administrators of the cluster")
                .evidence(lines)
                .fix("kubectl delete clusterrolebinding NAME: the stack has roles of its own"),
        ],
    }
}

fn anonymous(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(open) = snapshot.grafana.answer().and_then(|grafana| grafana.anonymous.answer()) else {
        return Vec::new();
    };
    let finding = match open.as_str() {
        "admin" => Finding::fail("everybody who reaches Grafana is its administrator, without a login"),
        "viewer" => Finding::info("everybody who reaches Grafana sees its dashboards, without a login"),
        _ => return Vec::new(),
    };
    vec![finding.about("grafana").fix("take auth.anonymous out of grafana.config, unless it is meant so")]
}

fn images(snapshot: &Snapshot) -> Vec<Finding> {
    let mut lines: BTreeSet<String> = BTreeSet::new();
    let mut about: BTreeSet<&str> = BTreeSet::new();
    for pod in snapshot.pods.answer().into_iter().flatten() {
        for container in items(&pod["status"]["containerStatuses"]) {
            let image = text(&container["image"]);
            // a bare digest is what some runtimes say of an image with a version
            if image.is_empty() || image.starts_with("sha256:") || image.contains('@') {
                continue;
            }
            let last = image.rsplit('/').next().unwrap_or_default();
            if last.rsplit_once(':').is_none_or(|(_, tag)| tag == "latest") {
                lines.insert(format!("{image} in container {}", text(&container["name"])));
                about.insert(component(pod));
            }
        }
    }
    if lines.is_empty() {
        return Vec::new();
    }
    let mut finding =
        Finding::warn("images without a version").evidence(lines).fix("set its tag in the values");
    finding.about = about.into_iter().map(str::to_owned).collect();
    vec![finding]
}
