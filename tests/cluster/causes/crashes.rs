//! Containers that cannot be started, and those that end although they should run.

use super::containers::MAP;
use super::table::{Row, row};

pub(super) fn starts() -> Vec<Row> {
    let script = "{volumes: [{name: files, configMap: {name: ${name}, defaultMode: 493}}]}";
    let mounted = "volumeMounts: [{name: files, mountPath: /files}]";
    vec![
        row("no-command", "{command: [/bin/nothing]}")
            .is("start", "container main cannot start: there is no /bin/nothing in its image")
            .says(
                "no such file or directory",
                "correct its command, or use an image that has it: no-command.image",
            )
            .hopeless(),
        row("not-on-path", "{command: [nothing]}")
            .is("start", "there is no nothing in its image")
            .says("executable file not found in $PATH", "not-on-path.image")
            .hopeless(),
        row("not-executable", "{command: [/etc/passwd]}")
            .is("start", "/etc/passwd may not be executed")
            .says("permission denied", "needs defaultMode: 0555")
            .hopeless(),
        row("no-program", format!("{{command: [/files/run], {mounted}}}"))
            .pod(script.replace("${name}", "obs-no-program"))
            .beside(MAP.replace("a: b", "run: no shebang here"))
            .is("crash", "its command is no program for this node")
            .says("exec format error", "a script must begin with #!")
            .hopeless(),
        row("working-dir", "{workingDir: /etc/passwd}")
            .is("start", "it cannot work in /etc/passwd")
            .says("not a directory", "correct the workingDir of working-dir")
            .hopeless(),
        row("sub-path", "{volumeMounts: [{name: files, mountPath: /etc/passwd, subPath: nofile}]}")
            .pod("{volumes: [{name: files, emptyDir: {}}]}")
            .is("start", "a folder would be mounted over the file /etc/passwd")
            .says("it mounts subPath nofile of volume files there", "a subPath that its volume does not have")
            .hopeless(),
        row(
            "seccomp",
            "{securityContext: {seccompProfile: {type: Localhost, localhostProfile: nobody.json}}}",
        )
        .is("start", "the seccomp profile nobody.json is not on its node")
        .says("nobody.json: no such file or directory", "use seccompProfile type RuntimeDefault")
        .hopeless(),
        row("post-start", "{lifecycle: {postStart: {exec: {command: [sh, -c, 'echo no licence; exit 9']}}}}")
            .is("crash", "container main is killed because its postStart hook fails")
            .says("PostStartHook failed", "correct the lifecycle.postStart command of post-start"),
    ]
}

/// A container that runs a script.
pub(super) fn sh(script: &str) -> String {
    format!("{{command: [sh, -c, \"{script}\"]}}")
}

pub(super) fn crashes() -> Vec<Row> {
    let logs = "kubectl logs -n";
    vec![
        row("exits", sh("echo cannot do this; exit 1"))
            .is("crash", "container main crashes at start (exit code 1, ")
            .says("cannot do this", logs),
        row("ends", sh("echo all done"))
            .is("crash", "container main ends by itself, though it should run (exit code 0, ")
            .says("all done", "its command must stay in the foreground"),
        row("no-such-tool", sh("nothing --serve"))
            .is("crash", "the command nothing does not exist in its image (exit code 127, ")
            .says("nothing: not found", "use an image that has it: no-such-tool.image")
            .hopeless(),
        row("script-denied", sh("/etc/passwd"))
            .is("crash", "container main crashes at start: /etc/passwd may not be executed (exit code 126, ")
            .says("Permission denied", "needs defaultMode: 0555")
            .hopeless(),
        row("segfault", sh("sh -c 'kill -SEGV $$$$'; exit $?"))
            .is("crash", "exit code 139: segmentation fault")
            .says("Segmentation fault", logs),
        row("memory", "{command: [tail, /dev/zero], resources: {limits: {memory: 16Mi}}}")
            .is("memory", "container main runs out of memory (limit 16Mi, ")
            .says("kubelet: OOMKilled (exit code 137)", "--set memory.resources.limits.memory=32Mi"),
        row("port-in-use", "{image: 'quay.io/prometheus/node-exporter:v1.12.1', command: null}")
            .pod("{initContainers: [{name: other, restartPolicy: Always, image: 'docker.io/library/busybox:1.36', command: [httpd, -f, -p, '9100']}]}")
            .is("crash", "port 9100 is in use already")
            .says("address already in use", "set another port for port-in-use"),
        row("denied", "{command: [touch, /etc/file], securityContext: {runAsUser: 65534}}")
            .is("crash", "it may not use /etc/file (permission denied)")
            .says("Permission denied", "mount a volume at /etc")
            .hopeless(),
        row("read-only", "{command: [touch, /var/file], securityContext: {readOnlyRootFilesystem: true}}")
            .is("crash", "it cannot write /var/file: the file system is read-only")
            .says("Read-only file system", "mount an emptyDir at /var")
            .hopeless(),
        row("disk-full", "{command: [dd, if=/dev/zero, of=/data/file, bs=64k], volumeMounts: [{name: data, mountPath: /data}]}")
            .pod("{volumes: [{name: data, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]}")
            .is("crash", "no space is left")
            .says("No space left on device", "make volume data larger"),
        row("unknown-host", "{command: [wget, 'http://nobody.example/']}")
            .is("crash", "the name nobody.example cannot be resolved")
            .says("bad address", "correct the name, or install what it names"),
        row("refused", "{command: [wget, 'http://127.0.0.1:1/']}")
            .is("crash", "127.0.0.1 refuses connections")
            .says("Connection refused", "see whether what it connects to runs"),
        row("unknown-flag", "{image: 'quay.io/prometheus/node-exporter:v1.12.1', command: null, args: [--nothing]}")
            .is("crash", "it does not know the flag --nothing")
            .says("unknown long flag", "remove it from unknown-flag.extraArgs")
            .hopeless(),
        row("bad-config", prometheus("/files/prometheus.yml"))
            .pod("{volumes: [{name: files, configMap: {name: obs-bad-config}}]}")
            .beside("{apiVersion: v1, kind: ConfigMap, metadata: {name: obs-bad-config}, data: {prometheus.yml: 'nothing: here'}}")
            .is("crash", "its configuration /files/prometheus.yml is not valid")
            .says("field nothing not found", "correct bad-config's configuration")
            .hopeless(),
        row("no-config", prometheus("/nothing.yml"))
            .pod("{volumes: [{name: files, emptyDir: {}}]}")
            .is("crash", "/nothing.yml does not exist")
            .says("no such file or directory", "correct the path in no-config's arguments"),
        row("open-files", sh("ulimit -n 3; cat /etc/passwd"))
            .is("crash", "it may not open as many files as it wants")
            .says("Too many open files", "ulimit -n"),
        row("panics", sh("echo 'panic: assignment to entry in nil map'; echo; echo 'goroutine 1 [running]:'; exit 2"))
            .is("crash", "it panics: assignment to entry in nil map")
            .says("goroutine 1", "use another version: panics.image.tag"),
        row("init", "{}")
            .pod("{initContainers: [{name: prepare, image: 'docker.io/library/busybox:1.36', command: [sh, -c, 'echo no schema; exit 3']}]}")
            .is("crash", "init container prepare crashes at start (exit code 3, ")
            .says("no schema", "-c prepare"),
    ]
}

fn prometheus(config: &str) -> String {
    format!(
        "{{image: 'quay.io/prometheus/prometheus:v3.15.0', command: null, volumeMounts: [{{name: files, mountPath: /files}}], \
         args: ['--config.file={config}', --storage.tsdb.path=/tmp/data]}}"
    )
}
