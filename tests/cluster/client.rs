//! The API client on a real API server: what it reads, what it writes, and what a person reads
//! when the server says no.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kubectl_obs::cluster::{
    Access, ApplyError, ApplyOptions, Cluster, ConnectOptions, CreateError, DeleteOptions, Deleted, Holder,
    Involved, Lock, MetadataPatch, ReplaceError, WatchEvent,
};
use kubectl_obs::object::{Kind, Object};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::env::Env;
use crate::support::process::Command;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        api("version_and_kinds", version_and_kinds),
        api("apply_creates_then_changes_nothing", apply_creates_then_changes_nothing),
        api("apply_names_the_other_manager", apply_names_the_other_manager),
        api("apply_with_a_uid_does_not_recreate", apply_with_a_uid_does_not_recreate),
        api("apply_says_what_is_wrong", apply_says_what_is_wrong),
        api("create_and_replace_have_one_winner", create_and_replace_have_one_winner),
        api("metadata_changes_alone", metadata_changes_alone),
        api("delete_spares_a_namesake", delete_spares_a_namesake),
        api("lists_come_in_pages", lists_come_in_pages),
        api("refusals_are_explained", refusals_are_explained),
        api("connection_problems_are_explained", connection_problems_are_explained),
        api("watch_tells_every_change", watch_tells_every_change),
        api("rights_are_asked_in_order", rights_are_asked_in_order),
        api("events_are_found_by_uid", events_are_found_by_uid),
        node("pods_are_heard_and_reached", pods_are_heard_and_reached),
        api("lock_has_one_holder", lock_has_one_holder),
        api("lock_of_a_dead_process_is_taken_at_once", lock_of_a_dead_process_is_taken_at_once),
        api("lock_without_renewal_expires", lock_without_renewal_expires),
        api("lock_that_is_taken_away_is_noticed", lock_that_is_taken_away_is_noticed),
    ]
}

/// A namespace of its own on the cluster, and how it was reached.
struct Place {
    cluster: Cluster,
    ns: String,
    options: ConnectOptions,
    /// kubectl in the namespace: what somebody else does.
    kubectl: Command,
    /// An empty folder.
    home: PathBuf,
}

fn api<F, R>(name: &str, test: F) -> Trial
where
    F: Fn(Place) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    trial::api(&format!("client::{name}"), move |env| run(env, &test))
}

fn node<F, R>(name: &str, test: F) -> Trial
where
    F: Fn(Place) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    trial::node(&format!("client::{name}"), move |env| run(env, &test))
}

fn run<R: Future<Output = ()> + Send>(env: &Env, test: impl Fn(Place) -> R) {
    env.make_namespace();
    let options = ConnectOptions {
        kubeconfig: Some(env.cluster().kubeconfig.clone()),
        context: Some(env.cluster().context.clone()),
        ..ConnectOptions::default()
    };
    let ns = env.namespace().to_owned();
    let (kubectl, home) = (env.kubectl([""; 0]), env.home().to_owned());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::connect(&options).await.unwrap();
        test(Place { cluster, ns, options, kubectl, home }).await;
    });
}

fn namespaces() -> Kind {
    Kind::cluster_scoped("", "Namespace", "namespaces")
}

fn config_maps() -> Kind {
    Kind::namespaced("", "ConfigMap", "configmaps")
}

fn config_map(namespace: &str, name: &str, value: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "x"}}, "data": {"key": value}}))
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn version_and_kinds(Place { cluster, .. }: Place) {
    let version = cluster.version().await.unwrap();
    assert!(version.major == 1 && version.minor >= 30, "{version:?}");
    assert!(!version.text.starts_with('v'));
    let kinds = cluster.kinds().await.unwrap();
    let deployment = kinds.preferred("apps", "Deployment").unwrap();
    assert_eq!(deployment, Kind::namespaced("apps", "Deployment", "deployments"));
    assert!(kinds.allows(&deployment, "patch"));
    assert_eq!(kinds.resolve("", "v1", "Namespace"), Some(namespaces()));
    assert_eq!(kinds.preferred("example.com", "Nothing"), None);
    let listable = kinds.preferred_with("list").count();
    assert!(listable > 40, "{listable}");
}

async fn apply_creates_then_changes_nothing(Place { cluster, ns, .. }: Place) {
    let map = config_map(&ns, "a", "1");
    let dry = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    assert!(cluster.apply(&config_maps(), &map, &dry).await.unwrap().created);
    assert!(cluster.get(&config_maps(), Some(&ns), "a").await.unwrap().is_none());
    let first = cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await.unwrap();
    let second = cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await.unwrap();
    assert!(first.created && !second.created);
    assert_eq!(first.object["metadata"]["resourceVersion"], second.object["metadata"]["resourceVersion"]);
    assert_eq!(first.object["metadata"]["managedFields"][0]["manager"], "kubectl-obs");
}

async fn apply_names_the_other_manager(Place { cluster, ns, kubectl, .. }: Place) {
    cluster.apply(&config_maps(), &config_map(&ns, "a", "1"), &ApplyOptions::default()).await.unwrap();
    let theirs = r#"--patch={"data":{"key":"theirs"}}"#;
    kubectl.args(["patch", "configmap", "a", theirs, "--field-manager=kubectl-edit"]).run().ok();
    let map = config_map(&ns, "a", "2");
    match cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await {
        Err(ApplyError::Conflict(conflicts, error)) => {
            assert_eq!(conflicts[0].field, ".data.key");
            assert_eq!(conflicts[0].manager, "kubectl-edit");
            assert_eq!(
                error.to_string(),
                format!(
                    "ConfigMap {ns}/a: a field is managed by someone else\n  data.key  set by kubectl-edit\n  \
                     hint: --force-conflicts takes them back"
                )
            );
        }
        other => panic!("{other:?}"),
    }
    let force = ApplyOptions { force: true, ..ApplyOptions::default() };
    assert_eq!(cluster.apply(&config_maps(), &map, &force).await.unwrap().object["data"]["key"], "2");
}

async fn apply_with_a_uid_does_not_recreate(Place { cluster, ns, .. }: Place) {
    let map = config_map(&ns, "a", "1");
    let made = cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await.unwrap();
    let with_uid = ApplyOptions { uid: Some(uid(&made.object)), ..ApplyOptions::default() };
    cluster.apply(&config_maps(), &config_map(&ns, "a", "2"), &with_uid).await.unwrap();
    let gone = cluster.delete(&config_maps(), Some(&ns), "a", &DeleteOptions::default()).await.unwrap();
    assert_eq!(gone, Deleted::Done);
    match cluster.apply(&config_maps(), &map, &with_uid).await {
        Err(ApplyError::Gone(error)) => assert_eq!(
            error.to_string(),
            format!(
                "ConfigMap {ns}/a was deleted or replaced by someone else meanwhile\n  hint: run the command again"
            )
        ),
        other => panic!("{other:?}"),
    }
    cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await.unwrap();
    let other = cluster.apply(&config_maps(), &map, &with_uid).await;
    assert!(matches!(other, Err(ApplyError::Replaced(_))), "{other:?}");
}

async fn apply_says_what_is_wrong(Place { cluster, ns, .. }: Place) {
    let services = Kind::namespaced("", "Service", "services");
    let service = |spec: Value| {
        object(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": ns}, "spec": spec}),
        )
    };
    let bad = service(json!({"ports": [{"port": 70000}], "type": "Nonsense"}));
    match cluster.apply(&services, &bad, &ApplyOptions::default()).await {
        Err(ApplyError::Invalid(causes, error)) => {
            assert_eq!(causes.len(), 3, "{error}");
            assert!(error.to_string().contains("spec.ports[0].port: Invalid value: 70000"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let unknown = service(json!({"ports": [{"port": 80}], "portz": 1}));
    match cluster.apply(&services, &unknown, &ApplyOptions::default()).await {
        Err(ApplyError::Invalid(_, error)) => assert_eq!(
            error.to_string(),
            format!("Service {ns}/s is not valid: spec.portz: field not declared in schema")
        ),
        other => panic!("{other:?}"),
    }
    let mut fixed = config_map(&ns, "fixed", "1");
    fixed.value_mut()["immutable"] = json!(true);
    cluster.apply(&config_maps(), &fixed, &ApplyOptions::default()).await.unwrap();
    fixed.value_mut()["data"]["key"] = json!("2");
    match cluster.apply(&config_maps(), &fixed, &ApplyOptions::default()).await {
        Err(ApplyError::Immutable(_, error)) => assert_eq!(
            error.to_string(),
            format!(
                "ConfigMap {ns}/fixed cannot be changed that way: data: Forbidden: field is immutable when \
                 `immutable` is set"
            )
        ),
        other => panic!("{other:?}"),
    }
    let nowhere = config_map("client-no-such-namespace", "a", "1");
    match cluster.apply(&config_maps(), &nowhere, &ApplyOptions::default()).await {
        Err(ApplyError::NotFound(error)) => assert_eq!(
            error.to_string(),
            "ConfigMap client-no-such-namespace/a: namespace client-no-such-namespace does not exist"
        ),
        other => panic!("{other:?}"),
    }
    let unserved = Kind::namespaced("example.com", "Nothing", "nothings");
    let thing = object(
        json!({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "x", "namespace": ns}}),
    );
    match cluster.apply(&unserved, &thing, &ApplyOptions::default()).await {
        Err(ApplyError::NotFound(error)) => {
            assert_eq!(error.to_string(), "the cluster does not serve Nothing in example.com/v1");
        }
        other => panic!("{other:?}"),
    }
}

async fn create_and_replace_have_one_winner(Place { cluster, ns, .. }: Place) {
    let map = config_map(&ns, "a", "1").into_value();
    let first = cluster.create(&config_maps(), Some(&ns), &map, false).await.unwrap();
    match cluster.create(&config_maps(), Some(&ns), &map, false).await {
        Err(CreateError::AlreadyExists(error)) => {
            assert_eq!(error.to_string(), format!("ConfigMap {ns}/a exists already"));
        }
        other => panic!("{other:?}"),
    }
    let mut next = first.clone();
    next["data"]["key"] = json!("2");
    cluster.replace(&config_maps(), Some(&ns), &next).await.unwrap();
    match cluster.replace(&config_maps(), Some(&ns), &next).await {
        Err(ReplaceError::Conflict(error)) => {
            assert_eq!(error.message(), format!("ConfigMap {ns}/a was changed by someone else meanwhile"));
        }
        other => panic!("{other:?}"),
    }
    cluster.delete(&config_maps(), Some(&ns), "a", &DeleteOptions::default()).await.unwrap();
    let gone = cluster.replace(&config_maps(), Some(&ns), &next).await;
    assert!(matches!(gone, Err(ReplaceError::Gone(_))), "{gone:?}");
}

async fn metadata_changes_alone(Place { cluster, ns, .. }: Place) {
    let secrets = Kind::namespaced("", "Secret", "secrets");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns,
        "labels": {"status": "pending", "other": "x"}}, "immutable": true, "data": {"payload": "AAAA"}});
    let made = cluster.create(&secrets, Some(&ns), &secret, false).await.unwrap();
    let mut patch = MetadataPatch::default();
    patch.labels.insert("status".into(), Some("deployed".into()));
    patch.labels.insert("other".into(), None);
    let version = made["metadata"]["resourceVersion"].as_str();
    let patched = cluster.patch_metadata(&secrets, Some(&ns), "s", &patch, version).await.unwrap();
    assert_eq!(patched["metadata"]["labels"], json!({"status": "deployed"}));
    assert_eq!(patched["data"], made["data"]);
    let late = cluster.patch_metadata(&secrets, Some(&ns), "s", &patch, version).await;
    assert!(matches!(late, Err(ReplaceError::Conflict(_))), "{late:?}");
    cluster.patch_metadata(&secrets, Some(&ns), "s", &patch, None).await.unwrap();
    let listed = cluster.list_metadata(&secrets, Some(&ns), "status=deployed").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["kind"], &listed[0]["data"]), (&json!("Secret"), &Value::Null));
    let none = cluster.patch_metadata(&secrets, Some(&ns), "none", &patch, None).await;
    assert!(matches!(none, Err(ReplaceError::Gone(_))), "{none:?}");
}

async fn delete_spares_a_namesake(Place { cluster, ns, .. }: Place) {
    let first =
        cluster.apply(&config_maps(), &config_map(&ns, "a", "1"), &ApplyOptions::default()).await.unwrap();
    let only_first = DeleteOptions { uid: Some(uid(&first.object)), ..DeleteOptions::default() };
    let dry = DeleteOptions { dry_run: true, ..only_first.clone() };
    assert_eq!(cluster.delete(&config_maps(), Some(&ns), "a", &dry).await.unwrap(), Deleted::Done);
    assert!(cluster.get(&config_maps(), Some(&ns), "a").await.unwrap().is_some());
    assert_eq!(cluster.delete(&config_maps(), Some(&ns), "a", &only_first).await.unwrap(), Deleted::Done);
    assert_eq!(
        cluster.delete(&config_maps(), Some(&ns), "a", &only_first).await.unwrap(),
        Deleted::AlreadyGone
    );
    cluster.apply(&config_maps(), &config_map(&ns, "a", "2"), &ApplyOptions::default()).await.unwrap();
    assert_eq!(cluster.delete(&config_maps(), Some(&ns), "a", &only_first).await.unwrap(), Deleted::Replaced);
    let held = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
        {"name": "held", "namespace": ns, "finalizers": ["example.com/hold"]}}));
    cluster.apply(&config_maps(), &held, &ApplyOptions::default()).await.unwrap();
    let pending = cluster.delete(&config_maps(), Some(&ns), "held", &DeleteOptions::default()).await.unwrap();
    assert_eq!(pending, Deleted::Pending);
    let mut free = held.into_value();
    free["metadata"]["finalizers"] = json!([]);
    cluster
        .apply(&config_maps(), &object(free), &ApplyOptions { force: true, ..Default::default() })
        .await
        .unwrap();
}

async fn lists_come_in_pages(Place { cluster, ns, .. }: Place) {
    use futures::stream::{StreamExt, TryStreamExt};
    futures::stream::iter(0..620)
        .map(|i| {
            let (cluster, ns) = (cluster.clone(), ns.clone());
            async move {
                let map = config_map(&ns, &format!("m{i}"), "1").into_value();
                cluster.create(&config_maps(), Some(&ns), &map, false).await.map(drop)
            }
        })
        .buffer_unordered(8)
        .try_collect::<()>()
        .await
        .unwrap();
    let listed = cluster.list(&config_maps(), Some(&ns), "app=x").await.unwrap();
    let names: std::collections::BTreeSet<_> =
        listed.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!((listed.len(), names.len()), (620, 620));
    assert_eq!(listed[0]["kind"], "ConfigMap");
    assert_eq!(cluster.list(&config_maps(), Some(&ns), "app=y").await.unwrap().len(), 0);
}

async fn refusals_are_explained(Place { ns, options, .. }: Place) {
    let bob = ConnectOptions { as_user: Some("bob".into()), ..options };
    let bob = Cluster::connect(&bob).await.unwrap();
    let error = bob.list(&config_maps(), Some(&ns), "").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "you may not list ConfigMaps in namespace {ns}\n  hint: user \"bob\" needs the verb \"list\" on \
             configmaps in namespace {ns}; what you may: kubectl auth can-i --list -n {ns}"
        )
    );
    let roles = Kind::cluster_scoped("rbac.authorization.k8s.io", "ClusterRole", "clusterroles");
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "client-x"}});
    let error: kubectl_obs::Error = bob.create(&roles, None, &role, false).await.unwrap_err().into();
    assert_eq!(error.message(), "you may not create ClusterRoles");
    assert_eq!(error.exit(), kubectl_obs::Exit::Failed);
}

async fn connection_problems_are_explained(Place { cluster, options, home, .. }: Place) {
    let server = cluster.server().to_owned();
    let ask = async |change: fn(&mut ConnectOptions)| {
        let mut options = options.clone();
        change(&mut options);
        let started = Instant::now();
        let error = match Cluster::connect(&options).await {
            Ok(cluster) => cluster.version().await.map(drop).unwrap_err(),
            Err(error) => error,
        };
        assert!(started.elapsed() < Duration::from_secs(3), "{error}: took {:?}", started.elapsed());
        assert_eq!(error.exit(), kubectl_obs::Exit::Unreachable);
        error.to_string()
    };
    let name = cluster.name().to_owned();
    let text = ask(|o| o.server = Some("https://127.0.0.1:1".into())).await;
    assert!(
        text.starts_with(&format!(
            "cannot reach the cluster \"{name}\" at https://127.0.0.1:1: connection refused"
        )),
        "{text}"
    );
    let text = ask(|o| o.server = Some("https://no-such-host.invalid:6443".into())).await;
    assert!(text.contains("the name no-such-host.invalid cannot be resolved"), "{text}");
    let text = ask(|o| o.tls_server_name = Some("wrong.example.com".into())).await;
    assert!(text.contains("its certificate is for") && text.contains("--tls-server-name"), "{text}");
    let nobody = ConnectOptions {
        kubeconfig: Some("/dev/null".into()),
        server: Some(server.clone()),
        token: Some("nonsense".into()),
        insecure_skip_tls_verify: true,
        ..ConnectOptions::default()
    };
    let error = Cluster::connect(&nobody).await.unwrap().version().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the cluster \"127.0.0.1\" at {server} does not accept the token\n  \
             hint: it has expired, or belongs to another cluster: get a new one"
        )
    );
    assert_eq!(error.exit(), kubectl_obs::Exit::Unreachable);
    let other_ca = ConnectOptions { certificate_authority: Some(wrong_authority(&home)), ..options.clone() };
    let text = Cluster::connect(&other_ca).await.unwrap().version().await.unwrap_err().to_string();
    assert!(
        text.contains(&format!("at {server}: its certificate is signed by an unknown authority")),
        "{text}"
    );
    let plain = server.replace("https://", "http://");
    let http = ConnectOptions { server: Some(plain), ..options.clone() };
    let text = Cluster::connect(&http).await.unwrap().version().await.unwrap_err().to_string();
    assert!(text.contains("it speaks https, not http"), "{text}");
}

async fn watch_tells_every_change(Place { cluster, ns, .. }: Place) {
    use futures::StreamExt;
    let apply = async |name: &str, value: &str| {
        let map = config_map(&ns, name, value);
        cluster.apply(&config_maps(), &map, &ApplyOptions::default()).await.unwrap();
    };
    apply("before", "1").await;
    let mut events = Box::pin(cluster.watch(&config_maps(), Some(&ns), "app=x"));
    let mut next = async || {
        let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await.expect("an event");
        match event.expect("no end").unwrap() {
            WatchEvent::Applied(object) => {
                format!("{} {}", object["metadata"]["name"], object["data"]["key"])
            }
            WatchEvent::Deleted(object) => format!("{} {} gone", object["kind"], object["metadata"]["name"]),
            WatchEvent::Synced => "synced".to_owned(),
        }
    };
    assert_eq!(next().await, r#""before" "1""#);
    assert_eq!(next().await, "synced");
    apply("new", "1").await;
    apply("new", "2").await;
    cluster.delete(&config_maps(), Some(&ns), "before", &DeleteOptions::default()).await.unwrap();
    assert_eq!(next().await, r#""new" "1""#);
    assert_eq!(next().await, r#""new" "2""#);
    assert_eq!(next().await, r#""ConfigMap" "before" gone"#);
    let unserved = Kind::namespaced("example.com", "Nothing", "nothings");
    let mut refused = Box::pin(cluster.watch(&unserved, None, ""));
    let error = refused.next().await.unwrap().unwrap_err();
    assert_eq!(error.message(), "the cluster does not serve Nothing in example.com/v1");
}

async fn rights_are_asked_in_order(Place { cluster, ns, options, .. }: Place) {
    let right = |verb: &str, resource: &str| Access {
        verb: verb.into(),
        resource: resource.into(),
        namespace: Some(ns.clone()),
        ..Access::default()
    };
    let rights: Vec<_> = (0..20).map(|i| right(if i % 2 == 0 { "get" } else { "delete" }, "pods")).collect();
    assert_eq!(cluster.can_i(&rights).await.unwrap(), vec![true; 20]);
    let bob = ConnectOptions { as_user: Some("bob".into()), ..options };
    let bob = Cluster::connect(&bob).await.unwrap();
    let own = Access {
        verb: "create".into(),
        group: "authorization.k8s.io".into(),
        resource: "selfsubjectaccessreviews".into(),
        ..Access::default()
    };
    let asked = [right("get", "pods"), own, right("delete", "pods")];
    assert_eq!(bob.can_i(&asked).await.unwrap(), [false, true, false]);
}

async fn events_are_found_by_uid(Place { cluster, ns, .. }: Place) {
    let events = Kind::namespaced("", "Event", "events");
    for (name, at, uid) in [
        ("late", "2026-11-21T10:00:02Z", "u1"),
        ("early", "2026-11-21T10:00:01Z", "u1"),
        ("other", "2026-11-21T10:00:00Z", "u2"),
    ] {
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": ns},
            "involvedObject": {"kind": "Pod", "namespace": ns, "name": "p", "uid": uid},
            "reason": name, "message": "m", "type": "Warning", "lastTimestamp": at});
        cluster.create(&events, Some(&ns), &event, false).await.unwrap();
    }
    let reasons = async |involved| -> Vec<String> {
        let found = cluster.events_for(&ns, involved).await.unwrap();
        found.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(reasons(Involved::Uid("u1")).await, ["early", "late"]);
    assert_eq!(reasons(Involved::Name("p")).await, ["other", "early", "late"]);
}

/// On the cluster's DNS, which every cluster with a node has.
async fn pods_are_heard_and_reached(Place { cluster, .. }: Place) {
    let pods = cluster
        .list(&Kind::namespaced("", "Pod", "pods"), Some("kube-system"), "k8s-app=kube-dns")
        .await
        .unwrap();
    let pod = pods[0]["metadata"]["name"].as_str().unwrap();
    let log = cluster.logs("kube-system", pod, "coredns", false, 5).await.unwrap();
    assert!((1..=5).contains(&log.lines().count()), "{log}");
    let error = cluster.logs("kube-system", pod, "nothing", false, 5).await.unwrap_err();
    assert!(error.message().contains("container nothing is not valid for pod"), "{error}");
    let get = async |port: u16, path: &str| {
        cluster.pod_http_get("kube-system", pod, port, path, Duration::from_secs(5)).await
    };
    let health = get(8080, "/health").await.unwrap();
    assert_eq!((health.status, health.text().as_str()), (200, "OK"));
    assert_eq!(get(8080, "/nothing").await.unwrap().status, 404);
    let metrics = get(9153, "/metrics").await.unwrap();
    assert!(metrics.text().contains("coredns_build_info"));
    let closed = get(9, "/").await.unwrap_err();
    assert_eq!(closed.message(), format!("cannot reach port 9 of Pod kube-system/{pod}: connection refused"));
    // DNS answers HTTP with silence
    let started = Instant::now();
    let silent = cluster.pod_http_get("kube-system", pod, 53, "/", Duration::from_secs(2)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(
        silent.message(),
        format!("cannot reach port 53 of Pod kube-system/{pod}: no answer within 2.0s")
    );
    let none = cluster
        .pod_http_get("kube-system", "no-such-pod", 80, "/", Duration::from_secs(2))
        .await
        .unwrap_err();
    assert_eq!(none.message(), "Pod kube-system/no-such-pod does not exist");
}

fn leases() -> Kind {
    Kind::namespaced("coordination.k8s.io", "Lease", "leases")
}

async fn lock(cluster: &Cluster, ns: &str, operation: &str, timeout: Duration) -> kubectl_obs::Result<Lock> {
    Lock::acquire(cluster, ns, "obs", Holder::this_process(operation), timeout, |_| {}).await
}

async fn lock_has_one_holder(Place { cluster, ns, .. }: Place) {
    let takers = (0..8).map(|_| lock(&cluster, &ns, "upgrade", Duration::ZERO));
    let (winners, losers): (Vec<_>, Vec<_>) =
        futures::future::join_all(takers).await.into_iter().partition(Result::is_ok);
    assert_eq!((winners.len(), losers.len()), (1, 7));
    let error = losers.into_iter().next().unwrap().err().unwrap();
    assert!(error.message().starts_with("release obs is being upgraded by "), "{error}");
    assert_eq!(error.hints(), ["it renews its lock every 5s; wait for it with --lock-timeout 5m"]);
    let winner = winners.into_iter().next().unwrap().unwrap();
    winner.still_held().unwrap();
    let holder = Lock::holder(&cluster, &ns, "obs").await.unwrap().unwrap();
    assert_eq!((holder.operation.as_str(), holder.pid), ("upgrade", std::process::id()));
    // someone waits and gets it as soon as it is given back
    let told = AtomicUsize::new(0);
    let holder = Holder::this_process("install");
    let waiting = Lock::acquire(&cluster, &ns, "obs", holder, Duration::from_secs(60), |_| {
        told.fetch_add(1, Ordering::Relaxed);
    });
    let give_back = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        winner.still_held().unwrap();
        winner.release().await.unwrap();
    };
    let started = Instant::now();
    let (second, ()) = futures::join!(waiting, give_back);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(told.load(Ordering::Relaxed), 1);
    second.unwrap().release().await.unwrap();
    assert!(cluster.get(&leases(), Some(&ns), "obs.obs").await.unwrap().is_none());
}

async fn lock_of_a_dead_process_is_taken_at_once(Place { cluster, ns, .. }: Place) {
    let mine = lock(&cluster, &ns, "upgrade", Duration::ZERO).await.unwrap();
    let mut lease = cluster.get(&leases(), Some(&ns), "obs.obs").await.unwrap().unwrap();
    mine.release().await.unwrap();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    lease["metadata"]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| ["name", "namespace", "annotations"].contains(&key.as_str()));
    lease["metadata"]["annotations"]["kubectl-obs.dev/pid"] = json!(child.id().to_string());
    cluster.create(&leases(), Some(&ns), &lease, false).await.unwrap();
    let started = Instant::now();
    let taken = lock(&cluster, &ns, "upgrade", Duration::ZERO).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let lease = cluster.get(&leases(), Some(&ns), "obs.obs").await.unwrap().unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    taken.release().await.unwrap();
}

async fn lock_without_renewal_expires(Place { cluster, ns, .. }: Place) {
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "obs.obs", "namespace": ns, "annotations": {
            "kubectl-obs.dev/operation": "install", "kubectl-obs.dev/who": "alice@build-7",
            "kubectl-obs.dev/pid": "4121", "kubectl-obs.dev/host": "build-7"}},
        // far in the future: clocks are not compared
        "spec": {"holderIdentity": "alice@build-7/4121/1", "leaseDurationSeconds": 15,
            "renewTime": "2099-01-01T00:00:00.000000Z"}});
    cluster.create(&leases(), Some(&ns), &lease, false).await.unwrap();
    let started = Instant::now();
    let mut holder = String::new();
    let taken =
        Lock::acquire(&cluster, &ns, "obs", Holder::this_process("upgrade"), Duration::ZERO, |info| {
            holder = info.to_string();
        })
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(holder, "installed by alice@build-7 (pid 4121)");
    taken.release().await.unwrap();
}

async fn lock_that_is_taken_away_is_noticed(Place { cluster, ns, .. }: Place) {
    let mine = lock(&cluster, &ns, "upgrade", Duration::ZERO).await.unwrap();
    // a label that someone puts on it changes nothing
    let mut patch = MetadataPatch::default();
    patch.labels.insert("seen-by".into(), Some("alice".into()));
    cluster.patch_metadata(&leases(), Some(&ns), "obs.obs", &patch, None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    mine.still_held().unwrap();
    let mut lease = cluster.get(&leases(), Some(&ns), "obs.obs").await.unwrap().unwrap();
    assert_eq!(lease["metadata"]["labels"]["seen-by"], "alice");
    lease["spec"]["holderIdentity"] = json!("carol@laptop/7/1");
    lease["metadata"]["annotations"] = json!({"kubectl-obs.dev/who": "carol@laptop", "kubectl-obs.dev/pid": "7", "kubectl-obs.dev/operation": "rollback"});
    cluster.replace(&leases(), Some(&ns), &lease).await.unwrap();
    let lost = tokio::time::timeout(Duration::from_secs(7), mine.lost()).await.expect("noticed");
    assert_eq!(
        lost.to_string(),
        "the lock of release obs is lost: the release is being rolled back by carol@laptop (pid 7)\n  \
         hint: nothing more is written; run the command again: it continues from here"
    );
    assert_eq!(mine.still_held().unwrap_err().message(), lost.message());
    mine.release().await.unwrap();
    let left = cluster.get(&leases(), Some(&ns), "obs.obs").await.unwrap().expect("carol's lock stays");
    assert_eq!(left["spec"]["holderIdentity"], "carol@laptop/7/1");
}

/// Any certificate that did not sign the server's.
fn wrong_authority(home: &Path) -> PathBuf {
    const PEM: &str = "-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUVrQf5d//S01a0fbXxYRIx9wc0VQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJdGVzdC1jYS0xMCAXDTI2MDMwNDEzMDk1MFoYDzIxMjYwMjA4
MTMwOTUwWjAUMRIwEAYDVQQDDAl0ZXN0LWNhLTEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARg57mWJPDsAIEQAgXqMOOfjMQP+PE9HqcZobycO8z94r/uRuV0wKx/
0SvMsKFtnreut0bjgFtmZaWY+6d87Is9o1MwUTAdBgNVHQ4EFgQUjtGuhkM7LtHB
gMPCJIxMwbY69OQwHwYDVR0jBBgwFoAUjtGuhkM7LtHBgMPCJIxMwbY69OQwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAj/WzNVJDg/cBtLqQVM77
tkB+QyIXLG3Vi9Xj1YfW9QECIQDDFW8yFtgLeCg2Zhr4xQNq3/24r/01kI2rjFPO
xBkDMw==
-----END CERTIFICATE-----
";
    let path = home.join("wrong-ca.pem");
    std::fs::write(&path, PEM).unwrap();
    path
}
