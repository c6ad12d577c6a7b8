//! Forwarded ports: requests arrive, also after the pod went; a command gets its URL; bad input is
//! answered.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::env::{Env, eventually};
use crate::support::process::Output;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial::node("forward::it_follows_the_pod", it_follows_the_pod)]
}

/// A bundle with one web server.
fn web(env: &Env) -> String {
    let bundle = env.write(
        "web/bundle.yaml",
        "{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: web, version: 1.0.0, description: a page}",
    );
    env.write("web/values.yaml", "{}\n");
    env.write(
        "web/templates/deployment.yaml",
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: ${{ name }}}
spec:
  selector: {matchLabels: ${{ selector }}}
  template:
    metadata: {labels: ${{ selector }}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "mkdir /tmp/w && cd /tmp/w && head -c 300000 /dev/zero > big && echo a page > index.html && exec httpd -f -p 8181"]
          ports: [{name: http, containerPort: 8181}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#,
    );
    bundle.parent().expect("a folder").display().to_string()
}

/// One request on a connection of its own; the client says at once that this was all.
fn get(port: u16, path: &str) -> Result<usize, String> {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(40)))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    let answer = ask().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(format!("no answer: {text:?}"))?;
    if head.contains(" 200 ") { Ok(body.len()) } else { Err(head.to_owned()) }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port()
}

fn it_follows_the_pod(env: &Env) {
    env.obs(["install", &web(env), "--wait=ready", "--timeout=2m"]).run().ok();
    let port = free_port();
    let choice = format!("web={port}");
    let mut running = env.obs(["port-forward", "--port", &choice]).start();
    running.says(&format!("web  http://127.0.0.1:{port}  obs-web-"));
    assert_eq!(get(port, "/"), Ok(7));

    let clients: Vec<_> = (0..50).map(|_| thread::spawn(move || get(port, "/big"))).collect();
    for client in clients {
        assert_eq!(client.join().expect("a client"), Ok(300_000));
    }

    let pod = |env: &Env| env.list("pods")[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let first = pod(env);
    env.kubectl(["delete", "pod", &first, "--wait=false"]).run().ok();
    eventually(Duration::from_secs(30), || match env.list("pods").as_slice() {
        [one] if one["metadata"]["name"] != first.as_str() => Ok(()),
        pods => Err(format!("{} pods", pods.len())),
    });
    // a connection waits for the pod
    assert_eq!(get(port, "/"), Ok(7), "after {first} went");
    running.says(&format!("web  http://127.0.0.1:{port}  {}", pod(env)));

    bad_input(env, &choice);

    // a stopped process is what a suspended laptop is: afterwards it goes on
    running.suspend();
    thread::sleep(Duration::from_secs(17));
    running.resume();
    eventually(Duration::from_secs(5), || get(port, "/"));
    running.interrupt();
    let output = running.wait().ends(130);
    assert!(!output.stderr.contains("error"), "{output}");

    a_command_gets_its_url(env);

    env.kubectl(["scale", "deployment", "obs-web", "--replicas=0"]).run().ok();
    eventually(Duration::from_secs(30), || match env.list("pods").len() {
        0 => Ok(()),
        pods => Err(format!("{pods} pods")),
    });
    env.obs(["port-forward", "web"])
        .run()
        .ends(1)
        .says("web has no ready pod: Deployment obs-web is scaled to 0");
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
}

fn bad_input(env: &Env, taken: &str) {
    env.obs(["port-forward", "wep"]).run().ends(2).says("has no component wep").says("did you mean web?");
    env.obs(["port-forward", "--port", taken]).run().ends(1).says("is taken by another process");
    let output = env.obs(["port-forward", "--as=nobody"]).run().ends(1);
    assert!(output.stderr.contains("you may not"), "{output}");
    env.apply(&format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: reader, namespace: {0}}}, \
         rules: [{{apiGroups: [''], resources: [secrets, pods], verbs: [get, list, watch]}}]}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: reader, namespace: {0}}}, \
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}, \
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}}]}}\n",
        env.namespace()
    ));
    env.obs(["port-forward", "--as=reader"])
        .run()
        .ends(1)
        .says("you may not get pods/portforward")
        .says("kind: Role")
        .says("- pods/portforward");
}

fn a_command_gets_its_url(env: &Env) {
    // the usual port is taken here, or by a test beside this one: the URL says which it is
    let _other = TcpListener::bind("127.0.0.1:8181");
    let script = "echo url=$WEB_URL; exit 7";
    let output = with_command(env, &["sh", "-c", script]).ends(7);
    assert!(output.stdout.starts_with("url=http://127.0.0.1:"), "{output}");
    assert!(!output.stdout.contains(":8181\n"), "{output}");
    with_command(env, &["no-such-command"]).ends(2).says("there is no command no-such-command");
}

/// `port-forward -- COMMAND`; what comes after `--` is the command's, so flags stand before.
fn with_command(env: &Env, command: &[&str]) -> Output {
    let cluster = env.cluster();
    let kubeconfig = cluster.kubeconfig.display().to_string();
    let flags = ["--kubeconfig", &kubeconfig, "--context", &cluster.context, "-n", env.namespace()];
    let words = flags.iter().chain(&["port-forward", "web", "--"]).chain(command);
    crate::support::plugin::obs(env.home(), words).env("PATH", "/usr/bin:/bin").run()
}
