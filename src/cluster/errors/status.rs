//! What the API server itself says: its `Status` answers in words. The shapes of the messages are
//! those of k8s.io/apiserver (RBAC authorizer, admission, validation, field managers).

use kube::core::Status;
use kube::core::response::StatusCause;

use super::super::call::{Subject, plural};
use super::super::target::Target;
use super::credentials;
use crate::error::{Error, Exit};

/// A field that the server does not accept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// For example `spec.replicas`; empty when the server names none.
    pub field: String,
    /// For example `Invalid value: -1: must be greater than or equal to 0`.
    pub message: String,
}

/// A field that someone else manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// For example `.spec.replicas`.
    pub field: String,
    /// For example `kubectl-edit`.
    pub manager: String,
    /// The server's words, for example `conflict with "kubectl-edit" using apps/v1`.
    pub message: String,
}

/// The fields that the server does not accept.
pub(in crate::cluster) fn causes(status: &Status) -> Vec<Cause> {
    let mut causes: Vec<_> = raw_causes(status)
        .iter()
        .map(|c| Cause { field: c.field.clone(), message: c.message.clone() })
        .collect();
    causes.extend(schema_errors(&status.message));
    // some validations run twice
    causes.dedup();
    causes
}

/// What does not fit the schema. Apply finds it before validation and reports it as 500: `failed
/// to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.a: field not declared in
/// schema`, or `…): errors:` and one line for each. What stands after `, got` is left out: it is
/// the value itself in Go's notation, which for a Secret is the secret.
fn schema_errors(message: &str) -> Vec<Cause> {
    if let Some((_, why)) = message.split_once("error decoding from json: ") {
        return vec![Cause { field: String::new(), message: why.into() }];
    }
    let Some((_, text)) = message
        .split_once("failed to create typed patch object (")
        .and_then(|(_, rest)| rest.split_once("): "))
    else {
        return Vec::new();
    };
    let mut causes = Vec::new();
    for line in text.strip_prefix("errors:").unwrap_or(text).lines().map(str::trim) {
        let Some((field, why)) = line.strip_prefix('.').and_then(|line| line.split_once(": ")) else {
            continue;
        };
        let (why, value) = why.split_once(", got ").unwrap_or((why, "}"));
        causes.push(Cause { field: field.into(), message: why.into() });
        // the value goes on in the next lines, which are not for the screen either
        if !value.ends_with('}') {
            break;
        }
    }
    causes
}

/// Is it the object that is wrong?
pub(in crate::cluster) fn is_invalid(status: &Status) -> bool {
    matches!(status.code, 400 | 422) || !schema_errors(&status.message).is_empty()
}

/// The fields that others manage (`FieldManagerConflict`); empty when the 409 is about something
/// else.
pub(in crate::cluster) fn field_conflicts(status: &Status) -> Vec<FieldConflict> {
    raw_causes(status)
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| FieldConflict {
            field: cause.field.clone(),
            manager: quoted(&cause.message).unwrap_or("another manager").to_owned(),
            message: cause.message.clone(),
        })
        .collect()
}

fn raw_causes(status: &Status) -> &[StatusCause] {
    status.details.as_ref().map_or(&[], |details| details.causes.as_slice())
}

/// Is this 422 about a field that cannot be changed once the object exists? The texts are those of
/// the validations in kubernetes/pkg/apis.
pub(in crate::cluster) fn is_immutable(status: &Status) -> bool {
    const TEXTS: [&str; 5] = [
        "field is immutable",
        "is immutable",
        "updates to statefulset spec for fields other than",
        "may not be changed",
        "cannot be changed",
    ];
    let mut texts = raw_causes(status).iter().map(|c| c.message.as_str()).chain([status.message.as_str()]);
    status.code == 422 && texts.any(|text| TEXTS.iter().any(|t| text.to_ascii_lowercase().contains(t)))
}

/// A webhook that cannot be called at the moment, as opposed to one that says no or one whose
/// certificate is wrong.
pub(in crate::cluster) fn webhook_is_away(message: &str) -> bool {
    message.contains("failed calling webhook")
        && [
            "connection refused",
            "no endpoints available",
            "context deadline exceeded",
            "Client.Timeout",
            "i/o timeout",
            "EOF",
            "connection reset",
            "no route to host",
            "not found",
        ]
        .iter()
        .any(|text| message.contains(text))
}

/// The refusal in words.
pub(super) fn error(target: &Target, subject: &Subject, status: &Status) -> Error {
    let message = status.message.trim();
    match status.code {
        401 => credentials::refused(target),
        403 => forbidden(target, subject, message),
        404 => not_found(subject, status),
        409 => conflict(subject, status),
        422 if is_uid_mismatch(status) => replaced(subject),
        _ if status.code == 422 || !schema_errors(message).is_empty() => invalid(subject, status),
        413 => Error::failed(format!("{subject} is larger than the API server accepts: {message}")),
        429 => Error::unreachable(format!("the {} is overloaded: {message}", target.describe())),
        503 | 504 => {
            Error::unreachable(format!("the {} is not able to answer: {message}", target.describe()))
        }
        _ if message.is_empty() => {
            Error::failed(format!("{subject}: the API server answers {}", status.code))
        }
        _ => refused(subject, message),
    }
}

/// `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: why`, or who is it that says no
/// (apiserver: admission/plugin/policy/validating/dispatcher.go).
fn policy(reason: &str) -> Option<(&str, &str)> {
    let (name, rest) = reason.strip_prefix("ValidatingAdmissionPolicy '")?.split_once("' with binding '")?;
    Some((name, rest.split_once("' denied request: ")?.1))
}

/// "cannot be applied: …", or which webhook or policy said no.
fn refused(subject: &Subject, message: &str) -> Error {
    let reason = without_object(message);
    if let Some((policy, why)) = policy(reason) {
        return Error::failed(format!("{subject} is refused by ValidatingAdmissionPolicy {policy}: {why}"));
    }
    match reason.strip_prefix("admission webhook ").and_then(|rest| rest.split_once(" denied the request")) {
        Some((webhook, why)) => Error::failed(format!(
            "{subject} is refused by the admission webhook {webhook}: {}",
            why.trim_start_matches([':', ' '])
        )),
        None if webhook_is_away(message) => {
            Error::failed(format!("{subject} waits for an admission webhook that does not answer: {reason}"))
                .hint("look at the service behind it, or at its ValidatingWebhookConfiguration or MutatingWebhookConfiguration")
        }
        None => Error::failed(format!("{subject} is refused: {reason}")),
    }
}

/// How the server refuses a role that grants more than the caller has (registry/rbac/escalation_check.go).
const ESCALATION: &str = "is attempting to grant RBAC permissions not currently held";

/// Is a 403 about who asks, and not about what is asked for? Admission answers 403, too.
pub(in crate::cluster) fn lacks_rights(status: &Status) -> bool {
    status.message.contains(ESCALATION) || Denied::parse(&status.message).is_some()
}

fn forbidden(target: &Target, subject: &Subject, message: &str) -> Error {
    if message.contains("User \"system:anonymous\"") {
        return credentials::refused(target);
    }
    if let Some(denied) = Denied::parse(message) {
        return denied.error(subject);
    }
    if let Some((_, missing)) = message.split_once(ESCALATION) {
        let error =
            Error::failed(format!("you may not grant rights that you do not have yourself: {subject}"))
                .hint("let someone with these rights (cluster-admin) run it, or install with fewer rights");
        return match missing.trim_start_matches([':', '\n']).trim() {
            "" => error,
            missing => error.detail(missing.to_owned()),
        };
    }
    if message.contains("because it is being terminated") {
        let namespace = subject.namespace.as_deref().unwrap_or("its namespace");
        return Error::failed(format!("{subject} cannot be made: namespace {namespace} is being deleted"))
            .hint(format!("wait until it is gone: kubectl wait --for=delete namespace/{namespace}"));
    }
    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        let (name, place) = (quota.split(',').next().unwrap_or_default(), subject.namespace.as_deref());
        let place = place.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        return Error::failed(format!("{subject} exceeds the quota {quota}")).hint(format!(
            "ask for a larger quota, or make room in it; what it allows: kubectl describe quota {name}{place}"
        ));
    }
    refused(subject, message)
}

/// RBAC's refusal: `deployments.apps "x" is forbidden: User "bob" cannot create resource
/// "deployments" in API group "apps" in the namespace "y"`.
struct Denied<'a> {
    user: &'a str,
    verb: &'a str,
    resource: &'a str,
    group: &'a str,
    namespace: Option<&'a str>,
}

impl<'a> Denied<'a> {
    fn parse(message: &'a str) -> Option<Self> {
        let (_, rest) = message.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let after = |marker| rest.split_once(marker).and_then(|(_, rest)| rest.split('"').next());
        Some(Self {
            user,
            verb,
            resource,
            group: after("in API group \"").unwrap_or_default(),
            namespace: after("in the namespace \""),
        })
    }

    fn error(&self, subject: &Subject) -> Error {
        let what = match &subject.kind {
            Some(kind) if kind.plural == self.resource => plural(&kind.kind),
            _ => self.resource.to_owned(),
        };
        let place = self.namespace.map(|n| format!(" in namespace {n}")).unwrap_or_default();
        let resource = if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        };
        let flag = self.namespace.map(|n| format!(" -n {n}")).unwrap_or_default();
        Error::failed(format!("you may not {} {what}{place}", self.verb)).hint(format!(
            "user \"{}\" needs the verb \"{}\" on {resource}{place}; what you may: kubectl auth can-i --list{flag}",
            self.user, self.verb
        ))
    }
}

fn not_found(subject: &Subject, status: &Status) -> Error {
    let details = status.details.as_ref();
    let missing = details.map(|d| (d.kind.as_str(), d.name.as_str())).unwrap_or_default();
    match (missing, &subject.kind) {
        (("namespaces", name), Some(kind)) if kind.kind != "Namespace" => {
            Error::failed(format!("{subject}: namespace {name} does not exist"))
        }
        ((_, ""), Some(kind)) => {
            Error::failed(format!("the cluster does not serve {} in {}", kind.kind, kind.api_version()))
        }
        _ => Error::failed(format!("{subject} does not exist")),
    }
}

fn conflict(subject: &Subject, status: &Status) -> Error {
    if status.reason == "AlreadyExists" {
        return Error::failed(format!("{subject} exists already"));
    }
    let conflicts = field_conflicts(status);
    if conflicts.is_empty() {
        return if is_uid_mismatch(status) {
            replaced(subject)
        } else {
            Error::failed(format!("{subject} was changed by someone else meanwhile"))
                .hint("run the command again")
        };
    }
    let lines: Vec<_> = conflicts
        .iter()
        .map(|c| format!("{}  set by {}", c.field.trim_start_matches('.'), c.manager))
        .collect();
    let count = conflicts.len();
    let fields = if count == 1 { "a field is".to_owned() } else { format!("{count} fields are") };
    Error::failed(format!("{subject}: {fields} managed by someone else"))
        .detail(lines.join("\n"))
        .hint("--force-conflicts takes them back")
}

fn replaced(subject: &Subject) -> Error {
    Error::failed(format!("{subject} was deleted or replaced by someone else meanwhile"))
        .hint("run the command again")
}

/// Was the request about an object that is not the one that has the name now? apiserver says so in
/// three ways: apply to a missing object, apply to another one, delete with a precondition.
pub(in crate::cluster) fn is_uid_mismatch(status: &Status) -> bool {
    let message = &status.message;
    message.contains("uid mismatch")
        || message.contains("the UID in the precondition")
        || message.contains("UID in precondition")
        || raw_causes(status).iter().any(|cause| cause.field == "metadata.uid")
}

fn invalid(subject: &Subject, status: &Status) -> Error {
    let causes = causes(status);
    let line = |c: &Cause| match c.field.as_str() {
        "" | "<nil>" => c.message.clone(),
        field => format!("{field}: {}", c.message),
    };
    let changed = if is_immutable(status) { "cannot be changed that way" } else { "is not valid" };
    let said = causes.first().map_or_else(|| without_object(&status.message), |cause| cause.message.as_str());
    match causes.as_slice() {
        [] | [_] if policy(said).is_some() => refused(subject, said),
        [] => Error::failed(format!("{subject} {changed}: {}", without_object(&status.message))),
        [one] => Error::failed(format!("{subject} {changed}: {}", line(one))),
        many => Error::new(Exit::Failed, format!("{subject} {changed}"))
            .detail(many.iter().map(line).collect::<Vec<_>>().join("\n")),
    }
}

/// `deployments.apps "x" is forbidden: why` → `why`: the error names the object itself.
fn without_object(message: &str) -> &str {
    for marker in ["\" is forbidden: ", "\" is invalid: ", "Internal error occurred: "] {
        if let Some((_, reason)) = message.split_once(marker) {
            return reason;
        }
    }
    message
}

/// What stands between the first two double quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}
