//! An error as a person sees it. Rendered once, at the edge.

use super::paint::Paint;
use super::text::wrap;
use crate::Error;

/// How the first line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// `error: …`: nothing had begun.
    Word,
    /// `✘ …`: the end of something that was seen to begin.
    Mark,
}

/// Message, details (evidence) and hints, with a line break at the end. Details are wrapped to
/// `columns` where a terminal has that many; hints never, they are there to be copied.
pub(super) fn render(error: &Error, lead: Lead, columns: Option<usize>, paint: Paint) -> String {
    let (first, indent) = match lead {
        Lead::Word => (paint.bad("error:"), "  "),
        Lead::Mark => (paint.bad("✘"), "    "),
    };
    let fit = |line: &str, taken: usize| match columns {
        Some(columns) if columns > 20 => wrap(line, columns - taken),
        _ => vec![line.to_owned()],
    };
    let mut out = String::new();
    let mut message = error.message().lines();
    let lead = if lead == Lead::Word { "error: ".len() } else { 2 };
    for (i, line) in fit(message.next().unwrap_or_default(), lead).iter().enumerate() {
        let before = if i == 0 { first.clone() } else { " ".repeat(lead - 1) };
        out.push_str(&format!("{before} {line}\n"));
    }
    for line in message.chain(error.details().iter().flat_map(|detail| detail.lines())) {
        for line in fit(line, indent.len()) {
            out.push_str(format!("{indent}{line}").trim_end());
            out.push('\n');
        }
    }
    for hint in error.hints() {
        for (i, line) in hint.lines().enumerate() {
            let line =
                if line.trim_start().starts_with("kubectl ") { paint.command(line) } else { line.to_owned() };
            let before = if i == 0 { format!("  {} ", paint.bold("hint:")) } else { " ".repeat(8) };
            out.push_str(&format!("{before}{line}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_command_begins_with_error() {
        let error = Error::usage("values are not valid for bundle prometheus 1.0.0")
            .detail("prometheus.retension: unknown key, did you mean retention?     values.yaml:14")
            .hint("kubectl config current-context is \"prod\"");
        assert_eq!(
            render(&error, Lead::Word, None, Paint::NONE),
            "error: values are not valid for bundle prometheus 1.0.0\n\
             \x20 prometheus.retension: unknown key, did you mean retention?     values.yaml:14\n\
             \x20 hint: kubectl config current-context is \"prod\"\n"
        );
    }

    #[test]
    fn a_failed_operation_ends_with_its_cause_and_one_fix() {
        let error = Error::failed("prometheus is not ready: its volume claim cannot be bound")
            .detail("PersistentVolumeClaim observability/data-obs-prometheus-0 waits for a volume:")
            .detail("no StorageClass is marked as default, and the claim names none")
            .hint("set global.storageClass to one of: fast, slow\nkubectl obs upgrade --set global.storageClass=fast");
        assert_eq!(
            render(&error, Lead::Mark, Some(60), Paint::NONE),
            "✘ prometheus is not ready: its volume claim cannot be bound\n\
             \x20   PersistentVolumeClaim\n\
             \x20   observability/data-obs-prometheus-0 waits for a volume:\n\
             \x20   no StorageClass is marked as default, and the claim\n\
             \x20   names none\n\
             \x20 hint: set global.storageClass to one of: fast, slow\n\
             \x20       kubectl obs upgrade --set global.storageClass=fast\n"
        );
    }

    #[test]
    fn colour_leaves_the_words_alone() {
        let error = Error::failed("a").detail("b").hint("do\nkubectl obs x");
        let painted = render(&error, Lead::Mark, None, Paint { colour: true });
        assert_eq!(console::strip_ansi_codes(&painted), render(&error, Lead::Mark, None, Paint::NONE));
    }
}
