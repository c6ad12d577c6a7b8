//! The dashboards that a release brings: read from its record, so that they are known without Grafana and
//! without its password. Those that Grafana finds elsewhere, or that people made in it, are not among them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::address::{self, Address};
use super::{Context, components, login};
use crate::error::{Error, Result};
use crate::object::labels;
use crate::release::Record;

/// The component that shows them.
const GRAFANA: &str = "grafana";

/// One dashboard.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Its uid: what links and bookmarks name.
    pub uid: String,
    /// Its title.
    pub title: String,
    /// The folder in which Grafana shows it.
    pub folder: String,
    /// Name of its file, without `.json`.
    pub name: String,
    /// How many panels it has.
    pub panels: usize,
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it is, below the address of Grafana.
    pub path: String,
    /// The whole address, where Grafana has one now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip)]
    content: String,
}

/// All of a release.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Where Grafana is now: None where nobody forwards to it and the values give it no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// By folder and title.
    pub dashboards: Vec<Dashboard>,
}

/// Reads them from the newest revision.
pub async fn dashboards(ctx: &Context<'_>) -> Result<Report> {
    let record = components::latest(ctx).await?;
    if !record.components.iter().any(|component| component.name == GRAFANA) {
        return Err(Error::failed(format!("release {} has no grafana", record.release))
            .hint("kubectl obs upgrade --set grafana.enabled=true adds it to the stack"));
    }
    let address = address::of(ctx, &record, GRAFANA).await;
    let mut dashboards = of(&record);
    if let Some(address) = &address {
        dashboards.iter_mut().for_each(|one| one.url = Some(format!("{}{}", address.url, one.path)));
    }
    Ok(Report { release: record.release, namespace: record.namespace, address, dashboards })
}

/// The uids of those that a release brings.
pub fn uids(record: &Record) -> Vec<String> {
    of(record).into_iter().map(|dashboard| dashboard.uid).collect()
}

fn of(record: &Record) -> Vec<Dashboard> {
    let below = login::of(record, GRAFANA).map(|login| login.path).unwrap_or_default();
    let read = |(folder, file, content): (&str, &str, &str)| {
        let json = serde_json::from_str::<Value>(content).ok()?;
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        Some(Dashboard {
            uid: text("uid"),
            title: text("title"),
            folder: folder.to_owned(),
            name: file.strip_suffix(".json")?.to_owned(),
            panels: panels(&json),
            description: text("description"),
            path: format!("{below}/d/{}", text("uid")),
            url: None,
            content: content.to_owned(),
        })
    };
    let mut found: Vec<Dashboard> = files(record.objects.iter()).filter_map(read).collect();
    found.sort_by(|a, b| (&a.folder, &a.title, &a.uid).cmp(&(&b.folder, &b.title, &b.uid)));
    found
}

/// The files with dashboards among the objects of a release: folder, name and text of each.
pub fn files<'o>(
    objects: impl Iterator<Item = &'o Value>,
) -> impl Iterator<Item = (&'o str, &'o str, &'o str)> {
    let of = |object: &'o Value| {
        let folder = object["metadata"]["annotations"][labels::DASHBOARD_FOLDER].as_str();
        let files = folder.and(object["data"].as_object()).into_iter().flatten();
        files.filter_map(move |(file, text)| Some((folder?, file.as_str(), text.as_str()?)))
    };
    objects.flat_map(of).filter(|(_, file, _)| file.ends_with(".json"))
}

/// Those of closed rows count; rows do not.
fn panels(dashboard: &Value) -> usize {
    let items = dashboard["panels"].as_array().into_iter().flatten();
    items.map(|panel| usize::from(panel["type"] != "row") + panels(panel)).sum()
}

/// Writes them below `dir`, and gives the files. Nothing is written when one is there with other content,
/// unless `overwrite`.
pub fn export(dashboards: &[Dashboard], dir: &Path, overwrite: bool) -> Result<Vec<PathBuf>> {
    let mut files: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for dashboard in dashboards {
        let path =
            dir.join(file_name(&dashboard.folder)).join(format!("{}.json", file_name(&dashboard.name)));
        if files.insert(path.clone(), &dashboard.content).is_some() {
            return Err(Error::failed(format!("two dashboards would be written to {}", path.display())));
        }
    }
    let differs = |path: &Path, content: &str| fs::read(path).is_ok_and(|there| there != content.as_bytes());
    let others: Vec<_> = files.iter().filter(|(path, content)| differs(path, content)).collect();
    if let (Some((first, _)), false) = (others.first(), overwrite) {
        let more = if others.len() > 1 { format!(", and {} more", others.len() - 1) } else { String::new() };
        return Err(Error::usage(format!(
            "{} exists with other content{more}; nothing was written",
            first.display()
        ))
        .hint("pass --overwrite to replace it, or name another directory"));
    }
    for (path, content) in &files {
        write(path, content)
            .map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(files.into_keys().collect())
}

/// A file is there whole or not at all.
fn write(path: &Path, content: &str) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let new = parent.join(format!(
        ".{}.{}.new",
        path.file_name().unwrap_or_default().display(),
        std::process::id()
    ));
    let written = fs::File::create(&new).and_then(|mut file| file.write_all(content.as_bytes()));
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// A title as the name of a file on any system: it cannot lead elsewhere, and needs no quotes.
fn file_name(title: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let name: String = title.to_lowercase().chars().map(plain).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "unnamed".to_owned() } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Record {
        let content = json!({"uid": "obs-app", "title": "Application", "panels": [
            {"type": "row", "panels": [{"type": "stat"}]}, {"type": "timeseries"}]});
        serde_json::from_value(json!({
            "format": 1, "release": "obs", "namespace": "o", "nodeNamespace": "o-node", "revision": 1,
            "bundle": {"name": "stack", "version": "1.0.0", "digest": "", "source": ""}, "values": {},
            "components": [], "inventory": [],
            "objects": [
                {"kind": "StatefulSet", "metadata": {"labels": {labels::OBS_COMPONENT: "grafana"},
                    "annotations": {labels::LOGIN: r#"{"user": "admin", "secret": "s", "key": "k", "path": "/graphs"}"#}}},
                {"kind": "ConfigMap", "metadata": {"annotations": {labels::DASHBOARD_FOLDER: "../My apps"}},
                    "data": {"app.json": content.to_string(), "readme.txt": "x"}},
                {"kind": "ConfigMap", "metadata": {}, "data": {"other.json": "{}"}},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn what_a_record_knows_of_them() {
        let found = of(&record());
        assert_eq!(found.len(), 1);
        let Dashboard { uid, folder, panels, path, .. } = &found[0];
        assert_eq!(
            (uid.as_str(), folder.as_str(), *panels, path.as_str()),
            ("obs-app", "../My apps", 2, "/graphs/d/obs-app")
        );
    }

    #[test]
    fn files_of_others_stay_and_no_folder_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let mut found = of(&record());
        let files = export(&found, dir.path(), false).unwrap();
        assert_eq!(files, [dir.path().join("my-apps/app.json")]);
        assert_eq!(export(&found, dir.path(), false).unwrap(), files, "twice is once");
        found[0].content.push(' ');
        let refused = export(&found, dir.path(), false).unwrap_err().to_string();
        assert!(refused.contains("app.json exists with other content; nothing was written"), "{refused}");
        export(&found, dir.path(), true).unwrap();
        assert_eq!(fs::read_to_string(&files[0]).unwrap(), found[0].content);
    }
}
