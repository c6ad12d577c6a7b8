//! Who reaches Grafana, and whom it reaches: judged by all of the stack's network policies together, as a
//! cluster judges, from both ends of each connection. What it needs is allowed, and nothing else.

use kubectl_obs::render::Rendered;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{bundle, everything, merged, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("grafana::the_network_lets_pass_what_it_needs_and_nothing_else", flows),
        trial("grafana::an_entrance_and_named_peers_widen_it_by_just_that", widened),
        trial("grafana::policies_are_judged_as_a_cluster_does", judged),
    ]
}

const HERE: &str = "observability";

/// An end of a connection: a pod by namespace and labels, or an address somewhere else.
#[derive(Debug, Clone)]
struct End {
    namespace: &'static str,
    labels: Value,
    /// Numbers of named ports.
    ports: Vec<(String, u64)>,
}

fn other(namespace: &'static str, name: &str) -> End {
    End { namespace, labels: json!({"app.kubernetes.io/name": name}), ports: Vec::new() }
}

/// An address outside of the cluster: no selector finds it.
fn outside() -> End {
    End { namespace: "", labels: json!({}), ports: Vec::new() }
}

/// A pod of the stack.
fn pod(stack: &Rendered, component: &str) -> End {
    let name = format!("obs-{component}");
    let workload = stack
        .objects
        .iter()
        .map(kubectl_obs::object::Object::value)
        .find(|object| object["metadata"]["name"] == name && object["spec"]["template"].is_object());
    let template = &workload.unwrap_or_else(|| panic!("no workload {name}"))["spec"]["template"];
    let containers = template["spec"]["containers"].as_array().unwrap().iter();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let ports = ports.map(|port| {
        (port["name"].as_str().unwrap_or_default().to_owned(), port["containerPort"].as_u64().unwrap())
    });
    End { namespace: HERE, labels: template["metadata"]["labels"].clone(), ports: ports.collect() }
}

fn matches(selector: &Value, labels: &Value) -> bool {
    assert!(selector["matchExpressions"].is_null(), "not judged here: {selector}");
    selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value)
}

/// Is it the end that an entry of from or to means, in a policy of this namespace?
fn meant(peer: &Value, end: &End, namespace: &str) -> bool {
    assert!(peer["ipBlock"].is_null(), "not judged here: {peer}");
    let of_namespace = match peer.get("namespaceSelector") {
        None => end.namespace == namespace,
        Some(selector) => {
            !end.namespace.is_empty()
                && matches(selector, &json!({"kubernetes.io/metadata.name": end.namespace}))
        }
    };
    of_namespace && peer.get("podSelector").is_none_or(|selector| matches(selector, &end.labels))
}

/// Do the policies of one end let the connection pass?
fn passes(
    policies: &[Value],
    direction: &str,
    subject: &End,
    peer: &End,
    target: &End,
    port: (u64, &str),
) -> bool {
    let (list, peers) = if direction == "Ingress" { ("ingress", "from") } else { ("egress", "to") };
    let of_subject: Vec<&Value> = policies
        .iter()
        .filter(|policy| {
            policy["metadata"]["namespace"] == subject.namespace
                && matches(&policy["spec"]["podSelector"], &subject.labels)
                && policy["spec"]["policyTypes"].as_array().unwrap().contains(&json!(direction))
        })
        .collect();
    let rules = of_subject.iter().flat_map(|policy| {
        let rules = policy["spec"][list].as_array().into_iter().flatten();
        rules.map(|rule| (rule, policy["metadata"]["namespace"].as_str().unwrap()))
    });
    let mut rules = rules.filter(|(rule, namespace)| {
        let there =
            rule[peers].as_array().is_none_or(|all| all.iter().any(|one| meant(one, peer, namespace)));
        let fits = |one: &Value| {
            let number = one["port"].as_u64().or_else(|| {
                target.ports.iter().find(|(name, _)| one["port"] == *name).map(|(_, number)| *number)
            });
            number == Some(port.0) && one["protocol"].as_str().unwrap_or("TCP") == port.1
        };
        there && rule["ports"].as_array().is_none_or(|all| all.iter().any(fits))
    });
    of_subject.is_empty() || rules.next().is_some()
}

fn allowed(policies: &[Value], from: &End, to: &End, port: (u64, &str)) -> bool {
    passes(policies, "Egress", from, to, to, port) && passes(policies, "Ingress", to, from, to, port)
}

fn stack(over: &Value) -> (Rendered, Vec<Value>) {
    let stack = bundle("stack");
    let rendered = rendered(&stack, &merged(stack.effective_defaults(), over));
    let policies = rendered.objects.iter().filter(|object| object.kind() == "NetworkPolicy");
    let policies = policies.map(|object| object.value().clone()).collect();
    (rendered, policies)
}

fn flows() {
    let (stack, policies) = stack(&json!({}));
    let [grafana, prometheus, alertmanager] =
        ["grafana", "prometheus", "alertmanager"].map(|component| pod(&stack, component));
    let dns = other("kube-system", "coredns");
    let ours = other(HERE, "somebody");
    let theirs = other("shop", "shop");
    let tcp = |port| (port, "TCP");
    for (what, from, to, port) in [
        ("it asks Prometheus", &grafana, &prometheus, tcp(9090)),
        ("it asks Alertmanager", &grafana, &alertmanager, tcp(9093)),
        ("it looks up names", &grafana, &dns, (53, "UDP")),
        ("long answers come by TCP", &grafana, &dns, tcp(53)),
        ("pods of the DNS may listen elsewhere", &grafana, &dns, (5353, "UDP")),
        ("Prometheus scrapes it", &prometheus, &grafana, tcp(3000)),
        ("a proxy of the namespace leads to it", &ours, &grafana, tcp(3000)),
    ] {
        assert!(allowed(&policies, from, to, port), "{what}: it cannot");
    }
    for (what, from, to, port) in [
        ("another namespace asks it", &theirs, &grafana, tcp(3000)),
        ("somebody asks another port", &ours, &grafana, tcp(9999)),
        ("somebody asks by UDP", &ours, &grafana, (3000, "UDP")),
        ("it asks an application", &grafana, &theirs, tcp(8000)),
        ("it calls home", &grafana, &outside(), tcp(443)),
        ("it asks the DNS for more", &grafana, &dns, tcp(8080)),
        ("it asks the API server", &grafana, &outside(), tcp(6443)),
    ] {
        assert!(!allowed(&policies, from, to, port), "{what}: it can");
    }
}

fn widened() {
    let ingress = other("ingress-nginx", "ingress-nginx");
    let theirs = other("shop", "shop");
    let database = other("db", "postgres");
    let at = |over: Value| {
        let (stack, policies) = stack(&json!({"grafana": over}));
        (pod(&stack, "grafana"), policies)
    };
    let namespace =
        |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    // whoever may enter is said
    let expose = json!({"type": "ingress", "host": "a.test"});
    let (grafana, policies) =
        at(json!({"expose": expose, "networkPolicy": {"allowFrom": [namespace("ingress-nginx")]}}));
    assert!(allowed(&policies, &ingress, &grafana, (3000, "TCP")));
    assert!(!allowed(&policies, &theirs, &grafana, (3000, "TCP")));
    assert!(!allowed(&policies, &grafana, &ingress, (443, "TCP")), "and nothing out");
    // an entrance without it: the controller is anywhere, its port is one
    let (grafana, policies) = at(json!({"expose": expose}));
    assert!(allowed(&policies, &theirs, &grafana, (3000, "TCP")));
    assert!(!allowed(&policies, &theirs, &grafana, (3001, "TCP")));
    // out to a database of its own
    let (grafana, policies) = at(json!({
        "database": {"type": "postgres", "host": "postgres.db:5432", "secret": {"name": "db"}},
        "networkPolicy": {"allowTo": [namespace("db")]},
    }));
    assert!(allowed(&policies, &grafana, &database, (5432, "TCP")));
    assert!(!allowed(&policies, &grafana, &theirs, (8000, "TCP")));
    assert!(!allowed(&policies, &theirs, &grafana, (3000, "TCP")));
    // off, for the stack or for Grafana alone
    for over in [
        json!({"global": {"networkPolicy": {"enabled": false}}}),
        json!({"grafana": {"networkPolicy": {"enabled": false}}}),
    ] {
        let (stack, policies) = stack(&over);
        assert!(allowed(&policies, &theirs, &pod(&stack, "grafana"), (3000, "TCP")), "{over}");
    }
    // whoever finds dashboards asks the API server, which no selector finds
    let (stack, policies) = stack(&everything());
    assert!(allowed(&policies, &pod(&stack, "grafana"), &outside(), (6443, "TCP")));
}

/// The judge itself: no policy allows all, one allows what it lists, several add up.
fn judged() {
    let a = other(HERE, "a");
    let b = other(HERE, "b");
    let policy = |spec: Value| json!({"metadata": {"namespace": HERE}, "spec": spec});
    let to_b = json!({"matchLabels": {"app.kubernetes.io/name": "b"}});
    let shut = policy(json!({"podSelector": to_b, "policyTypes": ["Ingress"], "ingress": []}));
    let open = policy(json!({"podSelector": to_b, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 1}]}]}));
    let out =
        policy(json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 2}]}]}));
    let port = (1, "TCP");
    for (policies, expected) in [
        (vec![], true),
        (vec![shut.clone()], false),
        (vec![shut, open.clone()], true),
        (vec![open.clone(), out], false),
    ] {
        assert_eq!(allowed(&policies, &a, &b, port), expected, "{policies:?}");
    }
    assert!(!allowed(&[open], &outside(), &b, port));
}
