//! The HTTP client, and the way to be rid of its connections. A connection that died silently (the
//! machine slept, a firewall forgot it) looks like any other until something is sent on it, and then
//! swallows the request; a new client has none of those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use kube::client::{ClientBuilder, ConfigExt};
use kube::config::Config;
use tokio::time::Instant;
use tower::Layer;

use super::plugin::Tokens;
use super::pulse::WhileAwake;

/// When many requests find out at the same time, one new client is enough.
const PAUSE: Duration = Duration::from_secs(1);

/// A client that can be made anew.
pub(super) struct Connections {
    /// Adds credentials that come from a program or are refreshed, and sends by `present`: these
    /// outlive connections.
    outer: Option<kube::Client>,
    present: Arc<Mutex<Present>>,
    /// None for clients that cannot be made anew.
    config: Option<Config>,
}

struct Present {
    client: kube::Client,
    renewed: Option<Instant>,
}

impl Connections {
    /// `tokens`: those of a credential plugin, which kube itself is not to run.
    pub fn build(config: Config, tokens: Option<Tokens>) -> Result<Self, kube::Error> {
        let layer = match config.auth_info.auth_provider.is_some() {
            true => config.auth_layer()?,
            false => None,
        };
        let mut plain = config;
        plain.auth_info.exec = None;
        if layer.is_some() {
            plain.auth_info.auth_provider = None;
        }
        let mut built = Self::of(plain_client(plain.clone())?);
        let (present, namespace) = (Arc::clone(&built.present), plain.default_namespace.clone());
        if let Some(tokens) = tokens.map(Arc::new) {
            let send = tower::service_fn(move |mut request: http::Request<kube::client::Body>| {
                let (plain, tokens) = (client(&present), Arc::clone(&tokens));
                async move {
                    request.headers_mut().insert(AUTHORIZATION, tokens.header().await?);
                    plain.send(request).await.map_err(tower::BoxError::from)
                }
            });
            built.outer = Some(kube::Client::new(send, namespace));
        } else if let Some(layer) = layer {
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
        let present = Present { client, renewed: None };
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
        if present.renewed.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        // its files may be gone; what there is still serves
        if let Ok(client) = plain_client(config.clone()) {
            *present = Present { client, renewed: Some(Instant::now()) };
        }
    }
}

/// kube's client, whose connections end with a pause of the process.
fn plain_client(config: Config) -> Result<kube::Client, kube::Error> {
    Ok(ClientBuilder::try_from((config, WhileAwake))?.build())
}

fn client(present: &Mutex<Present>) -> kube::Client {
    present.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers each request with the number of the connection that it came on.
    async fn numbering() -> Config {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for number in 1.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Config::new(format!("http://{address}").parse().unwrap())
    }

    #[tokio::test]
    async fn after_a_renewal_no_old_connection_is_used() {
        let connections = Connections::build(numbering().await, None).unwrap();
        let ask = async || {
            let request = Request::get("/").body(Vec::new()).unwrap();
            let answer = connections.client().request_text(request).await.unwrap();
            // the connection goes back to where the next request takes it from
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer
        };
        assert_eq!((ask().await, ask().await), ("1".to_owned(), "1".to_owned()), "one serves all");
        connections.renew();
        assert_eq!(ask().await, "2");
        connections.renew();
        assert_eq!(ask().await, "2", "once a second is enough");
    }
}
