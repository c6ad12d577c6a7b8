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

/// From a pipe that says nothing, as a terminal does until somebody types.
#[test]
fn waiting_for_values_ends_with_ctrl_c() {
    let home = Home::new();
    let bundle = support::plugin::fixture("bundles/branches");
    let fifo = home.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    for (signal, code) in [(Running::interrupt as fn(&Running), 130), (Running::terminate, 143)] {
        let file = fifo.display().to_string();
        let running = support::plugin::obs(home.path(), ["template", &bundle, "-f", &file]).start();
        std::thread::sleep(Duration::from_secs(1));
        signal(&running);
        let output = running.wait().ends(code);
        assert_eq!(output.stderr, "error: interrupted\n", "{output}");
        assert!(output.took < Duration::from_secs(20), "{output}");
    }
}

/// The schema's branches multiply, without a limit of memory to end it.
#[test]
fn a_check_of_values_in_a_child_ends_with_ctrl_c() {
    let home = Home::new();
    let bundle = support::plugin::fixture("bundles/branches");
    for (signal, code) in [(Running::interrupt as fn(&Running), 130), (Running::terminate, 143)] {
        let running = support::plugin::obs(home.path(), ["template", &bundle])
            .env("KUBECTL_OBS_RENDER_TIMEOUT", "100")
            .start();
        std::thread::sleep(Duration::from_secs(2));
        signal(&running);
        let output = running.wait().ends(code);
        assert_eq!(output.stderr, "error: interrupted\n", "{output}");
        assert!(output.took < Duration::from_secs(20), "{output}");
    }
}

/// A kubeconfig whose credential plugin never answers.
fn with_a_plugin_that_hangs(home: &Home) {
    home.write(
        "config",
        "
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: alice}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: alice, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['100'], interactiveMode: IfAvailable}}}]
",
    );
}

#[test]
fn a_credential_plugin_that_hangs_is_named_and_can_be_left() {
    let home = Home::new();
    with_a_plugin_that_hangs(&home);
    let waiting = "! waiting for the credential plugin \"sleep\"\n";
    for verb in ["status", "install", "uninstall -y", "logs", "diff"] {
        let words = format!("{verb} --kubeconfig=config");
        let mut running = support::plugin::obs(home.path(), words.split_whitespace()).start();
        running.says(waiting.trim());
        running.interrupt();
        let output = running.wait().ends(130);
        assert_eq!(output.stderr, format!("{waiting}error: interrupted\n"), "{output}");
        assert!(output.took < Duration::from_secs(8), "{output}");
    }
}

#[test]
fn a_credential_plugin_that_hangs_ends_with_the_request_timeout() {
    let home = Home::new();
    with_a_plugin_that_hangs(&home);
    let output = home.run("status --kubeconfig=config --request-timeout=1s").ends(5);
    assert!(output.took < Duration::from_secs(3), "{output}");
    assert_snapshot!(transcript(&output, &[]), @r#"
    exit code: 5
    --- stdout
    --- stderr
    error: the credential plugin "sleep" of user "alice" wrote nothing within [time]
      hint: does it wait for a login? kubectl get --raw /version runs it, too
      hint: --request-timeout gives it longer
    "#);
}
