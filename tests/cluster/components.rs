//! Components that are switched off and on, what stays and what goes first, and what a changed
//! configuration restarts.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::definitions::{definition, group, widgets};
use super::upgrade::newest;
use crate::support::env::{Env, eventually};
use crate::support::process::Output;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("components::one_that_comes_back_finds_its_volume_and_password", off_and_on),
        trial::api("components::passwords_go_with_their_volume", passwords_go_with_their_volume),
        trial::api("components::what_is_to_be_kept_is_kept", what_is_to_be_kept),
        trial::api("components::two_do_not_share_a_volume_or_a_port", the_old_one_goes_first),
        trial::node("components::a_renamed_one_takes_the_volume_over", a_renamed_one_takes_over),
        trial::api("components::a_changed_configuration_restarts_its_users", configuration_restarts),
        trial::api("components::jobs_are_replaced_and_may_vanish", jobs),
        trial::api("uninstall::a_finalizer_without_a_controller_is_named", a_finalizer_is_named),
        trial::api("uninstall::a_dead_webhook_does_not_block_it", a_dead_webhook),
    ]
}

/// The rest of a pod's spec that a restricted namespace accepts.
pub(crate) const POD: &str = "
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65534, fsGroup: 65534, seccompProfile: {type: RuntimeDefault}}
";

/// A container that a restricted namespace accepts, without an end of its line: `command` and more follow.
pub(crate) const CONTAINER: &str = "
        - name: main
          image: docker.io/library/busybox:1.36
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

/// A Deployment that a restricted namespace accepts; `pod` is the rest of its pod's spec.
pub(crate) fn deployment(pod: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: ${{{{ name }}}} }}
spec:
  selector: {{matchLabels: ${{{{ selector }}}} }}
  template:
    metadata: {{labels: ${{{{ selector }}}} }}
    spec:{POD}{pod}"
    )
}

/// A StatefulSet with a volume of 32Mi.
pub(crate) fn set(size: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: ${{{{ name }}}} }}
spec:
  serviceName: ${{{{ name }}}}
  selector: {{matchLabels: ${{{{ selector }}}} }}
  persistentVolumeClaimRetentionPolicy: {{whenDeleted: Retain, whenScaled: Retain}}
  template:
    metadata:
      labels: ${{{{ selector }}}}
      annotations: {{text: ${{{{ values.text | default(\"none\") }}}} }}
    spec:{POD}      containers:{CONTAINER}          command: [sleep, \"3600\"]
          volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {{requests: {{storage: {size} }} }}
"
    )
}

/// A component with a volume and a password for it, and one without.
fn pair(env: &Env) -> String {
    let secret = "generatedSecrets:\n  - {name: admin, key: password, length: 20, keepWith: data}";
    env.bundle_in("db", "db", "1.0.0", secret, &[("templates/set.yaml", &set("32Mi"))]);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${{ name }} }\ndata: {text: ${{ values.text }} }\n";
    env.bundle_in("web", "web", "1.0.0", "", &[("values.yaml", "text: one\n"), ("templates/map.yaml", map)]);
    let components = "components:\n  - {name: db, version: ^1.0, when: values.db, with: '${{ {} }}'}\n  \
                      - {name: web, version: ^1.0, with: '${{ {\"text\": values.text} }}'}";
    env.bundle_in("pair", "pair", "1.0.0", components, &[("values.yaml", "db: true\ntext: one\n")])
}

fn password(env: &Env) -> Option<String> {
    env.get("secret obs-db-admin")?["data"]["password"].as_str().map(str::to_owned)
}

/// The uid of the volume claim, as soon as the controller has made it.
fn claim(env: &Env) -> Value {
    eventually(Duration::from_secs(30), || {
        let claim = env.get("persistentvolumeclaim data-obs-db-0").ok_or("there is no claim")?;
        Ok(claim["metadata"]["uid"].clone())
    })
}

fn off_and_on(env: &Env) {
    let pair = pair(env);
    env.obs(["install", &pair, "--wait=none"]).run().ok();
    let (first, volume) = (password(env), claim(env));
    assert!(first.as_ref().is_some_and(|password| !password.is_empty()));
    let same =
        |when: &str| assert_eq!((password(env), claim(env)), (first.clone(), volume.clone()), "{when}");

    env.obs(["upgrade", "-y", "--wait=none", "--set", "text=two"]).run().ok();
    same("an upgrade");
    env.obs(["rollback", "-y", "--wait=none"]).run().ok();
    same("a rollback");
    let off = env.obs(["upgrade", "-y", "--wait=none", "--set", "db=false", "-o", "json"]).run().ok().json();
    assert!(env.get("statefulset obs-db").is_none());
    same("off");
    let kept = off["kept"].to_string();
    assert!(kept.contains("data-obs-db-0") && kept.contains("obs-db-admin"), "{off}");
    env.obs(["upgrade", "-y", "--wait=none", "--set", "text=three"]).run().ok();
    same("an upgrade while it is off");
    let none = env.obs(["upgrade", "-y", "--wait=none", "-o", "json"]).run().ok().json();
    assert_eq!(none["status"], "unchanged", "what is kept is no difference: {none}");
    env.obs(["upgrade", "-y", "--wait=none", "--set", "db=true"]).run().ok();
    same("on");
    assert!(env.get("statefulset obs-db").is_some());
    env.obs(["rollback", "1", "-y", "--wait=none"]).run().ok();
    same("far back");

    env.obs(["uninstall", "-y"]).run().ok();
    same("an uninstall");
    env.obs(["install", &pair, "--wait=none"]).run().ok();
    same("the next install");
    let records = env.list("secrets --selector=kubectl-obs.dev/record=header");
    assert!(!records.is_empty());
    let shown = env.obs(["get", "all"]).run().ok();
    let plain = first.unwrap_or_default();
    assert!(!shown.stdout.contains(&plain), "no value is in a record");
}

fn passwords_go_with_their_volume(env: &Env) {
    let pair = pair(env);
    env.obs(["install", &pair, "--wait=none"]).run().ok();
    let first = password(env);
    claim(env);
    env.obs(["upgrade", "-y", "--wait=none", "--set", "db=false"]).run().ok();
    let dry = env.obs(["uninstall", "--dry-run=client", "-o", "json"]).run().ok().json();
    assert!(dry["kept"].to_string().contains("obs-db-admin"), "{dry}");
    env.obs(["uninstall", "-y", "--delete-data"]).run().ok();
    assert!(
        env.get("secret obs-db-admin").is_none() && env.get("persistentvolumeclaim data-obs-db-0").is_none()
    );
    eventually(Duration::from_secs(30), || match env.get(&format!("namespace {}", env.namespace())) {
        None => Ok(()),
        Some(_) => Err("the namespace is still there".into()),
    });
    env.obs(["install", &pair, "--wait=none"]).run().ok();
    assert_ne!(password(env), first);
}

fn what_is_to_be_kept(env: &Env) {
    let map = "{% for name in values.maps %}\n---\napiVersion: v1\nkind: ConfigMap\n\
               metadata: {name: ${{ name ~ \"x\" }} }\n{% endfor %}\n"
        .replace("name ~ \"x\"", "\"obs-keep-\" ~ name");
    let bundle =
        env.bundle("keep", "1.0.0", "", &[("values.yaml", "maps: [a, b]\n"), ("templates/maps.yaml", &map)]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    env.kubectl(["annotate", "configmap", "obs-keep-a", "kubectl-obs.dev/keep=true"]).run().ok();
    let report =
        env.obs(["upgrade", "-y", "--wait=none", "--set-json", "maps=[]", "-o", "json"]).run().ok().json();
    assert_eq!(report["pruned"], json!([format!("ConfigMap {}/obs-keep-b", env.namespace())]));
    assert_eq!(report["kept"], json!([format!("ConfigMap {}/obs-keep-a", env.namespace())]));
    let said = env.obs(["uninstall", "-y"]).run().ok();
    let kept = format!("ConfigMap {}/obs-keep-a (annotated kubectl-obs.dev/keep=true)", env.namespace());
    assert!(said.stderr.contains(&kept), "{said}");
    assert!(env.get("configmap obs-keep-a").is_some() && env.get("configmap obs-keep-b").is_none());
    // and it is the release's again with the next install
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
}

/// The objects of an `--events=json` run with what was done to them, in order.
fn actions(output: &Output) -> Vec<String> {
    let objects = output.json_lines().into_iter().filter(|event| event["type"] == "object");
    objects
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let object = &event["object"];
            let name = object.as_str().map_or_else(
                || format!("{}/{}", text(&object["kind"]), text(&object["name"])),
                str::to_owned,
            );
            format!("{} {name}", text(&event["action"]))
        })
        .collect()
}

/// Two workloads that a value names: one with a claim, one with a port of the node.
fn renamed(env: &Env) -> String {
    let objects = format!(
        "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: ${{{{ name ~ \"-data\" }}}} }}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 32Mi}} }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: ${{{{ name ~ \"-\" ~ values.called }}}} }}
spec:
  serviceName: none
  selector: {{matchLabels: ${{{{ selector }}}} }}
  template:
    metadata: {{labels: ${{{{ selector }}}} }}
    spec:{POD}      volumes: [{{name: data, persistentVolumeClaim: {{claimName: ${{{{ name ~ \"-data\" }}}} }} }}]
      containers:{CONTAINER}          command: [sh, -c, 'hostname >> /data/who; exec sleep 3600']
          volumeMounts: [{{name: data, mountPath: /data}}]
{{% if values.port %}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: ${{{{ name ~ \"-port-\" ~ values.called }}}} }}
spec:
  selector: {{matchLabels: {{app: ports}} }}
  template:
    metadata: {{labels: {{app: ports}} }}
    spec:{POD}      containers:{CONTAINER}          command: [sleep, \"3600\"]
          ports: [{{containerPort: 9, hostPort: 29109}}]
{{% endif %}}
"
    )
    .replace("{matchLabels: {app: ports} }", "{matchLabels: ${{ selector }} }")
    .replace("{labels: {app: ports} }", "{labels: ${{ selector }} }");
    let values = "called: one\nport: true\n";
    env.bundle("named", "1.0.0", "", &[("values.yaml", values), ("templates/all.yaml", &objects)])
}

fn the_old_one_goes_first(env: &Env) {
    let named = renamed(env);
    env.obs(["install", &named, "--wait=none"]).run().ok();
    let output = env.obs(["upgrade", "-y", "--wait=none", "--set", "called=two", "--events=json"]).run().ok();
    let all = actions(&output);
    let at = |what: &str| {
        let found = all.iter().position(|action| action.contains(what));
        found.unwrap_or_else(|| panic!("{what} is not in {all:?}\n{output}"))
    };
    for (old, new) in [("obs-named-one", "obs-named-two"), ("obs-named-port-one", "obs-named-port-two")] {
        assert!(at(old) < at(new), "{old} goes before {new} comes: {all:?}");
    }
    assert!(all[at("obs-named-one")].starts_with("deleted"), "{all:?}");
    assert!(env.get("persistentvolumeclaim obs-named-data").is_some());
}

fn a_renamed_one_takes_over(env: &Env) {
    let named = renamed(env);
    env.obs(["install", &named, "--wait=ready", "--timeout=2m", "--set", "port=false"]).run().ok();
    env.obs(["upgrade", "-y", "--wait=ready", "--timeout=2m", "--set", "called=two"]).run().ok();
    let who = env.kubectl(["exec", "obs-named-two-0", "--", "cat", "/data/who"]).run().ok().stdout;
    assert_eq!(who.split_whitespace().collect::<Vec<_>>(), ["obs-named-one-0", "obs-named-two-0"]);
    assert!(env.get("pod obs-named-one-0").is_none(), "its pods were gone before");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn configuration_restarts(env: &Env) {
    let workload = |name: &str, map: &str, secret: bool| {
        let extra = if secret { ", {name: s, secret: {secretName: obs-conf-s}}" } else { "" };
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: obs-conf-{name}}}\nspec:\n  replicas: 2\n  \
             selector: {{matchLabels: ${{{{ selector }}}} }}\n  template:\n    metadata: {{labels: ${{{{ selector }}}} }}\n    \
             spec:{POD}      volumes: [{{name: c, configMap: {{name: obs-conf-{map}}} }}{extra}]\n      \
             containers:{CONTAINER}          command: [sleep, '3600']\n"
        )
    };
    let map = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: obs-conf-{name}}}\ndata: {{key: ${{{{ values.{name} }}}} }}\n"
        )
    };
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: obs-conf-s}\nstringData: {key: ${{ values.s }} }\n";
    let objects =
        [workload("one", "a", true), workload("two", "b", false), map("a"), map("b"), secret.into()].concat();
    let values = "a: x\nb: x\ns: x\n";
    let bundle =
        env.bundle("conf", "1.0.0", "", &[("values.yaml", values), ("templates/all.yaml", &objects)]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let hashes = |env: &Env| {
        ["one", "two"].map(|name| {
            let live = env.get(&format!("deployment obs-conf-{name}")).expect("it is there");
            live["spec"]["template"]["metadata"]["annotations"]["kubectl-obs.dev/config"].to_string()
        })
    };
    for (value, restarts) in [("a", ["obs-conf-one"]), ("b", ["obs-conf-two"]), ("s", ["obs-conf-one"])] {
        let before = hashes(env);
        let set = format!("{value}=changed-{value}");
        let diff = env.obs(["diff", "--set", &set, "-o", "json"]).run().ends(1).json();
        assert_eq!(diff["restarts"], json!(restarts), "{diff}");
        let told = env.obs(["diff", "--set", &set]).run().ends(1);
        assert!(told.stdout.contains(&format!("restarts: {}", restarts[0])), "{told}");
        assert!(told.stdout.contains("restarts 2 pods"), "{told}");
        if value == "s" {
            assert!(!told.stdout.contains("changed-s") && !diff.to_string().contains("changed-s"), "{told}");
        }
        env.obs(["upgrade", "-y", "--wait=none", "--set", &set]).run().ok();
        let after = hashes(env);
        let changed: Vec<&str> = [("obs-conf-one", 0), ("obs-conf-two", 1)]
            .into_iter()
            .filter(|(_, i)| before[*i] != after[*i])
            .map(|(name, _)| name)
            .collect();
        assert_eq!(changed, restarts, "{value} restarts its users and nobody else");
    }
}

fn jobs(env: &Env) {
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: ${{{{ name }}}} }}\nspec:\n  ttlSecondsAfterFinished: 60\n  \
         template:\n    metadata: {{labels: ${{{{ selector }}}} }}\n    spec:\n      restartPolicy: Never{POD}      \
         containers:{CONTAINER}          command: [echo, ${{{{ values.say }}}}]\n---\napiVersion: v1\nkind: ConfigMap\n\
         metadata: {{name: ${{{{ name }}}} }}\ndata: {{text: ${{{{ values.text }}}} }}\n"
    );
    let values = "say: one\ntext: one\n";
    let bundle = env.bundle("once", "1.0.0", "", &[("values.yaml", values), ("templates/all.yaml", &job)]);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let uid = |env: &Env| env.get("job obs-once").map(|job| job["metadata"]["uid"].clone());
    let first = uid(env);
    let name = format!("Job {}/obs-once", env.namespace());
    let report =
        env.obs(["upgrade", "-y", "--wait=none", "--set", "say=two", "-o", "json"]).run().ok().json();
    assert_eq!(report["recreated"], json!([name]), "without a question: {report}");
    assert_ne!(uid(env), first);
    // it is done and gone: nothing to do, and no drift
    env.kubectl(["delete", "job", "obs-once"]).run().ok();
    let report = env.obs(["upgrade", "-y", "--wait=ready", "-o", "json"]).run().ok().json();
    assert_eq!(report["status"], "unchanged", "{report}");
    env.obs(["drift"]).run().ok();
    env.obs(["diff"]).run().ok();
    let report =
        env.obs(["upgrade", "-y", "--wait=ready", "--set", "text=two", "-o", "json"]).run().ok().json();
    assert_eq!(report["updated"], json!([format!("ConfigMap {}/obs-once", env.namespace())]), "{report}");
    assert_eq!(uid(env), None, "what it did is done");
    env.obs(["upgrade", "-y", "--wait=none", "--set", "say=three"]).run().ok();
    assert!(uid(env).is_some(), "another Job runs");
}

fn a_finalizer_is_named(env: &Env) {
    let widget = format!(
        "{{% for i in range(2) %}}\n---\napiVersion: {}/v1\nkind: Widget\nmetadata: {{name: ${{{{ \"held-\" ~ i }}}} }}\n\
         spec: {{a: x}}\n{{% endfor %}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: obs-held}}\n",
        group(env)
    );
    let definition = definition(env, &[("v1", true, &["a"])]);
    let files = [("crds/widgets.yaml", definition.as_str()), ("templates/all.yaml", widget.as_str())];
    let bundle = env.bundle("held", "1.0.0", "", &files);
    env.obs(["install", &bundle, "--wait=none"]).run().ok();
    let finalizers = |name: &str, list: Value| {
        let patch = json!({"metadata": {"finalizers": list}}).to_string();
        env.kubectl(["patch", &widgets(env), name, "--type=merge", "--patch", &patch]).run().ok();
    };
    finalizers("held-0", json!(["example.com/one"]));
    finalizers("held-1", json!(["example.com/one", "example.com/two"]));
    let stuck = env.obs(["uninstall", "-y", "--timeout=5s", "--progress=plain"]).run().ends(7);
    let ns = env.namespace();
    for part in [
        format!("Widget {ns}/held-0 is not gone: it waits for its finalizer example.com/one"),
        format!("Widget {ns}/held-1: it waits for its finalizers example.com/one, example.com/two"),
        "the same command continues from here".to_owned(),
    ] {
        assert!(stuck.stderr.contains(&part), "{part} is missing in {stuck}");
    }
    assert!(stuck.took < Duration::from_secs(15), "{stuck}");
    assert_eq!(newest(env).1, "uninstalling");
    assert!(env.get("configmap obs-held").is_some(), "what comes after them is still there");
    finalizers("held-0", Value::Null);
    finalizers("held-1", Value::Null);
    env.obs(["uninstall", "-y"]).run().ok();
    assert!(env.get("configmap obs-held").is_none());
    env.obs(["uninstall", "-y", "--delete-data"]).run();
}

fn a_dead_webhook(env: &Env) {
    // it wants to see every write in the namespace, and nobody answers
    let webhook = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: ${{ clusterName }} }
webhooks:
  - name: dead.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    timeoutSeconds: 1
    clientConfig: {service: {name: nobody, namespace: ${{ namespace }}, path: /}}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${{ namespace }} }}
    rules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'], scope: Namespaced}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${{ name }} }
";
    let bundle = env.bundle("hook", "1.0.0", "", &[("templates/all.yaml", webhook)]);
    // the webhook refuses the tool's own records, too: the install cannot say that it is done
    let broken = env.obs(["install", &bundle, "--wait=none", "--timeout=4s"]).run();
    assert_ne!(broken.code, 0, "{broken}");
    let gone = env.obs(["uninstall", "-y", "--timeout=60s"]).run().ok();
    assert!(gone.took < Duration::from_secs(30), "{gone}");
    let name = format!("validatingwebhookconfiguration {}-obs-hook", env.namespace());
    assert!(env.get(&name).is_none() && env.get("configmap obs-hook").is_none(), "{gone}");
}
