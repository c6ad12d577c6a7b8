//! What stores answer, as lines.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// A line that was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Line {
    /// When the container wrote it.
    pub time: Timestamp,
    /// The namespace of its pod.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The pod.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// The container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// The application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app: String,
    /// `stdout` or `stderr`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// Its level in the one form of all levels.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// The line as it was written.
    pub line: String,
    /// Where it stands among those of one moment.
    #[serde(skip)]
    pub place: u64,
    /// What is the same of one line only, however often it is asked for.
    #[serde(skip)]
    pub id: u128,
}

impl Line {
    /// By time, and in one moment by their order.
    pub fn order(&self) -> (Timestamp, u64) {
        (self.time, self.place)
    }

    /// Its fields, where it is an object of JSON.
    pub fn fields(&self) -> Option<Map<String, Value>> {
        let text = self.line.trim_start();
        if !text.starts_with('{') {
            return None;
        }
        match crate::json::read(text.as_bytes(), 100_000) {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        }
    }
}

/// The lines in Loki's answer to `query_range`; what else it is, where it is none.
pub fn of_loki(data: &Value) -> Result<Vec<Line>, String> {
    let kind = data["resultType"].as_str().unwrap_or_default();
    if kind != "streams" {
        return Err(kind.to_owned());
    }
    let mut lines = Vec::new();
    for stream in data["result"].as_array().into_iter().flatten() {
        let labels = texts(&stream["stream"]);
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let mut level = label("detected_level");
        if level == "unknown" {
            level.clear();
        }
        for value in stream["values"].as_array().into_iter().flatten() {
            let (Some(time), Some(line)) = (value[0].as_str().and_then(moment), value[1].as_str()) else {
                continue;
            };
            lines.push(Line {
                time,
                namespace: label("namespace"),
                pod: label("pod"),
                container: label("container"),
                app: label("app"),
                stream: label("stream"),
                level: level.clone(),
                line: line.to_owned(),
                place: 0,
                // Loki keeps what is the same in all three once
                id: hash(&(&labels, time, line)),
            });
        }
    }
    Ok(lines)
}

/// The points of Loki's answer to a query for a number over time: seconds, and the number.
pub fn counts_of_loki(data: &Value) -> Vec<(i64, u64)> {
    let points = |series: &Value| -> Vec<(i64, u64)> {
        let values = series["values"].as_array().cloned().unwrap_or_default();
        values.iter().filter_map(point).collect()
    };
    data["result"].as_array().into_iter().flatten().flat_map(points).collect()
}

/// The number in Loki's answer to a query for one; none is none.
pub fn count_of_loki(data: &Value) -> u64 {
    let first = data["result"].as_array().and_then(|result| result.first());
    first.and_then(|series| point(&series["value"])).map_or(0, |(_, count)| count)
}

fn point(value: &Value) -> Option<(i64, u64)> {
    let count: f64 = value[1].as_str()?.parse().ok()?;
    Some((whole(value[0].as_f64()?), u64::try_from(whole(count)).ok()?))
}

#[expect(clippy::cast_possible_truncation, reason = "of a number of lines or a time in seconds")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

fn moment(nanoseconds: &str) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanoseconds.parse().ok()?).ok()
}

/// The lines in an answer of OpenSearch or Elasticsearch.
pub fn of_documents(answer: &Value) -> Vec<Line> {
    let hits = answer["hits"]["hits"].as_array().into_iter().flatten();
    hits.filter_map(|hit| {
        let document = &hit["_source"];
        let text = |pointer: &str| {
            let value = document.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let app = match text("/kubernetes/app") {
            none if none.is_empty() => text("/kubernetes/labels/app"),
            app => app,
        };
        let level = match text("/detected_level") {
            none if none.is_empty() => text("/log/level"),
            level => level,
        };
        Some(Line {
            time: time_of(&document["@timestamp"])?,
            namespace: text("/kubernetes/namespace_name"),
            pod: text("/kubernetes/pod_name"),
            container: text("/kubernetes/container_name"),
            app,
            stream: text("/stream"),
            level,
            line: text("/message"),
            place: document["seq"].as_u64().unwrap_or_default(),
            id: hash(&(hit["_index"].as_str(), hit["_id"].as_str())),
        })
    })
    .collect()
}

/// As the stack writes it, or as stores take it from others: milliseconds.
fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        number => Timestamp::from_millisecond(number.as_i64()?).ok(),
    }
}

/// How many there are of the lines in an answer of OpenSearch or Elasticsearch.
pub fn total_of_documents(answer: &Value) -> Option<u64> {
    answer["hits"]["total"]["value"].as_u64()
}

/// The steps of such an answer: seconds, and the number.
pub fn counts_of_documents(answer: &Value) -> Vec<(i64, u64)> {
    let buckets = answer["aggregations"]["volume"]["buckets"].as_array().into_iter().flatten();
    buckets
        .filter_map(|bucket| Some((bucket["key"].as_i64()?.div_euclid(1000), bucket["doc_count"].as_u64()?)))
        .collect()
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Of 128 bits, so that of a billion lines no two meet.
fn hash(what: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        what.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_loki_know_where_they_come_from() {
        let labels = json!({"namespace": "shop", "pod": "p-1", "container": "c", "app": "shop", "stream": "stdout", "detected_level": "unknown"});
        let data = json!({"resultType": "streams", "result": [{"stream": labels, "values": [
            ["1795687445123456789", "{\"message\":\"m\",\"n\":1}"], ["x", "no time"], ["1795687445123456789", "plain"]]}]});
        let lines = of_loki(&data).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].pod.as_str(), lines[0].level.as_str()), ("p-1", ""));
        assert_eq!(lines[0].time.as_nanosecond(), 1_795_687_445_123_456_789);
        assert_eq!(lines[0].fields().unwrap()["n"], 1);
        assert_eq!(lines[1].fields(), None);
        assert_ne!(lines[0].id, lines[1].id);
        assert_eq!(lines, of_loki(&data).unwrap());
        assert_eq!(of_loki(&json!({"resultType": "matrix", "result": []})), Err("matrix".to_owned()));
    }

    #[test]
    fn numbers_of_loki() {
        let data = json!({"resultType": "matrix", "result": [{"metric": {}, "values": [[1_795_687_440, "12"], [1_795_687_500.5, "3"]]}]});
        assert_eq!(counts_of_loki(&data), [(1_795_687_440, 12), (1_795_687_501, 3)]);
        assert_eq!(count_of_loki(&json!({"result": [{"value": [1, "214"]}]})), 214);
        assert_eq!(count_of_loki(&json!({"result": []})), 0);
    }

    #[test]
    fn documents_keep_nanoseconds_and_their_order() {
        let hit = json!({"_index": "i", "_id": "a", "_source": {"@timestamp": "2026-11-21T18:04:51.201000009Z", "message": "m", "seq": 7,
            "detected_level": "error", "stream": "stderr", "kubernetes": {"pod_name": "p", "namespace_name": "n", "labels": {"app": "shop"}}}});
        let answer = json!({"hits": {"total": {"value": 9}, "hits": [hit, {"_id": "no time", "_source": {}}]},
            "aggregations": {"volume": {"buckets": [{"key": 60_000, "doc_count": 3}]}}});
        let lines = of_documents(&answer);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].order(), ("2026-11-21T18:04:51.201000009Z".parse().unwrap(), 7));
        assert_eq!((lines[0].app.as_str(), lines[0].level.as_str()), ("shop", "error"));
        assert_eq!(total_of_documents(&answer), Some(9));
        assert_eq!(counts_of_documents(&answer), [(60, 3)]);
    }
}
