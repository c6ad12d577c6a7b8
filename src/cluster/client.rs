//! Builds the HTTP client: TLS material, proxy, impersonation, credentials, user agent. kube's
//! own retry is off, see [`super::retry`].

use std::path::Path;
use std::time::Duration;

use http::Uri;
use http::header::USER_AGENT;
use kube::config::{Cluster as ClusterEntry, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::connections::Connections;
use super::errors::{self, Trouble, kubeconfig as problems};
use super::kubeconfig::Chosen;
use super::options::ConnectOptions;
use super::plugin::{Credential, Plugin, Tokens};
use super::proxy;
use super::target::{Credentials, Target};
use crate::object::labels::MANAGER;
use crate::object::unbase64;
use crate::url::{shown, well_formed};
use crate::{Error, Result};

/// A host that does not answer on TCP at all is given up after this.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A credential plugin that takes longer is named.
const PATIENCE: Duration = Duration::from_secs(3);

/// The client and what it talks to. Runs the credential plugin, which may ask on the terminal;
/// `waiting` is told its name when that takes long.
pub(super) async fn build(
    chosen: Chosen,
    options: &ConnectOptions,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<(Connections, Target)> {
    let Chosen { cluster, user, mut target } = chosen;
    check_identity(&user, options)?;
    let mut config = Config::new(server(&cluster, &target, &user, options)?);
    target.server = shown(config.cluster_url.to_string().trim_end_matches('/'));
    config.root_cert = authority(&cluster, options)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    if config.accept_invalid_certs && config.root_cert.is_some() {
        return Err(Error::usage(format!(
            "cluster \"{}\" has a certificate authority, and insecure-skip-tls-verify, which would ignore it",
            target.name
        ))
        .hint("leave one of them out: either the server's certificate is checked, or it is not"));
    }
    config.tls_server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    use_proxy(&mut config, &mut target, cluster.proxy_url.as_deref())?;
    config.auth_info = user;
    let exec = config.auth_info.exec.take();
    let plugin = exec
        .filter(|_| matches!(target.credentials, Credentials::Plugin { .. }))
        .map(|exec| Plugin::new(exec, options.plugin_said.clone()));
    let tokens = match plugin {
        Some(plugin) => {
            let limit = options.request_timeout.filter(|limit| !limit.is_zero());
            let first = patiently(&plugin, limit, waiting).await.map_err(|trouble| trouble.error(&target))?;
            first.put_certificate_into(&mut config.auth_info);
            // a renewal is part of a request, and is over before that is given up
            let limit = limit.unwrap_or(super::ATTEMPT_LIMIT).mul_f32(0.9);
            first.has_token().then(|| Tokens::new(plugin, first, limit))
        }
        None => None,
    };
    finish(config, target, tokens).await
}

fn use_proxy(config: &mut Config, target: &mut Target, from_kubeconfig: Option<&str>) -> Result<()> {
    let chosen = proxy::choose(&config.cluster_url, from_kubeconfig, |name| std::env::var_os(name))?;
    if let Some((url, proxy)) = chosen {
        config.proxy_url = Some(url);
        target.proxy = Some(proxy);
    }
    Ok(())
}

/// Runs a plugin for the first time. It may wait for a person, so only `--request-timeout` ends it; who
/// has waited for [`PATIENCE`] is told for what.
async fn patiently(
    plugin: &Plugin,
    limit: Option<Duration>,
    waiting: &(dyn Fn(&str) + Sync),
) -> Result<Credential, Trouble> {
    let run = plugin.run(limit);
    tokio::pin!(run);
    tokio::select! {
        done = &mut run => return done,
        () = tokio::time::sleep(PATIENCE) => waiting(plugin.command()),
    }
    run.await
}

/// The client of a pod: the service account's token, the cluster's internal address.
pub(super) async fn in_cluster() -> Result<(Connections, Target)> {
    let mut config = Config::incluster().map_err(|e| {
        Error::unreachable(format!("the service account of this pod cannot be used: {e}"))
            .hint("mount its token (automountServiceAccountToken), or name a kubeconfig with --kubeconfig")
    })?;
    let mut target = Target {
        name: "in-cluster".into(),
        server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
        credentials: Credentials::TokenFile,
        ..Target::default()
    };
    use_proxy(&mut config, &mut target, None)?;
    finish(config, target, None).await
}

async fn finish(mut config: Config, target: Target, tokens: Option<Tokens>) -> Result<(Connections, Target)> {
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.default_retry = false;
    let agent = concat!("kubectl-obs/", env!("CARGO_PKG_VERSION"));
    debug_assert!(agent.starts_with(MANAGER));
    config.headers.push((USER_AGENT, http::HeaderValue::from_static(agent)));
    // off the async threads: files are read
    let runtime = tokio::runtime::Handle::current();
    let built = tokio::task::spawn_blocking(move || {
        let _guard = runtime.enter();
        Connections::build(config, tokens)
    })
    .await
    .map_err(|_| errors::plugin_failed(&target, "their preparation was interrupted"))?;
    match built {
        Ok(connections) => Ok((connections, target)),
        Err(error) => Err(errors::client_error(&target, &error)),
    }
}

/// The server's address. Without a scheme it is https where TLS is spoken of, as in client-go.
fn server(
    cluster: &ClusterEntry,
    target: &Target,
    user: &kube::config::AuthInfo,
    options: &ConnectOptions,
) -> Result<Uri> {
    let text = cluster.server.as_deref().unwrap_or_default().trim();
    let by_flag = options.server.is_some();
    let bad = || problems::bad_server(&target.name, &shown(text), by_flag);
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        let tls = cluster.certificate_authority.is_some()
            || cluster.certificate_authority_data.is_some()
            || cluster.insecure_skip_tls_verify == Some(true)
            || user.client_certificate.is_some()
            || user.client_certificate_data.is_some();
        format!("{}://{text}", if tls { "https" } else { "http" })
    };
    let uri: Uri = full.parse().map_err(|_| bad())?;
    let usable = matches!(uri.scheme_str(), Some("http" | "https")) && well_formed(&uri);
    if usable { Ok(uri) } else { Err(bad()) }
}

/// The authority's certificates in DER; None: those of the operating system.
fn authority(cluster: &ClusterEntry, options: &ConnectOptions) -> Result<Option<Vec<Vec<u8>>>> {
    const WHAT: &str = "certificate authority";
    let by_flag = options.certificate_authority.is_some();
    let (pem, place) = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) if !data.is_empty() => {
            let place = "in the kubeconfig (certificate-authority-data)";
            (
                decode(data)
                    .ok_or_else(|| problems::bad_material(WHAT, place, "it is not base64", by_flag))?,
                place.to_owned(),
            )
        }
        (_, Some(path)) if !path.is_empty() => (read(WHAT, path, by_flag)?, path.clone()),
        _ => return Ok(None),
    };
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| problems::bad_material(WHAT, &place, "it is not in PEM form", by_flag))?
        .into_iter()
        .map(|certificate| certificate.to_vec())
        .collect();
    if certificates.is_empty() {
        return Err(problems::bad_material(WHAT, &place, "it holds no certificate", by_flag));
    }
    Ok(Some(certificates))
}

/// kube ignores a client certificate that it cannot read and goes on without; the server's 401
/// would then mislead.
fn check_identity(user: &kube::config::AuthInfo, options: &ConnectOptions) -> Result<()> {
    let files = [
        (
            "client certificate",
            &user.client_certificate,
            &user.client_certificate_data,
            options.client_certificate.is_some(),
        ),
        ("client key", &user.client_key, &None, options.client_key.is_some()),
    ];
    for (what, path, data, by_flag) in files {
        let inline = data.is_some() || (what == "client key" && user.client_key_data.is_some());
        if let (Some(path), false) = (path, inline) {
            read(what, path, by_flag)?;
        }
    }
    let has_certificate = user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let has_key = user.client_key.is_some() || user.client_key_data.is_some();
    match (has_certificate, has_key) {
        (true, false) => Err(Error::usage("a client certificate needs its key").hint("add --client-key")),
        (false, true) => {
            Err(Error::usage("a client key needs its certificate").hint("add --client-certificate"))
        }
        _ => Ok(()),
    }
}

fn read(what: &str, path: &str, by_flag: bool) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|io| problems::unreadable_material(what, Path::new(path), &io, by_flag))
}

/// Base64 that may be folded.
fn decode(data: &str) -> Option<Vec<u8>> {
    let compact: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    unbase64(&compact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubeconfig;

    async fn connect(exec: &str) -> Result<(Connections, Target)> {
        let config = format!(
            "{{apiVersion: v1, kind: Config, current-context: a, contexts: [{{name: a, context: {{cluster: a, user: a}}}}], \
             clusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:1'}}}}], users: [{{name: a, user: {{exec: {exec}}}}}]}}"
        );
        let options = ConnectOptions::default();
        let config = kube::config::Kubeconfig::from_yaml(&config).unwrap();
        build(kubeconfig::choose(&config, &options)?, &options, &|_| {}).await
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_credential_plugin_runs_once() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let answer = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}"#;
        let script = format!("echo run >> {}; echo '{answer}'", runs.display()).replace('\'', "''");
        let exec = format!(
            "{{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '{script}'], interactiveMode: Never}}"
        );
        connect(&exec).await.unwrap();
        assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
    }

    #[tokio::test]
    async fn a_missing_plugin_is_named_with_its_install_hint() {
        let exec = "{apiVersion: client.authentication.k8s.io/v1, command: obs-no-such-plugin, installHint: 'get it at example.com'}";
        assert_eq!(
            connect(exec).await.err().unwrap().to_string(),
            "the credential plugin \"obs-no-such-plugin\" of user \"a\" is not installed\n  hint: get it at example.com"
        );
    }

    #[test]
    fn base64_may_be_folded() {
        assert_eq!(decode("aGVs\n bG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode("%%"), None);
    }
}
