//! Alertmanager's configuration: its own tool accepts it, alerts reach whom they should, messages can
//! be made of any alert and stay below the limits of chats, and no rule silences strangers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kubectl_obs::yaml;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{
    Tool, bundle, data, everything, folder, merged, read, rendered, run, tool_trial, trial, variants,
};

pub fn trials() -> Vec<Trial> {
    vec![
        tool_trial("amtool", "alertmanager_accepts_its_configuration", accepts),
        tool_trial("amtool", "alerts_reach_whom_they_should", routes),
        tool_trial("amtool", "messages_fit", messages),
        trial("no_inhibition_silences_strangers", inhibitions),
        trial("secrets_are_read_from_files", secrets_are_files),
    ]
}

/// The files of the ConfigMap in a folder of their own; gives the path of the configuration.
pub fn written(values: &Value, name: &str) -> PathBuf {
    let bundle = bundle("alertmanager");
    let rendered = rendered(&bundle, values);
    let folder = folder(name);
    for (file, text) in data(&rendered, "obs-alertmanager-config").unwrap() {
        let text = text.as_str().unwrap();
        let text = text.replace("/etc/alertmanager/config", &folder.display().to_string());
        fs::write(folder.join(file), text).unwrap();
    }
    folder.join("alertmanager.yml")
}

fn accepts(amtool: &Tool) {
    for (i, (what, values)) in variants(&bundle("alertmanager")).into_iter().enumerate() {
        let config = written(&values, &format!("alertmanager-{i}"));
        run(amtool.command().arg("check-config").arg(config), &what);
    }
}

/// `charts/alertmanager/tests/routes.yaml`
fn routes(amtool: &Tool) {
    let defaults = bundle("alertmanager").effective_defaults().clone();
    let groups = yaml::parse(&read("charts/alertmanager/tests/routes.yaml")).unwrap();
    let mut cases = 0;
    for (i, group) in groups.as_array().unwrap().iter().enumerate() {
        let values = if group["values"].is_string() {
            everything()["alertmanager"].clone()
        } else {
            group["values"].clone()
        };
        let config = written(&merged(&defaults, &values), &format!("routes-{i}"));
        for case in group["cases"].as_array().unwrap() {
            cases += 1;
            let labels = case["labels"].as_object().unwrap();
            let labels = labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap()));
            let receivers: Vec<&str> =
                case["receivers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let mut command = amtool.command();
            command.args(["config", "routes", "test"]);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--verify.receivers={}", receivers.join(",")));
            run(command.args(labels), &case.to_string());
        }
    }
    assert!(cases >= 30, "{cases} cases");
}

/// An alert as a template sees it.
fn alert(i: usize, status: &str, text: &str) -> Value {
    json!({
        "status": status,
        "labels": {"alertname": "Long", "namespace": "shop", "severity": "critical", "pod": format!("p{i}")},
        "annotations": {"summary": format!("pod {i} {text}"), "description": format!("{text} of pod {i}"),
            "runbook_url": "https://kubectl-obs.dev/docs/runbooks/Long.md",
            "dashboard_url": format!("https://grafana.shop.test/d/obs-pods?var-namespace=shop&var-pod=p{i}")},
        "startsAt": "2027-01-01T00:00:00Z", "endsAt": "2027-01-01T00:05:00Z",
        "generatorURL": "http://prometheus/graph",
    })
}

/// What a template makes of so many alerts that fire and are over.
fn message(amtool: &Tool, config: &Path, template: &str, html: bool, alerts: &[Value]) -> String {
    let status = if alerts.iter().any(|alert| alert["status"] == "firing") { "firing" } else { "resolved" };
    let common = json!({"alertname": "Long", "namespace": "shop", "severity": "critical"});
    let file = config.with_file_name("data.json");
    let mut annotations = json!({"runbook_url": "https://kubectl-obs.dev/docs/runbooks/Long.md"});
    if let [alert] = alerts {
        annotations = alert["annotations"].clone();
    }
    let data = json!({
        "receiver": "chat", "status": status, "alerts": alerts, "groupLabels": common, "commonLabels": common,
        "commonAnnotations": annotations,
        "externalURL": "https://alerts.shop.test",
    });
    fs::write(&file, data.to_string()).unwrap();
    let mut command = amtool.command();
    command.args(["template", "render"]);
    command.arg(format!("--template.glob={}", config.with_file_name("*.tmpl").display()));
    command.arg(format!("--template.text={{{{ template \"{template}\" . }}}}"));
    command.arg(format!("--template.data={}", file.display()));
    command.arg(format!("--template.type={}", if html { "html" } else { "text" }));
    run(&mut command, template)
}

/// The limits are those of the services' APIs, in characters.
const TEXTS: [(&str, bool, usize); 5] = [
    ("obs.plain.text", false, 15_000),
    ("obs.telegram.text", false, 4096),
    ("obs.slack.text", false, 8000),
    ("obs.markdown.text", false, 4096),
    ("obs.email.html", true, 100_000),
];

fn messages(amtool: &Tool) {
    let defaults = bundle("alertmanager").effective_defaults().clone();
    let long = "is <b>bad</b> & \"worse\" ".repeat(40);
    for (i, external) in ["", "https://alerts.shop.test"].into_iter().enumerate() {
        let config = written(&merged(&defaults, &json!({"externalUrl": external})), &format!("messages-{i}"));
        let render = |template, html, alerts: &[Value]| message(amtool, &config, template, html, alerts);
        let many: Vec<Value> = (0..200).map(|i| alert(i, "firing", &long)).collect();
        let few = [alert(1, "firing", "is *bad* <now>"), alert(2, "resolved", "was bad")];
        let over = [alert(3, "resolved", "was bad")];

        assert_eq!(render("obs.title", false, &many).trim(), "[CRITICAL: 200] Long in shop");
        assert_eq!(render("obs.title", false, &few).trim(), "[CRITICAL] Long in shop");
        assert_eq!(render("obs.title", false, &over).trim(), "[RESOLVED] Long in shop");
        for (template, html, limit) in TEXTS {
            let text = render(template, html, &many);
            assert!(text.chars().count() <= limit, "{template}: {}", text.chars().count());
            assert!(text.contains("and 190 more"), "{template}: {text}");
            assert_eq!(
                text.matches("of pod").count() + text.matches("pod 1 is").count(),
                1,
                "{template}: {text}"
            );
            let text = render(template, html, &few);
            assert!(text.contains("pod 1") && !text.contains("pod 2"), "{template}: {text}");
            assert!(text.contains("runbooks/Long.md"), "{template}: {text}");
            let silence =
                if external.is_empty() { "kubectl obs alerts silence" } else { "/#/silences/new?filter=" };
            assert!(text.contains(silence), "{template}: {text}");
            let text = render(template, html, &over);
            assert!(text.contains("pod 3") && !text.contains("ilence"), "{template}: {text}");
            let link = "https://grafana.shop.test/d/obs-pods?var-namespace=shop&var-pod=p3";
            let link = if html || template == "obs.slack.text" {
                link.replace('&', "&amp;")
            } else {
                link.to_owned()
            };
            assert!(text.contains(&link), "{template}: {link}: {text}");
        }
        // each alert has its own where the service takes long messages
        for (template, html, links) in [
            ("obs.plain.text", false, 10),
            ("obs.slack.text", false, 10),
            ("obs.email.html", true, 10),
            ("obs.markdown.text", false, 0),
            ("obs.telegram.text", false, 0),
        ] {
            let text = render(template, html, &many);
            assert_eq!(text.matches("/d/obs-pods?").count(), links, "{template}: {text}");
        }
        // each format in its own way
        for (template, html, escaped) in [
            ("obs.slack.text", false, "*pod 1 is *bad* &lt;now&gt;*"),
            ("obs.markdown.text", false, "**pod 1 is \\*bad\\* \\<now\\>**"),
            ("obs.telegram.text", false, "pod 1 is *bad* <now>"),
            ("obs.plain.text", false, "* pod 1 is *bad* <now>"),
            ("obs.email.html", true, "<b>pod 1 is *bad* &lt;now&gt;</b>"),
        ] {
            let text = render(template, html, &few);
            assert!(text.contains(escaped), "{template}: {text}");
        }
    }
    // a label cannot leave its quotes in the command that people paste
    let config = written(&defaults, "messages-quotes");
    let mut quoted = alert(1, "firing", "x");
    quoted["labels"]["namespace"] = json!("a'; reboot; '");
    let data = json!({"receiver": "chat", "status": "firing", "alerts": [quoted], "commonLabels": {}, "commonAnnotations": {},
        "groupLabels": {"namespace": "a'; reboot; '"}, "externalURL": ""});
    fs::write(config.with_file_name("data.json"), data.to_string()).unwrap();
    let mut command = amtool.command();
    command.args(["template", "render", "--template.text={{ template \"obs.silence.command\" . }}"]);
    command.arg(format!("--template.glob={}", config.with_file_name("*.tmpl").display()));
    command.arg(format!("--template.data={}", config.with_file_name("data.json").display()));
    let text = run(&mut command, "quotes");
    assert_eq!(text.trim(), r#"kubectl obs alerts silence 'namespace="a'\''; reboot; '\''"' --for 2h"#);
}

/// A label of `equal` that both sides lack counts as equal: so each rule of ours demands of both sides
/// one of them, or demands of both that they lack it.
fn inhibitions() {
    let bundle = bundle("alertmanager");
    let rendered = rendered(&bundle, bundle.effective_defaults());
    let config = data(&rendered, "obs-alertmanager-config").unwrap()["alertmanager.yml"].as_str().unwrap();
    let config = yaml::parse(config).unwrap();
    let rules = config["inhibit_rules"].as_array().unwrap();
    assert!(rules.len() >= 5, "{rules:?}");
    for rule in rules {
        let texts = |key: &str| -> BTreeSet<String> {
            rule[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let (source, target, equal) = (texts("source_matchers"), texts("target_matchers"), texts("equal"));
        assert!(!equal.is_empty(), "{rule}");
        let demanded = |side: &BTreeSet<String>, label: &str| {
            side.contains(&format!("{label}=~\".+\"")) || side.contains(&format!("{label}=\"\""))
        };
        assert!(
            equal.iter().any(|label| demanded(&source, label) && demanded(&target, label)),
            "neither side must have a label of equal: {rule}"
        );
    }
}

/// Alertmanager's keys for secrets have twins that name a file; only those are used, and each file is
/// mounted from a key of a Secret.
fn secrets_are_files() {
    let bundle = bundle("alertmanager");
    let values = merged(bundle.effective_defaults(), &everything()["alertmanager"]);
    let rendered = rendered(&bundle, &values);
    let config = data(&rendered, "obs-alertmanager-config").unwrap()["alertmanager.yml"].as_str().unwrap();
    for key in [
        "api_url:",
        "webhook_url:",
        "auth_password:",
        "routing_key:",
        "service_key:",
        "api_key:",
        "bot_token:",
        "credentials:",
        "password:",
        "app_token:",
    ] {
        let plain = config.lines().filter(|line| line.trim_start().trim_start_matches("- ").starts_with(key));
        // Opsgenie's address is none
        let plain: Vec<&str> = plain.filter(|line| !line.contains("opsgenie.com")).collect();
        assert!(plain.is_empty(), "{plain:?}");
    }
    let used: BTreeSet<&str> = config
        .split("/etc/alertmanager/secrets/")
        .skip(1)
        .map(|rest| rest.split([' ', ',', '}', '\n']).next().unwrap())
        .collect();
    assert!(used.len() >= 12, "{used:?}");
    let workload = rendered.objects.iter().find(|object| object.kind() == "StatefulSet").unwrap();
    let volumes = workload.value().pointer("/spec/template/spec/volumes").unwrap();
    let volume = volumes.as_array().unwrap().iter().find(|volume| volume["name"] == "secrets").unwrap();
    let sources = volume["projected"]["sources"].as_array().unwrap();
    let items = sources.iter().flat_map(|source| source["secret"]["items"].as_array().unwrap());
    let mounted: BTreeSet<&str> = items.map(|item| item["path"].as_str().unwrap()).collect();
    assert_eq!(used, mounted);
}
