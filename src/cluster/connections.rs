//! The HTTP client, and the way to be rid of its connections. A connection that died silently (the
//! machine slept, a firewall forgot it) looks like any other until something is sent on it, and then
//! swallows the request; a new client has none of those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::client::ConfigExt;
use kube::config::Config;
use tokio::time::Instant;
use tower::Layer;

/// When many requests find out at the same time, one new client is enough.
const PAUSE: Duration = Duration::from_secs(1);

/// A client that can be made anew.
pub(super) struct Connections {
    /// Adds credentials that come from a program or are refreshed, and sends by `present`: these
    /// outlive connections.
    outer: Option<kube::Client>,
    present: Arc<Mutex<Present>>,
    /// None for clients that somebody else made.
    config: Option<Config>,
}

struct Present {
    client: kube::Client,
    since: Instant,
}

impl Connections {
    /// kube would run a credential plugin three times to build one client (for the header, for the
    /// client certificate, for its expiry), and a plugin can take seconds or ask for a password. Here
    /// it runs once, unless what it delivers is a certificate.
    pub fn build(config: Config) -> Result<Self, kube::Error> {
        let auth = &config.auth_info;
        let layer = match auth.exec.is_some() || auth.auth_provider.is_some() {
            true => config.auth_layer()?,
            false => None,
        };
        let mut plain = config;
        if layer.is_some() {
            plain.auth_info.exec = None;
            plain.auth_info.auth_provider = None;
        }
        let mut built = Self::of(kube::Client::try_from(plain.clone())?);
        if let Some(layer) = layer {
            let (present, namespace) = (Arc::clone(&built.present), plain.default_namespace.clone());
            let send = tower::service_fn(move |request| {
                let plain = client(&present);
                async move { plain.send(request).await.map_err(tower::BoxError::from) }
            });
            built.outer = Some(kube::Client::new(layer.layer(send), namespace));
        }
        built.config = Some(plain);
        Ok(built)
    }

    /// A client that stays as it is.
    pub fn of(client: kube::Client) -> Self {
        let present = Present { client, since: Instant::now() };
        Self { outer: None, present: Arc::new(Mutex::new(present)), config: None }
    }

    /// The client, for one request.
    pub fn client(&self) -> kube::Client {
        self.outer.clone().unwrap_or_else(|| client(&self.present))
    }

    /// Requests from now on use new connections; those under way go on. Needs a runtime.
    pub fn renew(&self) {
        let Some(config) = &self.config else { return };
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.since.elapsed() < PAUSE {
            return;
        }
        // its files may be gone; what there is still serves
        if let Ok(client) = kube::Client::try_from(config.clone()) {
            *present = Present { client, since: Instant::now() };
        }
    }
}

fn client(present: &Mutex<Present>) -> kube::Client {
    present.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
}
