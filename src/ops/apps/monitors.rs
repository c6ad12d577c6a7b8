//! ServiceMonitors and PodMonitors of the Prometheus operator that nobody reads, and where the metrics
//! are that they mean. Pure.

use serde_json::Value;

use super::pods::{is_part, list, ports};
use super::unwatched::{Endpoint, Seen};

/// Pods that a monitor means.
pub struct Monitored {
    namespaces: Option<Vec<String>>,
    selector: Value,
    /// Where their metrics are.
    pub endpoint: Endpoint,
}

impl Monitored {
    /// Is it one of its pods?
    pub fn takes(&self, pod: &Value) -> bool {
        let meta = &pod["metadata"];
        let here = |names: &Vec<String>| names.iter().any(|name| meta["namespace"] == name.as_str());
        let has_port = || match &self.endpoint.port {
            Value::String(name) => ports(pod).any(|(known, _)| known == name),
            _ => true,
        };
        self.namespaces.as_ref().is_none_or(here) && matches(&self.selector, &meta["labels"]) && has_port()
    }
}

/// Those that no Prometheus of an operator selects.
pub fn unread(seen: &Seen) -> Vec<Monitored> {
    let unread =
        seen.monitors.iter().filter(|monitor| !seen.readers.iter().any(|reader| reads(reader, monitor)));
    unread.flat_map(|monitor| means(monitor, &seen.services)).collect()
}

/// Does a Prometheus select a monitor? Where that depends on labels of namespaces, it may.
fn reads(reader: &Value, monitor: &Value) -> bool {
    let kind = if monitor["kind"] == "PodMonitor" { "podMonitor" } else { "serviceMonitor" };
    let selector = &reader["spec"][format!("{kind}Selector")];
    let namespaces = &reader["spec"][format!("{kind}NamespaceSelector")];
    let near = !namespaces.is_null() || reader["metadata"]["namespace"] == monitor["metadata"]["namespace"];
    !selector.is_null() && near && matches(selector, &monitor["metadata"]["labels"])
}

fn means(monitor: &Value, services: &[Value]) -> Vec<Monitored> {
    let meta = &monitor["metadata"];
    let (kind, name) =
        (monitor["kind"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default());
    let spec = &monitor["spec"];
    let namespaces = match &spec["namespaceSelector"] {
        any if any["any"] == true => None,
        named if named["matchNames"].is_array() => {
            let names = list(&named["matchNames"]).filter_map(Value::as_str);
            Some(names.map(str::to_owned).collect())
        }
        _ => Some(vec![meta["namespace"].as_str().unwrap_or_default().to_owned()]),
    };
    let endpoint = |entry: &Value, port: Value| Endpoint {
        port,
        path: entry["path"].as_str().map(str::to_owned),
        scheme: entry["scheme"].as_str().map(str::to_ascii_lowercase),
        sign: format!("{kind} {name}, which nobody reads"),
    };
    if kind == "PodMonitor" {
        let entries = list(&spec["podMetricsEndpoints"]).filter_map(|entry| {
            let port = [&entry["port"], &entry["portNumber"], &entry["targetPort"]];
            Some((entry, port.into_iter().find(|port| !port.is_null())?.clone()))
        });
        return entries
            .take(1)
            .map(|(entry, port)| Monitored {
                namespaces: namespaces.clone(),
                selector: spec["selector"].clone(),
                endpoint: endpoint(entry, port),
            })
            .collect();
    }
    let meant = services.iter().filter(|service| {
        let meta = &service["metadata"];
        let here = |names: &Vec<String>| names.iter().any(|name| meta["namespace"] == name.as_str());
        namespaces.as_ref().is_none_or(here) && matches(&spec["selector"], &meta["labels"])
    });
    meant
        .filter_map(|service| {
            let selector = service["spec"]["selector"].as_object().filter(|labels| !labels.is_empty())?;
            let entry = list(&spec["endpoints"]).next()?;
            let named = list(&service["spec"]["ports"]).find(|port| port["name"] == entry["port"]);
            let port = match (&entry["targetPort"], named) {
                (Value::Null, Some(port)) if port["targetPort"].is_null() => port["port"].clone(),
                (Value::Null, Some(port)) => port["targetPort"].clone(),
                (Value::Null, None) => return None,
                (port, _) => port.clone(),
            };
            Some(Monitored {
                namespaces: service["metadata"]["namespace"].as_str().map(|name| vec![name.to_owned()]),
                selector: serde_json::json!({"matchLabels": selector}),
                endpoint: endpoint(entry, port),
            })
        })
        .collect()
}

/// A label selector of the API: `matchLabels` and `matchExpressions`; an empty one takes all.
pub fn matches(selector: &Value, labels: &Value) -> bool {
    let plain = selector["matchLabels"].is_null() || is_part(&selector["matchLabels"], labels);
    plain
        && list(&selector["matchExpressions"]).all(|expression| {
            let value = &labels[expression["key"].as_str().unwrap_or_default()];
            let among = list(&expression["values"]).any(|wanted| wanted == value);
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => among,
                "NotIn" => !among,
                "Exists" => !value.is_null(),
                "DoesNotExist" => value.is_null(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn monitor(kind: &str, spec: &Value) -> Value {
        json!({"kind": kind, "metadata": {"namespace": "shop", "name": "m", "labels": {"release": "kps"}}, "spec": spec})
    }

    fn pod(labels: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "labels": labels},
            "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8000}]}]}})
    }

    #[test]
    fn the_port_of_a_service_is_followed_to_the_pod() {
        let service = json!({"metadata": {"namespace": "shop", "name": "s", "labels": {"a": "1"}},
            "spec": {"selector": {"app": "orders"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}});
        let spec =
            json!({"selector": {"matchLabels": {"a": "1"}}, "endpoints": [{"port": "http", "path": "/m"}]});
        let mut seen = Seen {
            monitors: vec![monitor("ServiceMonitor", &spec)],
            services: vec![service],
            ..Seen::default()
        };
        let found = unread(&seen);
        assert_eq!((&found[0].endpoint.port, found[0].endpoint.path.as_deref()), (&json!("web"), Some("/m")));
        assert_eq!(found[0].endpoint.sign, "ServiceMonitor m, which nobody reads");
        assert!(
            found[0].takes(&pod(&json!({"app": "orders"}))) && !found[0].takes(&pod(&json!({"app": "x"})))
        );
        // somebody else's Prometheus reads it
        let reader = |labels: Value| {
            json!({"metadata": {"namespace": "monitoring"}, "spec": {"serviceMonitorSelector": {"matchLabels": labels},
                "serviceMonitorNamespaceSelector": {}}})
        };
        seen.readers = vec![reader(json!({"release": "other"}))];
        assert_eq!(unread(&seen).len(), 1, "it wants another label");
        seen.readers.push(reader(json!({"release": "kps"})));
        assert_eq!(unread(&seen).len(), 0);
    }

    #[test]
    fn a_pod_monitor_names_the_port_of_the_container() {
        let spec = json!({"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["orders"]}]},
            "podMetricsEndpoints": [{"port": "web"}], "namespaceSelector": {"any": true}});
        let seen = Seen { monitors: vec![monitor("PodMonitor", &spec)], ..Seen::default() };
        let found = unread(&seen);
        assert!(found[0].takes(&pod(&json!({"app": "orders"}))) && !found[0].takes(&pod(&json!({}))));
    }
}
