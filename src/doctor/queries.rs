//! What Prometheus is asked, by name: the checks read the answers by these names.

/// Name and query. `$namespace` is the release's.
pub const QUERIES: [(&str, &str); 16] = [
    ("appended", r#"sum(rate(prometheus_tsdb_head_samples_appended_total{job="prometheus"}[2m]))"#),
    ("nodes", r#"count(max by (node) (kube_node_info{job="kube-state-metrics"}))"#),
    ("nodeExporters", r#"count(max by (node) (up{job="node-exporter"} == 1))"#),
    ("containers", r#"count(container_cpu_usage_seconds_total{job="kubelet-cadvisor"})"#),
    ("databasesDown", r#"{__name__=~"pg_up|redis_up",job=~"postgres|redis"} == 0"#),
    (
        "memory",
        r#"max by (namespace, pod, container) (container_memory_working_set_bytes{namespace=~"$namespace(-node)?",container!=""}) / on (namespace, pod, container) max by (namespace, pod, container) (kube_pod_container_resource_limits{job="kube-state-metrics",namespace=~"$namespace(-node)?",resource="memory"}) > 0.9"#,
    ),
    (
        "volumes",
        r#"1 - max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes{namespace="$namespace"}) / max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{namespace="$namespace"})"#,
    ),
    (
        "inodes",
        r#"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes_used{namespace="$namespace"}) / max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes{namespace="$namespace"} > 0)"#,
    ),
    (
        "filling",
        r#"max by (namespace, persistentvolumeclaim) (predict_linear(kubelet_volume_stats_available_bytes{namespace="$namespace"}[6h], 4 * 86400)) < 0 and on (namespace, persistentvolumeclaim) count_over_time(kubelet_volume_stats_available_bytes{namespace="$namespace"}[6h]) > 100"#,
    ),
    ("missed", r#"sum by (rule_group) (increase(prometheus_rule_group_iterations_missed_total[10m])) > 0"#),
    (
        "undelivered",
        r#"sum by (alertmanager) (increase(prometheus_notifications_errors_total{job="prometheus"}[10m])) > 0"#,
    ),
    ("dropped", r#"sum(increase(prometheus_notifications_dropped_total{job="prometheus"}[10m])) > 0"#),
    (
        "messagesFailed",
        r#"sum by (integration, receiver_name, reason) (increase(alertmanager_notifications_failed_total{job="alertmanager"}[15m])) > 0"#,
    ),
    ("alertmanagerConfig", r#"alertmanager_config_last_reload_successful{job="alertmanager"} == 0"#),
    ("alertmanagerConfigs", r#"count(count_values("hash", alertmanager_config_hash{job="alertmanager"}))"#),
    (
        "unseenObjects",
        r#"sum by (resource) (increase(kube_state_metrics_list_total{job="kube-state-metrics",result="error"}[10m])) > 0"#,
    ),
];

/// The query as it is asked.
pub fn text(query: &str, namespace: &str) -> String {
    query.replace("$namespace", namespace)
}
