//! Forwarded ports beside kubectl's, on a cluster with a node: how long a large file takes, whether
//! many requests at once all arrive, and what memory that needs. Both programs run all the time and
//! lead to the same pod; the client is this program.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::contest::{Contest, progress, rest, text};
use crate::report::Report;

/// Bytes of the large file.
const LARGE: usize = 200 << 20;
/// Requests at once.
const PARALLEL: usize = 200;
/// Bytes of the small file.
const SMALL: usize = 10_000;

const SERVER: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: "${{ name }}"}
spec:
  selector: {matchLabels: "${{ selector }}"}
  template:
    metadata: {labels: "${{ selector }}"}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "mkdir /tmp/w && cd /tmp/w && dd if=/dev/zero of=large bs=1M count=200 && head -c 10000 large > small && exec httpd -f -p 8181"]
          ports: [{name: http, containerPort: 8181}]
          readinessProbe: {httpGet: {path: /small, port: http}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

/// Adds the rows.
pub(crate) fn run(contest: &Contest, pairs: u32, report: &mut Report) {
    let namespace = format!("--namespace={}", contest.namespace("forward"));
    let bundle = contest.path("files");
    fs::create_dir_all(bundle.join("templates")).expect("make the bundle's folder");
    let meta =
        "apiVersion: kubectl-obs.dev/v1\nkind: Bundle\nname: files\nversion: 1.0.0\ndescription: A file\n";
    let server = SERVER.replace("\"${{", "${{").replace("}}\"", "}}");
    for (path, content) in
        [("bundle.yaml", meta), ("values.yaml", "{}\n"), ("templates/server.yaml", &server)]
    {
        fs::write(bundle.join(path), content).expect("write the bundle");
    }
    let install = ["install", &text(&bundle), "--wait=ready", "--timeout=3m", "--yes", &namespace];
    crate::contest::output(&contest.ours_there(&install));

    let free = TcpListener::bind("127.0.0.1:0").and_then(|any| any.local_addr()).expect("a free port").port();
    let port = format!("--port=files={free}");
    let own = Forward::start(&contest.ours_there(&["port-forward", "--print-urls", &port, &namespace]));
    let target = ["port-forward", "deployment/obs-files", ":8181", &namespace];
    let other = Forward::start(&contest.kubectl_there(&target));

    let both = [&own, &other];
    for forward in both {
        forward.get("/small", SMALL).expect("the small file");
    }
    let (mut times, mut together, mut errors) = <([Vec<f64>; 2], [Vec<f64>; 2], [Vec<f64>; 2])>::default();
    for pair in 1..=pairs {
        progress("port-forward", pair, pairs);
        for (i, forward) in both.iter().enumerate() {
            let started = Instant::now();
            forward.get("/large", LARGE).expect("the large file");
            times[i].push(milliseconds(started.elapsed()));
            rest();
        }
        for (i, forward) in both.iter().enumerate() {
            let started = Instant::now();
            let failed = all_at_once(forward.port);
            together[i].push(milliseconds(started.elapsed()));
            errors[i].push(f64::from(failed));
            rest();
        }
    }
    report.add("port-forward-200mb", "ms", times);
    report.add("port-forward-200-parallel-time", "ms", together);
    // one is too many: all of them count
    report.add("port-forward-200-parallel", "err", errors.map(|errors| vec![errors.iter().sum()]));
    report.add("port-forward-memory", "MiB", both.map(|forward| vec![forward.memory()]));
}

/// A program that forwards a port.
struct Forward {
    child: Child,
    port: u16,
}

impl Forward {
    /// Starts it; its first line ends in its URL, or says `127.0.0.1:PORT -> …`.
    fn start(command: &[String]) -> Self {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .env_clear()
            .envs([("HOME", "/nonexistent"), ("PATH", "/usr/bin:/bin")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", command[0]));
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let line = lines.next().and_then(Result::ok).unwrap_or_else(|| panic!("$ {}", command.join(" ")));
        // kubectl writes a line for each connection
        thread::spawn(move || lines.for_each(drop));
        let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next());
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port: {line}"));
        Self { child, port }
    }

    fn get(&self, path: &str, length: usize) -> std::io::Result<()> {
        get(self.port, path, length)
    }

    /// The largest resident set so far in MiB.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes / 1024.0
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One request on a connection of its own; an error unless the whole body comes.
fn get(port: u16, path: &str, length: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let (mut buffer, mut head, mut body) = (vec![0; 64 << 10], Vec::new(), None);
    while body.is_none_or(|body| body < length) {
        let read = match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => &buffer[..read],
        };
        body = match body {
            Some(body) => Some(body + read.len()),
            None => {
                head.extend_from_slice(read);
                let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                end.map(|end| head.len() - end - 4)
            }
        };
    }
    let whole = head.starts_with(b"HTTP/1.1 200 ") && body == Some(length);
    if whole { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Many requests at the same moment; how many failed?
fn all_at_once(port: u16) -> u32 {
    let start = Arc::new(Barrier::new(PARALLEL));
    let clients: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                get(port, "/small", SMALL)
            })
        })
        .collect();
    let failed = clients.into_iter().map(|client| client.join().expect("a client"));
    failed
        .filter_map(Result::err)
        .inspect(|error| eprintln!("a request failed: {error}"))
        .fold(0, |n, _| n + 1)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
