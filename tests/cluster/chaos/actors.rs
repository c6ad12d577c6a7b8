//! Somebody else works on our objects while an operation runs. What was there is not overwritten,
//! what is lost comes back once, and what cannot be settled is named.

use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::Trial;

use super::report::scenario;
use super::state::{consistent, nothing_left, password};
use super::{installed, real_patch, told, with_bundle};
use crate::support::env::Env;
use crate::support::process::Command;
use crate::support::proxy::{Fault, Proxy};
use crate::support::trial;

/// The object that they are after.
const PREY: &str = "/configmaps/obs-chaos-3";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::others_delete_our_objects", they_delete),
        trial::api("chaos::others_create_our_objects", they_create),
        trial::api("chaos::others_change_our_objects", they_change),
        trial::api("chaos::others_replace_what_we_uninstall", they_replace),
    ]
}

/// `kubectl delete configmap obs-chaos-3`
fn delete(env: &Env) -> Command {
    env.kubectl(["delete", "configmap", "obs-chaos-3", "--wait=false"])
}

/// `kubectl create configmap obs-chaos-3`, with other content.
fn create(env: &Env) -> Command {
    env.kubectl(["create", "configmap", "obs-chaos-3", "--from-literal=theirs=yes"])
}

/// Calls `act` when the moment has come for the first time.
pub(super) fn once(act: impl Fn() + Send + Sync) -> impl Fn() + Send + Sync {
    let done = AtomicBool::new(false);
    move || {
        if !done.swap(true, Ordering::SeqCst) {
            act();
        }
    }
}

fn they_delete(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others delete our objects", |tally| {
        tally.run("one is lost and comes back", || {
            let own = Env::new(env.cluster(), "lost-once");
            own.make_namespace();
            told(&proxy, || {
                let act = delete(&own);
                let act = std::sync::Arc::new(once(move || drop(act.clone().run().ok())));
                proxy.begin(move |asked| {
                    let act = std::sync::Arc::clone(&act);
                    if real_patch(asked, PREY) { Fault::Then(Box::new(move || act())) } else { Fault::Pass }
                });
                proxy.obs(&own, with_bundle("install", &["--wait=none"])).run().ok();
                consistent(&own, None);
            });
        });
        tally.run("one is lost again and again", || {
            let own = Env::new(env.cluster(), "lost-always");
            own.make_namespace();
            told(&proxy, || {
                let act = delete(&own);
                proxy.begin(move |asked| {
                    let act = act.clone();
                    if real_patch(asked, PREY) {
                        Fault::Then(Box::new(move || drop(act.run().ok())))
                    } else {
                        Fault::Pass
                    }
                });
                let output = proxy.obs(&own, with_bundle("install", &["--wait=none"])).run().ends(1);
                output.says("obs-chaos-3").says("deleted by somebody else");
            });
            // it was told, and the next command mends it
            installed(&own, &[]);
            consistent(&own, None);
        });
    });
}

fn they_create(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others create our objects", |tally| {
        tally.run("after the check, before the apply", || {
            env.make_namespace();
            told(&proxy, || {
                let act = create(env);
                let act = once(move || drop(act.clone().run().ok()));
                proxy.begin(move |asked| {
                    if real_patch(asked, PREY) {
                        act();
                    }
                    Fault::Pass
                });
                let output = proxy.obs(env, with_bundle("install", &["--wait=none"])).run().ends(1);
                output.says("obs-chaos-3 exists already and does not belong to this release");
                let theirs = env.get("configmap obs-chaos-3").expect("it is still there");
                assert_eq!(theirs["data"]["theirs"], "yes", "what they wrote stays: {theirs}");
            });
        });
    });
}

/// An upgrade changes a field that somebody took over since the check, and an object that somebody
/// deleted since.
fn they_change(env: &Env) {
    const TEXT: &str = "/configmaps/obs-chaos-text";
    let upgrade = |text| with_bundle("upgrade", &["--wait=none", "-y", "--set", text]);
    let proxy = Proxy::start(env);
    let before_the_patch = |act: Command| {
        let act = once(move || drop(act.clone().run().ok()));
        proxy.begin(move |asked| {
            if real_patch(asked, TEXT) {
                act();
            }
            Fault::Pass
        });
    };
    scenario("others change our objects", |tally| {
        env.make_namespace();
        installed(env, &[]);
        let before = password(env);
        tally.run("a field is taken over", || {
            told(&proxy, || {
                let args = ["apply", "--server-side", "--force-conflicts", "--field-manager=bob", "-f-"];
                let theirs =
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: obs-chaos-text}\ndata: {text: bob}\n";
                before_the_patch(env.kubectl(args).stdin(theirs));
                let output = proxy.obs(env, upgrade("text=two")).run().ends(1);
                output.says("obs-chaos-text").says("bob").says("data.text");
                let live = env.get("configmap obs-chaos-text").expect("it is still there");
                assert_eq!(live["data"]["text"], "bob", "what they wrote stays: {live}");
            });
            env.kubectl(["delete", "configmap", "obs-chaos-text"]).run().ok();
            env.obs(upgrade("text=three")).run().ok();
            consistent(env, before.as_deref());
        });
        tally.run("the object is deleted", || {
            told(&proxy, || {
                before_the_patch(env.kubectl(["delete", "configmap", "obs-chaos-text"]));
                let output = proxy.obs(env, upgrade("text=four")).run().ends(1);
                output.says("obs-chaos-text was deleted or replaced by someone else meanwhile");
            });
            // it was told, and the same command mends it
            env.obs(upgrade("text=four")).run().ok();
            consistent(env, before.as_deref());
        });
    });
}

/// Their object has the name of ours, which they deleted: uninstall leaves it alone.
fn they_replace(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("others replace what we uninstall", |tally| {
        tally.run("between the look and the deletion", || {
            installed(env, &[]);
            let before = password(env);
            told(&proxy, || {
                let (gone, new) = (delete(env), create(env));
                let act = once(move || {
                    gone.clone().run().ok();
                    new.clone().run().ok();
                });
                proxy.begin(move |asked| {
                    if asked.method == "DELETE" && asked.path.ends_with(PREY) {
                        act();
                    }
                    Fault::Pass
                });
                proxy.obs(env, ["uninstall", "-y"]).run().ok();
                let theirs = env.get("configmap obs-chaos-3").expect("it is still there");
                assert_eq!(theirs["data"]["theirs"], "yes");
                nothing_left(env, before.as_deref());
            });
        });
    });
}
