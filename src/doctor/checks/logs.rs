//! LG: log lines, from the files on the nodes to the stores. Quiet where the release collects no logs.

use super::{lacking_nodes, of_series};
use crate::doctor::snapshot::{label, value};
use crate::doctor::{Check, Finding, Need, Severity, Snapshot};
use crate::words::count;

/// What keeps a store from taking lines.
const STORE: &[&str] = &["LG08", "LG19", "LG23", "LG24", "ST02"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "LG01",
        title: "Fluentd runs on every node that it is meant for",
        why: "the lines of a node without it are read by nobody",
        verify: "kubectl get pods -A -l app.kubernetes.io/name=fluentd -o wide",
        fix: "kubectl obs status fluentd shows its pods",
        needs: &[Need::Prometheus, Need::Fluentd, Need::Status],
        follows: &["PF07", "WK01", "WK02", "WK03", "WK04", "WK05", "WK08", "WK09"],
        run: everywhere,
    },
    Check {
        id: "LG03",
        title: "Fluentd may read every log file",
        why: "what it may not read is missing in the stores",
        verify: "obs_fluentd_unreadable_files; kubectl obs logs fluentd",
        fix: "it has to run as root, and SELinux has to allow it: see the values of fluentd",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &[],
        run: unreadable,
    },
    Check {
        id: "LG08",
        title: "the stores take what Fluentd sends",
        why: "lines wait in its buffers, and later in the files until these are rotated away",
        verify: "rate(obs_fluentd_store_retries_total[5m])",
        fix: "see the reason: the store, the way to it, its credentials",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &["LG24", "WK01", "WK02", "WK04", "WK05"],
        run: retried,
    },
    Check {
        id: "LG19",
        title: "Loki discards no lines",
        why: "what it discards for its limits comes later or never",
        verify: "increase(loki_discarded_samples_total[5m])",
        fix: "raise the limit that is named, or send less: loki.limits in the values",
        needs: &[Need::Prometheus, Need::Loki],
        follows: &[],
        run: discarded,
    },
    Check {
        id: "LG07",
        title: "the buffers of Fluentd have room",
        why: "when one is full, nothing more is read from the files of its node",
        verify: "obs_fluentd_buffer_bytes / obs_fluentd_buffer_limit_bytes",
        fix: "let the store take lines again; until then give the buffers more room",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: STORE,
        run: full,
    },
    Check {
        id: "LG09",
        title: "Fluentd loses no lines",
        why: "files were rotated away before they were read, or a buffer was given up",
        verify: "increase(obs_fluentd_missed_files_total[15m]), increase(obs_fluentd_buffer_dropped_chunks_total[15m])",
        fix: "more room for the buffers, more CPU for fluentd, or larger files before they are rotated",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &["LG07", "LG08", "LG19"],
        run: lost,
    },
    Check {
        id: "LG10",
        title: "no store refuses records for good",
        why: "they are set aside, with the reason, and nobody finds them in a search",
        verify: "increase(obs_fluentd_set_aside_records_total[15m])",
        fix: "see the reason; they can be replayed once it is gone (docs/logging.md)",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &["LG24"],
        run: refused,
    },
    Check {
        id: "LG13",
        title: "Fluentd knows the pods whose lines it reads",
        why: "without their labels lines cannot be found by them",
        verify: "obs_fluentd_kubernetes_synced",
        fix: "kubectl obs drift shows whether its ClusterRole was changed",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &[],
        run: strangers,
    },
    Check {
        id: "LG14",
        title: "Fluentd reads as fast as lines are written",
        why: "what lies behind arrives late, and is lost when its file is rotated away",
        verify: "obs_fluentd_lag_bytes",
        fix: "more CPU for fluentd, or fewer lines of the namespace that writes most",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &["LG07", "LG08", "LG19"],
        run: behind,
    },
    Check {
        id: "LG18",
        title: "lines arrive in Loki",
        why: "it runs, and nobody sends it anything",
        verify: "rate(loki_distributor_lines_received_total[5m])",
        fix: "kubectl obs logs fluentd",
        needs: &[Need::Prometheus, Need::Loki, Need::Fluentd],
        follows: &["LG01", "LG03", "LG08", "LG07"],
        run: silent,
    },
    Check {
        id: "LG22",
        title: "Loki can write what it holds",
        why: "lines that it cannot write are in its memory alone, or their retention does not work",
        verify: "increase(loki_ingester_chunks_flush_failures_total[10m]), loki_ingester_wal_disk_full_failures_total",
        fix: "kubectl obs logs loki; is its volume full, or its object store away?",
        needs: &[Need::Prometheus, Need::Loki],
        follows: &["ST02"],
        run: unwritten,
    },
    Check {
        id: "LG23",
        title: "the store of documents is green",
        why: "red: some documents can be neither found nor written; yellow: copies are missing",
        verify: "/_cluster/health; elasticsearch_cluster_health_status",
        fix: "kubectl obs logs elasticsearch; a single node needs indices without replicas",
        needs: &[Need::Prometheus, Need::Documents],
        follows: &["ST02", "WK01", "WK02", "WK04", "WK05"],
        run: health,
    },
    Check {
        id: "LG24",
        title: "the store of documents takes writes",
        why: "at 95 % of its disk it makes every index read-only, and refuses what is sent",
        verify: "elasticsearch_indices_settings_stats_read_only_indices",
        fix: "give it more disk or keep less, then take index.blocks.read_only_allow_delete away where it stays",
        needs: &[Need::Prometheus, Need::Documents],
        follows: &["ST02"],
        run: blocked,
    },
    Check {
        id: "LG25",
        title: "the store of documents has disk left",
        why: "from 85 % on it moves shards away, at 95 % it takes no more writes",
        verify: "elasticsearch_filesystem_data_available_bytes / elasticsearch_filesystem_data_size_bytes",
        fix: "grow its volume, or keep documents for a shorter time",
        needs: &[Need::Prometheus, Need::Documents],
        follows: &["ST02", "LG24"],
        run: disk,
    },
    Check {
        id: "LG29",
        title: "the store of documents keeps up with what is written",
        why: "it refuses writes when its queue is full; they are sent again, and come late",
        verify: "increase(elasticsearch_thread_pool_rejected_count{type=\"write\"}[10m])",
        fix: "more CPU and memory for it, or fewer lines",
        needs: &[Need::Prometheus, Need::Documents],
        follows: &["LG23"],
        run: overrun,
    },
    Check {
        id: "LG34",
        title: "every namespace that used to log does",
        why: "its pods run and wrote nothing for an hour: they log to files, or their lines are not read",
        verify: "kubectl logs of one of its pods, and obs_fluentd_read_lines_total",
        fix: "let the application log to stdout; kubectl obs logs fluentd for files that cannot be read",
        needs: &[Need::Prometheus, Need::Fluentd],
        follows: &["LG01", "LG03", "LG07"],
        run: quiet,
    },
];

fn everywhere(snapshot: &Snapshot) -> Vec<Finding> {
    let lacking = lacking_nodes(snapshot, "fluentd", "logNodes");
    let finding = lacking.map(|(up, wanted)| {
        Finding::fail(format!("fluentd is scraped on {up} of {}", count(wanted, "node")))
            .about("fluentd")
            .fix("kubectl obs status fluentd shows its pods")
    });
    finding.into_iter().collect()
}

fn unreadable(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "unreadable",
        Severity::Fail,
        "fluentd",
        "fluentd may not read some log files",
        |series| format!("node {}: {} of them", label(series, "node"), value(series).unwrap_or_default()),
    )
    .map(|finding| finding.fix("kubectl obs logs fluentd names them"))
    .into_iter()
    .collect()
}

fn retried(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(snapshot, "retried", Severity::Fail, "fluentd", "fluentd cannot deliver", |series| {
        format!(
            "to {} from node {}: {}",
            label(series, "store"),
            label(series, "node"),
            label(series, "reason")
        )
    })
    .map(|finding| finding.fix("kubectl obs logs fluentd has the store's words").fix("kubectl obs status"))
    .into_iter()
    .collect()
}

fn full(snapshot: &Snapshot) -> Vec<Finding> {
    let paused = of_series(
        snapshot,
        "paused",
        Severity::Fail,
        "fluentd",
        "a buffer is full, and nothing more is read",
        |series| format!("for {} on node {}", label(series, "store"), label(series, "node")),
    );
    let filling = || {
        of_series(snapshot, "fillingBuffers", Severity::Warn, "fluentd", "buffers fill up", |series| {
            let share = value(series).unwrap_or_default() * 100.0;
            format!("for {} on node {}: {share:.0}%", label(series, "store"), label(series, "node"))
        })
    };
    let finding = paused.or_else(filling);
    finding
        .map(|finding| finding.fix("let the store take lines again: kubectl obs logs fluentd"))
        .into_iter()
        .collect()
}

fn lost(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "lost",
        Severity::Fail,
        "fluentd",
        "log lines were lost in the last 15 minutes",
        |series| {
            let what = match label(series, "store") {
                "" => "files were rotated away before they were read".to_owned(),
                store => format!("a part of the buffer for {store} was given up"),
            };
            format!("node {}: {what}", label(series, "node"))
        },
    )
    .map(|finding| finding.fix("give the buffers of fluentd more room, and fluentd more CPU"))
    .into_iter()
    .collect()
}

fn refused(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "refused",
        Severity::Fail,
        "fluentd",
        "a store refuses records, which are set aside",
        |series| {
            format!(
                "{} from node {}: {}",
                label(series, "store"),
                label(series, "node"),
                label(series, "reason")
            )
        },
    )
    .map(|finding| finding.fix("see the reason; docs/logging.md says how they are replayed"))
    .into_iter()
    .collect()
}

fn strangers(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "strangers",
        Severity::Warn,
        "fluentd",
        "fluentd does not know the pods whose lines it reads",
        |series| format!("node {}", label(series, "node")),
    )
    .map(|finding| finding.fix("kubectl obs drift shows whether its ClusterRole was changed"))
    .into_iter()
    .collect()
}

fn behind(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "behind",
        Severity::Warn,
        "fluentd",
        "fluentd lies behind what is written",
        |series| {
            let megabytes = value(series).unwrap_or_default() / 1e6;
            format!("node {}: {megabytes:.0} MB", label(series, "node"))
        },
    )
    .map(|finding| {
        finding.fix("give fluentd more CPU: kubectl obs upgrade --set fluentd.resources.limits.cpu=…")
    })
    .into_iter()
    .collect()
}

fn discarded(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(snapshot, "discarded", Severity::Fail, "loki", "Loki discards lines", |series| {
        format!("{}: {}", label(series, "reason"), advice(label(series, "reason")))
    })
    .map(|finding| finding.fix("change what is said above; the limits are below loki.limits in the values"))
    .into_iter()
    .collect()
}

/// What a reason of Loki means (validation/validate.go).
fn advice(reason: &str) -> &'static str {
    match reason {
        "rate_limited" => "more comes than its rate allows; it is sent again, and comes late",
        "per_stream_rate_limit" => "one stream is too fast: split it by a label",
        "stream_limit" => "too many streams: a label has too many values",
        "line_too_long" => "a line is longer than it takes",
        "too_far_behind" | "out_of_order" => {
            "lines are older than what the stream has: a backlog, or a clock"
        }
        "greater_than_max_sample_age" => "lines are older than a week: old files were read again",
        "too_far_in_future" => "lines are from the future: a clock, or a time zone",
        _ => "it does not take them as they are",
    }
}

fn silent(snapshot: &Snapshot) -> Vec<Finding> {
    let Some(rate) = snapshot.series("received").and_then(|series| series.first()).and_then(value) else {
        // in its first minutes there is no rate
        return Vec::new();
    };
    match rate > 0.0 {
        true => Vec::new(),
        false => vec![
            Finding::fail("no line arrives in Loki")
                .about("loki")
                .evidence(["nothing was received within five minutes".to_owned()])
                .fix("kubectl obs logs fluentd"),
        ],
    }
}

fn unwritten(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(snapshot, "unwritten", Severity::Fail, "loki", "Loki cannot write what it holds", |series| {
        label(series, "instance").to_owned()
    })
    .map(|finding| finding.fix("kubectl obs logs loki: is its volume full, or its object store away?"))
    .into_iter()
    .collect()
}

fn health(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("documentsHealth").into_iter().flatten();
    let colours = series.map(|series| (label(series, "job"), label(series, "color")));
    colours
        .filter_map(|(job, colour)| {
            let finding = match colour {
                "red" => {
                    Finding::fail(format!("{job} is red: some documents can be neither found nor written"))
                }
                "yellow" => Finding::warn(format!("{job} is yellow: copies of documents are missing")),
                _ => return None,
            };
            Some(finding.about(job).fix(format!("kubectl obs logs {job}")))
        })
        .collect()
}

fn blocked(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("readOnly").into_iter().flatten();
    series
        .map(|series| {
            let job = label(series, "job");
            Finding::fail(format!(
                "{job} takes no writes: {} of its indices are read-only",
                value(series).unwrap_or_default()
            ))
            .about(job)
            .fix(format!("give it more disk (kubectl obs upgrade --set {job}.storage.size=…), or keep less"))
        })
        .collect()
}

fn disk(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("documentsDisk").into_iter().flatten();
    series
        .filter_map(|series| {
            let (job, left) = (label(series, "job"), value(series)?);
            let used = format!("{job} has used {:.0}% of its disk", (1.0 - left) * 100.0);
            let finding = if left < 0.08 { Finding::fail(used) } else { Finding::warn(used) };
            Some(
                finding
                    .about(job)
                    .evidence([format!("node {}", label(series, "name"))])
                    .fix(format!("kubectl obs upgrade --set {job}.storage.size=…")),
            )
        })
        .collect()
}

fn overrun(snapshot: &Snapshot) -> Vec<Finding> {
    let series = snapshot.series("overrun").into_iter().flatten();
    series
        .map(|series| {
            let job = label(series, "job");
            Finding::warn(format!("{job} refuses writes: more comes than it can take"))
                .about(job)
                .evidence([format!("node {}", label(series, "name"))])
                .fix(format!("give {job} more CPU and memory"))
        })
        .collect()
}

fn quiet(snapshot: &Snapshot) -> Vec<Finding> {
    of_series(
        snapshot,
        "quiet",
        Severity::Warn,
        "fluentd",
        "namespaces with running pods have stopped logging",
        |series| label(series, "source_namespace").to_owned(),
    )
    .map(|finding| finding.fix("kubectl logs of one of their pods shows whether it writes to stdout"))
    .into_iter()
    .collect()
}
