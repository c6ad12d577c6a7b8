//! The ground that the other tests stand on: a node that runs pods, an API server, namespaces that
//! go away.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("harness::the_node_is_ready", the_node_is_ready),
        trial::api("harness::server_side_apply_works", server_side_apply_works),
    ]
}

fn the_node_is_ready(env: &Env) {
    let nodes = env.list("nodes");
    assert!(!nodes.is_empty(), "the cluster has no node");
    eventually(Duration::from_secs(60), || {
        let output = env.kubectl(["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=5s"]).run();
        if output.code == 0 { Ok(()) } else { Err(output.to_string()) }
    });
}

fn server_side_apply_works(env: &Env) {
    env.make_namespace();
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {key: value}}");
    let object = env.get("configmap a").expect("the ConfigMap is there");
    assert_eq!(object["data"]["key"], "value");
    assert!(env.get("configmap b").is_none());
}
