//! Merges commented YAML files as text, so that the comments of `values.yaml` files survive when
//! an umbrella's and its components' are shown as one. Works on block style maps; anything else
//! is carried along as it is.

use crate::values::pointer;

/// A key with the comment above it and everything below it.
struct Section<'a> {
    key: &'a str,
    /// Comments and blank lines before the key.
    head: Vec<&'a str>,
    line: &'a str,
    body: Vec<&'a str>,
}

impl Section<'_> {
    /// Does the key have a block below it, and nothing behind it?
    fn is_block(&self) -> bool {
        let behind = self.line.split_once(':').map_or("", |(_, behind)| behind.trim());
        (behind.is_empty() || behind.starts_with('#')) && self.body.iter().any(|line| !is_blank(line))
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.head.iter().chain(std::iter::once(&self.line)).chain(&self.body).copied()
    }
}

/// `below` completed into `over`: keys that both have are merged where they are blocks, and
/// `over`'s otherwise; keys that only `below` has follow behind.
pub fn lay_under(over: &str, below: &str) -> String {
    let over: Vec<&str> = over.lines().collect();
    let below: Vec<&str> = below.lines().collect();
    join(&merge(&over, &below))
}

fn merge(over: &[&str], below: &[&str]) -> Vec<String> {
    let (first, rest) = (sections(over), sections(below));
    let mut out: Vec<String> = Vec::new();
    for section in &first.0 {
        match rest.0.iter().find(|other| other.key == section.key) {
            Some(other) if section.is_block() && other.is_block() => {
                out.extend(section.head.iter().chain([&section.line]).map(|line| (*line).to_owned()));
                let shift = body_indent(&section.body).saturating_sub(body_indent(&other.body));
                let body: Vec<String> = other.body.iter().map(|line| indented(line, shift)).collect();
                out.extend(merge(&section.body, &body.iter().map(String::as_str).collect::<Vec<_>>()));
            }
            _ => out.extend(section.lines().map(str::to_owned)),
        }
    }
    out.extend(first.1.iter().map(|line| (*line).to_owned()));
    for section in rest.0.iter().filter(|other| !first.0.iter().any(|section| section.key == other.key)) {
        out.extend(section.lines().map(str::to_owned));
    }
    out
}

/// The text without some of its keys.
pub fn without(text: &str, keys: &[String]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (sections, tail) = sections(&lines);
    let kept = sections.iter().filter(|section| !keys.iter().any(|key| key == section.key));
    let mut out: Vec<String> = kept.flat_map(Section::lines).map(str::to_owned).collect();
    out.extend(tail.iter().map(|line| (*line).to_owned()));
    join(&out)
}

/// The text below the keys of a pointer. The file's own heading, a comment that a blank line
/// separates from the first key, stays out.
pub fn nest(text: &str, pointer: &str) -> String {
    let keys: Vec<_> = pointer::tokens(pointer).collect();
    let mut out: Vec<String> =
        keys.iter().enumerate().map(|(i, key)| format!("{}{key}:", "  ".repeat(i))).collect();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| !is_comment(line)).unwrap_or(0);
    let start = if lines.get(first).is_some_and(|line| is_blank(line)) { first + 1 } else { 0 };
    out.extend(lines[start..].iter().map(|line| indented(line, 2 * keys.len())));
    join(&out)
}

/// Splits at the keys of the smallest indentation; what follows the last section's own lines
/// belongs to it. The second part are lines without any key.
fn sections<'a>(lines: &[&'a str]) -> (Vec<Section<'a>>, Vec<&'a str>) {
    let indent = body_indent(lines);
    let mut out: Vec<Section> = Vec::new();
    let mut head = Vec::new();
    for line in lines {
        let own = line.len() - line.trim_start().len() == indent;
        if is_blank(line) || (own && is_comment(line)) {
            head.push(*line);
        } else if own && !line.trim_start().starts_with('-') && line.contains(':') {
            let key = line.trim().split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
            out.push(Section { key, head: std::mem::take(&mut head), line, body: Vec::new() });
        } else if let Some(last) = out.last_mut() {
            last.body.append(&mut head);
            last.body.push(line);
        } else {
            head.push(*line);
        }
    }
    (out, head)
}

fn body_indent(lines: &[&str]) -> usize {
    let text = lines.iter().filter(|line| !is_blank(line) && !is_comment(line));
    text.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0)
}

fn indented(line: &str, by: usize) -> String {
    if is_blank(line) { String::new() } else { format!("{}{line}", " ".repeat(by)) }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn join(lines: &[impl AsRef<str>]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_survive_and_the_upper_file_wins() {
        let umbrella = "# the stack\n\n# shared\nglobal: {}\n\nprometheus:\n  # on?\n  enabled: true\n  storage:\n    size: 9Gi\n\nlast: 1\n";
        let component = "# Prometheus\n\n# copies\nreplicas: 1\nstorage:\n  # how much\n  size: 1Gi\n  class: \"\"\nscrape: x\nlist:\n- a\n";
        let below = nest(&without(component, &["scrape".to_owned()]), "/prometheus");
        let expected = "# the stack\n\n# shared\nglobal: {}\n\nprometheus:\n  # on?\n  enabled: true\n  storage:\n    size: 9Gi\n    class: \"\"\n  # copies\n  replicas: 1\n  list:\n  - a\n\nlast: 1\n";
        assert_eq!(lay_under(umbrella, &below), expected);
    }
}
