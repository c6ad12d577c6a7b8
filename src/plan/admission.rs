//! Which admission webhooks and policies of the cluster have a say in a kind: what their
//! configurations match by group and resource. Namespaces and labels that they choose are not looked
//! at, so that a say is named which they may not have, never the other way round.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::object::Kind;

/// The admission webhooks and policies of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admission {
    known: Vec<Matcher>,
    /// Some of them may not be read.
    unknown: bool,
}

/// What one webhook or policy matches.
#[derive(Debug, Clone, PartialEq)]
struct Matcher {
    name: String,
    /// Does it change objects?
    mutates: bool,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
}

impl Admission {
    /// From the objects of the admissionregistration.k8s.io group. `all` is false when some kinds of
    /// them may not be listed.
    pub fn of(configurations: &[Value], all: bool) -> Self {
        Self { known: configurations.iter().flat_map(matchers).collect(), unknown: !all }
    }

    /// May any of them have a say in objects of this kind?
    pub fn concerns(&self, kind: &Kind) -> bool {
        self.unknown || self.known.iter().any(|matcher| matcher.matches(kind))
    }

    /// Those that may have a say in objects of this kind, by name.
    pub fn names(&self, kind: &Kind) -> BTreeSet<&str> {
        self.those(kind, |_| true)
    }

    /// Those that may change objects of this kind, by name.
    pub fn mutating(&self, kind: &Kind) -> BTreeSet<&str> {
        self.those(kind, |matcher| matcher.mutates)
    }

    fn those(&self, kind: &Kind, which: impl Fn(&Matcher) -> bool) -> BTreeSet<&str> {
        let found = self.known.iter().filter(|matcher| which(matcher) && matcher.matches(kind));
        found.map(|matcher| matcher.name.as_str()).collect()
    }
}

impl Matcher {
    fn matches(&self, kind: &Kind) -> bool {
        let has = |list: &[String], name: &str| list.iter().any(|one| one == "*" || one == name);
        let resource = |list: &[String]| has(list, &kind.plural) || list.iter().any(|one| one == "*/*");
        self.rules.iter().any(|rule| has(&rule.groups, &kind.group) && resource(&rule.resources))
    }
}

fn matchers(configuration: &Value) -> Vec<Matcher> {
    let kind = configuration["kind"].as_str().unwrap_or_default();
    let mutates = kind.starts_with("Mutating");
    let name = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    if kind.ends_with("WebhookConfiguration") {
        let hooks = configuration["webhooks"].as_array().into_iter().flatten();
        return hooks
            .map(|hook| Matcher {
                name: format!("webhook {}", name(&hook["name"])),
                mutates,
                rules: rules(&hook["rules"]),
            })
            .collect();
    }
    let word = if mutates { "mutating admission policy" } else { "validating admission policy" };
    vec![Matcher {
        name: format!("{word} {}", name(&configuration["metadata"]["name"])),
        mutates,
        rules: rules(&configuration["spec"]["matchConstraints"]["resourceRules"]),
    }]
}

fn rules(list: &Value) -> Vec<Rule> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let rules = list.as_array().into_iter().flatten();
    rules
        .map(|rule| Rule { groups: texts(&rule["apiGroups"]), resources: texts(&rule["resources"]) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::builtin;
    use serde_json::json;

    fn config_maps() -> Kind {
        Kind::namespaced("", "ConfigMap", "configmaps")
    }

    #[test]
    fn rules_match_by_group_and_resource() {
        let hook = |groups: Value, resources: Value| {
            json!({"kind": "MutatingWebhookConfiguration", "webhooks": [
                {"name": "a.example.com", "rules": [{"apiGroups": groups, "resources": resources}]}]})
        };
        for (groups, resources, matches) in [
            (json!([""]), json!(["configmaps"]), true),
            (json!(["*"]), json!(["*"]), true),
            (json!(["*"]), json!(["*/*"]), true),
            (json!(["apps"]), json!(["*"]), false),
            (json!([""]), json!(["configmaps/status", "pods"]), false),
        ] {
            let admission = Admission::of(&[hook(groups, resources)], true);
            assert_eq!(admission.concerns(&config_maps()), matches);
            assert_eq!(admission.mutating(&config_maps()).len(), usize::from(matches));
        }
    }

    #[test]
    fn a_policy_has_a_say_and_changes_nothing() {
        let policy = json!({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "resources": ["configmaps"]}]}}});
        let admission = Admission::of(&[policy], true);
        assert!(admission.concerns(&config_maps()));
        assert!(admission.mutating(&config_maps()).is_empty());
        assert!(!admission.concerns(&builtin::secrets()));
        assert!(
            Admission::of(&[], false).concerns(&builtin::secrets()),
            "what may not be read may be anything"
        );
    }
}
