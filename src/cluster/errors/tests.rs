//! The exact words for each failure.

use std::io;

use kube::core::response::{StatusCause, StatusDetails};
use rustls::{CertificateError, InvalidMessage};

use super::super::target::{Credentials, Proxy};
use super::*;
use crate::object::Kind;

fn target() -> Target {
    Target {
        name: "prod".into(),
        server: "https://10.0.0.1:6443".into(),
        context: Some("prod".into()),
        user: Some("alice".into()),
        ..Target::default()
    }
}

fn subject(verb: &'static str, kind: &str, plural: &str, group: &str, namespace: Option<&str>) -> Subject {
    let kind = Kind { namespaced: namespace.is_some(), ..Kind::namespaced(group, kind, plural) };
    Subject::new(verb, &kind, namespace, Some("x"))
}

fn deployment() -> Subject {
    subject("patch", "Deployment", "deployments", "apps", Some("obs"))
}

fn transport(target: &Target, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> String {
    Transport::from_kube(&kube::Error::Service(error.into())).error(target).to_string()
}

fn tls(error: rustls::Error) -> io::Error {
    // as tokio-rustls and hyper-rustls wrap it
    io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
}

#[test]
fn connections() {
    const REACH: &str = "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: ";
    const HINT: &str = "kubectl config current-context is \"prod\"; is a VPN or proxy needed?";
    for (kind, why) in [
        (io::ErrorKind::ConnectionRefused, "connection refused"),
        (io::ErrorKind::HostUnreachable, "there is no network route to it"),
        (io::ErrorKind::TimedOut, "no connection within 10s"),
        (io::ErrorKind::ConnectionReset, "the connection was closed before the answer was complete"),
    ] {
        let error = io::Error::from(kind);
        assert_eq!(transport(&target(), error), format!("{REACH}{why}\n  hint: {HINT}"));
    }
    let local = Target { server: "https://127.0.0.1:6443".into(), ..target() };
    assert_eq!(
        transport(&local, io::Error::from(io::ErrorKind::ConnectionRefused)),
        "cannot reach the cluster \"prod\" at https://127.0.0.1:6443: connection refused\n  \
         hint: the server is on this machine: is the local cluster (kind, minikube, k3d, …) or the tunnel to it running?"
    );
    let chosen = Target { context_by_flag: true, ..target() };
    assert_eq!(
        transport(&chosen, io::Error::from(io::ErrorKind::ConnectionRefused)),
        format!("{REACH}connection refused\n  hint: --context is \"prod\"; is a VPN or proxy needed?")
    );
}

#[test]
fn proxies() {
    let proxy = Proxy { url: "http://p:3128".into(), origin: "HTTPS_PROXY" };
    let behind = Target { proxy: Some(proxy), ..target() };
    assert_eq!(
        transport(&behind, io::Error::from(io::ErrorKind::ConnectionRefused)),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: the proxy http://p:3128 (HTTPS_PROXY) refuses connections\n  \
         hint: check HTTPS_PROXY; if the cluster needs no proxy, add 10.0.0.1 to NO_PROXY"
    );
    assert_eq!(
        transport(&behind, "tunnel error: proxy authorization required"),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: the proxy http://p:3128 (HTTPS_PROXY) wants a user name and password\n  \
         hint: check HTTPS_PROXY; if the cluster needs no proxy, add 10.0.0.1 to NO_PROXY"
    );
    assert_eq!(
        transport(&behind, "tunnel error: unsuccessful"),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: the proxy http://p:3128 (HTTPS_PROXY) did not open a connection (unsuccessful)\n  \
         hint: check HTTPS_PROXY; if the cluster needs no proxy, add 10.0.0.1 to NO_PROXY"
    );
}

#[test]
fn certificates() {
    for (error, words) in [
        (
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
            "its certificate is signed by an unknown authority\n  hint: the kubeconfig's certificate-authority-data may belong to an older cluster of that name: get the kubeconfig again, or name the authority with --certificate-authority",
        ),
        (
            rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected: "10.0.0.1".try_into().unwrap(),
                presented: vec!["DnsName(\"api.example.com\")".into(), "IpAddress(10.0.0.9)".into()],
            }),
            "its certificate is for api.example.com, 10.0.0.9, not for 10.0.0.1\n  hint: if it is the right server, name it with --tls-server-name api.example.com",
        ),
        (
            rustls::Error::InvalidCertificate(CertificateError::Expired),
            "its certificate has expired\n  hint: renew the server's certificate (kubeadm certs renew apiserver), or set this machine's clock",
        ),
        (
            rustls::Error::InvalidCertificate(CertificateError::NotValidYet),
            "its certificate is not valid yet\n  hint: is this machine's clock right?",
        ),
        (
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
            "it speaks http, not https\n  hint: use http:// for the server of cluster \"prod\" in the kubeconfig, or --server",
        ),
    ] {
        let text = transport(&target(), tls(error));
        assert_eq!(text, format!("cannot reach the cluster \"prod\" at https://10.0.0.1:6443: {words}"));
    }
}

#[test]
fn answers_of_others() {
    let words = |code, body: &str| transport::foreign(&target(), code, body).to_string();
    assert_eq!(
        words(200, "<html><head><title>Sign in</title></head></html>"),
        "the cluster \"prod\" at https://10.0.0.1:6443 is not a Kubernetes API server: it answers 200 with a web page (\"Sign in\")\n  \
         hint: check the server's URL; a login page or a load balancer may answer in its place"
    );
    assert_eq!(
        words(503, "no healthy upstream"),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: what stands before it answers 503 with \"no healthy upstream\"\n  \
         hint: the load balancer finds no API server: is the control plane up?"
    );
    assert_eq!(
        words(400, "Client sent an HTTP request to an HTTPS server.\n"),
        "cannot reach the cluster \"prod\" at https://10.0.0.1:6443: it speaks https, not http\n  \
         hint: use https:// for the server of cluster \"prod\" in the kubeconfig, or --server"
    );
}

#[test]
fn credentials_that_are_refused() {
    let unauthorized = Status::failure("Unauthorized", "Unauthorized").with_code(401);
    for (credentials, words) in [
        (
            Credentials::None,
            "wants credentials, and the kubeconfig has none for this context\n  hint: get the kubeconfig again, or choose a user with --user or --token",
        ),
        (
            Credentials::Token,
            "does not accept the token of user \"alice\"\n  hint: it has expired, or belongs to another cluster: get a new one",
        ),
        (
            Credentials::Certificate,
            "does not accept the client certificate of user \"alice\"\n  hint: it has expired, or belongs to another cluster: get the kubeconfig again",
        ),
        (
            Credentials::Plugin { command: "aws".into(), install_hint: None },
            "does not accept what the credential plugin \"aws\" delivers of user \"alice\"\n  hint: log in again; or has this account no access to the cluster?",
        ),
    ] {
        let target = Target { credentials, ..target() };
        let error = status::error(&target, &deployment(), &unauthorized);
        assert_eq!(error.to_string(), format!("the cluster \"prod\" at https://10.0.0.1:6443 {words}"));
        assert_eq!(error.exit(), Exit::Unreachable);
    }
}

#[test]
fn credential_plugins() {
    use kube::client::AuthError;
    let plugin = |hint: Option<&str>| Target {
        credentials: Credentials::Plugin { command: "aws".into(), install_hint: hint.map(str::to_owned) },
        ..target()
    };
    let words = |target: &Target, error| Trouble::from_auth(&error).error(target).to_string();
    let missing = || AuthError::AuthExecStart(io::ErrorKind::NotFound.into());
    assert_eq!(
        words(&plugin(Some("Install the AWS CLI:\nhttps://aws.amazon.com/cli\n")), missing()),
        "the credential plugin \"aws\" of user \"alice\" is not installed\n  \
         hint: Install the AWS CLI:\n        https://aws.amazon.com/cli"
    );
    assert_eq!(
        words(&plugin(None), missing()),
        "the credential plugin \"aws\" of user \"alice\" is not installed\n  \
         hint: install it, or put it on the PATH; kubectl needs it for this cluster too"
    );
    let output = std::process::Command::new("sh")
        .args(["-c", "echo token-in-stdout; echo 'session expired' >&2; exit 3"])
        .output()
        .unwrap();
    let failed = AuthError::AuthExecRun { cmd: "aws --secret hunter2".into(), out: Box::new(output) };
    assert_eq!(
        words(&plugin(None), failed),
        "the credential plugin \"aws\" of user \"alice\" failed (exit status 3)\n  session expired\n  \
         hint: is a login needed? kubectl get --raw /version shows the same"
    );
    assert_eq!(
        words(&plugin(None), AuthError::ExecPluginFailed),
        "the credential plugin \"aws\" of user \"alice\" wrote something else than an ExecCredential\n  \
         hint: is its version right for the apiVersion in the kubeconfig's exec entry?"
    );
}

fn refusal(subject: &Subject, code: u16, reason: &str, message: &str) -> String {
    status::error(&target(), subject, &Status::failure(message, reason).with_code(code)).to_string()
}

#[test]
fn rights() {
    let role = subject("create", "ClusterRole", "clusterroles", "rbac.authorization.k8s.io", None);
    assert_eq!(
        refusal(
            &role,
            403,
            "Forbidden",
            "clusterroles.rbac.authorization.k8s.io is forbidden: User \"bob\" cannot create resource \"clusterroles\" in API group \"rbac.authorization.k8s.io\" at the cluster scope"
        ),
        "you may not create ClusterRoles\n  \
         hint: user \"bob\" needs the verb \"create\" on clusterroles.rbac.authorization.k8s.io; what you may: kubectl auth can-i --list"
    );
    let pod = subject("create", "Pod", "pods", "", Some("obs"));
    assert_eq!(
        refusal(
            &pod,
            403,
            "Forbidden",
            "pods \"x\" is forbidden: User \"bob\" cannot create resource \"pods/portforward\" in API group \"\" in the namespace \"obs\""
        ),
        "you may not create pods/portforward in namespace obs\n  \
         hint: user \"bob\" needs the verb \"create\" on pods/portforward in namespace obs; what you may: kubectl auth can-i --list -n obs"
    );
    assert_eq!(
        refusal(
            &role,
            403,
            "Forbidden",
            "clusterroles.rbac.authorization.k8s.io \"x\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}"
        ),
        "you may not grant rights that you do not have yourself: ClusterRole x\n  \
         {APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}\n  \
         hint: let someone with these rights (cluster-admin) run it, or install with fewer rights"
    );
    assert!(
        refusal(&pod, 403, "Forbidden", "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the namespace \"obs\"")
            .contains("wants credentials")
    );
}

#[test]
fn admission() {
    for (message, words) in [
        (
            "deployments.apps \"x\" is forbidden: exceeded quota: small, requested: count/deployments.apps=1, used: count/deployments.apps=5, limited: count/deployments.apps=5",
            "Deployment obs/x exceeds the quota small, requested: count/deployments.apps=1, used: count/deployments.apps=5, limited: count/deployments.apps=5\n  hint: ask for a larger quota, or make room in it; what it allows: kubectl describe quota small -n obs",
        ),
        (
            "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'signed' with binding 'all' denied request: images must be signed",
            "Deployment obs/x is refused by ValidatingAdmissionPolicy signed: images must be signed",
        ),
        (
            "admission webhook \"policy.example.com\" denied the request: images must be signed",
            "Deployment obs/x is refused by the admission webhook \"policy.example.com\": images must be signed",
        ),
        (
            "deployments.apps \"x\" is forbidden: unable to create new content in namespace obs because it is being terminated",
            "Deployment obs/x cannot be made: namespace obs is being deleted\n  hint: wait until it is gone: kubectl wait --for=delete namespace/obs",
        ),
        (
            "deployments.apps \"x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged",
            "Deployment obs/x is refused: violates PodSecurity \"restricted:latest\": privileged",
        ),
    ] {
        assert_eq!(refusal(&deployment(), 403, "Forbidden", message), words);
    }
    assert_eq!(
        refusal(
            &deployment(),
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"w\": no endpoints available for service \"w\""
        ),
        "Deployment obs/x waits for an admission webhook that does not answer: failed calling webhook \"w\": no endpoints available for service \"w\"\n  \
         hint: look at the service behind it, or at its ValidatingWebhookConfiguration or MutatingWebhookConfiguration"
    );
}

#[test]
fn conflicts_and_validation() {
    let cause = |reason: &str, field: &str, message: &str| StatusCause {
        reason: reason.into(),
        field: field.into(),
        message: message.into(),
    };
    let details = |causes| StatusDetails {
        name: "x".into(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes,
        retry_after_seconds: 0,
    };
    let conflict = Status::failure("Apply failed with 2 conflicts", "Conflict").with_code(409).with_details(
        details(vec![
            cause(
                "FieldManagerConflict",
                ".spec.replicas",
                "conflict with \"kubectl\" with subresource \"scale\" using apps/v1",
            ),
            cause("FieldManagerConflict", ".spec.paused", "conflict with \"argocd\" using apps/v1"),
        ]),
    );
    assert_eq!(
        status::error(&target(), &deployment(), &conflict).to_string(),
        "Deployment obs/x: 2 fields are managed by someone else\n  spec.replicas  set by kubectl\n  \
         spec.paused  set by argocd\n  hint: --force-conflicts takes them back"
    );
    let invalid = Status::failure("Deployment.apps \"x\" is invalid: …", "Invalid")
        .with_code(422)
        .with_details(details(vec![cause(
            "FieldValueInvalid",
            "spec.replicas",
            "Invalid value: -1: must be greater than or equal to 0",
        )]));
    assert_eq!(
        status::error(&target(), &deployment(), &invalid).to_string(),
        "Deployment obs/x is not valid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    assert_eq!(
        refusal(
            &deployment(),
            500,
            "InternalError",
            "failed to create typed patch object (obs/x; apps/v1, Kind=Deployment): errors:\n  .spec.a: field not declared in schema\n  .spec.b: field not declared in schema"
        ),
        "Deployment obs/x is not valid\n  spec.a: field not declared in schema\n  spec.b: field not declared in schema"
    );
    assert_eq!(
        refusal(&deployment(), 404, "NotFound", "deployments.apps \"x\" not found"),
        "the cluster does not serve Deployment in apps/v1",
    );
}

#[test]
fn values_of_secrets_do_not_reach_the_screen() {
    let secret = subject("patch", "Secret", "secrets", "", Some("obs"));
    let typed = |why: &str| {
        refusal(
            &secret,
            500,
            "InternalError",
            &format!("failed to create typed patch object (obs/x; /v1, Kind=Secret): {why}"),
        )
    };
    assert_eq!(
        typed(".stringData.password: expected string, got &value.valueUnstructured{Value:123456}"),
        "Secret obs/x is not valid: stringData.password: expected string"
    );
    assert_eq!(
        typed(
            "errors:\n  .data: expected map, got &{.a: hunter2\n.b: hunter3}\n  .c: field not declared in schema"
        ),
        "Secret obs/x is not valid: data: expected map"
    );
    assert_eq!(
        refusal(
            &secret,
            500,
            "InternalError",
            "failed to convert new object (obs/x; /v1, Kind=Secret) to proper version: unable to convert unstructured object to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 7"
        ),
        "Secret obs/x is not valid: illegal base64 data at input byte 7"
    );
}

#[test]
fn kubeconfigs() {
    use std::path::{Path, PathBuf};
    let words = kubeconfig::none_found(&[PathBuf::from("/home/a/.kube/config")], false);
    assert_eq!(
        words.message(),
        "no kubeconfig found: KUBECONFIG is not set and /home/a/.kube/config does not exist"
    );
    assert_eq!(words.exit(), Exit::Unreachable);
    assert!(words.hints()[0].starts_with("name one with --kubeconfig FILE"));
    let words = kubeconfig::none_found(&[PathBuf::from("/a"), PathBuf::from("/b")], true);
    assert_eq!(words.message(), "no kubeconfig found: KUBECONFIG names /a, /b, and none of them exists");
    let known = ["dev".to_owned(), "prod".to_owned(), "staging".to_owned()];
    assert_eq!(
        kubeconfig::unknown("context", "prd", &known, None).to_string(),
        "the kubeconfig has no context \"prd\"\n  hint: did you mean \"prod\"? contexts: dev, prod, staging"
    );
    assert_eq!(
        kubeconfig::unknown("cluster", "elsewhere", &known, Some("context \"prod\"")).to_string(),
        "context \"prod\" in the kubeconfig refers to the cluster \"elsewhere\", which it does not define\n  \
         hint: clusters: dev, prod, staging"
    );
    let missing = kube::config::Kubeconfig::read_from("/nonexistent/config").unwrap_err();
    let error = kubeconfig::unusable(Path::new("/nonexistent/config"), &missing, true);
    assert_eq!(
        error.to_string(),
        "cannot read the kubeconfig /nonexistent/config: no such file or directory"
    );
    assert_eq!(error.exit(), Exit::Usage);
}

#[test]
fn nothing_is_debug_output() {
    let status = Status::failure("boom", "InternalError").with_code(500);
    let failure = Failure {
        reason: Reason::Status(Box::new(status)),
        attempts: 9,
        elapsed: Duration::from_secs(60),
        uncertain: false,
    };
    assert_eq!(
        failure.into_error(&target(), &deployment()).to_string(),
        "Deployment obs/x is refused: boom\n  tried 9 times in 60s"
    );
}
