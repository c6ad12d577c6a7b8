//! From a rule to the person who is told, link by link: is the rule there, can it be evaluated, are there the
//! series that it is about, does it hold, is it sent, who is told, what keeps it quiet, and what did the
//! receiver answer. Pure over what was gathered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chain::{Chain, Link};
use crate::ops::alerts::notified::Failure;
use crate::ops::alerts::shown::{Alert, State};
use crate::ops::apps::pods::{list, text};
use crate::ops::who;
use crate::readiness::spans;
use crate::values::did_you_mean;
use crate::words::count;

/// What the server answers to a part of the expression.
#[derive(Debug, Clone, PartialEq)]
pub struct PartNow {
    /// The part.
    pub text: String,
    /// How many series it has at present.
    pub holds_for: usize,
    /// What it is compared with, and the values at present, the greatest first.
    pub compared: Option<(String, Vec<f64>)>,
}

/// A selector that has no series at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// The selector.
    pub selector: String,
    /// How many series have the same name.
    pub same: usize,
    /// Has the job that it names a target that is up? None where it names none.
    pub scraped: Option<bool>,
}

impl Absent {
    /// Why it can never have any, as things are. A job that is scraped may have series of a name only where there is
    /// trouble, and so may a name with some labels.
    fn why(&self) -> Option<String> {
        let selector = short(&self.selector);
        match (self.scraped, self.same) {
            (Some(false), _) => Some(format!("{selector}: its job has no target that is up")),
            (None, 0) => Some(format!("{selector}: there is no series of that name")),
            _ => None,
        }
    }
}

/// Why nobody says who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// There is no Alertmanager that could tell anybody.
    Nobody(String),
    /// It could not be asked.
    Unknown(String),
}

/// What is known.
#[derive(Debug)]
pub struct Facts {
    /// The alert's name.
    pub name: String,
    /// `/api/v1/rules` of each Prometheus.
    pub rules: Vec<Value>,
    /// Names whose alerts the values drop (`rules.disable`).
    pub disabled: Vec<String>,
    /// The parts of its expressions; an error where they could not be asked for.
    pub parts: Result<Vec<PartNow>, String>,
    /// Selectors that have no series at present.
    pub absent: Vec<Absent>,
    /// The alerts of this name.
    pub alerts: Vec<Alert>,
    /// Why it is not known who is told.
    pub untold: Option<Untold>,
    /// How many Alertmanagers Prometheus sends to; None where it does not say.
    pub alertmanagers: Option<usize>,
    /// The receivers that tell somebody, with their integrations; an error where the routing cannot be read.
    pub receivers: Result<BTreeMap<String, Vec<String>>, String>,
    /// What receivers refused since it fires, by Alertmanager's log; an error where that cannot be read.
    pub failures: Result<Vec<Failure>, String>,
    /// Requests that failed within a quarter of an hour, by integration and reason; an error where Prometheus does
    /// not say.
    pub failed: Result<Vec<String>, String>,
}

/// The rules of a name.
pub fn rules<'v>(all: &'v [Value], name: &str) -> Vec<&'v Value> {
    let groups = all.iter().flat_map(|data| list(&data["groups"]));
    let rules = groups.flat_map(|group| list(&group["rules"]));
    rules.filter(|rule| rule["type"] == "alerting" && rule["name"] == name).collect()
}

/// The chain.
pub fn chain(facts: &Facts) -> Chain {
    let mut chain = Chain::new(format!("alert {}", facts.name));
    let own = rules(&facts.rules, &facts.name);
    chain.add(loaded(facts, &own));
    if let Some(link) = evaluated(&own) {
        chain.add(link);
    }
    if facts.alerts.is_empty() {
        chain.add(quiet(facts, &own));
        return chain;
    }
    let firing: Vec<&Alert> = facts.alerts.iter().filter(|alert| alert.state == State::Firing).collect();
    let Some(_) = firing.first() else {
        let lines = facts.alerts.iter().map(|alert| {
            let of = alert
                .pending_for_seconds
                .map(|seconds| spans::rough(i64::try_from(seconds).unwrap_or(i64::MAX)));
            format!(
                "pending since {}{}: {}",
                who::ago(&alert.since),
                of.map(|of| format!(", fires after {of}")).unwrap_or_default(),
                alert.about()
            )
        });
        chain.add(
            Link::ends("RA09", "it is pending: it has to hold for longer before it fires").evidence(lines),
        );
        return chain;
    };
    let lines = firing.iter().map(|alert| format!("since {}: {}", who::ago(&alert.since), alert.about()));
    chain.add(Link::holds("RA07", format!("{} of it fire", count(firing.len(), "alert"))).evidence(lines));
    told(facts, &firing, &mut chain);
    chain
}

fn loaded(facts: &Facts, own: &[&Value]) -> Link {
    if facts.disabled.contains(&facts.name) {
        return Link::broken("RA01", "the values drop it")
            .evidence(["rules.disable names it".to_owned()])
            .fix("take it out of rules.disable, then kubectl obs upgrade -f …");
    }
    if own.is_empty() {
        let names: Vec<&str> = list_of_names(&facts.rules);
        let link = Link::broken("RA01", format!("Prometheus has no rule {}", facts.name));
        let link = match did_you_mean(&facts.name, names.iter().copied()) {
            Some(near) => link.fix(format!("did you mean {near}?")),
            None => link.evidence([format!("it has {}", count(names.len(), "alerting rule"))]),
        };
        return link.fix("a rule of a component is there when the component is; own ones go to extraRules");
    }
    let rule = own[0];
    let lasts = rule["duration"].as_f64().unwrap_or_default();
    let lines = [
        rule["query"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
        if lasts > 0.0 { format!("for {}", spans::whole(lasts)) } else { String::new() },
    ];
    Link::holds("RA01", "Prometheus has the rule").evidence(lines)
}

fn list_of_names(rules: &[Value]) -> Vec<&str> {
    let groups = rules.iter().flat_map(|data| list(&data["groups"]));
    let rules = groups.flat_map(|group| list(&group["rules"]));
    let mut names: Vec<&str> =
        rules.filter(|rule| rule["type"] == "alerting").filter_map(|rule| rule["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn evaluated(own: &[&Value]) -> Option<Link> {
    own.first()?;
    let broken: Vec<String> =
        own.iter().filter(|rule| rule["health"] == "err").map(|rule| text(&rule["lastError"])).collect();
    if !broken.is_empty() {
        return Some(
            Link::broken("RA02", "it cannot be evaluated")
                .evidence(broken)
                .fix("correct its expression: one of extraRules in the values, the others with an upgrade"),
        );
    }
    if own.iter().any(|rule| rule["health"] == "unknown") {
        return Some(Link::ends("RA02", "it was not evaluated yet").fix("look again in a minute"));
    }
    Some(Link::holds("RA02", format!("it was evaluated {}", who::ago(&text(&own[0]["lastEvaluation"])))))
}

/// Why it does not hold.
fn quiet(facts: &Facts, own: &[&Value]) -> Link {
    let lines = |parts: &[PartNow]| -> Vec<String> {
        let line = |part: &PartNow| {
            let now = match &part.compared {
                Some((compared, values)) if part.holds_for == 0 => match values.as_slice() {
                    [] => "no series at present".to_owned(),
                    [one] => format!("{} at present, and it asks for {compared}", number(*one)),
                    several => {
                        let least = several.iter().copied().fold(f64::INFINITY, f64::min);
                        let most = several.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        format!(
                            "between {} and {} at present, and it asks for {compared}",
                            number(least),
                            number(most)
                        )
                    }
                },
                _ if part.holds_for == 0 => "no series at present".to_owned(),
                _ => format!("holds for {}", part.holds_for),
            };
            format!("{}: {now}", short(&part.text))
        };
        parts.iter().map(line).collect()
    };
    let about_absence = own.iter().any(|rule| {
        let query = text(&rule["query"]);
        query.contains("absent(") || query.contains("absent_over_time(")
    });
    // an alert on what is not there has to have nothing
    let missing: Vec<String> = facts.absent.iter().filter_map(Absent::why).collect();
    if !missing.is_empty() && !about_absence {
        return Link::warns("RA04", "series that it is about are not there").evidence(missing).fix(
            "what exposes them is off, or names them otherwise: kubectl obs explain metrics TARGET follows their way",
        );
    }
    match &facts.parts {
        Ok(parts) => {
            Link::ends("RA07", "it does not hold at present, so nobody is told").evidence(lines(parts))
        }
        Err(why) => Link::ends("RA07", "it does not hold at present, so nobody is told")
            .evidence([format!("its parts are not known: {why}")]),
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 100;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.001 => format!("{value:e}"),
        small if small < 100.0 => {
            format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.0}"),
    }
}

/// From Prometheus to the person.
fn told(facts: &Facts, firing: &[&Alert], chain: &mut Chain) {
    if facts.alertmanagers == Some(0) {
        chain.add(
            Link::broken("NT02", "Prometheus knows no Alertmanager to send it to")
                .fix("kubectl obs logs prometheus"),
        );
        return;
    }
    if let Some(untold) = &facts.untold {
        let link = match untold {
            Untold::Nobody(why) => Link::broken("NT02", "nobody is told").evidence([why.clone()]),
            Untold::Unknown(why) => Link::unknown("NT02", why.clone()),
        };
        chain.add(link.fix("kubectl obs status alertmanager"));
        return;
    }
    let missing: Vec<String> =
        firing.iter().filter(|alert| alert.missing_in_alertmanager).map(|alert| alert.about()).collect();
    if missing.len() == firing.len() {
        chain.add(
            Link::broken("NT02", "Alertmanager does not know it")
                .evidence(missing)
                .fix("within a minute it should; if it stays so, kubectl obs logs prometheus: notifier"),
        );
        return;
    }
    chain.add(Link::holds("NT02", "Alertmanager knows it"));
    let known = || firing.iter().filter(|alert| !alert.missing_in_alertmanager);
    let mut names: Vec<String> =
        known().flat_map(|alert| alert.receivers.clone().unwrap_or_default()).collect();
    names.sort();
    names.dedup();
    let (telling, link) = routed(facts, &names);
    if !chain.add(link) {
        return;
    }
    let mut reasons = Vec::new();
    let mut loud = 0;
    for alert in known() {
        if !alert.is_quiet() {
            loud += 1;
        }
        for silence in &alert.silenced_by {
            reasons.push(format!(
                "silenced until {} by {}: {} ({})",
                who::local(&silence.ends_at),
                silence.created_by,
                silence.comment,
                silence.id
            ));
        }
        reasons.extend(alert.inhibited_by.iter().map(|by| format!("inhibited by {by}, which fires")));
        reasons.extend(alert.muted_by.iter().map(|time| format!("muted at this time ({time})")));
    }
    reasons.sort();
    reasons.dedup();
    let fix = "kubectl obs alerts unsilence ID ends a silence";
    if loud == 0 {
        chain.add(Link::ends("NT08", "it is kept quiet").evidence(reasons).fix(fix));
        return;
    }
    chain.add(match reasons.is_empty() {
        true => Link::holds("NT08", "nothing keeps it quiet"),
        false => Link::warns("NT08", "some of it is kept quiet").evidence(reasons).fix(fix),
    });
    chain.add(answered(facts, &telling));
}

/// The receivers that tell somebody, of those that its route leads to; all of them where nobody knows which do.
fn routed<'n>(facts: &Facts, names: &'n [String]) -> (Vec<&'n String>, Link) {
    let receivers = match &facts.receivers {
        Ok(receivers) => receivers,
        Err(why) => {
            let title = format!("whether its route leads to somebody is not known: {why}");
            let lines = names.iter().map(|name| format!("receiver {name}"));
            return (names.iter().collect(), Link::unknown("NT05", title).evidence(lines));
        }
    };
    let telling: Vec<&String> = names.iter().filter(|name| receivers.contains_key(*name)).collect();
    if telling.is_empty() {
        let lines = names.iter().map(|name| format!("receiver {name} drops what it gets"));
        let link = Link::broken("NT05", "its route leads to nobody")
            .evidence(lines)
            .fix("name a receiver for it in the values of Alertmanager: kubectl obs bundle values shows how");
        return (telling, link);
    }
    let lines = telling.iter().map(|name| {
        let integrations = receivers.get(*name).map(|all| all.join(", ")).unwrap_or_default();
        format!("receiver {name} ({integrations})")
    });
    let link = Link::holds("NT05", "its route leads to who is to be told").evidence(lines);
    (telling, link)
}

/// What did the receivers answer? Broken is what they refused for good; what is tried again may yet arrive.
fn answered(facts: &Facts, telling: &[&String]) -> Link {
    let known = facts.failures.iter().flatten();
    let known: Vec<&Failure> =
        known.filter(|failure| telling.iter().any(|name| **name == failure.receiver)).collect();
    let lines = |goes_on: bool| -> Vec<String> {
        let own = known.iter().filter(|failure| failure.goes_on == goes_on);
        let line =
            |failure: &&Failure| format!("{}, {}: {}", failure.receiver, failure.integration, failure.words);
        let mut lines: Vec<String> = own.map(line).collect();
        lines.dedup();
        lines
    };
    let (refused, tried) = (lines(false), lines(true));
    let test = |goes_on: bool| {
        let own = known.iter().find(|failure| failure.goes_on == goes_on);
        let name = own.map(|failure| failure.receiver.clone()).unwrap_or_default();
        format!("correct its settings; kubectl obs alerts test {name} shows whether it takes a message")
    };
    if !refused.is_empty() {
        return Link::broken("NT06", "the receiver refuses it").evidence(refused).fix(test(false));
    }
    if !tried.is_empty() {
        return Link::warns("NT06", "the receiver did not take it, and it is tried again")
            .evidence(tried)
            .fix(format!("look again in a minute; if it stays so, {}", test(true)));
    }
    match (&facts.failed, &facts.failures) {
        (Ok(failed), _) if !failed.is_empty() => {
            Link::warns("NT06", "messages failed within a quarter of an hour")
                .evidence(failed.clone())
                .fix("kubectl obs alerts test shows which receiver refuses")
        }
        (Err(why), _) | (_, Err(why)) => {
            Link::unknown("NT06", format!("what the receivers answered is not known: {why}"))
        }
        (Ok(_), Ok(_)) => Link::holds("NT06", "no message failed within a quarter of an hour"),
    }
}
