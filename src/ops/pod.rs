//! Asks a pod: any path by HTTP, a query, a port by its name. Through port-forward, so past every
//! NetworkPolicy.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde_json::Value;

use super::{Context, live};
use crate::json;
use crate::object::builtin;

/// Longest time for one try.
pub const TRY: Duration = Duration::from_secs(10);

/// Most values in an answer: the targets of thousands of nodes with all their labels.
pub const MAX_VALUES: usize = 3_000_000;

/// One port of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Namespace of the pod.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// The port.
    pub port: u16,
}

/// The ready pods of a component; an error when there is none.
pub async fn ready_pods(ctx: &Context<'_>, component: &str, namespace: &str) -> Result<Vec<String>, String> {
    let pods =
        live::ready_pods(ctx, namespace, component).await.map_err(|error| error.message().to_owned())?;
    match pods.is_empty() {
        true => Err(format!("{component} has no ready pod")),
        false => Ok(pods.into_iter().collect()),
    }
}

/// A port by its number, or by the name that a container of the pod gives it.
pub async fn port_of(
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

/// The same of a request that changes something; `body` goes as JSON.
pub async fn send(
    ctx: &Context<'_>,
    place: &Place,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, String), String> {
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request =
        request.body(body).map_err(|_| format!("\"{path}\" is not a path that can be asked for"))?;
    let Place { namespace, pod, port } = place;
    let answer = ctx.cluster.pod_http(namespace, pod, *port, request, TRY).await;
    let answer = answer.map_err(|error| error.message().to_owned())?;
    Ok((answer.status, answer.text()))
}

/// `data` of an answer of Prometheus' API.
pub async fn api(ctx: &Context<'_>, place: &Place, path: &str) -> Result<Value, String> {
    let (status, body) = get(ctx, &place.namespace, &place.pod, place.port, path).await?;
    let Some(mut body) = json::read(body.as_bytes(), MAX_VALUES) else {
        let path = path.split('?').next().unwrap_or_default();
        return Err(match status {
            200 => format!("{path} does not answer JSON of at most {MAX_VALUES} values"),
            _ => format!("{path} answers {status}"),
        });
    };
    if body["status"] != "success" {
        return Err(format!("the query failed: {}", body["error"].as_str().unwrap_or("no reason given")));
    }
    Ok(body["data"].take())
}

/// The result of a query. With `window` it sees only samples of so many seconds.
pub async fn query(
    ctx: &Context<'_>,
    place: &Place,
    promql: &str,
    window: Option<f64>,
) -> Result<Value, String> {
    let mut path = format!("/api/v1/query?query={}", percent_encode(promql));
    if let Some(seconds) = window {
        path.push_str(&format!("&lookback_delta={seconds:.3}"));
    }
    api(ctx, place, &path).await
}

/// RFC 3986: everything but unreserved characters.
pub fn percent_encode(text: &str) -> String {
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

    #[test]
    fn queries_survive_the_url() {
        assert_eq!(percent_encode("up{a=\"b\"} == 1"), "up%7Ba%3D%22b%22%7D%20%3D%3D%201");
    }
}
