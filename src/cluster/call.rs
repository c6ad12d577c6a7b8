//! One request to the API server as a value: method, URL, body, and what it is about in words for
//! error messages. Paths follow the API conventions (`/apis/<group>/<version>/namespaces/<ns>/…`).

use std::borrow::Cow;
use std::fmt;

use http::Method;

use crate::escape;
use crate::object::Kind;

/// JSON merge patch (RFC 7386).
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";
/// JSON patch (RFC 6902).
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
/// Server-side apply. The body is JSON all the same, which is YAML too.
pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// What a request is about; gives error messages their object and RBAC verb.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    /// The RBAC verb, for example `create`; `apply` is `patch` to RBAC.
    pub verb: &'static str,
    /// None for requests that are not about a kind (`/version`).
    pub kind: Option<Kind>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl Subject {
    pub fn new(verb: &'static str, kind: &Kind, namespace: Option<&str>, name: Option<&str>) -> Self {
        Self {
            verb,
            kind: Some(kind.clone()),
            namespace: namespace.filter(|_| kind.namespaced).map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }
}

impl fmt::Display for Subject {
    /// `Deployment observability/obs-grafana`, `Deployments in namespace observability`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = &self.kind else { return f.write_str("the API server") };
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "{} {namespace}/{name}", kind.kind),
            (None, Some(name)) => write!(f, "{} {name}", kind.kind),
            (Some(namespace), None) => write!(f, "{} in namespace {namespace}", plural(&kind.kind)),
            (None, None) => f.write_str(&plural(&kind.kind)),
        }
    }
}

/// `ClusterRole` → `ClusterRoles`, `NetworkPolicy` → `NetworkPolicies`, `Ingress` → `Ingresses`.
pub(super) fn plural(kind: &str) -> String {
    if kind.ends_with("Endpoints") {
        return kind.to_owned();
    }
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) || kind.ends_with("ch") => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

/// One request. Built by the methods of [`super::Cluster`], sent by [`super::retry`].
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub method: Method,
    /// Path and query.
    pub url: String,
    pub accept: &'static str,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub subject: Subject,
    /// Is the answer plain text (a log) instead of JSON?
    pub text: bool,
}

impl Call {
    pub fn get(url: impl Into<String>, subject: Subject) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            accept: "application/json",
            content_type: "application/json",
            body: Vec::new(),
            subject,
            text: false,
        }
    }

    pub fn with_body(
        method: Method,
        url: impl Into<String>,
        body: &serde_json::Value,
        subject: Subject,
    ) -> Self {
        let text = body.to_string();
        // an apply is read as YAML, which refuses some characters that JSON has as they are
        let body = match escape::document(&text) {
            Cow::Borrowed(_) => text.into_bytes(),
            Cow::Owned(escaped) => escaped.into_bytes(),
        };
        Self { method, body, ..Self::get(url, subject) }
    }

    #[must_use]
    pub fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    #[must_use]
    pub fn text(mut self) -> Self {
        self.accept = "*/*";
        self.text = true;
        self
    }

    #[must_use]
    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }
}

/// The URL of a kind's collection, or of one object in it. A namespace given for a cluster-scoped
/// kind is ignored; None for a namespaced kind means all namespaces.
pub(super) fn path(kind: &Kind, namespace: Option<&str>, name: Option<&str>) -> String {
    let mut path = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        path.push_str("/namespaces/");
        path.push_str(&encode(namespace));
    }
    path.push('/');
    path.push_str(&kind.plural);
    if let Some(name) = name {
        path.push('/');
        path.push_str(&encode(name));
    }
    path
}

/// `url?a=b&c=d`, values percent-encoded, empty ones left out.
pub(super) fn with_query(url: &str, query: &[(&str, &str)]) -> String {
    let mut out = url.to_owned();
    let mut separator = if url.contains('?') { '&' } else { '?' };
    for (key, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(separator);
        out.push_str(key);
        out.push('=');
        out.push_str(&encode(value));
        separator = '&';
    }
    out
}

/// Percent-encodes everything but RFC 3986 unreserved characters and `:`, which is common in
/// names of RBAC objects and harmless in paths and queries.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_api_conventions() {
        let deployment = Kind::namespaced("apps", "Deployment", "deployments");
        assert_eq!(path(&deployment, Some("x"), Some("y")), "/apis/apps/v1/namespaces/x/deployments/y");
        assert_eq!(path(&deployment, None, None), "/apis/apps/v1/deployments");
        let role = Kind::cluster_scoped("rbac.authorization.k8s.io", "ClusterRole", "clusterroles");
        assert_eq!(
            path(&role, Some("ignored"), Some("system:node/x")),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node%2Fx"
        );
        assert_eq!(path(&Kind::namespaced("", "Pod", "pods"), Some("x"), None), "/api/v1/namespaces/x/pods");
    }

    #[test]
    fn queries_are_encoded_and_empty_values_left_out() {
        assert_eq!(
            with_query("/x", &[("labelSelector", "a/b=c,d in (e)"), ("continue", ""), ("limit", "5")]),
            "/x?labelSelector=a%2Fb%3Dc%2Cd%20in%20%28e%29&limit=5"
        );
        assert_eq!(with_query("/x?a=b", &[("c", "d")]), "/x?a=b&c=d");
    }

    #[test]
    fn kinds_have_plurals_that_read_well() {
        for (one, many) in [
            ("ClusterRole", "ClusterRoles"),
            ("NetworkPolicy", "NetworkPolicies"),
            ("Ingress", "Ingresses"),
            ("StorageClass", "StorageClasses"),
            ("Endpoints", "Endpoints"),
            ("Gateway", "Gateways"),
        ] {
            assert_eq!(plural(one), many);
        }
    }
}
