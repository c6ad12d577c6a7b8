//! CustomResourceDefinitions: may the one on the cluster become the one that the bundle brings? They
//! belong to the cluster and hold everybody's objects, so they are changed forward only, never made
//! anew, and one of somebody else is used as it is where it serves what we need.

use serde_json::Value;

use crate::object::labels;

/// Why a definition cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What happened, to which definition.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// Why a definition that is not to be changed cannot be used either; None when it can.
pub fn unusable(desired: &Value, live: &Value) -> Option<Problem> {
    if serves(live, desired) {
        return None;
    }
    let missing = wanted(desired, live);
    Some(if is_foreign(live) {
        Problem {
            why: format!("{} is managed by somebody else and does not serve {missing}", title(live)),
            hint: "update it where it comes from, or let kubectl-obs manage it: --adopt".to_owned(),
        }
    } else {
        Problem {
            why: format!(
                "{} is of a newer version, {}, and does not serve {missing} any more",
                title(live),
                text(live, "/metadata/labels/app.kubernetes.io~1version")
            ),
            hint: "it never goes back: take a version of the bundle that fits it".to_owned(),
        }
    })
}

/// Is it none of ours? It is then used and not changed.
pub fn is_foreign(live: &Value) -> bool {
    live["metadata"]["labels"][labels::MANAGED_BY] != labels::MANAGER
}

/// Does the live definition serve every version that the desired one serves, of the same kind?
pub fn serves(live: &Value, desired: &Value) -> bool {
    ["/spec/group", "/spec/names/kind", "/spec/names/plural", "/spec/scope"]
        .iter()
        .all(|field| live.pointer(field) == desired.pointer(field))
        && served(desired).all(|version| served(live).any(|other| other == version))
}

/// What applying the desired definition over the live one would break.
pub fn change_problem(desired: &Value, live: &Value) -> Option<Problem> {
    let fixed = ["/spec/group", "/spec/names/plural", "/spec/names/kind", "/spec/scope"];
    for field in fixed {
        let (from, to) = (text(live, field), text(desired, field));
        if from != to {
            let field = field.trim_start_matches('/').replace('/', ".");
            return Some(Problem {
                why: format!("{}: {field} cannot change from {from} to {to}", title(live)),
                hint: "a definition of another shape needs another name or group; the present one holds \
                       everybody's objects and is never made anew"
                    .to_owned(),
            });
        }
    }
    let stored = live.pointer("/status/storedVersions").and_then(Value::as_array);
    let lost = stored
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|version| !versions(desired).any(|other| other["name"] == *version))?;
    let (plural, group) = (text(live, "/spec/names/plural"), text(live, "/spec/group"));
    Some(Problem {
        why: format!(
            "{}: objects may be stored as {lost}, which the new definition no longer has",
            title(live)
        ),
        hint: format!(
            "write them anew (kubectl get {plural}.{group} --all-namespaces -o yaml | kubectl replace -f -), then \
             take {lost} out of status.storedVersions"
        ),
    })
}

/// `Prometheus in monitoring.coreos.com/v1`: the first thing that is missing.
fn wanted(desired: &Value, live: &Value) -> String {
    let kind = text(desired, "/spec/names/kind");
    let group = text(desired, "/spec/group");
    let missing = served(desired).find(|version| !served(live).any(|other| other == *version));
    match missing.or_else(|| served(desired).next()) {
        Some(version) => format!("{kind} in {group}/{version}"),
        None => format!("{kind} in {group}"),
    }
}

fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// The versions that it serves.
pub fn served(crd: &Value) -> impl Iterator<Item = &str> {
    versions(crd).filter(|version| version["served"] == true).filter_map(|version| version["name"].as_str())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn name(crd: &Value) -> &str {
    text(crd, "/metadata/name")
}

fn title(crd: &Value) -> String {
    format!("CustomResourceDefinition {}", name(crd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn crd(versions: &[(&str, bool)], stored: &[&str]) -> Value {
        let versions: Vec<Value> =
            versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "probes.monitoring.coreos.com",
                         "labels": {"app.kubernetes.io/managed-by": "kubectl-obs"}},
            "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced",
                     "names": {"kind": "Probe", "plural": "probes"}, "versions": versions},
            "status": {"storedVersions": stored},
        })
    }

    fn with(mut crd: Value, pointer: &str, value: Value) -> Value {
        *crd.pointer_mut(pointer).unwrap() = value;
        crd
    }

    #[test]
    fn a_definition_moves_forward() {
        let live = crd(&[("v1alpha1", true)], &["v1alpha1"]);
        let next = crd(&[("v1alpha1", true), ("v1", true)], &[]);
        assert_eq!(change_problem(&next, &live), None);
        let stored_anew = crd(&[("v1alpha1", false), ("v1", true)], &["v1"]);
        assert_eq!(change_problem(&crd(&[("v1", true)], &[]), &stored_anew), None);
    }

    #[test]
    fn a_version_that_objects_are_stored_in_stays() {
        let live = crd(&[("v1alpha1", true), ("v1", true)], &["v1alpha1", "v1"]);
        let problem = change_problem(&crd(&[("v1", true)], &[]), &live).unwrap();
        assert_eq!(
            problem.why,
            "CustomResourceDefinition probes.monitoring.coreos.com: objects may be stored as v1alpha1, which the \
             new definition no longer has"
        );
        assert!(problem.hint.contains("kubectl get probes.monitoring.coreos.com"), "{}", problem.hint);
    }

    #[test]
    fn what_a_definition_is_does_not_change() {
        let live = crd(&[("v1", true)], &["v1"]);
        for (field, to) in
            [("/spec/scope", "Cluster"), ("/spec/names/kind", "Other"), ("/spec/names/plural", "others")]
        {
            let problem = change_problem(&with(live.clone(), field, json!(to)), &live).unwrap();
            assert!(problem.why.ends_with(&format!("to {to}")), "{}", problem.why);
        }
    }

    #[test]
    fn one_that_may_not_be_changed_is_used_if_it_serves_what_we_need() {
        let foreign = |versions| with(crd(versions, &["v1"]), "/metadata/labels", json!({}));
        let desired = crd(&[("v1", true), ("v1beta1", false)], &[]);
        assert!(is_foreign(&foreign(&[])));
        for (live, problem) in [
            (foreign(&[("v1", true)]), false),
            (foreign(&[("v2", true), ("v1", true)]), false),
            (foreign(&[("v1", false), ("v2", true)]), true),
            (with(foreign(&[("v1", true)]), "/spec/names/kind", json!("Other")), true),
            (with(foreign(&[("v1", true)]), "/spec/scope", json!("Cluster")), true),
        ] {
            assert_eq!(unusable(&desired, &live).is_some(), problem, "{live}");
            assert_eq!(serves(&live, &desired), !problem);
        }
        let why = |live: &Value| unusable(&desired, live).unwrap().why;
        assert_eq!(
            why(&foreign(&[("v2", true)])),
            "CustomResourceDefinition probes.monitoring.coreos.com is managed by somebody else and does not serve \
             Probe in monitoring.coreos.com/v1"
        );
        let mut newer = crd(&[("v2", true)], &[]);
        newer["metadata"]["labels"][labels::VERSION] = json!("2.0.0");
        assert_eq!(
            why(&newer),
            "CustomResourceDefinition probes.monitoring.coreos.com is of a newer version, 2.0.0, and does not serve \
             Probe in monitoring.coreos.com/v1 any more"
        );
    }
}
