//! `template`: what would be applied, as YAML, without a cluster.

use std::io::Write;

use serde_json::Value;

use super::{App, objects};
use crate::Result;
use crate::bundle::Bundle;
use crate::cli;
use crate::ops::load::Loaded;
use crate::ops::source::Opened;
use crate::render::{Facts, Rendered};
use crate::values::Traces;

/// What to render.
pub struct TemplateOptions<'a> {
    /// The bundle.
    pub bundle: &'a Opened,
    /// Its effective values.
    pub values: &'a Value,
    /// Release, namespaces, Kubernetes version.
    pub facts: &'a Facts,
    /// Write the values of Secrets as they are; masked otherwise.
    pub show_secrets: bool,
}

/// Runs `template`.
pub fn run(app: &App<'_>, args: &cli::Template) -> Result<()> {
    let (namespace, release) = (app.namespace()?, app.release()?);
    let loaded = Loaded::load(&args.bundle, &args.values)?;
    for warning in loaded.warnings() {
        app.ui.warn(warning);
    }
    let facts = loaded.offline_facts(release.as_str(), namespace.as_str(), &args.kube_version);
    let mut out = Vec::new();
    let rendered = loaded.render(&facts)?;
    let format = args.output.unwrap_or(cli::Output::Yaml);
    let traces = loaded.traces().and_derived(&rendered.derived);
    let masked = print(rendered, format, (!args.show_secrets).then_some(&traces), &mut out)?;
    objects::tell_masked(app, masked);
    app.ui.data(&String::from_utf8_lossy(&out));
    Ok(())
}

/// Writes one YAML document per object, each below a comment that names its source. Gives how
/// many values of Secrets are masked.
pub fn template(options: &TemplateOptions, out: &mut dyn Write) -> Result<usize> {
    let bundle = Bundle::load(&options.bundle.files)?;
    let secrets = options.bundle.secrets(&bundle, options.values)?;
    let rendered = options.bundle.render_tracing(options.values, &secrets, options.facts)?;
    let traces = Traces::of(options.values, &secrets).and_derived(&rendered.derived);
    print(rendered, cli::Output::Yaml, (!options.show_secrets).then_some(&traces), out)
}

fn print(
    rendered: Rendered,
    format: cli::Output,
    hide: Option<&Traces>,
    out: &mut dyn Write,
) -> Result<usize> {
    let sources = rendered.sources.iter().map(|source| Some(source.as_str()));
    objects::write(rendered.objects.iter().zip(sources), format, hide, out)
}
