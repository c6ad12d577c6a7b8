//! A line between the plugin and the API server that fails as lines do: it is cut, it is dead
//! without anybody noticing, it is down for a while. It passes bytes and reads none, so the plugin
//! speaks TLS with the API server itself ([`Relay::flags`]), also over websockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::env::Env;

/// The line. Dropping it cuts it.
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<Line>>,
    down: AtomicBool,
}

/// One connection.
struct Line {
    near: TcpStream,
    far: TcpStream,
    dead: Arc<AtomicBool>,
}

impl Line {
    fn cut(&self) {
        drop(self.near.shutdown(Shutdown::Both));
        drop(self.far.shutdown(Shutdown::Both));
    }
}

impl Relay {
    /// A line to the API server of `env`.
    pub fn start(env: &Env) -> Self {
        let config = env.kubectl(["config", "view", "--minify", "--output=json"]).run().ok().json();
        let server = config["clusters"][0]["cluster"]["server"].as_str().expect("a server");
        let server = server.strip_prefix("https://").expect("https").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming() {
                // what comes while the line is down finds nobody: it is closed at once
                if !all.down.load(Ordering::SeqCst)
                    && let (Ok(near), Ok(far)) = (near, TcpStream::connect(&server))
                {
                    all.open(near, far);
                }
            }
        });
        Self { port, shared }
    }

    /// What makes the plugin use the line.
    pub fn flags(&self) -> [String; 2] {
        [format!("--server=https://127.0.0.1:{}", self.port), "--insecure-skip-tls-verify".into()]
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.shared.lines().drain(..).for_each(|line| line.cut());
    }

    /// Ends all connections and takes no new ones until [`Relay::up`]: an API server that restarts.
    pub fn down(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Takes connections again.
    pub fn up(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    /// Nothing comes through the present connections any more, and nobody is told: a firewall forgot
    /// them, or the machine slept. New ones work.
    pub fn forget(&self) {
        self.shared.lines().iter().for_each(|line| line.dead.store(true, Ordering::SeqCst));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.down();
    }
}

impl Shared {
    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, near: TcpStream, far: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a socket");
        let dead = Arc::new(AtomicBool::new(false));
        for (from, to) in [(copy(&near), copy(&far)), (copy(&far), copy(&near))] {
            let dead = Arc::clone(&dead);
            thread::spawn(move || pass(from, to, &dead));
        }
        self.lines().push(Line { near, far, dead });
    }
}

/// One direction, to its end.
fn pass(mut from: TcpStream, mut to: TcpStream, dead: &AtomicBool) {
    let mut chunk = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        if !dead.load(Ordering::SeqCst) && to.write_all(&chunk[..n]).is_err() {
            break;
        }
    }
    if !dead.load(Ordering::SeqCst) {
        drop(to.shutdown(Shutdown::Both));
        drop(from.shutdown(Shutdown::Both));
    }
}
