//! Others reach for what the plugin itself relies on, at every moment of an upgrade: its lock, from
//! where the holder cannot be seen; its records; its namespace; objects that are on their way out; and
//! two releases whose names make the same cluster-wide name.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use super::actors::once;
use super::kills::each_request;
use super::report::scenario;
use super::state::{consistent, nothing_left};
use super::{installed, real_patch, told, whole, with_bundle};
use crate::cluster::records::{payload, put, unzip, zip};
use crate::support::env::{Env, eventually};
use crate::support::process::Command;
use crate::support::proxy::{Fault, Proxy};
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::a_holder_that_cannot_be_seen_keeps_the_lock", hidden),
        trial::api("chaos::others_delete_an_object_that_a_finalizer_holds", held),
        trial::api("chaos::others_delete_the_namespace", without_namespace),
        trial::api("chaos::others_delete_the_newest_record", without_record),
        trial::api("chaos::others_forge_the_newest_record", forged),
        trial::api("chaos::two_releases_want_one_name", one_name),
    ]
}

/// An upgrade during which `act` is done once: at its request `i`. False when it has fewer.
fn disturbed(proxy: &Proxy, env: &Env, i: usize, act: impl Fn() + Send + Sync + 'static) -> bool {
    let act = Arc::new(once(act));
    proxy.begin(move |asked| {
        if asked.number == i {
            act();
        }
        Fault::Pass
    });
    let text = format!("text=n{i}");
    proxy.obs(env, with_bundle("upgrade", &["--wait=none", "-y", "--set", &text])).run();
    proxy.count() >= i
}

/// From another PID namespace the holder's process is not to be found. It lives all the same.
fn hidden(env: &Env) {
    env.make_namespace();
    installed(env, &[]);
    let proxy = Proxy::start(env);
    scenario("the lock's holder cannot be seen", |tally| {
        tally.run("upgrade", || {
            told(&proxy, || {
                let (reached, moment) = channel();
                let (go, gone_on) = channel::<()>();
                let gone_on = Mutex::new(gone_on);
                proxy.begin(move |asked| {
                    if real_patch(asked, "/configmaps/obs-chaos-text") {
                        let _ = reached.send(());
                        drop(gone_on.lock().map(|gone_on| gone_on.recv()));
                    }
                    Fault::Pass
                });
                let upgrade = |text| with_bundle("upgrade", &["--wait=none", "-y", "--set", text]);
                let first = proxy.obs(env, upgrade("text=first")).start();
                moment.recv_timeout(Duration::from_secs(60)).expect("it applies");
                let user = (!rustix::process::getuid().is_root()).then_some("--map-root-user");
                let apart = ["--pid", "--fork", "--kill-child", "--mount-proc"];
                let second = env.obs(upgrade("text=second")).arg("--lock-timeout=0s");
                let second = second.within("unshare", user.into_iter().chain(apart)).run();
                assert_ne!(second.code, 0, "the lock was stolen\n{second}");
                drop(go);
                first.wait().ok();
                let text = env.get("configmap obs-chaos-text").expect("it is there");
                assert_eq!(text["data"]["text"], "first");
                consistent(env, None);
            });
        });
    });
}

fn held(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others delete what a finalizer holds", |tally| {
        env.make_namespace();
        installed(env, &[]);
        each_request(tally, |i| {
            let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}}).to_string();
            let patch = |patch: &str| {
                env.kubectl(["patch", "configmap", "obs-chaos-text", "--type=merge", "--patch", patch])
            };
            patch(&hold).run().ok();
            let delete = env.kubectl(["delete", "configmap", "obs-chaos-text", "--wait=false"]);
            let free = patch(&json!({"metadata": {"finalizers": null}}).to_string());
            let more = disturbed(&proxy, env, i, {
                let free = free.clone();
                move || {
                    delete.clone().run().ok();
                    let free = free.clone();
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(300));
                        free.run();
                    });
                }
            });
            free.run();
            // whatever it was told, the same command mends it
            let text = format!("text=n{i}");
            env.obs(with_bundle("upgrade", &["--wait=none", "-y", "--set", &text])).run().ok();
            consistent(env, None);
            more
        });
    });
}

fn without_namespace(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others delete the namespace", |tally| {
        each_request(tally, |i| {
            let own = Env::new(env.cluster(), &format!("no-namespace-{i}"));
            own.make_namespace();
            installed(&own, &[]);
            let delete = own.kubectl(["delete", "namespace", own.namespace(), "--wait=false"]);
            if !disturbed(&proxy, &own, i, move || drop(delete.clone().run().ok())) {
                return false;
            }
            eventually(Duration::from_secs(60), || {
                match own.get(&format!("namespace {}", own.namespace())) {
                    None => Ok(()),
                    Some(_) => Err("the namespace is still there".to_owned()),
                }
            });
            let gone = own.obs(["uninstall", "-y"]).run();
            assert!(gone.code == 0 || gone.stderr.contains("there is no release obs"), "{gone}");
            nothing_left(&own, None);
            true
        });
    });
}

/// The name of the newest record's Secret.
fn newest(kubectl: &Command) -> Option<String> {
    let list = kubectl.clone().args(["get", "secrets", "--output=name"]).run();
    let number = |name: &str| name.strip_prefix("secret/obs.obs.v").and_then(|rest| rest.parse::<u32>().ok());
    let newest = list.stdout.lines().filter_map(number).max();
    newest.map(|number| format!("obs.obs.v{number}"))
}

fn without_record(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others delete the newest record", |tally| {
        env.make_namespace();
        installed(env, &[]);
        each_request(tally, |i| {
            let kubectl = env.kubectl([""; 0]);
            let more = disturbed(&proxy, env, i, move || {
                if let Some(newest) = newest(&kubectl) {
                    kubectl.clone().args(["delete", "secret", &newest]).run();
                }
            });
            mended(env, &format!("text=m{i}"));
            more
        });
    });
}

/// Somebody without the right to it wants to be a cluster administrator: the record that the next
/// upgrade reads says that the bundle is theirs.
fn forged(env: &Env) {
    let grant = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {0}}}\nroleRef: {{apiGroup: \
         rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}\nsubjects: [{{kind: ServiceAccount, name: \
         default, namespace: {0}}}]\n",
        env.namespace()
    );
    let evil = env.bundle("chaos", "1.0.0", "", &[("templates/grant.yaml", &grant)]);
    let proxy = Proxy::start(env);
    scenario("others forge the newest record", |tally| {
        env.make_namespace();
        installed(env, &[]);
        each_request(tally, |i| {
            let (kubectl, evil) = (env.kubectl([""; 0]), evil.clone());
            let more = disturbed(&proxy, env, i, move || forge(&kubectl, &evil));
            env.obs(["upgrade", "--wait=none"]).run();
            let granted = env.get(&format!("clusterrolebinding {}", env.namespace()));
            assert!(granted.is_none(), "what a forged record says was granted");
            mended(env, &format!("text=m{i}"));
            more
        });
    });
}

fn forge(kubectl: &Command, source: &str) {
    let Some(newest) = newest(kubectl) else { return };
    let found = kubectl.clone().args(["get", "secret", &newest, "--output=json"]).run();
    if found.code != 0 {
        return;
    }
    let mut secret = found.json();
    let mut record = unzip(&payload(&secret));
    record["bundle"]["source"] = json!(source);
    put(&mut secret, &zip(&record));
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        secret["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    kubectl.clone().args(["delete", "secret", &newest]).run();
    kubectl.clone().args(["create", "--filename=-"]).stdin(secret.to_string()).run();
}

/// A person who names everything anew has the release in order.
#[track_caller]
fn mended(env: &Env, text: &str) {
    let whole = ["--wait=none", "-y", "--reset-values", "--install", "--set", text];
    env.obs(with_bundle("upgrade", &whole)).run().ok();
    consistent(env, None);
}

/// `p-q`/`r` and `p`/`q-r`: one has the name, the other is told whose it is and leaves nothing.
fn one_name(env: &Env) {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: ${{ release.namespace ~ \
                \"-\" ~ release.name }}\nrules: []\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\n";
    let bundle = env.bundle("roles", "1.0.0", "", &[("templates/role.yaml", role)]);
    scenario("two releases want one name", |tally| {
        for round in 1..=if whole() { 5 } else { 1 } {
            tally.run(format_args!("round {round}"), || {
                let (left, right) = (format!("{}-q{round}", env.namespace()), env.namespace().to_owned());
                let places = [(left, "r".to_owned()), (right, format!("q{round}-r"))];
                let install = |(namespace, release): &(String, String)| {
                    env.obs_in(namespace, ["install", &bundle, "--wait=none", "--release", release]).start()
                };
                let running: Vec<_> = places.iter().map(install).collect();
                let ended: Vec<_> = running.into_iter().map(|running| running.wait()).collect();
                let made = ended.iter().filter(|output| output.code == 0).count();
                assert_eq!(made, 1, "one of them has the name\n{}\n{}", ended[0], ended[1]);
                for (output, (namespace, release)) in ended.iter().zip(&places) {
                    if output.code != 0 {
                        assert!(output.stderr.contains("belong"), "it is told whose it is\n{output}");
                        let map =
                            env.kubectl_in(namespace, ["get", "configmap", "map", "--ignore-not-found"]);
                        assert_eq!(map.run().stdout, "", "it left something behind\n{output}");
                    } else {
                        env.obs_in(namespace, ["uninstall", "-y", "--release", release]).run().ok();
                    }
                }
            });
        }
    });
}
