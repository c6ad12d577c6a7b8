//! Dashboards that people keep in ConfigMaps, beside those of the release: with one uid twice, or one title
//! twice in a folder, Grafana stops loading them, and says so in its log alone (grafana#127619, #39467). Said
//! by name before the upgrade, while somebody looks. It stops nothing: whose ConfigMap it is cannot be helped
//! by a value.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::object::{Object, builtin, labels};
use crate::ops::{Context, dashboards};

/// Where a component looks for dashboards, as its bundle says.
#[derive(Debug, Deserialize)]
struct Discovery {
    namespaces: Vec<String>,
    /// A label selector.
    selector: String,
}

/// Annotation of a ConfigMap that names the folder, as the container that finds them reads it.
const FOLDER: &str = "grafana_folder";

/// A sentence for each dashboard of a ConfigMap that would not be shown.
pub async fn warnings(ctx: &Context<'_>, goal: &[Object]) -> Vec<String> {
    let discoveries: Vec<Discovery> = goal.iter().filter_map(discovery).collect();
    if discoveries.is_empty() {
        return Vec::new();
    }
    let mut boards = shipped(goal);
    let mut said = Vec::new();
    for Discovery { namespaces, selector } in discoveries {
        for namespace in namespaces {
            // who may not look there is told by Grafana
            let maps = ctx.cluster.list(&builtin::config_maps(), Some(&namespace), &selector).await;
            for map in maps.unwrap_or_default() {
                for (place, folder, text) in files(&map) {
                    match Board::read(&place, &folder, &text) {
                        Ok(board) => boards.push(board),
                        Err(why) => said.push(why),
                    }
                }
            }
        }
    }
    said.extend(twice(&boards));
    said
}

fn discovery(object: &Object) -> Option<Discovery> {
    serde_json::from_str(object.value()["metadata"]["annotations"][labels::DISCOVERS].as_str()?).ok()
}

/// What the bundle says is checked where it is rendered.
fn shipped(goal: &[Object]) -> Vec<Board> {
    let files = dashboards::files(goal.iter().map(Object::value));
    let read = files.filter_map(|(folder, file, text)| Board::read(file, folder, text).ok());
    read.map(|board| Board { ours: true, ..board }).collect()
}

/// Place, folder and text of each file of a ConfigMap.
fn files(map: &Value) -> Vec<(String, String, String)> {
    let metadata = &map["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let folder = text(&metadata["annotations"][FOLDER]);
    let name = format!("configmap {}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
    let files = map["data"].as_object().into_iter().flatten();
    files
        .filter(|(file, _)| file.ends_with(".json"))
        .map(|(file, content)| (format!("{name}, {file}"), folder.clone(), text(content)))
        .collect()
}

/// What Grafana tells dashboards apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Board {
    place: String,
    uid: Option<String>,
    folder: String,
    title: String,
    ours: bool,
}

impl Board {
    fn read(place: &str, folder: &str, text: &str) -> Result<Self, String> {
        let not = |why: &str| format!("{place} is no dashboard, and Grafana leaves it out: {why}");
        let board: Value =
            serde_json::from_str(text).map_err(|error| not(&format!("it is no JSON ({error})")))?;
        if board["dashboard"].is_object() {
            return Err(not("it is wrapped as for the HTTP API; what is below \"dashboard\" is one"));
        }
        let field = |key: &str| board[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let title = field("title").ok_or_else(|| not("it has no title"))?;
        Ok(Self { place: place.to_owned(), uid: field("uid"), folder: folder.to_owned(), title, ours: false })
    }
}

/// The later ones of what is there twice; those of the release come first and are right.
fn twice(boards: &[Board]) -> Vec<String> {
    let mut uids: BTreeMap<&str, &Board> = BTreeMap::new();
    let mut titles: BTreeMap<(&str, &str), &Board> = BTreeMap::new();
    let mut said = Vec::new();
    for board in boards {
        let Board { place, folder, title, .. } = board;
        if let Some(uid) = board.uid.as_deref()
            && let Some(first) = uids.get(uid)
        {
            said.push(format!(
                "{place} has the uid \"{uid}\" of {}, too: Grafana shows one of them, and loads no change of the other. \
                 Give it another uid",
                known(first)
            ));
        } else if let Some(first) = titles.get(&(folder.as_str(), title.as_str())) {
            said.push(format!(
                "{place} has the title \"{title}\" of {} in the same folder: Grafana loads none of that folder any more. \
                 Give it another title, or another folder ({FOLDER})",
                known(first)
            ));
        }
        if let Some(uid) = &board.uid {
            uids.entry(uid).or_insert(board);
        }
        titles.entry((folder, title)).or_insert(board);
    }
    said
}

fn known(board: &Board) -> String {
    match board.ours {
        true => format!("the release's dashboard {}", board.title),
        false => board.place.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn board(place: &str, uid: &str, folder: &str, title: &str) -> Board {
        let text = json!({"uid": uid, "title": title}).to_string();
        Board::read(place, folder, &text).unwrap()
    }

    #[test]
    fn the_later_one_is_named_and_what_it_is_like() {
        let ours = Board { ours: true, ..board("app.json", "obs-app", "Applications", "Application") };
        let own = board("configmap shop/a, a.json", "a", "", "Orders");
        for (other, expected) in [
            (
                board("x", "obs-app", "", "Mine"),
                Some("x has the uid \"obs-app\" of the release's dashboard Application, too"),
            ),
            (board("x", "a", "Shop", "Other"), Some("x has the uid \"a\" of configmap shop/a, a.json, too")),
            (
                board("x", "b", "", "Orders"),
                Some("x has the title \"Orders\" of configmap shop/a, a.json in the same folder"),
            ),
            // Grafana makes up a uid
            (
                board("x", "", "Applications", "Application"),
                Some("x has the title \"Application\" of the release's"),
            ),
            (board("x", "b", "Shop", "Orders"), None),
            (board("x", "", "Shop", "Other"), None),
        ] {
            let said = twice(&[ours.clone(), own.clone(), other.clone()]);
            match expected {
                Some(text) => assert!(said.len() == 1 && said[0].starts_with(text), "{other:?}: {said:?}"),
                None => assert!(said.is_empty(), "{other:?}: {said:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_dashboard_is_said_with_why() {
        for (text, why) in [
            ("{", "it is no JSON"),
            (r#"{"dashboard": {"title": "A"}}"#, "below \"dashboard\""),
            (r#"{"uid": "a"}"#, "it has no title"),
        ] {
            let said = Board::read("configmap shop/a, a.json", "", text).unwrap_err();
            assert!(
                said.starts_with("configmap shop/a, a.json is no dashboard") && said.contains(why),
                "{said}"
            );
        }
        let map = json!({"metadata": {"namespace": "shop", "name": "a", "annotations": {FOLDER: "Shop"}},
            "data": {"a.json": "{}", "notes.txt": "x"}});
        assert_eq!(
            files(&map),
            [("configmap shop/a, a.json".to_owned(), "Shop".to_owned(), "{}".to_owned())]
        );
    }
}
