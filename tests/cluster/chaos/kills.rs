//! The plugin is killed after each of its requests: the server has done it, the answer never came.
//! The next command must find its way, whichever request it was.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use kubectl_obs::release::{Record, Status};
use libtest_mimic::Trial;
use serde_json::json;

use super::report::{Tally, scenario};
use super::state::{consistent, nothing_left, password, records};
use super::{installed, real_patch, told, whole, with_bundle};
use crate::support::env::Env;
use crate::support::plugin::fixture;
use crate::support::process::Command;
use crate::support::proxy::{Asked, Fault, Proxy};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::kill_install", install),
        trial::api("chaos::kill_upgrade", upgrade),
        trial::api("chaos::kill_at_the_very_end_of_upgrade", very_end),
        trial::api("chaos::kill_rollback", rollback),
        trial::api("chaos::kill_uninstall", uninstall),
        trial::api("chaos::kill_what_no_apply_makes", at_once),
    ]
}

/// Every request, or every tenth.
pub(super) fn each_request(tally: &mut Tally, mut killed_at: impl FnMut(usize) -> bool) {
    for i in (1..).step_by(if whole() { 1 } else { 10 }) {
        let mut killed = true;
        tally.run(format_args!("killed at request {i}"), || killed = killed_at(i));
        if !killed || tally.gives_up() {
            return;
        }
    }
}

/// After this kill, is the same command the next one? Changes from index to index, in the sample
/// too.
fn the_same_again(i: usize) -> bool {
    (i + i / 10).is_multiple_of(2)
}

/// Starts a command whose request `i` gets no answer, and kills it then. False: it came to its end
/// before, and that was a good one.
#[track_caller]
fn kill(proxy: &Proxy, command: Command, i: usize) -> bool {
    kill_when(proxy, command, move |asked| asked.number == i)
}

/// The same for the first request that fits.
#[track_caller]
fn kill_when(proxy: &Proxy, command: Command, fits: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> bool {
    let (tell, done) = channel();
    proxy.begin(move |asked| {
        let tell = tell.clone();
        if fits(asked) {
            Fault::Withhold(Box::new(move || {
                let _ = tell.send(());
            }))
        } else {
            Fault::Pass
        }
    });
    let mut running = command.start();
    loop {
        match done.recv_timeout(Duration::from_millis(5)) {
            Ok(()) => {
                running.kill();
                drop(running);
                proxy.quiet();
                return true;
            }
            Err(RecvTimeoutError::Timeout) if running.runs() => {}
            Err(_) => {
                running.wait().ok();
                return false;
            }
        }
    }
}

/// The next command of a person who wants the release to be there.
#[track_caller]
fn install_or_upgrade(env: &Env) {
    let install = env.obs(with_bundle("install", &["--wait=none"])).run();
    if install.stderr.contains("is already deployed") {
        // a refusal changes nothing
        env.obs(with_bundle("upgrade", &["--wait=none", "-y"])).run().ok();
    } else {
        install.ok();
    }
}

fn install(env: &Env) {
    let proxy = Proxy::start(env);
    let args = with_bundle("install", &["--wait=none"]);
    scenario("kill at each request of install", |tally| {
        each_request(tally, |i| {
            let own = Env::new(env.cluster(), &format!("kill-{i}"));
            // deleting a namespace takes seconds: most of the time it belongs to somebody else
            if !i.is_multiple_of(3) {
                own.make_namespace();
            }
            told(&proxy, || {
                if !kill(&proxy, proxy.obs(&own, &args), i) {
                    consistent(&own, None);
                    return false;
                }
                let before = password(&own);
                if the_same_again(i) {
                    install_or_upgrade(&own);
                    consistent(&own, before.as_deref());
                } else {
                    let next = own.obs(["uninstall", "--delete-data", "-y"]).run();
                    let done = next.code == 0 || next.stderr.contains("there is no release");
                    assert!(done, "{next}");
                    nothing_left(&own, None);
                }
                true
            })
        });
    });
}

/// Changes that are written by a patch and then become ours: what an install leaves comes of them, wherever
/// they are cut off, and no name of a single write stays.
fn at_once(env: &Env) {
    let pod = |container: serde_json::Value| {
        let labels = json!({"app.kubernetes.io/name": "objects"});
        json!({"objects": {"web": {"apiVersion": "apps/v1", "kind": "Deployment", "body": {"spec": {
            "replicas": 0, "selector": {"matchLabels": labels.clone()},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}}}})
    };
    let container = |capabilities: serde_json::Value| {
        json!({"name": "main", "image": "registry.example.com/main:1",
            "securityContext": {"capabilities": capabilities}})
    };
    let before = env.write("before.json", &pod(container(json!({"drop": ["ALL"]}))).to_string());
    let after = env.write("after.json", &pod(container(json!({}))).to_string());
    let bundle = fixture("bundles/objects");
    let install = |file: &std::path::Path| {
        let file = file.display().to_string();
        env.obs(["install", &bundle, "--wait=none", "-f", &file]).run().ok();
    };
    let seen = || {
        let live = env.get("deployment obs-objects-web").expect("it is there");
        let entries = live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let mut owners: Vec<String> = entries
            .iter()
            .map(|entry| {
                format!("{} {} {}", entry["manager"], entry["operation"], entry["fieldsV1"]["f:spec"])
            })
            .collect();
        owners.sort();
        (live["spec"]["template"].clone(), owners)
    };
    install(&after);
    let fresh = seen();
    env.obs(["uninstall", "--delete-data", "-y"]).run().ok();

    let proxy = Proxy::start(env);
    let again = after.display().to_string();
    let args = ["upgrade", "-y", "--wait=none", "--reset-values", "-f", &again].map(str::to_owned);
    scenario("kill at each write of a change that is no apply", |tally| {
        for number in 1.. {
            let mut killed = true;
            tally.run(format_args!("killed at write {number} of the object"), || {
                install(&before);
                let written = std::sync::atomic::AtomicUsize::new(0);
                let its = move |asked: &Asked| {
                    let write = asked.writes() && asked.path.ends_with("/deployments/obs-objects-web");
                    write && written.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == number
                };
                told(&proxy, || {
                    killed = kill_when(&proxy, proxy.obs(env, &args), its);
                    env.obs(&args).run().ok();
                    assert_eq!(seen(), fresh);
                    let last = env.obs(&args).arg("-o").arg("json").run().ok().json();
                    assert_eq!(last["status"], "unchanged", "{last}");
                });
                env.obs(["uninstall", "--delete-data", "-y"]).run().ok();
            });
            if !killed || tally.gives_up() {
                assert!(number > 2 || tally.gives_up(), "it is two writes");
                return;
            }
        }
    });
}

fn uninstall(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("kill at each request of uninstall", |tally| {
        each_request(tally, |i| {
            if password(env).is_none() || records(env).is_empty() {
                installed(env, &[]);
            }
            let before = password(env);
            told(&proxy, || {
                let killed = kill(&proxy, proxy.obs(env, ["uninstall", "-y"]), i);
                if killed && !the_same_again(i) {
                    install_or_upgrade(env);
                    consistent(env, before.as_deref());
                } else {
                    if killed {
                        env.obs(["uninstall", "-y"]).run().ok();
                    }
                    nothing_left(env, before.as_deref());
                }
                killed
            })
        });
    });
}

/// Goes to and fro between two sets of objects: each upgrade changes one object, makes eight and
/// prunes eight.
fn upgrade(env: &Env) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("kill at each request of upgrade", |tally| {
        installed(env, &["--set", "set=a,text=a"]);
        let before = password(env);
        each_request(tally, |i| {
            let to = if set(env) == "a" { "set=b,text=b" } else { "set=a,text=a" };
            let args = with_bundle("upgrade", &["--wait=none", "-y", "--set", to]);
            told(&proxy, || {
                let killed = kill(&proxy, proxy.obs(env, &args), i);
                if killed {
                    let next = if the_same_again(i) { args } else { back_to(env, set(env)) };
                    env.obs(next).run().ok();
                }
                consistent(env, before.as_deref());
                killed
            })
        });
    });
}

/// The new revision is deployed, and the older one was not told yet: the same upgrade finds nothing
/// to do but that.
fn very_end(env: &Env) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("kill at the very end of upgrade", |tally| {
        installed(env, &[]);
        let before = password(env);
        tally.run("between the new revision and the old one", || {
            let args = with_bundle("upgrade", &["--wait=none", "-y", "--set", "text=two"]);
            told(&proxy, || {
                let killed =
                    kill_when(&proxy, proxy.obs(env, &args), |asked| real_patch(asked, "/obs.obs.v2"));
                assert!(killed, "it marks its revision");
                env.obs(&args).run().ok().says("unchanged");
                consistent(env, before.as_deref());
            });
        });
    });
}

fn rollback(env: &Env) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("kill at each request of rollback", |tally| {
        installed(env, &["--set", "set=a,text=a"]);
        env.obs(with_bundle("upgrade", &["--wait=none", "-y", "--set", "set=b,text=b"])).run().ok();
        let before = password(env);
        each_request(tally, |i| {
            let args = back_to(env, if set(env) == "a" { "b" } else { "a" });
            told(&proxy, || {
                let killed = kill(&proxy, proxy.obs(env, &args), i);
                if killed {
                    let again = ["--wait=none", "-y", "--set", "set=b,text=b"];
                    let next = if the_same_again(i) { args } else { with_bundle("upgrade", &again) };
                    env.obs(next).run().ok();
                }
                consistent(env, before.as_deref());
                killed
            })
        });
    });
}

/// The set of the deployed revision.
fn set(env: &Env) -> &'static str {
    let deployed = |(status, _): &&(Status, Record)| *status == Status::Deployed;
    let records = records(env);
    let (_, record) = records.iter().rev().find(deployed).expect("a deployed revision");
    if record.values["set"] == "a" { "a" } else { "b" }
}

/// `rollback` to the latest revision with this set that was deployed.
fn back_to(env: &Env, set: &str) -> Vec<String> {
    let wanted = |(status, record): &&(Status, Record)| {
        matches!(status, Status::Deployed | Status::Superseded) && record.values["set"] == set
    };
    let records = records(env);
    let (_, record) = records.iter().rev().find(wanted).expect("a revision with that set");
    ["rollback", &record.revision.to_string(), "--wait=none", "-y"].map(str::to_owned).to_vec()
}
