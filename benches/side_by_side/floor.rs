//! The bare client: the requests that applying the objects needs, eight at a time, and nothing else.
//! No checks, no records, no lock; what is left is the API server's time.

use futures::stream::{StreamExt, TryStreamExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

/// Applies the objects of a JSON file: an array, the first of which is the namespace.
#[tokio::main]
pub(crate) async fn run(kubeconfig: &str, context: &str, file: &str) {
    let objects: Vec<Value> =
        serde_json::from_slice(&std::fs::read(file).expect("read the objects")).expect("objects are JSON");
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("read the kubeconfig");
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a usable kubeconfig");
    let client = Client::try_from(config).expect("a client");

    let [namespace, objects @ ..] = objects.as_slice() else { panic!("no objects") };
    patch(&client, namespace).await.expect("apply the namespace");
    futures::stream::iter(objects)
        .map(|object| patch(&client, object))
        .buffer_unordered(8)
        .try_collect::<Vec<()>>()
        .await
        .expect("apply the objects");
}

async fn patch(client: &Client, object: &Value) -> kube::Result<()> {
    let request = http::Request::patch(format!("{}?fieldManager=floor&fieldValidation=Strict", path(object)))
        .header("content-type", "application/apply-patch+yaml")
        .body(serde_json::to_vec(object).expect("an object is JSON"))
        .expect("a request");
    client.request_text(request).await.map(drop)
}

/// Where an object lives. Only the kinds of [`crate::load`].
fn path(object: &Value) -> String {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let api_version = text(&object["apiVersion"]);
    let plural = text(&object["kind"]).to_lowercase() + "s";
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let namespace =
        object["metadata"]["namespace"].as_str().map(|n| format!("namespaces/{n}/")).unwrap_or_default();
    format!("/{root}/{api_version}/{namespace}{plural}/{}", text(&object["metadata"]["name"]))
}

/// The objects as [`run`] wants them, in the namespace `name`.
pub(crate) fn in_namespace(objects: &[Value], name: &str) -> Vec<Value> {
    let mut all = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})];
    for object in objects.iter().filter(|object| object["kind"] != "Namespace") {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(name);
        all.push(object);
    }
    all
}
