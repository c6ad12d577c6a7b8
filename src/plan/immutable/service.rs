//! A Service's addresses: what was given to it stays, what is left out is kept for it, and a second
//! address may come and go (core/validation: ValidateServiceUpdate).

use serde_json::Value;

use super::fields::gives_up;

/// Where the desired Service asks for other addresses than it has.
pub(super) fn changed(desired: &Value, live: &Value) -> Vec<String> {
    let (wanted, present) = (&desired["spec"], &live["spec"]);
    let kind = |spec: &Value| spec["type"].as_str().map(str::to_owned);
    let now = kind(present).unwrap_or_else(|| "ClusterIP".to_owned());
    let then = kind(wanted).unwrap_or_else(|| now.clone());
    // to and from a mere alias, everything may change
    if now == "ExternalName" || then == "ExternalName" {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut scalar = |field: &str| {
        let (from, to) = (text(&present[field]), text(&wanted[field]));
        if !from.is_empty() && !to.is_empty() && from != to {
            out.push(format!("spec.{field}"));
        }
    };
    scalar("clusterIP");
    let balanced = now == "LoadBalancer" && then == "LoadBalancer";
    if balanced {
        scalar("loadBalancerClass");
    }
    // headless because we said so: an apply that no longer says it changes nothing
    let headless = text(&present["clusterIP"]) == "None" && wanted["clusterIP"].is_null();
    if headless && gives_up(desired, live, "spec.clusterIP") {
        out.push("spec.clusterIP".to_owned());
    }
    for field in ["clusterIPs", "ipFamilies"] {
        if list_differs(&present[field], &wanted[field]) {
            out.push(format!("spec.{field}"));
        }
    }
    // a load balancer that was made without a class has been given to the cloud's own
    if balanced && !text(&wanted["loadBalancerClass"]).is_empty() && present["loadBalancerClass"].is_null() {
        out.push("spec.loadBalancerClass".to_owned());
    }
    let port = |spec: &Value| spec["healthCheckNodePort"].as_u64().filter(|port| *port > 0);
    if let (Some(from), Some(to)) = (port(present), port(wanted))
        && from != to
    {
        out.push("spec.healthCheckNodePort".to_owned());
    }
    out
}

/// Do two lists differ where both say something?
fn list_differs(present: &Value, wanted: &Value) -> bool {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    items(present).iter().zip(items(wanted).iter()).any(|(a, b)| a != b)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
