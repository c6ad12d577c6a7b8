//! Does the stack answer? Runs the health checks of the bundles (`http` and `promql`) against
//! ready pods, through port-forward, until each passes or its deadline is over.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::{Context, live};
use crate::error::{Error, Exit, Result};
use crate::event::{Event, Phase};
use crate::object::builtin;
use crate::release::ComponentRef;

/// How long a check may take unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(180);
/// The component that answers queries.
const PROMETHEUS: &str = "prometheus";
/// Longest time for one try.
const TRY: Duration = Duration::from_secs(10);

/// Runs all checks of the enabled components; the summary names what was seen.
pub async fn healthy(ctx: &Context<'_>, components: &[ComponentRef], node_namespace: &str) -> Result<String> {
    let checks: Vec<(&str, &Value)> = components
        .iter()
        .flat_map(|component| component.health.iter().map(|check| (component.name.as_str(), check)))
        .collect();
    let total = checks.len();
    let board = Board { total, state: Mutex::default() };
    let failed: Vec<String> = stream::iter(checks)
        .map(|(component, check)| one(ctx, component, check, node_namespace, components, &board))
        .buffer_unordered(4)
        .filter_map(|result| async { result.err() })
        .collect()
        .await;
    if failed.is_empty() {
        return Ok(format!("{total} of {total} checks pass"));
    }
    let first = failed.first().cloned().unwrap_or_default();
    let mut error = Error::failed(format!("the stack is ready but not healthy: {first}"));
    for other in failed.iter().skip(1) {
        error = error.detail(other.clone());
    }
    // the time of the operation was over before that of a check
    if Instant::now() + Duration::from_secs(1) >= ctx.deadline {
        error = error.with_exit(Exit::Deadline);
    }
    Err(error.hint("look at it with kubectl obs status; --wait=ready ends without these checks"))
}

/// What passes and what does not yet, for those who watch.
struct Board {
    total: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: usize,
    /// Why, by the check's name.
    failing: BTreeMap<String, String>,
    told: String,
}

impl Board {
    fn passed(&self, ctx: &Context<'_>, name: &str) {
        self.change(ctx, |state| {
            state.passed += 1;
            state.failing.remove(name);
        });
    }

    fn fails(&self, ctx: &Context<'_>, name: &str, why: &str) {
        self.change(ctx, |state| {
            state.failing.insert(name.to_owned(), why.to_owned());
        });
    }

    fn change(&self, ctx: &Context<'_>, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        let Some((name, why)) = state.failing.first_key_value() else { return };
        let what = format!("{} of {} checks pass; {name}: {why}", state.passed, self.total);
        if what != state.told {
            ctx.observer.event(Event::Awaiting { phase: Phase::Healthy, what: what.clone() });
            state.told = what;
        }
    }
}

async fn one(
    ctx: &Context<'_>,
    component: &str,
    check: &Value,
    node_namespace: &str,
    components: &[ComponentRef],
    board: &Board,
) -> Result<(), String> {
    let name = check["name"].as_str().unwrap_or("unnamed check");
    let about = check["component"].as_str().unwrap_or(component);
    // a query is asked of Prometheus, whichever component it is about
    let target = if check["promql"].is_object() { PROMETHEUS } else { about };
    let enabled = |name: &str| components.iter().find(|c| c.name == name);
    // what it is about, or who could answer, is switched off: nothing to ask
    let (Some(_), Some(asked)) = (enabled(about).or_else(|| enabled(component)), enabled(target)) else {
        return Ok(());
    };
    let namespace = if asked.node_level { node_namespace } else { ctx.namespace.as_str() };
    let patience =
        check["deadline"].as_str().and_then(|text| super::parse_duration(text).ok()).unwrap_or(DEADLINE);
    let deadline = ctx.deadline.min(Instant::now() + patience);
    loop {
        let why = match tokio::time::timeout(TRY, attempt(ctx, check, target, namespace)).await {
            Ok(Ok(())) => {
                board.passed(ctx, name);
                return Ok(());
            }
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {}s", TRY.as_secs()),
        };
        board.fails(ctx, name, &why);
        if Instant::now() + Duration::from_millis(500) >= deadline {
            return Err(format!("{name}: {why}"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn attempt(ctx: &Context<'_>, check: &Value, target: &str, namespace: &str) -> Result<(), String> {
    let pod = ready_pod(ctx, target, namespace).await?;
    if let Some(promql) = check.get("promql") {
        let query = promql["query"].as_str().unwrap_or_default();
        let path = format!("/api/v1/query?query={}", percent_encode(query));
        let answer =
            get(ctx, namespace, &pod, port_of(ctx, (namespace, &pod), &promql["port"], 9090).await?, &path)
                .await?;
        let body: Value = serde_json::from_str(&answer.1).map_err(|_| "the answer is not JSON".to_owned())?;
        if body["status"] != "success" {
            return Err(format!("the query failed: {}", body["error"].as_str().unwrap_or("no reason given")));
        }
        return judge(&body["data"], promql["expect"].as_str());
    }
    let http = &check["http"];
    let path = http["path"].as_str().unwrap_or("/");
    let (status, body) =
        get(ctx, namespace, &pod, port_of(ctx, (namespace, &pod), &http["port"], 80).await?, path).await?;
    let wanted = http["status"].as_u64().unwrap_or(200);
    if u64::from(status) != wanted {
        let line = body.lines().next().unwrap_or_default();
        return Err(format!("{path} answers {status} instead of {wanted}: {line}"));
    }
    let Some(expression) = http["json"].as_str() else { return Ok(()) };
    let body: Value = serde_json::from_str(&body).map_err(|_| format!("{path} does not answer JSON"))?;
    match crate::render::expression_is_true(expression, "body", &body) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{path} answers, but {expression} does not hold")),
        Err(why) => Err(format!("the check's expression is wrong: {why}")),
    }
}

/// A ready pod of a component.
async fn ready_pod(ctx: &Context<'_>, component: &str, namespace: &str) -> Result<String, String> {
    let pods =
        live::ready_pods(ctx, namespace, component).await.map_err(|error| error.message().to_owned())?;
    pods.into_iter().next().ok_or_else(|| format!("{component} has no ready pod"))
}

/// A port by its number, or by the name that a container of the pod gives it.
async fn port_of(
    ctx: &Context<'_>,
    (namespace, pod): (&str, &str),
    port: &Value,
    default: u16,
) -> Result<u16, String> {
    let Some(name) = port.as_str() else {
        return Ok(port.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or(default));
    };
    let kind = builtin::pods();
    let live =
        ctx.cluster.get(&kind, Some(namespace), pod).await.map_err(|error| error.message().to_owned())?;
    live.unwrap_or_default()["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["ports"].as_array())
        .flatten()
        .find(|port| port["name"] == name)
        .and_then(|port| u16::try_from(port["containerPort"].as_u64()?).ok())
        .ok_or_else(|| format!("pod {pod} has no port called {name}"))
}

/// Status and body of what a pod answers.
pub async fn get(
    ctx: &Context<'_>,
    namespace: &str,
    pod: &str,
    port: u16,
    path: &str,
) -> Result<(u16, String), String> {
    let answer = ctx
        .cluster
        .pod_http_get(namespace, pod, port, path, TRY)
        .await
        .map_err(|error| error.message().to_owned())?;
    Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}

/// Does a query's result hold? Without an expectation it must not be empty; with one
/// (`== 0`, `>= 3`) every sample must fulfil it, and there must be one.
fn judge(data: &Value, expect: Option<&str>) -> Result<(), String> {
    let samples: Vec<f64> = match data["resultType"].as_str() {
        Some("vector") => data["result"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|series| series["value"][1].as_str()?.parse().ok())
            .collect(),
        Some("scalar") => data["result"][1].as_str().and_then(|v| v.parse().ok()).into_iter().collect(),
        _ => return Err("the query gives neither a vector nor a number".into()),
    };
    if samples.is_empty() {
        return Err("the query finds nothing".into());
    }
    let Some(expect) = expect else { return Ok(()) };
    let expect = expect.trim();
    let split = expect.find(|c: char| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(expect.len());
    let (operator, number) = expect.split_at(split);
    let number: f64 = number.trim().parse().map_err(|_| format!("\"{expect}\" is no comparison"))?;
    let holds = |sample: f64| match operator {
        "==" => Ok(sample == number),
        "!=" => Ok(sample != number),
        ">" => Ok(sample > number),
        ">=" => Ok(sample >= number),
        "<" => Ok(sample < number),
        "<=" => Ok(sample <= number),
        _ => Err(format!("\"{expect}\" is no comparison")),
    };
    for sample in samples {
        if !holds(sample)? {
            return Err(format!("the query gives {sample}, expected {expect}"));
        }
    }
    Ok(())
}

/// RFC 3986: everything but unreserved characters.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vector(values: &[&str]) -> Value {
        let result: Vec<Value> = values.iter().map(|v| json!({"metric": {}, "value": [0, v]})).collect();
        json!({"resultType": "vector", "result": result})
    }

    #[test]
    fn a_query_without_expectation_must_find_something() {
        assert_eq!(judge(&vector(&["0"]), None), Ok(()));
        assert_eq!(judge(&vector(&[]), None), Err("the query finds nothing".into()));
    }

    #[test]
    fn every_sample_must_fulfil_the_expectation() {
        assert_eq!(judge(&vector(&["3", "4"]), Some(">= 3")), Ok(()));
        assert_eq!(judge(&vector(&["3", "2"]), Some(">=3")), Err("the query gives 2, expected >=3".into()));
        assert_eq!(judge(&json!({"resultType": "scalar", "result": [0, "0"]}), Some("== 0")), Ok(()));
        assert_eq!(judge(&vector(&["1"]), Some("about 3")), Err("\"about 3\" is no comparison".into()));
    }

    #[test]
    fn queries_survive_the_url() {
        assert_eq!(percent_encode("up{a=\"b\"} == 1"), "up%7Ba%3D%22b%22%7D%20%3D%3D%201");
    }
}
