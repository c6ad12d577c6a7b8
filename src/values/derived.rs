//! What templates made of secret values: upper case, a part, a sum, a field of JSON. No list of
//! transformations would be complete, so it is found out by what depends on a secret: the bundle is rendered
//! once more with a stand-in in each secret's place, and where the two outputs differ, the first one holds
//! something of a secret. Pure.
//!
//! A stand-in has the same letters, digits and signs in the same places (JSON keeps its keys, base64 of a
//! text is base64 of another one), so that filters which read the value can read it, too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Pointer;
use crate::object::{base64, unbase64};

/// The values with another text or number in the place of each secret; None when there is none that is set.
pub fn stand_ins(tree: &Value, secrets: &[Pointer]) -> Option<Value> {
    let mut out = tree.clone();
    let mut any = false;
    for at in secrets {
        if let Some(value) = out.pointer_mut(at) {
            any |= replace(value);
        }
    }
    any.then_some(out)
}

/// The texts and numbers that these secrets consist of.
pub fn texts<'p>(tree: &Value, secrets: impl Iterator<Item = &'p Pointer>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for value in secrets.filter_map(|at| tree.pointer(at)) {
        leaves(value, &mut found);
    }
    found.into_iter().collect()
}

fn leaves(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if !text.is_empty() => drop(out.insert(text.clone())),
        Value::Number(number) => drop(out.insert(number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, out)),
        _ => {}
    }
}

fn replace(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let other = stand_in(text);
            let changed = other != *text;
            *text = other;
            changed
        }
        Value::Number(number) => {
            let other = match (number.as_i64(), number.as_f64()) {
                // one more digit where it would be none
                (Some(number), _) => Value::from(shifted(number)),
                (None, Some(number)) => Value::from(number + 1.5),
                (None, None) => return false,
            };
            *value = other;
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| replace(item) | any),
        Value::Object(map) => map.values_mut().fold(false, |any, item| replace(item) | any),
        Value::Bool(_) | Value::Null => false,
    }
}

/// As many digits, none of them the same.
fn shifted(number: i64) -> i64 {
    let text: String = number.to_string().chars().map(other_char).collect();
    text.parse().unwrap_or(number.wrapping_add(1))
}

fn stand_in(text: &str) -> String {
    if let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text)
        && replace(&mut inner)
    {
        return inner.to_string();
    }
    let decoded = unbase64(text).and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(decoded) = decoded.filter(|text| text.len() >= 4 && !text.chars().any(char::is_control)) {
        return base64(stand_in(&decoded).as_bytes());
    }
    // of an address the scheme stays
    let scheme = text.find("://").filter(|at| text[..*at].chars().all(|c| c.is_ascii_alphanumeric()));
    let (kept, rest) = text.split_at(scheme.unwrap_or(0));
    kept.chars().chain(rest.chars().map(other_char)).collect()
}

/// Another character of the same class. A leading digit of a number stays one that can lead.
fn other_char(c: char) -> char {
    match c {
        'a'..='z' => char::from(b'a' + (c as u8 - b'a' + 11) % 26),
        'A'..='Z' => char::from(b'A' + (c as u8 - b'A' + 11) % 26),
        '1'..='9' => char::from(b'1' + (c as u8 - b'1' + 4) % 9),
        '0' => '7',
        c if c.is_alphabetic() && !c.is_ascii() => 'ø',
        c => c,
    }
}

/// Adds what of `real` depends on secrets: the texts that stand otherwise in `other`. `skip` names keys of
/// maps that say nothing of them (keyed hashes).
pub fn collect(real: &Value, other: &Value, skip: &[&str], out: &mut BTreeSet<String>) {
    match (real, other) {
        (real, other) if real == other => {}
        (Value::Object(one), Value::Object(two)) => {
            // keys that depend on a secret stand at the same place of both
            for ((key, value), (other_key, other)) in one.iter().zip(two) {
                if skip.contains(&key.as_str()) {
                    continue;
                }
                text(key, other_key, out);
                let other = two.get(key).unwrap_or(other);
                collect(value, other, skip, out);
            }
            one.iter().skip(two.len()).for_each(|(_, value)| collect(value, &Value::Null, skip, out));
        }
        (Value::Array(one), Value::Array(two)) => {
            for (index, item) in one.iter().enumerate() {
                collect(item, two.get(index).unwrap_or(&Value::Null), skip, out);
            }
        }
        (Value::Object(map), _) => map.values().for_each(|item| collect(item, &Value::Null, skip, out)),
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, &Value::Null, skip, out)),
        (Value::String(one), other) => text(one, other.as_str().unwrap_or_default(), out),
        (Value::Number(one), other) => text(&one.to_string(), &other.to_string(), out),
        (Value::Bool(_) | Value::Null, _) => {}
    }
}

/// The same of two texts, line by line.
pub fn text(real: &str, other: &str, out: &mut BTreeSet<String>) {
    if real == other {
        return;
    }
    let (one, two): (Vec<&str>, Vec<&str>) = (real.lines().collect(), other.lines().collect());
    if one.len() == two.len() {
        out.extend(one.iter().zip(&two).filter_map(|(real, other)| differing(real, other)));
    } else {
        out.extend(one.iter().filter(|line| !two.contains(line)).map(|line| line.trim().to_owned()));
    }
}

/// The part of a line that differs, to the ends of its words.
fn differing(real: &str, other: &str) -> Option<String> {
    if real == other {
        return None;
    }
    let chars: Vec<char> = real.chars().collect();
    let others: Vec<char> = other.chars().collect();
    let same = |one: &mut dyn Iterator<Item = (&char, &char)>| one.take_while(|(a, b)| a == b).count();
    let before = same(&mut chars.iter().zip(&others));
    let behind = same(&mut chars.iter().rev().zip(others.iter().rev()));
    let mut start = before.min(chars.len());
    let mut end = (chars.len() - behind.min(chars.len())).max(start);
    let inside = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric());
    while start > 0 && inside(start - 1) {
        start -= 1;
    }
    while end < chars.len() && inside(end) {
        end += 1;
    }
    let part: String = chars[start..end].iter().collect();
    Some(part).filter(|part| !part.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(real: Value, other: Value) -> Vec<String> {
        let mut out = BTreeSet::new();
        collect(&real, &other, &["hash"], &mut out);
        out.into_iter().collect()
    }

    #[test]
    fn a_stand_in_has_the_same_shape_and_no_letter_in_common() {
        for secret in ["hunter2", "Grüße-42", "https://me:secret@host:8080/x", "2024", "a\nb\n"] {
            let other = stand_in(secret);
            assert_eq!(other.chars().count(), secret.chars().count(), "{other}");
            let start = secret.find("://").unwrap_or(0);
            for (one, two) in secret.chars().zip(other.chars()).skip(start) {
                assert!(!one.is_alphanumeric() || one != two, "{secret} {other}");
            }
        }
        assert_eq!(stand_in("{\"user\":\"bob\"}"), "{\"user\":\"mzm\"}");
        assert_eq!(unbase64(&stand_in("aHVudGVyMg==")).unwrap(), b"sfyepc6");
    }

    #[test]
    fn what_is_not_set_has_no_stand_in() {
        let secrets = ["/a".to_owned(), "/b".to_owned(), "/c".to_owned()];
        assert_eq!(stand_ins(&json!({"a": null, "b": ""}), &secrets), None);
        let two = stand_ins(&json!({"a": ["x1"], "b": "", "c": 1090, "d": "x"}), &secrets).unwrap();
        assert_eq!(two, json!({"a": ["i5"], "b": "", "c": 5747, "d": "x"}));
    }

    #[test]
    fn what_differs_is_found_to_the_ends_of_its_words() {
        assert_eq!(found(json!({"a": "x HUNTER2 y"}), json!({"a": "x SFYEPC6 y"})), ["HUNTER2"]);
        // ends that agree by chance
        assert_eq!(found(json!({"a": "p=xabcx;"}), json!({"a": "p=xdefx;"})), ["xabcx"]);
        assert_eq!(found(json!(["q", 5433]), json!(["q", 5999])), ["5433"]);
        assert_eq!(found(json!("1\np: ab-cd\n2"), json!("1\np: ef-gh\n2")), ["ab-cd"]);
        assert_eq!(found(json!({"HUN": 1, "hash": "a"}), json!({"SFY": 1, "hash": "b"})), ["HUN"]);
        assert_eq!(found(json!({"m": {"a": "once"}}), json!({"m": null})), ["once"]);
        assert!(found(json!({"a": true, "b": "x"}), json!({"a": true, "b": "x"})).is_empty());
    }
}
