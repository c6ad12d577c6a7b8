//! What can be forwarded to: the UI of a component is the container port named `http` or `web` in
//! the workload that the release recorded. Pure.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::labels;
use crate::ops::{components, login};
use crate::release::{DEFAULT_RELEASE, Record};

/// The names of ports that people look at with a browser.
const NAMES: [&str; 2] = ["http", "web"];

/// Local ports that people know by heart; other components have their container's.
const WELL_KNOWN: [(&str, u16); 4] =
    [("prometheus", 9090), ("alertmanager", 9093), ("grafana", 3000), ("loki", 3100)];

/// How many ports after the usual one are tried before any free one is taken.
pub const NEXT: u16 = 20;

/// What the person asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Components by name; all that have a UI when empty.
    pub components: Vec<String>,
    /// Local ports that were chosen on purpose, by component.
    pub ports: Vec<(String, u16)>,
    /// Where to listen.
    pub address: IpAddr,
}

/// A component with a UI.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name.
    pub component: String,
    /// Where its pods are.
    pub namespace: String,
    /// The port of the recorded workload.
    pub port: u16,
    /// The local port that was asked for on purpose.
    pub wanted: Option<u16>,
    /// How to get what its login wants; nothing secret is in it.
    pub credentials: Vec<String>,
    /// apiVersion, kind and name of the workload.
    pub workload: [String; 3],
}

impl Target {
    /// The local port unless another one is asked for. Below 1024 only root may listen.
    pub fn usual_port(&self) -> u16 {
        usual_port(&self.component, self.port)
    }
}

fn usual_port(component: &str, port: u16) -> u16 {
    let known = WELL_KNOWN.iter().find(|(name, _)| *name == component).map(|(_, port)| *port);
    known.unwrap_or(if port < 1024 { port + 8000 } else { port })
}

/// The components that are meant, in the order of the record.
pub fn choose(record: &Record, options: &Options) -> Result<Vec<Target>> {
    let ported = options.ports.iter().map(|(name, _)| name);
    components::check(record, &options.components.iter().chain(ported.clone()).cloned().collect::<Vec<_>>())?;
    let mut targets = Vec::new();
    for component in &record.components {
        let named = options.components.contains(&component.name);
        // what runs on every node has no one UI, unless somebody means it
        if !named && (!options.components.is_empty() || component.node_level) {
            continue;
        }
        let Some((port, workload)) = workload(record, &component.name) else {
            if named {
                return Err(without_ui(record, &component.name));
            }
            continue;
        };
        let namespace = if component.node_level { &record.node_namespace } else { &record.namespace };
        targets.push(Target {
            component: component.name.clone(),
            namespace: namespace.clone(),
            port,
            wanted: options.ports.iter().rev().find(|(n, _)| *n == component.name).map(|(_, p)| *p),
            credentials: credentials(record, &component.name, namespace),
            workload,
        });
    }
    if let Some(unused) = ported.into_iter().find(|name| !targets.iter().any(|t| t.component == **name)) {
        return Err(if workload(record, unused).is_none() {
            without_ui(record, unused)
        } else {
            Error::usage(format!("--port names {unused}, which is not forwarded to"))
                .hint("name the component as an argument, too")
        });
    }
    if targets.is_empty() {
        return Err(Error::failed(format!("no component of release {} has a UI", record.release))
            .hint("a UI is a container port with the name http or web"));
    }
    Ok(targets)
}

/// The components that can be forwarded to.
pub fn with_ui(record: &Record) -> Vec<String> {
    let names = record.components.iter().map(|component| &component.name);
    names.filter(|name| workload(record, name).is_some()).cloned().collect()
}

/// The port of a component's UI, as the release recorded it.
pub fn recorded_port(record: &Record, component: &str) -> Option<u16> {
    workload(record, component).map(|(port, _)| port)
}

/// The local ports at which a forward to a component's UI listens, unless another one was chosen.
pub fn local_ports(record: &Record, component: &str) -> Option<RangeInclusive<u16>> {
    let (port, _) = workload(record, component)?;
    let usual = usual_port(component, port);
    Some(usual..=usual.saturating_add(NEXT))
}

fn without_ui(record: &Record, name: &str) -> Error {
    let with = with_ui(record);
    let error =
        Error::usage(format!("component {name} has no UI: none of its ports has the name http or web"));
    if with.is_empty() { error } else { error.hint(format!("these have one: {}", with.join(", "))) }
}

fn of_component<'r>(record: &'r Record, name: &'r str) -> impl Iterator<Item = &'r Value> {
    record.objects.iter().filter(move |object| object["metadata"]["labels"][labels::OBS_COMPONENT] == name)
}

/// The component's workload with a UI, and the UI's port.
fn workload(record: &Record, component: &str) -> Option<(u16, [String; 3])> {
    of_component(record, component).find_map(|object| {
        let port = ui_port(&object["spec"]["template"]["spec"])?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some((port, [text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"])]))
    })
}

/// The port of the UI in the `spec` of a pod.
pub fn ui_port(spec: &Value) -> Option<u16> {
    let containers = spec["containers"].as_array()?;
    let ports = || containers.iter().filter_map(|container| container["ports"].as_array()).flatten();
    let found = NAMES.iter().find_map(|name| ports().find(|port| port["name"] == *name))?;
    u16::try_from(found["containerPort"].as_u64()?).ok()
}

/// How to get what the login of a component's UI wants: what the bundle says of it, else the generated
/// values of its Secrets, as commands that print them.
fn credentials(record: &Record, component: &str, namespace: &str) -> Vec<String> {
    if let Some(login) = login::of(record, component) {
        let release =
            if record.release == DEFAULT_RELEASE { "" } else { &*format!(" --release {}", record.release) };
        return vec![
            format!("user: {}", login.user),
            format!("password: kubectl obs password get {component} -n {namespace}{release}"),
        ];
    }
    let mut commands = Vec::new();
    for secret in of_component(record, component).filter(|object| object["kind"] == "Secret") {
        let Some(generated) = secret["metadata"]["annotations"][labels::GENERATED].as_str() else { continue };
        let Ok(keys) = serde_json::from_str::<Vec<Value>>(generated) else { continue };
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        for key in keys.iter().filter_map(|entry| entry["key"].as_str()) {
            let path = key.replace('.', "\\.");
            commands.push(format!(
                "{key}: kubectl get secret {name} -n {namespace} -o jsonpath='{{.data.{path}}}' | base64 -d"
            ));
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Record {
        let workload = |component: &str, ports: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": format!("obs-{component}"), "labels": {labels::OBS_COMPONENT: component}},
                "spec": {"template": {"spec": {"containers": [{"name": "proxy"}, {"ports": ports}]}}}})
        };
        let component = |name: &str, node: bool| json!({"name": name, "version": "1.0.0", "nodeLevel": node});
        serde_json::from_value(json!({
            "format": 1, "release": "obs", "namespace": "o", "nodeNamespace": "o-node", "revision": 1,
            "bundle": {"name": "stack", "version": "1.0.0", "digest": "", "source": ""}, "values": {},
            "components": [component("prometheus", false), component("grafana", false),
                component("metrics", false), component("agent", true)],
            "objects": [
                workload("prometheus", json!([{"name": "http", "containerPort": 9090}])),
                workload("grafana", json!([{"name": "grpc", "containerPort": 1}, {"name": "web", "containerPort": 80}])),
                workload("metrics", json!([{"name": "metrics", "containerPort": 8080}])),
                workload("agent", json!([{"name": "http", "containerPort": 80}])),
                {"kind": "Secret", "metadata": {"name": "obs-grafana",
                    "labels": {labels::OBS_COMPONENT: "grafana"},
                    "annotations": {labels::GENERATED: "[{\"key\": \"admin-password\", \"length\": 24}]"}}},
            ],
            "inventory": [],
        }))
        .unwrap()
    }

    fn chosen(components: &[&str], ports: &[(&str, u16)]) -> Result<Vec<Target>> {
        let options = Options {
            components: components.iter().map(|&name| name.to_owned()).collect(),
            ports: ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect(),
            address: IpAddr::from([127, 0, 0, 1]),
        };
        choose(&record(), &options)
    }

    #[test]
    fn all_is_what_has_a_ui_and_is_not_on_every_node() {
        let targets = chosen(&[], &[("grafana", 4000)]).unwrap();
        let seen: Vec<_> = targets.iter().map(|t| (t.component.as_str(), t.port, t.usual_port())).collect();
        assert_eq!(seen, [("prometheus", 9090, 9090), ("grafana", 80, 3000)]);
        assert_eq!(targets[1].wanted, Some(4000));
        let agent = chosen(&["agent"], &[]).unwrap();
        assert_eq!((agent[0].namespace.as_str(), agent[0].usual_port()), ("o-node", 8080));
    }

    #[test]
    fn credentials_are_told_as_commands() {
        let targets = chosen(&["grafana"], &[]).unwrap();
        assert_eq!(
            targets[0].credentials,
            [
                "admin-password: kubectl get secret obs-grafana -n o -o jsonpath='{.data.admin-password}' | base64 -d"
            ]
        );
    }

    #[test]
    fn a_login_that_the_bundle_tells_goes_first() {
        let mut record = record();
        record.objects[1]["metadata"]["annotations"] =
            json!({labels::LOGIN: r#"{"user": "admin", "secret": "s", "key": "k"}"#});
        let told = ["user: admin", "password: kubectl obs password get grafana -n o"];
        assert_eq!(credentials(&record, "grafana", "o"), told);
        record.release = "second".to_owned();
        assert!(credentials(&record, "grafana", "o")[1].ends_with(" -n o --release second"));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        for (components, ports, expected) in [
            (
                &["promtheus"][..],
                &[][..],
                "release obs has no component promtheus\n  hint: did you mean prometheus?\n  hint: there are: prometheus, grafana, metrics, agent",
            ),
            (
                &["x"],
                &[],
                "release obs has no component x\n  hint: there are: prometheus, grafana, metrics, agent",
            ),
            (
                &["metrics"],
                &[],
                "component metrics has no UI: none of its ports has the name http or web\n  hint: these have one: prometheus, grafana, agent",
            ),
            (
                &["grafana"],
                &[("prometheus", 1)],
                "--port names prometheus, which is not forwarded to\n  hint: name the component as an argument, too",
            ),
        ] {
            let error = chosen(components, ports).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.exit(), crate::Exit::Usage);
        }
    }
}
