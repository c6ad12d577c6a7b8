//! The login of a UI: who, and in which Secret the password is, as the release recorded it. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::labels;
use crate::ops::components;
use crate::release::Record;

/// How a person logs in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// Name of the user.
    pub user: String,
    /// The Secret with the password, in the namespace of the release.
    pub secret: String,
    /// Its key.
    pub key: String,
    /// The path below which the UI is served; empty at the root.
    #[serde(default)]
    pub path: String,
    /// The address that people have it at, without the path; empty where they forward to it.
    #[serde(default)]
    pub url: String,
}

/// The login of a component's UI, if it wants one.
pub fn of(record: &Record, component: &str) -> Option<Login> {
    among(record.objects.iter(), component)
}

/// The same among objects that are no record yet.
pub fn among<'o>(objects: impl Iterator<Item = &'o Value>, component: &str) -> Option<Login> {
    let mut own = objects.filter(|object| object["metadata"]["labels"][labels::OBS_COMPONENT] == component);
    own.find_map(|object| {
        serde_json::from_str(object["metadata"]["annotations"][labels::LOGIN].as_str()?).ok()
    })
}

/// The same, when a person asked for it.
pub fn demand(record: &Record, component: &str) -> Result<Login> {
    components::check(record, &[component.to_owned()])?;
    of(record, component).ok_or_else(|| {
        let error = Error::usage(format!("component {component} has no login"));
        let names = record.components.iter().map(|known| known.name.as_str());
        let with: Vec<&str> = names.filter(|name| of(record, name).is_some()).collect();
        match with.is_empty() {
            true => error,
            false => error.hint(format!("these have one: {}", with.join(", "))),
        }
    })
}

/// What goes into the header Authorization.
pub fn basic(user: &str, password: &[u8]) -> String {
    format!("Basic {}", crate::object::base64(&[user.as_bytes(), b":", password].concat()))
}

/// The password in a live Secret, if there is one.
pub fn password(live: &Value, key: &str) -> Option<Vec<u8>> {
    crate::object::unbase64(live["data"][key].as_str()?).filter(|bytes| !bytes.is_empty())
}
