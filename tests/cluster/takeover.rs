//! Fields that others own: what the server refuses and that we know it before, and objects of
//! kubectl and Helm that become ours.

use std::collections::BTreeSet;

use kubectl_obs::cluster::{ApplyError, ApplyOptions, Cluster, ConnectOptions};
use kubectl_obs::object::{Kind, Object};
use kubectl_obs::plan::{self, HelmRelease};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::cluster::has_helm;
use crate::support::env::Env;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let helm = |name: &str, test: fn(&Env)| trial::api(name, test).with_ignored_flag(!has_helm());
    vec![
        trial::api("takeover::from_kubectl_apply", |env| from_kubectl(env, false)),
        trial::api("takeover::from_kubectl_server_side", |env| from_kubectl(env, true)),
        trial::api("takeover::of_another_version", of_another_version),
        trial::api("takeover::meets_other_writers", meets_other_writers),
        helm("takeover::from_helm_server_side", |env| from_helm(env, "true")),
        helm("takeover::from_helm_client_side", |env| from_helm(env, "false")),
        trial::api("takeover::conflicts_are_known_before", conflicts_are_known_before),
        trial::api(
            "takeover::conflicts_of_defaults_are_known_before",
            conflicts_of_defaults_are_known_before,
        ),
        trial::api(
            "takeover::conflicts_with_ourselves_are_told_apart",
            conflicts_with_ourselves_are_told_apart,
        ),
    ]
}

/// Fields as the server writes them, and their managers.
type Refused = BTreeSet<(String, String)>;

/// A namespace and the library on the same cluster.
struct Place<'a> {
    env: &'a Env,
    runtime: Runtime,
    cluster: Cluster,
}

impl<'a> Place<'a> {
    fn new(env: &'a Env) -> Self {
        env.make_namespace();
        let options = ConnectOptions {
            kubeconfig: Some(env.cluster().kubeconfig.clone()),
            context: Some(env.cluster().context.clone()),
            ..ConnectOptions::default()
        };
        let runtime = Runtime::new().unwrap();
        let cluster = runtime.block_on(Cluster::connect(&options)).unwrap();
        Self { env, runtime, cluster }
    }

    fn kind(&self, object: &Object) -> Kind {
        let (group, _) = kubectl_obs::object::split_api_version(object.api_version());
        self.runtime.block_on(self.cluster.kinds()).unwrap().preferred(group, object.kind()).unwrap()
    }

    /// The object with this namespace, if its kind has one.
    fn object(&self, mut value: Value) -> Object {
        if value["kind"] != "Namespace" {
            value["metadata"]["namespace"] = json!(self.env.namespace());
        }
        Object::new(value).unwrap()
    }

    fn live(&self, object: &Object) -> Option<Value> {
        let kind = self.kind(object);
        let get = self.cluster.get(&kind, object.namespace(), object.name());
        self.runtime.block_on(get).unwrap()
    }

    fn apply(&self, object: &Object, force: bool, dry_run: bool) -> Result<Value, ApplyError> {
        let options = ApplyOptions { force, dry_run, ..ApplyOptions::default() };
        let applied = self.runtime.block_on(self.cluster.apply(&self.kind(object), object, &options));
        applied.map(|applied| applied.object)
    }

    /// Takes it over; gives it as it is afterwards, and the Helm release that it was in.
    fn take_over(&self, object: &Object) -> (Value, Option<HelmRelease>) {
        let live = self.live(object).unwrap();
        let takeover = plan::takeover(&live).unwrap();
        let taken = self
            .runtime
            .block_on(self.cluster.take_over(&self.kind(object), &live, &takeover, &plan::takeover))
            .unwrap();
        assert_eq!(plan::takeover(&taken), None, "nothing is left to take over");
        (taken, takeover.helm)
    }

    /// What the server refuses, and what we say that it refuses: (field, manager).
    fn refusals(&self, desired: &Object) -> (Refused, Refused) {
        let live = self.live(desired).unwrap();
        let expected = plan::conflicts(desired.value(), &live)
            .into_iter()
            .chain(plan::conflicts_with_ourselves(desired.value(), &live))
            .map(|conflict| (conflict.field, conflict.owner.manager))
            .collect();
        let refused = match self.apply(desired, false, true) {
            Ok(_) => BTreeSet::new(),
            Err(ApplyError::Conflict(conflicts, _)) => {
                conflicts.into_iter().map(|conflict| (conflict.field, conflict.manager)).collect()
            }
            Err(other) => panic!("{other:?}"),
        };
        (refused, expected)
    }
}

/// (manager, operation) of the entries without subresource.
fn managers(object: &Value) -> Vec<(&str, &str)> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("subresource").is_none())
        .map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap()))
        .collect()
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn service(ports: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": ports}})
}

fn deployment(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("app");
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}}})
}

/// Objects as they are made, and as we want them: less.
fn more_and_less() -> [(Value, Value); 3] {
    let env =
        |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name, "value": "1"})).collect() };
    let port = |name: &str, port: u16| json!({"name": name, "port": port});
    [
        (config_map("c", json!({"a": "1", "b": "1"})), config_map("c", json!({"a": "2"}))),
        (service(json!([port("a", 80), port("b", 81)])), service(json!([port("a", 80)]))),
        (
            deployment(json!({"image": "x:1", "env": env(&["A", "B"]), "args": ["-v"]})),
            deployment(json!({"image": "x:2", "env": env(&["B"])})),
        ),
    ]
}

fn from_kubectl(env: &Env, server_side: bool) {
    let place = Place::new(env);
    for (more, less) in more_and_less() {
        let flag = if server_side { vec!["--server-side"] } else { vec![] };
        env.kubectl(["apply", "--filename=-"]).args(flag).stdin(more.to_string()).run().ok();
        let (same, less) = (place.object(more), place.object(less));

        let before = place.live(&same).unwrap();
        let (taken, helm) = place.take_over(&same);
        assert_eq!(managers(&taken), [("kubectl-obs", "Apply")], "{taken:#}");
        assert_eq!(helm, None);
        assert_eq!(
            taken["metadata"]["annotations"].get("kubectl.kubernetes.io/last-applied-configuration"),
            None
        );

        // what was there is there, whatever kubectl's entry had of defaults
        let same = place.apply(&same, false, false).unwrap();
        assert_eq!((&same["spec"], &same["data"]), (&before["spec"], &before["data"]));
        assert_eq!(same["metadata"]["generation"], taken["metadata"]["generation"]);

        let live = place.apply(&less, false, false).unwrap();
        match less.kind() {
            "ConfigMap" => assert_eq!(live["data"], json!({"a": "2"})),
            "Service" => assert_eq!(live["spec"]["ports"].as_array().unwrap().len(), 1),
            _ => {
                let container = &live["spec"]["template"]["spec"]["containers"][0];
                assert_eq!(container["env"], json!([{"name": "B", "value": "1"}]));
                assert_eq!((&container["image"], container.get("args")), (&json!("x:2"), None));
            }
        }
    }
}

fn of_another_version(env: &Env) {
    let place = Place::new(env);
    let old = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}});
    env.kubectl(["create", "--filename=-"]).stdin(old.to_string()).run().ok();
    let target = |percent: u8| json!({"type": "Utilization", "averageUtilization": percent});
    let new = place.object(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
            "name": "web"}, "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target(70)}}]}}));
    place.take_over(&new);
    let live = place.apply(&new, false, false).unwrap();
    let spec = &live["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(1), &json!(4)), "{live:#}");
    assert_eq!(spec["metrics"][0]["resource"]["target"], target(70));
}

fn meets_other_writers(env: &Env) {
    let place = Place::new(env);
    let map = place.object(config_map("c", json!({"a": "1"})));
    env.kubectl(["apply", "--filename=-"]).stdin(map.value().to_string()).run().ok();
    let kind = place.kind(&map);
    let live = place.live(&map).unwrap();
    let takeover = plan::takeover(&live).unwrap();
    // changed since it was read: what is then there is taken over
    env.kubectl(["label", "configmap", "c", "late=yes"]).run().ok();
    let taken =
        place.runtime.block_on(place.cluster.take_over(&kind, &live, &takeover, &plan::takeover)).unwrap();
    assert_eq!(managers(&taken), [("kubectl-obs", "Apply")], "{taken:#}");
    assert_eq!(taken["metadata"]["labels"]["late"], "yes");
    assert_eq!(place.apply(&map, false, false).unwrap()["metadata"].get("labels"), None);
    // once more is harmless
    place.runtime.block_on(place.cluster.take_over(&kind, &live, &takeover, &plan::takeover)).unwrap();
    // another object of the name is not touched
    env.kubectl(["delete", "configmap", "c"]).run().ok();
    let take_over =
        || place.runtime.block_on(place.cluster.take_over(&kind, &live, &takeover, &plan::takeover));
    let words = format!("ConfigMap {}/c was deleted or replaced by someone else meanwhile", env.namespace());
    assert_eq!(take_over().unwrap_err().message(), words);
    env.kubectl(["create", "configmap", "c"]).run().ok();
    assert_eq!(take_over().unwrap_err().message(), words);
    assert_eq!(managers(&place.live(&map).unwrap()), [], "nobody owns anything in an empty map");
}

const CHART: &str = r#"
{{- range $name := .Values.names }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ $name }}, labels: {app.kubernetes.io/managed-by: Helm, helm.sh/chart: c}}
data: {key: {{ $.Values.value | quote }}, theirs: "x"}
{{- end }}
"#;

/// A chart with these ConfigMaps, two of which are to be ours.
fn chart(env: &Env) -> String {
    env.write("chart/templates/maps.yaml", CHART);
    env.write("chart/values.yaml", "{names: [first, second, theirs], value: one}");
    let file = env.write("chart/Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}");
    file.parent().unwrap().to_str().unwrap().to_owned()
}

const OURS: [&str; 2] = ["first", "second"];

/// Installs the chart as `release` and adopts two of its objects.
fn adopted(place: &Place, chart: &str, release: &str, server_side: &str) -> Vec<Object> {
    place.env.helm(["install", release, chart]).arg(format!("--server-side={server_side}")).run().ok();
    let mut objects = Vec::new();
    for name in OURS {
        let mut value = config_map(&format!("{release}-{name}"), json!({"key": "ours"}));
        value["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "kubectl-obs"});
        let object = place.object(value);
        let (taken, helm) = place.take_over(&object);
        assert_eq!(helm, Some(HelmRelease { name: release.into(), namespace: place.env.namespace().into() }));
        assert_eq!(taken["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
        for _ in 0..2 {
            let live = place.apply(&object, false, false).unwrap();
            assert_eq!(live["data"], json!({"key": "ours"}), "what was Helm's alone is gone");
            assert_eq!(live["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "kubectl-obs"}));
            assert_eq!(live["metadata"]["annotations"], json!({"helm.sh/resource-policy": "keep"}));
        }
        objects.push(object);
    }
    objects
}

fn from_helm(env: &Env, server_side: &str) {
    let place = Place::new(env);
    let chart = chart(env);
    let theirs = |release: &str| place.object(config_map(&format!("{release}-theirs"), json!({})));
    let all_live = |objects: &[Object]| objects.iter().all(|object| place.live(object).is_some());

    // helm uninstall spares what is ours and removes the rest
    let objects = adopted(&place, &chart, "gone", server_side);
    let output = env.helm(["uninstall", "gone"]).run().ok();
    assert!(all_live(&objects), "{output}");
    assert!(place.live(&theirs("gone")).is_none(), "{output}");

    // a chart that no longer has them spares them
    let objects = adopted(&place, &chart, "less", server_side);
    let output = env.helm(["upgrade", "less", &chart, "--set=names={theirs}"]).run().ok();
    assert!(all_live(&objects), "{output}");

    // A chart that still has them: by server-side apply, Helm is refused. By its own comparison,
    // which is what it goes on with by default where it began with it, it takes them back, and only
    // their labels tell.
    let objects = adopted(&place, &chart, "more", server_side);
    let output = env.helm(["upgrade", "more", &chart, "--set=value=two"]).run();
    for object in &objects {
        let live = place.live(object).unwrap();
        if server_side == "true" {
            assert_ne!(output.code, 0, "{output}");
            assert!(output.stderr.contains(r#"conflicts with "kubectl-obs""#), "{output}");
            assert_eq!((&live["data"]["key"], plan::takeover(&live)), (&json!("ours"), None));
        } else if live["data"]["key"] != "ours" {
            assert!(plan::takeover(&live).is_some_and(|again| again.helm.is_some()), "{live:#}");
            assert_eq!(live["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
        }
    }
}

fn conflicts_are_known_before(env: &Env) {
    let place = Place::new(env);
    let apply = |value: &Value| {
        let object = place.object(value.clone());
        place.apply(&object, true, false).unwrap();
        object
    };
    let web = deployment(json!({"image": "x:1", "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"memory": "1Gi"}}, "args": ["-v"]}));
    let map = config_map("c", json!({"key": "ours", "other": "ours"}));
    let with_label = |mut value: Value| {
        value["metadata"]["labels"] = json!({"app": "ours", "tier": "x"});
        value
    };
    let at = ".spec.template.spec.containers[name=\"app\"]";
    let mut theirs = deployment(json!({"image": "x:3", "args": ["-q"]}));
    theirs["spec"]["replicas"] = json!(4);
    let theirs = theirs.to_string();
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "YQ=="}});
    let service = service(json!([{"name": "a", "port": 80}]));
    let finalizers = |names: Value| {
        let mut value = config_map("f", json!({}));
        value["metadata"]["finalizers"] = names;
        value
    };
    let merge = "--type=merge";
    // (what we apply, what somebody does then, the fields that we must not change any more)
    let cases = [
        (
            &web,
            vec!["set", "image", "deployment/web", "app=x:2"],
            None,
            vec![(format!("{at}.image"), "kubectl-set")],
        ),
        (
            &web,
            vec!["scale", "deployment/web", "--replicas=5"],
            None,
            vec![(".spec.replicas".into(), "kubectl")],
        ),
        (
            &web,
            vec!["set", "env", "deployment/web", "A=2", "B=3"],
            None,
            vec![(format!("{at}.env[name=\"A\"].value"), "kubectl-set")],
        ),
        (
            &web,
            vec![
                "patch",
                "deployment",
                "web",
                "--patch={\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\",\"args\":[\"-q\"],\"resources\":{\"limits\":{\"memory\":\"2Gi\"}}}]}}}}",
            ],
            None,
            vec![
                (format!("{at}.args"), "kubectl-patch"),
                (format!("{at}.resources.limits.memory"), "kubectl-patch"),
            ],
        ),
        (
            &web,
            vec!["apply", "--server-side", "--field-manager=x", "--force-conflicts", "--filename=-"],
            Some(&theirs),
            vec![(format!("{at}.image"), "x"), (format!("{at}.args"), "x"), (".spec.replicas".into(), "x")],
        ),
        (
            &map,
            vec![
                "patch",
                "configmap",
                "c",
                merge,
                "--patch={\"data\":{\"key\":\"theirs\",\"third\":\"theirs\"}}",
            ],
            None,
            vec![(".data.key".into(), "kubectl-patch")],
        ),
        (
            &secret,
            vec!["patch", "secret", "s", merge, "--patch={\"data\":{\"a\":\"Yg==\"}}"],
            None,
            vec![(".data.a".into(), "kubectl-patch")],
        ),
        (
            &service,
            vec!["patch", "service", "web", merge, "--patch={\"spec\":{\"selector\":{\"app\":\"theirs\"}}}"],
            None,
            vec![(".spec.selector".into(), "kubectl-patch")],
        ),
        (
            &service,
            vec![
                "patch",
                "service",
                "web",
                "--patch={\"spec\":{\"ports\":[{\"port\":80,\"name\":\"b\"},{\"port\":81,\"name\":\"c\"}]}}",
            ],
            None,
            vec![(".spec.ports[port=80,protocol=\"TCP\"].name".into(), "kubectl-patch")],
        ),
    ];
    for (ours, command, stdin, expected) in cases {
        let object = apply(ours);
        let mut kubectl = env.kubectl(&command);
        if let Some(text) = stdin {
            kubectl = kubectl.stdin(text);
        }
        kubectl.run().ok();
        let (refused, known) = place.refusals(&object);
        let expected: BTreeSet<_> = expected.into_iter().map(|(f, m)| (f, m.to_owned())).collect();
        assert_eq!(refused, expected, "what the server refuses after {command:?}");
        assert_eq!(known, refused, "what we know after {command:?}");
    }

    let labelled = with_label(map.clone());
    let object = apply(&labelled);
    env.kubectl(["label", "--overwrite", "configmap", "c", "app=theirs", "new=theirs"]).run().ok();
    let (refused, known) = place.refusals(&object);
    assert_eq!(refused, BTreeSet::from([(".metadata.labels.app".to_owned(), "kubectl-label".to_owned())]));
    assert_eq!(known, refused);

    // sets have no conflicts
    let ours = finalizers(json!(["example.com/a"]));
    let object = apply(&ours);
    let both = "--patch={\"metadata\":{\"finalizers\":[\"example.com/a\",\"example.com/b\"]}}";
    env.kubectl(["patch", "configmap", "f", merge, both]).run().ok();
    assert_eq!(place.refusals(&object), Default::default());
    env.kubectl(["patch", "configmap", "f", merge, "--patch={\"metadata\":{\"finalizers\":null}}"])
        .run()
        .ok();
}

fn conflicts_of_defaults_are_known_before(env: &Env) {
    let place = Place::new(env);
    let policy = |rules: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "p"}, "spec": {"podSelector": {}, "ingress": rules}})
    };
    let pod_spec = |spec: Value| {
        let mut value = deployment(json!({"image": "x:1"}));
        value["spec"]["template"]["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        value
    };
    let mut selects = policy(json!([{"ports": [{"port": 80}]}]));
    selects["spec"]["podSelector"] = json!({"matchLabels": {"a": "b"}});
    let field_ref = json!([{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    let probe =
        |port: u16| json!({"image": "x:1", "livenessProbe": {"httpGet": {"path": "/", "port": port}}});
    let volume = |name: &str| pod_spec(json!({"volumes": [{"name": "v", "configMap": {"name": name}}]}));
    // (what kubectl create makes, with its defaults, and what we want)
    let cases = [
        // it owns `securityContext: {}`
        (deployment(json!({"image": "x:1"})), pod_spec(json!({"securityContext": {"runAsUser": 1}}))),
        (
            deployment(json!({"image": "x:1", "resources": {"limits": {"memory": "1Gi"}}})),
            deployment(json!({"image": "x:1", "resources": {"limits": {"memory": "1024Mi"}}})),
        ),
        (
            deployment(json!({"image": "x:1", "env": field_ref})),
            deployment(json!({"image": "x:1", "env": field_ref})),
        ),
        (deployment(probe(80)), deployment(probe(81))),
        (
            pod_spec(json!({"tolerations": [{"key": "a"}]})),
            pod_spec(json!({"tolerations": [{"key": "a"}, {"key": "b"}]})),
        ),
        (pod_spec(json!({"nodeSelector": {"a": "b"}})), pod_spec(json!({"nodeSelector": {"a": "c"}}))),
        (volume("one"), volume("two")),
        (
            pod_spec(json!({"volumes": [{"name": "v", "emptyDir": {}}]})),
            pod_spec(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]})),
        ),
        (policy(json!([{"ports": [{"port": 80}]}])), policy(json!([{"ports": [{"port": 80}]}]))),
        (policy(json!([{"ports": [{"port": 80}]}])), selects),
        (service(json!([{"port": 80}])), service(json!([{"port": 80, "targetPort": 8080, "name": "http"}]))),
    ];
    let by_create = ["create", "--filename=-"].as_slice();
    let by_apply = ["apply", "--server-side", "--field-manager=x", "--filename=-"].as_slice();
    for (theirs, ours) in cases {
        for make in [by_create, by_apply] {
            env.kubectl(make).stdin(theirs.to_string()).run().ok();
            let object = place.object(ours.clone());
            let (refused, known) = place.refusals(&object);
            assert_eq!(known, refused, "{:#}\nover {theirs:#}\nby {make:?}", object.value());
            // and when we own a part of it
            place.apply(&object, true, false).unwrap();
            assert_eq!(place.refusals(&object), Default::default(), "after force nothing is left");
            let (refused, known) = place.refusals(&place.object(theirs.clone()));
            assert_eq!(known, refused, "{theirs:#}\nover {:#}\nby {make:?}", object.value());
            let name = format!("{}/{}", object.kind(), object.name());
            env.kubectl(["delete", &name, "--cascade=orphan"]).run().ok();
        }
    }
    // a value below what another owns as empty
    let user = |id: u32| place.object(pod_spec(json!({"securityContext": {"runAsUser": id}})));
    env.kubectl(by_create).stdin(deployment(json!({"image": "x:1"})).to_string()).run().ok();
    place.apply(&user(1), false, false).unwrap();
    assert_eq!(place.refusals(&user(2)), Default::default());
}

fn conflicts_with_ourselves_are_told_apart(env: &Env) {
    let place = Place::new(env);
    let name = format!("{}-node", env.namespace());
    let namespace = |level: &str| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name,
        "labels": {"pod-security.kubernetes.io/enforce": level}}})
    };
    let kind = Kind::cluster_scoped("", "Namespace", "namespaces");
    place.runtime.block_on(place.cluster.create(&kind, None, &namespace("restricted"), false)).unwrap();
    let object = place.object(namespace("privileged"));
    let (refused, known) = place.refusals(&object);
    let field = ".metadata.labels.pod-security.kubernetes.io/enforce".to_owned();
    assert_eq!(refused, BTreeSet::from([(field, "kubectl-obs".to_owned())]));
    assert_eq!(known, refused);
    let live = place.live(&object).unwrap();
    assert_eq!(plan::conflicts(object.value(), &live), []);
    assert_eq!(plan::conflicts_with_ourselves(object.value(), &live).len(), 1);
}
