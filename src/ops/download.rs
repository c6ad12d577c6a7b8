//! Downloads a file by https: within a time, up to a size, never by way of an address that is not
//! https; and says in a person's words why it did not come.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::Timeout;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::bundle::archive::MAX_TOTAL;
use crate::cluster::{Tls, causes_of};

/// For the whole download.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// A host that does not answer on TCP at all is given up after this.
const CONNECT: Duration = Duration::from_secs(10);
const REDIRECTS: u32 = 5;

/// Why a file did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Fits "https://…: cannot be downloaded: …".
    pub why: String,
    /// What to do.
    pub hint: &'static str,
}

impl Trouble {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            hint: "check address and proxy, or download it by other means and give the file",
        }
    }

    fn too_large() -> Self {
        Self::new(format!("it is larger than {} MiB", MAX_TOTAL >> 20))
    }
}

/// The file at `url`. `roots` says whom to trust, `timeout` is for everything together.
pub fn get(url: &str, roots: RootCerts, timeout: Duration) -> Result<Vec<u8>, Trouble> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(REDIRECTS)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT))
        .tls_config(tls)
        .user_agent(concat!("kubectl-obs/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let response = agent.get(url).call().map_err(|error| trouble(&error, timeout))?;
    let body = response.into_body();
    if body.content_length().is_some_and(|length| length > MAX_TOTAL) {
        return Err(Trouble::too_large());
    }
    let mut bytes = Vec::new();
    let read = body.into_reader().take(MAX_TOTAL + 1).read_to_end(&mut bytes);
    read.map_err(|error| trouble(&error.into(), timeout))?;
    if bytes.len() as u64 > MAX_TOTAL { Err(Trouble::too_large()) } else { Ok(bytes) }
}

/// In words. An address is never quoted: it may hold credentials.
fn trouble(error: &ureq::Error, timeout: Duration) -> Trouble {
    let tls = |tls: &rustls::Error| Trouble {
        why: Tls::of(tls).why("this address"),
        hint: if cfg!(target_os = "linux") {
            "SSL_CERT_FILE names a file with other authorities than those of this machine; or download it by other \
             means and give the file"
        } else {
            "trust its authority on this machine, or download it by other means and give the file"
        },
    };
    match error {
        ureq::Error::StatusCode(code) => Trouble::new(format!("the server answers {}", status(*code))),
        ureq::Error::RequireHttpsOnly(_) => Trouble::new("it redirects to http, which is not encrypted"),
        ureq::Error::TooManyRedirects => Trouble::new(format!("it redirects more than {REDIRECTS} times")),
        ureq::Error::HostNotFound => Trouble::new("its host cannot be resolved"),
        ureq::Error::Timeout(Timeout::Connect) => {
            Trouble::new(format!("no connection within {}s", CONNECT.as_secs()))
        }
        ureq::Error::Timeout(_) => Trouble::new(format!("it did not come within {}s", timeout.as_secs())),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Trouble::new("the address is not a valid one"),
        ureq::Error::InvalidProxyUrl => Trouble::new("the address of the proxy is not a valid one"),
        ureq::Error::ConnectProxyFailed(_) => Trouble::new("the proxy did not open a connection"),
        ureq::Error::Protocol(_) => Trouble::new("what answers there does not speak HTTP as it should"),
        ureq::Error::Rustls(error) => tls(error),
        ureq::Error::Io(error) => {
            if let Some(error) = causes_of(error).iter().find_map(|cause| cause.downcast_ref()) {
                return tls(error);
            }
            Trouble::new(match error.kind() {
                ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    "there is no network route to it".to_owned()
                }
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    "the connection was closed before all of it had come".to_owned()
                }
                _ => error.to_string(),
            })
        }
        other => Trouble::new(other.to_string()),
    }
}

/// `404 Not Found`
fn status(code: u16) -> String {
    let status = http::StatusCode::from_u16(code).ok();
    match status.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{code} {reason}"),
        None => code.to_string(),
    }
}
