//! GF: Grafana, its login, its datasources and its dashboards.

use std::collections::BTreeSet;

use super::{NO_PODS, text};
use crate::doctor::snapshot::Grafana;
use crate::doctor::{Check, Finding, Need, Snapshot};
use crate::words::count;

pub const CHECKS: &[Check] = &[
    Check {
        id: "GF01",
        title: "Grafana answers, and its database works",
        why: "without it there are no dashboards",
        verify: "/api/health of Grafana",
        fix: "kubectl obs logs grafana",
        needs: &[Need::Status],
        follows: NO_PODS,
        run: health,
    },
    Check {
        id: "GF02",
        title: "the password of the Secret opens Grafana",
        why: "Grafana reads it once and keeps it in its database: a changed Secret alone opens nothing",
        verify: "kubectl obs password get grafana, and log in",
        fix: "kubectl obs password set grafana",
        needs: &[Need::Grafana],
        follows: &["GF01"],
        run: login,
    },
    Check {
        id: "GF03",
        title: "Grafana has the datasources of the stack",
        why: "every panel that asks a missing one is empty",
        verify: "/api/datasources of Grafana",
        fix: "kubectl obs rollout restart grafana reads them again",
        needs: &[Need::Grafana],
        follows: &["GF01", "GF02"],
        run: datasources,
    },
    Check {
        id: "GF04",
        title: "every datasource answers",
        why: "its panels show an error",
        verify: "/api/datasources/uid/UID/health of Grafana",
        fix: "see its words; the component behind it may not run",
        needs: &[Need::Grafana],
        follows: &["MX01", "NT01", "GF01", "GF02"],
        run: datasource_health,
    },
    Check {
        id: "GF06",
        title: "Grafana shows every dashboard of the stack",
        why: "one that it refuses is missing without a word on the screen",
        verify: "kubectl obs dashboards; /api/search of Grafana",
        fix: "kubectl obs logs grafana: provisioning",
        needs: &[Need::Grafana],
        follows: &["GF01", "GF02"],
        run: dashboards,
    },
];

fn grafana(snapshot: &Snapshot) -> Option<&Grafana> {
    snapshot.grafana.answer()
}

fn health(snapshot: &Snapshot) -> Vec<Finding> {
    if !snapshot.has("grafana") {
        return Vec::new();
    }
    let ill = |what: &str, why: String| {
        vec![Finding::fail(what).about("grafana").evidence([why]).fix("kubectl obs logs grafana")]
    };
    if let Some(why) = snapshot.grafana.why() {
        return ill("Grafana does not answer", why.to_owned());
    }
    let Some(grafana) = grafana(snapshot) else { return Vec::new() };
    match &grafana.health {
        asked if asked.why().is_some() => {
            ill("Grafana does not answer", asked.why().unwrap_or_default().to_owned())
        }
        asked => match asked.answer().map(|answer| text(&answer["database"])) {
            Some("ok") | None => Vec::new(),
            Some(other) => ill("the database of Grafana does not work", format!("it says: {other}")),
        },
    }
}

fn login(snapshot: &Snapshot) -> Vec<Finding> {
    match grafana(snapshot).and_then(|one| one.login.answer()) {
        Some(401 | 403) => vec![
            Finding::warn("the password of the Secret does not open Grafana")
                .about("grafana")
                .evidence(["it was changed in Grafana, or in the Secret alone".to_owned()])
                .fix("kubectl obs password set grafana"),
        ],
        _ => Vec::new(),
    }
}

/// The datasource that stands for a component.
const SOURCES: [(&str, &str); 2] = [("prometheus", "prometheus"), ("alertmanager", "alertmanager")];

fn datasources(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(sources) = grafana(snapshot).and_then(|one| one.datasources.answer()) else { return Vec::new() };
    let kinds: BTreeSet<&str> = sources.iter().map(|source| text(&source["type"])).collect();
    let missing = SOURCES.iter().filter(|(component, kind)| snapshot.has(component) && !kinds.contains(kind));
    missing
        .map(|(component, _)| {
            Finding::fail(format!("Grafana has no datasource for {component}"))
                .about("grafana")
                .fix("kubectl obs rollout restart grafana")
        })
        .collect()
}

fn datasource_health(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(grafana) = grafana(snapshot) else { return Vec::new() };
    let name = |uid: &str| {
        let sources = grafana.datasources.answer().into_iter().flatten();
        let mut named = sources.filter(|source| source["uid"] == uid);
        named.next().map_or(uid.to_owned(), |source| text(&source["name"]).to_owned())
    };
    let ill = grafana.datasource_health.iter().filter_map(|(uid, asked)| {
        let answer = asked.answer()?;
        // a plugin without such a check answers nothing
        let said = answer["status"].as_str().filter(|status| *status != "OK")?;
        let component = component_of(grafana, uid);
        Some(
            Finding::fail(format!("Grafana cannot ask its datasource {}", name(uid)))
                .about(component)
                .evidence([format!("{said}: {}", text(&answer["message"]))])
                .fix("kubectl obs status: does the component behind it run?"),
        )
    });
    ill.collect()
}

fn component_of<'g>(grafana: &'g Grafana, uid: &str) -> &'g str {
    let sources = grafana.datasources.answer().into_iter().flatten();
    sources
        .filter(|source| source["uid"] == uid)
        .map(|source| text(&source["type"]))
        .next()
        .unwrap_or("grafana")
}

fn dashboards(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(grafana) = grafana(snapshot) else { return Vec::new() };
    let Some(there) = grafana.dashboards.answer() else { return Vec::new() };
    let missing: Vec<String> =
        grafana.expected_dashboards.iter().filter(|uid| !there.contains(uid)).cloned().collect();
    match missing.is_empty() {
        true => Vec::new(),
        false => vec![
            Finding::warn(format!(
                "Grafana does not show {} of the stack",
                count(missing.len(), "dashboard")
            ))
            .about("grafana")
            .evidence(missing)
            .fix("kubectl obs logs grafana"),
        ],
    }
}
