//! In which order kinds are applied and removed.

/// How many waves there are.
pub const WAVES: usize = 4;

/// The wave in which a kind is applied (design: "Waves").
pub fn wave(kind: &str) -> usize {
    match kind {
        "Namespace" | "PriorityClass" | "StorageClass" | "CustomResourceDefinition" => 0,
        "ServiceAccount"
        | "Role"
        | "ClusterRole"
        | "RoleBinding"
        | "ClusterRoleBinding"
        | "ConfigMap"
        | "Secret"
        | "PersistentVolumeClaim"
        | "Service"
        | "NetworkPolicy"
        | "PodDisruptionBudget"
        | "ResourceQuota"
        | "LimitRange" => 1,
        "MutatingWebhookConfiguration"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "APIService"
        | "Ingress"
        | "HorizontalPodAutoscaler" => 3,
        _ => 2,
    }
}

/// The rank in which a kind is removed, lowest first: webhooks and aggregated APIs, so that a
/// dead one cannot block the rest; custom resources while their controllers live; workloads;
/// what they used; volumes; what others stand on.
pub fn removal_rank(kind: &str) -> usize {
    match kind {
        "PersistentVolumeClaim" => 5,
        // its claim holds it
        "PersistentVolume" => 6,
        "Namespace" => 7,
        "CustomResourceDefinition" | "PriorityClass" | "StorageClass" => 6,
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "CronJob"
        | "Pod" => 3,
        kind => match wave(kind) {
            3 => 1,
            2 => 2,
            _ => 4,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first_and_goes_last() {
        assert!(wave("Namespace") < wave("ConfigMap"));
        assert!(wave("ConfigMap") < wave("Deployment"));
        assert!(wave("Deployment") < wave("ValidatingWebhookConfiguration"));
        assert_eq!(wave("Prometheus"), 2, "custom resources go with their component");
        let order = [
            "ValidatingWebhookConfiguration",
            "Prometheus",
            "Deployment",
            "ConfigMap",
            "PersistentVolumeClaim",
            "CustomResourceDefinition",
            "Namespace",
        ];
        assert!(order.windows(2).all(|pair| removal_rank(pair[0]) < removal_rank(pair[1])));
    }
}
