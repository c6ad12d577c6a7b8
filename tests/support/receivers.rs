//! Who is told about alerts, played on this machine: web servers that answer like a webhook, Slack or
//! PagerDuty, and a mail server. They remember what came. Pods reach this machine at their node's
//! address.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use super::env::Env;

/// A message that came.
#[derive(Debug, Clone)]
pub struct Message {
    /// `/path` of a web server, `MAIL FROM` of a mail server.
    pub to: String,
    /// What was sent.
    pub body: String,
}

impl Message {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// One of them. It listens until the test process ends.
pub struct Receiver {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    messages: Mutex<Vec<Message>>,
    answer: Mutex<(u16, String)>,
}

impl Receiver {
    /// A web server that answers this.
    pub fn web(env: &Env, status: u16, body: &str) -> Self {
        Self::start(env, (status, body.to_owned()), web)
    }

    /// Slack's incoming webhooks.
    pub fn slack(env: &Env) -> Self {
        Self::web(env, 200, "ok")
    }

    /// PagerDuty's Events API v2.
    pub fn pagerduty(env: &Env) -> Self {
        Self::web(env, 202, r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#)
    }

    /// A mail server without encryption.
    pub fn smtp(env: &Env) -> Self {
        Self::start(env, (250, String::new()), smtp)
    }

    fn start(env: &Env, answer: (u16, String), serve: fn(TcpStream, &Shared)) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let nodes = env.list("nodes");
        let addresses = nodes[0]["status"]["addresses"].as_array().expect("addresses of the node");
        let address = addresses.iter().find(|address| address["type"] == "InternalIP").expect("one inside");
        let host = address["address"].as_str().expect("a text");
        let shared = Arc::new(Shared { messages: Mutex::default(), answer: Mutex::new(answer) });
        let ours = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let shared = Arc::clone(&ours);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address: format!("{host}:{port}"), shared }
    }

    /// Host and port, as pods reach it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its URL with a path, as pods reach it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16, body: &str) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_owned());
    }

    /// What has come, the oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those with this text in them.
    pub fn with(&self, text: &str) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.body.contains(text)).collect()
    }
}

impl Shared {
    fn keep(&self, to: String, body: String) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(Message { to, body });
    }
}

/// One request, and the connection ends.
fn web(stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    shared.keep(path, String::from_utf8_lossy(&body).into_owned());
    let (status, text) = shared.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let length = text.len();
    // who does not listen to the answer has gone
    drop(write!(
        &stream,
        "HTTP/1.1 {status} Answer\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    ));
}

/// RFC 5321, as far as a client without wishes needs it.
fn smtp(stream: TcpStream, shared: &Shared) {
    let say = |text: &str| write!(&stream, "{text}\r\n").is_ok();
    let mut lines = BufReader::new(&stream).lines();
    let mut from = String::new();
    say("220 test");
    while let Some(Ok(line)) = lines.next() {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let goes_on = match verb.as_str() {
            "MAIL" => {
                from = line;
                say("250 ok")
            }
            "DATA" => {
                say("354 go on");
                let body: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                shared.keep(from.clone(), body.join("\n"));
                say("250 ok")
            }
            "QUIT" => {
                say("221 bye");
                false
            }
            _ => say("250 ok"),
        };
        if !goes_on {
            return;
        }
    }
}
