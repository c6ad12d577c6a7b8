//! The dashboards as files: they are what their sources give, have one house style, and lead to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::{env, fs};

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;

use crate::support::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::ignorable_test("grafana::dashboards_are_what_their_sources_give", same_as_sources),
        trial("grafana::dashboards_are_found_by_lasting_names", lasting_names),
        trial("grafana::panels_have_the_house_style", house_style),
        trial("grafana::panels_do_not_overlap", places),
        trial("grafana::variables_are_known_and_cheap", variables),
        trial("grafana::links_keep_time_and_lead_somewhere", links),
    ]
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/grafana/files/dashboards");

/// The dashboards by file.
pub fn boards() -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let board = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        out.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), board);
    }
    assert!(out.len() >= 10, "{:?}", out.keys());
    out
}

/// Those that ask Prometheus. The others ask Loki.
pub fn of_prometheus() -> BTreeMap<String, Value> {
    let mut all = boards();
    all.retain(|_, board| board["templating"]["list"][0]["query"] == "prometheus");
    all
}

/// The panels that show something: no rows.
pub fn panels(board: &Value) -> Vec<&Value> {
    let all = board["panels"].as_array().unwrap();
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query with the title of its panel; also those of marks over the panels.
pub fn queries(board: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut out = Vec::new();
    for panel in panels(board) {
        for target in panel["targets"].as_array().unwrap() {
            out.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    for mark in board["annotations"]["list"].as_array().into_iter().flatten() {
        out.push((text(&mark["name"]), text(&mark["expr"])));
    }
    out
}

fn same_as_sources() -> Result<Completion, Failed> {
    if Command::new("go").arg("version").output().is_err() {
        return if env::var("OBS_REQUIRE_CLUSTER").is_ok_and(|value| value == "1") {
            Err(Failed::from("OBS_REQUIRE_CLUSTER=1, but there is no go"))
        } else {
            Ok(Completion::ignored_with("there is no go"))
        };
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/dashboards");
    let output = Command::new(script).arg("--check").output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(Completion::Completed);
    }
    Err(Failed::from(text(&output.stdout) + &text(&output.stderr)))
}

fn lasting_names() {
    let mut uids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for (file, board) in boards() {
        assert_eq!(board["uid"], format!("obs-{file}"));
        assert!(uids.insert(board["uid"].to_string()) && titles.insert(board["title"].to_string()), "{file}");
        assert!(board.get("id").is_none_or(Value::is_null), "{file}: the number is another Grafana's");
        assert_eq!(board["editable"], false, "{file}: a change could not be saved");
        assert_eq!(board["timezone"], "browser", "{file}");
        assert!(board["description"].as_str().unwrap().ends_with(['.', '?']), "{file}");
        assert!(board["tags"].as_array().unwrap().contains(&Value::from("obs")), "{file}");
        assert!(board["schemaVersion"].as_u64().unwrap() >= 39, "{file}");
        let size = serde_json::to_vec(&board).unwrap().len();
        assert!(size < 512 * 1024, "{file}: {size} bytes are too near to what a ConfigMap holds");
    }
}

/// Colours that have a meaning; dashboards/style.go says which.
const COLOURS: [&str; 10] = [
    "semi-dark-green",
    "semi-dark-yellow",
    "semi-dark-red",
    "semi-dark-blue",
    "semi-dark-orange",
    "semi-dark-purple",
    "dark-purple",
    "light-blue",
    "text",
    "",
];

fn house_style() {
    for (file, board) in boards() {
        for panel in panels(&board) {
            let what = format!("{file}: {}", panel["title"]);
            let kind = panel["type"].as_str().unwrap();
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!panel["title"].as_str().unwrap().is_empty(), "{what}");
            let about = panel["description"].as_str().unwrap_or_default();
            assert!(about.ends_with('.') && about.len() > 15, "{what}: {about:?} says nothing");
            assert!(
                defaults["noValue"].as_str().is_some_and(|text| !text.is_empty()),
                "{what}: an empty panel says nothing"
            );
            assert_eq!(panel["datasource"]["uid"], "$datasource", "{what}");
            if !["table", "heatmap", "logs"].contains(&kind) {
                assert!(defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{what}: no unit");
            }
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{what}");
            for target in targets {
                assert_eq!(target["datasource"]["uid"], "$datasource", "{what}");
                assert_eq!(target["instant"] == true, kind == "table", "{what}: a table shows the present");
                let many = kind == "timeseries" || kind == "state-timeline";
                assert!(
                    !many || target["legendFormat"].as_str().is_some_and(|text| !text.is_empty()),
                    "{what}: no legend"
                );
            }
            colours(&what, panel);
            // steps of colours rise, and say what is good and bad
            let steps = defaults["thresholds"]["steps"].as_array().into_iter().flatten();
            let values: Vec<f64> = steps.filter_map(|step| step["value"].as_f64()).collect();
            assert!(values.is_sorted(), "{what}: {values:?}");
        }
    }
}

fn colours(what: &str, value: &Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let (true, Some(colour)) =
                    (["color", "fixedColor"].contains(&key.as_str()), value.as_str())
                {
                    assert!(
                        COLOURS.contains(&colour),
                        "{what}: {colour} has no meaning in dashboards/style.go"
                    );
                }
                colours(what, value);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| colours(what, value)),
        _ => {}
    }
}

fn places() {
    for (file, board) in boards() {
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let what = format!("{file}: {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{what}: its number is taken");
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
            assert!(place("w") > 0 && place("h") > 0 && place("x") + place("w") <= 24, "{what}");
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{what} lies over another panel");
                }
            }
        }
        // full width: no holes that people take for missing panels
        let rows: BTreeSet<u64> = taken.iter().map(|(_, y)| *y).collect();
        for y in rows {
            assert_eq!(
                taken.iter().filter(|(_, other)| *other == y).count(),
                24,
                "{file}: a hole in line {y}"
            );
        }
    }
}

fn variables() {
    let builtin = ["__rate_interval", "__auto", "datasource"];
    for (file, board) in boards() {
        let list = board["templating"]["list"].as_array().unwrap();
        let name = |variable: &Value| variable["name"].as_str().unwrap().to_owned();
        let known: BTreeSet<String> = list.iter().map(name).collect();
        let mut earlier = BTreeSet::new();
        for variable in list.iter().filter(|variable| variable["type"] == "query") {
            // what asks Loki says the label and the stream apart
            let query = variable["definition"].as_str().unwrap();
            assert!(
                query.contains("{job=") || query.contains("job=\"app-$app\"") || file == "logs",
                "{file}: {query} names no job"
            );
            for used in used(query) {
                assert!(earlier.contains(&used), "{file}: {query} needs ${used}, which comes later");
            }
            earlier.insert(name(variable));
            assert_eq!(variable["datasource"]["uid"], "$datasource", "{file}: {query}");
        }
        let mut asked = BTreeSet::from(["datasource".to_owned()]);
        for (panel, query) in queries(&board) {
            for used in used(&query) {
                assert!(
                    known.contains(&used) || builtin.contains(&used.as_str()),
                    "{file}: {panel}: ${used}"
                );
                asked.insert(used);
            }
        }
        let earlier: BTreeSet<String> =
            list.iter().flat_map(|v| used(v["definition"].as_str().unwrap_or_default())).collect();
        let unused: Vec<&String> =
            known.iter().filter(|name| !asked.contains(*name) && !earlier.contains(*name)).collect();
        assert!(unused.is_empty(), "{file}: nothing asks for {unused:?}");
    }
}

/// Names of the variables in a text.
fn used(text: &str) -> Vec<String> {
    let names = text.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    // "$1" of a label_replace is none, and neither is ${1}
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).collect()
}

fn links() {
    let boards = boards();
    for (file, board) in &boards {
        let menu = &board["links"][0];
        assert_eq!(menu["type"], "dashboards", "{file}");
        assert_eq!((&menu["keepTime"], &menu["includeVars"]), (&true.into(), &true.into()), "{file}");
        let text = board["panels"].to_string();
        for (at, found) in text.match_indices("/d/obs-") {
            let link = text[at + found.len() - 4..].split('"').next().unwrap();
            let link = link.split("\\\"").next().unwrap();
            let target = link.trim_start_matches("obs-").split('?').next().unwrap();
            let target = boards.get(target).unwrap_or_else(|| panic!("{file}: {link} leads nowhere"));
            assert!(link.contains("${__url_time_range}"), "{file}: {link} forgets the time");
            let known: BTreeSet<&str> = target["templating"]["list"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|v| v["name"].as_str())
                .collect();
            for given in link.split("var-").skip(1) {
                let given = given.split('=').next().unwrap();
                assert!(known.contains(given), "{file}: {link} gives {given}, which is not asked for");
            }
        }
    }
}
