//! What the stack knows of the applications that its values name, and what it could watch besides:
//! gathers pods, Services, monitors, targets and figures for the pure parts.

pub mod figures;
pub mod fit;
pub mod images;
pub mod monitors;
pub mod paste;
pub mod pods;
pub mod unwatched;

use std::collections::BTreeSet;

use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;

use super::alerts::{self, server, shown};
use super::get::values as shown_values;
use super::health::targets;
use super::pod::Place;
use super::{Context, pod, revision};
use crate::error::{Error, Result};
use crate::object::{Kind, builtin};
use crate::release::Record;
use figures::{App, Figures, QUERIES};
use unwatched::{Seen, Unwatched};

/// The group of the Prometheus operator's objects.
const OPERATOR: &str = "monitoring.coreos.com";
/// The bundle that takes values of every component.
const UMBRELLA: &str = "stack";

/// The applications of a release.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision whose values they are.
    pub revision: u32,
    /// The applications, in the order of the values.
    pub apps: Vec<App>,
    /// What finds nothing, or could not be looked at.
    pub warnings: Vec<String>,
    /// What serves metrics and is not scraped.
    pub unwatched: Vec<Unwatched>,
    /// The release's values, as they may be shown.
    #[serde(skip)]
    pub values: Value,
}

/// Asks the cluster and Prometheus.
pub async fn apps(ctx: &Context<'_>) -> Result<Report> {
    let record = deployed(ctx).await?;
    let values = shown_values(&record, false).0;
    let seen = alerts::of_prometheus(ctx, &record);
    let asked = async {
        let place = server::prometheus(ctx, &record).await?.into_iter().next();
        let place = place.ok_or_else(|| Error::failed("prometheus has no ready pod"))?;
        ask(ctx, &place).await.map_err(|why| {
            Error::failed(format!("prometheus does not answer: {why}"))
                .hint("kubectl obs status says what is wrong with it")
        })
    };
    let (asked, rules, around) = tokio::join!(asked, seen, around(ctx, &record));
    let (asked, rules, (mut seen, mut warnings)) = (asked?, rules?.rules, around?);
    let apps = figures::apps(
        &values,
        &targets::read(&asked.targets),
        &asked.figures,
        &shown::join(&rules, &[], None),
    );
    let misfits = fit::misfits(&values, &fit::Around { pods: &seen.pods, ..Default::default() });
    // what answers there need not be declared
    let misfits = misfits.into_iter().filter(|misfit| !misfit.undeclared || apps[misfit.app].up == 0);
    warnings.splice(0..0, misfits.map(|misfit| misfit.text));
    seen.scraped = scraped(&asked.targets);
    seen.exporters = record.bundle.name == UMBRELLA;
    seen.values = values;
    Ok(Report {
        unwatched: unwatched::unwatched(&seen, jiff::Timestamp::now()),
        release: record.release,
        namespace: record.namespace,
        revision: record.revision,
        apps,
        warnings,
        values: seen.values,
    })
}

/// The deployed revision; the newest one where none is.
pub(crate) async fn deployed(ctx: &Context<'_>) -> Result<Record> {
    let (store, history) = revision::history(ctx).await?;
    let header = match history.deployed() {
        Some(header) => header,
        None => revision::choose(ctx, &history, None)?,
    };
    store.read(header.revision).await
}

/// What Prometheus says.
struct Asked {
    targets: Value,
    figures: Figures,
}

async fn ask(ctx: &Context<'_>, place: &Place) -> Result<Asked, String> {
    let figures = async {
        let mut figures = Figures::new();
        let answers =
            QUERIES.map(|(what, promql)| async move { (what, pod::query(ctx, place, promql, None).await) });
        for (what, data) in join_all(answers).await {
            figures::read(what, &data?, &mut figures);
        }
        Ok::<_, String>(figures)
    };
    let (targets, figures) = tokio::join!(pod::api(ctx, place, targets::PATH), figures);
    Ok(Asked { targets: targets?, figures: figures? })
}

/// The pods behind targets.
pub(crate) fn scraped(data: &Value) -> BTreeSet<(String, String)> {
    let targets = data["activeTargets"].as_array().into_iter().flatten();
    let pod = |target: &Value| {
        let label = |name: &str| target["discoveredLabels"][format!("__meta_kubernetes_{name}")].as_str();
        Some((label("namespace")?.to_owned(), label("pod_name")?.to_owned()))
    };
    targets.filter_map(pod).collect()
}

/// Pods, Services and monitors of all namespaces, or of those that the values name where the others may
/// not be looked at: then with a warning.
pub(crate) async fn around(ctx: &Context<'_>, record: &Record) -> Result<(Seen, Vec<String>)> {
    let kinds = ctx.cluster.kinds().await?;
    let mut warnings = Vec::new();
    let mut pods = ctx.cluster.list_if_possible(&builtin::pods(), None).await?;
    let mut services = ctx.cluster.list_if_possible(&builtin::services(), None).await?;
    if pods.is_none() || services.is_none() {
        let named = record.values["apps"].as_array().into_iter().flatten();
        let named = named.filter_map(|app| app["namespace"].as_str());
        let namespaces: BTreeSet<&str> = named.chain([record.namespace.as_str()]).collect();
        for (kind, found) in [(builtin::pods(), &mut pods), (builtin::services(), &mut services)] {
            let mut all = Vec::new();
            for namespace in &namespaces {
                all.extend(ctx.cluster.list_if_possible(&kind, Some(namespace)).await?.unwrap_or_default());
            }
            found.get_or_insert(all);
        }
        warnings.push(format!(
            "pods of all namespaces may not be listed: looked at are those of {}",
            namespaces.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let of_operator = async |names: &[&str]| {
        let kinds: Vec<Kind> = names.iter().filter_map(|name| kinds.preferred(OPERATOR, name)).collect();
        let mut all = Vec::new();
        for kind in kinds {
            all.extend(ctx.cluster.list_if_possible(&kind, None).await?.unwrap_or_default());
        }
        Ok::<_, Error>(all)
    };
    let monitors = of_operator(&["ServiceMonitor", "PodMonitor"]).await?;
    let readers = of_operator(&["Prometheus", "PrometheusAgent"]).await?;
    let mut workloads = Vec::new();
    for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
        let Some(kind) = kinds.preferred("apps", kind) else { continue };
        workloads.extend(ctx.cluster.list_metadata_if_possible(&kind, None, "").await?.unwrap_or_default());
    }
    let secrets = (builtin::secrets(), Some(record.namespace.as_str()));
    let secrets = ctx.cluster.list_metadata_if_possible(&secrets.0, secrets.1, "").await?.unwrap_or_default();
    let secrets = secrets.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
    let seen = Seen {
        secrets: secrets.map(str::to_owned).collect(),
        workloads,
        pods: pods.unwrap_or_default(),
        services: services.unwrap_or_default(),
        monitors,
        readers,
        ..Seen::default()
    };
    Ok((seen, warnings))
}
