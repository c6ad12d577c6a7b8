//! A changed configuration that Prometheus reloads by itself: did it? The kubelet is nudged to bring
//! the ConfigMap into the pods at once; then each pod's reload metrics must move on, and what it
//! serves must be what was applied.

use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::{Context, health, live, who};
use crate::cluster::MetadataPatch;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::object::{builtin, labels};
use crate::plan::{Plan, Step};

/// Longest time from the change to the reload: Prometheus looks at its files every 30 s, the kubelet
/// at its ConfigMaps about every minute when nothing nudges it.
const PATIENCE: Duration = Duration::from_secs(180);
/// Where Prometheus listens.
const PORT: u16 = 9090;
/// When it last took over its configuration.
const RELOADED_AT: &str = "prometheus_config_last_reload_success_timestamp_seconds";
/// Did it take over what it read last?
const SUCCESSFUL: &str = "prometheus_config_last_reload_successful";
/// The key that holds the configuration itself; others are rules.
const CONFIG: &str = "prometheus.yml";

/// A pod whose configuration is about to change.
#[derive(Debug)]
pub struct Reload {
    namespace: String,
    pod: String,
    component: String,
    /// When it reloaded before the change, on its own clock.
    before: f64,
    /// What it must serve then, where the configuration itself changes.
    config: Option<Value>,
}

/// Before the change: the pods that will have to reload. None where a pod is not ready or does not
/// answer: a new one reads the new configuration anyway.
pub async fn expect(ctx: &Context<'_>, plan: &Plan) -> Result<Vec<Reload>> {
    let mut found: Vec<Reload> = Vec::new();
    for step in plan.steps.iter().filter(|step| is_reloaded(step)) {
        let Some(namespace) = step.object.namespace() else { continue };
        let config =
            step.object.value()["data"][CONFIG].as_str().and_then(|text| crate::yaml::parse(text).ok());
        for pod in live::ready_pods(ctx, namespace, &step.component).await? {
            if let Some(known) =
                found.iter_mut().find(|reload| reload.namespace == namespace && reload.pod == pod)
            {
                known.config = known.config.take().or_else(|| config.clone());
                continue;
            }
            let Ok(Some((before, _))) = metrics(ctx, namespace, &pod).await else { continue };
            let (namespace, component) = (namespace.to_owned(), step.component.clone());
            found.push(Reload { namespace, pod, component, before, config: config.clone() });
        }
    }
    Ok(found)
}

/// Does the step change what a running Prometheus reloads?
fn is_reloaded(step: &Step) -> bool {
    step.object.annotation(labels::LIVE_RELOAD) == Some(labels::RELOAD_PROMETHEUS)
        && step.change.fields().iter().any(|field| field.path.starts_with("data"))
}

/// After the change: makes the kubelets look at once.
pub async fn nudge(ctx: &Context<'_>, reloads: &[Reload]) {
    let pods = builtin::pods();
    for Reload { namespace, pod, .. } in reloads {
        let patch = MetadataPatch {
            annotations: [(labels::NUDGE.to_owned(), Some(who::now()))].into(),
            ..MetadataPatch::default()
        };
        // without the right to do so it takes a minute longer
        let _ = ctx.cluster.patch_metadata(&pods, Some(namespace), pod, &patch, None).await;
    }
}

/// Waits until every pod that is still there has taken over its configuration.
pub async fn verify(ctx: &Context<'_>, reloads: &[Reload]) -> Result<()> {
    let deadline = ctx.deadline.min(Instant::now() + PATIENCE);
    for reload in reloads {
        let mut told = String::new();
        loop {
            let Some(why) = state(ctx, reload).await? else { break };
            if why != told {
                let what = format!("{} reloads its configuration: {why}", reload.component);
                ctx.observer.event(Event::Awaiting { phase: Phase::Ready, what });
                told.clone_from(&why);
            }
            if Instant::now() >= deadline {
                let Reload { namespace, pod, component, .. } = reload;
                return Err(Error::deadline(format!(
                    "{component} did not take over its changed configuration: {why}"
                ))
                .detail(format!("pod {namespace}/{pod}"))
                .hint(format!("kubectl logs -n {namespace} {pod} says what it makes of it")));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// Why the pod has not reloaded yet; None when it has, or is gone.
async fn state(ctx: &Context<'_>, reload: &Reload) -> Result<Option<String>> {
    let Reload { namespace, pod, component, before, config } = reload;
    if !live::ready_pods(ctx, namespace, component).await?.contains(pod) {
        return Ok(None);
    }
    let (at, successful) = match metrics(ctx, namespace, pod).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Some("it shows no reload metrics".to_owned())),
        Err(why) => return Ok(Some(why)),
    };
    if !successful {
        return Ok(Some("its last reload failed, the old configuration still holds".to_owned()));
    }
    if at <= *before {
        return Ok(Some("it has not reloaded yet".to_owned()));
    }
    let Some(config) = config else { return Ok(None) };
    let served = match get(ctx, namespace, pod, "/api/v1/status/config").await {
        Ok(text) => text,
        Err(why) => return Ok(Some(why)),
    };
    let served: Value = serde_json::from_str(&served).unwrap_or_default();
    let served = crate::yaml::parse(served["data"]["yaml"].as_str().unwrap_or_default()).unwrap_or_default();
    Ok((!serves(config, &served)).then(|| "it serves another configuration than the applied one".to_owned()))
}

/// Is every value of the applied configuration in the served one? Prometheus adds its defaults, fills
/// in its environment, hides secrets and writes durations and sizes its own way.
fn serves(applied: &Value, served: &Value) -> bool {
    match (applied, served) {
        (Value::Object(applied), Value::Object(served)) => applied.iter().all(|(key, value)| {
            served.get(key).map_or_else(|| is_blank(value), |served| serves(value, served))
        }),
        (Value::Array(applied), Value::Array(served)) => {
            applied.len() == served.len() && applied.iter().zip(served).all(|(a, s)| serves(a, s))
        }
        (Value::String(applied), Value::String(served)) => {
            applied == served
                || applied.contains("${")
                || served == "<secret>"
                || same_amount(applied, served)
        }
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            // `0` and `0s`, `100` and `100B`: the same in another notation, or not comparable here
            true
        }
        (applied, served) => applied == served || is_blank(applied) && is_blank(served),
    }
}

/// Absent, empty, zero and false are how defaults are left out.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0" || text == "0s",
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_blank),
    }
}

/// `24h` and `1d`, `1024KB` and `1MB`.
fn same_amount(a: &str, b: &str) -> bool {
    amount(a).is_some_and(|a| amount(b).is_some_and(|b| (a - b).abs() <= a.abs() * 1e-9))
}

/// A duration in seconds or a size in bytes, as Prometheus reads them.
fn amount(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 17] = [
        ("ms", 0.001),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86_400.0),
        ("w", 604_800.0),
        ("y", 31_536_000.0),
        ("B", 1.0),
        ("KB", 1024.0),
        ("KiB", 1024.0),
        ("MB", 1_048_576.0),
        ("MiB", 1_048_576.0),
        ("GB", 1_073_741_824.0),
        ("GiB", 1_073_741_824.0),
        ("TB", 1_099_511_627_776.0),
        ("TiB", 1_099_511_627_776.0),
        ("PB", 1_125_899_906_842_624.0),
    ];
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = rest.get(..end)?;
        total += number * UNITS.iter().find(|(name, _)| *name == unit)?.1;
        rest = rest.get(end..)?;
    }
    (!text.is_empty()).then_some(total)
}

/// When it last reloaded, and whether the last try succeeded; None when it has no such metrics.
async fn metrics(ctx: &Context<'_>, namespace: &str, pod: &str) -> Result<Option<(f64, bool)>, String> {
    let text = get(ctx, namespace, pod, "/metrics").await?;
    let value = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok(value(RELOADED_AT).zip(value(SUCCESSFUL).map(|value| value == 1.0)))
}

async fn get(ctx: &Context<'_>, namespace: &str, pod: &str, path: &str) -> Result<String, String> {
    match health::get(ctx, namespace, pod, PORT, path).await? {
        (200, body) => Ok(body),
        (status, _) => Err(format!("{path} answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_prometheus_writes_its_own_way_is_the_same() {
        let applied = json!({
            "global": {"scrape_interval": "60s", "body_size_limit": "10240KB", "external_labels": {"replica": "${POD_NAME}"}},
            "storage": {"tsdb": {"retention": {"time": "24h", "size": "858993459B"}}},
            "scrape_configs": [{"job_name": "a", "honor_labels": false, "basic_auth": {"password": "x"}}],
        });
        let served = json!({
            "global": {"scrape_interval": "1m", "scrape_timeout": "10s", "body_size_limit": "10MB", "external_labels": {"replica": "obs-prometheus-0"}},
            "storage": {"tsdb": {"retention": {"time": "1d", "size": "858993459B"}}},
            "scrape_configs": [{"job_name": "a", "basic_auth": {"password": "<secret>"}}],
        });
        assert!(serves(&applied, &served));
    }

    #[test]
    fn what_is_not_served_yet_is_seen() {
        let applied = json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}, "rule_files": ["a"]});
        for served in [
            json!({"storage": {"tsdb": {"retention": {"time": "15d"}}}, "rule_files": ["a"]}),
            json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}}),
            json!({"storage": {"tsdb": {"retention": {"time": "20d"}}}, "rule_files": ["a", "b"]}),
        ] {
            assert!(!serves(&applied, &served), "{served}");
        }
    }

    #[test]
    fn amounts_are_compared_by_value() {
        assert!(same_amount("1h30m", "90m") && same_amount("1GB", "1024MB"));
        assert!(!same_amount("15d", "2w") && !same_amount("abc", "abd") && !same_amount("", ""));
    }
}
