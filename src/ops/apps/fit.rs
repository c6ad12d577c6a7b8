//! Does what `apps` says fit the pods that there are? For `kubectl obs apps`, and for the checks before an
//! install, where none of it stands in the way: monitoring is often there first. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pods::{is_over, is_part, list, ports, sidecars, text};
use crate::words::count;

/// What is known of the namespaces that the applications are in.
#[derive(Debug, Default)]
pub struct Around<'p> {
    /// Their pods.
    pub pods: &'p [Value],
    /// Namespaces that do not exist.
    pub absent: BTreeSet<String>,
    /// Namespaces with more pods than are known: what is not found there may be there all the same.
    pub unsure: BTreeSet<String>,
}

/// Something in `apps` that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The place of the application in the list.
    pub app: usize,
    /// Is it that no container declares the port? Nobody has to: what answers there is well all the same.
    pub undeclared: bool,
    /// What is wrong and what to do, behind the path of the value.
    pub text: String,
}

/// What does not fit, in the order of the values.
pub fn misfits(values: &Value, around: &Around<'_>) -> Vec<Misfit> {
    let apps: Vec<&Value> = list(&values["apps"]).collect();
    let pods: Vec<Vec<&Value>> = apps.iter().map(|app| own(app, around.pods)).collect();
    let mut found = Vec::new();
    for (place, app) in apps.iter().enumerate() {
        let namespace = text(&app["namespace"]);
        let mut say = |undeclared: bool, field: &str, what: String| {
            found.push(Misfit { app: place, undeclared, text: format!("apps[{place}].{field}: {what}") });
        };
        if around.absent.contains(&namespace) {
            say(
                false,
                "namespace",
                format!(
                    "namespace {namespace} does not exist: {} is watched as soon as it runs there; correct the name if it is another",
                    text(&app["name"])
                ),
            );
            continue;
        }
        for (before, other) in apps[..place].iter().enumerate() {
            if let Some(what) = shared(before, other, &pods[before], &pods[place]) {
                say(false, "selector", what);
            }
        }
        if around.unsure.contains(&namespace) {
            continue;
        }
        if pods[place].is_empty() {
            say(
                false,
                "selector",
                format!(
                    "no pod in namespace {namespace} has {}: it is watched as soon as there is one; \
                     kubectl get pods -n {namespace} --show-labels shows what labels there are",
                    selector(app)
                ),
            );
            continue;
        }
        match &app["port"] {
            Value::String(name) => {
                if let Some(what) = unnamed(name, &pods[place]) {
                    say(false, "port", what);
                }
            }
            port => {
                if let Some(what) = port.as_u64().and_then(|port| undeclared(port, &pods[place])) {
                    say(true, "port", what);
                }
            }
        }
    }
    found
}

/// The pods that an application takes. What has ended is scraped no more.
fn own<'p>(app: &Value, pods: &'p [Value]) -> Vec<&'p Value> {
    let meant = |pod: &&Value| {
        pod["metadata"]["namespace"] == app["namespace"]
            && is_part(&app["selector"], &pod["metadata"]["labels"])
            && !is_over(pod)
    };
    pods.iter().filter(meant).collect()
}

/// `app=orders, tier=web`
fn selector(app: &Value) -> String {
    let labels = app["selector"].as_object().into_iter().flatten();
    labels.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(", ")
}

/// Pods that another application takes, too.
fn shared(place: usize, other: &Value, theirs: &[&Value], ours: &[&Value]) -> Option<String> {
    // both lists point into the same one
    let both: Vec<&&Value> =
        ours.iter().filter(|pod| theirs.iter().any(|their| std::ptr::eq(**pod, *their))).collect();
    let pod = format!("{}/{}", text(&other["namespace"]), text(&both.first()?["metadata"]["name"]));
    let pods = match both.len() {
        1 => format!("pod {pod}, which"),
        more => format!("{more} pods (one is {pod}) that"),
    };
    Some(format!(
        "takes {pods} apps[{place}] ({}) takes, too: they are scraped for both; add a label to one of the \
         selectors that only its own pods have",
        text(&other["name"])
    ))
}

/// A name that no port has.
fn unnamed(name: &str, pods: &[&Value]) -> Option<String> {
    let all = || pods.iter().flat_map(|pod| ports(pod));
    if all().any(|(known, _)| known == name) {
        return None;
    }
    let there: BTreeSet<&str> = all().map(|(name, _)| name).filter(|name| !name.is_empty()).collect();
    let there: Vec<&str> = there.into_iter().collect();
    let others = match there.is_empty() {
        true => "none has a name; give the number".to_owned(),
        false => format!("there are: {}; name one of them, or give a number", there.join(", ")),
    };
    Some(format!("no container of its {} has a port named {name}; {others}", count(pods.len(), "pod")))
}

/// A number that no container declares, where they declare others: pods without any say nothing of theirs.
fn undeclared(port: u64, pods: &[&Value]) -> Option<String> {
    let all = || pods.iter().flat_map(|pod| ports(pod).chain(sidecars(pod)));
    let there: BTreeSet<(u16, &str)> = all().map(|(name, number)| (number, name)).collect();
    if there.is_empty() || there.iter().any(|(known, _)| u64::from(*known) == port) {
        return None;
    }
    let named = |(number, name): &(u16, &str)| match name.is_empty() {
        true => number.to_string(),
        false => format!("{number} ({name})"),
    };
    Some(format!(
        "no container of its {} declares port {port}; there are: {}; take one of them, unless something \
         listens at {port} all the same",
        count(pods.len(), "pod"),
        there.iter().map(named).collect::<Vec<_>>().join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, labels: Value, ports: Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name, "labels": labels},
            "spec": {"containers": [{"ports": ports}]}, "status": {"phase": "Running"}})
    }

    fn said(values: &Value, around: &Around<'_>) -> Vec<String> {
        misfits(values, around).into_iter().map(|misfit| misfit.text).collect()
    }

    #[test]
    fn what_finds_no_pod_is_said_with_the_path_of_the_value() {
        let values = json!({"apps": [
            {"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": "metrics"},
            {"name": "later", "namespace": "shop", "selector": {"app": "later", "tier": "x"}, "port": 80},
            {"name": "away", "namespace": "nowhere", "selector": {"app": "away"}, "port": 80},
            {"name": "over", "namespace": "shop", "selector": {"app": "over"}, "port": 80}]});
        let mut over = pod("over", json!({"app": "over"}), json!([]));
        over["status"]["phase"] = "Succeeded".into();
        let named = json!([{"name": "http", "containerPort": 80}]);
        let pods = [pod("a", json!({"app": "orders"}), named), over];
        let around = Around { pods: &pods, absent: ["nowhere".to_owned()].into(), ..Around::default() };
        assert_eq!(
            said(&values, &around),
            [
                "apps[0].port: no container of its 1 pod has a port named metrics; there are: http; name one of them, or give a number",
                "apps[1].selector: no pod in namespace shop has app=later, tier=x: it is watched as soon as there is one; kubectl get pods -n shop --show-labels shows what labels there are",
                "apps[2].namespace: namespace nowhere does not exist: away is watched as soon as it runs there; correct the name if it is another",
                "apps[3].selector: no pod in namespace shop has app=over: it is watched as soon as there is one; kubectl get pods -n shop --show-labels shows what labels there are",
            ]
        );
    }

    #[test]
    fn a_number_is_one_that_a_container_declares() {
        let app = |name: &str, port: u16| json!({"name": name, "namespace": "shop", "selector": {"app": name}, "port": port});
        let values =
            json!({"apps": [app("typo", 8000), app("right", 80), app("silent", 80), app("sidecar", 9901)]});
        let declared = json!([{"name": "web", "containerPort": 80}, {"containerPort": 9000}]);
        let mut sidecar = pod("d", json!({"app": "sidecar"}), declared.clone());
        sidecar["spec"]["initContainers"] =
            json!([{"restartPolicy": "Always", "ports": [{"containerPort": 9901}]}]);
        let pods = [
            pod("a", json!({"app": "typo"}), declared.clone()),
            pod("b", json!({"app": "right"}), declared),
            pod("c", json!({"app": "silent"}), Value::Null),
            sidecar,
        ];
        let found = misfits(&values, &Around { pods: &pods, ..Around::default() });
        let text = "apps[0].port: no container of its 1 pod declares port 8000; there are: 80 (web), 9000; take one of them, unless something listens at 8000 all the same".to_owned();
        assert_eq!(found, [Misfit { app: 0, undeclared: true, text }]);
    }

    #[test]
    fn pods_that_two_apps_take_are_named() {
        let values = json!({"apps": [
            {"name": "web", "namespace": "shop", "selector": {"tier": "web"}, "port": 80},
            {"name": "orders", "namespace": "shop", "selector": {"app": "orders"}, "port": 80},
            {"name": "elsewhere", "namespace": "other", "selector": {"app": "orders"}, "port": 80}]});
        let both = json!({"app": "orders", "tier": "web"});
        let port = json!([{"containerPort": 80}]);
        let mut other = pod("o", both.clone(), port.clone());
        other["metadata"]["namespace"] = "other".into();
        let pods = vec![pod("orders-1", both.clone(), port.clone()), other];
        let more = [pods.clone(), vec![pod("orders-2", both, port)]].concat();
        let around = |pods| Around { pods, unsure: ["shop".to_owned()].into(), ..Around::default() };
        assert_eq!(
            said(&values, &around(&pods)),
            [
                "apps[1].selector: takes pod shop/orders-1, which apps[0] (web) takes, too: they are scraped for both; add a label to one of the selectors that only its own pods have"
            ]
        );
        let more = said(&values, &around(&more));
        assert!(more[0].contains("takes 2 pods (one is shop/orders-1) that apps[0] (web)"), "{more:?}");
    }

    #[test]
    fn where_not_all_pods_are_known_nothing_is_missed() {
        let values = json!({"apps": [{"name": "a", "namespace": "shop", "selector": {"app": "a"}, "port": "metrics"}]});
        let pods = [pod("a", json!({"app": "a"}), json!([{"containerPort": 80}]))];
        for pods in [&pods[..], &[]] {
            let around = Around { pods, unsure: ["shop".to_owned()].into(), ..Around::default() };
            assert_eq!(said(&values, &around), [""; 0]);
        }
    }
}
