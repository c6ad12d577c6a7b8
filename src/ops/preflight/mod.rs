//! What stands in the way? Checks before the first write: rights, namespaces and their PodSecurity
//! level, storage, Secrets that values name, a second release on the nodes, and the server's opinion on every object. All
//! problems are gathered and reported in one list. What is only likely to be wrong is a warning: applications
//! that fit no pods, mail servers that are not there.

mod apps;
mod mail;
mod places;
mod rights;
mod secrets;

pub(super) use rights::missing_rules;
pub use rights::{may_everything, rights};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::Object;
use crate::ops::Context;
use crate::ops::apply::{self, Verdict};
use crate::ops::namespace::State;
use crate::plan::{Change, Plan, Step};
use crate::release::ComponentRef;
use crate::words::count;
use places::{namespaces, pod_security, second_release, storage};

/// One thing that stands in the way.
#[derive(Debug)]
struct Problem {
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self {
            message: error.message().to_owned(),
            details: error.details().to_vec(),
            hints: error.hints().to_vec(),
        }
    }
}

/// What to check.
pub struct Subject<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The enabled components.
    pub components: &'a [ComponentRef],
    /// The user's own values.
    pub values: &'a Value,
    /// Namespace of node-level components.
    pub node_namespace: &'a str,
    /// The release's namespace; None when it does not exist and is not made (dry-run).
    pub namespace: Option<&'a State>,
    /// Ask the server about every object?
    pub dry_run: bool,
    /// The answer of [`may_everything`].
    pub all_rights: bool,
    /// Also warn of what is likely to be wrong in the values? Where they are an earlier revision's, it was said
    /// before.
    pub advise: bool,
}

impl Subject<'_> {
    /// Does the release bring this namespace?
    fn has_namespace(&self, name: &str) -> bool {
        let mut objects = self.plan.steps.iter().map(|step| &step.object);
        objects.any(|object| object.kind() == "Namespace" && object.name() == name)
    }
}

/// Runs all checks; one error lists everything that stands in the way.
pub async fn check(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<()> {
    let objects: Vec<&Object> = subject.plan.steps.iter().map(|step| &step.object).collect();
    let refusals = async {
        match subject.dry_run {
            true => dry_run(ctx, subject).await,
            false => Ok(Vec::new()),
        }
    };
    let advice = async {
        if subject.advise {
            tokio::join!(apps::warn(ctx, subject), mail::warn(ctx, subject));
        }
    };
    let (places, storage, secrets, nodes, node_namespace, refusals, ()) = tokio::join!(
        namespaces(ctx, subject),
        storage(ctx, &objects),
        secrets::secrets(ctx, subject),
        second_release(ctx, subject.components),
        crate::ops::namespace::read(ctx, subject.node_namespace),
        refusals,
        advice,
    );
    let mut problems: Vec<Problem> = obstacles(subject.plan).map(Problem::from).collect();
    problems.extend(places?);
    problems.extend(storage?);
    problems.extend(secrets?);
    problems.extend(nodes?);
    problems.extend(pod_security(ctx, subject, node_namespace?.as_ref()));
    problems.extend(refusals?);
    into_result(problems)
}

fn into_result(mut problems: Vec<Problem>) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut error = if problems.len() == 1 {
        let only = problems.remove(0);
        let mut error = Error::failed(only.message);
        for detail in only.details {
            error = error.detail(detail);
        }
        for hint in only.hints {
            error = error.hint(hint);
        }
        error
    } else {
        let mut error =
            Error::failed(format!("{} things stand in the way; nothing was changed", problems.len()));
        // advice that is the same for all stands once, at the end; else each by its problem
        let first = problems.first().map(|problem| problem.hints.clone()).unwrap_or_default();
        let shared = problems.iter().all(|problem| problem.hints == first);
        for problem in problems {
            error = error.detail(problem.message);
            for detail in problem.details {
                error = error.detail(format!("  {}", detail.replace('\n', "\n  ")));
            }
            if !shared {
                for hint in problem.hints {
                    error = error.detail(format!("  hint: {}", hint.replace('\n', "\n  ")));
                }
            }
        }
        if shared { first.into_iter().fold(error, Error::hint) } else { error }
    };
    error = error.with_exit(crate::Exit::Failed);
    Err(error)
}

/// Refuses a plan with names that others have, before anything is written: all of them at once.
pub fn refuse_what_is_taken(plan: &Plan) -> Result<()> {
    let taken = plan.steps.iter().filter(|step| matches!(step.change, Change::Foreign(_)));
    into_result(taken.filter_map(obstacle).map(Problem::from).collect())
}

/// What the plan itself cannot get past, each as an error: objects of others that have the names
/// of ours, and fields that others own.
pub fn obstacles(plan: &Plan) -> impl Iterator<Item = Error> {
    plan.steps.iter().filter_map(obstacle)
}

fn obstacle(step: &Step) -> Option<Error> {
    match (&step.refusal, &step.change) {
        (Some(refusal), _) => Some(refusal.clone().into()),
        (None, Change::Foreign(managers)) => Some(apply::taken(&step.object.id(), managers)),
        (None, _) if step.obstacles().is_empty() => None,
        (None, _) => Some(conflict(step)),
    }
}

fn conflict(step: &Step) -> Error {
    let mut error =
        Error::failed(format!("{}: somebody else set what the release wants otherwise", step.object.id()));
    for conflict in step.obstacles() {
        let word = |value: &Option<Value>| match value {
            None => "(absent)".to_owned(),
            Some(Value::String(text)) if text.contains('\n') => "…".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // small ones in full: a selector, a list of arguments
            Some(other) => {
                Some(other.to_string()).filter(|text| text.len() <= 120).unwrap_or_else(|| "…".to_owned())
            }
        };
        error = error.detail(format!(
            "{}: ours {}, live {}, set by {}",
            conflict.path,
            word(&conflict.ours),
            word(&conflict.live),
            crate::ops::who::owner(&conflict.owner)
        ));
    }
    if step.obstacles().iter().all(|conflict| conflict.owner.gives_way()) {
        error.hint(
            "--force-conflicts takes these fields back; to keep a live value, set it in the release's values",
        )
    } else {
        error.hint("a controller owns fields that the release sets: change the controller, or the values of the release")
    }
}

/// Has the server said that it takes the object? One that is made anew is asked about by itself.
fn is_answered(step: &Step) -> bool {
    step.asked && !matches!(step.change, Change::Recreate { .. })
}

/// The server's opinion on every object.
async fn dry_run(ctx: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Problem>> {
    // where the release's own namespace is not there (a dry-run), any other serves for the check
    let fallback = if subject.namespace.is_some() { ctx.namespace.as_str() } else { "default" };
    let brought = apply::Brought::by(subject.plan, Some(fallback), subject.all_rights);
    // what is known to stand in the way need not be asked about, and what was asked about not again
    let steps = subject.plan.steps.iter();
    let steps =
        steps.filter(|step| step.obstacles().is_empty() && step.refusal.is_none() && !is_answered(step));
    let verdicts = apply::dry_run(ctx, steps, &brought).await?;
    let mut problems = Vec::new();
    let mut forbidden = Problem::new("");
    for (step, verdict) in verdicts {
        match verdict {
            Verdict::Accepted | Verdict::Later => {}
            Verdict::Refused(error) => problems.push(error.into()),
            Verdict::Forbidden(error) => {
                forbidden.details.push(format!("{}: {}", step.object.id(), error.message()));
            }
        }
    }
    if !forbidden.details.is_empty() {
        forbidden.message =
            format!("the API server refuses {} for want of rights", count(forbidden.details.len(), "object"));
        problems.push(forbidden.hint("you can only grant rights that you have: ask a cluster administrator to install, or for these rights"));
    }
    Ok(problems)
}

/// How a plan reads in one line: `61 objects, rights, storage, PodSecurity`.
pub fn summary(plan: &Plan) -> String {
    let creating = plan.steps.iter().filter(|step| step.change != Change::Use).count();
    format!("{}, rights, storage, PodSecurity", count(creating, "object"))
}

/// What a plan found, in one line: `61 objects compared, none differs`.
pub fn compared(plan: &Plan) -> String {
    let all = count(plan.steps.len(), "object");
    match plan.steps.iter().filter(|step| step.change.writes()).count() + plan.first.len() + plan.prune.len()
    {
        0 => format!("{all} compared, none differs"),
        1 => format!("{all} compared, 1 differs"),
        n => format!("{all} compared, {n} differ"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::cluster::fake::{Fake, Step};
    use crate::event::{Event, Observer};
    use crate::ops::Cancel;
    use crate::release::{Namespace, ReleaseName};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn event(&self, event: Event) {
            if let Event::Warning { message } = event {
                self.0.lock().unwrap().push(message);
            }
        }
    }

    /// What is warned of with these values, and what the server was asked.
    async fn warned(values: Value, answers: impl IntoIterator<Item = Step>) -> (Vec<String>, Vec<String>) {
        let (fake, heard, cancel) = (Fake::new(answers), Heard::default(), Cancel::default());
        let (namespace, release) = (Namespace::new("obs").unwrap(), ReleaseName::new("obs").unwrap());
        let cluster = fake.reached();
        let ctx = Context {
            cluster: &cluster,
            namespace: &namespace,
            release: &release,
            observer: &heard,
            cancel: &cancel,
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let component =
            |name: &str| serde_json::from_value(json!({"name": name, "version": "1.0.0"})).unwrap();
        let subject = Subject {
            plan: &Plan::default(),
            components: &[component("prometheus"), component("alertmanager")],
            values: &values,
            node_namespace: "obs-node",
            namespace: None,
            dry_run: false,
            all_rights: true,
            advise: true,
        };
        apps::warn(&ctx, &subject).await;
        mail::warn(&ctx, &subject).await;
        (heard.0.into_inner().unwrap(), fake.lines())
    }

    fn forbidden() -> Step {
        Step::Json(403, json!({"kind": "Status", "code": 403, "reason": "Forbidden"}))
    }

    #[tokio::test]
    async fn without_apps_and_mails_nothing_is_asked() {
        assert_eq!(
            warned(json!({"apps": [], "alertmanager": {"receivers": [{"slack": [{}]}]}}), []).await,
            Default::default()
        );
    }

    #[tokio::test]
    async fn the_pods_of_a_namespace_are_asked_for_once() {
        let app =
            |name: &str| json!({"name": name, "namespace": "shop", "selector": {"app": name}, "port": 80});
        let values = json!({"apps": [app("a"), app("b")]});
        let pods = |more: &str| {
            let pod =
                json!({"metadata": {"name": "a", "namespace": "shop", "labels": {"app": "a"}}, "spec": {}});
            Step::Json(200, json!({"metadata": {"continue": more}, "items": [pod]}))
        };
        let (said, asked) = warned(values.clone(), [pods("")]).await;
        assert!(said.len() == 1 && said[0].starts_with("apps[1].selector: no pod"), "{said:?}");
        assert_eq!(asked, ["GET /api/v1/namespaces/shop/pods?limit=500"]);
        // of more pods than one page, and of what may not be seen, nothing is known
        assert_eq!(warned(values.clone(), [pods("more")]).await.0, [""; 0]);
        assert_eq!(warned(values.clone(), [forbidden()]).await.0, [""; 0]);
        let none = || Step::Json(200, json!({"metadata": {}, "items": []}));
        let absent = Step::Json(404, json!({"kind": "Status", "code": 404, "reason": "NotFound"}));
        let (said, asked) = warned(values, [none(), absent]).await;
        assert!(
            said.len() == 2 && said[0].starts_with("apps[0].namespace: namespace shop does not exist"),
            "{said:?}"
        );
        assert_eq!(asked[1..], ["GET /api/v1/namespaces/shop"]);
    }

    #[tokio::test]
    async fn a_mail_server_is_a_service_with_somebody_behind_it() {
        let values = |host: &str| json!({"alertmanager": {"receivers": [{"email": [{"smarthost": host}]}]}});
        let service = || Step::Json(200, json!({"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 25}]}}));
        let slices = |ready: bool| {
            Step::Json(
                200,
                json!({"metadata": {}, "items": [{"endpoints": [{"conditions": {"ready": ready}}]}]}),
            )
        };
        let host = "relay.mail.svc:25";
        let (said, asked) = warned(values(host), [service(), slices(false)]).await;
        assert!(
            said[0].contains("relay.mail.svc is service mail/relay, which has no ready endpoint"),
            "{said:?}"
        );
        assert_eq!(
            asked,
            [
                "GET /api/v1/namespaces/mail/services/relay",
                "GET /apis/discovery.k8s.io/v1/namespaces/mail/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Drelay&limit=500"
            ]
        );
        assert_eq!(warned(values(host), [service(), slices(true)]).await.0, [""; 0]);
        assert_eq!(warned(values(host), [forbidden()]).await.0, [""; 0]);
        assert_eq!(warned(values("relay:25"), [service(), slices(true)]).await.0, [""; 0], "a short name");
        let elsewhere = Step::Json(200, json!({"spec": {"externalName": "mail.shop.invalid"}}));
        let (said, _) = warned(values(host), [elsewhere]).await;
        assert!(said[0].contains("stands for mail.shop.invalid, and that could not be resolved"), "{said:?}");
        assert_eq!(warned(values("127.0.0.1:25"), []).await, Default::default());
    }
}
