//! Which proxy a connection goes through, by Go's rules, because kubectl follows them: the
//! cluster's own `proxy-url` always; else `HTTPS_PROXY` or `HTTP_PROXY` by the server's scheme,
//! unless the server is on this machine or in `NO_PROXY`. (kube compares `NO_PROXY` with the
//! proxy's address instead of the server's.) Whatever is configured is used or refused: nothing is left
//! out in silence.

use std::ffi::OsString;
use std::net::IpAddr;

use http::Uri;

use super::errors::kubeconfig::bad_proxy;
use super::target::Proxy;
use crate::Result;
use crate::url::{shown, well_formed};

/// The proxy for `server`, as kube takes it and as people read it.
pub(super) fn choose(
    server: &Uri,
    from_kubeconfig: Option<&str>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(Uri, Proxy)>> {
    if let Some(url) = from_kubeconfig.filter(|url| !url.is_empty()) {
        return parse(url, "proxy-url in the kubeconfig").map(Some);
    }
    of_environment(server, &[], env)
}

/// The proxy that the environment names for `server`; `others` are variables that count after those for
/// its scheme.
pub(crate) fn of_environment(
    server: &Uri,
    others: &[&'static str],
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(Uri, Proxy)>> {
    let names: [&'static str; 2] = if server.scheme_str() == Some("http") {
        ["HTTP_PROXY", "http_proxy"]
    } else {
        ["HTTPS_PROXY", "https_proxy"]
    };
    // what is not UTF-8 is no address, but it was meant as one
    let non_empty = |name: &str| {
        let value = env(name)?.to_string_lossy().into_owned();
        Some(value).filter(|value| !value.trim().is_empty())
    };
    let mut names = names.iter().chain(others);
    let Some((origin, url)) = names.find_map(|name| Some((*name, non_empty(name)?))) else {
        return Ok(None);
    };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let exceptions = non_empty("NO_PROXY").or_else(|| non_empty("no_proxy")).unwrap_or_default();
    if is_local(host) || is_exempt(host, port(server), &exceptions) {
        return Ok(None);
    }
    parse(url.trim(), origin).map(Some)
}

fn parse(url: &str, origin: &'static str) -> Result<(Uri, Proxy)> {
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let masked = shown(url);
    let uri: Uri = full.parse().map_err(|_| bad_proxy(origin, &masked))?;
    // socks5h differs from socks5 in who resolves names; the library lets the proxy do it for both
    let uri = match uri.scheme_str() {
        _ if !well_formed(&uri) => return Err(bad_proxy(origin, &masked)),
        Some("http" | "https" | "socks5") => uri,
        Some("socks5h") => {
            full.replacen("socks5h", "socks5", 1).parse().map_err(|_| bad_proxy(origin, &masked))?
        }
        _ => return Err(bad_proxy(origin, &masked)),
    };
    Ok((uri, Proxy { url: shown(&full), origin }))
}

fn port(server: &Uri) -> u16 {
    server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 })
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// golang.org/x/net/http/httpproxy: entries are `*`, an address, a CIDR block or a domain
/// (`.example.com` matches subdomains only), each with an optional port.
fn is_exempt(host: &str, port: u16, exceptions: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    let host = host.to_ascii_lowercase();
    exceptions.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|e| !e.is_empty()).any(
        |entry| {
            if entry == "*" {
                return true;
            }
            if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
                return in_block(address, network, bits);
            }
            if let Ok(exception) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
                return address == Some(exception);
            }
            let (name, wanted_port) = match entry.rsplit_once(':') {
                Some((name, digits)) => (name, digits.parse::<u16>().ok()),
                None => (entry.as_str(), None),
            };
            if wanted_port.is_some_and(|wanted| wanted != port) {
                return false;
            }
            if let Ok(exception) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
                return address == Some(exception);
            }
            let name = name.strip_prefix('*').unwrap_or(name);
            match name.strip_prefix('.') {
                Some(_) => host.ends_with(name),
                None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
            }
        },
    )
}

/// Is an address in a block of CIDR?
pub(crate) fn in_block(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let (a, b, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, env: &[(&str, &str)]) -> Option<String> {
        let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        choose(&server.parse().unwrap(), None, lookup).unwrap().map(|(_, proxy)| proxy.url)
    }

    #[test]
    fn the_environment_names_a_proxy_by_the_servers_scheme() {
        let env = [("HTTPS_PROXY", "http://p:3128"), ("HTTP_PROXY", "plain:80")];
        assert_eq!(chosen("https://10.0.0.1:6443", &env).as_deref(), Some("http://p:3128"));
        assert_eq!(chosen("http://10.0.0.1:8001", &env).as_deref(), Some("http://plain:80"));
        assert_eq!(chosen("https://127.0.0.1:6443", &env), None);
        assert_eq!(chosen("https://localhost:6443", &env), None);
    }

    #[test]
    fn no_proxy_is_compared_with_the_server() {
        for (exceptions, exempt) in [
            ("10.0.0.1", true),
            ("10.0.0.0/8", true),
            ("192.168.0.0/16, 10.0.0.0/24", true),
            ("10.0.0.1:6443", true),
            ("10.0.0.1:443", false),
            ("*", true),
            ("p", false),
            ("10.0.0.2", false),
        ] {
            let env = [("HTTPS_PROXY", "http://p:3128"), ("NO_PROXY", exceptions)];
            assert_eq!(chosen("https://10.0.0.1:6443", &env).is_none(), exempt, "{exceptions}");
        }
        for (exceptions, exempt) in [
            ("example.com", true),
            (".example.com", true),
            ("*.example.com", true),
            ("ample.com", false),
            ("api.example.com:443", true),
            ("api.example.com:6443", false),
        ] {
            let env = [("https_proxy", "p:3128"), ("no_proxy", exceptions)];
            assert_eq!(chosen("https://api.example.com", &env).is_none(), exempt, "{exceptions}");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_password() {
        let server = "https://10.0.0.1".parse().unwrap();
        let env = |name: &str| (name == "HTTPS_PROXY").then(|| OsString::from("ftp://bob:hunter2@p:1"));
        let error = choose(&server, None, env).unwrap_err();
        assert_eq!(
            error.to_string(),
            "HTTPS_PROXY is not a usable proxy address: \"ftp://p:1\"\n  \
             hint: for example http://proxy.example.com:3128, https:// or socks5://"
        );
    }

    #[test]
    fn what_cannot_be_used_is_named_and_never_passed_over() {
        let server = "https://10.0.0.1".parse().unwrap();
        for url in [
            "ftp://bob:hunter2@p:1",
            "http://bob:hun ter2@p",
            "http://",
            "bob:hunter2@",
            "http://bob:hunter2@p:port",
            "socks4://bob:hunter2@p:1",
            "http//bob:hunter2@p",
            "http:/bob:hunter2@p",
            "http://bob:hun/ter2@p",
            "http://[::1",
            "\u{fffd}",
        ] {
            for name in ["HTTPS_PROXY", "https_proxy"] {
                let error =
                    choose(&server, None, |n| (n == name).then(|| url.into())).unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("{name} is not a usable proxy address")),
                    "{url}: {error}"
                );
                assert!(!error.contains("ter2") && !error.contains("hun"), "{url}: {error}");
            }
            let error = choose(&server, Some(url), |_| None).unwrap_err().to_string();
            assert!(error.starts_with("proxy-url in the kubeconfig is not a usable"), "{url}: {error}");
            assert!(!error.contains("ter2") && !error.contains("hun"), "{url}: {error}");
        }
        // one that is not needed is not looked at
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some("ftp://p".into()),
            _ => Some("10.0.0.0/8".into()),
        };
        assert!(choose(&server, None, env).unwrap().is_none());
    }
}
