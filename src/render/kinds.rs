//! What is known of kinds without a cluster: which live outside namespaces, and how long their
//! names may be.

use serde_json::Value;

/// Built-in kinds outside namespaces, by group (as of Kubernetes 1.34), and those of CRDs that
/// bundles commonly meet.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("snapshot.storage.k8s.io", &["VolumeSnapshotClass", "VolumeSnapshotContent"]),
    (
        "storage.k8s.io",
        &["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment", "VolumeAttributesClass"],
    ),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
    ("cert-manager.io", &["ClusterIssuer"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
];

/// Does a kind live outside namespaces? Kinds that nobody knows are taken as namespaced.
pub fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.iter().any(|(known, kinds)| *known == group && kinds.contains(&kind))
}

/// How a name is checked.
struct Rule {
    longest: usize,
    label: bool,
    /// Why the limit is shorter than that of the form.
    why: &'static str,
}

/// Is `name` a name that the API server takes for this kind? The error says why not.
pub fn check_name(group: &str, kind: &str, name: &str) -> Result<(), String> {
    let rule = match (group, kind) {
        // apimachinery's path segment name: only `/` and `%` are special
        ("rbac.authorization.k8s.io", _) => {
            return match name.contains(['/', '%']) || name == "." || name == ".." {
                true => Err(format!("{name:?} is not a name: `/` and `%` are not allowed")),
                false => Ok(()),
            };
        }
        ("", "Service") => Rule { longest: 63, label: true, why: "it becomes a DNS name" },
        ("", "Namespace") => Rule { longest: 63, label: true, why: "it becomes part of DNS names" },
        ("apps", "StatefulSet") => {
            Rule { longest: 52, label: true, why: "its pods carry a label <name>-<hash> of at most 63" }
        }
        ("batch", "CronJob") => Rule { longest: 52, label: false, why: "its jobs are named <name>-<number>" },
        ("batch", "Job") => Rule { longest: 63, label: false, why: "its pods carry it as a label" },
        _ => Rule { longest: 253, label: false, why: "" },
    };
    let length = name.len();
    if length > rule.longest {
        let why = if rule.why.is_empty() { String::new() } else { format!(": {}", rule.why) };
        return Err(format!("the name {name:?} has {length} characters, {} are allowed{why}", rule.longest));
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|b| plain(*b) || *b == b'-')
            && bytes.first().is_some_and(|b| plain(*b))
            && bytes.last().is_some_and(|b| plain(*b))
    };
    let valid = if rule.label { label(name) } else { name.split('.').all(label) };
    // a Service must not begin with a digit (RFC 1035)
    if kind == "Service" && name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{name:?} is not a name for a Service: it must begin with a letter"));
    }
    match (valid, rule.label) {
        (true, _) => Ok(()),
        (false, true) => Err(format!(
            "{name:?} is not a name: only a-z, 0-9 and `-` are allowed, with a letter or digit at both ends"
        )),
        (false, false) => Err(format!(
            "{name:?} is not a name: only a-z, 0-9, `-` and `.` are allowed, with a letter or digit at both ends"
        )),
    }
}

/// The kinds of a CustomResourceDefinition as (group, kind, cluster-scoped).
pub fn of_crd(crd: &Value) -> Option<(String, String, bool)> {
    let spec = crd.get("spec")?;
    let kind = spec.pointer("/names/kind")?.as_str()?;
    Some((
        spec.get("group")?.as_str()?.to_owned(),
        kind.to_owned(),
        spec.get("scope")?.as_str()? == "Cluster",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_kind() {
        let long = "x".repeat(60);
        for (group, kind, name, valid) in [
            ("", "ConfigMap", "a.b-c", true),
            ("", "ConfigMap", "A", false),
            ("", "ConfigMap", "a..b", false),
            ("", "ConfigMap", "", false),
            ("", "ConfigMap", "-a", false),
            ("", "Service", "a.b", false),
            ("", "Service", "1a", false),
            ("apps", "StatefulSet", long.as_str(), false),
            ("apps", "Deployment", long.as_str(), true),
            ("rbac.authorization.k8s.io", "ClusterRole", "system:Aggregate", true),
            ("rbac.authorization.k8s.io", "ClusterRole", "a/b", false),
        ] {
            assert_eq!(check_name(group, kind, name).is_ok(), valid, "{kind} {name}");
        }
    }

    #[test]
    fn scope_depends_on_the_group() {
        assert!(is_cluster_scoped("", "Namespace"));
        assert!(!is_cluster_scoped("example.com", "Namespace"));
        assert!(!is_cluster_scoped("apps", "Deployment"));
    }
}
