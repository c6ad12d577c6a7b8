//! ST: the volumes of the release.

use super::{component, condition, name, of_causes, text};
use crate::doctor::snapshot::{label, value};
use crate::doctor::{Check, Finding, Need, Severity, Snapshot};

pub const CHECKS: &[Check] = &[
    Check {
        id: "ST01",
        title: "every volume claim is bound",
        why: "no class makes a volume for it, or not where its pod is to run",
        verify: "kubectl describe pvc: its events",
        fix: "name a class that the cluster has: kubectl obs upgrade --set global.storageClass=…",
        needs: &[Need::Claims],
        follows: &["PF06"],
        run: bound,
    },
    Check {
        id: "ST02",
        title: "no volume is nearly full",
        why: "a full volume stops what writes to it: Prometheus takes no samples any more",
        verify: "kubectl obs port-forward prometheus, then kubelet_volume_stats_available_bytes",
        fix: "kubectl obs upgrade --set COMPONENT.storage.size=… grows it in place where its class allows that",
        needs: &[Need::Prometheus],
        follows: &[],
        run: full,
    },
    Check {
        id: "ST03",
        title: "no volume will be full within four days",
        why: "at the rate of the last six hours it runs out",
        verify: "predict_linear(kubelet_volume_stats_available_bytes[6h], 4 * 86400) < 0",
        fix: "grow it, or keep less: kubectl obs upgrade --set prometheus.retention.time=…",
        needs: &[Need::Prometheus],
        follows: &["ST02"],
        run: filling,
    },
    Check {
        id: "ST04",
        title: "what Prometheus keeps is bounded by size",
        why: "bounded by time alone, more series than expected fill the volume, and it stops",
        verify: "the argument storage.tsdb.retention.size of its pod",
        fix: "kubectl obs upgrade --set prometheus.retention.size=…",
        needs: &[Need::Prometheus],
        follows: &[],
        run: unbounded,
    },
    Check {
        id: "ST06",
        title: "every volume has the size that is asked for",
        why: "the driver has not grown it, or the file system grows when the pod starts again",
        verify: "kubectl describe pvc: its conditions",
        fix: "kubectl obs rollout restart COMPONENT where the condition says FileSystemResizePending",
        needs: &[Need::Claims],
        follows: &[],
        run: growing,
    },
];

fn bound(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = of_causes(snapshot, &["Claim"]);
    for claim in snapshot.claims.answer().into_iter().flatten() {
        // who waits for the first pod is explained by the pod
        if claim["status"]["phase"] != "Lost" {
            continue;
        }
        found.push(
            Finding::fail(format!("volume claim {} has lost its volume", name(claim)))
                .about(component(claim))
                .evidence([format!("volume {} does not exist any more", text(&claim["spec"]["volumeName"]))])
                .fix("bring the volume back, or delete the claim and the pod: its data is gone"),
        );
    }
    found
}

fn full(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    for (query, what) in [("volumes", "space"), ("inodes", "inodes")] {
        for series in snapshot.series(query).into_iter().flatten() {
            let share = value(series).unwrap_or_default();
            let severity = match share {
                share if share >= 0.92 => Severity::Fail,
                share if share >= 0.80 => Severity::Warn,
                _ => continue,
            };
            let claim = label(series, "persistentvolumeclaim");
            found.push(
                Finding::new(severity, format!("volume claim {claim} has used {:.0} % of its {what}", share * 100.0))
                    .about(owner(snapshot, claim))
                    .fix("kubectl obs upgrade --set COMPONENT.storage.size=… grows it in place where its class allows that"),
            );
        }
    }
    found
}

fn filling(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("filling").into_iter().flatten();
    series
        .map(|series| {
            let claim = label(series, "persistentvolumeclaim");
            Finding::warn(format!("volume claim {claim} is full within four days at the present rate"))
                .about(owner(snapshot, claim))
                .fix("kubectl obs upgrade --set COMPONENT.storage.size=…, or keep less")
        })
        .collect()
}

fn unbounded(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(runtime) = snapshot.first_prometheus().and_then(|one| one.runtime.answer()) else {
        return Vec::new();
    };
    // `15d`, `8GiB` or `15d or 8GiB`
    let retention = text(&runtime["storageRetention"]);
    let bounded = retention.split(" or ").any(|part| part.ends_with('B'));
    match bounded || retention.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn("what Prometheus keeps is bounded by time alone")
                .about("prometheus")
                .evidence([format!("it keeps {retention}")])
                .fix("kubectl obs upgrade --set prometheus.retention.size=…"),
        ],
    }
}

fn growing(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    for claim in snapshot.claims.answer().into_iter().flatten() {
        let wanted = text(&claim["spec"]["resources"]["requests"]["storage"]);
        let has = text(&claim["status"]["capacity"]["storage"]);
        let pending = ["FileSystemResizePending", "Resizing"]
            .iter()
            .find(|kind| condition(claim, kind).is_some_and(|condition| condition["status"] == "True"));
        let Some(pending) = pending else { continue };
        let component = component(claim);
        found.push(
            Finding::warn(format!(
                "volume claim {} has {has} of the {wanted} that are asked for",
                name(claim)
            ))
            .about(component)
            .evidence([format!("its condition is {pending}")])
            .fix(format!("kubectl obs rollout restart {component}")),
        );
    }
    found
}

/// The component whose claim it is.
fn owner<'s>(snapshot: &'s Snapshot, claim: &str) -> &'s str {
    let claims = snapshot.claims.answer().into_iter().flatten();
    claims.filter(|one| name(one) == claim).map(component).next().unwrap_or_default()
}
