//! A world in which everything that somebody else may write is hostile.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::records::{change, payload, put, unzip, zip};
use crate::support::env::{Env, eventually};
use crate::support::loki::Loki;

/// Colours, a title, a bell, a step back, DEL, C1, a carriage return and bidi controls: on one line.
pub(super) const TEXT: &str = "pwned\x1b[35;7m\x1b[2J\x1b]0;title\x07\x08\x7f\u{9b}2K\u{85}\r\u{202e}gnp\u{2066}\u{200f}\u{61c}\u{2028}";
/// The same, and a line that somebody would like to forge.
pub(super) const LINE: &str = "pwned\x1b[35;7m\x1b[2J\x1b]0;title\x07\x08\x7f\u{9b}2K\u{85}\r\u{202e}gnp\u{2066}\u{200f}\u{61c}\u{2028}\nFORGED  row";
/// A release whose record is forged.
pub(super) const FORGED: &str = "forged";

/// Where it is.
pub(super) struct World {
    /// The folder of the bundle.
    pub bundle: String,
    /// A folder that is no good bundle, with a hostile name and hostile mistakes.
    pub wrong: String,
    /// A values file with a hostile name and a hostile mistake.
    pub odd: String,
    /// A file with a hostile name that is no archive.
    pub archive: String,
    /// A store of logs with a hostile name and hostile lines.
    pub _loki: Loki,
}

impl World {
    pub(super) fn make(env: &Env) -> Self {
        let loki = loki();
        let world = Self {
            bundle: bundle(env, "evil", &loki.url()),
            wrong: wrong(env),
            odd: env
                .write(&odd("values.yaml"), &format!("{}: 1\nport: [\n", json!(LINE)))
                .display()
                .to_string(),
            archive: env.write(&odd("x.tgz"), TEXT).display().to_string(),
            _loki: loki,
        };
        let install = |release: &str| {
            env.obs(["install", &world.bundle, "--wait=none", "--release", release]).run().ok();
        };
        install("obs");
        env.obs(["upgrade", "-y", "--set", "port=5", "--wait=none", "--description", TEXT]).run().ok();
        install(FORGED);
        pods(env);
        forge(env);
        // somebody else's words in our objects, and somebody else who writes
        let patch =
            json!({"metadata": {"annotations": {"note": format!("{LINE} by hand")}}, "data": {"text": LINE}});
        let args = ["patch", "configmap", "obs-evil", "--type=merge", "--field-manager", "kubectl-edit"];
        env.kubectl(args).args(["--patch", &patch.to_string()]).run().ok();
        lease(env);
        world
    }
}

fn odd(name: &str) -> String {
    format!("pwned\x1b[2J\u{9b}\u{202e}\r\nFORGED {name}")
}

/// JSON is YAML; what YAML does not allow unescaped is escaped.
fn quoted(text: &str) -> String {
    kubectl_obs::escape::document(&json!(text).to_string()).into_owned()
}

/// Lines that talk in escape sequences, also as values of JSON, and pods with such names.
fn loki() -> Loki {
    let loki = Loki::start();
    let now = jiff::Timestamp::now().as_nanosecond();
    for (number, line) in [LINE.to_owned(), json!({"message": LINE, "path": LINE, "error": TEXT}).to_string()]
        .iter()
        .enumerate()
    {
        loki.push(LINE, now - 1_000_000_000 * (number as i128 + 1), line);
    }
    loki
}

fn bundle(env: &Env, name: &str, loki: &str) -> String {
    let folder = env.bundle(name, "1.0.0", "", &[]);
    let said = format!(
        "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: {name}\nversion: 1.0.0\nappVersion: {}\ndescription: {}\n",
        quoted(TEXT),
        quoted(TEXT)
    );
    let file = |path: &str, text: &str| env.write(&format!("{name}-1.0.0/{path}"), text);
    file("bundle.yaml", &said);
    file("NOTES.txt", &format!("a note: {TEXT}\n"));
    // YAML itself refuses the other controls
    file(
        "values.yaml",
        &format!(
            "# pwned \u{202e}gnp\u{2066}\u{200f}\u{61c}\nport: 1\nfails: false\nnote: {}\nstores: {}\n",
            quoted(LINE),
            quoted(&json!([{"name": LINE, "type": "loki", "url": loki, "tenant": ""}]).to_string())
        ),
    );
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {
        "port": {"type": "integer", "maximum": 10, "x-message": LINE, "description": LINE},
        "fails": {"type": "boolean", "description": TEXT},
        "note": {"type": "string", "description": TEXT},
        "stores": {"type": "string"},
    }});
    file("values.schema.json", &schema.to_string());
    file("templates/all.yaml", TEMPLATE);
    folder
}

const TEMPLATE: &str = r#"{% if values.fails %}${{ fail(values.note) }}{% endif %}
apiVersion: v1
kind: ConfigMap
metadata: {name: ${{ name }}, annotations: {note: ${{ values.note }}, kubectl-obs.dev/log-stores: ${{ values.stores }}}}
data: {text: ${{ values.note }}, port: "${{ values.port }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${{ name }}}
spec:
  selector: {matchLabels: ${{ selector }}}
  template:
    metadata: {labels: ${{ selector }}, annotations: {note: ${{ values.note }}}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: example.com/x:1
          args: [${{ values.note }}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

/// Mistakes that quote what they are about.
fn wrong(env: &Env) -> String {
    let folder = odd("bundle");
    env.write(
        &format!("{folder}/bundle.yaml"),
        &format!("apiVersion: {0}\nkind: {0}\nname: {0}\nversion: {0}\n{0}: 1\n", quoted(LINE)),
    );
    env.write(&format!("{folder}/values.yaml"), &format!("{}: [\n", quoted(LINE)));
    env.write(
        &format!("{folder}/templates/{}", odd("t.yaml")),
        &format!("${{{{ {} | int }}}}", quoted(LINE)),
    );
    env.home().join(folder).display().to_string()
}

/// Their status and the events about them are what somebody else says.
fn pods(env: &Env) {
    let all = eventually(Duration::from_secs(60), || match env.list("pods") {
        pods if pods.len() >= 2 => Ok(pods),
        pods => Err(format!("{} pods", pods.len())),
    });
    for pod in all {
        let (name, uid) = (pod["metadata"]["name"].as_str().expect("a name"), &pod["metadata"]["uid"]);
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": LINE}});
        let last = json!({"terminated": {"exitCode": 1, "reason": TEXT, "message": LINE}});
        let status = json!({"status": {
            "phase": "Pending", "message": LINE, "reason": TEXT,
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": LINE}],
            "containerStatuses": [{"name": "main", "ready": false, "restartCount": 3, "image": "x", "imageID": "",
                "state": waiting, "lastState": last}],
        }});
        env.kubectl(["patch", "pod", name, "--subresource=status", "--patch", &status.to_string()])
            .run()
            .ok();
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "x"}, "type": "Warning",
            "reason": "FailedScheduling", "message": LINE, "count": 1,
            "firstTimestamp": jiff::Timestamp::now().to_string(), "lastTimestamp": jiff::Timestamp::now().to_string(),
            "source": {"component": TEXT}, "reportingComponent": "x", "reportingInstance": "x",
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": name, "namespace": env.namespace(), "uid": uid},
        });
        env.kubectl(["create", "--filename=-"]).stdin(event.to_string()).run().ok();
    }
}

/// Somebody who may write Secrets writes a record.
fn forge(env: &Env) {
    change(env, "obs.forged.v1", |secret| {
        for name in ["bundle", "by", "description", "updated", "created"] {
            secret["metadata"]["annotations"][format!("kubectl-obs.dev/{name}")] = json!(LINE);
        }
        let mut record = unzip(&payload(secret));
        for pointer in ["/notes", "/bundle/name", "/bundle/version", "/bundle/source", "/components/0/name"] {
            if let Some(value) = record.pointer_mut(pointer) {
                *value = json!(if pointer == "/notes" { TEXT } else { LINE });
            }
        }
        record["values"]["note"] = json!(LINE);
        record["values"][LINE] = json!([LINE]);
        let mut entry = record["inventory"][0].clone();
        for field in ["kind", "name", "component"] {
            entry[field] = json!(LINE);
        }
        record["inventory"].as_array_mut().expect("an inventory").push(entry);
        let labels = &mut record["objects"][0]["metadata"]["labels"];
        labels[LINE] = json!(LINE);
        put(secret, &zip(&record));
    });
}

/// Somebody holds the lock.
fn lease(env: &Env) {
    let now = jiff::Timestamp::now();
    let lease: Value = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "obs.obs"},
        "spec": {"holderIdentity": LINE, "leaseDurationSeconds": 3600, "acquireTime": format!("{now:.6}"), "renewTime": format!("{now:.6}")},
    });
    env.kubectl(["create", "--filename=-"]).stdin(lease.to_string()).run().ok();
}
