//! Suggestions as values: a YAML file for `upgrade -f`. Lists replace lists, so what the release has
//! stands in it, too. Pure.

use serde_json::{Value, json};

use super::unwatched::{APPS, POSTGRES, REDIS, Unwatched};

/// The whole file; None when there is nothing to suggest.
pub fn values(existing: &Value, found: &[Unwatched]) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let mut out = "# What serves metrics and is not scraped, with the values that watch it. Lists replace those of the\n\
                   # release, so its own entries stand here as well. Check names and ports, then\n\
                   # kubectl obs upgrade -f FILE\n"
        .to_owned();
    for list in [APPS, POSTGRES, REDIS] {
        let new: Vec<&Unwatched> = found.iter().filter(|one| one.list == Some(list)).collect();
        if new.is_empty() {
            continue;
        }
        let mut block = String::new();
        let mut indent = String::new();
        let mut own = existing;
        for key in list.split('.') {
            own = &own[key];
            block.push_str(&format!("{indent}{key}:\n"));
            indent.push_str("  ");
        }
        let own: Vec<&Value> = own.as_array().into_iter().flatten().collect();
        block.extend(own.iter().map(|entry| item(entry, &indent)));
        for one in &new {
            block.push_str(&format!("{indent}# {}\n", title(one)));
            let entry = one.entry.as_ref().map(|entry| item(entry, "")).unwrap_or_default();
            // what would fail is there to be read, not to be applied
            let mark = if one.needs_secret.is_some() { "# " } else { "" };
            let lines = secret(list, one).into_iter().map(|line| format!("# {line}"));
            for line in lines.chain(entry.lines().map(|line| format!("{mark}{line}"))) {
                block.push_str(&format!("{indent}{line}\n"));
            }
        }
        // a list of comments alone would be no list
        let empty = own.is_empty() && new.iter().all(|one| one.needs_secret.is_some());
        out.extend(block.lines().map(|line| if empty { format!("# {line}\n") } else { format!("{line}\n") }));
    }
    let advised = found.iter().filter(|one| one.list.is_none());
    let advised: Vec<String> = advised
        .map(|one| format!("#   {}: {}\n", title(one), one.advice.as_deref().unwrap_or("no value helps")))
        .collect();
    if !advised.is_empty() {
        out.push_str("# Not by values alone:\n");
        out.extend(advised);
    }
    Some(out)
}

/// `shop/billing (2 pods): port "metrics"`
pub fn title(one: &Unwatched) -> String {
    let pods = if one.pods == 1 { String::new() } else { format!(" ({} pods)", one.pods) };
    let signs = one.signs.join("; ");
    // annotations are whatever somebody wrote, and this may become a comment
    crate::escape::line(&format!("{}/{}{pods}: {signs}", one.namespace, one.workload)).into_owned()
}

/// How to make the Secret that an entry names, where it is missing.
fn secret(list: &str, one: &Unwatched) -> Vec<String> {
    let Some(name) = &one.needs_secret else { return Vec::new() };
    let made =
        "First make its Secret in the namespace of the release, then take these comments off:".to_owned();
    match list {
        POSTGRES => vec![
            made,
            format!("kubectl create secret generic {name} --from-file=username --from-file=password"),
            "The user: CREATE ROLE obs LOGIN CONNECTION LIMIT 5 PASSWORD '…'; GRANT pg_monitor TO obs"
                .to_owned(),
        ],
        _ => vec![
            made,
            format!("kubectl create secret generic {name} --from-file=password"),
            "Without a password, leave secret out".to_owned(),
        ],
    }
}

/// One entry of a list.
fn item(entry: &Value, indent: &str) -> String {
    let text = crate::yaml::to_string(&json!([entry]));
    text.lines().map(|line| format!("{indent}{line}\n")).collect()
}

/// An entry in one line, which is YAML as well.
pub fn flow(value: &Value) -> String {
    let plain = |text: &str| {
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
        let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        first && rest && crate::yaml::parse(text).is_ok_and(|read| read == *text)
    };
    let scalar = |text: &str| if plain(text) { text.to_owned() } else { json!(text).to_string() };
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(k, v)| format!("{}: {}", scalar(k), flow(v))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(
        workload: &str,
        list: Option<&'static str>,
        entry: Option<Value>,
        needs: Option<&str>,
    ) -> Unwatched {
        Unwatched {
            namespace: "shop".into(),
            workload: workload.into(),
            pods: 2,
            signs: vec!["port \"metrics\"".into()],
            advice: list.is_none().then(|| "run an exporter".into()),
            needs_secret: needs.map(str::to_owned),
            list,
            entry,
        }
    }

    #[test]
    fn the_file_is_values_that_keep_what_the_release_has() {
        let app =
            json!({"name": "billing", "namespace": "shop", "selector": {"app": "yes"}, "port": "metrics"});
        let database =
            |name: &str| json!({"name": name, "host": "db.shop.svc", "secret": {"name": "db-obs"}});
        let existing = json!({"apps": [{"name": "orders"}]});
        let found = [
            one("billing", Some(APPS), Some(app.clone()), None),
            one("db", Some(POSTGRES), Some(database("db")), None),
            one("other", Some(POSTGRES), Some(database("other")), Some("db-obs")),
            one("cache", Some(REDIS), Some(database("cache")), Some("cache-obs")),
            one("web", None, None, None),
        ];
        let text = values(&existing, &found).unwrap();
        assert_eq!(
            crate::yaml::parse(&text).unwrap(),
            json!({"apps": [{"name": "orders"}, app], "postgresExporter": {"databases": [database("db")]}}),
            "what lacks its Secret would fail: {text}"
        );
        for line in [
            "  # shop/billing (2 pods): port \"metrics\"",
            "    # kubectl create secret generic db-obs --from-file=username --from-file=password",
            "# redisExporter:",
            "#     # - name: cache",
            "#   shop/web (2 pods): port \"metrics\": run an exporter",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(values(&existing, &[]), None);
    }

    #[test]
    fn what_somebody_wrote_stays_a_comment() {
        let mut found = one("billing", None, None, None);
        found.signs = vec!["\u{85}apps: []\u{2028}a: 1\rb: 2\nc: 3".to_owned()];
        let text = values(&json!({}), &[found]).unwrap();
        assert_eq!(crate::yaml::parse(&text).unwrap(), Value::Null, "{text}");
    }

    #[test]
    fn an_entry_fits_on_a_line() {
        let entry = json!({"name": "a", "port": 80, "selector": {"app.kubernetes.io/name": "yes", "b": "1"}});
        let text = flow(&entry);
        assert_eq!(text, "{name: a, port: 80, selector: {app.kubernetes.io/name: \"yes\", b: \"1\"}}");
        assert_eq!(crate::yaml::parse(&text).unwrap(), entry);
    }
}
