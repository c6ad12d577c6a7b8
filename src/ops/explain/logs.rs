//! From what a pod writes to the line in Loki, link by link: does it run, does it write to stdout, in which form,
//! is it left out, does the collector of its node work, and are its last lines stored. Pure over what was
//! gathered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::chain::{Chain, Link};
use super::metrics::runs;
use super::target::Target;
use crate::object::labels;
use crate::ops::apps::pods::{list, text};
use crate::readiness::spans;
use crate::words::count;

/// A line that is younger may be on its way, in seconds.
pub const ON_ITS_WAY: i64 = 15;
/// Lines that are older are looked for only where there are no younger ones, in seconds.
pub const LATELY: i64 = 120;
/// What leaves a pod or a namespace out.
const OPT_OUT: &str = "kubectl-obs.dev/logs";
/// Names under which loggers write a level.
const LEVELS: [&str; 8] =
    ["level", "levelname", "severity", "lvl", "loglevel", "log_level", "severity_text", "@level"];

/// A line as the kubelet has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written.
    pub time: Option<Timestamp>,
    /// What was written.
    pub text: String,
}

/// The lines that have to be in Loki by now: those of the last two minutes, but for what may be on its way; of who
/// wrote none then those before.
pub fn due(lines: &[Line], now: Timestamp) -> Vec<&Line> {
    let age = |line: &Line| line.time.map(|time| now.as_second() - time.as_second());
    let old = lines.iter().filter(|line| !plain(&line.text).is_empty());
    let old: Vec<&Line> = old.filter(|line| age(line).is_some_and(|age| age > ON_ITS_WAY)).collect();
    let late: Vec<&Line> =
        old.iter().copied().filter(|line| age(line).is_some_and(|age| age <= LATELY)).collect();
    if late.is_empty() { old } else { late }
}

/// A container and what it wrote.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// The node of the pod.
    pub node: String,
    /// Its last lines, the oldest first, and before them some that are due where all of those are too young; why they
    /// are not known.
    pub lines: Result<Vec<Line>, String>,
    /// What Loki has of the time in which those that are due were written; why that is not known.
    pub stored: Result<Vec<String>, String>,
}

/// What is known.
#[derive(Debug)]
pub struct Facts {
    /// Whose logs.
    pub target: Target,
    /// Does the release collect logs?
    pub collects: bool,
    /// Does it store them in Loki?
    pub stores: bool,
    /// `exclude` of the values of Fluentd.
    pub exclude: Value,
    /// The annotations of the target's namespace.
    pub annotations: Value,
    /// The containers.
    pub written: Vec<Written>,
    /// The nodes with a Fluentd that is ready.
    pub collectors: BTreeSet<String>,
    /// What Prometheus says is wrong with the Fluentd of a node.
    pub troubles: BTreeMap<String, Vec<String>>,
    /// When it was looked at.
    pub now: Timestamp,
}

/// The chain.
pub fn chain(facts: &Facts) -> Chain {
    let mut chain = Chain::new(facts.target.to_string());
    let running: Vec<&Value> =
        facts.target.pods.iter().filter(|pod| pod["status"]["phase"] == "Running").collect();
    chain.add(runs(&facts.target, &running));
    chain.add(writes(facts));
    if let Some(link) = form(facts) {
        chain.add(link);
    }
    if !facts.collects {
        chain.add(
            Link::broken("AP20", "the release collects no logs")
                .fix("kubectl obs upgrade --profile logs collects those of all pods"),
        );
        return chain;
    }
    if let Some(link) = left_out(facts) {
        chain.add(link);
    }
    chain.add(collected(facts));
    if !facts.stores {
        chain.add(Link::unknown("AP21", "the release has no Loki to ask for the lines"));
        return chain;
    }
    chain.add(stored(facts));
    chain
}

fn place(one: &Written) -> String {
    format!("{}/{}", one.pod, one.container)
}

/// Does it write to stdout?
fn writes(facts: &Facts) -> Link {
    let unknown =
        facts.written.iter().filter_map(|one| Some(format!("{}: {}", place(one), one.lines.as_ref().err()?)));
    let unknown: Vec<String> = unknown.collect();
    let known = || facts.written.iter().filter_map(|one| Some((one, one.lines.as_ref().ok()?)));
    let quiet: Vec<String> =
        known().filter(|(_, lines)| lines.is_empty()).map(|(one, _)| place(one)).collect();
    let loud: Vec<String> = known()
        .filter_map(|(one, lines)| {
            let last = lines.last()?.time?;
            let ago = spans::age(facts.now, last);
            Some(format!("{}: the last line is from {ago}", place(one)))
        })
        .collect();
    if known().next().is_none() {
        return Link::unknown("AP17", "what it writes is not known").evidence(unknown);
    }
    if known().all(|(_, lines)| lines.is_empty()) {
        return Link::broken("AP17", "it writes nothing to stdout or stderr")
            .evidence(quiet)
            .fix("let it log to stdout; what is in a file inside the container is read by nobody (docs/logging.md)");
    }
    match quiet.is_empty() {
        true => Link::holds("AP17", "it writes to stdout").evidence(loud),
        false => Link::warns("AP17", "some of its containers write nothing").evidence(quiet).evidence(loud),
    }
}

/// In which form does it write?
fn form(facts: &Facts) -> Option<Link> {
    let lines = facts.written.iter().filter_map(|one| one.lines.as_ref().ok()).flatten();
    let lines: Vec<&str> = lines.map(|line| line.text.trim()).filter(|text| !text.is_empty()).collect();
    let objects: Vec<Value> = lines
        .iter()
        .filter(|text| text.starts_with('{'))
        .filter_map(|text| serde_json::from_str(text).ok())
        .filter(Value::is_object)
        .collect();
    let graded = objects.iter().filter(|object| LEVELS.iter().any(|name| !object[*name].is_null())).count();
    if lines.is_empty() {
        return None;
    }
    Some(match (lines.len(), objects.len()) {
        (all, 0) => {
            Link::holds("AP18", format!("it writes text ({}): its fields are words", count(all, "line")))
                .fix("one object of JSON for each line would make them fields: docs/logging.md")
        }
        (all, some) if some * 10 < all * 9 => {
            Link::warns("AP18", format!("{some} of its last {} are JSON", count(all, "line")))
                .fix("let all that writes in the container write JSON: docs/logging.md")
        }
        (_, some) if graded * 2 < some => {
            Link::warns("AP18", format!("{} of {} have no level", some - graded, count(some, "object")))
                .fix("add a field level: docs/logging.md")
        }
        (_, some) => Link::holds("AP18", format!("it writes JSON with a level ({})", count(some, "line"))),
    })
}

/// Did somebody leave it out?
fn left_out(facts: &Facts) -> Option<Link> {
    let mut why: Vec<String> = Vec::new();
    let namespace = &facts.target.namespace;
    if list(&facts.exclude["namespaces"]).any(|name| name == namespace.as_str()) {
        why.push(format!("fluentd.exclude.namespaces has {namespace}"));
    }
    if facts.annotations[OPT_OUT] == "false" {
        why.push(format!("namespace {namespace} has the annotation {OPT_OUT}: \"false\""));
    }
    for pod in &facts.target.pods {
        let name = text(&pod["metadata"]["name"]);
        if pod["metadata"]["annotations"][OPT_OUT] == "false" {
            why.push(format!("pod {name} has the annotation {OPT_OUT}: \"false\""));
        }
        if pod["metadata"]["labels"][labels::OBS_COMPONENT] == "fluentd" {
            why.push(format!("pod {name} is the collector itself, which leaves its own lines out"));
        }
    }
    for one in &facts.written {
        let path = format!("{namespace}/{}/{}", one.pod, one.container);
        let patterns = list(&facts.exclude["containers"]).filter_map(Value::as_str);
        why.extend(
            patterns
                .filter(|pattern| is_like(pattern, &path))
                .map(|pattern| format!("fluentd.exclude.containers has {pattern}")),
        );
    }
    why.dedup();
    (!why.is_empty()).then(|| {
        Link::broken("AP20", "its logs are left out")
            .evidence(why)
            .fix("take that out, if they are to be collected")
    })
}

/// `namespace/pod/container` with `*` and `?`.
fn is_like(pattern: &str, path: &str) -> bool {
    let regex: String = pattern
        .chars()
        .map(|c| match c {
            '*' => "[^/]*".to_owned(),
            '?' => "[^/]".to_owned(),
            c => regex::escape(&c.to_string()),
        })
        .collect();
    regex::Regex::new(&format!("^{regex}$")).is_ok_and(|regex| regex.is_match(path))
}

/// Does the collector of its node work?
fn collected(facts: &Facts) -> Link {
    let nodes: BTreeSet<&String> = facts.written.iter().map(|one| &one.node).collect();
    let without: Vec<String> = nodes
        .iter()
        .filter(|node| !facts.collectors.contains(**node))
        .map(|node| format!("node {node} has no fluentd that is ready"))
        .collect();
    if !without.is_empty() {
        return Link::broken("LG01", "nobody reads the files of its node")
            .evidence(without)
            .fix("kubectl obs status fluentd says why");
    }
    let troubles = nodes.iter().filter_map(|node| facts.troubles.get(*node)).flatten();
    let troubles: Vec<String> = troubles.cloned().collect();
    match troubles.is_empty() {
        true => Link::holds("LG01", format!("fluentd reads the files of {}", count(nodes.len(), "node"))),
        // whether its lines are there all the same is the next link's word
        false => Link::warns("LG08", "the fluentd of its node is in trouble")
            .evidence(troubles)
            .fix("kubectl obs doctor --only LG")
            .fix("kubectl obs logs fluentd"),
    }
}

/// Are its last lines there?
fn stored(facts: &Facts) -> Link {
    let (mut there, mut missing, mut unknown) = (0, Vec::new(), Vec::new());
    for one in &facts.written {
        let Ok(lines) = &one.lines else { continue };
        let lines = due(lines, facts.now);
        let stored = match &one.stored {
            Ok(stored) => stored,
            Err(why) => {
                unknown.push(format!("{}: {why}", place(one)));
                continue;
            }
        };
        // lines of one trace are one record
        let is_there = |line: &&&Line| {
            let wanted = plain(&line.text);
            stored.iter().any(|text| plain(text).contains(&wanted))
        };
        let found = lines.iter().filter(is_there).count();
        there += found;
        if found < lines.len() {
            missing.push(format!(
                "{}: {} of its last {}",
                place(one),
                lines.len() - found,
                count(lines.len(), "line")
            ));
        }
    }
    match (there, missing.is_empty()) {
        (0, false) => Link::broken("AP21", "its last lines are not in Loki")
            .evidence(missing)
            .fix("kubectl obs doctor --only LG says where they are lost")
            .fix("kubectl obs logs fluentd"),
        (_, false) => Link::warns("AP21", "some of its last lines are not in Loki")
            .evidence(missing)
            .fix("look again in a minute: they may be on their way; kubectl obs doctor --only LG"),
        (0, true) if !unknown.is_empty() => Link::unknown("AP21", "Loki does not say").evidence(unknown),
        (0, true) => Link::unknown("AP21", "it wrote nothing lately that could be looked for"),
        (there, true) => Link::holds("AP21", format!("its last {} are in Loki", count(there, "line"))),
    }
}

/// A line without what a store may take out of it: control characters and colours.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // up to the letter that ends the sequence
            for d in rest.by_ref() {
                if d.is_ascii_alphabetic() {
                    break;
                }
            }
        } else if !c.is_control() {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_containers_are_those_of_fluentd() {
        for (pattern, expected) in [
            ("shop/*/main", true),
            ("shop/web-?/*", true),
            ("shop/*", false),
            ("*/web-1/main", true),
            ("shop/web.1/main", false),
        ] {
            assert_eq!(is_like(pattern, "shop/web-1/main"), expected, "{pattern}");
        }
    }

    #[test]
    fn colours_do_not_count() {
        assert_eq!(plain("\u{1b}[31merror\u{1b}[0m failed\r"), "error failed");
    }
}
