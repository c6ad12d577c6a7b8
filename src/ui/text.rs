//! Text on a terminal, measured in columns: width, truncation, padding, wrapping, tables. Pure.

use std::borrow::Cow;

use crate::escape;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text without escape sequences takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text as one line, with single spaces and without somebody else's colours: what others wrote
/// (events, logs) must not draw. What else would is shown as an escape.
pub fn one_line(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    escape::line(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// The text cut to `columns`, with `…` at its end when something was cut.
pub fn truncate(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        // One column is kept for the ellipsis.
        if used + next + 1 > columns {
            break;
        }
        out.push(c);
        used += next;
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The text with spaces to `columns`; longer text stays whole.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `left` and `right` at both ends of a line of `columns`, with at least two spaces between.
pub fn justify(left: &str, right: &str, columns: usize) -> String {
    let space = columns.saturating_sub(width(left) + width(right)).max(2);
    format!("{left}{}{right}", " ".repeat(space))
}

/// Breaks a text at spaces into lines of at most `columns`. A word that is longer (a URL, a path)
/// stays whole: it must be possible to copy it. Line breaks and leading spaces of the text stay.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut current = indent.to_owned();
        for word in line.split_whitespace() {
            if width(&current) > width(indent) && width(&current) + 1 + width(word) > columns {
                out.push(std::mem::replace(&mut current, indent.to_owned()));
            }
            if width(&current) > width(indent) {
                current.push(' ');
            }
            current.push_str(word);
        }
        out.push(current);
    }
    out
}

/// A table without borders, columns three spaces apart (kubectl: printers). No spaces at line ends. A
/// row stays one whatever its cells say.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| escape::cell(cell)).collect()).collect();
    let mut widths: Vec<usize> = headers.iter().map(|header| width(header)).collect();
    for row in &rows {
        for (i, cell) in row.iter().enumerate() {
            match widths.get_mut(i) {
                Some(known) => *known = (*known).max(width(cell)),
                None => widths.push(width(cell)),
            }
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let line: String =
            cells.zip(&widths).map(|(cell, columns)| pad(cell, columns + 3)).collect::<String>();
        line.trim_end().to_owned() + "\n"
    };
    let mut out = String::new();
    if !headers.is_empty() {
        out.push_str(&line(&mut headers.iter().copied()));
    }
    for row in &rows {
        out.push_str(&line(&mut row.iter().map(AsRef::as_ref)));
    }
    out
}

/// Every line cut to the columns of a terminal, where there is one.
pub fn outline(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    text.lines().map(|line| truncate(line, columns) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_counts_columns_not_characters() {
        assert_eq!(truncate("grafana", 7), "grafana");
        assert_eq!(truncate("grafana", 6), "grafa…");
        assert_eq!(truncate("grafana", 1), "…");
        assert_eq!(truncate("grafana", 0), "");
        // Each of these takes two columns.
        assert_eq!(truncate("監視監視", 5), "監視…");
        assert_eq!(truncate("監視監視", 4), "監…");
        assert_eq!(width(&truncate("監視監視", 6)), 5);
    }

    #[test]
    fn one_line_neither_draws_nor_breaks() {
        for (text, expected) in [
            ("as it is", "as it is"),
            ("a\r\n\tb\n", "a b"),
            ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\u{7}text", "text"),
            ("bell\u{7} back\u{8}space", "bell\\x07 back\\x08space"),
            ("\u{9b}31mred", "red"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            let line = one_line(text);
            assert!(!line.contains(char::is_control), "{line:?}");
            assert_eq!(line, expected, "{text:?}");
        }
    }

    #[test]
    fn wrapping_keeps_indent_long_words_and_line_breaks() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(
            wrap("see https://example.com/a/long/one now", 10),
            ["see", "https://example.com/a/long/one", "now"]
        );
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
    }

    #[test]
    fn tables_look_like_kubectls() {
        let rows = vec![
            vec!["observability".into(), "obs".into(), "3m ago".into()],
            vec!["チーム".into(), "b".into(), String::new()],
        ];
        assert_eq!(
            table(&["NAMESPACE", "RELEASE", "UPDATED"], &rows),
            "NAMESPACE       RELEASE   UPDATED\n\
             observability   obs       3m ago\n\
             チーム          b\n"
        );
        assert_eq!(table(&["A"], &[]), "A\n");
    }

    #[test]
    fn a_cell_forges_no_row_and_shifts_no_column() {
        let rows = vec![vec!["a\nobs\tx\r".into(), "監\u{202e}".into(), "1".into()], vec!["b".into()]];
        assert_eq!(
            table(&["A", "B", "C"], &rows),
            "A             B            C\na\\nobs\\tx\\r   監\\u{202e}   1\nb\n"
        );
    }

    #[test]
    fn an_outline_ends_at_the_edge() {
        let table = "COMPONENT   WHY\ngrafana     it has no volume\n";
        assert_eq!(outline(table, Some(20)), "COMPONENT   WHY\ngrafana     it has …\n");
        assert_eq!(outline(table, None), table);
    }

    #[test]
    fn both_ends_keep_apart_when_there_is_no_room() {
        assert_eq!(justify("ab", "c", 6), "ab   c");
        assert_eq!(justify("abcdef", "c", 6), "abcdef  c");
    }
}
