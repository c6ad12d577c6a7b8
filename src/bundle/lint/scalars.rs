//! Plain YAML scalars that mean different things to different readers: `on` is true for kubectl
//! and a string for YAML 1.2, `0644` is 420 or 644.

use super::{Findings, Severity};

/// Checks values.yaml and the profiles. Templates write their values as JSON and are not affected.
pub fn check(findings: &mut Findings) {
    let bundle = findings.bundle;
    for (path, text) in bundle.texts("", &[".yaml"]) {
        if path != "values.yaml" && !path.starts_with("profiles/") {
            continue;
        }
        let mut block: Option<usize> = None;
        for (line, number) in text.lines().zip(1..) {
            let indent = line.len() - line.trim_start().len();
            if block.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
                continue;
            }
            block = None;
            let Some(value) = value(line) else { continue };
            if value.starts_with(['|', '>']) {
                block = Some(indent);
            } else if let Some(meaning) = ambiguous(value) {
                let message = format!(
                    "`{value}` is {meaning} for some readers and text for others; write \"{value}\" or the plain form"
                );
                findings.add(Severity::Warning, path, Some(number), message);
            }
        }
    }
}

/// The plain scalar of a line `key: value` or `- value`.
fn value(line: &str) -> Option<&str> {
    let text = line.trim();
    if text.starts_with('#') {
        return None;
    }
    let text = text.trim_start_matches("- ");
    let value = match text.split_once(": ") {
        Some((_, value)) => value,
        None if line.trim().starts_with("- ") && !text.ends_with(':') => text,
        None => return None,
    };
    let value = value.split(" #").next().unwrap_or_default().trim();
    (!value.is_empty() && !value.starts_with(['"', '\'', '[', '{'])).then_some(value)
}

/// What YAML 1.1 makes of a scalar that YAML 1.2 reads differently.
fn ambiguous(value: &str) -> Option<&'static str> {
    let all = |rest: &str, allowed: fn(char) -> bool| !rest.is_empty() && rest.chars().all(allowed);
    match value {
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off"
        | "Off" | "OFF" => return Some("a boolean"),
        _ => {}
    }
    let digits = value.trim_start_matches(['+', '-']);
    if digits.len() > 1 && digits.starts_with('0') && all(digits, |c| c.is_ascii_digit()) {
        return Some("an octal number");
    }
    if digits.contains('_')
        && all(digits, |c| c.is_ascii_digit() || c == '_')
        && digits.starts_with(|c: char| c.is_ascii_digit())
    {
        return Some("a number");
    }
    let mut parts = digits.split(':');
    let sexagesimal = digits.contains(':')
        && parts.next().is_some_and(|p| all(p, |c| c.is_ascii_digit()))
        && parts.all(|p| (1..=2).contains(&p.len()) && p.parse::<u8>().is_ok_and(|n| n < 60));
    sexagesimal.then_some("a number in base 60")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        for (line, found) in [
            ("a: on", true),
            ("- yes", true),
            ("mode: 0644", true),
            ("n: 1_000", true),
            ("time: 12:30", true),
            ("a: \"on\"", false),
            ("a: true", false),
            ("a: 0", false),
            ("port: 8080", false),
            ("a: only", false),
            ("# a: on", false),
            ("a: 3000:80", false),
            ("url: http://x:80", false),
            ("list: [on]", false),
        ] {
            assert_eq!(value(line).and_then(ambiguous).is_some(), found, "{line}");
        }
    }
}
