//! The mail servers of Alertmanager's receivers: is there one of that name? Only warnings, and no server is
//! connected to: a Service of the cluster is asked for at the API server, any other name is resolved here.
//! What only the cluster's DNS knows cannot be told from what nobody knows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures::future;
use serde_json::Value;

use super::Subject;
use crate::error::Result;
use crate::event::Event;
use crate::object::builtin;
use crate::ops::{Context, live};

/// The component that sends mails.
const SENDER: &str = "alertmanager";
/// How long a name may take to be resolved.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says which servers are not there.
pub(super) async fn warn(ctx: &Context<'_>, subject: &Subject<'_>) {
    if !subject.components.iter().any(|component| component.name == SENDER) {
        return;
    }
    let servers = servers(subject.values);
    let asked = servers.into_iter().map(|((host, port), paths)| async move {
        let why = match look(ctx, &host, port).await {
            Ok(why) => why?,
            Err(error) => format!("could not be looked for: {}", error.message()),
        };
        Some(format!("{}: {host} {why}", paths.join(", ")))
    });
    for message in future::join_all(asked).await.into_iter().flatten() {
        ctx.observer.event(Event::Warning { message });
    }
}

/// Host and port of each server, with the paths of the values that name it.
fn servers(values: &Value) -> BTreeMap<(String, u16), Vec<String>> {
    // below the component's key in an umbrella, at the top where it is installed alone
    let below = values[SENDER]["receivers"].as_array();
    let at = if below.is_some() { "alertmanager." } else { "" };
    let receivers = below.or(values["receivers"].as_array());
    let mut out: BTreeMap<(String, u16), Vec<String>> = BTreeMap::new();
    for (i, receiver) in receivers.into_iter().flatten().enumerate() {
        for (j, to) in receiver["email"].as_array().into_iter().flatten().enumerate() {
            let server = to["smarthost"].as_str().and_then(|text| text.rsplit_once(':'));
            let Some((host, Ok(port))) = server.map(|(host, port)| (host, port.parse())) else { continue };
            let path = format!("{at}receivers[{i}].email[{j}].smarthost");
            out.entry((host.to_owned(), port)).or_default().push(path);
        }
    }
    out
}

/// Where a name leads.
#[derive(Debug, PartialEq, Eq)]
enum Target<'h> {
    /// An address, or the pod itself: nothing to look for.
    Address,
    /// A Service, and nothing else.
    Service { name: &'h str, namespace: &'h str },
    /// A Service if there is one, else a name outside: pods resolve short names in their own domains first.
    Either { name: &'h str, namespace: &'h str },
    /// A name outside the cluster.
    Outside,
}

/// What a pod in namespace `own` understands by a host.
fn target<'h>(host: &'h str, own: &'h str) -> Target<'h> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    if plain.parse::<IpAddr>().is_ok() || plain == "localhost" {
        return Target::Address;
    }
    // with a dot at its end a name is complete
    let complete = host.ends_with('.');
    match *host.trim_end_matches('.').split('.').collect::<Vec<_>>() {
        [name, namespace, "svc"] | [name, namespace, "svc", _, _, ..] => Target::Service { name, namespace },
        [name] if !complete => Target::Either { name, namespace: own },
        [name, namespace] if !complete => Target::Either { name, namespace },
        _ => Target::Outside,
    }
}

/// Why no mail would get through, and what to do; None where nothing speaks against it.
async fn look(ctx: &Context<'_>, host: &str, port: u16) -> Result<Option<String>> {
    let (name, namespace, certain) = match target(host, ctx.namespace.as_str()) {
        Target::Address => return Ok(None),
        Target::Outside => return Ok(unresolved(host, port).await.map(|why| outside(&why))),
        Target::Service { name, namespace } => (name, namespace, true),
        Target::Either { name, namespace } => (name, namespace, false),
    };
    match ctx.cluster.look_up(&builtin::services(), Some(namespace), name).await? {
        // who may not look learns nothing
        None => Ok(None),
        Some(Some(service)) => in_cluster(ctx, &service, namespace, name, port).await,
        Some(None) if certain => Ok(Some(format!(
            "cannot be reached: the API server knows no service {namespace}/{name}; correct the name, or make the service"
        ))),
        Some(None) => Ok(unresolved(host, port).await.map(|why| {
            format!("{}; the API server knows no service {namespace}/{name} either", outside(&why))
        })),
    }
}

fn outside(why: &str) -> String {
    format!(
        "could not be resolved from this machine ({why}): correct the name, unless only the cluster's own DNS knows it"
    )
}

/// A Service that is there: does it have the port, and anybody behind it?
async fn in_cluster(
    ctx: &Context<'_>,
    service: &Value,
    namespace: &str,
    name: &str,
    port: u16,
) -> Result<Option<String>> {
    if let Some(elsewhere) = service["spec"]["externalName"].as_str() {
        let why = unresolved(elsewhere, port).await;
        return Ok(why.map(|why| {
            format!("is service {namespace}/{name}, which stands for {elsewhere}, and that {}", outside(&why))
        }));
    }
    if let Some(why) = without_port(service, port) {
        return Ok(Some(format!("is service {namespace}/{name}, which {why}")));
    }
    Ok((live::answered(ctx, namespace, name).await? == Some(false)).then(|| {
        format!(
            "is service {namespace}/{name}, which has no ready endpoint: no mail gets through until a pod behind it is ready; kubectl get pods -n {namespace}"
        )
    }))
}

/// A headless Service has the ports of its pods.
fn without_port(service: &Value, port: u16) -> Option<String> {
    let spec = &service["spec"];
    let ports: Vec<u64> =
        spec["ports"].as_array().into_iter().flatten().filter_map(|port| port["port"].as_u64()).collect();
    if spec["clusterIP"] == "None" || ports.contains(&u64::from(port)) {
        return None;
    }
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    Some(format!("has no port {port}; name one of its own: {}", ports.join(", ")))
}

/// Why a name has no address; None when it has one.
async fn unresolved(host: &str, port: u16) -> Option<String> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => addresses.next().is_none().then(|| "it has no address".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {}s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_server_is_asked_for_once_whoever_names_it() {
        let receivers = json!([
            {"name": "a", "email": [{"smarthost": "smtp.shop.test:587"}, {"smarthost": "[::1]:25"}]},
            {"name": "b", "slack": [{}]},
            {"name": "c", "email": [{"smarthost": "smtp.shop.test:587"}, {"smarthost": "a.b:99999"}]}]);
        let found = servers(&json!({"alertmanager": {"receivers": receivers}}));
        let at = |i, j| format!("alertmanager.receivers[{i}].email[{j}].smarthost");
        let expected = [
            (("[::1]".to_owned(), 25), vec![at(0, 1)]),
            (("smtp.shop.test".to_owned(), 587), vec![at(0, 0), at(2, 0)]),
        ];
        assert_eq!(found, expected.into());
        let alone = servers(&json!({"receivers": receivers}));
        assert_eq!(alone[&("[::1]".to_owned(), 25)], ["receivers[0].email[1].smarthost"]);
    }

    #[test]
    fn a_name_leads_where_a_pod_finds_it() {
        let service = |name, namespace| Target::Service { name, namespace };
        let either = |name, namespace| Target::Either { name, namespace };
        for (host, expected) in [
            ("10.0.0.1", Target::Address),
            ("[fd00::1]", Target::Address),
            ("localhost", Target::Address),
            ("relay", either("relay", "obs")),
            ("relay.mail", either("relay", "mail")),
            ("relay.mail.svc", service("relay", "mail")),
            ("relay.mail.svc.cluster.local.", service("relay", "mail")),
            ("relay.mail.svc.corp.internal", service("relay", "mail")),
            ("shop.test.", Target::Outside),
            ("smtp.shop.test", Target::Outside),
            ("a.b.svc.com", Target::Outside),
        ] {
            assert_eq!(target(host, "obs"), expected, "{host}");
        }
    }

    #[test]
    fn a_service_needs_the_port() {
        let service = json!({"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 25}, {"port": 465}]}});
        assert_eq!(without_port(&service, 25), None);
        assert_eq!(without_port(&service, 587).unwrap(), "has no port 587; name one of its own: 25, 465");
        assert_eq!(without_port(&json!({"spec": {"clusterIP": "None"}}), 587), None);
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_told_in_time() {
        let begun = std::time::Instant::now();
        assert!(unresolved("smtp.shop.invalid", 25).await.is_some_and(|why| !why.is_empty()));
        assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
        assert_eq!(unresolved("127.0.0.1", 25).await, None);
    }
}
