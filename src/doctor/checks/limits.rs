//! MX: what Prometheus leaves out or cannot keep up with: limits, doubles, remote writes, questions.

use super::of_series;
use crate::doctor::snapshot::{label, value};
use crate::doctor::{Check, Finding, Need, Severity, Snapshot};

pub const CHECKS: &[Check] = &[
    Check {
        id: "MX07",
        title: "Prometheus may discover what it is to scrape",
        why: "it cannot list or watch pods, so that new ones are not scraped and old ones stay",
        verify: "increase(prometheus_sd_kubernetes_failures_total[10m]); kubectl obs logs prometheus: forbidden",
        fix: "kubectl obs drift shows whether its roles were changed",
        needs: &[Need::Prometheus],
        follows: &["MX01"],
        run: discovery,
    },
    Check {
        id: "MX09",
        title: "no target exposes more than it may",
        why: "a scrape over a limit is dropped as a whole: the target counts as down",
        verify: "increase(prometheus_target_scrapes_exceeded_sample_limit_total[10m]) and its siblings",
        fix: "expose less, or raise scrape.limits",
        needs: &[Need::Prometheus],
        follows: &[],
        run: limits,
    },
    Check {
        id: "MX11",
        title: "every sample is stored once",
        why: "samples with the same labels at the same time, or older ones than before, are dropped: two targets look alike",
        verify: "rate(prometheus_target_scrapes_sample_duplicate_timestamp_total[10m])",
        fix: "kubectl obs logs prometheus names the target; give both a label in which they differ",
        needs: &[Need::Prometheus],
        follows: &["MX12"],
        run: doubles,
    },
    Check {
        id: "MX17",
        title: "the exporters of databases can ask everything",
        why: "a part of what they ask fails, for example for want of a right in the database",
        verify: "pg_exporter_last_scrape_error, redis_exporter_last_scrape_error",
        fix: "kubectl obs logs postgres-exporter (or redis-exporter) has the database's words",
        needs: &[Need::Prometheus],
        follows: &["MX16"],
        run: exporters,
    },
    Check {
        id: "MX19",
        title: "what is written elsewhere arrives there",
        why: "the other store refuses samples, or takes them slower than they come",
        verify: "rate(prometheus_remote_storage_samples_failed_total[10m]), prometheus_remote_storage_samples_pending",
        fix: "kubectl obs logs prometheus has the store's words; remoteWrite in the values",
        needs: &[Need::Prometheus],
        follows: &["MX10"],
        run: remote,
    },
    Check {
        id: "MX20",
        title: "Prometheus has time for more questions",
        why: "when all places are taken, dashboards and rules wait",
        verify: "prometheus_engine_queries / prometheus_engine_queries_concurrent_max",
        fix: "record what dashboards ask often, or ask for shorter times",
        needs: &[Need::Prometheus],
        follows: &[],
        run: busy,
    },
];

fn discovery(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "undiscovered",
        Severity::Fail,
        "prometheus",
        "Prometheus cannot discover what it is to scrape",
        |series| format!("{:.0} failures in ten minutes", value(series).unwrap_or_default()),
    )
    .map(|finding| {
        finding
            .fix("kubectl obs drift shows whether its roles were changed")
            .fix("kubectl obs logs prometheus")
    })
    .into_iter()
    .collect()
}

fn limits(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "limited",
        Severity::Warn,
        "prometheus",
        "targets expose more than they may",
        |series| {
            format!(
                "{}: {:.0} scrapes in ten minutes",
                label(series, "limit"),
                value(series).unwrap_or_default()
            )
        },
    )
    .map(|finding| {
        finding.fix("kubectl obs doctor --only MX05 names them; expose less, or raise scrape.limits")
    })
    .into_iter()
    .collect()
}

fn doubles(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "doubled",
        Severity::Warn,
        "prometheus",
        "samples are dropped: two targets have the same labels",
        |series| format!("{}: {:.1} each second", label(series, "kind"), value(series).unwrap_or_default()),
    )
    .map(|finding| finding.fix("kubectl obs logs prometheus names the target"))
    .into_iter()
    .collect()
}

fn exporters(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("halfAsked").into_iter().flatten();
    series
        .map(|series| {
            let component = format!("{}-exporter", label(series, "job"));
            let database = label(series, "database");
            let which = if database.is_empty() { label(series, "instance") } else { database };
            Finding::warn(format!("a part of what {component} asks database {which} fails"))
                .about(component.clone())
                .fix(format!("kubectl obs logs {component}"))
        })
        .collect()
}

fn remote(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "unsent",
        Severity::Fail,
        "prometheus",
        "samples that are written elsewhere do not arrive there",
        |series| {
            let url = crate::url::shown(label(series, "url"));
            format!("{} {url}: {}", label(series, "remote_name"), label(series, "kind"))
        },
    )
    .map(|finding| finding.fix("kubectl obs logs prometheus has the store's words"))
    .into_iter()
    .collect()
}

fn busy(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "busy",
        Severity::Info,
        "prometheus",
        "nearly all places for questions to Prometheus are taken",
        |series| format!("{:.0}%", value(series).unwrap_or_default() * 100.0),
    )
    .map(|finding| finding.fix("record what dashboards ask often"))
    .into_iter()
    .collect()
}
