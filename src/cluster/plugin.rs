//! Credential plugins: the program that a kubeconfig's `exec` entry names and that writes a token or a
//! certificate (client-go: plugin/pkg/client/auth/exec, ExecCredential). kube would run it on the
//! thread that asks and for as long as it likes. Here it is waited for like everything else: what asks
//! for it can be left, and then it ends.

use std::io::IsTerminal;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::errors::Trouble;
use crate::object::base64;

/// A token that ends within this is replaced by a new one.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// After its end a plugin's last words are waited for this long: what it left running may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Is told what a plugin writes to stderr while it runs: it may say which page to open.
pub type Said = Arc<dyn Fn(&str) + Send + Sync>;

/// A plugin, ready to be run.
pub(super) struct Plugin {
    exec: ExecConfig,
    said: Option<Said>,
}

/// What it delivered. It has no `Debug`: it holds secrets.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Credential {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<Timestamp>,
}

/// What it writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: String,
    kind: String,
    status: Option<Credential>,
}

/// A token that is renewed by its plugin before it ends.
pub(super) struct Tokens {
    plugin: Plugin,
    present: tokio::sync::Mutex<Credential>,
    /// How long a renewal may take.
    limit: Duration,
}

/// The processes of a plugin that is not waited for any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // it has ended, or ends now
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Plugin {
    pub fn new(exec: ExecConfig, said: Option<Said>) -> Self {
        Self { exec, said }
    }

    /// Its program, as the kubeconfig names it. Arguments may hold secrets.
    pub fn command(&self) -> &str {
        self.exec.command.as_deref().unwrap_or_default()
    }

    /// Runs it. It may ask on the terminal, where there is one. None: it may take as long as it likes.
    pub async fn run(&self, limit: Option<Duration>) -> Result<Credential, Trouble> {
        let work = self.output();
        let output = match limit {
            Some(limit) => {
                tokio::time::timeout(limit, work).await.map_err(|_| Trouble::PluginSilent(limit))??
            }
            None => work.await?,
        };
        if !output.status.success() {
            return Err(Trouble::PluginFailed {
                status: output.status.to_string().replace("exit status: ", "exit status "),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        self.read(&output.stdout)
    }

    async fn output(&self) -> Result<Output, Trouble> {
        let exec = &self.exec;
        if self.command().is_empty() {
            return Err(Trouble::Other("the kubeconfig's exec entry names no command".into()));
        }
        let never = exec.interactive_mode == Some(ExecInteractiveMode::Never);
        let terminal = std::io::stdin().is_terminal();
        let interactive = !never && (terminal || exec.interactive_mode == Some(ExecInteractiveMode::Always));
        let mut spec = json!({ "interactive": interactive });
        if exec.provide_cluster_info {
            spec["cluster"] = json!(exec.cluster);
        }
        let info = json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec});
        let mut command = Command::new(self.command());
        command.args(exec.args.iter().flatten());
        for variable in exec.env.iter().flatten() {
            if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
                command.env(name, value);
            }
        }
        command.env("KUBERNETES_EXEC_INFO", info.to_string());
        command.stdin(if interactive { Stdio::inherit() } else { Stdio::null() });
        // not inherited: what it says must not control the terminal
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        if !interactive {
            // what it starts can be ended with it; a group of its own could not read the terminal
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(|error| Trouble::from_start(&error))?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let mut group = Group(id.filter(|_| !interactive));
        let mut heard = Vec::new();
        let said = self.said.as_ref().filter(|_| !never);
        let listen = listen(child.stderr.take(), said, &mut heard);
        let output = until_silent(child.wait_with_output(), listen).await;
        // what it left running on purpose goes on
        group.0 = None;
        // what was passed on needs no repetition
        let stderr = if said.is_some() { Vec::new() } else { heard };
        output.map(|output| Output { stderr, ..output }).map_err(|error| Trouble::from_start(&error))
    }

    fn read(&self, stdout: &[u8]) -> Result<Credential, Trouble> {
        let answer: Answer = serde_json::from_slice(stdout).map_err(|_| Trouble::PluginAnswer)?;
        let asked = self.exec.api_version.as_deref().is_none_or(|version| version == answer.api_version);
        let status = answer.status.filter(|_| asked && answer.kind == "ExecCredential");
        let usable = |credential: &Credential| {
            credential.token.is_some()
                || (credential.client_certificate_data.is_some() && credential.client_key_data.is_some())
        };
        status.filter(usable).ok_or(Trouble::PluginAnswer)
    }
}

/// Hears all that comes; keeps it, or passes it on in whole characters.
async fn listen(from: Option<impl AsyncRead + Unpin>, said: Option<&Said>, heard: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut chunk = [0; 4096];
    loop {
        let read = from.read(&mut chunk).await.unwrap_or(0);
        heard.extend_from_slice(&chunk[..read]);
        if let Some(said) = said {
            // a character may come in two pieces
            let whole = match std::str::from_utf8(heard) {
                Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
                _ => heard.len(),
            };
            if whole > 0 {
                said(&String::from_utf8_lossy(&heard[..whole]));
                heard.drain(..whole);
            }
        }
        if read == 0 {
            return;
        }
    }
}

/// Listens until the end, and a little longer.
async fn until_silent<T>(end: impl Future<Output = T>, listen: impl Future<Output = ()>) -> T {
    tokio::pin!(end, listen);
    let mut speaks = true;
    loop {
        tokio::select! {
            ended = &mut end => {
                if speaks {
                    let _ = tokio::time::timeout(LAST_WORDS, &mut listen).await;
                }
                return ended;
            }
            () = &mut listen, if speaks => speaks = false,
        }
    }
}

impl Credential {
    /// Puts a certificate, if it delivered one, where the client takes it from. It stays for the whole
    /// run, as in kube.
    pub fn put_certificate_into(&self, user: &mut AuthInfo) {
        if let (Some(certificate), Some(key)) = (&self.client_certificate_data, &self.client_key_data) {
            user.client_certificate_data = Some(base64(certificate.as_bytes()));
            user.client_key_data = Some(base64(key.as_bytes()).into());
        }
    }

    /// Is there a token to be sent with each request?
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    fn ends_soon(&self) -> bool {
        self.expiration_timestamp.is_some_and(|end| Timestamp::now() + MARGIN >= end)
    }
}

impl Tokens {
    pub fn new(plugin: Plugin, first: Credential, limit: Duration) -> Self {
        Self { plugin, present: tokio::sync::Mutex::new(first), limit }
    }

    /// The value of the Authorization header, from a new token if the present one ends.
    pub async fn header(&self) -> Result<HeaderValue, Trouble> {
        let mut present = self.present.lock().await;
        if present.ends_soon() {
            *present = self.plugin.run(Some(self.limit)).await?;
        }
        let token = present.token.as_deref().ok_or(Trouble::PluginAnswer)?;
        let header = HeaderValue::try_from(format!("Bearer {token}"));
        let mut header = header.map_err(|_| Trouble::PluginAnswer)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A plugin that is a shell script.
    fn script(text: &str) -> Plugin {
        let exec = ExecConfig {
            api_version: Some("client.authentication.k8s.io/v1".into()),
            command: Some("/bin/sh".into()),
            args: Some(vec!["-c".into(), text.into()]),
            interactive_mode: Some(ExecInteractiveMode::Never),
            ..serde_json::from_value(json!({})).unwrap()
        };
        Plugin::new(exec, None)
    }

    fn answer(status: &str) -> String {
        format!(
            "echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{status}}}'"
        )
    }

    #[tokio::test]
    async fn a_plugin_that_hangs_ends_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("late");
        let plugin = script(&format!("(sleep 1; touch {}) & sleep 100", file.display()));
        let begun = Instant::now();
        let limit = Duration::from_millis(300);
        let trouble = plugin.run(Some(limit)).await.err();
        assert_eq!(trouble, Some(Trouble::PluginSilent(limit)));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!file.exists(), "it went on");
    }

    #[tokio::test]
    async fn what_it_writes_is_read() {
        let token = script(&answer(r#"{"token":"t"}"#)).run(None).await.ok().unwrap();
        assert!(token.has_token() && !token.ends_soon());
        let pair = script(&answer(r#"{"clientCertificateData":"c","clientKeyData":"k"}"#));
        let pair = pair.run(None).await.ok().unwrap();
        let mut user = AuthInfo::default();
        pair.put_certificate_into(&mut user);
        assert_eq!((pair.has_token(), user.client_certificate_data.as_deref()), (false, Some("Yw==")));
        for bad in [
            answer("{}"),
            answer("null"),
            "echo hello".to_owned(),
            answer(r#"{"token":"t"}"#).replace("/v1", "/v2"),
        ] {
            assert_eq!(script(&bad).run(None).await.err(), Some(Trouble::PluginAnswer), "{bad}");
        }
        let failed = Trouble::PluginFailed { status: "exit status 3".into(), stderr: "login first\n".into() };
        assert_eq!(script("echo login first >&2; exit 3").run(None).await.err(), Some(failed));
        let exec = ExecConfig { command: Some("/no/such".into()), ..script("").exec };
        let missing = Plugin::new(exec, None);
        assert_eq!(missing.run(None).await.err(), Some(Trouble::PluginMissing));
    }

    #[tokio::test]
    async fn what_it_says_is_passed_on_as_it_comes() {
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = Arc::clone(&heard);
        let said: Said = Arc::new(move |text: &str| sink.lock().unwrap().push(text.to_owned()));
        let text = "printf 'open \\303' >&2; sleep 0.2; printf '\\274\\n' >&2; exit 3";
        let exec = ExecConfig { interactive_mode: None, ..script(text).exec };
        let trouble = Plugin::new(exec, Some(said)).run(None).await.err();
        assert_eq!(
            trouble,
            Some(Trouble::PluginFailed { status: "exit status 3".into(), stderr: String::new() })
        );
        assert_eq!(*heard.lock().unwrap(), ["open ", "\u{fc}\n"]);
    }

    #[tokio::test]
    async fn a_token_that_ends_is_renewed_once() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let text = format!("echo x >> {}; {}", count.display(), answer(r#"{"token":"new"}"#));
        let old = Credential {
            token: Some("old".into()),
            expiration_timestamp: Some(Timestamp::now() + SignedDuration::from_secs(5)),
            ..Credential::default()
        };
        let tokens = Tokens::new(script(&text), old, Duration::from_secs(10));
        for _ in 0..3 {
            assert_eq!(tokens.header().await.unwrap(), "Bearer new");
        }
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "x\n");
    }
}
