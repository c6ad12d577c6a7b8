//! One request in five goes wrong, in one of the ways in which requests do; and servers that stop
//! answering altogether. What the seed of a failed run was is in its name.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Trial;

use super::report::{Tally, scenario};
use super::state::{consistent, nothing_left, password};
use super::{installed, told, whole, with_bundle};
use crate::support::env::Env;
use crate::support::process::Command;
use crate::support::proxy::{Asked, Fault, Proxy, Refusal};
use crate::support::trial;

/// Seeds of `make chaos`; `make test` takes the first.
const SEEDS: u64 = 10;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("chaos::storm_install_and_uninstall", install_and_uninstall),
        trial::api("chaos::storm_upgrade_and_rollback", upgrade_and_rollback),
        trial::api("chaos::hang_at_once", |env| hang(env, 1)),
        trial::api("chaos::hang_while_checking", |env| hang(env, 30)),
        trial::api("chaos::hang_while_applying", |env| hang(env, 90)),
    ]
}

/// A number that depends on nothing but its arguments (SplitMix64).
fn dice(seed: u64, number: usize) -> u64 {
    let mut z = seed.wrapping_add((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What becomes of a request in a storm.
fn weather(seed: u64, asked: &Asked) -> Fault {
    let thrown = dice(seed, asked.number);
    // one in five; of the few watches every other one
    let one_in = if asked.watches() { 2 } else { 5 };
    // an address that does not answer at all is told at once: the first contact succeeds
    if asked.number == 1 || !thrown.is_multiple_of(one_in) {
        return Fault::Pass;
    }
    let of = |n: u64| (thrown / one_in) % n;
    if asked.watches() {
        return match of(4) {
            0 => Fault::Cut,
            1 => Fault::Answer(Refusal::EXPIRED),
            2 => Fault::Answer(Refusal::UNAVAILABLE),
            _ => Fault::Reset,
        };
    }
    match of(8) {
        0 => Fault::Answer(Refusal::BUSY),
        1 => Fault::Answer(Refusal::INTERNAL),
        2 => Fault::Answer(Refusal::UNAVAILABLE),
        3 => Fault::Answer(Refusal::LEADER),
        4 => Fault::Reset,
        5 | 6 => Fault::Truncate,
        _ => Fault::Delay(Duration::from_secs(2)),
    }
}

/// Runs a command in a storm: it succeeds, and nothing is applied twice with different content.
#[track_caller]
pub(super) fn survive(proxy: &Proxy, seed: u64, command: Command) {
    told(proxy, || {
        proxy.begin(move |asked| weather(seed, asked));
        command.run().ok();
        proxy.quiet();
        same_again(&proxy.asked());
    });
}

/// Requests that change the same object are the same request, but for the lock's renewals.
fn same_again(asked: &[Asked]) {
    let mut seen: BTreeMap<(String, String), &Asked> = BTreeMap::new();
    for asked in asked.iter().filter(|asked| asked.writes() && !asked.path.contains("/leases")) {
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        // what is made has its name in the body
        let name = body["metadata"]["name"].as_str().filter(|_| asked.method == "POST").unwrap_or_default();
        let first = *seen.entry((asked.method.clone(), format!("{}/{name}", asked.path))).or_insert(asked);
        let (a, b) = (String::from_utf8_lossy(&first.body), String::from_utf8_lossy(&asked.body));
        assert!(a == b, "sent with different content\n{}\n{a}\n{}\n{b}", first.line(), asked.line());
    }
}

/// Every seed, or the first.
pub(super) fn each_seed(tally: &mut Tally, mut test: impl FnMut(u64)) {
    for seed in 1..=if whole() { SEEDS } else { 1 } {
        tally.run(format_args!("seed {seed}"), || test(seed));
        if tally.gives_up() {
            return;
        }
    }
}

fn install_and_uninstall(env: &Env) {
    let proxy = Proxy::start(env);
    scenario("storm over install and uninstall", |tally| {
        each_seed(tally, |seed| {
            let own = Env::new(env.cluster(), &format!("storm-{seed}"));
            own.make_namespace();
            survive(&proxy, seed, proxy.obs(&own, with_bundle("install", &["--wait=ready"])));
            consistent(&own, None);
            let before = password(&own);
            survive(&proxy, seed + 100, proxy.obs(&own, ["uninstall", "-y"]));
            nothing_left(&own, before.as_deref());
        });
    });
}

fn upgrade_and_rollback(env: &Env) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("storm over upgrade and rollback", |tally| {
        installed(env, &[]);
        let before = password(env);
        each_seed(tally, |seed| {
            let args = with_bundle("upgrade", &["--wait=ready", "-y", "--set", "set=b,text=two"]);
            survive(&proxy, seed + 200, proxy.obs(env, args));
            consistent(env, before.as_deref());
            survive(&proxy, seed + 300, proxy.obs(env, ["rollback", "--wait=ready", "-y"]));
            consistent(env, before.as_deref());
        });
    });
}

/// From request `from` on there is no answer: the command says so when its time is over.
fn hang(env: &Env, from: usize) {
    env.make_namespace();
    let proxy = Proxy::start(env);
    scenario("a server that hangs for ever", |tally| {
        tally.run(format_args!("from request {from} on"), || {
            told(&proxy, || {
                proxy.begin(move |asked| if asked.number >= from { Fault::Hang } else { Fault::Pass });
                let output = proxy.obs(env, with_bundle("install", &["--wait=ready", "--timeout=5s"])).run();
                let output = output.ends(7).says("did not end within its deadline").says("--timeout");
                // 5 s for the operation, 2 s to come to its end, 1 s to look why it did not, 10 s to write that down
                assert!(output.took < Duration::from_secs(21), "{output}");
            });
            installed(env, &[]);
            consistent(env, None);
        });
    });
}
