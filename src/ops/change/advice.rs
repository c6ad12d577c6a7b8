//! What an upgrade does not do, though it looks as if it did: said before it begins. Pure.

use super::Look;
use crate::ops::login::{self, Login};
use crate::release::Record;

/// A sentence for each.
pub fn advice(look: &Look) -> Vec<String> {
    let Some(old) = look.seen.latest() else { return Vec::new() };
    let mut said = Vec::new();
    for component in &look.goal.components {
        let goal = login::among(look.goal.objects.iter().map(crate::object::Object::value), &component.name);
        said.extend(moved(&component.name, login::of(old, &component.name), goal, old));
    }
    said
}

/// Another Secret for a login. A UI such as Grafana takes the password at its first start and keeps it in its
/// database, so the one in the new Secret opens nothing.
fn moved(component: &str, old: Option<Login>, new: Option<Login>, record: &Record) -> Option<String> {
    let (old, new) = old.zip(new)?;
    ((&old.secret, &old.key) != (&new.secret, &new.key)).then(|| {
        format!(
            "{component} keeps its password in its database since its first start: the one in secret {0}/{1}, key {2}, \
             opens nothing unless it is the one of {0}/{3}, key {4}. Put that into it, and then change both with \
             kubectl obs password set {component}",
            record.namespace, new.secret, new.key, old.secret, old.key
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record() -> Record {
        serde_json::from_value(json!({
            "format": 1, "release": "obs", "namespace": "o", "nodeNamespace": "o-node", "revision": 1,
            "bundle": {"name": "stack", "version": "1.0.0", "digest": "", "source": ""}, "values": {},
            "components": [], "inventory": [], "objects": [],
        }))
        .unwrap()
    }

    #[test]
    fn another_secret_opens_nothing() {
        let login = |secret: &str, key: &str| -> Option<Login> {
            let login: Value = json!({"user": "admin", "secret": secret, "key": key});
            serde_json::from_value(login).ok()
        };
        let said = |old, new| moved("grafana", old, new, &record());
        let text = said(login("made", "password"), login("own", "admin")).unwrap();
        for part in ["secret o/own, key admin,", "o/made, key password.", "kubectl obs password set grafana"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(said(login("made", "password"), login("made", "other")).is_some());
        assert_eq!(said(login("made", "password"), login("made", "password")), None);
        assert_eq!(said(None, login("own", "admin")), None, "its first start takes it");
        assert_eq!(said(login("made", "password"), None), None, "it goes");
    }
}
