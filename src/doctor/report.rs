//! A diagnosis for other tools: Markdown for a ticket, JUnit for a pipeline. And the documentation of the checks.

use std::fmt::Write;

use super::{Check, Diagnosis, Severity, all};

/// The word for a severity.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fail => "fail",
        Severity::Warn => "warn",
        Severity::Info => "info",
    }
}

/// `117 ok, 1 warning, 1 failure, 6 skipped`
pub fn sum(diagnosis: &Diagnosis) -> String {
    let mut parts = vec![format!("{} ok", diagnosis.passed.len())];
    for (severity, what) in
        [(Severity::Fail, "failure"), (Severity::Warn, "warning"), (Severity::Info, "note")]
    {
        let number = diagnosis.count(severity);
        if number > 0 {
            parts.push(crate::words::count(number, what));
        }
    }
    if !diagnosis.skipped.is_empty() {
        parts.push(format!("{} skipped", diagnosis.skipped.len()));
    }
    if !diagnosis.suppressed.is_empty() {
        parts.push(format!("{} suppressed", diagnosis.suppressed.len()));
    }
    parts.join(", ")
}

/// Markdown.
pub fn markdown(diagnosis: &Diagnosis) -> String {
    let mut out = format!(
        "# Release {} in {}, {}\n\n{}\n",
        diagnosis.release,
        diagnosis.namespace,
        diagnosis.taken_at,
        sum(diagnosis)
    );
    for finding in &diagnosis.findings {
        let _ =
            write!(out, "\n## {} {}: {}\n\n", word(finding.severity), finding.id, escaped(&finding.title));
        for line in &finding.evidence {
            let _ = writeln!(out, "- {}", escaped(line));
        }
        if !finding.fix.is_empty() {
            let _ = write!(out, "\nfix:\n\n");
            for line in &finding.fix {
                let _ = writeln!(out, "    {line}");
            }
        }
        for consequence in &finding.follows {
            let _ = write!(out, "\nfollows: {} {}\n", consequence.id, escaped(&consequence.title));
        }
    }
    if let Some(since) = diagnosis.since.as_ref().filter(|since| !since.is_empty()) {
        let _ = write!(out, "\n## since {}\n\n", since.taken_at);
        for (what, all) in [("new", &since.new), ("gone", &since.gone)] {
            for one in all {
                let _ = writeln!(out, "- {what}: {} {}", one.id, escaped(&one.title));
            }
        }
    }
    if !diagnosis.suppressed.is_empty() {
        out.push_str("\n## suppressed\n\n");
        for one in &diagnosis.suppressed {
            let (title, reason) = (escaped(&one.title), escaped(&one.reason));
            let _ = writeln!(out, "- {}: {title} ({reason}, until {})", one.id, one.until);
        }
    }
    if !diagnosis.skipped.is_empty() {
        out.push_str("\n## skipped\n\n");
        for skipped in &diagnosis.skipped {
            let _ = writeln!(out, "- {}: {}", skipped.id, escaped(&skipped.reason));
        }
    }
    out
}

/// What Markdown would take for its own.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if "\\`*_[]<>#|".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// JUnit's XML: a test case for each check; failures and skips as a pipeline knows them. A warning is a case
/// that passed, with what was found as its output.
pub fn junit(diagnosis: &Diagnosis) -> String {
    let fails = diagnosis.findings.iter().filter(|finding| finding.severity == Severity::Fail);
    let (failures, skipped) = (fails.count(), diagnosis.skipped.len() + diagnosis.suppressed.len());
    let total = diagnosis.findings.len() + diagnosis.passed.len() + skipped;
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"doctor\" tests=\"{total}\" failures=\"{failures}\" skipped=\"{skipped}\" timestamp=\"{}\">\n",
        xml(&diagnosis.taken_at)
    );
    for finding in &diagnosis.findings {
        let mut body = finding.evidence.clone();
        body.extend(finding.fix.iter().map(|line| format!("fix: {line}")));
        body.extend(finding.follows.iter().map(|one| format!("follows: {} {}", one.id, one.title)));
        let body = xml(&body.join("\n"));
        let _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\">",
            &finding.id[..2],
            xml(&format!("{} {}", finding.id, finding.title))
        );
        let _ = match finding.severity {
            Severity::Fail => write!(out, "<failure message=\"{}\">{body}</failure>", xml(&finding.title)),
            _ => write!(out, "<system-out>{body}</system-out>"),
        };
        out.push_str("</testcase>\n");
    }
    for id in &diagnosis.passed {
        let _ = writeln!(out, "  <testcase classname=\"{}\" name=\"{id}\"/>", &id[..2]);
    }
    for skipped in &diagnosis.skipped {
        let (id, reason) = (skipped.id, xml(&skipped.reason));
        let _ = writeln!(
            out,
            "  <testcase classname=\"{}\" name=\"{id}\"><skipped message=\"{reason}\"/></testcase>",
            &id[..2]
        );
    }
    for one in &diagnosis.suppressed {
        let _ = writeln!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
            &one.id[..2],
            xml(&format!("{} {}", one.id, one.title)),
            xml(&format!("suppressed until {}: {}", one.until, one.reason))
        );
    }
    out.push_str("</testsuite>\n");
    out
}

/// XML has no way to write most control characters.
fn xml(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
        out
    })
}

/// What `doctor explain` prints of a check.
pub fn explained(check: &Check) -> Vec<String> {
    let mut lines = vec![
        format!("{}  {}", check.id, check.title),
        String::new(),
        format!("why     {}", check.why),
        format!("verify  {}", check.verify),
        format!("fix     {}", check.fix),
    ];
    if !check.follows.is_empty() {
        lines.push(format!("is told as a consequence of {}", check.follows.join(", ")));
    }
    lines
}

/// The documentation of all checks, as docs/checks.md has it.
pub fn documentation() -> String {
    let mut out = String::from(
        "# What `kubectl obs doctor` checks\n\nEach check has an id that stays its own. `kubectl obs doctor explain ID` prints the same. Written by\n`OBS_UPDATE_DOCS=1 cargo test --lib doctor` from `src/doctor/checks/`.\n\n| id | holds when all is well | when it does not | see it by hand | fix |\n|---|---|---|---|---|\n",
    );
    for check in all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            check.id,
            cell(check.title),
            cell(check.why),
            cell(check.verify),
            cell(check.fix)
        );
    }
    out
}
