//! Who is told about alerts, played on this machine: web servers that answer like a webhook, Slack,
//! PagerDuty, Microsoft Teams, Opsgenie, Discord or Telegram, with their limits, and a mail server. They
//! remember what came. Pods reach this machine at their node's address.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use services::Answer;

// by their paths, since more than one test binary has this file
#[path = "planted.rs"]
pub mod planted;
#[path = "services.rs"]
mod services;

/// A message that came.
#[derive(Debug, Clone)]
pub struct Message {
    /// `/path` of a web server, `MAIL FROM` of a mail server.
    pub to: String,
    /// The request's headers; of mail, who logged in and how.
    pub head: String,
    /// What was sent.
    pub body: String,
    /// What it was answered.
    pub status: u16,
}

impl Message {
    /// Whether it was taken.
    pub fn taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

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

#[derive(Default)]
struct Shared {
    messages: Mutex<Vec<Message>>,
    /// What is answered whatever comes.
    always: Mutex<Option<Answer>>,
}

impl Receiver {
    /// One whose address has this host; what comes is served like this.
    fn start(host: &str, serve: impl Fn(TcpStream, &Shared) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let (ours, serve) = (Arc::clone(&shared), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (shared, serve) = (Arc::clone(&ours), Arc::clone(&serve));
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address: format!("{host}:{port}"), shared }
    }

    fn service(host: &str, service: fn(&Message, &Value) -> Result<Answer, Answer>) -> Self {
        Self::start(host, move |stream, shared| web(stream, shared, service))
    }

    /// A webhook.
    pub fn webhook(host: &str) -> Self {
        Self::service(host, services::webhook)
    }

    /// Slack's incoming webhooks.
    pub fn slack(host: &str) -> Self {
        Self::service(host, services::slack)
    }

    /// PagerDuty's Events API v2.
    pub fn pagerduty(host: &str) -> Self {
        Self::service(host, services::pagerduty)
    }

    /// A workflow of Microsoft Teams.
    pub fn teams(host: &str) -> Self {
        Self::service(host, services::teams)
    }

    /// Opsgenie's Alert API.
    pub fn opsgenie(host: &str) -> Self {
        Self::service(host, services::opsgenie)
    }

    /// Discord's webhooks.
    pub fn discord(host: &str) -> Self {
        Self::service(host, services::discord)
    }

    /// Telegram's API of bots.
    pub fn telegram(host: &str) -> Self {
        Self::service(host, services::telegram)
    }

    /// A mail server without encryption, which lets everybody log in.
    pub fn smtp(host: &str) -> Self {
        Self::start(host, smtp)
    }

    /// Host and port, as pods reach it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its URL with a path, as pods reach it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers from now on, whatever comes.
    pub fn answers(&self, status: u16, body: &str) {
        let answer = Some((status, body.to_owned()));
        *self.shared.always.lock().unwrap_or_else(PoisonError::into_inner) = answer;
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
    fn keep(&self, message: Message) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// One request, and the connection ends.
fn web(stream: TcpStream, shared: &Shared, service: fn(&Message, &Value) -> Result<Answer, Answer>) {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let to = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    let mut head = String::new();
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
        head += &line;
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let mut message = Message { to, head, body, status: 0 };
    let always = shared.always.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, text) = always.unwrap_or_else(|| match serde_json::from_str(&message.body) {
        Ok(json) => service(&message, &json).unwrap_or_else(|refused| refused),
        Err(error) => (400, format!("no JSON: {error}")),
    });
    message.status = status;
    shared.keep(message);
    let length = text.len();
    // who does not listen to the answer has gone
    drop(write!(
        &stream,
        "HTTP/1.1 {status} Answer\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    ));
}

/// RFC 5321, as far as a client without wishes needs it, and the LOGIN mechanism of RFC 4954.
fn smtp(stream: TcpStream, shared: &Shared) {
    let say = |text: &str| write!(&stream, "{text}\r\n").is_ok();
    let mut lines = BufReader::new(&stream).lines();
    let (mut to, mut head) = (String::new(), String::new());
    say("220 test");
    while let Some(Ok(line)) = lines.next() {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let goes_on = match verb.as_str() {
            "EHLO" => say("250-test\r\n250 AUTH LOGIN"),
            "AUTH" => {
                // "Username:", "Password:"
                for question in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"] {
                    say(&format!("334 {question}"));
                    let Some(Ok(answer)) = lines.next() else { return };
                    let answer = kubectl_obs::object::unbase64(answer.trim()).expect("base64");
                    head += &format!("{}\n", String::from_utf8_lossy(&answer));
                }
                say("235 ok")
            }
            "MAIL" => {
                to = line;
                say("250 ok")
            }
            "DATA" => {
                say("354 go on");
                let body: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                let (to, head) = (to.clone(), head.clone());
                shared.keep(Message { to, head, body: body.join("\n"), status: 250 });
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
