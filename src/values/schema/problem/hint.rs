//! What to type instead. Types are mostly wrong because of how a value was typed; what is proposed was
//! tried against the schema first, so that typing it helps.

use serde_json::{Number, Value, json};

use super::super::super::set::{self, SetFlag};
use super::super::super::{Source, pointer};
use super::super::nodes::Nodes;
use super::super::secret;
use super::{Explainer, Problem};
use crate::yaml;

/// A value that a person may have meant, and how it is called.
struct Meant {
    value: Value,
    word: &'static str,
}

impl Explainer<'_> {
    /// What to type instead, where that is not obvious.
    pub(in super::super) fn hint(&self, problem: &Problem) -> Option<String> {
        let at = problem.at.as_str();
        let origin = self.values.origin(at)?;
        if self.values.deleted.contains_key(at) {
            let show = !secret::sensitive(self.schema, at, &self.values.tree);
            return self.values.undelete_hint(at).filter(|_| show);
        }
        if let Some(typed) = origin.typed.as_deref().filter(|_| self.values.origins.contains_key(at)) {
            // the key was meant as it stands there
            let above = pointer::parent(at).unwrap_or_default();
            let known = Nodes::at(self.schema, above, &self.values.tree).pop()?;
            if known.properties().any(|name| name == typed) {
                let key = pointer::tokens(at).last()?.into_owned();
                return Some(format!("{typed} without quotes is read as {key}: write \"{typed}\""));
            }
        }
        let value = self.values.tree.pointer(at)?;
        let nodes = Nodes::at(self.schema, at, &self.values.tree).pop()?;
        let path = pointer::dotted(at, &self.values.tree);
        match &origin.source {
            Source::Flag { text } => self.flag_hint(problem, value, &nodes, (&path, text)),
            Source::File { .. } => match value {
                Value::Number(_) | Value::Bool(_) if nodes.takes("string") => {
                    Some(format!("quotes around the value of {path} make it text"))
                }
                Value::String(text) => {
                    let plain =
                        yaml::parse(text).ok().filter(|plain| plain.is_number() || plain.is_boolean());
                    plain.filter(|plain| self.fits(at, plain)).map(|plain| {
                        let what = if plain.is_number() { "a number" } else { "true or false" };
                        format!("without quotes the value of {path} is {what}")
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn flag_hint(
        &self,
        problem: &Problem,
        value: &Value,
        nodes: &Nodes<'_>,
        (path, text): (&str, &str),
    ) -> Option<String> {
        let at = problem.at.as_str();
        let fits = |meant: &Meant| self.fits(at, &meant.value);
        if matches!(value, Value::Number(_) | Value::Bool(_)) && nodes.takes("string") {
            // the text as it was typed: +5 is not 5
            let typed = text.strip_prefix("--set ").filter(|typed| !typed.ends_with('…'));
            let word = match (problem.show, typed) {
                (true, Some(typed)) => set::quoted(typed),
                (true, None) => set::quoted(&format!("{path}={value}")),
                (false, _) => format!("{path}=TEXT"),
            };
            let assigned = typed.and_then(|typed| typed.split_once('=')).map(|(_, text)| text.to_owned());
            let string = Value::String(assigned.unwrap_or_else(|| value.to_string()));
            let flag = SetFlag::String.name();
            return self.fits(at, &string).then(|| format!("{flag} {word} sets it as text"));
        }
        let meant: Vec<Meant> = meant(value, nodes).into_iter().filter(fits).collect();
        let (first, others) = meant.split_first()?;
        if !problem.show {
            let (flag, what) = match first.value {
                Value::Number(_) => ("--set-json", "NUMBER"),
                _ => return None,
            };
            return Some(format!("as {}: {flag} {path}={what}", first.word));
        }
        let mut hint = format!("as {}: {}", first.word, set::flag(path, &first.value));
        for other in others {
            hint.push_str(&format!(", or as {}: {}", other.word, set::flag(path, &other.value)));
        }
        Some(hint)
    }

    /// Does nothing say any more that the value at `at` is wrong, when it is this one?
    fn fits(&self, at: &str, candidate: &Value) -> bool {
        let mut values = self.values.clone();
        let Some(place) = values.tree.pointer_mut(at) else { return false };
        *place = candidate.clone();
        let explainer = Explainer { values: &values, ..*self };
        let mut problems =
            self.validator.iter_errors(&values.tree).flat_map(|error| explainer.explain(&error));
        !problems.any(|problem| problem.at == at)
    }
}

/// What a text, or a list without items, may have been meant as.
fn meant(value: &Value, nodes: &Nodes<'_>) -> Vec<Meant> {
    let mut all = Vec::new();
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Array(items) if items.is_empty() => "",
        _ => return all,
    };
    if nodes.takes("number") {
        all.extend(numbers(text));
    }
    if nodes.takes("boolean")
        && let Ok(value @ Value::Bool(_)) = yaml::parse(text)
    {
        all.push(Meant { value, word: "true or false" });
    }
    if nodes.takes("array") && value.is_string() {
        all.push(Meant { value: list(text), word: "a list" });
    }
    if nodes.takes("object") {
        let map = serde_json::from_str(text).ok().filter(Value::is_object);
        let empty = text.is_empty().then(|| json!({}));
        all.extend(map.or(empty).map(|value| Meant { value, word: "a map" }));
    }
    all
}

/// The numbers that a text may stand for, none of which is another number than it says: one with a
/// zero in front is decimal to most people and octal to some.
fn numbers(text: &str) -> Vec<Meant> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits && digits.len() > 1 && digits.starts_with('0') {
        let decimal = format!("{sign}{}", digits.trim_start_matches('0')).parse::<i64>();
        let octal = i64::from_str_radix(&format!("{sign}{digits}"), 8);
        let decimal = decimal.ok().map(|number| Meant { value: json!(number), word: "a decimal number" });
        let octal = octal.ok().map(|number| Meant { value: json!(number), word: "an octal one" });
        return decimal.into_iter().chain(octal).collect();
    }
    let number = exact(sign, digits);
    number.map(|value| Meant { value, word: "a number" }).into_iter().collect()
}

/// The value of a decimal text, if JSON can hold exactly that.
fn exact(sign: &str, unsigned: &str) -> Option<Value> {
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || exponent.abs() > 400 {
        return None;
    }
    // where the point is, counted from the left
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let significant = digits.trim_start_matches('0');
    let point = point - i32::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_end_matches('0');
    let length = i32::try_from(significant.len()).ok()?;
    if significant.is_empty() {
        return Some(json!(0));
    }
    if point >= length && point <= 20 {
        let zeros = "0".repeat(usize::try_from(point - length).ok()?);
        let text = format!("{sign}{significant}{zeros}");
        let signed = text.parse::<i64>().ok().map(|number| json!(number));
        return signed.or_else(|| Some(json!(text.parse::<u64>().ok()?)));
    }
    // a double tells 15 digits apart
    let value: f64 = format!("{sign}{unsigned}").parse().ok()?;
    (length <= 15 && value.is_finite() && value != 0.0).then(|| Number::from_f64(value).map(Value::Number))?
}

/// `["a", "b"]`, `[a, b]` and `a` as lists.
fn list(text: &str) -> Value {
    if let Ok(list @ Value::Array(_)) = serde_json::from_str(text) {
        return list;
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner.unwrap_or(text) {
        "" => json!([]),
        inner => inner.split(',').map(|item| Value::from(item.trim())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_hint_is_the_number_that_was_typed() {
        for (text, expected) in [
            ("1e6", vec![json!(1_000_000)]),
            ("1.50e1", vec![json!(15)]),
            ("+5", vec![json!(5)]),
            ("0.5", vec![json!(0.5)]),
            (".5", vec![json!(0.5)]),
            ("5.", vec![json!(5)]),
            ("-1.5e-3", vec![json!(-0.0015)]),
            ("0.0", vec![json!(0)]),
            ("0755", vec![json!(755), json!(493)]),
            ("-010", vec![json!(-10), json!(-8)]),
            ("089", vec![json!(89)]),
            ("18446744073709551615", vec![json!(u64::MAX)]),
            ("99999999999999999999", vec![]),
            ("0.1000000000000000055", vec![]),
            ("1e999", vec![]),
            ("nan", vec![]),
            ("inf", vec![]),
            ("0x10", vec![]),
            ("1_000", vec![]),
            ("", vec![]),
            ("e5", vec![]),
        ] {
            let found: Vec<Value> = numbers(text).into_iter().map(|meant| meant.value).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
