//! Both programs, the cluster, and how their commands are put together.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::floor::{self, Client, Request};
use crate::measure::{self, Sample};

/// The samples of one comparison.
#[derive(Default)]
pub(crate) struct Series {
    pub(crate) ours: Vec<Sample>,
    pub(crate) peer: Vec<Sample>,
    pub(crate) floor: Vec<Sample>,
}

/// Rows of the table by name.
pub(crate) type Rows = Vec<(&'static str, Series)>;

/// The programs, a cluster, and a folder for bundles and charts.
pub(crate) struct Contest {
    obs: String,
    helm: String,
    kubectl: String,
    kubeconfig: String,
    context: String,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    /// For what is prepared and checked.
    client: Client,
    /// The namespaces of this run.
    namespaces: RefCell<Vec<String>>,
}

const HINT: &str = "run it with scripts/bench (make bench)";

impl Contest {
    /// Takes the programs and the cluster from the environment, which scripts/bench prepares.
    pub(crate) fn prepare() -> Self {
        let variable =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; {HINT}"));
        let (kubeconfig, context) = (variable("KUBECONFIG_TEST"), variable("OBS_TEST_CONTEXT"));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = runtime.block_on(Client::new(&kubeconfig, &context));
        Self {
            obs: env!("CARGO_BIN_EXE_kubectl-obs").to_owned(),
            helm: variable("OBS_BENCH_HELM"),
            kubectl: variable("OBS_BENCH_KUBECTL"),
            kubeconfig,
            context,
            folder: tempfile::tempdir().expect("a temporary folder"),
            runtime,
            client,
            namespaces: RefCell::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The objects that a bundle renders to, as our own `template` writes them.
    pub(crate) fn rendered(&self, args: &[&str]) -> Vec<Value> {
        documents(&self.ours(&[&["template"], args].concat()))
    }

    /// Our command, for anywhere.
    pub(crate) fn ours(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        command(&self.obs, args)
    }

    /// Helm's command, for anywhere.
    pub(crate) fn helm(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        command(&self.helm, args)
    }

    /// Our command on the cluster.
    pub(crate) fn ours_there(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        let own = [format!("--kubeconfig={}", self.kubeconfig), format!("--context={}", self.context)];
        [self.ours(args), own.to_vec()].concat()
    }

    /// Helm's command on the cluster.
    pub(crate) fn helm_there(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        let own = [format!("--kubeconfig={}", self.kubeconfig), format!("--kube-context={}", self.context)];
        [self.helm(args), own.to_vec()].concat()
    }

    /// kubectl's command on the cluster.
    pub(crate) fn kubectl_there(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        let own = [format!("--kubeconfig={}", self.kubeconfig), format!("--context={}", self.context)];
        [command(&self.kubectl, args), own.to_vec()].concat()
    }

    /// This program as the bare client that sends these requests.
    pub(crate) fn bare(&self, waves: &[Vec<Request>]) -> Vec<String> {
        let file = self.path("requests.json");
        floor::write(&file, waves);
        let own = text(&std::env::current_exe().expect("own path"));
        vec![own, "floor".into(), self.kubeconfig.clone(), self.context.clone(), text(&file)]
    }

    /// Sends requests from this process, some at a time.
    pub(crate) fn send_all(&self, requests: impl IntoIterator<Item = Request>) {
        self.runtime.block_on(self.client.send_all(requests));
    }

    /// Sends one request from this process; gives the answer.
    pub(crate) fn send(&self, request: &Request) -> Value {
        let answer = self.runtime.block_on(self.client.send(request)).expect("the server answers");
        serde_json::from_str(&answer).expect("an answer is JSON")
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let output = Command::new(&self.kubectl)
            .arg(format!("--kubeconfig={}", self.kubeconfig))
            .arg(format!("--context={}", self.context))
            .args(args)
            .output()
            .expect("run kubectl");
        assert!(
            output.status.success(),
            "kubectl {}\n{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// How many objects of a load are in a namespace, as many requests as it has kinds.
    pub(crate) fn count(&self, namespace: &str, load: &[Value]) -> usize {
        let found = collections(load, namespace).into_iter().map(|path| {
            let list = self.send(&Request::list_metadata(format!("{path}?{OURS}")));
            list["items"].as_array().map_or(0, Vec::len)
        });
        found.sum()
    }

    /// The name of a namespace of this run, which a command may make.
    pub(crate) fn namespace(&self, what: &str) -> String {
        let name = format!("bench-{}-{what}", std::process::id());
        self.namespaces.borrow_mut().push(name.clone());
        name
    }

    /// Removes the namespaces of this run, without waiting: while something is measured, the API
    /// server should have nothing else to do.
    pub(crate) fn clean_up(self) {
        let namespaces = self.namespaces.take();
        self.send_all(namespaces.iter().map(|name| Request::delete(&floor::namespace(name))));
    }
}

/// The selector of a load's objects, whoever made them; records of releases are not among them.
pub(crate) const OURS: &str = "labelSelector=kubectl-obs.dev%2Fcomponent";

/// Where the objects of a load live, once for each kind.
pub(crate) fn collections(load: &[Value], namespace: &str) -> Vec<String> {
    let namespaced = load.iter().filter(|object| object["kind"] != "Namespace");
    let mut paths: Vec<String> =
        namespaced.map(|object| floor::collection(object, Some(namespace))).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Controllers follow what a run did: the next one shall not meet them.
pub(crate) fn rest() {
    std::thread::sleep(Duration::from_millis(300));
}

/// Measures two commands in turns.
pub(crate) fn alternate(name: &str, pairs: u32, ours: &[String], peer: &[String]) -> Series {
    // The first run of each reads its program from the disk.
    measure::run(ours);
    measure::run(peer);
    let mut series = Series::default();
    for pair in 1..=pairs {
        progress(name, pair, pairs);
        series.ours.push(measure::run(ours));
        series.peer.push(measure::run(peer));
    }
    series
}

pub(crate) fn progress(name: &str, n: u32, all: u32) {
    eprintln!("{name}: {n} of {all}");
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is UTF-8").to_owned()
}

fn command(program: &str, args: &[impl AsRef<str>]) -> Vec<String> {
    std::iter::once(program).chain(args.iter().map(AsRef::as_ref)).map(str::to_owned).collect()
}

/// What a command prints.
pub(crate) fn output(command: &[String]) -> String {
    let [program, args @ ..] = command else { panic!("no command") };
    let output = Command::new(program)
        .args(args)
        .env("KUBECTL_OBS_RENDER_TIMEOUT", measure::RENDER_TIMEOUT)
        .output()
        .expect("run a command");
    assert!(output.status.success(), "{}\n{}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// What a command prints, as YAML documents. One by one: the parser limits how many one text holds.
fn documents(command: &[String]) -> Vec<Value> {
    let text = output(command);
    let documents = text.split("\n---\n").map(|text| serde_yaml::from_str(text).expect("a YAML document"));
    documents.filter(|document: &Value| !document.is_null()).collect()
}
