//! Containers that run and do not answer, volumes that do not serve them, Jobs and rollouts that give
//! up, and init containers that take their time.

use super::crashes::sh;
use super::table::{Row, row};

pub(super) fn probes() -> Vec<Row> {
    let web = "command: [httpd, -f, -p, '8080', -h, /tmp]";
    let probe =
        |kind: &str, how: &str| format!("{kind}Probe: {{{how}, periodSeconds: 2, failureThreshold: 1}}");
    vec![
        row(
            "ready-404",
            format!("{{{web}, {}}}", probe("readiness", "httpGet: {path: /nothing, port: 8080}")),
        )
        .is("probe", "runs and does not answer its readiness probe: HTTP 404")
        .says("statuscode: 404", "it has no /nothing: correct the probe's path"),
        row(
            "ready-port",
            format!(
                "{{{web}, ports: [{{containerPort: 8080}}], {}}}",
                probe("readiness", "tcpSocket: {port: 8081}")
            ),
        )
        .is("probe", "readiness probe: connection refused")
        .says("connection refused", "nothing listens on port 8081, and the container names no such port"),
        row("ready-slow", format!("{{{}}}", probe("readiness", "exec: {command: [sleep, '5']}")))
            .is("probe", "readiness probe: no answer in time")
            .says("timed out", "it has 1s to answer"),
        row("ready-exec", format!("{{{}}}", probe("readiness", "exec: {command: [cat, /ready]}")))
            .of("DaemonSet", "")
            .is("probe", "readiness probe: No such file or directory")
            .says("can't open '/ready'", "kubectl logs -n"),
        row(
            "alive-404",
            format!("{{{web}, {}}}", probe("liveness", "httpGet: {path: /nothing, port: 8080}")),
        )
        .is("liveness", "is restarted because its liveness probe fails: HTTP 404")
        .says("Liveness probe failed", "it has no /nothing: correct the probe's path"),
        row("alive-tcp", format!("{{{}}}", probe("liveness", "tcpSocket: {port: 8080}")))
            .is("liveness", "liveness probe fails: connection refused")
            .says("Liveness probe failed", "nothing listens on port 8080"),
        row(
            "alive-exec",
            format!("{{{}}}", probe("liveness", "exec: {command: [sh, -c, 'echo stuck; exit 1']}")),
        )
        .is("liveness", "liveness probe fails: stuck")
        .says("Liveness probe failed: stuck", "it may need more CPU or memory"),
        row("startup", format!("{{{}}}", probe("startup", "httpGet: {path: /, port: 8080}")))
            .is("liveness", "is restarted because its startup probe fails: connection refused")
            .says("Startup probe failed", "nothing listens on port 8080"),
    ]
}

pub(super) fn volumes() -> Vec<Row> {
    let claim = |name: &str, mode: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}}}, \
             spec: {{accessModes: [{mode}], resources: {{requests: {{storage: 32Mi}} }} }} }}"
        )
    };
    let mounted = "volumeMounts: [{name: data, mountPath: /data}]";
    vec![
        row("volume-denied", format!("{{command: [touch, /data/file], securityContext: {{runAsUser: 65534}}, {mounted}}}"))
            .pod("{volumes: [{name: data, persistentVolumeClaim: {claimName: obs-volume-denied}}]}")
            .beside(claim("obs-volume-denied", "ReadWriteOnce"))
            .is("crash", "it may not use /data/file (permission denied)")
            .says("Permission denied", "volume data belongs to another user: set fsGroup in volume-denied's securityContext")
            .hopeless(),
        row("volume-alone", format!("{{{mounted}}}"))
            .of("Deployment", "{replicas: 2}")
            .pod("{volumes: [{name: data, persistentVolumeClaim: {claimName: obs-volume-alone}}]}")
            .beside(claim("obs-volume-alone", "ReadWriteOncePod"))
            .is("scheduling", "another pod uses its claim")
            .says("1 node: another pod uses its claim", "run one replica"),
        row("evicted", format!("{{command: [sh, -c, 'dd if=/dev/zero of=/data/file bs=1M count=8; sleep 3600'], {mounted}, readinessProbe: {{exec: {{command: ['false']}} }} }}"))
            .pod("{volumes: [{name: data, emptyDir: {sizeLimit: 1Mi}}]}")
            .is("node", "its node evicted pod obs-evicted-")
            .says("exceeds the limit \"1Mi\"", "raise the sizeLimit of volume data above 1Mi"),
    ]
}

pub(super) fn jobs() -> Vec<Row> {
    vec![
        row("job-fails", sh("echo no table; exit 4"))
            .of("Job", "{backoffLimit: 0, template: {spec: {restartPolicy: Never}}}")
            .is("crash", "container main crashes at start (exit code 4)")
            .says("no table", "kubectl logs -n")
            .hopeless(),
        row("job-late", "{}")
            .of("Job", "{activeDeadlineSeconds: 2, template: {spec: {restartPolicy: Never}}}")
            .is("rollout", "Job obs-job-late was not done within its 2s")
            .says("was active longer than specified deadline", "raise its activeDeadlineSeconds")
            .hopeless(),
        row("sysctl", "{}")
            .of("Job", "{backoffLimit: 0, template: {spec: {restartPolicy: Never, securityContext: {sysctls: [{name: kernel.msgmax, value: '65536'}]}}}}")
            .is("node", "its node refuses pod obs-sysctl-")
            .says("forbidden sysctl", "do without the sysctls of sysctl")
            .hopeless(),
        // never ready, not for a moment: its controller would replace it
        row(
            "old-revision",
            "{command: [sh, -c, 'echo wrong version; exit 5'], readinessProbe: {exec: {command: ['true']}}}",
        )
            .of("StatefulSet", "")
            .is("crash", "container main crashes at start (exit code 5, ")
            .says("wrong version", "kubectl logs -n"),
        row("no-progress", "{readinessProbe: {exec: {command: ['false']}, periodSeconds: 3}}")
            .of("Deployment", "{progressDeadlineSeconds: 5}")
            .is("probe", "readiness probe: it fails")
            .says("no progress for 5s (progressDeadlineSeconds)", "kubectl logs -n")
            .hopeless(),
        row("init-waits", "{}")
            .pod("{initContainers: [{name: wait, image: 'docker.io/library/busybox:1.36', command: [sh, -c, 'echo waiting for the database; sleep 3600']}]}")
            .is("waiting", "init container wait is still running, and the others wait for it")
            .says("waiting for the database", "-c wait"),
    ]
}
