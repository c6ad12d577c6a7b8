//! The commands that are compared, and what has to be there before each run and gone after it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::measure::{self, Sample};
use crate::{chart, floor, load};

/// The samples of one comparison.
#[derive(Default)]
pub(crate) struct Series {
    pub(crate) ours: Vec<Sample>,
    pub(crate) peer: Vec<Sample>,
    pub(crate) floor: Vec<Sample>,
}

/// Both programs, a cluster, a bundle and the chart that is its equal.
pub(crate) struct Contest {
    obs: String,
    helm: String,
    kubectl: String,
    kubeconfig: String,
    context: String,
    folder: tempfile::TempDir,
}

const HINT: &str = "run it with scripts/bench (make bench)";

impl Contest {
    /// Takes the programs and the cluster from the environment, which scripts/bench prepares.
    pub(crate) fn prepare() -> Self {
        let variable =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; {HINT}"));
        let contest = Self {
            obs: env!("CARGO_BIN_EXE_kubectl-obs").to_owned(),
            helm: variable("OBS_BENCH_HELM"),
            kubectl: variable("OBS_BENCH_KUBECTL"),
            kubeconfig: variable("KUBECONFIG_TEST"),
            context: variable("OBS_TEST_CONTEXT"),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        load::write(&contest.path("load"));
        let template = contest.ours(&["template"]);
        chart::write(&contest.path("stack-chart"), &documents(&template));
        chart::write(&contest.path("load-chart"), &contest.objects());
        contest
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The objects of the load, as our own `template` renders them.
    fn objects(&self) -> Vec<Value> {
        documents(&self.ours(&["template", &text(&self.path("load")), "--release=load"]))
    }

    fn ours(&self, args: &[&str]) -> Vec<String> {
        command(&self.obs, args)
    }

    fn helm(&self, args: &[&str]) -> Vec<String> {
        command(&self.helm, args)
    }

    /// Client versions: what it costs to start.
    pub(crate) fn version(&self, pairs: u32) -> Series {
        let (ours, peer) = (self.ours(&["version", "--client"]), self.helm(&["version"]));
        alternate("version", pairs, &ours, &peer)
    }

    /// Rendering the stack; Helm has nothing to compute.
    pub(crate) fn template(&self, pairs: u32) -> Series {
        let chart = text(&self.path("stack-chart"));
        let (ours, peer) = (self.ours(&["template"]), self.helm(&["template", "obs", &chart]));
        alternate("template", pairs, &ours, &peer)
    }

    /// The first installation of 100 objects into a namespace that is not there yet, without
    /// waiting for anything, with server-side apply.
    pub(crate) fn install(&self, pairs: u32) -> Series {
        let objects = self.objects();
        let (bundle, chart) = (text(&self.path("load")), text(&self.path("load-chart")));
        let mut series = Series::default();
        // Run 0 warms the API server up.
        for pair in 0..=pairs {
            progress("install-100", pair, pairs);

            let namespace = format!("bench-{}-{pair}-ours", std::process::id());
            let (config, context) = (&self.kubeconfig, &self.context);
            let (config, context) = (format!("--kubeconfig={config}"), format!("--context={context}"));
            let in_namespace = format!("--namespace={namespace}");
            let args = [
                "install",
                &bundle,
                "--release=load",
                "--wait=none",
                "--yes",
                &in_namespace,
                &config,
                &context,
            ];
            let ours = self.timed_in(&namespace, &self.ours(&args));

            let namespace = format!("bench-{}-{pair}-peer", std::process::id());
            let in_namespace = format!("--namespace={namespace}");
            let context = format!("--kube-context={}", self.context);
            let args = [
                "install",
                "load",
                &chart,
                "--create-namespace",
                "--server-side=true",
                &in_namespace,
                &config,
                &context,
            ];
            let peer = self.timed_in(&namespace, &self.helm(&args));

            let namespace = format!("bench-{}-{pair}-floor", std::process::id());
            let file = self.path("objects.json");
            let json =
                serde_json::to_vec(&floor::in_namespace(&objects, &namespace)).expect("objects are JSON");
            std::fs::write(&file, json).expect("write the objects");
            let own = text(&std::env::current_exe().expect("own path"));
            let bare = [own, "floor".into(), self.kubeconfig.clone(), self.context.clone(), text(&file)];
            let floor = self.timed_in(&namespace, &bare);

            if pair > 0 {
                series.ours.push(ours);
                series.peer.push(peer);
                series.floor.push(floor);
            }
        }
        series
    }

    /// Measures the command, checks that it did the work, and removes the namespace with all of it,
    /// so that the next run meets an API server at rest.
    fn timed_in(&self, namespace: &str, command: &[String]) -> Sample {
        let sample = measure::run(command);
        let kinds = "configmaps,services,serviceaccounts,roles,deployments";
        let names = self.kubectl(&["get", kinds, "--namespace", namespace, "--output=name"]);
        let count = names.lines().filter(|name| name.contains("/load-load-")).count();
        assert_eq!(count, 100, "$ {}\ndid not make all objects:\n{names}", command.join(" "));
        self.kubectl(&["delete", "namespace", namespace, "--timeout=120s"]);
        sample
    }

    fn kubectl(&self, args: &[&str]) -> String {
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
}

/// Measures the two in turns.
fn alternate(name: &str, pairs: u32, ours: &[String], peer: &[String]) -> Series {
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

fn progress(name: &str, pair: u32, pairs: u32) {
    eprintln!("{name}: {pair} of {pairs}");
}

fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is UTF-8").to_owned()
}

fn command(program: &str, args: &[&str]) -> Vec<String> {
    std::iter::once(&program).chain(args).map(|&word| word.to_owned()).collect()
}

/// What a command prints, as YAML documents.
fn documents(command: &[String]) -> Vec<Value> {
    let [program, args @ ..] = command else { panic!("no command") };
    let output = Command::new(program).args(args).output().expect("run a command");
    assert!(output.status.success(), "{}\n{}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("YAML is UTF-8");
    let documents: Vec<Value> = serde_yaml::from_multiple(&text).expect("YAML documents");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}
