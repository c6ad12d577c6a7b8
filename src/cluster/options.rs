//! What a person says about which cluster to talk to and as whom: kubectl's connection flags.

use std::path::PathBuf;
use std::time::Duration;

use super::plugin::Said;

/// kubectl's connection flags (`kubectl options`); everything left out comes from the kubeconfig.
/// It has no `Debug`: it holds a token.
#[derive(Clone, Default)]
pub struct ConnectOptions {
    /// `--kubeconfig`: this file only. None: `$KUBECONFIG` (a list), then `~/.kube/config`, then
    /// the service account of the pod that the tool runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `--server`
    pub server: Option<String>,
    /// `--token`
    pub token: Option<String>,
    /// `--as`
    pub as_user: Option<String>,
    /// `--as-group`, repeatable
    pub as_groups: Vec<String>,
    /// `--as-uid`
    pub as_uid: Option<String>,
    /// `--certificate-authority`
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`
    pub client_key: Option<PathBuf>,
    /// `--tls-server-name`
    pub tls_server_name: Option<String>,
    /// `--insecure-skip-tls-verify`
    pub insecure_skip_tls_verify: bool,
    /// `--disable-compression`
    pub disable_compression: bool,
    /// `--request-timeout`, for each attempt at a request; None or zero: 30 s.
    pub request_timeout: Option<Duration>,
    /// Is told what a credential plugin writes to stderr while it runs. None: it is heard when it fails.
    pub plugin_said: Option<Said>,
}
