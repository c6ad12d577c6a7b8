//! Does the stack answer? Runs the health checks of the bundles (`http`, `promql`, `targets`) against
//! ready pods until each passes, cannot pass any more, or its deadline is over. Only what was observed
//! after the change counts ([`since`]).

mod board;
mod judge;
pub mod shown;
pub mod since;
pub mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::pod::{self, Place, TRY};
use super::reload::Reloaded;
use super::{Context, live};
use crate::error::{Error, Exit, Result};
use crate::json;
use crate::release::ComponentRef;
use crate::words::count;
use board::Board;
use since::{Moment, PROMETHEUS, Touched};
use targets::{Known, Verdict};

/// How long a check may take unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(180);
/// Time between two tries of a check.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the look before the change may take.
const LOOK: Duration = Duration::from_secs(3);
/// Where Prometheus listens unless a check says otherwise.
const PORT: u16 = 9090;

/// The targets that are up before the change, by job and instance.
pub type Up = BTreeSet<(String, String)>;

/// What is known of the change whose outcome is looked at.
pub struct After<'a> {
    /// What was written.
    pub touched: Touched,
    /// What was reloaded.
    pub reloads: &'a [Reloaded],
    /// What was up before.
    pub up: Up,
}

/// Before a change: which targets are up. Nothing where nobody can say.
pub async fn up_before(ctx: &Context<'_>, components: &[ComponentRef]) -> Up {
    let Some(asked) = components.iter().find(|component| component.name == PROMETHEUS) else {
        return Up::new();
    };
    let found = tokio::time::timeout(LOOK, targets_of(ctx, asked, ctx.namespace.as_str())).await;
    let targets = found.ok().and_then(Result::ok).unwrap_or_default();
    targets.iter().filter(|target| target.up).map(targets::Target::key).collect()
}

/// All targets of the first ready Prometheus.
pub async fn targets_of(
    ctx: &Context<'_>,
    asked: &ComponentRef,
    namespace: &str,
) -> Result<Vec<targets::Target>, String> {
    let pods = pod::ready_pods(ctx, &asked.name, namespace).await?;
    let pod = pods.into_iter().next().unwrap_or_default();
    let place = Place { namespace: namespace.to_owned(), pod, port: PORT };
    Ok(targets::read(&pod::api(ctx, &place, targets::PATH).await?))
}

/// The jobs whose targets the stack's health is about; None when its bundles name none.
pub fn jobs(components: &[ComponentRef]) -> Option<Vec<&str>> {
    let checks = components.iter().flat_map(|component| &component.health);
    checks.map(jobs_of).find(|jobs| !jobs.is_empty())
}

fn jobs_of(check: &Value) -> Vec<&str> {
    check["targets"]["jobs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Runs all checks of the enabled components; the summary names what was seen.
pub async fn healthy(
    ctx: &Context<'_>,
    components: &[ComponentRef],
    node_namespace: &str,
    after: &After<'_>,
) -> Result<String> {
    let checks: Vec<(&str, &Value)> = components
        .iter()
        .flat_map(|component| component.health.iter().map(|check| (component.name.as_str(), check)))
        .collect();
    let gate = Gate {
        ctx,
        components,
        node_namespace,
        after,
        board: Board::new(checks.len()),
        moments: tokio::sync::Mutex::default(),
    };
    let mut outcomes = stream::iter(checks)
        .map(|(component, check)| gate.one(component, check))
        // all at once: one that fails must not keep another from being asked
        .buffer_unordered(usize::from(u8::MAX));
    let mut seen = Vec::new();
    let mut failed: Vec<Failure> = Vec::new();
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(said) => seen.extend(said),
            // what others still wait for follows from it
            Err(failure) if failure.hopeless => {
                failed = vec![failure];
                break;
            }
            Err(failure) => failed.push(failure),
        }
    }
    drop(outcomes);
    let total = gate.board.total;
    if failed.is_empty() {
        seen.push(format!("{total} of {total} checks pass"));
        return Ok(seen.join(", "));
    }
    Err(gate.error(failed))
}

/// Why a check does not pass.
struct Failure {
    what: String,
    /// Which targets are down.
    which: Vec<String>,
    /// Does waiting not help?
    hopeless: bool,
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self { what, which: Vec::new(), hopeless: false }
    }
}

/// What all checks of one gate share.
struct Gate<'a, 'c> {
    ctx: &'a Context<'c>,
    components: &'a [ComponentRef],
    node_namespace: &'a str,
    after: &'a After<'a>,
    board: Board,
    moments: tokio::sync::Mutex<BTreeMap<Place, Moment>>,
}

impl Gate<'_, '_> {
    /// Tries one check until it passes; gives what the summary says of it.
    async fn one(&self, component: &str, check: &Value) -> Result<Option<String>, Failure> {
        let ctx = self.ctx;
        let name = check["name"].as_str().unwrap_or("unnamed check");
        let about = check["component"].as_str().unwrap_or(component);
        // a query is asked of Prometheus, whichever component it is about
        let is_query = check["promql"].is_object() || check["targets"].is_object();
        let asked = if is_query { PROMETHEUS } else { about };
        let enabled = |name: &str| self.components.iter().find(|c| c.name == name);
        // what it is about, or who could answer, is switched off: nothing to ask
        let (Some(_), Some(asked)) = (enabled(about).or_else(|| enabled(component)), enabled(asked)) else {
            return Ok(None);
        };
        let patience =
            check["deadline"].as_str().and_then(|text| super::parse_duration(text).ok()).unwrap_or(DEADLINE);
        let deadline = ctx.deadline.min(Instant::now() + patience);
        loop {
            let mut failure = match tokio::time::timeout(TRY, self.attempt(check, about, asked)).await {
                Ok(Ok(said)) => {
                    self.board.passed(ctx, name);
                    return Ok(said);
                }
                Ok(Err(failure)) => failure,
                Err(_) => format!("no answer within {}s", TRY.as_secs()).into(),
            };
            let first = failure.which.first().map(|which| format!(": {which}")).unwrap_or_default();
            self.board.fails(ctx, name, &format!("{}{first}", failure.what));
            if failure.hopeless || Instant::now() + PAUSE >= deadline {
                if failure.which.is_empty() {
                    failure.what = format!("{name}: {}", failure.what);
                }
                return Err(failure);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        check: &Value,
        about: &str,
        asked: &ComponentRef,
    ) -> Result<Option<String>, Failure> {
        let namespace = self.namespace(asked);
        let pods = pod::ready_pods(self.ctx, &asked.name, namespace).await?;
        let mut said = None;
        for pod in pods {
            let place = |port| Place { namespace: namespace.to_owned(), pod: pod.clone(), port };
            if let Some(promql) = check.get("promql") {
                let port = pod::port_of(self.ctx, (namespace, &pod), &promql["port"], PORT).await?;
                self.query(&place(port), about, promql).await?;
            } else if check.get("targets").is_some() {
                said = Some(self.targets(&place(PORT), check).await?);
            } else {
                let port = pod::port_of(self.ctx, (namespace, &pod), &check["http"]["port"], 80).await?;
                return Ok(http(self.ctx, &place(port), &check["http"]).await.map(|()| None)?);
            }
        }
        Ok(said)
    }

    /// A Prometheus' own clock, asked once.
    async fn moment(&self, place: &Place) -> Result<Moment, String> {
        let mut moments = self.moments.lock().await;
        if let Some(known) = moments.get(place) {
            return Ok(known.clone());
        }
        let moment = Moment::ask(self.ctx, place, &self.after.touched, self.after.reloads).await?;
        moments.insert(place.clone(), moment.clone());
        Ok(moment)
    }

    async fn query(&self, place: &Place, about: &str, promql: &Value) -> Result<(), Failure> {
        let query = promql["query"].as_str().unwrap_or_default();
        let moment = self.moment(place).await?;
        let Some(window) = moment.window(about, query) else {
            return Err("nothing was observed since the change".to_owned().into());
        };
        let data = pod::query(self.ctx, place, query, Some(window)).await?;
        Ok(judge::judge(&data, promql["expect"].as_str())?)
    }

    async fn targets(&self, place: &Place, check: &Value) -> Result<String, Failure> {
        let moment = self.moment(place).await?;
        let targets = targets::read(&pod::api(self.ctx, place, targets::PATH).await?);
        let jobs = jobs_of(check);
        let mut known =
            Known { up: self.after.up.clone(), pods: self.touched_pods().await?, ..Known::default() };
        let mut verdict = targets::judge(&targets, &jobs, &moment, &known);
        if matches!(verdict, Verdict::Down { .. }) {
            known.dead = self.dead_nodes(place).await;
            verdict = targets::judge(&targets, &jobs, &moment, &known);
        }
        match verdict {
            Verdict::Up(up, 0) => Ok(format!("{up} of {} up", count(up, "target"))),
            Verdict::Up(up, excused) => Ok(format!(
                "{up} of {} up, {excused} on nodes that are not ready",
                count(up + excused, "target")
            )),
            Verdict::Awaited(what) => Err(what.into()),
            Verdict::Down { what, which, hopeless } => Err(Failure { what, which, hopeless }),
        }
    }

    /// The ready pods of the components that the change touched.
    async fn touched_pods(&self) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
        let mut pods = BTreeMap::new();
        for component in self.components.iter().filter(|c| self.after.touched.components.contains(&c.name)) {
            let namespace = self.namespace(component);
            let ready = live::ready_pods(self.ctx, namespace, &component.name).await;
            pods.insert(component.name.clone(), ready.map_err(|error| error.message().to_owned())?);
        }
        Ok(pods)
    }

    fn namespace(&self, component: &ComponentRef) -> &str {
        if component.node_level { self.node_namespace } else { self.ctx.namespace.as_str() }
    }

    /// The nodes that are not ready, as far as Prometheus knows.
    async fn dead_nodes(&self, place: &Place) -> BTreeSet<String> {
        let query = "kube_node_status_condition{condition=\"Ready\",status=\"true\"} == 0";
        let data = pod::query(self.ctx, place, query, None).await.unwrap_or_default();
        let series = data["result"].as_array().into_iter().flatten();
        series.filter_map(|series| series["metric"]["node"].as_str().map(str::to_owned)).collect()
    }

    fn error(&self, mut failed: Vec<Failure>) -> Error {
        // what names targets says most
        failed.sort_by_key(|failure| failure.which.is_empty());
        let mut failed = failed.into_iter();
        let first = failed.next().unwrap_or_else(|| String::new().into());
        let mut error = Error::failed(format!("the stack is ready but not healthy: {}", first.what));
        for which in first.which {
            error = error.detail(which);
        }
        for other in failed {
            error = error.detail(other.what);
        }
        // the time of the operation was over before that of a check
        if !first.hopeless && Instant::now() + Duration::from_secs(1) >= self.ctx.deadline {
            error = error.with_exit(Exit::Deadline);
        }
        error.hint("look at it with kubectl obs status; --wait=ready ends without these checks")
    }
}

/// Asks one path of a pod.
async fn http(ctx: &Context<'_>, place: &Place, http: &Value) -> Result<(), String> {
    let path = http["path"].as_str().unwrap_or("/");
    let (status, body) = pod::get(ctx, &place.namespace, &place.pod, place.port, path).await?;
    let wanted = http["status"].as_u64().unwrap_or(200);
    if u64::from(status) != wanted {
        let line = body.lines().next().unwrap_or_default();
        return Err(format!("{path} answers {status} instead of {wanted}: {line}"));
    }
    let Some(expression) = http["json"].as_str() else { return Ok(()) };
    let body = json::read(body.as_bytes(), pod::MAX_VALUES)
        .ok_or_else(|| format!("{path} does not answer JSON of at most {} values", pod::MAX_VALUES))?;
    match crate::render::expression_is_true(expression, "body", &body) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{path} answers, but {expression} does not hold")),
        Err(why) => Err(format!("the check's expression is wrong: {why}")),
    }
}
