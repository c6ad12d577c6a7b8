//! What Prometheus' Kubernetes discovery makes of a pod (discovery/kubernetes/pod.go, endpointslice.go), and
//! what the jobs of its configuration make of that. So a pod that no job takes is followed through the very
//! rules, though Prometheus itself keeps only a few of the targets that it dropped. Pure.

use serde_json::Value;

use super::relabel::{self, Course, Labels};
use crate::ops::apps::pods::{containers, is_part, list, text};

/// What became of one pod in one job: of all that was found of it, the course that went furthest.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The job.
    pub job: String,
    /// How the job finds pods: `pod` or `endpointslice`.
    pub role: String,
    /// What was discovered.
    pub found: Labels,
    /// What the rules made of it.
    pub course: Course,
}

/// The passages of a pod through each job whose discovery sees it.
pub fn passages(config: &Value, pod: &Value, services: &[&Value]) -> Vec<Passage> {
    let jobs = list(&config["scrape_configs"]);
    jobs.filter_map(|job| {
        let discovery = list(&job["kubernetes_sd_configs"]).find(|discovery| sees(discovery, pod))?;
        let role = text(&discovery["role"]);
        let mut found: Vec<Labels> = match role.as_str() {
            "pod" => of_pod(pod),
            "endpointslice" | "endpoints" => {
                services.iter().flat_map(|service| of_service(service, pod)).collect()
            }
            _ => return None,
        };
        let name = text(&job["job_name"]);
        for labels in &mut found {
            let own = [
                ("job", name.as_str()),
                ("__scheme__", job["scheme"].as_str().unwrap_or("http")),
                ("__metrics_path__", job["metrics_path"].as_str().unwrap_or("/metrics")),
            ];
            labels.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        // a rule that is none is for Prometheus to refuse; it has not
        let rules = relabel::rules(&job["relabel_configs"]).ok()?;
        let courses = found.into_iter().map(|found| (relabel::follow(&rules, &found), found));
        let (course, found) =
            courses.max_by_key(|(course, _)| (course.labels.is_some(), course.steps.len()))?;
        Some(Passage { job: name, role, found, course })
    })
    .collect()
}

/// Does a discovery look at this pod: in its namespace, with its labels?
fn sees(discovery: &Value, pod: &Value) -> bool {
    let namespace = &pod["metadata"]["namespace"];
    let names = &discovery["namespaces"]["names"];
    let here = list(names).next().is_none() || list(names).any(|name| name == namespace);
    let selectors = list(&discovery["selectors"]).filter(|selector| selector["role"] == "pod");
    let mut wanted = selectors.filter_map(|selector| selector["label"].as_str());
    here && wanted.all(|selector| selects(selector, &pod["metadata"]["labels"]))
}

/// `a=b,c!=d,e,!f`; what is written otherwise selects nothing.
fn selects(selector: &str, labels: &Value) -> bool {
    selector.split(',').map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        if let Some((name, value)) = part.split_once("!=") {
            return labels[name.trim()] != value.trim();
        }
        match part.split_once('=') {
            Some((name, value)) => labels[name.trim()] == value.trim_start_matches('=').trim(),
            None => match part.strip_prefix('!') {
                Some(name) => labels[name.trim()].is_null(),
                None => !labels[part].is_null(),
            },
        }
    })
}

/// One set of labels for each port of each container, or for a container without any.
fn of_pod(pod: &Value) -> Vec<Labels> {
    let Some(ip) = pod["status"]["podIP"].as_str().filter(|ip| !ip.is_empty()) else { return Vec::new() };
    let init = list(&pod["spec"]["initContainers"]).map(|container| (container, true));
    let all = containers(pod).map(|container| (container, false)).chain(init);
    let mut found = Vec::new();
    for (container, init) in all {
        let mut labels = about_pod(pod);
        put(&mut labels, "pod_container_name", &text(&container["name"]));
        put(&mut labels, "pod_container_image", &text(&container["image"]));
        put(&mut labels, "pod_container_init", if init { "true" } else { "false" });
        let mut ports = list(&container["ports"]).peekable();
        if ports.peek().is_none() {
            labels.insert("__address__".into(), ip.to_owned());
            found.push(labels);
            continue;
        }
        found.extend(ports.map(|port| {
            let mut labels = labels.clone();
            let number = port["containerPort"].to_string();
            labels.insert("__address__".into(), address(ip, &number));
            put(&mut labels, "pod_container_port_number", &number);
            put(&mut labels, "pod_container_port_name", &text(&port["name"]));
            put(&mut labels, "pod_container_port_protocol", port["protocol"].as_str().unwrap_or("TCP"));
            labels
        }));
    }
    found
}

/// One set of labels for each port of a Service that leads to the pod.
fn of_service(service: &Value, pod: &Value) -> Vec<Labels> {
    let selector = &service["spec"]["selector"];
    let leads = service["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selector.as_object().is_some_and(|labels| !labels.is_empty())
        && is_part(selector, &pod["metadata"]["labels"]);
    let Some(ip) = pod["status"]["podIP"].as_str().filter(|ip| leads && !ip.is_empty()) else {
        return Vec::new();
    };
    let ports = list(&service["spec"]["ports"]).filter_map(|port| Some((port, target_port(port, pod)?)));
    ports
        .map(|(port, (number, container))| {
            let mut labels = about_pod(pod);
            about(&mut labels, "service", service);
            put(&mut labels, "service_name", &text(&service["metadata"]["name"]));
            let number = number.to_string();
            labels.insert("__address__".into(), address(ip, &number));
            put(&mut labels, "endpointslice_port", &number);
            put(&mut labels, "endpointslice_port_name", &text(&port["name"]));
            put(&mut labels, "endpointslice_port_protocol", port["protocol"].as_str().unwrap_or("TCP"));
            let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
            put(&mut labels, "endpointslice_address_type", family);
            if let Some(container) = container {
                put(&mut labels, "pod_container_name", &text(&container["name"]));
                put(&mut labels, "pod_container_port_number", &number);
                put(&mut labels, "pod_container_init", "false");
            }
            labels
        })
        .collect()
}

/// The number that a port of a Service leads to, with the container that declares it; None where a name leads
/// nowhere.
pub fn target_port<'p>(port: &Value, pod: &'p Value) -> Option<(u64, Option<&'p Value>)> {
    let target = if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
    let declared = containers(pod)
        .flat_map(|container| list(&container["ports"]).map(move |declared| (container, declared)));
    match target {
        Value::String(name) => declared
            .into_iter()
            .find(|(_, declared)| declared["name"] == name.as_str())
            .and_then(|(container, declared)| Some((declared["containerPort"].as_u64()?, Some(container)))),
        number => {
            let number = number.as_u64()?;
            let container = declared.into_iter().find(|(_, declared)| declared["containerPort"] == number);
            Some((number, container.map(|(container, _)| container)))
        }
    }
}

fn about_pod(pod: &Value) -> Labels {
    let mut labels = Labels::new();
    let (meta, status) = (&pod["metadata"], &pod["status"]);
    about(&mut labels, "pod", pod);
    put(&mut labels, "namespace", &text(&meta["namespace"]));
    put(&mut labels, "pod_name", &text(&meta["name"]));
    put(&mut labels, "pod_uid", &text(&meta["uid"]));
    put(&mut labels, "pod_ip", &text(&status["podIP"]));
    put(&mut labels, "pod_host_ip", &text(&status["hostIP"]));
    put(&mut labels, "pod_phase", &text(&status["phase"]));
    put(&mut labels, "pod_node_name", &text(&pod["spec"]["nodeName"]));
    let ready = list(&status["conditions"]).find(|condition| condition["type"] == "Ready");
    put(&mut labels, "pod_ready", &text(ready.map_or(&Value::Null, |ready| &ready["status"])).to_lowercase());
    if let Some(owner) = list(&meta["ownerReferences"]).find(|owner| owner["controller"] == true) {
        put(&mut labels, "pod_controller_kind", &text(&owner["kind"]));
        put(&mut labels, "pod_controller_name", &text(&owner["name"]));
    }
    labels
}

/// Labels and annotations of an object, each also by its presence.
fn about(labels: &mut Labels, what: &str, object: &Value) {
    for (kind, all) in
        [("label", &object["metadata"]["labels"]), ("annotation", &object["metadata"]["annotations"])]
    {
        for (name, value) in all.as_object().into_iter().flatten() {
            let name = plain(name);
            put(labels, &format!("{what}_{kind}_{name}"), &text(value));
            put(labels, &format!("{what}_{kind}present_{name}"), "true");
        }
    }
}

fn put(labels: &mut Labels, name: &str, value: &str) {
    if !value.is_empty() {
        labels.insert(format!("__meta_kubernetes_{name}"), value.to_owned());
    }
}

/// As Prometheus writes the name of a label that is no name in its own.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn address(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"namespace": "shop", "name": "web-1", "labels": {"app.kubernetes.io/name": "web"},
                "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}},
            "spec": {"nodeName": "n", "containers": [
                {"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080}, {"name": "db", "containerPort": 5432}]},
                {"name": "quiet", "image": "q:1"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}})
    }

    #[test]
    fn a_pod_is_found_once_for_each_port() {
        let found = of_pod(&pod());
        let addresses: Vec<&str> = found.iter().map(|labels| labels["__address__"].as_str()).collect();
        assert_eq!(addresses, ["10.0.0.1:8080", "10.0.0.1:5432", "10.0.0.1"]);
        let label = |name: &str| found[0][&format!("__meta_kubernetes_{name}")].as_str();
        assert_eq!(label("pod_label_app_kubernetes_io_name"), "web");
        assert_eq!(label("pod_annotation_prometheus_io_port"), "9102");
        assert_eq!(label("pod_annotationpresent_prometheus_io_port"), "true");
        assert_eq!((label("pod_ready"), label("pod_container_port_name")), ("true", "http"));
    }

    #[test]
    fn a_service_leads_to_the_port_that_it_names() {
        let service = json!({"metadata": {"namespace": "shop", "name": "web", "annotations": {"prometheus.io/scrape": "true"}},
            "spec": {"selector": {"app.kubernetes.io/name": "web"}, "ports": [
                {"name": "web", "port": 80, "targetPort": "http"}, {"name": "lost", "port": 81, "targetPort": "none"},
                {"name": "plain", "port": 9102}]}});
        let found = of_service(&service, &pod());
        let addresses: Vec<&str> = found.iter().map(|labels| labels["__address__"].as_str()).collect();
        assert_eq!(addresses, ["10.0.0.1:8080", "10.0.0.1:9102"]);
        assert_eq!(found[0]["__meta_kubernetes_service_annotation_prometheus_io_scrape"], "true");
    }

    #[test]
    fn the_course_that_goes_furthest_is_told() {
        let keep =
            |label: &str, regex: &str| json!({"source_labels": [label], "action": "keep", "regex": regex});
        let config = json!({"scrape_configs": [
            {"job_name": "all", "kubernetes_sd_configs": [{"role": "pod"}],
             "relabel_configs": [keep("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"), keep("__meta_kubernetes_pod_container_port_name", "metrics")]},
            {"job_name": "elsewhere", "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["other"]}}]},
            {"job_name": "app-web", "kubernetes_sd_configs": [{"role": "pod", "selectors": [{"role": "pod", "label": "app.kubernetes.io/name=web"}]}]},
            {"job_name": "app-db", "kubernetes_sd_configs": [{"role": "pod", "selectors": [{"role": "pod", "label": "app.kubernetes.io/name=db"}]}]},
            {"job_name": "nodes", "kubernetes_sd_configs": [{"role": "node"}]},
        ]});
        let passages = passages(&config, &pod(), &[]);
        let told: Vec<(&str, Option<usize>)> = passages
            .iter()
            .map(|passage| (passage.job.as_str(), passage.course.dropped().map(|step| step.number)))
            .collect();
        assert_eq!(told, [("all", Some(2)), ("app-web", None)]);
        assert_eq!(passages[1].course.labels.as_ref().unwrap()["job"], "app-web");
    }

    #[test]
    fn label_selectors_are_read() {
        let labels = json!({"a": "b", "c": "d"});
        for (selector, expected) in [
            ("a=b", true),
            ("a=b,c=d", true),
            ("a==b", true),
            ("a=x", false),
            ("a!=x", true),
            ("e", false),
            ("!e", true),
            ("", true),
        ] {
            assert_eq!(selects(selector, &labels), expected, "{selector}");
        }
    }
}
