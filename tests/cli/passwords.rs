//! What is secret in an address reaches nobody's screen or log, however it was typed or configured.

use super::*;

/// Addresses that hold `hunter2`, well formed and not.
const ADDRESSES: [&str; 14] = [
    "https://bob:hunter2@127.0.0.1:1/x.tgz",
    "https://hunter2@127.0.0.1:1/x.tgz",
    "https://127.0.0.1:1/x.tgz?X-Amz-Signature=hunter2",
    "https://bob:hunter2@127.0.0.1:1/x.tgz?a=hunter2",
    "http://bob:hunter2@127.0.0.1:1",
    "ftp://bob:hunter2@127.0.0.1:1",
    "socks5://bob:hunter2@127.0.0.1:1",
    "https://bob:/hunter2@127.0.0.1:1/x.tgz",
    "https://bob:?hunter2@127.0.0.1:1/x.tgz",
    "https://bob:hunter2@",
    "https://bob:hunter2",
    "https:/bob:hunter2@127.0.0.1:1",
    "https//bob:hunter2@127.0.0.1:1",
    "bob:hunter2@127.0.0.1:1",
];

#[track_caller]
fn silent(output: &Output) {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(output.code != 0 && !said.contains("hunter2"), "{output}");
}

fn home(server: &str, proxy: &str) -> Home {
    let home = Home::new();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    home.write(
        "config",
        &format!(
            "{{apiVersion: v1, kind: Config, current-context: dev,\n\
             clusters: [{{name: dev, cluster: {{server: {}, proxy-url: {}}}}}],\n\
             users: [{{name: dev, user: {{}}}}], contexts: [{{name: dev, context: {{cluster: dev, user: dev}}}}]}}\n",
            quoted(server),
            quoted(proxy)
        ),
    );
    home
}

#[test]
fn of_a_bundle() {
    let home = Home::new();
    let digest = "#sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for address in ADDRESSES {
        for verb in ["template", "bundle show", "bundle lint", "list", "install --bogus"] {
            silent(&home.run(&format!("{verb} {address}")));
            silent(&home.run(&format!("{verb} {address}{digest}")));
        }
    }
}

#[test]
fn of_a_server() {
    for address in ADDRESSES {
        silent(&home(address, "").run("list --kubeconfig=config --request-timeout=2s"));
        silent(&Home::new().run(&format!("list --server {address} --request-timeout=2s")));
    }
}

#[test]
fn of_a_proxy() {
    let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for address in ADDRESSES {
        silent(&home("https://10.255.255.1", address).run("list --kubeconfig=config --request-timeout=2s"));
        let home = home("https://10.255.255.1", "");
        for name in ["HTTPS_PROXY", "https_proxy"] {
            let line = ["list", "--kubeconfig=config", "--request-timeout=2s"];
            let output = support::plugin::obs(home.path(), line).env(name, address).run();
            silent(&output);
            assert!(output.stderr.contains(name), "the variable is not named: {output}");
        }
        for name in ["HTTPS_PROXY", "ALL_PROXY"] {
            let line = ["template".to_owned(), format!("https://10.255.255.1/x.tgz#{digest}")];
            let output = support::plugin::obs(home.path(), line).env(name, address).run();
            silent(&output);
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let home = home("https://10.255.255.1", "");
    let run = |line: &[&str], value: &str| {
        let output = support::plugin::obs(home.path(), line).env("HTTPS_PROXY", value).run();
        transcript(&output, &[])
    };
    assert_snapshot!(run(&["list", "--kubeconfig=config"], "http://bob:hun/ter2@proxy:3128"), @r#"
    exit code: 5
    --- stdout
    --- stderr
    error: HTTPS_PROXY is not a usable proxy address: "http://proxy:3128"
      hint: for example http://proxy.example.com:3128, https:// or socks5://
    "#);
    let url =
        "https://10.255.255.1/x.tgz#sha256:0000000000000000000000000000000000000000000000000000000000000000";
    assert_snapshot!(run(&["template", url], "socks5://bob:hunter2@proxy:1080"), @r#"
    exit code: 1
    --- stdout
    --- stderr
    error: https://10.255.255.1/x.tgz: cannot be downloaded: HTTPS_PROXY is "socks5://proxy:1080", and only proxies of http and https can be used here
      hint: set HTTPS_PROXY to one of them, or download it by other means and give the file
    "#);
}
