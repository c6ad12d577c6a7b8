//! Commands within the prose of hints: they are there to be copied, so a line break inside of one is
//! worse than a line that is too long.

use super::text::wrap;

/// Words that follow the name of a command in a sentence about it, and in no command.
const PROSE: [&str; 23] = [
    "shows", "lists", "makes", "changes", "removes", "installs", "goes", "returns", "gives", "tries", "says",
    "prints", "tells", "brings", "waits", "is", "the", "it", "if", "or", "and", "to", "which",
];
/// Stands for a space that must not become a line break; in no text that is printed.
const GLUE: char = '\u{e000}';

/// Is the whole line a command, to be typed as it is?
pub(super) fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("kubectl ") && !line.contains("; ") && !is_prose(line)
}

fn is_prose(text: &str) -> bool {
    text.split_whitespace().any(|word| PROSE.contains(&word))
}

/// Breaks a hint into lines of at most `columns`. A command stays whole: one that ends the line to its
/// end, one in a sentence as far as `kubectl obs verb`.
pub(super) fn wrap_around(line: &str, columns: usize) -> Vec<String> {
    let mut glued = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("kubectl ") {
        let (before, command) = rest.split_at(at);
        glued.push_str(before);
        // as far as the next sentence
        let end = command.find("; ").unwrap_or(command.len());
        let (sentence, next) = command.split_at(end);
        if is_prose(sentence) {
            let words = if sentence.starts_with("kubectl obs ") { 2 } else { 1 };
            glued.push_str(&sentence.replacen(' ', &GLUE.to_string(), words));
        } else {
            glued.push_str(&sentence.replace(' ', &GLUE.to_string()));
        }
        rest = next;
    }
    glued.push_str(rest);
    wrap(&glued, columns).into_iter().map(|line| line.replace(GLUE, " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_word() {
        for (line, expected) in [
            (
                "kubectl logs -n observability obs-x --previous",
                &["kubectl logs -n observability obs-x --previous"][..],
            ),
            (
                "kubectl obs upgrade makes it again if it belongs to the release",
                &["kubectl obs upgrade makes it", "again if it belongs to the", "release"],
            ),
            ("correct the name: kubectl get services -A", &["correct the name:", "kubectl get services -A"]),
            (
                "kubectl obs list -A shows all; kubectl obs install makes one",
                &["kubectl obs list -A shows", "all; kubectl obs install", "makes one"],
            ),
        ] {
            assert_eq!(wrap_around(line, 28), expected);
            assert_eq!(wrap_around(line, 1000), [line]);
        }
    }

    #[test]
    fn what_can_be_typed_is_told_from_what_is_said() {
        for (line, expected) in [
            ("kubectl obs upgrade --set global.storageClass=fast", true),
            ("kubectl describe node worker-1", true),
            ("kubectl obs status shows what runs and what does not", false),
            ("kubectl config current-context is \"prod\"; is a VPN or proxy needed?", false),
            ("correct the name: kubectl get services -A", false),
        ] {
            assert_eq!(is_command(line), expected, "{line}");
        }
    }
}
