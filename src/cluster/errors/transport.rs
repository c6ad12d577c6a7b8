//! Requests without an answer of a Kubernetes API server: connections, names, TLS, proxies.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use kube::client::AuthError;

use super::super::target::Target;
use super::tls::Tls;
use super::{causes_of, credentials};
use crate::error::Error;

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster) struct Transport {
    pub kind: Kind,
    /// May the request have reached the server? False for everything that fails while connecting.
    pub sent: bool,
}

/// The kinds of trouble on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster) enum Kind {
    Refused,
    /// No route, network down.
    NoRoute,
    Dns,
    ConnectTimeout,
    /// Connected, but no (complete) answer within the limit.
    NoAnswer(Duration),
    /// The connection broke or the answer was cut off.
    Broken,
    Tls(Tls),
    /// The proxy said this.
    Proxy(String),
    /// Refreshing the credentials failed.
    Credentials(credentials::Trouble),
    /// Answered, but not in HTTP.
    NotHttp,
    /// Answered with something that we do not take; fits "the answer about x …".
    Unusable(String),
    Other(String),
}

impl Transport {
    /// Dropped on purpose before there was an answer.
    pub fn dropped() -> Self {
        Self { kind: Kind::Broken, sent: true }
    }

    pub fn no_answer(limit: Duration) -> Self {
        Self { kind: Kind::NoAnswer(limit), sent: true }
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self { kind: Kind::Other(message.into()), sent: false }
    }

    /// An answer that is too large or too deep.
    pub fn unusable(what: impl Into<String>) -> Self {
        Self { kind: Kind::Unusable(what.into()), sent: true }
    }

    /// What is wrong with an answer that came.
    pub fn what_is_unusable(&self) -> Option<&str> {
        match &self.kind {
            Kind::Unusable(what) => Some(what),
            _ => None,
        }
    }

    /// An answer that ends in the middle.
    pub fn cut_off() -> Self {
        Self { kind: Kind::Broken, sent: true }
    }

    /// The body ended too early.
    pub fn truncated(error: &kube::Error) -> Self {
        let found = Self::from_kube(error);
        let kind = if matches!(found.kind, Kind::Other(_)) { Kind::Broken } else { found.kind };
        Self { kind, sent: true }
    }

    /// Finds the cause in what kube reports: the most specific error in the chain wins.
    pub fn from_kube(error: &kube::Error) -> Self {
        let chain = causes_of(error);
        let connecting = chain.iter().any(|e| {
            e.downcast_ref::<hyper_util::client::legacy::Error>()
                .is_some_and(hyper_util::client::legacy::Error::is_connect)
        });
        let kind = chain
            .iter()
            .rev()
            .find_map(|e| kind_of(*e))
            .unwrap_or_else(|| Kind::Other(chain.last().map_or_else(String::new, ToString::to_string)));
        let before_sending = connecting
            || matches!(
                kind,
                Kind::Refused
                    | Kind::NoRoute
                    | Kind::Dns
                    | Kind::ConnectTimeout
                    | Kind::Tls(_)
                    | Kind::Proxy(_)
                    | Kind::Credentials(_)
            );
        Self { kind, sent: !before_sending }
    }

    /// Can the same request succeed a moment later?
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            Kind::Refused
            | Kind::NoRoute
            | Kind::Dns
            | Kind::ConnectTimeout
            | Kind::NoAnswer(_)
            | Kind::Broken => true,
            Kind::Proxy(message) => !message.contains("authorization"),
            Kind::Tls(_) | Kind::Credentials(_) | Kind::NotHttp | Kind::Unusable(_) | Kind::Other(_) => false,
        }
    }

    /// Did the attempt use up its whole time limit? Then a quick second one is not quick.
    pub fn is_slow(&self) -> bool {
        matches!(self.kind, Kind::ConnectTimeout | Kind::NoAnswer(_))
    }

    /// In words.
    pub fn error(&self, target: &Target) -> Error {
        if let Kind::Credentials(trouble) = &self.kind {
            return trouble.error(target);
        }
        let error =
            Error::unreachable(format!("cannot reach the {}: {}", target.describe(), self.why(target)));
        match self.hint(target) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn why(&self, target: &Target) -> String {
        let by_proxy = |what: &str| match &target.proxy {
            Some(proxy) => format!("the proxy {} ({}) {what}", proxy.url, proxy.origin),
            None => format!("the proxy {what}"),
        };
        match &self.kind {
            Kind::Refused if target.proxy.is_some() => by_proxy("refuses connections"),
            Kind::Refused => "connection refused".into(),
            Kind::NoRoute => "there is no network route to it".into(),
            Kind::Dns if target.proxy.is_some() => by_proxy("has a name that cannot be resolved"),
            Kind::Dns => format!("the name {} cannot be resolved", target.host()),
            Kind::ConnectTimeout if target.proxy.is_some() => by_proxy("does not answer"),
            Kind::ConnectTimeout => "no connection within 10s".into(),
            Kind::NoAnswer(limit) => format!("no answer within {}s", limit.as_secs_f32().ceil()),
            Kind::Broken => "the connection was closed before the answer was complete".into(),
            Kind::Proxy(message) if message.contains("authorization") => {
                by_proxy("wants a user name and password")
            }
            Kind::Proxy(message) => by_proxy(&format!("did not open a connection ({message})")),
            Kind::NotHttp => "what answers there does not speak HTTP".into(),
            Kind::Tls(tls) => tls.why(target.host()),
            Kind::Credentials(_) => String::new(),
            Kind::Unusable(what) => format!("its answer {what}"),
            Kind::Other(message) => message.clone(),
        }
    }

    fn hint(&self, target: &Target) -> Option<String> {
        if let Kind::Tls(tls) = &self.kind {
            return Some(tls.hint(target));
        }
        if matches!(self.kind, Kind::NotHttp | Kind::Unusable(_) | Kind::Other(_)) {
            return None;
        }
        if let Some(proxy) = &target.proxy {
            return Some(if proxy.origin.ends_with("PROXY") || proxy.origin.ends_with("proxy") {
                format!(
                    "check {}; if the cluster needs no proxy, add {} to NO_PROXY",
                    proxy.origin,
                    target.host()
                )
            } else {
                format!("check {}", proxy.origin)
            });
        }
        if target.is_local() {
            return Some(
                "the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?"
                    .into(),
            );
        }
        match &target.context {
            Some(context) if target.context_by_flag => {
                Some(format!("--context is \"{context}\"; is a VPN or proxy needed?"))
            }
            Some(context) => {
                Some(format!("kubectl config current-context is \"{context}\"; is a VPN or proxy needed?"))
            }
            None => Some("is a VPN or proxy needed?".into()),
        }
    }
}

impl Tls {
    /// What to do where the server is a cluster's.
    fn hint(&self, target: &Target) -> String {
        match self {
            Self::UnknownIssuer => "the kubeconfig's certificate-authority-data may belong to an older cluster of that name: get the kubeconfig again, or name the authority with --certificate-authority".into(),
            Self::WrongName(names) => format!(
                "if it is the right server, name it with --tls-server-name {}",
                names.iter().find(|name| !name.contains('*')).map_or("NAME", String::as_str)
            ),
            Self::Expired => "renew the server's certificate (kubeadm certs renew apiserver), or set this machine's clock".into(),
            Self::NotYetValid => "is this machine's clock right?".into(),
            Self::PlainHttp => format!(
                "use http:// for the server of cluster \"{}\" in the kubeconfig, or --server",
                target.name
            ),
            Self::Other(_) => "does something between here and the cluster intercept TLS?".into(),
        }
    }
}

fn kind_of(error: &(dyn StdError + 'static)) -> Option<Kind> {
    if let Some(trouble) = error.downcast_ref::<credentials::Trouble>() {
        return Some(Kind::Credentials(trouble.clone()));
    }
    if let Some(auth) = error.downcast_ref::<AuthError>() {
        return Some(Kind::Credentials(credentials::Trouble::from_auth(auth)));
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(Kind::Tls(Tls::of(tls)));
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return match io.kind() {
            ErrorKind::ConnectionRefused => Some(Kind::Refused),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Some(Kind::NoRoute)
            }
            ErrorKind::TimedOut => Some(Kind::ConnectTimeout),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Some(Kind::Broken),
            _ => None,
        };
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
        if hyper.is_parse() {
            return Some(Kind::NotHttp);
        }
        return (hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed())
            .then_some(Kind::Broken);
    }
    // private types of hyper-util, recognised by their texts
    let text = error.to_string();
    if text.starts_with("dns error") {
        return Some(Kind::Dns);
    }
    if let Some(message) = text.strip_prefix("tunnel error: ") {
        return (!message.starts_with("failed to create")).then(|| Kind::Proxy(message.to_owned()));
    }
    text.to_ascii_lowercase().starts_with("socks").then_some(Kind::Proxy(text))
}

/// Something answered that is not a Kubernetes API server: a login page, a load balancer.
pub(super) fn foreign(target: &Target, code: u16, body: &str) -> Error {
    let body = body.trim();
    if body.contains("HTTP request to an HTTPS server") {
        return Error::unreachable(format!(
            "cannot reach the {}: it speaks https, not http",
            target.describe()
        ))
        .hint(format!(
            "use https:// for the server of cluster \"{}\" in the kubeconfig, or --server",
            target.name
        ));
    }
    let what = match page_title(body) {
        Some(title) => format!("a web page (\"{title}\")"),
        None if body.starts_with('<') => "a web page".into(),
        None if body.is_empty() => "nothing".into(),
        None => format!("\"{}\"", excerpt(body)),
    };
    let message = if code >= 500 {
        format!("cannot reach the {}: what stands before it answers {code} with {what}", target.describe())
    } else {
        format!("the {} is not a Kubernetes API server: it answers {code} with {what}", target.describe())
    };
    Error::unreachable(message).hint(match &target.proxy {
        Some(proxy) => format!("check the server's URL, and the proxy {} ({})", proxy.url, proxy.origin),
        None if code >= 500 => "the load balancer finds no API server: is the control plane up?".into(),
        None => "check the server's URL; a login page or a load balancer may answer in its place".into(),
    })
}

fn page_title(body: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(excerpt(body.get(start..end)?.trim())).filter(|title| !title.is_empty())
}

/// The first line, at most 120 characters, without control characters.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Building the client failed.
pub(in crate::cluster) fn client(target: &Target, error: &kube::Error) -> Error {
    match error {
        kube::Error::Auth(auth) => credentials::Trouble::from_auth(auth).error(target),
        kube::Error::ProxyProtocolUnsupported { .. } => {
            let (url, origin) =
                target.proxy.as_ref().map_or(("", "the proxy"), |p| (p.url.as_str(), p.origin));
            Error::unreachable(format!("{origin} is not a usable proxy address: \"{url}\""))
                .hint("use http://, https:// or socks5://")
        }
        kube::Error::RustlsTls(tls) => super::kubeconfig::tls_material(target, tls),
        kube::Error::HttpError(_) => Error::usage(
            "a name given with --as, --as-group or --as-uid holds characters that no user name can have",
        ),
        other => {
            let transport = Transport::from_kube(other);
            transport.error(target)
        }
    }
}
