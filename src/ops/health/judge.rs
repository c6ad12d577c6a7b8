//! Does the result of a query hold? Pure.

use serde_json::Value;

/// Without an expectation a result must not be empty; with one (`== 0`, `>= 3`) every sample must
/// fulfil it, and there must be one.
pub fn judge(data: &Value, expect: Option<&str>) -> Result<(), String> {
    let samples: Vec<f64> = match data["resultType"].as_str() {
        Some("vector") => data["result"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|series| series["value"][1].as_str()?.parse().ok())
            .collect(),
        Some("scalar") => data["result"][1].as_str().and_then(|v| v.parse().ok()).into_iter().collect(),
        _ => return Err("the query gives neither a vector nor a number".into()),
    };
    if samples.is_empty() {
        return Err("the query finds nothing".into());
    }
    let Some(expect) = expect else { return Ok(()) };
    let expect = expect.trim();
    let split = expect.find(|c: char| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(expect.len());
    let (operator, number) = expect.split_at(split);
    let number: f64 = number.trim().parse().map_err(|_| format!("\"{expect}\" is no comparison"))?;
    let holds = |sample: f64| match operator {
        "==" => Ok(sample == number),
        "!=" => Ok(sample != number),
        ">" => Ok(sample > number),
        ">=" => Ok(sample >= number),
        "<" => Ok(sample < number),
        "<=" => Ok(sample <= number),
        _ => Err(format!("\"{expect}\" is no comparison")),
    };
    for sample in samples {
        if !holds(sample)? {
            return Err(format!("the query gives {sample}, expected {expect}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vector(values: &[&str]) -> Value {
        let result: Vec<Value> = values.iter().map(|v| json!({"metric": {}, "value": [0, v]})).collect();
        json!({"resultType": "vector", "result": result})
    }

    #[test]
    fn a_query_without_expectation_must_find_something() {
        assert_eq!(judge(&vector(&["0"]), None), Ok(()));
        assert_eq!(judge(&vector(&[]), None), Err("the query finds nothing".into()));
    }

    #[test]
    fn every_sample_must_fulfil_the_expectation() {
        assert_eq!(judge(&vector(&["3", "4"]), Some(">= 3")), Ok(()));
        assert_eq!(judge(&vector(&["3", "2"]), Some(">=3")), Err("the query gives 2, expected >=3".into()));
        assert_eq!(judge(&json!({"resultType": "scalar", "result": [0, "0"]}), Some("== 0")), Ok(()));
        assert_eq!(judge(&vector(&["1"]), Some("about 3")), Err("\"about 3\" is no comparison".into()));
    }
}
