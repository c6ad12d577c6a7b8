//! One file per verb: arguments → operation → print. Nothing here decides anything about a
//! cluster, and nothing in `ops` prints.

mod alerts;
mod apps;
pub mod bundle;
mod change;
pub mod completion;
mod dashboards;
mod diff;
mod doctor;
mod drift;
mod explain;
mod get;
mod history;
mod list;
mod logs;
mod objects;
mod open;
mod password;
mod port_forward;
mod rollout;
mod search;
mod status;
mod support;
pub mod template;
mod uninstall;
mod version;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::cli::{Cli, Command, Global, Output};
use crate::cluster::{Cluster, ConnectOptions};
use crate::error::{Exit, Result};
use crate::event::Observer;
use crate::ops::{Cancel, Context, parse_duration};
use crate::release::{DEFAULT_RELEASE, Namespace, ReleaseName};
use crate::ui::{self, Ui};

/// Namespace of a release when none is given.
pub const NAMESPACE: &str = "observability";
/// Name of a release when none is given.
pub const RELEASE: &str = DEFAULT_RELEASE;

/// What every command gets.
pub struct App<'a> {
    /// Global flags.
    pub global: Global,
    /// Where output goes.
    pub ui: &'a Ui,
    /// Ctrl-C and SIGTERM.
    pub cancel: Cancel,
}

/// How a verb ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// A comparison found differences.
    Differences,
    /// It ends as something else did: a command that it ran, or a signal that is its regular end.
    As(u8),
}

impl Outcome {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Differences => 1,
            Self::As(code) => code,
        }
    }

    /// What a comparison found; its errors get an exit code of their own.
    fn of_comparison(result: Result<bool>) -> Result<Self> {
        match result {
            Ok(true) => Ok(Self::Differences),
            Ok(false) => Ok(Self::Fine),
            Err(error) if matches!(error.exit(), Exit::Interrupted | Exit::Terminated) => Err(error),
            Err(error) => Err(error.with_exit(Exit::Incomparable)),
        }
    }
}

/// Runs the verb.
pub async fn run(cli: Cli, ui: &Ui, cancel: Cancel) -> Result<Outcome> {
    let app = App { global: cli.global, ui, cancel };
    let fine = match cli.command {
        Command::Install(args) => return change::install(&app, args).await,
        Command::Upgrade(args) => return change::upgrade(&app, args).await,
        Command::Rollback(args) => return change::rollback(&app, args).await,
        Command::Diff(args) => return Outcome::of_comparison(diff::run(&app, args).await),
        Command::Drift(args) => return Outcome::of_comparison(drift::run(&app, args).await),
        Command::Logs(args) => return logs::run(&app, args).await,
        Command::Search(args) => return search::run(&app, args).await,
        Command::Doctor(args) => return app.cancel.or(Box::pin(doctor::run(&app, args))).await,
        Command::Explain(args) => return app.cancel.or(Box::pin(explain::run(&app, &args))).await,
        Command::Status(args) => app.cancel.or(status::run(&app, &args)).await,
        Command::SupportBundle(args) => app.cancel.or(Box::pin(support::run(&app, &args))).await,
        Command::Alerts(args) => alerts::run(&app, args).await,
        Command::Apps(args) => app.cancel.or(apps::run(&app, &args)).await,
        Command::Dashboards(args) => app.cancel.or(dashboards::run(&app, args)).await,
        Command::Password(args) => password::run(&app, args).await,
        Command::PortForward(args) => return port_forward::run(&app, args).await,
        Command::Open(args) => return open::run(&app, args).await,
        Command::Rollout(args) => return rollout::run(&app, args).await,
        Command::List(args) => app.cancel.or(list::run(&app, &args)).await,
        Command::History(args) => app.cancel.or(history::run(&app, &args)).await,
        Command::Get(args) => app.cancel.or(get::run(&app, &args)).await,
        Command::Uninstall(args) => uninstall::run(&app, &args).await,
        Command::Template(args) => template::run(&app, &args),
        Command::Bundle(args) => bundle::run(&app, args),
        Command::Completion(args) => completion::script(&app, &args),
        Command::Version(args) => app.cancel.or(version::run(&app, &args)).await,
        // main answers it before a runtime is made
        Command::Render => Ok(()),
    };
    fine.map(|()| Outcome::Fine)
}

impl App<'_> {
    /// Connects to the cluster that flags and kubeconfig name. No request is sent yet.
    pub async fn connect(&self) -> Result<Cluster> {
        let global = self.global.clone();
        let request_timeout = match global.request_timeout.as_deref() {
            None | Some("0") => None,
            Some(text) => Some(parse_duration(text)?),
        };
        let options = ConnectOptions {
            kubeconfig: global.kubeconfig,
            context: global.context,
            cluster: global.cluster,
            user: global.user,
            server: global.server,
            token: global.token,
            as_user: global.as_user,
            as_groups: global.as_groups,
            as_uid: global.as_uid,
            certificate_authority: global.certificate_authority,
            client_certificate: global.client_certificate,
            client_key: global.client_key,
            tls_server_name: global.tls_server_name,
            insecure_skip_tls_verify: global.insecure_skip_tls_verify,
            disable_compression: global.disable_compression,
            request_timeout,
            plugin_said: Some(Arc::new(ui::relay)),
        };
        let waiting = |plugin: &str| {
            self.ui.warn(&format!("waiting for the credential plugin \"{plugin}\""));
        };
        self.cancel.or(Cluster::connect_patiently(&options, &waiting)).await
    }

    /// The release's namespace: `-n`, else `$KUBECTL_OBS_NAMESPACE`, else `observability`.
    pub fn namespace(&self) -> Result<Namespace> {
        Namespace::new(self.global.namespace.as_deref().unwrap_or(NAMESPACE))
    }

    /// The release's name.
    pub fn release(&self) -> Result<ReleaseName> {
        ReleaseName::new(self.global.release.as_deref().unwrap_or(RELEASE))
    }

    /// The context of an operation that ends within `timeout`.
    pub fn context<'a>(
        &'a self,
        cluster: &'a Cluster,
        namespace: &'a Namespace,
        release: &'a ReleaseName,
        observer: &'a dyn Observer,
        timeout: Duration,
    ) -> Context<'a> {
        let deadline = Instant::now() + timeout;
        Context { cluster, namespace, release, observer, cancel: &self.cancel, deadline }
    }

    /// Prints a report as one document with apiVersion and kind.
    pub fn document(&self, kind: &str, report: &impl Serialize, format: Output) -> Result<()> {
        let document = document(kind, report)?;
        match format {
            Output::Json => self.ui.json(&document),
            Output::Yaml | Output::Name => self.ui.yaml(&document),
        }
        Ok(())
    }
}

/// A report as a document with apiVersion and kind.
fn document(kind: &str, report: &impl Serialize) -> Result<serde_json::Value> {
    let mut document = serde_json::json!({"apiVersion": "kubectl-obs.dev/v1", "kind": kind});
    let body = serde_json::to_value(report)
        .map_err(|error| crate::Error::failed(format!("the result cannot be written: {error}")))?;
    if let (Some(document), serde_json::Value::Object(body)) = (document.as_object_mut(), body) {
        document.extend(body);
    }
    Ok(document)
}

/// Writes a file that its owner alone may read.
fn write_for_owner(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    std::io::Write::write_all(&mut file, bytes)
}

/// `release.kubectl-obs.dev/NAME`, as `-o name` prints it.
fn release_name(name: &str) -> String {
    format!("release.kubectl-obs.dev/{name}")
}
