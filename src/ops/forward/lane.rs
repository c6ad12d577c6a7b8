//! One component's way: where it is listened for, which pod it leads to, what went through. What
//! happens is told by [`Lane::state`] and a signal to whoever shows it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::target::Target;

/// Connections to pods that are opened at the same time.
const OPENINGS: usize = 24;

/// A ready pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The port of its UI.
    pub port: u16,
    /// Set when the pod does not exist any more.
    pub gone: CancellationToken,
}

/// Where a lane leads to.
#[derive(Debug, Clone)]
pub enum State {
    /// Nothing is known yet.
    Looking,
    /// To this pod.
    Ready(Pod),
    /// There is no ready pod; the text says why.
    Waiting(String),
    /// There is no pod at all.
    Empty,
}

/// A forward.
#[derive(Debug)]
pub struct Lane {
    /// What it leads to.
    pub target: Target,
    /// Where it is listened for.
    pub address: SocketAddr,
    /// The usual port, when somebody else has it.
    pub instead_of: Option<u16>,
    state: watch::Sender<State>,
    changed: Arc<Notify>,
    trouble: Mutex<Option<String>>,
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
    connections: AtomicUsize,
    /// Turns at opening a connection to a pod.
    pub(super) openings: Semaphore,
    doubt: Notify,
}

/// Counts an open connection until it is dropped.
pub struct Connection<'l>(&'l Lane);

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is to be seen of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The component.
    pub component: String,
    /// Where to go with a browser.
    pub url: String,
    /// The pod; None while there is no ready one.
    pub pod: Option<String>,
    /// The pod's port.
    pub pod_port: u16,
    /// The usual port, when somebody else has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<u16>,
    /// Why there is no pod, or why the last connection failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Bytes to the pod.
    #[serde(skip)]
    pub up: u64,
    /// Bytes from the pod.
    #[serde(skip)]
    pub down: u64,
    /// Open connections.
    #[serde(skip)]
    pub connections: usize,
}

impl Lane {
    /// A lane without a pod yet; `changed` is told what happens.
    pub fn new(target: Target, address: SocketAddr, instead_of: Option<u16>, changed: Arc<Notify>) -> Self {
        Self {
            target,
            address,
            instead_of,
            state: watch::Sender::new(State::Looking),
            changed,
            trouble: Mutex::default(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            openings: Semaphore::new(OPENINGS),
            doubt: Notify::new(),
        }
    }

    /// Counts a connection.
    pub fn connection(&self) -> Connection<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connection(self)
    }

    /// `http://127.0.0.1:9090`. Listening everywhere includes this machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        format!("http://{address}")
    }

    /// Where it leads to, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The ready pod, as soon as there is one.
    pub async fn pod(&self) -> Option<Pod> {
        let mut state = self.state();
        let ready = state.wait_for(|state| matches!(state, State::Ready(_))).await.ok()?;
        if let State::Ready(pod) = &*ready { Some(pod.clone()) } else { None }
    }

    /// Resolves when it does not lead to this pod any more.
    pub async fn leaves(&self, pod: &Pod) {
        let to_it = |state: &State| matches!(state, State::Ready(present) if present.uid == pod.uid);
        let _ = self.state().wait_for(|state| !to_it(state)).await;
    }

    /// What is known of the pods may be wrong: one that should be ready could not be reached.
    pub fn doubts(&self) {
        self.doubt.notify_one();
    }

    /// Resolves when somebody doubts.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// It leads somewhere else from now on.
    pub fn leads_to(&self, state: State) {
        self.state.send_replace(state);
        self.changed.notify_one();
    }

    /// Why a connection or the look at the pods failed; None when one succeeded again.
    pub fn trouble(&self, why: Option<String>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble != why {
            *trouble = why;
            self.changed.notify_one();
        }
    }

    /// Is there any pod, ready or not?
    pub fn has_pods(&self) -> bool {
        !matches!(&*self.state.borrow(), State::Empty)
    }

    /// Why nothing is known of the pods yet, when looking at them failed.
    pub fn failed_look(&self) -> Option<String> {
        let looking = matches!(&*self.state.borrow(), State::Looking);
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().filter(|_| looking)
    }

    /// What is to be seen now.
    pub fn row(&self) -> Row {
        let (pod, why) = match &*self.state.borrow() {
            State::Looking => (None, Some("looking for a pod".to_owned())),
            State::Waiting(why) => (None, Some(why.clone())),
            State::Empty => (None, Some("there is no pod".to_owned())),
            State::Ready(pod) => {
                let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
                (Some((pod.name.clone(), pod.port)), trouble)
            }
        };
        Row {
            component: self.target.component.clone(),
            url: self.url(),
            pod_port: pod.as_ref().map_or(self.target.port, |(_, port)| *port),
            pod: pod.map(|(name, _)| name),
            instead_of: self.instead_of,
            why,
            up: self.up.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }
}
