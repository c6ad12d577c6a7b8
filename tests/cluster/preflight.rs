//! What stands in the way is said before anything is written.

use std::time::Duration;

use libtest_mimic::Trial;

use super::install::traces;
use crate::support::env::{Env, eventually};
use crate::support::process::Output;
use crate::support::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial::api("preflight::an_unknown_storage_class_is_named", unknown_storage_class),
        trial::api("preflight::a_namespace_that_forbids_node_level_pods_is_named", forbidding_namespace),
        trial::api("preflight::a_bundle_for_another_kubernetes_is_refused", another_kubernetes),
        trial::api("preflight::objects_that_the_server_would_refuse_are_named", refused_objects),
        trial::api("preflight::a_namespace_that_is_going_away_is_named", going_away),
        trial::api("preflight::a_secret_that_values_name_is_there_with_its_keys", named_secrets),
        trial::api("preflight::apps_that_fit_no_pods_are_warned_of", apps),
        trial::api("preflight::a_mail_server_that_is_not_there_is_warned_of", mail),
    ]
}

/// Writes a bundle with one template and gives its folder.
fn bundle(env: &Env, meta: &str, template: &str) -> String {
    let path = env.write(
        "b/bundle.yaml",
        &format!("{{apiVersion: kubectl-obs.dev/v1, kind: Bundle, name: b, version: 1.0.0, description: a test{meta}}}\n"),
    );
    env.write("b/values.yaml", "{}\n");
    env.write("b/templates/objects.yaml", template);
    path.parent().expect("a folder").display().to_string()
}

/// Nothing is left: a namespace that was made for the checks goes again.
fn nothing_left(env: &Env) {
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn unknown_storage_class(env: &Env) {
    let output = env.obs(["install", "--set", "global.storageClass=nope", "--wait=none"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("storage class \"nope\", which does not exist"), "{output}");
    assert!(output.stderr.contains("hint: set global.storageClass to one of:"), "{output}");
    nothing_left(env);
}

fn forbidding_namespace(env: &Env) {
    env.apply(&format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}}}",
        env.node_namespace()
    ));
    let output = env.obs(["install", "--wait=none"]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("enforces PodSecurity level restricted, but node-exporter needs privileged"),
        "{output}"
    );
    assert!(output.stderr.contains("kubectl label namespace"), "{output}");
    eventually(Duration::from_secs(30), || match traces(env) {
        left if left == [format!("namespace/{}", env.node_namespace())] => Ok(()),
        left => Err(left.join(", ")),
    });
}

fn another_kubernetes(env: &Env) {
    let folder = bundle(env, ", kubeVersion: '>=9.0'", "");
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stderr.contains(">=9.0") && output.stderr.contains("1."), "{output}");
    assert_eq!(traces(env), [""; 0]);
}

fn refused_objects(env: &Env) {
    let folder = bundle(
        env,
        "",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'not a key': x}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 99999}]}\n---\n\
         apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: c}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n",
    );
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("3 things stand in the way; nothing was changed"), "{output}");
    for message in
        ["\"not a key\" is not a valid key", "99999", "the cluster does not know example.com/v1 Gadget"]
    {
        assert!(output.stderr.contains(message), "{message} is missing in {output}");
    }
    nothing_left(env);
}

fn going_away(env: &Env) {
    env.apply(&format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {}}}, spec: {{finalizers: [kubernetes]}}}}",
        env.namespace()
    ));
    // somebody's finalizer holds an object, and that the namespace
    env.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/hold]}}");
    env.kubectl(["delete", "namespace", env.namespace(), "--wait=false"]).run().ok();
    let folder = bundle(env, "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let output = env.obs(["install", &folder]).run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("held waits for its finalizer example.com/hold"), "{output}");
    assert!(output.stderr.contains("wait until it is gone: kubectl wait"), "{output}");
    env.kubectl([
        "patch",
        "configmap",
        "held",
        "--type=merge",
        "--patch",
        r#"{"metadata":{"finalizers":null}}"#,
    ])
    .run()
    .ok();
}

fn named_secrets(env: &Env) {
    let namespace = env.namespace();
    let values = env.write(
        "values.yaml",
        "alertmanager: {receivers: [{name: chat, slack: [{secret: {name: alerting, key: slack-url}}]}]}\n",
    );
    let values = values.display().to_string();
    let install = |more: &'static [&'static str]| {
        env.obs(["install", "--wait=none", "-f", &values].into_iter().chain(more.iter().copied())).run()
    };
    let absent = install(&[]);
    assert_eq!(absent.code, 1, "{absent}");
    for part in [
        format!("✘ secret {namespace}/alerting does not exist"),
        format!("needed by StatefulSet {namespace}/"),
        "named by alertmanager.receivers[0].slack[0].secret.name".to_owned(),
        format!(
            "hint: kubectl create namespace {namespace}, then kubectl create secret generic alerting -n {namespace} --from-file=slack-url"
        ),
    ] {
        assert!(absent.stderr.contains(&part), "{part}: {absent}");
    }
    nothing_left(env);
    env.kubectl(["create", "namespace", namespace]).run().ok();
    env.kubectl(["create", "secret", "generic", "alerting", "--from-literal=slack=x"]).run().ok();
    let other = install(&[]);
    assert_eq!(other.code, 1, "{other}");
    assert!(other.stderr.contains(&format!("secret {namespace}/alerting has no key slack-url")), "{other}");
    assert!(other.stderr.contains("hint: add what is missing, or name another; it has: slack"), "{other}");
    env.kubectl(["patch", "secret", "alerting", "-p", r#"{"stringData":{"slack-url":"https://x.example"}}"#])
        .run()
        .ok();
    install(&["--dry-run=server"]).ok();
}

/// The warnings in what the plugin said, without those about something else.
fn warnings(output: &Output, about: &str) -> Vec<String> {
    let lines = output.stderr.lines().filter(|line| line.contains(about));
    lines.map(|line| line.trim_start_matches(['!', '⚠', ' ']).to_owned()).collect()
}

fn apps(env: &Env) {
    env.make_namespace();
    let (namespace, nowhere) = (env.namespace(), format!("{}-nowhere", env.namespace()));
    for (name, labels) in [("orders-1", "{app: orders, tier: web}"), ("web-1", "{app: other, tier: web}")] {
        env.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {labels}}}, spec: {{containers: \
             [{{name: main, image: 'x:1', ports: [{{name: http, containerPort: 8080}}]}}]}}}}"
        ));
    }
    let app = |name: &str, namespace: &str, selector: &str, port: &str| {
        format!("  - {{name: {name}, namespace: {namespace}, selector: {selector}, port: {port}}}\n")
    };
    let values = [
        app("orders", namespace, "{app: orders}", "metrics"),
        app("web", namespace, "{tier: web}", "8000"),
        app("later", namespace, "{app: later}", "80"),
        app("away", &nowhere, "{app: away}", "80"),
    ];
    let file = env.write("values.yaml", &format!("apps:\n{}", values.concat()));
    let file = file.display().to_string();
    let run = |verb: &str, more: &[&str]| {
        // another trial's release may be on the nodes
        let args = [verb, "--wait=none", "-f", &file, "--set", "nodeExporter.enabled=false"];
        let args = args.into_iter().chain(more.iter().copied());
        env.obs(args).run()
    };
    let expected = [
        "apps[0].port: no container of its 1 pod has a port named metrics; there are: http".to_owned(),
        format!("apps[1].selector: takes pod {namespace}/orders-1, which apps[0] (orders) takes, too"),
        "apps[1].port: no container of its 2 pods declares port 8000; there are: 8080 (http)".to_owned(),
        format!("apps[2].selector: no pod in namespace {namespace} has app=later: it is watched as soon as"),
        format!("apps[3].namespace: namespace {nowhere} does not exist: away is watched as soon as"),
    ];
    let all_said = |output: &Output| {
        let found = warnings(output, "apps[");
        assert_eq!(found.len(), expected.len(), "{output}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.contains(expected.as_str()), "{expected}: {output}");
        }
    };
    all_said(&run("install", &["--dry-run=server"]).ok());
    // rights cannot be given where there is no namespace
    let scope = format!("scrape.namespaces=[\"{nowhere}\"]");
    let absent = run("install", &["--set-json", &scope]).ends(1);
    for part in [
        format!("namespace {nowhere} does not exist, and Role {nowhere}/"),
        "named by scrape.namespaces[0]".to_owned(),
        format!("hint: kubectl create namespace {nowhere}"),
    ] {
        assert!(absent.stderr.contains(&part), "{part}: {absent}");
    }
    assert_eq!(env.list("deployments,statefulsets,rolebindings").len(), 0);
    // and none of it keeps it from being installed
    all_said(&run("install", &[]).ok());
    all_said(&run("upgrade", &["--set", "scrape.interval=20s"]).ok());
    // one that may not be scraped does
    let refused = run("upgrade", &["--set-json", "scrape.namespaces=[\"web\"]"]);
    assert_ne!(refused.code, 0, "{refused}");
    let why = format!("apps[3].namespace: {nowhere} may not be scraped, as scrape.namespaces names only web");
    assert!(refused.stderr.contains(&why), "{why}: {refused}");
    let history = env.obs(["history", "-o", "json"]).run().ok().json();
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2), "{history}");
    let right =
        [app("orders", namespace, "{app: orders}", "http"), app("web", namespace, "{app: other}", "8080")];
    env.write("values.yaml", &format!("apps:\n{}", right.concat()));
    let fits = run("upgrade", &[]).ok();
    assert_eq!(warnings(&fits, "apps["), [""; 0], "{fits}");
}

fn mail(env: &Env) {
    env.make_namespace();
    let namespace = env.namespace();
    let service = |name: &str, port: u16| {
        env.apply(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{selector: {{app: {name}}}, ports: [{{port: {port}}}]}}}}"
        ));
    };
    service("asleep", 25);
    service("relay", 25);
    env.apply(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: relay-1, labels: {kubernetes.io/service-name: relay}}, \
         addressType: IPv4, endpoints: [{addresses: [10.9.9.9], conditions: {ready: true}}], ports: [{port: 25}]}",
    );
    let run = |hosts: &[String]| {
        let to = |host: &String| {
            format!("{{to: a@shop.test, from: b@shop.test, smarthost: \"{host}\", requireTls: false}}")
        };
        let list = hosts.iter().map(to).collect::<Vec<_>>().join(", ");
        let file = env.write(
            "values.yaml",
            &format!(
                "alertmanager: {{receivers: [{{name: mail, email: [{list}]}}], route: {{default: mail}}}}\n"
            ),
        );
        env.obs(["install", "--dry-run=server", "--set", "nodeExporter.enabled=false"])
            .arg("-f")
            .arg(file)
            .run()
            .ok()
    };
    let output = run(&[
        format!("gone.{namespace}.svc:25"),
        format!("asleep.{namespace}.svc.cluster.local:25"),
        format!("relay.{namespace}.svc:587"),
        "smtp.shop.invalid:25".to_owned(),
        "relay:25".to_owned(),
        "127.0.0.1:25".to_owned(),
    ]);
    let found = warnings(&output, "smarthost: ");
    assert_eq!(found.len(), 4, "{output}");
    let path = |place: usize| format!("alertmanager.receivers[0].email[{place}].smarthost: ");
    for expected in [
        format!(
            "{}gone.{namespace}.svc cannot be reached: the API server knows no service {namespace}/gone",
            path(0)
        ),
        format!("is service {namespace}/asleep, which has no ready endpoint"),
        format!("is service {namespace}/relay, which has no port 587; name one of its own: 25"),
        format!("{}smtp.shop.invalid could not be resolved from this machine (", path(3)),
    ] {
        assert!(found.iter().any(|line| line.contains(&expected)), "{expected}: {output}");
    }
    let well = run(&[format!("relay.{namespace}.svc:25")]);
    assert_eq!(warnings(&well, "smarthost: "), [""; 0], "{well}");
}
