//! The log stores: Loki deletes what is old and starts again after a crash, OpenSearch and Elasticsearch
//! have the fields that people ask for, passwords are in nobody's arguments, and the queries of
//! `docs/log-queries.md` ask for what is there.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_obs::render::Rendered;
use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{bundle, data, everything, merged, read, rendered, trial, variants};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("loki_deletes_what_is_old_and_comes_back_after_a_crash", loki),
        trial("loki_tells_every_alertmanager", loki_tells),
        trial("periods_of_loki_are_what_the_values_say", periods),
        trial("document_stores_have_the_fields_that_people_ask_for", fields),
        trial("document_stores_delete_what_is_old", policies),
        trial("one_node_has_no_copies_and_three_have", copies),
        trial("passwords_are_in_no_argument_and_no_plain_variable", passwords),
        trial("log_queries_ask_for_what_is_there", queries),
    ]
}

/// Values of the stack in which both document stores run.
fn both(over: &Value) -> Value {
    let stores = json!({"opensearch": {"enabled": true}, "elasticsearch": {"enabled": true}});
    merged(bundle("stack").effective_defaults(), &merged(&stores, over))
}

fn object<'r>(rendered: &'r Rendered, kind: &str, name: &str) -> &'r Value {
    let found = rendered.objects.iter().find(|object| object.kind() == kind && object.name() == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}")).value()
}

fn config(rendered: &Rendered) -> Option<Value> {
    let text = data(rendered, "obs-loki-config")?["loki.yaml"].as_str().unwrap();
    Some(yaml::parse(text).unwrap())
}

/// A file that the setup of a store hands over.
fn part(rendered: &Rendered, store: &str, file: &str) -> Value {
    let map = data(rendered, &format!("obs-{store}-setup")).unwrap();
    serde_json::from_str(map[file].as_str().unwrap()).unwrap_or_else(|err| panic!("{store}: {file}: {err}"))
}

fn loki() {
    let mut seen = 0;
    for name in ["loki", "stack"] {
        for (what, values) in variants(&bundle(name)) {
            let on = if name == "stack" { json!({"loki": {"enabled": true}}) } else { json!({}) };
            let values = merged(&values, &on);
            let rendered = rendered(&bundle(name), &values);
            let config = config(&rendered).unwrap_or_else(|| panic!("{what}: loki is on"));
            seen += 1;
            let at = |pointer: &str| {
                config.pointer(pointer).unwrap_or_else(|| panic!("{what}: {pointer} is missing")).clone()
            };
            let values = if name == "stack" { &values["loki"] } else { &values };
            assert_eq!(at("/compactor/retention_enabled"), true, "{what}");
            assert_eq!(at("/compactor/delete_request_store"), values["storage"]["type"], "{what}");
            assert_eq!(at("/limits_config/retention_period"), values["retention"]["time"], "{what}");
            assert_eq!(at("/analytics/reporting_enabled"), false, "{what}");
            assert_eq!(at("/limits_config/max_line_size_truncate"), true, "{what}");
            assert_eq!(at("/limits_config/shard_streams/time_sharding_enabled"), true, "{what}");
            assert_eq!(at("/auth_enabled"), values["tenant"] != "", "{what}");

            let workload = object(&rendered, "StatefulSet", "obs-loki");
            let pod = &workload["spec"]["template"]["spec"];
            let container = &pod["containers"][0];
            // never more than the container may have, or a start after a crash is killed again and again
            let bytes = |text: &str| -> u64 {
                let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let unit = match &text[number.len()..] {
                    "" | "B" => 1,
                    "Mi" => 1 << 20,
                    "Gi" => 1 << 30,
                    other => panic!("{other}"),
                };
                number.parse::<u64>().unwrap() * unit
            };
            let limit = bytes(container["resources"]["limits"]["memory"].as_str().unwrap());
            let ceiling = bytes(at("/ingester/wal/replay_memory_ceiling").as_str().unwrap());
            assert!(ceiling * 10 <= limit * 6 && ceiling * 10 > limit * 5, "{what}: {ceiling} of {limit}");

            // the root is read-only, and what is written has a place
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{what}");
            let mounts: BTreeSet<&str> = container["volumeMounts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|mount| mount["mountPath"].as_str().unwrap())
                .collect();
            let tenant = values["tenant"].as_str().filter(|tenant| !tenant.is_empty()).unwrap_or("fake");
            for path in ["/loki", "/tmp", &format!("/etc/loki/rules/{tenant}")] {
                assert!(mounts.contains(path), "{what}: {path} in {mounts:?}");
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}

fn loki_tells() {
    let stack = bundle("stack");
    let values = merged(stack.effective_defaults(), &everything());
    let config = config(&rendered(&stack, &values)).unwrap();
    let urls: Vec<&str> = config["ruler"]["alertmanager_url"].as_str().unwrap().split(',').collect();
    let replicas = values["alertmanager"]["replicas"].as_u64().unwrap();
    let own =
        |i: u64| format!("http://obs-alertmanager-{i}.obs-alertmanager-headless.observability.svc:9093");
    let mut expected = vec!["https://alerts.shop.test".to_owned()];
    expected.extend((0..replicas).map(own));
    assert_eq!(urls, expected);
    assert_eq!(config["ruler"]["external_labels"]["cluster"], "prod");
}

fn periods() {
    let loki = bundle("loki");
    let of = |over: &Value| {
        let rendered = rendered(&loki, &merged(loki.effective_defaults(), over));
        let map = object(&rendered, "ConfigMap", "obs-loki-config");
        let noted = map["metadata"]["annotations"]["kubectl-obs.dev/append-only"].as_str().unwrap();
        let noted: Value = serde_json::from_str(noted).unwrap();
        let periods: Vec<Value> = config(&rendered).unwrap()["schema_config"]["configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|period| {
                assert_eq!((&period["store"], &period["schema"]), (&json!("tsdb"), &json!("v13")));
                json!({"from": period["from"], "store": period["object_store"]})
            })
            .collect();
        assert_eq!(noted, json!({"schema.periods": periods}), "what is noted is what is configured");
        periods
    };
    let first = json!({"from": "2024-04-01", "store": "filesystem"});
    assert_eq!(json!(of(&json!({}))), json!([first]));
    let bucket = json!({"type": "s3", "s3": {"bucket": "logs", "region": "eu-central-1"}});
    let second = json!({"from": "2027-06-01", "store": "s3"});
    // what is in the volume is found as long as it is kept
    let moved = json!({"storage": bucket, "schema": {"periods": [first, second]}});
    assert_eq!(of(&moved), [first, second]);
}

/// The fields of a mapping, with dots.
fn mapped(properties: &Value, path: &str, out: &mut BTreeMap<String, Value>) {
    for (name, field) in properties.as_object().unwrap() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match field.get("properties") {
            Some(inner) => mapped(inner, &path, out),
            None => {
                out.insert(path, field.clone());
            }
        }
    }
}

fn fields() {
    for (store, flat) in [("opensearch", "flat_object"), ("elasticsearch", "flattened")] {
        let rendered = rendered(&bundle("stack"), &both(&json!({})));
        let template = part(&rendered, store, "template.json");
        let pipeline = part(&rendered, store, "pipeline.json");
        let mappings = &template["template"]["mappings"];
        let mut fields = BTreeMap::new();
        mapped(&mappings["properties"], "", &mut fields);
        // a field that nobody thought of is kept, and refused never
        assert_eq!(mappings["dynamic"], false, "{store}");
        assert_eq!(fields["fields"]["type"], flat);
        assert_eq!(fields["kubernetes.labels"]["type"], flat);
        assert_eq!(fields["@timestamp"]["type"], "date_nanos", "{store}: several lines a millisecond");
        assert_eq!(template["data_stream"], json!({}));
        assert_eq!(template["index_patterns"], json!(["obs-logs"]));
        assert_eq!(template["template"]["settings"]["index"]["default_pipeline"], "obs-logs");

        let aliases: BTreeMap<&str, &str> = fields
            .iter()
            .filter_map(|(name, field)| Some((name.as_str(), field["path"].as_str()?)))
            .collect();
        for name in ["level", "path", "user_id", "duration"] {
            assert!(aliases.contains_key(name), "{store}: {name}");
        }
        let params = &pipeline["processors"][0]["script"]["params"];
        for (alias, path) in &aliases {
            assert!(fields.contains_key(*path), "{store}: {alias} is an alias of {path}, which is not there");
            assert!(params["names"][*alias].is_array(), "{store}: the pipeline fills {alias}");
            // what has an alias's name cannot be stored: the pipeline moves it away
            assert!(params["aliases"].as_array().unwrap().contains(&json!(alias)), "{store}: {alias}");
        }
        for name in params["names"].as_object().unwrap().keys() {
            assert!(fields.contains_key(&format!("log.{name}")), "{store}: log.{name} is not mapped");
        }
        for name in params["kubernetes"].as_object().unwrap().values() {
            let name = format!("kubernetes.{}", name.as_str().unwrap());
            assert!(fields.contains_key(&name), "{store}: {name} is not mapped");
        }
        let mut numbers =
            fields.values().filter(|field| field["type"] == "double" || field["type"] == "integer");
        assert!(numbers.all(|field| field["ignore_malformed"] == true), "{store}: a word for a number");
    }
}

fn policies() {
    let values = json!({"retention": {"time": "30d"}, "rollover": {"age": "12h", "size": "5Gi"}});
    let rendered = rendered(&bundle("stack"), &both(&json!({"opensearch": values, "elasticsearch": values})));
    let policy = &part(&rendered, "opensearch", "policy.json")["policy"];
    assert_eq!(policy["ism_template"][0]["index_patterns"], json!(["obs-logs"]));
    let state = &policy["states"][0];
    assert_eq!(state["actions"][0]["rollover"]["min_index_age"], "12h");
    assert_eq!(state["actions"][0]["rollover"]["min_primary_shard_size"], "5368709120b");
    assert_eq!(
        state["transitions"],
        json!([{"state_name": "old", "conditions": {"min_rollover_age": "30d"}}])
    );
    assert_eq!(policy["states"][1]["actions"][0]["delete"], json!({}));

    let policy = &part(&rendered, "elasticsearch", "policy.json")["policy"];
    assert_eq!(
        policy["phases"]["hot"]["actions"]["rollover"],
        json!({"max_age": "12h", "max_primary_shard_size": "5368709120b"})
    );
    assert_eq!(policy["phases"]["delete"], json!({"min_age": "30d", "actions": {"delete": {}}}));
    let template = part(&rendered, "elasticsearch", "template.json");
    assert_eq!(template["template"]["settings"]["index"]["lifecycle"]["name"], "obs-logs");

    // a shorter time is told before data goes
    for store in ["opensearch", "elasticsearch"] {
        let map = object(&rendered, "ConfigMap", &format!("obs-{store}-setup"));
        assert_eq!(map["metadata"]["annotations"]["kubectl-obs.dev/retention"], r#"{"time":"30d"}"#);
    }
}

fn copies() {
    let tls = json!({"replicas": 3, "tls": {"secret": {"name": "ref-tls"}}});
    let three = json!({"opensearch": tls, "elasticsearch": tls});
    for (over, copies, single) in [(json!({}), 0, true), (three, 1, false)] {
        let rendered = rendered(&bundle("stack"), &both(&over));
        for store in ["opensearch", "elasticsearch"] {
            let index = part(&rendered, store, "template.json");
            assert_eq!(index["template"]["settings"]["index"]["number_of_replicas"], copies, "{store}");
            let text = &data(&rendered, &format!("obs-{store}-config")).unwrap()[&format!("{store}.yml")];
            assert_eq!(text.as_str().unwrap().contains("single-node"), single, "{store}");
            // only the first start of the first node begins a cluster; no setting says so
            assert!(!text.as_str().unwrap().contains("initial_"), "{store}");
        }
    }
}

fn passwords() {
    let stack = bundle("stack");
    let mut references = 0;
    for (what, values) in variants(&stack) {
        let rendered = rendered(&stack, &values);
        for object in &rendered.objects {
            let value = object.value();
            let Some(pod) = value.pointer("/spec/template/spec") else { continue };
            let lists = ["containers", "initContainers"];
            let containers = lists.iter().flat_map(|list| pod[*list].as_array().into_iter().flatten());
            for container in containers {
                for variable in container["env"].as_array().into_iter().flatten() {
                    let name = variable["name"].as_str().unwrap();
                    let secret = ["PASSWORD", "ACCESS_KEY", "TOKEN"].iter().any(|word| name.contains(word));
                    if secret {
                        references += 1;
                        assert!(
                            variable.pointer("/valueFrom/secretKeyRef/name").is_some(),
                            "{what}: {}: {name}",
                            object.name()
                        );
                    }
                }
                for word in [&container["args"], &container["command"]] {
                    let text = word.to_string();
                    assert!(!text.contains("PASSWORD") && !text.contains("://me:"), "{what}: {text}");
                }
            }
        }
    }
    assert!(references > 10, "{references}");
    for store in ["opensearch", "elasticsearch"] {
        for file in ["setup.sh", "prepare.sh", "ready.sh"] {
            let text = read(&format!("charts/{store}/files/{file}"));
            let calls = text.lines().filter(|line| line.contains("curl ") && !line.starts_with('#'));
            for line in calls {
                assert!(line.contains("--config"), "{store}/{file}: who may see the password? {line}");
            }
            for option in ["--user", " -u ", "--header \"Auth", "-H \"Auth"] {
                assert!(!text.contains(option), "{store}/{file}: {option} is seen by everybody");
            }
        }
    }
}

/// The labels that Fluentd sends to Loki whatever the values are.
const LABELS: [&str; 5] = ["namespace", "pod", "container", "app", "stream"];

fn queries() {
    let page = read("docs/log-queries.md");
    let blocks = |language: &str| -> Vec<String> {
        let opening = format!("```{language}\n");
        page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().trim().to_owned()).collect()
    };
    let (logql, lucene) = (blocks("logql"), blocks("lucene"));
    assert_eq!(logql.len(), lucene.len(), "each question in both languages");
    assert!(logql.len() >= 15, "{}", logql.len());
    // those of the guides, as they stand there
    for query in [
        r#"{container="hero-registry-api"}"#,
        r#"{namespace="default", pod=~"hero-registry-deployment.*"}"#,
        r#"{app="hero-registry"} | json | line_format "{{.message}}""#,
    ] {
        assert!(logql.iter().any(|other| other == query), "{query}");
    }
    for query in [
        r#"kubernetes.labels.app:flask-api AND level:ERROR AND path:"/api/stats""#,
        r#"kubernetes.labels.app:flask-api AND user_id:"12345""#,
        "kubernetes.labels.app:flask-api AND message:*query* AND duration:>1000",
    ] {
        assert!(lucene.iter().any(|other| other == query), "{query}");
    }
    for query in &logql {
        let selector = query.split('{').nth(1).unwrap().split('}').next().unwrap();
        for matcher in selector.split(',') {
            let label = matcher.split(['=', '!']).next().unwrap().trim();
            assert!(LABELS.contains(&label), "{query}: there is no label {label}");
        }
    }
    for store in ["opensearch", "elasticsearch"] {
        let rendered = rendered(&bundle("stack"), &both(&json!({})));
        let mut fields = BTreeMap::new();
        let template = part(&rendered, store, "template.json");
        mapped(&template["template"]["mappings"]["properties"], "", &mut fields);
        for query in &lucene {
            for (i, _) in query.match_indices(':') {
                let before = &query[..i];
                let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || "._@".contains(c)));
                let field = &before[start.map_or(0, |at| at + 1)..];
                let flat = ["fields.", "kubernetes.labels."].iter().any(|prefix| field.starts_with(prefix));
                assert!(flat || fields.contains_key(field), "{store}: {query}: there is no field {field}");
            }
        }
    }
}
