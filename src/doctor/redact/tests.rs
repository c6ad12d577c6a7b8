//! Secrets of more than thirty kinds, each in a text and most in a document; and what is none and stays.

use serde_json::{Value, json};

use super::Redactor;

/// Repeats a few characters to the length that a secret of its kind has.
fn filled(begin: &str, with: &str, length: usize) -> String {
    begin.chars().chain(with.chars().cycle()).take(begin.len() + length).collect()
}

/// What it is, a text with `{}` where the secret stands, and the secret: made here, so that no scanner takes this
/// file for a leak.
pub(crate) fn planted() -> Vec<(&'static str, &'static str, String)> {
    let letters = "aB3dE5gH7jK9";
    vec![
        ("a password in YAML", "database:\n  password: {}\n", "correct-horse-battery".into()),
        ("a password with spaces", "password: \"{}\"\n", "correct horse battery".into()),
        (
            "a password in JSON in a text",
            r#"config {"user":"a","password":"{}"} was read"#,
            "s3cr3t-Pa55".into(),
        ),
        ("JSON that JSON holds", r#"{"msg":"{\"api_key\":\"{}\"}"}"#, filled("k", letters, 20)),
        ("an environment variable", "DB_PASSWD={} ./run\n", "hunter2hunter2".into()),
        ("a flag", "exec /bin/app --client-secret {} --verbose", filled("c", letters, 24)),
        ("a flag with =", "exec /bin/app --token={}", filled("t", letters, 24)),
        ("a DSN", "host=db user=app password={} sslmode=require", "pg-Pa55word".into()),
        ("a URL with a login", "connecting to postgres://app:{}@db:5432/orders", "url-Pa55word".into()),
        ("a URL with a slash in its password", "connecting to redis://:{}@cache:6379", "pa/ss@word1".into()),
        ("a URL with a token as user", "git clone https://{}@example.org/x.git", filled("u", letters, 20)),
        ("a token in a query", "GET /hook?id=4&access_token={}&x=1 200", filled("q", letters, 24)),
        ("a signature in a query", "PUT https://x.blob.example.org/c?sv=1&sig={}", filled("s", "aB3%2B", 30)),
        ("a bearer token", "Authorization: Bearer {}", filled("b", letters, 30)),
        ("a login of Basic", "> Authorization: Basic {}", "YWRtaW46cGFzc3dvcmQtMTIz".into()),
        ("an Elasticsearch key", "Authorization: ApiKey {}", filled("e", letters, 40)),
        ("an Opsgenie key", "Authorization: GenieKey {}", "0f8fad5b-d9cb-469f-a165-70867728950e".into()),
        ("a header with a key", "X-Api-Key: {}", filled("x", letters, 24)),
        ("a cookie", "Set-Cookie: grafana_session={}; Path=/", filled("g", "0123456789abcdef", 32)),
        (
            "a JWT",
            "token is {} now",
            format!(
                "{}.{}.{}",
                filled("eyJ", letters, 20),
                filled("eyJ", letters, 30),
                filled("", letters, 30)
            ),
        ),
        (
            "a private key",
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
            filled("MII", letters, 64),
        ),
        ("a private key that is cut", "key:\n-----BEGIN PRIVATE KEY-----\n{}", filled("MII", letters, 64)),
        ("an AWS key id", "using {} for s3", filled("AKIA", "ABCD2345", 16)),
        ("an AWS secret", "aws_secret_access_key = {}", filled("", "aB3/dE5+", 40)),
        (
            "an Azure key",
            "DefaultEndpointsProtocol=https;AccountKey={};EndpointSuffix=x",
            filled("", letters, 64),
        ),
        ("a token of GitHub", "remote: {} expired", filled("ghp_", letters, 36)),
        ("a token of GitLab", "remote: {} expired", filled("glpat-", letters, 20)),
        ("a key of Google", "maps: {}", filled("AIza", letters, 35)),
        ("a token of Slack", "posting with {}", filled("xoxb-", "0123456789-", 24)),
        (
            "a webhook of Slack",
            "posting to https://hooks.slack.com{}",
            format!("/services/T{}/B{}/{}", "0123", "4567", filled("", letters, 24)),
        ),
        (
            "a webhook of Discord",
            "posting to https://discord.com/api/webhooks{}",
            format!("/1234567890/{}", filled("", letters, 60)),
        ),
        (
            "a webhook of Teams",
            "posting to https://acme.webhook.office.com{}",
            format!("/webhookb2/{}", filled("", letters, 40)),
        ),
        (
            "a bot of Telegram",
            "https://api.telegram.org/bot{}/sendMessage",
            format!("123456789:{}", filled("", letters, 35)),
        ),
        ("a key of PagerDuty", "routing_key: {}", filled("", "0123456789abcdef", 32)),
        ("a key of Stripe", "charging with {}", filled("sk_live_", letters, 24)),
        (
            "a key of SendGrid",
            "mailing with {}",
            format!("SG.{}.{}", filled("", letters, 22), filled("", letters, 43)),
        ),
        ("a key of Twilio", "calling with {}", filled("SK", "0123456789abcdef", 32)),
        ("a token of npm", "//registry/:_auth {}", filled("npm_", letters, 36)),
        ("a token of PyPI", "uploading with {}", filled("pypi-", letters, 40)),
        ("a token of Grafana", "pushing with {}", filled("glsa_", letters, 40)),
        ("a token of Vault", "reading with {}", filled("hvs.", letters, 24)),
        ("a token of DigitalOcean", "calling with {}", filled("dop_v1_", "0123456789abcdef", 64)),
        (
            "a login of a registry",
            r#"{"auths":{"r.example.org":{"auth":"{}"}}}"#,
            "cm9ib3Q6c2VjcmV0LXRva2Vu".into(),
        ),
        ("a hash of a password", "admin:{}", filled("$2y$05$", letters, 53)),
        ("a key of age", "identity {}", filled("AGE-SECRET-KEY-1", "QPZRY9X8", 58)),
        (
            "a webhook's address by its name",
            "webhook_url: {}",
            "https://alerts.example.org/in/9f8e7d6c".into(),
        ),
    ]
}

#[test]
fn secrets_of_all_kinds_are_replaced() {
    let planted = planted();
    assert!(planted.len() >= 30);
    let mut redactor = Redactor::new(b"key");
    for (what, text, secret) in &planted {
        let text = text.replace("{}", secret);
        let shown = redactor.text(what, &text);
        assert!(!shown.contains(secret.as_str()), "{what}: {shown}");
        assert!(shown.contains("[redacted "), "{what}: {shown}");
        // once more changes nothing
        assert_eq!(Redactor::new(b"key").text(what, &shown), shown, "{what}");
        // as a text of a document, too
        let mut document = json!({"message": text, "lines": [text]});
        redactor.json(what, &mut document);
        assert!(!document.to_string().contains(secret.as_str()), "{what}: {document}");
    }
    assert_eq!(redactor.report().len(), planted.len());
}

#[test]
fn documents_are_read_by_the_names_of_their_fields() {
    let mut document = json!({"kind": "List", "items": [
        {"kind": "Secret", "metadata": {"name": "s"}, "data": {"anything": "aHVudGVyMg=="}, "stringData": {"more": "plain text"}},
        {"kind": "Pod", "spec": {"containers": [{"name": "c",
            "args": ["--user", "me", "--db-password", "arg-secret", "--verbose"],
            "env": [{"name": "API_TOKEN", "value": "env-secret"}, {"name": "LEVEL", "value": "debug"},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}}]}]}},
        {"passwords": ["one-of-them", "another-one"], "clientSecret": "field-secret", "auth": "field-auth"}]});
    Redactor::new(b"key").json("f", &mut document);
    let text = document.to_string();
    for secret in [
        "aHVudGVyMg==",
        "plain text",
        "arg-secret",
        "env-secret",
        "one-of-them",
        "another-one",
        "field-secret",
        "field-auth",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let container = &document["items"][1]["spec"]["containers"][0];
    assert_eq!(container["args"][1], "me");
    assert_eq!(container["env"][1]["value"], "debug");
    assert_eq!(container["env"][2]["valueFrom"]["secretKeyRef"], json!({"name": "keys", "key": "password"}));
}

#[test]
fn the_same_secret_has_the_same_token_everywhere() {
    let mut redactor = Redactor::new(b"key");
    redactor.know("anything", b"known-secret-1");
    let log = redactor.text("log", "login failed for known-secret-1 (a25vd24tc2VjcmV0LTE=)");
    let tokens: Vec<&str> = log.match_indices("[redacted ").map(|(at, _)| &log[at..at + 24]).collect();
    assert_eq!(tokens.len(), 2, "{log}");
    assert_eq!(tokens[0], tokens[1], "{log}");
    let mut value = Value::from("known-secret-1");
    redactor.json("document", &mut value);
    assert!(value.as_str().unwrap().starts_with(tokens[0]), "{value} and {log}");
    // another bundle has other tokens
    let mut other = Redactor::new(b"other");
    other.know("anything", b"known-secret-1");
    assert_ne!(other.text("log", "known-secret-1"), redactor.text("log", "known-secret-1"));
    let report = redactor.report();
    let log = report.iter().find(|redacted| redacted.file == "log").unwrap();
    assert_eq!(log.replaced["known"], 3);
}

#[test]
fn what_is_no_secret_stays() {
    let plain = [
        "2026-11-28T10:00:00Z level=info msg=\"replaying WAL, this may take a while\" component=tsdb",
        "Successfully pulled image \"quay.io/prometheus/prometheus:v3.15.0\" in 3.1s",
        "http://10.0.0.1:9102/metrics: connection refused",
        "secretName: obs-grafana-admin\nexistingSecret: keys\ntokenExpirationSeconds: 3600\npasswordKey: admin-password",
        "automountServiceAccountToken: false",
        "token_bytes_total 123456789",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "sum by (job) (rate(http_requests_total{path=\"/login\"}[5m]))",
    ];
    for text in plain {
        assert_eq!(Redactor::new(b"key").text("f", text), text);
    }
}

#[test]
fn every_pattern_is_one() {
    assert_eq!(super::PATTERNS.len(), super::FORMS.len());
    assert!(super::named::all_there() && super::known::all_there());
}

/// What must go, and what stays beside it.
fn hides(text: &str, secret: &str) -> String {
    let shown = Redactor::new(b"key").text("f", text);
    assert!(!shown.contains(secret), "{secret} of {text:?} is in {shown:?}");
    assert_eq!(Redactor::new(b"key").text("f", &shown), shown, "once more changes nothing");
    shown
}

#[test]
fn a_nested_key_is_not_taken_for_the_value() {
    for (text, secret) in [
        ("credentials:\n  password: hunter22\n", "hunter22"),
        ("authorization:\n  type: Bearer\n  credentials: abcdefgh\n", "abcdefgh"),
        ("authorization:\n  credentials: abcdefgh\n", "abcdefgh"),
        ("secretKeyRef:\n  token: abcdefgh1\n", "abcdefgh1"),
        ("auth: bearer\n  password: hunter22\n", "hunter22"),
        ("secretName: x\npassword: hunter22\n", "hunter22"),
        ("credentials: # of the database\n  password: hunter22\n", "hunter22"),
        ("credentials: &login\n  password: hunter22\n", "hunter22"),
        ("credentials: {user: a, password: hunter22}\n", "hunter22"),
        (r#"{"credentials": {"password": "hunter22"}, "#, "hunter22"),
        ("cookie:\n  session_token: hunter22\n", "hunter22"),
    ] {
        let shown = hides(text, secret);
        let key = text.lines().last().unwrap().trim().split(':').next().unwrap();
        assert!(shown.contains(key), "{key} is no secret: {shown:?}");
    }
}

#[test]
fn scalars_of_yaml_are_hidden_with_all_their_lines() {
    for (text, secret) in [
        ("password: |\n  hunter22\nuser: me\n", "hunter22"),
        ("password: |-\n  first\n\n    hunter22\nuser: me\n", "hunter22"),
        ("- password: >2\n    first\n    hunter22\n  user: me\n", "hunter22"),
        ("password: !!str |\n  hunter22\nuser: me\n", "hunter22"),
        ("password: &p |\n  hunter22\nuser: me\n", "hunter22"),
        ("token: !!str hunter22\nuser: me\n", "hunter22"),
        ("token: !!str \"hunter 22\"\nuser: me\n", "hunter 22"),
        ("token: !hunter22\nuser: me\n", "hunter22"),
        ("password: correct horse battery\nuser: me\n", "horse"),
        ("password: correct\n  horse\nuser: me\n", "horse"),
        ("password:\n  hunter22\nuser: me\n", "hunter22"),
        ("tokens:\n- hunter22\n- \"other one\"\nuser: me\n", "hunter22"),
        ("tokens:\n- hunter22\n- \"other one\"\nuser: me\n", "other one"),
        ("tokens: [hunter22, another]\nuser: me\n", "another"),
        ("PRIVATE=1\nPRIVATE_KEY=\"abc\nhunter22\"\nuser: me\n", "hunter22"),
        ("{\"msg\": broken, \"yaml\": \"password: |\\n  hunter22\\n\"\nuser: me\n", "hunter22"),
    ] {
        let shown = hides(text, secret);
        assert!(shown.contains("user: me"), "{shown:?}");
    }
}

#[test]
fn values_are_hidden_whole_whatever_signs_they_have() {
    for (text, secret) in [
        ("password: ab,cdefghijkl", "cdefghijkl"),
        ("x password=Xy7{rest y", "rest"),
        (r#"x "password":"ab\"cdefgh" y"#, "cdefgh"),
        (r#"x {\"password\":\"ab\\\"cdefgh\"} y"#, "cdefgh"),
        (r#"{"password":"ab\"cdefgh"}"#, "cdefgh"),
        ("x password=abcd;efghijk y", "efghijk"),
        ("x password=abcd&efghijk y", "efghijk"),
        ("x password=<efghijk> y", "efghijk"),
        ("x password=[ab]efghijk y", "efghijk"),
        ("x password={efghijk y", "efghijk"),
        ("x password='ab''efghijk' y", "efghijk"),
        ("x password == efghijk y", "efghijk"),
        ("x passwords[0]=efghijk y", "efghijk"),
        ("x PASSWORD ?= efghijk y", "efghijk"),
        ("x {\"password\":\n\"efghijk\"", "efghijk"),
        ("x {\"password\":\n  12345678}", "12345678"),
        ("STATEMENT: CREATE USER a WITH PASSWORD 'efghijk'", "efghijk"),
        ("x password => efghijk y", "efghijk"),
        ("x password := \"efghijk\" y", "efghijk"),
        ("x map[password:efghijk user:me] y", "efghijk"),
        ("x \"password\": 12345678, y", "12345678"),
        (r#"{"password": 12345678, "pins": {"passwords": [23456789]}}"#, "12345678"),
        (r#"{"password": 12345678, "pins": {"passwords": [23456789]}}"#, "23456789"),
        (r#"{"passwords": {"admin": "efghijk"}}"#, "efghijk"),
        (r"a line\npassword: efghijk\nmore", "efghijk"),
        ("<password>efghijk</password>", "efghijk"),
        ("run --db-password 'ef ghijk' --verbose", "ghijk"),
        (r#"["run", "--db-password", "efghijk"]"#, "efghijk"),
        (r#"args: ["--db-password", "efghijk"] end"#, "efghijk"),
        ("args:\n- --db-password\n- efghijk\n", "efghijk"),
        ("MIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n", "hkiG9w0BAQEFAASC"),
    ] {
        hides(text, secret);
    }
}

#[test]
fn environment_variables_in_texts_are_pairs() {
    for text in [
        r#"x {"name":"DB_PASSWORD","value":"hunter22"} y"#,
        r#"{"env":[{"name":"DB_PASSWORD","value":"hunter22"}]}"#,
        r#"x {"value":"hunter22","name":"DB_PASSWORD"} y"#,
        r#"x {\"name\":\"DB_PASSWORD\",\"value\":\"hunter22\"} y"#,
        r#"{"name":"DB_PASSWORD","value":{"stringValue":"hunter22"}}"#,
        "env:\n- name: DB_PASSWORD\n  value: hunter22\n",
        "env:\n- name: DB_PASSWORD\n  value: hunter22 with more\n",
        "env:\n- value: hunter22\n  name: DB_PASSWORD\n",
        "EnvVar{Name:DB_PASSWORD,Value:hunter22,ValueFrom:nil,}",
        "DB_PASS=hunter22 ./run",
        "secretAccessKey: hunter22",
        "AWS_SECRET_KEY=hunter22",
    ] {
        let shown = hides(text, "hunter22");
        assert!(!shown.contains("with more"), "{shown}");
    }
    let level = r#"{"name":"LEVEL","value":"debug"}"#;
    assert_eq!(Redactor::new(b"key").text("f", level), level);
}

#[test]
fn many_secrets_and_long_logs_take_one_pass() {
    let mut redactor = Redactor::new(b"key");
    for n in 0..2_000 {
        redactor.know("anything", format!("Secret-{n}-{}", n * 7919).as_bytes());
    }
    redactor.know("keystore", &[0xfe; 300_000]);
    let log =
        "level=info msg=\"a line, with Secret-1999-15830081\" component=tsdb token=abcdef\n".repeat(20_000);
    let begun = std::time::Instant::now();
    let shown = redactor.text("log", &log);
    assert!(!shown.contains("15830081") && !shown.contains("abcdef"));
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// What is within a Secret is looked for where it is a secret, and what is a word of every text is not.
#[test]
fn a_configuration_in_a_secret_is_known_by_its_leaves() {
    let config = "route:\n  receiver: platform\nreceivers:\n- name: platform\n  opsgenie_configs:\n  - api_key: opsg\n    \
                  message: 'hello there'\n  odd: q9-Xk2-77Lm\n";
    let ini = "[security]\nadmin_password = grafana-pa55\n; a remark\nmode = console\n";
    let mut redactor = Redactor::new(b"key");
    redactor.know("alertmanager.yaml", config.as_bytes());
    redactor.know("grafana.ini", ini.as_bytes());
    redactor.know("port", b"5432");
    redactor.know("dialect", b"grafana");
    redactor.know("token", b"true");
    let shown = redactor.text("f", "opsg q9-Xk2-77Lm grafana-pa55");
    assert_eq!(shown.matches("[redacted known ").count(), 3, "{shown}");
    let stays = "receivers: platform, 'hello there', console of grafana at 5432 is true";
    assert_eq!(redactor.text("f", stays), stays);
}

#[test]
fn what_is_known_is_no_field_and_no_number_of_a_document() {
    let mut redactor = Redactor::new(b"key");
    redactor.know("token", b"a-token-1234");
    redactor.know("pin", b"8675309");
    let mut document = json!({"a-token-1234": {"x": 8_675_309, "y": 8_675_310}, "z": 1});
    redactor.json("f", &mut document);
    let text = document.to_string();
    assert!(
        !text.contains("a-token-1234") && !text.contains("8675309") && text.contains("8675310"),
        "{text}"
    );
}
