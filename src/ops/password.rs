//! The password of a UI: read from its Secret, and changed in both places that know it. A UI such as Grafana
//! takes it from the Secret once and keeps it in a database of its own, so that a changed Secret alone opens
//! nothing.
//!
//! While it changes, the Secret holds both: the new one, and under `<key>.previous` the one before. Whoever is
//! killed in between leaves a Secret from which the next attempt goes on.

use http::header::AUTHORIZATION;
use http::{Method, Request};
use serde_json::{Value, json};

use super::login::{self, Login};
use super::pod::{self, Place};
use super::{Context, components};
use crate::error::{Error, Result};
use crate::object::base64;
use crate::object::builtin;
use crate::release::Record;
use crate::values::Traces;

/// The only component whose API is known here.
const GRAFANA: &str = "grafana";

/// A password, with whose it is. It has no `Debug`.
pub struct Found {
    /// Name of the user.
    pub user: String,
    /// The password.
    pub password: Vec<u8>,
    /// What a person should know of it.
    pub warning: Option<String>,
}

/// What was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Set {
    /// Name of the user.
    pub user: String,
    /// `namespace/name` of the Secret.
    pub secret: String,
    /// Was it the password already?
    pub unchanged: bool,
}

/// Reads it.
pub async fn get(ctx: &Context<'_>, component: &str) -> Result<Found> {
    let record = components::latest(ctx).await?;
    let login = login::demand(&record, component)?;
    let live = secret(ctx, &record, &login).await?;
    let password = login::password(&live, &login.key).ok_or_else(|| no_key(&record, &login))?;
    let interrupted = live["data"][previous(&login)].is_string();
    let warning = interrupted.then(|| {
        format!(
            "a change of this password was interrupted: finish it with kubectl obs password set {component}"
        )
    });
    Ok(Found { user: login.user, password, warning })
}

/// Is there a login whose password can be changed?
pub async fn known(ctx: &Context<'_>, component: &str) -> Result<()> {
    let record = components::latest(ctx).await?;
    login::demand(&record, component).map(drop)
}

/// Changes it: in the Secret, then in Grafana; and back in the Secret when Grafana refuses.
pub async fn set(ctx: &Context<'_>, component: &str, password: &str) -> Result<Set> {
    check(password)?;
    let record = components::latest(ctx).await?;
    let login = login::demand(&record, component)?;
    if component != GRAFANA {
        return Err(Error::usage(format!("the password of {component} cannot be changed with this command"))
            .hint(format!("change it in {component}, and in secret {}/{}", record.namespace, login.secret)));
    }
    let live = secret(ctx, &record, &login).await?;
    let at = place(ctx, &record, component).await?;
    let known = [login.key.clone(), previous(&login)];
    let known: Vec<Vec<u8>> = known.iter().filter_map(|key| login::password(&live, key)).collect();
    if known.is_empty() {
        return Err(no_key(&record, &login));
    }
    let session = Session { ctx, at, login: &login, hidden: hidden(&known, password) };
    let current = session.accepted(&known, &record).await?;
    let secret = format!("{}/{}", record.namespace, login.secret);
    let kept = Kept { ctx, record: &record, login: &login, live: &live };
    let unchanged = current == password.as_bytes();
    if unchanged {
        // the Secret may say otherwise, after an interruption
        kept.write(password.as_bytes(), None).await?;
        return Ok(Set { user: login.user.clone(), secret, unchanged });
    }
    kept.write(password.as_bytes(), Some(&current)).await?;
    if let Err(refused) = session.change(&current, password).await {
        let back = kept.write(&current, None).await;
        return Err(match back {
            Ok(()) => refused.detail("the password is as it was"),
            Err(error) => refused
                .detail(format!("and secret {secret} could not be set back: {}", error.message()))
                .hint(format!("try again: kubectl obs password set {component}")),
        });
    }
    kept.write(password.as_bytes(), None).await?;
    Ok(Set { user: login.user.clone(), secret, unchanged })
}

/// What no UI takes, and what a terminal or a pipe adds by mistake.
fn check(password: &str) -> Result<()> {
    let why = if password.is_empty() {
        "it is empty"
    } else if password.chars().any(char::is_control) {
        "it holds a control character, such as the end of a line"
    } else if password.len() > 1024 {
        "it is longer than 1024 bytes"
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("this cannot be a password: {why}")))
}

fn previous(login: &Login) -> String {
    format!("{}.previous", login.key)
}

/// What no message may hold.
fn hidden(known: &[Vec<u8>], password: &str) -> Traces {
    let known = known.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let all: Vec<String> = known.chain([password.to_owned()]).collect();
    Traces::of(&json!({ "all": all }), &["/all".to_owned()])
}

async fn secret(ctx: &Context<'_>, record: &Record, login: &Login) -> Result<Value> {
    let live = ctx.cluster.get(&builtin::secrets(), Some(&record.namespace), &login.secret).await?;
    live.ok_or_else(|| {
        Error::failed(format!("secret {}/{} does not exist", record.namespace, login.secret))
            .hint("kubectl obs upgrade makes it again, if the release made it; the UI keeps the old password")
    })
}

fn no_key(record: &Record, login: &Login) -> Error {
    Error::failed(format!("secret {}/{} has no key {}", record.namespace, login.secret, login.key))
}

async fn place(ctx: &Context<'_>, record: &Record, component: &str) -> Result<Place> {
    let places = pod::places(ctx, record, component).await.transpose();
    let places =
        places.map_err(|why| Error::failed(why).hint("kubectl obs status says what is wrong with it"))?;
    let first = places.into_iter().flatten().next();
    first.ok_or_else(|| Error::failed(format!("component {component} has no UI")))
}

/// The Secret, as it was read.
struct Kept<'a, 'c> {
    ctx: &'a Context<'c>,
    record: &'a Record,
    login: &'a Login,
    live: &'a Value,
}

impl Kept<'_, '_> {
    /// Writes the password, and the one before as long as it may still be the one that counts.
    async fn write(&self, password: &[u8], before: Option<&[u8]>) -> Result<()> {
        let data =
            json!({self.login.key.as_str(): base64(password), previous(self.login): before.map(base64)});
        let kind = builtin::secrets();
        let uid = self.live["metadata"]["uid"].as_str();
        let (namespace, name) = (Some(self.record.namespace.as_str()), self.login.secret.as_str());
        let patched =
            self.ctx.cluster.merge_patch(&kind, namespace, name, uid, &json!({ "data": data })).await;
        patched.map(drop).map_err(Error::from)
    }
}

/// Grafana's API.
struct Session<'a, 'c> {
    ctx: &'a Context<'c>,
    at: Place,
    login: &'a Login,
    hidden: Traces,
}

impl Session<'_, '_> {
    /// The password that counts now, of those that the Secret knows.
    async fn accepted(&self, known: &[Vec<u8>], record: &Record) -> Result<Vec<u8>> {
        for password in known {
            match self.ask(Method::GET, "/api/user", password, None).await? {
                (200, _) => return Ok(password.clone()),
                (401, _) => {}
                (status, words) => {
                    return Err(Error::failed(format!(
                        "grafana answers {status} to its administrator: {words}"
                    )));
                }
            }
        }
        let Place { namespace, pod, .. } = &self.at;
        Err(Error::failed(format!(
            "grafana does not take the password of secret {}/{} for user {}: it was changed in Grafana",
            record.namespace, self.login.secret, self.login.user
        ))
        .hint(format!(
            "set it to the Secret's: kubectl obs password get grafana | kubectl exec -i -n {namespace} {pod} -c grafana -- grafana cli admin reset-admin-password --password-from-stdin"
        )))
    }

    async fn change(&self, from: &[u8], to: &str) -> Result<()> {
        let body = json!({"oldPassword": String::from_utf8_lossy(from), "newPassword": to, "confirmNew": to});
        match self.ask(Method::PUT, "/api/user/password", from, Some(&body)).await? {
            (200, _) => Ok(()),
            (_, words) => Err(Error::failed(format!("grafana refuses the password: {words}"))),
        }
    }

    /// Status, and the words of the answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        password: &[u8],
        body: Option<&Value>,
    ) -> Result<(u16, String)> {
        let path = format!("{}{path}", self.login.path);
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, login::basic(&self.login.user, password))
            .body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default())
            .map_err(|_| Error::failed(format!("\"{path}\" is not a path that can be asked for")))?;
        let Place { namespace, pod, port } = &self.at;
        let answer = self.ctx.cluster.pod_http(namespace, pod, *port, request, pod::TRY).await?;
        let text = answer.text();
        let said = crate::json::read(text.as_bytes(), 10_000);
        let words = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or("no reason given");
        Ok((answer.status, self.hidden.sentence(words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_password_is_said_without_it() {
        for (password, why) in
            [("", "it is empty"), ("hunter2\n", "control character"), (&"x".repeat(1025), "longer than 1024")]
        {
            let error = check(password).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hunter"), "{error}");
        }
        assert!(check("correct horse b\u{e4}ttery").is_ok());
    }
}
