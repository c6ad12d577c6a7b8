//! Pods that find no node, and claims that find no volume. The nodes are made up: objects that
//! nobody runs, with a taint that keeps the pods of other tests away.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::table::{Leftover, Row, bundle, row, told};
use crate::cluster::components::set;
use crate::support::env::{Env, eventually};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("causes::of_places_are_told", places),
        trial::api("causes::a_dead_node_is_told", dead_node),
        trial::own("causes::no_default_storage_class", "classless", no_default_class),
    ]
}

/// A node of which nothing is heard: the node controller notices after most of a minute.
fn dead_node(env: &Env) {
    env.make_namespace();
    let node = format!("{}-dead", env.namespace());
    let _node = Leftover::of(env, &["node"], &[&node]);
    env.apply(&made_up(env, "dead", "", 50));
    let rows = [placed("lost", "{}", &format!("nodeSelector: {{place: {node}}}"))
        .is("node", format!("its node {node} does not answer"))
        .says("/obs-lost-", "kubectl describe node ")];
    env.obs(["install", &bundle(env, &rows), "--wait=none"]).run().ok();
    // it ran well
    let pod = eventually(Duration::from_secs(20), || match &env.list("pods")[..] {
        [pod] if pod["spec"]["nodeName"] == node.as_str() => Ok(pod["metadata"]["name"].clone()),
        pods => Err(format!("{pods:?}")),
    });
    let ready = r#"{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "main", "ready": true, "started": true, "restartCount": 0, "image": "x",
            "imageID": "", "state": {"running": {}}}]}}"#;
    let pod = pod.as_str().unwrap_or_default();
    env.kubectl(["patch", "pod", pod, "--subresource=status", "--patch", ready]).run().ok();
    told(env, &rows, Duration::from_secs(120));
}

/// The default class loses its mark while a claim is made anew.
fn no_default_class(env: &Env) {
    let bundle = env.bundle("db", "1.0.0", "", &[("templates/set.yaml", &set("32Mi"))]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let mark = "storageclass.kubernetes.io/is-default-class-";
    env.kubectl(["annotate", "storageclasses", "--all", mark]).run().ok();
    eventually(Duration::from_secs(20), || {
        env.kubectl(["delete", "persistentvolumeclaims,pods", "--all", "--wait=false"]).run().ok();
        match &env.list("persistentvolumeclaims")[..] {
            [claim] if claim["spec"]["storageClassName"].is_null() => Ok(()),
            claims => Err(format!("{claims:?}")),
        }
    });

    let says = [
        "db is not ready: its volume claim cannot be bound",
        "no StorageClass is marked as default, and the claim names none",
        "no persistent volumes available for this claim and no storage class is set",
        "hint: set global.storageClass to one of: ",
    ];
    let begun = Instant::now();
    let waited = env.obs(["rollout", "status", "--timeout=2m"]).run().ends(1);
    assert!(begun.elapsed() < Duration::from_secs(60), "waiting does not help\n{waited}");
    let status = eventually(Duration::from_secs(30), || {
        let status = env.obs(["status"]).run().ok();
        if status.stdout.contains(says[2]) { Ok(status) } else { Err(status.to_string()) }
    });
    for says in says {
        assert!(status.stdout.contains(says), "{says}\n{status}");
        assert!(waited.stderr.contains(says), "{says}\n{waited}");
    }

    // and an install says so before it begins
    env.obs(["install", &bundle, "--release=second"])
        .run()
        .ends(1)
        .says("names no storage class and no class is the default one")
        .says("hint: set global.storageClass to one of: ");
}

/// Name and what else the node's spec and status have.
const NODES: [(&str, &str, u32); 4] = [
    ("plain", "", 50),
    ("full", "", 0),
    ("tainted", ", {key: dedicated, value: gpu, effect: NoSchedule}", 50),
    ("cordoned", "", 50),
];

fn places(env: &Env) {
    env.make_namespace();
    let mine = |name: &str| format!("{}-{name}", env.namespace());
    let names: Vec<String> =
        ["plain", "full", "tainted", "cordoned", "elsewhere", "nobody", "byhand"].map(mine).into();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let _nodes = Leftover::of(env, &["node", "persistentvolume", "storageclass"], &names);
    env.apply(&nodes(env));
    env.kubectl(["cordon", &mine("cordoned")]).run().ok();
    env.apply(&claims(env));
    let rows = rows(env);
    let table = bundle(env, &rows);
    env.obs(["install", &table, "--wait=none", "--timeout=2m"]).run().ok();
    let held = "pod obs-held-0";
    eventually(Duration::from_secs(20), || env.get(held).ok_or_else(|| "no pod yet".to_owned()));
    env.kubectl(["delete", "pod", "obs-held-0", "--wait=false"]).run().ok();
    told(env, &rows, Duration::from_secs(60));
    let free = r#"{"metadata":{"finalizers":null}}"#;
    env.kubectl(["patch", "pod", "obs-held-0", "--type=merge", "--patch", free]).run().ok();
}

fn nodes(env: &Env) -> String {
    NODES.map(|(place, taint, pods)| made_up(env, place, taint, pods)).concat()
}

fn made_up(env: &Env, place: &str, taint: &str, pods: u32) -> String {
    format!(
        "---
apiVersion: v1
kind: Node
metadata: {{name: {ns}-{place}, labels: {{place: {ns}-{place}, kubernetes.io/hostname: {ns}-{place}}} }}
spec: {{taints: [{{key: obs-test, value: {ns}, effect: NoSchedule}}{taint}]}}
status:
  capacity: {{cpu: '4', memory: 8Gi, ephemeral-storage: 50Gi, pods: '{pods}'}}
  allocatable: {{cpu: '4', memory: 8Gi, ephemeral-storage: 50Gi, pods: '{pods}'}}
  conditions: [{{type: Ready, status: 'True', reason: Test}}]
",
        ns = env.namespace()
    )
}

/// Claims that nobody can fulfil. They are not the release's: the plan would refuse some of them.
fn claims(env: &Env) -> String {
    let claim = |name: &str, spec: &str, metadata: &str| {
        format!(
            "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}{metadata}}}\n\
             spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 32Mi}} }}{spec}}}\n"
        )
    };
    let class = |name: &str, provisioner: &str, mode: &str| {
        format!(
            "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: NAMESPACE-{name}}}\n\
             provisioner: {provisioner}\nvolumeBindingMode: {mode}\n"
        )
    };
    let text = [
        claim("no-default", "", ""),
        claim("no-class", ", storageClassName: nobody", ""),
        claim("classless", ", storageClassName: ''", ""),
        class("nobody", "nobody.example.com", "Immediate"),
        claim("provisioner", ", storageClassName: NAMESPACE-nobody", ""),
        class("byhand", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        claim("by-hand", ", storageClassName: NAMESPACE-byhand", ""),
        claim("lost", ", storageClassName: '', volumeName: NAMESPACE-lost", ", annotations: {pv.kubernetes.io/bind-completed: 'yes'}"),
        claim("elsewhere", ", storageClassName: '', volumeName: NAMESPACE-elsewhere", ""),
        "---
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE-elsewhere}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 32Mi}
  claimRef: {namespace: NAMESPACE, name: elsewhere}
  local: {path: /nowhere}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: place, operator: In, values: [nowhere]}]}]}}
"
        .to_owned(),
    ]
    .concat();
    text.replace("NAMESPACE", env.namespace())
}

/// May go to the made-up nodes.
const TOLERATIONS: &str = "tolerations: [{key: obs-test, operator: Exists}, {key: node.kubernetes.io/not-ready, operator: Exists}, \
                           {key: node.kubernetes.io/unreachable, operator: Exists}]";

fn placed(name: &'static str, main: &str, pod: &str) -> Row {
    row(name, main.to_owned())
        .pod(format!("{{{TOLERATIONS}{}{pod}}}", if pod.is_empty() { "" } else { ", " }))
}

/// A component whose pod uses the claim of its name.
fn claimed(name: &'static str) -> Row {
    placed(name, "{}", &format!("volumes: [{{name: data, persistentVolumeClaim: {{claimName: {name}}} }}]"))
}

fn rows(env: &Env) -> Vec<Row> {
    let at = |place: &str| format!("nodeSelector: {{place: {}-{place}}}", env.namespace());
    let wants =
        |resource: &str| format!("{{resources: {{requests: {{{resource}}}, limits: {{{resource}}} }} }}");
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    [nodes_rows(&at, &wants, required), claim_rows(&at)].into_iter().flatten().collect()
}

fn nodes_rows(at: &dyn Fn(&str) -> String, wants: &dyn Fn(&str) -> String, required: &str) -> Vec<Row> {
    vec![
        placed("cpu", &wants("cpu: 1000"), "")
            .is("scheduling", "too little cpu is free (the pod requests 1k)")
            .says("too little cpu is free", "add a node, or set cpu.resources.requests.cpu below 1k"),
        placed("ram", &wants("memory: 10Ti"), "")
            .is("scheduling", "too little memory is free (the pod requests 10Ti)")
            .says("too little memory is free", "ram.resources.requests.memory below 10Ti"),
        placed("disk", &wants("ephemeral-storage: 100Ti"), "")
            .is("scheduling", "too little ephemeral-storage is free")
            .says("too little ephemeral-storage", "disk.resources.requests.ephemeral-storage below 100Ti"),
        placed("device", &wants("example.com/gpu: 1"), "")
            .is("scheduling", "too little example.com/gpu is free")
            .says("too little example.com/gpu", "add a node"),
        placed("selector", "{}", "nodeSelector: {disk: nvme}")
            .is("scheduling", "its nodeSelector disk=nvme does not match")
            .says("nodes: its nodeSelector disk=nvme", "set selector.nodeSelector to labels that a node has"),
        placed(
            "affinity",
            "{}",
            &format!("affinity: {{nodeAffinity: {{{required}: {{nodeSelectorTerms: [{{matchExpressions: [{{key: disk, operator: Exists}}]}}]}} }} }}"),
        )
        .is("scheduling", "its node affinity does not match")
        .says("its node affinity does not match", "kubectl get nodes --show-labels"),
        placed("taint", "{}", &at("tainted"))
            .is("scheduling", "taint dedicated=gpu is not tolerated")
            .says("taint dedicated=gpu is not tolerated", "add a toleration to taint.tolerations"),
        placed("cordon", "{}", &at("cordoned"))
            .is("scheduling", "cordoned")
            .says("cordoned", "kubectl uncordon the node"),
        placed("full", "{}", &at("full"))
            .is("scheduling", "the node has as many pods as it may")
            .says("1 node: the node has as many pods", "add a node, or remove pods"),
        placed(
            "apart",
            "{}",
            &format!("{}, affinity: {{podAntiAffinity: {{{required}: [{{topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app.kubernetes.io/name: apart}} }} }}]}} }}", at("plain")),
        )
        .of("Deployment", "{replicas: 2}")
        .is("scheduling", "another pod there keeps it away (anti-affinity)")
        .says("1 node: another pod there", "add a node, or run fewer replicas"),
        placed(
            "together",
            "{}",
            &format!("affinity: {{podAffinity: {{{required}: [{{topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: nobody}} }} }}]}} }}"),
        )
        .is("scheduling", "no pod there that it wants to be near (affinity)")
        .says("no pod there", "run the pods that together.affinity names"),
        placed(
            "spread",
            "{}",
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: nobody, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: x}}}]",
        )
        .is("scheduling", "the node lacks the label over which its pods are spread")
        .says("the node lacks the label", "label the nodes with its topologyKey"),
        placed("host-port", "{ports: [{containerPort: 80, hostPort: 29999}]}", &at("plain"))
            .of("Deployment", "{replicas: 2}")
            .is("scheduling", "host port 29999 is in use")
            .says("1 node: host port 29999 is in use", "set another one for host-port"),
        placed("gate", "{}", "schedulingGates: [{name: example.com/wait}]")
            .is("scheduling", "is held back by the scheduling gate example.com/wait")
            .says("spec.schedulingGates is empty", "see why the controller that set it does not lift it"),
        placed("held", "{}", &format!("finalizers: [example.com/hold], {}", at("plain")))
            .of("StatefulSet", "")
            .is("rollout", "pod obs-held-0 is still being deleted: it waits for its finalizer example.com/hold")
            .says("its time to end was over", "repair the controller that must remove it"),
    ]
}

fn claim_rows(at: &dyn Fn(&str) -> String) -> Vec<Row> {
    let elsewhere = format!(
        "{}, volumes: [{{name: data, persistentVolumeClaim: {{claimName: elsewhere}} }}]",
        at("plain")
    );
    vec![
        claimed("no-claim")
            .is("claim", "/no-claim does not exist")
            .says("scheduler: 0/", "create it, or correct no-claim.persistence.existingClaim")
            .hopeless(),
        claimed("no-class")
            .is("claim", "its volume claim cannot be bound")
            .says("its StorageClass \"nobody\" does not exist", "set global.storageClass to one of: ")
            .hopeless(),
        claimed("classless")
            .is("claim", "its volume claim cannot be bound")
            .says("no volume without class fits", "set global.storageClass to one of: ")
            .hopeless(),
        claimed("provisioner").is("claim", "its volume claim cannot be bound").says(
            "the provisioner nobody.example.com has not made it yet",
            "look whether the provisioner's pods run",
        ),
        claimed("by-hand")
            .is("scheduling", "no volume there fits its claim")
            .says("no volume there fits its claim", "make a volume for the claim"),
        claimed("lost")
            .is("claim", "its volume is gone")
            .says("-lost, which no longer exists", "restore the volume, or give the data up")
            .hopeless(),
        placed("elsewhere", "{}", &elsewhere)
            .is("scheduling", "its volume lies on another node or in another zone")
            .says("its volume lies on another node", "bring a node back where the volume lies"),
    ]
}
