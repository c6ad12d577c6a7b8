//! The parts of an expression: what `and`, `or` and `unless` join, the threshold that each is compared with, and
//! the series that it is about. As much of PromQL as that takes; what is written otherwise has no parts. Pure.

/// One part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The whole part.
    pub text: String,
    /// What stands left of its comparison.
    pub left: Option<String>,
    /// The comparison and what stands right of it: `> 0.1`.
    pub compared: Option<String>,
}

/// The parts that `and`, `or` and `unless` join.
pub fn parts(expression: &str) -> Vec<Part> {
    let expression = stripped(expression);
    let mut parts = Vec::new();
    let mut begin = 0;
    let tokens = tokens(expression);
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        if token.depth == 0 && ["and", "or", "unless"].contains(&token.text.to_ascii_lowercase().as_str()) {
            parts.push(part(&expression[begin..token.at]));
            begin = token.at + token.text.len();
            // `on (…)` and what belongs to it are no part
            while let Some(next) = tokens.get(place + 1) {
                if !MODIFIERS.contains(&next.text.to_ascii_lowercase().as_str()) {
                    break;
                }
                place += 1;
                begin = next.at + next.text.len();
                if tokens.get(place + 1).is_some_and(|open| open.text == "(") {
                    place += 1;
                    let depth = tokens[place].depth;
                    while let Some(inner) = tokens.get(place) {
                        begin = inner.at + inner.text.len();
                        if inner.text == ")" && inner.depth == depth {
                            break;
                        }
                        place += 1;
                    }
                }
            }
        }
        place += 1;
    }
    parts.push(part(expression.get(begin..).unwrap_or_default()));
    parts.retain(|part| !part.text.is_empty());
    parts
}

/// Without parentheses around all of it.
fn stripped(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else { return text };
    // those of `(a) or (b)` are not around all of it
    let closes_early =
        tokens(text).iter().any(|token| token.text == ")" && token.depth == 0 && token.at + 1 < text.len());
    if closes_early { text } else { stripped(inner) }
}

fn part(text: &str) -> Part {
    let text = stripped(text);
    let tokens = tokens(text);
    let comparison = |token: &&Token| token.depth == 0 && COMPARISONS.contains(&token.text.as_str());
    let split = tokens.iter().rev().find(comparison);
    Part {
        text: text.to_owned(),
        left: split.map(|token| text[..token.at].trim().to_owned()),
        compared: split.map(|token| text[token.at..].split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

const COMPARISONS: [&str; 6] = ["==", "!=", ">=", "<=", ">", "<"];
const MODIFIERS: [&str; 4] = ["on", "ignoring", "group_left", "group_right"];
/// What may stand where a name does.
const WORDS: [&str; 13] = [
    "and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "by", "without", "on", "ignoring",
    "start",
];

/// A word, a text in quotes or a sign; `depth` counts what is open around it. A bracket has the depth of
/// what is around it.
#[derive(Debug, Clone)]
struct Token {
    at: usize,
    text: String,
    depth: usize,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let mut depth = 0_usize;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let mut end = at + c.len_utf8();
        let mut here = depth;
        match c {
            _ if c.is_whitespace() => continue,
            '#' => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
                continue;
            }
            '"' | '\'' | '`' => {
                let mut escaped = false;
                for (next, d) in rest.by_ref() {
                    end = next + d.len_utf8();
                    if d == c && !escaped {
                        break;
                    }
                    escaped = d == '\\' && !escaped && c != '`';
                }
            }
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => {
                depth = depth.saturating_sub(1);
                here = depth;
            }
            '=' | '!' | '<' | '>' => {
                if let Some((next, d)) = rest.next_if(|(_, d)| matches!(d, '=' | '~')) {
                    end = next + d.len_utf8();
                }
            }
            _ if is_word(c) => {
                while let Some((next, d)) = rest.next_if(|(_, d)| is_word(*d)) {
                    end = next + d.len_utf8();
                }
            }
            _ => {}
        }
        out.push(Token { at, text: text[at..end].to_owned(), depth: here });
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':' || c == '.'
}

/// The selectors of series in an expression, each once: `up{job="a"}`, `node_load1`.
pub fn selectors(expression: &str) -> Vec<String> {
    let tokens = tokens(expression);
    let mut found: Vec<String> = Vec::new();
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        let next = tokens.get(place + 1);
        let opens = |what: &str| next.is_some_and(|next| next.text == what);
        let lower = token.text.to_ascii_lowercase();
        let close = |from: usize, open: &Token, sign: &str| {
            let rest = tokens.iter().enumerate().skip(from + 1);
            rest.into_iter()
                .find(|(_, other)| other.text == sign && other.depth == open.depth)
                .map(|(place, _)| place)
        };
        let mut add = |text: &str| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if !found.contains(&text) {
                found.push(text);
            }
        };
        let grouping =
            ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&lower.as_str());
        if grouping {
            // the names of labels in parentheses are no series
            if let Some(open) = next.filter(|next| next.text == "(") {
                place = close(place + 1, open, ")").unwrap_or(tokens.len());
            }
        } else if token.text == "[" {
            place = close(place, token, "]").unwrap_or(tokens.len());
        } else if token.text == "{" {
            let end = close(place, token, "}").unwrap_or(tokens.len());
            if let Some(end) = tokens.get(end) {
                add(&expression[token.at..end.at + 1]);
            }
            place = end;
        } else if is_name(&token.text) && !WORDS.contains(&lower.as_str()) {
            if opens("{") {
                let end = next.and_then(|open| close(place + 1, open, "}")).unwrap_or(tokens.len());
                if let Some(end) = tokens.get(end) {
                    add(&expression[token.at..end.at + 1]);
                }
                place = end;
            } else if !opens("(") && !is_aggregation(next) {
                add(&token.text);
            }
        }
        place += 1;
    }
    found
}

/// `sum by (…) (…)`
fn is_aggregation(next: Option<&Token>) -> bool {
    next.is_some_and(|next| ["by", "without"].contains(&next.text.to_ascii_lowercase().as_str()))
}

fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':') && !text.contains('.')
}

/// The name in a selector; None where it has none.
pub fn metric(selector: &str) -> Option<&str> {
    let name = selector.split(['{', ' ']).next().unwrap_or_default();
    (!name.is_empty() && name.len() < selector.len()).then_some(name)
}

/// What a selector says of the job: `job=~"a|b"`; None where it names none.
pub fn job(selector: &str) -> Option<String> {
    let tokens = tokens(selector);
    let matcher = tokens.windows(3).find(|three| {
        three[0].text == "job" && three[0].depth == 1 && ["=", "=~"].contains(&three[1].text.as_str())
    })?;
    Some(matcher.iter().map(|token| token.text.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_fall_into_their_parts() {
        type Parts = &'static [(&'static str, &'static str, &'static str)];
        let rows: [(&str, Parts); 7] = [
            ("up == 0", &[("up == 0", "up", "== 0")]),
            ("absent(up{job=\"a\"})", &[("absent(up{job=\"a\"})", "", "")]),
            (
                "rate(a[5m]) / rate(b[5m]) > 0.1 and on (pod) group_left (x) c{d=\"> 1 and\"} >= bool 2",
                &[
                    ("rate(a[5m]) / rate(b[5m]) > 0.1", "rate(a[5m]) / rate(b[5m])", "> 0.1"),
                    ("c{d=\"> 1 and\"} >= bool 2", "c{d=\"> 1 and\"}", ">= bool 2"),
                ],
            ),
            ("(a > 1) or (b < 2)", &[("a > 1", "a", "> 1"), ("b < 2", "b", "< 2")]),
            ("((a > 1))", &[("a > 1", "a", "> 1")]),
            ("sum(a > 1)", &[("sum(a > 1)", "", "")]),
            ("a unless\n b # and c\n", &[("a", "", ""), ("b # and c", "", "")]),
        ];
        for (expression, expected) in rows {
            let found = parts(expression);
            let found: Vec<(&str, &str, &str)> = found
                .iter()
                .map(|part| {
                    (
                        part.text.as_str(),
                        part.left.as_deref().unwrap_or_default(),
                        part.compared.as_deref().unwrap_or_default(),
                    )
                })
                .collect();
            assert_eq!(found, expected, "{expression}");
        }
    }

    #[test]
    fn series_are_told_from_functions_and_labels() {
        let rows: [(&str, &[&str]); 6] = [
            ("up == 0", &["up"]),
            (
                "sum by (job, pod) (rate(a:b{x=\"y\"}[5m] offset 1h)) / on (job) group_left (team) c > 1e3",
                &["a:b{x=\"y\"}", "c"],
            ),
            ("absent({__name__=\"a\"})", &["{__name__=\"a\"}"]),
            ("histogram_quantile(0.95, sum(rate(d_bucket[5m])) by (le)) > Inf", &["d_bucket"]),
            ("time() - e > 60 and e", &["e"]),
            ("predict_linear(f[6h], 4 * 86400) < 0 unless g{h=~\"a|{b}\"} == 1", &["f", "g{h=~\"a|{b}\"}"]),
        ];
        for (expression, expected) in rows {
            assert_eq!(selectors(expression), expected, "{expression}");
        }
        assert_eq!((metric("up{a=\"b\"}"), metric("up"), metric("{a=\"b\"}")), (Some("up"), None, None));
    }

    #[test]
    fn the_job_of_a_selector_is_found() {
        let rows = [
            ("up{job=\"a\"}", Some("job=\"a\"")),
            ("up{x=\"job=\", job =~ \"a|b\"}", Some("job=~\"a|b\"")),
            ("up{job!=\"a\"}", None),
            ("up{other_job=\"a\"}", None),
            ("job", None),
        ];
        for (selector, expected) in rows {
            assert_eq!(job(selector).as_deref(), expected, "{selector}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = (parts(&text), selectors(&text), job(&text));
        }

        #[test]
        fn nor_does_what_looks_like_one(text in "[a-c(){}\\[\\] =<>!\"andorunlesonby,]{0,60}") {
            let _ = (parts(&text), selectors(&text));
        }
    }
}
