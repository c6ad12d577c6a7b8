//! `bundle show|values|images|package|lint`: looks into bundles and packs them; needs no cluster.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::App;
use crate::bundle::lint::{self, Severity};
use crate::bundle::{Bundle, archive};
use crate::error::Error;
use crate::ops::source::{Opened, open};
use crate::render::Facts;
use crate::ui::text;
use crate::{Result, bundle, cli, escape, words};

/// `bundle show`
pub struct ShowOptions {
    /// As typed.
    pub reference: String,
    /// One JSON document instead of text.
    pub json: bool,
}

/// `bundle images`
pub struct ImagesOptions {
    /// As typed.
    pub reference: String,
    /// Those of components that are off by default, too.
    pub all: bool,
}

/// `bundle package`
pub struct PackageOptions {
    /// As typed.
    pub reference: String,
    /// Where the archive goes; the current folder when absent.
    pub destination: Option<PathBuf>,
}

/// Runs `bundle …`.
pub fn run(app: &App<'_>, args: cli::Bundle) -> Result<()> {
    let mut out = Vec::new();
    let result = match args {
        cli::Bundle::Show(args) => {
            let json = args.output.is_some();
            show(&ShowOptions { reference: args.bundle.bundle, json }, &mut out)
        }
        cli::Bundle::Values(args) => values(&args.bundle, &mut out),
        cli::Bundle::Images(args) => {
            images(&ImagesOptions { reference: args.bundle, all: args.all }, &mut out)
        }
        cli::Bundle::Package(args) => {
            let destination = Some(args.destination);
            package(&PackageOptions { reference: args.bundle.bundle, destination }, &mut out)
        }
        cli::Bundle::Lint(args) => lint(&args.bundle, &mut out),
    };
    app.ui.data(&String::from_utf8_lossy(&out));
    result
}

/// Prints what a bundle is.
pub fn show(options: &ShowOptions, out: &mut dyn Write) -> Result<()> {
    let (opened, bundle) = load(&options.reference)?;
    let meta = bundle.meta();
    let range = meta.kube_version.as_ref().map(ToString::to_string);
    let profiles: Vec<&str> = bundle.profiles().collect();
    if options.json {
        let components = bundle.components().map(|(reference, component)| {
            json!({
                "name": component.name(), "version": component.meta().version.to_string(),
                "appVersion": component.app_version(), "when": reference.when, "needs": reference.needs,
            })
        });
        let value = json!({
            "apiVersion": "kubectl-obs.dev/v1", "kind": "BundleDescription", "name": meta.name,
            "version": meta.version.to_string(), "appVersion": meta.app_version,
            "description": meta.description, "kubeVersion": range, "nodeLevel": meta.node_level,
            "source": opened.origin, "digest": opened.digest.to_string(), "profiles": profiles,
            "components": components.collect::<Vec<_>>(),
        });
        return written(writeln!(out, "{}", escape::document(&format!("{value:#}"))));
    }
    let mut rows = vec![("Name", meta.name.clone()), ("Version", meta.version.to_string())];
    rows.extend(meta.app_version.clone().map(|version| ("App version", version)));
    rows.extend((!meta.description.is_empty()).then(|| ("Description", meta.description.clone())));
    rows.extend(range.map(|range| ("Kubernetes", range)));
    rows.extend([("Source", opened.origin.clone()), ("Digest", opened.digest.to_string())]);
    rows.extend((!profiles.is_empty()).then(|| ("Profiles", profiles.join(", "))));
    for (key, value) in rows {
        written(writeln!(out, "{:<13} {}", format!("{key}:"), escape::line(&value)))?;
    }
    if bundle.is_umbrella() {
        let rows = bundle.components().map(|(reference, component)| {
            let when = reference.when.clone().unwrap_or_else(|| "always".to_owned());
            vec![
                component.name().to_owned(),
                component.meta().version.to_string(),
                component.app_version(),
                when,
            ]
        });
        let headers = ["COMPONENT", "VERSION", "APP VERSION", "ON WHEN"];
        written(write!(out, "\n{}", text::table(&headers, &rows.collect::<Vec<_>>())))?;
    }
    Ok(())
}

/// Prints the commented defaults; those of an umbrella's components stand below their keys.
pub fn values(reference: &str, out: &mut dyn Write) -> Result<()> {
    let (_, bundle) = load(reference)?;
    written(out.write_all(bundle.commented_defaults().as_bytes()))
}

/// Prints the image references of the default rendering, sorted.
pub fn images(options: &ImagesOptions, out: &mut dyn Write) -> Result<()> {
    let (opened, bundle) = load(&options.reference)?;
    let mut values = bundle.effective_defaults().clone();
    if options.all {
        switch_on(&bundle, &mut values);
    }
    let facts = Facts::offline("obs", "observability", "observability-node");
    let rendered = opened.render(&values, &facts)?;
    let images: BTreeSet<&str> = rendered.objects.iter().flat_map(|o| lint::images(o.value())).collect();
    images.into_iter().try_for_each(|image| written(writeln!(out, "{}", escape::line(image))))
}

/// Sets what components depend on: a `when` that is one path of values.
fn switch_on(bundle: &Bundle, values: &mut Value) {
    for (reference, _) in bundle.components() {
        let path = reference.when.as_deref().and_then(|when| when.trim().strip_prefix("values."));
        let Some(path) = path.filter(|path| path.chars().all(|c| c.is_alphanumeric() || "._".contains(c)))
        else {
            continue;
        };
        if let Some(switch) = values.pointer_mut(&format!("/{}", path.replace('.', "/")))
            && switch.is_boolean()
        {
            *switch = json!(true);
        }
    }
}

/// Writes `<name>-<version>.tgz` and prints its path and digest.
pub fn package(options: &PackageOptions, out: &mut dyn Write) -> Result<()> {
    let (opened, bundle) = load(&options.reference)?;
    let bytes = archive::pack(&opened.files).map_err(|e| Error::usage(e.to_string()))?;
    let name = format!("{}-{}.tgz", bundle.name(), bundle.meta().version);
    let path = options.destination.clone().unwrap_or_default().join(name);
    std::fs::write(&path, &bytes)
        .map_err(|e| Error::failed(format!("cannot write {}: {e}", path.display())))?;
    written(writeln!(out, "{}\n{}", path.display(), bundle::Digest::of(&bytes)))
}

/// Prints findings as `file:line: severity: message`; an error when one of them is an error.
pub fn lint(reference: &str, out: &mut dyn Write) -> Result<()> {
    let (opened, bundle) = load(reference)?;
    let facts = Facts::offline("obs", "observability", "observability-node");
    let mut findings = lint::lint(&bundle);
    match opened.render(bundle.effective_defaults(), &facts) {
        Ok(rendered) => findings.extend(lint::rendered(&rendered)),
        // a template that does not compile is a finding already
        Err(err) if findings.iter().all(|f| f.severity != Severity::Error) => return Err(err),
        Err(_) => {}
    }
    for probe in lint::probes(&bundle) {
        // what no other value may stand for says nothing
        if let Ok(rendered) = opened.render_tracing(&probe.values, probe.at(), &facts) {
            findings.extend(probe.findings(&rendered));
        }
    }
    findings.sort();
    findings.dedup();
    for finding in &findings {
        written(writeln!(out, "{}", escape::line(&finding.to_string())))?;
    }
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    match count(Severity::Error) {
        0 => Ok(()),
        errors => {
            let (errors, warnings) =
                (words::count(errors, "error"), words::count(count(Severity::Warning), "warning"));
            Err(Error::failed(format!("bundle {} has {errors} and {warnings}", bundle.name())))
        }
    }
}

fn load(reference: &str) -> Result<(Opened, Bundle)> {
    let opened = open(reference)?;
    let bundle = Bundle::load(&opened.files)?;
    Ok((opened, bundle))
}

/// An output that was closed early (`| head`) is no error.
pub(super) fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("cannot write the output: {e}")))
        }
        _ => Ok(()),
    }
}
