//! How each application does, from what Prometheus answers. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::pods::{is_part, ports};
use crate::ops::alerts::shown::{Alert, State};
use crate::ops::health::targets::{Down, Target};
use crate::words::count;

/// What is asked of Prometheus, by what it is: one query each for all apps.
pub const QUERIES: [(&str, &str); 5] = [
    (RATE, "app:http_requests:total_rate5m"),
    (ERRORS, "app:http_request_errors:ratio_rate5m"),
    (P95, "app:http_request_duration_seconds:p95_5m"),
    (AVAILABILITY, "app:slo_availability:budget_remaining"),
    (LATENCY, "app:slo_latency:budget_remaining"),
];
const RATE: &str = "rate";
const ERRORS: &str = "errors";
const P95: &str = "p95";
const AVAILABILITY: &str = "availability";
const LATENCY: &str = "latency";

/// Numbers by what they are, namespace and app.
pub type Figures = BTreeMap<(&'static str, String, String), f64>;

/// One application of the values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// Its name.
    pub name: String,
    /// The namespace of its pods.
    pub namespace: String,
    /// Targets that are up.
    pub up: usize,
    /// Of how many.
    pub targets: usize,
    /// Those that are down.
    pub down: Vec<Down>,
    /// Requests per second; absent where nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// The share of requests that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_ratio: Option<f64>,
    /// 95 of 100 requests take at most so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_seconds: Option<f64>,
    /// The share of the error budget that is left, by SLO.
    pub slo_budget_left: BTreeMap<&'static str, f64>,
    /// Has it an SLO?
    #[serde(skip)]
    pub has_slo: bool,
    /// Its alerts that fire or are pending.
    pub alerts: Vec<Firing>,
}

/// An alert of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// Its name.
    pub name: String,
    /// Its severity.
    pub severity: String,
    /// How far it is.
    pub state: State,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The numbers in the answer to one query.
pub fn read(what: &'static str, data: &Value, figures: &mut Figures) {
    for series in data["result"].as_array().into_iter().flatten() {
        let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
        let value = series["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
        // a quantile of nothing is no number
        if let Some(value) = value.filter(|value| value.is_finite()) {
            figures.insert((what, label("namespace"), label("app")), value);
        }
    }
}

/// The applications in the order of the values.
pub fn apps(values: &Value, targets: &[Target], figures: &Figures, alerts: &[Alert]) -> Vec<App> {
    let apps = values["apps"].as_array().into_iter().flatten();
    apps.map(|app| {
        let text = |key: &str| app[key].as_str().unwrap_or_default().to_owned();
        let (name, namespace) = (text("name"), text("namespace"));
        let job = format!("app-{name}");
        let own: Vec<&Target> = targets.iter().filter(|target| target.job == job).collect();
        let figure = |what: &'static str| figures.get(&(what, namespace.clone(), name.clone())).copied();
        let slos = [(AVAILABILITY, &app["slo"]["availability"]), (LATENCY, &app["slo"]["latency"])];
        let wanted = slos.into_iter().filter(|(_, goal)| !goal.is_null()).map(|(slo, _)| slo);
        let label = |alert: &Alert, label: &str, value: &str| {
            alert.labels.get(label).is_some_and(|known| known == value)
        };
        let mine =
            alerts.iter().filter(|alert| label(alert, "app", &name) && label(alert, "namespace", &namespace));
        App {
            up: own.iter().filter(|target| target.up).count(),
            targets: own.len(),
            down: own
                .iter()
                .filter(|target| !target.up && target.scraped.is_some())
                .map(|t| t.down())
                .collect(),
            requests_per_second: figure(RATE),
            error_ratio: figure(ERRORS),
            p95_seconds: figure(P95),
            slo_budget_left: wanted.filter_map(|slo| Some((slo, figure(slo)?))).collect(),
            has_slo: app["slo"].is_object(),
            alerts: mine
                .map(|alert| Firing {
                    name: alert.name.clone(),
                    severity: alert.severity.clone(),
                    state: alert.state,
                    since: alert.since.clone(),
                })
                .collect(),
            name,
            namespace,
        }
    })
    .collect()
}

/// What of the values finds nothing among the pods that there are, by its path.
pub fn warnings(values: &Value, pods: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, app) in values["apps"].as_array().into_iter().flatten().enumerate() {
        let meant = |pod: &&Value| {
            pod["metadata"]["namespace"] == app["namespace"]
                && is_part(&app["selector"], &pod["metadata"]["labels"])
        };
        let own: Vec<&Value> = pods.iter().filter(meant).collect();
        let namespace = app["namespace"].as_str().unwrap_or_default();
        if own.is_empty() {
            let labels = app["selector"].as_object().into_iter().flatten();
            let labels: Vec<String> = labels
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            found.push(format!(
                "apps[{place}].selector: no pod in namespace {namespace} has {}: it is watched as soon as there is one",
                labels.join(", ")
            ));
            continue;
        }
        let named = app["port"].as_str();
        if let Some(port) =
            named.filter(|port| !own.iter().any(|pod| ports(pod).any(|(name, _)| name == *port)))
        {
            let there: std::collections::BTreeSet<&str> = own
                .iter()
                .flat_map(|pod| ports(pod))
                .map(|(name, _)| name)
                .filter(|name| !name.is_empty())
                .collect();
            let there: Vec<&str> = there.into_iter().collect();
            let others = if there.is_empty() { "none has a name".to_owned() } else { there.join(", ") };
            found.push(format!(
                "apps[{place}].port: no container of its {} has a port named {port}; there are: {others}",
                count(own.len(), "pod")
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(job: &str, error: &str) -> Target {
        let data = json!({"activeTargets": [{"labels": {"instance": "i", "job": job}, "scrapePool": job,
            "lastError": error, "lastScrape": "2026-11-27T12:00:00Z", "health": if error.is_empty() { "up" } else { "down" },
            "scrapeInterval": "30s"}]});
        crate::ops::health::targets::read(&data).remove(0)
    }

    #[test]
    fn figures_are_of_the_app_and_its_namespace() {
        let values = json!({"apps": [
            {"name": "orders", "namespace": "shop", "slo": {"availability": 99.9}},
            {"name": "idle", "namespace": "shop"}]});
        let series = |namespace: &str, value: &str| json!({"metric": {"namespace": namespace, "app": "orders"}, "value": [0, value]});
        let mut figures = Figures::new();
        read(RATE, &json!({"result": [series("other", "7"), series("shop", "41.25")]}), &mut figures);
        read(P95, &json!({"result": [series("shop", "NaN")]}), &mut figures);
        read(AVAILABILITY, &json!({"result": [series("shop", "0.72")]}), &mut figures);
        read(LATENCY, &json!({"result": [series("shop", "0.1")]}), &mut figures);
        let rules = json!({"groups": [{"rules": [{"duration": 60.0, "alerts": [{"state": "firing", "activeAt": "t",
            "labels": {"alertname": "HighErrorRate", "severity": "critical", "app": "orders", "namespace": "shop"}}]}]}]});
        let alerts = crate::ops::alerts::shown::join(&[rules], &[], None);
        let targets = [target("app-orders", ""), target("app-orders", "refused"), target("app-other", "")];
        let all = apps(&values, &targets, &figures, &alerts);
        let orders = &all[0];
        assert_eq!((orders.up, orders.targets, orders.down[0].error.as_str()), (1, 2, "refused"));
        assert_eq!((orders.requests_per_second, orders.p95_seconds), (Some(41.25), None));
        assert_eq!(orders.slo_budget_left, [(AVAILABILITY, 0.72)].into(), "it has no goal for latency");
        assert_eq!(orders.alerts[0].name, "HighErrorRate");
        assert_eq!((all[1].targets, all[1].alerts.len()), (0, 0));
    }

    #[test]
    fn what_finds_no_pod_is_a_warning_with_the_path_of_the_value() {
        let values = json!({"apps": [
            {"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": "metrics"},
            {"name": "later", "namespace": "shop", "selector": {"app": "later", "tier": "x"}, "port": 80},
            {"name": "fine", "namespace": "shop", "selector": {"app": "orders"}, "port": 80}]});
        let pod = json!({"metadata": {"namespace": "shop", "labels": {"app": "orders"}},
            "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 80}]}]}});
        assert_eq!(
            warnings(&values, &[pod]),
            [
                "apps[0].port: no container of its 1 pod has a port named metrics; there are: http",
                "apps[1].selector: no pod in namespace shop has app=later, tier=x: it is watched as soon as there is one",
            ]
        );
    }
}
