//! The stores of logs that a release has or fills, as its charts say in an annotation: where they are, and in
//! which Secrets is what they want to see. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::object::labels;
use crate::release::Record;
use crate::search::Language;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Loki.
    Loki,
    /// OpenSearch.
    OpenSearch,
    /// Elasticsearch.
    Elasticsearch,
}

impl Kind {
    /// Its language.
    pub fn language(self) -> Language {
        match self {
            Self::Loki => Language::LogQl,
            Self::OpenSearch | Self::Elasticsearch => Language::Lucene,
        }
    }
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// The Secret.
    pub name: String,
    /// Its key.
    pub key: String,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Store {
    /// What people call it.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Base of its addresses.
    pub url: String,
    /// The component whose pods it is; empty: it is outside of the release.
    #[serde(default)]
    pub component: String,
    /// Loki: the tenant.
    #[serde(default)]
    pub tenant: String,
    /// OpenSearch and Elasticsearch: the data stream.
    #[serde(default)]
    pub index: String,
    /// Who asks, where no Secret says so.
    #[serde(default)]
    pub user: String,
    /// Its certificate is not looked at.
    #[serde(default)]
    pub insecure: bool,
    /// Namespace of the Secrets.
    #[serde(default)]
    pub namespace: String,
    /// What is in Secrets: `username`, `password`, `token`, `ca`.
    #[serde(default)]
    pub keys: BTreeMap<String, Key>,
}

/// All of them, those of the release first.
pub fn of(record: &Record) -> Vec<Store> {
    let annotation = |object: &serde_json::Value| {
        let text = object["metadata"]["annotations"][labels::LOG_STORES].as_str()?.to_owned();
        serde_json::from_str::<Vec<Store>>(&text).ok()
    };
    let mut stores: Vec<Store> = record.objects.iter().filter_map(annotation).flatten().collect();
    let rank = |store: &Store| match (store.component.is_empty(), store.kind) {
        (false, Kind::Loki) => 0,
        (false, Kind::OpenSearch) => 1,
        (false, Kind::Elasticsearch) => 2,
        (true, _) => 3,
    };
    stores.sort_by_key(rank);
    stores
}

/// The one that is meant: by its name, else the first that understands the language.
pub fn choose(record: &Record, name: Option<&str>, language: Option<Language>) -> Result<Store> {
    let stores = of(record);
    let names: Vec<String> = stores.iter().map(|store| store.name.clone()).collect();
    if stores.is_empty() {
        let known = ["loki", "opensearch", "elasticsearch"];
        return Err(match record.components.iter().any(|component| known.contains(&component.name.as_str())) {
            // made by an older version of the plugin
            true => Error::failed(format!("release {} does not say where its logs are", record.release))
                .hint("kubectl obs upgrade makes that known"),
            false => Error::failed(format!("release {} stores no logs: no store is on", record.release)).hint(
                "kubectl obs upgrade --set loki.enabled=true,fluentd.enabled=true adds Loki and what fills it",
            ),
        });
    }
    let speaks = |store: &Store| language.is_none_or(|language| language == store.kind.language());
    let found = match name {
        Some(name) => {
            let named = stores.into_iter().find(|store| store.name == name);
            named.ok_or_else(|| {
                Error::usage(format!("release {} has no store of logs called {name}", record.release))
                    .hint(format!("there are: {}", names.join(", ")))
            })?
        }
        None => match stores.into_iter().find(speaks) {
            Some(store) => store,
            None => return Err(wrong_language(record, &names)),
        },
    };
    if !speaks(&found) {
        return Err(wrong_language(record, &[found.name]));
    }
    own_secrets(record, &found)?;
    Ok(found)
}

/// Objects of a bundle say where a store is and what it wants to see: nothing of other namespaces is sent there.
fn own_secrets(record: &Record, store: &Store) -> Result<()> {
    let own = [&record.namespace, &record.node_namespace].contains(&&store.namespace);
    let Some(key) = store.keys.values().next().filter(|_| !own) else { return Ok(()) };
    let error = Error::failed(format!(
        "store {} names secret {}/{}, and release {} has its secrets in {} and {} alone",
        store.name, store.namespace, key.name, record.release, record.namespace, record.node_namespace
    ));
    Err(error.hint("its bundle must put the secret there; of no other namespace is anything sent to a store"))
}

fn wrong_language(record: &Record, names: &[String]) -> Error {
    Error::usage(format!(
        "no store of release {} understands this language: {}",
        record.release,
        names.join(", ")
    ))
    .hint("--logql is for Loki, --lucene for OpenSearch and Elasticsearch; a query without them is for all")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(stores: &serde_json::Value) -> Record {
        serde_json::from_value(json!({
            "format": 1, "release": "obs", "namespace": "o", "nodeNamespace": "o-node", "revision": 1,
            "bundle": {"name": "stack", "version": "1.0.0", "digest": "", "source": ""}, "values": {},
            "components": [], "inventory": [],
            "objects": [{"kind": "ConfigMap", "metadata": {"annotations": {labels::LOG_STORES: stores.to_string()}}}],
        }))
        .unwrap()
    }

    #[test]
    fn the_releases_own_come_first_and_languages_decide() {
        let record = record(&json!([
            {"name": "central", "type": "loki", "url": "https://l", "namespace": "o", "keys": {"token": {"name": "s", "key": "k"}}},
            {"name": "opensearch", "type": "opensearch", "url": "http://o", "component": "opensearch", "index": "obs-logs"},
        ]));
        let chosen = |name, language| choose(&record, name, language).map(|store| store.name);
        assert_eq!(chosen(None, None).unwrap(), "opensearch");
        assert_eq!(chosen(None, Some(Language::LogQl)).unwrap(), "central");
        assert_eq!(chosen(Some("central"), None).unwrap(), "central");
        let unknown = chosen(Some("x"), None).unwrap_err().to_string();
        assert!(
            unknown.contains("no store of logs called x") && unknown.contains("opensearch, central"),
            "{unknown}"
        );
        let wrong = chosen(Some("central"), Some(Language::Lucene)).unwrap_err().to_string();
        assert!(wrong.contains("understands this language: central"), "{wrong}");
        let off = choose(&self::record(&json!([])), None, None).unwrap_err().to_string();
        assert!(off.contains("no store is on") && off.contains("loki.enabled=true"), "{off}");
    }

    #[test]
    fn secrets_of_other_namespaces_are_sent_nowhere() {
        let store = |namespace: &str, what: &str| {
            let keys = json!({what: {"name": "s", "key": "k"}});
            let stores = json!([{"name": "l", "type": "loki", "url": "http://elsewhere", "namespace": namespace, "keys": keys}]);
            choose(&record(&stores), None, None)
        };
        for what in ["username", "password", "token", "ca"] {
            assert!(store("o", what).is_ok() && store("o-node", what).is_ok());
            for other in ["kube-system", "", "o-nod"] {
                let refused = store(other, what).unwrap_err().to_string();
                let words = format!(
                    "store l names secret {other}/s, and release obs has its secrets in o and o-node alone"
                );
                assert!(refused.contains(&words) && refused.contains("hint: "), "{refused}");
            }
        }
        let open = json!([{"name": "l", "type": "loki", "url": "http://elsewhere", "namespace": "other"}]);
        assert!(choose(&record(&open), None, None).is_ok(), "it names none");
    }
}
