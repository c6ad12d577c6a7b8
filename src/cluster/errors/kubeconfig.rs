//! Everything that can be wrong with a kubeconfig before any request is made.

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use kube::client::RustlsTlsError;
use kube::config::KubeconfigError;

use super::super::target::Target;
use super::credentials::plain;
use crate::error::{Error, Exit, Result};
use crate::values::did_you_mean;

const HOW_TO_GET_ONE: &str = "name one with --kubeconfig FILE; managed clusters write it for you: aws eks update-kubeconfig, gcloud container clusters get-credentials, az aks get-credentials";

/// No file anywhere. `looked_at`: the files that `$KUBECONFIG` names, or the default one.
pub(in crate::cluster) fn none_found(looked_at: &[PathBuf], from_env: bool) -> Error {
    let files = looked_at.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let why = match (looked_at.len(), from_env) {
        (0, _) => "there is no home directory to look in".to_owned(),
        (1, true) => format!("KUBECONFIG names {files}, which does not exist"),
        (_, true) => format!("KUBECONFIG names {files}, and none of them exists"),
        (_, false) => format!("KUBECONFIG is not set and {files} does not exist"),
    };
    Error::unreachable(format!("no kubeconfig found: {why}")).hint(HOW_TO_GET_ONE)
}

/// Is there an end to this file before `limit`? Pipes are the business of who made them.
pub(in crate::cluster) fn check_file(path: &Path, limit: u64) -> Result<()> {
    let Ok(file) = std::fs::metadata(path) else { return Ok(()) };
    // a device does not say how much there is; /dev/null, which stands for no kubeconfig, has nothing
    let is_device = file.file_type().is_char_device() || file.file_type().is_block_device();
    let length = match is_device {
        true => std::fs::File::open(path)
            .and_then(|file| std::io::copy(&mut file.take(limit + 1), &mut std::io::sink()))
            .unwrap_or_default(),
        false => file.len(),
    };
    if length <= limit {
        return Ok(());
    }
    let why = format!("it is larger than {} MiB", limit >> 20);
    Err(Error::usage(format!("cannot read the kubeconfig {}: {why}", path.display())).hint(HOW_TO_GET_ONE))
}

/// A file that cannot be read or understood. With `by_flag` it is the command line that is wrong.
pub(in crate::cluster) fn unusable(path: &Path, error: &KubeconfigError, by_flag: bool) -> Error {
    let path = path.display();
    let exit = if by_flag { Exit::Usage } else { Exit::Unreachable };
    match error {
        KubeconfigError::ReadConfig(io, _) => {
            Error::new(exit, format!("cannot read the kubeconfig {path}: {}", plain(io)))
        }
        // the YAML library's own text shows the lines around, where tokens are
        KubeconfigError::Parse(yaml) => {
            let place = yaml.location().map(|l| format!(", line {} column {}", l.line(), l.column()));
            Error::new(exit, format!("the kubeconfig {path} is not valid{}", place.unwrap_or_default()))
                .hint(format!("kubectl config view --kubeconfig {path} says more"))
        }
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            Error::new(exit, format!("the kubeconfig {path} is not an apiVersion v1, kind Config document"))
        }
        other => Error::new(exit, format!("the kubeconfig {path} cannot be used: {other}")),
    }
}

/// The kubeconfig names no current context and the command line none either.
pub(in crate::cluster) fn no_current_context(contexts: &[String]) -> Error {
    let error = Error::unreachable("the kubeconfig sets no current context");
    if contexts.is_empty() {
        return error.hint("it defines no context at all: get it again from where you got it");
    }
    error.hint(format!("choose one with --context: {}", listed(contexts)))
}

/// A context, cluster or user that the kubeconfig does not define. `referrer`: what refers to it,
/// `context "prod"`; None when a flag does.
pub(in crate::cluster) fn unknown(what: &str, name: &str, known: &[String], referrer: Option<&str>) -> Error {
    let error = match referrer {
        None => Error::usage(format!("the kubeconfig has no {what} \"{name}\"")),
        Some(referrer) => Error::unreachable(format!(
            "{referrer} in the kubeconfig refers to the {what} \"{name}\", which it does not define"
        )),
    };
    match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(near) if known.len() == 1 => error.hint(format!("did you mean \"{near}\"?")),
        Some(near) => error.hint(format!("did you mean \"{near}\"? {what}s: {}", listed(known))),
        None if known.is_empty() => error.hint(format!("it has no {what}s")),
        None => error.hint(format!("{what}s: {}", listed(known))),
    }
}

/// The server's URL cannot be used.
pub(in crate::cluster) fn bad_server(cluster: &str, url: &str, by_flag: bool) -> Error {
    if by_flag {
        return Error::usage(format!("--server is not a URL: \"{url}\""))
            .hint("for example https://10.0.0.1:6443");
    }
    if url.is_empty() {
        return Error::unreachable(format!("the kubeconfig gives no server for the cluster \"{cluster}\""));
    }
    Error::unreachable(format!(
        "the server of the cluster \"{cluster}\" in the kubeconfig is not a URL: \"{url}\""
    ))
    .hint("for example https://10.0.0.1:6443")
}

/// The proxy's address cannot be used.
pub(in crate::cluster) fn bad_proxy(origin: &str, url: &str) -> Error {
    Error::unreachable(format!("{origin} is not a usable proxy address: \"{url}\""))
        .hint("for example http://proxy.example.com:3128, https:// or socks5://")
}

/// A certificate, key or authority that cannot be read. `what`: `certificate authority`.
pub(in crate::cluster) fn bad_material(what: &str, place: &str, why: &str, by_flag: bool) -> Error {
    let exit = if by_flag { Exit::Usage } else { Exit::Unreachable };
    Error::new(exit, format!("cannot use the {what} {place}: {why}"))
}

/// The same for a file, with the words of the operating system.
pub(in crate::cluster) fn unreadable_material(
    what: &str,
    path: &Path,
    io: &std::io::Error,
    by_flag: bool,
) -> Error {
    bad_material(what, &path.display().to_string(), &plain(io), by_flag)
}

/// Certificates that the TLS library does not take.
pub(in crate::cluster) fn tls_material(target: &Target, error: &RustlsTlsError) -> Error {
    let user = target.user.as_deref().map(|user| format!(" of user \"{user}\"")).unwrap_or_default();
    let why = match error {
        RustlsTlsError::MissingPrivateKey | RustlsTlsError::UnknownPrivateKeyFormat => {
            format!("the client key{user} is not a private key in PEM form (PKCS#8, PKCS#1 or SEC1)")
        }
        RustlsTlsError::MissingCertificate => format!("the client certificate{user} holds no certificate"),
        RustlsTlsError::InvalidIdentityPem(_) => {
            format!("the client certificate and key{user} are not in PEM form")
        }
        RustlsTlsError::InvalidPrivateKey(_) => {
            format!("the client key{user} does not belong to the client certificate")
        }
        RustlsTlsError::InvalidServerName(_) => "--tls-server-name is not a host name".to_owned(),
        _ => "the certificate authority is not a usable certificate".to_owned(),
    };
    Error::unreachable(format!("no connection to the cluster \"{}\" can be set up: {why}", target.name))
}

/// At most ten names.
fn listed(names: &[String]) -> String {
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(10);
    let list = names.into_iter().take(10).collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
