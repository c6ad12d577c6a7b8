//! What a good bundle renders to.

use kubectl_obs::bundle::{Bundle, Files};
use kubectl_obs::object::labels;
use kubectl_obs::render::{Facts, Rendered, render};
use serde_json::{Value, json};

use super::{component, edit, facts, files, rendered, umbrella};

fn find<'r>(rendered: &'r Rendered, kind: &str, name: &str) -> &'r Value {
    let found = rendered.objects.iter().find(|o| o.kind() == kind && o.name() == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}")).value()
}

fn with_template(text: &str) -> Files {
    let mut all = component();
    all.insert("templates/x.yaml".to_owned(), text.as_bytes().to_vec());
    all
}

/// The value that a template expression writes, through YAML and back.
fn written(expression: &str) -> Value {
    let mut all = with_template(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  a: ${{{{ {expression} }}}}\n"
    ));
    all.insert("files/rules/a.yaml".to_owned(), b"groups: []\n# ${{ not rendered }}\n".to_vec());
    all.insert("files/rules/b.yaml".to_owned(), b"{{ $labels.x }}".to_vec());
    find(&rendered(&all).unwrap(), "ConfigMap", "x")["data"]["a"].clone()
}

#[test]
fn values_keep_their_types_on_their_way_through_yaml() {
    for (expression, value) in [
        ("\"on\"", json!("on")),
        ("\"1.10\"", json!("1.10")),
        ("\"a: b # c\\n- d\"", json!("a: b # c\n- d")),
        ("true", json!(true)),
        ("none", json!(null)),
        ("{\"a\": [1, 2.5, \"<&>\"]}", json!({"a": [1, 2.5, "<&>"]})),
        ("\"http://\" ~ name ~ \":\" ~ 80", json!("http://obs-web:80")),
        ("{\"a\": {\"x\": 1}} | merge({\"a\": {\"y\": 2}})", json!({"a": {"x": 1, "y": 2}})),
        ("{\"a\": 1, \"b\": 2} | omit(\"a\")", json!({"b": 2})),
        ("{\"a\": \"on\"} | to_yaml", json!("a: \"on\"\n")),
        ("{\"a\": true} | to_json", json!("{\"a\":true}")),
        ("\"--flag=\" ~ (true | string)", json!("--flag=true")),
        ("\"20Gi\" | quantity", json!(21474836480u64)),
        ("\"15d\" | duration", json!(1296000)),
        ("\"x\" | b64encode", json!("eA==")),
        ("\"\" | sha256", json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        ("files[\"rules/a.yaml\"]", json!("groups: []\n# ${{ not rendered }}\n")),
        (
            "files.glob(\"rules/*.yaml\")",
            json!({"a.yaml": "groups: []\n# ${{ not rendered }}\n", "b.yaml": "{{ $labels.x }}"}),
        ),
        ("\"rules/b.yaml\" in files", json!(true)),
        (
            "release",
            json!({"name": "obs", "namespace": "observability", "nodeNamespace": "observability-node"}),
        ),
        ("facts.kubernetes.minor", json!(34)),
        ("component", json!({"name": "web", "version": "1.0.0", "appVersion": "v2.1.0"})),
        ("clusterName", json!("observability-obs-web")),
        ("peers.anyone.enabled", json!(false)),
        ("global.x is defined", json!(false)),
    ] {
        assert_eq!(written(expression), value, "{expression}");
    }
}

#[test]
fn foreign_template_syntax_passes_untouched() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: \"{{ $labels.instance }} ${__interval} [[x]]\"\n";
    let all = rendered(&with_template(text)).unwrap();
    assert_eq!(find(&all, "ConfigMap", "x")["data"]["a"], "{{ $labels.instance }} ${__interval} [[x]]");
}

#[test]
fn every_object_carries_the_labels_of_its_component() {
    let all = rendered(&umbrella()).unwrap();
    let config = find(&all, "ConfigMap", "obs-db");
    assert_eq!(
        config["metadata"],
        json!({
            "name": "obs-db",
            "namespace": "observability-node",
            "labels": {
                labels::NAME: "db", labels::INSTANCE: "obs", labels::COMPONENT: "db", labels::VERSION: "1.2.0",
                labels::MANAGED_BY: "kubectl-obs", labels::RELEASE: "obs", labels::RELEASE_NAMESPACE: "observability",
                labels::OBS_COMPONENT: "db", labels::NODE_LEVEL: "true",
            },
        })
    );
    for object in &all.objects {
        assert_eq!(object.label(labels::RELEASE), Some("obs"), "{}", object.id());
    }
    let namespaces: Vec<_> = all
        .objects
        .iter()
        .filter(|o| o.kind() == "Namespace")
        .map(|o| {
            (
                o.name(),
                o.label("pod-security.kubernetes.io/enforce").unwrap(),
                o.label(labels::OBS_COMPONENT).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        namespaces,
        [("observability", "restricted", "namespace"), ("observability-node", "privileged", "namespace")]
    );
    assert_eq!(all.sources.len(), all.objects.len());
    assert_eq!(all.sources[2], "shop/web/templates/config.yaml");
}

#[test]
fn one_namespace_for_all_is_privileged_only_when_needed() {
    let bundle = Bundle::load(&umbrella()).unwrap();
    let facts = Facts::offline("obs", "one", "one");
    for (db, level) in [(true, "privileged"), (false, "restricted")] {
        let values = json!({"web": {"enabled": true, "replicas": 1}, "db": {"enabled": db}});
        let all = render(&bundle, &values, &facts).unwrap();
        let namespaces: Vec<_> = all.objects.iter().filter(|o| o.kind() == "Namespace").collect();
        assert_eq!(namespaces.len(), 1);
        assert_eq!(namespaces[0].label("pod-security.kubernetes.io/enforce"), Some(level));
    }
}

#[test]
fn components_that_are_off_leave_nothing_and_peers_know_it() {
    let mut all = umbrella();
    edit(
        &mut all,
        "components/db/bundle.yaml",
        "nodeLevel",
        "exports:\n  port: 5432\n  url: db://${{ name }}:5432\nnodeLevel",
    );
    edit(
        &mut all,
        "components/web/templates/config.yaml",
        "data: {}",
        "data:\n  db: ${{ peers.db | to_json }}",
    );
    let bundle = Bundle::load(&all).unwrap();
    let on = json!({"web": {"enabled": true}, "db": {"enabled": true}});
    let off = json!({"web": {"enabled": true}, "db": {"enabled": false}});
    let data = |values| {
        let all = render(&bundle, &values, &facts()).unwrap();
        let names: Vec<String> = all.components.iter().map(|c| c.name.clone()).collect();
        (
            find(&all, "ConfigMap", "obs-web-config")["data"]["db"].as_str().unwrap().to_owned(),
            names.join(","),
        )
    };
    assert_eq!(
        data(on),
        (r#"{"enabled":true,"port":5432,"url":"db://obs-db:5432"}"#.to_owned(), "web,db".to_owned())
    );
    assert_eq!(data(off), (r#"{"enabled":false}"#.to_owned(), "web".to_owned()));
}

#[test]
fn an_umbrella_shows_its_components_defaults_and_schema() {
    let mut all = umbrella();
    all.insert(
        "components/web/values.schema.json".to_owned(),
        br##"{"type": "object", "additionalProperties": false, "$defs": {"n": {"type": "integer"}},
            "properties": {"replicas": {"$ref": "#/$defs/n"}, "password": {"type": "string"}}}"##
            .to_vec(),
    );
    edit(
        &mut all,
        "values.schema.json",
        "{\"type\": \"boolean\"}",
        "{\"type\": \"boolean\"}, \"password\": false",
    );
    let bundle = Bundle::load(&all).unwrap();
    assert_eq!(
        bundle.effective_defaults(),
        &json!({"web": {"replicas": 1, "enabled": true}, "db": {"enabled": true}})
    );
    let schema = bundle.effective_schema().unwrap();
    assert_eq!(
        schema["properties"]["web"],
        json!({"type": "object", "additionalProperties": false, "properties": {
            "replicas": {"$ref": "#/$defs/web/$defs/n"}, "password": false, "enabled": {"type": "boolean"},
        }})
    );
    assert_eq!(schema.pointer("/$defs/web/$defs/n"), Some(&json!({"type": "integer"})));
    let values = bundle.component_values("web", bundle.effective_defaults(), &facts()).unwrap();
    assert_eq!(values, json!({"replicas": 1, "password": "hunter2"}));
}

#[test]
fn without_with_a_component_gets_the_values_at_its_place() {
    let mut all = umbrella();
    edit(&mut all, "bundle.yaml", "  with: ${{ values.web | omit(\"enabled\") }}\n", "");
    let bundle = Bundle::load(&all).unwrap();
    let values = json!({"web": {"enabled": true, "replicas": 7}, "db": {"enabled": false}});
    // the password is gone: a user deleted it with null
    assert_eq!(bundle.component_values("web", &values, &facts()).unwrap(), json!({"replicas": 7}));
}

#[test]
fn expressions_in_bundle_yaml_keep_their_types() {
    let mut all = component();
    edit(
        &mut all,
        "bundle.yaml",
        "appVersion",
        "\
exports:
  port: ${{ values.replicas + 8079 }}
  url: http://${{ name }}:${{ 80 }}/${{ true }}
  plain: text
generatedSecrets:
- {name: admin, key: user, length: 16}
- {name: admin, key: password, keepWith: \"data-${{ name }}-0\"}
- {name: extra, key: x, when: values.replicas > 1}
health:
- name: ready
  deadline: 2m
  http: {path: /-/ready, port: \"${{ values.replicas + 8079 }}\"}
- name: scraped
  when: ${{ values.replicas > 1 }}
  promql: {query: up}
appVersion",
    );
    let all = rendered(&all).unwrap();
    let web = &all.components[0];
    assert_eq!(web.exports, json!({"port": 8080, "url": "http://obs-web:80/true", "plain": "text"}));
    assert_eq!(
        web.health,
        [
            json!({"name": "ready", "deadline": "2m", "http": {"path": "/-/ready", "port": 8080}, "component": "web"})
        ]
    );
    let secret = find(&all, "Secret", "obs-web-admin");
    assert_eq!(secret["type"], "Opaque");
    assert!(secret.get("data").is_none() && secret.get("stringData").is_none());
    let generated: Value =
        serde_json::from_str(secret["metadata"]["annotations"][labels::GENERATED].as_str().unwrap()).unwrap();
    assert_eq!(
        generated,
        json!([{"key": "user", "length": 16}, {"key": "password", "length": 32, "keepWith": "data-obs-web-0"}])
    );
    assert!(!all.objects.iter().any(|o| o.name() == "obs-web-extra"));
}

const WORKLOAD: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: ${{ name }}
spec:
  selector: {matchLabels: ${{ selector }}}
  template:
    metadata: {labels: ${{ selector }}}
    spec:
      volumes: [{name: c, configMap: {name: ${{ name ~ \"-config\" }}}}]
  volumeClaimTemplates:
  - metadata: {name: data}
";

#[test]
fn pods_and_claims_get_labels_that_never_change_with_a_version() {
    let mut all = with_template(WORKLOAD);
    all.insert(
        "values.yaml".to_owned(),
        b"global: {labels: {team: a, app.kubernetes.io/name: b}, annotations: {note: c}}\n".to_vec(),
    );
    let all = rendered(&all).unwrap();
    let set = find(&all, "StatefulSet", "obs-web");
    assert_eq!(set["metadata"]["labels"]["team"], "a");
    assert_eq!(set["metadata"]["annotations"]["note"], "c");
    let pod = &set["spec"]["template"]["metadata"];
    let claim = &set["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"];
    assert_eq!(pod["labels"]["team"], "a");
    assert!(claim.get("team").is_none(), "a claim template can never be changed");
    for labels in [&pod["labels"], claim] {
        assert_eq!(labels[labels::NAME], "web");
        assert_eq!(labels[labels::RELEASE_NAMESPACE], "observability");
        assert!(labels.get(labels::VERSION).is_none());
    }
}

#[test]
fn a_changed_config_changes_its_users_annotation_and_a_new_version_does_not() {
    let hash = |change: fn(&mut Files)| {
        let mut all = with_template(WORKLOAD);
        change(&mut all);
        let all = rendered(&all).unwrap();
        let at = "/spec/template/metadata/annotations";
        find(&all, "StatefulSet", "obs-web").pointer(at).map(|a| a[labels::CONFIG_HASH].clone())
    };
    let before = hash(|_| {});
    assert!(before.is_some());
    assert_eq!(hash(|f| edit(f, "bundle.yaml", "1.0.0", "1.1.0")), before);
    assert_ne!(hash(|f| edit(f, "templates/config.yaml", "data: {}", "data: {a: b}")), before);
    assert_eq!(
        hash(|f| edit(
            f,
            "templates/config.yaml",
            "  name:",
            "  annotations: {kubectl-obs.dev/live-reload: \"true\"}\n  name:"
        )),
        None
    );
}

#[test]
fn kinds_of_own_crds_are_known() {
    let mut all = with_template(
        "apiVersion: x.dev/v1\nkind: Wide\nmetadata: {name: a}\n---\napiVersion: y.dev/v1\nkind: Unknown\nmetadata: {name: b, namespace: null}\n---\napiVersion: y.dev/v1\nkind: Narrow\nmetadata: {name: c}\n",
    );
    all.insert("crds/wide.yaml".to_owned(), b"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: wides.x.dev}\nspec: {group: x.dev, scope: Cluster, names: {kind: Wide, plural: wides}}\n".to_vec());
    let all = rendered(&all).unwrap();
    assert!(find(&all, "Wide", "a")["metadata"].get("namespace").is_none());
    assert!(find(&all, "Unknown", "b")["metadata"].get("namespace").is_none());
    assert_eq!(find(&all, "Narrow", "c")["metadata"]["namespace"], "observability");
    assert_eq!(all.sources[1], "web/crds/wide.yaml");
}

#[test]
fn notes_are_text_for_people() {
    let mut all = component();
    all.insert(
        "NOTES.txt".to_owned(),
        b"{% if values.replicas == 1 %}\nrelease ${{ release.name }}, ${{ true }}\n{% endif %}\n".to_vec(),
    );
    assert_eq!(rendered(&all).unwrap().notes, "release obs, true\n");
}

#[test]
fn macros_come_from_files_with_an_underscore() {
    let mut all = with_template(
        "{% from \"_m.yaml\" import labels %}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  ${{ labels(\"a\") }}\n",
    );
    all.insert(
        "templates/_m.yaml".to_owned(),
        b"{% macro labels(x) %}key: ${{ x ~ release.name }}{% endmacro %}".to_vec(),
    );
    assert_eq!(find(&rendered(&all).unwrap(), "ConfigMap", "x")["data"]["key"], "aobs");
}

#[test]
fn a_version_for_other_clusters_is_refused_and_providers_suffixes_do_not_matter() {
    let bundle = Bundle::load(&component()).unwrap();
    for (version, works) in
        [("1.29.9", false), ("v1.30.0+k3s1", true), ("1.34.4-gke.100", true), ("1.31+", true)]
    {
        let facts = Facts { kubernetes: version.to_owned(), ..facts() };
        assert_eq!(render(&bundle, bundle.defaults(), &facts).is_ok(), works, "{version}");
    }
}

#[test]
fn profiles_are_read_and_misspelled_ones_are_named() {
    let mut all = component();
    all.extend(files(&[("profiles/ha.yaml", "replicas: 2\n")]));
    let bundle = Bundle::load(&all).unwrap();
    assert_eq!(bundle.profile("ha").unwrap(), &json!({"replicas": 2}));
    assert_eq!(
        bundle.profile("haa").unwrap_err().to_string(),
        "bundle web has no profile \"haa\"\n  hint: did you mean `ha`?"
    );
}
