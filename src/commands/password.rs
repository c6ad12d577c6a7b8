//! `kubectl obs password`

use std::time::Duration;

use super::App;
use crate::cli;
use crate::error::{Error, Result};
use crate::event::Silent;
use crate::ops::{password, read_input};

/// Most bytes that are read from stdin: more is no password.
const MOST: u64 = 64 << 10;

/// Shows a password, or changes it.
pub async fn run(app: &App<'_>, args: cli::Password) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let component = match &args {
        cli::Password::Get(get) => &get.component,
        cli::Password::Set(set) => &set.component,
    };
    let cluster = app.connect().await?;
    let context = || app.context(&cluster, &namespace, &release, &Silent, Duration::from_secs(60));
    let ctx = context();
    if matches!(args, cli::Password::Get(_)) {
        let found = app.cancel.or(password::get(&ctx, component)).await?;
        if let Some(warning) = &found.warning {
            app.ui.warn(warning);
        }
        app.ui.note(&format!("user: {}", found.user));
        app.ui.lines([String::from_utf8_lossy(&found.password)]);
        return Ok(());
    }
    // nobody types a password in vain
    app.cancel.or(password::known(&ctx, component)).await?;
    let password = typed(app, component)?;
    // typing takes its time
    let ctx = context();
    // not to be ended in the middle: both places are to know the same
    let set = password::set(&ctx, component, &password).await?;
    app.ui.note(&match set.unchanged {
        true => format!("this is the password of {} already", set.user),
        false => format!("the password of {} is changed, and kept in secret {}", set.user, set.secret),
    });
    Ok(())
}

/// From the terminal, twice and unseen; or all of stdin, without the end of the line.
fn typed(app: &App<'_>, component: &str) -> Result<String> {
    if let Some(typed) = app.ui.password(&format!("new password of {component}"))? {
        return Ok(typed);
    }
    let read = read_input("-".as_ref(), MOST + 1)?;
    let bytes = read.map_err(|error| Error::failed(format!("stdin cannot be read: {error}")))?;
    if bytes.len() as u64 > MOST {
        return Err(Error::usage(format!(
            "stdin holds more than {} KiB: this cannot be a password",
            MOST >> 10
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::usage("stdin is not text in UTF-8"))?;
    Ok(text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line))
        .to_owned())
}
