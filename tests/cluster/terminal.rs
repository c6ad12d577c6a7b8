//! What a person sees while something is awaited, on real terminals of several kinds.

use libtest_mimic::Trial;
use rustix::process::Signal;

use crate::support::env::Env;
use crate::support::pty::{self, OnTerminal};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("terminal::a_wait_is_drawn_in_place_resized_and_interrupted", drawn),
        trial::api("terminal::ctrl_z_gives_the_terminal_back", lent),
        trial::api("terminal::ctrl_z_in_a_container", lent_in_a_container),
        trial::api("terminal::a_second_ctrl_c_leaves_the_terminal_in_order", left),
        trial::api("terminal::a_password_is_typed_twice_and_unseen", password),
        trial::api("terminal::where_nothing_can_be_redrawn_lines_are_plain", plain),
    ]
}

/// A bundle with a Deployment that never becomes ready: no node can run its pods.
fn stuck(env: &Env, replicas: usize) -> String {
    let template = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${{ name }}}
spec:
  replicas: REPLICAS
  selector: {matchLabels: ${{ selector }}}
  template:
    metadata: {labels: ${{ selector }}}
    spec:
      nodeSelector: {example.com/nowhere: "true"}
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;
    let template = template.replace("REPLICAS", &replicas.to_string());
    env.bundle("stuck", "1.0.0", "", &[("templates/all.yaml", &template)])
}

/// `kubectl obs ARGS` on a terminal.
pub(super) fn on_terminal(env: &Env, args: &[&str], columns: u16, rows: u16) -> OnTerminal {
    pty::start(&env.obs(args.iter().copied()).env("TERM", "xterm-256color"), columns, rows)
}

/// The lines about the component that is awaited.
fn rows(screen: &[String]) -> Vec<&String> {
    screen.iter().filter(|line| line.starts_with("  stuck ")).collect()
}

fn drawn(env: &Env) {
    let bundle = stuck(env, 2);
    let mut run = on_terminal(env, &["install", &bundle, "--timeout=2m"], 80, 24);
    run.shows("the component is awaited", |screen| {
        rows(screen).iter().any(|row| row.contains("starting   0/2") && row.ends_with("2s"))
    });
    let screen = run.screen();
    assert_eq!(rows(&screen).len(), 1, "{screen:#?}");
    assert!(screen.iter().any(|line| line.starts_with("✔ applied ")), "{screen:#?}");
    for (columns, height) in [(40, 10), (120, 30), (80, 24)] {
        run.resize(columns, height);
        let now = run.screen().iter().find_map(|line| line.ends_with('s').then(|| line.clone()));
        run.shows("it is drawn anew", |screen| {
            let rows = rows(screen);
            rows.len() == 1
                && rows[0].chars().count() == usize::from(columns.min(80))
                && Some(rows[0]) != now.as_ref()
        });
    }
    run.other("somebody else\r\n");
    run.shows("it is drawn below", |screen| {
        let row = screen.iter().position(|line| line.starts_with("  stuck "));
        let other = screen.iter().position(|line| line == "somebody else");
        other.is_some_and(|other| row == Some(other + 2))
    });
    run.signal(Signal::INT);
    run.ends(130);
    let text = run.text();
    assert_eq!(rows(&text).len(), 1, "the last state stays, once: {text:#?}");
    assert!(text.iter().any(|line| line == "✘ interrupted"), "{text:#?}");
    assert!(run.cursor().is_some_and(|(column, _)| column == 0), "the cursor is back: {:?}", run.cursor());

    let mut run = on_terminal(env, &["rollout", "status", "--timeout=4s"], 80, 24);
    run.shows("it counts", |screen| rows(screen).iter().any(|row| row.ends_with(" 2s")));
    run.ends(7);
    assert_eq!(rows(&run.text()).len(), 1, "{:#?}", run.text());
}

fn lent(env: &Env) {
    env.obs(["install", &stuck(env, 1), "--wait=none"]).run().ok();
    lends(on_terminal(env, &["rollout", "status", "--timeout=2m"], 80, 24));
}

/// Its session was begun outside of its PID namespace, so that it sees it as session 0.
fn lent_in_a_container(env: &Env) {
    env.obs(["install", &stuck(env, 1), "--wait=none"]).run().ok();
    let obs = env.obs(["rollout", "status", "--timeout=2m"]).env("TERM", "xterm-256color");
    // the shell does not become what it runs
    let obs = obs.within("sh", ["-c", "\"$@\"; exit $?", "sh"]);
    let root = rustix::process::getuid().is_root();
    let user = (!root).then_some("--map-root-user");
    lends(pty::start(
        &obs.within("unshare", user.into_iter().chain(["--pid", "--fork", "--kill-child"])),
        80,
        24,
    ));
}

fn lends(mut run: OnTerminal) {
    run.shows("it waits", |screen| rows(screen).iter().any(|row| row.ends_with(" 1s")));
    run.aim_at_innermost();
    run.signal(Signal::TSTP);
    run.shows("it is left as it was", |screen| rows(screen).len() == 1);
    // the shell writes where the cursor is: below
    while run.cursor().is_none_or(|(_, row)| row < run.screen().len()) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run.other("[1]+  Stopped\r\n$ fg\r\n");
    run.signal(Signal::CONT);
    run.shows("it goes on below", |screen| {
        let shell = screen.iter().position(|line| line == "$ fg").unwrap_or(usize::MAX);
        screen.iter().enumerate().any(|(i, line)| i > shell && line.starts_with("  stuck "))
    });
    run.signal(Signal::INT);
    run.ends(130);
}

fn left(env: &Env) {
    let bundle = stuck(env, 1);
    let mut run = on_terminal(env, &["install", &bundle, "--timeout=2m"], 80, 24);
    run.shows("it waits", |screen| !rows(screen).is_empty());
    run.signal(Signal::STOP);
    // both arrive before it can do anything about the first
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    run.signal(Signal::CONT);
    let status = run.end();
    assert!([130, 143].contains(&status), "{status}");
    let (column, row) = run.cursor().expect("the cursor is visible");
    assert!(column == 0 && row >= run.screen().len(), "the prompt stands below: {:#?}", run.screen());
}

fn password(env: &Env) {
    env.obs(["install", "grafana", "--wait=none"]).run().ok();
    let mut run = on_terminal(env, &["password", "set", "grafana"], 80, 24);
    let mut typed = |prompt: &str, times: usize, text: &str| {
        run.shows(prompt, |screen| screen.iter().filter(|line| line.contains(prompt)).count() == times);
        run.hides();
        run.types(text);
    };
    typed("new password of grafana", 1, "hunter-one\r");
    typed("the same again", 1, "hunter-two\r");
    typed("new password of grafana", 2, "hunter-three\r");
    typed("the same again", 2, "hunter-three\r");
    // here nothing runs that could take it
    run.ends(1);
    let text = run.text().join("\n");
    // said and, once they are, taken off the screen
    assert!(run.raw().contains("the two are not the same") && !text.contains("not the same"), "{text}");
    assert!(text.contains("error: grafana has no ready pod"), "{text}");
    assert!(!run.raw().contains("hunter"), "{:?}", run.raw());
    assert!(run.cursor().is_some_and(|(column, _)| column == 0), "the cursor is back: {:?}", run.cursor());
    let secret = env.get("secret obs-grafana-admin").expect("it was made");
    let keys = secret["data"].as_object().map(|data| data.keys().cloned().collect::<Vec<_>>());
    assert_eq!(keys, Some(vec!["password".to_owned()]), "nothing was written");

    // another Secret changes no password: said before it looks as if it did
    env.kubectl(["create", "secret", "generic", "own", "--from-literal=admin=another"]).run().ok();
    let moved = ["upgrade", "-y", "--wait=none", "--set", "admin.secret.name=own,admin.secret.key=admin"];
    let upgraded = env.obs(moved).run().ok();
    for part in ["keeps its password in its database", "/own, key admin,", "kubectl obs password set grafana"]
    {
        assert!(upgraded.stderr.contains(part), "{part}: {upgraded}");
    }
    let again = env.obs(["upgrade", "-y", "--wait=none"]).run().ok();
    assert!(!again.stderr.contains("database"), "it was said: {again}");
}

fn plain(env: &Env) {
    env.obs(["install", &stuck(env, 1), "--wait=none"]).run().ok();
    let status = ["rollout", "status", "--timeout=3s"];
    for (name, value) in [("TERM", "dumb"), ("CI", "true")] {
        let command = env.obs(status).env("TERM", "xterm-256color").env(name, value).arg("--color=never");
        let mut run = pty::start(&command, 80, 24);
        run.ends(7);
        let raw = run.raw().replace("\r\n", "\n");
        assert!(!raw.contains(|c: char| c.is_control() && c != '\n'), "{name}={value}: {raw:?}");
        let text = run.text();
        assert!(rows(&text)[0].contains("starting   0/1"), "{name}={value}: {text:#?}");
    }
    let command = env.obs(status).env("TERM", "xterm-256color").args(["--progress=plain", "--color=never"]);
    let mut run = pty::start(&command, 80, 24);
    run.ends(7);
    let raw = run.raw().replace("\r\n", "\n");
    assert!(raw.contains("stuck is starting, 0 of 1 ready after 3 seconds"), "{raw}");
    assert!(raw.is_ascii() && !raw.contains(|c: char| c.is_control() && c != '\n'), "{raw:?}");
    assert!(raw.contains("\nerror: stuck is not ready: "), "{raw}");
}
