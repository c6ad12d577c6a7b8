//! Pods come and go, and connections go to the ready one.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{answer, get, install, pod, start};
use crate::support::env::{Env, eventually};
use crate::support::process::Running;

/// So soon after a new pod is ready it is reached. A second is what is promised, and what takes a
/// fraction of one here; the rest is for a machine on which everything else runs at the same time.
const SOON: Duration = Duration::from_secs(3);

/// A client that asks all the time, one request after the other: when did each pod answer first, and
/// last?
struct Asking {
    stop: Arc<AtomicBool>,
    client: JoinHandle<BTreeMap<String, (Instant, Instant)>>,
}

impl Asking {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let client = thread::spawn(move || {
            let mut answered = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(name) = get(port, "/") {
                    let now = Instant::now();
                    answered.entry(name).or_insert((now, now)).1 = now;
                }
                thread::sleep(Duration::from_millis(10));
            }
            answered
        });
        Self { stop, client }
    }

    fn end(self) -> BTreeMap<String, (Instant, Instant)> {
        self.stop.store(true, Ordering::Relaxed);
        self.client.join().expect("a client")
    }
}

/// Waits until `kubectl get pods --watch` has a line in which the pods are ready and `wanted` holds:
/// the moment at which the API server said so. Gives the pod's name.
fn told_ready(watch: &Running, wanted: impl Fn(&str, &str) -> bool) -> (String, Instant) {
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let printed = watch.printed();
        let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
        for line in whole.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [name, "1/1", "Running", restarts, ..] = words.as_slice()
                && wanted(name, restarts)
            {
                return ((*name).to_owned(), Instant::now());
            }
        }
        assert!(Instant::now() < end, "no such pod\n{printed}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(super) fn it_follows_the_pods(env: &Env) {
    install(env);
    let (port, mut running) = start(env, &[]);
    // one watch for the whole trial, however long that takes
    let watch = env
        .kubectl(["get", "pods", "--watch", "--no-headers", "--request-timeout=0"])
        .deadline(Duration::from_secs(600))
        .start();
    let mut before = pod(env);
    let mut seen = vec![before.clone()];
    assert_eq!(get(port, "/"), Ok(before.clone()));

    // deleted, and then replaced beside it
    for change in [&["delete", "pod", "--wait=false"][..], &["rollout", "restart", "deployment/obs-web"]] {
        let mut change = change.to_vec();
        if change[0] == "delete" {
            change.push(&before);
        }
        let asking = Asking::start(port);
        env.kubectl(&change).run().ok();
        let (name, ready) = told_ready(&watch, |name, _| !seen.iter().any(|known| known == name));
        assert_eq!(pod(env), name);
        running.says(&format!("web  http://127.0.0.1:{port}  {name}"));
        eventually(Duration::from_secs(10), || {
            let answered = get(port, "/")?;
            if answered == name { Ok(()) } else { Err(answered) }
        });
        let answered = asking.end();
        // where the old pod goes on until the new one is there, the new one has its turn after it
        let free = answered.get(&before).map_or(ready, |(_, last)| ready.max(*last));
        let took = answered[&name].0.saturating_duration_since(free);
        assert!(took < SOON, "{change:?}: {took:?} after {name} was ready");
        seen.push(name.clone());
        before = name;
    }

    // the same pod, with a new container
    let asking = Asking::start(port);
    let killed = Instant::now();
    // ends with the container that it ends
    env.kubectl(["exec", &before, "--", "kill", "1"]).run();
    let (_, ready) = told_ready(&watch, |name, restarts| name == before && restarts != "0");
    assert_eq!(get(port, "/"), Ok(before.clone()));
    let after = ready.elapsed();
    assert!(after < SOON, "{after:?} after the container was ready");
    let answered = asking.end();
    assert!(answered[&before].1 > killed, "{answered:?}");

    running.interrupt();
    let output = running.wait().ends(130);
    assert!(!output.stderr.contains("error"), "{output}");
}

pub(super) fn answers_come_whole(env: &Env) {
    install(env);
    let (port, running) = start(env, &[]);
    let clients: Vec<_> = (0..50).map(|_| thread::spawn(move || get(port, "/big"))).collect();
    for client in clients {
        assert_eq!(client.join().expect("a client").map(|body| body.len()), Ok(300_000));
    }
    // the client has said all, and the pod takes its time: a node would end the connection after a
    // second if it knew
    assert_eq!(get(port, "/cgi-bin/slow").as_deref(), Ok("slow"));
    // what is sent comes whole, too: 20 MB of a pattern
    let sent: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    write!(stream, "POST /cgi-bin/sum HTTP/1.0\r\nContent-Length: {}\r\n\r\n", sent.len()).expect("a head");
    stream.write_all(&sent).expect("a body");
    assert_eq!(answer(stream).as_deref(), Ok("50c4f208b0b65a273f6c4fb143fd525a  -"));
    running.terminate();
    running.wait().ends(143);
}
