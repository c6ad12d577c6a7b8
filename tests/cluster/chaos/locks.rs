//! Several operators at once, and one who sleeps longer than his lock lasts.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::Duration;

use libtest_mimic::Trial;

use super::report::scenario;
use super::state::{consistent, password, records};
use super::{installed, real_patch, told, whole, with_bundle};
use crate::support::env::Env;
use crate::support::proxy::{Asked, Fault, Proxy};
use crate::support::trial;

/// Operators at the same time.
const OPERATORS: usize = 8;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::eight_installs_at_once", eight_installs),
        trial::api("chaos::eight_upgrades_at_once", eight_upgrades),
        trial::api("chaos::a_suspended_operator_writes_nothing_more", suspended),
    ]
}

/// Of eight installs one makes the release, and the others are told.
fn eight_installs(env: &Env) {
    scenario("8 installs at once", |tally| {
        for round in 1..=if whole() { 5 } else { 1 } {
            tally.run(format_args!("round {round}"), || {
                let own = Env::new(env.cluster(), &format!("eight-{round}"));
                own.make_namespace();
                let args = with_bundle("install", &["--wait=none", "--lock-timeout=2m"]);
                let running: Vec<_> = (0..OPERATORS).map(|_| own.obs(&args).start()).collect();
                let mut made = 0;
                for running in running {
                    let output = running.wait();
                    let refused = output.code == 1 && output.stderr.contains("is already deployed");
                    assert!(output.code == 0 || refused, "{output}");
                    made += usize::from(output.code == 0);
                }
                assert_eq!(made, 1, "one install makes the release");
                assert_eq!(records(&own).len(), 1, "there is one revision");
                consistent(&own, None);
            });
        }
    });
}

/// Eight upgrades come one after the other: each makes a revision, and writes while no other does.
fn eight_upgrades(env: &Env) {
    scenario("8 upgrades at once", |tally| {
        for round in 1..=if whole() { 5 } else { 1 } {
            tally.run(format_args!("round {round}"), || {
                let own = Env::new(env.cluster(), &format!("eight-{round}"));
                own.make_namespace();
                installed(&own, &[]);
                let before = password(&own);
                let proxies: Vec<Proxy> = (0..OPERATORS).map(|_| Proxy::start(&own)).collect();
                let start = |(i, proxy): (usize, &Proxy)| {
                    let args = with_bundle("upgrade", &["--wait=none", "-y", "--lock-timeout=4m"]);
                    proxy.obs(&own, args).args(["--set".to_owned(), format!("text=n{i}")]).start()
                };
                let running: Vec<_> = proxies.iter().enumerate().map(start).collect();
                for running in running {
                    running.wait().ok();
                }
                serial(&proxies);
                let records = records(&own);
                let revisions: Vec<u32> = records.iter().map(|(_, record)| record.revision).collect();
                assert_eq!(revisions, (1..=9).collect::<Vec<u32>>());
                let texts: BTreeSet<&str> =
                    records.iter().filter_map(|(_, record)| record.values["text"].as_str()).collect();
                assert_eq!(texts.len(), OPERATORS, "none is lost: {texts:?}");
                consistent(&own, before.as_deref());
            });
        }
    });
}

/// From its first write to its last, no other operation writes. The lock itself is what they fight
/// for.
fn serial(proxies: &[Proxy]) {
    let mut spans: Vec<(Asked, Asked)> = proxies
        .iter()
        .filter_map(|proxy| {
            let asked = proxy.asked();
            let writes = asked.iter().filter(|asked| asked.writes() && !asked.path.contains("/leases"));
            let (first, last) = (writes.clone().next()?, writes.last()?);
            Some((first.clone(), last.clone()))
        })
        .collect();
    assert_eq!(spans.len(), proxies.len(), "each of them writes");
    spans.sort_by_key(|(first, _)| first.at);
    for pair in spans.windows(2) {
        let ((_, last), (first, _)) = (&pair[0], &pair[1]);
        assert!(last.at < first.at, "{} came after {} of another operation", last.line(), first.line());
    }
}

/// Stopped in the middle of its writes, it loses the lock to another operator; awake again, it
/// says so and leaves everything as the other one made it.
fn suspended(env: &Env) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("suspended for longer than the lock lasts", |tally| {
        tally.run("install", || {
            told(&proxy, || {
                let (reached, moment) = channel();
                let (go, gone_on) = channel::<()>();
                let gone_on = std::sync::Mutex::new(gone_on);
                proxy.begin(move |asked| {
                    if real_patch(asked, "/configmaps/obs-chaos-3") {
                        let _ = reached.send(());
                        drop(gone_on.lock().map(|gone_on| gone_on.recv()));
                    }
                    Fault::Pass
                });
                let args = with_bundle("install", &["--wait=none"]);
                let first = proxy.obs(env, &args).start();
                moment.recv_timeout(Duration::from_secs(60)).expect("it applies");
                first.suspend();
                drop(go);
                proxy.quiet();

                let second = env.obs(&args).args(["--set", "text=second", "--lock-timeout=1m"]).run().ok();
                assert!(second.took > Duration::from_secs(14), "it waited for the lock\n{second}");

                let before = proxy.count();
                first.resume();
                first.wait().ends(1).says("the lock of release obs is lost");
                proxy.quiet();
                // its renewal may ask for the Lease, with the resourceVersion that it knew
                let writes = |asked: &&Asked| asked.writes() && !asked.path.contains("/leases/");
                let asked = proxy.asked();
                let late: Vec<String> = asked[before..].iter().filter(writes).map(Asked::line).collect();
                assert!(late.is_empty(), "it still wrote: {}", late.join(", "));
                consistent(env, None);
                let text = env.get("configmap obs-chaos-text").expect("it is there");
                assert_eq!(text["data"]["text"], "second");
            });
        });
    });
}
