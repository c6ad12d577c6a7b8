//! What is on the cluster, compared with what the records say: the one question that is asked after
//! everything that can go wrong.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::OnceLock;

use kubectl_obs::cluster::records::Store;
use kubectl_obs::cluster::{Cluster, ConnectOptions};
use kubectl_obs::diff;
use kubectl_obs::object::{Kind, Object, ObjectId, labels};
use kubectl_obs::ops::live::id_of;
use kubectl_obs::release::{EntryState, Record, Status, history};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::env::Env;

/// Looks at the cluster by the library, straight and without a process for each question.
pub(super) fn look<T, R: Future<Output = T>>(env: &Env, question: impl FnOnce(&'static Cluster) -> R) -> T {
    static CLUSTER: OnceLock<(Runtime, Cluster)> = OnceLock::new();
    let (runtime, cluster) = CLUSTER.get_or_init(|| {
        let options = ConnectOptions {
            kubeconfig: Some(env.cluster().kubeconfig.clone()),
            context: Some(env.cluster().context.clone()),
            ..ConnectOptions::default()
        };
        let runtime = Runtime::new().expect("a runtime");
        let cluster = runtime.block_on(Cluster::connect(&options)).expect("a client");
        (runtime, cluster)
    });
    runtime.block_on(question(cluster))
}

/// The generated password, if there is one.
pub(super) fn password(env: &Env) -> Option<String> {
    look(env, |cluster| async move {
        let kind = Kind::namespaced("", "Secret", "secrets");
        let secret =
            cluster.get(&kind, Some(env.namespace()), "obs-chaos-admin").await.expect("get the Secret");
        secret.and_then(|secret| secret["data"]["password"].as_str().map(str::to_owned))
    })
}

/// The records of all revisions, oldest first.
pub(super) fn records(env: &Env) -> Vec<(Status, Record)> {
    look(env, |cluster| async move {
        let store = Store::new(cluster, env.namespace(), "obs");
        let history = store.history().await.expect("the history");
        let mut records = Vec::new();
        for header in history.headers() {
            let record = store.read(header.revision).await.expect("a record");
            records.push((header.status.expect("a status that is known"), record));
        }
        records
    })
}

/// The release is deployed, and records, objects, lock and the generated password (as it was
/// before) are in order.
#[track_caller]
pub(super) fn consistent(env: &Env, password_before: Option<&str>) {
    let list = env.obs(["list", "-o", "json"]).run().ok().json();
    let mut wrong = Vec::new();
    if list["items"][0]["status"] != "deployed" {
        wrong.push(format!("list says {list}"));
    }
    wrong.extend(look(env, |cluster| problems(cluster, env.namespace())));
    let now = password(env);
    if now.is_none() {
        wrong.push("the generated Secret is not there".into());
    } else if password_before.is_some() && password_before != now.as_deref() {
        wrong.push("the generated Secret has another value".into());
    }
    assert!(wrong.is_empty(), "the release is not consistent:\n  {}", wrong.join("\n  "));
}

async fn problems(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let store = Store::new(cluster, namespace, "obs");
    let history = store.history().await.expect("the history");
    for header in history.headers() {
        let latest = history.latest() == Some(header);
        let fine = match header.status {
            Some(Status::Deployed) => latest,
            Some(Status::Superseded | Status::Failed | Status::Uninstalled) => !latest,
            _ => false,
        };
        if !fine {
            wrong.push(format!("revision {} is {}", header.revision, header.status_word));
        }
    }
    let Some(latest) = history.latest() else { return vec!["there is no record".into()] };
    let record = match store.read(latest.revision).await {
        Ok(record) => record,
        Err(error) => return vec![error.to_string()],
    };
    let live = everything(cluster, namespace).await;
    let (records, objects): (BTreeMap<_, _>, BTreeMap<_, _>) =
        live.into_iter().partition(|(_, value)| !value["metadata"]["labels"][history::RECORD].is_null());
    for entry in &record.inventory {
        let there = objects.contains_key(&entry.id());
        match entry.state {
            EntryState::Active | EntryState::Kept if !there => {
                wrong.push(format!("{} is missing", entry.id()));
            }
            EntryState::Leftover if there => wrong.push(format!("{} was not pruned", entry.id())),
            _ => {}
        }
    }
    for id in objects.keys().filter(|id| !record.inventory.iter().any(|entry| entry.id() == **id)) {
        wrong.push(if id.kind == "Lease" { "the lock is held".into() } else { format!("{id} is an orphan") });
    }
    for object in record.objects.iter().filter_map(|value| Object::new(value.clone()).ok()) {
        if let Some(live) = objects.get(&object.id())
            && !diff::fields(live, object.value(), diff::Scope::Desired).is_empty()
        {
            wrong.push(format!("{} differs from what revision {} says", object.id(), latest.revision));
        }
    }
    for (id, value) in records {
        let revision = value["metadata"]["labels"][history::REVISION].as_str().unwrap_or_default();
        let chunk = value["metadata"]["labels"][history::RECORD] == "chunk";
        if chunk && !history.headers().iter().any(|header| header.revision.to_string() == revision) {
            wrong.push(format!("{id} is a chunk without a header"));
        }
    }
    wrong
}

/// Nothing of the release is there: no record, no lock, no object. With `kept`, the namespace and
/// the generated Secret with this value may be.
#[track_caller]
pub(super) fn nothing_left(env: &Env, kept: Option<&str>) {
    let left = look(env, |cluster| everything(cluster, env.namespace()));
    let stays =
        |id: &ObjectId| id.kind == "Namespace" || (id.kind == "Secret" && id.name == "obs-chaos-admin");
    let left: Vec<String> =
        left.keys().filter(|id| kept.is_none() || !stays(id)).map(ToString::to_string).collect();
    assert!(left.is_empty(), "left behind: {}", left.join(", "));
    if kept.is_some() {
        assert_eq!(password(env).as_deref(), kept, "the generated Secret has another value");
    }
}

/// Every object with the release's labels, records and lock included; without what controllers
/// make for others and what is on its way out.
async fn everything(cluster: &Cluster, namespace: &str) -> BTreeMap<ObjectId, Value> {
    let kinds = cluster.kinds().await.expect("discovery");
    let selector = format!("{}=obs,{}={namespace}", labels::RELEASE, labels::RELEASE_NAMESPACE);
    let lists = kinds.preferred_with("list").filter(|kind| kind.kind != "Event").map(|kind| {
        let selector = &selector;
        async move {
            let place = kind.namespaced.then_some(namespace);
            // a definition of another trial may have gone since the kinds were asked for
            let gone = |error: &kubectl_obs::Error| error.message().contains("does not serve");
            match cluster.list(kind, place, selector).await {
                Err(error) if gone(&error) => (kind, Vec::new()),
                list => (kind, list.expect("a list")),
            }
        }
    });
    let mut found = BTreeMap::new();
    for (kind, list) in futures::future::join_all(lists).await {
        for value in list {
            let owned =
                value["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
            // Endpoints carry the labels of their Service, and no owner
            let leaves = !value["metadata"]["deletionTimestamp"].is_null();
            if !owned && !leaves && kind.kind != "Endpoints" {
                found.insert(id_of(kind, &value), value);
            }
        }
    }
    found
}
