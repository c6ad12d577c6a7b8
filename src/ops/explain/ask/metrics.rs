//! What the chain of metrics is made of: the pods, Prometheus' targets and rules, policies, rights, and what the
//! pods answer.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};

use super::super::metrics::{self, Facts, Probe};
use super::super::{Report, target};
use super::{first_prometheus, quoted, silent};
use crate::cluster::Access;
use crate::error::Result;
use crate::object::builtin;
use crate::ops::apps::pods::{list, text};
use crate::ops::get::values as shown_values;
use crate::ops::health::targets;
use crate::ops::pod::{self, Place, TRY};
use crate::ops::{Context, apps};

/// How many targets that are down are asked, and how many that are up are counted.
const ASKED: usize = 8;

/// From a pod to its series.
pub async fn metrics(ctx: &Context<'_>, typed: &str) -> Result<Report> {
    let record = apps::deployed(ctx).await?;
    let place = first_prometheus(ctx, &record).await?;
    let (around, targets, config) = tokio::join!(
        apps::around(ctx, &record),
        pod::api(ctx, &place, targets::PATH),
        pod::api(ctx, &place, "/api/v1/status/config"),
    );
    let (mut seen, warnings) = around?;
    let targets = targets.map_err(|why| silent(&why))?;
    seen.values = shown_values(&record, false).0;
    seen.scraped = apps::scraped(&targets);
    let target = target::find(typed, &seen)?;
    let config = config.and_then(|config| {
        crate::yaml::parse(config["yaml"].as_str().unwrap_or_default()).map_err(|error| error.to_string())
    });
    let own: Vec<&Value> =
        target.pods.iter().flat_map(|pod| metrics::targets_of(&targets, pod)).take(ASKED).collect();
    let namespaces = [target.namespace.as_str(), record.namespace.as_str()];
    let pods = builtin::pods();
    let (policies, labels, prometheus, may_discover, probes, samples, renamed) = tokio::join!(
        policies(ctx, &namespaces),
        labels(ctx, &namespaces),
        ctx.cluster.get(&pods, Some(&place.namespace), &place.pod),
        may_discover(ctx, &place, &target.namespace),
        probes(ctx, &own),
        samples(ctx, &place, &own),
        renamed(ctx, &place, &own),
    );
    let facts = Facts {
        seen,
        config,
        policies,
        namespaces: labels,
        prometheus: prometheus?.unwrap_or_default(),
        may_discover,
        probes,
        samples,
        renamed,
        now: jiff::Timestamp::now(),
        target,
        targets,
    };
    let (chain, passages) = metrics::chain(&facts);
    let jobs = passages.into_iter().map(|passage| {
        json!({"job": passage.job, "discovered": passage.found, "steps": passage.course.steps,
            "labels": passage.course.labels, "unknown": passage.course.unknown})
    });
    Ok(Report::of(&record, "metrics", chain, jobs.collect(), warnings))
}

/// The NetworkPolicies of these namespaces; None where one may not be looked at.
async fn policies(ctx: &Context<'_>, namespaces: &[&str]) -> Option<Vec<Value>> {
    let kind = ctx.cluster.kinds().await.ok()?.preferred("networking.k8s.io", "NetworkPolicy")?;
    let mut all = Vec::new();
    for namespace in std::collections::BTreeSet::from_iter(namespaces) {
        all.extend(ctx.cluster.list_if_possible(&kind, Some(namespace)).await.ok()??);
    }
    Some(all)
}

async fn labels(ctx: &Context<'_>, namespaces: &[&str]) -> BTreeMap<String, Value> {
    let kind = builtin::namespaces();
    let mut all = BTreeMap::new();
    for name in namespaces {
        if let Ok(Some(found)) = ctx.cluster.get(&kind, None, name).await {
            all.insert((*name).to_owned(), found["metadata"]["labels"].clone());
        }
    }
    all
}

/// May the account of Prometheus list pods there?
async fn may_discover(ctx: &Context<'_>, place: &Place, namespace: &str) -> Option<bool> {
    let pod = ctx.cluster.get(&builtin::pods(), Some(&place.namespace), &place.pod).await.ok()??;
    let account = pod["spec"]["serviceAccountName"].as_str()?;
    let who = format!("system:serviceaccount:{}:{account}", place.namespace);
    let right = Access {
        verb: "list".into(),
        resource: "pods".into(),
        namespace: Some(namespace.to_owned()),
        ..Access::default()
    };
    ctx.cluster.may(&who, &right).await.ok()
}

/// What the pods behind targets that are down answer.
async fn probes(ctx: &Context<'_>, own: &[&Value]) -> BTreeMap<String, Probe> {
    let down = own.iter().filter(|target| target["health"] == "down");
    let asked = down.map(|target| async {
        let url = text(&target["scrapeUrl"]);
        let found = &target["discoveredLabels"];
        let place = (text(&found["__meta_kubernetes_namespace"]), text(&found["__meta_kubernetes_pod_name"]));
        let probe = probe(ctx, &url, &place.0, &place.1).await;
        (url, probe)
    });
    join_all(asked).await.into_iter().collect()
}

async fn probe(ctx: &Context<'_>, url: &str, namespace: &str, name: &str) -> Probe {
    let Some(port) = metrics::port_of(url) else {
        return Probe::Unknown(format!("{url} has no port"));
    };
    if !url.starts_with("http://") {
        return Probe::Unknown("it speaks TLS".to_owned());
    }
    let path = url.splitn(4, '/').nth(3).map_or("/".to_owned(), |path| format!("/{path}"));
    match ctx.cluster.pod_http_get(namespace, name, port, &path, TRY).await {
        Ok(answer) => {
            let text = answer.text();
            let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Probe::Answered(answer.status, first.chars().take(120).collect())
        }
        Err(error) if error.message().contains("connection refused") => Probe::Refused,
        Err(error) => Probe::Unknown(error.message().to_owned()),
    }
}

/// How many series each scrape left.
async fn samples(ctx: &Context<'_>, place: &Place, own: &[&Value]) -> BTreeMap<(String, String), f64> {
    let asked = own.iter().map(|target| async {
        let (job, instance) = (text(&target["labels"]["job"]), text(&target["labels"]["instance"]));
        let query = format!(
            "scrape_samples_post_metric_relabeling{{job={},instance={}}}",
            quoted(&job),
            quoted(&instance)
        );
        let data = pod::query(ctx, place, &query, None).await.ok()?;
        let number = data["result"][0]["value"][1].as_str()?.parse().ok()?;
        Some(((job, instance), number))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Labels of their own that were renamed, by job.
async fn renamed(ctx: &Context<'_>, place: &Place, own: &[&Value]) -> BTreeMap<String, String> {
    const SET: [&str; 6] = ["app", "container", "instance", "job", "namespace", "pod"];
    let jobs: std::collections::BTreeSet<String> =
        own.iter().map(|target| text(&target["labels"]["job"])).collect();
    let asked = jobs.into_iter().flat_map(|job| SET.map(|label| (job.clone(), label)));
    let asked = asked.map(|(job, label)| async move {
        let query = format!("count({{job={},exported_{label}!=\"\"}})", quoted(&job));
        let data = pod::query(ctx, place, &query, None).await.ok()?;
        list(&data["result"]).next().map(|_| (job, format!("{label} is exported_{label}")))
    });
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (job, what) in join_all(asked).await.into_iter().flatten() {
        let known = all.entry(job).or_default();
        if !known.is_empty() {
            known.push_str(", ");
        }
        known.push_str(&what);
    }
    all
}
