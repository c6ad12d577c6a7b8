//! A run as the text of a snapshot: exit code, stdout and stderr, with everything that differs from
//! run to run replaced by a word in brackets.

use super::process::Output;

/// What a snapshot compares.
///
/// ```text
/// exit code: 2
/// --- stdout
/// --- stderr
/// error: …
/// ```
pub fn transcript(output: &Output, replace: &[(&str, &str)]) -> String {
    let clean = |text: &str| {
        let mut text = text.to_owned();
        for (from, to) in replace {
            text = text.replace(from, to);
        }
        text = text.replace(env!("CARGO_PKG_VERSION"), "[version]");
        let lines: Vec<_> = text.lines().map(|line| durations(line.trim_end())).collect();
        lines.iter().map(|line| format!("{line}\n")).collect::<String>()
    };
    format!(
        "exit code: {}\n--- stdout\n{}--- stderr\n{}",
        output.code,
        clean(&output.stdout),
        clean(&output.stderr)
    )
}

/// Replaces `0.4s`, `27s`, `120ms` and `3m` by `[time]` where they stand in a column: after two spaces,
/// or at the end of a line. In a sentence, as in "write it as 2m", they mean themselves.
fn durations(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let in_column = |i: usize| i > 0 && (words[i - 1].is_empty() || i + 1 == words.len());
    words
        .iter()
        .enumerate()
        .map(|(i, &word)| if is_duration(word) && in_column(i) { "[time]" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = &word[number.len()..];
    ["ms", "s", "m", "h", "d"].contains(&unit) && number.parse::<f64>().is_ok()
}
