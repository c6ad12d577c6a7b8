//! The clusters that tests may use: one with a node (`KUBECONFIG_TEST`), one of an API server without
//! nodes that is started when the first test asks for it (`OBS_DEVCLUSTER`), and more of those for
//! tests that change what a cluster has once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;

use super::process::Command;

/// An API server and how to reach it.
pub struct Cluster {
    /// The kubeconfig file.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// Do pods run here?
    pub has_node: bool,
    kubectl: PathBuf,
}

/// Why there is no cluster to test on.
pub type Reason = String;

/// The cluster with a node.
pub fn node() -> Result<&'static Cluster, Reason> {
    static CLUSTER: LazyLock<Result<Cluster, Reason>> = LazyLock::new(|| {
        let Some(kubeconfig) = variable("KUBECONFIG_TEST") else {
            return Err(variable("OBS_NO_CLUSTER")
                .unwrap_or_else(|| "KUBECONFIG_TEST is not set; make test starts a cluster".into()));
        };
        Cluster::reach(kubeconfig.into(), variable("OBS_TEST_CONTEXT"), true)
    });
    CLUSTER.as_ref().map_err(Clone::clone)
}

/// A cluster for tests of what the API server does: without a node, so faster and free of its noise.
/// Where devcluster is not at hand, it is the one with a node.
pub fn api() -> Result<&'static Cluster, Reason> {
    if variable("OBS_DEVCLUSTER").is_none() {
        return node();
    }
    API.get_or_init(|| start("api")).as_ref().map_err(Clone::clone)
}

/// A cluster without a node that no other test uses.
pub fn own(name: &str) -> Result<&'static Cluster, Reason> {
    start(name).map(|cluster| &*Box::leak(Box::new(cluster)))
}

static API: OnceLock<Result<Cluster, Reason>> = OnceLock::new();
static HOLDERS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// `devcluster with` shares the cluster among those who ask for it and stops it after the last one.
/// What it runs here only waits for the end of its stdin, which comes even when this process is
/// killed.
fn start(name: &str) -> Result<Cluster, Reason> {
    let failed = |what: &str| format!("devcluster with --no-node --name {name} {what}");
    let mut child = std::process::Command::new(devcluster_program()?)
        .args([
            "with",
            "--no-node",
            "--name",
            name,
            "--",
            "sh",
            "-c",
            r#"echo "$KUBECONFIG_TEST"; echo "$OBS_TEST_CONTEXT"; cat"#,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&format!("cannot be run: {e}")))?;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().and_then(Result::ok).ok_or_else(|| failed("failed, see above"));
    let (kubeconfig, context) = (line()?, line()?);
    HOLDERS.lock().expect("nothing panics here").push(child);
    Cluster::reach(kubeconfig.into(), Some(context), false)
}

/// Gives back what was started here. Called once, after the last test.
pub fn stop() {
    for mut child in HOLDERS.lock().expect("nothing panics here").drain(..) {
        drop(child.stdin.take());
        let status = child.wait().expect("wait for a child");
        assert!(status.success(), "devcluster with --no-node ended with {status}");
    }
}

fn devcluster_program() -> Result<PathBuf, Reason> {
    Ok(variable("OBS_DEVCLUSTER").ok_or("OBS_DEVCLUSTER is not set")?.into())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Cluster {
    fn reach(kubeconfig: PathBuf, context: Option<String>, has_node: bool) -> Result<Self, Reason> {
        if !kubeconfig.is_file() {
            return Err(format!("the kubeconfig {} is not there", kubeconfig.display()));
        }
        let kubectl = kubectl_program()?;
        let mut cluster = Self { kubeconfig, context: String::new(), has_node, kubectl };
        cluster.context = match context {
            Some(context) => context,
            None => {
                let file = cluster.kubeconfig.display();
                let output = Command::new(&cluster.kubectl)
                    .args([format!("--kubeconfig={file}"), "config".into(), "current-context".into()])
                    .run();
                if output.code != 0 {
                    return Err(format!("{file} has no current context; set OBS_TEST_CONTEXT"));
                }
                output.stdout.trim().to_owned()
            }
        };
        let version = cluster.kubectl(Path::new("/")).args(["get", "--raw", "/version"]).run();
        if version.code == 0 { Ok(cluster) } else { Err(version.to_string()) }
    }

    /// kubectl on this cluster, at home in `home`.
    pub fn kubectl(&self, home: &Path) -> Command {
        let mut kubeconfig = std::ffi::OsString::from("--kubeconfig=");
        kubeconfig.push(&self.kubeconfig);
        Command::new(&self.kubectl)
            .env("HOME", home)
            .arg(kubeconfig)
            .arg(format!("--context={}", self.context))
            .arg("--request-timeout=60s")
    }
}

/// devcluster's kubectl has the cluster's version; elsewhere it is the one on PATH.
fn kubectl_program() -> Result<PathBuf, Reason> {
    static PROGRAM: LazyLock<Result<PathBuf, Reason>> = LazyLock::new(|| tool("kubectl"));
    PROGRAM.clone()
}

/// Helm, for tests of objects that it made.
pub fn helm_program() -> Result<PathBuf, Reason> {
    static PROGRAM: LazyLock<Result<PathBuf, Reason>> = LazyLock::new(|| tool("helm"));
    PROGRAM.clone()
}

/// Can [`helm_program`] be had?
pub fn has_helm() -> bool {
    let on_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join("helm").is_file());
    variable("OBS_DEVCLUSTER").is_some() || on_path().is_some()
}

/// The path of a tool that devcluster builds, or its name where there is no devcluster.
fn tool(name: &str) -> Result<PathBuf, Reason> {
    let Ok(devcluster) = devcluster_program() else { return Ok(name.into()) };
    let output = Command::tool(devcluster).args(["tool", name]).deadline(Duration::from_secs(1800)).run();
    if output.code == 0 { Ok(output.stdout.trim().into()) } else { Err(output.to_string()) }
}
