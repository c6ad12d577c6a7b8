//! Is there anything in an output that controls a terminal and is not the product's own?

use kubectl_obs::escape;
use regex::Regex;

/// What may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// Nothing: a pipe.
    None,
    /// The product's colours.
    Own,
    /// All colours: logs, where they are asked for.
    Theirs,
    /// The product's colours, and how it draws.
    Terminal,
}

impl Colours {
    fn sequences(self) -> &'static str {
        match self {
            // matches nothing
            Self::None => "[^\\s\\S]",
            Self::Own => "\x1b\\[(0|1|2|4|3[1-6]|9[2-6])m",
            Self::Theirs => "\x1b\\[[0-9;:]*m",
            Self::Terminal => {
                "\x1b\\[(0|1|2|4|3[1-6]|9[2-6])m|\x1b\\[(K|J|[0-9]*[ABG]|\\?2026[hl]|\\?25[hl])|\x1b[D78]|\r"
            }
        }
    }
}

/// Fails with the place.
#[track_caller]
pub(super) fn judge(output: &str, what: &str, colours: Colours) {
    let allowed = Regex::new(colours.sequences()).expect("a pattern");
    let rest = match colours {
        Colours::Theirs => allowed.replace_all(&output.replace("\r\n", "\n"), "").into_owned(),
        _ => allowed.replace_all(output, "").into_owned(),
    };
    for line in rest.split('\n') {
        let control = line.find(|c| escape::controls(c) && c != '\t');
        assert!(control.is_none(), "{colours:?}: {line:?} controls the terminal in\n{what:?}");
        assert!(!line.starts_with("FORGED"), "a line is forged in\n{what}");
    }
}

/// What it says of texts that are known.
pub(super) fn finds_what_it_looks_for() {
    let found = |text: &str, colours| std::panic::catch_unwind(|| judge(text, "", colours)).is_err();
    for text in ["\x1b[2J", "\x1b[35;7m", "\u{9b}", "\u{202e}", "\x07", "a\nFORGED", "\x1b]0;t\x1b\\"] {
        for colours in [Colours::None, Colours::Own, Colours::Terminal] {
            assert!(found(text, colours), "{text:?}, {colours:?}");
        }
    }
    assert!(!found("\x1b[31ma\x1b[0m\r\n\tb", Colours::Terminal) && found("\x1b[31m", Colours::None));
}
