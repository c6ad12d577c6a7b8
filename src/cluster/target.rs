//! Which cluster is talked to and as whom, in the words of the kubeconfig: what error messages
//! about connections need to know.

/// Where requests go. Holds no secret.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// The cluster's name in the kubeconfig, or the server's host when only `--server` is given.
    pub name: String,
    /// The server's URL without a trailing slash.
    pub server: String,
    /// The context in use; None without a kubeconfig.
    pub context: Option<String>,
    /// Did `--context` choose it (true) or the kubeconfig's current-context?
    pub context_by_flag: bool,
    /// The user entry's name.
    pub user: Option<String>,
    /// How the user proves who they are.
    pub credentials: Credentials,
    /// The proxy in use.
    pub proxy: Option<Proxy>,
}

/// How a user proves who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Nothing in the kubeconfig.
    #[default]
    None,
    /// A token in the kubeconfig or from `--token`.
    Token,
    /// A token in a file, as pods have it.
    TokenFile,
    /// A client certificate.
    Certificate,
    /// User name and password.
    Basic,
    /// A credential plugin, by its command's name.
    Plugin { command: String, install_hint: Option<String> },
    /// The old `auth-provider`, by name.
    Provider(String),
}

/// A proxy and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// Its URL, password masked.
    pub url: String,
    /// `HTTPS_PROXY`, or `proxy-url in the kubeconfig`.
    pub origin: &'static str,
}

impl Target {
    /// `cluster "prod" at https://10.0.0.1:6443`.
    pub fn describe(&self) -> String {
        format!("cluster \"{}\" at {}", self.name, self.server)
    }

    /// The server's host name or address, without port.
    pub fn host(&self) -> &str {
        let authority = self.server.split("://").nth(1).unwrap_or(&self.server);
        let authority = authority.split('/').next().unwrap_or(authority);
        match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    /// Is the server on this machine?
    pub fn is_local(&self) -> bool {
        let host = self.host();
        host == "localhost" || host == "::1" || host.starts_with("127.")
    }
}
