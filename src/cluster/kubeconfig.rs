//! Finds and reads the kubeconfig as kubectl does, applies the command line's flags, and answers
//! which server, which user, which certificates. No request is made here.
//!
//! kube's own loader is not used for this: it fails when a file of a `KUBECONFIG` list is missing,
//! applies no flags, and its errors show lines of the file, where tokens are.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use kube::config::{AuthInfo, Cluster as ClusterEntry, Context, Kubeconfig};

use super::errors::kubeconfig as errors;
use super::options::ConnectOptions;
use super::target::{Credentials, Target};
use crate::Result;
use crate::url::shown;

/// What the kubeconfig and the flags say together.
pub(super) struct Chosen {
    pub cluster: ClusterEntry,
    pub user: AuthInfo,
    /// The proxy is not known yet.
    pub target: Target,
}

/// What the process finds around it; a value, so that tests bring their own.
pub(super) struct Surroundings {
    /// `$KUBECONFIG`
    pub kubeconfig: Option<std::ffi::OsString>,
    /// `~`
    pub home: Option<PathBuf>,
}

impl Surroundings {
    pub fn of_process() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        }
    }
}

/// Reads and merges the files. None: there is none, and nothing asked for one.
pub(super) fn read(options: &ConnectOptions, around: &Surroundings) -> Result<Option<Kubeconfig>> {
    if let Some(path) = &options.kubeconfig {
        return Kubeconfig::read_from(path).map(Some).map_err(|e| errors::unusable(path, &e, true));
    }
    let mut merged: Option<Kubeconfig> = None;
    for path in candidates(around).into_iter().filter(|path| path.exists()) {
        let next = Kubeconfig::read_from(&path).map_err(|e| errors::unusable(&path, &e, false))?;
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|e| errors::unusable(&path, &e, false))?,
        });
    }
    Ok(merged)
}

/// The files to look at: those that `$KUBECONFIG` lists, else `~/.kube/config`.
pub(super) fn candidates(around: &Surroundings) -> Vec<PathBuf> {
    match &around.kubeconfig {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => around.home.iter().map(|home| home.join(".kube/config")).collect(),
    }
}

/// Chooses context, cluster and user, and lets the flags override what they say.
pub(super) fn choose(config: &Kubeconfig, options: &ConnectOptions) -> Result<Chosen> {
    let (context_name, context) = context(config, options)?;
    let referrer = context_name.as_deref().map(|name| format!("context \"{name}\""));
    let (cluster_name, mut cluster) = cluster(config, options, &context, referrer.as_deref())?;
    let (user_name, mut user) = user(config, options, &context, referrer.as_deref())?;
    override_cluster(&mut cluster, options);
    override_user(&mut user, options);
    if let Some(exec) = &mut user.exec
        && exec.provide_cluster_info
    {
        exec.cluster = (&cluster).try_into().ok();
    }
    let server = shown(cluster.server.as_deref().unwrap_or_default().trim_end_matches('/'));
    let mut target = Target {
        name: cluster_name.unwrap_or_default(),
        server,
        context: context_name,
        context_by_flag: options.context.is_some(),
        user: user_name,
        credentials: credentials(&user),
        proxy: None,
    };
    if target.name.is_empty() {
        target.name = target.host().to_owned();
    }
    Ok(Chosen { cluster, user, target })
}

fn context(config: &Kubeconfig, options: &ConnectOptions) -> Result<(Option<String>, Context)> {
    let known = || config.contexts.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let by_flag = options.context.as_ref();
    let name = by_flag.or(config.current_context.as_ref()).filter(|name| !name.is_empty());
    let Some(name) = name else {
        // without a context, flags must say everything
        return if options.server.is_some() || options.cluster.is_some() {
            Ok((None, Context::default()))
        } else {
            Err(errors::no_current_context(&known()))
        };
    };
    match config.contexts.iter().find(|c| &c.name == name).and_then(|c| c.context.clone()) {
        Some(context) => Ok((Some(name.clone()), context)),
        None => {
            let referrer = by_flag.is_none().then_some("current-context");
            Err(errors::unknown("context", name, &known(), referrer))
        }
    }
}

fn cluster(
    config: &Kubeconfig,
    options: &ConnectOptions,
    context: &Context,
    referrer: Option<&str>,
) -> Result<(Option<String>, ClusterEntry)> {
    let name = options.cluster.as_ref().unwrap_or(&context.cluster);
    if name.is_empty() && options.server.is_some() {
        return Ok((None, ClusterEntry::default()));
    }
    match config.clusters.iter().find(|c| &c.name == name).and_then(|c| c.cluster.clone()) {
        Some(cluster) => Ok((Some(name.clone()), cluster)),
        None => {
            let known: Vec<_> = config.clusters.iter().map(|c| c.name.clone()).collect();
            Err(errors::unknown("cluster", name, &known, referrer.filter(|_| options.cluster.is_none())))
        }
    }
}

fn user(
    config: &Kubeconfig,
    options: &ConnectOptions,
    context: &Context,
    referrer: Option<&str>,
) -> Result<(Option<String>, AuthInfo)> {
    let name = options.user.as_ref().or(context.user.as_ref()).filter(|name| !name.is_empty());
    let Some(name) = name else { return Ok((None, AuthInfo::default())) };
    match config.auth_infos.iter().find(|u| &u.name == name) {
        Some(user) => Ok((Some(name.clone()), user.auth_info.clone().unwrap_or_default())),
        // the flags bring what the entry would have brought
        None if options.token.is_some() || options.client_certificate.is_some() => {
            Ok((Some(name.clone()), AuthInfo::default()))
        }
        None => {
            let known: Vec<_> = config.auth_infos.iter().map(|u| u.name.clone()).collect();
            Err(errors::unknown("user", name, &known, referrer.filter(|_| options.user.is_none())))
        }
    }
}

fn override_cluster(cluster: &mut ClusterEntry, options: &ConnectOptions) {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    if let Some(server) = &options.server {
        cluster.server = Some(server.clone());
    }
    if let Some(path) = &options.certificate_authority {
        cluster.certificate_authority = Some(text(path));
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if options.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        // as with kubectl, the flag stands for itself: what the kubeconfig trusts does not count then
        if options.certificate_authority.is_none() {
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }
    if options.tls_server_name.is_some() {
        cluster.tls_server_name.clone_from(&options.tls_server_name);
    }
    if options.disable_compression {
        cluster.disable_compression = Some(true);
    }
}

fn override_user(user: &mut AuthInfo, options: &ConnectOptions) {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    if let Some(token) = &options.token {
        *user = AuthInfo {
            token: Some(token.clone().into()),
            client_certificate: user.client_certificate.take(),
            client_certificate_data: user.client_certificate_data.take(),
            client_key: user.client_key.take(),
            client_key_data: user.client_key_data.take(),
            ..AuthInfo::default()
        };
    }
    if let Some(path) = &options.client_certificate {
        user.client_certificate = Some(text(path));
        user.client_certificate_data = None;
    }
    if let Some(path) = &options.client_key {
        user.client_key = Some(text(path));
        user.client_key_data = None;
    }
    if options.as_user.is_some() {
        user.impersonate.clone_from(&options.as_user);
    }
    if options.as_uid.is_some() {
        user.impersonate_uid.clone_from(&options.as_uid);
    }
    if !options.as_groups.is_empty() {
        user.impersonate_groups = Some(options.as_groups.clone());
    }
}

/// In the order in which kube uses them.
fn credentials(user: &AuthInfo) -> Credentials {
    if let Some(provider) = &user.auth_provider {
        Credentials::Provider(provider.name.clone())
    } else if user.username.is_some() && user.password.is_some() {
        Credentials::Basic
    } else if user.token.is_some() {
        Credentials::Token
    } else if user.token_file.is_some() {
        Credentials::TokenFile
    } else if let Some(exec) = &user.exec {
        Credentials::Plugin {
            command: exec.command.clone().unwrap_or_default(),
            install_hint: exec.install_hint.clone(),
        }
    } else if user.client_certificate.is_some() || user.client_certificate_data.is_some() {
        Credentials::Certificate
    } else {
        Credentials::None
    }
}
