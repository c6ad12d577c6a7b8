//! Relabelling as Prometheus does it (model/relabel/relabel.go): the rules of a job over the labels of what was
//! discovered, rule by rule, so that it can be said which one dropped it. Pure.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

use crate::ops::apps::pods::{list, text};

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    sources: Vec<String>,
    separator: String,
    pattern: String,
    regex: Regex,
    target: String,
    replacement: String,
    action: String,
}

/// What a rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its place, from 1.
    pub number: usize,
    /// The rule in words.
    pub rule: String,
    /// What it looked at.
    pub saw: String,
    /// The labels that it set, or took away (an empty value).
    pub changed: Labels,
    /// Did it drop the target?
    pub dropped: bool,
}

/// What all rules did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The steps, up to the one that dropped it.
    pub steps: Vec<Step>,
    /// The labels behind the last rule; None where it was dropped.
    pub labels: Option<Labels>,
    /// A rule that cannot be followed here; what comes behind it is not known.
    pub unknown: Option<String>,
}

impl Course {
    /// The rule that dropped it.
    pub fn dropped(&self) -> Option<&Step> {
        self.steps.last().filter(|step| step.dropped)
    }
}

/// The rules of `relabel_configs`; an error names one that is none.
pub fn rules(configs: &Value) -> Result<Vec<Rule>, String> {
    list(configs).map(rule).collect()
}

fn rule(config: &Value) -> Result<Rule, String> {
    let or = |key: &str, default: &str| config[key].as_str().unwrap_or(default).to_owned();
    let pattern = or("regex", "(.*)");
    let regex = Regex::new(&format!("^(?s:{pattern})$"))
        .map_err(|_| format!("the rule's regex is none: {pattern}"))?;
    Ok(Rule {
        sources: list(&config["source_labels"]).map(text).collect(),
        separator: or("separator", ";"),
        pattern,
        regex,
        target: or("target_label", ""),
        replacement: or("replacement", "$1"),
        action: or("action", "replace").to_ascii_lowercase(),
    })
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sources, pattern, target, replacement, action, separator, .. } = self;
        let sources = sources.join(separator);
        match action.as_str() {
            "keep" | "drop" => write!(f, "{action} where {sources} matches \"{pattern}\""),
            "keepequal" | "dropequal" => write!(f, "{action} where {sources} is {target}"),
            "labelmap" => write!(f, "labelmap \"{pattern}\" to \"{replacement}\""),
            "labeldrop" | "labelkeep" => write!(f, "{action} \"{pattern}\""),
            _ if sources.is_empty() => write!(f, "{action} {target} with \"{replacement}\""),
            _ => write!(f, "{action} {target} with \"{replacement}\" of {sources}"),
        }
    }
}

/// Follows the rules.
pub fn follow(rules: &[Rule], labels: &Labels) -> Course {
    let mut labels = labels.clone();
    let mut steps = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let before = labels.clone();
        let saw = rule.value(&labels);
        let dropped = match rule.act(&saw, &mut labels) {
            Ok(dropped) => dropped,
            Err(why) => {
                let unknown = Some(format!("rule {} ({rule}) {why}", place + 1));
                return Course { steps, labels: Some(before), unknown };
            }
        };
        let set = labels.iter().filter(|(name, value)| before.get(*name) != Some(*value));
        let set = set.map(|(name, value)| (name.clone(), value.clone()));
        let gone = before.keys().filter(|name| !labels.contains_key(*name));
        let gone = gone.map(|name| (name.clone(), String::new()));
        let changed: Labels = set.chain(gone).collect();
        steps.push(Step { number: place + 1, rule: rule.to_string(), saw, changed, dropped });
        if dropped {
            return Course { steps, labels: None, unknown: None };
        }
    }
    Course { steps, labels: Some(labels), unknown: None }
}

impl Rule {
    fn value(&self, labels: &Labels) -> String {
        let value = |name: &String| labels.get(name).map(String::as_str).unwrap_or_default();
        self.sources.iter().map(value).collect::<Vec<_>>().join(&self.separator)
    }

    /// Is the target dropped?
    fn act(&self, value: &str, labels: &mut Labels) -> Result<bool, &'static str> {
        let holds = self.regex.is_match(value);
        let current = || labels.get(&self.target).map(String::as_str).unwrap_or_default();
        match self.action.as_str() {
            "keep" => return Ok(!holds),
            "drop" => return Ok(holds),
            "keepequal" => return Ok(current() != value),
            "dropequal" => return Ok(current() == value),
            "replace" => {
                let Some(found) = self.regex.captures(value) else { return Ok(false) };
                let (mut name, mut new) = (String::new(), String::new());
                found.expand(&self.target, &mut name);
                found.expand(&self.replacement, &mut new);
                if is_name(&name) {
                    set(labels, name, new);
                }
            }
            "lowercase" => set(labels, self.target.clone(), value.to_lowercase()),
            "uppercase" => set(labels, self.target.clone(), value.to_uppercase()),
            "labelmap" => {
                let named: Vec<(String, String)> = labels
                    .iter()
                    .filter(|(name, _)| self.regex.is_match(name))
                    .map(|(name, value)| {
                        let name = self.regex.replace_all(name, self.replacement.as_str());
                        (name.into_owned(), value.clone())
                    })
                    .collect();
                for (name, value) in named {
                    set(labels, name, value);
                }
            }
            "labeldrop" => labels.retain(|name, _| !self.regex.is_match(name)),
            "labelkeep" => labels.retain(|name, _| self.regex.is_match(name)),
            "hashmod" => return Err("takes a hash, which is not followed here"),
            _ => return Err("is of a kind that is not known here"),
        }
        Ok(false)
    }
}

/// An empty value is no label.
fn set(labels: &mut Labels, name: String, value: String) {
    if value.is_empty() {
        labels.remove(&name);
    } else {
        labels.insert(name, value);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn followed(configs: Value, start: &[(&str, &str)]) -> Course {
        follow(&rules(&configs).unwrap(), &labels(start))
    }

    /// What one rule makes of the labels; None where it drops them.
    #[test]
    fn each_action_does_what_it_does_in_prometheus() {
        type Row =
            (Value, &'static [(&'static str, &'static str)], Option<&'static [(&'static str, &'static str)]>);
        let rows: Vec<Row> = vec![
            (
                json!({"source_labels": ["a"], "action": "keep", "regex": "x"}),
                &[("a", "x")],
                Some(&[("a", "x")]),
            ),
            // a regex holds for the whole value
            (json!({"source_labels": ["a"], "action": "keep", "regex": "x"}), &[("a", "xx")], None),
            (json!({"source_labels": ["a", "b"], "action": "drop", "regex": "x;"}), &[("a", "x")], None),
            (json!({"source_labels": ["a"], "action": "Drop", "regex": "x"}), &[("a", "x")], None),
            (
                json!({"source_labels": ["a"], "target_label": "b"}),
                &[("a", "x")],
                Some(&[("a", "x"), ("b", "x")]),
            ),
            (
                json!({"source_labels": ["a", "p"], "regex": "([^:]+)(?::\\d+)?;(\\d+)", "replacement": "$1:$2", "target_label": "a"}),
                &[("a", "10.0.0.1:80"), ("p", "9102")],
                Some(&[("a", "10.0.0.1:9102"), ("p", "9102")]),
            ),
            // what does not match changes nothing; what becomes empty goes
            (
                json!({"source_labels": ["a"], "regex": "y", "target_label": "b"}),
                &[("a", "x")],
                Some(&[("a", "x")]),
            ),
            (json!({"replacement": "", "target_label": "a"}), &[("a", "x")], Some(&[])),
            (
                json!({"source_labels": ["a"], "action": "keepequal", "target_label": "b"}),
                &[("a", "1"), ("b", "2")],
                None,
            ),
            (
                json!({"source_labels": ["a"], "action": "dropequal", "target_label": "b"}),
                &[("a", "1"), ("b", "1")],
                None,
            ),
            (
                json!({"action": "labelmap", "regex": "m_(.+)"}),
                &[("m_a", "1")],
                Some(&[("a", "1"), ("m_a", "1")]),
            ),
            (
                json!({"action": "labeldrop", "regex": "m_.*"}),
                &[("m_a", "1"), ("b", "2")],
                Some(&[("b", "2")]),
            ),
            (
                json!({"action": "labelkeep", "regex": "m_.*"}),
                &[("m_a", "1"), ("b", "2")],
                Some(&[("m_a", "1")]),
            ),
            (
                json!({"source_labels": ["a"], "action": "uppercase", "target_label": "a"}),
                &[("a", "x")],
                Some(&[("a", "X")]),
            ),
        ];
        for (config, start, expected) in rows {
            assert_eq!(followed(json!([config]), start).labels, expected.map(labels), "{config}");
        }
    }

    #[test]
    fn the_rule_that_drops_is_named_with_what_it_saw() {
        let course = followed(
            json!([{"source_labels": ["a"], "target_label": "b"},
                {"source_labels": ["scrape", "b"], "action": "keep", "regex": "true;.*"}]),
            &[("a", "1"), ("scrape", "True")],
        );
        let step = course.dropped().unwrap();
        assert_eq!((step.number, step.saw.as_str()), (2, "True;1"));
        assert_eq!(step.rule, "keep where scrape;b matches \"true;.*\"");
        assert_eq!(course.steps[0].changed, labels(&[("b", "1")]));
    }

    #[test]
    fn what_cannot_be_followed_is_not_guessed() {
        let course = followed(
            json!([{"source_labels": ["a"], "action": "hashmod", "modulus": 2, "target_label": "b"}]),
            &[],
        );
        assert!(course.unknown.unwrap().contains("rule 1"));
        assert!(rules(&json!([{"regex": "("}])).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(action in "[a-z]{0,10}", regex in ".{0,12}", target in ".{0,6}", replacement in ".{0,8}", value in ".{0,12}") {
            let config = json!([{"action": action, "regex": regex, "target_label": target, "replacement": replacement, "source_labels": ["a"]}]);
            if let Ok(rules) = rules(&config) {
                let _ = follow(&rules, &labels(&[("a", &value)]));
            }
        }
    }
}
