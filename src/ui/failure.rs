//! An error as a person sees it. Rendered once, at the edge.

use super::commands::{is_command, wrap_around};
use super::paint::Paint;
use super::text::wrap;
use crate::Error;

/// What to do begins so.
const HINT: &str = "hint:";

/// How the first line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// `error: …`: nothing had begun.
    Word,
    /// `✘ …`: the end of something that was seen to begin, or a state that stays.
    Mark,
    /// `! …`: a state that may pass.
    Warning,
}

/// Message, details (evidence) and hints, with a line break at the end. They are wrapped to `columns`
/// where a terminal has that many; but no command, which is there to be copied.
pub(super) fn render(error: &Error, lead: Lead, columns: Option<usize>, paint: Paint) -> String {
    let (first, indent) = match lead {
        Lead::Word => (paint.bad("error:"), "  "),
        Lead::Mark => (paint.bad("✘"), "    "),
        Lead::Warning => (paint.warning("!"), "    "),
    };
    let columns = columns.filter(|columns| *columns > 20);
    let fit = |line: &str, taken: usize| match columns {
        Some(columns) => wrap(line, columns - taken),
        None => vec![line.to_owned()],
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
            // evidence that somebody else wrote gives no hints
            let deeper = if line.trim_start().starts_with(HINT) { "    " } else { "" };
            out.push_str(format!("{indent}{deeper}{line}").trim_end());
            out.push('\n');
        }
    }
    for hint in error.hints() {
        let lines = hint.lines().flat_map(|line| match columns {
            _ if is_command(line) => vec![paint.command(line)],
            Some(columns) => wrap_around(line, columns - 8),
            None => vec![line.to_owned()],
        });
        for (i, line) in lines.enumerate() {
            let before = if i == 0 { format!("  {} ", paint.bold(HINT)) } else { " ".repeat(8) };
            out.push_str(&format!("{before}{line}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::gate;
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
    fn prose_is_wrapped_and_a_command_never() {
        let error = Error::failed("a")
            .hint("the deadline passed; --timeout gives more time\nkubectl obs upgrade --timeout=1h --wait=ready")
            .hint("kubectl obs status shows what runs and what does not");
        assert_eq!(
            render(&error, Lead::Mark, Some(30), Paint::NONE),
            "✘ a\n\
             \x20 hint: the deadline passed;\n\
             \x20       --timeout gives more\n\
             \x20       time\n\
             \x20       kubectl obs upgrade --timeout=1h --wait=ready\n\
             \x20 hint: kubectl obs status\n\
             \x20       shows what runs and\n\
             \x20       what does not\n"
        );
    }

    #[test]
    fn a_hint_cannot_be_forged() {
        let error = Error::failed("a\nhint: b").detail("x\n  hint: do y").hint("z");
        for lead in [Lead::Word, Lead::Mark] {
            let shown = render(&error, lead, Some(30), Paint::NONE);
            let hints: Vec<&str> = shown.lines().filter(|line| line.starts_with("  hint:")).collect();
            assert_eq!(hints, ["  hint: z"], "{shown}");
        }
    }

    #[test]
    fn colour_leaves_the_words_alone() {
        let error = Error::failed("a").detail("b").hint("do\nkubectl obs x");
        let painted = render(&error, Lead::Mark, None, Paint { colour: true });
        assert_eq!(
            console::strip_ansi_codes(&gate::open(&painted)),
            render(&error, Lead::Mark, None, Paint::NONE)
        );
    }
}
