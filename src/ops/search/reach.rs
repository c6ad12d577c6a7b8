//! The way to a store: into a pod of the release by port-forward, with its certificate checked by the name that
//! the cluster knows it by; or to an address outside, from this machine, through the proxy that the environment
//! names. What it wants to see is read from the Secrets that the release names, and goes into a header.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Uri};
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, RootCerts};

use super::failure::{self, Trouble};
use super::store::{Key, Store};
use crate::cluster::Trust;
use crate::error::{Error, Result};
use crate::object::{builtin, unbase64};
use crate::ops::{Context, download, login, pod};

/// How long one request may take.
const TRY: Duration = Duration::from_secs(60);

/// A store that can be asked.
pub struct Reach<'a, 'c> {
    ctx: &'a Context<'c>,
    store: &'a Store,
    /// The header Authorization.
    authorization: Option<String>,
    /// Authorities of its certificate, PEM.
    authority: Option<Vec<u8>>,
}

impl<'a, 'c> Reach<'a, 'c> {
    /// With what its Secrets hold.
    pub async fn of(ctx: &'a Context<'c>, store: &'a Store) -> Result<Self> {
        let read = async |what: &str| match store.keys.get(what) {
            Some(key) => secret(ctx, store, key).await.map(Some),
            None => Ok(None),
        };
        let (user, password) = (read("username").await?, read("password").await?);
        let token = read("token").await?;
        let authorization = match (token, password) {
            (Some(token), _) => Some(format!("Bearer {}", String::from_utf8_lossy(&token).trim())),
            (None, Some(password)) => {
                let user = user.map(|user| String::from_utf8_lossy(&user).into_owned());
                Some(login::basic(&user.unwrap_or_else(|| store.user.clone()), &password))
            }
            (None, None) => None,
        };
        Ok(Self { ctx, store, authorization, authority: read("ca").await? })
    }

    /// What it answers with 200, as JSON. `path` begins with `/`; a body goes as JSON.
    pub async fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let answer = match self.store.component.is_empty() {
            false => tokio::time::timeout(TRY, self.inside(path, body)).await,
            true => tokio::time::timeout(TRY, self.outside(path, body)).await,
        };
        let (status, text) = answer.map_err(|_| failure::overdue(self.store, TRY.as_secs()))??;
        if status != 200 {
            return Err(failure::refused(self.store, status, &String::from_utf8_lossy(&text)));
        }
        crate::json::read(&text, pod::MAX_VALUES).ok_or_else(|| {
            failure::unreached(self.store, "it does not answer in JSON, or with too much of it")
        })
    }

    fn request(&self, uri: &str, body: Option<&Value>) -> Result<Request<Vec<u8>>, Trouble> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder().method(method).uri(uri);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !self.store.tenant.is_empty() {
            request = request.header("X-Scope-OrgID", &self.store.tenant);
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        // what is wrong may be the secret itself: it is not quoted
        request
            .body(body)
            .map_err(|_| failure::unreached(self.store, "its address, tenant or login cannot be sent"))
    }

    async fn inside(&self, path: &str, body: Option<&Value>) -> Result<(u16, Vec<u8>), Trouble> {
        let unreached = |why: &str| failure::unreached(self.store, why);
        let component = &self.store.component;
        let namespace = self.ctx.namespace.as_str();
        let pods = pod::ready_pods(self.ctx, component, namespace).await.map_err(|why| unreached(&why))?;
        let mut refused = unreached(&format!("{component} has no ready pod"));
        // each of them answers for all
        for name in &pods {
            let port = pod::port_of(self.ctx, (namespace, name), &Value::from("http"), 0).await;
            let port = port.map_err(|why| unreached(&why))?;
            let request = self.request(path, body)?;
            let answer = match self.trust().map_err(|why| unreached(&why))? {
                None => self.ctx.cluster.pod_http(namespace, name, port, request, TRY).await,
                Some(trust) => {
                    self.ctx.cluster.pod_https((namespace, name, port), request, TRY, &trust).await
                }
            };
            match answer {
                Ok(answer) => return Ok((answer.status, answer.body)),
                Err(error) => refused = unreached(error.message()),
            }
        }
        Err(refused)
    }

    /// None where its port has no TLS.
    fn trust(&self) -> Result<Option<Trust>, String> {
        let uri: Uri = self.store.url.parse().map_err(|_| "its address is not a valid one".to_owned())?;
        if uri.scheme_str() != Some("https") {
            return Ok(None);
        }
        let authority = self.authority.as_deref().ok_or("the authority of its certificate is not known")?;
        Trust::new(authority, uri.host().unwrap_or_default()).map(Some)
    }

    async fn outside(&self, path: &str, body: Option<&Value>) -> Result<(u16, Vec<u8>), Trouble> {
        let request = self.request(&format!("{}{path}", self.store.url.trim_end_matches('/')), body)?;
        let roots = match &self.authority {
            None => RootCerts::PlatformVerifier,
            Some(pem) => RootCerts::new_with_certs(
                &certificates(pem).map_err(|why| failure::unreached(self.store, why))?,
            ),
        };
        let tls = (roots, self.store.insecure);
        let (done, answer) = oneshot::channel();
        // it blocks; who no longer listens leaves it behind
        std::thread::spawn(move || {
            let _ = done.send(download::ask(request, tls, TRY, &|name| std::env::var_os(name)));
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(trouble)) => Err(failure::unreached(self.store, &trouble.why)),
            Err(_) => Err(failure::unreached(self.store, "a thread ended early")),
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, &'static str> {
    let all = rustls::pki_types::CertificateDer::pem_slice_iter(pem);
    let all: Result<Vec<_>, _> =
        all.map(|one| one.map(|one| Certificate::from_der(&one).to_owned())).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err("its authority is no certificate in PEM"),
    }
}

async fn secret(ctx: &Context<'_>, store: &Store, key: &Key) -> Result<Vec<u8>> {
    let live = ctx.cluster.get(&builtin::secrets(), Some(&store.namespace), &key.name).await?;
    let live = live.ok_or_else(|| {
        Error::failed(format!(
            "secret {}/{} does not exist: {} needs it",
            store.namespace, key.name, store.name
        ))
        .hint("kubectl obs upgrade makes it again, if the release made it")
    })?;
    let value = live["data"][&key.key].as_str().and_then(unbase64);
    value.ok_or_else(|| {
        Error::failed(format!("secret {}/{} has no key {}", store.namespace, key.name, key.key))
    })
}
