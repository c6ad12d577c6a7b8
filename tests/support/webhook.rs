//! An admission webhook. It listens on 127.0.0.1, where the API server of a cluster on this machine
//! finds it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use k8s_openapi::ByteString;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// How the webhook is reached.
pub(crate) struct Webhook {
    /// `https://127.0.0.1:PORT/`
    pub url: String,
    /// For `caBundle`: its certificate, in base64.
    pub authority: String,
}

impl Webhook {
    /// As YAML: what `clientConfig` of a configuration says.
    pub(crate) fn client_config(&self) -> String {
        format!("{{url: '{}', caBundle: {}}}", self.url, self.authority)
    }
}

/// What it says of an object: the response of an AdmissionReview without its uid.
type Answer = Arc<dyn Fn(&Value) -> Value + Send + Sync>;

/// Starts one that refuses whatever it is asked; it ends with the process.
pub(crate) fn refuses(reason: &'static str) -> Webhook {
    start(Arc::new(move |_| json!({"allowed": false, "status": {"message": reason}})))
}

/// Starts one that takes every object, changed by a JSON patch; it ends with the process.
pub(crate) fn patches(patch: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Webhook {
    start(Arc::new(move |object| {
        let patch = serde_json::to_value(ByteString(patch(object).to_string().into_bytes())).expect("base64");
        json!({"allowed": true, "patchType": "JSONPatch", "patch": patch})
    }))
}

fn start(answer: Answer) -> Webhook {
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).expect("names");
    let own = own.self_signed(&key).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![own.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
            // an API server that goes away is no fault of the webhook
            thread::spawn(move || drop(serve(stream, config, &answer)));
        }
    });
    let authority = serde_json::to_value(ByteString(own.pem().into_bytes())).expect("JSON");
    Webhook { url: format!("https://{address}/"), authority: authority.as_str().expect("base64").to_owned() }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: &Answer) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte.map(|byte| byte.to_ascii_lowercase()));
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let review: Value = serde_json::from_slice(&body)?;
    let mut response = answer(&review["request"]["object"]);
    response["uid"] = review["request"]["uid"].clone();
    let answer =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
            .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
