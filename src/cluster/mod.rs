//! The only code that talks to the API server. A [`Cluster`] is a connection with the rules of
//! this tool built in: every request is raw JSON (never a typed round trip, which drops fields
//! that this build does not know), is retried by one policy, and fails with an [`Error`] that
//! says what happened, to which object, and what to do.
//!
//! | file | what it is for |
//! |---|---|
//! | `options`, `kubeconfig`, `proxy`, `client`, `connections` | from flags and kubeconfig to an HTTP client |
//! | `call`, `send`, `retry` | one request: as a value, one attempt, all attempts |
//! | `errors/` | failures in words |
//! | `discovery` | which kinds the server serves |
//! | `read`, `apply`, `write`, `takeover`, `watch` | objects |
//! | `access` | what the user may do |
//! | `pods`, `logs`, `tunnel` | logs, events, connections to pods and HTTP through them |
//! | `lease` | the lock of a running operation |
//! | `who` | the person and the machine, for records and locks |

mod access;
mod apply;
mod call;
mod client;
mod connections;
mod discovery;
mod errors;
#[cfg(test)]
pub(crate) mod fake;
mod kubeconfig;
mod lease;
mod logs;
mod options;
mod outstanding;
mod plugin;
mod pods;
mod proxy;
mod pulse;
mod read;
pub mod records;
mod retry;
mod send;
mod takeover;
mod target;
mod tunnel;
mod version;
mod watch;
pub mod who;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

pub use access::Access;
pub use apply::{Applied, ApplyError, ApplyOptions};
pub use discovery::{Kinds, Served};
pub use errors::{Cause, FieldConflict, Tls, causes_of};
pub use lease::{Holder, HolderInfo, Lock, uptime};
pub use logs::{LogError, LogLine, LogLines, LogQuery, Since};
pub use options::ConnectOptions;
pub use outstanding::Unanswered;
pub use pods::Involved;
pub(crate) use proxy::{in_block, of_environment as proxy_of_environment};
pub use tunnel::{HttpAnswer, PodStream, Refused, Trust};
pub use version::ServerVersion;
pub use watch::WatchEvent;
pub use write::{CreateError, DeleteOptions, Deleted, MetadataPatch, Propagation, ReplaceError};

use call::Call;
use connections::Connections;
use errors::Failure;
use lease::Fence;
use outstanding::Outstanding;
use retry::Reply;
use target::Target;

use crate::{Error, Result};

/// Each attempt at a request ends after this, unless `--request-timeout` says otherwise.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);

/// A connection to one cluster. Cheap to clone; clones share the connections and what is known
/// about the server.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    deadline: Option<Instant>,
}

struct Inner {
    connections: Connections,
    target: Target,
    attempt_limit: Duration,
    /// Has the API server answered anything in this run?
    reached: AtomicBool,
    /// What discovery said.
    kinds: tokio::sync::Mutex<Option<Arc<Kinds>>>,
    /// The lock under which writes are sent, while there is one.
    fence: Mutex<Weak<Fence>>,
    /// Requests that wait for an answer.
    outstanding: Outstanding,
}

impl Inner {
    fn mark_reached(&self) {
        self.reached.store(true, Ordering::Relaxed);
    }

    fn was_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}

/// What a kubeconfig gives names to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Contexts.
    Contexts,
    /// Clusters.
    Clusters,
    /// Users.
    Users,
}

/// The names that the kubeconfig has: for completion.
pub fn names_in_kubeconfig(options: &ConnectOptions, what: Named) -> Result<Vec<String>> {
    let config = kubeconfig::read(options, &kubeconfig::Surroundings::of_process())?.unwrap_or_default();
    Ok(match what {
        Named::Contexts => config.contexts.into_iter().map(|named| named.name).collect(),
        Named::Clusters => config.clusters.into_iter().map(|named| named.name).collect(),
        Named::Users => config.auth_infos.into_iter().map(|named| named.name).collect(),
    })
}

impl Cluster {
    /// Reads the kubeconfig, applies the flags and builds the client. Sends no request, but runs a
    /// credential plugin, which may ask on the terminal: connect before drawing anything.
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        Self::connect_patiently(options, &|_| {}).await
    }

    /// The same; `waiting` is told the name of a credential plugin that takes long.
    pub async fn connect_patiently(
        options: &ConnectOptions,
        waiting: &(dyn Fn(&str) + Sync),
    ) -> Result<Self> {
        let around = kubeconfig::Surroundings::of_process();
        let (connections, target) = match kubeconfig::read(options, &around)? {
            Some(config) => client::build(kubeconfig::choose(&config, options)?, options, waiting).await?,
            None if options.server.is_some() => {
                client::build(kubeconfig::choose(&Default::default(), options)?, options, waiting).await?
            }
            None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => client::in_cluster().await?,
            None => {
                let looked_at = kubeconfig::candidates(&around);
                return Err(errors::kubeconfig::none_found(&looked_at, around.kubeconfig.is_some()));
            }
        };
        let limit = options.request_timeout.filter(|limit| !limit.is_zero()).unwrap_or(ATTEMPT_LIMIT);
        Ok(Self::new(connections, target, limit))
    }

    /// A cluster behind a client that someone else built, for tests with an in-memory API server.
    pub fn with_client(client: kube::Client, name: &str, server: &str) -> Self {
        let target = Target { name: name.into(), server: server.into(), ..Target::default() };
        Self::new(Connections::of(client), target, ATTEMPT_LIMIT)
    }

    fn new(connections: Connections, target: Target, attempt_limit: Duration) -> Self {
        let inner = Inner {
            connections,
            target,
            attempt_limit,
            reached: AtomicBool::new(false),
            kinds: Default::default(),
            fence: Mutex::default(),
            outstanding: Outstanding::default(),
        };
        Self { inner: Arc::new(inner), deadline: None }
    }

    /// The same cluster, with requests that fail with [`crate::Exit::Deadline`] when they have no
    /// answer by then (a `std` or `tokio` instant). Replaces an earlier deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Instant>) -> Self {
        Self { deadline: Some(deadline.into()), ..self.clone() }
    }

    /// The same cluster without a deadline, for what must be done after it, such as writing down
    /// that the operation failed. Each request still ends after a minute or so.
    #[must_use]
    pub fn without_deadline(&self) -> Self {
        Self { deadline: None, ..self.clone() }
    }

    /// From now on and as long as the lock is held, nothing is written without it.
    fn fence_in(&self, fence: &Arc<Fence>) {
        *self.inner.fence.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(fence);
    }

    /// The lock that a request needs.
    fn fence(&self, call: &Call) -> Option<Arc<Fence>> {
        let fence = self.inner.fence.lock().unwrap_or_else(PoisonError::into_inner);
        fence.upgrade().filter(|_| Fence::is_about(call))
    }

    /// Requests from now on use new connections: those that there are may be dead without knowing it.
    pub fn forget_connections(&self) {
        self.inner.connections.renew();
    }

    /// The cluster's name in the kubeconfig.
    pub fn name(&self) -> &str {
        &self.inner.target.name
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.inner.target.server
    }

    /// The context in use; None in a pod, or when flags say everything.
    pub fn context(&self) -> Option<&str> {
        self.inner.target.context.as_deref()
    }

    /// The user's name in the kubeconfig.
    pub fn user(&self) -> Option<&str> {
        self.inner.target.user.as_deref()
    }

    /// Sends a request by the retry policy.
    async fn call(&self, call: &Call) -> Result<Reply, Failure> {
        self.call_as(call).await
    }

    /// The same, with the answer read as a type: nothing is kept of what the type leaves out.
    async fn call_as<T: DeserializeOwned + Default>(&self, call: &Call) -> Result<Reply<T>, Failure> {
        // boxed: what an operation keeps for each of its requests would add up on the stack
        Box::pin(retry::run(self, call)).await
    }

    /// An answer of the wrong shape, in words.
    fn unexpected(&self, call: &Call, what: &str) -> Error {
        errors::unexpected(&self.inner.target, &call.subject, what)
    }

    /// A failure in words.
    fn error(&self, failure: Failure, call: &Call) -> Error {
        failure.into_error(&self.inner.target, &call.subject)
    }
}
