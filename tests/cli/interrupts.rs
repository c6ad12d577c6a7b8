//! Ctrl-C and SIGTERM where no cluster is needed.

use std::net::TcpListener;
use std::time::Duration;

use super::*;

/// A server that takes connections and never says a word.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    (listener, address)
}

fn interrupted(line: &str) -> Output {
    let (listener, address) = silent();
    let home = Home::new();
    let line = format!("{line} --server http://{address}");
    let running = support::plugin::obs(home.path(), line.split_whitespace()).start();
    // it waits for its first answer as soon as it has connected
    let (connection, _) = listener.accept().expect("it connects");
    std::thread::sleep(Duration::from_millis(100));
    running.interrupt();
    let output = running.wait();
    drop(connection);
    output
}

#[test]
fn ctrl_c_ends_at_once_what_only_reads() {
    for line in ["list", "status", "history", "get all", "version"] {
        let output = interrupted(line);
        assert_eq!((output.code, output.stderr.as_str()), (130, "error: interrupted\n"), "{output}");
        assert!(output.took < Duration::from_secs(10), "{output}");
    }
}

#[test]
fn ctrl_c_ends_at_once_what_has_not_begun_to_change_anything() {
    for line in ["install --dry-run=client", "install", "uninstall -y"] {
        let output = interrupted(line);
        assert_eq!(output.code, 130, "{output}");
        assert!(output.took < Duration::from_secs(10), "{output}");
    }
}

/// From a server that takes the connection and says nothing.
#[test]
fn a_download_ends_with_ctrl_c() {
    let (server, address) = silent();
    let url = format!("https://{address}/x.tgz#sha256:{}", "0".repeat(64));
    let home = Home::new();
    for (signal, code) in [(Running::interrupt as fn(&Running), 130), (Running::terminate, 143)] {
        let running = support::plugin::obs(home.path(), ["bundle", "show", &url]).start();
        // it asks: the signal is listened for
        let asked = server.accept().expect("a connection");
        signal(&running);
        let output = running.wait().ends(code);
        assert_eq!(output.stderr, "error: interrupted\n", "{output}");
        assert!(output.took < Duration::from_secs(5), "{output}");
        drop(asked);
    }
}
