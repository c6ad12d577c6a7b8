//! Services and Roles in the form in which nearly all are written. Their kinds have rules that do not
//! fit here, but those concern fields that a plain one does not have. Whatever is not recognised as
//! plain is for the server to judge, so nothing is ever refused here.

use serde_json::{Map, Value};

use super::{is_label, is_label_key, is_name, plain_metadata, strings};
use crate::object::Object;

/// Does the server accept this as a new object, as far as validation goes?
pub fn is_plain(object: &Object) -> bool {
    let value = object.value();
    let own = match (object.api_version(), object.kind()) {
        ("v1", "Service") => "spec",
        ("rbac.authorization.k8s.io/v1", "Role") => "rules",
        _ => return false,
    };
    let known = ["apiVersion", "kind", "metadata", own];
    value.as_object().is_some_and(|map| only(map, &known))
        && plain_metadata(&value["metadata"])
        && match own {
            "spec" => is_service_name(object.name()) && is_service(&value["spec"]),
            _ => value["rules"].as_array().is_some_and(|rules| rules.iter().all(is_rule)),
        }
}

/// core/validation: ValidateService, of a Service inside the cluster.
fn is_service(spec: &Value) -> bool {
    let Some(fields) = spec.as_object() else { return false };
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let alone = ports.len() == 1;
    let distinct = |one: fn(&Value) -> (&Value, &Value)| {
        (1..ports.len()).all(|i| ports[..i].iter().all(|port| one(port) != one(&ports[i])))
    };
    only(fields, &["type", "clusterIP", "selector", "ports"])
        && (spec["type"].is_null() || spec["type"] == "ClusterIP")
        && (spec["clusterIP"].is_null() || spec["clusterIP"] == "None")
        && strings(&spec["selector"])
            .is_some_and(|mut all| all.all(|(key, value)| is_label_key(key) && is_label(value)))
        && !ports.is_empty()
        && ports.iter().all(|port| is_port(port, alone))
        && distinct(|port| (&port["name"], &Value::Null))
        && distinct(|port| (&port["port"], &port["protocol"]))
}

fn is_port(port: &Value, alone: bool) -> bool {
    let Some(fields) = port.as_object() else { return false };
    let number = |value: &Value| value.as_u64().is_some_and(|number| (1..=65_535).contains(&number));
    only(fields, &["name", "port", "targetPort", "protocol"])
        && match &port["name"] {
            Value::Null => alone,
            name => name.as_str().is_some_and(is_label_name),
        }
        && number(&port["port"])
        && match &port["targetPort"] {
            Value::Null => true,
            Value::String(name) => is_port_name(name),
            other => number(other),
        }
        // written out always or never: `TCP` and its absence are the same port
        && (port["protocol"] == "TCP" || (alone && port["protocol"].is_null()))
}

/// rbac/validation: ValidatePolicyRule, in a namespace.
fn is_rule(rule: &Value) -> bool {
    let Some(fields) = rule.as_object() else { return false };
    let texts = |field: &str| rule[field].as_array().is_some_and(|all| all.iter().all(Value::is_string));
    let some = |field: &str| texts(field) && rule[field].as_array().is_some_and(|all| !all.is_empty());
    only(fields, &["apiGroups", "resources", "verbs", "resourceNames"])
        && ["apiGroups", "resources", "verbs"].into_iter().all(some)
        && (rule["resourceNames"].is_null() || texts("resourceNames"))
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> bool {
    fields.keys().all(|field| known.contains(&field.as_str()))
}

/// RFC 1123 label.
fn is_label_name(name: &str) -> bool {
    name.len() <= 63 && is_name(name) && !name.contains('.')
}

/// RFC 1035 label.
fn is_service_name(name: &str) -> bool {
    is_label_name(name) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// RFC 6335 service name.
fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && is_label_name(name)
        && !name.contains("--")
        && name.contains(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(change: impl Fn(&mut Value)) -> bool {
        let mut value = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "y"}, "spec": {
            "selector": {"app.kubernetes.io/name": "x"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        }});
        change(&mut value);
        is_plain(&Object::new(value).unwrap())
    }

    fn role(rule: Value) -> bool {
        let value = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x", "namespace": "y"}, "rules": [rule]});
        is_plain(&Object::new(value).unwrap())
    }

    #[test]
    fn plain_ones_are_recognised() {
        assert!(service(|_| {}));
        assert!(service(|it| it["spec"]["clusterIP"] = json!("None")));
        assert!(service(|it| it["spec"]["ports"] = json!([{"port": 80}])));
        assert!(role(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})));
    }

    #[test]
    fn everything_else_is_left_to_the_server() {
        let port =
            |field: &'static str, to: Value| service(move |it| it["spec"]["ports"][0][field] = to.clone());
        assert!(!port("port", json!(0)) && !port("port", json!("80")) && !port("port", json!(65_536)));
        assert!(!port("name", json!("Http")) && !port("targetPort", json!("a-very-long-port-name")));
        assert!(!port("nodePort", json!(30_000)) && !port("protocol", json!("tcp")));
        let spec = |field: &'static str, to: Value| service(move |it| it["spec"][field] = to.clone());
        assert!(!spec("type", json!("LoadBalancer")) && !spec("clusterIP", json!("10.0.0.1")));
        assert!(!spec("ports", json!([])) && !spec("selector", json!({"a": 1})));
        assert!(!spec("ports", json!([{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}])));
        let two =
            |second: Value| spec("ports", json!([{"name": "a", "port": 80, "protocol": "TCP"}, second]));
        assert!(two(json!({"name": "b", "port": 81, "protocol": "TCP"})));
        assert!(!two(json!({"name": "a", "port": 81, "protocol": "TCP"})), "one name twice");
        assert!(!two(json!({"name": "b", "port": 80, "protocol": "TCP"})), "one port twice");
        assert!(!service(|it| it["metadata"]["name"] = json!("1x")));
        assert!(!service(|it| it["status"] = json!({})));
        assert!(!role(json!({"apiGroups": [""], "resources": ["pods"], "verbs": []})));
        assert!(!role(json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})));
    }
}
