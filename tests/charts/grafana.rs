//! Grafana's objects and configuration: what values lead to, what bad values are told, and what must never
//! be in them.

use std::collections::BTreeSet;
use std::process::Command;

use kubectl_obs::render::Rendered;
use kubectl_obs::render::duration;
use kubectl_obs::yaml;
use libtest_mimic::Trial;
use regex::Regex;
use serde_json::{Value, json};

use crate::grafana_boards::{of_prometheus, panels};
use crate::support::{bundle, data, everything, merged, rendered, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("grafana::bad_values_are_refused_with_path_and_way_out", bad_values),
        trial("grafana::its_address_follows_from_one_value", addresses),
        trial("grafana::it_calls_nobody_and_sends_strict_headers", settings),
        trial("grafana::data_sources_are_those_that_are_on", data_sources),
        trial("grafana::log_stores_are_asked_as_they_want_to_be", log_stores),
        trial("grafana::what_it_reads_is_mounted", mounted),
        trial("grafana::the_container_that_finds_dashboards_reads_config_maps_only", rights),
        trial("grafana::a_folder_has_a_provider_and_its_files", folders),
        trial("grafana::it_reaches_what_values_name", reached),
        trial("grafana::a_rate_sees_two_samples_of_every_job", rate_intervals),
    ]
}

fn stack(over: &Value) -> Rendered {
    let stack = bundle("stack");
    rendered(&stack, &merged(stack.effective_defaults(), over))
}

fn object(rendered: &Rendered, kind: &str, name: &str) -> Value {
    let found = rendered.objects.iter().find(|o| o.kind() == kind && o.name() == name);
    found.map(|object| object.value().clone()).unwrap_or_default()
}

fn config(rendered: &Rendered, file: &str) -> String {
    data(rendered, "obs-grafana-config").unwrap()[file].as_str().unwrap().to_owned()
}

/// A setting of grafana.ini.
fn setting(rendered: &Rendered, section: &str, key: &str) -> Option<String> {
    let ini = config(rendered, "grafana.ini");
    let lines = ini.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    lines.find_map(|line| line.strip_prefix(&format!("{key} = "))).map(str::to_owned)
}

fn pod(rendered: &Rendered) -> Value {
    object(rendered, "StatefulSet", "obs-grafana")["spec"]["template"]["spec"].clone()
}

fn bad_values() {
    let board = |over: Value| merged(&json!({"uid": "a", "title": "A", "panels": []}), &over);
    let one = |board: Value| json!({"dashboards": {"folders": {"Shop": {"orders": board}}}});
    let two = |other: Value| json!({"dashboards": {"folders": {"Shop": {"orders": board(json!({})), "other": board(other)}}}});
    let asks = |uid: &str| {
        let panel = json!({"type": "stat", "datasource": {"uid": uid}});
        one(board(json!({"panels": [{"type": "row", "panels": [panel]}]})))
    };
    let cases = [
        (json!({"replicas": 2}), "database.type", "postgres or mysql"),
        (json!({"database": {"type": "postgres"}}), "database.host", "empty"),
        (json!({"database": {"type": "mysql", "host": "h:3306"}}), "database.secret.name", "empty"),
        (json!({"expose": {"type": "ingress"}}), "expose.host", "empty"),
        (json!({"expose": {"type": "gateway", "host": "a.test"}}), "expose.gateway.parentRefs", "empty"),
        (json!({"expose": {"host": "https://a.test"}}), "expose.host", "without https://"),
        (json!({"expose": {"path": "/a/"}}), "expose.path", "/grafana"),
        (json!({"admin": {"secret": {"name": "a", "key": ""}}}), "admin.secret.key", "key"),
        (json!({"admin": {"password": "geheim"}}), "admin.password", "unknown key"),
        (json!({"oidc": {"enabled": true}}), "oidc.clientId", "empty"),
        (json!({"config": {"smtp": {"password": "geheim"}}}), "config.smtp.password", "secretMounts"),
        (
            json!({"datasources": {"extra": [{"name": "a", "uid": "a", "type": "loki", "url": "http://me:geheim@h"}]}}),
            "datasources.extra[0].url",
            "secureJsonData",
        ),
        (
            json!({"datasources": {"extra": [{"name": "a", "uid": "obs-a", "type": "loki"}]}}),
            "datasources.extra[0].uid",
            "stack's own",
        ),
        (
            json!({"datasources": {"extra": [{"name": "a", "uid": "a", "type": "loki"}, {"name": "a", "uid": "b", "type": "loki"}]}}),
            "datasources.extra[1]",
            "datasources.extra[0]",
        ),
        (
            json!({"datasources": {"extra": [{"name": "Prometheus", "uid": "a", "type": "loki"}]}}),
            "datasources.extra[0].name",
            "another name",
        ),
        // two defaults keep Grafana from starting
        (
            json!({"datasources": {"extra": [{"name": "a", "uid": "a", "type": "loki", "isDefault": true}]}}),
            "datasources.extra[0].isDefault",
            "unknown key",
        ),
        (json!({"datasources": {"default": "b"}}), "datasources.default", "obs-prometheus"),
        (one(json!("text")), "dashboards.folders.Shop.orders", "map"),
        (one(json!({"dashboard": board(json!({}))})), "dashboards.folders.Shop.orders.dashboard", "below"),
        (one(board(json!({"__inputs": []}))), "dashboards.folders.Shop.orders.__inputs", "export"),
        (one(json!({"uid": "a", "title": "A"})), "dashboards.folders.Shop.orders.panels", "required"),
        (one(board(json!({"uid": "obs-app"}))), "dashboards.folders.Shop.orders.uid", "stack's own"),
        (two(json!({"title": "B"})), "dashboards.folders.Shop.other.uid", "another uid"),
        (two(json!({"uid": "b"})), "dashboards.folders.Shop.other.title", "another title"),
        (asks("obs-loki"), "dashboards.folders.Shop.orders.panels[0].panels[0]", "obs-prometheus"),
    ];
    let file = crate::support::folder("grafana-mistakes").join("values.yaml");
    for (values, path, way_out) in cases {
        std::fs::write(&file, json!({"grafana": values}).to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-obs"));
        let output = command.args(["template", "-f"]).arg(&file).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{values} is accepted");
        let line = text.lines().find(|line| line.contains(&format!("grafana.{path}")));
        let line = line.unwrap_or_else(|| panic!("{values}: expected {path}, got {text}"));
        assert!(line.contains(way_out), "{values}: expected {way_out}, got {text}");
        assert!(!text.contains("geheim"), "{values}: the secret is repeated: {text}");
    }
}

/// Host × path × port × encryption: redirects, cookies, probes, scrapes, entrance and health agree.
fn addresses() {
    for host in ["", "grafana.shop.test"] {
        for path in ["/", "/grafana", "/a/b"] {
            for (port, tls) in [(0, true), (8443, true), (0, false)] {
                let kinds: &[&str] =
                    if host.is_empty() { &["none"] } else { &["none", "ingress", "gateway"] };
                for kind in kinds {
                    address(host, path, port, tls, kind);
                }
            }
        }
    }
}

fn address(host: &str, path: &str, port: u16, tls: bool, kind: &str) {
    let expose = json!({"type": kind, "host": host, "path": path, "port": port, "tls": {"enabled": tls},
        "gateway": {"parentRefs": [{"name": "public", "namespace": "gateways"}]}});
    let stack = stack(&json!({"grafana": {"expose": expose}}));
    let what = format!("{kind} {host}{path} {port} {tls}");
    let below = if path == "/" { "" } else { path };

    let scheme = if tls { "https" } else { "http" };
    let at = if port == 0 { String::new() } else { format!(":{port}") };
    let root = setting(&stack, "server", "root_url");
    if host.is_empty() {
        let expected =
            (!below.is_empty()).then(|| format!("%(protocol)s://%(domain)s:%(http_port)s{below}/"));
        assert_eq!(root, expected, "{what}");
    } else {
        assert_eq!(root.as_deref(), Some(format!("{scheme}://{host}{at}{below}/").as_str()), "{what}");
    }
    let sub_path = setting(&stack, "server", "serve_from_sub_path");
    assert_eq!(sub_path.as_deref(), (!below.is_empty()).then_some("true"), "{what}");
    // by way of a forwarded port there is no encryption, and such cookies would be lost
    let secure = (tls && !host.is_empty()).to_string();
    assert_eq!(setting(&stack, "security", "cookie_secure"), Some(secure.clone()), "{what}");
    assert_eq!(setting(&stack, "security", "strict_transport_security"), Some(secure), "{what}");

    // links of kubectl obs dashboards
    let login =
        object(&stack, "StatefulSet", "obs-grafana")["metadata"]["annotations"]["kubectl-obs.dev/login"]
            .clone();
    let login: Value = serde_json::from_str(login.as_str().unwrap()).unwrap();
    let origin = if host.is_empty() { String::new() } else { format!("{scheme}://{host}{at}") };
    assert_eq!((&login["url"], &login["path"]), (&json!(origin), &json!(below)), "{what}");

    let pod = pod(&stack);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probed = pod["containers"][0][probe]["httpGet"]["path"].as_str().unwrap();
        assert!(
            [format!("{below}/healthz"), format!("{below}/api/health")].contains(&probed.to_owned()),
            "{what}: {probe} {probed}"
        );
    }
    let grafana = stack.components.iter().find(|component| component.name == "grafana").unwrap();
    assert_eq!(grafana.health[0]["http"]["path"], format!("{below}/api/health"), "{what}");
    let config = data(&stack, "obs-prometheus-config").unwrap()["prometheus.yml"].as_str().unwrap();
    let config = yaml::parse(config).unwrap();
    let jobs = config["scrape_configs"].as_array().unwrap();
    let job = jobs.iter().find(|job| job["job_name"] == "grafana").unwrap();
    assert_eq!(job["metrics_path"], format!("{below}/metrics"), "{what}");

    let ingress = object(&stack, "Ingress", "obs-grafana");
    let route = object(&stack, "HTTPRoute", "obs-grafana");
    assert_eq!((ingress.is_null(), route.is_null()), (kind != "ingress", kind != "gateway"), "{what}");
    match kind {
        "ingress" => {
            let rule = &ingress["spec"]["rules"][0];
            assert_eq!(
                (&rule["host"], &rule["http"]["paths"][0]["path"]),
                (&json!(host), &json!(path)),
                "{what}"
            );
            assert_eq!(ingress["spec"]["tls"].is_array(), tls, "{what}");
        }
        "gateway" => {
            assert_eq!(route["spec"]["hostnames"], json!([host]), "{what}");
            assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], path, "{what}");
        }
        _ => {}
    }
}

fn settings() {
    for over in [json!({}), everything()] {
        let stack = stack(&over);
        for (section, key, value) in [
            ("plugins", "preinstall_disabled", "true"),
            ("plugins", "preinstall_auto_update", "false"),
            ("plugins", "public_key_retrieval_disabled", "true"),
            ("analytics", "reporting_enabled", "false"),
            ("analytics", "check_for_updates", "false"),
            ("analytics", "check_for_plugin_updates", "false"),
            ("news", "news_feed_enabled", "false"),
            ("snapshots", "external_enabled", "false"),
            ("security", "disable_gravatar", "true"),
            ("security", "allow_embedding", "false"),
            ("security", "content_security_policy", "true"),
            ("security", "x_content_type_options", "true"),
            ("users", "allow_sign_up", "false"),
            ("auth.anonymous", "enabled", "false"),
            // Prometheus evaluates: a second one that tells people would tell them twice
            ("unified_alerting", "execute_alerts", "false"),
        ] {
            assert_eq!(setting(&stack, section, key).as_deref(), Some(value), "[{section}] {key}");
        }
        let policy = setting(&stack, "security", "content_security_policy_template").unwrap();
        assert!(!policy.contains("grafana.com") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let pod = pod(&stack);
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        // what the image brings along would be hidden
        assert!(mounts.iter().all(|m| !m["mountPath"].as_str().unwrap().starts_with("/usr/share/grafana")));
    }
}

fn data_sources() {
    let everything = everything();
    for (over, uids, default) in [
        (json!({}), vec!["obs-prometheus", "obs-alertmanager"], Some("obs-prometheus")),
        (json!({"alertmanager": {"enabled": false}}), vec!["obs-prometheus"], Some("obs-prometheus")),
        (json!({"alertmanager": {"enabled": false}, "prometheus": {"enabled": false}}), vec![], None),
        (
            everything,
            vec![
                "obs-prometheus",
                "obs-alertmanager",
                "obs-loki",
                "obs-opensearch",
                "obs-elasticsearch",
                "billing",
            ],
            Some("billing"),
        ),
        (
            json!({"prometheus": {"enabled": false}, "alertmanager": {"enabled": false}, "loki": {"enabled": true},
                "grafana": {"datasources": {"default": "obs-loki"}}}),
            vec!["obs-loki"],
            Some("obs-loki"),
        ),
        (
            json!({"opensearch": {"enabled": true}, "fluentd": {"enabled": true}}),
            vec!["obs-prometheus", "obs-alertmanager", "obs-opensearch"],
            Some("obs-prometheus"),
        ),
    ] {
        let stack = stack(&over);
        let file = yaml::parse(&config(&stack, "datasources.yaml")).unwrap();
        // what was provisioned before and is off now is deleted
        assert_eq!(file["prune"], true);
        let sources = file["datasources"].as_array().unwrap();
        let got: Vec<&str> = sources.iter().filter_map(|source| source["uid"].as_str()).collect();
        assert_eq!(got, uids);
        let defaults: Vec<&str> = sources
            .iter()
            .filter(|source| source["isDefault"] == true)
            .filter_map(|source| source["uid"].as_str())
            .collect();
        // two of them keep Grafana from starting
        assert_eq!(defaults, default.into_iter().collect::<Vec<_>>());
        assert!(sources.iter().all(|source| source["editable"] == false));
        let longest = |app: &Value| app["interval"].as_str().map(duration);
        let apps = over["apps"].as_array().into_iter().flatten().filter_map(longest);
        let scrape =
            apps.chain([duration(over["scrape"]["interval"].as_str().unwrap_or("30s"))]).max().unwrap();
        if let Some(prometheus) = sources.iter().find(|source| source["uid"] == "obs-prometheus") {
            assert_eq!(duration(prometheus["jsonData"]["timeInterval"].as_str().unwrap()), scrape);
        }
    }
}

/// The tenant, the reader's password and the CA come from what the store says of itself, wherever it runs.
fn log_stores() {
    let source = |over: &Value, uid: &str| {
        let text = config(&stack(over), "datasources.yaml");
        // a dollar would be a variable, and $$ is one
        let file = yaml::parse(&text.replace("$$", "$")).unwrap();
        let sources = file["datasources"].as_array().unwrap();
        sources.iter().find(|source| source["uid"] == uid).unwrap().clone()
    };
    let loki = |tenant: &str| source(&json!({"loki": {"enabled": true, "tenant": tenant}}), "obs-loki");
    let plain = loki("");
    assert_eq!(plain["url"], "http://obs-loki.observability.svc:3100");
    assert!(plain["secureJsonData"].is_null() && plain["jsonData"]["httpHeaderName1"].is_null(), "{plain}");
    let field = &plain["jsonData"]["derivedFields"][0];
    assert_eq!((&field["name"], &field["datasourceUid"]), (&json!("request_id"), &json!("obs-loki")));
    assert_eq!(field["url"], "{namespace=~\".+\"} |= `${__value.raw}`");
    let id = Regex::new(field["matcherRegex"].as_str().unwrap()).unwrap();
    for line in [r#"{"a":1,"request_id":"4c1e7a90"}"#, r#"{"request_id": "4c1e7a90", "b": ""}"#] {
        assert_eq!(&id.captures(line).unwrap()[1], "4c1e7a90", "{line}");
    }
    let shop = loki("shop");
    assert_eq!(shop["jsonData"]["httpHeaderName1"], "X-Scope-OrgID");
    assert_eq!(shop["secureJsonData"]["httpHeaderValue1"], "shop");

    for kind in ["opensearch", "elasticsearch"] {
        let store = |over: Value| {
            source(&json!({kind: merged(&json!({"enabled": true}), &over)}), &format!("obs-{kind}"))
        };
        let secret = |name: &str, key: &str| format!("$__file{{/etc/grafana/secrets/{name}/{key}}}");
        let own = store(json!({"dataStream": "shop-logs"}));
        assert_eq!(own["type"], "elasticsearch");
        assert_eq!(own["url"], format!("http://obs-{kind}.observability.svc:9200"));
        for (key, value) in [
            ("index", "shop-logs"),
            ("timeField", "@timestamp"),
            ("logMessageField", "message"),
            ("logLevelField", "detected_level"),
        ] {
            assert_eq!(own["jsonData"][key], value, "{kind}");
        }
        assert_eq!((&own["basicAuth"], &own["basicAuthUser"]), (&json!(true), &json!("obs-reader")));
        let password = secret(&format!("obs-{kind}-reader"), "password");
        assert_eq!(own["secureJsonData"], json!({"basicAuthPassword": password}));

        let open = store(json!({"security": {"enabled": false}}));
        assert!(open["basicAuth"].is_null() && open["secureJsonData"].is_null(), "{open}");

        let tls = store(json!({"tls": {"secret": {"name": "own"}}}));
        assert_eq!(tls["jsonData"]["tlsAuthWithCACert"], true);
        assert_eq!(tls["secureJsonData"]["tlsCACert"], secret("own", "ca.crt"));

        let url = "https://logs.shop.test:9200";
        let external = |more: Value| store(json!({"external": merged(&json!({"url": url}), &more)}));
        let nobody = external(json!({}));
        assert_eq!(nobody["url"], url);
        assert!(nobody["basicAuth"].is_null() && nobody["secureJsonData"].is_null(), "{nobody}");
        let theirs = external(
            json!({"secret": {"name": "es", "usernameKey": "u", "passwordKey": "p"}, "caSecret": {"name": "ca", "key": "c"}}),
        );
        assert_eq!(theirs["basicAuthUser"], secret("es", "u"));
        let expected = json!({"basicAuthPassword": secret("es", "p"), "tlsCACert": secret("ca", "c")});
        assert_eq!(theirs["secureJsonData"], expected);
        let unseen = external(json!({"insecureSkipVerify": true}));
        assert_eq!(unseen["jsonData"]["tlsSkipVerify"], true);
    }
}

/// Every file that the configuration refers to is in a volume of the pod, and by key.
fn mounted() {
    for over in [json!({}), everything(), json!({"opensearch": {"enabled": true}})] {
        let stack = stack(&over);
        let pod = pod(&stack);
        let volumes = pod["volumes"].as_array().unwrap();
        let secrets = volumes.iter().find(|volume| volume["name"] == "secrets").unwrap();
        let sources = secrets["projected"]["sources"].as_array().unwrap();
        let items = sources.iter().flat_map(|source| source["secret"]["items"].as_array().unwrap());
        let mut there: BTreeSet<String> =
            items.map(|item| format!("/etc/grafana/secrets/{}", item["path"].as_str().unwrap())).collect();
        let text = config(&stack, "grafana.ini") + &config(&stack, "datasources.yaml");
        let mut named = 0;
        for (at, found) in text.match_indices("$__file{/") {
            let path = text[at + found.len() - 1..].split('}').next().unwrap();
            named += 1;
            if path.starts_with("/etc/grafana/mounts/ref-k/") {
                assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == "ref-k"));
                continue;
            }
            assert!(there.contains(path), "{path} is not mounted: {there:?}");
        }
        assert!(named >= 2, "{named}");
        there.retain(|path| !text.contains(path.as_str()));
        assert!(there.is_empty(), "mounted for nothing: {there:?}");
    }
}

/// No rule on Secrets, no token for Grafana itself, and nothing beyond the namespaces that values name.
fn rights() {
    let stack = stack(&everything());
    let mut namespaces = BTreeSet::new();
    for object in &stack.objects {
        if object.value()["metadata"]["labels"]["kubectl-obs.dev/component"] != "grafana" {
            continue;
        }
        assert!(!["ClusterRole", "ClusterRoleBinding"].contains(&object.kind()), "{}", object.name());
        if object.kind() == "Role" {
            namespaces.insert(object.value()["metadata"]["namespace"].as_str().unwrap().to_owned());
            let rules =
                json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]);
            assert_eq!(object.value()["rules"], rules);
        }
    }
    assert_eq!(namespaces, BTreeSet::from(["shop".to_owned(), "billing".to_owned()]));
    let pod = pod(&stack);
    assert_eq!(pod["automountServiceAccountToken"], false);
    let with_token: Vec<&Value> = pod["containers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|container| container["volumeMounts"].to_string().contains("serviceaccount"))
        .map(|container| &container["name"])
        .collect();
    assert_eq!(with_token, ["discover"]);
    assert!(self::pod(&self::stack(&json!({})))["containers"].as_array().unwrap().len() == 1);
}

fn folders() {
    for over in [json!({}), everything(), json!({"kubeStateMetrics": {"enabled": false}})] {
        let stack = stack(&over);
        let pod = pod(&stack);
        let providers = yaml::parse(&config(&stack, "dashboards.yaml")).unwrap();
        let mut names = BTreeSet::new();
        for provider in providers["providers"].as_array().unwrap() {
            // names and folders are what Grafana knows its dashboards by
            assert!(names.insert(provider["name"].to_string()), "{provider}");
            assert_eq!(provider["allowUiUpdates"], false);
            let path = &provider["options"]["path"];
            let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
            let mount = mounts.iter().find(|mount| mount["mountPath"] == *path);
            let volume = &mount.unwrap_or_else(|| panic!("{path} is not mounted"))["name"];
            let volumes = pod["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|v| v["name"] == *volume).unwrap();
            for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
                let name = source["configMap"]["name"].as_str().unwrap();
                let map = object(&stack, "ConfigMap", name);
                assert_eq!(map["metadata"]["annotations"]["kubectl-obs.dev/live-reload"], "true", "{name}");
                for text in map["data"].as_object().unwrap().values() {
                    let board: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
                    assert!(board["uid"].is_string() && board.get("id").is_none(), "{name}");
                }
            }
        }
        let uids: BTreeSet<&str> = over["kubeStateMetrics"]["enabled"]
            .as_bool()
            .map_or_else(|| BTreeSet::from(["cluster", "workloads", "pods"]), |_| BTreeSet::new());
        for board in ["cluster", "workloads", "pods"] {
            let there = data(&stack, &format!("obs-grafana-dashboard-{board}")).is_some();
            assert_eq!(there, uids.contains(board), "{board}");
        }
        assert_eq!(
            data(&stack, "obs-grafana-dashboard-postgres").is_some(),
            !over["postgresExporter"].is_null()
        );
    }
}

fn reached() {
    let policy = |over: Value| {
        object(&stack(&json!({"grafana": over})), "NetworkPolicy", "obs-grafana")["spec"].clone()
    };
    // by itself: in from the namespace, out to DNS and the namespace
    let closed = policy(json!({}));
    assert_eq!(closed["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(closed["ingress"][0]["from"], json!([{"podSelector": {}}]));
    assert_eq!(closed["egress"][1]["to"], json!([{"podSelector": {}}]));
    // an entrance: from anywhere, unless it is said from where
    let host = json!({"type": "ingress", "host": "a.test"});
    assert!(policy(json!({"expose": host}))["ingress"][0]["from"].is_null());
    let peer = json!({"namespaceSelector": {"matchLabels": {"a": "b"}}});
    let named = policy(json!({"expose": host, "networkPolicy": {"allowFrom": [peer]}}));
    assert_eq!(named["ingress"][0]["from"], json!([{"podSelector": {}}, peer]));
    // a store outside is reached, one of the stack's own is in the namespace
    let stores = |external: &str| {
        let over = json!({"opensearch": {"enabled": true, "external": {"url": external}}});
        object(&stack(&over), "NetworkPolicy", "obs-grafana")["spec"]["policyTypes"].clone()
    };
    assert_eq!(stores(""), json!(["Ingress", "Egress"]));
    assert_eq!(stores("https://logs.shop.test:9200"), json!(["Ingress"]));
    // what is somewhere else is reached
    let open = policy(json!({"dashboards": {"discover": {"namespaces": ["a"]}}}));
    assert_eq!(open["policyTypes"], json!(["Ingress"]));
    let limited = policy(
        json!({"dashboards": {"discover": {"namespaces": ["a"]}}, "networkPolicy": {"allowTo": [peer]}}),
    );
    assert_eq!(limited["egress"][1]["to"], json!([{"podSelector": {}}, peer]));
}

/// `$__rate_interval` is four times what the data source says of the time between two samples, unless a query
/// says it itself: less than a job's own, and a rate has nothing to compare.
fn rate_intervals() {
    let app = |interval: &str| json!({"apps": [{"name": "slow", "namespace": "shop", "selector": {"a": "b"}, "port": 80, "interval": interval}]});
    let job = Regex::new(r#"\bjob=~?"([^"]+)""#).unwrap();
    let mut seen = 0;
    for over in [
        json!({}),
        everything(),
        app("60s"),
        app("10m"),
        json!({"scrape": {"interval": "2m", "timeout": "10s"}}),
    ] {
        let stack = stack(&over);
        let config = data(&stack, "obs-prometheus-config").unwrap()["prometheus.yml"].as_str().unwrap();
        let config = yaml::parse(config).unwrap();
        let usual = config["global"]["scrape_interval"].clone();
        let jobs: Vec<(String, i64)> = config["scrape_configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| {
                let own = if job["scrape_interval"].is_null() { &usual } else { &job["scrape_interval"] };
                (job["job_name"].as_str().unwrap().to_owned(), seconds(own))
            })
            .collect();
        let sources = yaml::parse(&self::config(&stack, "datasources.yaml")).unwrap();
        let source = seconds(&sources["datasources"][0]["jsonData"]["timeInterval"]);
        for (file, board) in of_prometheus() {
            for panel in panels(&board) {
                for target in panel["targets"].as_array().unwrap() {
                    let query = target["expr"].as_str().unwrap();
                    if !query.contains("$__rate_interval") {
                        continue;
                    }
                    let own = &target["interval"];
                    let reckoned = if own.is_null() { source } else { seconds(own) };
                    for asked in job.captures_iter(query) {
                        let asked = Regex::new(&format!("^(?:{})$", asked[1].replace("$app", ".+"))).unwrap();
                        for (name, interval) in jobs.iter().filter(|(name, _)| asked.is_match(name)) {
                            seen += 1;
                            assert!(
                                *interval <= reckoned,
                                "{file}: {}: {name} is scraped each {interval} s, a rate reckons with {reckoned} s",
                                panel["title"]
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 200, "{seen}");
}

/// A duration of Prometheus.
fn seconds(value: &Value) -> i64 {
    duration(value.as_str().unwrap()).unwrap()
}
