//! Who you are, and why the cluster does not believe it: refused, missing and failing credentials.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use kube::client::AuthError;

use super::super::target::{Credentials, Target};
use crate::error::Error;

/// What keeps the credentials from being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster) enum Trouble {
    /// The plugin's program is not there.
    PluginMissing,
    /// It cannot be started for another reason.
    PluginNotStarted(String),
    /// It ended in failure: the exit status in words, and what it wrote to stderr.
    PluginFailed { status: String, stderr: String },
    /// It succeeded and wrote something else than a credential.
    PluginAnswer,
    /// It was given up after this.
    PluginSilent(Duration),
    /// Anything else, in kube's words.
    Other(String),
}

impl Trouble {
    /// Stdout and the arguments are left out: they can hold tokens.
    pub fn from_auth(error: &AuthError) -> Self {
        match error {
            AuthError::AuthExecStart(io) => Self::from_start(io),
            AuthError::AuthExecRun { out, .. } => Self::PluginFailed {
                status: out.status.to_string().replace("exit status: ", "exit status "),
                stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
            },
            AuthError::AuthExecParse(_)
            | AuthError::ExecPluginFailed
            | AuthError::MalformedTokenExpirationDate(_)
            | AuthError::UnrefreshableTokenResponse => Self::PluginAnswer,
            AuthError::ReadTokenFile(io, path) => {
                Self::Other(format!("cannot read the token file {}: {}", path.display(), plain(io)))
            }
            AuthError::AuthExec(message) => {
                Self::Other(message.lines().next().unwrap_or_default().to_owned())
            }
            AuthError::MissingCommand => Self::Other("the kubeconfig's exec entry names no command".into()),
            // kube's texts of these end in that of their source; the source alone is plainer
            other => Self::Other(other.source().map_or_else(|| other.to_string(), ToString::to_string)),
        }
    }

    /// It could not be started.
    pub fn from_start(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::PluginMissing,
            _ => Self::PluginNotStarted(error.to_string()),
        }
    }

    /// In words.
    pub fn error(&self, target: &Target) -> Error {
        let user = target.user.as_deref().map(|user| format!(" of user \"{user}\"")).unwrap_or_default();
        let (command, install_hint) = match &target.credentials {
            Credentials::Plugin { command, install_hint } => (command.as_str(), install_hint.as_deref()),
            _ => ("", None),
        };
        match self {
            Self::PluginMissing => {
                Error::unreachable(format!("the credential plugin \"{command}\"{user} is not installed"))
                    .hint(
                        install_hint
                            .map(|hint| hint.trim().to_owned())
                            .filter(|hint| !hint.is_empty())
                            .unwrap_or(
                                "install it, or put it on the PATH; kubectl needs it for this cluster too"
                                    .into(),
                            ),
                    )
            }
            Self::PluginNotStarted(why) => Error::unreachable(format!(
                "the credential plugin \"{command}\"{user} cannot be started: {why}"
            )),
            Self::PluginFailed { status, stderr } => {
                let error = Error::unreachable(format!(
                    "the credential plugin \"{command}\"{user} failed ({status})"
                ));
                let said: Vec<_> = stderr.lines().filter(|line| !line.trim().is_empty()).take(5).collect();
                let error = if said.is_empty() { error } else { error.detail(said.join("\n")) };
                error.hint("is a login needed? kubectl get --raw /version shows the same")
            }
            Self::PluginAnswer => Error::unreachable(format!(
                "the credential plugin \"{command}\"{user} wrote something else than an ExecCredential"
            ))
            .hint("is its version right for the apiVersion in the kubeconfig's exec entry?"),
            Self::PluginSilent(limit) => Error::unreachable(format!(
                "the credential plugin \"{command}\"{user} wrote nothing within {}s",
                limit.as_secs_f64()
            ))
            .hint("does it wait for a login? kubectl get --raw /version runs it, too")
            .hint("--request-timeout gives it longer"),
            Self::Other(message) => Error::unreachable(format!(
                "no credentials for the cluster \"{}\"{}: {message}",
                target.name,
                user.replace(" of", " from")
            )),
        }
    }
}

/// For the way through the client; what a person reads is [`Trouble::error`].
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credentials")
    }
}

impl StdError for Trouble {}

/// 401, or 403 for the anonymous user: the server does not know who asks.
pub(in crate::cluster) fn refused(target: &Target) -> Error {
    let user = target.user.as_deref().map(|user| format!(" of user \"{user}\"")).unwrap_or_default();
    let error = |what: String| Error::unreachable(format!("the {} {what}", target.describe()));
    match &target.credentials {
        Credentials::None => error("wants credentials, and the kubeconfig has none for this context".into())
            .hint("get the kubeconfig again, or choose a user with --user or --token"),
        Credentials::Token => error(format!("does not accept the token{user}"))
            .hint("it has expired, or belongs to another cluster: get a new one"),
        Credentials::TokenFile => error(format!("does not accept the token in the token file{user}"))
            .hint("it has expired, or belongs to another cluster: get a new one"),
        Credentials::Certificate => error(format!("does not accept the client certificate{user}"))
            .hint("it has expired, or belongs to another cluster: get the kubeconfig again"),
        Credentials::Basic => error(format!("does not accept the user name and password{user}"))
            .hint("Kubernetes has had no password login since 1.19: get a token"),
        Credentials::Plugin { command, .. } => {
            error(format!("does not accept what the credential plugin \"{command}\" delivers{user}"))
                .hint("log in again; or has this account no access to the cluster?")
        }
        Credentials::Provider(name) => {
            error(format!("does not accept what the auth provider \"{name}\" delivers{user}"))
                .hint("log in again; kubectl config view shows the entry")
        }
    }
}

/// Building the client failed while the credential plugin ran.
pub(in crate::cluster) fn plugin_failed(target: &Target, why: &str) -> Error {
    Trouble::Other(why.to_owned()).error(target)
}

/// An I/O error without the `(os error 2)` that Rust appends.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
