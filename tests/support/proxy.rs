//! A proxy between the plugin and the API server that does to requests what networks and servers
//! do to them. It speaks plain HTTP on 127.0.0.1 to the plugin and uses the test cluster's own
//! credentials towards the server, so a test needs nothing but [`Proxy::obs`] instead of
//! [`Env::obs`]. It numbers the requests from 1, remembers them, and asks a rule what becomes of
//! each ([`Fault`]).
//!
//! A request that it has received is carried out to its end, also when the plugin is killed
//! meanwhile; [`Proxy::quiet`] waits for that, so that nothing of one run reaches into the next.

mod fault;
mod serve;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::runtime::Runtime;

pub use fault::{Fault, Refusal};

use super::env::{Env, eventually};
use super::process::Command;

/// A request as the proxy received it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// From 1.
    pub number: usize,
    /// `PATCH`
    pub method: String,
    /// `/api/v1/namespaces/x/configmaps/y`
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// What was sent.
    pub body: Bytes,
    /// What the plugin was told; None while it was told nothing.
    pub status: Option<u16>,
    /// When it came.
    pub at: Instant,
}

impl Asked {
    /// Does it ask for a change of the cluster?
    pub fn writes(&self) -> bool {
        self.method != "GET" && !self.query.contains("dryRun=") && !self.path.contains("selfsubject")
    }

    /// Does it follow objects?
    pub fn watches(&self) -> bool {
        self.query.contains("watch=true")
    }

    /// `17 PATCH /api/v1/namespaces/x/configmaps/y → 200`
    pub fn line(&self) -> String {
        let status = self.status.map_or("no answer".to_owned(), |status| status.to_string());
        let dry = if self.query.contains("dryRun=") { " (dry-run)" } else { "" };
        format!("{} {} {}{dry} → {status}", self.number, self.method, self.path)
    }
}

/// Says what becomes of a request. It may take its time: nothing else waits for it.
pub type Rule = Arc<dyn Fn(&Asked) -> Fault + Send + Sync>;

/// The proxy. Dropping it ends it.
pub struct Proxy {
    shared: Arc<Shared>,
    kubeconfig: PathBuf,
    namespace: String,
    runtime: Option<Runtime>,
}

struct Shared {
    upstream: kube::Client,
    round: Mutex<Round>,
    /// Requests that are being carried out.
    busy: AtomicUsize,
}

/// What happened since [`Proxy::begin`].
struct Round {
    rule: Rule,
    asked: Vec<Asked>,
    /// Requests of an earlier round leave no trace in this one.
    id: usize,
}

impl Proxy {
    /// A proxy to the cluster of `env` that changes nothing.
    pub fn start(env: &Env) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let upstream = runtime.block_on(serve::upstream(env.cluster()));
        let round = Mutex::new(Round { rule: Arc::new(|_| Fault::Pass), asked: Vec::new(), id: 0 });
        let shared = Arc::new(Shared { upstream, round, busy: AtomicUsize::new(0) });
        let port = runtime.block_on(serve::listen(Arc::clone(&shared)));
        let name = format!("proxy-{}.kubeconfig", COUNT.fetch_add(1, Ordering::Relaxed));
        let kubeconfig = env.write(
            &name,
            &format!(
                "{{apiVersion: v1, kind: Config, current-context: proxy,\n\
                 clusters: [{{name: proxy, cluster: {{server: 'http://127.0.0.1:{port}'}}}}],\n\
                 users: [{{name: nobody, user: {{}}}}],\n\
                 contexts: [{{name: proxy, context: {{cluster: proxy, user: nobody}}}}]}}\n"
            ),
        );
        Self { shared, kubeconfig, namespace: env.namespace().to_owned(), runtime: Some(runtime) }
    }

    /// `kubectl-obs ARGS` through the proxy, in the namespace of the test.
    pub fn obs<S: AsRef<str>>(&self, env: &Env, args: impl IntoIterator<Item = S>) -> Command {
        env.obs_by(&self.kubeconfig, "proxy", args)
    }

    /// Begins to count from 1 again, with another rule.
    pub fn begin(&self, rule: impl Fn(&Asked) -> Fault + Send + Sync + 'static) {
        let mut round = self.shared.round();
        *round = Round { rule: Arc::new(rule), asked: Vec::new(), id: round.id + 1 };
    }

    /// Everything that was asked since [`Proxy::begin`].
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.round().asked.clone()
    }

    /// How much was asked since [`Proxy::begin`].
    pub fn count(&self) -> usize {
        self.shared.round().asked.len()
    }

    /// Waits until every request that came is carried out.
    #[track_caller]
    pub fn quiet(&self) {
        eventually(Duration::from_secs(60), || match self.shared.busy.load(Ordering::SeqCst) {
            0 => Ok(()),
            busy => Err(format!("{busy} requests of namespace {} are under way", self.namespace)),
        });
    }

    /// The last requests, for a person who must find out why a test failed.
    pub fn story(&self) -> String {
        const SHOWN: usize = 25;
        let asked = self.asked();
        let from = asked.len().saturating_sub(SHOWN);
        let lines: Vec<String> = asked[from..].iter().map(|asked| format!("  {}\n", asked.line())).collect();
        format!("the last of {} requests:\n{}", asked.len(), lines.concat())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
