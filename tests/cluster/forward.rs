//! Forwarded ports. Here: what the trials share, which is a web server whose page is the name of its
//! pod, and a client that makes one request on one connection. `typing`: what a person types and
//! reads; `pods`: pods come and go; `weather`: the line to the API server fails.

mod pods;
mod typing;
mod weather;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use libtest_mimic::Trial;

use super::components::deployment;
use crate::support::env::{Env, eventually};
use crate::support::process::Running;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::node("forward::it_follows_the_pods", pods::it_follows_the_pods),
        trial::node("forward::answers_come_whole", pods::answers_come_whole),
        trial::node("forward::what_is_typed_is_answered", typing::what_is_typed_is_answered),
        trial::api("forward::components_are_completed", typing::components_are_completed),
        trial::node("forward::what_is_missing_is_explained", typing::what_is_missing_is_explained),
        trial::node("forward::the_api_server_may_restart", weather::the_api_server_may_restart),
        trial::node("forward::the_machine_may_sleep", weather::the_machine_may_sleep),
        trial::node("forward::a_dead_line_is_noticed", weather::a_dead_line_is_noticed),
    ]
}

/// The container of a component with a web server on port 8181. `/` is the pod's name, `/big` 300,000 bytes, and
/// `/cgi-bin/slow` takes three seconds, `/cgi-bin/begun` begins its answer and goes on after a minute,
/// `/cgi-bin/sum` is the MD5 of what is sent.
const SERVER: &str = r#"      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command:
            - sh
            - -c
            - |
              mkdir -p /tmp/w/cgi-bin && cd /tmp/w && head -c 300000 /dev/zero > big && echo $HOSTNAME > index.html
              printf '#!/bin/sh\nsleep 3\nprintf "Content-Type: text/plain\\r\\n\\r\\nslow"\n' > cgi-bin/slow
              printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\nbegun"\nexec sleep 100\n' > cgi-bin/begun
              printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"; head -c $CONTENT_LENGTH | md5sum\n' > cgi-bin/sum
              chmod +x cgi-bin/*
              trap 'exit 0' TERM
              httpd -f -p 8181 & wait
          ports: [{name: http, containerPort: 8181}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {memory: 32Mi}}
"#;

/// Installs a bundle of the component `web`.
fn install(env: &Env) {
    let bundle = env.bundle("web", "1.0.0", "", &[("templates/deployment.yaml", &deployment(SERVER))]);
    env.obs(["install", &bundle, "--wait=ready", "--timeout=2m"]).run().ok();
}

/// Forwards `web` to a free port, with these flags.
fn start(env: &Env, flags: &[String]) -> (u16, Running) {
    let port = free_port();
    let mut running = env.obs(["port-forward", "--port", &format!("web={port}")]).args(flags).start();
    running.says(&format!("web  http://127.0.0.1:{port}  {}", pod(env)));
    (port, running)
}

/// One request on a connection of its own; the client says at once that this was all.
fn get(port: u16, path: &str) -> Result<String, String> {
    answer(ask(port, path, true).map_err(|error| error.to_string())?)
}

/// The body of an answer, as soon as it is there: a node says a second later that the pod has closed
/// the connection.
fn answer(mut stream: TcpStream) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        let read = stream.read(&mut chunk).map_err(text)?;
        answer.extend_from_slice(&chunk[..read]);
        let so_far = String::from_utf8_lossy(&answer);
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            if read == 0 {
                return Err(format!("no answer: {so_far:?}"));
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        if read > 0 && length.is_none_or(|length: usize| body.len() < length) {
            continue;
        }
        return match head.contains(" 200 ") && length.is_none_or(|length| body.len() == length) {
            true => Ok(body.trim_end().to_owned()),
            false => Err(so_far.chars().take(200).collect()),
        };
    }
}

/// Sends a request.
fn ask(port: u16, path: &str, that_is_all: bool) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(45)))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    if that_is_all {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(stream)
}

/// A connection on which half an answer has come.
fn half_answered(port: u16) -> TcpStream {
    let mut stream = ask(port, "/cgi-bin/begun", false).expect("a connection");
    let mut answer = Vec::new();
    while !answer.ends_with(b"begun") {
        let mut chunk = [0; 500];
        let read = stream.read(&mut chunk).expect("an answer");
        assert!(read > 0, "no answer: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
    }
    stream
}

/// The client of half an answer must not take it for a whole one.
#[track_caller]
fn is_reset(stream: &mut TcpStream) {
    let end = stream.read(&mut [0; 100]);
    assert!(end.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "{end:?}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port()
}

/// The name of the pod, once there is one only and it stays.
fn pod(env: &Env) -> String {
    eventually(Duration::from_secs(60), || match env.list("pods").as_slice() {
        [one] if one["metadata"]["deletionTimestamp"].is_null() => {
            Ok(one["metadata"]["name"].as_str().expect("a name").to_owned())
        }
        pods => Err(format!("{} pods", pods.len())),
    })
}
