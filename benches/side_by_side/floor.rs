//! The bare client: the requests that a piece of work needs, eight at a time, and nothing else. No
//! checks, no records, no lock; what is left is the API server's time. It also prepares what the
//! comparisons find on the server.

use std::path::Path;

use futures::stream::{StreamExt, TryStreamExt};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Requests at a time, as many as ours.
const PARALLEL: usize = 8;

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    method: String,
    path: String,
    /// For a PATCH: which kind of patch the body is. For a GET: what to accept.
    media: String,
    body: Value,
}

impl Request {
    /// Server-side apply.
    pub(crate) fn apply(object: &Value) -> Self {
        let path = format!("{}?fieldManager=floor&fieldValidation=Strict", path(object));
        Self::new("PATCH", path, "application/apply-patch+yaml", object.clone())
    }

    /// A merge patch of an object's status.
    pub(crate) fn status(object: &Value, status: &Value) -> Self {
        let path = format!("{}/status", path(object));
        Self::new("PATCH", path, "application/merge-patch+json", json!({ "status": status }))
    }

    pub(crate) fn create(collection: &str, object: Value) -> Self {
        Self::new("POST", collection.to_owned(), "application/json", object)
    }

    pub(crate) fn delete(object: &Value) -> Self {
        Self::new("DELETE", path(object), "application/json", Value::Null)
    }

    pub(crate) fn get(path: String) -> Self {
        Self::new("GET", path, "application/json", Value::Null)
    }

    pub(crate) fn list_metadata(path: String) -> Self {
        let media = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        Self::new("GET", path, media, Value::Null)
    }

    fn new(method: &str, path: String, media: &str, body: Value) -> Self {
        Self { method: method.to_owned(), path, media: media.to_owned(), body }
    }
}

/// A connection to the API server.
pub(crate) struct Client(kube::Client);

impl Client {
    pub(crate) async fn new(kubeconfig: &str, context: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("read the kubeconfig");
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a usable kubeconfig");
        Self(kube::Client::try_from(config).expect("a client"))
    }

    /// Sends one request; gives the answer's body.
    pub(crate) async fn send(&self, request: &Request) -> kube::Result<String> {
        let header = if request.method == "GET" { "accept" } else { "content-type" };
        let body = match &request.body {
            Value::Null => Vec::new(),
            body => serde_json::to_vec(body).expect("a body is JSON"),
        };
        let request = http::Request::builder()
            .method(request.method.as_str())
            .uri(&request.path)
            .header(header, &request.media)
            .body(body)
            .expect("a request");
        self.0.request_text(request).await
    }

    /// Sends requests, some at a time.
    pub(crate) async fn send_all(&self, requests: impl IntoIterator<Item = Request>) {
        futures::stream::iter(requests)
            .map(|request| async move { self.send(&request).await.map(drop) })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<()>>()
            .await
            .expect("the requests of the bare client");
    }
}

/// Sends the requests of a JSON file: an array of arrays, one after the other.
#[tokio::main]
pub(crate) async fn run(kubeconfig: &str, context: &str, file: &str) {
    let waves: Vec<Vec<Request>> =
        serde_json::from_slice(&std::fs::read(file).expect("read the requests")).expect("requests are JSON");
    let client = Client::new(kubeconfig, context).await;
    for wave in waves {
        client.send_all(wave).await;
    }
}

/// Writes a file for [`run`].
pub(crate) fn write(file: &Path, waves: &[Vec<Request>]) {
    let json = serde_json::to_vec(waves).expect("requests are JSON");
    std::fs::write(file, json).expect("write the requests");
}

/// Where an object lives. Only the kinds of [`crate::load`].
pub(crate) fn path(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().expect("a name");
    format!("{}/{name}", collection(object, object["metadata"]["namespace"].as_str()))
}

/// Where the objects of this one's kind live.
pub(crate) fn collection(object: &Value, namespace: Option<&str>) -> String {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let api_version = text(&object["apiVersion"]);
    let plural = text(&object["kind"]).to_lowercase() + "s";
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let namespace = namespace.map(|name| format!("namespaces/{name}/")).unwrap_or_default();
    format!("/{root}/{api_version}/{namespace}{plural}")
}

/// A Namespace.
pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// The objects moved to the namespace `name`; the Namespace itself is not among them.
pub(crate) fn in_namespace(objects: &[Value], name: &str) -> Vec<Value> {
    let namespaced = objects.iter().filter(|object| object["kind"] != "Namespace");
    namespaced
        .map(|object| {
            let mut object = object.clone();
            object["metadata"]["namespace"] = json!(name);
            object
        })
        .collect()
}
