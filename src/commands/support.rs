//! `kubectl obs support-bundle`

use std::path::PathBuf;

use super::App;
use crate::cli::SupportBundle;
use crate::error::{Error, Result};
use crate::event::Silent;
use crate::ops::support::{self, Options};
use crate::ops::{parse_duration, who};
use crate::words::count;

/// Gathers, packs and writes.
pub async fn run(app: &App<'_>, args: &SupportBundle) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let timeout = parse_duration(&args.timeout)?;
    let file = args.file.clone().unwrap_or_else(|| {
        let time: String = who::now().chars().filter(char::is_ascii_alphanumeric).collect();
        PathBuf::from(format!("obs-support-{release}-{time}.tar.gz"))
    });
    let shown = file.display().to_string();
    if file.exists() {
        return Err(Error::usage(format!("{shown} is there already")).hint("name another file with --file"));
    }
    let cluster = app.connect().await?;
    let ctx = app.context(&cluster, &namespace, &release, &Silent, timeout);
    let options = Options { lines: (!args.no_logs).then_some(args.lines) };
    let key: [u8; 32] = rand::random();
    let (archive, report) = ctx.or(Box::pin(support::bundle(&ctx, options, &key))).await?;
    super::write_for_owner(&file, &archive)
        .map_err(|error| Error::failed(format!("cannot write {shown}: {error}")))?;
    if let Some(format) = args.output {
        return app.document("SupportBundle", &report, format.into());
    }
    app.ui.lines([&shown]);
    let replaced: usize = report.redacted.iter().flat_map(|one| one.replaced.values()).sum();
    app.ui.note(&format!(
        "{}, {} redacted in {} (redacted.json); read it before you pass it on",
        count(report.files.len(), "file"),
        count(replaced, "value"),
        count(report.redacted.len(), "file")
    ));
    for (what, why) in &report.missing {
        app.ui.warn(&format!("{what} is missing: {why}"));
    }
    Ok(())
}
