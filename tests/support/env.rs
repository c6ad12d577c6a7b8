//! What a cluster test works with: a namespace of its own (made by the test or by the plugin), a
//! home, the plugin and kubectl pointed at the cluster. It cleans up when the test is over, and
//! knows how to show the state of the objects when the test failed.
//!
//! Tests run side by side: everything a test makes is in [`Env::namespace`] and
//! [`Env::node_namespace`], or is cluster-scoped and carries the labels of a release in them.
//! `OBS_KEEP=1` leaves everything where it is.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::Cluster;
use super::process::Command;

/// A place of its own on a cluster.
pub struct Env {
    cluster: &'static Cluster,
    namespace: String,
    home: tempfile::TempDir,
}

impl Env {
    /// A place for the test `name`.
    pub fn new(cluster: &'static Cluster, name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let words = name.rsplit("::").next().unwrap_or(name).replace('_', "-");
        let words: String = words.chars().take(24).collect();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("t{:x}-{number}-{}", std::process::id(), words.trim_matches('-'));
        let home = tempfile::tempdir().expect("a temporary directory");
        Self { cluster, namespace, home }
    }

    /// The namespace for the release. It is not there until somebody makes it.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace for node-level components: what `global.nodeNamespace` is by default.
    pub fn node_namespace(&self) -> String {
        format!("{}-node", self.namespace)
    }

    /// An empty directory, which is also the plugin's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The cluster.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// `kubectl-obs ARGS` on the cluster, in the namespace.
    pub fn obs<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.obs_by(&self.cluster.kubeconfig, &self.cluster.context, args)
    }

    /// The same by way of another kubeconfig.
    pub fn obs_by<S: AsRef<str>>(
        &self,
        kubeconfig: &Path,
        context: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        self.connected(kubeconfig, context, args).args(["--namespace", &self.namespace])
    }

    /// `kubectl-obs ARGS` on the cluster, in another namespace.
    pub fn obs_in<S: AsRef<str>>(&self, namespace: &str, args: impl IntoIterator<Item = S>) -> Command {
        self.connected(&self.cluster.kubeconfig, &self.cluster.context, args).args(["--namespace", namespace])
    }

    fn connected<S: AsRef<str>>(
        &self,
        kubeconfig: &Path,
        context: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        super::plugin::obs(self.home(), args)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--context", context])
            .deadline(Duration::from_secs(300))
    }

    /// `kubectl ARGS` on the cluster, in another namespace.
    pub fn kubectl_in<S: AsRef<str>>(&self, namespace: &str, args: impl IntoIterator<Item = S>) -> Command {
        self.cluster
            .kubectl(self.home())
            .arg(format!("--namespace={namespace}"))
            .args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
    }

    /// `kubectl ARGS` on the cluster, in the namespace.
    pub fn kubectl<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.cluster
            .kubectl(self.home())
            .arg(format!("--namespace={}", self.namespace))
            .args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
    }

    /// `helm ARGS` on the cluster, in the namespace.
    #[track_caller]
    pub fn helm<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let program = super::cluster::helm_program().unwrap_or_else(|reason| panic!("no helm: {reason}"));
        Command::new(program)
            .env("HOME", self.home())
            .args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args(["--kube-context", &self.cluster.context, "--namespace", &self.namespace])
    }

    /// Objects as the API server has them: `kubectl get WHAT -o json`; None if there is none.
    #[track_caller]
    pub fn get(&self, what: &str) -> Option<Value> {
        let args = ["get", "--ignore-not-found", "--show-managed-fields", "--output=json"];
        let output = self.kubectl(args).args(what.split(' ')).run().ok();
        (!output.stdout.is_empty()).then(|| output.json())
    }

    /// The `items` of a list, for example of `configmaps --selector=app=x`.
    #[track_caller]
    pub fn list(&self, what: &str) -> Vec<Value> {
        let list = self.get(what).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The address at which pods reach this machine: their node's.
    #[track_caller]
    pub fn host(&self) -> String {
        let nodes = self.list("nodes");
        let addresses = nodes[0]["status"]["addresses"].as_array().expect("addresses of the node");
        let address = addresses.iter().find(|address| address["type"] == "InternalIP").expect("one inside");
        address["address"].as_str().expect("a text").to_owned()
    }

    /// Applies YAML, as somebody else would (`kubectl apply --server-side`).
    #[track_caller]
    pub fn apply(&self, yaml: &str) {
        self.kubectl(["apply", "--server-side", "--filename=-"]).stdin(yaml).run().ok();
    }

    /// Makes the namespace, for tests of what is there before the plugin.
    #[track_caller]
    pub fn make_namespace(&self) {
        self.kubectl(["create", "namespace", &self.namespace]).run().ok();
    }

    /// Writes a file below the home, with its folders.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("make a folder");
        std::fs::write(&path, text).expect("write a file");
        path
    }

    /// Writes a bundle: `meta` are the lines of its bundle.yaml beside the usual ones, `files` what
    /// is in it. Gives its folder, which is also its name, followed by its version.
    pub fn bundle(&self, name: &str, version: &str, meta: &str, files: &[(&str, &str)]) -> String {
        self.bundle_in(&format!("{name}-{version}"), name, version, meta, files)
    }

    /// The same in a folder of another name.
    pub fn bundle_in(
        &self,
        folder: &str,
        name: &str,
        version: &str,
        meta: &str,
        files: &[(&str, &str)],
    ) -> String {
        let usual = format!(
            "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: {name}\nversion: {version}\nappVersion: {version}\n\
             description: for a test\n"
        );
        self.write(&format!("{folder}/bundle.yaml"), &format!("{usual}{meta}\n"));
        self.write(&format!("{folder}/values.yaml"), "{}\n");
        for (path, text) in files {
            self.write(&format!("{folder}/{path}"), text);
        }
        self.home().join(folder).display().to_string()
    }

    /// For tests that need something which the cluster has once, such as a host port: one at a time.
    #[expect(clippy::unused_self, reason = "the node is this cluster's")]
    pub fn alone_with_the_node(&self) -> MutexGuard<'static, ()> {
        static NODE: Mutex<()> = Mutex::new(());
        NODE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the objects, for a person who must find out why a test failed.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        let mut show = |args: &[&str]| {
            let output = self.cluster.kubectl(self.home()).args(args.iter().copied()).run();
            let said = if output.code == 0 { output.stdout } else { output.stderr };
            if !said.trim().is_empty() && !said.starts_with("No resources found") {
                let _ = writeln!(text, "$ kubectl {}\n{}", args.join(" "), said.trim_end());
            }
        };
        let release = format!("--selector=kubectl-obs.dev/release-namespace={}", self.namespace);
        show(&["get", CLUSTER_KINDS, &release, "--show-kind"]);
        for namespace in [&self.namespace, &self.node_namespace()] {
            let n = format!("--namespace={namespace}");
            show(&["get", NAMESPACE_KINDS, &n, "--output=wide", "--show-kind"]);
            show(&["get", "events", &n, "--sort-by=.lastTimestamp"]);
            if self.cluster.has_node {
                let all = "--selector=app.kubernetes.io/managed-by=kubectl-obs";
                show(&["logs", &n, all, "--all-containers", "--prefix", "--tail=15", "--ignore-errors"]);
            }
        }
        text
    }

    fn clean(&self) {
        let kubectl =
            || self.cluster.kubectl(self.home()).args(["delete", "--ignore-not-found", "--wait=false"]);
        let release = format!("--selector=kubectl-obs.dev/release-namespace={}", self.namespace);
        let mut left = Vec::new();
        for command in [
            kubectl().args(["namespace", &self.namespace, &self.node_namespace()]),
            kubectl().args([CLUSTER_KINDS, &release]),
            kubectl().args(["customresourcedefinitions", &format!("--selector=obs-test={}", self.namespace)]),
        ] {
            let output = command.run();
            if output.code != 0 {
                left.push(output.to_string());
            }
        }
        assert!(left.is_empty() || thread::panicking(), "cleaning up failed\n{}", left.join("\n"));
    }
}

/// Kinds of cluster-scoped objects that a release may own.
const CLUSTER_KINDS: &str = "clusterroles,clusterrolebindings,priorityclasses,storageclasses,\
    validatingwebhookconfigurations,mutatingwebhookconfigurations";
const NAMESPACE_KINDS: &str = "deployments,statefulsets,daemonsets,pods,persistentvolumeclaims,services,\
    configmaps,secrets,leases";

impl Drop for Env {
    fn drop(&mut self) {
        if std::env::var_os("OBS_KEEP").is_some_and(|value| !value.is_empty()) {
            let home = self.home.path().to_owned();
            self.home.disable_cleanup(true);
            eprintln!("kept: namespace {}, files {}", self.namespace, home.display());
        } else {
            self.clean();
        }
    }
}

/// Tries until it succeeds; after `deadline` the test fails with the last reason.
#[track_caller]
pub fn eventually<T>(deadline: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + deadline;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(reason) => {
                assert!(Instant::now() < end, "still not so after {}s: {reason}", deadline.as_secs());
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}
