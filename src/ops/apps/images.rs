//! Programs that are known by their images, and how they are watched. A table.

/// How a program is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By the stack's exporter for PostgreSQL.
    Postgres,
    /// By the stack's exporter for Redis.
    Redis,
    /// It serves metrics itself.
    Itself {
        /// At this port.
        port: u16,
        /// At this path.
        path: &'static str,
        /// What has to be so.
        note: &'static str,
    },
    /// By this exporter beside it in the pod.
    Beside(&'static str),
}

/// The last part of an image's path → how.
const KNOWN: [(&[&str], How); 21] = [
    (
        &["postgres", "postgresql", "postgis", "timescaledb", "timescaledb-ha", "pgvector", "spilo-17"],
        How::Postgres,
    ),
    (&["redis", "valkey", "keydb", "redis-stack", "redis-stack-server"], How::Redis),
    (&["rabbitmq"], itself(15692, "/metrics", "with the plugin rabbitmq_prometheus")),
    (&["minio"], itself(9000, "/minio/v2/metrics/cluster", "with MINIO_PROMETHEUS_AUTH_TYPE=public")),
    (&["traefik"], itself(8080, "/metrics", "with metrics.prometheus in its configuration")),
    (&["envoy"], itself(9901, "/stats/prometheus", "where its admin interface listens for others")),
    (&["keycloak"], itself(9000, "/metrics", "with KC_METRICS_ENABLED=true")),
    (&["cockroach"], itself(8080, "/_status/vars", "")),
    (&["coredns"], itself(9153, "/metrics", "with the plugin prometheus")),
    (&["grafana", "grafana-enterprise"], itself(3000, "/metrics", "")),
    (&["loki"], itself(3100, "/metrics", "")),
    (&["clickhouse-server"], itself(9363, "/metrics", "with its endpoint prometheus")),
    (&["nginx", "nginx-unprivileged"], How::Beside("nginx-prometheus-exporter (which reads stub_status)")),
    (&["httpd"], How::Beside("apache_exporter")),
    (&["mysql", "mariadb", "percona"], How::Beside("mysqld_exporter")),
    (&["mongo", "mongodb", "mongodb-community-server"], How::Beside("mongodb_exporter")),
    (&["memcached"], How::Beside("memcached_exporter")),
    (&["elasticsearch", "opensearch"], How::Beside("elasticsearch_exporter")),
    (&["kafka", "cp-kafka"], How::Beside("kafka_exporter")),
    (&["nats"], How::Beside("prometheus-nats-exporter")),
    (&["haproxy"], How::Beside("haproxy_exporter, or its own service prometheus-exporter")),
];

const fn itself(port: u16, path: &'static str, note: &'static str) -> How {
    How::Itself { port, path, note }
}

/// The name of the program in an image, and how it is watched.
pub fn known(image: &str) -> Option<(&str, How)> {
    let name = name(image);
    let (_, how) = KNOWN.iter().find(|(names, _)| names.contains(&name))?;
    Some((name, *how))
}

/// Is it an exporter by its name?
pub fn is_exporter(image: &str) -> bool {
    name(image).ends_with("exporter")
}

/// `docker.io/library/postgres:16@sha256:…` → `postgres`
fn name(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or(image);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_wherever_they_come_from() {
        for (image, expected) in [
            ("postgres:16", Some(("postgres", How::Postgres))),
            ("localhost:5000/bitnami/postgresql@sha256:ab", Some(("postgresql", How::Postgres))),
            ("docker.io/valkey/valkey:8", Some(("valkey", How::Redis))),
            ("ghcr.io/me/my-postgres:1", None),
        ] {
            assert_eq!(known(image), expected, "{image}");
        }
        assert!(is_exporter("quay.io/x/redis_exporter:v1") && !is_exporter("redis:7"));
    }
}
