//! What templates and expressions can see, and nothing else: `values`, `global`, `release`,
//! `facts`, `peers`, `files`, `component`, `selector`, `namespace`, `name`, `clusterName`.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{Value as Json, json};

use super::Facts;
use super::engine::from_json;
use super::filters::Complaint;
use crate::bundle::{Bundle, suggest};
use crate::object::labels;

/// What one component's expressions see; templates see `peers` and `files` too.
pub struct Scope<'a> {
    /// The component's bundle.
    pub bundle: &'a Bundle,
    /// Its values.
    pub values: &'a Json,
    /// The umbrella's `values.global`.
    pub global: &'a Json,
    /// The world.
    pub facts: &'a Facts,
}

impl Scope<'_> {
    /// The namespace of the component's objects.
    pub fn namespace(&self) -> &str {
        if self.bundle.meta().node_level { &self.facts.node_namespace } else { &self.facts.namespace }
    }

    /// `<release>-<component>`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.facts.release, self.bundle.name())
    }

    /// The context of expressions in bundle.yaml.
    pub fn expressions(&self) -> Value {
        Value::from_pairs(self.pairs())
    }

    /// The context of templates.
    pub fn templates(&self, peers: Value) -> Value {
        let mut pairs = self.pairs();
        pairs.push(("peers", peers));
        pairs.push(("files", Value::from_object(FileMap::of(self.bundle))));
        Value::from_pairs(pairs)
    }

    fn pairs(&self) -> Vec<(&'static str, Value)> {
        let Facts { release, namespace, node_namespace, kubernetes, .. } = self.facts;
        let meta = self.bundle.meta();
        let component = meta.name.as_str();
        let [major, minor] = major_minor(kubernetes);
        vec![
            ("values", from_json(self.values)),
            ("global", from_json(self.global)),
            (
                "release",
                from_json(&json!({"name": release, "namespace": namespace, "nodeNamespace": node_namespace})),
            ),
            (
                "facts",
                from_json(&json!({"kubernetes": {"version": kubernetes, "major": major, "minor": minor}})),
            ),
            (
                "component",
                from_json(&json!({
                    "name": component, "version": meta.version.to_string(), "appVersion": self.bundle.app_version(),
                })),
            ),
            (
                "selector",
                from_json(&json!({
                    labels::NAME: component, labels::INSTANCE: release, labels::COMPONENT: component,
                })),
            ),
            ("namespace", Value::from(self.namespace())),
            ("name", Value::from(self.name())),
            ("clusterName", Value::from(format!("{}-{}", self.namespace(), self.name()))),
        ]
    }
}

/// `1.34.4` → [1, 34]; `v1.31+` as some providers write it → [1, 31].
fn major_minor(version: &str) -> [u64; 2] {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or_default()
    });
    [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()]
}

/// The `peers` of an umbrella's components: what is on exports, what is off is only
/// `enabled: false`. Any other name is undefined.
pub fn peers(exports: &BTreeMap<String, Option<Json>>) -> Value {
    let all = exports.iter().map(|(name, exports)| {
        let mut peer = serde_json::Map::from_iter([("enabled".to_owned(), Json::Bool(exports.is_some()))]);
        if let Some(Json::Object(exports)) = exports {
            peer.extend(exports.clone());
        }
        (name.as_str(), from_json(&Json::Object(peer)))
    });
    Value::from_pairs(all)
}

/// The `peers` of a component that is installed alone: whoever is asked for is off.
#[derive(Debug)]
pub struct NoPeers;

impl Object for NoPeers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_str().map(|_| from_json(&json!({"enabled": false})))
    }
}

/// `files["dashboards/x.json"]` and `files.glob("rules/*.yaml")`: the folder `files/` as data.
#[derive(Debug)]
struct FileMap {
    /// Paths without `files/`.
    files: BTreeMap<String, Value>,
}

impl FileMap {
    fn of(bundle: &Bundle) -> Self {
        let files = bundle.files().iter().filter_map(|(path, content)| {
            let content = match std::str::from_utf8(content) {
                Ok(text) => Value::from(text),
                Err(_) => Value::from_bytes(content.clone()),
            };
            Some((path.strip_prefix("files/")?.to_owned(), content))
        });
        Self { files: files.collect() }
    }
}

impl Object for FileMap {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = key.as_str()?;
        Some(self.files.get(path).cloned().unwrap_or_else(|| {
            let hint = suggest(path, self.files.keys().map(String::as_str));
            Value::from(complain(format!("there is no file files/{path} ({hint})")))
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.files.keys().map(|path| Value::from(path.as_str())).collect())
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let (pattern, "glob") = (args.first().and_then(Value::as_str), method) else {
            return Err(Error::from(ErrorKind::UnknownMethod));
        };
        let Some(pattern) = pattern else {
            return Err(complain(
                "files.glob takes one pattern, for example files.glob(\"rules/*.yaml\")".into(),
            ));
        };
        let mut found: BTreeMap<&str, Value> = BTreeMap::new();
        for (path, content) in self.files.iter().filter(|(path, _)| glob(pattern, path)) {
            let base = path.rsplit('/').next().unwrap_or(path);
            if found.insert(base, content.clone()).is_some() {
                return Err(complain(format!("files.glob({pattern:?}) finds two files named {base}")));
            }
        }
        Ok(Value::from_pairs(found))
    }
}

fn complain(message: String) -> Error {
    Error::from(ErrorKind::InvalidOperation).with_source(Complaint(message, false))
}

/// `*` and `?` stay within a folder, `**` does not.
fn glob(pattern: &str, path: &str) -> bool {
    // one row of the usual table per pattern element: which prefixes of the path match so far
    let path: Vec<char> = path.chars().collect();
    let mut row = vec![false; path.len() + 1];
    row[0] = true;
    let mut rest = pattern.chars().peekable();
    while let Some(element) = rest.next() {
        let deep = element == '*' && rest.next_if_eq(&'*').is_some();
        // `**/` matches no folder at all, too
        let skip = deep && rest.next_if_eq(&'/').is_some();
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = match element {
                '*' if skip => row[at] || (at > 0 && path[at - 1] == '/' && row[..at].contains(&true)),
                '*' => row[at] || (at > 0 && next[at - 1] && (deep || path[at - 1] != '/')),
                '?' => at > 0 && row[at - 1] && path[at - 1] != '/',
                c => at > 0 && row[at - 1] && path[at - 1] == c,
            };
        }
        row = next;
    }
    row[path.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, path, matches) in [
            ("rules/*.yaml", "rules/a.yaml", true),
            ("rules/*.yaml", "rules/deep/a.yaml", false),
            ("**/*.yaml", "rules/deep/a.yaml", true),
            ("**/*.yaml", "a.yaml", true),
            ("**", "a/b", true),
            ("?.json", "a.json", true),
            ("?.json", "ab.json", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, path), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn kubernetes_versions_of_providers() {
        assert_eq!(major_minor("1.34.4"), [1, 34]);
        assert_eq!(major_minor("v1.31+"), [1, 31]);
        assert_eq!(major_minor(""), [0, 0]);
    }
}
