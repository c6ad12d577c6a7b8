//! What Grafana says: without a login whether it is well, with the password of its Secret what it has. The
//! password stays in this module.

use http::header::AUTHORIZATION;
use http::request::Builder;
use http::{Method, Request};
use serde_json::{Value, json};

use super::{by_name, in_time, off};
use crate::doctor::Asked;
use crate::doctor::snapshot::Grafana;
use crate::object::builtin;
use crate::ops::pod::{self, Place, TRY};
use crate::ops::{Context, dashboards, login};
use crate::release::Record;

/// The component's name.
const GRAFANA: &str = "grafana";

/// Asks it.
pub async fn look(ctx: &Context<'_>, record: Option<&Record>) -> Asked<Grafana> {
    let Some(record) = record else {
        return Asked::Unknown("the record of the release cannot be used".to_owned());
    };
    let place = match pod::places(ctx, record, GRAFANA).await {
        None => return off(GRAFANA),
        Some(Err(why)) => return Asked::Unknown(why),
        Some(Ok(places)) => match places.into_iter().next() {
            Some(place) => place,
            None => return Asked::Unknown("grafana has no ready pod".to_owned()),
        },
    };
    let login = login::of(record, GRAFANA);
    let below = login.as_ref().map(|login| login.path.clone()).unwrap_or_default();
    let password = match &login {
        None => Err("the release does not say how to log in".to_owned()),
        Some(login) => password(ctx, record, login).await.map(|password| (login, password)),
    };
    let weak_password =
        Asked::from(password.as_ref().map(|(_, known)| is_weak(known)).map_err(String::clone));
    let authorization = password.map(|(login, password)| login::basic(&login.user, &password));
    let session = Session { ctx, place: &place, below: &below, authorization };
    let (health, login, anonymous, datasources, dashboards) = tokio::join!(
        in_time(session.health()),
        in_time(async { Ok(session.ask("/api/user").await?.0) }),
        in_time(session.anonymous()),
        in_time(session.datasources()),
        in_time(session.dashboards()),
    );
    let uids: Vec<String> = datasources
        .answer()
        .into_iter()
        .flatten()
        .filter_map(|source| source["uid"].as_str().map(str::to_owned))
        .collect();
    let session = &session;
    let health_of = uids.into_iter().map(|uid| {
        let path = format!("/api/datasources/uid/{}/health", pod::percent_encode(&uid));
        (uid, async move { in_time(session.said(&path)).await })
    });
    let datasource_health = by_name(health_of).await;
    let expected_dashboards = dashboards::uids(record);
    Asked::Answer(Grafana {
        health,
        login,
        weak_password,
        anonymous,
        datasources,
        datasource_health,
        dashboards,
        expected_dashboards,
    })
}

/// The password of the login.
async fn password(ctx: &Context<'_>, record: &Record, login: &login::Login) -> Result<Vec<u8>, String> {
    let found = ctx.cluster.get(&builtin::secrets(), Some(&record.namespace), &login.secret).await;
    let live = found.map_err(super::said)?.ok_or_else(|| format!("secret {} is missing", login.secret))?;
    login::password(&live, &login.key)
        .ok_or_else(|| format!("secret {} has no key {}", login.secret, login.key))
}

/// Can anybody guess it?
fn is_weak(password: &[u8]) -> bool {
    const KNOWN: [&str; 8] = [
        "admin",
        "administrator",
        "changeme",
        "grafana",
        "observability",
        "password",
        "prom-operator",
        "secret",
    ];
    let known = |known: &&str| known.as_bytes().eq_ignore_ascii_case(password);
    password.len() < 8 || KNOWN.iter().any(known)
}

/// Where to ask, and as whom; or why nobody can log in.
struct Session<'a, 'c> {
    ctx: &'a Context<'c>,
    place: &'a Place,
    below: &'a str,
    authorization: Result<String, String>,
}

impl Session<'_, '_> {
    /// What needs no login.
    async fn health(&self) -> Result<Value, String> {
        ok("/api/health", self.send("/api/health", Request::builder()).await?)
    }

    /// What may be done without a login?
    async fn anonymous(&self) -> Result<String, String> {
        for (path, who) in [("/api/datasources", "admin"), ("/api/search?limit=1", "viewer")] {
            if self.send(path, Request::builder()).await?.0 == 200 {
                return Ok(who.to_owned());
            }
        }
        Ok("nobody".to_owned())
    }

    async fn ask(&self, path: &str) -> Result<(u16, Option<Value>), String> {
        let authorization = self.authorization.as_ref().map_err(String::clone)?;
        self.send(path, Request::builder().header(AUTHORIZATION, authorization)).await
    }

    async fn send(&self, path: &str, request: Builder) -> Result<(u16, Option<Value>), String> {
        let request = request.method(Method::GET).uri(format!("{}{path}", self.below));
        let request = request.body(Vec::new()).map_err(|_| format!("{path} cannot be asked for"))?;
        let Place { namespace, pod, port } = self.place;
        let answer = self.ctx.cluster.pod_http(namespace, pod, *port, request, TRY).await;
        let answer = answer.map_err(super::said)?;
        let json = crate::json::read(answer.text().as_bytes(), pod::MAX_VALUES);
        Ok((answer.status, json))
    }

    /// JSON of an answer 200.
    async fn get(&self, path: &str) -> Result<Value, String> {
        ok(path, self.ask(path).await?)
    }

    /// JSON whatever the status: a datasource that is ill says so with 400 or 500.
    async fn said(&self, path: &str) -> Result<Value, String> {
        match self.ask(path).await? {
            (_, Some(json)) => Ok(json),
            (status, None) => Err(format!("{path} answers {status}")),
        }
    }

    async fn datasources(&self) -> Result<Vec<Value>, String> {
        let all = self.get("/api/datasources").await?;
        let all = all.as_array().ok_or("/api/datasources does not answer a list")?;
        let slim = |source: &Value| json!({"uid": source["uid"], "name": source["name"], "type": source["type"], "url": crate::url::shown(source["url"].as_str().unwrap_or_default())});
        Ok(all.iter().map(slim).collect())
    }

    async fn dashboards(&self) -> Result<Vec<String>, String> {
        let all = self.get("/api/search?type=dash-db&limit=5000").await?;
        let all = all.as_array().ok_or("/api/search does not answer a list")?;
        Ok(all.iter().filter_map(|board| board["uid"].as_str().map(str::to_owned)).collect())
    }
}

/// JSON of an answer 200.
fn ok(path: &str, answer: (u16, Option<Value>)) -> Result<Value, String> {
    match answer {
        (200, Some(json)) => Ok(json),
        (status, _) => Err(format!("{path} answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_can_be_guessed_is_weak() {
        for weak in ["", "admin", "Prom-Operator", "1234567"] {
            assert!(is_weak(weak.as_bytes()), "{weak}");
        }
        assert!(!is_weak(b"a-longer-one-of-twenty"));
    }
}
