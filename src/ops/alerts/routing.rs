//! Where alerts go: the routing tree of an Alertmanager's configuration, as `/api/v2/status` shows it.
//! For labels it says which receivers are told (Alertmanager: dispatch/route.go), and for a receiver
//! labels that are sent to it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::matcher::{Labels, Matcher, all_match, parse};
use crate::render::duration;

/// Most label sets that are tried for one receiver.
const TRIES: usize = 20_000;
/// Stands for any value.
const ANY: &str = "kubectl-obs-test";

/// Receivers that open incidents, which end only with a message that the alert is over.
const INCIDENTS: [&str; 6] = ["pagerduty", "opsgenie", "incidentio", "victorops", "jira", "rootly"];

/// A configuration's routes and receivers.
#[derive(Debug, Clone)]
pub struct Routing {
    root: Route,
    /// In the order of the configuration.
    pub receivers: Vec<Receiver>,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// How, as Alertmanager's logs name it: `slack[0]`, `email[1]`; none for a receiver that drops
    /// what it gets.
    pub integrations: Vec<String>,
}

impl Receiver {
    /// Does it open incidents? Then with what.
    pub fn incidents(&self) -> Option<&str> {
        self.integrations.iter().map(|name| kind(name)).find(|kind| INCIDENTS.contains(kind))
    }
}

/// `slack[0]` → `slack`, which is what metrics count by.
pub fn kind(integration: &str) -> &str {
    integration.split('[').next().unwrap_or(integration)
}

#[derive(Debug, Clone)]
struct Route {
    receiver: String,
    matchers: Vec<Matcher>,
    goes_on: bool,
    times: Times,
    group_by: Vec<String>,
    routes: Vec<Route>,
}

/// When a route sends, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// From the first alert of a group to its message.
    pub wait: u64,
    /// Between two messages about a group.
    pub interval: u64,
}

/// A receiver that is told, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub receiver: String,
    /// When.
    pub times: Times,
    /// The labels of whose alerts a message tells together; `...` stands for all.
    pub group_by: Vec<String>,
}

impl Told {
    /// Does an alert begin a group of its own if this label's value is its own?
    pub fn groups_by(&self, label: &str) -> bool {
        self.group_by.iter().any(|name| name == label || name == "...")
    }
}

impl Routing {
    /// Reads a configuration.
    pub fn read(yaml: &str) -> Result<Self, String> {
        let config = crate::yaml::parse(yaml).map_err(|error| error.to_string())?;
        let above = Above { times: Times { wait: 30, interval: 300 }, ..Above::default() };
        let root = Route { matchers: Vec::new(), ..route(&config["route"], &above)? };
        let receivers = list(&config["receivers"]).map(|receiver| {
            let kinds = receiver.as_object().into_iter().flatten();
            let integrations = kinds.filter_map(|(key, entries)| {
                let kind = key.strip_suffix("_configs")?;
                Some((0..list(entries).count()).map(move |number| format!("{kind}[{number}]")))
            });
            Receiver { name: text(&receiver["name"]), integrations: integrations.flatten().collect() }
        });
        Ok(Self { receivers: receivers.collect(), root })
    }

    /// A receiver by its name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }

    /// Who is told of an alert with these labels; each once for every route that takes it.
    pub fn told(&self, labels: &Labels) -> Vec<Told> {
        self.root.told(labels)
    }

    /// The names of those.
    pub fn names(&self, labels: &Labels) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for told in self.told(labels) {
            if !names.contains(&told.receiver) {
                names.push(told.receiver);
            }
        }
        names
    }

    /// Labels beside `fixed` with which an alert is sent to the receiver: as few as there can be. None
    /// when no route leads there, or none with what is fixed.
    pub fn labels_for(&self, receiver: &str, fixed: &Labels) -> Option<Labels> {
        let mut paths = Vec::new();
        self.root.paths(receiver, &mut Vec::new(), &mut paths);
        paths.into_iter().find_map(|path| self.solve(receiver, &path, fixed))
    }

    /// Tries values for the labels that routes look at: those that the path demands first, then more.
    fn solve(&self, receiver: &str, path: &[&Matcher], fixed: &Labels) -> Option<Labels> {
        let mut domains: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        self.root.domains(&mut domains);
        let mut choices: Vec<(&str, Vec<String>)> = Vec::new();
        for (name, values) in domains {
            let demands = || path.iter().filter(|matcher| matcher.name == name);
            let values: Vec<String> = match fixed.get(name) {
                Some(value) => vec![value.clone()],
                None => std::iter::once(String::new()).chain(values).collect(),
            };
            let values: Vec<String> =
                values.into_iter().filter(|value| demands().all(|matcher| matcher.holds(value))).collect();
            if values.is_empty() {
                return None;
            }
            choices.push((name, values));
        }
        // those with a value that the path does not demand change last
        choices.sort_by_key(|(name, _)| !path.iter().any(|matcher| matcher.name == *name));
        let mut at = vec![0; choices.len()];
        for _ in 0..TRIES {
            let chosen = choices.iter().zip(&at).filter_map(|((name, values), at)| {
                let value = values.get(*at).filter(|value| !value.is_empty())?;
                Some(((*name).to_owned(), value.clone()))
            });
            let mut labels = fixed.clone();
            labels.extend(chosen);
            if self.told(&labels).iter().any(|told| told.receiver == receiver) {
                return Some(labels);
            }
            let mut place = 0;
            loop {
                let (_, values) = choices.get(place)?;
                let digit = at.get_mut(place)?;
                *digit += 1;
                if *digit < values.len() {
                    break;
                }
                *digit = 0;
                place += 1;
            }
        }
        None
    }

    /// As few label sets as there need be for all of these receivers, each with those that it reaches,
    /// and the receivers that no labels reach.
    pub fn plan<'n>(&self, wanted: &[&'n str], fixed: &Labels) -> (Vec<(Labels, Vec<Told>)>, Vec<&'n str>) {
        let mut unreachable = Vec::new();
        let mut sets: Vec<(Labels, Vec<Told>)> = Vec::new();
        for &receiver in wanted {
            match self.labels_for(receiver, fixed) {
                Some(labels) => {
                    let told = self.told(&labels);
                    sets.push((labels, told));
                }
                None => unreachable.push(receiver),
            }
        }
        // one alert with the labels of two reaches what both reach, if nothing speaks against it
        let mut merged: Vec<(Labels, Vec<Told>)> = Vec::new();
        for (labels, told) in sets {
            let with = merged.iter_mut().find_map(|known| {
                let (labels, told) = self.union((&labels, &told), (&known.0, &known.1))?;
                Some((known, (labels, told)))
            });
            match with {
                Some((known, both)) => *known = both,
                None => merged.push((labels, told)),
            }
        }
        let mut sets = merged;
        // what reaches most comes first, and makes others needless
        sets.sort_by_key(|(_, told)| std::cmp::Reverse(told.len()));
        let mut reached: BTreeSet<String> = BTreeSet::new();
        sets.retain(|(_, told)| {
            let new = told
                .iter()
                .any(|told| wanted.contains(&told.receiver.as_str()) && !reached.contains(&told.receiver));
            if new {
                reached.extend(told.iter().map(|told| told.receiver.clone()));
            }
            new
        });
        (sets, unreachable)
    }

    /// The labels of both, if they reach whom both reach.
    fn union(
        &self,
        (one, first): (&Labels, &[Told]),
        (other, second): (&Labels, &[Told]),
    ) -> Option<(Labels, Vec<Told>)> {
        if one.iter().any(|(name, value)| other.get(name).is_some_and(|known| known != value)) {
            return None;
        }
        let labels: Labels = one.iter().chain(other).map(|(n, v)| (n.clone(), v.clone())).collect();
        let told = self.told(&labels);
        let all = first.iter().chain(second).all(|wanted| told.iter().any(|t| t.receiver == wanted.receiver));
        all.then_some((labels, told))
    }
}

impl Route {
    fn told(&self, labels: &Labels) -> Vec<Told> {
        if !all_match(&self.matchers, labels) {
            return Vec::new();
        }
        let mut all = Vec::new();
        for child in &self.routes {
            let told = child.told(labels);
            let taken = !told.is_empty() && !child.goes_on;
            all.extend(told);
            if taken {
                break;
            }
        }
        if all.is_empty() {
            let Self { receiver, times, group_by, .. } = self;
            all.push(Told { receiver: receiver.clone(), times: *times, group_by: group_by.clone() });
        }
        all
    }

    /// What the ways to a receiver demand.
    fn paths<'r>(&'r self, receiver: &str, above: &mut Vec<&'r Matcher>, found: &mut Vec<Vec<&'r Matcher>>) {
        let before = above.len();
        above.extend(&self.matchers);
        if self.receiver == receiver {
            found.push(above.clone());
        }
        for child in &self.routes {
            child.paths(receiver, above, found);
        }
        above.truncate(before);
    }

    /// Values worth a try for every label that a route looks at.
    fn domains<'r>(&'r self, domains: &mut BTreeMap<&'r str, Vec<String>>) {
        for matcher in &self.matchers {
            let values = domains.entry(&matcher.name).or_default();
            for value in samples(matcher) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        for child in &self.routes {
            child.domains(domains);
        }
    }
}

/// Values that a matcher holds for, and one that is like no other.
fn samples(matcher: &Matcher) -> Vec<String> {
    if !matcher.is_regex() {
        return vec![matcher.value.clone(), ANY.to_owned()];
    }
    // the parts of an alternation, and what stands in them for anything
    let parts = matcher.value.split(['|', '(', ')']).filter(|part| !part.is_empty());
    let plain = parts.flat_map(|part| {
        let literal = part.trim_start_matches("?:").trim_matches(['^', '$']);
        let filled = literal.replace("[0-9]+", "1").replace("\\d+", "1").replace("[.]", ".");
        let filled = filled.replace("\\.", ".").replace(".+", "x").replace(".*", "");
        [filled, literal.to_owned()]
    });
    let mut values: Vec<String> = plain.filter(|value| matcher.holds(value) == matcher.is_equal).collect();
    values.retain(|value| !value.is_empty());
    values.push(ANY.to_owned());
    values
}

/// What a route takes from the one above it.
#[derive(Debug, Default)]
struct Above {
    receiver: String,
    times: Times,
    group_by: Vec<String>,
}

fn route(value: &Value, above: &Above) -> Result<Route, String> {
    let mut matchers = Vec::new();
    for entry in list(&value["matchers"]) {
        matchers.extend(parse(&text(entry), false)?);
    }
    // what matchers replaced
    for (key, operator) in [("match", "="), ("match_re", "=~")] {
        for (name, value) in value[key].as_object().into_iter().flatten() {
            matchers.push(Matcher::new(name, operator, &text(value))?);
        }
    }
    let receiver = Some(text(&value["receiver"])).filter(|name| !name.is_empty());
    let receiver = receiver.unwrap_or_else(|| above.receiver.clone());
    let span = |key: &str, above: u64| {
        let seconds = value[key].as_str().and_then(duration);
        seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(above)
    };
    let times = Times {
        wait: span("group_wait", above.times.wait),
        interval: span("group_interval", above.times.interval),
    };
    let group_by = match &value["group_by"] {
        Value::Array(names) => names.iter().map(text).collect(),
        _ => above.group_by.clone(),
    };
    let below = Above { receiver, times, group_by };
    let routes = list(&value["routes"]).map(|child| route(child, &below)).collect::<Result<_, _>>()?;
    let Above { receiver, group_by, .. } = below;
    Ok(Route { receiver, group_by, matchers, goes_on: value["continue"] == true, times, routes })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
route:
  receiver: chat
  group_wait: 30s
  group_by: [alertname, namespace]
  routes:
    - {receiver: dead-mans-switch, matchers: ['alertname="Watchdog"'], group_wait: 0s, group_interval: 1m}
    - {receiver: nobody, matchers: ['alertname="InfoInhibitor"']}
    - {receiver: pager, matchers: ['severity="critical"'], continue: true}
    - {receiver: shop, matchers: ['team=~"shop|orders"'], group_by: [], group_wait: 1m}
    - receiver: nights
      matchers: ['severity!="critical"', 'tier=~"gold-.+"']
      routes: [{receiver: never, matchers: ['severity="critical"']}]
    - {receiver: chat}
receivers:
  - {name: nobody}
  - {name: chat, slack_configs: [{channel: a}], email_configs: [{to: x}, {to: y}]}
  - {name: pager, pagerduty_configs: [{}]}
  - {name: shop, webhook_configs: [{}]}
  - {name: nights, webhook_configs: [{}]}
  - {name: never, webhook_configs: [{}]}
  - {name: unrouted, webhook_configs: [{}]}
  - {name: dead-mans-switch, webhook_configs: [{}]}
"#;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn alerts_are_told_as_alertmanager_routes_them() {
        let routing = Routing::read(CONFIG).unwrap();
        for (pairs, expected) in [
            (&[("alertname", "A"), ("severity", "critical")][..], &["pager", "chat"][..]),
            (&[("alertname", "A"), ("severity", "critical"), ("team", "shop")], &["pager", "shop"]),
            (&[("alertname", "A"), ("severity", "warning")], &["chat"]),
            (&[("alertname", "Watchdog"), ("severity", "critical")], &["dead-mans-switch"]),
            (&[("tier", "gold-1")], &["nights"]),
            (&[], &["chat"]),
        ] {
            assert_eq!(routing.names(&labels(pairs)), expected, "{pairs:?}");
        }
        let told = routing.told(&labels(&[("team", "orders")]));
        assert_eq!(told[0].times, Times { wait: 60, interval: 300 });
        assert!(!told[0].groups_by("namespace"));
        assert!(routing.told(&labels(&[]))[0].groups_by("namespace"), "as above it");
    }

    #[test]
    fn receivers_know_how_they_tell() {
        let routing = Routing::read(CONFIG).unwrap();
        assert_eq!(routing.receiver("chat").unwrap().integrations, ["slack[0]", "email[0]", "email[1]"]);
        assert_eq!(routing.receiver("nobody").unwrap().integrations, [""; 0]);
        assert_eq!(routing.receiver("pager").unwrap().incidents(), Some("pagerduty"));
        assert_eq!(routing.receiver("chat").unwrap().incidents(), None);
        assert_eq!(kind("email[1]"), "email");
    }

    #[test]
    fn labels_are_found_for_every_receiver_that_can_be_reached() {
        let routing = Routing::read(CONFIG).unwrap();
        let fixed = labels(&[("alertname", "KubectlObsTest")]);
        let found = |receiver: &str| {
            let mut labels = routing.labels_for(receiver, &fixed)?;
            labels.remove("alertname");
            Some(
                labels
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .join(","),
            )
        };
        assert_eq!(found("chat").as_deref(), Some(""));
        assert_eq!(found("pager").as_deref(), Some("severity=critical"));
        assert_eq!(found("shop").as_deref(), Some("team=shop"));
        assert_eq!(found("nights").as_deref(), Some("tier=gold-x"));
        // its route wants one severity, the one above it another
        assert_eq!(found("never"), None);
        assert_eq!(found("unrouted"), None);
        // takes one alert by its name
        assert_eq!(found("dead-mans-switch"), None);
    }

    #[test]
    fn one_alert_reaches_as_many_receivers_as_it_can() {
        let routing = Routing::read(CONFIG).unwrap();
        let fixed = labels(&[("alertname", "KubectlObsTest")]);
        let one = CONFIG.replace("group_wait: 1m}", "group_wait: 1m, continue: true}");
        let (sets, _) = Routing::read(&one).unwrap().plan(&["chat", "pager", "shop"], &fixed);
        assert_eq!(sets.len(), 1, "{sets:?}");
        // the shop's route keeps its alerts from the chat
        let (sets, unreachable) = routing.plan(&["chat", "pager", "shop", "unrouted"], &fixed);
        let names = |told: &[Told]| told.iter().map(|told| told.receiver.clone()).collect::<Vec<_>>();
        let reached: Vec<Vec<String>> = sets.iter().map(|(_, told)| names(told)).collect();
        assert_eq!(reached, [vec!["pager", "chat"], vec!["shop"]]);
        assert_eq!(unreachable, ["unrouted"]);
    }

    #[test]
    fn older_configurations_and_wrong_ones_are_read() {
        let old = "route: {receiver: a, routes: [{receiver: b, match: {x: '1'}, match_re: {z: 'p|q'}}]}\nreceivers: []";
        let routing = Routing::read(old).unwrap();
        assert_eq!(routing.names(&labels(&[("x", "1"), ("z", "q")])), ["b"]);
        assert!(Routing::read("route: {receiver: a, routes: [{matchers: ['x']}]}").is_err());
    }
}
