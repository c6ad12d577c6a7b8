//! What `template` prints is what kubectl reads, and what the API server accepts.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::env::Env;
use crate::support::process::Command;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("template::the_api_server_accepts_every_object_of_the_stack", accepted),
        trial::api("template::kubectl_reads_back_the_identical_objects", identical),
    ]
}

/// kubectl without a namespace: it refuses objects of another one than it is given.
fn anywhere(env: &Env) -> Command {
    env.cluster().kubectl(env.home())
}

fn accepted(env: &Env) {
    env.kubectl(["create", "namespace", env.namespace()]).run().ok();
    env.kubectl(["create", "namespace", &env.node_namespace()]).run().ok();
    // all of it; what looks at apps stands in their namespaces, which are others here
    let all = include_str!("../charts/everything.yaml");
    let all = all.replace("namespaces: [shop, billing]", &format!("namespaces: [{}]", env.namespace()));
    let all = env.write("everything.yaml", &all).display().to_string();
    for more in [vec![], vec!["-f", &all]] {
        let yaml = env.obs(["template", "stack"].iter().chain(&more)).run().ok().stdout;
        // kubectl create namespace left a manager of its own: --server-side would take its labels over
        let apply = ["apply", "--dry-run=server", "--validate=strict", "--filename=-", "--output=name"];
        let output = anywhere(env).args(apply).stdin(yaml.clone()).run().ok();
        let documents = yaml.matches("\n---\n").count() + 1;
        assert_eq!(output.stdout.lines().count(), documents, "{output}");
        assert!(more.is_empty() || yaml.contains("kind: Ingress"), "not everything is there");
        assert!(!output.stderr.contains("PodSecurity"), "{output}");
    }
}

fn identical(env: &Env) {
    let ours = env.obs(["template", "stack", "-o", "json"]).run().ok().stdout;
    let ours: Vec<Value> =
        ours.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let yaml = env.obs(["template", "stack"]).run().ok().stdout;
    let read = ["create", "--dry-run=client", "--validate=false", "--filename=-", "--output=json"];
    let read = anywhere(env).args(read).stdin(yaml).run().ok().stdout;
    let theirs: Vec<Value> =
        serde_json::Deserializer::from_str(&read).into_iter::<Value>().map(|v| v.expect("JSON")).collect();
    let theirs: Vec<Value> = match theirs.as_slice() {
        [list] if list["kind"] == "List" => list["items"].as_array().expect("items").clone(),
        _ => theirs,
    };
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}
