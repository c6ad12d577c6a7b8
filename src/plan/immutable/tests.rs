//! What becomes of which change. Each line is (what, change of the object, outcome); the live object
//! is what the server makes of the object as we applied it before.

use serde_json::{Map, Value, json};

use super::*;

/// The live twin: with our managed fields, as apply leaves them.
fn applied(object: &Value) -> Value {
    let mut live = object.clone();
    live["metadata"]["uid"] = json!("u");
    live["metadata"]["managedFields"] =
        json!([{"manager": "kubectl-obs", "operation": "Apply", "fieldsV1": fields_of(object)}]);
    live
}

/// fieldsV1 for maps; a list is owned as a whole, which is enough for what is asked here.
fn fields_of(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(key, value)| (format!("f:{key}"), fields_of(value))).collect())
}

/// RFC 7386.
fn merged(base: &Value, patch: &Value) -> Value {
    let (Value::Object(base), Value::Object(patch)) = (base, patch) else { return patch.clone() };
    let mut out: Map<String, Value> = base.clone();
    for (key, value) in patch {
        match value {
            Value::Null => drop(out.remove(key)),
            _ => drop(out.insert(key.clone(), merged(base.get(key).unwrap_or(&json!({})), value))),
        }
    }
    Value::Object(out)
}

fn object(api_version: &str, kind: &str, rest: Value) -> Value {
    merged(
        &json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "n"}}),
        &rest,
    )
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    InPlace,
    /// Without asking.
    Anew,
    /// Without asking, and the pods stay.
    Around,
    /// Refused, and made anew when named.
    Asked,
    /// Refused, and made anew around its pods when named.
    AskedAround,
    /// Refused, whatever is named.
    Never,
}
use Expected::{Anew, Around as AroundPods, Asked, AskedAround, InPlace, Never};

fn expected(desired: &Value, live: &Value, around: &Around) -> Expected {
    let named = judge(desired, live, &Around { recreate_allowed: true, ..*around });
    match (judge(desired, live, around), named) {
        (Outcome::InPlace, _) => InPlace,
        (Outcome::Recreate { orphan: false, .. }, _) => Anew,
        (Outcome::Recreate { orphan: true, .. }, _) => AroundPods,
        (Outcome::Refuse { .. }, Outcome::Recreate { orphan: false, .. }) => Asked,
        (Outcome::Refuse { .. }, Outcome::Recreate { orphan: true, .. }) => AskedAround,
        (Outcome::Refuse { .. }, Outcome::Refuse { .. }) => Never,
        other => panic!("{other:?}"),
    }
}

fn check(base: &Value, cases: &[(&str, Value, Expected)]) {
    for (what, change, outcome) in cases {
        let found = expected(&merged(base, change), &applied(base), &Around::default());
        assert_eq!(found, *outcome, "{} {what}: {change}", base["kind"]);
    }
}

#[test]
fn workloads_keep_their_selector() {
    for kind in ["Deployment", "DaemonSet", "ReplicaSet"] {
        let base = object(
            "apps/v1",
            kind,
            json!({"spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "a", "b": "b"}},
            "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}),
        );
        check(
            &base,
            &[
                ("nothing", json!({}), InPlace),
                ("labels", json!({"metadata": {"labels": {"a": "b"}}}), InPlace),
                (
                    "image",
                    json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}),
                    InPlace,
                ),
                ("replicas given up", json!({"spec": {"replicas": null}}), InPlace),
                ("another label", json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}), Asked),
                ("a label less", json!({"spec": {"selector": {"matchLabels": {"b": null}}}}), Asked),
                ("a label more", json!({"spec": {"selector": {"matchLabels": {"c": "c"}}}}), Asked),
            ],
        );
    }
    let custom = object("example.com/v1", "Deployment", json!({"spec": {"selector": {"a": "b"}}}));
    check(&custom, &[("another group's kind", json!({"spec": {"selector": {"a": "c"}}}), InPlace)]);
}

#[test]
fn jobs_are_replaced() {
    let template = json!({"spec": {"restartPolicy": "Never", "nodeSelector": {"a": "b"}, "containers": [{"name": "c", "image": "i:1"}]}});
    let base = object(
        "batch/v1",
        "Job",
        json!({"spec": {"completions": 1, "parallelism": 1, "template": template}}),
    );
    let image = json!([{"name": "c", "image": "i:2"}]);
    check(
        &base,
        &[
            ("nothing", json!({}), InPlace),
            ("parallelism", json!({"spec": {"parallelism": 2}}), InPlace),
            ("backoff", json!({"spec": {"backoffLimit": 2}}), InPlace),
            ("image", json!({"spec": {"template": {"spec": {"containers": image}}}}), Anew),
            ("a field given up", json!({"spec": {"template": {"spec": {"nodeSelector": null}}}}), Anew),
            ("completions", json!({"spec": {"completions": 2}}), Anew),
            ("mode by its default", json!({"spec": {"completionMode": "NonIndexed"}}), Anew),
        ],
    );
    // the server's own additions and defaults
    let live = merged(
        &applied(&base),
        &json!({"spec": {
        "completionMode": "NonIndexed", "suspend": false,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        "template": {"metadata": {"labels": {"job-name": "x"}}, "spec": {"dnsPolicy": "ClusterFirst"}}}}),
    );
    assert_eq!(judge(&base, &live, &Around::default()), Outcome::InPlace);
    let indexed = object(
        "batch/v1",
        "Job",
        json!({"spec": {"completionMode": "Indexed", "completions": 2, "parallelism": 2}}),
    );
    check(
        &indexed,
        &[
            ("more of all", json!({"spec": {"completions": 3, "parallelism": 3}}), InPlace),
            ("more completions", json!({"spec": {"completions": 3}}), Anew),
            ("mode given up", json!({"spec": {"completionMode": null}}), Anew),
        ],
    );
}

#[test]
fn content_that_is_fixed_and_content_that_is_not() {
    for (kind, one, two) in [("ConfigMap", "1", "2"), ("Secret", "MQ==", "Mg==")] {
        let base = object("v1", kind, json!({"immutable": true, "data": {"a": one, "b": one}}));
        check(
            &base,
            &[
                ("nothing", json!({}), InPlace),
                ("annotation", json!({"metadata": {"annotations": {"a": "b"}}}), InPlace),
                ("value", json!({"data": {"a": two}}), Asked),
                ("key less", json!({"data": {"b": null}}), Asked),
                ("key more", json!({"data": {"c": one}}), Asked),
                ("no longer fixed", json!({"immutable": false}), Asked),
                ("fixed given up", json!({"immutable": null}), Asked),
            ],
        );
        let free = object("v1", kind, json!({"data": {"a": one}}));
        check(&free, &[("fixed from now on", json!({"immutable": true, "data": {"a": two}}), InPlace)]);
    }
}

#[test]
fn secrets() {
    let base = object("v1", "Secret", json!({"immutable": true, "data": {"a": "MQ=="}}));
    check(
        &base,
        &[
            ("the same as plain text", json!({"data": null, "stringData": {"a": "1"}}), InPlace),
            ("other plain text", json!({"data": null, "stringData": {"a": "2"}}), Asked),
            ("the type by its default", json!({"type": "Opaque"}), Asked),
        ],
    );
    let typed = object("v1", "Secret", json!({"type": "example.com/a"}));
    check(
        &typed,
        &[
            ("data", json!({"data": {"a": "MQ=="}}), InPlace),
            ("type", json!({"type": "example.com/b"}), Asked),
            ("type given up", json!({"type": null}), Asked),
        ],
    );
    let mut opaque = applied(&object("v1", "Secret", json!({"type": "Opaque"})));
    assert_eq!(judge(&object("v1", "Secret", json!({})), &opaque, &Around::default()), Outcome::InPlace);
    opaque["metadata"]["annotations"] = json!({"kubectl-obs.dev/generated": "[]"});
    let other =
        object("v1", "Secret", json!({"type": "example.com/b", "data": {"password": "aHVudGVyMg=="}}));
    assert_eq!(expected(&other, &opaque, &Around::default()), Never, "its password would be lost");
}

#[test]
fn a_secret_value_is_in_no_word() {
    let base = object("v1", "Secret", json!({"immutable": true, "data": {"a": "b2xk"}}));
    let said = judge(&merged(&base, &json!({"data": {"a": "bmV3"}})), &applied(&base), &Around::default());
    assert_eq!(
        said,
        Outcome::Refuse {
            why: "Secret n/x: data.a cannot change in place".into(),
            hint: "--recreate Secret/x deletes it and makes it anew".into(),
        }
    );
}

#[test]
fn what_is_cheap_is_made_anew_without_asking() {
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        let base = object(
            "rbac.authorization.k8s.io/v1",
            kind,
            json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}, "subjects": []}),
        );
        check(
            &base,
            &[
                ("subjects", json!({"subjects": [{"kind": "Group", "name": "g"}]}), InPlace),
                ("role", json!({"roleRef": {"name": "b"}}), Anew),
            ],
        );
    }
}

#[test]
fn what_belongs_to_the_cluster_is_asked_for() {
    let class = object(
        "storage.k8s.io/v1",
        "StorageClass",
        json!({"provisioner": "a", "parameters": {"a": "1", "b": "1"}}),
    );
    check(
        &class,
        &[
            ("expansion", json!({"allowVolumeExpansion": true}), InPlace),
            ("provisioner", json!({"provisioner": "b"}), Asked),
            ("parameter", json!({"parameters": {"a": "2"}}), Asked),
            ("parameter given up", json!({"parameters": {"b": null}}), Asked),
            ("reclaim", json!({"reclaimPolicy": "Retain"}), Asked),
            ("binding", json!({"volumeBindingMode": "WaitForFirstConsumer"}), Asked),
        ],
    );
    let priority = object("scheduling.k8s.io/v1", "PriorityClass", json!({"value": 1}));
    check(
        &priority,
        &[
            ("description", json!({"description": "d"}), InPlace),
            ("value", json!({"value": 2}), Asked),
            ("preemption", json!({"preemptionPolicy": "Never"}), Asked),
        ],
    );
    let volume = object("v1", "PersistentVolume", json!({"spec": {"nfs": {"server": "a", "path": "/a"}}}));
    check(
        &volume,
        &[
            ("size", json!({"spec": {"capacity": {"storage": "2Gi"}}}), InPlace),
            (
                "nodes, said once",
                json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}}}),
                InPlace,
            ),
            ("source", json!({"spec": {"nfs": {"path": "/b"}}}), Never),
        ],
    );
}

#[test]
fn services_keep_their_addresses() {
    let base = object("v1", "Service", json!({"spec": {"ports": [{"port": 80}]}}));
    let live = |extra: Value| merged(&applied(&base), &json!({"spec": extra}));
    let given = live(
        json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}),
    );
    let headless = live(
        json!({"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"]}),
    );
    let alias = live(json!({"type": "ExternalName"}));
    let balancer = live(
        json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerClass": "a", "healthCheckNodePort": 30000}),
    );
    for (live, change, outcome) in [
        (&given, json!({}), InPlace),
        (&given, json!({"clusterIP": "10.0.0.1"}), InPlace),
        (&given, json!({"clusterIP": ""}), InPlace),
        (&given, json!({"clusterIP": "None"}), Asked),
        (&given, json!({"clusterIP": "10.0.0.2"}), Asked),
        (&given, json!({"clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv4", "IPv6"]}), InPlace),
        (&given, json!({"ipFamilies": ["IPv6", "IPv4"]}), Asked),
        (&given, json!({"type": "ExternalName", "clusterIP": "None"}), InPlace),
        (&headless, json!({}), InPlace),
        (&headless, json!({"clusterIP": "10.0.0.1"}), Asked),
        (&alias, json!({"type": "ClusterIP", "clusterIP": "None"}), InPlace),
        (&balancer, json!({"type": "LoadBalancer", "loadBalancerClass": "b"}), Asked),
        (&balancer, json!({"type": "ClusterIP"}), InPlace),
        (&balancer, json!({"type": "LoadBalancer", "healthCheckNodePort": 30001}), Asked),
    ] {
        let desired = merged(&base, &json!({"spec": change}));
        assert_eq!(expected(&desired, live, &Around::default()), outcome, "{change}");
    }
}

#[test]
fn a_definition_is_never_made_anew() {
    let base = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        json!({"spec": {"scope": "Namespaced"}}),
    );
    check(&base, &[("nothing", json!({}), InPlace), ("scope", json!({"spec": {"scope": "Cluster"}}), Never)]);
}

fn claim(name: &str, size: &str, class: &str) -> Value {
    object(
        "v1",
        "PersistentVolumeClaim",
        json!({
        "metadata": {"name": name, "uid": format!("uid-{name}")}, "status": {"phase": "Bound"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class, "volumeName": "v", "volumeMode": "Filesystem",
                 "resources": {"requests": {"storage": size}}}}),
    )
}

fn classes() -> Vec<Value> {
    ["grows", "fixed"]
        .map(|name| json!({"metadata": {"name": name}, "allowVolumeExpansion": name == "grows"}))
        .into()
}

fn template(name: &str, size: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}})
}

fn set(templates: &[Value]) -> Value {
    object(
        "apps/v1",
        "StatefulSet",
        json!({"spec": {
        "serviceName": "a", "podManagementPolicy": "Parallel", "selector": {"matchLabels": {"app": "a", "b": "b"}},
        "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}, "volumeClaimTemplates": templates}}),
    )
}

/// As the server completes it.
fn live_set(templates: &[Value]) -> Value {
    let mut live = applied(&set(templates));
    for template in live["spec"]["volumeClaimTemplates"].as_array_mut().unwrap() {
        template["apiVersion"] = json!("v1");
        template["kind"] = json!("PersistentVolumeClaim");
        template["spec"]["volumeMode"] = json!("Filesystem");
        template["status"] = json!({"phase": "Pending"});
    }
    merged(
        &live,
        &json!({"spec": {"revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}}),
    )
}

#[test]
fn a_set_is_made_anew_around_its_pods() {
    let base = set(&[template("data", "10Gi")]);
    let live = live_set(&[template("data", "10Gi")]);
    let mode = merged(&template("data", "10Gi"), &json!({"spec": {"accessModes": ["ReadWriteMany"]}}));
    let label = merged(&template("data", "10Gi"), &json!({"metadata": {"labels": {"a": "b"}}}));
    for (what, change, outcome) in [
        ("nothing", json!({}), InPlace),
        ("image", json!({"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}), InPlace),
        ("replicas", json!({"replicas": 3}), InPlace),
        ("ordinals", json!({"ordinals": {"start": 1}}), InPlace),
        ("retention", json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}), InPlace),
        ("the same size", json!({"volumeClaimTemplates": [template("data", "10240Mi")]}), InPlace),
        ("service", json!({"serviceName": "b"}), AskedAround),
        ("order of pods", json!({"podManagementPolicy": "OrderedReady"}), AskedAround),
        ("order of pods given up", json!({"podManagementPolicy": null}), AskedAround),
        ("a field of later", json!({"somethingNew": 1}), AskedAround),
        ("selector", json!({"selector": {"matchLabels": {"app": "b"}}}), Asked),
        ("selector with a label less", json!({"selector": {"matchLabels": {"b": null}}}), Asked),
        (
            "a claim more",
            json!({"volumeClaimTemplates": [template("data", "10Gi"), template("more", "1Gi")]}),
            Asked,
        ),
        ("no claims", json!({"volumeClaimTemplates": null}), AskedAround),
        ("another claim", json!({"volumeClaimTemplates": [template("other", "10Gi")]}), Asked),
        ("modes of a claim", json!({"volumeClaimTemplates": [mode]}), AskedAround),
        ("label of a claim", json!({"volumeClaimTemplates": [label]}), AskedAround),
        ("smaller, without claims", json!({"volumeClaimTemplates": [template("data", "1Gi")]}), AskedAround),
        ("larger, without claims", json!({"volumeClaimTemplates": [template("data", "20Gi")]}), AroundPods),
    ] {
        let desired = merged(&base, &json!({"spec": change}));
        assert_eq!(expected(&desired, &live, &Around::default()), outcome, "{what}");
    }
    let (one, two) = (template("a", "1Gi"), template("b", "1Gi"));
    let swapped = set(&[two.clone(), one.clone()]);
    assert_eq!(
        expected(&swapped, &live_set(&[one, two]), &Around::default()),
        AskedAround,
        "order of claims"
    );
}

#[test]
fn what_a_person_reads_about_a_set() {
    let (base, live) = (set(&[template("data", "10Gi")]), live_set(&[template("data", "10Gi")]));
    let service = merged(&base, &json!({"spec": {"serviceName": "b"}}));
    assert_eq!(
        judge(&service, &live, &Around::default()),
        Outcome::Refuse {
            why: "StatefulSet n/x: spec.serviceName cannot change in place".into(),
            hint: "--recreate StatefulSet/x deletes it and makes it anew; its pods and claims stay".into(),
        }
    );
    let all = merged(
        &service,
        &json!({"spec": {"podManagementPolicy": "OrderedReady", "volumeClaimTemplates": [template("data", "20Gi")]}}),
    );
    let claims = [claim("data-x-0", "10Gi", "grows")];
    let around = Around { claims: &claims, classes: &classes(), recreate_allowed: true };
    let Outcome::Recreate { orphan: true, grow, why } = judge(&all, &live, &around) else { panic!() };
    assert_eq!(
        why,
        "spec.serviceName, spec.podManagementPolicy cannot change in place; pods get their new DNS names when \
         they restart; volumes grow: data from 10Gi to 20Gi"
    );
    assert_eq!(grow.len(), 1);
}

#[test]
fn a_set_whose_claims_go_with_it_is_not_deleted() {
    let (base, live) = (set(&[template("data", "10Gi")]), live_set(&[template("data", "10Gi")]));
    let live =
        merged(&live, &json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}}));
    let selector = merged(&base, &json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}));
    assert_eq!(expected(&selector, &live, &Around::default()), Never);
    let service = merged(&base, &json!({"spec": {"serviceName": "b"}}));
    assert_eq!(expected(&service, &live, &Around::default()), AskedAround, "an orphan delete spares them");
}

/// (claims, new size, what is refused or which claims grow).
#[test]
fn claims_of_a_set_grow() {
    let live = live_set(&[template("data", "10Gi")]);
    let known = classes();
    let grow = |claims: &[Value], size: &str, classes: &[Value]| {
        let around = Around { claims, classes, recreate_allowed: false };
        match judge(&set(&[template("data", size)]), &live, &around) {
            Outcome::Recreate { orphan: true, grow, .. } => Ok(grow
                .into_iter()
                .map(|growth| format!("{} {:?} {} {}", growth.claim, growth.uid, growth.from, growth.to))
                .collect::<Vec<_>>()),
            Outcome::Refuse { why, hint } => Err((why, hint)),
            other => panic!("{other:?}"),
        }
    };
    let mut elsewhere = claim("data-x-3", "10Gi", "fixed");
    elsewhere["metadata"]["namespace"] = json!("m");
    let many = [
        claim("data-x-0", "10Gi", "grows"),
        claim("data-x-12", "15Gi", "grows"),
        claim("data-x-2", "50Gi", "fixed"),
        claim("data-x-y-0", "10Gi", "fixed"),
        claim("data-x-", "10Gi", "fixed"),
        claim("other-x-0", "10Gi", "fixed"),
        elsewhere,
    ];
    assert_eq!(
        grow(&many, "20Gi", &known).unwrap(),
        [
            r#"PersistentVolumeClaim n/data-x-0 Some("uid-data-x-0") 10Gi 20Gi"#,
            r#"PersistentVolumeClaim n/data-x-12 Some("uid-data-x-12") 15Gi 20Gi"#
        ]
    );
    assert_eq!(grow(&[claim("data-x-0", "20Gi", "grows")], "20Gi", &known).unwrap().len(), 0, "done before");
    assert_eq!(
        grow(&[claim("data-x-0", "10Gi", "gone")], "20Gi", &[]).unwrap().len(),
        1,
        "the server will say"
    );

    let refused = |claim: Value| grow(&[claim], "20Gi", &known).unwrap_err();
    assert_eq!(
        refused(claim("data-x-0", "10Gi", "fixed")),
        (
            "PersistentVolumeClaim n/data-x-0 cannot grow from 10Gi to 20Gi: its StorageClass fixed does not let \
             volumes grow"
                .into(),
            r#"leave the size at 10Gi; or, where the class's driver can do it: kubectl patch storageclass fixed -p '{"allowVolumeExpansion": true}'"#.into()
        )
    );
    assert!(
        refused(claim("data-x-0", "10Gi", "gone"))
            .0
            .ends_with("its StorageClass gone does not exist any more")
    );
    assert!(refused(claim("data-x-0", "10Gi", "")).0.contains("it has no StorageClass"));
    let waiting = merged(&claim("data-x-0", "10Gi", "grows"), &json!({"status": {"phase": "Pending"}}));
    assert!(refused(waiting).1.ends_with("kubectl delete pvc data-x-0 -n n"));
}

#[test]
fn claims_of_a_set_do_not_shrink() {
    let live = live_set(&[template("data", "10Gi")]);
    let desired = set(&[template("data", "5Gi")]);
    let claims = [claim("data-x-0", "4Gi", "grows"), claim("data-x-1", "10Gi", "grows")];
    let around = Around { claims: &claims, classes: &classes(), recreate_allowed: true };
    assert_eq!(
        judge(&desired, &live, &around),
        Outcome::Refuse {
            why: "PersistentVolumeClaim n/data-x-1 has 10Gi and cannot shrink to 5Gi: a volume never becomes smaller"
                .into(),
            hint: "leave the size at 10Gi; a rollback goes on without the shrinking with --keep-claim-sizes".into(),
        }
    );
    let kept = with_live_sizes(&desired, &live);
    assert_eq!(kept["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "10Gi");
    assert_eq!(judge(&kept, &live, &around), Outcome::InPlace, "the rest can happen");
    let larger = set(&[template("data", "20Gi"), template("new", "1Gi")]);
    assert_eq!(with_live_sizes(&larger, &live), larger, "only what would shrink");
}

#[test]
fn a_claim_that_exists_does_not_follow_its_template() {
    let live = live_set(&[template("data", "10Gi")]);
    let claims = [claim("data-x-0", "10Gi", "grows")];
    let around = Around { claims: &claims, ..Around::default() };
    for change in [
        json!({"accessModes": ["ReadWriteMany"]}),
        json!({"storageClassName": "fast"}),
        json!({"volumeMode": "Block"}),
    ] {
        let desired = set(&[merged(&template("data", "20Gi"), &json!({"spec": change}))]);
        assert_eq!(expected(&desired, &live, &around), Never, "{change}");
    }
    let desired = set(&[merged(&template("data", "10Gi"), &json!({"spec": {"storageClassName": "fast"}}))]);
    assert_eq!(
        judge(&desired, &live, &around),
        Outcome::Refuse {
            why: "PersistentVolumeClaim n/data-x-0 exists: spec.storageClassName cannot change in place"
                .into(),
            hint: "a claim holds data and is never made anew: leave the template data as it is".into(),
        }
    );
}

#[test]
fn a_claim_of_the_release_itself() {
    let live = applied(&claim("data", "10Gi", "grows"));
    let known = classes();
    let around = Around { classes: &known, ..Around::default() };
    let desired = |size: &str, extra: Value| {
        let base = object(
            "v1",
            "PersistentVolumeClaim",
            json!({"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}}),
        );
        merged(&base, &json!({"spec": extra}))
    };
    // our fields but for those that the desired one has always left out
    let mut live = live;
    live["metadata"]["managedFields"][0]["fieldsV1"] = fields_of(&desired("10Gi", json!({})));
    for (size, extra, outcome) in [
        ("10Gi", json!({}), InPlace),
        ("10240Mi", json!({"volumeMode": "Filesystem"}), InPlace),
        ("10Gi", json!({"volumeAttributesClassName": "gold"}), InPlace),
        ("10Gi", json!({"storageClassName": "grows"}), InPlace),
        ("5Gi", json!({}), Never),
        ("10Gi", json!({"accessModes": ["ReadWriteMany"]}), Never),
        ("10Gi", json!({"storageClassName": "fast"}), Never),
        ("10Gi", json!({"volumeName": "other"}), Never),
        ("10Gi", json!({"resources": {"limits": {"storage": "20Gi"}}}), Never),
        ("20Gi", json!({"volumeMode": "Block"}), Never),
    ] {
        assert_eq!(expected(&desired(size, extra.clone()), &live, &around), outcome, "{size} {extra}");
    }
    let Outcome::Grow(grow) = judge(&desired("20Gi", json!({})), &live, &around) else { panic!() };
    assert_eq!((grow[0].from.as_str(), grow[0].to.as_str()), ("10Gi", "20Gi"));
    let kept = with_live_sizes(&desired("5Gi", json!({})), &live);
    assert_eq!(judge(&kept, &live, &around), Outcome::InPlace);
    let mut fixed = live.clone();
    fixed["spec"]["storageClassName"] = json!("fixed");
    assert_eq!(expected(&desired("20Gi", json!({})), &fixed, &around), Never);
    let mut unbound = live;
    unbound["spec"].as_object_mut().unwrap().remove("volumeName");
    assert_eq!(
        expected(&desired("10Gi", json!({"volumeName": "v"})), &unbound, &around),
        InPlace,
        "said once"
    );
}
