//! Questions, by dialoguer. They are asked on stderr, only where someone can answer; `-y` answers
//! yes.

use std::fmt;

use console::Term;
use dialoguer::theme::Theme;
use dialoguer::{Confirm, Input, Password};

use super::watch::Sink;
use super::{Ui, gate, restore_terminal, terminal};
use crate::{Error, Exit, Result, escape};

impl Ui {
    /// Asks `continue? [y/N]`, after the caller has said what would happen. `what` names the
    /// operation for the error: "rollback needs confirmation". Without a terminal and without `-y`
    /// that is a usage error (exit 2).
    pub fn confirm(&self, what: &str) -> Result<bool> {
        if self.options.yes {
            return Ok(true);
        }
        self.need_terminal(what)?;
        // Enter ends the answer: typed after an answer by one key it would go to the next question.
        let question =
            Confirm::with_theme(&YesOrNo).with_prompt("continue?").show_default(false).wait_for_newline(true);
        let answer = self.asking(|term| question.interact_on_opt(term))?;
        Ok(answer == Some(true))
    }

    /// Lets the person type `expected` before something that cannot be undone. `-y` stands for it.
    pub fn type_name(&self, prompt: &str, expected: &str) -> Result<bool> {
        if self.options.yes {
            return Ok(true);
        }
        self.need_terminal(prompt)?;
        // On a line of its own: dialoguer does not know about prompts that wrap.
        self.talk(&escape::line(prompt));
        let question = Input::<String>::new()
            .with_prompt(format!("type {} to go on", escape::line(expected)))
            .allow_empty(true);
        let answer = self.asking(|term| question.interact_text_on(term))?;
        Ok(answer.trim() == expected)
    }

    /// Lets the person type a password, twice and unseen; None where stdin is no terminal, and may have one.
    pub fn password(&self, prompt: &str) -> Result<Option<String>> {
        if !self.env.stdin_tty {
            return Ok(None);
        }
        if !terminal::can_ask(&self.env) {
            return Err(Error::usage("there is no terminal to ask for a password on")
                .hint("pipe it in: its place is stdin, never an argument"));
        }
        let prompt = escape::line(prompt);
        let question = Password::new()
            .with_prompt(prompt.as_ref())
            .with_confirmation("the same again", "the two are not the same");
        self.asking(|term| question.interact_on(term)).map(Some)
    }

    fn need_terminal(&self, what: &str) -> Result<()> {
        if terminal::can_ask(&self.env) {
            return Ok(());
        }
        Err(Error::usage(format!("{what} needs confirmation, and there is no terminal to ask on"))
            .hint("pass -y to answer yes"))
    }

    /// Takes progress off the screen while a question stands there.
    fn asking<T>(&self, ask: impl FnOnce(&Term) -> dialoguer::Result<T>) -> Result<T> {
        let ask = || ask(&Term::stderr()).map_err(|dialoguer::Error::IO(error)| unanswered(&error));
        let shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner).upgrade();
        match shown.as_deref() {
            Some(Sink::Bars(bars)) => bars.suspend(ask),
            _ => ask(),
        }
    }
}

/// Ends the question's line, on which dialoguer leaves the cursor hidden. On Ctrl-C it raises SIGINT,
/// which main only takes note of, and then fails: the command ends by this error.
fn unanswered(error: &std::io::Error) -> Error {
    restore_terminal();
    gate::stderr("\n");
    match error.kind() {
        // The second is a terminal that was closed.
        std::io::ErrorKind::Interrupted | std::io::ErrorKind::UnexpectedEof => {
            Error::new(Exit::Interrupted, "interrupted; nothing was done")
        }
        _ => Error::failed(format!("cannot read the answer: {error}")),
    }
}

/// `continue? [y/N] y`: the answer as it was typed. dialoguer's own theme moves the capital letter.
struct YesOrNo;

impl Theme for YesOrNo {
    fn format_confirm_prompt(
        &self,
        out: &mut dyn fmt::Write,
        prompt: &str,
        answer: Option<bool>,
    ) -> fmt::Result {
        let answer = match answer {
            Some(true) => "y",
            Some(false) => "n",
            None => "",
        };
        write!(out, "{prompt} [y/N] {answer}")
    }

    fn format_confirm_prompt_selection(
        &self,
        out: &mut dyn fmt::Write,
        prompt: &str,
        answer: Option<bool>,
    ) -> fmt::Result {
        self.format_confirm_prompt(out, prompt, Some(answer == Some(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Options};
    use super::*;

    fn nobody() -> Environment {
        Environment {
            stdin_tty: false,
            stdout_tty: false,
            stderr_tty: false,
            no_color: false,
            force_color: false,
            dumb: false,
            ci: false,
        }
    }

    #[test]
    fn the_answer_stands_behind_the_question_as_it_was_typed() {
        let shown = |answer| {
            let mut out = String::new();
            YesOrNo.format_confirm_prompt(&mut out, "continue?", answer).expect("written");
            out.push('|');
            YesOrNo.format_confirm_prompt_selection(&mut out, "continue?", answer).expect("written");
            out
        };
        assert_eq!(shown(Some(true)), "continue? [y/N] y|continue? [y/N] y");
        assert_eq!(shown(Some(false)), "continue? [y/N] n|continue? [y/N] n");
        // Enter alone, or Esc.
        assert_eq!(shown(None), "continue? [y/N] |continue? [y/N] n");
    }

    #[test]
    fn a_question_that_is_interrupted_ends_the_command() {
        let error = unanswered(&std::io::ErrorKind::Interrupted.into());
        assert_eq!((error.exit(), error.message()), (Exit::Interrupted, "interrupted; nothing was done"));
    }

    #[test]
    fn without_a_terminal_the_answer_must_be_given_in_advance() {
        let ui = Ui::with(Options::default(), nobody());
        let error = ui.confirm("rollback").expect_err("nobody is there");
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(
            error.to_string(),
            "rollback needs confirmation, and there is no terminal to ask on\n  hint: pass -y to answer yes"
        );
        assert!(ui.type_name("deleting the data of release obs", "obs").is_err());

        let ui = Ui::with(Options { yes: true, ..Options::default() }, nobody());
        assert!(ui.confirm("rollback").expect("-y"));
        assert!(ui.type_name("deleting the data of release obs", "obs").expect("-y"));
    }
}
