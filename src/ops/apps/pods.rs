//! What a pod says of itself: its ports, its annotations and what is wrong with them, who runs it. Pure.

use serde_json::Value;

use super::unwatched::Endpoint;

/// Parts of the names of ports that serve metrics.
const PORT_WORDS: [&str; 5] = ["metrics", "prometheus", "prom", "exporter", "monitoring"];

/// What is wrong with annotations that ask for scraping (the rules are those of the job kubernetes-pods).
pub fn annotation_faults(pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    for (key, _) in all {
        let lower = key.to_ascii_lowercase();
        if lower.contains("prom") && lower.ends_with("scrape") && lower != "prometheus.io/scrape" {
            faults.push(format!("annotation {key} is not read; prometheus.io/scrape is"));
        }
    }
    let Some(scrape) = annotation(pod, "scrape") else { return faults };
    if scrape != "true" {
        faults.push(format!("annotation prometheus.io/scrape is \"{scrape}\"; only \"true\" counts"));
        return faults;
    }
    let is_port = |text: &str| text.trim().parse::<u16>().is_ok_and(|port| port > 0);
    match annotation(pod, "port") {
        Some(ports) if !ports.split(',').all(is_port) => {
            faults.push(format!("annotation prometheus.io/port is \"{ports}\"; it takes numbers"));
        }
        Some(_) => faults.push("it is annotated, and prometheus has no target of it".to_owned()),
        None if read_port(pod) => {
            faults.push("it is annotated, and prometheus has no target of it".to_owned());
        }
        None => faults
            .push("annotation prometheus.io/port is missing, and no port of it is named metrics".to_owned()),
    }
    faults
}

/// Has it a port that the job of annotated pods takes without being told?
fn read_port(pod: &Value) -> bool {
    ports(pod).any(|(name, _)| name.split('-').any(|word| word == "metrics"))
}

/// The first port that is named like one of metrics.
pub fn named_port(pod: &Value) -> Option<Endpoint> {
    let named = |name: &str| name.split('-').any(|word| PORT_WORDS.contains(&word));
    let (name, _) = ports(pod).find(|(name, _)| named(name))?;
    Some(Endpoint { port: name.into(), sign: format!("port \"{name}\""), ..Endpoint::default() })
}

/// The names and numbers of a pod's ports.
pub fn ports(pod: &Value) -> impl Iterator<Item = (&str, u16)> {
    let all = containers(pod).flat_map(|container| list(&container["ports"]));
    all.filter_map(|port| {
        let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
        Some((port["name"].as_str().unwrap_or_default(), number))
    })
}

/// Its containers, without those that only prepare.
pub fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"]["containers"])
}

/// One of the annotations `prometheus.io/…`.
pub fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object["metadata"]["annotations"][format!("prometheus.io/{name}")].as_str()
}

/// The name of what runs a pod; None for a Job's, which is over soon.
pub fn workload(pod: &Value) -> Option<String> {
    let meta = &pod["metadata"];
    let owner = list(&meta["ownerReferences"]).find(|owner| owner["controller"] == true);
    let Some(owner) = owner else { return meta["name"].as_str().map(str::to_owned) };
    let name = text(&owner["name"]);
    match owner["kind"].as_str()? {
        "Job" => None,
        "ReplicaSet" => {
            let hash = meta["labels"]["pod-template-hash"].as_str().unwrap_or_default();
            Some(name.strip_suffix(hash).and_then(|name| name.strip_suffix('-')).unwrap_or(&name).to_owned())
        }
        _ => Some(name),
    }
}

/// Are all labels of a selector among these?
pub fn is_part(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|wanted| wanted.iter().all(|(name, value)| labels[name] == *value))
}

/// The items of a list; none where there is no list.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; an empty one where there is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
