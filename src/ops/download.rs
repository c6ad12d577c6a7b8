//! Downloads a file by https: within a time, up to a size, never by way of an address that is not
//! https, through the proxy that the environment names for each host on the way; and says in a person's
//! words why it did not come. [`ask`] is one request of any kind to a server outside of the cluster.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use http::header::LOCATION;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy, Timeout};

use crate::bundle::archive::MAX_TOTAL;
use crate::cluster::{Tls, causes_of, proxy_of_environment};

/// For the whole download.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// A host that does not answer on TCP at all is given up after this.
const CONNECT: Duration = Duration::from_secs(10);
const REDIRECTS: u32 = 5;
/// Variables beside HTTPS_PROXY: curl's.
const PROXIES: [&str; 2] = ["ALL_PROXY", "all_proxy"];

/// Why a file did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Fits "https://…: cannot be downloaded: …".
    pub why: String,
    /// What to do.
    pub hint: String,
}

impl Trouble {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            hint: "check address and proxy, or download it by other means and give the file".into(),
        }
    }

    fn too_large() -> Self {
        Self::new(format!("it is larger than {} MiB", MAX_TOTAL >> 20))
    }
}

/// The file at `url`. `roots` says whom to trust, `timeout` is for everything together, `env` knows the
/// variables that name proxies.
pub fn get(
    url: &str,
    roots: RootCerts,
    timeout: Duration,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<u8>, Trouble> {
    let end = Instant::now() + timeout;
    let invalid = || Trouble::new("the address is not a valid one");
    let mut address: Uri = url.parse().map_err(|_| invalid())?;
    // here and not in the library: another host may need another proxy, or none
    for _ in 0..=REDIRECTS {
        let left = end.saturating_duration_since(Instant::now());
        let agent = agent(&roots, left, proxy(&address, env)?);
        let response = agent.get(&address).call().map_err(|error| trouble(&error, timeout))?;
        if !response.status().is_redirection() {
            return body(response.into_body(), timeout);
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        address = location.and_then(|location| joined(&address, location)).ok_or_else(|| {
            Trouble::new(format!("the server answers {} and no address", status(response.status().as_u16())))
        })?;
    }
    Err(Trouble::new(format!("it redirects more than {REDIRECTS} times")))
}

/// One request, and its answer whatever its status: redirects are not followed, since what goes with the
/// request is for that server alone. `insecure`: its certificate is not looked at.
pub fn ask(
    request: http::Request<Vec<u8>>,
    (roots, insecure): (RootCerts, bool),
    timeout: Duration,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(u16, Vec<u8>), Trouble> {
    let proxy = proxy(request.uri(), env)?;
    let config = config(tls(&roots, insecure), timeout, proxy).https_only(false).http_status_as_error(false);
    let answer = config.build().new_agent().run(request).map_err(|error| trouble(&error, timeout))?;
    let status = answer.status().as_u16();
    Ok((status, body(answer.into_body(), timeout)?))
}

fn agent(roots: &RootCerts, timeout: Duration, proxy: Option<Proxy>) -> Agent {
    config(tls(roots, false), timeout, proxy).https_only(true).build().new_agent()
}

fn tls(roots: &RootCerts, insecure: bool) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(roots.clone())
        .disable_verification(insecure)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn config(tls: TlsConfig, timeout: Duration, proxy: Option<Proxy>) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .max_redirects(0)
        .proxy(proxy)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT))
        .tls_config(tls)
        .user_agent(concat!("kubectl-obs/", env!("CARGO_PKG_VERSION")))
}

/// The proxy for an address. One that is named and cannot be used is an error: whoever named it does not
/// want a direct connection.
fn proxy(address: &Uri, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Proxy>, Trouble> {
    let named = proxy_of_environment(address, &PROXIES, env)
        .map_err(|error| Trouble { why: error.message().to_owned(), hint: error.hints().join("\n") })?;
    let Some((uri, shown)) = named else { return Ok(None) };
    let unusable = || Trouble {
        why: format!(
            "{} is \"{}\", and only proxies of http and https can be used here",
            shown.origin, shown.url
        ),
        hint: "set HTTPS_PROXY to one of them, or download it by other means and give the file".into(),
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(unusable());
    }
    Proxy::new(&uri.to_string()).map(Some).map_err(|_| unusable())
}

/// Where a redirect leads (RFC 3986, 5.2). The next address has no credentials of the one before.
fn joined(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or(location);
    if location.contains("://") {
        return location.parse().ok();
    }
    let host = base.authority()?.as_str().rsplit('@').next()?;
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let full = match location {
        other if other.starts_with("//") => format!("https:{other}"),
        path if path.starts_with('/') => format!("https://{host}{path}"),
        query if query.starts_with('?') => format!("https://{host}{}{query}", base.path()),
        relative => format!("https://{host}{folder}/{relative}"),
    };
    full.parse().ok()
}

fn body(body: ureq::Body, timeout: Duration) -> Result<Vec<u8>, Trouble> {
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
    let tls = |tls: &rustls::Error| {
        Trouble {
        why: Tls::of(tls).why("this address"),
        hint: if cfg!(target_os = "linux") {
            "SSL_CERT_FILE names a file with other authorities than those of this machine; or download it by other \
             means and give the file"
        } else {
            "trust its authority on this machine, or download it by other means and give the file"
        }
        .into(),
    }
    };
    match error {
        ureq::Error::StatusCode(code) => Trouble::new(format!("the server answers {}", status(*code))),
        ureq::Error::RequireHttpsOnly(_) => Trouble::new("it redirects to http, which is not encrypted"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(address: &str, env: &[(&str, &str)]) -> Result<Option<String>, Trouble> {
        let lookup =
            |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        let proxy = proxy(&address.parse().unwrap(), &lookup)?;
        Ok(proxy.map(|proxy| proxy.uri().to_string()))
    }

    #[test]
    fn a_proxy_that_is_named_is_used_or_refused() {
        let p = Ok(Some("http://p:3128/".to_owned()));
        for (env, expected) in [
            (&[][..], Ok(None)),
            (&[("HTTPS_PROXY", "http://p:3128")], p.clone()),
            (&[("https_proxy", "p:3128")], p.clone()),
            (&[("ALL_PROXY", "p:3128")], p.clone()),
            (&[("HTTP_PROXY", "p:3128")], Ok(None)),
            (&[("HTTPS_PROXY", "p:3128"), ("NO_PROXY", "example.com")], Ok(None)),
            (&[("HTTPS_PROXY", "p:3128"), ("no_proxy", "10.0.0.0/8,*.example.com")], Ok(None)),
            (&[("HTTPS_PROXY", "p:3128"), ("NO_PROXY", "other.com")], p),
        ] {
            assert_eq!(chosen("https://x.example.com/x.tgz", env), expected, "{env:?}");
        }
        for url in
            ["socks5://u:hunter2@p:1", "ftp://u:hunter2@p:1", "http://u:hunter2@", "http://u:hun/ter2@p"]
        {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let trouble = chosen("https://host/x.tgz", &[(name, url)]).unwrap_err();
                assert!(trouble.why.starts_with(&format!("{name} is ")), "{trouble:?}");
                assert!(!trouble.why.contains("hun"), "{trouble:?}");
            }
        }
    }

    #[test]
    fn a_redirect_leads_where_it_says() {
        let base = "https://u:p@host:8443/a/b?c".parse().unwrap();
        for (location, expected) in [
            ("https://other/x#f", "https://other/x"),
            ("http://other/x", "http://other/x"),
            ("//other/x", "https://other/x"),
            ("/x?y", "https://host:8443/x?y"),
            ("x", "https://host:8443/a/x"),
            ("?y", "https://host:8443/a/b?y"),
        ] {
            assert_eq!(joined(&base, location).unwrap(), expected);
        }
    }
}
