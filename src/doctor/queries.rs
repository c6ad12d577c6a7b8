//! What Prometheus is asked, by name: the checks read the answers by these names.

/// A question to Prometheus.
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// It is asked where the release has one of these components; empty: always.
    pub of: &'static [&'static str],
    /// The query. `$namespace` is the release's.
    pub text: &'static str,
}

const fn query(name: &'static str, text: &'static str) -> Query {
    Query { name, of: &[], text }
}

const fn of(of: &'static [&'static str], name: &'static str, text: &'static str) -> Query {
    Query { name, of, text }
}

const FLUENTD: &[&str] = &["fluentd"];
const LOKI: &[&str] = &["loki"];
const DOCUMENTS: &[&str] = &["elasticsearch", "opensearch"];

/// All of them.
pub const QUERIES: [Query; 39] = [
    query("appended", r#"sum(rate(prometheus_tsdb_head_samples_appended_total{job="prometheus"}[2m]))"#),
    query("nodes", r#"count(max by (node) (kube_node_info{job="kube-state-metrics"}))"#),
    query("nodeExporters", r#"count(max by (node) (up{job="node-exporter"} == 1))"#),
    query("containers", r#"count(container_cpu_usage_seconds_total{job="kubelet-cadvisor"})"#),
    query("databasesDown", r#"{__name__=~"pg_up|redis_up",job=~"postgres|redis"} == 0"#),
    query(
        "memory",
        r#"max by (namespace, pod, container) (container_memory_working_set_bytes{namespace=~"$namespace(-node)?",container!=""}) / on (namespace, pod, container) max by (namespace, pod, container) (kube_pod_container_resource_limits{job="kube-state-metrics",namespace=~"$namespace(-node)?",resource="memory"}) > 0.9"#,
    ),
    query(
        "volumes",
        r#"1 - max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes{namespace="$namespace"}) / max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{namespace="$namespace"})"#,
    ),
    query(
        "inodes",
        r#"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes_used{namespace="$namespace"}) / max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes{namespace="$namespace"} > 0)"#,
    ),
    query(
        "filling",
        r#"max by (namespace, persistentvolumeclaim) (predict_linear(kubelet_volume_stats_available_bytes{namespace="$namespace"}[6h], 4 * 86400)) < 0 and on (namespace, persistentvolumeclaim) count_over_time(kubelet_volume_stats_available_bytes{namespace="$namespace"}[6h]) > 100"#,
    ),
    query(
        "missed",
        r#"sum by (rule_group) (increase(prometheus_rule_group_iterations_missed_total[10m])) > 0"#,
    ),
    query(
        "undelivered",
        r#"sum by (alertmanager) (increase(prometheus_notifications_errors_total{job="prometheus"}[10m])) > 0"#,
    ),
    query("dropped", r#"sum(increase(prometheus_notifications_dropped_total{job="prometheus"}[10m])) > 0"#),
    query(
        "messagesFailed",
        r#"sum by (integration, receiver_name, reason) (increase(alertmanager_notifications_failed_total{job="alertmanager"}[15m])) > 0"#,
    ),
    query("alertmanagerConfig", r#"alertmanager_config_last_reload_successful{job="alertmanager"} == 0"#),
    query(
        "alertmanagerConfigs",
        r#"count(count_values("hash", alertmanager_config_hash{job="alertmanager"}))"#,
    ),
    query(
        "unseenObjects",
        r#"sum by (resource) (increase(kube_state_metrics_list_total{job="kube-state-metrics",result="error"}[10m])) > 0"#,
    ),
    query(
        "undiscovered",
        r#"sum(increase(prometheus_sd_kubernetes_failures_total{job="prometheus"}[10m])) > 0"#,
    ),
    query(
        "limited",
        r#"label_replace(sum(increase(prometheus_target_scrapes_exceeded_sample_limit_total{job="prometheus"}[10m])) > 0, "limit", "samples", "", "") or label_replace(sum(increase(prometheus_target_scrape_pool_exceeded_label_limits_total{job="prometheus"}[10m])) > 0, "limit", "labels", "", "") or label_replace(sum(increase(prometheus_target_scrape_pool_exceeded_target_limit_total{job="prometheus"}[10m])) > 0, "limit", "targets", "", "") or label_replace(sum(increase(prometheus_target_scrapes_exceeded_body_size_limit_total{job="prometheus"}[10m])) > 0, "limit", "size", "", "")"#,
    ),
    query(
        "doubled",
        r#"label_replace(sum(rate(prometheus_target_scrapes_sample_duplicate_timestamp_total{job="prometheus"}[10m])) > 0, "kind", "the same time", "", "") or label_replace(sum(rate(prometheus_target_scrapes_sample_out_of_order_total{job="prometheus"}[10m])) > 0, "kind", "older than what is there", "", "")"#,
    ),
    query("halfAsked", r#"{__name__=~"(pg|redis)_exporter_last_scrape_error",job=~"postgres|redis"} == 1"#),
    query(
        "unsent",
        r#"label_replace(sum by (remote_name, url) (rate(prometheus_remote_storage_samples_failed_total{job="prometheus"}[10m])) > 0, "kind", "samples are refused", "", "") or label_replace(sum by (remote_name, url) (prometheus_remote_storage_shards{job="prometheus"}) >= sum by (remote_name, url) (prometheus_remote_storage_shards_max{job="prometheus"}) > 0, "kind", "they come faster than they are taken", "", "")"#,
    ),
    query(
        "busy",
        r#"max(avg_over_time(prometheus_engine_queries{job="prometheus"}[5m])) / max(prometheus_engine_queries_concurrent_max{job="prometheus"}) > 0.8"#,
    ),
    of(FLUENTD, "logNodes", r#"count(max by (node) (up{job="fluentd"} == 1))"#),
    of(FLUENTD, "unreadable", r#"sum by (node) (obs_fluentd_unreadable_files{job="fluentd"}) > 0"#),
    of(
        FLUENTD,
        "retried",
        r#"sum by (node, store, reason) (rate(obs_fluentd_store_retries_total{job="fluentd"}[5m])) > 0"#,
    ),
    of(FLUENTD, "paused", r#"max by (node, store) (obs_fluentd_paused{job="fluentd"}) == 1"#),
    of(
        FLUENTD,
        "fillingBuffers",
        r#"max by (node, store) (obs_fluentd_buffer_bytes{job="fluentd"} / (obs_fluentd_buffer_limit_bytes{job="fluentd"} > 0)) > 0.8"#,
    ),
    of(
        FLUENTD,
        "lost",
        r#"sum by (node) (increase(obs_fluentd_missed_files_total{job="fluentd"}[15m])) > 0 or sum by (node, store) (increase(obs_fluentd_buffer_dropped_chunks_total{job="fluentd"}[15m])) > 0"#,
    ),
    of(
        FLUENTD,
        "refused",
        r#"sum by (node, store, reason) (increase(obs_fluentd_set_aside_records_total{job="fluentd",reason!="cut"}[15m])) > 0"#,
    ),
    of(FLUENTD, "strangers", r#"max by (node) (obs_fluentd_kubernetes_synced{job="fluentd"}) == 0"#),
    of(FLUENTD, "behind", r#"sum by (node) (obs_fluentd_lag_bytes{job="fluentd"}) > 5e+07"#),
    of(
        FLUENTD,
        "quiet",
        r#"(sum by (source_namespace) (rate(obs_fluentd_read_lines_total{job="fluentd"}[1d])) > 0.1 unless sum by (source_namespace) (increase(obs_fluentd_read_lines_total{job="fluentd"}[1h])) > 0) and on (source_namespace) label_replace(count by (namespace) (max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase="Running"}) == 1), "source_namespace", "$1", "namespace", "(.+)")"#,
    ),
    of(LOKI, "received", r#"sum(rate(loki_distributor_lines_received_total{job="loki"}[5m]))"#),
    of(LOKI, "discarded", r#"sum by (reason) (increase(loki_discarded_samples_total{job="loki"}[5m])) > 0"#),
    of(
        LOKI,
        "unwritten",
        r#"sum by (instance) (increase(loki_ingester_chunks_flush_failures_total{job="loki"}[10m])) > 0 or sum by (instance) (increase(loki_ingester_wal_disk_full_failures_total{job="loki"}[10m])) > 0"#,
    ),
    of(
        DOCUMENTS,
        "documentsHealth",
        r#"max by (job, color) (elasticsearch_cluster_health_status{job=~"elasticsearch|opensearch",color=~"red|yellow"}) == 1"#,
    ),
    of(
        DOCUMENTS,
        "readOnly",
        r#"max by (job) (elasticsearch_indices_settings_stats_read_only_indices{job=~"elasticsearch|opensearch"}) > 0"#,
    ),
    of(
        DOCUMENTS,
        "documentsDisk",
        r#"min by (job, name) (elasticsearch_filesystem_data_available_bytes{job=~"elasticsearch|opensearch"} / (elasticsearch_filesystem_data_size_bytes{job=~"elasticsearch|opensearch"} > 0)) < 0.15"#,
    ),
    of(
        DOCUMENTS,
        "overrun",
        r#"sum by (job, name) (increase(elasticsearch_thread_pool_rejected_count{job=~"elasticsearch|opensearch",type="write"}[10m])) > 0"#,
    ),
];

/// The query as it is asked.
pub fn text(query: &str, namespace: &str) -> String {
    query.replace("$namespace", namespace)
}
