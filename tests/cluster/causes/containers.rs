//! What goes wrong with a container on its node. Here: images, and what a container refers to.

use std::time::Duration;

use libtest_mimic::Trial;
use sha2::{Digest, Sha256};

use super::crashes::{crashes, starts};
use super::running::{jobs, probes, volumes};
use super::table::{Leftover, Row, bundle, row, told};
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::node("causes::of_containers_are_told", containers)]
}

/// What a namespace takes that lets every pod in: some of the rows want the node's files and ports.
fn containers(env: &Env) {
    env.make_namespace();
    env.apply(&registry());
    let class = format!("{}-nobody", env.namespace());
    let _class = Leftover::of(env, &["runtimeclass"], &[&class]);
    env.apply(&format!(
        "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {{name: {class}}}\nhandler: nobody\n"
    ));
    let runtime = row("handler", "{}")
        .pod(format!("{{runtimeClassName: {class}}}"))
        .is("mount", "its node has no container runtime \"nobody\"")
        .says("nobody", "install that runtime on the nodes, or do without runtimeClassName");
    let all = [images(), references(), starts(), crashes(), probes(), volumes(), jobs(), vec![runtime]];
    let rows: Vec<Row> = all.into_iter().flatten().collect();
    let table = bundle(env, &rows);
    env.obs(["install", &table, "--wait=none", "--timeout=2m"]).run().ok();
    told(env, &rows, Duration::from_secs(180));
    repaired_but_held(env, &table);
}

/// A StatefulSet keeps its broken pod though its template is repaired by now.
fn repaired_but_held(env: &Env, table: &str) {
    let repaired = row("old-revision", "{}").of("StatefulSet", "");
    env.bundle_in(repaired.name, repaired.name, "1.0.0", "", &[("templates/all.yaml", &repaired.template())]);
    env.obs(["upgrade", table, "--wait=none", "--timeout=2m"]).run().ok();
    let held = repaired
        .is("crash", "container main crashes at start (exit code 5, ")
        .says("wrong version", "delete it once:\nkubectl delete pod -n ");
    told(env, &[held], Duration::from_secs(60));
}

/// A port of the node that no other run of the tests uses.
fn port() -> u32 {
    20_000 + std::process::id() % 10_000
}

/// An image for another platform alone. What it would be is never asked for.
const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":1,"platform":{"architecture":"s390x","os":"linux"}}]}"#;

/// A registry on the node that has one image, for another platform, and wants a password for those below
/// `private`.
fn registry() -> String {
    let digest: String = Sha256::digest(INDEX).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: registry}}
data:
  httpd.conf: |
    /v2/private:reader:secret
    .oci:application/vnd.oci.image.index.v1+json
  index: '{INDEX}'
---
apiVersion: v1
kind: Pod
metadata: {{name: registry}}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  volumes:
    - name: config
      configMap:
        name: registry
        items:
          - {{key: httpd.conf, path: httpd.conf}}
          - {{key: index, path: v2/other/manifests/1.oci}}
          - {{key: index, path: 'v2/other/manifests/sha256:{digest}'}}
  containers:
    - name: httpd
      image: docker.io/library/busybox:1.36
      command: [httpd, -f, -p, '127.0.0.1:{}', -h, /config, -c, /config/httpd.conf]
      volumeMounts: [{{name: config, mountPath: /config}}]
",
        port()
    )
}

fn images() -> Vec<Row> {
    let at = format!("localhost:{}", port());
    let image = |path: &str| format!("{{image: '{path}'}}");
    vec![
        row("image-gone", image(&format!("{at}/gone:1")))
            .is("image", format!("container main cannot pull image \"{at}/gone:1\": not found"))
            .says("Failed to pull image", "set image-gone.image.tag, or mirror the image")
            .hopeless(),
        row("image-private", image(&format!("{at}/private/x:1")))
            .is("image", "access denied: it does not exist, or needs a pull secret")
            .says("Failed to pull image", "set global.imagePullSecrets")
            .hopeless(),
        row("pull-secret", image(&format!("{at}/private/y:1")))
            .pod("{imagePullSecrets: [{name: nobody}]}")
            .is("image", "access denied")
            .says("/nobody does not exist", "create the pull secret, or correct global.imagePullSecrets")
            .hopeless(),
        row("platform", image(&format!("{at}/other:1.oci")))
            .is("image", "there is none for this node's platform")
            .says("no match for platform", "set platform.nodeSelector to nodes of another architecture")
            .hopeless(),
        row("registry-down", image("localhost:1/x:1"))
            .is("image", "cannot pull image \"localhost:1/x:1\": the registry refuses connections")
            .says("connection refused", "let the nodes reach the registry"),
        row("image-name", image("No Image"))
            .is("image", "the name is not valid")
            .says("kubelet: Failed to apply default image tag", "correct image-name.image")
            .hopeless(),
        row("never-pulled", "{image: 'docker.io/library/busybox:none', imagePullPolicy: Never}")
            .is("image", "it is not on the node and imagePullPolicy is Never")
            .says("is not present with pull policy of Never", "imagePullPolicy to IfNotPresent")
            .hopeless(),
    ]
}

/// A ConfigMap with the name of its component.
pub(super) const MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: ${{ name }}}, data: {a: b}}";

fn references() -> Vec<Row> {
    let from = |kind: &str, name: &str, key: &str| {
        format!("{{env: [{{name: X, valueFrom: {{{kind}KeyRef: {{name: {name}, key: {key}}} }} }}]}}")
    };
    let volume = |source: &str| format!("{{volumes: [{{name: files, {source}}}]}}");
    let mounted = "{volumeMounts: [{name: files, mountPath: /files}]}";
    let make = "kubectl obs upgrade makes it again if it belongs to the release";
    vec![
        row("map-gone", from("configMap", "nobody", "a"))
            .is("config", "container main cannot start: ConfigMap ")
            .says("kubelet: configmap \"nobody\" not found", make)
            .hopeless(),
        row("map-key", from("configMap", "obs-map-key", "nokey"))
            .beside(MAP)
            .is("config", "/obs-map-key has no key nokey")
            .says("kubelet: couldn't find key nokey in ConfigMap", make)
            .hopeless(),
        row("secret-gone", from("secret", "nobody", "a"))
            .is("config", "/nobody does not exist")
            .says("kubelet: secret \"nobody\" not found", make)
            .hopeless(),
        row("secret-key", from("secret", "obs-secret-key", "nokey"))
            .beside("{apiVersion: v1, kind: Secret, metadata: {name: obs-secret-key}, stringData: {a: b}}")
            .is("config", "/obs-secret-key has no key nokey")
            .says("kubelet: couldn't find key nokey in Secret", make)
            .hopeless(),
        row("volume-map", mounted)
            .pod(volume("configMap: {name: nobody}"))
            .is("mount", "volume files cannot be mounted: ConfigMap ")
            .says("configmap \"nobody\" not found", make)
            .hopeless(),
        row("volume-secret", mounted)
            .pod(volume("secret: {secretName: nobody}"))
            .is("mount", "volume files cannot be mounted: Secret ")
            .says("secret \"nobody\" not found", make)
            .hopeless(),
        row("volume-key", mounted)
            .pod(volume("configMap: {name: obs-volume-key, items: [{key: nokey, path: x}]}"))
            .beside(MAP)
            .is("mount", "/obs-volume-key has no key nokey")
            .says("references non-existent config key: nokey", make)
            .hopeless(),
        row("host-path", mounted)
            .pod(volume("hostPath: {path: /etc/hostname, type: Directory}"))
            .is("mount", "volume files cannot be mounted: /etc/hostname on node ")
            .says("hostPath type check failed", "correct the path of the hostPath volume, or its type"),
        row("csi-driver", mounted)
            .pod(volume("csi: {driver: nobody.example.com}"))
            .is("mount", "has no CSI driver nobody.example.com")
            .says("not found in the list of registered CSI drivers", "install the driver on the nodes"),
        row("root-user", "{securityContext: {runAsNonRoot: true}}")
            .is("config", "container main would run as root, which its pod forbids")
            .says("kubelet: container has runAsNonRoot", "use an image with a numeric user: root-user.image")
            .hopeless(),
        row(
            "user-word",
            "{image: 'quay.io/prometheus/prometheus:v3.15.0', securityContext: {runAsNonRoot: true}}",
        )
        .is("config", "its image names its user by a word")
        .says("non-numeric user (nobody)", "set runAsUser in user-word's securityContext")
        .hopeless(),
    ]
}
