//! Rows of broken components: how each is made, and what is expected to be told of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::env::{Env, eventually};

/// A component and what is told of it. The specs are YAML, merged into those of a container that
/// sleeps and its pod (a null takes a field away).
pub(super) struct Row {
    pub name: &'static str,
    kind: &'static str,
    main: String,
    pod: String,
    spec: &'static str,
    beside: String,
    cause: &'static str,
    headline: String,
    evidence: &'static str,
    hint: &'static str,
    hopeless: bool,
}

/// A component whose container has `main` in its spec.
pub(super) fn row(name: &'static str, main: impl Into<String>) -> Row {
    Row {
        name,
        kind: "Deployment",
        main: main.into(),
        pod: String::new(),
        spec: "",
        beside: String::new(),
        cause: "",
        headline: String::new(),
        evidence: "",
        hint: "",
        hopeless: false,
    }
}

impl Row {
    /// Its workload's kind, and what else its spec has.
    pub fn of(self, kind: &'static str, spec: &'static str) -> Self {
        Self { kind, spec, ..self }
    }

    /// What else the pod's spec has; `containers` come after `main`.
    pub fn pod(self, pod: impl Into<String>) -> Self {
        Self { pod: pod.into(), ..self }
    }

    /// Other objects of the component, as YAML documents.
    pub fn beside(self, objects: impl Into<String>) -> Self {
        Self { beside: objects.into(), ..self }
    }

    /// The class of its cause, and part of the headline.
    pub fn is(self, cause: &'static str, headline: impl Into<String>) -> Self {
        Self { cause, headline: headline.into(), ..self }
    }

    /// Part of the evidence, and of the fix.
    pub fn says(self, evidence: &'static str, hint: &'static str) -> Self {
        Self { evidence, hint, ..self }
    }

    /// Waiting cannot help.
    pub fn hopeless(self) -> Self {
        Self { hopeless: true, ..self }
    }

    /// Its objects, as a template.
    pub fn template(&self) -> String {
        let mut main = json!({
            "name": "main", "image": "docker.io/library/busybox:1.36", "command": ["sleep", "3600"],
            "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
        });
        merge(&mut main, yaml(&self.main));
        let mut pod = json!({"automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1});
        let mut extra = yaml(&self.pod);
        let mut containers = vec![main];
        if let Some(Value::Array(others)) = extra.as_object_mut().and_then(|extra| extra.remove("containers"))
        {
            containers.extend(others);
        }
        merge(&mut pod, extra);
        pod["containers"] = json!(containers);
        let mut metadata = json!({"labels": "${{ selector }}"});
        if let Some(Value::Array(finalizers)) = pod.as_object_mut().and_then(|pod| pod.remove("finalizers")) {
            metadata["finalizers"] = json!(finalizers);
        }
        let mut spec = json!({"template": {"metadata": metadata, "spec": pod}});
        if self.kind != "Job" {
            spec["selector"] = json!({"matchLabels": "${{ selector }}"});
        }
        if self.kind == "StatefulSet" {
            spec["serviceName"] = json!("none");
        }
        merge(&mut spec, yaml(self.spec));
        let group = if self.kind == "Job" { "batch/v1" } else { "apps/v1" };
        let workload = json!({"apiVersion": group, "kind": self.kind, "metadata": {"name": "${{ name }}"}, "spec": spec});
        let mut text = serde_json::to_string_pretty(&workload).expect("JSON");
        for expression in ["${{ selector }}", "${{ name }}"] {
            text = text.replace(&format!("\"{expression}\""), expression);
        }
        format!("{text}\n---\n{}\n", self.beside)
    }
}

fn yaml(text: &str) -> Value {
    if text.is_empty() {
        return json!({});
    }
    serde_yaml::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// RFC 7386: what is null goes.
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

/// Writes a bundle with a component for each row.
pub(super) fn bundle(env: &Env, rows: &[Row]) -> String {
    let mut components = "components:\n".to_owned();
    for row in rows {
        env.bundle_in(row.name, row.name, "1.0.0", "", &[("templates/all.yaml", &row.template())]);
        let _ = writeln!(components, "  - {{name: {}, version: ^1.0}}", row.name);
    }
    env.bundle_in("table", "table", "1.0.0", &components, &[])
}

/// Looks until every row has been told as expected, once.
pub(super) fn told(env: &Env, rows: &[Row], deadline: Duration) {
    let mut open: Vec<&Row> = rows.iter().collect();
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    eventually(deadline, || {
        // each look asks for all logs
        thread::sleep(Duration::from_millis(if env.cluster().has_node { 1500 } else { 0 }));
        let status = env.obs(["status", "-o", "json"]).run().ok().json();
        for component in status["components"].as_array().expect("components") {
            let name = component["name"].as_str().unwrap_or_default().to_owned();
            // while it runs in between, what was last told of it stays
            if component["state"] != "ready" || !last.contains_key(&name) {
                last.insert(name, component.clone());
            }
        }
        open.retain(|row| last.get(row.name).is_none_or(|component| !row.wrong(component).is_empty()));
        if open.is_empty() {
            return Ok(());
        }
        let mut story = format!("{} of {} components are not told as expected", open.len(), rows.len());
        for row in &open {
            let _ = write!(story, "\n\n{}", row.story(last.get(row.name)));
        }
        Err(story)
    });
}

impl Row {
    /// What is not as expected.
    fn wrong(&self, component: &Value) -> Vec<String> {
        let found = &component["explanation"];
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let evidence: Vec<&str> =
            found["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut wrong = Vec::new();
        let mut expect = |what: &str, text: &str, part: &str| {
            if !text.contains(part) {
                wrong.push(format!("the {what} lacks {part:?}"));
            }
        };
        expect("headline", &text("headline"), &self.headline);
        expect("evidence", &evidence.join("\n"), self.evidence);
        expect("hint", &text("hint"), self.hint);
        if text("cause") != self.cause {
            wrong.push(format!("the cause is not {}", self.cause));
        }
        // what crashes or is restarted often enough becomes hopeless, however soon one looks
        let often =
            ["(4 restarts", "(5 restarts", "(6 restarts"].iter().any(|n| text("headline").contains(n));
        if found["hopeless"] != self.hopeless && (self.hopeless || !often) {
            wrong.push(format!("hopeless is not {}", self.hopeless));
        }
        wrong
    }

    fn story(&self, component: Option<&Value>) -> String {
        let Some(component) = component else { return format!("{}: there is no such component", self.name) };
        let shown = serde_json::to_string_pretty(&component["explanation"]).expect("JSON");
        let state = format!("{}, {}: {}", component["state"], component["ready"], component["why"]);
        format!("{}: {} ({state})\n{shown}", self.name, self.wrong(component).join(", "))
    }
}

/// Cluster-scoped objects that are not a release's: they go when the test ends, however it ends.
pub(super) struct Leftover<'a> {
    env: &'a Env,
    kinds: String,
    names: Vec<String>,
}

impl<'a> Leftover<'a> {
    /// All objects of these kinds that have one of these names.
    pub fn of(env: &'a Env, kinds: &[&str], names: &[&str]) -> Self {
        Self { env, kinds: kinds.join(","), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }
}

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        self.env
            .kubectl(["delete", "--ignore-not-found", "--wait=false", &self.kinds])
            .args(self.names.clone())
            .run();
    }
}
