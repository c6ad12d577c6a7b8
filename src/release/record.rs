//! The record of one revision: everything that is needed to say what runs, to continue after a
//! crash, to prune, to roll back and to uninstall.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Revision;
use crate::object::ObjectId;
use crate::values::Pointer;

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// One revision of a release, as it is stored (gzip JSON in a Secret).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`] of the writer. Readers refuse newer ones.
    pub format: u32,
    /// The release's name.
    pub release: String,
    /// Namespace of the records.
    pub namespace: String,
    /// Namespace of node-level components.
    pub node_namespace: String,
    /// Its number.
    pub revision: Revision,
    /// What was installed.
    pub bundle: BundleRef,
    /// The profile, if one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The user's own values (no defaults).
    pub values: Value,
    /// Where in them secrets are, by the schema of the bundle: JSON pointers. None in records of
    /// versions that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_values: Option<Vec<Pointer>>,
    /// Texts in the objects and notes that templates made of secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<String>,
    /// The enabled components.
    pub components: Vec<ComponentRef>,
    /// The rendered objects. Generated values are not in them, CRDs stand as name and digest.
    pub objects: Vec<Value>,
    /// Every object that this revision may have made or taken over.
    pub inventory: Vec<Entry>,
    /// The rendered NOTES.txt.
    #[serde(default)]
    pub notes: String,
}

/// Which bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleRef {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `sha256:…` of its archive.
    pub digest: String,
    /// Where it came from: `embedded`, a path or an address.
    pub source: String,
}

/// An enabled component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentRef {
    /// Its name.
    pub name: String,
    /// Its bundle's version.
    pub version: String,
    /// The application's version.
    #[serde(default)]
    pub app_version: String,
    /// Does it work on the node itself?
    #[serde(default)]
    pub node_level: bool,
    /// Format of the data on its volumes; None when its bundle does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_format: Option<u32>,
    /// Formats that it can go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downgrade_to: Vec<u32>,
    /// Its health checks, evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<Value>,
}

/// One object of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Group of the kind; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid, where the object existed when the record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The component that it belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub component: String,
    /// Is it part of the revision?
    #[serde(default)]
    pub state: EntryState,
}

/// How an inventory entry stands to its revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    /// The revision wants it.
    #[default]
    Active,
    /// The revision does not want it, but it stays (data, `kubectl-obs.dev/keep`).
    Kept,
    /// A revision before wanted it; it goes with the next prune.
    Leftover,
}

impl Entry {
    /// Its identity.
    pub fn id(&self) -> ObjectId {
        ObjectId {
            group: self.group.clone(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// An entry for an object.
    pub fn new(id: ObjectId, component: &str, state: EntryState) -> Self {
        let ObjectId { group, kind, namespace, name } = id;
        Self { group, kind, namespace, name, uid: None, component: component.to_owned(), state }
    }
}

/// The inventory of a new revision: what it wants, and what earlier revisions (the last deployed
/// one and every later one) wanted and it does not.
pub fn merge_inventory(desired: Vec<Entry>, earlier: &[&Record]) -> Vec<Entry> {
    let mut seen: std::collections::BTreeSet<ObjectId> = desired.iter().map(Entry::id).collect();
    let mut out = desired;
    for entry in earlier.iter().rev().flat_map(|record| &record.inventory) {
        if seen.insert(entry.id()) {
            let state = if entry.state == EntryState::Kept { EntryState::Kept } else { EntryState::Leftover };
            out.push(Entry { state, ..entry.clone() });
        }
    }
    out
}

#[cfg(test)]
impl Record {
    /// A revision without components and objects.
    pub(crate) fn sample(revision: Revision) -> Self {
        let text = String::new;
        Self {
            format: FORMAT,
            release: "obs".into(),
            namespace: "x".into(),
            node_namespace: "x-node".into(),
            revision,
            bundle: BundleRef { name: "b".into(), version: "1.0.0".into(), digest: text(), source: text() },
            profile: None,
            values: serde_json::json!({}),
            secret_values: None,
            derived: Vec::new(),
            components: Vec::new(),
            objects: Vec::new(),
            inventory: Vec::new(),
            notes: text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(name: &str) -> Entry {
        Entry::new(
            ObjectId {
                group: String::new(),
                kind: "ConfigMap".into(),
                namespace: Some("x".into()),
                name: name.into(),
            },
            "c",
            EntryState::Active,
        )
    }

    fn record(revision: u32, inventory: Vec<Entry>) -> Record {
        Record { inventory, ..Record::sample(revision) }
    }

    #[test]
    fn what_an_earlier_revision_made_and_the_new_one_does_not_want_is_left_over_once() {
        let first = record(1, vec![entry("a"), entry("b")]);
        let second = record(2, vec![entry("b"), entry("c")]);
        let merged = merge_inventory(vec![entry("a")], &[&first, &second]);
        let names: Vec<_> = merged.iter().map(|e| (e.name.as_str(), e.state)).collect();
        assert_eq!(
            names,
            [("a", EntryState::Active), ("b", EntryState::Leftover), ("c", EntryState::Leftover)]
        );
    }

    #[test]
    fn a_record_of_format_1_reads_back_as_it_was_written() {
        // a compatibility fixture: this text is what version 0.1.0 wrote; it must stay readable
        let fixture = r#"{"format":1,"release":"obs","namespace":"observability","nodeNamespace":"observability-node","revision":3,"bundle":{"name":"stack","version":"1.0.0","digest":"sha256:00","source":"embedded"},"values":{"a":null},"components":[{"name":"prometheus","version":"1.0.0","appVersion":"v3.15.0","nodeLevel":false}],"objects":[],"inventory":[{"group":"apps","kind":"StatefulSet","namespace":"observability","name":"obs-prometheus","component":"prometheus","state":"active"},{"kind":"Namespace","name":"observability-node","state":"leftover"}],"notes":""}"#;
        let record: Record = serde_json::from_str(fixture).unwrap();
        assert_eq!(record.inventory[1].state, EntryState::Leftover);
        assert_eq!(serde_json::to_value(&record).unwrap()["bundle"]["source"], "embedded");
    }

    #[test]
    fn which_values_are_secret_is_optional_in_format_1() {
        let mut record = Record::sample(1);
        let before = serde_json::to_value(&record).unwrap();
        assert_eq!(before.get("secretValues"), None, "what is not known is not written");
        assert_eq!(serde_json::from_value::<Record>(before).unwrap(), record);
        record.secret_values = Some(vec!["/a/b".into()]);
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!(written["secretValues"], json!(["/a/b"]));
        assert_eq!(serde_json::from_value::<Record>(written).unwrap(), record);
    }

    #[test]
    fn data_formats_are_optional_in_format_1() {
        let before = json!({"name": "loki", "version": "1.0.0", "appVersion": "3.5.0", "nodeLevel": false});
        let mut component: ComponentRef = serde_json::from_value(before.clone()).unwrap();
        assert_eq!((component.data_format, component.downgrade_to.as_slice()), (None, [].as_slice()));
        assert_eq!(serde_json::to_value(&component).unwrap(), before, "and what is not said is not written");
        component.data_format = Some(3);
        component.downgrade_to = vec![2];
        let written = serde_json::to_value(&component).unwrap();
        assert_eq!((&written["dataFormat"], &written["downgradeTo"]), (&json!(3), &json!([2])));
        assert_eq!(serde_json::from_value::<ComponentRef>(written).unwrap(), component);
    }
}
