//! What a person types, and reads.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::{SERVER, free_port, get, install};
use crate::cluster::components::deployment;
use crate::support::env::{Env, eventually};
use crate::support::plugin::complete;
use crate::support::process::{Command, Output};

/// A release of two components with a UI, one of them in a pod of two containers, and one without.
fn install_three(env: &Env, wait: &str) {
    let beside = "      containers:\n        - name: beside\n          image: docker.io/library/busybox:1.36\n          \
                  command: [sleep, '3600']\n          \
                  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n";
    let pair = SERVER.replace("      containers:\n", beside);
    let quiet = SERVER.replace("name: http,", "name: metrics,").replace("port: http", "port: metrics");
    for (name, template) in [("web", SERVER), ("pair", &pair), ("quiet", &quiet)] {
        env.bundle_in(
            &format!("charts/{name}"),
            name,
            "1.0.0",
            "",
            &[("templates/deployment.yaml", &deployment(template))],
        );
    }
    let components = "components:\n- {name: web, version: '1'}\n- {name: pair, version: '1'}\n- {name: quiet, version: '1'}";
    let bundle = env.bundle_in("charts/three", "three", "1.0.0", components, &[]);
    env.obs(["install", &bundle, wait, "--timeout=2m"]).run().ok();
}

pub(super) fn components_are_completed(env: &Env) {
    install_three(env, "--wait=none");
    let complete = |words: &str| {
        let cluster = env.cluster();
        let mut all: Vec<&str> = words.split(' ').collect();
        let (kubeconfig, last) = (cluster.kubeconfig.display().to_string(), all.pop().unwrap_or_default());
        all.extend(["--kubeconfig", &kubeconfig, "--context", &cluster.context, "-n", env.namespace(), last]);
        let output = complete(env.home(), all).run().ok();
        assert_eq!(output.stderr, "", "{output}");
        output.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("port-forward "), ["web", "pair", ":4"], "those with a UI");
    assert_eq!(complete("open p"), ["pair", ":4"]);
    assert_eq!(complete("port-forward web "), ["pair", ":4"], "those that were not named");
    assert_eq!(complete("logs "), ["web", "pair", "quiet", ":4"]);
    assert_eq!(complete("rollout status q"), ["quiet", ":4"]);
    assert_eq!(complete("logs --release other "), [":4"]);
}

pub(super) fn what_is_typed_is_answered(env: &Env) {
    install_three(env, "--wait=ready");
    let [web, pair] = [free_port(), free_port()];
    let ports = [format!("--port=web={web}"), format!("--port=pair={pair}")];

    // all UIs at once, also the one of a pod with several containers
    let running = env.obs(["port-forward", "--print-urls"]).args(&ports).start();
    eventually(Duration::from_secs(30), || match running.printed() {
        urls if urls.lines().count() == 2 => Ok(()),
        urls => Err(urls),
    });
    assert_eq!(running.printed(), format!("http://127.0.0.1:{web}\nhttp://127.0.0.1:{pair}\n"));
    assert!(get(web, "/").is_ok_and(|name| name.starts_with("obs-web-")));
    assert!(get(pair, "/").is_ok_and(|name| name.starts_with("obs-pair-")));
    running.interrupt();
    running.wait().ends(130);

    let running = env.obs(["port-forward", "web", "-o", "json"]).arg(&ports[0]).start();
    let document = eventually(Duration::from_secs(30), || {
        serde_json::from_str::<serde_json::Value>(&running.printed()).map_err(|error| error.to_string())
    });
    running.interrupt();
    running.wait().ends(130);
    assert_eq!(document["kind"], "PortForwards", "{document}");
    let forward = &document["forwards"][0];
    assert_eq!(forward["url"], format!("http://127.0.0.1:{web}"), "{document}");
    assert_eq!((&forward["component"], &forward["podPort"]), (&"web".into(), &8181.into()), "{document}");
    assert!(forward["pod"].as_str().is_some_and(|pod| pod.starts_with("obs-web-")), "{document}");

    browsers(env, &ports);
    addresses(env, web);

    // the usual port is taken here, or by a test beside this one: the URL says which it is
    let _other = TcpListener::bind("127.0.0.1:8181");
    let output = with_command(env, &["sh", "-c", "echo url=$WEB_URL pair=$PAIR_URL; exit 7"]).run().ends(7);
    assert!(output.stdout.starts_with("url=http://127.0.0.1:"), "{output}");
    assert!(output.stdout.ends_with(" pair=\n"), "only what was named: {output}");
    assert!(!output.stdout.contains(":8181 "), "{output}");
    // Ctrl-C is the command's, too, and its end counts
    let running =
        with_command(env, &["sh", "-c", "trap 'exit 9' INT; echo runs; while true; do sleep 0.1; done"]);
    let running = running.start();
    eventually(Duration::from_secs(30), || match running.printed().contains("runs") {
        true => Ok(()),
        false => Err("it does not run".into()),
    });
    running.interrupt();
    running.wait().ends(9);
    with_command(env, &["no-such-command"]).run().ends(2).says("there is no command no-such-command");
    bad_input(env, &ports[0], web);
}

/// `open` and `--open` start the person's browser.
fn browsers(env: &Env, ports: &[String; 2]) {
    let opened = env.home().join("opened");
    let script = env.write("browser", &format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display()));
    let made = std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    made.expect("make it a program");
    let url = |port: &String| format!("http://127.0.0.1:{}\n", port.rsplit('=').next().expect("a port"));
    for (args, urls) in [
        (&["open", "web"][..], url(&ports[0])),
        (&["port-forward", "--open"], url(&ports[0]) + &url(&ports[1])),
    ] {
        let command = env.obs(args).arg(&ports[0]).env("BROWSER", &script);
        let running = if args[0] == "open" { command } else { command.arg(&ports[1]) }.start();
        eventually(Duration::from_secs(30), || {
            let mut lines: Vec<String> = std::fs::read_to_string(&opened)
                .unwrap_or_default()
                .lines()
                .map(|line| format!("{line}\n"))
                .collect();
            let mut wanted: Vec<String> = urls.lines().map(|line| format!("{line}\n")).collect();
            lines.sort();
            wanted.sort();
            if lines == wanted { Ok(()) } else { Err(format!("{lines:?}: {}", running.said())) }
        });
        running.interrupt();
        running.wait().ends(130);
        std::fs::remove_file(&opened).expect("it was written");
    }
    let mut running = env.obs(["open", "web"]).arg(&ports[0]).env("BROWSER", "/no/browser").start();
    running.says("/no/browser cannot open http://127.0.0.1:");
    running.says("obs-web-");
    running.interrupt();
    running.wait().ends(130);
}

/// Others than loopback are used, and warned of.
fn addresses(env: &Env, port: u16) {
    let flag = format!("--port=web={port}");
    if TcpListener::bind("[::1]:0").is_ok() {
        let mut running = env.obs(["port-forward", "web", "--address=::1", &flag]).start();
        running.says(&format!("web  http://[::1]:{port}  obs-web-"));
        TcpStream::connect(("::1", port)).expect("it listens there");
        TcpStream::connect(("127.0.0.1", port)).expect_err("and only there");
        running.interrupt();
        let output = running.wait().ends(130);
        assert!(!output.stderr.contains("whoever"), "{output}");
    }
    let mut running = env.obs(["port-forward", "web", "--address=0.0.0.0", &flag]).start();
    running.says("listening on 0.0.0.0: whoever reaches this machine reaches the UIs");
    running.says(&format!("web  http://127.0.0.1:{port}  obs-web-"));
    running.interrupt();
    running.wait().ends(130);
    let output = env.obs(["port-forward", "web", "--address=192.0.2.1"]).run().ends(1);
    assert!(output.stderr.contains("this machine does not have the address 192.0.2.1"), "{output}");
}

fn bad_input(env: &Env, port: &str, number: u16) {
    env.obs(["port-forward", "wep"]).run().ends(2).says("has no component wep").says("did you mean web?");
    let none = env.obs(["port-forward", "quiet"]).run().ends(2).says("component quiet has no UI");
    assert!(none.stderr.contains("hint: these have one: web, pair"), "{none}");
    let taken = TcpListener::bind(("127.0.0.1", number)).expect("the port is free again");
    let output = env.obs(["port-forward", "web", port]).run().ends(1);
    assert!(output.stderr.contains(&format!("port {number} of 127.0.0.1 for web is taken")), "{output}");
    drop(taken);
}

/// `port-forward web -- COMMAND`; what comes after `--` is the command's, so flags stand before.
fn with_command(env: &Env, command: &[&str]) -> Command {
    let cluster = env.cluster();
    let kubeconfig = cluster.kubeconfig.display().to_string();
    let flags = ["--kubeconfig", &kubeconfig, "--context", &cluster.context, "-n", env.namespace()];
    let words = flags.iter().chain(&["port-forward", "web", "--"]).chain(command);
    crate::support::plugin::obs(env.home(), words).env("PATH", "/usr/bin:/bin")
}

pub(super) fn what_is_missing_is_explained(env: &Env) {
    install(env);
    let output = env.obs(["port-forward", "--as=nobody"]).run().ends(1);
    assert!(output.stderr.contains("you may not"), "{output}");
    for (user, verbs) in [("reader", "get,list,watch"), ("both", "get,list,watch,create")] {
        let resources = if user == "reader" { "secrets,pods" } else { "secrets,pods,pods/portforward" };
        let rights = [format!("--verb={verbs}"), format!("--resource={resources}")];
        env.kubectl(["create", "role", user]).args(rights).run().ok();
        env.kubectl(["create", "rolebinding", user, "--role", user, "--user", user]).run().ok();
    }
    env.obs(["port-forward", "--as=reader"])
        .run()
        .ends(1)
        .says("you may not get pods/portforward")
        .says("kind: Role")
        .says("resources: [pods/portforward]");
    // and with the Role that was asked for it works
    let output = forward_true(env, "both");
    assert_eq!(output.code, 0, "{output}");

    let not_ready = r#"{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"docker.io/library/busybox:none","imagePullPolicy":"Never"}]}}}}"#;
    env.kubectl([
        "patch",
        "deployment",
        "obs-web",
        "--patch",
        r#"{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}"#,
    ])
    .run()
    .ok();
    env.kubectl(["patch", "deployment", "obs-web", "--patch", not_ready]).run().ok();
    eventually(Duration::from_secs(60), || {
        let output = forward_true(env, "both");
        let said =
            output.stderr.contains("web has no ready pod: pod obs-web-") && output.stderr.contains("image");
        if output.code == 1 && said { Ok(()) } else { Err(output.to_string()) }
    });
    env.kubectl(["scale", "deployment", "obs-web", "--replicas=0"]).run().ok();
    eventually(Duration::from_secs(30), || match env.list("pods").len() {
        0 => Ok(()),
        pods => Err(format!("{pods} pods")),
    });
    let none = env.obs(["port-forward", "web"]).run().ends(1);
    assert!(none.stderr.contains("web has no ready pod: Deployment obs-web is scaled to 0"), "{none}");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
    env.obs(["port-forward"]).run().ends(1).says("there is no release obs in namespace");
}

fn forward_true(env: &Env, user: &str) -> Output {
    let cluster = env.cluster();
    let kubeconfig = cluster.kubeconfig.display().to_string();
    let flags =
        ["--kubeconfig", &kubeconfig, "--context", &cluster.context, "-n", env.namespace(), "--as", user];
    let words = flags.iter().chain(&["port-forward", "web", "--", "true"]);
    crate::support::plugin::obs(env.home(), words).env("PATH", "/usr/bin:/bin").run()
}
