//! Quantities: `1` and `1000m`, `1Gi` and `1024Mi` are the same (apimachinery: resource.Quantity).

use std::cmp::Ordering;

use serde_json::Value;

/// Which is larger? None when one of them is not a quantity.
pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    Some(nanos(a)?.cmp(&nanos(b)?))
}

/// In billionths, the finest unit that quantities have. None for what is not a quantity, or too
/// large for 128 bits.
fn nanos(value: &Value) -> Option<i128> {
    let owned;
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => {
            owned = number.to_string();
            &owned
        }
        _ => return None,
    };
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (binary, decimal) = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?),
    };
    let exponent = decimal.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(1_i128 << binary)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let value = if exponent >= 0 {
        scaled.checked_mul(power)?
    } else {
        // Finer than a billionth: not equal to anything that the server writes.
        (scaled % power == 0).then(|| scaled / power)?
    };
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn equal(a: &Value, b: &Value) -> bool {
        compare(a, b) == Some(Ordering::Equal)
    }

    #[test]
    fn equal_quantities() {
        for (a, b) in [
            (json!("1"), json!("1000m")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("0.5"), json!("500m")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!("1e3"), json!("1k")),
            (json!("1E3"), json!("1000")),
            (json!("100M"), json!("100000k")),
            (json!("-1"), json!("-1000m")),
            (json!("0"), json!("0Gi")),
            (json!("7Ei"), json!("7168Pi")),
        ] {
            assert!(equal(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn sizes_are_compared_by_value() {
        for (a, b, order) in [
            ("1Gi", "1G", Some(Ordering::Greater)),
            ("9Gi", "10Gi", Some(Ordering::Less)),
            ("1024Mi", "1Gi", Some(Ordering::Equal)),
            ("large", "1Gi", None),
        ] {
            assert_eq!(compare(&json!(a), &json!(b)), order, "{a} {b}");
        }
    }

    #[test]
    fn different_quantities() {
        for (a, b) in [
            (json!("1G"), json!("1Gi")),
            (json!("1"), json!("1m")),
            (json!("x"), json!("x")),
            (json!(""), json!("0")),
            (json!("."), json!("0")),
            (json!("1e99"), json!("1e99")),
            (json!("1e2147483647"), json!("1")),
            (json!(null), json!("0")),
            (json!("1Zi"), json!("1Zi")),
        ] {
            assert!(!equal(&a, &b), "{a} {b}");
        }
    }
}
